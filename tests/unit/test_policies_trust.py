"""Trust: every rule of the class, and the attacks on documents of protocol section 13 (3, 4 and 5)."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from crypto.signatures import SigningKey as Key
from crypto.signatures import generate_seed, key_id
from crypto.tags import identifier_input, possession_entry
from policies.assembly import RecipientKey, build_roster
from policies.documents import SignedDocument, sign_document
from policies.epoch import Epoch
from policies.errors import DocumentRefused
from policies.establish import establish
from policies.library import DocumentLibrary
from policies.opening_rule import Circumstances, ShownEntry, ShownRecord, opening
from policies.parties import Member
from policies.party_keys import new_epoch_key, new_party
from policies.roster import Roster
from policies.trust import Trust
from tests.agreement_world import DAY, MEMBERS, START, World, make_world


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def pinned(world: World) -> Trust:
    return Trust.pin(world.agreement, world.agreement.hash)


def next_roster(world: World, **changes) -> SignedDocument:
    """Roster 2, signed by everybody, with changes."""
    return world.sign(replace(build_roster(world.trust, []), **changes).to_document())


def with_member(roster: Roster, name: str, **changes) -> tuple[Member, ...]:
    return tuple(replace(member, **changes) if member.institution_id == name else member for member in roster.members)


def without_member(roster: Roster, name: str) -> tuple[Member, ...]:
    return tuple(member for member in roster.members if member.institution_id != name)


def test_documents_signed_as_agreed_are_trusted(world):
    trust = world.trust
    assert trust.is_ready
    assert trust.epoch_id == world.epoch.hash
    assert trust.roster.hash == world.roster.hash
    assert trust.groups == {"bank-a": "group-a", "bank-b": "group-b", "police-c": "group-c", "desk-d": "group-d"}
    assert trust.holder_key(1) == world.parties["holder1"].card.signing_key
    assert trust.broker_key == world.parties["broker"].card.signing_key
    assert len(trust.commitments("record")) == 2
    assert trust.member("bank-a").role == "bank"
    assert trust.member("nobody") is None
    assert trust.recipient("charity").group_id == "group-d"


def test_before_an_epoch_nothing_is_ready(pinned):
    assert not pinned.is_ready
    with pytest.raises(DocumentRefused, match="no signed epoch"):
        _ = pinned.epoch
    with pytest.raises(DocumentRefused, match="no signed roster"):
        _ = pinned.roster


def test_an_agreement_with_another_hash_than_was_compared_is_refused(world):
    with pytest.raises(DocumentRefused, match="is pinned"):
        Trust.pin(make_world().agreement, world.agreement.hash)


def test_an_agreement_that_one_party_did_not_sign_is_refused(world):
    for name in world.parties:
        signatures = {party: value for party, value in world.agreement.signatures.items() if party != name}
        with pytest.raises(DocumentRefused, match=f"lacks a valid signature of: {name}"):
            Trust.pin(SignedDocument(world.agreement.document, signatures), world.agreement.hash)


def test_an_epoch_needs_every_holder_and_the_quorum_of_members(world, pinned):
    document = world.epoch.document
    for missing in world.holder_ids:
        signers = [name for name in (*world.holder_ids, *world.member_ids) if name != missing]
        with pytest.raises(DocumentRefused, match=f"lacks a valid signature of: {missing}"):
            pinned.with_epoch(world.sign(document, *signers))
    with pytest.raises(DocumentRefused, match="1 valid signatures of members; 2 are needed"):
        pinned.with_epoch(world.sign(document, *world.holder_ids, "bank-a", "charity", "broker"))
    assert pinned.with_epoch(world.sign(document, *world.holder_ids, "bank-a", "police-c")).epoch


def test_a_signature_counts_only_under_its_own_name_and_key(world, pinned):
    signed = world.sign(world.epoch.document, *world.holder_ids, "bank-a")
    forged = sign_document(signed, "bank-b", Key(generate_seed()))
    doubled = SignedDocument(signed.document, {**signed.signatures, "police-c": signed.signatures["bank-a"]})
    for attempt in (forged, doubled):
        with pytest.raises(DocumentRefused, match="1 valid signatures"):
            pinned.with_epoch(attempt)


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("agreement_id", "another", "agreement"),
        ("padded_size", 2048, "padded size"),
        ("member_quorum", 1, "quorum of members"),
    ],
)
def test_an_epoch_that_differs_from_the_agreement_is_refused(world, pinned, field, value, what):
    epoch = replace(Epoch.from_document(world.epoch.document), **{field: value})
    with pytest.raises(DocumentRefused, match=f"the {what} differs"):
        pinned.with_epoch(world.sign(epoch.to_document()))


def test_an_epoch_under_no_version_of_the_agreement_is_refused(world, pinned):
    epoch = replace(Epoch.from_document(world.epoch.document), policy_hash=b"x" * 32)
    with pytest.raises(DocumentRefused, match="of no version of the agreement"):
        pinned.with_epoch(world.sign(epoch.to_document()))


def test_an_epoch_outside_the_agreements_time_or_longer_than_it_allows_is_refused(world, pinned):
    epoch = Epoch.from_document(world.epoch.document)
    agreement = pinned.agreement
    before = replace(epoch, not_before=agreement.start - 1, not_after=agreement.start + DAY)
    after = replace(epoch, not_before=agreement.end - DAY, not_after=agreement.end + 1)
    for outside in (before, after):
        with pytest.raises(DocumentRefused, match="not in force during all of epoch 1"):
            pinned.with_epoch(world.sign(outside.to_document()))
    with pytest.raises(DocumentRefused, match="longer than the 90 days"):
        pinned.with_epoch(world.sign(replace(epoch, not_after=epoch.not_after + 1).to_document()))


def test_an_epoch_with_other_kinds_rule_threshold_or_holders_is_refused(world, pinned):
    epoch = Epoch.from_document(world.epoch.document)
    phone = replace(epoch.kinds["phone"], weight=7)
    changes = {
        "kinds": replace(epoch, kinds={**epoch.kinds, "phone": phone}),
        "opening rule": replace(epoch, opening_rule=replace(epoch.opening_rule, t=3)),
        "t_h": replace(epoch, t_h=1, families={family: (a[0],) for family, a in epoch.families.items()}),
        "key holders": replace(epoch, holders=(*epoch.holders[:2], replace(epoch.holders[2], group_id="other"))),
    }
    for what, changed in changes.items():
        with pytest.raises(DocumentRefused, match=f"the {what} differs"):
            pinned.with_epoch(world.sign(changed.to_document()))


def test_attack_3_a_sham_member_or_swapped_key_registered_by_the_broker_is_refused(world):
    roster = world.trust.roster
    sham = new_party("bank", "bank-z", "group-z").card
    joined = (*roster.members, Member("bank-z", "bank", "group-z", sham.signing_key, {}))
    stranger = replace(build_roster(world.trust, []), members=joined)
    with pytest.raises(DocumentRefused, match="bank-z, whom the agreement does not name"):
        world.trust.with_document(world.sign(stranger.to_document()))
    swapped = with_member(roster, "bank-a", signing_key=Key(generate_seed()).public_key)
    _, key = new_epoch_key()
    charity = (replace(roster.recipients[0], key=key, key_id=key_id(key)),)
    for attempt in (
        replace(build_roster(world.trust, []), members=swapped),
        replace(build_roster(world.trust, []), recipients=charity),
    ):
        document = attempt.to_document()
        for signers in (["broker"], ["broker", "charity"], ["broker", *world.member_ids], ["broker", "holder1"]):
            with pytest.raises(DocumentRefused, match="lacks a valid signature of: holder"):
                world.trust.with_document(world.sign(document, *signers))
        with pytest.raises(DocumentRefused, match="0 valid signatures of members"):
            world.trust.with_document(world.sign(document, "broker", *world.holder_ids))
    first = replace(Roster.from_document(world.roster.document), members=joined)
    with pytest.raises(DocumentRefused):
        establish(world.agreement.hash, [world.agreement, world.epoch, world.sign(first.to_document(), "broker")])


def test_attack_3_a_sham_member_cannot_vouch_for_itself(world):
    held = Trust.pin(world.agreement, world.agreement.hash).with_epoch(world.epoch)
    key = Key(generate_seed())
    members = with_member(world.trust.roster, "bank-b", signing_key=key.public_key)
    document = replace(build_roster(held, []), members=members).to_document()
    signed = sign_document(world.sign(document, *world.holder_ids, "bank-a"), "bank-b", key)
    with pytest.raises(DocumentRefused, match="1 valid signatures of members"):
        held.with_roster(signed)


def test_attack_4_of_two_epoch_documents_the_unsigned_is_refused(world, pinned):
    epoch = Epoch.from_document(world.epoch.document)
    other = replace(make_world().trust.epoch, holders=epoch.holders, policy_hash=epoch.policy_hash)
    for signers in ([], ["broker"], ["broker", *world.member_ids]):
        attempt = world.sign(other.to_document(), *signers) if signers else SignedDocument(other.to_document(), {})
        with pytest.raises(DocumentRefused, match="lacks a valid signature"):
            pinned.with_epoch(attempt)
        with pytest.raises(DocumentRefused, match="lacks a valid signature"):
            world.trust.with_epoch(attempt)


def test_attack_4_a_second_document_signed_by_everybody_is_refused_as_a_fork(world):
    other = replace(world.trust.epoch, not_after=world.trust.epoch.not_after - DAY)
    signed = world.sign(other.to_document())
    with pytest.raises(DocumentRefused, match="two signed documents for epoch 1"):
        world.trust.with_epoch(signed)
    for order in itertools.permutations([world.epoch, signed]):
        with pytest.raises(DocumentRefused, match="two signed documents for epoch 1"):
            establish(world.agreement.hash, [world.agreement, *order])


def test_attack_4_tags_forced_into_two_epochs_are_disjoint(world):
    other = replace(world.trust.epoch, not_after=world.trust.epoch.not_after - DAY)
    assert other.epoch_id != world.trust.epoch_id
    tags = {
        possession_entry("phone", world.evaluate("phone", identifier_input(epoch_id, "phone", "+49")), b"ctx").tag
        for epoch_id in (other.epoch_id, world.trust.epoch_id)
    }
    assert len(tags) == 2


def test_attack_5_a_subsidiary_in_the_same_group_is_no_second_group():
    world = make_world(members=(*MEMBERS, ("bank-a2", "bank", "group-a")))
    entries = (ShownEntry("phone", b"k" * 32, True),)
    records = {
        name: ShownRecord(name, name.encode().ljust(16), START + 2 * DAY, entries) for name in ("bank-a", "bank-a2")
    }
    trust = world.trust
    around = Circumstances(trust.rule, trust.kinds, trust.groups, frozenset(), frozenset(), START)
    assert opening(records, around) == {}


@pytest.mark.parametrize("change", [{"group_id": "group-new"}, {"role": "police"}])
def test_attack_5_an_id_never_changes_its_group_or_role(world, change):
    members = with_member(world.trust.roster, "bank-a", **change)
    with pytest.raises(DocumentRefused, match="never changes its role or group"):
        world.trust.with_roster(next_roster(world, members=members))


def test_attack_5_the_first_roster_keeps_to_the_agreement_too(world):
    trust = Trust.pin(world.agreement, world.agreement.hash).with_epoch(world.epoch)
    first = Roster.from_document(world.roster.document)
    attempt = replace(first, members=with_member(first, "bank-a", group_id="group-new"))
    with pytest.raises(DocumentRefused, match="never changes its role or group"):
        trust.with_roster(world.sign(attempt.to_document()))


def test_attack_5_a_member_does_not_become_a_recipient_nor_the_other_way_round(world):
    roster = world.trust.roster
    moved = (replace(roster.recipients[0], recipient_id="bank-a", signing_key=roster.members[0].signing_key),)
    with pytest.raises(DocumentRefused, match="never changes its role or group"):
        world.trust.with_roster(next_roster(world, members=without_member(roster, "bank-a"), recipients=moved))


def test_attack_5_an_id_that_left_never_returns(world):
    gone = world.trust.with_roster(next_roster(world, members=without_member(world.trust.roster, "desk-d")))
    back = replace(build_roster(gone, []), members=world.trust.roster.members)
    with pytest.raises(DocumentRefused, match="desk-d, which had left"):
        gone.with_roster(world.sign(back.to_document()))


def test_attack_5_a_key_does_not_move_to_another_name(world):
    roster = world.trust.roster
    renamed = (
        *without_member(roster, "bank-a"),
        replace(roster.members_by_id["bank-a"], institution_id="bank-new", group_id="group-new"),
    )
    with pytest.raises(DocumentRefused, match="whom the agreement does not name"):
        world.trust.with_roster(next_roster(world, members=renamed))
    keys = {member.institution_id: member.signing_key for member in roster.members}
    swapped = tuple(
        replace(member, signing_key=keys[{"bank-a": "bank-b", "bank-b": "bank-a"}.get(name, name)])
        for name, member in roster.members_by_id.items()
    )
    with pytest.raises(DocumentRefused, match="a key never changes its party"):
        world.trust.with_roster(next_roster(world, members=swapped))


def test_a_member_may_join_leave_and_take_a_new_key(world):
    new_key = Key(generate_seed()).public_key
    held = Trust.pin(world.agreement, world.agreement.hash).with_epoch(world.epoch)
    first = replace(world.trust.roster, members=without_member(world.trust.roster, "bank-b"))
    held = held.with_roster(world.sign(first.to_document()))
    assert "bank-b" not in held.groups
    members = with_member(world.trust.roster, "bank-a", signing_key=new_key)
    second = replace(build_roster(held, []), members=members)
    trust = held.with_roster(world.sign(second.to_document()))
    assert trust.roster.version == 2
    assert trust.caller("bank-a", key_id(new_key).hex()) == (new_key, "institution")
    assert trust.caller("bank-a", key_id(world.parties["bank-a"].card.signing_key).hex()) is None
    assert trust.groups["bank-b"] == "group-b"


def test_a_roster_is_signed_by_the_members_of_the_version_before_under_their_keys_there(world):
    new = Key(generate_seed())
    second = next_roster(world, members=with_member(world.trust.roster, "bank-a", signing_key=new.public_key))
    trust = world.trust.with_roster(second)
    document = build_roster(trust, [], witness_policy="quorum none\n\n").to_document()
    old = world.sign(document, *world.holder_ids, "bank-a", "bank-b")
    with pytest.raises(DocumentRefused, match="1 valid signatures"):
        trust.with_roster(old)
    assert trust.with_roster(sign_document(old, "bank-a", new)).roster.version == 3


def test_a_roster_chain_has_no_gap_and_no_other_past(world):
    second = next_roster(world)
    trust = world.trust.with_roster(second)
    third = world.sign(build_roster(trust, [], witness_policy="other").to_document())
    with pytest.raises(DocumentRefused, match="where version 2 comes next"):
        world.trust.with_roster(third)
    detached = replace(build_roster(trust, []), previous=b"p" * 32)
    with pytest.raises(DocumentRefused, match="does not continue"):
        trust.with_roster(world.sign(detached.to_document()))
    assert trust.with_roster(second) is trust
    rival = world.sign(replace(Roster.from_document(second.document), witness_policy="rival").to_document())
    with pytest.raises(DocumentRefused, match="two signed documents for roster 2"):
        trust.with_roster(rival)


def test_a_roster_of_another_epoch_is_refused(world):
    with pytest.raises(DocumentRefused, match="belongs to epoch"):
        world.trust.with_roster(make_world().roster)


def test_a_recipients_key_does_not_outlive_the_epoch(world):
    late = (replace(world.trust.roster.recipients[0], not_after=world.trust.epoch.not_after + 1),)
    with pytest.raises(DocumentRefused, match="outlives the epoch"):
        world.trust.with_roster(next_roster(world, recipients=late))


def test_a_member_in_a_holders_group_or_with_another_partys_key_is_refused(world):
    joining = Member("bank-z", "bank", "holder-group-1", Key(generate_seed()).public_key, {})
    with pytest.raises(DocumentRefused, match="same group as holder1"):
        world.trust.with_roster(next_roster(world, members=(*world.trust.roster.members, joining)))
    twin = replace(joining, group_id="group-z", signing_key=world.parties["broker"].card.signing_key)
    with pytest.raises(DocumentRefused, match="same signing key"):
        world.trust.with_roster(next_roster(world, members=(*world.trust.roster.members, twin)))


def test_a_budget_that_the_agreement_does_not_give_is_refused(world):
    agreed = world.trust.agreement.members[0].budgets["phone"]
    for family, budget in (("record", 1), ("shoe", 1), ("phone", agreed + 1)):
        members = with_member(world.trust.roster, "bank-a", budgets={family: budget})
        with pytest.raises(DocumentRefused, match=f"larger budget for {family} than the agreement"):
            world.trust.with_roster(next_roster(world, members=members))
    smaller = with_member(world.trust.roster, "bank-a", budgets={"phone": agreed - 1})
    assert world.trust.with_roster(next_roster(world, members=smaller)).roster.version == 2


def test_a_later_epoch_takes_over_without_a_roster_and_an_earlier_one_is_refused(world):
    later = replace(world.trust.epoch, number=2, not_before=START + 90 * DAY, not_after=START + 180 * DAY)
    trust = world.trust.with_epoch(world.sign(later.to_document()))
    assert trust.epoch.number == 2
    assert not trust.is_ready
    with pytest.raises(DocumentRefused, match="older than epoch 2"):
        trust.with_epoch(world.epoch)


def test_the_order_of_documents_does_not_matter(world):
    second = next_roster(world)
    for order in itertools.permutations([*world.documents, second]):
        trust = establish(world.agreement.hash, order)
        assert (trust.epoch_id, trust.roster.version) == (world.epoch.hash, 2)


def test_documents_without_the_pinned_agreement_give_nothing(world):
    with pytest.raises(DocumentRefused, match="not among the documents"):
        establish(world.agreement.hash, [world.epoch, world.roster])
    with pytest.raises(DocumentRefused, match="no epoch document"):
        establish(world.agreement.hash, [world.agreement, world.roster])


def test_callers_are_known_by_id_and_key_together(world):
    trust = world.trust
    for name, role in (
        ("bank-a", "institution"),
        ("desk-d", "institution"),
        ("charity", "recipient"),
        ("holder2", "holder"),
        ("broker", "broker"),
        ("regulator", "auditor"),
    ):
        key = world.parties[name].card.signing_key
        assert trust.caller(name, key_id(key).hex()) == (key, role)
        assert trust.caller(name, "00" * 8) is None
        assert trust.caller("stranger", key_id(key).hex()) is None


def test_before_the_first_roster_callers_are_the_agreements(world, pinned):
    key = world.parties["bank-a"].card.signing_key
    assert pinned.caller("bank-a", key_id(key).hex()) == (key, "institution")


def test_a_share_version_that_no_document_gives_is_refused(world):
    with pytest.raises(DocumentRefused, match="no share version 2"):
        world.trust.commitments("phone", 2)
    with pytest.raises(DocumentRefused, match="no key family shoe"):
        world.trust.commitments("shoe")


def test_a_library_pins_accepts_and_gives_the_same_trust_again(tmp_path, world):
    library = DocumentLibrary.of_home(tmp_path)
    with pytest.raises(DocumentRefused, match="No agreement is pinned"):
        library.trust()
    library.pin(world.agreement, world.agreement.hash)
    with pytest.raises(DocumentRefused, match="Another agreement is pinned"):
        other = make_world().agreement
        library.pin(other, other.hash)
    library.accept(world.epoch)
    library.accept(world.roster)
    assert library.accept_all([next_roster(world), world.roster, world.agreement]).roster.version == 2
    again = DocumentLibrary.of_home(tmp_path).trust()
    assert (again.epoch_id, again.roster.version) == (world.epoch.hash, 2)
    assert sorted(path.name for path in (tmp_path / "documents").iterdir()) == [
        "agreement-1.json",
        "agreement.sha256",
        "epoch-1.json",
        "roster-1-1.json",
        "roster-1-2.json",
    ]


def test_a_library_keeps_nothing_that_it_refuses_and_sees_changed_files(tmp_path, world):
    library = DocumentLibrary.of_home(tmp_path)
    library.pin(world.agreement, world.agreement.hash)
    with pytest.raises(DocumentRefused, match="lacks a valid signature"):
        library.accept(world.sign(world.epoch.document, "broker"))
    assert library.trust().current_epoch is None
    library.accept(world.epoch)
    path = tmp_path / "documents" / "epoch-1.json"
    path.write_text(path.read_text().replace('"number": 1', '"number": 2'))
    with pytest.raises(DocumentRefused, match="lacks a valid signature"):
        library.trust()


def test_a_library_with_another_pin_than_the_settings_name_is_refused(tmp_path, world):
    DocumentLibrary(tmp_path).pin(world.agreement, world.agreement.hash)
    with pytest.raises(DocumentRefused, match="but the settings name"):
        DocumentLibrary(tmp_path, b"x" * 32).trust()


def test_a_recipients_key_enters_a_roster_only_with_the_recipients_signature(world):
    _, key = new_epoch_key()
    offer = RecipientKey("charity", world.trust.epoch_id, key, world.trust.epoch.not_after)
    for signer in ("broker", "bank-a"):
        with pytest.raises(DocumentRefused, match="lacks the signature"):
            RecipientKey.from_signed(world.sign(offer.to_document(), signer), world.trust)
    signed = world.sign(offer.to_document(), "charity")
    assert RecipientKey.from_signed(signed, world.trust) == offer
    assert build_roster(world.trust, [offer]).recipients[0].key == key
    stale = replace(offer, epoch_id=b"e" * 32)
    with pytest.raises(DocumentRefused, match="another epoch"):
        RecipientKey.from_signed(world.sign(stale.to_document(), "charity"), world.trust)
