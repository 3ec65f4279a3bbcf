"""The application is put together of routes that say what they do, and of no others."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI
from sqlalchemy import Engine
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from app.domain.permissions import TABLE, Action, Relation, Role, declared, permits
from app.kit.clock import FixedClock
from app.kit.keys import KeyRing
from app.main import PermissionMissing, create_app, require_permissions
from app.settings import Settings
from app.wiring import House

# The interface says so: what programs may call without credentials, beside what looks after the service itself.
PUBLIC = {"areas", "occupations", "postings", "match", "feed", "auth"}


def endpoints(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, object]]:
    for route in routes:
        inner = getattr(route, "original_router", route)
        if isinstance(inner, APIRouter):
            yield from endpoints(inner.routes)
        else:
            yield getattr(route, "path", ""), getattr(route, "endpoint", None)


@pytest.fixture
def app(sqlite_database: Engine, key_ring: KeyRing, clock: FixedClock, tmp_path: Path) -> FastAPI:
    return create_app(House(settings=Settings(data=tmp_path), engine=sqlite_database, keys=key_ring, clock=clock))


def test_every_route_declares_what_it_does_and_nothing_in_the_table_is_done_by_nobody(app: FastAPI) -> None:
    found = {declared(endpoint) for _, endpoint in endpoints(app.routes)}
    # What a clerk does through a kiosk is asked of the table by the kiosk's own route.
    assert found == set(Action) - {Action.ASSIST_AT_KIOSK}


def test_without_credentials_programs_come_to_what_the_interface_names(app: FastAPI) -> None:
    open_to_all = {
        path.split("/")[3]
        for path, endpoint in endpoints(app.routes)
        if path.startswith("/api/v1/")
        and (action := declared(endpoint)) is not None
        and Relation.PUBLIC in TABLE[action].get(Role.ANYBODY, ())
    }
    assert open_to_all == PUBLIC


async def nobody_knows() -> None:
    """Declares nothing."""


ROUTE = Route("/secret", nobody_knows)


SECRET = Route("/secret", nobody_knows)


@permits(Action.SEE_AREAS)
async def is_known() -> None:
    """Declares what it does."""


@pytest.mark.parametrize("depth", range(3))
def test_the_application_does_not_start_with_a_route_that_says_nothing(depth: int) -> None:
    router = APIRouter()
    router.add_api_route("/known", is_known)
    require_permissions(router.routes)
    router.add_api_route("/secret", nobody_knows)
    for _ in range(depth):
        outer = APIRouter()
        outer.include_router(router)
        router = outer
    with pytest.raises(PermissionMissing, match="/secret"):
        require_permissions(router.routes)


@pytest.mark.parametrize(
    "route", [SECRET, Mount("/in", routes=[SECRET]), Mount("/secret", app=StaticFiles(directory="docs"))]
)
def test_nor_with_one_that_came_past_the_framework(route: BaseRoute) -> None:
    with pytest.raises(PermissionMissing, match="/secret"):
        require_permissions([route])
