"""The match index: the openings of a market, ranked for a person exactly and with reasons.

`rank` returns the exact top k, whatever the bounds let it pass over. Changes (`add`, `close`, `set_openings`) make a
new market and put it in place in one step, so a reader never sees half a change; writers wait for each other.
"""

import os
import threading
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matching.bars import RULES
from matching.distances import great_circle_km
from matching.market import Market, Positions, least_of
from matching.opening_tables import OpeningTable
from matching.questions import Questions
from matching.ranked_tables import NOTHING, RankedTable
from matching.reasons import Case, cautions_for, reasons_for
from matching.scores import fixed_parts
from matching.search import DYNAMIC_PARTS, Asked, Limits, Scale, Segment, judge, search_many, tally
from matching.skills import TitleWords
from matching.snapshots import open_snapshot, save_snapshot
from matching.values import Counterfactual, Match, Opening, Place, Precision, Refusal, Seeker
from matching.weights import Weights

PARTS = (
    "skill",
    "experience",
    "education",
    "room",
    "reply",
    "trust",
    "programme",
    "pay",
    "near",
    "commute",
    "start",
    "keep",
    "insurance",
    "kind",
    "ease",
    "hours",
    "open_to_all",
)
"""The parts of a score, in the order in which they are told."""

STEP = 1.5  # how much farther the first step of widening goes

_UNKNOWN = "unknown"
_BATCH = 256  # people that one call of the search serves: enough to forget the call, few enough to share threads

Floats = NDArray[np.float64]
Prices = tuple[ArrayLike, ArrayLike]


@dataclass(frozen=True, slots=True)
class _State:
    """What a reader takes hold of at once: a market, how people are put to it, and the day."""

    market: Market
    words: tuple[TitleWords, ...]
    questions: Questions
    scale: Scale
    today: date

    @classmethod
    def of(cls, market: Market, words: tuple[TitleWords, ...], today: date) -> "_State":
        return cls(market, words, Questions(market, words), market.scale(today), today)

    def with_market(self, market: Market) -> "_State":
        """Another market, of which only what is new is worked out."""
        if market.delta.rows is self.market.delta.rows:
            return replace(self, market=market)
        titles = market.vocabularies.titles.values[self.market.titles : market.titles]
        words = _with_titles(self.words, titles)
        questions = Questions(market, words, self.questions)
        return _State(market, words, questions, market.scale(self.today), self.today)

    def segments(self) -> tuple[tuple[Segment, int], ...]:
        """Both segments, each with the place of its first row."""
        return (self.market.main, 0), (self.market.delta, len(self.market.main.rows))


@dataclass(frozen=True, slots=True)
class _Judged:
    """n places before one person: the rule that bars each (-1: none), km, score and PARTS, each (n,)."""

    rules: NDArray[np.int8]
    kms: Floats
    scores: Floats
    parts: dict[str, Floats]


