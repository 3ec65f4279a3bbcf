"""Cases with a known truth: what an office would collect if outcomes followed given weights.

For tests, benchmarks, and the question of how many cases a refit needs. Nothing measured on such cases says how good a
list is for anybody.
"""

from dataclasses import fields

import numpy as np

from matching.learning import Cases, chance_of
from matching.weights import ChanceWeights, Weights


def make_cases(
    generator: np.random.Generator, size: int, truth: Weights, *, months: int = 6, at_best: float = 0.8
) -> Cases:
    """`size` cases over `months` months that end in work with the probability `at_best` times the chance under `truth`.

    Parts are independent: skill is 0, 0.3, 0.6 or 1, as the tree of occupations gives it, the others anything in 0-1.
    """
    parts = {each.name: generator.random(size) for each in fields(ChanceWeights)}
    parts["skill"] = generator.choice([0.0, 0.3, 0.6, 1.0], size, p=[0.2, 0.2, 0.2, 0.4])
    ended = generator.random(size) < at_best * chance_of(parts, truth)
    return Cases(parts=parts, ended_in_work=ended, month=np.sort(generator.integers(0, months, size)))
