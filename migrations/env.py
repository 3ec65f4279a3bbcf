"""What Alembic runs for every command: which metadata, how to compare, how long to wait for a lock.

It works on the connection that `app.kit.migrations` hands over and opens none itself.
"""

import logging
from collections.abc import Collection, Mapping
from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import Connection, MetaData

from app.kit.database import UtcDateTime

# A migration that waits for a busy table makes everybody behind it wait too: it gives up soon and is run again. Its own
# statements may take their time: rewriting a large table is no hang.
POSTGRESQL_SETTINGS = {"lock_timeout": "5s", "statement_timeout": "30min"}

LOG = logging.getLogger("jiujin.migrations")


def log_revision(
    ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]
) -> None:
    """Say which revision was reached or taken back: Alembic's own log is silenced for its noise."""
    del ctx, heads, run_args  # Alembic hands them over by name
    LOG.info("%s revision %s", "applied" if step.is_upgrade else "took back", step.up_revision_id)


def render_item(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """Our column types in plain SQLAlchemy, so that revisions import nothing from `app`."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, sa.Enum):
        return f"sa.String(length={item.length})"
    if kind == "type" and isinstance(item, sa.JSON):
        autogenerate.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


def run(connection: Connection, metadata: MetaData | None) -> None:
    """Configure Alembic on a connection and run what was asked for; `metadata` is only needed to compare with it."""
    on_sqlite = connection.dialect.name == "sqlite"
    if not on_sqlite:
        for name, value in POSTGRESQL_SETTINGS.items():
            connection.execute(sa.select(sa.func.set_config(name, value, False)))  # noqa: FBT003  SQL takes no keywords
        connection.commit()
    context.configure(
        connection=connection,
        target_metadata=metadata,
        # SQLite cannot alter a column; Alembic copies the table instead.
        render_as_batch=on_sqlite,
        # Our engine begins transactions itself, so SQLite's DDL is transactional too. There all revisions run in one,
        # which keeps a second process out; PostgreSQL commits each, so that one may build an index CONCURRENTLY.
        transactional_ddl=True,
        transaction_per_migration=not on_sqlite,
        compare_type=True,
        compare_server_default=True,
        render_item=render_item,
        on_version_apply=log_revision,
    )
    with context.begin_transaction():
        context.run_migrations()
        if on_sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
            # Foreign keys are off while tables are copied; nothing may be left pointing nowhere.
            raise RuntimeError(f"rows that point nowhere after the migration, in {sorted({row[0] for row in broken})}")


run(context.config.attributes["connection"], context.config.attributes.get("metadata"))
