"""The broker and its key holders: checkpoints go to them and come back cosigned, their signed counts become leaves."""

import secrets
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection

from broker.log.append import append
from broker.log.counts import HolderCounts
from broker.log.witnesses import Witnesses
from crypto import oprf
from policies.log.checkpoint import CosignedCheckpoint
from policies.log.log_keys import LogKeys
from runtime.database import run_in_transaction
from tests.agreement_world import DAY, make_world
from tests.broker_log import get, leaves, newest
from tests.brokers import BASE_URL, FOUR_GROUPS, BrokerWorld, build_broker
from tests.holders import Holders, serve_in_process

ROW = {"passport": "GB|1"}
HOUR = 3600


@pytest.fixture
def broker(sqlite_url: str) -> BrokerWorld:
    agreement = make_world(members=FOUR_GROUPS, addresses={"broker": BASE_URL}, witness_quorum=2)
    return build_broker(sqlite_url, agreement=agreement)


@pytest.fixture
def holders(broker: BrokerWorld, tmp_path: Path) -> Holders:
    return serve_in_process(broker.agreement, tmp_path / "holders", clock=broker.clock)


class Away(httpx.BaseTransport):
    """A holder that does not answer."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no connection", request=request)


def ways(holders: Holders, away: set[str]) -> Callable[[str], httpx.BaseTransport]:
    """A transport for each holder, that looks at `away` at every request."""

    class Switched(httpx.BaseTransport):
        def __init__(self, party_id: str) -> None:
            self.party_id = party_id

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            app = holders.apps[int(self.party_id.removeprefix("holder"))]
            inner = Away() if self.party_id in away else httpx.WSGITransport(app=app)
            return inner.handle_request(request)

    return Switched


def witnesses_of(broker: BrokerWorld, holders: Holders, away: set[str] | None = None) -> Witnesses:
    return Witnesses(
        broker.engine, lambda: broker.trust, broker.clock, transport=ways(holders, set() if away is None else away)
    )


def ask_something(holders: Holders, times: int = 1) -> None:
    """Two elements of bank-a at the first two holders, so many times."""
    for _ in range(times):
        chunk = oprf.blind([secrets.token_bytes(20) for _ in range(2)]).elements
        for index in (1, 2):
            holders.ask("bank-a", index, chunk)


def cosigned_size(broker: BrokerWorld) -> int:
    return CosignedCheckpoint(get(broker, "/log/cosigned").text).checkpoint.size


def test_each_new_checkpoint_comes_back_cosigned(broker: BrokerWorld, holders: Holders) -> None:
    witnesses = witnesses_of(broker, holders)
    assert witnesses.push() == 0
    broker.work()
    assert witnesses.push() == 3
    policy = LogKeys.of(broker.trust).policy
    assert set(policy.cosigned_at(newest(broker))) == {"holder1", "holder2", "holder3"}
    for number in range(3):
        broker.submit("bank-a", [{"passport": f"GB|{number}"}])
        broker.work()
        assert witnesses.push() == 3
        assert cosigned_size(broker) == newest(broker).checkpoint.size
    assert witnesses.push() == 0


def test_a_log_that_grew_past_full_tiles_is_cosigned_too(broker: BrokerWorld, holders: Holders) -> None:
    witnesses = witnesses_of(broker, holders)
    for size in (100, 300, 5):

        def add(connection: Connection, size: int = size) -> None:
            for number in range(size):
                append(connection, f"leaf {number}".encode())

        run_in_transaction(broker.engine, add)
        broker.work()
        assert witnesses.push() == 3
    assert newest(broker).checkpoint.size > 405


def test_a_holder_that_is_away_holds_up_nobody_and_catches_up(broker: BrokerWorld, holders: Holders) -> None:
    away = {"holder3"}
    witnesses = witnesses_of(broker, holders, away)
    broker.work()
    assert witnesses.push() == 2
    size = cosigned_size(broker)
    away.clear()
    assert witnesses.push() == 0
    broker.clock.advance(seconds=2)
    assert witnesses.push() == 1
    assert size == cosigned_size(broker)
    assert set(LogKeys.of(broker.trust).policy.cosigned_at(newest(broker))) == {"holder1", "holder2", "holder3"}
    away.update({"holder1", "holder2", "holder3"})
    broker.submit("bank-a", [ROW])
    broker.work()
    for _ in range(12):
        broker.clock.advance(seconds=300)
        assert witnesses.push() == 0
    away.clear()
    broker.clock.advance(seconds=300)
    assert witnesses.push() == 3


def test_a_restarted_keeper_learns_from_the_witnesses_what_they_have(broker: BrokerWorld, holders: Holders) -> None:
    broker.work()
    assert witnesses_of(broker, holders).push() == 3
    broker.submit("bank-a", [ROW])
    broker.work()
    assert witnesses_of(broker, holders).push() == 3


def test_the_holders_daily_counts_become_leaves_once(broker: BrokerWorld, holders: Holders) -> None:
    broker.work()
    ask_something(holders)
    counts = HolderCounts(
        broker.engine,
        lambda: broker.trust,
        broker.clock,
        broker.agreement.parties["broker"].signing_key,
        transport=ways(holders, set()),
    )
    assert counts.fetch() == 0
    broker.clock.advance(seconds=2 * DAY + HOUR)
    assert counts.fetch() == 4
    assert counts.fetch() == 0
    broker.work()
    logged = [leaf.body for leaf in leaves(broker, "evaluations")]
    assert [(body["holder"], body["day"]) for body in logged] == [
        (1, "2026-01-02"),
        (1, "2026-01-03"),
        (2, "2026-01-02"),
        (2, "2026-01-03"),
    ]
    assert logged[0]["document"]["counts"] == {"bank-a": {"phone": 2}}
    assert logged[1]["document"]["previous"] == logged[0]["hash"]
    broker.clock.advance(seconds=DAY)
    assert counts.fetch() == 2


def test_counts_that_do_not_continue_are_not_logged(broker: BrokerWorld, holders: Holders, tmp_path: Path) -> None:
    broker.work()
    ask_something(holders)
    key = broker.agreement.parties["broker"].signing_key
    broker.clock.advance(seconds=2 * DAY + HOUR)
    honest = HolderCounts(broker.engine, lambda: broker.trust, broker.clock, key, transport=ways(holders, set()))
    assert honest.fetch() == 4
    # The same holders with another past: other counts for the days that are in the log already.
    other = serve_in_process(broker.agreement, tmp_path / "other", clock=broker.clock)
    broker.clock.advance(seconds=-2 * DAY - HOUR)
    ask_something(other, times=2)
    broker.clock.advance(seconds=3 * DAY + HOUR)
    rewritten = HolderCounts(broker.engine, lambda: broker.trust, broker.clock, key, transport=ways(other, set()))
    assert rewritten.fetch() == 0
    assert honest.fetch() == 2
