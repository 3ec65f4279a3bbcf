"""The score: each part that the document names moves an order, in the direction that it says and by itself.

A pair of postings differs in one fact. Its better half bears the higher id, so that a tie would show as a wrong order.
"""

import math
import re
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from matching import Match, MatchIndex, Place, Weights
from matching.weights import ChanceWeights, WorthWeights
from tests.matching.markets import HERE, TODAY, place_at, plain_opening, plain_seeker

Facts = dict[str, Any]

GUARD, SAME_GROUP, SAME_FAMILY, UNRELATED = "4-07-05-01", "4-07-05-02", "4-07-03-01", "6-05-01-03"
SOON, LATER = TODAY + timedelta(days=5), TODAY + timedelta(days=60)
PROGRAMME_KINDS = {"kinds": {"work_relief", "public_welfare", "seasonal"}}

# part, better, worse, the person for whom it is so
PAIRS: list[tuple[str, Facts, Facts, Facts]] = [
    ("skill", {"occupation": GUARD}, {"occupation": SAME_GROUP}, {}),
    ("skill", {"occupation": SAME_GROUP}, {"occupation": SAME_FAMILY}, {}),
    ("skill", {"occupation": SAME_FAMILY}, {"occupation": UNRELATED}, {}),
    ("skill", {"occupation": None}, {"occupation": UNRELATED}, {}),
    ("skill", {"occupation": UNRELATED}, {"occupation": GUARD}, {"wants": (UNRELATED, GUARD)}),
    ("skill", {"title": "小区夜班保安"}, {"title": "仓库"}, {"skills_text": "当过小区保安", "wants": ()}),
    ("skill", {"title": "ABC保安"}, {"title": "AB保安"}, {"skills_text": "abc", "wants": (UNRELATED,)}),
    ("skill", {"title": "工地小工", "occupation": SAME_GROUP}, {"title": "砌墙"}, {"skills_text": "工地小工"}),
    (
        "skill",
        {"title": "急招！工地小工（日结）", "occupation": UNRELATED},
        {"title": "砌墙"},
        {"skills_text": "工地小工"},
    ),
    ("skill", {"title": "货车司机"}, {"title": "开车床", "occupation": SAME_GROUP}, {"skills_text": "开车"}),
    # Where no two kilometres are near any more, the way still tells.
    ("commute", {"place": place_at(200)}, {"place": place_at(210)}, {"max_km": 600.0}),
    ("commute", {"place": place_at(200)}, {"place": place_at(200, township="500238106")}, {"max_km": 600.0}),
    ("experience", {}, {"experience_years_min": 5}, {"experience_years": 2}),
    ("experience", {"experience_years_min": 3}, {"experience_years_min": 5}, {"experience_years": 2}),
    ("experience", {"experience_years_min": 0}, {"experience_years_min": 1}, {}),
    ("education", {}, {"education": "college"}, {"education": "junior"}),
    ("education", {"education": "vocational"}, {"education": "college"}, {"education": "junior"}),
    ("education", {"education": "none"}, {"education": "primary"}, {}),
    ("room", {"openings": 10}, {"openings": 1}, {}),
    ("room", {"sent": 1}, {"sent": 2}, {}),
    ("reply", {"reply_rate": 0.9}, {"reply_rate": None}, {}),
    ("reply", {"reply_rate": None}, {"reply_rate": 0.4}, {}),
    ("trust", {"verified": True}, {"verified": False}, {}),
    (
        "programme",
        {"kind": "work_relief"},
        {"kind": "seasonal"},
        {"priority": "poverty_alleviated"} | PROGRAMME_KINDS,
    ),
    ("programme", {"kind": "public_welfare"}, {"kind": "seasonal"}, {"priority": "hard_to_employ"} | PROGRAMME_KINDS),
    ("programme", {"kind": "seasonal"}, {"kind": "work_relief"}, {"priority": "none"} | PROGRAMME_KINDS),
    ("pay", {"pay_min_yuan_month": 4000}, {"pay_min_yuan_month": 3900}, {}),
    ("pay", {"pay_min_yuan_month": 4000}, {"pay_min_yuan_month": 3900}, {"pay_min_yuan_month": 3000}),
    ("pay", {"pay_min_yuan_month": 4000}, {"pay_max_yuan_month": 4000}, {}),
    ("pay", {"pay_min_yuan_month": 4000}, {}, {}),
    ("pay", {}, {"pay_min_yuan_month": 2500}, {}),
    ("pay", {"pay_min_yuan_month": 7500}, {"pay_min_yuan_month": 19000}, {}),
    ("near", {"place": place_at(3)}, {"place": place_at(4)}, {}),
    ("near", {"place": place_at(3)}, {"place": place_at(3, precision="district")}, {}),
    ("start", {"starts_on": SOON}, {"starts_on": LATER}, {}),
    ("start", {}, {"starts_on": LATER}, {}),
    ("start", {"starts_on": LATER}, {"starts_on": SOON}, {"available_on": LATER}),
    ("start", {"starts_on": TODAY - timedelta(days=90)}, {"starts_on": SOON}, {}),
    ("keep", {"meals": True}, {"meals": False}, {}),
    ("keep", {"meals": None}, {"meals": False}, {}),
    ("keep", {"lodging": True}, {"lodging": None}, {}),
    ("insurance", {"insurance": True}, {"insurance": None}, {}),
    ("insurance", {"insurance": None}, {"insurance": False}, {}),
    ("kind", {"kind": "full_time"}, {"kind": "workshop"}, {}),
    ("kind", {"kind": "part_time"}, {"kind": "seasonal"}, {}),
    ("kind", {"kind": "seasonal"}, {"kind": "day_labour"}, {}),
    ("ease", {"physical_level": 1}, {"physical_level": 2}, {}),
    ("ease", {"physical_level": None}, {"physical_level": 3}, {}),
    ("ease", {"physical_level": 3}, {"physical_level": 4}, {}),
    *(
        ("ease", {"demands": ()}, {"demands": {demand}}, {})
        for demand in ("heavy_lifting", "nights", "heat", "dust", "chemicals", "heights")
    ),
    ("hours", {"ends_at_hour": 16}, {"ends_at_hour": 17}, {"home_by": 18}),
    ("hours", {"ends_at_hour": 16}, {"ends_at_hour": None}, {"home_by": 18}),
    ("hours", {"ends_at_hour": None}, {"ends_at_hour": 18}, {"home_by": 18}),
    ("open_to_all", {}, {"age_max": 60}, {}),
    ("open_to_all", {"age_max": 60, "age_reason": "licence_age"}, {"age_max": 60}, {}),
]
CHANCE = [part.name for part in fields(ChanceWeights)]
WORTH = [part.name for part in fields(WorthWeights)]


