"""The OpenAPI document: valid, whole, and true to the application."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.openapi.models import OpenAPI

from app.api.matches import MatchProfile
from tests.api.test_matches import EXAMPLE
from tests.api.test_problems import CALLS

pytestmark = pytest.mark.anyio

OPERATIONS = {
    ("get", "/api/v1/areas"),
    ("get", "/api/v1/areas/{code}"),
    ("get", "/api/v1/occupations"),
    ("get", "/api/v1/postings"),
    ("get", "/api/v1/postings/{posting_id}"),
    ("post", "/api/v1/postings/{posting_id}/reports"),
    ("get", "/api/v1/reports/{code}"),
    ("post", "/api/v1/match"),
    ("get", "/api/v1/feed/postings.jsonl"),
    ("get", "/api/v1/callbacks/{channel}"),
    ("get", "/api/v1/callbacks/{channel}/{secret}"),
    ("post", "/api/v1/callbacks/{channel}"),
    ("post", "/api/v1/callbacks/{channel}/{secret}"),
    ("post", "/api/v1/auth/otp"),
    ("post", "/api/v1/auth/otp/verify"),
    ("post", "/api/v1/auth/otp/choose"),
    ("post", "/api/v1/auth/staff"),
    ("post", "/api/v1/auth/factor"),
    ("post", "/api/v1/auth/setup/begin"),
    ("post", "/api/v1/auth/setup/finish"),
    ("get", "/api/v1/auth/sessions"),
    ("delete", "/api/v1/auth/sessions"),
    ("delete", "/api/v1/auth/sessions/{session_id}"),
    ("get", "/api/v1/me"),
    ("put", "/api/v1/me"),
    ("delete", "/api/v1/me"),
    ("get", "/api/v1/me/settings"),
    ("put", "/api/v1/me/settings"),
    ("get", "/api/v1/me/matches"),
    ("get", "/api/v1/me/pushes"),
    ("post", "/api/v1/me/pushes/{push_id}/answer"),
    ("get", "/api/v1/me/consents"),
    ("put", "/api/v1/me/consents"),
    ("get", "/api/v1/me/accesses"),
    ("get", "/api/v1/me/export"),
    ("get", "/api/v1/staff/accounts"),
    ("post", "/api/v1/staff/accounts"),
    ("put", "/api/v1/staff/accounts/{code}/post"),
    ("post", "/api/v1/staff/accounts/{code}/reset"),
    ("post", "/api/v1/staff/accounts/{code}/disable"),
    ("get", "/api/v1/staff/kiosks"),
    ("post", "/api/v1/staff/kiosks"),
    ("post", "/api/v1/staff/kiosks/{code}/key"),
    ("post", "/api/v1/staff/kiosks/{code}/revoke"),
    ("post", "/api/v1/kiosk/heartbeat"),
    ("post", "/api/v1/kiosk/sessions"),
    ("delete", "/api/v1/kiosk/sessions"),
    ("get", "/api/v1/staff/workers"),
    ("get", "/api/v1/staff/workers/{worker_id}"),
    ("post", "/api/v1/staff/workers/{worker_id}/identity"),
    ("get", "/api/v1/staff/grants"),
    ("post", "/api/v1/staff/grants"),
    ("get", "/api/v1/staff/audit"),
    ("get", "/api/v1/staff/audit/anomalies"),
    ("get", "/api/v1/staff/due"),
    ("get", "/health/live"),
    ("get", "/health/ready"),
}


@pytest.fixture
async def document(still: httpx.AsyncClient) -> dict[str, Any]:
    answer = await still.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    schema: dict[str, Any] = answer.json()
    return schema


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


async def test_it_is_an_openapi_3_1_document(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    OpenAPI.model_validate(document)
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))


async def test_it_holds_the_interface_and_health_and_no_page(document: dict[str, Any]) -> None:
    assert {(method, path) for method, path, _ in operations(document)} == OPERATIONS


async def test_each_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert "#/components/schemas/Problem" in found
    for reference in found:
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


async def test_each_operation_declares_its_errors(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        errors = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert "500" in errors, (method, path)
        for status, answer in errors.items():
            assert list(answer["content"]) == ["application/problem+json"], (method, path, status)
            assert answer["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"]


async def test_who_took_over_a_split_area_is_described(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert "successors" in schemas["Problem"]["properties"]
    assert set(schemas["Successor"]["required"]) == {"code", "name"}


async def test_what_is_answered_is_declared(document: dict[str, Any]) -> None:
    """Each error of the table of errors stands at its operation, with its code."""
    declared = {
        (method.upper(), path): {
            (int(status), code)
            for status, answer in operation["responses"].items()
            if status >= "400"
            for code in answer["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"][
                "enum"
            ]
        }
        for method, path, operation in operations(document)
    }
    seen = set()
    for (method, path, _), status, code in CALLS:
        bare = path.partition("?")[0]
        for declared_method, template in declared:
            prefix = template.partition("{")[0]
            matches = bare == template or ("{" in template and bare.startswith(prefix) and bare != prefix)
            if (method, matches) == (declared_method, True) and "/reports" not in bare.removeprefix("/api/v1/reports"):
                assert (status, code) in declared[method, template], (method, path, status, code)
                seen.add(template)
    assert len(seen) >= 6


async def test_the_example_is_the_interface_s_own(document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["MatchProfile"]
    assert schema["examples"] == [EXAMPLE]
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"age", "home", "wants"}
    MatchProfile.model_validate(EXAMPLE, strict=False)


async def test_no_page_loads_scripts_from_elsewhere(still_app: FastAPI) -> None:
    assert still_app.docs_url is None
    assert still_app.redoc_url is None
