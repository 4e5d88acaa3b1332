"""Alerts that the broker shows must stand in the log's activity: what it hides from the auditor is marked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clients.charity.activity_check import LATE, MISSING
from clients.charity.rendering import render_queue
from policies.log.activity import COMMITMENTS, HOUR, event_text, hour_of
from policies.log.errors import LogRefused
from tests.agreement_world import Submission, World, make_world
from tests.charity_world import NOW, CharityWorld, make_charity

RAISED_IN = hour_of(NOW)
PHONE = {"phone": "+4915112345678"}


@pytest.fixture(scope="module")
def submitted() -> tuple[World, list[Submission]]:
    world = make_world()
    return world, [world.submit("bank-a", [PHONE]), world.submit("bank-b", [PHONE])]


@pytest.fixture
def charity(submitted: tuple[World, list[Submission]], tmp_path: Path) -> CharityWorld:
    world, submissions = submitted
    return make_charity(world, tmp_path, {"alert": submissions})


def marks(charity: CharityWorld, hours: int) -> dict[str, str]:
    """What is marked so many hours after the alert was raised; one that was found has an empty mark."""
    charity.clock.set(NOW + hours * HOUR)
    charity.broker.log.cosign(NOW + hours * HOUR)
    office = charity.office()
    items = office.refresh_queue()
    assert {item.entry.alert_id: item.mark for item in items if item.mark} == {
        alert_id: mark for alert_id, mark in office.store.marks().items() if mark
    }
    return office.store.marks()


def test_an_alert_that_the_hour_covers_is_not_marked_and_not_asked_about_again(charity: CharityWorld) -> None:
    charity.broker.close_hour(RAISED_IN, "alert", "another")
    assert marks(charity, 1) == {"alert": ""}
    charity.broker.hours.clear()
    assert marks(charity, 50) == {"alert": ""}


def test_before_its_hour_is_logged_nothing_is_said(charity: CharityWorld) -> None:
    assert marks(charity, 0) == {}
    charity.broker.close_hour(RAISED_IN)
    assert marks(charity, 1) == {}


def test_an_alert_that_never_shows_is_marked_for_good(charity: CharityWorld) -> None:
    charity.broker.close_hour(RAISED_IN)
    charity.broker.close_hour(RAISED_IN + HOUR)
    assert marks(charity, 2) == {"alert": MISSING}
    charity.broker.close_hour(RAISED_IN + 2 * HOUR, "alert")
    assert marks(charity, 3) == {"alert": MISSING}
    assert f"alert: {MISSING}" in render_queue(charity.office().queue())


def test_what_a_full_hour_had_no_room_for_is_waited_for(charity: CharityWorld) -> None:
    charity.broker.close_hour(RAISED_IN, room=0)
    charity.broker.close_hour(RAISED_IN + HOUR, room=0)
    assert marks(charity, 2) == {}
    charity.broker.close_hour(RAISED_IN + 2 * HOUR, "alert")
    assert marks(charity, 3) == {"alert": ""}


def test_an_activity_that_stays_away_is_overdue_until_it_comes(charity: CharityWorld) -> None:
    assert marks(charity, 3) == {"alert": LATE}
    charity.broker.close_hour(RAISED_IN, "alert", at=RAISED_IN + 4 * HOUR)
    assert marks(charity, 4) == {"alert": ""}


def test_an_hour_that_is_not_in_the_log_says_nothing(charity: CharityWorld) -> None:
    charity.broker.close_hour(RAISED_IN, "alert")
    charity.broker.log.leaves.pop()
    assert marks(charity, 1) == {}
    assert marks(charity, 3) == {"alert": LATE}


def test_a_place_that_is_another_leafs_is_refused(charity: CharityWorld) -> None:
    charity.broker.close_hour(RAISED_IN, "alert")
    charity.broker.find_leaf = lambda leaf_hash: 0  # type: ignore[method-assign]
    with pytest.raises(LogRefused, match="does not lead to the checkpoint's root"):
        marks(charity, 1)


def test_an_event_that_was_not_committed_to_is_refused(charity: CharityWorld) -> None:
    charity.broker.close_hour(RAISED_IN)
    charity.broker.close_hour(RAISED_IN + HOUR)
    hour = charity.broker.hours[0]
    assert len(hour.commitments) == 32 * COMMITMENTS
    charity.broker.close_hour(RAISED_IN + 2 * HOUR, "alert")
    (told,) = charity.broker.hours.pop().opened
    assert told.event == event_text("alert", RAISED_IN + 2 * HOUR, alert_id="alert", state="raised", records=2)
    charity.broker.hours[0] = replace(hour, opened=(told,))
    with pytest.raises(LogRefused, match="not the one that was committed to"):
        marks(charity, 1)


def test_an_event_kept_back_is_noticed(charity: CharityWorld) -> None:
    charity.broker.close_hour(RAISED_IN, "alert", "another")
    (hour,) = charity.broker.hours
    charity.broker.hours[0] = replace(hour, opened=hour.opened[1:])
    with pytest.raises(LogRefused, match="keeps an event"):
        marks(charity, 1)


def test_an_hour_left_out_is_noticed(charity: CharityWorld) -> None:
    charity.broker.close_hour(RAISED_IN)
    charity.broker.close_hour(RAISED_IN + 2 * HOUR)
    with pytest.raises(LogRefused, match="leaves an hour out"):
        marks(charity, 3)
