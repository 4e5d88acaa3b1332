"""Checks one part of a submission, record by record, before anything of it is stored: the broker's hottest loop.

Everything about a record that does not need another record is checked here, so that committing is short. Possession is
not verified here: that waits until a tag meets another group's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from struct import Struct

from broker.store.arrivals import ArrivedEntry, pack_entries
from broker.store.bulk import Row
from broker.store.schema import NO_PROOF, PROOF
from broker.store.submissions import PartRow
from crypto import merkle
from crypto.encoding import len16, u8
from crypto.errors import InvalidRecord
from crypto.records import Record, unpack_records
from crypto.tags import POSSESSION_ENTRY, SUPPORT_ENTRY, possession_tag
from policies.opening_rule import KindPolicy
from policies.parties import REPORT_DESK

FUTURE_SECONDS = 60
"""How far ahead of the broker's clock an institution's may be."""

_sha256 = hashlib.sha256
_CONTEXT_LABEL = len16(b"crosslight/v1 record")
# handle, issued_at, expires_at, sealed_ref, count of entries
_AFTER_ID = Struct(">16sQQ32sH")
_LEAF_PREFIX = b"\x00"


@dataclass(frozen=True)
class Expected:
    """What every record of one submission must agree with.

    epoch, institution  short numbers of the database
    first_record        number of the part's first record
    count               records in this part
    role                the institution's role in the newest roster
    envelope_length     bytes of every envelope under the agreement
    now                 Unix seconds
    """

    epoch: int
    institution: int
    epoch_id: bytes
    institution_id: str
    role: str
    sealed_ref: bytes
    first_record: int
    count: int
    envelope_length: int
    kinds: Mapping[str, KindPolicy]
    kind_numbers: Mapping[str, int]
    record_lifetime: int
    not_after: int
    now: int

    @cached_property
    def head_prefix(self) -> bytes:
        """How the head of each record of this institution in this epoch begins."""
        return b"\x01" + _CONTEXT_LABEL + self.epoch_id + len16(self.institution_id.encode())

    @cached_property
    def entry_forms(self) -> Mapping[bytes, tuple[int, bool]]:
        """How an allowed entry begins (kind and type): the kind's short number, and whether a possession follows.

        A possession kind's tag without possession is for the report desk alone, whose reports open nothing.
        """
        forms: dict[bytes, tuple[int, bool]] = {}
        for name, policy in self.kinds.items():
            prefix = len16(name.encode())
            proves = policy.possession and self.role != REPORT_DESK
            forms[prefix + u8(POSSESSION_ENTRY if proves else SUPPORT_ENTRY)] = (self.kind_numbers[name], proves)
        return forms


@dataclass(frozen=True)
class CheckedPart:
    """A part whose records were checked, ready to be stored: its row, its records' rows, its packed entries."""

    row: PartRow
    first_record: int
    records: list[Row]
    entries: bytes


def check_part(body: bytes, place: int, expected: Expected) -> CheckedPart:
    """Check a part's packed records; raises InvalidRecord saying which record is wrong, and how."""
    records = unpack_records(body)
    if len(records) != expected.count:
        raise InvalidRecord(f"this part must hold {expected.count} records, not {len(records)}")
    rows: list[Row] = []
    leaves: list[bytes] = []
    entries: list[ArrivedEntry] = []
    position = 0
    for number, record in enumerate(records):
        try:
            handle, expires_at, leaf, length = _check_record(record, expected)
            entries += _check_entries(number, record.entries, expected.entry_forms)
        except InvalidRecord as error:
            raise InvalidRecord(f"record {number} of the part: {error}") from None
        packed = body[position : position + length]
        position += length
        leaves.append(leaf)
        rows.append((expected.epoch, expected.first_record + number, expected.institution, handle, expires_at, packed))
    if len({row[3] for row in rows}) != len(rows):
        raise InvalidRecord("two records of the part have one handle")
    earliest = min(row[4] for row in rows)
    part = PartRow(place, _sha256(body).digest(), b"".join(leaves), merkle.root(leaves), earliest)
    return CheckedPart(part, expected.first_record, rows, pack_entries(entries))


def _check_record(record: Record, expected: Expected) -> tuple[bytes, int, bytes, int]:
    """The record's handle, expiry, leaf, and the length of its packed form."""
    head, envelope = record.head, record.envelope
    prefix = expected.head_prefix
    start = len(prefix)
    if not head.startswith(prefix):
        raise InvalidRecord("its head is not of this version, epoch and institution")
    handle, issued_at, expires_at, sealed_ref, count = _AFTER_ID.unpack_from(head, start)
    if sealed_ref != expected.sealed_ref:
        raise InvalidRecord("it names other sealed secrets than the submission came with")
    _check_times(issued_at, expires_at, expected)
    hashes = start + _AFTER_ID.size
    if len(head) != hashes + 32 * count:
        raise InvalidRecord("its head is longer than its entries' hashes")
    if len(envelope) != expected.envelope_length:
        raise InvalidRecord(f"its envelope must be {expected.envelope_length} bytes long, not {len(envelope)}")
    committed = b"".join(
        [_sha256(salt + entry).digest() for salt, entry in zip(record.salts, record.entries, strict=True)]
    )
    if committed != head[hashes:]:
        raise InvalidRecord("its entries are not those that its head commits to")
    leaf = _sha256(_LEAF_PREFIX + head + _sha256(envelope).digest()).digest()
    length = 2 + len(head) + 16 * count + sum(map(len, record.entries)) + 4 + len(envelope)
    return handle, expires_at, leaf, length


def _check_times(issued_at: int, expires_at: int, expected: Expected) -> None:
    if issued_at - FUTURE_SECONDS > expected.now:
        raise InvalidRecord("it was issued in the future: is the clock right?")
    if not issued_at < expires_at <= min(expected.not_after, issued_at + expected.record_lifetime):
        raise InvalidRecord("it must expire after its issue, within the agreed lifetime and the epoch")
    if expires_at <= expected.now:
        raise InvalidRecord("it has expired")


def _check_entries(
    record: int, entries: tuple[bytes, ...], forms: Mapping[bytes, tuple[int, bool]]
) -> list[ArrivedEntry]:
    """What the index will hold of a record's entries; raises InvalidRecord unless kinds and types are allowed, and

    (kind, tag) ascend without any twice.
    """
    found: list[ArrivedEntry] = []
    before = (b"", b"")
    for entry in entries:
        form = 3 + int.from_bytes(entry[:2], "big")
        known = forms.get(entry[:form])
        if known is None:
            raise InvalidRecord("it has an entry of a kind or type that this institution may not send")
        kind, proven = known
        tag = possession_tag(entry[form : form + 32]) if proven else entry[form:]
        # By kind as text, not by its encoding: the length before it is no part of the order.
        current = (entry[2 : form - 1], tag)
        if current <= before:
            raise InvalidRecord("its entries must be sorted by kind and tag, and none may be there twice")
        before = current
        found.append(ArrivedEntry(record, kind, PROOF if proven else NO_PROOF, tag))
    return found
