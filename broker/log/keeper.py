"""Keeps the log: ends what has expired, closes the hours of activity, gives leaves their places, every second.

A process of its own beside the matching worker, which it never waits for: how the log grows tells nothing of a match.
What goes over the network (witnesses, the holders' counts) runs in a thread of its own, so that a holder that is away
holds up nothing. Killed at any point, it or another goes on where the last committed transaction ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from sqlalchemy import Connection, Engine

from broker.log import activity
from broker.log.expiry import expire
from broker.log.sequencer import Sequencer
from broker.store import log
from broker.store.logins import forget_logins
from policies.log.activity import hour_of
from policies.trust import Trust
from runtime.clock import Clock, unix
from runtime.database import run_in_transaction

EVERY_SECONDS = 1.0
_EXPIRIES_A_TICK = 4
_RETRY_SECONDS = 5.0
_BARE_CHECKPOINTS_KEPT = 86_400
"""Seconds for which a checkpoint that nobody cosigned is kept."""

_LOGINS_KEPT = 2 * 86_400
"""Seconds for which it is remembered who was here: longer than any day lasts."""

_TIDY_EVERY = 3600


class Keeper:
    """What the log needs of this machine alone, one tick after another."""

    def __init__(self, engine: Engine, trust: Callable[[], Trust], clock: Clock, sequencer: Sequencer) -> None:
        self._engine = engine
        self._trust = trust
        self._clock = clock
        self._sequencer = sequencer
        self._tidied_at = 0
        self._hour = 0

    def tick(self) -> bool:
        """Do what is due; return whether there is more of it."""
        more = self._expire()
        self._close_hours()
        self._sequencer.finish()
        self._tidy()
        return more

    def finish(self) -> None:
        """Tick until nothing is left to do."""
        while self.tick():
            pass

    def _expire(self) -> bool:
        trust = self._trust()
        if not trust.is_ready:
            return False
        return all(expire(self._engine, trust, unix(self._clock)) for _ in range(_EXPIRIES_A_TICK))

    def _close_hours(self) -> None:
        hour = hour_of(unix(self._clock))
        if hour > self._hour:
            run_in_transaction(self._engine, lambda connection: activity.close_hours(connection, hour))
            self._hour = hour

    def _tidy(self) -> None:
        now = unix(self._clock)
        if now < self._tidied_at + _TIDY_EVERY:
            return
        self._tidied_at = now

        def work(connection: Connection) -> None:
            log.forget_bare_checkpoints(connection, now - _BARE_CHECKPOINTS_KEPT)
            forget_logins(connection, datetime.fromtimestamp(now - _LOGINS_KEPT, UTC).date().isoformat())

        run_in_transaction(self._engine, work)


def repeat(duty: Callable[[], bool], stop: threading.Event, pause: float, name: str) -> None:
    """Do a duty again and again until `stop` is set: at once where it says that there is more, else after `pause` s.

    One that fails (the database is away, say) is logged and tried again: it left nothing half done.
    """
    while not stop.is_set():
        try:
            more = duty()
        except Exception as error:  # noqa: BLE001  (whatever it was, what is to be done is in the database: go on)
            structlog.get_logger().error("the log's keeper failed", duty=name, exc_info=error)
            stop.wait(_RETRY_SECONDS)
            continue
        if not more:
            stop.wait(pause)
