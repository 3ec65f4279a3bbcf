"""The doors over HTTP: a code on a phone, password and second factor; sessions listed and ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from app.domain.permissions import Role
from app.kit.clock import FixedClock
from app.kit.database import write_session
from app.kit.second_factors import factor_code
from app.main import create_app
from app.usecases.accounts import create_account
from app.wiring import House
from tests.api.conftest import caller
from tests.deliveries import Teller, add_people

pytestmark = pytest.mark.anyio

PHONE = "19900000007"
PASSWORD = "乡下的桂花树开了第三次花"


@dataclass
class Door:
    house: House
    teller: Teller
    client: httpx.AsyncClient

    async def post(self, path: str, token: str | None = None, **body: object) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return await self.client.post(f"/api/v1/auth{path}", json=body, headers=headers)

    def code(self) -> str:
        return self.teller.sent[-1].values["code"]


@pytest.fixture
async def door(house: House, still_app: FastAPI) -> AsyncIterator[Door]:
    teller = Teller()
    house = replace(house, senders=(teller,), matchmaker=still_app.state.house.matchmaker)
    with write_session(house.engine) as session:
        add_people(session, 1, keys=house.keys, phone=PHONE)
    async with caller(create_app(house)) as client:
        yield Door(house, teller, client)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_seeker_comes_in_with_a_code_sees_where_they_are_logged_in_and_logs_out(door: Door) -> None:
    asked = await door.post("/otp", phone=PHONE)
    assert (asked.status_code, asked.json()["good_for_s"]) == (202, 300)
    assert asked.headers["cache-control"] == "no-store"
    entered = await door.post("/otp/verify", ticket=asked.json()["ticket"], code=door.code())
    assert (entered.status_code, entered.json()["people"]) == (200, [])
    token = entered.json()["token"]
    listed = (await door.client.get("/api/v1/auth/sessions", headers=bearer(token))).json()
    assert listed["role"] == "seeker"
    assert [(each["is_this"], each["let_in_by"], each["network"]) for each in listed["sessions"]] == [
        (True, "sms_code", "10.0.*.*")
    ]
    gone = await door.client.delete(f"/api/v1/auth/sessions/{listed['sessions'][0]['id']}", headers=bearer(token))
    assert gone.json() == {"ended": 1}
    after = await door.client.get("/api/v1/auth/sessions", headers=bearer(token))
    assert (after.status_code, after.json()["code"]) == (401, "unauthenticated")
    assert after.headers["www-authenticate"] == "Bearer"


async def test_a_wrong_code_and_an_impatient_hand_are_told_what_to_do(door: Door) -> None:
    asked = await door.post("/otp", phone=PHONE)
    wrong = f"{(int(door.code()) + 1) % 1_000_000:06d}"
    refused = await door.post("/otp/verify", ticket=asked.json()["ticket"], code=wrong)
    assert (refused.status_code, refused.json()["code"]) == (401, "code_wrong")
    again = await door.post("/otp", phone=PHONE)
    assert (again.status_code, again.json()["code"]) == (429, "too_many_requests")
    assert 0 < int(again.headers["retry-after"]) <= 62
    assert len(door.teller.sent) == 1


async def test_what_is_no_number_is_refused_and_never_said_back(door: Door) -> None:
    refused = await door.post("/otp", phone="12345")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "string_pattern_mismatch")
    assert "12345" not in refused.text
    for body in ({"phone": PHONE, "purpose": "staff"}, {"phone": 1}, {}, {"phone": PHONE, "role": "officer"}):
        assert (await door.post("/otp", **body)).status_code == 422
    assert not door.teller.sent


async def test_staff_sets_an_account_up_and_comes_in_with_both(door: Door, clock: FixedClock) -> None:
    with write_session(door.house.engine) as session:
        start = create_account(
            session, code="wang-01", role=Role.OFFICER, district="500237", actor="office", now=clock.now()
        )
    entered = await door.post("/staff", account="wang-01", password=start)
    token = entered.json()["token"]
    early = await door.post("/factor", token, factor="123456")
    assert (early.status_code, early.json()["code"]) == (403, "setup_due")
    secret = (await door.post("/setup/begin", token)).json()["secret"]
    done = await door.post("/setup/finish", token, password=PASSWORD, factor=factor_code(secret, at=clock.now()))
    assert done.json() == {"done": True}
    clock.advance(timedelta(seconds=31))
    shown = await door.post("/factor", token, factor=factor_code(secret, at=clock.now()))
    assert shown.json() == {"done": True}
    clock.advance(timedelta(seconds=31))
    code = factor_code(secret, at=clock.now())
    later = await door.post("/staff", token, account="wang-01", password=PASSWORD, factor=code)
    assert later.json()["token"] != token
    assert (await door.client.get("/api/v1/auth/sessions", headers=bearer(token))).status_code == 401
    wrong = await door.post("/staff", account="wang-01", password=PASSWORD, factor=code)
    assert (wrong.status_code, wrong.json()["code"]) == (401, "login_refused")
    ended = await door.client.delete("/api/v1/auth/sessions", headers=bearer(later.json()["token"]))
    assert ended.json() == {"ended": 0}


async def test_who_brings_no_token_or_a_strange_one_is_nobody(door: Door) -> None:
    for headers in ({}, bearer("x"), bearer("x" * 300), {"Authorization": "Basic x"}):
        refused = await door.client.get("/api/v1/auth/sessions", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")


async def test_a_seeker_shows_no_second_factor(door: Door) -> None:
    asked = await door.post("/otp", phone=PHONE)
    entered = await door.post("/otp/verify", ticket=asked.json()["ticket"], code=door.code())
    refused = await door.post("/factor", entered.json()["token"], factor="123456")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
