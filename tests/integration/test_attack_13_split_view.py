"""Attack 13 (protocol section 13): the broker shows A and B two histories under its one key.

Two brokers with one key play the one that lies. At most one history gets a quorum of witnesses, whoever compares finds
the other, and what is kept convinces somebody who has nothing but the log's key.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from broker.log.witnesses import Witnesses
from clients.log.store import CheckpointStore
from clients.log.witness_duty import LogView, SplitViewReported, WitnessDuty
from policies.log.checkpoint import CosignedCheckpoint, log_key
from policies.log.errors import LogRefused
from policies.log.log_keys import LogKeys
from policies.log.split_view import SplitView
from policies.parties import holder_party_id
from runtime.exits import ExitCode
from tests.agreement_world import World, make_world
from tests.broker_log import get, newest, source
from tests.brokers import BASE_URL, FOUR_GROUPS, BrokerWorld, build_broker
from tests.holders import Holders, serve_in_process
from wire.messages.log import Cosignature, WitnessCheckpoint


@dataclass
class ToBroker:
    """The signed way of one party to one of the two brokers."""

    broker: BrokerWorld
    party_id: str

    def cosign(self, size: int, line: str) -> None:
        """Bring a cosignature."""
        self.broker.session(self.party_id).post("/v1/log/cosignatures", Cosignature(size, line))


@dataclass
class ToHolder:
    """The signed way of one party to a holder."""

    holders: Holders
    party_id: str
    index: int

    def checkpoint(self) -> str | None:
        """What the holder keeps."""
        with self.holders.session(self.party_id, self.index) as session:
            return session.get("/v1/witness/checkpoint", WitnessCheckpoint).note


@dataclass
class Fork:
    """Two histories, the holders who witness, and what each client keeps."""

    to_a: BrokerWorld
    to_b: BrokerWorld
    holders: Holders
    folder: Path

    def duty(self, party_id: str) -> WitnessDuty:
        """A client as a witness, with the checkpoint that it keeps."""
        folder = self.folder / party_id
        folder.mkdir(exist_ok=True)
        key = self.to_a.agreement.parties[party_id].signing_key
        return WitnessDuty(party_id, key, CheckpointStore(folder), self.to_a.clock)

    def contact(self, party_id: str, broker: BrokerWorld, *compared: int) -> LogView:
        """One contact of a client with one of the two histories."""
        views = {index: ToHolder(self.holders, party_id, index) for index in compared}
        with source(broker) as log:
            return self.duty(party_id).contact(broker.trust, log, ToBroker(broker, party_id), views)

    def push(self, broker: BrokerWorld, *indexes: int) -> int:
        """Bring a history's newest checkpoint to some of the holders."""
        reached = {holder_party_id(index): self.holders.apps[index] for index in indexes}
        return Witnesses(broker.engine, lambda: broker.trust, broker.clock, transport=_only(reached)).push()


