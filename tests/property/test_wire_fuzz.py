"""Whatever bytes come over the wire, a reader either understands them or refuses them in its own words."""

import contextlib
import json
import os
from dataclasses import fields as dataclass_fields
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.signatures import SigningKey
from wire.http_signatures import RequestParts, SignatureRefused, sign_request, verify_request
from wire.messages import (  # noqa: F401  (imported so that every message is registered)
    alerts,
    counts,
    documents,
    evaluation,
    institution_status,
    keygen,
    opening,
    submission,
    withdrawal,
)
from wire.messages.message import _SCHEMAS, InvalidMessage, decode_message, encode_message, schema_of
from wire.packed import InvalidPacked, pack, unpack
from wire.problems import RemoteProblem, parse_problem
from wire.strict_json import InvalidJson, parse_json

# `make chaos` asks for more.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))
MESSAGES = sorted(_SCHEMAS, key=lambda message: message.__name__)
KEY = SigningKey(b"\x07" * 32)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URI = "https://broker.example.org/v1/x"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=70).map(pack),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("message_class", MESSAGES, ids=lambda message: message.__name__)
@settings(max_examples=EXAMPLES // 5, deadline=None)
@given(data=st.data())
def test_a_message_with_any_values_in_its_fields_is_read_or_refused(message_class: type, data: st.DataObject) -> None:
    schema = schema_of(message_class)
    document = {
        field.data_key or name: data.draw(json_values, label=name)
        for name, field in schema.fields.items()
        if data.draw(st.booleans(), label=f"has {name}")
    }
    try:
        message = decode_message(message_class, json.dumps(document).encode())
    except InvalidMessage as refused:
        assert refused.errors
    else:
        assert {field.name for field in dataclass_fields(message)} == set(schema.fields)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_json_or_refused(body: bytes) -> None:
    try:
        parse_json(body)
    except InvalidJson as refused:
        assert refused.args[0].isascii()


def has_no_fraction(value: Any) -> bool:
    if isinstance(value, dict):
        return all(has_no_fraction(inner) for inner in value.values())
    if isinstance(value, list):
        return all(has_no_fraction(inner) for inner in value)
    return not isinstance(value, float) and not (type(value) is int and abs(value) >= 2**53)


@settings(max_examples=EXAMPLES, deadline=None)
@given(json_values)
def test_json_is_accepted_exactly_when_its_numbers_are_exact_integers(value: Any) -> None:
    try:
        assert parse_json(json.dumps(value).encode()) == value
    except InvalidJson:
        assert not has_no_fraction(value)
    else:
        assert has_no_fraction(value)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_packed_bytes_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidPacked):
        assert pack(unpack(text)) == text


header_text = st.text(max_size=120) | st.binary(max_size=120).map(lambda raw: raw.decode("latin-1"))
FRAGMENTS = (
    'sig1= ( ) "@method" "content-digest" ;req ;created=1 ;keyid="a/b" :AA==: , ?1 ;nonce=" " -1 @1 %"a%ff" * ;a= =1.5 '
    f';tag="crosslight-v1" é {"9" * 20}'
).split()
pieces = st.lists(st.sampled_from([*FRAGMENTS, " ", "\x00"]), max_size=12).map("".join)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_any_headers_are_refused_as_a_signature_in_words(data: st.DataObject) -> None:
    headers = dict(sign_request(KEY, "bank-a", "POST", URI, b"", NOW))
    for name in data.draw(st.lists(st.sampled_from(sorted(headers)), min_size=1, unique=True)):
        headers[name] = data.draw(header_text | pieces, label=name)
    with pytest.raises(SignatureRefused):
        verify_request(RequestParts("POST", URI, tuple(headers.items())), b"", NOW, lambda *_: KEY.public_key)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_any_single_changed_character_of_a_signed_request_is_refused(data: st.DataObject) -> None:
    headers = dict(sign_request(KEY, "bank-a", "POST", URI, b"{}", NOW))
    name = data.draw(st.sampled_from(sorted(headers)))
    place = data.draw(st.integers(0, len(headers[name]) - 1))
    new = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != headers[name][place]))
    headers[name] = headers[name][:place] + new + headers[name][place + 1 :]
    with pytest.raises(SignatureRefused):
        verify_request(RequestParts("POST", URI, tuple(headers.items())), b"{}", NOW, lambda *_: KEY.public_key)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(400, 599), json_values)
def test_any_problem_document_gives_a_printable_refusal(status: int, document: Any) -> None:
    problem = parse_problem(status, document)
    assert isinstance(problem, RemoteProblem)
    assert problem.message.isprintable()


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.builds(
        evaluation.EvaluateRequest,
        st.binary(min_size=32, max_size=32),
        st.from_regex(r"[a-z0-9.-]{1,64}", fullmatch=True),
        st.integers(1, 2**32 - 1),
        st.lists(st.integers(1, 255), min_size=1, max_size=5, unique=True).map(sorted).map(tuple),
        st.integers(1, 8).flatmap(lambda n: st.binary(min_size=32 * n, max_size=32 * n)),
    )
)
def test_what_is_encoded_decodes_to_the_same(message: evaluation.EvaluateRequest) -> None:
    assert decode_message(evaluation.EvaluateRequest, encode_message(message)) == message
