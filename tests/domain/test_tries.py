"""Limits: never more than they say in any stretch, and told how long to wait."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.domain.tries import Limit

START = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
FIVE_AN_HOUR = Limit(name="five", most=5, within=timedelta(hours=1))


@given(gaps=st.lists(st.integers(0, 2_000), max_size=60))
def test_no_stretch_of_that_length_holds_more(gaps: list[int]) -> None:
    counts: dict[int, int] = {}
    taken: list[datetime] = []
    now = START
    for gap in gaps:
        now += timedelta(seconds=gap)
        if FIVE_AN_HOUR.wait_s(counts, now=now) is None:
            counts = FIVE_AN_HOUR.counted(counts, now=now)
            counts[FIVE_AN_HOUR.part(now)] = counts.get(FIVE_AN_HOUR.part(now), 0) + 1
            taken.append(now)
    for first in taken:
        assert sum(first <= each < first + FIVE_AN_HOUR.within for each in taken) <= 5


@given(st.dictionaries(st.integers(-60, 0), st.integers(1, 4), min_size=1, max_size=30))
def test_after_the_wait_that_is_told_one_more_may_be_tried(ages: dict[int, int]) -> None:
    here = FIVE_AN_HOUR.part(START)
    counts = {here + age: count for age, count in ages.items()}
    wait = FIVE_AN_HOUR.wait_s(counts, now=START)
    if wait is None:
        assert FIVE_AN_HOUR.left(counts, now=START) > 0
    else:
        assert 0 < wait <= 3_661
        assert FIVE_AN_HOUR.wait_s(counts, now=START + timedelta(seconds=wait)) is None
        assert FIVE_AN_HOUR.left(counts, now=START) == 0


def test_a_clock_set_back_opens_no_door_and_one_years_ahead_shuts_none_for_years() -> None:
    here = FIVE_AN_HOUR.part(START)
    assert FIVE_AN_HOUR.wait_s({here + 30: 5}, now=START) is not None
    assert FIVE_AN_HOUR.wait_s({here + 100_000: 5}, now=START) is None


def test_a_limit_of_none_lets_nothing_through() -> None:
    assert Limit(name="none", most=0, within=timedelta(minutes=1)).wait_s({}, now=START) == 60
