"""What an agreement says, as values: parties, purposes, kinds, the opening rule, limits, times.

The single thing that parties sign. Epoch documents and rosters are made from it and must agree with it. How it is
written stands in document.py (JSON, what is signed) and yaml_file.py (what people write); here are values alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from policies.opening_rule import KindPolicy, OpeningRule
from policies.parties import holder_party_id
from policies.terms import Terms

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
class NamedMember:
    """An institution as people name it, before its keys are known."""

    institution_id: str
    name: str
    role: str
    group_id: str
    modes: tuple[Mode, ...]


@dataclass(frozen=True, slots=True)
class MemberParty(NamedMember):
    """An institution as the agreement names it.

    signing_key  32 bytes
    declared     distinct values that it means to submit an epoch, per key family; budgets follow (protocol section 10)
    """

    signing_key: bytes
    declared: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class NamedRecipient:
    """A recipient (the charity's desk) with the purposes for which it may have records opened."""

    recipient_id: str
    name: str
    group_id: str
    modes: tuple[Mode, ...]
    purposes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecipientParty(NamedRecipient):
    """A recipient with its signing key (32 bytes)."""

    signing_key: bytes


@dataclass(frozen=True, slots=True)
class NamedHolder:
    """A key holder by its number."""

    index: int
    name: str
    group_id: str

    @property
    def party_id(self) -> str:
        """ "holder1" ..."""
        return holder_party_id(self.index)


@dataclass(frozen=True, slots=True)
class HolderParty(NamedHolder):
    """A key holder: signing key (32 bytes), key-generation key (a group element, 32 bytes), address."""

    key: bytes
    dkg_key: bytes
    address: str


@dataclass(frozen=True, slots=True)
class NamedBroker:
    """The broker, before its key is known."""

    name: str
    group_id: str


@dataclass(frozen=True, slots=True)
class BrokerParty(NamedBroker):
    """The broker: its signing key (32 bytes) signs receipts and, as the log, checkpoints."""

    key: bytes
    address: str


@dataclass(frozen=True, slots=True)
class NamedAuditor:
    """An auditor: a regulator or data-protection officer."""

    auditor_id: str
    name: str


@dataclass(frozen=True, slots=True)
class AuditorParty(NamedAuditor):
    """An auditor with the key (32 bytes) that signs its requests."""

    signing_key: bytes


@dataclass(frozen=True, slots=True)
class NamedParties:
    """Everybody whom a draft names."""

    members: tuple[NamedMember, ...]
    recipients: tuple[NamedRecipient, ...]
    holders: tuple[NamedHolder, ...]
    broker: NamedBroker
    auditors: tuple[NamedAuditor, ...]


@dataclass(frozen=True, slots=True)
class Parties(NamedParties):
    """Everybody whom an agreement names, with their keys."""

    members: tuple[MemberParty, ...]
    recipients: tuple[RecipientParty, ...]
    holders: tuple[HolderParty, ...]
    broker: BrokerParty
    auditors: tuple[AuditorParty, ...]


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

    @property
    def least(self) -> int:
        """The least quorum that two histories cannot both get, with less than a third of the witnesses dishonest."""
        count = len(self.parties)
        return (count + (count - 1) // 3) // 2 + 1 if count else 0


@dataclass(frozen=True, slots=True)
class Retention:
    """Seconds: how long a record lives at the broker, and how long a recipient may keep what it opened."""

    records: int
    opened: int


@dataclass(frozen=True)
class AgreementContent:
    """All that an agreement says, whether its parties' keys are known yet or not.

    start, end         Unix seconds: in force from start to before end
    member_quorum      how many institutions sign epochs, rosters and suspensions
    t_h                how many key holders evaluate together
    epoch_days         the longest epoch; budgets are for it
    identifier_spaces  how many identifiers of a kind there are at all, for the published coverage
    padded_size        bytes of every record's sealed payload, its four length bytes included
    fields             by role, the names of the fields that a sealed payload may carry
    indicators         by role, the codes of the red flags that it may carry
    openings_per_day   records that a recipient may have opened a day
    records_per_day    record secrets that an institution may have evaluated a day
    """

    agreement_id: str
    title: str
    purposes: tuple[Purpose, ...]
    legal_basis: tuple[LegalBasis, ...]
    start: int
    end: int
    parties: NamedParties
    member_quorum: int
    t_h: int
    epoch_days: int
    kinds: Mapping[str, KindPolicy]
    identifier_spaces: Mapping[str, int]
    opening_rule: OpeningRule
    padded_size: int
    fields: Mapping[str, tuple[str, ...]]
    indicators: Mapping[str, tuple[str, ...]]
    gates: tuple[Gate, ...]
    retention: Retention
    field_requests: tuple[FieldRequest, ...]
    openings_per_day: int
    records_per_day: int
    witnesses: Witnesses

    @cached_property
    def terms(self) -> Terms:
        """What does not depend on who is who; fields and red flags are those of all roles together."""
        return Terms(
            padded_size=self.padded_size,
            t_h=self.t_h,
            kinds=self.kinds,
            opening_rule=self.opening_rule,
            fields=tuple(dict.fromkeys(name for names in self.fields.values() for name in names)),
            indicators=tuple(dict.fromkeys(code for codes in self.indicators.values() for code in codes)),
            record_lifetime=self.retention.records,
            openings_per_day=self.openings_per_day,
            records_per_day=self.records_per_day,
            identifier_spaces=self.identifier_spaces,
        )

    def fields_of(self, role: str) -> tuple[str, ...]:
        """The fields that a record of an institution of `role` may carry."""
        return self.fields.get(role, ())

    def indicators_of(self, role: str) -> tuple[str, ...]:
        """The red flags that it may carry."""
        return self.indicators.get(role, ())

    def gate_of(self, role: str) -> Gate | None:
        """The red flags of which it must carry one; None where it need not."""
        return next((gate for gate in self.gates if gate.role == role), None)
