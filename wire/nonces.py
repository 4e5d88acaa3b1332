"""Nonces of requests: each counts once for its key, remembered in the same transaction as the request's effect.

Knows key ids and nonces; not whose they are.
"""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Connection, LargeBinary, MetaData, Table, delete
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from runtime.database import is_sqlite
from wire.problems import Problem

# Longer than a signature can live: window 300 s and skew 60 s, and as much again for clocks that step.
KEPT_SECONDS = 600
TABLE_NAME = "request_nonce"


def nonce_columns() -> list[Column[bytes] | Column[int]]:
    """Return the table's columns, for the table and for the migration that makes it."""
    return [
        Column("key_id", LargeBinary(8), primary_key=True),
        Column("nonce", LargeBinary(16), primary_key=True),
        Column("seen_at", BigInteger, nullable=False, index=True),
    ]


def nonce_table(metadata: MetaData) -> Table:
    """Declare the table of nonces in a service's metadata (or return the one already there)."""
    if TABLE_NAME in metadata.tables:
        return metadata.tables[TABLE_NAME]
    return Table(TABLE_NAME, metadata, *nonce_columns())


def spend_nonce(connection: Connection, table: Table, key_id: bytes, nonce: bytes, now: datetime) -> None:
    """Remember the nonce (16 bytes) of a key (id of 8 bytes). Raises Problem 409 `replay` if it was spent before.

    Now and then, the oldest are forgotten in the same transaction.
    """
    seen_at = int(now.timestamp())
    insert = sqlite_insert if is_sqlite(connection) else postgresql_insert
    statement = insert(table).values(key_id=key_id, nonce=nonce, seen_at=seen_at).on_conflict_do_nothing()
    # psycopg's count of inserted rows is gone once SQLAlchemy has closed the cursor, unless it is asked to keep it.
    if connection.execute(statement.execution_options(preserve_rowcount=True)).rowcount != 1:
        raise Problem(409, "replay", "replayed request", "This signed request was received before: sign a new one.")
    # Nonces are random, so this is one request in 64, without a counter to share.
    if nonce[0] < 4:
        prune_nonces(connection, table, now)


def prune_nonces(connection: Connection, table: Table, now: datetime) -> int:
    """Forget nonces older than 600 s, whose signatures have long expired; return how many."""
    return connection.execute(delete(table).where(table.c.seen_at < int(now.timestamp()) - KEPT_SECONDS)).rowcount
