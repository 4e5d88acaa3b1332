"""Migrations: whole or not at all, once however many processes start, and equal to what the code declares."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, inspect

from runtime.database import open_engine
from runtime.migrations import is_current, migrate, schema_differences

FIRST = '''"""The first table."""
import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table("thing", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String))
'''
SECOND = '''"""The second table."""
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table("other", sa.Column("id", sa.Integer, primary_key=True))
    {then}
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """A package with one migration, and the folder for more."""
    versions = tmp_path / "example_store" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / "example_store" / "__init__.py").touch()
    (versions / "0001_first.py").write_text(FIRST)
    monkeypatch.syspath_prepend(tmp_path)
    yield "example_store", versions
    sys.modules.pop("example_store", None)


def tables(url: str) -> set[str]:
    return set(inspect(open_engine(url)).get_table_names())


def test_an_empty_database_becomes_current_and_stays_so(database_url: str, package: tuple[str, Path]) -> None:
    engine = open_engine(database_url)
    name, versions = package
    assert not is_current(engine, name)
    migrate(engine, name)
    migrate(engine, name)
    assert is_current(engine, name)
    (versions / "0002_second.py").write_text(SECOND.format(then="pass"))
    assert not is_current(engine, name)
    migrate(engine, name)
    assert is_current(engine, name)
    assert tables(database_url) == {"alembic_version", "thing", "other"}


def test_a_migration_that_fails_leaves_nothing(database_url: str, package: tuple[str, Path]) -> None:
    engine = open_engine(database_url)
    name, versions = package
    (versions / "0002_second.py").write_text(SECOND.format(then="raise ZeroDivisionError"))
    with pytest.raises(ZeroDivisionError):
        migrate(engine, name)
    assert tables(database_url) == set()
    (versions / "0002_second.py").write_text(SECOND.format(then="pass   # mended"))
    migrate(engine, name)
    assert is_current(engine, name)


STARTING = """
import sys
sys.path.insert(0, sys.argv[1])
from runtime.database import open_engine
from runtime.migrations import is_current, migrate
migrate(open_engine(sys.argv[2]), "example_store")
sys.exit(0 if is_current(open_engine(sys.argv[2]), "example_store") else 1)
"""


def test_processes_that_start_at_once_migrate_once(database_url: str, package: tuple[str, Path]) -> None:
    folder = package[1].parents[2]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", STARTING, str(folder), database_url],
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    for process in started:
        _, printed = process.communicate(timeout=60)
        assert process.returncode == 0, printed
    assert tables(database_url) == {"alembic_version", "thing"}


def test_differences_between_code_and_database_are_found(database_url: str, package: tuple[str, Path]) -> None:
    engine = open_engine(database_url)
    migrate(engine, package[0])
    metadata = MetaData()
    table = Table("thing", metadata, Column("id", Integer, primary_key=True), Column("name", String))
    assert schema_differences(engine, metadata) == []
    table.append_column(Column("more", Integer))
    assert len(schema_differences(engine, metadata)) == 1
