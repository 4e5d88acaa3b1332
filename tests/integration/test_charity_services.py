"""The charity against the real broker and key holders, fed by real institutions: from a row to an opened record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from clients.charity.activity_check import LATE
from clients.charity.links import BrokerLink, Links
from crypto.records import Head, Record
from policies.log.activity import HOUR
from policies.trust import Trust
from tests.agreement_world import example_terms, make_world
from tests.institutions import Agreement
from tests.offices import office_of
from tests.sync_parts import people, table
from wire.messages.alerts import AlertDetail
from wire.messages.submission import Receipt
from wire.messages.withdrawal import Acknowledgement


@pytest.fixture
def agreement(database_url: str, tmp_path: Path) -> Agreement:
    return Agreement.build(database_url, tmp_path)


@pytest.fixture
def small(sqlite_url: str, tmp_path: Path) -> Agreement:
    return Agreement.build(sqlite_url, tmp_path)


def send_five(agreement: Agreement) -> list[Record]:
    """The same without the clients: submissions made in memory. Gives bank-b's records."""
    world, broker = agreement.world, agreement.broker
    issued_at = int(broker.clock.now().timestamp())
    sent = {}
    for institution_id, first in (("bank-a", 0), ("bank-b", 5)):
        rows = [{"phone": f"+4477009{number:05d}"} for number in range(first, first + 10)]
        sent[institution_id] = world.submit(institution_id, rows, issued_at=issued_at)
        broker.send(institution_id, sent[institution_id])
    broker.work()
    return list(sent["bank-b"].records)


def test_what_two_institutions_share_opens_and_nothing_else_does(agreement: Agreement) -> None:
    rows_a, rows_b = people(20), people(20, first=15)
    agreement.institution("bank-a").sync(table(rows_a))
    agreement.institution("bank-b").sync(table(rows_b))
    agreement.broker.work()
    office = office_of(agreement)
    items = office.refresh_queue()
    assert len(items) == 5
    cases = office.open_alerts([item.entry.alert_id for item in items])
    assert [case.opened for case in cases] == [2] * 5
    opened = {entry.value for case in cases for record in case.records for entry in record.entries}
    both = {row["phone"] for row in rows_a.values()} & {row["phone"] for row in rows_b.values()}
    others = {row["phone"] for rows in (rows_a, rows_b) for row in rows.values()} - both
    assert len(both) == 5
    assert both <= opened
    assert not others & opened
    assert all(case.troubles == () and case.holder_faults == () for case in cases)
    office.close()


def test_a_silent_holder_is_named_and_the_others_open_all(small: Agreement) -> None:
    send_five(small)
    office = office_of(small)
    alerts = [item.entry.alert_id for item in office.refresh_queue()]
    small.gates["holder1"].is_closed = True
    cases = office.open_alerts(alerts)
    assert [case.opened for case in cases] == [2] * 5
    assert all("Key holder 1: holder1 at" in case.holder_faults[0] for case in cases)
    office.close()


def test_alerts_are_found_in_the_hours_activity_of_the_brokers_log(small: Agreement) -> None:
    send_five(small)
    office = office_of(small)
    alerts = {item.entry.alert_id for item in office.refresh_queue()}
    assert office.store.marks() == {}
    small.broker.clock.advance(seconds=HOUR)
    small.broker.work()
    office.refresh_queue()
    assert office.store.marks() == dict.fromkeys(alerts, "")
    office.close()


def test_alerts_that_waited_for_a_broker_that_was_away_are_found_when_it_is_back(small: Agreement) -> None:
    send_five(small)
    office = office_of(small)
    small.broker.clock.advance(seconds=5 * HOUR)
    assert {item.mark for item in office.refresh_queue()} == {LATE}
    small.broker.work()
    assert {item.mark for item in office.refresh_queue()} == {""}
    assert set(office.store.marks().values()) == {""}
    office.close()


def withdraw(agreement: Agreement, institution_id: str, records: list[Record]) -> None:
    """Withdraw records at the broker and at every holder."""
    handles = [Head.decode(record.head).context.handle for record in records]
    message = agreement.broker.withdrawal(institution_id, handles)
    agreement.broker.session(institution_id).post("/v1/withdrawals", message, Receipt)
    for index in agreement.holders.apps:
        with agreement.holders.session(institution_id, index) as session:
            session.post("/v1/withdrawals", message, Acknowledgement)


