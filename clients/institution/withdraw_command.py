"""`crosslight institution withdraw`: records taken back for good, at the broker and at every key holder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clients.institution import rotation
from clients.institution.command_setting import Opened, home_option, opened
from clients.institution.contact import AskBroker
from clients.institution.outbox import store_withdrawal
from clients.institution.row_digests import RowDigests
from clients.institution.sync_report import finality_to_json
from clients.institution.tools import parts
from clients.institution.withdrawal import all_live, check_handles, finality, find_live, tell_holders
from runtime.clock import unix
from runtime.console import emit, json_option, passphrase_option
from runtime.exits import ExitCode, UserError


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
    with opened(home, passphrase_file, AskBroker.WHERE_REACHED) as found:
        named = [*row_ids, *(_lines(from_file) if from_file else ())]
        chosen, missing = _chosen(found, named, handles, everything)
        place, state = found.contact.membership, found.state
        tools = parts(found.contact, state, b"", found.clock)
        if chosen:
            store_withdrawal(state, chosen, tools.author, unix(found.clock))
        silent = tell_holders(state, found.contact.links.holders, place, found.clock)
        broker_fault = _tell_broker(found)
        stand = finality(state, place)
    data: dict[str, Any] = {
        "withdrawn": len(chosen),
        "without_live_record": missing,
        "broker": broker_fault,
        "holders": {str(index): sentence for index, sentence in silent.items()},
        **finality_to_json(stand),
    }
    remarks = [f"{missing} of the named have no live record."] if missing else []
    remarks += [*([broker_fault] if broker_fault else []), *silent.values(), stand.sentence()]
    emit(data, "\n".join([f"Withdrew {len(chosen)} records.", *remarks]))
    return ExitCode.OK if stand.is_final else ExitCode.PARTLY_DONE


def _chosen(found: Opened, row_ids: list[str], handles: tuple[str, ...], everything: bool) -> tuple[list[bytes], int]:
    """The live records that are named, and how many names have none."""
    if everything:
        return all_live(found.state), 0
    digests = RowDigests(found.contact.ring["rows"], b"")
    by_row, missing = find_live(found.state, [digests.row_key(row_id) for row_id in row_ids])
    given = [_handle(text) for text in handles]
    by_handle = check_handles(found.state, given)
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


def _tell_broker(found: Opened) -> str | None:
    """Send the outbox; what is wrong with the broker, if anything, is said and tried again later."""
    if found.contact.broker_fault is not None:
        return found.contact.broker_fault.message
    tools = parts(found.contact, found.state, b"", found.clock)
    try:
        # A suspended institution is heard for its withdrawals, and for nothing else.
        if found.home.institution_id not in found.contact.trust.suspended:
            tools.delivery.reconcile()
            rotation.sign_again(
                found.state, tools.delivery.broker, tools.membership, tools.author.signing_key, unix(found.clock)
            )
        tools.delivery.send_all()
    except UserError as error:
        return error.message
    return None
