"""Changing one's own profile, one question a page: what is on record, and what it should be.

What a card or a paper says is not asked here; the page says where it is corrected.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from app.domain.areas import is_area_code
from app.domain.permissions import Action, permits
from app.domain.postings import PostingKind
from app.domain.workers import Education, Limit
from app.kit.database import read_session, write_session
from app.kit.errors import Invalid, NotFound
from app.usecases.areas import AreaBook
from app.usecases.matchmaking import Matchmaker
from app.usecases.places import LONGEST_TYPED
from app.usecases.profiles import OwnProfile, change_own_profile, load_own_profile
from app.web import wording
from app.web.answers import one_line
from app.web.rendering import render, see_other
from app.web.visitors import CurrentSeeker

profiles = APIRouter(include_in_schema=False)

CHOICES_KM = (5, 10, 20, 30, 50, 100, 600)
CITY_KM = CHOICES_KM[-1]
LONGEST_WORD = 60
LONGEST_TEXT = 200
MOST_WORDS = 10
MOST_CERTIFICATES = 20
MOST_YUAN = 200_000
MOST_YEARS = 80
_SEPARATORS = re.compile(r"[、，,；;/\s]+")


class Unreadable(ValueError):
    """What was typed is no answer; the message says what one looks like. `offers`: values and words to choose from."""

    def __init__(self, told: str, offers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(told)
        self.offers = offers


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question about a profile.

    Attributes:
        field: the field of the profile that it is about.
        label: what the list of answers calls it.
        heading: the question itself.
        hint: what an answer looks like.
        read: the answer out of what was typed or ticked.
        told: the answer on record, in words.
        typed: the answer on record as it stands in a text field.
        choices: values and words to choose from; empty where something is typed.
        many: several of the choices may be ticked.
        unit: what stands behind a number.
        input_type: the type of the field, "" for words.
    """

    field: str
    label: str
    heading: str
    hint: str
    read: Callable[[list[str], Matchmaker], Any]
    told: Callable[[OwnProfile, AreaBook, date], str]
    typed: Callable[[OwnProfile, AreaBook], str] = lambda *_: ""
    choices: tuple[tuple[str, str], ...] = ()
    many: bool = False
    unit: str = ""
    input_type: str = ""


def _read_words(most: int) -> Callable[[list[str], Matchmaker], Any]:
    def read(typed: list[str], _: Matchmaker) -> tuple[str, ...]:
        words = tuple(dict.fromkeys(word for word in _SEPARATORS.split(one_line(typed[0])) if word))
        if len(words) > most or any(len(word) > LONGEST_WORD for word in words):
            raise Unreadable(f"写短一点，最多{most}样，用顿号隔开")
        return words

    return read


def _read_text(typed: list[str], _: Matchmaker) -> str:
    text = one_line(typed[0])
    if len(text) > LONGEST_TEXT:
        raise Unreadable(f"写短一点，{LONGEST_TEXT}个字以内")
    return text


def _read_number(most: int) -> Callable[[list[str], Matchmaker], Any]:
    def read(typed: list[str], _: Matchmaker) -> int | None:
        text = one_line(typed[0]).strip("元年点 ")
        if not text:
            return None
        if not re.fullmatch(r"\d{1,6}", text, re.ASCII) or int(text) > most:
            raise Unreadable(f"请写数字，不超过{most}。不想说就空着")
        return int(text)

    return read


def _read_day(typed: list[str], _: Matchmaker) -> date | None:
    text = one_line(typed[0])
    if not text:
        return None
    if re.fullmatch(r"20\d{2}-\d{2}-\d{2}", text, re.ASCII):
        with suppress(ValueError):
            return date.fromisoformat(text)
    raise Unreadable("请写成 2026-12-24 这样。现在就能去就空着")


def _read_ticked(kinds: type[PostingKind] | type[Limit]) -> Callable[[list[str], Matchmaker], Any]:
    def read(ticked: list[str], _: Matchmaker) -> tuple[PostingKind | Limit, ...]:
        return tuple(each for each in kinds if each.value in ticked)

    return read


def _read_km(chosen: list[str], _: Matchmaker) -> int:
    if chosen[0] not in {str(choice) for choice in CHOICES_KM}:
        raise Unreadable("请点一样")
    return int(chosen[0])


def _read_education(chosen: list[str], _: Matchmaker) -> Education:
    found = next((each for each in Education if each.value == chosen[0]), None)
    if found is None:
        raise Unreadable("请点一样")
    return found


