"""Record secrets: never blindly, for their own institution alone, within a day of issue, until withdrawn."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Any

import pytest

from crypto import oprf
from crypto.records import Context
from crypto.shares import Evaluation, verify_share
from crypto.statements import WithdrawalStatement
from tests.agreement_world import DAY, START, example_terms, make_world
from tests.clocks import MovableClock
from tests.holders import Holders, serve_in_process
from wire.messages.evaluation import RecordName
from wire.messages.withdrawal import Acknowledgement, SignedStatement
from wire.problems import RemoteProblem

NOW = START + 2 * DAY
DAILY = 5


@pytest.fixture
def holders(tmp_path: Path, database_url: str) -> Holders:
    """The first two of three holders, one on each kind of database; 5 record secrets a day."""
    world = make_world(example_terms(records_per_day=DAILY))
    return serve_in_process(world, tmp_path, indexes=[1, 2], clock=MovableClock(NOW), database_urls={1: database_url})


def name(issued_at: int = NOW, expires_at: int = NOW + 30 * DAY) -> RecordName:
    return RecordName(secrets.token_bytes(16), issued_at, expires_at)


def refused(holders: Holders, names: list[RecordName], party_id: str = "bank-a", **asked: Any) -> str:
    """The problem's type where the first holder refuses."""
    with pytest.raises(RemoteProblem) as caught:
        holders.ask_records(party_id, 1, names, **asked)
    return caught.value.type_suffix


def withdraw(holders: Holders, handles: list[bytes], seq: int = 1, party_id: str = "bank-a") -> Acknowledgement:
    statement = WithdrawalStatement(holders.trust.epoch_id, party_id, seq, tuple(sorted(handles))).encode()
    signature = holders.world.parties[party_id].signing_key.sign(statement)
    with holders.session(party_id, 1) as session:
        return session.post("/v1/withdrawals", SignedStatement(statement, signature), Acknowledgement)


def test_two_holders_give_the_secret_of_the_records_own_context(holders: Holders) -> None:
    names = [name(), name()]
    contexts = [
        Context(holders.trust.epoch_id, "bank-a", one.handle, one.issued_at, one.expires_at).encode() for one in names
    ]
    elements = oprf.hash_inputs(contexts)
    answers = {index: holders.ask_records("bank-a", index, names) for index in (1, 2)}
    combined = holders.combined(answers, "record", elements)
    assert oprf.outputs(contexts, combined) == [holders.world.evaluate("record", one) for one in contexts]


def test_what_one_institution_asks_is_never_anothers_record(holders: Holders) -> None:
    one = name()
    answer = holders.ask_records("bank-b", 1, [one])
    ctx = Context(holders.trust.epoch_id, "bank-a", one.handle, one.issued_at, one.expires_at).encode()
    with pytest.raises(Exception, match="proof"):
        verify_share(
            holders.trust.commitments("record"),
            1,
            (1, 2),
            oprf.hash_inputs([ctx]),
            Evaluation(answer.elements, answer.proof),
        )


@pytest.mark.parametrize(
    ("issued_at", "answered"),
    [(NOW + 61, False), (NOW + 60, True), (NOW - DAY + 1, True), (NOW - DAY, False), (NOW - 40 * DAY, False)],
)
def test_a_secret_is_evaluated_within_a_day_of_the_issue(holders: Holders, issued_at: int, answered: bool) -> None:
    if answered:
        holders.ask_records("bank-a", 1, [name(issued_at)])
    else:
        assert refused(holders, [name(), name(issued_at)]) == "record-times"


@pytest.mark.parametrize("expires_at", [NOW, NOW - 1, START + 90 * DAY + 1])
def test_a_record_expires_after_its_issue_and_by_the_end_of_the_epoch(holders: Holders, expires_at: int) -> None:
    assert refused(holders, [name(NOW, expires_at)]) == "record-times"
    holders.ask_records("bank-a", 1, [name(NOW, START + 90 * DAY)])


@pytest.mark.parametrize("party_id", ["charity", "holder2", "broker"])
def test_only_institutions_have_records(holders: Holders, party_id: str) -> None:
    assert refused(holders, [name()], party_id) == "role"


