"""The key holder's database: its schema on both kinds, exact charges under concurrency, chains without gaps."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, LargeBinary

from keyholder.store import chains, counts, documents, evaluations, openings, schema, withdrawals
from keyholder.store.chains import Head
from keyholder.store.evaluations import Account, Charge
from keyholder.store.openings import Link
from keyholder.store.withdrawals import Withdrawal
from runtime.database import open_engine, read_transaction, run_in_transaction, write_transaction
from runtime.migrations import is_current, migrate, schema_differences

EPOCH = bytes(32)
DAY = "2026-01-01"


@pytest.fixture
def engine(database_url: str) -> Engine:
    """A migrated database of each kind."""
    engine = open_engine(database_url, pool_size=30)
    migrate(engine, "keyholder.store")
    return engine


def charge(elements: int = 1, digest: bytes | None = None, **changes: str) -> Charge:
    named = {"institution_id": "bank-a", "family": "phone", "day": DAY, **changes}
    return Charge(
        EPOCH, named["institution_id"], named["family"], named["day"], digest or secrets.token_bytes(32), elements
    )


def pay(engine: Engine, wanted: Charge, limit: int) -> bool:
    """Charge in a transaction of its own, rolled back where it does not suffice."""

    class Spent(Exception):
        pass

    def work(connection: Connection) -> None:
        if not evaluations.charge_epoch(connection, wanted, limit, 0):
            raise Spent

    try:
        run_in_transaction(engine, work)
    except Spent:
        return False
    return True


def spent(engine: Engine, wanted: Charge) -> Account:
    with read_transaction(engine) as connection:
        return evaluations.account(connection, wanted)


def test_the_migrations_make_the_tables_that_the_code_declares(engine: Engine) -> None:
    assert is_current(engine, "keyholder.store")
    assert schema_differences(engine, schema.metadata) == []


def test_no_column_is_made_for_an_element_a_tag_or_an_identifier() -> None:
    binary = {
        f"{table.name}.{column.name}"
        for table in schema.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    names = {name.split(".")[1] for name in binary}
    assert names == {
        "key_id", "nonce", "hash", "digest", "epoch_id", "signature", "statement_hash", "statement", "handle",
        "session", "body", "root",
    }  # fmt: skip


def test_charges_add_up_to_the_limit_and_not_beyond(engine: Engine) -> None:
    assert pay(engine, charge(6), 10)
    assert not pay(engine, charge(5), 10)
    assert pay(engine, charge(4), 10)
    assert not pay(engine, charge(1), 10)
    assert spent(engine, charge()) == Account(suspended=False, paid=False, spent=10, spent_today=10)


def test_a_first_charge_beyond_the_limit_leaves_nothing(engine: Engine) -> None:
    wanted = charge(11)
    assert not pay(engine, wanted, 10)
    assert not pay(engine, charge(1), 0)
    assert spent(engine, wanted) == Account(suspended=False, paid=False, spent=0, spent_today=0)


def test_a_chunk_is_charged_once_whatever_is_left(engine: Engine) -> None:
    wanted = charge(10)
    assert pay(engine, wanted, 10)
    assert pay(engine, wanted, 10)
    assert pay(engine, wanted._replace(day="2026-01-02"), 0)
    assert spent(engine, wanted) == Account(suspended=False, paid=True, spent=10, spent_today=10)


def test_budgets_of_institutions_and_families_are_apart(engine: Engine) -> None:
    assert pay(engine, charge(10), 10)
    assert pay(engine, charge(10, family="email"), 10)
    assert pay(engine, charge(10, institution_id="bank-b"), 10)
    assert pay(engine, charge(10)._replace(epoch_id=b"\x01" * 32), 10)
    assert not pay(engine, charge(1, day="2026-01-02"), 10)


def test_charges_from_many_threads_are_exact(engine: Engine) -> None:
    same = charge(3)
    wanted = [same if number % 4 == 0 else charge(1 + number % 3) for number in range(120)]
    with ThreadPoolExecutor(24) as pool:
        paid = list(pool.map(lambda one: pay(engine, one, 50), wanted))
    total = sum(one.elements for one, done in zip(wanted, paid, strict=True) if done and one is not same)
    total += 3 if any(done for one, done in zip(wanted, paid, strict=True) if one is same) else 0
    assert spent(engine, charge()).spent == total
    assert 47 < total <= 50


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """One SQLite database for many examples."""
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('charges') / 'holder.sqlite'}")
    migrate(engine, "keyholder.store")
    return engine


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 5)), max_size=25), limit=st.integers(0, 30))
def test_charging_is_what_a_plain_counter_says(shared: Engine, wanted: list[tuple[int, int]], limit: int) -> None:
    engine, epoch = shared, secrets.token_bytes(32)
    paid: set[bytes] = set()
    total = 0
    for elements, number in wanted:
        one = Charge(epoch, "bank-a", "phone", DAY, bytes([number, elements]) + epoch[:30], elements)
        expected = one.digest in paid or total + elements <= limit
        if expected and one.digest not in paid:
            paid.add(one.digest)
            total += elements
        assert pay(engine, one, limit) == expected
    with read_transaction(engine) as connection:
        counted = counts.counts_of_day(connection, epoch, DAY)
    assert counted == ({"bank-a": {"phone": total}} if total else {})


def test_a_day_limit_begins_anew_with_the_day(engine: Engine) -> None:
    with write_transaction(engine) as connection:
        assert evaluations.charge_day(connection, charge(5, family="record"), 5, 0)
        assert not evaluations.charge_day(connection, charge(1, family="record"), 5, 0)
        assert evaluations.charge_day(connection, charge(5, family="record", day="2026-01-02"), 5, 0)


def test_links_added_from_many_threads_form_one_chain(engine: Engine) -> None:
    def add(number: int) -> None:
        def work(connection: Connection) -> None:
            head = openings.lock_openings(connection)
            body = f"{head.number}:{head.hash.hex()}"
            openings.add_opening(connection, Link(head.number + 1, secrets.token_bytes(32), body, bytes(64)))

        run_in_transaction(engine, work)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(add, range(40)))
    with read_transaction(engine) as connection:
        links = openings.opening_links(connection)
        assert chains.chain_length(connection, chains.OPENINGS) == 40
    assert [link.number for link in links] == list(range(1, 41))
    head = Head(0, chains.NO_LINK)
    for link in links:
        assert link.body == f"{head.number}:{head.hash.hex()}"
        head = Head(link.number, link.hash)


def test_withdrawn_handles_are_found_among_many_and_for_their_institution_alone(engine: Engine) -> None:
    handles = sorted(secrets.token_bytes(16) for _ in range(6000))
    kept = Withdrawal(EPOCH, "bank-a", 1, bytes(32), b"statement", bytes(64), 5)
    with write_transaction(engine) as connection:
        withdrawals.add_withdrawal(connection, kept, handles)
        withdrawals.add_withdrawal(connection, kept._replace(seq=2, statement_hash=b"\x01" * 32), handles[:3])
    asked = [("bank-a", handle) for handle in handles] + [("bank-b", handles[0]), ("bank-a", bytes(16))]
    with read_transaction(engine) as connection:
        found = withdrawals.withdrawn_among(connection, EPOCH, asked)
        assert withdrawals.withdrawn_among(connection, b"\x01" * 32, asked) == frozenset()
        assert withdrawals.last_seq(connection, EPOCH, "bank-a") == 2
        assert withdrawals.last_seq(connection, EPOCH, "bank-b") == 0
    assert found == frozenset(asked[:-2])


def test_a_suspension_is_kept_once_and_ended_once(engine: Engine) -> None:
    with write_transaction(engine) as connection:
        assert documents.suspend(connection, "bank-a", "why", 1)
        assert not documents.suspend(connection, "bank-a", "again", 2)
        assert documents.suspensions(connection) == [("bank-a", 1, "why")]
        assert documents.suspended_parties(connection) == {"bank-a"}
        assert documents.resume(connection, "bank-a")
        assert not documents.resume(connection, "bank-a")


def test_documents_are_numbered_in_the_order_of_their_coming(engine: Engine) -> None:
    with write_transaction(engine) as connection:
        assert documents.revision(connection) == 0
        for number in range(3):
            documents.add_document(connection, bytes([number]) * 32, "roster", f"text {number}", 7)
            assert documents.revision(connection) == number + 1
        assert documents.document_bodies(connection) == ["text 0", "text 1", "text 2"]
