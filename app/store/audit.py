"""Who saw or changed what. Rows are only added; they hold no personal data themselves."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kit.database import Base


class AuditEntry(Base):
    """One act: `actor` did `action` to `subject` (a noun and an id), with a count or a rule in `detail`."""

    __tablename__ = "audit_entries"

    id: Mapped[int] = mapped_column(primary_key=True)
    happened_at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(String(60))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80))
    detail: Mapped[str] = mapped_column(String(200), default="")


def record_act(session: Session, *, actor: str, action: str, subject: str, now: datetime, detail: str = "") -> None:
    """Add one act to the audit."""
    session.add(AuditEntry(happened_at=now, actor=actor, action=action, subject=subject, detail=detail))
