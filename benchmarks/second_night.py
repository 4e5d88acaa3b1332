"""Second night: CPU of client and key holder when 1% of the rows changed, over that of the first night.

A whole sync each time, from a CSV file with a mapping to signed submissions in the outbox, three identifiers a record,
one holder in this process; the broker's work is left out. Usage: python -m benchmarks.second_night [--identifiers N]
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from pathlib import Path

from benchmarks.one_institution import IDENTIFIERS_PER_RECORD, Setting, cpu, setting
from benchmarks.one_processor import use_one_processor
from clients.institution.mapping_file import load_mapping
from clients.institution.night import Options, Report, Source
from clients.institution.prepare import prepare_row
from clients.institution.rows import Row, read_rows
from clients.institution.sync import Sync
from runtime.progress import silent_progress
from tests.sync_parts import InProcessBroker

MAPPING = """
[source]
path = "customers.csv"
delimiter = ","
encoding = "utf-8"

[row]
id = "id"

[defaults]
region = "GB"
dates = "day-first"

[columns]
phone = "phone"
email = "email"
"person.name-birthdate" = { full_name = "full_name", date_of_birth = "date_of_birth" }

[payload]
record_id = "id"

[filter]
all_rows = true
"""


def write_customers(path: Path, count: int, *, changed: int = 0) -> None:
    """So many made-up customers; the first `changed` of them with another phone number."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "full_name", "date_of_birth", "phone", "email"])
        for number in range(count):
            phone = f"07{400000000 + number + (500_000 if number < changed else 0)}"
            rows.writerow(
                [f"C-{number}", f"Anna Example{_letters(number)}", "28/02/1990", phone, f"person{number}@example.com"]
            )


def night(found: Setting, broker: InProcessBroker) -> tuple[Report, float]:
    """One sync over the customers' file: its report and CPU seconds."""
    mapping = load_mapping(found.folder / "mapping.toml", {})
    terms = found.world.trust.agreement.terms
    spent: list[float] = []
    with cpu(spent), found.state() as state:
        source = Source(
            lambda: read_rows(mapping),
            lambda row: prepare_row(row, mapping, terms) if isinstance(row, Row) else NotImplemented,
            mapping.fingerprint,
        )
        report = Sync(found.parts(state, broker, mapping.fingerprint), source, Options(), silent_progress).run()
    return report, spent[0] - broker.cpu_seconds


def main() -> None:
    """Measure, and print the table as JSON."""
    use_one_processor()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identifiers", type=int, default=100_000)
    count = -(-parser.parse_args().identifiers // IDENTIFIERS_PER_RECORD)
    with tempfile.TemporaryDirectory() as name, setting(Path(name), count * IDENTIFIERS_PER_RECORD) as found:
        (found.folder / "mapping.toml").write_text(MAPPING, "utf-8")
        customers, broker = found.folder / "customers.csv", InProcessBroker(found.world)
        write_customers(customers, count)
        first, first_seconds = night(found, broker)
        write_customers(customers, count, changed=count // 100)
        broker.cpu_seconds = 0.0
        second, second_seconds = night(found, broker)
        broker.cpu_seconds = 0.0
        third, third_seconds = night(found, broker)
    if (first.sent, second.sent, third.sent) != (count, count // 100, 0):
        raise RuntimeError("the nights did not send what they were to send")
    rows = [
        ["first night", f"{first.sent:,}", f"{first_seconds:.1f}", "100%"],
        [
            "second night, 1% changed",
            f"{second.sent:,}",
            f"{second_seconds:.2f}",
            _share(second_seconds, first_seconds),
        ],
        ["third night, nothing changed", "0", f"{third_seconds:.2f}", _share(third_seconds, first_seconds)],
    ]
    print(json.dumps({"columns": [f"{count:,} rows", "records sent", "CPU s", "of the first night"], "rows": rows}))


def _letters(number: int) -> str:
    """A number as letters, so that it can be part of a name."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f}%"


if __name__ == "__main__":
    main()
