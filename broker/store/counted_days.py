"""Which of the key holders' signed daily counts have become leaves. Knows hashes; no count."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from broker.store.log_schema import counted_day


class CountedDay(NamedTuple):
    """A day (YYYY-MM-DD) whose counts are in the log, and the hash of their document (32 bytes)."""

    day: str
    hash: bytes


def last_counted_day(connection: Connection, epoch_id: bytes, holder: int) -> CountedDay | None:
    """The newest day of a holder in an epoch."""
    row = connection.execute(
        select(counted_day.c.day, counted_day.c.hash)
        .where(counted_day.c.epoch_id == epoch_id, counted_day.c.holder == holder)
        .order_by(counted_day.c.day.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else CountedDay(row[0], bytes(row[1]))


def add_counted_day(connection: Connection, epoch_id: bytes, holder: int, row: CountedDay) -> None:
    """Note a holder's next day. Raises IntegrityError where it is noted already."""
    connection.execute(insert(counted_day), {"epoch_id": epoch_id, "holder": holder, **row._asdict()})
