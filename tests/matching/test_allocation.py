"""Sharing out: exact solutions by linear programming beside every plan, and what no order of the input may change."""

from dataclasses import dataclass
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from bench.markets import SmallMarket, make_small_market
from matching import Plan, Priority, allocate

GAP = 1e-5
CLASSES = list(Priority)
EXAMPLES = settings(max_examples=80, deadline=None)
MARKETS = st.integers(0, 2**32 - 1).map(lambda number: make_small_market(np.random.default_rng(number)))


def plan_of(market: SmallMarket, gap: float = GAP) -> Plan:
    return allocate(
        market.ids,
        market.scores,
        market.opening_ids,
        market.caps,
        market.per_seeker,
        market.priority,
        market.floor,
        market.spread,
        gap=gap,
    )


def classes_of(market: SmallMarket) -> NDArray[np.int64]:
    return np.array([CLASSES.index(each) for each in market.priority or [Priority.NONE] * len(market.ids)])


@dataclass(frozen=True)
class Program:
    """The market as a linear program: who gets what, how many slots each fills, how many floor places are filled.

    Its matrix is totally unimodular, so its optimum is that over whole postings too.
    """

    worths: NDArray[np.float64]  # (classes, variables): worth to each class
    filling: NDArray[np.float64]  # (variables,): 1 for each filled place of a floor
    rows: list[NDArray[np.float64]]
    limits: list[float]
    equal: NDArray[np.float64]
    tops: NDArray[np.float64]

    def most(self, goal: NDArray[np.float64], *least: tuple[NDArray[np.float64], float]) -> float:
        rows = [*self.rows, *(-each for each, _ in least)]
        limits = [*self.limits, *(-value for _, value in least)]
        found = milp(
            -goal,
            constraints=[
                LinearConstraint(csr_array(np.array(rows)), -np.inf, limits),
                LinearConstraint(csr_array(self.equal), 0, 0),
            ],
            bounds=Bounds(0, self.tops),
        )
        assert found.status == 0, found.message
        return -float(found.fun)


def program_of(market: SmallMarket, people: NDArray[np.bool_], caps: NDArray[np.int64]) -> Program:
    """The program of some of the people and of the places that are there for them."""
    classes = classes_of(market)
    entries = [
        (i, int(np.flatnonzero(market.opening_ids == each)[0]), float(market.scores[i, c]))
        for i, row in enumerate(market.ids)
        for c, each in enumerate(row)
        if each >= 0 and people[i]
    ]
    n, m, slots = len(market.ids), len(market.opening_ids), market.per_seeker
    size = len(entries) + n * slots + m
    first_slot, first_floor = len(entries), len(entries) + n * slots
    worths, equal = np.zeros((len(CLASSES), size)), np.zeros((n, size))
    within_cap, within_load = np.zeros((m, size)), np.zeros((m, size))
    for at, (i, j, score) in enumerate(entries):
        worths[classes[i], at] = score
        equal[i, at] = 1
        within_cap[j, at] = 1
        within_load[j, at] = -1
    for i in range(n):
        for slot in range(slots):
            worths[classes[i], first_slot + i * slots + slot] = market.spread[slot]
            equal[i, first_slot + i * slots + slot] = -1
    for j in range(m):
        within_load[j, first_floor + j] = 1
    filling = np.zeros(size)
    filling[first_floor:] = 1
    tops = np.ones(size)
    tops[first_floor:] = np.minimum(market.floor, caps)
    return Program(worths, filling, [*within_cap, *within_load], [*caps.astype(float), *np.zeros(m)], equal, tops)


def filled_of(market: SmallMarket, plan: Plan) -> int:
    return int(np.minimum(plan.loads, np.minimum(market.floor, market.caps)).sum())


