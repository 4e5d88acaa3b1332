"""The key holder's settings, from `holder.toml` in its home folder and `CROSSLIGHT_*` variables.

Knows no key: those are in the key file, under a passphrase.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from policies.service_settings import ServiceSettings
from runtime.settings import setting


@dataclass(frozen=True, kw_only=True)
class HolderSettings(ServiceSettings):
    """Everything that an operator decides for one key holder."""

    FILE: ClassVar[str] = "holder.toml"
    DATABASE: ClassVar[str] = "holder.sqlite"

    index: int = setting("this holder's index in the agreement, from 1")
    ca_file: Path | None = setting(
        "PEM of the certificate authorities to trust instead of the system's, when the broker's log is read",
        default=None,
    )
    bind: str = setting("HOST:PORT that the service listens on", default="127.0.0.1:8440")
