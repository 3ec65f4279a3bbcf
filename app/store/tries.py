"""What was tried how often lately, by limit and by subject. A subject is a keyed digest: it names nobody."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import String, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kit.database import Base, Json


class Tries(Base):
    """Tries of one subject under one limit, by part of time; after `forget_at` none of them counts."""

    __tablename__ = "tries"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    subject: Mapped[str] = mapped_column(String(60), primary_key=True)
    counts: Mapped[dict[str, int]] = mapped_column(Json)
    forget_at: Mapped[datetime] = mapped_column(index=True)


def hold_tries(session: Session, pairs: Collection[tuple[str, str]], *, now: datetime) -> dict[tuple[str, str], Tries]:
    """The rows of these limits and subjects, locked until the transaction ends; made where there were none.

    Always in one order, so that two who hold several do not wait for each other.
    """
    wanted = sorted({*pairs})
    make = (postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert)(Tries)
    rows = [{"name": name, "subject": subject, "counts": {}, "forget_at": now} for name, subject in wanted]
    # One by one: in one statement PostgreSQL takes the rows in whichever order it likes.
    for row in rows:
        session.execute(make.values(row).on_conflict_do_nothing())
    held = select(Tries).where(tuple_(Tries.name, Tries.subject).in_(wanted)).order_by(Tries.name, Tries.subject)
    return {(one.name, one.subject): one for one in session.scalars(held.with_for_update())}


def forget_tries(session: Session, *, now: datetime) -> int:
    """Drop what counts no more; how many rows."""
    return session.connection().execute(delete(Tries).where(Tries.forget_at < now)).rowcount
