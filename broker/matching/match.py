"""Takes fresh entries into the index, finds where groups meet, and joins the records that meet into alerts.

One call is one set of entries in one transaction: it happened whole or not at all, and happening twice changes
nothing. Nobody waits for it: a receipt was given before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from broker.matching.crowds import TagKey, by_tag, groups_meet, split_by_cap
from broker.matching.join import Link, join
from broker.matching.judge import judge
from broker.matching.possession import verify_possession
from broker.matching.view import EpochView
from broker.store import components, index
from broker.store.index import Crowd, Meeting, Standing
from broker.store.schema import CAP, NO_PROOF, OTHER_KEY, POSSESSION, PROOF


@dataclass
class _Sorting:
    """What one call found so far."""

    put_aside: list[tuple[Standing, int]] = field(default_factory=list)
    candidates: dict[TagKey, list[Standing]] = field(default_factory=dict)
    loosened: set[int] = field(default_factory=set)
    """Alerts from under one of whose meetings an entry went."""


def match(connection: Connection, view: EpochView, fresh: Sequence[Standing], now: int) -> None:
    """Put `fresh` into the index and bring the alerts up to date.

    To be called after `lock_index` and `scratch.prepare`; `now` is in Unix seconds.
    """
    index.index_fresh(connection, fresh)
    index.find_crowded(connection)
    entries = index.crowded_entries(connection)
    if not entries:
        return
    meetings = {(m.tag, m.kind): m for m in index.crowded_meetings(connection)}
    sorting = _apply_caps(view, by_tag(entries), index.crowded_set_aside(connection), meetings)
    unproven = _to_verify(sorting.candidates, meetings, {entry.record_id for entry in fresh})
    bodies = index.bodies_of(connection, {standing.record_id for standing in unproven})
    keys = verify_possession(unproven, bodies, view.kind_names)
    links = _links(view, sorting, meetings, unproven, keys)
    index.put_aside(connection, sorting.put_aside)
    components.mark_stale(connection, sorting.loosened)
    components.set_meeting_keys(connection, view.epoch, _learned_keys(links, meetings))
    if links:
        alerts = join(connection, view, links, now)
        judge(connection, view, {record for link in links for record in link.records}, alerts, now)


def _apply_caps(
    view: EpochView,
    crowds: Mapping[TagKey, list[Standing]],
    set_aside: Sequence[Crowd],
    meetings: Mapping[TagKey, Meeting],
) -> _Sorting:
    """Set aside what is over a cap, and find the tags under which groups meet among the rest."""
    sorting = _Sorting()
    aside: dict[TagKey, list[Crowd]] = defaultdict(list)
    for crowd in set_aside:
        aside[crowd.tag, crowd.kind].append(crowd)
    for key, entries in crowds.items():
        kept, excess = split_by_cap(view, entries, aside[key], view.policy(key[1]).cap)
        sorting.put_aside += ((standing, CAP) for standing in excess)
        if excess and key in meetings:
            sorting.loosened.add(meetings[key].alert)
        if groups_meet(view, kept):
            sorting.candidates[key] = kept
    return sorting


def _to_verify(
    candidates: Mapping[TagKey, Sequence[Standing]], meetings: Mapping[TagKey, Meeting], fresh: Collection[int]
) -> list[Standing]:
    """The entries with a proof that nobody has verified yet: under a meeting, all but the fresh ones have been."""
    return [
        standing
        for key, entries in candidates.items()
        for standing in entries
        if standing.proof == PROOF and (key not in meetings or standing.record_id in fresh)
    ]


def _learned_keys(links: Sequence[Link], meetings: Mapping[TagKey, Meeting]) -> dict[TagKey, bytes]:
    """The keys of meetings that so far only entries without a proof had made."""
    return {
        (link.tag, link.kind): link.public_key
        for link in links
        if link.public_key and link.alert is not None and not meetings[link.tag, link.kind].public_key
    }


def _links(
    view: EpochView,
    sorting: _Sorting,
    meetings: Mapping[TagKey, Meeting],
    unproven: Sequence[Standing],
    keys: Mapping[Standing, bytes | None],
) -> list[Link]:
    """The tags under which groups meet with possession, and equal keys; what failed goes into `sorting.put_aside`."""
    awaiting = set(unproven)
    links: list[Link] = []
    for key, entries in sorting.candidates.items():
        meeting = meetings.get(key)
        public_key = meeting.public_key if meeting else b""
        standing_ones: list[Standing] = []
        for standing in entries:
            if standing not in awaiting or standing.proof == NO_PROOF:
                standing_ones.append(standing)
                continue
            if standing not in keys:
                continue  # its record was withdrawn meanwhile
            found = keys[standing]
            if found is None:
                sorting.put_aside.append((standing, POSSESSION))
            elif public_key and found != public_key:
                # Equal tags, unequal keys: 16 bytes collided. All 32 decide, and the key that stood first stays.
                sorting.put_aside.append((standing, OTHER_KEY))
            else:
                public_key = found
                standing_ones.append(standing)
        if groups_meet(view, standing_ones):
            records = tuple(one.record_id for one in standing_ones if one.institution in view.active)
            links.append(Link(key[0], key[1], public_key, records, meeting.alert if meeting else None))
    return links
