"""Attacks 2, 4 and 14 of the protocol's section 13, as far as they are the broker's to stop."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from broker.directory import Directory
from broker.store.caps import crowd_sizes, entries_set_aside, excess_across_groups
from crypto import sealing, tags
from crypto.records import Context, Head, Record
from crypto.tags import Entry
from policies.documents import sign_document
from policies.errors import DocumentRefused
from runtime.database import read_transaction, run_in_transaction
from tests.agreement_world import DAY, START, Submission, example_document, example_terms, make_world
from tests.brokers import (
    BASE_URL,
    FOUR_GROUPS,
    NOW,
    BrokerWorld,
    build_broker,
    made_up_record,
    signed_submission,
)
from wire.messages.documents import SignedDocument
from wire.packed import pack
from wire.problems import RemoteProblem

PASSPORT = {"passport": "GB|1"}
SMALL_ORDER = (bytes([1]) + bytes(31), bytes(32), bytes([0xEC]) + b"\xff" * 30 + b"\x7f")


@pytest.fixture
def broker(database_url: str) -> BrokerWorld:
    return build_broker(database_url)


def forged(broker: BrokerWorld, institution_id: str, entries: Sequence[Entry], row: Mapping[str, str]) -> Submission:
    """A well signed submission of one record with `entries` as they are."""
    key = secrets.token_bytes(16)
    honest = broker.made_up(institution_id, [row or {"phone": "+440"}])
    reference = sealing.sealed_ref(key, honest.sealed)
    context = Context(broker.trust.epoch_id, institution_id, secrets.token_bytes(16), NOW, NOW + 30 * DAY)
    record: Record = made_up_record(broker.agreement, context, row, reference, entries=entries)
    return signed_submission(broker.agreement, institution_id, honest.statement.seq, key, [record], honest.sealed, b"")


def entry_of(submission: Submission, index: int = 0) -> Entry:
    return Entry.decode(submission.records[0].entries[index])


def set_aside(broker: BrokerWorld) -> list[tuple[str, str, str, int]]:
    with read_transaction(broker.engine) as connection:
        return [tuple(row[:4]) for row in entries_set_aside(connection, 1)]  # type: ignore[misc]


def test_a_possession_replayed_from_another_record_is_set_aside_in_its_signers_name(broker: BrokerWorld) -> None:
    """Attack 2: bank-b has seen bank-a's entry, but does not hold the identifier."""
    honest = broker.submit("bank-a", [PASSPORT])
    broker.send("bank-b", forged(broker, "bank-b", [entry_of(honest)], {}))
    broker.work()
    assert broker.alerts() == []
    assert set_aside(broker) == [("bank-b", "passport", "possession-invalid", 1)]
    # The honest one is matched as if nothing had been there.
    broker.submit("police-c", [PASSPORT])
    broker.work()
    (alert,) = broker.raised()
    assert alert.institutions == ("bank-a", "police-c")


def test_a_copied_tag_without_possession_is_refused_at_the_edge(broker: BrokerWorld) -> None:
    """Attack 2: only the report desk may send a possession kind's tag alone."""
    honest = broker.submit("bank-a", [PASSPORT])
    copied = Entry("passport", entry_of(honest).tag)
    with pytest.raises(RemoteProblem) as caught:
        broker.send("bank-b", forged(broker, "bank-b", [copied], {}))
    assert caught.value.status == 422


def test_a_key_of_small_order_is_set_aside(broker: BrokerWorld) -> None:
    """Attack 2: a signature that a lax verifier accepts for any message."""
    for seq, public_key in enumerate(SMALL_ORDER, 1):
        entry = Entry("passport", tags.possession_tag(public_key), public_key, bytes([1]) + bytes(63))
        for institution in ("bank-a", "bank-b"):
            broker.send(institution, forged(broker, institution, [entry], {}))
        broker.work()
        assert len(set_aside(broker)) == 2
        assert broker.count("set_aside") == 2 * seq
    assert broker.alerts() == []
    assert broker.count("meeting") == 0


def test_a_bad_possession_joins_nothing_even_beside_a_good_one(broker: BrokerWorld) -> None:
    honest = broker.submit("bank-a", [PASSPORT])
    broker.submit("police-c", [PASSPORT])
    broker.work()
    broker.send("bank-b", forged(broker, "bank-b", [entry_of(honest)], {}))
    broker.work()
    (alert,) = broker.raised()
    assert alert.records == 2
    assert broker.count("alert_record") == 2


