"""A record: what an institution signs, what the broker keeps, and what evidence shows of it.

Protocol sections 3 and 4. Parses and checks bytes only; it opens nothing and knows no key. `unpack_records` and
`check_record` are the broker's ingest path, so they work on slices and hash each byte once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from struct import Struct

from crypto.encoding import (
    EPOCH_ID_LENGTH,
    HANDLE_LENGTH,
    Reader,
    check_identifier,
    check_length,
    len16,
    u16,
    u64,
)
from crypto.errors import InvalidRecord
from crypto.tags import POSSESSION_ENTRY, SUPPORT_ENTRY, Entry, check_order

SALT_LENGTH = 16
HASH_LENGTH = 32

_CONTEXT_LABEL = len16(b"crosslight/v1 record")
_HEAD_VERSION = b"\x01"
_LEAF_PREFIX = b"\x00"
_U16 = Struct(">H")
_U32 = Struct(">I")
# Bytes of a head before the institution's id, and from there to the count of entries.
_HEAD_BEFORE_ID = 1 + len(_CONTEXT_LABEL) + EPOCH_ID_LENGTH + 2
_HEAD_AFTER_ID = HANDLE_LENGTH + 8 + 8 + HASH_LENGTH
_SUPPORT_REST = 16
_POSSESSION_REST = 32 + 64


@dataclass(frozen=True, slots=True)
class Context:
    """The one record that signatures and secrets are bound to.

    epoch_id 32 bytes; institution_id an id; handle 16 bytes, unique per institution; issued_at and expires_at Unix
    seconds (u64).
    """

    epoch_id: bytes
    institution_id: str
    handle: bytes
    issued_at: int
    expires_at: int

    def encode(self) -> bytes:
        """`ctx`; raises InvalidRecord or InvalidEncoding where a field has no encoding."""
        return (
            _CONTEXT_LABEL
            + check_length(self.epoch_id, EPOCH_ID_LENGTH, "an epoch_id", InvalidRecord)
            + len16(check_identifier(self.institution_id, InvalidRecord).encode("ascii"))
            + check_length(self.handle, HANDLE_LENGTH, "a handle", InvalidRecord)
            + u64(self.issued_at)
            + u64(self.expires_at)
        )

    @classmethod
    def decode(cls, data: bytes) -> Context:
        """The context whose whole encoding is `data`; raises InvalidRecord."""
        reader = Reader(data, InvalidRecord)
        context = cls.read(reader)
        reader.end()
        return context

    @classmethod
    def read(cls, reader: Reader) -> Context:
        """The next context of `reader`."""
        reader.expect(_CONTEXT_LABEL, "record's context")
        return cls(
            epoch_id=reader.take(EPOCH_ID_LENGTH),
            institution_id=reader.identifier(),
            handle=reader.take(HANDLE_LENGTH),
            issued_at=reader.u64(),
            expires_at=reader.u64(),
        )


@dataclass(frozen=True, slots=True)
class Head:
    """What a record commits to: its context, the sealed batch secrets (32 bytes), each salted entry (32 bytes)."""

    context: Context
    sealed_ref: bytes
    entry_hashes: tuple[bytes, ...]

    def encode(self) -> bytes:
        """`head`; raises InvalidRecord where a field has no encoding."""
        return encode_head(self.context.encode(), self.sealed_ref, self.entry_hashes)

    @classmethod
    def decode(cls, data: bytes) -> Head:
        """The head whose whole encoding is `data`; raises InvalidRecord."""
        reader = Reader(data, InvalidRecord)
        reader.expect(_HEAD_VERSION, "record's head of version 1")
        context = Context.read(reader)
        sealed_ref = reader.take(HASH_LENGTH)
        count = reader.u16()
        if count == 0:
            raise InvalidRecord("a record needs at least one entry")
        packed = reader.take(HASH_LENGTH * count)
        reader.end()
        hashes = tuple(packed[start : start + HASH_LENGTH] for start in range(0, len(packed), HASH_LENGTH))
        return cls(context, sealed_ref, hashes)


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it is sent to the broker: encoded head, a salt and an encoded entry each, and the envelope."""

    head: bytes
    salts: tuple[bytes, ...]
    entries: tuple[bytes, ...]
    envelope: bytes

    @property
    def envelope_hash(self) -> bytes:
        """SHA-256 of the envelope."""
        return hashlib.sha256(self.envelope).digest()

    @property
    def leaf(self) -> bytes:
        """The record's leaf in its submission's tree (32 bytes)."""
        return leaf(record_bytes(self.head, self.envelope_hash))


@dataclass(frozen=True, slots=True)
class CheckedRecord:
    """What `check_record` found: the parsed head and entries, the envelope's hash and the record's leaf."""

    head: Head
    entries: tuple[Entry, ...]
    envelope_hash: bytes
    leaf: bytes


def encode_head(ctx: bytes, sealed_ref: bytes, entry_hashes: Sequence[bytes]) -> bytes:
    """`head` of the record whose encoded context is `ctx`; raises InvalidRecord where a part has another length."""
    if not entry_hashes:
        raise InvalidRecord("a record needs at least one entry")
    packed = b"".join(entry_hashes)
    if set(map(len, entry_hashes)) != {HASH_LENGTH}:
        raise InvalidRecord(f"an entry's hash must be {HASH_LENGTH} bytes long")
    check_length(sealed_ref, HASH_LENGTH, "sealed_ref", InvalidRecord)
    return _HEAD_VERSION + ctx + sealed_ref + u16(len(entry_hashes)) + packed


