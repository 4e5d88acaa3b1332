"""An agreement as people wrote it, without keys; with everybody's card it becomes the document that is signed.

Knows nothing of files. The cards say the same as the draft about each party, or are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from policies.agreement.checks import check_content
from policies.agreement.document import Agreement
from policies.agreement.model import (
    AgreementContent,
    AuditorParty,
    BrokerParty,
    HolderParty,
    MemberParty,
    NamedAuditor,
    NamedBroker,
    NamedHolder,
    NamedMember,
    NamedParties,
    NamedRecipient,
    Parties,
    RecipientParty,
    Witnesses,
)
from policies.errors import AgreementRefused
from policies.parties import BROKER, holder_index
from policies.party_keys import AUDITOR_ROLE, BROKER_ROLE, HOLDER_ROLE, RECIPIENT_ROLE, Card


@dataclass(frozen=True)
class AgreementDraft(AgreementContent):
    """What an agreement will say; the parties' keys, addresses and declared values are on their cards."""

    def with_cards(self, cards: Iterable[Card], previous: Agreement | None = None) -> Agreement:
        """The next version after `previous` (the first where there is none) with the keys of the cards.

        A party whose card is not given keeps what `previous` says of it. Raises DocumentRefused.
        """
        given = _by_party(cards)
        known = {} if previous is None else _cards_of(previous)
        parties = _with_keys(self.parties, {**known, **given}, strangers=set(given))
        content = {field.name: getattr(self, field.name) for field in fields(AgreementContent)}
        agreement = Agreement(
            **{**content, "parties": parties},
            version=1 if previous is None else previous.version + 1,
            previous=None if previous is None else previous.hash,
        )
        return Agreement.from_document(agreement.to_document())

    def for_parties(self, cards: Sequence[Card]) -> AgreementDraft:
        """The same rules between other parties: those of the cards, each named by its id.

        Every recipient may ask for what the draft lets its recipients ask for, every key holder is a witness.
        """
        given = _by_party(cards)
        recipients = [name for name, card in given.items() if card.role == RECIPIENT_ROLE]
        holders = tuple(name for name, card in given.items() if card.role == HOLDER_ROLE)
        askers = {one.recipient_id for one in self.parties.recipients}
        asked = list(dict.fromkeys(replace(one, asker="") for one in self.field_requests if one.asker in askers))
        draft = replace(
            self,
            parties=self._parties_of(given),
            field_requests=tuple(replace(one, asker=name) for name in recipients for one in asked),
            witnesses=self._witnesses_of(holders),
        )
        check_content(draft)
        return draft

    def _witnesses_of(self, holders: tuple[str, ...]) -> Witnesses:
        """So many key holders as the draft asks of its witnesses, as far as there are so many and they suffice."""
        asked = Witnesses(holders, min(self.witnesses.quorum, len(holders)))
        return replace(asked, quorum=max(asked.quorum, asked.least)) if asked.quorum else asked

    def _parties_of(self, cards: Mapping[str, Card]) -> NamedParties:
        brokers = [card for card in cards.values() if card.role == BROKER_ROLE]
        if len(brokers) != 1:
            raise AgreementRefused(f"An agreement names one broker, but {len(brokers)} cards are a broker's.")
        codes = tuple(purpose.code for purpose in self.purposes)
        return NamedParties(
            members=tuple(
                NamedMember(card.party_id, card.party_id, card.role, card.group_id, ("provide", "watch"))
                for card in cards.values()
                if card.is_member
            ),
            recipients=tuple(
                NamedRecipient(card.party_id, card.party_id, card.group_id, ("request", "watch"), codes)
                for card in cards.values()
                if card.role == RECIPIENT_ROLE
            ),
            holders=tuple(
                NamedHolder(holder_index(card.party_id) or 0, card.party_id, card.group_id)
                for card in cards.values()
                if card.role == HOLDER_ROLE
            ),
            broker=NamedBroker(brokers[0].party_id, brokers[0].group_id),
            auditors=tuple(
                NamedAuditor(card.party_id, card.party_id) for card in cards.values() if card.role == AUDITOR_ROLE
            ),
        )


