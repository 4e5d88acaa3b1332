"""From a receipt to a proof: that the log holds what the broker signed for, under a checkpoint that witnesses cosigned.

A receipt is the broker's word; a proof is verified offline by anybody. Knows statements and receipts, no row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from clients.institution.state import State
from clients.log.source import LogSource
from clients.log.witness_duty import LogView
from policies.documents import write_file
from policies.log.leaves import submission_leaf, withdrawal_leaf
from policies.log.proof_file import SUFFIX, ProofFile
from policies.log.tiles import TileHashes
from policies.log.tree import inclusion_path, leaf_hash
from policies.log.witness_policy import WitnessPolicy
from runtime.exits import ExitCode, UserError

LONGEST_WAIT = 3600
"""Seconds after a receipt came within which its leaf must have a place in the log: it has one after a second or so."""


class LeafLink(Protocol):
    """The signed way to the broker for the place of a leaf."""

    def leaf_index(self, leaf_hash: bytes) -> int | None:
        """Where the log has a leaf of this institution; None where it has none (yet)."""
        ...


@dataclass(frozen=True)
class Receipted:
    """A statement that the broker signed for, and the leaf that it must have become.

    delivered_at  when the receipt came, by this machine's clock (Unix seconds): what the broker dates it to is its own
                  word, and must not buy it time
    """

    seq: int
    leaf: bytes
    delivered_at: int


@dataclass(frozen=True)
class ProofCounts:
    """How many receipts were proven just now, and how many are provisional still."""

    proven: int
    provisional: int


def prove_receipts(
    state: State, broker: LeafLink, source: LogSource, view: LogView, policy: WitnessPolicy, now: int
) -> ProofCounts:
    """Fetch, verify and keep the proof of each receipt that the accepted checkpoint covers.

    Raises UserError (exit code 8) where the broker signed for a statement that its log does not hold, and LogRefused
    for a proof that does not hold.
    """
    proven = provisional = 0
    accepted = view.accepted
    size = accepted.checkpoint.size if accepted is not None else 0
    tiles = TileHashes(source.tile, size)
    for receipted in list(unproven(state)):
        index = broker.leaf_index(leaf_hash(receipted.leaf))
        if index is None and now - receipted.delivered_at > LONGEST_WAIT:
            raise UserError(
                f"The broker signed for statement {receipted.seq}, and its log does not hold it: keep the receipt "
                "(crosslight institution receipts --export) and show it to the auditor.",
                ExitCode.VERIFICATION_FAILED,
            )
        if index is None or accepted is None or index >= size:
            provisional += 1
            continue
        path = inclusion_path(tiles, index, size)
        proof = ProofFile(index, tuple(path), accepted)
        proof.verify(policy, receipted.leaf)
        with state.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO log_proofs VALUES (?, ?)", (receipted.seq, proof.format()))
        proven += 1
    return ProofCounts(proven, provisional)


def unproven(state: State) -> Iterator[Receipted]:
    """The statements with a receipt and without a proof, in order."""
    rows = state.connection.execute(
        """SELECT s.seq, s.form, s.statement, s.receipt, s.delivered_at FROM statements s
           LEFT JOIN log_proofs p ON p.seq = s.seq WHERE s.receipt IS NOT NULL AND p.seq IS NULL ORDER BY s.seq"""
    )
    for seq, form, statement, receipt, delivered_at in rows:
        received_at = int(json.loads(receipt)["document"]["received_at"])
        yield Receipted(seq, _leaf(form, bytes(statement), received_at), delivered_at)


def count_unproven(state: State) -> int:
    """How many receipts are provisional."""
    found: int = state.connection.execute(
        """SELECT count(*) FROM statements s LEFT JOIN log_proofs p ON p.seq = s.seq
           WHERE s.receipt IS NOT NULL AND p.seq IS NULL"""
    ).fetchone()[0]
    return found


def export_receipts(state: State, folder: Path) -> int:
    """Write each receipt, its leaf and (where there is one) its proof into `folder`; how many receipts there are."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = state.connection.execute(
        """SELECT s.seq, s.form, s.statement, s.receipt, p.proof FROM statements s
           LEFT JOIN log_proofs p ON p.seq = s.seq WHERE s.receipt IS NOT NULL ORDER BY s.seq"""
    ).fetchall()
    for seq, form, statement, receipt, proof in rows:
        name = f"statement-{seq:06}"
        write_file(folder / f"{name}.receipt.json", receipt + "\n")
        received_at = int(json.loads(receipt)["document"]["received_at"])
        write_file(folder / f"{name}.leaf.json", _leaf(form, bytes(statement), received_at).decode())
        if proof is not None:
            write_file(folder / f"{name}{SUFFIX}", proof)
    return len(rows)


def _leaf(form: str, statement: bytes, received_at: int) -> bytes:
    return submission_leaf(statement, received_at) if form == "submission" else withdrawal_leaf(statement, received_at)
