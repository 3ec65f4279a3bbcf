"""The reference data in the database: complete, loaded twice without a trace, and true to both cuts of 2025."""

from __future__ import annotations

import csv
import io
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, select
from sqlalchemy.orm import Session

from app.domain.areas import CHONGQING, AreaLevel, Precision
from app.domain.occupations import AliasKind, Lane
from app.kit.database import Base, open_engine, read_session, write_session
from app.store import areas as store
from app.store.audit import AuditEntry
from app.store.briefings import BriefingText
from app.store.industries import Industry
from app.store.occupations import Occupation, OccupationAlias
from app.store.policies import LocalSetting, Policy
from app.usecases.areas import AreaBook, AreaNotFound, load_area
from seed import reference
from seed.reference import CUT_ON, DataFileBroken, area_rows, load_reference

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
EVE = date(2025, 11, 5)
TABLES: tuple[type[Base], ...] = (
    store.Area,
    store.AreaSuccessor,
    Industry,
    Occupation,
    OccupationAlias,
    Policy,
    LocalSetting,
    BriefingText,
    AuditEntry,
)


def load(engine: Engine) -> dict[str, int]:
    return load_reference(engine, now=NOW, report=lambda _name, _rows: None)


def dump(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every reference table, ids included."""
    with read_session(engine) as session:
        return {
            table.__tablename__: [
                tuple(row) for row in session.execute(select(table.__table__).order_by(*table.__table__.primary_key))
            ]
            for table in TABLES
        }


def records(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(reference.data_text(name))))


@pytest.fixture
def change_file(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[str], str]], None]:
    """Makes the loader read a file as changed by a function."""
    plain, changes = reference.data_text, dict[str, Callable[[str], str]]()

    def changed_text(name: str) -> str:
        return changes.get(name, str)(plain(name))

    monkeypatch.setattr(reference, "data_text", changed_text)
    return changes.__setitem__


@pytest.fixture(scope="module")
def loaded(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One SQLite database with the reference data, to be read only."""
    path = tmp_path_factory.mktemp("reference") / "jiujin.db"
    shutil.copyfile(sqlite_template, path)
    engine = open_engine(f"sqlite:///{path}")
    load(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def reading(loaded: Engine) -> Iterator[Session]:
    with read_session(loaded) as session:
        yield session


# --- loading ----------------------------------------------------------------------------------------------------------


def test_every_row_of_every_file_arrives_on_both_databases(database: Engine) -> None:
    steps: list[tuple[str, int]] = []
    counts = load_reference(database, now=NOW, report=lambda name, rows: steps.append((name, rows)))
    found = {table: len(rows) for table, rows in dump(database).items()}
    assert {table: found[table] for table in counts} == counts
    assert [rows for _, rows in steps] == list(counts.values())
    assert [name for name, _ in steps] == ["行政区划", "行业", "职业", "职业说法", "政策条款", "本地设定", "政策讲稿"]
    elsewhere = sum(line["province_code"] != CHONGQING for line in records("cn_areas.csv"))
    ended = sum(line["end_year"] != "" for line in records("cq_code_history.csv"))
    assert counts["areas"] == elsewhere + 1 + 37 + 2 + ended + 1028 + 1031
    assert counts["industries"] == 1971
    assert counts["occupations"] == 1605
    assert counts["occupation_aliases"] > 4539


def test_loading_again_writes_nothing(database: Engine) -> None:
    load(database)
    before = dump(database)
    written = []

    def note_write(_: Connection, __: Any, statement: str, *___: Any) -> None:
        if statement.split(maxsplit=1)[0] in {"INSERT", "UPDATE", "DELETE"}:
            written.append(statement)

    event.listen(database, "before_cursor_execute", note_write)
    load(database)
    event.remove(database, "before_cursor_execute", note_write)
    assert written == []
    assert dump(database) == before


def test_a_changed_file_updates_its_rows_in_place(
    database: Engine, change_file: Callable[[str, Callable[[str], str]], None]
) -> None:
    load(database)
    before = dump(database)
    change_file("cq_townships_2025.csv", lambda text: text.replace("500237109,官渡镇,", "500237109,官渡新镇,"))
    change_file("industries_gbt4754_2017.csv", lambda text: text.replace(",谷物种植,", ",谷物与豆类种植,"))
    change_file("policies.toml", lambda text: text.replace("value = 0.3", "value = 0.35", 1))
    load(database)
    after = dump(database)
    for table, changed in (("areas", 1), ("industries", 1), ("local_settings", 1), ("occupations", 0)):
        assert [row[0] for row in after[table]] == [row[0] for row in before[table]], table
        assert len(set(map(repr, after[table])) - set(map(repr, before[table]))) == changed, table
    with read_session(database) as session:
        assert store.find_area(session, "500237109", on=TODAY).name == "官渡新镇"  # type: ignore[union-attr]
    assert "3 rows changed" in after["audit_entries"][-1]


def test_areas_and_words_that_left_the_files_leave_the_tables(
    database: Engine, change_file: Callable[[str, Callable[[str], str]], None]
) -> None:
    load(database)
    first = records("cq_townships.csv")[0]
    change_file("cq_townships.csv", lambda text: "\n".join(text.splitlines()[:1] + text.splitlines()[2:]))
    change_file("occupation_aliases.csv", lambda text: "\n".join(text.splitlines()[:-1]))
    before = dump(database)
    load(database)
    after = dump(database)
    kept = {row[0] for row in after["areas"]}
    gone = [row for row in before["areas"] if row[0] not in kept]
    assert [row[1] for row in gone] == [first["code"]]
    assert {row[0] for row in before["area_successors"]} - {row[0] for row in after["area_successors"]} == {gone[0][0]}
    assert len(after["occupation_aliases"]) == len(before["occupation_aliases"]) - 1


def test_an_offices_own_setting_stays(database: Engine) -> None:
    load(database)
    with write_session(database) as session:
        session.add(LocalSetting(name="older_worker_age", value=45, valid_from=date(2026, 7, 1), valid_to=None))
    load(database)
    with read_session(database) as session:
        rows = session.scalars(select(LocalSetting).where(LocalSetting.name == "older_worker_age")).all()
        assert sorted(row.value for row in rows) == [45, 50]


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("occupation_traits.csv", ",2,", ",7,", "劳动强度只有 1 到 4"),
        ("occupation_traits.csv", "nights", "moonlight", "demands"),
        ("occupation_words.csv", ",4-07-05-01,", ",4-07-05-99,", "职业表里没有 4-07-05-99"),
        ("cn_areas.csv", ",county,", ",shire,", "不认识的层级 shire"),
        ("cq_code_history.csv", ",1997,", ",1997?,", "不是年份"),
        ("policies.toml", 'clause = "G1"', "clause = G1", "policies.toml"),
        ("industries_gbt4754_2017.csv", "A011,", "A01,", "industries：同一个 code 出现两次"),
        ("occupation_words.csv", "text,", "words,", "缺少列 text"),
    ],
)
def test_a_broken_file_is_named_and_changes_nothing(
    *,
    sqlite_database: Engine,
    change_file: Callable[[str, Callable[[str], str]], None],
    name: str,
    old: str,
    new: str,
    words: str,
) -> None:
    assert old in reference.data_text(name)
    change_file(name, lambda text: text.replace(old, new, 1))
    with pytest.raises(DataFileBroken, match=words):
        load(sqlite_database)
    assert not any(dump(sqlite_database).values())


