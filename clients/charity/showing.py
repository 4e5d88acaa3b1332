"""Under what a recipient shows evidence: the purpose, the log's checkpoint, and where the checkpoint has a statement.

Key holders look at nothing that no cosigned checkpoint covers (protocol section 6). Knows no record and no rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from clients.charity.alerts import LoggedStatement
from clients.log.source import LogSource
from policies.log.checkpoint import CosignedCheckpoint
from policies.log.tiles import TileHashes
from policies.log.tree import inclusion_path
from wire.messages.opening import StatementEvidence


@dataclass(frozen=True)
class Showing:
    """One purpose (a code of the agreement) and one checkpoint that the witnesses cosigned."""

    purpose: str
    checkpoint: CosignedCheckpoint
    source: LogSource
    _paths: dict[int, bytes] = field(default_factory=dict, repr=False)

    def covers(self, statement: LoggedStatement) -> bool:
        """Whether the statement's leaf, where the broker says it is, lies within the checkpoint."""
        return (
            statement.logged_at is not None
            and statement.log_index is not None
            and statement.log_index < self.checkpoint.checkpoint.size
        )

    def evidence(self, statement: LoggedStatement) -> StatementEvidence:
        """The statement with its path in the log. Verifies nothing; raises UserError where tiles are missing."""
        assert statement.logged_at is not None and statement.log_index is not None  # noqa: S101 - see covers
        return StatementEvidence(
            statement.statement,
            statement.signature,
            statement.logged_at,
            statement.log_index,
            self._path(statement.log_index),
        )

    def _path(self, index: int) -> bytes:
        if index not in self._paths:
            self._paths[index] = b"".join(inclusion_path(self._tiles, index, self.checkpoint.checkpoint.size))
        return self._paths[index]

    @cached_property
    def _tiles(self) -> TileHashes:
        """One reader for all paths: statements of one log share most tiles."""
        return TileHashes(self.source.tile, self.checkpoint.checkpoint.size)
