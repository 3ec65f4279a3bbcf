"""What both benchmarks of lists measure: our search and our scan of every row on one thread's clock, and the memory.

All that is measured is CPU time. A machine that does other work besides moves waiting times, hardly this.
"""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.columns import TOLERANCE, Floats
from matching import MatchIndex, Seeker
from matching.compiling import lean
from matching.index import _limits
from matching.search import ENVELOPE, ROW, scan_all, search_many

ROW_BYTES = ROW.itemsize + 5  # places left and whether it is open
_SWEEP_BYTES = 1 << 29  # more than any cache
_SWEEPS = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """Seconds of putting a person into arrays and of searching, the scores found, the bytes looked at."""

    asking: float
    searching: float
    scores: Floats
    bytes_read: int


def ask_index(index: MatchIndex, seeker: Seeker, k: int) -> Asked:
    """One person's list as `rank` finds it, before it is put into words; no words are remembered from others."""
    state = index._state  # noqa: SLF001  # what rank does, in two steps
    state.questions._said.cache_clear()  # noqa: SLF001
    market, limits = state.market, _limits(state)
    begun = time.thread_time()
    asked = state.questions.ask([seeker], state.today)
    put = time.thread_time()
    ids, places, scores = np.empty((1, k), np.int64), np.empty((1, k), np.int64), np.empty((1, k))
    read = np.zeros(3, np.int64)
    everything = np.zeros(0)
    search_many(
        market.main, market.delta, asked, market.tables, state.scale, limits, market.titles, everything, ids, places,
        scores, read,
    )  # fmt: skip
    done = time.thread_time()
    # Every block is looked at once for its distance, whether or not its chunks are.
    envelopes = len(market.main.blocks) + int(read[1])
    return Asked(
        put - begun, done - put, scores[0][ids[0] >= 0], envelopes * ENVELOPE.itemsize + int(read[2]) * ROW_BYTES
    )


def scan_index(index: MatchIndex, seeker: Seeker, k: int) -> tuple[float, Floats]:
    """Seconds and scores of our own compiled reading of every row, the person in arrays before."""
    state = index._state  # noqa: SLF001
    asked, limits, market = state.questions.ask([seeker], state.today), _limits(state), state.market
    ids, places, scores = np.empty((1, k), np.int64), np.empty((1, k), np.int64), np.empty((1, k))
    begun = time.thread_time()
    scan_all(market.main, asked, market.tables, state.scale, limits, market.titles, ids, places, scores)
    return time.thread_time() - begun, scores[0][ids[0] >= 0]


def index_megabytes(index: MatchIndex) -> float:
    """Rows, envelopes and what else the search reads."""
    market = index._state.market  # noqa: SLF001
    return sum(each.nbytes for each in (*market.main, *market.delta, *market.tables)) / 1e6


def check(name: str, exact: Floats, found: Floats, *, is_exact: bool) -> None:
    """An exact engine has the exact scores; none has better ones."""
    if is_exact:
        assert len(found) == len(exact), (name, len(found), len(exact))
        assert np.allclose(found, exact, rtol=0, atol=TOLERANCE), (name, found, exact)
    assert len(found) <= len(exact), name
    assert np.all(found <= exact[: len(found)] + TOLERANCE), (name, found, exact)


def read_speed() -> float:
    """Bytes a second that one core reads one after the other from memory: the best of some sweeps."""
    words = np.ones(_SWEEP_BYTES // 8, np.int64)
    _sum(words[:8])
    best = np.inf
    for _ in range(_SWEEPS):
        begun = time.thread_time()
        _sum(words)
        best = min(best, time.thread_time() - begun)
    return float(_SWEEP_BYTES / best)


@lean
def _sum(words: NDArray[np.int64]) -> int:
    total = 0
    for word in words:
        total += word
    return total
