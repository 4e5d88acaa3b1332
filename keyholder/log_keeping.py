"""Keeps a running service up with the broker's log: a thread in each of its processes, which follow in turn.

A pass that fails is logged and tried again; meanwhile the holder falls behind and says so to whoever asks it to open.
"""

from __future__ import annotations

import threading
from typing import Final

import structlog

from keyholder.holder import Holder
from keyholder.log_following import LogFollower
from policies.log.errors import LogRefused
from runtime.exits import UserError

EVERY_SECONDS: Final = 60
_LOOK_EVERY: Final = 10.0
_FIRST_PAUSE: Final = 20
_LONGEST_PAUSE: Final = 300


def keep_following(holder: Holder, follower: LogFollower, stop: threading.Event | None = None) -> None:
    """Start the thread; it ends once `stop` is set, or with its process."""
    arguments = (holder, follower, stop or threading.Event())
    threading.Thread(target=_run, args=arguments, name="log-follower", daemon=True).start()


def _run(holder: Holder, follower: LogFollower, stop: threading.Event) -> None:
    pause = _FIRST_PAUSE
    while not stop.is_set():
        try:
            follow_where_due(holder, follower)
            pause = _FIRST_PAUSE
        except UserError as error:
            # What is wrong with the log itself is the operator's business at once; that the broker is away is not.
            level = "error" if isinstance(error, LogRefused) else "warning"
            getattr(structlog.get_logger(), level)("the log is not followed", reason=str(error))
            stop.wait(pause)
            pause = min(_LONGEST_PAUSE, 2 * pause)
        except Exception as error:  # noqa: BLE001  (the database is away, say: what was applied stays applied)
            structlog.get_logger().error("the log's follower failed", exc_info=error)
            stop.wait(_LONGEST_PAUSE)
        else:
            stop.wait(_LOOK_EVERY)


def follow_where_due(holder: Holder, follower: LogFollower) -> bool:
    """Follow the log unless this or another process did so within the last minute; whether it did."""
    if holder.state().standing.newest_ready is None:
        return False  # No roster yet: nobody's withdrawals are to be followed.
    if holder.now - follower.followed().reached_at < EVERY_SECONDS:
        return False
    follower.follow()
    return True
