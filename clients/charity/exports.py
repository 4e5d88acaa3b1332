"""What leaves the local store in the clear, because somebody asked for it: case files, and the pairs of opened records.

Files are made with mode 0600 and never overwrite one.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clients.charity.case_file import CaseFile
from runtime.exits import ExitCode, UserError


@dataclass(frozen=True)
class OpenedPair:
    """Two opened records of different groups that support each other, with the fields that each of them sealed."""

    institution_a: str
    fields_a: dict[str, str] = field(repr=False)
    institution_b: str
    fields_b: dict[str, str] = field(repr=False)
    kinds: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The form in `--json`."""
        return {**vars(self), "kinds": list(self.kinds)}


def opened_pairs(cases: Iterable[CaseFile]) -> list[OpenedPair]:
    """Every pair of which both records are open."""
    found = []
    for case in cases:
        for pair in case.pairs:
            left, right = case.records[pair.left], case.records[pair.right]
            if left.is_open and right.is_open:
                found.append(
                    OpenedPair(
                        left.institution_id, dict(left.fields), right.institution_id, dict(right.fields), pair.kinds
                    )
                )
    return found


def pairs_csv(pairs: Sequence[OpenedPair]) -> str:
    """The pairs as CSV: institution_a, a column for each field with the suffix _a, then the same of b, and kinds."""
    names = sorted({name for pair in pairs for name in (*pair.fields_a, *pair.fields_b)})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    header = ["institution_a", *(f"{name}_a" for name in names), "institution_b", *(f"{name}_b" for name in names)]
    writer.writerow([*header, "kinds"])
    for pair in pairs:
        left = [pair.institution_a, *(_inert(pair.fields_a.get(name, "")) for name in names)]
        right = [pair.institution_b, *(_inert(pair.fields_b.get(name, "")) for name in names)]
        writer.writerow([*left, *right, " ".join(pair.kinds)])
    return text.getvalue()


def records_csv(cases: Iterable[CaseFile]) -> str:
    """Every entry and field of the opened records of the case files, a line each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["alert_id", "institution_id", "handle", "name", "value", "match"])
    for case in cases:
        for record in case.records:
            named = [(entry.kind, entry.value or "", entry.match) for entry in record.entries if record.is_open]
            named += [(name, value, "") for name, value in record.fields.items()]
            named += [("indicator", code, "") for code in record.indicators]
            for name, value, match in named:
                writer.writerow([case.alert_id, record.institution_id, record.handle, name, _inert(value), match])
    return text.getvalue()


def write_private(path: Path, content: str) -> None:
    """Write a new file of mode 0600; raises UserError where there is one already or it cannot be written."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UserError(f"{path} is there already and is not overwritten.", ExitCode.INPUT_REFUSED) from None
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.", ExitCode.INPUT_REFUSED) from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _inert(value: str) -> str:
    """The value so that no spreadsheet runs it as a formula, since others wrote it; a phone number stays as it is."""
    is_number = value[:1] in ("+", "-") and value[1:].isascii() and value[1:].replace(" ", "").isdigit()
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) and not is_number else value
