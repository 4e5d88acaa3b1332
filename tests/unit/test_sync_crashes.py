"""A sync that is killed anywhere goes on in the next run: nothing is charged twice, sent twice or lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.exits import ExitCode
from tests.agreement_world import World, make_world
from tests.sync_parts import Bank, Killed, people, table


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture
def bank(world: World, tmp_path: Path) -> Bank:
    return Bank.new(world, tmp_path)


def killed_at(call: int) -> Callable[..., None]:
    """A hook that kills the program at its so-many-th call (from 1), and never again."""
    calls = 0

    def hook(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise Killed

    return hook


def charges(bank: Bank) -> int:
    return sum(sum(holder.charged.values()) for holder in bank.holders.values())


@pytest.mark.parametrize("call", range(1, 7))
def test_killed_while_holders_are_asked_the_repeated_chunks_are_not_charged_again(bank: Bank, call: int) -> None:
    hook = killed_at(call)
    for holder in bank.holders.values():
        holder.before_answer = hook
    with pytest.raises(Killed):
        bank.sync(table(people(5)))
    assert bank.broker.records == {}
    report = bank.sync(table(people(5)))
    assert report.sent == len(bank.broker.records) == 5
    # Two families of one chunk of five, each at two holders; killed before or after they were charged.
    assert charges(bank) == 20


@pytest.mark.parametrize("call", range(1, 9))
def test_a_crash_around_sending_resends_identical_bytes(bank: Bank, call: int) -> None:
    """Attack 15: a crash around sending: identical bytes."""
    bank.broker.crash = killed_at(call)
    try:
        bank.sync(table(people(5)), record_limit=5)
    except Killed:
        bank.sync(table(people(5)), record_limit=5)
    assert len(bank.broker.records) == 5
    assert bank.broker.last_seq == 1
    sent: dict[str, set[bytes]] = {}
    for where, body in bank.broker.received:
        sent.setdefault(where, set()).add(body)
    assert all(len(bodies) == 1 for bodies in sent.values())
    assert charges(bank) == 20


@pytest.mark.parametrize("call", range(1, 10))
def test_killed_anywhere_at_the_broker_the_end_is_that_of_an_undisturbed_run(bank: Bank, call: int) -> None:
    rows = people(5)
    bank.sync(table(rows))
    rows["customer-0"]["phone"] = "+447900055555"
    del rows["customer-4"]
    bank.broker.crash = killed_at(call)
    try:
        report = bank.sync(table(rows))
    except Killed:
        report = bank.sync(table(rows))
    assert report.exit_code == ExitCode.OK
    assert len(bank.broker.records) == 4
    assert len(bank.broker.tombstones) == 2
    assert len(bank.broker.entries()) == 8
    handles = [handle for each in bank.holders[3].withdrawn for handle in each.handles]
    assert set(handles) == bank.broker.tombstones
    assert bank.sync(table(rows)).submissions == 0


def test_a_withdrawn_handle_never_returns(bank: Bank) -> None:
    rows = people(2)
    handles: set[bytes] = set()
    for night in range(4):
        rows["customer-0"]["note"] = str(night)
        bank.sync(table(rows))
        assert not bank.broker.tombstones & set(bank.broker.records)
        handles |= set(bank.broker.records)
    assert len(handles) == 5


def test_a_run_after_a_kill_with_another_source_still_uses_what_was_charged(bank: Bank) -> None:
    hook = killed_at(4)
    for holder in bank.holders.values():
        holder.before_answer = hook
    with pytest.raises(Killed):
        bank.sync(table(people(5)))
    before = charges(bank)
    report = bank.sync(table(people(7)))
    assert report.sent == 7
    # The chunks of five are asked again as they were; the two new people make two chunks of two.
    assert charges(bank) <= max(before, 20) + 8
