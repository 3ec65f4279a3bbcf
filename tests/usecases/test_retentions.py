"""What is kept of people goes when its period is over, and no period is shorter than the law wants it."""

from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.domain.consents import Purpose
from app.domain.ledger import Channel, EntryKind
from app.domain.pushes import Answer
from app.domain.retentions import DEFAULT_DAYS, Kept
from app.kit.database import write_session
from app.kit.errors import Invalid
from app.kit.keys import KeyRing
from app.store.audit import AuditEntry
from app.store.consents import Consent
from app.store.policies import add_setting
from app.store.pushes import Attempt, FollowUp, Push, PushChange
from app.usecases.consents import end_consent
from app.usecases.ledger import list_entries
from app.usecases.pushes import answer_push
from app.usecases.retentions import RetentionTooShort, forget_kept, load_periods, set_period
from tests.deliveries import NOW, Teller, add_people, add_posting, post_of, push_to

TODAY = date(2026, 12, 1)
LONG = timedelta(days=DEFAULT_DAYS[Kept.PUSHES])


def days_of(session: Session, kept: Kept, *, on: date = TODAY) -> int:
    return next(period.days for period in load_periods(session, on=on) if period.kept is kept)


def test_the_periods_that_come_with_the_service_are_lawful_and_each_says_why(furnished: Engine) -> None:
    with write_session(furnished) as session:
        periods = load_periods(session, on=TODAY)
    assert {period.kept for period in periods} == set(Kept)
    for period in periods:
        assert period.days >= period.kept.floor.days
        assert period.basis
        assert period.days == DEFAULT_DAYS[period.kept]


@pytest.mark.parametrize("kept", [Kept.SESSIONS, Kept.PUSHES])
def test_no_period_goes_below_what_the_law_wants(session: Session, kept: Kept) -> None:
    def put(days: int, day: date = TODAY) -> None:
        set_period(session, kept, days=days, valid_from=day, note="试试。", actor="office", now=NOW)

    with pytest.raises(RetentionTooShort) as refused:
        put(kept.floor.days - 1)
    assert "第" in refused.value.fields[0].message
    put(kept.floor.days + 30, TODAY + timedelta(days=3))
    assert days_of(session, kept) == DEFAULT_DAYS[kept]
    assert days_of(session, kept, on=TODAY + timedelta(days=3)) == kept.floor.days + 30
    for day in (TODAY - timedelta(days=1), TODAY + timedelta(days=3)):
        with pytest.raises(Invalid):
            put(kept.floor.days, day)
    assert session.scalars(select(AuditEntry.action)).all() == ["set_period"]


def test_a_setting_that_somebody_wrote_below_the_floor_deletes_nothing_too_early(session: Session) -> None:
    add_setting(session, name="kept_sessions", value=1, unit="days", note="", valid_from=TODAY)
    assert days_of(session, Kept.SESSIONS) == Kept.SESSIONS.floor.days


def test_a_withdrawn_consent_goes_in_its_time_and_one_that_holds_stays(session: Session, key_ring: KeyRing) -> None:
    (worker,) = add_people(session, 1, keys=key_ring, channels=(Channel.SMS, Channel.VOICE))
    end_consent(
        session, worker_id=worker, purpose=Purpose.JOB_PUSHES, channel=Channel.SMS, how="page", actor="x", now=NOW
    )
    period = timedelta(days=DEFAULT_DAYS[Kept.CONSENTS])
    forget_kept(session, now=NOW + period)
    assert len(session.scalars(select(Consent)).all()) == 2
    forget_kept(session, now=NOW + period + timedelta(seconds=1))
    assert session.scalars(select(Consent.channel)).all() == [Channel.VOICE]


def test_a_push_that_is_over_goes_in_its_time_and_what_is_countable_stays(session: Session, key_ring: KeyRing) -> None:
    people = add_people(session, 3, keys=key_ring)
    posting = add_posting(session)
    over, promised, waiting = (
        push_to(session, worker, posting, post_of(Teller()), keys=key_ring, expires_at=NOW + timedelta(days=1))
        for worker in people
    )
    answer_push(session, over, Answer.UNSUITABLE, channel=Channel.INBOX, now=NOW, keys=key_ring)
    answer_push(session, promised, Answer.CALL_ME, channel=Channel.INBOX, now=NOW, keys=key_ring)
    session.flush()
    forget_kept(session, now=NOW + LONG)
    assert len(session.scalars(select(Push)).all()) == 3
    forget_kept(session, now=NOW + LONG + timedelta(days=1, seconds=1))
    assert set(session.scalars(select(Push.id))) == {promised, waiting}
    for table in (PushChange, Attempt, FollowUp):
        assert over not in session.scalars(select(table.push_id)).all()
    kinds = [entry.kind for entry in list_entries(session, worker_ids=[people[0]])]
    assert kinds == [EntryKind.PUSH, EntryKind.ANSWER]
