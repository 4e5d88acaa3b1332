"""Checkpoints as they are served: the log's note with the cosignatures that witnesses brought, verified and merged.

The policy, whose witnesses count and how many are needed, is the newest roster's. Signs nothing and grows no tree.
"""

from __future__ import annotations

from sqlalchemy import Connection

from broker.store import log
from broker.store.log import CosignatureRow
from policies.log.checkpoint import CosignedCheckpoint, cosignature_time
from policies.log.errors import LogRefused
from policies.log.signed_note import NoteSignature
from policies.log.witness_policy import LATE, NONE, SKEW, WitnessPolicy
from wire.problems import Problem

_LOOKED_AT = 16
"""Newest checkpoints with enough cosignatures among which one with a quorum of the last 24 hours is sought."""


def newest(connection: Connection) -> CosignedCheckpoint | None:
    """The newest checkpoint with its cosignatures; None before the first."""
    found = log.newest_checkpoint(connection)
    return None if found is None else _with_cosignatures(connection, *found)


def newest_cosigned(connection: Connection, policy: WitnessPolicy, now: int) -> CosignedCheckpoint | None:
    """The newest checkpoint that a quorum of the policy's witnesses has cosigned in the last 24 hours."""
    if policy.quorum == NONE:
        return newest(connection)
    group = policy.groups.get(policy.quorum)
    for size in log.cosigned_sizes(connection, group.least if group else 1, _LOOKED_AT):
        note = log.checkpoint_of(connection, size)
        if note is None:
            continue
        cosigned = _with_cosignatures(connection, size, note)
        try:
            policy.check(cosigned, now)
        except LogRefused:
            continue
        return cosigned
    return None


def keep_cosignature(
    connection: Connection, policy: WitnessPolicy, party_id: str, size: int, line: str, now: int
) -> None:
    """Keep a party's cosignature on the checkpoint of a size.

    Raises Problem: 404 where there is no such checkpoint, 422 for a line that is not the party's own or does not hold.
    """
    note = log.checkpoint_of(connection, size)
    if note is None:
        raise Problem(404, "no-checkpoint", "no such checkpoint", "The log has signed no checkpoint of this size.")
    key = policy.witnesses.get(party_id)
    if key is None:
        raise _refused("The newest roster's witness policy does not name this party.")
    try:
        signature = NoteSignature.parse(line)
        if not signature.is_by(key):
            raise LogRefused("The line does not name the caller's key in the witness policy.")
        at = cosignature_time(CosignedCheckpoint(note).note.text, signature, key)
    except LogRefused as refused:
        raise _refused(refused.reason) from None
    if at > now + SKEW:
        raise _refused("The cosignature is of a time that is still to come.")
    if at < now - LATE:
        # Taken now, a time long past would look to every other witness as if this one had set its clock back.
        raise _refused("The cosignature is of a time long past: set the clock, and cosign again.")
    log.keep_cosignature(connection, size, CosignatureRow(key.name, signature.line, at))


def keep_lines(connection: Connection, policy: WitnessPolicy, size: int, lines: str, now: int) -> int:
    """Keep what a witness answered about the checkpoint of a size; return how many of its lines held."""
    parties = {key.name: party_id for party_id, key in policy.witnesses.items()}
    kept = 0
    for line in lines.splitlines():
        try:
            party_id = parties.get(NoteSignature.parse(line).name)
            if party_id is not None:
                keep_cosignature(connection, policy, party_id, size, line, now)
                kept += 1
        except (LogRefused, Problem):
            continue  # C2SP tlog-witness: lines of unknown keys, or that do not hold, are ignored
    return kept


def _with_cosignatures(connection: Connection, size: int, note: str) -> CosignedCheckpoint:
    return CosignedCheckpoint(note).with_lines(*(row.line for row in log.cosignatures_of(connection, size)))


def _refused(reason: str) -> Problem:
    return Problem(422, "cosignature", "cosignature refused", reason)
