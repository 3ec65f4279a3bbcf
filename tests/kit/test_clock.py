"""The clock: UTC instants, dates in China."""

from datetime import UTC, date, datetime, timedelta

import pytest

from app.kit.clock import CHINA, FixedClock, SystemClock, china_date


def test_today_is_the_date_in_china_when_utc_is_still_on_yesterday() -> None:
    clock = FixedClock(datetime(2026, 11, 22, 16, 0, tzinfo=UTC))
    assert clock.now().date() == date(2026, 11, 22)
    assert clock.today() == date(2026, 11, 23)


def test_one_second_before_midnight_in_china_is_still_today() -> None:
    assert china_date(datetime(2026, 11, 22, 15, 59, 59, tzinfo=UTC)) == date(2026, 11, 22)


def test_a_fixed_clock_answers_in_utc_and_moves_only_when_told() -> None:
    clock = FixedClock(datetime(2026, 12, 1, 10, 0, tzinfo=CHINA))
    assert clock.now() == clock.now()
    assert clock.now().tzinfo is UTC
    clock.advance(timedelta(hours=15))
    assert clock.today() == date(2026, 12, 2)


def test_the_system_clock_stands_between_two_readings_of_the_machine() -> None:
    before = datetime.now(UTC)
    now = SystemClock().now()
    assert before <= now <= datetime.now(UTC)
    assert now.tzinfo is UTC
    assert SystemClock().today() in (china_date(before), china_date(datetime.now(UTC)))


def test_an_instant_without_time_zone_is_refused() -> None:
    naive = datetime(2026, 12, 1, 10, 0)  # noqa: DTZ001  the thing under test
    with pytest.raises(ValueError, match="time zone"):
        FixedClock(naive)
    with pytest.raises(ValueError, match="time zone"):
        china_date(naive)
