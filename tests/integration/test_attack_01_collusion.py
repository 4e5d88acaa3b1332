"""Attack 1: t = 3, two groups hold x, clocks a day on; broker's database, all recipients' keys, both institutions'
keys, t_h - 1 holders' shares: nothing opens.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from crypto import group, oprf, scalars, shares
from crypto.records import Record
from policies.opening_rule import OpeningRule
from tests.agreement_world import Submission, World, example_terms, make_world
from tests.attackers import Loot, ask_to_open, batch_secrets, loot, opened_by, signed_again
from tests.institutions import Agreement
from wire.messages.evaluation import RecordName
from wire.messages.opening import OpeningRequest, OpeningResponse
from wire.problems import RemoteProblem

X = {"phone": "+447700900123", "person.name-birthdate": "anna example|1990-02-28"}
CORRUPT = ("bank-a", "bank-b")
RECIPIENTS = ("charity", "second-charity")
SETS = ((1, 2), (1, 3), (2, 3))


@pytest.fixture
def world() -> World:
    rule = example_terms().opening_rule
    three = {"t": 3, "least_weight": rule.least_weight, "alone": list(rule.alone)}
    world = make_world(example_terms(opening_rule=three), recipients=RECIPIENTS)
    assert isinstance(world.trust.rule, OpeningRule)
    assert (world.trust.rule.t, world.trust.epoch.t_h) == (3, 2)
    return world


@pytest.fixture
def agreement(sqlite_url: str, tmp_path: Path, world: World) -> Agreement:
    return Agreement.build(sqlite_url, tmp_path, world)


def test_two_groups_with_broker_recipients_and_one_holder_open_nothing_until_a_third_group_holds_x(
    agreement: Agreement, world: World
) -> None:
    submissions = [world.submit(institution, [X]) for institution in CORRUPT]
    for submission in submissions:
        agreement.broker.send(submission.statement.institution_id, submission)
    agreement.broker.work()
    agreement.broker.clock.advance(days=1, seconds=1)

    assert agreement.broker.alerts() == []
    looted = loot(agreement.broker)
    assert len(looted) == 2
    for request in openings_that_the_attackers_can_make(world, submissions):
        refused_by_the_honest(agreement, request)
    for one in looted:
        # The recipients' half is theirs.
        (first, second) = batch_secrets(one, world.recipient_seeds.values())
        assert first == second
        guesses = [
            *evaluations_from_one_share(world, one),
            *evaluations_asked_in_other_families(agreement, world, one),
            *evaluations_of_other_records(agreement, world, one),
        ]
        assert len(guesses) > 60
        assert opened_by(one, first, guesses, world.trust.epoch.padded_size) == []

    # What they lack is the third group: with it, the same requests and the same code open both records.
    third = world.submit("police-c", [X], issued_at=int(agreement.broker.clock.now().timestamp()))
    for one in looted:
        (secret, _) = batch_secrets(one, world.recipient_seeds.values())
        evaluation = opened_with_the_third_group(agreement, world, [*submissions, third], one)
        (payload,) = opened_by(one, secret, [evaluation], world.trust.epoch.padded_size)
        assert X["phone"].encode() in payload


def openings_that_the_attackers_can_make(world: World, submissions: list[Submission]) -> list[OpeningRequest]:
    """The records as they are, more of them in the two institutions' own names, and others in a third's."""
    now = world.trust.epoch.not_before + 2 * 86_400
    more = [world.submit(name, [X, X, X], seq=2, issued_at=now) for name in CORRUPT]
    # bank-a's fresh record in police-c's name: signed by neither police-c nor, its possession, for that record.
    moved = world.submit("police-c", [{"phone": "+441"}], issued_at=now)
    copied = [swapped(record, submissions[0].records[0]) for record in moved.records]
    return [
        world.request(given)
        for given in (
            submissions,
            [*submissions, *more],
            [*submissions, signed_again(world, moved, moved.records, signer="bank-a")],
            [*submissions, signed_again(world, moved, copied, signer="bank-b")],
            [*submissions, signed_again(world, moved, submissions[0].records, signer="bank-a")],
        )
    ]


def swapped(record: Record, source: Record) -> Record:
    """The record with another's entries and salts."""
    return replace(record, salts=source.salts, entries=source.entries)


