"""First night: CPU of client and key holder together over the bare group and signature operations that it needs.

From normalised values, three identifiers a record, one holder; signed messages, JSON, proofs and budgets included. The
bare operations are measured between the rounds of the same run, since a machine's speed drifts. Normalising and the
local state have rows of their own. Usage: python -m benchmarks.first_night [--identifiers N]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bare_operations import BareOperations, measure
from benchmarks.one_institution import IDENTIFIERS_PER_RECORD, Setting, cpu, made_up_contents, setting
from benchmarks.one_processor import use_one_processor
from clients.identifiers import Hints, normalise
from clients.institution.outbox import RowUpdate, next_seq, store_submission
from clients.institution.seal import Content
from clients.institution.submission import RECORD_LIMIT
from runtime.clock import unix
from tests.sync_parts import InProcessBroker


def bare_seconds(bare: BareOperations, records: int) -> float:
    """What `records` records need by the tightest loops: identifiers, possession, record secrets."""
    identifier = bare.identifier(1) + bare.possession()
    return records * (IDENTIFIERS_PER_RECORD * identifier + bare.record_secret(1))


def normalising_seconds(records: int) -> float:
    """CPU of making the three identifiers of each record out of text as people type it."""
    hints = Hints(region="GB", country="GB", dates="day-first")
    started = time.process_time()
    for number in range(records):
        normalise("phone", {"number": f"07900 {number % 900000 + 100000:06d}"}, hints)
        normalise("email", {"address": f" Person{number}@Customers.example "}, hints)
        name = {"full_name": f"Anna Example{number}", "date_of_birth": "28/02/1990"}
        normalise("person.name-birthdate", name, hints)
    return time.process_time() - started


def run(found: Setting, contents: Sequence[Content]) -> tuple[list[float], list[float], list[float]]:
    """CPU seconds of making each submission, of storing it, and the bare seconds measured beside it."""
    making: list[float] = []
    storing: list[float] = []
    bare: list[float] = []
    with found.state() as state:
        tools = found.parts(state, InProcessBroker(found.world))
        maker, now = found.maker(tools), unix(found.clock)
        for start in range(0, len(contents), RECORD_LIMIT):
            batch = contents[start : start + RECORD_LIMIT]
            bare.append(bare_seconds(measure(500, 3), len(batch)))
            with cpu(making):
                made = maker.make_submission(batch, seq=next_seq(state), issued_at=now)
            if made is None:
                raise RuntimeError("a budget was spent while it was measured")
            rows = [
                RowUpdate(f"{start + place:016d}".encode(), bytes(16), bytes(16), None) for place in range(len(batch))
            ]
            with cpu(storing):
                store_submission(state, tools.journal, made, rows, tools.author, now)
            print(f"{start + len(batch)} records: {making[-1] / bare[-1]:.3f}", file=sys.stderr, flush=True)
    return making, storing, bare


def main() -> None:
    """Measure, and print the table as JSON."""
    use_one_processor()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identifiers", type=int, default=100_000)
    records = -(-parser.parse_args().identifiers // IDENTIFIERS_PER_RECORD)
    identifiers = records * IDENTIFIERS_PER_RECORD
    with tempfile.TemporaryDirectory() as folder, setting(Path(folder), identifiers) as found:
        making, storing, bare = run(found, made_up_contents(records))
    normalising = normalising_seconds(records)
    ratio = sum(making) / sum(bare)
    middle = statistics.median(made / need for made, need in zip(making, bare, strict=True))
    rows = [
        ["bare libsodium and Ed25519 operations", f"{sum(bare):.1f}", _each(sum(bare), identifiers), "1.00"],
        [
            "client and holder, from normalised values to signed submissions",
            f"{sum(making):.1f}",
            _each(sum(making), identifiers),
            f"{ratio:.2f} (median of the submissions {middle:.2f})",
        ],
        ["local state: journal's end, rows, outbox", f"{sum(storing):.1f}", _each(sum(storing), identifiers), ""],
        ["normalising phone, email, name and birthdate", f"{normalising:.1f}", _each(normalising, identifiers), ""],
    ]
    columns = [f"{identifiers:,} identifiers, {records:,} records", "CPU s", "us an identifier", "over bare"]
    print(json.dumps({"columns": columns, "rows": rows}))


def _each(seconds: float, identifiers: int) -> str:
    return f"{seconds / identifiers * 1e6:.0f}"


if __name__ == "__main__":
    main()
