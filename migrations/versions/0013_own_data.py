"""People's own data: what a consent is for, what somebody lets machines choose, and who looked at whom.

Every consent of before was asked for so that jobs can be sent.

Revision ID: 0013
Revises: 0012
Created: 2026-11-29
"""

import sqlalchemy as sa
from alembic import op

from migrations.policies import past_policies

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # In the table itself, not by copying it: half of the tables point to workers.
    op.add_column("workers", sa.Column("personalised", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("workers", sa.Column("automated", sa.Boolean(), server_default=sa.true(), nullable=False))
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("purpose", sa.String(length=40), server_default="job_pushes", nullable=False))
        batch_op.drop_index("ix_consents_worker_id_channel")
        batch_op.create_index("ix_consents_worker_id_purpose_channel", ["worker_id", "purpose", "channel"])
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.alter_column("purpose", existing_type=sa.String(length=40), server_default=None)


def downgrade() -> None:
    # Leave for anything but jobs would otherwise pass for leave to send jobs.
    with past_policies("consents"):
        op.execute("DELETE FROM consents WHERE purpose <> 'job_pushes'")
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.drop_index("ix_consents_worker_id_purpose_channel")
        batch_op.drop_column("purpose")
        batch_op.create_index("ix_consents_worker_id_channel", ["worker_id", "channel"])
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.drop_column("automated")
        batch_op.drop_column("personalised")
