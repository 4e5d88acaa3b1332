"""The enrolment document: who takes part, under which keys and terms. Its hash, compared out of band, is the pin.

Everything that a party trusts later is signed by keys that stand here. Knows how it is written, not who signed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from marshmallow import fields, post_load

from policies.document_fields import DocumentSchema, Identifier, ListOf, Number, Text, load, part
from policies.documents import Document, document_hash
from policies.errors import DocumentRefused
from policies.parties import (
    BROKER,
    Broker,
    BrokerSchema,
    EnrolledHolder,
    EnrolledHolderSchema,
    EnrolledRecipient,
    EnrolledRecipientSchema,
    Member,
    MemberSchema,
    check_groups_apart,
    check_holders,
    check_keys_differ,
    check_party_ids,
)
from policies.terms import HOLDER_LIMIT, Terms

ENROLMENT_TYPE = "crosslight/v1 enrolment"


@dataclass(frozen=True)
class Enrolment:
    """The parties of one agreement with their pinned keys; `member_quorum` members sign epochs and rosters."""

    agreement_id: str
    terms: Terms
    member_quorum: int
    members: tuple[Member, ...]
    recipients: tuple[EnrolledRecipient, ...]
    holders: tuple[EnrolledHolder, ...]
    broker: Broker

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Enrolment:
        """Read an enrolment document; raises DocumentRefused."""
        read = load(_EnrolmentSchema, document, "enrolment document")
        enrolment = cls(**{**read, "terms": Terms.from_document(read["terms"])})
        enrolment._check()
        return enrolment

    def to_document(self) -> Document:
        """The JSON form."""
        return {
            "type": ENROLMENT_TYPE,
            "agreement_id": self.agreement_id,
            "terms": self.terms.to_document(),
            "member_quorum": self.member_quorum,
            "members": [member.to_document() for member in self.members],
            "recipients": [recipient.to_document() for recipient in self.recipients],
            "holders": [holder.to_document() for holder in self.holders],
            "broker": self.broker.to_document(),
        }

    @cached_property
    def hash(self) -> bytes:
        """The 32 bytes that everybody compares out of band."""
        return document_hash(self.to_document())

    @cached_property
    def holder_keys(self) -> Mapping[str, bytes]:
        """Signing key of each key holder by party id."""
        return {holder.party_id: holder.key for holder in self.holders}

    @cached_property
    def member_keys(self) -> Mapping[str, bytes]:
        """Signing key of each pinned member by id."""
        return {member.institution_id: member.signing_key for member in self.members}

    @cached_property
    def recipient_keys(self) -> Mapping[str, bytes]:
        """Signing key of each recipient by id."""
        return {recipient.recipient_id: recipient.signing_key for recipient in self.recipients}

    @cached_property
    def keys(self) -> Mapping[str, bytes]:
        """Signing key of every party by its id: all of them sign the enrolment."""
        return {**self.member_keys, **self.recipient_keys, **self.holder_keys, BROKER: self.broker.key}

    def _check(self) -> None:
        check_holders(self.holders, self.terms.t_h)
        check_party_ids(
            [member.institution_id for member in self.members],
            [recipient.recipient_id for recipient in self.recipients],
        )
        check_keys_differ(self.keys)
        check_groups_apart(self.holders, self.members)
        if self.member_quorum > len(self.members):
            raise DocumentRefused(f"A quorum of {self.member_quorum} among {len(self.members)} members can never sign.")
        for member in self.members:
            check_budgets(member, self.terms.families)


class _EnrolmentSchema(DocumentSchema):
    type = Text(choices=(ENROLMENT_TYPE,))
    agreement_id = Identifier()
    terms = fields.Dict(keys=fields.String(), required=True)
    member_quorum = Number(least=1)
    members = ListOf(part(MemberSchema), least=1)
    recipients = ListOf(part(EnrolledRecipientSchema), least=1)
    holders = ListOf(part(EnrolledHolderSchema), least=1, most=HOLDER_LIMIT)
    broker = part(BrokerSchema)

    @post_load
    def _shape(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        del data["type"]
        return {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}


def check_budgets(member: Member, families: frozenset[str]) -> None:
    """Refuse a budget for a key family that no kind uses (record secrets are limited by the terms instead)."""
    strangers = sorted(set(member.budgets) - families)
    if strangers:
        raise DocumentRefused(
            f"{member.institution_id} has a budget for the key family {strangers[0]}, which no kind uses."
        )
