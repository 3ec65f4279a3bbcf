"""The doors: a code on the phone for job-seekers and employers, password and second factor for staff; and sessions.

Known and unknown numbers, and right and wrong accounts, are answered alike. The phone is never the only door: a kiosk
or a clerk lets in who has none (`/kiosk/sessions`).
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.answers import private_answer, told_at
from app.api.bodies import StrictBody, body_of, documents
from app.api.houses import DoorHouse
from app.api.parameters import Id, Readable
from app.api.problems import BadJson, BodyTooLarge, MediaTypeUnsupported, declares
from app.api.visitors import CurrentArrival, CurrentVisitor
from app.domain.accounts import LONGEST_PASSWORD
from app.domain.permissions import Action, Role, permits
from app.domain.phone_codes import GOOD_FOR, CodePurpose
from app.domain.sessions import LetInBy
from app.kit.database import read_session, write_session
from app.kit.errors import Busy, Forbidden, Invalid, TooManyRequests, Unauthenticated
from app.usecases.accounts import (
    FactorWrong,
    LoginRefused,
    OwnAccount,
    begin_setup,
    finish_setup,
    log_in,
    show_factor,
)
from app.usecases.phone_codes import (
    CodeUnsendable,
    CodeWrong,
    EmployerUnverified,
    LetIn,
    PersonNotThere,
    PhoneUnregistered,
    ask_code,
    let_in_by_code,
    let_in_sharer,
)
from app.usecases.sessions import (
    LoginFact,
    SessionNotFound,
    SetupDue,
    end_other_logins,
    end_own_login,
    list_own_logins,
)

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])

_BODY = (Invalid, BadJson, BodyTooLarge, MediaTypeUnsupported, Busy)
LET_IN = (Unauthenticated, Forbidden, SetupDue, Busy)
"""What any route that asks who is there may answer."""

Ticket = Annotated[str, Field(min_length=16, max_length=100, pattern=r"^[\w-]+$")]


# --- by phone ---------------------------------------------------------------------------------------------------------


class CodeAsked(StrictBody):
    """Ask for a code. `device` tells one device from another where a client can say so."""

    phone: Annotated[str, Field(pattern=r"^1[3-9][0-9]{9}$", description="eleven digits")]
    purpose: CodePurpose = Field(default=CodePurpose.SEEKER, strict=False)
    device: Annotated[str, Field(min_length=16, max_length=64, pattern=r"^[\w-]+$")] | None = None


class TicketOut(BaseModel):
    """A code is on its way, if somebody has the phone. Without the ticket it opens nothing."""

    ticket: str
    good_for_s: int


class CodeTyped(StrictBody):
    """The code that came by text message, with the ticket that was given when it was asked for."""

    ticket: Ticket
    code: Annotated[str, Field(max_length=20), Readable]


class SharerChosen(StrictBody):
    """Who of those that share the number somebody is."""

    ticket: Ticket
    person: Annotated[str, Field(max_length=40), Readable]


class SharerOut(BaseModel):
    """One of those who gave the same number."""

    person: str
    name: str = Field(description="masked")
    birth_year: int


class LetInOut(BaseModel):
    """The token of a new session; null while the person has still to say who of several they are."""

    token: str | None
    people: list[SharerOut] = []


@router.post(
    "/otp",
    status_code=202,
    response_model=TicketOut,
    responses=declares(*_BODY, TooManyRequests, CodeUnsendable),
    openapi_extra=documents(CodeAsked),
    summary="Send a code to a phone",
)
@permits(Action.LOG_IN)
def ask(house: DoorHouse, arrival: CurrentArrival, body: Annotated[CodeAsked, Depends(body_of(CodeAsked))]) -> Response:
    """Six digits, good for five minutes and for five tries. An older code of the same phone is good no more."""
    ticket = ask_code(
        house.engine,
        body.phone,
        purpose=body.purpose,
        network=arrival.network,
        device=body.device,
        senders=house.senders,
        keys=house.keys,
        now=house.clock.now(),
    )
    return private_answer({"ticket": ticket, "good_for_s": int(GOOD_FOR.total_seconds())}, status=202)


@router.post(
    "/otp/verify",
    response_model=LetInOut,
    responses=declares(*_BODY, TooManyRequests, CodeWrong, PhoneUnregistered, EmployerUnverified),
    openapi_extra=documents(CodeTyped),
    summary="Come in with the code",
)
@permits(Action.LOG_IN)
def verify(
    house: DoorHouse, arrival: CurrentArrival, body: Annotated[CodeTyped, Depends(body_of(CodeTyped))]
) -> Response:
    """Opens a session. A phone that several people gave asks who of them it is, for `/auth/otp/choose`."""
    found = let_in_by_code(
        house.engine, body.ticket, body.code, arrival=arrival, keys=house.keys, now=house.clock.now()
    )
    return private_answer(_let_in_out(found))


@router.post(
    "/otp/choose",
    response_model=LetInOut,
    responses=declares(*_BODY, CodeWrong, PersonNotThere, PhoneUnregistered, EmployerUnverified),
    openapi_extra=documents(SharerChosen),
    summary="Say who of those that share a phone one is",
)
@permits(Action.LOG_IN)
def choose(
    house: DoorHouse, arrival: CurrentArrival, body: Annotated[SharerChosen, Depends(body_of(SharerChosen))]
) -> Response:
    """Opens a session, once, after the right code has come with the same ticket."""
    found = let_in_sharer(
        house.engine, body.ticket, body.person, arrival=arrival, keys=house.keys, now=house.clock.now()
    )
    return private_answer(_let_in_out(found))


# --- staff ------------------------------------------------------------------------------------------------------------


class StaffLogin(StrictBody):
    """Account, password, and the code that the authenticator shows; empty before one has been set up."""

    account: Annotated[str, Field(max_length=40), Readable]
    password: Annotated[str, Field(max_length=LONGEST_PASSWORD), Readable] = Field(repr=False)
    factor: Annotated[str, Field(max_length=10), Readable] = Field(default="", repr=False)


class FactorShown(StrictBody):
    """The code that the authenticator shows now."""

    factor: Annotated[str, Field(max_length=10), Readable] = Field(repr=False)


class SetupDone(StrictBody):
    """One's own password, and a code of the authenticator; with the present password, unless somebody gave it."""

    present: Annotated[str, Field(max_length=LONGEST_PASSWORD), Readable] = Field(default="", repr=False)
    password: Annotated[str, Field(max_length=LONGEST_PASSWORD), Readable] = Field(repr=False)
    factor: Annotated[str, Field(max_length=10), Readable] = Field(repr=False)


