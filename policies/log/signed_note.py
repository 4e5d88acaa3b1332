"""C2SP signed-note: text under one or more Ed25519 signatures, and the keys that verify it.

Two signature types: 0x01, plain Ed25519 over the text, and 0x04, timestamped cosignatures (see checkpoint.py). Knows
no checkpoint; which keys to trust, the caller says.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from crypto.signatures import PUBLIC_KEY_LENGTH
from policies.log.errors import LogRefused

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04

LONGEST_NOTE: Final = 2**20
MOST_SIGNATURES: Final = 2000
KEY_ID_LENGTH: Final = 4

_DASH: Final = "\u2014 "
_FORBIDDEN: Final = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")
"""Half of a surrogate pair has no bytes in UTF-8, which is what is signed."""

_HEX: Final = re.compile(r"[0-9a-f]{8}", re.ASCII)


@dataclass(frozen=True)
class VerifierKey:
    """A key that verifies notes: its name, its signature type (0x01 or 0x04), an Ed25519 public key (32 bytes)."""

    name: str
    type: int
    public_key: bytes

    def __post_init__(self) -> None:
        check_key_name(self.name)
        if self.type not in (ED25519, COSIGNATURE) or len(self.public_key) != PUBLIC_KEY_LENGTH:
            raise LogRefused("A log's or witness's key is an Ed25519 key of the signature type 0x01 or 0x04.")

    @cached_property
    def key_id(self) -> bytes:
        """The four bytes by which signatures name the key."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public_key).digest()[
            :KEY_ID_LENGTH
        ]

    def format(self) -> str:
        """The key as text, a "vkey"."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(bytes([self.type]) + self.public_key)}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a vkey; raises LogRefused."""
        parts = text.split("+", 2)
        if len(parts) != 3 or not _HEX.fullmatch(parts[1]):
            raise LogRefused("A verifier key is a name, eight hexadecimal digits and base64, joined by plus signs.")
        material = decode_base64(parts[2])
        if not material:
            raise LogRefused("A verifier key holds no key.")
        key = cls(parts[0], material[0], material[1:])
        if key.key_id.hex() != parts[1]:
            raise LogRefused(f"The verifier key {key.name} does not have the id that it names.")
        return key


@dataclass(frozen=True)
class NoteSignature:
    """One signature line: who signed, under which key id (4 bytes), and the signature's bytes."""

    name: str
    key_id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line, with its newline."""
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.signature)}\n"

    @classmethod
    def parse(cls, line: str) -> NoteSignature:
        """Read a line, with or without its newline; raises LogRefused."""
        parts = line.removesuffix("\n").removeprefix(_DASH).split(" ")
        if not line.startswith(_DASH) or len(parts) != 2:
            raise LogRefused("A signature line is an em dash, a key name and base64, with single spaces.")
        check_key_name(parts[0])
        decoded = decode_base64(parts[1])
        if len(decoded) <= KEY_ID_LENGTH:
            raise LogRefused("A signature line holds a key id and a signature.")
        return cls(parts[0], decoded[:KEY_ID_LENGTH], decoded[KEY_ID_LENGTH:])

    def is_by(self, key: VerifierKey) -> bool:
        """Whether the line names this key. Nothing is verified."""
        return self.name == key.name and self.key_id == key.key_id


@dataclass(frozen=True)
class Note:
    """A text ending in a newline, and its signatures in the order in which they stand."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def format(self) -> str:
        """The signed note."""
        return f"{self.text}\n{''.join(signature.line for signature in self.signatures)}"

    @classmethod
    def parse(cls, note: str) -> Note:
        """Read a signed note; raises LogRefused. Nothing is verified."""
        if len(note) > LONGEST_NOTE:
            raise LogRefused("The signed note is too long.")
        if _FORBIDDEN.search(note):
            raise LogRefused("The signed note holds control characters, or half of a surrogate pair.")
        # The last empty line parts text and signatures: the text may hold others.
        text, separator, lines = note.rpartition("\n\n")
        if not separator or not lines.endswith("\n"):
            raise LogRefused("A signed note is a text, an empty line and signature lines.")
        signatures = lines.removesuffix("\n").split("\n")
        if len(signatures) > MOST_SIGNATURES:
            raise LogRefused(f"The signed note has more than {MOST_SIGNATURES} signatures.")
        return cls(f"{text}\n", tuple(NoteSignature.parse(line) for line in signatures))


def check_key_name(name: str) -> None:
    """Raise LogRefused unless `name` can be a key's: not empty, without spaces, plus signs and control characters."""
    if not name or "+" in name or _FORBIDDEN.search(name) or any(character.isspace() for character in name):
        raise LogRefused("A key's name is not empty and holds neither spaces nor plus signs.")


def encode_base64(data: bytes) -> str:
    """Standard base64 (RFC 4648 section 4)."""
    return base64.b64encode(data).decode()


def decode_base64(text: str) -> bytes:
    """The bytes of canonical standard base64; raises LogRefused."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise LogRefused("Something that must be base64 is not.") from None
    if encode_base64(data) != text:
        raise LogRefused("Something that must be base64 is not in its canonical form.")
    return data
