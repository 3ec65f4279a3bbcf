"""Fills a database with the demo: generated employers, postings, workers and their identities, and nothing real.

One number seeds all of it: equal arguments give equal rows, except for what encryption makes unlike on purpose. The
real postings of the past are not loaded here; they come from `sample_postings_path()` through the importer, like
anybody's file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Engine, func, insert, select
from sqlalchemy.orm import Session

from app.domain.areas import AreaLevel
from app.domain.consents import Purpose
from app.domain.ledger import Channel
from app.domain.postings import PostingOrigin, PostingState
from app.domain.workers import WorkerOrigin
from app.kit.database import Base, reserve_ids, write_session
from app.kit.keys import KeyRing
from app.store.areas import Area, list_areas
from app.store.audit import record_act
from app.store.brokers import Broker, Case
from app.store.consents import Consent
from app.store.courses import Course, CourseSession
from app.store.employers import Employer
from app.store.identities import NewIdentity, add_identities
from app.store.occupations import Occupation, list_occupations
from app.store.postings import Posting
from app.store.spells import SpellRow
from app.store.workers import Worker, WorkerStatus
from app.usecases.ledger import append_entries
from app.usecases.postings import shelf_life_days
from app.usecases.pushes import job_of
from seed.brokers import Caseload
from seed.courses import Catalogue
from seed.dice import Dice
from seed.duties import Duties, owed_people
from seed.postings import Market, Township, townships_of
from seed.reference import read_lines
from seed.workers import Population

Report = Callable[[str, int], None]
Row = dict[str, Any]

_JOBS_SENT = 2_000
_MARKS: dict[type[Employer | Posting | Worker], ColumnElement[bool]] = {
    Employer: Employer.generated.is_(True),
    Posting: Posting.origin == PostingOrigin.GENERATED,
    Worker: Worker.origin == WorkerOrigin.GENERATED,
}
"""How generated rows are told from real ones."""


class ReferenceMissing(Exception):
    """The demo stands on the reference data, and it has not been loaded. Nothing was changed."""


def sample_postings_path() -> Path:
    """The file of real historical postings, for the importer."""
    return Path(str(files("seed") / "data" / "sample_postings.csv"))


def load_demo(
    engine: Engine,
    *,
    keys: KeyRing,
    workers: int = 5000,
    postings: int = 20_000,
    rng_seed: int = 2026,
    now: datetime,
    today: date,
    report: Report,
) -> dict[str, int]:
    """Add the generated rows in one transaction; a database that holds a demo already is left as it is.

    Args:
        engine: a migrated database with the reference data.
        keys: seals the identities.
        workers: how many people.
        postings: how many postings; from 4,625 on each lane of each district has at least 20 open ones.
        rng_seed: the one number that all chance comes from.
        now: when the demo is looked at; nothing in it is later.
        today: the date in China.
        report: called after each step with its Chinese name and the number of rows.

    Returns:
        Number of rows added by table name; all zero if the demo was there.

    Raises:
        ReferenceMissing: no areas or no occupations.
        ValueError: a negative number of workers or postings.
    """
    if workers < 0 or postings < 0:
        raise ValueError("workers and postings must not be negative")
    counts = dict.fromkeys(
        (
            *("employers", "postings", "workers", "worker_statuses", "identities"),
            *("courses", "course_sessions", "brokers", "cases", "spells", "ledger", "consents"),
        ),
        0,
    )
    with write_session(engine) as session:
        present = _count_generated(session)
        if present:
            report("演示数据已经在库里，没有改动", present)
            return counts
        townships, areas, occupations = _read_reference(session, today)
        # A stream for each, so that the number of postings does not change the people.
        for_market, for_people, for_services = np.random.default_rng(rng_seed).spawn(3)
        market = Market(
            townships,
            occupations,
            Dice(for_market),
            now=now,
            today=today,
            shelf_life_days=shelf_life_days(session, on=today),
        )
        market.fill(postings)
        _add_market(session, market)
        report("演示用人单位", len(market.employers))
        report("演示岗位", len(market.postings))
        population = Population(
            townships, areas, occupations, _poor_districts(), Dice(for_people), now=now, today=today
        )
        population.fill(workers)
        ids = _add_population(session, population, keys=keys)
        report("演示求职者", len(population.workers))
        catalogue = Catalogue(townships, Dice(for_services), today=today)
        caseload = Caseload(townships, catalogue.dice, today=today)
        # Where nobody is, nobody is taught or looked after.
        if population.workers:
            catalogue.fill()
            caseload.fill(population.workers, population.statuses)
            sessions = _add_services(session, catalogue, caseload, worker_ids=ids)
            report("演示培训班和经纪人", len(catalogue.sessions) + len(caseload.brokers))
            duties = Duties(
                postings=_some_jobs(session),
                sessions=sessions,
                brokers={ids[row["worker_id"]]: caseload.brokers[row["broker_id"]]["code"] for row in caseload.cases},
                dice=catalogue.dice,
                now=now,
                today=today,
            )
            duties.fill([ids[position] for position in owed_people(population.statuses, today=today)])
            counts |= _add_duties(session, duties, keys=keys)
            counts["consents"] = _add_consents(session, ids, catalogue.dice, now=now)
            report("演示台账", counts["ledger"])
        counts |= {
            "employers": len(market.employers),
            "postings": len(market.postings),
            "workers": len(population.workers),
            "worker_statuses": len(population.statuses),
            "identities": len(population.identities),
            "courses": len(catalogue.courses),
            "course_sessions": len(catalogue.sessions),
            "brokers": len(caseload.brokers),
            "cases": len(caseload.cases),
        }
        record_act(
            session,
            actor="system",
            action="load_demo",
            subject="demo",
            now=now,
            detail=f"{postings} postings, {workers} workers, seed {rng_seed}",
        )
    return counts


def _count_generated(session: Session) -> int:
    return sum(
        session.scalars(select(func.count()).select_from(table).where(mark)).one() for table, mark in _MARKS.items()
    )


def _read_reference(
    session: Session, today: date
) -> tuple[list[Township], Mapping[str, Area], Mapping[str, Occupation]]:
    upper = list_areas(session, on=today, levels=(AreaLevel.PREFECTURE, AreaLevel.DISTRICT))
    townships = townships_of(upper, list_areas(session, on=today, levels=(AreaLevel.TOWNSHIP,)))
    occupations = {occupation.code: occupation for occupation in list_occupations(session)}
    if not townships or not occupations:
        raise ReferenceMissing("先装入基础数据，再装入演示数据")
    return townships, {area.code: area for area in upper}, occupations


def _poor_districts() -> frozenset[str]:
    """Former poverty counties, national and municipal."""
    return frozenset(
        line["district_code"] for line in read_lines("cq_poverty_lists.csv") if line["list"].endswith("_poverty_county")
    )


def _add_market(session: Session, market: Market) -> None:
    ids = _insert(session, Employer, market.employers)
    rows = [{**row, "employer_id": ids[row["employer_id"]]} for row in market.postings]
    if rows:
        session.execute(insert(Posting), rows)


def _add_population(session: Session, population: Population, *, keys: KeyRing) -> Sequence[int]:
    ids = _insert(session, Worker, population.workers)
    statuses = [{**row, "worker_id": ids[row["worker_id"]]} for row in population.statuses]
    if statuses:
        session.execute(insert(WorkerStatus), statuses)
    identities = [NewIdentity(**{**row, "worker_id": ids[row["worker_id"]]}) for row in population.identities]
    add_identities(session, identities, keys=keys)
    return ids


def _add_services(
    session: Session, catalogue: Catalogue, caseload: Caseload, *, worker_ids: Sequence[int]
) -> Sequence[int]:
    """Store courses, brokers and cases; the ids of the courses held."""
    course_ids = reserve_ids(session, Course, len(catalogue.courses))
    broker_ids = reserve_ids(session, Broker, len(caseload.brokers))
    _add_rows(session, Course, [{"id": one, **row} for one, row in zip(course_ids, catalogue.courses, strict=True)])
    session_ids = reserve_ids(session, CourseSession, len(catalogue.sessions))
    _add_rows(
        session,
        CourseSession,
        [
            {"id": one, **row, "course_id": course_ids[row["course_id"]]}
            for one, row in zip(session_ids, catalogue.sessions, strict=True)
        ],
    )
    _add_rows(session, Broker, [{"id": one, **row} for one, row in zip(broker_ids, caseload.brokers, strict=True)])
    _add_rows(
        session,
        Case,
        [
            {**row, "broker_id": broker_ids[row["broker_id"]], "worker_id": worker_ids[row["worker_id"]]}
            for row in caseload.cases
        ],
    )

    return session_ids


def _some_jobs(session: Session) -> list[tuple[int, str]]:
    """(id, job) of some open postings."""
    chosen = select(Posting).where(Posting.state == PostingState.OPEN).order_by(Posting.id).limit(_JOBS_SENT)
    return [(posting.id, job_of(posting)) for posting in session.scalars(chosen)]


def _add_duties(session: Session, duties: Duties, *, keys: KeyRing) -> dict[str, int]:
    """Store spells and write their entries into the ledger: answers last, since they name what they answer."""
    spell_ids = reserve_ids(session, SpellRow, len(duties.spells))
    _add_rows(session, SpellRow, [{"id": one, **row} for one, row in zip(spell_ids, duties.spells, strict=True)])
    numbered = [(at, replace(draft, spell_id=spell_ids[spell])) for at, (spell, draft) in enumerate(duties.drafts)]
    numbered.sort(key=lambda one: one[1].now)
    first = [(at, draft) for at, draft in numbered if draft.refers_to is None]
    written = append_entries(session, [draft for _, draft in first], keys=keys)
    id_of = {at: entry.id for (at, _), entry in zip(first, written, strict=True)}
    answers = [replace(draft, refers_to=id_of[draft.refers_to]) for _, draft in numbered if draft.refers_to is not None]
    written += append_entries(session, answers, keys=keys)
    return {"spells": len(spell_ids), "ledger": len(written)}


def _add_consents(session: Session, worker_ids: Sequence[int], dice: Dice, *, now: datetime) -> int:
    """Let most people be reached by text message, some by a call or in their inbox; a quarter lets no machine do it."""
    rows = [
        {"worker_id": worker_id, "purpose": Purpose.JOB_PUSHES, "channel": channel, "given_at": now, "how": "demo"}
        for worker_id in worker_ids
        for channel, chance in ((Channel.SMS, 0.65), (Channel.VOICE, 0.2), (Channel.INBOX, 0.15))
        if dice.has_luck(chance)
    ]
    _add_rows(session, Consent, rows)
    return len(rows)


def _add_rows(session: Session, table: type[Base], rows: Sequence[Row]) -> None:
    if rows:
        session.execute(insert(table), rows)


def _insert(session: Session, table: type[Employer | Worker], rows: Sequence[Row]) -> Sequence[int]:
    """Insert rows into a table without generated ones; their ids, in the order of the rows.

    Ids rise with the order of insertion on both databases. RETURNING would tell them too, but SQLite promises no order
    for it, and SQLAlchemy therefore inserts row by row: fifteen seconds instead of one.
    """
    if rows:
        session.execute(insert(table), rows)
    ids = session.scalars(select(table.id).where(_MARKS[table]).order_by(table.id)).all()
    if len(ids) != len(rows):
        raise RuntimeError("somebody else is loading a demo")
    return ids
