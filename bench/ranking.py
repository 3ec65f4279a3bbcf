"""One person's list from a generated market: the match index beside the query that an engineer would write in SQL.

    uv run python bench/ranking.py [--postings 20000] [--people 200] [--rng-seed 1]

The peer is SQLite with an index on place: a box around home, the occupation's group, nearest first, twenty rows. It
knows no bars and no worth, so its recall of the exact list is printed beside its time. Both are timed query by query
in one run, in CPU time of the thread; the figures are medians, the ratio is what counts.
"""

import argparse
import math
import sqlite3
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta

import numpy as np

from matching import Demand, Kind, Limit, MatchIndex, Opening, Place, Seeker

TODAY = date(2026, 12, 1)
K = 20
OCCUPATIONS = [
    f"{major}-{family:02d}-{group:02d}-{job:02d}"
    for major in (4, 6)
    for family in range(1, 6)
    for group in range(1, 5)
    for job in range(1, 11)
]
SQL = """
SELECT id FROM openings
WHERE lat BETWEEN :south AND :north AND lon BETWEEN :west AND :east AND occupation LIKE :family
ORDER BY (lat - :lat) * (lat - :lat) + (lon - :lon) * (lon - :lon) * :shrink LIMIT :k
"""


def make_market(generator: np.random.Generator, size: int) -> list[Opening]:
    """Openings around 300 township centres in the box of Chongqing, two thirds of them with everything known."""
    centres = np.column_stack([generator.uniform(105.3, 110.2, 300), generator.uniform(28.2, 32.2, 300)])
    of_township = generator.zipf(1.4, size) % 300
    return [
        Opening(
            id=number,
            title=f"招工{generator.integers(2000)}",
            place=Place(
                lon=float(centres[township, 0] + generator.normal(0, 0.01)),
                lat=float(centres[township, 1] + generator.normal(0, 0.01)),
                township=str(township),
            ),
            occupation=OCCUPATIONS[int(generator.integers(len(OCCUPATIONS)))],
            kind=list(Kind)[int(generator.integers(len(Kind)))],
            pay_min_yuan_month=float(generator.integers(20, 60) * 100) if generator.random() < 2 / 3 else None,
            openings=int(generator.integers(0, 12)),
            sent=int(generator.integers(0, 20)),
            starts_on=TODAY + timedelta(days=int(generator.integers(-10, 90))),
            valid_until=TODAY + timedelta(days=int(generator.integers(-3, 60))),
            physical_level=int(generator.integers(1, 5)),
            demands=frozenset(demand for demand in Demand if generator.random() < 0.1),
            reply_rate=float(generator.random()),
            verified=bool(generator.random() < 0.7),
            insurance=bool(generator.random() < 0.5),
        )
        for number, township in enumerate(of_township)
    ]


def make_people(generator: np.random.Generator, market: Sequence[Opening], size: int) -> list[Seeker]:
    """People who live where postings are, each wanting one or two trades."""
    return [
        Seeker(
            id=number,
            birth_date=TODAY - timedelta(days=int(generator.integers(17 * 366, 70 * 366))),
            places=(market[int(generator.integers(len(market)))].place,),
            wants=tuple(OCCUPATIONS[int(each)] for each in generator.integers(len(OCCUPATIONS), size=2)),
            limits=frozenset(limit for limit in Limit if generator.random() < 0.05),
            pay_min_yuan_month=3000,
        )
        for number in range(size)
    ]


def open_peer(market: Sequence[Opening]) -> sqlite3.Connection:
    """The same openings in SQLite, indexed by place."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE openings (id INTEGER PRIMARY KEY, lon REAL, lat REAL, occupation TEXT)")
    rows = [(each.id, each.place.lon, each.place.lat, each.occupation) for each in market]
    database.executemany("INSERT INTO openings VALUES (?, ?, ?, ?)", rows)
    database.execute("CREATE INDEX by_place ON openings (lat, lon, occupation)")
    return database


def ask_peer(database: sqlite3.Connection, person: Seeker) -> list[int]:
    """The nearest twenty of the wanted families within the person's reach."""
    home, reach = person.places[0], person.max_km / 111.2
    shrink = math.cos(math.radians(home.lat)) ** 2
    values = {
        "south": home.lat - reach,
        "north": home.lat + reach,
        "west": home.lon - reach / math.sqrt(shrink),
        "east": home.lon + reach / math.sqrt(shrink),
        "lat": home.lat,
        "lon": home.lon,
        "shrink": shrink,
        "family": person.wants[0][:5] + "%",
        "k": K,
    }
    return [row[0] for row in database.execute(SQL, values)]


def timed(ask: Callable[[], list[int]]) -> tuple[float, list[int]]:
    """Milliseconds of CPU that a question took, and its answer."""
    begun = time.thread_time()
    answer = ask()
    return (time.thread_time() - begun) * 1000, answer


def main() -> None:
    """Build both, ask both, print medians, the ratio and the peer's recall."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postings", type=int, default=20_000)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--rng-seed", type=int, default=1)
    given = parser.parse_args()
    generator = np.random.default_rng(given.rng_seed)
    market = make_market(generator, given.postings)
    people = make_people(generator, market, given.people)
    begun = time.thread_time()
    index = MatchIndex.build(market, today=TODAY)
    built = time.thread_time() - begun
    peer = open_peer(market)
    ours, theirs, recalls = [], [], []
    for person in people:
        spent, exact = timed(lambda person=person: [match.opening_id for match in index.rank(person, K)])  # type: ignore[misc]
        ours.append(spent)
        spent, near = timed(lambda person=person: ask_peer(peer, person))  # type: ignore[misc]
        theirs.append(spent)
        if exact:
            recalls.append(len(set(exact) & set(near)) / len(exact))
    built_in = f"built in {built:.2f} s of CPU, seed {given.rng_seed}"
    print(f"{given.postings:,} postings, {given.people} people, k = {K}, {built_in}")
    print(f"{'':24}{'median ms':>10}{'p99 ms':>10}{'recall':>8}")
    for name, spent_ms, recall in (
        ("match index", ours, 1.0),
        ("SQLite, nearest 20", theirs, statistics.mean(recalls)),
    ):
        print(f"{name:24}{statistics.median(spent_ms):>10.2f}{np.percentile(spent_ms, 99):>10.2f}{recall:>8.2f}")
    print(f"ratio {statistics.median(ours) / statistics.median(theirs):.2f}")


if __name__ == "__main__":
    main()
