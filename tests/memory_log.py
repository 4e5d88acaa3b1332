"""A log in memory for tests: a true one as the broker keeps it, and the ways in which a false one would show itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crypto import merkle
from crypto.signatures import SigningKey
from policies.log.checkpoint import CosignedCheckpoint, add_cosignature, make_checkpoint, witness_name
from policies.log.errors import LogRefused
from policies.log.tiles import HEIGHT, WIDTH, TilePlace, encode_entries
from policies.log.tree import inclusion_path, leaf_hash, root_of


@dataclass
class MemoryLog:
    """Leaves under an origin, signed by `signing_key`, cosigned by `witnesses` (party id to key) when asked."""

    origin: str
    signing_key: SigningKey
    witnesses: Mapping[str, SigningKey] = field(default_factory=dict)
    leaves: list[bytes] = field(default_factory=list)
    shown: str | None = None
    cosigned_note: str | None = None
    brought: list[tuple[int, str]] = field(default_factory=list)

    def append(self, *leaves: bytes) -> int:
        """Add leaves, and return the place of the first."""
        self.leaves += leaves
        return len(self.leaves) - len(leaves)

    def fork(self, length: int, *leaves: bytes) -> MemoryLog:
        """Another history under the same key: the first `length` leaves, and then these."""
        return MemoryLog(self.origin, self.signing_key, self.witnesses, [*self.leaves[:length], *leaves])

    def note(self, size: int | None = None) -> str:
        """The checkpoint of the first `size` leaves (all), signed by the log."""
        size = len(self.leaves) if size is None else size
        return make_checkpoint(self.origin, size, root_of(self, size), self.signing_key)

    def cosign(self, at: int, *party_ids: str, size: int | None = None) -> str:
        """The checkpoint with the cosignatures of these witnesses (of all); what `cosigned` shows from then on."""
        note = self.note(size)
        for party_id in party_ids or self.witnesses:
            note = add_cosignature(note, witness_name(self.origin, party_id), self.witnesses[party_id], at)
        self.cosigned_note = note
        return note

    def path(self, index: int, size: int | None = None) -> list[bytes]:
        """The inclusion path of a leaf."""
        return inclusion_path(self, index, len(self.leaves) if size is None else size)

    def node(self, height: int, index: int) -> bytes:
        """The root over 2**height leaves from index * 2**height on."""
        return merkle.root([leaf_hash(leaf) for leaf in self.leaves[index << height : (index + 1) << height]])

    def checkpoint(self) -> str:
        """The newest checkpoint, or what was told to be shown."""
        return self.shown or self.note()

    def cosigned(self) -> str | None:
        """The newest checkpoint with cosignatures."""
        return self.cosigned_note

    def tile(self, level: int, place: TilePlace) -> bytes:
        """A tile of hashes."""
        first = place.tile * WIDTH
        height = HEIGHT * level
        if (first + place.width) << height > len(self.leaves):
            raise LogRefused("There is no such tile.")
        return b"".join(self.node(height, first + number) for number in range(place.width))

    def entries(self, place: TilePlace) -> bytes:
        """A bundle of leaves."""
        first = place.tile * WIDTH
        return encode_entries(self.leaves[first : first + place.width])

    def cosignature(self, size: int, line: str) -> None:
        """Take a cosignature as the broker would."""
        self.brought.append((size, line))


@dataclass
class Broker:
    """The signed way to the broker of a memory log."""

    log: MemoryLog

    def cosign(self, size: int, line: str) -> None:
        """Bring a cosignature."""
        CosignedCheckpoint(self.log.note(size)).with_lines(line)
        self.log.cosignature(size, line)


@dataclass
class View:
    """A key holder that keeps a checkpoint."""

    note: str | None

    def checkpoint(self) -> str | None:
        """What it keeps."""
        return self.note
