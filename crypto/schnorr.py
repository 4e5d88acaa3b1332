"""The Schnorr signatures of C2SP cocktail-dkg v0.2.1 for its suite COCKTAIL(Ristretto255, SHA-512).

They prove possession and certify transcripts in key generation, and serve nothing else. It knows no message's meaning.
"""

from __future__ import annotations

import hmac
from hashlib import sha512
from typing import Final

from crypto import group, scalars
from crypto.errors import CryptoError, InvalidSignature

SIGNATURE_LENGTH: Final = 64
_CHALLENGE: Final = b"COCKTAIL-DKG-Ristretto255-SHA512-H7"
_NONCE: Final = b"COCKTAIL-DKG-Ristretto255-SHA512-NONCE"


def sign(secret_key: bytes, message: bytes) -> bytes:
    """R | z (64 bytes), "Schnorr Sign Algorithm"; the nonce is derived from the key (32 bytes) and the message.

    Raises InvalidScalar for a key that is zero or not below the order.
    """
    scalars.check_scalars(secret_key)
    nonce = scalars.reduce(sha512(_NONCE + secret_key + message).digest())
    commitment = group.multiply_base(nonce)  # refuses a nonce of zero, as step 3 asks
    challenge = _challenge(commitment, group.multiply_base(secret_key), message)
    return commitment + scalars.add(nonce, scalars.multiply(challenge, secret_key))


def verify(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Raise InvalidSignature unless the signature (64 bytes) is the key's (32 bytes) over the message."""
    if len(signature) != SIGNATURE_LENGTH:
        raise InvalidSignature(f"a signature is {SIGNATURE_LENGTH} bytes long, not {len(signature)}")
    commitment, response = signature[:32], signature[32:]
    try:
        group.check_elements(public_key + commitment)
        scalars.check_scalars(response)
        expected = group.add(commitment, group.multiply_each(_challenge(commitment, public_key, message), public_key))
        holds = hmac.compare_digest(group.multiply_base(response), expected)
    except CryptoError as fault:
        raise InvalidSignature("the signature or its key is not in canonical form") from fault
    if not holds:
        raise InvalidSignature("the signature does not hold for this key and message")


def _challenge(commitment: bytes, public_key: bytes, message: bytes) -> bytes:
    return scalars.reduce(sha512(_CHALLENGE + commitment + public_key + message).digest())
