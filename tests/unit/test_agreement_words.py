"""An agreement for people: every rule has its sentence, the matrix answers as the rules do, nothing differs unseen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest

from policies.agreement.diff import diff
from policies.agreement.document import Agreement
from policies.agreement.matrix import matrix
from policies.agreement.model import FieldRequest, Gate, LegalBasis, Purpose, Witnesses
from policies.agreement.page import render_page
from policies.agreement.templates import names, template
from policies.agreement.words import SECTIONS, render_markdown, sentences
from policies.decisions.decide import decide
from policies.opening_rule import KindPolicy, OpeningRule
from policies.party_keys import new_party
from policies.rendering import grouped
from tests.decision_world import PARTY_OF, make_agreement, question

DAY = 86_400
HOSTILE = "<script>alert(1)</script> & \"quoted\" 'text' </details> | `tick`"


@cache
def shipped(name: str) -> Agreement:
    """A template between the parties that it names, each with keys of its own."""
    draft = template(name)
    parties = draft.parties
    declared = dict.fromkeys(draft.terms.families, 1000)
    made = [new_party(one.role, one.institution_id, one.group_id, declared=declared) for one in parties.members]
    made += [new_party("recipient", one.recipient_id, one.group_id) for one in parties.recipients]
    made += [
        new_party("holder", one.party_id, one.group_id, address=f"https://{one.party_id}.example")
        for one in parties.holders
    ]
    made += [new_party("auditor", one.auditor_id, one.auditor_id) for one in parties.auditors]
    made.append(new_party("broker", "broker", parties.broker.group_id, address="https://broker.example"))
    return draft.with_cards([each.card for each in made])


AGREEMENTS = [*names(), "small"]


def agreement_named(name: str) -> Agreement:
    return make_agreement() if name == "small" else shipped(name)


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """The place of everything that a document says."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    if not items:
        yield path
    for key, item in items:
        yield from leaves(item, f"{path}.{key}" if path else str(key))


def value_at(document: Any, path: str) -> Any:
    """What stands at a place; kinds have dots in their names."""
    if path == "":
        return document
    if isinstance(document, list):
        step, _, rest = path.partition(".")
        return value_at(document[int(step)], rest)
    key = next(key for key in document if path == key or path.startswith(f"{key}."))
    return value_at(document[key], path.removeprefix(key).removeprefix("."))


# Sentences


@pytest.mark.parametrize("name", AGREEMENTS)
def test_every_rule_of_an_agreement_stands_behind_a_sentence(name: str) -> None:
    agreement = agreement_named(name)
    said = [one.path for one in sentences(agreement)]
    document = agreement.to_document()
    unsaid = [
        leaf for leaf in leaves(document) if not any(leaf == path or leaf.startswith(f"{path}.") for path in said)
    ]
    assert unsaid == []