def test_secrets_are_limited_a_day_and_the_same_request_is_not_counted_again(holders: Holders) -> None:
    names = [name() for _ in range(DAILY)]
    holders.ask_records("bank-a", 1, names)
    holders.ask_records("bank-a", 1, names, holder_set=(1, 3))
    assert refused(holders, [name()]) == "rate-limited"
    holders.ask_records("bank-b", 1, [name()])
    assert isinstance(holders.clock, MovableClock)
    holders.clock.set(NOW + DAY - 1)
    assert refused(holders, [name()]) == "rate-limited"
    holders.clock.set(NOW + DAY)
    assert refused(holders, [name(NOW + DAY) for _ in range(DAILY + 1)]) == "rate-limited"
    holders.ask_records("bank-a", 1, [name(NOW + DAY) for _ in range(DAILY)])


def test_a_withdrawn_handle_has_no_secret_any_more(holders: Holders) -> None:
    one, other = name(), name()
    holders.ask_records("bank-a", 1, [one])
    withdraw(holders, [one.handle])
    assert refused(holders, [one]) == "withdrawn"
    assert refused(holders, [other, one]) == "withdrawn"
    holders.ask_records("bank-a", 1, [other])
    # Another institution may have a record of the same name.
    holders.ask_records("bank-b", 1, [one])


def test_a_withdrawal_is_final_and_acknowledged_once(holders: Holders) -> None:
    handles = [secrets.token_bytes(16) for _ in range(3)]
    first = withdraw(holders, handles, seq=4)
    assert isinstance(holders.clock, MovableClock)
    holders.clock.advance(seconds=100)
    assert withdraw(holders, handles, seq=4) == first
    statement = WithdrawalStatement(holders.trust.epoch_id, "bank-a", 4, tuple(sorted(handles))).encode()
    assert first == Acknowledgement(hashlib.sha256(statement).digest(), NOW)


@pytest.mark.parametrize("seq", [1, 4])
def test_a_withdrawal_has_a_higher_number_than_the_last(holders: Holders, seq: int) -> None:
    withdraw(holders, [secrets.token_bytes(16)], seq=4)
    with pytest.raises(RemoteProblem) as caught:
        withdraw(holders, [secrets.token_bytes(16)], seq=seq)
    assert (caught.value.status, caught.value.extra["last_seq"]) == (409, 4)
    withdraw(holders, [secrets.token_bytes(16)], seq=7)
    withdraw(holders, [secrets.token_bytes(16)], seq=1, party_id="bank-b")


def test_nobody_withdraws_for_another(holders: Holders) -> None:
    statement = WithdrawalStatement(holders.trust.epoch_id, "bank-a", 1, (bytes(16),)).encode()
    for signer in ("bank-a", "bank-b"):
        signature = holders.world.parties[signer].signing_key.sign(statement)
        with pytest.raises(RemoteProblem) as caught, holders.session("bank-b", 1) as session:
            session.post("/v1/withdrawals", SignedStatement(statement, signature), Acknowledgement)
        assert caught.value.type_suffix == "not-yours"
    signature = holders.world.parties["bank-b"].signing_key.sign(statement)
    with pytest.raises(RemoteProblem) as caught, holders.session("bank-a", 1) as session:
        session.post("/v1/withdrawals", SignedStatement(statement, signature), Acknowledgement)
    assert caught.value.type_suffix == "statement-signature"
    holders.ask_records("bank-a", 1, [RecordName(bytes(16), NOW, NOW + DAY)])


@pytest.mark.parametrize(
    "statement", [b"x", b"crosslight/v1 withdrawal\x00", b"crosslight/v1 submission\x00" + bytes(90)]
)
def test_bytes_that_are_no_withdrawal_are_refused(holders: Holders, statement: bytes) -> None:
    signature = holders.world.parties["bank-a"].signing_key.sign(statement)
    with pytest.raises(RemoteProblem) as caught, holders.session("bank-a", 1) as session:
        session.post("/v1/withdrawals", SignedStatement(statement, signature), Acknowledgement)
    assert caught.value.status == 422


def test_withdrawing_goes_on_when_all_else_has_ended(holders: Holders) -> None:
    assert isinstance(holders.clock, MovableClock)
    holders.clock.set(START + 90 * DAY)
    assert refused(holders, [name(START + 90 * DAY)]) == "epoch-time"
    withdraw(holders, [secrets.token_bytes(16)])