def assert_fits(market: SmallMarket, plan: Plan) -> None:
    """Everybody has different postings of their own list, no posting too many people, and the sums are right."""
    spread = np.array(market.spread)
    score, bonus = 0.0, 0.0
    for row, scores, chosen, gained in zip(market.ids, market.scores, plan.chosen, plan.scores, strict=True):
        got = chosen[chosen >= 0]
        assert (chosen[: len(got)] == got).all()
        assert len(set(got.tolist())) == len(got)
        listed = dict(zip(row.tolist(), scores.tolist(), strict=True))
        assert gained[: len(got)].tolist() == [listed[each] for each in got.tolist()]
        assert (gained[len(got) :] == 0).all()
        assert (np.diff(gained[: len(got)]) <= 0).all()
        score += float(gained.sum(dtype=np.float64))
        bonus += float(spread[: len(got)].sum())
    loads = [(plan.chosen == each).sum() for each in market.opening_ids]
    assert plan.loads.tolist() == loads
    assert (plan.loads <= market.caps).all()
    assert plan.score == pytest.approx(score)
    assert plan.total == pytest.approx(score + bonus)
    assert plan.bound >= plan.total
    assert plan.reached == pytest.approx((plan.loads > 0).mean())


@pytest.mark.parametrize("seed", range(0, 250, 10))
def test_each_turn_is_within_its_gap_of_the_exact_optimum_and_the_bound_never_below_it(seed: int) -> None:
    for number in range(seed, seed + 10):
        market = make_small_market(np.random.default_rng(number))
        plan = plan_of(market)
        assert_fits(market, plan)
        classes = classes_of(market)
        everybody = program_of(market, np.full(len(classes), True), market.caps)
        assert filled_of(market, plan) == pytest.approx(everybody.most(everybody.filling)), number
        for turn in plan.turns:
            place = CLASSES.index(turn.priority)
            exact = program_of(market, classes == place, turn.caps)
            best = exact.most(exact.worths[place])
            assert turn.bound >= turn.total - 1e-9
            assert turn.bound - turn.total <= GAP * max(abs(turn.bound), 1) + 1e-9, number
            if market.floor == 0:
                assert turn.bound >= best - 1e-6, number
                assert turn.total >= best - GAP * max(abs(best), 1) - 1e-6, number


@pytest.mark.parametrize("seed", range(1000, 1200, 10))
def test_with_one_class_a_floor_costs_no_more_than_it_must(seed: int) -> None:
    for number in range(seed, seed + 10):
        drawn = make_small_market(np.random.default_rng(number))
        market = SmallMarket(
            drawn.ids, drawn.scores, drawn.opening_ids, drawn.caps, drawn.per_seeker, None, 1 + number % 2, drawn.spread
        )
        plan = plan_of(market)
        exact = program_of(market, np.full(len(market.ids), True), market.caps)
        filled = exact.most(exact.filling)
        best = exact.most(exact.worths[-1], (exact.filling, filled - 1e-7))
        assert filled_of(market, plan) == pytest.approx(filled)
        assert plan.bound >= best - 1e-5, number
        assert plan.total >= best - GAP * max(abs(best), 1) - 1e-5, number


@pytest.mark.parametrize("seed", range(2000, 2200, 10))
def test_classes_that_take_turns_reach_the_lexicographic_optimum(seed: int) -> None:
    for number in range(seed, seed + 10):
        generator = np.random.default_rng(number)
        drawn = make_small_market(generator)
        market = SmallMarket(
            drawn.ids,
            generator.random(drawn.ids.shape, np.float32),  # without ties one optimum only
            drawn.opening_ids,
            drawn.caps,
            drawn.per_seeker,
            [CLASSES[each] for each in generator.integers(3, size=len(drawn.ids))],
            0,
            drawn.spread,
        )
        plan = plan_of(market, gap=1e-6)
        exact = program_of(market, np.full(len(market.ids), True), market.caps)
        least: list[tuple[NDArray[np.float64], float]] = []
        for worth in exact.worths:
            least.append((worth, exact.most(worth, *least) - 3e-7))  # the solver is exact to 1e-7
        best = sum(value for _, value in least)  # what the solver gives way by can buy a later class some 1e-5
        assert plan.total == pytest.approx(best, abs=1e-4), number
        assert plan.bound >= best - 1e-4, number


@given(MARKETS)
@EXAMPLES
def test_no_cap_is_exceeded_and_nobody_gets_a_posting_twice(market: SmallMarket) -> None:
    assert_fits(market, plan_of(market, gap=0.001))


