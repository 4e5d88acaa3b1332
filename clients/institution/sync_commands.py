"""`crosslight institution sync | status | withdraw | rotate-key`: the commands that speak to the others.

Reads options, opens what it needs (command_setting.py), calls one function, prints. Commands that stay on this
machine (init, preview) are in commands.py, which finds all of these here.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from clients.institution import rotation
from clients.institution.adoption import adopt_sequence as adopt
from clients.institution.agreement_rules import own_terms
from clients.institution.command_setting import home_option, opened
from clients.institution.contact import AskBroker
from clients.institution.log_proofs import export_receipts
from clients.institution.mapping import RowMapping, check_terms
from clients.institution.mapping_file import load_mapping
from clients.institution.night import Options, Source
from clients.institution.nightly import prove, run_night
from clients.institution.prepare import prepare_row
from clients.institution.rows import Row, read_rows
from clients.institution.status import local_status, render_status, status_to_json
from clients.institution.submission import RECORD_LIMIT
from clients.institution.sync_report import render_report, report_to_json
from clients.institution.tools import parts
from clients.institution.withdraw_command import withdraw as withdraw
from policies.terms import Terms
from runtime.clock import unix
from runtime.console import (
    emit,
    json_option,
    passphrase_option,
    progress,
    progress_option,
    say,
)


@click.command()
@click.option(
    "--records", type=click.IntRange(1, 65536), default=RECORD_LIMIT, show_default=True, help="Most of one submission."
)
@click.option("--allow-empty", is_flag=True, help="A source of 0 rows is meant: withdraw everything.")
@click.option("--allow-shrink", is_flag=True, help="That more than half of the live rows are gone is meant.")
@click.option(
    "--adopt-sequence",
    is_flag=True,
    help="The local state was lost, or the broker refuses the outbox for good: go on behind the broker's count.",
)
@home_option
@passphrase_option
@progress_option
@json_option
def sync(
    records: int,
    allow_empty: bool,
    allow_shrink: bool,
    adopt_sequence: bool,
    home: Path,
    passphrase_file: Path | None,
) -> int:
    """Send what changed since the last sync, and withdraw what is gone.

    \b
    1. Fetches the signed documents and believes only what the pinned agreement bears out.
    2. Sends what an earlier run left in the outbox, byte for byte as it was.
    3. Reads the whole source and digests each row under a local key: new, changed, gone, or due for renewal.
    4. Blinds the identifiers of those rows, has any t of the key holders evaluate them, checks every proof.
    5. Seals and signs the records, stores the submission whole, sends it; then the next submission.
    6. Withdraws the records of rows that are gone, at the broker and at every key holder.
    7. Keeps the proof, for each receipt that a cosigned checkpoint covers by now, that the log holds it.

    Before all that the broker's log is held against what was seen of it before: if it was rewritten, nothing is sent.
    A row that the agreement does not let you send is left out, and counted with the rule.

    It may be stopped or killed at any moment: run it again, and it goes on. Nothing is charged or sent twice.

    \b
    Ends with 0 done, 9 done in part (a withdrawal is not final yet: run again), 10 the evaluation budget is spent (the
    rest goes on at the next sync); all exit codes: crosslight --help.

    \b
    A nightly job:  CROSSLIGHT_PASSPHRASE=... crosslight institution sync --home /srv/crosslight --json
    """
    with opened(home, passphrase_file) as found:
        terms = own_terms(found.contact.trust, found.home.institution_id)
        mapping = load_mapping(found.settings.mapping)
        check_terms(mapping, terms)
        tools = parts(found.contact, found.state, mapping.fingerprint, found.clock)
        if adopt_sequence:
            adopted = adopt(found.state, tools.delivery, tools.author, unix(found.clock))
            say(f"Going on behind the broker's {adopted.last_seq} statements; {adopted.dropped} are made anew.")
        options = Options(records, allow_empty, allow_shrink)
        report = run_night(found.contact, found.state, tools, _source(mapping, terms), options, progress)
    emit(report_to_json(report), lambda: render_report(report))
    return report.exit_code


@click.command()
@click.option("--offline", is_flag=True, help="Do not ask the broker.")
@home_option
@passphrase_option
@json_option
def status(offline: bool, home: Path, passphrase_file: Path | None) -> None:
    """Show the epoch, what is live, what waits in the outbox, and which withdrawals are not final yet.

    Sends and withdraws nothing, and may be asked while a sync runs. Compares the local state with what the broker says
    of this institution, unless --offline.
    """
    asked = AskBroker.NOT if offline else AskBroker.WHERE_REACHED
    with opened(home, passphrase_file, asked, to_look_only=True) as found:
        local = local_status(found.state, found.contact.membership, unix(found.clock))
        # The broker answers no such question of a suspended institution.
        unheard = offline or found.contact.broker_fault or found.home.institution_id in found.contact.trust.suspended
        broker = None if unheard else found.contact.links.broker.status()
        waiting_key = rotation.NEXT in found.contact.ring
    emit(status_to_json(local, broker, waiting_key), lambda: render_status(local, broker, waiting_key))


@click.command("rotate-key")
@home_option
@passphrase_option
@json_option
def rotate_key(home: Path, passphrase_file: Path | None) -> None:
    """Make a new signing key, or finish a rotation that a new roster has accepted.

    \b
    1. crosslight institution rotate-key                 keeps the new key beside the old one, writes card-next.json
    2. crosslight roster new --card card-next.json ...   the next roster names it; holders and members sign (with the
                                                         old key), everybody accepts
    3. crosslight institution sync (or rotate-key)       the new key takes the old one's place, which is erased, and
                                                         every live submission is signed again

    Records and withdrawals stay as they are. Run it again to see how far a rotation is.
    """
    with opened(home, passphrase_file) as found:
        finished = rotation.NEXT in found.home.ring and rotation.NEXT not in found.contact.ring
        tools = parts(found.contact, found.state, b"", found.clock)
        place, key = found.contact.membership, found.contact.signing_key
        signed = rotation.sign_again(found.state, found.contact.links.broker, place, key, unix(found.clock))
        if finished or signed:
            tools.delivery.send_all()
            emit(
                {"state": "finished", "public_key": key.public_key.hex(), "signed_again": signed},
                f"The roster names the new key: it has taken the old one's place, and {signed} submissions are signed "
                "again.",
            )
            return
        begun = rotation.begin(found.home.place, found.contact.ring, found.home.passphrase)
    done = "A new signing key is drawn" if begun.is_new else "A new signing key waits already"
    emit(
        {"state": "waiting", "public_key": begun.public_key.hex(), "card": str(begun.card), "is_new": begun.is_new},
        f"{done}. Give {begun.card} to whoever makes the next roster (crosslight roster new --card {begun.card}); "
        "until it is accepted the old key stays in use.",
    )


@click.command()
@click.option(
    "--export",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write each receipt, its leaf and its proof (.tlog-proof) into this folder.",
)
@home_option
@passphrase_option
@json_option
def receipts(folder: Path | None, home: Path, passphrase_file: Path | None) -> None:
    """Fetch the proofs that the log holds what the broker signed for, and count what is provisional still.

    A receipt is the broker's word. A proof stands on a checkpoint that the agreement's witnesses cosigned: anybody
    verifies it offline (crosslight log proof).
    """
    with opened(home, passphrase_file) as found:
        proofs = prove(found.contact, found.state, unix(found.clock))
        written = 0 if folder is None else export_receipts(found.state, folder)
    emit(
        {"proven": proofs.proven, "provisional": proofs.provisional, "exported": written},
        f"{proofs.proven} more receipts are proven, {proofs.provisional} are provisional still."
        + (f" {written} receipts are in {folder}." if folder else ""),
    )


def _source(mapping: RowMapping, terms: Terms) -> Source:
    return Source(
        lambda: read_rows(mapping), lambda row: prepare_row(cast(Row, row), mapping, terms), mapping.fingerprint
    )
