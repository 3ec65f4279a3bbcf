"""A posting that somebody is told of or handed on paper: how it stands and fits now, as the matcher sees it."""

from datetime import datetime

from sqlalchemy.orm import Session

from app.domain.workers import priority_of
from app.kit.clock import china_date
from app.store import postings, workers
from app.store.person_keys import PersonErased
from app.store.workers import Worker
from app.usecases.areas import AreaUnknown
from app.usecases.matchmaking import Matchmaker, Note, RankedPosting
from app.usecases.obligations import TalkedPush
from app.usecases.placements import PostingUnknown
from app.usecases.plans import profile_of
from app.usecases.pushes import bar_of, is_open, job_of
from app.usecases.vacancies import places_left
from app.usecases.workers import WorkerUnknown


def require_worker(session: Session, worker_id: int) -> Worker:
    """The person of a number.

    Raises:
        WorkerUnknown: there is no such person.
        PersonErased: they were erased.
    """
    worker = workers.find_worker(session, worker_id)
    if worker is None:
        raise WorkerUnknown
    if worker.erased_at is not None:
        raise PersonErased
    return worker


def judge_posting(
    session: Session, matchmaker: Matchmaker, *, worker_id: int, posting_id: int, at: datetime
) -> TalkedPush:
    """What the ledger keeps of a posting that a person was told of at an instant.

    Whether it was open is told as of then, how it fits as the matcher sees it now. A posting that the matcher bars, or
    does not know since it is over, or a public-welfare post that no officer has granted them (plan 8.10), is told with
    that: nobody is kept from writing down what happened, and it will not count.

    Raises:
        WorkerUnknown: there is no such person.
        PostingUnknown: there is no such posting.
        app.usecases.areas.AreaUnknown: the place of their home is not known.
    """
    worker, posting = require_worker(session, worker_id), postings.find_posting(session, posting_id)
    if posting is None:
        raise PostingUnknown
    today = china_date(at)
    statuses = workers.list_statuses(session, on=today, worker_ids=[worker_id]).get(worker_id, frozenset())
    found = matchmaker.explain(profile_of(worker, priority=priority_of(statuses)), posting_id, today=today)
    fits = found if isinstance(found, RankedPosting) else None
    if fits is not None and fits.distance_km is None:
        raise AreaUnknown("这个岗位在哪里查不到，量不出离家多远")
    return TalkedPush(
        posting=posting_id,
        job=job_of(posting),
        is_open=is_open(posting, at=at),
        places=places_left(session, [posting], worker_id=worker_id, at=at)[posting_id],
        bar=_bar(found) or bar_of(session, posting, worker_id=worker_id, at=at),
        skill_permille=0 if fits is None else round(fits.parts["skill"] * 1000),
        metres=0 if fits is None or fits.distance_km is None else round(fits.distance_km * 1000),
        reach_metres=worker.max_km * 1000,
        reasons=() if fits is None else tuple(reason.code for reason in fits.reasons),
    )


def _bar(found: RankedPosting | Note | None) -> str | None:
    if found is None:
        return "not_listed"
    return found.code if isinstance(found, Note) else None
