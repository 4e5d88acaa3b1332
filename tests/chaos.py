"""`make chaos`: nights with kill -9 at random points, then every decoder fuzzed at length.

Prints one line a run and ends with "N of N runs ended equal". Usage: python -m tests.chaos [--runs 200] [--seed 1]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from runtime.exits import UserError
from tests.chaos_world import nights

FUZZED_INPUTS = 100_000


def main() -> int:
    """Run the nights and the fuzzing; 0 where all ended as they must."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="nights with kills")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first night; the others follow")
    parser.add_argument("--no-fuzzing", action="store_true", help="nights alone")
    options = parser.parse_args()
    fuzzed = True if options.no_fuzzing else fuzz_decoders(options.seed)
    equal = run_nights(options.runs, options.seed)
    print(f"{equal} of {options.runs} runs ended equal")
    return 0 if fuzzed and equal == options.runs else 1


def run_nights(runs: int, seed: int) -> int:
    """How many of the nights ended as the undisturbed one."""
    equal = 0
    with nights() as running:
        for number in range(runs):
            try:
                ended_equal = running.disturbed(seed + number) == running.undisturbed
            except (AssertionError, UserError, OSError, subprocess.SubprocessError) as error:
                ended_equal = False
                print(f"seed {seed + number}: {error}", file=sys.stderr)
            equal += ended_equal
            print(f"seed {seed + number}: {'equal' if ended_equal else 'NOT EQUAL'}", file=sys.stderr, flush=True)
    return equal


def fuzz_decoders(seed: int) -> bool:
    """Feed every decoder FUZZED_INPUTS inputs by way of the property tests."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "tests/property",
        "-k",
        "decod or fuzz",
        f"--hypothesis-seed={seed}",
    ]
    environment = {**os.environ, "FUZZ_EXAMPLES": str(FUZZED_INPUTS)}
    return subprocess.run(command, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
