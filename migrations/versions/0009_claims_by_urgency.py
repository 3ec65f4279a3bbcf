"""indexes by which claims and endings are found however many wait.

Revision ID: 0009
Revises: 0008
Created: 2026-11-28
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_IS_WAITING = sa.text("ready_at IS NOT NULL")


def upgrade() -> None:
    op.drop_index("ix_outbox_ready", table_name="outbox")
    op.create_index(
        "ix_outbox_ready",
        "outbox",
        ["urgency", "channel", "ready_at", "id"],
        sqlite_where=_IS_WAITING,
        postgresql_where=_IS_WAITING,
    )
    op.create_index("ix_pushes_state_expires_at", "pushes", ["state", "expires_at"])


def downgrade() -> None:
    op.drop_index("ix_pushes_state_expires_at", table_name="pushes")
    op.drop_index("ix_outbox_ready", table_name="outbox")
    op.create_index(
        "ix_outbox_ready", "outbox", ["urgency", "ready_at"], sqlite_where=_IS_WAITING, postgresql_where=_IS_WAITING
    )
