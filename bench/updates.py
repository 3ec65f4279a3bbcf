"""What changes cost while lists are served: closing, adding, reading with much pending, snapshots, bytes.

    uv run --group bench bench/updates.py [--postings 1000000] [--people 200] [--rng-seed 1]

The market is that of `bench/ranking.py`; postings to be added come from the same city. Figures are CPU time, medians of
several rounds: of the thread, for PostgreSQL of the backend's process, for snapshots and builds of the whole process.
Each of our rounds starts from a fresh index out of one file, which has taken in one posting before and so has its
dictionaries. "Objects" are `Opening`s that are made beforehand, "columns" an `OpeningTable`; titles are known where a
posting of the market bears them, otherwise no posting before did, nor another one that is added.

PostgreSQL with PostGIS has the table of `bench/ranking.py`, without titles, and four indexes: place, occupation, id and
last day. What it changes is rolled back and vacuumed off the clock: nothing is paid for a commit, nor for what a delete
leaves in the indexes; nor for what the client does. Rows are added by COPY and by executemany; the faster one counts.

That what is closed is gone at once, and what is added is there, is checked by lists: all scores of the people who are
asked must be those of the plain NumPy score over the rows that then are open.
"""

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")

import argparse
import json
import pickle
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.city import TODAY, make_city, make_people
from bench.columns import TOLERANCE, Columns, Floats
from bench.databases import PostgreSQL, running_postgresql, table_of
from bench.engines import ask_index
from matching import MatchIndex, Opening, OpeningTable, Seeker
from matching.opening_tables import Shared

K = 20
CLOSED = 1000
ADDED = (1000, 10_000, 50_000)
ROUNDS = 7
READINGS = 5  # of each person by each index
CHECKED = 60  # people whose lists are compared
ASKED_WHILE_WRITING = 2000
PAUSE_SECONDS = 0.1  # of a writer that does not write all the time
KNOWN, NEW = "known titles", "new titles"
DELETE, COPY, INSERT = "PostGIS, delete 1,000", "PostGIS, COPY of 1,000", "PostGIS, executemany of 1,000"
COLD = """
import json, pickle, resource, sys, time
begun = time.perf_counter()
from matching import MatchIndex
imported = time.perf_counter()
index = MatchIndex.open(sys.argv[1])
opened = time.perf_counter()
found = len(index.rank(pickle.load(sys.stdin.buffer)))
ranked = time.perf_counter()
print(json.dumps([imported - begun, opened - imported, ranked - opened, found]))
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """A market of `columns`, its index in a file, postings to add, and who is asked; the file is opened by `fresh`."""

    path: Path
    columns: Columns
    more: OpeningTable
    people: Sequence[Seeker]

    def fresh(self) -> MatchIndex:
        """The index of the market, with its dictionaries in memory."""
        index = MatchIndex.open(self.path)
        first = index._state.market.opening_at(0)  # noqa: SLF001  # added again: nothing changes but what is known
        index.add([first])
        return index

    def objects(self, number: int, *, new_titles: bool) -> list[Opening]:
        """So many postings to add as objects; with new titles each bears one that no other posting does."""
        market = MatchIndex.build(part_of(self.more, slice(0, number)), today=TODAY)._state.market  # noqa: SLF001
        openings = [market.opening_at(place) for place in range(number)]
        return [replace(each, title=f"{each.title}{each.id}") for each in openings] if new_titles else openings


def part_of(table: OpeningTable, rows: slice) -> OpeningTable:
    """Some rows of a table, whose vocabulary stays whole."""
    columns: dict[str, Any] = {}
    for each in fields(table):
        column = getattr(table, each.name)
        is_shared = isinstance(column, Shared)
        columns[each.name] = Shared(column.positions[rows], column.values) if is_shared else column[rows]
    return OpeningTable(**columns)


def median(seconds: Sequence[float]) -> float:
    """The median, in milliseconds."""
    return float(np.median(seconds) * 1000)


def thread_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this thread."""
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


def process_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


# --- closing and adding -----------------------------------------------------------------------------------------------


def close_some(generator: np.random.Generator, setting: Setting) -> list[float]:
    """Seconds of closing; among what is closed is the first of what each checked person is shown."""
    spent = []
    for _ in range(ROUNDS):
        index = setting.fresh()
        people = [person for person in setting.people[:CHECKED] if index.rank(person, 1)]
        shown = [[match.opening_id for match in index.rank(person, K)] for person in people]
        first = {each[0] for each in shown}
        others = generator.choice(setting.columns.ids, CLOSED, replace=False).tolist()
        closed = (list(first) + [each for each in others if each not in first])[:CLOSED]
        spent.append(thread_seconds(lambda: index.close(closed)))  # noqa: B023  # called at once
        gone = set(closed)
        for person, before in zip(people, shown, strict=True):
            after = [match.opening_id for match in index.rank(person, K)]
            kept = [each for each in before if each not in gone]
            assert len(kept) < len(before)
            assert after[: len(kept)] == kept
            assert not gone & set(after)
    return spent


