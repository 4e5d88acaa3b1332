"""Laws of the log's tree: every proof holds, no changed bit does, and what is written is read back as it was."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import merkle
from crypto.signatures import SigningKey
from policies.agreement.model import Witnesses
from policies.log.add_checkpoint import AddCheckpoint, decode_request, encode_request
from policies.log.checkpoint import Checkpoint, CosignedCheckpoint, add_cosignature, make_checkpoint
from policies.log.errors import LogRefused
from policies.log.proof_file import ProofFile
from policies.log.signed_note import COSIGNATURE, ED25519, Note, NoteSignature, VerifierKey
from policies.log.tiles import WIDTH, TileHashes, TilePlace, decode_entries, encode_entries
from policies.log.tree import (
    EMPTY_ROOT,
    consistency_proof,
    inclusion_path,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from policies.log.witness_policy import NONE, Group, WitnessPolicy
from tests import log_tree

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))
MOST_LEAVES = 700
LEAVES = [leaf_hash(b"leaf %d" % number) for number in range(MOST_LEAVES)]
LOG = log_tree.MemoryLog([b"leaf %d" % number for number in range(MOST_LEAVES)])
BROKER = SigningKey(b"\x01" * 32)
WITNESS = SigningKey(b"\x02" * 32)

hashes = st.binary(min_size=32, max_size=32)
names = st.text(st.characters(codec="utf-8", exclude_characters="+#", exclude_categories=["Z", "C"]), min_size=1)
words = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789-"), min_size=1).filter(lambda word: word != NONE)
sizes = st.integers(0, 10**16 - 1)


class GivenTree:
    """A tree of any size whose full subtrees have made-up hashes, as consistent as a true tree's."""

    def __init__(self, size: int) -> None:
        self.size = size

    def node(self, height: int, index: int) -> bytes:
        assert (index + 1) << height <= self.size
        # Equal leaves: every full subtree of a height has one hash, so that a tree of 2**40 needs no leaves.
        node = leaf_hash(b"")
        for _ in range(height):
            node = merkle.parent(node, node)
        return node


def flipped(data: st.DataObject, nodes: Sequence[bytes]) -> list[bytes]:
    """The nodes with one bit of one of them changed."""
    place = data.draw(st.integers(0, len(nodes) - 1))
    bit = data.draw(st.integers(0, 255))
    changed = bytearray(nodes[place])
    changed[bit // 8] ^= 1 << bit % 8
    return [*nodes[:place], bytes(changed), *nodes[place + 1 :]]


def tiles(size: int) -> TileHashes:
    return TileHashes(lambda level, place: LOG.fetch(f"tile/{level}/{place.format()}"), size)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(1, MOST_LEAVES), st.data())
def test_every_leaf_is_proved_by_its_path_and_by_no_changed_one(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root = log_tree.root_of(LEAVES[:size])
    path = inclusion_path(tiles(size), index, size)
    verify_inclusion(LEAVES[index], index, size, path, root)
    other = data.draw(st.integers(0, size - 1).filter(lambda place: place != index)) if size > 1 else 1
    wrong = [(LEAVES[other], index, path), (LEAVES[index], other, path), (LEAVES[index], index, [*path, root])]
    if path:
        wrong += [(LEAVES[index], index, flipped(data, path)), (LEAVES[index], index, path[:-1])]
    for leaf, place, nodes in wrong:
        with pytest.raises(LogRefused):
            verify_inclusion(leaf, place, size, nodes, root)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, MOST_LEAVES), st.integers(0, MOST_LEAVES), st.data())
def test_every_size_continues_each_before_it_and_no_changed_proof_says_so(
    first: int, second: int, data: st.DataObject
) -> None:
    old, new = sorted((first, second))
    old_root, new_root = log_tree.root_of(LEAVES[:old]), log_tree.root_of(LEAVES[:new])
    assert root_of(tiles(new), new) == new_root
    proof = consistency_proof(tiles(new), old, new)
    verify_consistency(old, old_root, new, new_root, proof)
    wrong = [(old_root, new_root, [*proof, new_root])]
    if new:
        wrong.append((flipped(data, [old_root])[0], new_root, proof))
    if old and old != new:
        wrong.append((old_root, flipped(data, [new_root])[0], proof))
        wrong.append((old_root, new_root, proof[:-1]))
        wrong.append((old_root, new_root, flipped(data, proof)))
    for before, after, nodes in wrong:
        with pytest.raises(LogRefused):
            verify_consistency(old, before, new, after, nodes)


def test_the_empty_tree_has_one_root() -> None:
    verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    for old_root, new_root in ((bytes(32), bytes(32)), (EMPTY_ROOT, bytes(32)), (bytes(32), EMPTY_ROOT)):
        with pytest.raises(LogRefused):
            verify_consistency(0, old_root, 0, new_root, [])


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(1, 2**40), st.data())
def test_proofs_hold_in_trees_of_a_million_million_leaves(size: int, data: st.DataObject) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    tree = GivenTree(size)
    root = root_of(tree, size)
    path = inclusion_path(tree, index, size)
    assert len(path) <= 40
    verify_inclusion(leaf_hash(b""), index, size, path, root)
    verify_consistency(old, root_of(tree, old), size, root, consistency_proof(tree, old, size))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 10**12), st.integers(1, WIDTH))
