"""What the broker's views work with: its database, its clock, its signing key, and what the signed documents say.

Made once by the app factory. Knows no request and no rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from flask import current_app
from sqlalchemy import Connection, Engine

from broker.directory import Directory
from broker.log.sequencer import Sequencer
from broker.store.epochs import InstitutionRow, epoch_number, find_institution
from crypto.signatures import SigningKey
from policies.log.witness_policy import WitnessPolicy
from policies.trust import Trust
from runtime.clock import Clock, unix
from wire.problems import Problem

EXTENSION = "crosslight-broker"


@dataclass(frozen=True)
class BrokerContext:
    """The broker's parts."""

    engine: Engine
    clock: Clock
    directory: Directory
    signing_key: SigningKey = field(repr=False)
    sequencer: Sequencer = field(repr=False)

    @property
    def now(self) -> int:
        """Unix seconds."""
        return unix(self.clock)

    def trust(self) -> Trust:
        """What the documents say; raises Problem 503 as long as there is no epoch with a roster."""
        trust = self.directory.trust()
        if not trust.is_ready:
            raise Problem(503, "not-ready", "not ready", "The broker has no signed epoch and roster yet.")
        return trust

    def witness_policy(self) -> WitnessPolicy:
        """Whose cosignatures count, and how many a checkpoint needs; raises Problem 503 as `trust` does."""
        return WitnessPolicy.parse(self.trust().roster.witness_policy)


def broker_context() -> BrokerContext:
    """The parts of the application that answers the current request."""
    return cast(BrokerContext, current_app.extensions[EXTENSION])


def current_epoch(connection: Connection, trust: Trust) -> int:
    """The short number of the newest epoch."""
    number = epoch_number(connection, trust.epoch_id)
    if number is None:
        raise Problem(503, "not-ready", "not ready", "The broker has not yet taken in the newest epoch.")
    return number


def calling_institution(
    connection: Connection, epoch: int, institution_id: str, *, lock: bool = False, suspended_too: bool = False
) -> InstitutionRow:
    """The institution of the newest roster with this id; raises Problem 403 where there is none.

    One that is suspended counts as none, unless `suspended_too`: it may take its records back.
    """
    row = find_institution(connection, epoch, institution_id, lock=lock)
    if row is None or not (row.active or suspended_too):
        raise Problem(
            403, "not-a-member", "not a member", "The newest roster does not name this institution, or it is suspended."
        )
    return row
