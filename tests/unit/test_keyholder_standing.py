"""What a holder goes by: epochs side by side, rosters of each, and who a caller is in which."""

from __future__ import annotations

import itertools

import pytest

from crypto.group import multiply_base
from crypto.scalars import random_scalars
from crypto.signatures import SigningKey, key_id
from keyholder.standing import Standing, document_text, member_of, read_document_text, recipient_of
from policies.assembly import RecipientKey, build_epoch, build_roster
from policies.documents import SignedDocument
from policies.errors import DocumentRefused
from policies.party_keys import new_epoch_key
from policies.trust import Trust
from tests.agreement_world import DAY, START, World, make_world
from wire.access import Caller
from wire.packed import pack


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture
def standing(world: World) -> Standing:
    """With the first epoch and its roster."""
    return empty(world).with_documents([world.epoch, world.roster])


def empty(world: World) -> Standing:
    return Standing(Trust.pin(world.agreement, world.agreement.hash))


def next_epoch(world: World, number: int = 2) -> tuple[SignedDocument, SignedDocument]:
    """The signed document and first roster of a later epoch, which begins before the first is over."""
    t_h = world.trust.epoch.t_h
    commitments = {
        family: [multiply_base(random_scalars(1)) for _ in range(t_h)] for family in world.trust.epoch.families
    }
    begin = START + (80 + number) * DAY
    epoch = build_epoch(world.trust.agreement, number, begin, begin + 90 * DAY, commitments)
    signed = world.sign(epoch.to_document())
    trust = Trust.pin(world.agreement, world.agreement.hash).with_epoch(signed)
    keys = [RecipientKey("charity", epoch.epoch_id, new_epoch_key()[1], epoch.not_after)]
    return signed, world.sign(build_roster(trust, keys).to_document())


def caller(world: World, party_id: str, role: str = "institution") -> Caller:
    return Caller(party_id, role, world.parties[party_id].signing_key.public_key)


def test_two_epochs_are_held_side_by_side_the_newest_first(world: World, standing: Standing) -> None:
    epoch, roster = next_epoch(world)
    both = standing.with_documents([epoch, roster])
    assert [trust.epoch.number for trust in both.epochs] == [2, 1]
    first = both.epoch(world.trust.epoch_id)
    assert first is not None
    assert first.is_ready
    assert member_of(first, caller(world, "bank-a")) is not None


def test_a_document_that_is_held_changes_nothing(world: World, standing: Standing) -> None:
    assert standing.with_document(world.agreement) is standing
    assert standing.with_document(world.epoch) is standing
    assert standing.with_document(world.roster) is standing
    both = standing.with_documents(next_epoch(world))
    assert both.with_document(world.epoch) is both
    assert both.with_document(world.roster) is both


def test_an_epoch_that_comes_too_late_and_a_fork_are_refused(world: World, standing: Standing) -> None:
    third = standing.with_documents(next_epoch(world, 3))
    with pytest.raises(DocumentRefused, match="older"):
        third.with_document(next_epoch(world, 2)[0])
    with pytest.raises(DocumentRefused, match="two signed documents"):
        third.with_document(next_epoch(world, 3)[0])


def test_a_roster_needs_its_epoch(world: World, standing: Standing) -> None:
    with pytest.raises(DocumentRefused, match="not accepted here"):
        standing.with_document(next_epoch(world)[1])
    with pytest.raises(DocumentRefused, match="another first version"):
        standing.with_document(make_world().agreement)


def test_documents_in_any_order_are_taken_in_the_order_that_they_need(world: World) -> None:
    given = [world.agreement, world.epoch, world.roster, *next_epoch(world)]
    for shuffled in itertools.permutations(given):
        start = empty(world)
        after = start.with_documents(start.what_follows(shuffled))
        assert [(trust.epoch.number, trust.is_ready) for trust in after.epochs] == [(2, True), (1, True)]
        assert after.what_follows(shuffled) == []


def test_a_document_survives_the_database(world: World) -> None:
    for signed in world.documents:
        assert read_document_text(document_text(signed)) == signed


def named(standing: Standing, world: World, party_id: str, now: int, key: SigningKey | None = None) -> str | None:
    found = standing.caller(party_id, key_id((key or world.parties[party_id].signing_key).public_key).hex(), now)
    return None if found is None else found.role


def test_callers_are_of_the_agreement_before_the_first_roster_and_of_rosters_then(
    world: World, standing: Standing
) -> None:
    for held in (empty(world), empty(world).with_document(world.epoch), standing):
        roles = [named(held, world, party, START) for party in ("bank-a", "charity", "holder2", "broker")]
        assert roles == ["institution", "recipient", "holder", "broker"]
        assert held.caller("mallory", "00" * 8, START) is None
        assert named(held, world, "bank-a", START, SigningKey(bytes(32))) is None


def test_a_member_that_left_one_epoch_is_a_caller_for_the_other_until_that_is_over(
    world: World, standing: Standing
) -> None:
    both = standing.with_documents(next_epoch(world))
    newest = both.epochs[0]
    document = newest.roster.to_document()
    members = [member for member in document["members"] if member["institution_id"] != "bank-a"]
    left = {**document, "version": 2, "previous": pack(newest.roster.hash), "members": members}
    after = both.with_document(world.sign(left))
    assert named(after, world, "bank-a", START + 85 * DAY) == "institution"
    first, newest = after.epoch(world.trust.epoch_id), after.epochs[0]
    assert first is not None
    assert member_of(first, caller(world, "bank-a")) is not None
    assert member_of(newest, caller(world, "bank-a")) is None
    assert named(after, world, "bank-a", START + 90 * DAY) is None
    assert named(after, world, "bank-b", START + 90 * DAY) == "institution"


def test_an_id_with_another_key_is_nobody_in_an_epoch(world: World) -> None:
    stranger = SigningKey(bytes(32)).public_key
    assert member_of(world.trust, Caller("bank-a", "institution", stranger)) is None
    assert recipient_of(world.trust, Caller("charity", "recipient", stranger)) is None
    assert recipient_of(world.trust, caller(world, "charity", "recipient")) is not None
    assert recipient_of(world.trust, caller(world, "bank-a", "recipient")) is None
