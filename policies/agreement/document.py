"""The agreement as it is signed: RFC 8785 JSON. Version 1's hash, compared out of band, is everybody's pin.

Everything that a party trusts later is signed by keys that stand here. Knows how it is written, not who signed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from policies.agreement.checks import check_content
from policies.agreement.document_schema import AGREEMENT_TYPE, AgreementSchema
from policies.agreement.model import AgreementContent, MemberParty, Parties, RecipientParty
from policies.budgets import member_budgets
from policies.document_fields import load
from policies.documents import Document, document_hash
from policies.errors import AgreementRefused
from policies.parties import (
    BROKER,
    Broker,
    EnrolledHolder,
    EnrolledRecipient,
    Member,
    check_holders,
    check_keys_differ,
)
from policies.terms import families_of, kinds_to_document, rule_to_document
from wire.packed import pack


@dataclass(frozen=True)
class Agreement(AgreementContent):
    """One version of an agreement, with everybody's keys.

    version   from 1
    previous  32 bytes: the hash of the version before; None in version 1
    """

    parties: Parties
    version: int
    previous: bytes | None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Agreement:
        """Read an agreement document; raises DocumentRefused."""
        agreement = cls(**load(AgreementSchema, document, "agreement"))
        agreement._check()
        return agreement

    def to_document(self) -> Document:
        """The JSON form."""
        previous = {} if self.previous is None else {"previous": pack(self.previous)}
        return {
            "type": AGREEMENT_TYPE,
            "agreement_id": self.agreement_id,
            "version": self.version,
            **previous,
            "title": self.title,
            "purposes": [{"code": each.code, "text": each.text} for each in self.purposes],
            "legal_basis": [{"text": each.text, "reference": each.reference} for each in self.legal_basis],
            "start": self.start,
            "end": self.end,
            "parties": _parties_to_document(self.parties),
            "member_quorum": self.member_quorum,
            "t_h": self.t_h,
            "epoch_days": self.epoch_days,
            "kinds": kinds_to_document(self.kinds),
            "identifier_spaces": dict(self.identifier_spaces),
            "opening_rule": rule_to_document(self.opening_rule),
            "padded_size": self.padded_size,
            "fields": {role: list(names) for role, names in self.fields.items()},
            "indicators": {role: list(codes) for role, codes in self.indicators.items()},
            "gates": [{"role": gate.role, "any_of": list(gate.any_of)} for gate in self.gates],
            "retention": {"records": self.retention.records, "opened": self.retention.opened},
            "field_requests": [
                {
                    "asker": each.asker,
                    "of_role": each.of_role,
                    "fields": list(each.fields),
                    "approvals": each.approvals,
                    "reveals": each.reveals,
                }
                for each in self.field_requests
            ],
            "openings_per_day": self.openings_per_day,
            "records_per_day": self.records_per_day,
            "witnesses": {"parties": list(self.witnesses.parties), "quorum": self.witnesses.quorum},
        }

    @cached_property
    def hash(self) -> bytes:
        """32 bytes: of version 1 what everybody compares out of band, of any version what its epochs name."""
        return document_hash(self.to_document())

    def is_in_force(self, now: int) -> bool:
        """Whether `now` (Unix seconds) is within the agreement's time. That all have signed, trust.py says."""
        return self.start <= now < self.end

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The institutions as rosters list them, with their budgets for an epoch."""
        families = families_of(self.kinds)
        return tuple(
            Member(
                party.institution_id,
                party.role,
                party.group_id,
                party.signing_key,
                member_budgets(party.declared, self.epoch_days, families),
            )
            for party in self.parties.members
        )

    @cached_property
    def recipients(self) -> tuple[EnrolledRecipient, ...]:
        """The recipients; their keys for an epoch come with the roster."""
        return tuple(
            EnrolledRecipient(party.recipient_id, party.group_id, party.signing_key)
            for party in self.parties.recipients
        )

    @cached_property
    def holders(self) -> tuple[EnrolledHolder, ...]:
        """The key holders by their number."""
        return tuple(
            EnrolledHolder(party.index, party.key, party.dkg_key, party.group_id, party.address)
            for party in self.parties.holders
        )

    @property
    def broker(self) -> Broker:
        """The broker's key and address."""
        return Broker(self.parties.broker.key, self.parties.broker.address)

    @cached_property
    def holder_keys(self) -> Mapping[str, bytes]:
        """Signing key of each key holder by party id."""
        return {holder.party_id: holder.key for holder in self.parties.holders}

    @cached_property
    def member_keys(self) -> Mapping[str, bytes]:
        """Signing key of each institution by id."""
        return {member.institution_id: member.signing_key for member in self.parties.members}

    @cached_property
    def recipient_keys(self) -> Mapping[str, bytes]:
        """Signing key of each recipient by id."""
        return {recipient.recipient_id: recipient.signing_key for recipient in self.parties.recipients}

    @cached_property
    def auditor_keys(self) -> Mapping[str, bytes]:
        """Signing key of each auditor by id."""
        return {auditor.auditor_id: auditor.signing_key for auditor in self.parties.auditors}

    @cached_property
    def keys(self) -> Mapping[str, bytes]:
        """Signing key of every party by its id: all of them sign the agreement."""
        return {
            **self.member_keys,
            **self.recipient_keys,
            **self.holder_keys,
            **self.auditor_keys,
            BROKER: self.parties.broker.key,
        }

    def member_party(self, institution_id: str) -> MemberParty | None:
        """The institution with this id; None where there is none."""
        return next((one for one in self.parties.members if one.institution_id == institution_id), None)

    def recipient_party(self, recipient_id: str) -> RecipientParty | None:
        """The recipient with this id; None where there is none."""
        return next((one for one in self.parties.recipients if one.recipient_id == recipient_id), None)

    def _check(self) -> None:
        if (self.version == 1) != (self.previous is None):
            raise AgreementRefused("Version 1 of an agreement, and it alone, names no previous version.")
        check_content(self)
        check_holders(self.holders, self.t_h)
        check_keys_differ(self.keys)
        for member in self.parties.members:
            for family in sorted(set(member.declared) - families_of(self.kinds)):
                raise AgreementRefused(
                    f"{member.institution_id} declares values of the key family {family}, which no kind uses."
                )


def _parties_to_document(parties: Parties) -> Document:
    return {
        "members": [
            {
                "institution_id": member.institution_id,
                "name": member.name,
                "role": member.role,
                "group_id": member.group_id,
                "modes": list(member.modes),
                "signing_key": pack(member.signing_key),
                "declared": dict(member.declared),
            }
            for member in parties.members
        ],
        "recipients": [
            {
                "recipient_id": recipient.recipient_id,
                "name": recipient.name,
                "group_id": recipient.group_id,
                "modes": list(recipient.modes),
                "purposes": list(recipient.purposes),
                "signing_key": pack(recipient.signing_key),
            }
            for recipient in parties.recipients
        ],
        "holders": [
            {
                "index": holder.index,
                "name": holder.name,
                "group_id": holder.group_id,
                "key": pack(holder.key),
                "dkg_key": pack(holder.dkg_key),
                "address": holder.address,
            }
            for holder in parties.holders
        ],
        "broker": {
            "name": parties.broker.name,
            "group_id": parties.broker.group_id,
            "key": pack(parties.broker.key),
            "address": parties.broker.address,
        },
        "auditors": [
            {"auditor_id": auditor.auditor_id, "name": auditor.name, "signing_key": pack(auditor.signing_key)}
            for auditor in parties.auditors
        ],
    }
