"""Key generation: every published vector byte for byte, the key that comes out, and every way to cheat, by name."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha512
from itertools import combinations
from typing import Any

import pytest

from crypto import group, keygen, oprf, scalars, schnorr, shares
from crypto.errors import (
    InvalidCertificate,
    InvalidEncoding,
    InvalidKeygenSession,
    InvalidSignature,
    KeygenFault,
)
from crypto.keygen import Progress, Session
from crypto.keygen_messages import SUITE, FirstMessage, Transcript, frame, split_certificate, unframe
from crypto.keygen_shares import seal_shares
from tests.worked_bytes import unhex, worked

FILE = worked("cocktail-dkg-ristretto255-sha512", "cocktail_dkg")
NAMES = [f"{vector['t']} of {vector['n']}{' with payloads' * ('payloads' in vector)}" for vector in FILE["vectors"]]


class Circle:
    """All participants of one session, honest unless a test makes one of them otherwise."""

    def __init__(self, threshold: int = 2, participants: int = 3, family: str = "phone") -> None:
        self.secret_keys = [keygen.generate_secret_key() for _ in range(participants)]
        self.indexes = range(1, participants + 1)
        identifier = keygen.session_id("agreement.example", 1, family, 1)
        self.session = Session.create(identifier, threshold, [keygen.public_key(key) for key in self.secret_keys])

    def begin(self) -> list[Progress]:
        return [keygen.begin(self.session, index, self.secret_keys[index - 1]) for index in self.indexes]

    def certify(self, index: int, progress: Progress, messages: list[bytes]) -> tuple[Progress, bytes]:
        return keygen.certify(self.session, index, self.secret_keys[index - 1], progress, messages)

    def finish(
        self, index: int, progress: Progress, messages: list[bytes], certifications: list[bytes]
    ) -> keygen.KeygenResult:
        return keygen.finish(self.session, index, self.secret_keys[index - 1], progress, messages, certifications)

    def run(self) -> list[keygen.KeygenResult]:
        begun = self.begin()
        messages = [progress.message for progress in begun]
        certified = [self.certify(index, begun[index - 1], messages) for index in self.indexes]
        certifications = [certification for _, certification in certified]
        return [self.finish(index, certified[index - 1][0], messages, certifications) for index in self.indexes]


def vector_session(vector: dict[str, Any]) -> Session:
    keys = [unhex(text) for text in vector["config"]["static_public_keys"]]
    return Session.create(unhex(vector["session_tag"]), vector["t"], keys)


def vector_randomness(vector: dict[str, Any], index: int) -> bytes:
    """Round one's random bytes of a participant, as the vectors' README says how they follow from the seed."""
    label = f"round1_participant_{index}".encode()
    start = unhex(FILE["seed"]) + SUITE + struct.pack("<II", vector["t"], vector["n"]) + label
    return b"".join(sha512(start + struct.pack("<Q", counter)).digest() for counter in range(vector["t"] + 1))


def test_all_published_vectors_of_the_suite_are_here() -> None:
    assert FILE["ciphersuite"].encode() == SUITE
    assert NAMES == ["2 of 3", "3 of 5", "7 of 14", "2 of 3 with payloads"]


@pytest.mark.parametrize("vector", FILE["vectors"], ids=NAMES)
def test_the_published_vectors_hold_byte_for_byte(vector: dict[str, Any]) -> None:
    session, extension = vector_session(vector), unhex(vector["extension"])
    secret_keys = [unhex(text) for text in vector["config"]["static_secret_keys"]]
    payloads = tuple(unhex(text) for text in vector.get("payloads", [""] * vector["n"]))
    assert session.context.hex() == vector["context"]
    assert [keygen.public_key(key) for key in secret_keys] == list(session.public_keys)
    begun = []
    for published in vector["round1"]:
        index = published["participant_id"]
        progress = keygen.begin(
            session,
            index,
            secret_keys[index - 1],
            payload=payloads[index - 1],
            randomness=vector_randomness(vector, index),
        )
        message = FirstMessage.decode(session, index, progress.message)
        assert [commitment.hex() for commitment in message.commitments] == published["vss_commitment"]
        assert message.ephemeral_key.hex() == published["ephemeral_public_key"]
        assert message.possession.hex() == published["pop"]
        assert [ciphertext.hex() for ciphertext in message.ciphertexts] == published["encrypted_shares"]
        begun.append(progress)
    messages = [progress.message for progress in begun]
    certified = [
        keygen.certify(session, index, key, begun[index - 1], messages, extension=extension)
        for index, key in enumerate(secret_keys, start=1)
    ]
    certifications = [certification for _, certification in certified]
    for published in vector["round2"]:
        index = published["participant_id"]
        progress, key = certified[index - 1][0], secret_keys[index - 1]
        result = keygen.finish(session, index, key, progress, messages, certifications, extension=extension)
        assert result.share.hex() == published["secret_share"]
        assert shares.public_share(result.commitments, index).hex() == published["verification_share"]
        assert result.commitments[0].hex() == vector["group_public_key"]
        assert result.payloads == payloads
        _, transcript, signatures = split_certificate(session, result.certificate)
        assert sha512(transcript).hexdigest() == vector["round3"]["transcript_hash"]
        assert [sig.hex() for sig in signatures] == [one["signature"] for one in vector["round3"]["signatures"]]
        assert keygen.verify_certificate(session, result.certificate) == result.commitments
        assert keygen.recover(session, index, key, result.certificate, result.recovery) == result


@pytest.mark.parametrize("vector", [one for one in FILE["vectors"] if "recovery" in one], ids=["plain", "payloads"])
def test_the_published_recoveries_hold(vector: dict[str, Any]) -> None:
    session, recovery = vector_session(vector), vector["recovery"]
    signatures = [unhex(one["signature"]) for one in vector["round3"]["signatures"]]
    transcript = Transcript(
        tuple(tuple(unhex(text) for text in one["vss_commitment"]) for one in vector["round1"]),
        tuple(unhex(one["pop"]) for one in vector["round1"]),
        tuple(unhex(one["ephemeral_public_key"]) for one in vector["round1"]),
        unhex(vector["extension"]),
    )
    certificate = transcript.encode(session) + b"".join(signatures)
    bundle = b"".join(frame(unhex(ciphertext)) for ciphertext in recovery["ciphertexts"])
    index = recovery["participant_id"]
    result = keygen.recover(session, index, unhex(vector["config"]["static_secret_keys"][0]), certificate, bundle)
    assert result.share.hex() == recovery["recovered_secret_share"]
    assert shares.public_share(result.commitments, index).hex() == recovery["recovered_verification_share"]


@pytest.mark.parametrize("vector", FILE["vectors"], ids=NAMES)
def test_the_published_signatures_follow_from_their_intermediate_values(vector: dict[str, Any]) -> None:
    for published in vector["round1"]:
        between = published["pop_intermediate"]
        assert scalars.reduce(sha512(unhex(between["nonce_input"])).digest()).hex() == between["nonce"]
        assert scalars.reduce(sha512(unhex(between["challenge_input"])).digest()).hex() == between["challenge"]
        public_key = unhex(published["vss_commitment"][0])
        schnorr.verify(public_key, unhex(between["message"]), unhex(published["pop"]))


@pytest.mark.parametrize(("threshold", "participants"), [(1, 1), (1, 2), (2, 2), (2, 3), (3, 5)])
def test_any_threshold_of_the_participants_evaluates_with_a_key_that_none_of_them_has(
    threshold: int, participants: int
) -> None:
    results = Circle(threshold, participants).run()
    commitments, certificate = results[0].commitments, results[0].certificate
    assert len(commitments) == threshold
    assert all((result.commitments, result.certificate) == (commitments, certificate) for result in results)
    elements, outputs = oprf.hash_inputs([b"x"]), set()
    for holder_set in combinations(range(1, participants + 1), threshold):
        answers = []
        for index in holder_set:
            share = results[index - 1].share
            evaluation = shares.evaluate_share(share, commitments, index, holder_set, elements)
            shares.verify_share(commitments, index, holder_set, elements, evaluation)
            answers.append(evaluation.elements)
        outputs.add(shares.combine(answers))
    assert len(outputs) == 1
    if threshold > 1:
        assert all(group.multiply_base(result.share) != commitments[0] for result in results)


def test_two_generations_of_the_same_holders_give_two_keys() -> None:
    circle = Circle()
    assert circle.run()[0].commitments[0] != circle.run()[0].commitments[0]


def test_the_session_binds_agreement_number_family_attempt_participants_and_their_order() -> None:
    keys = [keygen.public_key(keygen.generate_secret_key()) for _ in range(3)]
    named = ("agreement", 1, "phone", 1)
    contexts = {
        Session.create(keygen.session_id(*identifier), 2, ordered).context
        for identifier in (named, ("other", 1, "phone", 1), ("agreement", 2, "phone", 1), ("agreement", 1, "email", 1))
        for ordered in (keys, keys[::-1], keys[:2])
    } | {Session.create(keygen.session_id("agreement", 1, "phone", 2), 2, keys).context}
    assert len(contexts) == 13
    assert keygen.session_id(*named) == (
        b"crosslight/v1 keygen\0" + b"\0\x09agreement" + bytes(7) + b"\1" + b"\0\5phone" + bytes(3) + b"\1"
    )


@pytest.mark.parametrize(
    ("threshold", "spoil", "reason"),
    [
        (0, lambda keys: keys, "no threshold"),
        (4, lambda keys: keys, "no threshold"),
        (1, lambda keys: [], "no threshold"),
        (2, lambda keys: [keys[0], keys[1], keys[0]], "same public key"),
        (2, lambda keys: [keys[0], keys[1], group.IDENTITY], "refused"),
        (2, lambda keys: [keys[0], keys[1], b"\xff" * 32], "refused"),
        (2, lambda keys: [keys[0], keys[1], keys[2][:31]], "32 bytes"),
    ],
)
def test_an_impossible_session_is_refused(
    threshold: int, spoil: Callable[[list[bytes]], list[bytes]], reason: str
) -> None:
    keys = [keygen.public_key(keygen.generate_secret_key()) for _ in range(3)]
    with pytest.raises(InvalidKeygenSession, match=reason):
        Session.create(b"session", threshold, spoil(keys))


def test_another_s_secret_key_or_index_is_refused() -> None:
    circle = Circle()
    with pytest.raises(InvalidKeygenSession, match="not the one of participant 2"):
        keygen.begin(circle.session, 2, circle.secret_keys[0])
    for index in (0, 4):
        with pytest.raises(InvalidKeygenSession, match="no participant"):
            keygen.begin(circle.session, index, circle.secret_keys[0])


def rewritten(circle: Circle, message: bytes, **changes: Any) -> bytes:
    """Participant 3's round-one message with some parts changed, its proof of possession made by nobody."""
    return replace(FirstMessage.decode(circle.session, 3, message), **changes).encode()