def add_some(
    setting: Setting, added: Sequence[Opening] | OpeningTable, check: Callable[[MatchIndex], None]
) -> list[float]:
    """Seconds of adding."""
    indexes = [setting.fresh() for _ in range(ROUNDS)]
    spent = [thread_seconds(lambda: index.add(added)) for index in indexes]  # noqa: B023  # called at once
    check(indexes[0])
    return spent


def best_scores(columns: Columns, person: Seeker) -> Floats:
    """The plain score's best."""
    return columns.best(columns.wish(person), K)[1]


def has_all(setting: Setting, added: Sequence[Opening], index: MatchIndex) -> None:
    """Each checked person's list is that of the rows before and of what was added, and some see what was added."""
    alone = Columns(MatchIndex.build(added, today=TODAY))
    ids, seen = {each.id for each in added}, 0
    for person in setting.people[:CHECKED]:
        before, new = best_scores(setting.columns, person), best_scores(alone, person)
        expected = np.sort(np.concatenate([before, new]))[::-1][:K]
        listed = index.rank(person, K)
        assert len(listed) == len(expected)
        assert np.allclose([match.score for match in listed], expected, rtol=0, atol=TOLERANCE)
        if len(new):
            # Whether it comes into the list of all or not: it can be told, and is first among those added.
            (first,) = index.rank(person, 1, among=np.array(sorted(ids)))
            assert first.opening_id in ids
            assert abs(first.score - new[0]) <= TOLERANCE
            seen += 1
    assert seen


# --- reading with much pending ----------------------------------------------------------------------------------------


def read_with_pending(setting: Setting, indexes: dict[str, MatchIndex]) -> dict[str, list[float]]:
    """Each person's median seconds by each index; who is asked first changes from one person to the next."""
    names = list(indexes)
    found: dict[str, list[float]] = {name: [] for name in names}
    for nth, person in enumerate(setting.people):
        spent: dict[str, list[float]] = {name: [] for name in names}
        for reading in range(READINGS):
            turn = (nth + reading) % len(names)
            for name in names[turn:] + names[:turn]:
                asked = ask_index(indexes[name], person, K)
                spent[name].append(asked.asking + asked.searching)
        for name in names:
            found[name].append(float(np.median(spent[name])))
    return found


# --- snapshots --------------------------------------------------------------------------------------------------------


def start_cold(setting: Setting) -> tuple[float, float, list[float]]:
    """Wall and CPU seconds of a new process up to its first list; seconds of import, opening and that list.

    Python's compiled modules are kept beside the snapshot, whatever the environment says: an installation has them.
    """
    kept = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(setting.path.parent / "modules")}
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(  # noqa: S603  # our own text
        [sys.executable, "-c", COLD, str(setting.path)],
        input=pickle.dumps(setting.people[0]),
        stdout=subprocess.PIPE,
        check=True,
        env=os.environ | kept,
        cwd=Path(__file__).parents[1],
    )
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    *stages, _ = json.loads(done.stdout)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, stages


# --- reading while others write ---------------------------------------------------------------------------------------


def read_while_written(
    setting: Setting, added: Sequence[Opening], pause: float | None
) -> tuple[NDArray[np.float64], int]:
    """Seconds by the clock of lists, reasons included, and how many changes were made besides; None: nobody writes."""
    index, done, changes = setting.fresh(), threading.Event(), 0
    numbers = [each.id for each in added]

    def write() -> None:
        nonlocal changes
        while not done.is_set():
            index.add(added)
            index.close(numbers[::2])
            changes += 2
            if pause:
                done.wait(pause)

    writer = threading.Thread(target=write)
    if pause is not None:
        writer.start()
    waited = []
    try:
        for nth in range(ASKED_WHILE_WRITING):
            begun = time.perf_counter()
            index.rank(setting.people[nth % len(setting.people)], K)
            waited.append(time.perf_counter() - begun)
    finally:
        done.set()
        if pause is not None:
            writer.join()
    return np.array(waited), changes


# --- telling ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """So many postings closed or added, and the median of the milliseconds that it took."""

    number: int
    ms: float


