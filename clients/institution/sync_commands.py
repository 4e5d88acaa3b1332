"""`crosslight institution sync | status | withdraw | rotate-key`: the commands that speak to the others.

Reads options, opens home, state and contact, calls one function, prints. Commands that stay on this machine (init,
preview) are in commands.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import click

from clients.institution import rotation
from clients.institution.adoption import adopt_sequence as adopt
from clients.institution.contact import AskBroker, Contact, InstitutionHome, contact, open_home
from clients.institution.links import Network
from clients.institution.mapping import RowMapping, check_terms
from clients.institution.mapping_file import load_mapping
from clients.institution.outbox import store_withdrawal
from clients.institution.prepare import prepare_row
from clients.institution.row_digests import RowDigests
from clients.institution.rows import Row, read_rows
from clients.institution.settings import InstitutionSettings, read_settings
from clients.institution.state import State
from clients.institution.status import local_status, render_status, status_to_json
from clients.institution.submission import RECORD_LIMIT
from clients.institution.sync import Options, Source, Sync
from clients.institution.sync_report import finality_to_json, render_report, report_to_json
from clients.institution.tools import parts
from clients.institution.withdrawal import all_live, check_handles, finality, find_live, tell_holders
from policies.terms import Terms
from runtime.clock import SystemClock, unix
from runtime.console import (
    emit,
    json_option,
    passphrase_option,
    progress,
    progress_option,
    read_passphrase,
    say,
)
from runtime.exits import ExitCode, UserError

home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    show_default="the current folder",
    help="The institution's home folder: keys.age, card.json, documents/, mapping.toml, the local state.",
)


@dataclass(frozen=True)
class _Opened:
    """What every command here works with."""

    home: InstitutionHome
    settings: InstitutionSettings
    contact: Contact
    state: State
    clock: SystemClock


@contextmanager
def _opened(
    home: Path,
    passphrase_file: Path | None,
    broker: AskBroker = AskBroker.REQUIRED,
    *,
    to_look_only: bool = False,
) -> Iterator[_Opened]:
    settings, clock = read_settings(home), SystemClock()
    opened = open_home(home, settings, read_passphrase(passphrase_file))
    network = Network(settings.timeout, settings.ca_file, settings.proxy)
    with (
        contact(opened, clock, network, broker) as found,
        State.open(
            opened.state_folder, found.membership.epoch_id, opened.institution_id, to_look_only=to_look_only
        ) as state,
    ):
        yield _Opened(opened, settings, found, state, clock)


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
    1. Fetches the signed documents and believes only what the pinned enrolment bears out.
    2. Sends what an earlier run left in the outbox, byte for byte as it was.
    3. Reads the whole source and digests each row under a local key: new, changed, gone, or due for renewal.
    4. Blinds the identifiers of those rows, has any t of the key holders evaluate them, checks every proof.
    5. Seals and signs the records, stores the submission whole, sends it; then the next submission.
    6. Withdraws the records of rows that are gone, at the broker and at every key holder.

    It may be stopped or killed at any moment: run it again, and it goes on. Nothing is charged or sent twice.

    \b
    Ends with 0 done, 9 done in part (a withdrawal is not final yet: run again), 10 the evaluation budget is spent (the
    rest goes on at the next sync); all exit codes: crosslight --help.

    \b
    A nightly job:  CROSSLIGHT_PASSPHRASE=... crosslight institution sync --home /srv/crosslight --json
    """
    with _opened(home, passphrase_file) as opened:
        terms = opened.contact.trust.enrolment.terms
        mapping = load_mapping(opened.settings.mapping)
        check_terms(mapping, terms)
        tools = parts(opened.contact, opened.state, mapping.fingerprint, opened.clock)
        if adopt_sequence:
            adopted = adopt(opened.state, tools.delivery, tools.author, unix(opened.clock))
            say(f"Going on behind the broker's {adopted.last_seq} statements; {adopted.dropped} are made anew.")
        options = Options(records, allow_empty, allow_shrink)
        report = Sync(tools, _source(mapping, terms), options, progress).run()
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
    with _opened(home, passphrase_file, asked, to_look_only=True) as opened:
        found = local_status(opened.state, opened.contact.membership, unix(opened.clock))
        broker = None if offline or opened.contact.broker_fault else opened.contact.links.broker.status()
        waiting_key = rotation.NEXT in opened.contact.ring
    emit(status_to_json(found, broker, waiting_key), lambda: render_status(found, broker, waiting_key))