def cheat_with_possession(circle: Circle, message: bytes) -> bytes:
    return rewritten(circle, message, possession=schnorr.sign(scalars.random_scalars(1), b"something"))


def cheat_with_another_s_commitment(circle: Circle, message: bytes) -> bytes:
    return rewritten(circle, message, commitments=tuple(group.split(group.multiply_base(scalars.random_scalars(2)))))


def cheat_with_the_ephemeral_key(circle: Circle, message: bytes) -> bytes:
    return rewritten(circle, message, ephemeral_key=group.multiply_base(scalars.random_scalars(1)))


def cheat_with_a_garbled_ciphertext(circle: Circle, message: bytes) -> bytes:
    decoded = FirstMessage.decode(circle.session, 3, message)
    garbled = (bytes(48), *decoded.ciphertexts[1:])
    return rewritten(circle, message, ciphertexts=garbled)


def cheat_with_the_identity(circle: Circle, message: bytes) -> bytes:
    return group.IDENTITY + message[32:]


def cheat_with_one_commitment_more(circle: Circle, message: bytes) -> bytes:
    return message[:64] + group.GENERATOR + message[64:]


def cheat_with_a_length(circle: Circle, message: bytes) -> bytes:
    return message[:160] + (2**40).to_bytes(8, "big") + message[168:]


