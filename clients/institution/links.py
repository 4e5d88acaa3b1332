"""The signed sessions to the broker and the key holders, as the rest of the institution's client sees them.

One line of HTTP a call; addresses and keys come from the pinned agreement alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from clients.log.source import HttpLog, LogSource
from crypto.signatures import SigningKey
from policies.documents import SignedDocument
from policies.parties import BROKER
from policies.trust import Trust
from runtime.clock import Clock
from wire.messages.documents import SignedDocuments
from wire.messages.evaluation import EvaluateRequest, EvaluateResponse, RecordSecretsRequest
from wire.messages.institution_status import InstitutionStatus
from wire.messages.log import Cosignature, LeafPlace, WitnessCheckpoint
from wire.messages.submission import OpenSubmission, Receipt, SubmissionPart, SubmissionStatus
from wire.messages.withdrawal import Acknowledgement, SignedStatement
from wire.packed import pack
from wire.problems import RemoteProblem
from wire.session import SignedSession

BROKER_ATTEMPTS = 5
HOLDER_ATTEMPTS = 2
"""Tries before another set of holders takes over: one holder that is away should not hold everything up."""


@dataclass(frozen=True, slots=True)
class BrokerSession:
    """The broker."""

    session: SignedSession

    def documents(self) -> list[SignedDocument]:
        """Every signed document that the broker offers; nothing is verified yet."""
        listed = self.session.get("/v1/documents", SignedDocuments).documents
        return [SignedDocument(dict(each.document), dict(each.signatures)) for each in listed]

    def status(self) -> InstitutionStatus:
        """What the broker has of this institution."""
        return self.session.get("/v1/status", InstitutionStatus)

    def open_submission(self, idempotency_key: bytes, opening: OpenSubmission) -> SubmissionStatus:
        """Begin or continue a submission."""
        return self.session.put(f"/v1/submissions/{idempotency_key.hex()}", opening, SubmissionStatus)

    def send_part(self, idempotency_key: bytes, number: int, part: SubmissionPart) -> None:
        """Send one part (from 0)."""
        self.session.put(f"/v1/submissions/{idempotency_key.hex()}/parts/{number}", part)

    def commit(self, idempotency_key: bytes) -> Receipt:
        """Have a complete submission applied."""
        return self.session.post(f"/v1/submissions/{idempotency_key.hex()}/commit", None, Receipt)

    def withdraw(self, signed: SignedStatement) -> Receipt:
        """Have a withdrawal applied."""
        return self.session.post("/v1/withdrawals", signed, Receipt)

    def cosign(self, size: int, line: str) -> None:
        """Bring a cosignature on the log's checkpoint of a size."""
        self.session.post("/v1/log/cosignatures", Cosignature(size, line))

    def leaf_index(self, leaf_hash: bytes) -> int | None:
        """Where the log has a leaf of this institution; None where it has none (yet)."""
        try:
            return self.session.get("/v1/log/leaves", LeafPlace, query={"hash": pack(leaf_hash)}).index
        except RemoteProblem as problem:
            if problem.status == 404:
                return None
            raise

    def replace_signature(self, idempotency_key: bytes, signed: SignedStatement) -> None:
        """Put the signature of a rotated key in the place of the old one."""
        self.session.put(f"/v1/submissions/{idempotency_key.hex()}/signature", signed)


@dataclass(frozen=True, slots=True)
class HolderSession:
    """One key holder."""

    session: SignedSession

    def evaluate(self, request: EvaluateRequest) -> EvaluateResponse:
        """Ask for a chunk of blinded elements."""
        return self.session.post("/v1/evaluate", request, EvaluateResponse)

    def evaluate_records(self, request: RecordSecretsRequest) -> EvaluateResponse:
        """Ask for the secrets of own records."""
        return self.session.post("/v1/evaluate-records", request, EvaluateResponse)

    def withdraw(self, signed: SignedStatement) -> Acknowledgement:
        """Have the holder store a withdrawal for good."""
        return self.session.post("/v1/withdrawals", signed, Acknowledgement)

    def checkpoint(self) -> str | None:
        """The checkpoint of the log that the holder keeps as a witness."""
        return self.session.get("/v1/witness/checkpoint", WitnessCheckpoint).note


@dataclass(frozen=True, slots=True)
class Links:
    """Everybody whom an institution speaks to."""

    broker: BrokerSession
    holders: Mapping[int, HolderSession]
    log: LogSource


@dataclass(frozen=True, slots=True)
class Network:
    """How the services are reached: `timeout` in seconds for each step of a request, certificate authorities (PEM) and
    proxy where they are not the system's; `transport` per party id in tests that need no network.
    """

    timeout: float = 60.0
    ca_file: Path | None = None
    proxy: str | None = None
    transport: Callable[[str], httpx.BaseTransport | None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Caller:
    """As whom an institution speaks, and how it gets there."""

    institution_id: str
    signing_key: SigningKey
    clock: Clock
    network: Network

    def session(self, address: str, party_id: str, key: bytes, attempts: int) -> SignedSession:
        """A session with one party; nothing is sent yet."""
        return SignedSession(
            address,
            self.institution_id,
            self.signing_key,
            party_id,
            key,
            self.clock,
            attempts=attempts,
            timeout=self.network.timeout,
            ca_file=self.network.ca_file,
            proxy=self.network.proxy,
            transport=self.network.transport(party_id),
        )


@contextmanager
def open_broker(trust: Trust, caller: Caller) -> Iterator[BrokerSession]:
    """A session with the broker of the agreement."""
    broker = trust.agreement.broker
    with caller.session(broker.address, BROKER, broker.key, BROKER_ATTEMPTS) as session:
        yield BrokerSession(session)


@contextmanager
def open_links(trust: Trust, caller: Caller) -> Iterator[Links]:
    """Sessions with the broker and every key holder of the agreement; nothing is sent yet."""
    with ExitStack() as stack:
        holders = {
            holder.index: HolderSession(
                stack.enter_context(caller.session(holder.address, holder.party_id, holder.key, HOLDER_ATTEMPTS))
            )
            for holder in trust.agreement.holders
        }
        network = caller.network
        log = stack.enter_context(
            HttpLog(
                trust.agreement.broker.address,
                timeout=network.timeout,
                ca_file=network.ca_file,
                proxy=network.proxy,
                transport=network.transport(BROKER),
            )
        )
        yield Links(stack.enter_context(open_broker(trust, caller)), holders, log)
