"""A house with a posting of every sort for tests that only read, and the phone of somebody who reads.

What changes postings takes `house` instead, which is fresh for each test and of each database in turn.
"""

import re
import shutil
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI

from app.domain.pay import Pay, PayUnit
from app.domain.postings import AgeReason, PostingKind, PostingOrigin, PostingState
from app.kit.clock import FixedClock
from app.kit.database import open_engine
from app.kit.keys import KeyRing
from app.settings import Settings
from app.usecases.postings import PostingCard
from app.wiring import House
from tests.houses import add_posting, with_matchmaker

HOSTILE = "</script><script>alert(1)</script>\"'&<b>"


@pytest.fixture(scope="session")
def street(sqlite_reference: Path, tmp_path_factory: pytest.TempPathFactory, key_ring: KeyRing) -> House:
    """A house that no test changes: 25 cleaners near 大昌镇 and one posting of every other sort."""
    folder = tmp_path_factory.mktemp("street")
    path = folder / "street.db"
    shutil.copyfile(sqlite_reference, path)
    clock = FixedClock(datetime(2026, 12, 1, 2, 0, tzinfo=UTC))
    house = House(settings=Settings(data=folder), engine=open_engine(f"sqlite:///{path}"), keys=key_ring, clock=clock)
    for _ in range(25):
        add_posting(house)
    guard = "4-07-05-01"
    add_posting(
        house,
        title="日结装卸零工",
        occupation_code="4-02-05-01",
        kind=PostingKind.DAY_LABOUR,
        pay=Pay(unit=PayUnit.DAY, low=Decimal(150), high=Decimal(180)),
        physical_level=3,
        demands=["heavy_lifting", "heights"],
    )
    add_posting(
        house,
        title="小区保安（真）",
        occupation_code=guard,
        origin=PostingOrigin.ENTERED,
        age_min=18,
        age_max=50,
        age_words="18-50岁",
        meals=True,
        lodging=True,
        insurance=True,
        posted_at=clock.now() - timedelta(days=3),
        phone="023-57689999",
    )
    add_posting(
        house,
        title="以前的保安",
        occupation_code=guard,
        state=PostingState.HISTORICAL,
        origin=PostingOrigin.IMPORTED,
        observed="2019-06",
        lacks=["employer", "duties", "validity"],
        valid_until=None,
        duties="",
        conditions="",
        phone="023-57680001",
        paid_by="",
        paid_when="",
        hours="",
    )
    add_posting(
        house,
        title=f"保安{HOSTILE}",
        occupation_code=guard,
        origin=PostingOrigin.ENTERED,
        duties=f"看门{HOSTILE}",
        workplace=HOSTILE,
        phone="",
        insurance=False,
        age_max=60,
        age_reason=AgeReason.LICENCE_AGE,
    )
    return with_matchmaker(house)


class Forms(httpx.Auth):
    """Forms are sent from the page that was looked at last, with the token that stands in it."""

    requires_response_body = True

    def __init__(self) -> None:
        self._token = ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if request.method == "POST" and self._token:
            field = f"form_token={quote(self._token)}".encode()
            body = b"&".join(part for part in (request.content, field) if part)
            headers = {**request.headers, "Content-Type": "application/x-www-form-urlencoded"}
            headers.pop("content-length", None)
            request = httpx.Request("POST", request.url, headers=headers, content=body)
        response = yield request
        if found := re.search(r'name="form_token" value="([^"]+)"', response.text):
            self._token = found[1]


def phone(app: FastAPI, *, address: str = "10.0.0.1", scheme: str = "http") -> httpx.AsyncClient:
    """A phone's browser: takes HTML, keeps cookies, says where its forms come from."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(address, 40000)),
        base_url=f"{scheme}://test",
        auth=Forms(),
        headers={
            "Accept": "text/html,application/xhtml+xml",
            "Origin": f"{scheme}://test",
            "User-Agent": "Mozilla/5.0 (Linux; Android 9) Chrome/78.0 MicroMessenger/7.0",
        },
    )


def card_titled(house: House, title: str) -> PostingCard:
    """The card whose title begins with these words."""
    return next(card for card in house.ready_matchmaker().cards() if card.title.startswith(title))
