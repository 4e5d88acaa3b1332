"""Takes submissions in: opened, filled part by part, committed. Each function is one transaction's work.

Answers depend on what the institution itself sent and on nothing else; matching begins later, elsewhere.
"""

from __future__ import annotations

import json

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from broker.context import calling_institution, current_epoch
from broker.ingest.opening import check_opening, check_sealed, check_statement
from broker.ingest.parts import CheckedPart, Expected
from broker.log.append import append
from broker.receipts import make_receipt, read_receipt
from broker.store import submissions
from broker.store.epochs import InstitutionRow, kind_names, set_last_seq
from broker.store.schema import COMMITTED, PART_RECORDS, RECORD_SPAN
from broker.store.submissions import SubmissionRow
from crypto import merkle
from crypto.envelopes import envelope_length
from crypto.signatures import SigningKey
from crypto.statements import SubmissionStatement
from policies.log.leaves import submission_leaf
from policies.trust import Trust
from wire.messages.message import schema_of
from wire.messages.submission import OpenSubmission, Receipt, SealedSecretMessage, SubmissionStatus
from wire.problems import Problem


def open_submission(
    connection: Connection, trust: Trust, institution_id: str, key: bytes, message: OpenSubmission, now: int
) -> SubmissionStatus:
    """Open a submission, or find it as it stands; another one of the institution's still open is dropped.

    Raises Problem for what is not well signed or sealed, for a sequence number that is not the next (409), and for
    another statement under the same key (409).
    """
    statement = check_opening(message, key, institution_id, trust)
    epoch = current_epoch(connection, trust)
    institution = calling_institution(connection, epoch, institution_id, lock=True)
    found = submissions.find_submission(connection, epoch, institution.institution, key)
    if found is not None:
        return _continue(connection, epoch, found, message)
    _check_epoch_is_open(trust, now)
    check_next_seq(institution, statement.seq)
    reference = check_sealed(message, key, trust, now)
    submissions.drop_open_submissions(connection, epoch, institution.institution)
    schema = schema_of(SealedSecretMessage)
    submissions.create_submission(
        connection,
        epoch,
        {
            "institution": institution.institution,
            "idempotency_key": key,
            "seq": statement.seq,
            "records": statement.count,
            "parts": message.parts,
            "statement": message.statement,
            "signature": message.signature,
            "roster_version": message.roster_version,
            "sealed": json.dumps([schema.dump(one) for one in message.sealed]),
            "sealed_ref": reference,
            "opened_at": now,
        },
    )
    return SubmissionStatus("open", tuple(range(message.parts)))


def _continue(connection: Connection, epoch: int, found: SubmissionRow, message: OpenSubmission) -> SubmissionStatus:
    """The submission under this key was opened before: it must be the same one; its signature may be a newer one."""
    sealed = [schema_of(SealedSecretMessage).dump(one) for one in message.sealed]
    if bytes(found.statement) != message.statement or json.loads(found.sealed) != sealed:
        raise Problem(409, "key-used", "idempotency key used", "Another submission was sent under this key.")
    if bytes(found.signature) != message.signature:
        submissions.replace_signature(connection, epoch, found.submission, message.signature)
    return _status(connection, epoch, found)


def renew_signature(
    connection: Connection, trust: Trust, institution_id: str, key: bytes, statement: bytes, signature: bytes
) -> SubmissionStatus:
    """Keep the institution's signature under its new key, over the statement that is here already."""
    check_statement(SubmissionStatement.decode(statement), statement, signature, institution_id, trust)
    epoch = current_epoch(connection, trust)
    institution = calling_institution(connection, epoch, institution_id, lock=True)
    found = find_own(connection, epoch, institution, key)
    if bytes(found.statement) != statement:
        raise Problem(409, "key-used", "another statement", "Another statement was sent under this key.")
    submissions.replace_signature(connection, epoch, found.submission, signature)
    return _status(connection, epoch, found)


def expected_of_part(
    connection: Connection, trust: Trust, institution_id: str, key: bytes, place: int, now: int
) -> Expected:
    """What the records of part `place` (from 0) must agree with."""
    epoch = current_epoch(connection, trust)
    institution = calling_institution(connection, epoch, institution_id)
    found = find_own(connection, epoch, institution, key)
    if place >= found.parts:
        raise Problem(404, "not-found", "not found", "The submission has no such part.")
    member = trust.member(institution_id)
    return Expected(
        epoch=epoch,
        institution=institution.institution,
        epoch_id=trust.epoch_id,
        institution_id=institution_id,
        role=member.role if member else "",
        sealed_ref=bytes(found.sealed_ref),
        first_record=found.submission * RECORD_SPAN + place * PART_RECORDS,
        count=min(PART_RECORDS, found.records - place * PART_RECORDS),
        envelope_length=envelope_length(trust.epoch.padded_size),
        kinds=trust.kinds,
        kind_numbers={name: number for number, name in kind_names(connection, epoch).items()},
        record_lifetime=trust.agreement.terms.record_lifetime,
        not_after=trust.epoch.not_after,
        now=now,
    )


