"""Withdrawals that the log names: the signed statement behind a leaf, checked against it, and applied here.

The statement may have come from the institution before, in any order; it only shuts. Knows no tree.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine

from crypto.errors import CryptoError
from crypto.signatures import is_valid
from crypto.statements import WithdrawalStatement
from keyholder.log_link import LogLink
from keyholder.store import withdrawals
from keyholder.store.withdrawals import Withdrawal
from policies.log.errors import LogRefused
from policies.log.leaves import Leaf
from policies.trust import Trust
from runtime.database import read_transaction
from wire.packed import InvalidPacked, unpack
from wire.problems import RemoteProblem


@dataclass(frozen=True)
class NamedWithdrawal:
    """A withdrawal as its leaf names it; with the signed statement once that was read."""

    epoch_id: bytes
    institution_id: str
    seq: int
    statement_hash: bytes
    statement: bytes = b""
    signature: bytes = b""
    logged_at: int = 0

    @classmethod
    def of(cls, leaf: Leaf) -> NamedWithdrawal:
        """What a withdrawal's leaf names; raises LogRefused."""
        body: Any = leaf.body
        try:
            named = cls(unpack(body["epoch_id"]), body["institution_id"], body["seq"], unpack(body["statement_hash"]))
        except (KeyError, TypeError, AttributeError, InvalidPacked):
            raise LogRefused("A withdrawal's leaf does not name its statement.") from None
        if not isinstance(named.institution_id, str) or not isinstance(named.seq, int) or isinstance(named.seq, bool):
            raise LogRefused("A withdrawal's leaf does not name its statement.")
        return named


def is_applied(engine: Engine, named: NamedWithdrawal) -> bool:
    """Whether the very statement is applied here."""
    with read_transaction(engine) as connection:
        return withdrawals.is_kept(connection, named.epoch_id, named.institution_id, named.statement_hash)


def read_withdrawal(link: LogLink, named: NamedWithdrawal, trust: Trust, logged_at: int) -> NamedWithdrawal:
    """The signed statement that a leaf names.

    Raises LogRefused where the broker does not show it, or shows another; other UserErrors where it is away.
    """
    name = f"withdrawal {named.seq} of {named.institution_id}"
    try:
        shown = link.withdrawal(named.institution_id, named.seq, named.statement_hash)
        statement = WithdrawalStatement.decode(shown.statement)
    except RemoteProblem as refused:
        raise LogRefused(f"The log names {name}, and the broker does not show it: {refused.detail}") from None
    except CryptoError as error:
        raise LogRefused(f"The log names {name}; what the broker shows cannot be read: {error}.") from None
    if hashlib.sha256(shown.statement).digest() != named.statement_hash or (
        statement.epoch_id,
        statement.institution_id,
        statement.seq,
    ) != (named.epoch_id, named.institution_id, named.seq):
        raise LogRefused(f"The log names {name}, and the broker shows another statement.")
    if not any(is_valid(key, shown.statement, shown.signature) for key in _keys(trust, named.institution_id)):
        raise LogRefused(f"The log names {name}, and the signature that the broker shows with it does not hold.")
    return replace(named, statement=shown.statement, signature=shown.signature, logged_at=logged_at)


def apply_logged(connection: Connection, named: NamedWithdrawal) -> None:
    """Shut the records that a withdrawal names; one that was applied before changes nothing."""
    kept = Withdrawal(
        epoch_id=named.epoch_id,
        institution_id=named.institution_id,
        seq=named.seq,
        statement_hash=named.statement_hash,
        statement=named.statement,
        signature=named.signature,
        acknowledged_at=named.logged_at,
    )
    withdrawals.add_logged(connection, kept, WithdrawalStatement.decode(named.statement).handles)


def _keys(trust: Trust, institution_id: str) -> set[bytes]:
    """Every key that the institution had in the epoch: it may have signed before it replaced one."""
    listed = [roster.member_keys.get(institution_id) for roster in trust.rosters]
    return {key for key in (*listed, trust.agreement.member_keys.get(institution_id)) if key is not None}
