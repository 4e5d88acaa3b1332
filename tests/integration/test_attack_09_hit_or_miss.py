"""Attack 9 (protocol section 13): whether a submission hit or missed shows in nothing that its sender, or anyone, sees.

Two institutions send alike: one an identifier that another institution holds, one that nobody holds. Receipts, answers,
the work done for them, the log's leaves and its growth over a day are compared. Times themselves are not asserted;
what an answer does is: the same statements, in the same order.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event

from policies.log.activity import HOUR
from policies.log.leaves import submission_leaf
from policies.log.tree import leaf_hash
from tests.broker_log import get, leaves, newest
from tests.brokers import NOW, BrokerWorld, build_broker, handle_of
from wire.messages.institution_status import InstitutionStatus
from wire.messages.log import LeafPlace
from wire.messages.submission import SubmissionStatus
from wire.packed import pack

SHARED = {"passport": "GB|1"}
ALONE = {"passport": "GB|2"}
SENDERS = {"bank-a": SHARED, "bank-b": ALONE}
"""Who hits and who misses: police-c holds what bank-a sends."""

VARIES = {"institution_id", "statement_hash", "hash", "root", "party_id", "hour", "day", "at"}
"""What two leaves of one kind differ in anyway; that they hold nothing else is what is compared."""


@pytest.fixture
def broker(database_url: str) -> BrokerWorld:
    broker = build_broker(database_url)
    broker.submit("police-c", [SHARED])
    broker.work()
    return broker


def work_of(broker: BrokerWorld, act: Callable[[], object]) -> list[str]:
    """The SQL that the broker runs, but for the pruning of nonces, which comes now and then at random."""
    ran: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        ran.append(statement)

    event.listen(broker.engine, "before_cursor_execute", note)
    act()
    event.remove(broker.engine, "before_cursor_execute", note)
    return [statement for statement in ran if "DELETE FROM request_nonce" not in statement]


def shape(value: object) -> object:
    """A JSON value with the texts of what varies anyway replaced, but not their lengths."""
    if isinstance(value, dict):
        return {name: len(str(one)) if name in VARIES else shape(one) for name, one in value.items()}
    return [shape(one) for one in value] if isinstance(value, list) else value


def test_receipts_answers_and_the_work_for_them_are_the_same(broker: BrokerWorld) -> None:
    seen: dict[str, list[object]] = {}
    work: dict[str, list[str]] = {}
    for sender, row in SENDERS.items():
        submission = broker.made_up(sender, [row])
        path = f"/v1/submissions/{submission.statement.idempotency_key.hex()}"
        answers: list[object] = []

        def steps(
            sender: str = sender, submission: object = submission, path: str = path, answers: list[object] = answers
        ) -> None:
            answers.append(broker.open(sender, submission))  # type: ignore[arg-type]
            answers.append(broker.put_part(sender, submission, 0))  # type: ignore[arg-type]
            answers.append(shape(dict(broker.commit(sender, submission).document)))  # type: ignore[arg-type]

        work[sender] = work_of(broker, steps)
        seen[sender] = answers
    broker.work()
    assert len(broker.raised()) == 1
    for sender in SENDERS:
        # After the match as before it.
        def ask(sender: str = sender) -> None:
            status = broker.session(sender).get("/v1/status", InstitutionStatus)
            assert status.last_receipt is not None
            seen[sender].append((status.records_live, status.last_seq, shape(dict(status.last_receipt.document))))

        work[sender] += work_of(broker, ask)
    assert seen["bank-a"] == seen["bank-b"]
    assert work["bank-a"] == work["bank-b"]


def test_the_log_holds_as_many_leaves_of_the_same_form_for_both(broker: BrokerWorld) -> None:
    grown: dict[str, list[object]] = {}
    for sender, row in SENDERS.items():
        before = len(leaves(broker))
        broker.submit(sender, [row])
        broker.work()
        broker.alerts()
        broker.work()
        grown[sender] = [(leaf.type, shape(dict(leaf.body))) for leaf in leaves(broker)[before:]]
        if sender == "bank-a":
            # The charity's first visit of the day, whatever it finds, is nobody's submission.
            grown[sender] = [one for one in grown[sender] if "recipient" not in str(one)]
    assert len(broker.raised()) == 1
    assert grown["bank-a"] == grown["bank-b"]


def test_the_log_of_a_day_with_hits_is_as_long_as_that_of_a_day_without(tmp_path: Path) -> None:
    sizes: dict[bool, list[int]] = {}
    for hits in (True, False):
        broker = build_broker(f"sqlite:///{tmp_path / str(hits)}.sqlite")
        growth: list[int] = []
        for hour in range(4):
            for sender in ("bank-a", "bank-b", "police-c"):
                row = {"passport": f"GB|{hour}" if hits else f"GB|{hour}-{sender}"}
                broker.submit(sender, [row])
            broker.work()
            for alert in broker.raised():
                broker.detail(alert.alert_id)
            growth.append(newest(broker).checkpoint.size)
            broker.clock.advance(seconds=HOUR)
        broker.work()
        growth.append(newest(broker).checkpoint.size)
        assert len(broker.raised()) == (4 if hits else 0)
        sizes[hits] = growth
    assert sizes[True] == sizes[False]


def test_finding_the_leaf_and_reading_the_log_is_the_same_work_for_both(broker: BrokerWorld) -> None:
    submissions = {sender: broker.submit(sender, [row]) for sender, row in SENDERS.items()}
    broker.work()
    work: dict[str, list[str]] = {}
    for sender, submission in submissions.items():
        key = submission.statement.idempotency_key.hex()
        query = {"hash": pack(leaf_hash(submission_leaf(submission.statement.encode(), NOW)))}

        def ask(sender: str = sender, key: str = key, query: dict[str, str] = query) -> None:
            broker.session(sender).get(f"/v1/submissions/{key}", SubmissionStatus)
            broker.session(sender).get("/v1/log/leaves", LeafPlace, query=query)
            get(broker, "/log/checkpoint")

        work[sender] = work_of(broker, ask)
    assert len(broker.raised()) == 1
    assert work["bank-a"] == work["bank-b"]


def test_taking_back_what_hit_is_the_same_work_and_leaves_the_same_leaf(broker: BrokerWorld) -> None:
    submissions = {sender: broker.submit(sender, [row]) for sender, row in SENDERS.items()}
    broker.work()
    assert len(broker.raised()) == 1
    work: dict[str, list[str]] = {}
    found: dict[str, list[object]] = {}
    for sender, submission in submissions.items():
        before = len(leaves(broker))
        handles = [handle_of(submission)]
        work[sender] = work_of(broker, lambda sender=sender, handles=handles: broker.withdraw(sender, handles))
        broker.work()
        found[sender] = [(leaf.type, shape(dict(leaf.body))) for leaf in leaves(broker)[before:]]
    assert broker.raised() == []
    assert work["bank-a"] == work["bank-b"]
    assert found["bank-a"] == found["bank-b"]


def test_the_log_grows_while_matching_has_not_even_begun(broker: BrokerWorld) -> None:
    """The keeper of the log never waits for the matching worker: what a match costs delays no leaf."""
    for sender, row in SENDERS.items():
        broker.submit(sender, [row])
    broker.clock.advance(seconds=HOUR)
    broker.keeper.finish()
    kinds = [leaf.type for leaf in leaves(broker)]
    assert (kinds.count("submission"), kinds.count("activity")) == (3, 2)
    assert broker.raised() == []


def test_what_the_activity_hides_stands_in_no_public_answer(broker: BrokerWorld) -> None:
    broker.submit("bank-a", [SHARED])
    broker.work()
    (alert,) = broker.raised()
    broker.clock.advance(seconds=HOUR)
    broker.work()
    size = newest(broker).checkpoint.size
    public = get(broker, f"/log/tile/entries/000.p/{size}").content + get(broker, f"/log/tile/0/000.p/{size}").content
    assert alert.alert_id.encode() not in public
    assert b"alert" not in public
    assert json.dumps(sorted(alert.institutions)).encode() not in public
