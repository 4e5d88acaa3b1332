"""Statements over the index: entries come in, crowded tags are found, entries are set aside and come back.

All of them are for the worker's transaction, after `lock_index` and `scratch.prepare`. Knows no rule and no key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, select, text, update

from broker.store import scratch
from broker.store.log_schema import rematch
from broker.store.schema import CAP, COMMITTED, epoch, submission


class Standing(NamedTuple):
    """One entry of the index. `kind` and `institution` are the epoch's short numbers."""

    record_id: int
    tag: bytes
    kind: int
    epoch: int
    institution: int
    proof: int


class Crowd(NamedTuple):
    """How many entries of an institution are set aside under a tag."""

    tag: bytes
    kind: int
    institution: int
    entries: int


class Meeting(NamedTuple):
    """A tag that joins records into `alert`; `public_key` is empty in kinds that only support."""

    tag: bytes
    kind: int
    alert: int
    public_key: bytes


class Unmatched(NamedTuple):
    """A committed submission that matching has not seen whole."""

    submission: int
    institution: int
    matched: int
    records: int


def lock_index(connection: Connection, number: int) -> None:
    """Wait until no other transaction changes the index and the alerts of the epoch; held until the end."""
    connection.execute(select(epoch.c.epoch).where(epoch.c.epoch == number).with_for_update())


def next_unmatched(connection: Connection, number: int) -> Unmatched | None:
    """The oldest committed submission that matching has not seen whole: the worker's queue is the database itself."""
    columns = (submission.c.submission, submission.c.institution, submission.c.matched, submission.c.records)
    row = connection.execute(
        select(*columns)
        .where(
            submission.c.epoch == number,
            submission.c.state == COMMITTED,
            submission.c.matched < submission.c.records,
        )
        .order_by(submission.c.submission)
        .limit(1)
    ).one_or_none()
    return None if row is None else Unmatched(*row)


def set_matched(connection: Connection, number: int, submission_number: int, matched: int) -> None:
    """Note that matching has seen the submission's first `matched` records."""
    connection.execute(
        update(submission)
        .where(submission.c.epoch == number, submission.c.submission == submission_number)
        .values(matched=matched)
    )


_BODIES_OF_TOUCHED = text("SELECT r.record_id, r.body FROM touched t JOIN record r ON r.record_id = t.record_id")


def bodies_of(connection: Connection, record_ids: set[int]) -> dict[int, bytes]:
    """Packed bodies of those of `record_ids` that are live."""
    scratch.refill_numbers(connection, scratch.touched, record_ids)
    return {record_id: bytes(body) for record_id, body in connection.execute(_BODIES_OF_TOUCHED)}


# In the order of the index's key, so that a large submission walks it once instead of jumping about.
_INDEX_FRESH = text(
    "INSERT INTO entry (record_id, tag, kind, epoch, institution, proof)"
    " SELECT record_id, tag, kind, epoch, institution, proof FROM fresh ORDER BY tag, kind"
)


def index_fresh(connection: Connection, entries: Sequence[Standing]) -> None:
    """Put `entries` into the index, where none of them is yet."""
    scratch.refill(connection, scratch.fresh, entries)
    connection.execute(_INDEX_FRESH)


_HELD_AFTER = text(
    "SELECT record_id, tag, kind, epoch, institution, proof FROM entry WHERE record_id > :after"
    " AND institution = :institution AND epoch = :epoch ORDER BY record_id LIMIT :limit"
)
_FORGET_FRESH = text(
    "DELETE FROM entry WHERE (tag, kind, epoch, record_id) IN (SELECT tag, kind, epoch, record_id FROM fresh)"
)


def next_rematch(connection: Connection, number: int) -> tuple[int, int] | None:
    """An institution whose entries are to be matched again, and after which record; None where there is none."""
    query = select(rematch.c.institution, rematch.c.after).where(rematch.c.epoch == number)
    row = connection.execute(query.order_by(rematch.c.institution).limit(1)).one_or_none()
    return None if row is None else (row[0], row[1])


def take_held(connection: Connection, number: int, institution: int, after: int, limit: int) -> list[Standing]:
    """Take an institution's next entries out of the index, as if they were fresh; none where all were seen.

    At most `limit`, but for the entries of one record, which stay together.
    """
    values = {"epoch": number, "institution": institution, "after": after, "limit": limit}
    rows = [Standing(r[0], bytes(r[1]), r[2], r[3], r[4], r[5]) for r in connection.execute(_HELD_AFTER, values)]
    if len(rows) == limit and rows[0].record_id != rows[-1].record_id:
        rows = [row for row in rows if row.record_id != rows[-1].record_id]
    scratch.refill(connection, scratch.fresh, rows)
    connection.execute(_FORGET_FRESH)
    return rows


def set_rematched(connection: Connection, number: int, institution: int, after: int | None) -> None:
    """Note the last record that was matched again; None: all were."""
    theirs = (rematch.c.epoch == number, rematch.c.institution == institution)
    if after is None:
        connection.execute(delete(rematch).where(*theirs))
    else:
        connection.execute(update(rematch).where(*theirs).values(after=after))


