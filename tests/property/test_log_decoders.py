"""Whatever stands in a file or an answer of the log, its readers read it or refuse it in one sentence."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.log.activity import event_text, read_event
from policies.log.add_checkpoint import decode_request, encode_request
from policies.log.checkpoint import Checkpoint, CosignedCheckpoint
from policies.log.errors import LogRefused
from policies.log.leaves import expiry_leaf, read_leaf
from policies.log.proof_file import ProofFile
from policies.log.signed_note import Note, NoteSignature, VerifierKey
from policies.log.split_view import SplitView
from policies.log.tiles import TilePlace, decode_entries, decode_hashes, encode_entries
from policies.log.witness_policy import WitnessPolicy
from tests.project_files import ROOT

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))
REAL = json.loads((ROOT / "tests/vectors/log/signed_notes.json").read_text("utf-8"))["checkpoint"]
NOTE: str = REAL["note"]
LOG_KEY = VerifierKey.parse(REAL["log_key"])
PATH = tuple(bytes([number]) * 32 for number in range(3))
POLICY = (
    f"# whose\nlog {REAL['log_key']} https://log.example\n"
    + "".join(f"witness {name} {key}\n" for name, key in REAL["witnesses"].items())
    + "group some 2 remora smartit stagemole\ngroup g all some little-garden\nquorum g\n"
)
PROOF = ProofFile(5, PATH, CosignedCheckpoint(NOTE), b"more").format()
EVIDENCE = SplitView("forked", LOG_KEY, NOTE, NOTE, 1000, PATH, (LOG_KEY,)).to_document()

TEXTS: dict[str, tuple[Callable[[str], Any], Callable[[Any], str] | None, str]] = {
    "note": (Note.parse, Note.format, NOTE),
    "line": (NoteSignature.parse, lambda read: read.line, NOTE.split("\n\n")[1].split("\n")[0] + "\n"),
    "key": (VerifierKey.parse, VerifierKey.format, REAL["log_key"]),
    "checkpoint": (Checkpoint.parse, lambda read: read.text, NOTE.split("\n\n")[0] + "\n"),
    "policy": (WitnessPolicy.parse, None, POLICY),
    "proof": (ProofFile.parse, ProofFile.format, PROOF),
    "place": (TilePlace.parse, TilePlace.format, "x001/x234/067.p/12"),
    "event": (read_event, None, event_text("opening", 5, records=3)),
}
BYTES: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes] | None, bytes]] = {
    "request": (
        decode_request,
        lambda read: encode_request(read.old_size, read.proof, read.note),
        encode_request(7, PATH, NOTE),
    ),
    "leaf": (read_leaf, None, expiry_leaf("bank-a", 3, 1000)),
    "bundle": (lambda data: decode_entries(data, 3), encode_entries, encode_entries([b"", b"one", b"two"])),
    "tile": (lambda data: decode_hashes(data, 3), b"".join, b"".join(PATH)),
}


def damaged(good: str | bytes) -> st.SearchStrategy[Any]:
    """`good` with a few of its characters or bytes changed, cut out or put in, anywhere."""
    empty = good[:0]
    pieces: st.SearchStrategy[Any] = st.binary(max_size=4)
    if isinstance(good, str):
        pieces = st.text(st.characters() | st.sampled_from("\n\n +\t\u2014="), max_size=4)

    def change(changes: list[tuple[int, int, Any]]) -> Any:
        data = good
        for place, cut, piece in changes:
            data = data[:place] + piece + data[place + cut :]
        return data

    place = st.integers(0, len(good))
    changes = st.lists(st.tuples(place, st.integers(0, 4), pieces | st.just(empty)), min_size=1, max_size=3)
    return changes.map(change)


@pytest.mark.parametrize("name", TEXTS)
@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_decoding_any_text_gives_a_value_that_is_written_so_or_a_refusal(name: str, data: st.DataObject) -> None:
    decode, encode, good = TEXTS[name]
    text = data.draw(damaged(good) | st.text(max_size=80))
    try:
        value = decode(text)
    except LogRefused as refused:
        assert refused.reason.endswith(".")
        return
    # A line is read with or without its newline, and a note's text always ends in one.
    if encode is not None:
        assert encode(value).rstrip("\n") == text.rstrip("\n")


@pytest.mark.parametrize("name", BYTES)
@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_decoding_any_bytes_gives_a_value_that_is_written_so_or_a_refusal(name: str, data: st.DataObject) -> None:
    decode, encode, good = BYTES[name]
    drawn = data.draw(damaged(good) | st.binary(max_size=200))
    try:
        value = decode(drawn)
    except LogRefused as refused:
        assert refused.reason.endswith(".")
        return
    if encode is not None:
        assert encode(value) == drawn


@settings(max_examples=EXAMPLES, deadline=None)
@given(damaged(POLICY), damaged(NOTE))
def test_fuzzed_policies_and_notes_are_checked_or_refused_and_never_crash(policy: str, note: str) -> None:
    for rules in (policy, POLICY):
        with contextlib.suppress(LogRefused):
            WitnessPolicy.parse(rules).check(CosignedCheckpoint(note), REAL["time"])


@settings(max_examples=EXAMPLES, deadline=None)
@given(damaged(PROOF), st.binary(max_size=20))
def test_no_fuzzed_proof_proves_another_leaf(proof: str, leaf: bytes) -> None:
    with pytest.raises(LogRefused):
        ProofFile.parse(proof).verify(WitnessPolicy.parse(POLICY), leaf)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sampled_from(sorted(EVIDENCE)), st.data())
def test_decoding_fuzzed_evidence_never_crashes_and_proves_nothing(member: str, data: st.DataObject) -> None:
    good = EVIDENCE[member]
    other = damaged(good) if isinstance(good, str) else st.lists(st.text(max_size=60) | st.integers(), max_size=3)
    document = {**EVIDENCE, member: data.draw(other | st.none() | st.integers() | st.text(max_size=20))}
    with pytest.raises(LogRefused):
        SplitView.from_document(document).check(LOG_KEY, [LOG_KEY])
