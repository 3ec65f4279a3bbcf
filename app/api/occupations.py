"""Occupations: what people's own words for work are taken for."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.answers import public_answer
from app.api.houses import CurrentHouse
from app.api.parameters import Readable
from app.api.problems import declares
from app.domain.permissions import Action, permits
from app.kit.errors import Invalid
from app.usecases.matchmaking import ResolvedWords
from app.wiring import NotReady

router = APIRouter(prefix="/api/v1", tags=["occupations"])


class ResolvedOut(BaseModel):
    """Words and the occupation they were taken for; `occupation` is null where none fits."""

    text: str
    occupation: str | None = Field(description="code of the 2022 classification, such as 4-07-05-01")
    name: str
    confidence: float = Field(ge=0, le=1)


class OccupationList(BaseModel):
    """What the words may mean, likeliest first; empty when nothing fits."""

    items: list[ResolvedOut]


@router.get(
    "/occupations",
    response_model=OccupationList,
    responses=declares(Invalid, NotReady),
    summary="Occupations that words mean, with confidence",
)
@permits(Action.SEE_OCCUPATIONS)
async def resolve_words(
    request: Request,
    house: CurrentHouse,
    q: Annotated[str, Query(min_length=1, max_length=60, examples=["看大门"]), Readable],
) -> Response:
    """Resolve words such as 看大门 or 煮饭; answered from memory."""
    found = house.ready_matchmaker().resolve(q)
    return public_answer(request, {"items": [resolved_out(words) for words in found if words.occupation]})


def resolved_out(words: ResolvedWords) -> dict[str, object]:
    """Resolved words as JSON."""
    return {
        "text": words.text,
        "occupation": words.occupation,
        "name": words.name,
        "confidence": round(words.confidence, 3),
    }
