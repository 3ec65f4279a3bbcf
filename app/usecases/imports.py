"""Bringing in postings in bulk: each row is judged, folded into what is there already, and told about.

All rows go in with one transaction, or none does. What an import must not be taken for: it is no way round the rules of
section 3. A row opens at once only if it holds all that job information must hold and its employer has been verified;
a listing of the past enters as `historical`; everything else waits for an office.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from rapidfuzz import fuzz, process
from sqlalchemy.orm import Session

from app.domain.employers import EmployerKind, is_social_credit_code
from app.domain.pay import MONTHS_A_YEAR, Pay, PayUnit
from app.domain.postings import (
    Finding,
    Lack,
    PostingKind,
    PostingOrigin,
    PostingState,
    Verdict,
    age_limits_in,
    conceal_contacts,
    plain_title,
    screen,
)
from app.domain.workers import Education
from app.kit.clock import CHINA
from app.store import policies
from app.store import postings as store
from app.store.audit import record_act
from app.store.employers import Employer, find_employers_by_code, find_employers_by_name
from app.usecases.areas import AreaBook
from app.usecases.matchmaking import ResolvedWords
from app.usecases.places import Place, PlaceNames
from app.usecases.postings import shelf_life_days

SURE_ENOUGH = 0.35  # judgement: below it a title is not taken for an occupation, and a person is asked
ALIKE_TITLES = 92.0  # of 100; two titles this alike, in one bucket, name one job
MINIMUM_WAGE_SETTING = "minimum_wage_month"  # yuan a month
NO_MINIMUM_WAGE = "最低工资标准还没有配置，没有核对"
CONTACTS_TAKEN_OUT = "里面写有联系人或联系方式，已经隐去"
OWN_SOURCE = "import"
"""The source of rows from a file that names no platform."""

Progress = Callable[[int, int], None]
"""Called with rows done and rows in all."""

_CHUNK = 500
_FREE_TEXT = (
    *("title", "occupation_words", "employer_name", "workplace", "duties", "conditions", "tags", "hours"),
    *("age_words", "paid_by", "paid_when"),
)


class RowOutcome(StrEnum):
    """What became of a row."""

    TAKEN = "taken"
    REVIEW = "review"
    FOLDED = "folded"
    KNOWN = "known"
    REFUSED = "refused"

    @property
    def label(self) -> str:
        return {"taken": "收下", "review": "送审", "folded": "折叠", "known": "已有", "refused": "拒绝"}[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReport:
    """What became of one row and why, in Chinese. `title` is empty where a row is a person. `id` is what it led to.

    `is_renewed` says that a posting already there is valid for longer because of the row.
    """

    row: int
    outcome: RowOutcome
    reasons: tuple[str, ...] = ()
    title: str = ""
    id: int | None = None
    is_historical: bool = False
    is_renewed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of each row, in the order of the file; `notes` say in Chinese what holds for all of them."""

    rows: tuple[RowReport, ...]
    notes: tuple[str, ...] = ()

    def count(self, outcome: RowOutcome) -> int:
        """How many rows came out so."""
        return sum(row.outcome is outcome for row in self.rows)

    @property
    def counts(self) -> dict[str, int]:
        """Rows by outcome, every outcome named."""
        return {outcome.value: self.count(outcome) for outcome in RowOutcome}

    @property
    def historical(self) -> int:
        """How many rows were taken as listings of the past."""
        return sum(row.is_historical and row.outcome is RowOutcome.TAKEN for row in self.rows)

    @property
    def renewed(self) -> int:
        """How many rows made a posting valid for longer."""
        return sum(row.is_renewed for row in self.rows)

    @property
    def has_changed_anything(self) -> bool:
        """Whether a row left something in the database."""
        changing = (RowOutcome.TAKEN, RowOutcome.REVIEW, RowOutcome.FOLDED)
        return any(row.is_renewed or row.outcome in changing for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingDraft:
    """A row of a file, read but not judged. `notes` says in Chinese which cells were not understood.

    `source_key` names the row within its `source` for ever: the platform's id, or the fingerprint of what it holds.
    `observed` is the month (`2024-07`) in which a listing was seen. A listing of the past hires nobody: whoever reads
    it in, no draft of one names a person to ask for or a number to call.
    """

    row: int
    title: str
    source_key: str
    fingerprint: str
    source: str = OWN_SOURCE
    observed: str = ""
    observed_on: date | None = None
    city: str = ""
    district: str = ""
    area_code: str = ""
    workplace: str = ""
    occupation_words: str = ""
    kind: PostingKind | None = None
    pay: Pay | None = None
    paid_by: str = ""
    paid_when: str = ""
    openings: int | None = None
    education: Education | None = None
    experience_years_min: int | None = None
    employer_name: str = ""
    social_credit_code: str = ""
    duties: str = ""
    conditions: str = ""
    tags: str = ""
    age_words: str = ""
    sex_words: str = ""
    hours: str = ""
    ends_at_hour: int | None = None
    posted_on: date | None = None
    starts_on: date | None = None
    valid_until: date | None = None
    certificates: tuple[str, ...] = ()
    meals: bool | None = None
    lodging: bool | None = None
    insurance: bool | None = None
    phone: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.is_of_the_past:
            return
        told = {name: getattr(self, name) for name in _FREE_TEXT}
        kept = {**{name: conceal_contacts(text) for name, text in told.items()}, "phone": ""}
        if kept == {**told, "phone": self.phone}:
            return
        # Frozen: what was made is not changed, only its making is finished.
        for name, text in kept.items():
            object.__setattr__(self, name, text)
        object.__setattr__(self, "notes", (*self.notes, CONTACTS_TAKEN_OUT))

    @property
    def work_words(self) -> str:
        """The words that name the occupation: a column of its own, else the title."""
        return self.occupation_words or self.title

    @property
    def is_of_the_past(self) -> bool:
        """Whether it is a listing seen once, of which nobody says that it still holds."""
        return bool(self.observed) and self.valid_until is None


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
    done = 0
    for part in _chunks(titles):
        found |= {
            title: words
            for title, words in zip(part, resolve(part), strict=True)
            if words is not None and words.occupation is not None and words.confidence >= SURE_ENOUGH
        }
        done += len(part)
        if on_progress is not None:
            on_progress(done, len(titles))
    return found


def import_postings(
    session: Session,
    drafts: Sequence[PostingDraft],
    *,
    occupations: Mapping[str, ResolvedWords],
    areas: AreaBook,
    actor: str,
    today: date,
    now: datetime,
    on_progress: Progress | None = None,
) -> ImportReport:
    """Take postings from a file. Running it again with the same rows changes nothing.

    A row that a source has brought before is left alone (已有), also when it now says something else. A row that stands
    for a posting already there, or for an earlier row, is folded into it: only its source is kept (折叠). Either of
    them confirms the posting: when it names a later validity, an open, paused or waiting posting is valid until then.
    Fees, held papers, training loans, a wrong social credit code and a validity that has passed refuse a row (拒绝).
    What lacks something that job information must hold, has words that want a look, or comes from an employer nobody
    has verified goes to review (送审). An age cap without a lawful reason is kept with its words and not applied.

    Args:
        session: a transaction that the caller commits or rolls back.
        drafts: the rows, in the order of the file.
        occupations: what `understand_titles` found.
        areas: the areas in force today.
        actor: who imports, for the audit.
        today: the day on which validity is judged.
        now: when postings count as changed; `stamp_for_commit` moves it on as the last thing in the transaction.
        on_progress: told how far it is.
    """
    report = _Import(session, occupations, areas, today=today, now=now).run(drafts, on_progress=on_progress)
    if report.has_changed_anything:
        record_act(
            session, actor=actor, action="import_postings", subject="postings", now=now, detail=told_counts(report)
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


def told_counts(report: ImportReport) -> str:
    """The counts for the audit: `taken 12, review 3, …`."""
    return ", ".join(f"{outcome} {number}" for outcome, number in report.counts.items())


@dataclass(slots=True, kw_only=True)
class _Judged:
    """A row on its way: what it would become, and why. `employer` is a code or a name, "" without one."""

    draft: PostingDraft
    place: Place
    occupation: ResolvedWords | None
    employer: str
    pay_window: tuple[str, ...]
    plain_title: str
    findings: list[Finding]
    notes: list[str]
    refusals: list[str]
    lacks: list[Lack] = field(default_factory=list)
    state: PostingState = PostingState.REVIEW

    @property
    def bucket(self) -> str:
        """The same for rows that agree in everything but the title: employer, occupation, place, pay, month."""
        parts = (
            self.employer,
            self.occupation.occupation or "" if self.occupation else "",
            self.place.area.code if self.place.area else "",
            *self.pay_window,
            self.draft.observed if self.draft.is_of_the_past else "",
        )
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


@dataclass(slots=True, kw_only=True)
class _Known:
    """A posting into which later rows may be folded. `row` is None for one that was stored before, under `id`."""

    row: int | None
    id: int = 0


class _Bucket:
    """Postings that agree in everything but the title, found by a title like theirs.

    1号厂房 and 2号厂房 are two jobs, so only titles with the same digits are compared. A file may hold thousands of
    rows that differ in nothing but their titles: those whose lengths alone make them unlike are not looked at.
    """

    def __init__(self) -> None:
        self._titles: dict[tuple[str, int], list[str]] = {}
        self._known: dict[str, _Known] = {}

    def find(self, title: str) -> _Known | None:
        """The posting whose plain title is this one or the most like it."""
        if title in self._known:
            return self._known[title]
        digits, own = _digits(title), len(title)
        candidates = [
            other
            for length in range(own // 2, 2 * own)
            # What has to be put in or taken out at least; of another title of the same length one sign is both.
            if 100 * (1 - (abs(length - own) or 2) / (length + own)) >= ALIKE_TITLES
            for other in self._titles.get((digits, length), ())
        ]
        best = process.extractOne(title, candidates, scorer=fuzz.ratio, score_cutoff=ALIKE_TITLES)
        return self._known[best[0]] if best else None

    def add(self, title: str, known: _Known) -> None:
        """Let later rows be folded into a posting; of two with one title the first stays."""
        if title not in self._known:
            self._known[title] = known
            self._titles.setdefault((_digits(title), len(title)), []).append(title)


class _Import:
    """One run. Rows are judged one by one, then folded, then written together."""

    def __init__(
        self,
        session: Session,
        occupations: Mapping[str, ResolvedWords],
        areas: AreaBook,
        *,
        today: date,
        now: datetime,
    ) -> None:
        self._session = session
        self._occupations = occupations
        self._places = PlaceNames(areas, today=today)
        self._today = today
        self._shelf_life_days = shelf_life_days(session, on=today)
        minimum = policies.find_setting(session, MINIMUM_WAGE_SETTING, on=today)
        self._minimum_wage = None if minimum is None else Decimal(str(minimum.value))
        self._now = now
        self._employers: dict[str, Employer] = {}
        self._codes_in_file: dict[str, set[str]] = {}

    def run(self, drafts: Sequence[PostingDraft], *, on_progress: Progress | None) -> ImportReport:
        known = self._known_rows(drafts)
        self._load_employers(drafts)
        reports: dict[int, RowReport] = {}
        judged: list[_Judged] = []
        firsts: dict[tuple[str, str], PostingDraft] = {}
        repeated: list[tuple[PostingDraft, PostingDraft]] = []
        for done, draft in enumerate(drafts, start=1):
            first = firsts.setdefault((draft.source, draft.source_key), draft)
            posting_id = known.get((draft.source, draft.source_key))
            if first is not draft:
                repeated.append((draft, first))
            elif posting_id is not None:
                reports[draft.row] = _report(draft, RowOutcome.KNOWN, ["以前导入过，没有改动"], posting_id)
            else:
                one = self._judge(draft)
                if one.refusals:
                    reports[draft.row] = _report(draft, RowOutcome.REFUSED, [*one.refusals, *one.notes])
                else:
                    judged.append(one)
            if on_progress is not None:
                on_progress(done, len(drafts))
        reports |= {report.row: report for report in self._store(judged)}
        reports |= self._renew(drafts, reports)
        for draft, first in repeated:
            reports[draft.row] = _repeat(draft, first, reports[first.row])
        notes = () if self._minimum_wage is not None else (NO_MINIMUM_WAGE,)
        return ImportReport(rows=tuple(reports[draft.row] for draft in drafts), notes=notes)

    # --- what is there ------------------------------------------------------------------------------------------------

    def _known_rows(self, drafts: Sequence[PostingDraft]) -> dict[tuple[str, str], int]:
        keys: dict[str, list[str]] = {}
        for draft in drafts:
            keys.setdefault(draft.source, []).append(draft.source_key)
        return {
            (source, key): posting_id
            for source, wanted in keys.items()
            for key, posting_id in store.known_source_keys(self._session, source, wanted).items()
        }

    def _load_employers(self, drafts: Sequence[PostingDraft]) -> None:
        """Employers on record, by name and by social credit code."""
        for draft in drafts:
            if draft.employer_name and is_social_credit_code(draft.social_credit_code):
                self._codes_in_file.setdefault(draft.employer_name, set()).add(draft.social_credit_code)
        names = sorted({draft.employer_name for draft in drafts if draft.employer_name})
        codes = sorted({draft.social_credit_code for draft in drafts if draft.social_credit_code})
        for part in _chunks(names):
            self._employers |= find_employers_by_name(self._session, part)
        for part in _chunks(codes):
            self._employers |= find_employers_by_code(self._session, part)

    def _employer_key(self, draft: PostingDraft) -> str:
        """The code, else the one code that the file gives for this name elsewhere, else the name."""
        if draft.social_credit_code:
            return draft.social_credit_code
        codes = self._codes_in_file.get(draft.employer_name, set())
        return next(iter(codes)) if len(codes) == 1 else draft.employer_name

    def _employer_of(self, draft: PostingDraft) -> Employer | None:
        """The employer on record: by code, else by name unless that one bears another code."""
        key = self._employer_key(draft)
        if key in self._employers:
            return self._employers[key]
        namesake = self._employers.get(draft.employer_name)
        return namesake if namesake is not None and namesake.social_credit_code is None else None

    # --- judging ------------------------------------------------------------------------------------------------------

    def _judge(self, draft: PostingDraft) -> _Judged:
        place = self._places.locate(
            city=draft.city,
            district=draft.district,
            words=draft.workplace,
            code=draft.area_code,
            on=draft.observed_on or self._today,
        )
        employer = self._employer_of(draft)
        findings = _findings(draft, employer) + self._wage_findings(draft)
        one = _Judged(
            draft=draft,
            place=place,
            occupation=self._occupations.get(draft.work_words),
            employer=(employer.social_credit_code or employer.name) if employer else self._employer_key(draft),
            pay_window=_pay_window(draft.pay),
            plain_title=plain_title(draft.title),
            findings=[finding for finding in findings if finding.verdict is Verdict.REVIEW],
            refusals=self._refusals(draft)
            + [_told(finding) for finding in findings if finding.verdict is Verdict.REFUSE],
            notes=[note for note in (*draft.notes, place.note, self._shortened(draft)) if note],
        )
        one.lacks = _lacks(one)
        if draft.is_of_the_past:
            one.state = PostingState.REVIEW if one.findings else PostingState.HISTORICAL
            return one
        is_verified = employer is not None and employer.verified_on is not None
        if draft.employer_name and not is_verified:
            one.notes.append("用人单位还没有核验")
        if is_verified and not one.lacks and not one.findings:
            one.state = PostingState.OPEN
        return one

    def _wage_findings(self, draft: PostingDraft) -> list[Finding]:
        """Full-time pay below the minimum wage. A listing of the past is not held against the wage of today."""
        pay = draft.pay
        if self._minimum_wage is None or pay is None or not pay.is_plausible() or draft.is_of_the_past:
            return []
        top = pay.yuan_month()[1]
        if _kind_of(draft) is not PostingKind.FULL_TIME or top is None or top >= self._minimum_wage:
            return []
        text = f"工资低于最低工资标准（每月 {self._minimum_wage.normalize():f} 元，劳动法第四十八条）"
        return [Finding(Verdict.REVIEW, "below_minimum_wage", pay.told(), text)]

    def _refusals(self, draft: PostingDraft) -> list[str]:
        found = []
        if not draft.title:
            found.append("没有岗位名称")
        if draft.social_credit_code and not is_social_credit_code(draft.social_credit_code):
            found.append("统一社会信用代码不对：位数或校验码有误")
        if draft.valid_until is not None and draft.valid_until < self._today:
            found.append(f"有效期 {draft.valid_until} 已过")
        if draft.observed_on is not None and draft.observed_on > self._today:
            found.append(f"采集时间 {draft.observed} 还没到")
        return found + [
            f"{name}超过 {limit} 字"
            for name, text, limit in (
                ("岗位名称", draft.title, 120),
                ("用人单位", draft.employer_name, 120),
                ("工作地点", draft.workplace, 200),
                ("发工资的单位", draft.paid_by, 120),
                ("发工资的时间", draft.paid_when, 60),
                ("工作时间", draft.hours, 80),
            )
            if len(text) > limit
        ]

    def _shortened(self, draft: PostingDraft) -> str:
        valid_until = self._valid_until(draft)
        if valid_until == draft.valid_until:
            return ""
        return f"有效期按{_kind_of(draft).label}最长的期限算到 {valid_until}"

    def _valid_until(self, draft: PostingDraft) -> date | None:
        return None if draft.valid_until is None else min(draft.valid_until, self._latest(_kind_of(draft)))

    def _latest(self, kind: PostingKind) -> date:
        """How long a posting that is confirmed today may stand."""
        return self._today + timedelta(days=self._shelf_life_days[kind])

    # --- folding and writing ------------------------------------------------------------------------------------------

    def _store(self, judged: Sequence[_Judged]) -> list[RowReport]:
        """Write what is new, fold what is not, and tell of each row."""
        buckets: defaultdict[str, _Bucket] = defaultdict(_Bucket)
        for posting_id, bucket, title in store.list_foldable_postings(self._session, {one.bucket for one in judged}):
            buckets[bucket].add(plain_title(title), _Known(row=None, id=posting_id))
        led_to: list[_Known] = []
        new: list[_Judged] = []
        for one in judged:
            alike = buckets[one.bucket]
            same = alike.find(one.plain_title)
            if same is None:
                same = _Known(row=one.draft.row)
                alike.add(one.plain_title, same)
                new.append(one)
            led_to.append(same)
        ids = self._add_postings(new)
        reports, sources = [], []
        for one, known in zip(judged, led_to, strict=True):
            posting_id = ids[known.row] if known.row is not None else known.id
            sources.append(
                {
                    "posting_id": posting_id,
                    "source": one.draft.source,
                    "source_key": one.draft.source_key,
                    "imported_at": self._now,
                }
            )
            is_new = known.row == one.draft.row
            reports.append(_new_report(one, posting_id) if is_new else _fold_report(one, known, posting_id))
        store.add_posting_sources(self._session, sources)
        return reports

    def _renew(self, drafts: Sequence[PostingDraft], reports: Mapping[int, RowReport]) -> dict[int, RowReport]:
        """Let rows that stand for a posting already there extend it; the reports of those that did, by row."""
        confirming = [
            (draft, report.id, draft.valid_until)
            for draft in drafts
            if (report := reports.get(draft.row)) is not None
            and report.outcome in (RowOutcome.FOLDED, RowOutcome.KNOWN)
            and report.id is not None
            and draft.valid_until is not None
            and not _is_refused(draft)
        ]
        postings = {
            posting.id: posting
            for posting in store.list_renewable_postings(self._session, [each[1] for each in confirming])
        }
        renewed = {}
        for draft, posting_id, named in confirming:
            posting = postings.get(posting_id)
            if posting is None or posting.valid_until is None:
                continue
            valid_until = min(named, self._latest(posting.kind))
            if valid_until <= posting.valid_until:
                continue
            posting.valid_until, posting.changed_at = valid_until, self._now
            report = reports[draft.row]
            reasons = ("以前导入过",) if report.outcome is RowOutcome.KNOWN else report.reasons
            renewed[draft.row] = replace(report, reasons=(*reasons, f"有效期延到 {valid_until}"), is_renewed=True)
        self._session.flush()
        return renewed

    def _add_postings(self, new: Sequence[_Judged]) -> dict[int, int]:
        """Store new postings and the employers that they bring; ids of the postings by row."""
        employers = {one.draft.row: self._employer_for(one) for one in new if one.employer}
        self._session.flush()
        rows = [self._posting(one, employers.get(one.draft.row)) for one in new]
        ids = store.add_postings(self._session, rows)
        return {one.draft.row: posting_id for one, posting_id in zip(new, ids, strict=True)}

    def _employer_for(self, one: _Judged) -> Employer:
        employer = self._employer_of(one.draft)
        if employer is None:
            employer = Employer(
                name=one.draft.employer_name,
                kind=_employer_kind(one.draft.employer_name),
                social_credit_code=one.employer if is_social_credit_code(one.employer) else None,
            )
            self._employers[one.employer] = employer
            self._session.add(employer)
        return employer

    def _posting(self, one: _Judged, employer: Employer | None) -> dict[str, Any]:
        draft, pay = one.draft, one.draft.pay
        age_min, age_max, age_words = _age_limits(draft)
        kind = _kind_of(draft)
        by_the_month: tuple[int | None, int | None] = (None, None)
        if pay is not None and pay.is_plausible():
            by_the_month = pay.yuan_month(is_part_time=kind is PostingKind.PART_TIME)
        posted_on = draft.observed_on or draft.posted_on
        return dict(  # noqa: C408  reads as the row it is
            state=one.state,
            origin=PostingOrigin.IMPORTED,
            title=draft.title,
            employer_id=employer.id if employer else None,
            occupation_code=one.occupation.occupation if one.occupation else None,
            occupation_confidence=one.occupation.confidence if one.occupation else None,
            kind=kind,
            area_code=one.place.area.code if one.place.area else None,
            workplace=draft.workplace or f"{draft.city}{draft.district}"[:200],
            lon=one.place.lon,
            lat=one.place.lat,
            precision=one.place.precision,
            duties=draft.duties,
            conditions=draft.conditions,
            pay_unit=pay.unit if pay else None,
            pay_low=pay.low if pay else None,
            pay_high=pay.high if pay else None,
            pay_months=pay.months if pay else MONTHS_A_YEAR,
            pay_min_yuan_month=by_the_month[0],
            pay_max_yuan_month=by_the_month[1],
            paid_by=draft.paid_by,
            paid_when=draft.paid_when,
            openings=draft.openings or 1,
            hours=draft.hours,
            ends_at_hour=draft.ends_at_hour,
            starts_on=draft.starts_on,
            valid_until=self._valid_until(draft),
            certificates=list(draft.certificates),
            age_min=age_min,
            age_max=age_max,
            age_words=age_words,
            education=draft.education,
            experience_years_min=draft.experience_years_min,
            meals=draft.meals,
            lodging=draft.lodging,
            insurance=draft.insurance,
            phone=draft.phone,
            observed=draft.observed,
            lacks=[lack.value for lack in one.lacks],
            findings=[{"code": each.code, "words": each.words, "text": each.text} for each in one.findings],
            fold_key=one.bucket,
            posted_at=_midnight(posted_on) if posted_on and posted_on <= self._today else self._now,
            changed_at=self._now,
        )


# --- what a row says --------------------------------------------------------------------------------------------------


def _findings(draft: PostingDraft, employer: Employer | None) -> list[Finding]:
    sex = f"限{draft.sex_words}" if draft.sex_words else ""
    found = screen(draft.title, draft.duties, draft.conditions, draft.tags, draft.paid_when, sex)
    if draft.pay is not None and not draft.pay.is_plausible():
        text = "工资数额不合常理，请核实数额和单位"
        found.append(Finding(Verdict.REVIEW, "implausible_pay", draft.pay.told(), text))
    if employer is not None and draft.employer_name != employer.name:
        text = "统一社会信用代码登记的是另一个名称"
        found.append(Finding(Verdict.REVIEW, "employer_name_differs", draft.employer_name, text))
    return found


def _is_refused(draft: PostingDraft) -> bool:
    return any(finding.verdict is Verdict.REFUSE for finding in _findings(draft, None))


def _lacks(one: _Judged) -> list[Lack]:
    """What job information must hold and the row does not (rules of the trade, section 3)."""
    draft = one.draft
    has_conditions = draft.conditions or draft.education is not None or draft.experience_years_min is not None
    held = {
        Lack.EMPLOYER: bool(one.employer),
        Lack.OCCUPATION: one.occupation is not None,
        Lack.OPENINGS: draft.openings is not None,
        Lack.DUTIES: bool(draft.duties),
        Lack.CONDITIONS: bool(has_conditions),
        Lack.WORKPLACE: one.place.names_district,
        Lack.PAY: draft.pay is not None and draft.pay.unit is not PayUnit.NEGOTIABLE,
        Lack.PAY_TERMS: bool(draft.paid_by and draft.paid_when),
        Lack.VALIDITY: draft.valid_until is not None,
    }
    return [lack for lack, is_held in held.items() if not is_held]


def _kind_of(draft: PostingDraft) -> PostingKind:
    return draft.kind or PostingKind.FULL_TIME


def _age_limits(draft: PostingDraft) -> tuple[int | None, int | None, str]:
    for text in (f"年龄{draft.age_words}" if draft.age_words else "", draft.conditions, draft.title):
        low, high, words = age_limits_in(text)
        if words and (low is None or high is None or low <= high):
            return low, high, words[:60]
    return None, None, ""


def _pay_window(pay: Pay | None) -> tuple[str, ...]:
    if pay is None:
        return ("",)
    return (pay.unit.value, *(f"{figure:.2f}" if figure is not None else "" for figure in (pay.low, pay.high)))


def _digits(title: str) -> str:
    return "".join(sign for sign in title if sign.isdecimal())


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


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=CHINA)


def _chunks(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


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


def _new_report(one: _Judged, posting_id: int) -> RowReport:
    reasons = [_told(finding) for finding in one.findings]
    if one.lacks:
        reasons.append("缺：" + "、".join(lack.label for lack in one.lacks))
    if words := _age_limits(one.draft)[2]:
        reasons.append(f"“{words}”没有写明法定理由，不按它筛人，求职者会看到提醒")
    reasons += one.notes
    if one.state is PostingState.HISTORICAL:
        told = [f"历史样例（{one.draft.observed}），不推送、不计数", *reasons]
        return _report(one.draft, RowOutcome.TAKEN, told, posting_id, is_historical=True)
    if one.state is PostingState.OPEN:
        return _report(one.draft, RowOutcome.TAKEN, ["已开放", *reasons], posting_id)
    return _report(one.draft, RowOutcome.REVIEW, reasons, posting_id)


def _fold_report(one: _Judged, known: _Known, posting_id: int) -> RowReport:
    where = f"已有的岗位（编号 {posting_id}）" if known.row is None else f"第 {known.row} 行"
    return _report(one.draft, RowOutcome.FOLDED, [f"与{where}是同一个岗位，来源已记下"], posting_id)


def _repeat(draft: PostingDraft, first: PostingDraft, report: RowReport) -> RowReport:
    """A row whose key stands further up in the file: the same row again, or another one under the same number."""
    if draft.fingerprint != first.fingerprint:
        return _report(draft, RowOutcome.REFUSED, [f"岗位编号与第 {first.row} 行相同，内容却不同"])
    is_in = report.outcome in (RowOutcome.TAKEN, RowOutcome.REVIEW)
    outcome = RowOutcome.FOLDED if is_in else report.outcome
    return _report(draft, outcome, [f"与第 {first.row} 行完全相同"], report.id)


def _told(finding: Finding) -> str:
    return f"“{finding.words}”：{finding.text}"
