"""The application over reference data and postings, and a phone without scripts that calls it directly (ASGI)."""

from collections.abc import AsyncIterator
from http.cookiejar import DefaultCookiePolicy

import httpx
import pytest

from app.main import create_app
from app.wiring import House
from tests.houses import furnished, house, postgresql_reference, sqlite_reference
from tests.web.streets import phone, street

__all__ = ["furnished", "house", "postgresql_reference", "sqlite_reference", "street"]


@pytest.fixture
async def reader(street: House) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with a phone who has opened the first page of the street."""
    async with phone(create_app(street)) as client:
        await client.get("/")
        yield client


@pytest.fixture
async def forgetful(street: House) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody whose phone keeps no cookies."""
    async with phone(create_app(street)) as client:
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        yield client
