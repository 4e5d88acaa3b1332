"""Sends the outbox to the broker: statements in the order of their seq, one in flight, the same bytes at every attempt.

A statement leaves the outbox when the broker's receipt for it holds. Knows nothing of rows, identifiers or secrets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from clients.institution.membership import Membership
from clients.institution.outbox import (
    PendingSubmission,
    PendingWithdrawal,
    first_waiting,
    lowest_undelivered,
    mark_delivered,
    next_seq,
    part,
)
from clients.institution.receipts import Expected, check_receipt
from clients.institution.state import State
from runtime.clock import Clock, unix
from runtime.exits import ExitCode, UserError
from wire.messages.institution_status import InstitutionStatus
from wire.messages.submission import OpenSubmission, Receipt, SubmissionPart, SubmissionStatus
from wire.messages.withdrawal import SignedStatement
from wire.problems import RemoteProblem


class BrokerLink(Protocol):
    """The way to the broker. Each call raises UserError where it cannot be reached, refuses or is not itself."""

    def status(self) -> InstitutionStatus:
        """What the broker has of this institution."""
        ...

    def open_submission(self, idempotency_key: bytes, opening: OpenSubmission) -> SubmissionStatus:
        """Begin or continue a submission."""
        ...

    def send_part(self, idempotency_key: bytes, number: int, part: SubmissionPart) -> None:
        """Send one part (from 0)."""
        ...

    def commit(self, idempotency_key: bytes) -> Receipt:
        """Have a complete submission applied."""
        ...

    def withdraw(self, signed: SignedStatement) -> Receipt:
        """Have a withdrawal applied."""
        ...

    def replace_signature(self, idempotency_key: bytes, signed: SignedStatement) -> None:
        """Put the signature of a rotated key in the place of the old one."""
        ...


@dataclass(frozen=True)
class Delivery:
    """The outbox of one state on its way to the broker."""

    state: State
    broker: BrokerLink
    broker_key: bytes
    membership: Membership
    clock: Clock

    def reconcile(self) -> InstitutionStatus:
        """Compare the broker's count of statements with this state's; raises UserError where one has lost some."""
        status = self.broker.status()
        if status.epoch_id != self.membership.epoch_id:
            raise UserError(
                "The broker works in another epoch than the documents held here; fetch the newest documents, and if "
                "that does not help, ask the broker's operator.",
                ExitCode.DOCUMENTS_REFUSED,
            )
        if status.last_seq >= next_seq(self.state):
            raise UserError(
                f"The broker has {status.last_seq} statements of this institution, the local state knows "
                f"{next_seq(self.state) - 1}: the state was lost or replaced by an older copy. Put the newest copy "
                "back, or run sync with --adopt-sequence (then the records that it does not know stay until they "
                "expire).",
                ExitCode.INPUT_REFUSED,
            )
        if status.last_seq < lowest_undelivered(self.state) - 1:
            raise UserError(
                f"The broker has signed for {lowest_undelivered(self.state) - 1} statements and now shows "
                f"{status.last_seq}: it has lost some, and its operator must restore them before anything is sent.",
                ExitCode.SERVICE_REFUSED,
            )
        return status

    def send_all(self, up_to: int | None = None) -> int:
        """Send everything that waits for the broker (up to a seq), and return how many statements it has signed for."""
        sent = 0
        while (waiting := first_waiting(self.state)) is not None and (up_to is None or waiting.seq <= up_to):
            if isinstance(waiting, PendingSubmission):
                self._send_submission(waiting)
            else:
                self._send_withdrawal(waiting)
            sent += 1
        return sent

    def _send_submission(self, pending: PendingSubmission) -> None:
        key = pending.idempotency_key
        try:
            status = self.broker.open_submission(key, pending.opening)
            receipt = status.receipt
            if receipt is None:
                for number in status.missing:
                    self.broker.send_part(key, number, SubmissionPart(part(self.state, pending.seq, number)))
                receipt = self.broker.commit(key)
        except RemoteProblem as problem:
            raise _refused(f"submission {pending.seq} ({pending.count} records)", problem) from None
        self._close(pending.seq, pending.statement, receipt)

    def _send_withdrawal(self, pending: PendingWithdrawal) -> None:
        try:
            receipt = self.broker.withdraw(pending.signed)
        except RemoteProblem as problem:
            raise _refused(f"withdrawal {pending.seq} ({pending.count} records)", problem) from None
        self._close(pending.seq, pending.signed.statement, receipt)

    def _close(self, seq: int, statement: bytes, receipt: Receipt) -> None:
        expected = Expected(self.membership.epoch_id, self.membership.institution_id, seq, statement)
        mark_delivered(self.state, seq, check_receipt(receipt, expected, self.broker_key), unix(self.clock))


def _refused(what: str, problem: RemoteProblem) -> UserError:
    return UserError(
        f"The broker refused {what}: {problem.detail} It stays in the outbox, unchanged.", problem.exit_code
    )
