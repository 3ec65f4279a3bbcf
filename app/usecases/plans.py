"""The plan of pushes: which postings people are to be sent, shared out fairly, for everybody at night or for one now.

Whoever is owed pushes comes first, and is given only what will count for it; then come poverty-alleviated people, the
hard to employ and everybody else. Of each, those come first who are on their way home. Everybody is given one before
anybody is given two; older workers rather from their lanes (plan 8.1), public-welfare posts only by decision (8.10).

Lists are made chunk by chunk, on threads here or on a cluster, and kept in the plan's folder as they come; a plan that
was stopped goes on where it was. Places are shared out here, from all lists.
"""

import csv
import hashlib
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import orjson
from numpy.typing import ArrayLike, NDArray
from sqlalchemy.orm import Session

from app.domain.areas import CHONGQING
from app.domain.ledger import Channel
from app.domain.postings import PostingKind
from app.domain.pushes import PushCause
from app.domain.workers import Limit, Priority, Status, age_on, priority_of
from app.kit.clock import CHINA, china_date
from app.kit.clusters import run_on_cluster
from app.kit.errors import Conflict, NotFound
from app.kit.keys import KeyRing, tag
from app.kit.tokens import same_token
from app.store import postings as postings_store
from app.store.pushes import list_made, list_to_hand
from app.store.workers import Worker, find_worker, hold_workers, list_objecting, list_statuses, list_workers
from app.usecases.areas import AreaUnknown
from app.usecases.matchmaking import Matchmaker, Profile, ResolvedWords
from app.usecases.pushes import Intent, intend_pushes
from app.usecases.recipients import MOST_AT_ONCE, PlanRules, Recipient, Recipients, read_recipients
from app.usecases.workers import WorkerUnknown
from matching import Match, MatchIndex, RankedTable, Seeker, SnapshotBroken, plan_all
from matching.chunks import ChunkedRanking, Task, digest_of
from matching.index import Prices
from matching.ranked_tables import NOTHING

SPREAD = (1.0, 0.3, 0.0)  # everybody once before anybody twice, where places are scarce
GAP = 0.005
LANE_WORTH = 0.1  # by so much less score a posting of the lanes is still as good for an older worker as another
GRANTED_WORTH = 1.0  # more than any score: who was granted a public-welfare post is sent those before others
RETURNING_WITHIN = timedelta(days=30)
WORTH_SENDING = timedelta(days=14)  # what has not arrived by then is planned anew, from what is open then
PUSHES_AT_ONCE = 300  # a transaction; others who write wait for its end
_FEWEST_MORE = 8
_FIRST_LIST, _LONGEST_LIST = 48, 12_288  # how much of somebody's list is looked into for three that can be had

OnProgress = Callable[[int, int], None]


class ChoiceByHand(Conflict):
    """The person wants no machine to choose for them (PIPL 24): somebody of the staff is to ask them, and choose."""

    code = "choice_by_hand"
    title = "本人不要系统自动挑岗位，请当面问了再挑"


# --- who, and what there is -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who is registered, as the library takes them, and what they may be sent.

    `most`: how many postings at most. `is_returning`: they are away, and come home within the next thirty days.
    `is_older`: of the age from which the lanes for older workers are for them.
    """

    seeker: Seeker
    priority: Priority
    most: int
    is_owed: bool
    is_returning: bool
    is_older: bool
    facts: Recipient


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Everybody for whom a machine may choose, neighbours beside each other.

    `nowhere` counts those whose home is unknown, `by_hand` those who want no machine to choose for them (PIPL 24): what
    they are owed is owed all the same, and the list of what is due asks the staff to choose.
    """

    persons: tuple[Person, ...]
    recipients: Recipients
    nowhere: int
    by_hand: int = 0


def read_people(session: Session, matchmaker: Matchmaker, *, now: datetime) -> People:
    """Everybody for whom a machine may choose, what is owed to them and what they were sent.

    Raises:
        RulesMissing: the rules of what is owed are not complete.
    """
    recipients = read_recipients(session, now=now)
    statuses = list_statuses(session, on=china_date(now))
    understand = lru_cache(maxsize=None)(matchmaker.understand)
    persons: list[Person] = []
    nowhere = by_hand = 0
    for worker in list_workers(session):
        if not worker.automated:
            by_hand += 1
            continue
        try:
            persons.append(
                _person(worker, statuses.get(worker.id, frozenset()), recipients, matchmaker, understand, now=now)
            )
        except AreaUnknown:
            nowhere += 1
    return People(persons=tuple(persons), recipients=recipients, nowhere=nowhere, by_hand=by_hand)


