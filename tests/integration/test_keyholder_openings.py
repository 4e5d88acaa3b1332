"""Opening requests at served key holders: what opens, what is refused and why, and the record of every decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crypto import oprf
from crypto.records import Head
from crypto.statements import WithdrawalStatement
from keyholder.opening_record import verify_links
from keyholder.store import documents
from keyholder.store.chains import NO_LINK
from keyholder.store.chains import Head as ChainHead
from keyholder.store.openings import Link, opening_links
from runtime.database import read_transaction, write_transaction
from runtime.exits import UserError
from tests.agreement_world import DAY, START, Submission, example_terms, make_world
from tests.clocks import MovableClock
from tests.holders import Holders, serve_in_process
from wire.messages.evaluation import EvaluateResponse
from wire.messages.opening import OpeningRequest, OpeningResponse
from wire.messages.withdrawal import Acknowledgement, SignedStatement
from wire.packed import pack
from wire.problems import RemoteProblem
from wire.strict_json import parse_json

NOW = START + 2 * DAY
DAILY = 4


@pytest.fixture
def holders(tmp_path: Path, database_url: str) -> Holders:
    """The first two of three holders, one on each kind of database; 4 openings a day."""
    world = make_world(example_terms(openings_per_day=DAILY))
    return serve_in_process(world, tmp_path, indexes=[1, 2], clock=MovableClock(NOW), database_urls={1: database_url})


@pytest.fixture
def one(tmp_path: Path) -> Holders:
    """The first holder alone, where the database's kind does not matter."""
    world = make_world(example_terms(openings_per_day=DAILY))
    return serve_in_process(world, tmp_path, indexes=[1], clock=MovableClock(NOW))


def pair(holders: Holders, rows: int = 1, **times: int) -> tuple[Submission, Submission]:
    """Two banks that hold the same phone numbers."""
    shared = [{"phone": f"+44770090{n:04}"} for n in range(rows)]
    return holders.world.submit("bank-a", shared, **times), holders.world.submit("bank-b", shared, **times)


def ask(holders: Holders, request: OpeningRequest, index: int = 1, party_id: str = "charity") -> OpeningResponse:
    with holders.session(party_id, index) as session:
        return session.post("/v1/open", request, OpeningResponse)


def refusal(holders: Holders, request: OpeningRequest, party_id: str = "charity") -> RemoteProblem:
    with pytest.raises(RemoteProblem) as caught:
        ask(holders, request, party_id=party_id)
    return caught.value


def reasons(response: OpeningResponse) -> list[str]:
    return [refused.reason for refused in response.refused]


def links(holders: Holders) -> list[Link]:
    with read_transaction(holders.engine(1)) as connection:
        return opening_links(connection)


def decisions(holders: Holders) -> list[Any]:
    """The record of openings, verified as a chain."""
    found = links(holders)
    verify_links(found, holders.trust.holder_key(1), ChainHead(0, NO_LINK))
    return [parse_json(link.body.encode()) for link in found]


def contexts(request: OpeningRequest, positions: Sequence[int]) -> list[bytes]:
    return [Head.decode(request.records[position].head).context.encode() for position in positions]


def test_what_the_evidence_supports_opens_with_the_very_secret(holders: Holders) -> None:
    request = holders.world.request(pair(holders, 2))
    answers = {index: ask(holders, request, index) for index in (1, 2)}
    assert [answer.accepted for answer in answers.values()] == [(0, 1, 2, 3)] * 2
    inputs = contexts(request, range(4))
    parts = {index: EvaluateResponse(answer.elements, answer.proof) for index, answer in answers.items()}
    combined = holders.combined(parts, "record", oprf.hash_inputs(inputs))
    assert oprf.outputs(inputs, combined) == [holders.world.evaluate("record", ctx) for ctx in inputs]


def test_evidence_that_was_not_asked_for_is_not_opened(one: Holders) -> None:
    request = one.world.request(pair(one), wanted=[1])
    response = ask(one, request)
    assert (response.accepted, len(response.elements), response.refused) == ((1,), 32, ())
    shown = [record["decision"] for record in decisions(one)[0]["records"]]
    assert shown == ["evidence", "opened"]


def test_a_record_that_nobody_supports_stays_shut_and_no_proof_is_given(one: Holders) -> None:
    alone = one.world.submit("bank-a", [{"phone": "+447700900123"}] * 2)
    response = ask(one, one.world.request([alone]))
    assert (response.accepted, response.elements, response.proof) == ((), b"", b"")
    assert reasons(response) == ["not-supported", "not-supported"]


def test_support_is_not_transitive(tmp_path: Path) -> None:
    rule = {"t": 3, "least_weight": 10, "alone": ["phone", "email"]}
    holders = serve_in_process(make_world(example_terms(opening_rule=rule)), tmp_path, indexes=[1])
    made = [
        holders.world.submit("bank-a", [{"phone": "+447700900001"}]),
        holders.world.submit("bank-b", [{"phone": "+447700900001", "email": "x@example.org"}]),
        holders.world.submit("police-c", [{"email": "x@example.org"}]),
    ]
    # The three hang together, and only the one in the middle is supported by two other groups.
    response = ask(holders, holders.world.request(made))
    assert response.accepted == (1,)
    assert reasons(response) == ["not-supported", "not-supported"]


def test_what_an_institution_withdrew_neither_opens_nor_supports_whatever_is_shown(holders: Holders) -> None:
    request = holders.world.request(pair(holders))
    assert ask(holders, request).accepted == (0, 1)
    handle = Head.decode(request.records[0].head).context.handle
    statement = WithdrawalStatement(holders.trust.epoch_id, "bank-a", 2, (handle,)).encode()
    signed = SignedStatement(statement, holders.world.parties["bank-a"].signing_key.sign(statement))
    with holders.session("bank-a", 1) as session:
        session.post("/v1/withdrawals", signed, Acknowledgement)
    response = ask(holders, request)
    assert (response.accepted, reasons(response)) == ((), ["withdrawn", "not-supported"])


