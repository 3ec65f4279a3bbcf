"""The web process put together: routes, what every request passes, and the loops that run beside it.

`create_app` opens nothing and starts nothing; the loops begin and end with the server (ASGI lifespan), so a test that
calls the application directly has none.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.metadata import version

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Mount

from app.api.cards import Fragments
from app.api.gates import BodyLimit, HeadAsGet, LastResort, SecurityHeaders
from app.api.metrics import Metrics, RequestCounter
from app.api.problems import answer_problem, extra_headers, fault_of
from app.api.rates import RateLimits
from app.api.routes import DATA_PATHS, ROUTERS
from app.background.loops import Loop, running
from app.background.refresh import refresh_loop
from app.domain.permissions import TABLE, declared
from app.domain.viewers import NOBODY
from app.kit.errors import Fault
from app.kit.logs import AccessLog
from app.usecases.matchmaking import Matchmaker
from app.web.routes import mount_static, pages, render_problem
from app.wiring import House


def create_app(house: House, *, loops: Sequence[Loop] = ()) -> FastAPI:
    """The application for a house.

    Args:
        house: with or without its matchmaker; without one it is loaded beside the server and requests get 503 until
            then.
        loops: what else to run beside the server, such as the loops of `jiujin work`.
    """

    def take_in(matchmaker: Matchmaker) -> None:
        app.state.house = replace(app.state.house, matchmaker=matchmaker)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with running((refresh_loop(house, take_in), *loops), house):
            yield

    house = house.worked_from("web")
    metrics = Metrics(lambda: current_house(app))
    app = FastAPI(
        title="就近 jiujin",
        version=version("jiujin"),
        lifespan=lifespan,
        # Their pages load scripts from elsewhere; the document itself is served by app.api.schema.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        middleware=[
            *([Middleware(AccessLog)] if house.settings.access_log else []),
            Middleware(RequestCounter, metrics=metrics),
            Middleware(
                SecurityHeaders,
                https=house.settings.effective_public_url.startswith("https://"),
            ),
            Middleware(
                RateLimits,
                now=house.clock.now,
                answer=_answer_error,
                reads=house.settings.reads_a_minute,
                writes=house.settings.writes_a_minute,
                unlimited=house.unlimited_networks,
            ),
            Middleware(HeadAsGet),
            Middleware(GZipMiddleware, minimum_size=1_000, compresslevel=5),
            Middleware(BodyLimit),
            Middleware(LastResort, answer=_answer_error),
        ],
        exception_handlers={
            Fault: _answer_error,
            HTTPException: _answer_error,
            RequestValidationError: _answer_error,
        },
    )
    # Whoever comes in sees nobody's rows, until a route has found out who they are and narrows or widens its house.
    app.state.house = house.seen_by(NOBODY)
    app.state.metrics = metrics
    app.state.fragments = Fragments()
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(pages, include_in_schema=False)
    mount_static(app)
    require_permissions(app.routes)
    return app


class PermissionMissing(RuntimeError):
    """A route does not say what it does, so nobody knows who may call it; the application does not start."""


def require_permissions(routes: Iterable[BaseRoute]) -> None:
    """Refuse to go on with a route that declares no action of the table, however deep it is included.

    Raises:
        PermissionMissing: names the first such route.
    """
    for route in routes:
        inner = getattr(route, "original_router", route)
        if isinstance(inner, APIRouter | Mount) and inner.routes:
            require_permissions(inner.routes)
        # A mount without routes is an application of its own that nobody looks into.
        elif isinstance(inner, Mount) or declared(getattr(route, "endpoint", None)) not in TABLE:
            raise PermissionMissing(f"{getattr(route, 'path', route)} declares no permission")


def current_house(app: FastAPI) -> House:
    """The house of an application as it is now, with its matchmaker once that is loaded."""
    house: House = app.state.house
    return house


async def _answer_error(request: Request, error: Exception) -> Response:
    """An error as a page for somebody with a browser, else as a problem document."""
    path = request.scope["path"]
    if not path.startswith(DATA_PATHS) and "text/html" in request.headers.get("Accept", ""):
        page = render_problem(request, fault_of(error))
        page.headers.update(extra_headers(error))
        return page
    answer = answer_problem(request, error)
    if answer.status_code == 405:
        # The framework names the methods of the first route that has this path, and another may have more.
        answer.headers["Allow"] = ", ".join(_allowed_methods(request))
    return answer


def _allowed_methods(request: Request) -> list[str]:
    """The methods for which a path has a route (RFC 9110, 15.5.6)."""
    app: FastAPI = request.app
    asked = ({**request.scope, "method": method} for method in _METHODS)
    return [
        scope["method"] for scope in asked if any(route.matches(scope)[0] is Match.FULL for route in app.router.routes)
    ]


_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
