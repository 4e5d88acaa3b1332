"""The charity client's settings, and who it is: read from its home folder, nothing secret among them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from policies.party_keys import CARD_FILE, RECIPIENT_ROLE, read_card_file
from runtime.exits import ExitCode, UserError
from runtime.settings import load_settings, setting

SETTINGS_FILE = "charity.toml"


@dataclass(frozen=True)
class CharitySettings:
    """What `charity.toml` in the home folder may say; without the file, the defaults hold."""

    timeout: float = setting(
        "Seconds that the broker or a key holder may take for each step of a request.", default=60.0
    )
    store: Path = setting("The encrypted local store: a SQLite file.", default=Path("charity.sqlite3"))
    desk_port: int = setting("Port of the desk's page on this machine.", default=8740)
    ca_file: Path | None = setting(
        "PEM file of the certificate authorities to trust instead of the system's.", default=None
    )
    proxy: str | None = setting("HTTP proxy through which the services are reached.", default=None)


def read_settings(home: Path, environ: Mapping[str, str] | None = None) -> CharitySettings:
    """The settings of the charity whose home folder this is; raises UserError (exit code 4) naming what is wrong."""
    path = home / SETTINGS_FILE
    given = os.environ if environ is None else environ
    settings = load_settings(CharitySettings, path if path.exists() else None, given)
    if not settings.store.is_absolute():
        return CharitySettings(**{**vars(settings), "store": home / settings.store})
    return settings


def recipient_id_of(home: Path) -> str:
    """The charity's party id, from the card that its keys were made with; raises UserError (exit code 4)."""
    card = read_card_file(home / CARD_FILE)
    if card.role != RECIPIENT_ROLE:
        raise UserError(
            f"{home / CARD_FILE} is the card of a {card.role}; the charity's client works for a recipient.",
            ExitCode.DOCUMENTS_REFUSED,
        )
    return card.party_id
