"""sealed words of reports.

What reporters wrote stays in `words` until the service, which has the key, has sealed it (`app.background.sealing`).
Going back loses what was sealed meanwhile: without the key nobody can write it out again.

Revision ID: 0002
Revises: 0001
Created: 2026-11-24
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("posting_reports", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sealed_words", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("posting_reports", schema=None) as batch_op:
        batch_op.drop_column("sealed_words")
