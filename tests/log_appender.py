"""Two programs for tests to kill: one commits transactions with a leaf each, the other gives the leaves their places.

`python -m tests.log_appender append URL NAME` and `python -m tests.log_appender sequence URL`; both run until killed. A
transaction is a row in `login` under the appender's name, so that a test can hold rows and leaves against each other.
"""

from __future__ import annotations

import itertools
import sys

from sqlalchemy import Connection, Engine

from broker.log.append import append
from broker.log.sequencer import Sequencer
from broker.store.logins import note_login
from runtime.clock import SystemClock
from runtime.database import open_engine, run_in_transaction


def leaf_of(name: str, number: int) -> bytes:
    """The leaf of one transaction."""
    return f"{name} {number:010}".encode()


def unsigned_note(size: int, root: bytes) -> str:
    """What stands in a checkpoint's place here."""
    return f"{size} {root.hex()}"


def commit_one(engine: Engine, name: str, number: int, *, fail: bool = False) -> None:
    """One transaction with its leaf; with `fail`, rolled back at its end."""

    def work(connection: Connection) -> None:
        note_login(connection, name, f"{number:010}")
        append(connection, leaf_of(name, number))
        if fail:
            raise LookupError("rolled back")

    run_in_transaction(engine, work)


def main(arguments: list[str]) -> None:
    """Run one of the two, until killed."""
    engine = open_engine(arguments[1])
    if arguments[0] == "append":
        for number in itertools.count():
            commit_one(engine, arguments[2], number)
    sequencer = Sequencer(engine, SystemClock(), unsigned_note)
    while True:
        sequencer.step()


if __name__ == "__main__":
    main(sys.argv[1:])
