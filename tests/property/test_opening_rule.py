"""The opening rule against a second one that was written independently, on random alerts; and its laws."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.opening_rule import (
    Circumstances,
    KindPolicy,
    OpeningRule,
    ShownEntry,
    ShownRecord,
    opening,
    pairs,
    shared_kinds,
    supports,
)
from tests.independent_opening_rule import opened, support_matrix

NAMES = ("phone", "email", "passport", "person.name-birthdate", "employer.name", "zero")
INSTITUTIONS = ("bank-a", "bank-a2", "bank-b", "police-c", "bank-e", "stranger")
GROUPS = {"bank-a": "g-a", "bank-a2": "g-a", "bank-b": "g-b", "police-c": "g-c", "bank-e": "g-e"}
KEYS = tuple(bytes([number]) * 32 for number in range(3))

entries = st.builds(
    ShownEntry,
    kind=st.sampled_from((*NAMES, "unknown")),
    public_key=st.sampled_from((*KEYS, *KEYS, None)),
    possession_valid=st.sampled_from((True, True, True, False)),
)
records = st.builds(
    ShownRecord,
    institution_id=st.sampled_from(INSTITUTIONS),
    handle=st.sampled_from(tuple(bytes([number]) * 16 for number in range(6))),
    expires_at=st.sampled_from((999, 1000, 1001, 2000, 2000, 2000)),
    entries=st.lists(entries, max_size=6).map(tuple),
)
alerts = st.dictionaries(st.integers(0, 30), records, max_size=8)
kinds = st.fixed_dictionaries(
    {
        name: st.builds(
            KindPolicy,
            weight=st.integers(0, 9),
            cap=st.just(10),
            possession=st.just(name != "employer.name"),
            normalisation=st.just(1),
        )
        for name in NAMES
    }
)
rules = st.builds(
    OpeningRule,
    t=st.sampled_from((2, 2, 3, 4)),
    least_weight=st.integers(0, 20),
    alone=st.frozensets(st.sampled_from(NAMES), max_size=2),
)
circumstances = st.builds(
    Circumstances,
    rule=rules,
    kinds=kinds,
    groups=st.just(GROUPS),
    suspended=st.frozensets(st.sampled_from(INSTITUTIONS), max_size=1),
    withdrawn=st.frozensets(
        st.tuples(st.sampled_from(INSTITUTIONS), st.sampled_from(tuple(bytes([n]) * 16 for n in range(6)))), max_size=2
    ),
    now=st.just(1000),
)


def facts(around: Circumstances) -> dict:
    return {
        "rule": around.rule,
        "kinds": dict(around.kinds),
        "groups": dict(around.groups),
        "suspended": set(around.suspended),
        "withdrawn": set(around.withdrawn),
        "now": around.now,
    }


@settings(max_examples=2000, deadline=None)
@given(alerts, circumstances)
def test_both_rules_decide_alike_on_random_alerts(alert, around):
    assert {key: set(groups) for key, groups in opening(alert, around).items()} == opened(alert, **facts(around))


@settings(max_examples=500, deadline=None)
@given(alerts, circumstances)
def test_pairs_and_supports_are_the_second_rules_matrix(alert, around):
    matrix = support_matrix(alert, **facts(around))
    found = pairs(alert, around)
    assert {(a, b) for a, b in found} | {(b, a) for a, b in found} == matrix
    assert len(set(found)) == len(found)
    assert {(a, b) for a in alert for b in alert if a != b and supports(alert[a], alert[b], around)} == matrix


@settings(max_examples=150, deadline=None)
@given(records, records, circumstances)
def test_support_is_mutual_and_never_within_a_group(a, b, around):
    assert supports(a, b, around) == supports(b, a, around)
    assert shared_kinds(a, b, around) == shared_kinds(b, a, around)
    assert not supports(a, replace(a, handle=b"z" * 16), around)


@settings(max_examples=150, deadline=None)
@given(alerts, records, circumstances)
def test_a_further_record_never_shuts_what_opened(alert, further, around):
    before = opening(alert, around)
    after = opening({**alert, "further": further}, around)
    assert all(before[key] <= after[key] for key in before)


@settings(max_examples=150, deadline=None)
@given(alerts, circumstances, st.sampled_from(INSTITUTIONS))
def test_suspending_an_institution_only_takes_away(alert, around, institution):
    after = opening(alert, replace(around, suspended=around.suspended | {institution}))
    assert set(after) <= set(opening(alert, around))
    assert all(alert[key].institution_id != institution for key in after)


@settings(max_examples=150, deadline=None)
@given(st.lists(records, max_size=8), circumstances, st.randoms())
def test_the_order_of_records_does_not_matter(listed, around, random):
    alert = dict(enumerate(listed))
    shuffled = list(alert.items())
    random.shuffle(shuffled)
    assert opening(alert, around) == opening(dict(shuffled), around)