def test_the_broker_cannot_register_a_sham_member_or_swap_a_key(broker: BrokerWorld) -> None:
    """Attack 3, seen from the broker: it takes in only what those whom the pinned agreement names have signed."""
    roster = broker.trust.roster
    sham = roster.to_document()
    sham["version"], sham["previous"] = 2, pack(roster.hash)
    sham["members"][0]["signing_key"] = broker.agreement.parties["broker"].card.to_document()["signing_key"]
    signed = sign_document(sham, "broker", broker.agreement.parties["broker"].signing_key)
    with pytest.raises(RemoteProblem) as caught:
        broker.session("broker").post("/v1/documents", SignedDocument(signed.document, signed.signatures))
    assert (caught.value.status, caught.value.type_suffix) == (422, "document-refused")
    assert broker.count("document") == 3


def test_of_two_epoch_documents_the_unsigned_is_refused(broker: BrokerWorld) -> None:
    """Attack 4."""
    other = make_world(members=FOUR_GROUPS, addresses={"broker": BASE_URL}, not_before=START + 1)
    unsigned = replace(other.epoch, signatures={})
    half_signed = sign_document(unsigned, "holder1", broker.agreement.parties["holder1"].signing_key)
    directory = Directory(broker.engine, broker.agreement.agreement.hash)
    for document in (unsigned, half_signed, other.epoch, other.agreement):
        with pytest.raises(DocumentRefused):
            run_in_transaction(broker.engine, lambda connection, one=document: directory.accept(connection, one, NOW))
    fork = dict(broker.trust.epoch.to_document()) | {"not_after": broker.trust.epoch.not_after - 1}
    with pytest.raises(DocumentRefused, match="two signed documents"):
        signed = broker.agreement.sign(fork)
        run_in_transaction(broker.engine, lambda connection: directory.accept(connection, signed, NOW))


def test_flooding_a_tag_sets_aside_the_flooders_own_entries_and_the_others_alert_is_raised(database_url: str) -> None:
    """Attack 14, in every order of arrival."""
    document = example_document()
    document["kinds"]["passport"]["cap"] = 3
    agreement = make_world(example_terms(kinds=document["kinds"]), members=FOUR_GROUPS, addresses={"broker": BASE_URL})
    broker = build_broker(database_url, agreement=agreement)
    late = {"passport": "GB|2"}
    # The flood is there first, or comes in the middle, or last.
    broker.submit("police-c", [PASSPORT] * 10)
    broker.work()
    broker.submit("bank-a", [PASSPORT, late])
    broker.work()
    broker.submit("bank-b", [PASSPORT, late])
    broker.work()
    broker.submit("police-c", [late] * 10)
    broker.work()
    alerts = broker.raised()
    assert [alert.institutions for alert in alerts] == [("bank-a", "bank-b")] * 2
    assert [alert.records for alert in alerts] == [2, 2]
    assert set_aside(broker) == [("police-c", "passport", "over-cap", 20)]


def test_what_a_cap_set_aside_comes_back_when_the_group_is_under_it_again(database_url: str) -> None:
    document = example_document()
    document["kinds"]["passport"]["cap"] = 2
    agreement = make_world(example_terms(kinds=document["kinds"]), members=FOUR_GROUPS, addresses={"broker": BASE_URL})
    broker = build_broker(database_url, agreement=agreement)
    flood = broker.submit("police-c", [PASSPORT] * 3)
    broker.submit("bank-a", [PASSPORT])
    broker.work()
    assert broker.alerts() == []
    broker.withdraw("police-c", [Head.decode(flood.records[0].head).context.handle])
    broker.work()
    (alert,) = broker.raised()
    assert alert.records == 3
    assert broker.count("set_aside") == 0


def test_a_group_over_the_cap_is_marked_in_the_evidence_and_excess_across_groups_is_only_flagged(
    database_url: str,
) -> None:
    document = example_document()
    document["kinds"]["passport"]["cap"] = 2
    agreement = make_world(example_terms(kinds=document["kinds"]), members=FOUR_GROUPS, addresses={"broker": BASE_URL})
    broker = build_broker(database_url, agreement=agreement)
    phone = {"phone": "+441"}
    broker.submit("bank-a", [{**PASSPORT, **phone}] * 3)
    broker.submit("bank-b", [{**PASSPORT, **phone}] * 2)
    broker.submit("police-c", [{**PASSPORT, **phone}] * 2)
    broker.work()
    (alert,) = broker.raised()
    detail = broker.detail(alert.alert_id)
    owners = [detail.statements[record.statement].institution_id for record in detail.records]
    assert [(owner, record.set_aside) for owner, record in zip(owners, detail.records, strict=True)] == [
        *[("bank-a", (0,))] * 3,
        *[("bank-b", ())] * 2,
        *[("police-c", ())] * 2,
    ]
    with read_transaction(broker.engine) as connection:
        caps = {kind: policy.cap for kind, policy in broker.trust.kinds.items()}
        (excess,) = excess_across_groups(crowd_sizes(connection, 1), caps)
    assert tuple(excess) == ("passport", 1, 4)
