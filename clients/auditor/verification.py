"""Verifies the log leaf by leaf against a cosigned checkpoint, into the auditor's own copy; and that copy again.

Every leaf is hashed twice over: within its bundle, against the tiles; and in a compact range over all that was ever
copied, whose root must be the checkpoint's at the end. Resumable at any point, memory flat. Knows no rule.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from clients.auditor.frontier import Frontier
from clients.auditor.ledger import Ledger
from clients.auditor.ledger_schema import UNREADABLE, DecisionRow, Finding, LeafRow
from clients.log.source import LogSource
from policies.log.checkpoint import Checkpoint, CosignedCheckpoint
from policies.log.errors import LogRefused
from policies.log.leaves import Leaf, read_leaf
from policies.log.log_reader import LogReader
from policies.log.tiles import TilePlace
from policies.parties import holder_party_id

SUBJECT: Final = "log"
BATCH: Final = 8192
"""Leaves of one transaction."""

_LEAF_PREFIX: Final = b"\x00"

Advance = Callable[[int], None]
"""Told of so many leaves more."""


@dataclass(frozen=True)
class Verified:
    """How far the copy reaches now, how many leaves are new in it, and what does not hold."""

    size: int
    added: int
    findings: tuple[Finding, ...]


def verify_log(ledger: Ledger, source: LogSource, cosigned: CosignedCheckpoint, advance: Advance) -> Verified:
    """Bring the copy up to a checkpoint whose signatures were checked before."""
    checkpoint, before = cosigned.checkpoint, ledger.size
    findings: list[Finding] = []
    try:
        reader = LogReader(_fetch(source), checkpoint)
        _copy(ledger, reader, checkpoint, advance)
        findings += _against_root(ledger, reader, checkpoint)
    except LogRefused as refused:
        at = f"The log could not be verified beyond leaf {ledger.size - 1}" if ledger.size else "The log does not hold"
        findings.append(Finding(SUBJECT, f"{at}: {refused.reason}", ledger.size))
    findings += _unreadable(ledger)
    ledger.set_findings(SUBJECT, findings)
    if not findings:
        ledger.set_state(checkpoint=cosigned.text.encode())
    return Verified(ledger.size, ledger.size - before, tuple(findings))


def verify_copy(ledger: Ledger, advance: Advance) -> list[Finding]:
    """Hash every leaf of the copy again, against its own hashes and the root that it was verified against."""
    frontier, findings = Frontier(), []
    pending = ledger.leaves()
    while batch := list(islice(pending, BATCH)):
        for row in batch:
            if _hash(row.body) != row.hash:
                sentence = f"Leaf {row.position} of this copy was changed after it was verified."
                findings.append(Finding("copy", sentence, row.position))
        frontier.add([row.hash for row in batch])
        advance(len(batch))
    if frontier.encode() != (ledger.state("frontier") or Frontier().encode()):
        findings.append(Finding("copy", "The leaves of this copy are no longer those that were verified."))
    ledger.set_findings("copy", findings)
    return findings


def _copy(ledger: Ledger, reader: LogReader, checkpoint: Checkpoint, advance: Advance) -> None:
    """Add the leaves that the copy does not have, batch by batch."""
    frontier = Frontier.decode(ledger.state("frontier") or Frontier().encode())
    if frontier.size > checkpoint.size:
        raise LogRefused(
            f"The newest cosigned checkpoint is of {checkpoint.size} leaves, but {frontier.size} were verified before"
            f"{_cosigners(ledger)}: a checkpoint or a cosignature was removed or changed."
        )
    position = frontier.size
    leaves = reader.leaves(position)
    while batch := list(islice(leaves, _to_boundary(position))):
        rows, decisions = _rows(batch, position)
        frontier.add([row.hash for row in rows])
        position += len(rows)
        ledger.append(rows, decisions, position, frontier=frontier.encode())
        advance(len(rows))


def _cosigners(ledger: Ledger) -> str:
    """Who cosigned the checkpoint up to which the copy was verified."""
    kept = ledger.state("checkpoint")
    if kept is None:
        return ""
    cosigned = CosignedCheckpoint(kept.decode())
    names = sorted({line.name for line in cosigned.note.signatures} - {cosigned.checkpoint.origin})
    return f", under cosignatures of {', '.join(names)}" if names else ""


def _to_boundary(position: int) -> int:
    """How many leaves lead to where whole batches begin again: then bundles are hashed whole."""
    return BATCH - position % BATCH


def _rows(batch: list[bytes], first: int) -> tuple[list[LeafRow], list[DecisionRow]]:
    rows: list[LeafRow] = []
    decisions: list[DecisionRow] = []
    for position, body in enumerate(batch, first):
        try:
            leaf = read_leaf(body)
        except LogRefused:
            leaf = Leaf(UNREADABLE, 0, {})
        decision = _decision(position, leaf) if leaf.type == "decision" else None
        party = decision.party if decision is not None else party_of(leaf)
        rows.append(LeafRow(position, _hash(body), leaf.type, leaf.at, party, body))
        if decision is not None:
            decisions.append(decision)
    return rows, decisions


def party_of(leaf: Leaf) -> str:
    """The party that a leaf names, "" where it names none."""
    for name in ("institution_id", "party_id"):
        if isinstance(found := leaf.body.get(name), str):
            return found
    holder = leaf.body.get("holder")
    return holder_party_id(holder) if isinstance(holder, int) else ""


def _decision(position: int, leaf: Leaf) -> DecisionRow:
    """What a decision is found by. Whether it is well formed, its replay says."""
    document: Any = leaf.body.get("decision")
    given = document if isinstance(document, dict) else {}
    rules = given.get("rules")
    at = given.get("at")
    party, role, action = (str(given.get(name, "")) for name in ("party_id", "role", "action"))
    return DecisionRow(
        position,
        at if isinstance(at, int) else leaf.at,
        party,
        role,
        action,
        given.get("allowed") is True,
        tuple(str(rule) for rule in rules) if isinstance(rules, list) else (),
    )


def _against_root(ledger: Ledger, reader: LogReader, checkpoint: Checkpoint) -> Iterator[Finding]:
    """Hold the copy as a whole against the checkpoint's root; name the first leaf that is of another history."""
    frontier = Frontier.decode(ledger.state("frontier") or Frontier().encode())
    if frontier.root() == checkpoint.root:
        return
    for row in ledger.leaves():
        if reader.node(0, row.position) != row.hash:
            yield Finding(
                SUBJECT,
                f"Leaf {row.position}, {_article(row.type)}, is another one in the log than when it was verified.",
                row.position,
            )
            return
    yield Finding(SUBJECT, "The leaves that were verified do not lead to the checkpoint's root together.")


def _unreadable(ledger: Ledger) -> Iterator[Finding]:
    for row in ledger.leaves(UNREADABLE):
        yield Finding(SUBJECT, f"Leaf {row.position} is none that the log may hold.", row.position)


def _article(event: str) -> str:
    return f"{'an' if event[:1] in 'aeiou' else 'a'} {event} leaf"


def _hash(body: bytes) -> bytes:
    return hashlib.sha256(_LEAF_PREFIX + body).digest()


def _fetch(source: LogSource) -> Callable[[str], bytes]:
    """The log's paths over a source of tiles and bundles."""

    def fetch(path: str) -> bytes:
        _, kind, place = path.split("/", 2)
        try:
            if kind == "entries":
                return source.entries(TilePlace.parse(place))
            return source.tile(int(kind), TilePlace.parse(place))
        except LogRefused as refused:
            raise LookupError(refused.reason) from None

    return fetch
