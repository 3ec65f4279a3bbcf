"""What is owed to people, done and due (应尽服务): writing services down, and saying who still lacks what.

How much is owed and what counts is `domain.obligations`; here it is given its rules, its entries and its people.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from app.domain.areas import great_circle_km
from app.domain.ledger import Channel, Entry, EntryKind, Fact, Grade
from app.domain.obligations import (
    SERVICES,
    Duty,
    DutyState,
    PushCounts,
    RuleBook,
    Rules,
    SpellDuties,
    Totals,
    Why,
    add_up,
    duties_of,
)
from app.domain.pushes import Answer, Unsuitable
from app.domain.spells import Spell
from app.kit.clock import china_date
from app.kit.errors import Conflict, Fault, FieldFault, Invalid, NotFound
from app.kit.keys import KeyRing
from app.store import briefings, brokers, courses, policies
from app.store import spells as spells_store
from app.store.ledger import find_entry
from app.store.occupations import list_codes_of
from app.store.pushes import lock_push, lock_undelivered
from app.store.workers import list_objecting
from app.usecases.areas import AreaBook
from app.usecases.ledger import LedgerEntryUnknown, append_entry, list_entries
from app.usecases.pushes import deliver_push, note_answer

FIGURES = {
    EntryKind.BRIEFING: ("8.5", "policy_briefings"),
    EntryKind.GUIDANCE: ("8.6", "career_guidance"),
    EntryKind.PUSH: ("8.7", "job_pushes"),
    EntryKind.TRAINING: ("8.8", "training_recommendations"),
}
"""The clause that owes each service, and the name of its figure."""
SETTINGS = (
    "obligation_first_window",
    "obligation_yearly_deadline",
    "obligation_due_soon",
    "obligation_evidence",
    "obligation_ends_on_refusal",
    "obligation_ends_on_failed_contact",
    "failed_contact_attempts",
    "push_counts_when",
    "push_fitting_skill",
    "last_resort_pushes",
    "last_resort_span",
)
WRITERS = ("broker", "clerk", "officer")
"""Who signs entries, each as `role/code`."""
SIGNED_ON = frozenset({Channel.SLIP, Channel.VISIT, Channel.COUNTER, Channel.KIOSK})
"""Where there is paper, or a screen, that a person signs with their own hand."""
_CODE = re.compile(r"[\w.-]+")
_ACTOR_CHARACTERS = 60
_PEOPLE_AT_ONCE = 1_000

_Value = TypeVar("_Value")
_Row = TypeVar("_Row")

Suggest = Callable[[Collection[int]], Mapping[int, Sequence[int]]]
"""Given workers' ids, a thousand at most: the postings that each should be pushed next, best first."""


# --- rules ------------------------------------------------------------------------------------------------------------


class RulesMissing(Fault):
    """The plan owes something on a day for which an office's setting is missing or cannot be used; `settings` names it.

    Nothing is counted by a guess.
    """

    status = 500
    code = "rules_missing"
    title = "应尽服务的设定不全，不能计算"


def read_rules(session: Session) -> RuleBook:
    """The dated rules of what is owed: the plan's figures (8.5-8.8) and what the office has set.

    Raises:
        RulesMissing: a setting is missing on a day on which the plan owes something, or cannot be used.
    """
    clauses = dict(FIGURES.values())
    figures = [
        (policy.clause, figure, *_span(policy, figure))
        for policy in policies.list_policies(session, clauses)
        for figure in policy.figures
        if figure["name"] == clauses[policy.clause]
    ]
    settings = policies.list_settings(session, SETTINGS)
    spans = [*((since, until) for *_, since, until in figures), *((row.valid_from, row.valid_to) for row in settings)]
    days = {since for since, _ in spans} | {until + timedelta(days=1) for _, until in spans if until is not None}
    versions = []
    for day in sorted(days):
        owed = {
            clause: int(figure["value"])
            for clause, figure, since, until in figures
            if since <= day and (until is None or until >= day)
        }
        counts = {kind: owed[clause] for kind, (clause, _) in FIGURES.items() if clause in owed}
        chosen = {
            row.name: row.value
            for row in settings
            if row.valid_from <= day and (row.valid_to is None or row.valid_to >= day)
        }
        missing = [name for name in SETTINGS if name not in chosen]
        if not missing:
            versions.append((day, _rules(counts, chosen)))
        elif counts:
            raise RulesMissing(f"{day} 起没有这些设定：{'、'.join(missing)}", settings=missing)
    if not versions:
        raise RulesMissing("还没有参考数据，请先运行：jiujin seed reference", settings=list(SETTINGS))
    return RuleBook(versions)


