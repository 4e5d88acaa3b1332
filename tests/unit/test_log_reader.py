"""Reading a log through its tiles: every leaf is verified before it is given, whatever the log serves."""

import random

import pytest

from policies.log.checkpoint import Checkpoint
from policies.log.errors import LogRefused
from policies.log.log_reader import LogReader
from policies.log.tree import leaf_hash, verify_inclusion
from tests.log_tree import MemoryLog

SIZES = [0, 1, 2, 3, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 66_000]


def log_of(size: int) -> MemoryLog:
    return MemoryLog([b"leaf %d" % number for number in range(size)])


@pytest.fixture(scope="module")
def largest() -> MemoryLog:
    return log_of(SIZES[-1])


@pytest.mark.parametrize("size", SIZES)
def test_every_leaf_is_read_in_order_and_proved(size: int) -> None:
    log = log_of(size)
    reader = LogReader(log.fetch, log.checkpoint())
    assert list(reader.leaves()) == log.leaves
    for index in {0, 1, size // 2, size - 1} & set(range(size)):
        path = reader.inclusion_path(index)
        verify_inclusion(leaf_hash(log.leaves[index]), index, size, path, log.checkpoint().root)
        assert reader.leaf(index) == log.leaves[index]


def test_a_part_is_read_without_the_rest(largest: MemoryLog) -> None:
    reader = LogReader(largest.fetch, largest.checkpoint())
    largest.fetched.clear()
    assert list(reader.leaves(300, 600)) == largest.leaves[300:600]
    assert sum(path.startswith("tile/entries/") for path in largest.fetched) == 2
    assert list(reader.leaves(5, 5)) == []
    for start, end in ((-1, 3), (4, 3), (0, 66_001)):
        with pytest.raises(LogRefused, match="66000 leaves"):
            list(reader.leaves(start, end))


@pytest.mark.parametrize("size", SIZES[1:])
def test_the_log_continues_each_of_its_own_past(size: int) -> None:
    log = log_of(size)
    reader = LogReader(log.fetch, log.checkpoint())
    for old in {0, 1, size // 3, size // 2, size - 1, size}:
        reader.check_continues(log.checkpoint(old))
    if size > 1:
        other = MemoryLog([b"other", *log.leaves[1:]])
        with pytest.raises(LogRefused):
            reader.check_continues(other.checkpoint(size - 1))
    with pytest.raises(LogRefused, match="had"):
        reader.check_continues(Checkpoint(log.origin, size + 1, bytes(32)))


def test_a_past_that_was_cut_off_or_rewritten_is_noticed(largest: MemoryLog) -> None:
    longer = log_of(SIZES[-1] + 5)
    with pytest.raises(LogRefused, match="had 66005 before"):
        LogReader(largest.fetch, largest.checkpoint()).check_continues(longer.checkpoint())


@pytest.mark.parametrize("seed", range(12))
def test_any_changed_byte_that_is_served_is_noticed(seed: int) -> None:
    choose = random.Random(seed)
    log = log_of(choose.choice([1, 2, 300, 512, 66_000]))
    clean = LogReader(log.fetch, log.checkpoint())
    # Everything that a full reading asks for.
    log.fetched.clear()
    clean_again = LogReader(log.fetch, log.checkpoint())
    list(clean_again.leaves())
    path = choose.choice(log.fetched)
    served = log.fetch(path)
    place = choose.randrange(len(served))
    log.changed[path] = served[:place] + bytes([served[place] ^ 1]) + served[place + 1 :]
    with pytest.raises(LogRefused):
        list(LogReader(log.fetch, log.checkpoint()).leaves())
    assert list(clean.leaves(0, 0)) == []


def test_a_changed_leaf_is_named() -> None:
    log = log_of(600)
    path = "tile/entries/001"
    log.changed[path] = log.fetch(path).replace(b"leaf 300", b"leaf 3OO")
    reader = LogReader(log.fetch, log.checkpoint())
    assert list(reader.leaves(0, 256)) == log.leaves[:256]
    with pytest.raises(LogRefused, match="Leaf 300 is not the one that the checkpoint covers"):
        list(reader.leaves())


@pytest.mark.parametrize(
    "path", ["tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/001", "tile/entries/002.p/88", "tile/entries/000"]
)
@pytest.mark.parametrize("content", [b"", b"\x00", b"\xff" * 7, None])
def test_short_long_and_missing_tiles_are_refused(path: str, content: bytes | None) -> None:
    log = log_of(600)
    if content is None:
        log.missing.add(path)
    else:
        log.changed[path] = content
    with pytest.raises(LogRefused):
        list(LogReader(log.fetch, log.checkpoint()).leaves())


def test_where_a_partial_tile_is_gone_the_full_one_serves() -> None:
    log = log_of(1024)
    reader_log = log_of(1024)
    reader_log.missing |= {"tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/002.p/88"}
    # The log's level 1 is partial still; its full form serves too, where a log has one.
    reader_log.changed["tile/1/000"] = reader_log.fetch("tile/1/000.p/4") + bytes(32 * 252)
    reader = LogReader(reader_log.fetch, log.checkpoint(600))
    assert list(reader.leaves()) == log.leaves[:600]


def test_memory_stays_flat_however_much_is_read(largest: MemoryLog) -> None:
    reader = LogReader(largest.fetch, largest.checkpoint())
    for _ in reader.leaves():
        pass
    assert len(reader._full) <= 64
