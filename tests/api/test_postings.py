"""Postings over HTTP: search page by page, one posting, reports and what comes of them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import httpx
import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.api.cards import WholePostingOut
from app.api.postings import FoundList, ReceiptOut
from app.domain.postings import AgeReason, PostingKind, PostingState
from app.kit.clock import FixedClock
from app.kit.database import read_session, write_session
from app.kit.encrypted import Place, SealBroken, unseal
from app.main import create_app, current_house
from app.store.postings import Posting, PostingReport
from app.usecases.postings import MOST_REPORTS
from app.wiring import House
from tests.api.conftest import caller
from tests.houses import HOME_LAT, HOME_LON, HOME_TOWNSHIP, add_posting, with_matchmaker

pytestmark = pytest.mark.anyio

NEAR_HOME = f"/api/v1/postings?near={HOME_TOWNSHIP}&radius_km=20"
WECHAT = "Mozilla/5.0 (Linux; Android 9) MicroMessenger/7.0"
DESKTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"


@pytest.fixture
async def kinds_of_work(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """A cleaner at home, a guard 11 km away, day labour 33 km away, and what nobody is shown."""
    add_posting(house, title="小区保洁", lon=HOME_LON, lat=HOME_LAT)
    add_posting(house, title="学校保安", occupation_code="4-07-05-01", lon=HOME_LON, lat=HOME_LAT + 0.1)
    add_posting(house, title="装卸", kind=PostingKind.DAY_LABOUR, lon=HOME_LON, lat=HOME_LAT + 0.3)
    add_posting(house, title="关了的", state=PostingState.CLOSED)
    add_posting(house, title="还没审", state=PostingState.REVIEW)
    add_posting(house, title="过期的", valid_until=house.clock.today() - timedelta(days=1))
    async with caller(create_app(with_matchmaker(house))) as client:
        yield client


async def titles(client: httpx.AsyncClient, path: str) -> list[str]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return [item["posting"]["title"] for item in answer.json()["items"]]


async def test_the_nearest_stand_first(kinds_of_work: httpx.AsyncClient) -> None:
    client = kinds_of_work
    answer = await client.get(f"/api/v1/postings?near={HOME_TOWNSHIP}&radius_km=50")
    found = FoundList.model_validate_json(answer.content, extra="forbid")
    assert [(item.posting.title, item.distance_km) for item in found.items] == [
        ("小区保洁", 0.0),
        ("学校保安", 11.1),
        ("装卸", 33.4),
    ]
    assert found.total == 3
    assert await titles(client, NEAR_HOME) == ["小区保洁", "学校保安"]
    assert await titles(client, f"/api/v1/postings?near={HOME_LON},{HOME_LAT + 0.3}&radius_km=5") == ["装卸"]


async def test_words_kind_and_occupation_narrow_the_search(kinds_of_work: httpx.AsyncClient) -> None:
    client = kinds_of_work
    assert await titles(client, "/api/v1/postings?q=看大门") == ["学校保安"]
    assert await titles(client, "/api/v1/postings?kind=day_labour") == ["装卸"]
    assert len(await titles(client, "/api/v1/postings?kind=day_labour&kind=full_time")) == 3
    assert await titles(client, "/api/v1/postings?occupation=4-07-05-01") == ["学校保安"]


@pytest.mark.parametrize("path", ["/api/v1/postings?", f"{NEAR_HOME}&"])
@pytest.mark.parametrize("page_size", [1, 7, 30, 100])
async def test_pages_are_whole_and_repeat_nothing(still: httpx.AsyncClient, path: str, page_size: int) -> None:
    ids: list[int] = []
    token = ""
    while True:
        page = (await still.get(f"{path}page_size={page_size}&page_token={token}")).json()
        assert len(page["items"]) <= page_size
        assert page["total"] == 30
        ids += [item["posting"]["id"] for item in page["items"]]
        token = page["next_page_token"]
        if token is None:
            break
    assert len(ids) == len(set(ids)) == 30


async def test_a_list_names_no_phone_and_one_posting_does(still: httpx.AsyncClient) -> None:
    listed = await still.get(NEAR_HOME)
    assert "023-57680000" not in listed.text
    posting_id = listed.json()["items"][0]["posting"]["id"]
    answer = await still.get(f"/api/v1/postings/{posting_id}")
    posting = WholePostingOut.model_validate_json(answer.content, extra="forbid")
    assert (posting.id, posting.phone) == (posting_id, "023-57680000")


async def test_one_posting_is_told_as_it_is_now(house: House, client: httpx.AsyncClient) -> None:
    posting_id = add_posting(house, title="刚刚发布", age_max=50, age_reason=AgeReason.STATUTORY_HAZARD)
    answer = await client.get(f"/api/v1/postings/{posting_id}")
    assert answer.json()["title"] == "刚刚发布"
    assert answer.json()["age"] == {"min": None, "max": 50, "reason": "statutory_hazard", "words": ""}
    again = await client.get(f"/api/v1/postings/{posting_id}", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    with write_session(house.engine) as session:
        session.get_one(Posting, posting_id).title = "改了标题"
    changed = await client.get(f"/api/v1/postings/{posting_id}", headers={"If-None-Match": answer.headers["etag"]})
    assert (changed.status_code, changed.json()["title"]) == (200, "改了标题")


@pytest.mark.parametrize(
    "given",
    [
        {"state": PostingState.CLOSED},
        {"state": PostingState.REVIEW},
        {"state": PostingState.DRAFT},
        {"state": PostingState.PAUSED},
    ],
)
async def test_what_is_not_open_is_not_found(
    house: House, client: httpx.AsyncClient, given: dict[str, PostingState]
) -> None:
    posting_id = add_posting(house, **given)
    assert (await client.get(f"/api/v1/postings/{posting_id}")).json()["code"] == "posting_not_found"
    refused = await client.post(f"/api/v1/postings/{posting_id}/reports", json={"reason": "fees"})
    assert refused.json()["code"] == "posting_not_found"


async def test_a_posting_is_found_until_its_last_day_ends_in_china(
    house: House, clock: FixedClock, client: httpx.AsyncClient
) -> None:
    posting_id = add_posting(house, valid_until=clock.today())
    clock.advance(timedelta(hours=13, minutes=59))
    assert (await client.get(f"/api/v1/postings/{posting_id}")).status_code == 200
    clock.advance(timedelta(minutes=1))
    assert (await client.get(f"/api/v1/postings/{posting_id}")).status_code == 404


# --- reports ----------------------------------------------------------------------------------------------------------


def reports_of(house: House, posting_id: int) -> tuple[int, PostingState]:
    with read_session(house.engine) as session:
        number = session.query(PostingReport).where(PostingReport.posting_id == posting_id).count()
        return number, session.get_one(Posting, posting_id).state


async def test_a_reporter_keeps_a_code_and_learns_the_outcome(house: House, app: FastAPI) -> None:
    posting_id = add_posting(house)
    async with caller(app) as client:
        answer = await client.post(
            f"/api/v1/postings/{posting_id}/reports", json={"reason": "fees", "words": "要先交300元押金"}
        )
        assert answer.status_code == 201
        receipt = ReceiptOut.model_validate_json(answer.content, extra="forbid")
        assert (receipt.reason, receipt.outcome, receipt.outcome_text) == ("fees", "waiting", "正在核实")
        asked = await client.get(answer.headers["location"])
        assert asked.json() == answer.json()
        assert asked.headers["cache-control"] == "no-store"
        by_hand = await client.get(f"/api/v1/reports/{receipt.code[:5].lower()}-{receipt.code[5:]}")
        assert by_hand.json() == answer.json()


async def test_two_independent_reports_hide_a_posting(house: House, app: FastAPI) -> None:
    posting_id = add_posting(house)
    path = f"/api/v1/postings/{posting_id}/reports"
    async with (
        caller(app, **{"User-Agent": WECHAT}) as first,
        caller(app, address="10.0.0.2", **{"User-Agent": WECHAT}) as second,
    ):
        one = await first.post(path, json={"reason": "fees"})
        again = await first.post(path, json={"reason": "fees"})
        assert again.json() == one.json()
        # Another complaint is kept, but one network stays one reporter.
        more = await first.post(path, json={"reason": "false"})
        assert more.json()["code"] != one.json()["code"]
        assert reports_of(house, posting_id) == (2, PostingState.OPEN)
        assert (await second.post(path, json={"reason": "false"})).status_code == 201
        assert reports_of(house, posting_id) == (3, PostingState.REVIEW)
        assert (await first.get(f"/api/v1/postings/{posting_id}")).status_code == 404


async def test_one_person_is_one_reporter_whatever_their_browser_calls_itself(house: House, app: FastAPI) -> None:
    posting_id = add_posting(house)
    path = f"/api/v1/postings/{posting_id}/reports"
    for agent in (WECHAT, f"{WECHAT}.1", DESKTOP):
        async with caller(app, **{"User-Agent": agent}) as client:
            assert (await client.post(path, json={"reason": "fees"})).status_code == 201
    assert reports_of(house, posting_id) == (1, PostingState.OPEN)


async def test_one_network_stays_one_reporter_when_the_keys_are_rotated(house: House, app: FastAPI) -> None:
    posting_id = add_posting(house)
    path = f"/api/v1/postings/{posting_id}/reports"
    key = {"Idempotency-Key": "a1b2"}
    async with caller(app) as client:
        first = await client.post(path, json={"reason": "fees"}, headers=key)
    for families in (("token",), ("data", "index", "token")):
        before = current_house(app)
        app = create_app(replace(before, keys=before.keys.rotated(*families)))
        async with caller(app) as client:
            replayed = await client.post(path, json={"reason": "fees"}, headers=key)
            again = await client.post(path, json={"reason": "fees"})
            assert replayed.headers["idempotency-replayed"] == "true"
            assert replayed.json() == again.json() == first.json()
    async with caller(app) as client:
        assert (await client.post(path, json={"reason": "false"})).status_code == 201
    assert reports_of(house, posting_id) == (2, PostingState.OPEN)
    async with caller(app, address="10.0.0.2") as other:
        assert (await other.post(path, json={"reason": "false"})).status_code == 201
    assert reports_of(house, posting_id) == (3, PostingState.REVIEW)


async def test_a_sample_of_the_past_that_two_report_ends_and_waits_for_nobody(house: House, app: FastAPI) -> None:
    posting_id = add_posting(house, state=PostingState.HISTORICAL)
    path = f"/api/v1/postings/{posting_id}/reports"
    for address in ("10.0.0.1", "10.0.0.2"):
        async with caller(app, address=address) as client:
            assert (await client.post(path, json={"reason": "false"})).status_code == 201
    assert reports_of(house, posting_id) == (2, PostingState.CLOSED)


async def test_a_flood_of_complaints_from_one_network_ends(house: House, app: FastAPI) -> None:
    posting_id = add_posting(house)
    path = f"/api/v1/postings/{posting_id}/reports"
    async with caller(app) as client:
        for number in range(MOST_REPORTS):
            assert (await client.post(path, json={"reason": "other", "words": f"第{number}次"})).status_code == 201
        refused = await client.post(path, json={"reason": "other", "words": "又一次"})
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        repeated = await client.post(path, json={"reason": "other", "words": "第0次"})
        assert repeated.status_code == 201
    assert reports_of(house, posting_id) == (MOST_REPORTS, PostingState.OPEN)


async def test_nothing_stored_names_the_reporter(house: House, app: FastAPI) -> None:
    posting_id = add_posting(house)
    async with caller(app, address="203.0.113.77", **{"User-Agent": WECHAT}) as client:
        await client.post(
            f"/api/v1/postings/{posting_id}/reports", json={"reason": "fees"}, headers={"Idempotency-Key": "k-1"}
        )
    with house.engine.connect() as connection:
        for table in ("posting_reports", "idempotency_keys"):
            rows = str(connection.exec_driver_sql(f"SELECT * FROM {table}").all())  # noqa: S608  two known names
            assert "203.0.113.77" not in rows
            assert "MicroMessenger" not in rows
            assert "k-1" not in rows


async def test_what_a_reporter_writes_is_sealed_for_its_row(house: House, app: FastAPI) -> None:
    posting_id = add_posting(house)
    async with caller(app) as client:
        for number in (1, 2):
            await client.post(
                f"/api/v1/postings/{posting_id}/reports", json={"reason": "fees", "words": f"王某{number}"}
            )
    with house.engine.connect() as connection:
        assert "王某" not in str(connection.exec_driver_sql("SELECT * FROM posting_reports").all())
    with read_session(house.engine) as session:
        one, two = session.scalars(select(PostingReport).order_by(PostingReport.id)).all()
    assert (one.words, two.words) == ("", "")
    assert one.sealed_words is not None
    assert two.sealed_words is not None
    assert unseal(house.keys, one.sealed_words, place=Place("posting_reports", "sealed_words", one.code)) == "王某1"
    with pytest.raises(SealBroken):
        unseal(house.keys, two.sealed_words, place=Place("posting_reports", "sealed_words", one.code))


async def test_nobody_can_find_out_by_trying_what_a_reporter_wrote(house: House, app: FastAPI) -> None:
    posting_id = add_posting(house)
    body = {"reason": "fees", "words": "王某"}
    async with caller(app) as client:
        await client.post(f"/api/v1/postings/{posting_id}/reports", json=body, headers={"Idempotency-Key": "k-1"})
    guess = orjson.dumps({"posting_id": posting_id, **body}, option=orjson.OPT_SORT_KEYS)
    with house.engine.connect() as connection:
        (stored,) = connection.exec_driver_sql("SELECT request_hash FROM idempotency_keys").scalars()
    assert stored != hashlib.sha256(guess).hexdigest()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing"),
        ({"reason": "dull"}, "enum"),
        ({"reason": "fees", "words": "多" * 501}, "string_too_long"),
        ({"reason": "fees", "words": "\u0000"}, "unreadable_characters"),
        ({"reason": "fees", "phone": "13812345678"}, "extra_forbidden"),
    ],
)
async def test_a_report_that_cannot_be_read_leaves_nothing(
    house: House, app: FastAPI, body: dict[str, str], code: str
) -> None:
    posting_id = add_posting(house)
    async with caller(app) as client:
        answer = await client.post(f"/api/v1/postings/{posting_id}/reports", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)
    assert reports_of(house, posting_id) == (0, PostingState.OPEN)


# --- Idempotency-Key --------------------------------------------------------------------------------------------------


async def test_a_report_sent_twice_is_taken_once_and_answered_alike(house: House, app: FastAPI) -> None:
    posting_id = add_posting(house)
    path, key = f"/api/v1/postings/{posting_id}/reports", {"Idempotency-Key": "a1b2"}
    async with caller(app) as client:
        first = await client.post(path, json={"reason": "fees", "words": "押金"}, headers=key)
        again = await client.post(path, json={"words": "押金", "reason": "fees"}, headers=key)
    assert (again.status_code, again.json(), again.headers["location"]) == (
        first.status_code,
        first.json(),
        first.headers["location"],
    )
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert reports_of(house, posting_id)[0] == 1


async def test_a_key_used_for_something_else_is_refused(house: House, app: FastAPI) -> None:
    posting_id, other_id = add_posting(house), add_posting(house)
    key = {"Idempotency-Key": "a1b2"}
    async with caller(app) as client:
        await client.post(f"/api/v1/postings/{posting_id}/reports", json={"reason": "fees"}, headers=key)
        for path_id, reason in ((posting_id, "false"), (other_id, "fees")):
            answer = await client.post(f"/api/v1/postings/{path_id}/reports", json={"reason": reason}, headers=key)
            assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")
    assert reports_of(house, other_id)[0] == 0


async def test_a_key_belongs_to_the_client_that_chose_it(house: House, app: FastAPI) -> None:
    posting_id = add_posting(house)
    path, key = f"/api/v1/postings/{posting_id}/reports", {"Idempotency-Key": "1"}
    async with caller(app) as first, caller(app, address="10.0.0.2") as second:
        one = await first.post(path, json={"reason": "fees"}, headers=key)
        other = await second.post(path, json={"reason": "fees"}, headers=key)
    assert one.json()["code"] != other.json()["code"]
    assert reports_of(house, posting_id)[0] == 2


async def test_a_deed_that_failed_leaves_its_key_free(house: House, app: FastAPI) -> None:
    posting_id = add_posting(house, state=PostingState.REVIEW)
    path, key = f"/api/v1/postings/{posting_id}/reports", {"Idempotency-Key": "a1b2"}
    async with caller(app) as client:
        assert (await client.post(path, json={"reason": "fees"}, headers=key)).status_code == 404
        with write_session(house.engine) as session:
            session.get_one(Posting, posting_id).state = PostingState.OPEN
        assert (await client.post(path, json={"reason": "fees"}, headers=key)).status_code == 201


async def test_the_same_key_at_the_same_time_does_the_deed_once(house: House, app: FastAPI) -> None:
    posting_id = add_posting(house)
    path, key = f"/api/v1/postings/{posting_id}/reports", {"Idempotency-Key": "a1b2"}
    async with caller(app) as client:
        answers = await asyncio.gather(*(client.post(path, json={"reason": "fees"}, headers=key) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["code"] for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 7
    assert reports_of(house, posting_id)[0] == 1


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 101, "钥匙"])
async def test_a_key_is_short_and_plain(still: httpx.AsyncClient, key: str) -> None:
    answer = await still.post(
        "/api/v1/postings/1/reports", json={"reason": "fees"}, headers={b"Idempotency-Key": key.encode()}
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
