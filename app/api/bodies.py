"""Reading a JSON body strictly: what is not meant is not guessed.

FastAPI would take `true` for 1, "58" for 58 and NaN for a number. Here pydantic reads the bytes itself in strict mode:
a number is a number, a date is text in one spelling, an unknown field is an error.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import orjson
from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from app.api.problems import BadJson, MediaTypeUnsupported, bad_body


class StrictBody(BaseModel):
    """Base of what clients send: no unknown fields, no conversions."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


Body = TypeVar("Body", bound=StrictBody)


def body_of(model: type[Body]) -> Callable[[Request], Awaitable[Body]]:
    """A dependency that reads the request's body as `model`. Document it with `documents(model)`."""

    async def read_body(request: Request) -> Body:
        media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        # Only a label that a form cannot send: another site's page must ask the browser first (CORS).
        if media_type != "application/json" and not media_type.endswith("+json"):
            raise MediaTypeUnsupported
        content = await request.body()
        try:
            # pydantic takes NaN and Infinity for JSON; this does not.
            orjson.loads(content)
        except orjson.JSONDecodeError:
            raise BadJson from None
        try:
            return model.model_validate_json(content)
        except ValidationError as error:
            raise bad_body(error) from None

    return read_body


def documents(model: type[StrictBody]) -> dict[str, object]:
    """`openapi_extra` of a route that takes `model`."""
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}},
        }
    }
