"""Putting documents together: the enrolment from cards, an epoch from generated keys, a roster from recipients' keys.

What is built is read back by the same checks that every party applies. Signs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import post_load

from crypto.sealing import PUBLIC_KEY_LENGTH
from crypto.signatures import key_id
from policies.budgets import member_budgets
from policies.document_fields import Bytes, DocumentSchema, Identifier, Number, Text, load
from policies.documents import HASH_LENGTH, Document, SignedDocument, verify_signatures
from policies.enrolment import Enrolment
from policies.epoch import Epoch
from policies.errors import DocumentRefused
from policies.parties import Broker, EnrolledHolder, EnrolledRecipient, Member, Recipient, holder_index
from policies.party_keys import BROKER_ROLE, HOLDER_ROLE, RECIPIENT_ROLE, Card
from policies.roster import Roster
from policies.terms import Terms
from policies.trust import Trust
from wire.packed import pack

RECIPIENT_KEY_TYPE = "crosslight/v1 recipient-key"
NO_WITNESSES = "quorum none\n"
"""The witness policy of an agreement whose log nobody witnesses (C2SP tlog-policy)."""


@dataclass(frozen=True, slots=True)
class RecipientKey:
    """A recipient's key (1216 bytes) for one epoch, as it hands it to whoever assembles the roster, signed by it."""

    recipient_id: str
    epoch_id: bytes
    key: bytes
    not_after: int

    def to_document(self) -> Document:
        """The JSON form."""
        return {
            "type": RECIPIENT_KEY_TYPE,
            "recipient_id": self.recipient_id,
            "epoch_id": pack(self.epoch_id),
            "key": pack(self.key),
            "not_after": self.not_after,
        }

    @classmethod
    def from_signed(cls, signed: SignedDocument, trust: Trust) -> RecipientKey:
        """Read and verify: of the newest epoch, signed by the recipient's pinned or rostered key."""
        offered: RecipientKey = load(_RecipientKeySchema, signed.document, "recipient's key")
        keys = trust.rosters[-1].recipient_keys if trust.rosters else trust.enrolment.recipient_keys
        known = {offered.recipient_id: keys[offered.recipient_id]} if offered.recipient_id in keys else {}
        if not verify_signatures(signed, known):
            raise DocumentRefused(f"The key of {offered.recipient_id} lacks the signature of a known recipient.")
        if offered.epoch_id != trust.epoch_id:
            raise DocumentRefused(f"The key of {offered.recipient_id} is for another epoch.")
        return offered


def build_enrolment(
    agreement_id: str, terms: Terms, member_quorum: int, cards: Iterable[Card], *, days: int
) -> Enrolment:
    """The enrolment of the parties behind `cards`, with budgets for epochs of `days`; raises DocumentRefused."""
    given = sorted(cards, key=lambda card: (holder_index(card.party_id) or 0, card.party_id))
    brokers = [card for card in given if card.role == BROKER_ROLE]
    if len(brokers) != 1:
        raise DocumentRefused(f"An enrolment names one broker, but {len(brokers)} cards are a broker's.")
    enrolment = Enrolment(
        agreement_id=agreement_id,
        terms=terms,
        member_quorum=member_quorum,
        members=tuple(member_from_card(card, days, terms) for card in given if card.is_member),
        recipients=tuple(
            EnrolledRecipient(card.party_id, card.group_id, card.signing_key)
            for card in given
            if card.role == RECIPIENT_ROLE
        ),
        holders=tuple(_holder(card) for card in given if card.role == HOLDER_ROLE),
        broker=Broker(brokers[0].signing_key, brokers[0].address or ""),
    )
    return Enrolment.from_document(enrolment.to_document())


def build_epoch(
    enrolment: Enrolment, number: int, not_before: int, not_after: int, families: Mapping[str, Sequence[bytes]]
) -> Epoch:
    """The epoch document over the commitments that key generation gave per family; raises DocumentRefused."""
    terms = enrolment.terms
    epoch = Epoch(
        agreement_id=enrolment.agreement_id,
        number=number,
        not_before=not_before,
        not_after=not_after,
        policy_hash=terms.policy_hash,
        padded_size=terms.padded_size,
        t_h=terms.t_h,
        member_quorum=enrolment.member_quorum,
        holders=tuple(holder.without_address for holder in enrolment.holders),
        kinds=terms.kinds,
        opening_rule=terms.opening_rule,
        families={family: tuple(families[family]) for family in sorted(families)},
    )
    return Trust(enrolment).review_epoch(epoch.to_document())


def build_roster(
    trust: Trust,
    recipient_keys: Iterable[RecipientKey],
    *,
    members: Sequence[Member] | None = None,
    witness_policy: str | None = None,
) -> Roster:
    """The next roster: `members` (else those of the version before, or of the enrolment), and recipients' keys.

    A recipient keeps the key of the version before unless a new one is given; one that was never given a key is not
    listed. Raises DocumentRefused.
    """
    before = trust.rosters[-1] if trust.rosters else None
    offered = {key.recipient_id: key for key in recipient_keys}
    roster = Roster(
        version=before.version + 1 if before else 1,
        previous=before.hash if before else trust.epoch_id,
        epoch_id=trust.epoch_id,
        members=tuple(members if members is not None else (before or trust.enrolment).members),
        recipients=tuple(_recipients(trust, before, offered)),
        witness_policy=_witness_policy(before) if witness_policy is None else witness_policy,
    )
    return trust.review_roster(roster.to_document())


def _witness_policy(before: Roster | None) -> str:
    return before.witness_policy if before else NO_WITNESSES


def _recipients(trust: Trust, before: Roster | None, offered: Mapping[str, RecipientKey]) -> list[Recipient]:
    held = before.recipients_by_id if before else {}
    groups = {one.recipient_id: (one.group_id, one.signing_key) for one in trust.enrolment.recipients}
    recipients = []
    for recipient_id in sorted(set(held) | set(offered)):
        if recipient_id in offered:
            group_id, signing_key = groups[recipient_id]
            offer = offered[recipient_id]
            recipients.append(
                Recipient(recipient_id, group_id, signing_key, key_id(offer.key), offer.key, offer.not_after)
            )
        else:
            recipients.append(held[recipient_id])
    return recipients


def member_from_card(card: Card, days: int, terms: Terms) -> Member:
    """The institution behind a card, with budgets for an epoch of `days`; raises DocumentRefused for another party."""
    if not card.is_member:
        raise DocumentRefused(f"{card.party_id} is a {card.role}, not an institution.")
    strangers = sorted(set(card.declared) - terms.families)
    if strangers:
        raise DocumentRefused(f"{card.party_id} declares values of {strangers[0]}, which is no key family.")
    budgets = member_budgets(card.declared, days, terms.families)
    return Member(card.party_id, card.role, card.group_id, card.signing_key, budgets)


def _holder(card: Card) -> EnrolledHolder:
    index = holder_index(card.party_id)
    if index is None or card.dkg_key is None or card.address is None:
        raise DocumentRefused(f"{card.party_id} is no key holder.")
    return EnrolledHolder(index, card.signing_key, card.dkg_key, card.group_id, card.address)


class _RecipientKeySchema(DocumentSchema):
    type = Text(choices=(RECIPIENT_KEY_TYPE,))
    recipient_id = Identifier()
    epoch_id = Bytes(HASH_LENGTH)
    key = Bytes(PUBLIC_KEY_LENGTH)
    not_after = Number()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> RecipientKey:
        del data["type"]
        return RecipientKey(**data)
