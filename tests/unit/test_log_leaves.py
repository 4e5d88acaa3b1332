"""Leaves say what their event says and nothing else: whatever more stands in one is found by whoever reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785

from policies.log.errors import LogRefused
from policies.log.leaves import (
    EVENTS,
    MEMBERS,
    PREFIX,
    activity_leaf,
    decision_leaf,
    evaluations_leaf,
    expiry_leaf,
    login_leaf,
    read_leaf,
    submission_leaf,
    withdrawal_leaf,
)
from policies.log.tiles import LONGEST_LEAF
from tests.worked_bytes import unhex, worked

AT = 1_767_225_600
COUNTS = {"type": "crosslight/v1 counts", "holder": 1, "epoch_id": "e", "day": "2026-03-01", "counts": []}
SUBMISSION = worked("submission")
MADE = {
    "submission": submission_leaf(unhex(SUBMISSION["statement"]), AT),
    "withdrawal": withdrawal_leaf(unhex(SUBMISSION["withdrawal"]["statement"]), AT),
    "expiry": expiry_leaf("bank-a", 3, AT),
    "evaluations": evaluations_leaf(COUNTS, bytes(64), AT),
    "decision": decision_leaf({"allowed": True}, AT),
    "login": login_leaf("bank-a", "institution", "2026-03-01", AT),
    "activity": activity_leaf(AT, bytes(32), AT),
}


def changed(leaf: bytes, **members: Any) -> bytes:
    return rfc8785.dumps({**json.loads(leaf), **members})


@pytest.mark.parametrize("event", MADE)
def test_an_event_s_leaf_is_read_as_it_was_made(event: str) -> None:
    leaf = read_leaf(MADE[event])
    assert (leaf.type, leaf.at) == (event, AT)
    assert leaf.body.keys() ^ MEMBERS[event] == set()
    assert rfc8785.dumps({"type": PREFIX + event, "at": AT, **leaf.body}) == MADE[event]


def test_counts_too_long_for_a_leaf_are_named_by_their_hash() -> None:
    leaf = evaluations_leaf({**COUNTS, "counts": ["x" * LONGEST_LEAF]}, bytes(64), AT)
    assert set(read_leaf(leaf).body) == MEMBERS["evaluations"] - {"document"}


@pytest.mark.parametrize("event", MADE)
def test_a_leaf_that_says_more_or_less_than_its_event_is_refused(event: str) -> None:
    leaf = MADE[event]
    with pytest.raises(LogRefused, match="more or less"):
        read_leaf(changed(leaf, identifier="+491701234567"))
    for name in MEMBERS[event] - {"document"}:
        document = json.loads(leaf)
        del document[name]
        with pytest.raises(LogRefused, match="more or less"):
            read_leaf(rfc8785.dumps(document))
        with pytest.raises(LogRefused, match=f"where its {name} belongs"):
            read_leaf(changed(leaf, **{name: None}))


@pytest.mark.parametrize("event", EVENTS)
def test_numbers_are_no_words_and_answers_no_numbers(event: str) -> None:
    for name in MEMBERS[event]:
        body: dict[str, Any] = dict.fromkeys(MEMBERS[event], "x") | {name: True if name != "suspended" else 1}
        with pytest.raises(LogRefused):
            read_leaf(rfc8785.dumps({"type": PREFIX + event, "at": AT, **body}))


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"[]",
        b"{}",
        MADE["expiry"] + b" ",
        MADE["expiry"].replace(b",", b", "),
        MADE["expiry"].replace(b'"bank-a"', b'"bank\\u002da"'),
        changed(MADE["expiry"], type="crosslight/v1 leaf gossip"),
        changed(MADE["expiry"], type="expiry"),
        changed(MADE["expiry"], at=-1),
        changed(MADE["expiry"], at=True),
        changed(MADE["expiry"], at="now"),
    ],
)
def test_what_is_no_leaf_in_its_one_form_is_refused(leaf: bytes) -> None:
    with pytest.raises(LogRefused):
        read_leaf(leaf)
