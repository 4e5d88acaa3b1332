"""Checks how a submission opens: its statement, the signature under it, and to whom its secret is sealed.

Pure but for the documents it is given; the store is its callers' business.
"""

from __future__ import annotations

from crypto.sealing import SealedSecret, sealed_ref
from crypto.signatures import is_valid
from crypto.statements import SubmissionStatement, WithdrawalStatement
from policies.roster import Roster
from policies.trust import Trust
from wire.messages.submission import PART_LIMIT, OpenSubmission, SealedSecretMessage
from wire.problems import Problem


def check_opening(
    message: OpenSubmission, idempotency_key: bytes, institution_id: str, trust: Trust
) -> SubmissionStatement:
    """The statement of a submission that its institution signed; raises Problem, or InvalidStatement."""
    statement = SubmissionStatement.decode(message.statement)
    check_statement(statement, message.statement, message.signature, institution_id, trust)
    if statement.idempotency_key != idempotency_key:
        raise Problem(
            422, "other-key", "another submission's statement", "The statement names another idempotency key."
        )
    if message.parts != -(-statement.count // PART_LIMIT):
        raise Problem(
            422,
            "parts",
            "wrong number of parts",
            f"Every part but the last holds {PART_LIMIT} records: {statement.count} need "
            f"{-(-statement.count // PART_LIMIT)} parts.",
        )
    return statement


def check_statement(
    statement: SubmissionStatement | WithdrawalStatement,
    encoded: bytes,
    signature: bytes,
    institution_id: str,
    trust: Trust,
) -> None:
    """Raise Problem unless the statement is the institution's, of this epoch, signed under its rostered key."""
    if statement.epoch_id != trust.epoch_id:
        raise Problem(422, "other-epoch", "another epoch's statement", "The statement is not of the newest epoch.")
    if statement.institution_id != institution_id:
        raise Problem(403, "other-institution", "another's statement", "The statement is not the caller's own.")
    member = trust.member(institution_id)
    if member is None or not is_valid(member.signing_key, encoded, signature):
        raise Problem(
            422,
            "statement-signature",
            "statement not signed",
            "The signature does not hold under the institution's key in the newest roster.",
        )


def check_sealed(message: OpenSubmission, idempotency_key: bytes, trust: Trust, now: int) -> bytes:
    """The 32-byte sealed_ref; raises Problem unless every recipient that is not expired can open the submission.

    Recipients are those of the roster version that the submission names. One that expired since it was sealed may be
    there still, since a retry sends identical bytes.
    """
    roster = _roster(trust, message.roster_version)
    needed = {(one.recipient_id, one.key_id) for one in roster.recipients_at(now)}
    known = {(one.recipient_id, one.key_id) for one in roster.recipients}
    given = {(one.recipient_id, one.key_id) for one in message.sealed}
    if not needed <= given or not given <= known or len(given) != len(message.sealed):
        raise Problem(
            422,
            "recipients",
            "sealed to the wrong recipients",
            "The batch secret must be sealed once to each unexpired recipient of the roster version named.",
        )
    return sealed_ref(idempotency_key, [_secret(one) for one in message.sealed])


def _roster(trust: Trust, version: int) -> Roster:
    for roster in trust.rosters:
        if roster.version == version:
            return roster
    raise Problem(422, "roster-version", "unknown roster", "The broker has no such version of the roster.")


def _secret(message: SealedSecretMessage) -> SealedSecret:
    return SealedSecret(message.recipient_id, message.key_id, message.enc, message.ciphertext)
