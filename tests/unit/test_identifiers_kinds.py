"""Each kind of identifier against its written cases: what is one value, what is rejected and why, what is kept out."""

import json
from pathlib import Path
from typing import Any

import pytest

from clients.identifiers import KIND_NAMES, Absent, Hints, Normalised, PlaceholderFound, Rejected, normalise
from clients.identifiers.outcomes import REASONS
from clients.identifiers.registry import kind_of, normalisation_versions

VECTORS = Path(__file__).parents[1] / "vectors" / "identifiers"


def cases() -> list[Any]:
    """Every case of every kind, named by kind and place."""
    found = []
    for path in sorted(VECTORS.glob("*.json")):
        document = json.loads(path.read_text("utf-8"))
        for place, case in enumerate(document["cases"]):
            found.append(pytest.param(document["kind"], case, id=f"{document['kind']}-{place}"))
    return found


def expected(case: dict[str, Any]) -> object:
    """The outcome that a case describes."""
    if "value" in case:
        return Normalised(case["value"])
    if "rejected" in case:
        return Rejected(case["rejected"], case["part"])
    if "placeholder" in case:
        return PlaceholderFound(case["placeholder"])
    assert case["absent"]
    return Absent()


@pytest.mark.parametrize(("kind", "case"), cases())
def test_a_case_has_the_outcome_that_is_written_down(kind: str, case: dict[str, Any]) -> None:
    outcome = normalise(kind, case["parts"], Hints(**case["hints"]))
    assert outcome == expected(case), getattr(outcome, "value", "")


def test_every_kind_has_written_cases_under_its_present_version() -> None:
    documents = [json.loads(path.read_text("utf-8")) for path in VECTORS.glob("*.json")]
    assert {each["kind"]: each["version"] for each in documents} == normalisation_versions()


def test_every_reason_for_a_rejection_that_a_kind_gives_has_a_case() -> None:
    given = {case.values[1]["rejected"] for case in cases() if "rejected" in case.values[1]}
    assert given <= set(REASONS)
    # What the rules in common reject is tested beside them; a name of titles alone below.
    assert set(REASONS) - given == {"characters", "too-long", "no-name"}


def test_a_value_stays_out_of_the_repr_of_an_outcome() -> None:
    outcome = normalise("phone", {"number": "07700 900123"}, Hints("GB"))
    assert isinstance(outcome, Normalised)
    assert "7700" not in repr(outcome)


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_text_that_is_no_text_and_text_without_end_are_rejected(kind: str) -> None:
    part = kind_of(kind).forms[0][0]
    assert normalise(kind, {part: "\ud800"}) == Rejected("characters", part)
    assert normalise(kind, {part: "9" * 1001}) == Rejected("too-long", part)


def test_an_unknown_kind_or_part_is_an_error_of_the_program() -> None:
    with pytest.raises(KeyError):
        normalise("shoe-size", {"number": "42"})
    with pytest.raises(KeyError):
        normalise("phone", {"numero": "42"})


def test_a_british_iban_and_its_sort_code_and_account_are_one_identifier() -> None:
    by_iban = normalise("bank-account", {"iban": "GB82 WEST 1234 5698 7654 32"})
    by_account = normalise("bank-account", {"sort_code": "12-34-56", "account_number": "98765432"})
    assert by_iban == by_account


def test_a_name_of_marks_alone_or_a_title_alone_makes_no_person() -> None:
    born = {"date_of_birth": "1990-02-28"}
    assert normalise("person.name-birthdate", {"full_name": "Dr.", **born}) == Rejected("no-name", "full_name")
    marks = normalise("person.name-birthdate", {"given_name": "...", "family_name": "Example", **born})
    assert marks == PlaceholderFound("given_name")
