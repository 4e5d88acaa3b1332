"""Every decoder answers bytes from anywhere with its value or its own error, and each encoding is the only one."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crypto import merkle, records, statements, tags
from crypto.errors import CryptoError, InvalidPath, InvalidRecord, InvalidStatement
from crypto.local_encryption import generate_local_key, open_local, seal_local
from crypto.signatures import is_valid
from tests.worked_bytes import unhex, worked

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))

RECORD = worked("record")
SUBMISSION = worked("submission")
WORKED = records.Record(
    unhex(RECORD["head"]),
    tuple(map(unhex, RECORD["salts"])),
    tuple(map(unhex, RECORD["entries"])),
    unhex(RECORD["envelope"]),
)
GOOD = {
    "entry": WORKED.entries[2],
    "context": unhex(RECORD["ctx"]),
    "head": WORKED.head,
    "records": records.pack_records([WORKED, WORKED]),
    "submission": unhex(SUBMISSION["statement"]),
    "withdrawal": unhex(SUBMISSION["withdrawal"]["statement"]),
}

identifiers = st.text("abcdefghijklmnopqrstuvwxyz0123456789.-", min_size=1, max_size=64)
exactly = st.binary
numbers = st.integers(0, 2**64 - 1)
contexts = st.builds(
    records.Context, exactly(min_size=32, max_size=32), identifiers, exactly(min_size=16, max_size=16), numbers, numbers
)
support_entries = st.builds(tags.Entry, identifiers, exactly(min_size=16, max_size=16))


@st.composite
def possession_entries(draw: st.DrawFn) -> tags.Entry:
    key = draw(st.binary(min_size=32, max_size=32))
    return tags.Entry(draw(identifiers), tags.possession_tag(key), key, draw(st.binary(min_size=64, max_size=64)))


entries = st.one_of(support_entries, possession_entries())


@st.composite
def whole_records(draw: st.DrawFn) -> records.Record:
    drawn = draw(st.lists(entries, min_size=1, max_size=5, unique_by=lambda entry: (entry.kind, entry.tag)))
    encoded = tuple(entry.encode() for entry in tags.sort_entries(drawn))
    salts = tuple(draw(st.binary(min_size=16, max_size=16)) for _ in encoded)
    head = records.Head(
        draw(contexts), draw(st.binary(min_size=32, max_size=32)), tuple(map(records.entry_hash, salts, encoded))
    )
    return records.Record(head.encode(), salts, encoded, draw(st.binary(max_size=64)))


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """`good` with a few bytes changed, cut out or put in."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(data)


DECODERS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes], type[CryptoError]]] = {
    "entry": (tags.Entry.decode, tags.Entry.encode, InvalidRecord),
    "context": (records.Context.decode, records.Context.encode, InvalidRecord),
    "head": (records.Head.decode, records.Head.encode, InvalidRecord),
    "records": (records.unpack_records, records.pack_records, InvalidRecord),
    "submission": (statements.SubmissionStatement.decode, statements.SubmissionStatement.encode, InvalidStatement),
    "withdrawal": (statements.WithdrawalStatement.decode, statements.WithdrawalStatement.encode, InvalidStatement),
}


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_what_a_decoder_accepts_it_would_encode_to_the_same_bytes_and_all_else_is_its_own_error(name, data):
    decode, encode, error = DECODERS[name]
    drawn = data.draw(st.one_of(st.binary(max_size=300), damaged(GOOD[name])))
    try:
        value = decode(drawn)
    except error:
        return
    assert encode(value) == drawn


@settings(max_examples=EXAMPLES, deadline=None)
@given(damaged(GOOD["records"]))
def test_damaged_records_are_refused_or_checked_but_never_crash(data):
    try:
        for record in records.unpack_records(data):
            records.check_record(record)
    except InvalidRecord:
        pass


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(whole_records(), max_size=4))
def test_records_survive_packing_and_checking(drawn):
    assert records.unpack_records(records.pack_records(drawn)) == drawn
    for record in drawn:
        checked = records.check_record(record)
        assert tuple(entry.encode() for entry in checked.entries) == record.entries
        assert checked.leaf == record.leaf


@settings(max_examples=EXAMPLES, deadline=None)
@given(leaf=st.binary(max_size=40), path=st.binary(max_size=200))
@example(leaf=bytes(32), path=b"\x00\x00\x00\x00\xff\xff\xff\xff")
def test_a_path_from_anywhere_is_followed_or_refused(leaf, path):
    try:
        root, index, count = merkle.root_from_path(leaf, path)
    except InvalidPath:
        return
    assert len(root) == 32
    assert index < count


@settings(max_examples=EXAMPLES // 4, deadline=None)
@given(leaves=st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70), data=st.data())
def test_every_leaf_has_one_path_and_it_fits_no_other_place(leaves, data):
    root, paths = merkle.root(leaves), merkle.paths(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    assert merkle.path(leaves, index) == paths[index]
    assert merkle.verify_path(leaves[index], paths[index], root, len(leaves)) == index
    other = data.draw(st.integers(0, len(leaves) - 1))
    if leaves[other] != leaves[index]:
        with pytest.raises(InvalidPath):
            merkle.verify_path(leaves[other], paths[index], root, len(leaves))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=80), st.binary(max_size=80))
def test_verification_answers_anything_with_no(public_key, message, signature):
    assert is_valid(public_key, message, signature) is False


@settings(max_examples=EXAMPLES, deadline=None)
@given(plaintext=st.binary(max_size=200), aad=st.binary(max_size=20), junk=st.binary(max_size=100))
def test_local_sealing_is_opened_by_its_own_bytes_only(plaintext, aad, junk):
    key = generate_local_key()
    sealed = seal_local(key, plaintext, aad)
    assert open_local(key, sealed, aad) == plaintext
    with pytest.raises(CryptoError):
        open_local(key, junk, aad)
