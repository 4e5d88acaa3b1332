"""Submissions: opened, sent in parts, committed, looked up. For institutions; each sees its own alone."""

from __future__ import annotations

from sqlalchemy import Connection

from broker.context import broker_context
from broker.ingest import submit
from broker.ingest.parts import check_part
from runtime.database import read_transaction, run_in_transaction
from wire.access import signed
from wire.messages.submission import MOST_PARTS, OpenSubmission, Receipt, SubmissionPart, SubmissionStatus
from wire.messages.withdrawal import SignedStatement
from wire.resources import Resource
from wire.service import calling_party, spend_request_nonce

resource = Resource("submissions", __name__, url_prefix="/v1/submissions", description="Records on their way in")

_SUBMISSION = "/<hex(16):key>"


@resource.route(_SUBMISSION, methods=["PUT"])
@signed("institution", action="submit-records")
@resource.arguments(OpenSubmission)
@resource.response(200, SubmissionStatus)
def open_submission(message: OpenSubmission, key: bytes) -> SubmissionStatus:
    """Open a submission under its idempotency key, or find it as it stands. One in flight an institution."""
    broker, caller = broker_context(), calling_party()
    trust = broker.trust()

    def work(connection: Connection) -> SubmissionStatus:
        spend_request_nonce(connection)
        return submit.open_submission(connection, trust, caller.party_id, key, message, broker.now)

    return run_in_transaction(broker.engine, work)


@resource.route(_SUBMISSION, methods=["GET"])
@signed("institution", action="read-own-submission")
@resource.response(200, SubmissionStatus)
def show_submission(key: bytes) -> SubmissionStatus:
    """Which parts are missing, or the receipt."""
    broker, caller = broker_context(), calling_party()
    trust = broker.trust()
    with read_transaction(broker.engine) as connection:
        return submit.submission_status(connection, trust, caller.party_id, key)


@resource.route(f"{_SUBMISSION}/signature", methods=["PUT"])
@signed("institution", action="renew-signature")
@resource.arguments(SignedStatement)
@resource.response(200, SubmissionStatus)
def renew_signature(message: SignedStatement, key: bytes) -> SubmissionStatus:
    """Sign the same statement again, under the key that the newest roster names after a rotation."""
    broker, caller = broker_context(), calling_party()
    trust = broker.trust()

    def work(connection: Connection) -> SubmissionStatus:
        spend_request_nonce(connection)
        return submit.renew_signature(connection, trust, caller.party_id, key, message.statement, message.signature)

    return run_in_transaction(broker.engine, work)


@resource.route(f"{_SUBMISSION}/parts/<int(max={MOST_PARTS - 1}):part>", methods=["PUT"])
@signed("institution", action="send-part")
@resource.arguments(SubmissionPart)
@resource.response(200, SubmissionStatus)
def put_part(message: SubmissionPart, key: bytes, part: int) -> SubmissionStatus:
    """Send a part (from 0): 512 records, the rest in the last. Checked whole before anything of it is stored."""
    broker, caller = broker_context(), calling_party()
    trust = broker.trust()
    with read_transaction(broker.engine) as connection:
        expected = submit.expected_of_part(connection, trust, caller.party_id, key, part, broker.now)
    checked = check_part(message.records, part, expected)

    def work(connection: Connection) -> SubmissionStatus:
        spend_request_nonce(connection)
        return submit.store_part(connection, trust, caller.party_id, key, checked)

    return run_in_transaction(broker.engine, work)


@resource.route(f"{_SUBMISSION}/commit", methods=["POST"])
@signed("institution", action="commit-submission")
@resource.response(200, Receipt)
def commit_submission(key: bytes) -> Receipt:
    """Have the submission applied, whole or not at all; again: the same receipt."""
    broker, caller = broker_context(), calling_party()
    trust = broker.trust()

    def work(connection: Connection) -> Receipt:
        spend_request_nonce(connection)
        return submit.commit_submission(connection, trust, broker.signing_key, caller.party_id, key, broker.now)

    return run_in_transaction(broker.engine, work)