def _by_party(cards: Iterable[Card]) -> dict[str, Card]:
    """The cards by party id, holders by their number first."""
    found: dict[str, Card] = {}
    for card in sorted(cards, key=lambda card: (holder_index(card.party_id) or 0, card.party_id)):
        if card.party_id in found:
            raise AgreementRefused(f"Two cards are of {card.party_id}.")
        found[card.party_id] = card
    return found


def _cards_of(agreement: Agreement) -> dict[str, Card]:
    """What a version says of its parties, as the cards that would say the same."""
    parties = agreement.parties
    cards = [
        Card(one.role, one.institution_id, one.group_id, one.signing_key, declared=one.declared)
        for one in parties.members
    ]
    cards += [Card(RECIPIENT_ROLE, one.recipient_id, one.group_id, one.signing_key) for one in parties.recipients]
    cards += [
        Card(HOLDER_ROLE, one.party_id, one.group_id, one.key, one.dkg_key, one.address) for one in parties.holders
    ]
    cards += [Card(AUDITOR_ROLE, one.auditor_id, one.auditor_id, one.signing_key) for one in parties.auditors]
    broker = parties.broker
    cards.append(Card(BROKER_ROLE, BROKER, broker.group_id, broker.key, address=broker.address))
    return {card.party_id: card for card in cards}


def _with_keys(named: NamedParties, cards: Mapping[str, Card], strangers: set[str]) -> Parties:
    def card_of(party_id: str, role: str, group_id: str | None) -> Card:
        strangers.discard(party_id)
        card = cards.get(party_id)
        if card is None:
            raise AgreementRefused(f"The card of {party_id} is missing.")
        if card.role != role or group_id not in (None, card.group_id):
            raise AgreementRefused(
                f"The card of {party_id} says {card.role} in group {card.group_id}, but the agreement {role}"
                + (f" in group {group_id}." if group_id else ".")
            )
        return card

    parties = Parties(
        members=tuple(_member(one, card_of(one.institution_id, one.role, one.group_id)) for one in named.members),
        recipients=tuple(
            _recipient(one, card_of(one.recipient_id, RECIPIENT_ROLE, one.group_id)) for one in named.recipients
        ),
        holders=tuple(_holder(one, card_of(one.party_id, HOLDER_ROLE, one.group_id)) for one in named.holders),
        broker=_broker(named.broker, card_of(BROKER, BROKER_ROLE, named.broker.group_id)),
        auditors=tuple(_auditor(one, card_of(one.auditor_id, AUDITOR_ROLE, None)) for one in named.auditors),
    )
    if strangers:
        raise AgreementRefused(f"There is a card of {min(strangers)}, whom the agreement does not name.")
    return parties


def _member(named: NamedMember, card: Card) -> MemberParty:
    return MemberParty(
        named.institution_id, named.name, named.role, named.group_id, named.modes, card.signing_key, card.declared
    )


def _recipient(named: NamedRecipient, card: Card) -> RecipientParty:
    return RecipientParty(named.recipient_id, named.name, named.group_id, named.modes, named.purposes, card.signing_key)


def _holder(named: NamedHolder, card: Card) -> HolderParty:
    # A holder's card has both: check_card refuses any other.
    if card.dkg_key is None or card.address is None:
        raise AgreementRefused(f"{card.party_id} is no key holder.")
    return HolderParty(named.index, named.name, named.group_id, card.signing_key, card.dkg_key, card.address)


def _broker(named: NamedBroker, card: Card) -> BrokerParty:
    return BrokerParty(named.name, named.group_id, card.signing_key, card.address or "")


def _auditor(named: NamedAuditor, card: Card) -> AuditorParty:
    return AuditorParty(named.auditor_id, named.name, card.signing_key)
