"""A job-seeker's own pages: what they were sent, their list, what is kept of them, who looked, and the way out.

Each is one question or one answer, in words that are said aloud in a village; whatever changes something is a form.
"""

from typing import Annotated

import orjson
from fastapi import APIRouter, Form, Request, Response

from app.domain.areas import Nearness
from app.domain.consents import Purpose
from app.domain.ledger import Channel
from app.domain.permissions import Action, permits
from app.domain.viewers import EVERYBODY
from app.kit.database import read_session, write_session
from app.kit.errors import Fault, Invalid
from app.kit.page_tokens import read_page_token, write_page_token
from app.usecases.accesses import list_own_accesses
from app.usecases.areas import AreaSplit, AreaUnknown
from app.usecases.consents import ChannelUnbound, change_own_consent, list_own_consents
from app.usecases.erasures import erase_worker
from app.usecases.inboxes import list_own_pushes
from app.usecases.personal_exports import export_own_data
from app.usecases.profiles import (
    OwnSettings,
    change_own_settings,
    list_own_matches,
    load_own_record,
    load_own_settings,
)
from app.usecases.retentions import load_periods
from app.usecases.sessions import end_other_logins, end_own_login, list_own_logins
from app.web import ids, wording
from app.web.answers import one_line
from app.web.rendering import UNKEPT_HEADERS, render, see_other
from app.web.visitors import CurrentSeeker, drop_session

ids.register()
me = APIRouter(include_in_schema=False)

PAGE_SIZE = 20
ERASE_WORD = "注销"
CHANNELS = tuple(channel for channel in Channel if channel.is_electronic)


# --- what one was sent, and one's own list ----------------------------------------------------------------------------


@me.get("/me")
@permits(Action.SEE_OWN_DATA)
def show_me(request: Request, seeker: CurrentSeeker, page: str = "") -> Response:
    """What one was sent, and the ways to everything else that is one's own."""
    house = seeker.house
    areas = house.ready_matchmaker().areas
    with read_session(house.engine) as session:
        found, behind = list_own_pushes(
            session,
            seeker.worker_id,
            areas=areas,
            today=house.clock.today(),
            keys=house.keys,
            limit=PAGE_SIZE,
            before_id=_id_in(page),
        )
    rows = [(push, wording.distance(push.metres / 1000, Nearness.IN_CITY) if push.metres else "") for push in found]
    return render(
        request,
        "me.html",
        kept=False,
        rows=rows,
        older=_address("/me", behind),
        is_first=not page,
        today=house.clock.today(),
    )


@me.get("/me/jobs")
@permits(Action.SEE_OWN_DATA)
def show_list(request: Request, seeker: CurrentSeeker, page: str = "") -> Response:
    """One's own list: ranked, or plain by distance where the person wants none ranked for them."""
    house = seeker.house
    try:
        with read_session(house.engine) as session:
            found = list_own_matches(
                session,
                house.ready_matchmaker(),
                seeker.worker_id,
                number=PAGE_SIZE,
                page_token=page or None,
                today=house.clock.today(),
            )
    except (AreaUnknown, AreaSplit):
        return see_other(request, "/me/edit/home")
    if found.ranked is None:
        rows = [(each.card, wording.distance(each.distance_km, each.nearness), "") for each in found.plain]
    else:
        rows = [
            (
                each.card,
                wording.distance(each.distance_km, each.nearness),
                "，".join(note.text for note in each.reasons),
            )
            for each in found.ranked.matches
        ]
    return render(
        request,
        "me_jobs.html",
        kept=False,
        rows=rows,
        is_ranked=found.ranked is not None,
        widened=[] if found.ranked is None else [note.text for note in found.ranked.widened],
        older=None if found.next_token is None else f"/me/jobs?page={found.next_token}",
        today=house.clock.today(),
    )


# --- how one is dealt with --------------------------------------------------------------------------------------------


@me.get("/me/settings")
@permits(Action.SEE_OWN_DATA)
def show_settings(request: Request, seeker: CurrentSeeker) -> Response:
    """Are lists ranked for you, and may a machine choose for you?"""
    house = seeker.house
    with read_session(house.engine) as session:
        settings = load_own_settings(session, seeker.worker_id)
    return render(request, "me_settings.html", kept=False, settings=settings)


