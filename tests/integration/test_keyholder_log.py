"""A key holder follows the log, and opens nothing that does not hold against it: each condition alone keeps it shut."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crypto.records import Head
from crypto.statements import WithdrawalStatement
from keyholder.log_following import LogBehind, followed_age
from keyholder.log_keeping import follow_where_due
from keyholder.store import log_views, withdrawals
from policies.agreement.standing import Departure, Suspension
from policies.documents import SignedDocument
from policies.log.errors import LogRefused
from policies.log.leaves import departure_leaf, expiry_leaf, suspension_leaf, withdrawal_leaf
from policies.log.log_keys import LogKeys
from policies.log.split_view import SplitView
from policies.log.witness import SplitViewFound
from runtime.database import read_transaction
from runtime.exits import ExitCode, UserError
from tests.agreement_world import DAY, START, Submission, World, make_world
from tests.clocks import MovableClock
from tests.holders import Holders, serve_in_process
from tests.integration.test_keyholder_witness import add
from tests.unit.test_keyholder_standing import next_epoch
from wire.messages.log import LoggedWithdrawal
from wire.messages.opening import OpeningRequest, OpeningResponse
from wire.problems import RemoteProblem

NOW = START + 2 * DAY
HOUR = 3600


@pytest.fixture
def holders(tmp_path: Path, database_url: str) -> Holders:
    """One holder, on each kind of database."""
    return serve_in_process(
        make_world(), tmp_path, indexes=[1], clock=MovableClock(NOW), database_urls={1: database_url}
    )


@pytest.fixture
def one(tmp_path: Path) -> Holders:
    """One holder, where the database's kind does not matter."""
    return serve_in_process(make_world(), tmp_path, indexes=[1], clock=MovableClock(NOW))


@pytest.fixture
def witnessed(tmp_path: Path) -> Holders:
    """One holder of an agreement that asks for two witnesses of three."""
    return serve_in_process(make_world(witness_quorum=2), tmp_path, indexes=[1], clock=MovableClock(NOW))


def pair(holders: Holders) -> tuple[Submission, Submission]:
    row = [{"phone": "+447700900123"}]
    return holders.world.submit("bank-a", row), holders.world.submit("bank-b", row)


def ask(holders: Holders, request: OpeningRequest) -> OpeningResponse:
    with holders.session("charity", 1) as session:
        return session.post("/v1/open", request, OpeningResponse)


def refusal(holders: Holders, request: OpeningRequest) -> RemoteProblem:
    with pytest.raises(RemoteProblem) as caught:
        ask(holders, request)
    return caught.value


def advance(holders: Holders, seconds: int) -> None:
    assert isinstance(holders.clock, MovableClock)
    holders.clock.advance(seconds=seconds)


def log_withdrawal(holders: Holders, institution_id: str, *handles: bytes, seq: int = 2) -> bytes:
    """Log a withdrawal; the holder is told of it by the log alone. Returns the statement."""
    statement = WithdrawalStatement(holders.trust.epoch_id, institution_id, seq, tuple(sorted(handles))).encode()
    signature = holders.world.parties[institution_id].signing_key.sign(statement)
    now = int(holders.clock.now().timestamp())
    holders.log.withdrawals[institution_id, seq] = LoggedWithdrawal(statement, signature, now)
    holders.world.kept_log.append(withdrawal_leaf(statement, now))
    return statement


def log_document(holders: Holders, signed: SignedDocument, leaf: bytes, *, shown: bool = True) -> None:
    holders.world.kept_log.append(leaf)
    if shown:
        holders.log.documents_shown = [*holders.log.documents(), signed]


def handle_of(submission: Submission) -> bytes:
    return Head.decode(submission.records[0].head).context.handle


def suspension(world: World, party_id: str, *signers: str) -> SignedDocument:
    document = Suspension(
        "example-agreement", 1, party_id, "members", 1, True, NOW, "asked for an explanation"
    ).to_document()
    return world.sign(document, *(signers or ("bank-a", "police-c")))


