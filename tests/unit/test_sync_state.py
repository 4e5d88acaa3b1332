"""The local state: no identifier in it, readable by its owner alone, one program at a time, migrated step by step."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from clients.institution.journal import Chunk, Journal
from clients.institution.state import State, disk_errors, state_path
from clients.institution.state_migrations import STEPS
from crypto.errors import InvalidSealed
from runtime.exits import ExitCode, UserError
from tests.agreement_world import World, make_world
from tests.sync_parts import INSTITUTION, Bank, Killed, people, table

EPOCH = bytes(range(32))


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_no_identifier_row_id_or_note_is_in_the_state_at_any_time(world: World, tmp_path: Path) -> None:
    bank = Bank.new(world, tmp_path)
    rows = people(50)
    needles = [value.encode() for row_id, raw in rows.items() for value in (row_id, *raw.values())]
    needles += [b"canary", b"+4479000", world.parties[INSTITUTION].secrets["signing"]]
    seen: list[bytes] = []

    def look(_: str) -> None:
        seen.append(everything_in(tmp_path))

    bank.broker.crash = look
    bank.sync(table(rows), record_limit=20)
    rows["customer-3"]["phone"] = "+447900077777"
    bank.holders[1].before_answer = lambda: look("")
    bank.sync(table(rows))
    look("")
    assert len(seen) > 10
    assert max(map(len, seen)) > 50_000
    for content in seen:
        assert not any(needle in content for needle in needles)


def test_every_file_of_the_state_is_its_owners_alone(world: World, tmp_path: Path) -> None:
    bank = Bank.new(world, tmp_path)
    modes: set[int] = set()

    def look(_: str) -> None:
        modes.update(stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir())

    bank.broker.crash = look
    bank.sync(table(people(3)))
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_a_second_program_is_told_to_wait(tmp_path: Path) -> None:
    with State.open(tmp_path, EPOCH, "bank-a"), pytest.raises(UserError, match="at work"):
        State.open(tmp_path, EPOCH, "bank-a")
    State.open(tmp_path, EPOCH, "bank-a").close()


def test_one_may_look_at_the_state_while_another_program_is_at_work(tmp_path: Path) -> None:
    with State.open(tmp_path, EPOCH, "bank-a"), State.open(tmp_path, EPOCH, "bank-a", to_look_only=True) as state:
        assert state.fact("epoch_id") == EPOCH


def test_the_state_of_another_institution_is_refused(tmp_path: Path) -> None:
    State.open(tmp_path, EPOCH, "bank-a").close()
    with pytest.raises(UserError, match="another institution"):
        State.open(tmp_path, EPOCH, "bank-b")


def test_each_epoch_has_a_state_of_its_own(tmp_path: Path) -> None:
    State.open(tmp_path, EPOCH, "bank-a").close()
    State.open(tmp_path, EPOCH[::-1], "bank-a").close()
    assert state_path(tmp_path, EPOCH).exists()
    assert state_path(tmp_path, EPOCH[::-1]).exists()


def test_the_state_of_a_later_release_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    State.open(tmp_path, EPOCH, "bank-a").close()
    connection = sqlite3.connect(state_path(tmp_path, EPOCH))
    connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    connection.close()
    with pytest.raises(UserError, match="later release"):
        State.open(tmp_path, EPOCH, "bank-a")


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with State.open(tmp_path, EPOCH, "bank-a") as state:
        with pytest.raises(Killed), state.transaction() as connection:
            connection.execute("INSERT INTO facts VALUES ('x', x'00')")
            raise Killed
        assert state.fact("x") is None


def test_a_full_disk_is_one_sentence_and_loses_nothing(tmp_path: Path) -> None:
    with State.open(tmp_path, EPOCH, "bank-a") as state:
        pages = state.connection.execute("PRAGMA page_count").fetchone()[0]
        state.connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(UserError, match="disk is full") as refused, state.transaction() as connection:
            connection.execute("INSERT INTO facts VALUES ('x', zeroblob(100000))")
        assert refused.value.exit_code == ExitCode.PARTLY_DONE
        assert state.fact("epoch_id") == EPOCH
        with state.transaction() as connection:
            connection.execute("INSERT INTO facts VALUES ('y', x'01')")
    with pytest.raises(UserError, match="disk is full"), disk_errors():
        raise OSError(28, "No space left on device")


def test_the_journal_opens_under_its_key_alone_and_forgets(tmp_path: Path) -> None:
    chunk = Chunk("phone", (bytes(16), bytes(range(16))), bytes(range(64)), bytes(range(64, 128)))
    with State.open(tmp_path, EPOCH, "bank-a") as state:
        journal = Journal(state, b"k" * 32)
        numbers = journal.keep([chunk])
        assert Journal(state, b"k" * 32).kept() == dict.fromkeys(numbers, chunk)
        with pytest.raises(InvalidSealed):
            Journal(state, b"l" * 32)
        assert chunk.blinds not in everything_in(tmp_path)
        journal.forget(numbers)
        assert Journal(state, b"k" * 32).kept() == {}
