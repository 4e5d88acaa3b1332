"""Evidence of a log with two histories, written into the holder's home for the auditor and the other parties.

Knows what a split view says, not how it was found.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import structlog

from policies.documents import write_file
from policies.log.split_view import SplitView

EVIDENCE_PREFIX = "split-view-"

MOST_FILES = 50
"""A log that lies again and again fills no disk: the first of its lies suffice."""


def keep_evidence(folder: Path, split_view: SplitView) -> Path:
    """Write the evidence, once, and return its path; `crosslight log evidence` checks such a file."""
    content = json.dumps(split_view.to_document(), indent=1, ensure_ascii=False) + "\n"
    # The name is that of the two checkpoints: seen again, the same evidence does not fill the disk.
    name = hashlib.sha256(f"{split_view.kept}\0{split_view.shown}".encode()).hexdigest()[:16]
    path = folder / f"{EVIDENCE_PREFIX}{name}.json"
    if not path.exists() and len(list(folder.glob(f"{EVIDENCE_PREFIX}*.json"))) < MOST_FILES:
        write_file(path, content)
    structlog.get_logger().error("the log shows two histories", evidence=str(path), fault=split_view.fault)
    return path