def cheat_by_ending_early(circle: Circle, message: bytes) -> bytes:
    return message[:-1]


def cheat_by_going_on(circle: Circle, message: bytes) -> bytes:
    return message + b"\0"


def cheat_by_saying_nothing(circle: Circle, message: bytes) -> bytes:
    return b""


@pytest.mark.parametrize(
    "cheat",
    [
        cheat_with_possession,
        cheat_with_another_s_commitment,
        cheat_with_the_ephemeral_key,
        cheat_with_a_garbled_ciphertext,
        cheat_with_the_identity,
        cheat_with_one_commitment_more,
        cheat_with_a_length,
        cheat_by_ending_early,
        cheat_by_going_on,
        cheat_by_saying_nothing,
    ],
)
def test_a_participant_that_sends_something_else_is_named(cheat: Callable[[Circle, bytes], bytes]) -> None:
    circle = Circle()
    begun = circle.begin()
    messages = [progress.message for progress in begun]
    messages[2] = cheat(circle, messages[2])
    with pytest.raises(KeygenFault) as fault:
        circle.certify(1, begun[0], messages)
    assert fault.value.participant == 3


def test_a_dealer_whose_share_is_off_its_polynomial_is_named_by_whom_it_cheats() -> None:
    circle = Circle()
    begun = circle.begin()
    # Participant 3 commits to one polynomial, with a valid proof, and deals participant 1 a share of another.
    honest = FirstMessage.decode(circle.session, 3, begun[2].message)
    ephemeral = scalars.random_scalars(1)
    coefficients = group.split(scalars.random_scalars(2))
    commitments = group.multiply_base(b"".join(coefficients))
    ephemeral_key = group.multiply_base(ephemeral)
    dealt = seal_shares(circle.session, 3, circle.secret_keys[2], coefficients, ephemeral, ephemeral_key)
    other = [coefficients[0], scalars.random_scalars(1)]
    off = seal_shares(circle.session, 3, circle.secret_keys[2], other, ephemeral, ephemeral_key)
    possession = schnorr.sign(coefficients[0], circle.session.context + commitments + ephemeral_key)
    cheating = replace(
        honest,
        commitments=tuple(group.split(commitments)),
        possession=possession,
        ephemeral_key=ephemeral_key,
        ciphertexts=(off[0], *dealt[1:]),
    ).encode()
    messages = [begun[0].message, begun[1].message, cheating]
    with pytest.raises(KeygenFault, match="sent to participant 1 is not the one it committed to") as fault:
        circle.certify(1, begun[0], messages)
    assert fault.value.participant == 3
    circle.certify(2, begun[1], messages)


