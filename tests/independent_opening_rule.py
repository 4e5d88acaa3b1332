"""A second opening rule, written from protocol section 6 alone, to hold the first one against.

It works with relations: a matrix of what every pair of records has in common, then one row a record. It is slow, and
shares no code and no shortcut with `policies.opening_rule`.
"""

from __future__ import annotations

from itertools import product


def common_kinds(records: dict, kinds: dict) -> dict:
    """For every ordered pair of records, the set of kinds with an equal key and valid possession in both."""
    matrix: dict = {}
    for (left, a), (right, b) in product(records.items(), repeat=2):
        matrix[left, right] = {
            x.kind
            for x in a.entries
            for y in b.entries
            if x.kind == y.kind
            and kinds.get(x.kind) is not None
            and kinds[x.kind].possession is True
            and x.possession_valid is True
            and y.possession_valid is True
            and x.public_key is not None
            and y.public_key is not None
            and x.public_key == y.public_key
        }
    return matrix


def alive(record, groups: dict, suspended: set, withdrawn: set, now: int) -> bool:
    """Not of a suspended or unknown institution, not withdrawn, not expired."""
    known = record.institution_id in groups
    trusted = record.institution_id not in suspended
    kept = (record.institution_id, record.handle) not in withdrawn
    return known and trusted and kept and not (now >= record.expires_at)


def support_matrix(records: dict, *, rule, kinds: dict, groups: dict, suspended: set, withdrawn: set, now: int) -> set:
    """The ordered pairs (e, R) in which e supports R."""
    common = common_kinds(records, kinds)
    living = [name for name, record in records.items() if alive(record, groups, suspended, withdrawn, now)]
    relation = set()
    for e, target in product(living, repeat=2):
        if groups[records[e].institution_id] == groups[records[target].institution_id]:
            continue
        shared = common[e, target]
        heavy_enough = len(shared) > 0 and sum(kinds[kind].weight for kind in shared) >= rule.least_weight
        sufficient_alone = any(kind in rule.alone for kind in shared)
        if heavy_enough or sufficient_alone:
            relation.add((e, target))
    return relation


def opened(records: dict, *, rule, kinds: dict, groups: dict, suspended: set, withdrawn: set, now: int) -> dict:
    """The records that open, each with the set of groups that support it."""
    relation = support_matrix(
        records, rule=rule, kinds=kinds, groups=groups, suspended=suspended, withdrawn=withdrawn, now=now
    )
    result = {}
    for target in records:
        supporters = {groups[records[e].institution_id] for e, wanted in relation if wanted == target}
        if len(supporters) >= rule.t - 1:
            result[target] = supporters
    return result
