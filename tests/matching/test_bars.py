"""Bars: each rule keeps off exactly what it names, says so in Chinese, and never acts on what nobody knows."""

from dataclasses import fields, replace
from datetime import date, timedelta
from typing import Any

import pytest

from matching import MatchIndex, Opening, Place, Seeker
from tests.matching.markets import TODAY, make_market, place_at, plain_opening, plain_seeker

TOMORROW, YESTERDAY = TODAY + timedelta(days=1), TODAY - timedelta(days=1)
LIMITS = {
    "no_heights": ("heights", "这活要登高，您说过不行"),
    "no_heavy_lifting": ("heavy_lifting", "这活要搬重物，您说过不行"),
    "no_nights": ("nights", "这活要上夜班，您说过不行"),
    "no_heat": ("heat", "这活要耐高温，您说过不行"),
    "no_long_standing": ("long_standing", "这活要久站，您说过不行"),
    "poor_eyesight": ("eyesight", "这活费眼神，您说过不行"),
    "poor_hearing": ("hearing", "这活要听得清，您说过不行"),
    "no_dust": ("dust", "这活有粉尘，您说过不行"),
    "no_chemicals": ("chemicals", "这活要碰化学品，您说过不行"),
    "no_cold_water": ("cold_water", "这活要沾冷水，您说过不行"),
}
DEMANDS = {demand for demand, _ in LIMITS.values()} | {"underground"}
MINOR_HAZARDS = {"heights", "heavy_lifting", "heat", "dust", "chemicals", "cold_water", "underground"}


def turning(age: int, *, on: date = TODAY) -> dict[str, Any]:
    """The birth date of somebody who turns `age` on a day, in years that are no leap years' trap."""
    return {"birth_date": date(on.year - age, on.month, on.day)}


def refusal(seeker: Seeker, opening: Opening) -> tuple[str, str] | None:
    """Rule and text, or None; the list and the explanation must agree with it."""
    index = MatchIndex.build([opening], today=TODAY)
    refused = [(one.rule, one.text) for one in index.refusals(seeker, [opening.id])]
    assert bool(refused) == (index.rank(seeker) == []) == (index.explain(seeker, opening.id) is None)
    return refused[0] if refused else None


# rule, text, the person and the posting that it is for
BARRED: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("under_working_age", "未满16周岁，法律不许招用", turning(16, on=TOMORROW), {}),
    ("hazard_level_iv", "第四级体力劳动，法律不许安排女职工和未成年工", {"sex": "female"}, {"physical_level": 4}),
    (
        "hazard_level_iv",
        "第四级体力劳动，法律不许安排女职工和未成年工",
        turning(18, on=TOMORROW),
        {"physical_level": 4},
    ),
    ("hazard_underground", "矿山井下作业，法律不许安排女职工", {"sex": "female"}, {"demands": {"underground"}}),
    *(
        ("hazard_minor", "未满18周岁，法律不许安排这类有危险的活", turning(18, on=TOMORROW), {"demands": {hazard}})
        for hazard in sorted(MINOR_HAZARDS)
    ),
    (
        "age_statutory_hazard",
        "法规对这类作业限定年龄：45岁以下",
        turning(46),
        {"age_max": 45, "age_reason": "statutory_hazard"},
    ),
    (
        "age_licence",
        "法定从业资格限定年龄：20到60岁",
        turning(61),
        {"age_min": 20, "age_max": 60, "age_reason": "licence_age"},
    ),
    (
        "age_licence",
        "法定从业资格限定年龄：20岁以上",
        turning(20, on=TOMORROW),
        {"age_min": 20, "age_reason": "licence_age"},
    ),
    ("sex_statutory", "法律对这类作业限定性别", {"sex": "female"}, {"sex_required": "male"}),
    ("sex_statutory", "法律对这类作业限定性别", {"sex": "male"}, {"sex_required": "female"}),
    ("certificate", "要先有N1", {}, {"certificates": {"N1"}}),
    ("certificate", "要先有A2、N1", {"certificates": {"B1"}}, {"certificates": {"N1", "B1", "A2"}}),
    *((f"limit_{limit}", text, {"limits": {limit}}, {"demands": {demand}}) for limit, (demand, text) in LIMITS.items()),
    ("home_by", "这活20点才下班，您18点前要到家", {"home_by": 18}, {"ends_at_hour": 20}),
    ("home_by", "这活18点半才下班，您18点前要到家", {"home_by": 18}, {"ends_at_hour": 18.5}),
    ("expired", "这个岗位过了有效期", {}, {"valid_until": YESTERDAY}),
    ("full", "这个岗位已经招满", {}, {"openings": 0}),
    ("full", "这个岗位已经招满", {}, {"openings": -3}),
    ("too_far", "离您12.0公里，超过10公里", {"max_km": 10}, {"place": place_at(12.0)}),
    ("too_far", "离您5.0公里，超过4公里", {"max_km": 4}, {"place": place_at(0.0, precision="district")}),
    ("kind", "不是您要的那种工（全职、兼职、零工等）", {"kinds": {"part_time", "workshop"}}, {"kind": "full_time"}),
]

