"""The audit over HTTP: read by auditors and its administrator, by actor, subject and kind; and what is worth a look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.domain.permissions import Role
from app.kit.clock import FixedClock
from app.kit.database import read_session, write_session
from app.main import create_app
from app.store.audit import record_act
from app.usecases.audit import find_anomalies_of
from app.wiring import House
from tests.api.conftest import caller
from tests.api.test_auth import bearer
from tests.usecases.test_accounts import set_up

pytestmark = pytest.mark.anyio

AUDIT = "/api/v1/staff/audit"


@pytest.fixture
async def client(house: House, still_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    house = replace(house, matchmaker=still_app.state.house.matchmaker)
    async with caller(create_app(house)) as client:
        yield client


def look(house: House, actor: str, people: int, *, back_days: int = 0, hours: int = 0, **given: Any) -> None:
    """Somebody looks at people 1 to `people`, so many days ago."""
    at = house.clock.now() - timedelta(days=back_days) + timedelta(hours=hours)
    with write_session(house.engine) as session:
        for number in range(people):
            act = {"action": "read_identity", "why": "look", "subject": f"workers/{number + 1}", **given}
            record_act(session, actor=actor, now=at, **act)


async def test_acts_are_read_newest_first_by_who_what_and_when_and_the_reading_is_one(
    house: House, client: httpx.AsyncClient, clock: FixedClock
) -> None:
    look(house, "broker/b-1", 3, back_days=2)
    look(house, "broker/b-2", 2)
    who = bearer(set_up(house, clock, "au-01", Role.AUDITOR)[0])

    async def read(**params: str) -> list[dict[str, Any]]:
        answer = await client.get(AUDIT, params=params, headers=who)
        assert answer.status_code == 200, answer.text
        acts: list[dict[str, Any]] = answer.json()["acts"]
        return acts

    acts = await read(actor="broker/b-1")
    assert [each["subject"] for each in acts] == ["workers/3", "workers/2", "workers/1"]
    assert (acts[0]["action"], acts[0]["why"], acts[0]["happened_at"]) == (
        "read_identity",
        "look",
        "2026-11-29T10:00:00+08:00",
    )
    assert [each["actor"] for each in await read(subject="workers/2")] == ["broker/b-2", "broker/b-1"]
    since = await read(action="read_identity", since="2026-12-01")
    assert {each["actor"] for each in since} == {"broker/b-2"}
    (first, *_) = await read(action="read_audit")
    assert (first["actor"], first["detail"]) == ("auditor/au-01", "action=read_identity")
    assert first["origin"].startswith("sessions/")
    page = (await client.get(AUDIT, params={"page_size": "2", "actor": "broker/b-1"}, headers=who)).json()
    more = {"page_size": "2", "actor": "broker/b-1", "page_token": page["next_page_token"]}
    last = (await client.get(AUDIT, params=more, headers=who)).json()
    assert [each["subject"] for each in (*page["acts"], *last["acts"])] == ["workers/3", "workers/2", "workers/1"]
    assert last["next_page_token"] is None
    for wrong in ({"actor": "x y"}, {"since": "yesterday"}, {"page_token": "WyJhdWRpdCIsLTFd"}):
        assert (await client.get(AUDIT, params=wrong, headers=who)).status_code == 422


async def test_the_administrator_of_the_audit_reads_it_and_nobody_else_does(
    house: House, client: httpx.AsyncClient, clock: FixedClock
) -> None:
    for code, role, district, status in (
        ("ada-01", Role.AUDIT_ADMIN, None, 200),
        ("sec-01", Role.SECURITY_ADMIN, None, 403),
        ("m-01", Role.MUNICIPAL, None, 403),
        ("o-01", Role.OFFICER, "500237", 403),
    ):
        who = bearer(set_up(house, clock, code, role, district)[0])
        for path in (AUDIT, f"{AUDIT}/anomalies"):
            assert (await client.get(path, headers=who)).status_code == status, code
    assert (await client.get(AUDIT)).status_code == 401


async def test_what_is_worth_a_look_is_told_against_the_days_before(
    house: House, client: httpx.AsyncClient, clock: FixedClock
) -> None:
    who = bearer(set_up(house, clock, "ada-01", Role.AUDIT_ADMIN)[0])
    for back_days in range(1, 11):
        look(house, "broker/b-1", 20, back_days=back_days)
        look(house, "broker/b-2", 18, back_days=back_days)
    look(house, "broker/b-1", 55)
    look(house, "broker/b-2", 55)
    look(house, "clerk/k-01", 6, hours=13)
    look(house, "clerk/k-01", 90, why="list")
    look(house, "officer/o-01", 1, action="break_glass", why="rights")
    told = (await client.get(f"{AUDIT}/anomalies", headers=who)).json()
    assert told["day"] == "2026-12-01"
    assert [(each["kind"], each["about"], each["count"], each["usual"]) for each in told["anomalies"]] == [
        ("many_looks", "broker/b-2", 55, 18.0),
        ("night_looks", "clerk/k-01", 6, None),
        ("break_glass", "officer/o-01", 1, None),
    ]
    assert all(each["label"] and each["acts"] for each in told["anomalies"])
    earlier = (await client.get(f"{AUDIT}/anomalies", params={"day": "2026-11-30"}, headers=who)).json()
    assert earlier["anomalies"] == []
    with read_session(house.engine) as session:
        assert len(find_anomalies_of(session, day=clock.today())) == 3
