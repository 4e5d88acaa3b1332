"""The desk keeps to the agreement by itself: purpose, time, mode, suspension, what may be read, how long it is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import clients.charity.office
from clients.charity.evidence import NOT_YET_LOGGED
from clients.charity.office import open_office
from clients.log.witness_duty import SplitViewReported
from policies.agreement.document import Agreement
from policies.agreement.model import Purpose
from policies.decisions.record import DecisionRecord
from policies.decisions.replay import replay
from policies.log.activity import read_event
from policies.log.checkpoint import CosignedCheckpoint
from policies.log.log_keys import LogKeys
from policies.log.split_view import SplitView
from runtime.clock import unix
from runtime.exits import ExitCode, UserError
from tests.agreement_world import PURPOSE, World, make_world
from tests.charity_world import NOW, CharityWorld, make_charity
from tests.memory_log import View

PHONE = {"phone": "+4915112345678"}


def charity_in(world: World, folder: Path) -> CharityWorld:
    return make_charity(world, folder, {"alert": [world.submit("bank-a", [PHONE]), world.submit("bank-b", [PHONE])]})


@pytest.fixture
def charity(tmp_path: Path) -> CharityWorld:
    return charity_in(make_world(witness_quorum=2), tmp_path)


def with_recipient(**changes: object) -> Callable[[Agreement], Agreement]:
    def amend(agreement: Agreement) -> Agreement:
        recipients = tuple(replace(one, **changes) for one in agreement.parties.recipients)
        return replace(agreement, parties=replace(agreement.parties, recipients=recipients))

    return amend


def refused(charity: CharityWorld, purpose: str | None = None) -> str:
    office = charity.office()
    with pytest.raises(UserError) as caught:
        office.open_alerts(["alert"], purpose=purpose)
    assert all(not holder.asked for holder in charity.holders.values())
    return caught.value.message


def test_an_opening_is_for_a_purpose_and_kept_with_the_rules_that_allowed_it(charity: CharityWorld) -> None:
    office = charity.office()
    (case,) = office.open_alerts(["alert"], purpose=PURPOSE)
    assert case.opened == 2
    assert case.opening.purpose == PURPOSE
    assert case.opening.rules == ("recipients-request",)
    assert {request.purpose for holder in charity.holders.values() for request in holder.asked} == {PURPOSE}
    (kept,) = office.store.decisions()
    record = DecisionRecord.from_document(kept)
    assert replay(record, charity.world.trust.agreement) == record
    (event,) = charity.broker.reported
    assert read_event(event)["purpose"] == PURPOSE
    assert not any(value in event for value in (*PHONE.values(), "bank-a", 'alert"'))


def test_another_purpose_than_the_agreements_is_refused_before_anybody_is_asked(charity: CharityWorld) -> None:
    assert "only for a purpose that the agreement gives" in refused(charity, "marketing")


def test_where_the_agreement_gives_several_purposes_one_must_be_named(tmp_path: Path) -> None:
    other = Purpose("safeguarding", "To keep victims safe.")

    def amend(agreement: Agreement) -> Agreement:
        both = replace(agreement, purposes=(*agreement.purposes, other))
        return with_recipient(purposes=(PURPOSE, other.code))(both)

    charity = charity_in(make_world(amend=amend, witness_quorum=2), tmp_path)
    assert "Name the purpose" in refused(charity)
    assert charity.office().open_alerts(["alert"], purpose=other.code)[0].opening.purpose == other.code
    charity.broker.log.cosigned_note = None
    # Nothing can be shown, and the purpose that was named is still the one that counts.
    assert charity.office().open_alerts(["alert"], purpose=PURPOSE)[0].opening.purpose == PURPOSE


def test_after_the_agreements_end_nothing_is_asked_or_shown(tmp_path: Path) -> None:
    charity = charity_in(make_world(), tmp_path)
    charity.clock.advance(days=1200)
    assert "Not allowed" in refused(charity)
    with pytest.raises(UserError, match="Not allowed"):
        charity.office().refresh_queue()


def test_a_recipient_without_the_mode_request_reads_no_alert(tmp_path: Path) -> None:
    charity = charity_in(make_world(amend=with_recipient(modes=("watch",))), tmp_path)
    assert "mode 'request'" in refused(charity)
    with pytest.raises(UserError, match="mode 'request'"):
        charity.office().refresh_queue()


@pytest.mark.parametrize(("fields", "indicators"), [({"salary": "1"}, ()), ({}, ("made-up-flag",))])
def test_what_the_role_may_not_seal_is_not_shown_and_its_signer_named(
    tmp_path: Path, fields: dict[str, str], indicators: tuple[str, ...]
) -> None:
    world = make_world()
    odd = world.submit("bank-a", [PHONE], fields=fields, indicators=indicators)
    charity = make_charity(world, tmp_path, {"alert": [odd, world.submit("bank-b", [PHONE])]})
    (case,) = charity.office().open_alerts(["alert"])
    shut, opened = case.records
    assert (shut.is_open, opened.is_open) == (False, True)
    assert "bank-a sealed what the agreement does not let it send" in shut.reasons[0]
    assert shut.fields == {} and shut.indicators == ()
    assert "bank-a" in {trouble.signer for trouble in case.troubles}


def test_what_was_opened_is_erased_when_the_agreed_time_is_over(charity: CharityWorld) -> None:
    office = charity.office()
    office.open_alerts(["alert"])
    office.review("alert", "pursue", "note")
    charity.clock.advance(days=364)
    assert office.purge() == 0
    charity.clock.advance(days=2)
    assert office.purge() == 1
    assert office.store.case("alert") is None
    assert office.store.reviews("alert") == []


def test_asking_again_does_not_let_what_was_opened_be_kept_for_longer(charity: CharityWorld) -> None:
    office = charity.office()
    office.open_alerts(["alert"])
    charity.clock.advance(days=80)
    charity.broker.log.cosign(unix(charity.clock))
    (case,) = office.open_alerts(["alert"])
    assert case.opened_at > NOW
    assert {record.opened_at for record in case.records} == {NOW} == {case.content_since}
    charity.clock.advance(days=286)
    assert (office.purge(), office.erased) == (1, 1)


def test_a_desk_that_stays_open_erases_by_itself(charity: CharityWorld) -> None:
    office = charity.office()
    office.refresh_queue()
    office.open_alerts(["alert"])
    assert [item.case is not None for item in office.queue()] == [True]
    charity.clock.advance(days=366)
    assert [item.case is not None for item in office.queue()] == [False]
    assert office.erased == 1


def test_the_start_erases_what_is_over_and_says_so(
    charity: CharityWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    charity.office().open_alerts(["alert"])
    charity.clock.advance(days=366)
    monkeypatch.setattr(clients.charity.office, "read_key_file", lambda path, passphrase: charity.ring())
    monkeypatch.setattr(clients.charity.office, "SystemClock", lambda: charity.clock)
    with open_office(charity.home, "passphrase") as office:
        assert office.store.cases() == {}
    assert "1 case file erased" in capsys.readouterr().err


def test_what_was_refused_is_kept_with_the_rule_that_refused_it(charity: CharityWorld) -> None:
    office = charity.office()
    (case,) = office.open_alerts(["alert"])
    for attempt in (lambda: office.open_alerts(["alert"], purpose="other"), lambda: office.export([case], "other")):
        with pytest.raises(UserError, match="Not allowed"):
            attempt()
    office.review("alert", "unclear", "note")
    kept = [DecisionRecord.from_document(document) for document in office.store.decisions()]
    assert sorted((record.question.action, record.allowed, record.rules) for record in kept) == [
        ("ask-for-opening", False, ("purpose-not-agreed",)),
        ("ask-for-opening", True, ("recipients-request",)),
        ("export-case", False, ("purpose-not-agreed",)),
        ("review-case", True, ("recipients-request",)),
    ]
    assert all(replay(record, charity.world.trust.agreement) == record for record in kept)


def test_an_export_is_decided_kept_and_reported_at_the_next_contact(charity: CharityWorld) -> None:
    office = charity.office()
    (case,) = office.open_alerts(["alert"])
    office.export([case])
    assert len(charity.broker.reported) == 1
    office.refresh_queue()
    assert [read_event(event)["type"] for event in charity.broker.reported] == [
        "crosslight/v1 event opening",
        "crosslight/v1 event export",
    ]
    with pytest.raises(UserError, match="Not allowed"):
        office.export([case], "marketing")


def test_without_a_cosigned_checkpoint_nothing_is_asked_and_it_says_so(charity: CharityWorld) -> None:
    charity.broker.log.cosigned_note = None
    (case,) = charity.office().open_alerts(["alert"])
    assert {record.reasons for record in case.records} == {(NOT_YET_LOGGED,)}
    assert all(not holder.asked for holder in charity.holders.values())


@pytest.mark.parametrize("witnesses", [("holder1",), ("charity", "bank-a", "bank-b")])
def test_cosignatures_of_too_few_required_witnesses_are_not_enough(
    charity: CharityWorld, witnesses: tuple[str, ...]
) -> None:
    charity.broker.log.cosign(NOW, *witnesses)
    (case,) = charity.office().open_alerts(["alert"])
    assert {record.reasons for record in case.records} == {(NOT_YET_LOGGED,)}


def test_cosignatures_of_the_day_before_are_not_enough(charity: CharityWorld) -> None:
    charity.broker.log.cosign(NOW - 90_000)
    (case,) = charity.office().open_alerts(["alert"])
    assert {record.reasons for record in case.records} == {(NOT_YET_LOGGED,)}


def test_every_contact_cosigns_what_continues_what_was_kept(charity: CharityWorld) -> None:
    office = charity.office()
    office.refresh_queue()
    keys = LogKeys.of(charity.world.trust)
    ((size, line),) = charity.broker.cosignatures
    cosigned = CosignedCheckpoint(charity.broker.log.note()).with_lines(line)
    assert (size, keys.policy.cosigned_at(cosigned)) == (2, {"charity": NOW})
    charity.broker.log.append(b"more")
    office.refresh_queue()
    assert [size for size, _ in charity.broker.cosignatures] == [2, 3]


def evidence(charity: CharityWorld, caught: SplitViewReported) -> str:
    assert caught.exit_code == ExitCode.VERIFICATION_FAILED
    found = SplitView.from_document(json.loads(caught.path.read_text("utf-8")))
    return found.check(LogKeys.of(charity.world.trust).key)


def test_a_log_that_was_rewritten_stops_the_desk_with_evidence(charity: CharityWorld) -> None:
    office = charity.office()
    office.refresh_queue()
    log = charity.broker.log
    charity.broker.__dict__["log"] = log.fork(1, b"another leaf", b"and one more")
    charity.broker.log.cosign(NOW)
    with pytest.raises(SplitViewReported) as caught:
        office.open_alerts(["alert"])
    assert "two histories" in evidence(charity, caught.value)
    assert len(charity.broker.cosignatures) == 1
    assert all(not holder.asked for holder in charity.holders.values())


def test_a_log_that_was_cut_stops_the_desk_with_evidence(charity: CharityWorld) -> None:
    office = charity.office()
    office.refresh_queue()
    charity.broker.log.shown = charity.broker.log.note(1)
    with pytest.raises(SplitViewReported) as caught:
        office.refresh_queue()
    assert "was cut" in evidence(charity, caught.value)


def test_another_history_at_a_key_holder_stops_the_desk_with_evidence(charity: CharityWorld) -> None:
    log = charity.broker.log
    charity.holders[2].kept = log.fork(1, b"what the holder was shown").note()
    with pytest.raises(SplitViewReported) as caught:
        charity.office().open_alerts(["alert"])
    assert "two histories" in evidence(charity, caught.value)


def test_a_holder_that_was_shown_more_than_the_desk_stops_it(charity: CharityWorld) -> None:
    log = charity.broker.log
    grown = log.fork(2, b"a third leaf")
    charity.holders[1].kept = View(grown.note()).checkpoint()
    with pytest.raises(SplitViewReported) as caught:
        charity.office().open_alerts(["alert"])
    assert "was cut" in evidence(charity, caught.value)
