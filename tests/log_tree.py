"""A log in memory for tests: leaves and the tiles that follow from them, made by other code than the log's own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from policies.log.checkpoint import Checkpoint

WIDTH = 256


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """RFC 6962 section 2.1, as it is written there."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\x01" + root_of(hashes[:split]) + root_of(hashes[split:])).digest()


class MemoryLog:
    """A log's leaves, and what a log serves under a path. `changed` and `missing` let a test lie."""

    def __init__(self, leaves: Sequence[bytes], origin: str = "broker.example/example") -> None:
        self.leaves = list(leaves)
        self.origin = origin
        self.levels = [[leaf_hash(leaf) for leaf in leaves]]
        while len(self.levels[-1]) >= WIDTH:
            below = self.levels[-1]
            self.levels.append(
                [root_of(below[start : start + WIDTH]) for start in range(0, len(below) - WIDTH + 1, WIDTH)]
            )
        self.changed: dict[str, bytes] = {}
        self.missing: set[str] = set()
        self.fetched: list[str] = []

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        """What the log's first `size` leaves (else all) are under."""
        count = len(self.leaves) if size is None else size
        return Checkpoint(self.origin, count, root_of(self.levels[0][:count]))

    def fetch(self, path: str) -> bytes:
        """The bytes under a path; LookupError where there are none."""
        self.fetched.append(path)
        if path in self.missing:
            raise LookupError(path)
        if path in self.changed:
            return self.changed[path]
        _, kind, place = path.split("/", 2)
        whole, _, width = place.partition(".p/")
        first = int(whole.replace("x", "").replace("/", "")) * WIDTH
        count = int(width) if width else WIDTH
        rows = self.leaves if kind == "entries" else self.levels[int(kind)]
        found = rows[first : first + count]
        if len(found) != count:
            raise LookupError(path)
        return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in found) if kind == "entries" else b"".join(found)
