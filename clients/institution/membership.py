"""What an institution needs of the signed documents in order to make and send records; drawn from verified ones only.

One immutable value a run, so that a submission is made under one roster from its first byte to its last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policies.parties import REPORT_DESK
from policies.roster import Roster
from policies.terms import RECORD_FAMILY
from policies.trust import SHARE_VERSION, Trust
from runtime.exits import ExitCode, UserError


@dataclass(frozen=True)
class RecipientKey:
    """Whom a batch secret is sealed to: id and X-Wing public key (1216 bytes)."""

    recipient_id: str
    key: bytes


@dataclass(frozen=True)
class Membership:
    """One institution in one epoch under one roster version.

    proves        per kind whether this institution's entries prove possession
    commitments   per key family, `record` included, the Feldman commitments (32 bytes each)
    times are Unix seconds, padded_size and lengths bytes
    """

    institution_id: str
    public_key: bytes
    epoch_id: bytes
    epoch_number: int
    not_before: int
    not_after: int
    roster_version: int
    recipients: tuple[RecipientKey, ...]
    proves: Mapping[str, bool]
    possession_kinds: frozenset[str]
    commitments: Mapping[str, tuple[bytes, ...]]
    share_version: int
    threshold: int
    holders: int
    padded_size: int
    record_lifetime: int

    @property
    def acknowledgements_needed(self) -> int:
        """From how many holders on no quorum can open what was withdrawn: n - t_h + 1."""
        return self.holders - self.threshold + 1

    def expiry(self, issued_at: int) -> int:
        """When a record issued at that time expires: after its agreed life, or with the epoch if that ends before."""
        return min(issued_at + self.record_lifetime, self.not_after)


def membership(trust: Trust, institution_id: str, now: int) -> Membership:
    """The institution's place in the newest epoch and roster at `now` (Unix seconds).

    Raises UserError (exit code 4) where the institution is no member, the epoch is over or has not begun, or the roster
    names nobody to seal to.
    """
    member, epoch, roster = trust.member(institution_id), trust.epoch, trust.roster
    if member is None:
        raise _refused(f"Roster {roster.version} of epoch {epoch.number} does not name {institution_id} as a member.")
    if now >= epoch.not_after:
        raise _refused(
            f"Epoch {epoch.number} is over: it ended {_ago(now - epoch.not_after)} ago. Nothing can be sent until the "
            "next epoch's signed documents are there (crosslight epoch accept, or from the broker at the next contact)."
        )
    if now < epoch.not_before:
        raise _refused(f"Epoch {epoch.number} begins in {_ago(epoch.not_before - now)}; check this machine's clock.")
    desk = member.role == REPORT_DESK
    return Membership(
        institution_id=institution_id,
        public_key=member.signing_key,
        epoch_id=epoch.epoch_id,
        epoch_number=epoch.number,
        not_before=epoch.not_before,
        not_after=epoch.not_after,
        roster_version=roster.version,
        recipients=_recipients(roster, now),
        proves={kind: policy.possession and not desk for kind, policy in epoch.kinds.items()},
        possession_kinds=frozenset(kind for kind, policy in epoch.kinds.items() if policy.possession),
        commitments={family: trust.commitments(family) for family in (*epoch.families, RECORD_FAMILY)},
        share_version=SHARE_VERSION,
        threshold=epoch.t_h,
        holders=len(epoch.holders),
        padded_size=epoch.padded_size,
        record_lifetime=trust.agreement.terms.record_lifetime,
    )


def _recipients(roster: Roster, now: int) -> tuple[RecipientKey, ...]:
    recipients = tuple(RecipientKey(each.recipient_id, each.key) for each in roster.recipients_at(now))
    if not recipients:
        raise _refused(f"Roster {roster.version} names no recipient whose key is still valid, so nobody could read.")
    return recipients


def _refused(sentence: str) -> UserError:
    return UserError(sentence, ExitCode.DOCUMENTS_REFUSED)


def _ago(seconds: int) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"
