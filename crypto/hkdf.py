"""HKDF with SHA-512 (RFC 5869), one block: every key that Crosslight derives is at most 64 bytes long.

Written over `hmac.digest`, since a derivation is done several times for each identifier and this is five times faster
than the object of a general library; the tests hold it against that library.
"""

from __future__ import annotations

import hmac

BLOCK_LENGTH = 64


def expand(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand (RFC 5869 section 2.3) of a uniform `key` to `length` <= 64 bytes."""
    if not 0 < length <= BLOCK_LENGTH:
        raise ValueError(f"one block of HKDF-SHA512 gives 1 to 64 bytes, not {length}")
    return hmac.digest(key, info + b"\x01", "sha512")[:length]


def derive(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF (RFC 5869 section 2) with the empty salt, of `key` to `length` <= 64 bytes."""
    return expand(hmac.digest(b"", key, "sha512"), info, length)