def departure(world: World, party_id: str) -> SignedDocument:
    return world.sign(Departure("example-agreement", 1, party_id, NOW).to_document(), party_id)


def reasons(response: OpeningResponse) -> list[str]:
    return [refused.reason for refused in response.refused]


class Away:
    """A broker that does not answer."""

    def __getattr__(self, name: str) -> Any:
        def asked(*arguments: object) -> Any:
            raise UserError("The broker's log cannot be read: no connection.", ExitCode.UNREACHABLE)

        return asked


# Withdrawals


def test_a_logged_withdrawal_shuts_a_record_though_nobody_brought_it_here(holders: Holders) -> None:
    a, b = pair(holders)
    request = holders.world.request([a, b])
    assert ask(holders, request).accepted == (0, 1)
    log_withdrawal(holders, "bank-a", handle_of(a))
    # Within five minutes of the last look the holder need not look again; then it does, by itself.
    advance(holders, 301)
    response = ask(holders, request)
    assert (response.accepted, reasons(response)) == ((), ["withdrawn", "not-supported"])


def test_a_newer_checkpoint_in_a_request_makes_the_holder_look_at_once(one: Holders) -> None:
    a, b = pair(one)
    assert ask(one, one.world.request([a, b])).accepted == (0, 1)
    log_withdrawal(one, "bank-a", handle_of(a))
    response = ask(one, one.world.request([a, b]))
    assert (response.accepted, reasons(response)) == ((), ["withdrawn", "not-supported"])


@pytest.mark.parametrize("damage", ["withheld", "another's", "signature", "stranger", "not a statement"])
def test_a_withdrawal_that_the_broker_withholds_or_changes_keeps_everything_shut(one: Holders, damage: str) -> None:
    a, b = pair(one)
    request = one.world.request([a, b])
    assert ask(one, request).accepted == (0, 1)
    log_withdrawal(one, "bank-a", handle_of(a))
    true = one.log.withdrawals["bank-a", 2]
    other = WithdrawalStatement(one.trust.epoch_id, "bank-a", 2, (bytes(16),)).encode()
    key, strange = one.world.parties["bank-a"].signing_key, one.world.parties["bank-b"].signing_key
    changed = {
        "withheld": None,
        "another's": LoggedWithdrawal(other, key.sign(other), NOW),
        "signature": replace(true, signature=bytes(64)),
        "stranger": replace(true, signature=strange.sign(true.statement)),
        "not a statement": replace(true, statement=b"x"),
    }[damage]
    if changed is None:
        del one.log.withdrawals["bank-a", 2]
    else:
        one.log.withdrawals["bank-a", 2] = changed
    with pytest.raises(LogRefused, match="withdrawal 2 of bank-a"):
        one.follower(1).follow()
    # For an hour it goes by what it knew, as the protocol allows; then it opens nothing at all.
    advance(one, HOUR + 1)
    assert refusal(one, request).type_suffix == "log-behind"
    one.log.withdrawals["bank-a", 2] = true
    response = ask(one, request)
    assert (response.accepted, reasons(response)) == ((), ["withdrawn", "not-supported"])


def test_withdrawals_are_applied_once_in_whatever_order_they_come(holders: Holders) -> None:
    first, second, third = (bytes([number]) * 16 for number in (1, 2, 3))
    log_withdrawal(holders, "bank-a", second, seq=5)
    log_withdrawal(holders, "bank-a", first, seq=4)
    log_withdrawal(holders, "bank-b", third, seq=1)
    follower = holders.follower(1)
    assert follower.follow().position == 3
    asked = len(holders.log.asked)
    advance(holders, 61)
    follower.follow()
    assert [line for line in holders.log.asked[asked:] if line.startswith("withdrawal")] == []
    with read_transaction(holders.engine(1)) as connection:
        names = [("bank-a", first), ("bank-a", second), ("bank-b", third)]
        assert withdrawals.withdrawn_among(connection, holders.trust.epoch_id, names) == frozenset(names)


