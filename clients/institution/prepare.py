"""From one row to what would be blinded and sealed of it: identifiers, payload fields, indicator codes, rejections.

Knows the mapping and the terms; pure. It neither blinds nor seals, and holds no row longer than the call.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from clients.identifiers.normaliser import normalise
from clients.identifiers.outcomes import Normalised, PlaceholderFound, Rejected
from clients.institution.mapping import RowMapping
from clients.institution.rows import Row
from policies.terms import Terms

FILTERED = "filtered"
NO_IDENTIFIER = "no-identifier"

SKIP_REASONS = {
    FILTERED: "the mapping's filter does not let the row through",
    NO_IDENTIFIER: "nothing in the row can be matched by",
}

INDICATOR_NOT_AGREED = "indicator-not-agreed"


@dataclass(frozen=True, slots=True)
class Identifier:
    """One normalised identifier."""

    kind: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Something in a row that is not used: the kind ("" for an indicator), the column and a reason code."""

    row: int
    kind: str
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class FoundPlaceholder:
    """A placeholder in place of an identifier."""

    kind: str
    column: str


@dataclass(frozen=True, slots=True)
class PreparedRecord:
    """What becomes of a row.

    identifiers   to be blinded; none twice
    fields        sealed payload fields, blank ones left out
    indicators    agreed indicator codes, sorted
    rejected      what could not be used, and why
    placeholders  what was kept out as a placeholder
    skipped       a key of SKIP_REASONS where the row is not to be sent; then nothing else is filled but rejections
    """

    row_id: str = field(repr=False)
    identifiers: tuple[Identifier, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    indicators: tuple[str, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    placeholders: tuple[FoundPlaceholder, ...] = ()
    skipped: str | None = None


def prepare_row(row: Row, mapping: RowMapping, terms: Terms | None) -> PreparedRecord:
    """What would be sent of a row. `terms` None (no documents yet) lets every indicator code through."""
    raw = row.raw
    if not mapping.filter.lets_through(raw):
        return PreparedRecord(row.row_id, skipped=FILTERED)
    identifiers: dict[Identifier, None] = {}
    rejected: list[Rejection] = []
    placeholders: list[FoundPlaceholder] = []
    for each in mapping.identifiers:
        parts = {part: raw[column] for part, column in each.columns.items()}
        # A constant stands in where the row itself says nothing.
        parts.update({part: text for part, text in each.constants.items() if not parts.get(part, "").strip()})
        outcome = normalise(each.kind, parts, mapping.hints, mapping.placeholders)
        if isinstance(outcome, Normalised):
            identifiers[Identifier(each.kind, outcome.value)] = None
        elif isinstance(outcome, Rejected):
            rejected.append(Rejection(row.number, each.kind, each.column_of(outcome.part), outcome.reason))
        elif isinstance(outcome, PlaceholderFound):
            placeholders.append(FoundPlaceholder(each.kind, each.column_of(outcome.part)))
    if not identifiers:
        return PreparedRecord(
            row.row_id, rejected=tuple(rejected), placeholders=tuple(placeholders), skipped=NO_IDENTIFIER
        )
    indicators = _indicators(row, mapping, terms, rejected)
    return PreparedRecord(
        row_id=row.row_id,
        identifiers=tuple(identifiers),
        fields=_fields(raw, mapping),
        indicators=indicators,
        rejected=tuple(rejected),
        placeholders=tuple(placeholders),
    )


def _indicators(row: Row, mapping: RowMapping, terms: Terms | None, rejected: list[Rejection]) -> tuple[str, ...]:
    codes = []
    for code, column in mapping.indicators.of_row(row.raw):
        if terms is None or code in terms.indicators:
            codes.append(code)
        else:
            rejected.append(Rejection(row.number, "", column, INDICATOR_NOT_AGREED))
    return tuple(codes)


def _fields(raw: Mapping[str, str], mapping: RowMapping) -> dict[str, str]:
    """The payload's fields in NFC, blank ones left out; lone surrogates, which are no text, as question marks."""
    fields = {}
    for name, column in mapping.payload.items():
        text = unicodedata.normalize("NFC", raw[column].strip())
        if text:
            fields[name] = text.encode("utf-8", "replace").decode("utf-8")
    return fields
