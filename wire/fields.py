"""Marshmallow fields for what messages are made of: packed bytes, times, ids, kinds, small numbers.

Each refuses everything but its one form, says which rule was broken, and never repeats the value. Each describes
itself for the OpenAPI document by a pattern that is exactly what it accepts.
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from wire.packed import InvalidPacked, pack, packed_length, unpack

IDENTIFIER_PATTERN = r"^[a-z0-9.-]{1,64}$"
_IDENTIFIER = re.compile(r"[a-z0-9.-]{1,64}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,16}", re.ASCII)
_DAY_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
# Numbers in JSON are exact below 2^53 in every implementation (RFC 8259 section 6).
LARGEST_INTEGER = 2**53 - 1

_CHARACTER = "[A-Za-z0-9_-]"
_TAIL_OF_TWO = "[AQgw]"
_TAIL_OF_THREE = "[AEIMQUYcgkosw048]"


def packed_pattern(length: int | None, multiple_of: int = 1) -> str:
    """Return the regular expression of canonical base64url texts of `length` bytes, or of any multiple of some."""
    if length is not None:
        return f"^{_text_of(length)}$"
    # Three lots of bytes, or one where a lot is whole groups already, fill whole groups of four characters.
    lots = 1 if multiple_of % 3 == 0 else 3
    rest = "|".join(_text_of(multiple_of * lot) for lot in range(1, lots))
    repeated = f"(?:{_CHARACTER}{{{packed_length(multiple_of * lots)}}})*"
    return f"^{repeated}(?:{rest})?$" if rest else f"^{repeated}$"


def _text_of(length: int) -> str:
    whole, rest = divmod(length, 3)
    tail = {0: "", 1: f"{_CHARACTER}{_TAIL_OF_TWO}", 2: f"{_CHARACTER}{{2}}{_TAIL_OF_THREE}"}[rest]
    return (f"{_CHARACTER}{{{whole * 4}}}" if whole else "") + tail


class Packed(fields.Field[bytes]):
    """Bytes as canonical base64url. Lengths are in bytes."""

    def __init__(
        self,
        *,
        length: int | None = None,
        multiple_of: int | None = None,
        min_length: int = 0,
        max_length: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.length = length
        self.multiple_of = multiple_of
        self.min_length = length if length is not None else min_length
        self.max_length = length if length is not None else max_length
        described: dict[str, Any] = {
            "pattern": packed_pattern(length, multiple_of or 1),
            "minLength": packed_length(self.min_length),
        }
        if self.max_length is not None:
            described["maxLength"] = packed_length(self.max_length)
        self.metadata = {**described, **self.metadata}

    def _serialize(self, value: bytes | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else pack(value)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bytes:
        if not isinstance(value, str):
            raise ValidationError("Not a base64url text.")
        # Before decoding, so that an overlong text costs nothing.
        if self.max_length is not None and len(value) > packed_length(self.max_length):
            raise ValidationError(f"Longer than {self.max_length} bytes.")
        try:
            decoded = unpack(value)
        except InvalidPacked as error:
            raise ValidationError(f"{str(error).capitalize()}.") from None
        if self.length is not None and len(decoded) != self.length:
            raise ValidationError(f"Not {self.length} bytes long.")
        if len(decoded) < self.min_length:
            raise ValidationError(f"Shorter than {self.min_length} bytes.")
        if self.multiple_of is not None and len(decoded) % self.multiple_of:
            raise ValidationError(f"Not a multiple of {self.multiple_of} bytes long.")
        return decoded


class Whole(fields.Integer):
    """An integer from `least` to `most`, as a JSON number and nothing else: no text, no fraction, no boolean."""

    def __init__(self, *, least: int = 0, most: int = LARGEST_INTEGER, **kwargs: Any) -> None:
        super().__init__(strict=True, validate=validate.Range(min=least, max=most), **kwargs)

    def _validated(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError("Not an integer.")
        return super()._validated(value)


class QueryWhole(fields.Integer):
    """A whole number as a query parameter: one to sixteen digits, nothing else."""

    def __init__(self, *, least: int = 0, most: int = LARGEST_INTEGER, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(min=least, max=most), **kwargs)

    def _validated(self, value: Any) -> Any:
        if not isinstance(value, str) or not _DIGITS.fullmatch(value):
            raise ValidationError("Not a whole number.")
        return super()._validated(value)


class Timestamp(Whole):
    """A time in whole Unix seconds."""


class Text(fields.String):
    """Plain text of at most `longest` characters; `pattern` must match it whole."""

    def __init__(self, *, longest: int, pattern: str | None = None, **kwargs: Any) -> None:
        checks: list[Any] = [validate.Length(max=longest)]
        if pattern is not None:
            checks.append(validate.Regexp(re.compile(pattern + r"\Z", re.ASCII), error="Not of the required form."))
        super().__init__(validate=checks, **kwargs)
        if pattern is not None:
            self.metadata = {"pattern": pattern, **self.metadata}


class _Identifier(fields.String):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {"pattern": IDENTIFIER_PATTERN, "minLength": 1, "maxLength": 64, **self.metadata}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
            raise ValidationError("Not 1 to 64 characters of a-z, 0-9, point and hyphen.")
        return value


class PartyId(_Identifier):
    """The id of an institution, recipient, holder or broker: [a-z0-9.-]{1,64}."""


class Kind(_Identifier):
    """The name of a kind of identifier, or of a key family: [a-z0-9.-]{1,64}."""


class Day(Text):
    """A day as YYYY-MM-DD."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(longest=10, pattern=_DAY_PATTERN, **kwargs)


def list_of(
    inner: type[Schema] | fields.Field[Any], *, least: int = 0, most: int, required: bool = True
) -> fields.List[Any]:
    """Return the field for a list of `least` to `most` messages or values."""
    item = inner if isinstance(inner, fields.Field) else fields.Nested(inner)
    return fields.List(item, required=required, validate=validate.Length(min=least, max=most))


def _check_ascending(indexes: list[int]) -> None:
    if any(later <= earlier for earlier, later in pairwise(indexes)):
        raise ValidationError("Not in ascending order, each once.")


class Ascending(fields.List[int]):
    """Distinct numbers in ascending order."""

    def __init__(self, *, least: int = 0, most: int = LARGEST_INTEGER, shortest: int = 0, longest: int, **kwargs: Any):
        super().__init__(
            Whole(least=least, most=most),
            validate=[validate.Length(min=shortest, max=longest), _check_ascending],
            **kwargs,
        )
        self.metadata = {"uniqueItems": True, "description": "in ascending order", **self.metadata}


class HolderSet(Ascending):
    """S: the indexes of the t_h holders that are asked together."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(least=1, most=255, shortest=1, longest=255, **kwargs)
