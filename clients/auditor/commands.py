"""`crosslight auditor`: what an auditor checks, from the command line; and the console, its page.

Reads options, calls one function of the auditor, prints.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from clients.auditor.auditor import Auditor, open_auditor
from clients.auditor.evaluations import RULE, evaluated_days
from clients.auditor.ledger import Ledger
from clients.auditor.ledger_schema import DecisionFilter, Finding
from clients.auditor.rendering import (
    render_agreements,
    render_decisions,
    render_evaluations,
    render_findings,
    render_verified,
)
from clients.auditor.replaying import record_of
from clients.auditor.report.commands import check_report, write_report
from clients.auditor.settings import read_settings
from clients.auditor.words import counted
from policies.agreement.diff import diff
from policies.agreement.matrix import matrix
from policies.documents import write_file
from policies.library import DocumentLibrary
from runtime.console import emit, json_option, passphrase_option, progress, progress_option, read_passphrase, say
from runtime.exits import ExitCode

home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    show_default="the current folder",
    help="The auditor's home folder: keys.age, card.json, documents/, auditor.toml, the copy of the log.",
)


class Moment(click.ParamType[int]):
    """A day (YYYY-MM-DD) or a time (YYYY-MM-DDTHH:MM, UTC), as Unix seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Unix seconds; raises click.BadParameter."""
        if isinstance(value, int):
            return value
        try:
            given = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail("give a day as 2026-03-01, or a time as 2026-03-01T12:00 (UTC)", param, ctx)
        return int((given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp())


@click.group()
def auditor() -> None:
    """An auditor's client: an own verified copy of the log, every decision replayed, and a signed report.

    \b
    crosslight auditor log verify     copy the log, verify every leaf, and hold together what it says
    crosslight auditor replay         take every logged decision again and compare the answers
    crosslight auditor policies       agreements in force, their history and differences, who may do what
    crosslight auditor decisions      decisions by party, action, rule, time
    crosslight auditor evaluations    what was evaluated beside what was submitted, outliers marked
    crosslight auditor report         a signed report of all this
    crosslight auditor verify-report  verify such a report with the log's public key alone
    crosslight auditor console        the same as a page in the browser
    """


auditor.add_command(write_report, "report")
auditor.add_command(check_report, "verify-report")


@auditor.group("log")
def log() -> None:
    """The broker's log, as this auditor holds it."""


@log.command("verify")
@click.option("--anew", is_flag=True, help="Forget the copy, and read the whole log again.")
@click.option("--copy", "copy_too", is_flag=True, help="Hash every leaf of the copy again, too.")
@home_option
@passphrase_option
@progress_option
@json_option
def verify_log(anew: bool, copy_too: bool, home: Path, passphrase_file: Path | None) -> int:
    """Copy the log up to its newest cosigned checkpoint, verify every leaf, and hold together what the leaves say.

    Killed at any point, the next run goes on where this one was. Ends with 8 where something does not hold.
    """
    opened = _open(home, passphrase_file)
    if anew:
        opened.ledger.truncate()
    with opened.contact() as contact:
        size = contact.checkpoint.checkpoint.size
        with progress(max(0, size - opened.ledger.size), "leaves") as running:
            verified = opened.verify(contact, running.advance)
        witnesses = contact.cosigned_by()
    findings = list(verified.findings)
    if copy_too:
        with progress(verified.size, "leaves of the copy") as running:
            findings += opened.verify_copy(running.advance)
    report = {
        "size": verified.size,
        "added": verified.added,
        "checkpoint": size,
        "witnesses": list(witnesses),
        "findings": _findings(findings),
    }
    emit(report, lambda: render_verified(verified, size, witnesses, findings))
    return _exit(findings)


@auditor.command("replay")
@click.option("--again", is_flag=True, help="Replay also what was replayed before.")
@home_option
@passphrase_option
@progress_option
@json_option
def replay(again: bool, home: Path, passphrase_file: Path | None) -> int:
    """Take every logged decision again, from its record and the agreement alone, and compare the answers.

    Works on the copy of the log and asks nobody. Killed at any point, the next run goes on where this one was. Ends
    with 8 where an answer differs.
    """
    opened = _open(home, passphrase_file)
    decisions, done, _ = opened.ledger.replayed()
    with progress(decisions if again else decisions - done, "decisions") as running:
        findings = opened.replay(running.advance, again=again)
    decisions, done, differ = opened.ledger.replayed()
    report = {"decisions": decisions, "replayed": done, "differ": differ, "findings": _findings(findings)}
    headline = f"{counted(done, 'decision')} of {decisions:,} replayed; {counted(differ, 'answer')} differ."
    emit(report, lambda: render_findings(headline, findings))
    return _exit(findings)