# what stands beside a rule and is not barred by it
FREE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (turning(16), {}),
    ({"sex": "female"}, {"physical_level": 3}),
    ({"sex": "male"}, {"physical_level": 4}),
    ({"sex": None}, {"physical_level": 4}),
    (turning(18), {"physical_level": 4}),
    (turning(17), {"physical_level": 3}),
    ({"sex": "male"}, {"demands": {"underground"}}),
    ({"sex": None}, {"demands": {"underground"}}),
    (turning(18), {"demands": MINOR_HAZARDS}),
    (turning(17), {"demands": DEMANDS - MINOR_HAZARDS}),
    (turning(45), {"age_max": 45, "age_reason": "statutory_hazard"}),
    ({"birth_date": date(TODAY.year - 46, TODAY.month, TODAY.day + 1)}, {"age_max": 45, "age_reason": "licence_age"}),
    (turning(20), {"age_min": 20, "age_max": 60, "age_reason": "licence_age"}),
    (turning(70), {"age_max": 45}),
    (turning(18), {"age_min": 30}),
    (turning(70), {"age_reason": "statutory_hazard"}),
    ({"sex": None}, {"sex_required": "male"}),
    ({"sex": "male"}, {"sex_required": "male"}),
    ({"certificates": {"N1", "B1"}}, {"certificates": {"N1"}}),
    ({"certificates": {"N1"}}, {}),
    *(({"limits": {limit}}, {"demands": DEMANDS - {demand}}) for limit, (demand, _) in LIMITS.items()),
    ({"home_by": 18}, {"ends_at_hour": 18}),
    ({"home_by": 18}, {}),
    ({}, {"ends_at_hour": 23}),
    ({}, {"valid_until": TODAY}),
    ({}, {"openings": 1, "sent": 500}),
    ({"max_km": 0}, {}),
    ({"max_km": 12.1}, {"place": place_at(12.0)}),
    ({"max_km": 5}, {"place": place_at(0.0, precision="district")}),
    ({"kinds": {"part_time", "workshop"}}, {"kind": "workshop"}),
    ({}, {"kind": "day_labour"}),
]


@pytest.mark.parametrize(("rule", "text", "person", "posting"), BARRED)
def test_the_rule_bars_and_says_why(rule: str, text: str, person: dict[str, Any], posting: dict[str, Any]) -> None:
    assert refusal(plain_seeker(**person), plain_opening(**posting)) == (rule, text)


@pytest.mark.parametrize(("person", "posting"), FREE)
def test_what_stands_beside_a_rule_is_free(person: dict[str, Any], posting: dict[str, Any]) -> None:
    assert refusal(plain_seeker(**person), plain_opening(**posting)) is None


def test_a_closed_posting_says_so() -> None:
    index = MatchIndex.build([plain_opening(7)], today=TODAY)
    index.close([7])
    assert [(one.rule, one.text) for one in index.refusals(plain_seeker(), [7])] == [("closed", "这个岗位已经结束")]


def test_a_posting_that_nobody_knows_is_refused_in_words_of_its_own() -> None:
    index = MatchIndex.build([plain_opening(7)], today=TODAY)
    told = index.refusals(plain_seeker(), [8, 7, 8])
    assert [(one.opening_id, one.rule, one.text) for one in told] == [(8, "unknown", "没有这个岗位")] * 2


