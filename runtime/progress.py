"""Progress of a long command: rate and time left, on a terminal, as plain lines, or not at all.

Knows only numbers of steps; never what a step works on.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

_SECONDS_BETWEEN_LINES = 2.0


class Progress(Protocol):
    """What a long loop calls after each of its steps."""

    def advance(self, steps: int = 1) -> None:
        """Count `steps` more as done."""
        ...


class _Silent:
    def advance(self, steps: int = 1) -> None:
        """Count nothing."""


class _Bar:
    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance

    def advance(self, steps: int = 1) -> None:
        """Move the bar on."""
        self._advance(steps)


class _Lines:
    def __init__(self, total: int | None, label: str) -> None:
        self._total = total
        self._label = label
        self._done = 0
        self._started = self._printed = time.monotonic()

    def advance(self, steps: int = 1) -> None:
        """Count, and print a line where the last is old enough."""
        self._done += steps
        if time.monotonic() - self._printed >= _SECONDS_BETWEEN_LINES:
            self.report()

    def report(self) -> None:
        """Print the present state as one line."""
        self._printed = time.monotonic()
        sys.stderr.write(progress_line(self._label, self._done, self._total, self._printed - self._started) + "\n")
        sys.stderr.flush()


def progress_line(label: str, done: int, total: int | None, elapsed: float) -> str:
    """Return e.g. `blinding: 1200 of 10000 (12%), 340/s, 0:26 left`; `elapsed` is in seconds."""
    rate = done / elapsed if elapsed > 0 else 0.0
    if total is None:
        return f"{label}: {done}, {rate:.0f}/s"
    share = f"{100 * done // total}%" if total else "100%"
    left = ""
    if rate > 0 and done < total:
        minutes, seconds = divmod(round((total - done) / rate), 60)
        left = f", {minutes}:{seconds:02d} left"
    return f"{label}: {done} of {total} ({share}), {rate:.0f}/s{left}"


@contextmanager
def silent_progress(total: int | None, label: str) -> Iterator[Progress]:
    """Report nothing."""
    yield _Silent()


@contextmanager
def line_progress(total: int | None, label: str) -> Iterator[Progress]:
    """Report as plain lines on standard error, and a last one at the end."""
    lines = _Lines(total, label)
    yield lines
    lines.report()


@contextmanager
def terminal_progress(total: int | None, label: str) -> Iterator[Progress]:
    """Report as a bar on the terminal behind standard error."""
    # rich takes a quarter of a second to import, which only a person who watches should pay.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    started = time.monotonic()
    with RichProgress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(label, total=total, rate="")
        done = 0

        def advance(steps: int) -> None:
            nonlocal done
            done += steps
            elapsed = time.monotonic() - started
            bars.update(task, advance=steps, rate=f"{done / elapsed:.0f}/s" if elapsed > 0 else "")

        yield _Bar(advance)
