"""Whose rows somebody sees: what a transaction is opened with, and what the database is told of it, signed.

The permissions say what somebody may do; this says about whom. The application narrows by it (`store.scoping`), and
PostgreSQL narrows once more (migration 0011), so both read the same words.
"""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

HIGHEST_ID = 2**31 - 1  # as in the database
MOST_DISTRICTS = 100  # Chongqing has 38 districts and counties, some with an earlier code or two
MOST_GRANTED = 200
_DISTRICT = re.compile(r"\d{6}", re.ASCII)
_BROKER = re.compile(r"[\w.-]{1,40}")
_NUMBER = re.compile(r"[1-9]\d{0,9}", re.ASCII)


class Reach(StrEnum):
    """How far somebody sees.

    OWN: one person. CASELOAD: the people in a broker's cases that are valid today. DISTRICTS: people at home there.
    """

    NOBODY = "nobody"
    OWN = "own"
    CASELOAD = "caseload"
    DISTRICTS = "districts"
    EVERYBODY = "everybody"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    Reach.NOBODY: "谁也看不到",
    Reach.OWN: "本人",
    Reach.CASELOAD: "手上的人",
    Reach.DISTRICTS: "这些区县的人",
    Reach.EVERYBODY: "所有人",
}


class ViewerWrong(ValueError):
    """These values together say of nobody whose rows they see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Whose rows somebody sees. What their reach has no use for stays empty.

    Attributes:
        reach: how far they see.
        worker_id: the one person, for OWN.
        broker: the code of the broker, for CASELOAD.
        districts: six-digit codes, for DISTRICTS; whose home bears one, or a code that begins with one, is seen. Of a
            district that was given a new code the earlier ones stand here too, for homes are kept as they were told.
        granted: people whom a grant in an emergency opens besides, whatever the reach.
        today: the day on which cases are valid, for CASELOAD.

    Raises:
        ViewerWrong: something is missing, too much or no code or id.
    """

    reach: Reach
    worker_id: int | None = None
    broker: str | None = None
    districts: frozenset[str] = frozenset()
    granted: frozenset[int] = frozenset()
    today: date | None = None

    def __post_init__(self) -> None:
        needs = {
            "worker_id": self.reach is Reach.OWN,
            "broker": self.reach is Reach.CASELOAD,
            "districts": self.reach is Reach.DISTRICTS,
            "today": self.reach is Reach.CASELOAD,
        }
        given = {
            "worker_id": self.worker_id is not None,
            "broker": self.broker is not None,
            "districts": bool(self.districts),
            "today": self.today is not None,
        }
        if needs != given:
            raise ViewerWrong(f"{self.reach}: {sorted(name for name in needs if needs[name] != given[name])}")
        if not all(1 <= number <= HIGHEST_ID for number in self.named):
            raise ViewerWrong("no id")
        if self.broker is not None and not _BROKER.fullmatch(self.broker):
            raise ViewerWrong("no broker's code")
        if not all(_DISTRICT.fullmatch(code) for code in self.districts):
            raise ViewerWrong("no district's code")
        if len(self.districts) > MOST_DISTRICTS or len(self.granted) > MOST_GRANTED:
            raise ViewerWrong("too many")

    @property
    def named(self) -> frozenset[int]:
        """The people who are seen by their number."""
        return self.granted if self.worker_id is None else self.granted | {self.worker_id}

    @property
    def sees_all(self) -> bool:
        return self.reach is Reach.EVERYBODY

    def written(self) -> str:
        """The one text that says this, which is what gets signed; `read_viewer` reads it, and so does PostgreSQL.

        Six parts between semicolons: reach, person, broker, districts, granted, today; lists in order, with commas.
        """
        parts = (
            self.reach.value,
            "" if self.worker_id is None else str(self.worker_id),
            self.broker or "",
            ",".join(sorted(self.districts)),
            ",".join(str(number) for number in sorted(self.granted)),
            "" if self.today is None else self.today.isoformat(),
        )
        return ";".join(parts)


NOBODY = Viewer(reach=Reach.NOBODY)
"""Who has not said who they are, and whatever is about nobody."""

EVERYBODY = Viewer(reach=Reach.EVERYBODY)
"""The service's own loops and commands, the municipal office, auditors."""


def only(worker_id: int) -> Viewer:
    """Who sees one person's rows: themselves, or whoever holds a link or code of theirs."""
    return Viewer(reach=Reach.OWN, worker_id=worker_id)


def read_viewer(text: str) -> Viewer:
    """The viewer in a text of `Viewer.written`.

    Raises:
        ViewerWrong: it is none, or not in the one spelling.
    """
    parts = text.split(";")
    if len(parts) != 6:
        raise ViewerWrong("not six parts")
    reach, worker_id, broker, districts, granted, today = parts
    try:
        viewer = Viewer(
            reach=Reach(reach),
            worker_id=_read_number(worker_id) if worker_id else None,
            broker=broker or None,
            districts=frozenset(districts.split(",") if districts else ()),
            granted=frozenset(_read_number(number) for number in granted.split(",") if granted),
            today=date.fromisoformat(today) if today else None,
        )
    except ViewerWrong:
        raise
    except ValueError:
        raise ViewerWrong("not readable") from None
    if viewer.written() != text:
        raise ViewerWrong("not in the one spelling")
    return viewer


def _read_number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ViewerWrong("no id")
    return int(text)
