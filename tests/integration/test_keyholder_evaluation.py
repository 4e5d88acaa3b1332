"""Evaluation by served key holders: who is answered, what is charged, and that the answers are the OPRF's."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from crypto import oprf
from crypto.keyfiles import KeyRing
from crypto.shares import share_name
from crypto.tags import identifier_input
from tests.agreement_world import START, World, make_world
from tests.clocks import MovableClock
from tests.holders import Holders, key_ring, serve_in_process
from wire.problems import RemoteProblem

DAY = 86_400


@pytest.fixture
def holders(tmp_path: Path, database_url: str) -> Holders:
    """Three holders of whom two evaluate; the first on each kind of database."""
    return serve_in_process(make_world(), tmp_path, database_urls={1: database_url})


def blinded(count: int = 3) -> oprf.Blinded:
    return oprf.blind([secrets.token_bytes(20) for _ in range(count)])


def refusal(ask: object, *arguments: object, **named: object) -> RemoteProblem:
    with pytest.raises(RemoteProblem) as caught:
        ask(*arguments, **named)  # type: ignore[operator]
    return caught.value


@pytest.mark.parametrize("holder_set", [(1, 2), (1, 3), (2, 3)])
def test_any_two_holders_give_the_output_of_the_whole_key(holders: Holders, holder_set: tuple[int, int]) -> None:
    inputs = [identifier_input(holders.trust.epoch_id, "phone", f"+4477009001{n:02}") for n in range(3)]
    mine = oprf.blind(inputs)
    answers = {index: holders.ask("bank-a", index, mine.elements, holder_set=holder_set) for index in holder_set}
    evaluated = holders.combined(answers, "phone", mine.elements)
    outputs = oprf.finalize(inputs, mine.blinds, evaluated)
    assert outputs == [holders.world.evaluate("phone", one) for one in inputs]
