"""A log that shows two histories: found by a witness, shown to third parties, and nothing honest called a fork."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.signatures import SigningKey
from policies.log.checkpoint import log_key, witness_key
from policies.log.errors import LogRefused
from policies.log.split_view import SplitView
from policies.log.tiles import TileHashes
from policies.log.witness import SplitViewFound, check_continues
from tests.memory_log import MemoryLog

ORIGIN = "broker.example/agreement"
KEY = SigningKey(bytes([1]) * 32)
WITNESS = SigningKey(bytes([2]) * 32)
NOW = 1_767_225_600
LOG_KEY = log_key(ORIGIN, KEY.public_key)
WITNESS_KEY = witness_key(ORIGIN, "bank-a", WITNESS.public_key)


def log_of(count: int) -> MemoryLog:
    return MemoryLog(ORIGIN, KEY, {"bank-a": WITNESS}, [b"leaf %d" % number for number in range(count)])


def check(kept: str | None, shown: str, log: MemoryLog, size: int) -> int:
    return check_continues(kept, shown, TileHashes(log.tile, size), LOG_KEY, [WITNESS_KEY], NOW).size


def split(kept: str, shown: str, log: MemoryLog, size: int) -> SplitView:
    with pytest.raises(SplitViewFound) as caught:
        check(kept, shown, log, size)
    return SplitView.from_document(caught.value.split_view.to_document())


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 600), st.integers(0, 600))
def test_a_log_that_only_grows_is_never_called_forked(old: int, more: int) -> None:
    log = log_of(old + more)
    assert check(log.note(old), log.note(), log, old + more) == old + more
    assert check(None, log.note(), log, old + more) == old + more


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 600), st.integers(0, 300), st.data())
def test_another_history_is_found_and_a_third_party_can_check_it(old: int, more: int, data: st.DataObject) -> None:
    log = log_of(old)
    changed = data.draw(st.integers(0, old - 1))
    other = log.fork(changed, *(b"other %d" % number for number in range(old - changed + more)))
    found = split(log.note(), other.note(), other, old + more)
    assert found.fault == "forked"
    assert "two histories" in found.check(LOG_KEY)


@pytest.mark.parametrize(("old", "new"), [(256, 257), (257, 700), (1, 2), (512, 1000), (300, 65_600)])
def test_forks_are_found_at_the_edges_of_tiles(old: int, new: int) -> None:
    log = log_of(old)
    other = log.fork(old - 1, *(b"other" for _ in range(new - old + 1)))
    assert split(log.note(), other.note(), other, new).check(LOG_KEY)


def test_a_log_that_was_cut_is_found() -> None:
    log = log_of(20)
    found = split(log.note(), log.note(7), log, 7)
    assert found.fault == "truncated"
    assert "of 20 and of 7 leaves" in found.check(LOG_KEY)
    # Every honest log signed fewer leaves once: a third party is told what the two notes alone do not show.
    assert "word of whoever kept" in found.check(LOG_KEY)


def test_a_cosignature_that_was_set_back_is_found() -> None:
    log = log_of(20)
    kept, shown = log.cosign(NOW, size=10), log.cosign(NOW - 361)
    found = split(kept, shown, log, 20)
    assert (found.fault, found.witnesses) == ("back-dated", (WITNESS_KEY,))
    assert "set back" in found.check(LOG_KEY, [WITNESS_KEY])
    with pytest.raises(LogRefused, match="policy does not have"):
        found.check(LOG_KEY, [])
    for corrected in (NOW, NOW - 360):
        assert check(log.cosign(NOW, size=10), log.cosign(corrected), log, 20) == 20


def test_tiles_that_are_not_the_checkpoints_stop_a_witness_but_prove_nothing() -> None:
    log, other = log_of(20), log_of(10).fork(5, *(b"x" for _ in range(15)))
    for kept in (None, log.note(0), log.note(12)):
        with pytest.raises(LogRefused, match="tiles") as caught:
            check(kept, log.note(), other, 20)
        assert not isinstance(caught.value, SplitViewFound)


def test_what_the_log_did_not_sign_proves_nothing() -> None:
    log = log_of(20)
    forger = MemoryLog(ORIGIN, WITNESS, {}, [b"x"] * 20)
    with pytest.raises(LogRefused) as caught:
        check(log.note(), forger.note(), forger, 20)
    assert not isinstance(caught.value, SplitViewFound)
    stranger = MemoryLog("elsewhere.example/log", KEY, {}, [b"x"] * 20)
    with pytest.raises(LogRefused, match="another log"):
        check(log.note(), stranger.note(), stranger, 20)


def test_evidence_about_honest_checkpoints_is_refused() -> None:
    log = log_of(40)
    honest = SplitView("forked", LOG_KEY, log.note(20), log.note(), NOW)
    for claim in (
        replace(honest, nodes=tuple(log.path(0))),
        replace(honest, shown=log.note(20)),
        replace(honest, fault="truncated"),
        replace(honest, fault="back-dated", kept=log.cosign(NOW, size=20), shown=log.cosign(NOW + 1)),
        replace(honest, fault="back-dated", witnesses=(WITNESS_KEY,)),
    ):
        with pytest.raises(LogRefused):
            claim.check(LOG_KEY)
    with pytest.raises(LogRefused, match="another log"):
        honest.check(log_key(ORIGIN, WITNESS.public_key))


FIELDS = ("type", "fault", "log_key", "kept", "shown", "seen_at", "nodes", "witnesses")
JUNK = st.none() | st.integers() | st.text() | st.lists(st.text())


@settings(deadline=None)
@given(JUNK | st.fixed_dictionaries(dict.fromkeys(FIELDS, JUNK)) | st.dictionaries(st.sampled_from(FIELDS), JUNK))
def test_decoding_evidence_refuses_anything_else(value: object) -> None:
    with pytest.raises(LogRefused):
        SplitView.from_document(value)
