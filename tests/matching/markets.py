"""Random postings and people from a seed, with everything in them that could trip a ranking.

They are made to be awkward, not to look like Chongqing: nothing measured on them says how good a list is for anybody.
"""

import csv
import functools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar

from matching import Demand, Education, Kind, Limit, Opening, Place, Priority, Seeker, Weights
from tests.matching.brute_force import Tables

DATA = Path(__file__).parents[2] / "seed" / "data"
TODAY = date(2026, 11, 23)
HERE = Place(lon=106.55, lat=29.56, township="500103001")
CERTIFICATES = ("N1", "A2", "electrician", "welder", "heights", "food")
WORDS = "保安保洁仓库叉车缝纫电焊搬运护工厨师司机会做活熟练白班包吃住ABC3班倒急招 （）()·/-🙂"

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Character:
    """What a market is made of: shares are 0-1, `reach` is how far in degrees its places lie apart."""

    reach: float = 0.35
    points: int = 0  # places there are; 0: as many as postings
    vague: float = 0.1
    copies: float = 0.0
    gone: float = 0.15
    hard: float = 0.2
    learnt: bool = False


@dataclass(frozen=True, kw_only=True)
class Market:
    """Postings, people and the day; `closed` are the ids to close after the index is built."""

    name: str
    today: date
    openings: tuple[Opening, ...]
    seekers: tuple[Seeker, ...]
    tables: Tables = field(default_factory=Tables)
    closed: frozenset[int] = frozenset()

    @property
    def weights(self) -> Weights:
        return Weights(
            closeness=self.tables.closeness, going_rates=self.tables.going_rates, detours=self.tables.detours
        )


CHARACTERS = {
    "city": Character(),
    "one_township": Character(points=3, reach=0.01),
    "districts": Character(vague=0.7, reach=0.08),
    "ties": Character(points=4, reach=0.05, copies=0.9, gone=0.05),
    "leftovers": Character(gone=0.6),
    "learnt": Character(learnt=True, reach=0.2),
    "hard_work": Character(hard=0.9, reach=0.2),
    "dense": Character(reach=0.1, gone=0.0, hard=0.05),
}


@functools.cache
def occupations() -> tuple[tuple[str, str], ...]:
    """Code and name of each real occupation."""
    with (DATA / "occupations_gbm2022.csv").open(encoding="utf-8", newline="") as file:
        return tuple((row["code"], row["name"]) for row in csv.DictReader(file))


def seeded(*parts: object) -> random.Random:
    return random.Random("/".join(map(str, parts)))  # noqa: S311 - repeatable on purpose


def some(dice: random.Random, values: Sequence[T], most: int) -> frozenset[T]:
    return frozenset(dice.sample(values, dice.randint(0, min(most, len(values)))))


def maybe(dice: random.Random, value: T, share: float = 0.5) -> T | None:
    return value if dice.random() < share else None


def day_near(dice: random.Random, today: date, days: int) -> date:
    return today + timedelta(days=dice.randint(-days, days))


def born_at(dice: random.Random, today: date, age: int) -> date:
    """A birth date at which somebody is `age` years old, often on the very edge of it."""
    latest = date(today.year - age, today.month, today.day)
    return latest - timedelta(days=dice.choice((0, 364, dice.randint(0, 364))))


def shuffled_words(dice: random.Random, most: int) -> str:
    return "".join(dice.choice(WORDS) for _ in range(dice.randint(0, most)))


def plain_opening(opening_id: int = 1, **facts: Any) -> Opening:
    """A posting next door of which nothing is known but its title and what is given."""
    known: dict[str, Any] = {"id": opening_id, "title": "保安", "place": HERE, "occupation": "4-07-05-01"}
    return Opening(**(known | facts))


def plain_seeker(**facts: Any) -> Seeker:
    """A man of fifty who wants to be a guard and says nothing else but what is given."""
    known: dict[str, Any] = {
        "id": 1,
        "birth_date": date(1976, 5, 1),
        "places": (HERE,),
        "wants": ("4-07-05-01",),
        "sex": "male",
    }
    return Seeker(**(known | facts))


def place_at(km_north: float, **facts: Any) -> Place:
    """A place so many kilometres north of `HERE`."""
    known: dict[str, Any] = {"lon": HERE.lon, "lat": HERE.lat + km_north / 111.195, "township": "500112001"}
    return Place(**(known | facts))