def profile_of(worker: Worker, *, priority: Priority) -> Profile:
    """What the matcher is told of a person who is registered."""
    return Profile(
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


def _person(
    worker: Worker,
    statuses: frozenset[Status],
    recipients: Recipients,
    matchmaker: Matchmaker,
    understand: Callable[[str], ResolvedWords],
    *,
    now: datetime,
) -> Person:
    """A worker as they are planned for; raises AreaUnknown where the place of their home is unknown."""
    today, priority = china_date(now), priority_of(statuses)
    profile = profile_of(worker, priority=priority)
    wants = [understand(words) for words in worker.wants]
    try:
        seeker, _ = matchmaker.seeker(profile, wants, today=today)
    except AreaUnknown:
        # Where they are now may be a place that we do not know; home is what counts.
        seeker, _ = matchmaker.seeker(replace(profile, current=None), wants, today=today)
    facts = recipients.of(worker.id)
    is_away = worker.current_area_code is not None and not worker.current_area_code.startswith(CHONGQING[:2])
    back_on = worker.available_on
    return Person(
        seeker=replace(seeker, id=worker.id),
        priority=priority,
        # Who wants no recommendations made for them is sent what is owed and nothing besides (PIPL 24).
        most=facts.most(recipients.rules) if worker.personalised else min(MOST_AT_ONCE, facts.missing),
        is_owed=facts.missing > 0,
        is_returning=is_away and back_on is not None and today <= back_on <= today + RETURNING_WITHIN,
        is_older=age_on(seeker.birth_date, today) >= recipients.rules.older_worker_age,
        facts=facts,
    )


# --- what is planned --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPush:
    """A posting that somebody is to be sent, as the matcher judged it: a row of plan.csv.

    `score` in 0-1, `skill_permille` of its skill part; `reasons` are codes.
    """

    worker_id: int
    rank: int
    posting_id: int
    score: float
    cause: PushCause
    spell_id: int | None
    skill_permille: int
    metres: int
    reach_metres: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReport:
    """What a plan came to.

    `nowhere`: people left out because the place of their home is unknown, `by_hand`: because they want no machine to
    choose for them. `owed`: people to whom pushes are owed, of
    whom `owed_served` get as many as they lack. `gap`: how far from the best possible it is at most, over all people
    and postings, in 0-1, each class after the ones before it.
    """

    day: date
    people: int
    nowhere: int
    by_hand: int
    postings: int
    owed: int
    owed_served: int
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
            "by_hand": self.by_hand,
            "postings": self.postings,
            "owed": self.owed,
            "owed_served": self.owed_served,
            "served": self.served,
            "served_fully": self.served_fully,
            "pushes": self.pushes,
            "postings_reached": round(self.reached, 4),
            "gap": round(self.gap, 5),
            "plan": str(self.folder / PLAN_FILE),
        }


PLAN_FILE, REPORT_FILE, INDEX_FILE = "plan.csv", "report.json", "index"
_COLUMNS = (
    *("worker_id", "rank", "posting_id", "score", "cause", "spell_id"),
    *("skill_permille", "metres", "reach_metres", "reasons"),
)


