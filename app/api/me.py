"""A job-seeker's own things: profile, list, pushes, consents, settings, who looked, a copy of everything, erasure.

Whose they are is the session's to say: no route takes a person's number. What is somebody else's is not there (404).
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, StringConstraints, model_validator
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.api.answers import private_answer, told_at
from app.api.auth import LET_IN
from app.api.bodies import StrictBody, body_of, documents
from app.api.cards import CurrentFragments, Fragments, PostingOut
from app.api.idempotency import Key, answer_once
from app.api.matches import LackingOut, MatchOut, NoteOut, answer_out
from app.api.occupations import ResolvedOut
from app.api.parameters import AreaCode, Day, Id, PageSize, PageToken, Readable
from app.api.postings import distance_out
from app.api.problems import BadJson, BodyTooLarge, MediaTypeUnsupported, declares, refusal
from app.api.visitors import CurrentVisitor, OwnHouse
from app.domain.areas import Nearness
from app.domain.consents import Purpose
from app.domain.ledger import Channel
from app.domain.permissions import Action, permits
from app.domain.postings import PostingKind
from app.domain.pushes import Answer, PushCause, PushState, Unsuitable
from app.domain.viewers import EVERYBODY
from app.domain.workers import Education, Evidence, Limit, Sex, Status
from app.kit.database import HIGHEST_ID, read_session, write_session
from app.kit.errors import Forbidden, Invalid
from app.kit.page_tokens import BadPageToken, read_page_token, write_page_token
from app.usecases.accesses import AccessFact, list_own_accesses
from app.usecases.areas import AreaSplit, AreaUnknown
from app.usecases.consents import ChannelUnbound, ConsentFact, change_own_consent, list_own_consents
from app.usecases.erasures import erase_worker
from app.usecases.idempotency_keys import IdempotencyKeyReused
from app.usecases.inboxes import SEEN, OwnPush, answer_own_push, list_own_pushes
from app.usecases.matchmaking import FoundPosting
from app.usecases.personal_exports import export_own_data
from app.usecases.profiles import (
    OwnMatches,
    OwnProfile,
    OwnRecord,
    OwnSettings,
    change_own_profile,
    change_own_settings,
    list_own_matches,
    load_own_profile,
    load_own_record,
    load_own_settings,
)
from app.usecases.pushes import PushNotFound
from app.usecases.sessions import OwnHandOnly, Visitor
from app.usecases.workers import WorkerUnknown
from app.wiring import House, NotReady

router = APIRouter(prefix="/api/v1/me", tags=["seeker"])

_OWN = (*LET_IN, WorkerUnknown)
_WRITTEN = (*_OWN, Invalid, BadJson, BodyTooLarge, MediaTypeUnsupported, IdempotencyKeyReused)

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), Readable]


def worker_of(visitor: Visitor) -> int:
    """The person whose session it is; the table lets nobody else come here.

    Raises:
        Forbidden: the session is no job-seeker's.
    """
    if visitor.worker_id is None:
        raise Forbidden
    return visitor.worker_id


# --- profile ----------------------------------------------------------------------------------------------------------


class ProfileChanged(StrictBody):
    """The whole profile, as `GET /me` gives it: a field that was left out would be one that was emptied by mistake.

    What a card or a paper says (name, number, birth, sex, what one is registered as) is no part of it.
    """

    home: AreaCode
    current: AreaCode | None = Field(description="where the person works now")
    skills: Annotated[str, Field(max_length=200), Readable] = Field(description="in the person's own words")
    wants: list[Words] = Field(max_length=10, description="words or occupation codes, best first")
    certificates: list[Words] = Field(max_length=20)
    kinds: list[Annotated[PostingKind, Field(strict=False)]] = Field(max_length=len(PostingKind))
    limits: list[Annotated[Limit, Field(strict=False)]] = Field(
        max_length=len(Limit), description="never shown to an employer"
    )
    pay_min_yuan_month: int | None = Field(ge=0, le=200_000)
    max_km: int = Field(ge=1, le=2_000)
    home_by: int | None = Field(ge=0, le=24, description="hour by which the person must be home")
    available_on: Day | None
    education: Annotated[Education, Field(strict=False)] | None
    experience_years: int | None = Field(ge=0, le=80)

    def to_profile(self) -> OwnProfile:
        """The same for the use case; what was said twice counts once."""
        return OwnProfile(
            home=self.home,
            current=self.current,
            skills=self.skills.strip(),
            wants=tuple(dict.fromkeys(self.wants)),
            certificates=tuple(dict.fromkeys(self.certificates)),
            kinds=tuple(dict.fromkeys(self.kinds)),
            limits=tuple(dict.fromkeys(self.limits)),
            pay_min_yuan_month=self.pay_min_yuan_month,
            max_km=self.max_km,
            home_by=self.home_by,
            available_on=self.available_on,
            education=self.education,
            experience_years=self.experience_years,
        )


class ProfileOut(BaseModel):
    """What a person changes themselves, in the shape in which `PUT /me` takes it."""

    home: str
    current: str | None
    skills: str
    wants: list[str]
    certificates: list[str]
    kinds: list[PostingKind]
    limits: list[Limit]
    pay_min_yuan_month: int | None
    max_km: int
    home_by: int | None
    available_on: date | None
    education: Education | None
    experience_years: int | None


class IdentityOut(BaseModel):
    """Who it is, masked; whole values stand in `GET /me/export` alone."""

    name: str
    id_number: str
    phone: str | None


class StatusOut(BaseModel):
    """Something one is or was registered as, with its first and last day."""

    status: Status
    label: str
    evidence: Evidence
    valid_from: date
    valid_to: date | None


class SettingsOut(BaseModel):
    """How somebody wants to be dealt with (PIPL 24)."""

    personalised: bool = Field(description="lists are ranked for this person; else plain, by distance")
    automated: bool = Field(description="a machine may choose what is sent; else somebody of the staff does")


class OwnOut(BaseModel):
    """What is on record of oneself."""

    identity: IdentityOut | None
    birth_on: date
    sex: Sex | None
    home_name: str
    current_name: str
    statuses: list[StatusOut]
    profile: ProfileOut
    settings: SettingsOut
    created_at: datetime
    updated_at: datetime


@router.get("", response_model=OwnOut, responses=declares(*_OWN, NotReady), summary="What is on record of oneself")
@permits(Action.SEE_OWN_DATA)
def show_own(house: OwnHouse, visitor: CurrentVisitor) -> Response:
    """The profile, who one is (masked), what one is registered as, and the settings."""
    with write_session(house.engine) as session:
        record = load_own_record(
            session, worker_of(visitor), actor=visitor.actor, now=house.clock.now(), keys=house.keys
        )
    return private_answer(_own_out(record, house))


@router.put(
    "",
    response_model=ProfileOut,
    responses=declares(*_WRITTEN, NotReady),
    openapi_extra=documents(ProfileChanged),
    summary="Change one's profile",
)
@permits(Action.CHANGE_OWN_DATA)
def change_own(
    house: OwnHouse,
    visitor: CurrentVisitor,
    body: Annotated[ProfileChanged, Depends(body_of(ProfileChanged))],
    key: Key = None,
) -> Response:
    """The whole profile takes the place of the one on record. Lists and pushes follow it from then on."""
    areas = house.ready_matchmaker().areas

    def deed(session: Session) -> dict[str, Any]:
        worker_id, now = worker_of(visitor), house.clock.now()
        change_own_profile(session, worker_id, body.to_profile(), areas=areas, actor=visitor.actor, now=now)
        # The profile alone: a stored answer must hold nothing that names the person.
        return asdict(load_own_profile(session, worker_id))

    return _write_once(house, visitor, deed, route="PUT /me", key=key, body=body)


@router.delete(
    "",
    response_model=None,
    status_code=204,
    responses=declares(*_OWN, OwnHandOnly),
    summary="Erase oneself",
)
@permits(Action.ERASE_OWN_DATA)
def erase_own(house: OwnHouse, visitor: CurrentVisitor) -> Response:
    """Name, number and phone are destroyed at once, with the key to all notes, and nobody can bring them back.

    What was done stays countable and names nobody. All sessions of the person end, this one too.
    """
    # What others were told of the person goes, too.
    with write_session(house.seen_by(EVERYBODY).engine) as session:
        erase_worker(session, worker_of(visitor), actor=visitor.actor, now=house.clock.now(), keys=house.keys)
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


# --- settings ---------------------------------------------------------------------------------------------------------


class SettingsChanged(StrictBody):
    """How somebody wants to be dealt with from now on."""

    personalised: bool
    automated: bool


@router.get("/settings", response_model=SettingsOut, responses=declares(*_OWN), summary="How one is dealt with")
@permits(Action.SEE_OWN_DATA)
def show_settings(house: OwnHouse, visitor: CurrentVisitor) -> Response:
    """Both are on until the person turns them off."""
    with read_session(house.engine) as session:
        found = load_own_settings(session, worker_of(visitor))
    return private_answer(_settings_out(found))


@router.put(
    "/settings",
    response_model=SettingsOut,
    responses=declares(*_WRITTEN),
    openapi_extra=documents(SettingsChanged),
    summary="Turn recommendations, or choices by a machine, on or off",
)
@permits(Action.CHANGE_OWN_DATA)
def change_settings(
    house: OwnHouse,
    visitor: CurrentVisitor,
    body: Annotated[SettingsChanged, Depends(body_of(SettingsChanged))],
    key: Key = None,
) -> Response:
    """What one is owed is owed all the same: with `automated` off, somebody of the staff chooses."""
    settings = OwnSettings(personalised=body.personalised, automated=body.automated)

    def deed(session: Session) -> dict[str, Any]:
        change_own_settings(session, worker_of(visitor), settings, actor=visitor.actor, now=house.clock.now())
        return _settings_out(settings)

    return _write_once(house, visitor, deed, route="PUT /me/settings", key=key, body=body)


# --- the list ---------------------------------------------------------------------------------------------------------


class PlainOut(BaseModel):
    """A posting in a list that is ranked for nobody."""

    distance_km: float | None
    nearness: Nearness
    posting: PostingOut


class OwnMatchesOut(BaseModel):
    """One's own list: ranked for the person in `matches`, or the same for all, by distance, in `postings`."""

    personalised: bool
    told: str = Field(description="which of the two it is, in Chinese")
    matches: list[MatchOut]
    resolved: list[ResolvedOut]
    widened: list[NoteOut]
    refused: dict[str, int]
    lacking: list[LackingOut]
    notes: list[NoteOut]
    postings: list[PlainOut]
    total: int | None = Field(description="how many a plain list has in all")
    next_page_token: str | None


