"""The measures against figures worked out by hand and against scikit-learn; gaps between groups with their guards."""

import json
import math

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import ndcg_score

from matching import RankedTable, measures

LISTS = np.array([[7, 3, 5], [3, 9, -1], [7, 5, 3], [-1, -1, -1]])
TRUTH = [{3, 8}, {9}, set(), {7}]


def random_lists(generator: np.random.Generator, people: int, items: int, k: int) -> np.ndarray:
    return np.argsort(generator.random((people, items)), axis=1)[:, :k]


def test_recall_is_the_mean_share_of_what_people_turned_to() -> None:
    # One of two, one of one, nobody, none of one.
    assert measures.recall_each(LISTS, TRUTH).tolist()[:2] == [0.5, 1.0]
    assert math.isnan(measures.recall_each(LISTS, TRUTH)[2])
    assert measures.recall(LISTS, TRUTH) == pytest.approx((0.5 + 1 + 0) / 3)


def test_ndcg_by_hand() -> None:
    second = 1 / math.log2(3)
    assert measures.ndcg_each(LISTS, TRUTH)[0] == pytest.approx(second / (1 + second))
    assert measures.ndcg_each(LISTS, TRUTH)[1] == pytest.approx(second)
    assert measures.ndcg(LISTS, TRUTH) == pytest.approx((second / (1 + second) + second + 0) / 3)


@pytest.mark.parametrize("k", [1, 5, 40])
def test_ndcg_is_that_of_scikit_learn(k: int) -> None:
    generator = np.random.default_rng(3)
    scores = generator.random((30, 40))
    truth = (generator.random((30, 40)) < 0.1) | (np.arange(40) == generator.integers(0, 40, (30, 1)))
    lists = np.argsort(-scores, axis=1)[:, :k]
    assert measures.ndcg(lists, sparse.csr_array(truth)) == pytest.approx(ndcg_score(truth, scores, k=k))


def test_a_truth_in_a_table_is_that_in_collections() -> None:
    generator = np.random.default_rng(4)
    lists = random_lists(generator, 50, 60, 10)
    dense = generator.random((50, 60)) < 0.05
    collections = [np.flatnonzero(row).tolist() for row in dense]
    table = sparse.csr_array(dense.astype(np.float32))
    for row, start in enumerate(table.indptr[:-1]):  # stored, but no truth
        if collections[row]:
            table.data[start] = 0
            collections[row][0] = -1
    assert measures.recall(lists, table) == pytest.approx(measures.recall(lists, collections))
    assert measures.ndcg(RankedTable(lists, np.ones(lists.shape, np.float32)), table) == pytest.approx(
        measures.ndcg(lists, collections)
    )


def test_ids_may_be_any_whole_numbers() -> None:
    moved = np.where(LISTS == -1, -1, LISTS + 10**15)
    assert measures.recall(moved, [{one + 10**15 for one in each} for each in TRUTH]) == pytest.approx(0.5)


def test_coverage_congestion_and_gini_by_hand() -> None:
    # Shown 2, 3, 2, 1 times, and one posting never.
    shares = np.array([2, 3, 2, 1]) / 8
    items = np.array([3, 5, 7, 9, 11])
    assert measures.exposure(LISTS, items).tolist() == [3, 2, 2, 1, 0]
    for given in (5, items):
        assert measures.coverage(LISTS, given) == pytest.approx(0.8)
        assert measures.congestion(LISTS, given) == pytest.approx(np.sum(shares * np.log(shares)) / math.log(5))
        # The definition: mean absolute difference over twice the mean.
        shown = np.array([3, 2, 2, 1, 0])
        by_definition = np.abs(shown[:, None] - shown[None, :]).mean() / (2 * shown.mean())
        assert measures.gini(LISTS, given) == pytest.approx(by_definition)


def test_congestion_is_zero_on_one_posting_and_minus_one_spread_evenly() -> None:
    assert measures.congestion(np.zeros((5, 1), np.int64), 4) == 0
    assert measures.congestion(np.arange(8).reshape(4, 2) % 4, 4) == pytest.approx(-1)
    assert measures.gini(np.arange(8).reshape(4, 2) % 4, 4) == pytest.approx(0)


