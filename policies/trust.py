"""What a party may rely on: the pinned agreement, its amendments, epochs and their rosters. The security argument.

Every client, key holder, desk and broker holds one `Trust`, built from documents that may come from anywhere, the
broker included. It knows no clock and no store, and takes nobody's word: only signatures under pinned keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from crypto.signatures import key_id
from policies.agreement.document import Agreement
from policies.callers import CallerRole, Callers, callers_of
from policies.conformity import check_budgets, check_epoch
from policies.documents import Document, SignedDocument, document_hash
from policies.epoch import Epoch
from policies.errors import DocumentRefused
from policies.exclusions import Exclusions
from policies.identities import check_identities
from policies.opening_rule import KindPolicy, OpeningRule
from policies.parties import BROKER, Member, Recipient, check_groups_apart, check_keys_differ, holder_party_id
from policies.roster import Roster
from policies.signers import fork, require_all, require_quorum
from policies.terms import family_of

SHARE_VERSION = 1
"""The share version of commitments in the epoch document itself."""


@dataclass(frozen=True)
class Trust:
    """Documents that were verified, and answers drawn from them. Immutable: each method gives a new one or raises.

    The rules, in the order in which they are checked; what breaks one raises DocumentRefused with one sentence.

    Agreement (`pin`, `with_agreement`)
     1. The hash of version 1 is the hash that was compared out of band and pinned.
     2. It is well formed: ids and signing keys of all parties differ, no member is in a key holder's group, and what
        it says does not contradict itself.
     3. Every party that it names has signed it. Until then it is not in force.
     4. A later version is the next one, of the same agreement, and names the hash of the version before; no signing
        key moves from one id to another. Every party that it names has signed it, those that the version before named
        too under their keys there; so has the quorum of members of the version before. A second document under one
        version is refused as a fork.

    Suspension and departure (`with_suspension`, `with_departure`)
     5. They name a party of the newest version, and are signed under its keys: a suspension by the party or by the
        quorum of members, a departure by the party. What the members imposed, the party cannot lift.

    Epoch (`with_epoch`)
     6. It is well formed: t_h commitments a key family, each a group element, for exactly the families of its kinds
        and `record`, and no two families share a key.
     7. Its policy hash is the hash of a version of the agreement that is in force, none older than the epoch before
        had; its kinds, opening rule, padded size, t_h, quorum and key holders are those of that version; it lies
        within the agreement's time and is no longer than its epochs may be.
     8. Every key holder of that version and at least the quorum of its members have signed it, under the keys there.
     9. Its number is higher than that of the epoch held; a second document under one number is refused as a fork.

    Roster (`with_roster`)
    10. It is well formed: ids and signing keys differ, no member is in a key holder's group, recipients' keys are
        named by their own hash and expire no later than the epoch.
    11. It belongs to the epoch; version 1 names the epoch as its previous, every later version the hash of the
        version before; a second document under one version is refused as a fork.
    12. It lists nobody whom the epoch's agreement does not name, with no larger budget than there; no id changes its
        kind, role or group, none that left returns, and no signing key moves from one id to another. (A signing key
        may be replaced by a new one.)
    13. Every key holder of the agreement and at least the quorum of members have signed it: of the agreement's
        members for version 1, of the members of version v, under their keys there, for version v + 1.
    """

    agreements: tuple[Agreement, ...]
    rosters: tuple[Roster, ...] = ()
    current_epoch: Epoch | None = None
    exclusions: Exclusions = field(default_factory=Exclusions)

    @classmethod
    def pin(cls, signed: SignedDocument, expected_hash: bytes) -> Trust:
        """Begin with the agreement whose 32-byte hash was compared out of band (rules 1 to 3)."""
        if document_hash(signed.document) != expected_hash:
            raise DocumentRefused(
                f"The agreement's hash is {document_hash(signed.document).hex()}, but {expected_hash.hex()} is pinned."
            )
        agreement = Agreement.from_document(signed.document)
        if agreement.version != 1:
            raise DocumentRefused(
                f"This is version {agreement.version} of the agreement; version 1 is pinned, and the others follow it."
            )
        require_all(signed, agreement.keys, "agreement")
        return cls((agreement,))

    def with_agreement(self, signed: SignedDocument) -> Trust:
        """Take the next version of the agreement (rule 4). A version held already changes nothing."""
        if signed.hash in {agreement.hash for agreement in self.agreements}:
            return self
        agreement = self.review_agreement(signed.document)
        before = self.agreements[agreement.version - 2]
        name = f"agreement's version {agreement.version}"
        require_all(signed, self.agreement_signers(agreement), name)
        require_quorum(signed, before.member_keys, before.member_quorum, name)
        if agreement.version == len(self.agreements) + 1:
            return replace(self, agreements=(*self.agreements, agreement))
        raise fork(name, self.agreements[agreement.version - 1].hash, agreement.hash)

    def with_suspension(self, signed: SignedDocument) -> Trust:
        """Take a suspension, or the lifting of one (rule 5). One held already changes nothing."""
        return self._with_exclusions(self.exclusions.with_suspension(signed, self.newest_agreement))

    def with_departure(self, signed: SignedDocument) -> Trust:
        """Take a departure (rule 5). One held already changes nothing."""
        return self._with_exclusions(self.exclusions.with_departure(signed, self.newest_agreement))

    def with_epoch(self, signed: SignedDocument) -> Trust:
        """Take the next epoch, without a roster yet (rules 6 to 9). The epoch held already changes nothing."""
        epoch = self.review_epoch(signed.document)
        name = f"epoch {epoch.number}"
        agreement = self.agreement_at(epoch.policy_hash)
        require_all(signed, agreement.holder_keys, name)
        require_quorum(signed, agreement.member_keys, agreement.member_quorum, name)
        held = self.current_epoch
        if held is None or held.number < epoch.number:
            return replace(self, rosters=(), current_epoch=epoch)
        if held.number > epoch.number:
            raise DocumentRefused(f"Epoch {epoch.number} is older than epoch {held.number}, which is held.")
        if held.epoch_id != epoch.epoch_id:
            raise fork(name, held.epoch_id, epoch.epoch_id)
        return self

    def with_roster(self, signed: SignedDocument) -> Trust:
        """Take the next version of the epoch's roster (rules 10 to 13). A version held already changes nothing."""
        roster = self.review_roster(signed.document)
        name = f"roster {roster.version}"
        require_all(signed, self.agreement.holder_keys, name)
        require_quorum(signed, self.roster_signers(roster), self.agreement.member_quorum, name)
        if roster.version == len(self.rosters) + 1:
            return replace(self, rosters=(*self.rosters, roster))
        held = self.rosters[roster.version - 1]
        if held.hash != roster.hash:
            raise fork(name, held.hash, roster.hash)
        return self

    def review_agreement(self, document: Document) -> Agreement:
        """What a party checks before it signs an amendment: all that rule 4 asks but the signatures."""
        agreement = Agreement.from_document(document)
        self._check_amendment(agreement)
        return agreement

    def agreement_signers(self, amendment: Agreement) -> Mapping[str, bytes]:
        """Who must sign an amendment, with the keys under which: those of the version before where it names them."""
        before = self.agreements[amendment.version - 2].keys
        return {party_id: before.get(party_id, key) for party_id, key in amendment.keys.items()}

    def review_epoch(self, document: Document) -> Epoch:
        """What a party checks before it signs: all that rules 6 and 7 ask but the signatures."""
        epoch = Epoch.from_document(document)
        self._check_epoch_agrees(epoch)
        return epoch

    def review_roster(self, document: Document) -> Roster:
        """What a party checks before it signs: all that rules 10 to 12 ask but the signatures."""
        roster = Roster.from_document(document)
        self._check_roster_fits_epoch(roster)
        check_identities(roster, self.agreement, self._versions_before(roster))
        check_budgets(roster, self.agreement)
        return roster

    def roster_signers(self, roster: Roster) -> Mapping[str, bytes]:
        """The members, with their keys, of whom a quorum must sign `roster` (rule 13)."""
        earlier = self._versions_before(roster)
        return earlier[-1].member_keys if earlier else self.agreement.member_keys

    def with_document(self, signed: SignedDocument) -> Trust:
        """Take any document of this agreement, whichever it is."""
        take = {
            "agreement": self.with_agreement,
            "suspension": self.with_suspension,
            "departure": self.with_departure,
            "epoch": self.with_epoch,
            "roster": self.with_roster,
        }.get(signed.type)
        if take is None:
            raise DocumentRefused(f"This {signed.type} document is none that an agreement's parties keep.")
        return take(signed)

    @property
    def newest_agreement(self) -> Agreement:
        """The newest version of the agreement that all have signed: what the next epoch runs under."""
        return self.agreements[-1]

    @property
    def agreement(self) -> Agreement:
        """The version under which the newest epoch runs; where there is no epoch yet, the newest."""
        return self.agreement_at(self.current_epoch.policy_hash) if self.current_epoch else self.newest_agreement

    def agreement_at(self, agreement_hash: bytes) -> Agreement:
        """The version with this 32-byte hash; raises DocumentRefused where none is held."""
        for agreement in self.agreements:
            if agreement.hash == agreement_hash:
                return agreement
        raise DocumentRefused(f"No version of the agreement with the hash {agreement_hash.hex()} is held.")

    @property
    def suspended(self) -> frozenset[str]:
        """The parties whose requests are refused and whose records count for nothing."""
        return self.exclusions.suspended

    @property
    def departed(self) -> frozenset[str]:
        """The parties that have left for good."""
        return self.exclusions.departed

    @property
    def epoch(self) -> Epoch:
        """The newest epoch; raises DocumentRefused where there is none yet."""
        if self.current_epoch is None:
            raise DocumentRefused("There is no signed epoch document yet.")
        return self.current_epoch

    @property
    def roster(self) -> Roster:
        """The newest roster of the newest epoch; raises DocumentRefused where there is none yet."""
        if not self.rosters:
            raise DocumentRefused("There is no signed roster yet.")
        return self.rosters[-1]

    @property
    def is_ready(self) -> bool:
        """Whether there are an epoch and a roster."""
        return self.current_epoch is not None and bool(self.rosters)

    @property
    def epoch_id(self) -> bytes:
        """The newest epoch's id, 32 bytes."""
        return self.epoch.epoch_id

    @property
    def kinds(self) -> Mapping[str, KindPolicy]:
        """The policy of each kind."""
        return self.epoch.kinds

    @property
    def rule(self) -> OpeningRule:
        """The opening rule."""
        return self.epoch.opening_rule

    @staticmethod
    def family_of(kind: str) -> str:
        """The key family of a kind."""
        return family_of(kind)

    def commitments(self, family: str, share_version: int = SHARE_VERSION) -> tuple[bytes, ...]:
        """The t_h Feldman commitments of a key family; raises DocumentRefused for a family or version there is not."""
        if share_version != SHARE_VERSION:
            raise DocumentRefused(f"There is no share version {share_version} of epoch {self.epoch.number}.")
        if family not in self.epoch.families:
            raise DocumentRefused(f"Epoch {self.epoch.number} has no key family {family}.")
        return self.epoch.families[family]

    def member(self, institution_id: str) -> Member | None:
        """The member of the newest roster with this id; None where there is none or it has left."""
        return None if institution_id in self.departed else self.roster.members_by_id.get(institution_id)

    def recipient(self, recipient_id: str) -> Recipient | None:
        """The recipient of the newest roster with this id; None where there is none or it has left."""
        return None if recipient_id in self.departed else self.roster.recipients_by_id.get(recipient_id)

    @cached_property
    def groups(self) -> Mapping[str, str]:
        """Group of each institution of the newest roster that has not left."""
        return {
            member.institution_id: member.group_id
            for member in self.roster.members
            if member.institution_id not in self.departed
        }

    def holder_key(self, index: int) -> bytes:
        """The pinned signing key of a key holder; raises DocumentRefused for an index there is not."""
        key = self.agreement.holder_keys.get(holder_party_id(index))
        if key is None:
            raise DocumentRefused(f"There is no key holder {index}.")
        return key

    @property
    def broker_key(self) -> bytes:
        """The broker's pinned signing key."""
        return self.agreement.broker.key

    def caller(self, party_id: str, key_id_hex: str) -> tuple[bytes, CallerRole] | None:
        """Key and role of the party that signs a request, None for an unknown party or a key that is not its current.

        Members and recipients are those of the newest roster; before the first, those of the agreement. Whom an
        amendment adds may call before its first epoch. Who is suspended or has left is known still: what it may do,
        the rules say.
        """
        key, role = self._callers.get(party_id, (b"", "broker"))
        return (key, role) if key and key_id(key).hex() == key_id_hex else None

    @cached_property
    def _callers(self) -> Callers:
        return callers_of(self.agreement, self.newest_agreement, self.rosters[-1] if self.rosters else None)

    def _with_exclusions(self, exclusions: Exclusions) -> Trust:
        return self if exclusions is self.exclusions else replace(self, exclusions=exclusions)

    def _check_amendment(self, agreement: Agreement) -> None:
        held, name = self.newest_agreement, f"version {agreement.version} of the agreement"
        if agreement.agreement_id != held.agreement_id:
            raise DocumentRefused(f"This is the agreement {agreement.agreement_id}, not {held.agreement_id}.")
        if agreement.version == 1:
            raise DocumentRefused("This is another first version of the agreement than the one that is pinned.")
        if agreement.version > held.version + 1:
            raise DocumentRefused(f"There is no {name} before version {held.version + 1}, which comes next.")
        before = self.agreements[agreement.version - 2]
        if agreement.previous != before.hash:
            raise DocumentRefused(f"The {name} does not continue version {before.version}, {before.hash.hex()}.")
        owners = {key: party_id for party_id, key in before.keys.items()}
        for party_id, key in agreement.keys.items():
            if owners.get(key, party_id) != party_id:
                raise DocumentRefused(
                    f"The {name} gives {party_id} the signing key of {owners[key]}: a key never changes its party."
                )

    def _check_epoch_agrees(self, epoch: Epoch) -> None:
        name = f"epoch {epoch.number}"
        if epoch.policy_hash not in {agreement.hash for agreement in self.agreements}:
            raise DocumentRefused(f"The policy hash of {name} is that of no version of the agreement that is held.")
        agreement = self.agreement_at(epoch.policy_hash)
        if self.current_epoch is not None and agreement.version < self.agreement.version:
            raise DocumentRefused(
                f"In {name} the agreement has version {agreement.version}, but version {self.agreement.version} holds "
                "since the epoch before."
            )
        check_epoch(epoch, agreement)

    def _check_roster_fits_epoch(self, roster: Roster) -> None:
        epoch = self.epoch
        if roster.epoch_id != epoch.epoch_id:
            raise DocumentRefused(
                f"Roster {roster.version} belongs to epoch {roster.epoch_id.hex()}, not to {epoch.epoch_id.hex()}."
            )
        check_groups_apart(epoch.holders, roster.members)
        check_keys_differ({**self.agreement.holder_keys, BROKER: self.broker_key, **roster.keys})
        for recipient in roster.recipients:
            if recipient.not_after > epoch.not_after:
                raise DocumentRefused(f"The key of the recipient {recipient.recipient_id} outlives the epoch.")

    def _versions_before(self, roster: Roster) -> tuple[Roster, ...]:
        """The held versions that `roster` continues (rule 11)."""
        if roster.version > len(self.rosters) + 1:
            raise DocumentRefused(
                f"Roster {roster.version} was given where version {len(self.rosters) + 1} comes next."
            )
        earlier = self.rosters[: roster.version - 1]
        previous = earlier[-1].hash if earlier else self.epoch_id
        if roster.previous != previous:
            raise DocumentRefused(
                f"Roster {roster.version} does not continue what is held: it names {roster.previous.hex()} as its "
                f"previous, not {previous.hex()}."
            )
        return earlier
