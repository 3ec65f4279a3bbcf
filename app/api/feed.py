"""The open bulk feed: every posting that changed behind a cursor, one JSON object a line.

To follow it: read without `since`, keep the answer's `Jiujin-Next-Since` once the last line has arrived, come back with
it. Without phones: the numbers stand with each posting, but nobody is handed all of them at once.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from app.api.answers import OPEN_TO_ALL
from app.api.cards import posting_out
from app.api.houses import CurrentHouse
from app.api.parameters import EmptyIsNone
from app.api.problems import declares
from app.domain.permissions import Action, permits
from app.kit.database import HIGHEST_ID, read_session
from app.kit.errors import Busy, Invalid
from app.kit.page_tokens import BadPageToken, read_page_token, write_page_token
from app.usecases.feed import FeedEntry, list_changes, load_occupations, settled_until
from app.wiring import NotReady

router = APIRouter(prefix="/api/v1", tags=["feed"])

MEDIA_TYPE = "application/x-ndjson"
_PAGE_ROWS = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class ClosedOut(BaseModel):
    """A posting that job-seekers no longer see: drop it."""

    id: int
    state: Literal["closed"]


@router.get(
    "/feed/postings.jsonl",
    responses={
        200: {
            "description": "One posting a line, oldest change first",
            "content": {
                MEDIA_TYPE: {
                    "schema": {
                        "oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("PostingOut", "ClosedOut")]
                    }
                }
            },
            "headers": {
                "Jiujin-Next-Since": {
                    "description": "`since` of the next call; keep it when the last line has arrived",
                    "schema": {"type": "string"},
                }
            },
        },
        **declares(BadPageToken, Invalid, NotReady, Busy),
    },
    response_class=StreamingResponse,
    summary="All postings, or what changed since the last call",
)
@permits(Action.READ_FEED)
def stream_postings(
    house: CurrentHouse,
    since: Annotated[
        Annotated[str, Field(max_length=200, json_schema_extra={"format": "page-token"})] | None,
        EmptyIsNone,
        Query(description="`Jiujin-Next-Since` of the call before; everything when left out"),
    ] = None,
) -> Response:
    """Changes appear some ten seconds late, so that none is missed; a posting that changes again comes again.

    Historical samples carry `historical: true`; what job-seekers no longer see comes as `{"id": …, "state": "closed"}`.
    """
    areas = house.ready_matchmaker().areas
    begin = _position_of(since) if since else None
    today = house.clock.today()
    with read_session(house.engine) as session:
        until = settled_until(
            session,
            now=house.clock.now(),
            lock_timeout=timedelta(milliseconds=house.settings.db_lock_timeout_ms),
        )
        occupations = load_occupations(session)

    def pages() -> Iterator[list[FeedEntry]]:
        after = begin
        while True:
            # A session for each page: a slow reader must not keep a transaction open.
            with read_session(house.engine) as session:
                page = list_changes(
                    session,
                    after=after,
                    until=until,
                    limit=_PAGE_ROWS,
                    areas=areas,
                    occupations=occupations,
                    today=today,
                )
            yield page
            if len(page) < _PAGE_ROWS:
                return
            after = page[-1].position

    following = pages()
    # Before the answer begins, so that a database that is away is a 503 and not half a file.
    first = next(following)

    def content() -> Iterator[bytes]:
        yield _lines(first, with_closed=since is not None)
        for page in following:
            yield _lines(page, with_closed=since is not None)

    end = (until, HIGHEST_ID)
    following_since = write_page_token(*_key_of(max(end, begin) if begin else end), of="feed")
    return StreamingResponse(
        content(),
        media_type=MEDIA_TYPE,
        headers={**OPEN_TO_ALL, "Cache-Control": "no-cache", "Jiujin-Next-Since": following_since},
    )


def _lines(entries: list[FeedEntry], *, with_closed: bool) -> bytes:
    """The entries as JSON lines. Who has nothing yet has nothing to close."""
    return b"".join(
        orjson.dumps(
            posting_out(entry.card) if entry.card is not None else {"id": entry.id, "state": "closed"},
            option=orjson.OPT_APPEND_NEWLINE,
        )
        for entry in entries
        if with_closed or entry.card is not None
    )


def _key_of(position: tuple[datetime, int]) -> tuple[int, int]:
    return (position[0] - _EPOCH) // _MICROSECOND, position[1]


def _position_of(since: str) -> tuple[datetime, int]:
    microseconds, last_id = read_page_token(since, of="feed", shape=(int, int), field="since")
    try:
        return _EPOCH + microseconds * _MICROSECOND, min(max(last_id, 0), HIGHEST_ID)
    except OverflowError:
        raise BadPageToken("since") from None
