"""Reading a log through its tiles so that nothing is believed: every hash and leaf held against one checkpoint.

Partial tiles lead to the checkpoint's root together; a full tile's root stands in the tile above it, a full bundle's in
the tile of level 1. Memory stays flat however long the log is. Knows no network: `fetch` gives a path's bytes.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from crypto import merkle
from policies.log.checkpoint import Checkpoint
from policies.log.errors import LogRefused
from policies.log.tiles import (
    HEIGHT,
    WIDTH,
    TilePlace,
    decode_entries,
    decode_hashes,
    entries_path,
    hash_path,
)
from policies.log.tree import consistency_proof, inclusion_path, root_of, verify_consistency

Fetch = Callable[[str], bytes]
"""Gives the bytes under a path of the log, such as tile/0/000; raises LookupError where there is nothing."""

_KEPT: Final = 64
_LEAF: Final = b"\x00"


class LogReader:
    """A log as of a checkpoint, which must have been verified before. A HashReader whose every node is verified.

    Raises LogRefused, when it is made and later, for whatever does not lead to the checkpoint's root.
    """

    def __init__(self, fetch: Fetch, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._fetch = fetch
        self._partial: dict[int, list[bytes]] = {}
        self._full: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()
        self._read_partial_tiles()

    def leaves(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The leaves from `start` to before `end` (else all), in order, each verified before it is given."""
        end = self.checkpoint.size if end is None else end
        if not 0 <= start <= end <= self.checkpoint.size:
            raise LogRefused(f"The log has {self.checkpoint.size} leaves as of the checkpoint.")
        for bundle in range(start // WIDTH, -(-end // WIDTH)):
            first = bundle * WIDTH
            yield from self._bundle(bundle)[max(start - first, 0) : end - first]

    def leaf(self, index: int) -> bytes:
        """The leaf at `index`, from 0."""
        return next(self.leaves(index, index + 1))

    def node(self, height: int, index: int) -> bytes:
        """The root over the leaves from index * 2**height to before (index + 1) * 2**height."""
        level, within = divmod(height, HEIGHT)
        count = 1 << within
        first = index * count
        chosen = self._tile(level, first // WIDTH)[first % WIDTH : first % WIDTH + count]
        if len(chosen) != count:
            raise LogRefused("The tree is not large enough for this node.")
        return merkle.root(chosen)

    def inclusion_path(self, index: int) -> list[bytes]:
        """The nodes from the leaf at `index` to the checkpoint's root."""
        return inclusion_path(self, index, self.checkpoint.size)

    def consistency_proof(self, old_size: int) -> list[bytes]:
        """The nodes that show that this tree continues the one of `old_size` leaves."""
        return consistency_proof(self, old_size, self.checkpoint.size)

    def check_continues(self, older: Checkpoint) -> None:
        """Raise LogRefused unless this log begins with all that the older checkpoint covers."""
        if older.size > self.checkpoint.size:
            raise LogRefused(f"The log has {self.checkpoint.size} leaves, but it had {older.size} before.")
        proof = self.consistency_proof(older.size)
        verify_consistency(older.size, older.root, self.checkpoint.size, self.checkpoint.root, proof)

    def _bundle(self, bundle: int) -> list[bytes]:
        """The leaves of a bundle, verified."""
        width = min(WIDTH, self.checkpoint.size - bundle * WIDTH)
        place = TilePlace(bundle, width)
        leaves = decode_entries(self._read(entries_path, place), width)
        hashes = [hashlib.sha256(_LEAF + leaf).digest() for leaf in leaves]
        if width < WIDTH:
            holds = hashes == self._partial[0]
        else:
            holds = merkle.root(hashes) == self._tile(1, bundle // WIDTH)[bundle % WIDTH]
        if not holds:
            raise LogRefused(f"{self._differing(bundle, hashes)} not the one that the checkpoint covers.")
        return leaves

    def _differing(self, bundle: int, hashes: Sequence[bytes]) -> str:
        """Names the leaf that is not as logged; the bundle where even the tile of its hashes is not."""
        first = bundle * WIDTH
        try:
            logged = self._tile(0, bundle)
        except (LogRefused, LookupError):
            return f"A leaf among {first} to {first + len(hashes) - 1} is"
        place = next(number for number, pair in enumerate(zip(hashes, logged, strict=True)) if pair[0] != pair[1])
        return f"Leaf {first + place} is"

    def _read_partial_tiles(self) -> None:
        """Fetch the last tile of each level that is not full: together they give the root."""
        level = 0
        while count := self.checkpoint.size >> (HEIGHT * level):
            width = count % WIDTH
            if width:
                place = TilePlace(count // WIDTH, width)
                self._partial[level] = decode_hashes(self._read(partial(hash_path, level), place), width)
            level += 1
        if root_of(_PartialTiles(self._partial), self.checkpoint.size) != self.checkpoint.root:
            raise LogRefused("The tiles of the log do not lead to the checkpoint's root.")

    def _tile(self, level: int, tile: int) -> list[bytes]:
        """A tile's hashes, verified."""
        count = self.checkpoint.size >> (HEIGHT * level)
        if tile == count // WIDTH and level in self._partial:
            return self._partial[level]
        if tile >= count // WIDTH:
            raise LogRefused("The tree is not large enough for this tile.")
        found = self._full.get((level, tile))
        if found is None:
            data = self._read(partial(hash_path, level), TilePlace(tile, WIDTH))
            found = decode_hashes(data, WIDTH)
            if merkle.root(found) != self._tile(level + 1, tile // WIDTH)[tile % WIDTH]:
                raise LogRefused(f"Tile {tile} of level {level} does not lead to the checkpoint's root.")
            self._full[level, tile] = found
            if len(self._full) > _KEPT:
                self._full.popitem(last=False)
        else:
            self._full.move_to_end((level, tile))
        return found

    def _read(self, path_of: Callable[[TilePlace], str], place: TilePlace) -> bytes:
        """The bytes of a tile or bundle. A log may have only the full one by now: then that one, cut to the width."""
        try:
            return self._fetch(path_of(place))
        except LookupError:
            if place.width == WIDTH:
                raise LogRefused(f"The log does not give {path_of(place)}.") from None
        try:
            whole = self._fetch(path_of(TilePlace(place.tile, WIDTH)))
        except LookupError:
            raise LogRefused(f"The log gives neither {path_of(place)} nor the full tile.") from None
        return _cut(whole, path_of is entries_path, place.width)


def _cut(whole: bytes, are_entries: bool, width: int) -> bytes:
    if not are_entries:
        return whole[: width * merkle.NODE_LENGTH]
    position = 0
    for _ in range(width):
        position += 2 + int.from_bytes(whole[position : position + 2], "big")
    return whole[:position]


class _PartialTiles:
    """The nodes of partial tiles alone: all that a root is made of."""

    def __init__(self, tiles: dict[int, list[bytes]]) -> None:
        self._tiles = tiles

    def node(self, height: int, index: int) -> bytes:
        level, within = divmod(height, HEIGHT)
        count = 1 << within
        first = index * count % WIDTH
        return merkle.root(self._tiles[level][first : first + count])