@click.command()
@click.argument("row_ids", metavar="[ROW_ID]...", nargs=-1)
@click.option(
    "--from-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Row ids, one a line; better than the command line, which other users of the machine can see.",
)
@click.option("--handle", "handles", multiple=True, metavar="HEX", help="A record by its handle (32 hex digits).")
@click.option("--all", "everything", is_flag=True, help="Every live record of this institution.")
@click.option("--retry", is_flag=True, help="Withdraw nothing new: only go on with what is not final yet.")
@home_option
@passphrase_option
@json_option
def withdraw(
    row_ids: tuple[str, ...],
    from_file: Path | None,
    handles: tuple[str, ...],
    everything: bool,
    retry: bool,
    home: Path,
    passphrase_file: Path | None,
) -> int:
    """Take records back for good, at the broker and at every key holder.

    What is withdrawn leaves the index and every alert at once. It is final when n - t + 1 key holders have signed:
    from then on no quorum opens it, whatever the broker kept. Until then this command ends with 9; run it with
    --retry, or wait for the next sync. A withdrawn record never returns; its row is sent again only when it changes,
    so take it out of the source, or let the mapping's filter leave it out.
    """
    if not (row_ids or from_file or handles or everything or retry):
        raise click.UsageError("name rows, --from-file, --handle, --all or --retry")
    with _opened(home, passphrase_file, AskBroker.WHERE_REACHED) as opened:
        named = [*row_ids, *(_lines(from_file) if from_file else ())]
        chosen, missing = _chosen(opened, named, handles, everything)
        place, state = opened.contact.membership, opened.state
        tools = parts(opened.contact, state, b"", opened.clock)
        if chosen:
            store_withdrawal(state, chosen, tools.author, unix(opened.clock))
        silent = tell_holders(state, opened.contact.links.holders, place, opened.clock)
        broker_fault = _tell_broker(opened)
        found = finality(state, place)
    data: dict[str, Any] = {
        "withdrawn": len(chosen),
        "without_live_record": missing,
        "broker": broker_fault,
        "holders": {str(index): sentence for index, sentence in silent.items()},
        **finality_to_json(found),
    }
    remarks = [f"{missing} of the named have no live record."] if missing else []
    remarks += [*([broker_fault] if broker_fault else []), *silent.values(), found.sentence()]
    emit(data, "\n".join([f"Withdrew {len(chosen)} records.", *remarks]))
    return ExitCode.OK if found.is_final else ExitCode.PARTLY_DONE


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
    with _opened(home, passphrase_file) as opened:
        finished = rotation.NEXT in opened.home.ring and rotation.NEXT not in opened.contact.ring
        tools = parts(opened.contact, opened.state, b"", opened.clock)
        place, key = opened.contact.membership, opened.contact.signing_key
        signed = rotation.sign_again(opened.state, opened.contact.links.broker, place, key, unix(opened.clock))
        if finished or signed:
            tools.delivery.send_all()
            emit(
                {"state": "finished", "public_key": key.public_key.hex(), "signed_again": signed},
                f"The roster names the new key: it has taken the old one's place, and {signed} submissions are signed "
                "again.",
            )
            return
        begun = rotation.begin(opened.home.place, opened.contact.ring, opened.home.passphrase)
    done = "A new signing key is drawn" if begun.is_new else "A new signing key waits already"
    emit(
        {"state": "waiting", "public_key": begun.public_key.hex(), "card": str(begun.card), "is_new": begun.is_new},
        f"{done}. Give {begun.card} to whoever makes the next roster (crosslight roster new --card {begun.card}); "
        "until it is accepted the old key stays in use.",
    )


def _source(mapping: RowMapping, terms: Terms) -> Source:
    return Source(
        lambda: read_rows(mapping), lambda row: prepare_row(cast(Row, row), mapping, terms), mapping.fingerprint
    )


def _chosen(opened: _Opened, row_ids: list[str], handles: tuple[str, ...], everything: bool) -> tuple[list[bytes], int]:
    """The live records that are named, and how many names have none."""
    if everything:
        return all_live(opened.state), 0
    digests = RowDigests(opened.contact.ring["rows"], b"")
    by_row, missing = find_live(opened.state, [digests.row_key(row_id) for row_id in row_ids])
    given = [_handle(text) for text in handles]
    by_handle = check_handles(opened.state, given)
    return [*by_row, *by_handle], missing + len(given) - len(by_handle)


def _handle(text: str) -> bytes:
    try:
        handle = bytes.fromhex(text)
    except ValueError:
        handle = b""
    if len(handle) != 16:
        raise click.UsageError("a handle is 32 hexadecimal digits")
    return handle


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{path} cannot be read as UTF-8 text.") from None


def _tell_broker(opened: _Opened) -> str | None:
    """Send the outbox; what is wrong with the broker, if anything, is said and tried again later."""
    if opened.contact.broker_fault is not None:
        return opened.contact.broker_fault.message
    tools = parts(opened.contact, opened.state, b"", opened.clock)
    try:
        tools.delivery.reconcile()
        rotation.sign_again(
            opened.state, tools.delivery.broker, tools.membership, tools.author.signing_key, unix(opened.clock)
        )
        tools.delivery.send_all()
    except UserError as error:
        return error.message
    return None
