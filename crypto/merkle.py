"""Merkle roots and paths over leaf hashes, as RFC 6962 section 2.1 defines them. Pure functions of bytes.

Leaves are 32-byte leaf hashes already (SHA-256(0x00 | data)). A path is `u32(index) | u32(count) | nodes upward`, so it
names the size of its tree. Verification follows RFC 9162 section 2.1.3.2. It does not know what a leaf stands for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from crypto.encoding import u32
from crypto.errors import InvalidPath

NODE_LENGTH = 32
_HEADER_LENGTH = 8
_NODE_PREFIX = b"\x01"


def root(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree over `leaves`; that of none is SHA-256 of nothing (RFC 6962 section 2.1)."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    return _levels(leaves)[-1][0]


def path(leaves: Sequence[bytes], index: int) -> bytes:
    """The path of the leaf at `index` (from 0); raises InvalidPath where there is none."""
    if not 0 <= index < len(leaves):
        raise InvalidPath(f"there is no leaf {index} in a tree of {len(leaves)}")
    return _climb(_levels(leaves), index)


def paths(leaves: Sequence[bytes]) -> list[bytes]:
    """Every leaf's path, in order; each node is hashed once, so n log n bytes are copied and n hashes made."""
    levels = _levels(leaves) if leaves else []
    return [_climb(levels, index) for index in range(len(leaves))]


def root_from_path(leaf: bytes, encoded: bytes) -> tuple[bytes, int, int]:
    """The root that `encoded` leads to from `leaf`, the leaf's index and the tree's size; raises InvalidPath."""
    index, count, nodes = _decode(encoded)
    return root_from_nodes(leaf, index, count, nodes), index, count


def root_from_nodes(leaf: bytes, index: int, count: int, nodes: Sequence[bytes]) -> bytes:
    """The root to which nodes (32 bytes each) lead from the leaf hash (32 bytes) at `index` of `count` leaves.

    Follows RFC 9162 section 2.1.3.2. Raises InvalidPath for a leaf hash of another length, an index that is not below
    `count`, and too many or too few nodes; the caller answers for the nodes' lengths.
    """
    if len(leaf) != NODE_LENGTH:
        raise InvalidPath("a leaf is 32 bytes long")
    if not 0 <= index < count:
        raise InvalidPath(f"there is no leaf {index} in a tree of {count}")
    node, position, last = leaf, index, count - 1
    for sibling in nodes:
        if last == 0:
            raise InvalidPath("the path has too many nodes")
        if position % 2 == 1 or position == last:
            node = parent(sibling, node)
            # A node that is the last of its level has no sibling there: climb to where it has one.
            while position % 2 == 0 and position:
                position, last = position // 2, last // 2
        else:
            node = parent(node, sibling)
        position, last = position // 2, last // 2
    if last != 0:
        raise InvalidPath("the path has too few nodes")
    return node


def parent(left: bytes, right: bytes) -> bytes:
    """The hash (32 bytes) of the node over two nodes (32 bytes each), RFC 6962 section 2.1."""
    return hashlib.sha256(_NODE_PREFIX + left + right).digest()


def verify_path(leaf: bytes, encoded: bytes, expected_root: bytes, count: int) -> int:
    """The index of `leaf` in the tree of `count` leaves under `expected_root`; raises InvalidPath if it is not there.

    The path's own count must be equal to `count`, which comes from a signed statement.
    """
    found, index, named = root_from_path(leaf, encoded)
    if named != count:
        raise InvalidPath(f"the path is one of a tree of {named} leaves, the statement's has {count}")
    if found != expected_root:
        raise InvalidPath("the path does not lead to the statement's root")
    return index


def _levels(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    """The nodes level by level, leaves first; the odd one at a level's end rises unhashed."""
    levels = [leaves]
    while len(levels[-1]) > 1:
        below = levels[-1]
        above = [parent(below[left], below[left + 1]) for left in range(0, len(below) - 1, 2)]
        if len(below) % 2:
            above.append(below[-1])
        levels.append(above)
    return levels


def _climb(levels: Sequence[Sequence[bytes]], index: int) -> bytes:
    pieces = [u32(index), u32(len(levels[0]))]
    for level in levels[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            pieces.append(level[sibling])
        index //= 2
    return b"".join(pieces)


def _decode(encoded: bytes) -> tuple[int, int, list[bytes]]:
    rest = len(encoded) - _HEADER_LENGTH
    if rest < 0 or rest % NODE_LENGTH:
        raise InvalidPath("a path is eight bytes and then nodes of 32")
    index = int.from_bytes(encoded[:4], "big")
    count = int.from_bytes(encoded[4:_HEADER_LENGTH], "big")
    return index, count, [encoded[start : start + NODE_LENGTH] for start in range(8, len(encoded), NODE_LENGTH)]