def test_two_statements_under_one_number_both_shut(one: Holders) -> None:
    first, second = bytes([1]) * 16, bytes([2]) * 16
    log_withdrawal(one, "bank-a", first)
    one.follower(1).follow()
    log_withdrawal(one, "bank-a", second)
    one.follower(1).follow()
    names = [("bank-a", first), ("bank-a", second)]
    with read_transaction(one.engine(1)) as connection:
        assert withdrawals.withdrawn_among(connection, one.trust.epoch_id, names) == frozenset(names)


def test_withdrawals_of_an_epoch_that_is_not_accepted_yet_are_read_once_it_is(one: Holders) -> None:
    world, handle = one.world, bytes([9]) * 16
    epoch, roster = next_epoch(world)
    request = world.request(pair(one))
    statement = WithdrawalStatement(epoch.hash, "bank-a", 9, (handle,)).encode()
    world.kept_log.append(withdrawal_leaf(statement, NOW))
    assert ask(one, request).accepted == (0, 1)
    with read_transaction(one.engine(1)) as connection:
        assert log_views.passed_over_epochs(connection) == {epoch.hash: 2}
    for signed in (epoch, roster):
        one.holder(1).documents.accept(signed, NOW)
    follower = one.follower(1)
    # As long as it is withheld, nothing of that epoch would open, whatever was followed a moment ago.
    with pytest.raises(LogBehind, match="withdrawals"):
        follower.require(epoch.hash, request.checkpoint)
    signature = world.parties["bank-a"].signing_key.sign(statement)
    one.log.withdrawals["bank-a", 9] = LoggedWithdrawal(statement, signature, NOW)
    follower.require(epoch.hash, request.checkpoint)
    with read_transaction(one.engine(1)) as connection:
        assert log_views.passed_over_epochs(connection) == {}
        assert withdrawals.withdrawn_among(connection, epoch.hash, [("bank-a", handle)])


# Freshness


def test_a_holder_that_cannot_follow_opens_for_an_hour_and_then_no_more(one: Holders) -> None:
    request = one.world.request(pair(one))
    assert ask(one, request).accepted == (0, 1)
    one.links[1].inner = Away()  # type: ignore[assignment]
    advance(one, HOUR)
    assert ask(one, request).accepted == (0, 1)
    advance(one, 1)
    assert refusal(one, request).type_suffix == "log-behind"
    one.links[1].inner = one.log
    assert ask(one, request).accepted == (0, 1)


def test_a_holder_that_has_not_followed_to_the_checkpoint_shown_opens_nothing(one: Holders) -> None:
    assert ask(one, one.world.request(pair(one))).accepted == (0, 1)
    newer = one.world.request(pair(one))
    one.links[1].inner = Away()  # type: ignore[assignment]
    assert refusal(one, newer).type_suffix == "log-behind"


def test_a_log_that_is_shown_as_it_was_is_found_by_the_hour_that_is_missing(one: Holders) -> None:
    """The broker answers, but shows the same tree as hours before: so does one that hides what came since."""
    request = one.world.request(pair(one))
    assert ask(one, request).accepted == (0, 1)
    frozen = one.world.kept_log.checkpoint()
    one.log.checkpoint = lambda: frozen  # type: ignore[method-assign]
    advance(one, 2 * HOUR)
    assert ask(one, request).accepted == (0, 1)
    advance(one, 1)
    assert refusal(one, request).type_suffix == "log-behind"


def test_a_leaf_from_the_future_does_not_make_an_old_log_new(one: Holders) -> None:
    request = one.world.request(pair(one))
    one.world.kept_log.append(expiry_leaf("bank-a", 1, NOW + 100 * DAY))
    assert ask(one, request).accepted == (0, 1)
    frozen = one.world.kept_log.checkpoint()
    one.log.checkpoint = lambda: frozen  # type: ignore[method-assign]
    advance(one, 2 * HOUR + 1)
    assert refusal(one, request).type_suffix == "log-behind"


