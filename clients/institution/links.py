"""The signed sessions to the broker and the key holders, as the rest of the institution's client sees them.

One line of HTTP a call; addresses and keys come from the pinned enrolment alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from crypto.signatures import SigningKey
from policies.documents import SignedDocument
from policies.parties import BROKER
from policies.trust import Trust
from runtime.clock import Clock
from wire.messages.documents import SignedDocuments
from wire.messages.evaluation import EvaluateRequest, EvaluateResponse, RecordSecretsRequest
from wire.messages.institution_status import InstitutionStatus
from wire.messages.submission import OpenSubmission, Receipt, SubmissionPart, SubmissionStatus
from wire.messages.withdrawal import Acknowledgement, SignedStatement
from wire.session import SignedSession

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


@dataclass(frozen=True, slots=True)
class Links:
    """Everybody whom an institution speaks to."""

    broker: BrokerSession
    holders: Mapping[int, HolderSession]


@contextmanager
def open_links(trust: Trust, institution_id: str, signing_key: SigningKey, clock: Clock) -> Iterator[Links]:
    """Sessions with the broker and every key holder of the enrolment; nothing is sent yet."""
    enrolment = trust.enrolment
    with ExitStack() as stack:
        broker = stack.enter_context(
            SignedSession(enrolment.broker.address, institution_id, signing_key, BROKER, enrolment.broker.key, clock)
        )
        holders = {
            holder.index: HolderSession(
                stack.enter_context(
                    SignedSession(
                        holder.address,
                        institution_id,
                        signing_key,
                        holder.party_id,
                        holder.key,
                        clock,
                        attempts=HOLDER_ATTEMPTS,
                    )
                )
            )
            for holder in enrolment.holders
        }
        yield Links(BrokerSession(broker), holders)
