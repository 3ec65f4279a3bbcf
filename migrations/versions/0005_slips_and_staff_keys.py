"""slips and staff keys; the ledger by the time of writing.

Revision ID: 0005
Revises: 0004
Created: 2026-11-25
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "slips",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.Integer(), nullable=False),
        sa.Column("push_ids", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("printed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["worker_id"], ["workers.id"], name=op.f("fk_slips_worker_id_workers"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slips")),
    )
    with op.batch_alter_table("slips", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_slips_worker_id"), ["worker_id"], unique=False)

    op.create_table(
        "staff_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("district_code", sa.String(length=6), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_staff_keys_digest")),
    )
    with op.batch_alter_table("staff_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staff_keys_actor"), ["actor"], unique=False)

    # Not in a batch: SQLite would copy the table, and its triggers with it would be lost.
    op.create_index(op.f("ix_ledger_written_at"), "ledger", ["written_at"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_ledger_written_at"), table_name="ledger")
    with op.batch_alter_table("staff_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_staff_keys_actor"))

    op.drop_table("staff_keys")
    with op.batch_alter_table("slips", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_slips_worker_id"))

    op.drop_table("slips")
