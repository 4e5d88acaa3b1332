"""The opening rule on the worked cases."""

from __future__ import annotations

import pytest

from policies.opening_rule import (
    Circumstances,
    KindPolicy,
    OpeningRule,
    ShownEntry,
    ShownRecord,
    opening,
    pairs,
    supports,
)
from tests.independent_opening_rule import opened
from tests.worked_bytes import worked

VECTORS = worked("opening_rule")


def shown(name: str, record: dict) -> ShownRecord:
    return ShownRecord(
        record["institution_id"],
        name.encode().ljust(16),
        record["expires_at"],
        tuple(
            ShownEntry(
                entry["kind"],
                None if entry["pk"] is None else bytes.fromhex(entry["pk"]),
                entry["possession_valid"],
            )
            for entry in record["entries"]
        ),
    )


def read(case: dict) -> tuple[dict[str, ShownRecord], Circumstances]:
    records = {name: shown(name, record) for name, record in case["records"].items()}
    rule = OpeningRule(case["rule"]["t"], case["rule"]["least_weight"], tuple(case["rule"]["alone"]))
    kinds = {kind: KindPolicy(weight, 1, possession, 1) for kind, (weight, possession) in VECTORS["kinds"].items()}
    withdrawn = frozenset((records[name].institution_id, records[name].handle) for name in case["withdrawn"])
    around = Circumstances(rule, kinds, VECTORS["groups"], frozenset(case["suspended"]), withdrawn, VECTORS["now"])
    return records, around


@pytest.mark.parametrize("case", VECTORS["cases"], ids=[case["name"] for case in VECTORS["cases"]])
def test_the_rule_decides_the_worked_case(case):
    records, around = read(case)
    expected = {name: frozenset(groups) for name, groups in case["expected"].items() if groups is not None}
    assert opening(records, around) == expected


@pytest.mark.parametrize("case", VECTORS["cases"], ids=[case["name"] for case in VECTORS["cases"]])
def test_the_second_rule_decides_the_worked_case(case):
    records, around = read(case)
    expected = {name: set(groups) for name, groups in case["expected"].items() if groups is not None}
    facts = {"kinds": around.kinds, "groups": around.groups, "suspended": around.suspended, "now": around.now}
    assert opened(records, rule=around.rule, withdrawn=around.withdrawn, **facts) == expected


def test_every_worked_case_is_read():
    assert len(VECTORS["cases"]) == 38


def test_a_rule_that_one_group_could_satisfy_is_refused():
    with pytest.raises(ValueError, match="at least two groups"):
        OpeningRule(1, 10, ())


def test_a_pair_is_reported_once_in_the_order_of_the_records():
    records, around = read(VECTORS["cases"][0])
    assert pairs(records, around) == [("R", "e")]
    assert supports(records["R"], records["e"], around)


def test_five_hundred_records_that_all_share_everything_open_with_every_other_group():
    kinds = {f"kind-{number}": KindPolicy(1, 1000, True, 1) for number in range(10)}
    entries = tuple(ShownEntry(kind, b"k" * 32, True) for kind in kinds)
    records = {
        number: ShownRecord(f"bank-{number % 5}", number.to_bytes(16, "big"), 2000, entries) for number in range(500)
    }
    groups = {f"bank-{number}": f"group-{number}" for number in range(5)}
    around = Circumstances(OpeningRule(5, 10, ()), kinds, groups, frozenset(), frozenset(), 1000)
    opens = opening(records, around)
    assert len(opens) == 500
    assert opens[0] == {"group-1", "group-2", "group-3", "group-4"}
