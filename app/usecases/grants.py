"""Break-glass: opening one person of another district to oneself for two hours, with a reason; and who is told of it.

The officers of the district where the person is at home see it in their list, the person among those who looked at
them (the audit's rows about them), an administrator of the audit among what is worth a look.
"""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.domain.grants import AN_ACCOUNTS_GRANTS, GOOD_FOR, GrantReason
from app.domain.identities import is_id_number, normalise_id_number
from app.domain.permissions import TABLE, Action, Relation
from app.domain.viewers import MOST_GRANTED
from app.kit.clock import china_date
from app.kit.database import HIGHEST_ID, reserve_ids
from app.kit.encrypted import Place, seal, unseal
from app.kit.errors import Conflict, FieldFault, Forbidden, Invalid
from app.kit.keys import KeyRing
from app.store import grants as store
from app.store.audit import record_act
from app.store.identities import find_by_id_number
from app.store.workers import find_worker
from app.usecases.looks import find_theirs
from app.usecases.sessions import Visitor
from app.usecases.tries import count_try
from app.usecases.workers import WorkerUnknown

_DISTRICT_DIGITS = 6


class GrantNeedless(Conflict):
    """They may see the person already."""

    code = "grant_needless"
    title = "这个人您本来就可以看，不用应急查看"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantFact:
    """A grant as those who are told of it see it: who looked at whom, why, until when."""

    id: int
    worker_id: int
    by: str
    reason: GrantReason
    words: str = field(repr=False)
    granted_at: datetime
    ends_at: datetime


def count_grant(engine: Engine, visitor: Visitor, *, keys: KeyRing, now: datetime) -> None:
    """Count one grant of an account, before it is given.

    Raises:
        TooManyRequests: they have opened so many people today that it is no matter of somebody who stands before them.
    """
    count_try(engine, {AN_ACCOUNTS_GRANTS: visitor.actor}, keys=keys, now=now)


def break_glass(
    session: Session,
    visitor: Visitor,
    *,
    worker_id: int | None,
    number: str | None,
    reason: GrantReason,
    words: str,
    keys: KeyRing,
    now: datetime,
) -> GrantFact:
    """Open one person of another district to whoever asks, for two hours from now.

    Args:
        session: a transaction that the caller commits.
        visitor: who asks.
        worker_id: the person, by their number here; or else
        number: by their ID number, as typed.
        reason: why.
        words: more about it; kept sealed, shown to the person's own office.
        keys: the key ring.
        now: when.

    Raises:
        Invalid: neither or both, or no ID number.
        WorkerUnknown: nobody is on record under it.
        GrantNeedless: they may see the person already.
    """
    if (worker_id is None) == (number is None):
        raise Invalid(fields=[FieldFault("number", "person_unnamed", "写身份证号或者编号，写一个")])
    if number is not None:
        typed = normalise_id_number(number)
        if not is_id_number(typed, today=china_date(now)):
            raise Invalid(fields=[FieldFault("number", "id_number_wrong", "身份证号不对：请核对 18 位号码")])
        worker_id = find_by_id_number(session, typed, keys=keys)
    worker = None if worker_id is None else find_worker(session, worker_id)
    if worker is None or worker.erased_at is not None or visitor.account_id is None:
        raise WorkerUnknown
    theirs = find_theirs(session, visitor, worker.id, action=Action.SEE_WORKERS, now=now)
    if theirs is not None and theirs.open_until is None:
        raise GrantNeedless
    (grant_id,) = reserve_ids(session, store.Grant, 1)
    grant = store.Grant(
        id=grant_id,
        account_id=visitor.account_id,
        actor=visitor.actor,
        worker_id=worker.id,
        district_code=worker.home_area_code[:_DISTRICT_DIGITS],
        reason=reason,
        words=seal(keys, words, place=_place(grant_id)),
        granted_at=now,
        ends_at=now + GOOD_FOR,
    )
    store.add_grant(session, grant)
    record_act(
        session,
        actor=visitor.actor,
        action="break_glass",
        subject=f"workers/{worker.id}",
        now=now,
        detail=f"grants/{grant_id}",
        why=reason.value,
        origin=visitor.origin,
    )
    return _fact(grant, keys=keys)


def list_grants(
    session: Session, visitor: Visitor, *, keys: KeyRing, before: int = HIGHEST_ID, limit: int
) -> list[GrantFact]:
    """Grants that concern somebody, newest first: their own, those about people of their district, in the city all.

    Raises:
        Forbidden: none concerns what they are.
    """
    relations = TABLE[Action.SEE_GRANTS].get(visitor.role, frozenset())
    if Relation.OTHER in relations:
        account_id, district = None, None
    elif Relation.OWN in relations and visitor.account_id is not None:
        account_id, district = visitor.account_id, visitor.district if Relation.DISTRICT in relations else None
    else:
        raise Forbidden
    found = store.list_grants(session, account_id=account_id, district=district, before=before, limit=limit)
    return [_fact(grant, keys=keys) for grant in found]


def granted_people(session: Session, visitor: Visitor, *, now: datetime) -> frozenset[int]:
    """Whom grants open to somebody now, the latest ones; as many as a viewer may name."""
    if visitor.account_id is None:
        return frozenset()
    return frozenset(store.list_granted(session, account_id=visitor.account_id, now=now, limit=MOST_GRANTED))


def _fact(grant: store.Grant, *, keys: KeyRing) -> GrantFact:
    return GrantFact(
        id=grant.id,
        worker_id=grant.worker_id,
        by=grant.actor,
        reason=grant.reason,
        words=unseal(keys, grant.words, place=_place(grant.id)),
        granted_at=grant.granted_at,
        ends_at=grant.ends_at,
    )


def _place(grant_id: int) -> Place:
    return Place("grants", "words", grant_id)
