"""Split keys: the protocol's worked bytes, every set of holders, and what a lying or confused holder is caught by."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from crypto import group, oprf, scalars, shares
from crypto.errors import CryptoError, InvalidElement, InvalidHolderSet, InvalidProof, InvalidScalar, InvalidShare
from tests.worked_bytes import unhex, worked

CASES = worked("oprf_threshold")["cases"]
NAMES = [f"{case['t_h']} of {case['n']}, {case['family']}" for case in CASES]


def packed(texts: list[str]) -> bytes:
    return b"".join(unhex(text) for text in texts)


def split_key(threshold: int, holders: int) -> tuple[list[bytes], dict[int, bytes]]:
    """Commitments and shares of a random polynomial, computed with integers alone."""
    polynomial = [int.from_bytes(part, "little") for part in group.split(scalars.random_scalars(threshold))]
    dealt = {
        index: scalars.encode(sum(coefficient * index**degree for degree, coefficient in enumerate(polynomial)))
        for index in range(1, holders + 1)
    }
    return [group.multiply_base(scalars.encode(coefficient)) for coefficient in polynomial], dealt


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_public_shares_follow_from_the_commitments_as_in_the_worked_bytes(case: dict[str, Any]) -> None:
    commitments = [unhex(text) for text in case["commitments"]]
    dealers = [[unhex(text) for text in dealt] for dealt in case["dealer_commitments"]]
    assert [group.total(b"".join(column)) for column in zip(*dealers, strict=True)] == commitments
    for index, share in case["shares"].items():
        assert shares.public_share(commitments, int(index)).hex() == case["public_shares"][index]
        shares.check_share(unhex(share), commitments, int(index))


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_every_step_of_the_worked_evaluations_holds(case: dict[str, Any]) -> None:
    commitments = [unhex(text) for text in case["commitments"]]
    inputs = [unhex(text) for text in case["inputs"]]
    blinded = oprf.blind(inputs, blinds=packed(case["blinds"]))
    assert blinded.elements == packed(case["blinded"])
    digest = shares.chunk_digest(unhex(case["epoch_id"]), case["family"], case["share_version"], blinded.elements)
    assert digest.hex() == case["chunk_digest"]
    for run in case["runs"]:
        shares.check_holder_set(run["S"], case["t_h"], case["n"])
        answers = []
        for answer in run["answers"]:
            index, share = answer["holder"], unhex(case["shares"][str(answer["holder"])])
            assert shares.lagrange_coefficient(index, run["S"]).hex() == answer["lambda"]
            assert shares.weighted_public_key(commitments, index, run["S"]).hex() == answer["lambda_pk"]
            nonce = unhex(answer["proof_nonce"])
            evaluation = shares.evaluate_share(share, commitments, index, run["S"], blinded.elements, nonce=nonce)
            assert evaluation == shares.Evaluation(packed(answer["elements"]), unhex(answer["proof"]))
            shares.verify_share(commitments, index, run["S"], blinded.elements, evaluation)
            answers.append(evaluation.elements)
        combined = shares.combine(answers)
        assert combined == packed(run["combined"])
        assert oprf.finalize(inputs, blinded.blinds, combined) == [unhex(text) for text in run["outputs"]]


@pytest.mark.parametrize(("threshold", "holders"), [(1, 1), (1, 3), (2, 3), (3, 5), (5, 5)])
def test_any_set_of_the_threshold_gives_what_the_whole_key_would_give(threshold: int, holders: int) -> None:
    commitments, dealt = split_key(threshold, holders)
    whole = sum(
        int.from_bytes(shares.weighted_key(dealt[index], index, range(1, threshold + 1)), "little")
        for index in range(1, threshold + 1)
    )
    assert group.multiply_base(scalars.encode(whole)) == commitments[0]
    elements = oprf.hash_inputs([b"one", b"two"])
    expected = oprf.blind_evaluate(scalars.encode(whole), elements)
    for holder_set in combinations(range(1, holders + 1), threshold):
        answers = []
        for index in holder_set:
            evaluation = shares.evaluate_share(dealt[index], commitments, index, holder_set, elements)
            shares.verify_share(commitments, index, holder_set, elements, evaluation)
            answers.append(evaluation.elements)
        assert shares.combine(answers) == expected


def test_fewer_holders_than_the_threshold_give_something_else() -> None:
    commitments, dealt = split_key(3, 5)
    elements = oprf.hash_inputs([b"x"])

    def evaluated(holder_set: tuple[int, ...], answering: tuple[int, ...]) -> bytes:
        return shares.combine(
            [shares.evaluate_share(dealt[j], commitments, j, holder_set, elements).elements for j in answering]
        )

    right = evaluated((1, 2, 3), (1, 2, 3))
    for fewer in combinations((1, 2, 3), 2):
        assert evaluated((1, 2, 3), fewer) != right
        assert evaluated(fewer, fewer) != right


def test_another_set_takes_over_in_the_middle_of_a_batch_and_the_outputs_are_the_same() -> None:
    commitments, dealt = split_key(2, 3)
    inputs = [f"input {number}".encode() for number in range(6)]
    blinded = oprf.blind(inputs)

    def answer(holder_set: tuple[int, int], elements: bytes) -> bytes:
        evaluations = [shares.evaluate_share(dealt[j], commitments, j, holder_set, elements) for j in holder_set]
        return shares.combine([evaluation.elements for evaluation in evaluations])

    mixed = answer((1, 2), blinded.elements[:96]) + answer((2, 3), blinded.elements[96:])
    assert oprf.finalize(inputs, blinded.blinds, mixed) == oprf.finalize(
        inputs, blinded.blinds, answer((1, 3), blinded.elements)
    )


def test_a_holder_is_caught_with_another_share_a_wrong_lambda_or_another_set() -> None:
    commitments, dealt = split_key(2, 3)
    elements = oprf.blind([b"one", b"two"]).elements
    honest = shares.evaluate_share(dealt[1], commitments, 1, (1, 2), elements)
    shares.verify_share(commitments, 1, (1, 2), elements, honest)
    other_set = shares.evaluate_share(dealt[1], commitments, 1, (1, 3), elements)
    wrong_share = shares.evaluate_share(dealt[2], commitments, 1, (1, 2), elements)
    unweighted = oprf.blind_evaluate(dealt[1], elements)
    public_key = shares.weighted_public_key(commitments, 1, (1, 2))
    wrong_lambda = shares.Evaluation(unweighted, oprf.prove(dealt[1], public_key, elements, unweighted))
    borrowed = shares.Evaluation(unweighted, honest.proof)
    for lie in (other_set, wrong_share, wrong_lambda, borrowed):
        with pytest.raises(InvalidProof):
            shares.verify_share(commitments, 1, (1, 2), elements, lie)
    with pytest.raises(InvalidProof):
        shares.verify_share(commitments, 2, (1, 2), elements, honest)


def test_answers_under_two_versions_of_the_shares_do_not_mix() -> None:
    commitments, dealt = split_key(2, 3)
    # A refresh: the same A_0, another polynomial.
    key = int.from_bytes(shares.weighted_key(dealt[1], 1, (1, 2)), "little") + int.from_bytes(
        shares.weighted_key(dealt[2], 2, (1, 2)), "little"
    )
    slope = int.from_bytes(scalars.random_scalars(1), "little")
    refreshed = [commitments[0], group.multiply_base(scalars.encode(slope))]
    shares.check_share(scalars.encode(key + slope), refreshed, 1)
    elements = oprf.hash_inputs([b"x"])
    old = shares.evaluate_share(dealt[2], commitments, 2, (1, 2), elements)
    new = shares.evaluate_share(scalars.encode(key + slope), refreshed, 1, (1, 2), elements)
    with pytest.raises(InvalidProof):
        shares.verify_share(refreshed, 2, (1, 2), elements, old)
    assert shares.combine([new.elements, old.elements]) != oprf.blind_evaluate(scalars.encode(key), elements)


def test_a_share_that_the_commitments_do_not_promise_is_refused() -> None:
    commitments, dealt = split_key(2, 3)
    shares.check_share(dealt[3], commitments, 3)
    for share, index in ((dealt[2], 3), (dealt[3], 2), (scalars.random_scalars(1), 3)):
        with pytest.raises(InvalidShare):
            shares.check_share(share, commitments, index)
    for share in (scalars.ZERO, b"\xff" * 32):
        with pytest.raises(InvalidScalar):
            shares.check_share(share, commitments, 3)


@pytest.mark.parametrize(
    ("holder_set", "reason"),
    [
        ((), "at least one"),
        ((1,), "2 members"),
        ((1, 2, 3), "2 members"),
        ((1, 1), "ascending"),
        ((2, 1), "ascending"),
        ((0, 1), "from 1"),
        ((-1, 1), "from 1"),
        ((1, 4), "no holder 4"),
        ((1, 65_536), "from 1"),
    ],
)
def test_a_set_of_holders_is_exactly_the_threshold_of_distinct_ascending_indexes(
    holder_set: tuple[int, ...], reason: str
) -> None:
    shares.check_holder_set((1, 3), 2, 3)
    with pytest.raises(InvalidHolderSet, match=reason):
        shares.check_holder_set(holder_set, 2, 3)


def test_a_holder_does_not_answer_for_a_set_that_it_is_not_in() -> None:
    commitments, dealt = split_key(2, 3)
    with pytest.raises(InvalidHolderSet, match="holder 3 is not in the set"):
        shares.evaluate_share(dealt[3], commitments, 3, (1, 2), group.GENERATOR)
    for repeated in ((3, 3), (3, 1)):
        with pytest.raises(InvalidHolderSet):
            shares.lagrange_coefficient(3, repeated)


def test_commitments_that_are_no_elements_are_refused() -> None:
    commitments, _ = split_key(2, 3)
    for wrong in ([commitments[0], group.IDENTITY], [commitments[0], b"\xff" * 32], [commitments[0][:31]], []):
        with pytest.raises(InvalidElement):
            shares.public_share(wrong, 1)
    for index in (0, -1, 65_536):
        with pytest.raises(InvalidHolderSet):
            shares.public_share(commitments, index)


def test_a_point_where_the_polynomial_is_zero_has_the_identity_as_its_public_share() -> None:
    slope = scalars.random_scalars(1)
    constant = scalars.multiply(scalars.encode(-2), slope)
    commitments = group.split(group.multiply_base(constant + slope))
    assert shares.public_share(commitments, 2) == group.IDENTITY
    assert shares.public_share([*commitments, commitments[0]], 1) != group.IDENTITY


def test_a_chunk_s_digest_tells_every_part_of_the_request_apart() -> None:
    epoch_id = bytes(32)
    digests = {
        shares.chunk_digest(epoch_id, "phone", 1, group.GENERATOR),
        shares.chunk_digest(b"\1" * 32, "phone", 1, group.GENERATOR),
        shares.chunk_digest(epoch_id, "email", 1, group.GENERATOR),
        shares.chunk_digest(epoch_id, "phone", 2, group.GENERATOR),
        shares.chunk_digest(epoch_id, "phone", 1, group.GENERATOR * 2),
    }
    assert len(digests) == 5
    with pytest.raises(CryptoError):
        shares.chunk_digest(bytes(31), "phone", 1, group.GENERATOR)


def test_a_share_is_named_by_its_key_and_its_version() -> None:
    assert shares.share_name(group.GENERATOR) == f"share.{group.GENERATOR.hex()}.1"
    assert shares.share_name(group.GENERATOR, 2) == f"share.{group.GENERATOR.hex()}.2"


def test_nothing_to_combine_is_refused() -> None:
    with pytest.raises(CryptoError):
        shares.combine([])


def test_the_worked_record_secret_is_what_either_set_evaluates_in_the_clear() -> None:
    case = worked("record_secret")
    commitments, ctx = [unhex(text) for text in case["commitments"]], unhex(case["ctx"])
    element = oprf.hash_inputs([ctx])
    assert element == unhex(case["element"])
    for run in case["runs"]:
        answers = []
        for answer in run["answers"]:
            share, nonce = unhex(case["shares"][str(answer["holder"])]), unhex(answer["proof_nonce"])
            evaluation = shares.evaluate_share(share, commitments, answer["holder"], run["S"], element, nonce=nonce)
            assert evaluation == shares.Evaluation(unhex(answer["element"]), unhex(answer["proof"]))
            shares.verify_share(commitments, answer["holder"], run["S"], element, evaluation)
            answers.append(evaluation.elements)
        assert oprf.outputs([ctx], shares.combine(answers)) == [unhex(case["y_r"])]
