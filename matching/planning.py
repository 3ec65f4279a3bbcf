"""Sharing out over all openings, not over first lists alone: rank, share out, rank again net of the prices.

When everybody wants the same, first lists hold the same openings, and what is shared out from them falls short of what
there is. The auction's prices tell what each opening is worth to others; ranked again net of them, people see what is
best for them once the crowd is counted in. That is column generation (Dantzig, Wolfe 1960, Operations Research 8/1):
the same prices over all openings give a bound for every way of sharing them out, listed or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matching.allocation import MOST_CANDIDATES, Plan, Turn, allocate
from matching.index import Prices
from matching.ranked_tables import NOTHING, RankedTable
from matching.values import Priority, Seeker

FIRST_LIST = 30
_BLOCK = 20_000  # people whose lists are joined at once

Ids = NDArray[np.int64]
Scores = NDArray[np.float32]


class Ranker(Protocol):
    """What ranks: a `MatchIndex`, or whatever has one rank somewhere else."""

    def rank_many(
        self,
        seekers: Sequence[Seeker],
        k: int = 30,
        threads: int | None = None,
        prices: Prices | None = None,
        *,
        among: NDArray[np.int64] | None = None,
    ) -> RankedTable: ...


def plan_all(
    index: Ranker,
    seekers: Sequence[Seeker],
    opening_ids: ArrayLike,
    caps: ArrayLike,
    *,
    per_seeker: int = 3,
    priority: Sequence[str] | NDArray[np.str_] | None = None,
    floor: int = 0,
    spread: Sequence[float] = (0.0, 0.0, 0.0),
    gap: float = 0.002,
    rounds: int = 4,
    threads: int | None = None,
) -> Plan:
    """Share out openings (m,) with their caps (m,) among n people, with a bound over all pairs of them.

    As `allocate` does from lists; here lists grow, by what people would rather have at the prices, until the bound
    proves that the total is within the share `gap` of the optimum, or for so many `rounds` (0: first lists alone).
    `Plan.bound` and the turns' bounds hold for every way of sharing out the openings that are named, also for what is
    in no list; with a `floor` for every way that fills the places which the plan's floor fills.

    Raises ValueError as `allocate` and `rank_many` do.
    """
    if rounds < 0:
        raise ValueError("rounds must not be negative")
    known = np.asarray(opening_ids, np.int64)
    named = np.full(len(seekers), Priority.NONE.value) if priority is None else np.asarray(priority, np.str_)
    table = index.rank_many(seekers, FIRST_LIST, threads, among=known)
    ids, scores = table.ids, table.scores
    best: Plan | None = None
    while True:
        plan = allocate(
            ids, scores, known, caps, per_seeker, None if priority is None else named, floor, spread, gap=gap / 4
        )
        nets = _net(ids, scores, plan, known, named)
        turns: list[Turn] = []
        more_ids = np.full((len(seekers), FIRST_LIST), NOTHING, np.int64)
        more_scores = np.zeros((len(seekers), FIRST_LIST), np.float32)
        more_nets = np.full((len(seekers), FIRST_LIST), -np.inf)
        for each in plan.turns:
            rows = np.flatnonzero(named == each.priority.value) if priority is not None else np.arange(len(seekers))
            there = np.isfinite(each.prices)
            # Lists are in the same order when all prices rise alike; the search wants none below zero.
            least = min(0.0, float(each.prices[there].min(initial=0.0)))
            price = (known[there], each.prices[there] - np.float32(least))
            found = index.rank_many([seekers[int(row)] for row in rows], FIRST_LIST, threads, price, among=known[there])
            more_ids[rows], more_scores[rows] = found.ids, found.scores
            more_nets[rows] = _net_of(found.ids, found.scores, known, each.prices)
            gained = _surplus(more_nets[rows], per_seeker, spread) - _surplus(nets[rows], per_seeker, spread)
            turns.append(replace(each, bound=each.bound + max(0.0, gained)))
        proven = replace(plan, turns=tuple(turns), bound=sum(each.bound for each in turns))
        wanted = np.minimum(np.asarray(caps, np.int64), floor)
        best = proven if best is None else _better(best, proven, wanted)
        if best.gap <= gap or not rounds:
            return best
        rounds -= 1
        ids, scores = _joined(_Lists(ids, scores, nets), _Lists(more_ids, more_scores, more_nets), plan.chosen)


def _better(one: Plan, other: Plan, wanted: Ids) -> Plan:
    """The plan that fills more of the floors, `wanted` (m,) places; then the one with the higher total.

    Without a floor the lower bound goes with it: such a bound holds for every plan. With one it holds only for plans
    that fill what its own plan fills. And only the first turn's bound holds whatever is planned: those of later turns
    are of the places that earlier ones left. So with a floor or with several turns the bounds stay with their plan.
    """
    filled, by_other = (int(np.minimum(each.loads, wanted).sum()) for each in (one, other))
    if filled != by_other:
        return one if filled > by_other else other
    if len(one.turns) > 1 or wanted.any():
        return one if one.gap <= other.gap else other
    best = one if one.total >= other.total else other
    bound = min(one.bound, other.bound)
    return replace(best, bound=bound, turns=(replace(best.turns[0], bound=bound),) if best.turns else ())


def _net(ids: Ids, scores: Scores, plan: Plan, known: Ids, named: NDArray[np.str_]) -> NDArray[np.float64]:
    """What each entry of the lists is worth to its person less its price in that person's turn, (n, k)."""
    nets = np.full(ids.shape, -np.inf)
    for turn in plan.turns:
        rows = np.flatnonzero(named == turn.priority.value) if len(plan.turns) > 1 else np.arange(len(ids))
        nets[rows] = _net_of(ids[rows], scores[rows], known, turn.prices)
    return nets


