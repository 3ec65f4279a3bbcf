"""What time it is, as an argument: deeds take `now` and `today`, and only the edge of the process asks a clock.

A day is a day in Chongqing. `now()` is UTC, so `now().date()` is yesterday's date until eight in the morning: ask
`today()` for the date on the wall.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Protocol

# One fixed offset: China has had a single time zone without summer time since 1991, so no zone database is needed.
CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """This instant, aware, in UTC."""
        ...

    def today(self) -> date:
        """The date in China."""
        ...


def china_date(instant: datetime) -> date:
    """The date in China at an aware instant.

    Raises:
        ValueError: the instant has no time zone.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return instant.astimezone(CHINA).date()


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def today(self) -> date:
        return china_date(self.now())


@dataclass
class FixedClock:
    """A clock that stands still until it is told to move: for tests, replays and "as of" reports.

    Raises:
        ValueError: the instant has no time zone.
    """

    instant: datetime

    def __post_init__(self) -> None:
        if self.instant.tzinfo is None:
            raise ValueError("an instant needs a time zone")

    def now(self) -> datetime:
        return self.instant.astimezone(UTC)

    def today(self) -> date:
        return china_date(self.instant)

    def advance(self, step: timedelta) -> None:
        """Move the clock forward (or, with a negative step, back)."""
        self.instant += step
