"""Numbers for submissions and alerts, given out once. Knows not what they are for."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from broker.store.schema import counter

SUBMISSIONS = "submission"
ALERTS = "alert"


def start_counters(connection: Connection) -> None:
    """Make the counters where there are none yet."""
    known = set(connection.execute(select(counter.c.name)).scalars())
    for name in {SUBMISSIONS, ALERTS} - known:
        connection.execute(insert(counter), {"name": name, "last": 0})


def take_numbers(connection: Connection, name: str, count: int) -> range:
    """The next `count` numbers of a counter; others wait for theirs until the transaction ends."""
    last = connection.execute(
        update(counter).where(counter.c.name == name).values(last=counter.c.last + count).returning(counter.c.last)
    ).scalar_one()
    return range(last - count + 1, last + 1)
