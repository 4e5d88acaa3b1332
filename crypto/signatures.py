"""Ed25519 (RFC 8032), strict, singly and in bulk.

Strict: the public key and R are canonical and not of small order, S < L, and the equation holds without the cofactor,
so that everybody agrees on every signature (Chalkias, Garillot, Nikolaenko 2020). It does not know what is signed.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import nacl.bindings
import nacl.exceptions

from crypto.errors import InvalidSignature

SEED_LENGTH = 32
PUBLIC_KEY_LENGTH = 32
SIGNATURE_LENGTH = 64
KEY_ID_LENGTH = 8

_FIELD_PRIME = 2**255 - 19
_SIGN_BIT = 2**255
_GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
_KEY_ID_LABEL = b"crosslight/v1 key\x00"

# The y coordinates of the eight points whose order divides 8. The sign bit is ignored when comparing, so that the
# encodings of x = 0 with the bit set, which are not canonical, fall with them.
_ORDER_EIGHT = 2707385501144840649318225287225658788936804267575313519463743609750303402022
_SMALL_ORDER_Y = frozenset({0, 1, _FIELD_PRIME - 1, _ORDER_EIGHT, _FIELD_PRIME - _ORDER_EIGHT})

SignedMessage = tuple[bytes, bytes, bytes]
"""public key, message, signature"""


class SigningKey:
    """An Ed25519 private key; `public_key` is 32 bytes, the secret is never shown."""

    __slots__ = ("_expanded", "public_key")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_LENGTH:
            raise InvalidSignature(f"an Ed25519 seed is 32 bytes long, not {len(seed)}")
        self.public_key: bytes
        self._expanded: bytes
        self.public_key, self._expanded = nacl.bindings.crypto_sign_seed_keypair(seed)

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature of `message` (RFC 8032 section 5.1.6, deterministic)."""
        return nacl.bindings.crypto_sign(message, self._expanded)[:SIGNATURE_LENGTH]

    def __repr__(self) -> str:
        return f"SigningKey(public_key={self.public_key.hex()})"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a signing key is never pickled")


def generate_seed() -> bytes:
    """32 random bytes: the seed of a new key."""
    return secrets.token_bytes(SEED_LENGTH)


def key_id(key: bytes) -> bytes:
    """The 8-byte name of a public key (Ed25519 or HPKE)."""
    return hashlib.sha256(_KEY_ID_LABEL + key).digest()[:KEY_ID_LENGTH]


def check_public_key(public_key: bytes) -> None:
    """Raise InvalidSignature unless the 32 bytes are canonical and no point of small order.

    Whether they are a point of the curve at all is found when verifying.
    """
    if len(public_key) != PUBLIC_KEY_LENGTH:
        raise InvalidSignature(f"an Ed25519 public key is 32 bytes long, not {len(public_key)}")
    if not _is_acceptable_point(public_key):
        raise InvalidSignature("the public key is not canonical, or is of small order")


def verify(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Raise InvalidSignature unless the 64-byte `signature` over `message` holds under the strict rules."""
    check_public_key(public_key)
    if len(signature) != SIGNATURE_LENGTH:
        raise InvalidSignature(f"an Ed25519 signature is 64 bytes long, not {len(signature)}")
    if not _is_acceptable_point(signature[:32]):
        raise InvalidSignature("the signature's R is not canonical, or is of small order")
    if int.from_bytes(signature[32:], "little") >= _GROUP_ORDER:
        raise InvalidSignature("the signature's S is not below the group's order")
    try:
        # libsodium compares encoded points: the equation without the cofactor. tests/vectors/ed25519 hold it to that.
        nacl.bindings.crypto_sign_open(signature + message, public_key)
    except (nacl.exceptions.BadSignatureError, ValueError):
        raise InvalidSignature("the signature does not hold") from None


def is_valid(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `verify` accepts."""
    try:
        verify(public_key, message, signature)
    except InvalidSignature:
        return False
    return True


def verify_many(items: Iterable[SignedMessage]) -> list[bool]:
    """Whether each (public key, message, signature) holds, in order, over all cores (libsodium releases the GIL)."""
    listed = list(items)
    workers = os.cpu_count() or 1
    size = max(64, -(-len(listed) // (4 * workers)))
    if workers == 1 or len(listed) <= size:
        return _verify_each(listed)
    pieces = [listed[start : start + size] for start in range(0, len(listed), size)]
    with ThreadPoolExecutor(workers) as pool:
        return [valid for piece in pool.map(_verify_each, pieces) for valid in piece]


def _verify_each(items: list[SignedMessage]) -> list[bool]:
    return [is_valid(*item) for item in items]


def _is_acceptable_point(encoded: bytes) -> bool:
    """Whether y is below p and not that of a small-order point."""
    y = int.from_bytes(encoded, "little") % _SIGN_BIT
    return y < _FIELD_PRIME and y not in _SMALL_ORDER_Y
