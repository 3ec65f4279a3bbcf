"""When a day of work is over, read out of the hours as employers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.hours import MIDNIGHT, hour_of_end


@pytest.mark.parametrize(
    ("hours", "hour"),
    [
        ("8:00-18:00", 18),
        ("8:00-18:00，做六休一", 18),
        ("周一至周五 9:00-17:00", 17),
        ("9:00—18:30", 19),
        ("9：00～18：00", 18),
        ("8点半到5点半", None),
        ("早上8点半到下午5点半", 18),
        ("早8点至晚18点", 18),
        ("早上7点到晚上9点", 21),
        ("下午2:00-6:00", 18),
        ("晚上7点-10点", 22),
        ("8:00-17:00", 17),
        ("08:00-12:00 14:00-18:00", 18),
        ("上午8:00-12:00，下午2:00-6:00", 18),
        ("8:00-18:00（12:00-13:30休息）", 18),
        ("14:00-24:00", MIDNIGHT),
        ("14:00-23:30", MIDNIGHT),
        ("0:00-8:00", 8),
    ],
)
def test_a_shift_by_day_is_over_at_its_last_hour(hours: str, hour: int | None) -> None:
    assert hour_of_end(hours) == hour


@pytest.mark.parametrize(
    "hours",
    [
        "20:00-8:00",
        "夜班20:00-次日8:00，上一晚休一晚",
        "8:00-次日8:00，上24休48",
        "晚上8点到第二天早上8点",
        "晚上8点—早上8点",
        "18:00-凌晨2:00",
        "14:00-2:00",
        "晚上8:00-12:00",
    ],
)
def test_a_shift_into_the_night_is_over_when_the_evening_is(hours: str) -> None:
    assert hour_of_end(hours) == MIDNIGHT


@pytest.mark.parametrize(
    "hours",
    [
        "",
        "8:00-20:00 两班倒",
        "白班夜班两班倒，半月一换",
        "三班倒",
        "四班三运转 8:00-16:00",
        "8:00-20:00，轮班",
        "早班6:00-14:00，中班14:00-22:00",
        "白班8:00-20:00 夜班20:00-8:00",
        "8:00-16:00 0:00-8:00",
        "8:00-5:30",
        "9:00-6:00",
        "25:00-26:00",
        "24小时",
        "每天8小时",
        "白天巡查，时间自己安排",
        "午高峰晚高峰各2小时",
    ],
)
def test_what_the_hours_do_not_say_is_not_told(hours: str) -> None:
    assert hour_of_end(hours) is None


@given(st.text(alphabet="0123456789:点时半-至到早晚上下午次日班倒， ", max_size=40) | st.text(max_size=40))
def test_whatever_is_written_the_end_is_an_hour_of_the_day(hours: str) -> None:
    end = hour_of_end(hours)
    assert end is None or 0 < end <= MIDNIGHT
