"""One network asks so often a minute and is told how often it still may; others are not touched by it."""

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from app.kit.clock import FixedClock
from app.main import create_app
from app.wiring import House
from tests.api.conftest import caller
from tests.api.test_matches import LEAST

pytestmark = pytest.mark.anyio


@pytest.fixture
def strict_app(still_app: FastAPI, clock: FixedClock) -> FastAPI:
    house: House = still_app.state.house
    settings = house.settings.model_copy(update={"reads_a_minute": 3, "writes_a_minute": 1})
    return create_app(replace(house, settings=settings, clock=clock))


async def test_a_network_that_asks_too_often_is_told_when_to_come_back(strict_app: FastAPI, clock: FixedClock) -> None:
    async with caller(strict_app, address="192.0.2.1") as client:
        told = [await client.get("/api/v1/areas/500237") for _ in range(4)]
        assert [each.status_code for each in told] == [200, 200, 200, 429]
        assert [each.headers["ratelimit"] for each in told[:3]] == [
            '"reads";r=2;t=60',
            '"reads";r=1;t=60',
            '"reads";r=0;t=60',
        ]
        assert told[0].headers["ratelimit-policy"] == '"reads";q=3;w=60'
        refused = told[3]
        assert (refused.headers["content-type"], refused.json()["code"]) == (
            "application/problem+json",
            "too_many_requests",
        )
        wait = int(refused.headers["retry-after"])
        assert 0 < wait <= 62
        assert refused.headers["ratelimit"] == f'"reads";r=0;t={wait}'
        clock.advance(timedelta(seconds=wait))
        assert (await client.get("/api/v1/areas/500237")).status_code == 200


async def test_writes_are_counted_by_themselves_and_each_network_too(strict_app: FastAPI) -> None:
    async with caller(strict_app, address="2001:db8:1:2::1") as client:
        assert (await client.post("/api/v1/match", json=LEAST)).status_code == 200
        assert (await client.post("/api/v1/match", json=LEAST)).status_code == 429
        assert (await client.get("/api/v1/areas/500237")).status_code == 200
    async with caller(strict_app, address="2001:db8:1:2:ffff::9") as same_line:
        assert (await same_line.post("/api/v1/match", json=LEAST)).status_code == 429
    async with caller(strict_app, address="2001:db8:1:3::1") as another:
        assert (await another.post("/api/v1/match", json=LEAST)).status_code == 200


async def test_a_page_that_is_refused_is_a_page(strict_app: FastAPI) -> None:
    async with caller(strict_app, address="192.0.2.7", Accept="text/html") as client:
        pages = [await client.get("/about") for _ in range(4)]
    assert pages[3].status_code == 429
    assert "操作太频繁" in pages[3].text
    assert pages[3].headers["retry-after"]


async def test_who_tries_wrong_codes_is_soon_shown_no_right_one_either(still_app: FastAPI, clock: FixedClock) -> None:
    house: House = still_app.state.house
    async with caller(create_app(replace(house, clock=clock)), address="192.0.2.9") as client:
        assert (await client.get("/about")).status_code == 200
        told = [(await client.get(f"/api/v1/reports/AAAA{number:04d}")).status_code for number in range(32)]
        assert told == [404] * 30 + [429] * 2
        for path in ("/inbox/9-AAAA-BBBB", "/r/some-link", "/receipts/9-AAAA-BBBB", "/reports/AAAA1111"):
            assert (await client.get(path)).status_code == 429, path
        assert (await client.post("/receipts", data={"code": "9-AAAA-BBBB"})).status_code == 429
        assert (await client.get("/about")).status_code == 200
        clock.advance(timedelta(hours=1, minutes=2))
        assert (await client.get("/reports/AAAA1111")).status_code == 404


async def test_what_looks_after_the_service_and_who_is_trusted_is_not_counted(strict_app: FastAPI) -> None:
    async def statuses(client: httpx.AsyncClient, path: str) -> set[int]:
        return {(await client.get(path)).status_code for _ in range(6)}

    async with caller(strict_app, address="192.0.2.8") as client:
        assert await statuses(client, "/health/live") == {200}
    async with caller(strict_app, address="10.0.0.1") as client:  # named by the settings of these tests
        assert await statuses(client, "/api/v1/areas/500237") == {200}
        assert "ratelimit" not in (await client.get("/api/v1/areas/500237")).headers
