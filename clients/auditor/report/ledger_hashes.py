"""The hashes of the log's subtrees out of the auditor's own copy, to prove a leaf without asking anybody.

A HashReader over the copy's leaf hashes, read in pieces so that memory stays flat. Knows no checkpoint.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from clients.auditor.frontier import Frontier
from clients.auditor.ledger import Ledger

_PIECE: Final = 8192


class LedgerHashes:
    """The tree over a copy's leaves."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def node(self, height: int, index: int) -> bytes:
        """The root over the leaves from index * 2**height to before (index + 1) * 2**height."""
        count = 1 << height
        pending = self._ledger.hashes(index * count, (index + 1) * count)
        frontier = Frontier()
        while piece := list(islice(pending, _PIECE)):
            frontier.add(piece)
        return frontier.root()
