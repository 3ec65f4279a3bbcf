"""Workers without their identity: where they live, what they can do and want, and what they are registered as."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, Index, SmallInteger, String, Text, delete, insert, select, true, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.workers import Education, Evidence, Sex, Status, WorkerOrigin
from app.kit.database import Base

_NUMBERS_AT_ONCE = 10_000
_DISTRICT_DIGITS = 6  # of an area's code, before the township


class Worker(Base):
    """A person's profile. Identity (name, number, phone) is in `identities`, under the same id.

    Of who was erased a row stays, for what is counted hangs on it: home as the district, birth as the year.
    `personalised`: lists and pushes may be ranked for them; `automated`: a machine may choose for them (PIPL 24).
    """

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
    personalised: Mapped[bool] = mapped_column(default=True, server_default=true())
    automated: Mapped[bool] = mapped_column(default=True, server_default=true())
    origin: Mapped[WorkerOrigin]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]


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
    """Everybody who was not erased, neighbours beside each other; read as they are taken."""
    chosen = select(Worker).where(Worker.erased_at.is_(None)).order_by(Worker.home_area_code, Worker.id)
    yield from session.scalars(chosen, execution_options={"yield_per": 1000})


def find_worker(session: Session, worker_id: int) -> Worker | None:
    """A worker by their id."""
    return session.get(Worker, worker_id)


def lock_worker(session: Session, worker_id: int) -> Worker | None:
    """A worker, read anew; nobody writes anything that points to them until the transaction ends."""
    return session.scalars(
        select(Worker).where(Worker.id == worker_id).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()


def coarsen_worker(session: Session, worker: Worker, *, now: datetime) -> None:
    """Leave of who is erased what is counted by: the district of their home, the year of their birth, their sex."""
    worker.birth_on = date(worker.birth_on.year, 1, 1)
    worker.home_area_code = worker.home_area_code[:_DISTRICT_DIGITS]
    worker.current_area_code = None
    worker.skills_text = ""
    worker.wants, worker.certificates, worker.kinds, worker.limits = [], [], [], []
    worker.pay_min_yuan_month = worker.home_by = worker.experience_years = None
    worker.available_on = worker.education = None
    worker.erased_at = worker.updated_at = now
    session.flush()


def list_statuses_of(session: Session, worker_id: int) -> Sequence[WorkerStatus]:
    """All that a person is or was registered as, oldest first."""
    chosen = select(WorkerStatus).where(WorkerStatus.worker_id == worker_id)
    return session.scalars(chosen.order_by(WorkerStatus.valid_from, WorkerStatus.id)).all()


def list_objecting(session: Session, worker_ids: Collection[int]) -> set[int]:
    """Those of these people for whom no machine may choose."""
    return {
        worker_id
        for part in _parts(worker_ids)
        for worker_id in session.scalars(
            select(Worker.id).where(Worker.id.in_(part or ()), Worker.automated.is_(False))
        )
    }


def lock_workers(session: Session, worker_ids: Collection[int]) -> set[int]:
    """Those of these people who are locked by this until the transaction ends; whom somebody else holds is left out.

    No more people than a query takes.
    """
    # Not against those who write rows that point to them.
    chosen = select(Worker.id).where(Worker.id.in_({*worker_ids})).order_by(Worker.id)
    return set(session.scalars(chosen.with_for_update(skip_locked=True, key_share=True)))


def hold_workers(session: Session, worker_ids: Collection[int]) -> None:
    """Lock people until the transaction ends, in the order of their ids; whoever has one of them is waited for."""
    for part in _parts(sorted({*worker_ids})):
        chosen = select(Worker.id).where(Worker.id.in_(part or ())).order_by(Worker.id)
        session.execute(chosen.with_for_update(key_share=True)).all()


def hold_erased(session: Session, worker_ids: Collection[int]) -> set[int]:
    """Those of these people who were erased; the others are not until the transaction ends."""
    found: set[int] = set()
    for part in _parts(sorted({*worker_ids})):
        chosen = select(Worker.id, Worker.erased_at).where(Worker.id.in_(part or ())).order_by(Worker.id)
        rows = session.execute(chosen.with_for_update(read=True, key_share=True))
        found |= {row.id for row in rows if row.erased_at is not None}
    return found


def list_homes(session: Session, worker_ids: Collection[int]) -> dict[int, tuple[str, int]]:
    """The area of each person's home and how many km they would travel, by id."""
    return {
        worker_id: (home, max_km)
        for part in _parts(worker_ids)
        for worker_id, home, max_km in session.execute(
            select(Worker.id, Worker.home_area_code, Worker.max_km).where(Worker.id.in_(part or ()))
        )
    }


