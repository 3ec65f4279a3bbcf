"""Services written down and what is due: faults that say what to mend, lists that say what to do next."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from app.domain.ledger import Channel, Entry, EntryKind, Grade
from app.domain.obligations import DutyState, PushCounts, duties_of, last_resort
from app.domain.pushes import Answer, PushState, Unsuitable
from app.domain.spells import SpellEnd, SpellSource
from app.kit.clock import CHINA
from app.kit.database import read_session, write_session
from app.kit.errors import Invalid
from app.store.briefings import BriefingText
from app.store.brokers import Broker, Case
from app.store.courses import Course, CourseSession
from app.store.policies import LocalSetting
from app.store.pushes import Attempt, Push
from app.usecases.ledger import list_entries, read_note, strike_entry
from app.usecases.obligations import (
    Briefing,
    BrokerUnknown,
    DistrictUnknown,
    DueBy,
    DueList,
    Guidance,
    NoOpenSpell,
    RulesMissing,
    Service,
    TalkedPush,
    TrainingOffer,
    list_due,
    read_rules,
    record_answer,
    record_service,
)
from app.usecases.pushes import intend_pushes
from app.usecases.spells import close_spell, find_open_spell, open_spells
from app.wiring import House
from tests.deliveries import intent
from tests.houses import HOME_TOWNSHIP, add_posting, area_book
from tests.people import ALLEVIATED, add_person, unemployed

TODAY = date(2026, 12, 1)
DAY = timedelta(days=1)
TEXT = Briefing("registered_unemployed", 1)
FULING_TOWNSHIP = "500102101"
PUSH = TalkedPush(
    posting=5,
    job="job-5",
    is_open=True,
    places=2,
    bar=None,
    skill_permille=800,
    metres=900,
    reach_metres=30_000,
    reasons=("离家近",),
)


def at(day: date, hour: int = 9) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=CHINA)


def register(house: House, *, on: date = TODAY, **given: Any) -> int:
    """Somebody with a spell that was opened on a day."""
    person = add_person(house, [ALLEVIATED, unemployed(on)], **given)
    with write_session(house.engine) as session:
        open_spells(
            session,
            [person],
            source=SpellSource.CLERK,
            actor="clerk-1",
            on=on,
            now=house.clock.now(),
            keys=house.keys,
        )
    return person


def record(house: House, person: int, service: Service, **given: Any) -> Entry:
    values: dict[str, Any] = {
        "channel": Channel.CALL,
        "evidence": Grade.C,
        "happened_at": house.clock.now(),
        "now": house.clock.now(),
        "actor": "broker-1",
        "keys": house.keys,
        "minutes": 12,
        "note": "说想在镇上做保洁",
        **given,
    }
    with write_session(house.engine) as session:
        return record_service(session, service, worker_id=person, **values)


def due(house: House, *, now: datetime | None = None, **given: Any) -> DueList:
    with read_session(house.engine) as session:
        return list_due(session, now=now or house.clock.now(), areas=area_book(house), **given)


def add_session(house: House, *, code: str = "4-09-08-01", area: str = HOME_TOWNSHIP, **given: Any) -> int:
    values: dict[str, Any] = {"starts_on": TODAY + 9 * DAY, "seats": 30, "taken": 0, **given}
    with write_session(house.engine) as session:
        course = Course(name=f"样例班 {code} {area} {values['starts_on']}", occupation_code=code, days=3)
        session.add(course)
        session.flush()
        held = CourseSession(course_id=course.id, area_code=area, ends_on=values["starts_on"] + 2 * DAY, **values)
        session.add(held)
        session.flush()
        return held.id


def codes(refused: Invalid) -> list[tuple[str, str]]:
    return [(field.field, field.code) for field in refused.fields]


# --- rules ------------------------------------------------------------------------------------------------------------


def test_the_rules_are_the_plans_figures_and_the_offices_settings(house: House) -> None:
    with read_session(house.engine) as session:
        book = read_rules(session)
    rules = book.on(TODAY)
    assert dict(rules.counts) == {
        EntryKind.BRIEFING: 1,
        EntryKind.GUIDANCE: 1,
        EntryKind.PUSH: 3,
        EntryKind.TRAINING: 1,
    }
    assert (rules.first_window_days, rules.yearly_deadline, rules.due_soon_days) == (30, (12, 31), 7)
    assert (rules.counted_grades, rules.push_counts_when) == (frozenset(Grade), PushCounts.DELIVERED)
    assert (rules.push_fitting_skill_permille, rules.failed_contact_attempts) == (300, 2)
    assert (rules.ends_on_refusal, rules.ends_on_failed_contact) == (False, False)
    assert (rules.last_resort_pushes, rules.last_resort_span_days) == (3, 14)
    owed = [book.owed_on(EntryKind.PUSH, day) for day in (date(2025, 3, 26), date(2025, 3, 27), date(2028, 1, 1))]
    assert owed == [0, 3, 0]


def test_a_later_setting_begins_a_new_version_and_ends_none_before_it(house: House) -> None:
    with write_session(house.engine) as session:
        session.add(LocalSetting(name="obligation_first_window", value=20, valid_from=TODAY))
        book = read_rules(session)
    assert [book.on(day).first_window_days for day in (TODAY - DAY, TODAY)] == [30, 20]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("obligation_first_window", "dreißig"),
        ("obligation_due_soon", 0),
        ("failed_contact_attempts", True),
        ("obligation_yearly_deadline", "13-01"),
        ("obligation_yearly_deadline", "02-30"),
        ("obligation_evidence", "A_D"),
        ("push_counts_when", "sent"),
        ("push_fitting_skill", "viel"),
        ("obligation_ends_on_refusal", "false"),
    ],
)
def test_a_setting_that_cannot_be_used_stops_the_counting_and_is_named(house: House, name: str, value: Any) -> None:
    with write_session(house.engine) as session:
        session.execute(update(LocalSetting).where(LocalSetting.name == name).values(value=value))
        with pytest.raises(RulesMissing) as refused:
            read_rules(session)
    assert refused.value.members == {"settings": [name]}


def test_a_setting_that_ends_without_another_stops_the_counting(house: House) -> None:
    with write_session(house.engine) as session:
        ending = update(LocalSetting).where(LocalSetting.name == "push_counts_when")
        session.execute(ending.values(valid_to=date(2026, 6, 30)))
        with pytest.raises(RulesMissing, match="2026-07-01 起没有这些设定：push_counts_when"):
            read_rules(session)


def test_without_reference_data_nothing_is_counted(session: Session) -> None:
    with pytest.raises(RulesMissing, match="jiujin seed reference"):
        read_rules(session)


# --- writing services down --------------------------------------------------------------------------------------------


def test_each_service_is_written_so_that_it_counts(house: House) -> None:
    person = register(house)
    lesson = add_session(house)
    for service in (TEXT, Guidance(), TrainingOffer(lesson), PUSH):
        record(house, person, service)
    with write_session(house.engine) as session:
        spell = find_open_spell(session, person)
        assert spell is not None
        entries = list_entries(session, worker_ids=[person])
        found = duties_of(spell, entries, book=read_rules(session), now=house.clock.now())
        assert [duty.done(Grade.C) for duty in found.duties.values()] == [1, 1, 1, 1]
        assert [dict(duty.uncounted) for duty in found.duties.values()] == [{}] * 4
        assert {entry.spell_id for entry in entries} == {spell.id}
        note = read_note(session, entries[1].id, keys=house.keys, actor="t", reason="t", now=house.clock.now())
        assert note == "说想在镇上做保洁"
        assert "保洁" not in repr(entries)


@pytest.mark.parametrize(
    ("service", "given", "expected"),
    [
        (TEXT, {"happened_at": at(TODAY, 11)}, [("happened_at", "in_future")]),
        (TEXT, {"channel": Channel.LOUDSPEAKER, "evidence": Grade.A}, [("channel", "public_channel")]),
        (TEXT, {"channel": Channel.SMS, "evidence": Grade.A}, [("channel", "machine_channel")]),
        (TEXT, {"channel": Channel.CALL, "evidence": Grade.A}, [("evidence", "not_signed")]),
        (TEXT, {"minutes": None}, [("minutes", "minutes_missing")]),
        (TEXT, {"minutes": 0, "note": " "}, [("minutes", "minutes_missing"), ("note", "said_missing")]),
        (
            Guidance(),
            {"channel": Channel.VISIT, "evidence": Grade.A, "minutes": None, "note": None},
            [("minutes", "minutes_missing"), ("note", "said_missing")],
        ),
        (Briefing("registered_unemployed", 9), {}, [("text", "text_unknown")]),
        (Briefing("old", 1), {}, [("text", "text_not_valid")]),
        (TrainingOffer(99), {}, [("session", "session_unknown")]),
        (
            TalkedPush(**{**{name: getattr(PUSH, name) for name in PUSH.__slots__}, "job": ""}),
            {},
            [("job", "job_missing")],
        ),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    house: House, service: Service, given: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    person = register(house)
    with write_session(house.engine) as session:
        old = {"title": "旧的", "text": "旧的", "source": "-", "valid_from": TODAY - 9 * DAY, "valid_to": TODAY - DAY}
        session.add(BriefingText(name="old", version=1, **old))
    with pytest.raises(Invalid) as refused:
        record(house, person, service, **given)
    assert codes(refused.value) == expected
    assert all(field.message for field in refused.value.fields)
    with read_session(house.engine) as session:
        assert [entry.kind for entry in list_entries(session)] == [EntryKind.SPELL_OPENED]


@pytest.mark.parametrize(
    ("given", "code"),
    [({"starts_on": TODAY}, "session_begun"), ({"seats": 30, "taken": 30}, "session_full")],
)
def test_a_course_that_has_begun_or_is_full_is_not_recommended(house: House, given: dict[str, Any], code: str) -> None:
    person = register(house)
    lesson = add_session(house, **given)
    with pytest.raises(Invalid) as refused:
        record(house, person, TrainingOffer(lesson))
    assert codes(refused.value) == [("session", code)]


def test_without_a_registration_on_that_day_nothing_is_written(house: House) -> None:
    stranger, person = add_person(house), register(house, on=TODAY - 5 * DAY)
    with pytest.raises(NoOpenSpell):
        record(house, stranger, TEXT)
    with pytest.raises(NoOpenSpell):
        record(house, person, TEXT, happened_at=at(TODAY - 6 * DAY))


def test_what_was_done_while_a_spell_ran_may_be_written_after_it_was_closed(house: House) -> None:
    person = register(house, on=TODAY - 9 * DAY)
    with write_session(house.engine) as session:
        spell = find_open_spell(session, person)
        assert spell is not None
        common: dict[str, Any] = {"actor": "clerk-1", "now": house.clock.now(), "keys": house.keys}
        close_spell(session, spell.id, end=SpellEnd.EMPLOYED, on=TODAY - DAY, **common)
    assert record(house, person, TEXT, happened_at=at(TODAY - 2 * DAY)).spell_id == spell.id
    with pytest.raises(NoOpenSpell):
        record(house, person, TEXT)


# --- what is due ------------------------------------------------------------------------------------------------------


def test_the_most_pressing_stand_first_and_who_has_time_left_in_no_list(house: House) -> None:
    soon = register(house, on=TODAY - 25 * DAY)
    late, later = register(house, on=TODAY - 32 * DAY), register(house, on=TODAY - 31 * DAY)
    register(house, on=TODAY - 5 * DAY)
    found = due(house)
    assert [(person.worker_id, person.state) for person in found.people] == [
        (late, DutyState.OVERDUE),
        (later, DutyState.OVERDUE),
        (soon, DutyState.DUE_SOON),
    ]
    assert (found.registered, found.overdue, found.due_soon, found.left_out) == (4, 2, 1, 0)
    assert found.people[0].due_on == TODAY - 2 * DAY
    cut = due(house, limit=1)
    assert ([person.worker_id for person in cut.people], cut.left_out, cut.overdue) == ([late], 2, 2)


def test_each_missing_service_is_told_with_what_to_do_next(house: House) -> None:
    person = register(house, on=TODAY - 25 * DAY)
    near = add_session(house, area="500237101")
    add_session(house, area=FULING_TOWNSHIP, starts_on=TODAY + DAY)
    add_session(house, taken=30)
    add_session(house, code="4-07-05-01")
    add_session(house, starts_on=TODAY)
    (one,) = due(house).people
    assert [(step.kind, step.missing, step.due_on) for step in one.steps] == [
        (EntryKind.BRIEFING, 1, TODAY + 5 * DAY),
        (EntryKind.GUIDANCE, 1, TODAY + 5 * DAY),
        (EntryKind.PUSH, 3, TODAY + 5 * DAY),
        (EntryKind.TRAINING, 1, TODAY + 5 * DAY),
    ]
    briefing, guidance, push, training = one.steps
    assert (one.worker_id, briefing.what) == (person, {"text": "older_workers", "version": 1})
    assert briefing.text == "讲政策：年纪大了，也有活干"
    assert (dict(guidance.what), dict(push.what)) == ({}, {})
    assert training.what["session"] == near
    assert 0 < training.what["km"] < 60
    assert "12月10日开班" in training.text


def test_who_was_told_one_text_is_proposed_the_next_and_a_struck_one_again(house: House) -> None:
    person = register(house, on=TODAY - 400 * DAY)
    entry = record(house, person, Briefing("older_workers", 1), happened_at=at(TODAY - 300 * DAY))

    def proposed() -> Any:
        # In the last week of the year, when the package of the second year is due.
        return due(house, now=at(date(2026, 12, 26))).people[0].steps[0].what["text"]

    assert proposed() == "own_business"
    with write_session(house.engine) as session:
        strike_entry(session, entry.id, why="记错了人", actor="clerk-1", now=house.clock.now(), keys=house.keys)
    assert proposed() == "older_workers"


def test_a_course_is_found_by_the_word_that_a_roster_has_for_work(house: House) -> None:
    register(house, on=TODAY - 25 * DAY, wants=["扫地的", "保洁"])
    lesson = add_session(house)
    assert due(house).people[0].steps[3].what["session"] == lesson


def test_without_a_course_for_what_is_wanted_none_is_proposed(house: House) -> None:
    register(house, on=TODAY - 25 * DAY, wants=["4-03-02-01"])
    add_session(house)
    step = due(house).people[0].steps[3]
    assert (dict(step.what), step.text) == ({}, "眼下没有对路又有名额的培训班，请联系培训机构")


def test_postings_are_asked_of_the_matcher_for_those_who_lack_pushes(house: House) -> None:
    person = register(house, on=TODAY - 25 * DAY)
    record(house, person, PUSH)
    asked: list[Any] = []

    def suggest(worker_ids: Collection[int]) -> dict[int, list[int]]:
        asked.append([*worker_ids])
        return {person: [7, 8, 9]}

    step = due(house, suggest=suggest).people[0].steps[2]
    assert (step.kind, step.missing, dict(step.what)) == (EntryKind.PUSH, 2, {"postings": [7, 8, 9]})
    assert step.text == "送岗位：编号 7、8、9"
    assert asked == [[person]]


def test_groups_count_their_people_and_those_whom_nobody_looks_after(house: House) -> None:
    late = register(house, on=TODAY - 40 * DAY)
    left = register(house, on=TODAY - 25 * DAY)
    register(house, on=TODAY - 40 * DAY, home_area_code=FULING_TOWNSHIP)
    with write_session(house.engine) as session:
        old, new = Broker(code="b-1", area_code="500237"), Broker(code="b-2", area_code="500237")
        session.add_all([old, new])
        session.flush()
        session.add_all(
            [
                Case(worker_id=late, broker_id=old.id, valid_from=TODAY - 90 * DAY, valid_to=TODAY - 3 * DAY),
                Case(worker_id=late, broker_id=new.id, valid_from=TODAY - 2 * DAY),
                Case(worker_id=left, broker_id=old.id, valid_from=TODAY - 90 * DAY, valid_to=TODAY - DAY),
            ]
        )
    by_broker = due(house, by=DueBy.BROKER).groups
    assert [(group.key, group.registered, group.overdue, group.due_soon) for group in by_broker] == [
        ("", 2, 1, 1),
        ("b-2", 1, 1, 0),
    ]
    assert by_broker[0].missing == {
        EntryKind.BRIEFING: 2,
        EntryKind.GUIDANCE: 2,
        EntryKind.PUSH: 6,
        EntryKind.TRAINING: 2,
    }
    assert [group.key for group in due(house, by=DueBy.DISTRICT).groups] == ["500237", "500102"]
    assert [group.key for group in due(house, by=DueBy.VILLAGE).groups] == [HOME_TOWNSHIP, FULING_TOWNSHIP]
    assert [person.worker_id for person in due(house, broker="b-2").people] == [late]
    assert due(house, broker="b-1").registered == 0
    assert due(house, district="500102").registered == 1
    assert due(house, by=DueBy.VILLAGE, limit=1).left_out == 1


def test_a_place_or_broker_that_is_not_there_is_told(house: House) -> None:
    with pytest.raises(BrokerUnknown):
        due(house, broker="nobody")
    for code in ("990000", "5001", HOME_TOWNSHIP):
        with pytest.raises(DistrictUnknown):
            due(house, district=code)


def test_looking_at_many_takes_no_more_statements_than_at_one(house: House) -> None:
    statements: list[str] = []

    def note(*given: Any) -> None:
        statements.append(given[2])

    counts = []
    for _ in range(2):
        for _ in range(3):
            record(house, register(house, on=TODAY - 40 * DAY), TEXT)
        event.listen(house.engine, "before_cursor_execute", note)
        due(house)
        event.remove(house.engine, "before_cursor_execute", note)
        counts.append(len(statements))
        statements.clear()
    assert counts[0] == counts[1] < 12


def test_the_last_resort_is_read_from_what_was_written(house: House) -> None:
    person = register(house, on=TODAY - 40 * DAY)
    record(house, person, PUSH)
    with read_session(house.engine) as session:
        spell = find_open_spell(session, person)
        assert spell is not None
        entries = list_entries(session, worker_ids=[person])
        found = last_resort(spell, entries, book=read_rules(session), now=house.clock.now())
    assert (found.pushes, found.may_be_proposed) == (0, False)


def test_a_posting_told_face_to_face_makes_its_push_arrive_and_nothing_more_is_sent(house: House) -> None:
    person, posting = register(house), add_posting(house)
    now = house.clock.now()
    with write_session(house.engine) as session:
        intend_pushes(session, [intent(person, posting, now=now)], served=frozenset(), now=now, keys=house.keys)
    told = replace(PUSH, posting=posting, metres=1_200)
    entry = record(house, person, told, channel=Channel.VISIT)
    with read_session(house.engine) as session:
        push = session.scalars(select(Push)).one()
        attempt = session.scalars(select(Attempt)).one()
        assert (push.state, push.entry_id) == (PushState.DELIVERED, entry.id)
        assert attempt.done_at is not None
    # What is judged at the door holds, not what was planned.
    assert (entry.facts["push"], entry.facts["metres"], entry.facts["minutes"]) == (push.id, 1_200, 12)
    signed = {"channel": Channel.SLIP, "evidence": Grade.A, "minutes": None, "note": None}
    with write_session(house.engine) as session:
        record_answer(
            session,
            push=entry.id,
            answer=Answer.UNSUITABLE,
            why=Unsuitable.TOO_FAR,
            happened_at=now,
            now=now,
            actor="broker-1",
            keys=house.keys,
            **signed,  # type: ignore[arg-type]  # of several types
        )
    with read_session(house.engine) as session:
        push = session.scalars(select(Push)).one()
        assert (push.state, push.answer, push.why) == (PushState.ANSWERED, Answer.UNSUITABLE, Unsuitable.TOO_FAR)
