"""Going on behind the broker's count of statements: after a loss of the state, or where the outbox is refused for good.

What the broker has applied is never made again, what it has not is dropped and made anew, and no withdrawal is lost.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from clients.institution.delivery import Delivery
from clients.institution.outbox import Author, insert_withdrawals
from clients.institution.state import State
from crypto.statements import WithdrawalStatement
from runtime.exits import ExitCode, UserError

_MARK = (
    "DROP TABLE IF EXISTS temp.overtaken",
    "DROP TABLE IF EXISTS temp.dropped",
    # Waiting statements whose numbers the broker has given to others; and these with the submissions behind its count.
    "CREATE TEMP TABLE overtaken AS SELECT seq FROM statements WHERE delivered_at IS NULL AND seq <= :last",
    """CREATE TEMP TABLE dropped AS SELECT seq FROM statements
       WHERE delivered_at IS NULL AND (seq <= :last OR form = 'submission')""",
)
_OWED = """SELECT handle FROM records
           WHERE withdrawal_seq IN (SELECT seq FROM temp.overtaken)
             AND submission_seq NOT IN (SELECT seq FROM temp.dropped)"""
# Rows of dropped submissions count as new, their bodies go; overtaken statements go whole.
_FORGET = (
    """DELETE FROM source_rows WHERE handle IN
       (SELECT handle FROM records WHERE submission_seq IN (SELECT seq FROM temp.dropped))""",
    "DELETE FROM parts WHERE seq IN (SELECT seq FROM temp.dropped)",
    "UPDATE records SET withdrawal_seq = NULL WHERE withdrawal_seq IN (SELECT seq FROM temp.overtaken)",
    "DELETE FROM records WHERE submission_seq IN (SELECT seq FROM temp.overtaken)",
    "DELETE FROM acknowledgements WHERE seq IN (SELECT seq FROM temp.overtaken)",
    "DELETE FROM statements WHERE seq IN (SELECT seq FROM temp.overtaken)",
)


@dataclass(frozen=True, slots=True)
class Adoption:
    """The broker's count, and how many statements that waited here were dropped."""

    last_seq: int
    dropped: int


def adopt_sequence(state: State, delivery: Delivery, author: Author, now: int) -> Adoption:
    """Fetch the receipts of what the broker has applied, drop submissions that wait, and number on behind its count.

    The rows of a dropped submission are sent anew. Its number, where the broker has not given it away, goes to a
    withdrawal of its own records, so that what follows keeps the numbers by which holders may know it. A withdrawal
    whose number is given away is made again. Raises UserError where the broker cannot be reached.
    """
    last_seq = delivery.broker.status().last_seq
    try:
        delivery.send_all(up_to=last_seq)
    except UserError as refused:
        if refused.exit_code == ExitCode.UNREACHABLE:
            raise
        # The broker has another statement under that number: the one here was never applied.
    with state.transaction() as connection:
        for step in _MARK:
            connection.execute(step, {"last": last_seq} if ":last" in step else {})
        dropped: int = connection.execute("SELECT count(*) FROM temp.dropped").fetchone()[0]
        owed = connection.execute(_OWED).fetchall()
        for step in _FORGET:
            connection.execute(step)
        _void(connection, author)
        connection.execute(
            "INSERT INTO facts VALUES ('adopted_seq', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (last_seq.to_bytes(8, "big"),),
        )
        insert_withdrawals(state, [handle for (handle,) in owed], author, now)
    return Adoption(last_seq, dropped)


def _void(connection: sqlite3.Connection, author: Author) -> None:
    """Put a withdrawal of its own records in the place of each submission that still waits."""
    waiting = connection.execute("SELECT seq FROM statements WHERE delivered_at IS NULL AND form = 'submission'")
    for (seq,) in waiting.fetchall():
        handles = connection.execute("SELECT handle FROM records WHERE submission_seq = ? ORDER BY handle", (seq,))
        statement = WithdrawalStatement(
            author.membership.epoch_id,
            author.membership.institution_id,
            seq,
            tuple(handle for (handle,) in handles),
        ).encode()
        connection.execute(
            """UPDATE statements SET form = 'void', statement = ?, signature = ?, public_key = ?,
                   idempotency_key = NULL, opening = NULL WHERE seq = ?""",
            (statement, author.signing_key.sign(statement), author.signing_key.public_key, seq),
        )
        connection.execute("UPDATE records SET withdrawal_seq = ? WHERE submission_seq = ?", (seq, seq))
