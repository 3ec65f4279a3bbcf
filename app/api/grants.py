"""Break-glass: one person of another district, opened for two hours with a reason; and the list of who is told."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.answers import private_answer, told_at
from app.api.auth import LET_IN
from app.api.bodies import StrictBody, body_of, documents
from app.api.houses import DoorHouse
from app.api.idempotency import Key, answer_once
from app.api.parameters import PageSize, PageToken, Readable
from app.api.problems import BadJson, BodyTooLarge, MediaTypeUnsupported, declares
from app.api.visitors import CurrentVisitor
from app.api.workers import number_in
from app.domain.grants import LONGEST_WORDS, SHORTEST_WORDS, GrantReason
from app.domain.permissions import Action, permits
from app.kit.database import HIGHEST_ID, read_session, write_session
from app.kit.errors import Invalid, TooManyRequests
from app.kit.page_tokens import BadPageToken, write_page_token
from app.usecases.grants import GrantFact, GrantNeedless, break_glass, count_grant, list_grants
from app.usecases.idempotency_keys import IdempotencyKeyReused
from app.usecases.sessions import FactorStale
from app.usecases.workers import WorkerUnknown

router = APIRouter(prefix="/api/v1/staff/grants", tags=["staff"])


class GlassBroken(StrictBody):
    """Whom to open, by their number here or their ID number, and why. The words are shown to the person's office."""

    worker: Annotated[int, Field(ge=1, le=HIGHEST_ID)] | None = None
    number: Annotated[Annotated[str, Field(max_length=30), Readable] | None, Field(repr=False)] = None
    reason: GrantReason = Field(strict=False)
    words: Annotated[str, Field(min_length=SHORTEST_WORDS, max_length=LONGEST_WORDS), Readable] = Field(repr=False)


class GrantMadeOut(BaseModel):
    """The person who is open now, and until when."""

    grant: int
    worker: int
    ends_at: datetime


class GrantOut(GrantMadeOut):
    """Who opened whom, why, until when."""

    by: str
    reason: GrantReason
    words: str
    granted_at: datetime


class GrantsOut(BaseModel):
    """Grants, newest first."""

    grants: list[GrantOut]
    next_page_token: str | None


@router.post(
    "",
    status_code=201,
    response_model=GrantMadeOut,
    responses=declares(
        *LET_IN,
        FactorStale,
        Invalid,
        BadJson,
        BodyTooLarge,
        MediaTypeUnsupported,
        IdempotencyKeyReused,
        TooManyRequests,
        WorkerUnknown,
        GrantNeedless,
    ),
    openapi_extra=documents(GlassBroken),
    summary="Open a person of another district for two hours",
)
@permits(Action.BREAK_GLASS)
def open_person(
    *,
    house: DoorHouse,
    visitor: CurrentVisitor,
    body: Annotated[GlassBroken, Depends(body_of(GlassBroken))],
    idempotency_key: Key = None,
) -> Response:
    """Given at once and to this account alone; the person's own office is told, and so is the person."""
    now = house.clock.now()
    count_grant(house.engine, visitor, keys=house.keys, now=now)

    def deed() -> tuple[int, dict[str, Any]]:
        grant = break_glass(
            session,
            visitor,
            worker_id=body.worker,
            number=body.number,
            reason=body.reason,
            words=body.words,
            keys=house.keys,
            now=now,
        )
        return 201, {"grant": grant.id, "worker": grant.worker_id, "ends_at": told_at(grant.ends_at)}

    with write_session(house.engine) as session:
        return answer_once(
            session,
            deed,
            route="/api/v1/staff/grants",
            key=idempotency_key,
            client=visitor.actor,
            request=body.model_dump(mode="json"),
            clock=house.clock,
        )


@router.get(
    "",
    response_model=GrantsOut,
    responses=declares(*LET_IN, Invalid, BadPageToken),
    summary="Who opened whom",
)
@permits(Action.SEE_GRANTS)
def show_grants(
    house: DoorHouse, visitor: CurrentVisitor, page_token: PageToken = None, page_size: PageSize = 20
) -> Response:
    """One's own; to officers also those about people of their district, to the city all."""
    before = HIGHEST_ID if page_token is None else number_in(page_token, of="grants")
    with read_session(house.engine) as session:
        found = list_grants(session, visitor, keys=house.keys, before=before, limit=page_size + 1)
    page = found[:page_size]
    more = write_page_token(page[-1].id, of="grants") if len(found) > page_size else None
    return private_answer({"grants": [_grant_out(fact) for fact in page], "next_page_token": more})


def _grant_out(fact: GrantFact) -> dict[str, Any]:
    return {
        "grant": fact.id,
        "worker": fact.worker_id,
        "by": fact.by,
        "reason": fact.reason,
        "words": fact.words,
        "granted_at": told_at(fact.granted_at),
        "ends_at": told_at(fact.ends_at),
    }
