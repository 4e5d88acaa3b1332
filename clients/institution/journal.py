"""The journal: blinded chunks that holders may have charged, sealed, until the records they are for lie in the outbox.

A run that was killed asks its chunks again with the very same bytes, which no holder charges twice. A chunk is kept
with keyed digests of its inputs, not with the inputs; without the key file the journal cannot be read at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from clients.institution.row_digests import DIGEST_LENGTH
from clients.institution.state import State
from crypto.encoding import Reader, len16, u16
from crypto.errors import InvalidSealed
from crypto.local_encryption import open_local, seal_local

_ELEMENT = 32
_PLACE = b"crosslight/v1 institution journal"


@dataclass(frozen=True, slots=True)
class Chunk:
    """At most 512 blinded inputs of one key family, exactly as the holders are asked.

    digests  a keyed digest of each input (16 bytes)
    blinds   the blinding scalars (32 bytes each), secret; elements what is sent (32 bytes each), both in that order
    """

    family: str
    digests: tuple[bytes, ...]
    blinds: bytes = field(repr=False)
    elements: bytes

    def encode(self) -> bytes:
        """The bytes that are sealed into the journal."""
        count = u16(len(self.digests))
        return len16(self.family.encode("ascii")) + count + b"".join(self.digests) + self.blinds + self.elements

    @classmethod
    def decode(cls, data: bytes) -> Chunk:
        """The chunk whose encoding is `data`; raises InvalidSealed."""
        reader = Reader(data, InvalidSealed)
        family = reader.identifier()
        count = reader.u16()
        digests = tuple(reader.take(DIGEST_LENGTH) for _ in range(count))
        chunk = cls(family, digests, reader.take(count * _ELEMENT), reader.take(count * _ELEMENT))
        reader.end()
        return chunk


class Journal:
    """The sealed chunks of one state."""

    def __init__(self, state: State, key: bytes) -> None:
        self._state = state
        self._key = key
        self._place = _PLACE + (state.fact("epoch_id") or b"")
        self._kept: dict[int, Chunk] = {number: self._open(sealed) for number, sealed in self._stored()}

    def __repr__(self) -> str:
        return f"Journal({len(self._kept)} chunks)"

    def kept(self) -> dict[int, Chunk]:
        """The chunks by number, oldest first."""
        return dict(self._kept)

    def keep(self, chunks: Sequence[Chunk]) -> list[int]:
        """Store the chunks, on disk when it returns, and return their numbers: to be called before they are asked."""
        if not chunks:
            return []
        first = max(self._kept, default=0) + 1
        numbered = dict(enumerate(chunks, start=first))
        with self._state.transaction() as connection:
            connection.executemany(
                "INSERT INTO journal VALUES (?, ?)",
                [(number, seal_local(self._key, chunk.encode(), self._place)) for number, chunk in numbered.items()],
            )
        self._kept |= numbered
        return list(numbered)

    def forget(self, numbers: Iterable[int]) -> None:
        """Erase chunks, within the caller's transaction where one is open."""
        gone = list(numbers)
        self._state.connection.executemany("DELETE FROM journal WHERE chunk = ?", [(number,) for number in gone])
        for number in gone:
            self._kept.pop(number, None)

    def _stored(self) -> list[tuple[int, bytes]]:
        return list(self._state.connection.execute("SELECT chunk, sealed FROM journal ORDER BY chunk"))

    def _open(self, sealed: bytes) -> Chunk:
        return Chunk.decode(open_local(self._key, sealed, self._place))
