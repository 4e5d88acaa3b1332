"""Leaves come with their transactions and get one place each: under many threads, several sequencers, and kill -9."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from broker.app import MIGRATIONS
from broker.log import tree
from broker.log.append import append
from broker.log.sequencer import Sequencer
from broker.store import log
from crypto import merkle
from policies.log.tree import leaf_hash
from runtime.clock import SystemClock
from runtime.database import open_engine, read_transaction, run_in_transaction
from runtime.migrations import migrate
from tests.log_appender import commit_one, leaf_of, unsigned_note

APPENDERS = 6
TRANSACTIONS = 60


@pytest.fixture
def engine(database_url: str) -> Engine:
    engine = open_engine(database_url)
    migrate(engine, MIGRATIONS)
    return engine


def sequencer_of(engine: Engine) -> Sequencer:
    return Sequencer(engine, SystemClock(), unsigned_note)


def logged(engine: Engine) -> list[bytes]:
    with read_transaction(engine) as connection:
        return log.leaves(connection, 0, log.log_size(connection))


def committed(engine: Engine) -> set[bytes]:
    with read_transaction(engine) as connection:
        rows = connection.execute(text("SELECT party_id, day FROM login")).all()
    return {leaf_of(name, int(number)) for name, number in rows}


def check_one_tree(engine: Engine) -> None:
    """Every committed transaction's leaf stands once; places, tiles and the newest checkpoint agree."""
    found = logged(engine)
    assert Counter(found) == Counter(committed(engine))
    hashes = [leaf_hash(leaf) for leaf in found]
    with read_transaction(engine) as connection:
        assert log.leaf_hashes(connection, 0, len(found)) == hashes
        assert not log.has_pending(connection)
        newest = log.newest_checkpoint(connection)
        assert newest == (len(found), unsigned_note(len(found), merkle.root(hashes)))
        for number in range(len(found) // tree.TILE):
            tile = tree.hash_tile(connection, 0, number, tree.TILE)
            assert tile == b"".join(hashes[number * tree.TILE : (number + 1) * tree.TILE])


def test_concurrent_appenders_and_two_sequencers_give_one_tree(engine: Engine) -> None:
    done = threading.Event()

    def append_many(name: str) -> None:
        for number in range(TRANSACTIONS):
            if number % 7 == 3:
                with pytest.raises(LookupError):
                    commit_one(engine, name, number, fail=True)
            else:
                commit_one(engine, name, number)

    def sequence() -> None:
        sequencer = sequencer_of(engine)
        while not done.is_set():
            sequencer.step()

    with ThreadPoolExecutor(APPENDERS + 2) as pool:
        sequencing = [pool.submit(sequence) for _ in range(2)]
        appending = [pool.submit(append_many, f"appender{number}") for number in range(APPENDERS)]
        try:
            for appended in appending:
                appended.result()
        finally:
            done.set()
        for sequenced in sequencing:
            sequenced.result()
    sequencer_of(engine).finish()
    check_one_tree(engine)
    lost = TRANSACTIONS // 7 + (1 if TRANSACTIONS % 7 > 3 else 0)
    assert len(logged(engine)) == APPENDERS * (TRANSACTIONS - lost)


def test_one_appenders_leaves_stand_in_the_order_of_its_transactions(engine: Engine) -> None:
    for number in range(20):
        commit_one(engine, "one", number)
        if number % 3 == 0:
            sequencer_of(engine).finish()
    sequencer_of(engine).finish()
    assert logged(engine) == [leaf_of("one", number) for number in range(20)]


@pytest.mark.parametrize("seed", range(2))
def test_appenders_and_sequencers_killed_at_random_moments_lose_and_repeat_nothing(
    database_url: str, seed: int
) -> None:
    engine = open_engine(database_url)
    migrate(engine, MIGRATIONS)
    choose = random.Random(seed)
    base = [sys.executable, "-m", "tests.log_appender"]
    for turn in range(2):
        programs = [
            [*base, "append", database_url, f"turn{turn}-a"],
            [*base, "append", database_url, f"turn{turn}-b"],
            [*base, "sequence", database_url],
            [*base, "sequence", database_url],
        ]
        processes = [subprocess.Popen(program, stderr=subprocess.DEVNULL) for program in programs]
        before = len(committed(engine))
        while len(committed(engine)) < before + 20:
            time.sleep(0.1)
        for process in choose.sample(processes, len(processes)):
            time.sleep(choose.uniform(0.0, 0.4))
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    sequencer_of(engine).finish()
    check_one_tree(engine)
    assert len(logged(engine)) >= 40


def test_a_leaf_is_neither_empty_nor_longer_than_a_bundle_can_say(engine: Engine) -> None:
    for leaf in (b"", bytes(65536)):
        with pytest.raises(ValueError, match="a leaf has"):
            run_in_transaction(engine, lambda connection, leaf=leaf: append(connection, leaf))
    run_in_transaction(engine, lambda connection: append(connection, bytes(65535)))
    sequencer_of(engine).finish()
    assert logged(engine) == [bytes(65535)]
