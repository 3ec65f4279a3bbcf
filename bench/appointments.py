"""Lists of appointments for a fair, by expected matches and by simpler orders, under several ways of reading lists.

    uv run python bench/appointments.py [--seekers 600] [--openings 200] [--rng-seed 1]

In the generated market a share of every interest, the crowding, is what all think alike of somebody. A pair matches
when each side reads the other in its list and says yes. The table tells how many matches are to be expected; below it
stands the time that a market of candidate lists takes. Orders: by one's own interest, by the product of both, by
expected matches at several betas.
"""

import argparse
import time

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from bench.markets import Reading, make_two_sided_market
from matching import expected_matches

READINGS: dict[str, Reading] = {
    "first 10": lambda rank: (rank <= 10).astype(np.float64),
    "1/rank": lambda rank: 1 / rank,
    "1/log2": lambda rank: 1 / np.log2(rank + 1),
}
BETAS = (1.0, 0.3, 0.1, 0.05, 0.02)


def compare(generator: np.random.Generator, seekers: int, openings: int) -> None:
    """The table of expected matches."""
    print(f"{seekers:,} seekers, {openings:,} openings of 1-5 seats: matches to be expected when both sides read")
    print(f"{'crowding':>8}  {'order':24}" + "".join(f"{name:>10}" for name in READINGS) + f"{'rounds':>8}")
    for crowding in (0.25, 0.5, 0.75):
        market = make_two_sided_market(generator, seekers=seekers, openings=openings, crowding=crowding)
        p, q = market.seeker_interest, market.employer_interest
        lists: dict[str, tuple[NDArray[np.int64], NDArray[np.int64], int]] = {
            "own interest": (np.argsort(-p, axis=1), np.argsort(-q.T, axis=1), 0),
            "product": (np.argsort(-p * q, axis=1), np.argsort(-(p * q).T, axis=1), 0),
        }
        for beta in BETAS:
            found = expected_matches(p, q, market.seats, beta=beta)
            told = found.for_seekers(openings).ids, found.for_employers(seekers).ids, found.rounds
            lists[f"expected, beta {beta}"] = told
        for name, (for_seekers, for_employers, rounds) in lists.items():
            figures = [market.matches_when_read(for_seekers, for_employers, each) for each in READINGS.values()]
            print(f"{crowding:>8}  {name:24}" + "".join(f"{each:>10.1f}" for each in figures) + f"{rounds or '':>8}")


def time_sparse(generator: np.random.Generator, seekers: int, openings: int, k: int = 30) -> None:
    """A market of candidate lists, to a millionth."""
    columns = generator.random((seekers, openings // 100)).argsort(axis=1)[:, :k] * 100
    columns += generator.integers(0, 100, (seekers, k))
    rows = np.repeat(np.arange(seekers), k)
    shape = (seekers, openings)
    one = csr_array((generator.random(seekers * k), (rows, columns.ravel())), shape=shape)
    other = csr_array((generator.random(seekers * k), (rows, columns.ravel())), shape=shape)
    seats = generator.integers(1, 6, openings)
    expected_matches(one[:10], other[:10], seats)
    begun = time.process_time()
    found = expected_matches(one, other, seats, tolerance=1e-6)
    settled = time.process_time()
    found.for_seekers(10)
    found.for_employers(30)
    told = f"{found.rounds} rounds in {settled - begun:.2f} s of CPU, lists in {time.process_time() - settled:.2f} s"
    print(f"\n{seekers:,} seekers x {k} of {openings:,} openings: {told}")


def main() -> None:
    """Compare, then time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seekers", type=int, default=600)
    parser.add_argument("--openings", type=int, default=200)
    parser.add_argument("--rng-seed", type=int, default=1)
    given = parser.parse_args()
    generator = np.random.default_rng(given.rng_seed)
    compare(generator, given.seekers, given.openings)
    time_sparse(generator, 100_000, 10_000)


if __name__ == "__main__":
    main()
