"""`crosslight demo`: all parties on this machine, over made-up people or one's own files, and what surfaced.

Reads options, runs one scenario, prints. Progress goes to standard error, the result to standard output.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from demo.ceremony import AUDITOR, RECIPIENT, demonstration_rules
from demo.database import temporary_postgres
from demo.outcome import run_scenario
from demo.own_files import TRUTH_FILE, read_folder
from demo.people import write_people
from demo.report import render
from demo.scenario import Scenario
from demo.score import read_truth, write_pairs
from runtime.clock import SystemClock
from runtime.console import emit, json_option, say


@click.command("demo")
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder with one CSV file an institution, and truth.csv if the truth is known; else people are made up.",
)
@click.option("--once", is_flag=True, help="End when the result is printed, without opening desk and console.")
@click.option(
    "--pairs",
    "pairs_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the pairs that were found to this file, in truth.csv's form.",
)
@click.option("--database", type=click.Choice(["sqlite", "postgres"]), default="sqlite", show_default=True)
@click.option("--region", help="Country (two letters) of numbers written without one; else found in the files.")
@click.option(
    "--people",
    "customers",
    type=click.IntRange(20, 100_000),
    default=400,
    show_default=True,
    help="Made-up customers an institution.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Which people are made up.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="Run in this new folder and leave it: homes, databases, logs. Else all of it is removed at the end.",
)
@json_option
def demo(
    folder: Path | None,
    once: bool,
    pairs_file: Path | None,
    database: str,
    region: str | None,
    customers: int,
    seed: int,
    keep: Path | None,
) -> None:
    """Run all parties on this machine, on made-up people or your own files.

    A broker with its worker, three key holders of whom any two suffice, one institution a file, a charity, an auditor:
    each a process of its own, with keys of its own, on loopback. Nothing leaves the machine, and DIR is only read.

    \b
    crosslight demo
    crosslight demo --from DIR --once --json --pairs found.csv

    Columns that are understood: id, given_name, family_name, full_name, date_of_birth, street, postcode, city, country,
    phone, email, iban, national_id, passport, plate, wallet, handle, note. A column id is needed, all others may lack.

    \b
    JSON: pairs_found, planted, precision, recall (null without truth.csv), alerts, opened, rejected (values), seconds,
    cpu_seconds by party.
    """
    with _workplace(keep) as place, temporary_postgres(place / "postgres", database == "postgres") as database_url:
        if folder is None:
            folder, region = place / "people", region or "GB"
            write_people(folder, customers=customers, seed=seed)
        truth = read_truth(folder / TRUTH_FILE) if (folder / TRUTH_FILE).exists() else None
        scenario = Scenario(
            place,
            read_folder(folder),
            rules=demonstration_rules(),
            clock=SystemClock(),
            region=region,
            database_url=database_url,
        )
        try:
            outcome = run_scenario(scenario, truth)
            if once:
                scenario.processes.stop()
            if pairs_file is not None:
                write_pairs(pairs_file, outcome.score.found)
            cpu_seconds = scenario.processes.used()
            emit(outcome.to_json(cpu_seconds), lambda: render(outcome, cpu_seconds))
            if not once:
                _keep_pages_open(scenario)
        finally:
            scenario.processes.stop()


def _keep_pages_open(scenario: Scenario) -> None:
    """Serve the charity's desk and the auditor's console until interrupted; the commands print their addresses."""
    say("The charity's desk and the auditor's console open below; interrupt (Ctrl-C) to end everything.")
    scenario.processes.start_at_terminal(
        AUDITOR, ["auditor", "console", "--home", str(scenario.home(AUDITOR)), "--port", "0"]
    )
    try:
        scenario.processes.attend(
            RECIPIENT, ["charity", "desk", "--home", str(scenario.home(RECIPIENT)), "--port", "0"]
        )
    except KeyboardInterrupt:
        say("Ending.")


@contextmanager
def _workplace(keep: Path | None) -> Iterator[Path]:
    """The folder in which everything lies: a new one that is removed at the end, or `keep`."""
    if keep is not None:
        keep.mkdir(mode=0o700, parents=True)
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="crosslight-demo-") as folder:
        yield Path(folder)
