"""What a source of rows is, and its settings; the readers for files and databases stand in modules of their own.

Knows no mapping and no meaning of a column. Readers stream: memory stays flat however many rows there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from runtime.exits import ExitCode, UserError

CSV = "csv"
PARQUET = "parquet"
SQL = "sql"
TYPES = (CSV, PARQUET, SQL)

_SUFFIXES = {".csv": CSV, ".tsv": CSV, ".txt": CSV, ".parquet": PARQUET, ".pq": PARQUET}


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Where rows come from.

    type       "csv", "parquet" or "sql"
    path       the file, for csv and parquet
    delimiter  one character; found in the file where it is not told
    encoding   a Python codec's name; found in the file where it is not told
    url        an SQLAlchemy URL; it may hold a password, so it is never shown
    query      the SELECT whose columns are mapped
    """

    type: str
    path: Path | None = None
    delimiter: str | None = None
    encoding: str | None = None
    url: str | None = field(default=None, repr=False)
    query: str | None = None

    @property
    def name(self) -> str:
        """What messages call the source."""
        return "the query's result" if self.path is None else self.path.name


class Source(Protocol):
    """Rows under named columns."""

    @property
    def name(self) -> str:
        """What messages call the source."""
        ...

    @property
    def description(self) -> str:
        """How it is read, e.g. "CSV, ';' between cells, utf-8"."""
        ...

    def header(self) -> list[str]:
        """The columns' names in order. Raises UserError where the source cannot be read."""
        ...

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """The text of `columns` (each of them in the header) row by row. Raises UserError with the row's number."""
        ...


def open_source(settings: SourceSettings) -> Source:
    """The reader for a source. Libraries are loaded for the type at hand only."""
    if settings.type == PARQUET:
        from clients.institution.parquet_source import ParquetSource

        return ParquetSource(settings)
    if settings.type == SQL:
        from clients.institution.sql_source import SqlSource

        return SqlSource(settings)
    from clients.institution.csv_source import CsvSource

    return CsvSource(settings)


def type_by_name(path: Path) -> str | None:
    """The type that a file's name tells; None where it tells none."""
    return _SUFFIXES.get(path.suffix.lower())


def required_path(settings: SourceSettings) -> Path:
    """The path of a file source. Raises UserError where the file is not there or is no file."""
    if settings.path is None:
        raise UserError("The mapping's [source] names no path.", ExitCode.DOCUMENTS_REFUSED)
    if not settings.path.exists():
        raise UserError(f"There is no file {settings.path}.")
    if not settings.path.is_file():
        raise UserError(f"{settings.path} is no file.")
    return settings.path


def check_columns(header: Sequence[str], wanted: Sequence[str], name: str) -> None:
    """Refuse wanted columns that are missing or there twice; raises UserError."""
    for column in wanted:
        count = header.count(column)
        if count == 0:
            known = ", ".join(header[:40]) + (" ..." if len(header) > 40 else "")
            raise UserError(f"{name} has no column {column!r}, which the mapping names; it has: {known}.")
        if count > 1:
            raise UserError(f"{name} has {count} columns named {column!r}: give each a name of its own.")
