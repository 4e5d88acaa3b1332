"""A compact range: all that a tree's first leaves leave behind, so that its root can be known when the last one comes.

At most 64 nodes however long the log is; kept with every batch, so that an interrupted verification goes on. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from crypto import merkle

_BUNDLE_HEIGHT: Final = 8
_BUNDLE: Final = 1 << _BUNDLE_HEIGHT
_SIZE_LENGTH: Final = 8


@dataclass
class Frontier:
    """The roots of the perfect trees that `size` leaves make, the largest first."""

    size: int = 0
    nodes: list[bytes] = field(default_factory=list)

    @classmethod
    def decode(cls, content: bytes) -> Frontier:
        """Read what `encode` wrote."""
        nodes = [content[start : start + merkle.NODE_LENGTH] for start in range(8, len(content), merkle.NODE_LENGTH)]
        return cls(int.from_bytes(content[:_SIZE_LENGTH], "big"), nodes)

    def encode(self) -> bytes:
        """Size and nodes, one after another."""
        return self.size.to_bytes(_SIZE_LENGTH, "big") + b"".join(self.nodes)

    def add(self, hashes: Sequence[bytes]) -> None:
        """Add the hashes of the leaves that follow."""
        place = 0
        while place < len(hashes):
            if self.size % _BUNDLE == 0 and len(hashes) - place >= _BUNDLE:
                self._push(merkle.root(hashes[place : place + _BUNDLE]), _BUNDLE_HEIGHT)
                place += _BUNDLE
            else:
                self._push(hashes[place], 0)
                place += 1

    def root(self) -> bytes:
        """The root over all leaves that were added."""
        if not self.nodes:
            return hashlib.sha256(b"").digest()
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = merkle.parent(node, root)
        return root

    def _push(self, node: bytes, height: int) -> None:
        grown = 1 << height
        while self.size >> height & 1:
            node = merkle.parent(self.nodes.pop(), node)
            height += 1
        self.nodes.append(node)
        self.size += grown
