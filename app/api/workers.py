"""People as staff sees them: their own cases, their district, the city; masked, until somebody says why not.

Who is not theirs to see is answered as if there were nobody (404).
"""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.answers import private_answer, told_at
from app.api.auth import LET_IN
from app.api.bodies import StrictBody, body_of, documents
from app.api.duties import HomeOut
from app.api.parameters import Id, PageSize, PageToken
from app.api.problems import BadJson, BodyTooLarge, MediaTypeUnsupported, declares
from app.api.visitors import CurrentVisitor, SeenHouse
from app.domain.grants import UnmaskReason
from app.domain.permissions import Action, permits
from app.kit.database import HIGHEST_ID, write_session
from app.kit.errors import Invalid
from app.kit.page_tokens import BadPageToken, read_page_token, write_page_token
from app.usecases.areas import AreaBook
from app.usecases.looks import list_workers, look_at_worker, unmask_worker
from app.usecases.sessions import FactorStale
from app.usecases.workers import WorkerUnknown
from app.wiring import NotReady

router = APIRouter(prefix="/api/v1/staff/workers", tags=["staff"])

WorkerId = Id


class PasserbyOut(BaseModel):
    """Somebody in a list. `registered_on` is since when they are registered as unemployed, null if they are not."""

    worker: int
    name: str = Field(description="masked")
    home: HomeOut
    registered_on: date | None
    broker: str | None


class PeopleOut(BaseModel):
    """People in the order of their numbers."""

    people: list[PasserbyOut]
    next_page_token: str | None


class WorkerOut(PasserbyOut):
    """One person. `open_until` is when the grant ends by which they are seen, null where it takes none."""

    id_number: str = Field(description="masked")
    phone: str | None = Field(description="masked")
    birth_year: int
    open_until: datetime | None


class UnmaskAsked(StrictBody):
    """Why somebody's identity is to be shown in full."""

    reason: UnmaskReason = Field(strict=False)


class IdentityOut(BaseModel):
    """Somebody's identity in full."""

    worker: int
    name: str
    id_number: str
    phone: str | None


@router.get(
    "",
    response_model=PeopleOut,
    responses=declares(*LET_IN, Invalid, BadPageToken, NotReady),
    summary="The people one may see",
)
@permits(Action.SEE_WORKERS)
def show_workers(
    house: SeenHouse, visitor: CurrentVisitor, page_token: PageToken = None, page_size: PageSize = 20
) -> Response:
    """A broker's cases, a district's people, everybody: whichever is one's own."""
    areas = house.ready_matchmaker().areas
    after = 0 if page_token is None else number_in(page_token, of="workers")
    with write_session(house.engine) as session:
        found = list_workers(session, visitor, keys=house.keys, after=after, limit=page_size, now=house.clock.now())
    more = write_page_token(found[-1].worker_id, of="workers") if len(found) == page_size else None
    return private_answer(
        {
            "people": [
                {
                    "worker": one.worker_id,
                    "name": one.name,
                    "home": _home(one.home_area_code, areas),
                    "registered_on": one.registered_on,
                    "broker": one.broker,
                }
                for one in found
            ],
            "next_page_token": more,
        }
    )


@router.get(
    "/{worker_id}",
    response_model=WorkerOut,
    responses=declares(*LET_IN, Invalid, WorkerUnknown, NotReady),
    summary="One person, masked",
)
@permits(Action.SEE_WORKERS)
def show_worker(house: SeenHouse, visitor: CurrentVisitor, worker_id: WorkerId) -> Response:
    """The look stands in the audit."""
    areas = house.ready_matchmaker().areas
    with write_session(house.engine) as session:
        one = look_at_worker(session, visitor, worker_id, keys=house.keys, now=house.clock.now())
    return private_answer(
        {
            "worker": one.worker_id,
            "name": one.name,
            "home": _home(one.home_area_code, areas),
            "registered_on": one.registered_on,
            "broker": one.broker,
            "id_number": one.id_number,
            "phone": one.phone,
            "birth_year": one.birth_year,
            "open_until": None if one.open_until is None else told_at(one.open_until),
        }
    )


@router.post(
    "/{worker_id}/identity",
    response_model=IdentityOut,
    responses=declares(*LET_IN, FactorStale, Invalid, BadJson, BodyTooLarge, MediaTypeUnsupported, WorkerUnknown),
    openapi_extra=documents(UnmaskAsked),
    summary="Somebody's identity in full, for a reason",
)
@permits(Action.UNMASK_WORKER)
def show_identity(
    house: SeenHouse,
    visitor: CurrentVisitor,
    worker_id: WorkerId,
    body: Annotated[UnmaskAsked, Depends(body_of(UnmaskAsked))],
) -> Response:
    """Who, why and from where stands in the audit. Takes no Idempotency-Key: the answer is kept nowhere."""
    with write_session(house.engine) as session:
        one = unmask_worker(session, visitor, worker_id, reason=body.reason, keys=house.keys, now=house.clock.now())
    return private_answer({"worker": one.worker_id, "name": one.name, "id_number": one.id_number, "phone": one.phone})


def number_in(page_token: str, *, of: str) -> int:
    """The id in a page token of a list that is ordered by ids.

    Raises:
        BadPageToken: the list did not give it out.
    """
    (number,) = read_page_token(page_token, of=of, shape=(int,))
    if not 0 <= number <= HIGHEST_ID:
        raise BadPageToken
    return int(number)


def _home(code: str, areas: AreaBook) -> dict[str, Any]:
    return {"code": code, "name": areas.told(code)}
