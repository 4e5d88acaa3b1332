"""Holders that are away, refuse, lie or have no budget left: another set takes over, each is named, nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients.institution.blinding import Blinder
from crypto.tags import identifier_input
from policies.terms import family_of
from runtime.exits import ExitCode, UserError
from tests.agreement_world import World, make_world
from tests.sync_parts import Bank, people, table


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture
def bank(world: World, tmp_path: Path) -> Bank:
    return Bank.new(world, tmp_path)


def test_outputs_are_those_of_the_unsplit_key(bank: Bank) -> None:
    with bank.open() as state:
        parts = bank.parts(state)
        blinder = Blinder(parts.quorum, parts.journal, parts.digests, bank.world.trust.epoch_id)
        names = [("phone", f"+44790000{number:04d}") for number in range(600)] + [("email", "a@canary.example")]
        outputs = blinder.outputs(names).by_identifier
    assert len(outputs) == 601
    for kind, value in (names[0], names[599], names[600]):
        expected = bank.world.evaluate(family_of(kind), identifier_input(bank.world.trust.epoch_id, kind, value))
        assert outputs[kind, value] == expected


def test_no_holder_is_asked_for_more_than_512_elements_at_once(bank: Bank) -> None:
    bank.sync(table(people(1100)))
    asked = [elements for holder in bank.holders.values() for elements in holder.asked]
    assert max(len(elements) // 32 for elements in asked) == 512


@pytest.mark.parametrize("index", [1, 2, 3])
def test_when_one_holder_is_away_another_set_answers_the_same_chunk(bank: Bank, index: int) -> None:
    bank.holders[index].is_down = True
    report = bank.sync(table(people(5)))
    assert report.sent == 5
    others = [set(holder.asked) for number, holder in bank.holders.items() if number != index]
    assert others[0] == others[1]


def test_a_holder_that_lies_is_named_and_another_set_takes_over(bank: Bank) -> None:
    bank.holders[2].lies = True
    bank.holders[3].is_down = False
    reports = [bank.sync(table(people(4, first=4 * night) | people(4 * night))) for night in range(3)]
    faults = [fault for report in reports for fault in report.faults]
    assert faults
    assert {fault.holder for fault in faults} == {2}
    assert all(fault.exit_code == ExitCode.VERIFICATION_FAILED for fault in faults)
    assert all("Key holder 2 gave a wrong answer" in fault.sentence for fault in faults)
    assert len(bank.broker.records) == 12


def test_a_holder_that_lies_when_too_few_others_are_left_stops_the_run_with_its_name(bank: Bank) -> None:
    bank.holders[1].lies = True
    bank.holders[3].is_down = True
    with pytest.raises(UserError) as refused:
        bank.sync(table(people(4)))
    assert refused.value.exit_code == ExitCode.VERIFICATION_FAILED
    assert "Key holder 1 gave a wrong answer" in refused.value.message
    assert bank.broker.records == {}


def test_with_too_few_holders_everything_waits_for_the_next_run(bank: Bank) -> None:
    bank.holders[1].is_down = bank.holders[2].is_down = True
    with pytest.raises(UserError) as refused:
        bank.sync(table(people(4)))
    assert refused.value.exit_code == ExitCode.UNREACHABLE
    assert "2 are needed" in refused.value.message
    bank.holders[1].is_down = bank.holders[2].is_down = False
    assert bank.sync(table(people(4))).sent == 4
    assert bank.broker.last_seq == 1


def test_a_refusal_quotes_the_holder(bank: Bank) -> None:
    for holder in bank.holders.values():
        holder.refusal = (401, "The request is from 400 seconds in the future: set this machine's clock.")
    with pytest.raises(UserError) as refused:
        bank.sync(table(people(4)))
    assert refused.value.exit_code == ExitCode.SERVICE_REFUSED
    assert "400 seconds in the future" in refused.value.message


def test_a_spent_budget_sends_what_it_can_and_the_next_night_goes_on_without_a_second_charge(bank: Bank) -> None:
    for holder in bank.holders.values():
        holder.budget = 1030
    # Four submissions of 256 records: 512 identifiers each.
    report = bank.sync(table(people(1024)), record_limit=256)
    assert report.exit_code == ExitCode.BUDGET_SPENT
    assert 0 < report.sent < 1024
    assert report.sent + report.waiting == 1024
    assert len(bank.broker.records) == report.sent
    for holder in bank.holders.values():
        holder.budget = 10_000
    report = bank.sync(table(people(1024)), record_limit=256)
    assert report.exit_code == ExitCode.OK
    assert len(bank.broker.records) == 1024
    assert len(bank.broker.entries()) == 2048


def test_charges_spread_over_all_holders(bank: Bank) -> None:
    bank.sync(table(people(3000)), record_limit=300)
    charged = [sum(holder.charged.values()) for holder in bank.holders.values()]
    assert sum(charged) == 2 * 6000
    assert min(charged) > 2000
