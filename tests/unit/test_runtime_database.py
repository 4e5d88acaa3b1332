"""Databases: what is committed stays, what fails leaves nothing, and both kinds behave alike."""

import os
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from runtime.database import open_engine, read_transaction, run_in_transaction, write_transaction
from runtime.exits import ExitCode, UserError

METADATA = MetaData()
NOTES = Table("note", METADATA, Column("id", Integer, primary_key=True), Column("text", String, nullable=False))


@pytest.fixture
def engine(database_url: str) -> Engine:
    """An open database with one table."""
    engine = open_engine(database_url)
    with write_transaction(engine) as connection:
        METADATA.create_all(connection)
    return engine


def count(engine: Engine) -> int:
    with read_transaction(engine) as connection:
        return connection.execute(select(func.count()).select_from(NOTES)).scalar_one()


def test_a_write_transaction_commits_at_its_end(engine: Engine) -> None:
    with write_transaction(engine) as connection:
        connection.execute(insert(NOTES).values(id=1, text="kept"))
    assert count(engine) == 1


def test_an_exception_leaves_nothing_of_the_transaction(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), write_transaction(engine) as connection:
        connection.execute(insert(NOTES).values(id=1, text="gone"))
        raise ZeroDivisionError
    assert count(engine) == 0


def test_concurrent_increments_are_all_counted(engine: Engine) -> None:
    with write_transaction(engine) as connection:
        connection.execute(insert(NOTES).values(id=1, text="0"))

    def increment() -> None:
        for _ in range(5):
            with write_transaction(engine) as connection:
                row = connection.execute(select(NOTES.c.text).where(NOTES.c.id == 1).with_for_update()).scalar_one()
                connection.execute(update(NOTES).values(text=str(int(row) + 1)))

    threads = [threading.Thread(target=increment) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with read_transaction(engine) as connection:
        assert connection.execute(select(NOTES.c.text)).scalar_one() == "40"


def test_a_read_transaction_sees_one_snapshot(engine: Engine) -> None:
    with read_transaction(engine) as reading:
        assert reading.execute(select(func.count()).select_from(NOTES)).scalar_one() == 0
        with write_transaction(engine) as writing:
            writing.execute(insert(NOTES).values(id=1, text="later"))
        assert reading.execute(select(func.count()).select_from(NOTES)).scalar_one() == 0
    assert count(engine) == 1


def test_statement_parameters_never_enter_exception_texts(engine: Engine) -> None:
    with pytest.raises(DBAPIError) as caught, write_transaction(engine) as connection:
        connection.execute(insert(NOTES).values(id=1, text="+44 7700 900123"))
        connection.execute(insert(NOTES).values(id=1, text="+44 7700 900123"))
    assert "900123" not in str(caught.value)


def test_a_deadlock_is_run_again(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    with write_transaction(engine) as connection:
        METADATA.create_all(connection)
        connection.execute(insert(NOTES), [{"id": 1, "text": ""}, {"id": 2, "text": ""}])
    meeting = threading.Barrier(2)
    attempts = []

    def touch(first: int, second: int) -> None:
        def work(connection: object) -> None:
            attempts.append(first)
            connection.execute(update(NOTES).where(NOTES.c.id == first).values(text="x"))  # type: ignore[attr-defined]
            if len(attempts) <= 2:
                meeting.wait(timeout=30)
            connection.execute(update(NOTES).where(NOTES.c.id == second).values(text="x"))  # type: ignore[attr-defined]

        run_in_transaction(engine, work)

    threads = [threading.Thread(target=touch, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(attempts) == 3


def test_a_failure_that_is_not_transient_is_not_run_again(engine: Engine) -> None:
    attempts = []

    def work(connection: object) -> None:
        attempts.append(1)
        connection.execute(insert(NOTES).values(id=1, text=None))  # type: ignore[attr-defined]

    with pytest.raises(IntegrityError):
        run_in_transaction(engine, work)
    assert len(attempts) == 1


def test_a_sqlite_file_is_private_durable_and_keeps_foreign_keys(tmp_path: Path) -> None:
    path = tmp_path / "private.sqlite"
    engine = open_engine(f"sqlite:///{path}")
    with write_transaction(engine) as connection:
        METADATA.create_all(connection)
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
        assert path.stat().st_mode & 0o777 == 0o600
        assert Path(f"{path}-wal").stat().st_mode & 0o777 == 0o600
    assert sqlite3.connect(path).execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_forked_process_opens_connections_of_its_own(engine: Engine) -> None:
    assert count(engine) == 0
    child = os.fork()
    if child == 0:
        try:
            with write_transaction(engine) as connection:
                connection.execute(insert(NOTES).values(id=7, text="from the child"))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert count(engine) == 1


@pytest.mark.parametrize(
    "url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "no url", "sqlite:////no/such/dir/x"]
)
def test_other_databases_are_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(UserError) as caught:
        open_engine(url)
    assert caught.value.exit_code == ExitCode.DOCUMENTS_REFUSED
