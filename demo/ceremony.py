"""Makes a whole agreement in one place: every party's keys, the signed documents, and a home folder for each.

Real parties do these steps apart, with the commands of docs/operator.md; whoever runs this holds every key, so it is
for demonstrations over one's own or synthetic data alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

from crypto.keyfiles import KeyRing, write_key_file
from crypto.shares import share_name
from keyholder.keygen_run import Participant, families_of, generate_in_one_place
from policies.assembly import RecipientKey, build_enrolment, build_epoch, build_roster
from policies.documents import SignedDocument, sign_document, write_json_file
from policies.enrolment import Enrolment
from policies.library import DocumentLibrary
from policies.party_keys import CARD_FILE, KEY_FILE, Card, PartyKeys, epoch_key_name, new_epoch_key, new_party
from policies.terms import Terms
from policies.trust import Trust
from runtime.clock import Clock, unix

HOLDERS = 3
RECIPIENT = "charity"
DAYS = 30
"""How long the demonstration's epoch lasts."""

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

    enrolment: SignedDocument
    epoch: SignedDocument
    roster: SignedDocument
    cards: Mapping[str, Card]
    secrets: Mapping[str, Mapping[str, bytes]] = field(repr=False)

    @property
    def trust(self) -> Trust:
        """What every party that pinned the enrolment trusts."""
        return Trust.pin(self.enrolment, self.enrolment.hash).with_epoch(self.epoch).with_roster(self.roster)

    def write_homes(self, homes: Path, passphrase: str) -> None:
        """Write each party's key file (a second of CPU each, by design) and documents into `homes`/PARTY."""

        def write(party_id: str) -> None:
            home = homes / party_id
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_key_file(home / KEY_FILE, self.secrets[party_id], passphrase)
            write_json_file(home / CARD_FILE, self.cards[party_id].to_document())
            library = DocumentLibrary.of_home(home)
            library.pin(self.enrolment, self.enrolment.hash)
            library.accept_all([self.epoch, self.roster])

        with ThreadPoolExecutor() as pool:
            list(pool.map(write, self.secrets))


def demonstration_terms() -> Terms:
    """The shipped example terms, with room for a longer note in the sealed payload and for many openings a day."""
    document = json.loads(files("policies").joinpath("terms_example.json").read_text("utf-8"))
    return Terms.from_document({**document, "padded_size": 2048, "openings_per_day": 1_000_000})


def hold_ceremony(
    institutions: Sequence[Institution], *, broker_url: str, holder_urls: Sequence[str], clock: Clock, terms: Terms
) -> Ceremony:
    """Draw every key, generate the split keys, and sign enrolment, epoch 1 and roster 1 by everybody."""
    parties = _draw_parties(institutions, broker_url, holder_urls, terms)
    quorum = len(institutions) // 2 + 1
    enrolment = build_enrolment("demonstration", terms, quorum, [keys.card for keys in parties.values()], days=DAYS)
    signed_enrolment = _signed(SignedDocument(enrolment.to_document(), {}), parties, parties)
    secrets = {party_id: dict(keys.secrets) for party_id, keys in parties.items()}
    commitments = _generate_keys(enrolment, secrets)

    signers = [party_id for party_id in parties if party_id.startswith("holder")]
    signers += [institution.institution_id for institution in institutions]
    not_before = unix(clock) - 3600
    not_after = not_before + int(timedelta(days=DAYS).total_seconds())
    epoch = build_epoch(enrolment, 1, not_before, not_after, commitments)
    signed_epoch = _signed(SignedDocument(epoch.to_document(), {}), parties, signers)

    trust = Trust.pin(signed_enrolment, signed_enrolment.hash).with_epoch(signed_epoch)
    seed, public = new_epoch_key()
    secrets[RECIPIENT][epoch_key_name(trust.epoch_id)] = seed
    roster = build_roster(trust, [RecipientKey(RECIPIENT, trust.epoch_id, public, not_after)])
    signed_roster = _signed(SignedDocument(roster.to_document(), {}), parties, signers)
    cards = {party_id: keys.card for party_id, keys in parties.items()}
    return Ceremony(signed_enrolment, signed_epoch, signed_roster, cards, secrets)


def _draw_parties(
    institutions: Sequence[Institution], broker_url: str, holder_urls: Sequence[str], terms: Terms
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
            declared=dict.fromkeys(sorted(terms.families), max(institution.rows, _LEAST_DECLARED)),
        )
        for institution in institutions
    ]
    parties.append(new_party("recipient", RECIPIENT, RECIPIENT))
    return {keys.card.party_id: keys for keys in parties}


def _generate_keys(enrolment: Enrolment, secrets: Mapping[str, dict[str, bytes]]) -> dict[str, Sequence[bytes]]:
    """Generate every family's key, put each holder's share among its secrets, return the commitments a family."""
    participants = [
        Participant.of(enrolment, holder.index, KeyRing(secrets[holder.party_id])) for holder in enrolment.holders
    ]
    commitments: dict[str, Sequence[bytes]] = {}
    for family in families_of(enrolment):
        generated, results = generate_in_one_place(participants, family, number=1)
        commitments[family] = generated.commitments
        for holder, result in zip(enrolment.holders, results, strict=True):
            secrets[holder.party_id][share_name(result.commitments[0])] = result.share
    return commitments


def _signed(
    document: SignedDocument, parties: Mapping[str, PartyKeys], signers: Sequence[str] | Mapping[str, object]
) -> SignedDocument:
    for party_id in signers:
        document = sign_document(document, party_id, parties[party_id].signing_key)
    return document
