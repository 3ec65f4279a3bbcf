"""Whom somebody is to get in touch with: people who are interested in a push, or asked to be called."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.domain.pushes import Answer
from app.kit.clock import china_date
from app.kit.errors import NotFound
from app.store import pushes as store
from app.store.audit import record_act
from app.store.brokers import find_broker
from app.store.spells import list_people_in_spells
from app.usecases.obligations import BrokerUnknown, require_writer


class FollowUpUnknown(NotFound):
    """Nobody asked under this number."""

    code = "follow_up_unknown"
    title = "没有这个编号，请再看一遍"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Somebody who waits to be got in touch with, about a posting, since an instant."""

    id: int
    worker_id: int
    posting_id: int
    answer: Answer
    asked_at: datetime


def list_follow_ups(session: Session, *, broker: str | None, now: datetime, limit: int) -> list[Waiting]:
    """Who waits, longest first; of a broker's cases alone, or everybody.

    Raises:
        BrokerUnknown: nobody bears the code.
    """
    people = None
    if broker is not None:
        if find_broker(session, broker) is None:
            raise BrokerUnknown
        rows = list_people_in_spells(session, on=china_date(now), district=None, broker=broker)
        people = [spell.worker_id for spell, *_ in rows]
    return [
        Waiting(
            id=follow.id,
            worker_id=follow.worker_id,
            posting_id=posting_id,
            answer=follow.answer,
            asked_at=follow.asked_at,
        )
        for follow, posting_id in store.list_follow_ups(session, people, limit=limit)
    ]


def finish_follow_up(session: Session, follow_up_id: int, *, actor: str, now: datetime) -> None:
    """Note that somebody was got in touch with. Again, it changes nothing; another answer of theirs opens it again.

    Raises:
        FollowUpUnknown: there is no such number.
        Invalid: `actor` is no role and code.
    """
    require_writer(session, actor)
    found = store.find_follow_up(session, follow_up_id)
    if found is None:
        raise FollowUpUnknown
    if found.done_at is None:
        found.done_at = now
        record_act(session, actor=actor, action="finish_follow_up", subject=f"workers/{found.worker_id}", now=now)
