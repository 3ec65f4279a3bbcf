"""People as staff sees them over HTTP: whose they are, masked; unmasked for a reason; opened by break-glass."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.domain.grants import AN_ACCOUNTS_GRANTS, GrantReason
from app.domain.permissions import Role
from app.domain.spells import SpellSource
from app.kit.clock import FixedClock
from app.kit.database import read_session, write_session
from app.main import create_app
from app.store.audit import AuditEntry
from app.store.brokers import Broker, Case
from app.store.grants import Grant
from app.store.spells import add_spells
from app.usecases.accesses import list_own_accesses
from app.usecases.tries import count_try
from app.wiring import House
from tests.api.conftest import caller
from tests.api.test_auth import bearer
from tests.houses import area_book
from tests.people import add_named, number_of
from tests.usecases.test_accounts import set_up

pytestmark = pytest.mark.anyio

WORKERS, GRANTS = "/api/v1/staff/workers", "/api/v1/staff/grants"
ELSEWHERE = "500236101"  # 奉节县
WHY = {"reason": "present", "words": "本人来窗口补办登记"}


@dataclass
class Office:
    """Three people, two at home in 巫山 and one in 奉节, and whoever of the staff a test needs."""

    house: House
    clock: FixedClock
    client: httpx.AsyncClient
    ours: int
    neighbour: int
    foreign: int
    _tokens: dict[str, str] = field(default_factory=dict)

    def staff(self, code: str, role: Role, district: str | None = None) -> dict[str, str]:
        if code not in self._tokens:
            self._tokens[code] = set_up(self.house, self.clock, code, role, district)[0]
        return bearer(self._tokens[code])

    async def listed(self, who: dict[str, str], **params: str) -> list[int]:
        answer = await self.client.get(WORKERS, params=params, headers=who)
        assert answer.status_code == 200, answer.text
        return [each["worker"] for each in answer.json()["people"]]

    async def look(self, worker: int, who: dict[str, str]) -> httpx.Response:
        return await self.client.get(f"{WORKERS}/{worker}", headers=who)

    async def unmask(self, worker: int, who: dict[str, str], reason: str = "contact") -> httpx.Response:
        return await self.client.post(f"{WORKERS}/{worker}/identity", json={"reason": reason}, headers=who)

    async def open(self, who: dict[str, str], *, key: str | None = None, **body: Any) -> httpx.Response:
        headers = who if key is None else {**who, "Idempotency-Key": key}
        return await self.client.post(GRANTS, json={**WHY, **body}, headers=headers)

    def acts(self, action: str) -> list[AuditEntry]:
        with read_session(self.house.engine) as session:
            chosen = select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id)
            return list(session.scalars(chosen))


@pytest.fixture
async def office(house: House, still_app: FastAPI, clock: FixedClock) -> AsyncIterator[Office]:
    house = replace(house, matchmaker=still_app.state.house.matchmaker)
    ours = add_named(house, name="张三丰", phone="19900000007")
    neighbour = add_named(house, name="李四")
    foreign = add_named(house, name="王五", home_area_code=ELSEWHERE)
    with write_session(house.engine) as session:
        for number, code in enumerate(("b-1", "b-2"), 1):
            session.add(Broker(id=number, code=code, area_code="500237102"))
        session.flush()
        # Their earlier broker has handed them on.
        session.add(Case(worker_id=ours, broker_id=2, valid_from=date(2026, 1, 1), valid_to=date(2026, 5, 31)))
        session.add(Case(worker_id=ours, broker_id=1, valid_from=date(2026, 6, 1), valid_to=None))
        session.add(Case(worker_id=foreign, broker_id=1, valid_from=date(2026, 1, 1), valid_to=date(2026, 11, 30)))
        add_spells(session, {ours: date(2026, 11, 1)}, source=SpellSource.IMPORT)
    async with caller(create_app(house)) as client:
        yield Office(house, clock, client, ours, neighbour, foreign)


async def test_each_sees_their_own_and_no_more_than_is_needed(office: Office) -> None:
    ours, neighbour, foreign = office.ours, office.neighbour, office.foreign
    for code, role, district, seen in (
        ("b-1", Role.BROKER, None, [ours]),
        ("b-2", Role.BROKER, None, []),
        ("k-01", Role.CLERK, "500237", [ours, neighbour]),
        ("o-02", Role.OFFICER, "500236", [foreign]),
        ("m-01", Role.MUNICIPAL, None, [ours, neighbour, foreign]),
    ):
        who = office.staff(code, role, district)
        assert await office.listed(who) == seen, code
        for worker in (ours, neighbour, foreign):
            assert (await office.look(worker, who)).status_code == (200 if worker in seen else 404), (code, worker)
    people = (await office.client.get(WORKERS, headers=office.staff("b-1", Role.BROKER))).json()["people"]
    assert people == [
        {
            "worker": ours,
            "name": "张**",
            "home": {"code": "500237102", "name": "巫山县 大昌镇"},
            "registered_on": "2026-11-01",
            "broker": "b-1",
        }
    ]
    one = await office.look(ours, office.staff("b-1", Role.BROKER))
    assert one.json() == {
        **people[0],
        "id_number": "9*****************",
        "phone": "199****0007",
        "birth_year": 1970,
        "open_until": None,
    }
    assert one.headers["cache-control"] == "no-store"
    assert (await office.look(10**6, office.staff("m-01", Role.MUNICIPAL))).json()["code"] == "worker_unknown"
    reads = [act for act in office.acts("read_identity") if act.actor == "broker/b-1"]
    assert {(act.subject, act.why) for act in reads} == {(f"workers/{ours}", "list"), (f"workers/{ours}", "look")}
    assert all(act.origin.startswith("sessions/") for act in reads)


async def test_a_list_goes_on_page_by_page(office: Office) -> None:
    who = office.staff("m-01", Role.MUNICIPAL)
    seen, token = [], ""
    for _ in range(4):
        page = (await office.client.get(WORKERS, params={"page_size": "2", "page_token": token}, headers=who)).json()
        seen += [each["worker"] for each in page["people"]]
        token = page["next_page_token"]
        if token is None:
            break
    assert seen == [office.ours, office.neighbour, office.foreign]
    strange = await office.client.get(WORKERS, params={"page_token": "WyJ3b3JrZXJzIiwtMV0"}, headers=who)
    assert (strange.status_code, strange.json()["code"]) == (422, "bad_page_token")


async def test_who_may_see_nobody_is_refused(office: Office) -> None:
    for code, role in (
        ("sys-01", Role.SYSTEM_ADMIN),
        ("sec-01", Role.SECURITY_ADMIN),
        ("ada-01", Role.AUDIT_ADMIN),
        ("au-01", Role.AUDITOR),
    ):
        who = office.staff(code, role)
        assert (await office.client.get(WORKERS, headers=who)).status_code == 403
        assert (await office.unmask(office.ours, who)).status_code == 403
        assert (await office.open(who, worker=office.ours)).status_code == 403
        assert (await office.client.get(GRANTS, headers=who)).status_code == 403
    assert (await office.client.get(WORKERS)).status_code == 401
    assert office.acts("read_identity") == []


async def test_unmasking_asks_why_and_for_a_fresh_factor_and_the_audit_tells(office: Office) -> None:
    who = office.staff("k-01", Role.CLERK, "500237")
    shown = await office.unmask(office.ours, who, "papers")
    assert shown.json() == {
        "worker": office.ours,
        "name": "张三丰",
        "id_number": number_of(office.ours),
        "phone": "19900000007",
    }
    (act,) = office.acts("unmask_worker")
    assert (act.actor, act.subject, act.why, act.detail) == (
        "clerk/k-01",
        f"workers/{office.ours}",
        "papers",
        "district",
    )
    assert act.origin.startswith("sessions/")
    assert number_of(office.ours) not in f"{act.subject}{act.detail}{act.why}"
    for reason in ("", "because", None):
        body = {} if reason is None else {"reason": reason}
        refused = await office.client.post(f"{WORKERS}/{office.ours}/identity", json=body, headers=who)
        assert refused.status_code == 422
    assert (await office.unmask(office.foreign, who)).status_code == 404
    broker = office.staff("b-1", Role.BROKER)
    assert (await office.unmask(office.ours, broker)).status_code == 200
    assert (await office.unmask(office.neighbour, broker)).status_code == 404
    assert [each.detail for each in office.acts("unmask_worker")] == ["district", "caseload"]
    office.clock.advance(timedelta(minutes=11))
    stale = await office.unmask(office.ours, broker)
    assert (stale.status_code, stale.json()["code"]) == (403, "factor_stale")


async def test_break_glass_opens_one_person_for_two_hours_to_one_account(office: Office) -> None:
    clerk = office.staff("k-01", Role.CLERK, "500237")
    opened = await office.open(clerk, number=number_of(office.foreign))
    assert (opened.status_code, opened.json()["worker"]) == (201, office.foreign)
    seen = await office.look(office.foreign, clerk)
    assert (seen.status_code, seen.json()["open_until"]) == (200, opened.json()["ends_at"])
    assert (await office.unmask(office.foreign, clerk)).json()["name"] == "王五"
    assert office.acts("unmask_worker")[-1].detail == "other"
    # Nobody else is opened, nor to anybody else; a list shows what is one's own.
    assert office.foreign not in await office.listed(clerk)
    colleague = office.staff("k-02", Role.CLERK, "500237")
    assert (await office.look(office.foreign, colleague)).status_code == 404
    office.clock.advance(timedelta(minutes=20))
    assert (await office.look(office.foreign, clerk)).status_code == 200
    for _ in range(4):
        office.clock.advance(timedelta(minutes=25))
        assert (await office.client.get("/api/v1/auth/sessions", headers=clerk)).status_code == 200
    assert (await office.look(office.foreign, clerk)).status_code == 404


async def test_the_home_district_the_city_and_the_person_are_told_and_nobody_else(office: Office) -> None:
    clerk = office.staff("k-01", Role.CLERK, "500237")
    await office.open(clerk, worker=office.foreign, reason="rights", words="张老板欠薪，当天要报")

    async def told(who: dict[str, str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await office.client.get(GRANTS, headers=who)).json()["grants"]
        return found

    (at_home,) = await told(office.staff("o-02", Role.OFFICER, "500236"))
    assert (at_home["by"], at_home["worker"], at_home["reason"], at_home["words"]) == (
        "clerk/k-01",
        office.foreign,
        "rights",
        "张老板欠薪，当天要报",
    )
    assert at_home["granted_at"] < at_home["ends_at"]
    assert len(await told(clerk)) == len(await told(office.staff("m-01", Role.MUNICIPAL))) == 1
    assert await told(office.staff("o-01", Role.OFFICER, "500237")) == []
    assert await told(office.staff("k-03", Role.CLERK, "500236")) == []
    assert (await office.client.get(GRANTS, headers=office.staff("b-1", Role.BROKER))).status_code == 403
    (act,) = office.acts("break_glass")
    assert (act.actor, act.subject, act.why) == ("clerk/k-01", f"workers/{office.foreign}", "rights")
    with read_session(office.house.engine) as session:
        assert "欠薪" not in session.scalars(select(Grant.words)).one()
        areas = area_book(office.house)
        (seen,), _ = list_own_accesses(session, office.foreign, areas=areas, limit=20)
        assert list_own_accesses(session, office.ours, areas=areas, limit=20)[0] == []
    assert (seen.who, seen.office) == ("驿站经办人", "巫山县")
    assert (seen.deed, seen.reason) == ("别的区县应急查看您的资料，两小时", GrantReason.RIGHTS.label)


async def test_break_glass_is_not_for_everything(office: Office) -> None:
    clerk = office.staff("k-01", Role.CLERK, "500237")
    for body, status, code in (
        ({"worker": office.ours}, 409, "grant_needless"),
        ({"worker": 10**6}, 404, "worker_unknown"),
        ({"number": number_of(office.foreign + 500)}, 404, "worker_unknown"),
        ({"number": "12345"}, 422, "invalid"),
        ({}, 422, "invalid"),
        ({"worker": office.foreign, "number": number_of(office.foreign)}, 422, "invalid"),
        ({"worker": office.foreign, "words": "急"}, 422, "invalid"),
        ({"worker": office.foreign, "reason": "curious"}, 422, "invalid"),
    ):
        refused = await office.open(clerk, **body)
        assert (refused.status_code, refused.json()["code"]) == (status, code), body
        assert number_of(office.foreign) not in refused.text
    for code, role in (("b-1", Role.BROKER), ("m-01", Role.MUNICIPAL)):
        assert (await office.open(office.staff(code, role), worker=office.foreign)).status_code == 403
    assert office.acts("break_glass") == []
    twice = [await office.open(clerk, key="g-1", worker=office.foreign) for _ in range(2)]
    assert twice[0].json() == twice[1].json()
    assert len(office.acts("break_glass")) == 1
    other = await office.open(clerk, key="g-1", worker=office.foreign, reason="check")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    office.clock.advance(timedelta(minutes=11))
    assert (await office.open(clerk, worker=office.foreign)).json()["code"] == "factor_stale"


async def test_nobody_breaks_glass_all_day(office: Office) -> None:
    clerk = office.staff("k-01", Role.CLERK, "500237")
    for _ in range(AN_ACCOUNTS_GRANTS.most):
        count_try(
            office.house.engine, {AN_ACCOUNTS_GRANTS: "clerk/k-01"}, keys=office.house.keys, now=office.clock.now()
        )
    refused = await office.open(clerk, worker=office.foreign)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
