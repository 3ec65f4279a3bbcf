"""No input, however odd, makes the service fail: it is answered, or refused with a problem document.

Whatever reaches the database is asked of both: SQLite takes a NUL and a number of any size, PostgreSQL does not.
"""

import base64
import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.kit.page_tokens import write_page_token
from app.wiring import House
from tests.api.test_matches import EXAMPLE
from tests.houses import add_posting

pytestmark = pytest.mark.anyio

# The client is asked for by name and changes nothing; the machine may be slow.
EVERY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

ODD_TEXT = st.text(max_size=30) | st.sampled_from(
    ["", "0", "-1", "nan", "inf", "1e400", "null", "'", "%", "\u0000", "9" * 40, "9" * 5_000]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ODD_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ODD_TEXT, inner, max_size=4),
    max_leaves=8,
)
INT64 = st.integers(-(2**63), 2**63 - 1)
TOKEN = (
    ODD_TEXT
    | st.binary(max_size=30).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
    | st.tuples(ODD_TEXT, ODD_TEXT).map(lambda two: base64.urlsafe_b64encode(".".join(two).encode()).decode())
    | st.tuples(INT64, INT64, st.sampled_from(["feed", "postings"])).map(
        lambda three: write_page_token(three[0], three[1], of=three[2])
    )
    | ODD_TEXT.map(lambda text: write_page_token(text, of="areas"))
)
NUMBER = st.one_of(st.integers(), st.floats()).map(str) | ODD_TEXT
PLACE = st.tuples(st.floats(-180, 180), st.floats(-90, 90)).map(lambda two: f"{two[0]:.6f},{two[1]:.6f}") | ODD_TEXT


SOME_ID = st.integers(0, 10**12).map(str)


def is_answered(answer: httpx.Response) -> bool:
    """Whether it was answered or refused in the one way that there is for it."""
    if answer.status_code < 400:
        return True
    return answer.status_code < 500 and answer.headers["content-type"] == "application/problem+json"


@EVERY
@given(
    change=st.dictionaries(st.sampled_from(sorted(EXAMPLE)), JSON, max_size=3),
    more=st.dictionaries(ODD_TEXT, JSON, max_size=1),
)
async def test_any_profile(still: httpx.AsyncClient, change: dict[str, Any], more: dict[str, Any]) -> None:
    document = {**EXAMPLE, **change, **more}
    answer = await still.post("/api/v1/match", content=_written(document), headers={"Content-Type": "application/json"})
    assert is_answered(answer), answer.text


@EVERY
@given(
    age=st.integers(14, 100),
    lon=st.floats(-180, 180),
    lat=st.floats(-90, 90),
    km=st.floats(0.001, 2_000),
    k=st.integers(1, 50),
)
async def test_any_lawful_profile_is_ranked(
    still: httpx.AsyncClient, age: int, lon: float, lat: float, km: float, k: int
) -> None:
    document = {**EXAMPLE, "age": age, "home": {"lon": lon, "lat": lat}, "max_km": km, "k": k}
    answer = await still.post("/api/v1/match", json=document)
    assert answer.status_code == 200, answer.text
    scores = [match["score"] for match in answer.json()["matches"]]
    assert len(scores) <= k
    assert scores == sorted(scores, reverse=True)


@EVERY
@given(body=st.binary(max_size=200))
async def test_any_bytes(still: httpx.AsyncClient, body: bytes) -> None:
    answer = await still.post("/api/v1/match", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)


@EVERY
@given(
    path=st.sampled_from(
        [
            "/api/v1/areas",
            "/api/v1/areas/500237",
            "/api/v1/occupations",
            "/api/v1/postings",
            "/api/v1/postings/1",
            "/api/v1/feed/postings.jsonl",
            "/jobs",
            "/reports",
        ]
    ),
    given_parameters=st.fixed_dictionaries(
        {},
        optional={
            "parent": ODD_TEXT,
            "on": ODD_TEXT,
            "q": ODD_TEXT,
            "near": PLACE,
            "radius_km": NUMBER,
            "kind": ODD_TEXT,
            "occupation": ODD_TEXT,
            "page_token": TOKEN,
            "page_size": NUMBER,
            "since": TOKEN,
            "km": NUMBER,
            "show": NUMBER,
            "code": ODD_TEXT,
        },
    ),
)
async def test_any_query(still_on_each: httpx.AsyncClient, path: str, given_parameters: dict[str, str]) -> None:
    answer = await still_on_each.get(path, params=_encodable(given_parameters))
    assert is_answered(answer), (path, given_parameters, answer.text)


@EVERY
@given(token=TOKEN)
@example(token=write_page_token("\u0000", of="areas"))
async def test_any_page_token(still_on_each: httpx.AsyncClient, token: str) -> None:
    for path in ("areas", "postings"):
        answer = await still_on_each.get(f"/api/v1/{path}", params={"page_token": _plain(token)})
        assert is_answered(answer), (path, token, answer.text)


@EVERY
@given(
    path=st.sampled_from(
        [
            *("/api/v1/areas/{}", "/api/v1/postings/{}", "/api/v1/reports/{}", "/api/v1/{}"),
            *("/jobs/{}", "/jobs/{}/reports", "/reports/{}", "/find/{}", "/static/{}", "/{}"),
        ]
    ),
    segment=ODD_TEXT | SOME_ID,
)
async def test_any_path(still_on_each: httpx.AsyncClient, path: str, segment: str) -> None:
    answer = await still_on_each.get(path.format(_quoted(segment)))
    assert is_answered(answer), answer.text


@EVERY
@given(
    segment=ODD_TEXT | SOME_ID,
    words=ODD_TEXT,
    reason=st.sampled_from(["fees", "age", ""]),
    key=st.none() | st.text(st.characters(max_codepoint=255), max_size=120),
)
async def test_any_report(
    client: httpx.AsyncClient, house: House, segment: str, words: str, reason: str, key: str | None
) -> None:
    headers = {} if key is None else {b"Idempotency-Key": key.encode("latin-1")}
    for posting in (_quoted(segment), add_posting(house)):
        body = _written({"reason": reason, "words": words})
        told = await client.post(
            f"/api/v1/postings/{posting}/reports",
            content=body,
            headers={b"Content-Type": b"application/json", **headers},
        )
        assert is_answered(told), told.text
        sent = await client.post(f"/jobs/{posting}/reports", data={"reason": reason, "words": _plain(words)})
        assert sent.status_code < 500, sent.text


def _quoted(text: str) -> str:
    """A text as one segment of a path."""
    return quote(_plain(text), safe="")


def _plain(text: str) -> str:
    """Without lone surrogates, which no client can send."""
    return text.encode("utf-8", "replace").decode()


def _encodable(parameters: dict[str, str]) -> dict[str, str]:
    return {name: _plain(value) for name, value in parameters.items()}


def _written(document: object) -> bytes:
    """As Python writes it, NaN and Infinity included."""
    return json.dumps(document).encode("utf-8", "replace")
