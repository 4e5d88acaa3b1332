"""Holds the found pairs against the truth: precision, recall, what was missed and why.

Works on record names alone; the reasons come from comparing normalised values in the clear, which only a demonstration
over one's own files may do.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime.exits import ExitCode, UserError

TRUTH_COLUMNS = ("institution_a", "id_a", "institution_b", "id_b")

RecordName = tuple[str, str]
"""An institution and the id of one of its rows."""


@dataclass(frozen=True, order=True)
class Pair:
    """Two records of different institutions, the smaller name first so that a pair has one form."""

    first: RecordName
    second: RecordName

    @classmethod
    def of(cls, one: RecordName, other: RecordName) -> Pair:
        """The pair of two record names in either order."""
        return cls(*sorted((one, other)))


@dataclass(frozen=True)
class Score:
    """What was found against what was planted. Precision and recall are 1 where there is nothing to get wrong."""

    found: frozenset[Pair]
    planted: frozenset[Pair]

    @property
    def hits(self) -> frozenset[Pair]:
        """Pairs that were planted and found."""
        return self.found & self.planted

    @property
    def missed(self) -> frozenset[Pair]:
        """Pairs that were planted and not found."""
        return self.planted - self.found

    @property
    def wrong(self) -> frozenset[Pair]:
        """Pairs that were found and not planted."""
        return self.found - self.planted

    @property
    def precision(self) -> float:
        """The share of found pairs that were planted."""
        return len(self.hits) / len(self.found) if self.found else 1.0

    @property
    def recall(self) -> float:
        """The share of planted pairs that were found."""
        return len(self.hits) / len(self.planted) if self.planted else 1.0


def read_truth(path: Path) -> frozenset[Pair]:
    """The planted pairs of a truth.csv. Raises UserError where a column is missing or a line is incomplete."""
    with path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle)
        missing = [column for column in TRUTH_COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise UserError(
                f"{path.name} has no column {missing[0]}; it needs {', '.join(TRUTH_COLUMNS)}.", ExitCode.INPUT_REFUSED
            )
        pairs = set()
        for number, line in enumerate(reader, start=2):
            values = [(line[column] or "").strip() for column in TRUTH_COLUMNS]
            if not all(values):
                raise UserError(f"{path.name}, line {number}: a value is missing.", ExitCode.INPUT_REFUSED)
            pairs.add(Pair.of((values[0], values[1]), (values[2], values[3])))
    return frozenset(pairs)


def write_pairs(path: Path, pairs: Iterable[Pair]) -> None:
    """Write pairs in truth.csv's form, sorted."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(TRUTH_COLUMNS)
        writer.writerows((*pair.first, *pair.second) for pair in sorted(pairs))


def why_missed(pair: Pair, values: Mapping[RecordName, frozenset[tuple[str, str]]], alone: frozenset[str]) -> str:
    """Why a planted pair did not surface: what the two rows share once normalised, as (kind, value) pairs in the clear.

    `values` lacks the rows that were never sent; `alone` are the kinds that suffice for an opening.
    """
    if pair.first not in values or pair.second not in values:
        return "a row was not sent: not flagged, or nothing in it could be used"
    shared = {kind for kind, _ in values[pair.first] & values[pair.second]}
    if not shared:
        return "no identifier is equal once normalised"
    if not shared & alone:
        return f"only {', '.join(sorted(shared))} agrees, which supports but opens nothing"
    return "an identifier agrees, yet nothing surfaced"
