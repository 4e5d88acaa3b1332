"""What matching knows of one epoch: kinds, institutions and groups under the database's short numbers.

A plain value, loaded once a transaction; the index and the rule are read through it. Knows no entry and no alert.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from policies.opening_rule import Circumstances, KindPolicy, OpeningRule


@dataclass(frozen=True)
class EpochView:
    """One epoch as matching sees it.

    epoch         the database's short number of the epoch
    rule          the opening rule
    policies      policy of each kind, by name
    kind_names    name of each kind, by its short number
    institutions  id of each institution that ever was in the roster, by its short number
    groups        group of each of them, by its short number
    active        the short numbers of those in the newest roster
    """

    epoch: int
    rule: OpeningRule
    policies: Mapping[str, KindPolicy]
    kind_names: Mapping[int, str]
    institutions: Mapping[int, str]
    groups: Mapping[int, str]
    active: frozenset[int]

    def policy(self, kind: int) -> KindPolicy:
        """The policy of the kind with a short number."""
        return self.policies[self.kind_names[kind]]

    @cached_property
    def active_groups(self) -> Mapping[str, str]:
        """Group of each institution of the newest roster, by id."""
        return {self.institutions[each]: self.groups[each] for each in sorted(self.active)}

    def circumstances(self, now: int) -> Circumstances:
        """What the opening rule takes from outside: withdrawn records are not in the index at all."""
        return Circumstances(self.rule, self.policies, self.active_groups, frozenset(), frozenset(), now)
