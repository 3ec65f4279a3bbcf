"""Kiosks of the stations (驿站终端): a device each, known by a key of which only the digest is kept."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kit.database import Base


class Kiosk(Base):
    """A device at a station. `digest` is of its newest key, which is good from `issued_at` to `expires_at`.

    `station` is what the place is called, `area_code` where it is. `seen_at` is when the device last told that it runs,
    `drift_s` how many seconds its clock was ahead of ours then.
    """

    __tablename__ = "kiosks"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    station: Mapped[str] = mapped_column(String(60))
    area_code: Mapped[str] = mapped_column(String(12), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    drift_s: Mapped[int | None] = mapped_column(BigInteger)


def add_kiosk(session: Session, kiosk: Kiosk) -> None:
    """Keep a new kiosk.

    Raises:
        sqlalchemy.exc.IntegrityError: the code is taken.
    """
    session.add(kiosk)
    session.flush()


def find_kiosk(session: Session, code: str) -> Kiosk | None:
    """A kiosk by its code."""
    return session.scalars(select(Kiosk).where(Kiosk.code == code)).one_or_none()


def lock_kiosk(session: Session, code: str) -> Kiosk | None:
    """A kiosk by its code, as it is now and held until the transaction ends."""
    chosen = select(Kiosk).where(Kiosk.code == code).with_for_update()
    return session.scalars(chosen, execution_options={"populate_existing": True}).one_or_none()


def find_kiosk_by_key(session: Session, digest: str, *, now: datetime) -> Kiosk | None:
    """The kiosk of a key, while the key is good."""
    return session.scalars(
        select(Kiosk).where(Kiosk.digest == digest, Kiosk.revoked_at.is_(None), Kiosk.expires_at > now)
    ).one_or_none()


def list_kiosks(session: Session, *, after: str = "", limit: int) -> Sequence[Kiosk]:
    """Kiosks in the order of their codes, those behind one."""
    return session.scalars(select(Kiosk).where(Kiosk.code > after).order_by(Kiosk.code).limit(limit)).all()
