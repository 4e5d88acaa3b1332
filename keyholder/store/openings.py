"""Statements over the record of openings: every decision, chained, and what each recipient had opened on a day.

Knows decisions as texts; the rule that made them is elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, insert, select

from keyholder.store.chains import OPENINGS, Head, lock_chain, move_head
from keyholder.store.schema import opened_record, opening


class Link(NamedTuple):
    """One decision in the chain: number from 1, hash (32 bytes), canonical JSON, the holder's signature (64 bytes)."""

    number: int
    hash: bytes
    body: str
    signature: bytes


def lock_openings(connection: Connection) -> Head:
    """The head of the chain of decisions, locked until the transaction's end."""
    return lock_chain(connection, OPENINGS)


def add_opening(connection: Connection, link: Link) -> None:
    """Add a decision; the caller has locked the chain and made the link from its head."""
    connection.execute(insert(opening).values(**link._asdict()))
    move_head(connection, OPENINGS, Head(link.number, link.hash))


def opening_links(connection: Connection, after: int = 0, most: int | None = None) -> list[Link]:
    """The decisions after a number, in order."""
    rows = connection.execute(select(opening).where(opening.c.number > after).order_by(opening.c.number).limit(most))
    return [Link(row.number, bytes(row.hash), row.body, bytes(row.signature)) for row in rows]


def opened_on(connection: Connection, epoch_id: bytes, recipient_id: str, day: str) -> int:
    """How many distinct records the recipient had opened on a day."""
    found: int = connection.execute(
        select(func.count()).select_from(opened_record).where(*_of(epoch_id, recipient_id, day))
    ).scalar_one()
    return found


def opened_among(
    connection: Connection, epoch_id: bytes, recipient_id: str, day: str, records: Sequence[tuple[str, bytes]]
) -> frozenset[tuple[str, bytes]]:
    """Those of `records` (institution and handle) that the recipient had opened on this day already."""
    rows = connection.execute(
        select(opened_record.c.institution_id, opened_record.c.handle).where(
            *_of(epoch_id, recipient_id, day), opened_record.c.handle.in_([handle for _, handle in records])
        )
    )
    return frozenset((institution_id, bytes(handle)) for institution_id, handle in rows) & frozenset(records)


def add_opened(
    connection: Connection, epoch_id: bytes, recipient_id: str, day: str, records: Iterable[tuple[str, bytes]]
) -> None:
    """Count records as opened for the recipient on this day."""
    rows = [
        {
            "epoch_id": epoch_id,
            "recipient_id": recipient_id,
            "day": day,
            "institution_id": institution_id,
            "handle": handle,
        }
        for institution_id, handle in records
    ]
    if rows:
        connection.execute(insert(opened_record), rows)


def _of(epoch_id: bytes, recipient_id: str, day: str) -> tuple[ColumnElement[bool], ...]:
    return (
        opened_record.c.epoch_id == epoch_id,
        opened_record.c.recipient_id == recipient_id,
        opened_record.c.day == day,
    )
