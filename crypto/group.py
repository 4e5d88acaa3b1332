"""The group ristretto255 (RFC 9496) in batches: packed elements of 32 bytes in and out, every core used.

It knows elements and scalars, no protocol. Every function that takes elements refuses, by position, one that is not
canonical, and multiplications refuse the identity as well: libsodium accepts the identity, and its 1.0.18 also an
encoding with the highest bit of its last byte set.
"""

from __future__ import annotations

from typing import Final, NoReturn

from crypto.errors import InvalidElement, InvalidScalar
from crypto.scalars import ORDER, SCALAR_LENGTH, ZERO, find_zero
from crypto.sodium import Operation, Output, address, in_parts, operation, steps, succeeds

ELEMENT_LENGTH: Final = 32
UNIFORM_LENGTH: Final = 64
IDENTITY: Final = bytes(ELEMENT_LENGTH)
# The encoding of the group's generator (RFC 9496, Appendix A.1).
GENERATOR: Final = bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76")

_is_valid = operation("crypto_core_ristretto255_is_valid_point", 1)
_from_hash = operation("crypto_core_ristretto255_from_hash", 2)
_add = operation("crypto_core_ristretto255_add", 3)
_subtract = operation("crypto_core_ristretto255_sub", 3)
_multiply = operation("crypto_scalarmult_ristretto255", 3)
_multiply_base = operation("crypto_scalarmult_ristretto255_base", 2)

__all__ = [
    "ELEMENT_LENGTH",
    "GENERATOR",
    "IDENTITY",
    "ORDER",
    "UNIFORM_LENGTH",
    "add",
    "check_elements",
    "count_elements",
    "hash_to_group",
    "multiply",
    "multiply_base",
    "multiply_each",
    "split",
    "subtract",
    "total",
    "weighted_sum",
]


def count_elements(packed: bytes) -> int:
    """How many elements `packed` holds; ValueError where it is not whole ones."""
    count, rest = divmod(len(packed), ELEMENT_LENGTH)
    if rest:
        raise ValueError(f"packed elements must be a multiple of {ELEMENT_LENGTH} bytes long, not {len(packed)}")
    return count


def split(packed: bytes) -> list[bytes]:
    """The elements (or scalars) of `packed`, 32 bytes each."""
    return [packed[start : start + ELEMENT_LENGTH] for start in range(0, len(packed), ELEMENT_LENGTH)]


def check_elements(packed: bytes) -> None:
    """Raise InvalidElement, naming the first position, unless every element is canonical and not the identity."""
    count = _count_canonical_top(packed)
    base = address(packed)

    def part(start: int, stop: int) -> bool:
        return all(map(_is_valid, steps(base + start * ELEMENT_LENGTH, ELEMENT_LENGTH, stop - start)))

    # Thirty-two zero bytes in a row, aligned or not, send us the slow way, which looks at each element.
    if not all(in_parts(part, count)) or IDENTITY in packed:
        _name_invalid(packed, identity_allowed=False)


def hash_to_group(uniform: bytes) -> bytes:
    """Elements (32 bytes each) from uniform strings of 64 bytes each: RFC 9496 section 4.3.4.

    Raises InvalidElement where one comes out as the identity (RFC 9497 section 3.3.1; its chance is negligible).
    """
    count, rest = divmod(len(uniform), UNIFORM_LENGTH)
    if rest:
        raise ValueError(f"uniform strings must be {UNIFORM_LENGTH} bytes long each")
    source, output = address(uniform), Output(count * ELEMENT_LENGTH)

    def part(start: int, stop: int) -> bool:
        return succeeds(
            _from_hash,
            steps(output.address + start * ELEMENT_LENGTH, ELEMENT_LENGTH, stop - start),
            steps(source + start * UNIFORM_LENGTH, UNIFORM_LENGTH, stop - start),
        )

    in_parts(part, count)
    elements = output.take()
    if IDENTITY in elements:
        _name_invalid(elements, identity_allowed=False)
    return elements


def multiply(scalars: bytes, elements: bytes) -> bytes:
    """Each element times its scalar (32 bytes each, as many of one as of the other).

    Raises InvalidElement by position, and InvalidScalar for a zero: the result would be the identity. Scalars must
    be below the order; those from outside are checked by `scalars.check_scalars` first.
    """
    _check_same_count(scalars, elements)
    return _products(scalars, SCALAR_LENGTH, elements)


def multiply_each(scalar: bytes, elements: bytes) -> bytes:
    """Each element times the one scalar; raises as `multiply`."""
    if len(scalar) != SCALAR_LENGTH:
        raise ValueError(f"a scalar must be {SCALAR_LENGTH} bytes long, not {len(scalar)}")
    return _products(scalar, 0, elements)


def multiply_base(scalars: bytes) -> bytes:
    """The generator times each scalar (32 bytes each); InvalidScalar for a zero."""
    count = count_elements(scalars)
    factors, output = address(scalars), Output(count * ELEMENT_LENGTH)

    def part(start: int, stop: int) -> bool:
        return succeeds(
            _multiply_base,
            steps(output.address + start * ELEMENT_LENGTH, ELEMENT_LENGTH, stop - start),
            steps(factors + start * SCALAR_LENGTH, SCALAR_LENGTH, stop - start),
        )

    if not all(in_parts(part, count)):
        _name_zero(scalars)
    return output.take()


def add(left: bytes, right: bytes) -> bytes:
    """The sums, position by position. The identity is allowed, in and out; InvalidElement for what is not canonical."""
    return _pairwise(_add, left, right)


