"""people's own keys, which version of a key writes, and when somebody was erased.

What was sealed under the key ring before stays so and opens as before, until `jiujin keys rotate` comes to it: a
migration has no key.

Revision ID: 0012
Revises: 0011
Created: 2026-11-29
"""

import sqlalchemy as sa
from alembic import op

from migrations.policies import protect_people

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "person_keys",
        sa.Column("worker_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wrapped", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(
            ["worker_id"], ["workers.id"], name=op.f("fk_person_keys_worker_id_workers"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("worker_id", name=op.f("pk_person_keys")),
    )
    protect_people("person_keys")
    op.add_column("workers", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("key_checks", sa.Column("writing", sa.Boolean(), server_default=sa.false(), nullable=False))
    # The newest version is what wrote so far.
    op.execute(
        "UPDATE key_checks SET writing = true WHERE version = "
        "(SELECT max(version) FROM key_checks AS others WHERE others.family = key_checks.family)"
    )
    with op.batch_alter_table("ledger_keys") as keys:
        # A key service may write more than the ring does.
        keys.alter_column("sealed", type_=sa.String(length=500), existing_type=sa.String(length=200), nullable=False)


def downgrade() -> None:
    # What was sealed under people's own keys opens no more afterwards.
    with op.batch_alter_table("ledger_keys") as keys:
        keys.alter_column("sealed", type_=sa.String(length=200), existing_type=sa.String(length=500), nullable=False)
    op.drop_column("key_checks", "writing")
    op.drop_column("workers", "erased_at")
    op.drop_table("person_keys")
