"""Occupations of the 2022 classification, what their work asks of a body, and the words that lead to them."""

from collections.abc import Collection, Sequence

from sqlalchemy import ForeignKey, Row, SmallInteger, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.occupations import AliasKind
from app.kit.database import Base

_TEXTS_AT_ONCE = 10_000


class Occupation(Base):
    """One occupation (细类). Trait columns are empty where nobody has judged the work yet."""

    __tablename__ = "occupations"

    code: Mapped[str] = mapped_column(String(12), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    group_code: Mapped[str] = mapped_column(String(12), index=True)
    group_name: Mapped[str] = mapped_column(String(80))
    family_code: Mapped[str] = mapped_column(String(12))
    family_name: Mapped[str] = mapped_column(String(80))
    flags: Mapped[str] = mapped_column(String(10), default="")
    physical_level: Mapped[int | None] = mapped_column(SmallInteger)
    demands: Mapped[list[str]] = mapped_column(default=list)
    lanes: Mapped[list[str]] = mapped_column(default=list)
    certificates: Mapped[list[str]] = mapped_column(default=list)
    traits_basis: Mapped[str] = mapped_column(String(12), default="")
    traits_source: Mapped[str] = mapped_column(Text, default="")


class OccupationAlias(Base):
    """Words that mean an occupation; `reason` says why where a hand mapped them and it is not obvious."""

    __tablename__ = "occupation_aliases"
    __table_args__ = (UniqueConstraint("text", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(120))
    code: Mapped[str] = mapped_column(ForeignKey("occupations.code", ondelete="CASCADE"), index=True)
    kind: Mapped[AliasKind]
    reason: Mapped[str] = mapped_column(Text, default="")


def list_occupations(session: Session) -> Sequence[Occupation]:
    """All occupations, ordered by code."""
    return session.scalars(select(Occupation).order_by(Occupation.code)).all()


def list_aliases(session: Session) -> Sequence[Row[str, str]]:
    """(text, code) of all aliases, ordered by both."""
    return session.execute(
        select(OccupationAlias.text, OccupationAlias.code).order_by(OccupationAlias.text, OccupationAlias.code)
    ).all()


def list_codes_of(session: Session, texts: Collection[str]) -> dict[str, list[str]]:
    """The occupations that words mean, by word; words that are written otherwise in the list are not found."""
    found: dict[str, list[str]] = {}
    numbered = sorted({*texts})
    for start in range(0, len(numbered), _TEXTS_AT_ONCE):
        chosen = select(OccupationAlias.text, OccupationAlias.code).where(
            OccupationAlias.text.in_(numbered[start : start + _TEXTS_AT_ONCE])
        )
        for text, code in session.execute(chosen.order_by(OccupationAlias.text, OccupationAlias.code)):
            found.setdefault(text, []).append(code)
    return found


def find_occupation(session: Session, code: str) -> Occupation | None:
    """One occupation by its code."""
    return session.get(Occupation, code)
