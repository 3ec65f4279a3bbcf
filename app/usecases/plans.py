"""The plan of pushes: for everybody who is registered, which postings they are to be sent, shared out fairly.

Lists are made chunk by chunk, on threads here or on a cluster, and kept in the plan's folder as they come; a plan that
was stopped goes on where it was. Places are shared out here, from all lists: poverty-alleviated people first, then the
hard to employ, then everybody else, everybody once before anybody twice.
"""

import csv
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.domain.postings import PostingKind
from app.domain.workers import Limit, Priority, priority_of
from app.kit.clusters import run_on_cluster
from app.store.workers import list_statuses, list_workers
from app.usecases.areas import AreaUnknown
from app.usecases.matchmaking import Matchmaker, Profile
from matching import MatchIndex, RankedTable, Seeker, SnapshotBroken, plan_all
from matching.chunks import ChunkedRanking, Task, digest_of

PER_PERSON = 3  # a mandated package holds three job pushes (plan 8.9)
SPREAD = (1.0, 0.3, 0.0)  # everybody once before anybody twice, where places are scarce
SENT_PER_PLACE = 3  # people sent to one place: two of three do not come to work there
GAP = 0.005

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReport:
    """What a plan came to.

    `nowhere`: people left out because the place of their home is unknown. `gap`: how far from the best possible it is
    at most, over all people and postings, in 0-1.
    """

    day: date
    people: int
    nowhere: int
    postings: int
    served: int
    served_fully: int
    pushes: int
    reached: float
    gap: float
    folder: Path

    def to_json(self) -> dict[str, object]:
        """As programs read it."""
        return {
            "day": self.day.isoformat(),
            "people": self.people,
            "without_place": self.nowhere,
            "postings": self.postings,
            "served": self.served,
            "served_fully": self.served_fully,
            "pushes": self.pushes,
            "postings_reached": round(self.reached, 4),
            "gap": round(self.gap, 5),
            "plan": str(self.folder / "plan.csv"),
        }


@dataclass(frozen=True, slots=True)
class People:
    """Everybody who is registered, as the library takes them, neighbours beside each other.

    `priorities` stand beside `seekers`; `nowhere` counts those left out because the place of their home is unknown.
    """

    seekers: tuple[Seeker, ...]
    priorities: tuple[Priority, ...]
    nowhere: int


def read_people(session: Session, matchmaker: Matchmaker, *, today: date) -> People:
    """Everybody who is registered on a day."""
    statuses = list_statuses(session, on=today)
    understand = lru_cache(maxsize=None)(matchmaker.understand)
    seekers: list[Seeker] = []
    priorities: list[Priority] = []
    nowhere = 0
    for worker in list_workers(session):
        priority = priority_of(statuses.get(worker.id, frozenset()))
        profile = Profile(
            home=worker.home_area_code,
            current=worker.current_area_code,
            wants=tuple(worker.wants),
            birth_on=worker.birth_on,
            sex=worker.sex,
            skills_text=worker.skills_text,
            certificates=frozenset(worker.certificates),
            pay_min_yuan_month=worker.pay_min_yuan_month,
            kinds=frozenset(PostingKind(kind) for kind in worker.kinds),
            max_km=worker.max_km,
            available_on=worker.available_on,
            limits=frozenset(Limit(limit) for limit in worker.limits),
            home_by=worker.home_by,
            priority=priority,
            education=worker.education,
            experience_years=worker.experience_years,
        )
        wants = [understand(words) for words in worker.wants]
        try:
            seeker, _ = matchmaker.seeker(profile, wants, today=today)
        except AreaUnknown:
            # Where they are now may be a place that we do not know; home is what counts.
            try:
                seeker, _ = matchmaker.seeker(replace(profile, current=None), wants, today=today)
            except AreaUnknown:
                nowhere += 1
                continue
        seekers.append(replace(seeker, id=worker.id))
        priorities.append(priority)
    return People(tuple(seekers), tuple(priorities), nowhere)


