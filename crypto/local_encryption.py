"""Encryption of what a party keeps for itself: the charity's store, an institution's journal.

XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03, libsodium) with a random nonce of 24 bytes, so that a key may seal as
often as it likes. It does not know what it seals; `aad` should name the place, so that rows cannot be swapped.
"""

from __future__ import annotations

import secrets

import nacl.bindings
import nacl.exceptions

from crypto.errors import InvalidSealed

KEY_LENGTH = 32
OVERHEAD = 1 + 24 + 16

_VERSION = b"\x01"
_NONCE_LENGTH = 24


def generate_local_key() -> bytes:
    """32 random bytes."""
    return secrets.token_bytes(KEY_LENGTH)


def seal_local(key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """`0x01 | nonce(24) | ciphertext`, 41 bytes longer than `plaintext`, under the 32-byte `key` and bound to `aad`."""
    nonce = secrets.token_bytes(_NONCE_LENGTH)
    sealed = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, aad, nonce, _check_key(key))
    return _VERSION + nonce + sealed


def open_local(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """What `seal_local` sealed under the same key and `aad`; raises InvalidSealed."""
    _check_key(key)
    if len(sealed) < OVERHEAD or sealed[:1] != _VERSION:
        raise InvalidSealed("these bytes were not sealed by this program, or are cut short")
    nonce, rest = sealed[1 : 1 + _NONCE_LENGTH], sealed[1 + _NONCE_LENGTH :]
    try:
        return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(rest, aad, nonce, key)
    except nacl.exceptions.CryptoError:
        raise InvalidSealed("does not open: another key, changed bytes, or bytes of another place") from None


def _check_key(key: bytes) -> bytes:
    if len(key) != KEY_LENGTH:
        raise InvalidSealed(f"a local key is {KEY_LENGTH} bytes long, not {len(key)}")
    return key
