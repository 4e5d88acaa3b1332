"""The log's tree, RFC 6962 section 2.1: leaf hashes, roots, inclusion and consistency proofs, and their verification.

Proofs are made over whatever gives the hashes of full subtrees (HashReader: a broker's rows, a client's tiles) and
verified as RFC 9162 sections 2.1.3.2 and 2.1.4.2 say. Pure; knows no leaf's meaning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, Protocol

from crypto import merkle
from crypto.errors import InvalidPath
from crypto.merkle import NODE_LENGTH
from policies.log.errors import LogRefused

LONGEST_PROOF: Final = 63

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()


class HashReader(Protocol):
    """Gives the hashes of full subtrees."""

    def node(self, height: int, index: int) -> bytes:
        """The root (32 bytes) over the leaves from index * 2**height to before (index + 1) * 2**height."""
        ...


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def root_of(reader: HashReader, size: int) -> bytes:
    """The root over the first `size` leaves."""
    return _range(reader, 0, size) if size else EMPTY_ROOT


def inclusion_path(reader: HashReader, index: int, size: int) -> list[bytes]:
    """The nodes that lead from the leaf at `index` (from 0) to the root over the first `size` leaves."""
    if not 0 <= index < size:
        raise LogRefused(f"There is no leaf {index} in a tree of {size}.")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range(reader, middle, end))
            end = middle
        else:
            path.append(_range(reader, start, middle))
            start = middle
    return path[::-1]


def consistency_proof(reader: HashReader, old: int, new: int) -> list[bytes]:
    """The nodes that show that the first `old` leaves of a tree of `new` are the tree of `old`; none where old is 0."""
    if not 0 <= old <= new:
        raise LogRefused(f"A tree of {new} leaves does not continue one of {old}.")
    if old in (0, new):
        return []
    proof: list[bytes] = []
    start, end, whole = 0, new, True
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(_range(reader, middle, end))
            end = middle
        else:
            proof.append(_range(reader, start, middle))
            start, whole = middle, False
    if not whole:
        proof.append(_range(reader, start, end))
    return proof[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root to which a path leads from a leaf hash (32 bytes); raises LogRefused for a path of the wrong length."""
    _check_nodes(path)
    if len(leaf) != NODE_LENGTH:
        raise LogRefused(f"The hash of a leaf is {NODE_LENGTH} bytes long.")
    if not 0 <= index < size:
        raise LogRefused(f"There is no leaf {index} in a tree of {size}.")
    try:
        return merkle.root_from_nodes(leaf, index, size, path)
    except InvalidPath as error:
        raise LogRefused(f"The inclusion proof does not fit its tree: {error}.") from None


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Raise LogRefused unless the leaf hash (32 bytes) stands at `index` of the tree of `size` under `root`."""
    if root_from_inclusion(leaf, index, size, path) != root:
        raise LogRefused("The inclusion proof does not lead to the checkpoint's root.")


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raise LogRefused unless the `new` leaves under `new_root` begin with the `old` leaves under `old_root`."""
    _check_nodes(proof)
    if not 0 <= old <= new:
        raise LogRefused(f"A tree of {new} leaves does not continue one of {old}.")
    if old == new:
        if proof or old_root != new_root:
            raise LogRefused("Two checkpoints of one size have different roots, or a proof that says nothing.")
        if new == 0 and new_root != EMPTY_ROOT:
            raise LogRefused("The empty tree has one root, and this is another.")
        return
    if old == 0:
        if proof or old_root != EMPTY_ROOT:
            raise LogRefused("The proof that a tree continues the empty one is empty, and the empty tree has its root.")
        return
    # A proof leaves the first node out where it is the older root itself.
    nodes = [old_root, *proof] if _is_power_of_two(old) else proof
    if roots_of_prefix(old, new, nodes) != (old_root, new_root):
        raise LogRefused("The consistency proof does not lead from the older root to the newer.")


def prefix_nodes(reader: HashReader, old: int, new: int) -> list[bytes]:
    """A consistency proof that never leaves the first node out, so that it tells the root over the first leaves.

    `old` is at least 1 and below `new`.
    """
    proof = consistency_proof(reader, old, new)
    return [reader.node(old.bit_length() - 1, 0), *proof] if _is_power_of_two(old) else proof


def roots_of_prefix(old: int, new: int, nodes: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The roots over the first `old` and over all `new` leaves to which `prefix_nodes` lead (RFC 9162 section 2.1.4.2).

    Raises LogRefused where there are too few or too many nodes.
    """
    _check_nodes(nodes)
    if not 0 < old < new:
        raise LogRefused(f"A tree of {new} leaves does not continue one of {old}.")
    if not nodes:
        raise LogRefused("The consistency proof is empty.")
    position, last = old - 1, new - 1
    while position % 2 == 1:
        position, last = position // 2, last // 2
    first = second = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            raise LogRefused("The consistency proof has too many nodes.")
        if position % 2 == 1 or position == last:
            first, second = merkle.parent(node, first), merkle.parent(node, second)
            while position % 2 == 0 and position:
                position, last = position // 2, last // 2
        else:
            second = merkle.parent(second, node)
        position, last = position // 2, last // 2
    if last != 0:
        raise LogRefused("The consistency proof has too few nodes.")
    return first, second


def _range(reader: HashReader, start: int, end: int) -> bytes:
    """The root over the leaves from `start` to before `end`, where `start` begins a subtree of that size."""
    pieces: list[bytes] = []
    while start < end:
        height = (end - start).bit_length() - 1
        pieces.append(reader.node(height, start >> height))
        start += 1 << height
    root = pieces.pop()
    while pieces:
        root = merkle.parent(pieces.pop(), root)
    return root


def _is_power_of_two(size: int) -> bool:
    return size & (size - 1) == 0


def _split(size: int) -> int:
    """The largest power of two below `size` (at least 2)."""
    return 1 << ((size - 1).bit_length() - 1)


def _check_nodes(nodes: Sequence[bytes]) -> None:
    if len(nodes) > LONGEST_PROOF or any(len(node) != NODE_LENGTH for node in nodes):
        raise LogRefused(f"A proof has at most {LONGEST_PROOF} nodes of 32 bytes.")
