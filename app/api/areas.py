"""Areas: what lies below a code, and one area, as of any day."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.answers import public_answer
from app.api.houses import CurrentHouse
from app.api.parameters import AreaCode, Day, EmptyIsNone, PageSize, PageToken
from app.api.problems import declares
from app.domain.areas import AreaLevel, Precision, is_area_code
from app.domain.permissions import Action, permits
from app.kit.database import read_session
from app.kit.errors import Busy, Invalid
from app.kit.page_tokens import BadPageToken, read_page_token, write_page_token
from app.usecases.areas import AreaFact, AreaNotFound, list_children, load_area

router = APIRouter(prefix="/api/v1", tags=["areas"])

# Divisions change a few times a year.
_MAX_AGE_S = 300

_On = Annotated[Day | None, EmptyIsNone, Query(description="the day to look at; today when left out")]


class AreaPlace(BaseModel):
    """An area's centre in degrees, WGS-84; `precision` says whether it is the area's own or only its district's."""

    lon: float
    lat: float
    precision: Precision
    area_code: str
    area_name: str


class AreaOut(BaseModel):
    """An area as of a day. `successors` is filled for one that had ended by then."""

    code: str
    name: str
    short_name: str
    level: AreaLevel
    kind: str
    parent_code: str | None
    region: str
    place: AreaPlace | None
    pinyin: str
    valid_from: str | None = Field(description="first day, YYYY-MM-DD")
    valid_to: str | None = Field(description="first day on which it no longer holds, YYYY-MM-DD")
    successors: list[str]
    note: str


class AreaList(BaseModel):
    """Areas directly below `parent`, ordered by code. A retired parent has none and names its successors."""

    parent: AreaOut | None
    items: list[AreaOut]
    next_page_token: str | None


@router.get(
    "/areas",
    response_model=AreaList,
    responses=declares(AreaNotFound, Invalid, BadPageToken, Busy),
    summary="Areas below a code; without one the provinces",
)
@permits(Action.SEE_AREAS)
def list_areas(
    *,
    request: Request,
    house: CurrentHouse,
    parent: Annotated[AreaCode | None, EmptyIsNone, Query()] = None,
    on: _On = None,
    page_token: PageToken = None,
    page_size: PageSize = 100,
) -> Response:
    """Provinces, prefectures, districts or townships, a page at a time."""
    day = on or house.clock.today()
    after = _code_in(page_token) if page_token else ""
    with read_session(house.engine) as session:
        above = load_area(session, parent, on=day) if parent else None
        found = list_children(session, parent, on=day, after_code=after, limit=page_size + 1)
    page = found[:page_size]
    return public_answer(
        request,
        {
            "parent": _area_out(above) if above else None,
            "items": [_area_out(fact) for fact in page],
            "next_page_token": write_page_token(page[-1].code, of="areas") if len(found) > page_size else None,
        },
        max_age_s=_MAX_AGE_S,
    )


@router.get(
    "/areas/{code}",
    response_model=AreaOut,
    responses=declares(AreaNotFound, Invalid, Busy),
    summary="One area; a retired code answers with its successors",
)
@permits(Action.SEE_AREAS)
def show_area(request: Request, house: CurrentHouse, code: Annotated[AreaCode, Path()], on: _On = None) -> Response:
    """The area that bears the code on a day, or the latest that bore it before."""
    with read_session(house.engine) as session:
        fact = load_area(session, code, on=on or house.clock.today())
    return public_answer(request, _area_out(fact), max_age_s=_MAX_AGE_S)


def _code_in(page_token: str) -> str:
    """The code behind which a page begins: nothing but a code may reach the query, which fails on a NUL."""
    code: str = read_page_token(page_token, of="areas", shape=(str,))[0]
    if not is_area_code(code):
        raise BadPageToken
    return code


def _area_out(fact: AreaFact) -> dict[str, Any]:
    place = None
    if fact.lon is not None and fact.lat is not None:
        place = {
            "lon": fact.lon,
            "lat": fact.lat,
            "precision": fact.precision,
            "area_code": fact.code,
            "area_name": fact.name,
        }
    return {
        "code": fact.code,
        "name": fact.name,
        "short_name": fact.short_name,
        "level": fact.level,
        "kind": fact.kind,
        "parent_code": fact.parent_code,
        "region": fact.region,
        "place": place,
        "pinyin": fact.pinyin,
        "valid_from": fact.valid_from,
        "valid_to": fact.valid_to,
        "successors": list(fact.successors),
        "note": fact.note,
    }
