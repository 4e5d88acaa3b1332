"""What the broker's database holds about one person, and whether any planted identifier can be found in it.

Reads the broker's database as a thief of it would, table by table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, MetaData, select

from broker.store.schema import institution, record
from crypto.records import check_record, unpack_records
from runtime.database import open_engine, read_transaction


@dataclass(frozen=True)
class Tagged:
    """One entry as the broker holds it."""

    kind: str
    tag: bytes


@dataclass(frozen=True)
class HeldRecord:
    """One record as the broker holds it: its tags, and the first bytes of an envelope that it cannot open."""

    institution_id: str
    handle: bytes
    entries: tuple[Tagged, ...]
    envelope_start: bytes
    envelope_length: int


def held_record(database_url: str, institution_id: str, handle: bytes) -> HeldRecord | None:
    """The broker's record of that institution and handle (16 bytes), if it is there."""
    engine = open_engine(database_url)
    with read_transaction(engine) as connection:
        body = connection.execute(
            select(record.c.body)
            .join_from(record, institution, record.c.institution == institution.c.institution)
            .where(institution.c.institution_id == institution_id, record.c.handle == handle)
        ).scalar()
    engine.dispose()
    if body is None:
        return None
    [held] = unpack_records(bytes(body))
    entries = tuple(Tagged(entry.kind, entry.tag) for entry in check_record(held).entries)
    return HeldRecord(institution_id, handle, entries, held.envelope[:24], len(held.envelope))


def find_in_database(database_url: str, needles: Iterable[str]) -> tuple[int, set[str]]:
    """How many values were looked through in all tables, and which needles stand in any of them, in whatever case."""
    wanted = {needle: needle.casefold().encode() for needle in needles}
    found: set[str] = set()
    looked_at = 0
    engine = open_engine(database_url)
    with read_transaction(engine) as connection:
        for value in _all_values(connection):
            looked_at += 1
            haystack = _searchable(value)
            found.update(needle for needle, sought in wanted.items() if sought in haystack)
    engine.dispose()
    return looked_at, found


def _all_values(connection: Connection) -> Iterator[Any]:
    metadata = MetaData()
    metadata.reflect(connection)
    for table in metadata.sorted_tables:
        for row in connection.execution_options(yield_per=500).execute(select(table)):
            yield from row


def _searchable(value: Any) -> bytes:
    if isinstance(value, bytes | memoryview):
        return bytes(value).lower()
    return str(value).casefold().encode()
