"""The door for job-seekers: phone, then the code that came to it, then, where a phone is shared, who one is; and out.

A number that nobody here has is asked for its code like any other. The ticket of the code lives in a cookie, so that no
address opens anything.
"""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request, Response

from app.domain.permissions import Action, permits
from app.domain.phone_codes import CodePurpose
from app.kit.database import read_session, write_session
from app.kit.errors import Busy, Fault, Invalid, TooManyRequests
from app.usecases.phone_codes import (
    CodeWrong,
    LetIn,
    PersonNotThere,
    PhoneUnregistered,
    ask_code,
    let_in_by_code,
    let_in_sharer,
)
from app.usecases.sessions import SessionNotFound, end_own_login, visitor_behind
from app.web.answers import one_line
from app.web.origins import local_path
from app.web.rendering import render, see_other
from app.web.visitors import (
    TICKET_COOKIE,
    arrival_of,
    door_of,
    drop_session,
    keep_session,
    keep_ticket,
    token_in,
)

doors = APIRouter(include_in_schema=False)

AFTER = "/me"
LONGEST_PHONE = 20
LONGEST_CODE = 10


@doors.get("/login")
@permits(Action.LOG_IN)
def ask_phone(request: Request, back: str = "") -> Response:
    """What is your phone number? Who is logged in already is led on."""
    house = door_of(request)
    token = token_in(request)
    if token is not None:
        with read_session(house.engine) as session:
            visitor = visitor_behind(session, token, now=house.clock.now())
        if visitor is not None and visitor.worker_id is not None:
            return see_other(request, _back(back))
    return _ask_phone(request, back=back)


@doors.post("/login")
@permits(Action.LOG_IN)
def take_phone(request: Request, phone: Annotated[str, Form()] = "", back: Annotated[str, Form()] = "") -> Response:
    """Send a code and lead on to where it is typed."""
    house = door_of(request)
    try:
        ticket = ask_code(
            house.engine,
            phone,
            purpose=CodePurpose.SEEKER,
            network=arrival_of(request).network,
            device=None,
            senders=house.senders,
            keys=house.keys,
            now=house.clock.now(),
        )
    except (Invalid, TooManyRequests, Busy) as fault:
        return _ask_phone(request, back=back, fault=fault, typed=one_line(phone)[:LONGEST_PHONE])
    response = see_other(request, f"/login/code?{urlencode({'back': _back(back)})}")
    keep_ticket(request, response, ticket)
    return response


@doors.get("/login/code")
@permits(Action.LOG_IN)
def ask_for_code(request: Request, back: str = "") -> Response:
    """Which code came?"""
    if token_in(request, TICKET_COOKIE) is None:
        return see_other(request, f"/login?{urlencode({'back': _back(back)})}")
    return _ask_code(request, back=back)


@doors.post("/login/code")
@permits(Action.LOG_IN)
def take_code(request: Request, code: Annotated[str, Form()] = "", back: Annotated[str, Form()] = "") -> Response:
    """Compare the code. Whoever shares the phone is asked who they are; all others are in."""
    house = door_of(request)
    ticket = token_in(request, TICKET_COOKIE)
    if ticket is None:
        return _ask_phone(request, back=back, fault=CodeWrong())
    try:
        found = let_in_by_code(
            house.engine,
            ticket,
            code[:LONGEST_CODE],
            arrival=arrival_of(request),
            keys=house.keys,
            now=house.clock.now(),
        )
    except PhoneUnregistered as fault:
        return render(request, "login_unknown.html", status=fault.status, kept=False, title=fault.title)
    except (CodeWrong, TooManyRequests, Busy) as fault:
        return _ask_code(request, back=back, fault=fault)
    return _lead_in(request, found, back=back)


@doors.post("/login/who")
@permits(Action.LOG_IN)
def take_person(request: Request, person: Annotated[str, Form()] = "", back: Annotated[str, Form()] = "") -> Response:
    """Let in one of those who share the phone, once."""
    house = door_of(request)
    try:
        found = let_in_sharer(
            house.engine,
            token_in(request, TICKET_COOKIE) or "",
            person,
            arrival=arrival_of(request),
            keys=house.keys,
            now=house.clock.now(),
        )
    except (CodeWrong, PersonNotThere, PhoneUnregistered) as fault:
        return _ask_phone(request, back=back, fault=fault)
    return _lead_in(request, found, back=back)


@doors.get("/login/help")
@permits(Action.LOG_IN)
def show_other_doors(request: Request) -> Response:
    """How to get in without a phone."""
    return render(request, "login_help.html")


@doors.post("/logout")
@permits(Action.LOG_IN)
def log_out(request: Request) -> Response:
    """End the session here. Who was not logged in is not told that anything was wrong."""
    end_session_here(request)
    response = see_other(request, "/")
    drop_session(request, response)
    return response


def end_session_here(request: Request) -> None:
    """End the session whose token this phone holds, if it holds one."""
    house = door_of(request)
    token = token_in(request)
    if token is None:
        return
    with write_session(house.engine) as session:
        visitor = visitor_behind(session, token, now=house.clock.now())
        if visitor is not None:
            try:
                end_own_login(session, visitor, login_id=visitor.session_id, now=house.clock.now())
            except SessionNotFound:
                return


def _ask_phone(request: Request, *, back: str, fault: Fault | None = None, typed: str = "") -> Response:
    return render(
        request,
        "login.html",
        status=200 if fault is None else fault.status,
        kept=False,
        back=_back(back),
        problem=_words_of(fault),
        typed=typed,
        longest=LONGEST_PHONE,
    )


def _ask_code(request: Request, *, back: str, fault: Fault | None = None) -> Response:
    return render(
        request,
        "login_code.html",
        status=200 if fault is None else fault.status,
        kept=False,
        back=_back(back),
        problem=_words_of(fault),
        longest=LONGEST_CODE,
    )


def _lead_in(request: Request, found: LetIn, *, back: str) -> Response:
    if found.token is None:
        return render(request, "login_who.html", kept=False, back=_back(back), people=found.sharers)
    response = see_other(request, _back(back))
    keep_session(request, response, found.token)
    return response


def _words_of(fault: Fault | None) -> str:
    if fault is None:
        return ""
    if isinstance(fault, TooManyRequests):
        minutes = -(-fault.retry_after_s // 60)
        return f"要得太勤了，等{minutes}分钟再来" if minutes < 60 else f"要得太勤了，等{-(-minutes // 60)}小时再来"
    fields = getattr(fault, "fields", ())
    return fields[0].message if fields else fault.title


def _back(path: str) -> str:
    """Where to go on after the door: a page of this site that is no door itself."""
    local = local_path(path)
    return AFTER if local is None or local.startswith(("/login", "/logout")) else local