def _net_of(ids: Ids, scores: Scores, known: Ids, prices: Scores) -> NDArray[np.float64]:
    order = np.argsort(known)
    # Padding finds any place; its net is told below.
    place = order[np.minimum(np.searchsorted(known, ids, sorter=order), max(len(known) - 1, 0))] if len(known) else ids
    cost = prices[place] if len(known) else np.zeros(ids.shape, np.float32)
    return np.where(ids == NOTHING, -np.inf, scores.astype(np.float64) - cost)


def _surplus(nets: NDArray[np.float64], per_seeker: int, spread: Sequence[float]) -> float:
    """What people gain at the prices, taking the best `per_seeker` of their list."""
    bonus = np.zeros(per_seeker) if not any(spread) else np.asarray(spread, np.float64)
    most = min(per_seeker, nets.shape[1])
    best = -np.sort(-nets, axis=1)[:, :most] + bonus[:most]
    return float(np.maximum(best, 0.0).sum())


@dataclass(frozen=True, slots=True)
class _Lists:
    """Lists of n people, each (n, k): ids, scores, and what is left of a score when the price is paid."""

    ids: Ids
    scores: Scores
    nets: NDArray[np.float64]


def _joined(lists: _Lists, more: _Lists, chosen: Ids) -> tuple[Ids, Scores]:
    """Both lists of each person in one, what they were given first, then by net worth, as long as `allocate` takes."""
    ids, more_ids = lists.ids, more.ids
    length = min(MOST_CANDIDATES, ids.shape[1] + more_ids.shape[1])
    joined = np.full((len(ids), length), NOTHING, np.int64)
    worth = np.zeros((len(ids), length), np.float32)
    for start in range(0, len(ids), _BLOCK):
        rows = slice(start, start + _BLOCK)
        both = np.concatenate([ids[rows], more_ids[rows]], axis=1)
        gross = np.concatenate([lists.scores[rows], more.scores[rows]], axis=1)
        key = np.concatenate([lists.nets[rows], more.nets[rows]], axis=1)
        known = np.any(more_ids[rows][:, :, None] == ids[rows][:, None, :], axis=2)
        key[:, ids.shape[1] :][known] = -np.inf
        given = np.any(both[:, :, None] == np.where(chosen[rows] == NOTHING, -2, chosen[rows])[:, None, :], axis=2)
        key = np.where(given & (key > -np.inf), np.inf, key)
        order = np.argsort(-key, axis=1, kind="stable")[:, :length]
        kept = np.take_along_axis(key, order, axis=1) > -np.inf
        joined[rows] = np.where(kept, np.take_along_axis(both, order, axis=1), NOTHING)
        worth[rows] = np.where(kept, np.take_along_axis(gross, order, axis=1), 0.0)
    return joined, worth
