"""`crosslight charity`: what a charity does with alerts, from the command line; and the desk, its page.

Reads options, calls one function of the office, prints.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from clients.charity.case_file import CaseFile
from clients.charity.evidence import NOT_YET_LOGGED
from clients.charity.exports import opened_pairs, pairs_csv, records_csv, write_private
from clients.charity.office import Office, QueueItem, open_office
from clients.charity.opening import TOO_FEW_HOLDERS
from clients.charity.rendering import render_case, render_decisions, render_queue
from clients.charity.settings import read_settings
from clients.charity.words import counted
from policies.decisions.record import DecisionRecord
from policies.roster_commands import make_recipient_key
from runtime.console import emit, json_option, passphrase_option, progress, progress_option, read_passphrase, say
from runtime.exits import ExitCode, UserError

home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    show_default="the current folder",
    help="The charity's home folder: keys.age, card.json, documents/, charity.toml, the encrypted store.",
)


purpose_option = click.option(
    "--purpose", metavar="CODE", help="For which of the agreement's purposes; needed where it gives several."
)


@click.group()
def charity() -> None:
    """A charity's client: see alerts, have the key holders open what the rule covers, and review it.

    \b
    crosslight charity alerts              the queue
    crosslight charity show ALERT          what matches, what is open, what stays shut and why
    crosslight charity open ALERT | --all  show the key holders the evidence and open what they open
    crosslight charity desk                the same as a page in the browser, with verdicts and notes
    crosslight charity export ALERT        case files in the clear, for a referral
    crosslight charity decisions           what was opened and exported, for which purpose, by which rules
    crosslight charity purge               erase what may be kept no longer
    """


charity.add_command(make_recipient_key, "epoch-key")


@charity.command("alerts")
@home_option
@passphrase_option
@json_option
def list_alerts(home: Path, passphrase_file: Path | None) -> None:
    """List the broker's alerts with what is known of each here: how far it is opened, and the verdict."""
    with open_office(home, read_passphrase(passphrase_file)) as office:
        items = office.refresh_queue()
    emit([_item(item) for item in items], lambda: render_queue(items))


@charity.command("show")
@click.argument("alert_id", metavar="ALERT")
@home_option
@passphrase_option
@json_option
def show_alert(alert_id: str, home: Path, passphrase_file: Path | None) -> None:
    """Show one alert: what matches, what was opened, what stays shut and why. Asks no key holder."""
    with open_office(home, read_passphrase(passphrase_file)) as office:
        case = office.examine(alert_id)
        reviews = office.store.reviews(alert_id)
    notes = "".join(f"\n\nVerdict: {review.verdict}\n  {review.note}" for review in reviews[-1:])
    emit({**case.to_json(), "reviews": [asdict(each) for each in reviews]}, lambda: render_case(case) + notes)


@charity.command("open")
@click.argument("alert_ids", metavar="[ALERT]...", nargs=-1)
@purpose_option
@click.option("--all", "every", is_flag=True, help="Open every alert that is new, changed or was not finished.")
@click.option("--again", is_flag=True, help="With --all: also those that are finished.")
@click.option(
    "--pairs",
    "pairs_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the pairs of opened records that support each other to this new CSV file (mode 0600).",
)
@home_option
@passphrase_option
@progress_option
@json_option
def open_alerts(
    alert_ids: Sequence[str],
    every: bool,
    again: bool,
    pairs_file: Path | None,
    purpose: str | None,
    home: Path,
    passphrase_file: Path | None,
) -> int:
    """Show the key holders the evidence of alerts, and open what they open.

    What is opened is kept in the encrypted store. Ends with 9 where key holders failed and something that the rule
    covers stayed shut for it, or where no cosigned checkpoint of the log covers a record yet: run the command again.
    """
    if every == bool(alert_ids):
        raise click.UsageError("Name alerts, or give --all.")
    with open_office(home, read_passphrase(passphrase_file)) as office:
        wanted = _to_open(office, again) if every else list(alert_ids)
        with progress(len(wanted), "alerts") as running:
            made = office.open_alerts(wanted, running.advance, purpose=purpose)
        cases = list(office.store.cases().values()) if every else made
    pairs = opened_pairs(cases)
    if pairs_file is not None:
        write_private(pairs_file, pairs_csv(pairs))
    report = {**_opening_report(made, cases), "pairs": [pair.to_json() for pair in pairs]}
    emit(report, lambda: _opening_text(made, every))
    return ExitCode.PARTLY_DONE if any(_is_unfinished(case) for case in made) else ExitCode.OK