def _only(reached: dict[str, object]) -> Callable[[str], httpx.BaseTransport]:
    class Gone(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("kept away", request=request)

    def transport(party_id: str) -> httpx.BaseTransport:
        app = reached.get(party_id)
        return Gone() if app is None else httpx.WSGITransport(app=app)  # type: ignore[arg-type]

    return transport


def two_histories(agreement: World, folder: Path) -> Fork:
    brokers = [build_broker(f"sqlite:///{folder / name}.sqlite", agreement=agreement) for name in ("a", "b")]
    for broker, row in zip(brokers, ({"passport": "GB|1"}, {"passport": "GB|2"}), strict=True):
        broker.submit("bank-a", [row])
        broker.work()
    notes = [newest(broker).checkpoint for broker in brokers]
    assert notes[0].size == notes[1].size
    assert notes[0].root != notes[1].root
    return Fork(*brokers, serve_in_process(agreement, folder / "holders", clock=brokers[0].clock), folder)


@pytest.fixture
def fork(tmp_path: Path) -> Fork:
    agreement = make_world(members=FOUR_GROUPS, addresses={"broker": BASE_URL}, witness_quorum=2)
    return two_histories(agreement, tmp_path)


def quorums(fork: Fork) -> list[bool]:
    """Which of the two histories has a checkpoint with a quorum."""
    return [get(broker, "/log/cosigned").status_code == 200 for broker in (fork.to_a, fork.to_b)]


def check_evidence(fork: Fork, path: Path) -> None:
    """The file convinces whoever has the log's key, and nobody who has another."""
    keys = LogKeys.of(fork.to_a.trust)
    evidence = SplitView.from_document(json.loads(path.read_text("utf-8")))
    assert evidence.check(keys.key)
    with pytest.raises(LogRefused):
        evidence.check(
            log_key(keys.origin, bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"))
        )
    honest = SplitView("forked", keys.key, evidence.kept, evidence.kept, evidence.seen_at)
    with pytest.raises(LogRefused, match="both be honest"):
        honest.check(keys.key)


@pytest.mark.parametrize(
    ("first", "second"), [((1, 2, 3), (1, 2, 3)), ((1, 2), (3,)), ((1,), (2, 3)), ((1,), (1, 2, 3))]
)
def test_at_most_one_history_gets_a_quorum(fork: Fork, first: tuple[int, ...], second: tuple[int, ...]) -> None:
    assert fork.push(fork.to_a, *first) == len(first)
    assert fork.push(fork.to_b, *second) == len(set(second) - set(first))
    assert sum(quorums(fork)) <= 1
    for broker in (fork.to_a, fork.to_b):
        broker.submit("bank-b", [{"phone": "+1"}])
        broker.work()
        broker.clock.advance(seconds=600)
    fork.push(fork.to_a, 1, 2, 3)
    fork.push(fork.to_b, 1, 2, 3)
    assert sum(quorums(fork)) == 1


def test_a_holder_that_is_shown_both_keeps_the_evidence(fork: Fork) -> None:
    fork.push(fork.to_a, 1, 2)
    fork.push(fork.to_b, 1, 2, 3)
    kept = sorted(fork.folder.glob("holders/*/split-view-*.json"))
    assert [path.parent.name for path in kept] == ["holder1", "holder2"]
    for path in kept:
        check_evidence(fork, path)


def test_a_client_that_is_shown_the_other_history_stops_with_evidence(fork: Fork) -> None:
    fork.contact("bank-a", fork.to_a)
    with pytest.raises(SplitViewReported) as stopped:
        fork.contact("bank-a", fork.to_b)
    assert stopped.value.exit_code == ExitCode.VERIFICATION_FAILED
    assert "two histories" in str(stopped.value)
    check_evidence(fork, stopped.value.path)
    kept = fork.duty("bank-a").store.kept()
    assert kept is not None
    assert CosignedCheckpoint(kept).checkpoint == newest(fork.to_a).checkpoint


def test_the_other_history_grown_longer_is_found_too(fork: Fork) -> None:
    fork.contact("bank-a", fork.to_a)
    for number in range(20):
        fork.to_b.submit("bank-b", [{"phone": f"+{number}"}])
    fork.to_b.work()
    assert newest(fork.to_b).checkpoint.size > newest(fork.to_a).checkpoint.size
    with pytest.raises(SplitViewReported) as stopped:
        fork.contact("bank-a", fork.to_b)
    check_evidence(fork, stopped.value.path)


def test_a_history_cut_short_is_found(fork: Fork, tmp_path: Path) -> None:
    older = build_broker(f"sqlite:///{tmp_path / 'older'}.sqlite", agreement=fork.to_a.agreement)
    older.work()
    fork.contact("bank-a", fork.to_a)
    with pytest.raises(SplitViewReported, match="cut") as stopped:
        fork.contact("bank-a", older)
    check_evidence(fork, stopped.value.path)


def test_two_clients_find_it_through_a_holder_that_both_compare_with(fork: Fork) -> None:
    """A sees one history, B the other, and neither ever sees both: the holder's view tells them."""
    fork.push(fork.to_a, 1)
    assert fork.contact("bank-a", fork.to_a, 1).compared == (1,)
    with pytest.raises(SplitViewReported) as stopped:
        fork.contact("bank-b", fork.to_b, 1)
    check_evidence(fork, stopped.value.path)
    assert fork.duty("bank-b").store.kept() is None


def test_an_honest_log_that_grows_is_never_taken_for_a_fork(fork: Fork) -> None:
    for number in range(5):
        fork.to_a.submit("bank-b", [{"phone": f"+{number}"}])
        fork.to_a.work()
        fork.push(fork.to_a, 1, 2, 3)
        fork.to_a.clock.advance(seconds=60)
        for party_id in ("bank-a", "bank-b", "charity", "regulator"):
            view = fork.contact(party_id, fork.to_a, 1, 2)
            assert view.compared == (1, 2)
            assert view.require_accepted().checkpoint.size <= view.newest.checkpoint.size
    assert not list(fork.folder.rglob("split-view-*.json"))
