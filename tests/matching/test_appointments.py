"""Expected matches: sums that add up, cases worked out by hand, and an independent solver beside them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from bench.markets import make_two_sided_market
from matching import AppointmentLists, ExpectedMatches, NotSettled, expected_matches
from matching import appointments as module

EXAMPLES = settings(max_examples=40, deadline=None)
Floats = NDArray[np.float64]


def market_of(seed: int, n: int, m: int) -> tuple[Floats, Floats, Floats]:
    generator = np.random.default_rng(seed)
    return generator.normal(0, 1, (n, m)), generator.normal(0, 1, (n, m)), generator.uniform(0.5, 6, m)


def sparse_of(dense: Floats, there: NDArray[np.bool_]) -> csr_array:
    rows, columns = np.nonzero(there)
    return csr_array((dense[rows, columns], (rows, columns)), shape=dense.shape)


def solved(p: Floats, q: Floats, seats: Floats, beta: float, there: NDArray[np.bool_] | None = None) -> Floats:
    """The matches by Newton's method on the convex function whose slopes are the sums that are off.

    A whole step that would climb is halved until it does not.
    """
    strength = np.exp((p + q) / (2 * beta)) * (1 if there is None else there)
    n, wanted = len(p), np.append(np.ones(len(p)), seats)

    def matches(logs: Floats) -> Floats:
        pairs: Floats = strength * np.exp(logs[:n])[:, None] * np.exp(logs[n:])
        return pairs

    def height(logs: Floats) -> float:
        return float((np.exp(2 * logs) / 2 - wanted * logs).sum() + matches(logs).sum())

    logs = np.full(len(wanted), -np.log(1 + strength.max(initial=0)) / 2)
    for _ in range(200):
        pairs = matches(logs)
        sums = np.append(pairs.sum(axis=1), pairs.sum(axis=0))
        off = np.exp(2 * logs) + sums - wanted
        if np.abs(off).max() < 1e-9:
            return pairs
        bend = np.diag(2 * np.exp(2 * logs) + sums)
        bend[:n, n:], bend[n:, :n] = pairs, pairs.T
        way = np.linalg.solve(bend, -off)
        length = min(1.0, 2 / np.abs(way).max())
        while height(logs + length * way) > height(logs) + 1e-12 * (1 + abs(height(logs))):
            length /= 2
        logs += length * way
    raise AssertionError("Newton's method did not settle")


def assert_adds_up(found: ExpectedMatches, seats: Floats) -> None:
    matches = found.table()
    assert np.abs(matches.sum(axis=1) + found.seekers_left - 1).max() < 1e-6
    assert np.abs(matches.sum(axis=0) + found.seats_left - seats).max() < 1e-6


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 9), st.sampled_from((0.3, 1.0, 3.0)))
@EXAMPLES
def test_everybodys_matches_and_what_is_left_add_up_and_equal_another_solvers(
    seed: int, n: int, m: int, beta: float
) -> None:
    p, q, seats = market_of(seed, n, m)
    found = expected_matches(p, q, seats, beta=beta)
    assert_adds_up(found, seats)
    assert np.allclose(found.table().toarray(), solved(p, q, seats, beta), atol=1e-6)


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 9))
@EXAMPLES
def test_a_pair_that_is_not_in_a_sparse_market_cannot_match(seed: int, n: int, m: int) -> None:
    p, q, seats = market_of(seed, n, m)
    there = np.random.default_rng(seed + 1).random((n, m)) < 0.5
    found = expected_matches(sparse_of(p, there), sparse_of(q, there), seats, beta=1)
    assert_adds_up(found, seats)
    assert np.allclose(found.table().toarray(), solved(p, q, seats, 1.0, there), atol=1e-6)
    assert (found.table().toarray()[~there] == 0).all()


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 9), st.integers(1, 12))
@EXAMPLES
def test_sparse_and_dense_agree_where_all_pairs_are_there(seed: int, n: int, m: int, k: int) -> None:
    p, q, seats = market_of(seed, n, m)
    there = np.full((n, m), True)
    dense = expected_matches(p, q, seats, beta=1)
    sparse = expected_matches(sparse_of(p, there), sparse_of(q, there), seats, beta=1)
    assert np.allclose(dense.table().toarray(), sparse.table().toarray(), atol=1e-12)
    assert dense.for_seekers(k).ids.tolist() == sparse.for_seekers(k).ids.tolist()
    assert dense.for_employers(k).ids.tolist() == sparse.for_employers(k).ids.tolist()


def test_blocks_of_rows_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    p, q, seats = market_of(5, 13, 4)
    whole = expected_matches(p, q, seats, beta=1)
    monkeypatch.setattr(module, "_BLOCK_ENTRIES", 12)
    by_blocks = expected_matches(p, q, seats, beta=1)
    assert np.allclose(by_blocks.table().toarray(), whole.table().toarray(), atol=1e-12)
    assert by_blocks.for_employers(3).ids.tolist() == whole.for_employers(3).ids.tolist()


@pytest.mark.parametrize("size", [1, 2, 10])
def test_where_all_are_alike_each_pair_gets_the_same_share(size: int) -> None:
    nothing = np.zeros((size, size))
    found = expected_matches(nothing, nothing, np.ones(size))
    assert np.allclose(found.table().toarray(), 1 / (size + 1))
    assert np.allclose(found.seekers_left, 1 / (size + 1))


def test_two_seekers_and_two_seats_of_one_opening_solve_the_quadratic_by_hand() -> None:
    # Each seeker: a² + a·b·e = 1, the opening: b² + 2·a·b·e = 2, so a² = b²/2 and a²(1 + √2·e) = 1.
    found = expected_matches(np.ones((2, 1)), np.ones((2, 1)), np.array([2.0]), beta=1)
    left = 1 / (1 + np.sqrt(2) * np.e)
    assert np.allclose(found.seekers_left, left)
    assert np.allclose(found.seats_left, 2 * left)
    assert np.allclose(found.table().toarray(), 1 - left)


def test_only_the_sum_of_both_interests_counts_and_a_smaller_beta_follows_it_more() -> None:
    p, q, seats = market_of(3, 6, 6)
    found = expected_matches(p, q, seats, beta=1)
    other = expected_matches(p + q, np.zeros_like(q), seats, beta=1)
    assert np.allclose(found.table().toarray(), other.table().toarray())
    assert expected_matches(p, q, seats, beta=0.2).seekers_left.sum() < found.seekers_left.sum()


def assert_best(lists: AppointmentLists, matches: Floats) -> None:
    rows, m = matches.shape
    for row in range(rows):
        order = sorted(range(m), key=lambda place: (-matches[row, place], place))
        order = [place for place in order if matches[row, place] > 0][: lists.ids.shape[1]]
        padded = order + [-1] * (lists.ids.shape[1] - len(order))
        assert lists.ids[row].tolist() == padded
        assert np.allclose(lists.scores[row, : len(order)], matches[row, order], rtol=1e-6)
        assert (lists.scores[row, len(order) :] == 0).all()


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 9), st.integers(1, 12))
@EXAMPLES
def test_lists_hold_the_most_expected_matches_of_either_side_best_first(seed: int, n: int, m: int, k: int) -> None:
    p, q, seats = market_of(seed, n, m)
    there = np.random.default_rng(seed + 1).random((n, m)) < 0.5
    for found in (
        expected_matches(p, q, seats, beta=1),
        expected_matches(sparse_of(p, there), sparse_of(q, there), seats, beta=1),
    ):
        matches = found.table().toarray()
        assert_best(found.for_seekers(k), matches)
        assert_best(found.for_employers(k), matches.T)


def test_ties_stand_by_position() -> None:
    found = expected_matches(np.zeros((3, 4)), np.zeros((3, 4)), np.ones(4))
    assert found.for_seekers(3).ids.tolist() == [[0, 1, 2]] * 3
    assert found.for_employers(2).ids.tolist() == [[0, 1]] * 4


@pytest.mark.parametrize("seed", range(3))
def test_in_a_crowded_market_both_sides_read_more_matches_than_by_the_product_of_interests(seed: int) -> None:
    market = make_two_sided_market(np.random.default_rng(seed), seekers=300, openings=100, crowding=0.5)
    found = expected_matches(market.seeker_interest, market.employer_interest, market.seats)
    product = market.seeker_interest * market.employer_interest

    def within_ten(ranks: Floats) -> Floats:
        return (ranks <= 10).astype(float)

    ours = market.matches_when_read(found.for_seekers(10).ids, found.for_employers(10).ids, within_ten)
    theirs = market.matches_when_read(np.argsort(-product, axis=1), np.argsort(-product.T, axis=1), within_ten)
    assert ours > theirs


def test_pairs_may_come_in_any_order_and_ties_in_a_sparse_market_stand_by_position() -> None:
    one = csr_array((np.array([0.2, 0.9, 0.4]), np.array([2, 0, 1]), np.array([0, 3])), shape=(1, 3))
    other = csr_array((np.array([0.1, 0.3, 0.5]), np.array([0, 1, 2]), np.array([0, 3])), shape=(1, 3))
    found = expected_matches(one, other, np.ones(3), beta=1).table().toarray()
    assert np.allclose(found, solved(one.toarray(), other.toarray(), np.ones(3), 1))
    alike = sparse_of(np.zeros((3, 3)), np.full((3, 3), True))
    assert expected_matches(alike, alike, np.ones(3)).for_employers(2).ids.tolist() == [[0, 1]] * 3


@pytest.mark.parametrize(("n", "m"), [(6, 1), (1, 6)])
def test_where_nearly_all_of_the_smaller_side_match_the_rest_of_the_larger_is_left(n: int, m: int) -> None:
    eager = np.ones((n, m))
    found = expected_matches(eager, eager, np.ones(m), beta=0.02)
    assert_adds_up(found, np.ones(m))
    assert np.allclose(found.table().toarray(), 1 / 6)
    assert found.rounds < 10


def test_nobody_and_no_opening_are_no_error() -> None:
    nobody = expected_matches(np.empty((0, 2)), np.empty((0, 2)), np.array([1.0, 3.0]))
    assert np.allclose(nobody.seats_left, [1.0, 3.0])
    assert nobody.for_employers(2).ids.tolist() == [[-1, -1]] * 2
    nothing = expected_matches(np.empty((2, 0)), np.empty((2, 0)), np.empty(0))
    assert nothing.seekers_left.tolist() == [1.0, 1.0]
    assert nothing.for_seekers(1).ids.tolist() == [[-1]] * 2


def test_numbers_that_do_not_settle_are_an_error_and_no_answer() -> None:
    p, q, seats = market_of(1, 20, 20)
    with pytest.raises(NotSettled, match="3 rounds"):
        expected_matches(p, q, seats, beta=0.2, rounds=3)
    there = np.full(p.shape, True)
    with pytest.raises(NotSettled, match="3 rounds"):
        expected_matches(sparse_of(p, there), sparse_of(q, there), seats, beta=0.2, rounds=3)


ONE = np.ones((2, 2))
PAIR = csr_array(np.eye(2))


@pytest.mark.parametrize(
    ("p", "q", "seats", "changed", "told"),
    [
        (ONE, np.ones((2, 3)), [1, 1], {}, "must both be"),
        (np.ones(2), np.ones(2), [1, 1], {}, "must both be"),
        (PAIR, csr_array(np.ones((2, 3))), [1, 1], {}, "must both be"),
        (ONE, PAIR, [1, 1], {}, "both CSR"),
        (PAIR, csr_array(np.eye(2)[::-1]), [1, 1], {}, "same pairs"),
        (ONE, ONE, [1], {}, "seats must be"),
        (ONE, ONE, [1, 0], {}, "seats must be"),
        (ONE, ONE, [1, np.nan], {}, "seats must be"),
        (ONE * np.nan, ONE, [1, 1], {}, "finite"),
        (PAIR, PAIR * np.inf, [1, 1], {}, "finite"),
        (ONE, ONE, [1, 1], {"beta": 0.001}, "beta is too small"),
        (ONE, ONE, [1, 1], {"beta": 0.0}, "must be above 0"),
        (ONE, ONE, [1, 1], {"tolerance": 0.0}, "must be above 0"),
        (ONE, ONE, [1, 1], {"rounds": 0}, "rounds at least 1"),
    ],
)
def test_a_market_that_makes_no_sense_is_named(
    p: Floats, q: Floats, seats: list[float], changed: dict[str, float], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        expected_matches(p, q, np.array(seats), **changed)  # type: ignore[arg-type]


def test_a_pair_twice_and_lists_of_nothing_are_named() -> None:
    twice = csr_array((np.ones(2), np.array([0, 0]), np.array([0, 2])), shape=(1, 1))
    with pytest.raises(ValueError, match="twice"):
        expected_matches(twice, twice, np.ones(1))
    with pytest.raises(ValueError, match="at least 1"):
        expected_matches(ONE, ONE, np.ones(2)).for_seekers(0)
