"""The office's own cases teach the chance: the published shares refitted, and taken only if they measure better.

What is learnt keeps the form that `scores` computes, so that whatever holds for the published weights (bounds of the
exact index, the page that tells them) holds for the learnt ones:

    chance = (floor + (1 - floor) * skill) * mean of the chance parts, by their shares
    probability that an application ends in work = calibration(chance), a rising line

Shares and floor are fitted by maximum likelihood on all months but the last two, none below zero, so that more skill,
experience, schooling or reply never lowers a chance. The last but one calibrates, the prior just the same. On the last
the two are compared: the refit is taken only if its log-loss is lower, the interval of the paired difference leaving
zero out, and its Brier score is not higher.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matching.weights import ChanceWeights, Weights, tree_closeness

Floats = NDArray[np.float64]

FEWEST_CASES = 500
FEWEST_FOR_STEPS = 5000
EDGE = 1e-6
BINS = 10
CLOSENESS_FLOOR = 0.05
CLOSENESS_EVIDENCE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """Applications whose end is known: each part (n,) in 0-1, whether it ended in work (n,), its month (n,) as a count.

    `parts` holds "skill" and every part of `ChanceWeights`. Raises ValueError for another shape or range.
    """

    parts: Mapping[str, Floats]
    ended_in_work: NDArray[np.bool_]
    month: NDArray[np.int64]

    def __post_init__(self) -> None:
        ended, month = np.asarray(self.ended_in_work, bool), np.asarray(self.month, np.int64)
        parts = {name: np.asarray(self.parts.get(name, ()), np.float64) for name in ("skill", *_names())}
        if ended.ndim != 1 or month.shape != ended.shape or any(part.shape != ended.shape for part in parts.values()):
            raise ValueError(f"skill and every chance part, an end and a month for each case: {sorted(self.parts)}")
        if any(not np.all((part >= 0) & (part <= 1)) for part in parts.values()):
            raise ValueError("parts lie in 0-1")
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "ended_in_work", ended)
        object.__setattr__(self, "month", month)

    def only(self, chosen: NDArray[np.bool_]) -> "Cases":
        """The chosen cases alone."""
        parts = {name: part[chosen] for name, part in self.parts.items()}
        return Cases(parts=parts, ended_in_work=self.ended_in_work[chosen], month=self.month[chosen])


@dataclass(frozen=True, slots=True)
class Calibration:
    """From a chance to a probability: a line that never falls through the points (chances, probabilities)."""

    chances: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __call__(self, chance: ArrayLike) -> Floats:
        """The probability of each chance; beyond the ends that of the nearest one."""
        return np.asarray(np.interp(np.asarray(chance, np.float64), self.chances, self.probabilities))


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningReport:
    """How the refit did on the last month, beside the prior calibrated the same way; lower is better throughout.

    `difference` is refit less prior in log-loss, with its interval. `free_log_loss` is what boosted trees that know no
    form but may only rise reach: how much the published form gives away. `calibration_error` is the expected one.
    """

    cases: int
    judged: int
    reason: str
    log_loss: float | None = None
    prior_log_loss: float | None = None
    free_log_loss: float | None = None
    brier: float | None = None
    prior_brier: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    calibration_error: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refit:
    """`weights` to rank with from now on: the learnt ones if `taken`, else the prior as it was.

    `calibration` belongs to these weights, and is None where there were too few cases for any; `learnt` are the fitted
    ones whether taken or not.
    """

    weights: Weights
    calibration: Calibration | None
    taken: bool
    report: LearningReport
    learnt: Weights | None = None


def chance_of(parts: Mapping[str, ArrayLike], weights: Weights) -> Floats:
    """The chance (n,) of the published form from skill and the chance parts, each (n,) in 0-1."""
    skill = weights.skill_floor + (1 - weights.skill_floor) * np.asarray(parts["skill"], np.float64)
    shares = {name: getattr(weights.chance, name) for name in _names()}
    total = sum(shares.values())
    mixed = sum(share / total * np.asarray(parts[name], np.float64) for name, share in shares.items())
    return np.asarray(skill * mixed)


def fit_chance(
    cases: Cases, prior: Weights, *, generator: np.random.Generator, resamples: int = 1000, level: float = 0.95
) -> Refit:
    """Shares and skill floor out of what became of applications, if they measure better than the prior's.

    Three months at least are needed, with `FEWEST_CASES` to learn from and as many in each of the last two; otherwise
    the prior stays, and the report says why. The same cases and generator give the same refit.
    """
    months = np.unique(cases.month)
    if len(months) < 3:
        return _kept(cases, prior, "fewer than three months")
    learning, calibrating, judging = (
        cases.only(chosen)
        for chosen in (cases.month < months[-2], cases.month == months[-2], cases.month == months[-1])
    )
    for part in (learning, calibrating, judging):
        if len(part.month) < FEWEST_CASES or len(np.unique(part.ended_in_work)) < 2:
            return _kept(cases, prior, "too few cases")
    learnt = _fitted(learning, prior)
    mine, theirs = (calibrated(calibrating, weights) for weights in (learnt, prior))
    ended = judging.ended_in_work
    told, told_before = mine(chance_of(judging.parts, learnt)), theirs(chance_of(judging.parts, prior))
    losses, losses_before = _log_losses(told, ended), _log_losses(told_before, ended)
    apart = losses - losses_before
    drawn = [apart[generator.integers(0, len(apart), len(apart))].mean() for _ in range(resamples)]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    brier, brier_before = (float(np.mean((each - ended) ** 2)) for each in (told, told_before))
    taken = bool(high < 0 and brier <= brier_before)
    report = LearningReport(
        cases=len(cases.month),
        judged=len(ended),
        reason="better on the last month" if taken else "not better on the last month",
        log_loss=float(losses.mean()),
        prior_log_loss=float(losses_before.mean()),
        free_log_loss=float(_log_losses(_free(learning, judging), ended).mean()),
        brier=brier,
        prior_brier=brier_before,
        difference=float(apart.mean()),
        difference_low=float(low),
        difference_high=float(high),
        calibration_error=_calibration_error(told if taken else told_before, ended),
    )
    return Refit(
        weights=learnt if taken else prior,
        calibration=mine if taken else theirs,
        taken=taken,
        report=report,
        learnt=learnt,
    )


def calibrated(cases: Cases, weights: Weights) -> Calibration:
    """The rising line from the chance under these weights to how often such cases ended in work.

    Steps of isotonic regression from `FEWEST_FOR_STEPS` cases on, a sigmoid of the chance's logarithm below.
    """
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415 - scikit-learn takes seconds that only a refit pays
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    chance, ended = chance_of(cases.parts, weights), cases.ended_in_work
    if len(chance) >= FEWEST_FOR_STEPS:
        never = 1 / (len(chance) + 2)  # what a lone step at an end may claim
        steps = IsotonicRegression(y_min=never, y_max=1 - never, out_of_bounds="clip").fit(chance, ended)
        return Calibration(tuple(steps.X_thresholds_.tolist()), tuple(steps.y_thresholds_.tolist()))
    points = np.linspace(EDGE, 1, 101)
    model = LogisticRegression(C=1e6).fit(np.log(np.maximum(chance, EDGE))[:, None], ended)
    if model.coef_[0, 0] < 0:  # it must not fall: then the chance says nothing
        return Calibration((0.0, 1.0), (float(ended.mean()),) * 2)
    line = model.predict_proba(np.log(points)[:, None])[:, 1]
    return Calibration(tuple(points.tolist()), tuple(line.tolist()))


def learn_closeness(
    histories: Iterable[Sequence[str]],
    *,
    evidence: float = CLOSENESS_EVIDENCE,
    floor: float = CLOSENESS_FLOOR,
) -> dict[tuple[str, str], float]:
    """Closeness {(wanted, offered): 0-1} from who moves where, for `Weights.closeness`; `histories`: codes in order.

    Of all moves from one occupation to another, how much oftener a pair occurs than by chance, as normalised pointwise
    mutual information, 0 where not oftener. That is shrunk towards `tree_closeness` by counts: n moves weigh n against
    `evidence`. Both directions share their moves unless the data say they differ (1.96 deviations). Pairs that nobody
    moved between are not named, so that the tree serves; none is below `floor`.
    Raises ValueError for evidence not above zero or a floor outside 0-1.
    """
    if not evidence > 0 or not 0 <= floor <= 1:
        raise ValueError(f"evidence above zero, floor in 0-1: {evidence}, {floor}")
    moves = Counter(pair for history in histories for pair in pairwise(history) if pair[0] != pair[1])
    total = sum(moves.values())
    leaving, coming = Counter[str](), Counter[str]()
    for (before, after), often in moves.items():
        leaving[before] += often
        coming[after] += often
    closeness = {}
    for before, after in sorted({*moves, *((after, before) for before, after in moves)}):
        there, back = moves[before, after], moves[after, before]
        one_way = abs(there - back) > 1.96 * math.sqrt(there + back)
        count = float(there) if one_way else (there + back) / 2
        if not count:
            continue
        by_chance = leaving[before] * coming[after] / total
        if not one_way:
            by_chance = (by_chance + leaving[after] * coming[before] / total) / 2
        seen = _oftener(count, by_chance, total)
        value = (count * seen + evidence * tree_closeness(before, after)) / (count + evidence)
        closeness[before, after] = max(floor, value)
    return closeness


def _oftener(count: float, by_chance: float, total: int) -> float:
    """Normalised pointwise mutual information of a pair, held within 0-1."""
    if count >= total:
        return 1.0
    return max(0.0, math.log(count / by_chance) / -math.log(count / total)) if by_chance else 1.0


def _names() -> list[str]:
    return [each.name for each in fields(ChanceWeights)]


def _kept(cases: Cases, prior: Weights, reason: str) -> Refit:
    report = LearningReport(cases=len(cases.month), judged=0, reason=reason)
    return Refit(weights=prior, calibration=None, taken=False, report=report)


def _fitted(cases: Cases, prior: Weights) -> Weights:
    """The most likely floor and shares; the sum of the shares, how likely work is at best, is fitted and left out."""
    from scipy import optimize  # noqa: PLC0415 - a third of a second that only a refit pays

    names = _names()
    skill, ended = cases.parts["skill"], cases.ended_in_work
    parts = np.column_stack([cases.parts[name] for name in names])
    before = np.array([getattr(prior.chance, name) for name in names])
    scale = ended.mean() / max(float(chance_of(cases.parts, prior).mean()), EDGE)

    def loss(guess: Floats) -> tuple[float, Floats]:
        factor, mixed = guess[0] + (1 - guess[0]) * skill, parts @ guess[1:]
        told = np.clip(factor * mixed, EDGE, 1 - EDGE)
        slope = (told - ended) / (told * (1 - told)) / len(ended)
        return float(_log_losses(told, ended).mean()), np.append(
            slope @ ((1 - skill) * mixed), (slope * factor) @ parts
        )

    found = optimize.minimize(
        loss,
        np.append(prior.skill_floor, scale * before / before.sum()),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, 1)] + [(0, None)] * len(names),
        options={"maxiter": 500, "ftol": 1e-12},
    )
    shares = found.x[1:] / found.x[1:].sum() if found.x[1:].sum() > 0 else before / before.sum()
    chance = ChanceWeights(**{name: float(share) for name, share in zip(names, shares, strict=True)})
    return replace(prior, chance=chance, skill_floor=float(found.x[0]))


def _free(learning: Cases, judging: Cases) -> Floats:
    """What boosted trees make of the same parts, each of which may only raise the probability."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - as above
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    names = ["skill", *_names()]
    trees = HistGradientBoostingClassifier(
        monotonic_cst=[1] * len(names), max_iter=100, learning_rate=0.05, max_leaf_nodes=15, random_state=0
    )
    tables: list[Any] = [np.column_stack([cases.parts[name] for name in names]) for cases in (learning, judging)]
    with threadpool_limits(1):  # threads that wait for each other on a busy machine cost a hundredfold
        trees.fit(tables[0], learning.ended_in_work)
        return np.asarray(trees.predict_proba(tables[1])[:, 1])


def _log_losses(told: Floats, ended: NDArray[np.bool_]) -> Floats:
    held = np.clip(told, EDGE, 1 - EDGE)
    return -np.log(np.where(ended, held, 1 - held))


def _calibration_error(told: Floats, ended: NDArray[np.bool_]) -> float:
    """Mean distance of what was told from what came, over ten groups of equal size."""
    groups = np.array_split(np.argsort(told, kind="stable"), BINS)
    return float(sum(len(each) * abs(told[each].mean() - ended[each].mean()) for each in groups) / len(told))
