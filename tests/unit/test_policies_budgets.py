"""Budgets: the formula of protocol section 10, its bound, and the published coverage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.agreement.templates import template
from policies.budgets import budget, coverage, guesses, holder_budget, member_budgets
from policies.errors import DocumentRefused
from policies.party_keys import Card, new_party
from tests.agreement_world import example_terms, make_world


@pytest.mark.parametrize(
    ("declared", "days", "expected"),
    [(100, 0, 125), (100, 1, 127), (1, 0, 2), (1, 90, 4), (80_000, 90, 244_000), (0, 90, 0)],
)
def test_a_budget_is_a_quarter_more_than_declared_and_two_percent_a_day(declared, days, expected):
    assert budget(declared, days) == expected


@pytest.mark.parametrize(
    ("total", "t_h", "holders", "expected"),
    [(1000, 1, 1, 1000), (1000, 2, 3, 1000), (1000, 2, 5, 500), (1001, 2, 5, 501), (1000, 3, 5, 750), (7, 2, 4, 5)],
)
def test_a_holder_allows_its_part_so_that_one_holder_may_be_down(total, t_h, holders, expected):
    assert holder_budget(total, t_h, holders) == expected


@given(st.integers(0, 10**7), st.integers(1, 9), st.integers(1, 9))
def test_with_one_holder_down_the_whole_budget_can_be_spent(total, t_h, holders):
    if holders <= t_h:
        return
    allowed = holder_budget(total, t_h, holders)
    assert allowed <= total
    assert (holders - 1) * allowed >= total * t_h or allowed == total


def test_guesses_are_bounded_as_the_protocol_says():
    assert guesses(500, 2, 5, 0) == 1250
    assert guesses(500, 2, 5, 1) == 2000
    with pytest.raises(ValueError, match="no bound"):
        guesses(500, 2, 5, 2)


def test_coverage_is_the_sum_of_budgets_over_the_identifier_space_and_warns_above_one_percent():
    terms = example_terms(identifier_spaces={"phone": 100_000_000, "person.name-birthdate": 10_000})
    world = make_world(terms, declared=1000)
    rows = {row.kind: row for row in coverage(world.trust.roster.members, terms)}
    assert set(rows) == {"phone", "person.name-birthdate"}
    assert [row.budgets for row in rows.values()] == [4 * budget(1000, 90)] * 2
    assert not rows["phone"].is_high
    assert rows["person.name-birthdate"].is_high
    assert "above 1%" in rows["person.name-birthdate"].sentence()


def test_an_undeclared_family_has_no_budget():
    assert member_budgets({"phone": 100}, 0, ["phone", "email"]) == {"email": 0, "phone": 125}


def test_a_card_never_holds_a_secret_and_reads_back():
    for role, name, address in (
        ("bank", "bank-a", None),
        ("recipient", "charity", None),
        ("holder", "holder2", "https://holder.example"),
        ("broker", "broker", "https://broker.example:8443"),
    ):
        party = new_party(role, name, "group", address=address)
        document = party.card.to_document()
        assert Card.from_document(document) == party.card
        assert party.signing_key.public_key == party.card.signing_key
        for secret in party.secrets.values():
            assert len(secret) == 32
            assert secret.hex() not in repr(party)
            assert secret not in [value for value in vars_of(party.card) if isinstance(value, bytes)]


def vars_of(card: Card) -> list[object]:
    return [getattr(card, name) for name in card.__slots__]


def test_secrets_are_those_that_a_role_needs():
    assert set(new_party("police", "police-c", "g").secrets) == {"signing", "rows", "journal"}
    assert set(new_party("recipient", "charity", "g").secrets) == {"signing", "store"}
    assert set(new_party("holder", "holder1", "g", address="https://h.example").secrets) == {"signing", "dkg"}
    assert set(new_party("broker", "broker", "g", address="https://b.example").secrets) == {"signing"}


@pytest.mark.parametrize(
    ("role", "name", "address", "declared", "sentence"),
    [
        ("holder", "holder", "https://h.example", {}, "holder1, holder2"),
        ("holder", "holder01", "https://h.example", {}, "holder1, holder2"),
        ("holder", "holder1", None, {}, "give an address"),
        ("bank", "holder1", None, {}, "kept for"),
        ("bank", "broker", None, {}, "kept for"),
        ("bank", "bank-a", "https://b.example", {}, "give an address"),
        ("bank", "Bank A", None, {}, "party_id must be"),
        ("broker", "broker-2", "https://b.example", {}, "broker's id is broker"),
        ("broker", "broker", "https://b.example/", {}, "without a path"),
        ("recipient", "charity", None, {"phone": 5}, "only institutions declare"),
        ("spy", "spy", None, {}, "role must be one of"),
    ],
)
def test_a_party_that_cannot_be_is_refused(role, name, address, declared, sentence):
    with pytest.raises(DocumentRefused, match=sentence):
        new_party(role, name, "group", address=address, declared=declared)


def test_an_agreement_needs_one_broker_and_known_families():
    bank = new_party("bank", "bank-a", "group-a", declared={"shoe": 5}).card
    other = new_party("bank", "bank-b", "group-b").card
    charity = new_party("recipient", "charity", "charity").card
    holders = [
        new_party("holder", f"holder{index}", f"h{index}", address=f"https://h{index}.example").card for index in (1, 2)
    ]
    broker = new_party("broker", "broker", "operator", address="https://b.example").card
    rules = template("bank-to-charity")
    with pytest.raises(DocumentRefused, match="0 cards are a broker's"):
        rules.for_parties([bank, other, charity, *holders])
    cards = [bank, other, charity, *holders, broker]
    with pytest.raises(DocumentRefused, match="the key family shoe, which no kind uses"):
        rules.for_parties(cards).with_cards(cards)
