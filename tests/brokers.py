"""A broker in process for tests: its real application over WSGI, its worker, signed sessions, made-up submissions.

`build_broker(database_url)` gives a `BrokerWorld`; the agreement behind it is tests.agreement_world's. `made_up` makes
valid submissions fast: possession and commitments are real, but identifiers are hashed rather than evaluated by key
holders, and envelopes are random bytes of the right length.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from flask import Flask
from sqlalchemy import Engine, text

from broker.app import MIGRATIONS, create_app
from broker.directory import Directory
from broker.log.keeper import Keeper
from broker.log.sequencer import Sequencer, make_signer
from broker.settings import BrokerSettings
from broker.worker import Worker
from crypto import envelopes, merkle, records, sealing, tags
from crypto.records import Context, Head, Record
from crypto.signatures import SigningKey
from crypto.statements import SubmissionStatement, WithdrawalStatement
from policies.trust import Trust
from runtime.database import open_engine, read_transaction, run_in_transaction
from runtime.migrations import migrate
from tests.agreement_world import DAY, START, Submission, World, make_world
from tests.clocks import MovableClock
from wire.messages.alerts import AlertDetail, AlertList, AlertSummary
from wire.messages.submission import (
    OpenSubmission,
    Receipt,
    SealedSecretMessage,
    SubmissionPart,
    SubmissionStatus,
)
from wire.messages.withdrawal import SignedStatement
from wire.session import SignedSession

BASE_URL = "https://broker.example"
PART = 512
NOW = START + DAY

FOUR_GROUPS = (
    ("bank-a", "bank", "group-a"),
    ("bank-b", "bank", "group-b"),
    ("police-c", "police", "group-c"),
    ("desk-d", "report-desk", "group-d"),
)


@dataclass
class BrokerWorld:
    """One broker with its agreement, and everybody's keys."""

    agreement: World
    engine: Engine
    clock: MovableClock
    app: Flask
    worker: Worker
    keeper: Keeper
    seqs: dict[str, int] = field(default_factory=dict)

    @property
    def trust(self) -> Trust:
        """What everybody trusts."""
        return self.agreement.trust

    def session(self, party_id: str, *, key: SigningKey | None = None) -> SignedSession:
        """A signed session of a party with the broker, in process."""
        return SignedSession(
            BASE_URL,
            party_id,
            key or self.agreement.parties[party_id].signing_key,
            "broker",
            self.trust.broker_key,
            self.clock,
            attempts=1,
            transport=httpx.WSGITransport(app=self.app),
        )

    def made_up(
        self,
        institution_id: str,
        rows: Sequence[Mapping[str, str]],
        *,
        seq: int | None = None,
        lifetime: int = 30 * DAY,
    ) -> Submission:
        """A valid submission of one record a row (kind to value), issued now; by default the next in sequence."""
        number = seq if seq is not None else self.seqs.get(institution_id, 0) + 1
        issued_at = int(self.clock.now().timestamp())
        return made_up(self.agreement, institution_id, rows, seq=number, issued_at=issued_at, lifetime=lifetime)

    def open(self, institution_id: str, submission: Submission) -> SubmissionStatus:
        """Open a submission."""
        path = f"/v1/submissions/{submission.statement.idempotency_key.hex()}"
        return self.session(institution_id).put(path, opening_message(submission), SubmissionStatus)

    def put_part(self, institution_id: str, submission: Submission, part: int) -> SubmissionStatus:
        """Send one part."""
        path = f"/v1/submissions/{submission.statement.idempotency_key.hex()}/parts/{part}"
        packed = records.pack_records(submission.records[part * PART : (part + 1) * PART])
        return self.session(institution_id).put(path, SubmissionPart(packed), SubmissionStatus)

    def commit(self, institution_id: str, submission: Submission) -> Receipt:
        """Commit a submission."""
        path = f"/v1/submissions/{submission.statement.idempotency_key.hex()}/commit"
        receipt = self.session(institution_id).post(path, None, Receipt)
        self.seqs[institution_id] = submission.statement.seq
        return receipt

    def send(self, institution_id: str, submission: Submission) -> Receipt:
        """Send a submission whole, and take note of its sequence number."""
        self.open(institution_id, submission)
        for part in range(-(-len(submission.records) // PART)):
            self.put_part(institution_id, submission, part)
        return self.commit(institution_id, submission)

    def submit(self, institution_id: str, rows: Sequence[Mapping[str, str]], **options: Any) -> Submission:
        """Make up a submission and send it."""
        submission = self.made_up(institution_id, rows, **options)
        self.send(institution_id, submission)
        return submission

    def withdrawal(self, institution_id: str, handles: Sequence[bytes], *, seq: int | None = None) -> SignedStatement:
        """A signed withdrawal; by default the next in sequence."""
        number = seq if seq is not None else self.seqs.get(institution_id, 0) + 1
        statement = WithdrawalStatement(self.trust.epoch_id, institution_id, number, tuple(sorted(handles))).encode()
        return SignedStatement(statement, self.agreement.parties[institution_id].signing_key.sign(statement))

    def withdraw(self, institution_id: str, handles: Sequence[bytes]) -> Receipt:
        """Withdraw records."""
        message = self.withdrawal(institution_id, handles)
        receipt = self.session(institution_id).post("/v1/withdrawals", message, Receipt)
        self.seqs[institution_id] = WithdrawalStatement.decode(message.statement).seq
        return receipt

    def work(self) -> None:
        """Let the worker and the log's keeper do all there is."""
        self.keeper.finish()
        self.worker.finish()
        self.keeper.finish()

    def alerts(self, recipient_id: str = "charity") -> list[AlertSummary]:
        """All alerts that a recipient sees."""
        found: list[AlertSummary] = []
        query: dict[str, str] = {}
        while True:
            page = self.session(recipient_id).get("/v1/alerts", AlertList, query=query)
            found += page.alerts
            if page.next is None:
                return found
            query = {"after": page.next}

    def raised(self) -> list[AlertSummary]:
        """The alerts that stand."""
        return [alert for alert in self.alerts() if alert.state == "raised"]

    def detail(self, alert_id: str, recipient_id: str = "charity", **query: str) -> AlertDetail:
        """One alert."""
        return self.session(recipient_id).get(f"/v1/alerts/{alert_id}", AlertDetail, query=query)

    def count(self, table: str) -> int:
        """How many rows a table has."""
        with read_transaction(self.engine) as connection:
            return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def build_broker(
    database_url: str, *, agreement: World | None = None, now: int = NOW, settings: BrokerSettings | None = None
) -> BrokerWorld:
    """A broker on an empty database that has taken in an agreement's documents."""
    agreement = agreement or make_world(members=FOUR_GROUPS, addresses={"broker": BASE_URL})
    engine = open_engine(database_url)
    migrate(engine, MIGRATIONS)
    clock = MovableClock(now)
    directory = Directory(engine, agreement.agreement.hash)
    for signed in agreement.documents:
        run_in_transaction(engine, lambda connection, signed=signed: directory.accept(connection, signed, now))
    app = create_app(
        settings or BrokerSettings(),
        signing_key=agreement.parties["broker"].signing_key,
        pinned_hash=agreement.agreement.hash,
        clock=clock,
        engine=engine,
    )
    sequencer = Sequencer(engine, clock, make_signer(agreement.trust, agreement.parties["broker"].signing_key))
    keeper = Keeper(engine, directory.trust, clock, sequencer)
    return BrokerWorld(agreement, engine, clock, app, Worker(engine, directory.trust, clock), keeper)


def opening_message(submission: Submission) -> OpenSubmission:
    """How a submission opens."""
    sealed = tuple(
        SealedSecretMessage(one.recipient_id, one.key_id, one.enc, one.ciphertext) for one in submission.sealed
    )
    statement = submission.statement.encode()
    return OpenSubmission(statement, submission.signature, 1, sealed, -(-len(submission.records) // PART))


def made_up(
    agreement: World,
    institution_id: str,
    rows: Sequence[Mapping[str, str]],
    *,
    seq: int = 1,
    issued_at: int = NOW,
    lifetime: int = 30 * DAY,
) -> Submission:
    """A valid submission of one record a row (kind to value), made without any key holder."""
    trust = agreement.trust
    key, batch_secret = secrets.token_bytes(16), sealing.generate_batch_secret()
    sealed = tuple(
        sealing.seal_batch_secret(
            recipient.key,
            batch_secret,
            epoch_id=trust.epoch_id,
            institution_id=institution_id,
            idempotency_key=key,
            recipient_id=recipient.recipient_id,
        )
        for recipient in trust.roster.recipients
    )
    reference = sealing.sealed_ref(key, sealed)
    made = []
    for row in rows:
        context = Context(trust.epoch_id, institution_id, secrets.token_bytes(16), issued_at, issued_at + lifetime)
        made.append(made_up_record(agreement, context, row, reference))
    return signed_submission(agreement, institution_id, seq, key, made, sealed, batch_secret)


def signed_submission(
    agreement: World,
    institution_id: str,
    seq: int,
    key: bytes,
    made: Sequence[Record],
    sealed: tuple[sealing.SealedSecret, ...],
    batch_secret: bytes,
) -> Submission:
    """The submission of these records, signed as they are."""
    root = merkle.root([record.leaf for record in made])
    statement = SubmissionStatement(agreement.trust.epoch_id, institution_id, seq, key, len(made), root)
    signature = agreement.parties[institution_id].signing_key.sign(statement.encode())
    return Submission(statement, signature, tuple(made), sealed, batch_secret)


def made_up_record(
    agreement: World, context: Context, row: Mapping[str, str], sealed_ref: bytes, *, entries: Sequence[tags.Entry] = ()
) -> Record:
    """One record of `row`, and of `entries` as they are."""
    role = next(m.role for m in agreement.trust.roster.members if m.institution_id == context.institution_id)
    made = [made_up_entry(agreement, kind, value, context.encode(), role) for kind, value in row.items()]
    ordered = tags.sort_entries([*made, *entries])
    salts = tuple(secrets.token_bytes(16) for _ in ordered)
    hashes = tuple(records.entry_hash(salt, entry.encode()) for salt, entry in zip(salts, ordered, strict=True))
    head = Head(context, sealed_ref, hashes).encode()
    envelope = secrets.token_bytes(envelopes.envelope_length(agreement.trust.epoch.padded_size))
    return Record(head, salts, tuple(entry.encode() for entry in ordered), envelope)


def made_up_entry(agreement: World, kind: str, value: str, ctx: bytes, role: str = "bank") -> tags.Entry:
    """The entry of an identifier, with a hash in the OPRF's place."""
    y = hashlib.sha512(f"{kind}|{value}".encode()).digest()
    if not agreement.trust.kinds[kind].possession:
        return tags.support_entry(kind, y)
    return tags.report_desk_entry(kind, y) if role == "report-desk" else tags.possession_entry(kind, y, ctx)


def handle_of(submission: Submission, index: int = 0) -> bytes:
    """The handle of a submission's record."""
    return Head.decode(submission.records[index].head).context.handle
