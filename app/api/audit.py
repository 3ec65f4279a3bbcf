"""The audit as auditors and its administrator read it: acts, and what among them is worth a look.

People are numbers here; who they are is not told.
"""

from datetime import datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.answers import private_answer, told_at
from app.api.auth import LET_IN
from app.api.houses import DoorHouse
from app.api.parameters import Day, EmptyIsNone, PageSize, PageToken
from app.api.problems import declares
from app.api.visitors import CurrentVisitor
from app.api.workers import number_in
from app.domain.audit import AnomalyKind
from app.domain.permissions import Action, permits
from app.kit.clock import CHINA
from app.kit.database import HIGHEST_ID, read_session, write_session
from app.kit.errors import Invalid
from app.kit.page_tokens import BadPageToken, write_page_token
from app.usecases.audit import ActFact, find_anomalies_of, list_acts
from app.usecases.obligations import RulesMissing

router = APIRouter(prefix="/api/v1/staff/audit", tags=["staff"])

_Named = Annotated[Annotated[str, Field(max_length=80, pattern=r"^[\w./-]+$")] | None, EmptyIsNone, Query()]
_OnDay = Annotated[Day | None, EmptyIsNone, Query()]


class ActOut(BaseModel):
    """Who did what to what, why and from where; `subject` is a noun and a number."""

    id: int
    happened_at: datetime
    actor: str
    action: str
    subject: str
    detail: str
    why: str
    origin: str


class ActsOut(BaseModel):
    """Acts, newest first."""

    acts: list[ActOut]
    next_page_token: str | None


class AnomalyOut(BaseModel):
    """What is worth a look. `about` is an actor, an account or a person; `acts` the first of which it is made."""

    kind: AnomalyKind
    label: str
    about: str
    count: int
    usual: float | None = Field(description="on a usual day of theirs, where that was asked")
    acts: list[int]


class AnomaliesOut(BaseModel):
    """What is worth a look of one day."""

    day: str
    anomalies: list[AnomalyOut]


@router.get(
    "",
    response_model=ActsOut,
    responses=declares(*LET_IN, Invalid, BadPageToken),
    summary="Who saw or changed what",
)
@permits(Action.SEE_AUDIT)
def show_acts(
    *,
    house: DoorHouse,
    visitor: CurrentVisitor,
    actor: _Named = None,
    subject: _Named = None,
    action: _Named = None,
    since: _OnDay = None,
    page_token: PageToken = None,
    page_size: PageSize = 20,
) -> Response:
    """Who reads the audit stands in it, too."""
    before = HIGHEST_ID if page_token is None else number_in(page_token, of="audit")
    with write_session(house.engine) as session:
        found = list_acts(
            session,
            visitor,
            now=house.clock.now(),
            limit=page_size + 1,
            before=before,
            actor=actor,
            subject=subject,
            action=action,
            since=None if since is None else datetime.combine(since, time(), tzinfo=CHINA),
        )
    page = found[:page_size]
    more = write_page_token(page[-1].id, of="audit") if len(found) > page_size else None
    return private_answer({"acts": [_act_out(fact) for fact in page], "next_page_token": more})


@router.get(
    "/anomalies",
    response_model=AnomaliesOut,
    responses=declares(*LET_IN, Invalid, RulesMissing),
    summary="What in the audit is worth a look",
)
@permits(Action.SEE_AUDIT)
def show_anomalies(house: DoorHouse, visitor: CurrentVisitor, day: _OnDay = None) -> Response:
    """Of one day, today's where none is given: many looks, looks at night, break-glass, failed log-ins and others."""
    del visitor  # asked for, or anybody could
    chosen = day or house.clock.today()
    with read_session(house.engine) as session:
        found = find_anomalies_of(session, day=chosen)
    return private_answer(
        {
            "day": chosen,
            "anomalies": [
                {
                    "kind": one.kind,
                    "label": one.kind.label,
                    "about": one.about,
                    "count": one.count,
                    "usual": one.usual,
                    "acts": list(one.entry_ids),
                }
                for one in found
            ],
        }
    )


def _act_out(fact: ActFact) -> dict[str, Any]:
    return {
        "id": fact.id,
        "happened_at": told_at(fact.happened_at),
        "actor": fact.actor,
        "action": fact.action,
        "subject": fact.subject,
        "detail": fact.detail,
        "why": fact.why,
        "origin": fact.origin,
    }
