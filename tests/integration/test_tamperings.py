"""Tamperings of the broker's past are found and named; `make tamper` does a thousand, of every kind."""

from __future__ import annotations

import pytest

from tests.tamper import findings, run
from tests.tamper_world import TamperWorld
from tests.tamperings import KINDS

CHOSEN = (0, 2, 5, 9, 11, 16, 18, 23)
"""One of each sort: in the log with and without its key, cosignatures, documents, withdrawals, records, activity."""

pytestmark = pytest.mark.xdist_group("tamperings")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> TamperWorld:
    return TamperWorld.build(tmp_path_factory.mktemp("tamperings"))


def test_nobody_complains_of_an_honest_past(world: TamperWorld) -> None:
    world.restore()
    assert list(findings(world)) == []


@pytest.mark.parametrize("seed", CHOSEN, ids=[KINDS[seed].name for seed in CHOSEN])
def test_a_tampering_is_found_and_named(world: TamperWorld, seed: int) -> None:
    found = run(world, seed)
    assert found.finder, found.what
