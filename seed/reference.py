"""Loads the reference data of `seed/data`: areas, industries, occupations with their words, policy figures and texts.

The files are the source. Loading again changes nothing; a changed file updates its rows in place, under the same ids.
What is easily got wrong: a code is no key. 304 township numbers mean one place before 2025-11-06 and another since,
and 500110 was 万盛区 before it was 綦江区; an area's key is its code together with the day on which it began.
"""

import csv
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from importlib.resources import files
from typing import Any, TypeVar

from sqlalchemy import Engine, bindparam, delete, insert, inspect, select, update
from sqlalchemy.orm import Session

from app.domain.areas import CHONGQING, AreaLevel, Precision
from app.domain.occupations import AliasKind, Lane
from app.domain.postings import Demand
from app.kit.database import Base, write_session
from app.store.areas import Area, AreaSuccessor
from app.store.audit import record_act
from app.store.briefings import BriefingText
from app.store.industries import Industry
from app.store.occupations import Occupation, OccupationAlias
from app.store.policies import LocalSetting, Policy

CUT_ON = date(2025, 11, 6)
"""The day on which 江北区 and 渝北区 ended, 两江新区 began and the township codes of the newer list came into force."""

Report = Callable[[str, int], None]
Row = dict[str, Any]
_AreaKey = tuple[str, date | None]
_Member = TypeVar("_Member", bound=StrEnum)

_BLURRED = frozenset({"district_seat", "district_centroid"})  # coord_quality of townships without a point of their own
_LEVELS = {"province": AreaLevel.PROVINCE, "prefecture": AreaLevel.PREFECTURE, "county": AreaLevel.DISTRICT}
_ALIAS_KINDS = {"职业名称": AliasKind.NAME, "工种": AliasKind.WORK_TYPE}
_SUFFIXES = (
    *("特别行政区", "行政委员会", "自治区", "自治州", "自治县", "自治旗", "林区", "矿区", "特区", "地区"),
    *("省", "盟", "旗", "市", "区", "县"),
)
_CITY_KINDS = {AreaLevel.PROVINCE: "直辖市", AreaLevel.PREFECTURE: "地级市", AreaLevel.DISTRICT: "县级市"}
_ETHNIC = "(?:(?:土家|苗|仡佬)族)*"  # those in names of Chongqing; elsewhere the file brings its own short names
_SHORTENED = re.compile(rf"(?<=..)(?:街道|镇|{_ETHNIC}乡|{_ETHNIC}自治县|林区|矿区|地区|县|市|区)$")


class DataFileBroken(Exception):
    """A data file does not hold what it should; says which file, which line, and what is wrong. Nothing was loaded."""


@dataclass(frozen=True, slots=True)
class Line:
    """One record of a CSV file, with its place for messages."""

    file: str
    number: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        try:
            return self.cells[column].strip()
        except (KeyError, AttributeError):
            raise self.broken(f"缺少列 {column}") from None

    def broken(self, problem: str) -> DataFileBroken:
        return DataFileBroken(f"{self.file} 第 {self.number} 行：{problem}")


def load_reference(engine: Engine, *, now: datetime, report: Report) -> dict[str, int]:
    """Bring the reference tables to what the files say, in one transaction.

    Areas, their successors and the words for occupations that the files no longer hold are removed. Occupations,
    industries, policies, settings and texts are never removed: postings and the ledger refer to them, and an office
    adds settings and texts of its own.
    An audit row is written only if something changed.

    Args:
        engine: a migrated database.
        now: when it is loaded, for the audit.
        report: called after each step with its Chinese name and the number of rows that the files hold for it.

    Returns:
        Number of rows in the files by table name.

    Raises:
        DataFileBroken: a file is not as it should be; nothing was changed.
    """
    areas, successors = area_rows()
    occupations, policies = _occupation_rows(), _read_tables("policies.toml")
    steps: tuple[tuple[str, type[Base], list[Row], tuple[str, ...], bool], ...] = (
        ("行政区划", Area, areas, ("code", "valid_from"), True),
        ("行业", Industry, _industry_rows(), ("code",), False),
        ("职业", Occupation, occupations, ("code",), False),
        ("职业说法", OccupationAlias, _alias_rows({row["code"] for row in occupations}), ("text", "code"), True),
        ("政策条款", Policy, _policy_rows(policies["policies"]), ("clause", "valid_from"), False),
        ("本地设定", LocalSetting, _setting_rows(policies["settings"]), ("name", "valid_from"), False),
        ("政策讲稿", BriefingText, _briefing_rows(), ("name", "version"), False),
    )
    counts, changes = {}, 0
    with write_session(engine) as session:
        for name, table, rows, key, prune in steps:
            changes += _bring_in_line(session, table, rows, key=key, prune=prune)
            if table is Area:
                changes += _bring_successors_in_line(session, successors)
            counts[table.__tablename__] = len(rows)
            report(name, len(rows))
        if changes:
            record_act(
                session,
                actor="system",
                action="load_reference",
                subject="reference",
                now=now,
                detail=f"{changes} rows changed",
            )
    return counts


