"""Applies the opening rule to records and their neighbours, and raises, updates or closes their alerts.

A record's opening depends on the records that share a tag with it and on no others, so that a large component is never
judged whole for one new record. The rule itself is policies.opening_rule, the same that holders and the desk use.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import islice

from sqlalchemy import Connection

from broker.log.activity import note_alert
from broker.matching.view import EpochView
from broker.store import components
from broker.store.components import AlertRow, Tally
from broker.store.neighbourhood import Member, SharedEntry, neighbourhood
from broker.store.schema import CLOSED, PROOF, RAISED
from policies.opening_rule import ShownEntry, ShownRecord, opening

_BATCH = 2000
"""Records judged at once: what bounds the memory."""


def judge(connection: Connection, view: EpochView, records: Collection[int], alerts: Collection[int], now: int) -> None:
    """Decide anew which of `records` open, and with that the state of `alerts`, to which they belong."""
    for batch in _batches(sorted(records)):
        members, entries = neighbourhood(connection, batch)
        opened = opening(shown_records(view, members, entries), view.circumstances(now))
        components.set_opening(connection, batch, opened.keys() & set(batch))
    _summarise(connection, view, alerts, now)


def shown_records(view: EpochView, members: Iterable[Member], entries: Iterable[SharedEntry]) -> dict[int, ShownRecord]:
    """Records as the rule looks at them. Under a meeting all possessions held, and all keys were found equal."""
    shown: dict[int, list[ShownEntry]] = defaultdict(list)
    for entry in entries:
        proven = entry.proof == PROOF
        shown[entry.record_id].append(
            ShownEntry(view.kind_names[entry.kind], entry.public_key if proven else None, proven)
        )
    return {
        member.record_id: ShownRecord(
            view.institutions[member.institution], member.handle, member.expires_at, tuple(shown[member.record_id])
        )
        for member in members
    }


def _summarise(connection: Connection, view: EpochView, alerts: Collection[int], now: int) -> None:
    """Bring what is stored of `alerts` up to date with their records and meetings."""
    tallied: dict[int, list[Tally]] = defaultdict(list)
    for tally in components.tallies(connection, alerts):
        tallied[tally.alert].append(tally)
    kinds: dict[int, set[int]] = defaultdict(set)
    for label, kind in components.meeting_kinds(connection, alerts):
        kinds[label].add(kind)
    changed: list[AlertRow] = []
    for row in components.alerts_by_number(connection, alerts).values():
        summary = summarise(view, row, tallied[row.alert], kinds[row.alert], now)
        if summary != row:
            changed.append(summary._replace(changed_at=now))
        if summary.state != row.state:
            note_alert(connection, now, alert_id=row.alert_id, state=summary.state, records=summary.records)
    components.store_alerts(connection, view.epoch, changed)


def summarise(view: EpochView, row: AlertRow, tallies: Sequence[Tally], kinds: Collection[int], now: int) -> AlertRow:
    """`row` with the state and the numbers that its records give it now; `changed_at` is left as it was."""
    opens = sum(tally.opening for tally in tallies)
    names = sorted(view.kind_names[kind] for kind in kinds)
    if opens:
        state = RAISED
    else:
        state = CLOSED if row.raised_at is not None else row.state
    return row._replace(
        state=state,
        raised_at=row.raised_at if row.raised_at is not None or not opens else now,
        records=sum(tally.records for tally in tallies),
        opening=opens,
        score=sum(view.policies[name].weight for name in names),
        institutions=json.dumps(sorted({view.institutions[tally.institution] for tally in tallies})),
        kinds=json.dumps(names),
        valid_until=min((tally.earliest_expiry for tally in tallies), default=None),
    )


def _batches(records: Sequence[int]) -> Iterable[list[int]]:
    iterator = iter(records)
    while batch := list(islice(iterator, _BATCH)):
        yield batch
