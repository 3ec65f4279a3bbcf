"""What the plan fixes and what an office has set: dated data with its clause, never constants in code.

`valid_to` is the last day, as papers name it; areas, which change at an instant, keep the first day after (decision
0008).
"""

from collections.abc import Collection
from datetime import date
from typing import Any

from sqlalchemy import String, Text, UniqueConstraint, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kit.database import Base, Json


class Policy(Base):
    """One clause of a policy paper with its figures, in force from `valid_from` to `valid_to` (both included)."""

    __tablename__ = "policies"
    __table_args__ = (UniqueConstraint("clause", "valid_from"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    clause: Mapped[str] = mapped_column(String(12))
    kind: Mapped[str] = mapped_column(String(12))
    section: Mapped[str] = mapped_column(String(60), default="")
    title: Mapped[str] = mapped_column(Text)
    gloss: Mapped[str] = mapped_column(Text, default="")
    figures: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    lists: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    leads: Mapped[list[str]] = mapped_column(default=list)
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    source: Mapped[str] = mapped_column(String(80))


class LocalSetting(Base):
    """A figure that no paper fixes and an office has chosen, in force from `valid_from` to `valid_to` (both included).

    Pages say that it is local.
    """

    __tablename__ = "local_settings"
    __table_args__ = (UniqueConstraint("name", "valid_from"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    value: Mapped[Any] = mapped_column(Json)
    unit: Mapped[str] = mapped_column(String(40), default="")
    choices: Mapped[list[str]] = mapped_column(default=list)
    note: Mapped[str] = mapped_column(Text, default="")
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]


def find_setting(session: Session, name: str, *, on: date) -> LocalSetting | None:
    """The setting of that name that holds on a day: the latest that has begun and not ended."""
    return session.scalars(
        select(LocalSetting)
        .where(
            LocalSetting.name == name,
            LocalSetting.valid_from <= on,
            or_(LocalSetting.valid_to.is_(None), LocalSetting.valid_to >= on),
        )
        .order_by(LocalSetting.valid_from.desc())
    ).first()


def add_setting(session: Session, *, name: str, value: Any, unit: str, note: str, valid_from: date) -> None:
    """Let a setting hold from a day on; those before it stay on record."""
    session.add(LocalSetting(name=name, value=value, unit=unit, note=note, valid_from=valid_from))
    session.flush()


def list_settings(session: Session, names: Collection[str]) -> list[LocalSetting]:
    """Every version of the settings of these names, oldest first."""
    chosen = select(LocalSetting).where(LocalSetting.name.in_(names))
    return list(session.scalars(chosen.order_by(LocalSetting.valid_from, LocalSetting.id)))


def list_policies(session: Session, clauses: Collection[str]) -> list[Policy]:
    """Every version of these clauses, oldest first."""
    chosen = select(Policy).where(Policy.clause.in_(clauses))
    return list(session.scalars(chosen.order_by(Policy.valid_from, Policy.id)))
