"""Whether every hour has its activity leaf, and whether what is behind it is what was committed to.

Also whether every decision among the events replays. Knows no network: hours come as the broker answers them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clients.auditor.ledger import Ledger
from clients.auditor.ledger_schema import Finding, LeafRow
from clients.auditor.words import day_and_time
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
from policies.log.errors import LogRefused
from wire.messages.log import ActivityHour
from wire.packed import pack

SUBJECT: Final = "activity"
LATEST: Final = 2 * HOUR
"""Seconds after an hour's end by which its leaf must be there."""


@dataclass(frozen=True)
class Event:
    """Something that depends on a match and was opened to the auditor: in which hour, by whom reported, what."""

    hour: int
    place: int
    party: str
    kind: str
    at: int
    body: Mapping[str, Any]


def check_hours(ledger: Ledger, now: int) -> Iterator[Finding]:
    """A finding for each hour without a leaf, with two, or with one of another size."""
    previous: LeafRow | None = None
    expected: int | None = None
    for row in ledger.leaves("activity"):
        body = json.loads(row.body)
        hour = body.get("hour")
        if body.get("count") != COMMITMENTS or not isinstance(hour, int):
            yield Finding(SUBJECT, f"Leaf {row.position} is no hour of {COMMITMENTS} commitments.", row.position)
            continue
        if expected is not None and hour != expected:
            sentence = (
                f"Leaf {row.position} is the activity of the hour from {day_and_time(hour)}, but that of the hour from "
                f"{day_and_time(expected)} would be the next."
            )
            yield Finding(SUBJECT, sentence, row.position)
        previous, expected = row, hour + HOUR
    if expected is not None and expected + HOUR + LATEST < now and previous is not None:
        sentence = (
            f"The log shows no activity for the hours from {day_and_time(expected)} to {day_and_time(hour_of(now))}."
        )
        yield Finding(SUBJECT, sentence, previous.position)


def logged_until(ledger: Ledger) -> int:
    """The end of the newest hour whose activity is in the log, in Unix seconds; 0 where there is none."""
    hours = [json.loads(row.body).get("hour") for row in ledger.leaves("activity")]
    return max((hour + HOUR for hour in hours if isinstance(hour, int)), default=0)


def check_opened(ledger: Ledger, hours: Iterable[ActivityHour]) -> Iterator[Finding | Event]:
    """Hold the hours that the broker opens against their leaves; gives findings, and the events that are behind."""
    logged = {
        body["hour"]: (row, body) for row in ledger.leaves("activity") if "hour" in (body := json.loads(row.body))
    }
    missing = set(logged)
    for hour in hours:
        if hour.hour not in logged:
            if hour.hour <= max(logged, default=0):
                yield Finding(
                    SUBJECT, f"The broker opens the hour from {day_and_time(hour.hour)}, which is not logged."
                )
            continue
        missing.discard(hour.hour)
        yield from _hour(logged[hour.hour][0], str(logged[hour.hour][1].get("root")), hour)
    for gone in sorted(missing):
        row = logged[gone][0]
        sentence = f"The broker does not show what is behind leaf {row.position}, the hour from {day_and_time(gone)}."
        yield Finding(SUBJECT, sentence, row.position)


def _hour(row: LeafRow, root: str, hour: ActivityHour) -> Iterator[Finding | Event]:
    commitments = split_commitments(hour.commitments)
    try:
        shown = pack(activity_root(commitments))
    except LogRefused as refused:
        yield Finding(SUBJECT, f"What is shown behind leaf {row.position} is no hour: {refused.reason}", row.position)
        return
    if shown != root:
        sentence = (
            f"The commitments shown for the hour from {day_and_time(hour.hour)} are not those of leaf {row.position}."
        )
        yield Finding(SUBJECT, sentence, row.position)
        return
    shown_places = {opened.place for opened in hour.opened}
    hidden = [
        place
        for place in range(len(commitments))
        if place not in shown_places and commitments[place] != empty_commitment(hour.secret, place)
    ]
    if hidden:
        more = f" and {len(hidden) - 1} more" if hidden[1:] else ""
        sentence = (
            f"Behind leaf {row.position}, the activity of the hour from {day_and_time(hour.hour)}, stands something "
            f"that the broker does not show, at place {hidden[0]}{more}."
        )
        yield Finding(SUBJECT, sentence, row.position)
    for opened in hour.opened:
        try:
            verify_opening(commitments, opened.place, opened.salt, opened.event)
            yield _event(hour.hour, opened.place, read_event(opened.event))
        except LogRefused as refused:
            yield Finding(SUBJECT, f"Behind leaf {row.position}, an hour of activity: {refused.reason}", row.position)


def _event(hour: int, place: int, document: Mapping[str, Any]) -> Event:
    """An event; one that a party reported as what it reported, in the party's name."""
    inner, party = document, ""
    if isinstance(document.get("event"), dict):
        inner, party = document["event"], str(document.get("party_id", ""))
    kind = str(inner.get("type", "")).rsplit(" ", 1)[-1]
    at = inner.get("at")
    return Event(hour, place, party, kind, at if isinstance(at, int) else hour, inner)
