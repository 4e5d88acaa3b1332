"""The worker: takes what was committed from the database and brings index and alerts up to date, step by step.

Its queue is the database itself, and each step is one transaction: killed at any point, it (or another) goes on where
the last committed step ended, to the same end. It answers nobody; nothing that it does can be seen by a submitter.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from sqlalchemy import Connection, Engine

from broker.matching.load import load_view
from broker.matching.match import match
from broker.matching.removal import remove
from broker.matching.split import rejoin
from broker.matching.view import EpochView
from broker.store import components, endings, index, scratch
from broker.store.arrivals import arrived_entries, forget_arrived
from broker.store.epochs import epoch_number
from broker.store.schema import PART_RECORDS, nonce
from policies.epoch import Epoch
from policies.trust import Trust
from runtime.clock import Clock, unix
from runtime.database import run_in_transaction
from wire.nonces import prune_nonces

_MATCH_PARTS = 8
_REMOVE_RECORDS = 2048
_REJOIN_ALERTS = 64
_REMATCH_ENTRIES = 8192
"""More than the entries of any one record."""
_RETRY_SECONDS = 5.0
_PRUNE_EVERY = 600
"""Seconds."""

_Step = Callable[[Connection, int, Epoch, int], bool]
"""Works on an epoch (its short number, its document) at a time; says whether there was anything to do."""


class Worker:
    """Does the work that is there, one step after another."""

    def __init__(self, engine: Engine, trust: Callable[[], Trust], clock: Clock) -> None:
        self._engine = engine
        self._trust = trust
        self._clock = clock
        self._pruned_at = 0
        self._log = structlog.get_logger()

    def step(self) -> bool:
        """Do one step; return whether there was anything to do."""
        trust = self._trust()
        if not trust.is_ready:
            return False
        # What ended leaves first, so that it is in nobody's way; then what came is matched.
        steps: tuple[_Step, ...] = (self._remove, self._rejoin, self._rematch, self._match)
        return any(self._run(step, trust.epoch) for step in steps)

    def finish(self) -> None:
        """Step until there is nothing left to do."""
        while self.step():
            pass

    def run(self, stop: threading.Event, idle_seconds: float = 0.5) -> None:
        """Step until `stop` is set, and look again every `idle_seconds` when there is nothing to do.

        A step that fails (the database is away, say) is logged and tried again: its transaction left nothing behind.
        """
        while not stop.is_set():
            try:
                worked = self.step()
                if not worked:
                    self._prune()
            except Exception as error:  # noqa: BLE001  (whatever it was, the queue is in the database: go on)
                self._log.error("worker step failed", exc_info=error)
                stop.wait(_RETRY_SECONDS)
                continue
            if not worked:
                stop.wait(idle_seconds)

    def _run(self, step: _Step, epoch: Epoch) -> bool:
        def work(connection: Connection) -> bool:
            number = epoch_number(connection, epoch.epoch_id)
            return number is not None and step(connection, number, epoch, unix(self._clock))

        return run_in_transaction(self._engine, work)

    def _remove(self, connection: Connection, number: int, epoch: Epoch, now: int) -> bool:
        if not endings.queued_removals(connection, number, 1):
            return False
        view = _begin(connection, number, epoch)
        record_ids = endings.queued_removals(connection, number, _REMOVE_RECORDS)
        remove(connection, view, record_ids, now)
        endings.forget_removals(connection, record_ids)
        return True

    def _rejoin(self, connection: Connection, number: int, epoch: Epoch, now: int) -> bool:
        if not components.stale_alerts(connection, number, 1):
            return False
        view = _begin(connection, number, epoch)
        for row in components.stale_alerts(connection, number, _REJOIN_ALERTS):
            rejoin(connection, view, row, now)
        return True

    def _rematch(self, connection: Connection, number: int, epoch: Epoch, now: int) -> bool:
        if index.next_rematch(connection, number) is None:
            return False
        view = _begin(connection, number, epoch)
        waiting = index.next_rematch(connection, number)
        if waiting is None:
            return True
        institution, after = waiting
        held = index.take_held(connection, number, institution, after, _REMATCH_ENTRIES)
        if held:
            match(connection, view, held, now)
        index.set_rematched(connection, number, institution, held[-1].record_id if held else None)
        return True

    def _match(self, connection: Connection, number: int, epoch: Epoch, now: int) -> bool:
        if index.next_unmatched(connection, number) is None:
            return False
        view = _begin(connection, number, epoch)
        waiting = index.next_unmatched(connection, number)
        if waiting is None:
            return True
        first, end = waiting.matched // PART_RECORDS, waiting.matched // PART_RECORDS + _MATCH_PARTS
        fresh = arrived_entries(connection, number, waiting.submission, waiting.institution, first, end)
        match(connection, view, fresh, now)
        forget_arrived(connection, number, waiting.submission, first, end)
        matched = min(waiting.records, end * PART_RECORDS)
        index.set_matched(connection, number, waiting.submission, matched)
        self._log.info("records matched", records=matched - waiting.matched, entries=len(fresh))
        return True

    def _prune(self) -> None:
        now = unix(self._clock)
        if now < self._pruned_at + _PRUNE_EVERY:
            return
        self._pruned_at = now
        run_in_transaction(self._engine, lambda connection: prune_nonces(connection, nonce, self._clock.now()))


def _begin(connection: Connection, number: int, epoch: Epoch) -> EpochView:
    """Be the only one to change index and alerts, and read what stands then."""
    index.lock_index(connection, number)
    scratch.prepare(connection)
    return load_view(connection, number, epoch)
