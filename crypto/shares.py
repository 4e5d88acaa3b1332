"""Keys that are split among holders: public shares, Lagrange weights, a holder's weighted answer and its proof.

A holder j of the set S multiplies by lambda_j k_j; the answers of a whole S add up to what the unsplit key would give
(Naor, Pinkas and Reingold 1999). It knows indexes and commitments, no party's name and no identifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Final

from crypto import group, oprf, scalars
from crypto.encoding import EPOCH_ID_LENGTH, check_length, len16, u32
from crypto.errors import CryptoError, InvalidElement, InvalidHolderSet, InvalidShare

LARGEST_INDEX: Final = 0xFFFF
_CHUNK_LABEL: Final = b"crosslight/v1 chunk\0"


@dataclass(frozen=True)
class Evaluation:
    """One holder's answer to a chunk: an element (32 bytes) for each one asked, and one proof (64 bytes) over them."""

    elements: bytes
    proof: bytes


def check_holder_set(holder_set: Sequence[int], threshold: int, holders: int) -> None:
    """Raise InvalidHolderSet unless the set is exactly `threshold` distinct ascending indexes out of 1..`holders`."""
    _check_indexes(holder_set)
    if len(holder_set) != threshold:
        raise InvalidHolderSet(f"a set of holders has {threshold} members here, not {len(holder_set)}")
    if holder_set[-1] > holders:
        raise InvalidHolderSet(f"there is no holder {holder_set[-1]}, only 1 to {holders}")


def lagrange_coefficient(index: int, holder_set: Sequence[int]) -> bytes:
    """lambda_index over the set, at 0 (32 bytes): the product of m / (m - index) over the other members m."""
    _check_indexes(holder_set)
    if index not in holder_set:
        raise InvalidHolderSet(f"holder {index} is not in the set {list(holder_set)}")
    numerator, denominator = 1, 1
    for other in holder_set:
        if other != index:
            numerator = numerator * other % scalars.ORDER
            denominator = denominator * (other - index) % scalars.ORDER
    return scalars.encode(numerator * pow(denominator, -1, scalars.ORDER))


def public_share(commitments: Sequence[bytes], index: int) -> bytes:
    """pk_index = sum of index^i A_i (32 bytes), from the Feldman commitments A_0.. (32 bytes each).

    Raises InvalidElement, by position, for a commitment that is not canonical or is the identity.
    """
    if not 0 < index <= LARGEST_INDEX:
        raise InvalidHolderSet(f"a holder's index is from 1 to {LARGEST_INDEX}, not {index}")
    packed = b"".join(commitments)
    if not commitments or len(packed) != len(commitments) * group.ELEMENT_LENGTH:
        raise InvalidElement(0, "is missing or not 32 bytes long among the commitments")
    group.check_elements(packed)
    point, running = scalars.encode(index), commitments[-1]
    for commitment in reversed(commitments[:-1]):
        if running != group.IDENTITY:
            running = group.multiply_each(point, running)
        running = group.add(running, commitment)
    return running


def share_name(public_key: bytes, share_version: int = 1) -> str:
    """The name of a share in its holder's key file: A_0 of its family's key (32 bytes) in hex, and the share's version.

    So the holder finds it from an epoch's commitments alone, and shares of two keys never take each other's place.
    """
    check_length(public_key, group.ELEMENT_LENGTH, "a public key")
    return f"share.{public_key.hex()}.{share_version}"


def check_share(share: bytes, commitments: Sequence[bytes], index: int) -> None:
    """Raise InvalidShare unless the holder's share (32 bytes) is the one that the commitments promise."""
    scalars.check_scalars(share)
    if group.multiply_base(share) != public_share(commitments, index):
        raise InvalidShare(f"the share is not the one of holder {index} under these commitments")


def weighted_key(share: bytes, index: int, holder_set: Sequence[int]) -> bytes:
    """lambda_index k_index (32 bytes): what the holder multiplies by when it answers for this set."""
    return scalars.multiply(lagrange_coefficient(index, holder_set), share)


def weighted_public_key(commitments: Sequence[bytes], index: int, holder_set: Sequence[int]) -> bytes:
    """lambda_index pk_index (32 bytes): what the holder's proof is checked against. The client computes it itself."""
    return group.multiply_each(lagrange_coefficient(index, holder_set), public_share(commitments, index))


def evaluate_share(
    share: bytes,
    commitments: Sequence[bytes],
    index: int,
    holder_set: Sequence[int],
    elements: bytes,
    *,
    nonce: bytes | None = None,
) -> Evaluation:
    """The holder's answer to `elements`, blinded or in the clear, with its proof; `nonce` is for test vectors alone.

    Raises InvalidElement, by position, for an element that is not canonical or is the identity.
    """
    key = weighted_key(share, index, holder_set)
    evaluated = oprf.blind_evaluate(key, elements)
    public_key = weighted_public_key(commitments, index, holder_set)
    return Evaluation(evaluated, oprf.prove(key, public_key, elements, evaluated, nonce=nonce))


def verify_share(
    commitments: Sequence[bytes],
    index: int,
    holder_set: Sequence[int],
    elements: bytes,
    evaluation: Evaluation,
) -> None:
    """Raise InvalidProof or InvalidElement unless the holder answered with its own weighted share."""
    public_key = weighted_public_key(commitments, index, holder_set)
    oprf.verify_proof(public_key, elements, evaluation.elements, evaluation.proof)


def combine(answers: Sequence[bytes]) -> bytes:
    """The sum, element by element, of the verified answers of one whole set of holders."""
    if not answers:
        raise CryptoError("there are no answers to combine")
    combined = answers[0]
    for answer in answers[1:]:
        combined = group.add(combined, answer)
    return combined


def chunk_digest(epoch_id: bytes, family: str, share_version: int, elements: bytes) -> bytes:
    """What a holder remembers a chunk by (32 bytes), so that the same one asked again is not charged again."""
    check_length(epoch_id, EPOCH_ID_LENGTH, "an epoch id")
    count = group.count_elements(elements)
    named = epoch_id + len16(family.encode()) + u32(share_version) + u32(count)
    return sha256(_CHUNK_LABEL + named + elements).digest()


def _check_indexes(holder_set: Sequence[int]) -> None:
    if not holder_set or any(not 0 < index <= LARGEST_INDEX for index in holder_set):
        raise InvalidHolderSet(f"a set of holders is indexes from 1 to {LARGEST_INDEX}, at least one")
    if any(left >= right for left, right in pairwise(holder_set)):
        raise InvalidHolderSet("a set of holders is in ascending order, none twice")
