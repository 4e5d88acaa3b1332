"""Attack 15: a crash around sending: identical bytes; a closed epoch: old database and new keys open nothing.

Crashes at every point of a sync, in process: tests/unit/test_sync_crashes.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from crypto import group, oprf, scalars
from crypto.group import ORDER
from crypto.keyfiles import KeyRing
from policies.assembly import RecipientKey, build_epoch, build_roster
from policies.documents import SignedDocument
from policies.parties import BROKER, holder_party_id
from policies.party_keys import epoch_key_name, new_epoch_key
from runtime.clock import unix
from runtime.exits import ExitCode, UserError
from tests.agreement_world import DAY, Submission, World
from tests.attackers import ask_to_open, batch_secrets, loot, opened_by
from tests.charity_world import make_charity
from tests.holders import shares_of
from tests.institutions import Agreement
from tests.sync_parts import Killed, people, table
from wire.messages.opening import OpeningResponse
from wire.problems import RemoteProblem

X = {"phone": "+447700900123"}
BOTH = ("bank-a", "bank-b")


@pytest.fixture
def agreement(sqlite_url: str, tmp_path: Path) -> Agreement:
    return Agreement.build(sqlite_url, tmp_path)


@dataclass
class Wire:
    """What went over the way to the broker, and where the client dies: before or after which step of a submission."""

    dies_at: int
    after: bool
    sent: list[tuple[str, str, bytes]]

    def watch(self, agreement: Agreement) -> None:
        """Stand on the way to the broker."""
        gate = agreement.gates[BROKER]

        def before(request: httpx.Request) -> None:
            if is_step(request):
                self.sent.append((request.method, request.url.path, request.content))
                if not self.after and len(self.sent) == self.dies_at:
                    raise Killed

        def after(request: httpx.Request) -> None:
            if is_step(request) and self.after and len(self.sent) == self.dies_at:
                raise Killed

        gate.before, gate.after = before, after


def is_step(request: httpx.Request) -> bool:
    """Whether a request takes a submission further; a witness's cosignatures are no part of it."""
    return request.method != "GET" and request.url.path.startswith("/v1/submissions/")


@pytest.mark.parametrize("after", [False, True], ids=["before the broker has it", "after the broker has it"])
@pytest.mark.parametrize("step", [1, 2, 3, 4], ids=["opening", "first part", "second part", "commit"])
def test_a_crash_around_sending_sends_identical_bytes(agreement: Agreement, step: int, after: bool) -> None:
    bank = agreement.institution("bank-a")
    rows = people(520)
    wire = Wire(step, after, [])
    wire.watch(agreement)
    with pytest.raises(Killed):
        bank.sync(table(rows))
    again = Wire(0, False, [])
    again.watch(agreement)
    report = bank.sync(table(rows))
    assert report.sent == 0
    bodies: dict[tuple[str, str], set[bytes]] = {}
    for method, path, content in (*wire.sent, *again.sent):
        bodies.setdefault((method, path), set()).add(content)
    # One submission under one key; whatever was sent twice was the same.
    assert {len(found) for found in bodies.values()} == {1}
    assert len(bodies) == 4
    assert (agreement.broker.count("record"), agreement.broker.count("submission")) == (520, 1)


def next_epoch(world: World) -> World:
    """The same parties' second epoch, with keys of its own."""
    first = world.trust.epoch
    polynomials = {
        family: tuple(int.from_bytes(scalars.random_scalars(1), "little") for _ in range(first.t_h))
        for family in first.families
    }
    commitments = {
        family: [group.multiply_base((part % ORDER).to_bytes(32, "little")) for part in parts]
        for family, parts in polynomials.items()
    }
    agreement = world.trust.agreement
    epoch = build_epoch(agreement, 2, first.not_after - 10 * DAY, first.not_after + 80 * DAY, commitments)
    signed = world.sign(epoch.to_document())
    trust = world.trust.with_epoch(signed)
    drawn = {name: new_epoch_key() for name in world.recipient_seeds}
    keys = [RecipientKey(name, epoch.epoch_id, key, epoch.not_after) for name, (_, key) in drawn.items()]
    roster = world.sign(build_roster(trust, keys).to_document())
    seeds = {name: seed for name, (seed, _) in drawn.items()}
    return replace(world, polynomials=polynomials, recipient_seeds=seeds, epoch=signed, roster=roster)