@charity.command("export")
@click.argument("alert_ids", metavar="[ALERT]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Export every case file in the store.")
@click.option("--format", "form", type=click.Choice(["json", "csv"]), default="json", show_default=True)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A new file (mode 0600); without it, standard output.",
)
@purpose_option
@home_option
@passphrase_option
def export_cases(
    alert_ids: Sequence[str],
    every: bool,
    form: str,
    output: Path | None,
    purpose: str | None,
    home: Path,
    passphrase_file: Path | None,
) -> None:
    """Write case files from the encrypted store in the clear. Asks nobody; what was never opened is not in them.

    The export is kept here as a decision, and counted in the log's hourly activity at the next contact.
    """
    if every == bool(alert_ids):
        raise click.UsageError("Name alerts, or give --all.")
    with open_office(home, read_passphrase(passphrase_file)) as office:
        held = office.store.cases()
        missing = [alert_id for alert_id in alert_ids if alert_id not in held]
        if missing:
            raise UserError(f"There is no case file of {missing[0]} here: open it first.", ExitCode.INPUT_REFUSED)
        chosen = [held[alert_id] for alert_id in (held if every else alert_ids)]
        office.export(chosen, purpose)
        documents = [
            {**case.to_json(), "reviews": [asdict(each) for each in office.store.reviews(case.alert_id)]}
            for case in chosen
        ]
    content = records_csv(chosen) if form == "csv" else json.dumps(documents, ensure_ascii=False, indent=2) + "\n"
    if output is None:
        click.echo(content, nl=False)
    else:
        write_private(output, content)
        say(f"{counted(len(chosen), 'case file')} written to {output}, in the clear: delete it when it has served.")


@charity.command("purge")
@home_option
@passphrase_option
@json_option
def purge_cases(home: Path, passphrase_file: Path | None) -> None:
    """Erase what was opened longer ago than the agreement lets it be kept; verdicts and notes go with it."""
    with open_office(home, read_passphrase(passphrase_file)) as office:
        office.purge()
    sentence = f"{counted(office.erased, 'case file')} erased, since the agreed time to keep them is over."
    emit({"erased": office.erased}, sentence)


@charity.command("decisions")
@home_option
@passphrase_option
@json_option
def list_decisions(home: Path, passphrase_file: Path | None) -> None:
    """Show every opening and export that was decided here: when, for which purpose, by which rules."""
    with open_office(home, read_passphrase(passphrase_file)) as office:
        records = [DecisionRecord.from_document(document) for document in office.store.decisions()]
    emit([record.to_document() for record in records], lambda: render_decisions(records))


@charity.command("desk")
@click.option("--port", type=click.IntRange(0, 65535), help="Port on this machine; 0 takes a free one.")
@home_option
@passphrase_option
@json_option
def serve_desk(port: int | None, home: Path, passphrase_file: Path | None) -> None:
    """Serve the desk, a page for this machine's browser alone, until interrupted.

    The address that is printed holds an access token that is new at each start.
    """
    from clients.charity.desk.server import run_desk

    settings = read_settings(home)
    with open_office(home, read_passphrase(passphrase_file)) as office:
        run_desk(office, settings.desk_port if port is None else port)


def _to_open(office: Office, again: bool) -> list[str]:
    return [
        item.entry.alert_id
        for item in office.refresh_queue()
        if item.entry.is_listed and (again or not _is_finished(item))
    ]


def _is_finished(item: QueueItem) -> bool:
    """Whether asking again would tell nothing new: it was asked for since it last changed, no holder failed, and the
    log had all of it.
    """
    case = item.case
    return (
        case is not None
        and case.opened_at > 0
        and case.changed_at >= item.entry.changed_at
        and not case.holder_faults
        and not any(NOT_YET_LOGGED in record.reasons for record in case.records)
    )


def _is_unfinished(case: CaseFile) -> bool:
    later = {TOO_FEW_HOLDERS, NOT_YET_LOGGED}
    return any(not later.isdisjoint(record.reasons) for record in case.records)


def _item(item: QueueItem) -> dict[str, Any]:
    return {
        **asdict(item.entry),
        "opened": item.case.opened if item.case is not None else 0,
        "asked": item.case is not None and item.case.opened_at > 0,
        "verdict": item.review.verdict if item.review is not None else "unreviewed",
        "mark": item.mark,
    }


def _opening_report(made: Sequence[CaseFile], cases: Sequence[CaseFile]) -> dict[str, Any]:
    return {
        "alerts": len(cases),
        "asked": len(made),
        "records": sum(len(case.records) for case in cases),
        "opened": sum(case.opened for case in cases),
        "cases": [{"alert_id": case.alert_id, "records": len(case.records), "opened": case.opened} for case in made],
        "troubles": [trouble.sentence for case in made for trouble in case.troubles],
        "holder_faults": sorted({sentence for case in made for sentence in case.holder_faults}),
    }


def _opening_text(made: Sequence[CaseFile], every: bool) -> str:
    if not every:
        return "\n\n\n".join(render_case(case) for case in made)
    if not made:
        return "Nothing new to open."
    opened, records = sum(case.opened for case in made), sum(len(case.records) for case in made)
    lines = [f"{counted(len(made), 'alert')}: {opened} of {counted(records, 'record')} opened."]
    lines += sorted({trouble.sentence for case in made for trouble in case.troubles})
    lines += sorted({sentence for case in made for sentence in case.holder_faults})
    return "\n".join(lines)
