"""The entries of parts that matching has not seen: packed when a part arrives, read once, then deleted.

An entry is 21 bytes: u16 place of its record in the part, u16 kind, u8 proof, tag(16). Knows no rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, select, text

from broker.store.index import Standing
from broker.store.schema import PART_RECORDS, RECORD_SPAN, arrival

_ENTRY = Struct(">HHB16s")


class ArrivedEntry(NamedTuple):
    """One entry; `record` is its record's place in the part."""

    record: int
    kind: int
    proof: int
    tag: bytes


def pack_entries(entries: Iterable[ArrivedEntry]) -> bytes:
    """The packed form of a part's entries."""
    pack = _ENTRY.pack
    return b"".join([pack(*entry) for entry in entries])


_LIVE = text("SELECT record_id FROM record WHERE epoch = :epoch AND record_id >= :first AND record_id < :end")


def arrived_entries(
    connection: Connection, epoch: int, submission: int, institution: int, first_part: int, end_part: int
) -> list[Standing]:
    """The entries of the live records of a submission's parts from `first_part` to before `end_part`."""
    rows = connection.execute(
        select(arrival.c.part, arrival.c.entries).where(*_parts(epoch, submission, first_part, end_part))
    )
    start = submission * RECORD_SPAN
    span = {"first": start + first_part * PART_RECORDS, "end": start + end_part * PART_RECORDS}
    live = set(connection.execute(_LIVE, {"epoch": epoch, **span}).scalars())
    found: list[Standing] = []
    for part, packed in rows.all():
        base = start + part * PART_RECORDS
        found += [
            Standing(base + place, tag, kind, epoch, institution, proof)
            for place, kind, proof, tag in _ENTRY.iter_unpack(packed)
            if base + place in live
        ]
    return found


def forget_arrived(connection: Connection, epoch: int, submission: int, first_part: int, end_part: int) -> None:
    """Delete what matching has seen."""
    connection.execute(delete(arrival).where(*_parts(epoch, submission, first_part, end_part)))


def _parts(epoch: int, submission: int, first_part: int, end_part: int) -> tuple[ColumnElement[bool], ...]:
    return (
        arrival.c.epoch == epoch,
        arrival.c.submission == submission,
        arrival.c.part >= first_part,
        arrival.c.part < end_part,
    )
