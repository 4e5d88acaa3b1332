"""Each rule is taken away from the broker, and the others still hold it: nobody depends on the broker's word alone.

The broker here checks nothing, serves whatever it has, logs whatever it likes and signs it. What key holders do then
stands below; an institution's client and the desk have their own parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crypto import oprf
from crypto.records import Head
from crypto.statements import WithdrawalStatement
from keyholder.admission import known_epoch
from keyholder.opening_record import verify_links
from keyholder.rulings import DecidedAgainst, require
from keyholder.store.chains import NO_LINK
from keyholder.store.chains import Head as ChainHead
from keyholder.store.openings import Link
from policies.agreement.document import Agreement
from policies.agreement.model import Purpose
from policies.agreement.standing import Departure, Suspension
from policies.decisions.record import DecisionRecord
from policies.decisions.replay import replay
from policies.documents import SignedDocument
from policies.log.leaves import withdrawal_leaf
from tests.agreement_world import DAY, PURPOSE, START, Submission, example_terms, make_world
from tests.clocks import MovableClock
from tests.holders import Holders, serve_in_process
from wire.access import Caller
from wire.messages.documents import SignedDocument as DocumentMessage
from wire.messages.evaluation import RecordName
from wire.messages.log import LoggedWithdrawal
from wire.messages.opening import OpeningRequest, OpeningResponse
from wire.messages.opening_record import RecordedOpenings
from wire.problems import RemoteProblem
from wire.strict_json import parse_json

NOW = START + 2 * DAY
ROW = [{"phone": "+447700900123"}]


def serve(folder: Path, *, indexes: Sequence[int] = (1,), now: int = NOW, **options: Any) -> Holders:
    return serve_in_process(make_world(**options), folder, indexes=indexes, clock=MovableClock(now))


def pair(holders: Holders, first: str = "bank-a", second: str = "bank-b", **times: int) -> list[Submission]:
    return [holders.world.submit(party_id, ROW, **times) for party_id in (first, second)]


def ask(holders: Holders, request: OpeningRequest, party_id: str = "charity") -> OpeningResponse:
    with holders.session(party_id, 1) as session:
        return session.post("/v1/open", request, OpeningResponse)


def shut(holders: Holders, request: OpeningRequest) -> list[str]:
    """Why nothing at all opens: the reasons record by record, or the one for the whole request."""
    try:
        response = ask(holders, request)
    except RemoteProblem as problem:
        return problem.extra.get("rules") or [problem.type_suffix]
    assert (response.accepted, response.elements, response.proof) == ((), b"", b"")
    return [refused.reason for refused in response.refused]


def refused(ask_for: Callable[..., Any], *arguments: Any, **named: Any) -> list[str]:
    """The rules that refuse a request, or its code."""
    with pytest.raises(RemoteProblem) as caught:
        ask_for(*arguments, **named)
    return caught.value.extra.get("rules") or [caught.value.type_suffix]


def chunk(count: int = 1) -> bytes:
    return oprf.blind([b"%d" % number for number in range(count)]).elements


def bring(holders: Holders, signed: SignedDocument) -> None:
    with holders.session("broker", 1) as session:
        session.post("/v1/documents", DocumentMessage(signed.document, dict(signed.signatures)))


def without_mode(party_id: str) -> Callable[[Agreement], Agreement]:
    """The agreement with a party that may watch alone."""

    def amend(agreement: Agreement) -> Agreement:
        parties = agreement.parties
        return replace(
            agreement,
            parties=replace(
                parties,
                members=tuple(
                    replace(one, modes=("watch",)) if one.institution_id == party_id else one for one in parties.members
                ),
                recipients=tuple(
                    replace(one, modes=("watch",)) if one.recipient_id == party_id else one
                    for one in parties.recipients
                ),
            ),
        )

    return amend


def test_what_the_rules_cover_opens(tmp_path: Path) -> None:
    """Or else the tests below would prove nothing."""
    holders = serve(tmp_path)
    assert ask(holders, holders.world.request(pair(holders))).accepted == (0, 1)


# Who, for what, when


def test_a_party_without_the_mode_request_has_nothing_opened(tmp_path: Path) -> None:
    holders = serve(tmp_path, amend=without_mode("charity"))
    assert shut(holders, holders.world.request(pair(holders))) == ["mode-not-request"]


def test_an_institution_without_the_mode_provide_has_nothing_evaluated(tmp_path: Path) -> None:
    holders = serve(tmp_path, amend=without_mode("bank-a"))
    assert refused(holders.ask, "bank-a", 1, chunk()) == ["mode-not-provide"]
    name = RecordName(bytes(16), NOW, NOW + DAY)
    assert refused(holders.ask_records, "bank-a", 1, [name]) == ["mode-not-provide"]
    assert holders.ask("bank-b", 1, chunk()).elements


@pytest.mark.parametrize("purpose", ["debt-collection", "curiosity"])
def test_a_purpose_that_the_agreement_does_not_give_the_recipient_opens_nothing(tmp_path: Path, purpose: str) -> None:
    """Whether or not the agreement has the purpose for somebody else."""

    def amend(agreement: Agreement) -> Agreement:
        return replace(agreement, purposes=(*agreement.purposes, Purpose("debt-collection", "Collecting debts.")))

    holders = serve(tmp_path, amend=amend)
    request = holders.world.request(pair(holders), purpose=purpose)
    assert shut(holders, request) == ["purpose-not-agreed"]
    assert ask(holders, replace(request, purpose=PURPOSE)).accepted == (0, 1)


@pytest.mark.parametrize("party_id", ["bank-a", "holder2", "broker", "regulator"])
def test_nobody_but_a_recipient_has_anything_opened(tmp_path: Path, party_id: str) -> None:
    holders = serve(tmp_path)
    assert refused(ask, holders, holders.world.request(pair(holders)), party_id) == ["role"]


@pytest.mark.parametrize("party_id", ["charity", "holder2", "broker", "regulator"])
def test_nobody_but_an_institution_has_anything_evaluated(tmp_path: Path, party_id: str) -> None:
    assert refused(serve(tmp_path).ask, party_id, 1, chunk()) == ["role"]


@pytest.mark.parametrize("now", [START - 1, START + 90 * DAY])
def test_outside_the_epoch_nothing_is_evaluated_or_opened(tmp_path: Path, now: int) -> None:
    holders = serve(tmp_path, now=now)
    assert refused(holders.ask, "bank-a", 1, chunk()) == ["epoch-time"]
    assert shut(holders, holders.world.request(pair(holders)))[0] in ("epoch-time", "recipient-expired")


@pytest.mark.parametrize(("late", "rule"), [(False, "before-start"), (True, "after-end")])
def test_outside_the_agreements_time_the_rules_refuse_even_if_an_epoch_ran(
    tmp_path: Path, late: bool, rule: str
) -> None:
    holders = serve(tmp_path)
    holders.holder(1).state()
    admission = known_epoch(holders.holder(1), holders.trust.epoch_id)
    agreement = holders.trust.agreement
    now = agreement.end if late else agreement.start - 1
    caller = Caller("charity", "recipient", holders.world.parties["charity"].signing_key.public_key)
    facts = {
        "purpose": PURPOSE,
        "records": 1,
        "opened_today": 0,
        "logged": True,
        "checkpoint_age": 0,
        "followed_age": 0,
    }
    assert require(admission, caller, "open-records", facts, suspended_here=False).allowed
    with pytest.raises(DecidedAgainst) as caught:
        require(replace(admission, now=now), caller, "open-records", facts, suspended_here=False)
    assert caught.value.extra["rules"] == [rule]


@pytest.mark.parametrize(
    ("fact", "value", "rule"),
    [
        ("logged", False, "evidence-not-logged"),
        ("checkpoint_age", DAY + 1, "checkpoint-too-old"),
        ("followed_age", 3601, "withdrawals-not-followed"),
        ("opened_today", 10_000, "openings-of-today-spent"),
    ],
)
def test_the_rules_hold_also_what_the_evidence_is_checked_for(tmp_path: Path, fact: str, value: Any, rule: str) -> None:
    holders = serve(tmp_path)
    holders.holder(1).state()
    admission = known_epoch(holders.holder(1), holders.trust.epoch_id)
    caller = Caller("charity", "recipient", holders.world.parties["charity"].signing_key.public_key)
    facts = {
        "purpose": PURPOSE,
        "records": 1,
        "opened_today": 0,
        "logged": True,
        "checkpoint_age": DAY,
        "followed_age": 3600,
    }
    assert require(admission, caller, "open-records", facts, suspended_here=False).allowed
    with pytest.raises(DecidedAgainst) as caught:
        require(admission, caller, "open-records", facts | {fact: value}, suspended_here=False)
    assert caught.value.extra["rules"] == [rule]


@pytest.mark.parametrize("party_id", ["charity", "bank-b"])
def test_a_party_that_the_members_suspended_gets_nothing_from_a_holder(tmp_path: Path, party_id: str) -> None:
    holders = serve(tmp_path)
    request = holders.world.request(pair(holders))
    assert ask(holders, request).accepted == (0, 1)
    document = Suspension("example-agreement", 1, party_id, "members", 1, True, NOW, "under review").to_document()
    bring(holders, holders.world.sign(document, "bank-a", "police-c"))
    if party_id == "charity":
        assert shut(holders, request) == ["party-suspended"]
    else:
        assert shut(holders, request) == ["not-supported", "suspended"]
        assert refused(holders.ask, party_id, 1, chunk()) == ["party-suspended"]
    lifted = Suspension("example-agreement", 1, party_id, "members", 2, False, NOW, "settled").to_document()
    bring(holders, holders.world.sign(lifted, "bank-a", "police-c"))
    assert ask(holders, request).accepted == (0, 1)


@pytest.mark.parametrize("party_id", ["charity", "bank-b"])
def test_a_party_that_left_gets_nothing_and_its_records_are_ended(tmp_path: Path, party_id: str) -> None:
    holders = serve(tmp_path)
    request = holders.world.request(pair(holders))
    assert ask(holders, request).accepted == (0, 1)
    document = Departure("example-agreement", 1, party_id, NOW).to_document()
    bring(holders, holders.world.sign(document, party_id))
    if party_id == "charity":
        assert shut(holders, request) == ["not-in-roster"]
    else:
        assert shut(holders, request) == ["not-supported", "unknown-institution"]
        assert refused(holders.ask, party_id, 1, chunk()) == ["not-in-roster"]


@pytest.mark.parametrize("signers", [("broker",), ("bank-a",), ("holder1", "holder2", "holder3")])
def test_documents_that_lack_the_signatures_of_those_who_decide_change_nothing(
    tmp_path: Path, signers: tuple[str, ...]
) -> None:
    holders = serve(tmp_path)
    world = holders.world
    suspension = Suspension("example-agreement", 1, "bank-b", "members", 1, True, NOW, "made up").to_document()
    assert refused(bring, holders, world.sign(suspension, *signers)) == ["document-refused"]
    departure = Departure("example-agreement", 1, "bank-b", NOW).to_document()
    assert refused(bring, holders, world.sign(departure, *signers)) == ["document-refused"]
    roster = dict(world.roster.document) | {"version": 2}
    assert refused(bring, holders, world.sign(roster, *signers)) == ["document-refused"]
    assert ask(holders, world.request(pair(holders))).accepted == (0, 1)


# What is shown


def test_one_group_alone_supports_nothing(tmp_path: Path) -> None:
    members = (
        ("bank-a", "bank", "group-a"),
        ("bank-b", "bank", "group-a"),
        ("police-c", "police", "group-c"),
        ("desk-d", "report-desk", "group-d"),
    )
    holders = serve(tmp_path, members=members)
    assert shut(holders, holders.world.request(pair(holders))) == ["not-supported", "not-supported"]


def test_a_report_desks_word_alone_opens_nothing(tmp_path: Path) -> None:
    holders = serve(tmp_path)
    assert shut(holders, holders.world.request(pair(holders, "bank-a", "desk-d"))) == ["not-supported"] * 2


def test_records_of_another_agreement_open_nothing_whatever_the_broker_says(tmp_path: Path) -> None:
    holders = serve(tmp_path)
    stranger = make_world()
    request = holders.world.request([holders.world.submit("bank-a", ROW), stranger.submit("bank-b", ROW)])
    assert shut(holders, request) == ["not-supported", "epoch"]


def test_expired_records_open_nothing_though_the_broker_still_serves_them(tmp_path: Path) -> None:
    holders = serve(tmp_path)
    given = [holders.world.submit("bank-a", ROW), holders.world.submit("bank-b", ROW, issued_at=START, lifetime=DAY)]
    assert shut(holders, holders.world.request(given)) == ["not-supported", "expired"]


def test_withdrawn_records_open_nothing_though_the_broker_still_serves_them(tmp_path: Path) -> None:
    holders = serve(tmp_path)
    given = pair(holders)
    handle = Head.decode(given[0].records[0].head).context.handle
    statement = WithdrawalStatement(holders.trust.epoch_id, "bank-a", 2, (handle,)).encode()
    signature = holders.world.parties["bank-a"].signing_key.sign(statement)
    holders.log.withdrawals["bank-a", 2] = LoggedWithdrawal(statement, signature, NOW)
    holders.world.kept_log.append(withdrawal_leaf(statement, NOW))
    assert shut(holders, holders.world.request(given)) == ["withdrawn", "not-supported"]


def test_submissions_that_are_not_in_the_log_open_nothing(tmp_path: Path) -> None:
    holders = serve(tmp_path)
    request = holders.world.request(pair(holders))
    first, second = request.statements
    swapped = (
        replace(first, log_index=second.log_index, log_path=second.log_path),
        replace(second, log_index=first.log_index, log_path=first.log_path),
    )
    assert shut(holders, replace(request, statements=swapped)) == ["not-logged", "not-logged"]


def test_a_log_that_nobody_witnessed_opens_nothing(tmp_path: Path) -> None:
    holders = serve(tmp_path, witness_quorum=2)
    request = holders.world.request(pair(holders), cosigned_at=NOW)
    assert ask(holders, request).accepted == (0, 1)
    assert shut(holders, replace(request, checkpoint=holders.world.kept_log.note(2))) == ["checkpoint"]


# How much


def test_budgets_hold_whoever_counts(tmp_path: Path) -> None:
    holders = serve(tmp_path, terms=example_terms(openings_per_day=1, records_per_day=1), declared=1, holders=3)
    budget = holders.trust.agreement.members[0].budgets["phone"]
    assert refused(holders.ask, "bank-a", 1, chunk(budget + 1)) == ["evaluation-budget-spent"]
    names = [RecordName(bytes([number]) * 16, NOW, NOW + DAY) for number in (1, 2)]
    assert refused(holders.ask_records, "bank-a", 1, names) == ["records-of-today-spent"]
    response = ask(holders, holders.world.request(pair(holders)))
    assert response.accepted == (0,)
    assert [one.reason for one in response.refused] == ["budget-spent"]


def test_a_record_that_is_to_live_longer_than_agreed_gets_no_secret(tmp_path: Path) -> None:
    holders = serve(tmp_path, terms=example_terms(record_lifetime=10 * DAY))
    kept, long = RecordName(bytes(16), NOW, NOW + 10 * DAY), RecordName(bytes(16), NOW, NOW + 10 * DAY + 1)
    assert refused(holders.ask_records, "bank-a", 1, [long]) == ["record-lives-too-long"]
    assert holders.ask_records("bank-a", 1, [kept]).elements


# What remains of it


def recorded(holders: Holders, party_id: str = "regulator") -> list[Any]:
    """The record of openings as an auditor reads it, verified as a chain."""
    found: list[Link] = []
    head = ChainHead(0, NO_LINK)
    with holders.session(party_id, 1) as session:
        after: int | None = 0
        while after is not None:
            page = session.get("/v1/openings", RecordedOpenings, query={"after": str(after)})
            for one in page.openings:
                found.append(Link(one.number, link_hash(one.body), one.body, one.signature))
            after = page.next
    verify_links(found, holders.trust.holder_key(1), head)
    return [parse_json(link.body.encode()) for link in found]


def link_hash(body: str) -> bytes:
    return hashlib.sha256(b"crosslight/v1 opening\0" + body.encode()).digest()


def test_an_auditor_reads_every_decision_and_decides_it_again(tmp_path: Path) -> None:
    holders = serve(tmp_path)
    request = holders.world.request(pair(holders))
    assert ask(holders, request).accepted == (0, 1)
    assert shut(holders, replace(request, purpose="curiosity")) == ["purpose-not-agreed"]
    assert shut(holders, replace(request, checkpoint="x")) == ["checkpoint"]
    opened, against, unproven = recorded(holders)
    assert (opened["refused"], opened["purpose"], opened["checkpoint"]["size"]) == ("", PURPOSE, 2)
    assert [one["decision"] for one in opened["records"]] == ["opened", "opened"]
    assert (against["refused"], against["purpose"]) == ("not-allowed", "curiosity")
    assert (unproven["refused"], unproven["decision"], unproven["checkpoint"]) == ("checkpoint", None, None)
    for decision in (opened, against):
        record = DecisionRecord.from_document(decision["decision"])
        assert record.agreement_hash == holders.trust.agreement.hash
        assert replay(record, holders.trust.agreement) == record
    assert against["decision"]["rules"] == ["purpose-not-agreed"]
    # What somebody wrote into the purpose goes no further than the holder's own record.
    assert against["decision"]["facts"]["purpose"] == "?"


def test_the_record_comes_page_by_page_to_auditors_and_holders_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keyholder.opening_record.PAGE", 2)
    holders = serve(tmp_path)
    request = replace(holders.world.request(pair(holders)), checkpoint="x")
    for _ in range(5):
        assert shut(holders, request) == ["checkpoint"]
    assert [decision["number"] for decision in recorded(holders, "holder2")] == [1, 2, 3, 4, 5]
    for party_id in ("bank-a", "charity", "broker"):
        assert refused(recorded, holders, party_id) == ["role"]
