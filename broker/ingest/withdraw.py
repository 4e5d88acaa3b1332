"""Applies withdrawals: what a signed statement names is gone for everybody when the transaction ends, for good.

Does the same work whether or not any of the records ever matched, so that its time tells nothing.
"""

from __future__ import annotations

from sqlalchemy import Connection

from broker.context import calling_institution, current_epoch
from broker.ingest.opening import check_statement
from broker.ingest.submit import check_next_seq
from broker.log.append import append
from broker.receipts import make_receipt, read_receipt
from broker.store import endings
from broker.store.endings import WithdrawalRow
from broker.store.epochs import set_last_seq
from crypto.signatures import SigningKey
from crypto.statements import WithdrawalStatement
from policies.log.leaves import withdrawal_leaf
from policies.trust import Trust
from wire.messages.submission import Receipt
from wire.messages.withdrawal import SignedStatement
from wire.problems import Problem


def apply_withdrawal(
    connection: Connection,
    trust: Trust,
    signing_key: SigningKey,
    institution_id: str,
    message: SignedStatement,
    now: int,
) -> Receipt:
    """Withdraw the records that a statement names and return the receipt; the same statement again: the same receipt.

    Handles that the broker does not know are tombstoned all the same: no record can come under them any more. Raises
    Problem for a statement that is not well signed, or whose sequence number is not the next (409).
    """
    statement = WithdrawalStatement.decode(message.statement)
    check_statement(statement, message.statement, message.signature, institution_id, trust)
    epoch = current_epoch(connection, trust)
    institution = calling_institution(connection, epoch, institution_id, lock=True, suspended_too=True)
    number = institution.institution
    applied = endings.find_withdrawal(connection, epoch, number, statement.seq)
    if applied is not None:
        if applied.statement != message.statement:
            raise Problem(409, "sequence", "number used", "Another withdrawal was applied under this number.")
        return read_receipt(applied.receipt)
    check_next_seq(institution, statement.seq)
    receipt = make_receipt(
        signing_key,
        epoch_id=trust.epoch_id,
        institution_id=institution_id,
        seq=statement.seq,
        statement=message.statement,
        received_at=now,
        records=len(statement.handles),
    )
    endings.withdraw(connection, epoch, number, statement.handles, now)
    row = WithdrawalRow(statement.seq, message.statement, message.signature, receipt)
    endings.store_withdrawal(connection, epoch, number, row)
    set_last_seq(connection, epoch, number, statement.seq)
    append(connection, withdrawal_leaf(message.statement, now))
    return read_receipt(receipt)
