"""The bulk feed: all of it, then only what changed, and nothing missed that is committed late."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy.orm import Session

from app.api.cards import PostingOut
from app.api.feed import ClosedOut
from app.domain.postings import PostingState
from app.kit.clock import FixedClock
from app.kit.database import read_session, write_session
from app.kit.page_tokens import write_page_token
from app.store.postings import Posting
from app.usecases.areas import AreaBook
from app.usecases.drafts import PostingDraft
from app.usecases.imports import import_postings, judge_postings, read_grounds, stamp_for_commit
from app.wiring import House
from tests.houses import add_posting

pytestmark = pytest.mark.anyio

FEED = "/api/v1/feed/postings.jsonl"


class Follower:
    """A program that follows the feed as it is told to."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.since = ""
        self.open: dict[int, dict[str, Any]] = {}

    async def read(self) -> list[dict[str, Any]]:
        answer = await self.client.get(FEED, params={"since": self.since})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/x-ndjson"
        lines = [json.loads(line) for line in answer.text.splitlines()]
        for line in lines:
            if line["state"] == "closed":
                self.open.pop(line["id"], None)
            else:
                self.open[line["id"]] = line
        self.since = answer.headers["jiujin-next-since"]
        return lines


@pytest.fixture
def follower(client: httpx.AsyncClient) -> Follower:
    return Follower(client)


def change(house: House, posting_id: int, **values: object) -> None:
    with write_session(house.engine) as session:
        posting = session.get_one(Posting, posting_id)
        for name, value in {"changed_at": house.clock.now(), **values}.items():
            setattr(posting, name, value)


async def test_everything_comes_first_and_what_is_closed_does_not(house: House, follower: Follower) -> None:
    first = add_posting(house)
    sample = add_posting(
        house, state=PostingState.HISTORICAL, observed="2019-06", valid_until=None, pay=None, occupation_code=None
    )
    add_posting(house, state=PostingState.CLOSED)
    add_posting(house, state=PostingState.REVIEW)
    add_posting(house, valid_until=house.clock.today() - timedelta(days=1))
    lines = await follower.read()
    assert [line["id"] for line in lines] == [first, sample]
    for line in lines:
        PostingOut.model_validate_json(json.dumps(line), extra="forbid")
    assert [(line["historical"], line["observed"]) for line in lines] == [(False, None), (True, "2019-06")]


async def test_no_phone_leaves_by_the_feed(house: House, client: httpx.AsyncClient) -> None:
    add_posting(house, phone="13812345678")
    answer = await client.get(FEED)
    assert answer.text
    assert "13812345678" not in answer.text
    assert "phone" not in answer.text


async def test_then_only_changes_come(house: House, clock: FixedClock, follower: Follower) -> None:
    kept, closed, hidden = add_posting(house), add_posting(house), add_posting(house)
    await follower.read()
    assert await follower.read() == []
    clock.advance(timedelta(minutes=5))
    change(house, closed, state=PostingState.CLOSED)
    change(house, hidden, state=PostingState.REVIEW)
    new = add_posting(house)
    clock.advance(timedelta(minutes=5))
    lines = await follower.read()
    assert [line["id"] for line in lines] == [new, closed, hidden]
    assert [ClosedOut.model_validate(line).id for line in lines[1:]] == [closed, hidden]
    assert set(follower.open) == {kept, new}
    clock.advance(timedelta(minutes=5))
    change(house, hidden, state=PostingState.OPEN)
    clock.advance(timedelta(minutes=5))
    assert [line["id"] for line in await follower.read()] == [hidden]
    assert set(follower.open) == {kept, new, hidden}


async def test_what_ran_out_comes_as_closed_before_it_is_written_down(
    house: House, clock: FixedClock, follower: Follower
) -> None:
    posting_id = add_posting(house, valid_until=clock.today())
    await follower.read()
    clock.advance(timedelta(days=1))
    change(house, posting_id)
    clock.advance(timedelta(minutes=1))
    assert await follower.read() == [{"id": posting_id, "state": "closed"}]


async def test_what_is_still_fresh_waits(house: House, clock: FixedClock, follower: Follower) -> None:
    posting_id = add_posting(house, changed_at=clock.now())
    settled_after = timedelta(milliseconds=house.settings.db_lock_timeout_ms) + timedelta(seconds=5)
    assert await follower.read() == []
    clock.advance(settled_after - timedelta(microseconds=1))
    assert await follower.read() == []
    clock.advance(timedelta(microseconds=1))
    assert [line["id"] for line in await follower.read()] == [posting_id]
    assert await follower.read() == []