def list_statuses(
    session: Session,
    *,
    on: date,
    worker_ids: Collection[int] | None = None,
    among: Collection[Status] | None = None,
) -> dict[int, frozenset[Status]]:
    """What each worker, or each of these, is registered as on a day, by id; nobody who is registered as nothing.

    With `among` nothing else is looked at than these statuses.
    """
    chosen = select(WorkerStatus.worker_id, WorkerStatus.status).where(
        WorkerStatus.valid_from <= on, WorkerStatus.valid_to.is_(None) | (WorkerStatus.valid_to >= on)
    )
    if among is not None:
        chosen = chosen.where(WorkerStatus.status.in_(among))
    found: dict[int, set[Status]] = {}
    for part in _parts(worker_ids):
        some = chosen if part is None else chosen.where(WorkerStatus.worker_id.in_(part))
        for worker_id, status in session.execute(some):
            found.setdefault(worker_id, set()).add(status)
    return {worker_id: frozenset(statuses) for worker_id, statuses in found.items()}


def list_first_days(
    session: Session, worker_ids: Collection[int], statuses: Collection[Status], *, on: date
) -> dict[int, date]:
    """Since when those of these people bear any of these statuses who do on a day; of several days the latest."""
    found: dict[int, date] = {}
    for part in _parts(worker_ids):
        chosen = select(WorkerStatus.worker_id, WorkerStatus.valid_from).where(
            WorkerStatus.worker_id.in_(part or []),
            WorkerStatus.status.in_(statuses),
            WorkerStatus.valid_from <= on,
            WorkerStatus.valid_to.is_(None) | (WorkerStatus.valid_to >= on),
        )
        for worker_id, valid_from in session.execute(chosen):
            found[worker_id] = max(valid_from, found.get(worker_id, valid_from))
    return found


def list_last_days(session: Session, worker_ids: Collection[int], statuses: Collection[Status]) -> dict[int, date]:
    """Until when each of these people bore all of these statuses, of those whose last day is on record."""
    last: dict[tuple[int, Status], date] = {}
    for part in _parts(worker_ids):
        chosen = select(WorkerStatus.worker_id, WorkerStatus.status, WorkerStatus.valid_to).where(
            WorkerStatus.worker_id.in_(part or []), WorkerStatus.status.in_(statuses)
        )
        for worker_id, status, valid_to in session.execute(chosen):
            day = valid_to or date.max
            last[worker_id, status] = max(day, last.get((worker_id, status), day))
    found = {}
    for worker_id in worker_ids:
        days = [last.get((worker_id, status)) for status in statuses]
        known = [day for day in days if day is not None]
        if len(known) == len(days) and min(known) < date.max:
            found[worker_id] = min(known)
    return found


def _parts(worker_ids: Collection[int] | None) -> Iterator[list[int] | None]:
    """Ids in numbers that a statement takes; None is everybody."""
    if worker_ids is None:
        yield None
        return
    numbers = sorted({*worker_ids})
    for start in range(0, len(numbers), _NUMBERS_AT_ONCE):
        yield numbers[start : start + _NUMBERS_AT_ONCE]


def add_workers(session: Session, workers: Sequence[dict[str, Any]], statuses: Sequence[dict[str, Any]]) -> None:
    """Store many workers and what they are registered as, given as values by column.

    `id` is among those of a worker (`kit.database.reserve_ids`). All workers name the same columns, all statuses too.
    """
    # On the connection: the session would look at each row by itself.
    if workers:
        session.connection().execute(insert(Worker), workers)
    if statuses:
        session.connection().execute(insert(WorkerStatus), statuses)


def add_statuses(session: Session, statuses: Iterable[tuple[int, Status, date]], *, evidence: Evidence) -> None:
    """Store what people who are on record are registered as besides: worker, status, and its first day."""
    rows = [
        {"worker_id": worker_id, "status": status, "evidence": evidence, "valid_from": since}
        for worker_id, status, since in statuses
    ]
    if rows:
        session.connection().execute(insert(WorkerStatus), rows)


def end_statuses_before(session: Session, statuses: Iterable[tuple[int, Status, date]]) -> None:
    """Let statuses that people bear end on the day before those that begin anew: worker, status, and its first day."""
    for worker_id, status, since in statuses:
        end_status(session, worker_id, status, last_day=since - timedelta(days=1))


def end_status(session: Session, worker_id: int, status: Status, *, last_day: date) -> int:
    """Let a status that a person bears on a day end with that day; how many rows said so."""
    ending = (
        update(WorkerStatus)
        .where(WorkerStatus.worker_id == worker_id, WorkerStatus.status == status)
        .where(
            WorkerStatus.valid_from <= last_day, WorkerStatus.valid_to.is_(None) | (WorkerStatus.valid_to >= last_day)
        )
        .values(valid_to=last_day)
    )
    return session.connection().execute(ending).rowcount


def end_statuses(session: Session, worker_id: int, *, last_day: date) -> None:
    """Let a person be registered as nothing after a day; what begins later is dropped."""
    of = WorkerStatus.worker_id == worker_id
    session.execute(delete(WorkerStatus).where(of, WorkerStatus.valid_from > last_day))
    is_open = WorkerStatus.valid_to.is_(None) | (WorkerStatus.valid_to > last_day)
    session.execute(update(WorkerStatus).where(of, is_open).values(valid_to=last_day))