class TokenOut(BaseModel):
    """The token of a new session, told once."""

    token: str


class SetupOut(BaseModel):
    """What an authenticator is given."""

    secret: str = Field(description="base32")
    uri: str = Field(description="for a QR code")


class DoneOut(BaseModel):
    """It is done."""

    done: bool


@router.post(
    "/staff",
    response_model=TokenOut,
    responses=declares(*_BODY, TooManyRequests, LoginRefused),
    openapi_extra=documents(StaffLogin),
    summary="Come in as staff",
)
@permits(Action.LOG_IN)
def come_in_as_staff(
    house: DoorHouse, arrival: CurrentArrival, body: Annotated[StaffLogin, Depends(body_of(StaffLogin))]
) -> Response:
    """Password and second factor together: which of them was wrong is not told."""
    token = log_in(
        house.engine,
        code=body.account,
        password=body.password,
        factor=body.factor,
        arrival=arrival,
        keys=house.keys,
        now=house.clock.now(),
    )
    return private_answer({"token": token})


@router.post(
    "/factor",
    response_model=DoneOut,
    responses=declares(*_BODY, *LET_IN, TooManyRequests, FactorWrong),
    openapi_extra=documents(FactorShown),
    summary="Show the second factor again",
)
@permits(Action.SHOW_FACTOR)
def show_again(
    house: DoorHouse, visitor: CurrentVisitor, body: Annotated[FactorShown, Depends(body_of(FactorShown))]
) -> Response:
    """For what cannot be taken back in the next ten minutes."""
    show_factor(house.engine, visitor, body.factor, keys=house.keys, now=house.clock.now())
    return private_answer({"done": True})


