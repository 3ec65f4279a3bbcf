"""Workers without their identity: where they live, what they can do and want, and what they are registered as."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, SmallInteger, String, Text, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.workers import Education, Evidence, Sex, Status, WorkerOrigin
from app.kit.database import Base


class Worker(Base):
    """A person's profile. Identity (name, number, phone) is in `identities`, under the same id."""

    __tablename__ = "workers"

    id: Mapped[int] = mapped_column(primary_key=True)
    birth_on: Mapped[date]
    sex: Mapped[Sex | None]
    home_area_code: Mapped[str] = mapped_column(String(12), index=True)
    current_area_code: Mapped[str | None] = mapped_column(String(12))
    skills_text: Mapped[str] = mapped_column(Text, default="")
    wants: Mapped[list[str]] = mapped_column(default=list)
    certificates: Mapped[list[str]] = mapped_column(default=list)
    kinds: Mapped[list[str]] = mapped_column(default=list)
    limits: Mapped[list[str]] = mapped_column(default=list)
    pay_min_yuan_month: Mapped[int | None]
    max_km: Mapped[int] = mapped_column(default=30)
    home_by: Mapped[int | None] = mapped_column(SmallInteger)
    available_on: Mapped[date | None]
    education: Mapped[Education | None]
    experience_years: Mapped[int | None] = mapped_column(SmallInteger)
    origin: Mapped[WorkerOrigin]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class WorkerStatus(Base):
    """Something a person is registered as, with how it is known, from `valid_from` to `valid_to` (both included).

    A certificate names its last day; None is an open end (decision 0008).
    """

    __tablename__ = "worker_statuses"
    __table_args__ = (Index("ix_worker_statuses_worker_id_status", "worker_id", "status"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    worker_id: Mapped[int] = mapped_column(ForeignKey("workers.id", ondelete="CASCADE"))
    status: Mapped[Status]
    evidence: Mapped[Evidence]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]


def list_workers(session: Session) -> Iterator[Worker]:
    """Everybody, neighbours beside each other; read as they are taken."""
    chosen = select(Worker).order_by(Worker.home_area_code, Worker.id)
    yield from session.scalars(chosen, execution_options={"yield_per": 1000})


def list_statuses(session: Session, *, on: date) -> dict[int, frozenset[Status]]:
    """What each worker is registered as on a day, by the worker's id; nobody who is registered as nothing."""
    chosen = select(WorkerStatus.worker_id, WorkerStatus.status).where(
        WorkerStatus.valid_from <= on, WorkerStatus.valid_to.is_(None) | (WorkerStatus.valid_to >= on)
    )
    found: dict[int, set[Status]] = {}
    for worker_id, status in session.execute(chosen):
        found.setdefault(worker_id, set()).add(status)
    return {worker_id: frozenset(statuses) for worker_id, statuses in found.items()}


def add_workers(session: Session, workers: Sequence[dict[str, Any]], statuses: Sequence[dict[str, Any]]) -> None:
    """Store many workers and what they are registered as, given as values by column.

    `id` is among those of a worker (`kit.database.reserve_ids`). All workers name the same columns, all statuses too.
    """
    # On the connection: the session would look at each row by itself.
    if workers:
        session.connection().execute(insert(Worker), workers)
    if statuses:
        session.connection().execute(insert(WorkerStatus), statuses)
