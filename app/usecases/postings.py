"""Postings as their readers need them: cards for lists, one posting whole, reports, and the end of those that ran out.

A card is made once when a posting enters memory; lists, pages and the feed show cards and never touch a row.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from app.domain.areas import Precision
from app.domain.occupations import Lane
from app.domain.pay import Pay
from app.domain.postings import (
    LISTED_STATES,
    AgeReason,
    Demand,
    Lack,
    PostingKind,
    PostingOrigin,
    PostingState,
    ReportOutcome,
    ReportReason,
)
from app.domain.workers import Education, Sex
from app.kit.database import HIGHEST_ID
from app.kit.encrypted import Place, SealBroken, seal, unseal
from app.kit.errors import NotFound, TooManyRequests
from app.kit.keys import KeyRing
from app.kit.tokens import CODE_ALPHABET, clean_code, new_code
from app.store import occupations as occupations_store
from app.store import policies
from app.store import postings as store
from app.store.employers import Employer
from app.usecases.areas import AreaBook

SURE_CONFIDENCE = 0.6  # below it a title may mean another occupation, whose papers nobody is asked for
HEAVIEST_JUDGED_LEVEL = 3  # level IV bars people by law, so only a standard may say it
REPORTS_SETTING = "posting_reports_to_hide"
MOST_REPORTS = 10  # of one posting from one network: a village may share an address, a flood may not


class PostingNotFound(NotFound):
    """There is no such posting, or job-seekers may not see it."""

    code = "posting_not_found"
    title = "没有这个岗位，或者已经结束"


class ReportNotFound(NotFound):
    """No report bears the code."""

    code = "report_not_found"
    title = "没有这个举报编号"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingCard:
    """A posting as job-seekers may see it. Money is told in `pay_text` and in yuan a month; places are WGS-84."""

    id: int
    title: str
    state: PostingState
    origin: PostingOrigin
    occupation_code: str | None
    occupation_name: str
    occupation_confidence: float | None
    employer_name: str
    employer_verified_on: date | None
    employer_reply_rate: float | None
    kind: PostingKind
    area_code: str | None
    area_name: str
    district_code: str | None
    workplace: str
    lon: float | None
    lat: float | None
    precision: Precision
    duties: str
    conditions: str
    pay: Pay | None
    pay_min_yuan_month: int | None
    pay_max_yuan_month: int | None
    paid_by: str
    paid_when: str
    openings: int
    sent: int
    hours: str
    ends_at_hour: int | None
    starts_on: date | None
    valid_until: date | None
    physical_level: int | None
    demands: tuple[Demand, ...]
    certificates: tuple[str, ...]
    age_min: int | None
    age_max: int | None
    age_reason: AgeReason | None
    age_words: str
    sex_required: Sex | None
    education: Education | None
    experience_years_min: int | None
    programme: str | None
    meals: bool | None
    lodging: bool | None
    insurance: bool | None
    phone: str
    lanes: tuple[Lane, ...]
    observed: str
    lacks: tuple[Lack, ...]
    posted_at: datetime
    changed_at: datetime

    @property
    def pay_text(self) -> str:
        """Pay as a person reads it; 面议 when nothing is known."""
        return self.pay.told() if self.pay is not None else "工资没写"

    @property
    def is_historical(self) -> bool:
        """Whether it is a real listing of the past, shown as a sample only."""
        return self.state is PostingState.HISTORICAL

    @property
    def is_verified(self) -> bool:
        """Whether an office has checked the employer."""
        return self.employer_verified_on is not None

    @property
    def suits_older(self) -> bool:
        """Whether the work lies in a lane for older workers and names no age cap below 60, lawful or not."""
        return bool(self.lanes) and not (self.age_max is not None and self.age_max < 60)


def card_of(
    posting: store.Posting,
    employer: Employer | None,
    *,
    areas: AreaBook,
    occupations: Mapping[str, occupations_store.Occupation],
) -> PostingCard:
    """The card of a posting."""
    occupation = occupations.get(posting.occupation_code) if posting.occupation_code else None
    asked = _asked(posting, occupation)
    district = areas.district_of(posting.area_code) if posting.area_code else None
    pay = None
    if posting.pay_unit is not None:
        pay = Pay(unit=posting.pay_unit, low=posting.pay_low, high=posting.pay_high, months=posting.pay_months)
    return PostingCard(
        id=posting.id,
        title=posting.title,
        state=posting.state,
        origin=posting.origin,
        occupation_code=posting.occupation_code,
        occupation_name=occupation.name if occupation else "",
        occupation_confidence=posting.occupation_confidence,
        employer_name=employer.name if employer else "",
        employer_verified_on=employer.verified_on if employer else None,
        employer_reply_rate=employer.reply_rate if employer else None,
        kind=posting.kind,
        area_code=posting.area_code,
        area_name=areas.told(posting.area_code),
        district_code=district.code if district else None,
        workplace=posting.workplace,
        lon=posting.lon,
        lat=posting.lat,
        precision=posting.precision,
        duties=posting.duties,
        conditions=posting.conditions,
        pay=pay,
        pay_min_yuan_month=posting.pay_min_yuan_month,
        pay_max_yuan_month=posting.pay_max_yuan_month,
        paid_by=posting.paid_by,
        paid_when=posting.paid_when,
        openings=posting.openings,
        sent=posting.sent,
        hours=posting.hours,
        ends_at_hour=posting.ends_at_hour,
        starts_on=posting.starts_on,
        valid_until=posting.valid_until,
        physical_level=asked.physical_level,
        demands=asked.demands,
        certificates=asked.certificates,
        age_min=posting.age_min,
        age_max=posting.age_max,
        age_reason=posting.age_reason,
        age_words=posting.age_words,
        sex_required=posting.sex_required,
        education=posting.education,
        experience_years_min=posting.experience_years_min,
        programme=posting.programme,
        meals=posting.meals,
        lodging=posting.lodging,
        insurance=posting.insurance,
        phone=posting.phone,
        lanes=tuple(Lane(lane) for lane in occupation.lanes) if occupation else (),
        observed=posting.observed,
        lacks=tuple(Lack(lack) for lack in posting.lacks),
        posted_at=posting.posted_at,
        changed_at=posting.changed_at,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a posting asks of a person, in its own words or, where it is silent, in those of its occupation."""

    physical_level: int | None
    demands: tuple[Demand, ...]
    certificates: tuple[str, ...]