@router.get(
    "/matches",
    response_model=OwnMatchesOut,
    responses=declares(*_OWN, Invalid, BadPageToken, AreaUnknown, AreaSplit, NotReady),
    summary="One's own list of postings",
)
@permits(Action.SEE_OWN_DATA)
def show_matches(
    house: OwnHouse,
    visitor: CurrentVisitor,
    fragments: CurrentFragments,
    page_token: PageToken = None,
    page_size: PageSize = 20,
) -> Response:
    """From the profile on record. A ranked list has no second page."""
    with read_session(house.engine) as session:
        found = list_own_matches(
            session,
            house.ready_matchmaker(),
            worker_of(visitor),
            number=page_size,
            page_token=page_token,
            today=house.clock.today(),
        )
    return private_answer(_matches_out(found, fragments))


# --- pushes -----------------------------------------------------------------------------------------------------------


class OwnPushOut(BaseModel):
    """A posting that one was sent. `posting` is null when the job is over; `link` is its page."""

    id: int
    created_at: datetime
    state: PushState
    state_label: str
    cause: PushCause
    cause_label: str
    distance_km: float
    answer: Answer | None
    why: Unsuitable | None
    is_seen: bool
    posting_id: int
    posting: PostingOut | None
    link: str | None


class OwnPushesOut(BaseModel):
    """What one was sent, newest first."""

    pushes: list[OwnPushOut]
    next_page_token: str | None


