"""Generated, congested markets for the benchmarks: postings, people, and each person's exact list of the best.

The instance of the measurements that the design rests on: 1,031 townships of which 45 % lie around the main city, 400
occupations in 50 families with Zipf popularity, 4.2 vacancies a posting in the mean, lists of the 30 best by closeness
of occupation, distance, pay, starting day and programme among what age, body, kind of employment and the last day to
come allow; for 1.4 % of the people that is nothing. Everybody has one place here. Bounds cut the search, so 300,000
lists take about a minute.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching import Priority
from matching.compiling import compiled

TOWNSHIPS = 1031
OCCUPATIONS = 400
FAMILIES = 50
DECAY_KM = 15.0
WEIGHTS = (0.35, 0.30, 0.20, 0.10, 0.05)  # occupation, distance, pay, starting day, programme: 1 at most

Reading = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class GeneratedMarket:
    """m postings and n people with their lists.

    `opening_ids` (m,) int64 in no order, `vacancies` (m,) int64, `ids` (n, k) int64 opening ids padded with -1, best
    first, `scores` (n, k) float32 padded with 0.
    """

    opening_ids: NDArray[np.int64]
    vacancies: NDArray[np.int64]
    ids: NDArray[np.int64]
    scores: NDArray[np.float32]


def make_market(generator: np.random.Generator, *, people: int, postings: int, k: int = 30) -> GeneratedMarket:
    """A market of so many people and postings."""
    places = _place_townships(generator)
    km = _kilometres(places)
    crowd = _crowding(generator, places)
    closeness = _closeness(generator)
    popularity = 1.0 / np.arange(1, OCCUPATIONS + 1) ** 0.9
    popularity = generator.permutation(popularity / popularity.sum())

    town = generator.choice(TOWNSHIPS, postings, p=crowd)
    occupation = generator.choice(OCCUPATIONS, postings, p=popularity)
    order = np.lexsort((occupation, town))
    town, occupation = town[order], occupation[order]
    pay = np.round(generator.lognormal(np.log(4200), 0.3, postings) / 100) * 100
    record = np.column_stack(
        [
            pay,
            generator.integers(0, 90, postings),  # starting day
            generator.random(postings) < 0.06,  # programme
            np.where(generator.random(postings) < 0.5, 75, generator.integers(40, 61, postings)),  # oldest
            generator.choice(4, postings, p=[0.35, 0.35, 0.2, 0.1]),  # grade of heaviness
            2 ** generator.choice(6, postings, p=[0.5, 0.15, 0.15, 0.1, 0.05, 0.05]),  # kind of employment, a bit
            generator.integers(5, 90, postings),  # last day to come
        ]
    ).astype(np.float32)
    run = np.zeros(TOWNSHIPS * OCCUPATIONS + 1, np.int32)
    run[1:] = np.cumsum(np.bincount(town * OCCUPATIONS + occupation, minlength=TOWNSHIPS * OCCUPATIONS))
    highest = np.zeros(TOWNSHIPS * OCCUPATIONS, np.float32)
    np.maximum.at(highest, town * OCCUPATIONS + occupation, record[:, 0])

    home = generator.choice(TOWNSHIPS, people, p=crowd)
    skills = generator.choice(OCCUPATIONS, (people, 4), p=popularity)
    held = generator.integers(1, 5, people)
    skills[np.arange(4) >= held[:, None]] = -1
    person = np.column_stack(
        [
            np.round(generator.lognormal(np.log(4500), 0.25, people) / 100) * 100,  # pay asked for
            generator.integers(0, 60, people),  # day of return
            generator.random(people) < 0.2,  # poverty-alleviated
            generator.integers(18, 65, people),  # age
            generator.choice([0, 1, 2, 3], people, p=[0.1, 0.2, 0.3, 0.4]),  # heaviest grade that can be borne
            np.where(generator.random(people) < 0.014, 0, generator.integers(1, 64, people)),  # kinds accepted, bits
        ]
    ).astype(np.float32)
    opening_ids = generator.permutation(postings).astype(np.int64) * 7 + 1_000_003
    ids = np.full((people, k), -1, np.int64)
    scores = np.zeros((people, k), np.float32)
    near = np.argsort(km, axis=1, kind="stable").astype(np.int32)
    _list(home, skills, person, near, km, closeness, run, highest, record, opening_ids, ids, scores)
    return GeneratedMarket(opening_ids, generator.geometric(1 / 4.2, postings).astype(np.int64), ids, scores)


@dataclass(frozen=True, slots=True)
class SmallMarket:
    """A market small enough for an exact solver, in the words of `matching.allocate`."""

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    opening_ids: NDArray[np.int64]
    caps: NDArray[np.int64]
    per_seeker: int
    priority: list[Priority] | None
    floor: int
    spread: tuple[float, ...]


def make_small_market(generator: np.random.Generator) -> SmallMarket:
    """At most 14 people and 9 postings: half of them with ties, some with scores below 0, classes, floors, spreads."""
    n, m = int(generator.integers(1, 15)), int(generator.integers(1, 10))
    k = int(generator.integers(1, m + 1))
    per_seeker = int(generator.integers(1, 4))
    opening_ids = generator.choice(1000, m, replace=False).astype(np.int64)
    ids = np.array([generator.choice(opening_ids, k, replace=False) for _ in range(n)])
    ids[generator.random((n, k)) < 0.2] = -1
    scores = generator.normal(0.5, 0.4, (n, k)) if generator.random() < 0.5 else generator.integers(-1, 5, (n, k)) / 4
    classes = list(generator.choice(list(Priority), n)) if generator.random() < 0.5 else None
    spreads = ((0.0, 0.0, 0.0), (1.0, 0.3, 0.0), (0.5, 0.5, 0.25), (0.25, 0.0, -0.5))
    return SmallMarket(
        ids=ids,
        scores=scores.astype(np.float32),
        opening_ids=opening_ids,
        caps=generator.integers(0, 5, m).astype(np.int64),
        per_seeker=per_seeker,
        priority=None if classes is None else [Priority(each) for each in classes],
        floor=int(generator.choice([0, 0, 1, 2])),
        spread=spreads[int(generator.integers(len(spreads)))][:per_seeker],
    )


@dataclass(frozen=True, slots=True)
class TwoSidedMarket:
    """Interests (n, m) in 0-1: the chance that a side says yes to a pair that it reads; `seats` (m,)."""

    seeker_interest: NDArray[np.float64]
    employer_interest: NDArray[np.float64]
    seats: NDArray[np.int64]

    def matches_when_read(
        self, for_seekers: NDArray[np.int64], for_employers: NDArray[np.int64], reading: Reading
    ) -> float:
        """Matches to be expected when both sides read their lists: `reading` tells the chance to read the r-th, r >= 1.

        Lists hold positions on the other side, (n, k) and (m, k), padded with -1.
        """
        n, m = self.seeker_interest.shape
        read = _chances(for_seekers, (n, m), reading) * _chances(for_employers, (m, n), reading).T
        return float((self.seeker_interest * self.employer_interest * read).sum())


def make_two_sided_market(
    generator: np.random.Generator, *, seekers: int, openings: int, crowding: float
) -> TwoSidedMarket:
    """A market in which `crowding` (0-1) of every interest is what all think alike of somebody."""
    wanted = generator.random(openings)[None, :]
    liked = generator.random(seekers)[:, None]
    size = (seekers, openings)
    return TwoSidedMarket(
        crowding * wanted + (1 - crowding) * generator.random(size),
        crowding * liked + (1 - crowding) * generator.random(size),
        generator.integers(1, 6, openings),
    )


def _chances(lists: NDArray[np.int64], shape: tuple[int, int], reading: Reading) -> NDArray[np.float64]:
    read = np.zeros(shape)
    rows, ranks = np.nonzero(lists >= 0)
    read[rows, lists[rows, ranks]] = reading(ranks.astype(np.float64) + 1)
    return read


def _place_townships(generator: np.random.Generator) -> NDArray[np.float64]:
    """Kilometres east and north: the main city in a circle of 25 km, the others scattered in a box of 450 x 420 km."""
    inner = round(TOWNSHIPS * 0.22)
    radius, angle = 25 * np.sqrt(generator.random(inner)), generator.uniform(0, 2 * np.pi, inner)
    city = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    return np.vstack([city, generator.uniform([-120, -180], [330, 240], (TOWNSHIPS - inner, 2))])


def _crowding(generator: np.random.Generator, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of people and postings that each township has: 45 % around the main city, a few townships large."""
    share = generator.pareto(1.3, TOWNSHIPS) + 0.2
    inside = np.hypot(places[:, 0], places[:, 1]) <= 25
    share[inside] *= 0.45 / share[inside].sum()
    share[~inside] *= 0.55 / share[~inside].sum()
    return share