@pytest.mark.parametrize("name", AGREEMENTS)
def test_each_sentence_is_whole_and_shows_the_rule_as_it_is_signed(name: str) -> None:
    agreement = agreement_named(name)
    document = agreement.to_document()
    for one in sentences(agreement):
        assert one.text[0].isupper() or one.text.startswith(tuple(PARTY_OF.values())) or one.text[0].isdigit()
        assert one.text.endswith((".", ")", "."))
        assert one.section in SECTIONS
        assert json.loads(one.value) == json.loads(json.dumps(value_at(document, one.path)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"opening_rule": OpeningRule(3, 10, ())}, "at least 2 other groups hold the same identifiers"),
        ({"opening_rule": OpeningRule(2, 10, ())}, "No identifier alone is enough."),
        ({"gates": ()}, "bank-a may send a record without any red flag."),
        ({"gates": (Gate("bank", ("cash-only", "shared-address")),)}, "red flags: cash-only or shared-address."),
        ({"fields": {}}, "bank-a may seal no field into a record."),
        ({"indicators": {}}, "bank-a may add no red flag."),
        ({"fields": {"bank": ("note",), "charity": ("age",)}}, "Whoever joins as charity may seal these fields"),
        ({"kinds": {"phone": KindPolicy(6, 50, True, 7)}}, "It is normalised by version 7 of the kind's rules."),
        ({"witnesses": Witnesses(("holder1", "regulator"), 2)}, "Nothing opens unless 2 of them have countersigned"),
        ({"witnesses": Witnesses((), 0)}, "nobody need countersign it."),
        ({"field_requests": ()}, "Nobody may ask for more than what opened."),
        ({"field_requests": (FieldRequest("charity", "bank", ("note",), 2, False),)}, "2 people, not one alone"),
        ({"start": 20_000 * DAY}, "It begins on 2024-10-04, "),
        ({"end": 30_000 * DAY}, "Its last day is 2052-02-19."),
        ({"legal_basis": (LegalBasis("Public interest.", "Art. 6"),)}, "Legal basis: Public interest. (Art. 6)"),
    ],
)
def test_what_an_agreement_says_its_sentences_say(changes: dict[str, Any], said: str) -> None:
    assert any(said in one.text for one in sentences(make_agreement(**changes)))


def test_an_institution_that_may_request_asks_for_fields_and_opens_nothing() -> None:
    """The rules let recipients alone have records opened; the sentence must not say more."""
    text = next(one.text for one in sentences(make_agreement()) if one.path == "parties.members.1")
    assert "ask for fields" in text
    assert "opened" not in text


# The matrix


@pytest.mark.parametrize("name", AGREEMENTS)
def test_the_matrix_allows_what_the_rules_allow_and_nothing_else(name: str) -> None:
    """Both ways, for every party and every action in it."""
    agreement = agreement_named(name)
    rows = [row for row in matrix(agreement) if row.action in ASKED]
    assert {row.action for row in rows} >= {"send-records", "ask-for-opening", "read-opened-record"}
    allowed = {(party_id, row.role, row.action, row.path) for row in rows for party_id in row.party_ids}
    parties = agreement.parties
    everybody = [(one.institution_id, "institution") for one in parties.members]
    everybody += [(one.recipient_id, "recipient") for one in parties.recipients]
    everybody += [(one.party_id, "holder") for one in parties.holders] + [("broker", "broker")]
    everybody += [(one.auditor_id, "auditor") for one in parties.auditors]
    for party_id, role in everybody:
        for action, path, facts in questions(agreement, party_id):
            answer = decide(question(action, role, at=agreement.start, party_id=party_id, **facts), agreement)
            assert answer.allowed == ((party_id, role, action, path) in allowed), (party_id, action, path, answer.rules)


ASKED = {"send-records", "ask-for-opening", "read-opened-record", "request-fields"}


