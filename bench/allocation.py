"""Who is sent what: the auction beside an exact minimum-cost flow and the greedy ways, on one generated market.

    uv run --group bench bench/allocation.py [--people 300000] [--postings 100000] [--rng-seed 1]
    uv run --group bench bench/allocation.py --check            # 200 small markets, each against the exact flow
    uv run --group bench bench/allocation.py --large            # 1,000,000 people x 30: time and highest memory

Places are ample at 10 people for each vacancy, scarce at 3, fewer than half of what is asked for at 1. Every method
runs in a process of its own, warmed up, on one core. Time is CPU time: for the auction that of the whole call, for the
flow that of handing over its arcs and solving, for the greedy ways that behind the look-up of ids. The gap is that to
the flow's optimum; the certified one is what the auction says by itself. "score" is the scores alone, as a share of
those of the optimum without a spread.
"""

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

from bench.markets import GeneratedMarket, SmallMarket, make_market, make_small_market
from matching import Plan, Priority, allocate
from matching.compiling import compiled

PER_SEEKER = 3
COST = 1_000_000  # the flow's costs are integers
PLAIN, SPREAD = (0.0, 0.0, 0.0), (1.0, 0.3, 0.0)
Chosen = NDArray[np.int64]
Answer = tuple[Chosen, float, float]  # what is chosen, the certified gap, CPU seconds
Method = Callable[[GeneratedMarket, NDArray[np.int64], tuple[float, ...]], Answer]


@dataclass(frozen=True, slots=True)
class Result:
    """What a method did: `gap` is the certified one, NaN without one; `extra_mb` is above what the market takes."""

    cpu: float
    worth: float
    score: float
    gap: float
    once: float
    all_slots: float
    reached: float
    over: int
    extra_mb: float
    whole_mb: float


def by_auction(market: GeneratedMarket, caps: NDArray[np.int64], spread: tuple[float, ...]) -> Answer:
    """Ours."""
    begun = time.process_time()
    plan = allocate(market.ids, market.scores, market.opening_ids, caps, PER_SEEKER, spread=spread)
    return plan.chosen, plan.gap, time.process_time() - begun


def by_lists(market: GeneratedMarket, caps: NDArray[np.int64], spread: tuple[float, ...]) -> Answer:
    """Everybody's first three, whatever there is room for."""
    del caps, spread
    return market.ids[:, :PER_SEEKER], np.nan, 0.0


def by_rounds(market: GeneratedMarket, caps: NDArray[np.int64], spread: tuple[float, ...]) -> Answer:
    """Greedy, in three rounds: each time everybody in turn takes the best that is left of their list."""
    del spread
    chosen, at, left = np.full((len(market.ids), PER_SEEKER), -1, np.int64), _positions(market), caps.copy()
    begun = time.process_time()
    _take_in_rounds(at, left, market.opening_ids, chosen)
    return chosen, np.nan, time.process_time() - begun


def by_edges(market: GeneratedMarket, caps: NDArray[np.int64], spread: tuple[float, ...]) -> Answer:
    """Greedy, the highest score of all first."""
    del spread
    chosen, at, left = np.full((len(market.ids), PER_SEEKER), -1, np.int64), _positions(market), caps.copy()
    begun = time.process_time()
    best_first = np.argsort(-market.scores.ravel(), kind="stable")
    _take_by_edge(at, best_first, left, market.opening_ids, chosen)
    return chosen, np.nan, time.process_time() - begun


def by_flow(market: GeneratedMarket, caps: NDArray[np.int64], spread: tuple[float, ...]) -> Answer:
    """OR-tools' minimum-cost flow: the optimum."""
    chosen, _, spent = solve_flow(_positions(market), market.scores, market.opening_ids, caps, spread, 0, 0)
    return chosen, 0.0, spent


