"""Putting documents together: an epoch from generated keys, a roster from recipients' keys.

What is built is read back by the same checks that every party applies. Signs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from marshmallow import post_load

from crypto.sealing import PUBLIC_KEY_LENGTH
from crypto.signatures import key_id
from policies.agreement.document import Agreement
from policies.document_fields import Bytes, DocumentSchema, Identifier, Number, Text, load
from policies.documents import HASH_LENGTH, Document, SignedDocument, verify_signatures
from policies.epoch import Epoch
from policies.errors import DocumentRefused
from policies.log.checkpoint import origin_of
from policies.log.witness_policy import policy_of
from policies.parties import Member, Recipient
from policies.party_keys import Card
from policies.roster import Roster
from policies.trust import Trust
from wire.packed import pack

RECIPIENT_KEY_TYPE = "crosslight/v1 recipient-key"


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
        keys = trust.rosters[-1].recipient_keys if trust.rosters else trust.agreement.recipient_keys
        known = {offered.recipient_id: keys[offered.recipient_id]} if offered.recipient_id in keys else {}
        if not verify_signatures(signed, known):
            raise DocumentRefused(f"The key of {offered.recipient_id} lacks the signature of a known recipient.")
        if offered.epoch_id != trust.epoch_id:
            raise DocumentRefused(f"The key of {offered.recipient_id} is for another epoch.")
        return offered


def build_epoch(
    agreement: Agreement, number: int, not_before: int, not_after: int, families: Mapping[str, Sequence[bytes]]
) -> Epoch:
    """The epoch document over the commitments that key generation gave per family; raises DocumentRefused."""
    epoch = Epoch(
        agreement_id=agreement.agreement_id,
        number=number,
        not_before=not_before,
        not_after=not_after,
        policy_hash=agreement.hash,
        padded_size=agreement.padded_size,
        t_h=agreement.t_h,
        member_quorum=agreement.member_quorum,
        holders=tuple(holder.without_address for holder in agreement.holders),
        kinds=agreement.kinds,
        opening_rule=agreement.opening_rule,
        families={family: tuple(families[family]) for family in sorted(families)},
    )
    return Trust((agreement,)).review_epoch(epoch.to_document())


def build_roster(
    trust: Trust,
    recipient_keys: Iterable[RecipientKey],
    *,
    members: Sequence[Member] | None = None,
    witness_policy: str | None = None,
) -> Roster:
    """The next roster: `members` (else those of the version before, or of the agreement), and recipients' keys.

    A recipient keeps the key of the version before unless a new one is given; one that was never given a key is not
    listed. Raises DocumentRefused.
    """
    before = trust.rosters[-1] if trust.rosters else None
    offered = {key.recipient_id: key for key in recipient_keys}
    chosen = tuple(members if members is not None else (before or trust.agreement).members)
    recipients = tuple(_recipients(trust, before, offered))
    roster = Roster(
        version=before.version + 1 if before else 1,
        previous=before.hash if before else trust.epoch_id,
        epoch_id=trust.epoch_id,
        members=chosen,
        recipients=recipients,
        witness_policy=_witness_policy(trust, chosen, recipients) if witness_policy is None else witness_policy,
    )
    return trust.review_roster(roster.to_document())


def _witness_policy(trust: Trust, members: Iterable[Member], recipients: Iterable[Recipient]) -> str:
    """The agreement's witnesses as a tlog-policy, with the signing keys that this roster gives them."""
    first = trust.agreements[0]
    keys = {member.institution_id: member.signing_key for member in members}
    keys |= {recipient.recipient_id: recipient.signing_key for recipient in recipients}
    return policy_of(trust.agreement, origin_of(first.agreement_id, first.parties.broker), keys)


def _recipients(trust: Trust, before: Roster | None, offered: Mapping[str, RecipientKey]) -> list[Recipient]:
    held = before.recipients_by_id if before else {}
    groups = {one.recipient_id: (one.group_id, one.signing_key) for one in trust.agreement.recipients}
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


def member_with_card(card: Card, agreement: Agreement) -> Member:
    """The institution behind a card as the agreement has it, under the card's key; raises DocumentRefused."""
    for member in agreement.members:
        if member.institution_id == card.party_id:
            if (member.role, member.group_id) != (card.role, card.group_id):
                raise DocumentRefused(f"The agreement says something else about {card.party_id} than its card.")
            return replace(member, signing_key=card.signing_key)
    raise DocumentRefused(
        f"{card.party_id} is no institution of the agreement: whoever joins is named by an amendment first."
    )


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
