"""Reasons and cautions: every match says why in plain Chinese, and no caution takes a reason back."""

import re
from datetime import date, timedelta
from typing import Any

import pytest

from matching import Match, MatchIndex, Opening, Place, Reason, Seeker, Weights
from tests.matching.markets import CHARACTERS, HERE, TODAY, make_market, place_at, plain_opening, plain_seeker

ROUGH = Place(lon=HERE.lon, lat=HERE.lat, precision="district")

Facts = dict[str, Any]

UNRELATED = "6-05-01-03"
REASONS = {
    "near_home",
    "near_current",
    "distance",
    "wanted_work",
    "close_work",
    "words_match",
    "pay_meets",
    "pay_good",
    "programme_first",
    "keep",
    "room",
    "replies",
    "insured",
    "light_work",
    "start_now",
    "start_fits",
    "verified",
    "home_in_time",
    "experience_fits",
    "education_fits",
}
CAUTIONS = {
    "age_cap_unlawful",
    "age_floor",
    "pay_unknown",
    "pay_doubtful",
    "pay_below",
    "far",
    "place_rough",
    "starts_before",
    "starts_late",
    "experience_short",
    "education_short",
    "nights",
    "heavy",
    "home_tight",
    "crowded",
    "not_insured",
    "not_verified",
}
# What one match must never say together.
CONTRADICTIONS = [
    ("pay_meets", "pay_below"),
    ("pay_meets", "pay_unknown"),
    ("pay_good", "pay_unknown"),
    ("experience_fits", "experience_short"),
    ("education_fits", "education_short"),
    ("start_now", "starts_before"),
    ("start_fits", "starts_before"),
    ("start_fits", "starts_late"),
    ("light_work", "heavy"),
    ("insured", "not_insured"),
    ("verified", "not_verified"),
    ("home_in_time", "home_tight"),
    ("near_home", "far"),
    ("near_current", "far"),
]


def explained(posting: Facts, person: Facts | None = None, weights: Weights | None = None) -> Match:
    match = MatchIndex.build([plain_opening(**posting)], today=TODAY, weights=weights).explain(
        plain_seeker(**(person or {})), 1
    )
    assert match is not None
    return match


def reasons(posting: Facts, person: Facts | None = None) -> dict[str, str]:
    return {reason.code: reason.text for reason in explained(posting, person).reasons}


def cautions(posting: Facts, person: Facts | None = None) -> dict[str, str]:
    return {caution.code: caution.text for caution in explained(posting, person).cautions}


# A posting of which nothing speaks but what is given: far, unwanted, unpaid, without a place to spare.
DULL: Facts = {"occupation": UNRELATED, "place": place_at(20), "kind": "seasonal"}

