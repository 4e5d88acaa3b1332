"""Attack 5: rename, subsidiary: one group at most."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from policies.assembly import RecipientKey, build_roster
from policies.parties import Member
from policies.trust import Trust
from tests.agreement_world import MEMBERS, Submission, World, example_document, make_world
from tests.attackers import ask_to_open
from tests.institutions import Agreement
from wire.messages.opening import OpeningRequest, OpeningResponse

X = {"phone": "+447700900123", "email": "anna@example.org"}


def opened(agreement: Agreement, request: OpeningRequest) -> set[int]:
    """The records that the first two holders open, each asked alone."""
    accepted = set[int]()
    for index in (1, 2):
        answer = ask_to_open(agreement.holders, "charity", index, request)
        assert isinstance(answer, OpeningResponse)
        accepted |= set(answer.accepted)
    return accepted


def test_a_bank_and_its_subsidiary_are_one_group(sqlite_url: str, tmp_path: Path) -> None:
    world = make_world(members=(*MEMBERS, ("bank-a-leasing", "bank", "group-a")))
    agreement = Agreement.build(sqlite_url, tmp_path, world)
    given = [world.submit(name, [X, X]) for name in ("bank-a", "bank-a-leasing")]
    for one in given:
        agreement.broker.send(one.statement.institution_id, one)
    agreement.broker.work()
    assert agreement.broker.alerts() == []
    assert opened(agreement, world.request(given)) == set()
    other = world.submit("bank-b", [X])
    agreement.broker.send("bank-b", other)
    agreement.broker.work()
    (alert,) = agreement.broker.raised()
    assert alert.records == 5
    assert opened(agreement, world.request([*given, other])) == {0, 1, 2, 3, 4}


def test_a_bank_and_its_subsidiary_count_once_where_three_groups_are_asked_for(sqlite_url: str, tmp_path: Path) -> None:
    from tests.agreement_world import example_terms

    rule = example_document()["opening_rule"] | {"t": 3}
    members = (*MEMBERS, ("bank-a-leasing", "bank", "group-a"))
    world = make_world(example_terms(opening_rule=rule), members=members)
    agreement = Agreement.build(sqlite_url, tmp_path, world)
    given = [world.submit(name, [X]) for name in ("bank-a", "bank-a-leasing", "bank-b")]
    for one in given:
        agreement.broker.send(one.statement.institution_id, one)
    agreement.broker.work()
    assert agreement.broker.alerts() == []
    assert opened(agreement, world.request(given)) == set()


NAMES = (*MEMBERS, ("bank-n", "bank", "group-n"))


@pytest.fixture
def agreement(sqlite_url: str, tmp_path: Path) -> Agreement:
    """The agreement names the bank under a second name, and as it says, in another group; roster 1 does not."""
    world = make_world(members=NAMES)
    begun = Trust.pin(world.agreement, world.agreement.hash).with_epoch(world.epoch)
    keys = [
        RecipientKey(one.recipient_id, world.trust.epoch_id, one.key, one.not_after)
        for one in world.trust.roster.recipients
    ]
    roster = build_roster(begun, keys, members=members_without(world, "bank-n"))
    return Agreement.build(sqlite_url, tmp_path, replace(world, roster=world.sign(roster.to_document())))


def members_without(world: World, left_out: str) -> list[Member]:
    return [member for member in world.trust.agreement.members if member.institution_id != left_out]


def renamed(world: World) -> World:
    """bank-a leaves the roster and comes back as bank-n; everybody signs. The log goes on."""
    roster = world.sign(build_roster(world.trust, [], members=members_without(world, "bank-a")).to_document())
    after = replace(world, roster=roster)
    after.__dict__.update(trust=world.trust.with_roster(roster), kept_log=world.kept_log)
    return after


def test_a_bank_that_leaves_and_joins_under_another_name_is_never_two_groups(agreement: Agreement) -> None:
    world = agreement.world
    before = world.submit("bank-a", [X])
    agreement.broker.send("bank-a", before)
    agreement.broker.work()
    later = renamed(world)
    agreement.accept(later.roster)
    again = later.submit("bank-n", [X])
    send_under_the_new_name(agreement, later, again)
    agreement.broker.work()
    assert agreement.broker.alerts() == []
    assert opened(agreement, later.request([before, again])) == set()
    # Its records of old count for nobody; the one of now counts once.
    other = later.submit("bank-b", [X])
    agreement.broker.send("bank-b", other)
    agreement.broker.work()
    (alert,) = agreement.broker.raised()
    assert alert.institutions == ("bank-b", "bank-n")
    assert opened(agreement, later.request([before, again, other])) == {1, 2}


def send_under_the_new_name(agreement: Agreement, later: World, submission: Submission) -> None:
    agreement.broker.agreement = later
    agreement.broker.send("bank-n", submission)
