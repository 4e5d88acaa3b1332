"""Databases: SQLite and PostgreSQL from the same code, opened so that what was committed survives a crash.

Knows engines, transactions and migrations; no table, no model and no party.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from runtime.exits import ExitCode, UserError

Result = TypeVar("Result")

_WRITING = "runtime_writing"
_BUSY_MILLISECONDS = 30_000
# PostgreSQL: serialization_failure and deadlock_detected. Both mean: run the whole transaction again.
_RETRIED_STATES = frozenset({"40001", "40P01"})
_ATTEMPTS = 8

_open_engines: WeakSet[Engine] = WeakSet()


def _forget_inherited_connections() -> None:
    """After a fork, drop the parent's connections without closing them: they are the parent's still."""
    for engine in list(_open_engines):
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_forget_inherited_connections)


def open_engine(url: str, *, pool_size: int = 8) -> Engine:
    """Open the database at `url`: `sqlite:///path` or `postgresql://...`.

    SQLite: write-ahead log, synchronous=FULL, foreign keys, 30 s of patience with other writers; a new file gets mode
    0600. PostgreSQL: psycopg 3. Statement parameters never enter exceptions or logs. Raises UserError (exit code 4)
    for any other URL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UserError("The database URL cannot be read: give sqlite:///PATH or postgresql://...", _REFUSED) from None
    if parsed.get_backend_name() == "sqlite":
        engine = _open_sqlite(parsed.database)
    elif parsed.get_backend_name() == "postgresql":
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=pool_size,
            max_overflow=pool_size,
            isolation_level="READ COMMITTED",
        )
    else:
        raise UserError(
            f"A {parsed.get_backend_name()} database is not supported: give sqlite:///PATH or postgresql://...",
            _REFUSED,
        )
    _open_engines.add(engine)
    return engine


_REFUSED = ExitCode.DOCUMENTS_REFUSED


def _open_sqlite(database: str | None) -> Engine:
    if not database or database == ":memory:":
        raise UserError("The database must be a file: give sqlite:///PATH.", _REFUSED)
    path = Path(database)
    try:
        # Created here for its mode; SQLite gives its write-ahead log the same.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise UserError(f"The database {path} cannot be opened: {error.strerror}.", _REFUSED) from None
    engine = create_engine(f"sqlite:///{path}", hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite_connection)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite_connection(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    assert isinstance(connection, sqlite3.Connection)  # noqa: S101  (tells the type checker what the dialect opened)
    # The driver's own transaction control begins late and only before some statements; ours is explicit.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_MILLISECONDS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA trusted_schema=OFF")
    # Temporary tables and sorts stay in memory: nothing of the database is left in a temporary file.
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail with "busy" without waiting; so writers say so at once.
    writing = connection.get_execution_options().get(_WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def is_sqlite(connection: Connection | Engine) -> bool:
    """Tell whether this is SQLite rather than PostgreSQL."""
    return connection.dialect.name == "sqlite"


@contextmanager
def write_transaction(engine: Engine) -> Iterator[Connection]:
    """Run the block in one writing transaction, committed at its end and rolled back on any exception.

    SQLite: BEGIN IMMEDIATE, one writer at a time. PostgreSQL: READ COMMITTED; take row locks where it matters.
    """
    with engine.connect().execution_options(**{_WRITING: True}) as connection, connection.begin():
        yield connection


@contextmanager
def read_transaction(engine: Engine) -> Iterator[Connection]:
    """Run the block on one unchanging snapshot; on PostgreSQL the database refuses to write in it."""
    connection = engine.connect()
    if not is_sqlite(engine):
        connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with connection, connection.begin():
        yield connection


def run_in_transaction(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    """Run `work` in a writing transaction, and whole again where the database asks for that; return its result.

    Again means: PostgreSQL reports a deadlock or a serialisation failure, SQLite was busy for longer than 30 s. `work`
    must have no effect outside the transaction. Up to 8 attempts, then the database's exception is raised.
    """
    for attempt in Retrying(
        retry=retry_if_exception(is_transient),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.02, max=1.0),
        reraise=True,
    ):
        with attempt, write_transaction(engine) as connection:
            return work(connection)
    raise AssertionError("a retry loop ends by returning or by raising")


def is_transient(error: BaseException) -> bool:
    """Tell whether running the same transaction again may succeed."""
    if not isinstance(error, DBAPIError):
        return False
    original: Any = error.orig
    if isinstance(original, sqlite3.OperationalError):
        return isinstance(error, OperationalError) and getattr(original, "sqlite_errorcode", 0) & 0xFF in (
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
        )
    return getattr(original, "sqlstate", None) in _RETRIED_STATES
