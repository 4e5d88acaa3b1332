"""Makes a whole agreement in one place: every party's keys, the signed documents, and a home folder for each.

Real parties do these steps apart, with the commands of docs/operator.md; whoever runs this holds every key, so it is
for demonstrations over one's own or synthetic data alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from crypto.keyfiles import KeyRing, write_key_file
from crypto.shares import share_name
from keyholder.keygen_run import Participant, families_of, generate_in_one_place
from policies.agreement.document import Agreement
from policies.agreement.draft import AgreementDraft
from policies.agreement.templates import template
from policies.assembly import RecipientKey, build_epoch, build_roster
from policies.documents import SignedDocument, sign_document, write_json_file
from policies.library import DocumentLibrary
from policies.party_keys import CARD_FILE, KEY_FILE, Card, PartyKeys, epoch_key_name, new_epoch_key, new_party
from policies.trust import Trust
from runtime.clock import Clock, unix

HOLDERS = 3
RECIPIENT = "charity"
AUDITOR = "auditor"
DAYS = 30
"""How long the demonstration's epoch lasts."""

DAY = 86_400

_LEAST_DECLARED = 1000


@dataclass(frozen=True)
class Institution:
    """One institution to be: its id, and how many rows it may submit (budgets follow from it)."""

    institution_id: str
    rows: int

    @property
    def role(self) -> str:
        """Its role in the agreement, guessed from its name."""
        return "police" if "police" in self.institution_id else "bank"


@dataclass(frozen=True)
class Ceremony:
    """What came out: the signed documents, and every party's card and secrets by party id."""

    agreement: SignedDocument
    epoch: SignedDocument
    roster: SignedDocument
    cards: Mapping[str, Card]
    secrets: Mapping[str, Mapping[str, bytes]] = field(repr=False)

    @property
    def trust(self) -> Trust:
        """What every party that pinned the agreement trusts."""
        return Trust.pin(self.agreement, self.agreement.hash).with_epoch(self.epoch).with_roster(self.roster)

    def write_homes(self, homes: Path, passphrase: str) -> None:
        """Write each party's key file (a second of CPU each, by design) and documents into `homes`/PARTY."""

        def write(party_id: str) -> None:
            home = homes / party_id
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_key_file(home / KEY_FILE, self.secrets[party_id], passphrase)
            write_json_file(home / CARD_FILE, self.cards[party_id].to_document())
            library = DocumentLibrary.of_home(home)
            library.pin(self.agreement, self.agreement.hash)
            library.accept_all([self.epoch, self.roster])

        with ThreadPoolExecutor() as pool:
            list(pool.map(write, self.secrets))


def demonstration_rules() -> AgreementDraft:
    """The rules of the shipped trial, for whoever takes part."""
    return replace(template("single-operator-trial"), agreement_id="demonstration", epoch_days=DAYS)


def hold_ceremony(
    institutions: Sequence[Institution],
    *,
    broker_url: str,
    holder_urls: Sequence[str],
    clock: Clock,
    rules: AgreementDraft,
) -> Ceremony:
    """Draw every key, generate the split keys, and sign the agreement, epoch 1 and roster 1 by everybody."""
    parties = _draw_parties(institutions, broker_url, holder_urls, rules)
    now = unix(clock)
    rules = replace(
        rules,
        start=now - DAY,
        end=now + 365 * DAY,
        member_quorum=len(institutions) // 2 + 1,
    )
    cards = [keys.card for keys in parties.values()]
    agreement = rules.for_parties(cards).with_cards(cards)
    signed_agreement = _signed(SignedDocument(agreement.to_document(), {}), parties, parties)
    secrets = {party_id: dict(keys.secrets) for party_id, keys in parties.items()}
    commitments = _generate_keys(agreement, secrets)

    signers = [party_id for party_id in parties if party_id.startswith("holder")]
    signers += [institution.institution_id for institution in institutions]
    not_before = now - 3600
    not_after = not_before + int(timedelta(days=DAYS).total_seconds())
    epoch = build_epoch(agreement, 1, not_before, not_after, commitments)
    signed_epoch = _signed(SignedDocument(epoch.to_document(), {}), parties, signers)

    trust = Trust.pin(signed_agreement, signed_agreement.hash).with_epoch(signed_epoch)
    seed, public = new_epoch_key()
    secrets[RECIPIENT][epoch_key_name(trust.epoch_id)] = seed
    roster = build_roster(trust, [RecipientKey(RECIPIENT, trust.epoch_id, public, not_after)])
    signed_roster = _signed(SignedDocument(roster.to_document(), {}), parties, signers)
    by_party = {party_id: keys.card for party_id, keys in parties.items()}
    return Ceremony(signed_agreement, signed_epoch, signed_roster, by_party, secrets)


def _draw_parties(
    institutions: Sequence[Institution], broker_url: str, holder_urls: Sequence[str], rules: AgreementDraft
) -> dict[str, PartyKeys]:
    parties = [new_party("broker", "broker", "operator", address=broker_url)]
    parties += [
        new_party("holder", f"holder{index}", f"holder-group-{index}", address=url)
        for index, url in enumerate(holder_urls, start=1)
    ]
    parties += [
        new_party(
            institution.role,
            institution.institution_id,
            institution.institution_id,
            declared=dict.fromkeys(sorted(rules.terms.families), max(institution.rows, _LEAST_DECLARED)),
        )
        for institution in institutions
    ]
    parties.append(new_party("recipient", RECIPIENT, RECIPIENT))
    parties.append(new_party("auditor", AUDITOR, AUDITOR))
    return {keys.card.party_id: keys for keys in parties}


def _generate_keys(agreement: Agreement, secrets: Mapping[str, dict[str, bytes]]) -> dict[str, Sequence[bytes]]:
    """Generate every family's key, put each holder's share among its secrets, return the commitments a family."""
    participants = [
        Participant.of(agreement, holder.index, KeyRing(secrets[holder.party_id])) for holder in agreement.holders
    ]
    commitments: dict[str, Sequence[bytes]] = {}
    for family in families_of(agreement):
        generated, results = generate_in_one_place(participants, family, number=1)
        commitments[family] = generated.commitments
        for holder, result in zip(agreement.holders, results, strict=True):
            secrets[holder.party_id][share_name(result.commitments[0])] = result.share
    return commitments


def _signed(
    document: SignedDocument, parties: Mapping[str, PartyKeys], signers: Sequence[str] | Mapping[str, object]
) -> SignedDocument:
    for party_id in signers:
        document = sign_document(document, party_id, parties[party_id].signing_key)
    return document
