"""Sealing a submission's batch secret to each recipient: HPKE with a post-quantum hybrid, so that what is stored today
stays shut. RFC 9180 base mode, KEM X-Wing (0x647A), HKDF-SHA256, ChaCha20-Poly1305, empty aad. Protocol section 4.

It knows recipients by id and key, and no record.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from crypto.encoding import EPOCH_ID_LENGTH, check_identifier, check_length, len16
from crypto.errors import InvalidSealed
from crypto.signatures import KEY_ID_LENGTH, key_id

KEM_ID = 0x647A
SEED_LENGTH = 32
PUBLIC_KEY_LENGTH = 1216
ENC_LENGTH = 1120
BATCH_SECRET_LENGTH = 32
CIPHERTEXT_LENGTH = BATCH_SECRET_LENGTH + 16
IDEMPOTENCY_KEY_LENGTH = 16

_MLKEM_KEY_LENGTH = 1184
_LABEL = b"crosslight/v1 seal"
_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A batch secret for one recipient: its id, key_id (8 bytes), enc (1120) and ciphertext (48)."""

    recipient_id: str
    key_id: bytes
    enc: bytes
    ciphertext: bytes


def generate_recipient_seed() -> bytes:
    """32 random bytes: a recipient's X-Wing private key, made anew for every epoch."""
    return secrets.token_bytes(SEED_LENGTH)


def generate_batch_secret() -> bytes:
    """32 random bytes: a submission's secret, erased as soon as it lies sealed in the outbox."""
    return secrets.token_bytes(BATCH_SECRET_LENGTH)


def recipient_public_key(seed: bytes) -> bytes:
    """The 1216-byte X-Wing public key of a seed: ML-KEM-768's, then X25519's."""
    mlkem, x25519 = _expand(seed)
    return mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()


def check_recipient_key(public_key: bytes) -> None:
    """Raise InvalidSealed unless the 1216 bytes are an X-Wing public key that can be sealed to.

    Found by sealing: an X25519 half of small order parses, and fails only then (RFC 7748 section 6.1).
    """
    _encrypt(public_key, bytes(BATCH_SECRET_LENGTH), b"")


def seal_info(
    epoch_id: bytes, institution_id: str, idempotency_key: bytes, recipient_id: str, recipient_key_id: bytes
) -> bytes:
    """HPKE's info: binds the sealed secret to one submission of one institution and to one recipient's key."""
    return (
        _LABEL
        + check_length(epoch_id, EPOCH_ID_LENGTH, "an epoch_id", InvalidSealed)
        + len16(check_identifier(institution_id, InvalidSealed).encode("ascii"))
        + check_length(idempotency_key, IDEMPOTENCY_KEY_LENGTH, "an idempotency key", InvalidSealed)
        + len16(check_identifier(recipient_id, InvalidSealed).encode("ascii"))
        + check_length(recipient_key_id, KEY_ID_LENGTH, "a key_id", InvalidSealed)
    )


def seal_batch_secret(
    public_key: bytes,
    batch_secret: bytes,
    *,
    epoch_id: bytes,
    institution_id: str,
    idempotency_key: bytes,
    recipient_id: str,
) -> SealedSecret:
    """Seal the 32-byte batch secret to one recipient's 1216-byte key; raises InvalidSealed on a key that is none."""
    check_length(batch_secret, BATCH_SECRET_LENGTH, "a batch secret", InvalidSealed)
    name = key_id(public_key)
    info = seal_info(epoch_id, institution_id, idempotency_key, recipient_id, name)
    sealed = _encrypt(public_key, batch_secret, info)
    return SealedSecret(recipient_id, name, sealed[:ENC_LENGTH], sealed[ENC_LENGTH:])


def open_batch_secret(seed: bytes, sealed: SealedSecret, info: bytes) -> bytes:
    """The 32-byte batch secret that was sealed under `info` to the key of `seed`; raises InvalidSealed."""
    check_length(sealed.enc, ENC_LENGTH, "an encapsulated key", InvalidSealed)
    check_length(sealed.ciphertext, CIPHERTEXT_LENGTH, "a sealed batch secret", InvalidSealed)
    private_key = hpke.MLKEM768X25519PrivateKey(*_expand(seed))
    try:
        return _SUITE.decrypt(sealed.enc + sealed.ciphertext, private_key, info)
    except (InvalidTag, ValueError):
        raise InvalidSealed("the batch secret does not open: another key, submission or recipient") from None


def sealed_ref(idempotency_key: bytes, sealed: Iterable[SealedSecret]) -> bytes:
    """The 32 bytes by which every record names the sealed secrets of its submission; their order does not matter.

    Raises InvalidSealed on none, or where a recipient's key is there twice.
    """
    ordered = sorted(sealed, key=lambda each: (each.recipient_id, each.key_id))
    names = [(each.recipient_id, each.key_id) for each in ordered]
    if not names or len(set(names)) != len(names):
        raise InvalidSealed("a submission is sealed to at least one recipient, and to each key once")
    digest = hashlib.sha256(check_length(idempotency_key, IDEMPOTENCY_KEY_LENGTH, "an idempotency key", InvalidSealed))
    for each in ordered:
        digest.update(len16(check_identifier(each.recipient_id, InvalidSealed).encode("ascii")))
        digest.update(check_length(each.key_id, KEY_ID_LENGTH, "a key_id", InvalidSealed))
        digest.update(len16(each.enc + each.ciphertext))
    return digest.digest()


def _expand(seed: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    """X-Wing's expandDecapsulationKey (draft-connolly-cfrg-xwing-kem section 5.2): 32 bytes to 64 and 32."""
    check_length(seed, SEED_LENGTH, "a recipient's seed", InvalidSealed)
    expanded = hashlib.shake_256(seed).digest(96)
    return MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), X25519PrivateKey.from_private_bytes(expanded[64:])


def _encrypt(public_key: bytes, plaintext: bytes, info: bytes) -> bytes:
    """`enc | ciphertext`; raises InvalidSealed on a key that is none."""
    try:
        return _SUITE.encrypt(plaintext, _parse_public_key(public_key), info)
    except ValueError:
        raise InvalidSealed("these bytes are no X-Wing public key that can be sealed to") from None


def _parse_public_key(public_key: bytes) -> hpke.MLKEM768X25519PublicKey:
    check_length(public_key, PUBLIC_KEY_LENGTH, "a recipient's key", InvalidSealed)
    try:
        return hpke.MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(public_key[:_MLKEM_KEY_LENGTH]),
            X25519PublicKey.from_public_bytes(public_key[_MLKEM_KEY_LENGTH:]),
        )
    except ValueError:
        raise InvalidSealed("these bytes are no X-Wing public key") from None
