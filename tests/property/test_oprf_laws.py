"""What must hold for all inputs, keys and sets of holders: unblinding, interchangeable holders, proofs that bind."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some

from crypto import group, oprf, scalars, shares
from crypto.errors import CryptoError, InvalidElement, InvalidProof, InvalidScalar
from crypto.oprf import Mode

# Machines differ: no example is judged by its time.
law = settings(deadline=None, max_examples=60)

scalar = some.integers(1, scalars.ORDER - 1).map(scalars.encode)
inputs = some.lists(some.binary(max_size=80), min_size=1, max_size=5)
modes = some.sampled_from(Mode)


@law
@given(inputs=inputs, key=scalar, mode=modes)
def test_what_is_blinded_evaluated_and_finalized_is_the_function_evaluated_in_the_clear(
    inputs: list[bytes], key: bytes, mode: Mode
) -> None:
    blinded = oprf.blind(inputs, mode=mode)
    clear = oprf.outputs(inputs, oprf.blind_evaluate(key, oprf.hash_inputs(inputs, mode=mode)))
    assert oprf.finalize(inputs, blinded.blinds, oprf.blind_evaluate(key, blinded.elements)) == clear


@law
@given(message=some.binary(max_size=40), blinds=some.tuples(scalar, scalar), key=scalar)
def test_the_output_does_not_depend_on_the_blind(message: bytes, blinds: tuple[bytes, bytes], key: bytes) -> None:
    outputs = [
        oprf.finalize([message], blind, oprf.blind_evaluate(key, oprf.blind([message], blinds=blind).elements))
        for blind in blinds
    ]
    assert outputs[0] == outputs[1]


@law
@given(inputs=inputs, key=scalar, mode=modes)
def test_an_honest_proof_holds(inputs: list[bytes], key: bytes, mode: Mode) -> None:
    public_key, elements = group.multiply_base(key), oprf.blind(inputs, mode=mode).elements
    evaluated = oprf.blind_evaluate(key, elements)
    proof = oprf.prove(key, public_key, elements, evaluated, mode=mode)
    oprf.verify_proof(public_key, elements, evaluated, proof, mode=mode)


@law
@given(inputs=inputs, key=scalar, place=some.integers(0, 63), bit=some.integers(0, 7))
def test_a_proof_with_any_bit_changed_is_refused(inputs: list[bytes], key: bytes, place: int, bit: int) -> None:
    public_key, elements = group.multiply_base(key), oprf.blind(inputs).elements
    evaluated = oprf.blind_evaluate(key, elements)
    proof = bytearray(oprf.prove(key, public_key, elements, evaluated))
    proof[place] ^= 1 << bit
    with pytest.raises(InvalidProof):
        oprf.verify_proof(public_key, elements, evaluated, bytes(proof))


@law
@given(inputs=inputs, key=scalar, factor=some.integers(2, 1_000).map(scalars.encode), data=some.data())
def test_an_answer_changed_anywhere_in_the_batch_is_refused(
    inputs: list[bytes], key: bytes, factor: bytes, data: some.DataObject
) -> None:
    public_key, elements = group.multiply_base(key), oprf.blind(inputs).elements
    evaluated = group.split(oprf.blind_evaluate(key, elements))
    proof = oprf.prove(key, public_key, elements, b"".join(evaluated))
    position = data.draw(some.integers(0, len(evaluated) - 1))
    evaluated[position] = group.multiply_each(factor, evaluated[position])
    with pytest.raises(InvalidProof):
        oprf.verify_proof(public_key, elements, b"".join(evaluated), proof)


@law
@given(polynomial=some.lists(scalar, min_size=1, max_size=3), spare=some.integers(0, 2), message=some.binary())
def test_any_holders_of_the_threshold_give_the_same_output(polynomial: list[bytes], spare: int, message: bytes) -> None:
    coefficients = [int.from_bytes(coefficient, "little") for coefficient in polynomial]
    commitments = group.split(group.multiply_base(b"".join(polynomial)))
    threshold, holders = len(polynomial), len(polynomial) + spare
    elements = oprf.hash_inputs([message])
    expected = oprf.blind_evaluate(polynomial[0], elements)
    # A share of zero, which key generation never leaves standing, is refused as a scalar.
    shared = [sum(part * index**degree for degree, part in enumerate(coefficients)) for index in range(1, holders + 1)]
    assume(all(share % scalars.ORDER for share in shared))
    for holder_set in combinations(range(1, holders + 1), threshold):
        answers = []
        for index in holder_set:
            share = scalars.encode(shared[index - 1])
            evaluation = shares.evaluate_share(share, commitments, index, holder_set, elements)
            shares.verify_share(commitments, index, holder_set, elements, evaluation)
            answers.append(evaluation.elements)
        assert shares.combine(answers) == expected


@law
@given(packed=some.lists(some.binary(min_size=32, max_size=32), max_size=4).map(b"".join))
def test_bytes_from_outside_are_elements_or_refused_in_every_operation_alike(packed: bytes) -> None:
    try:
        group.check_elements(packed)
    except InvalidElement as refusal:
        with pytest.raises(InvalidElement) as other:
            group.multiply_each(scalars.ONE, packed)
        assert other.value.position == refusal.position
    else:
        assert group.multiply_each(scalars.ONE, packed) == packed


@law
@given(key=some.binary(min_size=32, max_size=32))
def test_bytes_from_outside_are_a_scalar_below_the_order_or_refused(key: bytes) -> None:
    number = int.from_bytes(key, "little")
    if 0 < number < scalars.ORDER:
        scalars.check_scalars(key)
    else:
        with pytest.raises(InvalidScalar):
            scalars.check_scalars(key)


@law
@given(proof=some.binary(max_size=80), evaluated=some.binary(max_size=100))
def test_no_bytes_of_a_stranger_verify_or_crash(proof: bytes, evaluated: bytes) -> None:
    elements = group.GENERATOR * 2
    with pytest.raises((CryptoError, ValueError)):
        oprf.verify_proof(group.GENERATOR, elements, evaluated, proof)
    if len(evaluated) != len(elements):
        with pytest.raises(InvalidProof):
            oprf.verify_proof(group.GENERATOR, elements, evaluated, proof)


@law
@given(batch=some.lists(scalar, max_size=40).map(b"".join))
def test_inverting_twice_together_gives_the_batch_back(batch: bytes) -> None:
    assert scalars.invert(scalars.invert(batch)) == batch
