"""How often something may be tried: so many times in any stretch of time, for one number, one network or in all.

A limit never lets more through than it says, whichever stretch of that length is looked at: time is cut into sixty
parts, and the part that lies half outside still counts in full.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

_PARTS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `most` tries in any stretch of `within`, for each subject. `name` tells one limit from another."""

    name: str
    most: int
    within: timedelta

    def part(self, now: datetime) -> int:
        """The number of the part of time in which an instant lies."""
        return int(now.timestamp() * _PARTS // self.within.total_seconds())

    def counted(self, counts: Mapping[int, int], *, now: datetime) -> dict[int, int]:
        """Of counts by part those that still count."""
        here = self.part(now)
        # What lies a little ahead was counted under a clock that has been set back since: it counts, or setting a clock
        # back would open doors. What lies far ahead is a clock's mistake, which must not keep anybody out for years.
        return {part: count for part, count in counts.items() if abs(part - here) <= _PARTS}

    def wait_s(self, counts: Mapping[int, int], *, now: datetime) -> int | None:
        """How many seconds until one more may be tried; None if it may be now."""
        over = sum(self.counted(counts, now=now).values()) - self.most
        if over < 0:
            return None
        length_s = self.within.total_seconds() / _PARTS
        for part, count in sorted(self.counted(counts, now=now).items()):
            over -= count
            if over < 0:
                free_at = (part + _PARTS + 1) * length_s
                return max(1, int(free_at - now.timestamp()) + 1)
        return max(1, int(self.within.total_seconds()))  # a limit of none at all

    def left(self, counts: Mapping[int, int], *, now: datetime) -> int:
        """How many more may be tried now."""
        return max(0, self.most - sum(self.counted(counts, now=now).values()))
