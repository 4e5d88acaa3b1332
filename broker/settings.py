"""The broker's settings, from `broker.toml` in its home folder and `CROSSLIGHT_*` variables.

Knows no key: the signing key is in the key file, under a passphrase. Refuses what would make one operator of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from policies.service_settings import ServiceSettings
from runtime.exits import ExitCode, UserError
from runtime.settings import setting


@dataclass(frozen=True, kw_only=True)
class BrokerSettings(ServiceSettings):
    """Everything that an operator decides for the broker."""

    FILE: ClassVar[str] = "broker.toml"
    DATABASE: ClassVar[str] = "broker.sqlite"

    bind: str = setting("HOST:PORT that the service listens on", default="127.0.0.1:8430")
    idle_seconds: float = setting("how long the matching worker rests when there is nothing to do", default=0.5)
    ca_file: Path | None = setting(
        "PEM of the certificate authorities to trust instead of the system's, when key holders are asked for "
        "cosignatures and counts",
        default=None,
    )
    holder_key_file: Path | None = setting(
        "a key holder's key file, only where one operator runs everything for a trial: the broker then refuses to "
        "start without --insecure-single-operator",
        default=None,
    )


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
