"""What depends on a match goes into one leaf an hour, always, of one size: nothing of it shows in the log's growth."""

import pytest
from sqlalchemy import text

from broker.log import activity as broker_activity
from policies.log.activity import (
    COMMITMENTS,
    HOUR,
    activity_root,
    hour_of,
    read_event,
    split_commitments,
    verify_opening,
)
from runtime.database import run_in_transaction
from tests.broker_log import leaves
from tests.brokers import NOW, BrokerWorld, build_broker, handle_of
from wire.messages.log import ActivityHours, ReportedEvents
from wire.packed import pack
from wire.problems import RemoteProblem

ROW = {"passport": "GB|1"}


@pytest.fixture
def broker(database_url: str) -> BrokerWorld:
    return build_broker(database_url)


def hours(broker: BrokerWorld, party_id: str = "regulator", first: int = 0) -> ActivityHours:
    return broker.session(party_id).get("/v1/activity", ActivityHours, query={"from": str(first)})


def events(broker: BrokerWorld, party_id: str = "regulator") -> list[dict[str, object]]:
    found = hours(broker, party_id).hours
    for hour in found:
        for one in hour.opened:
            verify_opening(split_commitments(hour.commitments), one.place, one.salt, one.event)
    return [dict(read_event(one.event)) for hour in found for one in hour.opened]


def test_every_hour_has_one_leaf_whatever_happened(broker: BrokerWorld) -> None:
    broker.work()
    broker.submit("bank-a", [ROW])
    broker.submit("bank-b", [ROW])
    broker.work()
    assert len(broker.raised()) == 1
    broker.clock.advance(seconds=HOUR)
    broker.work()
    broker.clock.advance(seconds=5 * HOUR)
    broker.work()
    broker.work()
    logged = [leaf.body for leaf in leaves(broker, "activity")]
    first = hour_of(NOW) - HOUR
    assert [body["hour"] for body in logged] == [first + number * HOUR for number in range(7)]
    assert {body["count"] for body in logged} == {COMMITMENTS}
    shown = hours(broker).hours
    assert [pack(activity_root(split_commitments(hour.commitments))) for hour in shown] == [
        body["root"] for body in logged
    ]
    assert len({hour.commitments for hour in shown}) == 7


def test_alerts_and_their_reading_are_opened_to_recipients_and_auditors_alone(broker: BrokerWorld) -> None:
    broker.work()
    broker.submit("bank-a", [ROW])
    matched = broker.submit("bank-b", [ROW])
    broker.work()
    (alert,) = broker.raised()
    broker.withdraw("bank-b", [handle_of(matched)])
    broker.work()
    broker.clock.advance(seconds=HOUR)
    broker.work()
    for party in ("regulator", "charity"):
        found = events(broker, party)
        told = [event for event in found if event["type"] == "crosslight/v1 event alert"]
        assert [(event["alert_id"], event["state"]) for event in told] == [
            (alert.alert_id, "raised"),
            (alert.alert_id, "closed"),
        ]
        read = [event for event in found if event["type"] == "crosslight/v1 decision"]
        assert {(event["action"], event["party_id"]) for event in read} == {("list-alerts", "charity")}
    assert not [leaf for leaf in leaves(broker, "decision") if "alert" in leaf.body["decision"]["action"]]


def test_what_an_hour_has_no_room_for_waits_for_the_next(broker: BrokerWorld) -> None:
    broker.work()

    def note_many(connection: object) -> None:
        for number in range(COMMITMENTS + 5):
            broker_activity.note_alert(connection, NOW, number=number)  # type: ignore[arg-type]

    run_in_transaction(broker.engine, note_many)
    broker.clock.advance(seconds=HOUR)
    broker.work()
    assert [len(hour.opened) for hour in hours(broker).hours] == [0, COMMITMENTS]
    broker.clock.advance(seconds=HOUR)
    broker.work()
    assert [len(hour.opened) for hour in hours(broker).hours] == [0, COMMITMENTS, 5]
    assert [event["number"] for event in events(broker)] == list(range(COMMITMENTS + 5))
    assert len(leaves(broker, "activity")) == 3


def test_an_event_of_a_later_hour_is_not_in_an_earlier_ones_leaf(broker: BrokerWorld) -> None:
    broker.work()
    broker.clock.advance(seconds=3 * HOUR)
    now = NOW + 3 * HOUR
    run_in_transaction(broker.engine, lambda connection: broker_activity.note_alert(connection, now, number=1))
    broker.work()
    assert [len(hour.opened) for hour in hours(broker).hours] == [0, 0, 0, 0]
    broker.clock.advance(seconds=HOUR)
    broker.work()
    assert [len(hour.opened) for hour in hours(broker).hours] == [0, 0, 0, 0, 1]


def test_recipients_and_holders_report_what_the_broker_does_not_see(broker: BrokerWorld) -> None:
    broker.work()
    event = f'{{"at":{NOW},"records":2,"type":"crosslight/v1 opening"}}'
    broker.session("charity").post("/v1/activity", ReportedEvents((event,)))
    broker.session("holder2").post("/v1/activity", ReportedEvents((event, event)))
    broker.clock.advance(seconds=HOUR)
    broker.work()
    reported = [one for one in events(broker) if one["type"] == "crosslight/v1 event reported"]
    assert [one["party_id"] for one in reported] == ["charity", "holder2", "holder2"]
    assert reported[0]["event"] == dict(read_event(event))
    assert len(leaves(broker, "activity")) == 2
    for wrong in ("{}", "[]", event.replace(",", ", "), event.replace(str(NOW), str(NOW + 9 * HOUR)), "no json"):
        with pytest.raises(RemoteProblem) as refused:
            broker.session("charity").post("/v1/activity", ReportedEvents((wrong,)))
        assert refused.value.type_suffix == "invalid-event", wrong


def test_many_hours_come_page_by_page(broker: BrokerWorld) -> None:
    broker.work()
    broker.clock.advance(seconds=30 * HOUR)
    broker.work()
    first = hours(broker)
    assert len(first.hours) == 24
    assert first.next is not None
    rest = hours(broker, first=first.next)
    assert (len(rest.hours), rest.next) == (7, None)
    assert rest.hours[0].hour == first.hours[-1].hour + HOUR


def test_a_commitment_to_nothing_looks_like_any_other(broker: BrokerWorld) -> None:
    broker.work()
    run_in_transaction(broker.engine, lambda connection: broker_activity.note_alert(connection, NOW, number=1))
    broker.clock.advance(seconds=HOUR)
    broker.work()
    for hour in hours(broker).hours:
        commitments = split_commitments(hour.commitments)
        assert len(set(commitments)) == COMMITMENTS
    with broker.engine.connect() as connection:
        salts = connection.execute(text("SELECT salt FROM activity_event")).scalars().all()
    assert len(set(map(bytes, salts))) == len(salts)
