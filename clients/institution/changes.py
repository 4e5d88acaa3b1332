"""What changed in the source since last night: one pass that digests every row, then set operations in the local state.

Raw rows are digested under a local key before anything is normalised, so that an unchanged row costs a digest and
nothing else. It sees row ids and values only to digest them, and decides nothing about the broker.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from clients.institution.row_digests import RowDigests
from clients.institution.state import State, disk_errors
from runtime.exits import UserError
from runtime.progress import Progress

BATCH = 5000

# Renewed in the last tenth of its life: `expires_at - now <= life / 10`, in whole numbers.
_DUE = "10 * (records.expires_at - :now) <= records.expires_at - records.issued_at"


class SourceRow(Protocol):
    """What a source gives: a number for people, the row's id, and its columns as they were read."""

    @property
    def number(self) -> int:
        """The row's place in the source, from 1."""
        ...

    @property
    def row_id(self) -> str:
        """The id that stays with the row from night to night."""
        ...

    @property
    def raw(self) -> Mapping[str, str]:
        """Every column's text."""
        ...


@dataclass(frozen=True, slots=True)
class Changes:
    """Counts of one pass over the source. `due` are unchanged rows whose record is in the last tenth of its life."""

    total: int
    new: int
    changed: int
    due: int
    gone: int
    gone_live: int
    live: int

    @property
    def work(self) -> int:
        """How many rows the second pass has to look at."""
        return self.new + self.changed + self.due


def scan(
    state: State, digests: RowDigests, rows: Iterable[SourceRow], *, now: int, latest_expiry: int, progress: Progress
) -> Changes:
    """Digest all rows, leave in the state which of them need work (`needs_work`), and count.

    `latest_expiry` is the expiry (Unix seconds) that a record made now would get: none is renewed that would not live
    longer for it. Raises UserError where two rows have one id; the state of the rows is not touched.
    """
    connection = state.connection
    with disk_errors():
        _empty_tables(connection)
        connection.execute("BEGIN")
        try:
            total = _digest_all(connection, digests, rows, progress)
            _find_work(connection, now, latest_expiry)
        finally:
            connection.execute("COMMIT")
        return _count(connection, total)


def check_guards(changes: Changes, *, allow_empty: bool, allow_shrink: bool) -> None:
    """Refuse a source that looks broken rather than changed; raises UserError."""
    if changes.total == 0 and not allow_empty:
        raise UserError(
            "The source has 0 rows. If everything is really to be withdrawn, run sync again with --allow-empty; "
            "nothing was sent or changed."
        )
    if changes.total:
        check_shrinking(changes.gone_live, changes.live, "are no longer in the source", allow_shrink=allow_shrink)


def check_shrinking(leaving: int, live: int, what: str, *, allow_shrink: bool) -> None:
    """Refuse to withdraw more than half of the live records at once unless told so; raises UserError."""
    if leaving * 2 > live and leaving > 1 and not allow_shrink:
        raise UserError(
            f"{leaving} of {live} rows with a live record {what}. If that is right, run sync again with "
            "--allow-shrink; their records were left as they are."
        )


def needs_work(state: State, digests: RowDigests, rows: Iterable[SourceRow]) -> Iterator[tuple[bytes, SourceRow, bool]]:
    """The second pass: (row key, row, whether its record is due for renewal) for each row that needs work, once."""
    connection = state.connection
    for batch in _batches(rows):
        keys = [digests.row_key(row.row_id) for row in batch]
        found = _lookup(connection, "SELECT row_key, due FROM temp.work WHERE row_key IN", keys)
        for key, row in zip(keys, batch, strict=True):
            due = found.pop(key, None)
            if due is not None:
                yield key, row, bool(due)


def gone_rows(state: State, limit: int) -> list[tuple[bytes, bytes | None]]:
    """Up to `limit` rows (row key, handle of the live record or None) that the last pass did not find any more."""
    return list(
        state.connection.execute(
            """SELECT row_key, handle FROM source_rows
               WHERE NOT EXISTS (SELECT 1 FROM temp.scan WHERE temp.scan.row_key = source_rows.row_key) LIMIT ?""",
            (limit,),
        )
    )


