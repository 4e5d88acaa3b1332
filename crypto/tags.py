"""From an OPRF output to what an institution publishes: the tag, and the proof that it holds the identifier.

Protocol section 2. Sees the identifier's normalised value only to build the OPRF's input; what leaves this module
towards the broker (an entry) can be computed by nobody who does not hold the identifier.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from crypto import hkdf
from crypto.encoding import EPOCH_ID_LENGTH, check_identifier, check_length, decode_identifier, len16
from crypto.errors import InvalidEncoding, InvalidRecord
from crypto.signatures import PUBLIC_KEY_LENGTH, SIGNATURE_LENGTH, SigningKey, is_valid

TAG_LENGTH = 16
OPRF_OUTPUT_LENGTH = 64
SUPPORT_ENTRY = 0x00
POSSESSION_ENTRY = 0x01

_INPUT_LABEL = len16(b"crosslight/v1")
_TAG_LABEL = b"crosslight/v1 tag\x00"
_POSSESSION_LABEL = b"crosslight/v1 possession\x00"


@dataclass(frozen=True, slots=True)
class Entry:
    """One identifier of a record as the broker sees it.

    kind        an id of at most 64 characters
    tag         16 bytes; equal tags under one kind are the same identifier (until 16 bytes collide)
    public_key  32 bytes, and possession 64, where the holder proves that it holds the identifier; None in both else
    """

    kind: str
    tag: bytes
    public_key: bytes | None = None
    possession: bytes | None = None

    def encode(self) -> bytes:
        """`len16(kind) | 0x01 | pk | possession`, or `len16(kind) | 0x00 | tag`."""
        prefix = _kind_prefix(self.kind)
        if self.public_key is None or self.possession is None:
            return prefix + b"\x00" + self.tag
        return prefix + b"\x01" + self.public_key + self.possession

    @classmethod
    def decode(cls, data: bytes) -> Entry:
        """The entry whose whole encoding is `data`; raises InvalidRecord."""
        # Slices rather than a Reader: a broker does this for every entry that it is sent.
        form = 2 + int.from_bytes(data[:2], "big")
        if len(data) == form + 1 + PUBLIC_KEY_LENGTH + SIGNATURE_LENGTH and data[form] == POSSESSION_ENTRY:
            public_key = data[form + 1 : form + 33]
            return cls(_kind(data[2:form]), possession_tag(public_key), public_key, data[form + 33 :])
        if len(data) == form + 1 + TAG_LENGTH and data[form] == SUPPORT_ENTRY:
            return cls(_kind(data[2:form]), data[form + 1 :])
        raise InvalidRecord("an entry is a kind, a type of 0 or 1, and what that type holds")


def identifier_input(epoch_id: bytes, kind: str, value: str) -> bytes:
    """The OPRF's input for a normalised `value` (NFC); it binds epoch and kind, so that tags of two never meet."""
    check_length(epoch_id, EPOCH_ID_LENGTH, "an epoch_id")
    encoded = value.encode("utf-8")
    if not encoded or len(encoded) > 0xFFFF:
        raise InvalidEncoding("a normalised value must be 1 to 65,535 bytes long")
    return _INPUT_LABEL + epoch_id + _kind_prefix(kind) + len16(encoded)


def derive_possession(y: bytes) -> SigningKey:
    """The key pair that whoever holds the identifier can compute, from the 64-byte OPRF output `y`."""
    return SigningKey(hkdf.expand(_check_output(y), b"possession", 32))


def possession_tag(public_key: bytes) -> bytes:
    """The 16-byte tag of a possession key."""
    return hashlib.sha256(_TAG_LABEL + public_key).digest()[:TAG_LENGTH]


def support_tag(y: bytes) -> bytes:
    """The 16-byte tag of an identifier of a kind that only supports."""
    return hkdf.expand(_check_output(y), b"tag", TAG_LENGTH)


def possession_message(ctx: bytes, kind: str) -> bytes:
    """What a possession key signs: `ctx` is the encoded context of the one record that the signature is good for."""
    return _POSSESSION_LABEL + ctx + _kind_prefix(kind)


def possession_entry(kind: str, y: bytes, ctx: bytes) -> Entry:
    """The entry of an identifier whose kind proves possession, for the record of `ctx`."""
    key = derive_possession(y)
    signature = key.sign(possession_message(ctx, kind))
    return Entry(kind, possession_tag(key.public_key), key.public_key, signature)


def support_entry(kind: str, y: bytes) -> Entry:
    """The entry of an identifier whose kind only supports."""
    return Entry(kind, support_tag(y))


def report_desk_entry(kind: str, y: bytes) -> Entry:
    """A possession kind's tag without possession: a report desk's entry, which matches but opens nothing."""
    return Entry(kind, possession_tag(derive_possession(y).public_key))


def possession_is_valid(entry: Entry, ctx: bytes) -> bool:
    """Whether `entry` proves possession for the record of `ctx`; False for an entry without a proof."""
    if entry.public_key is None or entry.possession is None:
        return False
    return is_valid(entry.public_key, possession_message(ctx, entry.kind), entry.possession)


def sort_entries(entries: Iterable[Entry]) -> list[Entry]:
    """The entries in the order of a record, by (kind, tag) bytewise; raises InvalidRecord on none, or one twice."""
    ordered = sorted(entries, key=_order)
    check_order(ordered)
    return ordered


def check_order(entries: Iterable[Entry]) -> None:
    """Raise InvalidRecord unless there is an entry, and each (kind, tag) is above the one before it."""
    previous: tuple[str, bytes] | None = None
    for entry in entries:
        current = _order(entry)
        if previous is not None and current <= previous:
            raise InvalidRecord("entries must be sorted by kind and tag, and none may be there twice")
        previous = current
    if previous is None:
        raise InvalidRecord("a record needs at least one entry")


def _order(entry: Entry) -> tuple[str, bytes]:
    # A kind is ASCII, so that its order as text is that of its bytes.
    return entry.kind, entry.tag


def _check_output(y: bytes) -> bytes:
    return check_length(y, OPRF_OUTPUT_LENGTH, "an OPRF output")


@lru_cache(maxsize=256)
def _kind(data: bytes) -> str:
    return decode_identifier(data, InvalidRecord)


@lru_cache(maxsize=256)
def _kind_prefix(kind: str) -> bytes:
    return len16(check_identifier(kind).encode("ascii"))
