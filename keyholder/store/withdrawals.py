"""Statements over withdrawals: what an institution took back, which no evaluation and no opening may touch again.

Knows statements as bytes and handles; who may withdraw is decided before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select

from keyholder.store.inserting import insert_into
from keyholder.store.schema import withdrawal, withdrawn_handle

# Fewer than SQLite's and PostgreSQL's limits on bound parameters.
_HANDLES_A_QUERY = 5000


class Withdrawal(NamedTuple):
    """A withdrawal as it is kept: SHA-256 of the statement (32 bytes), the statement, its signature (64 bytes)."""

    epoch_id: bytes
    institution_id: str
    seq: int
    statement_hash: bytes
    statement: bytes
    signature: bytes
    acknowledged_at: int


def acknowledged_at(connection: Connection, epoch_id: bytes, institution_id: str, statement_hash: bytes) -> int | None:
    """When this very statement was acknowledged, if it was."""
    found: int | None = connection.execute(
        select(withdrawal.c.acknowledged_at).where(
            withdrawal.c.epoch_id == epoch_id,
            withdrawal.c.institution_id == institution_id,
            withdrawal.c.statement_hash == statement_hash,
        )
    ).scalar_one_or_none()
    return found


def last_seq(connection: Connection, epoch_id: bytes, institution_id: str) -> int:
    """The highest sequence number among the institution's withdrawals here; 0 where there is none."""
    found: int | None = connection.execute(
        select(func.max(withdrawal.c.seq)).where(
            withdrawal.c.epoch_id == epoch_id, withdrawal.c.institution_id == institution_id
        )
    ).scalar_one()
    return found or 0


def add_withdrawal(connection: Connection, kept: Withdrawal, handles: Iterable[bytes]) -> None:
    """Keep a withdrawal and its handles. Raises IntegrityError where its seq has just been taken."""
    connection.execute(insert(withdrawal).values(**kept._asdict()))
    _add_handles(connection, kept, handles)


def is_kept(connection: Connection, epoch_id: bytes, institution_id: str, statement_hash: bytes) -> bool:
    """Whether this very statement was applied."""
    return acknowledged_at(connection, epoch_id, institution_id, statement_hash) is not None


def add_logged(connection: Connection, kept: Withdrawal, handles: Iterable[bytes]) -> None:
    """As `add_withdrawal`, in whatever order it comes. Under a number that is taken, the handles alone are added."""
    connection.execute(insert_into(connection, withdrawal).values(**kept._asdict()).on_conflict_do_nothing())
    _add_handles(connection, kept, handles)


def withdrawn_among(
    connection: Connection, epoch_id: bytes, records: Iterable[tuple[str, bytes]]
) -> frozenset[tuple[str, bytes]]:
    """Those of `records` (institution and handle) that are withdrawn."""
    by_institution: dict[str, list[bytes]] = {}
    for institution_id, handle in records:
        by_institution.setdefault(institution_id, []).append(handle)
    return frozenset(
        (institution_id, handle)
        for institution_id, handles in by_institution.items()
        for start in range(0, len(handles), _HANDLES_A_QUERY)
        for handle in _withdrawn(connection, epoch_id, institution_id, handles[start : start + _HANDLES_A_QUERY])
    )


def _withdrawn(connection: Connection, epoch_id: bytes, institution_id: str, handles: Sequence[bytes]) -> list[bytes]:
    rows = connection.execute(
        select(withdrawn_handle.c.handle).where(
            withdrawn_handle.c.epoch_id == epoch_id,
            withdrawn_handle.c.institution_id == institution_id,
            withdrawn_handle.c.handle.in_(handles),
        )
    ).scalars()
    return [bytes(handle) for handle in rows]


def _add_handles(connection: Connection, kept: Withdrawal, handles: Iterable[bytes]) -> None:
    rows = [{"epoch_id": kept.epoch_id, "institution_id": kept.institution_id, "handle": handle} for handle in handles]
    connection.execute(insert_into(connection, withdrawn_handle).on_conflict_do_nothing(), rows)
