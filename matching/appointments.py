"""Who meets whom at a fair: expected matches when the interest of both sides is known, and the lists of appointments.

The model is that of matching with transferable utility (Choo, Siow 2006; Decker, Lieb, McCann, Stephens 2013), used for
two-sided recommendation by Tomita, Togashi, Hashizume, Ohsaka, RecSys 2023: the expected number of matches of a pair
grows with what both feel and shrinks with how sought-after either is, so that whoever everybody wants does not stand at
the head of every list. The lists depend on no guess about how far down people read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from matching.compiling import compiled

Floats = NDArray[np.float64]
Dense = NDArray[np.floating]
_BLOCK_ENTRIES = 1 << 22  # of a dense market held at once: 32 MiB
_MOST_POWER = 300.0  # the square of its exp is not far from what a float can hold


class NotSettled(ArithmeticError):
    """The numbers of matches did not settle in the rounds that were allowed."""


@dataclass(frozen=True, slots=True)
class AppointmentLists:
    """Lists best first: `ids` (rows, k) int64 positions on the other side, padded with -1; `scores` (rows, k) float32.

    A score is the expected number of matches of the pair.
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Pairs:
    """A sparse market: who is paired with whom, row by row, and `strength` exp((p + q) / (2 beta)) of each pair."""

    starts: NDArray[np.int64]
    columns: NDArray[np.int64]
    strength: Floats
    shape: tuple[int, int]

    def settle(self, seats: Floats, alone: Floats, empty: Floats, tolerance: float, rounds: int) -> int:
        taken: int = _settle(self.starts, self.columns, self.strength, seats, alone, empty, tolerance, rounds)
        return taken

    def matches(self, alone: Floats, empty: Floats) -> csr_array:
        rows = np.repeat(np.arange(self.shape[0]), np.diff(self.starts))
        return csr_array((self.strength * alone[rows] * empty[self.columns], self.columns, self.starts), self.shape)

    def best(self, alone: Floats, empty: Floats, lists: AppointmentLists) -> None:
        matches = self.matches(alone, empty)
        _top(self.starts, self.columns, matches.data, lists.ids, lists.scores)

    def turned(self) -> "_Pairs":
        turned = csr_array(csr_array((self.strength, self.columns, self.starts), self.shape).T)
        strength = np.asarray(turned.data, np.float64)
        return _Pairs(turned.indptr.astype(np.int64), turned.indices.astype(np.int64), strength, self.shape[::-1])


