"""Generates the demo's labour brokers and whose cases are whose; a code that begins with demo- marks them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from app.domain.workers import Status
from seed.dice import Dice
from seed.postings import Township

Row = dict[str, Any]

_BROKERS_A_DISTRICT = 2
_CARED_FOR = frozenset({Status.REGISTERED_UNEMPLOYED, Status.POVERTY_ALLEVIATED})
_UNCARED_SHARE = 0.05


@dataclass
class Caseload:
    """Generated brokers and cases as rows; `broker_id` and `worker_id` in cases are positions.

    Args:
        townships: each district that has some gets brokers.
        dice: the only source of chance.
        today: no case begins later.
    """

    townships: Sequence[Township]
    dice: Dice
    today: date
    brokers: list[Row] = field(default_factory=list)
    cases: list[Row] = field(default_factory=list)

    def fill(self, workers: Sequence[Mapping[str, Any]], statuses: Collection[Mapping[str, Any]]) -> None:
        """Generate brokers, and give them those people who are registered as unemployed or poverty-alleviated.

        Args:
            workers: rows of the people.
            statuses: rows of what they are registered as; `worker_id` is a position in `workers`.
        """
        theirs: dict[str, list[int]] = {}
        for district in sorted({township.district.code for township in self.townships}):
            for number in range(1, _BROKERS_A_DISTRICT + 1):
                theirs.setdefault(district, []).append(len(self.brokers))
                self.brokers.append({"code": f"demo-{district}-{number}", "area_code": district})
        cared_for = {
            row["worker_id"]
            for row in statuses
            if row["status"] in _CARED_FOR and (row["valid_to"] is None or row["valid_to"] >= self.today)
        }
        for position in sorted(cared_for):
            # A few have nobody, so that a list by broker shows what that looks like.
            if not self.dice.has_luck(_UNCARED_SHARE):
                self.cases.append(
                    {
                        "worker_id": position,
                        "broker_id": self.dice.pick(theirs[workers[position]["home_area_code"][:6]]),
                        "valid_from": self.today - timedelta(days=self.dice.between(1, 300)),
                        "valid_to": None,
                    }
                )