def solve_flow(
    at: NDArray[np.int32],
    scores: NDArray[np.float32],
    opening_ids: NDArray[np.int64],
    caps: NDArray[np.int64],
    spread: tuple[float, ...],
    floor: int,
    reward: int,
) -> tuple[Chosen, int, float]:
    """The exact optimum: what is chosen, its worth in units of 1 / COST with `reward` a filled place of a floor, CPU s.

    Nodes: source, people, openings, sink. An arc for each slot of a person, for each entry of a list, for each
    opening's floor and the rest of its room, and one from source to sink for slots that stay empty.
    """
    n, m, slots = len(at), len(caps), len(spread)
    person, column = np.nonzero(at >= 0)
    opening = at[person, column]
    first_opening, sink = n + 1, n + m + 1
    floors = np.minimum(caps, floor)
    openings = np.arange(m) + first_opening
    tails: list[ArrayLike] = [np.zeros(n * slots), person + 1, openings, openings, [0]]
    heads: list[ArrayLike] = [
        np.repeat(np.arange(n) + 1, slots),
        opening + first_opening,
        np.full(m, sink),
        np.full(m, sink),
        [sink],
    ]
    room: list[ArrayLike] = [np.ones(n * slots), np.ones(len(person)), floors, caps - floors, [n * slots]]
    costs: list[ArrayLike] = [
        np.tile(np.round(-np.array(spread) * COST), n),
        np.round(-scores[person, column].astype(np.float64) * COST),
        np.full(m, -reward),
        np.zeros(m),
        [0],
    ]
    flow = SimpleMinCostFlow()
    arcs = (
        np.hstack(tails).astype(np.int32),
        np.hstack(heads).astype(np.int32),
        np.hstack(room).astype(np.int64),
        np.hstack(costs).astype(np.int64),
    )
    begun = time.process_time()
    numbers = flow.add_arcs_with_capacity_and_unit_cost(*arcs)
    flow.set_node_supply(0, n * slots)
    flow.set_node_supply(sink, -n * slots)
    assert flow.solve() == flow.OPTIMAL
    spent = time.process_time() - begun
    flows = flow.flows(numbers)[n * slots : n * slots + len(person)]
    taken = np.flatnonzero(flows)
    chosen = np.full((n, slots), -1, np.int64)
    filled = np.zeros(n, np.int64)
    for i, j in zip(person[taken], opening[taken], strict=True):
        chosen[i, filled[i]] = opening_ids[j]
        filled[i] += 1
    return chosen, -int(flow.optimal_cost()), spent


def _positions(market: GeneratedMarket) -> NDArray[np.int32]:
    """The lists as positions in `opening_ids`, -1 where they end."""
    order = np.argsort(market.opening_ids)
    found = np.searchsorted(market.opening_ids, market.ids, sorter=order).clip(max=len(order) - 1)
    at: NDArray[np.int32] = order[found].astype(np.int32)
    at[market.ids < 0] = -1
    return at


@compiled
def _take_in_rounds(at: Any, left: Any, opening_ids: Any, chosen: Any) -> Any:
    n, k = at.shape
    reached = np.zeros(n, np.int64)
    for turn in range(chosen.shape[1]):
        for i in range(n):
            while reached[i] < k:
                j = at[i, reached[i]]
                reached[i] += 1
                if j >= 0 and left[j] > 0:
                    left[j] -= 1
                    chosen[i, turn] = opening_ids[j]
                    break


@compiled
def _take_by_edge(at: Any, best_first: Any, left: Any, opening_ids: Any, chosen: Any) -> Any:
    k = at.shape[1]
    filled = np.zeros(at.shape[0], np.int64)
    for edge in best_first:
        i, j = edge // k, at[edge // k, edge % k]
        if j >= 0 and left[j] > 0 and filled[i] < chosen.shape[1]:
            left[j] -= 1
            chosen[i, filled[i]] = opening_ids[j]
            filled[i] += 1


def measure(method: Method, market: GeneratedMarket, caps: NDArray[np.int64], spread: tuple[float, ...]) -> Result:
    """One method in a process of its own, compiled and imported before the clock starts."""
    receive, send = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_measure, args=(method, market, caps, spread, send))
    child.start()
    result: Result = receive.recv()
    child.join()
    return result


def _measure(method, market, caps, spread, send) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    few = GeneratedMarket(market.opening_ids, market.vacancies, market.ids[:300], market.scores[:300])
    method(few, caps, spread)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    chosen, gap, cpu = method(market, caps, spread)
    whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    count = (chosen >= 0).sum(axis=1)
    score = float(np.where(_is_chosen(market.ids, chosen), market.scores, 0).sum(dtype=np.float64))
    order = np.argsort(market.opening_ids)
    at = order[np.searchsorted(market.opening_ids, chosen[chosen >= 0], sorter=order)]
    loads = np.bincount(at, minlength=len(caps))
    send.send(
        Result(
            cpu=cpu,
            worth=score + float(np.append(0, np.cumsum(spread))[count].sum()),
            score=score,
            gap=gap,
            once=float((count >= 1).mean()),
            all_slots=float((count >= PER_SEEKER).mean()),
            reached=float((loads > 0).mean()),
            over=int((loads > caps).sum()),
            extra_mb=(whole - before) / 1024,
            whole_mb=whole / 1024,
        )
    )


def _is_chosen(ids: NDArray[np.int64], chosen: Chosen) -> NDArray[np.bool_]:
    found = np.zeros(ids.shape, np.bool_)
    for slot in range(chosen.shape[1]):
        found |= (ids == chosen[:, slot, None]) & (ids >= 0)
    return found


