"""Whatever is put before the readers of documents, they read it or refuse it in one sentence; nothing else escapes."""

from __future__ import annotations

import contextlib
import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.agreement.document import Agreement
from policies.documents import SignedDocument, canonical, parse_document
from policies.epoch import Epoch
from policies.errors import DocumentRefused
from policies.establish import establish
from policies.party_keys import Card
from policies.roster import Roster
from policies.trust import Trust
from tests.agreement_world import make_world

WORLD = make_world()
READERS = {
    "agreement": (Agreement, WORLD.agreement.document),
    "epoch": (Epoch, WORLD.epoch.document),
    "roster": (Roster, WORLD.roster.document),
    "card": (Card, WORLD.parties["holder1"].card.to_document()),
}

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["phone", "A" * 43, "e\u0301"])
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def places(value, path=()):
    """Every path within a document."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from places(part, (*path, key))


def changed(document, path, value):
    if not path:
        return value if isinstance(value, dict) else {}
    result = copy.deepcopy(document)
    place = result
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return result


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_document_with_one_place_changed_is_read_without_loss_or_refused(name, data):
    reader, document = READERS[name]
    path = data.draw(st.sampled_from(list(places(document))))
    attempt = changed(document, path, data.draw(values))
    try:
        read = reader.from_document(attempt)
    except DocumentRefused as refused:
        assert refused.reason.endswith(".")
        return
    assert read.to_document() == attempt
    canonical(attempt)


@settings(max_examples=300, deadline=None)
@given(values)
def test_anything_at_all_is_a_signed_document_or_refused(value):
    with contextlib.suppress(DocumentRefused):
        assert SignedDocument.from_json(value).to_json() == value


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=64) | values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_parsed_or_refused(content):
    try:
        parse_document(content, "a file")
    except DocumentRefused as refused:
        assert refused.reason.startswith("a file is not a document")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_change_of_a_signed_document_is_ever_trusted(data):
    """Any other document under the old signatures, any lost or damaged signature: refused, or the very same trust."""
    number = data.draw(st.integers(0, 2))
    documents = list(WORLD.documents)
    victim = documents[number]
    path = data.draw(st.sampled_from(list(places(victim.document))))
    attempt = changed(victim.document, path, data.draw(values))
    documents[number] = SignedDocument(attempt, victim.signatures)
    try:
        trust = establish(WORLD.agreement.hash, documents)
    except DocumentRefused:
        return
    assert attempt == victim.document
    assert trust == WORLD.trust


@settings(max_examples=100, deadline=None)
@given(st.sets(st.sampled_from(sorted(WORLD.parties))))
def test_an_epoch_is_trusted_exactly_when_all_holders_and_two_members_signed(signers):
    pinned = Trust.pin(WORLD.agreement, WORLD.agreement.hash)
    kept = {name: value for name, value in WORLD.epoch.signatures.items() if name in signers}
    enough = set(WORLD.holder_ids) <= signers and len(set(WORLD.member_ids) & signers) >= 2
    try:
        pinned.with_epoch(SignedDocument(WORLD.epoch.document, kept))
    except DocumentRefused:
        assert not enough
    else:
        assert enough
