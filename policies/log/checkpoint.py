"""Checkpoints (C2SP tlog-checkpoint): a tree's size and root under the log's signature, and witnesses' cosignatures.

A cosignature (tlog-cosignature, type 0x04) says that, as of a time, this was the largest consistent tree its witness
had seen of the log. Knows no tree; which witnesses count, witness_policy.py says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import urlsplit

from crypto.merkle import NODE_LENGTH
from crypto.signatures import SIGNATURE_LENGTH, SigningKey, is_valid
from policies.agreement.model import BrokerParty
from policies.log.errors import LogRefused
from policies.log.signed_note import (
    COSIGNATURE,
    ED25519,
    Note,
    NoteSignature,
    VerifierKey,
    decode_base64,
    encode_base64,
)

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_TIME_LENGTH: Final = 8


def origin_of(agreement_id: str, first_broker: BrokerParty) -> str:
    """The log's name for ever: host of the broker's address in version 1 of the agreement, and the agreement's id."""
    return f"{urlsplit(first_broker.address).netloc}/{agreement_id}"


def witness_name(origin: str, party_id: str) -> str:
    """The key name under which a party cosigns the log's checkpoints."""
    return f"{origin}/{party_id}"


def log_key(origin: str, public_key: bytes) -> VerifierKey:
    """The log's own key: its name is the origin."""
    return VerifierKey(origin, ED25519, public_key)


def witness_key(origin: str, party_id: str, public_key: bytes) -> VerifierKey:
    """A party's key as a witness: the one that it signs everything else with, under the cosignature's own label."""
    return VerifierKey(witness_name(origin, party_id), COSIGNATURE, public_key)


@dataclass(frozen=True)
class Checkpoint:
    """A log's origin, its tree's size and root (32 bytes), and lines of which nothing is known."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The note's text."""
        return "".join(
            f"{line}\n" for line in (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        )

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read a note's text; raises LogRefused."""
        lines = text.removesuffix("\n").split("\n")
        if len(lines) < 3 or not all(lines):
            raise LogRefused("A checkpoint has three lines at least: origin, size and root, none of them empty.")
        if not _SIZE.fullmatch(lines[1]):
            raise LogRefused("The size of a checkpoint's tree is not a plain decimal number.")
        root = decode_base64(lines[2])
        if len(root) != NODE_LENGTH:
            raise LogRefused("The root of a checkpoint's tree is not 32 bytes long.")
        return cls(lines[0], int(lines[1]), root, tuple(lines[3:]))


@dataclass(frozen=True)
class CosignedCheckpoint:
    """A checkpoint as a signed note, with whatever signatures it carries. Nothing is verified by reading it."""

    text: str

    @cached_property
    def note(self) -> Note:
        """The signed note; raises LogRefused."""
        return Note.parse(self.text)

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """What it says; raises LogRefused."""
        return Checkpoint.parse(self.note.text)

    def verify(self, key: VerifierKey) -> Checkpoint:
        """The checkpoint, if the log's key has signed it under the origin that it names; raises LogRefused."""
        if self.checkpoint.origin != key.name:
            raise LogRefused("The checkpoint is another log's: its origin is not the one that was expected.")
        lines = [one for one in self.note.signatures if one.is_by(key)]
        if not lines:
            raise LogRefused("The checkpoint is not signed by the log.")
        message = self.note.text.encode()
        if not all(is_valid(key.public_key, message, one.signature) for one in lines):
            raise LogRefused("The log's signature on the checkpoint does not hold.")
        return self.checkpoint

    def cosigned_at(self, key: VerifierKey) -> int | None:
        """When the witness with this key cosigned, in Unix seconds; of several times the newest; None if it did not.

        Raises LogRefused where a line names the key and its signature does not hold.
        """
        times = [cosignature_time(self.note.text, one, key) for one in self.note.signatures if one.is_by(key)]
        return max(times, default=None)

    def with_lines(self, *lines: str) -> CosignedCheckpoint:
        """The same checkpoint with more signature lines; those that it has already are not repeated."""
        known = {one.line for one in self.note.signatures}
        added = dict.fromkeys(NoteSignature.parse(line).line for line in lines)
        return CosignedCheckpoint(self.text + "".join(line for line in added if line not in known))


def make_checkpoint(origin: str, size: int, root: bytes, signing_key: SigningKey) -> str:
    """The log's signed note over a tree's size and root (32 bytes)."""
    text = Checkpoint(origin, size, root).text
    key = log_key(origin, signing_key.public_key)
    return Note(text, (NoteSignature(key.name, key.key_id, signing_key.sign(text.encode())),)).format()


def cosignature_line(text: str, name: str, signing_key: SigningKey, at: int) -> str:
    """A witness's signature line over the checkpoint in the signed note `text`, as of `at` (Unix seconds)."""
    body = Note.parse(text).text
    Checkpoint.parse(body)
    key = VerifierKey(name, COSIGNATURE, signing_key.public_key)
    signature = at.to_bytes(_TIME_LENGTH, "big") + signing_key.sign(_cosigned(body, at))
    return NoteSignature(name, key.key_id, signature).line


def add_cosignature(text: str, name: str, signing_key: SigningKey, at: int) -> str:
    """The signed note `text` with a witness's cosignature at its end."""
    return CosignedCheckpoint(text).with_lines(cosignature_line(text, name, signing_key, at)).text


def cosignature_time(body: str, line: NoteSignature, key: VerifierKey) -> int:
    """When `line` cosigned the note text `body`; raises LogRefused where it does not hold under `key`."""
    at = int.from_bytes(line.signature[:_TIME_LENGTH], "big")
    if len(line.signature) != _TIME_LENGTH + SIGNATURE_LENGTH or at >= 2**53:
        raise LogRefused(f"The cosignature of {line.name} is not a time and an Ed25519 signature.")
    if not line.is_by(key) or not is_valid(key.public_key, _cosigned(body, at), line.signature[_TIME_LENGTH:]):
        raise LogRefused(f"The cosignature of {line.name} does not hold.")
    return at


def _cosigned(body: str, at: int) -> bytes:
    """What a witness signs."""
    return f"cosignature/v1\ntime {at}\n{body}".encode()
