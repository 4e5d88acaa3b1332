"""`make tamper`: seeded tamperings of the broker's database, each of which somebody must find and name.

After each one, everybody does what they do next: the institutions and the charity contact the broker, the auditor
verifies, checks and replays. Ends with "N of N found". Usage: python -m tests.tamper [--runs 1000] [--seed 1]
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runtime.exits import UserError
from tests.tamper_world import TamperWorld, everybody
from tests.tamperings import KINDS, Done, Kind, tamper


@dataclass(frozen=True)
class Run:
    """One tampering, and what was found of it: by whom, in which sentence; empty where nobody found it."""

    kind: str
    what: str
    finder: str
    sentence: str


def run(world: TamperWorld, seed: int) -> Run:
    """Restore the world, tamper with it, and let everybody look."""
    world.restore()
    kind = KINDS[seed % len(KINDS)]
    done = tamper(world, kind, random.Random(seed))
    for finder, sentence in findings(world):
        if any(name in sentence for name in done.names):
            return Run(kind.name, done.what, finder, sentence)
    return _unfound(kind, done)


def findings(world: TamperWorld) -> Iterator[tuple[str, str]]:
    """What everybody says when they look: sentences that complain."""
    for finder, contact in everybody(world).items():
        try:
            for sentence in contact():
                yield finder, sentence
        except UserError as error:
            yield finder, error.message


def _unfound(kind: Kind, done: Done) -> Run:
    return Run(kind.name, done.what, "", "")


def main() -> int:
    """Run the tamperings; 0 where each was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="tamperings")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first; the others follow")
    parser.add_argument("--quiet", action="store_true", help="print what was not found alone")
    options = parser.parse_args()
    found, finders = 0, Counter[str]()
    with tempfile.TemporaryDirectory(prefix="crosslight-tamper-") as folder:
        world = TamperWorld.build(Path(folder))
        for number in range(options.runs):
            one = run(world, options.seed + number)
            found += bool(one.finder)
            finders[one.finder or "nobody"] += 1
            if not (options.quiet and one.finder):
                verdict = f"{one.finder}: {one.sentence}" if one.finder else "NOT FOUND"
                print(f"seed {options.seed + number}, {one.kind}: {one.what}. {verdict}", file=sys.stderr, flush=True)
    print(", ".join(f"{finder} {count}" for finder, count in finders.most_common()), file=sys.stderr)
    print(f"{found} of {options.runs} found")
    return 0 if found == options.runs else 1


if __name__ == "__main__":
    sys.exit(main())