# code, text, posting, person
TOLD: list[tuple[str, str, Facts, Facts]] = [
    ("near_home", "离家2.0公里", DULL | {"place": place_at(2)}, {}),
    ("near_home", "离家不到1公里", DULL | {"place": HERE}, {}),
    ("near_home", "大约离家5公里", DULL | {"place": place_at(2, precision="district")}, {}),
    ("near_current", "离您现在住处1.5公里", DULL | {"place": place_at(21.5)}, {"places": (HERE, place_at(20))}),
    ("distance", "离家20.0公里", DULL, {}),
    ("wanted_work", "正是您要找的活", DULL, {"wants": (UNRELATED,)}),
    ("wanted_work", "是您要找的第2种活", DULL, {"wants": ("4-07-05-01", UNRELATED)}),
    ("wanted_work", "正是您要找的活", DULL | {"title": "养猪场饲养员"}, {"wants": (UNRELATED,), "skills_text": "养猪"}),
    ("wanted_work", "是您要找的这一类活", DULL | {"title": "放牛"}, {"wants": (UNRELATED,), "skills_text": "养猪"}),
    ("close_work", "和您要找的活相近", DULL, {"wants": ("6-05-01-01",)}),
    ("words_match", "和您说的活对得上", DULL | {"title": "缝纫工"}, {"skills_text": "做过缝纫", "wants": ()}),
    ("words_match", "正是您说的活", DULL | {"title": "急招缝纫工（计件）"}, {"skills_text": "缝纫", "wants": ()}),
    (
        "pay_meets",
        "天天有活，做满一个月够您要的3000元",
        DULL | {"kind": "day_labour", "pay_min_yuan_month": 3100},
        {"pay_min_yuan_month": 3000},
    ),
    (
        "pay_meets",
        "做满一个月够您要的3000元",
        DULL | {"kind": "seasonal", "pay_min_yuan_month": 3000},
        {"pay_min_yuan_month": 3000},
    ),
    (
        "pay_meets",
        "钟点做满，一个月够您要的1500元",
        DULL | {"kind": "part_time", "pay_min_yuan_month": 2400},
        {"pay_min_yuan_month": 1500},
    ),
    (
        "pay_meets",
        "工资够您要的3000元",
        DULL | {"kind": "full_time", "pay_min_yuan_month": 3000},
        {"pay_min_yuan_month": 3000},
    ),
    ("pay_good", "工资比这一行一般的高", DULL | {"pay_min_yuan_month": 6000}, {}),
    ("programme_first", "优先安排脱贫人口", DULL | {"kind": "work_relief"}, {"priority": "poverty_alleviated"}),
    ("programme_first", "优先安排就业困难人员", DULL | {"kind": "public_welfare"}, {"priority": "hard_to_employ"}),
    ("keep", "包吃包住", DULL | {"meals": True, "lodging": True}, {}),
    ("keep", "管饭", DULL | {"meals": True}, {}),
    ("keep", "管住", DULL | {"meals": False, "lodging": True}, {}),
    ("room", "还招8人", DULL | {"openings": 8}, {}),
    ("replies", "这家单位常回话", DULL | {"reply_rate": 0.8}, {}),
    ("insured", "有保险", DULL | {"insurance": True}, {}),
    ("light_work", "活不重", DULL | {"physical_level": 1}, {}),
    ("start_now", "现在就能上岗", DULL | {"starts_on": TODAY}, {}),
    ("start_fits", "12月1日上岗，赶得上", DULL | {"starts_on": date(2026, 12, 1)}, {}),
    ("verified", "单位核实过", DULL | {"verified": True}, {}),
    ("home_in_time", "下班赶得上回家", DULL | {"place": place_at(1), "ends_at_hour": 15}, {"home_by": 18}),
    ("experience_fits", "工龄够", DULL | {"experience_years_min": 3}, {"experience_years": 3}),
    ("education_fits", "学历够", DULL | {"education": "junior"}, {"education": "senior"}),
]

WARNED: list[tuple[str, str, Facts, Facts]] = [
    (
        "age_cap_unlawful",
        "雇主注明50岁以下，没有法定理由，可先打电话",
        {"age_max": 50},
        {"birth_date": date(1975, 1, 1)},
    ),
    ("age_floor", "雇主注明30岁以上，可先打电话", {"age_min": 30}, {"birth_date": date(2000, 1, 1)}),
    ("pay_unknown", "工资没写清，先问明白", {}, {}),
    ("pay_unknown", "工资没写清，先问明白", {"pay_min_yuan_month": 0}, {}),
    ("pay_doubtful", "工资高得不寻常，小心上当，莫先交钱", {"pay_min_yuan_month": 30000}, {}),
    (
        "pay_doubtful",
        "工资高得不寻常，小心上当，莫先交钱",
        {"pay_min_yuan_month": 5000, "pay_max_yuan_month": 90000},
        {},
    ),
    ("pay_below", "工资比您要的少200元", {"pay_min_yuan_month": 2800}, {"pay_min_yuan_month": 3000}),
    (
        "pay_below",
        "就算天天有活，做满一个月也比您要的少200元",
        {"kind": "day_labour", "pay_min_yuan_month": 2800},
        {"pay_min_yuan_month": 3000},
    ),
    (
        "pay_below",
        "就算做满一个月也比您要的少200元",
        {"kind": "seasonal", "pay_min_yuan_month": 2800},
        {"pay_min_yuan_month": 3000},
    ),
    (
        "pay_below",
        "就算钟点做满，一个月也比您要的少200元",
        {"kind": "part_time", "pay_min_yuan_month": 1800},
        {"pay_min_yuan_month": 2000},
    ),
    ("far", "离家20.0公里，路远", {"place": place_at(20)}, {}),
    ("far", "离家29.0公里，天天来回难", {"place": place_at(29)}, {}),
    ("place_rough", "距离是大概的，先问清地点", {"place": place_at(3, precision="district")}, {}),
    ("place_rough", "只知道在哪个区县，先问清地点", {"place": ROUGH}, {}),
    ("experience_short", "要10年工龄", {"experience_years_min": 10}, {"experience_years": 8}),
    ("education_short", "学历写的是大专", {"education": "college"}, {"education": "junior"}),
    (
        "starts_before",
        "12月1日就要人，您12月5日才得空",
        {"starts_on": date(2026, 12, 1)},
        {"available_on": date(2026, 12, 5)},
    ),
    ("starts_late", "要到2027年1月10日才开工", {"starts_on": date(2027, 1, 10)}, {}),
    ("nights", "有夜班", {"demands": {"nights"}}, {}),
    ("heavy", "活比较重", {"physical_level": 3}, {}),
    ("home_tight", "下班赶回家时间紧", {"ends_at_hour": 17.75}, {"home_by": 18}),
    ("crowded", "推荐去的人多，名额少", {"openings": 3, "sent": 6}, {}),
    ("not_insured", "没有保险", {"insurance": False}, {}),
    ("not_verified", "单位还没核实", {}, {}),
]

