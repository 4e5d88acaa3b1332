"""The outbox: complete statements with their bodies, stored in one transaction each and sent in the order of their seq.

What lies here is what the broker gets, byte for byte; no secret and no identifier. It does not send.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clients.institution.journal import Journal
from clients.institution.membership import Membership
from clients.institution.state import State
from clients.institution.submission import Submission
from crypto.signatures import SigningKey
from crypto.statements import WithdrawalStatement
from wire.messages.message import decode_message, encode_message
from wire.messages.submission import OpenSubmission, SealedSecretMessage
from wire.messages.withdrawal import SignedStatement

WITHDRAWAL_LIMIT = 4096
"""Handles of one withdrawal statement."""


@dataclass(frozen=True, slots=True)
class RowUpdate:
    """What becomes of one row of the source: digests (16 bytes), and the handle of the record it replaces, if any."""

    row_key: bytes
    raw_digest: bytes
    content_digest: bytes | None
    replaces: bytes | None


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes statements: institution, epoch and signing key."""

    membership: Membership
    signing_key: SigningKey


@dataclass(frozen=True, slots=True)
class PendingSubmission:
    """A submission in the outbox; its parts are read one by one."""

    seq: int
    idempotency_key: bytes
    statement: bytes
    count: int
    opening: OpenSubmission


@dataclass(frozen=True, slots=True)
class PendingWithdrawal:
    """A withdrawal that the broker, or a holder, has not signed for; `holders` are those that have."""

    seq: int
    signed: SignedStatement
    count: int
    at_broker: bool
    holders: frozenset[int]


def next_seq(state: State) -> int:
    """The number of the next statement: one higher than the last, and than what was adopted from the broker."""
    adopted = int.from_bytes(state.fact("adopted_seq") or b"", "big")
    newest: int = state.connection.execute("SELECT coalesce(max(seq), 0) FROM statements").fetchone()[0]
    return max(adopted, newest) + 1


def store_submission(
    state: State, journal: Journal, submission: Submission, rows: Sequence[RowUpdate], author: Author, now: int
) -> None:
    """In one transaction: the whole body, its records, what is known of their rows, the withdrawal of the records that
    they replace as the next statement, and the end of the journal's chunks. `rows` are by the records' places.
    """
    seq = submission.statement.seq
    with state.transaction() as connection:
        _insert_submission(connection, submission, now)
        connection.executemany(
            "INSERT INTO records VALUES (?, ?, ?, ?, NULL)",
            [(each.handle, seq, each.issued_at, each.expires_at) for each in submission.records],
        )
        connection.executemany(
            _SET_ROW,
            [
                (row.row_key, row.raw_digest, row.content_digest, each.handle)
                for each in submission.records
                for row in (rows[each.place],)
            ],
        )
        replaced = [rows[each.place].replaces for each in submission.records]
        insert_withdrawals(state, [handle for handle in replaced if handle is not None], author, now)
        journal.forget(submission.chunks)


def store_unsent_rows(state: State, rows: Sequence[RowUpdate], author: Author, now: int) -> None:
    """In one transaction: rows of which nothing is sent, and the withdrawal of what they had sent before."""
    if not rows:
        return
    with state.transaction() as connection:
        connection.executemany(_SET_ROW, [(row.row_key, row.raw_digest, row.content_digest, None) for row in rows])
        insert_withdrawals(state, [row.replaces for row in rows if row.replaces is not None], author, now)


def store_unchanged_rows(state: State, rows: Sequence[RowUpdate]) -> None:
    """Rows whose text changed, but nothing that is sent: only the digest of the text is new."""
    if not rows:
        return
    with state.transaction() as connection:
        connection.executemany(
            "UPDATE source_rows SET raw_digest = ? WHERE row_key = ?",
            [(row.raw_digest, row.row_key) for row in rows],
        )


def store_gone_rows(state: State, rows: Sequence[tuple[bytes, bytes | None]], author: Author, now: int) -> None:
    """In one transaction: forget rows (row key, live handle) and withdraw their records."""
    with state.transaction() as connection:
        connection.executemany("DELETE FROM source_rows WHERE row_key = ?", [(key,) for key, _ in rows])
        insert_withdrawals(state, [handle for _, handle in rows if handle is not None], author, now)


def store_withdrawal(state: State, handles: Sequence[bytes], author: Author, now: int) -> None:
    """In one transaction: withdraw records by handle; their rows are sent no more until they change."""
    with state.transaction() as connection:
        connection.executemany("UPDATE source_rows SET handle = NULL WHERE handle = ?", [(each,) for each in handles])
        insert_withdrawals(state, handles, author, now)


def first_waiting(state: State) -> PendingSubmission | PendingWithdrawal | None:
    """The statement that has the lowest undelivered seq."""
    row = state.connection.execute(
        """SELECT seq, form, statement, signature, count, idempotency_key, opening FROM statements
           WHERE delivered_at IS NULL ORDER BY seq LIMIT 1"""
    ).fetchone()
    if row is None:
        return None
    seq, form, statement, signature, count, key, opening = row
    if form == "submission":
        return PendingSubmission(seq, key, statement, count, decode_message(OpenSubmission, opening))
    return PendingWithdrawal(seq, SignedStatement(statement, signature), count, False, frozenset())


