"""INSERT ... ON CONFLICT in the dialect of the connection: both databases know it, SQLAlchemy spells it per dialect.

Knows no table.
"""

from __future__ import annotations

from typing import TypeAlias

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from runtime.database import is_sqlite

Insert: TypeAlias = postgresql.Insert | sqlite.Insert


def insert_into(connection: Connection, table: Table) -> Insert:
    """An INSERT statement that has `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return sqlite.insert(table) if is_sqlite(connection) else postgresql.insert(table)


def inserts(connection: Connection, statement: Insert) -> bool:
    """Execute an INSERT of one row; whether it inserted or updated that row, rather than meeting a conflict."""
    # psycopg's count of rows is gone once SQLAlchemy has closed the cursor, unless it is asked to keep it.
    return connection.execute(statement.execution_options(preserve_rowcount=True)).rowcount == 1
