"""What holds whatever comes: order counts for nothing, farther is never better, no cap is exceeded, served is built.

More of the kind stands beside what it belongs to: one list's order and certificates in test_index, `allocate` by itself
in test_allocation, fixed markets in test_rank, test_rank_many and test_snapshots.
"""

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from matching import MatchIndex, Opening, OpeningTable, Place, Plan, Seeker, plan_all
from tests.matching.brute_force import haversine_km
from tests.matching.markets import CHARACTERS, TODAY, Maker, Market, make_market

NAMES = st.sampled_from(tuple(CHARACTERS))
SEEDS = st.integers(0, 2**32 - 1)
SHUFFLES = st.randoms(use_true_random=False)
UNKNOWN_ID = -77


def build(market: Market, openings: Sequence[Opening] | OpeningTable | None = None) -> MatchIndex:
    return MatchIndex.build(market.openings if openings is None else openings, today=TODAY, weights=market.weights)


def shuffled(values: Sequence[Any], dice: Random) -> list[Any]:
    return dice.sample(list(values), len(values))


# --- order ------------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(name=NAMES, seed=SEEDS, dice=SHUFFLES, threads=st.integers(1, 3))
def test_openings_in_any_order_and_form_give_people_in_any_order_the_same_lists(
    name: str, seed: int, dice: Random, threads: int
) -> None:
    market = make_market(name, seed=seed, openings=60, seekers=12)
    index = build(market)
    in_table = build(market, OpeningTable.of(shuffled(market.openings, dice)))
    in_parts = build(market, [])
    rows = shuffled(market.openings, dice)
    for start in range(0, len(rows), 17):
        in_parts.add(OpeningTable.of(rows[start : start + 17]))
    straight = index.rank_many(market.seekers, k=9)
    order = shuffled(range(len(market.seekers)), dice)
    people = [market.seekers[each] for each in order]
    for other in (index, in_table, in_parts):
        table = other.rank_many(people, k=9, threads=threads)
        assert table.ids.tolist() == straight.ids[order].tolist()
        assert table.scores.tolist() == straight.scores[order].tolist()


def told(index: MatchIndex, seekers: Sequence[Seeker], plan: Plan) -> list[str]:
    """What each list and class got, in no order: two people with the same of both are the same person to a plan."""
    table = index.rank_many(seekers, k=len(index))
    return sorted(
        str((ids.tolist(), scores.tolist(), seeker.priority, chosen.tolist()))
        for seeker, ids, scores, chosen in zip(seekers, table.ids, table.scores, plan.chosen, strict=True)
    )


@settings(max_examples=40, deadline=None)
@given(name=NAMES, seed=SEEDS, dice=SHUFFLES, by_class=st.booleans())
def test_people_and_openings_in_another_order_get_the_same_plan(
    name: str, seed: int, dice: Random, by_class: bool
) -> None:
    market = make_market(name, seed=seed, openings=30, seekers=25)
    ids, caps = [opening.id for opening in market.openings], [dice.randint(0, 3) for _ in market.openings]
    seekers, columns = shuffled(market.seekers, dice), shuffled(range(len(ids)), dice)

    def plan_of(people: Sequence[Seeker], places: Sequence[int]) -> Plan:
        return plan_all(
            index,
            people,
            [ids[each] for each in places],
            [caps[each] for each in places],
            priority=[seeker.priority for seeker in people] if by_class else None,
            rounds=2,
        )

    index = build(market)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matching.planning.FIRST_LIST", 4)  # so that lists have to grow
        plan, other = plan_of(market.seekers, range(len(ids))), plan_of(seekers, columns)
    assert told(index, market.seekers, plan) == told(index, seekers, other)
    assert other.loads.tolist() == plan.loads[columns].tolist()
    assert other.total == pytest.approx(plan.total, rel=1e-12)
    assert other.bound == pytest.approx(plan.bound, rel=1e-12)


# --- farther is never better ------------------------------------------------------------------------------------------


def steps() -> st.SearchStrategy[tuple[float, float]]:
    """Degrees east and north, from a hundred metres to forty kilometres."""
    one = st.floats(-1.0, 1.0)
    return st.builds(lambda east, north, far: (far * east, far * north), one, one, st.sampled_from((0.001, 0.02, 0.4)))


