"""`crosslight broker ...`: make its settings, serve, match, keep its database, look at it.

Thin: options in, one call, a result out. The work is elsewhere.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from broker.app import MIGRATIONS
from broker.children import ChildProcess, Children
from broker.directory import Directory, kept_documents
from broker.settings import BrokerSettings, check_separation
from broker.startup import (
    home_of,
    make_app,
    open_library,
    prepare_database,
    run_log,
    run_worker,
    take_in,
)
from broker.store.caps import crowd_sizes, entries_set_aside, excess_across_groups
from broker.store.epochs import epoch_number
from broker.store.overview import overview
from policies.documents import read_document_file
from policies.service_settings import read_settings, write_settings
from policies.trust import Trust
from runtime.console import emit, json_option, passphrase_option, read_passphrase, say
from runtime.database import open_engine, read_transaction
from runtime.exits import ExitCode, UserError
from runtime.logs import configure_logging
from runtime.migrations import migrate
from runtime.server import serve

_home = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The broker's home folder: broker.toml, keys.age, documents/.",
)


@click.group()
def broker() -> None:
    """Run the broker.

    It receives signed records whose content is locked, finds equal tags, and shows alerts to the recipients. It can
    read nothing that it keeps. `serve` answers requests, `worker` matches; run both.
    """


@broker.command("init")
@_home
@click.option("--database-url", default="", help="sqlite:///PATH or postgresql://...; by default SQLite in the home.")
@click.option("--bind", default="", help="HOST:PORT to listen on.")
@json_option
def init_command(home: Path, database_url: str, bind: str) -> None:
    """Write broker.toml, make the database and take in the home's documents.

    Before: `crosslight party keys broker broker --home HOME`, and `crosslight agreement pin` in the same home.
    """
    home_of(home)
    path = home / BrokerSettings.FILE
    if path.exists() and (database_url or bind):
        raise UserError(f"{path} exists already: change the settings there.", ExitCode.USAGE)
    if not path.exists():
        given = {"database_url": database_url, "bind": bind or BrokerSettings.bind}
        write_settings(BrokerSettings, home, {name: value for name, value in given.items() if value})
    engine, pinned_hash = prepare_database(read_settings(BrokerSettings, home))
    trust = Directory(engine, pinned_hash).trust()
    emit(
        {"settings": str(path), "agreement_hash": pinned_hash.hex(), "ready": trust.is_ready},
        f"The broker in {home} is set up"
        + ("." if trust.is_ready else "; an epoch and a roster are still to be accepted."),
    )


@broker.command("serve")
@_home
@click.option("--with-worker", is_flag=True, help="Start the matching worker too, as a process of its own.")
@click.option(
    "--insecure-single-operator",
    is_flag=True,
    help="Start even though a key holder's key file is at hand. Protects nobody from whoever runs this.",
)
@passphrase_option
def serve_command(home: Path, with_worker: bool, insecure_single_operator: bool, passphrase_file: Path | None) -> None:
    """Answer requests until told to stop. Alerts come from `broker worker`, which must run as well.

    The keeper of the log, `broker log`, is started beside the server and ends with it.
    """
    settings = read_settings(BrokerSettings, home_of(home))
    check_separation(settings, insecure_single_operator=insecure_single_operator)
    if settings.holder_key_file is not None:
        say("WARNING: one operator runs broker and key holder. Use made-up data only.")
    passphrase = read_passphrase(passphrase_file)
    app = make_app(settings, passphrase, insecure_single_operator=insecure_single_operator)
    configure_logging("broker")
    worker = [ChildProcess("worker", home)] if with_worker else []
    children = Children([ChildProcess("log", home, passphrase), *worker])
    serve(
        lambda: app,
        settings.bind,
        settings.workers,
        settings.threads,
        certfile=settings.certificate,
        keyfile=settings.certificate_key,
        when_ready=children.start,
        on_exit=children.terminate,
    )


@broker.command("worker")
@_home
@click.option("--once", is_flag=True, help="Do all there is to do, then end.")
@click.option("--parent", type=int, hidden=True, help="End when this process, which started it, is gone.")
def worker_command(home: Path, once: bool, parent: int | None) -> None:
    """Match what was committed, take back what ended. Needs no key; may be killed at any time and started again."""
    run_worker(read_settings(BrokerSettings, home_of(home)), once=once, parent=parent)


@broker.command("log")
@_home
@click.option("--once", is_flag=True, help="Do all there is to do, then end.")
@click.option("--parent", type=int, hidden=True, help="End when this process, which started it, is gone.")
@click.option("--passphrase-from-pipe", is_flag=True, hidden=True, help="Read the passphrase from standard input.")
@passphrase_option
def log_command(
    home: Path, once: bool, parent: int | None, passphrase_from_pipe: bool, passphrase_file: Path | None
) -> None:
    """Keep the log: give leaves their places, sign checkpoints, ask witnesses. `broker serve` starts this by itself."""
    settings = read_settings(BrokerSettings, home_of(home))
    passphrase = sys.stdin.read() if passphrase_from_pipe else read_passphrase(passphrase_file)
    run_log(settings, passphrase, once=once, parent=parent)


@broker.command("migrate")
@_home
@json_option
def migrate_command(home: Path) -> None:
    """Bring the database to this version's schema, whole or not at all."""
    engine = open_engine(read_settings(BrokerSettings, home_of(home)).database)
    migrate(engine, MIGRATIONS)
    emit({"migrated": True}, "The database has the newest schema.")