def subtract(left: bytes, right: bytes) -> bytes:
    """The differences left - right, position by position; as `add`."""
    return _pairwise(_subtract, left, right)


def total(elements: bytes) -> bytes:
    """The sum of all elements (32 bytes); the identity for none, and allowed among them."""
    count = _count_canonical_top(elements)
    source = address(elements)

    def part(start: int, stop: int) -> bytes | None:
        return _sum(source + start * ELEMENT_LENGTH, stop - start)

    return _combine(in_parts(part, count), elements)


def weighted_sum(scalars: bytes, elements: bytes) -> bytes:
    """The sum of each element times its scalar (32 bytes); raises as `multiply`."""
    _check_same_count(scalars, elements)
    count = _count_canonical_top(elements)
    factors, source, products = address(scalars), address(elements), Output(len(elements))

    def part(start: int, stop: int) -> bytes | None:
        offset = start * ELEMENT_LENGTH
        scratch = products.address + offset
        done = succeeds(
            _multiply,
            steps(scratch, ELEMENT_LENGTH, stop - start),
            steps(factors + offset, SCALAR_LENGTH, stop - start),
            steps(source + offset, ELEMENT_LENGTH, stop - start),
        )
        return _sum(scratch, stop - start) if done else None

    sums = in_parts(part, count)
    if None in sums:
        _explain_failure(scalars, elements)
    return _combine(sums, products.take())


def _products(scalars: bytes, stride: int, elements: bytes) -> bytes:
    """Products with scalars `stride` bytes apart (0: the same one for all)."""
    count = _count_canonical_top(elements)
    factors, source, output = address(scalars), address(elements), Output(len(elements))

    def part(start: int, stop: int) -> bool:
        return succeeds(
            _multiply,
            steps(output.address + start * ELEMENT_LENGTH, ELEMENT_LENGTH, stop - start),
            steps(factors + start * stride, stride, stop - start),
            steps(source + start * ELEMENT_LENGTH, ELEMENT_LENGTH, stop - start),
        )

    # libsodium fails where the element is not canonical or the product is the identity, so one pass also checks.
    if not all(in_parts(part, count)):
        _explain_failure(scalars, elements)
    return output.take()


def _pairwise(function: Operation, left: bytes, right: bytes) -> bytes:
    _check_same_count(left, right)
    count = _count_canonical_top(left)
    _count_canonical_top(right)
    first, second, output = address(left), address(right), Output(len(left))

    def part(start: int, stop: int) -> bool:
        offset = start * ELEMENT_LENGTH
        return succeeds(
            function,
            steps(output.address + offset, ELEMENT_LENGTH, stop - start),
            steps(first + offset, ELEMENT_LENGTH, stop - start),
            steps(second + offset, ELEMENT_LENGTH, stop - start),
        )

    if not all(in_parts(part, count)):
        _name_invalid(left, identity_allowed=True)
        _name_invalid(right, identity_allowed=True)
    return output.take()


def _sum(source: int, count: int) -> bytes | None:
    """The sum of `count` elements from the address on; None where one of them is not canonical."""
    running = Output(ELEMENT_LENGTH)  # zeroed: the identity
    at = running.address
    done = succeeds(_add, steps(at, 0, count), steps(at, 0, count), steps(source, ELEMENT_LENGTH, count))
    return running.take() if done else None


def _combine(sums: list[bytes | None], elements: bytes) -> bytes:
    parts = [part for part in sums if part is not None]
    if len(parts) < len(sums):
        _name_invalid(elements, identity_allowed=True)
    if len(parts) == 1:
        return parts[0]
    packed = b"".join(parts)
    combined = _sum(address(packed), len(parts))
    assert combined is not None  # noqa: S101 - sums of canonical elements are canonical
    return combined


def _check_same_count(left: bytes, right: bytes) -> None:
    if len(left) != len(right):
        raise ValueError(f"as many on one side as on the other: {len(left)} against {len(right)} bytes")


def _name_zero(scalars: bytes) -> NoReturn:
    """Raise InvalidScalar for the first scalar that is zero."""
    position = find_zero(scalars)
    # libsodium ignores a scalar's highest bit, so one far beyond the order can act as a zero.
    reason = f"scalar {position} is zero where none may be" if position >= 0 else "a scalar is not below the order"
    raise InvalidScalar(reason)


def _explain_failure(scalars: bytes, elements: bytes) -> NoReturn:
    """Raise what made a multiplication fail: an element, by position, or else a zero scalar."""
    _name_invalid(elements, identity_allowed=False)
    _name_zero(scalars)


def _count_canonical_top(packed: bytes) -> int:
    """How many elements there are, after checking the one thing that libsodium 1.0.18 overlooks.

    An encoding is below 2^255 (RFC 9496 section 4.3.1), so the highest bit of each last byte is zero, which is what
    `isascii` asks.
    """
    count = count_elements(packed)
    if not packed[ELEMENT_LENGTH - 1 :: ELEMENT_LENGTH].isascii():
        _name_invalid(packed, identity_allowed=True)
    return count


def _name_invalid(packed: bytes, *, identity_allowed: bool) -> None:
    """Raise InvalidElement for the first element that is not canonical, or is the identity where that is refused."""
    base = address(packed)
    for position in range(count_elements(packed)):
        start = position * ELEMENT_LENGTH
        if packed[start : start + ELEMENT_LENGTH] == ZERO:
            if not identity_allowed:
                raise InvalidElement(position, "is the identity")
        elif packed[start + ELEMENT_LENGTH - 1] >= 0x80 or not _is_valid(base + start):
            raise InvalidElement(position, "is not the canonical encoding of a group element")
