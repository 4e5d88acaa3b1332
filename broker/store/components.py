"""Statements over alerts, their records and meetings: joining, merging, splitting, and what a judgement needs to see.

All but the last are for the worker's transaction, after `lock_index` and `scratch.prepare`. Knows no rule.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, text, update

from broker.store import scratch
from broker.store.bulk import insert_rows
from broker.store.counters import ALERTS, take_numbers
from broker.store.index import Meeting, Standing
from broker.store.schema import QUIET, alert, alert_record, meeting


class AlertRow(NamedTuple):
    """One component as it is stored; `institutions` and `kinds` are JSON lists."""

    alert: int
    alert_id: str
    state: str
    raised_at: int | None
    changed_at: int
    records: int
    opening: int
    score: int
    institutions: str
    kinds: str
    valid_until: int | None
    stale: bool


class Tally(NamedTuple):
    """Of one alert's records, those of one institution: how many, how many open, the earliest expiry."""

    alert: int
    institution: int
    records: int
    opening: int
    earliest_expiry: int


_ALERT_COLUMNS = tuple(alert.c[name] for name in AlertRow._fields)

_LABELS = text("SELECT ar.record_id, ar.alert FROM touched t JOIN alert_record ar ON ar.record_id = t.record_id")


def labels_of(connection: Connection, record_ids: Iterable[int]) -> dict[int, int]:
    """The alert of each of `record_ids` that belongs to one."""
    scratch.refill_numbers(connection, scratch.touched, record_ids)
    return {row[0]: row[1] for row in connection.execute(_LABELS)}


def alerts_by_number(connection: Connection, alerts: Iterable[int]) -> dict[int, AlertRow]:
    """The rows of `alerts`."""
    scratch.refill_numbers(connection, scratch.chosen, alerts)
    rows = connection.execute(select(*_ALERT_COLUMNS).where(alert.c.alert.in_(select(scratch.chosen.c.alert))))
    return {row.alert: AlertRow(*row) for row in rows}


def create_alerts(connection: Connection, number: int, count: int, now: int) -> list[int]:
    """Make `count` quiet components without records; return their numbers."""
    if not count:
        return []
    numbers = list(take_numbers(connection, ALERTS, count))
    empty = {
        "epoch": number,
        "state": QUIET,
        "changed_at": now,
        "records": 0,
        "opening": 0,
        "score": 0,
        "institutions": "[]",
        "kinds": "[]",
        "stale": False,
    }
    connection.execute(insert(alert), [{**empty, "alert": each, "alert_id": secrets.token_hex(16)} for each in numbers])
    return numbers


_MERGE = tuple(
    text(
        f"UPDATE {table} SET alert = (SELECT r.survivor FROM relabelled r WHERE r.alert = {table}.alert)"  # noqa: S608
        f" WHERE {table}.alert IN (SELECT r.alert FROM relabelled r)"
    )
    for table in ("alert_record", "meeting")
)


def merge_alerts(connection: Connection, survivors: Mapping[int, int]) -> None:
    """Give records and meetings of each alert of `survivors` to the alert that it maps to."""
    if not survivors:
        return
    scratch.refill(connection, scratch.relabelled, survivors.items())
    for statement in _MERGE:
        connection.execute(statement)


_JOIN_NEW = text(
    "INSERT INTO alert_record (epoch, record_id, alert, institution, expires_at, opens)"
    " SELECT r.epoch, r.record_id, m.alert, r.institution, r.expires_at, :opens FROM membership m"
    " JOIN record r ON r.record_id = m.record_id"
)
_MOVE = text(
    "UPDATE alert_record SET alert = (SELECT m.alert FROM membership m WHERE m.record_id = alert_record.record_id)"
    " WHERE record_id IN (SELECT m.record_id FROM membership m)"
)
_LEAVE = text("DELETE FROM alert_record WHERE record_id IN (SELECT record_id FROM touched)")


def join_records(connection: Connection, members: Mapping[int, int]) -> None:
    """Let each record of `members`, in no alert so far, belong to the alert that it maps to."""
    if members:
        scratch.refill(connection, scratch.membership, members.items())
        connection.execute(_JOIN_NEW, {"opens": False})


def move_records(connection: Connection, members: Mapping[int, int]) -> None:
    """Move each record of `members` from its alert to the one that it maps to."""
    if members:
        scratch.refill(connection, scratch.membership, members.items())
        connection.execute(_MOVE)


def leave_alerts(connection: Connection, record_ids: Collection[int]) -> None:
    """Take `record_ids` out of their alerts."""
    if record_ids:
        scratch.refill_numbers(connection, scratch.touched, record_ids)
        connection.execute(_LEAVE)


def create_meetings(connection: Connection, number: int, meetings: Sequence[Meeting]) -> None:
    """Note new meetings."""
    insert_rows(connection, meeting, [(m.tag, m.kind, number, m.alert, m.public_key) for m in meetings])


def set_meeting_keys(connection: Connection, number: int, keys: Mapping[tuple[bytes, int], bytes]) -> None:
    """Note the key under the tag of each meeting in `keys`."""
    statement = text("UPDATE meeting SET public_key = :key WHERE tag = :tag AND kind = :kind AND epoch = :epoch")
    if keys:
        connection.execute(
            statement, [{"tag": tag, "kind": kind, "key": key, "epoch": number} for (tag, kind), key in keys.items()]
        )


