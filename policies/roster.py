"""The roster: who is a member and who a recipient of an epoch at the moment. Versions form a chain by hash.

Knows how it is written and what must hold within it; whether it may follow another, trust.py decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from marshmallow import post_load

from crypto.errors import CryptoError
from crypto.sealing import check_recipient_key
from crypto.signatures import key_id
from policies.document_fields import Bytes, DocumentSchema, ListOf, Number, Text, load, part
from policies.documents import HASH_LENGTH, Document, document_hash
from policies.errors import DocumentRefused
from policies.parties import (
    Member,
    MemberSchema,
    Recipient,
    RecipientSchema,
    check_keys_differ,
    check_party_ids,
)
from wire.packed import pack

ROSTER_TYPE = "crosslight/v1 roster"


@dataclass(frozen=True)
class Roster:
    """One version of an epoch's roster.

    previous        32 bytes: the hash of the version before, of version 1 the epoch_id
    witness_policy  the quorum of log witnesses, a C2SP tlog-policy
    """

    version: int
    previous: bytes
    epoch_id: bytes
    members: tuple[Member, ...]
    recipients: tuple[Recipient, ...]
    witness_policy: str

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Roster:
        """Read a roster; raises DocumentRefused."""
        roster = cls(**load(_RosterSchema, document, "roster"))
        roster._check()
        return roster

    def to_document(self) -> Document:
        """The JSON form."""
        return {
            "type": ROSTER_TYPE,
            "version": self.version,
            "previous": pack(self.previous),
            "epoch_id": pack(self.epoch_id),
            "members": [member.to_document() for member in self.members],
            "recipients": [recipient.to_document() for recipient in self.recipients],
            "witness_policy": self.witness_policy,
        }

    @cached_property
    def hash(self) -> bytes:
        """The document's hash, 32 bytes: what the next version names as its previous."""
        return document_hash(self.to_document())

    @cached_property
    def members_by_id(self) -> Mapping[str, Member]:
        """Each member by its institution_id."""
        return {member.institution_id: member for member in self.members}

    @cached_property
    def recipients_by_id(self) -> Mapping[str, Recipient]:
        """Each recipient by its id."""
        return {recipient.recipient_id: recipient for recipient in self.recipients}

    @cached_property
    def keys(self) -> Mapping[str, bytes]:
        """Signing key of each member and recipient by id."""
        return {**self.member_keys, **self.recipient_keys}

    @cached_property
    def recipient_keys(self) -> Mapping[str, bytes]:
        """Signing key of each recipient by id."""
        return {recipient.recipient_id: recipient.signing_key for recipient in self.recipients}

    @cached_property
    def member_keys(self) -> Mapping[str, bytes]:
        """Signing key of each member by id."""
        return {member.institution_id: member.signing_key for member in self.members}

    def recipients_at(self, now: int) -> tuple[Recipient, ...]:
        """The recipients that a submission is sealed to at `now` (Unix seconds): those not expired."""
        return tuple(recipient for recipient in self.recipients if now < recipient.not_after)

    def _check(self) -> None:
        check_party_ids(
            [member.institution_id for member in self.members],
            [recipient.recipient_id for recipient in self.recipients],
        )
        check_keys_differ(self.keys)
        for recipient in self.recipients:
            _check_recipient(recipient)


def _check_recipient(recipient: Recipient) -> None:
    if recipient.key_id != key_id(recipient.key):
        raise DocumentRefused(f"The key_id of the recipient {recipient.recipient_id} is not that of its key.")
    try:
        check_recipient_key(recipient.key)
    except CryptoError as error:
        raise DocumentRefused(f"The key of the recipient {recipient.recipient_id} cannot be used: {error}.") from None


class _RosterSchema(DocumentSchema):
    type = Text(choices=(ROSTER_TYPE,))
    version = Number(least=1)
    previous = Bytes(HASH_LENGTH)
    epoch_id = Bytes(HASH_LENGTH)
    members = ListOf(part(MemberSchema), least=1)
    recipients = ListOf(part(RecipientSchema))
    witness_policy = Text(shortest=0, longest=65_536)

    @post_load
    def _shape(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        del data["type"]
        return {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
