"""Break-glass: one person of another district, opened to one account for a while, with the reason that was given."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, ForeignKey, String, delete, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.grants import GrantReason
from app.kit.database import Base


class Grant(Base):
    """`worker_id` is open to `account_id` from `granted_at` to `ends_at`.

    `actor` is the account as it signed then, `district_code` where the person was at home, whose office is told of it.
    `words` say more about the reason, sealed: they may name somebody.
    """

    __tablename__ = "grants"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    actor: Mapped[str] = mapped_column(String(60))
    worker_id: Mapped[int] = mapped_column(ForeignKey("workers.id", ondelete="CASCADE"), index=True)
    district_code: Mapped[str] = mapped_column(String(6), index=True)
    reason: Mapped[GrantReason]
    words: Mapped[str] = mapped_column(String(1_200))
    granted_at: Mapped[datetime]
    ends_at: Mapped[datetime]


def add_grant(session: Session, grant: Grant) -> None:
    """Keep a new grant, whose id is known."""
    session.add(grant)
    session.flush()


def find_live_grant(session: Session, *, account_id: int, worker_id: int, now: datetime) -> Grant | None:
    """The grant that opens a person to an account now: the one that ends last."""
    chosen = select(Grant).where(Grant.account_id == account_id, Grant.worker_id == worker_id, Grant.ends_at > now)
    return session.scalars(chosen.order_by(Grant.ends_at.desc()).limit(1)).one_or_none()


def delete_grants(session: Session, worker_id: int) -> None:
    """Drop the grants about a person; the audit goes on telling that there were some."""
    session.execute(delete(Grant).where(Grant.worker_id == worker_id))


def list_granted(session: Session, *, account_id: int, now: datetime, limit: int) -> list[int]:
    """The people whom grants open to an account now, by id; of many those that end last."""
    chosen = select(Grant.worker_id).where(Grant.account_id == account_id, Grant.ends_at > now)
    return list(session.scalars(chosen.order_by(Grant.ends_at.desc()).limit(limit)))


def list_grants(
    session: Session, *, account_id: int | None, district: str | None, before: int, limit: int
) -> Sequence[Grant]:
    """Grants to an account or about people of a district, newest first, those before an id; with neither all."""
    whose: list[ColumnElement[bool]] = []
    if account_id is not None:
        whose.append(Grant.account_id == account_id)
    if district is not None:
        whose.append(Grant.district_code == district)
    chosen = select(Grant).where(Grant.id < before, *([or_(*whose)] if whose else []))
    return session.scalars(chosen.order_by(Grant.id.desc()).limit(limit)).all()
