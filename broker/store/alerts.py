"""Reads alerts for the recipients: a page of them, and the records, statements and leaves that make up one.

Every read joins the record's row and its institution: what was withdrawn, has expired, or is of an institution that
left is in no answer, whether or not the worker has come by since. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select, text

from broker.store.components import AlertRow
from broker.store.neighbourhood import Member, SharedEntry
from broker.store.schema import (
    CLOSED,
    RAISED,
    RECORD_SPAN,
    alert,
    alert_record,
    institution,
    record,
    set_aside,
    submission,
)

_ALERT_COLUMNS = tuple(alert.c[name] for name in AlertRow._fields)
_SEEN = alert.c.state.in_((RAISED, CLOSED))


class AlertedRecord(NamedTuple):
    """A record of an alert with its packed body."""

    record_id: int
    institution: int
    body: bytes


class StatementRow(NamedTuple):
    """A submission's signed statement; `sealed` and `receipt` are JSON texts."""

    submission: int
    institution: int
    records: int
    statement: bytes
    signature: bytes
    sealed: str
    receipt: str


def find_alert(connection: Connection, epoch: int, alert_id: str) -> AlertRow | None:
    """The alert that recipients know by a name."""
    row = connection.execute(
        select(*_ALERT_COLUMNS).where(alert.c.epoch == epoch, alert.c.alert_id == alert_id, _SEEN)
    ).one_or_none()
    return None if row is None else AlertRow(*row)


def alerts_after(connection: Connection, epoch: int, after: int, limit: int) -> list[AlertRow]:
    """The next alerts that are or were raised, in the order of their numbers."""
    rows = connection.execute(
        select(*_ALERT_COLUMNS)
        .where(alert.c.epoch == epoch, alert.c.alert > after, _SEEN)
        .order_by(alert.c.alert)
        .limit(limit)
    )
    return [AlertRow(*row) for row in rows]


_IS_LIVE = (
    (record.c.epoch == alert_record.c.epoch)
    & (record.c.record_id == alert_record.c.record_id)
    & (institution.c.epoch == alert_record.c.epoch)
    & (institution.c.institution == alert_record.c.institution)
    & institution.c.active
)


def count_live(connection: Connection, epoch: int, alerts: Collection[int], now: int) -> dict[int, int]:
    """How many records of each of `alerts` are neither withdrawn nor expired."""
    rows = connection.execute(
        select(alert_record.c.alert, func.count())
        .where(_IS_LIVE, alert_record.c.epoch == epoch, alert_record.c.alert.in_(alerts), record.c.expires_at > now)
        .group_by(alert_record.c.alert)
    )
    return {row[0]: row[1] for row in rows}


def live_members(connection: Connection, epoch: int, label: int, now: int) -> list[Member]:
    """An alert's records that are neither withdrawn nor expired, in the order of their numbers."""
    rows = connection.execute(
        select(record.c.record_id, record.c.institution, record.c.handle, record.c.expires_at)
        .where(_IS_LIVE, alert_record.c.epoch == epoch, alert_record.c.alert == label, record.c.expires_at > now)
        .order_by(record.c.record_id)
    )
    return [Member(row[0], row[1], bytes(row[2]), row[3]) for row in rows]


_ENTRIES = text(
    "SELECT e.record_id, e.kind, e.proof, m.public_key FROM meeting m"
    " JOIN entry e ON e.tag = m.tag AND e.kind = m.kind AND e.epoch = m.epoch"
    " WHERE m.epoch = :epoch AND m.alert = :alert"
)


def shared_entries(connection: Connection, epoch: int, label: int) -> list[SharedEntry]:
    """The entries under an alert's meetings, those of ended records included."""
    rows = connection.execute(_ENTRIES, {"epoch": epoch, "alert": label})
    return [SharedEntry(row[0], row[1], row[2], bytes(row[3])) for row in rows]


def live_records(
    connection: Connection, epoch: int, label: int, now: int, offset: int, limit: int
) -> list[AlertedRecord]:
    """A page of an alert's records, in the order of their numbers."""
    rows = connection.execute(
        select(record.c.record_id, record.c.institution, record.c.body)
        .where(_IS_LIVE, alert_record.c.epoch == epoch, alert_record.c.alert == label, record.c.expires_at > now)
        .order_by(record.c.record_id)
        .offset(offset)
        .limit(limit)
    )
    return [AlertedRecord(row[0], row[1], bytes(row[2])) for row in rows]


def statements_of(connection: Connection, epoch: int, records: Sequence[AlertedRecord]) -> list[StatementRow]:
    """The statements of the submissions that brought `records`."""
    columns = tuple(submission.c[name] for name in StatementRow._fields)
    numbers = {row.record_id // RECORD_SPAN for row in records}
    rows = connection.execute(
        select(*columns)
        .where(submission.c.epoch == epoch, submission.c.submission.in_(numbers))
        .order_by(submission.c.submission)
    )
    return [StatementRow(row[0], row[1], row[2], bytes(row[3]), bytes(row[4]), row[5], row[6]) for row in rows]


def entries_set_aside(connection: Connection, epoch: int, record_ids: Collection[int]) -> set[tuple[int, int, bytes]]:
    """(record, kind, tag) of the entries of `record_ids` that do not count."""
    rows = connection.execute(
        select(set_aside.c.record_id, set_aside.c.kind, set_aside.c.tag).where(
            set_aside.c.epoch == epoch, set_aside.c.record_id.in_(record_ids)
        )
    )
    return {(row[0], row[1], bytes(row[2])) for row in rows}
