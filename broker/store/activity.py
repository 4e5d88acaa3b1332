"""Statements over what depends on a match: events that wait for an hour's activity leaf, hours that were closed.

Knows texts and numbers; how a commitment is made, policies.log.activity knows. No submitter is ever shown any of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, update

from broker.store.log_schema import activity_event, activity_hour


class EventRow(NamedTuple):
    """An event with its salt (16 bytes); `place` is among the commitments of its hour, None while it waits."""

    serial: int
    at: int
    salt: bytes
    event: str
    hour: int | None
    place: int | None


_COLUMNS = tuple(activity_event.c[name] for name in EventRow._fields)


def add_event(connection: Connection, at: int, salt: bytes, event: str) -> None:
    """Let an event wait for an hour."""
    connection.execute(insert(activity_event), {"at": at, "salt": salt, "event": event})


def waiting_events(connection: Connection, before: int, limit: int) -> list[EventRow]:
    """The first events that have no hour and came before a time (Unix seconds)."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(activity_event.c.hour.is_(None), activity_event.c.at < before)
        .order_by(activity_event.c.serial)
        .limit(limit)
    )
    return [EventRow(row[0], row[1], bytes(row[2]), row[3], row[4], row[5]) for row in rows]


def close_hour(
    connection: Connection, hour: int, commitments: bytes, secret: bytes, placed: Sequence[tuple[int, int]]
) -> None:
    """Keep an hour's commitments and its secret; `placed` are the (serial, place) of the events behind them."""
    connection.execute(insert(activity_hour), {"hour": hour, "commitments": commitments, "secret": secret})
    if placed:
        connection.execute(
            update(activity_event)
            .where(activity_event.c.serial == bindparam("of_serial"))
            .values(hour=hour, place=bindparam("at_place")),
            [{"of_serial": serial, "at_place": place} for serial, place in placed],
        )


def last_hour(connection: Connection) -> int | None:
    """The newest hour that was closed."""
    found: int | None = connection.execute(select(func.max(activity_hour.c.hour))).scalar_one()
    return found


def hours_from(connection: Connection, first: int, limit: int) -> list[tuple[int, bytes, bytes]]:
    """Closed hours from one on, with their commitments and their secret, oldest first."""
    rows = connection.execute(
        select(activity_hour.c.hour, activity_hour.c.commitments, activity_hour.c.secret)
        .where(activity_hour.c.hour >= first)
        .order_by(activity_hour.c.hour)
        .limit(limit)
    )
    return [(row[0], bytes(row[1]), bytes(row[2])) for row in rows]


def events_of_hour(connection: Connection, hour: int) -> list[EventRow]:
    """The events behind an hour's commitments, by place."""
    rows = connection.execute(select(*_COLUMNS).where(activity_event.c.hour == hour).order_by(activity_event.c.place))
    return [EventRow(row[0], row[1], bytes(row[2]), row[3], row[4], row[5]) for row in rows]


def count_waiting(connection: Connection) -> int:
    """Events that no hour had room for yet."""
    query = select(func.count()).select_from(activity_event).where(activity_event.c.hour.is_(None))
    return connection.execute(query).scalar_one()
