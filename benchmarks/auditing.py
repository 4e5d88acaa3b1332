"""Full verification and replay of a log of decisions: leaves and decisions a second, and the peak of memory.

The log lies in a folder as its tiles and bundles would be served; each size is verified and replayed in a process of
its own, into an auditor's copy on disk. Usage: python -m benchmarks.auditing [--leaves N ...]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.one_processor import use_one_processor
from clients.auditor.ledger import Ledger
from clients.auditor.replaying import replay_decisions
from clients.auditor.verification import verify_log
from crypto import merkle
from crypto.signatures import SigningKey
from policies.agreement.document import Agreement
from policies.decisions.decide import decide_many
from policies.decisions.question import Question
from policies.log.checkpoint import CosignedCheckpoint, make_checkpoint
from policies.log.leaves import decision_leaf
from policies.log.tiles import WIDTH, TileHashes, TilePlace, encode_entries, entries_path, hash_path
from policies.log.tree import leaf_hash, root_of
from tests.agreement_world import START, make_world

ORIGIN = "broker.example/benchmark"
DECIDED_AT_ONCE = 4096


class FolderLog:
    """A log in a folder, as a plain web server would show it."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size

    def tile(self, level: int, place: TilePlace) -> bytes:
        """A tile of hashes."""
        return (self.folder / hash_path(level, place)).read_bytes()

    def entries(self, place: TilePlace) -> bytes:
        """A bundle of leaves."""
        return (self.folder / entries_path(place)).read_bytes()

    def checkpoint(self) -> str:
        """The log's checkpoint."""
        root = root_of(TileHashes(self.tile, self.size), self.size)
        return make_checkpoint(ORIGIN, self.size, root, SigningKey(bytes(range(32))))

    def cosigned(self) -> str | None:
        """The same: nobody witnesses a benchmark."""
        return self.checkpoint()


def write_log(folder: Path, agreement: Agreement, leaves: int) -> None:
    """Write a log of so many decisions, each at a time of its own."""
    level: list[bytes] = []
    bundle: list[bytes] = []
    tile = 0
    for leaf in decisions(agreement, leaves):
        bundle.append(leaf)
        level.append(leaf_hash(leaf))
        if len(bundle) == WIDTH:
            _write(folder / entries_path(TilePlace(tile, WIDTH)), encode_entries(bundle))
            bundle, tile = [], tile + 1
    if bundle:
        _write(folder / entries_path(TilePlace(tile, len(bundle))), encode_entries(bundle))
    number = 0
    while level:
        above: list[bytes] = []
        for start in range(0, len(level), WIDTH):
            hashes = level[start : start + WIDTH]
            _write(folder / hash_path(number, TilePlace(start // WIDTH, len(hashes))), b"".join(hashes))
            if len(hashes) == WIDTH:
                above.append(merkle.root(hashes))
        level, number = above, number + 1


def decisions(agreement: Agreement, count: int) -> Iterator[bytes]:
    """Leaves of decisions on submissions, allowed ones and (one in eight) refused ones."""
    for start in range(0, count, DECIDED_AT_ONCE):
        questions = [
            Question(
                "submit-records",
                "bank-a" if number % 2 else "bank-b",
                "institution",
                START + number,
                {"suspended": number % 8 == 0, "departed": False, "records": number % 512 + 1},
            )
            for number in range(start, min(start + DECIDED_AT_ONCE, count))
        ]
        for record in decide_many(questions, agreement):
            yield decision_leaf(record.to_document(), record.question.at)


def measure(folder: Path, leaves: int) -> None:
    """Verify and replay in this process, and print one row."""
    use_one_processor()
    agreement = _agreement(folder)
    log = FolderLog(folder, leaves)
    with tempfile.TemporaryDirectory() as name:
        ledger = Ledger(Path(name) / "auditor.sqlite")
        started = time.process_time()
        verified = verify_log(ledger, log, CosignedCheckpoint(log.checkpoint()), lambda _: None)
        verifying = time.process_time() - started
        started = time.process_time()
        findings = replay_decisions(ledger, {agreement.hash: agreement}, lambda _: None)
        replaying = time.process_time() - started
        if verified.findings or findings or verified.size != leaves or ledger.replayed()[1] != leaves:
            raise RuntimeError("the log did not verify, or not every decision replayed")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rates = [f"{leaves / verifying:,.0f}", f"{leaves / replaying:,.0f}"]
    print(json.dumps([f"{leaves:,}", *rates, f"{peak:.0f}"]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a log of each size, measure it in a process of its own, and print the table as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        measure(given.one, given.leaves[0])
        return
    rows = []
    agreement = make_world().trust.agreement
    for count in given.leaves:
        with tempfile.TemporaryDirectory() as name:
            (Path(name) / "agreement.json").write_text(json.dumps(agreement.to_document()), "utf-8")
            write_log(Path(name), agreement, count)
            command = [sys.executable, "-m", "benchmarks.auditing", "--one", name, "--leaves", str(count)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], file=sys.stderr, flush=True)
    print(json.dumps({"columns": ["leaves", "verified a second", "replayed a second", "peak MB"], "rows": rows}))


def _agreement(folder: Path) -> Agreement:
    return Agreement.from_document(json.loads((folder / "agreement.json").read_text("utf-8")))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


if __name__ == "__main__":
    main()
