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
