"""Whether an epoch and a roster say what the agreement says: nothing else, nothing more.

Compares values; signatures and the order of documents are trust.py's.
"""

from __future__ import annotations

from policies.agreement.document import Agreement
from policies.epoch import Epoch
from policies.errors import DocumentRefused
from policies.roster import Roster

DAY = 86_400


def check_epoch(epoch: Epoch, agreement: Agreement) -> None:
    """Refuse an epoch that differs from the version of the agreement under which it runs, or outlasts it."""
    name = f"epoch {epoch.number}"
    pinned_holders = tuple(holder.without_address for holder in agreement.holders)
    comparisons: tuple[tuple[str, object, object], ...] = (
        ("agreement", epoch.agreement_id, agreement.agreement_id),
        ("padded size", epoch.padded_size, agreement.padded_size),
        ("t_h", epoch.t_h, agreement.t_h),
        ("quorum of members", epoch.member_quorum, agreement.member_quorum),
        ("kinds", dict(epoch.kinds), dict(agreement.kinds)),
        ("opening rule", epoch.opening_rule, agreement.opening_rule),
        ("key holders", epoch.holders, pinned_holders),
    )
    for what, found, pinned in comparisons:
        if found != pinned:
            raise DocumentRefused(f"In {name} the {what} differs from what the agreement says.")
    if not agreement.start <= epoch.not_before < epoch.not_after <= agreement.end:
        raise DocumentRefused(f"The agreement is not in force during all of {name}.")
    if epoch.not_after - epoch.not_before > agreement.epoch_days * DAY:
        raise DocumentRefused(f"The {name} is longer than the {agreement.epoch_days} days that the agreement allows.")


def check_budgets(roster: Roster, agreement: Agreement) -> None:
    """Refuse a roster that gives an institution more than the agreement does."""
    allowed = {member.institution_id: member.budgets for member in agreement.members}
    for member in roster.members:
        for family, budget in member.budgets.items():
            if budget > allowed[member.institution_id].get(family, 0):
                raise DocumentRefused(
                    f"Roster {roster.version} gives {member.institution_id} a larger budget for {family} than the "
                    "agreement does."
                )
