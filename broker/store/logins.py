"""Which party was here on which day: the day's first visit is told apart from the others. Knows no leaf."""

from __future__ import annotations

from sqlalchemy import Connection, delete
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from broker.store.log_schema import login
from runtime.database import is_sqlite


def note_login(connection: Connection, party_id: str, day: str) -> bool:
    """Note that a party is here on a day (YYYY-MM-DD); tell whether it is the first time that day."""
    insert = sqlite_insert if is_sqlite(connection) else postgresql_insert
    statement = insert(login).values(party_id=party_id, day=day).on_conflict_do_nothing()
    return connection.execute(statement.execution_options(preserve_rowcount=True)).rowcount == 1


def forget_logins(connection: Connection, before_day: str) -> None:
    """Forget the days before one: their leaves are in the log."""
    connection.execute(delete(login).where(login.c.day < before_day))
