"""What documents may be made of: text in NFC, whole numbers below 2^53, true, false, lists and objects. Nothing else.

Checked before a document is read and before it is hashed, so that everybody hashes the same. Knows no field.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from policies.errors import DocumentRefused

INTEGER_LIMIT = 2**53
"""Numbers in documents are integers from 0 to below this."""


def check_value(value: object, where: str) -> None:
    """Raise DocumentRefused unless `value` is what documents are made of, all the way down."""
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
            check_value(part, f"{where}.{key}")
    elif isinstance(value, list):
        for number, part in enumerate(value):
            check_value(part, f"{where}.{number}")
    else:
        raise DocumentRefused(f"{where} is none of text, whole number, true, false, list and object.")


def _check_text(text: str, where: str) -> None:
    if not unicodedata.is_normalized("NFC", text):
        raise DocumentRefused(f"{where} is text that is not in Unicode's form NFC.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise DocumentRefused(f"{where} is text that is not valid Unicode.")
