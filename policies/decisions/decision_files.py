"""Files of decision records: one JSON object a line, a record as it is or within its leaf of the log.

Read line by line, so that a file may be of any size. Knows no rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from policies.decisions.record import DECISION_TYPE, DecisionRecord
from policies.documents import parse_document, read_json_file
from policies.errors import DocumentRefused

LONGEST_LINE: Final = 262_144
"""Bytes of the longest line that is read."""


def read_decision(path: Path) -> DecisionRecord:
    """The one decision record in a file, however it is laid out; raises DocumentRefused naming the file."""
    return _read_value(read_json_file(path), str(path))


def read_decisions(path: Path) -> Iterator[DecisionRecord]:
    """The decision records in a file, in order; raises DocumentRefused naming file and line."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                if line.strip():
                    yield _read_line(line, f"{path}, line {number},")
    except OSError as error:
        raise DocumentRefused(f"{path} cannot be read: {error.strerror}.") from None


def _read_line(line: bytes, name: str) -> DecisionRecord:
    if len(line) > LONGEST_LINE:
        raise DocumentRefused(f"{name} is longer than any decision record.")
    return _read_value(parse_document(line, name), name)


def _read_value(value: object, name: str) -> DecisionRecord:
    if not isinstance(value, Mapping):
        raise DocumentRefused(f"{name} is no decision record.")
    try:
        return DecisionRecord.from_document(_record_in(value))
    except DocumentRefused as refused:
        raise DocumentRefused(f"{name} is refused: {refused.reason}") from None


def _record_in(value: Mapping[str, object]) -> Mapping[str, object]:
    """The record itself, or the one that a leaf holds in one of its members."""
    if value.get("type") == DECISION_TYPE:
        return value
    for member in value.values():
        if isinstance(member, Mapping) and member.get("type") == DECISION_TYPE:
            return member
    return value
