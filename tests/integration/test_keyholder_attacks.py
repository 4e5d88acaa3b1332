"""Attacks 6, 10, 11 and 12 of the protocol's section 13, as far as key holders answer for them."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from crypto import oprf
from crypto.errors import CryptoError, InvalidProof
from crypto.keyfiles import KeyRing
from crypto.records import Head
from crypto.shares import Evaluation, chunk_digest, share_name, verify_share
from crypto.statements import WithdrawalStatement
from keyholder.store.schema import budget, withdrawal
from policies.budgets import guesses, holder_budget
from runtime.database import read_transaction
from tests.agreement_world import DAY, START, make_world
from tests.clocks import MovableClock
from tests.holders import HolderProcesses, Holders, key_ring, running_holders, serve_in_process
from wire.http_signatures import sign_request
from wire.messages.evaluation import EvaluateRequest, EvaluateResponse, RecordName
from wire.messages.message import encode_message
from wire.messages.opening import OpeningRequest, OpeningResponse
from wire.messages.withdrawal import Acknowledgement, SignedStatement
from wire.packed import pack
from wire.problems import RemoteProblem

NOW = START + 2 * DAY


def refusal(ask: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    with pytest.raises(RemoteProblem) as caught:
        ask(*arguments, **named)
    return caught.value.type_suffix


def element() -> bytes:
    return oprf.blind([secrets.token_bytes(20)]).elements


def spent(holders: Holders, index: int, family: str = "phone") -> int:
    """What a holder has charged bank-a."""
    query = select(budget.c.spent).where(budget.c.institution_id == "bank-a", budget.c.family == family)
    with read_transaction(holders.engine(index)) as connection:
        return connection.execute(query).scalar_one_or_none() or 0


# 6


def test_attack_6_the_record_family_is_not_had_blindly_nor_for_anothers_record_nor_after_its_day(
    tmp_path: Path,
) -> None:
    holders = serve_in_process(make_world(), tmp_path, indexes=[1], clock=MovableClock(NOW))
    victim = Head.decode(holders.world.submit("bank-a", [{"phone": "+441"}], issued_at=NOW).records[0].head).context
    ctx = victim.encode()
    commitments = holders.trust.commitments("record")
    # Blindly, or in the clear under another family: refused, or worth nothing.
    assert refusal(holders.ask, "bank-b", 1, oprf.hash_inputs([ctx]), family="record") == "record-family"
    other = holders.ask("bank-b", 1, oprf.hash_inputs([ctx]), family="phone")
    with pytest.raises(InvalidProof):
        verify_share(commitments, 1, (1, 2), oprf.hash_inputs([ctx]), Evaluation(other.elements, other.proof))
    # For another's record: what comes back is the caller's own.
    name = RecordName(victim.handle, victim.issued_at, victim.expires_at)
    answer = holders.ask_records("bank-b", 1, [name])
    with pytest.raises(InvalidProof):
        verify_share(commitments, 1, (1, 2), oprf.hash_inputs([ctx]), Evaluation(answer.elements, answer.proof))
    # After its day, with the institution's own stolen key.
    assert isinstance(holders.clock, MovableClock)
    holders.clock.set(NOW + DAY)
    assert refusal(holders.ask_records, "bank-a", 1, [name]) == "record-times"


@pytest.mark.parametrize("evidence", ["none", "one group", "forged", "withdrawn", "expired"])
def test_attack_6_a_recipient_opens_nothing_without_evidence_that_holds_now(tmp_path: Path, evidence: str) -> None:
    holders = serve_in_process(make_world(), tmp_path, indexes=[1], clock=MovableClock(NOW))
    world = holders.world
    row = [{"phone": "+447700900123"}]
    times = {"issued_at": NOW, "lifetime": DAY}
    victim = world.submit("bank-a", row, **times)
    others = {
        "none": [],
        "one group": [world.submit("bank-a", row, seq=2, **times)],
        "forged": [make_world().submit("bank-b", row, **times)],
        "withdrawn": [world.submit("bank-b", row, **times)],
        "expired": [world.submit("bank-b", row, issued_at=START, lifetime=DAY)],
    }[evidence]
    if evidence == "withdrawn":
        handle = Head.decode(others[0].records[0].head).context.handle
        statement = WithdrawalStatement(holders.trust.epoch_id, "bank-b", 2, (handle,)).encode()
        signed = SignedStatement(statement, world.parties["bank-b"].signing_key.sign(statement))
        with holders.session("bank-b", 1) as session:
            session.post("/v1/withdrawals", signed, Acknowledgement)
    request: OpeningRequest = world.request([victim, *others])
    with holders.session("charity", 1) as session:
        response = session.post("/v1/open", request, OpeningResponse)
    assert (response.accepted, response.elements) == ((), b"")


# 10


def test_attack_10_rotating_sets_of_holders_over_fifty_threads_and_a_restart_stay_within_the_bound(
    tmp_path: Path, database_url: str
) -> None:
    world = make_world(holders=5, declared=6)
    total = world.trust.agreement.members[0].budgets["phone"]
    per_holder = holder_budget(total, 2, 5)
    assert per_holder < total
    holders = serve_in_process(world, tmp_path, clock=MovableClock(NOW), database_urls={1: database_url})
    answered: dict[int, set[int]] = {index: set() for index in range(1, 6)}
    sets = list(combinations(range(1, 6), 2))
    lock = threading.Lock()

    def guess(number: int) -> None:
        """One identifier, at one set of holders after another until two have answered for it."""
        chunk = element()
        for holder_set in (*sets[number % 10 :], *sets[: number % 10]):
            for index in holder_set:
                try:
                    holders.ask("bank-a", index, chunk, holder_set=holder_set)
                except RemoteProblem as problem:
                    assert problem.type_suffix == "budget-spent"
                    break
                with lock:
                    answered[index].add(number)

    half = total
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(guess, range(half)))
    for index in range(1, 6):
        holders.restart(index)
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(guess, range(half, 2 * half)))
    assert all(spent(holders, index) == len(answered[index]) <= per_holder for index in range(1, 6))
    evaluated = sum(sum(number in had for had in answered.values()) >= 2 for number in range(2 * half))
    assert evaluated <= guesses(per_holder, 2, 5, 0)


def test_attack_10_one_holders_budget_is_exact_under_fifty_threads(tmp_path: Path, database_url: str) -> None:
    world = make_world(declared=10)
    limit = world.trust.agreement.members[0].budgets["phone"]
    holders = serve_in_process(world, tmp_path, indexes=[1], clock=MovableClock(NOW), database_urls={1: database_url})
    repeated = element()

    def ask(number: int) -> int:
        try:
            # Every third asks the very same chunk, all at once: it is charged once.
            holders.ask("bank-a", 1, repeated if number % 3 == 0 else element())
        except RemoteProblem as problem:
            assert problem.type_suffix == "budget-spent"
            return 0
        return int(number % 3 != 0)

    with ThreadPoolExecutor(50) as pool:
        fresh = sum(pool.map(ask, range(3 * limit)))
    assert fresh + 1 == limit == spent(holders, 1)


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Three real holder processes on loopback."""
    with running_holders(tmp_path_factory.mktemp("holders")) as running:
        yield running


