"""Phones by which people of an employer are let in; sealed, and found by a keyed digest."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kit.database import Base
from app.kit.encrypted import Place, blind_index, blind_indexes, seal
from app.kit.keys import KeyRing
from app.store.employers import Employer

_PHONE = "employer_contacts.phone"
_STANDS = text("ended_at IS NULL")


class EmployerContact(Base):
    """A phone of an employer from `added_at` to `ended_at`. A phone stands for one employer at a time."""

    __tablename__ = "employer_contacts"
    __table_args__ = (
        Index(
            "uq_employer_contacts_phone_index",
            "phone_index",
            unique=True,
            sqlite_where=_STANDS,
            postgresql_where=_STANDS,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    employer_id: Mapped[int] = mapped_column(ForeignKey("employers.id", ondelete="CASCADE"), index=True)
    phone: Mapped[str] = mapped_column(String(120))
    phone_index: Mapped[str] = mapped_column(String(60))
    added_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


def add_contact(session: Session, *, employer_id: int, phone: str, keys: KeyRing, now: datetime) -> None:
    """Let whoever has a phone be let in for an employer.

    Raises:
        sqlalchemy.exc.IntegrityError: the phone stands for an employer already.
    """
    contact = EmployerContact(
        employer_id=employer_id,
        phone="",
        phone_index=blind_index(keys, phone, purpose=_PHONE),
        added_at=now,
    )
    session.add(contact)
    session.flush()
    # The row's number is known only now, and what is sealed is bound to it.
    contact.phone = seal(keys, phone, place=Place("employer_contacts", "phone", contact.id))
    session.flush()


def find_employer_of(session: Session, phone: str, *, keys: KeyRing) -> Employer | None:
    """The employer for whom a phone stands."""
    chosen = select(Employer).join(EmployerContact, EmployerContact.employer_id == Employer.id)
    indexes = blind_indexes(keys, phone, purpose=_PHONE)
    return session.scalars(
        chosen.where(EmployerContact.phone_index.in_(indexes), EmployerContact.ended_at.is_(None))
    ).first()


def end_contacts(session: Session, *, employer_id: int, now: datetime) -> int:
    """Let nobody in for an employer any more; how many phones stood for it."""
    ending = update(EmployerContact).where(
        EmployerContact.employer_id == employer_id, EmployerContact.ended_at.is_(None)
    )
    return session.connection().execute(ending.values(ended_at=now)).rowcount
