"""Migrations: each party's package holds its own as data in `PACKAGE/migrations/versions/`, run from here.

No Alembic configuration file and no env.py: the package's name is all that is needed. Knows no table.
"""

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, text

from runtime.database import is_sqlite, read_transaction, write_transaction

# Any fixed number: whoever migrates a PostgreSQL database holds this lock, so that services may start at once.
_MIGRATION_LOCK = 0x63726F73736C


def _scripts(package: str) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", f"{package}:migrations")
    # Named, because Alembic would otherwise guess a separator for a list of one.
    config.set_main_option("path_separator", "newline")
    return ScriptDirectory.from_config(config)


def migrate(engine: Engine, package: str) -> None:
    """Bring the database to the newest schema of `package` (e.g. `broker.store`), whole or not at all.

    Safe to call from several processes at once: one migrates, the others wait and find nothing to do.
    """
    scripts = _scripts(package)

    def upgrade(revision: Any, context: MigrationContext) -> Any:
        # Alembic's own `upgrade` command does the same; the step function has no public name.
        return scripts._upgrade_revs("head", revision)

    with write_transaction(engine) as connection:
        if not is_sqlite(connection):
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        with EnvironmentContext(Config(), scripts, fn=upgrade, destination_rev="head") as environment:
            environment.configure(connection=connection, transactional_ddl=True)
            environment.run_migrations()


def is_current(engine: Engine, package: str) -> bool:
    """Tell whether the database has exactly the newest schema of `package`."""
    with read_transaction(engine) as connection:
        return _heads(connection) == set(_scripts(package).get_heads())


def _heads(connection: Connection) -> set[str]:
    return set(MigrationContext.configure(connection).get_current_heads())


def schema_differences(engine: Engine, metadata: MetaData) -> list[Any]:
    """Return how the migrated database differs from the tables that the code declares; empty when they agree."""
    with read_transaction(engine) as connection:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))
