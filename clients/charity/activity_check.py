"""Whether the alerts that the broker shows stand in the log: each in the hour's activity, covered by the hour's leaf.

An alert that the activity does not have was shown to this recipient and to no auditor. Nothing is believed: an hour
counts only if its commitments' root is a leaf of the log. Knows no record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from clients.charity.links import BrokerLink
from clients.log.source import LogSource
from policies.log.activity import (
    COMMITMENTS,
    HOUR,
    activity_root,
    empty_commitment,
    hour_of,
    read_event,
    split_commitments,
    verify_opening,
)
from policies.log.checkpoint import Checkpoint
from policies.log.errors import LogRefused
from policies.log.leaves import activity_leaf
from policies.log.tiles import TileHashes
from policies.log.tree import inclusion_path, leaf_hash, verify_inclusion
from wire.messages.log import ActivityHour

GRACE = HOUR
"""How long after an hour's end its leaf may take: a broker that was away logs the hour when it is back."""

HOURS_BEHIND = 48
"""How many hours after an hour's end its leaf is looked for: a broker that was away for longer is said to be late."""

MISSING = (
    "The log's activity does not have this alert: the broker shows it to you and hides it from the auditor. "
    "Tell the auditor."
)
LATE = "The log's activity of the hour in which this alert was raised is overdue: tell the auditor if it stays so."


@dataclass(frozen=True)
class Standing:
    """Alerts by how they stand: those found in the activity, and why the others are marked (a sentence each)."""

    found: frozenset[str]
    marks: Mapping[str, str]


def check_alerts(
    raised: Mapping[str, int], broker: BrokerLink, source: LogSource, checkpoint: Checkpoint, now: int
) -> Standing:
    """How the alerts (by id, with the time at which each was raised) stand in the log up to a checkpoint.

    Asks nothing where there is no alert. Raises LogRefused for an activity that is not what was committed to.
    """
    found: set[str] = set()
    marks: dict[str, str] = {}
    waiting = dict(raised)
    tiles = TileHashes(source.tile, checkpoint.size)
    for hour in _hours(waiting, broker) if waiting else ():
        if not _is_logged(hour, broker, tiles, checkpoint, now):
            break
        told = _alerts_of(hour)
        found |= told & waiting.keys()
        waiting = {alert_id: at for alert_id, at in waiting.items() if alert_id not in told}
        # What an hour has no room for waits for the next, and what was raised in its last seconds may come in the next:
        # only an hour after it, with room, says that an alert is not there.
        if len(hour.opened) < COMMITMENTS:
            absent = [alert_id for alert_id, at in waiting.items() if hour_of(at) < hour.hour]
            marks |= dict.fromkeys(absent, MISSING)
            waiting = {alert_id: at for alert_id, at in waiting.items() if alert_id not in marks}
        if not waiting:
            break
    overdue = [alert_id for alert_id, at in waiting.items() if now >= hour_of(at) + 2 * HOUR + GRACE]
    return Standing(frozenset(found), marks | dict.fromkeys(overdue, LATE))


def _hours(raised: Mapping[str, int], broker: BrokerLink) -> Iterator[ActivityHour]:
    """The hours from the one in which the first of the alerts was raised; raises LogRefused where one is left out."""
    asked: int | None = hour_of(min(raised.values()))
    last: int | None = None
    while asked is not None:
        page = broker.activity(asked)
        for hour in page.hours:
            # The first may be a later one than was asked for: the log began after the alert was raised.
            if hour.hour % HOUR or (last is not None and hour.hour != last + HOUR):
                raise LogRefused("The broker leaves an hour out of the log's activity.")
            last = hour.hour
            yield hour
        asked = page.next if page.hours else None


def _alerts_of(hour: ActivityHour) -> set[str]:
    """The alerts that were raised in an hour; raises LogRefused where an event is another than was committed to, or is
    kept back.
    """
    commitments = split_commitments(hour.commitments)
    opened = {one.place for one in hour.opened}
    for place, made in enumerate(commitments):
        if place not in opened and made != empty_commitment(hour.secret, place):
            raise LogRefused("The broker keeps an event of the log's activity back, and commits to it.")
    told: set[str] = set()
    for one in hour.opened:
        verify_opening(commitments, one.place, one.salt, one.event)
        event = read_event(one.event)
        if event["type"] == "crosslight/v1 event alert" and event.get("state") == "raised":
            told.add(str(event.get("alert_id")))
    return told


def _is_logged(hour: ActivityHour, broker: BrokerLink, tiles: TileHashes, checkpoint: Checkpoint, now: int) -> bool:
    """Whether the checkpoint covers the hour's leaf. The leaf is of the hour's end, or of when a broker came back."""
    root = activity_root(split_commitments(hour.commitments))
    latest = min(hour_of(now), hour.hour + HOURS_BEHIND * HOUR)
    for at in range(hour.hour + HOUR, latest + 1, HOUR):
        leaf = leaf_hash(activity_leaf(hour.hour, root, at))
        index = broker.find_leaf(leaf)
        if index is None:
            continue
        if index >= checkpoint.size:
            return False
        path = inclusion_path(tiles, index, checkpoint.size)
        verify_inclusion(leaf, index, checkpoint.size, path, checkpoint.root)
        return True
    return False
