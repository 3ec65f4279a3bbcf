"""The application over a furnished database, and clients that call it directly (ASGI)."""

import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import URL

from app.kit.clock import FixedClock
from app.kit.database import open_engine
from app.kit.keys import KeyRing
from app.main import create_app
from app.settings import Settings
from app.wiring import House
from tests import postgres
from tests.conftest import open_copy
from tests.houses import (
    add_posting,
    furnished,
    house,
    postgresql_reference,
    sqlite_reference,
    with_matchmaker,
)

__all__ = ["furnished", "house", "postgresql_reference", "sqlite_reference"]


def caller(app: FastAPI, *, address: str = "10.0.0.1", **headers: str) -> httpx.AsyncClient:
    """A program that calls the application from an address."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(address, 40_000)), base_url="http://test", headers=headers
    )


@pytest.fixture(scope="session")
def still_app(sqlite_reference: Path, tmp_path_factory: pytest.TempPathFactory, key_ring: KeyRing) -> FastAPI:
    """An application that no test changes: 30 open postings at 大昌镇. For what the database has no part in."""
    folder = tmp_path_factory.mktemp("still")
    shutil.copyfile(sqlite_reference, folder / "jiujin.db")
    house = House(
        settings=Settings(data=folder),
        engine=open_engine(f"sqlite:///{folder / 'jiujin.db'}"),
        keys=key_ring,
        clock=FixedClock(datetime(2026, 12, 1, 2, 0, tzinfo=UTC)),
    )
    for _ in range(30):
        add_posting(house)
    return create_app(with_matchmaker(house))


@pytest.fixture
async def still(still_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application that no test changes."""
    async with caller(still_app) as client:
        yield client


@pytest.fixture(scope="session")
def still_app_on_postgresql(
    request: pytest.FixtureRequest, still_app: FastAPI, postgres_server: URL, postgresql_reference: str
) -> Iterator[FastAPI]:
    """The same over PostgreSQL, which is stricter about what it is asked."""
    name = f"jiujin_still_{uuid4().hex[:12]}"
    engine = open_copy(request, name, template=postgresql_reference)
    still_house: House = still_app.state.house
    house = replace(still_house, engine=engine)
    add_posting(house)
    yield create_app(house)
    engine.dispose()
    postgres.drop_database(postgres_server, name)


@pytest.fixture
async def still_on_each(request: pytest.FixtureRequest, backend: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application that no test changes, over each database in turn."""
    name = "still_app" if backend == "sqlite" else "still_app_on_postgresql"
    async with caller(request.getfixturevalue(name)) as client:
        yield client


@pytest.fixture
def app(house: House, still_app: FastAPI) -> FastAPI:
    """The application over each database in turn, with the matchmaker of the still one.

    For routes that read and write the database and need the areas at most: building an index takes half a second.
    """
    still_house: House = still_app.state.house
    return create_app(replace(house, matchmaker=still_house.matchmaker))


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application over each database in turn."""
    async with caller(app) as client:
        yield client