FACTORS = ["skill", "commute"]
LONG_ROAD = {"500238106": 2.0}


def ranked(better: Facts, worse: Facts, person: Facts, weights: Weights | None = None) -> list[Match]:
    openings = [plain_opening(1, **worse), plain_opening(2, **better)]
    weights = weights or Weights(detours=LONG_ROAD)
    return MatchIndex.build(openings, today=TODAY, weights=weights).rank(plain_seeker(**person))


def without(part: str) -> Weights:
    """The published weights with one share of chance or worth at nought."""
    plain = Weights()
    if part in CHANCE:
        return replace(plain, chance=replace(plain.chance, **{part: 0.0}))
    return replace(plain, worth=replace(plain.worth, **{part: 0.0}))


@pytest.mark.parametrize(("part", "better", "worse", "person"), PAIRS)
def test_one_fact_changes_one_part_and_the_order(part: str, better: Facts, worse: Facts, person: Facts) -> None:
    first, second = ranked(better, worse, person)
    assert (first.opening_id, second.opening_id) == (2, 1)
    assert first.score > second.score
    assert {name for name in first.parts if first.parts[name] != second.parts[name]} == {part}
    assert first.parts[part] > second.parts[part]
    if part not in FACTORS:
        tied = ranked(better, worse, person, without(part))
        assert [match.opening_id for match in tied] == [1, 2]
        assert tied[0].score == tied[1].score