@given(MARKETS, st.randoms(use_true_random=False))
@EXAMPLES
def test_people_in_another_order_get_the_same_plan(market: SmallMarket, random: Random) -> None:
    order = list(range(len(market.ids)))
    random.shuffle(order)
    plan = plan_of(market)
    other = plan_of(
        SmallMarket(
            market.ids[order],
            market.scores[order],
            market.opening_ids,
            market.caps,
            market.per_seeker,
            None if market.priority is None else [market.priority[each] for each in order],
            market.floor,
            market.spread,
        )
    )
    assert (other.total, other.bound, other.loads.tolist()) == (plan.total, plan.bound, plan.loads.tolist())
    # Two people with equal lists and class are the same person to the plan.
    assert sorted(_told(market, plan)) == sorted(_told(market, other, order))


def _told(market: SmallMarket, plan: Plan, order: list[int] | None = None) -> list[str]:
    places = order or list(range(len(market.ids)))
    told = []
    for place, chosen in zip(places, plan.chosen, strict=True):
        listed = sorted(zip(market.ids[place].tolist(), market.scores[place].tolist(), strict=True))
        told.append(str(([each for each in listed if each[0] >= 0], classes_of(market)[place], chosen.tolist())))
    return told


@given(MARKETS, st.integers(0, 2**32 - 1))
@EXAMPLES
def test_openings_and_entries_of_a_list_in_another_order_change_nothing(market: SmallMarket, number: int) -> None:
    generator = np.random.default_rng(number)
    openings = generator.permutation(len(market.opening_ids))
    columns = generator.permuted(np.tile(np.arange(market.ids.shape[1]), (len(market.ids), 1)), axis=1)
    plan = plan_of(market)
    other = plan_of(
        SmallMarket(
            np.take_along_axis(market.ids, columns, 1),
            np.take_along_axis(market.scores, columns, 1),
            market.opening_ids[openings],
            market.caps[openings],
            market.per_seeker,
            market.priority,
            market.floor,
            market.spread,
        )
    )
    assert other.chosen.tolist() == plan.chosen.tolist()
    assert (other.total, other.bound) == (plan.total, plan.bound)
    assert other.loads.tolist() == plan.loads[openings].tolist()
    for turn, same in zip(plan.turns, other.turns, strict=True):
        assert same.prices.tolist() == turn.prices[openings].tolist()
        assert same.caps.tolist() == turn.caps[openings].tolist()


@given(MARKETS)
@EXAMPLES
def test_prices_are_nothing_where_places_stay_empty_and_prove_the_bound(market: SmallMarket) -> None:
    plan = plan_of(market)
    classes = classes_of(market)
    taken = np.zeros(len(market.opening_ids), np.int64)
    column = {int(each): place for place, each in enumerate(market.opening_ids)}
    for turn in plan.turns:
        mine = classes == CLASSES.index(turn.priority)
        assert turn.people == mine.sum()
        assert (turn.caps == market.caps - taken).all()
        for chosen in plan.chosen[mine].ravel():
            if chosen >= 0:
                taken[column[int(chosen)]] += 1
        empty = (taken < market.caps) & (turn.caps > 0)
        assert (turn.prices[empty] <= 0).all()
        assert (turn.prices[turn.caps == 0] == np.inf).all()
        if market.floor > 0:
            continue
        assert (turn.prices[empty] == 0).all()
        there = turn.caps > 0
        bound = float((turn.prices[there] * turn.caps[there]).sum(dtype=np.float64))
        for row, scores in zip(market.ids[mine], market.scores[mine], strict=True):
            nets = sorted(
                (
                    float(score - turn.prices[column[int(each)]])
                    for each, score in zip(row, scores, strict=True)
                    if each >= 0
                ),
                reverse=True,
            )
            bound += sum(max(0.0, net + bonus) for net, bonus in zip(nets, market.spread, strict=False))
        assert bound == pytest.approx(turn.bound, abs=1e-4)


