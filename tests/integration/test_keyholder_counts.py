"""The signed daily counts: what was evaluated for whom, chained by day, closed once and for all."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from crypto import oprf
from crypto.signatures import is_valid
from policies.documents import document_hash, signed_bytes
from tests.agreement_world import DAY, START, make_world
from tests.clocks import MovableClock
from tests.holders import Holders, serve_in_process
from wire.messages.counts import DailyCounts, DailyCountsList
from wire.messages.evaluation import RecordName
from wire.packed import pack

NOON = START + DAY // 2


@pytest.fixture
def holders(tmp_path: Path, database_url: str) -> Holders:
    """One holder, at noon of the epoch's first day."""
    return serve_in_process(
        make_world(), tmp_path, indexes=[1], clock=MovableClock(NOON), database_urls={1: database_url}
    )


def move(holders: Holders, moment: int) -> None:
    assert isinstance(holders.clock, MovableClock)
    holders.clock.set(moment)


def ask(holders: Holders, party_id: str, count: int, family: str = "phone") -> bytes:
    chunk = oprf.blind([secrets.token_bytes(20) for _ in range(count)]).elements
    holders.ask(party_id, 1, chunk, family=family)
    return chunk


def counts(holders: Holders, party_id: str = "bank-b", first_day: str | None = None) -> tuple[DailyCounts, ...]:
    query = None if first_day is None else {"from": first_day}
    with holders.session(party_id, 1) as session:
        return session.get("/v1/counts", DailyCountsList, query=query).days


def verify_chain(holders: Holders, days: tuple[DailyCounts, ...]) -> None:
    previous = holders.trust.epoch_id
    for day in days:
        document = dict(day.document)
        assert document["previous"] == pack(previous)
        assert is_valid(holders.trust.holder_key(1), signed_bytes(document), day.signature)
        previous = document_hash(document)


def test_a_days_counts_are_signed_once_the_day_is_over_and_for_everybody_to_read(holders: Holders) -> None:
    chunk = ask(holders, "bank-a", 3)
    holders.ask("bank-a", 1, chunk)
    ask(holders, "bank-a", 2, "email")
    ask(holders, "bank-b", 5)
    holders.ask_records("bank-b", 1, [RecordName(bytes(16), NOON, NOON + DAY)])
    assert counts(holders) == ()
    move(holders, START + DAY + 599)
    assert counts(holders) == ()
    move(holders, START + DAY + 600)
    (day,) = counts(holders)
    assert day.document == {
        "type": "crosslight/v1 counts",
        "holder": 1,
        "epoch_id": pack(holders.trust.epoch_id),
        "day": "2026-01-01",
        "counts": {"bank-a": {"email": 2, "phone": 3}, "bank-b": {"phone": 5, "record": 1}},
        "previous": pack(holders.trust.epoch_id),
    }
    verify_chain(holders, (day,))
    for party_id in ("bank-a", "charity", "holder2", "broker"):
        assert counts(holders, party_id) == (day,)


def test_every_day_has_its_document_also_one_without_evaluations(holders: Holders) -> None:
    ask(holders, "bank-a", 1)
    move(holders, NOON + 3 * DAY)
    ask(holders, "bank-a", 1)
    move(holders, NOON + 4 * DAY)
    days = counts(holders)
    assert [(day.document["day"][-2:], len(day.document["counts"])) for day in days] == [
        ("01", 1),
        ("02", 0),
        ("03", 0),
        ("04", 1),
    ]
    verify_chain(holders, days)
    assert counts(holders, first_day="2026-01-03") == days[2:]


def test_a_closed_day_never_changes_and_the_chain_ends_with_the_epoch(holders: Holders) -> None:
    ask(holders, "bank-a", 1)
    move(holders, NOON + DAY)
    before = counts(holders)
    holders.restart(1)
    assert counts(holders) == before
    move(holders, START + 100 * DAY)
    days = counts(holders)
    assert days[:1] == before
    assert days[-1].document["day"] == "2026-04-01"
    verify_chain(holders, days)
