"""The time, injected: whoever needs it takes a Clock, so that a test can move it and a program cannot.

Knows nothing of time zones other than UTC, and takes no time from a request.
"""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Whatever tells the time."""

    def now(self) -> datetime:
        """Return the present as an aware datetime in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)


def unix(clock: Clock) -> int:
    """Return the clock's time in whole Unix seconds, rounded down, as it goes onto the wire."""
    return int(clock.now().timestamp())