async def test_a_writer_who_waited_for_the_lock_is_not_missed(
    house: House, clock: FixedClock, follower: Follower
) -> None:
    """One asks the clock, waits for the lock as long as anybody may, and commits behind another's later row."""
    stamped_early = clock.now()
    clock.advance(timedelta(seconds=1))
    overtaking = add_posting(house, changed_at=clock.now())
    clock.advance(timedelta(milliseconds=house.settings.db_lock_timeout_ms))
    await follower.read()
    late = add_posting(house, changed_at=stamped_early)
    clock.advance(timedelta(minutes=1))
    await follower.read()
    assert set(follower.open) == {overtaking, late}


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_a_long_import_holds_the_feed_back(house: House, clock: FixedClock, follower: Follower) -> None:
    """Rows stamped when a transaction began are committed after others' later ones. SQLite has one writer at a time."""
    clock.instant = clock.instant.now(clock.instant.tzinfo)  # the server tells by its own clock when it began
    template = add_posting(house, changed_at=clock.now() - timedelta(days=1))
    with Session(house.engine) as long_import, long_import.begin():
        rows = long_import.get_one(Posting, template)
        rows.changed_at = clock.now()
        long_import.flush()
        clock.advance(timedelta(minutes=2))
        overtaking = add_posting(house, changed_at=clock.now() - timedelta(minutes=1))
        assert overtaking not in {line["id"] for line in await follower.read()}
    await follower.read()
    assert set(follower.open) == {template, overtaking}


async def test_an_import_that_took_ten_minutes_is_not_missed(
    house: House, clock: FixedClock, follower: Follower
) -> None:
    """It asks the clock, understands its titles, waits for its turn; readers meanwhile are long past that instant."""
    began = clock.now()
    clock.advance(timedelta(minutes=10))
    later = add_posting(house)
    await follower.read()
    assert set(follower.open) == {later}
    draft = PostingDraft(
        row=2, title="保洁", source_key="1", fingerprint="1", observed="2024-07", observed_on=began.date()
    )
    with read_session(house.engine) as session:
        areas = AreaBook.load(session, on=clock.today())
        judged = judge_postings(read_grounds(session, [draft], occupations={}, areas=areas, today=clock.today()))
    with write_session(house.engine) as session:
        report = import_postings(session, judged, actor="tester", now=began)
        stamp_for_commit(session, stamped_at=began, changed_at=clock.now())
    clock.advance(timedelta(minutes=1))
    assert [line["id"] for line in await follower.read()] == [report.rows[0].id]


async def test_equal_instants_are_told_in_full(house: House, clock: FixedClock, follower: Follower) -> None:
    instant = clock.now() - timedelta(minutes=1)
    ids = [add_posting(house, changed_at=instant) for _ in range(3)]
    assert [line["id"] for line in await follower.read()] == ids
    follower.since = write_page_token(int(instant.timestamp() * 1_000_000), ids[0], of="feed")
    assert [line["id"] for line in await follower.read()] == ids[1:]


async def test_a_feed_longer_than_a_page_is_whole(
    house: House, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.api.feed._PAGE_ROWS", 4)
    instant = house.clock.now() - timedelta(minutes=1)
    ids = [add_posting(house, changed_at=instant + timedelta(seconds=number // 3)) for number in range(10)]
    assert [line["id"] for line in await follower.read()] == ids


async def test_the_cursor_never_goes_back(house: House, clock: FixedClock, follower: Follower) -> None:
    add_posting(house)
    await follower.read()
    before = follower.since
    clock.advance(timedelta(hours=-1))
    await follower.read()
    assert follower.since == before


@pytest.mark.parametrize(
    "since",
    [
        "abc",
        "!!!",
        "x" * 201,
        write_page_token("500237", of="areas"),
        write_page_token(1, of="feed"),
        write_page_token("1", 1, of="feed"),
        write_page_token(2**62, 1, of="feed"),
        write_page_token(-(2**62), 1, of="feed"),
    ],
)
async def test_a_cursor_that_was_not_given_out_is_refused(still: httpx.AsyncClient, since: str) -> None:
    answer = await still.get(FEED, params={"since": since})
    assert answer.status_code == 422
    assert answer.json()["code"] in ("bad_page_token", "invalid")
