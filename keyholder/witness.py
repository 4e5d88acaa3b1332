"""The holder as a witness of the broker's log (C2SP tlog-witness): it cosigns what continues the checkpoint it keeps.

What it keeps is moved by one transaction at a time, before the cosignature leaves. Knows no leaf and no route.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from keyholder.holder import Holder
from keyholder.split_views import keep_evidence
from keyholder.store import log_views
from keyholder.store.log_views import Witnessed
from policies.log.add_checkpoint import AddCheckpoint, decode_request
from policies.log.checkpoint import Checkpoint, CosignedCheckpoint, cosignature_line, log_key, origin_of, witness_name
from policies.log.errors import LogRefused
from policies.log.signed_note import Note, VerifierKey
from policies.log.split_view import SplitView
from policies.log.tree import verify_consistency
from policies.trust import Trust
from runtime.database import read_transaction, run_in_transaction
from wire.problems import Problem


class OtherSize(Exception):
    """The log believes that this witness keeps a checkpoint of another size; `size` is the one that is kept."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the witness keeps a tree of {size} leaves")
        self.size = size


class _TwoRoots(Exception):
    """The log signed two roots for one size; `evidence` where a note of the other one was kept."""

    def __init__(self, evidence: SplitView | None) -> None:
        super().__init__("two roots of one size")
        self.evidence = evidence


def witnessed_log(trust: Trust) -> VerifierKey:
    """The key of the one log that this holder witnesses; its name is the log's origin."""
    first = trust.agreements[0]
    return log_key(origin_of(first.agreement_id, first.parties.broker), trust.broker_key)


def add_checkpoint(holder: Holder, body: bytes, evidence_folder: Path) -> str:
    """This holder's signature line on the checkpoint in a request's body, which it keeps from then on.

    Raises OtherSize (409), and Problem: 400 for a request that cannot be read, 404 for another log, 403 where the log
    has not signed it, 422 for a proof that does not hold or another root of the size that is kept.
    """
    key = witnessed_log(holder.state().standing.newest)
    asked, cosigned = _read(body)
    checkpoint = _verified(cosigned, key)
    if asked.old_size > checkpoint.size:
        raise Problem(400, "old-size", "old size refused", "The old size is larger than the checkpoint's.")

    def work(connection: Connection) -> str:
        kept = log_views.lock_witnessed(connection, key.name)
        _check_follows(kept, asked, checkpoint, key, holder.now)
        at = max(holder.now, kept.cosigned_at)
        line = cosignature_line(asked.note, witness_name(key.name, holder.party_id), holder.signing_key, at)
        note = _own_note(cosigned, key).with_lines(line).text
        log_views.keep_witnessed(connection, key.name, Witnessed(checkpoint.size, checkpoint.root, note, at))
        return line

    try:
        return run_in_transaction(holder.engine, work)
    except _TwoRoots as found:
        if found.evidence is not None:
            keep_evidence(evidence_folder, found.evidence)
        reason = "This witness keeps another root for a tree of this size: the log signed two."
        raise Problem(422, "consistency", "root refused", reason) from None


def kept_checkpoint(holder: Holder) -> str | None:
    """The checkpoint that this holder cosigned last, with its cosignature; None before the first."""
    key = witnessed_log(holder.latest.standing.newest)
    with read_transaction(holder.engine) as connection:
        return log_views.witnessed_checkpoint(connection, key.name).note or None


def _read(body: bytes) -> tuple[AddCheckpoint, CosignedCheckpoint]:
    try:
        asked = decode_request(body)
        cosigned = CosignedCheckpoint(asked.note)
        _ = cosigned.checkpoint
    except LogRefused as refused:
        raise Problem(400, "malformed", "request refused", refused.reason) from None
    return asked, cosigned


def _verified(cosigned: CosignedCheckpoint, key: VerifierKey) -> Checkpoint:
    if cosigned.checkpoint.origin != key.name:
        raise Problem(404, "unknown-log", "unknown log", "This witness knows no log of the checkpoint's origin.")
    try:
        return cosigned.verify(key)
    except LogRefused as refused:
        raise Problem(403, "log-signature", "signature refused", refused.reason) from None


def _check_follows(kept: Witnessed, asked: AddCheckpoint, new: Checkpoint, key: VerifierKey, now: int) -> None:
    """Raise OtherSize, _TwoRoots or Problem unless the checkpoint continues the one that is kept."""
    if asked.old_size != kept.size:
        raise OtherSize(kept.size)
    if new.size == kept.size and new.root != kept.root:
        raise _TwoRoots(SplitView("forked", key, kept.note, asked.note, now) if kept.note else None)
    try:
        verify_consistency(kept.size, kept.root, new.size, new.root, asked.proof)
    except LogRefused as refused:
        raise Problem(422, "consistency", "proof refused", refused.reason) from None


def _own_note(cosigned: CosignedCheckpoint, key: VerifierKey) -> CosignedCheckpoint:
    """The checkpoint with the log's signatures alone: what others wrote under it is not kept."""
    signatures = tuple(one for one in cosigned.note.signatures if one.is_by(key))
    return CosignedCheckpoint(Note(cosigned.note.text, signatures).format())
