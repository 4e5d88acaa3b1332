"""Rows of a source as the mapping sees them: a number, the row's id, and the columns that the mapping uses.

Knows no kind. Columns that the mapping does not use are never handed on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from clients.institution.mapping import RowMapping
from clients.institution.source import Source, open_source
from runtime.exits import UserError


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its place in the source from 1, the id that stays with it, and the text of the mapped columns."""

    number: int
    row_id: str = field(repr=False)
    raw: Mapping[str, str] = field(repr=False)


def read_rows(mapping: RowMapping, source: Source | None = None) -> Iterator[Row]:
    """The rows of the mapping's source (or of `source`, where it is open already), streamed.

    Raises UserError for what cannot be read, for a missing column and for a row without an id.
    """
    opened = open_source(mapping.source) if source is None else source
    columns = mapping.columns
    place = columns.index(mapping.row_id)
    for number, cells in enumerate(opened.rows(columns), start=1):
        row_id = cells[place].strip()
        if not row_id:
            raise UserError(
                f"{opened.name}, row {number}: no id in the column {mapping.row_id!r}; every row needs one that stays "
                "with it from night to night."
            )
        yield Row(number, row_id, dict(zip(columns, cells, strict=True)))
