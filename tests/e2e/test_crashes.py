"""Killed at random points, a night ends as if nothing had happened. `make chaos` runs many more of these."""

from collections.abc import Iterator

import pytest

from tests.chaos_world import EndState, Template, disturbed, template, undisturbed

pytestmark = pytest.mark.xdist_group("crashes")

SEEDS = range(20)


@pytest.fixture(scope="module")
def prepared() -> Iterator[tuple[Template, EndState]]:
    with template() as made:
        yield made, undisturbed(made)


def test_the_undisturbed_night_raises_an_alert_for_everybody_in_both_banks(
    prepared: tuple[Template, EndState],
) -> None:
    _, expected = prepared
    assert len(expected.records) == 240
    assert len(expected.alerts) == 40
    assert expected.charged


@pytest.mark.parametrize("seed", SEEDS)
def test_a_night_with_kills_ends_equal_to_the_undisturbed_one(prepared: tuple[Template, EndState], seed: int) -> None:
    made, expected = prepared
    assert disturbed(made, seed) == expected
