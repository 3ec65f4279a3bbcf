"""The full score once more, in plain NumPy over columns: what everything else is checked against, and a peer itself.

`Columns` are a market's postings column by column, the parts of the score that know no person worked out once. `Wish`
is what a peer may know of a person for nothing: closeness of every occupation and title, and each part of the score
that has few values, by its value. Making it is on nobody's clock. Written from the published score, not from the
compiled search.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching import MatchIndex, Seeker
from matching.questions import Questions
from matching.scores import PROGRAMME_TABLE
from matching.search import (
    EARTH_RADIUS_KM,
    EDUCATION_UNKNOWN,
    EXPERIENCE_UNKNOWN,
    HOURS_UNKNOWN,
    PAY_UNKNOWN,
    START_UNKNOWN,
    UNKNOWN_DAY,
    Asked,
)

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
Rows = Places | slice  # positions, or all in a row
TOLERANCE = 3e-6  # two ways of one sum
RANKS = 8
_COSINE_SLACK = 4e-7  # short floats
_PART = 65_536  # rows at a time: what is worked out between stays in the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One person. `skill` of an occupation, and all other tables, are by the positions in the market's vocabularies."""

    seeker: Seeker
    places: Floats  # (places, 3) unit vectors
    close: Floats  # (occupations,)
    said_titles: NDArray[np.int32]
    said: Floats  # (len(said_titles),)
    has_words: bool
    lacking: NDArray[np.bool_]  # (certificate sets,)
    years: Floats  # (years,) times its share
    education: Floats  # (RANKS,) times its share, at rank + 1
    chances: Floats  # (kinds,) times its share
    worths: Floats  # (kinds,) times its share
    age: int
    can_start: int
    is_free_now: bool
    barred_demands: int
    kinds: int
    sex: int
    is_child: bool
    is_spared: bool  # of work of the heaviest grade
    max_km: float
    pay: float  # 0: none named
    home_by: float  # NaN: any time

    @property
    def least_cosine(self) -> float:
        """Of the angle at the Earth's centre to what is just within reach."""
        return math.cos(min(math.pi, self.max_km / EARTH_RADIUS_KM))


