"""Plans of pushes: who is owed first, what nobody is sent again, how many a posting is sent to, what is made of it."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from app.background import plans as making
from app.background.plans import make_planned
from app.domain.ledger import Channel, EntryKind, Grade
from app.domain.obligations import APPROVED
from app.domain.pay import Pay, PayUnit
from app.domain.postings import PostingKind, PostingState
from app.domain.pushes import Answer, PushCause, PushState, Unsuitable
from app.domain.spells import SpellEnd, SpellSource
from app.kit.database import read_session, write_session
from app.store.postings import Posting
from app.store.pushes import Attempt, Push
from app.usecases.consents import give_consent
from app.usecases.ledger import append_entry, strike_entry
from app.usecases.obligations import TalkedPush, list_due, record_answer, record_service
from app.usecases.plans import (
    ChoiceByHand,
    Lifted,
    PlanMissing,
    PlannedPush,
    PlanReport,
    _Wishes,
    make_pushes,
    plan_for,
    plan_pushes,
    push_now,
    read_people,
    read_plan,
    suggest_for,
)
from app.usecases.profiles import OwnSettings, change_own_settings
from app.usecases.pushes import answer_push, count_pushes, job_of
from app.usecases.spells import close_spell, find_open_spell, open_spells
from app.usecases.workers import WorkerUnknown
from app.wiring import House, load_matchmaker
from matching import MatchIndex
from matching.ranked_tables import NOTHING
from tests.deliveries import Teller
from tests.houses import HOME_LAT, add_posting
from tests.people import ALLEVIATED, Registered, add_person

NOBODY_SPECIAL: Sequence[Registered] = ()
OTHER_TRADE = {"title": "电子厂数据标注", "occupation_code": "4-04-05-05"}


def add_owed(house: House, **given: Any) -> int:
    """Somebody to whom three pushes are owed."""
    worker_id = add_person(house, **given)
    with write_session(house.engine) as session:
        now, on = house.clock.now(), house.clock.today()
        open_spells(session, [worker_id], source=SpellSource.CLERK, actor="test", on=on, now=now, keys=house.keys)
    return worker_id


def add_twin(house: House, posting_id: int, **given: Any) -> int:
    """Another row of the same job."""
    with write_session(house.engine) as session:
        first = session.get_one(Posting, posting_id)
        values = {
            column.key: getattr(first, column.key) for column in Posting.__mapper__.column_attrs if column.key != "id"
        }
        twin = Posting(**values | given)
        session.add(twin)
        session.flush()
        assert job_of(twin) == job_of(first)
        return twin.id


def plan(house: House, folder: Path) -> tuple[PlanReport, list[PlannedPush]]:
    """Today's plan, as it is read back from its file."""
    matchmaker = load_matchmaker(house)
    with read_session(house.engine) as session:
        people = read_people(session, matchmaker, now=house.clock.now())
    report = plan_pushes(people, matchmaker, folder=folder, today=house.clock.today(), threads=1, keys=house.keys)
    return report, read_plan(folder, keys=house.keys)


def given_to(planned: Sequence[PlannedPush], worker_id: int) -> list[int]:
    return [each.posting_id for each in planned if each.worker_id == worker_id]


def push(house: House, worker_id: int, posting_id: int, state: PushState = PushState.DELIVERED, **given: Any) -> int:
    """A push of yesterday that stands as told; its id."""
    yesterday = house.clock.now() - timedelta(days=1)
    with write_session(house.engine) as session:
        posting = session.get_one(Posting, posting_id)
        values = {
            "worker_id": worker_id,
            "posting_id": posting_id,
            "job": job_of(posting),
            "cause": PushCause.PLANNED,
            "made_for": "2026-11-30",
            "match": {},
            "state": state,
            "state_at": yesterday,
            "created_at": yesterday,
            "expires_at": yesterday + timedelta(days=14),
            "link": f"{worker_id}-{posting_id}",
        }
        row = Push(**values | given)
        session.add(row)
        session.flush()
        return row.id


def spell_of(house: House, worker_id: int) -> int:
    with read_session(house.engine) as session:
        spell = find_open_spell(session, worker_id)
    assert spell is not None
    return spell.id


def tell(house: House, worker_id: int, posting_id: int) -> int:
    """A broker told somebody of a posting face to face, and it counts; the entry's id."""
    with write_session(house.engine) as session:
        posting = session.get_one(Posting, posting_id)
        entry = record_service(
            session,
            TalkedPush(
                posting=posting_id,
                job=job_of(posting),
                is_open=True,
                places=2,
                bar=None,
                skill_permille=900,
                metres=2000,
                reach_metres=30_000,
            ),
            worker_id=worker_id,
            channel=Channel.VISIT,
            evidence=Grade.A,
            happened_at=house.clock.now(),
            now=house.clock.now(),
            actor="broker/1",
            keys=house.keys,
        )
        return entry.id


# --- who is owed ------------------------------------------------------------------------------------------------------


