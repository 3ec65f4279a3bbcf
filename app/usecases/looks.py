"""Looking at people: whom somebody of the staff sees at all, masked; and unmasking one of them for a reason.

Who is not theirs to see is not there. Each look at a name leaves an audit row, the masked ones too: whoever reads all
names of a district, one page after the other, has read them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy.orm import Session

from app.domain.audit import LIST_REASON, LOOK_REASON
from app.domain.grants import UnmaskReason
from app.domain.identities import mask_id_number, mask_name, mask_phone
from app.domain.permissions import TABLE, Action, Relation
from app.kit.clock import china_date
from app.kit.errors import Forbidden
from app.kit.keys import KeyRing
from app.store import brokers, grants, spells
from app.store.audit import record_act
from app.store.identities import IdentityFacts, read_identity
from app.store.workers import Worker, find_worker
from app.usecases.sessions import Visitor
from app.usecases.workers import WorkerUnknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Whose things somebody may do something to: a broker's cases, the people of a district; None is no condition."""

    broker: str | None
    district: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passerby:
    """Somebody in a list; the name is masked. `registered_on` is the day of their open registration, if they have one.

    `broker` is the code of whoever looks after them.
    """

    worker_id: int
    name: str
    home_area_code: str
    registered_on: date | None
    broker: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """One person with what names them masked. `open_until` is when a grant that opens them ends, where it takes one."""

    worker_id: int
    name: str
    id_number: str
    phone: str | None
    birth_year: int
    home_area_code: str
    registered_on: date | None
    broker: str | None
    open_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmasked:
    """Somebody's identity in plain text; never printed."""

    worker_id: int
    name: str = field(repr=False)
    id_number: str = field(repr=False)
    phone: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """A person whom somebody may see: in which relation they stand, and until when a grant opens them, if one does."""

    worker: Worker
    relation: Relation
    open_until: datetime | None = None


def reach_of(visitor: Visitor, action: Action) -> Reach:
    """To whom somebody may do something, as the table of permissions says.

    Raises:
        Forbidden: to nobody by what they are: the table lets them do it to themselves or to the public at most.
    """
    relations = TABLE[action].get(visitor.role, frozenset())
    if Relation.OTHER in relations:
        return Reach(broker=None, district=None)
    if Relation.DISTRICT in relations and visitor.district is not None:
        return Reach(broker=None, district=visitor.district)
    if Relation.CASELOAD in relations and visitor.broker is not None:
        return Reach(broker=visitor.broker, district=None)
    raise Forbidden


def find_theirs(session: Session, visitor: Visitor, worker_id: int, *, action: Action, now: datetime) -> Found | None:
    """A person to whom somebody may do something: by what they are to them, or by a grant; None: there is nobody."""
    reach, today = reach_of(visitor, action), china_date(now)
    worker = brokers.find_person_within(session, worker_id, broker=reach.broker, district=reach.district, on=today)
    if worker is not None:
        return Found(worker, _relation(reach))
    worker = find_worker(session, worker_id)
    if worker is None or worker.erased_at is not None or visitor.account_id is None:
        return None
    grant = grants.find_live_grant(session, account_id=visitor.account_id, worker_id=worker_id, now=now)
    return None if grant is None else Found(worker, Relation.OTHER, grant.ends_at)


def list_workers(
    session: Session, visitor: Visitor, *, keys: KeyRing, after: int, limit: int, now: datetime
) -> list[Passerby]:
    """The people somebody may see, behind an id, masked. Needs a session that writes: each name read is audited."""
    reach, today = reach_of(visitor, Action.SEE_WORKERS), china_date(now)
    found = brokers.list_people_within(
        session, broker=reach.broker, district=reach.district, on=today, after=after, limit=limit
    )
    ids = [worker.id for worker in found]
    registered, care = _registered(session, ids), brokers.list_codes(session, ids, on=today)
    people = []
    for worker in found:
        identity = _read(session, worker.id, visitor, keys=keys, reason=LIST_REASON, now=now)
        people.append(
            Passerby(
                worker_id=worker.id,
                name="" if identity is None else mask_name(identity.name),
                home_area_code=worker.home_area_code,
                registered_on=registered.get(worker.id),
                broker=care.get(worker.id),
            )
        )
    return people


def look_at_worker(session: Session, visitor: Visitor, worker_id: int, *, keys: KeyRing, now: datetime) -> Masked:
    """One person, masked. Needs a session that writes: the look is audited.

    Raises:
        WorkerUnknown: there is no such person, or they are not theirs to see.
    """
    found = find_theirs(session, visitor, worker_id, action=Action.SEE_WORKERS, now=now)
    if found is None:
        raise WorkerUnknown
    identity = _read(session, worker_id, visitor, keys=keys, reason=LOOK_REASON, now=now)
    phone = None if identity is None else identity.phone
    return Masked(
        worker_id=worker_id,
        name="" if identity is None else mask_name(identity.name),
        id_number="" if identity is None else mask_id_number(identity.id_number),
        phone=None if phone is None else mask_phone(phone),
        birth_year=found.worker.birth_on.year,
        home_area_code=found.worker.home_area_code,
        registered_on=_registered(session, [worker_id]).get(worker_id),
        broker=brokers.list_codes(session, [worker_id], on=china_date(now)).get(worker_id),
        open_until=found.open_until,
    )


def unmask_worker(
    session: Session, visitor: Visitor, worker_id: int, *, reason: UnmaskReason, keys: KeyRing, now: datetime
) -> Unmasked:
    """One person's name, number and phone in full. Needs a session that writes: the audit tells who, why, from where.

    Raises:
        WorkerUnknown: there is no such person, they are not theirs to see, or they were erased.
    """
    found = find_theirs(session, visitor, worker_id, action=Action.UNMASK_WORKER, now=now)
    identity = None if found is None else _read(session, worker_id, visitor, keys=keys, reason=reason.value, now=now)
    if found is None or identity is None:
        raise WorkerUnknown
    record_act(
        session,
        actor=visitor.actor,
        action="unmask_worker",
        subject=f"workers/{worker_id}",
        now=now,
        detail=found.relation.value,
        why=reason.value,
        origin=visitor.origin,
    )
    return Unmasked(worker_id=worker_id, name=identity.name, id_number=identity.id_number, phone=identity.phone)


def _relation(reach: Reach) -> Relation:
    if reach.broker is not None:
        return Relation.CASELOAD
    return Relation.OTHER if reach.district is None else Relation.DISTRICT


def _read(
    session: Session, worker_id: int, visitor: Visitor, *, keys: KeyRing, reason: str, now: datetime
) -> IdentityFacts | None:
    return read_identity(
        session, worker_id, keys=keys, actor=visitor.actor, reason=reason, now=now, origin=visitor.origin
    )


def _registered(session: Session, worker_ids: Sequence[int]) -> dict[int, date]:
    return {spell.worker_id: spell.opened_on for spell in spells.list_open_spells(session, worker_ids)}
