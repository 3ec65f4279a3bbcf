"""Correcting who somebody is (PIPL 46): what a card says is changed at a station, by a clerk who has seen the card.

Nobody corrects it over the network: a stolen session would turn one person into another.
"""

from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy.orm import Session

from app.domain.identities import (
    birth_date_of,
    is_id_number,
    is_mobile_phone,
    normalise_id_number,
    normalise_phone,
    sex_of,
)
from app.domain.permissions import Role
from app.domain.sessions import SessionEnd
from app.domain.workers import Sex, may_work
from app.kit.errors import Conflict, FieldFault, Forbidden, Invalid
from app.kit.keys import KeyRing
from app.store.audit import record_act
from app.store.identities import NewIdentity, add_identity, delete_identity, find_by_id_number, read_identity
from app.store.sessions import end_logins
from app.store.workers import find_worker, hold_workers
from app.usecases.workers import WorkerUnknown

_ACTION = "correct_identity"
_NAME_CHARACTERS = 60
_REASON_CHARACTERS = 100


class IdentityTaken(Conflict):
    """Somebody else is on record under that ID number: two records of one person are merged, not corrected."""

    code = "identity_taken"
    title = "这个身份证号已经登记在另一个人名下"


class CorrectionNotClerks(Forbidden):
    """Only a clerk of a station, who has the card in hand, corrects it."""

    code = "correction_not_clerks"
    title = "只有驿站经办人看过身份证才能更正"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What the card says, and the phone if that is to change; None leaves what is on record. Never printed."""

    name: str | None = field(default=None, repr=False)
    id_number: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)


def correct_identity(
    session: Session,
    worker_id: int,
    correction: Correction,
    *,
    reason: str,
    actor: str,
    today: date,
    now: datetime,
    keys: KeyRing,
) -> None:
    """Put what the card says in the place of what is on record. Birth and sex follow the ID number.

    With another number or phone all sessions of the person end: whoever held the old phone is let in no more.

    Args:
        session: a transaction that the caller commits.
        worker_id: whose.
        correction: what is to be put right.
        reason: why, without what it was or is: it stands in the audit.
        actor: the clerk, as `clerk/<code>`.
        today: the day on which the number and the age are judged.
        now: when.
        keys: seals the identity.

    Raises:
        CorrectionNotClerks: `actor` is no clerk.
        WorkerUnknown: there is no such person, or they were erased.
        IdentityTaken: the ID number is somebody else's.
        Invalid: what was given is no name, number or phone, or nothing was, or no reason.
    """
    if not actor.startswith(f"{Role.CLERK.value}/"):
        raise CorrectionNotClerks
    hold_workers(session, [worker_id])
    worker = find_worker(session, worker_id)
    known = read_identity(session, worker_id, keys=keys, actor=actor, reason=_ACTION, now=now)
    if worker is None or known is None:
        raise WorkerUnknown
    name = known.name if correction.name is None else correction.name.strip()
    number = known.id_number if correction.id_number is None else normalise_id_number(correction.id_number)
    phone = known.phone if correction.phone is None else normalise_phone(correction.phone)
    if faults := _faults(correction, name, number, phone, reason, today=today):
        raise Invalid(fields=faults)
    if find_by_id_number(session, number, keys=keys) not in (None, worker_id):
        raise IdentityTaken
    delete_identity(session, worker_id)
    add_identity(session, NewIdentity(worker_id=worker_id, name=name, id_number=number, phone=phone), keys=keys)
    worker.updated_at = now
    if correction.id_number is not None:
        worker.birth_on, worker.sex = birth_date_of(number), Sex(sex_of(number))
    session.flush()
    changed = [
        what
        for what, before, after in (
            ("name", known.name, name),
            ("id_number", known.id_number, number),
            ("phone", known.phone, phone),
        )
        if before != after
    ]
    if {"id_number", "phone"} & {*changed}:
        end_logins(session, how=SessionEnd.ACCOUNT_CHANGED, now=now, worker_id=worker_id)
    detail = f"{' '.join(changed)}: {reason.strip()}"
    record_act(session, actor=actor, action=_ACTION, subject=f"workers/{worker_id}", now=now, detail=detail)


def _faults(
    correction: Correction, name: str, number: str, phone: str | None, reason: str, *, today: date
) -> list[FieldFault]:
    """What is wrong with what was given; what is on record was judged when it was taken."""
    found = []
    if (correction.name, correction.id_number, correction.phone) == (None, None, None):
        found.append(FieldFault("name", "nothing_given", "请写要更正什么"))
    if correction.name is not None and not 0 < len(name) <= _NAME_CHARACTERS:
        found.append(FieldFault("name", "name_wrong", "没有姓名，或姓名太长"))
    if correction.id_number is not None:
        if not is_id_number(number, today=today):
            found.append(FieldFault("id_number", "id_number_wrong", "身份证号不对：出生日期或校验码有误，请核对"))
        elif not may_work(birth_date_of(number), today):
            found.append(FieldFault("id_number", "too_young", "未满 16 周岁，不能登记求职（劳动法第十五条）"))
    if correction.phone is not None and (phone is None or not is_mobile_phone(phone)):
        found.append(FieldFault("phone", "phone_wrong", "手机号不对：应为 11 位手机号"))
    if not 0 < len(reason.strip()) <= _REASON_CHARACTERS or any(char.isdigit() for char in reason):
        # A number in a reason is mostly the one that was wrong.
        found.append(FieldFault("reason", "reason_wrong", "请写为什么更正，100个字以内，不要写号码"))
    return found
