"""Distributed generation of a split key: C2SP cocktail-dkg v0.2.1, suite COCKTAIL(Ristretto255, SHA-512).

Three steps: `begin` (round one), `certify` (check everybody's shares, sign the transcript), `finish` (check every
signature). Nobody ever holds the key whole. It knows participants by index, no party's name, no file and no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from crypto import group, scalars, schnorr
from crypto.errors import CryptoError, InvalidCertificate, InvalidKeygenSession, InvalidSignature, KeygenFault
from crypto.keygen_messages import (
    VIEW_LENGTH,
    FirstMessage,
    Session,
    Transcript,
    frame,
    session_id,
    signed_bytes,
    split_certificate,
    unframe,
    view,
)
from crypto.keygen_shares import open_share, seal_shares
from crypto.shares import check_share

__all__ = [
    "KeygenResult",
    "Progress",
    "Session",
    "begin",
    "certify",
    "finish",
    "generate_secret_key",
    "public_key",
    "recover",
    "session_id",
    "signed_bytes",
    "verify_certificate",
]


@dataclass(frozen=True)
class Progress:
    """Where a participant stands between steps. Nothing in it is secret; it must survive a crash before a step's
    message leaves, for a participant that signed two transcripts of one session could be used to split the others.
    """

    message: bytes
    views: bytes = b""

    def encode(self) -> bytes:
        """The views' length in four bytes, the views, the own round-one message."""
        return len(self.views).to_bytes(4, "big") + self.views + self.message

    @classmethod
    def decode(cls, data: bytes) -> Progress:
        """Read back what `encode` wrote; InvalidKeygenSession for anything else."""
        length = int.from_bytes(data[:4], "big")
        if length % VIEW_LENGTH or len(data) <= 4 + length:
            raise InvalidKeygenSession("this is not the progress of a key generation")
        return cls(data[4 + length :], data[4 : 4 + length])


@dataclass(frozen=True)
class KeygenResult:
    """What a participant has in the end.

    `share` (32 bytes) is its secret; `commitments` are A_0.. (32 bytes each); `certificate` proves them to anybody;
    `recovery` are the encrypted shares sent to this participant, from which `recover` finds the share again.
    """

    share: bytes = field(repr=False)
    commitments: tuple[bytes, ...]
    certificate: bytes = field(repr=False)
    recovery: bytes = field(repr=False)
    payloads: tuple[bytes, ...] = field(repr=False, default=())


def generate_secret_key() -> bytes:
    """A participant's static secret key: a random scalar (32 bytes)."""
    return scalars.random_scalars(1)


def public_key(secret_key: bytes) -> bytes:
    """The static public key (32 bytes) of a static secret key."""
    scalars.check_scalars(secret_key)
    return group.multiply_base(secret_key)


def begin(
    session: Session, index: int, secret_key: bytes, *, payload: bytes = b"", randomness: bytes | None = None
) -> Progress:
    """Round one: a secret polynomial, its commitments, and a share of it encrypted to each participant.

    The message to send to all is `Progress.message`. The polynomial is not kept: the own share is in the message.
    `payload` travels with each share; `randomness` (64 bytes for the ephemeral key, then for each coefficient) is for
    test vectors alone.
    """
    _check_own(session, index, secret_key)
    if randomness is None:
        drawn = scalars.random_scalars(session.threshold + 1)
    else:
        drawn = scalars.reduce(randomness)
    scalars.check_scalars(drawn)
    coefficients, ephemeral = group.split(drawn[:-32]), drawn[-32:]
    commitments = group.multiply_base(drawn[:-32])
    ephemeral_key = group.multiply_base(ephemeral)
    possession = schnorr.sign(coefficients[0], session.context + commitments + ephemeral_key)
    ciphertexts = seal_shares(session, index, secret_key, coefficients, ephemeral, ephemeral_key, payload)
    return Progress(FirstMessage(tuple(group.split(commitments)), possession, ephemeral_key, ciphertexts).encode())


