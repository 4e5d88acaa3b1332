"""Verifies possession in bulk, for those entries alone whose tag meets another group's.

A signature is bound to its record's context, so what was copied from another record does not hold. Knows no group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from broker.store.index import Standing
from crypto.records import Record, unpack_records
from crypto.signatures import verify_many
from crypto.tags import Entry, possession_message

# Bytes of a head after its context: sealed_ref and the count of entries; then 32 for each entry.
_AFTER_CONTEXT = 32 + 2


def verify_possession(
    entries: Iterable[Standing], bodies: Mapping[int, bytes], kind_names: Mapping[int, str]
) -> dict[Standing, bytes | None]:
    """For each of `entries` whose record's packed body is in `bodies`: its public key (32 bytes) if its possession

    holds, else None. Entries of records that are gone are left out.
    """
    records = {record_id: unpack_records(body)[0] for record_id, body in bodies.items()}
    listed: list[Standing] = []
    items: list[tuple[bytes, bytes, bytes]] = []
    for standing in entries:
        record = records.get(standing.record_id)
        if record is None:
            continue
        kind = kind_names[standing.kind]
        public_key, possession = _find(record, kind, standing.tag)
        listed.append(standing)
        items.append((public_key, possession_message(_context(record), kind), possession))
    verdicts = verify_many(items)
    return {standing: item[0] if valid else None for standing, item, valid in zip(listed, items, verdicts, strict=True)}


def _find(record: Record, kind: str, tag: bytes) -> tuple[bytes, bytes]:
    """Public key and possession of the record's entry under a tag."""
    for encoded in record.entries:
        entry = Entry.decode(encoded)
        if entry.kind == kind and entry.tag == tag and entry.public_key is not None and entry.possession is not None:
            return entry.public_key, entry.possession
    raise LookupError("the index names an entry that its record does not have")


def _context(record: Record) -> bytes:
    """The encoded context within the record's head."""
    return record.head[1 : len(record.head) - _AFTER_CONTEXT - 32 * len(record.entries)]