def _asked(posting: store.Posting, occupation: occupations_store.Occupation | None) -> _Asked:
    """A posting that describes its work goes before the occupation; papers that the law demands hold either way."""
    level, demands, certificates = posting.physical_level, posting.demands, set(posting.certificates)
    if occupation is not None:
        by_standard = occupation.traits_basis == "standard"
        if level is None and not demands:
            level, demands = occupation.physical_level, occupation.demands
            if level is not None and not by_standard:
                level = min(level, HEAVIEST_JUDGED_LEVEL)
        if by_standard and (posting.occupation_confidence is None or posting.occupation_confidence >= SURE_CONFIDENCE):
            certificates |= set(occupation.certificates)
    return _Asked(level, tuple(Demand(demand) for demand in demands), tuple(sorted(certificates)))


def is_listed_on(posting: store.Posting, day: date) -> bool:
    """Whether job-seekers see the posting on a day."""
    return posting.state in LISTED_STATES and (posting.valid_until is None or posting.valid_until >= day)


def load_posting(session: Session, posting_id: int, *, areas: AreaBook, today: date) -> PostingCard:
    """One posting that job-seekers may see today.

    Raises:
        PostingNotFound: there is none, or it is not open (any more).
    """
    posting = store.find_posting(session, posting_id) if posting_id <= HIGHEST_ID else None
    if posting is None or not is_listed_on(posting, today):
        raise PostingNotFound
    employer = session.get(Employer, posting.employer_id) if posting.employer_id is not None else None
    occupation = (
        occupations_store.find_occupation(session, posting.occupation_code) if posting.occupation_code else None
    )
    return card_of(posting, employer, areas=areas, occupations={occupation.code: occupation} if occupation else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportReceipt:
    """What the reporter keeps: the code under which the outcome can be asked for."""

    code: str
    reason: ReportReason
    outcome: ReportOutcome
    reported_at: datetime


def report_posting(
    session: Session,
    posting_id: int,
    *,
    reason: ReportReason,
    words: str,
    keys: KeyRing,
    reporter: Sequence[str],
    today: date,
    now: datetime,
) -> ReportReceipt:
    """Take a complaint about a posting; the second independent one hides it until an office has checked it.

    `reporter` tells reporters apart: the digests of one under every key there has been, newest first. One is stored,
    hashed together with the posting's id. One reporter counts once, however much they write and whatever keys were
    rotated meanwhile; the same complaint once more changes nothing and returns the first receipt. `words` may name
    people and numbers: they are sealed with `keys`.

    Raises:
        PostingNotFound: job-seekers do not see the posting.
        TooManyRequests: more complaints about one posting from one reporter than anybody has.
    """
    if posting_id > HIGHEST_ID:
        raise PostingNotFound
    hashes = [hashlib.sha256(f"{posting_id}|{digest}".encode()).hexdigest() for digest in reporter]
    posting = store.lock_posting(session, posting_id)
    earlier = store.list_reports(session, posting_id=posting_id, reporter_hashes=hashes)
    for report in earlier:
        if report.reason is reason and _words_of(report, keys) == words:
            return _receipt(report)
    if posting is None or not is_listed_on(posting, today):
        raise PostingNotFound
    if len(earlier) >= MOST_REPORTS:
        raise TooManyRequests("这个岗位您已经举报过多次，正在核实", retry_after_s=24 * 3600)
    code = new_code(10)
    report = store.PostingReport(
        code=code,
        posting_id=posting_id,
        reason=reason,
        sealed_words=seal(keys, words, place=_words_place(code)) if words else None,
        # Reporters are counted by what is stored: somebody who has reported before keeps the digest of then.
        reporter_hash=earlier[0].reporter_hash if earlier else hashes[0],
        outcome=ReportOutcome.WAITING,
        reported_at=now,
    )
    session.add(report)
    session.flush()
    if store.count_waiting_reporters(session, posting_id) >= _reports_to_hide(session, on=today):
        if posting.state is PostingState.HISTORICAL:
            # Nobody can open it again: a listing of the past is no job, however a check ends.
            posting.state, posting.closed_reason = PostingState.CLOSED, "reported"
        else:
            posting.state = PostingState.REVIEW
        posting.findings = [
            *posting.findings,
            {"code": "reported", "words": "", "text": "被几个人分别举报，核实前不展示"},
        ]
        posting.changed_at = now
    return _receipt(report)


def seal_words(session: Session, *, keys: KeyRing, limit: int) -> int:
    """Seal what reporters wrote before there was a seal; how many reports were done, `limit` at most."""
    reports = store.lock_reports_in_plain_text(session, limit=limit)
    for report in reports:
        report.sealed_words = seal(keys, report.words, place=_words_place(report.code))
        report.words = ""
    session.flush()
    return len(reports)


def count_words_behind(session: Session, *, today: str) -> int:
    """How many reporters' words are sealed otherwise than today."""
    return store.count_words_behind(session, today=today)


def reseal_words(session: Session, *, after: int, limit: int, today: str, keys: KeyRing) -> tuple[int, int] | None:
    """Seal the next reporters' words anew that are sealed otherwise than today; as `store.identities.bring_up`."""
    rows = store.lock_words_behind(session, after=after, limit=limit, today=today)
    changed = 0
    for row in rows:
        with suppress(SealBroken):
            row.sealed_words = seal(keys, _words_of(row, keys), place=_words_place(row.code))
            changed += 1
    session.flush()
    return (rows[-1].id, changed) if rows else None


def _words_of(report: store.PostingReport, keys: KeyRing) -> str:
    if report.sealed_words is None:
        return report.words
    return unseal(keys, report.sealed_words, place=_words_place(report.code))


def _words_place(code: str) -> Place:
    """The code stands for the row: it is as unique as the id and known before the row is written."""
    return Place("posting_reports", "sealed_words", code)


def _reports_to_hide(session: Session, *, on: date) -> int:
    setting = policies.find_setting(session, REPORTS_SETTING, on=on)
    if setting is None:
        raise LookupError(f"no local setting {REPORTS_SETTING}: load the reference data first")
    return int(setting.value)


def load_report(session: Session, code: str) -> ReportReceipt:
    """What came of a report.

    Raises:
        ReportNotFound: no report bears the code.
    """
    typed = clean_code(code)
    report = store.find_report_by_code(session, typed) if set(typed) <= set(CODE_ALPHABET) else None
    if report is None:
        raise ReportNotFound
    return _receipt(report)


def _receipt(report: store.PostingReport) -> ReportReceipt:
    return ReportReceipt(code=report.code, reason=report.reason, outcome=report.outcome, reported_at=report.reported_at)


def shelf_life_days(session: Session, *, on: date) -> dict[PostingKind, int]:
    """Longest validity in days of each kind of posting, from when it was posted or confirmed: local settings.

    Raises LookupError when the reference data has not been loaded.
    """
    days = {}
    for kind in PostingKind:
        setting = policies.find_setting(session, f"posting_shelf_life_{kind}", on=on)
        if setting is None:
            raise LookupError(f"no local setting posting_shelf_life_{kind}: load the reference data first")
        days[kind] = int(setting.value)
    return days


def close_expired_postings(session: Session, *, today: date, now: datetime) -> int:
    """Close what has run out by today; the number closed."""
    return store.close_expired_postings(session, today=today, now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingCount:
    """How many postings are in a state, by where they come from; real and generated rows are never added up."""

    state: PostingState
    origin: PostingOrigin
    number: int


def count_postings(session: Session) -> Sequence[PostingCount]:
    """Numbers of postings by state and origin."""
    return [
        PostingCount(state=state, origin=origin, number=number)
        for state, origin, number in store.count_by_state_and_origin(session)
    ]