def test_every_part_has_a_pair() -> None:
    assert {part for part, *_ in PAIRS} == {*FACTORS, *CHANCE, *WORTH}


PARTS_BY_HAND: list[tuple[str, float, Facts, Facts]] = [
    ("skill", 1.0, {}, {}),
    ("skill", 0.6, {"occupation": SAME_GROUP}, {}),
    ("skill", 0.3, {"occupation": SAME_FAMILY}, {}),
    ("skill", 0.0, {"occupation": UNRELATED}, {}),
    ("skill", 0.3, {}, {"wants": ()}),
    ("skill", 0.81, {}, {"wants": (UNRELATED, UNRELATED, GUARD)}),
    ("skill", 0.9, {}, {"wants": (SAME_GROUP, GUARD)}),
    ("skill", 0.85, {"title": "门卫"}, {"skills_text": "看屋"}),
    # 区保 and 保安, of two and of three pairs: dice 0.8.
    ("skill", 1 - 0.745 * 0.36, {"title": "小区保安", "occupation": None}, {"skills_text": "区保安"}),
    ("skill", 1.0, {"title": "保-安 CNC", "occupation": None}, {"skills_text": "cnc"}),
    (
        "skill",
        1.0,
        {"title": "急招！高薪保安员（包吃住）/门卫", "occupation": UNRELATED},
        {"skills_text": "看门，保安"},
    ),
    ("skill", 0.255, {"title": "招工", "occupation": None}, {"skills_text": "招聘"}),
    ("skill", 0.255, {"title": "！", "occupation": None}, {"skills_text": "！！"}),
    # 养猪 stands whole in the title: more than its dice of 2 / 5.
    ("skill", 1 - 0.745 * 0.4, {"title": "养猪场饲养员", "occupation": None}, {"skills_text": "养猪"}),
    # A long story says half of what a word would: 货车, 车司, 司机 all stand in it.
    (
        "skill",
        1 - 0.745 * 0.5,
        {"title": "货车司机", "occupation": None},
        {"skills_text": "年轻时跟人跑过几年大货车司机也开过挖机修过路"},
    ),
    ("experience", 0.4, {"experience_years_min": 5}, {"experience_years": 2}),
    ("experience", 0.2, {"experience_years_min": 10}, {"experience_years": 0}),
    ("experience", 0.7, {"experience_years_min": 10}, {}),
    ("education", 0.7, {"education": "senior"}, {"education": "junior"}),
    ("education", 1.0, {"education": "senior"}, {"education": "vocational"}),
    ("education", 0.1, {"education": "bachelor"}, {"education": "none"}),
    ("education", 0.75, {"education": "primary"}, {}),
    ("room", 5 / (5 + 1.5 + 0.5), {"openings": 5, "sent": 3}, {}),
    ("programme", 1.0, {"kind": "work_relief"}, {"priority": "poverty_alleviated"}),
    ("programme", 0.6, {"kind": "public_welfare"}, {"priority": "hard_to_employ"}),
    ("programme", 0.35, {"kind": "work_relief"}, {}),
    ("programme", 0.5, {"kind": "workshop"}, {"priority": "poverty_alleviated"}),
    ("pay", 0.6, {"pay_min_yuan_month": 4000}, {"pay_min_yuan_month": 4000}),
    ("pay", 0.15, {"pay_min_yuan_month": 2000}, {"pay_min_yuan_month": 4000}),
    ("pay", 0.8, {"pay_min_yuan_month": 4000, "pay_max_yuan_month": 8000}, {"pay_min_yuan_month": 4000}),
    ("pay", 0.6, {"pay_max_yuan_month": 4000}, {"pay_min_yuan_month": 3000}),
    ("pay", 1.0, {"pay_min_yuan_month": 3 * 4961}, {}),
    ("pay", 0.5, {"pay_min_yuan_month": 3.5 * 4961}, {}),
    ("pay", 0.0, {"pay_min_yuan_month": 4 * 4961}, {}),
    ("pay", 0.5, {"pay_min_yuan_month": 35000}, {"pay_min_yuan_month": 10000}),
    ("pay", 0.6, {"pay_min_yuan_month": 4961}, {"pay_min_yuan_month": 0}),
    ("commute", 1.0, {"place": place_at(28)}, {}),
    ("commute", 0.5, {"place": place_at(80 / 1.4)}, {"max_km": 600.0}),
    ("near", math.exp(-10 * 1.4 / 15), {"place": place_at(10)}, {}),
    ("near", math.exp(-5 * 1.4 / 15), {"place": place_at(0, precision="district")}, {}),
    ("start", 0.5, {"starts_on": TODAY + timedelta(days=30)}, {}),
    ("start", 1.0, {"starts_on": TODAY - timedelta(days=30)}, {"available_on": TODAY}),
    ("start", 0.6, {"starts_on": TODAY}, {"available_on": TODAY + timedelta(days=10)}),
    ("keep", 0.4, {}, {}),
    ("keep", 0.6, {"meals": False, "lodging": True}, {}),
    ("kind", 1.0, {"kind": "day_labour"}, {"kinds": {"day_labour"}}),
    ("kind", 0.65, {"kind": "day_labour"}, {}),
    ("ease", 0.0, {"physical_level": 3, "demands": {"heavy_lifting", "nights"}}, {}),
    ("ease", 0.3, {"physical_level": 2, "demands": {"heavy_lifting", "nights"}}, {}),
    ("hours", 0.44, {"ends_at_hour": 17, "place": place_at(2.142857)}, {"home_by": 18}),
    ("hours", 0.0, {"ends_at_hour": 8, "demands": {"nights"}}, {"home_by": 18}),
    ("open_to_all", 0.0, {"age_max": 70}, {}),
    ("open_to_all", 1.0, {"age_min": 20}, {}),
]


