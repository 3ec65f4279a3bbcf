"""The score: the chance that an application ends in work, times what the work is worth to the person.

    score = chance x worth
    chance = (floor + (1 - floor) * skill) * mean of the chance parts, by their shares
    worth = commute * mean of the worth parts, by their shares

`commute` is a factor, because a share among others would let pay and a roof carry work from the far end of the province
past work that one comes home from. Every part is a number in 0-1; `docs/ranking.md` writes each one out. No part knows
a person's age or sex: two people who differ in nothing else get the same scores, and only lawful bars tell their lists
apart. Close to the published optimum for lists that job-seekers see: Bied et al. 2026, arXiv 2603.21699.
"""

from dataclasses import dataclass, fields
from datetime import date

import numpy as np
from numpy.typing import NDArray

from matching.bars import Query
from matching.market import DEMAND_BIT, KINDS, Flags, Floats, Market, Rows
from matching.values import EDUCATION_RANK, Kind, Priority, Seeker
from matching.weights import Weights

SCORE_DECIMALS = 9  # equal inputs must tie, whichever vector lane they went through

PAY_UNKNOWN = 0.3
REPLY_UNKNOWN = 0.5
START_UNKNOWN = 0.8
EXPERIENCE_UNKNOWN = 0.7
EDUCATION_UNKNOWN = 0.75
YES_NO_UNKNOWN = 0.4
LEVEL_UNKNOWN = 0.8
HOURS_UNKNOWN = 0.6
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
EASE_OF_LEVEL = (LEVEL_UNKNOWN, 1.0, 0.8, 0.45, 0.1)  # unknown, I, II, III, IV of GB/T 3869-1997
EASE_LOST = {"heavy_lifting": 0.3, "nights": 0.2, "heat": 0.1, "dust": 0.1, "chemicals": 0.1, "heights": 0.1}
PROGRAMME_FIRST = {Kind.WORK_RELIEF, Kind.PUBLIC_WELFARE}
PROGRAMME_CHANCE = {Priority.POVERTY_ALLEVIATED: 1.0, Priority.HARD_TO_EMPLOY: 0.6, Priority.NONE: 0.35}
PROGRAMME_ELSEWHERE = 0.5


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores (n,) of the query's n rows with their named parts, each (n,) in 0-1."""

    query: Query
    scores: Floats
    parts: dict[str, Floats]

    def only(self, chosen: Flags) -> "Scored":
        """The chosen rows alone."""
        return Scored(
            self.query.only(chosen), self.scores[chosen], {name: part[chosen] for name, part in self.parts.items()}
        )


def score_rows(seeker: Seeker, query: Query, *, skill: Floats, weights: Weights) -> Scored:
    """Scores and parts of the query's n rows; `skill` (n,) in 0-1 tells how close their work is to what is wanted."""
    market, rows, km = query.market, query.rows, query.km
    road = road_km(market, rows, km, weights)
    parts = {
        "skill": skill,
        "experience": _experience(seeker, rows),
        "education": _education(seeker, rows),
        "room": _room(rows, query.left),
        "reply": np.where(np.isnan(rows["reply"]), REPLY_UNKNOWN, rows["reply"]),
        "trust": np.where(rows["verified"], 1.0, UNCHECKED_TRUST),
        "programme": _programme(seeker, rows),
        "pay": _pay(seeker, market, rows, weights),
        "near": np.exp(-road / weights.decay_km),
        "commute": weights.daily_km / np.maximum(road, weights.daily_km),
        "start": _start(seeker, rows, query.today),
        "keep": 0.4 * _yes_no(rows["meals"]) + 0.6 * _yes_no(rows["lodging"]),
        "insurance": _yes_no(rows["insurance"]),
        "kind": _kind(seeker, rows),
        "ease": _ease(rows),
        "hours": _hours(seeker, rows, km, weights),
        "open_to_all": np.where((rows["age_max"] >= 0) & (rows["age_reason"] < 0), 0.0, 1.0),
    }
    chance = (weights.skill_floor + (1 - weights.skill_floor) * skill) * _mean(parts, weights.chance)
    worth = parts["commute"] * _mean(parts, weights.worth)
    return Scored(query, np.round(chance * worth, SCORE_DECIMALS), parts)


def _mean(parts: dict[str, Floats], shares: object) -> Floats:
    names = [each.name for each in fields(shares)]  # type: ignore[arg-type]
    total = sum(getattr(shares, name) for name in names)
    return np.asarray(sum(getattr(shares, name) / total * parts[name] for name in names))


def _experience(seeker: Seeker, rows: Rows) -> Floats:
    asked = rows["experience"]
    if seeker.experience_years is None:
        short = np.full(len(rows), EXPERIENCE_UNKNOWN)
    else:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            short = np.clip(seeker.experience_years / asked, 0.2, 1.0)
    return np.where(np.isnan(asked) | (asked <= 0), 1.0, short)