def our_changes(generator: np.random.Generator, setting: Setting) -> dict[str, Change]:
    """Ours: closing, and adding each number of postings."""
    found = {"close 1,000": Change(CLOSED, median(close_some(generator, setting)))}
    for number in ADDED:
        for titles in (KNOWN, NEW):
            openings = setting.objects(number, new_titles=titles == NEW)
            columns = OpeningTable.of(openings)
            spent = add_some(setting, openings, lambda index: has_all(setting, openings, index))  # noqa: B023
            found[f"add {number:,}, {titles}"] = Change(number, median(spent))
            found[f"  of this from columns, {number:,}, {titles}"] = Change(
                number, median(add_some(setting, columns, lambda _: None))
            )
    return found


def their_changes(generator: np.random.Generator, setting: Setting, server: PostgreSQL) -> dict[str, Change]:
    """PostGIS's: deleting and adding 1,000."""
    server.index_ids_and_days()
    rows = table_of(Columns(MatchIndex.build(part_of(setting.more, slice(0, ADDED[0])), today=TODAY)))
    closed = [generator.choice(setting.columns.ids, CLOSED, replace=False).tolist() for _ in range(ROUNDS)]
    return {
        DELETE: Change(CLOSED, median([server.delete(each) for each in closed])),
        COPY: Change(ADDED[0], median([server.copy_in(rows) for _ in range(ROUNDS)])),
        INSERT: Change(ADDED[0], median([server.insert(rows) for _ in range(ROUNDS)])),
    }


def tell_changes(changes: dict[str, Change]) -> None:
    """The table of closing and adding."""
    print(f"{'':46}{'CPU ms':>10}{'us each':>10}", flush=True)
    for name, each in changes.items():
        print(f"{name:46}{each.ms:>10.2f}{1000 * each.ms / each.number:>10.2f}", flush=True)


def tell_pending(setting: Setting) -> float:
    """The table of reading; the ratio of medians with most pending, the worse of both kinds of titles."""
    number = ADDED[-1]
    indexes = {"nothing": setting.fresh()}
    for some in ADDED:
        indexes[f"{some:,}, {KNOWN}"] = setting.fresh()
        indexes[f"{some:,}, {KNOWN}"].add(part_of(setting.more, slice(0, some)))
    indexes[f"{number:,}, {NEW}"] = setting.fresh()
    indexes[f"{number:,}, {NEW}"].add(setting.objects(number, new_titles=True))
    read_with_pending(replace(setting, people=setting.people[:8]), indexes)
    found = {name: np.array(each) for name, each in read_with_pending(setting, indexes).items()}
    print(f"\n{'pending while read':46}{'p50 us':>10}{'p99 us':>10}{'x p50':>8}{'x p99':>8}{'each p50':>10}")
    base = found["nothing"]
    for name, each in found.items():
        at50, at99 = (np.percentile(each, percent) / np.percentile(base, percent) for percent in (50, 99))
        print(
            f"{name:46}{np.median(each) * 1e6:>10,.0f}{np.percentile(each, 99) * 1e6:>10,.0f}{at50:>8.2f}{at99:>8.2f}"
            f"{np.median(each / base):>10.2f}"
        )
    return float(max(np.median(found[f"{number:,}, {titles}"]) for titles in (KNOWN, NEW)) / np.median(base))


def tell_snapshots(setting: Setting, market: OpeningTable) -> tuple[float, float, float]:
    """Seconds of saving, of opening, and of a cold start by the clock; the first two as shares of a build."""
    built = [process_seconds(lambda: MatchIndex.build(market, today=TODAY)) for _ in range(3)]
    index = MatchIndex.build(market, today=TODAY)
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / "index"
        saved = [process_seconds(lambda: index.save(other)) for _ in range(ROUNDS)]
        opened = [process_seconds(lambda: MatchIndex.open(other)) for _ in range(ROUNDS)]
    start_cold(setting)  # fills what is kept of compiled code
    starts = [start_cold(setting) for _ in range(ROUNDS)]
    wall, cpu = (float(np.median([each[nth] for each in starts])) for nth in (0, 1))
    stages = np.median([each[2] for each in starts], axis=0)
    print(f"\nsnapshot of {setting.path.stat().st_size / 1e6:,.0f} MB")
    whole = float(np.median(built))
    for name, seconds in (("build from columns", built), ("save", saved), ("open", opened)):
        middle = float(np.median(seconds))
        print(f"{name:46}{middle * 1000:>10,.1f} CPU ms{middle / whole:>9.2%} of a build")
    print(
        f"{'new process up to its first list':46}{wall * 1000:>10,.0f} ms by the clock, {cpu * 1000:,.0f} CPU ms: "
        "import {:,.0f}, open {:,.0f}, first list {:,.0f} ms by the clock".format(*stages * 1000),
        flush=True,
    )
    return float(np.median(saved)) / whole, float(np.median(opened)) / whole, wall


