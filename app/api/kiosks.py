"""Kiosks: their keys as an administrator of systems keeps them; and what a device itself asks, known by its key.

A person is let in at a kiosk by card, by a code on their phone, or with a clerk's help; each gives a token of ten
minutes. No answer here tells what anybody is registered as.
"""

import re
from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import Response

from app.api.answers import private_answer, told_at
from app.api.auth import LET_IN, SharerOut, Ticket
from app.api.bodies import StrictBody, body_of, documents
from app.api.houses import DoorHouse
from app.api.parameters import AreaCode, PageSize, PageToken, Readable
from app.api.problems import BadJson, BodyTooLarge, MediaTypeUnsupported, declares
from app.api.visitors import CurrentVisitor, arrival_of, token_in
from app.domain.kiosks import LONG_TERM
from app.domain.permissions import Action, declared, permits
from app.domain.sessions import AT_A_KIOSK, LetInBy
from app.domain.workers import Sex
from app.kit.database import read_session, write_session
from app.kit.errors import Busy, FieldFault, Forbidden, Invalid, TooManyRequests, Unauthenticated
from app.kit.page_tokens import BadPageToken, read_page_token, write_page_token
from app.usecases.areas import AreaNotFound
from app.usecases.kiosks import (
    Card,
    ClerkRefused,
    KioskExists,
    KioskFact,
    KioskUnknown,
    KioskVisitor,
    PersonUnknown,
    add_kiosk,
    end_stays,
    let_in_by_card,
    let_in_by_clerk,
    let_in_by_phone,
    list_kiosks,
    note_heartbeat,
    renew_key,
    require_kiosk,
    revoke_key,
)
from app.usecases.phone_codes import CodeWrong, PersonNotThere, PhoneUnregistered
from app.usecases.sessions import Arrival, FactorStale

router = APIRouter(prefix="/api/v1", tags=["kiosks"])

_BODY = (Invalid, BadJson, BodyTooLarge, MediaTypeUnsupported)
_DEVICE = (Unauthenticated, Forbidden, Busy)
_KIOSK_CODE = r"[A-Za-z0-9-]{1,40}"
KioskCode = Annotated[str, Path(pattern=f"^{_KIOSK_CODE}$")]


# --- keys -------------------------------------------------------------------------------------------------------------


class KioskMade(StrictBody):
    """A new kiosk: its code, what the station is called, and the district or township where it stands."""

    kiosk: Annotated[str, Field(min_length=1, max_length=40), Readable]
    station: Annotated[str, Field(min_length=1, max_length=60), Readable]
    area: AreaCode


class KioskOut(BaseModel):
    """A kiosk. `drift_s` is how many seconds its clock was ahead when it was last seen."""

    kiosk: str
    station: str
    area: str
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    seen_at: datetime | None
    drift_s: int | None


class KiosksOut(BaseModel):
    """Kiosks in the order of their codes."""

    kiosks: list[KioskOut]
    next_page_token: str | None


class KioskKeyOut(BaseModel):
    """A device key, told once."""

    kiosk: str
    key: str


class KioskRevokedOut(BaseModel):
    """The kiosk whose key opens nothing any more, and how many people were in by it."""

    kiosk: str
    ended: int


@router.get(
    "/staff/kiosks",
    response_model=KiosksOut,
    responses=declares(*LET_IN, Invalid, BadPageToken),
    summary="Kiosks",
)
@permits(Action.SEE_KIOSKS)
def show_kiosks(
    house: DoorHouse, visitor: CurrentVisitor, page_token: PageToken = None, page_size: PageSize = 20
) -> Response:
    """Where they stand, whether their keys are good, and when they were last seen."""
    del visitor  # asked for, or anybody could
    after = "" if page_token is None else _code_in(page_token)
    with read_session(house.engine) as session:
        found = list_kiosks(session, after=after, limit=page_size + 1)
    page = found[:page_size]
    more = write_page_token(page[-1].code, of="kiosks") if len(found) > page_size else None
    return private_answer({"kiosks": [_kiosk_out(fact) for fact in page], "next_page_token": more})


@router.post(
    "/staff/kiosks",
    status_code=201,
    response_model=KioskKeyOut,
    responses=declares(*LET_IN, FactorStale, *_BODY, KioskExists, AreaNotFound),
    openapi_extra=documents(KioskMade),
    summary="Put a kiosk on record",
)
@permits(Action.CHANGE_KIOSKS)
def make_kiosk(
    house: DoorHouse, visitor: CurrentVisitor, body: Annotated[KioskMade, Depends(body_of(KioskMade))]
) -> Response:
    """Its key is told once. Sent twice it is refused the second time: the code is taken then."""
    with write_session(house.engine) as session:
        key = add_kiosk(
            session,
            code=body.kiosk,
            station=body.station,
            area_code=body.area,
            actor=visitor.actor,
            now=house.clock.now(),
            origin=visitor.origin,
        )
    return private_answer({"kiosk": body.kiosk, "key": key}, status=201)


