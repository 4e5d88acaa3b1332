"""What a party may rely on: pinned enrolment, the epochs signed under it, their rosters. The security argument.

Every client, key holder, desk and broker holds one `Trust`, built from documents that may come from anywhere, the
broker included. It knows no clock and no store, and takes nobody's word: only signatures under pinned keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from crypto.signatures import key_id
from policies.documents import Document, SignedDocument, document_hash, verify_signatures
from policies.enrolment import Enrolment, check_budgets
from policies.epoch import Epoch
from policies.errors import DocumentRefused
from policies.identities import check_identities
from policies.opening_rule import KindPolicy, OpeningRule
from policies.parties import BROKER, Member, Recipient, check_groups_apart, check_keys_differ, holder_party_id
from policies.roster import Roster
from policies.terms import family_of

CallerRole = Literal["institution", "recipient", "holder", "broker"]

SHARE_VERSION = 1
"""The share version of commitments in the epoch document itself."""


@dataclass(frozen=True)
class Trust:
    """Documents that were verified, and answers drawn from them. Immutable: each method gives a new one or raises.

    The rules, in the order in which they are checked; what breaks one raises DocumentRefused with one sentence.

    Enrolment (`pin`)
     1. Its hash is the hash that was compared out of band and pinned.
     2. It is well formed: ids and signing keys of all parties differ, no member is in a key holder's group, the terms
        agree with themselves.
     3. Every party that it names has signed it.

    Epoch (`with_epoch`)
     4. It is well formed: t_h commitments a key family, each a group element, for exactly the families of its kinds
        and `record`, and no two families share a key.
     5. It belongs to the enrolment's agreement; its policy hash is the terms' hash, and its kinds, opening rule,
        padded size, t_h, quorum and key holders are those of the enrolment.
     6. Every key holder of the enrolment and at least the quorum of its members have signed it, under pinned keys.
     7. Its number is higher than that of the epoch held; a second document under one number is refused as a fork.

    Roster (`with_roster`)
     8. It is well formed: ids and signing keys differ, no member is in a key holder's group, recipients' keys are
        named by their own hash and expire no later than the epoch, budgets are for the epoch's key families.
     9. It belongs to the epoch; version 1 names the epoch as its previous, every later version the hash of the
        version before; a second document under one version is refused as a fork.
    10. No id changes its kind, role or group against the enrolment or any earlier version, none that left returns,
        and no signing key moves from one id to another. (A signing key may be replaced by a new one.)
    11. Every key holder of the enrolment and at least the quorum of members have signed it: of pinned members for
        version 1, of the members of version v, under their keys there, for version v + 1.
    """

    enrolment: Enrolment
    rosters: tuple[Roster, ...] = ()
    current_epoch: Epoch | None = None

    @classmethod
    def pin(cls, signed: SignedDocument, expected_hash: bytes) -> Trust:
        """Begin with the enrolment whose 32-byte hash was compared out of band (rules 1 to 3)."""
        if document_hash(signed.document) != expected_hash:
            raise DocumentRefused(
                f"The enrolment's hash is {document_hash(signed.document).hex()}, but {expected_hash.hex()} is pinned."
            )
        enrolment = Enrolment.from_document(signed.document)
        _require_all(signed, enrolment.keys, "enrolment")
        return cls(enrolment)

    def with_epoch(self, signed: SignedDocument) -> Trust:
        """Take the next epoch, without a roster yet (rules 4 to 7). The epoch held already changes nothing."""
        epoch = self.review_epoch(signed.document)
        name = f"epoch {epoch.number}"
        _require_all(signed, self.enrolment.holder_keys, name)
        _require_quorum(signed, self.enrolment.member_keys, self.enrolment.member_quorum, name)
        held = self.current_epoch
        if held is None or held.number < epoch.number:
            return Trust(self.enrolment, current_epoch=epoch)
        if held.number > epoch.number:
            raise DocumentRefused(f"Epoch {epoch.number} is older than epoch {held.number}, which is held.")
        if held.epoch_id != epoch.epoch_id:
            raise _fork(f"epoch {epoch.number}", held.epoch_id, epoch.epoch_id)
        return self

    def with_roster(self, signed: SignedDocument) -> Trust:
        """Take the next version of the epoch's roster (rules 8 to 11). A version held already changes nothing."""
        roster = self.review_roster(signed.document)
        name = f"roster {roster.version}"
        _require_all(signed, self.enrolment.holder_keys, name)
        _require_quorum(signed, self.roster_signers(roster), self.enrolment.member_quorum, name)
        if roster.version == len(self.rosters) + 1:
            return replace(self, rosters=(*self.rosters, roster))
        held = self.rosters[roster.version - 1]
        if held.hash != roster.hash:
            raise _fork(f"roster {roster.version}", held.hash, roster.hash)
        return self

    def review_epoch(self, document: Document) -> Epoch:
        """What a party checks before it signs: all that rules 4 and 5 ask but the signatures."""
        epoch = Epoch.from_document(document)
        self._check_epoch_agrees(epoch)
        return epoch

    def review_roster(self, document: Document) -> Roster:
        """What a party checks before it signs: all that rules 8 to 10 ask but the signatures."""
        roster = Roster.from_document(document)
        self._check_roster_fits_epoch(roster)
        check_identities(roster, self.enrolment, self._versions_before(roster))
        return roster

    def roster_signers(self, roster: Roster) -> Mapping[str, bytes]:
        """The members, with their keys, of whom a quorum must sign `roster` (rule 11)."""
        earlier = self._versions_before(roster)
        return earlier[-1].member_keys if earlier else self.enrolment.member_keys

    def with_document(self, signed: SignedDocument) -> Trust:
        """Take an epoch or a roster, whichever it is; the pinned enrolment again changes nothing."""
        if signed.type == "epoch":
            return self.with_epoch(signed)
        if signed.type == "roster":
            return self.with_roster(signed)
        if signed.type == "enrolment" and signed.hash == self.enrolment.hash:
            return self
        raise DocumentRefused(f"This {signed.type} document is neither an epoch nor a roster of the pinned enrolment.")

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
        """The member of the newest roster with this id; None where there is none."""
        return self.roster.members_by_id.get(institution_id)

    def recipient(self, recipient_id: str) -> Recipient | None:
        """The recipient of the newest roster with this id; None where there is none."""
        return self.roster.recipients_by_id.get(recipient_id)

    @cached_property
    def groups(self) -> Mapping[str, str]:
        """Group of each institution of the newest roster."""
        return {member.institution_id: member.group_id for member in self.roster.members}

    def holder_key(self, index: int) -> bytes:
        """The pinned signing key of a key holder; raises DocumentRefused for an index there is not."""
        key = self.enrolment.holder_keys.get(holder_party_id(index))
        if key is None:
            raise DocumentRefused(f"There is no key holder {index}.")
        return key

    @property
    def broker_key(self) -> bytes:
        """The broker's pinned signing key."""
        return self.enrolment.broker.key

    def caller(self, party_id: str, key_id_hex: str) -> tuple[bytes, CallerRole] | None:
        """Key and role of the party that signs a request, None for an unknown party or a key that is not its current.

        Members and recipients are those of the newest roster; before the first, those of the enrolment.
        """
        key, role = self._callers.get(party_id, (b"", "broker"))
        return (key, role) if key and key_id(key).hex() == key_id_hex else None

    @cached_property
    def _callers(self) -> Mapping[str, tuple[bytes, CallerRole]]:
        callers: dict[str, tuple[bytes, CallerRole]] = {BROKER: (self.broker_key, "broker")}
        for party_id, key in self.enrolment.holder_keys.items():
            callers[party_id] = (key, "holder")
        newest = self.rosters[-1] if self.rosters else self.enrolment
        for party_id, key in newest.member_keys.items():
            callers[party_id] = (key, "institution")
        for party_id, key in newest.recipient_keys.items():
            callers[party_id] = (key, "recipient")
        return callers

    def _check_epoch_agrees(self, epoch: Epoch) -> None:
        terms = self.enrolment.terms
        pinned_holders = tuple(holder.without_address for holder in self.enrolment.holders)
        agreements: tuple[tuple[str, object, object], ...] = (
            ("agreement", epoch.agreement_id, self.enrolment.agreement_id),
            ("policy hash", epoch.policy_hash, terms.policy_hash),
            ("padded size", epoch.padded_size, terms.padded_size),
            ("t_h", epoch.t_h, terms.t_h),
            ("quorum of members", epoch.member_quorum, self.enrolment.member_quorum),
            ("kinds", dict(epoch.kinds), dict(terms.kinds)),
            ("opening rule", epoch.opening_rule, terms.opening_rule),
            ("key holders", epoch.holders, pinned_holders),
        )
        for what, found, pinned in agreements:
            if found != pinned:
                raise DocumentRefused(f"In epoch {epoch.number} the {what} differs from what the enrolment pins.")

    def _check_roster_fits_epoch(self, roster: Roster) -> None:
        epoch = self.epoch
        if roster.epoch_id != epoch.epoch_id:
            raise DocumentRefused(
                f"Roster {roster.version} belongs to epoch {roster.epoch_id.hex()}, not to {epoch.epoch_id.hex()}."
            )
        check_groups_apart(epoch.holders, roster.members)
        check_keys_differ({**self.enrolment.holder_keys, BROKER: self.broker_key, **roster.keys})
        for member in roster.members:
            check_budgets(member, self.enrolment.terms.families)
        for recipient in roster.recipients:
            if recipient.not_after > epoch.not_after:
                raise DocumentRefused(f"The key of the recipient {recipient.recipient_id} outlives the epoch.")

    def _versions_before(self, roster: Roster) -> tuple[Roster, ...]:
        """The held versions that `roster` continues (rule 9)."""
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