def plan_pushes(
    people: People,
    matchmaker: Matchmaker,
    *,
    folder: Path,
    today: date,
    keys: KeyRing,
    scheduler: str | None = None,
    threads: int | None = None,
    on_progress: OnProgress = lambda *_: None,
) -> PlanReport:
    """Plan the pushes of a day and write them to `plan.csv` in a folder, a `PlannedPush` a row, who is owed first.

    The report beside it bears a seal of both: what the ledger will say of a push is said by the matcher alone, so a
    file that anybody has changed is no plan.

    The folder keeps the index and the lists that are done. A plan that was stopped is taken up with the index of then;
    one that was finished is made anew.

    Raises:
        ClusterMissing: a `scheduler` was named and cannot be worked with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    snapshot, plan_file = folder / INDEX_FILE, folder / PLAN_FILE
    if plan_file.exists() or not _is_whole(snapshot):
        plan_file.unlink(missing_ok=True)
        matchmaker.save_index(snapshot)
    index, name = MatchIndex.open(snapshot), digest_of(snapshot)
    run = _on_threads(index, threads) if scheduler is None else _on_cluster(scheduler, snapshot)
    ranking = ChunkedRanking(folder / "lists", name, run, on_done=on_progress)
    ids, rooms = _rooms(index, people.recipients)
    shared = share_out(ranking, people.persons, ids, rooms, people.recipients, Kinds.of(matchmaker))
    planned = _told(index, people, shared, matchmaker)
    _write(plan_file, planned)
    for kept in (folder / "lists").glob("*.npz"):
        kept.unlink(missing_ok=True)
    given = [len(each) for each in shared.chosen]
    owed = [number == person.most for person, number in zip(people.persons, given, strict=True) if person.is_owed]
    report = PlanReport(
        day=today,
        people=len(people.persons),
        nowhere=people.nowhere,
        by_hand=people.by_hand,
        postings=len(ids),
        owed=len(owed),
        owed_served=sum(owed),
        served=sum(number > 0 for number in given),
        served_fully=sum(number == MOST_AT_ONCE for number in given),
        pushes=sum(given),
        reached=len({each for chosen in shared.chosen for each in chosen}) / max(1, len(ids)),
        gap=shared.gap,
        folder=folder,
    )
    version = keys.current("token")
    seal = {"key": version, "tag": _seal(plan_file, today.isoformat(), keys=keys, version=version)}
    (folder / REPORT_FILE).write_bytes(orjson.dumps(report.to_json() | {"seal": seal}))
    return report


def _seal(plan_file: Path, day: str, *, keys: KeyRing, version: int) -> str:
    with plan_file.open("rb") as file:
        return tag(keys.token[version], "push_plan", day, hashlib.file_digest(file, "sha256").hexdigest())


def plan_for(
    session: Session, matchmaker: Matchmaker, worker_id: int, *, now: datetime, cause: PushCause | None = None
) -> list[PlannedPush]:
    """Up to three postings for one person now, best first; nothing is written.

    Args:
        session: only read.
        matchmaker: ranks.
        worker_id: for whom.
        now: as of when.
        cause: OWED: as many as are missing, and only what will count; ASKED: three, whatever is lawful and near enough;
            None: owed, if anything is, else asked for.

    Raises:
        WorkerUnknown: there is no such worker.
        ChoiceByHand: they want no machine to choose for them.
        AreaUnknown: the place of their home is unknown.
        RulesMissing: the rules of what is owed are not complete.
    """
    worker = find_worker(session, worker_id)
    if worker is None:
        raise WorkerUnknown
    if not worker.automated:
        raise ChoiceByHand
    chooser = _Chooser(session, matchmaker, [worker_id], now=now)
    person = chooser.person(worker)
    if cause is None:
        cause = PushCause.OWED if person.is_owed else PushCause.ASKED
    number = min(MOST_AT_ONCE, person.facts.missing) if cause is PushCause.OWED else MOST_AT_ONCE
    found = chooser.best([person], number, is_owed=cause is PushCause.OWED)
    return [_planned(person, match, cause, rank=rank) for rank, match in enumerate(found[worker_id], 1)]


def suggest_for(
    session: Session, matchmaker: Matchmaker, worker_ids: Collection[int], *, now: datetime
) -> dict[int, list[int]]:
    """The three postings that each of these people should be pushed next so that it counts; fewer if fewer.

    First what waits for somebody who brings it, then the best that they have not seen. No more people than a query
    takes. Who is not there, whose home leads to no place, or who wants no machine to choose for them, is left out.

    Raises:
        RulesMissing: the rules of what is owed are not complete.
    """
    chooser = _Chooser(session, matchmaker, worker_ids, now=now)
    waiting: dict[int, list[int]] = {}
    for push in list_to_hand(session, worker_ids, now=now, by_hand=True):
        waiting.setdefault(push.worker_id, []).append(push.posting_id)
    people = []
    for worker_id in worker_ids:
        worker = find_worker(session, worker_id)
        with suppress(AreaUnknown):
            people += [] if worker is None or not worker.automated else [chooser.person(worker)]
    return {
        worker_id: [*waiting.get(worker_id, ()), *(match.opening_id for match in best)][:MOST_AT_ONCE]
        for worker_id, best in chooser.best(people, MOST_AT_ONCE, is_owed=True).items()
    }


class _Chooser:
    """Postings for some people as things stand now.

    The matcher's memory says what would be best for each, and only of that the database is asked whether it can be
    had: what it costs does not grow with the market.
    """

    def __init__(self, session: Session, matchmaker: Matchmaker, worker_ids: Collection[int], *, now: datetime) -> None:
        self._session, self._matchmaker, self._now = session, matchmaker, now
        self._recipients = read_recipients(session, now=now, worker_ids=worker_ids, posting_ids=())
        self._statuses = list_statuses(session, on=china_date(now), worker_ids=worker_ids)
        self._kinds = Kinds.of(matchmaker)

    def person(self, worker: Worker) -> Person:
        """Somebody as they are planned for; raises AreaUnknown."""
        statuses = self._statuses.get(worker.id, frozenset())
        return _person(worker, statuses, self._recipients, self._matchmaker, self._matchmaker.understand, now=self._now)

    def best(self, people: Sequence[Person], number: int, *, is_owed: bool) -> dict[int, list[Match]]:
        """The best postings of different jobs that each of them has not seen, in order; what is owed must count."""
        found: dict[int, list[Match]] = {person.seeker.id: [] for person in people}
        lacking, length = list(people) if number else [], _FIRST_LIST
        while lacking and length <= _LONGEST_LIST:
            at_once, more = max(1, _LONGEST_LIST // length), []
            for start in range(0, len(lacking), at_once):
                some = lacking[start : start + at_once]
                lists = [self._lists(person, length, is_owed=is_owed) for person in some]
                stands = read_recipients(
                    self._session,
                    now=self._now,
                    worker_ids=[person.seeker.id for person in some],
                    posting_ids={match.opening_id for theirs in lists for each in theirs for match in each},
                )
                for person, theirs in zip(some, lists, strict=True):
                    found[person.seeker.id] = self._to_be_had(person, theirs, stands)[:number]
                    if not self._is_settled(person, theirs, found[person.seeker.id], number, length):
                        more.append(person)
            # Many rows of the same jobs, or much that is full: further down there may be others.
            lacking, length = more, length * 4
        return found

    def _is_settled(
        self, person: Person, lists: Sequence[Sequence[Match]], best: Sequence[Match], number: int, length: int
    ) -> bool:
        """Whether nothing further down a list that was cut could be better than what was found."""
        if len(best) < number:
            return all(len(each) < length for each in lists)
        worst = self._counts_as(person, best[-1])
        return all(len(each) < length or self._counts_as(person, each[-1]) <= worst for each in lists)

    def _counts_as(self, person: Person, match: Match) -> float:
        return _counts_as(match, self._kinds.lifted_for(person), self._recipients.rules)

    def _lists(self, person: Person, length: int, *, is_owed: bool) -> list[list[Match]]:
        """The best of everything in memory, and the best of what is lifted for them."""
        rules, lifted = self._recipients.rules, self._kinds.lifted_for(person)
        ids, _ = self._matchmaker.places_left()
        among = ids[~np.isin(ids, self._kinds.barred_for(person))]
        skill_min = _skill_min(rules, is_owed=is_owed)
        lists = [self._matchmaker.rank_among(person.seeker, among, k=length, skill_min=skill_min)]
        if lifted is not None:
            among = np.intersect1d(among, lifted.ids)
            skilled = max(skill_min, _skill_min(rules, is_owed=True))
            lists.append(self._matchmaker.rank_among(person.seeker, among, k=length, skill_min=skilled))
        return lists

    def _to_be_had(self, person: Person, lists: Sequence[Sequence[Match]], stands: Recipients) -> list[Match]:
        """Of each job the best that is open, has room, and was not theirs before."""
        facts, jobs = stands.of(person.seeker.id), stands.jobs
        matches = {match.opening_id: match for each in lists for match in each if match.opening_id in jobs}
        ids, rooms = _rooms(self._matchmaker, stands)
        with_room = set(ids[rooms > 0].tolist())
        chosen: dict[str, Match] = {}
        for match in _in_order(matches.values(), self._kinds.lifted_for(person), stands.rules):
            job = jobs[match.opening_id]
            if match.opening_id in with_room and job not in facts.jobs and match.opening_id not in facts.postings:
                chosen.setdefault(job, match)
        return list(chosen.values())


def push_now(
    session: Session,
    matchmaker: Matchmaker,
    worker_id: int,
    *,
    served: frozenset[Channel],
    now: datetime,
    keys: KeyRing,
    cause: PushCause | None = None,
) -> list[PlannedPush]:
    """Plan for one person as `plan_for` does, and make the pushes, in the caller's transaction.

    Raises:
        WorkerUnknown: there is no such worker.
        ChoiceByHand: they want no machine to choose for them.
        AreaUnknown: the place of their home is unknown.
        RulesMissing: the rules of what is owed are not complete.
    """
    # Of two who push to one person at once the second sees what the first has made.
    hold_workers(session, [worker_id])
    planned = plan_for(session, matchmaker, worker_id, now=now, cause=cause)
    # Each time is an occasion of its own: what the day's plan could not send may be asked for.
    occasion = f"{planned[0].cause if planned else ''} {now.isoformat(timespec='seconds')}"
    make_pushes(session, planned, made_for=occasion, served=served, now=now, keys=keys)
    return planned


# --- sharing out ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Lifted:
    """Postings that count as better than their score by `worth` for whoever is skilled for them; ids, ascending."""

    ids: NDArray[np.int64]
    worth: float


@dataclass(frozen=True, slots=True)
class Kinds:
    """Postings that are for some rather than for others: the lanes for older workers, and public-welfare posts."""

    lanes: Lifted
    welfare: Lifted

    @classmethod
    def of(cls, matchmaker: Matchmaker) -> "Kinds":
        """Those of now."""
        return cls(
            Lifted(matchmaker.ids_for_older(), LANE_WORTH),
            Lifted(matchmaker.ids_of_kind(PostingKind.PUBLIC_WELFARE), GRANTED_WORTH),
        )

    def barred_for(self, person: Person) -> NDArray[np.int64]:
        """What they are not to be sent: public-welfare posts, unless the office has granted them one (plan 8.10)."""
        return self.welfare.ids[:0] if person.facts.is_granted else self.welfare.ids

    def lifted_for(self, person: Person) -> Lifted | None:
        """What they are to be sent rather than other postings."""
        if person.facts.is_granted:
            return self.welfare
        return self.lanes if person.is_older else None


class SkilledRanker(Protocol):
    """What lists for many people, and leaves out what they are not skilled for: a `MatchIndex`, or lists in chunks."""

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
    ) -> RankedTable: ...


@dataclass(frozen=True, slots=True)
class Shared:
    """What everybody was given: posting ids beside people; `total` is its worth, `bound` at least the best possible."""

    chosen: tuple[tuple[int, ...], ...]
    turns: tuple[tuple[int, ...], ...]
    left: NDArray[np.int64]
    total: float
    bound: float

    @property
    def gap(self) -> float:
        """How far from the best possible it is at most, as a share of it."""
        return (self.bound - self.total) / abs(self.bound) if self.bound else 0.0


def share_out(  # noqa: PLR0917  all are read, none has a default
    ranking: SkilledRanker,
    persons: Sequence[Person],
    ids: NDArray[np.int64],
    rooms: NDArray[np.int64],
    recipients: Recipients,
    kinds: Kinds,
) -> Shared:
    """Give everybody up to as many postings as they may be sent, none twice and no job twice.

    The library gives all people of one plan equally many, so there is a plan for each class of people and number: who
    is owed, the classes of plan 8.9 in their order, and in each those first who are to be given most, for they have
    had the least. Each takes from what the ones before it left. Who was given two rows of one job keeps the better one
    and takes another turn with the people of the same plan. Totals tell what is lifted for somebody as it counts.

    Args:
        ranking: lists what fits.
        persons: n people.
        ids: (m,) postings.
        rooms: (m,) to how many people each may be sent.
        recipients: the rules, and which job each posting is.
        kinds: which postings are for whom.
    """
    left = rooms.copy()
    place = {each: at for at, each in enumerate(ids.tolist())}
    by_job = _by_job(recipients.jobs)
    held: list[dict[str, int]] = [{} for _ in persons]
    barred = [_barred(person.facts, recipients.jobs, by_job) for person in persons]
    lifts = {person.seeker.id: lifted for person in persons if (lifted := kinds.lifted_for(person)) and len(lifted.ids)}
    turns = _turns(persons)
    total = bound = 0.0
    for turn in turns:
        waiting = [(turn, persons[turn[0]].most)]
        while waiting:
            rows, number = waiting.pop()
            there = (left > 0) & ~np.isin(ids, kinds.barred_for(persons[turn[0]]))
            if not there.any():
                break
            plan = plan_all(
                _Wishes(
                    ranking,
                    barred={persons[row].seeker.id: barred[row] for row in rows if barred[row]},
                    lifted=lifts,
                    skill_min=_skill_min(recipients.rules, is_owed=persons[rows[0]].is_owed),
                    skilled=_skill_min(recipients.rules, is_owed=True),
                ),
                [persons[row].seeker for row in rows],
                ids[there],
                left[there],
                per_seeker=number,
                spread=SPREAD[:number],
                gap=GAP,
            )
            total, bound = total + plan.total, bound + plan.bound
            again: dict[int, list[int]] = {}
            for row, chosen in zip(rows, plan.chosen.tolist(), strict=True):
                twice = 0
                for each in chosen:
                    if each == NOTHING:
                        continue
                    job = recipients.jobs[each]
                    if job in held[row]:
                        twice += 1
                        continue
                    held[row][job] = each
                    left[place[each]] -= 1
                if twice:
                    barred[row] = barred[row] | {other for job in held[row] for other in by_job[job]}
                    again.setdefault(twice, []).append(row)
            waiting += [(tuple(those), twice) for twice, those in sorted(again.items())]
    return Shared(tuple(tuple(each.values()) for each in held), turns, left, total, bound)


class _Wishes:
    """Lists as another ranker does, but for nobody what is barred for them, nor what they are not skilled for.

    What is lifted for somebody stands where it belongs by what it counts as, if they are skilled for it by the office's
    setting.
    """

    def __init__(
        self,
        ranking: SkilledRanker,
        *,
        barred: Mapping[int, frozenset[int]],
        lifted: Mapping[int, Lifted],
        skill_min: float,
        skilled: float,
    ) -> None:
        self._ranking, self._barred, self._lifted = ranking, barred, lifted
        self._skill_min, self._skilled = skill_min, skilled

    def rank_many(
        self,
        seekers: Sequence[Seeker],
        k: int = 30,
        threads: int | None = None,
        prices: Prices | None = None,
        *,
        among: NDArray[np.int64] | None = None,
        leasts: ArrayLike | None = None,
    ) -> RankedTable:
        """As `MatchIndex.rank_many`, by what each counts as."""
        least = None if leasts is None else np.asarray(leasts, np.float64)
        found = self._allowed(seekers, k, threads, prices, among=among, leasts=least, skill_min=self._skill_min)
        all_ids, all_scores = found.ids.copy(), found.scores.copy()
        by_lift: dict[Lifted, list[int]] = {}
        for row, seeker in enumerate(seekers):
            if seeker.id in self._lifted:
                by_lift.setdefault(self._lifted[seeker.id], []).append(row)
        for lifted, rows in by_lift.items():
            ids = lifted.ids if among is None else np.intersect1d(lifted.ids, among)
            best = self._allowed(
                [seekers[row] for row in rows],
                k,
                threads,
                prices,
                among=ids,
                leasts=None if least is None else least[rows] - lifted.worth,
                skill_min=max(self._skill_min, self._skilled),
            )
            raised = np.where(best.ids == NOTHING, 0.0, best.scores + lifted.worth).astype(np.float32)
            merged = _merged(RankedTable(best.ids, raised), RankedTable(found.ids[rows], found.scores[rows]), prices)
            all_ids[rows], all_scores[rows] = merged.ids, merged.scores
        return RankedTable(all_ids, all_scores)

    def _allowed(
        self,
        seekers: Sequence[Seeker],
        k: int,
        threads: int | None,
        prices: Prices | None,
        *,
        among: NDArray[np.int64] | None,
        leasts: NDArray[np.float64] | None,
        skill_min: float,
    ) -> RankedTable:
        """Whoever has something barred is listed more, so that k remain."""
        ids, scores = np.full((len(seekers), k), NOTHING, np.int64), np.zeros((len(seekers), k), np.float32)
        by_more: dict[int, list[int]] = {}
        for row, seeker in enumerate(seekers):
            by_more.setdefault(_more(len(self._barred.get(seeker.id, ()))), []).append(row)
        for more, rows in sorted(by_more.items()):
            found = self._ranking.rank_many(
                [seekers[row] for row in rows],
                k + more,
                threads,
                prices,
                among=among,
                leasts=None if leasts is None else leasts[rows],
                skill_min=skill_min,
            )
            if not more:
                ids[rows], scores[rows] = found.ids, found.scores
                continue
            keep = found.ids != NOTHING
            for at, row in enumerate(rows):
                keep[at] &= ~np.isin(found.ids[at], list(self._barred[seekers[row].id]))
            order = np.argsort(~keep, axis=1, kind="stable")[:, :k]
            kept = np.take_along_axis(keep, order, axis=1)
            ids[rows] = np.where(kept, np.take_along_axis(found.ids, order, axis=1), NOTHING)
            scores[rows] = np.where(kept, np.take_along_axis(found.scores, order, axis=1), 0.0)
        return RankedTable(ids, scores)


def _merged(first: RankedTable, second: RankedTable, prices: Prices | None) -> RankedTable:
    """The k best of two lists of k of the same people by score less price; what is in both counts as in the first."""
    k = first.ids.shape[1]
    ids, scores = np.hstack([first.ids, second.ids]), np.hstack([first.scores, second.scores])
    # Stable: of two that are the same the first list's comes before.
    order = np.argsort(ids, axis=1, kind="stable")
    ids, scores = np.take_along_axis(ids, order, axis=1), np.take_along_axis(scores, order, axis=1)
    is_twice = np.zeros(ids.shape, np.bool_)
    is_twice[:, 1:] = ids[:, 1:] == ids[:, :-1]
    net = np.where(is_twice | (ids == NOTHING), -np.inf, scores - _priced(ids, prices))
    # By id already, so that equals stand in the order of ids.
    best = np.argsort(-net, axis=1, kind="stable")[:, :k]
    is_there = np.take_along_axis(net, best, axis=1) > -np.inf
    return RankedTable(
        np.where(is_there, np.take_along_axis(ids, best, axis=1), NOTHING),
        np.where(is_there, np.take_along_axis(scores, best, axis=1), np.float32(0)),
    )


def _priced(ids: NDArray[np.int64], prices: Prices | None) -> NDArray[np.float64]:
    """What each costs; what is not named is free."""
    named, cost = (np.zeros(0), np.zeros(0)) if prices is None else (np.asarray(each) for each in prices)
    if not len(named):
        return np.zeros(ids.shape)
    order = np.argsort(named)
    at = np.minimum(np.searchsorted(named, ids, sorter=order), len(named) - 1)
    return np.where(named[order[at]] == ids, cost[order[at]], 0.0)


def _more(barred: int) -> int:
    """How much longer a list must be for so many that are barred: few lengths, so that few kinds of lists are made."""
    return 0 if not barred else max(_FEWEST_MORE, 1 << (barred - 1).bit_length())


def _turns(persons: Sequence[Person]) -> tuple[tuple[int, ...], ...]:
    """Positions of the people of each turn, in the order of turns; nobody who is sent nothing today.

    In each class those come first who have been granted a public-welfare post, then those who come home soon: what is
    offered now may be gone by then.
    """
    classes = list(Priority)
    turns: dict[tuple[int, bool, bool, int], list[int]] = {}
    for row, person in enumerate(persons):
        if person.most:
            place = -1 if person.is_owed else classes.index(person.priority)
            key = (place, not person.facts.is_granted, not person.is_returning, -person.most)
            turns.setdefault(key, []).append(row)
    return tuple(tuple(turns[key]) for key in sorted(turns))


def _by_job(jobs: Mapping[int, str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for posting_id, job in jobs.items():
        found.setdefault(job, []).append(posting_id)
    return found


def _barred(facts: Recipient, jobs: Mapping[int, str], by_job: Mapping[str, Sequence[int]]) -> frozenset[int]:
    """Open postings that somebody is not to be sent again: what they had, and other rows of the same jobs."""
    again = {posting_id for job in facts.jobs for posting_id in by_job.get(job, ())}
    return frozenset(again | {posting_id for posting_id in facts.postings if posting_id in jobs})


class _Places(Protocol):
    def places_left(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]: ...


def _rooms(index: _Places, recipients: Recipients) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids of the postings that are offered now, and to how many more people each may be sent, both (m,)."""
    ids, left = index.places_left()
    # Samples of the past are in the index too; they are shown, and never pushed.
    offered = np.isin(ids, np.fromiter(recipients.jobs, np.int64, len(recipients.jobs)))
    ids, left = ids[offered], left[offered]
    taken = np.array([recipients.taken.get(each, 0) for each in ids.tolist()], np.int64)
    left = np.maximum(left - np.array([recipients.held.get(each, 0) for each in ids.tolist()], np.int64), 0)
    rooms = np.floor(left * recipients.rules.people_per_place).astype(np.int64) - taken
    return ids, np.maximum(rooms, 0)