class Maker:
    """Makes the rows of one market; the pool of occupations is small and close-knit, so that wants meet offers."""

    def __init__(self, name: str, seed: int) -> None:
        self.character = CHARACTERS[name]
        self.dice = seeded(name, seed)
        everything = occupations()
        at = [self.dice.randrange(len(everything) - 12) for _ in range(3)]
        self.pool = [row for first in at for row in everything[first : first + 12]] + [("4-07-05-01", "保安员")]
        self.grounds = [self.ground() for _ in range(self.character.points)]

    def ground(self) -> tuple[float, float, str]:
        reach = self.character.reach
        x, y = self.dice.uniform(-reach, reach), self.dice.uniform(-reach, reach)
        return 106.55 + x, 29.56 + y, f"T{int(20 * x)}:{int(20 * y)}"

    def place(self) -> Place:
        lon, lat, township = self.dice.choice(self.grounds) if self.grounds else self.ground()
        vague = self.dice.random() < self.character.vague
        precision = "district" if vague else self.dice.choice(("point", "township"))
        return Place(lon=lon, lat=lat, township=maybe(self.dice, township, 0.8), precision=precision)

    def opening(self, opening_id: int) -> Opening:
        dice, hard, gone = self.dice, self.character.hard, self.character.gone
        code, name = dice.choice(self.pool)
        low = dice.choice((1800.0, 2500.0, 3000.0, 4000.0, 5200.0, 9000.0, 26000.0))
        high = low * dice.choice((1.0, 1.2, 2.0, 4.0))
        shown = dice.random()
        return Opening(
            id=opening_id,
            title=dice.choice((name, name + shuffled_words(dice, 6), shuffled_words(dice, 12))),
            place=self.place(),
            occupation=maybe(dice, code, 0.9),
            kind=dice.choice(tuple(Kind)),
            pay_min_yuan_month=low if shown < 0.7 else None,
            pay_max_yuan_month=high if shown < 0.5 or 0.7 <= shown < 0.85 else None,
            openings=dice.choice((0, -1)) if dice.random() < gone / 2 else dice.choice((1, 1, 2, 5, 30)),
            sent=dice.choice((0, 0, 1, 4, 40)),
            starts_on=maybe(dice, day_near(dice, TODAY, 90)),
            valid_until=TODAY - timedelta(days=dice.randint(1, 40))
            if dice.random() < gone / 2
            else maybe(dice, TODAY + timedelta(days=dice.choice((0, 30)))),
            physical_level=maybe(dice, dice.choice((1, 2, 3, 4)), 0.3 + hard / 2),
            demands=some(dice, tuple(Demand), 3) if dice.random() < hard else frozenset(),
            age_min=maybe(dice, dice.choice((18, 25, 40)), hard),
            age_max=maybe(dice, dice.choice((35, 50, 60)), hard),
            age_reason=maybe(dice, dice.choice(("statutory_hazard", "licence_age")), 0.4),
            sex_required=maybe(dice, dice.choice(("male", "female")), hard / 4),
            certificates=some(dice, CERTIFICATES, 2) if dice.random() < hard / 2 else frozenset(),
            education=maybe(dice, dice.choice(tuple(Education))),
            experience_years_min=maybe(dice, dice.choice((0.0, 1.0, 3.0, 10.0))),
            programme=maybe(dice, "8.9", 0.1),
            employer=dice.choice(("", "甲物业", "乙制衣")),
            reply_rate=maybe(dice, dice.choice((0.0, 0.35, 1.0))),
            verified=dice.random() < 0.5,
            meals=dice.choice((True, False, None)),
            lodging=dice.choice((True, False, None)),
            insurance=dice.choice((True, False, None)),
            ends_at_hour=maybe(dice, dice.choice((12.0, 17.5, 18.0, 22.0)), 0.6),
        )

    def seeker(self, seeker_id: int, **given: Any) -> Seeker:
        dice = self.dice
        made = Seeker(
            id=seeker_id,
            birth_date=born_at(dice, TODAY, dice.choice((14, 15, 16, 17, 18, *range(19, 76)))),
            places=tuple(self.place() for _ in range(dice.choice((1, 1, 2)))),
            wants=tuple(code for code, _ in dice.sample(self.pool, dice.choice((0, 1, 1, 2, 4)))),
            sex=dice.choice(("male", "female", None)),
            skills_text=dice.choice(("", dice.choice(self.pool)[1], shuffled_words(dice, 20))),
            certificates=some(dice, CERTIFICATES, 4),
            pay_min_yuan_month=maybe(dice, dice.choice((0.0, 1500.0, 2500.0, 4000.0, 8000.0))),
            kinds=some(dice, tuple(Kind), 4) if dice.random() < 0.4 else frozenset(),
            max_km=dice.choice((0.0, 3.0, 5.0, 10.0, 30.0, 30.0, 75.0, 500.0)),
            available_on=maybe(dice, day_near(dice, TODAY, 60)),
            limits=some(dice, tuple(Limit), 2) if dice.random() < 0.4 else frozenset(),
            home_by=maybe(dice, dice.choice((12.0, 17.5, 19.0, 23.0)), 0.3),
            priority=dice.choice(tuple(Priority)),
            education=maybe(dice, dice.choice(tuple(Education))),
            experience_years=maybe(dice, dice.choice((0.0, 0.5, 2.5, 20.0))),
        )
        return replace(made, **given)

    def openings(self, count: int) -> tuple[Opening, ...]:
        ids = self.dice.sample(range(1, 50 * count + 2), count)
        rows: list[Opening] = []
        for opening_id in ids:
            if rows and self.dice.random() < self.character.copies:
                rows.append(replace(self.dice.choice(rows), id=opening_id))
            else:
                rows.append(self.opening(opening_id))
        return tuple(rows)

    def tables(self) -> Tables:
        if not self.character.learnt:
            return Tables()
        dice, codes = self.dice, [code for code, _ in self.pool]
        return Tables(
            closeness={(dice.choice(codes), dice.choice(codes)): dice.choice((0.0, 0.45, 0.9)) for _ in range(200)},
            going_rates={code: dice.choice((2200.0, 3500.0, 8000.0)) for code in codes[::2]},
            detours={f"T{x}:{y}": dice.choice((1.0, 1.7, 3.0)) for x in range(-4, 5) for y in range(-4, 5, 2)},
        )


def make_market(name: str, *, seed: int = 1, openings: int = 250, seekers: int = 125) -> Market:
    """A market of one of the `CHARACTERS`; the same name, seed and sizes give the same rows."""
    maker = Maker(name, seed)
    rows = maker.openings(openings)
    return Market(
        name=name,
        today=TODAY,
        openings=rows,
        seekers=tuple(maker.seeker(number) for number in range(1, seekers + 1)),
        tables=maker.tables(),
        closed=frozenset(row.id for row in rows if maker.dice.random() < maker.character.gone / 3),
    )
