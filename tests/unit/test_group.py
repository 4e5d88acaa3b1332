"""ristretto255 in batches: RFC 9496's vectors, the traps of libsodium, positions in errors, threads, no file left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from crypto import group, scalars
from crypto.errors import InvalidElement, InvalidScalar
from tests.worked_bytes import unhex, worked

RFC9496 = worked("rfc9496_ristretto255", "rfc")
BEYOND_THE_ORDER = (scalars.ORDER + 1).to_bytes(32, "little")
REPOSITORY = Path(__file__).parents[2]


def random_elements(count: int) -> bytes:
    return group.multiply_base(scalars.random_scalars(count))


def test_multiples_of_the_generator_are_those_of_rfc_9496() -> None:
    multiples = [unhex(text) for text in RFC9496["multiples_of_the_generator"]]
    assert multiples[0] == group.IDENTITY
    assert multiples[1] == group.GENERATOR
    factors = b"".join(scalars.encode(number) for number in range(1, len(multiples)))
    assert group.multiply_base(factors) == b"".join(multiples[1:])
    assert group.multiply(factors, group.GENERATOR * (len(multiples) - 1)) == b"".join(multiples[1:])
    assert group.add(b"".join(multiples[:-1]), group.GENERATOR * (len(multiples) - 1)) == b"".join(multiples[1:])


def test_elements_from_uniform_strings_are_those_of_rfc_9496() -> None:
    cases = RFC9496["from_uniform"]
    uniform = b"".join(unhex(case["uniform"]) for case in cases)
    assert group.hash_to_group(uniform) == b"".join(unhex(case["element"]) for case in cases)


@pytest.mark.parametrize("encoding", [*RFC9496["invalid_encodings"], "00" * 31 + "80", "ed" + "ff" * 31])
def test_every_function_refuses_an_invalid_encoding_by_position(encoding: str) -> None:
    packed = random_elements(3) + unhex(encoding) + random_elements(2)
    factors = scalars.random_scalars(6)
    calls: list[Callable[[], object]] = [
        lambda: group.check_elements(packed),
        lambda: group.multiply(factors, packed),
        lambda: group.multiply_each(factors[:32], packed),
        lambda: group.weighted_sum(factors, packed),
        lambda: group.add(packed, random_elements(6)),
        lambda: group.add(random_elements(6), packed),
        lambda: group.subtract(random_elements(6), packed),
        lambda: group.total(packed),
    ]
    for call in calls:
        with pytest.raises(InvalidElement, match="element 3 is not the canonical encoding") as refusal:
            call()
        assert refusal.value.position == 3


def test_an_element_with_its_highest_bit_set_which_libsodium_takes_is_refused_by_position() -> None:
    element = random_elements(1)
    packed = random_elements(40) + element[:31] + bytes([element[31] | 0x80])
    for call in (
        lambda: group.check_elements(packed),
        lambda: group.multiply_each(scalars.ONE, packed),
        lambda: group.multiply(scalars.random_scalars(41), packed),
        lambda: group.weighted_sum(scalars.random_scalars(41), packed),
        lambda: group.add(random_elements(41), packed),
        lambda: group.total(packed),
    ):
        with pytest.raises(InvalidElement) as refusal:
            call()
        assert refusal.value.position == 40


def test_the_identity_which_libsodium_calls_valid_is_refused_from_outside_and_in_products() -> None:
    packed = random_elements(2) + group.IDENTITY
    factors = scalars.random_scalars(3)
    for call in (
        lambda: group.check_elements(packed),
        lambda: group.multiply(factors, packed),
        lambda: group.multiply_each(factors[:32], packed),
        lambda: group.weighted_sum(factors, packed),
    ):
        with pytest.raises(InvalidElement, match="element 2 is the identity") as refusal:
            call()
        assert refusal.value.position == 2


def test_zero_bytes_across_two_elements_are_not_mistaken_for_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    original = group._name_invalid

    def noting(packed: bytes, *, identity_allowed: bool) -> None:
        asked.append(packed)
        original(packed, identity_allowed=identity_allowed)

    # An element that ends in sixteen zero bytes cannot be made at will, so the check that finds them is called itself.
    monkeypatch.setattr(group, "_name_invalid", noting)
    packed = random_elements(4)
    group.check_elements(packed)
    assert asked == []
    original(packed, identity_allowed=False)


def test_the_identity_is_allowed_in_sums_and_is_the_sum_of_nothing() -> None:
    element = random_elements(1)
    assert group.add(element, group.IDENTITY) == element
    assert group.subtract(element, element) == group.IDENTITY
    assert group.total(element + group.IDENTITY) == element
    assert group.total(b"") == group.IDENTITY


def test_a_zero_scalar_is_refused_because_the_product_would_be_the_identity() -> None:
    factors = scalars.random_scalars(1) + scalars.ZERO
    for call in (
        lambda: group.multiply(factors, random_elements(2)),
        lambda: group.weighted_sum(factors, random_elements(2)),
        lambda: group.multiply_base(factors),
    ):
        with pytest.raises(InvalidScalar, match="scalar 1 is zero"):
            call()
    with pytest.raises(InvalidScalar, match="not below the order"):
        group.multiply_base(scalars.ONE + bytes(31) + b"\x80")


@pytest.mark.parametrize("count", [0, 1, 15, 16, 31, 32, 33, 200, 1_001])
def test_a_batch_gives_what_single_operations_give_whatever_its_size(count: int) -> None:
    factors, elements = scalars.random_scalars(count), random_elements(count)
    singly = [
        group.multiply(factor, element)
        for factor, element in zip(group.split(factors), group.split(elements), strict=True)
    ]
    assert group.multiply(factors, elements) == b"".join(singly)
    running = group.IDENTITY
    for product in singly:
        running = group.add(running, product)
    assert group.weighted_sum(factors, elements) == running
    assert group.total(b"".join(singly)) == running


def test_an_invalid_element_late_in_a_batch_over_several_threads_is_named() -> None:
    packed = bytearray(random_elements(700))
    packed[32 * 650 : 32 * 651] = b"\xff" * 32
    for call in (
        lambda: group.check_elements(bytes(packed)),
        lambda: group.multiply_each(scalars.ONE, bytes(packed)),
        lambda: group.weighted_sum(scalars.random_scalars(700), bytes(packed)),
        lambda: group.total(bytes(packed)),
    ):
        with pytest.raises(InvalidElement) as refusal:
            call()
        assert refusal.value.position == 650


def test_lengths_that_are_no_whole_elements_or_do_not_match_are_refused() -> None:
    for call in (
        lambda: group.check_elements(bytes(33)),
        lambda: group.multiply(bytes(32), bytes(64)),
        lambda: group.multiply_each(bytes(31), random_elements(1)),
        lambda: group.add(bytes(32), bytes(64)),
        lambda: group.hash_to_group(bytes(63)),
        lambda: scalars.reduce(bytes(65)),
        lambda: scalars.invert(bytes(31)),
    ):
        with pytest.raises(ValueError, match=r"bytes"):
            call()


def test_scalars_beyond_the_order_which_libsodium_takes_are_refused_by_position() -> None:
    scalars.check_scalars(scalars.encode(1) + scalars.encode(-1))
    for packed, reason in (
        (scalars.ONE + BEYOND_THE_ORDER, "scalar 1 is not below"),
        (scalars.ORDER.to_bytes(32, "little"), "scalar 0 is not below"),
        (b"\xff" * 32, "scalar 0 is not below"),
        (scalars.ONE + scalars.ONE + scalars.ZERO, "scalar 2 is zero"),
    ):
        with pytest.raises(InvalidScalar, match=reason):
            scalars.check_scalars(packed)
    scalars.check_scalars(scalars.ZERO, zero_allowed=True)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100])
def test_scalars_inverted_together_are_what_they_are_inverted_one_by_one(count: int) -> None:
    packed = scalars.random_scalars(count)
    expected = [
        pow(int.from_bytes(scalar, "little"), -1, scalars.ORDER).to_bytes(32, "little")
        for scalar in group.split(packed)
    ]
    assert scalars.invert(packed) == b"".join(expected)
    assert scalars.multiply(packed, scalars.invert(packed)) == scalars.ONE * count


@pytest.mark.parametrize("zero", [scalars.ZERO, scalars.ORDER.to_bytes(32, "little")])
def test_a_zero_anywhere_in_a_batch_to_invert_is_refused_by_position(zero: bytes) -> None:
    with pytest.raises(InvalidScalar, match="scalar 2 is zero"):
        scalars.invert(scalars.random_scalars(2) + zero + scalars.random_scalars(1))


def test_scalar_arithmetic_is_that_of_integers_modulo_the_order() -> None:
    left, right = scalars.random_scalars(20), scalars.random_scalars(20)
    pairs = [
        (int.from_bytes(one, "little"), int.from_bytes(other, "little"))
        for one, other in zip(group.split(left), group.split(right), strict=True)
    ]
    assert scalars.add(left, right) == b"".join(scalars.encode(one + other) for one, other in pairs)
    assert scalars.subtract(left, right) == b"".join(scalars.encode(one - other) for one, other in pairs)
    assert scalars.multiply(left, right) == b"".join(scalars.encode(one * other) for one, other in pairs)
    assert scalars.total(left) == scalars.encode(sum(one for one, _ in pairs))
    assert scalars.total(b"") == scalars.ZERO
    wide = os.urandom(64)
    assert scalars.reduce(wide) == scalars.encode(int.from_bytes(wide, "little"))


def test_loading_the_library_leaves_no_file_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    program = "from crypto import group; assert group.total(group.GENERATOR) == group.GENERATOR"
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []


def test_a_forked_child_works_with_threads_of_its_own() -> None:
    program = (
        "import os\n"
        "from crypto import group, scalars\n"
        "elements = group.multiply_base(scalars.random_scalars(200))\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    group.multiply_each(scalars.ONE, elements) == elements or os._exit(1)\n"
        "    os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], env=environment, check=True, timeout=60)
