"""How many identifiers an institution may have evaluated, and what that says about guessing (protocol section 10).

Whole numbers in, whole numbers out, rounded up. Knows no institution's data, only how many values it declared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from policies.parties import Member
from policies.terms import Terms, family_of

COVERAGE_WARNING = Fraction(1, 100)
"""Above this share of the identifier space, guessing is no longer rare."""


def budget(declared: int, days: int) -> int:
    """Q of one key family for an epoch of `days`: 1.25 times the declared distinct values, and 2% of them a day."""
    return -(-declared * (125 + 2 * days) // 100)


def holder_budget(total: int, t_h: int, holders: int) -> int:
    """Q_j: what each of `holders` key holders allows of Q = `total`, so that one of them may be down.

    min(Q, ceil(Q t_h / (n - 1))); Q where there is only one holder.
    """
    if holders == 1:
        return total
    return min(total, -(-total * t_h // (holders - 1)))


def guesses(per_holder: int, t_h: int, holders: int, corrupt: int) -> int:
    """The most identifiers that an institution can evaluate with the help of `corrupt` < t_h holders."""
    if not 0 <= corrupt < t_h:
        raise ValueError("with t_h corrupt holders there is no bound")
    return (holders - corrupt) * per_holder // (t_h - corrupt)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What all members together may evaluate of one kind, beside how many identifiers of it there are at all."""

    kind: str
    budgets: int
    identifier_space: int

    @property
    def share(self) -> Fraction:
        """The share of the identifier space that the budgets cover."""
        return Fraction(self.budgets, self.identifier_space)

    @property
    def is_high(self) -> bool:
        """Whether people should be warned."""
        return self.share > COVERAGE_WARNING

    def sentence(self) -> str:
        """The coverage for people."""
        text = f"{self.kind}: {self.budgets:,} of {self.identifier_space:,} identifiers ({float(self.share):.3%})"
        return f"{text}; above 1%, so guessing is not rare" if self.is_high else text


def coverage(members: Iterable[Member], terms: Terms) -> list[Coverage]:
    """The coverage of each kind whose identifier space the terms give, by name."""
    totals: dict[str, int] = {}
    for member in members:
        for family, amount in member.budgets.items():
            totals[family] = totals.get(family, 0) + amount
    return [
        Coverage(kind, totals.get(family_of(kind), 0), space) for kind, space in sorted(terms.identifier_spaces.items())
    ]


def member_budgets(declared: Mapping[str, int], days: int, families: Iterable[str]) -> dict[str, int]:
    """Q for each key family from the distinct values declared per family; a family not declared gets none."""
    return {family: budget(declared.get(family, 0), days) for family in sorted(families)}
