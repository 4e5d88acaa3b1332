"""Submissions on their way in: opened, filled part by part, committed whole or dropped.

A record's rows are written as its part arrives and stay unread until its submission is committed: one update makes all
of them count. Knows bytes and numbers; whether a statement or record is good, its callers know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, text, update

from broker.store.bulk import Row, insert_rows
from broker.store.counters import SUBMISSIONS, take_numbers
from broker.store.schema import COMMITTED, OPEN, RECORD_SPAN, arrival, part, record, submission


class SubmissionRow(NamedTuple):
    """One submission. `sealed` and `receipt` are JSON texts."""

    submission: int
    institution: int
    idempotency_key: bytes
    seq: int
    records: int
    parts: int
    statement: bytes
    signature: bytes
    roster_version: int
    sealed: str
    sealed_ref: bytes
    state: str
    opened_at: int
    receipt: str | None


class PartRow(NamedTuple):
    """What is kept of a part beside its records: hashes of 32 bytes, and a leaf of 32 bytes for each record."""

    part: int
    body_hash: bytes
    leaves: bytes
    root: bytes
    earliest_expiry: int


_SUBMISSION_COLUMNS = tuple(submission.c[name] for name in SubmissionRow._fields)


def find_submission(
    connection: Connection,
    epoch: int,
    institution: int,
    idempotency_key: bytes,
    *,
    lock: bool = False,
    share: bool = False,
) -> SubmissionRow | None:
    """The institution's submission under a key. `lock`: nobody else touches it; `share`: nobody drops or commits it."""
    query = select(*_SUBMISSION_COLUMNS).where(
        submission.c.epoch == epoch,
        submission.c.institution == institution,
        submission.c.idempotency_key == idempotency_key,
    )
    if lock or share:
        query = query.with_for_update(read=share)
    row = connection.execute(query).one_or_none()
    return None if row is None else SubmissionRow(*row)


def create_submission(connection: Connection, epoch: int, values: dict[str, Any]) -> None:
    """Open a submission; `values` are the columns but for its number, state and progress."""
    (number,) = take_numbers(connection, SUBMISSIONS, 1)
    connection.execute(
        insert(submission), {**values, "epoch": epoch, "submission": number, "state": OPEN, "matched": 0}
    )


def replace_signature(connection: Connection, epoch: int, number: int, signature: bytes) -> None:
    """Keep a newer signature of the institution under the same statement, after its key was rotated."""
    connection.execute(
        update(submission)
        .where(submission.c.epoch == epoch, submission.c.submission == number)
        .values(signature=signature)
    )


def drop_open_submissions(connection: Connection, epoch: int, institution: int) -> None:
    """Drop what the institution opened and never committed."""
    open_ones = connection.execute(
        select(submission.c.submission)
        .where(
            submission.c.epoch == epoch,
            submission.c.institution == institution,
            submission.c.state == OPEN,
        )
        .with_for_update()
    ).scalars()
    for number in list(open_ones):
        first = number * RECORD_SPAN
        connection.execute(
            delete(record).where(
                record.c.epoch == epoch, record.c.record_id >= first, record.c.record_id < first + RECORD_SPAN
            )
        )
        connection.execute(delete(arrival).where(arrival.c.epoch == epoch, arrival.c.submission == number))
        connection.execute(delete(part).where(part.c.epoch == epoch, part.c.submission == number))
        connection.execute(delete(submission).where(submission.c.epoch == epoch, submission.c.submission == number))


def part_body_hash(connection: Connection, epoch: int, number: int, place: int) -> bytes | None:
    """SHA-256 of a part's packed records; None if the part has not arrived."""
    query = select(part.c.body_hash).where(part.c.epoch == epoch, part.c.submission == number, part.c.part == place)
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else bytes(found)


def store_part(
    connection: Connection, epoch: int, number: int, row: PartRow, records: Sequence[Row], entries: bytes
) -> None:
    """Store a part, its records (rows in the columns of `record`) and its packed entries.

    Raises IntegrityError where a handle was used before.
    """
    insert_rows(connection, record, records)
    key = {"epoch": epoch, "submission": number}
    connection.execute(insert(part), {**key, **row._asdict()})
    connection.execute(insert(arrival), {**key, "part": row.part, "entries": entries})