def test_attack_10_a_retry_after_a_kill_is_answered_the_same_and_not_charged(processes: HolderProcesses) -> None:
    chunk = b"".join(element() for _ in range(5))
    first = processes.ask("bank-a", 1, chunk)
    assert processes.counted(1, "bank-a", "phone") == 5
    processes.kill(1)
    processes.start(1)
    processes.wait_until_ready(1)
    assert processes.ask("bank-a", 1, chunk).elements == first.elements
    assert processes.counted(1, "bank-a", "phone") == 5


# 11


def test_attack_11_an_answer_weighted_for_another_set_is_refused_and_its_holder_named(tmp_path: Path) -> None:
    holders = serve_in_process(make_world(), tmp_path, clock=MovableClock(NOW))
    chunk = element()
    # Holder 2 answers as if the set were {2, 3} (a wrong lambda); holder 1 as asked.
    answers = {1: holders.ask("bank-a", 1, chunk), 2: holders.ask("bank-a", 2, chunk, holder_set=(2, 3))}
    lying = []
    for index, answer in answers.items():
        try:
            verify_share(
                holders.trust.commitments("phone"), index, (1, 2), chunk, Evaluation(answer.elements, answer.proof)
            )
        except CryptoError:
            lying.append(index)
    assert lying == [2]


def test_attack_11_shares_of_other_versions_never_mix(tmp_path: Path) -> None:
    holders = serve_in_process(make_world(), tmp_path, indexes=[1], clock=MovableClock(NOW))
    assert refusal(holders.ask, "bank-a", 1, element(), share_version=2) == "share-version"
    epoch_id, chunk = holders.trust.epoch_id, element()
    digests = {chunk_digest(epoch_id, "phone", version, chunk) for version in (1, 2)}
    assert len(digests) == 2


def test_attack_11_a_holder_with_a_share_off_the_polynomial_says_so_and_answers_nothing(tmp_path: Path) -> None:
    world = make_world()
    name = share_name(world.trust.commitments("phone")[0])
    off: KeyRing = key_ring(world, 2).with_secrets({name: world.share("phone", 3)})
    holders = serve_in_process(world, tmp_path, clock=MovableClock(NOW), secrets={2: off})
    assert refusal(holders.ask, "bank-a", 2, element()) == "not-ready"
    assert "phone" in holders.apps[2].test_client().get("/readyz").get_json()["checks"]["epoch"]
    chunk = element()
    holders.combined({i: holders.ask("bank-a", i, chunk, holder_set=(1, 3)) for i in (1, 3)}, "phone", chunk)