def _kilometres(places: NDArray[np.float64]) -> NDArray[np.float32]:
    apart = places[:, None, :] - places[None, :, :]
    km: NDArray[np.float32] = np.hypot(apart[..., 0], apart[..., 1]).astype(np.float32) + np.float32(1)
    return km


def _closeness(generator: np.random.Generator) -> NDArray[np.float32]:
    """(OCCUPATIONS, OCCUPATIONS) in 0-1: 1 for the same, .5-.8 within a family, little or nothing outside."""
    family = np.arange(OCCUPATIONS) % FAMILIES
    between = np.triu(generator.random((FAMILIES, FAMILIES)) ** 4 * 0.5, 1)
    between += between.T
    table = between[family][:, family]
    alike = family[:, None] == family[None, :]
    table[alike] = generator.uniform(0.5, 0.8, int(alike.sum()))
    np.fill_diagonal(table, 1)
    return table.astype(np.float32)


@compiled
def _list(
    home: Any,
    skills: Any,
    person: Any,
    near: Any,
    km: Any,
    closeness: Any,
    run: Any,
    highest: Any,
    record: Any,
    opening_ids: Any,
    ids: Any,
    scores: Any,
) -> Any:
    """Write each person's k best; townships by distance and occupations by closeness, until no bound beats the k-th."""
    n, k = scores.shape
    occupations = closeness.shape[0]
    fit = np.empty(occupations, np.float32)
    for i in range(n):
        fit[:] = 0
        for skill in skills[i]:
            if skill >= 0:
                for o in range(occupations):
                    fit[o] = max(fit[o], closeness[skill, o])
        by_fit = np.argsort(-fit)
        asked, back, poor, age, grade, kinds = person[i]
        best_id, best = ids[i], scores[i]
        found = 0
        if kinds == 0:
            continue
        for town in near[home[i]]:
            way = np.float32(WEIGHTS[1] * np.exp(-km[home[i], town] / DECAY_KM))
            if found == k and way + 0.70 <= best[k - 1]:
                break
            for o in by_fit:
                cell = town * occupations + o
                part = np.float32(WEIGHTS[0]) * fit[o] + way
                if found == k and part + 0.35 <= best[k - 1]:
                    break
                if run[cell] == run[cell + 1]:
                    continue
                pay = WEIGHTS[2] * min(highest[cell] / asked, 1.2) / 1.2
                if found == k and part + pay + 0.15 <= best[k - 1]:
                    continue
                for at in range(run[cell], run[cell + 1]):
                    if record[at, 3] < age or record[at, 4] > grade or record[at, 6] < back:
                        continue
                    if not np.int64(record[at, 5]) & np.int64(kinds):
                        continue
                    score = np.float32(
                        part
                        + WEIGHTS[2] * min(record[at, 0] / asked, 1.2) / 1.2
                        + WEIGHTS[3] * 30 / (30 + abs(record[at, 1] - back))
                        + WEIGHTS[4] * poor * record[at, 2]
                    )
                    if found == k and score <= best[k - 1]:
                        continue
                    if found < k:
                        found += 1
                    here = found - 1
                    while here > 0 and best[here - 1] < score:
                        best[here], best_id[here] = best[here - 1], best_id[here - 1]
                        here -= 1
                    best[here], best_id[here] = score, opening_ids[at]
