"""Keyed digests by which the local state knows rows, contents and inputs without holding any of them.

Keyed BLAKE2b (RFC 7693) with the local key `rows`, 16 bytes, one personalisation a purpose: without the key nobody can
try phone numbers against the state. It knows nothing of databases and of what a value means.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

DIGEST_LENGTH = 16

_ROW_ID = b"row id"
_RAW = b"raw row"
_CONTENT = b"content"
_INPUT = b"oprf input"


class RowDigests:
    """Digests under one local key (32 bytes) and one mapping.

    `fingerprint` stands for the mapping and everything else that decides what becomes of a row: where it changes,
    every row counts as changed and is prepared anew, and only what comes out differently is sent.
    """

    def __init__(self, key: bytes, fingerprint: bytes) -> None:
        self._row_id = hashlib.blake2b(key=key, digest_size=DIGEST_LENGTH, person=_ROW_ID)
        self._raw = hashlib.blake2b(
            key=hashlib.blake2b(fingerprint, key=key, digest_size=32, person=_RAW).digest(), digest_size=DIGEST_LENGTH
        )
        self._content = hashlib.blake2b(key=key, digest_size=DIGEST_LENGTH, person=_CONTENT)
        self._input = hashlib.blake2b(key=key, digest_size=DIGEST_LENGTH, person=_INPUT)
        self._columns: dict[tuple[str, ...], str] = {}

    def __repr__(self) -> str:
        return "RowDigests()"

    def row_key(self, row_id: str) -> bytes:
        """What stands for the row's id."""
        state = self._row_id.copy()
        state.update(row_id.encode("utf-8", "surrogatepass"))
        return state.digest()

    def raw(self, row: Mapping[str, str]) -> bytes:
        """What stands for the row as it was read, before anything is normalised."""
        state = self._raw.copy()
        state.update((self._names(row) + _joined(row.values())).encode("utf-8", "surrogatepass"))
        return state.digest()

    def content(self, prepared: bytes) -> bytes:
        """What stands for all that would be blinded and sealed of a row."""
        state = self._content.copy()
        state.update(prepared)
        return state.digest()

    def oprf_input(self, encoded: bytes) -> bytes:
        """What stands for an OPRF input in the journal."""
        state = self._input.copy()
        state.update(encoded)
        return state.digest()

    def _names(self, row: Mapping[str, str]) -> str:
        # All rows of a source have the same columns, so that their names are joined once.
        columns = tuple(row)
        names = self._columns.get(columns)
        if names is None:
            names = self._columns[columns] = f"{len(columns)}:" + _joined(columns)
        return names


def _joined(texts: Iterable[str]) -> str:
    """The texts with their lengths, so that no two lists give one string."""
    return "".join([f"{len(text)}:{text}" for text in texts])
