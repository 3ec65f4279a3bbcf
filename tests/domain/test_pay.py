"""Pay as people write it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.pay import MONTHS_A_YEAR, Pay, PayUnit, parse_pay

FIGURES = st.decimals(min_value="0.01", max_value="99999999", places=2, allow_nan=False, allow_infinity=False)
UNITS_OF_TIME = st.sampled_from([PayUnit.MONTH, PayUnit.DAY, PayUnit.HOUR, PayUnit.YEAR])


@st.composite
def pays(draw: st.DrawFn) -> Pay:
    low, high = sorted((draw(FIGURES), draw(FIGURES)))
    shape = draw(st.sampled_from(["range", "equal", "at_least", "at_most", "piece", "negotiable"]))
    if shape == "piece":
        return Pay(unit=PayUnit.PIECE)
    if shape == "negotiable":
        return Pay(unit=PayUnit.NEGOTIABLE)
    bounds = {"range": (low, high), "equal": (low, low), "at_least": (low, None), "at_most": (None, high)}[shape]
    return Pay(
        unit=draw(UNITS_OF_TIME),
        low=bounds[0],
        high=bounds[1],
        months=draw(st.integers(MONTHS_A_YEAR, MONTHS_A_YEAR * 2)),
    )


@given(pays())
def test_pay_that_is_told_is_read_again(pay: Pay) -> None:
    assert parse_pay(pay.told()) == pay


@given(st.text(max_size=40))
def test_any_words_are_read_or_left_alone(text: str) -> None:
    pay = parse_pay(text)
    assert pay is None or pay.low is None or pay.high is None or pay.low <= pay.high


@pytest.mark.parametrize(
    ("text", "unit", "low", "high"),
    [
        ("4-8千", "month", 4000, 8000),
        ("4千-8千", "month", 4000, 8000),
        ("6千-1万", "month", 6000, 10000),
        ("1万-2", "month", 10000, 20000),
        ("0.8-1.2万", "month", 8000, 12000),
        ("4K-8K", "month", 4000, 8000),
        ("3,000-4,500元/月", "month", 3000, 4500),
        ("4000—6000", "month", 4000, 6000),
        ("４０００～６０００元／月", "month", 4000, 6000),
        ("5000.0-8000.0元/月", "month", 5000, 8000),
        ("8000-6000", "month", 6000, 8000),
        ("200元/天", "day", 200, 200),
        ("150-200元/日", "day", 150, 200),
        ("日结150", "day", 150, 150),
        ("180一天", "day", 180, 180),
        ("按天结算 220元", "day", 220, 220),
        ("20元/小时", "hour", 20, 20),
        ("20元/时", "hour", 20, 20),
        ("80-100/h", "hour", 80, 100),
        ("年薪10-15万", "year", 100000, 150000),
        ("10-15万/年", "year", 100000, 150000),
        ("5000元/月，8小时工作制", "month", 5000, 5000),
        ("8小时工作制，5000元/月", "month", 5000, 5000),
        ("8:00-18:00，20元/小时", "hour", 20, 20),
        ("5000元 节日福利 带薪年假5天", "month", 5000, 5000),
        ("3-5年经验 6000元", "month", 6000, 6000),
        ("月薪4000元，15号发", "month", 4000, 4000),
        ("包五险一金4000", "month", 4000, 4000),
        ("面议(4000-6000)", "month", 4000, 6000),
        ("计件，月均5000-8000", "month", 5000, 8000),
        ("三千五", "month", 3500, 3500),
        ("三千到四千", "month", 3000, 4000),
        ("一万二", "month", 12000, 12000),
        ("一千零五十", "month", 1050, 1050),
        ("两百一天", "day", 200, 200),
        ("一百五一天", "day", 150, 150),
        ("4千5", "month", 4500, 4500),
        ("1万2千", "month", 12000, 12000),
        ("3000+提成", "month", 3000, None),
        ("底薪3000+提成", "month", 3000, None),
        ("5000以上", "month", 5000, None),
        ("4000起", "month", 4000, None),
        ("不低于4000元", "month", 4000, None),
        ("4000以下", "month", None, 4000),
        ("最高8000元/月", "month", None, 8000),
        ("计件", "piece", None, None),
        ("0.5元/件", "piece", None, None),
        ("多劳多得", "piece", None, None),
        ("面议", "negotiable", None, None),
        ("0", "negotiable", None, None),
    ],
)
def test_pay_is_read_as_people_write_it(text: str, unit: str, low: int | None, high: int | None) -> None:
    pay = parse_pay(text)
    assert pay is not None
    assert (pay.unit.value, pay.low, pay.high, pay.months) == (unit, low, high, 12)


def test_extra_monthly_payments_are_kept_apart_from_the_range() -> None:
    assert parse_pay("1.5-2万·13薪") == Pay(unit=PayUnit.MONTH, low=Decimal(15000), high=Decimal(20000), months=13)
    assert parse_pay("2.5-3.5K 14个月薪") == Pay(unit=PayUnit.MONTH, low=Decimal(2500), high=Decimal(3500), months=14)


@pytest.mark.parametrize("text", ["", "  ", "待定吧", "五险一金", "20", "6-8", "好好干"])
def test_words_without_a_figure_that_can_be_told_are_no_pay(text: str) -> None:
    assert parse_pay(text) is None


@pytest.mark.parametrize(
    ("pay", "by_the_month"),
    [
        (Pay(unit=PayUnit.DAY, low=Decimal(200), high=Decimal(200)), (4350, 4350)),
        (Pay(unit=PayUnit.HOUR, low=Decimal(20)), (3480, None)),
        (Pay(unit=PayUnit.YEAR, low=Decimal(60000), high=Decimal(120000)), (5000, 10000)),
        (Pay(unit=PayUnit.MONTH, low=Decimal(5000), high=Decimal(6000), months=13), (5000, 6000)),
        (Pay(unit=PayUnit.PIECE), (None, None)),
        (Pay(unit=PayUnit.NEGOTIABLE), (None, None)),
    ],
)
def test_pay_by_the_month_counts_paid_days_and_no_promise(
    pay: Pay, by_the_month: tuple[int | None, int | None]
) -> None:
    assert pay.yuan_month() == by_the_month


def test_an_hour_of_part_time_work_counts_for_24_hours_a_week() -> None:
    by_the_hour = Pay(unit=PayUnit.HOUR, low=Decimal(23), high=Decimal(28))
    assert by_the_hour.yuan_month(is_part_time=True) == (2392, 2912)
    by_the_month = Pay(unit=PayUnit.MONTH, low=Decimal(1500))
    assert by_the_month.yuan_month(is_part_time=True) == (1500, None)


@pytest.mark.parametrize(
    ("pay", "is_plausible"),
    [
        (Pay(unit=PayUnit.MONTH, low=Decimal(5), high=Decimal(8)), False),
        (Pay(unit=PayUnit.MONTH, low=Decimal(100), high=Decimal(200_000)), True),
        (Pay(unit=PayUnit.DAY, low=Decimal(20_000)), False),
        (Pay(unit=PayUnit.PIECE), True),
    ],
)
def test_a_figure_that_lost_its_unit_is_noticed(pay: Pay, is_plausible: bool) -> None:
    assert pay.is_plausible() is is_plausible
