"""Whatever goes wrong is told as one kind of document (RFC 9457), with a stable code and without what was sent."""

import re
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

from app.api.problems import Problem
from app.kit.database import open_engine
from app.kit.errors import Busy, TooManyRequests
from app.main import create_app
from app.wiring import House
from tests.api.conftest import caller
from tests.api.test_matches import LEAST

pytestmark = pytest.mark.anyio

Call = tuple[str, str, dict[str, Any]]

CALLS: list[tuple[Call, int, str]] = [
    (("GET", "/nowhere", {}), 404, "route_not_found"),
    (("GET", "/api/v1/nowhere", {}), 404, "route_not_found"),
    (("GET", "/api/v1/areas/", {}), 404, "route_not_found"),
    (("GET", "/docs", {}), 404, "route_not_found"),
    (("GET", "/redoc", {}), 404, "route_not_found"),
    (("DELETE", "/api/v1/areas", {}), 405, "method_not_allowed"),
    (("GET", "/api/v1/match", {}), 405, "method_not_allowed"),
    (("OPTIONS", "/api/v1/match", {}), 405, "method_not_allowed"),
    (("PUT", "/health/live", {}), 405, "method_not_allowed"),
    (("POST", "/api/v1/match", {"content": b"{", "headers": {"Content-Type": "application/json"}}), 400, "bad_json"),
    (("POST", "/api/v1/match", {"content": b"{}"}), 415, "media_type_unsupported"),
    (("POST", "/api/v1/match", {"json": {}}), 422, "invalid"),
    (("POST", "/api/v1/match", {"json": {**LEAST, "home": {"township": "119999"}}}), 422, "area_unknown"),
    (("POST", "/api/v1/match", {"json": {**LEAST, "home": {"township": "500112"}}}), 422, "area_split"),
    (("POST", "/api/v1/match", {"json": {**LEAST, "current": "500112"}}), 422, "area_split"),
    (("POST", "/api/v1/match", {"json": {**LEAST, "skills": "会" * 65_536}}), 413, "body_too_large"),
    (("GET", "/api/v1/areas/999999", {}), 404, "area_not_found"),
    (("GET", "/api/v1/areas?parent=999999", {}), 404, "area_not_found"),
    (("GET", "/api/v1/areas/50023", {}), 422, "invalid"),
    (("GET", "/api/v1/areas/%FF", {}), 422, "invalid"),
    (("GET", "/api/v1/areas?page_token=abc", {}), 422, "bad_page_token"),
    (("GET", "/api/v1/postings/2147483647", {}), 404, "posting_not_found"),
    (("GET", "/api/v1/postings/0", {}), 422, "invalid"),
    (("GET", "/api/v1/postings/abc", {}), 422, "invalid"),
    (("GET", f"/api/v1/postings/{2**63}", {}), 422, "invalid"),
    (("GET", f"/api/v1/postings/{10**400}", {}), 422, "invalid"),
    (("GET", f"/api/v1/postings/{'9' * 5_000}", {}), 422, "invalid"),
    (("GET", f"/api/v1/postings?page_size={'9' * 5_000}", {}), 422, "invalid"),
    (("GET", "/api/v1/postings?near=999999", {}), 422, "area_unknown"),
    (("GET", "/api/v1/postings?near=500112", {}), 422, "area_split"),
    (("GET", "/api/v1/postings?page_token=abc", {}), 422, "bad_page_token"),
    (("GET", "/api/v1/occupations", {}), 422, "invalid"),
    (("GET", "/api/v1/reports/NOTHERE234", {}), 404, "report_not_found"),
    (("GET", "/api/v1/feed/postings.jsonl?since=abc", {}), 422, "bad_page_token"),
]


@pytest.mark.parametrize(("call", "status", "code"), CALLS, ids=[f"{call[0]} {call[1]}"[:60] for call, _, _ in CALLS])
async def test_each_error_has_its_code(still: httpx.AsyncClient, call: Call, status: int, code: str) -> None:
    method, path, rest = call
    answer = await still.request(method, path, **rest)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = Problem.model_validate_json(answer.content)
    assert (problem.status, problem.code, problem.type) == (status, code, f"urn:jiujin:problem:{code}")
    assert re.search("[\u4e00-\u9fff]", problem.title)
    assert answer.headers["cache-control"] == "no-store"


async def test_a_code_that_several_took_over_names_them(still: httpx.AsyncClient) -> None:
    for answer in (
        await still.get("/api/v1/postings?near=500112"),
        await still.post("/api/v1/match", json={**LEAST, "home": {"township": "500112"}}),
    ):
        problem = Problem.model_validate_json(answer.content)
        assert problem.successors is not None
        assert [(each.code, each.name) for each in problem.successors] == [("500157", "两江新区"), ("500109", "北碚区")]
        assert "2025年11月6日" in (problem.detail or "")
        # Each of them can be asked for in its place.
        for each in problem.successors:
            assert (await still.get(f"/api/v1/postings?near={each.code}")).status_code == 200


