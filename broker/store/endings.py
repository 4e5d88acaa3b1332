"""How records end: withdrawn by a statement, or expired. Their rows go, tombstones stay until the epoch ends.

What the index and the alerts still hold of them is queued in `removal` for the worker: every read and every match
looks at the record's row, so that they are gone for everybody in the very transaction that ends them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, text, update

from broker.store import scratch
from broker.store.schema import (
    COMMITTED,
    DEPARTED,
    EXPIRED,
    RECORD_SPAN,
    WITHDRAWN,
    institution,
    removal,
    submission,
    withdrawal,
)
from broker.store.submissions import drop_open_submissions


class WithdrawalRow(NamedTuple):
    """A withdrawal that was applied. `receipt` is JSON text."""

    seq: int
    statement: bytes
    signature: bytes
    receipt: str


class Expired(NamedTuple):
    """How many records of an institution one step ended."""

    institution_id: str
    records: int


def find_withdrawal(connection: Connection, epoch: int, institution: int, seq: int) -> WithdrawalRow | None:
    """The institution's withdrawal with a sequence number."""
    columns = (withdrawal.c.seq, withdrawal.c.statement, withdrawal.c.signature, withdrawal.c.receipt)
    row = connection.execute(
        select(*columns).where(
            withdrawal.c.epoch == epoch, withdrawal.c.institution == institution, withdrawal.c.seq == seq
        )
    ).one_or_none()
    return None if row is None else WithdrawalRow(row[0], bytes(row[1]), bytes(row[2]), row[3])


def withdrawals_numbered(connection: Connection, institution_id: str, seq: int) -> list[WithdrawalRow]:
    """The withdrawals of an institution under a number, one an epoch at most, the newest epoch's first."""
    rows = connection.execute(
        select(withdrawal.c.seq, withdrawal.c.statement, withdrawal.c.signature, withdrawal.c.receipt)
        .join(
            institution,
            (institution.c.epoch == withdrawal.c.epoch) & (institution.c.institution == withdrawal.c.institution),
        )
        .where(institution.c.institution_id == institution_id, withdrawal.c.seq == seq)
        .order_by(withdrawal.c.epoch.desc())
    )
    return [WithdrawalRow(row[0], bytes(row[1]), bytes(row[2]), row[3]) for row in rows]


def store_withdrawal(connection: Connection, epoch: int, institution: int, row: WithdrawalRow) -> None:
    """Keep a withdrawal."""
    connection.execute(insert(withdrawal), {"epoch": epoch, "institution": institution, **row._asdict()})


_NAMED = "(handle, institution, epoch) IN (SELECT handle, institution, epoch FROM named)"
_QUEUE_NAMED = text(f"INSERT INTO removal (epoch, record_id) SELECT epoch, record_id FROM record WHERE {_NAMED}")  # noqa: S608
_DELETE_NAMED = text(f"DELETE FROM record WHERE {_NAMED}")  # noqa: S608
_BURY_NAMED = text(
    "INSERT INTO tombstone (epoch, institution, handle, reason, ended_at)"
    " SELECT n.epoch, n.institution, n.handle, :reason, :now FROM named n WHERE true ON CONFLICT DO NOTHING"
)


def withdraw(connection: Connection, epoch: int, institution: int, handles: Sequence[bytes], now: int) -> None:
    """End the institution's records named by `handles`; the same work whether or not any of them ever matched."""
    scratch.prepare(connection)
    scratch.refill(connection, scratch.named, [(handle, institution, epoch) for handle in handles])
    connection.execute(_QUEUE_NAMED)
    connection.execute(_DELETE_NAMED)
    connection.execute(_BURY_NAMED, {"reason": WITHDRAWN, "now": now})


_RANGE = "epoch = :epoch AND record_id >= :first AND record_id < :end AND expires_at <= :now"
_SOME_EXPIRED = text(f"SELECT record_id FROM record WHERE {_RANGE} ORDER BY record_id LIMIT :limit")  # noqa: S608
_TOUCHED = "record_id IN (SELECT record_id FROM touched)"
_QUEUE_TOUCHED = text(f"INSERT INTO removal (epoch, record_id) SELECT epoch, record_id FROM record WHERE {_TOUCHED}")  # noqa: S608
_BURY_TOUCHED = text(
    "INSERT INTO tombstone (epoch, institution, handle, reason, ended_at)"  # noqa: S608
    f" SELECT epoch, institution, handle, :reason, :now FROM record WHERE {_TOUCHED} ON CONFLICT DO NOTHING"
)
_DELETE_TOUCHED = text(f"DELETE FROM record WHERE {_TOUCHED}")  # noqa: S608
_NEXT_EXPIRY = text(
    "SELECT min(expires_at) FROM record WHERE epoch = :epoch AND record_id >= :first AND record_id < :end"
)