@pytest.mark.parametrize(("part", "value", "posting", "person"), PARTS_BY_HAND)
def test_a_part_computed_by_hand(part: str, value: float, posting: Facts, person: Facts) -> None:
    index = MatchIndex.build([plain_opening(**posting)], today=TODAY)
    match = index.explain(plain_seeker(**person), 1)
    assert match is not None
    assert match.parts[part] == pytest.approx(value, abs=1e-4)


def test_a_score_computed_by_hand() -> None:
    (match,) = MatchIndex.build([plain_opening(pay_min_yuan_month=4961)], today=TODAY).rank(plain_seeker())
    # experience and education are not asked; one place and nobody sent: room 1 / 1.5
    chance = 0.20 + 0.16 + 0.20 / 1.5 + 0.18 * 0.5 + 0.10 * 0.3 + 0.16 * 0.5
    # next door, everything else unknown
    worth = 0.30 * 0.6 + 0.30 + 0.08 * 0.8 + 0.07 * 0.4 + 0.06 * 0.4 + 0.05 + 0.08 * 0.8 + 0.03 + 0.03
    assert match.score == pytest.approx(chance * worth, abs=1e-9)
    assert match.distance_km == 0


def test_what_is_learnt_enters_the_score() -> None:
    far = place_at(10, township="500112003")
    index = MatchIndex.build(
        [plain_opening(occupation=UNRELATED, pay_min_yuan_month=3000, place=far)],
        today=TODAY,
        weights=Weights(closeness={(GUARD, UNRELATED): 0.8}, going_rates={UNRELATED: 2000}, detours={"500112003": 2.0}),
    )
    (match,) = index.rank(plain_seeker())
    assert match.parts["skill"] == pytest.approx(0.8)
    assert match.parts["pay"] == pytest.approx(1.0)
    assert match.parts["near"] == pytest.approx(math.exp(-20 / 15), abs=1e-4)
    assert match.distance_km == pytest.approx(10, abs=0.001)


