"""The demo: enough of everything, lawful where it is open, equal under one seed, and nobody real in it."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from app.domain.areas import CHONGQING, AreaLevel, Precision, great_circle_km
from app.domain.employers import EmployerKind, is_social_credit_code
from app.domain.hours import MIDNIGHT, hour_of_end
from app.domain.identities import birth_date_of, id_check, is_id_number, is_mobile_phone, sex_of
from app.domain.ledger import EntryKind, Grade
from app.domain.occupations import Lane
from app.domain.pay import Pay, PayUnit
from app.domain.postings import (
    Demand,
    Lack,
    PostingKind,
    PostingOrigin,
    PostingState,
    age_limits_in,
    screen,
)
from app.domain.spells import SpellEnd
from app.domain.workers import Education, Evidence, Limit, Status, WorkerOrigin, age_on, is_over_age
from app.kit.clock import china_date
from app.kit.database import open_engine, read_session, write_session
from app.kit.keys import KeyRing, new_key_ring
from app.store.areas import Area, in_force, list_areas, list_children
from app.store.audit import AuditEntry
from app.store.brokers import Broker, Case
from app.store.courses import Course, CourseSession
from app.store.employers import Employer
from app.store.identities import Identity, read_identity
from app.store.industries import Industry
from app.store.occupations import Occupation
from app.store.policies import Policy
from app.store.postings import Posting, is_listed
from app.store.spells import SpellRow
from app.store.workers import Worker, WorkerStatus
from app.usecases.ledger import list_entries
from app.usecases.postings import shelf_life_days
from app.usecases.spell_proofs import first_wrong_spell
from seed.demo import ReferenceMissing, load_demo, sample_postings_path
from seed.dice import Dice, Urn
from seed.postings import LANE_FLOOR, Market, townships_of, unreachable_phone
from seed.reference import load_reference
from seed.trades import SETTINGS, TRADES, WORKS
from seed.workers import OLDEST, YOUNGEST

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
POSTINGS, WORKERS = 4_625, 400  # 4,625 is the least that the floor of the lanes promises itself for


def silent(_name: str, _rows: int) -> None:
    """A report that nobody reads."""


def add_demo(engine: Engine, keys: KeyRing, **given: Any) -> dict[str, int]:
    options: dict[str, Any] = {"postings": 300, "workers": 40, "now": NOW, "today": TODAY, "report": silent} | given
    return load_demo(engine, keys=keys, **options)


def rows(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that the demo writes in the clear, ids included."""
    with read_session(engine) as session:
        return {
            table.__tablename__: [tuple(row) for row in session.execute(select(table.__table__).order_by(table.id))]
            for table in (Employer, Posting, Worker, WorkerStatus, Course, CourseSession, Broker, Case)
        }


@pytest.fixture(scope="module")
def keys() -> KeyRing:
    return new_key_ring()


