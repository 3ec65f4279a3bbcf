"""Answers already given to writes, by the key that the client chose, so that sending twice does once."""

from datetime import datetime

from sqlalchemy import LargeBinary, SmallInteger, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kit.database import Base


class IdempotencyKey(Base):
    """The answer to the first request that carried a key on a route; `request_hash` tells one with another body."""

    __tablename__ = "idempotency_keys"

    route: Mapped[str] = mapped_column(String(120), primary_key=True)
    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(SmallInteger)
    answer: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(index=True)


def find_answer(session: Session, *, route: str, key: str) -> IdempotencyKey | None:
    """The answer stored under a key on a route."""
    return session.scalars(
        select(IdempotencyKey).where(IdempotencyKey.route == route, IdempotencyKey.key == key)
    ).first()


def forget_answers(session: Session, *, before: datetime) -> None:
    """Drop answers older than an instant."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < before))
