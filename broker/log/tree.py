"""The log's tree over its rows: tiles that become full, the root that follows, and tiles as readers ask for them.

RFC 6962 hashing, C2SP tlog-tiles' tiles of 256. Only full tiles are stored; what stands at the tree's edge is read out
of the level below. Knows no leaf's meaning and signs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from broker.store import log
from broker.store.log import TileRow
from crypto import merkle

TILE = 256
"""Hashes in a full tile, and leaves in a full bundle of entries."""


def grow(connection: Connection, size: int, hashes: Sequence[bytes]) -> bytes:
    """Store the tiles that the leaf hashes after the first `size` leaves fill, and return the root over all of them.

    The leaves themselves need not be stored yet. A full node of each level and one last that is not full are hashed as
    leaves are: the tree over them is the same tree (RFC 6962 section 2.1 splits at powers of two).
    """
    edges: list[list[bytes]] = []
    level, before, added = 0, size, list(hashes)
    while before or added:
        first = before - before % TILE
        standing = [*_hashes(connection, level, first, before), *added]
        full = [standing[start : start + TILE] for start in range(0, len(standing) - TILE + 1, TILE)]
        rows = [
            TileRow(level, first // TILE + number, merkle.root(tile), b"".join(tile))
            for number, tile in enumerate(full)
        ]
        log.add_tiles(connection, rows)
        edges.append(standing[len(full) * TILE :])
        level, before, added = level + 1, before // TILE, [row.root for row in rows]
    root = merkle.root([])
    last: list[bytes] = []
    for edge in edges:
        nodes = [*edge, *last]
        if nodes:
            root = merkle.root(nodes)
            last = [root]
    return root


def hash_tile(connection: Connection, level: int, tile: int, width: int) -> bytes | None:
    """The first `width` hashes (1 to 256) of a tile; None where the tree has not so many yet."""
    if width == TILE:
        return log.tile_hashes(connection, level, tile)
    first = tile * TILE
    if first + width > log.log_size(connection) // TILE**level:
        return None
    return b"".join(_hashes(connection, level, first, first + width))


def entry_bundle(connection: Connection, tile: int, width: int) -> bytes | None:
    """The first `width` leaves (1 to 256) of a bundle, each after its two-byte length; None where there are fewer."""
    first = tile * TILE
    if first + width > log.log_size(connection):
        return None
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in log.leaves(connection, first, first + width))


def _hashes(connection: Connection, level: int, first: int, end: int) -> list[bytes]:
    """The hashes of a level from `first` to before `end`; above the leaves, these are full tiles' roots."""
    if first >= end:
        return []
    if level == 0:
        return log.leaf_hashes(connection, first, end)
    return log.tile_roots(connection, level - 1, first, end)