# 12


def replayed(holders: Holders, index: int, target: str, body: bytes, headers: list[tuple[str, str]]) -> int:
    """The status with which a holder answers a request as it was seen on the wire."""
    with httpx.Client(transport=httpx.WSGITransport(app=holders.apps[index])) as client:
        return client.post(target, content=body, headers=dict(headers)).status_code


def test_attack_12_a_replayed_request_has_no_second_effect_at_any_host_nor_after_a_restart(
    tmp_path: Path, database_url: str
) -> None:
    holders = serve_in_process(make_world(), tmp_path, clock=MovableClock(NOW), database_urls={1: database_url})
    target = f"{holders.trust.agreement.holders[0].address}/v1/evaluate"
    body = encode_message(EvaluateRequest(holders.trust.epoch_id, "phone", 1, (1, 2), element()))
    headers = sign_request(
        holders.world.parties["bank-a"].signing_key, "bank-a", "POST", target, body, holders.clock.now()
    )
    assert replayed(holders, 1, target, body, headers) == 200
    assert replayed(holders, 1, target, body, headers) == 409
    # Another holder is another target, whatever address the request names.
    assert replayed(holders, 2, target, body, headers) == 401
    other = f"{holders.trust.agreement.holders[1].address}/v1/evaluate"
    assert replayed(holders, 2, other, body, headers) == 401
    holders.restart(1)
    assert replayed(holders, 1, target, body, headers) == 409
    assert (spent(holders, 1), spent(holders, 2)) == (1, 0)


def test_attack_12_a_replayed_withdrawal_has_no_second_effect(tmp_path: Path, database_url: str) -> None:
    holders = serve_in_process(
        make_world(), tmp_path, indexes=[1], clock=MovableClock(NOW), database_urls={1: database_url}
    )
    target = f"{holders.trust.agreement.holders[0].address}/v1/withdrawals"
    key = holders.world.parties["bank-a"].signing_key
    statement = WithdrawalStatement(holders.trust.epoch_id, "bank-a", 1, (secrets.token_bytes(16),)).encode()
    body = encode_message(SignedStatement(statement, key.sign(statement)))
    headers = sign_request(key, "bank-a", "POST", target, body, holders.clock.now())
    assert replayed(holders, 1, target, body, headers) == 200
    holders.restart(1)
    assert replayed(holders, 1, target, body, headers) == 409
    with read_transaction(holders.engine(1)) as connection:
        assert len(connection.execute(select(withdrawal.c.seq)).all()) == 1


def test_attack_12_a_request_seen_at_a_real_process_is_refused_after_it_was_killed_and_started(
    processes: HolderProcesses,
) -> None:
    target = f"{processes.trust.agreement.holders[1].address}/v1/evaluate"
    body = encode_message(EvaluateRequest(processes.trust.epoch_id, "email", 1, (1, 2), element()))
    key = processes.world.parties["bank-b"].signing_key
    headers = dict(sign_request(key, "bank-b", "POST", target, body, processes.clock.now()))

    def send() -> int:
        return httpx.post(target, content=body, headers=headers, trust_env=False, timeout=60).status_code

    assert send() == 200
    processes.kill(2)
    processes.start(2)
    processes.wait_until_ready(2)
    assert send() == 409
    assert processes.counted(2, "bank-b", "email") == 1


def test_an_answer_of_a_real_process_is_the_oprfs(processes: HolderProcesses) -> None:
    mine = oprf.blind([b"one", b"two"])
    answers: dict[int, EvaluateResponse] = {
        index: processes.ask("police-c", index, mine.elements, holder_set=(2, 3)) for index in (2, 3)
    }
    outputs = oprf.finalize([b"one", b"two"], mine.blinds, processes.combined(answers, "phone", mine.elements))
    assert outputs == [processes.world.evaluate("phone", one) for one in (b"one", b"two")]


def test_the_logs_of_real_processes_hold_no_element_and_no_handle(processes: HolderProcesses) -> None:
    now = int(processes.clock.now().timestamp())
    chunk, name = element(), RecordName(secrets.token_bytes(16), now, now + DAY)
    answer = processes.ask("bank-a", 3, chunk, family="passport", holder_set=(2, 3))
    processes.ask_records("bank-a", 3, [name], holder_set=(2, 3))
    refusal(processes.ask, "bank-a", 3, bytes(32), family="passport", holder_set=(2, 3))
    for index, home in processes.homes.items():
        log = (home / "holder.log").read_text("utf-8")
        assert '"route": "/v1/evaluate"' in log or index != 3
        for secret in (chunk, answer.elements, name.handle, *dict(key_ring(processes.world, index)).values()):
            assert pack(secret) not in log
            assert secret.hex() not in log
