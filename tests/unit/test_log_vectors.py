"""The log's formats against bytes that others made: RFC 6962's tree, signed notes, a real log's checkpoint."""

import base64
import json
from typing import Any

import pytest

from crypto.signatures import SigningKey, is_valid
from policies.log.add_checkpoint import decode_request, encode_request
from policies.log.checkpoint import CosignedCheckpoint, cosignature_line
from policies.log.errors import LogRefused
from policies.log.signed_note import Note, NoteSignature, VerifierKey
from policies.log.tiles import TilePlace, places
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
C2SP = json.loads((FOLDER / "c2sp_examples.json").read_text("utf-8"))
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


def test_the_examples_of_c2sp_read_and_are_written_as_they_stand_there() -> None:
    note = Note.parse(C2SP["note"])
    assert (note.text.count("\n"), [line.name for line in note.signatures]) == (4, ["quasimodo.example/salvatore"])
    assert note.format() == C2SP["note"]
    request = C2SP["request"].encode()
    asked = decode_request(request)
    assert (asked.old_size, len(asked.proof)) == (20_852_014, 4)
    assert encode_request(asked.old_size, asked.proof, asked.note) == request
    checkpoint = CosignedCheckpoint(asked.note).checkpoint
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    answered = CosignedCheckpoint(asked.note).with_lines(*C2SP["response"].splitlines())
    assert answered.text == asked.note + C2SP["response"]
    assert [line.name for line in answered.note.signatures][2:] == ["witness.example/w1"] * 2 + ["witness.example/w2"]


def test_a_cosignature_is_over_the_bytes_of_c2sp_s_example() -> None:
    witness, asked = SigningKey(b"\x07" * 32), decode_request(C2SP["request"].encode())
    line = NoteSignature.parse(cosignature_line(asked.note, "witness.example/w1", witness, 1_679_315_147))
    assert line.signature[:8] == (1_679_315_147).to_bytes(8, "big")
    assert is_valid(witness.public_key, C2SP["cosigned_message"].encode(), line.signature[8:])


def test_tiles_stand_where_c2sp_s_examples_have_them() -> None:
    assert TilePlace(C2SP["tiles"]["index"], 256).format() == C2SP["tiles"]["path"]
    for size, levels in C2SP["tiles"]["sizes"].items():
        for level, full, width in levels:
            found = places(int(size) >> 8 * level)
            assert sum(place.width == 256 for place in found) == full
            assert [place.width for place in found if place.width < 256] == ([width] if width else [])


@pytest.mark.parametrize("width", ["0", "256", "257", "300", "999", "01", "1000"])
def test_a_tile_is_never_wider_than_a_full_one(width: str) -> None:
    with pytest.raises(LogRefused):
        TilePlace.parse(f"000.p/{width}")


# C2SP tlog-policy's example, with keys in the place of <vkey>.
EXAMPLE_POLICY = """log {log}

witness X1 {x1}
witness X2 {x2}
  witness\tX3   {x3} https://x3.example/
group X-witnesses 2 X1 X2 X3

witness Y1 {y1}
witness Y2 {y2}
witness Y3 {y3}
group Y-witnesses any Y1 Y2 Y3
 # a comment
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""
POLICY_KEYS = {
    name: VerifierKey(f"{name}.example", 1 if name == "log" else 4, bytes([number]) * 32).format()
    for number, name in enumerate(("log", "x1", "x2", "x3", "y1", "y2", "y3"), start=1)
}


@pytest.mark.parametrize(
    ("cosigned", "suffices"),
    [("X1 X2 Y3", True), ("X1 X3 Y1 Y2", True), ("X1 Y1 Y2 Y3", False), ("X1 X2 X3", False), ("", False)],
)
def test_the_example_of_tlog_policy_asks_for_what_its_text_says(cosigned: str, suffices: bool) -> None:
    policy = WitnessPolicy.parse(EXAMPLE_POLICY.format(**POLICY_KEYS))
    assert policy.is_quorum(cosigned.split()) is suffices
    assert WitnessPolicy.parse(policy.format()) == policy


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("group X-and-Y all X-witnesses", "group X-and-Y all X1 X-witnesses", "X1 is a group's member already"),
        ("2 X1 X2 X3", "2 X1 X2 X2", "X2 is a group's member already"),
        ("2 X1 X2 X3", "4 X1 X2 X3", "from 1 to all of them"),
        ("2 X1 X2 X3", "0 X1 X2 X3", "from 1 to all of them"),
        ("2 X1 X2 X3", "02 X1 X2 X3", "from 1 to all of them"),
        ("2 X1 X2 X3", "2 X1 X2 Y1", "Y1 is neither a witness nor a group of a line before"),
        ("any Y1 Y2 Y3", "any none", "none is neither a witness nor a group"),
        ("witness Y1 {y1}", "witness X1 {y1}", "the name X1 is taken"),
        ("witness Y1 {y1}", "witness none {y1}", "the name none is taken"),
        ("witness Y1 {y1}", "witness Y1 {x1}", "the key stands there twice"),
        ("witness Y1 {y1}", "witness Y1 {log}", "the key is of the wrong signature type"),
        ("log {log}", "log {y1}", "the key is of the wrong signature type"),
        ("log {log}", "log {log}\nlog {log}", "the key stands there twice"),
        ("quorum X-and-Y", "quorum Z", "Z is neither a witness nor a group"),
        ("quorum X-and-Y", "quorum X1\nquorum X2", "none of a log, a witness, a group and the one quorum line"),
        ("quorum X-and-Y", "", "has no quorum line"),
        ("# a comment", "# a comment\r", "control characters"),
        ("# a comment", "a comment", "none of a log, a witness, a group"),
        ("group X-witnesses 2 X1 X2 X3", "group X-witnesses 2", "none of a log, a witness, a group"),
    ],
)
def test_what_tlog_policy_does_not_allow_is_refused_with_a_sentence(old: str, new: str, sentence: str) -> None:
    assert old in EXAMPLE_POLICY
    with pytest.raises(LogRefused, match=sentence):
        WitnessPolicy.parse(EXAMPLE_POLICY.replace(old, new).format(**POLICY_KEYS))
