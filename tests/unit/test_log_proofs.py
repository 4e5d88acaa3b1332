"""Proof files: made once, verified by anybody who has the leaf and the policy, refused for every change."""

import pytest

from crypto.signatures import SigningKey
from policies.log.checkpoint import CosignedCheckpoint, add_cosignature, make_checkpoint, witness_name
from policies.log.errors import LogRefused
from policies.log.log_reader import LogReader
from policies.log.proof_file import ProofFile
from policies.log.witness_policy import WitnessPolicy, make_policy
from tests.log_tree import MemoryLog

ORIGIN = "broker.example/example"
BROKER = SigningKey(b"\x01" * 32)
WITNESSES = {name: SigningKey(bytes([number]) * 32) for number, name in enumerate(("bank-a", "holder1", "charity"), 2)}
LOG = MemoryLog([b"leaf %d" % number for number in range(700)], ORIGIN)


def cosigned(*names: str, at: int = 1000) -> CosignedCheckpoint:
    text = make_checkpoint(ORIGIN, 700, LOG.checkpoint().root, BROKER)
    for name in names:
        text = add_cosignature(text, witness_name(ORIGIN, name), WITNESSES[name], at)
    return CosignedCheckpoint(text)


def policy(quorum: int) -> WitnessPolicy:
    keys = {name: key.public_key for name, key in WITNESSES.items()}
    return make_policy(ORIGIN, BROKER.public_key, keys, list(keys), quorum)


def proof(index: int, checkpoint: CosignedCheckpoint, extra: bytes | None = None) -> ProofFile:
    path = LogReader(LOG.fetch, LOG.checkpoint()).inclusion_path(index)
    return ProofFile(index, tuple(path), checkpoint, extra)


@pytest.mark.parametrize("extra", [None, b"", b"the statement"])
@pytest.mark.parametrize("index", [0, 255, 256, 699])
def test_a_proof_survives_its_file_and_holds_years_later(index: int, extra: bytes | None) -> None:
    made = proof(index, cosigned("bank-a", "charity"), extra)
    read = ProofFile.parse(made.format())
    assert read == made
    assert read.verify(policy(2), LOG.leaves[index]) == LOG.checkpoint()


def test_the_file_reads_as_c2sp_says() -> None:
    lines = proof(699, cosigned("bank-a"), b"\x00\x01").format().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra AAE=", "index 699"]
    assert lines[lines.index("") + 1] == ORIGIN


def test_a_leaf_without_neighbours_has_an_empty_path() -> None:
    log = MemoryLog([b"only"], ORIGIN)
    text = make_checkpoint(ORIGIN, 1, log.checkpoint().root, BROKER)
    made = ProofFile(0, (), CosignedCheckpoint(text))
    assert ProofFile.parse(made.format()).verify(policy(0), b"only").size == 1


def test_another_leaf_another_place_and_too_few_witnesses_are_refused() -> None:
    made = proof(300, cosigned("bank-a", "holder1"))
    with pytest.raises(LogRefused, match="root"):
        made.verify(policy(2), LOG.leaves[301])
    with pytest.raises(LogRefused):
        ProofFile(301, made.path, made.checkpoint).verify(policy(2), LOG.leaves[300])
    with pytest.raises(LogRefused, match="cosignatures"):
        made.verify(policy(3), LOG.leaves[300])
    other = make_policy(ORIGIN, bytes(32), {}, [], 0)
    with pytest.raises(LogRefused):
        made.verify(other, LOG.leaves[300])


def test_every_changed_line_is_noticed() -> None:
    made = proof(300, cosigned("bank-a", "holder1")).format()
    for number, line in enumerate(made.split("\n")):
        if not line:
            continue
        lines = made.split("\n")
        lines[number] = ("A" if line[0] != "A" else "B") + line[1:]
        with pytest.raises(LogRefused):
            ProofFile.parse("\n".join(lines)).verify(policy(2), LOG.leaves[300])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v1\n",
        "c2sp.org/tlog-proof@v2\nindex 0\n\nx\n",
        "c2sp.org/tlog-proof@v1\nindex 01\n\nx\n",
        "c2sp.org/tlog-proof@v1\nindex -1\n\nx\n",
        "c2sp.org/tlog-proof@v1\nextra !\nindex 0\n\nx\n",
        "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\nx\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n\nnot a checkpoint\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n" + ("A" * 43 + "=\n") * 64 + "\nx\n",
    ],
)
def test_what_is_no_proof_file_is_refused(text: str) -> None:
    with pytest.raises(LogRefused):
        ProofFile.parse(text)
