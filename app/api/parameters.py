"""Types of parameters and fields that several routes take, each as strict as it can be told.

A query string only knows text, and FastAPI's own reading of it is generous (`1e3`, ` 7 `, a date as a number of
seconds); what stands here takes one spelling. An empty parameter counts as not given.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from typing import Annotated, Any

from annotated_types import GroupedMetadata
from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_before_validator_function

from app.api.problems import refusal
from app.domain.areas import AREA_CODE_PATTERN, is_area_code
from app.kit.database import HIGHEST_ID
from app.kit.errors import FieldFault, Invalid

EARLIEST_DAY, LATEST_DAY = date(1949, 10, 1), date(2100, 12, 31)
LARGEST_PAGE = 100

_OCCUPATION = r"\d-\d{2}-\d{2}-\d{2}"


def _spelled(pattern: str, code: str, message: str) -> Callable[[Any], Any]:
    compiled = re.compile(pattern, re.ASCII)

    def check(value: Any) -> Any:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise refusal(code, message)
        return value

    return check


def _read_day(value: Any) -> date:
    # One spelling of the several that ISO 8601 and pydantic know; never a number of seconds.
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise refusal("date_parsing", "要写成 2026-12-01 这样的日期")


class _EmptyIsNone:
    """`?q=` says as much as leaving it out. Stands beside a type that may be None."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_before_validator_function(lambda value: None if value == "" else value, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """As in a query string, which knows no null: the empty text."""
        told = handler(schema)
        empty: JsonSchemaValue = {"type": "string", "maxLength": 0}
        return {**told, "anyOf": [empty if each == {"type": "null"} else each for each in told["anyOf"]]}


EmptyIsNone = _EmptyIsNone()


def without_empty(values: Any) -> Any:
    """As `EmptyIsNone`, for a parameter that may stand several times."""
    return [value for value in values if value != ""] if isinstance(values, list) else values


def _readable(text: str) -> str:
    # U+FFFD is what a server makes of bytes that are no UTF-8; control characters are no words, and PostgreSQL keeps
    # no NUL. Tabs and line ends are fine.
    if "\ufffd" in text or any(unicodedata.category(char) in ("Cc", "Cs") and char not in "\t\r\n" for char in text):
        raise refusal("unreadable_characters", "含有不能显示的字符")
    return text


# --- for query strings and paths --------------------------------------------------------------------------------------

_WholeText = _spelled(r"\d{1,18}", "int_parsing", "要填整数")
_DecimalText = _spelled(r"\d{1,9}(?:\.\d{1,9})?", "float_parsing", "要填数字，如 20 或 2.5")

# Limits stand before the reading of text: behind it the document would not tell them.
_Kilometres = Annotated[
    float,
    Field(gt=0, le=2_000),
    BeforeValidator(_DecimalText),
    # More than nothing and no more than 2,000, in plain digits.
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(?:0\.[0-9]{0,8}[1-9]|1?[1-9][0-9]{0,2}(?:\.[0-9]{1,9})?|2000)$",
            "examples": ["20", "2.5"],
        }
    ),
]
Day = Annotated[
    date,
    Field(ge=EARLIEST_DAY, le=LATEST_DAY),
    BeforeValidator(_read_day),
    WithJsonSchema({"type": "string", "format": "day"}),
]

RadiusKm = Annotated[_Kilometres | None, EmptyIsNone, Query()]
PageSize = Annotated[
    int,
    Field(ge=1, le=LARGEST_PAGE),
    BeforeValidator(_WholeText),
    Query(description="how many items a page may have, 100 at most"),
]
# Limits stand inside the union: on its outside pydantic would measure None and fail.
PageToken = Annotated[
    Annotated[str, Field(max_length=500, json_schema_extra={"format": "page-token"})] | None,
    EmptyIsNone,
    Query(description="`next_page_token` of the page before; opaque"),
]
Id = Annotated[int, Field(ge=1, le=HIGHEST_ID), BeforeValidator(_WholeText), Path()]
PostingId = Id

# --- for bodies, too --------------------------------------------------------------------------------------------------

# The categories Cc but for tabs and line ends, and U+FFFD; halves of surrogate pairs are no text in JSON at all.
_SHOWN = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffd]*$"


class _Readable(GroupedMetadata):
    """For text; stands behind the limits of length, or pydantic counts characters as items."""

    def __iter__(self) -> Iterator[object]:
        yield AfterValidator(_readable)
        yield Field(json_schema_extra={"pattern": _SHOWN})


Readable = _Readable()

AreaCode = Annotated[
    str,
    AfterValidator(_spelled(AREA_CODE_PATTERN, "bad_area_code", "要填 6 位的区县代码或 9 位的乡镇街道代码")),
    Field(json_schema_extra={"pattern": f"^{AREA_CODE_PATTERN}$", "examples": ["500237102"]}),
]
OccupationCode = Annotated[
    str,
    AfterValidator(_spelled(_OCCUPATION, "bad_occupation_code", "要填职业大典的编码，如 4-07-05-01")),
    Field(json_schema_extra={"pattern": f"^{_OCCUPATION}$", "examples": ["4-07-05-01"]}),
]


# An area's code, or longitude and latitude within their limits.
_PLACE = rf"^(?:{AREA_CODE_PATTERN}|-?(?:180|1[0-7]\d|\d{{1,2}})(?:\.\d{{1,9}})?,-?(?:90|[0-8]?\d)(?:\.\d{{1,9}})?)$"

Near = Annotated[
    Annotated[str, Field(max_length=40, json_schema_extra={"pattern": _PLACE})] | None,
    EmptyIsNone,
    Query(
        description="an area's code, or longitude and latitude in degrees WGS-84",
        examples=["500237102", "109.88,31.08"],
    ),
]
_POINT = re.compile(r"(-?\d{1,3}(?:\.\d{1,9})?),(-?\d{1,2}(?:\.\d{1,9})?)", re.ASCII)


def place_of(near: str | None) -> str | tuple[float, float] | None:
    """What `near` names: an area's code, a point (lon, lat) or nothing.

    Raises:
        Invalid: neither a code nor a point on the earth.
    """
    if near is None or is_area_code(near):
        return near
    if found := _POINT.fullmatch(near):
        lon, lat = float(found[1]), float(found[2])
        if abs(lon) <= 180 and abs(lat) <= 90:
            return lon, lat
    message = "要填区划代码，如 500237102，或 WGS-84 经纬度，如 109.88,31.08"
    raise Invalid(fields=[FieldFault("near", "bad_place", message)])
