"""Splits a component again after records or tags have left it, and judges what remains.

Works from the meetings and the index, one stale alert at a time, so that memory is bounded by one component.
"""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection

from broker.matching.crowds import TagKey, by_tag, groups_meet
from broker.matching.judge import judge
from broker.matching.union import UnionFind
from broker.matching.view import EpochView
from broker.store import components
from broker.store.components import AlertRow


def rejoin(connection: Connection, view: EpochView, row: AlertRow, now: int) -> None:
    """Connect and judge the stale alert `row` again.

    The largest component keeps the alert, and with it the name that recipients know; each other gets an alert of its
    own. Records that meet no other group's any longer are in none.
    """
    meeting = {
        key: entries
        for key, entries in by_tag(components.standings_of_alert(connection, view.epoch, row.alert)).items()
        if groups_meet(view, entries)
    }
    ended = components.meetings_of_alert(connection, view.epoch, row.alert) - meeting.keys()
    components.end_meetings(connection, view.epoch, ended)
    tags_of: dict[int, list[TagKey]] = defaultdict(list)
    nodes = UnionFind()
    for key, entries in meeting.items():
        active = [entry.record_id for entry in entries if entry.institution in view.active]
        tags_of[active[0]].append(key)
        for record in active:
            nodes.union(active[0], record)
    parts = sorted(nodes.sets(), key=lambda records: (-len(records), min(records)))
    alerts = [row.alert, *components.create_alerts(connection, view.epoch, max(0, len(parts) - 1), now)]
    home = {record: alerts[number] for number, records in enumerate(parts) for record in records}
    before = components.records_of_alert(connection, view.epoch, row.alert)
    components.leave_alerts(connection, before - home.keys())
    components.join_records(connection, {one: label for one, label in home.items() if one not in before})
    components.move_records(
        connection, {one: label for one, label in home.items() if one in before and label != row.alert}
    )
    moved = {key: home[anchor] for anchor, keys in tags_of.items() for key in keys if home[anchor] != row.alert}
    components.move_meetings(connection, view.epoch, moved)
    components.store_alerts(connection, view.epoch, [row._replace(stale=False)])
    judge(connection, view, home.keys(), alerts, now)
    if not parts and row.raised_at is None:
        components.delete_alerts(connection, [row.alert])
