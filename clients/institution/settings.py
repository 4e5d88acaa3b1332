"""The institution client's settings, read from its home folder; nothing secret is among them.

Where rows come from and what becomes of them is the mapping's business (mapping_file.py); who it is, its card's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from runtime.settings import load_settings, setting

SETTINGS_FILE = "institution.toml"
MAPPING_FILE = "mapping.toml"


@dataclass(frozen=True)
class InstitutionSettings:
    """What `institution.toml` in the home folder may say; without the file, the defaults hold."""

    mapping: Path = setting("The mapping file.", default=Path(MAPPING_FILE))
    state: Path = setting("The folder of the local state (keyed digests and the outbox).", default=Path("state"))
    timeout: float = setting(
        "Seconds that the broker or a key holder may take for each step of a request.", default=60.0
    )
    ca_file: Path | None = setting(
        "PEM file of the certificate authorities to trust instead of the system's.", default=None
    )
    proxy: str | None = setting("HTTP proxy through which the services are reached.", default=None)


def read_settings(home: Path, environ: Mapping[str, str] | None = None) -> InstitutionSettings:
    """The settings of the institution whose home folder this is; raises UserError (exit code 4) naming what is wrong.

    Paths that the settings leave out, and relative ones, count from the home folder.
    """
    path = home / SETTINGS_FILE
    given = os.environ if environ is None else environ
    settings = load_settings(InstitutionSettings, path if path.exists() else None, given)
    return replace(settings, mapping=home / settings.mapping, state=home / settings.state)
