"""Nothing that an institution is answered depends on a match, and statements from many threads leave one state."""

import secrets
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import event

from broker.directory import Directory
from crypto import sealing
from crypto.records import Context
from runtime.database import run_in_transaction
from tests.agreement_world import DAY, make_world
from tests.brokers import BASE_URL, NOW, BrokerWorld, build_broker, handle_of, made_up_record, signed_submission
from wire.messages.institution_status import InstitutionStatus
from wire.messages.submission import Receipt, SubmissionStatus
from wire.packed import pack

SHARED = {"passport": "GB|1"}
ALONE = {"passport": "GB|2"}


@pytest.fixture
def broker(database_url: str) -> BrokerWorld:
    return build_broker(database_url)


def statements_of(broker: BrokerWorld, act: Callable[[], object]) -> list[str]:
    """The SQL that the broker runs, but for the pruning of nonces, which comes now and then at random."""
    ran: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        ran.append(statement)

    event.listen(broker.engine, "before_cursor_execute", note)
    act()
    event.remove(broker.engine, "before_cursor_execute", note)
    return [statement for statement in ran if "DELETE FROM request_nonce" not in statement]


def without_what_differs_anyway(receipt: Receipt) -> dict[str, object]:
    return {name: value for name, value in receipt.document.items() if name != "statement_hash"}


def test_a_hit_and_a_miss_are_answered_alike_by_the_same_work(broker: BrokerWorld) -> None:
    broker.submit("police-c", [SHARED])
    broker.work()
    answers: dict[str, list[object]] = {"bank-a": [], "bank-b": []}
    work: dict[str, list[str]] = {"bank-a": [], "bank-b": []}
    for bank, row in (("bank-a", SHARED), ("bank-b", ALONE)):

        def submit(bank: str = bank, row: dict[str, str] = row) -> None:
            broker.submit(bank, [row])

        work[bank] += statements_of(broker, submit)
        status = broker.session(bank).get("/v1/status", InstitutionStatus)
        assert status.last_receipt is not None
        answers[bank] += [
            status.records_live,
            without_what_differs_anyway(status.last_receipt) | {"institution_id": ""},
        ]
    broker.work()
    assert len(broker.raised()) == 1
    for bank in answers:

        def ask(bank: str = bank) -> None:
            answers[bank].append(broker.session(bank).get("/v1/status", InstitutionStatus).records_live)

        work[bank] += statements_of(broker, ask)
    assert answers["bank-a"] == answers["bank-b"]
    assert work["bank-a"] == work["bank-b"]


def test_withdrawing_a_matched_record_is_the_same_work_as_any_other(broker: BrokerWorld) -> None:
    matched = broker.submit("bank-a", [SHARED])
    single = broker.submit("bank-a", [ALONE])
    broker.submit("bank-b", [SHARED])
    broker.work()
    assert len(broker.raised()) == 1
    first = statements_of(broker, lambda: broker.withdraw("bank-a", [handle_of(matched)]))
    second = statements_of(broker, lambda: broker.withdraw("bank-a", [handle_of(single)]))
    assert first == second


def test_the_same_commit_from_many_threads_gives_one_receipt(broker: BrokerWorld) -> None:
    submission = broker.made_up("bank-a", [SHARED] * 600)
    broker.open("bank-a", submission)
    found: list[object] = []

    def act() -> None:
        for part in (0, 1):
            broker.put_part("bank-a", submission, part)
        path = f"/v1/submissions/{submission.statement.idempotency_key.hex()}/commit"
        found.append(broker.session("bank-a").post(path, None, Receipt))

    threads = [threading.Thread(target=act) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert found.count(found[0]) == 4
    assert broker.count("record") == 600
    assert broker.count("part") == 2


def test_two_report_desks_and_two_banks_are_told_apart_by_their_keys(database_url: str) -> None:
    """A tag that only reports shared has no key yet; the banks' keys must not look equal for that."""
    members = (
        ("bank-a", "bank", "group-a"),
        ("bank-b", "bank", "group-b"),
        ("desk-d", "report-desk", "group-d"),
        ("desk-e", "report-desk", "group-e"),
    )
    broker = build_broker(database_url, agreement=make_world(members=members, addresses={"broker": BASE_URL}))
    for desk in ("desk-d", "desk-e"):
        broker.submit(desk, [SHARED, ALONE])
        broker.work()
    broker.submit("bank-a", [SHARED])
    broker.work()
    broker.submit("bank-b", [ALONE])
    broker.work()
    assert broker.count("meeting") == 2
    assert broker.alerts() == []
    broker.submit("bank-b", [SHARED])
    broker.work()
    assert len(broker.raised()) == 1


def test_an_institution_that_left_the_roster_leaves_every_alert(broker: BrokerWorld) -> None:
    broker.submit("bank-a", [SHARED])
    broker.submit("bank-b", [SHARED])
    broker.work()
    assert len(broker.raised()) == 1
    roster = broker.trust.roster.to_document()
    roster["version"], roster["previous"] = 2, pack(broker.trust.roster.hash)
    roster["members"] = [member for member in roster["members"] if member["institution_id"] != "bank-b"]
    signed = broker.agreement.sign(roster)
    directory = Directory(broker.engine, broker.agreement.agreement.hash)
    run_in_transaction(broker.engine, lambda connection: directory.accept(connection, signed, NOW))
    assert broker.raised() == []
    broker.work()
    assert broker.raised() == []
    assert broker.count("alert_record") == 0
    broker.submit("police-c", [SHARED])
    broker.work()
    (alert,) = broker.raised()
    assert alert.institutions == ("bank-a", "police-c")


def test_records_under_two_statements_show_each_its_own_secrets(broker: BrokerWorld) -> None:
    key = secrets.token_bytes(16)
    honest = broker.made_up("bank-a", [SHARED])
    reference = sealing.sealed_ref(key, honest.sealed)
    context = Context(broker.trust.epoch_id, "bank-a", secrets.token_bytes(16), NOW, NOW + DAY)
    record = made_up_record(broker.agreement, context, SHARED, reference)
    broker.send("bank-a", signed_submission(broker.agreement, "bank-a", 1, key, [record], honest.sealed, b""))
    broker.submit("bank-a", [SHARED])
    broker.submit("bank-b", [SHARED])
    broker.work()
    (alert,) = broker.raised()
    detail = broker.detail(alert.alert_id)
    assert [record.statement for record in detail.records] == [0, 1, 2]
    assert len({statement.sealed for statement in detail.statements}) == 3
    status = broker.session("bank-a").get(f"/v1/submissions/{key.hex()}", SubmissionStatus)
    assert status.state == "committed"