def test_where_places_are_scarce_who_is_owed_comes_before_everybody_else(house: House, tmp_path: Path) -> None:
    others = [add_person(house, [ALLEVIATED]) for _ in range(4)] + [add_person(house, NOBODY_SPECIAL)]
    owed = [add_owed(house) for _ in range(2)]
    postings = {add_posting(house, openings=1) for _ in range(2)}
    report, planned = plan(house, tmp_path)
    assert [each.worker_id for each in planned[:4]] == [owed[0], owed[0], owed[1], owed[1]]
    assert {each.cause for each in planned[:4]} == {PushCause.OWED}
    assert all(set(given_to(planned, one)) == postings for one in owed)
    # Three people a place: of six, four are gone; two who are poverty-alleviated get one each, and nobody else.
    assert len(planned) == 6
    assert {each.worker_id for each in planned[4:]} < set(others[:4])
    assert (report.owed, report.owed_served, report.pushes) == (2, 0, 6)


def test_who_has_had_two_of_three_is_given_the_third(house: House, tmp_path: Path) -> None:
    owed = add_owed(house)
    postings = [add_posting(house) for _ in range(5)]
    entries = [tell(house, owed, posting_id) for posting_id in postings[:2]]
    report, planned = plan(house, tmp_path / "one")
    assert len(planned) == 1
    assert set(given_to(planned, owed)) <= set(postings[2:])
    assert (report.owed, report.owed_served) == (1, 1)
    with write_session(house.engine) as session:
        strike_entry(session, entries[0], why="记错了", actor="clerk/1", now=house.clock.now(), keys=house.keys)
    assert len(plan(house, tmp_path / "two")[1]) == 2


def test_what_is_on_its_way_is_waited_for_and_not_planned_again(house: House, tmp_path: Path) -> None:
    owed = add_owed(house)
    postings = [add_posting(house) for _ in range(8)]
    spell = spell_of(house, owed)
    long_ago = house.clock.now() - timedelta(days=4)
    push(house, owed, postings[0], PushState.QUEUED, spell_id=spell, cause=PushCause.OWED)
    push(house, owed, postings[1], PushState.SENT, spell_id=spell, cause=PushCause.OWED)
    # Nothing was heard of this one for four days, and these two came to nothing.
    push(house, owed, postings[2], PushState.SENT, spell_id=spell, cause=PushCause.OWED, state_at=long_ago)
    push(house, owed, postings[3], PushState.FAILED, spell_id=spell, cause=PushCause.OWED)
    push(house, owed, postings[4], PushState.SUPPRESSED, spell_id=spell, cause=PushCause.OWED)
    planned = plan(house, tmp_path)[1]
    assert [each.cause for each in planned] == [PushCause.OWED]
    assert not {*given_to(planned, owed)} & {*postings[:3]}


def test_what_does_not_fit_is_never_given_to_who_is_owed(house: House, tmp_path: Path) -> None:
    owed, other = add_owed(house), add_person(house, NOBODY_SPECIAL)
    fitting = add_posting(house)
    foreign = [add_posting(house, **OTHER_TRADE) for _ in range(3)]
    planned = plan(house, tmp_path)[1]
    assert given_to(planned, owed) == [fitting]
    assert set(given_to(planned, other)) & set(foreign)
    assert all(
        each.skill_permille > 300 and each.metres <= each.reach_metres for each in planned if each.cause == "owed"
    )


