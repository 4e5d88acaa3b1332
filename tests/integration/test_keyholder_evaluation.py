"""Evaluation by served key holders: who is answered, what is charged, and that the answers are the OPRF's."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crypto import oprf
from crypto.group import IDENTITY
from crypto.keyfiles import KeyRing
from crypto.shares import share_name
from crypto.tags import identifier_input
from keyholder.app import create_app
from keyholder.settings import HolderSettings
from keyholder.store import documents
from policies.documents import SignedDocument
from policies.service_settings import read_settings
from runtime.database import write_transaction
from tests.agreement_world import DAY, START, World, make_world
from tests.clocks import MovableClock
from tests.holders import Holders, key_ring, serve_in_process
from wire.messages.documents import SignedDocument as DocumentMessage
from wire.packed import pack
from wire.problems import RemoteProblem


@pytest.fixture
def holders(tmp_path: Path, database_url: str) -> Holders:
    """Three holders of whom two evaluate; the first on each kind of database."""
    return serve_in_process(make_world(), tmp_path, database_urls={1: database_url})


@pytest.fixture
def one(tmp_path: Path) -> Holders:
    """The first holder alone, where the database's kind does not matter. Each family's budget is 7 elements."""
    return serve_in_process(make_world(declared=2), tmp_path, indexes=[1])


BUDGET = 7


def blinded(count: int = 3) -> bytes:
    """Elements of made-up identifiers."""
    return oprf.blind([secrets.token_bytes(20) for _ in range(count)]).elements


def refusal(ask: Callable[..., Any], *arguments: Any, **named: Any) -> RemoteProblem:
    """How a call is refused."""
    with pytest.raises(RemoteProblem) as caught:
        ask(*arguments, **named)
    return caught.value


def suspend(holders: Holders, party_id: str) -> None:
    with write_transaction(holders.engine(1)) as connection:
        documents.suspend(connection, party_id, "", START)


def left(holders: Holders, family: str = "phone") -> int:
    """How many more elements of a family the first holder evaluates for bank-a, found by asking one by one."""
    for count in range(BUDGET + 1):
        try:
            holders.ask("bank-a", 1, blinded(1), family=family)
        except RemoteProblem as problem:
            assert problem.type_suffix == "budget-spent"
            return count
    raise AssertionError("the budget has no end")


@pytest.mark.parametrize("holder_set", [(1, 2), (1, 3), (2, 3)])
def test_any_two_holders_give_the_output_of_the_whole_key(holders: Holders, holder_set: tuple[int, int]) -> None:
    inputs = [identifier_input(holders.trust.epoch_id, "phone", f"+4477009001{n:02}") for n in range(3)]
    mine = oprf.blind(inputs)
    answers = {index: holders.ask("bank-a", index, mine.elements, holder_set=holder_set) for index in holder_set}
    evaluated = holders.combined(answers, "phone", mine.elements)
    outputs = oprf.finalize(inputs, mine.blinds, evaluated)
    assert outputs == [holders.world.evaluate("phone", one) for one in inputs]


@pytest.mark.parametrize("party_id", ["charity", "holder2", "broker"])
def test_only_institutions_are_evaluated_for(one: Holders, party_id: str) -> None:
    problem = refusal(one.ask, party_id, 1, blinded())
    assert (problem.status, problem.type_suffix) == (403, "role")


def test_a_key_that_nobody_enrolled_is_refused(one: Holders) -> None:
    stranger = make_world().parties["bank-a"].signing_key
    with pytest.raises(RemoteProblem) as caught, one.session("bank-a", 1, key=stranger) as session:
        session.get("/v1/counts")
    assert caught.value.status == 401


def test_the_record_family_is_never_evaluated_blindly(one: Holders) -> None:
    assert refusal(one.ask, "bank-a", 1, blinded(), family="record").type_suffix == "record-family"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"family": "shoe-size"}, "unknown-family"),
        ({"share_version": 2}, "share-version"),
        ({"holder_set": (2, 3)}, "holder-set"),
        ({"holder_set": (1,)}, "holder-set"),
        ({"holder_set": (1, 2, 3)}, "holder-set"),
        ({"holder_set": (1, 4)}, "holder-set"),
        ({"holder_set": (2, 1)}, "invalid-message"),
        ({"holder_set": (1, 1)}, "invalid-message"),
    ],
)
def test_what_does_not_fit_the_epoch_is_refused_and_costs_nothing(
    one: Holders, asked: dict[str, Any], expected: str
) -> None:
    assert refusal(one.ask, "bank-a", 1, blinded(), **asked).type_suffix == expected
    assert left(one) == BUDGET


@pytest.mark.parametrize("element", [IDENTITY, b"\xff" * 32, bytes(31) + b"\x80"])
def test_an_element_that_is_none_is_named_by_its_position_and_costs_nothing(one: Holders, element: bytes) -> None:
    problem = refusal(one.ask, "bank-a", 1, blinded(2) + element)
    assert problem.status == 422
    assert "2" in problem.detail
    assert left(one) == BUDGET


def test_more_than_512_elements_are_no_chunk(one: Holders) -> None:
    assert refusal(one.ask, "bank-a", 1, blinded(1) * 513).type_suffix == "invalid-message"


@pytest.mark.parametrize(("moment", "answered"), [(-1, False), (0, True), (90 * DAY - 1, True), (90 * DAY, False)])
def test_an_epoch_is_served_from_its_beginning_to_before_its_end(tmp_path: Path, moment: int, answered: bool) -> None:
    holders = serve_in_process(make_world(), tmp_path, indexes=[1], clock=MovableClock(START + moment))
    if answered:
        holders.ask("bank-a", 1, blinded())
    else:
        assert refusal(holders.ask, "bank-a", 1, blinded()).type_suffix == "epoch-time"


def test_an_institution_has_its_budget_of_each_family_to_the_last_element(holders: Holders, tmp_path: Path) -> None:
    small = serve_in_process(make_world(declared=2), tmp_path / "small", indexes=[1])
    assert left(small) == BUDGET
    assert left(small, "email") == BUDGET
    # A chunk that exceeds what is left is refused whole.
    assert refusal(small.ask, "bank-b", 1, blinded(BUDGET + 1)).type_suffix == "budget-spent"
    small.ask("bank-b", 1, blinded(BUDGET))
    problem = refusal(small.ask, "bank-b", 1, blinded(1))
    assert (problem.status, problem.extra["limit"], problem.extra["family"]) == (429, BUDGET, "phone")


def test_an_identical_chunk_is_answered_again_without_charge(one: Holders) -> None:
    chunk = blinded(BUDGET)
    first = one.ask("bank-a", 1, chunk)
    # The budget is spent; the same chunk is still answered, for another set of holders too, and after a restart.
    one.restart(1)
    assert one.ask("bank-a", 1, chunk).elements == first.elements
    one.ask("bank-a", 1, chunk, holder_set=(1, 3))
    assert refusal(one.ask, "bank-a", 1, blinded(1)).type_suffix == "budget-spent"


def test_a_chunk_is_paid_for_one_asker_and_one_family(one: Holders) -> None:
    chunk = blinded(BUDGET)
    one.ask("bank-a", 1, chunk)
    one.ask("bank-b", 1, chunk)
    assert refusal(one.ask, "bank-b", 1, blinded(1)).type_suffix == "budget-spent"
    one.ask("bank-a", 1, chunk, family="email")
    assert refusal(one.ask, "bank-a", 1, blinded(1), family="email").type_suffix == "budget-spent"


def test_a_paid_chunk_is_not_answered_without_its_checks(one: Holders) -> None:
    chunk = blinded()
    one.ask("bank-a", 1, chunk)
    suspend(one, "bank-a")
    assert refusal(one.ask, "bank-a", 1, chunk).type_suffix == "suspended"
    assert refusal(one.ask, "bank-a", 1, chunk, holder_set=(2, 3)).type_suffix == "holder-set"
    with write_transaction(one.engine(1)) as connection:
        documents.resume(connection, "bank-a")
    one.ask("bank-a", 1, chunk)
    assert isinstance(one.clock, MovableClock)
    one.clock.set(START + 90 * DAY)
    assert refusal(one.ask, "bank-a", 1, chunk).type_suffix == "epoch-time"


def test_a_suspension_is_this_holders_alone(holders: Holders) -> None:
    suspend(holders, "bank-a")
    assert refusal(holders.ask, "bank-a", 1, blinded()).type_suffix == "suspended"
    holders.ask("bank-b", 1, blinded())
    holders.ask("bank-a", 2, blinded())


def spoiled(world: World, index: int, family: str, share: bytes | None) -> KeyRing:
    """A holder's keys with another share of one family, or none."""
    name = share_name(world.trust.commitments(family)[0])
    ring = key_ring(world, index)
    return ring.without(name) if share is None else ring.with_secrets({name: share})


