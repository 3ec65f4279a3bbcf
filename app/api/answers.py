"""JSON answers: bytes with an ETag that any client may keep and ask after.

The ETag is weak because the middleware that compresses changes the bytes and not their meaning (RFC 9110, 8.8.1).
"""

import hashlib
from datetime import datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.kit.clock import CHINA

MEDIA_TYPE = "application/json"


# Anybody's page may read what is public; nothing that follows a person's own input carries these.
OPEN_TO_ALL = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Jiujin-Next-Since",
}


def public_answer(request: Request, document: Any, *, max_age_s: int = 0) -> Response:
    """A public read: with ETag, 304 when the client already has it, readable from any origin.

    Args:
        request: for If-None-Match.
        document: what orjson can write.
        max_age_s: how long a client may use it without asking; 0 asks each time.
    """
    return public_bytes(request, orjson.dumps(document), max_age_s=max_age_s)


def public_bytes(request: Request, body: bytes, *, media_type: str = MEDIA_TYPE, max_age_s: int = 0) -> Response:
    """As `public_answer`, for a body that is ready."""
    etag = f'W/"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = {
        **OPEN_TO_ALL,
        "ETag": etag,
        "Cache-Control": f"public, max-age={max_age_s}" if max_age_s else "no-cache",
    }
    if _is_known(etag, request.headers.get("If-None-Match", "")):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def private_answer(document: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer to somebody's own input: kept by no cache."""
    return Response(
        orjson.dumps(document), status, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store", **(headers or {})}
    )


def told_at(instant: datetime) -> str:
    """An instant as RFC 3339 with the offset of China: `2026-12-01T10:00:00+08:00`."""
    return instant.astimezone(CHINA).isoformat(timespec="seconds")


def _is_known(etag: str, if_none_match: str) -> bool:
    """Whether If-None-Match names the ETag; compared weakly, as RFC 9110 section 13.1.2 asks."""
    known = {value.strip().removeprefix("W/") for value in if_none_match.split(",")}
    return "*" in known or etag.removeprefix("W/") in known