def test_a_suspended_institution_neither_opens_nor_supports(one: Holders) -> None:
    with write_transaction(one.engine(1)) as connection:
        documents.suspend(connection, "bank-b", "under review", NOW)
    response = ask(one, one.world.request(pair(one)))
    assert (response.accepted, reasons(response)) == ((), ["not-supported", "suspended"])


def test_an_expired_record_neither_opens_nor_supports(one: Holders) -> None:
    request = one.world.request(pair(one, issued_at=START, lifetime=2 * DAY))
    response = ask(one, request)
    assert (response.accepted, reasons(response)) == ((), ["expired", "expired"])


def test_forged_evidence_is_refused_record_by_record(one: Holders) -> None:
    request = one.world.request(pair(one))
    first, second = request.records
    broken = replace(first, envelope_hash=bytes(32))
    response = ask(one, replace(request, records=(broken, second)))
    assert reasons(response) == ["path", "not-supported"]
    wrong_signature = replace(request.statements[0], signature=bytes(64))
    response = ask(one, replace(request, statements=(wrong_signature, request.statements[1])))
    assert reasons(response) == ["signature", "not-supported"]
    entry = replace(first.entries[0], entry=first.entries[0].entry[:-1] + b"\x00")
    response = ask(one, replace(request, records=(replace(first, entries=(entry,)), second)))
    assert reasons(response) == ["entry", "not-supported"]


def test_a_recipients_openings_are_limited_a_day_and_the_same_record_counts_once(holders: Holders) -> None:
    request = holders.world.request(pair(holders, 3))
    response = ask(holders, request)
    assert response.accepted == (0, 1, 2, 3)
    assert reasons(response) == ["budget-spent", "budget-spent"]
    assert [record["reason"] for record in decisions(holders)[0]["records"]] == [""] * 4 + ["budget-spent"] * 2
    # Asked again (a lost answer), the same four open and nothing more is taken.
    assert ask(holders, request).accepted == (0, 1, 2, 3)
    assert isinstance(holders.clock, MovableClock)
    holders.clock.advance(days=1)
    assert ask(holders, replace(request, open=(4, 5))).accepted == (4, 5)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"epoch_id": bytes(32)}, "unknown-epoch"),
        ({"roster_version": 2}, "roster"),
        ({"share_version": 2}, "share-version"),
        ({"holder_set": (2, 3)}, "holder-set"),
    ],
)
def test_a_request_that_is_refused_whole_is_recorded_with_its_reason(
    one: Holders, change: dict[str, Any], expected: str
) -> None:
    assert refusal(one, replace(one.world.request(pair(one)), **change)).type_suffix == expected
    (decision,) = decisions(one)
    assert (decision["refused"], decision["records"], decision["recipient_id"]) == (expected, [], "charity")


def test_a_suspended_recipient_and_one_out_of_time_are_refused_and_recorded(one: Holders) -> None:
    request = one.world.request(pair(one))
    with write_transaction(one.engine(1)) as connection:
        documents.suspend(connection, "charity", "", NOW)
    assert refusal(one, request).type_suffix == "suspended"
    assert isinstance(one.clock, MovableClock)
    one.clock.set(START + 90 * DAY)
    assert refusal(one, request).type_suffix == "recipient-expired"
    assert [decision["refused"] for decision in decisions(one)] == ["suspended", "recipient-expired"]


@pytest.mark.parametrize("party_id", ["bank-a", "police-c", "holder2", "broker"])
def test_only_recipients_may_ask_and_others_leave_no_decision(one: Holders, party_id: str) -> None:
    assert refusal(one, one.world.request(pair(one)), party_id).type_suffix == "role"
    assert decisions(one) == []


def test_every_decision_names_its_request_its_rule_and_the_decision_before(one: Holders) -> None:
    request = one.world.request(pair(one))
    for _ in range(3):
        ask(one, request)
    found = decisions(one)
    assert [decision["number"] for decision in found] == [1, 2, 3]
    assert {decision["request_hash"] for decision in found} == {found[0]["request_hash"]}
    assert found[0]["policy_hash"] == pack(one.trust.epoch.policy_hash)
    assert found[0]["roster_version"] == 1
    assert [record["institution_id"] for record in found[0]["records"]] == ["bank-a", "bank-b"]


@pytest.mark.parametrize("damage", ["changed", "missing", "swapped", "signed by another"])
def test_a_record_of_openings_that_was_changed_does_not_verify(one: Holders, damage: str) -> None:
    request = one.world.request(pair(one))
    for _ in range(3):
        ask(one, request)
    found = links(one)
    key = one.trust.holder_key(1)
    if damage == "changed":
        found[1] = found[1]._replace(body=found[1].body.replace('"opened"', '"shut"'))
    elif damage == "missing":
        del found[1]
    elif damage == "swapped":
        found[1], found[2] = found[2], found[1]
    else:
        key = one.trust.holder_key(2)
    with pytest.raises(UserError, match="missing or was changed"):
        verify_links(found, key, ChainHead(0, NO_LINK))


def test_nothing_of_an_opening_is_kept_that_could_be_matched(one: Holders) -> None:
    request = one.world.request(pair(one))
    ask(one, request)
    body = links(one)[0].body
    for record in request.records:
        for entry in record.entries:
            assert pack(entry.entry) not in body
            assert entry.entry.hex() not in body
