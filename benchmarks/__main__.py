"""`make bench`: run every benchmark as a program of its own and write its table into docs/benchmarks.md.

Each benchmark prints one JSON object as its last line: {"columns": [...], "rows": [[...], ...]}. The page's prose is
written by hand; only what stands between a benchmark's two markers is replaced. Usage: python -m benchmarks [NAME ...]
"""

import json
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/benchmarks.md"
NAMES = ("first_night", "overlaps", "second_night", "ingest", "client_memory", "auditing")


def machine() -> str:
    """The processor, cores, memory and interpreter that the figures come from."""
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text("utf-8"))
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text("utf-8"))
    gibibytes = int(memory[1]) / 2**20 if memory else 0
    return (
        f"{cpu[1].strip() if cpu else platform.machine()}, {os.cpu_count()} cores, {gibibytes:.0f} GiB, "
        f"{platform.system()}, Python {platform.python_version()}"
    )


def run(name: str) -> dict[str, object]:
    """Run one benchmark; its progress goes to this terminal. Raises SystemExit where it fails."""
    print(f"== {name}", file=sys.stderr, flush=True)
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"benchmarks.{name} ended with {done.returncode}")
    result: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def table(name: str, result: dict[str, object]) -> str:
    """The Markdown of one result: when and how it was measured, and its rows."""
    columns, rows = result["columns"], result["rows"]
    assert isinstance(columns, list) and isinstance(rows, list)
    lines = [
        f"Measured {datetime.now(UTC):%Y-%m-%d} with `make bench BENCH={name}` on {machine()}.",
        "",
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows),
    ]
    return "\n".join(lines)


def write(name: str, text: str) -> None:
    """Replace what stands between the benchmark's markers in the page."""
    page = PAGE.read_text("utf-8")
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
    if not pattern.search(page):
        raise SystemExit(f"docs/benchmarks.md has no place for {name}")
    PAGE.write_text(pattern.sub(lambda match: match[1] + text + "\n" + match[2], page), "utf-8")


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all."""
    for unknown in set(names) - set(NAMES):
        raise SystemExit(f"there is no benchmark {unknown}; there are {', '.join(NAMES)}")
    for name in names or NAMES:
        text = table(name, run(name))
        print(text, flush=True)
        write(name, text)


if __name__ == "__main__":
    main(sys.argv[1:])
