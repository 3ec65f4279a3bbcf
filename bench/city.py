"""A generated city for the benchmarks: postings as a table and people, at any size, from a seed.

Places are the townships of Chongqing; 45 % of all postings lie in the districts around the main city, and within each
half a few townships hold most (Zipf). 400 occupations of the classification in 50 groups, their popularity Zipf; titles
are names of occupations with what employers write around them, some 42,000 distinct ones at a million postings. 30 % of
the people have a second place, half say what they look for in words of their own. Nothing here says how good a list is
for anybody: the figures tell time and exactness alone.
"""

import csv
from dataclasses import dataclass, fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching import Demand, Kind, Limit, OpeningTable, Place, Priority, Seeker
from matching.opening_tables import NO_END, Shared
from matching.search import UNKNOWN_DAY

DATA = Path(__file__).parents[1] / "seed" / "data"
TODAY = date(2026, 12, 1)
MAIN_CITY = {"500103", "500104", "500105", "500106", "500107", "500108", "500109", "500112", "500113"}
CERTIFICATES = (
    "低压电工作业",
    "熔化焊接与热切割作业",
    "高处作业",
    "N1叉车",
    "健康证",
    "A2驾照",
    "保安员证",
    "客运从业资格",
)
BEFORE = ("", "急招", "高薪", "诚聘", "长期招", "【包吃住】", "大型工厂招", "商场", "小区", "医院", "学校", "物流园")
BEHIND = ("", "", "（包吃住）", "五险", "月休四天", "夫妻工", "白班", "可预支", "日结", "6000+", "（无需经验）")


@dataclass(frozen=True)
class Township:
    """A township and how often postings lie in it."""

    code: str
    lon: float
    lat: float
    share: float


@dataclass(frozen=True)
class City:
    """Openings, and what people are drawn from."""

    openings: OpeningTable
    townships: tuple[Township, ...]
    occupations: tuple[tuple[str, str], ...]  # code and name, most frequent first
    popularity: NDArray[np.float64]