def _span(policy: policies.Policy, figure: Mapping[str, Any]) -> tuple[date, date | None]:
    """When a figure holds: it may name days of its own within those of its clause."""
    since, until = figure.get("valid_from"), figure.get("valid_to")
    return (
        date.fromisoformat(since) if since else policy.valid_from,
        date.fromisoformat(until) if until else policy.valid_to,
    )


def _rules(counts: Mapping[EntryKind, int], chosen: Mapping[str, Any]) -> Rules:
    def value(name: str, read: Callable[[Any], _Value]) -> _Value:
        try:
            return read(chosen[name])
        except (AttributeError, TypeError, ValueError):
            raise RulesMissing(f"设定 {name} 的值不能用", settings=[name]) from None

    return Rules(
        counts=counts,
        first_window_days=value("obligation_first_window", _whole),
        yearly_deadline=value("obligation_yearly_deadline", _month_and_day),
        due_soon_days=value("obligation_due_soon", _whole),
        counted_grades=value("obligation_evidence", lambda letters: frozenset(map(Grade, letters.split("_")))),
        push_counts_when=value("push_counts_when", PushCounts),
        push_fitting_skill_permille=value("push_fitting_skill", lambda share: round(share * 1000)),
        ends_on_refusal=value("obligation_ends_on_refusal", _flag),
        ends_on_failed_contact=value("obligation_ends_on_failed_contact", _flag),
        failed_contact_attempts=value("failed_contact_attempts", _whole),
        last_resort_pushes=value("last_resort_pushes", _whole),
        last_resort_span_days=value("last_resort_span", _whole),
    )


