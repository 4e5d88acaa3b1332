"""What every client does with the log at a contact: it cosigns what continues, and stops where the log lies."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from clients.log.source import HttpLog
from clients.log.store import CHECKPOINT_FILE, CheckpointStore
from clients.log.witness_duty import COMPARED_HOLDERS, LogView, SplitViewReported, WitnessDuty
from crypto.signatures import SigningKey
from policies.log.checkpoint import CosignedCheckpoint
from policies.log.errors import LogRefused
from policies.log.log_keys import LogKeys
from policies.log.signed_note import LONGEST_NOTE
from policies.log.split_view import SplitView
from policies.log.tiles import TilePlace
from runtime.exits import ExitCode, UserError
from tests.agreement_world import World, make_world
from tests.clocks import MovableClock
from tests.memory_log import Broker, MemoryLog, View

NOW = 1_800_000_000


@dataclass
class Bench:
    """A client of the charity's, the log that it reads, and the holders that it compares with."""

    world: World
    folder: Path
    log: MemoryLog
    clock: MovableClock = field(default_factory=lambda: MovableClock(NOW))
    holders: dict[int, View] = field(default_factory=dict)

    @property
    def store(self) -> CheckpointStore:
        """What it keeps."""
        return CheckpointStore(self.folder)

    def contact(self) -> LogView:
        """One contact."""
        duty = WitnessDuty("charity", self.world.parties["charity"].signing_key, self.store, self.clock)
        return duty.contact(self.world.trust, self.log, Broker(self.log), self.holders)

    def found(self, fault: str) -> SplitView:
        """The evidence that the next contact stops with, read from its file and checked as a third party does."""
        kept, brought = self.store.kept(), len(self.log.brought)
        with pytest.raises(SplitViewReported) as caught:
            self.contact()
        assert caught.value.exit_code == ExitCode.VERIFICATION_FAILED
        assert str(caught.value.path) in caught.value.message
        assert (self.store.kept(), len(self.log.brought)) == (kept, brought)
        split_view = SplitView.from_document(json.loads(caught.value.path.read_text("utf-8")))
        assert split_view.fault == fault
        keys = LogKeys.of(self.world.trust)
        assert split_view.check(keys.key, keys.witnesses)
        return split_view


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(witness_quorum=2)


@pytest.fixture
def bench(world: World, tmp_path: Path) -> Bench:
    log = world.log()
    log.append(*(b"leaf %d" % number for number in range(300)))
    log.cosign(NOW - 60)
    return Bench(world, tmp_path, log)


# What continues


def test_a_contact_keeps_and_cosigns_the_newest_checkpoint(bench: Bench) -> None:
    view = bench.contact()
    assert view.newest.text == bench.store.kept()
    assert LogKeys.of(bench.world.trust).policy.cosigned_at(view.newest) == {"charity": NOW}
    assert [size for size, _ in bench.log.brought] == [300]
    assert view.require_accepted().text == bench.log.cosigned_note
    bench.log.append(b"more")
    bench.clock.advance(seconds=60)
    assert bench.contact().newest.checkpoint.size == 301


def test_an_empty_log_is_a_log(bench: Bench) -> None:
    bench.log = bench.log.fork(0)
    assert bench.contact().newest.checkpoint.size == 0
    bench.log.append(b"first")
    assert bench.contact().newest.checkpoint.size == 1


def test_two_holders_are_compared_with_and_those_that_are_away_are_passed_over(bench: Bench) -> None:
    bench.holders = {index: View(bench.log.note(index)) for index in (1, 2, 3)}
    assert len(bench.contact().compared) == COMPARED_HOLDERS
    bench.holders = {1: Away(), 2: View(bench.log.note()), 3: View(None)}
    assert bench.contact().compared == (2,)


def test_in_time_every_holder_is_compared_with(bench: Bench) -> None:
    bench.holders = {index: View(bench.log.note()) for index in (1, 2, 3)}
    assert {index for _ in range(20) for index in bench.contact().compared} == {1, 2, 3}


def test_a_holder_cannot_stop_a_client_with_what_the_log_did_not_sign(bench: Bench, world: World) -> None:
    stranger = MemoryLog(bench.log.origin, world.parties["holder1"].signing_key, {}, [b"made up"] * 400)
    bench.holders = {1: View(stranger.note()), 2: View("no note at all")}
    assert bench.contact().compared == ()


