"""How the fields of signed documents are read: marshmallow fields and one schema class that take nothing on trust.

No field converts: "1" is no number, 1 is no truth value, padded base64 is no byte string, an unknown field is refused.
Knows no document's meaning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import marshmallow
from marshmallow import RAISE, ValidationError, fields

from crypto.errors import CryptoError
from crypto.group import check_elements
from crypto.signatures import check_public_key
from policies.document_values import INTEGER_LIMIT, check_value
from policies.errors import DocumentRefused
from wire.packed import InvalidPacked, unpack

KEY_LENGTH = 32

_IDENTIFIER = re.compile(r"[a-z0-9.-]{1,64}", re.ASCII)


def is_party_id(text: object) -> bool:
    """Whether `text` is an id: 1 to 64 characters out of a-z, 0-9, '.' and '-'."""
    return isinstance(text, str) and _IDENTIFIER.fullmatch(text) is not None


class Number(fields.Field[int]):
    """A whole number from `least` to `most`, both inclusive."""

    def __init__(self, *, least: int = 0, most: int = INTEGER_LIMIT - 1, **settings: Any) -> None:
        super().__init__(required=True, **settings)
        self._least, self._most = least, most

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not self._least <= value <= self._most:
            raise ValidationError(f"must be a whole number from {self._least} to {self._most}")
        return value


class Truth(fields.Field[bool]):
    """true or false."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(required=True, **settings)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("must be true or false")
        return value


class Identifier(fields.Field[str]):
    """An id or a kind."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(required=True, **settings)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        if not is_party_id(value):
            raise ValidationError("must be 1 to 64 characters out of a-z, 0-9, '.' and '-'")
        return str(value)


class Text(fields.Field[str]):
    """Any text of `shortest` to `longest` characters; or exactly one of `choices`."""

    def __init__(
        self,
        *,
        shortest: int = 1,
        longest: int = 4096,
        choices: tuple[str, ...] = (),
        required: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(required=required, **settings)
        self._shortest, self._longest, self._choices = shortest, longest, choices

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        if not isinstance(value, str) or not self._shortest <= len(value) <= self._longest:
            raise ValidationError(f"must be text of {self._shortest} to {self._longest} characters")
        if self._choices and value not in self._choices:
            raise ValidationError(f"must be one of: {', '.join(self._choices)}")
        return value


class Bytes(fields.Field[bytes]):
    """A byte string of `length` bytes in base64url without padding."""

    def __init__(self, length: int, *, required: bool = True) -> None:
        super().__init__(required=required)
        self._length = length

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> bytes:
        try:
            decoded = unpack(value) if isinstance(value, str) else b""
        except InvalidPacked:
            decoded = b""
        if len(decoded) != self._length:
            raise ValidationError(f"must be {self._length} bytes in base64url without padding")
        return decoded


class PublicKey(Bytes):
    """An Ed25519 public key, canonical and not of small order."""

    def __init__(self) -> None:
        super().__init__(KEY_LENGTH)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **context: Any) -> bytes:
        key = super()._deserialize(value, attr, data, **context)
        try:
            check_public_key(key)
        except CryptoError as error:
            raise ValidationError(f"is no signing key: {error}") from None
        return key


class Element(Bytes):
    """A ristretto255 group element, canonical and not the identity."""

    def __init__(self, *, required: bool = True) -> None:
        super().__init__(KEY_LENGTH, required=required)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **context: Any) -> bytes:
        element = super()._deserialize(value, attr, data, **context)
        try:
            check_elements(element)
        except CryptoError:
            raise ValidationError("is not a canonical group element, or is the identity") from None
        return element


class ListOf(fields.List[Any]):
    """A JSON list of `least` to `most` items."""

    def __init__(self, item: fields.Field[Any], *, least: int = 0, most: int = 10_000, **settings: Any) -> None:
        super().__init__(item, required=True, **settings)
        self._least, self._most = least, most

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **context: Any) -> list[Any]:
        if not isinstance(value, list) or not self._least <= len(value) <= self._most:
            raise ValidationError(f"must be a list of {self._least} to {self._most} items")
        return super()._deserialize(value, attr, data, **context)


class MapOf(fields.Field[dict[str, Any]]):
    """A JSON object from ids or kinds to `item`."""

    def __init__(self, item: fields.Field[Any], *, required: bool = True, **settings: Any) -> None:
        super().__init__(required=required, **settings)
        self._item = item

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValidationError("must be an object")
        result: dict[str, Any] = {}
        for key, part_value in value.items():
            if not is_party_id(key):
                raise ValidationError("has a key that is not 1 to 64 characters out of a-z, 0-9, '.' and '-'")
            try:
                result[key] = self._item.deserialize(part_value, key, value)
            except ValidationError as error:
                raise ValidationError({key: error.messages}) from None
        return result


def part(schema: type[marshmallow.Schema]) -> fields.Nested:
    """A JSON object that `schema` reads."""
    return fields.Nested(schema, required=True)


class DocumentSchema(marshmallow.Schema):
    """A schema that refuses unknown fields."""

    class Meta:
        """marshmallow's settings."""

        unknown = RAISE


def load(schema: type[DocumentSchema], value: Mapping[str, Any], name: str) -> Any:
    """What `schema` makes of `value`; raises DocumentRefused with one sentence that names the first wrong field."""
    try:
        read = schema().load(dict(value))
    except ValidationError as error:
        where, what = _first_message(error.messages)
        raise DocumentRefused(f"The {name} is not well formed: {where or 'it'} {what.rstrip('.')}.") from None
    check_value(value, f"The {name}")
    return read


def _first_message(messages: Any) -> tuple[str, str]:
    """The path to the first message within marshmallow's nested messages, and the message."""
    if isinstance(messages, Mapping):
        key, rest = next(iter(messages.items()))
        where, what = _first_message(rest)
        step = "" if key == "_schema" else str(key)
        return ".".join(text for text in (step, where) if text), what
    return "", plain_message(str(messages[0]))


def plain_message(message: str) -> str:
    """One of marshmallow's messages as the end of a sentence that begins with the field's name."""
    return {
        "Missing data for required field.": "is missing",
        "Unknown field.": "is a field that does not belong there",
        "Field may not be null.": "must not be null",
        "Invalid input type.": "must be an object",
        "Not a valid mapping type.": "must be an object",
    }.get(message, message)
