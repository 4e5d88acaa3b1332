"""Rows of a Parquet file, read batch by batch and only in the columns that the mapping uses.

Knows pyarrow and cells, nothing of their meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow
from pyarrow import parquet

from clients.institution.cells import NoCellText, cell_text
from clients.institution.source import SourceSettings, check_columns, required_path
from runtime.exits import UserError

_BATCH = 4096


class ParquetSource:
    """A Parquet file. Opened anew for each reading."""

    def __init__(self, settings: SourceSettings) -> None:
        self._path = required_path(settings)

    @property
    def name(self) -> str:
        """The file's name."""
        return self._path.name

    @property
    def description(self) -> str:
        """The format."""
        return "Parquet"

    def header(self) -> list[str]:
        """The names of the top-level columns."""
        with self._open() as file:
            return list(file.schema_arrow.names)

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """Each row's cells in the order of `columns`."""
        with self._open() as file:
            check_columns(list(file.schema_arrow.names), columns, self.name)
            number = 0
            try:
                for batch in file.iter_batches(batch_size=_BATCH, columns=list(dict.fromkeys(columns))):
                    texts = [self._texts(batch, column, number) for column in columns]
                    yield from zip(*texts, strict=True)
                    number += batch.num_rows
            except (pyarrow.ArrowException, OSError) as error:
                raise UserError(f"{self.name} cannot be read on after row {number}: {_first_line(error)}.") from None

    def _open(self) -> Any:
        try:
            return parquet.ParquetFile(self._path, pre_buffer=False)
        except (pyarrow.ArrowException, OSError) as error:
            raise UserError(f"{self.name} is no Parquet file that can be read: {_first_line(error)}.") from None

    def _texts(self, batch: Any, column: str, before: int) -> list[str]:
        texts = []
        for place, value in enumerate(batch.column(column).to_pylist(), start=1):
            try:
                texts.append(cell_text(value))
            except NoCellText as error:
                raise UserError(
                    f"{self.name}, row {before + place}: the column {column!r} holds a {error}, which is no text."
                ) from None
        return texts


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