def test_a_tile_s_place_is_written_in_one_form(tile: int, width: int) -> None:
    text = TilePlace(tile, width).format()
    assert TilePlace.parse(text) == TilePlace(tile, width)
    *above, last = text.partition(".p/")[0].split("/")
    assert all(len(group) == 4 and group.startswith("x") for group in above)
    assert len(last) == 3


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.binary(max_size=70), max_size=20))
def test_leaves_survive_their_bundle(leaves: list[bytes]) -> None:
    assert decode_entries(encode_entries(leaves), len(leaves)) == leaves


@settings(max_examples=EXAMPLES, deadline=None)
@given(names, st.sampled_from([ED25519, COSIGNATURE]), hashes)
def test_a_key_survives_its_text(name: str, kind: int, public_key: bytes) -> None:
    key = VerifierKey(name, kind, public_key)
    assert VerifierKey.parse(key.format()) == key


signatures = st.builds(NoteSignature, names, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80))
lines = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(lines | st.just(""), min_size=1, max_size=5), st.lists(signatures, min_size=1, max_size=5))
def test_a_note_survives_its_text(text: list[str], signed: list[NoteSignature]) -> None:
    note = Note("".join(f"{line}\n" for line in text), tuple(signed))
    assert Note.parse(note.format()) == note


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.builds(Checkpoint, lines, sizes, hashes, st.lists(lines, max_size=3).map(tuple)))
def test_a_checkpoint_survives_its_text(checkpoint: Checkpoint) -> None:
    assert Checkpoint.parse(checkpoint.text) == checkpoint


@settings(max_examples=EXAMPLES, deadline=None)
@given(names, names, sizes, hashes, st.integers(0, 2**53 - 1))
def test_what_the_log_signs_and_a_witness_cosigns_verifies(
    origin: str, name: str, size: int, root: bytes, at: int
) -> None:
    cosigned = CosignedCheckpoint(add_cosignature(make_checkpoint(origin, size, root, BROKER), name, WITNESS, at))
    assert cosigned.verify(VerifierKey(origin, ED25519, BROKER.public_key)) == Checkpoint(origin, size, root)
    assert cosigned.cosigned_at(VerifierKey(name, COSIGNATURE, WITNESS.public_key)) == at
    assert cosigned.cosigned_at(VerifierKey(name, COSIGNATURE, BROKER.public_key)) is None


SIGNED = make_checkpoint(LOG.origin, MOST_LEAVES, LOG.checkpoint().root, BROKER)


@settings(max_examples=EXAMPLES, deadline=None)
@given(sizes, st.lists(hashes, max_size=63), st.none() | st.binary(max_size=40))
def test_proof_files_and_requests_survive_their_text(number: int, nodes: list[bytes], extra: bytes | None) -> None:
    proof = ProofFile(number, tuple(nodes), CosignedCheckpoint(SIGNED), extra)
    assert ProofFile.parse(proof.format()) == proof
    assert decode_request(encode_request(number, nodes, SIGNED)) == AddCheckpoint(number, tuple(nodes), SIGNED)


@st.composite
def policies(draw: st.DrawFn) -> WitnessPolicy:
    """Logs, witnesses, groups of witnesses and groups, each a member of one group at most."""
    keys = draw(st.lists(hashes, min_size=2, max_size=8, unique=True))
    named = draw(st.lists(words, min_size=len(keys), max_size=12, unique=True))
    witnesses = {name: VerifierKey(f"w/{name}", COSIGNATURE, key) for name, key in zip(named, keys[1:], strict=False)}
    free, groups = list(witnesses), dict[str, Group]()
    for name in named[len(keys) :]:
        members = draw(st.lists(st.sampled_from(free), min_size=1, unique=True)) if free else []
        if members:
            groups[name] = Group(draw(st.integers(1, len(members))), tuple(members))
            free = [one for one in free if one not in members] + [name]
    quorum = draw(st.sampled_from([NONE, *witnesses, *groups]))
    return WitnessPolicy((VerifierKey("log", ED25519, keys[0]),), witnesses, groups, quorum)


@settings(max_examples=EXAMPLES, deadline=None)
@given(policies(), st.data())
def test_a_policy_survives_its_text_and_more_witnesses_never_spoil_a_quorum(
    policy: WitnessPolicy, data: st.DataObject
) -> None:
    assert WitnessPolicy.parse(policy.format()) == policy
    some = data.draw(st.sets(st.sampled_from(list(policy.witnesses))))
    assert policy.is_quorum(policy.witnesses)
    assert not policy.is_quorum(some) or policy.is_quorum({*some, data.draw(st.sampled_from(list(policy.witnesses)))})
    assert policy.is_quorum([]) == (policy.quorum == NONE)


@pytest.mark.parametrize("count", range(1, 60))
def test_two_histories_never_both_get_the_least_quorum(count: int) -> None:
    witnesses = Witnesses(tuple(f"w{number}" for number in range(count)), 0)
    dishonest = (count - 1) // 3
    # Two quorums share so many that one of them is honest, and the honest ones suffice for one.
    assert 2 * witnesses.least - count > dishonest
    assert witnesses.least <= count - dishonest
