"""Scalars of ristretto255, packed 32 bytes each, little-endian, below the group's order: arithmetic in batches.

Secret scalars go through libsodium, whose arithmetic takes the same time for every value. It knows no element.
"""

from __future__ import annotations

import secrets
from typing import Final

from crypto.errors import InvalidScalar
from crypto.sodium import Output, Procedure, address, operation, procedure, run, steps

SCALAR_LENGTH: Final = 32
UNIFORM_LENGTH: Final = 64
# RFC 9496 section 4: the order of the group.
ORDER: Final = 2**252 + 27742317777372353535851937790883648493
ZERO: Final = bytes(SCALAR_LENGTH)
ONE: Final = (1).to_bytes(SCALAR_LENGTH, "little")

_reduce = procedure("crypto_core_ristretto255_scalar_reduce", 2)
_invert = operation("crypto_core_ristretto255_scalar_invert", 2)
_multiply = procedure("crypto_core_ristretto255_scalar_mul", 3)
_add = procedure("crypto_core_ristretto255_scalar_add", 3)
_subtract = procedure("crypto_core_ristretto255_scalar_sub", 3)


def encode(number: int) -> bytes:
    """A public number as a scalar, reduced modulo the order. Not for secrets: Python's integers leak by timing."""
    return (number % ORDER).to_bytes(SCALAR_LENGTH, "little")


def check_scalars(packed: bytes, *, zero_allowed: bool = False) -> None:
    """Raise InvalidScalar, naming the position, for a scalar at or beyond the order, or a zero where none may be.

    libsodium's own functions take any 32 bytes, so every scalar from outside passes here first.
    """
    for position in range(_count(packed)):
        number = int.from_bytes(packed[position * SCALAR_LENGTH : (position + 1) * SCALAR_LENGTH], "little")
        if number >= ORDER:
            raise InvalidScalar(f"scalar {position} is not below the group's order")
        if number == 0 and not zero_allowed:
            raise InvalidScalar(f"scalar {position} is zero where none may be")


def find_zero(packed: bytes) -> int:
    """The position of the first scalar that is zero modulo the order; -1 for none."""
    for position in range(_count(packed)):
        start = position * SCALAR_LENGTH
        if int.from_bytes(packed[start : start + SCALAR_LENGTH], "little") % ORDER == 0:
            return position
    return -1


def random_scalars(count: int) -> bytes:
    """`count` uniform scalars, each by wide reduction of 64 random bytes (RFC 9497 section 4.7.2).

    A zero comes out with a chance of 2^-252; every use that it would harm refuses it.
    """
    return reduce(secrets.token_bytes(count * UNIFORM_LENGTH))


def reduce(uniform: bytes) -> bytes:
    """Scalars from strings of 64 bytes each, read little-endian modulo the order (bias below 2^-250)."""
    count, rest = divmod(len(uniform), UNIFORM_LENGTH)
    if rest:
        raise ValueError(f"strings to reduce must be {UNIFORM_LENGTH} bytes long each")
    output = Output(count * SCALAR_LENGTH)
    run(
        _reduce,
        steps(output.address, SCALAR_LENGTH, count),
        steps(address(uniform), UNIFORM_LENGTH, count),
    )
    return output.take()


def multiply(left: bytes, right: bytes) -> bytes:
    """The products, position by position."""
    return _pairwise(_multiply, left, right)


def add(left: bytes, right: bytes) -> bytes:
    """The sums, position by position."""
    return _pairwise(_add, left, right)


def subtract(left: bytes, right: bytes) -> bytes:
    """The differences left - right, position by position."""
    return _pairwise(_subtract, left, right)


def total(packed: bytes) -> bytes:
    """The sum of all scalars (32 bytes); zero for none."""
    count = _count(packed)
    running = Output(SCALAR_LENGTH)
    at = running.address
    run(_add, steps(at, 0, count), steps(at, 0, count), steps(address(packed), SCALAR_LENGTH, count))
    return running.take()


def invert(packed: bytes) -> bytes:
    """The inverses of all scalars, with one inversion for the whole batch; InvalidScalar, by position, for a zero.

    Montgomery's trick: prefix products p_i = s_0 .. s_(i-1), the inverse of the whole product, then backward
    r_i = 1 / (s_0 .. s_(i-1)) from r_(i+1) s_i, and 1 / s_i = r_(i+1) p_i. Three multiplications a scalar.
    """
    count = _count(packed)
    if not count:
        return b""
    scalars = address(packed)
    prefixes, rests = (Output((count + 1) * SCALAR_LENGTH) for _ in range(2))
    inverses = Output(count * SCALAR_LENGTH)
    _add(prefixes.address, prefixes.address, address(ONE))
    last = count * SCALAR_LENGTH
    run(
        _multiply,
        steps(prefixes.address + SCALAR_LENGTH, SCALAR_LENGTH, count),
        steps(prefixes.address, SCALAR_LENGTH, count),
        steps(scalars, SCALAR_LENGTH, count),
    )
    if _invert(rests.address + last, prefixes.address + last):
        raise InvalidScalar(f"scalar {find_zero(packed)} is zero and has no inverse")
    run(
        _multiply,
        steps(rests.address + last - SCALAR_LENGTH, -SCALAR_LENGTH, count),
        steps(rests.address + last, -SCALAR_LENGTH, count),
        steps(scalars + last - SCALAR_LENGTH, -SCALAR_LENGTH, count),
    )
    run(
        _multiply,
        steps(inverses.address, SCALAR_LENGTH, count),
        steps(rests.address + SCALAR_LENGTH, SCALAR_LENGTH, count),
        steps(prefixes.address, SCALAR_LENGTH, count),
    )
    return inverses.take()


def _count(packed: bytes) -> int:
    count, rest = divmod(len(packed), SCALAR_LENGTH)
    if rest:
        raise ValueError(f"packed scalars must be a multiple of {SCALAR_LENGTH} bytes long, not {len(packed)}")
    return count


def _pairwise(function: Procedure, left: bytes, right: bytes) -> bytes:
    if len(left) != len(right):
        raise ValueError(f"as many on one side as on the other: {len(left)} against {len(right)} bytes")
    count = _count(left)
    output = Output(len(left))
    run(
        function,
        steps(output.address, SCALAR_LENGTH, count),
        steps(address(left), SCALAR_LENGTH, count),
        steps(address(right), SCALAR_LENGTH, count),
    )
    return output.take()
