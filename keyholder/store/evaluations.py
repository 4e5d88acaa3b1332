"""Charging evaluations: exact under any number of threads, processes and replicas, once for each chunk.

One conditional UPSERT decides, in the database. Knows counts and digests; never an element. The statements are plain
SQL, the same on both databases, because every request runs them and building them anew would cost more than running.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, TextClause, text


class Charge(NamedTuple):
    """What one chunk costs whom: `elements` evaluations of one family on one day (YYYY-MM-DD)."""

    epoch_id: bytes
    institution_id: str
    family: str
    day: str
    digest: bytes
    elements: int


class Account(NamedTuple):
    """How things stand before an evaluation: is the asker suspended, is the chunk paid, what was spent so far."""

    suspended: bool
    paid: bool
    spent: int
    spent_today: int


_ACCOUNT = text(
    "SELECT EXISTS (SELECT 1 FROM suspension WHERE party_id = :institution_id),"
    " EXISTS (SELECT 1 FROM chunk WHERE institution_id = :institution_id AND digest = :digest),"
    " (SELECT spent FROM budget"
    " WHERE epoch_id = :epoch_id AND institution_id = :institution_id AND family = :family),"
    " (SELECT elements FROM daily_count"
    " WHERE epoch_id = :epoch_id AND day = :day AND institution_id = :institution_id AND family = :family)"
)
_REMEMBER = text(
    "INSERT INTO chunk (institution_id, digest, epoch_id, charged_at)"
    " VALUES (:institution_id, :digest, :epoch_id, :now) ON CONFLICT DO NOTHING RETURNING charged_at"
)
_SPEND = text(
    "INSERT INTO budget (epoch_id, institution_id, family, spent)"
    " VALUES (:epoch_id, :institution_id, :family, :elements)"
    " ON CONFLICT (epoch_id, institution_id, family) DO UPDATE SET spent = budget.spent + excluded.spent"
    " WHERE budget.spent + excluded.spent <= :limit RETURNING spent"
)
_COUNT = text(
    "INSERT INTO daily_count (epoch_id, day, institution_id, family, elements)"
    " VALUES (:epoch_id, :day, :institution_id, :family, :elements)"
    " ON CONFLICT (epoch_id, day, institution_id, family)"
    " DO UPDATE SET elements = daily_count.elements + excluded.elements"
    " WHERE daily_count.elements + excluded.elements <= :limit RETURNING elements"
)
_NO_LIMIT = 2**62


def account(connection: Connection, charge: Charge) -> Account:
    """How things stand for a charge that has not been made."""
    suspended, paid, spent, today = connection.execute(_ACCOUNT, charge._asdict()).one()
    return Account(bool(suspended), bool(paid), spent or 0, today or 0)


def charge_epoch(connection: Connection, charge: Charge, limit: int, now: int) -> bool:
    """Charge against `limit` elements an epoch; False (and nothing durable may follow) where it does not suffice.

    A chunk that was charged before costs nothing. The caller rolls back on False.
    """
    if not _remember(connection, charge, now):
        return True
    return _add(connection, _SPEND, charge, limit) and _add(connection, _COUNT, charge, _NO_LIMIT)


def charge_day(connection: Connection, charge: Charge, limit: int, now: int) -> bool:
    """As `charge_epoch`, against `limit` elements a day."""
    return not _remember(connection, charge, now) or _add(connection, _COUNT, charge, limit)


def _remember(connection: Connection, charge: Charge, now: int) -> bool:
    """Whether the chunk is new. A transaction that charges the same one at this moment is waited for."""
    return connection.execute(_REMEMBER, {**charge._asdict(), "now": now}).first() is not None


def _add(connection: Connection, statement: TextClause, charge: Charge, limit: int) -> bool:
    """Add the charge's elements to its row, making the row at first; False where that would exceed `limit`."""
    if charge.elements > limit:
        return False
    return connection.execute(statement, {**charge._asdict(), "limit": limit}).first() is not None