def moved(place: Place, step: tuple[float, float]) -> Place:
    return replace(place, lon=place.lon + step[0], lat=place.lat + step[1])


@settings(max_examples=100, deadline=None)
@given(name=NAMES, seed=SEEDS, begin=steps(), step=steps(), chosen=st.integers(0, 29), home=st.integers(0, 5))
def test_an_opening_that_moves_away_from_all_places_of_a_person_never_gains(
    name: str, seed: int, begin: tuple[float, float], step: tuple[float, float], chosen: int, home: int
) -> None:
    market = make_market(name, seed=seed, openings=30, seekers=6)
    near, far = list(market.openings), list(market.openings)
    opening, anchor = market.openings[chosen], market.seekers[home].places[0]
    place = moved(replace(opening.place, lon=anchor.lon, lat=anchor.lat), begin)
    near[chosen], far[chosen] = replace(opening, place=place), replace(opening, place=moved(place, step))
    away = [
        replace(seeker, max_km=max(seeker.max_km, 30.0))
        for seeker in market.seekers
        if all(haversine_km(each, far[chosen].place) > haversine_km(each, place) for each in seeker.places)
    ]
    assume(away)
    before_all, after_all = (build(market, rows).rank_many(away, k=30) for rows in (near, far))
    for row in range(len(away)):
        before, after = (
            {
                each: score
                for each, score in zip(table.ids[row].tolist(), table.scores[row].tolist(), strict=True)
                if each >= 0
            }
            for table in (before_all, after_all)
        )
        if opening.id in after:
            assert after.pop(opening.id) <= before[opening.id]
        before.pop(opening.id, None)
        # All others stand as they stood.
        assert list(after.items()) == list(before.items())


# --- caps -------------------------------------------------------------------------------------------------------------

SPREADS = ((0.0, 0.0, 0.0), (1.0, 0.3, 0.0), (0.5, 0.5, 0.25), (0.25, 0.0, -0.5))


@settings(max_examples=40, deadline=None)
@given(
    name=NAMES,
    seed=SEEDS,
    dice=SHUFFLES,
    by_class=st.booleans(),
    floor=st.integers(0, 2),
    spread=st.sampled_from(SPREADS),
    rounds=st.integers(0, 2),
)
def test_no_cap_is_exceeded_over_all_openings_and_nobody_gets_what_is_barred_or_twice(
    name: str, seed: int, dice: Random, by_class: bool, floor: int, spread: tuple[float, ...], rounds: int
) -> None:
    market = make_market(name, seed=seed, openings=30, seekers=25)
    index = build(market)
    ids = [opening.id for opening in shuffled(market.openings, dice)[:25]]
    caps = np.array([dice.randint(0, 3) for _ in ids])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matching.planning.FIRST_LIST", 4)
        plan = plan_all(
            index,
            market.seekers,
            ids,
            caps,
            priority=[seeker.priority for seeker in market.seekers] if by_class else None,
            floor=floor,
            spread=spread,
            rounds=rounds,
        )
    loads = Counter(plan.chosen[plan.chosen >= 0].tolist())
    assert all(loads[each] <= cap for each, cap in zip(ids, caps.tolist(), strict=True))
    assert plan.loads.tolist() == [loads[each] for each in ids]
    assert loads.keys() <= set(ids)
    table = index.rank_many(market.seekers, k=len(market.openings))
    for row in range(len(market.seekers)):
        listed = dict(zip(table.ids[row].tolist(), table.scores[row].tolist(), strict=True))
        got = plan.chosen[row][plan.chosen[row] >= 0].tolist()
        assert len(set(got)) == len(got)
        assert plan.scores[row][: len(got)].tolist() == [listed[each] for each in got]
    assert plan.total <= plan.bound * (1 + 1e-6) + 1e-6


# --- served is built --------------------------------------------------------------------------------------------------