@auditor.command("policies")
@click.option("--matrix", "show_matrix", is_flag=True, help="Also who may do what with which data.")
@home_option
@json_option
def policies(show_matrix: bool, home: Path) -> None:
    """Show the agreement in force, its history with every difference, and who may do what with which data."""
    trust = DocumentLibrary.of_home(home).trust()
    changes = {
        newer.version: diff(older, newer) for older, newer in zip(trust.agreements, trust.agreements[1:], strict=False)
    }
    rows = matrix(trust.newest_agreement)
    report = {
        "versions": [
            {
                "version": one.version,
                "hash": one.hash.hex(),
                "title": one.title,
                "start": one.start,
                "end": one.end,
                "runs": one.hash == trust.agreement.hash,
                "changes": [asdict(change) for change in changes.get(one.version, ())],
            }
            for one in trust.agreements
        ],
        "suspended": sorted(trust.suspended),
        "departed": sorted(trust.departed),
        "matrix": [asdict(row) for row in rows],
    }
    emit(report, lambda: render_agreements(trust, changes, rows if show_matrix else ()))


@auditor.command("decisions")
@click.option("--party", metavar="ID", help="Who asked.")
@click.option("--action", metavar="NAME", help="What was asked.")
@click.option("--rule", metavar="ID", help="A rule that decided.")
@click.option("--allowed/--refused", default=None, help="How it was answered.")
@click.option("--since", type=Moment(), help="From this day or time on (UTC).")
@click.option("--until", type=Moment(), help="Before this day or time (UTC).")
@click.option("--differing", is_flag=True, help="Only those whose replayed answer differs.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many, the newest first.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write all of the wanted records here, one JSON object a line, for `crosslight agreement simulate`.",
)
@home_option
@json_option
def decisions(
    party: str | None,
    action: str | None,
    rule: str | None,
    allowed: bool | None,
    since: int | None,
    until: int | None,
    differing: bool,
    limit: int,
    output: Path | None,
    home: Path,
) -> None:
    """List the decisions in the copy of the log, the newest first."""
    wanted = DecisionFilter(party, action, rule, allowed, since, until, differing)
    ledger = _ledger(home)
    total = ledger.count_decisions(wanted)
    if output is not None:
        rows = ledger.decisions(wanted)
        found = (ledger.leaf(row.position) for row in rows)
        lines = [json.dumps(record_of(leaf).to_document()) for leaf in found if leaf is not None]
        write_file(output, "".join(f"{line}\n" for line in lines))
        say(f"{counted(len(lines), 'decision')} written to {output}.")
    rows = ledger.decisions(wanted, count=limit)
    emit({"total": total, "decisions": [asdict(row) for row in rows]}, lambda: render_decisions(rows, total))


@auditor.command("evaluations")
@click.option("--outliers", is_flag=True, help="Only the outliers.")
@home_option
@json_option
def evaluations(outliers: bool, home: Path) -> None:
    """Hold what key holders evaluated, by institution, family, holder and day, beside what was submitted that day.

    Outliers may be probing: somebody who asks for far more identifiers than it sends. They are no finding by
    themselves, and the exit code is 0.
    """
    days = [one for one in evaluated_days(_ledger(home)) if one.is_outlier or not outliers]
    emit({"rule": RULE, "days": [asdict(one) for one in days]}, lambda: render_evaluations(days))


@auditor.command("console")
@click.option("--port", type=click.IntRange(0, 65535), help="Port on this machine; 0 takes a free one.")
@home_option
@passphrase_option
@json_option
def console(port: int | None, home: Path, passphrase_file: Path | None) -> None:
    """Serve the console, a page for this machine's browser alone, until interrupted.

    The address that is printed holds an access token that is new at each start.
    """
    from clients.auditor.console.server import run_console

    opened = _open(home, passphrase_file)
    run_console(opened, opened.settings.console_port if port is None else port)


def _open(home: Path, passphrase_file: Path | None) -> Auditor:
    return open_auditor(home, read_passphrase(passphrase_file))


def _ledger(home: Path) -> Ledger:
    return Ledger(read_settings(home).ledger)


def _findings(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [asdict(one) for one in findings]


def _exit(findings: Sequence[Finding]) -> int:
    return ExitCode.VERIFICATION_FAILED if findings else ExitCode.OK