def _skill_min(rules: PlanRules, *, is_owed: bool) -> float:
    """The least skill part, in 0-1: an owed push counts only above the office's setting."""
    return (rules.fitting_skill_permille + 1) / 1000 if is_owed else 0.0


def _told(index: MatchIndex, people: People, shared: Shared, matchmaker: Matchmaker) -> Iterator[PlannedPush]:
    """What was shared out with its reasons, in the order of turns."""
    kinds, rules = Kinds.of(matchmaker), people.recipients.rules
    for row in (row for turn in shared.turns for row in turn):
        person = people.persons[row]
        matches = _in_order(index.explain_many(person.seeker, shared.chosen[row]), kinds.lifted_for(person), rules)
        for rank, match in enumerate(matches, 1):
            yield _planned(person, match, _cause(person, match.opening_id, matchmaker), rank=rank)


def _in_order(matches: Iterable[Match], lifted: Lifted | None, rules: PlanRules) -> list[Match]:
    """Best first, by what each counts as for the person."""
    return sorted(matches, key=lambda match: (-_counts_as(match, lifted, rules), match.opening_id))


def _counts_as(match: Match, lifted: Lifted | None, rules: PlanRules) -> float:
    if lifted is None or match.parts["skill"] < _skill_min(rules, is_owed=True):
        return match.score
    return match.score + (lifted.worth if _is_in(match.opening_id, lifted.ids) else 0.0)