def test_learnt_closeness_has_a_direction() -> None:
    weights = Weights(closeness={(GUARD, UNRELATED): 0.8})
    (match,) = MatchIndex.build([plain_opening()], today=TODAY, weights=weights).rank(plain_seeker(wants=(UNRELATED,)))
    assert match.parts["skill"] == 0


@pytest.mark.parametrize(
    ("wanted", "offered", "close"),
    [
        ("a", "a", 1.0),
        ("a-b", "a-c", 0.0),
        ("a-b-c", "a-b-d", 0.6),
        ("a-b-c", "a-x-y", 0.3),
        ("a-b-c", "x-b-c", 0.0),
        ("a-b-c-d", "a-b-c", 0.0),
        ("a-b-c-d", "a-x-c-d", 0.0),
        ("12034", "12035", 0.0),
    ],
)
def test_codes_are_read_as_paths_whatever_the_vocabulary(wanted: str, offered: str, close: float) -> None:
    (match,) = MatchIndex.build([plain_opening(occupation=offered)], today=TODAY).rank(plain_seeker(wants=(wanted,)))
    assert match.parts["skill"] == close


def test_the_nearer_of_two_places_counts() -> None:
    opening = plain_opening(place=place_at(10))
    near = place_at(8)
    index = MatchIndex.build([opening], today=TODAY)
    (match,) = index.rank(plain_seeker(places=(HERE, near)))
    assert match.distance_km == pytest.approx(2, abs=0.001)
    # The floor of five kilometres is applied before the nearest is chosen.
    vague = Place(lon=near.lon, lat=near.lat, precision="district")
    (match,) = index.rank(plain_seeker(places=(place_at(6), vague)))
    assert match.distance_km == pytest.approx(4, abs=0.001)


def test_the_published_weights_are_those_of_the_score() -> None:
    lines = Weights().published()
    assert [line.name for line in lines] == [*FACTORS, *CHANCE, *WORTH]
    assert [line.group for line in lines] == ["factor"] * 2 + ["chance"] * len(CHANCE) + ["worth"] * len(WORTH)
    assert "40公里" in lines[1].text
    for group in ("chance", "worth"):
        assert sum(line.share for line in lines if line.group == group) == pytest.approx(1)
    assert all(re.search(r"[\u4e00-\u9fff]", line.label) and line.text for line in lines)
    doubled = Weights(chance=ChanceWeights(**{name: 2 * getattr(ChanceWeights(), name) for name in CHANCE}))
    assert [line.share for line in doubled.published()] == pytest.approx([line.share for line in lines])


@pytest.mark.parametrize("shares", [{"pay": -0.1}, dict.fromkeys(WORTH, 0.0)], ids=["negative", "nothing"])
def test_shares_that_say_nothing_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="shares"):
        WorthWeights(**shares)


@pytest.mark.parametrize("distance", [{"decay_km": 0.0}, {"daily_km": 0.0}, {"daily_km": -1.0}])
def test_distances_that_would_divide_by_nothing_are_refused(distance: Facts) -> None:
    with pytest.raises(ValueError, match="distances"):
        Weights(**distance)


def test_no_pay_and_no_roof_carry_the_far_end_of_the_city_past_work_one_comes_home_from() -> None:
    far = {
        "place": place_at(381),
        "pay_min_yuan_month": 9000,
        "meals": True,
        "lodging": True,
        "insurance": True,
        "reply_rate": 1.0,
        "verified": True,
        "openings": 50,
    }
    near = {"place": place_at(14), "pay_min_yuan_month": 2600, "sent": 20, "reply_rate": 0.1, "insurance": False}
    assert [match.opening_id for match in ranked(near, far, {"max_km": 600.0})] == [2, 1]


def test_only_the_proportion_of_shares_counts() -> None:
    doubled = WorthWeights(**{name: 2 * getattr(WorthWeights(), name) for name in WORTH})
    better, worse = {"pay_min_yuan_month": 4000, "place": place_at(4)}, {"lodging": True}
    plain = ranked(better, worse, {})
    assert [match.score for match in ranked(better, worse, {}, Weights(worth=doubled))] == [
        match.score for match in plain
    ]