# The same facts one step short of a caution.
UNWARNED: list[tuple[str, Facts, Facts]] = [
    ("age_cap_unlawful", {"age_max": 50}, {"birth_date": date(1975, 11, 24)}),
    ("age_cap_unlawful", {"age_max": 50}, {"birth_date": date(1976, 1, 1)}),
    ("age_floor", {"age_min": 30}, {"birth_date": date(1996, 1, 1)}),
    ("pay_unknown", {"pay_max_yuan_month": 4000}, {}),
    ("pay_doubtful", {"pay_min_yuan_month": 0}, {}),
    ("pay_doubtful", {"pay_min_yuan_month": 14000}, {}),
    ("pay_below", {"pay_min_yuan_month": 3000}, {"pay_min_yuan_month": 3000}),
    ("far", {"place": place_at(15)}, {}),
    ("place_rough", {"place": place_at(3, precision="township")}, {}),
    ("experience_short", {"experience_years_min": 10}, {}),
    ("education_short", {"education": "senior"}, {"education": "vocational"}),
    ("starts_before", {"starts_on": TODAY - timedelta(days=9)}, {"available_on": TODAY}),
    ("starts_late", {"starts_on": TODAY + timedelta(days=30)}, {}),
    ("heavy", {"physical_level": 2}, {}),
    ("crowded", {"openings": 3, "sent": 5}, {}),
    ("not_insured", {"insurance": None}, {}),
    ("not_verified", {"verified": True}, {}),
]


@pytest.mark.parametrize(("code", "text", "posting", "person"), TOLD)
def test_a_reason_is_told_in_these_words(code: str, text: str, posting: Facts, person: Facts) -> None:
    assert reasons(posting, person).get(code) == text


@pytest.mark.parametrize(("code", "text", "posting", "person"), WARNED)
def test_a_caution_is_told_in_these_words(code: str, text: str, posting: Facts, person: Facts) -> None:
    assert cautions(posting, person).get(code) == text


@pytest.mark.parametrize(("code", "posting", "person"), UNWARNED)
def test_no_caution_where_there_is_no_cause(code: str, posting: Facts, person: Facts) -> None:
    assert code not in cautions(posting, person)


def test_every_code_has_an_example() -> None:
    assert {code for code, *_ in TOLD} == REASONS
    assert {code for code, *_ in WARNED} == CAUTIONS


@pytest.mark.parametrize("name", CHARACTERS)
def test_every_match_has_one_to_four_reasons_and_takes_none_back(name: str) -> None:
    market = make_market(name, seed=31, openings=120, seekers=25)
    index = MatchIndex.build(market.openings, today=TODAY, weights=market.weights)
    matches = [match for seeker in market.seekers for match in index.rank(seeker, k=60)]
    assert len(matches) > 100
    for match in matches:
        told, warned = [one.code for one in match.reasons], [one.code for one in match.cautions]
        assert 1 <= len(told) <= 4
        assert len(set(told)) == len(told)
        assert len(set(warned)) == len(warned)
        assert set(told) <= REASONS
        assert set(warned) <= CAUTIONS
        assert all(re.search(r"[\u4e00-\u9fff]", one.text) for one in (*match.reasons, *match.cautions))
        assert not [pair for pair in CONTRADICTIONS if pair[0] in told and pair[1] in warned]


def test_the_reason_that_moved_most_comes_first() -> None:
    strong_pay = explained({"pay_min_yuan_month": 7500, "place": place_at(11)}, {"wants": ()})
    assert strong_pay.reasons[0].code == "pay_good"
    close_by = explained({"pay_min_yuan_month": 5000, "place": HERE}, {"wants": ()})
    assert close_by.reasons[0].code == "near_home"


