"""What every request passes before a route sees it, as plain ASGI: size, HEAD, unforeseen errors, security headers.

Starlette's own limit of the body answers in plain text, and its catcher of errors stands outside all middleware, where
neither the access log nor the security headers reach; so both are made here.
"""

import logging
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import Internal

_LOG = logging.getLogger("jiujin.api")

LARGEST_BODY_BYTES = 64 * 1024
_LENGTH_DIGITS = 18


class BodyLimit:
    """Refuses bodies above a size with 413, by their label at once and without one as soon as they prove larger.

    The error is raised where the body is read, so that a page gets a page and a program its problem document.
    """

    def __init__(self, app: ASGIApp, *, most_bytes: int = LARGEST_BODY_BYTES) -> None:
        self.app = app
        self.most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        labelled = Headers(scope=scope).get("content-length", "0")
        # By its length first: Python does not read a number of more than 4,300 digits.
        too_large = not labelled.isdecimal() or len(labelled) > _LENGTH_DIGITS or int(labelled) > self.most_bytes
        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received
            if too_large:
                raise HTTPException(413)
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.most_bytes:
                raise HTTPException(413)
            return message

        await self.app(scope, receive_within_limit, send)


class HeadAsGet:
    """Answers HEAD as GET without the content (RFC 9110, 9.3.2): FastAPI gives its GET routes no HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        # A copy: the server asks its own scope whether content may follow.
        as_get = {**scope, "method": "GET"}
        try:
            await self.app(as_get, receive, send_head)
        finally:
            if "route" in as_get:
                scope["route"] = as_get["route"]


class LastResort:
    """Logs an error that nobody foresaw and answers 500 without saying what it was; `answer` shapes the answer."""

    def __init__(self, app: ASGIApp, *, answer: Callable[[Request, Exception], Awaitable[Response]]) -> None:
        self.app = app
        self.answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        begun = False

        async def note_begin(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, note_begin)
        except Exception:
            if scope["type"] != "http" or begun:
                # Half an answer is out: only breaking the connection tells the client so.
                raise
            _LOG.exception("unforeseen error in %s", getattr(scope.get("route"), "path", "an unknown route"))
            answer = await self.answer(Request(scope, receive), Internal())
            await answer(scope, receive, send)


class SecurityHeaders:
    """Sets what keeps browsers careful, unless a route has set it itself.

    Without a policy of its own an answer is nothing to run: a page brings one that names what it may load.
    """

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self.app = app
        self.headers = {
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(), payment=(), usb=(), geolocation=(self)",
            **({"Strict-Transport-Security": "max-age=31536000"} if https else {}),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                # What has not changed is shown under the policy that it came with: its nonce is in the copy.
                if message["status"] != 304:
                    headers.setdefault("Content-Security-Policy", _NOTHING_TO_RUN)
            await send(message)

        await self.app(scope, receive, send_with_headers)


_NOTHING_TO_RUN = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
