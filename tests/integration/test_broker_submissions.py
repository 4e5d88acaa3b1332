"""Submissions at the broker, on both databases: whole or not at all, in sequence, once."""

import secrets
from dataclasses import replace

import httpx
import pytest

from broker.store.schema import nonce
from crypto.records import pack_records
from crypto.signatures import is_valid
from policies.documents import signed_bytes
from tests.agreement_world import DAY, Submission
from tests.brokers import PART, BrokerWorld, build_broker, handle_of, made_up, opening_message, signed_submission
from wire.http_signatures import sign_request
from wire.messages.institution_status import InstitutionStatus
from wire.messages.message import encode_message
from wire.messages.submission import Receipt, SubmissionPart, SubmissionStatus
from wire.messages.withdrawal import SignedStatement
from wire.problems import RemoteProblem
from wire.service import BODY_LIMIT

PHONE = {"phone": "+441"}


@pytest.fixture
def broker(database_url: str) -> BrokerWorld:
    return build_broker(database_url)


def path(submission: Submission, rest: str = "") -> str:
    return f"/v1/submissions/{submission.statement.idempotency_key.hex()}{rest}"


def refused(status: int, type_suffix: str) -> "pytest.RaisesExc[RemoteProblem]":
    return pytest.raises(RemoteProblem, check=lambda error: (error.status, error.type_suffix) == (status, type_suffix))


def test_a_submission_in_parts_is_applied_whole_and_answered_by_a_signed_receipt(broker: BrokerWorld) -> None:
    submission = broker.made_up("bank-a", [PHONE] * (PART + 3))
    assert broker.open("bank-a", submission).missing == (0, 1)
    with refused(409, "incomplete"):
        broker.commit("bank-a", submission)
    assert broker.put_part("bank-a", submission, 1).missing == (0,)
    with refused(409, "incomplete"):
        broker.commit("bank-a", submission)
    broker.work()
    assert broker.count("entry") == 0
    assert broker.put_part("bank-a", submission, 0).missing == ()
    receipt = broker.commit("bank-a", submission)
    assert receipt.document["records"] == PART + 3
    assert receipt.document["seq"] == 1
    assert is_valid(broker.trust.broker_key, signed_bytes(dict(receipt.document)), receipt.signature)
    status = broker.session("bank-a").get(path(submission), SubmissionStatus)
    assert (status.state, status.missing, status.receipt) == ("committed", (), receipt)
    own = broker.session("bank-a").get("/v1/status", InstitutionStatus)
    assert (own.last_seq, own.records_live, own.last_receipt) == (1, PART + 3, receipt)


def test_everything_sent_again_is_answered_as_before_and_changes_nothing(broker: BrokerWorld) -> None:
    submission = broker.made_up("bank-a", [PHONE])
    receipt = broker.send("bank-a", submission)
    broker.submit("bank-a", [PHONE])
    assert broker.send("bank-a", submission) == receipt
    assert broker.count("record") == 2
    assert broker.count("submission") == 2


def test_another_body_under_the_same_key_is_refused(broker: BrokerWorld) -> None:
    submission = broker.made_up("bank-a", [PHONE])
    broker.open("bank-a", submission)
    broker.put_part("bank-a", submission, 0)
    other = broker.made_up("bank-a", [PHONE])
    packed = pack_records(replace(one) for one in submission.records)
    changed = packed[:-1] + bytes([packed[-1] ^ 1])
    with refused(409, "part-differs"):
        broker.session("bank-a").put(path(submission, "/parts/0"), SubmissionPart(changed), SubmissionStatus)
    same_key = signed_submission(
        broker.agreement,
        "bank-a",
        1,
        submission.statement.idempotency_key,
        other.records,
        other.sealed,
        b"",
    )
    with refused(409, "key-used"):
        broker.open("bank-a", same_key)


def test_the_records_must_be_those_under_the_signed_root(broker: BrokerWorld) -> None:
    submission = broker.made_up("bank-a", [PHONE, PHONE])
    swapped = replace(submission, records=submission.records[::-1])
    broker.open("bank-a", submission)
    broker.put_part("bank-a", swapped, 0)
    with refused(422, "root"):
        broker.commit("bank-a", submission)
    broker.work()
    assert broker.count("entry") == 0
    # The right one, opened anew under a key of its own, takes its place.
    broker.submit("bank-a", [PHONE])
    assert broker.count("record") == 1


