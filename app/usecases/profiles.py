"""A person's own profile: what they may see and change of it, how they want to be dealt with, and their list.

Who they are (name, number, birth, sex) and what they are registered as is not theirs to change here: a card or a paper
says so, and a station corrects it (`usecases.corrections`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime

from sqlalchemy.orm import Session

from app.domain.identities import mask_id_number, mask_name, mask_phone
from app.domain.postings import PostingKind
from app.domain.workers import Education, Evidence, Limit, Sex, Status, priority_of
from app.kit.errors import FieldFault, Invalid
from app.kit.keys import KeyRing
from app.store.audit import record_act
from app.store.identities import read_identity
from app.store.workers import Worker, find_worker, hold_workers, list_statuses, list_statuses_of
from app.usecases.areas import AreaBook, AreaSplit, AreaUnknown
from app.usecases.matchmaking import FoundPosting, MatchAnswer, Matchmaker, SearchQuery
from app.usecases.plans import profile_of
from app.usecases.workers import WorkerUnknown

OWN_DATA = "own_data"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnProfile:
    """All of a profile that a person changes themselves. `home` and `current` are codes of areas, `home_by` an hour.

    `wants` are words or occupation codes, best first; `max_km` how far they would travel.
    """

    home: str
    current: str | None
    skills: str
    wants: tuple[str, ...]
    certificates: tuple[str, ...]
    kinds: tuple[PostingKind, ...]
    limits: tuple[Limit, ...]
    pay_min_yuan_month: int | None
    max_km: int
    home_by: int | None
    available_on: date | None
    education: Education | None
    experience_years: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSettings:
    """How a person wants to be dealt with (PIPL 24).

    `personalised`: lists are ranked for them, else they are plain, by distance. `automated`: a machine may choose what
    they are sent, else somebody of the staff does.
    """

    personalised: bool
    automated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedIdentity:
    """Who somebody is, as it may stand on a screen that others look at too."""

    name: str
    id_number: str
    phone: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFact:
    """Something a person is or was registered as."""

    status: Status
    evidence: Evidence
    valid_from: date
    valid_to: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRecord:
    """What is on record of a person, as they see it themselves; `identity` is None where none is stored."""

    id: int
    identity: MaskedIdentity | None
    birth_on: date
    sex: Sex | None
    statuses: tuple[StatusFact, ...]
    profile: OwnProfile
    settings: OwnSettings
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMatches:
    """A person's own list: ranked for them, or plain by distance where they want no list of their own.

    `ranked` is None with a plain list; `total` and `next_token` belong to the plain one.
    """

    ranked: MatchAnswer | None
    plain: tuple[FoundPosting, ...] = ()
    total: int = 0
    next_token: str | None = None


def load_own_record(session: Session, worker_id: int, *, actor: str, now: datetime, keys: KeyRing) -> OwnRecord:
    """What is on record of somebody who looks at it. The identity is read for it, so that the session must write.

    Raises:
        WorkerUnknown: there is no such person.
    """
    worker = _load(session, worker_id)
    identity = read_identity(session, worker_id, keys=keys, actor=actor, reason=OWN_DATA, now=now)
    return OwnRecord(
        id=worker.id,
        identity=None
        if identity is None
        else MaskedIdentity(
            name=mask_name(identity.name),
            id_number=mask_id_number(identity.id_number),
            phone=None if identity.phone is None else mask_phone(identity.phone),
        ),
        birth_on=worker.birth_on,
        sex=worker.sex,
        statuses=tuple(
            StatusFact(status=row.status, evidence=row.evidence, valid_from=row.valid_from, valid_to=row.valid_to)
            for row in list_statuses_of(session, worker_id)
        ),
        profile=own_profile_of(worker),
        settings=OwnSettings(personalised=worker.personalised, automated=worker.automated),
        created_at=worker.created_at,
        updated_at=worker.updated_at,
    )


def load_own_profile(session: Session, worker_id: int) -> OwnProfile:
    """The profile alone, for which nobody's identity is read.

    Raises:
        WorkerUnknown: there is no such person.
    """
    return own_profile_of(_load(session, worker_id))


def change_own_profile(
    session: Session, worker_id: int, profile: OwnProfile, *, areas: AreaBook, actor: str, now: datetime
) -> None:
    """Put another profile in the place of the one on record. The audit is told which fields changed, not to what.

    Raises:
        WorkerUnknown: there is no such person.
        Invalid: `home` or `current` is no area of today.
    """
    hold_workers(session, [worker_id])
    worker = _load(session, worker_id)
    before, after = asdict(own_profile_of(worker)), asdict(profile)
    # A place on record may have ended since; whoever changes something else is not asked about it.
    wrong = [
        FieldFault(field, "area_unknown", "没有这个地方，请填今天有效的区划代码")
        for field, is_known in (("home", _is_home(areas, profile.home)), ("current", _is_area(areas, profile.current)))
        if after[field] != before[field] and not is_known
    ]
    if wrong:
        raise Invalid(fields=wrong)
    changed = [name for name in after if after[name] != before[name]]
    if not changed:
        return
    for name in changed:
        setattr(worker, _COLUMNS.get(name, name), _stored(after[name]))
    worker.updated_at = now
    session.flush()
    _record(session, "change_profile", worker_id, actor=actor, now=now, detail=" ".join(changed))


def load_own_settings(session: Session, worker_id: int) -> OwnSettings:
    """How somebody wants to be dealt with.

    Raises:
        WorkerUnknown: there is no such person.
    """
    worker = _load(session, worker_id)
    return OwnSettings(personalised=worker.personalised, automated=worker.automated)


def change_own_settings(session: Session, worker_id: int, settings: OwnSettings, *, actor: str, now: datetime) -> None:
    """Put other settings in the place of those on record; they hold from the next list, and the next plan, on.

    Raises:
        WorkerUnknown: there is no such person.
    """
    hold_workers(session, [worker_id])
    worker = _load(session, worker_id)
    if settings == OwnSettings(personalised=worker.personalised, automated=worker.automated):
        return
    worker.personalised, worker.automated, worker.updated_at = settings.personalised, settings.automated, now
    session.flush()
    told = f"personalised {settings.personalised} automated {settings.automated}".lower()
    _record(session, "change_settings", worker_id, actor=actor, now=now, detail=told)


def list_own_matches(
    session: Session,
    matchmaker: Matchmaker,
    worker_id: int,
    *,
    number: int,
    page_token: str | None = None,
    today: date,
) -> OwnMatches:
    """A person's own list. Where they want none ranked for them, all postings by distance from home (PIPL 24).

    Args:
        session: only read.
        matchmaker: ranks, or measures.
        worker_id: whose list.
        number: how many postings at most.
        page_token: where a plain list goes on; a ranked one has no second page.
        today: the day.

    Raises:
        WorkerUnknown: there is no such person.
        AreaUnknown: the place of their home is unknown.
        BadPageToken: the token was not given out by a plain list.
    """
    worker = _load(session, worker_id)
    if not worker.personalised:
        page = matchmaker.search(SearchQuery(near=worker.home_area_code), page_size=number, page_token=page_token)
        return OwnMatches(ranked=None, plain=page.items, total=page.total, next_token=page.next_token)
    statuses = list_statuses(session, on=today, worker_ids=[worker_id]).get(worker_id, frozenset())
    profile = profile_of(worker, priority=priority_of(statuses))
    try:
        return OwnMatches(ranked=matchmaker.match(profile, k=number, today=today))
    except AreaUnknown:
        # Where they are now may be a place that we do not know; home is what counts.
        return OwnMatches(ranked=matchmaker.match(replace(profile, current=None), k=number, today=today))


def own_profile_of(worker: Worker) -> OwnProfile:
    """The part of a worker that is theirs to change; what the lists of today do not know any more is left out."""
    return OwnProfile(
        home=worker.home_area_code,
        current=worker.current_area_code,
        skills=worker.skills_text,
        wants=tuple(worker.wants),
        certificates=tuple(worker.certificates),
        kinds=tuple(PostingKind(kind) for kind in worker.kinds),
        limits=tuple(Limit(limit) for limit in worker.limits),
        pay_min_yuan_month=worker.pay_min_yuan_month,
        max_km=worker.max_km,
        home_by=worker.home_by,
        available_on=worker.available_on,
        education=worker.education,
        experience_years=worker.experience_years,
    )


_COLUMNS: Mapping[str, str] = {"home": "home_area_code", "current": "current_area_code", "skills": "skills_text"}


def _stored(value: object) -> object:
    return [str(each) for each in value] if isinstance(value, tuple) else value


def _is_area(areas: AreaBook, code: str | None) -> bool:
    fact = None if code is None else areas.find(code)
    return code is None or (fact is not None and fact.code == code)


def _is_home(areas: AreaBook, code: str) -> bool:
    """Whether distances can be measured from there."""
    try:
        areas.place(code)
    except (AreaUnknown, AreaSplit):
        return False
    return _is_area(areas, code)


def _load(session: Session, worker_id: int) -> Worker:
    worker = find_worker(session, worker_id)
    if worker is None:
        raise WorkerUnknown
    return worker


def _record(session: Session, action: str, worker_id: int, *, actor: str, now: datetime, detail: str) -> None:
    record_act(session, actor=actor, action=action, subject=f"workers/{worker_id}", now=now, detail=detail[:200])