def test_no_more_than_four_reasons_stand_of_many() -> None:
    everything = DULL | {
        "place": HERE, "meals": True, "lodging": True, "reply_rate": 1.0, "insurance": True, "physical_level": 1,
        "verified": True, "openings": 9, "pay_min_yuan_month": 6000,
    }  # fmt: skip
    assert len(explained(everything).reasons) == 4


def test_words_match_only_where_words_do() -> None:
    # The third want of the same group has a skill part between 0.3 and 0.5, and no word of it is in the title.
    wants = ("4-09-08-01", "5-03-02-01", "6-05-01-01")
    assert "words_match" not in reasons(DULL | {"title": "缝纫工"}, {"wants": wants, "skills_text": "喂猪"})


def test_eight_of_ten_years_are_not_enough() -> None:
    match = explained(DULL | {"experience_years_min": 10}, {"experience_years": 8})
    assert "experience_fits" not in {reason.code for reason in match.reasons}
    assert "experience_short" in {caution.code for caution in match.cautions}


@pytest.mark.parametrize("days", [0, 2])
def test_work_that_begins_before_the_person_is_free_is_no_fit(days: int) -> None:
    posting, person = {"starts_on": TODAY + timedelta(days=days)}, {"available_on": TODAY + timedelta(days=5)}
    assert not {"start_now", "start_fits"} & reasons(DULL | posting, person).keys()
    assert "starts_before" in cautions(DULL | posting, person)
    assert {"start_now", "start_fits"} & reasons(DULL | posting, {}).keys()


def test_a_cap_with_a_lawful_reason_is_no_caution() -> None:
    assert "age_cap_unlawful" not in cautions({"age_max": 55, "age_reason": "licence_age"})


def test_a_posting_with_an_unlawful_cap_stands_behind_the_same_without_it_for_old_and_young() -> None:
    index = MatchIndex.build([plain_opening(1, age_max=45), plain_opening(2)], today=TODAY)
    for year in (1960, 1976, 2001):
        assert [match.opening_id for match in index.rank(plain_seeker(birth_date=date(year, 1, 1)))] == [2, 1]


def test_a_place_known_only_to_its_district_is_never_told_as_close() -> None:
    township = HERE.township
    vague = Place(lon=HERE.lon, lat=HERE.lat, township=township, precision="district")
    for posting, person in (({"place": vague}, {}), ({"place": HERE}, {"places": (vague,)})):
        match = explained(posting, person)
        assert match.distance_km == 5
        told = "".join(one.text for one in (*match.reasons, *match.cautions))
        assert "大约离家5公里" in told
        assert not re.search("不到1公里|同一|本镇|本街道|镇上", told)


def test_the_distance_is_told_from_the_place_that_is_nearest() -> None:
    person = {"places": (place_at(3), HERE)}
    assert reasons({"place": place_at(0.5)}, person)["near_current"] == "离您现在住处不到1公里"
    assert reasons({"place": place_at(2.5)}, person)["near_home"] == "离家不到1公里"


def test_reasons_are_values() -> None:
    assert explained(DULL).reasons == (Reason("distance", "离家20.0公里"),)


def test_a_township_alone_tells_no_kilometres() -> None:
    home = Place(lon=109.8, lat=31.2, township="500237102", precision="township")
    here, there = (
        Opening(id=number, title="保洁员", place=Place(lon=109.801, lat=31.2, township=township, precision="point"))
        for number, township in enumerate(("500237102", "500237103"))
    )
    index = MatchIndex.build([here, there], today=date(2026, 12, 1))
    aunt = Seeker(id=1, birth_date=date(1968, 5, 1), places=(home,))
    told = {match.opening_id: [reason.text for reason in match.reasons] for match in index.rank(aunt)}
    assert "就在本乡镇" in told[0]
    assert "离家不到1公里" in told[1]


def test_pay_is_doubted_where_the_score_does_not_believe_it() -> None:
    place = Place(lon=109.8, lat=31.2)
    windows = [(14_000, 16_000), (14_800, 15_600), (3_000, 60_000)]
    offered = [
        Opening(id=number, title="保洁员", place=place, pay_min_yuan_month=low, pay_max_yuan_month=high)
        for number, (low, high) in enumerate(windows)
    ]
    index = MatchIndex.build(offered, today=date(2026, 12, 1))
    aunt = Seeker(id=1, birth_date=date(1968, 5, 1), places=(place,))
    doubted = {
        match.opening_id for match in index.rank(aunt) if "pay_doubtful" in {caution.code for caution in match.cautions}
    }
    assert doubted == {1, 2}  # expected pay 14,500, 15,000 and 17,250 against 3 x 4,961 = 14,883