def test_a_message_of_another_session_is_refused_and_its_sender_named() -> None:
    circle = Circle()
    begun = circle.begin()
    other = Session.create(b"another", 2, circle.session.public_keys)
    replayed = keygen.begin(other, 3, circle.secret_keys[2]).message
    with pytest.raises(KeygenFault, match="proof of possession") as fault:
        circle.certify(1, begun[0], [begun[0].message, begun[1].message, replayed])
    assert fault.value.participant == 3


def test_a_split_view_is_refused_and_who_showed_two_messages_is_named() -> None:
    circle = Circle()
    begun = circle.begin()
    second = keygen.begin(circle.session, 3, circle.secret_keys[2])
    shown_to_1 = [begun[0].message, begun[1].message, begun[2].message]
    shown_to_2 = [begun[0].message, begun[1].message, second.message]
    progress, certification = circle.certify(1, begun[0], shown_to_1)
    _, other = circle.certify(2, begun[1], shown_to_2)
    _, third = circle.certify(3, begun[2], shown_to_1)
    with pytest.raises(KeygenFault, match="participant 2 says it saw another") as fault:
        circle.finish(1, progress, shown_to_1, [certification, other, third])
    assert fault.value.participant == 3


def test_a_wrong_signature_on_the_transcript_is_refused_and_its_maker_named() -> None:
    circle = Circle()
    begun = circle.begin()
    messages = [progress.message for progress in begun]
    certified = [circle.certify(index, begun[index - 1], messages) for index in circle.indexes]
    certifications = [certification for _, certification in certified]
    for wrong in (
        certifications[1][:-64] + schnorr.sign(circle.secret_keys[1], b"another transcript"),
        certifications[1][:-64] + certifications[0][-64:],
        certifications[1][:-1],
        b"",
    ):
        with pytest.raises(KeygenFault) as fault:
            circle.finish(1, certified[0][0], messages, [certifications[0], wrong, certifications[2]])
        assert fault.value.participant == 2


