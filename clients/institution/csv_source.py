"""Rows of a CSV file, streamed. Delimiter and encoding are told or found; a line without end is refused unread.

Knows text and cells only. At most one line (1 MiB) and one row are in memory.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import TextIO

from clients.institution.csv_format import CsvFormat, find_format
from clients.institution.source import SourceSettings, check_columns, required_path
from runtime.exits import UserError

LINE_LIMIT = 1 << 20
"""Characters of one line beyond which a file is no table."""

CELL_LIMIT = 131_072
"""Characters of one cell, line breaks within it included."""

_UNDECODED = re.compile("[\ud800-\udfff]")


class CsvSource:
    """A CSV file with a header. Opened anew for each reading."""

    def __init__(self, settings: SourceSettings) -> None:
        self._path = required_path(settings)
        self._format = find_format(self._path, settings.delimiter, settings.encoding)
        self._told_encoding = settings.encoding is not None

    @property
    def name(self) -> str:
        """The file's name."""
        return self._path.name

    @property
    def description(self) -> str:
        """Delimiter and encoding."""
        delimiter = {"\t": "tabulators", " ": "blanks"}.get(self._format.delimiter, f"{self._format.delimiter!r}")
        return f"CSV, {delimiter} between cells, {self._format.encoding}"

    def header(self) -> list[str]:
        """The cells of the first line."""
        with _Reading(self._path, self._format, self._told_encoding) as reading:
            return reading.header()

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """Each row's cells in the order of `columns`; lines with nothing on them are passed over."""
        with _Reading(self._path, self._format, self._told_encoding) as reading:
            header = reading.header()
            check_columns(header, columns, self.name)
            places = [header.index(column) for column in columns]
            # itemgetter gives a tuple for two or more places only.
            choose = itemgetter(*places) if len(places) > 1 else lambda cells: tuple(cells[place] for place in places)
            for cells in reading.rows():
                if len(cells) != len(header):
                    raise UserError(
                        f"{self.name}, row {reading.row}: {len(cells)} cells where the header has {len(header)}; "
                        "is a delimiter in a cell without quotes, or was the file cut off?"
                    )
                yield choose(cells)


class _Reading:
    """One pass over the file; `row` is the number of the row at hand, the first below the header being 1."""

    def __init__(self, path: Path, form: CsvFormat, told_encoding: bool) -> None:
        self._path = path
        self._format = form
        self._told_encoding = told_encoding
        self._file: TextIO | None = None
        self._rows: Iterator[list[str]] = iter(())
        self.row = 0

    def __enter__(self) -> _Reading:
        try:
            self._file = self._path.open(encoding=self._format.encoding, errors=self._format.error_handler, newline="")
        except OSError as error:
            raise UserError(f"{self._path} cannot be read: {error.strerror}.") from None
        # The limit is the csv module's own and for the whole process; nobody else sets it.
        csv.field_size_limit(CELL_LIMIT)
        self._rows = csv.reader(self._lines(self._file), delimiter=self._format.delimiter, strict=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def header(self) -> list[str]:
        """The first line that is not blank."""
        with self._plain_errors():
            for cells in self._rows:
                if any(cell.strip() for cell in cells):
                    return [cell.strip() for cell in cells]
        raise UserError(f"{self._path.name} is empty: it has no header.")

    def rows(self) -> Iterator[list[str]]:
        """The rows below the header."""
        with self._plain_errors():
            self.row = 1
            for cells in self._rows:
                if cells:
                    yield cells
                    self.row += 1

    def _lines(self, file: TextIO) -> Iterator[str]:
        while line := file.readline(LINE_LIMIT + 1):
            if len(line) > LINE_LIMIT:
                raise UserError(
                    f"{self._path.name}, {self._where}: a line of more than {LINE_LIMIT:,} characters; this is no "
                    "table, or its line breaks are lost."
                )
            if not line.isascii() and _UNDECODED.search(line):
                raise self._broken_encoding()
            yield line

    @property
    def _where(self) -> str:
        return f"row {self.row}" if self.row else "the header"

    def _broken_encoding(self) -> UserError:
        found = "is" if self._told_encoding else "was found to be"
        return UserError(
            f"{self._path.name}, {self._where}: bytes that are no text in {self._format.encoding}, which the encoding "
            f'{found}; set encoding in the mapping\'s [source], e.g. encoding = "cp1252".'
        )

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except UnicodeError:
            raise self._broken_encoding() from None
        except csv.Error as error:
            raise UserError(f"{self._path.name}, {self._where}: {_explained(str(error))}") from None
        except OSError as error:
            raise UserError(f"{self._path} cannot be read on after {self._where}: {error.strerror}.") from None


def _explained(message: str) -> str:
    if "field larger" in message:
        return f'a cell of more than {CELL_LIMIT:,} characters; is a quote (") opened and never closed?'
    if "unexpected end of data" in message:
        return 'the file ends within a quoted cell; is a quote (") never closed, or was the file cut off?'
    if "expected after" in message:
        return 'text after a closing quote; a quote (") within a cell must be written twice ("").'
    return f"this is no CSV ({message})."