def test_each_row_tells_how_it_fits_and_why(house: House, tmp_path: Path) -> None:
    owed = add_owed(house)
    posting_id = add_posting(house)
    (row,) = plan(house, tmp_path)[1]
    assert (row.worker_id, row.rank, row.posting_id, row.spell_id) == (owed, 1, posting_id, spell_of(house, owed))
    assert row.reach_metres == 30_000
    assert 0 < row.metres < 6_000
    assert row.skill_permille > 500
    assert 0 < row.score < 1
    assert "wanted_work" in row.reasons
    lines = (tmp_path / "plan.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "worker_id,rank,posting_id,score,cause,spell_id,skill_permille,metres,reach_metres,reasons"
    assert lines[1].endswith("|".join(row.reasons))


# --- what nobody is sent again ----------------------------------------------------------------------------------------


def test_what_somebody_has_seen_or_declined_is_not_sent_them_again_nor_another_row_of_it(
    house: House, tmp_path: Path
) -> None:
    owed = add_owed(house)
    seen, declined, told, left = (add_posting(house) for _ in range(4))
    spell = spell_of(house, owed)
    old = house.clock.now() - timedelta(days=20)
    add_twin(house, seen)
    add_twin(house, told)
    for posting_id, answer in ((seen, None), (declined, Answer.UNSUITABLE)):
        push(house, owed, posting_id, PushState.ANSWERED, spell_id=spell, answer=answer, created_at=old)
    tell(house, owed, told)
    assert given_to(plan(house, tmp_path)[1], owed) == [left]


def test_what_expired_is_sent_again_after_a_week_if_it_never_left_the_house(house: House, tmp_path: Path) -> None:
    owed = add_owed(house)
    never_left, left, lately = (add_posting(house) for _ in range(3))
    spell = spell_of(house, owed)
    old = house.clock.now() - timedelta(days=8)
    push(house, owed, lately, PushState.EXPIRED, spell_id=spell)
    for posting_id in (never_left, left):
        push_id = push(house, owed, posting_id, PushState.EXPIRED, spell_id=spell, created_at=old)
        with write_session(house.engine) as session:
            session.add(
                Attempt(
                    push_id=push_id,
                    number=1,
                    channel=Channel.SMS,
                    urgency=2,
                    key=f"key-{push_id}",
                    left_at=house.clock.now() if posting_id == left else None,
                    created_at=house.clock.now(),
                )
            )
    assert given_to(plan(house, tmp_path)[1], owed) == [never_left]


def test_in_another_spell_what_was_sent_before_may_be_sent_again(house: House, tmp_path: Path) -> None:
    owed = add_owed(house)
    posting_id = add_posting(house)
    push(house, owed, posting_id, spell_id=spell_of(house, owed))
    assert given_to(plan(house, tmp_path / "one")[1], owed) == []
    now, on = house.clock.now(), house.clock.today()
    with write_session(house.engine) as session:
        close_spell(
            session, spell_of(house, owed), end=SpellEnd.MISTAKE, actor="clerk/1", on=on, now=now, keys=house.keys
        )
        open_spells(session, [owed], source=SpellSource.CLERK, actor="clerk/1", on=on, now=now, keys=house.keys)
    assert given_to(plan(house, tmp_path / "two")[1], owed) == [posting_id]


def test_what_was_declined_is_never_sent_again_in_whatever_spell(house: House, tmp_path: Path) -> None:
    owed = add_owed(house)
    declined, told = add_posting(house), add_posting(house)
    push(house, owed, declined, PushState.ANSWERED, answer=Answer.UNSUITABLE, why=Unsuitable.PAY)
    entry_id, now, on = tell(house, owed, told), house.clock.now(), house.clock.today()
    with write_session(house.engine) as session:
        record_answer(
            session,
            push=entry_id,
            answer=Answer.UNSUITABLE,
            why=Unsuitable.TOO_FAR,
            channel=Channel.VISIT,
            evidence=Grade.A,
            happened_at=now,
            now=now,
            actor="broker/1",
            keys=house.keys,
        )
        close_spell(
            session, spell_of(house, owed), end=SpellEnd.MISTAKE, actor="clerk/1", on=on, now=now, keys=house.keys
        )
        open_spells(session, [owed], source=SpellSource.CLERK, actor="clerk/1", on=on, now=now, keys=house.keys)
    other = add_posting(house)
    assert given_to(plan(house, tmp_path / "one")[1], owed) == [other]


def test_of_two_rows_of_one_job_a_person_is_given_one_and_the_places_of_both_are_used(
    house: House, tmp_path: Path
) -> None:
    people = [add_owed(house) for _ in range(6)]
    first = add_posting(house, openings=1)
    twins = {first, add_twin(house, first)}
    planned = plan(house, tmp_path)[1]
    assert Counter(each.worker_id for each in planned) == dict.fromkeys(people, 1)
    assert Counter(each.posting_id for each in planned) == dict.fromkeys(twins, 3)


def test_who_gets_two_rows_of_one_job_is_given_another_job_instead(house: House, tmp_path: Path) -> None:
    owed = add_owed(house)
    first, second, third = (add_posting(house) for _ in range(3))
    for _ in range(3):
        add_twin(house, first)
    planned = plan(house, tmp_path)[1]
    assert len(planned) == 3
    assert {second, third} < set(given_to(planned, owed))


# --- how many a posting is sent to ------------------------------------------------------------------------------------


def test_people_a_posting_was_sent_to_take_its_room_unless_they_have_declined(house: House, tmp_path: Path) -> None:
    posting_id = add_posting(house, openings=1)
    before = [add_person(house, NOBODY_SPECIAL, max_km=0) for _ in range(4)]
    push(house, before[0], posting_id)
    push(house, before[1], posting_id, PushState.ANSWERED, answer=Answer.UNSUITABLE)
    push(house, before[2], posting_id, PushState.SUPPRESSED)
    push(house, before[3], posting_id, PushState.EXPIRED)
    waiting = [add_owed(house) for _ in range(4)]
    planned = plan(house, tmp_path)[1]
    # One place, three people, one of them told already.
    assert len(planned) == 2
    assert {each.worker_id for each in planned} < set(waiting)


def test_samples_of_the_past_are_shown_and_never_planned(house: House, tmp_path: Path) -> None:
    add_owed(house)
    add_posting(house, state=PostingState.HISTORICAL, valid_until=None)
    report, planned = plan(house, tmp_path)
    assert (report.postings, planned) == (0, [])


def test_the_weekly_cap_leaves_room_for_what_is_owed_alone(house: House, tmp_path: Path) -> None:
    owed, other, rested = add_owed(house), add_person(house, NOBODY_SPECIAL), add_person(house, NOBODY_SPECIAL)
    postings = [add_posting(house) for _ in range(8)]
    last_week = house.clock.now() - timedelta(days=8)
    for posting_id in postings[:2]:
        push(house, owed, posting_id)
        push(house, other, posting_id)
        push(house, rested, posting_id, created_at=last_week)
    push(house, other, postings[2], cause=PushCause.ASKED)
    planned = plan(house, tmp_path)[1]
    assert [len(given_to(planned, one)) for one in (owed, other, rested)] == [3, 1, 3]


# --- for whom rather --------------------------------------------------------------------------------------------------


def test_an_older_worker_is_led_to_the_lanes_and_comes_to_their_places_first(house: House, tmp_path: Path) -> None:
    # Two trades that both want; the one of no lane is nearer, pays better and has places for all.
    wants = {"wants": ["4-09-08-01", OTHER_TRADE["occupation_code"]]}
    younger = [add_person(house, NOBODY_SPECIAL, birth_on=date(1990, 1, 1), **wants) for _ in range(3)]
    older = add_person(house, NOBODY_SPECIAL, birth_on=date(1966, 1, 1), **wants)
    other = [add_posting(house, **OTHER_TRADE, openings=9) for _ in range(3)]
    light = add_posting(house, openings=1)
    matchmaker = load_matchmaker(house)
    assert matchmaker.ids_for_older().tolist() == [light]
    for one in younger[:2]:
        push(house, one, light)
    planned = plan(house, tmp_path)[1]
    # One of three people whom the place has room for is left.
    assert given_to(planned, older)[0] == light
    assert [light in given_to(planned, one) for one in younger] == [False] * 3
    assert all(set(given_to(planned, one)) <= {*other} for one in younger)
    with read_session(house.engine) as session:
        now = plan_for(session, load_matchmaker(house), older, now=house.clock.now())
    assert [each.posting_id for each in now] == given_to(planned, older)


def test_a_lane_for_older_workers_lifts_nothing_that_they_are_not_skilled_for(house: House, tmp_path: Path) -> None:
    older = add_person(house, NOBODY_SPECIAL, birth_on=date(1966, 1, 1), wants=[OTHER_TRADE["occupation_code"]])
    add_posting(house)
    own = add_posting(house, **OTHER_TRADE)
    assert given_to(plan(house, tmp_path)[1], older)[0] == own


def test_who_comes_home_soon_goes_before_others_of_their_class(house: House, tmp_path: Path) -> None:
    others = [add_person(house, NOBODY_SPECIAL) for _ in range(3)]
    back_on = house.clock.today() + timedelta(days=20)
    returning = add_person(house, NOBODY_SPECIAL, current_area_code="440300", available_on=back_on)
    alleviated = add_person(house, [ALLEVIATED])
    add_posting(house, openings=1)
    planned = plan(house, tmp_path)[1]
    assert [each.worker_id for each in planned][:2] == [alleviated, returning]
    assert len(planned) == 3
    assert planned[2].worker_id in others


def test_a_public_welfare_post_is_sent_to_whom_it_was_granted_and_to_nobody_else(house: House, tmp_path: Path) -> None:
    granted, other = add_owed(house), add_owed(house)
    market = [add_posting(house, openings=9) for _ in range(2)]
    welfare = add_posting(house, openings=9, kind=PostingKind.PUBLIC_WELFARE, lat=HOME_LAT + 0.08)
    assert [welfare in given_to(plan(house, tmp_path)[1], one) for one in (granted, other)] == [False, False]
    step = decide(house, granted, APPROVED)
    planned = plan(house, tmp_path)[1]
    assert given_to(planned, granted)[0] == welfare
    assert set(given_to(planned, other)) == {*market}
    with read_session(house.engine) as session:
        matchmaker, now = load_matchmaker(house), house.clock.now()
        assert plan_for(session, matchmaker, granted, now=now)[0].posting_id == welfare
        assert suggest_for(session, matchmaker, [other], now=now)[other] == given_to(planned, other)
    path = tmp_path / "struck"
    plan(house, path)
    with write_session(house.engine) as session:
        strike_entry(session, step, why="批错了", actor="officer/2", now=house.clock.now(), keys=house.keys)
    assert welfare not in given_to(plan(house, tmp_path)[1], granted)
    # What was planned before it was struck is not made any more, nor sent.
    report = make_planned(house, path)
    assert (report.needless, welfare in {each.posting_id for each in all_pushes(house)}) == (1, False)


def decide(house: House, worker_id: int, step: str) -> int:
    """A decision as the ledger holds it; the entry's id."""
    with write_session(house.engine) as session:
        return append_entry(
            session,
            kind=EntryKind.LAST_RESORT,
            worker_id=worker_id,
            spell_id=spell_of(house, worker_id),
            happened_at=house.clock.now(),
            now=house.clock.now(),
            actor="officer/2",
            facts={"step": step, "reasons": []},
            keys=house.keys,
        ).id


def test_lists_with_what_is_lifted_are_those_of_a_judge_who_reads_everything(house: House) -> None:
    trades = ["4-09-08-01", OTHER_TRADE["occupation_code"]]
    people = [add_person(house, NOBODY_SPECIAL, wants=trades[number % 2 :]) for number in range(4)]
    for _ in range(20):
        add_posting(house)
        add_posting(house, **OTHER_TRADE)
    matchmaker = load_matchmaker(house)
    path = house.settings.data / "index"
    matchmaker.save_index(path)
    index = MatchIndex.open(path)
    with read_session(house.engine) as session:
        seekers = [person.seeker for person in read_people(session, matchmaker, now=house.clock.now()).persons]
    assert [seeker.id for seeker in seekers] == people
    draws = np.random.default_rng(7)
    ids, _ = index.places_left()
    lifted = Lifted(np.sort(draws.choice(ids, 15, replace=False)), 0.1)
    barred = {people[1]: frozenset(draws.choice(ids, 6, replace=False).tolist())}
    for round_ in range(40):
        among = np.sort(draws.choice(ids, 25, replace=False))
        prices = (among, draws.choice([0.0, 0.05, 0.4], 25).astype(np.float32))
        leasts = draws.random(4) if round_ % 2 else None
        wishes = _Wishes(
            index,
            barred=barred,
            lifted=dict.fromkeys(people[1:3], lifted),
            skill_min=0.0,
            skilled=0.301,
        )
        k = int(draws.integers(1, 12))
        found = wishes.rank_many(seekers, k, 1, prices, among=among, leasts=leasts)
        for row, seeker in enumerate(seekers):
            cost = dict(zip(*(each.tolist() for each in prices), strict=True))
            counts = {
                match.opening_id: match.score
                + 0.1 * (seeker.id in people[1:3] and match.opening_id in lifted.ids and match.parts["skill"] > 0.3)
                for match in index.explain_many(seeker, among.tolist())
                if match.opening_id not in barred.get(seeker.id, ())
            }
            net = {each: counts[each] - cost[each] for each in counts}
            best = sorted(net, key=lambda each: (-net[each], each))[:k]
            if leasts is not None:
                best = [each for each in best if net[each] >= leasts[row] + 1e-6]
            told = found.ids[row][found.ids[row] != NOTHING].tolist()
            assert [round(net[each], 5) for each in told[: len(best)]] == [round(net[each], 5) for each in best]
            scores = found.scores[row][: len(told)].tolist()
            assert scores == pytest.approx([counts[each] for each in told], abs=1e-5)


# --- why --------------------------------------------------------------------------------------------------------------


def test_a_push_has_its_cause(house: House, tmp_path: Path) -> None:
    light = add_posting(house)
    today = house.clock.today()
    born = {"birth_on": date(1990, 1, 1)}
    older = add_person(house, NOBODY_SPECIAL, birth_on=today.replace(year=today.year - 50))
    younger = add_person(house, NOBODY_SPECIAL, birth_on=today.replace(year=today.year - 50) + timedelta(days=1))
    back_soon = add_person(
        house, NOBODY_SPECIAL, current_area_code="440300", available_on=today + timedelta(days=30), **born
    )
    back_later = add_person(
        house, NOBODY_SPECIAL, current_area_code="440300", available_on=today + timedelta(days=31), **born
    )
    at_home = add_person(
        house, NOBODY_SPECIAL, current_area_code="500103", available_on=today + timedelta(days=9), **born
    )
    with write_session(house.engine) as session:
        session.get_one(Posting, light).openings = 9
        session.get_one(Posting, light).changed_at = house.clock.now()
    causes = {each.worker_id: each.cause for each in plan(house, tmp_path)[1]}
    assert causes == {
        older: PushCause.OLDER,
        younger: PushCause.PLANNED,
        back_soon: PushCause.RETURNING,
        back_later: PushCause.PLANNED,
        at_home: PushCause.PLANNED,
    }


# --- making them ------------------------------------------------------------------------------------------------------


@pytest.fixture
def ready(house: House, tmp_path: Path) -> House:
    """A house that sends text messages, and a plan in tmp_path/plan: nine pushes, three of them to be visited."""
    visited, *others = (add_owed(house) for _ in range(3))
    for _ in range(5):
        add_posting(house)
    now = house.clock.now()
    with write_session(house.engine) as session:
        for other in others:
            give_consent(
                session, worker_id=other, channel=Channel.SMS, how="clerk", actor="test", now=now, keys=house.keys
            )
    assert len(given_to(plan(house, tmp_path / "plan")[1], visited)) == 3
    return replace(house, senders=(Teller(),))


def all_pushes(house: House) -> list[Push]:
    with read_session(house.engine) as session:
        return list(session.scalars(select(Push).order_by(Push.id)))


def test_a_plan_is_made_once_however_often_it_is_asked_for(ready: House, tmp_path: Path) -> None:
    made = make_planned(ready, tmp_path / "plan")
    assert (made.queued, made.visits, made.suppressed, made.known, made.over) == (6, 3, 0, 0, 0)
    again = make_planned(ready, tmp_path / "plan")
    assert (again.made, again.known) == (0, 9)
    pushes = all_pushes(ready)
    assert len(pushes) == 9
    assert {each.made_for for each in pushes} == {"2026-12-01"}
    assert all(each.match["bar"] is None and each.match["skill_permille"] > 300 and each.spell_id for each in pushes)
    with read_session(ready.engine) as session:
        assert sum(count_pushes(session, made_for="2026-12-01").values()) == 9
    # A plan of the same day afterwards finds that all is on its way.
    assert plan(ready, tmp_path / "later")[1] == []


def test_making_that_was_stopped_in_the_middle_is_taken_up(
    ready: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "PUSHES_AT_ONCE", 2)

    def stop(done: int, _of: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_planned(ready, tmp_path / "plan", on_progress=stop)
    assert len(all_pushes(ready)) == 4
    made = make_planned(ready, tmp_path / "plan")
    assert (made.made, made.known) == (5, 4)
    assert len({(each.worker_id, each.posting_id) for each in all_pushes(ready)}) == 9


def test_a_limit_is_one_of_new_pushes(ready: House, tmp_path: Path) -> None:
    assert [make_planned(ready, tmp_path / "plan", limit=4).made for _ in range(4)] == [4, 4, 1, 0]


def test_what_is_not_offered_any_more_is_not_made(ready: House, tmp_path: Path) -> None:
    planned = read_plan(tmp_path / "plan", keys=ready.keys)
    with write_session(ready.engine) as session:
        session.get_one(Posting, planned[0].posting_id).state = PostingState.PAUSED
    gone = sum(each.posting_id == planned[0].posting_id for each in planned)
    made = make_planned(ready, tmp_path / "plan")
    assert (made.over, made.made) == (gone, 9 - gone)


def test_what_happened_between_plan_and_making_is_heeded(ready: House, tmp_path: Path) -> None:
    planned = read_plan(tmp_path / "plan", keys=ready.keys)
    first, second, third = sorted({each.worker_id for each in planned})
    rows = {
        worker: [each.posting_id for each in planned if each.worker_id == worker] for worker in (first, second, third)
    }
    tell(ready, first, rows[first][0])  # a broker was quicker
    push(ready, second, rows[second][0], PushState.ANSWERED, answer=Answer.UNSUITABLE, why=Unsuitable.PAY)
    now, on = ready.clock.now(), ready.clock.today()
    with write_session(ready.engine) as session:
        close_spell(
            session, spell_of(ready, third), end=SpellEnd.EMPLOYED, actor="clerk/1", on=on, now=now, keys=ready.keys
        )
    made = make_planned(ready, tmp_path / "plan")
    assert (made.made, made.needless, made.over) == (4, 5, 0)
    new = {(each.worker_id, each.posting_id) for each in all_pushes(ready) if each.made_for != "2026-11-30"}
    assert new == {(worker, posting) for worker in (first, second) for posting in rows[worker][1:]}
    assert make_planned(ready, tmp_path / "plan").known == 4


def test_a_posting_that_has_been_sent_to_as_many_as_it_has_room_for_is_not_made(ready: House, tmp_path: Path) -> None:
    planned = read_plan(tmp_path / "plan", keys=ready.keys)
    posting_id = planned[0].posting_id
    for _ in range(6):  # two places, three people for each
        push(ready, add_person(ready, []), posting_id)
    full = sum(each.posting_id == posting_id for each in planned)
    made = make_planned(ready, tmp_path / "plan")
    assert (made.over, made.made) == (full, 9 - full)


def test_three_are_suggested_to_each_and_first_what_waits_to_be_brought(ready: House, tmp_path: Path) -> None:
    postings = read_plan(tmp_path / "plan", keys=ready.keys)
    visited = min(each.worker_id for each in postings)
    make_planned(ready, tmp_path / "plan", limit=2)
    waiting = [each.posting_id for each in all_pushes(ready) if each.worker_id == visited]
    matchmaker = load_matchmaker(ready)
    with read_session(ready.engine) as session:
        found = suggest_for(session, matchmaker, [visited, 999_999], now=ready.clock.now())
    assert found.keys() == {visited}
    assert found[visited][: len(waiting)] == waiting
    assert len(set(found[visited])) == 3


def row(worker_id: int, posting_id: int) -> PlannedPush:
    return PlannedPush(
        worker_id=worker_id,
        rank=1,
        posting_id=posting_id,
        score=0.5,
        cause=PushCause.PLANNED,
        spell_id=None,
        skill_permille=900,
        metres=1,
        reach_metres=2,
        reasons=(),
    )


def test_a_push_ends_with_its_postings_last_day_or_after_two_weeks(house: House) -> None:
    worker_id = add_person(house)
    now = house.clock.now()
    ends = {
        add_posting(house, valid_until=date(2026, 12, 3)): datetime(2026, 12, 3, 16, tzinfo=UTC),
        add_posting(house, valid_until=date(2027, 3, 1)): now + timedelta(days=14),
        add_posting(house, valid_until=None): now + timedelta(days=14),
    }
    rows = [row(worker_id, posting_id) for posting_id in ends]
    with write_session(house.engine) as session:
        make_pushes(session, rows, made_for="2026-12-01", served=frozenset(), now=now, keys=house.keys)
    assert {each.posting_id: each.expires_at for each in all_pushes(house)} == ends


@pytest.mark.parametrize(
    ("old", "new"), [("worker_id,rank", "rank,worker_id"), (",owed,", ",older,"), ("\r\n", "\r\n" * 2), (None, "")]
)
def test_a_plan_that_somebody_has_changed_is_none(ready: House, tmp_path: Path, old: str | None, new: str) -> None:
    file = tmp_path / "plan" / "plan.csv"
    text = file.read_bytes().decode()
    file.write_bytes((new if old is None else text.replace(old, new, 1)).encode())
    assert file.read_bytes().decode() != text
    with pytest.raises(PlanMissing):
        make_planned(ready, tmp_path / "plan")
    file.unlink()
    with pytest.raises(PlanMissing):
        make_planned(ready, tmp_path / "plan")
    assert all_pushes(ready) == []


def test_the_day_of_a_plan_cannot_be_changed(ready: House, tmp_path: Path) -> None:
    file = tmp_path / "plan" / "report.json"
    file.write_text(file.read_text(encoding="utf-8").replace("2026-12-01", "2026-12-02", 1), encoding="utf-8")
    with pytest.raises(PlanMissing):
        make_planned(ready, tmp_path / "plan")


# --- for one person ---------------------------------------------------------------------------------------------------


def test_one_person_is_sent_what_is_owed_to_them_now_and_no_more(house: House) -> None:
    owed = add_owed(house)
    postings = [add_posting(house) for _ in range(5)]
    for _ in range(20):
        add_twin(house, postings[0])
    add_posting(house, **OTHER_TRADE)
    tell(house, owed, postings[4])
    matchmaker, now = load_matchmaker(house), house.clock.now()
    for expected in (2, 0):
        with write_session(house.engine) as session:
            planned = push_now(
                session, matchmaker, owed, served=frozenset(), now=now, keys=house.keys, cause=PushCause.OWED
            )
        assert [each.cause for each in planned] == [PushCause.OWED] * expected
    with read_session(house.engine) as session:
        jobs = {job_of(session.get_one(Posting, each.posting_id)) for each in all_pushes(house)}
    assert len(jobs) == len(all_pushes(house)) == 2


def test_two_who_push_to_one_person_at_once_give_them_what_is_owed_once(house: House) -> None:
    worker = add_owed(house)
    for _ in range(9):
        add_posting(house)
    matchmaker = load_matchmaker(house)
    barrier = Barrier(2)

    def push_at(seconds: int) -> int:
        barrier.wait()
        with write_session(house.engine) as session:
            now = house.clock.now() + timedelta(seconds=seconds)
            return len(push_now(session, matchmaker, worker, served=frozenset(), now=now, keys=house.keys))

    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(push_at, (1, 2)))
    assert sorted(made) == [3, 3]
    causes = Counter(each.cause for each in all_pushes(house))
    # The second finds nothing owed any more, and so is as if they had asked.
    assert causes == {PushCause.OWED: 3, PushCause.ASKED: 3}


def test_two_who_make_plans_for_the_last_place_at_once_keep_to_its_room(house: House) -> None:
    people = [add_person(house, NOBODY_SPECIAL) for _ in range(6)]
    posting = add_posting(house, openings=1)
    barrier = Barrier(2)

    def make(some: Sequence[int]) -> int:
        rows = [row(one, posting) for one in some]
        barrier.wait()
        with write_session(house.engine) as session:
            now = house.clock.now()
            report = make_pushes(session, rows, made_for="x", served=frozenset(), now=now, keys=house.keys)
        return report.made

    with write_session(house.engine) as session:
        for one in people:
            give_consent(
                session,
                worker_id=one,
                channel=Channel.SMS,
                how="clerk",
                actor="test",
                now=house.clock.now(),
                keys=house.keys,
            )
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(make, (people[:3], people[3:])))
    assert sum(made) == len(all_pushes(house)) == 3