def test_the_age_is_that_of_the_last_contact_or_of_the_hour_after_the_newest_leaf() -> None:
    followed = log_views.Followed(reached_at=NOW, newest_at=NOW - 1800)
    assert followed_age(followed, NOW + 10) == 10
    assert followed_age(followed._replace(newest_at=NOW - 4000), NOW) == 400
    assert followed_age(followed, NOW - 5) == 0


def test_a_service_follows_once_a_minute_whichever_of_its_processes_does(one: Holders) -> None:
    holder, follower = one.holder(1), one.follower(1)
    assert follow_where_due(holder, follower)
    assert not follow_where_due(holder, follower)
    advance(one, 60)
    assert follow_where_due(holder, follower)


# One history


def test_another_history_than_was_followed_is_found_and_shown(one: Holders) -> None:
    request = one.world.request(pair(one))
    assert ask(one, request).accepted == (0, 1)
    log = one.world.kept_log
    log.leaves[0] = b'{"another":"leaf"}'
    advance(one, 301)
    assert refusal(one, request).type_suffix == "split-view"
    with pytest.raises(SplitViewFound):
        one.follower(1).follow()
    (path,) = one.homes[1].glob("split-view-*.json")
    found = SplitView.from_document(json.loads(path.read_text("utf-8")))
    assert "two histories" in found.check(LogKeys.of(one.trust).key)
    # Also where it is not looked at again: from now on nothing opens until the log continues what was kept.
    assert refusal(one, request).type_suffix == "split-view"


def test_a_log_that_was_cut_is_found(one: Holders) -> None:
    one.world.request(pair(one))
    one.follower(1).follow()
    del one.world.kept_log.leaves[1:]
    one.world.kept_log.shown = one.world.kept_log.note()
    with pytest.raises(SplitViewFound, match="cut"):
        one.follower(1).follow()


def test_a_recipient_shown_another_history_than_the_holder_gets_nothing_opened(one: Holders) -> None:
    """Attack 13: the broker shows the charity a log without the withdrawal, and the holder the true one."""
    a, b = pair(one)
    honest = one.world.request([a, b])
    fork = one.world.log([a, b])
    fork.append(b"x", b"y")
    forked = replace(
        honest,
        checkpoint=fork.note(),
        statements=tuple(
            replace(shown, log_index=place, log_path=b"".join(fork.path(place)))
            for place, shown in enumerate(honest.statements)
        ),
    )
    one.world.kept_log.append(expiry_leaf("bank-a", 1, NOW))
    log_withdrawal(one, "bank-a", handle_of(a))
    assert one.follower(1).follow().position >= 4
    assert refusal(one, forked).type_suffix == "split-view"
    assert list(one.homes[1].glob("split-view-*.json"))


def test_an_earlier_checkpoint_of_the_same_log_is_as_good(one: Holders) -> None:
    request = one.world.request(pair(one))
    for _ in range(3):
        log_withdrawal(one, "police-c", bytes([7]) * 16, seq=len(one.world.kept_log.leaves))
    one.follower(1).follow()
    assert ask(one, request).accepted == (0, 1)


def test_what_the_witness_was_shown_and_the_follower_is_not_is_found(one: Holders) -> None:
    log = one.world.log()
    log.append(*(expiry_leaf("bank-a", number, NOW) for number in range(1, 6)))
    assert add(one, log, 0, 5).status_code == 200
    one.world.request(pair(one))
    with pytest.raises(SplitViewFound):
        one.follower(1).follow()


