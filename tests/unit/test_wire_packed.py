"""base64url: one text for each byte string, and no error repeats the value."""

import base64
import binascii
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from wire.fields import Ascending, Day, Kind, Packed, PartyId, Timestamp, packed_pattern
from wire.messages.alerts import AlertQuery, AlertQuerySchema
from wire.packed import InvalidPacked, pack, packed_length, unpack


@given(st.binary(max_size=200))
def test_what_is_packed_unpacks_to_the_same_and_is_what_the_standard_library_writes(data: bytes) -> None:
    text = pack(data)
    assert text == base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    assert len(text) == packed_length(len(data))
    assert unpack(text) == data


def is_the_text_of_some_bytes(text: str) -> bool:
    try:
        lenient = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return False
    return base64.urlsafe_b64encode(lenient).rstrip(b"=").decode() == text


@given(st.text(alphabet="ABQgwxyz019-_+/= \n", max_size=12))
def test_a_text_is_accepted_only_if_it_is_the_one_text_of_its_bytes(text: str) -> None:
    try:
        data = unpack(text)
    except InvalidPacked:
        assert not is_the_text_of_some_bytes(text)
    else:
        assert pack(data) == text


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AA=",
        "AA==",
        "AB",
        "AAB",
        "A A",
        "AAAA\n",
        "AA+A",
        "AA/A",
        "AAA=",
        "ÄAAA",
        "AAAAA",
        "AA*A",
        "\u2028AAA",
        "AA\x00A",
    ],
)
def test_padding_foreign_characters_and_loose_bits_are_refused(text: str) -> None:
    with pytest.raises(InvalidPacked) as caught:
        unpack(text)
    assert text not in str(caught.value).split()


@given(st.binary(max_size=40), st.one_of(st.none(), st.integers(0, 40)))
def test_the_pattern_of_the_openapi_document_is_what_is_accepted(data: bytes, length: int | None) -> None:
    assert bool(re.fullmatch(packed_pattern(length), pack(data))) == (length is None or length == len(data))


@given(st.text(alphabet="AQgwBxyz9-_", max_size=9))
def test_the_pattern_refuses_what_unpack_refuses(text: str) -> None:
    try:
        unpack(text)
    except InvalidPacked:
        assert not re.fullmatch(packed_pattern(None), text)
    else:
        assert re.fullmatch(packed_pattern(None), text)


@given(st.integers(0, 300), st.sampled_from([1, 2, 3, 8, 9, 32, 64]))
def test_the_pattern_of_multiples_is_that_of_their_lengths(length: int, multiple_of: int) -> None:
    matches = bool(re.fullmatch(packed_pattern(None, multiple_of), pack(bytes(length))))
    assert matches == (length % multiple_of == 0)


@pytest.mark.parametrize("value", ["1_0", " 1", "+1", "1.0", "", "٣", "12345678901234567", "-1", "1001"])
def test_query_numbers_are_plain_digits_in_their_range(value: str) -> None:
    with pytest.raises(ValidationError):
        AlertQuerySchema().load({"limit": value})
    assert AlertQuerySchema().load({"limit": "10"}) == AlertQuery(None, 10)


class Everything(Schema):
    fixed = Packed(length=32)
    bounded = Packed(min_length=32, max_length=64, multiple_of=32)
    when = Timestamp()
    party = PartyId()
    kind = Kind()
    day = Day()
    indexes = Ascending(least=1, most=9, longest=4)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fixed", pack(bytes(31))),
        ("fixed", pack(bytes(33))),
        ("fixed", 5),
        ("fixed", None),
        ("fixed", ["AAAA"]),
        ("bounded", ""),
        ("bounded", pack(bytes(33))),
        ("bounded", pack(bytes(96))),
        ("when", -1),
        ("when", 2**53),
        ("when", True),
        ("when", "5"),
        ("when", 1.0),
        ("party", "Bank"),
        ("party", ""),
        ("party", "a" * 65),
        ("party", "bank\n"),
        ("kind", "phone/x"),
        ("day", "2026-1-2"),
        ("day", "2026-01-02\n"),
        ("indexes", [2, 1]),
        ("indexes", [1, 1]),
        ("indexes", [0]),
        ("indexes", [1, 2, 3, 4, 5]),
        ("indexes", 1),
        ("surplus", "x"),
    ],
)
def test_fields_refuse_all_but_their_one_form_without_repeating_the_value(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Everything().load({field: value})
    assert list(caught.value.messages) == [field]  # type: ignore[arg-type]
    if isinstance(value, str) and len(value) > 5:
        assert value not in str(caught.value)


def test_fields_accept_their_form() -> None:
    given = {
        "fixed": pack(bytes(32)),
        "bounded": pack(bytes(64)),
        "when": 1,
        "party": "bank-a.example",
        "kind": "person.name-birthdate",
        "day": "2026-01-02",
        "indexes": [1, 3],
    }
    loaded = Everything().load(given)
    assert loaded["fixed"] == bytes(32)
    assert Everything().dump(loaded) == given
