"""A key holder as a witness (C2SP tlog-witness): what it cosigns, what it refuses, exact under concurrency."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from keyholder.api.witness import LONGEST_REQUEST
from policies.log.add_checkpoint import SIZE_TYPE, encode_request
from policies.log.checkpoint import CosignedCheckpoint, add_cosignature, witness_name
from policies.log.log_keys import LogKeys
from policies.log.split_view import SplitView
from policies.log.tree import consistency_proof
from tests.agreement_world import DAY, START, World, make_world
from tests.clocks import MovableClock
from tests.holders import Holders, serve_in_process
from tests.memory_log import MemoryLog
from wire.messages.log import WitnessCheckpoint

NOW = START + 2 * DAY


@pytest.fixture
def holders(tmp_path: Path, database_url: str) -> Holders:
    """One holder, on each kind of database."""
    return serve_in_process(
        make_world(), tmp_path, indexes=[1], clock=MovableClock(NOW), database_urls={1: database_url}
    )


@pytest.fixture
def one(tmp_path: Path) -> Holders:
    """One holder, where the database's kind does not matter."""
    return serve_in_process(make_world(), tmp_path, indexes=[1], clock=MovableClock(NOW))


def log_of(world: World, leaves: int) -> MemoryLog:
    log = world.log()
    log.append(*(b'{"leaf":%d}' % number for number in range(leaves)))
    return log


def bring(holders: Holders, body: bytes) -> httpx.Response:
    with httpx.Client(transport=httpx.WSGITransport(app=holders.apps[1])) as client:
        return client.post(holders.trust.agreement.holders[0].address + "/add-checkpoint", content=body)


def body_for(log: MemoryLog, old: int, size: int) -> bytes:
    return encode_request(old, consistency_proof(log, old, size), log.note(size))


def add(holders: Holders, log: MemoryLog, old: int, size: int) -> httpx.Response:
    return bring(holders, body_for(log, old, size))


def kept(holders: Holders, party_id: str = "bank-a") -> CosignedCheckpoint | None:
    with holders.session(party_id, 1) as session:
        note = session.get("/v1/witness/checkpoint", WitnessCheckpoint).note
    return None if note is None else CosignedCheckpoint(note)


def evidence(holders: Holders) -> list[SplitView]:
    found = sorted(holders.homes[1].glob("split-view-*.json"))
    return [SplitView.from_document(json.loads(path.read_text("utf-8"))) for path in found]


def test_what_continues_the_kept_checkpoint_is_cosigned_and_kept(holders: Holders) -> None:
    log = log_of(holders.world, 300)
    assert kept(holders) is None
    key = LogKeys.of(holders.trust).policy.witnesses["holder1"]
    for old, size in ((0, 1), (1, 7), (7, 7), (7, 256), (256, 300)):
        answer = add(holders, log, old, size)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        assert CosignedCheckpoint(log.note(size)).with_lines(answer.text).cosigned_at(key) == NOW
        shown = kept(holders)
        assert shown is not None
        assert (shown.checkpoint.size, shown.cosigned_at(key)) == (size, NOW)
        shown.verify(LogKeys.of(holders.trust).key)


def test_an_old_size_that_is_not_the_kept_one_is_answered_with_the_kept_one(one: Holders) -> None:
    log = log_of(one.world, 10)
    assert add(one, log, 0, 4).status_code == 200
    for old, size in ((0, 10), (3, 10), (5, 10), (0, 3)):
        answer = add(one, log, old, size)
        assert (answer.status_code, answer.text, answer.headers["content-type"]) == (409, "4\n", SIZE_TYPE)
    assert kept(one).checkpoint.size == 4  # type: ignore[union-attr]


def test_a_restart_forgets_nothing(one: Holders) -> None:
    log = log_of(one.world, 10)
    add(one, log, 0, 4)
    one.restart(1)
    assert add(one, log, 0, 10).text == "4\n"
    assert add(one, log, 4, 10).status_code == 200


@pytest.mark.parametrize("damage", ["wrong", "short", "long", "none"])
def test_a_proof_that_does_not_hold_moves_nothing(one: Holders, damage: str) -> None:
    log = log_of(one.world, 10)
    add(one, log, 0, 3)
    proof = consistency_proof(log, 3, 10)
    changed = {"wrong": [bytes(32), *proof[1:]], "short": proof[:-1], "long": [*proof, bytes(32)], "none": []}[damage]
    assert bring(one, encode_request(3, changed, log.note())).status_code == 422
    assert kept(one).checkpoint.size == 3  # type: ignore[union-attr]