def entry_hash(salt: bytes, entry: bytes) -> bytes:
    """SHA-256(salt | entry), `salt` being 16 random bytes: what is not shown cannot be guessed from the head."""
    return hashlib.sha256(check_length(salt, SALT_LENGTH, "a salt", InvalidRecord) + entry).digest()


def record_bytes(head: bytes, envelope_hash: bytes) -> bytes:
    """`record`: the encoded head and the 32-byte hash of the envelope."""
    return head + check_length(envelope_hash, HASH_LENGTH, "an envelope's hash", InvalidRecord)


def leaf(record: bytes) -> bytes:
    """SHA-256(0x00 | record): the RFC 6962 leaf hash."""
    return hashlib.sha256(_LEAF_PREFIX + record).digest()


def pack_records(records: Iterable[Record]) -> bytes:
    """The body of one part of a submission; per record

    `u16(len head) | head | 16 bytes of salt an entry | entries | u32(len envelope) | envelope`
    """
    pieces: list[bytes] = []
    for record in records:
        if len(record.salts) != len(record.entries):
            raise InvalidRecord("a record needs one salt for each entry")
        pieces += (len16(record.head), *record.salts, *record.entries)
        pieces += (_U32.pack(len(record.envelope)), record.envelope)
    return b"".join(pieces)


def unpack_records(data: bytes) -> list[Record]:
    """The records of one part, each cut into its pieces but not yet checked; raises InvalidRecord with the number."""
    records: list[Record] = []
    position = 0
    while position < len(data):
        try:
            record, position = _cut_record(data, position)
        except InvalidRecord as error:
            raise InvalidRecord(f"record {len(records)} of the part: {error}") from None
        records.append(record)
    return records


def check_record(record: Record) -> CheckedRecord:
    """Check head, entry hashes and the order of entries, and compute the leaf; raises InvalidRecord.

    Possession is not verified here: that waits until a tag meets another group's.
    """
    head = Head.decode(record.head)
    if not len(record.salts) == len(record.entries) == len(head.entry_hashes):
        raise InvalidRecord("the head counts other than the entries and salts that came with it")
    hashes = tuple(map(entry_hash, record.salts, record.entries))
    if hashes != head.entry_hashes:
        differing = next(
            index for index, pair in enumerate(zip(hashes, head.entry_hashes, strict=True)) if len(set(pair)) > 1
        )
        raise InvalidRecord(f"entry {differing} is not the one that the head commits to")
    entries = tuple(map(Entry.decode, record.entries))
    check_order(entries)
    envelope_hash = record.envelope_hash
    return CheckedRecord(head, entries, envelope_hash, leaf(record_bytes(record.head, envelope_hash)))


def _cut_record(data: bytes, position: int) -> tuple[Record, int]:
    """One record of `data` and the position after it."""
    head, position = _slice(data, position + 2, _number(data, position, _U16))
    count = _entry_count(head)
    packed, position = _slice(data, position, SALT_LENGTH * count)
    salts = tuple(packed[start : start + SALT_LENGTH] for start in range(0, len(packed), SALT_LENGTH))
    bounds = list(_entry_bounds(data, position, count))
    entries = tuple(data[start:end] for start, end in bounds)
    position = bounds[-1][1]
    envelope, position = _slice(data, position + 4, _number(data, position, _U32))
    return Record(head, salts, entries, envelope), position


def _entry_count(head: bytes) -> int:
    """The number of entries that an encoded head names: enough of it to find the record's end."""
    after_id = _HEAD_BEFORE_ID + _number(head, _HEAD_BEFORE_ID - 2, _U16)
    count = _number(head, after_id + _HEAD_AFTER_ID, _U16)
    if count == 0:
        raise InvalidRecord("a record needs at least one entry")
    return count


def _entry_bounds(data: bytes, position: int, count: int) -> Iterator[tuple[int, int]]:
    """Start and end of each of `count` self-delimiting entries from `position` on."""
    for _ in range(count):
        form = position + 2 + _number(data, position, _U16)
        if form >= len(data):
            raise InvalidRecord("an entry ends early")
        if data[form] not in (SUPPORT_ENTRY, POSSESSION_ENTRY):
            raise InvalidRecord(f"an entry's type must be 0 or 1, not {data[form]}")
        end = form + 1 + (_POSSESSION_REST if data[form] == POSSESSION_ENTRY else _SUPPORT_REST)
        if end > len(data):
            raise InvalidRecord("an entry ends early")
        yield position, end
        position = end


def _number(data: bytes, position: int, form: Struct) -> int:
    if position + form.size > len(data):
        raise InvalidRecord("ends early")
    number: int = form.unpack_from(data, position)[0]
    return number


def _slice(data: bytes, position: int, length: int) -> tuple[bytes, int]:
    end = position + length
    if end > len(data):
        raise InvalidRecord("ends early")
    return data[position:end], end
