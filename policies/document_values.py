"""What documents may be made of: text in NFC, whole numbers below 2^53, true, false, lists and objects. Nothing else.

Checked before a document is read and before it is hashed, so that everybody hashes the same. Knows no field.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from policies.errors import DocumentRefused

INTEGER_LIMIT = 2**53
"""Numbers in documents are integers from 0 to below this."""


_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def check_value(value: object, where: str) -> None:
    """Raise DocumentRefused unless `value` is what documents are made of, all the way down."""
    # Documents are checked often and are nearly always good: the place is worked out for those alone that are not.
    if not _is_good(value):
        _refuse(value, where)


def _is_good(value: object) -> bool:
    if isinstance(value, bool):
        return True
    if isinstance(value, str):
        return _is_text(value)
    if isinstance(value, int):
        return 0 <= value < INTEGER_LIMIT
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_text(key) and _is_good(part) for key, part in value.items())
    return isinstance(value, list) and all(_is_good(part) for part in value)


def _is_text(text: str) -> bool:
    return text.isascii() or (unicodedata.is_normalized("NFC", text) and not _SURROGATE.search(text))


def _refuse(value: object, where: str) -> None:
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        if not 0 <= value < INTEGER_LIMIT:
            raise DocumentRefused(f"{where} is a number outside 0 to 2^53 - 1.")
    elif isinstance(value, str):
        _check_text(value, where)
    elif isinstance(value, Mapping):
        for key, part in value.items():
            if not isinstance(key, str):
                raise DocumentRefused(f"{where} has a key that is no text.")
            _check_text(key, f"a key of {where}")
            _refuse(part, f"{where}.{key}")
    elif isinstance(value, list):
        for number, part in enumerate(value):
            _refuse(part, f"{where}.{number}")
    else:
        raise DocumentRefused(f"{where} is none of text, whole number, true, false, list and object.")


def _check_text(text: str, where: str) -> None:
    if not unicodedata.is_normalized("NFC", text):
        raise DocumentRefused(f"{where} is text that is not in Unicode's form NFC.")
    if _SURROGATE.search(text):
        raise DocumentRefused(f"{where} is text that is not valid Unicode.")