# --- files ------------------------------------------------------------------------------------------------------------


def data_text(name: str) -> str:
    """The text of a file in `seed/data`, from the source tree or an installed wheel."""
    return (files("seed") / "data" / name).read_text(encoding="utf-8")


def read_lines(name: str) -> list[Line]:
    """The records of a CSV file in `seed/data`, in its order."""
    reader = csv.DictReader(data_text(name).splitlines(), strict=True)
    return [Line(name, number, cells) for number, cells in enumerate(reader, start=2)]


def _read_tables(name: str) -> dict[str, list[Row]]:
    try:
        document: dict[str, list[Row]] = tomllib.loads(data_text(name))
    except tomllib.TOMLDecodeError as error:
        raise DataFileBroken(f"{name}：{error}") from None
    return document


# --- areas ------------------------------------------------------------------------------------------------------------


def area_rows() -> tuple[list[Row], dict[_AreaKey, set[str]]]:
    """Rows of the areas table, and the codes that took over from each that ended, by (code, first day).

    Provinces, prefectures and counties outside Chongqing stand as they are today. Chongqing stands in both cuts of
    2025 and, at the level of districts, with every code that an identity card may carry since 1982; of those only the
    years are known, so they begin and end on 1 January. A code bears one area at most on any day.
    """
    history = read_lines("cq_code_history.csv")
    began = {
        (line["code"], line["name"]): _new_year(line, "start_year", 0) for line in history if line["end_year"] == ""
    }
    moved = _successor_districts()
    ended = _ended_districts(history, moved)
    former = _townships_before_the_cut()
    rows = [
        *_areas_elsewhere(began),
        *_districts_today(began),
        *(row for row, _ in _districts_of_the_old_cut(began, moved)),
        *(row for row, _ in ended),
        *_townships_today(),
        *(row for row, _ in former),
    ]
    successors = {
        (row["code"], row["valid_from"]): codes
        for row, codes in (*_districts_of_the_old_cut(began, moved), *ended, *former)
        if codes
    }
    return rows, successors


def _area(
    *,
    code: str,
    name: str,
    level: AreaLevel,
    kind: str = "",
    short_name: str = "",
    parent_code: str | None,
    region: str = "",
    subregion: str = "",
    point: tuple[float | None, float | None] = (None, None),
    precision: Precision = Precision.DISTRICT,
    pinyin: str = "",
    valid_from: date | None = None,
    valid_to: date | None = None,
    note: str = "",
) -> Row:
    return {
        "code": code,
        "name": name,
        "short_name": short_name or _SHORTENED.sub("", name),
        "level": level,
        "kind": kind or _kind_of(name, level),
        "parent_code": parent_code,
        "region": region.removesuffix("城镇群"),
        "subregion": subregion.removesuffix("城镇群"),
        "lon": point[0],
        "lat": point[1],
        "precision": precision,
        "pinyin": pinyin.replace(" ", ""),
        "valid_from": valid_from,
        "valid_to": valid_to,
        "note": note,
    }


def _kind_of(name: str, level: AreaLevel) -> str:
    kind = next((suffix for suffix in _SUFFIXES if name.endswith(suffix)), "")
    return _CITY_KINDS[level] if kind == "市" and level in _CITY_KINDS else kind


def _point(line: Line) -> tuple[float | None, float | None]:
    if not line["lng_wgs84"]:
        return None, None
    try:
        return float(line["lng_wgs84"]), float(line["lat_wgs84"])
    except ValueError:
        raise line.broken("坐标不是数字") from None


