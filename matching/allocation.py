"""Who is sent what when places are scarce: everybody a few different postings, no posting more people than it has room.

`allocate` shares lists of candidates out for the highest total, by an auction that proves how far from the optimum it
may be: whatever the prices, no allocation is worth more than what all places cost together and what everybody would
gain by taking what suits them best at these prices. The auction's own prices make that bound tight.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matching.auction import (
    FINE,
    TWICE,
    UNKNOWN_ID,
    arrange,
    auction,
    carry_floors,
    count_takers,
    key_rows,
    most_worth,
    worth_of,
    write_chosen,
)
from matching.values import Priority

MOST_CANDIDATES = 64  # what a person holds is a bit set of 64
_FIRST_STEP = 0.01  # of the mean worth of people's best candidates: proves a gap of some .05 % on crowded markets
_LAST_STEP = 1e-7

Ids = NDArray[np.int64]
Scores = NDArray[np.float32]
Positions = NDArray[np.int32]
_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one priority class got: its turn comes when the classes before it have taken theirs.

    `people` in the class; `total` worth of what they got; `bound`: no way of sharing out the places that were left
    for them is worth more to them. `caps` (m,) int64: the places that were left. `prices` (m,) float32: those that
    prove the bound, in the order of the caller's openings: 0 where places stayed empty, infinite where none was left,
    below 0 only where a floor asked for people whom the scores would not have brought.
    """

    priority: Priority
    people: int
    total: float
    bound: float
    caps: Ids
    prices: Scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who is sent what.

    `chosen` (n, per_seeker) int64 opening ids, padded with -1, and `scores` (n, per_seeker) float32 of them, padded
    with 0; each row best first. `loads` (m,) int64: how many people each opening got, in the caller's order.
    `total`: the worth of the plan, its scores and its spread; `score`: the scores alone. `bound`: the sum of the
    turns' bounds, at least the optimum. `reached`: the share of all openings that got anybody.
    `turns`: one for each priority class that is there, in order; one for everybody where no priority is given.
    """

    chosen: Ids
    scores: Scores
    loads: Ids
    total: float
    score: float
    bound: float
    reached: float
    turns: tuple[Turn, ...]

    @property
    def gap(self) -> float:
        """How far from the optimum the total is at most, as a share of the bound."""
        return (self.bound - self.total) / abs(self.bound) if self.bound else 0.0

    @property
    def prices(self) -> Scores:
        """The prices (m,) float32 of the last turn; the only ones where no priority is given."""
        return self.turns[-1].prices


@dataclass(frozen=True, slots=True)
class _Share:
    """What an auction gave: `held` (n,) bit sets of columns, `price` and `load` (m,)."""

    held: NDArray[np.uint64]
    price: NDArray[np.float64]
    load: Ids
    score: float
    total: float
    bound: float


def allocate(  # the order is that of the question: who lists what, what there is, how many each
    ids: ArrayLike,
    scores: ArrayLike,
    opening_ids: ArrayLike,
    caps: ArrayLike,
    per_seeker: int = 3,
    priority: Sequence[str] | NDArray[np.str_] | None = None,
    floor: int = 0,
    spread: Sequence[float] = (0.0, 0.0, 0.0),
    *,
    gap: float = 0.001,
) -> Plan:
    """Send each of n people up to `per_seeker` different openings of their list, none more people than its cap.

    `ids` (n, k <= 64) int64 opening ids padded with -1, `scores` (n, k) float32; `opening_ids` (m,) int64, `caps` (m,)
    int: how many people each may be sent to. `priority` (n,): classes take turns, poverty_alleviated first, then
    hard_to_employ, then none; what an earlier class gets does not depend on who comes later.

    The total of a turn is the scores of what its people get, and for each person `spread[t]` for the t-th posting
    (never increasing; all zero fits any `per_seeker`). A score of 0 or less is never worth a slot by itself, but
    `spread` or a floor may make it so.

    `floor`: each opening gets so many people, or as many as list it and it has room for; where this cannot be had for
    all openings at once, as many of those places are filled as can be. The last class that can fill them does.

    The auction is run again in smaller steps until each turn's bound proves that its total is within the share `gap`
    of the optimum; the optimum of a later turn is that of the places which the earlier ones left. The same input gives
    the same plan; the order of openings and of entries in a row changes nothing, and people in another order get the
    same, but that two with equal rows and class may change places.

    Raises ValueError for shapes that do not fit, a row that names an opening twice, an id that is not among
    `opening_ids`, a score that is no finite number, negative caps, a spread that increases, or an unknown class.
    """
    rows, numbers = _rows(ids, scores)
    known, room = _openings(opening_ids, caps)
    bonus = _bonus(spread, per_seeker)
    if floor < 0:
        raise ValueError("floor must not be negative")
    if not gap > 0:
        raise ValueError("gap must be above 0")
    classes = _classes(priority, len(rows))

    by_id = np.argsort(known, kind="stable")
    leaders, hashes = key_rows(rows, numbers, numbers.view(np.uint32))
    order = np.lexsort((hashes, leaders, classes))
    at, worth = np.empty(rows.shape, np.int32), np.empty(rows.shape, np.float32)
    found, row = arrange(rows, numbers, order, known[by_id], at, worth)
    _raise_for(found, row, rows)

    present, begins = np.unique(classes[order], return_index=True)
    firsts = np.append(begins, len(rows)).astype(np.int64)
    left = room[by_id]
    wanting = np.minimum(np.minimum(left, floor), count_takers(at, len(left)))
    held, turns, score = np.zeros(len(rows), np.uint64), [], 0.0
    for turn, first in enumerate(firsts[:-1]):
        mine = slice(first, firsts[turn + 1])
        if floor and turn < len(present) - 1:
            share = _share_before_others(at[first:], worth[mine], left, wanting, firsts[turn:] - first, bonus, gap)
        else:
            share = _share(at[mine], worth[mine], left, wanting, bonus, gap)
        held[mine] = share.held
        turns.append(
            Turn(
                priority=list(Priority)[present[turn]],
                people=int(firsts[turn + 1] - first),
                total=share.total,
                bound=share.bound,
                caps=_in_order(left, by_id),
                prices=_in_order(share.price.astype(np.float32), by_id),
            )
        )
        score += share.score
        left = left - share.load
        wanting = np.maximum(wanting - share.load, 0)
    loads = room - _in_order(left, by_id)
    chosen = np.full((len(rows), per_seeker), -1, np.int64)
    gained = np.zeros((len(rows), per_seeker), np.float32)
    write_chosen(at, worth, held, known[by_id], order, chosen, gained)
    return Plan(
        chosen=chosen,
        scores=gained,
        loads=loads,
        total=sum(turn.total for turn in turns),
        score=score,
        bound=sum(turn.bound for turn in turns),
        reached=float((loads > 0).mean()) if len(loads) else 0.0,
        turns=tuple(turns),
    )


def _share(at: Positions, worth: Scores, caps: Ids, floors: Ids, bonus: NDArray[np.float64], gap: float) -> _Share:
    """Auctions with smaller and smaller steps, until the best total is within `gap` of the lowest bound."""
    takers = count_takers(at, len(caps))
    floors = np.minimum(floors, takers)
    can_fill = int(floors.sum())
    unit = float(np.maximum(worth[:, 0], 0).mean(dtype=np.float64)) if worth.size else 0.0
    unit = max(unit, float(np.ptp(bonus)) / 4) or abs(float(bonus[0])) or 1.0  # large bonuses make prices large
    step = _FIRST_STEP * unit
    # More than whoever fills a floor can lose by it, unless others have to make way in turn.
    reserve = 2 * (float(np.ptp(worth)) + unit + float(np.ptp(bonus))) if can_fill else 0.0
    best: _Share | None = None
    while True:
        held, price, load = auction(at, worth, caps, floors, takers, bonus, step, reserve)
        filled = int(np.minimum(load, floors).sum())
        if filled < can_fill:
            ends = np.array([0, len(at)], np.int64)
            can_fill = int(carry_floors(at, floors, takers, ends, len(bonus)).sum())
            if filled < can_fill:
                reserve *= 8
                continue
        score, bonuses = worth_of(worth, held, bonus)
        bound = most_worth(at, worth, price, bonus) + _cost(price, caps, floors)
        bound += reserve * float(floors.sum() - filled)  # what nobody can fill is paid for in no plan
        share = _Share(held, price, load, score, score + bonuses, max(bound, score + bonuses))
        best = share if best is None else _better(best, share)
        if best.bound - best.total <= gap * max(abs(best.bound), unit) or step <= _LAST_STEP * unit:
            return best
        step /= 4


def _share_before_others(
    at: Positions,
    worth: Scores,
    caps: Ids,
    floors: Ids,
    firsts: Ids,
    bonus: NDArray[np.float64],
    gap: float,
) -> _Share:
    """The share of the first class in `at`, which bears of the floors only what the classes behind it cannot fill.

    Which of several openings it then fills is not chosen for the highest total.
    """
    mine, others = at[: firsts[1]], at[firsts[1] :]
    free = _share(mine, worth, caps, np.zeros_like(floors), bonus, gap)
    open_still = np.maximum(floors - free.load, 0)
    by_others = carry_floors(others, open_still, count_takers(others, len(caps)), firsts[1:] - firsts[1], len(bonus))
    by_all = carry_floors(at, floors, count_takers(at, len(caps)), firsts, len(bonus))
    if floors.sum() - open_still.sum() + by_others.sum() == by_all.sum():
        return free
    return _share(mine, worth, caps, by_all[0], bonus, gap)


def _cost(price: NDArray[np.float64], caps: Ids, floors: Ids) -> float:
    """What all places cost: below 0 only those of the floor must be taken."""
    there = caps > 0  # the others' prices are infinite
    return float((price[there] * np.where(price < 0, floors, caps)[there]).sum())


def _better(one: _Share, other: _Share) -> _Share:
    """The people of the share with the higher total, at the prices of the one with the lower bound."""
    people = one if one.total >= other.total else other
    prices = one if one.bound <= other.bound else other
    return _Share(people.held, prices.price, people.load, people.score, people.total, max(prices.bound, people.total))


def _rows(ids: ArrayLike, scores: ArrayLike) -> tuple[Ids, Scores]:
    rows, numbers = np.asarray(ids), np.asarray(scores)
    if rows.ndim != 2 or rows.shape != numbers.shape:
        raise ValueError(f"ids and scores must both be (n, k): {rows.shape}, {numbers.shape}")
    if rows.shape[1] > MOST_CANDIDATES:
        raise ValueError(f"a list must not be longer than {MOST_CANDIDATES}: {rows.shape[1]}")
    if rows.size and rows.dtype.kind not in "iu":
        raise ValueError(f"ids must be integers: {rows.dtype}")
    if numbers.dtype.kind not in "iuf":
        raise ValueError(f"scores must be numbers: {numbers.dtype}")
    return np.ascontiguousarray(rows, np.int64), np.ascontiguousarray(numbers, np.float32)


def _openings(opening_ids: ArrayLike, caps: ArrayLike) -> tuple[Ids, Ids]:
    known, room = np.asarray(opening_ids), np.asarray(caps)
    if known.ndim != 1 or known.shape != room.shape:
        raise ValueError(f"opening_ids and caps must both be (m,): {known.shape}, {room.shape}")
    if known.size and (known.dtype.kind not in "iu" or room.dtype.kind not in "iu"):
        raise ValueError(f"opening_ids and caps must be integers: {known.dtype}, {room.dtype}")
    known, room = known.astype(np.int64), room.astype(np.int64)
    if (known < 0).any():
        raise ValueError("opening_ids must not be negative")
    if (room < 0).any():
        raise ValueError("caps must not be negative")
    if len(np.unique(known)) != len(known):
        raise ValueError("opening_ids must differ from each other")
    return known, room


def _bonus(spread: Sequence[float], per_seeker: int) -> NDArray[np.float64]:
    if not 1 <= per_seeker <= MOST_CANDIDATES:
        raise ValueError(f"per_seeker must lie in 1-{MOST_CANDIDATES}: {per_seeker}")
    bonus = np.asarray(spread, np.float64)
    if bonus.ndim == 1 and not bonus.any():
        return np.zeros(per_seeker)
    if bonus.shape != (per_seeker,):
        raise ValueError(f"spread must name the worth of each of {per_seeker} postings: {bonus.shape}")
    if not np.isfinite(bonus).all() or (np.diff(bonus) > 0).any():
        raise ValueError(f"spread must be finite and never increase: {spread}")
    return bonus


def _classes(priority: Sequence[str] | NDArray[np.str_] | None, n: int) -> NDArray[np.int8]:
    """(n,) positions in `Priority`, whose order is that of the turns."""
    if priority is None:
        return np.full(n, list(Priority).index(Priority.NONE), np.int8)
    named = np.asarray(priority, np.str_)
    if named.shape != (n,):
        raise ValueError(f"priority must be ({n},): {named.shape}")
    classes = np.full(n, -1, np.int8)
    for place, each in enumerate(Priority):
        classes[named == each.value] = place
    if (classes < 0).any():
        raise ValueError(f"not a priority: {named[classes < 0][0]}")
    return classes


def _raise_for(found: int, row: int, rows: Ids) -> None:
    if found == FINE:
        return
    if found == UNKNOWN_ID:
        raise ValueError(f"row {row} names an opening that is not among opening_ids: {rows[row].tolist()}")
    if found == TWICE:
        raise ValueError(f"row {row} names an opening twice: {rows[row].tolist()}")
    raise ValueError(f"row {row} holds an id below 0 other than -1, or a score that is no finite number")


def _in_order(sorted_values: NDArray[_T], by_id: NDArray[np.intp]) -> NDArray[_T]:
    """Values by rising id, in the caller's order."""
    values = np.empty_like(sorted_values)
    values[by_id] = sorted_values
    return values
