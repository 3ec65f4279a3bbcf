"""the ledger refuses REPLACE on SQLite.

Revision ID: 0006
Revises: 0005
Created: 2026-11-26
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# REPLACE takes away whatever row has one of these values, and fires no trigger on DELETE. Where the primary key is not
# the rowid itself, a row can be taken away by that as well.
UNIQUE = {
    "ledger": ("id",),
    "ledger_leaves": ("position", "entry_id", "rowid"),
    "ledger_checkpoints": ("size", "rowid"),
}


def upgrade() -> None:
    # PostgreSQL has no REPLACE, and ON CONFLICT DO UPDATE fires the trigger on UPDATE.
    if op.get_bind().dialect.name != "sqlite":
        return
    for table, columns in UNIQUE.items():
        is_there = " OR ".join(
            f"EXISTS (SELECT 1 FROM {table} WHERE {name} = NEW.{name})"  # noqa: S608  our own words
            for name in columns
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {is_there} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for table in UNIQUE:
        op.execute(f"DROP TRIGGER {table}_no_replace")