def close_the_first(agreement: Agreement, second: World) -> None:
    """Holders accept the second epoch and destroy their shares of the first."""
    now = unix(agreement.broker.clock)
    for index in agreement.holders.apps:
        for document in (second.epoch, second.roster):
            agreement.holders.holder(index).documents.accept(document, now)
        own = agreement.world.parties[holder_party_id(index)].secrets
        agreement.holders.restart(index, secrets=KeyRing({**own, **shares_of(second, index)}))


def test_a_closed_epochs_database_opens_nothing_under_the_next_epochs_keys(
    agreement: Agreement, tmp_path: Path
) -> None:
    world = agreement.world
    submissions = [world.submit(name, [X]) for name in BOTH]
    for submission in submissions:
        agreement.broker.send(submission.statement.institution_id, submission)
    agreement.broker.work()
    assert len(agreement.broker.raised()) == 1  # it was never opened, though it could have been
    second = next_epoch(world)
    close_the_first(agreement, second)

    size = world.trust.epoch.padded_size
    for one, submission in zip(loot(agreement.broker), submissions, strict=True):
        assert list(batch_secrets(one, second.recipient_seeds.values())) == []
        # Even with the submission's secret given away, all holders together have only the new keys.
        element = oprf.hash_inputs([one.ctx])
        new = [evaluated(second, family, element) for family in second.polynomials]
        assert opened_by(one, submission.batch_secret, new, size) == []
        (payload,) = opened_by(one, submission.batch_secret, [evaluated(world, "record", element)], size)
        assert X["phone"].encode() in payload  # with the keys that are destroyed it would
    holders_refuse(agreement, world, second, submissions)
    the_desk_refuses(world, second, submissions, tmp_path / "desk")


def evaluated(world: World, family: str, element: bytes) -> bytes:
    return group.multiply_each((world.polynomials[family][0] % ORDER).to_bytes(32, "little"), element)


def holders_refuse(agreement: Agreement, world: World, second: World, submissions: list[Submission]) -> None:
    """While both epochs run, and after the first is over; and under the second's name."""
    clock = agreement.broker.clock
    old = world.request(submissions)
    renamed = replace(old, epoch_id=second.trust.epoch_id)
    for now, reason in (
        (world.trust.epoch.not_after - DAY, "not-ready"),
        (world.trust.epoch.not_after, "recipient-expired"),
    ):
        clock.set(now)
        for index in (1, 2):
            refused = ask_to_open(agreement.holders, "charity", index, old)
            assert isinstance(refused, RemoteProblem)
            assert refused.type_suffix == reason
            answer = ask_to_open(agreement.holders, "charity", index, renamed)
            assert isinstance(answer, OpeningResponse)
            assert answer.accepted == ()
            assert {refusal.reason for refusal in answer.refused} == {"epoch"}


def the_desk_refuses(world: World, second: World, submissions: list[Submission], home: Path) -> None:
    """The charity has taken the new epoch and lost the old one's key."""
    charity = make_charity(world, home, {"old": submissions})
    seed = {epoch_key_name(second.trust.epoch_id): second.recipient_seeds["charity"]}
    charity.ring = lambda: KeyRing({**world.parties["charity"].secrets, **seed})  # type: ignore[method-assign]
    offered: list[SignedDocument] = [*world.documents, second.epoch, second.roster]
    charity.broker.documents = lambda: offered  # type: ignore[method-assign]
    office = charity.office()
    with pytest.raises(UserError) as refused:
        office.open_alerts(["old"])
    assert refused.value.exit_code == ExitCode.DOCUMENTS_REFUSED
    assert all(holder.asked == [] for holder in charity.holders.values())
    office.close()