def _whole(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ValueError("a whole number above zero")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false")
    return value


def _month_and_day(value: Any) -> tuple[int, int]:
    month, day = (int(part) for part in value.split("-"))
    date(2024, month, day)  # a leap year: 02-29 means the last day of February
    return month, day


# --- writing services down --------------------------------------------------------------------------------------------


class NoOpenSpell(Conflict):
    """The person was not registered on the day of the service, so that it counts for nothing."""

    code = "no_open_spell"
    title = "这一天没有失业登记，服务记不进去：请先登记，或核对日期"


class BrokerUnknown(NotFound):
    """No broker bears this code."""

    code = "broker_unknown"
    title = "没有这个经纪人"


@dataclass(frozen=True, slots=True)
class Briefing:
    """A version of a policy text that somebody was given."""

    text: str
    version: int

    kind = EntryKind.BRIEFING


@dataclass(frozen=True, slots=True)
class Guidance:
    """A talk about work."""

    kind = EntryKind.GUIDANCE


@dataclass(frozen=True, slots=True)
class TrainingOffer:
    """A session of a course that somebody was recommended."""

    session: int

    kind = EntryKind.TRAINING


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkedPush:
    """A posting that somebody was told of face to face or on the phone, as the matcher judged it at that moment.

    `bar` is the rule that bars it, None where none does; `push` the id of the push, if one was planned.
    """

    posting: int
    job: str
    is_open: bool
    places: int
    bar: str | None
    skill_permille: int
    metres: int
    reach_metres: int
    reasons: tuple[str, ...] = ()
    push: int | None = None

    kind = EntryKind.PUSH


Service = Briefing | Guidance | TrainingOffer | TalkedPush


def record_service(
    session: Session,
    service: Service,
    *,
    worker_id: int,
    channel: Channel,
    evidence: Grade,
    happened_at: datetime,
    now: datetime,
    actor: str,
    keys: KeyRing,
    minutes: int | None = None,
    note: str | None = None,
) -> Entry:
    """Write down what was done for a person, in the spell that ran on that day. Whether it counts is not judged here.

    A posting told to somebody for whom a push of it was made and has not arrived makes that push arrive: it is sent no
    more.

    Args:
        session: a transaction that the caller commits.
        service: what was done.
        worker_id: for whom.
        channel: how it reached them; not a notice or a loudspeaker, which reach nobody in particular.
        evidence: how sure that is.
        happened_at: when, not later than `now`.
        now: when it is written.
        actor: who writes it, a role and an id.
        keys: the key ring.
        minutes: how long the talk was; needed for guidance, and where only staff say so (grade C).
        note: what was said, sealed under the person's key; needed in the same cases.

    Raises:
        Invalid: what was given cannot be; the codes of its fields are `in_future`, `public_channel`, `machine_channel`,
            `not_signed`, `minutes_missing`, `said_missing`, `text_unknown`, `text_not_valid`, `session_unknown`,
            `session_begun`, `session_full`, `job_missing`.
        NoOpenSpell: the person was not registered on that day.
    """
    faults = deed_faults(
        channel=channel,
        evidence=evidence,
        happened_at=happened_at,
        now=now,
        minutes=minutes,
        note=note,
        is_talk=service.kind is EntryKind.GUIDANCE,
    )
    faults.extend(_service_faults(session, service, day=china_date(happened_at)))
    if faults:
        raise Invalid(fields=faults)
    if spells_store.find_spell_on(session, worker_id, on=china_date(happened_at)) is None:
        raise NoOpenSpell
    made = None
    if isinstance(service, TalkedPush):
        made = lock_undelivered(session, worker_id=worker_id, posting_id=service.posting)
    if made is not None:
        deliver_push(
            session,
            made,
            channel=channel,
            evidence=evidence,
            happened_at=happened_at,
            actor=actor,
            now=now,
            keys=keys,
            facts={**_facts(service), "push": made.id, **talk_facts(minutes, note)},
            note=note if note and note.strip() else None,
        )
        written = None if made.entry_id is None else find_entry(session, made.entry_id)
        assert written is not None  # noqa: S101  it was just written
        return written
    return append_deed(
        session,
        service.kind,
        {**_facts(service), **talk_facts(minutes, note)},
        worker_id=worker_id,
        channel=channel,
        evidence=evidence,
        happened_at=happened_at,
        now=now,
        actor=actor,
        keys=keys,
        note=note,
    )


def record_refusal(
    session: Session,
    *,
    worker_id: int,
    service: EntryKind | None,
    channel: Channel,
    evidence: Grade,
    happened_at: datetime,
    now: datetime,
    actor: str,
    keys: KeyRing,
    minutes: int | None = None,
    note: str | None = None,
    push: int | None = None,
) -> Entry:
    """Write down that a person wants no service of a kind, or none at all. It is owed all the same, unless a setting.

    Args:
        session: a transaction that the caller commits.
        worker_id: who refused.
        service: what; None: everything.
        channel: how they said so.
        evidence: how sure that is.
        happened_at: when, not later than `now`.
        now: when it is written.
        actor: who writes it.
        keys: the key ring.
        minutes: how long the talk was; needed where only staff say so (grade C).
        note: what was said; needed in the same case.
        push: the entry of the push that was refused, if one was.

    Raises:
        Invalid: as in `record_service`; besides `not_a_service`, `push_unknown` and `before_push`.
        NoOpenSpell: the person was not registered on that day.
    """
    faults = deed_faults(
        channel=channel, evidence=evidence, happened_at=happened_at, now=now, minutes=minutes, note=note
    )
    faults += _kind_faults(service)
    if push is not None:
        told = find_entry(session, push)
        if told is None or told.kind is not EntryKind.PUSH or told.worker_id != worker_id:
            faults.append(FieldFault("push", "push_unknown", "台账里没有推给本人的这一条，请核对"))
        elif happened_at < told.happened_at:
            faults.append(FieldFault("happened_at", "before_push", "拒绝的时间在推送之前，请核对"))
    if faults:
        raise Invalid(fields=faults)
    return append_deed(
        session,
        EntryKind.REFUSAL,
        {"service": None if service is None else service.value} | talk_facts(minutes, note),
        worker_id=worker_id,
        channel=channel,
        evidence=evidence,
        happened_at=happened_at,
        now=now,
        actor=actor,
        keys=keys,
        note=note,
        refers_to=push,
    )


def record_attempt(
    session: Session,
    *,
    worker_id: int,
    service: EntryKind | None,
    channel: Channel,
    happened_at: datetime,
    now: datetime,
    actor: str,
    keys: KeyRing,
    note: str | None = None,
) -> Entry:
    """Write down that a person was to be reached and was not. Arguments and faults as in `record_refusal`."""
    faults = deed_faults(channel=channel, evidence=None, happened_at=happened_at, now=now, minutes=None, note=note)
    faults += _kind_faults(service)
    if faults:
        raise Invalid(fields=faults)
    return append_deed(
        session,
        EntryKind.ATTEMPT,
        {"service": None if service is None else service.value},
        worker_id=worker_id,
        channel=channel,
        evidence=Grade.C,
        happened_at=happened_at,
        now=now,
        actor=actor,
        keys=keys,
        note=note,
    )


def record_answer(
    session: Session,
    *,
    push: int,
    answer: Answer,
    why: Unsuitable | None,
    channel: Channel,
    evidence: Grade,
    happened_at: datetime,
    now: datetime,
    actor: str,
    keys: KeyRing,
    minutes: int | None = None,
    note: str | None = None,
) -> Entry:
    """Write down what a person said to a push that stands in the ledger: on a signed slip, on the phone, at the door.

    Only what they sign or key themselves (grade A) is their own answer. Arguments as in `record_refusal`; `push` is the
    entry of the push, `why` is needed where it does not suit.

    Raises:
        Invalid: as in `record_refusal`; besides `why_missing`, `before_push`.
        LedgerEntryUnknown: there is no such entry.
        NoOpenSpell: the person was not registered on that day.
    """
    told = find_entry(session, push)
    if told is None or told.kind is not EntryKind.PUSH or told.worker_id is None:
        raise LedgerEntryUnknown("台账里这一条不是岗位推送，请核对")
    faults = deed_faults(
        channel=channel, evidence=evidence, happened_at=happened_at, now=now, minutes=minutes, note=note
    )
    if answer is Answer.UNSUITABLE and why is None:
        faults.append(FieldFault("why", "why_missing", "请写为什么不合适"))
    if happened_at < told.happened_at:
        faults.append(FieldFault("happened_at", "before_push", "回应的时间在推送之前，请核对"))
    if faults:
        raise Invalid(fields=faults)
    reason = why if answer is Answer.UNSUITABLE else None
    made = told.facts.get("push")
    answered = lock_push(session, made) if evidence is Grade.A and isinstance(made, int) else None
    if answered is not None:
        note_answer(session, answered, answer, why=reason, now=now)
    facts = {"push": made, "answer": answer.value, "why": None if reason is None else reason.value}
    return append_deed(
        session,
        EntryKind.ANSWER,
        facts | talk_facts(minutes, note),
        worker_id=told.worker_id,
        channel=channel,
        evidence=evidence,
        happened_at=happened_at,
        now=now,
        actor=actor,
        keys=keys,
        note=note,
        refers_to=push,
    )


def why_uncounted(session: Session, entry: Entry, *, now: datetime) -> Why | None:
    """Why a service that stands in the ledger does not count as things stand; None if it does."""
    spell = None if entry.spell_id is None else spells_store.find_spell(session, entry.spell_id)
    if spell is None:
        return Why.OTHER_SPELL
    entries = list_entries(session, worker_ids=[spell.worker_id])
    return duties_of(spell, entries, book=read_rules(session), now=now).duties[entry.kind].uncounted.get(entry.id)


def look_at(session: Session, worker_id: int, *, now: datetime) -> tuple[SpellDuties, list[Entry]]:
    """What is owed to a person who is registered, what was done, and the services that stand in the ledger for them.

    Raises:
        NoOpenSpell: the person is not registered.
    """
    spell = spells_store.find_open_spell(session, worker_id)
    if spell is None:
        raise NoOpenSpell("这个人现在没有失业登记")
    entries = list_entries(session, worker_ids=[worker_id])
    found = duties_of(spell, entries, book=read_rules(session), now=now)
    return found, [entry for entry in entries if entry.kind in SERVICES and entry.spell_id == spell.id]


def require_writer(session: Session, actor: str) -> None:
    """Refuse whoever signs entries with no role and code of ours, such as `broker/B-07`.

    Raises:
        Invalid: it is no role and code (`writer_wrong`).
        BrokerUnknown: no broker bears the code.
    """
    role, _, code = actor.partition("/")
    if role not in WRITERS or not _CODE.fullmatch(code) or len(actor) > _ACTOR_CHARACTERS:
        roles = "、".join(f"{role}/代码" for role in WRITERS)
        raise Invalid(fields=[FieldFault("by", "writer_wrong", f"谁记的要写成 {roles}")])
    if role == "broker" and brokers.find_broker(session, code) is None:
        raise BrokerUnknown


def deed_faults(
    *,
    channel: Channel,
    evidence: Grade | None,
    happened_at: datetime,
    now: datetime,
    minutes: int | None,
    note: str | None,
    is_talk: bool = False,
) -> list[FieldFault]:
    """What is wrong with a deed that a member of staff writes down, whatever it is: its time, channel and evidence.

    The codes are those of `record_service`. A talk needs its length and what was said whatever proves it.
    """
    faults = []
    if happened_at > now:
        faults.append(FieldFault("happened_at", "in_future", "时间还没有到，请核对"))
    if channel.is_public:
        faults.append(FieldFault("channel", "public_channel", "张贴和广播不算到人，不能记在一个人名下"))
    elif channel.is_electronic:
        # What a machine has sent it writes down itself, with the receipt that proves it.
        faults.append(FieldFault("channel", "machine_channel", "机器发的由系统自己记，请写上门、打电话还是在窗口办的"))
    elif evidence is Grade.A and channel not in SIGNED_ON:
        faults.append(FieldFault("evidence", "not_signed", "打电话没有本人签字，凭据写 C，并写几分钟、谈了什么"))
    if is_talk or evidence is Grade.C:
        if minutes is None or minutes < 1:
            faults.append(FieldFault("minutes", "minutes_missing", "请写谈了几分钟"))
        if not (note and note.strip()):
            faults.append(FieldFault("note", "said_missing", "请写谈了什么"))
    return faults


def _kind_faults(service: EntryKind | None) -> list[FieldFault]:
    if service is None or service in SERVICES:
        return []
    return [FieldFault("service", "not_a_service", f"只能是{'、'.join(kind.label for kind in SERVICES)}")]


def talk_facts(minutes: int | None, note: str | None) -> dict[str, Fact]:
    """What an entry tells of a talk: how long it was, and whether a note says what was said."""
    return {} if minutes is None else {"minutes": minutes, "said": bool(note and note.strip())}


def append_deed(
    session: Session,
    kind: EntryKind,
    facts: Mapping[str, Fact],
    *,
    worker_id: int,
    channel: Channel,
    evidence: Grade,
    happened_at: datetime,
    now: datetime,
    actor: str,
    keys: KeyRing,
    note: str | None,
    refers_to: int | None = None,
) -> Entry:
    """The entry of a deed, in the spell that ran on its day."""
    spell = spells_store.find_spell_on(session, worker_id, on=china_date(happened_at))
    if spell is None:
        raise NoOpenSpell
    return append_entry(
        session,
        kind=kind,
        worker_id=worker_id,
        spell_id=spell.id,
        channel=channel,
        evidence=evidence,
        happened_at=happened_at,
        now=now,
        actor=actor,
        refers_to=refers_to,
        facts=facts,
        note=note if note and note.strip() else None,
        keys=keys,
    )


def _service_faults(session: Session, service: Service, *, day: date) -> Iterable[FieldFault]:
    match service:
        case Briefing():
            text = briefings.find_text(session, service.text, service.version)
            if text is None:
                yield FieldFault("text", "text_unknown", "没有这一份政策讲稿，请从单子上选")
            elif day < text.valid_from or (text.valid_to is not None and day > text.valid_to):
                yield FieldFault("text", "text_not_valid", "这一份政策讲稿那天不在用，请选当时的一份")
        case TrainingOffer():
            held = courses.find_session(session, service.session)
            if held is None:
                yield FieldFault("session", "session_unknown", "没有这一期培训，请从单子上选")
            elif held.starts_on <= day:
                yield FieldFault("session", "session_begun", "这一期培训那天已经开班，请选还没有开班的")
            elif held.taken >= held.seats:
                yield FieldFault("session", "session_full", "这一期培训已经没有名额，请选别的")
        case TalkedPush():
            if not service.job:
                yield FieldFault("job", "job_missing", "请写是哪一个岗位")


def _facts(service: Service) -> dict[str, Fact]:
    match service:
        case Briefing():
            return {"text": service.text, "version": service.version}
        case Guidance():
            return {}
        case TrainingOffer():
            return {"session": service.session}
        case TalkedPush():
            return {
                "push": service.push,
                "posting": service.posting,
                "job": service.job,
                "is_open": service.is_open,
                "places": service.places,
                "bar": service.bar,
                "skill_permille": service.skill_permille,
                "metres": service.metres,
                "reach_metres": service.reach_metres,
                "reasons": list(service.reasons),
            }


# --- what is due ------------------------------------------------------------------------------------------------------


class DistrictUnknown(NotFound):
    """No district of Chongqing bears this code today."""

    code = "district_unknown"
    title = "没有这个区县"


DueKey = tuple[int, int, int | str]
"""Where a row stands in its list: rows are sorted by it, and no two have the same."""


class DueBy(StrEnum):
    """By what the list of what is due is made."""

    PERSON = "person"
    BROKER = "broker"
    VILLAGE = "village"
    DISTRICT = "district"


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """What to do next about one service: `missing` are still to be done, by `due_on`.

    `text` says it; `what` names it for programs: a policy text and its version, a session with its distance in km,
    postings. Empty where nothing particular can be proposed.
    """

    kind: EntryKind
    missing: int
    due_on: date
    state: DutyState
    text: str
    what: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DuePerson:
    """Somebody for whom something is overdue or soon due."""

    worker_id: int
    spell_id: int
    opened_on: date
    home_area_code: str
    broker: str | None
    state: DutyState
    due_on: date
    steps: tuple[NextStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DueGroup:
    """People of one broker, village or district: how many are registered, overdue, soon due, and what they lack.

    `key` is a broker's code or an area's; "" for people whom nobody looks after.
    """

    key: str
    registered: int
    overdue: int
    due_soon: int
    missing: Mapping[EntryKind, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DueList:
    """What is due on a day. `left_out` tells how many rows were cut off, `last` where to go on, if any were."""

    by: DueBy
    today: date
    registered: int
    overdue: int
    due_soon: int
    people: tuple[DuePerson, ...]
    groups: tuple[DueGroup, ...]
    left_out: int
    last: DueKey | None


@dataclass(frozen=True, slots=True)
class _Looked:
    """One open spell as it was looked at, with the texts that the person was given."""

    spell: Spell
    home_area_code: str
    wants: Sequence[str]
    broker: str | None
    found: SpellDuties
    state: DutyState
    texts: frozenset[tuple[Fact, Fact]]

    @property
    def is_due(self) -> bool:
        return self.state in (DutyState.OVERDUE, DutyState.DUE_SOON)

    def due(self) -> list[Duty]:
        return [duty for duty in self.found.duties.values() if duty.state in (DutyState.OVERDUE, DutyState.DUE_SOON)]


def list_due(
    session: Session,
    *,
    now: datetime,
    by: DueBy = DueBy.PERSON,
    district: str | None = None,
    broker: str | None = None,
    limit: int | None = None,
    after: DueKey | None = None,
    areas: AreaBook | None = None,
    suggest: Suggest | None = None,
) -> DueList:
    """Whoever is registered and lacks something that is overdue or soon due, most pressing first.

    Args:
        session: only read.
        now: as of when.
        by: each person with what to do next, or numbers by broker, village (the area on record as home) or district.
        district: only people at home there.
        broker: only people in the care of the broker with this code today.
        limit: how many rows at most.
        after: only rows behind the one with this key, in a list that was made in the same way.
        areas: today's areas, if they are at hand; read otherwise.
        suggest: finds postings for a person; without it no postings are proposed.

    Raises:
        BrokerUnknown: nobody bears this code.
        DistrictUnknown: no district bears this code today.
        RulesMissing: the rules are not complete.
    """
    today = china_date(now)
    if broker is not None and brokers.find_broker(session, broker) is None:
        raise BrokerUnknown
    areas = areas if areas is not None else AreaBook.load(session, on=today)
    if district is not None and district not in {fact.code for fact in areas.districts()}:
        raise DistrictUnknown
    looked = _look(session, now=now, today=today, district=district, broker=broker)
    due = [one for one in looked if one.is_due]
    people: Sequence[DuePerson] = ()
    groups: Sequence[DueGroup] = ()
    last: DueKey | None = None
    if by is DueBy.PERSON:
        chosen, left_out = _cut(due, _pressing, after=after, limit=limit)
        people = _people(session, chosen, today=today, areas=areas, suggest=suggest)
        last = _pressing(chosen[-1]) if left_out else None
    else:
        groups, left_out = _cut(_groups(looked, by=by, areas=areas), _heaviest, after=after, limit=limit)
        last = _heaviest(groups[-1]) if left_out else None
    return DueList(
        by=by,
        today=today,
        registered=len(looked),
        overdue=sum(one.state is DutyState.OVERDUE for one in due),
        due_soon=sum(one.state is DutyState.DUE_SOON for one in due),
        people=tuple(people),
        groups=tuple(groups),
        left_out=left_out,
        last=last,
    )


def _cut(
    rows: Iterable[_Row], key: Callable[[_Row], DueKey], *, after: DueKey | None, limit: int | None
) -> tuple[list[_Row], int]:
    """The first rows behind a key, in order, and how many more there are."""
    following = sorted((row for row in rows if after is None or key(row) > after), key=key)
    return following[:limit], len(following) - len(following[:limit])


def _look(session: Session, *, now: datetime, today: date, district: str | None, broker: str | None) -> list[_Looked]:
    rows = spells_store.list_people_in_spells(session, on=today, district=district, broker=broker)
    # Closed today: nothing can be done in it any more.
    rows = [row for row in rows if row[0].closed_on is None]
    book = read_rules(session)
    looked = []
    # Some at a time: what a whole city's ledger takes in memory costs more to keep than to read in parts.
    for start in range(0, len(rows), _PEOPLE_AT_ONCE):
        part = rows[start : start + _PEOPLE_AT_ONCE]
        theirs: dict[int | None, list[Entry]] = {}
        for entry in list_entries(session, worker_ids=[spell.worker_id for spell, *_ in part]):
            theirs.setdefault(entry.worker_id, []).append(entry)
        for spell, home_area_code, wants, code in part:
            entries = theirs.get(spell.worker_id, [])
            found = duties_of(spell, entries, book=book, now=now)
            texts = {
                (entry.facts.get("text"), entry.facts.get("version"))
                for entry in _unstruck(entries, found, EntryKind.BRIEFING)
            }
            looked.append(_Looked(spell, home_area_code, wants, code, found, found.state, texts=frozenset(texts)))
    return looked


def _unstruck(entries: Iterable[Entry], found: SpellDuties, kind: EntryKind) -> list[Entry]:
    uncounted = found.duties[kind].uncounted
    return [entry for entry in entries if entry.kind is kind and uncounted.get(entry.id) is not Why.STRUCK]


def _pressing(one: _Looked) -> DueKey:
    """Overdue first, then by the day."""
    return int(one.state is not DutyState.OVERDUE), (one.found.due_on or date.max).toordinal(), one.spell.worker_id


def _heaviest(group: DueGroup) -> DueKey:
    return -group.overdue, -group.due_soon, group.key


def _groups(looked: Sequence[_Looked], *, by: DueBy, areas: AreaBook) -> list[DueGroup]:
    members: dict[str, list[_Looked]] = {}
    for one in looked:
        if by is DueBy.BROKER:
            key = one.broker or ""
        elif by is DueBy.VILLAGE:
            key = one.home_area_code
        else:
            home = areas.district_of(one.home_area_code)
            key = home.code if home is not None else one.home_area_code
        members.setdefault(key, []).append(one)
    groups = [
        DueGroup(
            key=key,
            registered=len(those),
            overdue=sum(one.state is DutyState.OVERDUE for one in those),
            due_soon=sum(one.state is DutyState.DUE_SOON for one in those),
            missing={
                kind: sum(duty.missing for one in those for duty in one.due() if duty.kind is kind) for kind in SERVICES
            },
        )
        for key, those in members.items()
    ]
    return [group for group in groups if group.overdue or group.due_soon]


# --- counted together -------------------------------------------------------------------------------------------------


class TotalsBy(StrEnum):
    """By what totals are told apart."""

    DISTRICT = "district"
    BROKER = "broker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All spells there ever were, counted together as of a day.

    `groups` are their parts, by the code of the district of a home or of a broker of today; "" for people whom nobody
    looks after.
    """

    today: date
    total: Totals
    groups: Mapping[str, Totals]


def report_totals(
    session: Session, *, now: datetime, by: TotalsBy | None = None, areas: AreaBook | None = None
) -> Report:
    """Count what was owed and done in all spells, open and closed.

    Args:
        session: only read.
        now: as of when.
        by: the groups that are wanted; None: none.
        areas: today's areas, if they are at hand; read otherwise.

    Raises:
        RulesMissing: the rules are not complete.
    """
    today = china_date(now)
    areas = areas if areas is not None else AreaBook.load(session, on=today)
    book = read_rules(session)
    groups: dict[str, Totals] = {}
    theirs: dict[int, list[tuple[Spell, str]]] = {}
    for spell, home_area_code, broker in spells_store.list_people_of_spells(session, on=today):
        key = _group_of(by, home_area_code, broker, areas=areas)
        theirs.setdefault(spell.worker_id, []).append((spell, key))
    people = list(theirs)
    # Some people at a time, all spells of each: the headline counts people.
    for start in range(0, len(people), _PEOPLE_AT_ONCE):
        part = people[start : start + _PEOPLE_AT_ONCE]
        entries: dict[int | None, list[Entry]] = {}
        for entry in list_entries(session, worker_ids=part):
            entries.setdefault(entry.worker_id, []).append(entry)
        members: dict[str, list[SpellDuties]] = {}
        for spell, key in (pair for worker_id in part for pair in theirs[worker_id]):
            found = duties_of(spell, entries.get(spell.worker_id, []), book=book, now=now)
            members.setdefault(key, []).append(found)
        for key, those in members.items():
            groups[key] = groups.get(key, add_up([])) + add_up(those)
    total = sum(groups.values(), start=add_up([]))
    return Report(today=today, total=total, groups={key: groups[key] for key in sorted(groups)} if by else {})


def _group_of(by: TotalsBy | None, home_area_code: str, broker: str | None, *, areas: AreaBook) -> str:
    if by is TotalsBy.DISTRICT:
        home = areas.district_of(home_area_code)
        return home.code if home is not None else home_area_code
    return broker or "" if by is TotalsBy.BROKER else ""


# --- what to do next --------------------------------------------------------------------------------------------------


def _people(
    session: Session, due: Sequence[_Looked], *, today: date, areas: AreaBook, suggest: Suggest | None
) -> list[DuePerson]:
    texts = briefings.list_texts(session, on=today)
    offers = _Offers(session, today=today, areas=areas, wanted={want for one in due for want in one.wants})
    unserved = [one.spell.worker_id for one in due if any(duty.kind is EntryKind.PUSH for duty in one.due())]
    objecting = list_objecting(session, unserved)
    postings: dict[int, Sequence[int]] = {}
    if suggest is not None:
        for start in range(0, len(unserved), _PEOPLE_AT_ONCE):
            postings.update(suggest(unserved[start : start + _PEOPLE_AT_ONCE]))
    people = []
    for one in due:
        steps = []
        for duty in one.due():
            assert duty.due_on is not None  # noqa: S101  something is missing, so that it is due
            text, what = _propose(one, duty.kind, texts=texts, offers=offers, postings=postings, objecting=objecting)
            steps.append(
                NextStep(
                    kind=duty.kind,
                    missing=duty.missing,
                    due_on=duty.due_on,
                    state=duty.state,
                    text=text,
                    what=what,
                )
            )
        assert one.found.due_on is not None  # noqa: S101  as above
        people.append(
            DuePerson(
                worker_id=one.spell.worker_id,
                spell_id=one.spell.id,
                opened_on=one.spell.opened_on,
                home_area_code=one.home_area_code,
                broker=one.broker,
                state=one.state,
                due_on=one.found.due_on,
                steps=tuple(steps),
            )
        )
    return people


def _propose(
    one: _Looked,
    kind: EntryKind,
    *,
    texts: Sequence[briefings.BriefingText],
    offers: "_Offers",
    postings: Mapping[int, Sequence[int]],
    objecting: Collection[int],
) -> tuple[str, Mapping[str, Any]]:
    if kind is EntryKind.BRIEFING:
        # Who has been given all of them is given the first again.
        text = next((text for text in texts if (text.name, text.version) not in one.texts), next(iter(texts), None))
        if text is None:
            return "没有今天可用的政策讲稿，请先录入", {}
        return f"讲政策：{text.title}", {"text": text.name, "version": text.version}
    if kind is EntryKind.GUIDANCE:
        return "谈一次找工作的打算，记下谈了几分钟、谈了什么", {}
    if kind is EntryKind.TRAINING:
        offer = offers.nearest(one.home_area_code, one.wants)
        if offer is None:
            return "眼下没有对路又有名额的培训班，请联系培训机构", {}
        session, course, km = offer
        where = f"，离家 {km:.0f} 公里" if km is not None else ""
        told = f"推荐培训：{course.name}，{session.starts_on.month}月{session.starts_on.day}日开班{where}"
        return told, {"session": session.id, "course": course.name, "starts_on": session.starts_on, "km": km}
    if one.spell.worker_id in objecting:
        # The duty goes on; only no machine chooses (PIPL 24).
        return "本人不要系统自动挑岗位：当面问了，您来挑", {"by_hand": True}
    best = postings.get(one.spell.worker_id, ())
    if not best:
        return "送没有看过的岗位", {}
    return f"送岗位：编号 {'、'.join(map(str, best))}", {"postings": list(best)}


class _Offers:
    """Sessions with seats, by the occupations that their courses lead to."""

    def __init__(self, session: Session, *, today: date, areas: AreaBook, wanted: Collection[str]) -> None:
        self._areas = areas
        # What somebody wants is an occupation's code or, from a roster, a word for one.
        self._codes = list_codes_of(session, wanted)
        self._held: dict[str, list[tuple[courses.CourseSession, courses.Course]]] = {}
        for held, course in courses.list_free_sessions(session, after=today):
            self._held.setdefault(course.occupation_code, []).append((held, course))

    def nearest(
        self, home_area_code: str, wants: Sequence[str]
    ) -> tuple[courses.CourseSession, courses.Course, float | None] | None:
        """The session nearest to a home that leads to something wanted, of two the sooner; its distance in km."""
        codes = {code for want in wants for code in (want, *self._codes.get(want, ()))}
        offers = [
            (held, course, self._km(home_area_code, held.area_code))
            for code in sorted(codes)
            for held, course in self._held.get(code, ())
        ]
        return min(
            offers,
            key=lambda offer: (offer[2] is None, offer[2] or 0.0, offer[0].starts_on, offer[0].id),
            default=None,
        )

    def _km(self, home_area_code: str, area_code: str) -> float | None:
        home, there = self._areas.find(home_area_code), self._areas.find(area_code)
        if home is None or there is None or None in (home.lon, home.lat, there.lon, there.lat):
            return None
        return great_circle_km(*home.located(), *there.located())
