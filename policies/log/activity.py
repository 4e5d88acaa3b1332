"""What depends on a match, hidden in the hour's activity leaf: salted commitments, always 1024, and their openings.

Whoever sees the root, or the commitments, cannot tell how many stand for something. Recipients and auditors get salts,
events and the hour's secret, from which the commitments to nothing follow: so none can be passed off as nothing. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import rfc8785

from crypto import hkdf, merkle
from crypto.merkle import NODE_LENGTH
from policies.log.errors import LogRefused
from policies.log.tree import leaf_hash
from wire.strict_json import InvalidJson, parse_json

COMMITMENTS: Final = 1024
"""Commitments in every hour, those of nothing included."""

SALT_LENGTH: Final = 16
SECRET_LENGTH: Final = 32
HOUR: Final = 3600

PREFIX: Final = "crosslight/v1 event "
_LABEL: Final = b"crosslight/v1 activity\x00"
_NOTHING: Final = b"crosslight/v1 nothing\x00"


def hour_of(now: int) -> int:
    """The first second of the hour in which `now` (Unix seconds) lies."""
    return now - now % HOUR


def event_text(kind: str, at: int, /, **body: Any) -> str:
    """An event's canonical JSON (RFC 8785), such as what became of an alert."""
    return rfc8785.dumps({"type": PREFIX + kind, "at": at, **body}).decode()


def read_event(text: str) -> Mapping[str, Any]:
    """An event's JSON object; raises LogRefused unless it is canonical and says its type and time."""
    try:
        document = parse_json(text.encode())
        canonical = isinstance(document, dict) and rfc8785.dumps(document).decode() == text
    except (InvalidJson, UnicodeEncodeError, rfc8785.CanonicalizationError):
        raise LogRefused("An event is not JSON as the parties exchange it.") from None
    if not isinstance(document, dict) or not canonical:
        raise LogRefused("An event is not canonical JSON (RFC 8785).")
    if not isinstance(document.get("type"), str) or not isinstance(document.get("at"), int):
        raise LogRefused("An event says its type and its time.")
    return document


def commitment(salt: bytes, event: str) -> bytes:
    """The 32-byte commitment to an event under a random salt (16 bytes)."""
    if len(salt) != SALT_LENGTH:
        raise LogRefused(f"The salt of a commitment is {SALT_LENGTH} bytes long.")
    return hashlib.sha256(_LABEL + salt + event.encode()).digest()


def empty_commitment(secret: bytes, place: int) -> bytes:
    """The 32-byte commitment to nothing at a place of the hour with this secret (32 bytes)."""
    if len(secret) != SECRET_LENGTH:
        raise LogRefused(f"The secret of an hour is {SECRET_LENGTH} bytes long.")
    return hkdf.expand(secret, _NOTHING + place.to_bytes(2, "big"), NODE_LENGTH)


def activity_root(commitments: Sequence[bytes]) -> bytes:
    """The root (RFC 6962) over an hour's commitments; raises LogRefused unless there are 1024 of 32 bytes."""
    if len(commitments) != COMMITMENTS or any(len(one) != NODE_LENGTH for one in commitments):
        raise LogRefused(f"An hour of activity has {COMMITMENTS} commitments of {NODE_LENGTH} bytes.")
    return merkle.root([leaf_hash(one) for one in commitments])


def split_commitments(packed: bytes) -> list[bytes]:
    """The commitments of an hour out of their bytes one after another."""
    return [packed[start : start + NODE_LENGTH] for start in range(0, len(packed), NODE_LENGTH)]


def verify_opening(commitments: Sequence[bytes], place: int, salt: bytes, event: str) -> None:
    """Raise LogRefused unless the commitment at `place` is to `event` under `salt`."""
    if not 0 <= place < len(commitments) or commitments[place] != commitment(salt, event):
        raise LogRefused(f"The event at place {place} of the hour is not the one that was committed to.")