def make_city(generator: np.random.Generator, size: int, *, one_township: bool = False, identical: int = 0) -> City:
    """A city of `size` postings; all in one township if asked, the first `identical` the same but for their ids."""
    townships = _townships(generator)
    occupations = _occupations(generator)
    popularity = 1 / np.arange(1, len(occupations) + 1) ** 0.8
    popularity /= popularity.sum()
    where = generator.choice(len(townships), size, p=[each.share for each in townships])
    if one_township:
        where[:] = int(np.argmax([each.share for each in townships]))
    spread = generator.normal(0, 0.012, (2, size))
    work = generator.choice(len(occupations), size, p=popularity)
    titles = _titles(generator, occupations)
    frequency = 1 / np.arange(1, len(titles[0]) + 1) ** 1.1
    title = work * len(titles[0]) + generator.choice(len(titles[0]), size, p=frequency / frequency.sum())
    low = np.round(generator.lognormal(8.35, 0.3, size), -2)
    starts, ends = generator.integers(-60, 45, size), generator.integers(1, 90, size)
    demands = np.zeros(size, np.uint16)
    for place, _ in enumerate(Demand):
        demands |= np.where(generator.random(size) < (0.001 if place == 10 else 0.06), 1 << place, 0).astype(np.uint16)
    needs = np.where(generator.random(size) < 0.08, 1 + work % len(CERTIFICATES), 0)
    age_max = np.where(generator.random(size) < 0.3, generator.choice([45, 50, 55, 60], size), -1)
    table = OpeningTable(
        ids=generator.permutation(size).astype(np.int64) + 1,
        titles=Shared(title.astype(np.int32), tuple(each for row in titles for each in row)),
        lon=np.array([each.lon for each in townships])[where] + spread[0],
        lat=np.array([each.lat for each in townships])[where] + spread[1],
        precision=generator.choice(3, size, p=[0.3, 0.65, 0.05]).astype(np.int8),
        townships=Shared(where.astype(np.int32), tuple(each.code for each in townships)),
        occupations=Shared(
            np.where(generator.random(size) < 0.03, len(occupations), work).astype(np.int32),
            (*(code for code, _ in occupations), ""),
        ),
        kind=generator.choice(len(Kind), size, p=[0.62, 0.1, 0.1, 0.06, 0.03, 0.05, 0.04]).astype(np.int8),
        pay_min_yuan_month=np.where(generator.random(size) < 0.85, low, np.nan),
        pay_max_yuan_month=np.where(
            generator.random(size) < 0.7, np.round(low * generator.uniform(1, 1.8, size), -2), np.nan
        ),
        openings=np.minimum(generator.geometric(1 / 4.2, size), 60).astype(np.int32),
        sent=generator.poisson(3, size).astype(np.int32),
        starts_on=np.where(generator.random(size) < 0.5, TODAY.toordinal() + starts, UNKNOWN_DAY).astype(np.int32),
        valid_until=np.where(generator.random(size) < 0.9, TODAY.toordinal() + ends, NO_END).astype(np.int32),
        physical_level=generator.choice([-1, 1, 2, 3, 4], size, p=[0.2, 0.2, 0.35, 0.2, 0.05]).astype(np.int8),
        demands=demands,
        age_min=np.where(generator.random(size) < 0.2, 18, -1).astype(np.int16),
        age_max=age_max.astype(np.int16),
        age_reason=np.where((age_max > 0) & (generator.random(size) < 0.1), 0, -1).astype(np.int8),
        sex_required=np.full(size, -1, np.int8),
        certificates=Shared(needs.astype(np.int32), (frozenset(), *(frozenset({each}) for each in CERTIFICATES))),
        education=generator.choice([-1, 0, 1, 2, 3, 4, 5], size, p=[0.5, 0.1, 0.05, 0.2, 0.05, 0.05, 0.05]).astype(
            np.int8
        ),
        experience_years_min=np.where(
            generator.random(size) < 0.25, generator.choice([1.0, 2.0, 3.0, 5.0], size), np.nan
        ),
        employers=Shared(
            generator.integers(0, max(1, size // 12), size).astype(np.int32),
            tuple(f"单位{n}" for n in range(max(1, size // 12))),
        ),
        reply_rate=np.where(generator.random(size) < 0.6, np.round(generator.beta(2, 2, size), 2), np.nan),
        verified=(generator.random(size) < 0.7).astype(np.int8),
        meals=generator.choice([-1, 0, 1], size).astype(np.int8),
        lodging=generator.choice([-1, 0, 1], size).astype(np.int8),
        insurance=generator.choice([-1, 0, 1], size).astype(np.int8),
        ends_at_hour=np.where(
            generator.random(size) < 0.5, generator.choice([17.0, 17.5, 18.0, 20.0, 22.0], size), np.nan
        ),
    )
    if identical:
        table = _with_identical(table, identical)
    return City(table, townships, occupations, popularity)


def make_people(generator: np.random.Generator, city: City, size: int) -> list[Seeker]:
    """People who live where postings are, each wanting one to four trades."""
    shares = [each.share for each in city.townships]
    homes = generator.choice(len(city.townships), (size, 2), p=shares)
    people = []
    for number in range(size):
        dice = generator.random(8)
        wants = generator.choice(len(city.occupations), int(generator.integers(1, 5)), p=city.popularity, replace=False)
        places = [_near(generator, city.townships[at]) for at in homes[number, : 2 if dice[0] < 0.3 else 1]]
        people.append(
            Seeker(
                id=number + 1,
                birth_date=TODAY - timedelta(days=int(generator.integers(17 * 366, 68 * 366))),
                places=tuple(places),
                wants=tuple(city.occupations[at][0] for at in wants),
                sex="female" if dice[1] < 0.45 else "male",
                skills_text=city.occupations[wants[0]][1] if dice[2] < 0.5 else "",
                certificates=frozenset(
                    {CERTIFICATES[int(generator.integers(len(CERTIFICATES)))]} if dice[3] < 0.2 else ()
                ),
                pay_min_yuan_month=float(generator.integers(25, 60) * 100) if dice[4] < 0.7 else None,
                max_km=float(generator.choice([10.0, 30.0, 30.0, 30.0, 75.0, 600.0])),
                available_on=TODAY + timedelta(days=int(generator.integers(0, 60))) if dice[5] < 0.3 else None,
                limits=frozenset(limit for limit in Limit if generator.random() < 0.03),
                home_by=18.5 if dice[6] < 0.1 else None,
                priority=list(Priority)[int(generator.choice(3, p=[0.1, 0.1, 0.8]))],
                education="junior" if dice[7] < 0.7 else None,
                experience_years=float(generator.integers(0, 20)) if dice[7] < 0.5 else None,
            )
        )
    return people


def _near(generator: np.random.Generator, township: Township) -> Place:
    lon, lat = generator.normal(0, 0.01, 2)
    return Place(lon=township.lon + float(lon), lat=township.lat + float(lat), township=township.code)


def _townships(generator: np.random.Generator) -> tuple[Township, ...]:
    with (DATA / "cq_townships.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    is_main = np.array([row["district_code"] in MAIN_CITY for row in rows])
    # Five times as even in the city as outside: the largest township of a million postings holds some 45,000.
    weight = 1 / (generator.permutation(len(rows)) % 400 + 4.0)
    shares = np.where(is_main, 0.45 * weight / weight[is_main].sum(), 0.55 * weight / weight[~is_main].sum())
    return tuple(
        Township(row["code"], float(row["lng_wgs84"]), float(row["lat_wgs84"]), float(share))
        for row, share in zip(rows, shares, strict=True)
    )


def _occupations(generator: np.random.Generator) -> tuple[tuple[str, str], ...]:
    with (DATA / "occupations_gbm2022.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["code"], row["name"]) for row in csv.DictReader(file) if row["major_code"] in {"4", "5", "6"}]
    groups: dict[str, list[tuple[str, str]]] = {}
    for code, name in rows:
        groups.setdefault(code.rpartition("-")[0], []).append((code, name))
    large = sorted(groups.values(), key=len, reverse=True)[:50]
    chosen = [row for group in large for row in group][:400]
    return tuple(chosen[at] for at in generator.permutation(len(chosen)))


def _titles(generator: np.random.Generator, occupations: tuple[tuple[str, str], ...]) -> list[list[str]]:
    """105 titles for each occupation, the plain name first."""
    made = []
    for _, name in occupations:
        variants = [f"{before}{name}{behind}{n or ''}" for n in range(2) for before in BEFORE for behind in BEHIND[1:]]
        made.append([name, *(variants[at] for at in generator.permutation(len(variants))[:104])])
    return made


def _with_identical(table: OpeningTable, number: int) -> OpeningTable:
    """The first rows made the same as the first one: an agency that posts one job again and again."""

    def same(column: Any) -> Any:
        if isinstance(column, Shared):
            return Shared(same(column.positions), column.values)
        changed = column.copy()
        changed[:number] = column[0]
        return changed

    columns = {each.name: same(getattr(table, each.name)) for each in fields(table)}
    return OpeningTable(**columns | {"ids": table.ids})
