"""Snapshots: what is opened is what was saved, in any process, and a broken file is told from a whole one."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from matching import MatchIndex, SnapshotBroken
from matching.market import Market
from matching.opening_tables import OpeningTable
from tests.matching.markets import CHARACTERS, TODAY, make_market, plain_opening, plain_seeker


@pytest.mark.parametrize("name", CHARACTERS)
def test_a_saved_index_is_the_index_that_was_built(name: str, tmp_path: Path) -> None:
    market = make_market(name, seed=21)
    index = MatchIndex.build(market.openings[:200], today=TODAY, weights=market.weights)
    index.add(market.openings[150:])
    index.close(market.closed)
    index.save(tmp_path / "index")
    opened = MatchIndex.open(tmp_path / "index")
    assert opened.today == TODAY
    assert opened.weights == market.weights
    assert len(opened) == len(index)
    ids = [opening.id for opening in market.openings]
    for seeker in market.seekers:
        assert opened.rank(seeker) == index.rank(seeker)
        assert opened.refusals(seeker, ids) == index.refusals(seeker, ids)
    assert opened.refusal_counts(market.seekers[0]) == index.refusal_counts(market.seekers[0])


def test_an_opened_index_changes_and_its_file_does_not(tmp_path: Path) -> None:
    index = MatchIndex.build([plain_opening(1), plain_opening(2)], today=TODAY)
    index.save(tmp_path / "index")
    before = (tmp_path / "index").read_bytes()
    opened = MatchIndex.open(tmp_path / "index")
    opened.close([1])
    opened.add([plain_opening(3, title="没见过的名字"), plain_opening(2, pay_min_yuan_month=9000)])
    opened.set_openings([3], [7])
    assert [match.opening_id for match in opened.rank(plain_seeker())] == [2, 3]
    assert [match.opening_id for match in MatchIndex.open(tmp_path / "index").rank(plain_seeker())] == [1, 2]
    assert (tmp_path / "index").read_bytes() == before


def test_titles_of_a_change_under_way_are_not_saved(tmp_path: Path) -> None:
    index = MatchIndex.build([plain_opening(1, title="保安")], today=TODAY)
    # Another thread has come so far with its change: the vocabulary has grown, the index does not stand on it yet.
    index._state.market.with_openings(OpeningTable.of([plain_opening(2, title="保洁")]))
    index.save(tmp_path / "index")
    opened = MatchIndex.open(tmp_path / "index")
    opened.add([plain_opening(3, title="厨师")])
    whole = MatchIndex.build([plain_opening(1, title="保安"), plain_opening(3, title="厨师")], today=TODAY)
    seeker = plain_seeker(skills_text="厨师")
    assert opened.rank(seeker) == whole.rank(seeker)


def test_words_of_titles_that_came_one_by_one_are_saved(tmp_path: Path) -> None:
    titles = [f"{name}{number}号" for number in range(9) for name in ("保安", "厨师", "（夜班）")]
    openings = [plain_opening(each, title=title) for each, title in enumerate(titles)]
    index = MatchIndex.build(openings[:5], today=TODAY)
    for opening in openings[5:]:
        index.add([opening])
    index.save(tmp_path / "index")
    whole = MatchIndex.build(openings, today=TODAY)
    for text in ("厨师3号", "夜班", "保安、厨师", "8号"):
        seeker = plain_seeker(skills_text=text)
        assert index.rank(seeker) == whole.rank(seeker)
        assert MatchIndex.open(tmp_path / "index").rank(seeker) == whole.rank(seeker)


def test_one_who_has_the_old_file_open_keeps_it(tmp_path: Path) -> None:
    MatchIndex.build([plain_opening(1)], today=TODAY).save(tmp_path / "index")
    old = MatchIndex.open(tmp_path / "index")
    MatchIndex.build([plain_opening(2)], today=TODAY).save(tmp_path / "index")
    assert [match.opening_id for match in old.rank(plain_seeker())] == [1]
    assert [match.opening_id for match in MatchIndex.open(tmp_path / "index").rank(plain_seeker())] == [2]
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_an_empty_index_can_be_saved(tmp_path: Path) -> None:
    MatchIndex.build([], today=TODAY).save(tmp_path / "index")
    opened = MatchIndex.open(tmp_path / "index")
    assert opened.rank(plain_seeker()) == []
    opened.add([plain_opening(4)])
    assert [match.opening_id for match in opened.rank(plain_seeker())] == [4]


def test_another_process_reads_it(tmp_path: Path) -> None:
    index = MatchIndex.build([plain_opening(each, title="保安🙂\ud800") for each in (1, 2)], today=TODAY)
    index.save(tmp_path / "index")
    script = (
        "import sys, tests.matching.markets as m; from matching import MatchIndex\n"
        "found = MatchIndex.open(sys.argv[1]).rank(m.plain_seeker(skills_text='保安'))\n"
        "print([match.opening_id for match in found])"
    )
    run = subprocess.run([sys.executable, "-c", script, tmp_path / "index"], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[1, 2]"


@pytest.mark.parametrize("kept", [0, 10, 28, 200, -1])
def test_a_file_that_is_cut_short_is_refused(kept: int, tmp_path: Path) -> None:
    MatchIndex.build([plain_opening(1)], today=TODAY).save(tmp_path / "index")
    whole = (tmp_path / "index").read_bytes()
    (tmp_path / "index").write_bytes(whole[:kept])
    with pytest.raises(SnapshotBroken):
        MatchIndex.open(tmp_path / "index")


@pytest.mark.parametrize("at", [3, 30])
def test_a_file_whose_head_was_changed_is_refused(at: int, tmp_path: Path) -> None:
    MatchIndex.build([plain_opening(1)], today=TODAY).save(tmp_path / "index")
    changed = bytearray((tmp_path / "index").read_bytes())
    changed[at] ^= 1
    (tmp_path / "index").write_bytes(changed)
    with pytest.raises(SnapshotBroken):
        MatchIndex.open(tmp_path / "index")


def test_a_save_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    MatchIndex.build([plain_opening(1)], today=TODAY).save(tmp_path / "index")

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        MatchIndex.build([plain_opening(2)], today=TODAY).save(tmp_path / "index")
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    assert [match.opening_id for match in MatchIndex.open(tmp_path / "index").rank(plain_seeker())] == [1]


def test_a_delta_that_has_grown_is_built_together_with_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matching.market.DELTA_LEAST", 10)
    market = make_market("city", seed=22, openings=120, seekers=20)
    grown = MatchIndex.build(market.openings[:40], today=TODAY)
    sizes = []
    for start in range(0, 120, 8):
        grown.add(market.openings[start : start + 8])
        sizes.append(len(grown._state.market.delta.rows))
    assert 0 in sizes
    assert max(sizes) > 0
    whole = MatchIndex.build(market.openings, today=TODAY)
    assert [grown.rank(seeker) for seeker in market.seekers] == [whole.rank(seeker) for seeker in market.seekers]
    assert len(grown) == 120


def test_compacting_drops_what_was_replaced() -> None:
    market = Market.of(OpeningTable.of([plain_opening(1), plain_opening(2)]), MatchIndex.build([], today=TODAY).weights)
    changed = market.with_openings(OpeningTable.of([replace(plain_opening(1), title="保洁")]))
    assert (len(changed.main.rows), len(changed.delta.rows)) == (2, 1)
    assert (len(changed.compact().main.rows), len(changed.compact().delta.rows)) == (2, 0)
