"""Employers: firms, households, projects, workshops, public bodies."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from app.domain.employers import EmployerKind
from app.kit.database import Base, reserve_ids

_KEYS_AT_ONCE = 10_000  # SQLite takes 32,766 parameters


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


def add_employers(session: Session, employers: Sequence[Employer]) -> None:
    """Store many employers; they bear their ids then.

    Raises:
        sqlalchemy.exc.IntegrityError: a social credit code is on record already.
    """
    for employer, employer_id in zip(employers, reserve_ids(session, Employer, len(employers)), strict=True):
        employer.id = employer_id
    session.add_all(employers)
    session.flush()


def find_employers_by_code(session: Session, codes: Sequence[str]) -> dict[str, Employer]:
    """Employers by unified social credit code."""
    return {
        employer.social_credit_code: employer
        for employer in _find(session, Employer.social_credit_code, codes)
        if employer.social_credit_code
    }


def find_employers_by_name(session: Session, names: Sequence[str]) -> dict[str, Employer]:
    """Employers by exact name; of several with one name the oldest row."""
    return {employer.name: employer for employer in _find(session, Employer.name, names)}


def _find(session: Session, column: InstrumentedAttribute[Any], values: Sequence[str]) -> Iterator[Employer]:
    """Employers by what a column holds; of those that hold the same the oldest row comes last."""
    for start in range(0, len(values), _KEYS_AT_ONCE):
        part = values[start : start + _KEYS_AT_ONCE]
        yield from session.scalars(select(Employer).where(column.in_(part)).order_by(Employer.id.desc()))