@me.post("/me/settings")
@permits(Action.CHANGE_OWN_DATA)
def take_settings(
    request: Request,
    seeker: CurrentSeeker,
    personalised: Annotated[str, Form()] = "",
    automated: Annotated[str, Form()] = "",
) -> Response:
    """Turn one of the two on or off; the one that the form does not name stays."""
    house = seeker.house
    with write_session(house.engine) as session:
        settings = load_own_settings(session, seeker.worker_id)
        changed = OwnSettings(
            personalised=_switched(personalised, settings.personalised),
            automated=_switched(automated, settings.automated),
        )
        change_own_settings(session, seeker.worker_id, changed, actor=seeker.actor, now=house.clock.now())
    return see_other(request, "/me/settings")


@me.get("/me/consents")
@permits(Action.SEE_OWN_DATA)
def show_consents(request: Request, seeker: CurrentSeeker) -> Response:
    """For what may we write to you or call you, and how?"""
    return _consents(request, seeker)


@me.post("/me/consents")
@permits(Action.CHANGE_OWN_DATA)
def take_consent(
    request: Request,
    seeker: CurrentSeeker,
    purpose: Annotated[str, Form()] = "",
    channel: Annotated[str, Form()] = "",
    given: Annotated[str, Form()] = "",
) -> Response:
    """Give or withdraw one consent."""
    house = seeker.house
    chosen = next((each for each in Purpose if each.value == purpose), None)
    way = next((each for each in CHANNELS if each.value == channel), None)
    if chosen is None or way is None or given not in ("0", "1"):
        return _consents(request, seeker, fault=Invalid("请点页面上的按钮"))
    try:
        with write_session(house.engine) as session:
            change_own_consent(
                session,
                worker_id=seeker.worker_id,
                purpose=chosen,
                channel=way,
                is_given=given == "1",
                actor=seeker.actor,
                now=house.clock.now(),
                keys=house.keys,
            )
    except ChannelUnbound as fault:
        return _consents(request, seeker, fault=fault)
    return see_other(request, f"/me/consents#{chosen.value}")


# --- what is kept, and who looked -------------------------------------------------------------------------------------


@me.get("/me/data")
@permits(Action.SEE_OWN_DATA)
def show_data(request: Request, seeker: CurrentSeeker) -> Response:
    """What is stored of you, in plain words, and for how long."""
    house = seeker.house
    areas = house.ready_matchmaker().areas
    with write_session(house.engine) as session:
        periods = load_periods(session, on=house.clock.today())
        record = load_own_record(session, seeker.worker_id, actor=seeker.actor, now=house.clock.now(), keys=house.keys)
    return render(
        request, "me_data.html", kept=False, record=record, areas=areas, periods=periods, today=house.clock.today()
    )


@me.get("/me/accesses")
@permits(Action.SEE_OWN_DATA)
def show_accesses(request: Request, seeker: CurrentSeeker, page: str = "") -> Response:
    """Who looked, and why?"""
    house = seeker.house
    with read_session(house.engine) as session:
        found, behind = list_own_accesses(
            session,
            seeker.worker_id,
            areas=house.ready_matchmaker().areas,
            before_id=_id_in(page),
            limit=PAGE_SIZE,
        )
    return render(
        request,
        "me_accesses.html",
        kept=False,
        accesses=found,
        older=_address("/me/accesses", behind),
        today=house.clock.today(),
    )


@me.get("/me/export")
@permits(Action.EXPORT_OWN_DATA)
def ask_export(request: Request, seeker: CurrentSeeker) -> Response:
    """What the file holds, and who should not get it."""
    del seeker
    return render(request, "me_export.html", kept=False)


@me.post("/me/export")
@permits(Action.EXPORT_OWN_DATA)
def give_export(seeker: CurrentSeeker) -> Response:
    """Everything as a file. A form, because each making of it is written down."""
    house = seeker.house
    # As `api.me` says of it.
    with write_session(house.seen_by(EVERYBODY).engine) as session:
        document = export_own_data(
            session,
            seeker.worker_id,
            areas=house.ready_matchmaker().areas,
            actor=seeker.actor,
            now=house.clock.now(),
            keys=house.keys,
        )
    headers = {**UNKEPT_HEADERS, "Content-Disposition": 'attachment; filename="jiujin-my-data.json"'}
    body = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    return Response(body, media_type="application/json", headers=headers)