def plan_pushes(
    people: People,
    matchmaker: Matchmaker,
    *,
    folder: Path,
    today: date,
    scheduler: str | None = None,
    threads: int | None = None,
    on_progress: OnProgress = lambda *_: None,
) -> PlanReport:
    """Plan the pushes of a day and write them to `plan.csv` in a folder: worker_id, rank, posting_id, score.

    The folder keeps the index and the lists that are done. A plan that was stopped is taken up with the index of then;
    one that was finished is made anew.

    Raises:
        ClusterMissing: a `scheduler` was named and cannot be worked with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    snapshot, plan_file = folder / "index", folder / "plan.csv"
    if plan_file.exists() or not _is_whole(snapshot):
        plan_file.unlink(missing_ok=True)
        matchmaker.save_index(snapshot)
    index, name = MatchIndex.open(snapshot), digest_of(snapshot)
    run = _on_threads(index, threads) if scheduler is None else _on_cluster(scheduler, snapshot)
    ranking = ChunkedRanking(folder / "lists", name, run, on_done=on_progress)
    ids, left = index.places_left()
    plan = plan_all(
        ranking,
        people.seekers,
        ids,
        left * SENT_PER_PLACE,
        per_seeker=PER_PERSON,
        priority=[priority.value for priority in people.priorities],
        spread=SPREAD,
        gap=GAP,
    )
    _write(plan_file, people.seekers, plan.chosen, plan.scores)
    for kept in (folder / "lists").glob("*.npz"):
        kept.unlink(missing_ok=True)
    given = (plan.chosen >= 0).sum(axis=1)
    report = PlanReport(
        day=today,
        people=len(people.seekers),
        nowhere=people.nowhere,
        postings=len(ids),
        served=int((given > 0).sum()),
        served_fully=int((given == PER_PERSON).sum()),
        pushes=int(given.sum()),
        reached=plan.reached,
        gap=plan.gap,
        folder=folder,
    )
    (folder / "report.json").write_bytes(orjson.dumps(report.to_json()))
    return report


def _is_whole(snapshot: Path) -> bool:
    """Whether a snapshot is there that this version can open."""
    try:
        MatchIndex.open(snapshot)
    except (FileNotFoundError, SnapshotBroken):
        return False
    return True


def rank_on_worker(snapshot: bytes, task: Task) -> RankedTable:
    """Make the lists of a task from the bytes of a snapshot; in a process of a cluster."""
    return task.lists(_opened(task.index, snapshot), threads=1)


_INDEXES: dict[str, MatchIndex] = {}


def _opened(name: str, snapshot: bytes) -> MatchIndex:
    if name not in _INDEXES:
        _INDEXES.clear()
        with tempfile.NamedTemporaryFile(prefix="jiujin-index-") as file:
            file.write(snapshot)
            file.flush()
            # The map outlives the file's name, and the file goes with the last map.
            _INDEXES[name] = MatchIndex.open(file.name)
    return _INDEXES[name]


def _on_threads(
    index: MatchIndex, threads: int | None
) -> Callable[[Sequence[Task]], Iterator[tuple[Task, RankedTable]]]:
    def run(tasks: Sequence[Task]) -> Iterator[tuple[Task, RankedTable]]:
        for task in tasks:
            yield task, task.lists(index, threads)

    return run


def _on_cluster(scheduler: str, snapshot: Path) -> Callable[[Sequence[Task]], Iterator[tuple[Task, RankedTable]]]:
    def run(tasks: Sequence[Task]) -> Iterator[tuple[Task, RankedTable]]:
        return run_on_cluster(scheduler, rank_on_worker, snapshot.read_bytes(), tasks)

    return run


def _write(path: Path, seekers: Sequence[Seeker], chosen: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
    """Whole or not at all, whoever else writes it at the same time."""
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=".plan-", delete=False, encoding="utf-8", newline=""
    ) as file:
        writer = csv.writer(file)
        writer.writerow(["worker_id", "rank", "posting_id", "score"])
        for seeker, ids, worth in zip(seekers, chosen.tolist(), scores.tolist(), strict=True):
            for rank, (each, score) in enumerate(zip(ids, worth, strict=True), 1):
                if each >= 0:
                    writer.writerow([seeker.id, rank, each, f"{score:.6f}"])
    Path(file.name).replace(path)
