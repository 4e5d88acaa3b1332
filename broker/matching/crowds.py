"""What becomes of the entries under one tag: whose group is over the cap, and whether groups meet. Pure functions.

Protocol section 6: a group with more records under one tag than the kind's cap has *its own* entries there set aside;
it cannot touch another's. Knows no database.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from broker.matching.view import EpochView
from broker.store.index import Crowd, Standing

TagKey = tuple[bytes, int]
"""A tag and its kind's short number."""


def by_tag(entries: Iterable[Standing]) -> dict[TagKey, list[Standing]]:
    """The entries under each (tag, kind), in the order of their records."""
    found: dict[TagKey, list[Standing]] = defaultdict(list)
    for entry in sorted(entries):
        found[entry.tag, entry.kind].append(entry)
    return found


def groups_over_cap(view: EpochView, entries: Sequence[Standing], set_aside: Iterable[Crowd], cap: int) -> set[str]:
    """The groups that have more records under one tag than `cap`, those set aside before included."""
    counts = Counter(view.groups[entry.institution] for entry in entries)
    for crowd in set_aside:
        counts[view.groups[crowd.institution]] += crowd.entries
    return {group for group, count in counts.items() if count > cap}


def split_by_cap(
    view: EpochView, entries: Sequence[Standing], set_aside: Iterable[Crowd], cap: int
) -> tuple[list[Standing], list[Standing]]:
    """The entries under one tag that stay, and those that their own group's excess puts aside."""
    over = groups_over_cap(view, entries, set_aside, cap)
    if not over:
        return list(entries), []
    kept: list[Standing] = []
    excess: list[Standing] = []
    for entry in entries:
        (excess if view.groups[entry.institution] in over else kept).append(entry)
    return kept, excess


def groups_meet(view: EpochView, entries: Iterable[Standing]) -> bool:
    """Whether entries of at least two groups of the newest roster are among `entries`."""
    return len({view.groups[entry.institution] for entry in entries if entry.institution in view.active}) > 1
