"""Areas with their validity and successors.

A code alone does not name an area: numbers were reused, so every look-up names a day as well. A row is in force on
a day when `valid_from <= day < valid_to`; an open end is None.
"""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import ColumnElement, ForeignKey, Index, String, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.areas import AreaLevel, Precision
from app.kit.database import Base


class Area(Base):
    """A province, prefecture, district or township during the time in which its name and code held."""

    __tablename__ = "areas"
    __table_args__ = (Index("ix_areas_code_valid_to", "code", "valid_to"), Index("ix_areas_parent_code", "parent_code"))

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(12))
    name: Mapped[str] = mapped_column(String(60))
    short_name: Mapped[str] = mapped_column(String(60))
    level: Mapped[AreaLevel]
    kind: Mapped[str] = mapped_column(String(20), default="")
    parent_code: Mapped[str | None] = mapped_column(String(12))
    region: Mapped[str] = mapped_column(String(40), default="")
    subregion: Mapped[str] = mapped_column(String(40), default="")
    lon: Mapped[float | None]
    lat: Mapped[float | None]
    precision: Mapped[Precision] = mapped_column(default=Precision.TOWNSHIP)
    pinyin: Mapped[str] = mapped_column(String(80), default="")
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    note: Mapped[str] = mapped_column(String(400), default="")


class AreaSuccessor(Base):
    """Which code took over all or part of an area that ended."""

    __tablename__ = "area_successors"

    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id", ondelete="CASCADE"), primary_key=True)
    successor_code: Mapped[str] = mapped_column(String(12), primary_key=True)


def in_force(day: date) -> ColumnElement[bool]:
    """Condition: the area holds on `day`."""
    return or_(Area.valid_from.is_(None), Area.valid_from <= day) & or_(Area.valid_to.is_(None), Area.valid_to > day)


def find_area(session: Session, code: str, *, on: date) -> Area | None:
    """The area that bears `code` on a day."""
    return session.scalars(select(Area).where(Area.code == code, in_force(on)).order_by(Area.id)).first()


def find_former_areas(session: Session, code: str, *, before: date) -> Sequence[Area]:
    """Areas that bore `code` and had ended by a day, latest first."""
    return session.scalars(
        select(Area).where(Area.code == code, Area.valid_to <= before).order_by(Area.valid_to.desc(), Area.id)
    ).all()


def list_children(
    session: Session, parent_code: str | None, *, on: date, after_code: str = "", limit: int = 100
) -> Sequence[Area]:
    """Areas directly below a code on a day, ordered by code, from behind `after_code`; None asks for provinces."""
    return session.scalars(
        select(Area)
        .where(Area.parent_code == parent_code, in_force(on), Area.code > after_code)
        .order_by(Area.code)
        .limit(limit)
    ).all()


def list_areas(session: Session, *, on: date, levels: Sequence[AreaLevel], under: str = "") -> Sequence[Area]:
    """All areas of some levels in force on a day whose code begins with `under`, ordered by code."""
    return session.scalars(
        select(Area).where(Area.level.in_(levels), in_force(on), Area.code.startswith(under)).order_by(Area.code)
    ).all()


def successor_codes(session: Session, area_id: int) -> list[str]:
    """Codes that took over from an area, ordered."""
    return list(
        session.scalars(
            select(AreaSuccessor.successor_code)
            .where(AreaSuccessor.area_id == area_id)
            .order_by(AreaSuccessor.successor_code)
        )
    )


def list_ended_areas(session: Session, *, before: date) -> Sequence[Area]:
    """Areas that had ended by a day, ordered by code; of those that bore one code the latest first."""
    return session.scalars(
        select(Area).where(Area.valid_to <= before).order_by(Area.code, Area.valid_to.desc(), Area.id)
    ).all()


def list_successors(session: Session) -> list[tuple[int, str]]:
    """Every id of an area that ended with the code of one that took over, ordered."""
    rows = session.execute(
        select(AreaSuccessor.area_id, AreaSuccessor.successor_code).order_by(
            AreaSuccessor.area_id, AreaSuccessor.successor_code
        )
    )
    return [(area_id, code) for area_id, code in rows]
