"""`crosslight holder ...`: set up a key holder, serve, accept documents, suspend, and look at its records.

Each command reads its options, calls one function of this package and prints. Key generation is in keygen_commands.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from flask import Flask

from crypto.keyfiles import read_key_file
from keyholder.accepted import AcceptedDocuments
from keyholder.app import FOLLOWER, HOLDER, create_app, make_follower, open_documents
from keyholder.holder import Holder
from keyholder.keygen_commands import keygen
from keyholder.log_keeping import keep_following
from keyholder.opening_record import verify_links
from keyholder.settings import HolderSettings
from keyholder.standing import Standing, read_document_text
from keyholder.store import counts as counts_store
from keyholder.store import documents
from keyholder.store.chains import NO_LINK, Head
from keyholder.store.openings import opening_links
from policies.documents import read_document_file
from policies.home import PartyHome
from policies.library import FOLDER, DocumentLibrary
from policies.parties import holder_index
from policies.service_settings import read_settings, write_settings
from runtime.clock import SystemClock, unix
from runtime.console import emit, json_option, passphrase_option, read_passphrase, say
from runtime.database import read_transaction, run_in_transaction
from runtime.exits import ExitCode, UserError
from runtime.logs import configure_logging
from runtime.server import serve as run_server
from wire.strict_json import parse_json

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def home_option(function: Decorated) -> Decorated:
    """The holder's home folder."""
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        required=True,
        help="The holder's home folder: holder.toml, keys.age, documents/.",
    )(function)


@click.group()
def holder() -> None:
    """Run a key holder: one share of every key, and the service that evaluates with it.

    In this order: `party keys holder`, `agreement pin`, `holder init`, `holder keygen` (with the other holders),
    `epoch accept` and `roster accept`, `holder serve`. Documents that come later: `holder accept`.
    """


holder.add_command(keygen)


@holder.command()
@home_option
@click.option("--bind", default=HolderSettings.bind, show_default=True, help="HOST:PORT to listen on.")
@click.option("--database-url", default="", help="sqlite:///PATH or postgresql://...; by default a file in the home.")
@click.option("--force", is_flag=True, help="Write holder.toml anew where there is one.")
@json_option
def init(home: Path, bind: str, database_url: str, force: bool) -> None:
    """Write holder.toml from the holder's card, and make the database."""
    path = home / HolderSettings.FILE
    if path.exists() and not force:
        raise UserError(f"{path} is there already; change it by hand, or give --force.", ExitCode.USAGE)
    index = holder_index(PartyHome(home).card.party_id)
    if index is None:
        raise UserError(f"The card in {home} is not a key holder's.", ExitCode.DOCUMENTS_REFUSED)
    values: dict[str, str | int] = {"index": index, "bind": bind}
    if database_url:
        values["database_url"] = database_url
    write_settings(HolderSettings, home, values)
    accepted = _open(home)
    emit(
        {"settings": str(path), "index": index, "agreement_hash": accepted.pinned.agreement.hash.hex()},
        f"Holder {index}: {path} is written, and the database is made. Next: crosslight holder keygen.",
    )


@holder.command()
@home_option
@passphrase_option
def serve(home: Path, passphrase_file: Path | None) -> None:
    """Serve until stopped. The key file is opened once, before the worker processes are forked.

    Shares that are written to the key file later are seen after a restart; documents are seen at once.
    """
    settings = read_settings(HolderSettings, home)
    key_ring = read_key_file(settings.key_file, read_passphrase(passphrase_file))
    configure_logging("holder")
    made: list[Flask] = []

    def make() -> Flask:
        made.append(create_app(settings, key_ring=key_ring))
        return made[0]

    run_server(
        make,
        settings.bind,
        settings.workers,
        settings.threads,
        certfile=settings.certificate,
        keyfile=settings.certificate_key,
        in_worker=lambda: keep_following(made[0].extensions[HOLDER], made[0].extensions[FOLLOWER]),
    )


@holder.command()
@home_option
@passphrase_option
@json_option
def follow(home: Path, passphrase_file: Path | None) -> None:
    """Follow the broker's log now, as the service does every minute: apply withdrawals, take in signed documents.

    Exit code 8 where the log shows two histories or withholds what it names; the evidence is in the home folder.
    """
    settings = read_settings(HolderSettings, home)
    key_ring = read_key_file(settings.key_file, read_passphrase(passphrase_file))
    service = Holder(settings.index, key_ring, _open(home), SystemClock())
    followed = make_follower(service, settings).follow()
    emit(
        {"leaves": followed.position, "newest_at": followed.newest_at},
        f"The log was followed to its end: {followed.position} leaves are applied.",
    )


@holder.command()
@home_option
@json_option
def migrate(home: Path) -> None:
    """Bring the database to the newest schema (`serve` does so too), and take in the home's documents."""
    standing = _open(home).standing()
    emit({"epochs": len(standing.epochs)}, f"The database is current and holds {len(standing.epochs)} epochs.")


