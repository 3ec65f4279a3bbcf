"""The match index: the openings of a market, ranked for a person exactly and with reasons.

`rank` returns the exact top k: every posting within reach is scored, none is guessed away. Changes (`add`, `close`,
`set_openings`) make a new market and put it in place in one step, so a reader never sees half a change; writers wait
for each other.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from matching.bars import RULES, Query, first_barring_rule
from matching.distances import great_circle_km, may_be_within, nearest_km
from matching.market import Floats, Market, Positions
from matching.reasons import Case, cautions_for, reasons_for
from matching.scores import Scored, score_rows
from matching.skills import TitleWords, skill_of
from matching.values import Match, Opening, Place, Precision, Refusal, Seeker
from matching.weights import Weights

_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _State:
    """What a reader takes hold of at once: a market, the words of its titles, and the day."""

    market: Market
    titles: TitleWords
    today: date


class MatchIndex:
    """An exact ranking of openings for one person at a time.

    The day is part of the index, because ages, validity and starting dates are read against it; `at_day` moves it on.
    """

    def __init__(self, market: Market, *, today: date, weights: Weights) -> None:
        self._state = _State(market, TitleWords(market.titles.texts), today)
        self._changing = threading.Lock()
        self.weights = weights

    @classmethod
    def build(cls, openings: Iterable[Opening], *, today: date, weights: Weights | None = None) -> "MatchIndex":
        """An index of openings as of a day.

        Raises ValueError when two openings bear one id.
        """
        market = Market.empty().with_openings(tuple(openings))
        return cls(market, today=today, weights=weights or Weights())

    @property
    def today(self) -> date:
        """The day against which ages, validity and starting dates are read."""
        return self._state.today

    def __len__(self) -> int:
        return int(self._state.market.is_open.sum())

    def add(self, openings: Iterable[Opening]) -> None:
        """Add openings; one whose id is known takes the older one's place, and is open again."""
        added = tuple(openings)
        with self._changing:
            self._put(self._state.market.with_openings(added))

    def close(self, ids: Iterable[int]) -> None:
        """Take openings off every list; ids that the index does not know are passed over."""
        with self._changing:
            self._put(self._state.market.without(ids))

    def set_openings(self, ids: Sequence[int], left: Sequence[int]) -> None:
        """Set how many places are left in some openings; ids that the index does not know are passed over.

        Raises ValueError when the two sequences differ in length.
        """
        with self._changing:
            self._put(self._state.market.with_left(ids, left))

    def at_day(self, today: date) -> None:
        """Move the index to another day."""
        with self._changing:
            self._state = replace(self._state, today=today)

    def rank(
        self, seeker: Seeker, k: int = 20, *, skill_min: float = 0.0, among: NDArray[np.int64] | None = None
    ) -> list[Match]:
        """The k best openings that nothing bars, best first; ties stand by id.

        `skill_min` leaves out work whose skill part is lower: a caller who asks for one trade only starts high and
        widens. `among` (m,) are the ids of the only openings that count; None: all do.
        Raises ValueError when k is below 1.
        """
        if k < 1:
            raise ValueError("k must be at least 1")
        state = self._state
        may_count = may_be_within(state.market.rows, seeker.places, seeker.max_km)
        if among is not None:
            may_count &= np.isin(state.market.rows["id"], among)
        reach = np.flatnonzero(may_count)
        query = self._query(state, seeker, reach)
        scored = self._score(state, seeker, query.only(first_barring_rule(seeker, query) < 0))
        if skill_min > 0:
            scored = scored.only(scored.parts["skill"] >= skill_min)
        best = _top(scored.scores, scored.query.rows["id"], k)
        return [self._match(state, seeker, scored, int(each)) for each in best]

    def explain(self, seeker: Seeker, opening_id: int) -> Match | None:
        """The match of one opening, whether it would be in a list or not; None if it is barred or not known."""
        state = self._state
        place = state.market.place_of.get(opening_id)
        if place is None:
            return None
        query = self._query(state, seeker, np.array([place]))
        if first_barring_rule(seeker, query)[0] >= 0:
            return None
        return self._match(state, seeker, self._score(state, seeker, query), 0)

    def refusals(self, seeker: Seeker, opening_ids: Iterable[int]) -> list[Refusal]:
        """For each of these openings that the person is kept from: the first rule that bars it, and why in words."""
        state = self._state
        ids = list(opening_ids)
        known = [each for each in ids if each in state.market.place_of]
        query = self._query(state, seeker, np.array([state.market.place_of[each] for each in known], np.intp))
        rules = dict(zip(known, zip(first_barring_rule(seeker, query), range(len(known)), strict=True), strict=True))
        found = []
        for each in ids:
            if each not in rules:
                found.append(Refusal(opening_id=each, rule=_UNKNOWN, text="没有这个岗位"))
                continue
            place, at = rules[each]
            if place >= 0:
                rule = RULES[place]
                found.append(Refusal(opening_id=each, rule=rule.code, text=rule.text(seeker, query, at)))
        return found

    def refusal_counts(self, seeker: Seeker) -> dict[str, int]:
        """How many open postings within the person's reach each rule keeps off the list, by the rule's code.

        Rules about the posting itself (closed, expired, full, too far) are not counted: they keep it from everybody.
        """
        state = self._state
        reach = np.flatnonzero(may_be_within(state.market.rows, seeker.places, seeker.max_km) & state.market.is_open)
        query = self._query(state, seeker, reach)
        there = (
            (query.km <= seeker.max_km)
            & (query.rows["valid_until"] >= state.today.toordinal())
            & (state.market.left[query.at] > 0)
        )
        barring = first_barring_rule(seeker, query)[there]
        numbers = np.bincount(barring[barring >= 0], minlength=len(RULES))
        return {rule.code: int(number) for rule, number in zip(RULES, numbers, strict=True) if number}

    def lacking_certificates(self, seeker: Seeker, *, skill_min: float = 0.0) -> dict[str, int]:
        """For each certificate that the person does not hold: how many postings it alone keeps from them, most first.

        Counted are postings within reach that nothing but this certificate bars and whose skill part is at least
        `skill_min`; one that asks for two that the person lacks counts for neither, since neither would open it.
        """
        state = self._state
        every = frozenset().union(*state.market.certificate_sets) | seeker.certificates
        holder = replace(seeker, certificates=every)
        reach = np.flatnonzero(may_be_within(state.market.rows, seeker.places, seeker.max_km))
        query = self._query(state, holder, reach)
        scored = self._score(state, holder, query.only(first_barring_rule(holder, query) < 0))
        needed = scored.query.rows["certificates"][scored.parts["skill"] >= skill_min]
        found: dict[str, int] = {}
        for place, number in enumerate(np.bincount(needed, minlength=len(state.market.certificate_sets))):
            lacking = state.market.certificate_sets[place] - seeker.certificates
            if number and len(lacking) == 1:
                (certificate,) = lacking
                found[certificate] = found.get(certificate, 0) + int(number)
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def _put(self, market: Market) -> None:
        old = self._state
        titles = old.titles if market.titles is old.market.titles else TitleWords(market.titles.texts)
        self._state = replace(old, market=market, titles=titles)

    def _query(self, state: _State, seeker: Seeker, at: Positions) -> Query:
        rows = state.market.rows[at]
        km = nearest_km(rows, seeker.places, district_floor_km=self.weights.district_floor_km)
        return Query(state.market, at, rows, km, state.today)

    def _score(self, state: _State, seeker: Seeker, query: Query) -> Scored:
        skill = skill_of(seeker, state.market, query.rows, titles=state.titles, weights=self.weights)
        return score_rows(seeker, query, skill=skill, weights=self.weights)

    def _match(self, state: _State, seeker: Seeker, scored: Scored, each: int) -> Match:
        query = scored.query
        opening = state.market.openings[query.at[each]]
        parts = {name: round(float(values[each]), 4) for name, values in scored.parts.items()}
        case = Case(
            seeker=seeker,
            opening=opening,
            nearest=_nearest_place(seeker, opening.place, self.weights.district_floor_km),
            km=float(query.km[each]),
            left=int(query.left[each]),
            parts=parts,
            usual_pay=self.weights.usual_pay(opening.occupation),
            weights=self.weights,
            today=state.today,
        )
        return Match(
            opening_id=opening.id,
            score=float(scored.scores[each]),
            distance_km=round(case.km, 3),
            parts=parts,
            reasons=reasons_for(case),
            cautions=cautions_for(case),
        )


def _top(scores: Floats, ids: np.ndarray[tuple[int], np.dtype[np.int64]], k: int) -> Positions:
    """Positions of the k highest scores, highest first, equal ones by id."""
    if len(scores) > k:
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        chosen = np.flatnonzero(scores >= least)
    else:
        chosen = np.arange(len(scores))
    return np.asarray(chosen[np.lexsort((ids[chosen], -scores[chosen]))][:k])


def _nearest_place(seeker: Seeker, place: Place, district_floor_km: float) -> Place:
    def km(mine: Place) -> float:
        apart = float(great_circle_km(np.array([place.lon]), np.array([place.lat]), to=mine)[0])
        rough = Precision.DISTRICT in (mine.precision, place.precision)
        return max(apart, district_floor_km) if rough else apart

    return min(seeker.places, key=km)
