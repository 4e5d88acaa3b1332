"""The byte formats of key generation (C2SP cocktail-dkg v0.2.1): sessions, round-one messages, certificates.

It parses strictly and names the participant whose bytes are wrong. It checks no proof and holds no secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256, sha512
from typing import Final

from crypto import group
from crypto.encoding import check_identifier, len16, u8, u16, u32, u64
from crypto.errors import CryptoError, InvalidCertificate, InvalidEncoding, InvalidKeygenSession, KeygenFault
from crypto.schnorr import SIGNATURE_LENGTH
from crypto.shares import LARGEST_INDEX

SUITE: Final = b"COCKTAIL(Ristretto255, SHA-512)"
SHORTEST_CIPHERTEXT: Final = 48  # a share of 32 bytes and the authentication tag of 16
LONGEST_CIPHERTEXT: Final = 65_536
VIEW_LENGTH: Final = 32
_SESSION_LABEL: Final = b"crosslight/v1 keygen\0"
_MESSAGE_LABEL: Final = b"crosslight/v1 keygen message\0"


def session_id(agreement_id: str, number: int, family: str, attempt: int) -> bytes:
    """What makes one key generation unlike every other: the agreement, its epoch's number, the family, the attempt."""
    check_identifier(agreement_id)
    check_identifier(family)
    return _SESSION_LABEL + len16(agreement_id.encode()) + u64(number) + len16(family.encode()) + u32(attempt)


def signed_bytes(session: bytes, round_number: int, sender: int, body: bytes) -> bytes:
    """What a holder signs with its Ed25519 key around each message, so that its bytes can be shown to be its own.

    cocktail-dkg's own proofs leave the encrypted shares unsigned ("Ciphertexts Not Bound by the Transcript").
    """
    return _MESSAGE_LABEL + len16(session) + u8(round_number) + u16(sender) + body


@dataclass(frozen=True)
class Session:
    """Who generates a key together: the threshold, everybody's static public keys in order, the derived context."""

    threshold: int
    public_keys: tuple[bytes, ...]
    context: bytes

    @classmethod
    def create(cls, identifier: bytes, threshold: int, public_keys: Sequence[bytes]) -> Session:
        """The session with the recommended context ("Setup"); raises InvalidKeygenSession for impossible parameters."""
        if not 1 <= threshold <= len(public_keys) <= LARGEST_INDEX:
            raise InvalidKeygenSession(f"{threshold} of {len(public_keys)} is no threshold")
        packed = b"".join(public_keys)
        if any(len(key) != group.ELEMENT_LENGTH for key in public_keys):
            raise InvalidKeygenSession("a participant's public key is not 32 bytes long")
        if len(set(public_keys)) != len(public_keys):
            raise InvalidKeygenSession("two participants have the same public key")
        try:
            group.check_elements(packed)
        except CryptoError as fault:
            raise InvalidKeygenSession(f"a participant's public key is refused: {fault}") from fault
        named = u64(len(identifier)) + identifier + u64(len(SUITE)) + SUITE
        context = sha512(b"COCKTAIL-DKG-CONTEXT" + named + _u32_little(len(public_keys)) + packed).digest()
        return cls(threshold, tuple(public_keys), context)

    @property
    def participants(self) -> int:
        """How many take part; their indexes are 1 to this."""
        return len(self.public_keys)


@dataclass(frozen=True)
class FirstMessage:
    """A participant's round-one message: commitments, proof of possession, ephemeral key, one ciphertext for each."""

    commitments: tuple[bytes, ...]
    possession: bytes
    ephemeral_key: bytes
    ciphertexts: tuple[bytes, ...]

    def encode(self) -> bytes:
        """C_i | PoP_i | E_i | each ciphertext behind its length in eight bytes ("Protocol Messages")."""
        framed = b"".join(frame(ciphertext) for ciphertext in self.ciphertexts)
        return b"".join(self.commitments) + self.possession + self.ephemeral_key + framed

    @classmethod
    def decode(cls, session: Session, sender: int, data: bytes) -> FirstMessage:
        """The message of participant `sender`; raises KeygenFault naming it for anything that is not its one form."""
        fixed = 32 * session.threshold + SIGNATURE_LENGTH + 32
        if len(data) < fixed:
            raise KeygenFault(sender, "the round-one message ends early")
        commitments = tuple(group.split(data[: 32 * session.threshold]))
        possession = data[32 * session.threshold : fixed - 32]
        ephemeral_key = data[fixed - 32 : fixed]
        try:
            group.check_elements(b"".join(commitments) + ephemeral_key)
        except CryptoError as fault:
            raise KeygenFault(sender, f"a commitment or the ephemeral key is refused: {fault}") from fault
        try:
            ciphertexts = unframe(data[fixed:], session.participants)
        except InvalidEncoding as fault:
            raise KeygenFault(sender, str(fault)) from fault
        return cls(commitments, possession, ephemeral_key, ciphertexts)


