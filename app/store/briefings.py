"""Policy briefings (政策宣介): the dated, versioned texts that people are given."""

from datetime import date

from sqlalchemy import String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kit.database import Base


class BriefingText(Base):
    """One version of a text; a new wording is a new version, so that what somebody was given stays readable."""

    __tablename__ = "briefing_texts"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    version: Mapped[int]
    title: Mapped[str] = mapped_column(String(80))
    text: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(String(80))
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]


def find_text(session: Session, name: str, version: int) -> BriefingText | None:
    """One version of a text, or None."""
    return session.scalars(
        select(BriefingText).where(BriefingText.name == name, BriefingText.version == version)
    ).one_or_none()


def list_texts(session: Session, *, on: date) -> list[BriefingText]:
    """The texts that hold on a day, each in its latest version, by name."""
    chosen = (
        select(BriefingText)
        .where(BriefingText.valid_from <= on, BriefingText.valid_to.is_(None) | (BriefingText.valid_to >= on))
        .order_by(BriefingText.name, BriefingText.version)
    )
    return list({text.name: text for text in session.scalars(chosen)}.values())
