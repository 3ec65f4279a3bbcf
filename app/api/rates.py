"""How many requests one network may send a minute, counted in this process and told in headers.

It keeps one client from taking what all need. What must hold across processes and restarts, such as codes and log-ins,
is counted in the database (`usecases.tries`).
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.tries import Limit
from app.kit.errors import TooManyRequests
from app.kit.networks import Network, is_within, network_of

_UNLIMITED_PATHS = ("/health/", "/metrics", "/static/")
_MOST_NETWORKS = 50_000
_MINUTE = timedelta(minutes=1)

# Addresses that hold a code or a link of one person: 39 bits at the least, which stay many only while few are tried.
_CODE_PATHS = ("/r/", "/inbox/", "/receipts", "/reports", "/api/v1/reports/")
_WRONG_CODE = (404, 422)
_GUESSES = Limit(name="guesses", most=30, within=timedelta(hours=1))


class RateLimits:
    """Answers 429 to a network that asks too often, and tells each other one how often it still may.

    The headers are those of draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy: "reads";q=1200;w=60` and
    `RateLimit: "reads";r=1199;t=60`, where `t` is when all of it is there again. Who has tried too many wrong codes is
    shown no right one either.

    Args:
        app: what is behind.
        now: tells the time.
        answer: shapes the refusal.
        reads: how many GET and HEAD requests a minute.
        writes: how many of all others.
        unlimited: networks that are not counted, such as stations that send many people's requests.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        now: Callable[[], datetime],
        answer: Callable[[Request, Exception], Awaitable[Response]],
        reads: int,
        writes: int,
        unlimited: Sequence[Network],
    ) -> None:
        self.app = app
        self.now = now
        self.answer = answer
        self.reads = Limit(name="reads", most=reads, within=_MINUTE)
        self.writes = Limit(name="writes", most=writes, within=_MINUTE)
        self.unlimited = tuple(unlimited)
        # The least recently seen networks are forgotten first; who floods from many is no longer told apart anyway.
        self._counts: OrderedDict[tuple[str, str], dict[int, int]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(_UNLIMITED_PATHS):
            await self.app(scope, receive, send)
            return
        address = (scope.get("client") or ("", 0))[0]
        if is_within(address, self.unlimited):
            await self.app(scope, receive, send)
            return
        network, now = network_of(address), self.now()
        limit = self.reads if scope["method"] in ("GET", "HEAD") else self.writes
        holds_code = scope["path"].startswith(_CODE_PATHS)
        if holds_code and (wait_s := self._wait_s(_GUESSES, network, now=now)) is not None:
            limit, left = _GUESSES, 0
        else:
            wait_s, left = self._count(limit, network, now=now)
        told = {
            "RateLimit-Policy": f'"{limit.name}";q={limit.most};w={int(limit.within.total_seconds())}',
            "RateLimit": f'"{limit.name}";r={left};t={wait_s or int(limit.within.total_seconds())}',
        }

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(told)
                if holds_code and message["status"] in _WRONG_CODE:
                    self._count(_GUESSES, network, now=now)
            await send(message)

        if wait_s is not None:
            refusal = await self.answer(Request(scope, receive), TooManyRequests(retry_after_s=wait_s))
            await refusal(scope, receive, send_with_headers)
            return
        await self.app(scope, receive, send_with_headers)

    def _wait_s(self, limit: Limit, network: str, *, now: datetime) -> int | None:
        return limit.wait_s(self._counts.get((limit.name, network), {}), now=now)

    def _count(self, limit: Limit, network: str, *, now: datetime) -> tuple[int | None, int]:
        """How long to wait, None if one more may be served, and how many after it; a refused one is not counted."""
        counts = limit.counted(self._counts.pop((limit.name, network), {}), now=now)
        wait_s = limit.wait_s(counts, now=now)
        if wait_s is None:
            here = limit.part(now)
            counts[here] = counts.get(here, 0) + 1
        self._counts[limit.name, network] = counts
        if len(self._counts) > _MOST_NETWORKS:
            self._counts.popitem(last=False)
        return wait_s, limit.left(counts, now=now)
