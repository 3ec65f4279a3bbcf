"""People as the search takes them: numbers in arrays, and what they share worked out once."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching.bars import ADULT_AGE, MINORS_DEMANDS, WORKING_AGE, age_on
from matching.market import Market, unit_vectors
from matching.opening_tables import DEMAND_BIT, KINDS, SEXES
from matching.scores import PRIORITIES
from matching.search import ANCHOR, SEEKER, Asked, most_said
from matching.skills import Closeness, TitleWords
from matching.values import DEMAND_BARRED_BY, EDUCATION_RANK, Precision, Priority, Seeker, SexRequired

_MINORS = sum(DEMAND_BIT[demand] for demand in MINORS_DEMANDS)
_UNDERGROUND = DEMAND_BIT["underground"]
_KIND_BIT: Mapping[str, int] = {kind: 1 << place for place, kind in enumerate(KINDS)}
_LIMIT_BIT: Mapping[str, int] = {limit: DEMAND_BIT[demand] for limit, demand in DEMAND_BARRED_BY.items()}
_SEX: Mapping[str | None, int] = {None: -1, **{sex: place for place, sex in enumerate(SEXES)}}
_PRIORITY = {priority: place for place, priority in enumerate(PRIORITIES)}
_EDUCATION: dict[str | None, int] = {None: -1}
_EDUCATION.update(EDUCATION_RANK)
_NOTHING: Mapping[type[np.generic], NDArray[Any]] = {each: np.zeros(0, each) for each in (np.int32, np.float64)}
for _each in _NOTHING.values():
    _each.flags.writeable = False


class Questions:
    """Turns people into arrays, for one state of a market; remembers what many of them share.

    What is known of the state `before` is kept where it still holds.
    """

    def __init__(self, market: Market, words: Sequence[TitleWords], before: "Questions | None" = None) -> None:
        self.market = market
        self._words = tuple(words)
        self._sets = tuple(market.vocabularies.certificates.values)
        if before is not None and before.market.tables is market.tables:
            self.closeness: Closeness = before.closeness
        else:
            codes = market.vocabularies.occupations.values[: len(market.tables.usual)]
            self.closeness = Closeness(codes, market.weights)
        self._lacking = lru_cache(maxsize=1024)(self._lacking_by)
        self._said = lru_cache(maxsize=1024)(self._said_in)

    def ask(self, seekers: Sequence[Seeker], today: date) -> Asked:
        """N people as arrays, on a day."""
        rows = np.zeros(len(seekers), SEEKER)
        anchors = [place for seeker in seekers for place in seeker.places]
        wants: dict[str, int] = {}
        held: dict[frozenset[str], int] = {}
        words: dict[str, int] = {}
        day = today.toordinal()
        columns: list[tuple[Any, ...]] = []
        asked_wants: list[int] = []
        at = 0
        for seeker in seekers:
            age = age_on(seeker.birth_date, today)
            is_minor, is_woman = age < ADULT_AGE, seeker.sex == SexRequired.FEMALE
            can = day if seeker.available_on is None else seeker.available_on.toordinal()
            first_want = len(asked_wants)
            asked_wants.extend(wants.setdefault(want, len(wants)) for want in seeker.wants)
            columns.append(
                (
                    np.nan if seeker.home_by is None else seeker.home_by,
                    seeker.max_km,
                    seeker.pay_min_yuan_month or 0.0,
                    np.nan if seeker.experience_years is None else seeker.experience_years,
                    age,
                    max(can, day),
                    at,
                    at + len(seeker.places),
                    first_want,
                    len(asked_wants),
                    held.setdefault(frozenset(seeker.certificates), len(held)),
                    words.setdefault(seeker.skills_text, len(words)) if seeker.skills_text else -1,
                    _UNDERGROUND if is_woman else 0,
                    _MINORS if is_minor else 0,
                    sum(_LIMIT_BIT[limit] for limit in seeker.limits),
                    sum(_KIND_BIT[kind] for kind in seeker.kinds or KINDS),
                    not seeker.kinds,
                    _SEX[seeker.sex],
                    _PRIORITY[Priority(seeker.priority)],
                    _EDUCATION[seeker.education],
                    age < WORKING_AGE,
                    is_minor or is_woman,
                    can <= day,
                )
            )
            at += len(seeker.places)
        rows[:] = columns
        places = np.zeros(len(anchors), ANCHOR)
        places["x"], places["y"], places["z"] = unit_vectors(
            np.array([place.lon for place in anchors], np.float64),
            np.array([place.lat for place in anchors], np.float64),
        ).T
        rough = np.array([place.precision == Precision.DISTRICT for place in anchors], np.bool_)
        places["floor_km"] = np.where(rough, self.market.weights.district_floor_km, 0.0)
        close = [self.closeness.to(want) for want in wants]
        said = [self._said(each) for each in words]
        titles, values, occupations, most = zip(*said, strict=True) if said else ((), (), (), ())
        return Asked(
            seekers=_read_only(rows),
            anchors=_read_only(places),
            wants=_read_only(np.array(asked_wants, np.int32)),
            close_starts=_starts([each for each, _ in close]),
            close_occupations=_joined([each for each, _ in close], np.int32),
            close_values=_joined([each for _, each in close], np.float64),
            word_starts=_starts(titles),
            word_titles=_joined(titles, np.int32),
            word_values=_joined(values, np.float64),
            said_starts=_starts(occupations),
            said_occupations=_joined(occupations, np.int32),
            said_most=_joined(most, np.float64),
            lacking=_read_only(_table([self._lacking(each) for each in held], len(self._sets))),
        )

    def _lacking_by(self, held: frozenset[str]) -> NDArray[np.bool_]:
        return np.array([not needed <= held for needed in self._sets], np.bool_)

    def _said_in(self, text: str) -> tuple[NDArray[Any], ...]:
        """Titles that say some of the words, how far each does; their occupations, how far the best of each does."""
        found = [words.said_in(text, self.market.weights) for words in self._words]
        titles = _read_only(np.concatenate([each for each, _ in found]))
        values = _read_only(np.concatenate([each for _, each in found]))
        segments = (self.market.main, self.market.delta)
        occupations, most = most_said(segments, titles, values, len(self.market.tables.usual))
        return titles, values, _read_only(occupations), _read_only(most)


def _starts(lists: Sequence[NDArray[Any]]) -> NDArray[np.int32]:
    return _read_only(np.array([0, *accumulate(len(each) for each in lists)], np.int32))


def _joined(lists: Sequence[NDArray[Any]], dtype: type[np.generic]) -> NDArray[Any]:
    if len(lists) == 1:  # one person mostly has one wish, which is remembered as it is
        return lists[0]
    return _read_only(np.concatenate(lists)) if lists else _NOTHING[dtype]


def _table(lists: Sequence[NDArray[np.bool_]], width: int) -> NDArray[np.bool_]:
    return np.stack(lists) if lists else np.zeros((0, width), np.bool_)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