def _is_in(posting_id: int, ids: NDArray[np.int64]) -> bool:
    at = int(np.searchsorted(ids, posting_id))
    return at < len(ids) and int(ids[at]) == posting_id


def _cause(person: Person, posting_id: int, matchmaker: Matchmaker) -> PushCause:
    if person.is_owed:
        return PushCause.OWED
    card = matchmaker.card(posting_id)
    if person.is_older and card is not None and card.suits_older:
        return PushCause.OLDER
    return PushCause.RETURNING if person.is_returning else PushCause.PLANNED


def _planned(person: Person, match: Match, cause: PushCause, *, rank: int) -> PlannedPush:
    return PlannedPush(
        worker_id=person.seeker.id,
        rank=rank,
        posting_id=match.opening_id,
        score=round(match.score, 6),
        cause=cause,
        spell_id=person.facts.spell_id,
        skill_permille=round(match.parts["skill"] * 1000),
        metres=round(match.distance_km * 1000),
        reach_metres=round(person.seeker.max_km * 1000),
        reasons=tuple(reason.code for reason in match.reasons),
    )


# --- making the pushes ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeReport:
    """What became of planned pushes: as `IntentReport`, and those that were not made.

    `over`: the posting is not offered any more, or has been sent to as many as it has room for; `needless`: the person
    has seen or declined the job meanwhile, is owed no more, or is not granted a public-welfare post any more.
    """

    queued: int = 0
    visits: int = 0
    suppressed: int = 0
    known: int = 0
    over: int = 0
    needless: int = 0

    @property
    def made(self) -> int:
        """How many there are now that there were not before."""
        return self.queued + self.visits + self.suppressed

    def __add__(self, other: "MadeReport") -> "MadeReport":
        return MadeReport(
            queued=self.queued + other.queued,
            visits=self.visits + other.visits,
            suppressed=self.suppressed + other.suppressed,
            known=self.known + other.known,
            over=self.over + other.over,
            needless=self.needless + other.needless,
        )