def _empty_tables(connection: sqlite3.Connection) -> None:
    for name in ("scan", "work"):
        connection.execute(f"DROP TABLE IF EXISTS temp.{name}")
    connection.execute(
        "CREATE TEMP TABLE scan (row_key BLOB PRIMARY KEY, digest BLOB NOT NULL, number INTEGER NOT NULL) WITHOUT ROWID"
    )
    connection.execute("CREATE TEMP TABLE work (row_key BLOB PRIMARY KEY, due INTEGER NOT NULL) WITHOUT ROWID")


def _digest_all(
    connection: sqlite3.Connection, digests: RowDigests, rows: Iterable[SourceRow], progress: Progress
) -> int:
    total = 0
    for batch in _batches(rows):
        digested = [(digests.row_key(row.row_id), digests.raw(row.raw), row.number) for row in batch]
        # In the order of the key, so that neighbours in the tree are written together.
        digested.sort()
        try:
            connection.executemany("INSERT INTO temp.scan VALUES (?, ?, ?)", digested)
        except sqlite3.IntegrityError:
            raise _duplicate(connection, digested) from None
        total += len(batch)
        progress.advance(len(batch))
    return total


def _duplicate(connection: sqlite3.Connection, digested: list[tuple[bytes, bytes, int]]) -> UserError:
    """Name two rows of one id by their numbers; the id itself may say who somebody is."""
    seen: dict[bytes, int] = {}
    for key, _, number in digested:
        earlier = connection.execute("SELECT number FROM temp.scan WHERE row_key = ?", (key,)).fetchone()
        first = seen.setdefault(key, number if earlier is None else earlier[0])
        if first != number:
            low, high = sorted((first, number))
            return UserError(
                f"Rows {low} and {high} have the same id: give every row an id of its own in the column that the "
                "mapping names as the row's id; nothing was sent or changed."
            )
    raise AssertionError("a key was refused that is there once")


def _find_work(connection: sqlite3.Connection, now: int, latest_expiry: int) -> None:
    connection.execute(
        f"""INSERT INTO temp.work
            SELECT scan.row_key, CASE WHEN {_DUE} AND records.expires_at < :latest THEN 1 ELSE 0 END AS due
            FROM temp.scan AS scan
            LEFT JOIN source_rows ON source_rows.row_key = scan.row_key
            LEFT JOIN records ON records.handle = source_rows.handle
            WHERE source_rows.row_key IS NULL OR source_rows.raw_digest <> scan.digest
               OR ({_DUE} AND records.expires_at < :latest)""",  # noqa: S608  (a constant of this module)
        {"now": now, "latest": latest_expiry},
    )


def _count(connection: sqlite3.Connection, total: int) -> Changes:
    new, changed, due = connection.execute(
        """SELECT coalesce(sum(source_rows.row_key IS NULL), 0),
                  coalesce(sum(source_rows.raw_digest <> scan.digest), 0),
                  coalesce(sum(source_rows.raw_digest = scan.digest), 0)
           FROM temp.work AS work JOIN temp.scan AS scan USING (row_key) LEFT JOIN source_rows USING (row_key)"""
    ).fetchone()
    gone, gone_live = connection.execute(
        """SELECT count(*), count(handle) FROM source_rows
           WHERE NOT EXISTS (SELECT 1 FROM temp.scan WHERE temp.scan.row_key = source_rows.row_key)"""
    ).fetchone()
    live = connection.execute("SELECT count(handle) FROM source_rows").fetchone()[0]
    return Changes(total, new, changed, due, gone, gone_live, live)


def _lookup(connection: sqlite3.Connection, question: str, keys: list[bytes]) -> dict[bytes, int]:
    """Answers of two columns for many keys, asked in slices that SQLite's limit on parameters allows."""
    found: dict[bytes, int] = {}
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        marks = ",".join("?" * len(part))
        found.update(connection.execute(f"{question} ({marks})", part))
    return found


def _batches(rows: Iterable[SourceRow]) -> Iterator[list[SourceRow]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH)):
        yield batch