# Evidence


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("none", "checkpoint"),
        ("unsigned", "checkpoint"),
        ("too few", "checkpoint"),
        ("too old", "checkpoint"),
        ("path", "not-logged"),
        ("other leaf", "not-logged"),
        ("time", "not-logged"),
    ],
)
def test_each_condition_on_the_evidence_alone_keeps_a_record_shut(
    witnessed: Holders, change: str, expected: str
) -> None:
    world = witnessed.world
    given = pair(witnessed)
    request = world.request(given, cosigned_at=NOW)
    assert ask(witnessed, request).accepted == (0, 1)
    text, signatures = request.checkpoint.split("\n\n")
    lines = signatures.splitlines(keepends=True)
    first, second = request.statements
    changed = {
        "none": replace(request, checkpoint="x"),
        "unsigned": replace(request, checkpoint=f"{text}\n\n{''.join(lines[1:])}"),
        "too few": replace(request, checkpoint=f"{text}\n\n{lines[0]}" + _line_of(lines, "holder2")),
        "too old": replace(request, checkpoint=world.kept_log.cosign(NOW - DAY - 1, size=2)),
        "path": replace(request, statements=(replace(first, log_path=bytes(32)), second)),
        "other leaf": replace(request, statements=(replace(first, log_index=1), second)),
        "time": replace(request, statements=(replace(first, logged_at=first.logged_at - 1), second)),
    }[change]
    if expected == "checkpoint":
        assert refusal(witnessed, changed).type_suffix == expected
    else:
        response = ask(witnessed, changed)
        assert (response.accepted, reasons(response)) == ((), [expected, "not-supported"])


def _line_of(lines: list[str], party_id: str) -> str:
    return next(line for line in lines if f"/{party_id} " in line)


# Suspension and departure


def test_a_logged_suspension_shuts_an_institutions_records_though_nobody_brought_it(holders: Holders) -> None:
    request = holders.world.request(pair(holders))
    assert ask(holders, request).accepted == (0, 1)
    signed = suspension(holders.world, "bank-b")
    log_document(holders, signed, suspension_leaf(signed.document, NOW))
    advance(holders, 301)
    response = ask(holders, request)
    assert (response.accepted, reasons(response)) == ((), ["not-supported", "suspended"])


def test_a_logged_departure_ends_an_institutions_records(one: Holders) -> None:
    request = one.world.request(pair(one))
    assert ask(one, request).accepted == (0, 1)
    signed = departure(one.world, "bank-b")
    log_document(one, signed, departure_leaf(signed.document, NOW, 1))
    advance(one, 301)
    response = ask(one, request)
    assert (response.accepted, reasons(response)) == ((), ["not-supported", "unknown-institution"])


@pytest.mark.parametrize("damage", ["withheld", "without signatures"])
def test_a_logged_suspension_that_the_broker_does_not_show_whole_stops_the_holder(one: Holders, damage: str) -> None:
    request = one.world.request(pair(one))
    assert ask(one, request).accepted == (0, 1)
    signed = suspension(one.world, "bank-b")
    bare = SignedDocument(signed.document, {})
    log_document(one, bare, suspension_leaf(signed.document, NOW), shown=damage != "withheld")
    with pytest.raises(LogRefused, match="names a document"):
        one.follower(1).follow()
    advance(one, HOUR + 1)
    assert refusal(one, request).type_suffix == "log-behind"


def test_a_suspended_recipient_has_nothing_opened_and_the_rule_is_named(one: Holders) -> None:
    request = one.world.request(pair(one))
    signed = suspension(one.world, "charity")
    log_document(one, signed, suspension_leaf(signed.document, NOW))
    one.follower(1).follow()
    found = refusal(one, request)
    assert (found.status, found.type_suffix, found.extra["rules"]) == (403, "not-allowed", ["party-suspended"])


def test_without_a_roster_there_is_nothing_to_follow(tmp_path: Path) -> None:
    holders = serve_in_process(make_world(), tmp_path, indexes=[1], clock=MovableClock(NOW), documents=[])
    with pytest.raises(LogBehind, match="no roster"):
        holders.follower(1).follow()
    assert not follow_where_due(holders.holder(1), holders.follower(1))
