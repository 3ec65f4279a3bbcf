"""The loop that plans: once a day, not before six, and taken up where a stop left it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.background import plans
from app.background.plans import folder_of_today, plan_if_due
from app.domain.pushes import PushCause
from app.domain.spells import SpellSource
from app.kit.clock import FixedClock
from app.kit.database import read_session, write_session
from app.store.pushes import Push
from app.usecases.plans import MadeReport, make_pushes
from app.usecases.spells import find_open_spell, open_spells
from app.wiring import House
from tests.houses import add_posting
from tests.people import ALLEVIATED, add_person, unemployed


def pushes_in(house: House) -> int:
    with read_session(house.engine) as session:
        return session.scalars(select(func.count()).select_from(Push)).one()


def test_pushes_are_planned_and_made_once_a_day_and_not_before_six(house: House, clock: FixedClock) -> None:
    add_person(house, [])
    for _ in range(7):
        add_posting(house, posted_at=house.clock.now() - timedelta(days=1))
    clock.advance(timedelta(hours=-4, minutes=-1))  # a minute to six in China
    assert plan_if_due(house) is None
    assert not folder_of_today(house).exists()
    clock.advance(timedelta(minutes=1))
    made = plan_if_due(house)
    assert made is not None
    assert (made.made, pushes_in(house)) == (3, 3)
    clock.advance(timedelta(hours=1))
    assert plan_if_due(house) is None
    yesterday = folder_of_today(house)
    assert (yesterday / "index").exists()
    clock.advance(timedelta(days=8))
    again = plan_if_due(house)
    assert again is not None
    assert (again.made, pushes_in(house)) == (3, 6)
    assert not (yesterday / "index").exists()
    assert (yesterday / "plan.csv").exists()


def test_a_day_that_was_stopped_in_the_middle_is_finished_later(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    add_person(house)
    for _ in range(7):
        add_posting(house)
    monkeypatch.setattr(plans, "PUSHES_AT_ONCE", 2)
    calls: list[int] = []

    def stopped(*given: Any, **named: Any) -> MadeReport:
        calls.append(len(calls))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return make_pushes(*given, **named)

    monkeypatch.setattr(plans, "make_pushes", stopped)
    with pytest.raises(KeyboardInterrupt):
        plan_if_due(house)
    assert pushes_in(house) == 2
    monkeypatch.setattr(plans, "make_pushes", make_pushes)
    made = plan_if_due(house)
    assert made is not None
    assert (made.made, pushes_in(house)) == (1, 3)


def test_first_of_all_spells_follow_what_people_are_registered_as_today(house: House) -> None:
    today = house.clock.today()
    begins = add_person(house, [ALLEVIATED, unemployed(today)])
    ended = add_person(house, [ALLEVIATED, unemployed(today - timedelta(days=30), today - timedelta(days=1))])
    with write_session(house.engine) as session:
        open_spells(
            session,
            [ended],
            source=SpellSource.CLERK,
            actor="clerk/1",
            on=today - timedelta(days=30),
            now=house.clock.now(),
            keys=house.keys,
        )
    for _ in range(4):
        add_posting(house)
    assert plan_if_due(house) is not None
    with read_session(house.engine) as session:
        assert find_open_spell(session, ended) is None
        assert find_open_spell(session, begins) is not None
        owed = {push.worker_id for push in session.scalars(select(Push).where(Push.cause == PushCause.OWED))}
    assert owed == {begins}
