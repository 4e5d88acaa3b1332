"""What depends on a match: events wait under random salts, and every hour one leaf covers what its 1024 places hold.

Always one leaf an hour, always of the same size: alerts, openings and exports neither hasten nor lengthen the log. What
an hour has no room for waits for the next. Knows no request.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

import rfc8785
from sqlalchemy import Connection

from broker.log.append import append
from broker.store import activity, log
from policies.log.activity import (
    COMMITMENTS,
    HOUR,
    SALT_LENGTH,
    SECRET_LENGTH,
    activity_root,
    commitment,
    empty_commitment,
    event_text,
    read_event,
    split_commitments,
)
from policies.log.errors import LogRefused
from policies.log.leaves import activity_leaf
from wire.problems import Problem


def note(connection: Connection, event: Mapping[str, Any], now: int) -> None:
    """Let an event wait for its hour, in the transaction that it tells of."""
    _add(connection, rfc8785.dumps(dict(event)).decode(), now)


def note_alert(connection: Connection, now: int, **body: Any) -> None:
    """Note what became of an alert."""
    _add(connection, event_text("alert", now, **body), now)


def note_reported(connection: Connection, party_id: str, events: Iterable[str], now: int) -> None:
    """Note what a recipient or holder reports, in its name; raises Problem 422 for what is no event."""
    for text in events:
        try:
            event = read_event(text)
        except LogRefused as refused:
            raise _refused(refused.reason) from None
        if event["at"] > now + HOUR:
            raise _refused("An event cannot be reported before it happens.")
        _add(connection, event_text("reported", now, party_id=party_id, event=dict(event)), now)


def close_hours(connection: Connection, hour: int) -> None:
    """Log the activity of every hour before the one that begins at `hour` (Unix seconds) and was not logged yet.

    The first call of all logs the hour before and no earlier one. Hours in which nobody was here to close them are
    logged now, empty but for what had waited before they ended.
    """
    # The holder of the log's row closes hours, so that no two processes close the same one.
    log.lock_log(connection)
    last = activity.last_hour(connection)
    first = hour - HOUR if last is None else last + HOUR
    for closing in range(first, hour, HOUR):
        _close(connection, closing, hour)


def _refused(reason: str) -> Problem:
    return Problem(422, "invalid-event", "event refused", reason)


def _close(connection: Connection, hour: int, now: int) -> None:
    waiting = activity.waiting_events(connection, hour + HOUR, COMMITMENTS)
    commitments = [commitment(row.salt, row.event) for row in waiting]
    secret = secrets.token_bytes(SECRET_LENGTH)
    commitments += [empty_commitment(secret, place) for place in range(len(commitments), COMMITMENTS)]
    packed = b"".join(commitments)
    activity.close_hour(connection, hour, packed, secret, [(row.serial, place) for place, row in enumerate(waiting)])
    append(connection, activity_leaf(hour, activity_root(split_commitments(packed)), max(now, hour + HOUR)))


def _add(connection: Connection, event: str, now: int) -> None:
    activity.add_event(connection, now, secrets.token_bytes(SALT_LENGTH), event)
