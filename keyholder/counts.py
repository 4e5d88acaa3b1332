"""Signed daily counts of what was evaluated for whom: one canonical document a day and epoch, chained by hash.

A day is closed ten minutes after its end, when no evaluation that began in it can still be charged. The first
document of an epoch names the epoch as its previous. Knows numbers by institution and family; openings are not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import rfc8785
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from keyholder.holder import Holder
from keyholder.store import counts
from keyholder.store.counts import CountsRow
from policies.documents import Document, document_hash, signed_bytes
from policies.trust import Trust
from runtime.database import read_transaction, run_in_transaction
from wire.messages.counts import DailyCounts, DailyCountsList
from wire.packed import pack
from wire.strict_json import parse_json

COUNTS_TYPE = "crosslight/v1 counts"
CLOSING_DELAY = timedelta(minutes=10)
MOST_DAYS = 4000


def daily_counts(holder: Holder, first_day: str) -> DailyCountsList:
    """The counts of all closed days from `first_day` (YYYY-MM-DD) on, epoch by epoch, oldest first."""
    days: list[DailyCounts] = []
    for trust in reversed(holder.state().standing.epochs):
        close_days(holder, trust)
        with read_transaction(holder.engine) as connection:
            rows = counts.documents_from(connection, trust.epoch_id, first_day, MOST_DAYS - len(days))
        days.extend(_message(row) for row in rows)
    return DailyCountsList(tuple(days))


def close_days(holder: Holder, trust: Trust) -> None:
    """Make and sign the documents of the epoch's days that are over and have none yet."""

    def work(connection: Connection) -> None:
        last = counts.last_document(connection, trust.epoch_id)
        first = _day_after(last.day) if last is not None else counts.first_counted_day(connection, trust.epoch_id)
        previous = last.hash if last is not None else trust.epoch_id
        for day in _days(first, _last_closed_day(holder.clock.now(), trust)):
            document = _document(holder, trust, day, counts.counts_of_day(connection, trust.epoch_id, day), previous)
            previous = document_hash(document)
            body = rfc8785.dumps(document).decode()
            signature = holder.signing_key.sign(signed_bytes(document))
            counts.add_document(connection, trust.epoch_id, CountsRow(day, previous, body, signature))

    try:
        run_in_transaction(holder.engine, work)
    except IntegrityError:
        # Another process has just closed the day, with the same document.
        return


def _document(
    holder: Holder, trust: Trust, day: str, evaluated: dict[str, dict[str, int]], previous: bytes
) -> Document:
    return {
        "type": COUNTS_TYPE,
        "holder": holder.index,
        "epoch_id": pack(trust.epoch_id),
        "day": day,
        "counts": evaluated,
        "previous": pack(previous),
    }


def _message(row: CountsRow) -> DailyCounts:
    document = parse_json(row.body.encode())
    assert isinstance(document, dict)  # noqa: S101  (this module wrote it)
    return DailyCounts(document, row.signature)


def _last_closed_day(now: datetime, trust: Trust) -> date:
    end = datetime.fromtimestamp(trust.epoch.not_after, now.tzinfo)
    return min((now - CLOSING_DELAY).date() - timedelta(days=1), end.date())


def _day_after(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def _days(first: str | None, last: date) -> Iterator[str]:
    """Every day from `first` to `last`, both inclusive."""
    day = date.fromisoformat(first) if first is not None else last + timedelta(days=1)
    while day <= last:
        yield day.isoformat()
        day += timedelta(days=1)
