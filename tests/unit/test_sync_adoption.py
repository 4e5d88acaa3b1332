"""A lost state, or an outbox that is refused for good: going on behind the broker's count loses no withdrawal."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from clients.institution.adoption import Adoption, adopt_sequence
from clients.institution.outbox import store_withdrawal
from runtime.clock import unix
from runtime.exits import UserError
from tests.agreement_world import World, make_world
from tests.sync_parts import Bank, Killed, people, refuse, table


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture
def bank(world: World, tmp_path: Path) -> Bank:
    return Bank.new(world, tmp_path)


def adopt(bank: Bank) -> Adoption:
    with bank.open() as state:
        parts = bank.parts(state)
        return adopt_sequence(state, parts.delivery, parts.author, unix(bank.clock))


def test_after_the_state_was_lost_every_row_is_sent_anew_behind_the_brokers_count(bank: Bank) -> None:
    bank.sync(table(people(4)))
    shutil.rmtree(bank.home / "state")
    with pytest.raises(UserError, match="adopt-sequence"):
        bank.sync(table(people(4)))
    assert adopt(bank) == Adoption(1, 0)
    assert bank.sync(table(people(4))).sent == 4
    assert bank.broker.last_seq == 2


def test_an_older_copy_of_the_state_goes_on_and_resends_only_what_it_does_not_know(bank: Bank) -> None:
    bank.sync(table(people(4)))
    shutil.copytree(bank.home / "state", bank.home / "copy")
    bank.sync(table(people(6)))
    shutil.rmtree(bank.home / "state")
    shutil.move(bank.home / "copy", bank.home / "state")
    adopt(bank)
    assert bank.sync(table(people(6))).sent == 2
    assert bank.broker.last_seq == 3


def test_what_the_broker_has_applied_already_is_not_made_again(bank: Bank) -> None:
    def die(where: str) -> None:
        if where == "committed":
            raise Killed

    bank.broker.crash = die
    with pytest.raises(Killed):
        bank.sync(table(people(4)))
    bank.broker.crash = lambda where: None
    assert adopt(bank) == Adoption(1, 0)
    assert bank.sync(table(people(4))).sent == 0
    assert len(bank.broker.records) == 4


def test_a_submission_that_is_refused_for_good_is_made_anew_and_its_withdrawal_is_kept(bank: Bank) -> None:
    rows = people(4)
    bank.sync(table(rows))
    first = set(bank.broker.records)
    rows["customer-1"]["phone"] = "+447900044444"

    def refuse_opening(where: str) -> None:
        if where == "open":
            raise refuse("It has expired.")

    bank.broker.crash = refuse_opening
    with pytest.raises(UserError):
        bank.sync(table(rows))
    bank.broker.crash = lambda where: None
    assert adopt(bank) == Adoption(1, 1)
    report = bank.sync(table(rows))
    assert (report.sent, len(bank.broker.records)) == (1, 4)
    gone = first - set(bank.broker.records)
    assert len(gone) == 1
    assert gone < bank.broker.tombstones
    assert [set(each.handles) for each in bank.holders[1].withdrawn] == [gone]
    assert report.finality is not None
    assert report.finality.is_final


def test_a_withdrawal_whose_number_was_given_away_is_made_again(bank: Bank) -> None:
    rows = people(4)
    bank.sync(table(rows))
    first = set(bank.broker.records)
    shutil.copytree(bank.home / "state", bank.home / "copy")
    bank.sync(table(people(6)))
    shutil.rmtree(bank.home / "state")
    shutil.move(bank.home / "copy", bank.home / "state")
    with bank.open() as state:
        store_withdrawal(state, sorted(first)[:1], bank.parts(state).author, unix(bank.clock))
    adopt(bank)
    report = bank.sync(table(people(6)))
    assert bank.broker.tombstones == set(sorted(first)[:1])
    assert report.finality is not None
    assert report.finality.is_final
