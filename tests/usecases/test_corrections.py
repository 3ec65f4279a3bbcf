"""Who somebody is, is put right by a clerk who has seen the card, and by nobody else."""

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.identities import id_check
from app.domain.permissions import Role
from app.domain.sessions import LetInBy, SessionEnd
from app.domain.workers import Sex
from app.kit.errors import Fault, Invalid
from app.kit.keys import KeyRing
from app.store.audit import AuditEntry
from app.store.identities import find_by_id_number, find_by_phone, read_identity
from app.store.sessions import LoginSession
from app.store.workers import Worker
from app.usecases.corrections import Correction, CorrectionNotClerks, IdentityTaken, correct_identity
from app.usecases.sessions import Arrival, open_login
from app.usecases.workers import WorkerUnknown
from tests.deliveries import NOW, add_people

BODY = "99000019680203151"
NUMBER = BODY + id_check(BODY)
PHONE = "19900000999"


def correct(
    session: Session,
    worker: int,
    keys: KeyRing,
    *,
    actor: str = "clerk/k-1",
    reason: str = "写错了",
    **given: str,
) -> None:
    correct_identity(
        session,
        worker,
        replace(Correction(), **given),
        reason=reason,
        actor=actor,
        today=date(2026, 12, 1),
        now=NOW,
        keys=keys,
    )


def test_what_the_card_says_takes_the_place_of_what_was_written(session: Session, key_ring: KeyRing) -> None:
    (worker,) = add_people(session, 1, keys=key_ring)
    arrival = Arrival(network="", agent="")
    open_login(session, role=Role.SEEKER, worker_id=worker, let_in_by=LetInBy.SMS_CODE, arrival=arrival, now=NOW)
    correct(session, worker, key_ring, name="样品", id_number=f" {NUMBER.lower()} ", phone="+86 199 0000 0999")
    known = read_identity(session, worker, keys=key_ring, actor="test", reason="test", now=NOW)
    assert known is not None
    assert (known.name, known.id_number, known.phone) == ("样品", NUMBER, PHONE)
    assert find_by_id_number(session, NUMBER, keys=key_ring) == worker
    assert find_by_phone(session, PHONE, keys=key_ring) == [worker]
    row = session.scalars(select(Worker)).one()
    assert (row.birth_on, row.sex) == (date(1968, 2, 3), Sex.MALE)
    assert session.scalars(select(LoginSession.ended_how)).all() == [SessionEnd.ACCOUNT_CHANGED]
    (act,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "correct_identity"))
    assert (act.actor, act.detail) == ("clerk/k-1", "name id_number phone: 写错了")


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"name": "样品", "actor": "seeker/1"}, CorrectionNotClerks),
        ({"name": "样品", "actor": "broker/1"}, CorrectionNotClerks),
        ({}, Invalid),
        ({"name": " "}, Invalid),
        ({"id_number": NUMBER[:-1] + "0"}, Invalid),
        ({"phone": "12345"}, Invalid),
        ({"name": "样品", "reason": " "}, Invalid),
        ({"name": "样品", "reason": "原来是19900000001"}, Invalid),
    ],
)
def test_what_is_not_right_changes_nothing(
    session: Session, key_ring: KeyRing, given: dict[str, str], refusal: type[Fault]
) -> None:
    (worker,) = add_people(session, 1, keys=key_ring)
    with pytest.raises(refusal):
        correct(session, worker, key_ring, **given)
    known = read_identity(session, worker, keys=key_ring, actor="test", reason="test", now=NOW)
    assert known is not None
    assert known.name == "样例"


def test_nobody_is_given_anybody_else_s_number(session: Session, key_ring: KeyRing) -> None:
    worker, other = add_people(session, 2, keys=key_ring)
    correct(session, other, key_ring, id_number=NUMBER)
    with pytest.raises(IdentityTaken):
        correct(session, worker, key_ring, id_number=NUMBER)
    with pytest.raises(WorkerUnknown):
        correct(session, 999_999, key_ring, name="样品")


def test_a_name_alone_leaves_the_rest_and_ends_no_session(session: Session, key_ring: KeyRing) -> None:
    (worker,) = add_people(session, 1, keys=key_ring)
    arrival = Arrival(network="", agent="")
    open_login(session, role=Role.SEEKER, worker_id=worker, let_in_by=LetInBy.SMS_CODE, arrival=arrival, now=NOW)
    before = read_identity(session, worker, keys=key_ring, actor="test", reason="test", now=NOW)
    correct(session, worker, key_ring, name="样品")
    after = read_identity(session, worker, keys=key_ring, actor="test", reason="test", now=NOW)
    assert before is not None
    assert after == replace(before, name="样品")
    assert session.scalars(select(LoginSession.ended_how)).all() == [None]
