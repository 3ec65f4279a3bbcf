"""Errors as programs read them: one `application/problem+json` document (RFC 9457) for whatever goes wrong.

A code is a promise: once released it is never renamed. What the client sent is never repeated in an answer, because
answers end up in logs and screenshots.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.kit.errors import Fault, FieldFault, Invalid, NotFound

MEDIA_TYPE = "application/problem+json"


class BadJson(Fault):
    """The body is not JSON (RFC 8259): broken syntax, not UTF-8, or with NaN or Infinity."""

    status = 400
    code = "bad_json"
    title = "请求内容不是有效的 JSON"


class BadRequest(Fault):
    """The request cannot be read."""

    status = 400
    code = "bad_request"
    title = "请求格式不对"


class RouteNotFound(NotFound):
    """No route has this path."""

    code = "route_not_found"
    title = "没有这个地址"


class MethodNotAllowed(Fault):
    """The route exists, but not for this method; `Allow` names those it has."""

    status = 405
    code = "method_not_allowed"
    title = "这个地址不支持这种请求方式"


class BodyTooLarge(Fault):
    """The body is larger than anything this service takes."""

    status = 413
    code = "body_too_large"
    title = "请求内容太大"


class MediaTypeUnsupported(Fault):
    """The body is not labelled as JSON."""

    status = 415
    code = "media_type_unsupported"
    title = "请求内容要用 application/json"


class Internal(Fault):
    """Something broke here. What, stands in the log and nowhere else."""

    status = 500
    code = "internal"
    title = "服务器内部出错，请稍后再试"


_BY_STATUS: dict[int, type[Fault]] = {
    400: BadRequest,
    404: RouteNotFound,
    405: MethodNotAllowed,
    413: BodyTooLarge,
    415: MediaTypeUnsupported,
}


# --- answers ----------------------------------------------------------------------------------------------------------


def problem_answer(fault: Fault, *, headers: Mapping[str, str] | None = None) -> Response:
    """The problem document of a fault. Each entry of `errors` gets a JSON Pointer (RFC 6901) beside its field."""
    document = fault.problem()
    for error in document.get("errors", ()):
        error.setdefault("pointer", "/" + error["field"].replace(".", "/"))
    return Response(
        orjson.dumps(document),
        fault.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **fault.headers, **(headers or {})},
    )


def fault_of(error: Exception) -> Fault:
    """What a caught exception means to the client."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, RequestValidationError):
        return invalid(error.errors())
    if isinstance(error, HTTPException):
        kind = _BY_STATUS.get(error.status_code)
        return kind() if kind else Internal() if error.status_code >= 500 else BadRequest()
    return Internal()


def extra_headers(error: Exception) -> dict[str, str]:
    """Headers that the framework wants on its own errors, such as `Allow` on a 405."""
    return dict(error.headers or {}) if isinstance(error, HTTPException) else {}


def answer_problem(_: Request, error: Exception) -> Response:
    """Exception handler: any error as a problem document."""
    return problem_answer(fault_of(error), headers=extra_headers(error))


# --- what is wrong with a field ---------------------------------------------------------------------------------------


_MESSAGES = {
    "missing": "缺少这一项",
    "extra_forbidden": "没有这一项，请检查写法",
    "int_type": "要填整数，不加引号、不带小数",
    "int_parsing": "要填整数",
    "int_from_float": "要填整数，不带小数",
    "int_parsing_size": "数字太大",
    "float_type": "要填数字",
    "float_parsing": "要填数字",
    "finite_number": "要填有限的数字",
    "bool_type": "要填 true 或 false",
    "string_type": "要填文字",
    "string_too_short": "至少 {min_length} 个字",
    "string_too_long": "最多 {max_length} 个字",
    "string_pattern_mismatch": "格式不对",
    "string_unicode": "文字不是有效的 UTF-8",
    "list_type": "要填列表",
    "frozen_set_type": "要填列表",
    "too_short": "至少 {min_length} 项",
    "too_long": "最多 {max_length} 项",
    "greater_than": "要大于 {gt}",
    "greater_than_equal": "不能小于 {ge}",
    "less_than": "要小于 {lt}",
    "less_than_equal": "不能大于 {le}",
    "date_type": "要写成 2026-12-01 这样的日期",
    "date_parsing": "要写成 2026-12-01 这样的日期",
    "date_from_datetime_parsing": "要写成 2026-12-01 这样的日期",
    "date_from_datetime_inexact": "只写日期，不写时间",
    "model_type": "要填 JSON 对象",
    "model_attributes_type": "要填 JSON 对象",
}
_WHERE = ("body", "query", "path", "header", "cookie")


def invalid(errors: Iterable[Mapping[str, Any]]) -> Invalid:
    """The 422 fault for pydantic's errors: for each where, which rule, and what to do in Chinese."""
    fields = []
    for error in errors:
        place = [str(part) for part in error["loc"]]
        if place and place[0] in _WHERE:
            place = place[1:]
        fields.append(FieldFault(".".join(place) or "body", str(error["type"]), _message_of(error)))
    return Invalid(fields=fields)


def bad_body(error: ValidationError) -> Fault:
    """What pydantic found in a JSON body: not JSON at all, or JSON with wrong fields."""
    found = error.errors(include_url=False, include_input=False)
    if any(item["type"] == "json_invalid" for item in found):
        return BadJson()
    return invalid(found)


def refusal(code: str, message: str) -> PydanticCustomError:
    """What our own checks of a field raise: a stable code and what to do, in Chinese."""
    return PydanticCustomError(code, "{told}", {"told": message})


def _message_of(error: Mapping[str, Any]) -> str:
    kind, limits = str(error["type"]), error.get("ctx", {})
    if kind == "enum":
        return f"只能是 {str(limits['expected']).replace(' or ', '、')}"
    if "told" in limits:
        return str(limits["told"])
    template = _MESSAGES.get(kind)
    return template.format(**limits) if template else "填写的内容不对"


# --- documentation ----------------------------------------------------------------------------------------------------


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    model_config = ConfigDict(extra="forbid")

    pointer: str = Field(description="JSON Pointer (RFC 6901) to the field; for parameters the name behind a slash")
    field: str
    code: str
    message: str = Field(description="what to do, in Chinese")


class Successor(BaseModel):
    """An area that took over part of one that ended."""

    model_config = ConfigDict(extra="forbid")

    code: str
    name: str


class Problem(BaseModel):
    """An error (RFC 9457). `code` is stable; `title`, `detail` and `message` are Chinese and may be reworded."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None
    errors: list[FieldProblem] | None = None
    successors: list[Successor] | None = Field(
        default=None, description="with `area_split`: the areas of today to choose from, who took most first"
    )


Responses = dict[int | str, dict[str, Any]]


def declares(*faults: type[Fault]) -> Responses:
    """OpenAPI responses for the faults that a route can answer with; `internal` is added by itself."""
    every: tuple[type[Fault], ...] = (*faults, Internal)
    found: dict[int, list[type[Fault]]] = {}
    for fault in every:
        found.setdefault(fault.status, []).append(fault)
    return {
        status: {
            "description": "；".join(f"{fault.title}（{fault.code}）" for fault in kinds),
            "content": {
                MEDIA_TYPE: {
                    "schema": {
                        "allOf": [
                            {"$ref": "#/components/schemas/Problem"},
                            {"properties": {"code": {"enum": sorted({fault.code for fault in kinds})}}},
                        ]
                    }
                }
            },
        }
        for status, kinds in sorted(found.items())
    }
