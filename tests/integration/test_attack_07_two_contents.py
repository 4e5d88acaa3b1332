"""Attack 7: an envelope under two keys, a payload value that is not its tag's: found, signer named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from clients.charity.case_file import CaseFile
from crypto import envelopes, records, sealing, tags
from crypto.errors import InvalidEnvelope
from crypto.records import Context, Head, Record
from crypto.signatures import key_id
from tests.agreement_world import DAY, START, Submission, World, make_world
from tests.attackers import batch_secrets, loot, signed_again
from tests.institutions import Agreement
from tests.offices import office_of
from tests.two_keys import NONCE, under_two_keys

X = {"phone": "+447700900123"}
RECIPIENTS = ("charity", "second-charity")


@pytest.fixture
def agreement(database_url: str, tmp_path: Path) -> Agreement:
    world = make_world(recipients=RECIPIENTS)
    agreement = Agreement.build(database_url, tmp_path, world)
    for institution in ("bank-a", "bank-b"):
        agreement.broker.send(institution, world.submit(institution, [X]))
    return agreement


def payload_of(values: dict[str, str]) -> bytes:
    listed = [{"kind": kind, "value": value} for kind, value in values.items()]
    return json.dumps({"entries": listed, "fields": {}, "indicators": []}, separators=(",", ":")).encode()


def two_faced(world: World) -> Submission:
    """police-c's record of x, sealed to each recipient under another batch secret, its envelope good for both keys."""
    key, secrets = bytes(range(16)), {name: sealing.generate_batch_secret() for name in RECIPIENTS}
    sealed = tuple(
        sealing.seal_batch_secret(
            recipient.key,
            secrets[recipient.recipient_id],
            epoch_id=world.trust.epoch_id,
            institution_id="police-c",
            idempotency_key=key,
            recipient_id=recipient.recipient_id,
        )
        for recipient in world.trust.roster.recipients
    )
    honest = world.submit("police-c", [X])
    old = Head.decode(honest.records[0].head).context
    context = Context(old.epoch_id, "police-c", old.handle, START + DAY, START + 30 * DAY)
    ctx = context.encode()
    y = world.evaluate("phone", tags.identifier_input(world.trust.epoch_id, "phone", X["phone"]))
    entry, salt = tags.possession_entry("phone", y, ctx).encode(), bytes(16)
    head = Head(context, sealing.sealed_ref(key, sealed), (records.entry_hash(salt, entry),)).encode()
    overlap = envelopes.overlap_secret(world.evaluate("record", ctx))
    first, second = (
        envelopes.content_keys(envelopes.recipient_secret(secrets[name], ctx), overlap, ctx) for name in RECIPIENTS
    )
    payload = payload_of(X)
    plain = len(payload).to_bytes(4, "big") + payload
    plain += bytes(world.trust.epoch.padded_size - len(plain))
    both = under_two_keys(first[:32], second[:32], plain, head)
    # An AEAD alone takes it under either key; the attack is real.
    assert ChaCha20Poly1305(first[:32]).decrypt(NONCE, both, head) != ChaCha20Poly1305(second[:32]).decrypt(
        NONCE, both, head
    )
    record = Record(head, (salt,), (entry,), b"\x01" + first[32:] + both)
    shown = Submission(replace(honest.statement, idempotency_key=key), b"", (record,), sealed, b"")
    return signed_again(world, shown, [record])


def opened_case(agreement: Agreement, recipient_id: str) -> CaseFile:
    office = office_of(agreement, recipient_id)
    try:
        (item,) = office.refresh_queue()
        (case,) = office.open_alerts([item.entry.alert_id])
        return case
    finally:
        office.close()


def test_an_envelope_under_two_keys_is_found_by_each_recipient_and_its_signer_named(agreement: Agreement) -> None:
    world = agreement.world
    agreement.broker.send("police-c", two_faced(world))
    agreement.broker.work()
    reasons = set()
    for recipient_id in RECIPIENTS:
        case = opened_case(agreement, recipient_id)
        assert {record.institution_id for record in case.records if record.is_open} == {"bank-a", "bank-b"}
        assert [trouble.signer for trouble in case.troubles] == ["police-c"]
        reasons.add(case.troubles[0].sentence)
    # The one's key is committed to, and finds a pad that is none; the other's is another key than the one committed to.
    assert any("commits to another key" in reason for reason in reasons)
    assert any("padding is not as agreed" in reason for reason in reasons)


def test_a_committed_envelope_opens_under_no_second_key(agreement: Agreement) -> None:
    world = agreement.world
    one = loot(agreement.broker)[0]
    (secret, _) = batch_secrets(one, world.recipient_seeds.values())
    overlap = envelopes.overlap_secret(world.evaluate("record", one.ctx))
    for recipient in (envelopes.recipient_secret(bytes(32), one.ctx), bytes(32)):
        with pytest.raises(InvalidEnvelope, match="commits to another key"):
            envelopes.open_envelope(
                recipient, overlap, one.ctx, one.record.head, one.record.envelope, world.trust.epoch.padded_size
            )
    opened = envelopes.open_envelope(
        envelopes.recipient_secret(secret, one.ctx),
        overlap,
        one.ctx,
        one.record.head,
        one.record.envelope,
        world.trust.epoch.padded_size,
    )
    assert opened == payload_of(X)
    assert key_id(world.trust.roster.recipients[0].key) == world.trust.roster.recipients[0].key_id


def test_a_payload_value_that_is_not_its_tags_is_found_and_its_signer_named(agreement: Agreement) -> None:
    world = agreement.world
    honest = world.submit("police-c", [X])
    (record,) = honest.records
    ctx = Head.decode(record.head).context.encode()
    envelope = envelopes.seal_envelope(
        envelopes.recipient_secret(honest.batch_secret, ctx),
        envelopes.overlap_secret(world.evaluate("record", ctx)),
        ctx,
        record.head,
        payload_of({"phone": "+447700900999"}),
        world.trust.epoch.padded_size,
    )
    agreement.broker.send("police-c", signed_again(world, honest, [replace(record, envelope=envelope)]))
    agreement.broker.work()
    for recipient_id in RECIPIENTS:
        case = opened_case(agreement, recipient_id)
        assert case.opened == 3
        assert {trouble.signer for trouble in case.troubles} == {"police-c"}
        assert "share a phone by their tags" in case.troubles[0].sentence
