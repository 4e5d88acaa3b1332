"""Takes records that were withdrawn, or have expired, out of the index and of their alerts.

Their rows are gone already, and with that they are in no answer; this cleans up after them. A group that comes under
its cap again gets its entries back.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from broker.matching.crowds import by_tag, groups_over_cap
from broker.matching.match import match
from broker.matching.view import EpochView
from broker.store import components, index


def remove(connection: Connection, view: EpochView, record_ids: Sequence[int], now: int) -> None:
    """Remove what the index and the alerts hold of `record_ids`; their alerts become stale."""
    freed = index.drop_records(connection, record_ids)
    components.leave_alerts(connection, record_ids)
    if not freed:
        return
    index.look_at_tags(connection, view.epoch, freed)
    loosened = {meeting.alert for meeting in index.crowded_meetings(connection)}
    components.mark_stale(connection, loosened)
    _restore(connection, view, now)


def _restore(connection: Connection, view: EpochView, now: int) -> None:
    """Let those come back whom a cap had set aside under the tags looked at and who are not over it any longer."""
    excess = by_tag(index.set_aside_by_cap(connection))
    if not excess:
        return
    index.look_at_tags(connection, view.epoch, set(excess))
    standing = by_tag(index.crowded_entries(connection))
    crowds = index.crowded_set_aside(connection)
    returning = []
    for key, entries in excess.items():
        aside = [crowd for crowd in crowds if (crowd.tag, crowd.kind) == key]
        over = groups_over_cap(view, standing.get(key, []), aside, view.policy(key[1]).cap)
        returning += [entry for entry in entries if view.groups[entry.institution] not in over]
    if returning:
        index.forget_set_aside(connection, returning)
        match(connection, view, returning, now)