@router.post(
    "/staff/kiosks/{code}/key",
    response_model=KioskKeyOut,
    responses=declares(*LET_IN, FactorStale, Invalid, KioskUnknown),
    summary="Give a kiosk a new key",
)
@permits(Action.CHANGE_KIOSKS)
def give_key(house: DoorHouse, visitor: CurrentVisitor, code: KioskCode) -> Response:
    """The old one opens nothing any more, and whoever it has let in is out. Told once."""
    with write_session(house.engine) as session:
        key = renew_key(session, code, actor=visitor.actor, now=house.clock.now(), origin=visitor.origin)
    return private_answer({"kiosk": code, "key": key})


@router.post(
    "/staff/kiosks/{code}/revoke",
    response_model=KioskRevokedOut,
    responses=declares(*LET_IN, FactorStale, Invalid, KioskUnknown),
    summary="Take a kiosk's key back",
)
@permits(Action.CHANGE_KIOSKS)
def take_key_back(house: DoorHouse, visitor: CurrentVisitor, code: KioskCode) -> Response:
    """From the next request on it opens nothing, and whoever it has let in is out. Again, nothing changes."""
    with write_session(house.engine) as session:
        ended = revoke_key(session, code, actor=visitor.actor, now=house.clock.now(), origin=visitor.origin)
    return private_answer({"kiosk": code, "ended": ended})


# --- the device -------------------------------------------------------------------------------------------------------


_bearer = HTTPBearer(auto_error=False, scheme_name="kiosk_key", description="a device key from `jiujin kiosk add`")

Sent = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def kiosk_behind(request: Request, house: DoorHouse, sent: Sent) -> KioskVisitor:
    """The kiosk whose key a request brings, if kiosks may do what the route declares.

    Raises:
        Unauthenticated: it brings none, or none that is good.
        Forbidden: kiosks do no such thing.
    """
    action = declared(request.scope["endpoint"])
    if action is None:  # the application does not start with such a route
        raise Unauthenticated
    with read_session(house.engine) as session:
        return require_kiosk(session, token_in(sent), action, now=house.clock.now())


def kiosk_arrival(request: Request) -> Arrival:
    """How a kiosk brings somebody: what it brings itself is no session of theirs."""
    return replace(arrival_of(request), old_token=None)


CurrentKiosk = Annotated[KioskVisitor, Depends(kiosk_behind)]
KioskArrival = Annotated[Arrival, Depends(kiosk_arrival)]


class Beat(StrictBody):
    """The device's clock, with its offset."""

    now: AwareDatetime


class BeatOut(BaseModel):
    """The server's clock, and how many seconds the device's is ahead of it."""

    now: datetime
    drift_s: int


class KioskBy(StrEnum):
    """How a person is let in at a kiosk."""

    CARD = "card"
    PHONE = "phone"
    CLERK = "clerk"


class CardRead(StrictBody):
    """What a reader tells of an identity card, in no maker's shape; never the photo. `valid_until` may be 长期."""

    name: Annotated[str, Field(min_length=1, max_length=60), Readable] = Field(repr=False)
    sex: Sex = Field(strict=False, repr=False)
    birthday: date = Field(repr=False)
    address: Annotated[str, Field(max_length=200), Readable] = Field(repr=False)
    number: Annotated[str, Field(max_length=30), Readable] = Field(repr=False)
    valid_until: Literal["长期"] | date = Field(repr=False)


class StayAsked(StrictBody):
    """Let somebody in, by one of three ways.

    By card: `card`. By phone: `ticket` and `code`; after it, of those who share a phone, `ticket` and `person`. By
    clerk: `clerk`, the token of the clerk's session, and the person's ID `number`.
    """

    by: KioskBy = Field(strict=False)
    card: CardRead | None = Field(default=None, repr=False)
    ticket: Ticket | None = Field(default=None, repr=False)
    code: Annotated[Annotated[str, Field(max_length=20), Readable] | None, Field(repr=False)] = None
    person: Annotated[Annotated[str, Field(max_length=40), Readable] | None, Field(repr=False)] = None
    clerk: Annotated[Annotated[str, Field(min_length=16, max_length=200), Readable] | None, Field(repr=False)] = None
    number: Annotated[Annotated[str, Field(max_length=30), Readable] | None, Field(repr=False)] = None


class StayOut(BaseModel):
    """The token of a person's session at the kiosk; null while they have still to say who of several they are."""

    token: str | None
    let_in_by: LetInBy | None
    good_for_s: int
    idle_s: int
    people: list[SharerOut] = []


class StaysEndedOut(BaseModel):
    """How many people were in."""

    ended: int


_WANTED: dict[KioskBy, tuple[frozenset[str], frozenset[str]]] = {
    KioskBy.CARD: (frozenset({"card"}), frozenset()),
    KioskBy.PHONE: (frozenset({"ticket"}), frozenset({"code", "person"})),
    KioskBy.CLERK: (frozenset({"clerk", "number"}), frozenset()),
}


