"""The log's formats against bytes that others made: RFC 6962's tree, signed notes, a real log's checkpoint."""

import base64
import json
from typing import Any

import pytest

from crypto.signatures import SigningKey, is_valid
from policies.log.checkpoint import CosignedCheckpoint
from policies.log.errors import LogRefused
from policies.log.signed_note import Note, NoteSignature, VerifierKey
from policies.log.tree import (
    consistency_proof,
    inclusion_path,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from policies.log.witness_policy import WitnessPolicy
from tests.project_files import ROOT

FOLDER = ROOT / "tests/vectors/log"
TREE = json.loads((FOLDER / "rfc6962.json").read_text("utf-8"))
NOTES = json.loads((FOLDER / "signed_notes.json").read_text("utf-8"))
LEAVES = [bytes.fromhex(leaf) for leaf in TREE["leaves"]]
ROOTS = [bytes.fromhex(root) for root in TREE["roots"]]


class ReferenceNodes:
    """The reference tree's full subtrees, as published."""

    def node(self, height: int, index: int) -> bytes:
        return bytes.fromhex(TREE["nodes"][height][index])


def nodes(listed: list[str]) -> list[bytes]:
    return [bytes.fromhex(node) for node in listed]


def test_the_leaves_have_their_hashes_and_every_size_its_root() -> None:
    assert [leaf_hash(leaf).hex() for leaf in LEAVES] == TREE["nodes"][0]
    assert [root_of(ReferenceNodes(), size) for size in range(9)] == ROOTS


@pytest.mark.parametrize("case", TREE["inclusion"])
def test_an_inclusion_path_is_the_published_one_and_holds(case: dict[str, Any]) -> None:
    index, size, path = case["index"], case["size"], nodes(case["path"])
    assert inclusion_path(ReferenceNodes(), index, size) == path
    verify_inclusion(leaf_hash(LEAVES[index]), index, size, path, ROOTS[size])
    with pytest.raises(LogRefused):
        verify_inclusion(leaf_hash(LEAVES[index] + b"x"), index, size, path, ROOTS[size])


@pytest.mark.parametrize("case", TREE["consistency"])
def test_a_consistency_proof_is_the_published_one_and_holds(case: dict[str, Any]) -> None:
    old, new, proof = case["old"], case["new"], nodes(case["proof"])
    assert consistency_proof(ReferenceNodes(), old, new) == proof
    verify_consistency(old, ROOTS[old], new, ROOTS[new], proof)
    with pytest.raises(LogRefused):
        verify_consistency(old, ROOTS[old - 1], new, ROOTS[new], proof)


@pytest.mark.parametrize("case", NOTES["notes"], ids=lambda case: case["source"])
def test_a_published_note_verifies_under_its_published_key(case: dict[str, Any]) -> None:
    key, note = VerifierKey.parse(case["key"]), Note.parse(case["note"])
    assert key.format() == case["key"]
    assert note.format() == case["note"]
    (line,) = note.signatures
    assert line.is_by(key)
    assert is_valid(key.public_key, note.text.encode(), line.signature)
    if "seed" in case:
        signing_key = SigningKey(bytes.fromhex(case["seed"]))
        made = NoteSignature(key.name, key.key_id, signing_key.sign(note.text.encode()))
        assert Note(note.text, (made,)).format() == case["note"]


def test_a_real_log_s_checkpoint_verifies_with_the_cosignatures_of_its_witnesses() -> None:
    case = NOTES["checkpoint"]
    cosigned = CosignedCheckpoint(case["note"])
    checkpoint = cosigned.verify(VerifierKey.parse(case["log_key"]))
    assert (checkpoint.size, base64.b64encode(checkpoint.root).decode()) == (case["size"], case["root"])
    assert checkpoint.text == case["note"].split("\n\n")[0] + "\n"
    for text in case["witnesses"].values():
        assert cosigned.cosigned_at(VerifierKey.parse(text)) == case["time"]


def test_a_policy_over_a_real_log_s_witnesses_asks_for_what_it_says() -> None:
    case = NOTES["checkpoint"]
    cosigned = CosignedCheckpoint(case["note"])
    lines = [f"log {case['log_key']}", *(f"witness {name} {key}" for name, key in case["witnesses"].items())]
    lines += ["group one-operator any remora smartit", "group all-of-them all one-operator little-garden stagemole"]
    policy = WitnessPolicy.parse("\n".join([*lines, "quorum all-of-them", ""]))
    assert policy.check(cosigned, case["time"] + 86_400).size == case["size"]
    with pytest.raises(LogRefused, match="24 hours"):
        policy.check(cosigned, case["time"] + 86_401)
    without = "\n".join(line for line in case["note"].split("\n") if not line.startswith("— witness.stagemole"))
    with pytest.raises(LogRefused, match="does not carry the cosignatures"):
        policy.check(CosignedCheckpoint(without), case["time"])


@pytest.mark.parametrize("place", [3, 45, 60, 700])
def test_a_changed_byte_of_a_real_checkpoint_or_of_a_cosignature_is_noticed(place: int) -> None:
    case = NOTES["checkpoint"]
    text = case["note"]
    changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
    policy_text = f"log {case['log_key']}\n"
    policy_text += "".join(f"witness {name} {key}\n" for name, key in case["witnesses"].items())
    policy = WitnessPolicy.parse(policy_text + f"group g all {' '.join(case['witnesses'])}\nquorum g\n")
    with pytest.raises(LogRefused):
        policy.check(CosignedCheckpoint(changed), case["time"])