def frame(ciphertext: bytes) -> bytes:
    """The ciphertext behind its length in eight bytes, big-endian."""
    return u64(len(ciphertext)) + ciphertext


def unframe(data: bytes, count: int) -> tuple[bytes, ...]:
    """Exactly `count` framed ciphertexts and nothing after; raises InvalidEncoding otherwise."""
    ciphertexts, position = [], 0
    for number in range(count):
        length = int.from_bytes(data[position : position + 8], "big")
        if len(data) < position + 8 or not SHORTEST_CIPHERTEXT <= length <= LONGEST_CIPHERTEXT:
            raise InvalidEncoding(f"the length of encrypted share {number + 1} is missing or out of bounds")
        ciphertext = data[position + 8 : position + 8 + length]
        if len(ciphertext) != length:
            raise InvalidEncoding(f"encrypted share {number + 1} ends early")
        ciphertexts.append(ciphertext)
        position += 8 + length
    if position != len(data):
        raise InvalidEncoding("something follows the last encrypted share")
    return tuple(ciphertexts)


@dataclass(frozen=True)
class Transcript:
    """What everybody signs at the end: the public part of all round-one messages, and an extension (empty for ours)."""

    commitments: tuple[tuple[bytes, ...], ...]
    possessions: tuple[bytes, ...]
    ephemeral_keys: tuple[bytes, ...]
    extension: bytes = b""

    @classmethod
    def of(cls, messages: Sequence[FirstMessage], extension: bytes = b"") -> Transcript:
        """The transcript of these round-one messages, in the participants' order."""
        return cls(
            tuple(message.commitments for message in messages),
            tuple(message.possession for message in messages),
            tuple(message.ephemeral_key for message in messages),
            extension,
        )

    def encode(self, session: Session) -> bytes:
        """The canonical transcript T ("Round 3: Certification")."""
        return b"".join(
            (
                _transcript_head(session),
                *(commitment for polynomial in self.commitments for commitment in polynomial),
                *self.possessions,
                *self.ephemeral_keys,
                _u64_little(len(self.extension)),
                self.extension,
            )
        )


def split_certificate(session: Session, certificate: bytes) -> tuple[Transcript, bytes, tuple[bytes, ...]]:
    """A certificate's transcript, that transcript's bytes, and everybody's signatures on it (none checked here).

    A certificate is the transcript with all signatures behind it, in order. Raises InvalidCertificate where its bytes
    are not of this session: another suite, context, threshold, or other participants.
    """
    head = _transcript_head(session)
    if not certificate.startswith(head):
        raise InvalidCertificate("the certificate is not of this session, threshold and participants")
    count, threshold = session.participants, session.threshold
    body = certificate[len(head) :]
    commitments_end = 32 * threshold * count
    possessions_end = commitments_end + SIGNATURE_LENGTH * count
    keys_end = possessions_end + 32 * count
    extension_length = int.from_bytes(body[keys_end : keys_end + 8], "little")
    extension_end = keys_end + 8 + extension_length
    if len(body) != extension_end + SIGNATURE_LENGTH * count:
        raise InvalidCertificate("the certificate is not as long as this session's must be")
    commitments = group.split(body[:commitments_end])
    transcript = Transcript(
        tuple(tuple(commitments[start : start + threshold]) for start in range(0, len(commitments), threshold)),
        _signatures(body[commitments_end:possessions_end]),
        tuple(group.split(body[possessions_end:keys_end])),
        body[keys_end + 8 : extension_end],
    )
    return transcript, certificate[: len(head) + extension_end], _signatures(body[extension_end:])


def view(message: bytes) -> bytes:
    """What a participant says that it saw of a round-one message (32 bytes), to find whose was not the same for all."""
    return sha256(message).digest()


def _transcript_head(session: Session) -> bytes:
    return b"".join(
        (
            _u64_little(len(SUITE)),
            SUITE,
            _u64_little(len(session.context)),
            session.context,
            _u32_little(session.participants),
            _u32_little(session.threshold),
            *session.public_keys,
        )
    )


def _signatures(packed: bytes) -> tuple[bytes, ...]:
    return tuple(packed[start : start + SIGNATURE_LENGTH] for start in range(0, len(packed), SIGNATURE_LENGTH))


def _u32_little(number: int) -> bytes:
    return number.to_bytes(4, "little")


def _u64_little(number: int) -> bytes:
    return number.to_bytes(8, "little")