@router.post(
    "/kiosk/heartbeat",
    response_model=BeatOut,
    responses=declares(*_DEVICE, *_BODY, KioskUnknown),
    openapi_extra=documents(Beat),
    summary="A device tells that it runs",
)
@permits(Action.TELL_KIOSK)
def beat(house: DoorHouse, kiosk: CurrentKiosk, body: Annotated[Beat, Depends(body_of(Beat))]) -> Response:
    """With the server's time, by which the device tells when something happened off line."""
    now = house.clock.now()
    with write_session(house.engine) as session:
        drift_s = note_heartbeat(session, kiosk, device_at=body.now, now=now)
    return private_answer({"now": told_at(now), "drift_s": drift_s})


@router.post(
    "/kiosk/sessions",
    response_model=StayOut,
    responses=declares(
        *_DEVICE,
        *_BODY,
        TooManyRequests,
        PersonUnknown,
        CodeWrong,
        PersonNotThere,
        PhoneUnregistered,
        ClerkRefused,
    ),
    openapi_extra=documents(StayAsked),
    summary="Let a person in at a kiosk",
)
@permits(Action.LET_IN_AT_KIOSK)
def open_stay(
    house: DoorHouse,
    kiosk: CurrentKiosk,
    arrival: KioskArrival,
    body: Annotated[StayAsked, Depends(body_of(StayAsked))],
) -> Response:
    """For ten minutes, three without a request. Whoever was in at this kiosk before is out."""
    _require_members(body)
    now, token, let_in_by, people = house.clock.now(), None, LetInBy.SMS_CODE, []
    if body.card is not None:
        let_in_by = LetInBy.CARD
        token = let_in_by_card(house.engine, kiosk, _card(body.card), arrival=arrival, keys=house.keys, now=now)
    elif body.clerk is not None and body.number is not None:
        let_in_by = LetInBy.CLERK
        token = let_in_by_clerk(
            house.engine, kiosk, clerk=body.clerk, number=body.number, arrival=arrival, keys=house.keys, now=now
        )
    elif body.ticket is not None:
        found = let_in_by_phone(
            house.engine,
            kiosk,
            ticket=body.ticket,
            code=body.code,
            person=body.person,
            arrival=arrival,
            keys=house.keys,
            now=now,
        )
        token = found.token
        people = [
            {"person": sharer.person, "name": sharer.name, "birth_year": sharer.birth_year} for sharer in found.sharers
        ]
    return private_answer(
        {
            "token": token,
            "let_in_by": None if token is None else let_in_by,
            "good_for_s": int(AT_A_KIOSK.total.total_seconds()),
            "idle_s": int(AT_A_KIOSK.idle.total_seconds()),
            "people": people,
        }
    )


@router.delete(
    "/kiosk/sessions",
    response_model=StaysEndedOut,
    responses=declares(*_DEVICE),
    summary="Let whoever stands before a kiosk be out",
)
@permits(Action.LET_IN_AT_KIOSK)
def end_stay(house: DoorHouse, kiosk: CurrentKiosk) -> Response:
    """When they leave, and by the device itself when nobody has touched it for a minute. The device key is enough."""
    with write_session(house.engine) as session:
        ended = end_stays(session, kiosk, now=house.clock.now())
    return private_answer({"ended": ended})


def _require_members(body: StayAsked) -> None:
    """Refuse a body with members that do not belong to its way in, or without those that do."""
    needed, optional = _WANTED[body.by]
    given = {name for name in type(body).model_fields if name != "by" and getattr(body, name) is not None}
    faults = [FieldFault(name, "missing", "缺少这一项") for name in sorted(needed - given)]
    faults += [FieldFault(name, "extra_forbidden", "这种方式不用这一项") for name in sorted(given - needed - optional)]
    if faults:
        raise Invalid(fields=faults)


def _card(read: CardRead) -> Card:
    # The address is of use to nobody here, so it goes no further.
    return Card(
        name=read.name,
        sex=read.sex,
        birthday=read.birthday,
        number=read.number,
        valid_until=None if read.valid_until == LONG_TERM else read.valid_until,  # type: ignore[arg-type]
    )


def _code_in(page_token: str) -> str:
    (code,) = read_page_token(page_token, of="kiosks", shape=(str,))
    if not re.fullmatch(_KIOSK_CODE, code):
        raise BadPageToken
    return str(code)


def _kiosk_out(fact: KioskFact) -> dict[str, Any]:
    return {
        "kiosk": fact.code,
        "station": fact.station,
        "area": fact.area_code,
        "issued_at": told_at(fact.issued_at),
        "expires_at": told_at(fact.expires_at),
        "revoked_at": None if fact.revoked_at is None else told_at(fact.revoked_at),
        "seen_at": None if fact.seen_at is None else told_at(fact.seen_at),
        "drift_s": fact.drift_s,
    }
