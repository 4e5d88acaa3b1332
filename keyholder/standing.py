"""What the holder goes by at the moment: the agreement's versions and each epoch that it accepted, with its rosters.

While the newest epoch fills, the one before it still matches; so a `Trust` is held for each. Every document was
verified by policies.trust. Knows no key, no share and no store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from policies.agreement.document import Agreement
from policies.documents import SignedDocument
from policies.epoch import Epoch
from policies.errors import DocumentRefused
from policies.establish import in_order, is_news
from policies.parties import Member, Recipient
from policies.roster import Roster
from policies.trust import Trust
from wire.access import Caller


@dataclass(frozen=True)
class Standing:
    """The agreement's versions and exclusions (`pinned`, without an epoch), and one Trust an epoch. Immutable.

    The newest epoch comes first.
    """

    pinned: Trust
    epochs: tuple[Trust, ...] = ()

    @property
    def agreement(self) -> Agreement:
        """The newest version of the agreement, under which the next keys are generated."""
        return self.pinned.newest_agreement

    @property
    def newest(self) -> Trust:
        """What is trusted of the newest epoch; before the first, the agreement alone."""
        return self.epochs[0] if self.epochs else self.pinned

    @property
    def newest_ready(self) -> Trust | None:
        """What is trusted of the newest epoch that has a roster; None before the first."""
        return next((trust for trust in self.epochs if trust.is_ready), None)

    def with_document(self, signed: SignedDocument) -> Standing:
        """Take any document of the agreement; the same standing where it is held already. Raises DocumentRefused."""
        if signed.type == "epoch":
            return self._with_epoch(signed)
        if signed.type == "roster":
            return self._with_roster(signed)
        return self._with_agreement(signed)

    def with_documents(self, documents: Iterable[SignedDocument]) -> Standing:
        """Take several, in an order in which each can follow."""
        standing = self
        for signed in documents:
            standing = standing.with_document(signed)
        return standing

    def what_follows(self, documents: Iterable[SignedDocument]) -> list[SignedDocument]:
        """Those of `documents`, in an order in which they can be taken, that are new and not overtaken.

        Passed over: what is held, what is of a version of the agreement before the newest, epochs older than the
        newest, rosters of epochs that are neither held nor given.
        """
        given = in_order(documents)
        known = {trust.epoch_id for trust in self.epochs}
        known |= {signed.hash for signed in given if signed.type == "epoch"}
        return [signed for signed in given if self._follows(signed, known)]

    def epoch(self, epoch_id: bytes) -> Trust | None:
        """What is trusted of an epoch; None where it was never accepted."""
        return next((trust for trust in self.epochs if trust.epoch_id == epoch_id), None)

    def caller(self, party_id: str, key_id_hex: str, now: int) -> Caller | None:
        """The party that a request's signature names, if the key is its current one in an epoch that is not over.

        Before the first roster, parties are those of the agreement. What a caller may do within an epoch, that epoch's
        roster says (`member_of`, `recipient_of`).
        """
        for trust in self._trusts_for_callers(now):
            found = trust.caller(party_id, key_id_hex)
            if found is not None:
                return Caller(party_id, found[1], found[0])
        return None

    def _trusts_for_callers(self, now: int) -> tuple[Trust, ...]:
        rostered = [trust for trust in self.epochs if trust.is_ready]
        current = [trust for trust in rostered if now < trust.epoch.not_after]
        return tuple(current or rostered[:1] or [self.pinned])

    def _follows(self, signed: SignedDocument, known_epochs: set[bytes]) -> bool:
        if signed.type == "epoch":
            newest = self.epochs[0].epoch.number if self.epochs else 0
            return Epoch.from_document(signed.document).number > newest
        if signed.type == "roster":
            roster = Roster.from_document(signed.document)
            held = {roster.hash for trust in self.epochs for roster in trust.rosters}
            return roster.epoch_id in known_epochs and roster.hash not in held
        return is_news(signed, self.pinned)

    def _with_agreement(self, signed: SignedDocument) -> Standing:
        """An amendment, a suspension or a departure: what every epoch goes by."""
        pinned = self.pinned.with_document(signed)
        if pinned is self.pinned:
            return self
        return Standing(pinned, tuple(trust.with_document(signed) for trust in self.epochs))

    def _with_epoch(self, signed: SignedDocument) -> Standing:
        epoch = Epoch.from_document(signed.document)
        if self.epoch(epoch.epoch_id) is not None:
            return self
        return replace(self, epochs=(self.newest.with_epoch(signed), *self.epochs))

    def _with_roster(self, signed: SignedDocument) -> Standing:
        roster = Roster.from_document(signed.document)
        held = self.epoch(roster.epoch_id)
        if held is None:
            raise DocumentRefused(
                f"Roster {roster.version} belongs to epoch {roster.epoch_id.hex()}, which is not accepted here."
            )
        after = held.with_roster(signed)
        if after is held:
            return self
        return replace(self, epochs=tuple(after if trust is held else trust for trust in self.epochs))


def member_of(trust: Trust, caller: Caller) -> Member | None:
    """The caller as a member of the epoch's newest roster, under the very key that signed the request."""
    member = trust.member(caller.party_id) if trust.is_ready else None
    return member if member is not None and member.signing_key == caller.public_key else None


def recipient_of(trust: Trust, caller: Caller) -> Recipient | None:
    """The caller as a recipient of the epoch's newest roster, under the very key that signed the request."""
    recipient = trust.recipient(caller.party_id) if trust.is_ready else None
    return recipient if recipient is not None and recipient.signing_key == caller.public_key else None


def document_text(signed: SignedDocument) -> str:
    """The file form of a document, as the holder's database keeps it."""
    return json.dumps(signed.to_json(), separators=(",", ":"), ensure_ascii=False)


def read_document_text(text: str) -> SignedDocument:
    """Read back what `document_text` wrote; raises DocumentRefused."""
    return SignedDocument.from_json(json.loads(text))
