"""ID numbers, names and phones.

Place code 99 was never given to anybody: a number that begins with it can have a right check digit and no bearer.
"""

from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.identities import (
    birth_date_of,
    id_check,
    is_id_number,
    is_mobile_phone,
    mask_id_number,
    mask_name,
    mask_phone,
    normalise_id_number,
    normalise_phone,
    sex_of,
)

TODAY = date(2026, 12, 1)


@st.composite
def numbers(draw: st.DrawFn) -> str:
    birth = draw(st.dates(date(1900, 1, 1), TODAY))
    body = f"99{draw(st.integers(0, 9999)):04d}{birth:%Y%m%d}{draw(st.integers(0, 999)):03d}"
    return body + id_check(body)


@given(numbers())
def test_a_number_with_a_real_date_and_its_check_digit_is_one(number: str) -> None:
    assert is_id_number(number, today=TODAY)
    assert f"{birth_date_of(number):%Y%m%d}" == number[6:14]
    assert sex_of(number) == ("male" if int(number[16]) % 2 else "female")


@given(numbers(), st.integers(0, 17), st.sampled_from("0123456789X"))
def test_one_wrong_sign_is_always_noticed(number: str, place: int, sign: str) -> None:
    assume(number[place] != sign)
    assert not is_id_number(number[:place] + sign + number[place + 1 :], today=TODAY)


@given(numbers(), st.integers(0, 16))
def test_two_digits_in_the_wrong_order_are_always_noticed(number: str, place: int) -> None:
    assume(number[place] != number[place + 1])
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert not is_id_number(swapped, today=TODAY)


def test_the_check_digit_is_that_of_the_standard() -> None:
    # GB 11643-1999, the two examples that the standard works out itself.
    assert id_check("11010519491231002") == "X"
    assert id_check("44052418800101001") == "4"


@pytest.mark.parametrize(
    "number",
    [
        "",
        "99000019700101001",
        "990000700101001",
        "99000019700230001" + id_check("99000019700230001"),
        "99000018991231001" + id_check("99000018991231001"),
        "99000020261202001" + id_check("99000020261202001"),
        "09000019700101001" + id_check("09000019700101001"),
        "９9000019700101001" + id_check("99000019700101001"),
    ],
)
def test_what_has_no_real_date_or_shape_is_no_number(number: str) -> None:
    assert not is_id_number(number, today=TODAY)


@pytest.mark.parametrize(
    "typed",
    [" 990000 19700101 001x ", "990000-19700101-001X", "９９００００１９７００１０１００１Ｘ", "99000019700101001×"],
)
def test_a_number_has_one_spelling(typed: str) -> None:
    assert normalise_id_number(typed) == "99000019700101001X"


@pytest.mark.parametrize(
    "typed",
    ["13800000000", "138 0000 0000", "138-0000-0000", "+8613800000000", "008613800000000", "１３８００００００００"],
)
def test_a_phone_has_one_spelling(typed: str) -> None:
    assert normalise_phone(typed) == "13800000000"


@pytest.mark.parametrize(
    ("number", "is_mobile"), [("13800000000", True), ("12800000000", False), ("02357680000", False)]
)
def test_mobile_phones_are_told_from_others(number: str, is_mobile: bool) -> None:
    assert is_mobile_phone(number) is is_mobile


def test_what_stands_on_a_screen_names_nobody() -> None:
    assert mask_name("测试甲") == "测**"
    assert mask_name("测") == "测*"
    assert mask_id_number("990000197001010010") == "9" + "*" * 17
    assert mask_phone("13800001234") == "138****1234"
    assert mask_phone("57680000") == "********"
    assert mask_name("") == mask_id_number("") == mask_phone("") == ""


@given(st.dates(TODAY + timedelta(days=1), date(2099, 12, 31)))
def test_nobody_is_born_tomorrow(birth: date) -> None:
    body = f"990000{birth:%Y%m%d}001"
    assert not is_id_number(body + id_check(body), today=TODAY)
