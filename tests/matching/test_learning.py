"""What was put in comes out again, and where there is nothing to learn nothing moves. Nothing here tells of people."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from matching import Cases, Weights, fit_chance, learn_closeness
from matching.learning import Calibration, calibrated, chance_of
from matching.scores import shares_of as shares_of_sums
from matching.simulation import make_cases
from matching.weights import ChanceWeights, tree_closeness

TRUTH = Weights(
    chance=ChanceWeights(experience=0.05, education=0.05, room=0.1, reply=0.5, trust=0.25, programme=0.05),
    skill_floor=0.15,
)


def _mean(parts: Any, shares: Any) -> Any:
    return sum(share * parts[name] for name, share in shares_of_sums(shares).items())


def seeded(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def shares_of(weights: Weights) -> dict[str, float]:
    shares = {each.name: getattr(weights.chance, each.name) for each in fields(ChanceWeights)}
    return {name: share / sum(shares.values()) for name, share in shares.items()}


def test_shares_and_floor_that_were_put_in_come_out_again() -> None:
    refit = fit_chance(make_cases(seeded(1), 60_000, TRUTH), Weights(), generator=seeded(2))
    assert refit.taken
    assert refit.weights is refit.learnt
    assert shares_of(refit.weights) == pytest.approx(shares_of(TRUTH), abs=0.04)
    assert refit.weights.skill_floor == pytest.approx(0.15, abs=0.02)
    assert sorted(shares_of(refit.weights), key=shares_of(refit.weights).__getitem__)[-3:] == ["room", "trust", "reply"]
    report = refit.report
    assert report.log_loss is not None
    assert report.prior_log_loss is not None
    assert report.free_log_loss is not None
    assert report.calibration_error is not None
    assert report.log_loss < report.prior_log_loss
    assert report.log_loss == pytest.approx(report.free_log_loss, abs=0.005)
    assert report.calibration_error < 0.03


def test_everything_but_the_chance_stays_as_it_was() -> None:
    prior = Weights(decay_km=22.0, closeness={("a", "b"): 0.4})
    refit = fit_chance(make_cases(seeded(1), 30_000, TRUTH), prior, generator=seeded(2))
    assert refit.taken
    assert replace(refit.weights, chance=prior.chance, skill_floor=prior.skill_floor) == prior


def test_calibrated_chances_are_how_often_it_happens() -> None:
    refit = fit_chance(make_cases(seeded(3), 60_000, TRUTH, at_best=0.5), Weights(), generator=seeded(2))
    assert refit.calibration is not None
    fresh = make_cases(seeded(4), 50_000, TRUTH, at_best=0.5)
    assert fresh.ended_in_work.mean() == pytest.approx(0.5 * chance_of(fresh.parts, TRUTH).mean(), abs=0.01)
    told = refit.calibration(chance_of(fresh.parts, refit.weights))
    assert told.mean() == pytest.approx(fresh.ended_in_work.mean(), abs=0.02)
    sure = told > 0.35
    assert told[sure].mean() == pytest.approx(fresh.ended_in_work[sure].mean(), abs=0.03)


def test_where_the_prior_is_the_truth_the_refit_is_refused() -> None:
    refused = [
        not fit_chance(make_cases(seeded(seed), 12_000, Weights()), Weights(), generator=seeded(2)).taken
        for seed in range(5)
    ]
    assert refused == [True] * 5


def test_a_last_month_that_went_otherwise_refuses_what_the_months_before_taught() -> None:
    taught = make_cases(seeded(1), 30_000, TRUTH)
    last = make_cases(seeded(2), 6_000, Weights(), months=1)
    both = Cases(
        parts={name: np.concatenate([part, last.parts[name]]) for name, part in taught.parts.items()},
        ended_in_work=np.concatenate([taught.ended_in_work, last.ended_in_work]),
        month=np.concatenate([taught.month, last.month + 6]),
    )
    prior = Weights()
    refit = fit_chance(both, prior, generator=seeded(3))
    assert not refit.taken
    assert refit.weights is prior
    assert refit.learnt is not None
    assert refit.report.difference is not None
    assert refit.report.difference > 0


def test_a_part_that_does_harm_gets_no_share_below_zero() -> None:
    cases = make_cases(seeded(5), 20_000, TRUTH)
    turned = dict(cases.parts) | {"reply": 1 - cases.parts["reply"]}
    refit = fit_chance(
        Cases(parts=turned, ended_in_work=cases.ended_in_work, month=cases.month), Weights(), generator=seeded(2)
    )
    assert refit.learnt is not None
    assert refit.learnt.chance.reply == 0


@pytest.mark.parametrize(
    ("size", "months", "reason"), [(30_000, 2, "fewer than three months"), (2_000, 6, "too few cases"), (0, 6, "fewer")]
)
def test_too_little_to_learn_from_leaves_the_prior(size: int, months: int, reason: str) -> None:
    prior = Weights()
    refit = fit_chance(make_cases(seeded(1), size, TRUTH, months=months), prior, generator=seeded(2))
    assert refit.weights is prior
    assert not refit.taken
    assert refit.calibration is None
    assert reason in refit.report.reason


def test_the_same_cases_and_seed_give_the_same_refit() -> None:
    cases = make_cases(seeded(6), 12_000, TRUTH)
    first, second = (fit_chance(cases, Weights(), generator=seeded(7)) for _ in range(2))
    assert first == second


def test_the_chance_is_that_of_the_score() -> None:
    cases = make_cases(seeded(8), 50, TRUTH)
    weights = Weights()
    factor = weights.skill_floor + (1 - weights.skill_floor) * cases.parts["skill"]
    assert chance_of(cases.parts, weights) == pytest.approx(factor * _mean(dict(cases.parts), weights.chance))


@pytest.mark.parametrize("size", [2_000, 8_000])
def test_a_calibration_never_falls_and_stays_off_certainty(size: int) -> None:
    line = calibrated(make_cases(seeded(9), size, TRUTH), TRUTH)
    told = line(np.linspace(0, 1, 500))
    assert (np.diff(told) >= 0).all()
    assert 0 < told[0] < told[-1] < 1


def test_a_chance_that_says_the_opposite_is_calibrated_to_say_nothing() -> None:
    cases = make_cases(seeded(10), 2_000, TRUTH)
    turned = Cases(parts=cases.parts, ended_in_work=~cases.ended_in_work, month=cases.month)
    told = calibrated(turned, TRUTH)([0.0, 0.5, 1.0])
    assert told == pytest.approx([turned.ended_in_work.mean()] * 3)


def test_a_calibration_reads_between_its_points() -> None:
    assert Calibration((0.0, 0.5), (0.1, 0.3))([0.25, 0.9, 0.0]).tolist() == pytest.approx([0.2, 0.3, 0.1])


def test_cases_that_are_none_are_told() -> None:
    parts = dict(make_cases(seeded(1), 5, TRUTH).parts)
    ended, month = np.zeros(5, bool), np.zeros(5, np.int64)
    with pytest.raises(ValueError, match="every chance part"):
        Cases(parts={name: parts[name] for name in parts if name != "reply"}, ended_in_work=ended, month=month)
    with pytest.raises(ValueError, match="every chance part"):
        Cases(parts=parts, ended_in_work=ended, month=month[:3])
    for wrong in (1.1, -0.1, np.nan):
        with pytest.raises(ValueError, match="0-1"):
            Cases(parts=parts | {"skill": np.full(5, wrong)}, ended_in_work=ended, month=month)


def test_occupations_that_people_move_between_are_close() -> None:
    histories = [("4-07-05-01", "4-09-08-01")] * 60 + [("4-09-08-01", "4-07-05-01")] * 55
    histories += [("6-01-01-01", "6-02-01-01")] * 60 + [("6-02-01-01", "6-01-01-01")] * 60
    histories += [("4-07-05-01", "6-01-01-01")] * 3
    learnt = learn_closeness(histories)
    assert tree_closeness("4-07-05-01", "4-09-08-01") == 0
    assert learnt["4-07-05-01", "4-09-08-01"] > 0.4
    # The directions do not differ beyond chance, so they share one value.
    assert learnt["4-07-05-01", "4-09-08-01"] == learnt["4-09-08-01", "4-07-05-01"]
    assert learnt["4-07-05-01", "6-01-01-01"] == 0.05
    assert ("4-09-08-01", "6-01-01-01") not in learnt
    assert all(0.05 <= value <= 1 for value in learnt.values())
    assert Weights(closeness=learnt).closeness["4-07-05-01", "4-09-08-01"] > 0.4


def test_a_street_that_goes_one_way_is_learnt_one_way() -> None:
    histories = [("a-1-1-1", "b-1-1-1")] * 50 + [("c-1-1-1", "d-1-1-1")] * 50 + [("b-1-1-1", "a-1-1-1")] * 5
    learnt = learn_closeness(histories)
    assert learnt["a-1-1-1", "b-1-1-1"] > 2 * learnt["b-1-1-1", "a-1-1-1"]
    assert ("d-1-1-1", "c-1-1-1") not in learnt


def test_few_moves_say_little_against_the_tree() -> None:
    others = [("c-1-1-1", "d-1-1-1")] * 100
    by_count = [
        learn_closeness([*others, *[("a-1-1-1", "a-1-1-2")] * count])["a-1-1-1", "a-1-1-2"] for count in (1, 10, 1000)
    ]
    assert by_count[0] == pytest.approx(0.6, abs=0.05)
    assert by_count == sorted(by_count)
    assert learn_closeness([*others, ("a-1-1-1", "a-1-1-2")], evidence=1e9)["a-1-1-1", "a-1-1-2"] == pytest.approx(0.6)


def test_staying_in_an_occupation_is_no_move_and_nothing_teaches_nothing() -> None:
    assert learn_closeness([]) == {}
    assert learn_closeness([("a-1-1-1", "a-1-1-1"), ("b-1-1-1",), ()]) == {}
    assert set(learn_closeness([("a-1-1-1", "b-2-1-1")]).values()) == {0.05}


def test_settings_of_closeness_that_make_no_sense_are_told() -> None:
    with pytest.raises(ValueError, match="evidence above zero"):
        learn_closeness([], evidence=0)
    with pytest.raises(ValueError, match="floor in 0-1"):
        learn_closeness([], floor=1.5)
