"""Attack 3: a sham member or swapped key registered by the broker: holder, client and desk refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crypto.signatures import SigningKey, key_id
from policies.assembly import build_roster
from policies.documents import SignedDocument
from policies.parties import BROKER, Member
from policies.party_keys import PartyKeys, new_epoch_key, new_party
from policies.roster import Roster
from runtime.exits import ExitCode, UserError
from tests.agreement_world import Submission, World
from tests.attackers import ask_to_open
from tests.charity_world import make_charity
from tests.institutions import Agreement
from tests.lying_brokers import serve_documents
from tests.offices import office_of
from tests.sync_parts import people, table
from wire.messages.documents import SignedDocument as DocumentMessage
from wire.messages.opening import OpeningResponse
from wire.problems import RemoteProblem

SHAM = "bank-z"
X = {"phone": "+447700900123"}


@pytest.fixture
def agreement(sqlite_url: str, tmp_path: Path) -> Agreement:
    return Agreement.build(sqlite_url, tmp_path)


@pytest.fixture
def sham() -> PartyKeys:
    return new_party("bank", SHAM, "group-z")


def registrations(world: World, sham: PartyKeys) -> dict[str, Roster]:
    """What a broker might register: a member of its own, another key for a member, another key for the charity."""
    roster = world.trust.roster
    following = build_roster(world.trust, [])
    joined = (*roster.members, Member(SHAM, "bank", "group-z", sham.card.signing_key, {"phone": 1000}))
    swapped = tuple(
        replace(member, signing_key=sham.card.signing_key) if member.institution_id == "police-c" else member
        for member in roster.members
    )
    _, key = new_epoch_key()
    recipients = (replace(roster.recipients[0], key=key, key_id=key_id(key)),)
    return {
        "sham member": replace(following, members=joined),
        "swapped key": replace(following, members=swapped),
        "swapped recipient": replace(following, recipients=recipients),
    }


def by_the_broker(world: World, roster: Roster) -> SignedDocument:
    return world.sign(roster.to_document(), BROKER)


def sham_submission(world: World, sham: PartyKeys, institution_id: str) -> Submission:
    """x in the sham's name, with true OPRF outputs (a colluding bank may have given them)."""
    roster = registrations(world, sham)["sham member" if institution_id == SHAM else "swapped key"]
    party = replace(sham, card=replace(sham.card, party_id=institution_id))
    believed = replace(world, parties={**world.parties, institution_id: party})
    believed.__dict__["trust"] = replace(world.trust, rosters=(roster,))
    return believed.submit(institution_id, [X])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sham member", "lists bank-z, whom the agreement does not name"),
        ("swapped key", "lacks a valid signature of: holder1, holder2, holder3"),
        ("swapped recipient", "lacks a valid signature of: holder1, holder2, holder3"),
    ],
)
def test_holder_client_and_desk_refuse_what_the_broker_registered(
    agreement: Agreement, sham: PartyKeys, name: str, words: str
) -> None:
    world = agreement.world
    registered = by_the_broker(world, registrations(world, sham)[name])
    bank, office = agreement.institution("bank-a"), office_of(agreement)
    bank.sync(table(people(2)))
    office.refresh_queue()

    for index in agreement.holders.apps:
        with agreement.holders.session(BROKER, index) as session, pytest.raises(RemoteProblem) as refused:
            session.post("/v1/documents", DocumentMessage(registered.document, registered.signatures))
        assert refused.value.type_suffix == "document-refused"
    serve_documents(agreement, [*world.documents, registered])
    with pytest.raises(UserError) as by_client:
        bank.sync(table(people(3)))
    with pytest.raises(UserError) as by_desk:
        office.refresh_queue()
    for refusal in (by_client.value, by_desk.value):
        assert refusal.exit_code == ExitCode.DOCUMENTS_REFUSED
        assert words in refusal.message
    assert agreement.broker.count("record") == 2
    office.close()


@pytest.mark.parametrize(("institution_id", "reason"), [(SHAM, "unknown-institution"), ("police-c", "signature")])
def test_records_in_a_shams_name_support_nothing(
    agreement: Agreement, sham: PartyKeys, tmp_path: Path, institution_id: str, reason: str
) -> None:
    world = agreement.world
    given = [world.submit("bank-a", [X]), sham_submission(world, sham, institution_id)]
    for index in agreement.holders.apps:
        chosen = (1, 2) if index < 3 else (2, 3)
        answer = ask_to_open(agreement.holders, "charity", index, world.request(given, holder_set=chosen))
        assert isinstance(answer, OpeningResponse)
        assert answer.accepted == ()
        assert {each.record: each.reason for each in answer.refused} == {0: "not-supported", 1: reason}
    charity = make_charity(world, tmp_path / "desk", {"alert": given})
    office = charity.office()
    (case,) = office.open_alerts(["alert"])
    assert case.opened == 0
    assert all(holder.asked == [] for holder in charity.holders.values())
    office.close()


@pytest.mark.parametrize("institution_id", [SHAM, "bank-a"])
def test_nobody_is_evaluated_for_under_a_key_that_only_the_broker_registered(
    agreement: Agreement, sham: PartyKeys, institution_id: str
) -> None:
    for index in agreement.holders.apps:
        key = SigningKey(sham.secrets["signing"])
        with (
            agreement.holders.session(institution_id, index, key=key) as session,
            pytest.raises(RemoteProblem) as refused,
        ):
            session.get("/v1/counts")
        assert (refused.value.status, refused.value.type_suffix) == (401, "unknown-key")
