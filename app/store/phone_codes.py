"""Codes that were sent to phones, by the phone's keyed digest: of one phone and purpose one is live at most."""

from datetime import datetime

from sqlalchemy import Index, SmallInteger, String, delete, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.phone_codes import MOST_COMPARES, CodePurpose
from app.kit.database import Base


class PhoneCode(Base):
    """A code on its way: `code` and `ticket` are digests. `is_live` until it is used, compared too often or replaced.

    `ticket` is what the one who asked for it was given; without it the code opens nothing. `proven_at` is when the
    right code came: whoever shares the phone with others has still to say who they are.
    """

    __tablename__ = "phone_codes"
    __table_args__ = (
        Index(
            "uq_phone_codes_live",
            "phone",
            "purpose",
            unique=True,
            sqlite_where=text("is_live"),
            postgresql_where=text("is_live"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    phone: Mapped[str] = mapped_column(String(60))
    purpose: Mapped[CodePurpose]
    ticket: Mapped[str] = mapped_column(String(64), unique=True)
    code: Mapped[str] = mapped_column(String(60))
    sealed_phone: Mapped[str] = mapped_column(String(120))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    compares: Mapped[int] = mapped_column(SmallInteger, default=0)
    is_live: Mapped[bool] = mapped_column(default=True)
    proven_at: Mapped[datetime | None]


def replace_code(session: Session, code: PhoneCode) -> None:
    """Keep a new code; an older one of this phone and purpose is live no more.

    Raises:
        sqlalchemy.exc.IntegrityError: somebody else makes one for it at this moment.
    """
    session.execute(
        update(PhoneCode)
        .where(PhoneCode.phone == code.phone, PhoneCode.purpose == code.purpose, PhoneCode.is_live)
        .values(is_live=False)
    )
    session.add(code)
    session.flush()


def spend_compare(session: Session, ticket: str, *, now: datetime) -> PhoneCode | None:
    """Count one comparison of the live code of a ticket; None where there is none, or none is left.

    Counted by the statement that looks whether one is left: however many ask at once, no more are let through.
    """
    spent = (
        update(PhoneCode)
        .where(
            PhoneCode.ticket == ticket,
            PhoneCode.is_live,
            PhoneCode.expires_at > now,
            PhoneCode.compares < MOST_COMPARES,
            PhoneCode.proven_at.is_(None),
        )
        .values(compares=PhoneCode.compares + 1)
        .returning(PhoneCode.id)
    )
    found = session.connection().execute(spent).scalar()
    return None if found is None else session.get(PhoneCode, found, populate_existing=True)


def find_proven(session: Session, ticket: str, *, now: datetime) -> PhoneCode | None:
    """The code of a ticket that was proven and still holds, locked until the transaction ends."""
    chosen = select(PhoneCode).where(
        PhoneCode.ticket == ticket, PhoneCode.is_live, PhoneCode.expires_at > now, PhoneCode.proven_at.is_not(None)
    )
    return session.scalars(chosen.with_for_update(), execution_options={"populate_existing": True}).one_or_none()


def forget_codes(session: Session, *, before: datetime) -> int:
    """Drop codes that ended before an instant; how many."""
    return session.connection().execute(delete(PhoneCode).where(PhoneCode.expires_at < before)).rowcount