@holder.command()
@home_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def accept(home: Path, file: Path) -> None:
    """Verify a signed document of the agreement and keep it; a running service goes by it at once."""
    settings, accepted = read_settings(HolderSettings, home), _open(home)
    signed = read_document_file(file)
    fresh = accepted.accept(signed, unix(SystemClock()))
    # In the home folder too, so that the next roster can be signed there.
    with read_transaction(accepted.engine) as connection:
        held = [read_document_text(body) for body in documents.document_bodies(connection)]
    DocumentLibrary(settings.home / FOLDER, settings.expected_hash).accept_all(held)
    word = "accepted" if fresh else "was held already"
    emit(
        {"hash": signed.hash.hex(), "type": signed.type, "new": fresh},
        f"The {signed.type} {'is ' if fresh else ''}{word}.",
    )


@holder.command()
@home_option
@click.argument("party_id")
@click.option("--reason", default="", help="Why, for your own record.")
@json_option
def suspend(home: Path, party_id: str, reason: str) -> None:
    """Suspend a member or recipient, at this holder alone and at once: nothing is evaluated or opened for it.

    A suspended institution's records neither open nor support; it can still withdraw them.
    """
    accepted = _open(home)
    _require_known(accepted.standing(), party_id)
    now = unix(SystemClock())
    fresh = run_in_transaction(accepted.engine, lambda connection: documents.suspend(connection, party_id, reason, now))
    emit({"party_id": party_id, "new": fresh}, f"{party_id} {'is' if fresh else 'was'} suspended at this holder.")


@holder.command()
@home_option
@click.argument("party_id", required=False)
@json_option
def resume(home: Path, party_id: str | None) -> None:
    """End a suspension; without a party, list the suspensions."""
    accepted = _open(home)
    if party_id is None:
        with read_transaction(accepted.engine) as connection:
            found = documents.suspensions(connection)
        data = [{"party_id": party, "since": since, "reason": reason} for party, since, reason in found]
        emit(data, "\n".join(f"{party} since {since}: {reason}" for party, since, reason in found) or "None.")
        return
    ended = run_in_transaction(accepted.engine, lambda connection: documents.resume(connection, party_id))
    if not ended:
        raise UserError(f"{party_id} is not suspended at this holder.", ExitCode.USAGE)
    emit({"party_id": party_id}, f"{party_id} is no longer suspended at this holder.")


@holder.command()
@home_option
@click.option("--after", type=click.IntRange(min=0), default=0, help="Only decisions after this number.")
@json_option
def openings(home: Path, after: int) -> None:
    """Verify the record of openings from its first decision on, and show it."""
    accepted = _open(home)
    settings = read_settings(HolderSettings, home)
    with read_transaction(accepted.engine) as connection:
        links = opening_links(connection)
    key = accepted.standing().agreement.holders[settings.index - 1].key
    head = verify_links(links, key, Head(0, NO_LINK))
    shown = [parse_json(link.body.encode()) for link in links if link.number > after]
    say(f"{head.number} decisions, chained and signed; the last has hash {head.hash.hex()}.")
    emit(shown, lambda: "\n".join(_opening_line(decision) for decision in shown) or "No decisions.")


@holder.command()
@home_option
@click.option("--from", "first_day", default="", help="From this day on (YYYY-MM-DD).")
@json_option
def counts(home: Path, first_day: str) -> None:
    """Show what was evaluated for whom, day by day: signed once the day is closed, open until then."""
    accepted = _open(home)
    rows: list[dict[str, Any]] = []
    with read_transaction(accepted.engine) as connection:
        for trust in reversed(accepted.standing_in(connection)[1].epochs):
            signed = {row.day for row in counts_store.documents_from(connection, trust.epoch_id, first_day, 4000)}
            for day, institution, family, elements in counts_store.all_counts(connection, trust.epoch_id, first_day):
                rows.append(
                    {
                        "epoch": trust.epoch.number,
                        "day": day,
                        "institution_id": institution,
                        "family": family,
                        "elements": elements,
                        "signed": day in signed,
                    }
                )
    emit(rows, lambda: "\n".join(_count_line(row) for row in rows) or "Nothing was evaluated.")


def _open(home: Path) -> AcceptedDocuments:
    return open_documents(read_settings(HolderSettings, home), SystemClock())


def _require_known(standing: Standing, party_id: str) -> None:
    """Refuse a party that no document names: a slip of the pen would suspend nobody."""
    known = set(standing.agreement.member_keys) | set(standing.agreement.recipient_keys)
    for trust in standing.epochs:
        known.update(key for roster in trust.rosters for key in roster.keys)
    if party_id not in known:
        raise UserError(f"{party_id} is no member or recipient here: {', '.join(sorted(known))}.", ExitCode.USAGE)


def _opening_line(decision: Any) -> str:
    records = decision["records"]
    opened = sum(record["decision"] == "opened" for record in records)
    shut = sum(record["decision"] == "shut" for record in records)
    outcome = f"refused whole: {decision['refused']}" if decision["refused"] else f"{opened} opened, {shut} shut"
    return f"{decision['number']}: {decision['recipient_id']} at {decision['decided_at']}: {outcome}"


def _count_line(row: dict[str, Any]) -> str:
    state = "signed" if row["signed"] else "open"
    return f"{row['day']} epoch {row['epoch']} {row['institution_id']} {row['family']}: {row['elements']} ({state})"
