"""Bringing in postings in bulk: each row is judged, folded into what is there already, and told about.

All rows go in with one transaction, or none does. What an import must not be taken for: it is no way round the rules of
section 3. A row opens at once only if it holds all that job information must hold and its employer has been verified;
a listing of the past enters as `historical`; everything else waits for an office.

Three steps, of which only the last keeps others waiting: `read_grounds` looks up what rows are judged by, in a read
session; `judge_postings` judges and folds them, in none; `import_postings` writes. In between employers may be verified
and other imports may bring the same rows, so the write looks again at all that can have changed, and reckons anew what
has.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from app.domain.employers import EmployerKind, is_social_credit_code
from app.domain.postings import Finding, PostingState, Verdict
from app.kit.database import reserve_ids
from app.store import policies
from app.store import postings as store
from app.store.audit import record_act
from app.store.employers import Employer, add_employers, find_employers_by_code, find_employers_by_name
from app.usecases.areas import AreaBook
from app.usecases.drafts import JudgedDraft, PlacedDraft, PostingDraft, Yardstick, judge_draft, told_finding
from app.usecases.folds import Folds, Lead, Stored
from app.usecases.matchmaking import ResolvedWords
from app.usecases.outcomes import ImportReport, Progress, RowOutcome, RowReport
from app.usecases.places import PlaceNames
from app.usecases.postings import shelf_life_days

SURE_ENOUGH = 0.35  # judgement: below it a title is not taken for an occupation, and a person is asked
MINIMUM_WAGE_SETTING = "minimum_wage_month"  # yuan a month
NO_MINIMUM_WAGE = "最低工资标准还没有配置，没有核对"

_TITLES_AT_ONCE = 500
_ROWS_A_WRITE = 5_000

_Item = TypeVar("_Item")


def understand_titles(
    drafts: Sequence[PostingDraft],
    *,
    resolve: Callable[[Sequence[str]], Sequence[ResolvedWords | None]],
    on_progress: Progress | None = None,
) -> dict[str, ResolvedWords]:
    """The occupation that each draft's words lead to, by words; those that lead nowhere for sure are left out.

    Takes a while for thousands of titles and needs no transaction: done before one is opened, nobody waits for it.
    """
    titles = list(dict.fromkeys(draft.work_words for draft in drafts if draft.work_words))
    found: dict[str, ResolvedWords] = {}
    for done, part in _parts(titles, _TITLES_AT_ONCE):
        found |= {
            title: words
            for title, words in zip(part, resolve(part), strict=True)
            if words is not None and words.occupation is not None and words.confidence >= SURE_ENOUGH
        }
        if on_progress is not None:
            on_progress(done, len(titles))
    return found


# --- what is there ----------------------------------------------------------------------------------------------------


class _Employers:
    """The employers on record whom the rows of a file may mean."""

    def __init__(self, session: Session, drafts: Sequence[PostingDraft]) -> None:
        self.made: list[Employer] = []
        self._by_key: dict[str, Employer] = {}
        self._codes_in_file: dict[str, set[str]] = {}
        for draft in drafts:
            if draft.employer_name and is_social_credit_code(draft.social_credit_code):
                self._codes_in_file.setdefault(draft.employer_name, set()).add(draft.social_credit_code)
        names = sorted({draft.employer_name for draft in drafts if draft.employer_name})
        codes = sorted({draft.social_credit_code for draft in drafts if draft.social_credit_code})
        self._by_key |= find_employers_by_name(session, names)
        self._by_key |= find_employers_by_code(session, codes)

    def find(self, draft: PostingDraft) -> Employer | None:
        """The employer on record: by code, else by name unless that one bears another code."""
        key = self._key_in_file(draft)
        if key in self._by_key:
            return self._by_key[key]
        namesake = self._by_key.get(draft.employer_name)
        return namesake if namesake is not None and namesake.social_credit_code is None else None

    def key(self, draft: PostingDraft) -> str:
        """What tells the employer from others: a code or a name, "" without one."""
        employer = self.find(draft)
        return (employer.social_credit_code or employer.name) if employer else self._key_in_file(draft)

    def find_or_make(self, draft: PostingDraft) -> Employer | None:
        """The employer on record, or a new one, put with those `made`; None without one."""
        employer, key = self.find(draft), self._key_in_file(draft)
        if employer is None and key:
            employer = self._by_key[key] = Employer(
                name=draft.employer_name,
                kind=_employer_kind(draft.employer_name),
                social_credit_code=key if is_social_credit_code(key) else None,
            )
            self.made.append(employer)
        return employer

    def _key_in_file(self, draft: PostingDraft) -> str:
        """The code, else the one code that the file gives for this name elsewhere, else the name."""
        if draft.social_credit_code:
            return draft.social_credit_code
        codes = self._codes_in_file.get(draft.employer_name, set())
        return next(iter(codes)) if len(codes) == 1 else draft.employer_name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """What the database held of concern to the rows of a file when it was looked at.

    `known` are posting ids by source and source key; `fold_keys` stand in the order of the rows; `stored` are the
    postings that are not closed, by fold key.
    """

    known: Mapping[tuple[str, str], int]
    employers: _Employers
    fold_keys: Sequence[str]
    stored: Mapping[str, Stored]


def _look_up(session: Session, rows: Sequence[PlacedDraft]) -> _Standing:
    keys: dict[str, list[str]] = {}
    for row in rows:
        keys.setdefault(row.draft.source, []).append(row.draft.source_key)
    employers = _Employers(session, [row.draft for row in rows])
    fold_keys = [row.fold_key(employers.key(row.draft)) for row in rows]
    stored: dict[str, list[tuple[int, str]]] = {}
    for posting_id, fold_key, title in store.list_foldable_postings(session, set(fold_keys)):
        stored.setdefault(fold_key, []).append((posting_id, title))
    return _Standing(
        known={
            (source, key): posting_id
            for source, wanted in keys.items()
            for key, posting_id in store.known_source_keys(session, source, wanted).items()
        },
        employers=employers,
        fold_keys=fold_keys,
        stored={fold_key: tuple(postings) for fold_key, postings in stored.items()},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """The rows of a file with what they are judged by, as the database had it a moment ago."""

    rows: Sequence[PlacedDraft]
    yardstick: Yardstick
    standing: _Standing


def read_grounds(
    session: Session,
    drafts: Sequence[PostingDraft],
    *,
    occupations: Mapping[str, ResolvedWords],
    areas: AreaBook,
    today: date,
    on_progress: Progress | None = None,
) -> Grounds:
    """Look up places, employers, what other imports have brought, and what the office has set. Changes nothing.

    Args:
        session: a session that may be read-only.
        drafts: the rows, in the order of the file.
        occupations: what `understand_titles` found.
        areas: the areas in force today.
        today: the day on which validity is judged.
        on_progress: told how many rows have been placed.
    """
    places = PlaceNames(areas, today=today)
    rows = []
    for done, draft in enumerate(drafts, start=1):
        place = places.locate(
            city=draft.city,
            district=draft.district,
            words=draft.workplace,
            code=draft.area_code,
            on=draft.observed_on or today,
        )
        rows.append(PlacedDraft(draft=draft, place=place, occupation=occupations.get(draft.work_words)))
        if on_progress is not None:
            on_progress(done, len(drafts))
    minimum = policies.find_setting(session, MINIMUM_WAGE_SETTING, on=today)
    yardstick = Yardstick(
        today=today,
        shelf_life_days=shelf_life_days(session, on=today),
        minimum_wage=None if minimum is None else Decimal(str(minimum.value)),
    )
    return Grounds(rows=rows, yardstick=yardstick, standing=_look_up(session, rows))


# --- judging ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPostings:
    """The rows of a file, placed and judged, in its order; `folds` remembers which of them name one job."""

    placed: Sequence[PlacedDraft]
    judged: Sequence[JudgedDraft]
    yardstick: Yardstick
    folds: Folds = field(default_factory=Folds)


def judge_postings(grounds: Grounds, *, on_progress: Progress | None = None) -> JudgedPostings:
    """Judge each row by its own words, and compare the titles of those that may name one job. Needs no session.

    Fees, held papers, training loans, a wrong social credit code and a validity that has passed refuse a row.
    """
    judged = []
    for done, row in enumerate(grounds.rows, start=1):
        judged.append(judge_draft(row, yardstick=grounds.yardstick))
        if on_progress is not None:
            on_progress(done, len(grounds.rows))
    postings = JudgedPostings(placed=grounds.rows, judged=judged, yardstick=grounds.yardstick)
    _fold(postings, grounds.standing)  # the write asks the same, and is answered from what is remembered
    return postings


def _fold(postings: JudgedPostings, standing: _Standing) -> dict[int, Lead]:
    """Where rows lead, by row, except for those that are refused, known, or stand further up under the same key."""
    buckets: dict[str, list[tuple[int, str]]] = {}
    seen = set(standing.known)
    for one, fold_key in zip(postings.judged, standing.fold_keys, strict=True):
        key = (one.draft.source, one.draft.source_key)
        if key not in seen and not one.refusals:
            buckets.setdefault(fold_key, []).append((one.draft.row, one.plain_title))
        seen.add(key)
    leads: dict[int, Lead] = {}
    for fold_key, rows in buckets.items():
        found = postings.folds.find(fold_key, stored=standing.stored.get(fold_key, ()), rows=tuple(rows))
        leads |= {row: lead for (row, _), lead in zip(rows, found, strict=True)}
    return leads


# --- writing ----------------------------------------------------------------------------------------------------------


def import_postings(
    session: Session, postings: JudgedPostings, *, actor: str, now: datetime, on_progress: Progress | None = None
) -> ImportReport:
    """Take judged postings from a file. Running it again with the same rows changes nothing.

    A row that a source has brought before is left alone (已有), also when it now says something else. A row that stands
    for a posting already there, or for an earlier row, is folded into it: only its source is kept (折叠). Either of
    them confirms the posting: when it names a later validity, an open, paused or waiting posting is valid until then.
    What must not be offered is refused (拒绝). What lacks something that job information must hold, has words that want
    a look, or comes from an employer nobody has verified goes to review (送审). An age cap without a lawful reason is
    kept with its words and not applied.

    Employers, known rows and postings to fold into are those of this transaction, not those of the judging.

    Args:
        session: a transaction that the caller commits or rolls back.
        postings: what `judge_postings` said.
        actor: who imports, for the audit.
        now: when postings count as changed; `stamp_for_commit` moves it on as the last thing in the transaction.
        on_progress: told how many new postings have been written.
    """
    standing = _look_up(session, postings.placed)
    leads = _fold(postings, standing)
    new = [
        _arrival(one, fold_key, standing.employers)
        for one, fold_key in zip(postings.judged, standing.fold_keys, strict=True)
        if one.draft.row in leads and leads[one.draft.row].row == one.draft.row
    ]
    ids = _add_postings(session, new, employers=standing.employers, now=now, on_progress=on_progress)
    led_to = {row: ids[lead.row] if lead.row is not None else lead.id for row, lead in leads.items()}
    store.add_posting_sources(
        session,
        [
            {
                "posting_id": led_to[one.draft.row],
                "source": one.draft.source,
                "source_key": one.draft.source_key,
                "imported_at": now,
            }
            for one in postings.judged
            if one.draft.row in led_to
        ],
    )
    reports = {arrival.row: _new_report(arrival, ids[arrival.row]) for arrival in new}
    firsts: dict[tuple[str, str], PostingDraft] = {}
    repeated: list[tuple[PostingDraft, PostingDraft]] = []
    for one in postings.judged:
        draft, key = one.draft, (one.draft.source, one.draft.source_key)
        first = firsts.setdefault(key, draft)
        if first is not draft:
            repeated.append((draft, first))
        elif key in standing.known:
            reports[draft.row] = _report(draft, RowOutcome.KNOWN, ["以前导入过，没有改动"], standing.known[key])
        elif one.refusals:
            reports[draft.row] = _report(draft, RowOutcome.REFUSED, [*one.refusals, *one.notes])
        elif draft.row not in reports:
            reports[draft.row] = _fold_report(draft, leads[draft.row], led_to[draft.row])
    reports |= _renew(session, postings, reports, now=now)
    for draft, first in repeated:
        reports[draft.row] = _repeat(draft, first, reports[first.row])
    report = ImportReport(
        rows=tuple(reports[one.draft.row] for one in postings.judged),
        notes=() if postings.yardstick.minimum_wage is not None else (NO_MINIMUM_WAGE,),
    )
    if report.has_changed_anything:
        record_act(
            session, actor=actor, action="import_postings", subject="postings", now=now, detail=report.told_counts
        )
    return report


def stamp_for_commit(session: Session, *, stamped_at: datetime, changed_at: datetime) -> None:
    """Let what an import stamped at its beginning count as changed now; to be followed by nothing but the commit.

    Args:
        session: the transaction of the import.
        stamped_at: the `now` that the import was given.
        changed_at: this instant, by the clock.
    """
    store.restamp_postings(session, stamped_at=stamped_at, changed_at=changed_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrival:
    """A new posting, and what the standing of its employer makes of it."""

    judged: JudgedDraft
    fold_key: str
    findings: Sequence[Finding]
    notes: Sequence[str]
    state: PostingState

    @property
    def row(self) -> int:
        return self.judged.draft.row


def _arrival(one: JudgedDraft, fold_key: str, employers: _Employers) -> _Arrival:
    draft, employer, notes = one.draft, employers.find(one.draft), list(one.notes)
    differs = []
    if employer is not None and draft.employer_name != employer.name:
        text = "统一社会信用代码登记的是另一个名称"
        differs.append(Finding(Verdict.REVIEW, "employer_name_differs", draft.employer_name, text))
    findings = [*one.findings, *differs, *one.wage_findings]
    state = PostingState.REVIEW
    if draft.is_of_the_past:
        state = PostingState.REVIEW if findings else PostingState.HISTORICAL
    else:
        is_verified = employer is not None and employer.verified_on is not None
        if draft.employer_name and not is_verified:
            notes.append("用人单位还没有核验")
        if is_verified and not one.lacks and not findings:
            state = PostingState.OPEN
    return _Arrival(judged=one, fold_key=fold_key, findings=findings, notes=notes, state=state)


def _add_postings(
    session: Session,
    new: Sequence[_Arrival],
    *,
    employers: _Employers,
    now: datetime,
    on_progress: Progress | None,
) -> dict[int, int]:
    """Store new postings and the employers that they bring; ids of the postings by row."""
    offering = {arrival.row: employers.find_or_make(arrival.judged.draft) for arrival in new}
    add_employers(session, employers.made)
    ids = dict(zip((arrival.row for arrival in new), reserve_ids(session, store.Posting, len(new)), strict=True))
    for done, part in _parts(new, _ROWS_A_WRITE):
        store.add_postings(
            session,
            [_posting(arrival, ids[arrival.row], employer=offering[arrival.row], now=now) for arrival in part],
        )
        if on_progress is not None:
            on_progress(done, len(new))
    return ids


def _posting(arrival: _Arrival, posting_id: int, *, employer: Employer | None, now: datetime) -> dict[str, Any]:
    one = arrival.judged
    return {
        **one.values,
        "id": posting_id,
        "state": arrival.state,
        "employer_id": employer.id if employer else None,
        "lacks": [lack.value for lack in one.lacks],
        "findings": [{"code": each.code, "words": each.words, "text": each.text} for each in arrival.findings],
        "fold_key": arrival.fold_key,
        "posted_at": one.values["posted_at"] or now,
        "changed_at": now,
    }


def _renew(
    session: Session, postings: JudgedPostings, reports: Mapping[int, RowReport], *, now: datetime
) -> dict[int, RowReport]:
    """Let rows that stand for a posting already there extend it; the reports of those that did, by row."""
    confirming = [
        (report, report.id, one.draft.valid_until)
        for one in postings.judged
        if (report := reports.get(one.draft.row)) is not None
        and report.outcome in (RowOutcome.FOLDED, RowOutcome.KNOWN)
        and report.id is not None
        and one.draft.valid_until is not None
        and not one.is_unlawful
    ]
    renewable = store.lock_renewable_postings(session, [posting_id for _, posting_id, _ in confirming])
    extended: dict[int, date] = {}
    renewed = {}
    for report, posting_id, named in confirming:
        if posting_id not in renewable:
            continue
        kind, valid_until = renewable[posting_id]
        later = min(named, postings.yardstick.latest(kind))
        if later <= extended.get(posting_id, valid_until):
            continue
        extended[posting_id] = later
        reasons = ("以前导入过",) if report.outcome is RowOutcome.KNOWN else report.reasons
        renewed[report.row] = replace(report, reasons=(*reasons, f"有效期延到 {later}"), is_renewed=True)
    store.extend_postings(session, extended, changed_at=now)
    return renewed


_KINDS_OF_EMPLOYERS = (
    (EmployerKind.WORKSHOP, ("帮扶车间", "就业车间", "扶贫车间")),
    (EmployerKind.PROJECT, ("项目部", "指挥部")),
    (
        EmployerKind.PUBLIC_BODY,
        ("村民委员会", "居民委员会", "村委会", "居委会", "人民政府", "街道办事处", "管理委员会"),
    ),
)


def _employer_kind(name: str) -> EmployerKind:
    """What the name says; a firm when it says nothing."""
    return next((kind for kind, words in _KINDS_OF_EMPLOYERS if any(word in name for word in words)), EmployerKind.FIRM)


def _parts(items: Sequence[_Item], size: int) -> Iterator[tuple[int, Sequence[_Item]]]:
    """The items in parts of a size, each with how many there are up to its end."""
    for start in range(0, len(items), size):
        part = items[start : start + size]
        yield start + len(part), part


# --- what is told -----------------------------------------------------------------------------------------------------


def _report(
    draft: PostingDraft,
    outcome: RowOutcome,
    reasons: Sequence[str],
    posting_id: int | None = None,
    *,
    is_historical: bool = False,
) -> RowReport:
    return RowReport(
        row=draft.row,
        outcome=outcome,
        reasons=tuple(reasons),
        title=draft.title,
        id=posting_id,
        is_historical=is_historical,
    )


def _new_report(arrival: _Arrival, posting_id: int) -> RowReport:
    one, draft = arrival.judged, arrival.judged.draft
    reasons = [told_finding(finding) for finding in arrival.findings]
    if one.lacks:
        reasons.append("缺：" + "、".join(lack.label for lack in one.lacks))
    if words := one.values["age_words"]:
        reasons.append(f"“{words}”没有写明法定理由，不按它筛人，求职者会看到提醒")
    reasons += arrival.notes
    if arrival.state is PostingState.HISTORICAL:
        told = [f"历史样例（{draft.observed}），不推送、不计数", *reasons]
        return _report(draft, RowOutcome.TAKEN, told, posting_id, is_historical=True)
    if arrival.state is PostingState.OPEN:
        return _report(draft, RowOutcome.TAKEN, ["已开放", *reasons], posting_id)
    return _report(draft, RowOutcome.REVIEW, reasons, posting_id)


def _fold_report(draft: PostingDraft, lead: Lead, posting_id: int) -> RowReport:
    where = f"已有的岗位（编号 {posting_id}）" if lead.row is None else f"第 {lead.row} 行"
    return _report(draft, RowOutcome.FOLDED, [f"与{where}是同一个岗位，来源已记下"], posting_id)


def _repeat(draft: PostingDraft, first: PostingDraft, report: RowReport) -> RowReport:
    """A row whose key stands further up in the file: the same row again, or another one under the same number."""
    if draft.fingerprint != first.fingerprint:
        return _report(draft, RowOutcome.REFUSED, [f"岗位编号与第 {first.row} 行相同，内容却不同"])
    is_in = report.outcome in (RowOutcome.TAKEN, RowOutcome.REVIEW)
    outcome = RowOutcome.FOLDED if is_in else report.outcome
    return _report(draft, outcome, [f"与第 {first.row} 行完全相同"], report.id)
