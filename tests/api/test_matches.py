"""POST /match: the interface's own example, strictness, and that memory alone answers."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.api.matches import MatchAnswerOut
from app.kit.database import open_engine
from app.main import create_app
from app.wiring import House
from tests.api.conftest import caller
from tests.houses import add_posting, with_matchmaker

pytestmark = pytest.mark.anyio

EXAMPLE: dict[str, Any] = {
    "age": 58,
    "sex": "female",
    "home": {"township": "500237102"},
    "wants": ["保洁", "看大门"],
    "pay_min_yuan_month": 2500,
    "max_km": 20,
    "kinds": ["full_time", "part_time"],
    "limits": ["no_heights", "no_heavy_lifting"],
    "available_on": "2026-12-01",
    "k": 10,
}
LEAST = {"age": 58, "home": {"township": "500237102"}, "wants": ["保洁"]}


async def ask(client: httpx.AsyncClient, document: object) -> httpx.Response:
    return await client.post("/api/v1/match", json=document)


async def test_the_example_is_answered_as_documented(house: House) -> None:
    for _ in range(3):
        add_posting(house)
    async with caller(create_app(with_matchmaker(house))) as client:
        answer = await ask(client, EXAMPLE)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    MatchAnswerOut.model_validate_json(answer.content, strict=True, extra="forbid")
    guard = next(words for words in document["resolved"] if words["text"] == "看大门")
    assert (guard["occupation"], guard["name"]) == ("4-07-05-01", "保安员")
    assert [match["rank"] for match in document["matches"]] == [1, 2, 3]
    scores = [match["score"] for match in document["matches"]]
    assert scores == sorted(scores, reverse=True)
    first = document["matches"][0]
    assert first["nearness"] == "same_township"
    assert 0 <= first["distance_km"] <= 6
    assert {reason["code"] for reason in first["reasons"]} >= {"wanted_work", "near_home"}
    assert first["posting"]["pay"] == {
        "text": "2800-3200元/月",
        "unit": "month",
        "low": 2800,
        "high": 3200,
        "min_yuan_month": 2800,
        "max_yuan_month": 3200,
    }
    assert first["posting"]["place"]["area_name"] == "巫山县 大昌镇"
    assert first["posting"]["posted_at"] == "2026-12-01T09:59:00+08:00"


async def test_home_age_and_one_want_are_enough(still: httpx.AsyncClient) -> None:
    answer = await ask(still, LEAST)
    assert answer.status_code == 200
    assert len(answer.json()["matches"]) == 10


async def test_home_may_be_a_point(still: httpx.AsyncClient) -> None:
    answer = await ask(still, {**LEAST, "home": {"lon": 109.8, "lat": 31}})
    assert answer.status_code == 200
    assert answer.json()["matches"]


async def test_nothing_but_memory_answers(still_app: FastAPI) -> None:
    house: House = still_app.state.house
    away = replace(house, engine=open_engine("sqlite:////nowhere/at/all.db"))
    async with caller(create_app(away)) as client:
        assert (await client.get("/api/v1/areas")).status_code == 500
        assert (await ask(client, EXAMPLE)).status_code == 200


async def test_before_the_index_is_built_one_is_told_to_come_back(still_app: FastAPI) -> None:
    house: House = still_app.state.house
    async with caller(create_app(replace(house, matchmaker=None))) as client:
        answer = await ask(client, EXAMPLE)
    assert answer.status_code == 503
    assert answer.json()["code"] == "not_ready"
    assert int(answer.headers["retry-after"]) > 0


async def test_the_answer_is_kept_by_no_cache(still: httpx.AsyncClient) -> None:
    answer = await ask(still, LEAST)
    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("age", [14, 15])
async def test_below_working_age_nothing_is_offered_and_why_is_said(still: httpx.AsyncClient, age: int) -> None:
    answer = await ask(still, {**LEAST, "age": age})
    assert answer.status_code == 200
    document = answer.json()
    assert document["matches"] == []
    assert "under_working_age" in document["refused"]
    assert document["notes"][0]["code"] == "under_working_age"
    assert "未满16周岁" in document["notes"][0]["text"]


async def test_from_working_age_on_there_are_matches(still: httpx.AsyncClient) -> None:
    document = (await ask(still, {**LEAST, "age": 16})).json()
    assert document["matches"]
    assert document["notes"] == []


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"age": True}, "/age", "int_type"),
    ({"age": "58"}, "/age", "int_type"),
    ({"age": 58.0}, "/age", "int_type"),
    ({"age": None}, "/age", "int_type"),
    ({"age": 13}, "/age", "greater_than_equal"),
    ({"age": 101}, "/age", "less_than_equal"),
    ({"age": 2**63}, "/age", "less_than_equal"),
    ({"age": 10**30}, "/age", "less_than_equal"),
    ({"k": 0}, "/k", "greater_than_equal"),
    ({"k": 51}, "/k", "less_than_equal"),
    ({"k": False}, "/k", "int_type"),
    ({"sex": "woman"}, "/sex", "enum"),
    ({"sex": 1}, "/sex", "enum"),
    ({"home": None}, "/home", "model_type"),
    ({"home": "500237102"}, "/home", "model_type"),
    ({"home": {}}, "/home", "one_place"),
    ({"home": {"lon": 109.8}}, "/home", "one_place"),
    ({"home": {"township": "500237102", "lon": 109.8, "lat": 31.1}}, "/home", "one_place"),
    ({"home": {"township": 500237102}}, "/home/township", "string_type"),
    ({"home": {"township": "大昌镇"}}, "/home/township", "bad_area_code"),
    ({"home": {"lon": "109.8", "lat": 31.1}}, "/home/lon", "float_type"),
    ({"home": {"lon": True, "lat": 31.1}}, "/home/lon", "float_type"),
    ({"home": {"lon": 181, "lat": 31.1}}, "/home/lon", "less_than_equal"),
    ({"home": {"township": "500237102", "street": 1}}, "/home/street", "extra_forbidden"),
    ({"wants": []}, "/wants", "too_short"),
    ({"wants": "保洁"}, "/wants", "list_type"),
    ({"wants": ["保洁"] * 11}, "/wants", "too_long"),
    ({"wants": [""]}, "/wants/0", "string_too_short"),
    ({"wants": ["  "]}, "/wants/0", "string_too_short"),
    ({"wants": [7]}, "/wants/0", "string_type"),
    ({"wants": ["保洁", "看\u0000门"]}, "/wants/1", "unreadable_characters"),
    ({"wants": ["长" * 61]}, "/wants/0", "string_too_long"),
    ({"kinds": ["fulltime"]}, "/kinds/0", "enum"),
    ({"limits": ["no_stairs"]}, "/limits/0", "enum"),
    ({"max_km": 0}, "/max_km", "greater_than"),
    ({"max_km": "20"}, "/max_km", "float_type"),
    ({"max_km": 1e300}, "/max_km", "less_than_equal"),
    ({"pay_min_yuan_month": 2500.5}, "/pay_min_yuan_month", "int_type"),
    ({"pay_min_yuan_month": -1}, "/pay_min_yuan_month", "greater_than_equal"),
    ({"available_on": 1796083200}, "/available_on", "date_parsing"),
    ({"available_on": "1796083200"}, "/available_on", "date_parsing"),
    ({"available_on": "2026-02-30"}, "/available_on", "date_parsing"),
    ({"available_on": "1.12.2026"}, "/available_on", "date_parsing"),
    ({"available_on": "0001-01-01"}, "/available_on", "greater_than_equal"),
    ({"available_on": "2026-12-01T08:00:00"}, "/available_on", "date_parsing"),
    ({"home_by": 25}, "/home_by", "less_than_equal"),
    ({"name": "张三"}, "/name", "extra_forbidden"),
    ({"birth_on": "1968-01-01"}, "/birth_on", "extra_forbidden"),
]


@pytest.mark.parametrize(("change", "pointer", "code"), REFUSED, ids=[json.dumps(row[0])[:50] for row in REFUSED])
async def test_what_is_not_meant_is_not_guessed(
    still: httpx.AsyncClient, change: dict[str, Any], pointer: str, code: str
) -> None:
    answer = await ask(still, {**EXAMPLE, **change})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["code"] == "invalid"
    assert [(error["pointer"], error["code"]) for error in document["errors"]] == [(pointer, code)]
    message = document["errors"][0]["message"]
    assert any("\u4e00" <= char <= "\u9fff" for char in message), message
    assert "张三" not in answer.text


async def test_all_that_is_wrong_is_told_at_once(still: httpx.AsyncClient) -> None:
    answer = await ask(still, {"age": "58", "k": 0})
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/age", "/k", "/home", "/wants"}


async def test_a_place_that_leads_nowhere_is_named_so(still: httpx.AsyncClient) -> None:
    answer = await ask(still, {**LEAST, "home": {"township": "999999999"}})
    assert (answer.status_code, answer.json()["code"]) == (422, "area_unknown")


BROKEN = [
    b"",
    b"{",
    b"[1,",
    b'{"age": NaN}',
    b'{"age": 58, "home": {"lon": Infinity, "lat": -Infinity}, "wants": ["a"]}',
    b'{"age": 58, "wants": ["\xff\xfe"]}',
    b'{"age": 58, "wants": ["\\ud800"]}',
    b"{'age': 58}",
    b"[" * 5_000,
    b"\x00",
]
DIGITS = [b'{"age": ' + b"9" * 5_000 + b"}", b'{"age": 1e9999}', b'{"age": -0.0}']


@pytest.mark.parametrize("body", BROKEN, ids=[repr(body[:20]) for body in BROKEN])
async def test_what_is_no_json_is_a_400(still: httpx.AsyncClient, body: bytes) -> None:
    answer = await still.post("/api/v1/match", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_json")


@pytest.mark.parametrize("body", DIGITS, ids=["many digits", "beyond a double", "minus nought"])
async def test_no_number_breaks_anything(still: httpx.AsyncClient, body: bytes) -> None:
    answer = await still.post("/api/v1/match", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'"text"'])
async def test_json_that_is_no_object_is_a_422(still: httpx.AsyncClient, body: bytes) -> None:
    answer = await still.post("/api/v1/match", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "model_type"


@pytest.mark.parametrize("label", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_that_a_form_could_send_is_refused(still: httpx.AsyncClient, label: str) -> None:
    answer = await still.post(
        "/api/v1/match", content=json.dumps(LEAST).encode(), headers={"Content-Type": label} if label else {}
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "media_type_unsupported")