@dataclass(frozen=True, slots=True)
class _Grid:
    """A market of all pairs, whose strengths are worked out from the interests, a block of rows at a time."""

    one: Dense
    other: Dense
    beta: float

    @property
    def shape(self) -> tuple[int, int]:
        return self.one.shape[0], self.one.shape[1]

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Rows and their strengths (rows, m)."""
        n, m = self.shape
        size = max(1, _BLOCK_ENTRIES // max(1, m))
        for first in range(0, n, size):
            rows = slice(first, min(n, first + size))
            yield rows, _strength(self.one[rows], self.other[rows], self.beta)

    def settle(self, seats: Floats, alone: Floats, empty: Floats, tolerance: float, rounds: int) -> int:
        surplus = len(alone) - seats.sum()
        for taken in range(rounds):
            off, ease = 0.0, _ease(alone, empty, surplus)
            fresh, sought = np.empty_like(alone), np.zeros_like(empty)
            for rows, strength in self.blocks():
                pull = strength @ empty
                off = max(off, float(np.abs(alone[rows] * (alone[rows] + pull) - 1).max()))
                pull *= ease
                fresh[rows] = 2 / (pull + np.sqrt(pull * pull + 4))
                sought += fresh[rows] @ strength
            if taken > 0 and off <= tolerance:
                return taken
            alone[:] = fresh
            empty[:] = 2 * seats / (sought + np.sqrt(sought * sought + 4 * seats))
        return -1

    def matches(self, alone: Floats, empty: Floats) -> csr_array:
        whole = np.empty(self.shape)
        for rows, strength in self.blocks():
            whole[rows] = strength * alone[rows, None] * empty
        n, m = self.shape
        return csr_array((whole.ravel(), np.tile(np.arange(m), n), np.arange(n + 1) * m), self.shape)

    def best(self, alone: Floats, empty: Floats, lists: AppointmentLists) -> None:
        m = self.shape[1]
        for rows, strength in self.blocks():
            matches = strength * alone[rows, None] * empty
            starts, columns = np.arange(len(matches) + 1) * m, np.tile(np.arange(m), len(matches))
            _top(starts, columns, matches.ravel(), lists.ids[rows], lists.scores[rows])

    def turned(self) -> "_Grid":
        return _Grid(self.other.T, self.one.T, self.beta)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedMatches:
    """The expected matches of n seekers and m openings.

    `seekers_left` (n,) float64: each seeker's chance to stay without; `seats_left` (m,) float64: how many seats of
    each opening stay empty; `rounds` it took. A seeker's matches and chance to stay without add up to 1, those of an
    opening and its empty seats to its seats.
    """

    seekers_left: Floats
    seats_left: Floats
    rounds: int
    _market: _Pairs | _Grid

    def table(self) -> csr_array:
        """Expected matches (n, m) float64 of the pairs that can match."""
        return self._market.matches(np.sqrt(self.seekers_left), np.sqrt(self.seats_left))

    def for_seekers(self, k: int) -> AppointmentLists:
        """For each seeker the k openings with the most expected matches, ties by position.

        Raises ValueError when k is below 1.
        """
        return _lists(self._market, self.seekers_left, self.seats_left, k)

    def for_employers(self, k: int) -> AppointmentLists:
        """For each opening the k seekers with the most expected matches, ties by position.

        Raises ValueError when k is below 1.
        """
        return _lists(self._market.turned(), self.seats_left, self.seekers_left, k)


def expected_matches(
    seeker_interest: Dense | csr_array,
    employer_interest: Dense | csr_array,
    seats: NDArray[np.floating] | NDArray[np.integer],
    *,
    beta: float = 0.05,
    tolerance: float = 1e-8,
    rounds: int = 10_000,
) -> ExpectedMatches:
    """The expected matches of a market in which either side's interest in each pair is known.

    `seeker_interest` and `employer_interest` are both (n, m) arrays, or both CSR of that shape with the same pairs;
    a pair that is not there cannot match. `seats` (m,) above 0. A pair's expected matches are
    exp((p + q) / (2 beta)) · sqrt(seekers_left · seats_left), where what is left on either side makes everything add
    up. `beta`: how much of a choice is chance, in the unit of interest; the smaller, the more interest decides, and
    the more rounds it takes. The default suits interests in 0-1. At 1 the crowd counts for more than their differences.
    Rounds go on until no seeker's sum is off by more than `tolerance`; the openings' sums are then exact.

    Raises ValueError for shapes or pairs that do not fit, interests that are no finite numbers, no seats, or a beta
    too small for these interests, and NotSettled when `rounds` are not enough.
    """
    if not (beta > 0 and tolerance > 0 and rounds >= 1):
        raise ValueError("beta and tolerance must be above 0, rounds at least 1")
    if isinstance(seeker_interest, csr_array) and isinstance(employer_interest, csr_array):
        market: _Pairs | _Grid = _pairs(seeker_interest, employer_interest, beta)
    elif isinstance(seeker_interest, csr_array) or isinstance(employer_interest, csr_array):
        raise ValueError("both interests must be arrays, or both CSR")  # noqa: TRY004 # each type is fine by itself
    else:
        market = _grid(seeker_interest, employer_interest, beta)
    n, m = market.shape
    room = np.asarray(seats, np.float64)
    if room.shape != (m,) or not (np.isfinite(room) & (room > 0)).all():
        raise ValueError(f"seats must be ({m},), each above 0")
    alone, empty = np.ones(n), np.sqrt(room)
    taken = market.settle(room, alone, empty, tolerance, rounds)
    if taken < 0:
        raise NotSettled(f"not settled to {tolerance} in {rounds} rounds; a larger beta settles sooner")
    return ExpectedMatches(seekers_left=alone**2, seats_left=empty**2, rounds=taken, _market=market)


def _pairs(one: csr_array, other: csr_array, beta: float) -> _Pairs:
    if one.shape != other.shape:
        raise ValueError(f"interests must both be (n, m): {one.shape}, {other.shape}")
    one, other = one.sorted_indices(), other.sorted_indices()
    if not (np.array_equal(one.indptr, other.indptr) and np.array_equal(one.indices, other.indices)):
        raise ValueError("both interests must hold the same pairs")
    if not one.has_canonical_format:
        raise ValueError("a pair must not stand twice")
    strength = _strength(np.asarray(one.data), np.asarray(other.data), beta)
    return _Pairs(one.indptr.astype(np.int64), one.indices.astype(np.int64), strength, (one.shape[0], one.shape[1]))


def _grid(one: Dense, other: Dense, beta: float) -> _Grid:
    one, other = np.asarray(one), np.asarray(other)
    if one.ndim != 2 or one.shape != other.shape:
        raise ValueError(f"interests must both be (n, m): {one.shape}, {other.shape}")
    return _Grid(one, other, beta)


def _strength(one: Dense, other: Dense, beta: float) -> Floats:
    """exp((p + q) / (2 beta)) of each pair."""
    power = (np.asarray(one, np.float64) + other) / (2 * beta)
    if not np.isfinite(power).all():
        raise ValueError("interests must be finite numbers")
    if power.size and power.max() > _MOST_POWER:
        raise ValueError(f"beta is too small for interests as large as these: {beta}")
    strength: Floats = np.exp(power)
    return strength


def _lists(market: _Pairs | _Grid, left: Floats, left_there: Floats, k: int) -> AppointmentLists:
    if k < 1:
        raise ValueError("k must be at least 1")
    rows = market.shape[0]
    lists = AppointmentLists(np.full((rows, k), -1, np.int64), np.zeros((rows, k), np.float32))
    market.best(np.sqrt(left), np.sqrt(left_there), lists)
    return lists


@compiled
def _ease(alone: Any, empty: Any, surplus: Any) -> Any:
    """By how much to scale `empty` so that more seekers than seats are left by as much as there are more of them.

    Scaling one side up and the other down leaves every match as it was. By turns alone this balance settles last, and
    hardly at all where both sides are equally many and nearly all match.
    """
    seekers, seats = (alone**2).sum(), (empty**2).sum()
    if seekers == 0 or seats == 0:
        return 1.0
    root = np.sqrt(surplus**2 + 4 * seekers * seats)
    # Two forms of one root of a quadratic: neither takes a difference of what is nearly the same.
    return np.sqrt(2 * seekers / (root + surplus) if surplus > 0 else (root - surplus) / (2 * seats))


@compiled
def _settle(
    starts: Any, columns: Any, strength: Any, seats: Any, alone: Any, empty: Any, tolerance: Any, rounds: Any
) -> Any:
    """Fit the square roots of what is left on either side, in place, by turns: rounds taken, or -1 if not settled.

    Given the other side, a seeker's sum is a quadratic a² + a·pull = 1, an opening's b² + b·sought = seats.
    """
    n, m = len(alone), len(empty)
    sought = np.empty(m)
    fresh = np.empty(n)
    surplus = n - seats.sum()
    for taken in range(rounds):
        off, ease = 0.0, _ease(alone, empty, surplus)
        sought[:] = 0
        for i in range(n):
            pull = 0.0
            for at in range(starts[i], starts[i + 1]):
                pull += strength[at] * empty[columns[at]]
            off = max(off, abs(alone[i] * (alone[i] + pull) - 1))
            pull *= ease
            fresh[i] = 2 / (pull + np.sqrt(pull * pull + 4))
            for at in range(starts[i], starts[i + 1]):
                sought[columns[at]] += strength[at] * fresh[i]
        if taken > 0 and off <= tolerance:
            return taken
        alone[:] = fresh
        for j in range(m):
            empty[j] = 2 * seats[j] / (sought[j] + np.sqrt(sought[j] * sought[j] + 4 * seats[j]))
    return -1


@compiled
def _top(starts: Any, columns: Any, values: Any, ids: Any, scores: Any) -> Any:
    """Write each row's largest values, largest first, ties by column, into the rows of `ids` and `scores`."""
    k = ids.shape[1]
    best = np.empty(k)
    for i in range(len(ids)):
        found = 0
        for at in range(starts[i], starts[i + 1]):
            value = values[at]
            if found == k and value <= best[k - 1]:
                continue
            if found < k:
                found += 1
            here = found - 1
            while here > 0 and best[here - 1] < value:
                best[here], ids[i, here] = best[here - 1], ids[i, here - 1]
                here -= 1
            best[here], ids[i, here] = value, columns[at]
        for here in range(found):
            scores[i, here] = best[here]