def test_another_history_is_refused_and_two_roots_of_one_size_are_kept_as_evidence(one: Holders) -> None:
    log = log_of(one.world, 10)
    add(one, log, 0, 10)
    fork = log.fork(4, *(b"other" for _ in range(8)))
    assert add(one, fork, 10, 12).status_code == 422
    assert add(one, fork, 10, 10).status_code == 422
    (found,) = evidence(one)
    assert found.fault == "forked"
    assert "two histories" in found.check(LogKeys.of(one.trust).key)
    assert kept(one).checkpoint.root == CosignedCheckpoint(log.note()).checkpoint.root  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "status"), [("origin", 404), ("another key's", 403), ("changed", 403), ("cosigned alone", 403)]
)
def test_only_the_agreements_log_in_its_own_words_is_cosigned(one: Holders, change: str, status: int) -> None:
    log = log_of(one.world, 3)
    stranger = MemoryLog(log.origin, make_world().parties["broker"].signing_key, log.witnesses, log.leaves)
    text, _ = log.note().split("\n\n")
    cosigned = add_cosignature(log.note(), witness_name(log.origin, "bank-a"), log.witnesses["bank-a"], NOW)
    note = {
        "origin": MemoryLog("other.example/log", log.signing_key, {}, log.leaves).note(),
        "another key's": stranger.note(),
        "changed": log.note().replace("\n3\n", "\n2\n"),
        "cosigned alone": f"{text}\n\n{cosigned.splitlines()[-1]}\n",
    }[change]
    answer = bring(one, encode_request(0, [], note))
    assert answer.status_code == status
    assert kept(one) is None


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"old x\n\n", b"old 0\n", b"old 0\n!!\n\nx\n", b"old 1\n\nnot a note", b"\xff\xfe"]
)
def test_what_is_no_request_is_refused_as_such(one: Holders, body: bytes) -> None:
    answer = bring(one, body)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_an_old_size_beyond_the_checkpoint_is_no_request(one: Holders) -> None:
    log = log_of(one.world, 4)
    assert bring(one, encode_request(5, [], log.note())).status_code == 400


def test_a_request_is_bounded(one: Holders) -> None:
    assert bring(one, b"old 0\n\n" + b"x" * LONGEST_REQUEST).status_code == 413


def test_cosignatures_of_others_are_not_kept(one: Holders) -> None:
    log = log_of(one.world, 4)
    log.append(b"x")
    assert bring(one, encode_request(0, [], log.cosign(NOW))).status_code == 200
    assert len(kept(one).note.signatures) == 2  # type: ignore[union-attr]


def test_a_clock_that_goes_back_does_not_date_a_cosignature_back(one: Holders) -> None:
    log = log_of(one.world, 4)
    key = LogKeys.of(one.trust).policy.witnesses["holder1"]
    add(one, log, 0, 3)
    assert isinstance(one.clock, MovableClock)
    one.clock.advance(seconds=-100)
    answer = add(one, log, 3, 4)
    assert CosignedCheckpoint(log.note()).with_lines(answer.text).cosigned_at(key) == NOW


def test_of_many_that_come_at_once_no_two_are_cosigned_from_one_size(holders: Holders) -> None:
    """Attack 13 at one witness: two histories, brought by many at once; only one of them is ever cosigned."""
    log = log_of(holders.world, 40)
    fork = log.fork(10, *(b"other %d" % number for number in range(30)))
    assert add(holders, log, 0, 10).status_code == 200
    bodies = [body_for(one, 10, size) for size in range(11, 40) for one in (log, fork)]

    with ThreadPoolExecutor(24) as pool:
        statuses = list(pool.map(lambda body: bring(holders, body).status_code, bodies))
    assert statuses.count(200) == 1
    assert set(statuses) == {200, 409}
    shown = kept(holders)
    assert shown is not None
    assert shown.note.text in {
        CosignedCheckpoint(one.note(size)).note.text for size in range(11, 40) for one in (log, fork)
    }


def test_a_log_that_is_followed_by_many_at_once_grows_at_the_witness_step_by_step(holders: Holders) -> None:
    log = log_of(holders.world, 60)

    def grow(size: int) -> bool:
        """Bring one size from whatever is kept, as the broker does."""
        old = 0
        while True:
            answer = add(holders, log, old, size) if old <= size else None
            if answer is None or answer.status_code == 200:
                return answer is not None
            old = int(answer.text)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(grow, range(1, 61)))
    assert kept(holders).checkpoint.size == 60  # type: ignore[union-attr]


def test_the_broker_itself_is_not_told_what_the_witness_keeps(one: Holders) -> None:
    for party_id in ("charity", "regulator", "holder2"):
        assert kept(one, party_id) is None
    with one.session("broker", 1) as session, pytest.raises(Exception, match="role"):
        session.get("/v1/witness/checkpoint", WitnessCheckpoint)
