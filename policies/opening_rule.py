"""The rule that decides whether the quorum may open a record: one pure function over the records shown (section 6).

Broker, key holders, desk and auditor all decide by this module. It knows no key, no store and no clock, verifies no
signature itself (each entry says whether its possession held), and knows nothing of caps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

SharedKey = tuple[str, bytes]
"""A kind and a possession key of 32 bytes: what two records have in common."""


@dataclass(frozen=True, slots=True)
class KindPolicy:
    """What the epoch says of one kind: its weight, the cap per group and tag, whether it proves possession."""

    weight: int
    cap: int
    possession: bool
    normalisation: int


@dataclass(frozen=True, slots=True)
class OpeningRule:
    """`t` distinct groups (the record's own among them), the least weight, and the kinds that suffice alone."""

    t: int
    least_weight: int
    alone: Collection[str]

    def __post_init__(self) -> None:
        if self.t < 2:
            raise ValueError("an opening rule asks for at least two groups")


@dataclass(frozen=True, slots=True)
class ShownEntry:
    """One entry as far as the rule looks: `public_key` (32 bytes) is None in an entry that proves nothing."""

    kind: str
    public_key: bytes | None
    possession_valid: bool


@dataclass(frozen=True, slots=True)
class ShownRecord:
    """One record as far as the rule looks; `handle` has 16 bytes, `expires_at` is in Unix seconds."""

    institution_id: str
    handle: bytes
    expires_at: int
    entries: tuple[ShownEntry, ...]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the rule takes from outside the records.

    groups      group of each institution of the newest roster; who is not in it is unknown
    suspended   institutions whose records count for nothing
    withdrawn   (institution_id, handle) of withdrawn records
    now         Unix seconds
    """

    rule: OpeningRule
    kinds: Mapping[str, KindPolicy]
    groups: Mapping[str, str]
    suspended: frozenset[str]
    withdrawn: frozenset[tuple[str, bytes]]
    now: int


def group_of(record: ShownRecord, circumstances: Circumstances) -> str | None:
    """The group in whose name the record counts; None if it counts for nothing.

    That is: of an unknown or suspended institution, withdrawn, or expired (now >= expires_at).
    """
    institution = record.institution_id
    if institution in circumstances.suspended or circumstances.now >= record.expires_at:
        return None
    if (institution, record.handle) in circumstances.withdrawn:
        return None
    return circumstances.groups.get(institution)


def proven_keys(record: ShownRecord, kinds: Mapping[str, KindPolicy]) -> frozenset[SharedKey]:
    """The (kind, public key) pairs that count: of kinds that prove possession, with a possession that held."""
    return frozenset(
        (entry.kind, entry.public_key)
        for entry in record.entries
        if entry.public_key is not None
        and entry.possession_valid
        and entry.kind in kinds
        and kinds[entry.kind].possession
    )


def shared_kinds(a: ShownRecord, b: ShownRecord, circumstances: Circumstances) -> frozenset[str]:
    """The kinds under which both records prove possession of the same key; empty where either counts for nothing."""
    if group_of(a, circumstances) is None or group_of(b, circumstances) is None:
        return frozenset()
    kinds = circumstances.kinds
    return frozenset(kind for kind, _ in proven_keys(a, kinds) & proven_keys(b, kinds))


def supports(a: ShownRecord, b: ShownRecord, circumstances: Circumstances) -> bool:
    """Whether `a` supports `b`, which is the same as `b` supporting `a`."""
    if group_of(a, circumstances) == group_of(b, circumstances):
        return False
    return _suffice(shared_kinds(a, b, circumstances), circumstances)


def opening(records: Mapping[Key, ShownRecord], circumstances: Circumstances) -> dict[Key, frozenset[str]]:
    """For each record that opens, the groups that support it; records that stay shut are absent.

    An alert is raised if and only if the answer is not empty.
    """
    index = _Index(records, circumstances)
    supporters = {key: index.supporting_groups(key) for key in index.groups}
    needed = circumstances.rule.t - 1
    return {key: groups for key, groups in supporters.items() if len(groups) >= needed}


def pairs(records: Mapping[Key, ShownRecord], circumstances: Circumstances) -> list[tuple[Key, Key]]:
    """Every two records of different groups that support each other, each pair once, in the order of `records`."""
    index = _Index(records, circumstances)
    position = {key: number for number, key in enumerate(records)}
    return [
        (key, other)
        for key in index.groups
        for other in sorted(index.supporters(key), key=position.__getitem__)
        if position[key] < position[other]
    ]


def _suffice(kinds: Iterable[str], circumstances: Circumstances) -> bool:
    """Whether sharing exactly `kinds` is support: something is shared, and it is heavy enough or suffices alone."""
    shared = frozenset(kinds)
    if not shared:
        return False
    if not shared.isdisjoint(circumstances.rule.alone):
        return True
    return sum(circumstances.kinds[kind].weight for kind in shared) >= circumstances.rule.least_weight


class _Index(Generic[Key]):
    """The records that count, found by what they share, so that only records with something in common are compared."""

    def __init__(self, records: Mapping[Key, ShownRecord], circumstances: Circumstances) -> None:
        self._circumstances = circumstances
        self.groups: dict[Key, str] = {}
        self._keys: dict[Key, frozenset[SharedKey]] = {}
        self._holders: dict[SharedKey, set[Key]] = defaultdict(set)
        for key, record in records.items():
            group = group_of(record, circumstances)
            if group is None:
                continue
            self.groups[key] = group
            self._keys[key] = proven_keys(record, circumstances.kinds)
            for shared in self._keys[key]:
                self._holders[shared].add(key)

    def supporters(self, key: Key) -> set[Key]:
        """The records that support `key`."""
        return {other for other, kinds in self._shared_with_others(key).items() if _suffice(kinds, self._circumstances)}

    def supporting_groups(self, key: Key) -> frozenset[str]:
        """The distinct groups of the records that support `key`."""
        return frozenset(self.groups[other] for other in self.supporters(key))

    def _shared_with_others(self, key: Key) -> dict[Key, set[str]]:
        """For each record of another group that shares something with `key`, the kinds shared."""
        own_group = self.groups[key]
        shared: dict[Key, set[str]] = defaultdict(set)
        for kind, public_key in self._keys[key]:
            for other in self._holders[kind, public_key]:
                if self.groups[other] != own_group:
                    shared[other].add(kind)
        return shared
