"""Three questions, one a page: where somebody lives, how old they are, what work they look for.

Every answer is a POST that keeps it in the cookie and leads on with 303; no address ever holds an answer. The order is
decided in one place, `_next_page`. A phone that keeps no cookie would be asked for ever: it is led to a list at once,
where place and words stand in the address as in anybody's link, and what else was answered is let go.
"""

import re
import unicodedata
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from app.domain.permissions import Action, permits
from app.domain.workers import WORKING_AGE, Limit
from app.usecases.areas import AreaBook, AreaFact
from app.usecases.matchmaking import Matchmaker
from app.usecases.places import LONGEST_TYPED
from app.web.answers import (
    HIGHEST_AGE,
    LONGEST_WORDS,
    Answers,
    clean_words,
    held_certificates,
    keeps_answers,
    one_line,
    read_answers,
)
from app.web.origins import local_path
from app.web.rendering import render, see_other
from app.web.seeker.doors import end_session_here
from app.web.seeker.lists import ListQuery, list_query_in
from app.web.seeker.places import is_home, regions_of
from app.web.visitors import drop_session, token_in
from app.wiring import House

questions = APIRouter(include_in_schema=False)

WORK_CHIPS = (
    "保洁", "看大门", "煮饭", "洗碗", "服务员", "照顾老人",
    "保姆", "带小孩", "工地小工", "泥水工", "搬货", "打包",
    "守仓库", "进厂", "缝纫", "开车", "摘果子", "绿化养护",
)  # fmt: skip
"""Words on the buttons of the third question; each is resolved as if it had been typed."""

_CHINESE_DIGITS = "零一二三四五六七八九"
_CHINESE_AGE = re.compile(r"([一二三四五六七八九])?(十)([一二三四五六七八九])?")


def _matchmaker(request: Request) -> Matchmaker:
    house: House = request.app.state.house
    return house.ready_matchmaker()


@questions.get("/")
@permits(Action.MATCH)
def show_start(request: Request) -> Response:
    """The first question; to somebody who has answered before, the way back to the list."""
    answers = read_answers(request)
    areas = _matchmaker(request).areas
    if answers.home is not None and answers.words is not None and is_home(areas.find(answers.home)):
        return render(request, "start.html", home=areas.told(answers.home))
    return _ask_home(request)


@questions.get("/find/home")
@permits(Action.MATCH)
def ask_home(request: Request) -> Response:
    """Where do you live?"""
    return _ask_home(request)


@questions.post("/find/home")
@permits(Action.MATCH)
def take_home(
    request: Request,
    area: Annotated[str, Form()] = "",
    place: Annotated[str, Form()] = "",
    lon: Annotated[str, Form()] = "",
    lat: Annotated[str, Form()] = "",
) -> Response:
    """Take a place by its button (`area`), its name (`place`) or the phone's position (`lon`, `lat`, WGS-84)."""
    areas = _matchmaker(request).areas
    if area:
        chosen = areas.find(area)
        if chosen is None or not is_home(chosen):
            return _ask_home(request, problem="请点下面的区县，或者写乡镇的名字", status=422)
        return _take_home(request, areas, chosen)
    if lon or lat:
        nearest = _nearest(areas, lon, lat)
        if nearest is None:
            return _ask_home(request, problem="您不在重庆附近，或者手机没给出位置。请写乡镇的名字", status=422)
        return _take_home(request, areas, nearest)
    found = _matchmaker(request).places.candidates(place)
    if len(found) == 1:
        return _take_home(request, areas, found[0])
    if found:
        typed = place.strip()[:LONGEST_TYPED]
        return render(request, "which_home.html", asks=True, typed=typed, places=_told(areas, found))
    problem = (
        f"没找到“{place.strip()[:LONGEST_TYPED]}”，请看看字对不对，或者点下面的区县"
        if place.strip()
        else "请写住在哪个乡镇"
    )
    return _ask_home(request, problem=problem, typed=place.strip()[:LONGEST_TYPED], status=422)


@questions.get("/find/township")
@permits(Action.MATCH)
def ask_township(request: Request) -> Response:
    """Which township of the district?"""
    areas = _matchmaker(request).areas
    answers = read_answers(request)
    district = areas.district_of(answers.home) if answers.home else None
    if district is None:
        return see_other(request, "/find/home")
    return render(
        request, "township.html", district=district, townships=areas.children(district.code), onward=_next_page(answers)
    )


@questions.get("/find/age")
@permits(Action.MATCH)
def ask_age(request: Request) -> Response:
    """How old are you?"""
    return render(request, "age.html", asks=True, problem="", typed="")


@questions.post("/find/age")
@permits(Action.MATCH)
def take_age(
    request: Request,
    age: Annotated[str, Form()] = "",
    skip: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "",
) -> Response:
    """Take the age in whole years, or none; `back` leads to the list that asked."""
    answers = read_answers(request)
    if skip:
        answers = replace(answers, age=None)
        return _lead_on(request, "/jobs" if answers.words is not None else "/find/work", answers)
    years = read_age(age)
    if years is None or not 0 < years <= HIGHEST_AGE:
        return render(request, "age.html", status=422, asks=True, problem="请写岁数，比如 58", typed=age.strip()[:10])
    if years < WORKING_AGE:
        problem = f"不满{WORKING_AGE}岁不能出来做工（劳动法第十五条）。家里有困难，请打 12333 问"
        return render(request, "age.html", status=422, asks=True, problem=problem, typed=str(years))
    answers = replace(answers, age=years)
    return _lead_on(request, local_path(back) or _next_page(answers), answers)