def compare(market: GeneratedMarket) -> None:
    """The table: each kind of scarcity, each method."""
    methods: dict[str, Method] = {
        "auction": by_auction,
        "first three, no caps": by_lists,
        "greedy in rounds": by_rounds,
        "greedy by edge": by_edges,
        "OR-tools flow": by_flow,
    }
    head = f"{'CPU s':>8}{'ratio':>8}{'gap %':>9}{'cert. %':>9}{'score %':>9}{'>=1 %':>8}{'>=3 %':>8}{'reached':>9}"
    best_score: dict[int, float] = {}
    for many, spread in ((10, PLAIN), (3, PLAIN), (1, PLAIN), (1, SPREAD)):
        caps = market.vacancies * many
        results = {name: measure(method, market, caps, spread) for name, method in methods.items()}
        exact = results["OR-tools flow"]
        best_score.setdefault(many, exact.score)
        share = int(caps.sum()) / (PER_SEEKER * len(market.ids))
        print(f"\n{many} for each vacancy, places for {share:.0%} of what is asked for, spread {spread}")
        print(f"{'':22}{head}{'over cap':>10}{'extra MB':>10}")
        for name, each in results.items():
            print(
                f"{name:22}{each.cpu:>8.2f}{each.cpu / exact.cpu:>8.1%}{100 * (1 - each.worth / exact.worth):>9.4f}"
                f"{100 * each.gap:>9.4f}{100 * each.score / best_score[many]:>9.2f}{100 * each.once:>8.2f}"
                f"{100 * each.all_slots:>8.2f}{each.reached:>9.1%}{each.over:>10,}{each.extra_mb:>10,.0f}",
                flush=True,
            )


def check(generator: np.random.Generator, markets: int = 200) -> None:
    """Small markets with classes, floors, spreads: every turn within its gap of the exact flow, no bound below it."""
    largest = 0.0
    for _ in range(markets):
        market = make_small_market(generator)
        plan = allocate(
            market.ids,
            market.scores,
            market.opening_ids,
            market.caps,
            market.per_seeker,
            market.priority,
            market.floor,
            market.spread,
            gap=1e-5,
        )
        assert (plan.loads <= market.caps).all()
        largest = max(largest, _check_turns(market, plan))
    print(f"{markets} markets against the exact flow: no bound below the optimum, largest gap {largest:.6%} of it")


def _check_turns(market: SmallMarket, plan: Plan) -> float:
    """The largest share of the optimum that a turn of the plan missed."""
    large = GeneratedMarket(market.opening_ids, market.caps, market.ids, market.scores)
    at = _positions(large)
    slack = 2 * market.ids.size + 10  # rounding of costs, in units of the flow
    reward = 1000 * COST
    worst = 0.0
    classes = np.array(market.priority or [Priority.NONE] * len(market.ids))
    for turn in plan.turns:
        if market.floor and len(plan.turns) > 1:
            break  # which class bears which floor is not told by the flow; filled places are compared below
        mine = classes == turn.priority
        _, cost, _ = solve_flow(
            at[mine], market.scores[mine], market.opening_ids, turn.caps, market.spread, market.floor, reward
        )
        filled = int(np.minimum(np.minimum(plan.loads, market.floor), market.caps).sum()) if market.floor else 0
        best = (cost - filled * reward) / COST
        assert turn.bound >= best - slack / COST, (turn, best)
        assert turn.total >= best - 1e-5 * max(1, abs(best)) - slack / COST, (turn, best)
        worst = max(worst, (best - turn.total) / max(1.0, abs(best)))
    if market.floor and len(plan.turns) > 1:
        nothing = np.zeros_like(market.scores)
        slots = (0.0,) * market.per_seeker
        _, cost, _ = solve_flow(at, nothing, market.opening_ids, market.caps, slots, market.floor, reward)
        assert np.minimum(plan.loads, market.floor).sum() == cost // reward
    return worst


def run_large(generator: np.random.Generator) -> None:
    """A million people: seconds and the highest resident memory of a process that holds lists and plan."""
    market = make_market(generator, people=1_000_000, postings=333_333)
    print("1,000,000 people x 333,333 postings, 30 each")
    print(f"{'':22}{'CPU s':>8}{'cert. %':>9}{'>=1 %':>8}{'>=3 %':>8}{'over cap':>10}{'max RSS MB':>12}")
    for many, spread in ((10, PLAIN), (3, PLAIN), (1, SPREAD)):
        each = measure(by_auction, market, market.vacancies * many, spread)
        print(
            f"{f'{many} for each, {spread[0]:.0f}':22}{each.cpu:>8.1f}{100 * each.gap:>9.4f}{100 * each.once:>8.2f}"
            f"{100 * each.all_slots:>8.2f}{each.over:>10,}{each.whole_mb:>12,.0f}",
            flush=True,
        )


def main() -> None:
    """Compare, check, or run large."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=300_000)
    parser.add_argument("--postings", type=int, default=100_000)
    parser.add_argument("--rng-seed", type=int, default=1)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--large", action="store_true")
    given = parser.parse_args()
    generator = np.random.default_rng(given.rng_seed)
    if given.check:
        check(generator)
    elif given.large:
        run_large(generator)
    else:
        print(f"{given.people:,} people x {given.postings:,} postings, 30 each, three wanted, seed {given.rng_seed}")
        compare(make_market(generator, people=given.people, postings=given.postings))


if __name__ == "__main__":
    main()