def _new_year(line: Line, column: str, later: int) -> date | None:
    """1 January of the year in a column, or of the year after it; None where the cell is empty."""
    if not line[column]:
        return None
    try:
        return date(int(line[column]) + later, 1, 1)
    except ValueError:
        raise line.broken(f"{column} 不是年份") from None


def _areas_elsewhere(began: Mapping[tuple[str, str], date | None]) -> Iterator[Row]:
    """Every area of cn_areas.csv outside Chongqing, and Chongqing itself."""
    for line in read_lines("cn_areas.csv"):
        if line["province_code"] == CHONGQING and line["code"] != CHONGQING:
            continue
        if line["level"] not in _LEVELS:
            raise line.broken(f"不认识的层级 {line['level']}")
        yield _area(
            code=line["code"],
            name=line["name"],
            short_name=line["short_name"],
            level=_LEVELS[line["level"]],
            parent_code=line["parent_code"] or None,
            point=_point(line),
            pinyin=line["pinyin"],
            valid_from=began.get((line["code"], line["name"])),
        )


def _districts_today(began: Mapping[tuple[str, str], date | None]) -> Iterator[Row]:
    pinyin = {line["code"]: line["pinyin"] for line in read_lines("cn_areas.csv")}
    former = {line["code"]: line["name"] for line in read_lines("cq_districts_2023.csv")}
    for line in read_lines("cq_districts_2025.csv"):
        is_new = line["code"] not in former
        parts = "、".join(
            former[part[:6]] + part[6:].replace("(part)", "（部分）")
            for part in line["predecessors"].split("|")
            if line["predecessors"] != line["code"]
        )
        yield _area(
            code=line["code"],
            name=line["name"],
            short_name=line["short_name"],
            level=AreaLevel.DISTRICT,
            parent_code=CHONGQING,
            region=line["region"],
            subregion=line["subregion"],
            point=_point(line),
            pinyin=pinyin.get(line["code"], ""),
            valid_from=CUT_ON if is_new else began.get((line["code"], line["name"])),
            note=f"{CUT_ON} 起由{parts}组成" if parts else "",
        )


def _successor_districts() -> dict[str, set[str]]:
    """For each district that ended at the cut, the districts to which its townships went."""
    found = {
        line["code"]: {line["successor_code_2025"]} for line in read_lines("cq_districts_2023.csv") if line["valid_to"]
    }
    for line in read_lines("cq_townships.csv"):
        if line["district_code"] in found and line["district_code_2025"]:
            found[line["district_code"]].add(line["district_code_2025"])
    return found


def _districts_of_the_old_cut(
    began: Mapping[tuple[str, str], date | None], moved: Mapping[str, set[str]]
) -> Iterator[tuple[Row, set[str]]]:
    """Districts of the 2023 list that ended; the others are those of today."""
    for line in read_lines("cq_districts_2023.csv"):
        if not line["valid_to"]:
            continue
        row = _area(
            code=line["code"],
            name=line["name"],
            short_name=line["short_name"],
            level=AreaLevel.DISTRICT,
            kind=line["kind"],
            parent_code=CHONGQING,
            region=line["region"],
            subregion=line["subregion"],
            point=_point(line),
            pinyin=line["pinyin"],
            valid_from=began.get((line["code"], line["name"])),
            valid_to=date.fromisoformat(line["valid_to"]),
        )
        yield row, moved[line["code"]]


def _ended_districts(history: Sequence[Line], moved: Mapping[str, set[str]]) -> list[tuple[Row, set[str]]]:
    """Codes that ended before 2023, with the districts of today that took over: what old identity cards carry."""
    codes = {line["code"] for line in history}
    heirs: dict[str, set[str]] = {}
    for line in history:
        today = line["current_code_2023"]
        if today:
            heirs.setdefault(line["code"][:4], set()).update(moved.get(today, {today}))
    found = []
    for line in history:
        if not line["end_year"]:
            continue
        code, prefecture, today = line["code"], line["code"][:4] + "00", line["current_code_2023"]
        is_prefecture = code == prefecture
        above = code[:2] + "0000" if is_prefecture else prefecture
        row = _area(
            code=code,
            name=line["name"],
            level=AreaLevel.PREFECTURE if is_prefecture else AreaLevel.DISTRICT,
            parent_code=above if is_prefecture or above in codes else CHONGQING,
            valid_from=_new_year(line, "start_year", 0),
            valid_to=_new_year(line, "end_year", 1),
            note="旧代码，起止只知道年份",
        )
        # A prefecture was dissolved into what its counties became.
        found.append((row, moved.get(today, {today}) if today else heirs.get(code[:4], set())))
    return found