def test_nothing_to_measure_is_no_figure() -> None:
    nobody = np.empty((0, 3), np.int64)
    assert math.isnan(measures.recall(nobody, []))
    assert math.isnan(measures.ndcg(LISTS, [set()] * 4))
    assert math.isnan(measures.congestion(nobody, 4))
    assert math.isnan(measures.congestion(np.zeros((3, 1), np.int64), 1))
    assert math.isnan(measures.gini(nobody, 4))
    assert measures.coverage(nobody, 4) == 0
    assert math.isnan(measures.coverage(nobody, 0))


def test_input_that_cannot_be_measured_is_told() -> None:
    with pytest.raises(ValueError, match="shape"):
        measures.recall(np.array([1, 2]), TRUTH)
    with pytest.raises(ValueError, match="whole numbers"):
        measures.recall(np.array([[0.5]]), [{1}])
    with pytest.raises(ValueError, match="truth of 3 people"):
        measures.recall(LISTS, TRUTH[:3])
    with pytest.raises(ValueError, match="truth of 3 people"):
        measures.recall(LISTS, sparse.csr_array((3, 12)))
    with pytest.raises(ValueError, match="twice"):
        measures.congestion(np.array([[3, 3]]), 5)
    with pytest.raises(ValueError, match="more than the 3"):
        measures.coverage(LISTS, 3)
    with pytest.raises(ValueError, match="not among the items"):
        measures.exposure(LISTS, [3, 5, 7])
    with pytest.raises(ValueError, match="named twice"):
        measures.exposure(LISTS, [3, 3, 5, 7, 9])


def test_a_gap_and_its_interval() -> None:
    generator = np.random.default_rng(5)
    values = np.concatenate([generator.binomial(1, 0.6, 400), generator.binomial(1, 0.4, 600)]).astype(float)
    groups = ["男"] * 400 + ["女"] * 600
    women, men = measures.gap_by(values, groups, generator=np.random.default_rng(6))
    assert (women.group, men.group) == ("女", "男")
    assert men.people == 400
    assert men.mean == pytest.approx(values[:400].mean())
    assert men.gap == pytest.approx(values[:400].mean() - values[400:].mean())
    assert men.gap is not None
    assert women.gap == pytest.approx(-men.gap)
    # The textbook interval of two proportions, which the bootstrap should come close to.
    spread = 1.96 * math.sqrt(values[:400].var() / 400 + values[400:].var() / 600)
    assert men.gap_low == pytest.approx(men.gap - spread, abs=0.012)
    assert men.gap_high == pytest.approx(men.gap + spread, abs=0.012)
    assert men.is_clear


def test_intervals_hold_what_they_promise() -> None:
    held = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        values = generator.normal(0, 1, 300)
        values[:100] += 0.3
        first = measures.gap_by(values, ["a"] * 100 + ["b"] * 200, generator=generator, resamples=200)[0]
        assert first.gap_low is not None
        assert first.gap_high is not None
        held += first.gap_low <= 0.3 <= first.gap_high
    assert 0.90 <= held / 200 <= 0.99


def test_the_same_seed_gives_the_same_gaps() -> None:
    values = np.random.default_rng(7).random(100)
    groups = ["a", "b"] * 50
    first, second = (measures.gap_by(values, groups, generator=np.random.default_rng(8)) for _ in range(2))
    assert first == second


def test_a_small_group_is_suppressed_and_another_with_it_so_that_it_cannot_be_reckoned_back() -> None:
    values = np.random.default_rng(9).random(119)
    groups = ["60岁以上"] * 19 + ["40-59岁"] * 30 + ["18-39岁"] * 70
    told = {gap.group: gap for gap in measures.gap_by(values, groups, generator=np.random.default_rng(1))}
    assert told["60岁以上"] == measures.Gap(group="60岁以上", suppressed=True)
    assert told["40-59岁"].suppressed
    assert told["18-39岁"].people == 70


