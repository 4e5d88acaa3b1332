"""Killed at random points, a night ends as if nothing had happened. `make chaos` runs many more of these."""

from collections.abc import Iterator

import pytest

from tests.chaos_world import Nights, nights

pytestmark = pytest.mark.xdist_group("crashes")

SEEDS = range(20)


@pytest.fixture(scope="module")
def running() -> Iterator[Nights]:
    with nights() as made:
        yield made


def test_the_undisturbed_night_raises_an_alert_for_everybody_in_both_banks(running: Nights) -> None:
    assert len(running.undisturbed.records) == 240
    assert len(running.undisturbed.alerts) == 40
    assert {spent for *_, spent in running.undisturbed.charged} >= {120}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_night_with_kills_ends_equal_to_the_undisturbed_one(running: Nights, seed: int) -> None:
    assert running.disturbed(seed) == running.undisturbed
