"""Kiosks over HTTP: a device key opens its doors, a person comes in by card, phone or with a clerk, and leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.domain.identities import birth_date_of, sex_of
from app.domain.kiosks import A_KIOSKS_SESSIONS, A_KIOSKS_WRONG_CARDS
from app.domain.permissions import Role
from app.domain.phone_codes import A_NUMBER
from app.kit.clock import FixedClock
from app.kit.database import read_session, write_session
from app.kit.tokens import token_digest
from app.main import create_app
from app.store.audit import AuditEntry
from app.store.brokers import Broker, Case
from app.store.kiosks import Kiosk
from app.store.sessions import LoginSession
from app.usecases.kiosks import add_kiosk
from app.usecases.tries import count_try
from app.wiring import House
from tests.api.conftest import caller
from tests.api.test_auth import bearer
from tests.deliveries import Teller
from tests.people import add_named, number_of
from tests.usecases.test_accounts import set_up

pytestmark = pytest.mark.anyio

PHONE = "19900000007"
KIOSKS = "/api/v1/staff/kiosks"
STAYS = "/api/v1/kiosk/sessions"


@dataclass
class Station:
    """A kiosk at a station, the person before it, and whoever looks after it."""

    house: House
    teller: Teller
    client: httpx.AsyncClient
    clock: FixedClock
    key: dict[str, str]
    person: int
    _admin: dict[str, str] | None = None

    def admin(self) -> dict[str, str]:
        """An administrator of systems, made when first asked for: choosing a password takes its time."""
        if self._admin is None:
            self._admin = bearer(set_up(self.house, self.clock, "sys-01", Role.SYSTEM_ADMIN)[0])
        return self._admin

    async def let_in(self, **body: Any) -> httpx.Response:
        return await self.client.post(STAYS, json=body, headers=self.key)

    async def by_card(self, **given: Any) -> httpx.Response:
        return await self.let_in(by="card", card=card_of(self.person, **given))

    async def is_in(self, token: str) -> bool:
        answer = await self.client.get("/api/v1/auth/sessions", headers=bearer(token))
        return answer.status_code == 200

    def acts(self, action: str) -> list[AuditEntry]:
        with read_session(self.house.engine) as session:
            chosen = select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id)
            return list(session.scalars(chosen))


def card_of(person: int, **given: Any) -> dict[str, Any]:
    number = number_of(person)
    return {
        "name": "样例",
        "sex": sex_of(number),
        "birthday": birth_date_of(number).isoformat(),
        "address": "重庆市巫山县大昌镇",
        "number": number,
        "valid_until": "2036-12-01",
        **given,
    }


@pytest.fixture
async def station(house: House, still_app: FastAPI, clock: FixedClock) -> AsyncIterator[Station]:
    teller = Teller()
    house = replace(house, senders=(teller,), matchmaker=still_app.state.house.matchmaker)
    person = add_named(house, phone=PHONE)
    with write_session(house.engine) as session:
        key = add_kiosk(
            session, code="K-1", station="大昌镇零工驿站", area_code="500237102", actor="office", now=clock.now()
        )
    async with caller(create_app(house)) as client:
        yield Station(house, teller, client, clock, bearer(key), person)


async def test_a_card_lets_its_bearer_in_for_ten_minutes_and_nothing_of_it_is_kept(
    station: Station, clock: FixedClock
) -> None:
    entered = await station.by_card()
    assert entered.status_code == 200
    said = entered.json()
    assert (said["let_in_by"], said["good_for_s"], said["idle_s"], said["people"]) == ("card", 600, 180, [])
    assert entered.headers["cache-control"] == "no-store"
    listed = (await station.client.get("/api/v1/auth/sessions", headers=bearer(said["token"]))).json()
    assert (listed["role"], listed["sessions"][0]["let_in_by"]) == ("seeker", "card")
    with read_session(station.house.engine) as session:
        login = session.scalars(select(LoginSession).order_by(LoginSession.id.desc())).first()
        assert login is not None
        assert (login.worker_id, login.actor) == (station.person, "kiosk/K-1")
        written = "".join(
            f"{act.actor}{act.action}{act.subject}{act.detail}{act.why}{act.origin}"
            for act in session.scalars(select(AuditEntry))
        )
    assert number_of(station.person) not in written
    assert "样例" not in written
    (act,) = [each for each in station.acts("log_in") if each.why == "card"]
    assert (act.actor, act.subject, act.origin) == (
        f"seeker/{station.person}",
        f"workers/{station.person}",
        "kiosk/K-1",
    )
    (read,) = station.acts("read_identity")
    assert (read.actor, read.why, read.origin) == ("kiosk/K-1", "card", "kiosk/K-1")
    for _ in range(4):
        clock.advance(timedelta(minutes=2, seconds=25))
        assert await station.is_in(said["token"])
    clock.advance(timedelta(seconds=25))
    assert not await station.is_in(said["token"])


async def test_no_answer_of_a_kiosk_tells_what_somebody_is_registered_as(station: Station) -> None:
    entered = await station.by_card()
    assert set(entered.json()) == {"token", "let_in_by", "good_for_s", "idle_s", "people"}


async def test_who_touches_nothing_for_three_minutes_is_out(station: Station, clock: FixedClock) -> None:
    token = (await station.by_card()).json()["token"]
    clock.advance(timedelta(minutes=3, seconds=1))
    assert not await station.is_in(token)


async def test_a_card_that_cannot_be_is_refused_and_never_said_back(station: Station) -> None:
    other_sex = "female" if sex_of(number_of(station.person)) == "male" else "male"
    for given, field in (
        ({"number": number_of(station.person)[:-1] + "?"}, "number"),
        ({"birthday": "1971-01-01"}, "birthday"),
        ({"sex": other_sex}, "sex"),
        ({"valid_until": "2026-11-30"}, "valid_until"),
    ):
        refused = await station.by_card(**given)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)
        assert number_of(station.person) not in refused.text
    acts = station.acts("card_refused")
    assert {(act.actor, act.subject) for act in acts} == {("kiosk/K-1", "kiosks/K-1")}
    assert [act.why for act in acts] == ["card_number_wrong", "card_birthday_wrong", "card_sex_wrong", "card_expired"]
    assert station.acts("read_identity") == []


async def test_a_card_is_good_on_its_last_day_and_one_for_good_for_good(station: Station) -> None:
    assert (await station.by_card(valid_until="2026-12-01")).status_code == 200
    assert (await station.by_card(valid_until="长期")).status_code == 200


async def test_more_than_the_neutral_shape_is_not_taken(station: Station) -> None:
    for given in ({"photo": "AAAA"}, {"nation": "汉"}, {"sex": "x"}, {"valid_until": 20361201}, {"birthday": 0}):
        assert (await station.by_card(**given)).status_code == 422


async def test_nobody_on_record_and_another_name_are_one_answer(station: Station) -> None:
    unknown = await station.let_in(by="card", card=card_of(station.person + 1))
    other = await station.by_card(name="李四")
    assert unknown.status_code == other.status_code == 404
    assert unknown.json() == other.json()
    assert unknown.json()["code"] == "person_unknown"
    assert (await station.by_card(name=" 样 例 ")).status_code == 200


async def test_after_many_wrong_cards_a_kiosk_reads_none_and_right_ones_do_not_count(station: Station) -> None:
    for _ in range(3):
        assert (await station.by_card()).status_code == 200
    tried = {A_KIOSKS_WRONG_CARDS: "K-1"}
    for _ in range(A_KIOSKS_WRONG_CARDS.most - 1):
        count_try(station.house.engine, tried, keys=station.house.keys, now=station.house.clock.now())
    assert (await station.by_card(name="李四")).status_code == 404
    refused = await station.by_card()
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert int(refused.headers["retry-after"]) > 0


async def test_a_kiosk_lets_no_more_in_than_stand_before_it(station: Station) -> None:
    tried = {A_KIOSKS_SESSIONS: "K-1"}
    for _ in range(A_KIOSKS_SESSIONS.most):
        count_try(station.house.engine, tried, keys=station.house.keys, now=station.house.clock.now())
    assert (await station.by_card()).status_code == 429


async def test_who_is_shut_out_by_phone_gets_in_at_the_station(station: Station, clock: FixedClock) -> None:
    for limit in A_NUMBER:
        for _ in range(limit.most):
            count_try(station.house.engine, {limit: PHONE}, keys=station.house.keys, now=clock.now())
    shut = await station.client.post("/api/v1/auth/otp", json={"phone": PHONE})
    assert shut.status_code == 429
    assert (await station.by_card()).status_code == 200
    clerk = set_up(station.house, clock, "k-01", Role.CLERK, "500237")[0]
    helped = await station.let_in(by="clerk", clerk=clerk, number=number_of(station.person))
    assert (helped.status_code, helped.json()["let_in_by"]) == (200, "clerk")


async def test_a_code_on_the_phone_works_at_the_kiosk_too(station: Station) -> None:
    asked = await station.client.post("/api/v1/auth/otp", json={"phone": PHONE})
    ticket, code = asked.json()["ticket"], station.teller.sent[-1].values["code"]
    wrong = await station.let_in(by="phone", ticket=ticket, code=f"{(int(code) + 1) % 1_000_000:06d}")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "code_wrong")
    entered = await station.let_in(by="phone", ticket=ticket, code=code)
    assert (entered.status_code, entered.json()["let_in_by"]) == (200, "sms_code")
    assert await station.is_in(entered.json()["token"])
    assert station.acts("log_in")[-1].origin == "kiosk/K-1"
    with read_session(station.house.engine) as session:
        login = session.scalars(
            select(LoginSession).where(LoginSession.digest == token_digest(entered.json()["token"]))
        ).one()
    assert (login.actor, login.ends_at - login.opened_at) == ("kiosk/K-1", timedelta(minutes=10))


async def test_who_shares_a_phone_says_at_the_kiosk_who_they_are(station: Station) -> None:
    add_named(station.house, phone=PHONE)
    asked = await station.client.post("/api/v1/auth/otp", json={"phone": PHONE})
    ticket, code = asked.json()["ticket"], station.teller.sent[-1].values["code"]
    entered = (await station.let_in(by="phone", ticket=ticket, code=code)).json()
    assert (entered["token"], entered["let_in_by"], len(entered["people"])) == (None, None, 2)
    chosen = await station.let_in(by="phone", ticket=ticket, person=entered["people"][0]["person"])
    assert await station.is_in(chosen.json()["token"])


async def test_an_employers_code_opens_nothing_at_a_kiosk(station: Station) -> None:
    asked = await station.client.post("/api/v1/auth/otp", json={"phone": PHONE, "purpose": "employer"})
    ticket, code = asked.json()["ticket"], station.teller.sent[-1].values["code"]
    refused = await station.let_in(by="phone", ticket=ticket, code=code)
    assert (refused.status_code, refused.json()["code"]) == (401, "code_wrong")


async def test_a_clerk_helps_people_of_their_district_and_a_broker_their_cases(
    station: Station, clock: FixedClock
) -> None:
    with write_session(station.house.engine) as session:
        for broker_id, broker in enumerate(("b-1", "b-2"), 1):
            session.add(Broker(id=broker_id, code=broker, area_code="500237102"))
        session.flush()
        session.add(Case(worker_id=station.person, broker_id=1, valid_from=date(2026, 1, 1), valid_to=None))
    number = number_of(station.person)
    for code, role, district, status in (
        ("k-01", Role.CLERK, "500237", 200),
        ("k-02", Role.CLERK, "500236", 404),
        ("b-1", Role.BROKER, None, 200),
        ("b-2", Role.BROKER, None, 404),
        ("o-01", Role.OFFICER, "500237", 403),
        ("sec-01", Role.SECURITY_ADMIN, None, 403),
    ):
        token = set_up(station.house, clock, code, role, district)[0]
        answer = await station.let_in(by="clerk", clerk=token, number=number)
        assert answer.status_code == status, code
    assert [(act.actor, act.subject, act.origin) for act in station.acts("assist_at_kiosk")] == [
        ("clerk/k-01", f"workers/{station.person}", "kiosk/K-1"),
        ("broker/b-1", f"workers/{station.person}", "kiosk/K-1"),
    ]
    assert [(act.actor, act.subject) for act in station.acts("assist_refused")] == [
        ("clerk/k-02", "kiosks/K-1"),
        ("broker/b-2", "kiosks/K-1"),
    ]
    nobody = await station.let_in(by="clerk", clerk="x" * 43, number=number)
    assert (nobody.status_code, nobody.json()["code"]) == (403, "clerk_refused")
    bad = await station.let_in(by="clerk", clerk="x" * 43, number="12345")
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "number")


async def test_each_way_takes_its_own_members(station: Station) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"by": "card"}, "card"),
        ({"by": "phone"}, "ticket"),
        ({"by": "phone", "ticket": "t" * 20}, "code"),
        ({"by": "phone", "ticket": "t" * 20, "code": "1", "person": "2"}, "code"),
        ({"by": "clerk", "number": "1"}, "clerk"),
        ({"by": "clerk", "number": "1", "clerk": "c" * 20, "code": "1"}, "code"),
        ({"by": "face"}, "by"),
        ({}, "by"),
    ]
    for body, field in wrong:
        refused = await station.let_in(**body)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)


async def test_the_next_one_sends_the_one_before_away_and_so_does_leaving(station: Station) -> None:
    first = (await station.by_card()).json()["token"]
    second = (await station.by_card()).json()["token"]
    assert not await station.is_in(first)
    assert await station.is_in(second)
    left = await station.client.delete(STAYS, headers=station.key)
    assert left.json() == {"ended": 1}
    assert not await station.is_in(second)
    assert (await station.client.delete(STAYS, headers=station.key)).json() == {"ended": 0}


async def test_a_revoked_key_opens_nothing_and_whom_it_let_in_is_out(station: Station) -> None:
    token = (await station.by_card()).json()["token"]
    revoked = await station.client.post(f"{KIOSKS}/K-1/revoke", headers=station.admin())
    assert revoked.json() == {"kiosk": "K-1", "ended": 1}
    assert not await station.is_in(token)
    assert (await station.by_card()).status_code == 401
    beat = await station.client.post(
        "/api/v1/kiosk/heartbeat", json={"now": "2026-12-01T10:00:00+08:00"}, headers=station.key
    )
    assert (beat.status_code, beat.json()["code"]) == (401, "unauthenticated")
    again = await station.client.post(f"{KIOSKS}/K-1/revoke", headers=station.admin())
    assert again.json() == {"kiosk": "K-1", "ended": 0}
    renewed = await station.client.post(f"{KIOSKS}/K-1/key", headers=station.admin())
    assert (await station.by_card()).status_code == 401
    station.key = bearer(renewed.json()["key"])
    assert (await station.by_card()).status_code == 200


async def test_a_session_that_was_being_opened_while_the_key_was_taken_back_holds_no_request(
    station: Station, clock: FixedClock
) -> None:
    token = (await station.by_card()).json()["token"]
    clock.advance(timedelta(seconds=5))
    with write_session(station.house.engine) as session:
        # Taken back by another hand, which knows nothing of sessions.
        session.scalars(select(Kiosk)).one().revoked_at = clock.now()
    assert not await station.is_in(token)


async def test_a_new_key_ends_what_the_old_one_opened(station: Station, clock: FixedClock) -> None:
    token = (await station.by_card()).json()["token"]
    clock.advance(timedelta(seconds=5))
    renewed = await station.client.post(f"{KIOSKS}/K-1/key", headers=station.admin())
    assert not await station.is_in(token)
    station.key = bearer(renewed.json()["key"])
    assert await station.is_in((await station.by_card()).json()["token"])


async def test_a_key_is_good_for_a_year(station: Station, clock: FixedClock) -> None:
    clock.advance(timedelta(days=366))
    assert (await station.by_card()).status_code == 401


async def test_a_heartbeat_tells_the_time_and_how_far_off_the_device_is(station: Station) -> None:
    for told, drift_s in (
        ("2026-12-01T10:00:07+08:00", 7),
        ("2026-12-01T01:59:00Z", -60),
        ("0001-01-01T00:00:00+00:00", -63_931_687_200),
    ):
        beat = await station.client.post("/api/v1/kiosk/heartbeat", json={"now": told}, headers=station.key)
        assert beat.status_code == 200
        assert beat.json() == {"now": "2026-12-01T10:00:00+08:00", "drift_s": drift_s}
    (kiosk,) = (await station.client.get(KIOSKS, headers=station.admin())).json()["kiosks"]
    assert (kiosk["kiosk"], kiosk["seen_at"] is not None, kiosk["drift_s"]) == ("K-1", True, -10_000_000_000)
    for bad in ({"now": "2026-12-01T10:00:00"}, {"now": 1}, {}, {"now": "2026-12-01T10:00:00Z", "x": 1}):
        refused = await station.client.post("/api/v1/kiosk/heartbeat", json=bad, headers=station.key)
        assert refused.status_code == 422


async def test_only_an_administrator_of_systems_keeps_kiosks(station: Station, clock: FixedClock) -> None:
    body = {"kiosk": "K-2", "station": "官渡镇零工驿站", "area": "500237"}
    for code, role, district in (
        ("sec-01", Role.SECURITY_ADMIN, None),
        ("aud-01", Role.AUDIT_ADMIN, None),
        ("o-01", Role.OFFICER, "500237"),
    ):
        who = bearer(set_up(station.house, clock, code, role, district)[0])
        assert (await station.client.post(KIOSKS, json=body, headers=who)).status_code == 403
        assert (await station.client.get(KIOSKS, headers=who)).status_code == 403
    assert (await station.client.post(KIOSKS, json=body, headers=station.key)).status_code == 401
    assert (await station.client.post(STAYS, json={"by": "card"}, headers=station.admin())).status_code == 401
    assert (await station.client.post(KIOSKS, json=body, headers=station.admin())).status_code == 201
    again = await station.client.post(KIOSKS, json=body, headers=station.admin())
    assert (again.status_code, again.json()["code"]) == (409, "kiosk_exists")
    for wrong in ({"kiosk": "K 3"}, {"area": "420000"}, {"area": "5002"}, {"station": " "}):
        refused = await station.client.post(KIOSKS, json={**body, "kiosk": "K-3", **wrong}, headers=station.admin())
        assert refused.status_code == 422, wrong
    unknown = await station.client.post(f"{KIOSKS}/K-9/revoke", headers=station.admin())
    assert (unknown.status_code, unknown.json()["code"]) == (404, "kiosk_unknown")
    first = (await station.client.get(KIOSKS, params={"page_size": "1"}, headers=station.admin())).json()
    more = {"page_token": first["next_page_token"]}
    second = (await station.client.get(KIOSKS, params=more, headers=station.admin())).json()
    assert [each["kiosk"] for each in (*first["kiosks"], *second["kiosks"])] == ["K-1", "K-2"]
    assert second["next_page_token"] is None
    clock.advance(timedelta(minutes=12))
    stale = await station.client.post(f"{KIOSKS}/K-1/revoke", headers=station.admin())
    assert (stale.status_code, stale.json()["code"]) == (403, "factor_stale")