def test_small_groups_that_are_many_together_take_no_other_along() -> None:
    values = np.random.default_rng(9).random(130)
    groups = ["甲"] * 15 + ["乙"] * 15 + ["丙"] * 100
    assert [gap.suppressed for gap in measures.gap_by(values, groups, generator=np.random.default_rng(1))] == [
        False,
        True,
        True,
    ]


def test_people_without_a_figure_do_not_count_into_the_size_of_a_group() -> None:
    values = np.random.default_rng(9).random(100)
    values[:35] = np.nan
    told = measures.gap_by(values, ["a"] * 50 + ["b"] * 50, generator=np.random.default_rng(1))
    assert all(gap.suppressed for gap in told)


def test_one_group_alone_has_a_mean_and_no_gap() -> None:
    (only,) = measures.gap_by(np.ones(30), ["全体"] * 30, generator=np.random.default_rng(1))
    assert (only.mean, only.low, only.high, only.gap, only.is_clear) == (1.0, 1.0, 1.0, None, False)


def test_gaps_of_nobody_and_of_uneven_input() -> None:
    assert measures.gap_by([], [], generator=np.random.default_rng(1)) == []
    with pytest.raises(ValueError, match="one group for each value"):
        measures.gap_by([1.0], [], generator=np.random.default_rng(1))
    with pytest.raises(ValueError, match="level"):
        measures.gap_by([1.0], ["a"], generator=np.random.default_rng(1), level=95)


def make_report() -> measures.Report:
    generator = np.random.default_rng(10)
    lists = random_lists(generator, 200, 50, 5)
    truth = [{int(one)} for one in generator.integers(0, 50, 200)]
    sexes = ["男"] * 120 + ["女"] * 80
    return measures.report(
        lists,
        np.arange(50),
        truth=truth,
        groups={"sex": sexes, "district": ["巫山县"] * 190 + ["城口县"] * 10},
        generator=np.random.default_rng(11),
        resamples=100,
    )


def test_a_report_says_in_json_what_the_measures_say() -> None:
    told = json.loads(make_report().to_json())
    assert list(told) == [
        "people", "people_with_truth", "places", "items", "recall", "ndcg", "coverage", "congestion", "gini",
        "unseen", "least_shown", "median_shown", "most_shown", "gaps",
    ]  # fmt: skip
    lists = random_lists(np.random.default_rng(10), 200, 50, 5)
    assert told["congestion"] == pytest.approx(measures.congestion(lists, 50))
    assert told["coverage"] == measures.coverage(lists, 50)
    assert [line["group"] for line in told["gaps"]["sex"]["recall"]] == ["女", "男"]
    assert told["gaps"]["sex"]["recall"][1]["people"] == 120
    assert {line["mean"] for line in told["gaps"]["district"]["recall"]} == {None}


def test_a_report_in_plain_chinese() -> None:
    text = make_report().to_text()
    assert "一共给200人列了单子，每人最多5个岗位；岗位一共50个。" in text
    assert "分散程度0.9" in text
    assert "按性别看去向在单子上的比例：" in text
    assert "男（120人）：" in text
    assert "城口县：人数太少，不显示" in text
    assert "城口县（" not in text


def test_a_report_without_a_truth_tells_the_spread_and_how_full_the_lists_are() -> None:
    report = measures.report(
        np.array([[1, 2], [2, -1]] * 20),
        [1, 2, 3],
        groups={"sex": ["男", "女"] * 20},
        generator=np.random.default_rng(1),
        resamples=10,
    )
    assert (report.recall, report.ndcg, report.unseen, report.most_shown) == (None, None, 1, 40)
    assert {gap.group: gap.mean for gap in report.gaps["sex"]["filled"]} == {"男": 1.0, "女": 0.5}
    assert "去向" not in report.to_text()
    assert json.loads(report.to_json())["recall"] is None


def test_a_report_on_nothing_is_still_a_report() -> None:
    empty = measures.report(np.empty((0, 5), np.int64), [], generator=np.random.default_rng(1))
    assert json.loads(empty.to_json())["coverage"] is None
    assert empty.to_text() == "一共给0人列了单子，每人最多5个岗位；岗位一共0个。"
