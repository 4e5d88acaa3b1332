"""The keys of one party as it enters an agreement, and the card by which it gives the public ones to the others.

Secrets leave this module once, in a mapping for the party's key file; the card holds none.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marshmallow import ValidationError, post_load

from crypto.keygen import generate_secret_key, public_key
from crypto.sealing import generate_recipient_seed, recipient_public_key
from crypto.signatures import SigningKey, generate_seed
from policies.document_fields import DocumentSchema, Element, Identifier, MapOf, Number, PublicKey, Text, load
from policies.documents import Document, canonical, read_json_file
from policies.errors import DocumentRefused
from policies.parties import BROKER, MEMBER_ROLES, check_address, holder_index
from wire.packed import pack

KEY_FILE = "keys.age"
CARD_FILE = "card.json"
CARD_TYPE = "crosslight/v1 card"

RECIPIENT_ROLE = "recipient"
HOLDER_ROLE = "holder"
BROKER_ROLE = "broker"
AUDITOR_ROLE = "auditor"
ROLES = (*MEMBER_ROLES, RECIPIENT_ROLE, HOLDER_ROLE, BROKER_ROLE, AUDITOR_ROLE)

LOCAL_KEY_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Card:
    """What a party tells the others about itself.

    dkg_key   32 bytes, of key holders: the element of the key with which they generate split keys
    address   scheme and host, of key holders and the broker
    declared  of members: how many distinct values per key family they mean to submit
    """

    role: str
    party_id: str
    group_id: str
    signing_key: bytes
    dkg_key: bytes | None = None
    address: str | None = None
    declared: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_member(self) -> bool:
        """Whether the party is an institution."""
        return self.role in MEMBER_ROLES

    def to_document(self) -> Document:
        """The JSON form."""
        document: Document = {
            "type": CARD_TYPE,
            "role": self.role,
            "party_id": self.party_id,
            "group_id": self.group_id,
            "signing_key": pack(self.signing_key),
        }
        if self.dkg_key is not None:
            document["dkg_key"] = pack(self.dkg_key)
        if self.address is not None:
            document["address"] = self.address
        if self.declared:
            document["declared"] = dict(self.declared)
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Card:
        """Read a card; raises DocumentRefused."""
        canonical(document)
        card: Card = load(_CardSchema, document, "card")
        check_card(card)
        return card


@dataclass(frozen=True, slots=True)
class PartyKeys:
    """A new party: the secrets for its key file by name, and its card."""

    secrets: Mapping[str, bytes] = field(repr=False)
    card: Card

    @property
    def signing_key(self) -> SigningKey:
        """The key with which the party signs."""
        return SigningKey(self.secrets["signing"])


def new_party(
    role: str,
    party_id: str,
    group_id: str,
    *,
    address: str | None = None,
    declared: Mapping[str, int] | None = None,
) -> PartyKeys:
    """Draw the keys of a new party; raises DocumentRefused for an id, role or address that cannot be.

    Every party gets `signing` (an Ed25519 seed); key holders `dkg`; institutions `rows` and `journal`, recipients
    `store`: local keys of 32 bytes that never leave.
    """
    drawn = {"signing": generate_seed()}
    dkg_key = None
    if role == HOLDER_ROLE:
        drawn["dkg"] = generate_secret_key()
        dkg_key = public_key(drawn["dkg"])
    elif role in MEMBER_ROLES:
        drawn["rows"] = secrets.token_bytes(LOCAL_KEY_LENGTH)
        drawn["journal"] = secrets.token_bytes(LOCAL_KEY_LENGTH)
    elif role == RECIPIENT_ROLE:
        drawn["store"] = secrets.token_bytes(LOCAL_KEY_LENGTH)
    signing_key = SigningKey(drawn["signing"]).public_key
    card = Card(role, party_id, group_id, signing_key, dkg_key, address, dict(declared or {}))
    return PartyKeys(drawn, Card.from_document(card.to_document()))


def check_card(card: Card) -> None:
    """Refuse a card whose fields do not fit its role."""
    index = holder_index(card.party_id)
    if card.role == HOLDER_ROLE and index is None:
        raise DocumentRefused(f"A key holder's id is holder1, holder2 ..., not {card.party_id}.")
    if card.role == BROKER_ROLE and card.party_id != BROKER:
        raise DocumentRefused(f"The broker's id is {BROKER}, not {card.party_id}.")
    if card.role not in (HOLDER_ROLE, BROKER_ROLE) and (index is not None or card.party_id == BROKER):
        raise DocumentRefused(f"The id {card.party_id} is kept for the broker or a key holder.")
    if (card.role == HOLDER_ROLE) != (card.dkg_key is not None):
        raise DocumentRefused(f"{card.party_id}: key holders, and they alone, have a key for key generation.")
    if (card.role in (HOLDER_ROLE, BROKER_ROLE)) != (card.address is not None):
        raise DocumentRefused(f"{card.party_id}: key holders and the broker, and they alone, give an address.")
    if card.declared and not card.is_member:
        raise DocumentRefused(f"{card.party_id}: only institutions declare how many values they hold.")
    if card.address is not None:
        try:
            check_address(card.address)
        except ValidationError as error:
            raise DocumentRefused(f"The address of {card.party_id} {error.messages[0]}.") from None


def read_card_file(path: Path) -> Card:
    """The card in the file at `path`; raises DocumentRefused naming it."""
    value = read_json_file(path)
    if not isinstance(value, dict):
        raise DocumentRefused(f"{path} is no card.")
    try:
        return Card.from_document(value)
    except DocumentRefused as refused:
        raise DocumentRefused(f"{path}: {refused.reason}") from None


def new_epoch_key() -> tuple[bytes, bytes]:
    """A recipient's key for one epoch: the 32-byte seed to keep, the 1216-byte public key for the roster."""
    seed = generate_recipient_seed()
    return seed, recipient_public_key(seed)


def epoch_key_name(epoch_id: bytes) -> str:
    """Under which name a recipient's key file keeps the seed of an epoch."""
    return f"hpke.{epoch_id.hex()}"


class _CardSchema(DocumentSchema):
    type = Text(choices=(CARD_TYPE,))
    role = Text(choices=ROLES)
    party_id = Identifier()
    group_id = Identifier()
    signing_key = PublicKey()
    dkg_key = Element(required=False)
    address = Text(longest=512, required=False)
    declared = MapOf(Number(), required=False)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Card:
        del data["type"]
        return Card(**data)
