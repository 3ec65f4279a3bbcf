"""What the loudspeaker reads and the wall shows, and the slip that is carried to the door."""

import re
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.announcements import (
    SPOKEN_A_MINUTE,
    Announced,
    count_spoken,
    say_pay,
    spell_number,
    spell_numbers,
    write_announcement,
    write_notice,
)
from app.domain.pay import Pay, PayUnit
from app.domain.slips import COLUMNS, LINES, SlipPost, SlipRefused, width_of, write_slip

POSTING = Announced(
    title="小区保安",
    place="巫山县大昌镇",
    openings=2,
    pay=Pay(unit=PayUnit.MONTH, low=Decimal(3_000), high=Decimal(4_200)),
    ask_at="大昌镇便民服务中心",
    until=date(2026, 12, 20),
    hours="早上8:30到下午17:05，月休2天",
)
WORDS = st.text(max_size=200)


def test_a_posting_is_read_aloud_with_its_numbers_for_the_ear() -> None:
    assert write_announcement(POSTING) == (
        "乡亲们，请听用工信息。巫山县大昌镇要招小区保安，要两个人。一个月三千到四千两百块。"
        "早上八点半到下午十七点零五分，月休两天。十二月二十号之前都可以报名，想去的请到大昌镇便民服务中心问。"
        "不收任何费用。再说一遍，不收任何费用。"
    )


@given(WORDS, WORDS, WORDS, WORDS, st.integers(1, 99_999))
@example("99999999 " * 20, "99999999 " * 20, "99999999 " * 20, "99999999 " * 20, 99_999)
@example("字" * 200, "字" * 200, "字" * 200, "字" * 200, 1)
def test_every_posting_is_read_in_under_a_minute_without_a_digit(
    title: str, place: str, hours: str, ask_at: str, openings: int
) -> None:
    posting = Announced(
        title=title,
        place=place,
        openings=openings,
        pay=Pay(unit=PayUnit.YEAR, low=Decimal("123456.78"), high=Decimal("234567.89")),
        ask_at=ask_at,
        until=date(2026, 12, 31),
        hours=hours,
        is_day_paid=True,
    )
    text = write_announcement(posting)
    assert count_spoken(text) <= SPOKEN_A_MINUTE
    assert not re.search(r"\d", text, re.ASCII)
    assert text.endswith("不收任何费用。")


def test_no_contact_of_a_listing_is_told_to_the_village() -> None:
    posting = Announced(
        title="保安（联系王经理13800001111）",
        place="大昌镇，电话：13900002222",
        openings=1,
        pay=POSTING.pay,
        ask_at=POSTING.ask_at,
        until=POSTING.until,
    )
    for text in (write_announcement(posting), write_notice(posting)):
        assert "王经理" not in text
        assert not re.search("13800001111|13900002222|一三八|一三九|隐去", text)


def test_the_wall_shows_figures() -> None:
    assert "工资：3000-4200元/月" in write_notice(POSTING)
    assert "12月20日之前" in write_notice(POSTING)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "零"),
        (2, "二"),
        (10, "十"),
        (12, "十二"),
        (20, "二十"),
        (102, "一百零二"),
        (110, "一百一十"),
        (200, "两百"),
        (222, "两百二十二"),
        (1_010, "一千零一十"),
        (2_002, "两千零二"),
        (3_050, "三千零五十"),
        (10_000, "一万"),
        (10_010, "一万零一十"),
        (12_000, "一万两千"),
        (20_000, "两万"),
        (100_000, "十万"),
        (105_000, "十万五千"),
        (120_010, "十二万零一十"),
        (1_200_500, "一百二十万零五百"),
    ],
)
def test_a_number_is_said_as_people_say_it(number: int, said: str) -> None:
    assert spell_number(number) == said


@given(st.integers(0, 99_999_999))
def test_every_number_can_be_heard_back(number: int) -> None:
    assert heard(spell_number(number)) == number