def part(state: State, seq: int, number: int) -> bytes:
    """The packed records of one part (from 0) of a submission in the outbox."""
    found = state.connection.execute("SELECT body FROM parts WHERE seq = ? AND number = ?", (seq, number)).fetchone()
    if found is None:
        raise KeyError((seq, number))
    return bytes(found[0])


def pending_withdrawals(state: State, holders: int) -> list[PendingWithdrawal]:
    """Withdrawals that the broker or any of the `holders` has not signed for, by seq."""
    rows = state.connection.execute(
        """SELECT seq, statement, signature, count, delivered_at IS NOT NULL,
                  (SELECT group_concat(holder) FROM acknowledgements WHERE acknowledgements.seq = statements.seq)
           FROM statements WHERE form = 'withdrawal'
             AND (delivered_at IS NULL
                  OR (SELECT count(*) FROM acknowledgements WHERE acknowledgements.seq = statements.seq) < ?)
           ORDER BY seq""",
        (holders,),
    )
    return [
        PendingWithdrawal(seq, SignedStatement(statement, signature), count, bool(at_broker), _numbers(acknowledged))
        for seq, statement, signature, count, at_broker, acknowledged in rows
    ]


def lowest_undelivered(state: State) -> int:
    """The seq that the broker wants next, as far as this state knows."""
    first: int | None = state.connection.execute(
        "SELECT min(seq) FROM statements WHERE delivered_at IS NULL"
    ).fetchone()[0]
    return next_seq(state) if first is None else first


def mark_delivered(state: State, seq: int, receipt: str, now: int) -> None:
    """The broker has signed for the statement: keep its receipt, erase the body."""
    with state.transaction() as connection:
        connection.execute(
            "UPDATE statements SET delivered_at = ?, receipt = ?, opening = NULL WHERE seq = ?", (now, receipt, seq)
        )
        connection.execute("DELETE FROM parts WHERE seq = ?", (seq,))


def mark_acknowledged(state: State, seq: int, holder: int, acknowledged_at: int) -> None:
    """A holder has signed for a withdrawal."""
    with state.transaction() as connection:
        connection.execute("INSERT OR IGNORE INTO acknowledgements VALUES (?, ?, ?)", (seq, holder, acknowledged_at))


_SET_ROW = """INSERT INTO source_rows VALUES (?, ?, ?, ?) ON CONFLICT (row_key) DO UPDATE SET
    raw_digest = excluded.raw_digest, content_digest = excluded.content_digest, handle = excluded.handle"""


def _insert_submission(connection: sqlite3.Connection, submission: Submission, now: int) -> None:
    statement = submission.statement
    encoded = statement.encode()
    opening = OpenSubmission(
        statement=encoded,
        signature=submission.signature,
        roster_version=submission.roster_version,
        sealed=tuple(
            SealedSecretMessage(each.recipient_id, each.key_id, each.enc, each.ciphertext) for each in submission.sealed
        ),
        parts=len(submission.parts),
    )
    connection.execute(
        """INSERT INTO statements
               (seq, form, statement, signature, public_key, idempotency_key, opening, count, made_at)
           VALUES (?, 'submission', ?, ?, ?, ?, ?, ?, ?)""",
        (
            statement.seq,
            encoded,
            submission.signature,
            submission.public_key,
            statement.idempotency_key,
            encode_message(opening),
            statement.count,
            now,
        ),
    )
    connection.executemany(
        "INSERT INTO parts VALUES (?, ?, ?)",
        [(statement.seq, number, body) for number, body in enumerate(submission.parts)],
    )


def insert_withdrawals(state: State, handles: Iterable[bytes], author: Author, now: int) -> None:
    """The withdrawal of any number of handles as one or more statements, within the caller's transaction."""
    ordered = sorted(set(handles))
    for start in range(0, len(ordered), WITHDRAWAL_LIMIT):
        named = tuple(ordered[start : start + WITHDRAWAL_LIMIT])
        seq = next_seq(state)
        statement = WithdrawalStatement(
            author.membership.epoch_id, author.membership.institution_id, seq, named
        ).encode()
        state.connection.execute(
            """INSERT INTO statements (seq, form, statement, signature, public_key, count, made_at)
               VALUES (?, 'withdrawal', ?, ?, ?, ?, ?)""",
            (seq, statement, author.signing_key.sign(statement), author.signing_key.public_key, len(named), now),
        )
        state.connection.executemany(
            "UPDATE records SET withdrawal_seq = ? WHERE handle = ?", [(seq, handle) for handle in named]
        )


def _numbers(joined: str | None) -> frozenset[int]:
    return frozenset() if joined is None else frozenset(map(int, joined.split(",")))
