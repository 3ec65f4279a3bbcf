"""Spells: who was registered as owed the package, from when to when. What was done in one stands in the ledger."""

from datetime import date

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.spells import SpellEnd, SpellSource
from app.kit.database import Base


class SpellRow(Base):
    """One registration of one person; `closed_on` is its last day. Of one person one is open at most."""

    __tablename__ = "spells"
    __table_args__ = (
        Index(
            "uq_spells_open",
            "worker_id",
            unique=True,
            sqlite_where=text("closed_on IS NULL"),
            postgresql_where=text("closed_on IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    worker_id: Mapped[int] = mapped_column(ForeignKey("workers.id", ondelete="CASCADE"), index=True)
    opened_on: Mapped[date]
    closed_on: Mapped[date | None]
    end: Mapped[SpellEnd | None]
    source: Mapped[SpellSource]