def _townships_today() -> Iterator[Row]:
    pinyin = {line["code_2025"]: line["pinyin"] for line in read_lines("cq_townships.csv") if line["code_2025"]}
    for line in read_lines("cq_townships_2025.csv"):
        yield _area(
            code=line["code_2025"],
            name=line["name"],
            level=AreaLevel.TOWNSHIP,
            kind=line["kind"],
            parent_code=line["district_code_2025"],
            point=_point(line),
            precision=Precision.DISTRICT if line["coord_quality"] in _BLURRED else Precision.TOWNSHIP,
            pinyin=pinyin.get(line["code_2025"], ""),
            valid_from=CUT_ON,
        )


def _townships_before_the_cut() -> list[tuple[Row, set[str]]]:
    return [
        (
            _area(
                code=line["code"],
                name=line["name"],
                level=AreaLevel.TOWNSHIP,
                kind=line["kind"],
                parent_code=line["district_code"],
                point=_point(line),
                precision=Precision.DISTRICT if line["coord_quality"] in _BLURRED else Precision.TOWNSHIP,
                pinyin=line["pinyin"],
                valid_to=CUT_ON,
                note="" if line["code_2025"] else "新名单里没有同名的乡镇街道",
            ),
            {line["code_2025"]} - {""},
        )
        for line in read_lines("cq_townships.csv")
    ]


# --- work -------------------------------------------------------------------------------------------------------------


def _industry_rows() -> list[Row]:
    return [
        {"code": line["code"], "name": line["name"], "level": line["level"], "parent_code": line["parent"] or None}
        for line in read_lines("industries_gbt4754_2017.csv")
    ]


def _occupation_rows() -> list[Row]:
    """Occupations with what their work asks of a body, where that is known."""
    lines = read_lines("occupations_gbm2022.csv")
    traits = {line["code"]: line for line in read_lines("occupation_traits.csv")}
    known = {line["code"] for line in lines}
    for code, line in traits.items():
        if code not in known:
            raise line.broken(f"职业表里没有 {code}")
    return [
        {
            "code": line["code"],
            "name": line["name"],
            "group_code": line["minor_code"],
            "group_name": line["minor"],
            "family_code": line["mid_code"],
            "family_name": line["mid"],
            "flags": line["flags"],
            **_traits(traits.get(line["code"])),
        }
        for line in lines
    ]


def _traits(line: Line | None) -> Row:
    if line is None:
        return {
            "physical_level": None,
            "demands": [],
            "lanes": [],
            "certificates": [],
            "traits_basis": "",
            "traits_source": "",
        }
    level = line["physical_level"]
    if level not in ("", "1", "2", "3", "4"):
        raise line.broken(f"劳动强度只有 1 到 4，不是 {level}")
    return {
        "physical_level": int(level) if level else None,
        "demands": _members(line, "demands", Demand),
        "lanes": _members(line, "lanes", Lane),
        "certificates": _items(line["certificates"]),
        "traits_basis": line["basis"],
        "traits_source": "；".join(part for part in (line["source"], line["note"]) if part),
    }


def _members(line: Line, column: str, closed_list: type[_Member]) -> list[str]:
    try:
        return [closed_list(item).value for item in _items(line[column])]
    except ValueError as error:
        raise line.broken(f"{column}：{error}") from None


def _items(cell: str) -> list[str]:
    return [item.strip() for item in cell.split("|") if item.strip()]


def _alias_rows(codes: set[str]) -> list[Row]:
    """Formal names, 工种 and everyday words; where two files hold the same pair the formal one stands."""
    rows: dict[tuple[str, str], Row] = {}
    for line, row in (*_formal_aliases(), *_everyday_aliases()):
        if row["code"] not in codes:
            raise line.broken(f"职业表里没有 {row['code']}")
        if not row["text"]:
            raise line.broken("说法是空的")
        rows.setdefault((row["text"], row["code"]), row)
    return list(rows.values())


