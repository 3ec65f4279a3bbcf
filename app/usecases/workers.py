"""Bringing in workers from a roster: profile and identity apart, the identity sealed from the first row on.

Nothing that is told about a row names the person: reports, errors and the audit hold row numbers, columns and ids only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from app.domain.areas import CHONGQING, AreaLevel
from app.domain.identities import birth_date_of, is_id_number, is_mobile_phone, sex_of
from app.domain.workers import Education, Evidence, Sex, Status, WorkerOrigin, may_work
from app.kit.database import reserve_ids
from app.kit.errors import NotFound
from app.kit.keys import KeyRing
from app.store.audit import record_act
from app.store.identities import NewIdentity, add_identities, find_by_id_numbers
from app.store.workers import Worker, add_statuses, add_workers, end_statuses_before, list_statuses
from app.usecases.areas import AreaBook
from app.usecases.outcomes import ImportReport, Progress, RowOutcome, RowReport
from app.usecases.places import Place, PlaceNames
from app.usecases.spells import begun_anew, sync_spells

_ID_NUMBER_DIGITS = 18
_NAME_CHARACTERS = 60
_PEOPLE_A_WRITE = 5_000
_UNCHANGED = "以前登记过，没有改动"


class WorkerUnknown(NotFound):
    """There is no such person."""

    code = "worker_unknown"
    title = "没有这个编号的人"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDraft:
    """A row of a roster, read but not judged. Numbers in their one spelling; `statuses` with the day they began.

    `notes` says in Chinese which cells were not understood, without what they hold. What names the person is never
    printed.
    """

    row: int
    name: str = field(repr=False)
    id_number: str = field(repr=False)
    phone: str = field(default="", repr=False)
    home_district: str = field(default="", repr=False)
    home_township: str = field(default="", repr=False)
    home_words: str = field(default="", repr=False)
    current_words: str = field(default="", repr=False)
    skills_text: str = ""
    wants: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    pay_min_yuan_month: int | None = None
    education: Education | None = None
    experience_years: int | None = None
    sex: Sex | None = None
    statuses: tuple[tuple[Status, date | None], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedWorker:
    """A row of a roster whose places have been looked up. With `refusals` the person is not taken."""

    draft: WorkerDraft
    home: Place
    current: Place | None
    refusals: tuple[str, ...]
    notes: tuple[str, ...]


def judge_workers(
    drafts: Sequence[WorkerDraft],
    *,
    areas: AreaBook,
    today: date,
    on_progress: Progress | None = None,
) -> list[JudgedWorker]:
    """Say about each row whether it may be taken, before anything is locked. Changes nothing.

    Refused are wrong ID numbers and phones, children under 16 and homes that cannot be found.

    Args:
        drafts: the rows, in the order of the file.
        areas: the areas in force today.
        today: the day on which ages are judged.
        on_progress: told how far it is.
    """
    names = PlaceNames(areas, today=today)
    judged = []
    for done, draft in enumerate(drafts, start=1):
        judged.append(_judge(draft, names, today=today))
        if on_progress is not None:
            on_progress(done, len(drafts))
    return judged


def import_workers(
    session: Session,
    judged: Sequence[JudgedWorker],
    *,
    keys: KeyRing,
    actor: str,
    today: date,
    now: datetime,
    evidence: Evidence = Evidence.SELF_DECLARED,
    on_progress: Progress | None = None,
) -> ImportReport:
    """Take judged people from a roster. Running it again with the same rows changes nothing.

    A person whose ID number is on record is left as they are (已有), also where the roster knows more: what somebody
    told an office in person is not overwritten by a list. But what the roster says that they are registered as, and
    that is not on record today, is added, or, with its day, since they were closed: who has lost their work since is
    owed the package. The same person twice in
    a file is taken once (折叠). What `judge_workers` refused is not taken (拒绝). Birth date and sex are those of the
    ID number. Who is on record is looked up in this transaction, however long ago rows were judged. Afterwards the
    spells of those in the roster are brought in line with what they are registered as today: they open for those to
    whom the package is owed, and close where a status has ended. Everybody else's are the nightly run's.

    Args:
        session: a transaction that the caller commits or rolls back.
        judged: the rows, in the order of the file.
        keys: seals identities, and what the ledger says of spells.
        actor: who imports, for the audit and the ledger.
        today: the day from which statuses without a date hold, and spells that are new.
        now: when the records were made.
        evidence: how the statuses in the roster are known.
        on_progress: told how many people have been written.
    """
    valid = [one.draft.id_number for one in judged if is_id_number(one.draft.id_number, today=today)]
    known = find_by_id_numbers(session, valid, keys=keys)
    borne = list_statuses(session, on=today, worker_ids=known.values())
    claimed = {
        (known[one.draft.id_number], status, since)
        for one in judged
        if one.draft.id_number in known
        for status, since in one.draft.statuses
        if since is not None
    }
    again = begun_anew(session, claimed, on=today)
    anew: list[tuple[int, Status, date]] = []
    begun: set[int] = set()
    registered: list[tuple[int, Status, date]] = []
    reports: dict[int, RowReport] = {}
    firsts: dict[str, JudgedWorker] = {}
    repeated: list[tuple[WorkerDraft, WorkerDraft]] = []
    for one in judged:
        draft, first = one.draft, firsts.get(one.draft.id_number)
        if draft.id_number in known:
            worker_id = known[draft.id_number]
            # Once: of two rows of one person the first says since when.
            out_again = [
                (worker_id, status, since)
                for status, since in draft.statuses
                if since is not None and (worker_id, status, since) in again and worker_id not in begun
            ]
            begun |= {worker_id for worker_id, *_ in out_again}
            anew += out_again
            added = [
                (status, since)
                for status, since in draft.statuses
                if status not in borne.get(worker_id, frozenset()) or (worker_id, status, since) in out_again
            ]
            borne[worker_id] = borne.get(worker_id, frozenset()) | {status for status, _ in added}
            registered += [(worker_id, status, since or today) for status, since in added]
            words = f"以前登记过，新登记为{'、'.join(status.label for status, _ in added)}" if added else _UNCHANGED
            reports[draft.row] = _report(draft, RowOutcome.KNOWN, [words], worker_id)
        elif first is not None and first.draft.name != draft.name:
            told = [f"身份证号与第 {first.draft.row} 行相同，姓名却不同"]
            reports[draft.row] = _report(draft, RowOutcome.REFUSED, told)
        elif first is not None:
            repeated.append((draft, first.draft))
        elif one.refusals:
            reports[draft.row] = _report(draft, RowOutcome.REFUSED, [*one.refusals, *one.notes])
        else:
            firsts[draft.id_number] = one
    new = list(firsts.values())
    ids = _store(session, new, keys=keys, evidence=evidence, today=today, now=now, on_progress=on_progress)
    end_statuses_before(session, anew)
    add_statuses(session, registered, evidence=evidence)
    for one in new:
        reports[one.draft.row] = _report(one.draft, RowOutcome.TAKEN, one.notes, ids[one.draft.row])
    for draft, earlier in repeated:
        told = [f"与第 {earlier.row} 行是同一个人，以那一行为准"]
        reports[draft.row] = _report(draft, RowOutcome.FOLDED, told, ids[earlier.row])
    told_of = {*known.values(), *ids.values()}
    sync_spells(session, actor=actor, on=today, now=now, keys=keys, worker_ids=told_of)
    report = ImportReport(rows=tuple(reports[one.draft.row] for one in judged))
    if ids or registered:
        record_act(session, actor=actor, action="import_workers", subject="workers", now=now, detail=report.told_counts)
    return report


def _judge(draft: WorkerDraft, names: PlaceNames, *, today: date) -> JudgedWorker:
    notes = list(draft.notes)
    home = _home(draft, names)
    if home.area is not None and home.area.level is AreaLevel.DISTRICT and home.area.parent_code == CHONGQING:
        notes.append("户籍地只认到区县，没有认出乡镇")
    current = names.locate(words=draft.current_words) if draft.current_words else None
    if current is not None and current.area is None:
        notes.append("现务工地认不出，按没写算")
    if draft.sex is not None and _is_id_shaped(draft.id_number) and sex_of(draft.id_number) != draft.sex.value:
        notes.append("性别与身份证号不一致，以身份证号为准")
    refusals = _refusals(draft, home, today=today)
    return JudgedWorker(draft=draft, home=home, current=current, refusals=tuple(refusals), notes=tuple(notes))


def _home(draft: WorkerDraft, names: PlaceNames) -> Place:
    """Where the columns of the home lead; an address may begin with the district or go on from the township."""
    township, words = draft.home_township, draft.home_words
    readings = [
        names.locate(district=draft.home_district, words=reading)
        for reading in (township or words, township + words, words + township)
    ]
    exact = (place for place in readings if place.area is not None and place.area.level is AreaLevel.TOWNSHIP)
    known = (place for place in readings if place.names_district)
    return next(exact, None) or next(known, None) or readings[0]


def _refusals(draft: WorkerDraft, home: Place, *, today: date) -> list[str]:
    """Why a row is not taken: which column and what to do, never what it holds."""
    found = []
    if not draft.name or len(draft.name) > _NAME_CHARACTERS:
        found.append("没有姓名，或姓名太长")
    if not draft.id_number:
        found.append("没有身份证号")
    elif len(draft.id_number) != _ID_NUMBER_DIGITS:
        found.append(f"身份证号应为 18 位，表里是 {len(draft.id_number)} 位")
    elif not is_id_number(draft.id_number, today=today):
        found.append("身份证号不对：出生日期或校验码有误，请核对")
    elif not may_work(birth_date_of(draft.id_number), today):
        found.append("未满 16 周岁，不能登记求职（劳动法第十五条）")
    if draft.phone and not is_mobile_phone(draft.phone):
        found.append("手机号不对：应为 11 位手机号")
    if not home.names_district:
        found.append("户籍地认不出：请写明区县和乡镇街道")
    return found


def _is_id_shaped(number: str) -> bool:
    return len(number) == _ID_NUMBER_DIGITS and number[:-1].isdecimal()


def _store(
    session: Session,
    new: Sequence[JudgedWorker],
    *,
    keys: KeyRing,
    evidence: Evidence,
    today: date,
    now: datetime,
    on_progress: Progress | None,
) -> dict[int, int]:
    """Write profiles, and what hangs on their ids; ids by row."""
    ids = dict(zip((one.draft.row for one in new), reserve_ids(session, Worker, len(new)), strict=True))
    for start in range(0, len(new), _PEOPLE_A_WRITE):
        part = new[start : start + _PEOPLE_A_WRITE]
        add_workers(
            session,
            [_worker(one, ids[one.draft.row], now=now) for one in part],
            [
                {
                    "worker_id": ids[one.draft.row],
                    "status": status,
                    "evidence": evidence,
                    "valid_from": since or today,
                }
                for one in part
                for status, since in one.draft.statuses
            ],
        )
        add_identities(
            session,
            [
                NewIdentity(
                    worker_id=ids[one.draft.row],
                    name=one.draft.name,
                    id_number=one.draft.id_number,
                    phone=one.draft.phone or None,
                )
                for one in part
            ],
            keys=keys,
        )
        if on_progress is not None:
            on_progress(start + len(part), len(new))
    return ids


def _worker(one: JudgedWorker, worker_id: int, *, now: datetime) -> dict[str, Any]:
    draft, home, current = one.draft, one.home.area, one.current
    assert home is not None  # noqa: S101  rows without a home were refused
    return dict(  # noqa: C408  reads as the row it is
        id=worker_id,
        birth_on=birth_date_of(draft.id_number),
        sex=Sex(sex_of(draft.id_number)),
        home_area_code=home.code,
        current_area_code=current.area.code if current is not None and current.area is not None else None,
        skills_text=draft.skills_text,
        wants=list(draft.wants),
        certificates=list(draft.certificates),
        pay_min_yuan_month=draft.pay_min_yuan_month,
        education=draft.education,
        experience_years=draft.experience_years,
        origin=WorkerOrigin.IMPORTED,
        created_at=now,
        updated_at=now,
    )


def _report(draft: WorkerDraft, outcome: RowOutcome, reasons: Sequence[str], worker_id: int | None = None) -> RowReport:
    return RowReport(row=draft.row, outcome=outcome, reasons=tuple(reasons), id=worker_id)
