"""The plan's figures as dated data: complete, legal, and true to the sums that the plan itself makes.

`settings` are not policy: they are local figures that nobody fixed, and each has to say so.
"""

from __future__ import annotations

import csv
import itertools
import re
import tomllib
from collections import Counter
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[2] / "seed" / "data"

KINDS = {"target", "money", "minimum", "rule"}
OPS = {"at_least", "at_most", "about", "exactly"}
YEARLY_UNITS = {
    "persons_per_year",
    "person_times_per_year",
    "posts_per_year",
    "brands_per_year",
    "stations_per_year",
    "parks_per_year",
    "events_per_year",
}
MONEY_UNITS = {"yuan_each", "yuan_per_household"}
UNITS = YEARLY_UNITS | MONEY_UNITS | {"percent", "times_per_person", "minutes", "years", "districts"}
SETTING_UNITS = {
    "years",
    "days",
    "km",
    "times",
    "persons",
    "multiple",
    "share",
    "flag",
    "choice",
    "local_time",
    "month_day",
    "minutes",
    "characters",
}
POSTING_KINDS = {"full_time", "part_time", "day_labour", "seasonal", "work_relief", "workshop", "public_welfare"}

ISSUED_ON = date(2025, 3, 27)
FIRST_DAY = date(2025, 1, 1)
LAST_DAY = date(2027, 12, 31)
LEADS_BY_PART = {"1": 13, "2": 8, "3": 6, "4": 2, "5": 5, "6": 1, "7": 9, "8": 8, "9": 4, "10": 7}

Row = dict[str, Any]


def read_rows(name: str) -> list[Row]:
    """Rows of one table of the file, as TOML types."""
    with (DATA / "policies.toml").open("rb") as file:
        rows: list[Row] = tomllib.load(file)[name]
    return rows


def count_csv_rows(name: str) -> int:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.DictReader(file))


POLICIES = read_rows("policies")
SETTINGS = read_rows("settings")
BY_CLAUSE = {row["clause"]: row for row in POLICIES}
BY_NAME = {row["name"]: row for row in SETTINGS}

each_policy = pytest.mark.parametrize("policy", POLICIES, ids=lambda row: str(row["clause"]))
each_setting = pytest.mark.parametrize("setting", SETTINGS, ids=lambda row: str(row["name"]))


def figure_of(clause: str) -> int:
    """The one figure of a clause that has exactly one."""
    (figure,) = BY_CLAUSE[clause]["figures"]
    value: int = figure["value"]
    return value


def part_of(clause: str) -> str:
    """Part of the plan: "8" for "8.10", "G" for the goal, "S" for the safeguards."""
    return re.split(r"\.|(?<=[GS])", clause)[0]


def test_clauses_are_unique_and_complete() -> None:
    assert len(BY_CLAUSE) == len(POLICIES)
    assert Counter(row["kind"] for row in POLICIES) == {"target": 16, "money": 11, "minimum": 6, "rule": 12}


@each_policy
def test_policy_has_words_source_and_legal_dates(policy: Row) -> None:
    required = {"clause", "kind", "title", "gloss", "figures", "valid_from", "valid_to", "source", "section", "leads"}
    assert required <= policy.keys() <= required | {"lists"}
    assert re.fullmatch(r"(10|[1-9])\.[1-9]\d?|G1|S[1-7]", policy["clause"])
    assert policy["kind"] in KINDS
    assert re.search(r"[\u4e00-\u9fff]", policy["title"])
    assert re.fullmatch(r"[\x20-\x7e]+", policy["gloss"])
    assert policy["source"] == "渝府办发〔2025〕18号"
    assert policy["valid_from"] == (FIRST_DAY if policy["kind"] == "target" else ISSUED_ON)
    assert policy["valid_to"] == LAST_DAY


@each_policy
def test_figures_are_legal(policy: Row) -> None:
    for figure in policy["figures"]:
        assert {"name", "op", "value", "unit"} <= figure.keys()
        assert figure.keys() <= {"name", "op", "value", "unit", "valid_from", "valid_to"}
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", figure["name"])
        assert figure["op"] in OPS
        assert figure["unit"] in UNITS
        assert type(figure["value"]) is int
        assert figure["value"] >= 0
        if figure["unit"] == "percent":
            assert figure["value"] <= 100
        valid_from = figure.get("valid_from", policy["valid_from"])
        assert policy["valid_from"] <= valid_from <= figure.get("valid_to", policy["valid_to"]) <= policy["valid_to"]


