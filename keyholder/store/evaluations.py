"""Charging evaluations: exact under any number of threads, processes and replicas, once for each chunk.

One conditional UPSERT decides, in the database. Knows counts and digests; never an element.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, Table, select

from keyholder.store.inserting import insert_into, inserts
from keyholder.store.schema import budget, chunk, daily_count


class Charge(NamedTuple):
    """What one chunk costs whom: `elements` evaluations of one family on one day (YYYY-MM-DD)."""

    epoch_id: bytes
    institution_id: str
    family: str
    day: str
    digest: bytes
    elements: int


class Account(NamedTuple):
    """What the database says before an evaluation: whether the chunk is paid, and what was spent so far."""

    paid: bool
    spent: int
    spent_today: int


def account(connection: Connection, charge: Charge) -> Account:
    """How things stand for a charge that has not been made."""
    paid = connection.execute(
        select(chunk.c.charged_at).where(
            chunk.c.institution_id == charge.institution_id, chunk.c.digest == charge.digest
        )
    ).first()
    spent = connection.execute(
        select(budget.c.spent).where(
            budget.c.epoch_id == charge.epoch_id,
            budget.c.institution_id == charge.institution_id,
            budget.c.family == charge.family,
        )
    ).scalar_one_or_none()
    today = connection.execute(
        select(daily_count.c.elements).where(
            daily_count.c.epoch_id == charge.epoch_id,
            daily_count.c.day == charge.day,
            daily_count.c.institution_id == charge.institution_id,
            daily_count.c.family == charge.family,
        )
    ).scalar_one_or_none()
    return Account(paid is not None, spent or 0, today or 0)


def charge_epoch(connection: Connection, charge: Charge, limit: int, now: int) -> bool:
    """Charge against `limit` elements an epoch; False (and nothing durable may follow) where it does not suffice.

    A chunk that was charged before costs nothing. The caller rolls back on False.
    """
    if not _remember(connection, charge, now):
        return True
    spent = {"epoch_id": charge.epoch_id, "institution_id": charge.institution_id, "family": charge.family}
    if not _add(connection, budget, spent, "spent", charge.elements, limit):
        return False
    return _count(connection, charge, None)


def charge_day(connection: Connection, charge: Charge, limit: int, now: int) -> bool:
    """As `charge_epoch`, against `limit` elements a day."""
    return not _remember(connection, charge, now) or _count(connection, charge, limit)


def _remember(connection: Connection, charge: Charge, now: int) -> bool:
    """Whether the chunk is new. A transaction that charges the same one at this moment is waited for."""
    statement = insert_into(connection, chunk).values(
        institution_id=charge.institution_id, digest=charge.digest, epoch_id=charge.epoch_id, charged_at=now
    )
    return inserts(connection, statement.on_conflict_do_nothing())


def _count(connection: Connection, charge: Charge, limit: int | None) -> bool:
    named = {
        "epoch_id": charge.epoch_id,
        "day": charge.day,
        "institution_id": charge.institution_id,
        "family": charge.family,
    }
    return _add(connection, daily_count, named, "elements", charge.elements, limit)


def _add(
    connection: Connection, table: Table, named: Mapping[str, object], column: str, amount: int, limit: int | None
) -> bool:
    """Add `amount` to a row's `column`, making the row at first; False where that would exceed `limit`."""
    if limit is not None and amount > limit:
        return False
    statement = insert_into(connection, table).values(**named, **{column: amount})
    total = table.c[column] + statement.excluded[column]
    updating = statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={column: total},
        where=None if limit is None else total <= limit,
    )
    return inserts(connection, updating)
