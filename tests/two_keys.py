"""One ChaCha20-Poly1305 ciphertext that opens under two keys: the attack that a key-committing envelope must withstand.

Poly1305 is a polynomial over the integers modulo 2^130 - 5, so that two blocks of the ciphertext can be chosen to give
one tag under both keys (Len, Grubbs, Ristenpart, "Partitioning Oracle Attacks", 2021). For tests alone.
"""

from __future__ import annotations

import secrets

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

_PRIME = 2**130 - 5
_CLAMP = 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
_BLOCK = 16
NONCE = bytes(12)


def under_two_keys(first: bytes, second: bytes, plain: bytes, aad: bytes) -> bytes:
    """A ciphertext and tag that both keys open (nonce zero, `aad`); under `first` it gives `plain` but for its last
    32 bytes, which the attack chooses. `plain` is a multiple of 16 bytes long, at least 32.
    """
    body = bytes(left ^ right for left, right in zip(plain, _stream(first, len(plain)), strict=True))
    while True:
        tag = secrets.token_bytes(_BLOCK)
        blocks = _solve(_one_time_key(first), _one_time_key(second), body[:-32], aad, tag)
        if blocks is not None:
            made = body[:-32] + blocks + tag
            for key in (first, second):
                ChaCha20Poly1305(key).decrypt(NONCE, made, aad)
            return made


def _stream(key: bytes, length: int) -> bytes:
    """The key stream from block 1 on (RFC 8439 section 2.8)."""
    cipher = Cipher(ChaCha20(key, (1).to_bytes(4, "little") + NONCE), mode=None)
    return cipher.encryptor().update(bytes(length))


def _one_time_key(key: bytes) -> tuple[int, int]:
    """Poly1305's r and s (RFC 8439 section 2.6)."""
    block = Cipher(ChaCha20(key, bytes(4) + NONCE), mode=None).encryptor().update(bytes(32))
    return int.from_bytes(block[:16], "little") & _CLAMP, int.from_bytes(block[16:], "little")


def _solve(first: tuple[int, int], second: tuple[int, int], body: bytes, aad: bytes, tag: bytes) -> bytes | None:
    """Two blocks after `body` with which both keys give `tag`; None where this tag has none of the right size."""
    rows = []
    lengths = len(aad).to_bytes(8, "little") + (len(body) + 32).to_bytes(8, "little")
    before = _blocks(_padded(aad) + body)
    for r, s in (first, second):
        running = 0
        for block in before:
            running = (running + block) * r % _PRIME
        # ((((running + x) r + y) r) + lengths) r + s = tag, so x r^3 + y r^2 = known.
        (last,) = _blocks(lengths)
        wanted = (int.from_bytes(tag, "little") - s) % 2**128
        known = (wanted - running * pow(r, 3 - 1, _PRIME) * r - last * r) % _PRIME
        rows.append((pow(r, 3, _PRIME), pow(r, 2, _PRIME), known))
    (a, b, e), (c, d, f) = rows
    inverse = pow(a * d - b * c, -1, _PRIME)
    found = ((e * d - b * f) * inverse % _PRIME, (a * f - e * c) * inverse % _PRIME)
    if any(not 2**128 <= value < 2**129 for value in found):
        return None
    return b"".join((value - 2**128).to_bytes(_BLOCK, "little") for value in found)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _BLOCK)


def _blocks(data: bytes) -> list[int]:
    return [int.from_bytes(data[start : start + _BLOCK], "little") + 2**128 for start in range(0, len(data), _BLOCK)]