def has_expired(connection: Connection, epoch: int, now: int) -> bool:
    """Whether a submission has records whose time is up."""
    due = select(submission.c.submission).where(
        submission.c.epoch == epoch, submission.c.state == COMMITTED, submission.c.next_expiry <= now
    )
    return connection.execute(due.limit(1)).first() is not None


def expire_some(connection: Connection, epoch: int, now: int, limit: int) -> Expired | None:
    """End at most `limit` records of one submission that have expired (now >= expires_at).

    None where no submission has any. A submission whose records were all withdrawn before counts none.
    """
    found = connection.execute(
        select(submission.c.submission, institution.c.institution_id)
        .join(
            institution,
            (institution.c.epoch == submission.c.epoch) & (institution.c.institution == submission.c.institution),
        )
        .where(
            submission.c.epoch == epoch,
            submission.c.state == COMMITTED,
            submission.c.next_expiry <= now,
        )
        .order_by(submission.c.next_expiry)
        .limit(1)
        .with_for_update(skip_locked=True, of=submission)
    ).one_or_none()
    if found is None:
        return None
    due, institution_id = found
    scratch.prepare(connection)
    span = {"epoch": epoch, "first": due * RECORD_SPAN, "end": (due + 1) * RECORD_SPAN}
    expired = list(connection.execute(_SOME_EXPIRED, {**span, "now": now, "limit": limit}).scalars())
    scratch.refill_numbers(connection, scratch.touched, expired)
    connection.execute(_QUEUE_TOUCHED)
    connection.execute(_BURY_TOUCHED, {"reason": EXPIRED, "now": now})
    connection.execute(_DELETE_TOUCHED)
    connection.execute(
        update(submission)
        .where(submission.c.epoch == epoch, submission.c.submission == due)
        .values(next_expiry=connection.execute(_NEXT_EXPIRY, span).scalar_one())
    )
    return Expired(institution_id, len(expired))


_THEIRS = "epoch = :epoch AND institution = :institution"
_QUEUE_ALL = text(f"INSERT INTO removal (epoch, record_id) SELECT epoch, record_id FROM record WHERE {_THEIRS}")  # noqa: S608
_BURY_ALL = text(
    "INSERT INTO tombstone (epoch, institution, handle, reason, ended_at)"  # noqa: S608
    f" SELECT epoch, institution, handle, :reason, :now FROM record WHERE {_THEIRS} ON CONFLICT DO NOTHING"
)
_DELETE_ALL = text(f"DELETE FROM record WHERE {_THEIRS}")  # noqa: S608


def end_all_records(connection: Connection, institution_id: str, now: int) -> int:
    """End every record that an institution has, in every epoch; return how many. What it left open is dropped."""
    ended = 0
    places = connection.execute(
        select(institution.c.epoch, institution.c.institution).where(institution.c.institution_id == institution_id)
    )
    for epoch, number in places.all():
        drop_open_submissions(connection, epoch, number)
        values = {"epoch": epoch, "institution": number, "now": now}
        connection.execute(_QUEUE_ALL, values)
        connection.execute(_BURY_ALL, {**values, "reason": DEPARTED})
        ended += connection.execute(_DELETE_ALL.execution_options(preserve_rowcount=True), values).rowcount
    return ended


def queued_removals(connection: Connection, epoch: int, limit: int) -> list[int]:
    """Some of the records that the index has still to forget."""
    query = select(removal.c.record_id).where(removal.c.epoch == epoch).order_by(removal.c.record_id).limit(limit)
    return list(connection.execute(query).scalars())


def forget_removals(connection: Connection, record_ids: Sequence[int]) -> None:
    """The index has forgotten `record_ids`."""
    scratch.refill_numbers(connection, scratch.touched, record_ids)
    connection.execute(delete(removal).where(removal.c.record_id.in_(select(scratch.touched.c.record_id))))
