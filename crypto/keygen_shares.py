"""The dealt shares of key generation (C2SP cocktail-dkg v0.2.1): made, encrypted to one participant, opened.

XChaCha20-Poly1305 under keys from two Diffie-Hellman secrets, ephemeral and static. It knows no step and no transcript.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha512
from typing import Final

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError as OpeningFailed

from crypto import group, scalars
from crypto.errors import CryptoError, KeygenFault
from crypto.keygen_messages import Session
from crypto.shares import public_share

_H6: Final = b"COCKTAIL-DKG-Ristretto255-SHA512-H6"


def seal_shares(
    session: Session,
    sender: int,
    secret_key: bytes,
    coefficients: Sequence[bytes],
    ephemeral: bytes,
    ephemeral_key: bytes,
    payload: bytes = b"",
) -> tuple[bytes, ...]:
    """The sender's polynomial at each participant's index, encrypted to that participant, in order.

    `ephemeral` is the secret scalar of `ephemeral_key`; `payload` follows each share inside the encryption.
    """
    ciphertexts = []
    for recipient, recipient_key in enumerate(session.public_keys, start=1):
        agreed = group.multiply(ephemeral + secret_key, recipient_key + recipient_key)
        key, nonce = _derive(session, sender, recipient, ephemeral_key, agreed)
        plain = _evaluate(coefficients, recipient) + payload
        ciphertexts.append(crypto_aead_xchacha20poly1305_ietf_encrypt(plain, b"", nonce, key))
    return tuple(ciphertexts)


def open_share(
    session: Session,
    recipient: int,
    sender: int,
    secret_key: bytes,
    commitments: Sequence[bytes],
    ephemeral_key: bytes,
    ciphertext: bytes,
) -> tuple[bytes, bytes]:
    """The share (32 bytes) and payload that `sender` encrypted to `recipient`, whose static key is `secret_key`.

    Raises KeygenFault naming the sender for a ciphertext that does not open, or a share that is not the one which its
    commitments promise. The sender's elements have been checked before.
    """
    agreed = group.multiply_each(secret_key, ephemeral_key + session.public_keys[sender - 1])
    key, nonce = _derive(session, sender, recipient, ephemeral_key, agreed)
    try:
        plain = crypto_aead_xchacha20poly1305_ietf_decrypt(ciphertext, b"", nonce, key)
    except OpeningFailed:
        raise KeygenFault(sender, f"the share that it encrypted to participant {recipient} does not open") from None
    share, payload = plain[:32], plain[32:]
    try:
        scalars.check_scalars(share, zero_allowed=True)
    except CryptoError as fault:
        raise KeygenFault(sender, f"the share that it sent to participant {recipient} is no scalar") from fault
    dealt = group.IDENTITY if share == scalars.ZERO else group.multiply_base(share)
    if dealt != public_share(commitments, recipient):
        raise KeygenFault(sender, f"the share that it sent to participant {recipient} is not the one it committed to")
    return share, payload


def _derive(session: Session, sender: int, recipient: int, ephemeral_key: bytes, agreed: bytes) -> tuple[bytes, bytes]:
    """H6 of the suite over S^e | S^d (64 bytes): the key (32 bytes) and nonce (24 bytes) of one encrypted share."""
    keys = session.public_keys[sender - 1] + session.public_keys[recipient - 1]
    extra = len(session.context).to_bytes(8, "little") + session.context
    derived = sha512(_H6 + agreed + ephemeral_key + keys + extra).digest()
    return derived[:32], derived[32:56]


def _evaluate(coefficients: Sequence[bytes], point: int) -> bytes:
    """The polynomial at a participant's index (Horner), in constant time for the coefficients."""
    at, value = scalars.encode(point), coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        value = scalars.add(scalars.multiply(value, at), coefficient)
    return value
