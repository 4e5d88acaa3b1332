"""Attack 2: a copied tag, a possession replayed from another record, pk of small order: set aside by the broker,
refused by holders.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from broker.store.caps import entries_set_aside
from crypto import records, tags
from crypto.records import Head, Record
from crypto.signatures import SigningKey, generate_seed
from crypto.tags import Entry
from runtime.database import read_transaction
from tests.agreement_world import Submission, World, make_world
from tests.attackers import ask_to_open, signed_again
from tests.institutions import Agreement
from wire.messages.opening import OpeningResponse

PASSPORT = {"passport": "GB|123456789"}
# Encodings of points whose order divides 8: the identity, y = 0, y = -1; with S = 0 a lax verifier takes any message.
SMALL_ORDER = (bytes([1]) + bytes(31), bytes(32), bytes([0xEC]) + b"\xff" * 30 + b"\x7f")


@dataclass(frozen=True)
class Victim:
    """bank-a's honest submission, and what everybody who reads the broker's index knows of it."""

    submission: Submission

    @property
    def entry(self) -> Entry:
        """The entry that the attackers copy."""
        return Entry.decode(self.submission.records[0].entries[0])


def copied_key(victim: Victim, ctx: bytes) -> Entry:
    """The copied public key, under a signature by a key of one's own."""
    signature = SigningKey(generate_seed()).sign(tags.possession_message(ctx, victim.entry.kind))
    return replace(victim.entry, possession=signature)


def replayed(victim: Victim, ctx: bytes) -> Entry:
    """The whole entry, its true possession included, which holds for another record."""
    return victim.entry


def forgeries() -> dict[str, object]:
    small = {
        f"small order {number}": lambda victim, ctx, key=key: Entry(
            victim.entry.kind, tags.possession_tag(key), key, key + bytes(32)
        )
        for number, key in enumerate(SMALL_ORDER)
    }
    return {"copied tag": copied_key, "replayed possession": replayed, **small}


def forged(world: World, victim: Victim, institution_id: str, forge: object, seq: int) -> Submission:
    """A well signed submission whose only entry is the forgery."""
    honest = world.submit(institution_id, [{"passport": secrets.token_hex(4)}], seq=seq)
    (record,) = honest.records
    head = Head.decode(record.head)
    entry = forge(victim, head.context.encode()).encode()  # type: ignore[operator]
    salt = secrets.token_bytes(16)
    changed = replace(head, entry_hashes=(records.entry_hash(salt, entry),)).encode()
    return signed_again(world, honest, [Record(changed, (salt,), (entry,), record.envelope)])


@pytest.fixture
def agreement(database_url: str, tmp_path: Path) -> Agreement:
    return Agreement.build(database_url, tmp_path, make_world())


@pytest.mark.parametrize("name", sorted(forgeries()))
def test_what_was_copied_is_set_aside_by_the_broker_and_refused_by_holders(agreement: Agreement, name: str) -> None:
    world, broker = agreement.world, agreement.broker
    victim = Victim(world.submit("bank-a", [PASSPORT]))
    broker.send("bank-a", victim.submission)
    attacks = [forged(world, victim, institution, forgeries()[name], 1) for institution in ("bank-b", "police-c")]
    for attack in attacks:
        broker.send(attack.statement.institution_id, attack)
    broker.work()
    assert broker.alerts() == []
    assert broker.count("meeting") == 0
    with read_transaction(broker.engine) as connection:
        aside = {(row.institution_id, row.reason) for row in entries_set_aside(connection, 1)}
    assert aside == {("bank-b", "possession-invalid"), ("police-c", "possession-invalid")}
    for index in (1, 2):
        answer = ask_to_open(agreement.holders, "charity", index, world.request([victim.submission, *attacks]))
        assert isinstance(answer, OpeningResponse)
        assert answer.accepted == ()
        reasons = {refusal.record: refusal.reason for refusal in answer.refused}
        assert reasons == {0: "not-supported", 1: "possession", 2: "possession"}
    # The honest pair is matched and opened as if the forgeries had not been there.
    honest = world.submit("bank-b", [PASSPORT], seq=2)
    broker.send("bank-b", honest)
    broker.work()
    (alert,) = broker.raised()
    assert (alert.institutions, alert.records) == (("bank-a", "bank-b"), 2)
    answer = ask_to_open(agreement.holders, "charity", 1, world.request([victim.submission, *attacks, honest]))
    assert isinstance(answer, OpeningResponse)
    assert answer.accepted == (0, 3)


def test_a_copied_tag_without_possession_is_refused_by_holders_too(agreement: Agreement) -> None:
    world = agreement.world
    victim = Victim(world.submit("bank-a", [PASSPORT]))

    def tag_alone(_: Victim, ctx: bytes) -> Entry:
        return Entry(victim.entry.kind, victim.entry.tag)

    for institution, reasons in (("bank-b", "kind"), ("desk-d", "not-supported")):
        attack = forged(world, victim, institution, tag_alone, 1)
        answer = ask_to_open(agreement.holders, "charity", 1, world.request([victim.submission, attack]))
        assert isinstance(answer, OpeningResponse)
        assert answer.accepted == ()
        assert {refusal.record: refusal.reason for refusal in answer.refused} == {0: "not-supported", 1: reasons}
