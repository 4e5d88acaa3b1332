"""RFC 9497 oblivious pseudorandom functions, suite ristretto255-SHA512, modes 0x00 (OPRF) and 0x01 (VOPRF), in batches.

Client: blind, verify_proof, finalize. Holder: blind_evaluate, prove. It knows no kind, no epoch and no split key.
Elements and scalars are 32 bytes each, packed one after the other; outputs are 64 bytes.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha512
from typing import Final

from crypto import group, scalars
from crypto.encoding import len16
from crypto.errors import InvalidElement, InvalidProof, InvalidScalar

CHUNK_LIMIT: Final = 512
OUTPUT_LENGTH: Final = 64
PROOF_LENGTH: Final = 64

_LENGTH: Final = len16(bytes(32))[:2]  # the two-byte length that stands before each element and scalar
_SHA512_BLOCK: Final = bytes(128)


class Mode(IntEnum):
    """The protocol variants of RFC 9497 section 3.1 that are offered."""

    OPRF = 0
    VOPRF = 1


class _Suite:
    """What depends on the mode alone: the domain separation tags of RFC 9497 sections 3.1 and 4.1."""

    def __init__(self, mode: Mode) -> None:
        context = b"OPRFV1-" + bytes([mode]) + b"-ristretto255-SHA512"
        self.seed_tag = b"Seed-" + context
        self._group_suffix = _tag_suffix(b"HashToGroup-" + context)
        self._scalar_suffix = _tag_suffix(b"HashToScalar-" + context)

    def hash_to_group(self, messages: Sequence[bytes]) -> bytes:
        """One element a message."""
        return group.hash_to_group(b"".join(_expand(message, self._group_suffix) for message in messages))

    def hash_to_scalar(self, messages: Sequence[bytes]) -> bytes:
        """One scalar a message."""
        return scalars.reduce(b"".join(_expand(message, self._scalar_suffix) for message in messages))


def _tag_suffix(tag: bytes) -> bytes:
    """The tag with its length behind it: DST_prime of RFC 9380 section 5.3.1."""
    return tag + bytes([len(tag)])


def _expand(message: bytes, tag_suffix: bytes) -> bytes:
    """expand_message_xmd of RFC 9380 section 5.3.1 with SHA-512 for 64 bytes, where it takes one block."""
    first = sha512(_SHA512_BLOCK + message + b"\x00\x40\x00" + tag_suffix).digest()
    return sha512(first + b"\x01" + tag_suffix).digest()


_SUITES: Final = {mode: _Suite(mode) for mode in Mode}


@dataclass(frozen=True)
class Blinded:
    """What blind returns: the blinding scalars, which the client keeps, and the elements that it sends."""

    blinds: bytes = field(repr=False)
    elements: bytes


def hash_inputs(inputs: Sequence[bytes], *, mode: Mode = Mode.VOPRF) -> bytes:
    """HashToGroup of each input (up to 65,535 bytes each): the element that evaluation in the clear multiplies."""
    return _SUITES[mode].hash_to_group(inputs)


def blind(inputs: Sequence[bytes], *, blinds: bytes | None = None, mode: Mode = Mode.VOPRF) -> Blinded:
    """Blind of RFC 9497 section 3.3.1 for each input (up to 65,535 bytes each).

    `blinds` (32 bytes each) is for a chunk that is sent again, and for test vectors; else they are drawn. Raises
    InvalidScalar for a blind that is zero or not below the order.
    """
    if blinds is None:
        blinds = scalars.random_scalars(len(inputs))
    else:
        scalars.check_scalars(blinds)
    return Blinded(blinds, group.multiply(blinds, hash_inputs(inputs, mode=mode)))


def blind_evaluate(key: bytes, elements: bytes) -> bytes:
    """BlindEvaluate of RFC 9497 section 3.3.1: the key (32 bytes) times each element.

    Raises InvalidElement, by position, for one that is not canonical or is the identity; InvalidScalar for a key that
    is zero or not below the order.
    """
    scalars.check_scalars(key)
    return group.multiply_each(key, elements)


def prove(
    key: bytes,
    public_key: bytes,
    elements: bytes,
    evaluated: bytes,
    *,
    nonce: bytes | None = None,
    mode: Mode = Mode.VOPRF,
) -> bytes:
    """GenerateProof of RFC 9497 section 2.2.1: one proof (64 bytes) that `evaluated` is `key` times `elements`.

    `nonce` (32 bytes) is for test vectors alone: two proofs under one nonce give away the key.
    """
    suite = _SUITES[mode]
    weights = _composite_weights(suite, public_key, elements, evaluated)
    composite = group.weighted_sum(weights, elements)
    composite_evaluated = group.multiply_each(key, composite)  # ComputeCompositesFast: the prover knows the key
    if nonce is None:
        nonce = scalars.random_scalars(1)
    commitments = group.multiply_base(nonce) + group.multiply_each(nonce, composite)
    challenge = _challenge(suite, public_key, composite, composite_evaluated, commitments)
    return challenge + scalars.subtract(nonce, scalars.multiply(challenge, key))


def verify_proof(
    public_key: bytes, elements: bytes, evaluated: bytes, proof: bytes, *, mode: Mode = Mode.VOPRF
) -> None:
    """VerifyProof of RFC 9497 section 2.2.2; raises InvalidProof unless `evaluated` is shown to be right.

    Raises InvalidElement, by position, for an element that is not canonical or is the identity.
    """
    suite = _SUITES[mode]
    if len(evaluated) != len(elements):
        raise InvalidProof(f"{len(evaluated)} bytes of answers to {len(elements)} bytes of elements")
    if len(proof) != PROOF_LENGTH:
        raise InvalidProof(f"a proof is {PROOF_LENGTH} bytes long, not {len(proof)}")
    weights = _composite_weights(suite, public_key, elements, evaluated)
    composite = group.weighted_sum(weights, elements)
    composite_evaluated = group.weighted_sum(weights, evaluated)
    challenge, response = proof[:32], proof[32:]
    try:
        scalars.check_scalars(proof)
        commitments = group.add(
            group.multiply_base(response) + group.multiply_each(response, composite),
            group.multiply_each(challenge, public_key) + group.multiply_each(challenge, composite_evaluated),
        )
    except (InvalidScalar, InvalidElement) as fault:
        raise InvalidProof("the proof or the public key is not in its canonical form") from fault
    if not hmac.compare_digest(challenge, _challenge(suite, public_key, composite, composite_evaluated, commitments)):
        raise InvalidProof("the proof does not hold: the answers were not made with the key that was promised")


def finalize(inputs: Sequence[bytes], blinds: bytes, evaluated: bytes) -> list[bytes]:
    """Finalize of RFC 9497 section 3.3.1 without its proof (see verify_proof): one output of 64 bytes an input.

    The blinds are inverted together. Raises InvalidElement, by position, and InvalidScalar for a blind of zero.
    """
    return outputs(inputs, group.multiply(scalars.invert(blinds), evaluated))


def outputs(inputs: Sequence[bytes], elements: bytes) -> list[bytes]:
    """The last hash of Finalize and of Evaluate (RFC 9497 section 3.3.1), from elements that carry no blind."""
    unblinded = group.split(elements)
    if len(unblinded) != len(inputs):
        raise ValueError(f"{len(inputs)} inputs and {len(unblinded)} elements")
    return [
        sha512(len16(message) + _LENGTH + element + b"Finalize").digest()
        for message, element in zip(inputs, unblinded, strict=True)
    ]


def _composite_weights(suite: _Suite, public_key: bytes, elements: bytes, evaluated: bytes) -> bytes:
    """The scalars d_i of ComputeComposites (RFC 9497 section 2.2.1), one for each pair of elements."""
    left, right = group.split(elements), group.split(evaluated)
    if not 0 < len(left) == len(right) <= 0xFFFF:
        raise InvalidProof("a proof is over 1 to 65,535 elements and as many answers")
    seed = sha512(len16(public_key) + len16(suite.seed_tag)).digest()
    prefix = len16(seed)
    return suite.hash_to_scalar(
        [
            b"".join((prefix, i.to_bytes(2, "big"), _LENGTH, c, _LENGTH, d, b"Composite"))
            for i, (c, d) in enumerate(zip(left, right, strict=True))
        ]
    )


def _challenge(
    suite: _Suite, public_key: bytes, composite: bytes, composite_evaluated: bytes, commitments: bytes
) -> bytes:
    """The challenge of RFC 9497 section 2.2.1 over Bm, a0, a1, a2 and a3."""
    transcript = b"".join(map(len16, (public_key, composite, composite_evaluated, commitments[:32], commitments[32:])))
    return suite.hash_to_scalar([transcript + b"Challenge"])
