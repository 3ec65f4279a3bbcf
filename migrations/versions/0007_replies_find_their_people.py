"""replies from WeChat find their people; receipts of strangers wait apart.

Addresses of before have no index: nothing wrote one until now.

Revision ID: 0007
Revises: 0006
Created: 2026-11-25
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("address_index", sa.String(length=60), nullable=True))
        batch_op.create_index(batch_op.f("ix_consents_address_index"), ["address_index"], unique=False)

    with op.batch_alter_table("receipts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("look_again_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("receipts", schema=None) as batch_op:
        batch_op.drop_column("look_again_at")

    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_consents_address_index"))
        batch_op.drop_column("address_index")
