"""The OpenAPI 3.1 document of the API and the health operations.

Bodies are read past FastAPI (see `bodies`) and problems are documented by reference, so their schemas are added here.
"""

from typing import Any

import orjson
from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import Response

from app.api.accounts import AccountMade, PostHeld
from app.api.answers import public_bytes
from app.api.auth import CodeAsked, CodeTyped, FactorShown, SetupDone, SharerChosen, StaffLogin
from app.api.feed import ClosedOut
from app.api.grants import GlassBroken
from app.api.kiosks import Beat, KioskMade, StayAsked
from app.api.matches import MatchProfile
from app.api.me import ConsentsChanged, ProfileChanged, PushAnswered, SettingsChanged
from app.api.postings import Report
from app.api.problems import Problem
from app.api.workers import UnmaskAsked
from app.domain.permissions import Action, permits

router = APIRouter()

_ADDED: tuple[type[BaseModel], ...] = (
    Problem,
    MatchProfile,
    Report,
    ClosedOut,
    CodeAsked,
    CodeTyped,
    SharerChosen,
    StaffLogin,
    FactorShown,
    SetupDone,
    AccountMade,
    PostHeld,
    KioskMade,
    Beat,
    StayAsked,
    UnmaskAsked,
    GlassBroken,
    ProfileChanged,
    SettingsChanged,
    PushAnswered,
    ConsentsChanged,
)
_ABOUT = (
    "重庆农民工就近就业服务的公开接口。所有错误都是 application/problem+json（RFC 9457），`code` 固定不变；"
    "时间带时区（RFC 3339），金额为元并写明单位，坐标为 WGS-84。"
)


def describe(app: FastAPI) -> dict[str, Any]:
    """The document, made once for an application."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
        _, added = models_json_schema(
            [(model, "validation") for model in _ADDED], ref_template="#/components/schemas/{model}"
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for name, schema in added["$defs"].items():
            schemas.setdefault(name, schema)
        app.openapi_schema = document
    return app.openapi_schema


@router.get("/openapi.json", include_in_schema=False)
@permits(Action.READ_SCHEMA)
async def show_schema(request: Request) -> Response:
    """The document of this application."""
    app: FastAPI = request.app
    return public_bytes(request, orjson.dumps(describe(app)), max_age_s=300)