@given(MARKETS)
@EXAMPLES
def test_what_an_earlier_class_gets_does_not_depend_on_who_comes_later(market: SmallMarket) -> None:
    if market.priority is None or market.floor > 0:
        return
    plan = plan_of(market)
    alone = classes_of(market) == CLASSES.index(plan.turns[0].priority)
    first = plan_of(
        SmallMarket(
            market.ids[alone],
            market.scores[alone],
            market.opening_ids,
            market.caps,
            market.per_seeker,
            [each for each, kept in zip(market.priority, alone, strict=True) if kept],
            0,
            market.spread,
        )
    )
    assert first.chosen.tolist() == plan.chosen[alone].tolist()
    assert first.total == plan.turns[0].total


def test_a_spread_serves_everybody_once_before_anybody_twice() -> None:
    ids = np.tile(np.array([[5, 7]]), (2, 1))
    scores = np.array([[0.9, 0.8], [0.2, 0.1]], np.float32)
    greedy = allocate(ids, scores, [5, 7], [1, 1], 2, spread=(0.0, 0.0), gap=1e-6)
    assert greedy.chosen.tolist() == [[5, 7], [-1, -1]]
    spread = allocate(ids, scores, [5, 7], [1, 1], 2, spread=(1.0, 0.0), gap=1e-6)
    assert (spread.chosen[:, 0] >= 0).all()
    assert spread.total == pytest.approx(3.0, abs=1e-5)
    assert spread.score == pytest.approx(1.0, abs=1e-5)


def test_the_class_that_comes_first_gets_the_only_place_however_low_its_score() -> None:
    ids, scores = np.array([[3], [3], [3]]), np.array([[0.9], [0.1], [0.5]], np.float32)
    plan = allocate(ids, scores, [3], [1], 1, ["none", "poverty_alleviated", "hard_to_employ"])
    assert plan.chosen.tolist() == [[-1], [3], [-1]]
    assert [turn.priority for turn in plan.turns] == ["poverty_alleviated", "hard_to_employ", "none"]
    assert [turn.people for turn in plan.turns] == [1, 1, 1]


def test_a_floor_falls_to_the_last_class_that_can_fill_it() -> None:
    ids = np.array([[1, 2], [1, 2]])
    scores = np.array([[0.9, 0.1], [0.9, 0.1]], np.float32)
    plan = allocate(ids, scores, [1, 2], [5, 5], 1, ["poverty_alleviated", "none"], 1)
    assert plan.chosen.tolist() == [[1], [2]]
    assert plan.reached == 1.0
    alone = allocate(ids, scores, [1, 2], [5, 5], 1, None, 1)
    assert sorted(alone.chosen.ravel().tolist()) == [1, 2]
    assert (alone.turns[0].prices < 0).any()


def test_an_earlier_class_fills_a_floor_that_nobody_else_can() -> None:
    ids = np.array([[1, 2], [1, -1]])
    scores = np.array([[0.9, 0.1], [0.9, 0.0]], np.float32)
    plan = allocate(ids, scores, [1, 2], [5, 5], 1, ["poverty_alleviated", "none"], 1)
    assert plan.chosen.tolist() == [[2], [1]]


def test_a_chain_of_people_makes_way_for_a_floor() -> None:
    # Everybody would have their second; only if all of them take their first is there somebody for each.
    size = 12
    ids = np.array([[9000, 1], *([place, place + 1] for place in range(1, size)), [size, -1]])
    scores = np.tile(np.array([[0.1, 5.0]], np.float32), (size + 1, 1))
    openings = sorted(set(ids.ravel().tolist()) - {-1})
    plan = allocate(ids, scores, openings, [2] * len(openings), 1, None, 1)
    assert plan.chosen.ravel().tolist() == ids[:, 0].tolist()


def test_of_floors_that_cannot_all_be_filled_as_many_are_as_can_be() -> None:
    ids = np.tile(np.array([[1, 2, 3]]), (2, 1))
    scores = np.array([[0.9, 0.8, -4.0], [0.9, 0.8, -3.0]], np.float32)
    plan = allocate(ids, scores, [1, 2, 3], [2, 2, 2], 1, None, 1, gap=1e-6)
    assert sorted(plan.chosen.ravel().tolist()) == [1, 2]
    assert plan.bound == pytest.approx(1.7, abs=1e-4)