def test_statements_come_in_sequence_shared_with_withdrawals(broker: BrokerWorld) -> None:
    with refused(409, "sequence") as caught:
        broker.open("bank-a", broker.made_up("bank-a", [PHONE], seq=2))
    assert caught.value.extra["expected_seq"] == 1
    first = broker.submit("bank-a", [PHONE])
    overtaken = broker.made_up("bank-a", [PHONE])
    broker.open("bank-a", overtaken)
    broker.put_part("bank-a", overtaken, 0)
    broker.withdraw("bank-a", [handle_of(first)])
    with refused(409, "sequence"):
        broker.commit("bank-a", overtaken)


def test_one_submission_is_in_flight_and_a_new_one_drops_it(broker: BrokerWorld) -> None:
    dropped = broker.made_up("bank-a", [PHONE] * 3)
    broker.open("bank-a", dropped)
    broker.put_part("bank-a", dropped, 0)
    broker.open("bank-b", broker.made_up("bank-b", [PHONE]))
    broker.submit("bank-a", [PHONE])
    with refused(404, "not-found"):
        broker.put_part("bank-a", dropped, 0)
    assert broker.count("record") == 1
    assert broker.count("submission") == 2


def test_a_handle_is_used_once_until_the_epoch_ends(broker: BrokerWorld) -> None:
    first = broker.submit("bank-a", [PHONE])
    again = _resubmitted(broker, first)
    broker.open("bank-a", again)
    with refused(409, "handle-used"):
        broker.put_part("bank-a", again, 0)
    broker.withdraw("bank-a", [handle_of(first)])
    again = _resubmitted(broker, first)
    broker.open("bank-a", again)
    with refused(409, "handle-used"):
        broker.put_part("bank-a", again, 0)
    assert broker.count("record") == 0


def _resubmitted(broker: BrokerWorld, first: Submission) -> Submission:
    """The same records in a statement of their own, next in sequence."""
    seq = broker.seqs["bank-a"] + 1
    fresh = made_up(broker.agreement, "bank-a", [PHONE], seq=seq)
    from crypto.records import Context, Head
    from tests.brokers import made_up_record

    old = Head.decode(first.records[0].head).context
    context = Context(old.epoch_id, old.institution_id, old.handle, old.issued_at, old.expires_at)
    reference = Head.decode(fresh.records[0].head).sealed_ref
    record = made_up_record(broker.agreement, context, PHONE, reference)
    key = fresh.statement.idempotency_key
    return signed_submission(broker.agreement, "bank-a", seq, key, [record], fresh.sealed, b"")


def test_a_statement_is_the_callers_own_and_signed_under_its_rostered_key(broker: BrokerWorld) -> None:
    submission = broker.made_up("bank-a", [PHONE])
    with refused(403, "other-institution"):
        broker.open("bank-b", submission)
    stolen = replace(submission, signature=broker.agreement.parties["bank-b"].signing_key.sign(b"x"))
    with refused(422, "statement-signature"):
        broker.open("bank-a", stolen)
    broker.open("bank-a", submission)
    with refused(404, "not-found"):
        broker.session("bank-b").get(path(submission), SubmissionStatus)
    with refused(422, "other-key"):
        wrong = f"/v1/submissions/{secrets.token_hex(16)}"
        broker.session("bank-a").put(wrong, opening_message(submission), SubmissionStatus)
    statement = SignedStatement(submission.statement.encode(), bytes(64))
    with refused(422, "statement-signature"):
        broker.session("bank-a").put(path(submission, "/signature"), statement, SubmissionStatus)
    renewed = replace(statement, signature=submission.signature)
    assert broker.session("bank-a").put(path(submission, "/signature"), renewed, SubmissionStatus).state == "open"


def test_the_secret_is_sealed_to_every_unexpired_recipient_once(broker: BrokerWorld) -> None:
    submission = broker.made_up("bank-a", [PHONE])
    twice = replace(submission, sealed=submission.sealed * 2)
    with refused(422, "recipients"):
        broker.open("bank-a", twice)
    stranger = replace(submission, sealed=(replace(submission.sealed[0], recipient_id="mallory"),))
    with refused(422, "recipients"):
        broker.open("bank-a", stranger)
    message = replace(opening_message(submission), roster_version=2)
    with refused(422, "roster-version"):
        broker.session("bank-a").put(path(submission), message, SubmissionStatus)
    message = replace(opening_message(submission), parts=2)
    with refused(422, "parts"):
        broker.session("bank-a").put(path(submission), message, SubmissionStatus)


