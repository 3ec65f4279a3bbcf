"""The walk against its formula written out densely, and the blend of walk and match by how much history there is."""

import numpy as np
import pytest
from scipy import sparse

import matching.walks
from matching import WalkRecommender, blended


def make_interactions(*, users: int = 40, items: int = 30, seed: int = 1) -> sparse.csr_array:
    generator = np.random.default_rng(seed)
    table = generator.poisson(0.15, (users, items)).astype(float)
    table[0] = 0  # nobody's history
    table[:, 0] = 0  # nobody's posting
    return sparse.csr_array(table)


def written_out(table: np.ndarray, restart: float, steps: int, discount: float) -> np.ndarray:
    """The formula of the module's docstring in dense float64."""
    users_sum, items_sum = table.sum(axis=1, keepdims=True), table.sum(axis=0, keepdims=True)
    to_items = np.divide(table, users_sum, out=np.zeros_like(table), where=users_sum > 0)
    to_users = np.divide(table, items_sum, out=np.zeros_like(table), where=items_sum > 0).T
    start = reached = to_items
    for _ in range(steps):
        reached = restart * start + (1 - restart) * (reached @ (to_users @ to_items))
    return np.asarray(np.divide(reached, items_sum**discount, out=np.zeros_like(reached), where=items_sum > 0))


@pytest.mark.parametrize(
    ("restart", "steps", "discount"), [(0.2, 8, 0.25), (0.5, 1, 0.0), (0.0, 3, 1.0), (1.0, 4, 0.25), (0.3, 0, 0.5)]
)
def test_scores_are_those_of_the_formula(restart: float, steps: int, discount: float) -> None:
    interactions = make_interactions()
    walk = WalkRecommender(restart=restart, steps=steps, discount=discount).fit(interactions)
    scores = walk.scores(np.arange(40))
    assert scores.dtype == np.float32
    assert scores == pytest.approx(written_out(interactions.toarray(), restart, steps, discount), rel=1e-4, abs=1e-7)


def test_users_without_a_history_get_zeros() -> None:
    scores = WalkRecommender().fit(make_interactions()).scores([0, 1])
    assert not scores[0].any()
    assert scores[1].any()
    assert scores[1, 0] == 0


def test_small_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    walk = WalkRecommender().fit(make_interactions(users=100))
    users = np.random.default_rng(2).permutation(100)
    exclude = sparse.csr_array(np.random.default_rng(3).random((100, 30)) < 0.3)
    whole, best = walk.scores(users), walk.best(users, 5, exclude=exclude).toarray()
    monkeypatch.setattr(matching.walks, "BLOCK_BYTES", 1)
    assert np.array_equal(walk.scores(users), whole)
    assert np.array_equal(walk.best(users, 5, exclude=exclude).toarray(), best)


def test_entries_that_stand_twice_are_added_and_the_given_table_stays_as_it_was() -> None:
    twice = sparse.csr_array((np.ones(3), np.array([1, 1, 0]), np.array([0, 2, 3])), shape=(2, 2))
    once = sparse.csr_array(np.array([[0.0, 2], [1, 0]]))
    assert np.array_equal(
        WalkRecommender().fit(twice).scores([0, 1]), WalkRecommender().fit(once).scores(np.array([0, 1]))
    )
    assert twice.nnz == 3


def test_zeros_that_are_stored_are_no_history() -> None:
    stored = sparse.csr_array((np.array([0.0, 1.0]), np.array([0, 1]), np.array([0, 1, 2])), shape=(2, 2))
    assert WalkRecommender(steps=0).fit(stored).scores([0, 1]).tolist() == [[0, 0], [0, 1]]


def test_the_best_are_the_highest_of_the_full_table() -> None:
    walk = WalkRecommender().fit(make_interactions(seed=5))
    full = walk.scores(np.arange(40))
    exclude = sparse.csr_array(np.random.default_rng(1).random((40, 30)) < 0.3)
    kept = walk.best(np.arange(40), 4, exclude=exclude).toarray()
    for row, due in zip(kept, np.where(exclude.toarray(), 0, full), strict=True):
        best = np.argsort(-due, kind="stable")[:4]
        assert np.array_equal(np.flatnonzero(row), np.sort(best[due[best] > 0]))
        assert np.array_equal(row[best], due[best])