_ENDED = text(
    "SELECT t.handle FROM record r JOIN tombstone t"
    " ON t.epoch = r.epoch AND t.institution = r.institution AND t.handle = r.handle"
    " WHERE r.epoch = :epoch AND r.record_id >= :first AND r.record_id < :end LIMIT 1"
)


def has_ended_handle(connection: Connection, epoch: int, first_record: int, count: int) -> bool:
    """Whether one of `count` records just stored has the handle of one that was withdrawn or has expired."""
    values = {"epoch": epoch, "first": first_record, "end": first_record + count}
    return connection.execute(_ENDED, values).first() is not None


def handles_in_use(connection: Connection, epoch: int, institution: int, handles: Sequence[bytes]) -> set[bytes]:
    """Those of at most 512 `handles` that a record of the institution has."""
    query = select(record.c.handle).where(
        record.c.epoch == epoch, record.c.institution == institution, record.c.handle.in_(handles)
    )
    return {bytes(handle) for handle in connection.execute(query).scalars()}


def arrived_parts(connection: Connection, epoch: int, number: int) -> list[int]:
    """The numbers of the parts that have arrived, ascending."""
    query = select(part.c.part).where(part.c.epoch == epoch, part.c.submission == number).order_by(part.c.part)
    return list(connection.execute(query).scalars())


def part_roots(connection: Connection, epoch: int, number: int) -> list[bytes]:
    """The root of each part that has arrived, in order."""
    query = select(part.c.root).where(part.c.epoch == epoch, part.c.submission == number).order_by(part.c.part)
    return [bytes(root) for root in connection.execute(query).scalars()]


def part_leaves(connection: Connection, epoch: int, number: int, place: int) -> bytes:
    """The leaves of one part, 32 bytes each."""
    query = select(part.c.leaves).where(part.c.epoch == epoch, part.c.submission == number, part.c.part == place)
    return bytes(connection.execute(query).scalar_one())


def commit_submission(connection: Connection, epoch: int, number: int, receipt: str) -> None:
    """Make the submission's records count, all at once."""
    earliest = (
        select(func.min(part.c.earliest_expiry))
        .where(part.c.epoch == epoch, part.c.submission == number)
        .scalar_subquery()
    )
    connection.execute(
        update(submission)
        .where(submission.c.epoch == epoch, submission.c.submission == number)
        .values(state=COMMITTED, receipt=receipt, next_expiry=earliest)
    )


def count_unmatched(connection: Connection, epoch: int) -> int:
    """Committed submissions that matching has not seen whole."""
    query = (
        select(func.count())
        .select_from(submission)
        .where(
            submission.c.epoch == epoch,
            submission.c.state == COMMITTED,
            submission.c.matched < submission.c.records,
        )
    )
    return connection.execute(query).scalar_one()


def last_receipt(connection: Connection, epoch: int, institution: int) -> str | None:
    """The newest receipt of the institution, for a submission or a withdrawal."""
    query = text(
        "SELECT receipt FROM (SELECT seq, receipt FROM submission WHERE epoch = :epoch AND institution = :institution"
        " AND state = 'committed' UNION ALL SELECT seq, receipt FROM withdrawal WHERE epoch = :epoch"
        " AND institution = :institution) AS statements ORDER BY seq DESC LIMIT 1"
    )
    found = connection.execute(query, {"epoch": epoch, "institution": institution}).scalar_one_or_none()
    return None if found is None else str(found)


_LIVE_RECORDS = text(
    "SELECT count(*) FROM submission s JOIN record r ON r.epoch = s.epoch"
    " AND r.record_id >= s.submission * :span AND r.record_id < (s.submission + 1) * :span"
    " WHERE s.epoch = :epoch AND s.institution = :institution AND s.state = 'committed' AND r.expires_at > :now"
)


def count_live_records(connection: Connection, epoch: int, institution: int, now: int) -> int:
    """The institution's committed records that are neither withdrawn nor expired."""
    values = {"epoch": epoch, "institution": institution, "now": now, "span": RECORD_SPAN}
    return int(connection.execute(_LIVE_RECORDS, values).scalar_one())