def _formal_aliases() -> Iterator[tuple[Line, Row]]:
    for line in read_lines("occupation_aliases.csv"):
        if line["kind"] not in _ALIAS_KINDS:
            raise line.broken(f"不认识的类别 {line['kind']}")
        kind = _ALIAS_KINDS[line["kind"]]
        yield line, {"text": line["alias"], "code": line["occ_code"], "kind": kind, "reason": ""}


def _everyday_aliases() -> Iterator[tuple[Line, Row]]:
    for line in read_lines("occupation_words.csv"):
        yield (
            line,
            {"text": line["text"], "code": line["code"], "kind": AliasKind.EVERYDAY, "reason": line["reason"]},
        )


# --- policy -----------------------------------------------------------------------------------------------------------


def _policy_rows(lines: Iterable[Row]) -> list[Row]:
    return [
        {
            "clause": row["clause"],
            "kind": row["kind"],
            "section": row["section"],
            "title": row["title"],
            "gloss": row.get("gloss", ""),
            "figures": [_as_json(figure) for figure in row["figures"]],
            "lists": _as_json(row.get("lists", {})),
            "leads": row["leads"],
            "valid_from": row["valid_from"],
            "valid_to": row.get("valid_to"),
            "source": row["source"],
        }
        for row in lines
    ]


def _setting_rows(lines: Iterable[Row]) -> list[Row]:
    return [
        {
            "name": row["name"],
            "value": row.get("value"),
            "unit": row.get("unit", ""),
            "choices": row.get("choices", []),
            "note": row.get("note", ""),
            "valid_from": row["valid_from"],
            "valid_to": row.get("valid_to"),
        }
        for row in lines
    ]


def _briefing_rows() -> list[Row]:
    return [
        {
            "name": row["name"],
            "version": row["version"],
            "title": row["title"],
            "text": row["text"].strip(),
            "source": row["source"],
            "valid_from": row["valid_from"],
            "valid_to": row.get("valid_to"),
        }
        for row in _read_tables("briefings.toml")["texts"]
    ]


def _as_json(figure: Mapping[str, Any]) -> Row:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in figure.items()}


# --- tables -----------------------------------------------------------------------------------------------------------


def _bring_in_line(
    session: Session, table: type[Base], rows: Sequence[Row], *, key: tuple[str, ...], prune: bool
) -> int:
    """Insert what is missing, update what differs, with `prune` delete what is no longer named; the number of rows."""
    primary = [column.name for column in inspect(table).primary_key]
    columns = [getattr(table, name) for name in dict.fromkeys((*primary, *rows[0]))]
    present = {tuple(row[name] for name in key): row for row in session.execute(select(*columns)).mappings()}
    wanted = {tuple(row[name] for name in key): row for row in rows}
    if len(wanted) < len(rows):
        raise DataFileBroken(f"{table.__tablename__}：同一个 {'+'.join(key)} 出现两次")
    missing = [row for at, row in wanted.items() if at not in present]
    differing = [
        {**{name: present[at][name] for name in primary}, **row}
        for at, row in wanted.items()
        if at in present and any(present[at][name] != value for name, value in row.items())
    ]
    stray = [row for at, row in present.items() if at not in wanted] if prune else []
    if stray:
        session.connection().execute(
            delete(table).where(*(getattr(table, name) == bindparam(f"old_{name}") for name in primary)),
            [{f"old_{name}": row[name] for name in primary} for row in stray],
        )
    if missing:
        session.execute(insert(table), missing)
    if differing:
        session.execute(update(table), differing)
    return len(missing) + len(differing) + len(stray)


def _bring_successors_in_line(session: Session, successors: Mapping[_AreaKey, set[str]]) -> int:
    ids = {
        (code, began): area_id for area_id, code, began in session.execute(select(Area.id, Area.code, Area.valid_from))
    }
    rows = [
        {"area_id": ids[area], "successor_code": code} for area, codes in successors.items() for code in sorted(codes)
    ]
    return _bring_in_line(session, AreaSuccessor, rows, key=("area_id", "successor_code"), prune=True)
