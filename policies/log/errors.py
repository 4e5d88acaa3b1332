"""What the log's readers refuse: one exception, with one plain sentence."""

from __future__ import annotations

from runtime.exits import ExitCode, UserError


class LogRefused(UserError):
    """Something of the log that must not be relied on: a note, a checkpoint, a proof, a tile, a leaf, a policy."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, ExitCode.VERIFICATION_FAILED)
        self.reason = reason