def move_meetings(connection: Connection, number: int, meetings: Mapping[tuple[bytes, int], int]) -> None:
    """Give each (tag, kind) of `meetings` to the alert that it maps to."""
    statement = text("UPDATE meeting SET alert = :alert WHERE tag = :tag AND kind = :kind AND epoch = :epoch")
    if meetings:
        connection.execute(
            statement,
            [{"tag": tag, "kind": kind, "alert": label, "epoch": number} for (tag, kind), label in meetings.items()],
        )


def end_meetings(connection: Connection, number: int, tags: Collection[tuple[bytes, int]]) -> None:
    """Forget meetings under which entries of two groups stand no longer."""
    statement = text("DELETE FROM meeting WHERE tag = :tag AND kind = :kind AND epoch = :epoch")
    if tags:
        connection.execute(statement, [{"tag": tag, "kind": kind, "epoch": number} for tag, kind in tags])


def delete_alerts(connection: Connection, alerts: Collection[int]) -> None:
    """Delete components that nobody was ever shown."""
    if alerts:
        scratch.refill_numbers(connection, scratch.chosen, alerts)
        connection.execute(delete(alert).where(alert.c.alert.in_(select(scratch.chosen.c.alert))))


def mark_stale(connection: Connection, alerts: Collection[int]) -> None:
    """Have `alerts` connected and judged again."""
    if alerts:
        scratch.refill_numbers(connection, scratch.chosen, alerts)
        connection.execute(update(alert).where(alert.c.alert.in_(select(scratch.chosen.c.alert))).values(stale=True))


def stale_alerts(connection: Connection, number: int, limit: int) -> list[AlertRow]:
    """Some of the alerts that are to be connected and judged again."""
    rows = connection.execute(
        select(*_ALERT_COLUMNS).where(alert.c.epoch == number, alert.c.stale).order_by(alert.c.alert).limit(limit)
    )
    return [AlertRow(*row) for row in rows]


_STANDINGS_OF_ALERT = text(
    "SELECT e.record_id, e.tag, e.kind, e.epoch, e.institution, e.proof FROM meeting m"
    " JOIN entry e ON e.tag = m.tag AND e.kind = m.kind AND e.epoch = m.epoch"
    " JOIN record r ON r.epoch = e.epoch AND r.record_id = e.record_id"
    " WHERE m.epoch = :epoch AND m.alert = :alert"
)


def standings_of_alert(connection: Connection, number: int, label: int) -> list[Standing]:
    """The live entries under an alert's meetings: what connects its records."""
    rows = connection.execute(_STANDINGS_OF_ALERT, {"epoch": number, "alert": label})
    return [Standing(r[0], bytes(r[1]), r[2], r[3], r[4], r[5]) for r in rows]


def meetings_of_alert(connection: Connection, number: int, label: int) -> set[tuple[bytes, int]]:
    """(tag, kind) of an alert's meetings."""
    rows = connection.execute(
        select(meeting.c.tag, meeting.c.kind).where(meeting.c.epoch == number, meeting.c.alert == label)
    )
    return {(bytes(tag), kind) for tag, kind in rows}


def records_of_alert(connection: Connection, number: int, label: int) -> set[int]:
    """The records that are noted as an alert's."""
    return set(
        connection.execute(
            select(alert_record.c.record_id).where(alert_record.c.epoch == number, alert_record.c.alert == label)
        ).scalars()
    )


_OPENS = text("SELECT ar.record_id FROM touched t JOIN alert_record ar ON ar.record_id = t.record_id WHERE ar.opens")
_SET_OPENS = text("UPDATE alert_record SET opens = :opens WHERE record_id IN (SELECT record_id FROM touched)")


def set_opening(connection: Connection, judged: Collection[int], opening: Collection[int]) -> None:
    """Note of the records `judged` that those in `opening` open and the others do not."""
    scratch.refill_numbers(connection, scratch.touched, judged)
    before = set(connection.execute(_OPENS).scalars())
    for opens, changed in ((True, set(opening) - before), (False, before - set(opening))):
        if changed:
            scratch.refill_numbers(connection, scratch.touched, changed)
            connection.execute(_SET_OPENS, {"opens": opens})


_TALLIES = text(
    "SELECT ar.alert, ar.institution, count(*), sum(CASE WHEN ar.opens THEN 1 ELSE 0 END), min(ar.expires_at)"
    " FROM chosen c JOIN alert_record ar ON ar.alert = c.alert"
    " GROUP BY ar.alert, ar.institution"
)
_MEETING_KINDS = text("SELECT DISTINCT m.alert, m.kind FROM chosen c JOIN meeting m ON m.alert = c.alert")


def tallies(connection: Connection, alerts: Iterable[int]) -> list[Tally]:
    """For each institution in each of `alerts`: its records, those that open, and the earliest expiry."""
    scratch.refill_numbers(connection, scratch.chosen, alerts)
    return [Tally(r[0], r[1], r[2], int(r[3]), r[4]) for r in connection.execute(_TALLIES)]


def meeting_kinds(connection: Connection, alerts: Iterable[int]) -> list[tuple[int, int]]:
    """Each (alert, kind) that meets in `alerts`."""
    scratch.refill_numbers(connection, scratch.chosen, alerts)
    return [(label, kind) for label, kind in connection.execute(_MEETING_KINDS)]


def store_alerts(connection: Connection, number: int, rows: Sequence[AlertRow]) -> None:
    """Write what a judgement changed."""
    assignments = ", ".join(f"{name} = :{name}" for name in AlertRow._fields if name != "alert")
    statement = text(f"UPDATE alert SET {assignments} WHERE epoch = :epoch AND alert = :alert")  # noqa: S608
    if rows:
        connection.execute(statement, [{**row._asdict(), "epoch": number} for row in rows])
