"""places of postings that are taken.

Revision ID: 0008
Revises: 0007
Created: 2026-11-25
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "taken_places",
        sa.Column("posting_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("posting_id", "entry_id", name=op.f("pk_taken_places")),
    )
    # Whoever has begun to work somewhere holds a place there. Who was placed by priority was not told apart so far.
    if op.get_bind().dialect.name == "sqlite":
        posting, is_number = "json_extract(facts, '$.posting')", "json_type(facts, '$.posting') = 'integer'"
    else:
        posting, is_number = "CAST(facts ->> 'posting' AS INTEGER)", "jsonb_typeof(facts -> 'posting') = 'number'"
    op.execute(
        f"INSERT INTO taken_places (posting_id, entry_id) "  # noqa: S608  nothing in it comes from outside
        f"SELECT {posting}, id FROM ledger WHERE kind = 'start' AND {is_number}"
    )


def downgrade() -> None:
    op.drop_table("taken_places")
