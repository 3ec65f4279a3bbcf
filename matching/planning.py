"""Sharing out over all openings, not over first lists alone: rank, share out, rank again net of the prices.

When everybody wants the same, first lists hold the same openings, and what is shared out from them falls short of what
there is. The auction's prices tell what each opening is worth to others; ranked again net of them, people see what is
best for them once the crowd is counted in. That is column generation (Dantzig, Wolfe 1960, Operations Research 8/1):
the same prices over all openings give a bound for every way of sharing them out, listed or not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matching.allocation import MOST_CANDIDATES, Plan, allocate
from matching.index import Prices
from matching.ranked_tables import NOTHING, RankedTable
from matching.values import Priority, Seeker

FIRST_LIST = 30
SLACK = 0.01  # of a score: what is worth that much less than the last that one would take is listed as well
_LONGEST = 48  # entries of a list; `allocate` would take more, but they cost memory and are hardly ever given
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
        leasts: ArrayLike | None = None,
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
    length = max(FIRST_LIST, per_seeker)  # a list that is shorter than what one may be given proves nothing
    lists = index.rank_many(seekers, length, threads, among=known)
    best: Plan | None = None
    while True:
        plan = allocate(
            lists.ids,
            lists.scores,
            known,
            caps,
            per_seeker,
            None if priority is None else named,
            floor,
            spread,
            gap=gap / 4,
        )
        more = _empty(len(seekers), length)
        turns, met = [], []
        for turn in plan.turns:
            rows = np.flatnonzero(named == turn.priority.value) if priority is not None else np.arange(len(seekers))
            prices = _Prices(known, turn.prices)
            leasts, before = _wanted(lists.ids[rows], lists.scores[rows], prices, per_seeker, spread)
            found = index.rank_many(
                [seekers[row] for row in rows.tolist()],
                length,
                threads,
                prices.raised,
                among=prices.raised[0],
                # What is worth a little less is told too, since the prices will move; and all of it, if a floor may
                # want somebody to take what is worth less to them.
                leasts=None if floor else leasts - SLACK + prices.rise,
            )
            met.append((turn, prices))
            _, after = _wanted(found.ids, found.scores, prices, per_seeker, spread)
            turns.append(replace(turn, bound=turn.bound + float(np.maximum(after - before, 0.0).sum())))
            more[0][rows], more[1][rows] = found.ids, found.scores
        proven = replace(plan, turns=tuple(turns), bound=sum(each.bound for each in turns))
        wanted = np.minimum(np.asarray(caps, np.int64), floor)
        best = proven if best is None else _better(best, proven, wanted)
        if best.gap <= gap or not rounds:
            return best
        rounds -= 1
        lists = _joined(lists, RankedTable(*more), plan, {each.priority.value: prices for each, prices in met}, named)


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


class _Prices:
    """What each opening costs in one turn; infinite where it has no place."""

    def __init__(self, known: Ids, prices: Scores) -> None:
        self._order = np.argsort(known)
        self._known, self._cost = known[self._order], prices[self._order]
        there = np.isfinite(prices)
        # Lists are in the same order when all prices rise alike; the search wants none below zero.
        self.rise = max(0.0, -float(prices[there].min(initial=0.0)))
        self.raised = known[there], prices[there] + np.float32(self.rise)

    def nets(self, ids: Ids, scores: Scores) -> NDArray[np.float64]:
        """What each entry (n, k) is worth to its person when the price is paid; nothing is worth -inf."""
        if not len(self._known):
            return np.full(ids.shape, -np.inf)
        # Padding finds any place; its net is told below.
        place = np.minimum(np.searchsorted(self._known, ids), len(self._known) - 1)
        return np.where(ids == NOTHING, -np.inf, scores.astype(np.float64) - self._cost[place])


def _blocks(people: int) -> Iterator[slice]:
    for start in range(0, people, _BLOCK):
        yield slice(start, start + _BLOCK)


def _wanted(
    ids: Ids, scores: Scores, prices: _Prices, per_seeker: int, spread: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What the last of the best `per_seeker` of each list is worth, and what they are worth together, at the prices.

    The last is told to be worth no less than what makes taking it worth while.
    """
    people, most = len(ids), min(per_seeker, ids.shape[1])
    bonus = np.zeros(most) if not any(spread) else np.asarray(spread[:most], np.float64)
    last, total = np.full(people, -max(spread, default=0.0)), np.zeros(people)
    for block in _blocks(people):
        nets = prices.nets(ids[block], scores[block])
        best = -np.sort(np.partition(-nets, most - 1, axis=1)[:, :most], axis=1)
        total[block] = np.maximum(best + bonus, 0.0).sum(axis=1)
        if most == per_seeker:
            last[block] = np.maximum(last[block], best[:, -1])
    return last, total


def _empty(people: int, length: int) -> tuple[Ids, Scores]:
    return np.full((people, length), NOTHING, np.int64), np.zeros((people, length), np.float32)


def _joined(
    lists: RankedTable, more: RankedTable, plan: Plan, prices: Mapping[str, _Prices], named: NDArray[np.str_]
) -> RankedTable:
    """Both lists of each person in one, what they were given first, then by net worth, no longer than is of use.

    `prices` are those of each class's turn.
    """
    width = lists.k
    longest_of_use = min(MOST_CANDIDATES, max(_LONGEST, plan.chosen.shape[1]))
    joined = _empty(len(lists), min(longest_of_use, width + more.k))
    longest = 0
    for block in _blocks(len(lists)):
        ids, scores = (
            np.concatenate([mine[block], others[block]], axis=1)
            for mine, others in ((lists.ids, more.ids), (lists.scores, more.scores))
        )
        key = np.full(ids.shape, -np.inf)
        for name, each in prices.items():
            rows = named[block] == name if len(prices) > 1 else np.ones(len(ids), np.bool_)
            key[rows] = each.nets(ids[rows], scores[rows])
        known = np.any(ids[:, width:, None] == ids[:, None, :width], axis=2)
        key[:, width:][known] = -np.inf
        chosen = np.where(plan.chosen[block] == NOTHING, -2, plan.chosen[block])
        given = np.any(ids[:, :, None] == chosen[:, None, :], axis=2)
        key = np.where(given & (key > -np.inf), np.inf, key)
        order = np.argsort(-key, axis=1, kind="stable")[:, : joined[0].shape[1]]
        kept = np.take_along_axis(key, order, axis=1) > -np.inf
        joined[0][block] = np.where(kept, np.take_along_axis(ids, order, axis=1), NOTHING)
        joined[1][block] = np.where(kept, np.take_along_axis(scores, order, axis=1), 0.0)
        longest = max(longest, int(kept.sum(axis=1).max(initial=0)))
    return RankedTable(joined[0][:, :longest], joined[1][:, :longest])
