"""JSON as the parties exchange it: stricter than the standard library reads it.

Refused: duplicate names, fractions, NaN, integers of 2^53 and beyond, lone surrogates, a byte-order mark, deep
nesting. Error texts never quote the input.
"""

import json
from typing import Any, NoReturn

DEEPEST = 24
LARGEST_INTEGER = 2**53 - 1


class InvalidJson(ValueError):
    """The bytes are not JSON of the form that the parties exchange."""


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise InvalidJson("a name appears twice in one JSON object")
    return document


def _integer(text: str) -> int:
    # Length first: converting a million digits is work that a sender should not be able to order.
    if len(text) > 17 or abs(int(text)) > LARGEST_INTEGER:
        raise InvalidJson("a number is beyond 2^53 - 1")
    return int(text)


def _refuse_number(text: str) -> NoReturn:
    raise InvalidJson("a number is not an integer")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_refuse_duplicates,
    parse_int=_integer,
    parse_float=_refuse_number,
    parse_constant=_refuse_number,
)


def parse_json(body: bytes) -> object:
    """Return the JSON value in `body` (UTF-8). Raises InvalidJson."""
    try:
        text = body.decode("utf-8")
        value = _DECODER.decode(text)
    except InvalidJson:
        raise
    except UnicodeDecodeError:
        raise InvalidJson("not UTF-8") from None
    except json.JSONDecodeError:
        raise InvalidJson("not JSON") from None
    except RecursionError:
        raise InvalidJson("nested too deeply") from None
    _check_depth(value)
    if "\\u" in text:
        _check_surrogates(value)
    return value


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(DEEPEST):
        inner: list[object] = []
        for node in level:
            if isinstance(node, dict):
                inner.extend(part for part in node.values() if isinstance(part, (dict, list)))
            elif isinstance(node, list):
                inner.extend(part for part in node if isinstance(part, (dict, list)))
        if not inner:
            return
        level = inner
    raise InvalidJson("nested too deeply")


def _check_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidJson("half of a surrogate pair") from None