def store_part(
    connection: Connection, trust: Trust, institution_id: str, key: bytes, checked: CheckedPart
) -> SubmissionStatus:
    """Store a checked part under its submission; a part that is there already must be the same."""
    epoch = current_epoch(connection, trust)
    institution = calling_institution(connection, epoch, institution_id)
    found = submissions.find_submission(connection, epoch, institution.institution, key, share=True)
    if found is None or found.submission != checked.first_record // RECORD_SPAN:
        raise Problem(409, "dropped", "submission dropped", "Another submission was opened meanwhile.")
    stored = submissions.part_body_hash(connection, epoch, found.submission, checked.row.part)
    if stored is None:
        _store(connection, epoch, found, checked)
    elif stored != checked.row.body_hash:
        raise Problem(409, "part-differs", "another part", "Another part was sent before under this number.")
    return _status(connection, epoch, found)


def _store(connection: Connection, epoch: int, found: SubmissionRow, checked: CheckedPart) -> None:
    try:
        with connection.begin_nested():
            submissions.store_part(connection, epoch, found.submission, checked.row, checked.records, checked.entries)
    except IntegrityError:
        stored = submissions.part_body_hash(connection, epoch, found.submission, checked.row.part)
        if stored == checked.row.body_hash:
            return  # Sent twice at once: the other request has stored it.
        handles = [row[3] for row in checked.records]
        used = submissions.handles_in_use(connection, epoch, found.institution, handles)
        raise _handle_used(next((number for number, handle in enumerate(handles) if handle in used), None)) from None
    if submissions.has_ended_handle(connection, epoch, checked.first_record, len(checked.records)):
        raise _handle_used(None)


def _handle_used(number: int | None) -> Problem:
    which = "A record" if number is None else f"Record {number}"
    return Problem(
        409, "handle-used", "handle used", f"{which} of the part has a handle that another record had before."
    )


def commit_submission(
    connection: Connection, trust: Trust, signing_key: SigningKey, institution_id: str, key: bytes, now: int
) -> Receipt:
    """Make the whole submission count, in this one transaction, and return the receipt; again: the same receipt.

    Raises Problem where parts are missing, the root is not the statement's, or the sequence number is not the next.
    """
    epoch = current_epoch(connection, trust)
    institution = calling_institution(connection, epoch, institution_id, lock=True)
    found = find_own(connection, epoch, institution, key, lock=True)
    if found.receipt is not None:
        return read_receipt(found.receipt)
    encoded, signature = bytes(found.statement), bytes(found.signature)
    statement = SubmissionStatement.decode(encoded)
    check_statement(statement, encoded, signature, institution_id, trust)
    _check_epoch_is_open(trust, now)
    check_next_seq(institution, statement.seq)
    roots = submissions.part_roots(connection, epoch, found.submission)
    if len(roots) != found.parts:
        raise Problem(409, "incomplete", "parts are missing", f"{found.parts - len(roots)} parts have not arrived.")
    # Every part but the last holds 512 leaves, a whole subtree, so that the parts' roots are a level of the tree.
    if merkle.root(roots) != statement.root:
        raise Problem(
            422, "root", "another root", "The records are not those that the statement signs: the root differs."
        )
    receipt = make_receipt(
        signing_key,
        epoch_id=trust.epoch_id,
        institution_id=institution_id,
        seq=statement.seq,
        statement=encoded,
        received_at=now,
        records=statement.count,
    )
    submissions.commit_submission(connection, epoch, found.submission, receipt)
    set_last_seq(connection, epoch, institution.institution, statement.seq)
    append(connection, submission_leaf(encoded, now))
    return read_receipt(receipt)


def submission_status(connection: Connection, trust: Trust, institution_id: str, key: bytes) -> SubmissionStatus:
    """How the institution's submission under a key stands; raises Problem 404 where there is none."""
    epoch = current_epoch(connection, trust)
    institution = calling_institution(connection, epoch, institution_id)
    return _status(connection, epoch, find_own(connection, epoch, institution, key))


def find_own(
    connection: Connection, epoch: int, institution: InstitutionRow, key: bytes, *, lock: bool = False
) -> SubmissionRow:
    """The institution's own submission under a key; raises Problem 404 where there is none."""
    found = submissions.find_submission(connection, epoch, institution.institution, key, lock=lock)
    if found is None:
        raise Problem(404, "not-found", "not found", "The institution has no submission under this key.")
    return found


def check_next_seq(institution: InstitutionRow, seq: int) -> None:
    """Raise Problem 409 unless `seq` is exactly one higher than that of the institution's last statement."""
    expected = institution.last_seq + 1
    if seq != expected:
        raise Problem(
            409,
            "sequence",
            "wrong sequence number",
            "A statement's number must be one higher than that of the last one applied.",
            expected_seq=expected,
        )


def _check_epoch_is_open(trust: Trust, now: int) -> None:
    if not trust.epoch.is_current(now):
        raise Problem(409, "epoch-closed", "epoch not open", "The epoch has not begun, or has ended.")


def _status(connection: Connection, epoch: int, found: SubmissionRow) -> SubmissionStatus:
    if found.state == COMMITTED and found.receipt is not None:
        return SubmissionStatus("committed", (), read_receipt(found.receipt))
    arrived = set(submissions.arrived_parts(connection, epoch, found.submission))
    return SubmissionStatus("open", tuple(part for part in range(found.parts) if part not in arrived))