class Columns:
    """The postings of an index, as they are built; `scale` holds the weights."""

    def __init__(self, index: MatchIndex) -> None:
        state = index._state  # noqa: SLF001  # the same rows and weights, not a second reading of them
        self.market, self.scale, self._today = state.market, state.scale, index.today
        # Not the index's own, which would remember people's words before it is asked.
        self._questions = Questions(state.market, state.words)
        main, tables, scale = self.market.main, self.market.tables, self.scale
        rows = main.rows
        self.ids = rows["id"].copy()
        self.near = np.stack([rows[axis] for axis in "xyz"]).astype(np.float32)
        self.x, self.y, self.z = (rows[axis].copy() for axis in "xyz")
        left = np.maximum(main.left, 0).astype(np.float64)
        self.chance = rows["fixed_chance"] + scale.room * left / (left + 0.5 * np.maximum(rows["sent"], 0) + 0.5)
        self.worth = rows["fixed_worth"].copy()
        self.pay = rows["pay"].copy()
        self.usual = tables.usual[rows["occupation"]]
        self.detour = tables.detours[rows["township"]]
        self.ends_at = np.nan_to_num(tables.hours[rows["hours"]], nan=-1.0)
        self.is_there = main.is_open & (rows["valid_until"] >= scale.today) & (main.left > 0)
        self.starts, self.occupation, self.title = (rows[name].copy() for name in ("starts", "occupation", "title"))
        self.certificates, self.years = rows["certificates"].copy(), rows["years"].copy()
        self.demands, self.kind, self.level = rows["demands"].copy(), rows["kind"].copy(), rows["level"].copy()
        self.age_min, self.age_max, self.age_reason = (rows[f"age_{name}"].copy() for name in ("min", "max", "reason"))
        self.sex, self.education = rows["sex"].copy(), rows["education"].copy()
        self.is_rough = rows["precision"] == scale.district
        self._said = np.zeros(self.market.titles)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def megabytes(self) -> float:
        """What all columns take."""
        return sum(each.nbytes for each in vars(self).values() if isinstance(each, np.ndarray)) / 1e6

    def ask(self, seeker: Seeker) -> Asked:
        """The person as the index takes them."""
        return self._questions.ask([seeker], self._today)

    def wish(self, seeker: Seeker) -> Wish:
        """The person as the peers take them."""
        asked, scale, tables = self.ask(seeker), self.scale, self.market.tables
        row: Any = asked.seekers[0]
        close = np.full(len(tables.usual), 0.0 if seeker.wants else scale.unknown_skill)
        for nth, want in enumerate(asked.wants):
            mine = slice(asked.close_starts[want], asked.close_starts[want + 1])
            at, values = asked.close_occupations[mine], scale.later_want**nth * asked.close_values[mine]
            close[at] = np.maximum(close[at], values)
        if scale.unknown_occupation >= 0:
            close[scale.unknown_occupation] = scale.unknown_skill
        has_words = bool(row["words"] >= 0)
        return Wish(
            seeker=seeker,
            places=np.column_stack([asked.anchors[axis] for axis in "xyz"]),
            close=close,
            said_titles=asked.word_titles if has_words else asked.word_titles[:0],
            said=asked.word_values if has_words else asked.word_values[:0],
            has_words=has_words,
            lacking=asked.lacking[row["held"]],
            years=scale.experience * _experience(tables.years, float(row["years"])),
            education=scale.education * _education(np.arange(-1, RANKS - 1), int(row["education"])),
            chances=scale.programme * PROGRAMME_TABLE[row["priority"]],
            worths=scale.kind * (tables.kinds if row["any_kind"] else np.ones(len(tables.kinds))),
            age=int(row["age"]),
            can_start=int(row["can_start"]),
            is_free_now=bool(row["free_now"]),
            barred_demands=int(row["underground"] | row["hazards"] | row["limits"]),
            kinds=int(row["kinds"]),
            sex=int(row["sex"]),
            is_child=bool(row["is_child"]),
            is_spared=bool(row["spared_level_iv"]),
            max_km=float(row["max_km"]),
            pay=float(row["pay"]),
            home_by=float(row["home_by"]),
        )

    def best(self, wish: Wish, k: int) -> tuple[Places, Floats]:
        """The k best of all, best first: positions and scores; fewer where fewer are open to the person.

        Every row is scored, a part at a time, and what is barred is masked.
        """
        found = []
        for start in range(0, 0 if wish.is_child else len(self), _PART):
            part = slice(start, min(start + _PART, len(self)))
            km = self._km(wish, part)
            may = self._may(wish, part) & (km <= wish.max_km)
            scores = np.where(may, self._scores(wish, part, km), -1.0)
            top = np.argpartition(-scores, min(k, len(scores)) - 1)[:k]
            top = top[scores[top] >= 0]
            found.append((top + start, scores[top]))
        return self._joined(found, k)

    def best_within_reach(self, wish: Wish, k: int) -> tuple[Places, Floats]:
        """As `best`, but only what one product of a matrix finds to be within reach is looked at further."""
        cosines = wish.places[0].astype(np.float32) @ self.near
        for place in wish.places[1:]:
            np.maximum(cosines, place.astype(np.float32) @ self.near, out=cosines)
        at = np.flatnonzero(cosines >= wish.least_cosine - _COSINE_SLACK)
        parts = (at[start : start + _PART] for start in range(0, len(at), _PART))
        return self._joined([self.best_among(wish, part, k) for part in parts], k)

    def _joined(self, found: Sequence[tuple[Places, Floats]], k: int) -> tuple[Places, Floats]:
        at = np.concatenate([np.zeros(0, np.int64), *(each for each, _ in found)])
        scores = np.concatenate([np.zeros(0), *(each for _, each in found)])
        order = np.lexsort((self.ids[at], -scores))[:k]
        return at[order], scores[order]

    def best_among(self, wish: Wish, at: Places, k: int) -> tuple[Places, Floats]:
        """The k best of some positions."""
        if wish.is_child or not len(at):
            return at[:0], np.zeros(0)
        at = at[self._may(wish, at)]
        km = self._km(wish, at)
        is_near = km <= wish.max_km
        at, km = at[is_near], km[is_near]
        scores = self._scores(wish, at, km)
        if len(at) > k:
            top = np.argpartition(-scores, k - 1)[:k]
            at, scores = at[top], scores[top]
        order = np.lexsort((self.ids[at], -scores))
        return at[order], scores[order]

    def parts(self, wish: Wish, at: Places) -> tuple[Floats, Floats, Floats]:
        """Skill, km and score of some positions, whatever bars them: what an embedding is fitted to."""
        km = self._km(wish, at)
        return self._skill(wish, at), km, self._scores(wish, at, km)

    def _may(self, wish: Wish, at: Rows) -> NDArray[np.bool_]:
        """Which rows no bar but that of distance keeps from the person.

        One mask for all: each bar keeps most rows, and to leave some out costs more than it spares.
        """
        low, high = self.age_min[at], self.age_max[at]
        may = (self.age_reason[at] < 0) | ((low <= wish.age) & ((high < 0) | (high >= wish.age)))
        may &= self.is_there[at]
        may &= ~wish.lacking[self.certificates[at]]
        if wish.kinds != (1 << len(self.market.tables.kinds)) - 1:
            may &= (wish.kinds >> self.kind[at]) & 1 > 0
        if wish.barred_demands:
            may &= (self.demands[at] & wish.barred_demands) == 0
        if wish.is_spared:
            may &= self.level[at] != 4
        if wish.sex >= 0:
            sex = self.sex[at]
            may &= (sex < 0) | (sex == wish.sex)
        if not math.isnan(wish.home_by):
            may &= self.ends_at[at] <= wish.home_by
        return np.asarray(may)

    def _km(self, wish: Wish, at: Rows) -> Floats:
        x, y, z = self.x[at], self.y[at], self.z[at]
        square = np.full(len(x), np.inf)
        for place in wish.places:
            square = np.minimum(square, (x - place[0]) ** 2 + (y - place[1]) ** 2 + (z - place[2]) ** 2)
        km = 2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(1, 0.5 * np.sqrt(square)))
        return np.asarray(np.where(self.is_rough[at], np.maximum(km, self.scale.district_floor_km), km))

    def _skill(self, wish: Wish, at: Rows) -> Floats:
        skill: Any = wish.close[self.occupation[at]]
        if wish.has_words:
            self._said[wish.said_titles] = wish.said
            skill = 1 - (1 - self.scale.without_words * skill) * (1 - self._said[self.title[at]])
            self._said[wish.said_titles] = 0
        return np.asarray(skill)

    def _scores(self, wish: Wish, at: Rows, km: Floats) -> Floats:
        scale, kind = self.scale, self.kind[at]
        skill = self._skill(wish, at)
        chance = self.chance[at] + wish.years[self.years[at]]
        chance += wish.education[self.education[at] + 1] + wish.chances[kind]
        chance *= scale.skill_floor + (1 - scale.skill_floor) * skill
        road = km * self.detour[at]
        worth = self.worth[at] + wish.worths[kind] + scale.near * np.exp(road / -scale.decay_km)
        worth += scale.pay * self._pay(wish, at) + scale.start * self._start(wish, at)
        worth += scale.hours * self._hours(wish, at, km)
        return np.asarray(chance * worth * (scale.daily_km / np.maximum(road, scale.daily_km)))

    def _pay(self, wish: Wish, at: Rows) -> Floats:
        pay, usual = self.pay[at], self.usual[at]
        mark: Any = wish.pay if wish.pay > 0 else usual
        times = pay / mark
        worth = np.where(times < 1, 0.6 * times * times, 0.6 + 0.4 * np.minimum(1, 2 * (times - 1)))
        worth *= np.clip(1 - (pay / np.maximum(mark, usual) - self.scale.bait_multiple), 0, 1)
        return np.where(np.isnan(pay), PAY_UNKNOWN, worth)

    def _start(self, wish: Wish, at: Rows) -> Floats:
        starts = self.starts[at]
        wait = starts.astype(np.float64) - wish.can_start
        late = np.maximum(wait, 0 if wish.is_free_now else -2 * wait)
        return np.where(starts == UNKNOWN_DAY, START_UNKNOWN, 30 / (30 + late))

    def _hours(self, wish: Wish, at: Rows, km: Floats) -> Any:
        if math.isnan(wish.home_by):
            return 1.0
        ends_at = self.ends_at[at]
        spare = (wish.home_by - ends_at - km * self.scale.detour / self.scale.travel_km_hour) / 2
        hours = np.where(ends_at < 0, HOURS_UNKNOWN, np.clip(spare, 0, 1))
        return np.where((self.demands[at] & self.scale.nights) != 0, 0.0, hours)


def recall(exact: Floats, found: Sequence[float] | Floats) -> float:
    """The share of an exact list, by scores, that another list reaches; NaN where the exact one is empty."""
    if not len(exact):
        return math.nan
    return min(1.0, float((np.asarray(found) >= exact[-1] - TOLERANCE).sum()) / len(exact))


def _experience(asked: Floats, years: float) -> Floats:
    if math.isnan(years):
        return np.where(np.nan_to_num(asked) > 0, EXPERIENCE_UNKNOWN, 1.0)
    enough = np.clip(years / np.maximum(np.nan_to_num(asked), 1e-9), 0.2, 1)
    return np.where(np.nan_to_num(asked) > 0, enough, 1.0)


def _education(asked: NDArray[np.int64], held: int) -> Floats:
    enough = np.clip(1 - 0.3 * (asked - held), 0.1, 1) if held >= 0 else np.full(len(asked), EDUCATION_UNKNOWN)
    return np.where(asked > 0, enough, 1.0)
