"""The score: the chance that an application ends in work, times what the work is worth to the person.

    score = chance x worth
    chance = (floor + (1 - floor) * skill) * mean of the chance parts, by their shares
    worth = commute * mean of the worth parts, by their shares

`commute` is a factor, because a share among others would let pay and a roof carry work from the far end of the province
past work that one comes home from. Every part is a number in 0-1; `docs/ranking.md` writes each one out. No part knows
a person's age or sex: two people who differ in nothing else get the same scores, and only lawful bars tell their lists
apart. Close to the published optimum for lists that job-seekers see: Bied et al. 2026, arXiv 2603.21699.

Here are the parts that a posting has by itself, whoever reads it. Those that depend on the person are compiled, in
`matching.search`.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import date

import numpy as np
from numpy.typing import NDArray

from matching.opening_tables import DEMAND_BIT, KINDS, PRECISIONS
from matching.search import Scale
from matching.values import Kind, Precision, Priority
from matching.weights import ChanceWeights, Weights, WorthWeights

Floats = NDArray[np.float64]

REPLY_UNKNOWN = 0.5
YES_NO_UNKNOWN = 0.4
UNCHECKED_TRUST = 0.3

KIND_WORTH = {
    Kind.FULL_TIME: 1.0,
    Kind.WORKSHOP: 0.95,
    Kind.PUBLIC_WELFARE: 0.9,
    Kind.WORK_RELIEF: 0.8,
    Kind.PART_TIME: 0.8,
    Kind.SEASONAL: 0.75,
    Kind.DAY_LABOUR: 0.65,
}
EASE_OF_LEVEL = (0.8, 1.0, 0.8, 0.45, 0.1)  # unknown, I, II, III, IV of GB/T 3869-1997
EASE_LOST = {"heavy_lifting": 0.3, "nights": 0.2, "heat": 0.1, "dust": 0.1, "chemicals": 0.1, "heights": 0.1}
PROGRAMME_FIRST = {Kind.WORK_RELIEF, Kind.PUBLIC_WELFARE}
PROGRAMME_CHANCE = {Priority.POVERTY_ALLEVIATED: 1.0, Priority.HARD_TO_EMPLOY: 0.6, Priority.NONE: 0.35}
PROGRAMME_ELSEWHERE = 0.5
PRIORITIES = tuple(Priority)

KIND_TABLE = np.array([KIND_WORTH[kind] for kind in KINDS])
PROGRAMME_TABLE = np.array(
    [
        [PROGRAMME_CHANCE[priority] if kind in PROGRAMME_FIRST else PROGRAMME_ELSEWHERE for kind in KINDS]
        for priority in PRIORITIES
    ]
)


def shares_of(sums: ChanceWeights | WorthWeights) -> dict[str, float]:
    """The share of each part, scaled so that they sum to one."""
    total: float = sum(getattr(sums, each.name) for each in fields(sums))
    return {each.name: getattr(sums, each.name) / total for each in fields(sums)}


def scale_of(weights: Weights, *, today: date, unknown_occupation: int) -> Scale:
    """The weights as the search takes them, on a day; `unknown_occupation` is the position of "", -1 for none."""
    shares = shares_of(weights.chance) | shares_of(weights.worth)
    names = ("experience", "education", "room", "programme", "pay", "near", "start", "kind", "hours")
    return Scale(
        skill_floor=float(weights.skill_floor),
        later_want=float(weights.later_want),
        without_words=float(weights.without_words),
        unknown_skill=float(weights.unknown_skill),
        **{name: float(shares[name]) for name in names},
        decay_km=float(weights.decay_km),
        daily_km=float(weights.daily_km),
        detour=float(weights.detour),
        travel_km_hour=float(weights.travel_km_hour),
        bait_multiple=float(weights.bait_multiple),
        district_floor_km=float(weights.district_floor_km),
        today=today.toordinal(),
        nights=DEMAND_BIT["nights"],
        unknown_occupation=unknown_occupation,
        district=PRECISIONS.index(Precision.DISTRICT),
    )


def fixed_parts(rows: NDArray[np.void], reply: Floats) -> Mapping[str, Floats]:
    """The parts that n postings have by themselves, each (n,) in 0-1; `reply` (n,) is NaN where unknown."""
    return {
        "reply": np.where(np.isnan(reply), REPLY_UNKNOWN, reply),
        "trust": np.where(rows["verified"] > 0, 1.0, UNCHECKED_TRUST),
        "keep": 0.4 * _yes_no(rows["meals"]) + 0.6 * _yes_no(rows["lodging"]),
        "insurance": _yes_no(rows["insurance"]),
        "ease": _ease(rows),
        "open_to_all": np.where((rows["age_max"] >= 0) & (rows["age_reason"] < 0), 0.0, 1.0),
    }


def _yes_no(column: NDArray[np.int8]) -> Floats:
    return np.where(column < 0, YES_NO_UNKNOWN, column.astype(np.float64))


def _ease(rows: NDArray[np.void]) -> Floats:
    ease: Floats = np.array(EASE_OF_LEVEL)[np.maximum(rows["level"], 0)]
    for demand, lost in EASE_LOST.items():
        ease = ease - lost * ((rows["demands"] & DEMAND_BIT[demand]) != 0)
    return np.asarray(np.clip(ease, 0, 1))