class PushAnswered(StrictBody):
    """What one says to a push; `why` goes with `unsuitable` and with nothing else."""

    answer: Literal["interested", "unsuitable", "call_me", "seen"]
    why: Annotated[Unsuitable, Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _has_its_reason(self) -> "PushAnswered":
        if (self.answer == Answer.UNSUITABLE.value) != (self.why is not None):
            raise refusal("why_with_unsuitable", "不合适要说为什么，别的回答不用")
        return self


class AnsweredOut(BaseModel):
    """It has been taken."""

    answer: str
    why: Unsuitable | None


@router.get(
    "/pushes",
    response_model=OwnPushesOut,
    responses=declares(*_OWN, Invalid, BadPageToken, NotReady),
    summary="What one was sent",
)
@permits(Action.SEE_OWN_DATA)
def show_pushes(
    house: OwnHouse,
    visitor: CurrentVisitor,
    fragments: CurrentFragments,
    page_token: PageToken = None,
    page_size: PageSize = 20,
) -> Response:
    """Newest first. Looking proves nothing and changes nothing."""
    with read_session(house.engine) as session:
        found, behind = list_own_pushes(
            session,
            worker_of(visitor),
            areas=house.ready_matchmaker().areas,
            today=house.clock.today(),
            keys=house.keys,
            limit=page_size,
            before_id=_id_in(page_token, of="own pushes"),
        )
    return private_answer(
        {
            "pushes": [_push_out(push, house, fragments) for push in found],
            "next_page_token": None if behind is None else write_page_token(behind, of="own pushes"),
        }
    )


@router.post(
    "/pushes/{push_id}/answer",
    response_model=AnsweredOut,
    responses=declares(*_WRITTEN, PushNotFound),
    openapi_extra=documents(PushAnswered),
    summary="Answer a push",
)
@permits(Action.CHANGE_OWN_DATA)
def answer(
    house: OwnHouse,
    visitor: CurrentVisitor,
    push_id: Id,
    body: Annotated[PushAnswered, Depends(body_of(PushAnswered))],
    key: Key = None,
) -> Response:
    """Another answer later holds from then on. It proves that the push arrived, and is written into the ledger."""

    def deed(session: Session) -> dict[str, Any]:
        given = None if body.answer == SEEN else Answer(body.answer)
        answer_own_push(
            session, worker_of(visitor), push_id, given, why=body.why, now=house.clock.now(), keys=house.keys
        )
        return {"answer": body.answer, "why": body.why}

    # What is written down of an answer tells how many places were left, which is counted over everybody's entries.
    everybody = house.seen_by(EVERYBODY)
    return _write_once(everybody, visitor, deed, route=f"POST /me/pushes/{push_id}/answer", key=key, body=body)


# --- consents ---------------------------------------------------------------------------------------------------------


class ConsentOut(BaseModel):
    """Whether one may be written to or called for a purpose on a channel, and since when."""

    purpose: Purpose
    purpose_label: str
    channel: Channel
    channel_label: str
    given: bool
    given_at: datetime | None


class PastConsentOut(BaseModel):
    """A consent as it was given and, if it was, withdrawn."""

    purpose: Purpose
    channel: Channel
    given_at: datetime
    how: str
    ended_at: datetime | None
    ended_how: str | None


class ConsentsOut(BaseModel):
    """Every purpose on every channel that needs one; and all that was ever given, oldest first."""

    consents: list[ConsentOut]
    history: list[PastConsentOut]


class ConsentChanged(StrictBody):
    """One consent, given or withdrawn."""

    purpose: Purpose = Field(strict=False)
    channel: Literal["sms", "wechat", "voice", "inbox"]
    given: bool


class ConsentsChanged(StrictBody):
    """Consents to be given or withdrawn; those that are not named stay as they are."""

    consents: list[ConsentChanged] = Field(min_length=1, max_length=20)


@router.get("/consents", response_model=ConsentsOut, responses=declares(*_OWN), summary="What one has agreed to")
@permits(Action.SEE_OWN_DATA)
def show_consents(house: OwnHouse, visitor: CurrentVisitor) -> Response:
    """By purpose and channel, with their dates."""
    with read_session(house.engine) as session:
        found = list_own_consents(session, worker_of(visitor))
    return private_answer(_consents_out(found))


@router.put(
    "/consents",
    response_model=ConsentsOut,
    responses=declares(*_WRITTEN, ChannelUnbound),
    openapi_extra=documents(ConsentsChanged),
    summary="Agree, or withdraw what one has agreed to",
)
@permits(Action.CHANGE_OWN_DATA)
def change_consents(
    house: OwnHouse,
    visitor: CurrentVisitor,
    body: Annotated[ConsentsChanged, Depends(body_of(ConsentsChanged))],
    key: Key = None,
) -> Response:
    """Withdrawing is as easy as giving, and costs nothing: what one is owed then comes by a visit."""

    def deed(session: Session) -> dict[str, Any]:
        for each in body.consents:
            change_own_consent(
                session,
                worker_id=worker_of(visitor),
                purpose=each.purpose,
                channel=Channel(each.channel),
                is_given=each.given,
                actor=visitor.actor,
                now=house.clock.now(),
                keys=house.keys,
            )
        return _consents_out(list_own_consents(session, worker_of(visitor)))

    return _write_once(house, visitor, deed, route="PUT /me/consents", key=key, body=body)


# --- who looked, and a copy of everything -----------------------------------------------------------------------------


class AccessOut(BaseModel):
    """One act: who is told as a role and where it works, never by name."""

    id: int
    happened_at: datetime
    who: str
    office: str
    deed: str
    reason: str
    is_own: bool


class AccessesOut(BaseModel):
    """Who saw or changed what of one's own, newest first."""

    accesses: list[AccessOut]
    next_page_token: str | None


@router.get(
    "/accesses",
    response_model=AccessesOut,
    responses=declares(*_OWN, Invalid, BadPageToken, NotReady),
    summary="Who saw or changed what of one's own",
)
@permits(Action.SEE_OWN_DATA)
def show_accesses(
    house: OwnHouse, visitor: CurrentVisitor, page_token: PageToken = None, page_size: PageSize = 20
) -> Response:
    """Also what machines did: each message that was sent needed the phone number."""
    with read_session(house.engine) as session:
        found, behind = list_own_accesses(
            session,
            worker_of(visitor),
            areas=house.ready_matchmaker().areas,
            before_id=_id_in(page_token, of="own accesses"),
            limit=page_size,
        )
    return private_answer(
        {
            "accesses": [_access_out(access) for access in found],
            "next_page_token": None if behind is None else write_page_token(behind, of="own accesses"),
        }
    )


@router.get(
    "/export",
    response_model=dict[str, Any],
    responses=declares(*_OWN, OwnHandOnly, NotReady),
    summary="A copy of everything",
)
@permits(Action.EXPORT_OWN_DATA)
def export(house: OwnHouse, visitor: CurrentVisitor) -> Response:
    """One's own values whole, as a file. That it was made stands among the accesses."""
    # Keys of notes are read as they are stored, which nobody may who does not see everybody; the number is their own.
    with write_session(house.seen_by(EVERYBODY).engine) as session:
        document = export_own_data(
            session,
            worker_of(visitor),
            areas=house.ready_matchmaker().areas,
            actor=visitor.actor,
            now=house.clock.now(),
            keys=house.keys,
        )
    return Response(
        orjson.dumps(document, option=orjson.OPT_INDENT_2),
        media_type="application/json",
        headers={"Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="jiujin-my-data.json"'},
    )


# --- shapes -----------------------------------------------------------------------------------------------------------


def _write_once(
    house: House,
    visitor: Visitor,
    deed: Callable[[Session], dict[str, Any]],
    *,
    route: str,
    key: str | None,
    body: StrictBody,
) -> Response:
    with write_session(house.engine) as session:
        return answer_once(
            session,
            lambda: (200, deed(session)),
            route=route,
            key=key,
            client=visitor.actor,
            request=body.model_dump(mode="json"),
            clock=house.clock,
        )


def _id_in(page_token: str | None, *, of: str) -> int | None:
    if page_token is None:
        return None
    (number,) = read_page_token(page_token, of=of, shape=(int,))
    if not 0 < number <= HIGHEST_ID:
        raise BadPageToken
    return int(number)


def _own_out(record: OwnRecord, house: House) -> dict[str, Any]:
    areas, identity = house.ready_matchmaker().areas, record.identity
    return {
        "identity": None
        if identity is None
        else {"name": identity.name, "id_number": identity.id_number, "phone": identity.phone},
        "birth_on": record.birth_on,
        "sex": record.sex,
        "home_name": areas.told(record.profile.home),
        "current_name": areas.told(record.profile.current),
        "statuses": [
            {
                "status": each.status,
                "label": each.status.label,
                "evidence": each.evidence,
                "valid_from": each.valid_from,
                "valid_to": each.valid_to,
            }
            for each in record.statuses
        ],
        "profile": record.profile,
        "settings": _settings_out(record.settings),
        "created_at": told_at(record.created_at),
        "updated_at": told_at(record.updated_at),
    }


def _settings_out(settings: OwnSettings) -> dict[str, Any]:
    return {"personalised": settings.personalised, "automated": settings.automated}


_RANKED = "按您的情况排的：离家近、会做的在前面"
_PLAIN = "您关了按情况推荐：这里只按离家远近排，人人一样"


def _matches_out(found: OwnMatches, fragments: Fragments) -> dict[str, Any]:
    shared: dict[str, Any] = {"resolved": [], "matches": [], "widened": [], "refused": {}, "lacking": [], "notes": []}
    if found.ranked is not None:
        shared = answer_out(found.ranked, fragments)
    is_ranked = found.ranked is not None
    return {
        "personalised": is_ranked,
        "told": _RANKED if is_ranked else _PLAIN,
        **shared,
        "postings": [_plain_out(each, fragments) for each in found.plain],
        "total": None if is_ranked else found.total,
        "next_page_token": found.next_token,
    }


def _plain_out(found: FoundPosting, fragments: Fragments) -> dict[str, Any]:
    return {
        "distance_km": distance_out(found.distance_km),
        "nearness": found.nearness,
        "posting": fragments.of(found.card),
    }


def _push_out(push: OwnPush, house: House, fragments: Fragments) -> dict[str, Any]:
    return {
        "id": push.id,
        "created_at": told_at(push.created_at),
        "state": push.state,
        "state_label": push.state.label,
        "cause": push.cause,
        "cause_label": push.cause.label,
        "distance_km": round(push.metres / 1000, 1),
        "answer": push.answer,
        "why": push.why,
        "is_seen": push.is_confirmed or push.answer is not None,
        "posting_id": push.posting_id,
        "posting": None if push.card is None else fragments.of(push.card),
        "link": None if push.token is None else f"{house.settings.effective_public_url}/r/{push.token}",
    }


def _consents_out(found: list[ConsentFact]) -> dict[str, Any]:
    holding = {(each.purpose, each.channel): each.given_at for each in found if each.ended_at is None}
    return {
        "consents": [
            {
                "purpose": purpose,
                "purpose_label": purpose.label,
                "channel": channel,
                "channel_label": channel.label,
                "given": (purpose, channel) in holding,
                "given_at": None if (purpose, channel) not in holding else told_at(holding[purpose, channel]),
            }
            for purpose in Purpose
            for channel in Channel
            if channel.is_electronic
        ],
        "history": [
            {
                "purpose": each.purpose,
                "channel": each.channel,
                "given_at": told_at(each.given_at),
                "how": each.how,
                "ended_at": None if each.ended_at is None else told_at(each.ended_at),
                "ended_how": each.ended_how,
            }
            for each in found
        ],
    }


def _access_out(access: AccessFact) -> dict[str, Any]:
    return {
        "id": access.id,
        "happened_at": told_at(access.happened_at),
        "who": access.who,
        "office": access.office,
        "deed": access.deed,
        "reason": access.reason,
        "is_own": access.is_own,
    }