@pytest.mark.parametrize("which", ["missing", "another holder's", "another family's", "zero"])
def test_a_share_that_the_commitments_do_not_promise_is_named_before_anything_is_answered(
    tmp_path: Path, which: str
) -> None:
    world = make_world()
    shares = {
        "missing": None,
        "another holder's": world.share("email", 2),
        "another family's": world.share("phone", 1),
        "zero": bytes(32),
    }
    secrets_by_index = {1: spoiled(world, 1, "email", shares[which])}
    holders = serve_in_process(world, tmp_path, indexes=[1], secrets=secrets_by_index)
    answer = holders.apps[1].test_client().get("/readyz")
    assert answer.status_code == 503
    assert "key family email" in answer.get_json()["checks"]["epoch"]
    problem = refusal(holders.ask, "bank-a", 1, blinded(), family="phone")
    assert (problem.status, problem.type_suffix) == (503, "not-ready")


def test_a_key_file_that_is_not_this_holders_is_refused_at_the_start(tmp_path: Path) -> None:
    world = make_world()
    with pytest.raises(Exception, match="does not fit the agreement"):
        serve_in_process(world, tmp_path, indexes=[1], secrets={1: key_ring(world, 2)})


def give(holders: Holders, signed: SignedDocument, party_id: str = "bank-a") -> None:
    with holders.session(party_id, 1) as session:
        session.post("/v1/documents", DocumentMessage(signed.document, signed.signatures))


