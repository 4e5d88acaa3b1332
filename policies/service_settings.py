"""What the operators of both kinds of service decide: where it listens, its home, its database, its pinned agreement.

Each service adds its own settings to these. Knows no key: those are in the key file, under a passphrase.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, TypeVar

from policies.documents import HASH_LENGTH, write_file
from policies.errors import DocumentRefused
from policies.party_keys import KEY_FILE
from runtime.settings import load_settings, setting


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """The settings that every service has. `FILE` is their TOML file in the home, `DATABASE` the SQLite file there."""

    FILE: ClassVar[str]
    DATABASE: ClassVar[str]

    bind: str = setting("HOST:PORT that the service listens on")
    home: Path = setting("the home folder: key file and documents/; by default where this file lies", default=Path())
    database_url: str = setting(
        "sqlite:///PATH or postgresql://...; by default a SQLite file in the home", default="", secret=True
    )
    base_url: str = setting("scheme and host that callers sign; by default the address in the agreement", default="")
    agreement_hash: str = setting(
        "the agreement's hash as compared out of band, in hex; by default what `agreement pin` wrote", default=""
    )
    workers: int = setting("processes that answer requests", default=2)
    threads: int = setting("requests that a process answers at once", default=8)
    certificate: Path | None = setting("TLS certificate (PEM); without it a proxy speaks TLS", default=None)
    certificate_key: Path | None = setting("the TLS certificate's private key (PEM)", default=None)
    metrics_from: tuple[str, ...] = setting("networks that may read /metrics", default=("127.0.0.0/8", "::1/128"))

    @property
    def key_file(self) -> Path:
        """Where the service's secrets are."""
        return self.home / KEY_FILE

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.home.absolute() / self.DATABASE}"

    @property
    def expected_hash(self) -> bytes | None:
        """The pinned 32-byte hash, where the settings give one; raises DocumentRefused where that is no hash."""
        if not self.agreement_hash:
            return None
        try:
            expected = bytes.fromhex(self.agreement_hash)
        except ValueError:
            expected = b""
        if len(expected) != HASH_LENGTH:
            raise DocumentRefused("The setting agreement_hash must be 64 hexadecimal digits.")
        return expected


Settings = TypeVar("Settings", bound=ServiceSettings)


def read_settings(cls: type[Settings], home: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of the service whose home folder is `home`; raises UserError (exit code 4)."""
    settings = load_settings(cls, home / cls.FILE, os.environ if environ is None else environ)
    return settings if settings.home != Path() else replace(settings, home=home)


def write_settings(cls: type[ServiceSettings], home: Path, values: Mapping[str, str | int]) -> None:
    """Write the settings file with `values`, each under the help text of its setting."""
    helps = {name: field.metadata["help"] for name, field in cls.__dataclass_fields__.items() if field.metadata}
    lines = ["# Others, and their defaults: docs/reference.md", ""]
    for name, value in values.items():
        text = str(value) if isinstance(value, int) else _quoted(value)
        lines += [f"# {helps[name]}", f"{name} = {text}", ""]
    # Private: a database URL may hold a password.
    write_file(home / cls.FILE, "\n".join(lines), mode=0o600)


def _quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
