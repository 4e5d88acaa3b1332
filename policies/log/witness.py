"""What a witness does with a log's newest checkpoint: hold it against the one that it kept, and tell a split view.

The rule that makes a witness worth having: it never goes back, and it cosigns only what continues what it kept. Pure:
hashes come from tiles by a HashReader, which is believed only as far as the checkpoint's root bears it out.
"""

from __future__ import annotations

from collections.abc import Sequence

from policies.log.checkpoint import Checkpoint, CosignedCheckpoint
from policies.log.errors import LogRefused
from policies.log.signed_note import VerifierKey
from policies.log.split_view import Fault, SplitView, back_dated
from policies.log.tree import EMPTY_ROOT, HashReader, prefix_nodes, root_of, roots_of_prefix


class SplitViewFound(LogRefused):
    """The log's word now and its word before cannot both be honest; `split_view` shows it to third parties."""

    def __init__(self, split_view: SplitView) -> None:
        super().__init__(split_view.sentence)
        self.split_view = split_view


def check_continues(
    kept: str | None,
    shown: str,
    reader: HashReader,
    log_key: VerifierKey,
    witnesses: Sequence[VerifierKey],
    now: int,
) -> Checkpoint:
    """The checkpoint in the note `shown`, if it continues the one in the note `kept` (None: nothing was kept yet).

    `reader` gives the hashes of the tree of `shown`. Raises SplitViewFound where the two cannot both be honest, and
    LogRefused where `shown` is not the log's, or its tiles are not those of its root, which says nothing of the past.
    """
    newest = CosignedCheckpoint(shown).verify(log_key)
    if kept is None:
        _check_tiles(newest, reader)
        return newest
    before = CosignedCheckpoint(kept).verify(log_key)

    def found(fault: Fault, nodes: Sequence[bytes] = (), keys: Sequence[VerifierKey] = ()) -> SplitViewFound:
        return SplitViewFound(SplitView(fault, log_key, kept, shown, now, tuple(nodes), tuple(keys)))

    if newest.size < before.size:
        raise found("truncated")
    if keys := back_dated(kept, shown, witnesses):
        raise found("back-dated", keys=keys)
    if newest.size == before.size:
        if newest.root != before.root:
            raise found("forked")
        return newest
    if before.size == 0:
        _check_tiles(newest, reader)
        return newest
    nodes = prefix_nodes(reader, before.size, newest.size)
    old_root, new_root = roots_of_prefix(before.size, newest.size, nodes)
    if new_root != newest.root:
        raise LogRefused("The log's tiles are not those of its newest checkpoint: its history cannot be checked.")
    if old_root != before.root:
        raise found("forked", nodes)
    return newest


def _check_tiles(newest: Checkpoint, reader: HashReader) -> None:
    """At a first contact there is nothing to compare with, but the tiles must be the checkpoint's."""
    root = root_of(reader, newest.size) if newest.size else EMPTY_ROOT
    if root != newest.root:
        raise LogRefused("The log's tiles are not those of its newest checkpoint.")
