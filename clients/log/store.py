"""The checkpoint that a party kept: one file in its home, which never goes back. Knows no key and no network."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from policies.documents import write_file
from policies.log.signed_note import LONGEST_NOTE
from policies.log.split_view import SplitView
from runtime.exits import ExitCode, UserError

CHECKPOINT_FILE = "log-checkpoint.txt"
LOCK_FILE = ".log-checkpoint.lock"
EVIDENCE_PREFIX = "split-view-"


@dataclass(frozen=True)
class CheckpointStore:
    """What a party keeps of the log in the folder of its home."""

    folder: Path

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One contact at a time, among the processes and threads of this home.

        Else one that asked the log earlier would hold its older answer against what another kept meanwhile, and an
        honest log would look cut.
        """
        with (self.folder / LOCK_FILE).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def kept(self) -> str | None:
        """The signed note that was kept last; None before the first contact."""
        path = self.folder / CHECKPOINT_FILE
        try:
            with path.open(encoding="utf-8") as file:
                return file.read(LONGEST_NOTE)
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            raise UserError(
                f"{path} cannot be read: put the newest copy back, since without it a log that was rewritten is not "
                "noticed.",
                ExitCode.INPUT_REFUSED,
            ) from None

    def keep(self, note: str) -> None:
        """Keep a signed note from now on; a crash leaves the old one or the new one."""
        write_file(self.folder / CHECKPOINT_FILE, note)

    def write_evidence(self, split_view: SplitView) -> Path:
        """Write the evidence of a split view for third parties, and return its path."""
        content = json.dumps(split_view.to_document(), indent=1, ensure_ascii=False) + "\n"
        name = hashlib.sha256(content.encode()).hexdigest()[:16]
        path = self.folder / f"{EVIDENCE_PREFIX}{name}.json"
        write_file(path, content)
        return path