@each_policy
def test_figures_of_one_name_do_not_hold_on_the_same_day(policy: Row) -> None:
    spans = sorted(
        (row["name"], row.get("valid_from", policy["valid_from"]), row.get("valid_to", policy["valid_to"]))
        for row in policy["figures"]
    )
    for (name, _, ended), (next_name, began, _) in itertools.pairwise(spans):
        assert name != next_name or ended < began


@each_policy
def test_kind_and_unit_agree(policy: Row) -> None:
    units = {figure["unit"] for figure in policy["figures"]}
    if policy["kind"] == "target":
        assert len(policy["figures"]) == 1
        assert units <= YEARLY_UNITS | {"percent"}
    elif policy["kind"] == "money":
        assert units <= MONEY_UNITS | {"percent", "years"}
    else:
        assert not units & (YEARLY_UNITS | MONEY_UNITS)


@each_policy
def test_lists_name_each_member_once(policy: Row) -> None:
    for members in policy.get("lists", {}).values():
        assert members
        assert len(set(members)) == len(members)
        assert all(isinstance(member, str) and member.strip() == member != "" for member in members)


@each_policy
def test_leads_are_those_of_the_part(policy: Row) -> None:
    part = part_of(policy["clause"])
    assert len(policy["leads"]) == LEADS_BY_PART.get(part, 0)
    assert len(set(policy["leads"])) == len(policy["leads"])
    same_part = [row for row in POLICIES if part_of(row["clause"]) == part]
    assert all((row["section"], row["leads"]) == (policy["section"], policy["leads"]) for row in same_part)


def test_part_eight_is_led_by_eight_departments() -> None:
    assert BY_CLAUSE["8.7"]["section"] == "（八）实施困难农民工帮扶行动"
    assert len(BY_CLAUSE["8.7"]["leads"]) == 8
    assert {"市人力社保局", "市民政局", "市林业局"} <= set(BY_CLAUSE["8.7"]["leads"])


def test_four_sectors_add_up_to_the_goal() -> None:
    """15万 + 13万 + 1万 + 1万 = 30万: the plan's own sum, part (一) against part 一."""
    sectors = [figure_of(clause) for clause in ("1.4", "1.5", "1.6", "1.7")]
    assert sectors == [150_000, 130_000, 10_000, 10_000]
    assert sum(sectors) == figure_of("G1") == 300_000


def test_one_one_three_one_is_owed_to_each_person() -> None:
    owed = [BY_CLAUSE[clause] for clause in ("8.5", "8.6", "8.7", "8.8")]
    assert [row["figures"][0]["value"] for row in owed] == [1, 1, 3, 1]
    assert {row["kind"] for row in owed} == {"minimum"}
    assert {(row["figures"][0]["op"], row["figures"][0]["unit"]) for row in owed} == {("at_least", "times_per_person")}


def test_sums_of_money_are_the_plans() -> None:
    """Clause by clause against the text; a nought too many would be paid out."""
    sums = {
        (clause, figure["name"]): (figure["op"], figure["value"])
        for clause, row in BY_CLAUSE.items()
        for figure in row["figures"]
        if figure["unit"] in MONEY_UNITS
    }
    assert sums == {
        ("2.4", "building_grant"): ("at_most", 500_000),
        ("2.5", "award_least"): ("at_least", 20_000),
        ("2.5", "award_most"): ("at_most", 100_000),
        ("3.2", "brand_award"): ("at_most", 500_000),
        ("7.5", "personal_loan"): ("at_most", 300_000),
        ("7.5", "small_firm_loan"): ("at_most", 4_000_000),
        ("7.7", "startup_grant"): ("at_most", 8_000),
        ("7.9", "park_grant"): ("exactly", 600_000),
        ("7.10", "award_excellent"): ("exactly", 300_000),
        ("7.10", "award_good"): ("exactly", 200_000),
        ("7.10", "award_passed"): ("exactly", 100_000),
    }


def test_number_of_districts_is_that_of_the_area_tables() -> None:
    before, now = BY_CLAUSE["S2"]["figures"]
    assert before["value"] == count_csv_rows("cq_districts_2023.csv")
    assert now["value"] == count_csv_rows("cq_districts_2025.csv")
    assert (now["valid_from"] - before["valid_to"]).days == 1


