"""What hides behind the hour's activity leaf: commitments that open to one event alone, and the same count always."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.log.activity import (
    COMMITMENTS,
    activity_root,
    commitment,
    empty_commitment,
    event_text,
    hour_of,
    read_event,
    split_commitments,
    verify_opening,
)
from policies.log.errors import LogRefused

SALT, SECRET = bytes(range(16)), bytes(32)
EVENT = event_text("opening", 1_767_225_600, records=3)
HOUR = [commitment(SALT, EVENT), *(empty_commitment(SECRET, place) for place in range(1, COMMITMENTS))]


def test_a_commitment_opens_to_its_event_at_its_place_alone() -> None:
    verify_opening(HOUR, 0, SALT, EVENT)
    other = event_text("opening", 1_767_225_600, records=4)
    for place, salt, event in ((0, SALT, other), (0, bytes(16), EVENT), (1, SALT, EVENT), (-1, SALT, EVENT)):
        with pytest.raises(LogRefused, match="committed"):
            verify_opening(HOUR, place, salt, event)
    with pytest.raises(LogRefused, match="committed"):
        verify_opening(HOUR, COMMITMENTS, SALT, EVENT)
    with pytest.raises(LogRefused, match="salt"):
        verify_opening(HOUR, 0, SALT[1:], EVENT)


def test_every_hour_has_as_many_commitments_and_no_two_empty_ones_are_alike() -> None:
    assert len(activity_root(HOUR)) == 32
    assert len(set(HOUR)) == COMMITMENTS
    assert empty_commitment(SECRET, 1) != empty_commitment(b"\x01" * 32, 1)
    assert split_commitments(b"".join(HOUR)) == HOUR
    for wrong in (HOUR[1:], [*HOUR, HOUR[0]], [b"", *HOUR[1:]], []):
        with pytest.raises(LogRefused, match="1024"):
            activity_root(wrong)
    with pytest.raises(LogRefused, match="secret"):
        empty_commitment(b"", 1)


@given(st.integers(0, 2**40))
def test_an_hour_begins_at_or_before_each_of_its_seconds(now: int) -> None:
    assert hour_of(now) % 3600 == 0
    assert 0 <= now - hour_of(now) < 3600


def test_an_event_is_read_as_it_was_written() -> None:
    assert read_event(EVENT) == {"type": "crosslight/v1 event opening", "at": 1_767_225_600, "records": 3}
    for text in ("", "[]", "{}", EVENT + " ", EVENT.replace('"at":1767225600,', ""), '{"at":1,"type":2}', "\ud800"):
        with pytest.raises(LogRefused):
            read_event(text)
