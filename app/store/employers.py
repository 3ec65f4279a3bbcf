"""Employers: firms, households, projects, workshops, public bodies."""

from collections.abc import Iterable
from datetime import date

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.employers import EmployerKind
from app.kit.database import Base


class Employer(Base):
    """Who offers work. `verified_on` is the day on which an office last checked that it exists and is who it says."""

    __tablename__ = "employers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), index=True)
    kind: Mapped[EmployerKind]
    social_credit_code: Mapped[str | None] = mapped_column(String(18), unique=True)
    industry_code: Mapped[str | None] = mapped_column(ForeignKey("industries.code"))
    area_code: Mapped[str | None] = mapped_column(String(12))
    phone: Mapped[str] = mapped_column(String(20), default="")
    reply_rate: Mapped[float | None]
    verified_on: Mapped[date | None]
    generated: Mapped[bool] = mapped_column(default=False)


def find_employers_by_code(session: Session, codes: Iterable[str]) -> dict[str, Employer]:
    """Employers by unified social credit code."""
    rows = session.scalars(select(Employer).where(Employer.social_credit_code.in_(list(codes))))
    return {row.social_credit_code: row for row in rows if row.social_credit_code}


def find_employers_by_name(session: Session, names: Iterable[str]) -> dict[str, Employer]:
    """Employers by exact name; of several with one name the oldest row."""
    rows = session.scalars(select(Employer).where(Employer.name.in_(list(names))).order_by(Employer.id.desc()))
    return {row.name: row for row in rows}
