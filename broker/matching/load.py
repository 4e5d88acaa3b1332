"""Reads the view of an epoch, through which matching and the alerts' readers look, out of the database."""

from __future__ import annotations

from sqlalchemy import Connection

from broker.matching.view import EpochView
from broker.store import epochs
from policies.epoch import Epoch


def load_view(connection: Connection, number: int, epoch: Epoch) -> EpochView:
    """The view of an epoch that the tables follow under a short number."""
    rows = epochs.institutions(connection, number)
    return EpochView(
        epoch=number,
        rule=epoch.opening_rule,
        policies=epoch.kinds,
        kind_names=epochs.kind_names(connection, number),
        institutions={row.institution: row.institution_id for row in rows},
        groups={row.institution: row.group_id for row in rows},
        active=frozenset(row.institution for row in rows if row.active),
    )
