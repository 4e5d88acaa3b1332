"""The parties that documents name: members, recipients, holders, the broker; how each is written in JSON.

Agreement, epoch and roster are made of these. Knows no signature and no trust.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, post_load, validates

from crypto.sealing import PUBLIC_KEY_LENGTH as HPKE_KEY_LENGTH
from crypto.signatures import KEY_ID_LENGTH
from policies.document_fields import (
    Bytes,
    DocumentSchema,
    Element,
    Identifier,
    MapOf,
    Number,
    PublicKey,
    Text,
)
from policies.documents import Document
from policies.errors import DocumentRefused
from policies.terms import HOLDER_LIMIT
from wire.packed import pack

BROKER = "broker"
REPORT_DESK = "report-desk"
MEMBER_ROLES = ("bank", "police", "charity", REPORT_DESK)

_HOLDER = re.compile(r"holder([1-9][0-9]*)", re.ASCII)


def holder_party_id(index: int) -> str:
    """The party id of the key holder with `index`: "holder1" ..."""
    return f"holder{index}"


def holder_index(party_id: str) -> int | None:
    """The index in a key holder's party id; None for any other party's id."""
    match = _HOLDER.fullmatch(party_id)
    return int(match[1]) if match else None


@dataclass(frozen=True, slots=True)
class Member:
    """An institution: its role, its group, its signing key (32 bytes) and its budget of identifiers per key family."""

    institution_id: str
    role: str
    group_id: str
    signing_key: bytes
    budgets: Mapping[str, int]

    def to_document(self) -> Document:
        """The JSON form."""
        return {
            "institution_id": self.institution_id,
            "role": self.role,
            "group_id": self.group_id,
            "signing_key": pack(self.signing_key),
            "budgets": dict(self.budgets),
        }


@dataclass(frozen=True, slots=True)
class EnrolledRecipient:
    """A recipient as pinned: its key for an epoch comes with the roster."""

    recipient_id: str
    group_id: str
    signing_key: bytes

    def to_document(self) -> Document:
        """The JSON form."""
        return {
            "recipient_id": self.recipient_id,
            "group_id": self.group_id,
            "signing_key": pack(self.signing_key),
        }


@dataclass(frozen=True, slots=True)
class Recipient:
    """A recipient in a roster: `key` is its X-Wing key of the epoch (1216 bytes), named by `key_id` (8 bytes).

    It may be sealed to before `not_after` (Unix seconds).
    """

    recipient_id: str
    group_id: str
    signing_key: bytes
    key_id: bytes
    key: bytes
    not_after: int

    def to_document(self) -> Document:
        """The JSON form."""
        return {
            "recipient_id": self.recipient_id,
            "group_id": self.group_id,
            "signing_key": pack(self.signing_key),
            "key_id": pack(self.key_id),
            "key": pack(self.key),
            "not_after": self.not_after,
        }


@dataclass(frozen=True, slots=True)
class Holder:
    """A key holder: signing key (32 bytes) and the group element of its key-generation key (32 bytes)."""

    index: int
    key: bytes
    dkg_key: bytes
    group_id: str

    @property
    def party_id(self) -> str:
        """ "holder1" ..."""
        return holder_party_id(self.index)

    def to_document(self) -> Document:
        """The JSON form in an epoch document."""
        return {
            "index": self.index,
            "key": pack(self.key),
            "dkg_key": pack(self.dkg_key),
            "group_id": self.group_id,
        }


@dataclass(frozen=True, slots=True)
class EnrolledHolder:
    """A key holder as pinned: with the address (scheme and host) where it is reached."""

    index: int
    key: bytes
    dkg_key: bytes
    group_id: str
    address: str

    @property
    def party_id(self) -> str:
        """ "holder1" ..."""
        return holder_party_id(self.index)

    @property
    def without_address(self) -> Holder:
        """The holder as an epoch document names it."""
        return Holder(self.index, self.key, self.dkg_key, self.group_id)

    def to_document(self) -> Document:
        """The JSON form in an agreement document."""
        return {**self.without_address.to_document(), "address": self.address}


@dataclass(frozen=True, slots=True)
class Broker:
    """The broker: signing key (32 bytes) and address."""

    key: bytes
    address: str

    def to_document(self) -> Document:
        """The JSON form."""
        return {"key": pack(self.key), "address": self.address}


class MemberSchema(DocumentSchema):
    """An institution."""

    institution_id = Identifier()
    role = Text(choices=MEMBER_ROLES)
    group_id = Identifier()
    signing_key = PublicKey()
    budgets = MapOf(Number())

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Member:
        return Member(**data)


class EnrolledRecipientSchema(DocumentSchema):
    """A recipient as pinned."""

    recipient_id = Identifier()
    group_id = Identifier()
    signing_key = PublicKey()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> EnrolledRecipient:
        return EnrolledRecipient(**data)


class RecipientSchema(DocumentSchema):
    """A recipient in a roster."""

    recipient_id = Identifier()
    group_id = Identifier()
    signing_key = PublicKey()
    key_id = Bytes(KEY_ID_LENGTH)
    key = Bytes(HPKE_KEY_LENGTH)
    not_after = Number()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Recipient:
        return Recipient(**data)


class HolderSchema(DocumentSchema):
    """A key holder in an epoch document."""

    index = Number(least=1, most=HOLDER_LIMIT)
    key = PublicKey()
    dkg_key = Element()
    group_id = Identifier()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Holder | EnrolledHolder:
        return EnrolledHolder(**data) if "address" in data else Holder(**data)


class Addressed(DocumentSchema):
    """Something that is reached under an address."""

    address = Text(longest=512)

    @validates("address")
    def _is_scheme_and_host(self, address: str, **_: Any) -> None:
        check_address(address)


class EnrolledHolderSchema(HolderSchema, Addressed):
    """A key holder as pinned."""


class BrokerSchema(Addressed):
    """The broker."""

    key = PublicKey()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Broker:
        return Broker(**data)


def check_address(address: str) -> None:
    """Raise ValidationError unless `address` is scheme and host (and port) and nothing more."""
    try:
        parts = urlsplit(address)
        valid = parts.scheme in ("https", "http") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or address != f"{parts.scheme}://{parts.netloc}" or "@" in address:
        raise ValidationError("must be a scheme and a host, like https://broker.example, without a path")


def check_holders(holders: tuple[Holder, ...] | tuple[EnrolledHolder, ...], t_h: int) -> None:
    """Refuse holders that are not numbered 1 to n in order, share a key for key generation, or are fewer than t_h."""
    if [holder.index for holder in holders] != list(range(1, len(holders) + 1)):
        raise DocumentRefused("The key holders must be numbered 1, 2, 3 ... in that order.")
    if len({holder.dkg_key for holder in holders}) != len(holders):
        raise DocumentRefused("Two key holders have the same key for key generation.")
    if len(holders) < t_h:
        raise DocumentRefused(f"There are {len(holders)} key holders, but {t_h} must evaluate together.")


def check_party_ids(members: Iterable[str], recipients: Iterable[str]) -> None:
    """Refuse an id that two parties share, or that is the broker's or a holder's."""
    seen: set[str] = set()
    for party_id in (*members, *recipients):
        if party_id == BROKER or party_id.startswith("holder"):
            raise DocumentRefused(f"The id {party_id} is kept for the broker or the key holders.")
        if party_id in seen:
            raise DocumentRefused(f"Two parties have the id {party_id}.")
        seen.add(party_id)


def check_keys_differ(keys: Mapping[str, bytes]) -> None:
    """Refuse parties that share a signing key: one party must not count as two."""
    owners: dict[bytes, str] = {}
    for party_id, key in keys.items():
        if key in owners:
            raise DocumentRefused(f"{owners[key]} and {party_id} have the same signing key.")
        owners[key] = party_id


def check_groups_apart(holders: Iterable[Holder | EnrolledHolder], members: Iterable[Member]) -> None:
    """Refuse a member in the same group as a key holder: who sees evidence must not also count as one."""
    groups = {holder.group_id: holder.party_id for holder in holders}
    for member in members:
        if member.group_id in groups:
            raise DocumentRefused(f"{member.institution_id} is in the same group as {groups[member.group_id]}.")
