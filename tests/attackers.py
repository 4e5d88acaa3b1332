"""What attackers of the protocol's section 13 do with what they hold: loot a broker's database, sign again, ask, open.

Everything is done over the real code and the real stores. No test here; the attacks are in tests/integration.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Engine, text

from crypto import envelopes, merkle, oprf, sealing
from crypto.errors import CryptoError
from crypto.records import Head, Record, unpack_records
from crypto.sealing import SealedSecret
from crypto.statements import SubmissionStatement
from runtime.database import read_transaction
from tests.agreement_world import Submission, World
from tests.brokers import BrokerWorld
from tests.holders import Holders
from wire.messages.message import schema_of
from wire.messages.opening import OpeningRequest, OpeningResponse
from wire.messages.submission import SealedSecretMessage
from wire.problems import RemoteProblem


@dataclass(frozen=True)
class Loot:
    """One record as it lies in the broker's database, with the secrets that were sealed for its submission."""

    record: Record
    statement: SubmissionStatement
    sealed: tuple[SealedSecret, ...]

    @property
    def head(self) -> Head:
        """The record's head."""
        return Head.decode(self.record.head)

    @property
    def ctx(self) -> bytes:
        """The record's encoded context."""
        return self.head.context.encode()


def loot(broker: BrokerWorld) -> list[Loot]:
    """Every record of the broker's database, in the order of their numbers."""
    return loot_of(broker.engine)


def loot_of(engine: Engine) -> list[Loot]:
    """Every record of a broker's database, in the order of their numbers."""
    query = text(
        "SELECT r.body, s.statement, s.sealed FROM record r JOIN submission s"
        " ON s.epoch = r.epoch AND r.record_id >= s.submission * 4294967296"
        " AND r.record_id < (s.submission + 1) * 4294967296 ORDER BY r.record_id"
    )
    schema = schema_of(SealedSecretMessage)
    found = []
    with read_transaction(engine) as connection:
        for body, statement, sealed in connection.execute(query):
            messages = [schema.load(each) for each in json.loads(sealed)]
            secrets = tuple(
                SealedSecret(each.recipient_id, each.key_id, each.enc, each.ciphertext) for each in messages
            )
            (record,) = unpack_records(bytes(body))
            found.append(Loot(record, SubmissionStatement.decode(bytes(statement)), secrets))
    return found


def batch_secrets(looted: Loot, seeds: Iterable[bytes]) -> Iterator[bytes]:
    """The batch secrets of a record's submission that open under one of the recipients' private keys."""
    context = looted.head.context
    for sealed in looted.sealed:
        info = sealing.seal_info(
            context.epoch_id,
            context.institution_id,
            looted.statement.idempotency_key,
            sealed.recipient_id,
            sealed.key_id,
        )
        for seed in seeds:
            try:
                yield sealing.open_batch_secret(seed, sealed, info)
            except CryptoError:
                continue


def opened_by(looted: Loot, batch_secret: bytes, elements: Iterable[bytes], padded_size: int) -> list[bytes]:
    """The payloads that come of taking each of `elements` for the quorum's evaluation of the record's context."""
    found = []
    for element in elements:
        (y,) = oprf.outputs([looted.ctx], element)
        try:
            found.append(
                envelopes.open_envelope(
                    envelopes.recipient_secret(batch_secret, looted.ctx),
                    envelopes.overlap_secret(y),
                    looted.ctx,
                    looted.record.head,
                    looted.record.envelope,
                    padded_size,
                )
            )
        except CryptoError:
            continue
    return found


def ask_to_open(
    holders: Holders, recipient_id: str, index: int, request: OpeningRequest
) -> OpeningResponse | RemoteProblem:
    """A holder's answer to an opening request, or its refusal of the whole."""
    try:
        with holders.session(recipient_id, index) as session:
            return session.post("/v1/open", request, OpeningResponse)
    except RemoteProblem as problem:
        return problem


def signed_again(world: World, submission: Submission, records: Sequence[Record], *, signer: str = "") -> Submission:
    """The submission with other records and a fresh statement over them, signed by its institution (or `signer`)."""
    root = merkle.root([record.leaf for record in records])
    statement = replace(submission.statement, count=len(records), root=root)
    key = world.parties[signer or statement.institution_id].signing_key
    return Submission(
        statement, key.sign(statement.encode()), tuple(records), submission.sealed, submission.batch_secret
    )