class MatchIndex:
    """An exact ranking of openings.

    The day is part of the index, because ages, validity and starting dates are read against it; `at_day` moves it on.
    """

    def __init__(self, market: Market, words: tuple[TitleWords, ...], *, today: date) -> None:
        self._state = _State.of(market, words, today)
        self._changing = threading.Lock()

    @classmethod
    def build(
        cls, openings: Iterable[Opening] | OpeningTable, *, today: date, weights: Weights | None = None
    ) -> "MatchIndex":
        """An index of openings as of a day.

        Raises ValueError when two openings bear one id.
        """
        table = openings if isinstance(openings, OpeningTable) else OpeningTable.of(openings)
        market = Market.of(table, weights or Weights())
        return cls(market, (TitleWords.of(market.vocabularies.titles.values),), today=today)

    @classmethod
    def open(cls, path: str | Path) -> "MatchIndex":
        """The index that was saved to a file, mapped into memory: processes that open one file share it.

        Changes stay in this process. Raises SnapshotBroken where the file is no whole snapshot of this version.
        """
        market, words, today = open_snapshot(path)
        return cls(market, (words,), today=today)

    def save(self, path: str | Path) -> None:
        """Write the index to a file, whole or not at all."""
        state = self._state
        save_snapshot(path, state.market, state.words, state.today)

    @property
    def today(self) -> date:
        """The day against which ages, validity and starting dates are read."""
        return self._state.today

    @property
    def weights(self) -> Weights:
        """The weights of the score."""
        return self._state.market.weights

    def __len__(self) -> int:
        return len(self._state.market)

    def add(self, openings: Iterable[Opening] | OpeningTable) -> None:
        """Add openings; one whose id is known takes the older one's place, and is open again.

        Raises ValueError when two of the added bear one id.
        """
        table = openings if isinstance(openings, OpeningTable) else OpeningTable.of(openings)
        with self._changing:
            self._state = self._state.with_market(self._state.market.with_openings(table))

    def close(self, ids: Iterable[int]) -> None:
        """Take openings off every list; ids that the index does not know are passed over."""
        with self._changing:
            self._state = self._state.with_market(self._state.market.without(ids))

    def set_openings(self, ids: Sequence[int], left: Sequence[int]) -> None:
        """Set how many places are left in some openings; ids that the index does not know are passed over.

        Raises ValueError when the two sequences differ in length.
        """
        with self._changing:
            self._state = self._state.with_market(self._state.market.with_left(ids, left))

    def at_day(self, today: date) -> None:
        """Move the index to another day."""
        with self._changing:
            self._state = replace(self._state, today=today, scale=self._state.market.scale(today))

    def places_left(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids and places left, each (m,), of the openings that are open, valid and not full; in the order of ids."""
        state, ids, left = self._state, [], []
        for segment, _ in state.segments():
            valid = segment.rows["valid_until"] >= state.today.toordinal()
            there = segment.is_open & valid & (segment.left > 0)
            ids.append(segment.rows["id"][there])
            left.append(segment.left[there].astype(np.int64))
        order = np.argsort(np.concatenate(ids))
        return np.concatenate(ids)[order], np.concatenate(left)[order]

    def warm_up(self) -> None:
        """Compile what a list needs, or load what was compiled before, so that the first who asks does not wait."""
        somebody = Seeker(
            id=0, birth_date=self.today.replace(year=self.today.year - 40, day=1), places=(Place(lon=0, lat=0),)
        )
        self.rank(somebody)
        self.refusal_counts(somebody)

    def rank(
        self, seeker: Seeker, k: int = 20, *, skill_min: float = 0.0, among: NDArray[np.int64] | None = None
    ) -> list[Match]:
        """The k best openings that nothing bars, best first; ties stand by id.

        `skill_min` leaves out work whose skill part is lower: a caller who asks for one trade only starts high and
        widens. `among` (m,) are the ids of the only openings that count; None: all do.
        Raises ValueError when k is below 1.
        """
        state = self._state
        asked = state.questions.ask([seeker], state.today)
        limits = _limits(state, skill_min=skill_min, among=among)
        _, places, _ = _search(state, asked, limits, min(_at_least_one(k), max(1, _size(state))))
        chosen = places[0][places[0] >= 0]
        return _matches(state, seeker, asked, chosen)

    def counterfactuals(self, seeker: Seeker, k: int = 20, *, skill_min: float = 0.0) -> list[Counterfactual]:
        """What would help: each certificate, and the step of distance, that would bring a posting into the k best.

        Told is the best posting that each would bring, those that come highest first, equal ones by certificate. A
        certificate counts where it alone is lacking; the step is the first one of widening, half as far again.
        """
        now = {match.opening_id for match in self.rank(seeker, k, skill_min=skill_min)}
        found = []
        for certificate in self.lacking_certificates(seeker, skill_min=skill_min):
            holder = replace(seeker, certificates=seeker.certificates | {certificate})
            if brought := self._brought(holder, k, skill_min, now):
                rank, opening = brought
                text = f"有{certificate}，“{opening.title}”可排第{rank}"
                found.append(
                    Counterfactual(
                        code="certificate", text=text, rank=rank, opening_id=opening.id, certificate=certificate
                    )
                )
        farther = replace(seeker, max_km=seeker.max_km * STEP)
        if brought := self._brought(farther, k, skill_min, now):
            rank, opening = brought
            text = f"远到{farther.max_km:.0f}公里，“{opening.title}”可排第{rank}"
            found.append(
                Counterfactual(code="distance", text=text, rank=rank, opening_id=opening.id, max_km=farther.max_km)
            )
        return sorted(found, key=lambda each: (each.rank, each.code, each.certificate or ""))

    def _brought(self, seeker: Seeker, k: int, skill_min: float, now: AbstractSet[int]) -> tuple[int, Opening] | None:
        """The best of a changed person's list that is not in the list of now, and its rank."""
        state = self._state
        limits = _limits(state, skill_min=skill_min)
        ids, places, _ = _search(state, state.questions.ask([seeker], state.today), limits, k)
        for rank, (each, place) in enumerate(zip(ids[0].tolist(), places[0].tolist(), strict=True), 1):
            if place >= 0 and each not in now:
                return rank, state.market.opening_at(place)
        return None

    def rank_many(
        self,
        seekers: Sequence[Seeker],
        k: int = 30,
        threads: int | None = None,
        prices: Prices | None = None,
        *,
        among: NDArray[np.int64] | None = None,
        leasts: ArrayLike | None = None,
        skill_min: float = 0.0,
    ) -> RankedTable:
        """The k best openings for each of n people: as `rank`, without reasons, on as many threads as there are cores.

        `prices` are opening ids (m,) and what each costs (m,) float32, not below zero: lists are ordered by score less
        price; the scores that are told stay gross. An opening that is not named is free. `among` and `skill_min` as for
        `rank`.
        `leasts` (n,) are what an opening's score less price must reach to be listed: the higher, the sooner it is
        known that nothing else does.
        Raises ValueError when k or threads is below 1, prices are negative or not finite, or one of the arrays has
        another length than it needs.
        """
        _at_least_one(k)
        if threads is not None and threads < 1:
            raise ValueError("threads must be at least 1")
        state = self._state
        limits = _limits(state, skill_min=skill_min, prices=prices, among=among)
        least = None if leasts is None else np.asarray(leasts, np.float64)
        if least is not None and (least.shape != (len(seekers),) or np.isnan(least).any()):
            raise ValueError("leasts need one number for each person")
        ids = np.full((len(seekers), k), NOTHING, np.int64)
        scores = np.zeros((len(seekers), k), np.float32)
        # Neighbours read the same blocks: put side by side they find them in the cache.
        order = _by_place(seekers)

        def serve(start: int, end: int) -> None:
            rows = order[start:end]
            asked = state.questions.ask([seekers[row] for row in rows], state.today)
            ids[rows], _, scores[rows] = _search(state, asked, limits, k, None if least is None else least[rows])

        cuts = [*range(0, len(seekers), _BATCH), len(seekers)]
        with ThreadPoolExecutor(threads or len(os.sched_getaffinity(0))) as pool:
            list(pool.map(lambda cut: serve(*cut), pairwise(cuts)))
        return RankedTable(ids, scores)

    def explain(self, seeker: Seeker, opening_id: int) -> Match | None:
        """The match of one opening, whether it would be in a list or not; None if it is barred or not known."""
        state = self._state
        places = state.market.places_of(np.array([opening_id], np.int64))
        if places[0] < 0:
            return None
        asked = state.questions.ask([seeker], state.today)
        if _judge(state, asked, places).rules[0] >= 0:
            return None
        return _matches(state, seeker, asked, places)[0]

    def explain_many(self, seeker: Seeker, opening_ids: Sequence[int]) -> list[Match]:
        """The matches of these openings, in their order; one that is barred or not known is passed over."""
        state = self._state
        places = state.market.places_of(np.array(opening_ids, np.int64))
        places = places[places >= 0]
        asked = state.questions.ask([seeker], state.today)
        return _matches(state, seeker, asked, places[_judge(state, asked, places).rules < 0])

    def refusals(self, seeker: Seeker, opening_ids: Iterable[int]) -> list[Refusal]:
        """For each of these openings that the person is kept from: the first rule that bars it, and why in words."""
        state = self._state
        ids = list(opening_ids)
        places = state.market.places_of(np.array(ids, np.int64))
        judged = _judge(state, state.questions.ask([seeker], state.today), places[places >= 0])
        known = iter(range(len(judged.rules)))
        found = []
        for each, place in zip(ids, places, strict=True):
            if place < 0:
                found.append(Refusal(opening_id=each, rule=_UNKNOWN, text="没有这个岗位"))
                continue
            at = next(known)
            if judged.rules[at] >= 0:
                rule = RULES[judged.rules[at]]
                text = rule.text(seeker, state.market.opening_at(int(place)), float(judged.kms[at]))
                found.append(Refusal(opening_id=each, rule=rule.code, text=text))
        return found

    def refusal_counts(self, seeker: Seeker) -> dict[str, int]:
        """How many open postings within the person's reach each rule keeps off the list, by the rule's code.

        Rules about the posting itself (closed, expired, full, too far) are not counted: they keep it from everybody.
        """
        state = self._state
        by_rule, _ = _tally(state, state.questions.ask([seeker], state.today), skill_min=2.0)
        return {rule.code: int(number) for rule, number in zip(RULES, by_rule, strict=True) if number}

    def lacking_certificates(self, seeker: Seeker, *, skill_min: float = 0.0) -> dict[str, int]:
        """For each certificate that the person does not hold: how many postings it alone keeps from them, most first.

        Counted are postings within reach that nothing but this certificate bars and whose skill part is at least
        `skill_min`; one that asks for two that the person lacks counts for neither, since neither would open it.
        """
        state = self._state
        sets = state.market.vocabularies.certificates.values
        holder = replace(seeker, certificates=frozenset().union(*sets) | seeker.certificates)
        _, by_certificates = _tally(state, state.questions.ask([holder], state.today), skill_min=skill_min)
        found: dict[str, int] = {}
        for needed, number in zip(sets, by_certificates, strict=False):
            lacking = needed - seeker.certificates
            if number and len(lacking) == 1:
                (certificate,) = lacking
                found[certificate] = found.get(certificate, 0) + int(number)
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _at_least_one(k: int) -> int:
    if k < 1:
        raise ValueError("k must be at least 1")
    return k


def _size(state: _State) -> int:
    return len(state.market.main.rows) + len(state.market.delta.rows)


def _with_titles(words: tuple[TitleWords, ...], titles: Sequence[str]) -> tuple[TitleWords, ...]:
    """More titles, in sets of falling size: each title is taken up again only as often as the sizes double."""
    if not titles:
        return words
    sets = [*words, TitleWords.of(titles, words[-1].base + len(words[-1]))]
    while len(sets) > 1 and len(sets[-2]) < 2 * len(sets[-1]):
        sets[-2:] = [TitleWords.joined(sets[-2:])]
    return tuple(sets)


def _by_place(seekers: Sequence[Seeker]) -> NDArray[np.int64]:
    homes = [seeker.places[0] for seeker in seekers]
    lat, lon = (np.array([getattr(home, name) for home in homes], np.float64) for name in ("lat", "lon"))
    _, trade = np.unique([seeker.wants[0] if seeker.wants else "" for seeker in seekers], return_inverse=True)
    return np.lexsort((trade, np.floor(lon / 0.2), np.floor(lat / 0.2)))


def _limits(
    state: _State,
    *,
    skill_min: float = 0.0,
    among: NDArray[np.int64] | None = None,
    prices: Prices | None = None,
) -> Limits:
    sizes = [len(segment.rows) for segment, _ in state.segments()]
    masks = [np.zeros(0, np.bool_)] * 2
    if among is not None:
        places = state.market.places_of(np.asarray(among, np.int64))
        whole = np.zeros(sum(sizes), np.bool_)
        whole[places[places >= 0]] = True
        masks = np.split(whole, sizes[:1])
    costs, least = [np.zeros(0, np.float32)] * 2, [np.zeros(0, np.float32)] * 2
    if prices is not None:
        costs = np.split(_prices_by_place(state, prices), sizes[:1])
        least = [least_of(segment, cost) for cost, (segment, _) in zip(costs, state.segments(), strict=True)]
    return Limits(float(skill_min), (masks[0], masks[1]), (costs[0], costs[1]), (least[0], least[1]))


def _prices_by_place(state: _State, prices: Prices) -> NDArray[np.float32]:
    ids, cost = np.asarray(prices[0], np.int64), np.asarray(prices[1], np.float32)
    if ids.ndim != 1 or ids.shape != cost.shape:
        raise ValueError("prices need one id and one price each")
    if not np.all(np.isfinite(cost) & (cost >= 0)):
        raise ValueError("prices must be finite and not negative")
    whole = np.zeros(_size(state), np.float32)
    places = state.market.places_of(ids)
    whole[places[places >= 0]] = cost[places >= 0]
    return whole


def _search(
    state: _State, asked: Asked, limits: Limits, k: int, leasts: Floats | None = None
) -> tuple[NDArray[np.int64], Positions, Floats]:
    """Ids, places and scores of the k best of each person, each (n, k)."""
    market, shape = state.market, (len(asked.seekers), k)
    ids, places, scores = np.empty(shape, np.int64), np.empty(shape, np.int64), np.empty(shape)
    search_many(
        market.main,
        market.delta,
        asked,
        market.tables,
        state.scale,
        limits,
        market.titles,
        np.zeros(0) if leasts is None else leasts,
        ids,
        places,
        scores,
        np.zeros(3, np.int64),
    )
    return ids, places, scores


def _judge(state: _State, asked: Asked, places: Positions) -> _Judged:
    """The first of the people before n openings."""
    number = len(places)
    rules, kms, scores = np.empty(number, np.int8), np.empty(number), np.empty(number)
    dynamic = np.empty((number, len(DYNAMIC_PARTS)))
    fixed: dict[str, Floats] = {}
    for segment, base in state.segments():
        here = np.flatnonzero((places >= base) & (places < base + len(segment.rows)))
        at = places[here] - base
        found = np.empty(len(at), np.int8), np.empty(len(at)), np.empty(len(at)), np.empty((len(at), dynamic.shape[1]))
        judge(segment, at, asked, state.market.tables, state.scale, state.market.titles, *found)
        rules[here], kms[here], scores[here], dynamic[here] = found
        rows = segment.rows[at]
        for name, values in fixed_parts(rows, rows["reply"].astype(np.float64)).items():
            fixed.setdefault(name, np.empty(number))[here] = values
    parts = dict(zip(DYNAMIC_PARTS, dynamic.T, strict=True)) | fixed
    return _Judged(rules, kms, scores, {name: parts[name] for name in PARTS})


def _tally(state: _State, asked: Asked, *, skill_min: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    market = state.market
    by_rule = np.zeros(len(RULES), np.int64)
    by_certificates = np.zeros(asked.lacking.shape[1], np.int64)
    for segment, _ in state.segments():
        tally(segment, asked, market.tables, state.scale, market.titles, float(skill_min), by_rule, by_certificates)
    return by_rule, by_certificates


def _matches(state: _State, seeker: Seeker, asked: Asked, places: Positions) -> list[Match]:
    judged, market = _judge(state, asked, places), state.market
    return [_match(state, seeker, market.opening_at(int(place)), judged, each) for each, place in enumerate(places)]


def _match(state: _State, seeker: Seeker, opening: Opening, judged: _Judged, each: int) -> Match:
    weights = state.market.weights
    case = Case(
        seeker=seeker,
        opening=opening,
        nearest=_nearest_place(seeker, opening.place, weights.district_floor_km),
        km=float(judged.kms[each]),
        left=opening.openings,
        parts={name: round(float(values[each]), 4) for name, values in judged.parts.items()},
        usual_pay=weights.usual_pay(opening.occupation),
        weights=weights,
        today=state.today,
    )
    return Match(
        opening_id=opening.id,
        score=float(judged.scores[each]),
        distance_km=round(case.km, 3),
        parts=case.parts,
        reasons=reasons_for(case),
        cautions=cautions_for(case),
    )


def _nearest_place(seeker: Seeker, place: Place, district_floor_km: float) -> Place:
    def km(mine: Place) -> float:
        apart = float(great_circle_km(np.array([place.lon]), np.array([place.lat]), to=mine)[0])
        rough = Precision.DISTRICT in (mine.precision, place.precision)
        return max(apart, district_floor_km) if rough else apart

    return min(seeker.places, key=km)