def test_of_equal_scores_at_the_edge_the_lowest_items_stay() -> None:
    walk = WalkRecommender(steps=0).fit(sparse.csr_array(np.ones((1, 6))))
    assert walk.best([0], 4).toarray().nonzero()[1].tolist() == [0, 1, 2, 3]


def test_nobody_asked_is_no_error() -> None:
    walk = WalkRecommender().fit(make_interactions())
    assert walk.scores([]).shape == (0, 30)
    assert walk.best([], 3).shape == (0, 30)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"restart": 1.2}, "restart and discount"),
        ({"discount": 1.5}, "restart and discount"),
        ({"discount": -0.1}, "restart and discount"),
        ({"restart": float("nan")}, "restart and discount"),
        ({"steps": -1}, "whole number"),
        ({"steps": 2.5}, "whole number"),
    ],
)
def test_settings_that_make_no_walk_are_told(settings: dict[str, float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        WalkRecommender(**settings)  # type: ignore[arg-type]


def test_input_that_makes_no_walk_is_told() -> None:
    walk = WalkRecommender()
    with pytest.raises(ValueError, match="fit the walk"):
        walk.scores([0])
    with pytest.raises(ValueError, match="sparse table"):
        walk.fit(np.ones((2, 2)))  # type: ignore[arg-type]
    for wrong in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="finite and not negative"):
            walk.fit(sparse.csr_array(np.array([[wrong, 1]])))
    walk.fit(make_interactions())
    for users in ([40], [-1]):
        with pytest.raises(ValueError, match="there are 40 users"):
            walk.scores(users)
    with pytest.raises(ValueError, match="row numbers"):
        walk.scores([0.5])
    with pytest.raises(ValueError, match="row numbers"):
        walk.scores([[1]])
    with pytest.raises(ValueError, match="keep at least one"):
        walk.best([1], 0)
    with pytest.raises(ValueError, match="exclude must have the shape"):
        walk.best([1], 2, exclude=make_interactions())


def test_the_blend_by_hand() -> None:
    match = [[0.2, 0.9, 0.0, 0.2], [0.2, 0.9, 0.0, 0.2]]
    walk = [[0.0, 0.1, 5.0, 0.4], [0.0, 0.1, 5.0, 0.4]]
    # Rank scores of the match: 1.5/3, 3/3, 0, 1.5/3; of the walk: 0, 1/3, 3/3, 2/3. Shares of the walk: 0 and 1/2.
    mixed = blended(match, walk, [0, 5])
    assert mixed[0] == pytest.approx([0.5, 1, 0, 0.5])
    assert mixed[1] == pytest.approx([0.25, (1 + 1 / 3) / 2, 0, (0.5 + 2 / 3) / 2])


def test_more_history_brings_the_walk_nearer_to_having_its_way() -> None:
    generator = np.random.default_rng(3)
    match, walk = generator.random((1, 50)), generator.random((1, 50))
    ranks = blended(walk, walk, [0])[0]
    apart = [np.abs(blended(match, walk, [history])[0] - ranks).sum() for history in (0, 1, 3, 10, 100, 10_000)]
    assert apart == sorted(apart, reverse=True)
    assert np.array_equal(np.argsort(blended(match, walk, [10**9])[0]), np.argsort(walk[0]))


def test_a_posting_that_is_barred_stays_barred() -> None:
    assert blended([[0.0, 0.5]], [[1.0, 0.0]], [1000])[0, 0] == 0


def test_a_blend_of_what_does_not_go_together_is_told() -> None:
    with pytest.raises(ValueError, match="twice and history"):
        blended([[1.0]], [[1.0, 2.0]], [1])
    with pytest.raises(ValueError, match="twice and history"):
        blended([[1.0]], [[1.0]], [1, 2])
    for wrong in (-1.0, np.nan):
        with pytest.raises(ValueError, match="finite and not negative"):
            blended([[wrong]], [[1.0]], [1])
    with pytest.raises(ValueError, match="half above zero"):
        blended([[1.0]], [[1.0]], [1], half=0)
