"""Postings: search by distance, one posting, and reports against it.

The search answers from memory and may be two seconds behind; one posting is read from the database and is as it is now.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, BeforeValidator, Field
from starlette.responses import Response

from app.api.answers import private_answer, public_answer, told_at
from app.api.bodies import StrictBody, body_of, documents
from app.api.cards import CurrentFragments, PostingOut, WholePostingOut, whole_posting_out
from app.api.houses import CurrentHouse
from app.api.idempotency import Key, answer_once
from app.api.occupations import ResolvedOut, resolved_out
from app.api.parameters import (
    EmptyIsNone,
    Near,
    OccupationCode,
    PageSize,
    PageToken,
    PostingId,
    RadiusKm,
    Readable,
    place_of,
    without_empty,
)
from app.api.problems import BadJson, BodyTooLarge, MediaTypeUnsupported, declares
from app.domain.areas import Nearness
from app.domain.permissions import Action, permits
from app.domain.postings import PostingKind, ReportOutcome, ReportReason
from app.kit.database import read_session, write_session
from app.kit.errors import Busy, FieldFault, Invalid, TooManyRequests
from app.kit.page_tokens import BadPageToken
from app.usecases.areas import AreaSplit, AreaUnknown
from app.usecases.idempotency_keys import IdempotencyKeyReused
from app.usecases.matchmaking import SearchQuery
from app.usecases.postings import (
    PostingNotFound,
    ReportNotFound,
    ReportReceipt,
    load_posting,
    load_report,
    report_posting,
)
from app.wiring import NotReady

router = APIRouter(prefix="/api/v1", tags=["postings"])


_Kinds = Annotated[list[PostingKind], BeforeValidator(without_empty), Query(max_length=len(PostingKind))]


class FoundOut(BaseModel):
    """A posting in a search; `distance_km` is null where the place is unknown or no place was asked for."""

    distance_km: float | None
    nearness: Nearness
    posting: PostingOut


class FoundList(BaseModel):
    """A page of a search, nearest first. `total` counts all pages; `resolved` tells how `q` was understood."""

    items: list[FoundOut]
    next_page_token: str | None
    total: int
    resolved: list[ResolvedOut]


@router.get(
    "/postings",
    response_model=FoundList,
    responses=declares(Invalid, AreaUnknown, AreaSplit, BadPageToken, NotReady),
    summary="Search by distance",
)
@permits(Action.SEE_POSTINGS)
async def search_postings(
    *,
    request: Request,
    house: CurrentHouse,
    fragments: CurrentFragments,
    near: Near = None,
    radius_km: RadiusKm = None,
    q: Annotated[str, Query(max_length=60), Readable] = "",
    kind: _Kinds = [],  # noqa: B006  FastAPI copies it
    occupation: Annotated[OccupationCode | None, EmptyIsNone, Query()] = None,
    page_token: PageToken = None,
    page_size: PageSize = 20,
) -> Response:
    """Open postings and historical samples, nearest first; `kind` may stand several times."""
    if radius_km is not None and near is None:
        raise Invalid(fields=[FieldFault("radius_km", "needs_near", "填了 radius_km 就要填 near")])
    page = house.ready_matchmaker().search(
        SearchQuery(
            near=place_of(near), radius_km=radius_km, words=q.strip(), kinds=frozenset(kind), occupation=occupation
        ),
        page_size=page_size,
        page_token=page_token,
    )
    return public_answer(
        request,
        {
            "items": [
                {
                    "distance_km": distance_out(found.distance_km),
                    "nearness": found.nearness,
                    "posting": fragments.of(found.card),
                }
                for found in page.items
            ],
            "next_page_token": page.next_token,
            "total": page.total,
            "resolved": [resolved_out(words) for words in page.resolved],
        },
    )


@router.get(
    "/postings/{posting_id}",
    response_model=WholePostingOut,
    responses=declares(PostingNotFound, Invalid, NotReady),
    summary="One posting, whole",
)
@permits(Action.SEE_POSTINGS)
def show_posting(request: Request, house: CurrentHouse, posting_id: PostingId) -> Response:
    """The posting as the database has it now; a closed one is not found."""
    areas = house.ready_matchmaker().areas
    with read_session(house.engine) as session:
        card = load_posting(session, posting_id, areas=areas, today=house.clock.today())
    return public_answer(request, whole_posting_out(card))


def distance_out(km: float | None) -> float | None:
    """A distance as told: to a tenth of a kilometre, which is more than places are known to."""
    return None if km is None else round(km, 1)


# --- reports ----------------------------------------------------------------------------------------------------------


class Report(StrictBody):
    """A complaint about a posting. `words` say more if the reporter wishes; no names or phones are asked for."""

    reason: ReportReason
    words: Annotated[str, Field(max_length=500), Readable] = ""


class ReceiptOut(BaseModel):
    """What a reporter keeps. Under `code` the outcome can be asked for at `/api/v1/reports/{code}`."""

    code: str
    reason: ReportReason
    outcome: ReportOutcome
    outcome_text: str
    reported_at: str


@router.post(
    "/postings/{posting_id}/reports",
    status_code=201,
    response_model=ReceiptOut,
    responses=declares(
        PostingNotFound,
        TooManyRequests,
        Invalid,
        BadJson,
        BodyTooLarge,
        MediaTypeUnsupported,
        IdempotencyKeyReused,
        Busy,
    ),
    openapi_extra=documents(Report),
    summary="Report a posting",
)
@permits(Action.REPORT_POSTING)
def report(
    *,
    request: Request,
    house: CurrentHouse,
    posting_id: PostingId,
    body: Annotated[Report, Depends(body_of(Report))],
    idempotency_key: Key = None,
) -> Response:
    """Two independent reports hide a posting until an office has checked it.

    Reports from one network count as one; the same complaint once more is answered with the first one's receipt.
    """
    reporter = house.reporter(request.client.host if request.client else "")

    def deed() -> tuple[int, dict[str, Any]]:
        receipt = report_posting(
            session,
            posting_id,
            reason=body.reason,
            words=body.words.strip(),
            keys=house.keys,
            reporter=reporter,
            today=house.clock.today(),
            now=house.clock.now(),
        )
        return 201, _receipt_out(receipt)

    with write_session(house.engine) as session:
        return answer_once(
            session,
            deed,
            route="/api/v1/postings/{posting_id}/reports",
            key=idempotency_key,
            client=reporter[-1],  # the digest that no rotation of keys changes
            request={"posting_id": posting_id, **body.model_dump(mode="json")},
            clock=house.clock,
            headers=lambda document: {"Location": f"/api/v1/reports/{document['code']}"},
        )


@router.get(
    "/reports/{code}",
    response_model=ReceiptOut,
    responses=declares(ReportNotFound, Invalid, Busy),
    summary="What came of a report",
)
@permits(Action.SEE_REPORT)
def show_report(house: CurrentHouse, code: Annotated[str, Path(max_length=40), Readable]) -> Response:
    """The receipt with the outcome as it stands. Whoever knows the code may ask."""
    with read_session(house.engine) as session:
        return private_answer(_receipt_out(load_report(session, code)))


def _receipt_out(receipt: ReportReceipt) -> dict[str, Any]:
    return {
        "code": receipt.code,
        "reason": receipt.reason,
        "outcome": receipt.outcome,
        "outcome_text": receipt.outcome.label,
        "reported_at": told_at(receipt.reported_at),
    }
