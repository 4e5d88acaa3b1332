"""What surfaces at the broker, on both databases: from requests over the worker to what a recipient sees."""

import pytest

from crypto import merkle
from crypto.records import Head, unpack_records
from crypto.statements import SubmissionStatement
from tests.agreement_world import DAY
from tests.brokers import BrokerWorld, build_broker, handle_of
from wire.messages.alerts import AlertList

PHONE = {"phone": "+447700900123"}
PASSPORT = {"passport": "GB|123456789"}


@pytest.fixture
def broker(database_url: str) -> BrokerWorld:
    return build_broker(database_url)


def test_two_institutions_that_share_an_identifier_raise_an_alert(broker: BrokerWorld) -> None:
    broker.submit("bank-a", [PASSPORT, {"phone": "+441"}])
    broker.submit("bank-b", [{**PASSPORT, "email": "a@example.org"}])
    assert broker.alerts() == []
    broker.work()
    (alert,) = broker.alerts()
    assert alert.state == "raised"
    assert alert.institutions == ("bank-a", "bank-b")
    assert alert.kinds == ("passport",)
    assert alert.records == 2
    assert alert.score == broker.trust.kinds["passport"].weight


def test_an_alert_shows_everything_that_a_key_holder_asks_as_evidence(broker: BrokerWorld) -> None:
    broker.submit("bank-a", [{"phone": f"+44{number}"} for number in range(600)] + [PASSPORT])
    broker.submit("bank-b", [PASSPORT])
    broker.work()
    (alert,) = broker.raised()
    detail = broker.detail(alert.alert_id)
    assert detail.total == len(detail.records) == 2
    for shown in detail.records:
        statement = detail.statements[shown.statement]
        decoded = SubmissionStatement.decode(statement.statement)
        (record,) = unpack_records(shown.record)
        merkle.verify_path(record.leaf, shown.path, decoded.root, decoded.count)
        assert Head.decode(record.head).context.institution_id == statement.institution_id == decoded.institution_id
        assert [sealed.recipient_id for sealed in statement.sealed] == ["charity"]
        assert shown.set_aside == ()


def test_records_of_one_institution_never_raise_an_alert(broker: BrokerWorld) -> None:
    broker.submit("bank-a", [PASSPORT, PASSPORT])
    broker.submit("bank-a", [PASSPORT])
    broker.work()
    assert broker.alerts() == []


def test_kinds_below_the_least_weight_join_records_but_raise_nothing(broker: BrokerWorld) -> None:
    light = {"address.postal": "1 high street|n1 1aa"}
    broker.submit("bank-a", [light])
    broker.submit("bank-b", [light])
    broker.work()
    assert broker.alerts() == []
    assert broker.count("alert_record") == 2


def test_a_component_grows_and_two_of_them_merge_under_the_older_name(broker: BrokerWorld) -> None:
    second = {"national-id": "FR|1"}
    broker.submit("bank-a", [PASSPORT])
    broker.submit("bank-b", [PASSPORT])
    broker.work()
    (first,) = broker.raised()
    broker.clock.advance(seconds=10)
    broker.submit("bank-a", [second])
    broker.submit("bank-b", [second])
    broker.work()
    assert len(broker.raised()) == 2
    broker.submit("police-c", [{**PASSPORT, **second}])
    broker.work()
    (merged,) = broker.raised()
    assert merged.alert_id == first.alert_id
    assert merged.records == 5
    assert [alert.state for alert in broker.alerts()].count("closed") == 1


def test_a_withdrawal_takes_alert_and_entries_back_before_the_worker_comes_by(broker: BrokerWorld) -> None:
    mine = broker.submit("bank-a", [PASSPORT])
    broker.submit("bank-b", [PASSPORT])
    broker.work()
    (alert,) = broker.raised()
    broker.withdraw("bank-a", [handle_of(mine)])
    (closed,) = broker.alerts()
    assert (closed.state, closed.records, closed.institutions, closed.kinds) == ("closed", 0, (), ())
    assert broker.detail(alert.alert_id).records == ()
    broker.work()
    assert broker.raised() == []
    assert broker.count("entry") == 1
    assert broker.count("alert_record") == 0


def test_a_withdrawal_before_matching_is_never_matched(broker: BrokerWorld) -> None:
    mine = broker.submit("bank-a", [PASSPORT])
    broker.submit("bank-b", [PASSPORT])
    broker.withdraw("bank-a", [handle_of(mine)])
    broker.work()
    assert broker.alerts() == []
    assert broker.count("entry") == 1


def test_a_component_splits_again_when_what_joined_it_is_withdrawn(broker: BrokerWorld) -> None:
    second = {"national-id": "FR|1"}
    broker.submit("bank-a", [PASSPORT, second])
    broker.submit("bank-b", [PASSPORT, second])
    bridge = broker.submit("police-c", [{**PASSPORT, **second}])
    broker.work()
    (joined,) = broker.raised()
    assert joined.records == 5
    broker.withdraw("police-c", [handle_of(bridge)])
    broker.work()
    assert sorted(alert.records for alert in broker.raised()) == [2, 2]
    assert joined.alert_id in {alert.alert_id for alert in broker.raised()}


def test_an_expired_record_is_gone_at_the_very_second(broker: BrokerWorld) -> None:
    broker.submit("bank-a", [PASSPORT], lifetime=DAY)
    broker.submit("bank-b", [PASSPORT], lifetime=2 * DAY)
    broker.work()
    broker.clock.advance(seconds=DAY - 1)
    assert len(broker.raised()) == 1
    broker.clock.advance(seconds=1)
    assert broker.raised() == []
    broker.work()
    assert broker.raised() == []
    assert broker.count("tombstone") == 1
    assert broker.count("record") == 1


def test_a_report_desks_entry_never_supports(broker: BrokerWorld) -> None:
    broker.submit("desk-d", [PASSPORT])
    broker.submit("bank-a", [PASSPORT])
    broker.work()
    assert broker.alerts() == []
    broker.submit("bank-b", [PASSPORT])
    broker.work()
    (alert,) = broker.raised()
    assert alert.records == 3


def test_alerts_come_in_pages(broker: BrokerWorld) -> None:
    rows = [{"passport": f"GB|{number}"} for number in range(5)]
    broker.submit("bank-a", rows)
    broker.submit("bank-b", rows)
    broker.work()
    page = broker.session("charity").get("/v1/alerts", AlertList, query={"limit": "2"})
    assert len(page.alerts) == 2
    assert page.next == page.alerts[-1].alert_id
    assert len({alert.alert_id for alert in broker.alerts()}) == 5


def test_a_large_alert_comes_in_pages_that_leave_nobody_out(broker: BrokerWorld) -> None:
    broker.submit("bank-a", [PASSPORT, PASSPORT, PASSPORT])
    broker.submit("bank-b", [PASSPORT])
    broker.work()
    (alert,) = broker.raised()
    pages = [broker.detail(alert.alert_id, offset=str(offset), limit="1") for offset in range(5)]
    assert [len(page.records) for page in pages] == [1, 1, 1, 1, 0]
    assert {page.total for page in pages} == {4}
    assert len({page.records[0].record for page in pages[:4]}) == 4
