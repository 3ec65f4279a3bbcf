"""Keys by which programs of staff are known: a bearer token each, of which only the digest is kept."""

from datetime import datetime

from sqlalchemy import String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kit.database import Base


class StaffKey(Base):
    """A key of one member of staff. `actor` is a role and a code; `district_code` what they may see, None the city."""

    __tablename__ = "staff_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    actor: Mapped[str] = mapped_column(String(60), index=True)
    district_code: Mapped[str | None] = mapped_column(String(6))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


def add_staff_key(session: Session, key: StaffKey) -> None:
    """Keep a new key."""
    session.add(key)
    session.flush()


def find_staff_key(session: Session, digest: str, *, now: datetime) -> StaffKey | None:
    """A key by its digest, while it is good."""
    return session.scalars(
        select(StaffKey).where(StaffKey.digest == digest, StaffKey.revoked_at.is_(None), StaffKey.expires_at > now)
    ).one_or_none()


def revoke_staff_keys(session: Session, actor: str, *, now: datetime) -> int:
    """End all keys of somebody; how many were still good."""
    ended = session.connection().execute(
        update(StaffKey)
        .where(StaffKey.actor == actor, StaffKey.revoked_at.is_(None), StaffKey.expires_at > now)
        .values(revoked_at=now)
    )
    return ended.rowcount
