"""Brings a leaf into the log, in the transaction of what it tells of: both happen, or neither.

The leaf waits for its place in the tree (broker.log.sequencer), so that nobody who appends waits for anybody else.
Knows bytes alone; what a leaf says is policies.log.leaves' business.
"""

from __future__ import annotations

from sqlalchemy import Connection

from broker.store import log

LONGEST_LEAF = 65535
"""Bytes of one leaf, which an entry bundle's length prefix allows (C2SP tlog-tiles)."""


def append(connection: Connection, leaf: bytes) -> None:
    """Have `leaf` logged with the transaction of `connection`. Raises ValueError where it is empty or too long."""
    if not 0 < len(leaf) <= LONGEST_LEAF:
        raise ValueError(f"a leaf has 1 to {LONGEST_LEAF} bytes, not {len(leaf)}")
    log.add_pending(connection, leaf)
