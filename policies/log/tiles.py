"""Tiles (C2SP tlog-tiles): the tree in pieces of 256 hashes, the leaves in bundles of 256, under fixed paths.

Paths and contents are written and read here, and the hashes of subtrees taken out of tiles. Pure; what fetches or
stores a tile is the caller's, and so is holding its hashes against a checkpoint (log_reader.py).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from crypto import merkle
from crypto.merkle import NODE_LENGTH
from policies.log.errors import LogRefused

WIDTH: Final = 256
"""Hashes in a full tile, leaves in a full bundle."""

HEIGHT: Final = 8
HIGHEST_LEVEL: Final = 63
LONGEST_LEAF: Final = 65535
"""Bytes: what the length before a leaf in a bundle allows."""

_PLACE: Final = re.compile(r"((?:x[0-9]{3}/)*)([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)
_LONGEST_PLACE: Final = 40


@dataclass(frozen=True)
class TilePlace:
    """Which tile of its level, or which bundle, and how many hashes or leaves it holds (256: full)."""

    tile: int
    width: int

    def format(self) -> str:
        """The last part of the path, such as x001/x234/067.p/12."""
        digits = f"{self.tile:03}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
        path = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        return path if self.width == WIDTH else f"{path}.p/{self.width}"

    @classmethod
    def parse(cls, text: str) -> TilePlace:
        """Read the last part of a path; raises LogRefused for any but the one form of a place."""
        found = _PLACE.fullmatch(text) if len(text) <= _LONGEST_PLACE else None
        if found is None:
            raise LogRefused("This is no path of a tile.")
        tile = int(found[1].replace("x", "").replace("/", "") + found[2])
        place = cls(tile, WIDTH if found[3] is None else int(found[3]))
        if place.width > WIDTH or place.format() != text:
            raise LogRefused("This is no path of a tile.")
        return place


def hash_path(level: int, place: TilePlace) -> str:
    """The path of a tile under the log's prefix."""
    return f"tile/{level}/{place.format()}"


def entries_path(place: TilePlace) -> str:
    """The path of a bundle of leaves under the log's prefix."""
    return f"tile/entries/{place.format()}"


def places(size: int, first: int = 0) -> list[TilePlace]:
    """The tiles of one level that hold the hashes from `first` to before `size` there; the last may be partial."""
    return [TilePlace(tile, min(WIDTH, size - tile * WIDTH)) for tile in range(first // WIDTH, -(-size // WIDTH))]


def decode_hashes(data: bytes, width: int) -> list[bytes]:
    """The hashes of a tile; raises LogRefused unless there are `width` of them."""
    if len(data) != width * NODE_LENGTH:
        raise LogRefused(f"A tile of {width} hashes has {width * NODE_LENGTH} bytes, not {len(data)}.")
    return [data[start : start + NODE_LENGTH] for start in range(0, len(data), NODE_LENGTH)]


def encode_entries(leaves: Sequence[bytes]) -> bytes:
    """A bundle: each leaf after its length in two bytes."""
    return b"".join([len(leaf).to_bytes(2, "big") + leaf for leaf in leaves])


def decode_entries(data: bytes, width: int) -> list[bytes]:
    """The leaves of a bundle; raises LogRefused unless there are `width` of them."""
    leaves: list[bytes] = []
    position = 0
    while position < len(data):
        end = position + 2 + int.from_bytes(data[position : position + 2], "big")
        if end > len(data) or len(leaves) == width:
            raise LogRefused("A bundle of leaves is cut off, or holds more than it should.")
        leaves.append(data[position + 2 : end])
        position = end
    if len(leaves) != width:
        raise LogRefused(f"A bundle holds {len(leaves)} leaves, not {width}.")
    return leaves


class TileHashes:
    """A HashReader over the tiles of a tree of `size` leaves, each of which `fetch(level, place)` gives as bytes.

    Believes what it is given: a root that follows from it must be held against a checkpoint. Keeps the newest tiles.
    """

    KEPT: Final = 64

    def __init__(self, fetch: Callable[[int, TilePlace], bytes], size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._tiles: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()

    def node(self, height: int, index: int) -> bytes:
        """The root over the leaves from index * 2**height to before (index + 1) * 2**height."""
        level, within = divmod(height, HEIGHT)
        count = 1 << within
        first = index * count
        hashes = self._tile(level, first // WIDTH)
        chosen = hashes[first % WIDTH : first % WIDTH + count]
        if len(chosen) != count:
            raise LogRefused("The tree is not large enough for this node.")
        return merkle.root(chosen)

    def _tile(self, level: int, tile: int) -> list[bytes]:
        found = self._tiles.get((level, tile))
        if found is None:
            width = min(WIDTH, (self._size >> (HEIGHT * level)) - tile * WIDTH)
            if width <= 0:
                raise LogRefused("The tree is not large enough for this tile.")
            found = decode_hashes(self._fetch(level, TilePlace(tile, width)), width)
            self._tiles[level, tile] = found
            if len(self._tiles) > self.KEPT:
                self._tiles.popitem(last=False)
        return found
