"""Strict Ed25519 against Wycheproof's cases, CCTV's edge cases and our own."""

from __future__ import annotations

import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.errors import InvalidSignature
from crypto.signatures import (
    SigningKey,
    check_public_key,
    generate_seed,
    is_valid,
    key_id,
    verify,
    verify_many,
)
from tests.worked_bytes import unhex, worked

REFUSED_FLAGS = {"low_order_A", "low_order_R", "non_canonical_A", "non_canonical_R", "low_order_residue"}


@pytest.mark.parametrize("case", worked("ed25519_strict")["cases"], ids=lambda case: case["name"])
def test_our_strict_cases_are_decided_as_written(case):
    accepted = is_valid(unhex(case["public_key"]), unhex(case["message"]), unhex(case["signature"]))
    assert accepted is case["valid"]


def test_every_wycheproof_case_is_decided_as_published():
    cases = [
        (group["publicKey"]["pk"], case)
        for group in worked("wycheproof_ed25519_test", "ed25519")["testGroups"]
        for case in group["tests"]
    ]
    assert len(cases) == 151
    wrong = [
        case["tcId"]
        for public_key, case in cases
        if is_valid(unhex(public_key), unhex(case["msg"]), unhex(case["sig"])) is not (case["result"] == "valid")
    ]
    assert wrong == []


def test_every_edge_case_of_points_is_refused_or_accepted_as_its_flags_say():
    wrong, accepted = [], 0
    for vector in worked("cctv_ed25519vectors", "ed25519"):
        expected = not REFUSED_FLAGS & set(vector["flags"] or [])
        found = is_valid(unhex(vector["key"]), vector["msg"].encode(), unhex(vector["sig"]))
        accepted += found
        if found is not expected:
            wrong.append(vector["number"])
    assert wrong == []
    assert accepted > 0


def test_a_key_of_small_order_is_refused_before_any_signature_whatever_its_sign_bit():
    low_order = {
        vector["key"] for vector in worked("cctv_ed25519vectors", "ed25519") if "low_order_A" in (vector["flags"] or [])
    }
    assert len(low_order) == 14
    for key in low_order:
        for sign in (0, 0x80):
            encoded = bytearray(unhex(key))
            encoded[31] = encoded[31] & 0x7F | sign
            with pytest.raises(InvalidSignature):
                check_public_key(bytes(encoded))


def test_signatures_are_those_of_another_implementation_both_ways():
    seed = generate_seed()
    ours, theirs = SigningKey(seed), Ed25519PrivateKey.from_private_bytes(seed)
    assert ours.public_key == theirs.public_key().public_bytes_raw()
    assert ours.sign(b"message") == theirs.sign(b"message")
    Ed25519PublicKey.from_public_bytes(ours.public_key).verify(ours.sign(b"m"), b"m")
    verify(ours.public_key, b"m", theirs.sign(b"m"))


def test_many_signatures_are_judged_in_order_and_one_by_one():
    key = SigningKey(generate_seed())
    messages = [number.to_bytes(4, "big") for number in range(700)]
    items = [(key.public_key, message, key.sign(message)) for message in messages]
    items[3] = (key.public_key, b"other", items[3][2])
    items[640] = (key.public_key, messages[640], b"short")
    assert [index for index, valid in enumerate(verify_many(items)) if not valid] == [3, 640]
    assert verify_many([]) == []


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_keys_and_seeds_of_another_length_are_refused(length):
    with pytest.raises(InvalidSignature):
        check_public_key(bytes(length))
    with pytest.raises(InvalidSignature):
        SigningKey(bytes(length))


def test_a_signing_key_shows_its_public_half_only_and_is_never_pickled():
    seed = b"\x07" * 32
    key = SigningKey(seed)
    shown = repr(key) + str(key) + f"{key!r}"
    assert seed.hex() not in shown
    assert key.public_key.hex() in shown
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_a_key_id_is_that_of_the_worked_recipient_key():
    case = worked("hpke_xwing")
    assert key_id(unhex(case["recipient_key"])).hex() == case["key_id"]
