"""Live, ready, and metrics that name no person."""

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from app.kit.database import open_engine
from app.main import create_app
from app.wiring import House
from tests.api.conftest import caller

pytestmark = pytest.mark.anyio


async def test_a_furnished_house_is_ready(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "migrated": True, "loaded": True, "index_built": True}


async def state_of(house: House) -> tuple[int, dict[str, object]]:
    async with caller(create_app(house)) as client:
        assert (await client.get("/health/live")).status_code == 200
        answer = await client.get("/health/ready")
    document = answer.json()
    return answer.status_code, {name: document[name] for name in ("code", "migrated", "loaded", "index_built")}


async def test_without_an_index_it_is_not_ready(house: House) -> None:
    missing = {"code": "not_ready", "migrated": True, "loaded": True, "index_built": False}
    assert await state_of(house) == (503, missing)


async def test_without_reference_data_it_is_not_ready(house: House, database: Engine) -> None:
    missing = {"code": "not_ready", "migrated": True, "loaded": False, "index_built": False}
    assert await state_of(replace(house, engine=database)) == (503, missing)


async def test_without_tables_it_is_not_ready(
    house: House, backend: str, empty_database: Callable[[str], Engine]
) -> None:
    missing = {"code": "not_ready", "migrated": False, "loaded": False, "index_built": False}
    assert await state_of(replace(house, engine=empty_database(backend))) == (503, missing)


async def test_without_a_database_it_is_not_ready_but_alive(still_app: FastAPI) -> None:
    house: House = still_app.state.house
    away = replace(house, engine=open_engine("sqlite:////nowhere/at/all.db"))
    missing = {"code": "not_ready", "migrated": False, "loaded": False, "index_built": True}
    assert await state_of(away) == (503, missing)


async def test_metrics_count_routes_and_no_people(still_app: FastAPI) -> None:
    app = create_app(still_app.state.house)
    async with caller(app) as client:
        await client.get("/api/v1/areas/500237?on=2026-01-01")
        await client.get("/api/v1/areas/999999")
        await client.get("/zhang-san")
        await client.request("SPY", "/")
        answer = await client.get("/metrics")
    text = answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'jiujin_http_requests_total{method="GET",route="/api/v1/areas/{code}",status="200"} 1.0' in text
    assert 'jiujin_http_requests_total{method="GET",route="/api/v1/areas/{code}",status="404"} 1.0' in text
    assert 'jiujin_http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'method="other"' in text
    assert "jiujin_index_ready 1.0" in text
    for secret in ("500237", "zhang", "SPY", "2026-01-01"):
        assert secret not in text
