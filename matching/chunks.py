"""Lists for a whole city, chunk by chunk: kept as they come, taken up again after a stop, the same wherever made.

A chunk is some thousand people. Its lists depend on nothing but the chunk, the index, and what narrows the lists; a
digest of these names the file in which they are kept. Whoever asks again, after a crash or with another set of
machines, is given what is there already and has the rest made.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matching.index import MatchIndex, Prices
from matching.ranked_tables import RankedTable
from matching.values import Seeker

CHUNK_PEOPLE = 5000  # enough for a cluster to spend its time on lists, not on handing them out


@dataclass(frozen=True, slots=True)
class Task:
    """The lists of one chunk, to be made from the index of that name: all that `rank_many` is asked."""

    digest: str
    index: str
    seekers: tuple[Seeker, ...]
    k: int
    prices: tuple[NDArray[np.int64], NDArray[np.float32]] | None
    among: NDArray[np.int64] | None
    leasts: NDArray[np.float64] | None
    skill_min: float

    def lists(self, index: MatchIndex, threads: int | None = None) -> RankedTable:
        """Make them."""
        return index.rank_many(
            self.seekers, self.k, threads, self.prices, among=self.among, leasts=self.leasts, skill_min=self.skill_min
        )


Run = Callable[[Sequence[Task]], Iterable[tuple[Task, RankedTable]]]
"""Makes the lists of tasks, in any order, each as soon as it is done."""


class ChunkedRanking:
    """Ranks as a `MatchIndex` does, in chunks that are kept in a folder; `index` is the digest of the snapshot's file.

    `run` makes the lists: on threads here or on other machines. `on_done` is told how many chunks of how many are
    there, each time one is.
    """

    def __init__(
        self, folder: Path, index: str, run: Run, *, on_done: Callable[[int, int], None] = lambda *_: None
    ) -> None:
        self._folder, self._index, self._run, self._on_done = folder, index, run, on_done

    def rank_many(
        self,
        seekers: Sequence[Seeker],
        k: int = 30,
        threads: int | None = None,  # noqa: ARG002  whoever runs the tasks decides
        prices: Prices | None = None,
        *,
        among: NDArray[np.int64] | None = None,
        leasts: ArrayLike | None = None,
        skill_min: float = 0.0,
    ) -> RankedTable:
        """As `MatchIndex.rank_many`. Neighbours in `seekers` should be neighbours on the map: they share a chunk."""
        cost = None if prices is None else (np.asarray(prices[0], np.int64), np.asarray(prices[1], np.float32))
        least = None if leasts is None else np.asarray(leasts, np.float64)
        tasks = [
            self._task(
                tuple(seekers[rows]), k, cost, among, None if least is None else least[rows], skill_min=skill_min
            )
            for rows in _cut(len(seekers))
        ]
        found = {task.digest: lists for task in tasks if (lists := self._kept(task)) is not None}
        missing = list({task.digest: task for task in tasks if task.digest not in found}.values())
        self._on_done(len(tasks) - len(missing), len(tasks))
        for task, lists in self._run(missing) if missing else ():
            self._keep(task, lists)
            found[task.digest] = lists
            self._on_done(len(found), len(tasks))
        return RankedTable(
            np.concatenate([np.zeros((0, k), np.int64), *(found[task.digest].ids for task in tasks)]),
            np.concatenate([np.zeros((0, k), np.float32), *(found[task.digest].scores for task in tasks)]),
        )

    def _task(
        self,
        seekers: tuple[Seeker, ...],
        k: int,
        prices: tuple[NDArray[np.int64], NDArray[np.float32]] | None,
        among: NDArray[np.int64] | None,
        leasts: NDArray[np.float64] | None,
        *,
        skill_min: float,
    ) -> Task:
        digest = hashlib.sha256(f"{self._index} {k} {skill_min!r} {[_told(seeker) for seeker in seekers]}".encode())
        for array in (*(prices or (None, None)), among, leasts):
            told = b"-" if array is None else f"{array.dtype.str} {len(array)} ".encode() + array.tobytes()
            digest.update(told)
        return Task(digest.hexdigest()[:32], self._index, seekers, k, prices, among, leasts, skill_min)

    def _kept(self, task: Task) -> RankedTable | None:
        # Asked for and not looked for: whoever plans at the same time may take it away in between.
        try:
            with np.load(self._folder / f"{task.digest}.npz", allow_pickle=False) as kept:
                return RankedTable(kept["ids"], kept["scores"])
        except FileNotFoundError:
            return None

    def _keep(self, task: Task, lists: RankedTable) -> None:
        """Whole or not at all: a stop in the middle leaves no half of a chunk."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".", delete=False) as file:
            try:
                np.savez(file, ids=lists.ids, scores=lists.scores)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(self._folder / f"{task.digest}.npz")
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise


def digest_of(path: Path) -> str:
    """The digest that names a snapshot: that of its file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cut(people: int) -> Iterator[slice]:
    for start in range(0, people, CHUNK_PEOPLE):
        yield slice(start, start + CHUNK_PEOPLE)


def _told(seeker: Seeker) -> list[str]:
    """A person's facts in an order that does not depend on how sets happen to lie."""
    values: list[Any] = [getattr(seeker, each.name) for each in fields(seeker)]
    return [repr(sorted(value) if isinstance(value, frozenset) else value) for value in values]