async def test_a_405_names_what_is_allowed(still: httpx.AsyncClient) -> None:
    assert (await still.delete("/api/v1/areas")).headers["allow"] == "GET"
    assert (await still.get("/api/v1/match")).headers["allow"] == "POST"
    # Two routes of one path.
    assert (await still.put("/api/v1/auth/sessions")).headers["allow"] == "GET, DELETE"


QUERIES = [
    ("/api/v1/areas?page_size=0", "page_size", "greater_than_equal"),
    ("/api/v1/areas?page_size=101", "page_size", "less_than_equal"),
    ("/api/v1/areas?page_size=false", "page_size", "int_parsing"),
    ("/api/v1/areas?page_size=1e1", "page_size", "int_parsing"),
    ("/api/v1/areas?page_size=10.0", "page_size", "int_parsing"),
    ("/api/v1/areas?page_size=%201", "page_size", "int_parsing"),
    ("/api/v1/areas?page_size=1_0", "page_size", "int_parsing"),
    ("/api/v1/areas?page_size=", "page_size", "int_parsing"),
    ("/api/v1/areas?page_size=" + "9" * 30, "page_size", "int_parsing"),
    ("/api/v1/areas?on=1.12.2026", "on", "date_parsing"),
    ("/api/v1/areas?on=1796083200", "on", "date_parsing"),
    ("/api/v1/areas?on=0001-01-01", "on", "greater_than_equal"),
    ("/api/v1/areas?parent=巫山县", "parent", "bad_area_code"),
    ("/api/v1/postings?radius_km=20", "radius_km", "needs_near"),
    ("/api/v1/postings?near=500237&radius_km=0", "radius_km", "greater_than"),
    ("/api/v1/postings?near=500237&radius_km=nan", "radius_km", "float_parsing"),
    ("/api/v1/postings?near=500237&radius_km=inf", "radius_km", "float_parsing"),
    ("/api/v1/postings?near=500237&radius_km=1e3", "radius_km", "float_parsing"),
    ("/api/v1/postings?near=109.8", "near", "bad_place"),
    ("/api/v1/postings?near=200,31", "near", "bad_place"),
    ("/api/v1/postings?near=nan,nan", "near", "bad_place"),
    ("/api/v1/postings?kind=fulltime", "kind.0", "enum"),
    ("/api/v1/postings?occupation=保安", "occupation", "bad_occupation_code"),
    ("/api/v1/postings?q=%00", "q", "unreadable_characters"),
    ("/api/v1/postings?q=%FF%FE", "q", "unreadable_characters"),
    ("/api/v1/postings?q=" + "长" * 61, "q", "string_too_long"),
    ("/api/v1/postings?page_token=" + "a" * 501, "page_token", "string_too_long"),
    ("/api/v1/occupations?q=", "q", "string_too_short"),
]


@pytest.mark.parametrize(("path", "field", "code"), QUERIES, ids=[path[8:60] for path, _, _ in QUERIES])
async def test_parameters_have_one_spelling(still: httpx.AsyncClient, path: str, field: str, code: str) -> None:
    answer = await still.get(path)
    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert (error["field"], error["code"]) == (field, code)
    assert error["pointer"] == "/" + field.replace(".", "/")
    assert re.search("[\u4e00-\u9fff]", error["message"])


EMPTY = "/api/v1/postings?near=500237102&radius_km=20&q=&kind=&occupation=&page_token="


@pytest.mark.parametrize(
    "path",
    [
        EMPTY,
        "/api/v1/postings?near=&radius_km=&q=&kind=&occupation=&page_token=",
        "/api/v1/areas?parent=&on=&page_token=",
        "/api/v1/areas/500237?on=",
        "/api/v1/feed/postings.jsonl?since=",
    ],
)
async def test_an_empty_parameter_is_one_left_out(still: httpx.AsyncClient, path: str) -> None:
    assert (await still.get(path)).status_code == 200


async def test_a_reader_with_a_browser_gets_a_page(still: httpx.AsyncClient) -> None:
    answer = await still.get("/nowhere", headers={"Accept": "text/html,*/*"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    under_api = await still.get("/api/v1/nowhere", headers={"Accept": "text/html,*/*"})
    assert under_api.headers["content-type"] == "application/problem+json"


async def test_what_nobody_foresaw_is_a_500_that_tells_nothing(
    still_app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    house: House = still_app.state.house
    away = replace(house, engine=open_engine("sqlite:////nowhere/at/all.db"))
    async with caller(create_app(away)) as client:
        answer = await client.get("/api/v1/areas/500237?on=2026-01-01")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "sqlite" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    records = [record for record in caplog.records if record.name == "jiujin.api"]
    assert len(records) == 1
    assert records[0].exc_info is not None
    assert isinstance(records[0].exc_info[1], OperationalError)
    assert "500237" not in records[0].getMessage()


@pytest.mark.parametrize(("fault", "status"), [(Busy(retry_after_s=3), 503), (TooManyRequests(retry_after_s=3), 429)])
async def test_what_passes_says_when_to_come_back(
    still_app: FastAPI, monkeypatch: pytest.MonkeyPatch, fault: Exception, status: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr("app.api.areas.load_area", refuse)
    async with caller(still_app) as client:
        answer = await client.get("/api/v1/areas/500237")
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "3")
    assert answer.headers["content-type"] == "application/problem+json"