@pytest.fixture(scope="module")
def reference(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the reference data, to be copied."""
    path = tmp_path_factory.mktemp("reference") / "jiujin.db"
    shutil.copyfile(sqlite_template, path)
    engine = open_engine(f"sqlite:///{path}")
    load_reference(engine, now=NOW, report=silent)
    engine.dispose()
    return path


@pytest.fixture
def furnished(reference: Path, tmp_path: Path) -> Iterator[Engine]:
    """A SQLite database with the reference data and nothing else."""
    path = tmp_path / "furnished.db"
    shutil.copyfile(reference, path)
    engine = open_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def demo(reference: Path, tmp_path_factory: pytest.TempPathFactory, keys: KeyRing) -> Iterator[Engine]:
    """One SQLite database with a demo of the least full size, to be read only."""
    path = tmp_path_factory.mktemp("demo") / "jiujin.db"
    shutil.copyfile(reference, path)
    engine = open_engine(f"sqlite:///{path}")
    add_demo(engine, keys, postings=POSTINGS, workers=WORKERS)
    yield engine
    engine.dispose()


@pytest.fixture
def reading(demo: Engine) -> Iterator[Session]:
    with read_session(demo) as session:
        yield session


@pytest.fixture
def postings(reading: Session) -> list[Posting]:
    return list(reading.scalars(select(Posting)))


@pytest.fixture
def open_postings(postings: list[Posting]) -> list[Posting]:
    return [posting for posting in postings if posting.state is PostingState.OPEN]


@pytest.fixture
def workers(reading: Session) -> list[Worker]:
    return list(reading.scalars(select(Worker)))


# --- loading ----------------------------------------------------------------------------------------------------------


def test_the_demo_loads_once_on_both_databases(database: Engine, keys: KeyRing) -> None:
    load_reference(database, now=NOW, report=silent)
    told: list[tuple[str, int]] = []
    counts = add_demo(database, keys, report=lambda name, number: told.append((name, number)))
    assert (counts["postings"], counts["workers"], counts["identities"]) == (300, 40, 40)
    before = rows(database)
    assert {table: len(found) for table, found in before.items()}.items() <= counts.items()
    assert told == [
        ("演示用人单位", counts["employers"]),
        ("演示岗位", 300),
        ("演示求职者", 40),
        ("演示培训班和经纪人", counts["course_sessions"] + counts["brokers"]),
        ("演示台账", counts["ledger"]),
    ]
    told.clear()
    again = add_demo(database, keys, postings=500, report=lambda name, number: told.append((name, number)))
    assert set(again.values()) == {0}
    assert told == [("演示数据已经在库里，没有改动", counts["employers"] + 340)]
    assert rows(database) == before
    with write_session(database) as session:
        for worker in session.scalars(select(Worker)).all():
            facts = read_identity(session, worker.id, keys=keys, actor="test", reason="test", now=NOW)
            assert facts is not None
            assert worker.sex is not None
            assert birth_date_of(facts.id_number) == worker.birth_on
            assert sex_of(facts.id_number) == worker.sex.value
            assert facts.id_number[:6] == worker.home_area_code[:6]
        later = Employer(name="后来的单位", kind=EmployerKind.FIRM)
        session.add(later)
        session.flush()
        assert later.id > before["employers"][-1][0]


def test_equal_arguments_give_equal_rows(reference: Path, tmp_path: Path, keys: KeyRing) -> None:
    found = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        path = tmp_path / f"{name}.db"
        shutil.copyfile(reference, path)
        engine = open_engine(f"sqlite:///{path}")
        add_demo(engine, keys, rng_seed=seed)
        found.append(rows(engine))
        engine.dispose()
    assert found[0] == found[1]
    # The catalogue of courses is the same in every demo; when and where they are held is not.
    assert all(found[0][table] != found[2][table] for table in found[0].keys() - {"courses", "brokers"})


def test_the_number_of_postings_does_not_change_the_people(reference: Path, tmp_path: Path, keys: KeyRing) -> None:
    found = []
    for number in (200, 260):
        path = tmp_path / f"{number}.db"
        shutil.copyfile(reference, path)
        engine = open_engine(f"sqlite:///{path}")
        add_demo(engine, keys, postings=number)
        found.append(rows(engine)["workers"])
        engine.dispose()
    assert found[0] == found[1]


def test_without_reference_data_nothing_is_added(sqlite_database: Engine, keys: KeyRing) -> None:
    with pytest.raises(ReferenceMissing, match="先装入基础数据"):
        add_demo(sqlite_database, keys)
    assert not any(rows(sqlite_database).values())


@pytest.mark.parametrize("wrong", [{"postings": -1}, {"workers": -1}])
def test_negative_numbers_are_refused(furnished: Engine, keys: KeyRing, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        add_demo(furnished, keys, **wrong)


@pytest.mark.parametrize(("postings", "workers"), [(0, 0), (0, 5), (5, 0), (1, 1)])
def test_a_demo_may_be_as_small_as_one_likes(furnished: Engine, keys: KeyRing, postings: int, workers: int) -> None:
    counts = add_demo(furnished, keys, postings=postings, workers=workers)
    assert (counts["postings"], counts["workers"], counts["identities"]) == (postings, workers, workers)


@pytest.mark.parametrize("month", range(1, 13))
def test_every_month_has_work_for_every_lane(reading: Session, month: int) -> None:
    first = date(2027, month, 1)
    districts = list_children(reading, CHONGQING, on=first)
    townships = townships_of(districts, list_areas(reading, on=first, levels=(AreaLevel.TOWNSHIP,)))
    occupations = {row.code: row for row in reading.scalars(select(Occupation))}
    dice = Dice(np.random.default_rng(month))
    market = Market(
        townships,
        occupations,
        dice,
        now=datetime(2027, month, 1, 3, tzinfo=UTC),
        today=first,
        shelf_life_days=shelf_life_days(reading, on=first),
    )
    market.fill(370)
    assert len(market.postings) == 370


def test_the_load_is_in_the_audit(reading: Session) -> None:
    entry = reading.scalars(select(AuditEntry).where(AuditEntry.action == "load_demo")).one()
    assert entry.detail == f"{POSTINGS} postings, {WORKERS} workers, seed 2026"


def test_the_sample_postings_are_where_the_importer_is_sent() -> None:
    assert sample_postings_path().read_text(encoding="utf-8").startswith("id,platform,snapshot,title,")


# --- marked as generated ----------------------------------------------------------------------------------------------


def test_everything_says_that_it_is_generated(reading: Session, postings: list[Posting], workers: list[Worker]) -> None:
    assert {posting.origin for posting in postings} == {PostingOrigin.GENERATED}
    assert {worker.origin for worker in workers} == {WorkerOrigin.GENERATED}
    employers = reading.scalars(select(Employer)).all()
    assert all(employer.generated for employer in employers)
    assert all("示例" in employer.name for employer in employers)
    assert len({employer.name for employer in employers}) == len(employers)


def test_no_phone_can_ring(reading: Session, postings: list[Posting]) -> None:
    phones = [employer.phone for employer in reading.scalars(select(Employer))]
    assert len(set(phones)) == len(phones)
    for phone in {*phones, *(posting.phone for posting in postings)}:
        # 00 leads abroad, and no country's code begins with 0 (ITU-T E.164).
        assert phone.startswith("000")
        assert len(phone) == 11
        assert not is_mobile_phone(phone)


def test_social_credit_codes_are_well_formed_and_nobodys(reading: Session) -> None:
    for employer in reading.scalars(select(Employer)):
        if employer.kind in (EmployerKind.HOUSEHOLD, EmployerKind.PROJECT):
            assert employer.social_credit_code is None
        else:
            assert employer.social_credit_code is not None
            assert is_social_credit_code(employer.social_credit_code)
            assert employer.social_credit_code[2:8] == "000000"


def test_no_id_number_can_exist(furnished: Engine, keys: KeyRing) -> None:
    add_demo(furnished, keys, postings=0, workers=WORKERS)
    with write_session(furnished) as session:
        workers = session.scalars(select(Worker)).all()
        facts = [
            read_identity(session, worker.id, keys=keys, actor="test", reason="test", now=NOW) for worker in workers
        ]
    numbers = [fact.id_number for fact in facts if fact is not None]
    assert len(set(numbers)) == len(workers)
    for number in numbers:
        assert len(number) == 18
        assert not is_id_number(number, today=TODAY)
        # It is the check digit alone that is wrong: with the right one it would pass.
        assert is_id_number(number[:17] + id_check(number), today=TODAY)
    assert all(fact is not None and fact.phone is not None and fact.phone.startswith("000") for fact in facts)
    assert all(fact is not None and 2 <= len(fact.name) <= 3 for fact in facts)


# --- postings ---------------------------------------------------------------------------------------------------------


def test_every_lane_of_every_district_has_its_floor(reading: Session) -> None:
    lanes = {row.code: row.lanes for row in reading.scalars(select(Occupation))}
    listed = reading.scalars(
        select(Posting).where(is_listed(TODAY), Posting.state == PostingState.OPEN, Posting.openings > 0)
    )
    found: Counter[tuple[str, str]] = Counter()
    for posting in listed:
        assert posting.area_code is not None
        assert posting.occupation_code is not None
        found.update((posting.area_code[:6], lane) for lane in lanes[posting.occupation_code])
    districts = [district.code for district in list_children(reading, CHONGQING, on=TODAY)]
    assert len(districts) == 37
    few = {(code, lane): found[code, lane] for code in districts for lane in Lane if found[code, lane] < LANE_FLOOR}
    assert few == {}


def test_a_small_demo_deals_out_evenly_what_it_has(furnished: Engine, keys: KeyRing) -> None:
    add_demo(furnished, keys, postings=800)
    with read_session(furnished) as session:
        lanes = {row.code: row.lanes for row in session.scalars(select(Occupation))}
        found = Counter(
            (str(posting.area_code)[:6], lane)
            for posting in session.scalars(select(Posting).where(Posting.state == PostingState.OPEN))
            for lane in lanes[str(posting.occupation_code)]
        )
    assert len(found) == 37 * 5
    assert min(found.values()) >= 3


def test_open_postings_lack_nothing_and_offend_nobody(open_postings: list[Posting], reading: Session) -> None:
    shelf_life = shelf_life_days(reading, on=TODAY)
    for posting in open_postings:
        assert posting.lacks == []
        assert posting.findings == []
        assert screen(posting.title, posting.duties, posting.conditions) == [], posting.conditions
        assert posting.employer_id is not None
        assert posting.occupation_code is not None
        assert posting.openings > 0
        assert all((posting.title, posting.duties, posting.conditions, posting.workplace, posting.hours))
        assert all((posting.paid_by, posting.paid_when))
        assert "{" not in posting.title + posting.duties + posting.conditions + posting.workplace
        assert posting.pay_unit is not None
        assert posting.valid_until is not None
        latest = china_date(posting.posted_at) + timedelta(days=shelf_life[posting.kind])
        assert TODAY < posting.valid_until <= latest


def test_pay_is_plausible_in_its_unit(postings: list[Posting]) -> None:
    least = {PayUnit.MONTH: 2400, PayUnit.DAY: 115, PayUnit.HOUR: 23}
    for posting in postings:
        assert posting.pay_unit is not None
        pay = Pay(unit=posting.pay_unit, low=posting.pay_low, high=posting.pay_high, months=posting.pay_months)
        assert pay.is_plausible()
        by_the_month = pay.yuan_month(is_part_time=posting.kind is PostingKind.PART_TIME)
        assert by_the_month == (posting.pay_min_yuan_month, posting.pay_max_yuan_month)
        if posting.pay_unit is PayUnit.PIECE:
            assert "计件" in posting.conditions
        else:
            assert posting.pay_low is not None
            assert posting.pay_high is not None
            assert least[posting.pay_unit] <= posting.pay_low <= posting.pay_high
    assert {posting.pay_unit for posting in postings} == {*least, PayUnit.PIECE}


def test_kinds_carry_their_programme(postings: list[Posting], reading: Session) -> None:
    programmes = {"work_relief": "8.9", "workshop": "2.3", "public_welfare": "2.6"}
    assert {(posting.kind.value, posting.programme) for posting in postings} == {
        (kind.value, programmes.get(kind.value)) for kind in PostingKind
    }
    assert set(programmes.values()) <= set(reading.scalars(select(Policy.clause)))


def test_demands_follow_the_occupation_and_the_hours(postings: list[Posting], reading: Session) -> None:
    traits = {row.code: row for row in reading.scalars(select(Occupation))}
    for posting in postings:
        occupation = traits[str(posting.occupation_code)]
        asked, usual = set(posting.demands), set(occupation.demands)
        assert usual - {Demand.NIGHTS} <= asked <= usual | set(Demand)
        assert (Demand.NIGHTS in asked) == ("夜" in posting.hours), posting.hours
        assert posting.physical_level in (1, 2, 3, 4)


def test_the_hour_of_the_end_is_what_the_written_hours_say(postings: list[Posting]) -> None:
    ends = {posting.hours: posting.ends_at_hour for posting in postings}
    assert all(posting.ends_at_hour == ends[posting.hours] == hour_of_end(posting.hours) for posting in postings)
    # Only who takes turns, or is free to choose, has no end that can be told.
    assert all(re.search("两班倒|自己安排|高峰|按车次", hours) for hours, end in ends.items() if end is None)
    assert all(end == MIDNIGHT for hours, end in ends.items() if hours.startswith("夜班"))
    assert set(ends.values()) >= {12, 14, 18, 21, MIDNIGHT, None}


def test_caps_of_age_are_lawful_or_stand_in_the_words(postings: list[Posting]) -> None:
    without_reason = [posting for posting in postings if posting.age_max is not None and posting.age_reason is None]
    assert 0.015 < len(without_reason) / len(postings) < 0.05
    for posting in postings:
        if posting.age_reason is None:
            assert age_limits_in(posting.conditions) == (posting.age_min, posting.age_max, posting.age_words)
        else:
            assert posting.age_words
            assert posting.age_min is not None
            assert posting.age_min >= 18
    assert {posting.age_reason for posting in postings if posting.age_reason} == {
        work.ages[2] for work in WORKS if work.ages
    }
    assert {posting.sex_required for posting in postings} == {None}


def test_workplaces_are_spots_only_where_the_township_has_a_point(postings: list[Posting], reading: Session) -> None:
    areas = {area.code: area for area in list_areas(reading, on=TODAY, levels=(AreaLevel.TOWNSHIP,))}
    seen = set()
    for posting in postings:
        area = areas[str(posting.area_code)]
        seen.add(posting.precision)
        assert posting.workplace.startswith(area.name)
        assert None not in (posting.lon, posting.lat, area.lon, area.lat)
        if area.precision is Precision.DISTRICT:
            assert posting.precision is Precision.DISTRICT
            assert (posting.lon, posting.lat) == (area.lon, area.lat)
        else:
            assert posting.precision is Precision.POINT
            assert great_circle_km(posting.lon, posting.lat, area.lon, area.lat) < 1.6  # type: ignore[arg-type]
    assert seen == {Precision.POINT, Precision.DISTRICT}


def test_some_postings_are_not_open_and_say_why(postings: list[Posting]) -> None:
    by_state = {
        state: [each for each in postings if each.state is state]
        for state in (PostingState.PAUSED, PostingState.CLOSED, PostingState.REVIEW, PostingState.DRAFT)
    }
    assert all(by_state.values())
    for posting in by_state[PostingState.CLOSED]:
        assert posting.valid_until is not None
        assert posting.valid_until < TODAY
        assert (posting.closed_reason, posting.openings == 0) in {("filled", True), ("expired", False)}
    for posting in by_state[PostingState.REVIEW]:
        assert [finding["code"] for finding in posting.findings] == [
            finding.code for finding in screen(posting.title, posting.duties, posting.conditions)
        ]
        assert posting.findings
    for posting in by_state[PostingState.DRAFT]:
        assert [Lack(lack) for lack in posting.lacks]
    for posting in postings:
        assert posting.posted_at <= posting.changed_at <= NOW


def test_employers_are_mostly_verified_and_stand_in_an_area(reading: Session) -> None:
    employers = reading.scalars(select(Employer)).all()
    assert 0.8 < sum(employer.verified_on is not None for employer in employers) / len(employers) < 1
    townships = {area.code for area in list_areas(reading, on=TODAY, levels=(AreaLevel.TOWNSHIP,))}
    assert {employer.area_code for employer in employers} <= townships
    assert {employer.industry_code for employer in employers} <= set(reading.scalars(select(Industry.code)))
    assert {employer.kind for employer in employers} == set(EmployerKind)


# --- workers ----------------------------------------------------------------------------------------------------------


def test_ages_are_those_of_people_who_work(workers: list[Worker]) -> None:
    ages = [age_on(worker.birth_on, TODAY) for worker in workers]
    assert min(ages) >= YOUNGEST
    assert max(ages) <= OLDEST
    assert 0.65 < sum(35 <= age <= 62 for age in ages) / len(ages) < 0.95
    for worker, age in zip(workers, ages, strict=True):
        assert worker.experience_years is not None
        assert 0 <= worker.experience_years <= max(0, age - 18)
        assert age >= 18 or worker.certificates == []


def test_homes_and_places_of_work_exist_today(workers: list[Worker], reading: Session) -> None:
    areas = {area.code: area for area in reading.scalars(select(Area).where(in_force(TODAY)))}
    assert {areas[worker.home_area_code].level for worker in workers} == {AreaLevel.TOWNSHIP}
    current = [areas[worker.current_area_code] for worker in workers if worker.current_area_code is not None]
    elsewhere = [area for area in current if not area.code.startswith("50")]
    assert {area.level for area in elsewhere} == {AreaLevel.PREFECTURE}
    assert 0.5 < len(elsewhere) / len(workers) < 0.65
    assert {area.parent_code for area in current if area.code.startswith("50")} == {CHONGQING}


def test_closed_lists_and_codes_are_kept(workers: list[Worker], postings: list[Posting], reading: Session) -> None:
    codes = set(reading.scalars(select(Occupation.code)))
    for worker in workers:
        assert set(worker.wants) <= codes
        assert all(Limit(limit) for limit in worker.limits)
        assert all(PostingKind(kind) for kind in worker.kinds)
        assert worker.education in set(Education)
        assert worker.skills_text
        assert worker.home_by is None or 17 <= worker.home_by <= 20
        assert worker.max_km > 0
        assert worker.created_at <= worker.updated_at <= NOW
    for posting in postings:
        assert posting.occupation_code in codes
        assert all(Demand(demand) for demand in posting.demands)
    assert {limit for worker in workers for limit in worker.limits} == {limit.value for limit in Limit}


def test_statuses_are_dated_and_lawful(reading: Session, workers: list[Worker]) -> None:
    by_id = {worker.id: worker for worker in workers}
    statuses = reading.scalars(select(WorkerStatus)).all()
    held = Counter(status.status for status in statuses)
    assert set(held) >= {Status.REGISTERED_UNEMPLOYED, Status.POVERTY_ALLEVIATED, Status.HARD_TO_EMPLOY}
    assert {status.evidence for status in statuses} == set(Evidence)
    now_held: dict[int, set[Status]] = {}
    for status in statuses:
        worker = by_id[status.worker_id]
        assert status.valid_from <= TODAY
        assert status.valid_to is None or status.valid_to > status.valid_from
        if status.valid_to is None or status.valid_to > TODAY:
            now_held.setdefault(worker.id, set()).add(status.status)
            if status.status is Status.REGISTERED_UNEMPLOYED:
                assert worker.sex is not None
                assert not is_over_age(worker.birth_on, sex=worker.sex, day=TODAY)
    both = {Status.REGISTERED_UNEMPLOYED, Status.POVERTY_ALLEVIATED}
    assert any(both <= found for found in now_held.values()), "nobody to whom 1-1-3-1 is owed"


def test_every_worker_has_an_identity(reading: Session) -> None:
    assert reading.scalar(select(func.count()).select_from(Identity)) == WORKERS


# --- the world of work ------------------------------------------------------------------------------------------------


def test_the_catalogue_is_whole(reading: Session) -> None:
    occupations = {row.code: row for row in reading.scalars(select(Occupation))}
    for work in WORKS:
        assert occupations[work.code].physical_level or work.physical_level, work.code
        assert set(work.trades) <= set(TRADES), work.titles
        assert work.said, work.titles
        assert sum(work.weights) > 0, work.titles
        low, high = work.pay[1:]
        assert low < high
        assert 0 <= work.women <= 1
        for words in (*work.titles, *work.duties, *work.conditions):
            assert screen(words) == [], words
    assert {trade for work in WORKS for trade in work.trades} == set(TRADES)
    for lane in Lane:
        lane_works = [work for work in WORKS if lane.value in occupations[work.code].lanes and not work.needs]
        for column in range(len(SETTINGS)):
            assert any(work.weights[column] > 0 and not work.crops for work in lane_works), (lane, SETTINGS[column])


def test_dice_throw_evenly_and_an_urn_keeps_its_weights() -> None:
    dice = Dice(np.random.default_rng(1))
    thrown = Counter(dice.between(1, 6) for _ in range(60_000))
    assert set(thrown) == {1, 2, 3, 4, 5, 6}
    assert max(abs(count - 10_000) for count in thrown.values()) < 500
    urn = Urn(("rare", "never", "often"), (1, 0, 3))
    drawn = Counter(urn.draw(dice) for _ in range(40_000))
    assert set(drawn) == {"rare", "often"}
    assert abs(drawn["often"] - 30_000) < 500
    assert sorted(dice.shuffled(range(50))) == list(range(50))
    assert dice.shuffled(range(50)) != dice.shuffled(range(50))


def test_unreachable_phones_differ() -> None:
    assert unreachable_phone(1) == "00000000001"
    assert unreachable_phone(20_000_001) == "00020000001"


def test_a_leap_day_has_workers_too(furnished: Engine, keys: KeyRing) -> None:
    leap = date(2028, 2, 29)
    add_demo(furnished, keys, postings=0, workers=120, today=leap, now=datetime(2028, 2, 29, 4, tzinfo=UTC))
    with read_session(furnished) as session:
        ages = [age_on(birth, leap) for birth in session.scalars(select(Worker.birth_on))]
    assert min(ages) >= YOUNGEST
    assert max(ages) <= OLDEST


def test_nothing_is_posted_in_the_future_before_breakfast(furnished: Engine, keys: KeyRing) -> None:
    dawn = datetime(2026, 11, 22, 16, 5, tzinfo=UTC)  # five past midnight in China
    add_demo(furnished, keys, now=dawn)
    with read_session(furnished) as session:
        posted = session.scalars(select(Posting.posted_at)).all()
    assert max(posted) <= dawn
    assert min(posted) > dawn - timedelta(days=150)


# --- courses, brokers, cases ------------------------------------------------------------------------------------------


def test_courses_lead_to_work_that_is_wanted_and_bear_the_mark_of_the_demo(reading: Session) -> None:
    names = dict(reading.execute(select(Course.name, Course.occupation_code)).all())
    assert len(names) >= 8
    assert all(name.endswith("（演示班）") for name in names)
    wanted = {want for wants in reading.scalars(select(Worker.wants)) for want in wants}
    assert len(wanted & set(names.values())) >= 5


def test_every_district_holds_courses_before_and_after_today_some_of_them_full(reading: Session) -> None:
    sessions = reading.scalars(select(CourseSession)).all()
    districts = {area.code for area in list_children(reading, CHONGQING, on=TODAY)}
    assert {held.area_code[:6] for held in sessions} == districts
    assert {held.starts_on > TODAY for held in sessions} == {True, False}
    assert {held.taken < held.seats for held in sessions} == {True, False}
    days = dict(reading.execute(select(Course.id, Course.days)).all())
    assert all((held.ends_on - held.starts_on).days + 1 == days[held.course_id] for held in sessions)


def test_most_who_are_registered_are_in_the_care_of_a_broker_of_their_district(reading: Session) -> None:
    brokers = dict(reading.execute(select(Broker.id, Broker.area_code)).all())
    homes = dict(reading.execute(select(Worker.id, Worker.home_area_code)).all())
    cases = reading.scalars(select(Case)).all()
    assert all(code.startswith("demo-") for code in reading.scalars(select(Broker.code)))
    assert all(homes[case.worker_id][:6] == brokers[case.broker_id] for case in cases)
    registered = set(
        reading.scalars(
            select(WorkerStatus.worker_id).where(
                WorkerStatus.status.in_((Status.REGISTERED_UNEMPLOYED, Status.POVERTY_ALLEVIATED)),
                WorkerStatus.valid_to.is_(None) | (WorkerStatus.valid_to >= TODAY),
            )
        )
    )
    cared_for = {case.worker_id for case in cases}
    assert cared_for < registered
    assert len(cared_for) == len(cases) > 0.85 * len(registered)


def test_the_ledger_holds_spells_in_every_state(sqlite_database: Engine, keys: KeyRing) -> None:
    load_reference(sqlite_database, now=NOW, report=silent)
    counts = add_demo(sqlite_database, keys, workers=1500)
    with read_session(sqlite_database) as session:
        spells = session.scalars(select(SpellRow)).all()
        entries = list_entries(session)
        assert first_wrong_spell(session, keys=keys) is None
    assert (len(spells), len(entries)) == (counts["spells"], counts["ledger"])
    assert {spell.end for spell in spells} == {None, SpellEnd.EMPLOYED, SpellEnd.MOVED_AWAY}
    assert {entry.kind for entry in entries} >= {
        EntryKind.SPELL_OPENED,
        EntryKind.SPELL_CLOSED,
        EntryKind.BRIEFING,
        EntryKind.GUIDANCE,
        EntryKind.PUSH,
        EntryKind.TRAINING,
        EntryKind.ANSWER,
        EntryKind.REFUSAL,
        EntryKind.ATTEMPT,
        EntryKind.START,
    }
    assert {entry.evidence for entry in entries} == {None, *Grade}
    known = {entry.id for entry in entries}
    for entry in entries:
        assert entry.happened_at <= entry.written_at <= NOW
        assert entry.refers_to is None or entry.refers_to in known
