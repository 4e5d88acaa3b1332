"""Temporary tables in which one transaction of the worker hands sets of rows to SQL, instead of long parameter lists.

They live in the connection and in memory, never in a file. Knows no rule; `prepare` also keeps PostgreSQL's planner,
which has no statistics on them, to nested loops over the indexes in the order in which the statements join. For the
same reason statements join by numbers that are unique over all epochs, and compare no column with a constant epoch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, LargeBinary, MetaData, SmallInteger, Table, delete, text
from sqlalchemy.schema import CreateTable

from broker.store.bulk import insert_rows
from runtime.database import is_sqlite

_metadata: Final = MetaData()


def _temporary(name: str, *columns: Column[int] | Column[bytes]) -> Table:
    return Table(name, _metadata, *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DELETE ROWS")


def _entry_columns() -> list[Column[int] | Column[bytes]]:
    return [
        Column("record_id", BigInteger, nullable=False),
        Column("tag", LargeBinary(16), nullable=False),
        Column("kind", SmallInteger, nullable=False),
        Column("epoch", SmallInteger, nullable=False),
        Column("institution", SmallInteger, nullable=False),
        Column("proof", SmallInteger, nullable=False),
    ]


fresh: Final = _temporary("fresh", *_entry_columns())
"""Entries that enter the index, in the columns of `entry`."""

crowded: Final = _temporary(
    "crowded",
    Column("tag", LargeBinary(16), nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("epoch", SmallInteger, nullable=False),
)
"""Tags under which more stands than one entry."""

put_aside: Final = _temporary("put_aside", *_entry_columns(), Column("reason", SmallInteger, nullable=False))
"""Entries that leave the index for `set_aside`, in the columns of that table."""

touched: Final = _temporary("touched", Column("record_id", BigInteger, nullable=False))
"""Records to look at."""

nearby_tag: Final = _temporary(
    "nearby_tag",
    Column("tag", LargeBinary(16), nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("epoch", SmallInteger, nullable=False),
)
"""Tags that join the touched records to others."""

nearby: Final = _temporary("nearby", Column("record_id", BigInteger, nullable=False))
"""The touched records, and all that share a meeting with one of them."""

membership: Final = _temporary(
    "membership", Column("record_id", BigInteger, nullable=False), Column("alert", BigInteger, nullable=False)
)
"""Which alert a record belongs to from now on."""

relabelled: Final = _temporary(
    "relabelled", Column("alert", BigInteger, nullable=False), Column("survivor", BigInteger, nullable=False)
)
"""Alerts that merge into another."""

named: Final = _temporary(
    "named",
    Column("handle", LargeBinary(16), nullable=False),
    Column("institution", SmallInteger, nullable=False),
    Column("epoch", SmallInteger, nullable=False),
)
"""Handles that a withdrawal names."""

chosen: Final = _temporary("chosen", Column("alert", BigInteger, nullable=False))
"""Alerts to look at."""


_KEEP_TO_NESTED_LOOPS: Final = "".join(
    f"SET LOCAL {setting};"
    for setting in (
        "enable_hashjoin = off",
        "enable_mergejoin = off",
        "enable_seqscan = off",
        "enable_bitmapscan = off",
        "enable_material = off",
        "join_collapse_limit = 1",
        "from_collapse_limit = 1",
    )
)


def prepare(connection: Connection) -> None:
    """Make the temporary tables where the connection has none yet, and empty them."""
    if not is_sqlite(connection):
        connection.execute(text(_KEEP_TO_NESTED_LOOPS))
    for table in _metadata.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        if is_sqlite(connection):
            connection.execute(delete(table))


def refill(connection: Connection, table: Table, rows: Iterable[tuple[int | bytes, ...]]) -> None:
    """Replace what `table` holds by `rows`."""
    connection.execute(delete(table))
    insert_rows(connection, table, list(rows))


def refill_numbers(connection: Connection, table: Table, numbers: Iterable[int]) -> None:
    """Replace what a table of one column holds by `numbers`."""
    refill(connection, table, [(number,) for number in numbers])
