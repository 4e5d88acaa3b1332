"""Proof files (C2SP tlog-proof): a leaf's place, its inclusion path and a cosigned checkpoint, verified offline.

Whoever has the leaf and the witness policy needs nothing else, and nobody's answer. Knows no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from crypto.merkle import NODE_LENGTH
from policies.log.add_checkpoint import read_size
from policies.log.checkpoint import Checkpoint, CosignedCheckpoint
from policies.log.errors import LogRefused
from policies.log.signed_note import LONGEST_NOTE, decode_base64, encode_base64
from policies.log.tree import LONGEST_PROOF, leaf_hash, verify_inclusion
from policies.log.witness_policy import WitnessPolicy

HEADER: Final = "c2sp.org/tlog-proof@v1"
SUFFIX: Final = ".tlog-proof"
_EXTRA: Final = "extra "
_INDEX: Final = "index "
_LONGEST: Final = 2 * LONGEST_NOTE


@dataclass(frozen=True)
class ProofFile:
    """A proof: the leaf's index from 0, the path (nodes of 32 bytes), the signed note, and data that proves nothing."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: CosignedCheckpoint
    extra: bytes | None = None

    def format(self) -> str:
        """The file's text."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(_EXTRA + encode_base64(self.extra))
        lines += [f"{_INDEX}{self.index}", *(encode_base64(node) for node in self.path), ""]
        return "".join(f"{line}\n" for line in lines) + self.checkpoint.text

    @classmethod
    def parse(cls, text: str) -> ProofFile:
        """Read a file's text; raises LogRefused. Nothing is verified."""
        if len(text) > _LONGEST:
            raise LogRefused("The proof file is too long.")
        head, separator, note = text.partition("\n\n")
        header, *lines = head.split("\n")
        if not separator or header != HEADER:
            raise LogRefused(f"A proof file begins with {HEADER} and holds an empty line before its checkpoint.")
        extra = None
        if lines and lines[0].startswith(_EXTRA):
            extra = decode_base64(lines.pop(0).removeprefix(_EXTRA))
        if not lines or not lines[0].startswith(_INDEX):
            raise LogRefused("A proof file says the leaf's index after its first lines.")
        index = read_size(lines.pop(0).removeprefix(_INDEX))
        if len(lines) > LONGEST_PROOF:
            raise LogRefused(f"An inclusion proof has at most {LONGEST_PROOF} nodes.")
        path = tuple(decode_base64(line) for line in lines)
        if any(len(node) != NODE_LENGTH for node in path):
            raise LogRefused(f"The nodes of a proof are {NODE_LENGTH} bytes long.")
        cosigned = CosignedCheckpoint(note)
        # Read here, so that a file that parses can be verified or refused for a reason that says something.
        _ = cosigned.checkpoint
        return cls(index, path, cosigned, extra)

    def verify(self, policy: WitnessPolicy, leaf: bytes) -> Checkpoint:
        """The checkpoint that covers `leaf` (its bytes), if the proof holds under the policy; raises LogRefused.

        A quorum must have cosigned, whenever that was: a proof does not grow old. Whoever asks for newness as well
        checks the checkpoint with the policy's `check`.
        """
        checkpoint = policy.check_log(self.checkpoint)
        if not policy.is_quorum(policy.cosigned_at(self.checkpoint)):
            raise LogRefused("The proof's checkpoint does not carry the cosignatures that the agreement asks for.")
        verify_inclusion(leaf_hash(leaf), self.index, checkpoint.size, self.path, checkpoint.root)
        return checkpoint
