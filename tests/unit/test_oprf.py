"""RFC 9497 with ristretto255-SHA512: its vectors, an independent implementation both ways, and what is refused."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
import voprf.ristretto as independent

from crypto import group, oprf, scalars
from crypto.errors import InvalidElement, InvalidProof, InvalidScalar
from crypto.oprf import Mode
from tests.worked_bytes import unhex, worked

SUITES = worked("rfc9497_ristretto255", "rfc")["suites"]
CASES = [(suite, vector) for suite in SUITES for vector in suite["vectors"]]
NAMES = [f"mode {suite['mode']}, {vector['Batch']} inputs of {vector['Input']}" for suite, vector in CASES]


def unhex_list(text: str) -> list[bytes]:
    return [bytes.fromhex(part) for part in text.split(",")]


def new_key() -> tuple[bytes, bytes]:
    key = scalars.random_scalars(1)
    return key, group.multiply_base(key)


def test_all_vectors_of_appendix_a_1_1_and_a_1_2_are_here() -> None:
    assert [(suite["mode"], len(suite["vectors"])) for suite in SUITES] == [(0, 2), (1, 3)]


@pytest.mark.parametrize(("suite", "vector"), CASES, ids=NAMES)
def test_the_vectors_of_rfc_9497_hold_in_every_step(suite: dict[str, Any], vector: dict[str, Any]) -> None:
    mode, key = Mode(suite["mode"]), unhex(suite["skSm"])
    inputs = unhex_list(vector["Input"])
    blinded = oprf.blind(inputs, blinds=b"".join(unhex_list(vector["Blind"])), mode=mode)
    assert blinded.elements == b"".join(unhex_list(vector["BlindedElement"]))
    evaluated = oprf.blind_evaluate(key, blinded.elements)
    assert evaluated == b"".join(unhex_list(vector["EvaluationElement"]))
    assert oprf.finalize(inputs, blinded.blinds, evaluated) == unhex_list(vector["Output"])
    clear = oprf.hash_inputs(inputs, mode=mode)
    assert oprf.outputs(inputs, oprf.blind_evaluate(key, clear)) == unhex_list(vector["Output"])
    if mode is Mode.VOPRF:
        public_key, nonce = unhex(suite["pkSm"]), unhex(vector["Proof"]["r"])
        proof = oprf.prove(key, public_key, blinded.elements, evaluated, nonce=nonce, mode=mode)
        assert proof.hex() == vector["Proof"]["proof"]
        oprf.verify_proof(public_key, blinded.elements, evaluated, proof, mode=mode)


def test_an_independent_client_finalizes_and_verifies_what_we_evaluate() -> None:
    key, public_key = new_key()
    inputs = [secrets.token_bytes(length) for length in (1, 16, 200, 1_000)]
    clients, sent = zip(*(independent.Client.blind(message) for message in inputs), strict=True)
    elements = b"".join(blinded.serialize() for blinded in sent)
    evaluated = oprf.blind_evaluate(key, elements)
    proof = oprf.prove(key, public_key, elements, evaluated)
    answer = independent.VerifiableBatchOutput.deserialize(proof + evaluated)
    theirs = independent.Client.finalize_batch(clients, answer, independent.PublicKey.deserialize(public_key))
    assert theirs == oprf.outputs(inputs, oprf.blind_evaluate(key, oprf.hash_inputs(inputs)))


def test_an_independent_holder_is_caught_when_it_swaps_two_answers() -> None:
    holder = independent.Evaluator(secrets.token_bytes(32))
    elements = oprf.blind([b"one", b"two"]).elements
    sent = [independent.BlindedInput.deserialize(element) for element in group.split(elements)]
    answer = holder.evaluate_batch(sent).serialize()
    proof, first, second = answer[:64], answer[64:96], answer[96:]
    oprf.verify_proof(holder.public_key.serialize(), elements, first + second, proof)
    with pytest.raises(InvalidProof):
        oprf.verify_proof(holder.public_key.serialize(), elements, second + first, proof)


def test_we_finalize_and_verify_what_an_independent_holder_evaluates() -> None:
    holder = independent.Evaluator(secrets.token_bytes(32))
    inputs = [secrets.token_bytes(length) for length in (1, 16, 200, 1_000)]
    blinded = oprf.blind(inputs)
    sent = [independent.BlindedInput.deserialize(element) for element in group.split(blinded.elements)]
    answer = holder.evaluate_batch(sent).serialize()
    proof, evaluated = answer[:64], answer[64:]
    oprf.verify_proof(holder.public_key.serialize(), blinded.elements, evaluated, proof)
    expected = [holder.evaluate_known_input(message) for message in inputs]
    assert oprf.finalize(inputs, blinded.blinds, evaluated) == expected


def test_a_batch_of_a_whole_chunk_is_proved_and_verified_at_once() -> None:
    key, public_key = new_key()
    inputs = [f"input {number}".encode() for number in range(oprf.CHUNK_LIMIT)]
    blinded = oprf.blind(inputs)
    evaluated = oprf.blind_evaluate(key, blinded.elements)
    oprf.verify_proof(public_key, blinded.elements, evaluated, oprf.prove(key, public_key, blinded.elements, evaluated))
    clear = oprf.outputs(inputs, oprf.blind_evaluate(key, oprf.hash_inputs(inputs)))
    assert oprf.finalize(inputs, blinded.blinds, evaluated) == clear


def test_two_proofs_of_the_same_never_use_one_nonce() -> None:
    key, public_key = new_key()
    elements = oprf.blind([b"x"]).elements
    evaluated = oprf.blind_evaluate(key, elements)
    assert oprf.prove(key, public_key, elements, evaluated) != oprf.prove(key, public_key, elements, evaluated)


def test_blinding_the_same_twice_gives_unlinkable_elements() -> None:
    assert oprf.blind([b"x"]).elements != oprf.blind([b"x"]).elements


def test_the_blinds_are_not_shown() -> None:
    blinded = oprf.blind([b"x"])
    assert blinded.blinds.hex() not in repr(blinded)
    assert repr(blinded.blinds) not in repr(blinded)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda proof: proof[:32] + scalars.encode(int.from_bytes(proof[32:], "little") + 1),
        lambda proof: scalars.encode(int.from_bytes(proof[:32], "little") + 1) + proof[32:],
        lambda proof: proof[:32] + (int.from_bytes(proof[32:], "little") + scalars.ORDER).to_bytes(32, "little"),
        lambda proof: (int.from_bytes(proof[:32], "little") + scalars.ORDER).to_bytes(32, "little") + proof[32:],
        lambda proof: bytes(64),
        lambda proof: proof[:32] + bytes(32),
        lambda proof: b"\xff" * 64,
        lambda proof: proof[:-1],
        lambda proof: proof + b"\0",
        lambda proof: b"",
    ],
)
def test_a_changed_proof_is_refused(spoil: Any) -> None:
    key, public_key = new_key()
    elements = oprf.blind([b"one", b"two"]).elements
    evaluated = oprf.blind_evaluate(key, elements)
    proof = oprf.prove(key, public_key, elements, evaluated)
    oprf.verify_proof(public_key, elements, evaluated, proof)
    with pytest.raises(InvalidProof):
        oprf.verify_proof(public_key, elements, evaluated, spoil(proof))


def test_a_proof_is_refused_for_other_elements_answers_keys_orders_and_modes() -> None:
    key, public_key = new_key()
    elements = oprf.blind([b"one", b"two"]).elements
    evaluated = oprf.blind_evaluate(key, elements)
    proof = oprf.prove(key, public_key, elements, evaluated)
    other = oprf.blind([b"one", b"two"]).elements
    swapped = (elements[32:] + elements[:32], evaluated[32:] + evaluated[:32])
    for wrong in (
        (new_key()[1], elements, evaluated),
        (public_key, other, evaluated),
        (public_key, elements, oprf.blind_evaluate(new_key()[0], elements)),
        (public_key, elements, swapped[1]),
        (public_key, *swapped),
        (public_key, elements[:32], evaluated[:32]),
        (public_key, elements, evaluated[:32]),
        (public_key, b"", b""),
        (group.IDENTITY, elements, evaluated),
        (b"\xff" * 32, elements, evaluated),
    ):
        with pytest.raises(InvalidProof):
            oprf.verify_proof(*wrong, proof)
    with pytest.raises(InvalidProof):
        oprf.verify_proof(public_key, elements, evaluated, proof, mode=Mode.OPRF)


def test_elements_from_outside_are_refused_by_position_on_both_sides() -> None:
    key, public_key = new_key()
    elements = oprf.blind([b"one", b"two", b"three"]).elements
    evaluated = oprf.blind_evaluate(key, elements)
    proof = oprf.prove(key, public_key, elements, evaluated)
    blinds = scalars.random_scalars(3)
    for wrong in (group.IDENTITY, b"\xff" * 32):
        spoilt = elements[:64] + wrong
        for call in (
            lambda spoilt=spoilt: oprf.blind_evaluate(key, spoilt),
            lambda spoilt=spoilt: oprf.verify_proof(public_key, elements, spoilt, proof),
            lambda spoilt=spoilt: oprf.finalize([b"one", b"two", b"three"], blinds, spoilt),
        ):
            with pytest.raises(InvalidElement) as refusal:
                call()
            assert refusal.value.position == 2


@pytest.mark.parametrize("wrong", [scalars.ZERO, scalars.ORDER.to_bytes(32, "little"), b"\xff" * 32])
def test_keys_and_blinds_that_are_zero_or_beyond_the_order_are_refused(wrong: bytes) -> None:
    with pytest.raises(InvalidScalar):
        oprf.blind_evaluate(wrong, group.GENERATOR)
    with pytest.raises(InvalidScalar):
        oprf.blind([b"x"], blinds=wrong)


def test_as_many_answers_as_inputs_are_demanded() -> None:
    blinded = oprf.blind([b"one", b"two"])
    with pytest.raises(ValueError, match="1 inputs and 2 elements"):
        oprf.finalize([b"one"], blinded.blinds, blinded.elements)
