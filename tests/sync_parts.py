"""Parts for tests of an institution's sync: rows without a mapping, and links that answer in process with real keys.

The links check what a service would check of bytes (signatures, order of statements, roots), so that a test of the
client alone notices when it sends what no service would take. Tests with the real services are in tests/integration.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clients.institution.changes import SourceRow
from clients.institution.delivery import Delivery
from clients.institution.evaluation import Quorum
from clients.institution.journal import Journal
from clients.institution.membership import Membership, membership
from clients.institution.night import Options, Parts, Placeholder, Report, Source
from clients.institution.outbox import Author
from clients.institution.row_digests import RowDigests
from clients.institution.state import State
from clients.institution.sync import Sync
from crypto import merkle, oprf, records, shares
from crypto.records import Context
from crypto.signatures import verify
from crypto.statements import SubmissionStatement, WithdrawalStatement
from policies.documents import SignedDocument, sign_document
from policies.parties import BROKER
from runtime.clock import unix
from runtime.exits import ExitCode, UserError
from runtime.progress import silent_progress
from tests.agreement_world import DAY, START, World
from tests.clocks import MovableClock
from wire.messages.evaluation import EvaluateRequest, EvaluateResponse, RecordSecretsRequest
from wire.messages.institution_status import InstitutionStatus
from wire.messages.submission import OpenSubmission, Receipt, SubmissionPart, SubmissionStatus
from wire.messages.withdrawal import Acknowledgement, SignedStatement
from wire.packed import pack
from wire.problems import RemoteProblem
from wire.session import Unreachable

INSTITUTION = "bank-a"


@dataclass(frozen=True)
class Row:
    """A row of a source."""

    number: int
    row_id: str
    raw: Mapping[str, str]


@dataclass(frozen=True)
class Identifier:
    """A normalised identifier."""

    kind: str
    value: str


@dataclass(frozen=True)
class Rejection:
    """A value that could not be used."""

    column: str
    reason: str


@dataclass(frozen=True)
class PreparedRow:
    """What `prepare` makes of a row."""

    identifiers: Sequence[Identifier] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    indicators: Sequence[str] = ()
    skipped: str | None = None
    placeholders: Sequence[Placeholder] = ()
    rejected: Sequence[Rejection] = ()


def prepare(row: SourceRow) -> PreparedRow:
    """Columns phone and email are identifiers, note is sealed; a row whose column skip is not empty is left out."""
    if row.raw.get("skip"):
        return PreparedRow(skipped=row.raw["skip"])
    identifiers = tuple(Identifier(kind, row.raw[kind]) for kind in ("phone", "email") if row.raw.get(kind))
    return PreparedRow(identifiers, {"note": row.raw.get("note", ""), "record_id": row.row_id})


def table(rows: Mapping[str, Mapping[str, str]]) -> list[Row]:
    """Rows by id."""
    return [Row(number, row_id, raw) for number, (row_id, raw) in enumerate(rows.items(), start=1)]


def people(count: int, *, first: int = 0) -> dict[str, dict[str, str]]:
    """So many people with a phone and an email each."""
    return {
        f"customer-{number}": {
            "phone": f"+4479000{number:05d}",
            "email": f"person{number}@canary.example",
            "note": f"canary-note-{number}",
        }
        for number in range(first, first + count)
    }


@dataclass
class InProcessHolder:
    """One key holder's answers, with its real share, its budget and what it was asked."""

    world: World
    index: int
    budget: int = 1_000_000
    asked: list[bytes] = field(default_factory=list)
    charged: dict[bytes, int] = field(default_factory=dict)
    withdrawn: list[WithdrawalStatement] = field(default_factory=list)
    is_down: bool = False
    lies: bool = False
    refusal: tuple[int, str] | None = None
    before_answer: Callable[[], None] = lambda: None

    def evaluate(self, request: EvaluateRequest) -> EvaluateResponse:
        """Charge the chunk once, and evaluate it."""
        self._fail()
        self.asked.append(request.elements)
        digest = shares.chunk_digest(request.epoch_id, request.family, request.share_version, request.elements)
        if digest not in self.charged:
            if sum(self.charged.values()) + len(request.elements) // 32 > self.budget:
                raise RemoteProblem(429, "budget-spent", "Budget spent", f"The budget for {request.family} is spent.")
            self.charged[digest] = len(request.elements) // 32
        return self._answer(request.family, request.holder_set, request.elements)

    def evaluate_records(self, request: RecordSecretsRequest) -> EvaluateResponse:
        """Build each ctx and evaluate it."""
        self._fail()
        contexts = [
            Context(request.epoch_id, INSTITUTION, name.handle, name.issued_at, name.expires_at).encode()
            for name in request.records
        ]
        return self._answer("record", request.holder_set, oprf.hash_inputs(contexts))

    def withdraw(self, signed: SignedStatement) -> Acknowledgement:
        """Take a withdrawal, or the last one again."""
        self._fail()
        statement = WithdrawalStatement.decode(signed.statement)
        if statement not in self.withdrawn:
            assert all(statement.seq > earlier.seq for earlier in self.withdrawn), "a holder wants a higher seq"
            self.withdrawn.append(statement)
        return Acknowledgement(hashlib.sha256(signed.statement).digest(), START)

    def _fail(self) -> None:
        self.before_answer()
        if self.is_down:
            raise Unreachable(f"holder{self.index} at https://holder{self.index}.example", "no connection")
        if self.refusal is not None:
            raise RemoteProblem(self.refusal[0], "refused", "Refused", self.refusal[1])

    def _answer(self, family: str, holder_set: Sequence[int], elements: bytes) -> EvaluateResponse:
        commitments = self.world.trust.commitments(family)
        share = self.world.share("record" if family != "record" and self.lies else family, self.index)
        answer = shares.evaluate_share(share, commitments, self.index, holder_set, elements)
        return EvaluateResponse(answer.elements, answer.proof)


