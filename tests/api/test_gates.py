"""What every request passes: size, HEAD, headers, compression, and logs that hold no query."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from app.api.gates import LARGEST_BODY_BYTES
from app.main import create_app
from app.wiring import House
from tests.api.conftest import caller
from tests.api.test_matches import LEAST

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}


async def in_chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1_000):
        yield b" " * 1_000


async def test_a_body_without_a_label_is_measured_as_it_comes(still: httpx.AsyncClient) -> None:
    answer = await still.post("/api/v1/match", content=in_chunks(LARGEST_BODY_BYTES + 2_000), headers=JSON)
    assert "content-length" not in answer.request.headers
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_body_of_the_largest_size_is_read(still: httpx.AsyncClient) -> None:
    answer = await still.post("/api/v1/match", content=b" " * LARGEST_BODY_BYTES, headers=JSON)
    assert answer.json()["code"] == "bad_json"
    answer = await still.post("/api/v1/match", content=b" " * (LARGEST_BODY_BYTES + 1), headers=JSON)
    assert answer.json()["code"] == "body_too_large"


@pytest.mark.parametrize("label", ["-1", "many", "１２", "9" * 5_000], ids=lambda label: label[:9])
async def test_a_label_that_is_no_number_is_refused(still: httpx.AsyncClient, label: str) -> None:
    answer = await still.post(
        "/api/v1/match",
        content=b"{}",
        headers=[(b"content-type", b"application/json"), (b"content-length", label.encode())],
    )
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/api/v1/areas", "/api/v1/postings/1", "/health/live", "/openapi.json", "/"])
async def test_head_is_get_without_the_content(still: httpx.AsyncClient, path: str) -> None:
    plain = {"Accept-Encoding": "identity"}
    head, get = await still.head(path, headers=plain), await still.get(path, headers=plain)
    assert head.status_code == get.status_code
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.content))
    assert head.headers.get("etag") == get.headers.get("etag")


async def test_no_content_is_sent_on_a_head(still_app: FastAPI) -> None:
    """Below any client, which would drop the content by itself."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "HEAD", "path": "/health/live", "raw_path": b"/health/live", "headers": []}
    await still_app({**scope, "query_string": b"", "scheme": "http", "server": ("test", 80)}, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert (sent[0]["status"], sent[1]["body"]) == (200, b"")


async def test_head_of_a_route_that_only_posts_is_a_405(still: httpx.AsyncClient) -> None:
    answer = await still.head("/api/v1/match")
    assert (answer.status_code, answer.content) == (405, b"")


@pytest.mark.parametrize("path", ["/api/v1/areas", "/api/v1/nowhere", "/health/live", "/metrics"])
async def test_data_is_nothing_to_run(still: httpx.AsyncClient, path: str) -> None:
    headers = (await still.get(path)).headers
    assert (
        headers["content-security-policy"]
        == "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in headers


async def test_behind_https_browsers_are_told_to_stay_there(still_app: FastAPI) -> None:
    house: House = still_app.state.house
    settings = house.settings.model_copy(update={"public_url": "https://job.example.gov.cn"})
    async with caller(create_app(replace(house, settings=settings))) as client:
        assert "max-age" in (await client.get("/health/live")).headers["strict-transport-security"]


async def test_large_answers_are_compressed_for_who_can_read_it(still: httpx.AsyncClient) -> None:
    packed = await still.get("/api/v1/areas", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["vary"]
    plain = await still.get("/api/v1/areas", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert packed.headers["etag"] == plain.headers["etag"]


async def test_public_reads_may_come_from_any_page_and_nothing_else(still: httpx.AsyncClient) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    public = ["/api/v1/areas", "/api/v1/areas/500237", "/api/v1/occupations?q=保洁", "/api/v1/postings"]
    for path in (*public, "/api/v1/postings/1", "/api/v1/feed/postings.jsonl", "/openapi.json"):
        assert (await still.get(path, headers=origin)).headers["access-control-allow-origin"] == "*", path
    for path in ("/", "/health/ready", "/metrics"):
        assert "access-control-allow-origin" not in (await still.get(path, headers=origin)).headers, path
    answer = await still.post("/api/v1/match", json=LEAST, headers=origin)
    assert "access-control-allow-origin" not in answer.headers
    asked_first = await still.options("/api/v1/match", headers={**origin, "Access-Control-Request-Method": "POST"})
    assert "access-control-allow-origin" not in asked_first.headers


async def test_logs_name_the_route_and_neither_query_nor_path(
    still: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await still.get("/api/v1/occupations?q=看大门")
    await still.get("/api/v1/postings?near=109.81,31.21&q=13812345678")
    await still.get("/api/v1/reports/SECRETCODE")
    await still.get("/somebodys-secret-token")
    lines = [record.getMessage() for record in caplog.records if record.name == "jiujin.access"]
    assert lines == [
        "GET /api/v1/occupations 200",
        "GET /api/v1/postings 200",
        "GET /api/v1/reports/{code} 404",
        "GET /… 404",
    ]
    everything = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))
    for secret in ("看大门", "109.81", "13812345678", "SECRETCODE", "somebodys"):
        assert secret not in everything
