"""A row of a postings file, and what is to be said about it whatever the database holds of others.

Judging takes a while for a large file and needs no session: it is done before anything is locked. What depends on who
is on record, and on what other imports have brought, is said at the write (`app.usecases.imports`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from app.domain.contacts import conceal_contacts
from app.domain.employers import is_social_credit_code
from app.domain.pay import MONTHS_A_YEAR, Pay, PayUnit
from app.domain.postings import (
    Finding,
    Lack,
    PostingKind,
    PostingOrigin,
    Verdict,
    age_limits_in,
    plain_title,
    screen,
)
from app.domain.workers import Education
from app.kit.clock import CHINA
from app.usecases.matchmaking import ResolvedWords
from app.usecases.places import Place

OWN_SOURCE = "import"
"""The source of rows from a file that names no platform."""
CONTACTS_TAKEN_OUT = "里面写有联系人或联系方式，已经隐去"
_FREE_TEXT = (
    *("title", "occupation_words", "employer_name", "workplace", "duties", "conditions", "tags", "hours"),
    *("age_words", "paid_by", "paid_when"),
)


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

    @property
    def posting_kind(self) -> PostingKind:
        """The kind of work; full time when the row does not say."""
        return self.kind or PostingKind.FULL_TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """What rows are held against: the day, and what the office has set for it. `minimum_wage` in yuan a month."""

    today: date
    shelf_life_days: Mapping[PostingKind, int]
    minimum_wage: Decimal | None

    def latest(self, kind: PostingKind) -> date:
        """How long a posting that is confirmed today may stand."""
        return self.today + timedelta(days=self.shelf_life_days[kind])


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedDraft:
    """A row whose place and occupation have been looked up."""

    draft: PostingDraft
    place: Place
    occupation: ResolvedWords | None

    def fold_key(self, employer: str) -> str:
        """The same for rows that agree in everything but the title: employer, occupation, place, pay, month.

        Args:
            employer: a social credit code or a name, "" without one.
        """
        parts = (
            employer,
            self.occupation.occupation or "" if self.occupation else "",
            self.place.area.code if self.place.area else "",
            *_pay_window(self.draft.pay),
            self.draft.observed if self.draft.is_of_the_past else "",
        )
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedDraft:
    """A row that has been judged by its own words. With `refusals` it is not taken, whoever stands behind it.

    `findings` want a look; `wage_findings` are told after what is said about the employer. `values` are the columns of
    its posting, except for what is known at the write only. `is_unlawful`: among the refusals are some by law.
    """

    draft: PostingDraft
    plain_title: str
    findings: tuple[Finding, ...]
    wage_findings: tuple[Finding, ...]
    refusals: tuple[str, ...]
    is_unlawful: bool
    lacks: tuple[Lack, ...]
    notes: tuple[str, ...]
    values: Mapping[str, Any]


def judge_draft(placed: PlacedDraft, *, yardstick: Yardstick) -> JudgedDraft:
    """Say about a row what its own words, its place and its occupation allow."""
    draft, place = placed.draft, placed.place
    findings = _findings(draft)
    unlawful = [told_finding(finding) for finding in findings if finding.verdict is Verdict.REFUSE]
    return JudgedDraft(
        draft=draft,
        plain_title=plain_title(draft.title),
        findings=tuple(finding for finding in findings if finding.verdict is Verdict.REVIEW),
        wage_findings=tuple(_wage_findings(draft, yardstick.minimum_wage)),
        refusals=(*_refusals(draft, yardstick.today), *unlawful),
        is_unlawful=bool(unlawful),
        lacks=tuple(_lacks(placed)),
        notes=tuple(note for note in (*draft.notes, place.note, _shortened(draft, yardstick)) if note),
        values=_values(placed, yardstick),
    )


def told_finding(finding: Finding) -> str:
    """A finding as a report tells it."""
    return f"“{finding.words}”：{finding.text}"


def _findings(draft: PostingDraft) -> list[Finding]:
    sex = f"限{draft.sex_words}" if draft.sex_words else ""
    found = screen(draft.title, draft.duties, draft.conditions, draft.tags, draft.paid_when, sex)
    if draft.pay is not None and not draft.pay.is_plausible():
        text = "工资数额不合常理，请核实数额和单位"
        found.append(Finding(Verdict.REVIEW, "implausible_pay", draft.pay.told(), text))
    return found


def _wage_findings(draft: PostingDraft, minimum_wage: Decimal | None) -> list[Finding]:
    """Full-time pay below the minimum wage. A listing of the past is not held against the wage of today."""
    pay = draft.pay
    if minimum_wage is None or pay is None or not pay.is_plausible() or draft.is_of_the_past:
        return []
    top = pay.yuan_month()[1]
    if draft.posting_kind is not PostingKind.FULL_TIME or top is None or top >= minimum_wage:
        return []
    text = f"工资低于最低工资标准（每月 {minimum_wage.normalize():f} 元，劳动法第四十八条）"
    return [Finding(Verdict.REVIEW, "below_minimum_wage", pay.told(), text)]


def _refusals(draft: PostingDraft, today: date) -> list[str]:
    found = []
    if not draft.title:
        found.append("没有岗位名称")
    if draft.social_credit_code and not is_social_credit_code(draft.social_credit_code):
        found.append("统一社会信用代码不对：位数或校验码有误")
    if draft.valid_until is not None and draft.valid_until < today:
        found.append(f"有效期 {draft.valid_until} 已过")
    if draft.observed_on is not None and draft.observed_on > today:
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


def _lacks(placed: PlacedDraft) -> list[Lack]:
    """What job information must hold and the row does not (rules of the trade, section 3)."""
    draft = placed.draft
    has_conditions = draft.conditions or draft.education is not None or draft.experience_years_min is not None
    held = {
        Lack.EMPLOYER: bool(draft.employer_name or draft.social_credit_code),
        Lack.OCCUPATION: placed.occupation is not None,
        Lack.OPENINGS: draft.openings is not None,
        Lack.DUTIES: bool(draft.duties),
        Lack.CONDITIONS: bool(has_conditions),
        Lack.WORKPLACE: placed.place.names_district,
        Lack.PAY: draft.pay is not None and draft.pay.unit is not PayUnit.NEGOTIABLE,
        Lack.PAY_TERMS: bool(draft.paid_by and draft.paid_when),
        Lack.VALIDITY: draft.valid_until is not None,
    }
    return [lack for lack, is_held in held.items() if not is_held]


def _shortened(draft: PostingDraft, yardstick: Yardstick) -> str:
    valid_until = _valid_until(draft, yardstick)
    if valid_until == draft.valid_until:
        return ""
    return f"有效期按{draft.posting_kind.label}最长的期限算到 {valid_until}"


def _valid_until(draft: PostingDraft, yardstick: Yardstick) -> date | None:
    return None if draft.valid_until is None else min(draft.valid_until, yardstick.latest(draft.posting_kind))


def _values(placed: PlacedDraft, yardstick: Yardstick) -> dict[str, Any]:
    """The columns of the posting; `posted_at` is None where it is the instant of the write."""
    draft, place, occupation = placed.draft, placed.place, placed.occupation
    pay, kind = draft.pay, draft.posting_kind
    age_min, age_max, age_words = _age_limits(draft)
    by_the_month: tuple[int | None, int | None] = (None, None)
    if pay is not None and pay.is_plausible():
        by_the_month = pay.yuan_month(is_part_time=kind is PostingKind.PART_TIME)
    posted_on = draft.observed_on or draft.posted_on
    return dict(  # noqa: C408  reads as the row it is
        origin=PostingOrigin.IMPORTED,
        title=draft.title,
        occupation_code=occupation.occupation if occupation else None,
        occupation_confidence=occupation.confidence if occupation else None,
        kind=kind,
        area_code=place.area.code if place.area else None,
        workplace=draft.workplace or f"{draft.city}{draft.district}"[:200],
        lon=place.lon,
        lat=place.lat,
        precision=place.precision,
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
        valid_until=_valid_until(draft, yardstick),
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
        posted_at=_midnight(posted_on) if posted_on and posted_on <= yardstick.today else None,
    )


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


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=CHINA)
