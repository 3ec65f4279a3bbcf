"""Repricing against the same steps written out plainly, and its promises: every posting seen, nothing barred listed."""

import math
from collections.abc import Iterable

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.csgraph import maximum_flow

from matching import RankedTable, measures, reprice


def make_scores(people: int, items: int, *, seed: int, zeros: float = 0.0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    scores = generator.lognormal(0, 1.2, items) * generator.gamma(0.5, 1, (people, items))
    scores[generator.random((people, items)) < zeros] = 0
    return scores.astype(np.float32)


def in_log(scores: np.ndarray) -> np.ndarray:
    unscored = np.log(scores[scores > 0].min()) - 1
    return np.array([[np.log(one) if one > 0 else unscored for one in row] for row in scores], np.float32)


def written_out(
    scores: np.ndarray, k: int, rate: float, rounds: int, floor: int, barred: np.ndarray
) -> list[list[int]]:
    """The docstring of the module, step by step; a chain of moves is not among them."""
    logs = np.where(barred, -np.inf, in_log(scores).astype(float))
    people, items = scores.shape
    prices = np.zeros(items)

    def in_order(row: int, of: Iterable[int]) -> list[int]:
        return [one for _, one in sorted((prices[one] - logs[row, one], one) for one in of)]

    def top() -> list[list[int]]:
        return [in_order(row, np.flatnonzero(~barred[row] & (scores[row] > 0)).tolist())[:k] for row in range(people)]

    lists = top()
    shown = np.bincount(np.ravel(lists), minlength=items)
    for number in range(1, rounds + 1):
        prices += rate * np.log((shown + 1) / (shown.mean() + 1)) / math.sqrt(number)
        lists = top()
        shown = np.bincount(np.ravel(lists), minlength=items)
    for item in range(items):
        while shown[item] < floor:
            ways = []
            for row in range(people):
                spare = [one for one in lists[row] if shown[one] > floor]
                if item not in lists[row] and not barred[row, item] and spare:
                    weakest = in_order(row, spare)[-1]
                    ways.append((logs[row, weakest] - prices[weakest] - logs[row, item], row, weakest))
            _, row, weakest = min([way for way in ways if scores[way[1], item] > 0] or ways)
            lists[row][lists[row].index(weakest)] = item
            shown[item] += 1
            shown[weakest] -= 1
    return [in_order(row, each) for row, each in enumerate(lists)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("rate", "rounds", "floor"), [(0.07, 6, 1), (0.3, 3, 2), (0.0, 0, 0), (0.07, 6, 0)])
def test_lists_are_those_of_the_steps_written_out(seed: int, rate: float, rounds: int, floor: int) -> None:
    scores = make_scores(40, 60, seed=seed, zeros=0.2)
    barred = np.random.default_rng(seed).random(scores.shape) < 0.1
    table = reprice(scores, 5, rate, rounds, floor, sparse.csr_array(barred))
    assert table.ids.tolist() == written_out(scores, 5, rate, rounds, floor, barred)
    assert np.array_equal(table.scores, np.take_along_axis(scores, table.ids, axis=1))


def test_with_neither_rounds_nor_floor_it_is_the_plain_list() -> None:
    scores = make_scores(30, 40, seed=1)
    table = reprice(scores, k=7, rounds=0, floor=0)
    assert np.array_equal(table.ids, np.argsort(-scores, axis=1)[:, :7])


def test_prices_spread_the_lists() -> None:
    scores = make_scores(300, 200, seed=2)
    plain, priced = reprice(scores, rounds=0, floor=0), reprice(scores, floor=0)
    assert measures.congestion(priced, 200) < measures.congestion(plain, 200)
    assert measures.coverage(priced, 200) > measures.coverage(plain, 200)


def test_every_posting_is_in_a_list_even_one_that_nobody_scores() -> None:
    scores = make_scores(80, 200, seed=3)
    scores[:, 17] = 0
    scores[:, 18] = -4
    table = reprice(scores, k=4)
    assert measures.coverage(table, 200) == 1
    assert measures.coverage(reprice(scores, k=4, floor=0), 200) < 1
    assert set(table.scores[(table.ids == 17) | (table.ids == 18)].tolist()) == {0, -4}


def lists_that_could_be(barred: np.ndarray, k: int, floor: int) -> int:
    """How much of `floor` lists for each item can be had at all: the maximum flow from items to lists."""
    people, items = barred.shape
    graph = np.zeros((people + items + 2, people + items + 2), np.int32)
    graph[0, 1 : items + 1] = floor
    graph[1 : items + 1, items + 1 : -1] = ~barred.T
    graph[items + 1 : -1, -1] = k
    return int(maximum_flow(sparse.csr_array(graph), 0, people + items + 1).flow_value)


@pytest.mark.parametrize("seed", range(60))
def test_as_many_postings_are_seen_as_can_be_however_much_is_barred(seed: int) -> None:
    generator = np.random.default_rng(seed)
    people, items, k, floor = (
        8,
        int(generator.integers(6, 20)),
        int(generator.integers(1, 4)),
        int(generator.integers(1, 4)),
    )
    scores = make_scores(people, items, seed=seed)
    barred = generator.random((people, items)) < generator.uniform(0.4, 0.95)
    for given in (scores, sparse.csr_array(np.where(generator.random(scores.shape) < 0.5, scores, 0))):
        table = reprice(given, k, 0.07, 6, floor, sparse.csr_array(barred))
        shown = measures.exposure(table, np.arange(items))
        assert np.minimum(shown, floor).sum() == lists_that_could_be(barred, k, floor)
        rows, places = np.nonzero(table.ids >= 0)
        assert not barred[rows, table.ids[rows, places]].any()


def test_what_is_stored_alone_is_ranked_and_is_then_the_same_as_an_array() -> None:
    scores = make_scores(50, 70, seed=4)
    stored = sparse.csr_array(scores)
    assert stored.nnz == scores.size
    dense, table = reprice(scores, k=5), reprice(stored, k=5)
    assert np.array_equal(dense.ids, table.ids)
    assert np.array_equal(dense.scores, table.scores)


def test_what_is_not_stored_is_listed_only_for_a_posting_that_nobody_else_can_take() -> None:
    scores = sparse.csr_array(np.array([[0.9, 0.5, 0, 0], [0.9, 0, 0, 0], [0.8, 0.7, 0, 0]], np.float32))
    table = reprice(scores, k=2, rounds=0)
    # Items 2 and 3 are scored by nobody: the first takes the empty place, the second one of those that are in many.
    assert table.ids[1].tolist() == [0, 2]
    assert table.scores[1].tolist() == pytest.approx([0.9, 0])
    assert sorted(table.ids.ravel().tolist()).count(3) == 1
    assert measures.coverage(table, 4) == 1
    assert reprice(scores, k=2, rounds=0, floor=0).ids.tolist() == [[0, 1], [0, -1], [0, 1]]


def test_ids_are_those_given() -> None:
    scores = make_scores(10, 12, seed=5)
    named = np.arange(12) * 1000 + 10**12
    assert np.array_equal(reprice(scores, k=3, item_ids=named).ids, named[reprice(scores, k=3).ids])


def test_lists_are_padded_where_there_is_too_little() -> None:
    table = reprice(np.array([[0.5, 0.2]]), k=4, exclude=sparse.csr_array(np.array([[True, False]])))
    assert table.ids.tolist() == [[1, -1, -1, -1]]
    assert table.scores.tolist() == [[pytest.approx(0.2), 0, 0, 0]]


@pytest.mark.parametrize("shape", [(0, 5), (4, 0), (0, 0)])
def test_nobody_and_nothing_are_no_error(shape: tuple[int, int]) -> None:
    for scores in (np.zeros(shape), sparse.csr_array(shape)):
        table = reprice(scores, k=3)
        assert table.ids.shape == (shape[0], 3)
        assert (table.ids == -1).all()


def test_scores_that_are_all_zero_still_reach_every_posting() -> None:
    assert measures.coverage(reprice(np.zeros((5, 8)), k=2), 8) == 1
    assert measures.coverage(reprice(np.zeros((4, 8)), k=2), 8) == 1


def test_room_that_nothing_scored_can_fill_is_shared_out_to_what_is_shown_least() -> None:
    scores = np.zeros((40, 20))
    scores[:10, :4] = np.random.default_rng(1).random((10, 4)) + 0.1
    exclude = sparse.csr_array((np.ones(30), (np.arange(10, 40), np.full(30, 19))), shape=(40, 20))
    table = reprice(scores, k=4, floor=0, exclude=exclude)
    assert (table.ids[:10] < 4).all()
    assert (table.scores[10:] == 0).all()
    shown = measures.exposure(table, np.arange(20))
    assert set(shown[:4].tolist()) == {10}
    assert shown[4:19].tolist() == [8] * 15
    assert shown[19] == 0


def test_equal_scores_stand_by_column() -> None:
    assert reprice(np.ones((3, 9)), k=4, rounds=0, floor=0).ids.tolist() == [[0, 1, 2, 3]] * 3
    assert reprice(np.array([[1, 1, 2]]), k=2, rounds=0, floor=0).ids.tolist() == [[2, 0]]
    lifted = reprice(np.ones((3, 9)), k=4, rounds=0)
    assert all(row == sorted(row) for row in lifted.ids.tolist())


def test_entries_stored_twice_or_out_of_order_count_as_one_row() -> None:
    jumbled = sparse.csr_array(
        (np.array([0.4, 0.1, 0.5], np.float32), np.array([2, 0, 2]), np.array([0, 3])), shape=(1, 3)
    )
    table = reprice(jumbled, k=3, floor=0)
    assert table.ids.tolist() == [[2, 0, -1]]
    assert table.scores.tolist()[0] == pytest.approx([0.9, 0.1, 0])
    assert jumbled.nnz == 3


def test_an_entry_stored_as_false_excludes_nothing() -> None:
    stored = sparse.csr_array((np.array([False]), np.array([0]), np.array([0, 1])), shape=(1, 2))
    assert reprice(np.array([[0.9, 0.5]]), k=1, exclude=stored, floor=0).ids.tolist() == [[0]]


def test_the_same_input_gives_the_same_table() -> None:
    scores = make_scores(60, 90, seed=6, zeros=0.3)
    first, second = reprice(scores, k=5), reprice(scores.copy(), k=5)
    assert isinstance(first, RankedTable)
    assert np.array_equal(first.ids, second.ids)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"k": 0}, "k from 1 on"),
        ({"rounds": -1}, "rounds and floor"),
        ({"floor": -1}, "rounds and floor"),
        ({"rate": -0.1}, "rate must be"),
        ({"rate": float("nan")}, "rate must be"),
        ({"scores": np.ones(3)}, "shape"),
        ({"scores": np.array([[np.nan]])}, "finite"),
        ({"scores": sparse.csr_array(np.array([[np.inf]]))}, "finite"),
        ({"exclude": sparse.csr_array((2, 2))}, "exclude must have the shape"),
        ({"item_ids": [1, 2]}, "item_ids name each"),
        ({"item_ids": [1, 2, -1]}, "item_ids name each"),
    ],
)
def test_input_that_makes_no_lists_is_told(changed: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        reprice(**({"scores": np.ones((2, 3))} | changed))  # type: ignore[arg-type]