def questions(agreement: Agreement, party_id: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What a party may want to do, the row that would allow it, and the facts at the edge of what is agreed."""
    member = agreement.member_party(party_id)
    own = member.role if member else next(iter(agreement.fields))
    flags = {"fields": agreement.fields_of(own), "indicators": agreement.indicators_of(own)}
    purpose = next(iter(agreement.parties.recipients)).purposes[0]
    life = agreement.retention
    yield "send-records", "fields", {**flags, "kinds": tuple(agreement.kinds), "lifetime": life.records}
    yield "ask-for-opening", "opening_rule", {"purpose": purpose, "records": 1}
    yield "read-opened-record", "retention.opened", {**flags, "of_role": own, "opened_age": life.opened}
    for number, one in enumerate(agreement.field_requests):
        if one.reveals:
            facts = {"purpose": purpose, "of_role": one.of_role, "fields": one.fields}
            yield "request-fields", f"field_requests.{number}", facts


# Differences


def test_equal_agreements_do_not_differ() -> None:
    assert diff(make_agreement(), make_agreement()) == ()
    assert diff(shipped("bank-to-charity"), Agreement.from_document(shipped("bank-to-charity").to_document())) == ()


CHANGES: dict[str, Any] = {
    "title": "Another",
    "purposes": (Purpose("trafficking", "To find victims of it."), Purpose("statistics", "To count.")),
    "legal_basis": (LegalBasis("Public interest.", "Art. 6"),),
    "start": 1_000_001,
    "end": 1_999_999,
    "member_quorum": 1,
    "t_h": 3,
    "epoch_days": 31,
    "kinds": {"phone": KindPolicy(6, 51, True, 1), "email": KindPolicy(6, 50, True, 1)},
    "identifier_spaces": {"phone": 10},
    "opening_rule": OpeningRule(2, 11, ("phone",)),
    "padded_size": 2048,
    "fields": {"bank": ("record_id",)},
    "indicators": {"bank": ("cash-only",)},
    "gates": (),
    "field_requests": (),
    "openings_per_day": 11,
    "records_per_day": 101,
    "witnesses": Witnesses(("holder1",), 1),
    "agreement_id": "another",
}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_changes_is_named_with_old_new_and_a_sentence(name: str) -> None:
    old, new = make_agreement(), make_agreement(**{name: CHANGES[name]})
    found = diff(old, new)
    assert found
    for change in found:
        assert change.path.split(".")[0] == name
        assert change.old != change.new
        assert change.sentence.endswith(".")
        assert change.sentence[0].isupper()


@pytest.mark.parametrize("name", ["records", "opened"])
def test_retention_is_compared_in_days(name: str) -> None:
    old = make_agreement()
    kept = replace(old.retention, **{name: 30 * DAY})
    (change,) = diff(old, make_agreement(retention=kept))
    assert "30 days instead of" in change.sentence


def test_parties_that_come_go_and_change_keys_are_named() -> None:
    old = make_agreement()
    first, second = old.parties.members
    come = replace(second, institution_id="bank-b", role="bank")
    parties = replace(old.parties, members=(replace(first, signing_key=b"n" * 32), come))
    said = [change.sentence for change in diff(old, make_agreement(parties=parties))]
    assert said == [
        "bank-a has a new signing key.",
        "police-a is no party any more (institution).",
        "bank-b joins (institution).",
    ]


# The page


class Outline(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        """Keep it."""
        self.text += data


def outline(page: str) -> Outline:
    found = Outline()
    found.feed(page)
    return found


@pytest.mark.parametrize("name", AGREEMENTS)
def test_the_page_and_the_markdown_say_every_sentence_every_row_and_the_hash(name: str) -> None:
    agreement = agreement_named(name)
    page, markdown = outline(render_page(agreement)).text, render_markdown(agreement)
    for one in sentences(agreement):
        assert one.text in page
        assert one.value in page
        assert one.text in markdown
    for row in matrix(agreement):
        assert row.data in page
        assert row.condition in page
    for line in grouped(agreement.hash).splitlines():
        assert line in page
        assert line in markdown


def test_a_page_holds_no_script_and_loads_nothing() -> None:
    found = outline(render_page(shipped("bank-to-charity")))
    assert not {"script", "link", "img", "iframe", "form", "object", "base"} & set(found.tags)
    assert not {"src", "href", "style", "action"} & set(found.attributes)
    assert not [name for name in found.attributes if name.startswith("on")]


def test_hostile_text_stays_text() -> None:
    hostile = make_agreement(
        title=HOSTILE,
        purposes=(Purpose("trafficking", HOSTILE),),
        legal_basis=(LegalBasis(HOSTILE, HOSTILE),),
        fields={"bank": (HOSTILE,)},
        indicators={"bank": (HOSTILE,)},
        gates=(Gate("bank", (HOSTILE,)),),
    )
    tame = make_agreement(legal_basis=(LegalBasis("Text.", "Reference"),), purposes=(Purpose("trafficking", "Text."),))
    page = outline(render_page(hostile))
    assert page.tags == outline(render_page(tame)).tags
    assert page.text.count(HOSTILE) > 5
