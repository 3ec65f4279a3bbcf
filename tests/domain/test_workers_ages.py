"""Ages, and what the law makes of them."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.workers import (
    Priority,
    RetirementClass,
    Sex,
    Status,
    age_on,
    is_minor,
    is_over_age,
    may_work,
    priority_of,
    retirement_on,
)

MEN_60, WOMEN_55, WOMEN_50 = RetirementClass.MEN_60, RetirementClass.WOMEN_55, RetirementClass.WOMEN_50
BIRTHS = st.dates(date(1940, 1, 1), date(2010, 12, 31))


# Corners of the three tables annexed to the decision of 2024-09-13: birth month, age at retirement, month of it.
TABLES = [
    (MEN_60, (1964, 12), (60, 0), (2024, 12)),
    (MEN_60, (1965, 1), (60, 1), (2025, 2)),
    (MEN_60, (1965, 4), (60, 1), (2025, 5)),
    (MEN_60, (1965, 5), (60, 2), (2025, 7)),
    (MEN_60, (1966, 9), (60, 6), (2027, 3)),
    (MEN_60, (1970, 12), (61, 6), (2032, 6)),
    (MEN_60, (1976, 8), (62, 11), (2039, 7)),
    (MEN_60, (1976, 9), (63, 0), (2039, 9)),
    (MEN_60, (1976, 12), (63, 0), (2039, 12)),
    (MEN_60, (1990, 6), (63, 0), (2053, 6)),
    (WOMEN_55, (1969, 12), (55, 0), (2024, 12)),
    (WOMEN_55, (1970, 1), (55, 1), (2025, 2)),
    (WOMEN_55, (1970, 5), (55, 2), (2025, 7)),
    (WOMEN_55, (1981, 8), (57, 11), (2039, 7)),
    (WOMEN_55, (1981, 9), (58, 0), (2039, 9)),
    (WOMEN_55, (1981, 12), (58, 0), (2039, 12)),
    (WOMEN_50, (1974, 12), (50, 0), (2024, 12)),
    (WOMEN_50, (1975, 1), (50, 1), (2025, 2)),
    (WOMEN_50, (1975, 2), (50, 1), (2025, 3)),
    (WOMEN_50, (1975, 3), (50, 2), (2025, 5)),
    (WOMEN_50, (1984, 10), (54, 11), (2039, 9)),
    (WOMEN_50, (1984, 11), (55, 0), (2039, 11)),
    (WOMEN_50, (1984, 12), (55, 0), (2039, 12)),
]


@pytest.mark.parametrize(("retirement_class", "born", "age", "retires"), TABLES)
def test_retirement_is_that_of_the_published_tables(
    retirement_class: RetirementClass, born: tuple[int, int], age: tuple[int, int], retires: tuple[int, int]
) -> None:
    birth = date(*born, 15)
    on = retirement_on(birth, retirement_class)
    assert (on.year, on.month) == retires
    months = (on.year - birth.year) * 12 + on.month - birth.month
    assert divmod(months, 12) == age


@given(BIRTHS, st.sampled_from(list(RetirementClass)))
def test_nobody_born_later_retires_earlier(birth: date, retirement_class: RetirementClass) -> None:
    assert retirement_on(birth, retirement_class) <= retirement_on(birth + timedelta(days=1), retirement_class)


@given(BIRTHS)
def test_over_age_begins_on_the_day_of_retirement(birth: date) -> None:
    for sex, retirement_class in ((Sex.MALE, MEN_60), (Sex.FEMALE, WOMEN_55)):
        on = retirement_on(birth, retirement_class)
        assert is_over_age(birth, sex=sex, day=on)
        assert not is_over_age(birth, sex=sex, day=on - timedelta(days=1))


def test_a_month_without_that_day_ends_a_day_earlier() -> None:
    # Born on 31 October 1966: 60 years and 6 months, and April has 30 days.
    assert retirement_on(date(1966, 10, 31), MEN_60) == date(2027, 4, 30)


@pytest.mark.parametrize(
    ("birth", "day", "age"),
    [
        (date(2000, 3, 1), date(2026, 2, 28), 25),
        (date(2000, 3, 1), date(2026, 3, 1), 26),
        (date(2000, 2, 29), date(2026, 2, 28), 25),
        (date(2000, 2, 29), date(2026, 3, 1), 26),
    ],
)
def test_age_is_counted_in_whole_years(birth: date, day: date, age: int) -> None:
    assert age_on(birth, day) == age


@pytest.mark.parametrize(
    ("birth", "may", "minor"),
    [
        (date(2010, 12, 2), False, False),
        (date(2010, 12, 1), True, True),
        (date(2008, 12, 2), True, True),
        (date(2008, 12, 1), True, False),
    ],
)
def test_work_begins_at_sixteen_and_all_work_at_eighteen(birth: date, may: bool, minor: bool) -> None:
    today = date(2026, 12, 1)
    assert may_work(birth, today) is may
    assert is_minor(birth, today) is minor


@pytest.mark.parametrize(
    ("statuses", "priority"),
    [
        ({Status.POVERTY_ALLEVIATED, Status.DISABLED}, Priority.POVERTY_ALLEVIATED),
        ({Status.MONITORED}, Priority.POVERTY_ALLEVIATED),
        ({Status.LOW_INCOME}, Priority.HARD_TO_EMPLOY),
        ({Status.REGISTERED_UNEMPLOYED}, Priority.NONE),
        (set(), Priority.NONE),
    ],
)
def test_scarce_places_go_in_the_order_of_the_plan(statuses: set[Status], priority: Priority) -> None:
    assert priority_of(frozenset(statuses)) is priority
