"""Alerts as recipients see them, with everything that a key holder asks to see as evidence.

What the worker noted is believed only as long as it holds: where a record has ended since, the alert is judged again as
it is read. Opens nothing, and holds nothing that could.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from broker.context import current_epoch
from broker.matching.judge import shown_records
from broker.matching.load import load_view
from broker.matching.view import EpochView
from broker.receipts import received_at
from broker.store import alerts, log, submissions
from broker.store.alerts import AlertedRecord, StatementRow
from broker.store.components import AlertRow
from broker.store.schema import CLOSED, PART_RECORDS, RAISED, RECORD_SPAN
from crypto import merkle
from crypto.encoding import u32
from crypto.records import unpack_records
from crypto.tags import Entry
from policies.log.leaves import submission_leaf
from policies.log.tree import leaf_hash
from policies.opening_rule import opening
from policies.trust import Trust
from wire.messages.alerts import AlertDetail, AlertDetails, AlertList, AlertRecord, AlertStatement, AlertSummary
from wire.messages.message import schema_of
from wire.messages.submission import SealedSecretMessage
from wire.problems import Problem

_PATH_HEADER = 8
# Records in one answer about several alerts, after which it ends: some two megabytes.
_ANSWER_RECORDS = 512
_HASH = 32


def list_alerts(connection: Connection, trust: Trust, after: str | None, limit: int, now: int) -> AlertList:
    """The page of at most `limit` alerts after the one named `after`; raises Problem 404 where that is unknown."""
    epoch = current_epoch(connection, trust)
    start = 0
    if after is not None:
        start = _find(connection, epoch, after).alert
    rows = alerts.alerts_after(connection, epoch, start, limit + 1)
    view = load_view(connection, epoch, trust.epoch)
    current = _current(connection, view, rows[:limit], now)
    return AlertList(
        tuple(_summary(row, trust.epoch_id) for row in current), rows[limit - 1].alert_id if len(rows) > limit else None
    )


def alert_detail(connection: Connection, trust: Trust, alert_id: str, offset: int, limit: int, now: int) -> AlertDetail:
    """One alert with a page of its records, as evidence, and their submissions' sealed secrets.

    An alert that holds no longer has no records. Raises Problem 404 where there is no such alert.
    """
    epoch = current_epoch(connection, trust)
    view = load_view(connection, epoch, trust.epoch)
    row = _current(connection, view, [_find(connection, epoch, alert_id)], now)[0]
    records: list[AlertedRecord] = []
    if row.state == RAISED:
        records = alerts.live_records(connection, epoch, row.alert, now, offset, limit)
    statements = alerts.statements_of(connection, epoch, records)
    places = {statement.submission: place for place, statement in enumerate(statements)}
    return AlertDetail(
        alert_id=row.alert_id,
        epoch_id=trust.epoch_id,
        raised_at=row.raised_at or 0,
        changed_at=row.changed_at,
        statements=tuple(_statements(connection, view, statements)),
        records=tuple(_records(connection, view, records, statements, places)),
        total=row.records,
        offset=offset,
    )


def alert_details(connection: Connection, trust: Trust, alert_ids: Sequence[str], now: int) -> AlertDetails:
    """The first pages of several alerts, as many of them in order as one answer has room for, but one at least.

    Raises Problem 404 where one of them is unknown.
    """
    details: list[AlertDetail] = []
    room = _ANSWER_RECORDS
    for alert_id in alert_ids:
        details.append(alert_detail(connection, trust, alert_id, 0, PART_RECORDS, now))
        room -= len(details[-1].records)
        if room <= 0:
            break
    return AlertDetails(tuple(details))


def _find(connection: Connection, epoch: int, alert_id: str) -> AlertRow:
    found = alerts.find_alert(connection, epoch, alert_id)
    if found is None:
        raise Problem(404, "not-found", "not found", "There is no alert of this name.")
    return found


def _current(connection: Connection, view: EpochView, rows: Sequence[AlertRow], now: int) -> list[AlertRow]:
    """`rows` as they are now: judged again where a record has ended since the worker judged them."""
    live = alerts.count_live(connection, view.epoch, [row.alert for row in rows], now)
    current: list[AlertRow] = []
    for row in rows:
        if row.state == RAISED and (row.stale or live.get(row.alert, 0) != row.records):
            row = _judged_again(connection, view, row, now)
        current.append(row if row.state == RAISED else _without_content(row))
    return current


def _judged_again(connection: Connection, view: EpochView, row: AlertRow, now: int) -> AlertRow:
    members = alerts.live_members(connection, view.epoch, row.alert, now)
    living = {member.record_id: member for member in members}
    entries = [entry for entry in alerts.shared_entries(connection, view.epoch, row.alert) if entry.record_id in living]
    if not opening(shown_records(view, members, entries), view.circumstances(now)):
        return row._replace(state=CLOSED)
    groups: dict[int, set[str]] = defaultdict(set)
    for entry in entries:
        groups[entry.kind].add(view.groups[living[entry.record_id].institution])
    kinds = sorted(view.kind_names[kind] for kind, found in groups.items() if len(found) > 1)
    return row._replace(
        records=len(members),
        institutions=json.dumps(sorted({view.institutions[member.institution] for member in members})),
        kinds=json.dumps(kinds),
        score=sum(view.policies[kind].weight for kind in kinds),
    )


def _without_content(row: AlertRow) -> AlertRow:
    """Below the threshold nothing is shown but that there was an alert once."""
    return row._replace(records=0, score=0, institutions="[]", kinds="[]")


def _summary(row: AlertRow, epoch_id: bytes) -> AlertSummary:
    return AlertSummary(
        alert_id=row.alert_id,
        epoch_id=epoch_id,
        state=row.state,
        raised_at=row.raised_at or 0,
        changed_at=row.changed_at,
        records=row.records,
        institutions=tuple(json.loads(row.institutions)),
        kinds=tuple(json.loads(row.kinds)),
        score=row.score,
    )


def _statements(connection: Connection, view: EpochView, rows: Sequence[StatementRow]) -> Iterator[AlertStatement]:
    """Statements with all of their sealed secrets (only over all of them does a record's sealed_ref hold) and where

    their leaves stand in the log.
    """
    schema = schema_of(SealedSecretMessage)
    times = [received_at(row.receipt) for row in rows]
    hashes = [leaf_hash(submission_leaf(row.statement, at)) for row, at in zip(rows, times, strict=True)]
    places = log.places_of(connection, hashes)
    for row, at, found in zip(rows, times, hashes, strict=True):
        sealed = tuple(schema.load(each) for each in json.loads(row.sealed))
        institution_id = view.institutions[row.institution]
        yield AlertStatement(row.statement, row.signature, institution_id, sealed, at, places.get(found))


def _records(
    connection: Connection,
    view: EpochView,
    records: Sequence[AlertedRecord],
    statements: Sequence[StatementRow],
    places: dict[int, int],
) -> list[AlertRecord]:
    aside = alerts.entries_set_aside(connection, view.epoch, [row.record_id for row in records])
    paths = _Paths(connection, view.epoch)
    found: list[AlertRecord] = []
    for row in records:
        number, index = divmod(row.record_id, RECORD_SPAN)
        place = places[number]
        path = paths.path(number, index, statements[place].records)
        found.append(AlertRecord(row.body, path, place, _set_aside(view, row, aside)))
    return found


def _set_aside(view: EpochView, row: AlertedRecord, aside: set[tuple[int, int, bytes]]) -> tuple[int, ...]:
    """The places of the record's entries that do not count."""
    if not any(record_id == row.record_id for record_id, _, _ in aside):
        return ()
    entries = [Entry.decode(entry) for entry in unpack_records(row.body)[0].entries]
    names = {(view.kind_names[kind], tag) for record_id, kind, tag in aside if record_id == row.record_id}
    return tuple(place for place, entry in enumerate(entries) if (entry.kind, entry.tag) in names)


class _Paths:
    """Merkle paths out of the leaves that were kept, each part's read once.

    A part holds 512 leaves, a whole subtree, so that a path within the part continues as one over the parts' roots.
    """

    def __init__(self, connection: Connection, epoch: int) -> None:
        self._connection = connection
        self._epoch = epoch
        self._leaves: dict[tuple[int, int], list[bytes]] = {}
        self._roots: dict[int, list[bytes]] = {}

    def path(self, number: int, index: int, count: int) -> bytes:
        """The path of the record at `index` of `count` in a submission."""
        part, place = divmod(index, PART_RECORDS)
        if number not in self._roots:
            self._roots[number] = submissions.part_roots(self._connection, self._epoch, number)
        if (number, part) not in self._leaves:
            packed = submissions.part_leaves(self._connection, self._epoch, number, part)
            self._leaves[number, part] = [packed[start : start + _HASH] for start in range(0, len(packed), _HASH)]
        within = merkle.path(self._leaves[number, part], place)[_PATH_HEADER:]
        above = merkle.path(self._roots[number], part)[_PATH_HEADER:]
        return u32(index) + u32(count) + within + above