# Scalar subqueries, so that each fresh tag is one probe of the index whatever the planner thinks.
_FIND_CROWDED = text(
    "INSERT INTO crowded (tag, kind, epoch) SELECT DISTINCT f.tag, f.kind, f.epoch FROM fresh f WHERE"
    " (SELECT 1 FROM entry e WHERE e.tag = f.tag AND e.kind = f.kind AND e.epoch = f.epoch"
    " AND e.record_id <> f.record_id LIMIT 1) IS NOT NULL"
    " OR (SELECT 1 FROM set_aside s WHERE s.tag = f.tag AND s.kind = f.kind AND s.epoch = f.epoch LIMIT 1) IS NOT NULL"
)
_CROWDED_ENTRIES = text(
    "SELECT e.record_id, e.tag, e.kind, e.epoch, e.institution, e.proof FROM crowded c"
    " JOIN entry e ON e.tag = c.tag AND e.kind = c.kind AND e.epoch = c.epoch"
)
_CROWDED_SET_ASIDE = text(
    "SELECT s.tag, s.kind, s.institution, count(*) FROM crowded c"
    " JOIN set_aside s ON s.tag = c.tag AND s.kind = c.kind AND s.epoch = c.epoch"
    " GROUP BY s.tag, s.kind, s.institution"
)
_CROWDED_MEETINGS = text(
    "SELECT m.tag, m.kind, m.alert, m.public_key FROM crowded c"
    " JOIN meeting m ON m.tag = c.tag AND m.kind = c.kind AND m.epoch = c.epoch"
)


def find_crowded(connection: Connection) -> None:
    """Find the tags of the fresh entries under which something else stands or was set aside."""
    connection.execute(scratch.crowded.delete())
    connection.execute(_FIND_CROWDED)


def crowded_entries(connection: Connection) -> list[Standing]:
    """All entries under the crowded tags; the cap keeps them to so many a group."""
    rows = connection.execute(_CROWDED_ENTRIES)
    return [Standing(r[0], bytes(r[1]), r[2], r[3], r[4], r[5]) for r in rows]


def crowded_set_aside(connection: Connection) -> list[Crowd]:
    """How many entries are set aside under the crowded tags."""
    rows = connection.execute(_CROWDED_SET_ASIDE)
    return [Crowd(bytes(r[0]), r[1], r[2], r[3]) for r in rows]


def crowded_meetings(connection: Connection) -> list[Meeting]:
    """The meetings that stand under crowded tags."""
    rows = connection.execute(_CROWDED_MEETINGS)
    return [Meeting(bytes(r[0]), r[1], r[2], bytes(r[3])) for r in rows]


_PUT_ASIDE = text(
    "INSERT INTO set_aside (record_id, tag, kind, epoch, institution, proof, reason)"
    " SELECT record_id, tag, kind, epoch, institution, proof, reason FROM put_aside"
)
_TAKE_OUT = text(
    "DELETE FROM entry WHERE (tag, kind, epoch, record_id) IN (SELECT tag, kind, epoch, record_id FROM put_aside)"
)


def put_aside(connection: Connection, entries: Sequence[tuple[Standing, int]]) -> None:
    """Move entries out of the index into `set_aside`, each with its reason."""
    if not entries:
        return
    scratch.refill(connection, scratch.put_aside, [(*standing, reason) for standing, reason in entries])
    connection.execute(_PUT_ASIDE)
    connection.execute(_TAKE_OUT)


_DROP_ENTRIES = text("DELETE FROM entry WHERE record_id IN (SELECT record_id FROM touched) RETURNING tag, kind")
_DROP_SET_ASIDE = text("DELETE FROM set_aside WHERE record_id IN (SELECT record_id FROM touched) RETURNING tag, kind")


def drop_records(connection: Connection, record_ids: Sequence[int]) -> set[tuple[bytes, int]]:
    """Take all entries of `record_ids` out of the index and from what was set aside; return their (tag, kind)."""
    scratch.refill_numbers(connection, scratch.touched, record_ids)
    freed: set[tuple[bytes, int]] = set()
    for statement in (_DROP_ENTRIES, _DROP_SET_ASIDE):
        freed |= {(bytes(tag), kind) for tag, kind in connection.execute(statement)}
    return freed


_OVER_CAP = text(
    "SELECT s.record_id, s.tag, s.kind, s.epoch, s.institution, s.proof FROM crowded c"
    " JOIN set_aside s ON s.tag = c.tag AND s.kind = c.kind AND s.epoch = c.epoch WHERE s.reason = :cap"
)
_RESTORE = text(
    "DELETE FROM set_aside WHERE (tag, kind, epoch, record_id) IN (SELECT tag, kind, epoch, record_id FROM fresh)"
)


def look_at_tags(connection: Connection, number: int, tags: set[tuple[bytes, int]]) -> None:
    """Make `tags` the crowded ones, whatever stands under them."""
    scratch.refill(connection, scratch.crowded, [(tag, kind, number) for tag, kind in tags])


def set_aside_by_cap(connection: Connection) -> list[Standing]:
    """The entries under the crowded tags that a cap set aside."""
    rows = connection.execute(_OVER_CAP, {"cap": CAP})
    return [Standing(r[0], bytes(r[1]), r[2], r[3], r[4], r[5]) for r in rows]


def forget_set_aside(connection: Connection, entries: Sequence[Standing]) -> None:
    """Let `entries` be set aside no more; `index_fresh` then takes them in again."""
    scratch.refill(connection, scratch.fresh, entries)
    connection.execute(_RESTORE)