def test_however_many_rows_one_job_has_there_are_others_behind_them(house: House) -> None:
    worker = add_owed(house)
    first = add_posting(house)
    rows = [first, *(add_twin(house, first) for _ in range(70))]
    others = [add_posting(house, lat=HOME_LAT + 0.06) for _ in range(2)]
    with read_session(house.engine) as session:
        planned = plan_for(session, load_matchmaker(house), worker, now=house.clock.now())
    assert planned[0].posting_id in rows
    assert {each.posting_id for each in planned[1:]} == {*others}


def test_an_older_worker_who_asks_is_not_given_lanes_that_are_far_worse_than_what_comes_next(house: House) -> None:
    worker = add_person(
        house, NOBODY_SPECIAL, birth_on=date(1966, 1, 1), wants=[OTHER_TRADE["occupation_code"], "4-09-08-01"]
    )
    first = add_posting(house, **OTHER_TRADE)
    for _ in range(60):
        add_twin(house, first)
    others = [add_posting(house, **OTHER_TRADE) for _ in range(2)]
    for _ in range(3):
        add_posting(house, lat=HOME_LAT + 0.2, pay=Pay(unit=PayUnit.MONTH, low=Decimal(2100), high=Decimal(2100)))
    with write_session(house.engine) as session:
        for each in others:
            posting = session.get_one(Posting, each)
            posting.lat = HOME_LAT + 0.06
    with read_session(house.engine) as session:
        planned = plan_for(session, load_matchmaker(house), worker, now=house.clock.now())
    assert {each.posting_id for each in planned[1:]} == {*others}