def establish(pinned_hash: bytes, documents: Iterable[SignedDocument]) -> Trust:
    """The trust that a set of documents, in any order, gives: the newest epoch with all of its rosters.

    Every epoch is verified, and every roster of the newest; rosters of earlier epochs are left aside. Raises
    DocumentRefused for a document that does not hold, and where the pinned enrolment is missing.
    """
    given = list(documents)
    enrolments = [signed for signed in given if signed.type == "enrolment"]
    pinned = next((signed for signed in enrolments if signed.hash == pinned_hash), None)
    if pinned is None:
        raise DocumentRefused(f"The pinned enrolment {pinned_hash.hex()} is not among the documents.")
    trust = Trust.pin(pinned, pinned_hash)
    for signed in sorted((one for one in given if one.type == "epoch"), key=_epoch_number):
        trust = trust.with_epoch(signed)
    rosters = [(Roster.from_document(signed.document), signed) for signed in given if signed.type == "roster"]
    if rosters and trust.current_epoch is None:
        raise DocumentRefused("There is a roster, but no epoch document.")
    for roster, signed in sorted(rosters, key=lambda pair: pair[0].version):
        if roster.epoch_id == trust.epoch_id:
            trust = trust.with_roster(signed)
    return trust


def _epoch_number(signed: SignedDocument) -> int:
    return Epoch.from_document(signed.document).number


def _fork(what: str, held: bytes, other: bytes) -> DocumentRefused:
    return DocumentRefused(
        f"There are two signed documents for {what}: {held.hex()} is held, {other.hex()} is refused; its signers must "
        "say why."
    )


def _require_all(signed: SignedDocument, keys: Mapping[str, bytes], name: str) -> None:
    missing = sorted(set(keys) - verify_signatures(signed, keys))
    if missing:
        raise DocumentRefused(f"The {name} lacks a valid signature of: {', '.join(missing)}.")


def _require_quorum(signed: SignedDocument, keys: Mapping[str, bytes], quorum: int, name: str) -> None:
    valid = verify_signatures(signed, keys)
    if len(valid) < quorum:
        raise DocumentRefused(f"The {name} carries {len(valid)} valid signatures of members; {quorum} are needed.")