class Serving(RuleBasedStateMachine):
    """An index to which everything is done that serving does, beside a plain table of what should be in it."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._today = TODAY

    def teardown(self) -> None:
        self._folder.cleanup()

    @initialize(name=NAMES, seed=SEEDS)
    def begin(self, name: str, seed: int) -> None:
        self._market = make_market(name, seed=seed, openings=40, seekers=60)
        self._maker = Maker(name, seed)
        self._table = {opening.id: opening for opening in self._market.openings}
        self._closed: set[int] = set()
        self._index = build(self._market)

    def some_ids(self, dice: Random) -> list[int]:
        return dice.sample([*self._table, UNKNOWN_ID], dice.randint(1, 8))

    @rule(dice=SHUFFLES, count=st.integers(1, 9))
    def add(self, dice: Random, count: int) -> None:
        """Some of them new, some in the place of older ones, closed or not."""
        ids = dice.sample([*(self._table.keys() | range(10**6, 10**6 + 8))], count)
        rows = [self._maker.opening(each) for each in ids]
        self._index.add(rows if dice.random() < 0.5 else OpeningTable.of(rows))
        self._table |= {opening.id: opening for opening in rows}
        self._closed -= set(ids)

    @rule(dice=SHUFFLES)
    def close(self, dice: Random) -> None:
        ids = self.some_ids(dice)
        self._index.close(ids)
        self._closed |= set(ids) & self._table.keys()

    @rule(dice=SHUFFLES)
    def set_openings(self, dice: Random) -> None:
        left = {each: dice.choice((0, 1, 2, 60)) for each in self.some_ids(dice)}
        self._index.set_openings(list(left), list(left.values()))
        for each in left.keys() & self._table.keys():
            self._table[each] = replace(self._table[each], openings=left[each])

    @rule(days=st.integers(0, 40))
    def at_day(self, days: int) -> None:
        self._today = TODAY + timedelta(days=days)
        self._index.at_day(self._today)

    @rule()
    def save_and_open(self) -> None:
        path = Path(self._folder.name) / "index"
        self._index.save(path)
        self._index = MatchIndex.open(path)

    @invariant()
    def answers_like_one_that_is_built_now(self) -> None:
        built = MatchIndex.build(
            shuffled(tuple(self._table.values()), Random(0)),  # noqa: S311 - repeatable on purpose
            today=self._today,
            weights=self._market.weights,
        )
        built.close(self._closed)
        ids = [*self._table, UNKNOWN_ID]
        assert len(self._index) == len(built) == len(self._table) - len(self._closed)
        for mine, due in zip(self._index.places_left(), built.places_left(), strict=True):
            assert mine.tolist() == due.tolist()
        # Short lists of many: what the search passes over unread must not be in them.
        for k in (1, 3):
            best, due_best = (index.rank_many(self._market.seekers, k=k) for index in (self._index, built))
            assert best.ids.tolist() == due_best.ids.tolist()
            assert best.scores.tolist() == due_best.scores.tolist()
        few = self._market.seekers[:2]
        many = self._index.rank_many(few, k=len(ids))
        for row, seeker in enumerate(few):
            alone = self._index.rank(seeker, k=len(ids))
            assert alone == built.rank(seeker, k=len(ids))
            assert self._index.refusals(seeker, ids) == built.refusals(seeker, ids)
            assert self._index.refusal_counts(seeker) == built.refusal_counts(seeker)
            assert self._index.lacking_certificates(seeker) == built.lacking_certificates(seeker)
            # One of many, one alone, and one asked for by name.
            listed = [match.opening_id for match in alone]
            padding = [-1] * (len(ids) - len(alone))
            assert many.ids[row].tolist() == listed + padding
            assert many.scores[row].tolist() == [
                *(float(np.float32(match.score)) for match in alone),
                *(0.0 for _ in padding),
            ]
            assert [self._index.explain(seeker, each) for each in listed] == alone


def test_whatever_was_done_to_an_index_it_answers_like_one_built_from_what_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("matching.market.DELTA_LEAST", 12)  # so that what was added joins the rest now and then
    # Ten steps are read as they are; to shrink them takes minutes.
    phases = (Phase.explicit, Phase.reuse, Phase.generate)
    run_state_machine_as_test(
        Serving, settings=settings(max_examples=12, stateful_step_count=10, deadline=None, phases=phases)
    )
