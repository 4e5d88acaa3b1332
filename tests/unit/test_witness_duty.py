"""A client's duty as a witness: one contact at a time in a home, and cosignatures whose times never go back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.log.store import CheckpointStore
from clients.log.witness_duty import SplitViewReported, WitnessDuty
from policies.log.checkpoint import CosignedCheckpoint, witness_key
from policies.log.tiles import TilePlace
from tests.agreement_world import World, make_world
from tests.clocks import MovableClock
from tests.memory_log import Broker, MemoryLog

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@dataclass
class SlowSource:
    """A log that was asked when it had `size` leaves, and whose answer arrives when `arrives` is set."""

    log: MemoryLog
    size: int
    asked: threading.Event = field(default_factory=threading.Event)
    arrives: threading.Event = field(default_factory=threading.Event)

    def checkpoint(self) -> str:
        note = self.log.note(self.size)
        self.asked.set()
        assert self.arrives.wait(10)
        return note

    def cosigned(self) -> str | None:
        return self.log.cosigned()

    def tile(self, level: int, place: TilePlace) -> bytes:
        return self.log.tile(level, place)

    def entries(self, place: TilePlace) -> bytes:
        return self.log.entries(place)


def duty_of(world: World, folder: Path, clock: MovableClock) -> WitnessDuty:
    return WitnessDuty("charity", world.parties["charity"].signing_key, CheckpointStore(folder), clock)


def times(world: World, log: MemoryLog) -> list[int | None]:
    """The times that were brought to the broker, in order."""
    key = witness_key(log.origin, "charity", world.parties["charity"].signing_key.public_key)
    return [CosignedCheckpoint(log.note(size)).with_lines(line).cosigned_at(key) for size, line in log.brought]


def test_an_answer_that_comes_late_to_one_process_is_not_called_a_cut_log_by_another(
    world: World, tmp_path: Path
) -> None:
    log = world.log()
    log.append(*(b"leaf %d" % number for number in range(12)))
    duty = duty_of(world, tmp_path, MovableClock(NOW))
    slow = SlowSource(log, 10)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(duty.contact, world.trust, slow, Broker(log), {})
        assert slow.asked.wait(10)
        second = pool.submit(duty.contact, world.trust, log, Broker(log), {})
        wait([second], timeout=0.3)
        slow.arrives.set()
        assert first.result(10).newest.checkpoint.size == 10
        assert second.result(10).newest.checkpoint.size == 12
    assert [size for size, _ in log.brought] == [10, 12]
    kept = duty.store.kept()
    assert kept is not None
    assert CosignedCheckpoint(kept).checkpoint.size == 12


def test_a_clock_that_is_corrected_a_little_sets_no_cosignature_back(world: World, tmp_path: Path) -> None:
    log, clock = world.log(), MovableClock(NOW)
    duty = duty_of(world, tmp_path, clock)
    now = int(NOW.timestamp())
    for seconds, expected in ((0, now), (-30, now), (10, now), (40, now + 20)):
        log.append(b"leaf")
        clock.advance(seconds=seconds)
        duty.contact(world.trust, log, Broker(log), {})
        assert times(world, log)[-1] == expected


def test_a_clock_that_was_a_year_ahead_does_not_silence_the_witness_for_a_year(world: World, tmp_path: Path) -> None:
    log, clock = world.log(), MovableClock(NOW)
    duty = duty_of(world, tmp_path, clock)
    log.append(b"leaf")
    clock.advance(days=365)
    duty.contact(world.trust, log, Broker(log), {})
    clock.advance(days=-365)
    log.append(b"leaf")
    duty.contact(world.trust, log, Broker(log), {})
    assert times(world, log)[-1] == int(NOW.timestamp())


def test_what_was_kept_stays_after_a_cut_log(world: World, tmp_path: Path) -> None:
    log = world.log()
    log.append(*(b"leaf %d" % number for number in range(5)))
    duty = duty_of(world, tmp_path, MovableClock(NOW))
    duty.contact(world.trust, log, Broker(log), {})
    kept = duty.store.kept()
    log.shown = log.note(3)
    with pytest.raises(SplitViewReported, match="was cut"):
        duty.contact(world.trust, log, Broker(log), {})
    assert duty.store.kept() == kept
    log.shown = None
    duty.contact(world.trust, log, Broker(log), {})