# --- where one is logged in -------------------------------------------------------------------------------------------


@me.get("/me/sessions")
@permits(Action.SEE_OWN_SESSIONS)
def show_sessions(request: Request, seeker: CurrentSeeker) -> Response:
    """On which phones are you logged in?"""
    house = seeker.house
    with read_session(house.engine) as session:
        found = list_own_logins(session, seeker.visitor, now=house.clock.now())
    return render(request, "me_sessions.html", kept=False, logins=found, today=house.clock.today())


@me.post("/me/sessions/{login_id:id}/end")
@permits(Action.END_OWN_SESSIONS)
def end_session(request: Request, seeker: CurrentSeeker, login_id: int) -> Response:
    """Kick somebody out; where it is this phone, log out."""
    house = seeker.house
    with write_session(house.engine) as session:
        end_own_login(session, seeker.visitor, login_id=login_id, now=house.clock.now())
    if login_id != seeker.visitor.session_id:
        return see_other(request, "/me/sessions")
    response = see_other(request, "/")
    drop_session(request, response)
    return response


@me.post("/me/sessions/end")
@permits(Action.END_OWN_SESSIONS)
def end_others(request: Request, seeker: CurrentSeeker) -> Response:
    """Kick out whoever is in on another phone."""
    house = seeker.house
    with write_session(house.engine) as session:
        end_other_logins(session, seeker.visitor, now=house.clock.now())
    return see_other(request, "/me/sessions")


# --- the end ----------------------------------------------------------------------------------------------------------


@me.get("/me/erase")
@permits(Action.ERASE_OWN_DATA)
def ask_erase(request: Request, seeker: CurrentSeeker) -> Response:
    """What goes, what stays and why; and the word that has to be written."""
    del seeker
    return _ask_erase(request)


@me.post("/me/erase")
@permits(Action.ERASE_OWN_DATA)
def take_erase(request: Request, seeker: CurrentSeeker, word: Annotated[str, Form()] = "") -> Response:
    """Erase the person, if the word was written by hand."""
    house = seeker.house
    if one_line(word).strip("“”\"'") != ERASE_WORD:
        return _ask_erase(request, problem=f"要写“{ERASE_WORD}”两个字才算数。现在什么也没有动")
    # What others were told of the person goes, too.
    with write_session(house.seen_by(EVERYBODY).engine) as session:
        erase_worker(session, seeker.worker_id, actor=seeker.actor, now=house.clock.now(), keys=house.keys)
    response = see_other(request, "/erased")
    drop_session(request, response)
    return response


@me.get("/erased")
@permits(Action.READ_ABOUT)
def show_erased(request: Request) -> Response:
    """It is done. The page knows nobody, so that whoever opens it learns nothing."""
    return render(request, "me_erased.html")


def _ask_erase(request: Request, *, problem: str = "") -> Response:
    return render(
        request, "me_erase.html", status=422 if problem else 200, kept=False, problem=problem, word=ERASE_WORD
    )


def _consents(request: Request, seeker: CurrentSeeker, *, fault: Fault | None = None) -> Response:
    house = seeker.house
    with read_session(house.engine) as session:
        found = list_own_consents(session, seeker.worker_id)
    return render(
        request,
        "me_consents.html",
        status=200 if fault is None else fault.status,
        kept=False,
        problem="" if fault is None else fault.detail or fault.title,
        purposes=tuple(Purpose),
        channels=CHANNELS,
        holding={(each.purpose, each.channel): each.given_at for each in found if each.ended_at is None},
        past=[each for each in reversed(found) if each.ended_at is not None],
        today=house.clock.today(),
    )


def _switched(given: str, before: bool) -> bool:  # noqa: FBT001  what was before
    return given == "1" if given in ("0", "1") else before


def _id_in(page: str) -> int | None:
    return None if not page else int(read_page_token(page, of="own pages", shape=(int,), field="page")[0])


def _address(path: str, behind: int | None) -> str | None:
    return None if behind is None else f"{path}?page={write_page_token(behind, of='own pages')}"