def test_refusals_stand_in_the_order_in_which_they_were_asked_for() -> None:
    index = MatchIndex.build([plain_opening(each, openings=each % 2) for each in range(10)], today=TODAY)
    assert [one.opening_id for one in index.refusals(plain_seeker(), [8, 1, 2, 6, 3, 0])] == [8, 2, 6, 0]


def test_the_law_is_told_before_papers_and_papers_before_wishes() -> None:
    facts: dict[str, Any] = {
        "physical_level": 4,
        "demands": {"underground", "nights"},
        "age_max": 40,
        "age_reason": "statutory_hazard",
        "sex_required": "male",
        "certificates": {"N1"},
        "ends_at_hour": 22,
        "valid_until": YESTERDAY,
        "openings": 0,
        "place": place_at(50),
    }
    woman = plain_seeker(sex="female", limits={"no_nights"}, home_by=18, kinds={"part_time"})
    cures: list[dict[str, Any]] = [
        {"physical_level": None},
        {"demands": {"nights"}},
        {"age_reason": None},
        {"sex_required": None},
        {"certificates": ()},
        {"demands": ()},
        {"ends_at_hour": None},
        {"valid_until": None},
        {"openings": 1},
        {"place": place_at(1)},
        {"kind": "part_time"},
    ]
    told = []
    for cure in cures:
        told.append((refusal(woman, plain_opening(**facts)) or ("free",))[0])
        facts |= cure
    assert told == [
        "hazard_level_iv",
        "hazard_underground",
        "age_statutory_hazard",
        "sex_statutory",
        "certificate",
        "limit_no_nights",
        "home_by",
        "expired",
        "full",
        "too_far",
        "kind",
    ]
    assert refusal(woman, plain_opening(**facts)) is None


def unknown_facts(value: Opening | Seeker) -> list[dict[str, Any]]:
    """Each field that can be unknown, alone, as it stands when nobody knows."""
    unknown = [{field.name: None} for field in fields(value) if getattr(plain_default(value), field.name) is None]
    return [*unknown, {"limits": ()}, {"kinds": ()}] if isinstance(value, Seeker) else [*unknown, {"demands": ()}]


def plain_default(value: Opening | Seeker) -> Opening | Seeker:
    """One of the same kind of which nothing is known."""
    if isinstance(value, Seeker):
        return Seeker(id=0, birth_date=value.birth_date, places=value.places)
    return Opening(id=0, title="", place=value.place)


@pytest.mark.parametrize("name", ["city", "hard_work"])
def test_unknown_never_bars(name: str) -> None:
    market = make_market(name, seed=21, openings=60, seekers=25)
    index = MatchIndex.build(market.openings, today=TODAY)
    ids = [opening.id for opening in market.openings]
    blank = {
        str(facts): MatchIndex.build([replace(opening, **facts) for opening in market.openings], today=TODAY)
        for facts in unknown_facts(market.openings[0])
        for opening in market.openings[:1]
    }
    for seeker in market.seekers:
        refused = {one.opening_id for one in index.refusals(seeker, ids)}
        for less_known in blank.values():
            assert {one.opening_id for one in less_known.refusals(seeker, ids)} <= refused
        for facts in unknown_facts(seeker):
            assert {one.opening_id for one in index.refusals(replace(seeker, **facts), ids)} <= refused


def test_a_person_of_whom_nothing_is_known_is_barred_only_where_the_law_asks_for_a_certificate() -> None:
    market = make_market("hard_work", seed=22, openings=200)
    stranger = Seeker(id=1, birth_date=date(1976, 1, 1), places=(Place(lon=106.5, lat=29.5),), max_km=500.0)
    index = MatchIndex.build(market.openings, today=TODAY)
    by_id = {opening.id: opening for opening in market.openings}
    rules = {"certificate", "expired", "full", "age_licence", "age_statutory_hazard"}
    refused = {one.opening_id: one.rule for one in index.refusals(stranger, by_id)}
    assert set(refused.values()) == rules
    assert {each for each, opening in by_id.items() if opening.certificates and each not in refused} == set()