@dataclass
class InProcessBroker:
    """The broker's side of submissions, as strict as the protocol about order, signatures and roots."""

    world: World
    last_seq: int = 0
    submissions: dict[bytes, tuple[OpenSubmission, dict[int, bytes]]] = field(default_factory=dict)
    committed: dict[bytes, Receipt] = field(default_factory=dict)
    records: dict[bytes, records.Record] = field(default_factory=dict)
    tombstones: set[bytes] = field(default_factory=set)
    withdrawals: dict[bytes, Receipt] = field(default_factory=dict)
    received: list[tuple[str, bytes]] = field(default_factory=list)
    replaced: dict[bytes, SignedStatement] = field(default_factory=dict)
    is_down: bool = False
    cpu_seconds: float = 0.0
    keeps_records: bool = True
    crash: Callable[[str], None] = lambda where: None

    def status(self) -> InstitutionStatus:
        """Own state."""
        self._fail("status")
        return InstitutionStatus(self.world.trust.epoch_id, self.last_seq, len(self.records))

    def open_submission(self, idempotency_key: bytes, opening: OpenSubmission) -> SubmissionStatus:
        """Begin or continue."""
        self._fail("open")
        self.received.append(("open", opening.statement + opening.signature))
        if idempotency_key in self.committed:
            return SubmissionStatus("committed", (), self.committed[idempotency_key])
        verify(self.world.parties[INSTITUTION].signing_key.public_key, opening.statement, opening.signature)
        statement = SubmissionStatement.decode(opening.statement)
        self._check_next(statement.seq)
        _, parts = self.submissions.setdefault(idempotency_key, (opening, {}))
        missing = tuple(number for number in range(opening.parts) if number not in parts)
        return SubmissionStatus("open", missing)

    def send_part(self, idempotency_key: bytes, number: int, part: SubmissionPart) -> None:
        """Keep a part; another body under its number is refused."""
        self._fail("part")
        self.received.append((f"part {number}", part.records))
        assert self.submissions[idempotency_key][1].setdefault(number, part.records) == part.records

    def commit(self, idempotency_key: bytes) -> Receipt:
        """Check everything and apply it."""
        self._fail("commit")
        started = time.thread_time()
        opening, parts = self.submissions[idempotency_key]
        statement = SubmissionStatement.decode(opening.statement)
        if idempotency_key not in self.committed:
            sent = [each for number in sorted(parts) for each in records.unpack_records(parts[number])]
            checked = [records.check_record(each) for each in sent]
            assert merkle.root([each.leaf for each in checked]) == statement.root
            assert len(sent) == statement.count
            for record, each in zip(sent, checked, strict=True):
                handle = each.head.context.handle
                assert handle not in self.records and handle not in self.tombstones
                if self.keeps_records:
                    self.records[handle] = record
            self.last_seq = statement.seq
            self.committed[idempotency_key] = self._receipt(statement.seq, opening.statement, statement.count)
            if not self.keeps_records:
                parts.clear()
                self.received.clear()
        # Benchmarks of the client leave out what its stand-in for a broker takes.
        self.cpu_seconds += time.thread_time() - started
        self.crash("committed")
        return self.committed[idempotency_key]

    def withdraw(self, signed: SignedStatement) -> Receipt:
        """Apply a withdrawal once."""
        self._fail("withdraw")
        self.received.append(("withdraw", signed.statement + signed.signature))
        if signed.statement not in self.withdrawals:
            statement = WithdrawalStatement.decode(signed.statement)
            self._check_next(statement.seq)
            for handle in statement.handles:
                self.records.pop(handle, None)
                self.tombstones.add(handle)
            self.last_seq = statement.seq
            self.withdrawals[signed.statement] = self._receipt(statement.seq, signed.statement, len(statement.handles))
        self.crash("withdrawn")
        return self.withdrawals[signed.statement]

    def replace_signature(self, idempotency_key: bytes, signed: SignedStatement) -> None:
        """Keep a new signature."""
        self._fail("signature")
        assert self.submissions[idempotency_key][0].statement == signed.statement
        self.replaced[idempotency_key] = signed

    def entries(self) -> set[tuple[str, bytes]]:
        """(kind, tag) of every live record's entries."""
        return {
            (entry.kind, entry.tag)
            for record in self.records.values()
            for entry in records.check_record(record).entries
        }

    def _check_next(self, seq: int) -> None:
        if seq != self.last_seq + 1:
            raise RemoteProblem(409, "sequence", "Sequence", f"The next number is {self.last_seq + 1}, not {seq}.")

    def _fail(self, where: str) -> None:
        if self.is_down:
            raise Unreachable("broker at https://broker.example", "no connection")
        self.crash(where)

    def _receipt(self, seq: int, statement: bytes, count: int) -> Receipt:
        document: dict[str, Any] = {
            "type": "crosslight/v1 receipt",
            "epoch_id": pack(self.world.trust.epoch_id),
            "institution_id": INSTITUTION,
            "seq": seq,
            "statement_hash": pack(hashlib.sha256(statement).digest()),
            "received_at": START + DAY,
            "records": count,
            "broker": BROKER,
        }
        signed = sign_document(SignedDocument(document, {}), BROKER, self.world.parties[BROKER].signing_key)
        return Receipt(document, signed.signatures[BROKER])