def certify(
    session: Session,
    index: int,
    secret_key: bytes,
    progress: Progress,
    messages: Sequence[bytes],
    *,
    extension: bytes = b"",
) -> tuple[Progress, bytes]:
    """Round two: check all round-one messages (in order, the own one among them) and sign their transcript.

    Returns the progress to store and then the message to send: 32 bytes for each participant that say which round-one
    message was seen, and the signature (64 bytes). Raises KeygenFault naming a participant whose proof of possession,
    encryption or share is wrong, or whose message is not the one that was certified before.
    """
    views = b"".join(map(view, messages))
    if progress.views and progress.views != views:
        raise KeygenFault(
            _first_difference(progress.views, views), "its round-one message changed after it was certified"
        )
    decoded = _check_messages(session, index, progress, messages)
    _open_shares(session, index, secret_key, decoded)
    transcript = Transcript.of(decoded, extension).encode(session)
    return Progress(progress.message, views), views + schnorr.sign(secret_key, transcript)


def finish(
    session: Session,
    index: int,
    secret_key: bytes,
    progress: Progress,
    messages: Sequence[bytes],
    certifications: Sequence[bytes],
    *,
    extension: bytes = b"",
) -> KeygenResult:
    """Round three: check that all saw and signed the same, and take the share.

    Raises KeygenFault naming who showed different round-one messages to different participants (a split view), or
    whose signature is wrong.
    """
    if progress.views != b"".join(map(view, messages)):
        raise InvalidKeygenSession("these round-one messages are not the ones that were certified here")
    decoded = _check_messages(session, index, progress, messages)
    transcript = Transcript.of(decoded, extension)
    encoded = transcript.encode(session)
    signatures = _check_certifications(session, progress.views, encoded, certifications)
    shares, payloads = _open_shares(session, index, secret_key, decoded)
    commitments = _aggregate(session, transcript)
    share = scalars.total(shares)
    check_share(share, commitments, index)
    recovery = b"".join(frame(message.ciphertexts[index - 1]) for message in decoded)
    return KeygenResult(share, commitments, encoded + b"".join(signatures), recovery, payloads)


def verify_certificate(session: Session, certificate: bytes) -> tuple[bytes, ...]:
    """The commitments A_0.. (32 bytes each) that every participant signed for.

    Raises InvalidCertificate where the certificate is of another session, and KeygenFault naming the participant whose
    proof of possession or signature does not hold.
    """
    transcript, encoded, signatures = split_certificate(session, certificate)
    for number, (commitments, ephemeral_key, possession) in enumerate(
        zip(transcript.commitments, transcript.ephemeral_keys, transcript.possessions, strict=True), start=1
    ):
        try:
            group.check_elements(b"".join(commitments) + ephemeral_key)
        except CryptoError as fault:
            raise KeygenFault(number, f"a commitment or the ephemeral key is refused: {fault}") from fault
        _check_possession(session, number, commitments, ephemeral_key, possession)
    for number, (key, signature) in enumerate(zip(session.public_keys, signatures, strict=True), start=1):
        try:
            schnorr.verify(key, encoded, signature)
        except InvalidSignature as fault:
            raise KeygenFault(number, f"its signature on the transcript does not hold: {fault}") from fault
    return _aggregate(session, transcript)


def recover(session: Session, index: int, secret_key: bytes, certificate: bytes, recovery: bytes) -> KeygenResult:
    """The participant's result again, from its static key, the certificate and the encrypted shares sent to it."""
    _check_own(session, index, secret_key)
    commitments = verify_certificate(session, certificate)
    transcript, _, _ = split_certificate(session, certificate)
    shares, payloads = [], []
    for sender, ciphertext in enumerate(unframe(recovery, session.participants), start=1):
        dealt = transcript.commitments[sender - 1]
        ephemeral_key = transcript.ephemeral_keys[sender - 1]
        share, payload = open_share(session, index, sender, secret_key, dealt, ephemeral_key, ciphertext)
        shares.append(share)
        payloads.append(payload)
    share = scalars.total(b"".join(shares))
    check_share(share, commitments, index)
    return KeygenResult(share, commitments, certificate, recovery, tuple(payloads))


