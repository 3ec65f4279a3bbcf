"""Types of parameters and fields that several routes take, each as strict as it can be told.

A query string only knows text, and FastAPI's own reading of it is generous (`1e3`, ` 7 `, a date as a number of
seconds); what stands here takes one spelling. An empty parameter counts as not given.
"""

import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import AfterValidator, BeforeValidator, Field

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


def none_if_empty(value: Any) -> Any:
    """`?q=` says as much as leaving it out."""
    return None if value == "" else value


def without_empty(values: Any) -> Any:
    """As `none_if_empty`, for a parameter that may stand several times."""
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

WholeNumber = Annotated[int, BeforeValidator(_WholeText)]
DecimalNumber = Annotated[float, BeforeValidator(_DecimalText)]
Day = Annotated[date, BeforeValidator(_read_day), Field(ge=EARLIEST_DAY, le=LATEST_DAY)]

RadiusKm = Annotated[Annotated[DecimalNumber, Field(gt=0, le=2_000)] | None, BeforeValidator(none_if_empty), Query()]
PageSize = Annotated[
    WholeNumber, Query(ge=1, le=LARGEST_PAGE, description="how many items a page may have, 100 at most")
]
# Limits stand inside the union: on its outside pydantic would measure None and fail.
PageToken = Annotated[
    Annotated[str, Field(max_length=500)] | None,
    BeforeValidator(none_if_empty),
    Query(description="`next_page_token` of the page before; opaque"),
]
PostingId = Annotated[WholeNumber, Path(ge=1, le=HIGHEST_ID)]

# --- for bodies, too --------------------------------------------------------------------------------------------------

Readable = AfterValidator(_readable)
"""For text; stands behind the limits of length, or pydantic counts characters as items."""

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


Near = Annotated[
    Annotated[str, Field(max_length=40)] | None,
    BeforeValidator(none_if_empty),
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
