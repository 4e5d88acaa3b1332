"""The key holder's settings, from `holder.toml` in its home folder and `CROSSLIGHT_*` variables.

Knows no key: those are in the key file, under a passphrase.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from policies.documents import HASH_LENGTH, write_file
from policies.errors import DocumentRefused
from policies.party_keys import KEY_FILE
from runtime.settings import load_settings, setting

SETTINGS_FILE = "holder.toml"


@dataclass(frozen=True)
class HolderSettings:
    """Everything that an operator decides for one key holder."""

    index: int = setting("this holder's index in the enrolment, from 1")
    bind: str = setting("HOST:PORT that the service listens on", default="127.0.0.1:8440")
    home: Path = setting("the home folder: key file and documents/; by default where holder.toml lies", default=Path())
    database_url: str = setting(
        "sqlite:///PATH or postgresql://...; by default holder.sqlite in the home", default="", secret=True
    )
    base_url: str = setting("scheme and host that callers sign; by default the address in the enrolment", default="")
    enrolment_hash: str = setting(
        "the enrolment's hash as compared out of band, in hex; by default what `enrolment pin` wrote", default=""
    )
    workers: int = setting("processes; each evaluates on all cores", default=2)
    threads: int = setting("requests that a process answers at once", default=8)
    certificate: Path | None = setting("TLS certificate (PEM); without it a proxy speaks TLS", default=None)
    certificate_key: Path | None = setting("the TLS certificate's private key (PEM)", default=None)
    metrics_from: tuple[str, ...] = setting("networks that may read /metrics", default=("127.0.0.0/8", "::1/128"))

    @property
    def key_file(self) -> Path:
        """Where the holder's secrets are."""
        return self.home / KEY_FILE

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.home.absolute() / 'holder.sqlite'}"

    @property
    def expected_hash(self) -> bytes | None:
        """The pinned 32-byte hash, where the settings give one; raises DocumentRefused where it is none."""
        if not self.enrolment_hash:
            return None
        try:
            expected = bytes.fromhex(self.enrolment_hash)
        except ValueError:
            expected = b""
        if len(expected) != HASH_LENGTH:
            raise DocumentRefused("The setting enrolment_hash must be 64 hexadecimal digits.")
        return expected


def read_settings(home: Path, environ: Mapping[str, str] | None = None) -> HolderSettings:
    """The settings of the holder whose home folder is `home`; raises UserError (exit code 4)."""
    settings = load_settings(HolderSettings, home / SETTINGS_FILE, os.environ if environ is None else environ)
    return settings if settings.home != Path() else replace(settings, home=home)


def write_settings(home: Path, values: Mapping[str, str | int]) -> None:
    """Write `holder.toml` with `values`, each under the help text of its setting."""
    helps = {name: field.metadata["help"] for name, field in HolderSettings.__dataclass_fields__.items()}
    lines = ["# Settings of a key holder. Others, and their defaults: docs/reference.md", ""]
    for name, value in values.items():
        text = str(value) if isinstance(value, int) else _quoted(value)
        lines += [f"# {helps[name]}", f"{name} = {text}", ""]
    # A database URL may hold a password.
    write_file(home / SETTINGS_FILE, "\n".join(lines), mode=0o600)


def _quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
