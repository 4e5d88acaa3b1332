"""What a judgement needs to see: records, those that share a meeting with them, and their entries under meetings.

For the worker's transaction, after `scratch.prepare`. Knows no rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, delete, text

from broker.store import scratch


class Member(NamedTuple):
    """A record as a judgement sees it, but for its entries."""

    record_id: int
    institution: int
    handle: bytes
    expires_at: int


class SharedEntry(NamedTuple):
    """An entry of a record that stands under a meeting. `public_key` is empty in kinds that only support."""

    record_id: int
    kind: int
    proof: int
    public_key: bytes


_NEARBY_TAGS = text(
    "INSERT INTO nearby_tag (tag, kind, epoch) SELECT DISTINCT e.tag, e.kind, e.epoch FROM touched t"
    " JOIN entry e ON e.record_id = t.record_id"
    " JOIN meeting m ON m.tag = e.tag AND m.kind = e.kind AND m.epoch = e.epoch"
)
_NEARBY = text(
    "INSERT INTO nearby (record_id) SELECT DISTINCT e.record_id FROM nearby_tag n"
    " JOIN entry e ON e.tag = n.tag AND e.kind = n.kind AND e.epoch = n.epoch"
)
_NEARBY_MEMBERS = text(
    "SELECT r.record_id, r.institution, r.handle, r.expires_at FROM nearby n JOIN record r ON r.record_id = n.record_id"
)
_NEARBY_ENTRIES = text(
    "SELECT e.record_id, e.kind, e.proof, m.public_key FROM nearby n"
    " JOIN entry e ON e.record_id = n.record_id"
    " JOIN meeting m ON m.tag = e.tag AND m.kind = e.kind AND m.epoch = e.epoch"
)


def neighbourhood(connection: Connection, record_ids: Iterable[int]) -> tuple[list[Member], list[SharedEntry]]:
    """`record_ids` and all live records that share a meeting with one of them, with their entries under meetings."""
    scratch.refill_numbers(connection, scratch.touched, record_ids)
    for table, statement in ((scratch.nearby_tag, _NEARBY_TAGS), (scratch.nearby, _NEARBY)):
        connection.execute(delete(table))
        connection.execute(statement)
    members = [Member(r[0], r[1], bytes(r[2]), r[3]) for r in connection.execute(_NEARBY_MEMBERS)]
    entries = [SharedEntry(r[0], r[1], r[2], bytes(r[3])) for r in connection.execute(_NEARBY_ENTRIES)]
    return members, entries
