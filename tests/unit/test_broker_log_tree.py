"""The log's tree over its rows is RFC 6962's, in whatever steps it grew, and its tiles are C2SP tlog-tiles'."""

import hashlib
import random
from collections.abc import Sequence

import pytest
from sqlalchemy import Engine

from broker.app import MIGRATIONS
from broker.log import tree
from broker.store import log
from broker.store.log import LeafRow
from crypto import merkle
from runtime.database import open_engine, read_transaction, write_transaction
from runtime.migrations import migrate


@pytest.fixture
def engine(database_url: str) -> Engine:
    engine = open_engine(database_url)
    migrate(engine, MIGRATIONS)
    return engine


def leaf_of(number: int) -> bytes:
    return b"leaf %d" % number


def hashes_of(first: int, end: int) -> list[bytes]:
    return [hashlib.sha256(b"\x00" + leaf_of(number)).digest() for number in range(first, end)]


def grow_to(engine: Engine, end: int) -> bytes:
    with write_transaction(engine) as connection:
        size = log.lock_log(connection)
        added = hashes_of(size, end)
        log.add_leaves(
            connection, [LeafRow(size + place, added[place], leaf_of(size + place)) for place in range(len(added))]
        )
        root = tree.grow(connection, size, added)
        log.set_log_size(connection, end)
    return root


def steps(seed: int, end: int) -> Sequence[int]:
    choose = random.Random(seed)
    sizes = [0]
    while sizes[-1] < end:
        sizes.append(min(end, sizes[-1] + choose.choice([1, 2, 7, 100, 255, 256, 257, 1000])))
    return sizes[1:]


@pytest.mark.parametrize("seed", range(3))
def test_the_root_is_that_of_all_leaves_at_every_size(engine: Engine, seed: int) -> None:
    assert grow_to(engine, 0) == hashlib.sha256(b"").digest()
    for size in steps(seed, 3000):
        assert grow_to(engine, size) == merkle.root(hashes_of(0, size)), size


def test_a_tree_with_three_levels_of_tiles_has_the_right_root_and_tiles(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    migrate(engine, MIGRATIONS)
    size = 256 * 256 + 300
    assert grow_to(engine, 200) == merkle.root(hashes_of(0, 200))
    assert grow_to(engine, size) == merkle.root(hashes_of(0, size))
    with read_transaction(engine) as connection:
        first = tree.hash_tile(connection, 0, 0, 256)
        assert first == b"".join(hashes_of(0, 256))
        above = tree.hash_tile(connection, 1, 0, 256)
        assert above is not None and above[:32] == merkle.root(hashes_of(0, 256))
        assert tree.hash_tile(connection, 1, 1, 1) == merkle.root(hashes_of(65536, 65792))
        assert tree.hash_tile(connection, 2, 0, 1) == merkle.root(hashes_of(0, 65536))
        assert tree.hash_tile(connection, 0, 257, 44) == b"".join(hashes_of(65792, 65836))


def test_what_the_tree_does_not_have_yet_is_no_tile(engine: Engine) -> None:
    grow_to(engine, 600)
    with read_transaction(engine) as connection:
        assert tree.hash_tile(connection, 0, 2, 88) == b"".join(hashes_of(512, 600))
        assert tree.hash_tile(connection, 0, 1, 3) == b"".join(hashes_of(256, 259))
        for level, tile, width in ((0, 2, 89), (0, 2, 256), (0, 3, 1), (1, 0, 3), (1, 0, 256), (2, 0, 1), (5, 0, 1)):
            assert tree.hash_tile(connection, level, tile, width) is None
        assert tree.entry_bundle(connection, 2, 89) is None
        assert tree.entry_bundle(connection, 9, 256) is None
        bundle = tree.entry_bundle(connection, 2, 2)
        assert bundle == b"\x00\x08leaf 512\x00\x08leaf 513"