def _read_home(typed: list[str], matchmaker: Matchmaker) -> str:
    text = one_line(typed[0])[:LONGEST_TYPED]
    if is_area_code(text):
        return text
    found = matchmaker.places.candidates(text)
    if not found:
        raise Unreadable("没找到这个地方，请写重庆的乡镇街道，比如：大昌镇")
    if len(found) > 1:
        offers = tuple((place.code, matchmaker.areas.told(place.code)) for place in found)
        raise Unreadable(f"叫“{text}”的不止一个，点一个", offers)
    return found[0].code


def _read_current(typed: list[str], matchmaker: Matchmaker) -> str | None:
    words = one_line(typed[0])[:LONGEST_TYPED]
    if not words:
        return None
    area = matchmaker.places.locate(words=words).area
    if area is None:
        raise Unreadable("没找到这个地方，请写到市或者区县，比如：广东深圳。在家就空着")
    return area.code


def _kilometres(km: int) -> str:
    return "全重庆都行" if km >= CITY_KM else f"{km} 公里以内"


QUESTIONS: Mapping[str, Question] = {
    each.field: each
    for each in (
        Question(
            field="home",
            label="家在",
            heading="您家在哪个乡镇？",
            hint="写乡镇街道的名字，比如：大昌镇。",
            read=_read_home,
            told=lambda profile, areas, _: areas.told(profile.home) or "没说",
            typed=lambda profile, areas: areas.told(profile.home),
        ),
        Question(
            field="current",
            label="人在",
            heading="您现在在哪里做工？",
            hint="写到市或者区县，比如：广东深圳。在家就空着。",
            read=_read_current,
            told=lambda profile, areas, _: areas.told(profile.current) or "在家",
            typed=lambda profile, areas: areas.told(profile.current),
        ),
        Question(
            field="wants",
            label="想做",
            heading="您想找什么活？",
            hint="想做几样就写几样，用顿号隔开，比如：保洁、看大门。",
            read=_read_words(MOST_WORDS),
            told=lambda profile, *_: "、".join(profile.wants) or "什么活都行",
            typed=lambda profile, _: "、".join(profile.wants),
        ),
        Question(
            field="skills",
            label="会做",
            heading="您会做些什么？",
            hint="平时怎么说就怎么写，比如：开过叉车，会煮大锅饭。",
            read=_read_text,
            told=lambda profile, *_: profile.skills or "没说",
            typed=lambda profile, _: profile.skills,
        ),
        Question(
            field="certificates",
            label="有什么证",
            heading="您有什么证？",
            hint="用顿号隔开，比如：电工证、健康证。没有就空着。",
            read=_read_words(MOST_CERTIFICATES),
            told=lambda profile, *_: "、".join(profile.certificates) or "没说",
            typed=lambda profile, _: "、".join(profile.certificates),
        ),
        Question(
            field="limits",
            label="做不了的",
            heading="有没有做不了的？",
            hint="勾上的，那样的活就不给您送。不会告诉老板。",
            read=_read_ticked(Limit),
            told=lambda profile, *_: "、".join(each.label for each in profile.limits) or "没说",
            choices=tuple((each.value, each.label) for each in Limit),
            many=True,
        ),
        Question(
            field="kinds",
            label="怎么做",
            heading="想做哪种工？",
            hint="一样都不勾，就是哪种都行。",
            read=_read_ticked(PostingKind),
            told=lambda profile, *_: "、".join(each.label for each in profile.kinds) or "哪种都行",
            choices=tuple((each.value, each.label) for each in PostingKind),
            many=True,
        ),
        Question(
            field="pay_min_yuan_month",
            label="最少要",
            heading="一个月最少要多少钱？",
            hint="不想说就空着。",
            read=_read_number(MOST_YUAN),
            told=lambda profile, *_: f"{profile.pay_min_yuan_month} 元一个月" if profile.pay_min_yuan_month else "没说",
            typed=lambda profile, _: str(profile.pay_min_yuan_month or ""),
            unit="元",
        ),
        Question(
            field="max_km",
            label="走多远",
            heading="离家多远的活您愿意去？",
            hint="",
            read=_read_km,
            told=lambda profile, *_: _kilometres(profile.max_km),
            choices=tuple((str(km), _kilometres(km)) for km in CHOICES_KM),
        ),
        Question(
            field="home_by",
            label="几点到家",
            heading="最晚几点要到家？",
            hint="比如接孩子的，写 17。不用早回家就空着。",
            read=_read_number(24),
            told=lambda profile, *_: "没说" if profile.home_by is None else f"{profile.home_by} 点前",
            typed=lambda profile, _: "" if profile.home_by is None else str(profile.home_by),
            unit="点",
        ),
        Question(
            field="available_on",
            label="哪天能去",
            heading="从哪天起能去做工？",
            hint="现在就能去就空着。",
            read=_read_day,
            told=lambda profile, _, today: (
                wording.day(profile.available_on, today=today) if profile.available_on else "现在就能"
            ),
            typed=lambda profile, _: profile.available_on.isoformat() if profile.available_on else "",
            input_type="date",
        ),
        Question(
            field="education",
            label="读过书",
            heading="您读书读到哪里？",
            hint="有的岗位要看。",
            read=_read_education,
            told=lambda profile, *_: profile.education.label if profile.education else "没说",
            choices=tuple((each.value, each.label) for each in Education),
        ),
        Question(
            field="experience_years",
            label="做了几年",
            heading="这样的活您做了几年？",
            hint="不想说就空着。",
            read=_read_number(MOST_YEARS),
            told=lambda profile, *_: "没说" if profile.experience_years is None else f"{profile.experience_years} 年",
            typed=lambda profile, _: "" if profile.experience_years is None else str(profile.experience_years),
            unit="年",
        ),
    )
}
"""Every field of `OwnProfile`, in the order in which the page lists them."""


