"""Generates the demo's courses: a small catalogue, held in every district around today. Nothing here is a real offer.

Each name bears 演示 (demo), so that a page that shows a course shows the mark.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from seed.dice import Dice
from seed.postings import Township

Row = dict[str, Any]

# Name, occupation that it leads to, certificate, days; judgement, as short as such courses are.
CATALOGUE: tuple[tuple[str, str, str | None, int], ...] = (
    ("保安员（演示班）", "4-07-05-01", "保安员证", 7),
    ("保洁员（演示班）", "4-09-08-01", None, 3),
    ("家政服务员（演示班）", "4-10-01-06", None, 10),
    ("养老护理员（演示班）", "4-10-01-05", None, 15),
    ("中式烹调（演示班）", "4-03-02-01", "健康证", 20),
    ("仓库管理（演示班）", "4-02-06-01", None, 5),
    ("缝纫（演示班）", "6-05-01-03", None, 12),
    ("砌筑（演示班）", "6-29-01-01", None, 10),
    ("茶叶加工（演示班）", "6-02-06-10", None, 7),
    ("家畜饲养（演示班）", "5-03-02-01", None, 5),
)
_SESSIONS_A_DISTRICT = 3
_EARLIEST, _LATEST = -20, 60  # days from today


@dataclass
class Catalogue:
    """Generated courses and their sessions as rows; `course_id` in sessions is a position in `courses`.

    Args:
        townships: where sessions are held.
        dice: the only source of chance.
        today: the day around which they begin.
    """

    townships: Sequence[Township]
    dice: Dice
    today: date
    courses: list[Row] = field(default_factory=list)
    sessions: list[Row] = field(default_factory=list)

    def fill(self) -> None:
        """Generate all courses, and for each district some sessions of them."""
        self.courses = [
            {"name": name, "occupation_code": code, "certificate": certificate, "days": days}
            for name, code, certificate, days in CATALOGUE
        ]
        by_district: dict[str, list[Township]] = {}
        for township in self.townships:
            by_district.setdefault(township.district.code, []).append(township)
        for _, townships in sorted(by_district.items()):
            for position in self.dice.shuffled(range(len(CATALOGUE)))[:_SESSIONS_A_DISTRICT]:
                self._add_session(position, self.dice.pick(townships))

    def _add_session(self, position: int, township: Township) -> None:
        starts_on = self.today + timedelta(days=self.dice.between(_EARLIEST, _LATEST))
        seats = 10 * self.dice.between(2, 5)
        self.sessions.append(
            {
                "course_id": position,
                "area_code": township.area.code,
                "starts_on": starts_on,
                "ends_on": starts_on + timedelta(days=self.courses[position]["days"] - 1),
                "seats": seats,
                # Now and then all seats are taken.
                "taken": seats if self.dice.has_luck(0.15) else self.dice.between(0, seats - 1),
            }
        )
