"""Withdrawals: an institution takes records back, and this holder never evaluates or opens them again.

A withdrawal is final and is taken also from a suspended institution and after the epoch, since it only shuts.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from crypto.signatures import is_valid
from crypto.statements import WithdrawalStatement
from keyholder.accepted import SpendNonce
from keyholder.admission import known_epoch
from keyholder.holder import Holder
from keyholder.store import withdrawals
from keyholder.store.withdrawals import Withdrawal
from runtime.database import run_in_transaction
from wire.access import Caller
from wire.messages.withdrawal import Acknowledgement, SignedStatement
from wire.problems import Problem

# Sequence numbers are u64 in statements; the database's integers end here, and nobody sends so many statements.
_LARGEST_SEQ = 2**63 - 1


def withdraw(holder: Holder, caller: Caller, message: SignedStatement, spend_nonce: SpendNonce) -> Acknowledgement:
    """Apply a signed withdrawal statement of the caller; the same one again gets the same acknowledgement.

    Raises Problem, and InvalidStatement for bytes that are none.
    """
    statement = WithdrawalStatement.decode(message.statement)
    admission = known_epoch(holder, statement.epoch_id)
    member = admission.member(caller)
    if statement.institution_id != member.institution_id:
        raise Problem(403, "not-yours", "another's statement", "The statement is not the calling institution's own.")
    if not is_valid(member.signing_key, message.statement, message.signature):
        raise Problem(403, "statement-signature", "signature refused", "The statement's signature does not hold.")
    if statement.seq > _LARGEST_SEQ:
        raise Problem(422, "seq", "sequence number refused", "The sequence number is too large.")
    kept = Withdrawal(
        epoch_id=statement.epoch_id,
        institution_id=statement.institution_id,
        seq=statement.seq,
        statement_hash=hashlib.sha256(message.statement).digest(),
        statement=message.statement,
        signature=message.signature,
        acknowledged_at=admission.now,
    )

    def work(connection: Connection) -> int:
        spend_nonce(connection)
        return _apply(connection, kept, statement.handles)

    try:
        acknowledged_at = run_in_transaction(holder.engine, work)
    except IntegrityError:
        # Another request took the sequence number at this moment; now it shows whether with the same statement.
        acknowledged_at = run_in_transaction(holder.engine, work)
    return Acknowledgement(kept.statement_hash, acknowledged_at)


def _apply(connection: Connection, kept: Withdrawal, handles: tuple[bytes, ...]) -> int:
    """Keep the withdrawal unless it is kept; return when it was acknowledged (Unix seconds)."""
    before = withdrawals.acknowledged_at(connection, kept.epoch_id, kept.institution_id, kept.statement_hash)
    if before is not None:
        return before
    last = withdrawals.last_seq(connection, kept.epoch_id, kept.institution_id)
    if kept.seq <= last:
        raise Problem(
            409,
            "seq",
            "sequence number refused",
            f"The statement has number {kept.seq}; the last withdrawal here has {last}.",
            last_seq=last,
        )
    withdrawals.add_withdrawal(connection, kept, handles)
    return kept.acknowledged_at
