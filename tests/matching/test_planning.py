"""Sharing out over all openings: against the exact optimum over all pairs, which no list has cut short."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_array

from matching import MatchIndex, Opening, Priority, Seeker, plan_all
from tests.matching.markets import TODAY, make_market


def market(
    seed: int, openings: int = 90, seekers: int = 60
) -> tuple[MatchIndex, tuple[Seeker, ...], tuple[Opening, ...]]:
    made = make_market("dense", seed=seed, openings=openings, seekers=seekers)
    return MatchIndex.build(made.openings, today=TODAY), made.seekers, made.openings


def optimum(scores: np.ndarray[Any, Any], caps: np.ndarray[Any, Any], per_seeker: int) -> float:
    """The best total over all pairs (people, openings) of positive score: the matrix is totally unimodular."""
    people, places = np.nonzero(scores > 0)
    pairs = np.arange(len(people))
    rows = np.concatenate([people, len(scores) + places])
    limits = np.concatenate([np.full(len(scores), per_seeker), caps])
    held = csr_array((np.ones(2 * len(pairs)), (rows, np.concatenate([pairs, pairs]))), (len(limits), len(pairs)))
    found: Any = linprog(-scores[people, places], A_ub=held, b_ub=limits, bounds=(0, 1))  # type: ignore[call-overload]  # the stubs know no sparse arrays
    return float(-found.fun)


def every_score(index: MatchIndex, seekers: tuple[Seeker, ...], ids: list[int]) -> np.ndarray[Any, Any]:
    table = index.rank_many(seekers, k=len(ids))
    place = {each: at for at, each in enumerate(ids)}
    scores = np.zeros((len(seekers), len(ids)))
    for row in range(len(seekers)):
        for each, score in zip(table.ids[row].tolist(), table.scores[row].tolist(), strict=True):
            if each >= 0:
                scores[row, place[each]] = score
    return scores


@pytest.mark.parametrize("seed", range(12))
def test_lists_grow_until_the_bound_over_all_pairs_is_met(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matching.planning.FIRST_LIST", 4)
    index, seekers, openings = market(seed)
    ids = [opening.id for opening in openings]
    caps = np.full(len(ids), 1 + seed % 2)
    best = optimum(every_score(index, seekers, ids), caps, 3)
    first = plan_all(index, seekers, ids, caps, rounds=0)
    plan = plan_all(index, seekers, ids, caps, gap=0.002, rounds=8)
    assert best <= first.bound * (1 + 1e-6)
    assert best <= plan.bound * (1 + 1e-6)
    assert plan.total <= best * (1 + 1e-6)
    assert plan.gap <= 0.002
    assert best - plan.total <= 0.002 * plan.bound + 1e-6
    assert first.total < plan.total  # first lists alone fall short here, so that growing them is what is shown
    loads = np.array([(plan.chosen == each).sum() for each in ids])
    assert (loads <= caps).all()
    assert loads.tolist() == plan.loads.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_classes_take_turns_over_all_openings(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matching.planning.FIRST_LIST", 4)
    index, seekers, openings = market(100 + seed, openings=60)
    ids, caps = [opening.id for opening in openings], np.ones(60, np.int64)
    priority = [seeker.priority for seeker in seekers]
    plan = plan_all(index, seekers, ids, caps, priority=priority, gap=0.002, rounds=8)
    scores = every_score(index, seekers, ids)
    left = caps.copy()
    for turn in plan.turns:
        rows = [row for row, each in enumerate(priority) if each == turn.priority]
        # Each class gets what is best for it of the places that those before it left.
        best = optimum(scores[rows], left, 3)
        assert turn.total <= best * (1 + 1e-6)
        assert best <= turn.bound * (1 + 1e-6)
        assert turn.total >= best - 0.01 * turn.bound
        left -= np.array([(plan.chosen[rows] == each).sum() for each in ids])
    assert [turn.priority for turn in plan.turns] == list(Priority)
    assert (left >= 0).all()


def test_only_the_openings_that_are_named_are_shared_out() -> None:
    index, seekers, openings = market(200)
    some = [opening.id for opening in openings][:40]
    plan = plan_all(index, seekers, some, np.full(40, 2), rounds=3)
    assert set(plan.chosen[plan.chosen >= 0].tolist()) <= set(some)
    assert (
        plan.bound
        >= optimum(every_score(index, seekers, [opening.id for opening in openings])[:, :40], np.full(40, 2), 3) - 1e-6
    )


def test_a_floor_and_a_spread_are_kept_while_lists_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matching.planning.FIRST_LIST", 6)
    index, seekers, openings = market(300, openings=30)
    ids = [opening.id for opening in openings]
    plan = plan_all(index, seekers, ids, np.ones(30, np.int64), spread=(1.0, 0.3, 0.0), floor=1, rounds=4)
    reachable = every_score(index, seekers, ids) > 0
    assert plan.loads[reachable.any(axis=0)].sum() == plan.loads.sum()
    assert plan.total <= plan.bound * (1 + 1e-6)
    assert (plan.loads <= 1).all()


@pytest.mark.parametrize("seed", [304, 324, 329])
def test_lists_that_grow_give_up_no_place_of_a_floor_and_no_bound_falls_below_its_plan(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer lists can fill more of the floors, for a lower total: the bound of the one plan is not the other's."""
    monkeypatch.setattr("matching.planning.FIRST_LIST", 4)
    index, seekers, openings = market(seed, openings=40, seekers=30)
    ids, caps = [opening.id for opening in openings], np.full(40, 2)
    plans = [
        plan_all(index, seekers, ids, caps, floor=1, spread=(0.25, 0.0, -0.5), gap=1e-9, rounds=rounds)
        for rounds in range(5)
    ]
    filled = [int(np.minimum(plan.loads, 1).sum()) for plan in plans]
    assert filled == sorted(filled)
    assert filled[0] < filled[-1]
    assert all(plan.total <= plan.bound + 1e-9 for plan in plans)


@pytest.mark.parametrize("seed", range(6))
def test_the_bound_holds_where_more_is_wanted_than_a_first_list_holds(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("matching.planning.FIRST_LIST", 2)
    monkeypatch.setattr("matching.planning._LONGEST", 3)
    index, seekers, openings = market(seed)
    ids, caps = [opening.id for opening in openings], np.full(len(openings), len(seekers))
    best = optimum(every_score(index, seekers, ids), caps, 5)
    for rounds in range(3):
        plan = plan_all(index, seekers, ids, caps, per_seeker=5, gap=1e-9, rounds=rounds)
        assert best <= plan.bound * (1 + 1e-6)
        assert plan.total == pytest.approx(best, rel=1e-5)  # there is room for everybody's five


def test_a_plan_for_nobody_or_of_nothing_is_empty() -> None:
    index, seekers, _ = market(400)
    assert plan_all(index, [], [1, 2], [1, 1]).chosen.shape == (0, 3)
    assert (plan_all(index, seekers, [], np.zeros(0, np.int64)).chosen == -1).all()
    with pytest.raises(ValueError, match="rounds must not be negative"):
        plan_all(index, seekers, [1], [1], rounds=-1)
