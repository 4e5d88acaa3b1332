"""Whole nights of one institution, with links that answer in process under real keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.exits import ExitCode, UserError
from tests.agreement_world import DAY, World, example_terms, make_world
from tests.sync_parts import Bank, people, table


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture
def bank(world: World, tmp_path: Path) -> Bank:
    return Bank.new(world, tmp_path)


def test_a_first_night_sends_every_row_as_a_record(bank: Bank) -> None:
    report = bank.sync(table(people(5)))
    assert (report.sent, report.submissions, report.exit_code) == (5, 1, ExitCode.OK)
    assert len(bank.broker.records) == 5
    assert len(bank.broker.entries()) == 10


def test_a_second_night_without_changes_asks_nobody_and_sends_nothing(bank: Bank) -> None:
    bank.sync(table(people(5)))
    asked = sum(len(holder.asked) for holder in bank.holders.values())
    report = bank.sync(table(people(5)))
    assert report.changes is not None and report.changes.work == 0
    assert (report.sent, report.submissions) == (0, 0)
    assert sum(len(holder.asked) for holder in bank.holders.values()) == asked


def test_a_changed_row_gets_a_new_record_and_its_old_one_is_withdrawn_everywhere(bank: Bank) -> None:
    rows = people(3)
    bank.sync(table(rows))
    before = set(bank.broker.records)
    rows["customer-1"] = {**rows["customer-1"], "phone": "+447900099999"}
    report = bank.sync(table(rows))
    assert (report.sent, report.replaced, report.exit_code) == (1, 1, ExitCode.OK)
    assert len(bank.broker.records) == 3
    gone = before - set(bank.broker.records)
    assert len(gone) == 1
    for holder in bank.holders.values():
        assert [set(each.handles) for each in holder.withdrawn] == [gone]
    assert report.finality is not None and report.finality.is_final


def test_a_row_that_changed_where_nothing_is_sent_of_it_costs_no_evaluation(bank: Bank) -> None:
    rows = people(3)
    bank.sync(table(rows))
    asked = len(bank.holders[1].asked) + len(bank.holders[2].asked) + len(bank.holders[3].asked)
    rows["customer-1"] = {**rows["customer-1"], "balance": "12"}
    report = bank.sync(table(rows))
    assert (report.sent, report.unchanged) == (0, 1)
    assert len(bank.holders[1].asked) + len(bank.holders[2].asked) + len(bank.holders[3].asked) == asked
    assert bank.sync(table(rows)).unchanged == 0


def test_a_row_that_is_gone_is_withdrawn_and_forgotten(bank: Bank) -> None:
    rows = people(5)
    bank.sync(table(rows))
    del rows["customer-2"]
    report = bank.sync(table(rows))
    assert report.withdrawn == 1
    assert len(bank.broker.records) == 4
    assert len(bank.broker.tombstones) == 1


def test_a_row_that_is_left_out_by_its_mapping_later_is_withdrawn(bank: Bank) -> None:
    rows = people(5)
    bank.sync(table(rows))
    rows["customer-2"] = {**rows["customer-2"], "skip": "no red flag"}
    report = bank.sync(table(rows))
    assert (report.withdrawn, report.skipped["no red flag"]) == (1, 1)
    assert len(bank.broker.records) == 4
    assert bank.sync(table(rows)).withdrawn == 0


def test_several_submissions_follow_one_another_in_one_night(bank: Bank) -> None:
    report = bank.sync(table(people(11)), record_limit=4)
    assert (report.sent, report.submissions) == (11, 3)
    assert bank.broker.last_seq == 3


def test_a_value_held_by_many_rows_of_a_submission_is_evaluated_once(bank: Bank) -> None:
    shared = {"phone": "+447900000001", "email": "office@canary.example"}
    bank.sync(table({f"row-{number}": {**shared, "note": str(number)} for number in range(20)}))
    assert max(sum(holder.charged.values()) for holder in bank.holders.values()) <= 2
    assert len(bank.broker.entries()) == 2


def test_an_empty_source_is_refused_unless_it_is_meant(bank: Bank) -> None:
    bank.sync(table(people(3)))
    with pytest.raises(UserError, match="0 rows"):
        bank.sync([])
    assert len(bank.broker.records) == 3
    report = bank.sync([], allow_empty=True)
    assert report.withdrawn == 3
    assert bank.broker.records == {}


def test_a_source_that_lost_more_than_half_of_its_rows_is_refused_unless_it_is_meant(bank: Bank) -> None:
    rows = people(10)
    bank.sync(table(rows))
    fewer = dict(list(rows.items())[:4])
    with pytest.raises(UserError, match="6 of 10"):
        bank.sync(table(fewer))
    assert len(bank.broker.records) == 10
    bank.sync(table(fewer), allow_shrink=True)
    assert len(bank.broker.records) == 4


def test_a_mapping_that_leaves_out_more_than_half_of_the_live_rows_is_refused_unless_it_is_meant(bank: Bank) -> None:
    rows = people(4)
    bank.sync(table(rows))
    flagged_off = {row_id: {**raw, "skip": "no red flag"} for row_id, raw in rows.items()}
    with pytest.raises(UserError, match="left out"):
        bank.sync(table(flagged_off))
    assert len(bank.broker.records) == 4
    bank.sync(table(flagged_off), allow_shrink=True)
    assert bank.broker.records == {}


def test_two_rows_of_one_id_are_refused_by_their_numbers_and_nothing_is_sent(bank: Bank) -> None:
    rows = table(people(3))
    with pytest.raises(UserError) as refused:
        bank.sync([*rows, type(rows[0])(9, rows[1].row_id, {"phone": "+447900011111"})])
    assert "Rows 2 and 9" in refused.value.message
    assert rows[1].row_id not in refused.value.message
    assert bank.broker.received == []


def test_a_record_is_renewed_in_the_last_tenth_of_its_life(tmp_path: Path) -> None:
    bank = Bank.new(make_world(example_terms(record_lifetime=30 * DAY)), tmp_path)
    rows = table(people(2))
    bank.sync(rows)
    first = set(bank.broker.records)
    life = bank.world.trust.agreement.terms.record_lifetime
    bank.clock.advance(seconds=life * 9 // 10 - 60)
    assert bank.sync(rows).sent == 0
    bank.clock.advance(seconds=120)
    report = bank.sync(rows)
    assert (report.sent, report.replaced) == (2, 2)
    assert first.isdisjoint(bank.broker.records)
    assert bank.broker.tombstones == first


def test_a_mapping_that_changes_nothing_of_what_is_sent_sends_nothing(bank: Bank) -> None:
    bank.sync(table(people(3)))
    bank.fingerprint = b"another mapping"
    report = bank.sync(table(people(3)))
    assert report.changes is not None and report.changes.changed == 3
    assert (report.sent, report.unchanged) == (0, 3)


def test_a_row_whose_payload_is_longer_than_agreed_is_left_out_and_counted(bank: Bank) -> None:
    rows = people(2)
    rows["customer-0"]["note"] = "x" * 5000
    report = bank.sync(table(rows))
    assert (report.sent, report.left_out) == (1, 1)
    assert report.skipped["too-long"] == 1


def test_a_broker_that_is_away_is_named_and_the_next_night_loses_nothing(bank: Bank) -> None:
    bank.broker.is_down = True
    with pytest.raises(UserError) as refused:
        bank.sync(table(people(3)))
    assert refused.value.exit_code == ExitCode.UNREACHABLE
    bank.broker.is_down = False
    assert bank.sync(table(people(3))).sent == 3


def test_a_state_older_than_the_brokers_count_is_refused(bank: Bank) -> None:
    bank.broker.last_seq = 7
    with pytest.raises(UserError, match="adopt-sequence"):
        bank.sync(table(people(1)))


def test_a_broker_that_lost_statements_is_refused(bank: Bank) -> None:
    bank.sync(table(people(1)))
    bank.broker.last_seq = 0
    with pytest.raises(UserError, match="lost some"):
        bank.sync(table(people(2)))