# --- areas ------------------------------------------------------------------------------------------------------------


def days() -> list[date]:
    """Every third month's days around a change of year or of the division, 1982 to the end of 2026."""
    spread = [date(1982, 1, 1) + timedelta(days=97 * step) for step in range(170)]
    edges = [date(year, 1, 1) - timedelta(days=back) for year in range(1983, 2027) for back in (0, 1)]
    return sorted({*spread, *edges, EVE, CUT_ON, TODAY})


def test_no_code_bears_two_areas_on_one_day() -> None:
    rows, _ = area_rows()
    for day in days():
        codes = Counter(
            row["code"]
            for row in rows
            if (row["valid_from"] is None or row["valid_from"] <= day)
            and (row["valid_to"] is None or row["valid_to"] > day)
        )
        assert [code for code, count in codes.items() if count > 1] == [], day


def test_all_that_succeeds_is_in_force_today(reading: Session) -> None:
    current = {area.code for area in reading.scalars(select(store.Area).where(store.in_force(TODAY)))}
    assert set(reading.scalars(select(store.AreaSuccessor.successor_code))) <= current


def test_every_parent_is_an_area(reading: Session) -> None:
    rows = reading.scalars(select(store.Area)).all()
    assert {row.parent_code for row in rows} - {row.code for row in rows} == {None}