def _check_own(session: Session, index: int, secret_key: bytes) -> None:
    if not 1 <= index <= session.participants:
        raise InvalidKeygenSession(f"there is no participant {index} among {session.participants}")
    if public_key(secret_key) != session.public_keys[index - 1]:
        raise InvalidKeygenSession(f"the secret key is not the one of participant {index}")


def _check_messages(session: Session, index: int, progress: Progress, messages: Sequence[bytes]) -> list[FirstMessage]:
    """All round-one messages decoded, their proofs of possession checked, the own one as it was sent."""
    if len(messages) != session.participants:
        raise InvalidKeygenSession(f"{len(messages)} round-one messages of {session.participants} participants")
    if messages[index - 1] != progress.message:
        raise KeygenFault(index, "the round-one message shown as our own is not the one that we sent")
    decoded = [FirstMessage.decode(session, sender, data) for sender, data in enumerate(messages, start=1)]
    for sender, message in enumerate(decoded, start=1):
        _check_possession(session, sender, message.commitments, message.ephemeral_key, message.possession)
    return decoded


def _check_possession(
    session: Session, sender: int, commitments: Sequence[bytes], ephemeral_key: bytes, possession: bytes
) -> None:
    try:
        schnorr.verify(commitments[0], session.context + b"".join(commitments) + ephemeral_key, possession)
    except InvalidSignature as fault:
        raise KeygenFault(sender, f"its proof of possession does not hold: {fault}") from fault


def _check_certifications(
    session: Session, views: bytes, transcript: bytes, certifications: Sequence[bytes]
) -> list[bytes]:
    """Everybody's signatures on our transcript, after checking that everybody saw the same round-one messages."""
    if len(certifications) != session.participants:
        raise InvalidKeygenSession(f"{len(certifications)} signatures of {session.participants} participants")
    signatures = []
    for number, (key, certification) in enumerate(zip(session.public_keys, certifications, strict=True), start=1):
        seen, signature = certification[: len(views)], certification[len(views) :]
        if len(signature) != schnorr.SIGNATURE_LENGTH:
            raise KeygenFault(number, "its round-two message has the wrong length")
        if seen != views:
            # Either the sender showed two messages or `number` misreports: the two signed messages tell which.
            reason = (
                f"participant {number} says it saw another round-one message of it than was seen here (a split view)"
            )
            raise KeygenFault(_first_difference(views, seen), reason)
        try:
            schnorr.verify(key, transcript, signature)
        except InvalidSignature as fault:
            raise KeygenFault(number, f"its signature on the transcript does not hold: {fault}") from fault
        signatures.append(signature)
    return signatures


def _open_shares(
    session: Session, index: int, secret_key: bytes, messages: Sequence[FirstMessage]
) -> tuple[bytes, tuple[bytes, ...]]:
    """The shares (packed) and payloads that everybody sent to `index`, each share checked against its commitments."""
    opened = [
        open_share(
            session,
            index,
            sender,
            secret_key,
            message.commitments,
            message.ephemeral_key,
            message.ciphertexts[index - 1],
        )
        for sender, message in enumerate(messages, start=1)
    ]
    return b"".join(share for share, _ in opened), tuple(payload for _, payload in opened)


def _aggregate(session: Session, transcript: Transcript) -> tuple[bytes, ...]:
    """The sums of everybody's commitments, degree by degree: A_0.., none of which may be the identity."""
    summed = tuple(
        group.total(b"".join(polynomial[degree] for polynomial in transcript.commitments))
        for degree in range(session.threshold)
    )
    if group.IDENTITY in summed:
        raise InvalidCertificate("the participants' commitments cancel out")
    return summed


def _first_difference(left: bytes, right: bytes) -> int:
    """The participant (from 1) at which two lists of views differ."""
    pairs = zip(group.split(left), group.split(right), strict=False)
    return next((number for number, (one, other) in enumerate(pairs, start=1) if one != other), 1)