@router.post(
    "/setup/begin",
    response_model=SetupOut,
    responses=declares(*LET_IN, OwnAccount),
    summary="A secret for one's authenticator",
)
@permits(Action.SET_UP_ACCOUNT)
def begin(house: DoorHouse, visitor: CurrentVisitor) -> Response:
    """It counts from when `/auth/setup/finish` has seen a code of it; asked for again, the earlier one is void."""
    with write_session(house.engine) as session:
        setup = begin_setup(session, visitor, keys=house.keys, now=house.clock.now())
    return private_answer({"secret": setup.secret, "uri": setup.uri})


@router.post(
    "/setup/finish",
    response_model=DoneOut,
    responses=declares(*_BODY, *LET_IN, TooManyRequests, FactorWrong),
    openapi_extra=documents(SetupDone),
    summary="Choose one's own password",
)
@permits(Action.SET_UP_ACCOUNT)
def finish(
    house: DoorHouse, visitor: CurrentVisitor, body: Annotated[SetupDone, Depends(body_of(SetupDone))]
) -> Response:
    """Also later, to change it. All other sessions of the account end."""
    finish_setup(
        house.engine,
        visitor,
        password=body.password,
        present=body.present,
        factor=body.factor,
        keys=house.keys,
        now=house.clock.now(),
    )
    return private_answer({"done": True})


# --- sessions ---------------------------------------------------------------------------------------------------------


class SessionOut(BaseModel):
    """A session of one's own; the network is cut short."""

    id: int
    is_this: bool
    let_in_by: LetInBy
    opened_at: datetime
    seen_at: datetime
    ends_at: datetime
    network: str
    agent: str


class SessionsOut(BaseModel):
    """Where one is logged in, newest first, and as what."""

    role: Role
    sessions: list[SessionOut]


class EndedOut(BaseModel):
    """How many sessions ended."""

    ended: int


@router.get(
    "/sessions",
    response_model=SessionsOut,
    responses=declares(*LET_IN),
    summary="Where one is logged in",
)
@permits(Action.SEE_OWN_SESSIONS)
def show_sessions(house: DoorHouse, visitor: CurrentVisitor) -> Response:
    """One's own sessions alone."""
    with read_session(house.engine) as session:
        found = list_own_logins(session, visitor, now=house.clock.now())
    return private_answer({"role": visitor.role, "sessions": [_session_out(login) for login in found]})


@router.delete(
    "/sessions/{session_id}",
    response_model=EndedOut,
    responses=declares(*LET_IN, SessionNotFound, Invalid),
    summary="Log out, or kick somebody out",
)
@permits(Action.END_OWN_SESSIONS)
def end_session(house: DoorHouse, visitor: CurrentVisitor, session_id: Id) -> Response:
    """End one session of one's own at once."""
    with write_session(house.engine) as session:
        end_own_login(session, visitor, login_id=session_id, now=house.clock.now())
    return private_answer({"ended": 1})


@router.delete(
    "/sessions",
    response_model=EndedOut,
    responses=declares(*LET_IN),
    summary="Log out everywhere else",
)
@permits(Action.END_OWN_SESSIONS)
def end_others(house: DoorHouse, visitor: CurrentVisitor) -> Response:
    """End all sessions of one's own but this one."""
    with write_session(house.engine) as session:
        ended = end_other_logins(session, visitor, now=house.clock.now())
    return private_answer({"ended": ended})


def _let_in_out(found: LetIn) -> dict[str, Any]:
    people = [
        {"person": sharer.person, "name": sharer.name, "birth_year": sharer.birth_year} for sharer in found.sharers
    ]
    return {"token": found.token, "people": people}


def _session_out(login: LoginFact) -> dict[str, Any]:
    return {
        "id": login.id,
        "is_this": login.is_this,
        "let_in_by": login.let_in_by,
        "opened_at": told_at(login.opened_at),
        "seen_at": told_at(login.seen_at),
        "ends_at": told_at(login.ends_at),
        "network": login.network,
        "agent": login.agent,
    }