def make_pushes(
    session: Session,
    planned: Iterable[PlannedPush],
    *,
    made_for: str,
    served: frozenset[Channel],
    now: datetime,
    keys: KeyRing,
) -> MadeReport:
    """Make pushes of what was planned for an occasion, in the caller's transaction; again, it makes none twice.

    A push is worth sending until its posting's last day is over, two weeks at most.
    """
    wanted = list(planned)
    # People before postings, as everybody who holds both must: neither what is missing nor the room that is left may be
    # given out twice.
    hold_workers(session, {each.worker_id for each in wanted})
    postings_store.hold_postings(session, {each.posting_id for each in wanted})
    found = {
        posting.id: posting
        for posting, _ in postings_store.list_postings(session, sorted({each.posting_id for each in wanted}))
    }
    still, over, needless = _still_wanted(session, wanted, made_for=made_for, now=now)
    intents = [
        Intent(
            worker_id=each.worker_id,
            posting_id=each.posting_id,
            cause=each.cause,
            made_for=made_for,
            match={
                "score": each.score,
                "skill_permille": each.skill_permille,
                "metres": each.metres,
                "reach_metres": each.reach_metres,
                "bar": None,
                "reasons": list(each.reasons),
            },
            expires_at=_expires_at(found[each.posting_id].valid_until, now=now),
            spell_id=each.spell_id,
        )
        for each in still
    ]
    made = intend_pushes(session, intents, served=served, now=now, keys=keys)
    return MadeReport(
        queued=made.queued,
        visits=made.visits,
        suppressed=made.suppressed,
        known=made.known,
        over=over,
        needless=needless,
    )


