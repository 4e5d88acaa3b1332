"""What the log's readers ask beside its tiles: the place of a leaf, a logged withdrawal, hours of activity, caps.

Each function answers one question out of one snapshot. Knows no signature; who may ask, the routes and rules say.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection

from broker.context import current_epoch
from broker.receipts import received_at
from broker.store import activity, caps, endings, log
from policies.log.leaves import read_leaf
from policies.trust import Trust
from wire.access import Caller
from wire.messages.log import (
    MOST_HOURS,
    ActivityHour,
    ActivityHours,
    ExcessCount,
    LeafPlace,
    LoggedWithdrawal,
    OpenedEvent,
    SetAsideCount,
    SetAsideCounts,
)
from wire.problems import Problem


def place_of_leaf(connection: Connection, caller: Caller, leaf_hash: bytes) -> LeafPlace:
    """Where the leaf with a leaf hash (32 bytes) stands; an institution is told only of its own.

    Raises Problem 404 where there is none, or none yet: a leaf waits a second or so for its place.
    """
    row = log.find_leaf(connection, leaf_hash)
    theirs = row is not None and (
        caller.role != "institution" or read_leaf(row.leaf).body.get("institution_id") == caller.party_id
    )
    if row is None or not theirs:
        raise Problem(404, "not-in-log", "not in the log", "The log has no such leaf of the caller's, or not yet.")
    return LeafPlace(row.place)


def logged_withdrawal(
    connection: Connection, institution_id: str, seq: int, statement_hash: bytes | None
) -> LoggedWithdrawal:
    """The signed withdrawal of an institution under a number; of several epochs' the newest, or the one that is named.

    Raises Problem 404 where there is none.
    """
    for row in endings.withdrawals_numbered(connection, institution_id, seq):
        if statement_hash in (None, hashlib.sha256(row.statement).digest()):
            return LoggedWithdrawal(row.statement, row.signature, received_at(row.receipt))
    raise Problem(404, "not-found", "not found", "The institution has no such withdrawal.")


def activity_hours(connection: Connection, first: int) -> ActivityHours:
    """At most 24 hours of activity from one on, with what stands behind their commitments."""
    found = activity.hours_from(connection, first, MOST_HOURS + 1)
    hours = tuple(
        ActivityHour(
            hour,
            commitments,
            secret,
            tuple(
                OpenedEvent(row.place, row.salt, row.event)
                for row in activity.events_of_hour(connection, hour)
                if row.place is not None
            ),
        )
        for hour, commitments, secret in found[:MOST_HOURS]
    )
    return ActivityHours(hours, found[MOST_HOURS][0] if len(found) > MOST_HOURS else None)


def set_aside_counts(connection: Connection, trust: Trust) -> SetAsideCounts:
    """What the newest epoch's caps and failed possessions set aside, and what is flagged across groups."""
    epoch = current_epoch(connection, trust)
    aside = caps.entries_set_aside(connection, epoch)
    allowed = {kind: policy.cap for kind, policy in trust.kinds.items()}
    excess = caps.excess_across_groups(caps.crowd_sizes(connection, epoch), allowed)
    return SetAsideCounts(
        trust.epoch_id,
        tuple(SetAsideCount(*row) for row in aside),
        tuple(ExcessCount(*row) for row in excess),
    )