@questions.get("/find/work")
@permits(Action.MATCH)
def ask_work(request: Request) -> Response:
    """What work do you look for?"""
    return render(
        request, "work.html", asks=True, chips=WORK_CHIPS, problem="", typed=read_answers(request).words or ""
    )


@questions.post("/find/work")
@permits(Action.MATCH)
def take_work(
    request: Request,
    words: Annotated[str, Form()] = "",
    anything: Annotated[str, Form()] = "",
) -> Response:
    """Take the words for the work, from a button or typed; `anything` is an answer too."""
    wanted = clean_words(words)
    if not wanted and not anything:
        problem = "请写想做的活，或者点下面的。什么活都行，就点“什么活都行”"
        return render(request, "work.html", status=422, asks=True, chips=WORK_CHIPS, problem=problem, typed="")
    if len(one_line(words)) > LONGEST_WORDS:
        problem = f"写短一点，{LONGEST_WORDS}个字以内，比如：保洁、看大门"
        return render(request, "work.html", status=422, asks=True, chips=WORK_CHIPS, problem=problem, typed=wanted)
    answers = replace(read_answers(request), words="" if anything else wanted)
    return _lead_on(request, _next_page(answers), answers, instead=ListQuery(words=answers.words))


@questions.get("/find/limits")
@permits(Action.MATCH)
def ask_limits(request: Request) -> Response:
    """What can you not do?"""
    return render(request, "limits.html", asks=True, limits=tuple(Limit))


@questions.post("/find/limits")
@permits(Action.MATCH)
def take_limits(request: Request, limit: Annotated[list[str] | None, Form()] = None) -> Response:
    """Take what the person cannot do; what is not in the closed list is left out."""
    known = {each.value: each for each in Limit}
    chosen = frozenset(known[value] for value in limit or () if value in known)
    answers = replace(read_answers(request), limits=chosen)
    return _lead_on(request, _next_page(answers), answers)


@questions.post("/find/certificates")
@permits(Action.MATCH)
def take_certificates(
    request: Request,
    have: Annotated[str, Form()] = "",
    drop: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "",
) -> Response:
    """Take a certificate that the person has, or take one back, and lead back to the list."""
    answers = read_answers(request)
    held = held_certificates([*answers.certificates, have]) - {drop}
    return _lead_on(request, local_path(back) or "/jobs", replace(answers, certificates=held))


@questions.post("/type")
@permits(Action.MATCH)
def set_type_size(request: Request, large: Annotated[str, Form()] = "", back: Annotated[str, Form()] = "") -> Response:
    """Larger type on or off, and back to the page."""
    answers = replace(read_answers(request), large=large == "1")
    return see_other(request, local_path(back) or "/", answers=answers)


@questions.post("/clear")
@permits(Action.MATCH)
def clear(request: Request) -> Response:
    """Forget everything on this phone, for the next person, who must not be taken for the one who logged in."""
    end_session_here(request)
    response = see_other(request, "/", answers=Answers())
    if token_in(request) is not None:
        drop_session(request, response)
    return response


def read_age(typed: str) -> int | None:
    """Whole years out of what people write: `58`, `５８岁`, `五十八`; None when it is no number."""
    text = re.sub(r"\s|周?岁", "", unicodedata.normalize("NFKC", typed))
    if re.fullmatch(r"\d{1,3}", text, re.ASCII):
        return int(text)
    spoken = _CHINESE_AGE.fullmatch(text)
    if spoken is None:
        return None
    tens, _, ones = spoken.groups()
    return 10 * _CHINESE_DIGITS.index(tens or "一") + _CHINESE_DIGITS.index(ones or "零")


def _next_page(answers: Answers) -> str:
    if answers.home is None:
        return "/find/home"
    if answers.words is None:
        return "/find/age" if answers.age is None else "/find/work"
    return "/jobs"


def _lead_on(request: Request, path: str, answers: Answers, *, instead: ListQuery | None = None) -> Response:
    """On to a path with the answers kept; where the phone keeps none, to the list `instead` or that of the path."""
    if not keeps_answers(request):
        path = replace(instead or list_query_in(path), kept=False).address()
    return see_other(request, path, answers=answers)


def _ask_home(request: Request, *, problem: str = "", typed: str = "", status: int = 200) -> Response:
    return render(
        request,
        "home.html",
        status=status,
        asks=True,
        regions=regions_of(_matchmaker(request).areas),
        problem=problem,
        typed=typed,
        longest=LONGEST_TYPED,
    )


def _take_home(request: Request, areas: AreaBook, chosen: AreaFact) -> Response:
    answers = replace(read_answers(request), home=chosen.code)
    # A district is asked more exactly; a district without listed townships is as exact as it gets.
    further = chosen in areas.districts() and bool(areas.children(chosen.code))
    onward = "/find/township" if further else _next_page(answers)
    return _lead_on(request, onward, answers, instead=ListQuery(near=chosen.code))


def _nearest(areas: AreaBook, lon: str, lat: str) -> AreaFact | None:
    try:
        place = float(lon), float(lat)
    except ValueError:
        return None
    if not (-180 <= place[0] <= 180 and -90 <= place[1] <= 90):
        return None
    return areas.nearest_township(*place)


def _told(areas: AreaBook, places: list[AreaFact]) -> list[tuple[str, str]]:
    return [(place.code, areas.told(place.code)) for place in places]
