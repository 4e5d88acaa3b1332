"""Statements over the daily counts of evaluations and the signed documents made of them.

Knows days as YYYY-MM-DD; what a counts document says is made elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, Select, func, insert, select

from keyholder.store.schema import counts_document, daily_count


class CountsRow(NamedTuple):
    """One signed counts document: its day, hash (32 bytes), canonical JSON and signature (64 bytes)."""

    day: str
    hash: bytes
    body: str
    signature: bytes


def counts_of_day(connection: Connection, epoch_id: bytes, day: str) -> dict[str, dict[str, int]]:
    """The elements evaluated on a day by institution and family."""
    rows = connection.execute(
        select(daily_count.c.institution_id, daily_count.c.family, daily_count.c.elements)
        .where(daily_count.c.epoch_id == epoch_id, daily_count.c.day == day)
        .order_by(daily_count.c.institution_id, daily_count.c.family)
    )
    counts: dict[str, dict[str, int]] = {}
    for institution_id, family, elements in rows:
        counts.setdefault(institution_id, {})[family] = elements
    return counts


def first_counted_day(connection: Connection, epoch_id: bytes) -> str | None:
    """The first day of the epoch on which something was evaluated."""
    found: str | None = connection.execute(
        select(func.min(daily_count.c.day)).where(daily_count.c.epoch_id == epoch_id)
    ).scalar_one()
    return found


def last_document(connection: Connection, epoch_id: bytes) -> CountsRow | None:
    """The epoch's newest counts document."""
    row = connection.execute(
        _documents().where(counts_document.c.epoch_id == epoch_id).order_by(counts_document.c.day.desc()).limit(1)
    ).first()
    return None if row is None else CountsRow(row.day, bytes(row.hash), row.body, bytes(row.signature))


def documents_from(connection: Connection, epoch_id: bytes, first_day: str, most: int) -> list[CountsRow]:
    """At most `most` of the epoch's counts documents from a day on, oldest first."""
    rows = connection.execute(
        _documents()
        .where(counts_document.c.epoch_id == epoch_id, counts_document.c.day >= first_day)
        .order_by(counts_document.c.day)
        .limit(most)
    )
    return [CountsRow(row.day, bytes(row.hash), row.body, bytes(row.signature)) for row in rows]


def add_document(connection: Connection, epoch_id: bytes, row: CountsRow) -> None:
    """Keep the next day's document. Raises IntegrityError where another process has just done so."""
    connection.execute(insert(counts_document).values(epoch_id=epoch_id, **row._asdict()))


def _documents() -> Select[tuple[str, bytes, str, bytes]]:
    return select(counts_document.c.day, counts_document.c.hash, counts_document.c.body, counts_document.c.signature)


def all_counts(connection: Connection, epoch_id: bytes, first_day: str) -> list[tuple[str, str, str, int]]:
    """Day, institution, family and elements of everything counted from a day on."""
    columns = (daily_count.c.day, daily_count.c.institution_id, daily_count.c.family, daily_count.c.elements)
    rows = connection.execute(
        select(*columns)
        .where(daily_count.c.epoch_id == epoch_id, daily_count.c.day >= first_day)
        .order_by(*columns[:3])
    )
    return [(day, institution, family, elements) for day, institution, family, elements in rows]
