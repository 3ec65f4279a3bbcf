"""What people who are on record are registered as: a status begins or ends, and their spell with it."""

from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from app.domain.spells import SpellSource, is_owed
from app.domain.workers import Evidence, Status
from app.kit.clock import china_date
from app.kit.errors import Conflict, FieldFault, Invalid
from app.kit.keys import KeyRing
from app.store import workers as store
from app.store.audit import record_act
from app.usecases.spells import SpellChanges, begun_anew, open_spells, sync_spells
from app.usecases.workers import WorkerUnknown


class StatusNotBorne(Conflict):
    """The person is not registered as that on that day, so that nothing can end."""

    code = "status_not_borne"
    title = "这一天没有这样的登记，请核对日期"


def register_status(
    session: Session,
    worker_id: int,
    status: Status,
    *,
    evidence: Evidence,
    since: date,
    actor: str,
    now: datetime,
    keys: KeyRing,
) -> SpellChanges:
    """Note that somebody is registered as something from a day on.

    Where that makes the package owed, a spell opens with that day, or today if they were not both on that day. Who is
    so already stays as they are, unless their spell was closed before that day: then they are so anew.

    Raises:
        Invalid: the day is still to come (`in_future`).
        SpellOverlaps: an earlier spell of theirs ended after that day.
        app.usecases.spells.NotRegisteredAnew: it ended on that day.
        WorkerUnknown: there is no such person.
    """
    _require(session, worker_id, since, "since", now=now)
    common: dict[str, Any] = {"actor": actor, "now": now, "keys": keys}
    anew = begun_anew(session, [(worker_id, status, since)], on=china_date(now))
    store.end_statuses_before(session, anew)
    if anew or status not in store.list_statuses(session, on=china_date(now), worker_ids=[worker_id]).get(
        worker_id, ()
    ):
        store.add_statuses(session, [(worker_id, status, since)], evidence=evidence)
        record_act(
            session,
            actor=actor,
            action="register_status",
            subject=f"workers/{worker_id}",
            now=now,
            detail=f"{status.value} {since}",
        )
        if is_owed(store.list_statuses(session, on=since, worker_ids=[worker_id]).get(worker_id, frozenset())):
            opened = open_spells(session, [worker_id], source=SpellSource.CLERK, on=since, **common)
            return SpellChanges(opened=tuple(opened), closed=())
    return sync_spells(session, on=china_date(now), worker_ids=[worker_id], **common)


def end_status(
    session: Session, worker_id: int, status: Status, *, last_day: date, actor: str, now: datetime, keys: KeyRing
) -> SpellChanges:
    """Note on which day somebody was registered as something for the last time; their spell closes with it.

    Raises:
        Invalid: the day is still to come (`in_future`).
        StatusNotBorne: they were not registered as that on the day.
        WorkerUnknown: there is no such person.
    """
    _require(session, worker_id, last_day, "last_day", now=now)
    if not store.end_status(session, worker_id, status, last_day=last_day):
        raise StatusNotBorne
    record_act(
        session,
        actor=actor,
        action="end_status",
        subject=f"workers/{worker_id}",
        now=now,
        detail=f"{status.value} {last_day}",
    )
    return sync_spells(session, actor=actor, on=china_date(now), now=now, keys=keys, worker_ids=[worker_id])


def _require(session: Session, worker_id: int, day: date, field: str, *, now: datetime) -> None:
    if day > china_date(now):
        raise Invalid(fields=[FieldFault(field, "in_future", "日期还没有到，请核对")])
    if store.find_worker(session, worker_id) is None:
        raise WorkerUnknown