def test_each_region_has_its_own_brands() -> None:
    rows = [BY_CLAUSE[clause]["lists"] for clause in ("3.3", "3.4", "3.5")]
    assert [row["regions"] for row in rows] == [["主城都市区"], ["渝东北三峡库区"], ["渝东南武陵山区"]]
    assert all(len(row["brand_industries"]) == 3 for row in rows)


@each_setting
def test_setting_says_that_it_is_local(setting: Row) -> None:
    required = {"name", "value", "unit", "valid_from", "basis", "note"}
    assert required <= setting.keys() <= required | {"choices"}
    assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", setting["name"])
    assert setting["basis"] == "local"
    assert setting["note"].startswith("本地设定，")
    assert setting["unit"] in SETTING_UNITS
    assert FIRST_DAY <= setting["valid_from"] <= LAST_DAY


@each_setting
def test_value_is_of_its_unit(setting: Row) -> None:
    value, unit = setting["value"], setting["unit"]
    assert (unit == "choice") == ("choices" in setting)
    if unit == "choice":
        assert value in setting["choices"]
        assert len(set(setting["choices"])) == len(setting["choices"]) > 1
    elif unit == "flag":
        assert type(value) is bool
    elif unit == "local_time":
        assert time.fromisoformat(value).strftime("%H:%M") == value
    elif unit == "month_day":
        assert date.fromisoformat(f"2025-{value}").strftime("%m-%d") == value
    elif unit == "share":
        assert 0 < value < 1
    elif isinstance(value, list):
        assert value == sorted(set(value))
        assert all(type(number) is int and number > 0 for number in value)
    else:
        assert type(value) in {int, float}
        assert value > 0


def test_a_setting_has_one_row_a_day() -> None:
    days = Counter((row["name"], row["valid_from"]) for row in SETTINGS)
    assert set(days.values()) == {1}


def test_what_the_plan_leaves_open_is_a_setting() -> None:
    open_questions = {
        "older_worker_age": 50,
        "nearby_scope": "municipality",
        "nearby_jobs_once_a_year": True,
        "training_employment_base": "completed",
        "obligation_first_window": 30,
        "obligation_yearly_deadline": "12-31",
        "push_counts_when": "delivered",
        "push_quiet_from": "21:00",
        "push_quiet_until": "08:00",
    }
    assert {name: BY_NAME[name]["value"] for name in open_questions} == open_questions


def test_each_posting_kind_has_a_shelf_life() -> None:
    prefix = "posting_shelf_life_"
    assert {name.removeprefix(prefix) for name in BY_NAME if name.startswith(prefix)} == POSTING_KINDS


def test_no_minimum_wage_is_made_up() -> None:
    """A local setting may not stand for a figure that only the government fixes; empty means not configured."""
    assert not [name for name in BY_NAME if "wage" in name]


# --- briefings --------------------------------------------------------------------------------------------------------

TEXTS: list[Row] = tomllib.loads((DATA / "briefings.toml").read_text(encoding="utf-8"))["texts"]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text["name"])
def test_a_briefing_tells_figures_of_the_clauses_that_it_names_and_no_others(text: Row) -> None:
    named = {
        clause for part in re.findall(r"[0-9.]+(?:-[0-9.]+)?", text["source"].split("号")[1]) for clause in spread(part)
    }
    clauses = [policy for policy in POLICIES if policy["clause"] in named]
    assert {policy["clause"] for policy in clauses} == named
    known = {number for policy in clauses for number in re.findall(r"[0-9]+", policy["title"])}
    assert set(re.findall(r"[0-9]+", text["text"])) <= known


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text["name"])
def test_a_briefing_is_read_in_a_minute_and_holds_no_longer_than_its_clauses(text: Row) -> None:
    assert 60 <= len(text["text"]) <= 260
    assert text["source"].startswith("渝府办发〔2025〕18号 ")
    assert (text["valid_from"], text["valid_to"]) == (date(2025, 3, 27), date(2027, 12, 31))


def test_a_version_of_a_briefing_stands_once() -> None:
    versions = Counter((text["name"], text["version"]) for text in TEXTS)
    assert set(versions.values()) == {1}


def spread(part: str) -> list[str]:
    """`8.5-8.7` as its clauses."""
    first, _, last = part.partition("-")
    chapter, number = first.split(".")
    return [f"{chapter}.{one}" for one in range(int(number), int((last or first).split(".")[1]) + 1)]
