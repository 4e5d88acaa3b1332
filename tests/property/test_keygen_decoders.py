"""Key generation's decoders answer any bytes with their value or their own error, and each encoding is the only one."""

from __future__ import annotations

import contextlib
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from crypto import keygen
from crypto.errors import InvalidCertificate, InvalidEncoding, InvalidKeygenSession, KeygenFault
from crypto.keygen import Progress, Session
from crypto.keygen_messages import FirstMessage, frame, split_certificate, unframe

fuzzed = settings(deadline=None, max_examples=int(os.environ.get("FUZZ_EXAMPLES", "300")))

SECRETS = [keygen.generate_secret_key() for _ in range(2)]
SESSION = Session.create(keygen.session_id("agreement", 1, "phone", 1), 2, [keygen.public_key(key) for key in SECRETS])
BEGUN = [keygen.begin(SESSION, index, secret) for index, secret in enumerate(SECRETS, start=1)]
MESSAGES = [progress.message for progress in BEGUN]
CERTIFIED = [
    keygen.certify(SESSION, index, secret, progress, MESSAGES)
    for index, (secret, progress) in enumerate(zip(SECRETS, BEGUN, strict=True), start=1)
]
CERTIFICATIONS = [certification for _, certification in CERTIFIED]
RESULT = keygen.finish(SESSION, 1, SECRETS[0], CERTIFIED[0][0], MESSAGES, CERTIFICATIONS)


def mutations(good: bytes) -> some.SearchStrategy[bytes]:
    """Good bytes with a piece replaced, left out or put in, and bytes that were never good."""
    places = some.tuples(some.integers(0, len(good)), some.integers(0, 40), some.binary(max_size=40))
    spliced = places.map(lambda place: good[: place[0]] + place[2] + good[place[0] + place[1] :])
    return some.one_of(some.binary(max_size=600), spliced)


@fuzzed
@given(mutations(MESSAGES[0]))
def test_a_round_one_message_is_decoded_to_what_encodes_to_it_or_its_sender_is_named(data: bytes) -> None:
    try:
        assert FirstMessage.decode(SESSION, 1, data).encode() == data
    except KeygenFault as fault:
        assert fault.participant == 1


@fuzzed
@given(mutations(MESSAGES[0]))
def test_no_round_one_message_but_the_dealer_s_own_is_certified(data: bytes) -> None:
    if data != MESSAGES[0]:
        try:
            keygen.certify(SESSION, 2, SECRETS[1], BEGUN[1], [data, MESSAGES[1]])
        except KeygenFault as fault:
            assert fault.participant == 1
        else:
            # Only what was encrypted to another participant may differ unnoticed by this one.
            decoded, good = (FirstMessage.decode(SESSION, 1, message) for message in (data, MESSAGES[0]))
            assert decoded.ciphertexts[1] == good.ciphertexts[1]
            assert decoded.commitments == good.commitments


@fuzzed
@given(mutations(CERTIFICATIONS[0]))
def test_no_round_two_message_but_the_signer_s_own_is_accepted(data: bytes) -> None:
    if data != CERTIFICATIONS[0]:
        with pytest.raises(KeygenFault):
            keygen.finish(SESSION, 2, SECRETS[1], CERTIFIED[1][0], MESSAGES, [data, CERTIFICATIONS[1]])


@fuzzed
@given(mutations(RESULT.certificate))
def test_no_certificate_but_the_one_that_was_signed_holds(data: bytes) -> None:
    if data != RESULT.certificate:
        with pytest.raises((InvalidCertificate, KeygenFault)):
            keygen.verify_certificate(SESSION, data)
    try:
        transcript, encoded, signatures = split_certificate(SESSION, data)
    except InvalidCertificate:
        return
    assert transcript.encode(SESSION) == encoded
    assert encoded + b"".join(signatures) == data


@fuzzed
@given(mutations(RESULT.recovery), some.integers(0, 3))
def test_framed_ciphertexts_are_read_to_the_last_byte_or_refused(data: bytes, count: int) -> None:
    with contextlib.suppress(InvalidEncoding):
        assert b"".join(map(frame, unframe(data, count))) == data


@fuzzed
@given(mutations(CERTIFIED[0][0].encode()))
def test_progress_is_read_to_what_writes_it_or_refused(data: bytes) -> None:
    with contextlib.suppress(InvalidKeygenSession):
        assert Progress.decode(data).encode() == data
