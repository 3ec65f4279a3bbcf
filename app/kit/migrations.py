"""Bringing a database to the schema of this version, and telling whether it is there.

Alembic is driven in code: the revisions travel in the wheel as the package `migrations` and are found wherever that is
installed, so no command depends on the working folder.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, text

# Whoever migrates holds this advisory lock on PostgreSQL, so that processes started together take turns. The number
# only has to be one that nobody else in this database uses.
_MIGRATION_LOCK = 4_610_237


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Where a database stands.

    Attributes:
        head: the revision that this version of the code needs; None while there is none.
        current: the revision that the database is at; None for an empty database.
        drift: what differs between the tables and the code, a line each; empty when not compared or equal.
    """

    head: str | None
    current: str | None
    drift: tuple[str, ...] = ()

    @property
    def is_current(self) -> bool:
        return self.head == self.current and not self.drift


def config() -> Config:
    """Alembic's configuration, with no file behind it."""
    alembic = Config()
    # The parser would read a percent sign in the path as a reference.
    alembic.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
    alembic.set_main_option("path_separator", "os")
    alembic.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return alembic


def head_revision() -> str | None:
    """The newest revision in the code.

    Raises:
        alembic.util.CommandError: there are several: two people added one at the same time, and one must be rebased.
    """
    return ScriptDirectory.from_config(config()).get_current_head()


def upgrade(engine: Engine, *, to: str = "head") -> None:
    """Bring the database to a revision. Safe to call at every start and by several processes at once.

    Raises:
        sqlalchemy.exc.OperationalError: a lock was not free in time; call again. On SQLite nothing has changed, on
            PostgreSQL the revisions before the failed one stay.
    """
    with migrating(engine) as alembic:
        command.upgrade(alembic, to)


def downgrade(engine: Engine, *, to: str) -> None:
    """Take revisions back, down to and without `to` (`base` for all). Loses what their tables and columns held."""
    with migrating(engine) as alembic:
        command.downgrade(alembic, to)


def check(engine: Engine, metadata: MetaData | None = None) -> SchemaState:
    """Where the database stands; with `metadata`, also whether its tables are those of the code. Changes nothing."""
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "target_metadata": metadata}
        )
        current = context.get_current_revision()
        drift = () if metadata is None else tuple(str(difference) for difference in compare_metadata(context, metadata))
    return SchemaState(head=head_revision(), current=current, drift=drift)


@contextmanager
def migrating(engine: Engine) -> Iterator[Config]:
    """Alembic's configuration with a connection in its attributes, while nobody else migrates the same database."""
    on_sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        alembic = config()
        alembic.attributes["connection"] = connection
        if on_sqlite:
            # Copying a table drops the old one, and dropping deletes what points to it.
            _enforce_foreign_keys(connection, on=False)
        else:
            _wait_for_turn(connection)
        try:
            yield alembic
        finally:
            if on_sqlite:
                connection.rollback()
                _enforce_foreign_keys(connection, on=True)
            else:
                # Ends the session and with it the advisory lock and the limits that env.py set.
                connection.invalidate()


def _enforce_foreign_keys(connection: Connection, *, on: bool) -> None:
    # SQLite ignores the switch within a transaction, so it goes past SQLAlchemy, which would begin one.
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")


def _wait_for_turn(connection: Connection) -> None:
    connection.execute(text("SET statement_timeout = 0"))
    connection.execute(text("SET lock_timeout = '10min'"))
    connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": _MIGRATION_LOCK})
    connection.commit()
