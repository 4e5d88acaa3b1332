"""The rules that all kinds share: placeholders and their extension, blank parts, dates, countries."""

import pytest

from clients.identifiers import Absent, Hints, Normalised, PlaceholderFound, normalise
from clients.identifiers.countries import country_code
from clients.identifiers.dates import parse_date
from clients.identifiers.kind import Unusable
from clients.identifiers.placeholders import shipped
from clients.identifiers.registry import KIND_NAMES, kind_of

GB = Hints("GB", "GB")


@pytest.mark.parametrize(
    "text",
    [
        "unknown",
        "UNKNOWN",
        " Unknown. ",
        "n/a",
        "N/A",
        "n.a.",
        "none",
        "test",
        "x",
        "XXXX",
        "0000000000",
        "---",
        "?",
        "unbekannt",
        "nicht bekannt",
        "Inconnu",
        "non renseigné",
        "desconocido",
        "onbekend",
        "неизвестно",
        "9999-99-99",
        "(unknown)",
    ],
)
def test_what_people_write_where_they_know_nothing_is_a_placeholder(text: str) -> None:
    for kind in ("phone", "national-id", "passport", "vehicle-plate", "email"):
        part = kind_of(kind).forms[0][0]
        assert normalise(kind, {part: text}, GB) == PlaceholderFound(part), kind


def test_a_mapping_adds_placeholders_for_one_kind_for_all_and_for_dates() -> None:
    listed = shipped().extended({"phone": ["07700 900999"], "any": ["Offen"], "dates": ["1970-01-01"]}, kept=["null"])
    assert normalise("phone", {"number": "07700 900999"}, GB, listed) == PlaceholderFound("number")
    assert normalise("email", {"address": "offen"}, GB, listed) == PlaceholderFound("address")
    person = {"given_name": "Anna", "family_name": "Null", "date_of_birth": "1990-02-28"}
    assert normalise("person.name-birthdate", person, GB) == PlaceholderFound("family_name")
    assert normalise("person.name-birthdate", person, GB, listed) == Normalised("anna null|1990-02-28")
    born = {"full_name": "Anna Example", "date_of_birth": "01.01.1970"}
    assert isinstance(normalise("person.name-birthdate", born, GB), Normalised)
    assert normalise("person.name-birthdate", born, GB, listed) == PlaceholderFound("date_of_birth")


def test_a_list_that_was_extended_is_described_differently() -> None:
    assert shipped().extended({"any": ["offen"]}).described() != shipped().described()
    assert shipped().extended({}).described() == shipped().described()


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_blank_parts_make_no_identifier_and_no_rejection(kind: str) -> None:
    parts = {part.name: " \t\u200b" for part in kind_of(kind).parts}
    assert normalise(kind, parts, GB) == Absent()
    assert normalise(kind, {}, GB) == Absent()


def test_a_country_alone_is_no_document() -> None:
    assert normalise("passport", {"number": "", "country": "DE"}) == Absent()


def test_a_placeholder_in_place_of_a_country_leaves_the_mappings_default() -> None:
    parts = {"number": "C01X00T47", "country": "unknown"}
    assert normalise("passport", parts, Hints(country="DE")) == Normalised("DE|C01X00T47")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("GB", "GB"),
        ("gb", "GB"),
        ("UK", "GB"),
        ("GBR", "GB"),
        ("United Kingdom", "GB"),
        ("Vereinigtes Königreich", "GB"),
        ("Deutschland", "DE"),
        ("Allemagne", "DE"),
        ("Niemcy", "DE"),
        ("ESPAÑA", "ES"),
        ("Россия", "RU"),
        ("XKX", "XK"),
        ("Czech Republic", "CZ"),
        ("Côte d'Ivoire", "CI"),
        ("ZZ", "ZZ"),
        ("Atlantis", None),
        ("", None),
        ("Q1", None),
    ],
)
def test_a_country_is_known_by_its_codes_and_by_its_name_in_many_languages(text: str, code: str | None) -> None:
    assert country_code(text) == code


def test_one_date_in_many_forms_is_one_date() -> None:
    forms = [
        "1990-02-28",
        "1990/02/28",
        "19900228",
        "28.02.1990",
        "28.2.1990",
        "28/02/1990",
        "28-02-1990",
        "28 Feb 1990",
    ]
    forms += ["28. Februar 1990", "February 28, 1990", "28-FEB-1990", "28 de febrero de 1990", "1990-02-28 00:00:00"]
    forms += ["1990-02-28T12:30:00+01:00", "28th February 1990", "28. 02. 1990"]
    assert {parse_date(form, None, "born").isoformat() for form in forms} == {"1990-02-28"}


@pytest.mark.parametrize("text", ["28.02.90", "1990", "02/1990", "1990-13-01", "2/3/4/1990", "yesterday", "31.02.1990"])
def test_what_is_no_whole_date_is_refused(text: str) -> None:
    with pytest.raises(Unusable) as refused:
        parse_date(text, "day-first", "born")
    assert (refused.value.reason, refused.value.part) == ("date", "born")
    assert text not in str(refused.value)
