"""Labour brokers (劳务经纪人) and whose cases are whose."""

from collections.abc import Collection, Sequence
from datetime import date

from sqlalchemy import ColumnElement, ForeignKey, Index, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kit.database import Base
from app.store.workers import Worker

_NUMBERS_AT_ONCE = 10_000  # SQLite takes 32,766 parameters


class Broker(Base):
    """Somebody who looks after people of one place; `code` is what they sign entries with."""

    __tablename__ = "brokers"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    area_code: Mapped[str] = mapped_column(String(12), index=True)


class Case(Base):
    """A person in a broker's care, from `valid_from` to `valid_to` (both included)."""

    __tablename__ = "cases"
    __table_args__ = (Index("ix_cases_worker_id_valid_from", "worker_id", "valid_from"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    worker_id: Mapped[int] = mapped_column(ForeignKey("workers.id", ondelete="CASCADE"))
    broker_id: Mapped[int] = mapped_column(ForeignKey("brokers.id"), index=True)
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]


def find_broker(session: Session, code: str) -> Broker | None:
    """The broker of a code, or None."""
    return session.scalars(select(Broker).where(Broker.code == code)).one_or_none()


def list_codes(session: Session, worker_ids: Collection[int], *, on: date) -> dict[int, str]:
    """The code of each person's broker on a day, of those who have one; of two cases the one that began last."""
    numbers, found = sorted({*worker_ids}), dict[int, str]()
    for start in range(0, len(numbers), _NUMBERS_AT_ONCE):
        chosen = (
            select(Case.worker_id, Broker.code)
            .join(Broker, Broker.id == Case.broker_id)
            .where(Case.worker_id.in_(numbers[start : start + _NUMBERS_AT_ONCE]), Case.valid_from <= on)
            .where(Case.valid_to.is_(None) | (Case.valid_to >= on))
            .order_by(Case.valid_from, Case.id)
        )
        found.update((worker_id, code) for worker_id, code in session.execute(chosen))
    return found


def end_cases(session: Session, worker_id: int, *, last_day: date) -> None:
    """Let a person be in nobody's care after a day."""
    is_open = Case.valid_to.is_(None) | (Case.valid_to > last_day)
    session.execute(update(Case).where(Case.worker_id == worker_id, is_open).values(valid_to=last_day))


def list_people_within(
    session: Session, *, broker: str | None, district: str | None, on: date, after: int, limit: int
) -> Sequence[Worker]:
    """People in the care of a broker on a day and at home in a district, behind an id; None is no condition."""
    chosen = select(Worker).where(Worker.id > after, *_within(broker=broker, district=district, on=on))
    return session.scalars(chosen.order_by(Worker.id).limit(limit)).all()


def find_person_within(
    session: Session, worker_id: int, *, broker: str | None, district: str | None, on: date
) -> Worker | None:
    """A person, if they are in the care of that broker on a day and at home in that district; None is no condition."""
    chosen = select(Worker).where(Worker.id == worker_id, *_within(broker=broker, district=district, on=on))
    return session.scalars(chosen).one_or_none()


def _within(*, broker: str | None, district: str | None, on: date) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [Worker.erased_at.is_(None)]
    if district is not None:
        found.append(Worker.home_area_code.startswith(district, autoescape=True))
    if broker is not None:
        # As `store.scoping` has it: whoever looks after them today.
        theirs = (
            select(Case.worker_id)
            .join(Broker, Broker.id == Case.broker_id)
            .where(Broker.code == broker, Case.valid_from <= on)
            .where(Case.valid_to.is_(None) | (Case.valid_to >= on))
        )
        found.append(Worker.id.in_(theirs))
    return found


def list_cases_of(session: Session, worker_id: int) -> list[tuple[str, date, date | None]]:
    """In whose care a person is or was: the area of the broker, the first and the last day, oldest first."""
    rows = session.execute(
        select(Broker.area_code, Case.valid_from, Case.valid_to)
        .join(Broker, Broker.id == Case.broker_id)
        .where(Case.worker_id == worker_id)
        .order_by(Case.valid_from, Case.id)
    )
    return [(area, first, last) for area, first, last in rows]