def _education(seeker: Seeker, rows: Rows) -> Floats:
    asked = rows["education"]
    if seeker.education is None:
        short = np.full(len(rows), EDUCATION_UNKNOWN)
    else:
        short = np.clip(1.0 - 0.3 * (asked - EDUCATION_RANK[seeker.education]), 0.1, 1.0)
    return np.where(asked <= 0, 1.0, short)


def _room(rows: Rows, left: NDArray[np.int32]) -> Floats:
    """Places left for each person who may be after one of them: half of those sent to, and this one."""
    places = np.maximum(left, 0).astype(np.float64)
    return np.asarray(places / (places + 0.5 * np.maximum(rows["sent"], 0) + 0.5))


def _programme(seeker: Seeker, rows: Rows) -> Floats:
    first = np.isin(rows["kind"], [KINDS.index(kind) for kind in PROGRAMME_FIRST])
    return np.where(first, PROGRAMME_CHANCE[Priority(seeker.priority)], PROGRAMME_ELSEWHERE)


def _pay(seeker: Seeker, market: Market, rows: Rows, weights: Weights) -> Floats:
    """Pay against what is asked, else against the going rate; beyond three times what is usual it is not believed.

    0.6 at the mark; above it, rising to 1 at one and a half times; below it, falling with the square.
    """
    rates = np.array([weights.usual_pay(code) for code in market.occupations.texts], np.float64)
    usual = rates[rows["occupation"]]
    asked = seeker.pay_min_yuan_month
    mark = usual if asked is None or asked <= 0 else np.full(len(rows), float(asked))
    times = rows["pay"] / mark
    worth = np.where(times < 1, 0.6 * times * times, 0.6 + 0.4 * np.clip((times - 1) / 0.5, 0, 1))
    beyond = rows["pay"] / np.maximum(mark, usual) - weights.bait_multiple
    believed = np.clip(1 - beyond, 0, 1)
    return np.where(np.isnan(rows["pay"]), PAY_UNKNOWN, worth * believed)


def road_km(market: Market, rows: Rows, km: Floats, weights: Weights) -> Floats:
    """Kilometres by road: the straight line times the detour of the posting's township, shape (n,)."""
    if not weights.detours:
        return np.asarray(km * weights.detour)
    detours = np.array([weights.detours.get(code, weights.detour) for code in market.townships.texts], np.float64)
    return np.asarray(km * detours[rows["township"]])


def _start(seeker: Seeker, rows: Rows, today: date) -> Floats:
    """Days between when the person can begin and when the work does; work that begins before counts double."""
    can = (seeker.available_on or today).toordinal()
    wait = rows["starts"] - max(can, today.toordinal())
    late = np.where(wait < 0, -2.0 * wait, wait)
    # Work that has begun already waits for nobody but takes whoever can come now.
    if seeker.available_on is None or seeker.available_on <= today:
        late = np.where(wait < 0, 0.0, late)
    return np.where(np.isnan(wait), START_UNKNOWN, 30 / (30 + late))


def _yes_no(column: NDArray[np.int8]) -> Floats:
    return np.where(column < 0, YES_NO_UNKNOWN, column.astype(np.float64))


def _kind(seeker: Seeker, rows: Rows) -> Floats:
    if seeker.kinds:
        return np.ones(len(rows))
    return np.asarray(np.array([KIND_WORTH[kind] for kind in KINDS])[rows["kind"]])


def _ease(rows: Rows) -> Floats:
    ease: Floats = np.array(EASE_OF_LEVEL)[np.maximum(rows["level"], 0)]
    for demand, lost in EASE_LOST.items():
        ease = ease - lost * ((rows["demands"] & DEMAND_BIT[demand]) != 0)
    return np.asarray(np.clip(ease, 0, 1))


def travel_hours(km: Floats, weights: Weights) -> Floats:
    """Hours home from a place `km` away in a straight line, shape (n,)."""
    return np.asarray(km * weights.detour / weights.travel_km_hour)


def _hours(seeker: Seeker, rows: Rows, km: Floats, weights: Weights) -> Floats:
    """Time to spare between the end of work, the way home, and when the person must be there; full at two hours."""
    if seeker.home_by is None:
        return np.ones(len(rows))
    spare = (seeker.home_by - rows["ends_at"] - travel_hours(km, weights)) / 2
    hours = np.where(np.isnan(spare), HOURS_UNKNOWN, np.clip(spare, 0, 1))
    return np.where((rows["demands"] & DEMAND_BIT["nights"]) != 0, 0.0, hours)
