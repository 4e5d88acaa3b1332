"""The steps that build an institution's local state, in order; the number of those applied is SQLite's user_version.

A step that has been released is never changed, only followed. Knows tables and no rule of the protocol.
"""

from __future__ import annotations

import sqlite3

_FIRST = (
    # epoch_id, institution_id and next_seq: which epoch this state is for, and what the next statement is numbered.
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    # One row of the source: keyed digests of its id, of its raw text and of what it was prepared into, and the handle
    # of its live record (none where nothing of the row may be sent, or where it waits for its turn).
    """CREATE TABLE source_rows (
        row_key BLOB PRIMARY KEY,
        raw_digest BLOB NOT NULL,
        content_digest BLOB,
        handle BLOB
    ) WITHOUT ROWID""",
    # Every record that was ever made in this epoch; a withdrawn one stays, so that its handle never returns.
    """CREATE TABLE records (
        handle BLOB PRIMARY KEY,
        submission_seq INTEGER NOT NULL REFERENCES statements (seq),
        issued_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        withdrawal_seq INTEGER REFERENCES statements (seq)
    ) WITHOUT ROWID""",
    "CREATE INDEX records_by_submission ON records (submission_seq)",
    # Statements in the order of their seq, with the key that signed them. Until delivered_at (the broker's receipt) is
    # set, a statement is part of the outbox; `opening` is a submission's first message, gone with its parts after that.
    # 'void' is a withdrawal for the broker alone, of records that it never took, in place of their submission.
    """CREATE TABLE statements (
        seq INTEGER PRIMARY KEY,
        form TEXT NOT NULL CHECK (form IN ('submission', 'withdrawal', 'void')),
        statement BLOB NOT NULL,
        signature BLOB NOT NULL,
        public_key BLOB NOT NULL,
        idempotency_key BLOB UNIQUE,
        opening BLOB,
        count INTEGER NOT NULL,
        made_at INTEGER NOT NULL,
        delivered_at INTEGER,
        receipt TEXT
    )""",
    "CREATE INDEX statements_to_deliver ON statements (seq) WHERE delivered_at IS NULL",
    # The records of a submission that waits, in the very bytes that are sent; gone once the broker has signed for them.
    """CREATE TABLE parts (
        seq INTEGER NOT NULL REFERENCES statements (seq),
        number INTEGER NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (seq, number)
    ) WITHOUT ROWID""",
    # Which holder has signed for which withdrawal.
    """CREATE TABLE acknowledgements (
        seq INTEGER NOT NULL REFERENCES statements (seq),
        holder INTEGER NOT NULL,
        acknowledged_at INTEGER NOT NULL,
        PRIMARY KEY (seq, holder)
    ) WITHOUT ROWID""",
    # Blinded chunks that a holder may have charged and whose records are not in the outbox yet, each sealed.
    "CREATE TABLE journal (chunk INTEGER PRIMARY KEY, sealed BLOB NOT NULL)",
)

_THE_LOG = (
    # For a statement that the broker has signed for: the proof (C2SP tlog-proof) that the log holds it.
    "CREATE TABLE log_proofs (seq INTEGER PRIMARY KEY REFERENCES statements (seq), proof TEXT NOT NULL)",
    # What the rules answered, each answer once, with how many rows it was given to in the run of decided_at.
    """CREATE TABLE decisions (
        digest BLOB PRIMARY KEY,
        record TEXT NOT NULL,
        rows INTEGER NOT NULL,
        decided_at INTEGER NOT NULL
    ) WITHOUT ROWID""",
)

STEPS: tuple[tuple[str, ...], ...] = (_FIRST, _THE_LOG)


class StateFromTheFuture(Exception):
    """The state was written by a later release of the program."""


def migrate(connection: sqlite3.Connection) -> None:
    """Apply the steps that are missing, each whole or not at all; raises StateFromTheFuture."""
    applied: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if applied > len(STEPS):
        raise StateFromTheFuture(f"the state has version {applied}, this program knows {len(STEPS)}")
    for number, step in enumerate(STEPS[applied:], start=applied + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in step:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