@profiles.get("/me/edit")
@permits(Action.SEE_OWN_DATA)
def show_answers(request: Request, seeker: CurrentSeeker) -> Response:
    """What is on record, each with the way to change it."""
    house = seeker.house
    areas, today = house.ready_matchmaker().areas, house.clock.today()
    with read_session(house.engine) as session:
        profile = load_own_profile(session, seeker.worker_id)
    rows = [(each, each.told(profile, areas, today)) for each in QUESTIONS.values()]
    return render(request, "me_edit.html", kept=False, rows=rows)


@profiles.get("/me/edit/{field}")
@permits(Action.CHANGE_OWN_DATA)
def ask(request: Request, seeker: CurrentSeeker, field: str) -> Response:
    """One question."""
    return _ask(request, seeker, _question(field))


@profiles.post("/me/edit/{field}")
@permits(Action.CHANGE_OWN_DATA)
def take(
    request: Request, seeker: CurrentSeeker, field: str, value: Annotated[list[str] | None, Form()] = None
) -> Response:
    """Take the answer to one question; no other field of the form is looked at."""
    house = seeker.house
    question, given = _question(field), value or [""]
    try:
        answer = question.read(given, house.ready_matchmaker())
        with write_session(house.engine) as session:
            profile = replace(load_own_profile(session, seeker.worker_id), **{question.field: answer})
            change_own_profile(
                session,
                seeker.worker_id,
                profile,
                areas=house.ready_matchmaker().areas,
                actor=seeker.actor,
                now=house.clock.now(),
            )
    except Unreadable as unreadable:
        return _ask(request, seeker, question, problem=str(unreadable), given=given, offers=unreadable.offers)
    except Invalid as fault:
        return _ask(request, seeker, question, problem=fault.fields[0].message, given=given)
    return see_other(request, f"/me/edit#{question.field}")


def _question(field: str) -> Question:
    question = QUESTIONS.get(field)
    if question is None:
        raise NotFound
    return question


def _ask(
    request: Request,
    seeker: CurrentSeeker,
    question: Question,
    *,
    problem: str = "",
    given: list[str] | None = None,
    offers: tuple[tuple[str, str], ...] = (),
) -> Response:
    house = seeker.house
    with read_session(house.engine) as session:
        profile = load_own_profile(session, seeker.worker_id)
    kept = getattr(profile, question.field)
    held = given if given is not None else [str(each) for each in kept] if question.many else [str(kept)]
    areas = house.ready_matchmaker().areas
    return render(
        request,
        "me_question.html",
        status=422 if problem else 200,
        kept=False,
        question=question,
        held=held,
        typed=question.typed(profile, areas) if given is None else one_line(given[0])[:LONGEST_TEXT],
        problem=problem,
        offers=offers,
        longest=LONGEST_TEXT,
    )
