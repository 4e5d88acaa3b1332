"""A clock that tests move by hand; no program takes its time from outside, so this works in process only."""

from datetime import UTC, datetime, timedelta


class MovableClock:
    """Tells a fixed time until it is moved."""

    def __init__(self, start: datetime | int = datetime(2026, 3, 1, 12, tzinfo=UTC)) -> None:
        self._now = datetime.fromtimestamp(start, UTC) if isinstance(start, int) else start

    def now(self) -> datetime:
        """Return the present."""
        return self._now

    def advance(self, *, seconds: float = 0, days: float = 0) -> None:
        """Move by so much, backwards where negative."""
        self._now += timedelta(seconds=seconds, days=days)

    def set(self, when: datetime | int) -> None:
        """Move to a time (aware, or Unix seconds)."""
        self._now = datetime.fromtimestamp(when, UTC) if isinstance(when, int) else when