def tell_bytes(setting: Setting) -> float:
    """What a posting takes beside the text."""
    state = MatchIndex.open(setting.path)._state  # noqa: SLF001  # the arrays themselves
    market, main = state.market, state.market.main
    parts = {
        "rows": main.rows.nbytes,
        "left and open": main.left.nbytes + main.is_open.nbytes,
        "rows by id": market.main_by_id.nbytes,
        "envelopes": main.chunks.nbytes + main.blocks.nbytes + main.whole.nbytes,
        "tables": main.title_starts.nbytes + main.title_occupations.nbytes + sum(each.nbytes for each in market.tables),
    }
    vocabularies, size = market.vocabularies, len(main.rows)
    text = sum(len(each.encode()) for each in (*vocabularies.titles.values, *vocabularies.employers.values))
    words = sum(column.nbytes for each in state.words for column in each.columns.values())
    told = ", ".join(f"{name} {number / size:.1f}" for name, number in parts.items())
    whole = sum(parts.values()) / size
    print(
        f"\nbytes a posting: {whole:.1f}: {told}; besides: text {text / size:.1f}, pairs in titles {words / size:.1f}"
    )
    return whole


def tell_writing(setting: Setting) -> None:
    """Reading beside writing."""
    added = setting.objects(ADDED[0], new_titles=False)
    print(f"\n{'lists with reasons, one reader':46}{'p50 ms':>10}{'p99 ms':>10}{'most ms':>10}{'changes':>10}")
    for name, pause in (
        ("nobody writes", None),
        (f"{ADDED[0]:,} added and half closed every {PAUSE_SECONDS} s", PAUSE_SECONDS),
        ("the same without a pause", 0.0),
    ):
        waited, changes = read_while_written(setting, added, pause)
        told = "".join(f"{np.percentile(waited, percent) * 1000:>10.2f}" for percent in (50, 99, 100))
        print(f"{name:46}{told}{changes:>10,}", flush=True)


def tell_bars(
    ours: dict[str, Change], theirs: dict[str, Change], pending: float, shares: tuple[float, float, float], size: float
) -> None:
    """What was asked for, and what was measured."""
    saved, opened, cold = shares
    print("\nasked / measured")
    if theirs:
        best = min((COPY, INSERT), key=lambda name: theirs[name].ms)
        for titles in (KNOWN, NEW):
            share = ours[f"add {ADDED[0]:,}, {titles}"].ms / theirs[best].ms
            print(f"  adding {ADDED[0]:,}, {titles}, to {best}: <= 50 % / {share:.0%}")
            share = ours[f"add {ADDED[0]:,}, {titles}"].ms / theirs[INSERT].ms
            print(f"    to {INSERT}: - / {share:.0%}")
        print(f"  closing {CLOSED:,} to {DELETE}: - / {ours['close 1,000'].ms / theirs[DELETE].ms:.1%}")
    print(f"  a reader's median with {ADDED[-1]:,} pending to nothing pending: <= 1.5 x / {pending:.2f} x")
    print(f"  opening a snapshot to a build: <= 2 % / {opened:.2%} (saving one: {saved:.2%})")
    print(f"  a new process up to its first list: < 2 s / {cold:.2f} s")
    print(f"  bytes a posting beside the text: <= 150 / {size:.1f}")


def main() -> None:
    """Build, change, read, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postings", type=int, default=1_000_000)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--rng-seed", type=int, default=1)
    given = parser.parse_args()
    generator = np.random.default_rng(given.rng_seed)
    city = make_city(generator, given.postings + ADDED[-1])
    people = make_people(generator, city, given.people)
    market = part_of(city.openings, slice(0, given.postings))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        index = MatchIndex.build(market, today=TODAY)
        index.save(path)
        setting = Setting(path, Columns(index), part_of(city.openings, slice(given.postings, None)), people)
        setting.fresh().warm_up()
        print(f"{given.postings:,} postings, {given.people} people, k = {K}, seed {given.rng_seed}, CPU time")
        ours, theirs = our_changes(generator, setting), {}
        with running_postgresql(setting.columns) as server:
            if server is not None:
                theirs = their_changes(generator, setting, server)
        tell_changes(ours | theirs)
        if not theirs:
            print("PostgreSQL with PostGIS is not installed: its rows are left out")
        pending = tell_pending(setting)
        shares = tell_snapshots(setting, market)
        size = tell_bytes(setting)
        tell_writing(setting)
        tell_bars(ours, theirs, pending, shares, size)


if __name__ == "__main__":
    main()
