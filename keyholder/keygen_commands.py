"""`crosslight holder keygen`: this holder's part in generating the keys of an epoch, by files or by requests.

Every holder runs it at its own place; shares go straight into its key file, and only public results leave.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from crypto.errors import KeygenFault
from crypto.keyfiles import KeyRing, add_to_key_file, read_key_file
from keyholder.app import open_documents
from keyholder.keygen_files import PROGRESS_FOLDER, Report, advance_by_files
from keyholder.keygen_online import OnlineRun
from keyholder.keygen_run import Participant, families_of
from keyholder.settings import HolderSettings
from policies.agreement.document import Agreement
from policies.service_settings import read_settings
from runtime.clock import SystemClock
from runtime.console import emit, json_option, passphrase_option, read_passphrase, say
from runtime.exits import ExitCode, UserError
from wire.session import SignedSession


@click.command()
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    required=True,
    help="The holder's home folder: holder.toml, keys.age, documents/.",
)
@click.option("--number", type=click.IntRange(min=1), required=True, help="The epoch's number, as agreed.")
@click.option(
    "--attempt", type=click.IntRange(1, 20), default=1, show_default=True, help="Raised by all after a fault."
)
@click.option(
    "--exchange",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="By files: a folder that all holders can read and write. Run the command until every key is there.",
)
@click.option("--online", is_flag=True, help="By requests: between the holders' running services.")
@click.option("--wait", type=click.IntRange(min=1), default=600, show_default=True, help="Seconds to wait, --online.")
@passphrase_option
@json_option
def keygen(
    home: Path,
    number: int,
    attempt: int,
    exchange: Path | None,
    online: bool,
    wait: int,
    passphrase_file: Path | None,
) -> None:
    """Generate the keys of all families together with the other key holders (C2SP cocktail-dkg).

    No place ever holds a key whole: this holder's shares go into its key file, and the public result of each family,
    signed for by all holders, is written for `crosslight epoch new`. A holder that breaks the protocol is named; then
    all begin again with --attempt one higher. Restart `holder serve` afterwards, so that it reads the new shares.
    """
    if (exchange is None) != online:
        raise UserError("Give either --exchange FOLDER or --online.", ExitCode.USAGE)
    settings = read_settings(HolderSettings, home)
    accepted = open_documents(settings, SystemClock())
    agreement = accepted.standing().agreement
    passphrase = read_passphrase(passphrase_file)
    key_ring = read_key_file(settings.key_file, passphrase)
    participant = Participant.of(agreement, settings.index, key_ring)

    def store_shares(shares: Mapping[str, bytes]) -> None:
        add_to_key_file(settings.key_file, shares, passphrase)

    families = families_of(agreement)
    try:
        if exchange is not None:
            report = advance_by_files(
                participant,
                families,
                number=number,
                attempt=attempt,
                home=settings.home,
                exchange=exchange,
                store_shares=store_shares,
            )
        else:
            with ExitStack() as stack:
                peers = _sessions(stack, agreement, settings, key_ring, participant)
                run = OnlineRun(
                    participant, families, number, attempt, settings.home, accepted.engine, peers, store_shares
                )
                report = run.finish(wait, _say_what_is_missing())
    except KeygenFault as fault:
        raise UserError(
            f"Holder {fault.participant} broke the protocol: {fault.reason}. This attempt is over for everybody; "
            f"settle why, then begin again with --attempt {attempt + 1}.",
            ExitCode.VERIFICATION_FAILED,
        ) from None
    _emit(report, exchange or run.exchange, settings)


def _sessions(
    stack: ExitStack, agreement: Agreement, settings: HolderSettings, key_ring: KeyRing, participant: Participant
) -> dict[int, SignedSession]:
    """A session with each other holder's service."""
    return {
        peer.index: stack.enter_context(
            SignedSession(
                peer.address,
                agreement.holders[settings.index - 1].party_id,
                participant.signing_key,
                peer.party_id,
                peer.key,
                SystemClock(),
                attempts=1,
            )
        )
        for peer in agreement.holders
        if peer.index != settings.index
    }


def _say_what_is_missing() -> Any:
    """A listener that says on standard error what a run waits for, each time it is something else."""
    said: set[str] = set()

    def say_once(report: Report, away: frozenset[int]) -> None:
        missing = sorted({index for indexes in report.waiting.values() for index in indexes} | away)
        sentence = f"{len(report.finished)} keys are done; waiting for holders {', '.join(map(str, missing))}."
        if sentence not in said:
            said.add(sentence)
            say(sentence)

    return say_once


def _emit(report: Report, exchange: Path, settings: HolderSettings) -> None:
    waiting = {family: list(indexes) for family, indexes in report.waiting.items()}
    data = {"complete": report.is_complete, "finished": list(report.finished), "waiting": waiting}
    if report.is_complete:
        own = settings.home / PROGRESS_FOLDER
        emit(
            data,
            f"All {len(report.finished)} keys are generated: public results are in {own}, shares in "
            f"{settings.key_file}. Restart `holder serve` if it runs.",
        )
        return
    missing = sorted({index for indexes in report.waiting.values() for index in indexes})
    emit(
        data,
        f"{len(report.finished)} keys are done; holders {', '.join(map(str, missing))} must go on with {exchange}, "
        "then run this again.",
    )