def test_a_log_that_grew_between_two_questions_is_asked_again(bench: Bench) -> None:
    before = bench.log.note()
    bench.log.append(b"just now")
    answers = iter([before, bench.log.note()])
    bench.log.checkpoint = lambda: next(answers)  # type: ignore[method-assign]
    bench.holders = {1: View(bench.log.note())}
    assert bench.contact().newest.checkpoint.size == 301


# What does not


def test_a_fork_is_found_whether_it_is_as_long_or_longer(bench: Bench) -> None:
    bench.contact()
    bench.log = bench.log.fork(299, b"another last leaf")
    bench.found("forked")
    bench.log.append(*(b"grown %d" % number for number in range(500)))
    assert "two histories" in bench.found("forked").sentence


def test_a_log_that_was_cut_is_found(bench: Bench) -> None:
    bench.contact()
    bench.log = bench.log.fork(250)
    assert "was cut" in bench.found("truncated").sentence


def test_cosignatures_that_were_set_back_are_found(bench: Bench) -> None:
    bench.log.shown = bench.log.cosign(NOW - 60)
    bench.contact()
    bench.log.append(b"more")
    bench.log.shown = bench.log.cosign(NOW - 90_000, "holder1")
    (key,) = bench.found("back-dated").witnesses
    assert key.name == f"{bench.log.origin}/holder1"


def test_another_history_at_a_holder_is_found_by_whoever_compares(bench: Bench) -> None:
    bench.holders = {3: View(bench.log.fork(10, b"for the holder alone").note())}
    bench.found("forked")


def test_what_a_holder_was_shown_and_the_client_is_not_is_found(bench: Bench) -> None:
    bench.holders = {1: View(bench.log.fork(300, b"hidden from the client").note())}
    bench.found("truncated")


def test_a_cosigned_checkpoint_of_another_history_is_found(bench: Bench) -> None:
    other = bench.log.fork(100, b"another")
    bench.log.cosigned_note = other.cosign(NOW - 60)
    bench.found("forked")


def refused(bench: Bench, words: str) -> None:
    """The contact ends with a sentence and no evidence, since nothing is proved; nothing is kept or cosigned."""
    kept = bench.store.kept()
    with pytest.raises(LogRefused, match=words) as caught:
        bench.contact()
    assert not isinstance(caught.value, SplitViewReported)
    assert caught.value.exit_code == ExitCode.VERIFICATION_FAILED
    assert bench.store.kept() == kept
    assert bench.log.brought == []
    assert list(bench.folder.glob("split-view-*")) == []


def test_another_logs_checkpoint_is_refused(bench: Bench) -> None:
    bench.log = MemoryLog("elsewhere.example/log", bench.log.signing_key, {}, bench.log.leaves)
    refused(bench, ".")


def test_a_checkpoint_under_another_key_is_refused(bench: Bench) -> None:
    bench.log = MemoryLog(bench.log.origin, SigningKey(bytes(32)), {}, bench.log.leaves)
    refused(bench, ".")


def test_tiles_of_another_tree_are_refused(bench: Bench) -> None:
    honest = bench.log.note()
    bench.log = bench.log.fork(0, *(b"other %d" % number for number in range(300)))
    bench.log.shown = honest
    refused(bench, "tiles are not those")


def test_withheld_tiles_are_refused(bench: Bench) -> None:
    def withhold(level: int, place: TilePlace) -> bytes:
        raise LogRefused("The broker does not show the log's tile.")

    bench.log.tile = withhold  # type: ignore[method-assign]
    refused(bench, "does not show")


def test_no_note_at_all_is_refused(bench: Bench) -> None:
    bench.log.shown = "hello"
    refused(bench, ".")


# What may be relied on


@pytest.mark.parametrize("witnesses", [("holder1",), ("bank-a", "bank-b", "charity")])
def test_too_few_of_the_required_witnesses_make_nothing_to_rely_on(bench: Bench, witnesses: tuple[str, ...]) -> None:
    bench.log.cosign(NOW - 60, *witnesses)
    view = bench.contact()
    assert view.accepted is None
    with pytest.raises(UserError, match="enough witnesses") as caught:
        view.require_accepted()
    assert caught.value.exit_code == ExitCode.UNREACHABLE


