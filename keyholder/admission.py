"""Who may ask what, checked before anything is computed: epoch, time, roster, shares, set of holders, suspension.

Every check raises a Problem that names the rule. Nothing that was paid for once escapes them. Knows no element.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crypto.errors import InvalidHolderSet
from crypto.shares import check_holder_set
from keyholder.holder import Holder, State
from keyholder.shares import FamilyShare
from keyholder.standing import member_of, recipient_of
from policies.parties import Member, Recipient
from policies.terms import RECORD_FAMILY
from policies.trust import SHARE_VERSION, Trust
from wire.access import Caller
from wire.problems import Problem


@dataclass(frozen=True)
class Admission:
    """One request that passed: the state and epoch by which it is answered, and when (Unix seconds, and UTC day)."""

    holder: Holder
    state: State
    trust: Trust
    now: int
    day: str

    def share(self, family: str, share_version: int, holder_set: tuple[int, ...]) -> FamilyShare:
        """The verified share of a family's key, if this holder is in the set asked and the set is as it must be."""
        epoch = self.trust.epoch
        if family not in epoch.families:
            raise Problem(404, "unknown-family", "unknown key family", "The epoch has no such key family.")
        if share_version != SHARE_VERSION:
            raise Problem(
                409,
                "share-version",
                "other share version",
                f"Shares here have version {SHARE_VERSION}; those of different versions never mix.",
                share_version=SHARE_VERSION,
            )
        try:
            check_holder_set(holder_set, epoch.t_h, len(epoch.holders))
        except InvalidHolderSet as error:
            raise Problem(422, "holder-set", "set of holders refused", f"Refused: {error}.") from None
        if self.holder.index not in holder_set:
            raise Problem(422, "holder-set", "set of holders refused", f"This is holder {self.holder.index}.")
        found = self.state.shares[self.trust.epoch_id]
        if found.fault is not None:
            raise Problem(503, "not-ready", "not ready", found.fault)
        return found.families[family]

    def member(self, caller: Caller) -> Member:
        """The caller as a member of the epoch's newest roster."""
        member = member_of(self.trust, caller)
        if member is None:
            raise Problem(403, "not-in-roster", "not in the roster", "The epoch's newest roster has no such member.")
        return member

    def recipient(self, caller: Caller) -> Recipient:
        """The caller as a recipient of the epoch's newest roster whose key has not expired."""
        recipient = recipient_of(self.trust, caller)
        if recipient is None:
            raise Problem(403, "not-in-roster", "not in the roster", "The epoch's newest roster has no such recipient.")
        if self.now >= recipient.not_after:
            raise Problem(403, "recipient-expired", "recipient expired", "The recipient's time in the roster is over.")
        return recipient


def known_epoch(holder: Holder, epoch_id: bytes) -> Admission:
    """Admit to an epoch that was accepted here, whether or not it runs at this moment."""
    state = holder.latest
    trust = state.epoch(epoch_id)
    if trust is None:
        if not state.standing.epochs:
            raise Problem(503, "not-ready", "not ready", "There is no epoch here yet.")
        raise Problem(409, "unknown-epoch", "unknown epoch", "This holder has not accepted the epoch that is named.")
    if not trust.is_ready:
        raise Problem(503, "not-ready", "not ready", "There is no roster of this epoch here yet.")
    now = holder.clock.now()
    return Admission(holder, state, trust, int(now.timestamp()), day_of(now))


def running_epoch(holder: Holder, epoch_id: bytes) -> Admission:
    """Admit to an epoch that runs now: not_before <= now < not_after."""
    admission = known_epoch(holder, epoch_id)
    require_running(admission)
    return admission


def require_running(admission: Admission) -> None:
    """Refuse before the epoch has begun and once it is over."""
    if not admission.trust.epoch.is_current(admission.now):
        raise Problem(403, "epoch-time", "epoch not running", "The epoch has not begun, or is over.")


def refuse_record_family(family: str) -> None:
    """The family of record secrets is never evaluated blindly (protocol section 2)."""
    if family == RECORD_FAMILY:
        raise Problem(
            403, "record-family", "never blindly", "Record secrets are evaluated by /v1/evaluate-records alone."
        )


def suspended() -> Problem:
    """The refusal of a party that this holder has suspended for itself."""
    return Problem(403, "suspended", "suspended", "This holder has suspended the party: ask its operator.")


def day_of(now: datetime) -> str:
    """The UTC day of a time, as YYYY-MM-DD."""
    return now.date().isoformat()
