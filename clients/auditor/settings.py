"""The auditor's settings, and who it is: read from its home folder, nothing secret among them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from policies.party_keys import AUDITOR_ROLE, CARD_FILE, read_card_file
from runtime.exits import ExitCode, UserError
from runtime.settings import load_settings, setting

SETTINGS_FILE = "auditor.toml"


@dataclass(frozen=True)
class AuditorSettings:
    """What `auditor.toml` in the home folder may say; without the file, the defaults hold."""

    timeout: float = setting(
        "Seconds that the broker or a key holder may take for each step of a request.", default=60.0
    )
    ledger: Path = setting("The own verified copy of the log: a SQLite file.", default=Path("auditor.sqlite"))
    console_port: int = setting("Port of the console's page on this machine.", default=8745)
    ca_file: Path | None = setting(
        "PEM file of the certificate authorities to trust instead of the system's.", default=None
    )
    proxy: str | None = setting("HTTP proxy through which the services are reached.", default=None)


def read_settings(home: Path, environ: Mapping[str, str] | None = None) -> AuditorSettings:
    """The settings of the auditor whose home folder this is; raises UserError (exit code 4) naming what is wrong."""
    path = home / SETTINGS_FILE
    given = os.environ if environ is None else environ
    settings = load_settings(AuditorSettings, path if path.exists() else None, given)
    return settings if settings.ledger.is_absolute() else replace(settings, ledger=home / settings.ledger)


def auditor_id_of(home: Path) -> str:
    """The auditor's party id, from the card that its keys were made with; raises UserError (exit code 4)."""
    card = read_card_file(home / CARD_FILE)
    if card.role != AUDITOR_ROLE:
        raise UserError(
            f"{home / CARD_FILE} is the card of a {card.role}; the auditor's client works for an auditor.",
            ExitCode.DOCUMENTS_REFUSED,
        )
    return card.party_id