@pytest.mark.parametrize(("on", "districts", "townships"), [(EVE, 38, 1031), (CUT_ON, 37, 1028), (TODAY, 37, 1028)])
def test_chongqing_is_told_in_both_cuts(reading: Session, on: date, districts: int, townships: int) -> None:
    below = store.list_children(reading, CHONGQING, on=on)
    assert len(below) == districts
    assert len(store.list_areas(reading, on=on, levels=(AreaLevel.TOWNSHIP,))) == townships
    assert {area.region for area in below} == {"渝东北三峡库区", "渝东南武陵山区", "主城都市区"}
    regions = Counter(area.region for area in below)
    assert (regions["渝东北三峡库区"], regions["渝东南武陵山区"]) == (11, 6)
    assert {area.subregion for area in below if area.region == "主城都市区"} == {"中心城区", "主城新区"}
    assert ("500157" in {area.code for area in below}) == (on >= CUT_ON)
    assert ({"500105", "500112"} <= {area.code for area in below}) == (on < CUT_ON)


@pytest.mark.parametrize(
    ("code", "name", "successors"),
    [
        ("500105", "江北区", ("500157",)),
        ("500112", "渝北区", ("500109", "500157")),
        ("510224", "江北县", ("500109", "500157")),
        ("510222", "巴县", ("500113",)),
        ("512223", "忠县", ("500233",)),
        ("513525", "彭水苗族土家族自治县", ("500243",)),
        ("513500", "黔江地区", ("500114", "500240", "500241", "500242", "500243")),
    ],
)
def test_retired_codes_answer_with_their_successors(
    reading: Session, code: str, name: str, successors: tuple[str, ...]
) -> None:
    fact = load_area(reading, code, on=TODAY)
    assert (fact.name, fact.successors) == (name, successors)
    assert fact.valid_to is not None


def test_a_code_that_changed_its_meaning_is_read_by_the_year(reading: Session) -> None:
    assert load_area(reading, "500110", on=date(2005, 6, 1)).name == "万盛区"
    assert load_area(reading, "500110", on=TODAY).name == "綦江区"
    assert load_area(reading, "510216", on=date(1990, 6, 1)).name == "南桐矿区"
    assert load_area(reading, "510216", on=TODAY).name == "万盛区"
    with pytest.raises(AreaNotFound):
        load_area(reading, "500157", on=EVE)


def test_townships_that_moved_lead_to_where_they_are_now(reading: Session) -> None:
    moved = [line for line in records("cq_townships.csv") if line["district_code"] != line["district_code_2025"]]
    assert len(moved) == 47
    for line in moved:
        former = store.find_area(reading, line["code"], on=EVE)
        assert former is not None
        assert (former.name, former.parent_code) == (line["name"], line["district_code"])
        assert store.successor_codes(reading, former.id) == [line["code_2025"]]
        now = store.find_area(reading, line["code_2025"], on=TODAY)
        assert now is not None
        assert (now.name, now.parent_code) == (line["name_2025"], line["district_code_2025"])


