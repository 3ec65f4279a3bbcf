"""What comes out of learning when the truth is known: shares, floor and closeness put in, against those that come out.

    uv run python bench/learning.py [--cases 3000 10000 30000 100000] [--seeds 1 2 3]

Cases follow known weights (see `matching/simulation.py`), so this tells how many an office needs before a refit can be
right and is taken, not how good the chance is for anybody. Figures are medians over the seeds, times CPU seconds.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from matching import Weights, fit_chance, learn_closeness
from matching.simulation import make_cases
from matching.weights import ChanceWeights, tree_closeness

TRUTH = Weights(
    chance=ChanceWeights(experience=0.05, education=0.05, room=0.1, reply=0.5, trust=0.25, programme=0.05),
    skill_floor=0.15,
)
NAMES = [each.name for each in fields(ChanceWeights)]


def farthest(learnt: Weights, truth: Weights) -> float:
    """The largest distance between a learnt share and the true one; both sum to one."""
    mine, true = (np.array([getattr(weights.chance, name) for name in NAMES]) for weights in (learnt, truth))
    return float(np.abs(mine / mine.sum() - true / true.sum()).max())


def show_chance(sizes: Sequence[int], seeds: Sequence[int]) -> None:
    """Recovery of the chance by number of cases: where the prior is wrong, and where it is the truth."""
    print(f"{'cases':>8}{'share off':>11}{'floor off':>11}{'loss gain':>11}{'form costs':>12}{'error':>8}", end="")
    print(f"{'taken':>7}{'of':>3}{'taken if prior true':>21}{'CPU s':>7}")
    for size in sizes:
        rows, taken, wrongly = [], 0, 0
        for seed in seeds:
            generator = np.random.default_rng(seed)
            cases = make_cases(generator, size, TRUTH)
            begun = time.process_time()
            refit = fit_chance(cases, Weights(), generator=generator)
            spent = time.process_time() - begun
            taken += refit.taken
            wrongly += fit_chance(make_cases(generator, size, Weights()), Weights(), generator=generator).taken
            told = refit.report
            if (
                refit.learnt is not None
                and told.difference is not None
                and told.log_loss is not None
                and told.free_log_loss is not None
                and told.calibration_error is not None
            ):
                floor_off = abs(refit.learnt.skill_floor - TRUTH.skill_floor)
                form = told.log_loss - told.free_log_loss
                rows.append(
                    (farthest(refit.learnt, TRUTH), floor_off, -told.difference, form, told.calibration_error, spent)
                )
        if not rows:
            print(f"{size:>8}  too few to learn from")
            continue
        off, floor_off, gain, form, error, spent = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{size:>8}{off:>11.3f}{floor_off:>11.3f}{gain:>11.4f}{form:>12.4f}{error:>8.3f}", end="")
        print(f"{taken:>7}{len(seeds):>3}{wrongly:>21}{spent:>7.2f}")


def show_closeness(seeds: Sequence[int]) -> None:
    """Recovery of who is close to whom: people move within hidden groups that the codes do not show."""
    print("\nrank correlation of learnt closeness with the true chance to move, all pairs of 60 occupations")
    for moves in (500, 5_000, 50_000):
        found = []
        for seed in seeds:
            generator = np.random.default_rng(seed)
            codes = [f"{number % 6}-{number % 12:02d}-{number // 12:02d}-01" for number in range(60)]
            hidden = generator.integers(0, 8, 60)
            pull = np.where(hidden[:, None] == hidden, 1.0, 0.05) * generator.gamma(2, 1, (60, 60))
            np.fill_diagonal(pull, 0)
            chances = (pull + pull.T) / (pull + pull.T).sum()
            drawn = generator.choice(3600, moves, p=chances.ravel())
            learnt = learn_closeness([(codes[one // 60], codes[one % 60]) for one in drawn])
            pairs = [(one, other) for one in range(60) for other in range(60) if one != other]
            told = [
                learnt.get((codes[one], codes[other]), tree_closeness(codes[one], codes[other])) for one, other in pairs
            ]
            from_tree = [tree_closeness(codes[one], codes[other]) for one, other in pairs]
            true = [chances[one, other] for one, other in pairs]
            found.append((rank_correlation(told, true), rank_correlation(from_tree, true)))
        mine, tree = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"{moves:>8} moves: learnt {mine:.3f}, from the tree alone {tree:.3f}")


def rank_correlation(left: Sequence[float], right: Sequence[float]) -> float:
    """Spearman's, equal values sharing their mean rank."""
    ranks = []
    for values in (left, right):
        _, codes, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(counts) - (counts - 1) / 2)[codes].tolist())
    return statistics.correlation(*ranks)


def main() -> None:
    """Print both recoveries."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, nargs="+", default=[2_000, 5_000, 10_000, 30_000, 100_000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    given = parser.parse_args()
    show_chance(given.cases, given.seeds)
    show_closeness(given.seeds)


if __name__ == "__main__":
    main()
