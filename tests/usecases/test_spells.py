"""Opening and closing spells: once however often and by however many, never for somebody to whom nothing is owed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from app.domain.ledger import EntryKind
from app.domain.obligations import DutyState, duties_of
from app.domain.spells import SpellEnd, SpellSource
from app.domain.workers import Evidence, Status
from app.kit.clock import CHINA, china_date
from app.kit.database import read_session, write_session
from app.kit.errors import Invalid
from app.store.policies import LocalSetting, Policy
from app.store.spells import SpellRow
from app.store.workers import WorkerStatus
from app.usecases.ledger import list_entries
from app.usecases.obligations import RulesMissing, read_rules
from app.usecases.spell_proofs import first_wrong_spell
from app.usecases.spells import (
    SPELL_GAP,
    NotOwed,
    NotRegisteredAnew,
    SpellChanges,
    SpellClosed,
    SpellOverlaps,
    SpellUnknown,
    close_spell,
    find_open_spell,
    list_open_spells,
    open_spells,
    sync_spells,
)
from app.usecases.statuses import register_status
from app.wiring import House
from tests.people import ALLEVIATED, add_person, unemployed

TODAY = date(2026, 12, 1)
DAY = timedelta(days=1)


def open_(house: House, worker_ids: Collection[int], *, on: date = TODAY) -> list[int]:
    with write_session(house.engine) as session:
        return open_spells(
            session,
            worker_ids,
            source=SpellSource.CLERK,
            actor="clerk-1",
            on=on,
            now=house.clock.now(),
            keys=house.keys,
        )


def close(house: House, spell_id: int, *, on: date = TODAY, end: SpellEnd = SpellEnd.EMPLOYED) -> Any:
    with write_session(house.engine) as session:
        return close_spell(session, spell_id, end=end, actor="clerk-1", on=on, now=house.clock.now(), keys=house.keys)


def sync(house: House, *, on: date = TODAY, now: datetime | None = None) -> SpellChanges:
    with write_session(house.engine) as session:
        return sync_spells(session, actor="cli", on=on, now=now or house.clock.now(), keys=house.keys)


def snapshot(house: House) -> list[Any]:
    with read_session(house.engine) as session:
        rows = session.execute(select(SpellRow.__table__).order_by(SpellRow.id)).all()
        return [*map(tuple, rows), *list_entries(session)]


def entries(house: House, worker_id: int) -> list[tuple[EntryKind, Any, date]]:
    with read_session(house.engine) as session:
        found = list_entries(session, worker_ids=[worker_id])
    return [(entry.kind, entry.facts, china_date(entry.happened_at)) for entry in found]


def test_a_spell_opens_with_an_entry_that_says_who_opened_it(house: House) -> None:
    person = add_person(house)
    (spell_id,) = open_(house, [person], on=TODAY - DAY)
    with read_session(house.engine) as session:
        spell = find_open_spell(session, person)
        assert spell is not None
        assert (spell.id, spell.opened_on, spell.closed_on) == (spell_id, TODAY - DAY, None)
        (entry,) = list_entries(session, worker_ids=[person])
    assert (entry.kind, entry.spell_id, entry.actor) == (EntryKind.SPELL_OPENED, spell_id, "clerk-1")
    assert entry.facts == {"source": "clerk"}
    assert entry.happened_at == datetime(2026, 11, 30, tzinfo=CHINA)


def test_opening_twice_changes_nothing(house: House) -> None:
    person = add_person(house)
    open_(house, [person])
    before = snapshot(house)
    assert open_(house, [person, person]) == []
    assert snapshot(house) == before


def test_two_who_open_at_the_same_time_open_one(house: House) -> None:
    people = [add_person(house) for _ in range(3)]
    at_once = Barrier(2)

    def race(order: Callable[[list[int]], Any]) -> list[int]:
        at_once.wait()
        return open_(house, list(order(people)))

    with ThreadPoolExecutor(2) as pool:
        opened = [spell for ids in pool.map(race, (list, reversed)) for spell in ids]
    assert len(opened) == 3
    assert [len(entries(house, person)) for person in people] == [1, 1, 1]
    with read_session(house.engine) as session:
        assert sorted(spell.id for spell in list_open_spells(session, on=TODAY)) == sorted(opened)


@pytest.mark.parametrize(
    "statuses",
    [
        [ALLEVIATED],
        [unemployed(TODAY)],
        [(Status.MONITORED, TODAY, None), unemployed(TODAY)],
        [ALLEVIATED, unemployed(TODAY + DAY)],
        [ALLEVIATED, unemployed(TODAY - 9 * DAY, TODAY - DAY)],
        [],
    ],
)
def test_for_whom_nothing_is_owed_no_spell_opens_and_for_nobody_beside_them(house: House, statuses: Any) -> None:
    person, other = add_person(house, statuses), add_person(house)
    with pytest.raises(NotOwed) as refused:
        open_(house, [other, person])
    assert refused.value.problem() == {
        "type": "urn:jiujin:problem:not_owed",
        "title": "这一天不是登记失业的脱贫人口，不能建档",
        "status": 409,
        "code": "not_owed",
        "workers": [person],
    }
    assert snapshot(house) == []


def test_a_spell_closes_with_its_reason_and_again_changes_nothing(house: House) -> None:
    person = add_person(house)
    (spell_id,) = open_(house, [person], on=TODAY - 9 * DAY)
    spell = close(house, spell_id, on=TODAY - DAY)
    assert (spell.closed_on, spell.end) == (TODAY - DAY, SpellEnd.EMPLOYED)
    before = snapshot(house)
    assert close(house, spell_id, on=TODAY - DAY) == spell
    assert snapshot(house) == before
    assert entries(house, person)[1:] == [(EntryKind.SPELL_CLOSED, {"reason": "employed"}, TODAY - DAY)]
    for changed in ({"on": TODAY}, {"on": TODAY - DAY, "end": SpellEnd.DIED}):
        with pytest.raises(SpellClosed):
            close(house, spell_id, **changed)
    with read_session(house.engine) as session:
        assert find_open_spell(session, person) is None
        assert [one.id for one in list_open_spells(session, on=TODAY - DAY)] == [spell_id]
        assert list_open_spells(session, on=TODAY) == []


@pytest.mark.parametrize(("on", "code"), [(TODAY + DAY, "in_future"), (TODAY - 10 * DAY, "before_spell")])
def test_a_spell_cannot_close_tomorrow_or_before_it_began(house: House, on: date, code: str) -> None:
    (spell_id,) = open_(house, [add_person(house)], on=TODAY - 9 * DAY)
    with pytest.raises(Invalid) as refused:
        close(house, spell_id, on=on)
    assert [field.code for field in refused.value.fields] == [code]


def test_a_spell_that_is_not_there_cannot_be_closed(house: House) -> None:
    with pytest.raises(SpellUnknown):
        close(house, 99)


def test_a_spell_cannot_open_tomorrow(house: House) -> None:
    with pytest.raises(Invalid) as refused:
        open_(house, [add_person(house)], on=TODAY + DAY)
    assert [field.code for field in refused.value.fields] == ["in_future"]


def register_anew(house: House, person: int, *, last_day: date, since: date) -> None:
    """What `ledger status --end` and `ledger status` put on record, without the spells that follow."""
    with write_session(house.engine) as session:
        session.execute(
            update(WorkerStatus)
            .where(WorkerStatus.worker_id == person, WorkerStatus.status == Status.REGISTERED_UNEMPLOYED)
            .values(valid_to=last_day)
        )
        anew = {"status": Status.REGISTERED_UNEMPLOYED, "evidence": Evidence.CERTIFIED, "valid_from": since}
        session.add(WorkerStatus(worker_id=person, **anew, valid_to=None))


def first_day(house: House, person: int) -> date:
    with read_session(house.engine) as session:
        spell = find_open_spell(session, person)
    assert spell is not None
    return spell.opened_on


def test_a_new_spell_begins_after_the_old_one(house: House) -> None:
    person = add_person(house)
    (first,) = open_(house, [person], on=TODAY - 19 * DAY)
    close(house, first, on=TODAY - 9 * DAY)
    register_anew(house, person, last_day=TODAY - 9 * DAY, since=TODAY - DAY)
    with pytest.raises(SpellOverlaps):
        open_(house, [person], on=TODAY - 10 * DAY)
    (second,) = open_(house, [person], on=TODAY)
    assert second != first
    assert first_day(house, person) == TODAY


@pytest.mark.parametrize("on", [TODAY - DAY, TODAY])
def test_whoever_was_closed_is_opened_again_only_by_a_later_registration(house: House, on: date) -> None:
    person, other = add_person(house), add_person(house)
    (spell_id,) = open_(house, [person], on=TODAY - 29 * DAY)
    close(house, spell_id, on=TODAY - DAY, end=SpellEnd.NOT_LOOKING)
    before = snapshot(house)
    with pytest.raises(NotRegisteredAnew) as refused:
        open_(house, [other, person], on=on)
    assert (refused.value.code, refused.value.problem()["workers"]) == ("not_registered_anew", [person])
    assert snapshot(house) == before


def test_who_worked_and_is_out_of_work_again_is_owed_anew_though_nobody_ended_the_old_registration(
    house: House,
) -> None:
    person = add_person(house)
    (spell_id,) = open_(house, [person], on=TODAY - 29 * DAY)
    close(house, spell_id, on=TODAY - 20 * DAY, end=SpellEnd.EMPLOYED)
    given: dict[str, Any] = {"evidence": Evidence.CERTIFIED, "actor": "clerk/1", "keys": house.keys}
    for day in (TODAY - 25 * DAY, TODAY - 20 * DAY):
        with write_session(house.engine) as session:
            # Of before they began to work nothing is new.
            anew = register_status(
                session, person, Status.REGISTERED_UNEMPLOYED, since=day, now=house.clock.now(), **given
            )
        assert anew == SpellChanges((), ())
    for opened in (1, 0):
        with write_session(house.engine) as session:
            anew = register_status(
                session, person, Status.REGISTERED_UNEMPLOYED, since=TODAY - DAY, now=house.clock.now(), **given
            )
        assert len(anew.opened) == opened
    assert first_day(house, person) == TODAY - DAY
    with read_session(house.engine) as session:
        rows = session.scalars(
            select(WorkerStatus)
            .where(WorkerStatus.worker_id == person, WorkerStatus.status == Status.REGISTERED_UNEMPLOYED)
            .order_by(WorkerStatus.valid_from)
        ).all()
    assert [(row.valid_from, row.valid_to) for row in rows][-2:] == [
        (rows[0].valid_from, TODAY - 2 * DAY),
        (TODAY - DAY, None),
    ]


def test_a_poverty_status_that_is_written_down_anew_opens_nothing_for_whoever_works(house: House) -> None:
    person = add_person(house)
    (spell_id,) = open_(house, [person], on=TODAY - 29 * DAY)
    close(house, spell_id, on=TODAY - 20 * DAY, end=SpellEnd.EMPLOYED)
    with write_session(house.engine) as session:
        changes = register_status(
            session,
            person,
            Status.POVERTY_ALLEVIATED,
            evidence=Evidence.CERTIFIED,
            since=TODAY - DAY,
            actor="clerk/1",
            now=house.clock.now(),
            keys=house.keys,
        )
    assert changes == SpellChanges((), ())


def test_who_was_entered_wrongly_once_and_is_registered_later_begins_anew(house: House) -> None:
    person = add_person(house)
    (spell_id,) = open_(house, [person], on=TODAY - 29 * DAY)
    close(house, spell_id, on=TODAY - 20 * DAY, end=SpellEnd.MISTAKE)
    register_anew(house, person, last_day=TODAY - 20 * DAY, since=TODAY - DAY)
    assert len(sync(house).opened) == 1
    assert first_day(house, person) == TODAY


def test_what_was_closed_by_mistake_is_opened_again_from_its_first_day_on(house: House) -> None:
    person, opened_on = add_person(house), TODAY - 29 * DAY
    (first,) = open_(house, [person], on=opened_on)
    close(house, first, end=SpellEnd.MISTAKE)
    assert sync(house) == SpellChanges((), ())
    (second,) = open_(house, [person])
    assert first_day(house, person) == opened_on
    close(house, second, end=SpellEnd.MISTAKE)
    open_(house, [person])
    # However often: what was due tomorrow is due tomorrow.
    assert first_day(house, person) == opened_on
    with read_session(house.engine) as session:
        assert first_wrong_spell(session, keys=house.keys) is None
        spell = find_open_spell(session, person)
        assert spell is not None
        found = duties_of(spell, list_entries(session), book=read_rules(session), now=house.clock.now())
    assert found.due_on == TODAY + DAY


@pytest.mark.parametrize(("gap", "moves"), [(1, False), (7, False), (8, True)])
def test_a_registration_that_ends_and_begins_again_at_once_moves_no_deadline(
    house: House, gap: int, moves: bool
) -> None:
    person, opened_on = add_person(house), TODAY - 29 * DAY
    (spell_id,) = open_(house, [person], on=opened_on)
    last_day = TODAY - gap * DAY
    close(house, spell_id, on=last_day, end=SpellEnd.STATUS_ENDED)
    register_anew(house, person, last_day=last_day, since=TODAY)
    assert len(sync(house).opened) == 1
    assert first_day(house, person) == (TODAY if moves else opened_on)


def test_after_a_spell_in_which_all_was_done_a_new_one_begins_anew(house: House) -> None:
    person = add_person(house)
    (spell_id,) = open_(house, [person], on=TODAY - 29 * DAY)
    close(house, spell_id, on=TODAY - DAY)
    with write_session(house.engine) as session:
        # As if nothing were owed; what is done is what the rules of the duty say.
        session.execute(update(Policy).where(Policy.clause.in_(["8.5", "8.6", "8.7", "8.8"])).values(figures=[]))
    register_anew(house, person, last_day=TODAY - DAY, since=TODAY)
    open_(house, [person])
    assert first_day(house, person) == TODAY


@pytest.mark.parametrize("value", [None, "week", -1, True])
def test_without_a_usable_setting_nobody_is_opened_again(house: House, value: Any) -> None:
    person, newcomer = add_person(house), add_person(house)
    (spell_id,) = open_(house, [person], on=TODAY - 29 * DAY)
    close(house, spell_id, on=TODAY - DAY)
    register_anew(house, person, last_day=TODAY - DAY, since=TODAY)
    with write_session(house.engine) as session:
        session.execute(delete(LocalSetting).where(LocalSetting.name == SPELL_GAP))
        if value is not None:
            row = {"unit": "days", "choices": [], "note": "", "valid_from": date(2025, 1, 1)}
            session.add(LocalSetting(name=SPELL_GAP, value=value, **row))
    with pytest.raises(RulesMissing) as refused:
        open_(house, [person])
    assert refused.value.members["settings"] == [SPELL_GAP]
    assert len(open_(house, [newcomer])) == 1


def test_statuses_on_record_open_spells_and_end_them_on_their_last_day(house: House) -> None:
    staying, leaving, dropped = (add_person(house) for _ in range(3))
    add_person(house, [ALLEVIATED])
    changes = sync(house)
    assert (len(changes.opened), changes.closed) == (3, ())
    before = snapshot(house)
    assert sync(house) == SpellChanges((), ())
    assert snapshot(house) == before
    with write_session(house.engine) as session:
        ending = update(WorkerStatus).where(WorkerStatus.status == Status.REGISTERED_UNEMPLOYED)
        session.execute(ending.where(WorkerStatus.worker_id == leaving).values(valid_to=TODAY + 2 * DAY))
        session.execute(
            update(WorkerStatus)
            .where(WorkerStatus.worker_id == dropped, WorkerStatus.status == Status.POVERTY_ALLEVIATED)
            .values(status=Status.MONITORED)
        )
    later = TODAY + 5 * DAY
    now = house.clock.now() + 5 * DAY
    assert len(sync(house, on=later, now=now).closed) == 2
    assert sync(house, on=later, now=now) == SpellChanges((), ())
    with read_session(house.engine) as session:
        ends = dict(session.execute(select(SpellRow.worker_id, SpellRow.closed_on)).all())
    assert ends == {staying: None, leaving: TODAY + 2 * DAY, dropped: later}
    assert entries(house, leaving)[1:] == [(EntryKind.SPELL_CLOSED, {"reason": "status_ended"}, TODAY + 2 * DAY)]


def test_only_who_is_registered_anew_gets_another_spell_from_a_list(house: House) -> None:
    person = add_person(house)
    sync(house)
    with read_session(house.engine) as session:
        spell = find_open_spell(session, person)
    assert spell is not None
    close(house, spell.id, end=SpellEnd.SELF_EMPLOYED)
    tomorrow, now = TODAY + DAY, house.clock.now() + DAY
    assert sync(house) == sync(house, on=tomorrow, now=now) == SpellChanges((), ())
    with write_session(house.engine) as session:
        anew = WorkerStatus(
            worker_id=person,
            status=Status.REGISTERED_UNEMPLOYED,
            evidence=Evidence.CERTIFIED,
            valid_from=tomorrow,
            valid_to=None,
        )
        session.add(anew)
    assert len(sync(house, on=tomorrow, now=now).opened) == 1


@pytest.mark.parametrize(
    ("on", "written_after", "state"),
    [
        (TODAY - 2 * DAY, timedelta(0), DutyState.LAPSED),
        (TODAY - 2 * DAY, 14 * DAY, DutyState.OVERDUE),
        (TODAY, timedelta(0), DutyState.LAPSED),
    ],
)
def test_a_closing_that_is_dated_back_wipes_nothing_that_is_overdue_out_of_the_book(
    house: House, on: date, written_after: timedelta, state: DutyState
) -> None:
    person = add_person(house)
    # Thirty days after its opening is tomorrow.
    (spell_id,) = open_(house, [person], on=TODAY - 29 * DAY)
    now = house.clock.now() + written_after
    with write_session(house.engine) as session:
        spell = close_spell(
            session, spell_id, end=SpellEnd.MOVED_AWAY, actor="clerk/1", on=on, now=now, keys=house.keys
        )
        found = duties_of(
            spell, list_entries(session, worker_ids=[person]), book=read_rules(session), now=now + 30 * DAY
        )
    assert {duty.state for duty in found.duties.values()} == {state}
    assert found.is_closed_afterwards is (state is DutyState.OVERDUE)