def test_a_holder_without_an_epoch_becomes_ready_when_documents_come_without_a_restart(
    tmp_path: Path, database_url: str
) -> None:
    world = make_world()
    holders = serve_in_process(world, tmp_path, indexes=[1], documents=[], database_urls={1: database_url})
    replica = create_app(
        read_settings(HolderSettings, holders.homes[1], {}), clock=holders.clock, key_ring=key_ring(world, 1)
    )

    def ready() -> list[int]:
        return [app.test_client().get("/readyz").status_code for app in (holders.apps[1], replica)]

    assert ready() == [503, 503]
    assert refusal(holders.ask, "bank-a", 1, blinded()).status == 503
    give(holders, world.epoch, "broker")
    assert ready() == [503, 503]
    give(holders, world.roster, "charity")
    assert ready() == [200, 200]
    # The same again changes nothing.
    give(holders, world.roster)
    holders.ask("bank-a", 1, blinded())


def test_documents_without_the_signatures_that_they_need_are_refused(tmp_path: Path) -> None:
    world = make_world()
    holders = serve_in_process(world, tmp_path, indexes=[1], documents=[])
    lacking = SignedDocument(world.epoch.document, {**world.epoch.signatures, "holder2": bytes(64)})
    assert refusal(give, holders, lacking).type_suffix == "document-refused"
    give(holders, world.epoch)
    forged = world.sign({**world.roster.document, "witness_policy": "other"}, "bank-a", "bank-b", "holder1")
    assert refusal(give, holders, forged).type_suffix == "document-refused"
    other = make_world()
    assert refusal(give, holders, other.epoch).type_suffix == "document-refused"
    assert holders.apps[1].test_client().get("/readyz").status_code == 503


def test_who_has_left_the_roster_is_refused(one: Holders) -> None:
    document = one.world.roster.document
    staying = [member for member in document["members"] if member["institution_id"] != "bank-a"]
    following = {**document, "version": 2, "previous": pack(one.world.roster.hash), "members": staying}
    give(one, one.world.sign(following))
    with pytest.raises(RemoteProblem) as caught:
        one.ask("bank-a", 1, blinded())
    assert caught.value.status == 401
    one.ask("bank-b", 1, blinded())


def test_a_holder_that_fails_mid_batch_is_replaced_and_the_tags_are_the_same(holders: Holders) -> None:
    inputs = [identifier_input(holders.trust.epoch_id, "email", f"p{n}@example.org") for n in range(4)]
    mine = oprf.blind(inputs)
    half = mine.elements[:64], mine.elements[64:]
    before = holders.combined({i: holders.ask("bank-a", i, half[0], family="email") for i in (1, 2)}, "email", half[0])
    # Holder 2 is gone; the chunk in hand and the rest go to holders 1 and 3.
    with_three = {i: holders.ask("bank-a", i, half[0], family="email", holder_set=(1, 3)) for i in (1, 3)}
    assert holders.combined(with_three, "email", half[0]) == before
    rest = {i: holders.ask("bank-a", i, half[1], family="email", holder_set=(1, 3)) for i in (1, 3)}
    evaluated = before + holders.combined(rest, "email", half[1])
    outputs = oprf.finalize(inputs, mine.blinds, evaluated)
    assert outputs == [holders.world.evaluate("email", one) for one in inputs]
