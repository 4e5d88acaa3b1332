"""What an institution remembers between two nights, one SQLite file an epoch: keyed digests, handles and statements.

It must hold no identifier and no value of the source: rows are known by keyed digests, what lies in the outbox is what
the broker gets, and the journal is sealed. Mode 0600, write-ahead log, one program at a time.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from clients.institution.state_migrations import StateFromTheFuture, migrate
from runtime.exits import ExitCode, UserError

_BUSY_MILLISECONDS = 10_000
_DISK_CODES = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC})
_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT})


class State:
    """The open state of one institution in one epoch. A context manager; holds the folder's lock while open."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: int | None) -> None:
        self.path = path
        self.connection = connection
        self._lock = lock

    @classmethod
    def open(cls, folder: Path, epoch_id: bytes, institution_id: str, *, to_look_only: bool = False) -> State:
        """Open (or make) the state of the epoch in `folder`, and migrate it.

        `to_look_only` takes no lock, so that one can look while another program is at work. Raises UserError where
        another program is at work, where the state belongs to another institution or a later release, or where the
        disk is full.
        """
        path = state_path(folder, epoch_id)
        with disk_errors():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = None if to_look_only else _lock(folder / "lock")
            try:
                # Made here, so that SQLite's own files, which copy its mode, are never readable by others either.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
                path.chmod(0o600)
                connection = _connect(path)
            except BaseException:
                _unlock(lock)
                raise
        state = cls(path, connection, lock)
        try:
            with disk_errors():
                migrate(connection)
                state._claim(epoch_id, institution_id)
        except StateFromTheFuture as fault:
            state.close()
            raise UserError(f"{path}: {fault}; install the later release.", ExitCode.DOCUMENTS_REFUSED) from None
        except BaseException:
            state.close()
            raise
        return state

    def __enter__(self) -> State:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and give the lock back."""
        self.connection.close()
        _unlock(self._lock)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction: on disk when the block ends, undone when it raises. Raises UserError on a full disk."""
        with disk_errors():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself where the disk was full.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def fact(self, name: str) -> bytes | None:
        """The fact of that name, or None."""
        row = self.connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def _claim(self, epoch_id: bytes, institution_id: str) -> None:
        """Write down whose state this is, or refuse to go on with another's."""
        expected = {"epoch_id": epoch_id, "institution_id": institution_id.encode("ascii")}
        for name, value in expected.items():
            found = self.fact(name)
            if found is None:
                with self.transaction() as connection:
                    connection.execute("INSERT INTO facts VALUES (?, ?)", (name, value))
            elif found != value:
                raise UserError(
                    f"{self.path} is the state of another {name.removesuffix('_id')}; give each its own home.",
                    ExitCode.DOCUMENTS_REFUSED,
                )


def state_path(folder: Path, epoch_id: bytes) -> Path:
    """The file in `folder` that holds the state of the epoch."""
    return folder / f"epoch-{epoch_id.hex()[:16]}.sqlite3"


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn a full disk into one sentence: everything committed before stays, and the next run goes on from there."""
    try:
        yield
    except sqlite3.Error as fault:
        if getattr(fault, "sqlite_errorcode", 0) not in _DISK_CODES:
            raise
        raise _disk_full() from None
    except OSError as fault:
        if fault.errno not in _DISK_ERRORS:
            raise
        raise _disk_full() from None


def _disk_full() -> UserError:
    return UserError(
        "The disk is full: nothing that was written before is lost; free some space and run the same command again.",
        ExitCode.PARTLY_DONE,
    )


def _unlock(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # What the journal forgets is overwritten.
    connection.execute("PRAGMA secure_delete = ON")
    # The digests of one pass over the source may be many; what SQLite spills is unlinked as soon as it is open.
    connection.execute("PRAGMA temp_store = FILE")
    return connection


def _lock(path: Path) -> int:
    """Take the folder's lock, or say that another program has it. The kernel gives it back when a program is killed."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise UserError(
            f"Another crosslight command is at work in {path.parent}: wait until it has ended.",
            ExitCode.PARTLY_DONE,
        ) from None
    return descriptor
