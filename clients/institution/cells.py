"""The text of a cell that a Parquet file or a database gives with a type of its own.

Knows Python's types, not what a column means. Dates become ISO 8601, whole numbers lose a decimal point.
"""

from __future__ import annotations

import math
from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID


class NoCellText(Exception):
    """A value of a type that is no text: binary data, lists, structures. Names the type only."""


def cell_text(value: object) -> str:
    """The text of a value; "" for a missing one. Raises NoCellText."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | UUID | time):
        return str(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float | Decimal):
        return _number_text(value)
    raise NoCellText(type(value).__name__)


def _number_text(value: float | Decimal) -> str:
    if not math.isfinite(value):
        return ""
    # A table program turns 07700900123 into 7700900123.0; the digits that are left are at least read as digits.
    return str(int(value)) if value == int(value) else format(Decimal(str(value)), "f")
