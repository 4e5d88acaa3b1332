"""How an alert is named and how far it is: what the queue and an alert's own page both say. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from clients.charity.case_file import CaseFile
from clients.charity.rendering import VERDICT_NAMES
from clients.charity.words import counted, kind_name, within_sentence


@dataclass(frozen=True)
class Moment:
    """A time for people and for programs."""

    exact: str
    iso: str
    ago: str


def moment(seconds: int, now: int) -> Moment:
    """Unix seconds as a date, an ISO time and a distance from `now`."""
    when = datetime.fromtimestamp(seconds, UTC)
    exact = f"{when.day} {when.strftime('%B %Y, %H:%M')} UTC"
    return Moment(exact, when.strftime("%Y-%m-%dT%H:%M:%SZ"), _distance(now - seconds))


def _distance(seconds: int) -> str:
    """`3 hours ago`, `in 12 days`."""
    size, unit = next(
        (each for each in ((86400, "day"), (3600, "hour"), (60, "minute")) if abs(seconds) >= each[0]), (0, "")
    )
    if not size:
        return "just now"
    number = counted(abs(seconds) // size, unit)
    return f"{number} ago" if seconds > 0 else f"in {number}"


def state_of(case: CaseFile) -> tuple[str, str]:
    """How far an alert is, and the style of its badge."""
    if case.opened:
        whole = case.opened == len(case.records)
        return f"{case.opened} of {len(case.records)} open", "open" if whole else "partly"
    if not case.pairs:
        return "Below the threshold", "shut"
    return ("Stays shut", "shut") if case.opened_at else ("Not opened yet", "waiting")


def title_of(kinds: Sequence[str], institutions: Sequence[str]) -> str:
    """`Phone number and Passport` in common; the institutions where no kind is known to be shared."""
    names = [kind_name(kind) for kind in dict.fromkeys(kinds)]
    if not names:
        return " and ".join(institutions)
    listed = [names[0], *map(within_sentence, names[1:])]
    if len(listed) > 3:
        return f"{', '.join(listed[:2])} and {len(listed) - 2} more"
    return f"{', '.join(listed[:-1])} and {listed[-1]}" if len(listed) > 1 else listed[0]


def verdict_title(verdict: str) -> str:
    """A verdict as a badge says it."""
    name = VERDICT_NAMES[verdict]
    return name[0].upper() + name[1:]
