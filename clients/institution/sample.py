"""The header of a source with a sample of each column, and what names and values say that a column holds.

Knows kinds and column names; proposes nothing. Samples are looked at and let go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from clients.identifiers.cleaning import NoText, clean
from clients.identifiers.kind import Hints
from clients.identifiers.normaliser import normalise
from clients.identifiers.outcomes import Absent, Normalised, PlaceholderFound
from clients.institution.header_words import meaning_of
from clients.institution.source import Source
from runtime.exits import UserError

SAMPLE_ROWS = 1000

LEAST_SHARE = 0.8
"""From which share of values on they show something."""

# Kinds that a value shows by itself, with the part that it is; checked from the surest on.
_SNIFFED = (
    ("email", "address", "email"),
    ("bank-account", "iban", "iban"),
    ("crypto-address", "address", "wallet"),
    ("phone", "number", "phone"),
)


@dataclass(frozen=True)
class Sample:
    """The header with up to SAMPLE_ROWS values of each column that are not blank, and what each column means."""

    header: Sequence[str]
    values: Mapping[str, Sequence[str]] = field(repr=False)
    meanings: Mapping[str, str]

    def columns(self, meaning: str) -> list[str]:
        """The columns that hold it, in the header's order."""
        return [column for column in self.header if self.meanings.get(column) == meaning]

    def first(self, meaning: str) -> str | None:
        """The first column that holds it; None where there is none."""
        return next(iter(self.columns(meaning)), None)


def take_sample(source: Source) -> Sample:
    """The sample of a source; raises UserError where it cannot be read or no column has a name of its own."""
    header = source.header()
    distinct = [column for column in header if column and header.count(column) == 1]
    if not distinct:
        raise UserError(f"{source.name} has no columns with names of their own.")
    values: dict[str, list[str]] = {column: [] for column in distinct}
    for cells in islice(source.rows(distinct), SAMPLE_ROWS):
        for column, cell in zip(distinct, cells, strict=True):
            if cell.strip():
                values[column].append(_plain(cell))
    meanings = {column: meaning for column in distinct if (meaning := meaning_of(column))}
    for column in distinct:
        if column not in meanings and (sniffed := _sniffed(values[column])):
            meanings[column] = sniffed
    return Sample(distinct, values, meanings)


def _plain(cell: str) -> str:
    try:
        return clean(cell)
    except NoText:
        return ""


def _sniffed(values: Sequence[str]) -> str | None:
    """What a column of unknown name holds, going by its values alone; only what cannot well be anything else."""
    for kind, part, meaning in _SNIFFED:
        if kind == "phone" and not all(value.startswith(("+", "00")) for value in values):
            continue
        good, all_of_them = share(kind, [{part: value} for value in values[:100]], Hints())
        if all_of_them >= 3 and good >= LEAST_SHARE * all_of_them:
            return meaning
    return None


def share(kind: str, given: Sequence[Mapping[str, str]], hints: Hints) -> tuple[int, int]:
    """How many of the samples normalise, out of how many that are neither blank nor placeholders."""
    outcomes = [normalise(kind, parts, hints) for parts in given]
    counted = [each for each in outcomes if not isinstance(each, Absent | PlaceholderFound)]
    return sum(isinstance(each, Normalised) for each in counted), len(counted)
