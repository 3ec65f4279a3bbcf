"""The best 30 for everybody: our search beside a loop in NumPy, scikit-learn's BallTree and implicit's recommend-all.

    uv run --group bench bench/batch.py [--postings 100000 1000000] [--people 2000] [--rng-seed 1]

The same people are served from each size of one city. Figures are CPU time of the whole process for each person, on
one thread, and for ours on two as well; scores are checked as in `bench/ranking.py`. The loops are timed on a sample of
the people. Peers get each person's closeness and words for nothing, ours works them out. implicit is given the vectors
of `bench/vectors.py` as factors and is timed for its recommending alone: the ranking of its 300 by the full score,
without which its list breaks bars, is left out of its time and counted in its recall.
"""

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.city import TODAY, make_city, make_people
from bench.columns import Columns, recall
from bench.engines import check
from bench.vectors import Embedding, Factors, NearestPlaces
from matching import MatchIndex, RankedTable, Seeker

K = 30
ROUNDS = 9  # one thread and two in turn
LOOPS = 60  # people that NumPy's loop serves
SAMPLE = 200  # people that the other peers serve
OURS, TWO, NUMPY, NUMPY_NEAR, TREE, IMPLICIT = (
    "match index, one thread",
    "match index, two threads",
    "NumPy, every row, in a loop",
    "NumPy, rows within reach, in a loop",
    "BallTree, nearest 3,000 + NumPy",
    "implicit, recommend-all of 300",
)


@dataclass(frozen=True, slots=True)
class Line:
    """Seconds of CPU for each person, recall in the mean and at least, how many people were served."""

    seconds: float
    recall: float
    least: float
    people: int


def _line(seconds: float, recalls: Sequence[float]) -> Line:
    return Line(seconds / len(recalls), float(np.nanmean(recalls)), float(np.nanmin(recalls)), len(recalls))


def _ranked(index: MatchIndex, people: Sequence[Seeker], threads: int) -> tuple[float, RankedTable]:
    index._state.questions._said.cache_clear()  # noqa: SLF001  # nothing is known from the round before
    begun = time.process_time()
    table = index.rank_many(people, K, threads=threads)
    return time.process_time() - begun, table


def measure(generator: np.random.Generator, index: MatchIndex, people: Sequence[Seeker]) -> dict[str, Line]:
    """All engines over one market."""
    columns = Columns(index)
    wishes = [columns.wish(person) for person in people[:SAMPLE]]
    exact = [columns.best(wish, K)[1] for wish in wishes]
    lines: dict[str, Line] = {}
    spent: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for threads, rounds in spent.items():
            cpu, table = _ranked(index, people, threads)
            rounds.append(cpu)
            for ids, scores, known in zip(table.ids, table.scores, exact, strict=False):
                check(OURS, known, scores[ids >= 0], is_exact=True)
    for name, threads in ((OURS, 1), (TWO, 2)):
        lines[name] = Line(float(np.median(spent[threads])) / len(people), 1.0, 1.0, len(people))
    for name, best in ((NUMPY, columns.best), (NUMPY_NEAR, columns.best_within_reach)):
        begun = time.process_time()
        found = [best(wish, K)[1] for wish in wishes[:LOOPS]]
        seconds = time.process_time() - begun
        for known, each in zip(exact, found, strict=False):
            check(name, known, each, is_exact=True)
        lines[name] = _line(seconds, [recall(known, each) for known, each in zip(exact, found, strict=False)])
    tree = NearestPlaces(columns, 3000)
    begun = time.process_time()
    found = tree.best_for_all(wishes, K)
    seconds = time.process_time() - begun
    for known, each in zip(exact, found, strict=True):
        check(TREE, known, each, is_exact=False)
    lines[TREE] = _line(seconds, [recall(known, each) for known, each in zip(exact, found, strict=True)])
    factors = Factors(Embedding(generator, columns, wishes[:8]))
    seconds, candidates = factors.candidates(wishes, 300)
    found = [columns.best_among(wish, at, K)[1] for wish, at in zip(wishes, candidates, strict=True)]
    lines[IMPLICIT] = _line(seconds, [recall(known, each) for known, each in zip(exact, found, strict=True)])
    return lines


def tell(lines: dict[str, Line]) -> None:
    """The table of one size."""
    print(f"{'':36}{'us a person':>13}{'x ours':>9}{'recall':>9}{'least':>8}{'people':>9}")
    for name, each in lines.items():
        print(
            f"{name:36}{each.seconds * 1e6:>13,.0f}{each.seconds / lines[OURS].seconds:>9.2f}{each.recall:>9.3f}"
            f"{each.least:>8.2f}{each.people:>9,}",
            flush=True,
        )


def tell_bars(by_size: dict[int, dict[str, Line]]) -> None:
    """What was asked for, and what was measured."""
    print("\nasked / measured")
    for size, lines in by_size.items():
        print(f"  {size:,} postings")
        for name, bar in ((NUMPY, ">= 40 x"), (NUMPY_NEAR, ">= 40 x"), (TREE, ">= 4 x"), (IMPLICIT, ">= 12 x")):
            print(f"    {name}: {bar} / {lines[name].seconds / lines[OURS].seconds:.1f} x")
        print(f"    CPU of two threads to that of one: <= 1 / {lines[TWO].seconds / lines[OURS].seconds:.3f}")
    small, large = min(by_size), max(by_size)
    if small != large:
        growth = by_size[large][OURS].seconds / by_size[small][OURS].seconds
        print(f"  growth for each person from {small:,} to {large:,} postings: < 1.5 x / {growth:.2f} x")


def main() -> None:
    """Build, measure and tell each size, then the bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postings", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--rng-seed", type=int, default=1)
    given = parser.parse_args()
    by_size = {}
    for size in given.postings:
        generator = np.random.default_rng(given.rng_seed)
        city = make_city(generator, size)
        people = make_people(np.random.default_rng([given.rng_seed, 1]), city, given.people)
        index = MatchIndex.build(city.openings, today=TODAY)
        index.warm_up()
        by_size[size] = measure(generator, index, people)
        print(f"\n{size:,} postings, {given.people:,} people, k = {K}, seed {given.rng_seed}, CPU time")
        tell(by_size[size])
    tell_bars(by_size)


if __name__ == "__main__":
    main()
