"""Accounts over HTTP: an administrator of security keeps them, an auditor sees them, nobody else comes near."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.permissions import Role
from app.kit.clock import FixedClock
from tests.api.test_auth import Door, bearer, door
from tests.usecases.test_accounts import PASSWORD, set_up

__all__ = ["door"]

pytestmark = pytest.mark.anyio

ACCOUNTS = "/api/v1/staff/accounts"


async def test_an_administrator_makes_an_account_moves_it_resets_it_and_shuts_it(door: Door, clock: FixedClock) -> None:
    admin = bearer(set_up(door.house, clock, "an-01", Role.SECURITY_ADMIN)[0])
    made = await door.client.post(
        ACCOUNTS, json={"account": "wang-01", "role": "clerk", "district": "500237"}, headers=admin
    )
    assert made.status_code == 201
    start = made.json()["start_password"]
    again = await door.client.post(
        ACCOUNTS, json={"account": "wang-01", "role": "clerk", "district": "500237"}, headers=admin
    )
    assert (again.status_code, again.json()["code"]) == (409, "account_exists")
    token = (await door.post("/staff", account="wang-01", password=start)).json()["token"]
    key = {"Idempotency-Key": "move-1"}
    moved = [
        await door.client.put(f"{ACCOUNTS}/wang-01/post", json={"role": "auditor"}, headers={**admin, **key})
        for _ in range(2)
    ]
    assert [each.json() for each in moved] == [{"account": "wang-01"}] * 2
    assert moved[1].headers["idempotency-replayed"] == "true"
    assert (await door.client.get("/api/v1/auth/sessions", headers=bearer(token))).status_code == 401
    reset = await door.client.post(f"{ACCOUNTS}/wang-01/reset", headers=admin)
    assert reset.json()["start_password"] != start
    assert (await door.client.post(f"{ACCOUNTS}/wang-01/disable", headers=admin)).status_code == 200
    listed = (await door.client.get(ACCOUNTS, params={"page_size": "1"}, headers=admin)).json()
    assert [each["account"] for each in listed["accounts"]] == ["an-01"]
    more = {"page_token": listed["next_page_token"]}
    (last,) = (await door.client.get(ACCOUNTS, params=more, headers=admin)).json()["accounts"]
    assert (last["account"], last["role"], last["is_disabled"], last["is_set_up"]) == (
        "wang-01",
        "auditor",
        True,
        False,
    )


async def test_who_may_not_is_refused_and_what_is_stale_is_asked_for_again(door: Door, clock: FixedClock) -> None:
    auditor = bearer(set_up(door.house, clock, "au-01", Role.AUDITOR)[0])
    admin = bearer(set_up(door.house, clock, "an-01", Role.SECURITY_ADMIN)[0])
    body = {"account": "x-1", "role": "system_admin"}
    assert (await door.client.get(ACCOUNTS, headers=auditor)).status_code == 200
    refused = await door.client.post(ACCOUNTS, json=body, headers=auditor)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert (await door.client.post(ACCOUNTS, json=body)).status_code == 401
    clock.advance(timedelta(minutes=12))
    stale = await door.client.post(ACCOUNTS, json=body, headers=admin)
    assert (stale.status_code, stale.json()["code"]) == (403, "factor_stale")


async def test_bad_input_is_told_and_changes_nothing(door: Door, clock: FixedClock) -> None:
    admin = bearer(set_up(door.house, clock, "an-01", Role.SECURITY_ADMIN)[0])
    for body in (
        {"account": "x-1", "role": "seeker"},
        {"account": "x 1", "role": "auditor"},
        {"account": "x-1", "role": "clerk"},
        {"account": "x-1", "role": "god"},
        {"account": "x-1", "role": "auditor", "password": PASSWORD},
    ):
        refused = await door.client.post(ACCOUNTS, json=body, headers=admin)
        assert refused.status_code == 422, body
    own = await door.client.post(f"{ACCOUNTS}/an-01/reset", headers=admin)
    assert (own.status_code, own.json()["code"]) == (409, "own_account")
    unknown = await door.client.post(f"{ACCOUNTS}/nobody/disable", headers=admin)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "account_unknown")
    strange = await door.client.get(ACCOUNTS, params={"page_token": "WyJhY2NvdW50cyIsIlx1MDAwMCJd"}, headers=admin)
    assert (strange.status_code, strange.json()["code"]) == (422, "bad_page_token")
    assert len((await door.client.get(ACCOUNTS, headers=admin)).json()["accounts"]) == 1