def test_a_reused_number_is_another_place_after_the_cut(reading: Session) -> None:
    shared = {line["code_2025"]: line["name"] for line in records("cq_townships_2025.csv")}
    reused = [line for line in records("cq_townships.csv") if line["name"] != shared.get(line["code"], line["name"])]
    assert len(reused) == 304
    for line in reused[:20]:
        assert load_area(reading, line["code"], on=EVE).name == line["name"]
        assert load_area(reading, line["code"], on=CUT_ON).name == shared[line["code"]]


def test_a_fallback_point_is_known_to_its_district_only(reading: Session) -> None:
    blurred = {
        line["code_2025"]: line["coord_quality"] in {"district_seat", "district_centroid"}
        for line in records("cq_townships_2025.csv")
    }
    for area in store.list_areas(reading, on=TODAY, levels=(AreaLevel.TOWNSHIP,)):
        assert area.precision is (Precision.DISTRICT if blurred[area.code] else Precision.TOWNSHIP)
        assert area.lon is not None


def test_the_area_book_opens_on_it(reading: Session) -> None:
    book = AreaBook.load(reading, on=TODAY)
    assert len(book.districts()) == 37
    assert book.told("500237109") == "巫山县 官渡镇"
    assert book.told("512223") == "忠县"
    assert book.told("441900") == "广东省 东莞市"


# --- work and policy --------------------------------------------------------------------------------------------------


def by_code(session: Session) -> Mapping[str, Occupation]:
    return {row.code: row for row in session.scalars(select(Occupation))}


def test_occupations_know_their_group_and_their_demands(reading: Session) -> None:
    occupations = by_code(reading)
    guard = occupations["4-07-05-01"]
    assert (guard.name, guard.group_code, guard.family_code) == ("保安员", "4-07-05", "4-07")
    assert guard.group_name
    assert guard.family_name
    traits = {line["code"]: line for line in records("occupation_traits.csv")}
    for code, occupation in occupations.items():
        line = traits.get(code)
        assert (occupation.traits_basis != "") == (line is not None), code
        assert occupation.physical_level == (int(line["physical_level"]) if line else None), code
        assert occupation.demands == (line["demands"].split("|") if line and line["demands"] else []), code
    assert {lane for occupation in occupations.values() for lane in occupation.lanes} == {lane.value for lane in Lane}


def test_aliases_are_formal_names_work_types_and_everyday_words(reading: Session) -> None:
    aliases = reading.scalars(select(OccupationAlias)).all()
    kinds = Counter(alias.kind for alias in aliases)
    assert kinds[AliasKind.NAME] == 1605
    assert kinds[AliasKind.WORK_TYPE] == 2934
    pairs = {(alias.text, alias.code): alias for alias in aliases}
    words = records("occupation_words.csv")
    assert {(line["text"], line["code"]) for line in words} <= set(pairs)
    for line in words:
        alias = pairs[line["text"], line["code"]]
        assert alias.kind is not AliasKind.EVERYDAY or alias.reason == line["reason"]


def test_policies_and_settings_are_dated(reading: Session) -> None:
    nearby = reading.scalars(select(Policy).where(Policy.clause == "G1")).one()
    assert nearby.figures == [{"name": "nearby_jobs", "op": "at_least", "value": 300_000, "unit": "persons_per_year"}]
    assert (nearby.valid_from, nearby.valid_to) == (date(2025, 1, 1), date(2027, 12, 31))
    districts = reading.scalars(select(Policy).where(Policy.clause == "S2")).one()
    assert {"valid_from": "2025-11-06"}.items() <= districts.figures[-1].items()
    age = reading.scalars(select(LocalSetting).where(LocalSetting.name == "older_worker_age")).one()
    assert (age.value, age.unit) == (50, "years")
