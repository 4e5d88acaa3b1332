"""What a log sends to a witness (C2SP tlog-witness, add-checkpoint): an old size, a consistency proof, a checkpoint.

Written and read here; what a witness does with it, its own program says. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from crypto.merkle import NODE_LENGTH
from policies.log.errors import LogRefused
from policies.log.signed_note import LONGEST_NOTE, decode_base64, encode_base64
from policies.log.tree import LONGEST_PROOF

SIZE_TYPE: Final = "text/x.tlog.size"
"""The content type of a witness's answer 409: the size that it has, and a newline."""

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)


@dataclass(frozen=True)
class AddCheckpoint:
    """The size that the log believes the witness to have, the proof from it (nodes of 32 bytes), the signed note."""

    old_size: int
    proof: tuple[bytes, ...]
    note: str


def encode_request(old_size: int, proof: Sequence[bytes], note: str) -> bytes:
    """The body of a request."""
    lines = [f"old {old_size}", *(encode_base64(node) for node in proof), ""]
    return ("".join(f"{line}\n" for line in lines) + note).encode()


def decode_request(body: bytes) -> AddCheckpoint:
    """Read the body of a request; raises LogRefused. The note itself is not looked at."""
    if len(body) > LONGEST_NOTE:
        raise LogRefused("The request is too long.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise LogRefused("The request is not UTF-8 text.") from None
    head, separator, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    if not separator or not first.startswith("old "):
        raise LogRefused("The request is a line with the old size, a proof, an empty line and a checkpoint.")
    if len(lines) > LONGEST_PROOF:
        raise LogRefused(f"A consistency proof has at most {LONGEST_PROOF} nodes.")
    proof = tuple(decode_base64(line) for line in lines)
    if any(len(node) != NODE_LENGTH for node in proof):
        raise LogRefused(f"The nodes of a proof are {NODE_LENGTH} bytes long.")
    return AddCheckpoint(read_size(first.removeprefix("old ")), proof, note)


def read_size(text: str) -> int:
    """A tree's size as a plain decimal number; raises LogRefused."""
    if not _SIZE.fullmatch(text):
        raise LogRefused("The size of a tree is not a plain decimal number.")
    return int(text)
