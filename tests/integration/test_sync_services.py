"""An institution's nights against the real broker and key holders, on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from flask import Flask

from broker.context import EXTENSION, BrokerContext
from broker.store.schema import nonce
from crypto.signatures import SigningKey
from policies.assembly import build_roster
from policies.documents import SignedDocument, sign_document
from policies.parties import BROKER
from runtime.exits import ExitCode, UserError
from tests.institutions import Agreement
from tests.sync_parts import Killed, people, table
from wire.access import Caller, signed
from wire.messages import documents as messages
from wire.resources import Resource
from wire.service import create_service


@pytest.fixture
def agreement(database_url: str, tmp_path: Path) -> Agreement:
    return Agreement.build(database_url, tmp_path)


@pytest.fixture
def small(sqlite_url: str, tmp_path: Path) -> Agreement:
    return Agreement.build(sqlite_url, tmp_path)


def test_what_two_institutions_share_surfaces_and_is_gone_after_a_withdrawal(agreement: Agreement) -> None:
    bank_a, bank_b = agreement.institution("bank-a"), agreement.institution("bank-b")
    rows_a, rows_b = people(20), people(20, first=15)
    assert bank_a.sync(table(rows_a)).sent == 20
    assert bank_b.sync(table(rows_b)).sent == 20
    agreement.broker.work()
    assert len(agreement.broker.raised()) == 5
    del rows_b["customer-15"]
    report = bank_b.sync(table(rows_b))
    assert report.finality is not None and report.finality.is_final
    agreement.broker.work()
    assert len(agreement.broker.raised()) == 4


def test_a_second_night_sends_what_changed(agreement: Agreement) -> None:
    bank = agreement.institution("bank-a")
    rows = people(30)
    bank.sync(table(rows))
    rows["customer-3"]["phone"] = "+447900033333"
    report = bank.sync(table(rows))
    assert (report.sent, report.replaced, report.exit_code) == (1, 1, ExitCode.OK)
    assert agreement.broker.count("record") == 30


def test_a_crash_around_sending_resends_identical_bytes_to_the_real_broker(small: Agreement) -> None:
    """Attack 15: a crash around sending: identical bytes."""
    bank = small.institution("bank-a")
    gate, bodies = small.gates["broker"], list[bytes]()

    def die(request: httpx.Request) -> None:
        if request.method == "PUT" and "/parts/" in request.url.path:
            bodies.append(request.content)
        if request.url.path.endswith("/commit") and len(bodies) == 1:
            raise Killed

    gate.after = die
    with pytest.raises(Killed):
        bank.sync(table(people(10)))
    # The broker has committed; its receipt never arrived. Make it ask for the part again, too.
    gate.after = lambda _: None
    report = bank.sync(table(people(10)))
    assert (report.sent, report.submissions) == (0, 0)
    assert small.broker.count("record") == 10
    assert small.broker.count("submission") == 1


def test_a_broker_that_goes_away_after_a_part_gets_the_same_submission_later(small: Agreement) -> None:
    bank = small.institution("bank-a")
    gate, bodies = small.gates["broker"], list[bytes]()

    def close(request: httpx.Request) -> None:
        if "/parts/" in request.url.path:
            bodies.append(request.content)
            gate.is_closed = len(bodies) == 1

    gate.before = close
    with pytest.raises(UserError) as away:
        bank.sync(table(people(600)))
    assert away.value.exit_code == ExitCode.UNREACHABLE
    gate.is_closed = False
    bank.sync(table(people(600)))
    assert small.broker.count("record") == 600
    # The first part was received before the connection broke; the second attempt sends the missing one alone.
    assert len(bodies) == len(set(bodies)) == 2


def test_a_withdrawal_is_final_with_two_of_three_holders_and_reaches_the_third_later(small: Agreement) -> None:
    bank = small.institution("bank-a")
    rows = people(5)
    bank.sync(table(rows))
    small.gates["holder2"].is_closed = True
    del rows["customer-1"]
    report = bank.sync(table(rows))
    assert report.finality is not None and report.finality.is_final
    assert set(report.silent_holders) == {2}
    small.gates["holder2"].is_closed = False
    assert bank.sync(table(rows)).silent_holders == {}
    small.gates["holder1"].is_closed = small.gates["holder2"].is_closed = True
    del rows["customer-2"]
    report = bank.sync(table(rows))
    assert report.finality is not None and not report.finality.is_final
    assert report.exit_code == ExitCode.PARTLY_DONE
    small.gates["holder1"].is_closed = False
    report = bank.sync(table(rows))
    assert report.finality is not None and report.finality.is_final


def test_an_epoch_document_that_nobody_signed_is_refused(small: Agreement) -> None:
    """Attack 4: two epoch documents: the unsigned is refused; what the broker alone asserts counts for nothing."""
    bank = small.institution("bank-a")
    bank.sync(table(people(2)))
    forged = SignedDocument({**small.world.epoch.document, "number": 2}, {})
    forged = sign_document(forged, BROKER, small.world.parties[BROKER].signing_key)
    small.gates[BROKER].inner = httpx.WSGITransport(app=lying_broker(small, [*small.world.documents, forged]))
    with pytest.raises(UserError) as refused:
        bank.sync(table(people(3)))
    assert refused.value.exit_code == ExitCode.DOCUMENTS_REFUSED
    assert "The epoch 2 lacks a valid signature of: holder1, holder2, holder3." in refused.value.message
    assert small.broker.count("record") == 2


def lying_broker(agreement: Agreement, documents: list[SignedDocument]) -> Flask:
    """A broker that serves these documents, properly signed by itself."""
    context: BrokerContext = agreement.broker.app.extensions[EXTENSION]
    resource = Resource("documents", "documents", description="Documents")

    @resource.route("/v1/documents", methods=["GET"])
    @signed("institution", action="try")
    @resource.response(200, messages.SignedDocuments)
    def list_documents() -> messages.SignedDocuments:
        """What it was told to serve."""
        return messages.SignedDocuments(
            tuple(messages.SignedDocument(each.document, each.signatures) for each in documents)
        )

    def resolve(party_id: str, key_id_hex: str) -> Caller | None:
        found = agreement.world.trust.caller(party_id, key_id_hex)
        return None if found is None else Caller(party_id, found[1], found[0])

    return create_service(
        "broker",
        signing_key=agreement.world.parties[BROKER].signing_key,
        party_id=BROKER,
        resolve=resolve,
        base_url=agreement.world.trust.agreement.broker.address,
        clock=context.clock,
        engine=context.engine,
        nonce_table=nonce,
        resources=[resource],
    )


def test_a_clock_that_is_wrong_is_told_by_the_service_with_the_difference(small: Agreement) -> None:
    bank = small.institution("bank-a")
    wrong = type(small.broker.clock)(small.broker.clock.now())
    wrong.advance(seconds=400)
    with pytest.raises(UserError) as refused:
        bank.sync(table(people(2)), clock=wrong)
    assert refused.value.exit_code == ExitCode.SERVICE_REFUSED
    assert "400 s ahead" in refused.value.message


def test_an_epoch_that_is_over_is_refused_before_anything_is_sent(small: Agreement) -> None:
    bank = small.institution("bank-a")
    small.broker.clock.set(small.world.trust.epoch.not_after + 10 * 86400)
    with pytest.raises(UserError) as refused:
        bank.sync(table(people(2)))
    assert refused.value.exit_code == ExitCode.DOCUMENTS_REFUSED
    assert "Epoch 1 is over: it ended 10 days ago." in refused.value.message


def test_replay_across_hosts_restart_and_withdrawal_has_no_second_effect(small: Agreement) -> None:
    """Attack 12: replay across hosts, restart and withdrawal: no second effect."""
    bank = small.institution("bank-a")
    captured: list[httpx.Request] = []
    for gate in small.gates.values():
        gate.before = captured.append
    rows = people(6)
    bank.sync(table(rows))
    del rows["customer-0"]
    bank.sync(table(rows))
    for gate in small.gates.values():
        gate.before = lambda _: None
    for index in (1, 2, 3):
        small.holders.restart(index)
        small.gates[f"holder{index}"].inner = httpx.WSGITransport(app=small.holders.apps[index])
    before = effects(small)
    # Who reads the log signs nothing; there is nothing to replay.
    signed = [request for request in captured if "signature" in request.headers]
    statuses = [answer(gate, request) for request in signed for gate in small.gates.values()]
    assert len(statuses) > 40
    assert all(status >= 400 for status in statuses)
    assert effects(small) == before


def effects(agreement: Agreement) -> list[object]:
    """Everything that a replayed request might change at the broker or a holder."""
    counted: list[object] = [agreement.broker.count(name) for name in ("submission", "record", "tombstone")]
    for index in agreement.holders.apps:
        with agreement.holders.engine(index).connect() as connection:
            names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
            counted += [
                (index, name, connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar())
                for name in sorted(names)
                if name != "request_nonce"
            ]
    return counted


def answer(gate: httpx.BaseTransport, request: httpx.Request) -> int:
    """The status of a verbatim copy of a request, sent to whichever host."""
    copy = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
    return gate.handle_request(copy).status_code


def test_a_rotated_key_takes_over_once_the_roster_names_it_and_signs_live_statements_again(small: Agreement) -> None:
    bank = small.institution("bank-a")
    bank.sync(table(people(4)))
    new_seed = bank.rotate()
    old = small.world.parties["bank-a"].signing_key
    assert bank.sync(table(people(4))).exit_code == ExitCode.OK
    members = [
        replace(member, signing_key=SigningKey(new_seed).public_key) if member.institution_id == "bank-a" else member
        for member in small.world.trust.roster.members
    ]
    roster = small.world.sign(build_roster(small.world.trust, [], members=members).to_document())
    small.accept(roster)
    rows = people(4)
    rows["customer-2"]["note"] = "changed"
    report = bank.sync(table(rows))
    assert report.sent == 1
    home = bank.reopen()
    assert home.ring["signing"] == new_seed
    assert "signing.next" not in home.ring
    assert home.place.card.signing_key == SigningKey(new_seed).public_key != old.public_key
    assert small.signatures_of("bank-a") == {SigningKey(new_seed).public_key}
