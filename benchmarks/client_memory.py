"""The client's memory at a million rows: the peak of a whole first sync, in a process of its own for each size.

Rows come from a CSV file; the mapping's filter lets the flagged ones through, as an institution's would, and all are
known to the local state. The key holder runs in the same process, so that the client alone takes a little less.
Usage: python -m benchmarks.client_memory [--rows N ...] [--sent N]
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.one_institution import IDENTIFIERS_PER_RECORD, setting
from benchmarks.second_night import MAPPING, night
from tests.sync_parts import InProcessBroker

FILTER = MAPPING.replace("all_rows = true", 'column = "flagged"\nany = ["yes"]')


def write_customers(path: Path, rows: int, sent: int) -> None:
    """Made-up customers, of whom `sent` are flagged, evenly among the others."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "full_name", "date_of_birth", "phone", "email", "flagged"])
        for number in range(rows):
            flagged = "yes" if number * sent // rows != (number + 1) * sent // rows else "no"
            row = [
                f"C-{number}",
                "Anna Example",
                "28/02/1990",
                f"07{400000000 + number}",
                f"person{number}@example.com",
            ]
            writer.writerow([*row, flagged])


def measure(rows: int, sent: int) -> None:
    """Run one sync in this process and print its peak memory in MB."""
    with tempfile.TemporaryDirectory() as name, setting(Path(name), sent * IDENTIFIERS_PER_RECORD + 1) as found:
        (found.folder / "mapping.toml").write_text(FILTER, "utf-8")
        write_customers(found.folder / "customers.csv", rows, sent)
        report, seconds = night(found, InProcessBroker(found.world, keeps_records=False))
        if report.sent != sent or report.left_out != rows - sent:
            raise RuntimeError("the sync did not send what it was to send")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([f"{rows:,}", f"{sent:,}", f"{peak:.0f}", f"{seconds:.0f}"]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each size in a process of its own, and print the table as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--sent", type=int, default=10_000)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        measure(given.rows[0], given.sent)
        return
    rows = []
    for count in given.rows:
        command = [sys.executable, "-m", "benchmarks.client_memory", "--one", "--rows", str(count)]
        sent = str(min(given.sent, count))
        done = subprocess.run([*command, "--sent", sent], stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], file=sys.stderr, flush=True)
    print(json.dumps({"columns": ["rows", "records sent", "peak MB", "CPU s"], "rows": rows}))


if __name__ == "__main__":
    main()