def test_a_score_of_nothing_or_less_takes_no_slot() -> None:
    plan = allocate([[1, 2, 3]], [[0.5, 0.0, -0.5]], [1, 2, 3], [1, 1, 1])
    assert plan.chosen.tolist() == [[1, -1, -1]]
    assert plan.total == 0.5
    assert plan.gap == 0.0


def test_lists_of_64_are_shared_out_to_the_last_entry() -> None:
    ids = np.arange(64)[None, :]
    plan = allocate(ids, np.arange(1, 65, dtype=np.float32)[None, :], np.arange(64), np.ones(64, np.int64), 64)
    assert sorted(plan.chosen[0].tolist()) == list(range(64))
    assert plan.chosen[0, 0] == 63


def test_many_people_with_the_same_list_are_spread_over_many_postings_of_one_kind() -> None:
    ids = np.tile(np.arange(30), (3000, 1))
    scores = np.full((3000, 30), 0.7, np.float32)
    plan = allocate(ids, scores, np.arange(30), np.full(30, 100))
    assert (plan.loads == 100).all()
    assert plan.gap <= 0.001


def test_nobody_and_nothing_to_share_out_are_no_error() -> None:
    nobody = allocate(np.empty((0, 5), np.int64), np.empty((0, 5), np.float32), [1], [1])
    assert nobody.chosen.shape == (0, 3)
    assert (nobody.total, nobody.bound, nobody.gap, nobody.reached) == (0.0, 0.0, 0.0, 0.0)
    nothing = allocate(np.full((2, 4), -1), np.zeros((2, 4)), [], [])
    assert (nothing.chosen == -1).all()
    no_lists = allocate(np.empty((2, 0), np.int64), np.empty((2, 0)), [1], [1])
    assert no_lists.chosen.tolist() == [[-1] * 3] * 2


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"scores": [[0.5]]}, "must both be"),
        ({"ids": [1, 2], "scores": [0.5, 0.5]}, "must both be"),
        ({"ids": [[1.0, 2.0]]}, "ids must be integers"),
        ({"ids": np.arange(65)[None, :], "scores": np.zeros((1, 65))}, "not be longer than 64"),
        ({"scores": [[0.5, np.nan]]}, "no finite number"),
        ({"scores": [[np.inf, 0.5]]}, "no finite number"),
        ({"ids": [[1, -7]]}, "below 0"),
        ({"ids": [[1, 1]]}, "twice"),
        ({"ids": [[1, 9]]}, "not among opening_ids"),
        ({"opening_ids": [1, 1]}, "differ"),
        ({"opening_ids": [1, -2]}, "opening_ids must not be negative"),
        ({"opening_ids": [1, 2, 3]}, "must both be"),
        ({"caps": [1, -1]}, "caps must not be negative"),
        ({"caps": [1.5, 2.0]}, "must be integers"),
        ({"per_seeker": 0}, "per_seeker must lie"),
        ({"priority": ["none", "none"]}, "priority must be"),
        ({"priority": ["rich"]}, "not a priority"),
        ({"floor": -1}, "floor must not be"),
        ({"spread": (1.0, 0.5)}, "each of 3 postings"),
        ({"spread": (0.0, 0.5, 0.0)}, "never increase"),
        ({"spread": (np.nan, 0.5, 0.0)}, "finite"),
        ({"gap": 0.0}, "gap must be"),
    ],
)
def test_what_cannot_be_shared_out_is_named(changed: dict[str, object], told: str) -> None:
    plain: dict[str, object] = {"ids": [[1, 2]], "scores": [[0.5, 0.4]], "opening_ids": [1, 2], "caps": [1, 1]}
    allocate(**plain)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=told):
        allocate(**{**plain, **changed})  # type: ignore[arg-type]


def test_the_same_score_in_another_width_gives_the_same_plan() -> None:
    market = make_small_market(np.random.default_rng(3))
    plan = plan_of(market)
    wide = allocate(
        market.ids.astype(np.int32),
        market.scores.astype(np.float64),
        market.opening_ids.tolist(),
        market.caps.tolist(),
        market.per_seeker,
        None if market.priority is None else [each.value for each in market.priority],
        market.floor,
        market.spread,
        gap=GAP,
    )
    assert wide.chosen.tolist() == plan.chosen.tolist()
