"""The auditor's own copy of the log: one SQLite file that grows with what was verified, and never with anything else.

A batch of leaves and the place that was reached are one transaction: killed at any point, the next run goes on there.
Knows no key and no network.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from clients.auditor.ledger_schema import SCHEMA, DecisionFilter, DecisionRow, Finding, LeafRow
from policies.documents import SignedDocument
from runtime.exits import ExitCode, UserError

_WAIT = 30.0
_DECISION = "position, at, party, role, action, allowed, rules, replayed, trouble"


class Ledger:
    """The copy in the file at `path`, made where there is none. Safe under threads: a connection a call."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with closing(self._connect()) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(SCHEMA)
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"The copy of the log in {path} cannot be used ({error}): move it away, and `crosslight auditor log "
                "verify` makes a new one.",
                ExitCode.INPUT_REFUSED,
            ) from None

    # What was verified

    @property
    def size(self) -> int:
        """How many leaves are here: all before this position, without a gap."""
        return int(self.state("size") or b"0")

    def state(self, name: str) -> bytes | None:
        """A kept value; None where there is none."""
        rows = self._all("SELECT value FROM state WHERE name = ?", (name,))
        return bytes(rows[0][0]) if rows else None

    def set_state(self, **values: bytes) -> None:
        """Keep values."""
        with self.writing() as connection:
            _set_state(connection, values)

    def append(self, leaves: Sequence[LeafRow], decisions: Sequence[DecisionRow], size: int, **state: bytes) -> None:
        """Add leaves that follow those that are here, with the decisions among them; `size` is what is here then."""
        with self.writing() as connection:
            connection.executemany(
                "INSERT INTO leaf (position, hash, type, at, party, body) VALUES (?, ?, ?, ?, ?, ?)",
                [(one.position, one.hash, one.type, one.at, one.party, one.body) for one in leaves],
            )
            connection.executemany(
                "INSERT INTO decision (position, at, party, role, action, allowed, rules) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (one.position, one.at, one.party, one.role, one.action, one.allowed, _joined(one.rules))
                    for one in decisions
                ],
            )
            _set_state(connection, {"size": str(size).encode(), **state})

    def truncate(self) -> None:
        """Forget every leaf, to read the log anew."""
        with self.writing() as connection:
            for table in ("leaf", "decision", "state"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608  (the names stand in this line)

    # Leaves

    def leaf(self, position: int) -> LeafRow | None:
        """The leaf at a place; None where there is none."""
        rows = self._all("SELECT position, hash, type, at, party, body FROM leaf WHERE position = ?", (position,))
        return LeafRow(*rows[0]) if rows else None

    def leaves(self, event: str | None = None, *, first: int = 0, party: str | None = None) -> Iterator[LeafRow]:
        """The leaves of an event (all), in order from a place on, read as they are asked for."""
        where, values = ["position >= ?"], [first]
        for name, value in (("type", event), ("party", party)):
            if value is not None:
                where.append(f"{name} = ?")
                values.append(value)  # type: ignore[arg-type]
        query = f"SELECT position, hash, type, at, party, body FROM leaf WHERE {' AND '.join(where)} ORDER BY position"  # noqa: S608
        with closing(self._connect()) as connection:
            for row in connection.execute(query, values):
                yield LeafRow(*row)

    def hashes(self, first: int, end: int) -> Iterator[bytes]:
        """The hashes of the leaves from `first` to before `end`, in order, read as they are asked for."""
        query = "SELECT hash FROM leaf WHERE position >= ? AND position < ? ORDER BY position"
        with closing(self._connect()) as connection:
            for (found,) in connection.execute(query, (first, end)):
                yield bytes(found)

    def page_of_leaves(
        self, event: str | None, party: str | None, since: int | None, until: int | None, start: int, count: int
    ) -> tuple[list[LeafRow], int]:
        """`count` leaves of an event, a party and a time (of all where None), the newest first, from the `start`th;
        and how many there are.
        """
        given = (("type = ?", event), ("party = ?", party), ("at >= ?", since), ("at < ?", until))
        texts = [condition for condition, value in given if value is not None]
        values = [value for _, value in given if value is not None]
        where = f"WHERE {' AND '.join(texts)}" if texts else ""
        total = int(self._all(f"SELECT count(*) FROM leaf {where}", values)[0][0])  # noqa: S608
        rows = self._all(
            f"SELECT position, hash, type, at, party, body FROM leaf {where} ORDER BY position DESC LIMIT ? OFFSET ?",  # noqa: S608
            (*values, count, start),
        )
        return [LeafRow(*row) for row in rows], total

    def counts(self) -> dict[str, int]:
        """How many leaves there are of each event."""
        return dict(self._all("SELECT type, count(*) FROM leaf GROUP BY type ORDER BY type"))

    # Decisions

    def decisions(self, wanted: DecisionFilter, start: int = 0, count: int = -1) -> list[DecisionRow]:
        """The decisions that a filter wants, the newest first; -1: all."""
        where, values = _where(wanted)
        query = f"SELECT {_DECISION} FROM decision {where} ORDER BY position DESC LIMIT ? OFFSET ?"  # noqa: S608
        return [_decision(row) for row in self._all(query, (*values, count, start))]

    def decision(self, position: int) -> DecisionRow | None:
        """The decision at a place of the log; None where there is none."""
        rows = self._all(f"SELECT {_DECISION} FROM decision WHERE position = ?", (position,))  # noqa: S608
        return _decision(rows[0]) if rows else None

    def count_decisions(self, wanted: DecisionFilter) -> int:
        """How many decisions a filter wants."""
        where, values = _where(wanted)
        return int(self._all(f"SELECT count(*) FROM decision {where}", values)[0][0])  # noqa: S608

    def choices(self) -> dict[str, list[str]]:
        """The parties, actions and rules that decisions name, for whoever filters."""
        rules = {rule for (joined,) in self._all("SELECT DISTINCT rules FROM decision") for rule in joined.split()}
        return {
            "party": [row[0] for row in self._all("SELECT DISTINCT party FROM decision ORDER BY party")],
            "action": [row[0] for row in self._all("SELECT DISTINCT action FROM decision ORDER BY action")],
            "rule": sorted(rules),
        }

    def replayed(self) -> tuple[int, int, int]:
        """How many decisions there are, how many were replayed, how many answers differed."""
        row = self._all("SELECT count(*), coalesce(sum(replayed), 0), coalesce(sum(trouble <> ''), 0) FROM decision")[0]
        return int(row[0]), int(row[1]), int(row[2])

    def set_replayed(self, troubles: Iterable[tuple[int, str]], upto: int) -> None:
        """Keep the outcome of a replay by position (empty: it holds), and up to where all were replayed."""
        with self.writing() as connection:
            connection.executemany(
                "UPDATE decision SET replayed = 1, trouble = ? WHERE position = ?",
                [(trouble, position) for position, trouble in troubles],
            )
            _set_state(connection, {"replayed_upto": str(upto).encode()})

    # Findings, documents, answers

    def findings(self, subject: str | None = None) -> list[Finding]:
        """What does not hold."""
        where = "" if subject is None else "WHERE subject = ?"
        rows = self._all(
            f"SELECT subject, sentence, position FROM finding {where} ORDER BY number",  # noqa: S608
            () if subject is None else (subject,),
        )
        return [Finding(*row) for row in rows]

    def set_findings(self, subject: str, findings: Iterable[Finding]) -> None:
        """Put what a check found in the place of what it found before."""
        with self.writing() as connection:
            connection.execute("DELETE FROM finding WHERE subject = ?", (subject,))
            connection.executemany(
                "INSERT OR IGNORE INTO finding (subject, position, sentence) VALUES (?, ?, ?)",
                [(one.subject, one.position, one.sentence) for one in findings],
            )

    def keep_documents(self, documents: Iterable[SignedDocument]) -> None:
        """Keep signed documents as the broker listed them, believed or not."""
        with self.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO document (hash, type, signed) VALUES (?, ?, ?)",
                [(one.hash, one.type, json.dumps(one.to_json())) for one in documents],
            )

    def documents(self) -> list[SignedDocument]:
        """The signed documents that the broker ever listed here, in no order."""
        rows = self._all("SELECT signed FROM document ORDER BY type, hash")
        return [SignedDocument.from_json(json.loads(signed)) for (signed,) in rows]

    def answers(self, source: str) -> list[tuple[int, str]]:
        """What a service answered beside the log, by number (an hour, a decision's number)."""
        return [
            (int(number), str(body))
            for number, body in self._all("SELECT number, body FROM answer WHERE source = ? ORDER BY number", (source,))
        ]

    def keep_answers(self, source: str, answers: Iterable[tuple[int, str]]) -> None:
        """Keep answers."""
        with self.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO answer (source, number, body) VALUES (?, ?, ?)",
                [(source, number, body) for number, body in answers],
            )

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that writes."""
        with closing(self._connect()) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection

    def _all(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with closing(self._connect()) as connection:
            return connection.execute(query, values).fetchall()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None)
        # What a power cut takes was verified by nobody else, and is simply read again.
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection


def _set_state(connection: sqlite3.Connection, values: dict[str, bytes]) -> None:
    connection.executemany("INSERT OR REPLACE INTO state (name, value) VALUES (?, ?)", list(values.items()))


def _joined(rules: Sequence[str]) -> str:
    return f" {' '.join(rules)} " if rules else ""


def _decision(row: tuple[Any, ...]) -> DecisionRow:
    position, at, party, role, action, allowed, rules, replayed, trouble = row
    return DecisionRow(position, at, party, role, action, bool(allowed), tuple(rules.split()), bool(replayed), trouble)


def _where(wanted: DecisionFilter) -> tuple[str, list[object]]:
    conditions: list[tuple[str, object]] = [
        ("party = ?", wanted.party),
        ("action = ?", wanted.action),
        ("instr(rules, ?) > 0", f" {wanted.rule} " if wanted.rule else None),
        ("allowed = ?", wanted.allowed),
        ("at >= ?", wanted.since),
        ("at < ?", wanted.until),
    ]
    given = [(condition, value) for condition, value in conditions if value is not None]
    texts = [condition for condition, _ in given] + (["trouble <> ''"] if wanted.differs else [])
    return (f"WHERE {' AND '.join(texts)}" if texts else ""), [value for _, value in given]