def test_who_asks_is_given_three_others_each_time(house: House) -> None:
    asking = add_person(house, NOBODY_SPECIAL)
    for _ in range(6):
        add_posting(house)
    now, matchmaker = house.clock.now(), load_matchmaker(house)
    with write_session(house.engine) as session:
        give_consent(session, worker_id=asking, channel=Channel.SMS, how="kiosk", actor="t", now=now, keys=house.keys)
    seen: list[int] = []
    for number in (3, 3, 0):
        with write_session(house.engine) as session:
            planned = push_now(session, matchmaker, asking, served=frozenset({Channel.SMS}), now=now, keys=house.keys)
        assert [each.cause for each in planned] == [PushCause.ASKED] * number
        seen += [each.posting_id for each in planned]
    assert len(set(seen)) == 6
    assert {each.state for each in all_pushes(house)} == {PushState.QUEUED}


def test_planning_for_one_person_makes_nothing_and_knows_who_is_there(house: House) -> None:
    owed = add_owed(house)
    add_posting(house)
    matchmaker, now = load_matchmaker(house), house.clock.now()
    with read_session(house.engine) as session:
        assert [each.cause for each in plan_for(session, matchmaker, owed, now=now)] == [PushCause.OWED]
        with pytest.raises(WorkerUnknown):
            plan_for(session, matchmaker, 999_999, now=now)
    assert all_pushes(house) == []