@broker.command("accept")
@_home
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@json_option
def accept_command(home: Path, files: tuple[Path, ...]) -> None:
    """Verify signed documents (an epoch, a roster) against the pinned agreement, and keep them."""
    settings = read_settings(BrokerSettings, home_of(home))
    engine, pinned_hash = prepare_database(settings)
    directory = Directory(engine, pinned_hash)
    taken = {str(path): take_in(engine, directory, read_document_file(path)) for path in files}
    # In the home folder too, from which a database can be made anew.
    with read_transaction(engine) as connection:
        open_library(settings).accept_all(kept_documents(connection))
    emit(
        {"accepted": taken},
        lambda: "\n".join(f"{path}: {'accepted' if new else 'kept already'}" for path, new in taken.items()),
    )


@broker.command("status")
@_home
@json_option
def status_command(home: Path) -> None:
    """Say what the database holds and what is still to be matched. For the operator alone: no party is served this."""
    engine, trust, epoch = _open(read_settings(BrokerSettings, home_of(home)))
    with read_transaction(engine) as connection:
        found = overview(connection, epoch)
    data = {"epoch": trust.epoch.number, "roster": trust.roster.version, **found}
    emit(data, lambda: "\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in data.items()))


@broker.command("caps")
@_home
@json_option
def caps_command(home: Path) -> None:
    """Count what was set aside (over a cap, or with a possession that does not hold) by institution and kind.

    Also the kinds with tags under which all groups together have more records than the cap of one: flagged, and left.
    """
    engine, trust, epoch = _open(read_settings(BrokerSettings, home_of(home)))
    with read_transaction(engine) as connection:
        aside = entries_set_aside(connection, epoch)
        caps = {kind: policy.cap for kind, policy in trust.kinds.items()}
        excess = excess_across_groups(crowd_sizes(connection, epoch), caps)
    lines = [f"{row.institution_id} {row.kind} {row.reason}: {row.entries} under {row.tags} tags" for row in aside]
    lines += [f"{row.kind}: {row.tags} tags over the cap across groups, {row.most_records} records" for row in excess]
    emit(
        {"set_aside": [row._asdict() for row in aside], "excess_across_groups": [row._asdict() for row in excess]},
        "\n".join(lines) or "Nothing was set aside, and no tag is over its cap.",
    )


def _open(settings: BrokerSettings) -> tuple[Any, Trust, int]:
    """The database, what its documents give, and the short number of the newest epoch."""
    engine, pinned_hash = prepare_database(settings)
    trust = Directory(engine, pinned_hash).trust()
    with read_transaction(engine) as connection:
        epoch = epoch_number(connection, trust.epoch_id) if trust.is_ready else None
    if epoch is None:
        raise UserError("There is no signed epoch with a roster yet: accept them.", ExitCode.DOCUMENTS_REFUSED)
    return engine, trust, epoch