def test_our_own_message_shown_changed_is_noticed() -> None:
    circle = Circle()
    begun = circle.begin()
    other = keygen.begin(circle.session, 1, circle.secret_keys[0])
    with pytest.raises(KeygenFault, match="not the one that we sent"):
        circle.certify(1, begun[0], [other.message, begun[1].message, begun[2].message])


def test_a_participant_certifies_one_transcript_a_session_and_names_whose_message_changed() -> None:
    circle = Circle()
    begun = circle.begin()
    messages = [progress.message for progress in begun]
    progress, certification = circle.certify(1, begun[0], messages)
    assert circle.certify(1, progress, messages) == (progress, certification)
    messages[1] = keygen.begin(circle.session, 2, circle.secret_keys[1]).message
    with pytest.raises(KeygenFault, match="changed after it was certified") as fault:
        circle.certify(1, progress, messages)
    assert fault.value.participant == 2
    with pytest.raises(InvalidKeygenSession, match="not the ones that were certified"):
        circle.finish(1, progress, messages, [certification] * 3)


def test_too_few_messages_are_refused() -> None:
    circle = Circle()
    begun = circle.begin()
    messages = [progress.message for progress in begun]
    with pytest.raises(InvalidKeygenSession, match="2 round-one messages of 3"):
        circle.certify(1, begun[0], messages[:2])
    progress, certification = circle.certify(1, begun[0], messages)
    with pytest.raises(InvalidKeygenSession, match="1 signatures of 3"):
        circle.finish(1, progress, messages, [certification])


def test_progress_survives_being_written_down_between_all_steps() -> None:
    circle = Circle()
    begun = [Progress.decode(progress.encode()) for progress in circle.begin()]
    messages = [progress.message for progress in begun]
    certified = [circle.certify(index, begun[index - 1], messages) for index in circle.indexes]
    written = [Progress.decode(progress.encode()) for progress, _ in certified]
    assert written == [progress for progress, _ in certified]
    certifications = [certification for _, certification in certified]
    assert circle.finish(2, written[1], messages, certifications).commitments
    for damaged in (b"", b"\0\0\0\1abc", b"\0\0\0\0"):
        with pytest.raises(InvalidKeygenSession):
            Progress.decode(damaged)


def test_neither_progress_nor_result_shows_a_secret() -> None:
    circle = Circle()
    results = circle.run()
    for result in results:
        assert result.share.hex() not in repr(result)
        assert repr(result.share) not in repr(result)
    progress = circle.begin()[0]
    assert circle.secret_keys[0] not in progress.encode()


def test_a_certificate_convinces_a_stranger_of_the_commitments_and_of_nothing_else() -> None:
    circle = Circle()
    result = circle.run()[0]
    session, certificate = circle.session, result.certificate
    assert keygen.verify_certificate(session, certificate) == result.commitments
    elsewhere = Session.create(b"another", 2, session.public_keys)
    lower = Session.create(keygen.session_id("agreement.example", 1, "phone", 1), 1, session.public_keys)
    for other in (elsewhere, lower):
        with pytest.raises(InvalidCertificate):
            keygen.verify_certificate(other, certificate)
    for wrong in (certificate[:-1], certificate + b"\0", b"", certificate[:-128]):
        with pytest.raises(InvalidCertificate):
            keygen.verify_certificate(session, wrong)
    for place in range(len(certificate) - 192, len(certificate), 64):
        changed = bytearray(certificate)
        changed[place + 40] ^= 1
        with pytest.raises(KeygenFault) as fault:
            keygen.verify_certificate(session, bytes(changed))
        assert fault.value.participant == (place - (len(certificate) - 192)) // 64 + 1