def heard(said: str) -> int:
    """The number in Chinese words, read by another way: unit by unit from the left."""
    total = part = digit = 0
    for sign in said:
        if sign in "十百千":
            part += (digit or 1) * {"十": 10, "百": 100, "千": 1_000}[sign]
            digit = 0
        elif sign == "万":
            total, part, digit = (part + digit) * 10_000, 0, 0
        else:
            digit = "零一二三四五六七八九".index(sign.replace("两", "二"))
    return total + part + digit


@pytest.mark.parametrize("number", [-1, 100_000_000])
def test_a_number_that_nobody_says_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="nobody"):
        spell_number(number)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("3000-4000元", "三千到四千元"),
        ("4,000元", "四千元"),
        ("离家1.5公里", "离家一点五公里"),
        ("打12333问", "打幺二三三三问"),
        ("热线：12333", "热线：幺二三三三"),
        ("023-58501234", "零二三五八五零幺二三四"),
        ("02358501234", "零二三五八五零幺二三四"),
        ("工资：12000元", "工资：一万两千元"),
        ("打2份工", "打二份工"),
        ("2楼", "二楼"),
        ("2个人", "两个人"),
        ("8:00", "八点"),
        ("14:30", "十四点半"),
        ("99:99", "九十九:九十九"),
        ("五险", "五险"),
        ("50%", "百分之五十"),
    ],
)
def test_numbers_in_words_are_spelled(written: str, said: str) -> None:
    assert spell_numbers(written) == said


@pytest.mark.parametrize(
    ("pay", "said"),
    [
        (Pay(unit=PayUnit.DAY, low=Decimal(200), high=Decimal(200)), "一天两百块"),
        (Pay(unit=PayUnit.HOUR, low=Decimal("25.5")), "一小时二十五点五块以上"),
        (Pay(unit=PayUnit.MONTH, high=Decimal(5_000)), "一个月最多五千块"),
        (Pay(unit=PayUnit.PIECE), "工资计件"),
        (Pay(unit=PayUnit.NEGOTIABLE), "工资当面谈"),
    ],
)
def test_pay_is_said_by_the_block(pay: Pay, said: str) -> None:
    assert say_pay(pay) == said


# --- the slip ---------------------------------------------------------------------------------------------------------


def a_post(words: str = "小区保安") -> SlipPost:
    return SlipPost(title=words, employer=words, where=words, pay="3000-4000元/月", hours=words, reason=words)


def slip(posts: list[SlipPost], *, for_whom: str = "张老师", code: str = "7KQ2-M9XP") -> str:
    return write_slip(posts, for_whom=for_whom, code=code, ask_at="大昌镇便民服务中心", printed_on="2026年12月1日")


@given(st.lists(WORDS, min_size=1, max_size=3), WORDS)
def test_a_slip_is_one_page_whatever_stands_on_it(words: list[str], name: str) -> None:
    text = slip([a_post(word) for word in words], for_whom=name)
    lines = text.splitlines()
    assert len(lines) <= LINES
    assert max(map(width_of, lines)) <= 2 * COLUMNS
    assert "回执 7KQ2-M9XP" in text
    assert text.count("不合适") >= len(words)


def test_the_receipt_is_what_is_torn_off() -> None:
    above, below = slip([a_post(), a_post()]).split("✂")
    assert "①小区保安" in above
    assert "7KQ2-M9XP" not in above
    assert "①□想去　□不合适\n②□想去　□不合适\n□请打给我　签名：" in below
    assert "张老师" not in below


@pytest.mark.parametrize(("posts", "code"), [([], "7KQ2"), ([a_post()] * 4, "7KQ2"), ([a_post()], " ")])
def test_a_slip_without_posts_or_code_or_with_too_many_is_refused(posts: list[SlipPost], code: str) -> None:
    with pytest.raises(SlipRefused) as refused:
        slip(posts, code=code)
    assert len(refused.value.fields) == 1
