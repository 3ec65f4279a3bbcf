"""Kiosks; grants of break-glass; the audit as a book that is only added to.

Revision ID: 0014
Revises: 0013
Created: 2026-11-29
"""

import sqlalchemy as sa
from alembic import op

from migrations.policies import protect_people

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# By table what REPLACE, which SQLite has and which fires no trigger on DELETE, could take a row away by.
APPEND_ONLY = {"audit_entries": ("id",), "audit_leaves": ("position", "entry_id", "rowid")}


def refuse_changes(table: str) -> None:
    """Let rows of a table be added and nothing else, whoever asks."""
    if op.get_bind().dialect.name == "sqlite":
        is_there = " OR ".join(
            f"EXISTS (SELECT 1 FROM {table} WHERE {name} = NEW.{name})"  # noqa: S608  our own words
            for name in APPEND_ONLY[table]
        )
        for name, when in (
            ("no_update", "BEFORE UPDATE ON {table}"),
            ("no_delete", "BEFORE DELETE ON {table}"),
            ("no_replace", f"BEFORE INSERT ON {{table}} WHEN {is_there}"),
        ):
            op.execute(
                f"CREATE TRIGGER {table}_{name} {when.format(table=table)} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is append-only' USING ERRCODE = 'restrict_violation'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()"
    )


def allow_changes(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in ("no_update", "no_delete", "no_replace"):
            op.execute(f"DROP TRIGGER {table}_{name}")
        return
    op.execute(f"DROP TRIGGER {table}_append_only ON {table}")
    op.execute(f"DROP FUNCTION {table}_refuse()")


def upgrade() -> None:
    op.create_table(
        "kiosks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("station", sa.String(length=60), nullable=False),
        sa.Column("area_code", sa.String(length=12), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("drift_s", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kiosks")),
        sa.UniqueConstraint("code", name=op.f("uq_kiosks_code")),
        sa.UniqueConstraint("digest", name=op.f("uq_kiosks_digest")),
    )
    op.create_index(op.f("ix_kiosks_area_code"), "kiosks", ["area_code"], unique=False)
    op.create_index(op.f("ix_sessions_actor"), "sessions", ["actor"], unique=False)
    op.create_table(
        "grants",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("worker_id", sa.Integer(), nullable=False),
        sa.Column("district_code", sa.String(length=6), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("words", sa.String(length=1_200), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_grants_account_id_accounts"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["worker_id"], ["workers.id"], name=op.f("fk_grants_worker_id_workers"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    protect_people("grants")
    for column in ("account_id", "worker_id", "district_code"):
        op.create_index(op.f(f"ix_grants_{column}"), "grants", [column], unique=False)
    # Added with a default, so that a process of the version before goes on writing acts.
    op.add_column(
        "audit_entries", sa.Column("why", sa.String(length=120), nullable=False, server_default=sa.text("''"))
    )
    op.add_column(
        "audit_entries", sa.Column("origin", sa.String(length=60), nullable=False, server_default=sa.text("''"))
    )
    op.create_index("ix_audit_entries_actor_id", "audit_entries", ["actor", "id"], unique=False)
    op.create_index("ix_audit_entries_subject_id", "audit_entries", ["subject", "id"], unique=False)
    op.create_table(
        "audit_leaves",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("commitment", sa.String(length=60), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_leaves")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_audit_leaves_entry_id")),
    )
    op.create_index(
        "ix_ledger_audit",
        "ledger",
        ["id"],
        unique=False,
        sqlite_where=sa.text("kind = 'audit'"),
        postgresql_where=sa.text("kind = 'audit'"),
    )
    for table in APPEND_ONLY:
        refuse_changes(table)


def downgrade() -> None:
    for table in APPEND_ONLY:
        allow_changes(table)
    op.drop_index(
        "ix_ledger_audit",
        "ledger",
        sqlite_where=sa.text("kind = 'audit'"),
        postgresql_where=sa.text("kind = 'audit'"),
    )
    op.drop_table("audit_leaves")
    op.drop_index("ix_audit_entries_subject_id", "audit_entries")
    op.drop_index("ix_audit_entries_actor_id", "audit_entries")
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.drop_column("origin")
        batch_op.drop_column("why")
    op.drop_table("grants")
    op.drop_index(op.f("ix_sessions_actor"), "sessions")
    op.drop_table("kiosks")
