"""Hammering: threads that read one index while others change it, for half a minute, and processes that share a file.

Each change is one batch of postings that bear one mark: the same place, so many metres from the person, and the same
number of places left. A reader who sees some of a batch has to see all of it, with one mark.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pytest

from matching import Match, MatchIndex, Opening, OpeningTable, Seeker
from tests.matching.markets import TODAY, make_market, place_at, plain_opening, plain_seeker, seeded

SECONDS = 10
READERS, WRITERS = 4, 2
BATCHES, SIZE = 3, 24  # batches of each writer, postings of each batch: half for the one person, half for the other
LEAST_SEEN = 5  # marks that each reader must have met, however slow the machine

T = TypeVar("T")
HALF = SIZE // 2
ONE, OTHER = plain_seeker(id=1, kinds={"seasonal"}, max_km=500.0), plain_seeker(id=2, kinds={"workshop"}, max_km=500.0)


def batch_ids(batch: int) -> range:
    return range(SIZE * batch, SIZE * (batch + 1))


def batch_of(opening_id: int) -> int:
    return opening_id // SIZE


@dataclass
class Batch:
    """What the only writer of a batch has made of it: metres to its place, and places left."""

    number: int
    metres: int = 0
    left: int = 1
    is_open: bool = True

    def openings(self) -> list[Opening]:
        place = place_at(self.metres / 1000)
        return [
            plain_opening(
                each,
                title=f"保安{self.metres}",
                kind="seasonal" if each % 2 else "workshop",
                place=place,
                openings=self.left,
                sent=self.metres % 7,
            )
            for each in batch_ids(self.number)
        ]


def others() -> tuple[Opening, ...]:
    """Postings beside the batches, none for the two people: a market for the search to find its way through."""
    made = make_market("city", seed=61, openings=400, seekers=0)
    return tuple(replace(opening, id=10_000 + opening.id, kind="full_time") for opening in made.openings)


@dataclass
class Writer:
    """Changes its own batches, each at one stroke; metres only grow, so a reader never sees fewer than before."""

    index: MatchIndex
    batches: Sequence[Batch]
    number: int
    changes: int = 0

    def __post_init__(self) -> None:
        self._dice = seeded("hammering", self.number)

    def change(self) -> None:
        batch = self._dice.choice(self.batches)
        ids = batch_ids(batch.number)
        self.changes += 1
        what = self._dice.choice(("add", "add", "close", "set_openings", "set_openings"))
        if what == "add":
            batch.metres += 1
            batch.left, batch.is_open = self._dice.randint(1, 40), True
            self.index.add(OpeningTable.of(batch.openings()) if batch.metres % 2 else batch.openings())
        elif what == "close":
            batch.is_open = False
            self.index.close(ids)
        else:
            batch.left = self._dice.choice((0, *range(1, 41)))
            self.index.set_openings(ids, [batch.left] * SIZE)


@dataclass
class Reader:
    """Asks in every way there is; what it saw that cannot be is in `wrong`."""

    index: MatchIndex
    number: int
    wrong: list[object] = field(default_factory=list)
    metres: dict[int, int] = field(default_factory=dict)
    marks: set[object] = field(default_factory=set)

    def read(self) -> None:
        for seeker in (ONE, OTHER):
            self.check_list(self.index.rank(seeker, k=10 * SIZE))
            self.check_refusals(seeker)
        self.check_lists_of_both()

    def check_list(self, matches: Sequence[Match]) -> None:
        marks: dict[int, set[object]] = {}
        seen: dict[int, list[int]] = {}
        for match in matches:
            batch = batch_of(match.opening_id)
            parts = tuple(match.parts.items())
            marks.setdefault(batch, set()).add((match.score, match.distance_km, parts, match.reasons, match.cautions))
            seen.setdefault(batch, []).append(match.opening_id)
            metres = round(1000 * match.distance_km)
            if metres < self.metres.get(batch, 0):
                self.wrong.append(("an older mark after a newer one", batch, metres, self.metres[batch]))
            self.metres[batch] = metres
        for batch, of_batch in marks.items():
            # The half that is this person's, in the order of ids, since all are equal.
            whole = [each for each in batch_ids(batch) if each % 2 == matches[0].opening_id % 2]
            if len(of_batch) != 1 or seen[batch] != whole:
                self.wrong.append(("a part of a batch", batch, of_batch, seen[batch]))
            self.marks |= of_batch

    def check_refusals(self, seeker: Seeker) -> None:
        asked = range(SIZE * BATCHES * WRITERS)
        rules: dict[int, list[str]] = {}
        for refusal in self.index.refusals(seeker, asked):
            if refusal.rule != "kind":
                rules.setdefault(batch_of(refusal.opening_id), []).append(refusal.rule)
        for batch, told in rules.items():
            # A batch that is closed or full is so for both people.
            if len(told) != SIZE or len(set(told)) != 1:
                self.wrong.append(("a part of a batch is refused", batch, told))

    def check_lists_of_both(self) -> None:
        people = [ONE, OTHER] * 150  # more than one call of the search serves
        table = self.index.rank_many(people, k=BATCHES * WRITERS * HALF, threads=2)
        ids, scores = table.ids.reshape(150, 2, -1), table.scores.reshape(150, 2, -1)
        if (ids != ids[0]).any() or (scores != scores[0]).any():
            self.wrong.append(("two states in one table", ids, scores))
        for batch in range(BATCHES * WRITERS):
            mine = (ids[0] >= 0) & (ids[0] // SIZE == batch)
            if mine.sum() not in {0, SIZE}:
                self.wrong.append(("a part of a batch in a table", batch, ids[0][mine]))


def start(work: Callable[[T], None], who: T, failed: list[object]) -> threading.Thread:
    def run() -> None:
        try:
            work(who)
        except Exception as error:  # noqa: BLE001 - a thread's failure has to reach the test
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.usefixtures("quick_switches")
def test_no_reader_ever_sees_half_a_change_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matching.market.DELTA_LEAST", 200)  # what was added joins the rest, again and again
    beside = others()
    batches = [Batch(number) for number in range(BATCHES * WRITERS)]
    index = MatchIndex.build(beside, today=TODAY)
    index.add(opening for batch in batches for opening in batch.openings())
    writers = [Writer(index, batches[BATCHES * each : BATCHES * (each + 1)], each) for each in range(WRITERS)]
    readers = [Reader(index, each) for each in range(READERS)]
    failed: list[object] = []
    end = time.monotonic() + SECONDS
    are_reading = threading.Event()
    are_reading.set()

    def read(reader: Reader) -> None:
        while (time.monotonic() < end or len(reader.marks) < LEAST_SEEN) and not reader.wrong and not failed:
            reader.read()

    def write(writer: Writer) -> None:
        while are_reading.is_set() and not failed:
            writer.change()

    reading = [start(read, reader, failed) for reader in readers]
    writing = [start(write, writer, failed) for writer in writers]
    for thread in reading:
        thread.join()
    are_reading.clear()
    for thread in writing:
        thread.join()
    assert failed == []
    assert [reader.wrong for reader in readers] == [[]] * READERS

    built = MatchIndex.build([*beside, *(opening for batch in batches for opening in batch.openings())], today=TODAY)
    built.close([each for batch in batches if not batch.is_open for each in batch_ids(batch.number)])
    ids = [*range(SIZE * len(batches)), *(opening.id for opening in beside)]
    people = [ONE, OTHER, plain_seeker(id=3, max_km=500.0)]
    assert len(index) == len(built)
    for seeker in people:
        assert index.rank(seeker, k=len(ids)) == built.rank(seeker, k=len(ids))
        assert index.refusals(seeker, ids) == built.refusals(seeker, ids)
    tables = [each.rank_many(people, k=len(ids)) for each in (index, built)]
    assert (tables[0].ids == tables[1].ids).all()
    assert (tables[0].scores == tables[1].scores).all()


# --- a file that others have open -------------------------------------------------------------------------------------

VERSIONS = 3  # that the other process must meet before it ends

READING = """
import sys
import tests.matching.test_hammering as hammering
hammering.read_versions(sys.argv[1])
"""


def version(number: int) -> list[Opening]:
    """Postings whose number, words and pay tell their version."""
    return [
        plain_opening(each, title=f"保安{number}", pay_min_yuan_month=3000 + number, employer=f"甲{number}")
        for each in range(300 + 40 * (number % 5))
    ]


def version_of(index: MatchIndex) -> int:
    """The one version of all that is in an index; raises AssertionError where there are several."""
    matches = index.rank(plain_seeker(skills_text="保安"), k=1000)
    market = index._state.market
    openings = [market.opening_at(each) for each in range(len(market.main.rows))]
    numbers = {int(opening.employer.removeprefix("甲")) for opening in openings}
    assert len(numbers) == 1, numbers
    (number,) = numbers
    assert sorted(openings, key=lambda opening: opening.id) == sorted(
        (replace(due, place=openings[0].place) for due in version(number)), key=lambda opening: opening.id
    )
    assert [match.opening_id for match in matches] == list(range(len(openings)))
    assert len({match.score for match in matches}) == 1
    return number


def read_versions(path: str) -> None:
    """Open a file again and again while somebody writes it; the first that was opened stays as it was."""
    first = MatchIndex.open(path)
    begun = version_of(first)
    seen = {begun}
    print("begun", flush=True)  # noqa: T201 - the other process waits for it
    while len(seen) < VERSIONS:
        number = version_of(MatchIndex.open(path))
        assert number >= max(seen)
        seen.add(number)
        assert version_of(first) == begun
    print("whole", len(seen), begun, flush=True)  # noqa: T201 - as above


def test_a_process_that_reads_a_file_while_another_writes_it_sees_old_or_new_and_never_a_mix(tmp_path: Path) -> None:
    path = tmp_path / "index"
    MatchIndex.build(version(0), today=TODAY).save(path)
    reading = subprocess.Popen(
        [sys.executable, "-c", READING, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert reading.stdout is not None
    try:
        begun = reading.stdout.readline().strip()
        number = 0
        while reading.poll() is None and begun:
            number += 1
            MatchIndex.build(version(number), today=TODAY).save(path)
        told, errors = reading.communicate()
    finally:
        reading.kill()
    assert (begun, told.strip(), errors) == ("begun", f"whole {VERSIONS} 0", "")
