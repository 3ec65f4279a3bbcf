"""Many lists at once: as one by one, with prices, from tables, and whatever the bounds let the search pass over."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching import MatchIndex, Opening, OpeningTable, Seeker
from matching import index as index_module
from matching.search import scan_all
from tests.matching.markets import CHARACTERS, TODAY, make_market, place_at, plain_opening, plain_seeker

each_market = pytest.mark.parametrize("name", CHARACTERS)


def build(name: str, **sizes: Any) -> tuple[MatchIndex, tuple[Seeker, ...], tuple[Opening, ...]]:
    market = make_market(name, **sizes)
    index = MatchIndex.build(market.openings, today=market.today, weights=market.weights)
    index.close(market.closed)
    return index, market.seekers, market.openings


def scanned(index: MatchIndex, seekers: tuple[Seeker, ...], k: int, **limits: Any) -> tuple[Any, Any]:
    """Ids and scores of the best k by reading every row of an index without a delta."""
    state = index._state
    asked = state.questions.ask(seekers, state.today)
    ids, places, scores = (
        np.empty((len(seekers), k), np.int64),
        np.empty((len(seekers), k), np.int64),
        np.empty((len(seekers), k)),
    )
    narrowed = index_module._limits(state, **limits)
    scan_all(
        state.market.main, asked, state.market.tables, state.scale, narrowed, state.market.titles, ids, places, scores
    )
    return ids, scores


@each_market
@pytest.mark.parametrize("threads", [1, 3])
def test_many_lists_are_those_of_one_at_a_time(name: str, threads: int) -> None:
    index, seekers, _ = build(name, seed=11)
    table = index.rank_many(seekers, k=12, threads=threads)
    for row, seeker in enumerate(seekers):
        alone = index.rank(seeker, k=12)
        length = len(alone)
        assert table.ids[row].tolist() == [match.opening_id for match in alone] + [-1] * (12 - length)
        assert table.scores[row].tolist() == [float(np.float32(match.score)) for match in alone] + [0.0] * (12 - length)


@each_market
def test_a_least_skill_leaves_out_for_many_what_it_leaves_out_for_one(name: str) -> None:
    index, seekers, _ = build(name, seed=16)
    table = index.rank_many(seekers, k=12, skill_min=0.5)
    for row, seeker in enumerate(seekers):
        alone = [match.opening_id for match in index.rank(seeker, k=12, skill_min=0.5)]
        assert table.ids[row].tolist() == alone + [-1] * (12 - len(alone))
    assert table.ids.tolist() != index.rank_many(seekers, k=12).ids.tolist()


@each_market
def test_many_openings_are_explained_as_one_at_a_time(name: str) -> None:
    index, seekers, openings = build(name, seed=17, openings=60)
    ids = [*(opening.id for opening in openings[::-1]), 10**9]
    for seeker in seekers[:5]:
        alone = [match for each in ids if (match := index.explain(seeker, each)) is not None]
        assert index.explain_many(seeker, ids) == alone
    assert index.explain_many(seekers[0], []) == []


@pytest.mark.parametrize("name", ["city", "ties", "one_township", "learnt"])
def test_what_the_bounds_pass_over_is_what_a_plain_scan_leaves_out(name: str) -> None:
    index, seekers, _ = build(name, seed=12, openings=6000, seekers=150)
    assert len(index._state.market.main.chunks) > 100
    table = index.rank_many(seekers, k=7)
    ids, scores = scanned(index, seekers, 7)
    assert table.ids.tolist() == ids.tolist()
    assert table.scores.tolist() == scores.astype(np.float32).tolist()


def test_one_agency_that_posts_a_job_a_thousand_times_is_listed_by_id() -> None:
    others = make_market("dense", seed=13, openings=500).openings
    same = [plain_opening(100_000 + number, pay_min_yuan_month=9000) for number in range(1000)]
    index = MatchIndex.build([*same[::-1], *others], today=TODAY)
    # More than a bundle of chunks, all of them equal.
    assert (index._state.market.main.chunks["members"] > 0).any()
    assert index.rank_many([plain_seeker()], k=30).ids[0].tolist() == list(range(100_000, 100_030))
    index.close(range(100_000, 100_010))
    assert index.rank_many([plain_seeker()], k=30).ids[0].tolist() == list(range(100_010, 100_040))


@pytest.mark.parametrize("count", [250, 300, 512, 513, 1000])
def test_one_agency_that_is_alone_in_a_market_or_is_added_to_one_is_listed_by_id(count: int) -> None:
    """The last rows of a segment may be a bundle: nothing lies behind it."""
    same = [plain_opening(number, pay_min_yuan_month=9000) for number in range(count)]
    alone = MatchIndex.build(same[::-1], today=TODAY)
    added = MatchIndex.build([], today=TODAY)
    added.add(same)
    for index in (alone, added):
        assert index.rank_many([plain_seeker()], k=count).ids[0].tolist() == list(range(count))


@pytest.mark.parametrize("name", ["city", "ties"])
def test_prices_reorder_a_list_and_leave_its_scores_gross(name: str) -> None:
    index, seekers, openings = build(name, seed=14, openings=2000, seekers=60)
    dice = np.random.default_rng(14)
    ids = np.array([opening.id for opening in openings])[:1500]
    costs = dice.uniform(0, 0.4, len(ids)).astype(np.float32)
    price = dict(zip(ids.tolist(), costs.tolist(), strict=True))
    table = index.rank_many(seekers, k=9, prices=(ids, costs))
    everything = index.rank_many(seekers, k=len(openings))
    changed = 0
    for row in range(len(seekers)):
        there = everything.ids[row] >= 0
        gross = dict(zip(everything.ids[row][there].tolist(), everything.scores[row][there].tolist(), strict=True))
        exact = {match.opening_id: match.score for match in index.rank(seekers[row], k=len(openings))}
        order = sorted(gross, key=lambda each: (-(exact[each] - price.get(each, 0.0)), each))[:9]
        listed = table.ids[row][table.ids[row] >= 0].tolist()
        assert listed == order
        assert table.scores[row][: len(order)].tolist() == [gross[each] for each in order]
        changed += order != everything.ids[row][: len(order)].tolist()
    assert changed > 10


def test_only_what_is_worth_as_much_as_is_asked_is_listed() -> None:
    index, seekers, openings = build("city", seed=15, openings=2000, seekers=60)
    index.add([replace(opening, id=opening.id + 100_000) for opening in openings[:300]])
    prices = (np.array([opening.id for opening in openings]), np.full(len(openings), 0.125, np.float32))
    whole = index.rank_many(seekers, k=15, prices=prices)
    cost = np.where(whole.ids < 100_000, 0.125, 0.0)
    nets = np.where(whole.ids >= 0, whole.scores - cost, -np.inf)
    # Just what the fifth is worth, somewhat more than it, nothing at all, and more than anything.
    leasts = np.array([[nets[row, 4] - 1e-6, nets[row, 4] + 1e-6, -np.inf, 2.0][row % 4] for row in range(len(nets))])
    found = index.rank_many(seekers, k=15, prices=prices, leasts=leasts)
    kept = nets >= leasts[:, None]
    assert np.array_equal(found.ids, np.where(kept, whole.ids, -1))
    assert np.array_equal(found.scores, np.where(kept, whole.scores, 0))
    assert {int(length) for length in found.lengths} >= {0, 15}
    assert (found.lengths[0::4] >= 5)[whole.lengths[0::4] >= 5].all()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"k": 0}, "k must be at least 1"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"prices": ([1, 2], [0.1])}, "one id and one price each"),
        ({"prices": ([1], [-0.1])}, "not negative"),
        ({"prices": ([1], [float("nan")])}, "finite"),
        ({"leasts": [0.1, 0.2]}, "one number for each person"),
        ({"leasts": [float("nan")]}, "one number for each person"),
    ],
)
def test_what_cannot_be_ranked_is_refused(asked: dict[str, Any], words: str) -> None:
    index = MatchIndex.build([plain_opening()], today=TODAY)
    with pytest.raises(ValueError, match=words):
        index.rank_many([plain_seeker()], **asked)


def test_nobody_and_nothing_make_empty_tables() -> None:
    index = MatchIndex.build([], today=TODAY)
    assert index.rank_many([], k=3).ids.shape == (0, 3)
    assert index.rank_many([plain_seeker()], k=3).ids.tolist() == [[-1, -1, -1]]
    index.add([plain_opening(5)])
    assert index.rank_many([plain_seeker()], k=3).ids.tolist() == [[5, -1, -1]]


# --- tables -----------------------------------------------------------------------------------------------------------


@each_market
def test_a_table_of_openings_is_ranked_like_the_openings(name: str) -> None:
    market = make_market(name, seed=15)
    one = MatchIndex.build(market.openings, today=TODAY, weights=market.weights)
    other = MatchIndex.build(OpeningTable.of(market.openings), today=TODAY, weights=market.weights)
    assert [one.rank(seeker) for seeker in market.seekers] == [other.rank(seeker) for seeker in market.seekers]


def test_a_column_that_is_left_out_is_unknown() -> None:
    table = OpeningTable.of([plain_opening(1), plain_opening(2, title="保洁")])
    bare = OpeningTable(ids=table.ids, titles=table.titles, lon=table.lon, lat=table.lat)
    index = MatchIndex.build(bare, today=TODAY)
    match = index.rank(plain_seeker(wants=()))[0]
    alone = MatchIndex.build([Opening(id=1, title="保安", place=replace(place_at(0), township=None))], today=TODAY)
    assert match == alone.rank(plain_seeker(wants=()))[0]


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("ids", [1, 1], "two openings bear one id"),
        ("lon", [106.5, 181.0], "not a place in degrees"),
        ("lat", [29.5, float("nan")], "not a place in degrees"),
        ("kind", [0, 7], "kind holds a value outside"),
        ("education", [-2, 0], "education holds a value outside"),
        ("demands", [0, 1 << 11], "demands holds a value outside"),
        ("pay_min_yuan_month", [-1.0, 0.0], "pay_min_yuan_month must not be negative"),
        ("reply_rate", [0.0, 1.1], "reply_rate must lie in 0-1"),
        ("sent", [1], "sent has another length than ids"),
    ],
)
def test_a_table_that_cannot_be_is_refused(column: str, values: list[float], words: str) -> None:
    table = OpeningTable.of([plain_opening(1), plain_opening(2)])
    columns = {name: getattr(table, name) for name in ("ids", "titles", "lon", "lat")}
    with pytest.raises(ValueError, match=words):
        OpeningTable(**columns | {column: np.array(values)})


# --- properties -------------------------------------------------------------------------------------------------------


def shuffled(seekers: tuple[Seeker, ...], order: list[int]) -> list[Seeker]:
    return [seekers[at] for at in order]


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(40)), st.integers(1, 8))
def test_the_order_of_the_people_changes_nobodys_list(order: list[int], threads: int) -> None:
    index, seekers, _ = build("city", seed=16, openings=300, seekers=40)
    straight = index.rank_many(seekers, k=5, threads=1)
    mixed = index.rank_many(shuffled(seekers, order), k=5, threads=threads)
    assert mixed.ids.tolist() == straight.ids[order].tolist()


CHANGES: dict[str, Callable[[MatchIndex, int], None]] = {
    "add": lambda index, number: index.add(
        plain_opening(each, pay_min_yuan_month=4000 + number, title=f"保安{number}") for each in range(1, 40)
    ),
    "set_openings": lambda index, number: index.set_openings(range(1, 40), [1 + number % 50] * 39),
}


@pytest.mark.parametrize("change", CHANGES)
def test_lists_that_are_made_during_changes_are_of_one_state(change: str) -> None:
    index = MatchIndex.build([plain_opening(each, title="保安0") for each in range(1, 40)], today=TODAY)
    CHANGES[change](index, 0)
    people = [plain_seeker(id=number, skills_text="保安0") for number in range(300)]
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            CHANGES[change](index, number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(30):
            table = index.rank_many(people, k=39, threads=2)
            # All 39 are alike in every state, and all people too: one score in the whole table.
            assert len(np.unique(table.scores)) == 1
            assert (table.ids == np.arange(1, 40)).all()
    finally:
        done.set()
        writer.join()


def test_a_day_passes_for_many_too() -> None:
    index = MatchIndex.build([plain_opening(1, valid_until=TODAY), plain_opening(2)], today=TODAY)
    assert index.rank_many([plain_seeker()], k=2).ids.tolist() == [[1, 2]]
    index.at_day(date(TODAY.year, TODAY.month, TODAY.day) + timedelta(days=1))
    assert index.rank_many([plain_seeker()], k=2).ids.tolist() == [[2, -1]]
