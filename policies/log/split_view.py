"""Two checkpoints of one log that cannot both be honest: what is wrong with them, shown so that anybody can check it.

The evidence is the two signed notes, and, where the newer tree does not continue the older, nodes that lead to the
newer root and to another root than the older checkpoint's. Pure: whoever reads it needs the log's key alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from policies.log.checkpoint import Checkpoint, CosignedCheckpoint
from policies.log.errors import LogRefused
from policies.log.signed_note import COSIGNATURE, VerifierKey, decode_base64, encode_base64
from policies.log.tree import roots_of_prefix
from policies.log.witness_policy import LATE, SKEW

TYPE: Final = "crosslight/v1 split view"

Fault = Literal["forked", "truncated", "back-dated"]

SENTENCES: Final[Mapping[str, str]] = {
    "forked": "The log shows two histories: the tree of one checkpoint does not continue the tree of the other.",
    "truncated": "The log was cut: its newest checkpoint has fewer leaves than one that it signed before.",
    "back-dated": "A witness's time was set back: it cosigned the larger tree before it cosigned the smaller one.",
}

ORDER_UNPROVED: Final = "That the smaller one was shown after the larger is the word of whoever kept this file."
"""Of a log that was cut: it signed both, as an honest log does while it grows; only their order is wrong."""


@dataclass(frozen=True)
class SplitView:
    """`kept` was seen first, `shown` afterwards, at `seen_at` (Unix seconds); both are signed notes.

    nodes      of forked trees of two sizes: what tree.prefix_nodes gives, else empty
    witnesses  of back-dated cosignatures: the vkeys under which both notes carry a time
    """

    fault: Fault
    log_key: VerifierKey
    kept: str
    shown: str
    seen_at: int
    nodes: tuple[bytes, ...] = ()
    witnesses: tuple[VerifierKey, ...] = field(default=())

    @property
    def sentence(self) -> str:
        """What is wrong, for people."""
        first, second = (CosignedCheckpoint(note).checkpoint for note in (self.kept, self.shown))
        return f"{SENTENCES[self.fault]} The two checkpoints are of {first.size} and of {second.size} leaves."

    def to_document(self) -> dict[str, Any]:
        """The JSON form, as it stands in an evidence file."""
        return {
            "type": TYPE,
            "fault": self.fault,
            "log_key": self.log_key.format(),
            "kept": self.kept,
            "shown": self.shown,
            "seen_at": self.seen_at,
            "nodes": [encode_base64(node) for node in self.nodes],
            "witnesses": [key.format() for key in self.witnesses],
        }

    @classmethod
    def from_document(cls, document: object) -> SplitView:
        """Read an evidence file's JSON; raises LogRefused. Nothing is verified: see `check`."""
        names = {"type", "fault", "log_key", "kept", "shown", "seen_at", "nodes", "witnesses"}
        if not isinstance(document, dict) or set(document) != names or document["type"] != TYPE:
            raise LogRefused("This is no evidence of a split view.")
        if document["fault"] not in SENTENCES or not isinstance(document["seen_at"], int):
            raise LogRefused("The evidence names no fault that there is, or no time.")
        return cls(
            document["fault"],
            VerifierKey.parse(_text(document["log_key"])),
            _text(document["kept"]),
            _text(document["shown"]),
            document["seen_at"],
            tuple(decode_base64(one) for one in _texts(document["nodes"])),
            tuple(VerifierKey.parse(one) for one in _texts(document["witnesses"])),
        )

    def check(self, log_key: VerifierKey, witnesses: Collection[VerifierKey] | None = None) -> str:
        """The sentence, if the evidence shows what it says under the log's key; raises LogRefused if it does not.

        Of a log that was cut the sentence says what the file alone does not prove. With `witnesses`, a time that was
        set back must be that of one of them: anybody can make a key that contradicts itself.
        """
        if log_key != self.log_key:
            raise LogRefused("The evidence is about another log: its key is not the one given.")
        if witnesses is not None and not set(self.witnesses) <= set(witnesses):
            raise LogRefused("The evidence names a witness that the policy does not have.")
        kept = CosignedCheckpoint(self.kept).verify(log_key)
        shown = CosignedCheckpoint(self.shown).verify(log_key)
        holds = {
            "forked": lambda: _fork_holds(kept, shown, self.nodes),
            "truncated": lambda: shown.size < kept.size,
            "back-dated": lambda: bool(back_dated(self.kept, self.shown, self.witnesses)),
        }
        if not holds[self.fault]():
            raise LogRefused("The evidence does not show what it says: the two checkpoints can both be honest.")
        return f"{self.sentence} {ORDER_UNPROVED}" if self.fault == "truncated" else self.sentence


def back_dated(kept: str, shown: str, witnesses: Sequence[VerifierKey]) -> tuple[VerifierKey, ...]:
    """The witnesses whose time on the smaller of two notes is later than on the larger; raises LogRefused.

    By more than what the log takes at one moment: a clock that was corrected between two cosignatures is no lie.
    """
    notes = sorted((CosignedCheckpoint(kept), CosignedCheckpoint(shown)), key=lambda one: one.checkpoint.size)
    if notes[0].checkpoint.size == notes[1].checkpoint.size:
        return ()
    found = []
    for key in witnesses:
        if key.type != COSIGNATURE:
            raise LogRefused("The evidence names a key that is no witness's.")
        smaller, larger = notes[0].cosigned_at(key), notes[1].cosigned_at(key)
        if smaller is not None and larger is not None and larger + SKEW + LATE < smaller:
            found.append(key)
    return tuple(found)


def _fork_holds(first: Checkpoint, second: Checkpoint, nodes: Sequence[bytes]) -> bool:
    """Whether the trees of two checkpoints exclude one another, as `nodes` show where the sizes differ."""
    older, newer = sorted((first, second), key=lambda one: one.size)
    if older.size == newer.size:
        return older.root != newer.root
    old_root, new_root = roots_of_prefix(older.size, newer.size, nodes)
    return new_root == newer.root and old_root != older.root


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise LogRefused("The evidence holds something else where text belongs.")
    return value


def _texts(value: object) -> list[str]:
    if not isinstance(value, list) or len(value) > 10_000:
        raise LogRefused("The evidence holds something else where a list belongs.")
    return [_text(one) for one in value]
