"""What is written in a cell."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.pay import Pay, PayUnit
from app.domain.postings import PostingKind
from app.domain.workers import Education
from app.exchange import cells


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-31",
        "2026/12/31",
        "2026.12.31",
        "2026年12月31日",
        "２０２６-１２-３１",
        "20261231",
        "46387",
        "2026-12-31 18:00",
        " 2026-12-31 ",
    ],
)
def test_a_day_is_read_in_the_ways_it_is_written(text: str) -> None:
    assert cells.read_day(text) == date(2026, 12, 31)


@pytest.mark.parametrize("text", ["", "2026-02-30", "12月31日", "长期", "2026", "1", "20261331", "99999"])
def test_what_is_no_day_is_none(text: str) -> None:
    assert cells.read_day(text) is None


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_each_day_comes_back(day: date) -> None:
    serial = (day - date(1899, 12, 30)).days
    for text in (day.isoformat(), f"{day:%Y%m%d}", f"{day.year}年{day.month}月{day.day}日", str(serial)):
        assert cells.read_day(text) == day


@pytest.mark.parametrize("text", ["2024-07", "2024/7", "2024年7月", "2024-07-15"])
def test_a_month_is_its_first_day(text: str) -> None:
    assert cells.read_month(text) == date(2024, 7, 1)


@pytest.mark.parametrize("text", ["", "2024-13", "七月"])
def test_what_is_no_month_is_none(text: str) -> None:
    assert cells.read_month(text) is None


@pytest.mark.parametrize(
    ("text", "openings"),
    [
        ("10", 10),
        ("１０人", 10),
        ("13.0", 13),
        ("招5人", 5),
        ("5-10人", 5),
        ("2名左右", 2),
        ("若干", None),
        ("0", None),
        ("-3", None),
        ("999999999999", None),
        ("", None),
    ],
)
def test_places_are_counted_when_they_are_sure(text: str, openings: int | None) -> None:
    assert cells.read_openings(text) == openings


@pytest.mark.parametrize(
    ("text", "wanted", "own"),
    [
        ("初中及以下", None, Education.JUNIOR),
        ("不限", None, None),
        ("高中", Education.SENIOR, Education.SENIOR),
        ("中专/中技", Education.VOCATIONAL, Education.VOCATIONAL),
        ("高中/中专", Education.SENIOR, Education.VOCATIONAL),
        ("大专及以上", Education.COLLEGE, Education.COLLEGE),
        ("大专/本科", Education.COLLEGE, Education.BACHELOR),
        ("硕士", Education.BACHELOR, Education.BACHELOR),
        ("博士", Education.BACHELOR, Education.BACHELOR),
        ("文盲", None, Education.NONE),
        ("", None, None),
    ],
)
def test_schooling_is_the_least_wanted_or_the_highest_held(
    text: str, wanted: Education | None, own: Education | None
) -> None:
    assert cells.read_schooling_wanted(text) is wanted
    assert cells.read_schooling(text) is own


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("3-5年", 3),
        ("1年及以上", 1),
        ("10年以上经验", 10),
        ("1-2年,可接收应届生", 1),
        ("1年以内", 0),
        ("1年以下,可接收应届生", 0),
        ("经验不限,可接收应届生", 0),
        ("无需经验", 0),
        ("在校/应届", 0),
        ("['重庆-渝北区', '1年经验', '大专', '招1人']", 1),
        ("['上海', '无需经验', '招20人']", 0),
        ("本科", None),
        ("", None),
    ],
)
def test_years_of_experience_are_the_least_that_is_asked(text: str, years: int | None) -> None:
    assert cells.read_years_wanted(text) == years


@pytest.mark.parametrize(
    ("text", "said"), [("是", True), ("√", True), ("Y", True), ("否", False), ("×", False), ("", None), ("?", None)]
)
def test_yes_and_no_are_told_from_neither(text: str, said: bool | None) -> None:
    assert cells.read_yes(text) is said


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (("全职", "兼职保安"), PostingKind.FULL_TIME),
        (("", "公益性岗位保洁员"), PostingKind.PUBLIC_WELFARE),
        (("以工代赈",), PostingKind.WORK_RELIEF),
        (("帮扶车间",), PostingKind.WORKSHOP),
        (("", "日结小时工"), PostingKind.DAY_LABOUR),
        (("", "柑橘采摘工"), PostingKind.SEASONAL),
        (("", "保安"), None),
    ],
)
def test_the_kind_is_what_its_own_column_says_first(texts: tuple[str, ...], kind: PostingKind | None) -> None:
    assert cells.read_kind(*texts) is kind


@pytest.mark.parametrize(
    ("text", "meals", "lodging", "insurance"),
    [
        ("五险一金 包吃住", True, True, True),
        ("包吃", True, None, None),
        ("提供住宿|社保", None, True, True),
        ("不包吃住", False, False, None),
        ("无五险", None, None, False),
        ("餐补", None, None, None),
        ("", None, None, None),
    ],
)
def test_offers_are_read_with_their_denial(
    text: str, meals: bool | None, lodging: bool | None, insurance: bool | None
) -> None:
    assert [cells.read_offer(offer, text) for offer in ("meals", "lodging", "insurance")] == [meals, lodging, insurance]


def test_pay_is_kept_to_the_fen_and_within_its_column() -> None:
    fen = Pay(unit=PayUnit.MONTH, low=Decimal("8333.33"), high=Decimal("16666.67"))
    assert cells.read_pay("8333.333-16666.667") == fen
    assert cells.read_pay("9" * 40 + "元") is None
    assert cells.read_pay("随便写的") is None


def test_lists_are_split_at_the_signs_that_people_use() -> None:
    assert cells.split_words("保洁、看大门，煮饭 保洁") == ("保洁", "看大门", "煮饭")