def _still_wanted(
    session: Session, planned: Sequence[PlannedPush], *, made_for: str, now: datetime
) -> tuple[list[PlannedPush], int, int]:
    """What of a plan holds as things stand now, and how many rows are over and how many needless.

    Hours may lie between plan and making. What was made for the occasion already stays, so that it is known again.
    """
    people, postings = {each.worker_id for each in planned}, {each.posting_id for each in planned}
    made = list_made(session, made_for=made_for, worker_ids=people)
    objecting = list_objecting(session, people)
    stands = read_recipients(session, now=now, worker_ids=people, posting_ids=postings)
    known = {posting.id: posting for posting, _ in postings_store.list_postings(session, sorted(postings))}
    taken, given = dict(stands.taken), dict[int, int]()
    still: list[PlannedPush] = []
    over = needless = 0
    for each in planned:
        if (each.worker_id, each.posting_id) in made:
            still.append(each)
            continue
        job, person = stands.jobs.get(each.posting_id), stands.of(each.worker_id)
        posting = known.get(each.posting_id)
        left = 0 if posting is None else posting.openings - stands.held.get(each.posting_id, 0)
        room = stands.rules.people_per_place * left
        is_withheld = posting is not None and posting.kind is PostingKind.PUBLIC_WELFARE and not person.is_granted
        if job is None or taken.get(each.posting_id, 0) >= room:
            over += 1
        elif (
            each.worker_id in objecting
            or is_withheld
            or job in person.jobs
            or not _is_owed_still(each, person, given.get(each.worker_id, 0))
        ):
            needless += 1
        else:
            taken[each.posting_id] = taken.get(each.posting_id, 0) + 1
            given[each.worker_id] = given.get(each.worker_id, 0) + 1
            still.append(each)
    return still, over, needless


