"""What an operator and an auditor see of caps: counts by institution and kind, never a tag. Changes nothing."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, text

from broker.store.schema import CAP, OTHER_KEY, POSSESSION

REASONS = {CAP: "over-cap", POSSESSION: "possession-invalid", OTHER_KEY: "other-key"}


class SetAside(NamedTuple):
    """Entries of one institution and kind that do not count, and under how many tags they stand."""

    institution_id: str
    kind: str
    reason: str
    entries: int
    tags: int


class Excess(NamedTuple):
    """Tags of one kind under which all groups together have more records than the cap of one; the most under a tag."""

    kind: str
    tags: int
    most_records: int


_SET_ASIDE = text(
    "SELECT i.institution_id, k.name, s.reason, count(*), count(DISTINCT s.tag) FROM set_aside s"
    " JOIN institution i ON i.epoch = s.epoch AND i.institution = s.institution"
    " JOIN kind k ON k.epoch = s.epoch AND k.kind = s.kind"
    " WHERE s.epoch = :epoch GROUP BY i.institution_id, k.name, s.reason"
    " ORDER BY i.institution_id, k.name, s.reason"
)
_CROWDS = text(
    "SELECT k.name, crowds.records, count(*) FROM"
    " (SELECT m.kind, m.tag, count(*) AS records FROM meeting m"
    " JOIN entry e ON e.tag = m.tag AND e.kind = m.kind AND e.epoch = m.epoch"
    " WHERE m.epoch = :epoch GROUP BY m.kind, m.tag) AS crowds"
    " JOIN kind k ON k.epoch = :epoch AND k.kind = crowds.kind GROUP BY k.name, crowds.records ORDER BY k.name"
)


def entries_set_aside(connection: Connection, epoch: int) -> list[SetAside]:
    """What was set aside, and in whose name."""
    rows = connection.execute(_SET_ASIDE, {"epoch": epoch})
    return [SetAside(row[0], row[1], REASONS[row[2]], row[3], row[4]) for row in rows]


def crowd_sizes(connection: Connection, epoch: int) -> list[tuple[str, int, int]]:
    """For each kind and number of records under one tag where groups meet: how many such tags there are."""
    return [(row[0], row[1], row[2]) for row in connection.execute(_CROWDS, {"epoch": epoch})]


def excess_across_groups(sizes: list[tuple[str, int, int]], caps: dict[str, int]) -> list[Excess]:
    """The kinds with tags under which all groups together exceed the cap: flagged, not touched. From `crowd_sizes`."""
    found: list[Excess] = []
    for kind, cap in sorted(caps.items()):
        over = [(records, tags) for name, records, tags in sizes if name == kind and records > cap]
        if over:
            found.append(Excess(kind, sum(tags for _, tags in over), max(records for records, _ in over)))
    return found
