"""One submission, from prepared rows to the complete body that goes into the outbox: protocol section 5's order.

Draws handles, times, idempotency key and batch secret; evaluates; seals; signs. It reads no source and writes no state
but the journal. The batch secret and every OPRF output end with the call: what it returns holds no secret.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from clients.institution.blinding import Blinder, NamedIdentifier
from clients.institution.evaluation import Quorum, evaluate_record_names
from clients.institution.membership import Membership
from clients.institution.seal import CommittedRecord, Content, close_record, commit_record, draw_context
from crypto import oprf
from crypto.merkle import root
from crypto.records import Record, pack_records
from crypto.sealing import IDEMPOTENCY_KEY_LENGTH, SealedSecret, generate_batch_secret, seal_batch_secret, sealed_ref
from crypto.signatures import SigningKey
from crypto.statements import SubmissionStatement
from policies.terms import family_of
from wire.messages.evaluation import RecordName
from wire.messages.submission import PART_LIMIT

RECORD_LIMIT = 4096
"""Records of one submission, unless told otherwise: enough for full chunks, little enough to hold in memory."""


@dataclass(frozen=True, slots=True)
class MadeRecord:
    """A record of the submission: which of the given contents it is of (from 0), its handle and times."""

    place: int
    handle: bytes
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Submission:
    """The complete body, and what has to be remembered of it.

    parts   packed records, at most 512 a part
    chunks  the journal's chunks that it has used up
    waiting places of the contents that wait for another night, since a budget is spent
    """

    statement: SubmissionStatement
    signature: bytes
    public_key: bytes
    roster_version: int
    sealed: tuple[SealedSecret, ...]
    parts: tuple[bytes, ...]
    records: tuple[MadeRecord, ...]
    chunks: tuple[int, ...]
    waiting: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Maker:
    """All that making a submission needs beside the records."""

    membership: Membership
    signing_key: SigningKey
    quorum: Quorum
    blinder: Blinder

    def make_submission(self, contents: Sequence[Content], *, seq: int, issued_at: int) -> Submission | None:
        """Make the submission of `contents` as the statement numbered `seq`; None where all of them have to wait.

        `issued_at` is the present in Unix seconds. Raises TooFewHolders, and BudgetSpent where the holders evaluate no
        more record secrets today; then the journal has what was charged.
        """
        idempotency_key = secrets.token_bytes(IDEMPOTENCY_KEY_LENGTH)
        batch_secret = generate_batch_secret()
        contexts = [draw_context(self.membership, issued_at) for _ in contents]
        outputs = self.blinder.outputs(_identifiers(self._affordable(contents)))
        ready = [place for place, each in enumerate(contents) if _complete(each, outputs.by_identifier)]
        if not ready:
            return None
        sealed = self._seal(batch_secret, idempotency_key)
        reference = sealed_ref(idempotency_key, sealed)
        committed = [
            commit_record(contents[place], outputs.by_identifier, contexts[place], reference, self.membership)
            for place in ready
        ]
        records = self._close(committed, batch_secret)
        statement = SubmissionStatement(
            epoch_id=self.membership.epoch_id,
            institution_id=self.membership.institution_id,
            seq=seq,
            idempotency_key=idempotency_key,
            count=len(records),
            root=root([record.leaf for record in records]),
        )
        waiting = sorted(set(range(len(contents))) - set(ready))
        return Submission(
            statement=statement,
            signature=self.signing_key.sign(statement.encode()),
            public_key=self.signing_key.public_key,
            roster_version=self.membership.roster_version,
            sealed=sealed,
            parts=tuple(
                pack_records(records[start : start + PART_LIMIT]) for start in range(0, len(records), PART_LIMIT)
            ),
            records=tuple(
                MadeRecord(place, each.context.handle, each.context.issued_at, each.context.expires_at)
                for place, each in zip(ready, committed, strict=True)
            ),
            chunks=outputs.used_up(_identifiers(contents[place] for place in waiting)),
            waiting=tuple(waiting),
        )

    def _affordable(self, contents: Sequence[Content]) -> Sequence[Content]:
        """Those of which every key family has budget left, as far as the holders have said: no other is asked for."""
        kinds = {kind for each in contents for kind, _ in each.identifiers}
        spent = {kind for kind in kinds if not self.quorum.has_budget(family_of(kind))}
        return contents if not spent else [each for each in contents if spent.isdisjoint(each.kinds)]

    def _seal(self, batch_secret: bytes, idempotency_key: bytes) -> tuple[SealedSecret, ...]:
        return tuple(
            seal_batch_secret(
                recipient.key,
                batch_secret,
                epoch_id=self.membership.epoch_id,
                institution_id=self.membership.institution_id,
                idempotency_key=idempotency_key,
                recipient_id=recipient.recipient_id,
            )
            for recipient in self.membership.recipients
        )

    def _close(self, committed: Sequence[CommittedRecord], batch_secret: bytes) -> list[Record]:
        """Ask the quorum for each record's secret and seal its envelope."""
        contexts = [record.ctx for record in committed]
        names = [RecordName(each.context.handle, each.context.issued_at, each.context.expires_at) for each in committed]
        evaluated = evaluate_record_names(self.quorum, names, oprf.hash_inputs(contexts))
        return [
            close_record(record, batch_secret, y_r, self.membership.padded_size)
            for record, y_r in zip(committed, oprf.outputs(contexts, evaluated), strict=True)
        ]


def _identifiers(contents: Iterable[Content]) -> Iterator[NamedIdentifier]:
    return (identifier for each in contents for identifier in each.identifiers)


def _complete(content: Content, outputs: Mapping[NamedIdentifier, bytes]) -> bool:
    return all(identifier in outputs for identifier in content.identifiers)