def _is_owed_still(planned: PlannedPush, person: Recipient, given: int) -> bool:
    """Whether a push is still missing in the spell that it was planned for; true of what is not owed."""
    return planned.cause is not PushCause.OWED or (planned.spell_id == person.spell_id and given < person.missing)


def _expires_at(last_day: date | None, *, now: datetime) -> datetime:
    latest = now + WORTH_SENDING
    if last_day is None:
        return latest
    return min(latest, datetime.combine(last_day + timedelta(days=1), time(), tzinfo=CHINA))


class PlanMissing(NotFound):
    """There is no plan in a folder, it is none of this version, or somebody has changed it."""

    code = "plan_missing"
    title = "这里没有推送名单"


def day_of_plan(folder: Path, *, keys: KeyRing) -> date:
    """The day that the plan in a folder was made for.

    Raises:
        PlanMissing: there is none, it was not finished, or it is not as it was written.
    """
    try:
        report = orjson.loads((folder / REPORT_FILE).read_bytes())
        day, seal = str(report["day"]), report["seal"]
        right = _seal(folder / PLAN_FILE, day, keys=keys, version=seal["key"])
        if same_token(right, str(seal["tag"])):
            return date.fromisoformat(day)
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        pass
    raise PlanMissing


def read_plan(folder: Path, *, keys: KeyRing) -> list[PlannedPush]:
    """The rows of the plan in a folder, in their order.

    Raises:
        PlanMissing: there is none, or it is not as this version wrote it.
    """
    day_of_plan(folder, keys=keys)
    try:
        with (folder / PLAN_FILE).open(encoding="utf-8", newline="") as file:
            return [
                PlannedPush(
                    worker_id=int(row["worker_id"]),
                    rank=int(row["rank"]),
                    posting_id=int(row["posting_id"]),
                    score=float(row["score"]),
                    cause=PushCause(row["cause"]),
                    spell_id=int(row["spell_id"]) if row["spell_id"] else None,
                    skill_permille=int(row["skill_permille"]),
                    metres=int(row["metres"]),
                    reach_metres=int(row["reach_metres"]),
                    reasons=tuple(filter(None, row["reasons"].split("|"))),
                )
                for row in csv.DictReader(file)
            ]
    except (OSError, KeyError, TypeError, ValueError, AttributeError):
        raise PlanMissing from None


# --- lists, here and on a cluster -------------------------------------------------------------------------------------


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


def _write(path: Path, planned: Iterable[PlannedPush]) -> None:
    """Whole or not at all, whoever else writes it at the same time."""
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=".plan-", delete=False, encoding="utf-8", newline=""
    ) as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for each in planned:
            row = {name: getattr(each, name) for name in _COLUMNS}
            writer.writerow((row | {"score": f"{each.score:.6f}", "reasons": "|".join(each.reasons)}).values())
    Path(file.name).replace(path)
