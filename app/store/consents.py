"""Consents (授权同意): on which channels a person lets themselves be written to or called, and since when.

A row is never changed but for its end: who withdraws ends one, who agrees again begins another.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.ledger import Channel
from app.kit.database import Base


class Consent(Base):
    """Leave to use one electronic channel; `how` says by what it was given, `ended_how` by what it was withdrawn."""

    __tablename__ = "consents"
    __table_args__ = (Index("ix_consents_worker_id_channel", "worker_id", "channel"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    worker_id: Mapped[int] = mapped_column(ForeignKey("workers.id", ondelete="CASCADE"))
    channel: Mapped[Channel]
    given_at: Mapped[datetime]
    how: Mapped[str] = mapped_column(String(60))
    ended_at: Mapped[datetime | None]
    ended_how: Mapped[str | None] = mapped_column(String(60))