class HoardingBroker:
    """The real broker, but that it goes on serving alerts that it had to take back."""

    def __init__(self, broker: BrokerLink, kept: dict[str, list[AlertDetail]]) -> None:
        self._broker = broker
        self._kept = kept
        self.alerts, self.documents = broker.alerts, broker.documents
        self.cosign, self.report = broker.cosign, broker.report
        self.activity, self.find_leaf = broker.activity, broker.find_leaf

    def alert(self, alert_id: str) -> list[AlertDetail]:
        """The alert as it was kept."""
        return self._kept[alert_id]

    def many_alerts(self, alert_ids: Sequence[str]) -> list[list[AlertDetail]]:
        """The alerts as they were kept."""
        return [self._kept[alert_id] for alert_id in alert_ids]


def test_a_withdrawn_record_is_opened_by_no_quorum_whatever_the_broker_kept(small: Agreement) -> None:
    """Attack 6: withdrawn evidence that the broker still serves: refused."""
    records = send_five(small)
    office = office_of(small)
    alerts = [item.entry.alert_id for item in office.refresh_queue()]
    with office._linker(office.trust()) as links:
        kept = {alert_id: links.broker.alert(alert_id) for alert_id in alerts}
    withdraw(small, "bank-b", records)
    small.broker.work()
    assert office.refresh_queue() == []
    honest = office._linker

    @contextmanager
    def hoarding(trust: Trust) -> Iterator[Links]:
        with honest(trust) as links:
            yield Links(HoardingBroker(links.broker, kept), links.holders, links.log)

    office._linker = hoarding
    cases = office.open_alerts(alerts)
    assert [case.opened for case in cases] == [0] * 5
    for case in cases:
        reasons = [reason for record in case.records for reason in record.reasons]
        assert any("bank-b has withdrawn the record" in reason for reason in reasons)
    office.close()


def test_a_recipient_of_two_opens_what_was_sealed_to_both(sqlite_url: str, tmp_path: Path) -> None:
    world = make_world(recipients=("charity", "second-charity"))
    agreement = Agreement.build(sqlite_url, tmp_path, world)
    send_five(agreement)
    for recipient_id in ("charity", "second-charity"):
        office = office_of(agreement, recipient_id)
        cases = office.open_alerts([item.entry.alert_id for item in office.refresh_queue()])
        assert [case.opened for case in cases] == [2] * 5
        office.close()


def test_a_spent_day_is_quoted_and_the_next_day_opens_the_rest(sqlite_url: str, tmp_path: Path) -> None:
    agreement = Agreement.build(sqlite_url, tmp_path, make_world(example_terms(openings_per_day=4)))
    send_five(agreement)
    office = office_of(agreement)
    alerts = [item.entry.alert_id for item in office.refresh_queue()]
    first = office.open_alerts(alerts)
    assert sum(case.opened for case in first) == 4
    reasons = {reason for case in first for record in case.records for reason in record.reasons}
    assert any("openings of today (4) are spent" in reason for reason in reasons)
    agreement.broker.clock.advance(days=1)
    agreement.broker.work()
    second = office.open_alerts(alerts)
    assert sum(case.opened for case in second) == 8
    office.close()


def test_an_alert_that_grew_asks_only_for_what_is_new_and_keeps_what_was_open(small: Agreement) -> None:
    send_five(small)
    office = office_of(small)
    items = office.refresh_queue()
    office.open_alerts([item.entry.alert_id for item in items])
    small.broker.clock.advance(seconds=3600)
    issued_at = int(small.broker.clock.now().timestamp())
    small.broker.send("police-c", small.world.submit("police-c", [{"phone": "+447700900005"}], issued_at=issued_at))
    small.broker.work()
    grown = [item for item in office.refresh_queue() if item.entry.records == 3]
    (item,) = grown
    case = office.examine(item.entry.alert_id)
    assert (case.opened, len(case.records)) == (2, 3)
    (case,) = office.open_alerts([item.entry.alert_id])
    assert case.opened == 3
    office.close()


def test_alerts_too_large_for_one_answer_arrive_whole(small: Agreement) -> None:
    world, broker = small.world, small.broker
    issued_at = int(broker.clock.now().timestamp())
    crowd = {"phone": "+447700900001"}
    for institution_id, count in (("bank-a", 40), ("bank-b", 45)):
        rows = [{**crowd, "email": f"{institution_id}{number}@example.org"} for number in range(count)]
        rows += [{"email": f"shared{number}@example.org"} for number in range(60)]
        broker.send(institution_id, world.submit(institution_id, rows, issued_at=issued_at))
    broker.work()
    office = office_of(small)
    cases = office.open_alerts([item.entry.alert_id for item in office.refresh_queue()])
    assert sorted(case.opened for case in cases) == [2] * 60 + [85]
    office.close()
