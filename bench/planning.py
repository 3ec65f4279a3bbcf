"""Who is sent what over all postings: ranking again net of the prices, beside first lists alone.

    uv run --group bench bench/planning.py [--people 300000] [--postings 100000] [--rng-seed 1]

Three postings each, three people sent to each vacancy. The gap is the certified one, against every way of sharing out
all pairs of people and postings. Times are CPU time of all threads, also as a multiple of one pass that lists the best
thirty for everybody; memory is the highest of the process, with the people in it.
"""

import argparse
import resource
import time

import numpy as np

from bench.city import TODAY, make_city, make_people
from matching import MatchIndex, plan_all
from matching.planning import FIRST_LIST

PER_SEEKER = 3
PEOPLE_FOR_A_VACANCY = 3


def highest_gb() -> float:
    """The most memory the process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=300_000)
    parser.add_argument("--postings", type=int, default=100_000)
    parser.add_argument("--rng-seed", type=int, default=1)
    asked = parser.parse_args()
    draws = np.random.default_rng(asked.rng_seed)
    city = make_city(draws, asked.postings)
    people = make_people(draws, city, asked.people)
    index = MatchIndex.build(city.openings, today=TODAY)
    caps = np.maximum(1, city.openings.openings * PEOPLE_FOR_A_VACANCY).astype(np.int64)
    plan_all(index, people[:500], city.openings.ids, caps, rounds=1)  # compiled code is loaded
    print(
        f"{asked.people:,} people x {asked.postings:,} postings, caps for {caps.sum():,}, {highest_gb():.2f} GB before"
    )
    begun = time.process_time()
    index.rank_many(people, FIRST_LIST)
    one_pass = time.process_time() - begun
    print(f"one pass, the best {FIRST_LIST} for everybody: {one_pass:.1f} s")
    print(f"  {'':<18}{'CPU s':>8}{'passes':>8}{'gap %':>8}{'total':>12}{'three %':>9}{'reached %':>11}{'GB':>7}")
    rows = []
    for rounds in (0, 1, 2, 4):
        begun = time.process_time()
        plan = plan_all(index, people, city.openings.ids, caps, per_seeker=PER_SEEKER, rounds=rounds)
        spent = time.process_time() - begun
        assert np.all(plan.loads <= caps)
        served = float((plan.chosen >= 0).all(axis=1).mean())
        rows.append((plan.gap, spent / one_pass))
        name = f"{rounds} rounds at most" if rounds else "first lists alone"
        print(
            f"  {name:<18}{spent:>8.1f}{spent / one_pass:>8.2f}{plan.gap * 100:>8.3f}{plan.total:>12,.0f}"
            f"{served * 100:>9.1f}{plan.reached * 100:>11.1f}{highest_gb():>7.2f}"
        )
    print("asked / measured")
    gap, passes = rows[-1]
    print(f"  gap over all pairs: <= .2 % / {gap:.3%}")
    print(f"  time to that of one pass: <= 8 / {passes:.2f}")
    print(f"  memory: < 2 GB / {highest_gb():.2f} GB")