def test_any_changed_commitment_or_proof_in_a_certificate_is_found() -> None:
    circle = Circle()
    session, certificate = circle.session, circle.run()[0].certificate
    transcript, encoded, signatures = split_certificate(session, certificate)
    other = group.multiply_base(scalars.random_scalars(1))
    for changed, named in (
        (replace(transcript, commitments=((other, transcript.commitments[0][1]), *transcript.commitments[1:])), 1),
        (replace(transcript, commitments=(*transcript.commitments[:2], (group.IDENTITY, other))), 3),
        (replace(transcript, possessions=(transcript.possessions[0],) * 3), 2),
        (replace(transcript, ephemeral_keys=(*transcript.ephemeral_keys[:2], other)), 3),
        (replace(transcript, extension=b"more"), 1),
    ):
        with pytest.raises(KeygenFault) as fault:
            keygen.verify_certificate(session, changed.encode(session) + b"".join(signatures))
        assert fault.value.participant == named
    assert transcript.encode(session) == encoded


def test_commitments_that_cancel_out_are_refused() -> None:
    circle = Circle(2, 2)
    first, second = (scalars.random_scalars(1) for _ in range(2))
    negative = scalars.subtract(scalars.ZERO, first)
    keys = [(first, second), (negative, second)]
    commitments = tuple(tuple(group.split(group.multiply_base(b"".join(pair)))) for pair in keys)
    ephemeral_key = group.GENERATOR
    possessions = tuple(
        schnorr.sign(pair[0], circle.session.context + b"".join(dealt) + ephemeral_key)
        for pair, dealt in zip(keys, commitments, strict=True)
    )
    encoded = Transcript(commitments, possessions, (ephemeral_key,) * 2).encode(circle.session)
    certificate = encoded + b"".join(schnorr.sign(key, encoded) for key in circle.secret_keys)
    with pytest.raises(InvalidCertificate, match="cancel out"):
        keygen.verify_certificate(circle.session, certificate)


def test_a_lost_share_comes_back_from_the_static_key_and_what_was_kept() -> None:
    circle = Circle(3, 5)
    for index, result in enumerate(circle.run(), start=1):
        key = circle.secret_keys[index - 1]
        assert keygen.recover(circle.session, index, key, result.certificate, result.recovery) == result
    with pytest.raises(KeygenFault, match="does not open") as fault:
        keygen.recover(circle.session, 1, circle.secret_keys[0], result.certificate, result.recovery)
    assert fault.value.participant == 1
    for wrong in (result.recovery[:-1], result.recovery + b"\0", b""):
        with pytest.raises(InvalidEncoding):
            keygen.recover(circle.session, 5, circle.secret_keys[4], result.certificate, wrong)


@pytest.mark.parametrize("length", [0, 47, 65_537, 2**63])
def test_a_ciphertext_shorter_or_longer_than_any_may_be_is_refused(length: int) -> None:
    with pytest.raises(InvalidEncoding, match="out of bounds"):
        unframe(length.to_bytes(8, "big") + bytes(min(length, 100_000)), 1)
    assert unframe(frame(bytes(48)) + frame(bytes(65_536)), 2) == (bytes(48), bytes(65_536))


def test_schnorr_signatures_are_refused_for_other_keys_messages_and_forms() -> None:
    secret = scalars.random_scalars(1)
    public = group.multiply_base(secret)
    signature = schnorr.sign(secret, b"message")
    schnorr.verify(public, b"message", signature)
    response = int.from_bytes(signature[32:], "little")
    for key, message, wrong in (
        (group.GENERATOR, b"message", signature),
        (group.IDENTITY, b"message", signature),
        (b"\xff" * 32, b"message", signature),
        (public, b"other", signature),
        (public, b"message", signature[:32] + scalars.encode(response + 1)),
        (public, b"message", signature[:32] + (response + scalars.ORDER).to_bytes(32, "little")),
        (public, b"message", group.IDENTITY + signature[32:]),
        (public, b"message", signature[:32] + bytes(32)),
        (public, b"message", b"\xff" * 32 + signature[32:]),
        (public, b"message", signature[:-1]),
        (public, b"message", b""),
    ):
        with pytest.raises(InvalidSignature):
            schnorr.verify(key, message, wrong)