def test_an_answer_that_declines_gives_the_place_back(house: House, tmp_path: Path) -> None:
    first, second = add_owed(house), add_person(house, NOBODY_SPECIAL)
    posting_id = add_posting(house, openings=1)
    for number in range(2):
        push(house, add_person(house, NOBODY_SPECIAL, max_km=0), posting_id, link=f"other-{number}")
    push_id = push(house, first, posting_id, spell_id=spell_of(house, first))
    assert plan(house, tmp_path / "one")[1] == []
    with write_session(house.engine) as session:
        answer_push(session, push_id, Answer.UNSUITABLE, channel=Channel.SMS, now=house.clock.now(), keys=house.keys)
    assert [each.worker_id for each in plan(house, tmp_path / "two")[1]] == [second]


# --- what people want of machines -------------------------------------------------------------------------------------


def want(house: House, worker_id: int, *, personalised: bool = True, automated: bool = True) -> None:
    settings = OwnSettings(personalised=personalised, automated=automated)
    with write_session(house.engine) as session:
        change_own_settings(session, worker_id, settings, actor="test", now=house.clock.now())


def test_for_who_wants_no_machine_to_choose_nothing_is_chosen_and_the_staff_is_asked(
    house: House, tmp_path: Path
) -> None:
    objecting, other = add_owed(house), add_owed(house)
    for _ in range(4):
        add_posting(house)
    want(house, objecting, automated=False)
    report, planned = plan(house, tmp_path / "plan")
    assert (report.by_hand, report.people) == (1, 1)
    assert (given_to(planned, objecting), len(given_to(planned, other))) == ([], 3)
    matchmaker, now = load_matchmaker(house), house.clock.now() + timedelta(days=29)
    with read_session(house.engine) as session:
        with pytest.raises(ChoiceByHand):
            plan_for(session, matchmaker, objecting, now=house.clock.now())
        assert suggest_for(session, matchmaker, [objecting], now=now) == {}
        found = list_due(
            session, now=now, suggest=lambda ids: suggest_for(session, matchmaker, ids, now=house.clock.now())
        )
    steps = {
        person.worker_id: next(step for step in person.steps if step.kind is EntryKind.PUSH) for person in found.people
    }
    # The duty is the same; only who chooses is not.
    assert steps[objecting].missing == steps[other].missing == 3
    assert (dict(steps[objecting].what), "您来挑" in steps[objecting].text) == ({"by_hand": True}, True)
    assert steps[other].what["postings"]


def test_a_plan_of_before_is_not_carried_out_for_who_has_objected_since(ready: House, tmp_path: Path) -> None:
    objecting = min(each.worker_id for each in read_plan(tmp_path / "plan", keys=ready.keys))
    want(ready, objecting, automated=False)
    made = make_planned(ready, tmp_path / "plan")
    assert (made.made, made.needless) == (6, 3)
    assert objecting not in {each.worker_id for each in all_pushes(ready)}


def test_who_wants_no_recommendations_is_sent_what_is_owed_and_nothing_besides(house: House, tmp_path: Path) -> None:
    owed, other = add_owed(house), add_person(house, [])
    for _ in range(4):
        add_posting(house)
    for worker in (owed, other):
        want(house, worker, personalised=False)
    _, planned = plan(house, tmp_path / "plan")
    assert (len(given_to(planned, owed)), given_to(planned, other)) == (3, [])