@dataclass
class Bank:
    """bank-a with its home, its links and a clock; `sync` is one night."""

    world: World
    home: Path
    broker: InProcessBroker
    holders: dict[int, InProcessHolder]
    clock: MovableClock = field(default_factory=lambda: MovableClock(START + DAY))
    fingerprint: bytes = b"mapping"

    @classmethod
    def new(cls, world: World, home: Path) -> Bank:
        """A bank that has sent nothing yet."""
        holders = {index: InProcessHolder(world, index) for index in (1, 2, 3)}
        return cls(world, home, InProcessBroker(world), holders)

    @property
    def membership(self) -> Membership:
        """Its place in the epoch."""
        return membership(self.world.trust, INSTITUTION, unix(self.clock))

    def open(self) -> State:
        """Its state."""
        return State.open(self.home / "state", self.world.trust.epoch_id, INSTITUTION)

    def parts(self, state: State) -> Parts:
        """The tools of one run."""
        party = self.world.parties[INSTITUTION]
        place = self.membership
        quorum = Quorum(
            self.holders,
            epoch_id=place.epoch_id,
            commitments=place.commitments,
            share_version=place.share_version,
            threshold=place.threshold,
        )
        return Parts(
            state=state,
            journal=Journal(state, party.secrets["journal"]),
            digests=RowDigests(party.secrets["rows"], self.fingerprint),
            quorum=quorum,
            delivery=Delivery(state, self.broker, self.world.trust.broker_key, place, self.clock),
            holders=self.holders,
            author=Author(place, party.signing_key),
            clock=self.clock,
        )

    def sync(self, rows: Iterable[Row], **options: Any) -> Report:
        """One night over these rows."""
        listed = list(rows)
        with self.open() as state:
            source = Source(lambda: iter(listed), prepare, self.fingerprint)
            return Sync(self.parts(state), source, Options(**options), silent_progress).run()


class Killed(BaseException):
    """Stands for kill -9 in process: no handler of the client catches it."""


def refuse(sentence: str) -> UserError:
    """A refusal as links raise it."""
    return UserError(sentence, ExitCode.SERVICE_REFUSED)
