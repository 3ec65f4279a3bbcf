"""Bringing in workers: identities sealed from the first row on, nobody named in what is told, twice is once.

Place code 99 was never given to anybody: the numbers here have right check digits and no bearer.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.domain.identities import id_check
from app.domain.ledger import EntryKind
from app.domain.spells import SpellEnd
from app.domain.workers import Evidence, Sex, Status, WorkerOrigin
from app.kit.clock import FixedClock
from app.kit.database import read_session, write_session
from app.kit.encrypted import wrapped_today
from app.store.audit import AuditEntry
from app.store.identities import Identity, find_by_id_number, read_identity
from app.store.person_keys import PersonKey
from app.store.workers import Worker, WorkerStatus
from app.usecases.ledger import list_entries
from app.usecases.outcomes import ImportReport, Progress, RowOutcome
from app.usecases.spells import close_spell, find_open_spell, list_open_spells, sync_spells
from app.usecases.workers import JudgedWorker, WorkerDraft, import_workers, judge_workers
from app.wiring import House
from tests.houses import area_book


def number(sequence: int = 1, *, born: str = "19700101") -> str:
    body = f"990000{born}{sequence:03d}"
    return body + id_check(body)


def person(row: int = 2, **given: Any) -> WorkerDraft:
    values: dict[str, Any] = {
        "row": row,
        "name": "样例甲",
        "id_number": number(row),
        "phone": "13800000000",
        "home_district": "巫山县",
        "home_township": "大昌镇",
        "current_words": "广东东莞",
        "wants": ("保洁", "煮饭"),
        "statuses": ((Status.POVERTY_ALLEVIATED, None), (Status.REGISTERED_UNEMPLOYED, date(2026, 10, 8))),
        **given,
    }
    return WorkerDraft(**values)


def judge(house: House, *drafts: WorkerDraft, on_progress: Progress | None = None) -> list[JudgedWorker]:
    today = house.clock.today()
    return judge_workers(drafts, areas=area_book(house), today=today, on_progress=on_progress)


def write(house: House, judged: Sequence[JudgedWorker], **given: Any) -> ImportReport:
    with write_session(house.engine) as session:
        return import_workers(
            session,
            judged,
            actor="tester",
            today=house.clock.today(),
            now=house.clock.now(),
            **{"keys": house.keys, **given},
        )


def bring_in(house: House, *drafts: WorkerDraft, **given: Any) -> ImportReport:
    return write(house, judge(house, *drafts), **given)


def snapshot(house: House) -> list[list[tuple[Any, ...]]]:
    with read_session(house.engine) as session:
        tables = (Worker.__table__, Identity.__table__, WorkerStatus.__table__, AuditEntry.__table__)
        return [[tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))] for table in tables]


def test_a_person_is_taken_with_profile_statuses_and_a_sealed_identity(house: House) -> None:
    (row,) = bring_in(house, person()).rows
    assert (row.outcome, row.reasons, row.title) == (RowOutcome.TAKEN, (), "")
    assert row.id is not None
    with write_session(house.engine) as session:
        worker = session.get_one(Worker, row.id)
        assert (worker.birth_on, worker.sex, worker.origin) == (date(1970, 1, 1), Sex.FEMALE, WorkerOrigin.IMPORTED)
        assert (worker.home_area_code, worker.current_area_code) == ("500237102", "441900")
        assert worker.wants == ["保洁", "煮饭"]
        statuses = session.scalars(select(WorkerStatus).order_by(WorkerStatus.id)).all()
        assert [(status.status, status.evidence, status.valid_from) for status in statuses] == [
            (Status.POVERTY_ALLEVIATED, Evidence.SELF_DECLARED, date(2026, 12, 1)),
            (Status.REGISTERED_UNEMPLOYED, Evidence.SELF_DECLARED, date(2026, 10, 8)),
        ]
        sealed = session.get_one(Identity, row.id)
        plain = ("样例甲", number(2), "13800000000")
        columns = (sealed.name, sealed.id_number, sealed.phone, sealed.id_number_index, sealed.phone_index)
        assert not any(secret in str(column) for secret in plain for column in columns)
        facts = read_identity(session, row.id, keys=house.keys, actor="tester", reason="test", now=house.clock.now())
        assert facts is not None
        assert (facts.name, facts.id_number, facts.phone) == plain


def test_a_roster_of_an_office_brings_certified_statuses(house: House) -> None:
    bring_in(house, person(), evidence=Evidence.CERTIFIED)
    with read_session(house.engine) as session:
        assert set(session.scalars(select(WorkerStatus.evidence))) == {Evidence.CERTIFIED}


def test_a_person_without_a_phone_is_taken(house: House) -> None:
    (row,) = bring_in(house, person(phone="")).rows
    assert row.outcome is RowOutcome.TAKEN
    with read_session(house.engine) as session:
        identity = session.get_one(Identity, row.id)
        assert (identity.phone, identity.phone_index) == (None, None)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "没有姓名"),
    ({"name": "长" * 61}, "没有姓名"),
    ({"id_number": ""}, "没有身份证号"),
    ({"id_number": number(3)[:15]}, "身份证号应为 18 位，表里是 15 位"),
    ({"id_number": number(4)[:17] + "?"}, "身份证号不对"),
    ({"id_number": number(5, born="19700230")}, "身份证号不对"),
    ({"id_number": number(6, born="20101202")}, "未满 16 周岁"),
    ({"phone": "12345"}, "手机号不对"),
    ({"home_district": "", "home_township": ""}, "户籍地认不出"),
    ({"home_district": "", "home_township": "", "home_words": "重庆市"}, "户籍地认不出"),
]


def test_what_is_wrong_is_told_by_column_and_never_with_what_it_holds(house: House) -> None:
    before = snapshot(house)
    report = bring_in(house, *(person(row, **given) for row, (given, _) in enumerate(REFUSED, start=10)))
    assert [row.outcome for row in report.rows] == [RowOutcome.REFUSED] * len(REFUSED)
    for row, (given, reason) in zip(report.rows, REFUSED, strict=True):
        assert row.reasons[0].startswith(reason)
        told = "".join(row.reasons)
        assert not any(str(value) in told for value in given.values() if value and value != "重庆市")
        assert "样例甲" not in told
    assert snapshot(house) == before


def test_sixteen_is_old_enough_on_the_birthday(house: House) -> None:
    (row,) = bring_in(house, person(id_number=number(7, born="20101201"))).rows
    assert row.outcome is RowOutcome.TAKEN


def test_notes_say_what_was_not_understood(house: House) -> None:
    vague = person(
        home_township="", home_words="老家", current_words="外面", sex=Sex.MALE, notes=("期望工资看不懂，按没写算",)
    )
    (row,) = bring_in(house, vague).rows
    assert row.outcome is RowOutcome.TAKEN
    assert row.reasons == (
        "期望工资看不懂，按没写算",
        "户籍地只认到区县，没有认出乡镇",
        "现务工地认不出，按没写算",
        "性别与身份证号不一致，以身份证号为准",
    )


@pytest.mark.parametrize(
    "home",
    [
        {"home_district": "", "home_township": "", "home_words": "重庆市巫山县大昌镇光明村1组"},
        {"home_district": "巫山县", "home_township": "", "home_words": "大昌镇光明村"},
        {"home_district": "巫山县", "home_township": "大昌", "home_words": "光明村1组"},
        {"home_district": "", "home_township": "大昌镇", "home_words": "重庆市巫山县"},
    ],
)
def test_a_home_is_found_in_one_column_or_three(house: House, home: dict[str, Any]) -> None:
    (row,) = bring_in(house, person(**home)).rows
    with read_session(house.engine) as session:
        assert session.get_one(Worker, row.id).home_area_code == "500237102"


def test_one_person_twice_in_a_roster_is_one(house: House) -> None:
    report = bring_in(house, person(2), person(3, id_number=number(2)), person(4, id_number=number(2), name="样例乙"))
    assert [row.outcome for row in report.rows] == [RowOutcome.TAKEN, RowOutcome.FOLDED, RowOutcome.REFUSED]
    assert report.rows[1].id == report.rows[0].id
    assert report.rows[2].reasons == ("身份证号与第 2 行相同，姓名却不同",)
    with read_session(house.engine) as session:
        assert session.scalar(select(func.count()).select_from(Worker)) == 1


def test_a_wrong_row_does_not_stand_in_the_way_of_a_right_one_further_down(house: House) -> None:
    report = bring_in(house, person(2, phone="1"), person(3, id_number=number(2)))
    assert [row.outcome for row in report.rows] == [RowOutcome.REFUSED, RowOutcome.TAKEN]


def test_a_second_run_changes_nothing_also_after_the_keys_were_rotated(house: House) -> None:
    first = bring_in(house, person(2), person(3))
    before = snapshot(house)
    for keys in (house.keys, house.keys.rotated("data", "index")):
        second = bring_in(house, person(2, phone="13900000000"), person(3), keys=keys)
        assert [row.outcome for row in second.rows] == [RowOutcome.KNOWN] * 2
        assert [row.id for row in second.rows] == [row.id for row in first.rows]
        assert snapshot(house) == before


def test_after_a_rotation_new_people_are_sealed_with_the_new_keys_and_old_ones_are_found(house: House) -> None:
    bring_in(house, person(2))
    rotated = house.keys.rotated("data", "index")
    bring_in(house, person(3), keys=rotated)
    with write_session(house.engine) as session:
        old, new = session.scalars(select(PersonKey.wrapped).order_by(PersonKey.worker_id)).all()
        assert old.startswith(wrapped_today(house.keys))
        assert new.startswith(wrapped_today(rotated))
        assert wrapped_today(house.keys) != wrapped_today(rotated)
        for row in (2, 3):
            worker_id = find_by_id_number(session, number(row), keys=rotated)
            assert worker_id is not None
            facts = read_identity(
                session, worker_id, keys=rotated, actor="tester", reason="test", now=house.clock.now()
            )
            assert facts is not None
            assert facts.id_number == number(row)


def test_the_audit_holds_counts_only(house: House) -> None:
    bring_in(house, person(2), person(3, name=""))
    with read_session(house.engine) as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "import_workers")).one()
    assert (entry.actor, entry.subject) == ("tester", "workers")
    assert entry.detail == "taken 1, review 0, folded 0, known 0, refused 1"


def test_progress_of_each_step_reaches_the_end(house: House) -> None:
    told: list[tuple[int, int]] = []

    def tell(done: int, total: int) -> None:
        told.append((done, total))

    judged = judge(house, person(2), replace(person(3), name=""), on_progress=tell)
    assert told == [(1, 2), (2, 2)]
    write(house, judged, on_progress=tell)
    assert told[2:] == [(1, 1)]


def test_who_was_registered_since_the_judging_is_left_as_they_are(house: House) -> None:
    judged = [judge(house, person(2), person(3)) for _ in range(2)]
    first = write(house, judged[0])
    before = snapshot(house)
    second = write(house, judged[1])
    assert [row.outcome for row in second.rows] == [RowOutcome.KNOWN] * 2
    assert [row.id for row in second.rows] == [row.id for row in first.rows]
    assert snapshot(house) == before


# --- spells -----------------------------------------------------------------------------------------------------------


def test_a_roster_opens_spells_for_those_to_whom_the_package_is_owed_and_a_second_time_none(house: House) -> None:
    rows = bring_in(
        house,
        person(row=2),
        person(row=3, statuses=((Status.POVERTY_ALLEVIATED, None),)),
        person(row=4, statuses=()),
    ).rows
    with read_session(house.engine) as session:
        spells = list_open_spells(session, on=house.clock.today())
        entries = list_entries(session)
    assert [(spell.worker_id, spell.opened_on) for spell in spells] == [(rows[0].id, house.clock.today())]
    assert [(entry.kind, entry.worker_id, entry.facts) for entry in entries] == [
        (EntryKind.SPELL_OPENED, rows[0].id, {"source": "import"})
    ]
    bring_in(house, person(row=2))
    with read_session(house.engine) as session:
        assert list_entries(session) == entries


def test_a_roster_touches_the_spells_of_those_in_it_and_of_no_stranger(house: House) -> None:
    rows, today = bring_in(house, person(row=2), person(row=3)).rows, house.clock.today()
    with write_session(house.engine) as session:
        ending = update(WorkerStatus).where(WorkerStatus.status == Status.REGISTERED_UNEMPLOYED)
        session.execute(ending.values(valid_to=today - timedelta(days=1)))
        before = list_entries(session)
    bring_in(house, person(row=2, statuses=()), person(row=4))
    with read_session(house.engine) as session:
        since = list_entries(session)[len(before) :]
        running = {spell.worker_id for spell in list_open_spells(session, on=today) if spell.closed_on is None}
    kinds = [(entry.kind, entry.worker_id in {row.id for row in rows}) for entry in since]
    assert kinds == [(EntryKind.SPELL_CLOSED, True), (EntryKind.SPELL_OPENED, False)]
    # Of the other, whose status has ended as well, the roster knows nothing: the nightly run closes it in its own name.
    assert (rows[0].id in running, rows[1].id in running) == (False, True)
    with write_session(house.engine) as session:
        sync_spells(session, actor="plan", on=today, now=house.clock.now(), keys=house.keys)
        closing = list_entries(session)[-1]
    assert (closing.kind, closing.worker_id, closing.actor) == (EntryKind.SPELL_CLOSED, rows[1].id, "plan")


def test_a_roster_tells_who_is_out_of_work_again_if_it_names_the_day(house: House, clock: FixedClock) -> None:
    worker = bring_in(house, person()).rows[0].id
    assert worker is not None
    clock.advance(timedelta(days=9))
    today = house.clock.today()
    with write_session(house.engine) as session:
        spell = find_open_spell(session, worker)
        assert spell is not None
        given: dict[str, Any] = {"actor": "clerk/1", "now": house.clock.now(), "keys": house.keys}
        close_spell(session, spell.id, end=SpellEnd.EMPLOYED, on=today - timedelta(days=2), **given)
    unemployed = Status.REGISTERED_UNEMPLOYED
    # A list that still holds them, or tells of a day before they began to work, opens nothing.
    for since in (None, today - timedelta(days=2)):
        assert bring_in(house, person(statuses=((unemployed, since),))).rows[0].reasons == ("以前登记过，没有改动",)
    with read_session(house.engine) as session:
        assert find_open_spell(session, worker) is None
    # Twice in one list is once.
    rows = (person(statuses=((unemployed, today),)), person(3, id_number=number(2), statuses=((unemployed, today),)))
    anew = bring_in(house, *rows)
    assert [row.reasons for row in anew.rows] == [("以前登记过，新登记为登记失业",), ("以前登记过，没有改动",)]
    with read_session(house.engine) as session:
        assert find_open_spell(session, worker) is not None


def test_a_roster_that_is_taken_back_leaves_no_spell(house: House) -> None:
    judged = judge(house, person())
    with write_session(house.engine) as session:
        today, now = house.clock.today(), house.clock.now()
        import_workers(session, judged, actor="tester", today=today, now=now, keys=house.keys)
        session.rollback()
    with read_session(house.engine) as session:
        assert (list_entries(session), list_open_spells(session, on=today)) == ([], [])


def test_who_is_on_record_and_lost_their_work_since_is_registered_and_nothing_else_of_theirs_changes(
    house: House,
) -> None:
    alleviated = ((Status.POVERTY_ALLEVIATED, None),)
    first = bring_in(house, person(statuses=alleviated))
    lost = (*alleviated, (Status.REGISTERED_UNEMPLOYED, date(2026, 11, 20)))
    second = bring_in(house, person(statuses=lost, wants=("看大门",)), person(3, id_number=number(2), statuses=lost))
    assert [row.outcome for row in second.rows] == [RowOutcome.KNOWN] * 2
    assert [row.reasons for row in second.rows] == [("以前登记过，新登记为登记失业",), ("以前登记过，没有改动",)]
    with read_session(house.engine) as session:
        assert [spell.worker_id for spell in list_open_spells(session, on=house.clock.today())] == [first.rows[0].id]
        assert session.scalars(select(Worker.wants)).all() == [["保洁", "煮饭"]]
        rows = session.scalars(select(WorkerStatus).order_by(WorkerStatus.id)).all()
        assert [(row.status, row.valid_from) for row in rows[1:]] == [
            (Status.REGISTERED_UNEMPLOYED, date(2026, 11, 20))
        ]
