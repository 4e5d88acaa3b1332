"""The broker's settings, from `broker.toml` in its home folder and `CROSSLIGHT_*` variables.

Knows no key: the signing key is in the key file, under a passphrase. Refuses what would make one operator of two.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from policies.documents import HASH_LENGTH, write_file
from policies.errors import DocumentRefused
from policies.party_keys import KEY_FILE
from runtime.exits import ExitCode, UserError
from runtime.settings import load_settings, setting

SETTINGS_FILE = "broker.toml"


@dataclass(frozen=True)
class BrokerSettings:
    """Everything that an operator decides for the broker."""

    bind: str = setting("HOST:PORT that the service listens on", default="127.0.0.1:8430")
    home: Path = setting("the home folder: key file and documents/; by default where broker.toml lies", default=Path())
    database_url: str = setting(
        "sqlite:///PATH or postgresql://...; by default broker.sqlite in the home", default="", secret=True
    )
    base_url: str = setting("scheme and host that callers sign; by default the address in the enrolment", default="")
    enrolment_hash: str = setting(
        "the enrolment's hash as compared out of band, in hex; by default what `enrolment pin` wrote", default=""
    )
    workers: int = setting("processes that answer requests", default=2)
    threads: int = setting("requests that a process answers at once", default=8)
    idle_seconds: float = setting("how long the matching worker rests when there is nothing to do", default=0.5)
    certificate: Path | None = setting("TLS certificate (PEM); without it a proxy speaks TLS", default=None)
    certificate_key: Path | None = setting("the TLS certificate's private key (PEM)", default=None)
    metrics_from: tuple[str, ...] = setting("networks that may read /metrics", default=("127.0.0.0/8", "::1/128"))
    holder_key_file: Path | None = setting(
        "a key holder's key file, only where one operator runs everything for a trial: the broker then refuses to "
        "start without --insecure-single-operator",
        default=None,
    )

    @property
    def key_file(self) -> Path:
        """Where the broker's signing key is."""
        return self.home / KEY_FILE

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.home.absolute() / 'broker.sqlite'}"

    @property
    def expected_hash(self) -> bytes | None:
        """The pinned 32-byte hash, where the settings give one; raises DocumentRefused where that is no hash."""
        if not self.enrolment_hash:
            return None
        try:
            expected = bytes.fromhex(self.enrolment_hash)
        except ValueError:
            expected = b""
        if len(expected) != HASH_LENGTH:
            raise DocumentRefused("The setting enrolment_hash must be 64 hexadecimal digits.")
        return expected


def read_settings(home: Path, environ: Mapping[str, str] | None = None) -> BrokerSettings:
    """The settings of the broker whose home folder is `home`; raises UserError (exit code 4)."""
    settings = load_settings(BrokerSettings, home / SETTINGS_FILE, os.environ if environ is None else environ)
    return settings if settings.home != Path() else replace(settings, home=home)


def check_separation(settings: BrokerSettings, *, insecure_single_operator: bool) -> None:
    """Refuse to run with a key holder's key file at hand; raises UserError (exit code 4) saying why."""
    if settings.holder_key_file is not None and not insecure_single_operator:
        raise UserError(
            "The broker's settings name a key holder's key file (holder_key_file). Whoever runs the broker and enough "
            "key holders can guess every identifier from the broker's tags: nobody is protected from that operator. "
            "Run the key holder elsewhere, under another party, and remove the setting; for a trial on made-up data "
            "only, start with --insecure-single-operator.",
            ExitCode.DOCUMENTS_REFUSED,
        )


def write_settings(home: Path, values: Mapping[str, str | int]) -> None:
    """Write `broker.toml` with `values`, each under the help text of its setting."""
    helps = {name: field.metadata["help"] for name, field in BrokerSettings.__dataclass_fields__.items()}
    lines = ["# Settings of the broker. Others, and their defaults: docs/reference.md", ""]
    for name, value in values.items():
        text = str(value) if isinstance(value, int) else _quoted(value)
        lines += [f"# {helps[name]}", f"{name} = {text}", ""]
    # A database URL may hold a password.
    write_file(home / SETTINGS_FILE, "\n".join(lines), mode=0o600)


def _quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
