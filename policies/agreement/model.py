"""What an agreement says, as values: parties with their keys, purposes, kinds, the opening rule, limits, times.

The single thing that parties sign. Epoch documents and rosters are made from it and must agree with it. How it is
written stands in document.py (JSON, what is signed) and yaml_file.py (what people write); here are values alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Mode = Literal["provide", "request", "watch"]
MODES: Final[tuple[Mode, ...]] = ("provide", "request", "watch")
"""What a party may do: send records; have records opened and ask for fields; read the log and counts alone."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What data may be used for: a code for programs, a sentence for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class LegalBasis:
    """Why the sharing is lawful: a sentence, and where it stands in the law."""

    text: str
    reference: str


@dataclass(frozen=True, slots=True)
class MemberParty:
    """An institution as the agreement names it.

    signing_key  32 bytes
    declared     distinct values that it means to submit an epoch, per key family; budgets follow (protocol section 10)
    """

    institution_id: str
    name: str
    role: str
    group_id: str
    signing_key: bytes
    modes: tuple[Mode, ...]
    declared: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RecipientParty:
    """A recipient (the charity's desk) with the purposes for which it may have records opened."""

    recipient_id: str
    name: str
    group_id: str
    signing_key: bytes
    modes: tuple[Mode, ...]
    purposes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HolderParty:
    """A key holder: its number, signing key (32 bytes), key-generation key (a group element, 32 bytes), address."""

    index: int
    name: str
    group_id: str
    key: bytes
    dkg_key: bytes
    address: str


@dataclass(frozen=True, slots=True)
class BrokerParty:
    """The broker: its signing key (32 bytes) signs receipts and, as the log, checkpoints."""

    name: str
    group_id: str
    key: bytes
    address: str


@dataclass(frozen=True, slots=True)
class AuditorParty:
    """An auditor: a regulator or data-protection officer with a request-signing key (32 bytes)."""

    auditor_id: str
    name: str
    signing_key: bytes


@dataclass(frozen=True, slots=True)
class Gate:
    """The red flags of which at least one must be present in a record of `role` before it may be sent."""

    role: str
    any_of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FieldRequest:
    """Who may ask whom for which fields after an alert, and how many people of the asked must approve (four eyes: 2).

    `reveals` says whether asking may tell the institution that it was hit.
    """

    asker: str
    of_role: str
    fields: tuple[str, ...]
    approvals: int
    reveals: bool


@dataclass(frozen=True, slots=True)
class Witnesses:
    """The parties whose cosignatures a checkpoint needs, and how many of them (C2SP tlog-policy)."""

    parties: tuple[str, ...]
    quorum: int


@dataclass(frozen=True, slots=True)
class Retention:
    """Seconds: how long a record lives at the broker, and how long a recipient may keep what it opened."""

    records: int
    opened: int
