"""What the ingest benchmark sends: whole submissions, made and encoded beforehand so that only sending is measured."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from crypto import merkle, sealing, tags
from crypto.encoding import len16
from crypto.envelopes import envelope_length
from crypto.records import Context, Head, Record, pack_records
from crypto.statements import SubmissionStatement
from runtime.clock import SystemClock, unix
from tests.agreement_world import World
from wire.messages.message import encode_message
from wire.messages.submission import OpenSubmission, Receipt, SealedSecretMessage, SubmissionPart, SubmissionStatus
from wire.session import SignedSession

PART = 512
KINDS = ("email", "passport", "phone")
ONE_SHARED_IN = 100
"""Every so many records have a passport that the other institutions' have too."""

_FORMS = {kind: len16(kind.encode()) + b"\x01" for kind in KINDS}


@dataclass(frozen=True)
class Load:
    """One institution's submission, ready to send."""

    world: World
    institution_id: str
    address: str
    records: int
    opening: OpenSubmission
    key: bytes
    parts: list[bytes]


def make_loads(world: World, institution_id: str, seq: int, records: int, address: str) -> list[Load]:
    """`records` records in submissions of at most 20 parts, the first under the sequence number `seq`."""
    starts = range(0, records, 20 * PART)
    return [
        make_load(world, institution_id, seq + number, min(20 * PART, records - start), address)
        for number, start in enumerate(starts)
    ]


def make_load(world: World, institution_id: str, seq: int, records: int, address: str) -> Load:
    """A submission of `records` valid records with three entries each."""
    trust = world.trust
    key, batch_secret = secrets.token_bytes(16), sealing.generate_batch_secret()
    sealed = tuple(
        sealing.seal_batch_secret(
            one.key,
            batch_secret,
            epoch_id=trust.epoch_id,
            institution_id=institution_id,
            idempotency_key=key,
            recipient_id=one.recipient_id,
        )
        for one in trust.roster.recipients
    )
    reference = sealing.sealed_ref(key, sealed)
    leaves: list[bytes] = []
    parts: list[bytes] = []
    for start in range(0, records, PART):
        made = [
            _record(world, institution_id, reference, f"{seq}-{number}" if number % ONE_SHARED_IN == 0 else None)
            for number in range(start, min(start + PART, records))
        ]
        leaves += (record.leaf for record in made)
        parts.append(encode_message(SubmissionPart(pack_records(made))))
    statement = SubmissionStatement(trust.epoch_id, institution_id, seq, key, records, merkle.root(leaves))
    encoded = statement.encode()
    opening = OpenSubmission(
        encoded,
        world.parties[institution_id].signing_key.sign(encoded),
        trust.roster.version,
        tuple(SealedSecretMessage(one.recipient_id, one.key_id, one.enc, one.ciphertext) for one in sealed),
        len(parts),
    )
    return Load(world, institution_id, address, records, opening, key, parts)


def send(loads: list[Load]) -> None:
    """Send an institution's submissions as its client does: signed, one request after another."""
    first = loads[0]
    with SignedSession(
        first.address,
        first.institution_id,
        first.world.parties[first.institution_id].signing_key,
        "broker",
        first.world.trust.broker_key,
        SystemClock(),
    ) as session:
        for load in loads:
            path = f"/v1/submissions/{load.key.hex()}"
            session.put(path, load.opening, SubmissionStatus)
            for number, part in enumerate(load.parts):
                session.put_encoded(f"{path}/parts/{number}", part, SubmissionStatus)
            session.post(f"{path}/commit", None, Receipt)


def _record(world: World, institution_id: str, sealed_ref: bytes, shared: str | None) -> Record:
    now = unix(SystemClock())
    context = Context(world.trust.epoch_id, institution_id, secrets.token_bytes(16), now, now + 30 * 86_400)
    random = secrets.token_bytes(96 * len(KINDS))
    entries = [
        _FORMS[kind] + random[96 * place : 96 * (place + 1)]
        for place, kind in enumerate(KINDS)
        if kind != "passport" or shared is None
    ]
    if shared is not None:
        y = hashlib.sha512(shared.encode()).digest()
        entries.append(tags.possession_entry("passport", y, context.encode()).encode())
        entries.sort(key=lambda entry: entry[2:10])
    salts = tuple(random[16 * place : 16 * (place + 1)] for place in range(len(entries)))
    hashes = tuple(hashlib.sha256(salt + entry).digest() for salt, entry in zip(salts, entries, strict=True))
    envelope = secrets.token_bytes(envelope_length(world.trust.epoch.padded_size))
    return Record(Head(context, sealed_ref, hashes).encode(), salts, tuple(entries), envelope)