def test_a_closed_epoch_takes_nothing_more(broker: BrokerWorld) -> None:
    submission = broker.made_up("bank-a", [PHONE])
    broker.open("bank-a", submission)
    broker.put_part("bank-a", submission, 0)
    broker.clock.advance(days=90)
    with refused(409, "epoch-closed"):
        broker.commit("bank-a", submission)
    with refused(409, "epoch-closed"):
        broker.open("bank-a", broker.made_up("bank-a", [PHONE]))


def test_a_replayed_request_has_no_second_effect_across_hosts_restart_and_withdrawal(
    broker: BrokerWorld, database_url: str
) -> None:
    """Attack 12."""
    submission = broker.made_up("bank-a", [PHONE])
    broker.open("bank-a", submission)
    broker.put_part("bank-a", submission, 0)
    address = "https://broker.example" + path(submission, "/commit")
    key = broker.agreement.parties["bank-a"].signing_key
    headers = sign_request(key, "bank-a", "POST", address, b"", broker.clock.now())
    with httpx.Client(transport=httpx.WSGITransport(app=broker.app)) as client:
        assert client.post(address, headers=headers).status_code == 200
        assert client.post(address, headers=headers).status_code == 409
        elsewhere = {**dict(headers), "Host": "other.example"}
        assert client.post(address, headers=elsewhere).status_code in (401, 409)
    restarted = build_again(broker, database_url)
    with httpx.Client(transport=httpx.WSGITransport(app=restarted.app)) as client:
        assert client.post(address, headers=headers).status_code == 409
        broker.seqs["bank-a"] = 1
        broker.withdraw("bank-a", [handle_of(submission)])
        assert client.post(address, headers=headers).status_code == 409
        broker.clock.advance(days=1)
        assert client.post(address, headers=headers).status_code == 401
    # A fresh request for the old submission answers the old receipt, and brings nothing back.
    receipt = broker.session("bank-a").post(path(submission, "/commit"), None, Receipt)
    assert receipt.document["seq"] == 1
    broker.work()
    assert broker.count("record") == broker.count("entry") == 0


def build_again(broker: BrokerWorld, database_url: str) -> BrokerWorld:
    """The same broker in another process's place, on the same database."""
    from broker.app import create_app
    from broker.settings import BrokerSettings
    from runtime.database import open_engine

    app = create_app(
        BrokerSettings(),
        signing_key=broker.agreement.parties["broker"].signing_key,
        pinned_hash=broker.agreement.agreement.hash,
        clock=broker.clock,
        engine=open_engine(database_url),
    )
    return replace(broker, app=app)


def test_a_withdrawal_again_gets_the_same_receipt_and_unknown_handles_stay_dead(broker: BrokerWorld) -> None:
    unknown = secrets.token_bytes(16)
    message = broker.withdrawal("bank-a", [unknown])
    first = broker.session("bank-a").post("/v1/withdrawals", message, Receipt)
    broker.seqs["bank-a"] = 1
    broker.submit("bank-a", [PHONE])
    assert broker.session("bank-a").post("/v1/withdrawals", message, Receipt) == first
    other = broker.withdrawal("bank-a", [secrets.token_bytes(16)], seq=1)
    with refused(409, "sequence"):
        broker.session("bank-a").post("/v1/withdrawals", other, Receipt)
    forged = replace(broker.withdrawal("bank-a", [unknown]), signature=bytes(64))
    with refused(422, "statement-signature"):
        broker.session("bank-a").post("/v1/withdrawals", forged, Receipt)
    with refused(403, "other-institution"):
        broker.session("bank-b").post("/v1/withdrawals", broker.withdrawal("bank-a", [unknown]), Receipt)
    assert broker.count("tombstone") == 1


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(broker: BrokerWorld) -> None:
    submission = broker.made_up("bank-a", [PHONE])
    broker.open("bank-a", submission)
    assert len(encode_message(SubmissionPart(bytes(6 * 2**20)))) > BODY_LIMIT
    with refused(413, "too-large"):
        broker.session("bank-a").put(path(submission, "/parts/0"), SubmissionPart(bytes(6 * 2**20)), SubmissionStatus)


def test_the_nonces_of_a_request_are_spent_in_its_transaction(broker: BrokerWorld) -> None:
    before = broker.count(nonce.name)
    with refused(409, "sequence"):
        broker.open("bank-a", broker.made_up("bank-a", [PHONE], seq=5))
    assert broker.count(nonce.name) == before
    broker.submit("bank-a", [PHONE])
    assert broker.count(nonce.name) == before + 3
    assert broker.clock.now().timestamp() > DAY
