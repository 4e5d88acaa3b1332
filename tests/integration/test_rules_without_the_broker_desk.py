"""Each rule is taken away from the broker, and from the key holders: the desk keeps to the agreement by itself.

The broker here shows whatever it likes to a charity that asks for it. Whatever the agreement does not allow, the desk
refuses before any key holder is asked, and keeps the refusal with its rule. What key holders hold has its own part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clients.charity.evidence import NOT_YET_LOGGED
from policies.agreement.document import Agreement
from policies.agreement.model import Purpose
from policies.agreement.standing import Departure, Suspension
from policies.decisions.record import DecisionRecord
from policies.decisions.replay import replay
from runtime.exits import UserError
from tests.agreement_world import DAY, PURPOSE, START, Submission, World, example_terms, make_world
from tests.charity_world import NOW, CharityWorld, StandInHolder, make_charity
from wire.messages.opening import OpeningRequest, OpeningResponse

PHONE = {"phone": "+4915112345678"}


class WillingHolder(StandInHolder):
    """A key holder that would open anything: what it is not asked for, the desk refused."""

    def open(self, request: OpeningRequest) -> OpeningResponse:
        """Note that it was asked."""
        self.asked.append(request)
        raise UserError("This holder opens nothing, but it was asked.")


def charity_with(
    folder: Path, world: World | None = None, submissions: Sequence[Submission] | None = None
) -> CharityWorld:
    world = world or make_world()
    given = submissions or [world.submit("bank-a", [PHONE]), world.submit("bank-b", [PHONE])]
    charity = make_charity(world, folder, {"alert": list(given)})
    charity.holders = {index: WillingHolder(world, index) for index in charity.holders}
    return charity


def was_asked(charity: CharityWorld) -> bool:
    return any(holder.asked for holder in charity.holders.values())


def refused(charity: CharityWorld, purpose: str = PURPOSE) -> tuple[str, ...]:
    """The rules by which the desk refuses to have the alert opened; nobody is asked, and the refusal is kept."""
    office = charity.office()
    with pytest.raises(UserError, match="Not allowed"):
        office.open_alerts(["alert"], purpose=purpose)
    assert not was_asked(charity)
    assert office.store.cases() == {}
    record = DecisionRecord.from_document(office.store.decisions()[-1])
    assert (record.allowed, record.question.action) == (False, "ask-for-opening")
    assert replay(record, charity.world.trust.agreement) == record
    office.close()
    return record.rules


def shut(charity: CharityWorld) -> list[str]:
    """Why every record stays shut, without any key holder being asked."""
    (case,) = charity.office().open_alerts(["alert"], purpose=PURPOSE)
    assert not was_asked(charity)
    assert case.opened == 0
    return [reason for record in case.records for reason in record.reasons]


def recipient(**changes: Any) -> Callable[[Agreement], Agreement]:
    """The agreement with its recipient changed."""

    def amend(agreement: Agreement) -> Agreement:
        recipients = tuple(replace(one, **changes) for one in agreement.parties.recipients)
        purposes = (*agreement.purposes, Purpose("debt-collection", "Collecting debts."))
        return replace(agreement, purposes=purposes, parties=replace(agreement.parties, recipients=recipients))

    return amend


def test_what_the_rules_cover_is_asked_for(tmp_path: Path) -> None:
    """Or else the tests below would prove nothing."""
    charity = charity_with(tmp_path)
    charity.office().open_alerts(["alert"], purpose=PURPOSE)
    assert was_asked(charity)


# Who, for what, when


@pytest.mark.parametrize("purpose", ["debt-collection", "curiosity"])
def test_a_purpose_that_the_recipient_was_not_given(tmp_path: Path, purpose: str) -> None:
    """Whether or not the agreement has it for somebody else."""
    charity = charity_with(tmp_path, make_world(amend=recipient()))
    assert refused(charity, purpose) == ("purpose-not-agreed",)


@pytest.mark.parametrize(("at", "rule"), [("start", "before-start"), ("end", "after-end")])
def test_outside_the_agreements_time(tmp_path: Path, at: str, rule: str) -> None:
    charity = charity_with(tmp_path)
    agreement = charity.world.trust.agreement
    charity.clock.set(agreement.start - 1 if at == "start" else agreement.end)
    charity.broker.log.cosign(int(charity.clock.now().timestamp()))
    assert refused(charity) == (rule,)


def test_without_the_mode_request(tmp_path: Path) -> None:
    charity = charity_with(tmp_path, make_world(amend=recipient(modes=("watch",))))
    assert refused(charity) == ("mode-not-request",)


@pytest.mark.parametrize("by", ["members", "itself"])
def test_while_suspended_and_not_after(tmp_path: Path, by: Any) -> None:
    charity = charity_with(tmp_path)
    world = charity.world
    signers = ("bank-a", "police-c") if by == "members" else ("charity",)

    def suspension(number: int, suspended: bool) -> None:
        document = Suspension("example-agreement", 1, "charity", by, number, suspended, NOW, "under review")
        shown = [*charity.broker.documents(), world.sign(document.to_document(), *signers)]
        charity.broker.documents = lambda: shown  # type: ignore[method-assign]

    suspension(1, suspended=True)
    assert refused(charity) == ("party-suspended",)
    suspension(2, suspended=False)
    charity.office().open_alerts(["alert"], purpose=PURPOSE)
    assert was_asked(charity)


def test_a_suspension_outlasts_a_broker_that_shows_it_no_more(tmp_path: Path) -> None:
    charity = charity_with(tmp_path)
    document = Suspension("example-agreement", 1, "charity", "members", 1, True, NOW, "under review").to_document()
    signed = charity.world.sign(document, "bank-a", "police-c")
    charity.broker.documents = lambda: [*charity.world.documents, signed]  # type: ignore[method-assign]
    assert refused(charity) == ("party-suspended",)
    charity.broker.documents = lambda: charity.world.documents  # type: ignore[method-assign]
    assert refused(charity) == ("party-suspended",)


def test_after_it_left(tmp_path: Path) -> None:
    charity = charity_with(tmp_path)
    signed = charity.world.sign(Departure("example-agreement", 1, "charity", NOW).to_document(), "charity")
    charity.broker.documents = lambda: [*charity.world.documents, signed]  # type: ignore[method-assign]
    with pytest.raises(UserError, match="charity"):
        charity.office().open_alerts(["alert"], purpose=PURPOSE)
    assert not was_asked(charity)


@pytest.mark.parametrize("signers", [("broker",), ("bank-a",), ("holder1", "holder2", "holder3")])
def test_documents_without_the_signatures_of_those_who_decide_stop_the_desk(
    tmp_path: Path, signers: tuple[str, ...]
) -> None:
    charity = charity_with(tmp_path)
    document = Suspension("example-agreement", 1, "bank-b", "members", 1, True, NOW, "made up").to_document()
    signed = charity.world.sign(document, *signers)
    charity.broker.documents = lambda: [*charity.world.documents, signed]  # type: ignore[method-assign]
    office = charity.office()
    with pytest.raises(UserError):
        office.open_alerts(["alert"], purpose=PURPOSE)
    assert office.trust().suspended == frozenset()
    assert not was_asked(charity)


# What is shown


def test_records_of_a_suspended_institution(tmp_path: Path) -> None:
    charity = charity_with(tmp_path)
    document = Suspension("example-agreement", 1, "bank-b", "members", 1, True, NOW, "under review").to_document()
    signed = charity.world.sign(document, "bank-a", "police-c")
    charity.broker.documents = lambda: [*charity.world.documents, signed]  # type: ignore[method-assign]
    assert any("suspended" in reason for reason in shut(charity))


def test_records_of_an_institution_that_left(tmp_path: Path) -> None:
    charity = charity_with(tmp_path)
    signed = charity.world.sign(Departure("example-agreement", 1, "bank-b", NOW).to_document(), "bank-b")
    charity.broker.documents = lambda: [*charity.world.documents, signed]  # type: ignore[method-assign]
    assert shut(charity)


def test_one_groups_records(tmp_path: Path) -> None:
    members = (("bank-a", "bank", "group-a"), ("bank-b", "bank", "group-a"), ("police-c", "police", "group-c"))
    assert all("do not support" in reason for reason in shut(charity_with(tmp_path, make_world(members=members))))


def test_less_than_the_agreed_weight(tmp_path: Path) -> None:
    world = make_world(example_terms(opening_rule={"t": 2, "least_weight": 1000, "alone": ["passport"]}))
    assert all("do not support" in reason for reason in shut(charity_with(tmp_path, world)))


def test_expired_records(tmp_path: Path) -> None:
    world = make_world()
    given = [world.submit("bank-a", [PHONE]), world.submit("bank-b", [PHONE], issued_at=START, lifetime=DAY)]
    assert any("expired" in reason for reason in shut(charity_with(tmp_path, world, given)))


def test_records_that_the_log_does_not_have(tmp_path: Path) -> None:
    charity = charity_with(tmp_path)
    charity.broker.alter = lambda detail: replace(
        detail, statements=tuple(replace(one, log_index=1 - (one.log_index or 0)) for one in detail.statements)
    )
    assert all("is not in the log's checkpoint" in reason for reason in shut(charity))


def test_a_log_that_nobody_witnessed(tmp_path: Path) -> None:
    charity = charity_with(tmp_path, make_world(witness_quorum=2))
    charity.broker.log.cosigned_note = charity.broker.log.note()
    assert set(shut(charity)) == {NOT_YET_LOGGED}


# What may be read, and for how long


def opened(folder: Path, **sealed: Any) -> CharityWorld:
    """A charity whose key holders are honest, and have opened the alert; bank-a sealed more than is agreed."""
    world = make_world()
    given = [world.submit("bank-a", [PHONE], **sealed), world.submit("bank-b", [PHONE])]
    charity = make_charity(world, folder, {"alert": given})
    charity.office().open_alerts(["alert"], purpose=PURPOSE)
    return charity


@pytest.mark.parametrize("sealed", [{"fields": {"salary": "1"}}, {"indicators": ("made-up-flag",)}])
def test_fields_and_red_flags_that_the_sender_may_not_seal(tmp_path: Path, sealed: dict[str, Any]) -> None:
    case = opened(tmp_path, **sealed).office().store.case("alert")
    assert case is not None
    assert [record.is_open for record in case.records] == [False, True]
    assert "bank-a sealed what the agreement does not let it send" in case.records[0].reasons[0]


def test_what_was_opened_outlives_its_time_neither_here_nor_in_an_export(tmp_path: Path) -> None:
    charity = opened(tmp_path)
    kept = charity.office().store.case("alert")
    assert kept is not None
    charity.clock.advance(seconds=charity.world.trust.agreement.retention.opened + 1)
    office = charity.office()
    with pytest.raises(UserError, match="kept and shown only as long as agreed"):
        office.export([kept], PURPOSE)
    office.queue()
    assert office.store.cases() == {}


@pytest.mark.parametrize("purpose", ["debt-collection", "curiosity"])
def test_an_export_for_another_purpose(tmp_path: Path, purpose: str) -> None:
    office = opened(tmp_path).office()
    case = office.store.case("alert")
    assert case is not None
    with pytest.raises(UserError, match="only for a purpose"):
        office.export([case], purpose)
