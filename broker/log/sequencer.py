"""Gives leaves that wait their places in the tree, completes tiles and signs the checkpoint: a transaction a step.

Whoever holds the log's one row gives places, all others wait: any number of processes may run this, on SQLite and on
PostgreSQL. Killed at any point, the step has happened whole or not at all, and the leaves wait still. Knows no leaf's
meaning, and nothing of matching: how fast the log grows depends on what was committed and on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, Engine

from broker.log.tree import grow
from broker.store import log
from broker.store.log import LeafRow
from crypto.signatures import SigningKey
from policies.log.checkpoint import make_checkpoint, origin_of
from policies.log.tree import leaf_hash
from policies.trust import Trust
from runtime.clock import Clock, unix
from runtime.database import read_transaction, run_in_transaction

LEAVES_A_STEP = 4096

SignCheckpoint = Callable[[int, bytes], str]
"""From a tree's size and its root (32 bytes) to the signed note."""


def make_signer(trust: Trust, signing_key: SigningKey) -> SignCheckpoint:
    """The function that signs the log's checkpoints, under the name that the agreement's first version gives it."""
    first = trust.agreements[0]
    origin = origin_of(first.agreement_id, first.parties.broker)
    return lambda size, root: make_checkpoint(origin, size, root, signing_key)


class Sequencer:
    """Orders the log of one broker."""

    def __init__(self, engine: Engine, clock: Clock, sign: SignCheckpoint) -> None:
        self._engine = engine
        self._clock = clock
        self._sign = sign

    def step(self) -> bool:
        """Give places to at most 4096 leaves that wait; return whether there was anything to do."""
        # Looked at first, so that an idle log takes no lock and no writer's turn.
        with read_transaction(self._engine) as connection:
            if not log.has_pending(connection) and log.newest_checkpoint(connection) is not None:
                return False
        return run_in_transaction(self._engine, self._sequence)

    def finish(self) -> None:
        """Step until every leaf that was committed has a place under a signed checkpoint."""
        while self.step():
            pass

    def _sequence(self, connection: Connection) -> bool:
        size = log.lock_log(connection)
        leaves = log.take_pending(connection, LEAVES_A_STEP)
        newest = log.newest_checkpoint(connection)
        if not leaves and newest is not None:
            return False
        hashes = [leaf_hash(leaf) for leaf in leaves]
        rows = [LeafRow(size + number, hashes[number], leaf) for number, leaf in enumerate(leaves)]
        log.add_leaves(connection, rows)
        root = grow(connection, size, hashes)
        log.set_log_size(connection, size + len(leaves))
        log.add_checkpoint(connection, size + len(leaves), self._sign(size + len(leaves), root), unix(self._clock))
        return True
