"""Lists in chunks: the same as at once, kept as they come, taken up again after a stop."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from matching import MatchIndex, RankedTable, Seeker, plan_all
from matching import chunks as chunks_module
from matching.chunks import ChunkedRanking, Task, digest_of
from tests.matching.markets import TODAY, make_market

Done = tuple[Task, RankedTable]


class Here:
    """Runs tasks in this process, backwards; stops before the n-th."""

    def __init__(self, index: MatchIndex, stop_before: int | None = None) -> None:
        self.index, self.stop_before, self.ran = index, stop_before, 0

    def __call__(self, tasks: Sequence[Task]) -> Iterable[Done]:
        for task in reversed(tasks):
            if self.ran == self.stop_before:
                raise KeyboardInterrupt
            self.ran += 1
            yield task, task.lists(self.index, threads=1)


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[MatchIndex, tuple[Seeker, ...], str]:
    monkeypatch.setattr(chunks_module, "CHUNK_PEOPLE", 7)
    market = make_market("city", seed=51, openings=300, seekers=60)
    index = MatchIndex.build(market.openings, today=TODAY)
    index.save(tmp_path / "index")
    return index, market.seekers, digest_of(tmp_path / "index")


def same(one: RankedTable, other: RankedTable) -> bool:
    return np.array_equal(one.ids, other.ids) and np.array_equal(one.scores, other.scores)


def test_chunks_give_the_lists_of_all_at_once(city: tuple[MatchIndex, tuple[Seeker, ...], str], tmp_path: Path) -> None:
    index, seekers, name = city
    told: list[tuple[int, int]] = []
    ranking = ChunkedRanking(tmp_path / "lists", name, Here(index), on_done=lambda done, of: told.append((done, of)))
    assert same(ranking.rank_many(seekers, k=9), index.rank_many(seekers, k=9))
    assert told == [(done, 9) for done in range(10)]
    prices = (np.array([300, 1, 2]), np.array([0.1, 0.2, 0.3], np.float32))
    among = np.array([opening for opening in index.rank_many(seekers, k=9).ids[0] if opening >= 0])
    expected = index.rank_many(seekers, k=4, prices=prices, among=among)
    assert same(ranking.rank_many(seekers, k=4, prices=prices, among=among), expected)
    leasts = np.linspace(0, 0.6, len(seekers))
    expected = index.rank_many(seekers, k=4, leasts=leasts)
    assert same(ranking.rank_many(seekers, k=4, leasts=leasts), expected)
    expected = index.rank_many(seekers, k=4, skill_min=0.5)
    assert not same(ranking.rank_many(seekers, k=4), expected)
    assert same(ranking.rank_many(seekers, k=4, skill_min=0.5), expected)


def test_a_run_that_was_stopped_goes_on_where_it_was(
    city: tuple[MatchIndex, tuple[Seeker, ...], str], tmp_path: Path
) -> None:
    index, seekers, name = city
    with pytest.raises(KeyboardInterrupt):
        ChunkedRanking(tmp_path / "lists", name, Here(index, stop_before=4)).rank_many(seekers, k=9)
    assert len(list((tmp_path / "lists").iterdir())) == 4
    rest = Here(index)
    assert same(ChunkedRanking(tmp_path / "lists", name, rest).rank_many(seekers, k=9), index.rank_many(seekers, k=9))
    assert rest.ran == 5
    again = Here(index)
    ChunkedRanking(tmp_path / "lists", name, again).rank_many(seekers, k=9)
    assert again.ran == 0


@pytest.mark.parametrize("change", ["person", "k", "prices", "among", "index"])
def test_whatever_changes_a_list_has_it_made_anew(
    change: str, city: tuple[MatchIndex, tuple[Seeker, ...], str], tmp_path: Path
) -> None:
    index, seekers, name = city
    few = list(seekers[:14])
    ChunkedRanking(tmp_path / "lists", name, Here(index)).rank_many(few, k=9)
    run = Here(index)
    if change == "person":
        few[3] = replace(few[3], limits=frozenset({"no_heat"}) - few[3].limits)
    ranking = ChunkedRanking(tmp_path / "lists", "another" if change == "index" else name, run)
    ranking.rank_many(
        few,
        k=8 if change == "k" else 9,
        prices=([1], [0.5]) if change == "prices" else None,
        among=np.array([1]) if change == "among" else None,
    )
    assert run.ran == (1 if change == "person" else 2)


def test_a_plan_over_chunks_is_the_plan_at_once(
    city: tuple[MatchIndex, tuple[Seeker, ...], str], tmp_path: Path
) -> None:
    index, seekers, name = city
    ids = index.rank_many(seekers, k=300).ids
    known = np.unique(ids[ids >= 0])
    caps = np.ones(len(known), np.int64)
    at_once = plan_all(index, seekers, known, caps, priority=[seeker.priority for seeker in seekers])
    chunked = ChunkedRanking(tmp_path / "lists", name, Here(index))
    by_chunk = plan_all(chunked, seekers, known, caps, priority=[seeker.priority for seeker in seekers])
    assert by_chunk.chosen.tolist() == at_once.chosen.tolist()
    assert (by_chunk.total, by_chunk.bound) == (at_once.total, at_once.bound)


def test_nobody_makes_an_empty_table(city: tuple[MatchIndex, tuple[Seeker, ...], str], tmp_path: Path) -> None:
    index, _, name = city
    assert ChunkedRanking(tmp_path / "lists", name, Here(index)).rank_many([], k=4).ids.shape == (0, 4)
