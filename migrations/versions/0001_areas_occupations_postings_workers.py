"""areas occupations postings workers.

Revision ID: 0001
Revises: nothing
Created: 2026-11-23
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "areas",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("short_name", sa.String(length=60), nullable=False),
        sa.Column("level", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("parent_code", sa.String(length=12), nullable=True),
        sa.Column("region", sa.String(length=40), nullable=False),
        sa.Column("subregion", sa.String(length=40), nullable=False),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("precision", sa.String(length=40), nullable=False),
        sa.Column("pinyin", sa.String(length=80), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("note", sa.String(length=400), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_areas")),
    )
    with op.batch_alter_table("areas", schema=None) as batch_op:
        batch_op.create_index("ix_areas_code_valid_to", ["code", "valid_to"], unique=False)
        batch_op.create_index("ix_areas_parent_code", ["parent_code"], unique=False)

    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_entries_happened_at"), ["happened_at"], unique=False)

    op.create_table(
        "idempotency_keys",
        sa.Column("route", sa.String(length=120), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("route", "key", name=op.f("pk_idempotency_keys")),
    )
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotency_keys_created_at"), ["created_at"], unique=False)

    op.create_table(
        "industries",
        sa.Column("code", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("parent_code", sa.String(length=8), nullable=True),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_industries")),
    )
    with op.batch_alter_table("industries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_industries_parent_code"), ["parent_code"], unique=False)

    op.create_table(
        "local_settings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("value", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("unit", sa.String(length=40), nullable=False),
        sa.Column("choices", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_local_settings")),
        sa.UniqueConstraint("name", "valid_from", name=op.f("uq_local_settings_name_valid_from")),
    )
    op.create_table(
        "occupations",
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("group_code", sa.String(length=12), nullable=False),
        sa.Column("group_name", sa.String(length=80), nullable=False),
        sa.Column("family_code", sa.String(length=12), nullable=False),
        sa.Column("family_name", sa.String(length=80), nullable=False),
        sa.Column("flags", sa.String(length=10), nullable=False),
        sa.Column("physical_level", sa.SmallInteger(), nullable=True),
        sa.Column("demands", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("lanes", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("certificates", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("traits_basis", sa.String(length=12), nullable=False),
        sa.Column("traits_source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_occupations")),
    )
    with op.batch_alter_table("occupations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_occupations_group_code"), ["group_code"], unique=False)

    op.create_table(
        "policies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("clause", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("section", sa.String(length=60), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("gloss", sa.Text(), nullable=False),
        sa.Column("figures", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("lists", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("leads", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policies")),
        sa.UniqueConstraint("clause", "valid_from", name=op.f("uq_policies_clause_valid_from")),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("birth_on", sa.Date(), nullable=False),
        sa.Column("sex", sa.String(length=40), nullable=True),
        sa.Column("home_area_code", sa.String(length=12), nullable=False),
        sa.Column("current_area_code", sa.String(length=12), nullable=True),
        sa.Column("skills_text", sa.Text(), nullable=False),
        sa.Column("wants", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("certificates", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("kinds", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("limits", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("pay_min_yuan_month", sa.Integer(), nullable=True),
        sa.Column("max_km", sa.Integer(), nullable=False),
        sa.Column("home_by", sa.SmallInteger(), nullable=True),
        sa.Column("available_on", sa.Date(), nullable=True),
        sa.Column("education", sa.String(length=40), nullable=True),
        sa.Column("experience_years", sa.SmallInteger(), nullable=True),
        sa.Column("origin", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_workers_home_area_code"), ["home_area_code"], unique=False)

    op.create_table(
        "area_successors",
        sa.Column("area_id", sa.Integer(), nullable=False),
        sa.Column("successor_code", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(
            ["area_id"], ["areas.id"], name=op.f("fk_area_successors_area_id_areas"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("area_id", "successor_code", name=op.f("pk_area_successors")),
    )
    op.create_table(
        "employers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("social_credit_code", sa.String(length=18), nullable=True),
        sa.Column("industry_code", sa.String(length=8), nullable=True),
        sa.Column("area_code", sa.String(length=12), nullable=True),
        sa.Column("phone", sa.String(length=20), nullable=False),
        sa.Column("reply_rate", sa.Double(), nullable=True),
        sa.Column("verified_on", sa.Date(), nullable=True),
        sa.Column("generated", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["industry_code"], ["industries.code"], name=op.f("fk_employers_industry_code_industries")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_employers")),
        sa.UniqueConstraint("social_credit_code", name=op.f("uq_employers_social_credit_code")),
    )
    with op.batch_alter_table("employers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_employers_name"), ["name"], unique=False)

    op.create_table(
        "identities",
        sa.Column("worker_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("id_number", sa.String(length=120), nullable=False),
        sa.Column("phone", sa.String(length=120), nullable=True),
        sa.Column("id_number_index", sa.String(length=60), nullable=False),
        sa.Column("phone_index", sa.String(length=60), nullable=True),
        sa.ForeignKeyConstraint(
            ["worker_id"], ["workers.id"], name=op.f("fk_identities_worker_id_workers"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("worker_id", name=op.f("pk_identities")),
        sa.UniqueConstraint("id_number_index", name=op.f("uq_identities_id_number_index")),
    )
    with op.batch_alter_table("identities", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_identities_phone_index"), ["phone_index"], unique=False)

    op.create_table(
        "occupation_aliases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(length=120), nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["code"], ["occupations.code"], name=op.f("fk_occupation_aliases_code_occupations"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_occupation_aliases")),
        sa.UniqueConstraint("text", "code", name=op.f("uq_occupation_aliases_text_code")),
    )
    with op.batch_alter_table("occupation_aliases", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_occupation_aliases_code"), ["code"], unique=False)

    op.create_table(
        "worker_statuses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("evidence", sa.String(length=40), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["worker_id"], ["workers.id"], name=op.f("fk_worker_statuses_worker_id_workers"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_statuses")),
    )
    with op.batch_alter_table("worker_statuses", schema=None) as batch_op:
        batch_op.create_index("ix_worker_statuses_worker_id_status", ["worker_id", "status"], unique=False)

    op.create_table(
        "postings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("origin", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("employer_id", sa.Integer(), nullable=True),
        sa.Column("occupation_code", sa.String(length=12), nullable=True),
        sa.Column("occupation_confidence", sa.Double(), nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("area_code", sa.String(length=12), nullable=True),
        sa.Column("workplace", sa.String(length=200), nullable=False),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("precision", sa.String(length=40), nullable=False),
        sa.Column("duties", sa.Text(), nullable=False),
        sa.Column("conditions", sa.Text(), nullable=False),
        sa.Column("pay_unit", sa.String(length=40), nullable=True),
        sa.Column("pay_low", sa.Numeric(precision=10, scale=2), nullable=True),
        sa.Column("pay_high", sa.Numeric(precision=10, scale=2), nullable=True),
        sa.Column("pay_months", sa.SmallInteger(), nullable=False),
        sa.Column("pay_min_yuan_month", sa.Integer(), nullable=True),
        sa.Column("pay_max_yuan_month", sa.Integer(), nullable=True),
        sa.Column("paid_by", sa.String(length=120), nullable=False),
        sa.Column("paid_when", sa.String(length=60), nullable=False),
        sa.Column("openings", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("hours", sa.String(length=80), nullable=False),
        sa.Column("ends_at_hour", sa.SmallInteger(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("physical_level", sa.SmallInteger(), nullable=True),
        sa.Column("demands", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("certificates", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("age_min", sa.SmallInteger(), nullable=True),
        sa.Column("age_max", sa.SmallInteger(), nullable=True),
        sa.Column("age_reason", sa.String(length=40), nullable=True),
        sa.Column("age_words", sa.String(length=60), nullable=False),
        sa.Column("sex_required", sa.String(length=40), nullable=True),
        sa.Column("education", sa.String(length=40), nullable=True),
        sa.Column("experience_years_min", sa.SmallInteger(), nullable=True),
        sa.Column("programme", sa.String(length=12), nullable=True),
        sa.Column("meals", sa.Boolean(), nullable=True),
        sa.Column("lodging", sa.Boolean(), nullable=True),
        sa.Column("insurance", sa.Boolean(), nullable=True),
        sa.Column("phone", sa.String(length=20), nullable=False),
        sa.Column("observed", sa.String(length=10), nullable=False),
        sa.Column("lacks", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("findings", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("closed_reason", sa.String(length=40), nullable=False),
        sa.Column("fold_key", sa.String(length=64), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["employer_id"], ["employers.id"], name=op.f("fk_postings_employer_id_employers")),
        sa.ForeignKeyConstraint(
            ["occupation_code"], ["occupations.code"], name=op.f("fk_postings_occupation_code_occupations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_postings")),
    )
    with op.batch_alter_table("postings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_postings_area_code"), ["area_code"], unique=False)
        batch_op.create_index("ix_postings_changed_at_id", ["changed_at", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_postings_employer_id"), ["employer_id"], unique=False)
        batch_op.create_index("ix_postings_fold_key", ["fold_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_postings_occupation_code"), ["occupation_code"], unique=False)
        batch_op.create_index("ix_postings_state_valid_until", ["state", "valid_until"], unique=False)

    op.create_table(
        "posting_reports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("posting_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("words", sa.String(length=500), nullable=False),
        sa.Column("reporter_hash", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["posting_id"], ["postings.id"], name=op.f("fk_posting_reports_posting_id_postings"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posting_reports")),
        sa.UniqueConstraint("code", name=op.f("uq_posting_reports_code")),
    )
    with op.batch_alter_table("posting_reports", schema=None) as batch_op:
        batch_op.create_index(
            "ix_posting_reports_posting_id_reporter_hash", ["posting_id", "reporter_hash"], unique=False
        )

    op.create_table(
        "posting_sources",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("posting_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("source_key", sa.String(length=64), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["posting_id"], ["postings.id"], name=op.f("fk_posting_sources_posting_id_postings"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posting_sources")),
        sa.UniqueConstraint("source", "source_key", name=op.f("uq_posting_sources_source_source_key")),
    )
    with op.batch_alter_table("posting_sources", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_posting_sources_posting_id"), ["posting_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("posting_sources", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_posting_sources_posting_id"))

    op.drop_table("posting_sources")
    with op.batch_alter_table("posting_reports", schema=None) as batch_op:
        batch_op.drop_index("ix_posting_reports_posting_id_reporter_hash")

    op.drop_table("posting_reports")
    with op.batch_alter_table("postings", schema=None) as batch_op:
        batch_op.drop_index("ix_postings_state_valid_until")
        batch_op.drop_index(batch_op.f("ix_postings_occupation_code"))
        batch_op.drop_index("ix_postings_fold_key")
        batch_op.drop_index(batch_op.f("ix_postings_employer_id"))
        batch_op.drop_index("ix_postings_changed_at_id")
        batch_op.drop_index(batch_op.f("ix_postings_area_code"))

    op.drop_table("postings")
    with op.batch_alter_table("worker_statuses", schema=None) as batch_op:
        batch_op.drop_index("ix_worker_statuses_worker_id_status")

    op.drop_table("worker_statuses")
    with op.batch_alter_table("occupation_aliases", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_occupation_aliases_code"))

    op.drop_table("occupation_aliases")
    with op.batch_alter_table("identities", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_identities_phone_index"))

    op.drop_table("identities")
    with op.batch_alter_table("employers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_employers_name"))

    op.drop_table("employers")
    op.drop_table("area_successors")
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_workers_home_area_code"))

    op.drop_table("workers")
    op.drop_table("policies")
    with op.batch_alter_table("occupations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_occupations_group_code"))

    op.drop_table("occupations")
    op.drop_table("local_settings")
    with op.batch_alter_table("industries", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_industries_parent_code"))

    op.drop_table("industries")
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_idempotency_keys_created_at"))

    op.drop_table("idempotency_keys")
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_entries_happened_at"))

    op.drop_table("audit_entries")
    with op.batch_alter_table("areas", schema=None) as batch_op:
        batch_op.drop_index("ix_areas_parent_code")
        batch_op.drop_index("ix_areas_code_valid_to")

    op.drop_table("areas")