def refused_by_the_honest(agreement: Agreement, request: OpeningRequest) -> None:
    for recipient_id in RECIPIENTS:
        for index in (2, 3):
            for holder_set in [chosen for chosen in SETS if index in chosen]:
                asked = replace(request, holder_set=holder_set)
                answer = ask_to_open(agreement.holders, recipient_id, index, asked)
                assert isinstance(answer, OpeningResponse)
                assert (answer.accepted, answer.elements, answer.proof) == ((), b"", b"")
                assert len(answer.refused) == len(request.open)


def evaluations_from_one_share(world: World, one: Loot) -> list[bytes]:
    """What the corrupt holder makes of the context with its shares of every key, weighted for each set and bare."""
    element = oprf.hash_inputs([one.ctx])
    found = []
    for family in (*world.trust.epoch.families,):
        share = world.share(family, 1)
        found.append(group.multiply_each(share, element))
        found += [group.multiply_each(shares.weighted_key(share, 1, chosen), element) for chosen in ((1, 2), (1, 3))]
    return found


def evaluations_asked_in_other_families(agreement: Agreement, world: World, one: Loot) -> list[bytes]:
    """The context, blinded, asked of the honest holders in every family; the record family is refused."""
    element = oprf.hash_inputs([one.ctx])
    blind = scalars.random_scalars(1)
    blinded = group.multiply_each(blind, element)
    own = group.multiply_each(shares.weighted_key(world.share("record", 1), 1, (1, 2)), element)
    found = []
    for family in sorted(world.trust.epoch.families):
        for asker in CORRUPT:
            if family == "record":
                for index in (2, 3):
                    with pytest.raises(RemoteProblem) as refused:
                        agreement.holders.ask(asker, index, blinded, family=family, holder_set=(2, 3))
                    assert refused.value.type_suffix == "record-family"
                continue
            answers = {
                index: agreement.holders.ask(asker, index, blinded, family=family, holder_set=(2, 3))
                for index in (2, 3)
            }
            unblinded = [
                group.multiply_each(scalars.invert(blind), part)
                for part in (
                    answers[2].elements,
                    answers[3].elements,
                    shares.combine([answers[2].elements, answers[3].elements]),
                )
            ]
            found += [*unblinded, *(group.add(own, part) for part in unblinded)]
    return found


def evaluations_of_other_records(agreement: Agreement, world: World, one: Loot) -> list[bytes]:
    """The record's own name is refused a day later; what is answered is of another time, or another's record."""
    context = one.head.context
    now = int(agreement.broker.clock.now().timestamp())
    found = []
    for asker in CORRUPT:
        for index in (2, 3):
            with pytest.raises(RemoteProblem) as refused:
                name = RecordName(context.handle, context.issued_at, context.expires_at)
                agreement.holders.ask_records(asker, index, [name], holder_set=(2, 3))
            assert refused.value.type_suffix == "record-times"
        later = RecordName(context.handle, now, context.expires_at)
        answers = [agreement.holders.ask_records(asker, index, [later], holder_set=(2, 3)) for index in (2, 3)]
        found += [answers[0].elements, answers[1].elements, shares.combine([each.elements for each in answers])]
    own = group.multiply_each(shares.weighted_key(world.share("record", 1), 1, (1, 2)), oprf.hash_inputs([one.ctx]))
    return [*found, *(group.add(left, right) for left, right in combinations([own, *found], 2))]


def opened_with_the_third_group(agreement: Agreement, world: World, submissions: list[Submission], one: Loot) -> bytes:
    """The quorum's evaluation of the record once an honest group's record stands beside the two."""
    position = next(
        number for number, submission in enumerate(submissions) if submission.records[0].head == one.record.head
    )
    request = world.request(submissions, wanted=[position], holder_set=(2, 3))
    answers = []
    for index in (2, 3):
        answer = ask_to_open(agreement.holders, "charity", index, request)
        assert isinstance(answer, OpeningResponse)
        assert answer.accepted == (position,)
        answers.append(answer.elements)
    return shares.combine(answers)
