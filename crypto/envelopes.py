"""The envelope around a record's content: both the quorum's secret and the recipient's open it, one alone does not.

Protocol section 4. Key-committing: bytes 1 to 32 commit to the key and are compared before anything is decrypted, so
that one envelope has one content. It does not know what a payload says.
"""

from __future__ import annotations

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from crypto import hkdf
from crypto.encoding import check_length
from crypto.errors import InvalidEnvelope
from crypto.tags import OPRF_OUTPUT_LENGTH

SECRET_LENGTH = 32
LENGTH_BYTES = 4

_VERSION = b"\x01"
_COMMITMENT_LENGTH = 32
_AEAD_TAG_LENGTH = 16
# The key is used once, since it is derived for the one record.
_NONCE = bytes(12)


def recipient_secret(batch_secret: bytes, ctx: bytes) -> bytes:
    """The recipient's half (32 bytes) for the record of `ctx`, out of the submission's 32-byte batch secret."""
    check_length(batch_secret, SECRET_LENGTH, "a batch secret", InvalidEnvelope)
    return hkdf.derive(batch_secret, b"crosslight/v1 recipient" + ctx, SECRET_LENGTH)


def overlap_secret(y_r: bytes) -> bytes:
    """The quorum's half (32 bytes) out of the 64-byte output of the family `record`."""
    check_length(y_r, OPRF_OUTPUT_LENGTH, "an OPRF output", InvalidEnvelope)
    return hkdf.expand(y_r, b"overlap", SECRET_LENGTH)


def content_keys(recipient: bytes, overlap: bytes, ctx: bytes) -> bytes:
    """`okm` (64 bytes): the AEAD key, then the commitment to it."""
    check_length(recipient, SECRET_LENGTH, "a recipient secret", InvalidEnvelope)
    check_length(overlap, SECRET_LENGTH, "an overlap secret", InvalidEnvelope)
    return hkdf.derive(recipient + overlap, b"crosslight/v1 content" + ctx, 64)


def envelope_length(padded_size: int) -> int:
    """The length in bytes of every envelope under an agreement of that padded size."""
    return len(_VERSION) + _COMMITMENT_LENGTH + padded_size + _AEAD_TAG_LENGTH


def seal_envelope(recipient: bytes, overlap: bytes, ctx: bytes, head: bytes, payload: bytes, padded_size: int) -> bytes:
    """The envelope of `payload` for the record of `ctx` and encoded `head`.

    `padded_size` counts the four length bytes; raises InvalidEnvelope where the payload does not fit.
    """
    room = padded_size - LENGTH_BYTES
    if len(payload) > room:
        raise InvalidEnvelope(f"the payload has {len(payload)} bytes, the agreement has room for {room}")
    plain = len(payload).to_bytes(LENGTH_BYTES, "big") + payload + bytes(room - len(payload))
    okm = content_keys(recipient, overlap, ctx)
    return _VERSION + okm[32:] + ChaCha20Poly1305(okm[:32]).encrypt(_NONCE, plain, head)


def open_envelope(
    recipient: bytes, overlap: bytes, ctx: bytes, head: bytes, envelope: bytes, padded_size: int
) -> bytes:
    """The payload; raises InvalidEnvelope on another length or version, other secrets, changed bytes or a false pad."""
    check_length(envelope, envelope_length(padded_size), "an envelope of this agreement", InvalidEnvelope)
    if envelope[:1] != _VERSION:
        raise InvalidEnvelope("this is no envelope of version 1")
    okm = content_keys(recipient, overlap, ctx)
    if not hmac.compare_digest(envelope[1 : 1 + _COMMITMENT_LENGTH], okm[32:]):
        raise InvalidEnvelope("the envelope commits to another key")
    try:
        plain = ChaCha20Poly1305(okm[:32]).decrypt(_NONCE, envelope[1 + _COMMITMENT_LENGTH :], head)
    except InvalidTag:
        raise InvalidEnvelope("the envelope's bytes, or its record's head, have been changed") from None
    end = LENGTH_BYTES + int.from_bytes(plain[:LENGTH_BYTES], "big")
    if end > len(plain) or any(plain[end:]):
        raise InvalidEnvelope("the envelope's padding is not as agreed")
    return plain[LENGTH_BYTES:end]