@pytest.mark.parametrize("at", [NOW - 86_401, NOW + 3600])
def test_cosignatures_of_yesterday_or_tomorrow_make_nothing_to_rely_on(bench: Bench, at: int) -> None:
    bench.log.cosign(at)
    assert bench.contact().accepted is None


def test_a_smaller_checkpoint_may_be_relied_on_while_the_log_grows(bench: Bench) -> None:
    bench.log.append(b"not cosigned yet")
    view = bench.contact()
    assert view.newest.checkpoint.size == 301
    assert view.require_accepted().checkpoint.size == 300


# What is kept


def test_what_was_kept_and_cannot_be_read_stops_rather_than_starting_anew(bench: Bench) -> None:
    bench.contact()
    (bench.folder / CHECKPOINT_FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="put the newest copy back"):
        bench.contact()


def test_what_was_kept_and_is_no_checkpoint_stops_too(bench: Bench) -> None:
    (bench.folder / CHECKPOINT_FILE).write_text("", "utf-8")
    with pytest.raises(LogRefused):
        bench.contact()


def test_the_same_evidence_is_written_once(bench: Bench) -> None:
    bench.contact()
    bench.log = bench.log.fork(250)
    bench.found("truncated")
    bench.found("truncated")
    assert len(list(bench.folder.glob("split-view-*"))) == 1


class Away(View):
    """A holder that cannot be reached."""

    def __init__(self) -> None:
        super().__init__(None)

    def checkpoint(self) -> str | None:
        """No answer."""
        raise UserError("holder1 cannot be reached: no connection.", ExitCode.UNREACHABLE)


# The log over HTTP


def over_http(answer: Callable[[httpx.Request], httpx.Response], attempts: int = 2) -> HttpLog:
    return HttpLog("https://broker.example", attempts=attempts, transport=httpx.MockTransport(answer))


def test_the_log_is_read_by_plain_get_without_anything_signed(bench: Bench) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=bench.log.note().encode())

    with over_http(answer) as log:
        assert CosignedCheckpoint(log.checkpoint()).checkpoint.size == 300
        log.tile(0, TilePlace(1, 44))
        log.entries(TilePlace(0, 256))
    assert [(one.method, one.url.path) for one in asked] == [
        ("GET", "/log/checkpoint"),
        ("GET", "/log/tile/0/001.p/44"),
        ("GET", "/log/tile/entries/000"),
    ]
    assert not any(name.startswith(("signature", "authorization")) for one in asked for name in one.headers)


def test_no_cosigned_checkpoint_yet_is_no_error_and_a_missing_tile_is(bench: Bench) -> None:
    with over_http(lambda request: httpx.Response(404)) as log:
        assert log.cosigned() is None
        with pytest.raises(LogRefused, match="does not show the log's tile/0/000"):
            log.tile(0, TilePlace(0, 256))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(200, content=b"x" * (LONGEST_NOTE + 1)), "is longer than"),
        (httpx.Response(200, content=b"\xff"), "is not text"),
        (httpx.Response(302, headers={"Location": "https://elsewhere.example/"}), "answers 302"),
        (httpx.Response(500), "answers 500"),
    ],
)
def test_what_can_be_no_checkpoint_is_refused(answer: httpx.Response, words: str) -> None:
    with over_http(lambda request: answer) as log, pytest.raises(LogRefused, match=words):
        log.checkpoint()


def test_nothing_is_unpacked(bench: Bench) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["accept-encoding"] == "identity"
        return httpx.Response(200, content=gzip.compress(b"x"), headers={"Content-Encoding": "gzip"})

    with over_http(answer) as log, pytest.raises(LogRefused, match="packed"):
        log.checkpoint()


@pytest.mark.parametrize("failure", [503, httpx.ConnectError("no"), httpx.ReadTimeout("slow")])
def test_a_broker_that_is_away_is_asked_again_and_then_said_to_be_away(failure: int | Exception) -> None:
    asked = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        if isinstance(failure, Exception):
            raise failure
        return httpx.Response(failure)

    with over_http(answer) as log, pytest.raises(UserError, match="cannot be read") as caught:
        log.checkpoint()
    assert (asked, caught.value.exit_code) == (2, ExitCode.UNREACHABLE)
