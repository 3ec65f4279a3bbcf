"""The board's question, with a key: a broker sees their own cases, a district its own, nobody more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app.kit.clock import FixedClock
from app.kit.database import read_session, write_session
from app.kit.errors import Invalid, Unauthenticated
from app.main import create_app
from app.store.audit import AuditEntry
from app.store.brokers import Broker, Case
from app.store.staff_keys import StaffKey
from app.usecases.obligations import BrokerUnknown, DistrictUnknown
from app.usecases.staff_keys import GOOD_FOR, issue_staff_key, revoke_staff_keys, staff_of
from app.wiring import House
from tests.api.conftest import caller
from tests.houses import add_posting, with_matchmaker
from tests.usecases.test_obligations import DAY, FULING_TOWNSHIP, TODAY, register

pytestmark = pytest.mark.anyio

DUE = "/api/v1/staff/due"


@pytest.fixture
def cared_for(house: House) -> list[int]:
    """Three who are late: two at 大昌镇, the first in the care of b-7, and one in 涪陵区 in that of b-8."""
    people = [
        register(house, on=TODAY - 40 * DAY),
        register(house, on=TODAY - 39 * DAY),
        register(house, on=TODAY - 38 * DAY, home_area_code=FULING_TOWNSHIP),
    ]
    with write_session(house.engine) as session:
        brokers = [Broker(code=code, area_code="500237") for code in ("b-7", "b-8")]
        session.add_all(brokers)
        session.flush()
        for person, broker in ((people[0], brokers[0]), (people[2], brokers[1])):
            session.add(Case(worker_id=person, broker_id=broker.id, valid_from=TODAY - DAY, valid_to=None))
    return people


@pytest.fixture
async def board(house: House, cared_for: list[int]) -> AsyncIterator[httpx.AsyncClient]:
    assert cared_for
    for _ in range(5):
        add_posting(house)
    async with caller(create_app(with_matchmaker(house))) as client:
        yield client


def key_of(house: House, actor: str, district: str | None = None) -> dict[str, str]:
    with write_session(house.engine) as session:
        token = issue_staff_key(session, actor, district=district, now=house.clock.now())
    return {"Authorization": f"Bearer {token}"}


async def asked(board: httpx.AsyncClient, headers: dict[str, str], **query: Any) -> Any:
    answer = await board.get(DUE, params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json()


def workers_in(document: Any) -> list[int]:
    return [person["worker"] for person in document["people"]]


async def test_a_broker_sees_their_own_cases_and_what_to_do_next(
    board: httpx.AsyncClient, house: House, cared_for: list[int]
) -> None:
    document = await asked(board, key_of(house, "broker/b-7"))
    assert (workers_in(document), document["registered"], document["overdue"]) == ([cared_for[0]], 1, 1)
    (person,) = document["people"]
    assert (person["state"], person["broker"], person["home"]["name"]) == ("overdue", "b-7", "巫山县 大昌镇")
    steps = {step["service"]: step for step in person["next"]}
    assert list(steps) == ["briefing", "guidance", "push", "training"]
    assert (steps["push"]["missing"], len(set(steps["push"]["postings"]))) == (3, 3)
    assert steps["push"]["text"].startswith("送岗位：编号 ")


async def test_a_broker_who_asks_for_another_ones_cases_is_told_there_is_no_such_broker(
    board: httpx.AsyncClient, house: House, cared_for: list[int]
) -> None:
    headers = key_of(house, "broker/b-7")
    assert workers_in(await asked(board, headers, broker="b-7")) == [cared_for[0]]
    answer = await board.get(DUE, params={"broker": "b-8"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "broker_unknown")


async def test_a_district_is_seen_by_its_own_and_the_city_by_who_may(
    board: httpx.AsyncClient, house: House, cared_for: list[int]
) -> None:
    clerk, officer = key_of(house, "clerk/k-1", "500237"), key_of(house, "officer/o-1")
    assert workers_in(await asked(board, clerk)) == cared_for[:2]
    assert workers_in(await asked(board, clerk, broker="b-8")) == []
    answer = await board.get(DUE, params={"district": "500102"}, headers=clerk)
    assert (answer.status_code, answer.json()["code"]) == (404, "district_unknown")
    assert workers_in(await asked(board, officer)) == cared_for
    assert workers_in(await asked(board, officer, district="500102")) == cared_for[2:]
    groups = (await asked(board, officer, by="district"))["groups"]
    assert {(group["name"], group["overdue"]) for group in groups} == {("巫山县", 2), ("涪陵区", 1)}
    assert {group["key"] for group in (await asked(board, officer, by="broker"))["groups"]} == {"b-7", "b-8", ""}


@pytest.mark.parametrize("by", ["person", "broker", "village", "district"])
async def test_pages_follow_each_other_without_a_gap(board: httpx.AsyncClient, house: House, by: str) -> None:
    headers = key_of(house, "officer/o-1")
    whole = await asked(board, headers, by=by)
    rows, token = [], ""
    while True:
        page = await asked(board, headers, by=by, page_size=1, page_token=token)
        rows += page["people"] + page["groups"]
        assert page["overdue"] == whole["overdue"]
        token = page["next_page_token"]
        if token is None:
            break
    assert rows == whole["people"] + whole["groups"]
    answer = await board.get(DUE, params={"by": "person", "page_token": "eA"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_page_token")


@pytest.mark.parametrize("sent", [None, "Bearer wrong", "Bearer ", "Basic eDp5", "Bearer " + "x" * 5_000])
async def test_without_a_good_key_nothing_is_told(board: httpx.AsyncClient, sent: str | None) -> None:
    answer = await board.get(DUE, headers={} if sent is None else {"Authorization": sent})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "people" not in answer.json()


async def test_a_key_ends_when_it_is_revoked(board: httpx.AsyncClient, house: House) -> None:
    headers = key_of(house, "broker/b-7")
    other = key_of(house, "broker/b-8")
    await asked(board, headers)
    with write_session(house.engine) as session:
        assert revoke_staff_keys(session, "broker/b-7", now=house.clock.now()) == 1
        assert revoke_staff_keys(session, "broker/b-7", now=house.clock.now()) == 0
    assert (await board.get(DUE, headers=headers)).status_code == 401
    await asked(board, other)


@pytest.mark.usefixtures("cared_for")
def test_a_key_is_good_for_its_days_is_kept_as_a_digest_and_leaves_a_trace(house: House) -> None:
    token = key_of(house, "clerk/k-1", "500237")["Authorization"].removeprefix("Bearer ")
    later = FixedClock(house.clock.now() + GOOD_FOR)
    with read_session(house.engine) as session:
        staff = staff_of(session, token, now=later.now() - timedelta(seconds=1))
        assert (staff.actor, staff.broker, staff.district) == ("clerk/k-1", None, "500237")
        with pytest.raises(Unauthenticated):
            staff_of(session, token, now=later.now())
        (row,) = session.scalars(select(StaffKey)).all()
        assert token not in vars(row).values()
        trace = session.scalars(select(AuditEntry).where(AuditEntry.action == "issue_staff_key")).one()
        assert (trace.subject, trace.detail) == ("clerk/k-1", "500237")


@pytest.mark.parametrize(
    ("actor", "district", "told"),
    [
        ("broker/b-7", "500237", "district_needless"),
        ("clerk/k-1", None, "district_missing"),
        ("mayor/m-1", None, "writer_wrong"),
    ],
)
@pytest.mark.usefixtures("cared_for")
def test_a_key_that_would_open_too_much_or_nothing_is_not_made(
    house: House, actor: str, district: str | None, told: str
) -> None:
    with pytest.raises(Invalid) as refused:
        key_of(house, actor, district)
    assert [field.code for field in refused.value.fields] == [told]
    with pytest.raises(BrokerUnknown):
        key_of(house, "broker/b-99")
    with pytest.raises(DistrictUnknown):
        key_of(house, "officer/o-1", "500999")


@pytest.mark.usefixtures("cared_for")
async def test_before_the_index_is_built_it_says_so(house: House) -> None:
    async with caller(create_app(replace(house, matchmaker=None))) as client:
        answer = await client.get(DUE, headers=key_of(house, "officer/o-1"))
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
