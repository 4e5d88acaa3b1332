"""Connected components, kept incrementally: records that meet under a tag get one alert, alerts that touch become one.

The largest component keeps its rows; the alert that was raised first keeps its name. Knows no rule.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from broker.log.activity import note_alert
from broker.matching.union import UnionFind
from broker.matching.view import EpochView
from broker.store import components
from broker.store.components import AlertRow
from broker.store.index import Meeting
from broker.store.schema import CLOSED, QUIET, RAISED


@dataclass(frozen=True, slots=True)
class Link:
    """A tag under which records of at least two groups stand; `alert` is the one of its meeting, if there was one."""

    tag: bytes
    kind: int
    public_key: bytes
    records: tuple[int, ...]
    alert: int | None


def join(connection: Connection, view: EpochView, links: Sequence[Link], now: int) -> set[int]:
    """Bring records, meetings and alerts together as `links` say; return the alerts that were touched."""
    records = {record for link in links for record in link.records}
    labels = components.labels_of(connection, records)
    sets = _connect(links, labels)
    known = components.alerts_by_number(connection, (each for group in sets for each in group.alerts))
    created = iter(components.create_alerts(connection, view.epoch, sum(not one.alerts for one in sets), now))
    members: dict[int, int] = {}
    survivors: dict[int, int] = {}
    touched: set[int] = set()
    for one in sets:
        target = _survivor(known[each] for each in one.alerts) if one.alerts else next(created)
        touched.add(target)
        members |= {record: target for record in one.records if record not in labels}
        survivors |= {each: target for each in one.alerts if each != target}
    _merge(connection, view.epoch, survivors, known, now)
    components.join_records(connection, members)
    home = {record: survivors.get(label, label) for record, label in labels.items()} | members
    new = [Meeting(link.tag, link.kind, home[link.records[0]], link.public_key) for link in links if link.alert is None]
    components.create_meetings(connection, view.epoch, new)
    return touched


@dataclass(frozen=True, slots=True)
class _ConnectedSet:
    records: frozenset[int]
    alerts: frozenset[int]


def _connect(links: Iterable[Link], labels: dict[int, int]) -> list[_ConnectedSet]:
    """The records of `links` and the alerts that they belong to, connected through both."""
    # Alerts and records are one kind of node here; an alert's number stands as a negative one.
    nodes = UnionFind()
    for link in links:
        anchor = link.records[0]
        for record in link.records:
            nodes.union(anchor, record)
            if record in labels:
                nodes.union(anchor, -labels[record])
        if link.alert is not None:
            nodes.union(anchor, -link.alert)
    return [
        _ConnectedSet(
            frozenset(node for node in members if node >= 0), frozenset(-node for node in members if node < 0)
        )
        for members in nodes.sets()
    ]


def _survivor(alerts: Iterable[AlertRow]) -> int:
    """The alert whose rows need not be touched: the largest, of equals the first."""
    return min(alerts, key=lambda row: (-row.records, row.alert)).alert


def _merge(connection: Connection, epoch: int, survivors: dict[int, int], known: dict[int, AlertRow], now: int) -> None:
    """Merge alerts; what recipients see survives under the name that was raised first, other names are closed."""
    if not survivors:
        return
    components.merge_alerts(connection, survivors)
    merged: dict[int, list[AlertRow]] = defaultdict(list)
    for lost, kept in survivors.items():
        merged[kept].append(known[lost])
    changed: list[AlertRow] = []
    unseen: set[int] = set()
    for kept, losers in merged.items():
        rows = [known[kept], *losers]
        seen = sorted((row.raised_at, row.alert) for row in rows if row.raised_at is not None)
        if seen and seen[0][1] != kept:
            named = known[seen[0][1]]
            known[kept], known[named.alert] = _swap_names(known[kept], named)
        stale = any(row.stale for row in rows)
        changed.append(known[kept]._replace(stale=stale))
        for loser in losers:
            row = known[loser.alert]
            if row.raised_at is None:
                unseen.add(row.alert)
            else:
                changed.append(_closed(row, now))
                if row.state == RAISED:
                    note_alert(connection, now, alert_id=row.alert_id, state=CLOSED, records=0)
    components.delete_alerts(connection, unseen)
    components.store_alerts(connection, epoch, _names_freed(changed))
    components.store_alerts(connection, epoch, changed)


def _swap_names(first: AlertRow, second: AlertRow) -> tuple[AlertRow, AlertRow]:
    """Exchange what recipients know two alerts by."""
    return (
        first._replace(alert_id=second.alert_id, raised_at=second.raised_at, state=second.state),
        second._replace(alert_id=first.alert_id, raised_at=first.raised_at, state=first.state),
    )


def _names_freed(rows: Iterable[AlertRow]) -> list[AlertRow]:
    """`rows` under names that nobody has, since two rows that exchange names would stand in each other's way."""
    return [row._replace(alert_id=f"merging {row.alert}") for row in rows]


def _closed(row: AlertRow, now: int) -> AlertRow:
    return row._replace(
        state=CLOSED if row.state != QUIET else QUIET,
        changed_at=now,
        records=0,
        opening=0,
        score=0,
        institutions="[]",
        kinds="[]",
        valid_until=None,
        stale=False,
    )
