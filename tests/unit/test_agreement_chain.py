"""Versions of an agreement, suspensions and departures: what each needs before anybody goes by it.

Each test takes one signature, or one link, away.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from crypto.signatures import key_id
from policies.agreement.document import Agreement
from policies.agreement.standing import Departure, Suspension
from policies.assembly import build_epoch
from policies.documents import Document, SignedDocument, sign_document
from policies.errors import DocumentRefused
from policies.establish import establish
from policies.library import DocumentLibrary
from policies.party_keys import PartyKeys, new_party
from policies.trust import Trust
from tests.agreement_world import DAY, START, World, make_world


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def pinned(world: World) -> Trust:
    return Trust.pin(world.agreement, world.agreement.hash)


def amended(before: Agreement, **changes: object) -> Agreement:
    """The next version, with changes."""
    return replace(before, version=before.version + 1, previous=before.hash, **changes)  # type: ignore[arg-type]


def signed(document: Document, parties: Iterable[PartyKeys]) -> SignedDocument:
    result = SignedDocument(document, {})
    for party in parties:
        result = sign_document(result, party.card.party_id, party.signing_key)
    return result


def by_all(world: World, agreement: Agreement, *without: str) -> SignedDocument:
    """Signed by every party of the world but some."""
    return signed(agreement.to_document(), [keys for name, keys in world.parties.items() if name not in without])


def with_bank_z(before: Agreement, key: bytes) -> Agreement:
    """An amendment by which bank-z joins."""
    joining = replace(before.parties.members[0], institution_id="bank-z", group_id="group-z", signing_key=key)
    parties = replace(before.parties, members=(*before.parties.members, joining))
    return amended(before, parties=parties)


def test_an_amendment_that_every_party_signed_follows(world, pinned):
    second = amended(pinned.agreement, openings_per_day=7)
    trust = pinned.with_agreement(by_all(world, second))
    assert trust.newest_agreement.hash == second.hash
    assert trust.with_agreement(by_all(world, second)) is trust
    assert trust.with_agreement(world.agreement) is trust


def test_an_amendment_lacking_any_one_signature_is_not_in_force(world, pinned):
    second = amended(pinned.agreement, openings_per_day=7)
    for name in world.parties:
        with pytest.raises(DocumentRefused, match=f"lacks a valid signature of: {name}"):
            pinned.with_agreement(by_all(world, second, name))


def test_an_amendment_takes_effect_with_the_next_epoch(world):
    second = amended(world.trust.agreement, openings_per_day=7)
    trust = world.trust.with_agreement(by_all(world, second))
    assert trust.agreement.version == 1
    assert trust.agreement.openings_per_day != 7
    families = {family: list(commitments) for family, commitments in trust.epoch.families.items()}
    epoch = build_epoch(second, 2, START + 80 * DAY, START + 170 * DAY, families)
    later = trust.with_epoch(world.sign(epoch.to_document()))
    assert later.agreement.hash == second.hash
    stale = build_epoch(trust.agreements[0], 3, START + 160 * DAY, START + 250 * DAY, families)
    with pytest.raises(DocumentRefused, match="version 2 holds since the epoch before"):
        later.with_epoch(world.sign(stale.to_document()))


def test_the_chain_has_no_gap_no_other_past_and_no_second_version(world, pinned):
    second = amended(pinned.agreement, openings_per_day=7)
    third = amended(second, openings_per_day=8)
    with pytest.raises(DocumentRefused, match="before version 2, which comes next"):
        pinned.with_agreement(by_all(world, third))
    detached = replace(second, previous=b"p" * 32)
    with pytest.raises(DocumentRefused, match="does not continue version 1"):
        pinned.with_agreement(by_all(world, detached))
    rival = amended(pinned.agreement, openings_per_day=9)
    with pytest.raises(DocumentRefused, match="two signed documents for agreement's version 2"):
        pinned.with_agreement(by_all(world, second)).with_agreement(by_all(world, rival))
    with pytest.raises(DocumentRefused, match="another first version"):
        pinned.with_agreement(make_world().agreement)
    other = amended(pinned.agreement, agreement_id="another")
    with pytest.raises(DocumentRefused, match="is the agreement another"):
        pinned.with_agreement(by_all(world, other))
    with pytest.raises(DocumentRefused, match="version 1 is pinned"):
        Trust.pin(by_all(world, second), second.hash)


def test_a_new_party_signs_under_its_own_key_and_every_other_party_too(world, pinned):
    joining = new_party("bank", "bank-z", "group-z")
    second = with_bank_z(pinned.agreement, joining.card.signing_key)
    alone = by_all(world, second)
    with pytest.raises(DocumentRefused, match="lacks a valid signature of: bank-z"):
        pinned.with_agreement(alone)
    trust = pinned.with_agreement(sign_document(alone, "bank-z", joining.signing_key))
    key = joining.card.signing_key
    assert trust.caller("bank-z", key_id(key).hex()) == (key, "institution")


def test_a_new_key_of_a_party_is_authorised_by_its_old_one(world, pinned):
    fresh = new_party("bank", "bank-a", "group-a")
    members = tuple(
        replace(member, signing_key=fresh.card.signing_key) if member.institution_id == "bank-a" else member
        for member in pinned.agreement.parties.members
    )
    second = amended(pinned.agreement, parties=replace(pinned.agreement.parties, members=members))
    usurped = sign_document(by_all(world, second, "bank-a"), "bank-a", fresh.signing_key)
    with pytest.raises(DocumentRefused, match="lacks a valid signature of: bank-a"):
        pinned.with_agreement(usurped)
    assert (
        pinned.with_agreement(by_all(world, second)).newest_agreement.member_keys["bank-a"]
        != (pinned.agreement.member_keys["bank-a"])
    )


def test_a_key_never_moves_to_another_party(world, pinned):
    stolen = with_bank_z(pinned.agreement, pinned.agreement.member_keys["bank-a"])
    parties = replace(stolen.parties, members=stolen.parties.members[1:])
    with pytest.raises(DocumentRefused, match="a key never changes its party"):
        pinned.with_agreement(by_all(world, replace(stolen, parties=parties)))


def test_a_few_parties_cannot_amend_the_agreement_among_themselves(world, pinned):
    kept = tuple(one for one in pinned.agreement.parties.members if one.institution_id == "bank-a")
    parties = replace(pinned.agreement.parties, members=kept)
    coup = amended(pinned.agreement, parties=parties, member_quorum=1)
    with pytest.raises(DocumentRefused, match="1 valid signatures of members; 2 are needed"):
        pinned.with_agreement(by_all(world, coup, "bank-b", "police-c", "desk-d"))
    # Those who are not in it any more may sign that they agree.
    assert pinned.with_agreement(by_all(world, coup, "bank-b", "desk-d")).newest_agreement.version == 2


def suspension(world: World, **changes: object) -> Suspension:
    given = Suspension(
        world.trust.agreement.agreement_id, 1, "bank-b", "members", 1, suspended=True, since=START, reason="a test"
    )
    return replace(given, **changes)  # type: ignore[arg-type]


def put(world: World, trust: Trust, given: Suspension, *signers: str) -> Trust:
    return trust.with_document(world.sign(given.to_document(), *signers))


def test_the_quorum_of_members_suspends_and_takes_back(world):
    with pytest.raises(DocumentRefused, match="1 valid signatures of members; 2 are needed"):
        put(world, world.trust, suspension(world), "bank-a", "holder1", "broker", "regulator")
    trust = put(world, world.trust, suspension(world), "bank-a", "police-c")
    assert trust.suspended == {"bank-b"}
    lifted = put(world, trust, suspension(world, number=2, suspended=False), "bank-a", "desk-d")
    assert lifted.suspended == frozenset()
    with pytest.raises(DocumentRefused, match="older than suspension 2"):
        put(world, lifted, suspension(world), "bank-a", "police-c")


def test_a_party_suspends_itself_and_does_not_lift_what_the_members_imposed(world):
    own = suspension(world, by="itself")
    with pytest.raises(DocumentRefused, match="lacks a valid signature of: bank-b"):
        put(world, world.trust, own, "bank-a", "police-c")
    trust = put(world, put(world, world.trust, suspension(world), "bank-a", "police-c"), own, "bank-b")
    lifted = put(world, trust, replace(own, number=2, suspended=False), "bank-b")
    assert lifted.suspended == {"bank-b"}
    with pytest.raises(DocumentRefused, match="valid signatures of members; 2 are needed"):
        put(world, lifted, suspension(world, number=2, suspended=False), "bank-b")


def test_two_suspensions_under_one_number_are_a_fork(world):
    trust = put(world, world.trust, suspension(world), "bank-a", "police-c")
    assert put(world, trust, suspension(world), "bank-a", "police-c") is trust
    with pytest.raises(DocumentRefused, match="two signed documents for suspension 1 of bank-b"):
        put(world, trust, suspension(world, reason="another"), "bank-a", "police-c")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"agreement_id": "another"}, "belongs to the agreement another"),
        ({"version": 2}, "version 1 is the newest"),
        ({"party_id": "bank-z"}, "nobody whom the agreement names"),
    ],
)
def test_a_suspension_of_another_agreement_version_or_party_is_refused(world, changes, sentence):
    with pytest.raises(DocumentRefused, match=sentence):
        put(world, world.trust, suspension(world, **changes), "bank-a", "police-c")


def test_only_the_party_itself_leaves_and_it_is_no_member_any_more(world):
    given = Departure(world.trust.agreement.agreement_id, 1, "bank-b", START)
    with pytest.raises(DocumentRefused, match="lacks a valid signature of: bank-b"):
        world.trust.with_document(world.sign(given.to_document(), "bank-a", "police-c", "desk-d", "holder1"))
    document = world.sign(given.to_document(), "bank-b")
    trust = world.trust.with_document(document)
    assert trust.departed == {"bank-b"}
    assert trust.member("bank-b") is None
    assert "bank-b" not in trust.groups
    assert trust.with_document(document) is trust
    # It is known still, so that it is refused with a reason.
    key = world.parties["bank-b"].card.signing_key
    assert trust.caller("bank-b", key_id(key).hex()) == (key, "institution")


def test_the_order_in_which_documents_arrive_does_not_matter(world):
    second = amended(world.trust.agreement, openings_per_day=7)
    given = [
        *world.documents,
        world.sign(suspension(world).to_document(), "bank-a", "police-c"),
        by_all(world, second),
        world.sign(suspension(world, version=2, number=2, suspended=False).to_document(), "bank-a", "police-c"),
        world.sign(Departure(second.agreement_id, 2, "desk-d", START).to_document(), "desk-d"),
    ]
    for order in (given, given[::-1], given[3:] + given[:3], given[::2] + given[1::2]):
        trust = establish(world.agreement.hash, order)
        assert (trust.newest_agreement.version, trust.suspended, trust.departed) == (2, frozenset(), {"desk-d"})


def test_a_library_keeps_the_whole_chain(world, tmp_path):
    library = DocumentLibrary.of_home(tmp_path)
    library.pin(world.agreement, world.agreement.hash)
    second = amended(world.trust.agreement, openings_per_day=7)
    first = world.sign(suspension(world).to_document(), "bank-a", "police-c")
    leaving = world.sign(Departure(second.agreement_id, 2, "desk-d", START).to_document(), "desk-d")
    trust = library.accept_all([leaving, world.epoch, by_all(world, second), first, world.roster])
    assert (trust.newest_agreement.version, trust.suspended, trust.departed) == (2, {"bank-b"}, {"desk-d"})
    names = {path.name for path in (tmp_path / "documents").iterdir()}
    assert {"agreement-2.json", "suspension-bank-b-members-1.json", "departure-desk-d.json"} <= names
    again = library.trust()
    assert (again.newest_agreement.hash, again.suspended, again.departed) == (second.hash, {"bank-b"}, {"desk-d"})
    assert library.accept_all([first, leaving, by_all(world, second), make_world().agreement]).suspended == {"bank-b"}
