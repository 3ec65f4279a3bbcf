"""What is owed and still to be done (应尽服务): what a broker's board and a district's overview show.

People are numbers here: who they are is not told. A broker is answered about their own cases alone, whoever has a
district about that alone.
"""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.answers import private_answer
from app.api.houses import CurrentHouse
from app.api.parameters import AreaCode, EmptyIsNone, PageSize, PageToken, Readable
from app.api.problems import declares
from app.api.staff import CurrentStaff
from app.domain.obligations import DutyState
from app.domain.permissions import Action, permits
from app.kit.database import read_session
from app.kit.errors import Busy, Forbidden, Invalid, Unauthenticated
from app.kit.page_tokens import BadPageToken, read_page_token, write_page_token
from app.usecases.areas import AreaBook
from app.usecases.obligations import (
    BrokerUnknown,
    DistrictUnknown,
    DueBy,
    DueGroup,
    DueKey,
    DueList,
    DuePerson,
    RulesMissing,
    list_due,
)
from app.usecases.plans import suggest_for
from app.usecases.sessions import SetupDue
from app.wiring import NotReady

router = APIRouter(prefix="/api/v1/staff", tags=["staff"])

Service = Literal["briefing", "guidance", "push", "training"]


class HomeOut(BaseModel):
    """The area on record as somebody's home."""

    code: str
    name: str


class StepOut(BaseModel):
    """What to do next about one service. Of the last seven members those are there that name what is proposed."""

    service: Service
    missing: int
    due_on: date
    state: DutyState
    text: str = Field(description="what to do, in Chinese")
    postings: list[int] = Field(default=[], description="to push next; first those that wait for a visit")
    session: int | None = Field(default=None, description="of a course")
    course: str | None = None
    starts_on: date | None = None
    km: float | None = None
    version: int | None = Field(default=None, description="of a policy text")
    by_hand: bool = Field(default=False, description="the person wants no machine to choose: ask them, and choose")


class PersonOut(BaseModel):
    """Somebody for whom something is overdue or soon due; `worker` is their number."""

    worker: int
    spell: int
    opened_on: date
    home: HomeOut
    broker: str | None
    state: DutyState
    due_on: date
    next: list[StepOut]


class GroupOut(BaseModel):
    """People of one broker, village or district; `key` is "" for those whom no broker looks after."""

    key: str
    name: str
    registered: int
    overdue: int
    due_soon: int
    missing: dict[Service, int]


class DueOut(BaseModel):
    """What is due today, most pressing first. The three numbers count everybody, not this page."""

    by: DueBy
    today: date
    registered: int
    overdue: int
    due_soon: int
    left_out: int = Field(description="rows behind this page")
    next_page_token: str | None
    people: list[PersonOut]
    groups: list[GroupOut]


@router.get(
    "/due",
    response_model=DueOut,
    responses=declares(
        Unauthenticated,
        Forbidden,
        SetupDue,
        BrokerUnknown,
        DistrictUnknown,
        Invalid,
        BadPageToken,
        RulesMissing,
        NotReady,
        Busy,
    ),
    summary="Who lacks what of what is owed, and what to do next",
)
@permits(Action.SEE_DUE)
def show_due(
    *,
    house: CurrentHouse,
    staff: CurrentStaff,
    by: DueBy = DueBy.PERSON,
    district: Annotated[AreaCode | None, EmptyIsNone, Query()] = None,
    broker: Annotated[Annotated[str, Field(max_length=40), Readable] | None, EmptyIsNone, Query()] = None,
    page_token: PageToken = None,
    page_size: PageSize = 20,
) -> Response:
    """By person with what to do next, or in numbers by broker, village or district."""
    broker, district = staff.narrowed(broker=broker, district=district)
    matchmaker, now = house.ready_matchmaker(), house.clock.now()
    viewer = staff.viewer(areas=matchmaker.areas, today=house.clock.today())
    with read_session(house.seen_by(viewer).engine) as session:
        found = list_due(
            session,
            now=now,
            by=by,
            district=district,
            broker=broker,
            limit=page_size,
            after=None if page_token is None else _key_of(page_token, by),
            areas=matchmaker.areas,
            suggest=lambda worker_ids: suggest_for(session, matchmaker, worker_ids, now=now),
        )
    return private_answer(due_out(found, matchmaker.areas))


def due_out(found: DueList, areas: AreaBook) -> dict[str, Any]:
    """A list of what is due as programs read it."""
    return {
        "by": found.by,
        "today": found.today,
        "registered": found.registered,
        "overdue": found.overdue,
        "due_soon": found.due_soon,
        "left_out": found.left_out,
        "next_page_token": None if found.last is None else write_page_token(*found.last, of=f"due {found.by}"),
        "people": [_person_out(person, areas) for person in found.people],
        "groups": [
            {
                "key": group.key,
                "name": group_name(found.by, group, areas),
                "registered": group.registered,
                "overdue": group.overdue,
                "due_soon": group.due_soon,
                "missing": {kind.value: missing for kind, missing in group.missing.items()},
            }
            for group in found.groups
        ],
    }


def group_name(by: DueBy, group: DueGroup, areas: AreaBook) -> str:
    """What a group is called: a broker by their code, an area by its names."""
    if by is DueBy.BROKER:
        return group.key or "没有经纪人"
    return areas.told(group.key) or group.key


def _person_out(person: DuePerson, areas: AreaBook) -> dict[str, Any]:
    return {
        "worker": person.worker_id,
        "spell": person.spell_id,
        "opened_on": person.opened_on,
        "home": {"code": person.home_area_code, "name": areas.told(person.home_area_code)},
        "broker": person.broker,
        "state": person.state,
        "due_on": person.due_on,
        "next": [
            {
                "service": step.kind.value,
                "missing": step.missing,
                "due_on": step.due_on,
                "state": step.state,
                "text": step.text,
                **step.what,
            }
            for step in person.steps
        ],
    }


def _key_of(page_token: str, by: DueBy) -> DueKey:
    first, second, last = read_page_token(
        page_token, of=f"due {by}", shape=(int, int, int if by is DueBy.PERSON else str)
    )
    return first, second, last
