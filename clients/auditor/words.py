"""How the auditor's client says times and numbers. Pure functions."""

from __future__ import annotations

from datetime import UTC, datetime


def day_and_time(seconds: int) -> str:
    """Unix seconds as `2026-03-01 12:00:00 UTC`; a time beyond all calendars as it is."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"at {seconds}"


def day_of(seconds: int) -> str:
    """The day (UTC) of a time, YYYY-MM-DD."""
    return day_and_time(seconds)[:10]


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 leaf`, `1,200 leaves`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
