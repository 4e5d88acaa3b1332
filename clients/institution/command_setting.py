"""What every command that speaks to others opens first: the home, its settings, the contact, the local state.

Reads the passphrase; prints nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from clients.institution.contact import AskBroker, Contact, InstitutionHome, contact, open_home
from clients.institution.links import Network
from clients.institution.settings import InstitutionSettings, read_settings
from clients.institution.state import State
from runtime.clock import SystemClock
from runtime.console import read_passphrase

home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    show_default="the current folder",
    help="The institution's home folder: keys.age, card.json, documents/, mapping.toml, the local state.",
)


@dataclass(frozen=True)
class Opened:
    """An open home, its settings, the contact with the others, the local state, the clock."""

    home: InstitutionHome
    settings: InstitutionSettings
    contact: Contact
    state: State
    clock: SystemClock


@contextmanager
def opened(
    home: Path,
    passphrase_file: Path | None,
    broker: AskBroker = AskBroker.REQUIRED,
    *,
    to_look_only: bool = False,
) -> Iterator[Opened]:
    """Open everything for one command; `to_look_only` leaves the state to another program that may be at work."""
    # The program's own objects stay until it ends: the collector need not visit them again and again.
    gc.freeze()
    settings, clock = read_settings(home), SystemClock()
    found_home = open_home(home, settings, read_passphrase(passphrase_file))
    network = Network(settings.timeout, settings.ca_file, settings.proxy)
    with (
        contact(found_home, clock, network, broker) as found,
        State.open(
            found_home.state_folder, found.membership.epoch_id, found_home.institution_id, to_look_only=to_look_only
        ) as state,
    ):
        yield Opened(found_home, settings, found, state, clock)
