"""Rows of a query in any database that SQLAlchemy reaches, through a server-side cursor.

Knows a URL and a query. The URL's password is kept out of every message; the query should be a SELECT by a user who
may do nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from clients.institution.cells import NoCellText, cell_text
from clients.institution.source import SourceSettings, check_columns
from runtime.exits import ExitCode, UserError

_BATCH = 1000


class SqlSource:
    """The result of one query. Asked anew for each reading."""

    def __init__(self, settings: SourceSettings) -> None:
        if settings.url is None or settings.query is None:
            raise UserError(
                "A source of type sql needs a url (or url_variable) and a query in the mapping's [source].",
                ExitCode.DOCUMENTS_REFUSED,
            )
        self._url = _parse_url(settings.url)
        self._query = settings.query
        self._engine = self._make_engine()

    @property
    def name(self) -> str:
        """What messages call the source."""
        return "The query's result"

    @property
    def description(self) -> str:
        """The URL without its password."""
        return f"SQL, {self._url.render_as_string(hide_password=True)}"

    def header(self) -> list[str]:
        """The names of the result's columns."""
        with self._plain_errors(), self._engine.connect() as connection:
            result = connection.execution_options(stream_results=True).execute(text(self._query))
            names = list(result.keys()) if result.returns_rows else []
            result.close()
        if not names:
            raise UserError("The query gives no rows: write a SELECT.")
        return names

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """Each row's cells in the order of `columns`."""
        with self._plain_errors(), self._engine.connect() as connection:
            yield from self._rows(connection, columns)

    def _rows(self, connection: Connection, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
        # yield_per streams through a server-side cursor where the database has them.
        result = connection.execution_options(yield_per=_BATCH).execute(text(self._query))
        header = list(result.keys())
        check_columns(header, columns, self.name)
        places = [header.index(column) for column in columns]
        for number, row in enumerate(result, start=1):
            try:
                yield tuple(cell_text(row[place]) for place in places)
            except NoCellText as error:
                raise UserError(
                    f"{self.name}, row {number}: a mapped column holds a {error}, which is no text."
                ) from None

    def _make_engine(self) -> Engine:
        if self._url.get_backend_name() == "sqlite" and self._url.database not in (None, "", ":memory:"):
            path = Path(str(self._url.database))
            # SQLite would make an empty file of a wrong name.
            if not self._url.query and not path.is_file():
                raise UserError(f"There is no SQLite file {path}.")
        try:
            return create_engine(self._url, hide_parameters=True, pool_pre_ping=True)
        except NoSuchModuleError:
            raise UserError(f"SQLAlchemy knows no database {self._url.drivername!r}.") from None
        except ImportError as error:
            raise UserError(
                f"The driver for {self._url.drivername} is not installed: install the Python package {error.name}."
            ) from None

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise UserError(f"The database refused: {self._cause(error)}.") from None

    def _cause(self, error: SQLAlchemyError) -> str:
        """The driver's own first line, without the password if it should quote it."""
        original = getattr(error, "orig", None) or error
        line = (str(original).strip().splitlines() or [type(original).__name__])[0].rstrip(".")
        for secret in (self._url.password, self._url.render_as_string(hide_password=False)):
            if secret:
                line = line.replace(str(secret), "***")
        return line


def _parse_url(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        # The text may hold a password, so it is not quoted.
        raise UserError(
            "The source's url is no SQLAlchemy URL: write e.g. postgresql+psycopg://user@host/database.",
            ExitCode.DOCUMENTS_REFUSED,
        ) from None
