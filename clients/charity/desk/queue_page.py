"""The queue as the desk shows it: filters, pages, a row an alert. Pure functions of plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from clients.charity.desk.summary import Moment, moment, state_of, title_of, verdict_title
from clients.charity.office import QueueItem
from clients.charity.words import counted

QUEUE_PAGE = 50


@dataclass(frozen=True)
class Filter:
    """One way to look at the queue."""

    name: str
    title: str


FILTERS = (
    Filter("waiting", "To review"),
    Filter("pursued", "Worth pursuing"),
    Filter("reviewed", "Reviewed"),
    Filter("all", "All"),
)


@dataclass(frozen=True)
class Tab:
    """A filter as the page shows it."""

    name: str
    title: str
    count: int
    is_chosen: bool


@dataclass(frozen=True)
class Row:
    """One alert in the queue."""

    alert_id: str
    title: str
    detail: str
    when: Moment
    score: int
    state: str
    state_style: str
    verdict: str
    verdict_style: str
    mark: str


@dataclass(frozen=True)
class QueueView:
    """The queue page."""

    tabs: tuple[Tab, ...]
    rows: tuple[Row, ...]
    chosen: str
    page: int
    pages: int
    total: int


def present_queue(items: Sequence[QueueItem], chosen: str, page: int, now: int) -> QueueView:
    """The queue through one filter, one page of it; an unknown filter is the first."""
    names = [each.name for each in FILTERS]
    chosen = chosen if chosen in names else names[0]
    by_filter = {name: [item for item in items if _passes(item, name)] for name in names}
    found = by_filter[chosen]
    pages = max(1, math.ceil(len(found) / QUEUE_PAGE))
    page = min(max(1, page), pages)
    shown = found[(page - 1) * QUEUE_PAGE : page * QUEUE_PAGE]
    tabs = tuple(Tab(each.name, each.title, len(by_filter[each.name]), each.name == chosen) for each in FILTERS)
    return QueueView(tabs, tuple(_row(item, now) for item in shown), chosen, page, pages, len(found))


def _passes(item: QueueItem, name: str) -> bool:
    verdict = item.review.verdict if item.review is not None else "unreviewed"
    if name == "waiting":
        return verdict in ("unreviewed", "unclear") and item.entry.is_listed
    if name == "pursued":
        return verdict == "pursue"
    return name == "all" or verdict != "unreviewed"


def _row(item: QueueItem, now: int) -> Row:
    entry = item.entry
    verdict = item.review.verdict if item.review is not None else "unreviewed"
    state, style = state_of(item.case) if item.case is not None else ("Not opened yet", "waiting")
    if not entry.is_listed:
        state, style = "Taken back", "shut"
    return Row(
        alert_id=entry.alert_id,
        title=title_of([match.kind for match in item.case.matches] if item.case else entry.kinds, entry.institutions),
        detail=f"{counted(entry.records, 'record')} of {', '.join(entry.institutions)}",
        when=moment(entry.raised_at, now),
        score=entry.score,
        state=state,
        state_style=style,
        verdict=verdict_title(verdict),
        verdict_style=verdict,
        mark=item.mark,
    )


def erased_sentence(erased: int) -> str:
    """What the page says of case files that were erased since the desk was started; nothing where there are none."""
    if not erased:
        return ""
    verb = "was" if erased == 1 else "were"
    return f"{counted(erased, 'case file')} {verb} erased: the agreed time to keep what was opened is over."
