"""A job-seeker's own things over HTTP: theirs alone, changed only where they may, taken home, and erased."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.domain.ledger import EntryKind
from app.domain.permissions import Role
from app.domain.pushes import PushState
from app.domain.sessions import LetInBy
from app.kit.database import read_session, write_session
from app.main import create_app
from app.store.audit import AuditEntry
from app.store.consents import Consent
from app.store.employers import Employer
from app.store.identities import find_by_phone
from app.store.pushes import Push
from app.store.workers import Worker
from app.usecases.kiosks import add_kiosk
from app.usecases.ledger import append_entry, list_entries
from app.usecases.sessions import Arrival, open_login
from app.wiring import House
from tests.api.conftest import caller
from tests.deliveries import Teller, add_people, post_of, push_to
from tests.houses import HOME_TOWNSHIP, add_posting

pytestmark = pytest.mark.anyio

PHONE = "19900000007"
ARRIVAL = Arrival(network="10.0.0.1", agent="test")
FORBIDDEN: dict[str, Any] = {
    "id": 1,
    "origin": "imported",
    "statuses": ["poverty_alleviated"],
    "birth_on": "1990-01-01",
    "sex": "male",
    "personalised": False,
    "name": "张三",
    "priority": "poverty_alleviated",
}


@dataclass
class Seeker:
    """Somebody who is logged in, with a push of theirs."""

    house: House
    client: httpx.AsyncClient
    worker: int
    token: str
    push: int

    async def call(self, method: str, path: str = "", body: object = None, **headers: str) -> httpx.Response:
        return await self.client.request(
            method, f"/api/v1/me{path}", json=body, headers={"Authorization": f"Bearer {self.token}", **headers}
        )

    def row(self) -> dict[str, Any]:
        with read_session(self.house.engine) as session:
            worker = session.scalars(select(Worker).where(Worker.id == self.worker)).one()
            return {column.name: getattr(worker, column.name) for column in Worker.__table__.columns}


@pytest.fixture
async def two(house: House, still_app: FastAPI) -> AsyncIterator[tuple[Seeker, Seeker]]:
    house = replace(house, matchmaker=still_app.state.house.matchmaker)
    posting = add_posting(house, title="小区保洁员")
    people, now = [], house.clock.now()
    with write_session(house.engine) as session:
        for phone in (PHONE, "19900000008"):
            (worker,) = add_people(session, 1, keys=house.keys, phone=phone)
            token = open_login(
                session, role=Role.SEEKER, worker_id=worker, let_in_by=LetInBy.SMS_CODE, arrival=ARRIVAL, now=now
            )
            people.append((worker, token, push_to(session, worker, posting, post_of(Teller()), keys=house.keys)))
    async with caller(create_app(house)) as client:
        one, other = (Seeker(house, client, worker, token, push) for worker, token, push in people)
        yield one, other


@pytest.fixture
def me(two: tuple[Seeker, Seeker]) -> Seeker:
    return two[0]


async def test_one_sees_what_is_on_record_with_names_and_numbers_masked(me: Seeker) -> None:
    answer = await me.call("GET")
    found = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert found["identity"] == {"name": "样*", "id_number": "9" + "*" * 17, "phone": "199****0007"}
    assert (found["home_name"], found["settings"]) == ("巫山县 大昌镇", {"personalised": True, "automated": True})
    assert (found["profile"]["home"], found["profile"]["max_km"], found["sex"]) == (HOME_TOWNSHIP, 30, "female")
    assert PHONE not in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *[("GET", path) for path in ("", "/settings", "/matches", "/pushes", "/consents", "/accesses", "/export")],
        *[("PUT", path) for path in ("", "/settings", "/consents")],
        ("DELETE", ""),
        ("POST", "/pushes/1/answer"),
    ],
)
async def test_nobody_comes_here_without_a_session_nor_staff_with_theirs(me: Seeker, method: str, path: str) -> None:
    refused = await me.client.request(method, f"/api/v1/me{path}", json={} if method in ("PUT", "POST") else None)
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    with write_session(me.house.engine) as session:
        employer = session.scalars(select(Employer.id)).first()
        token = open_login(
            session,
            role=Role.EMPLOYER,
            employer_id=employer,
            let_in_by=LetInBy.SMS_CODE,
            arrival=ARRIVAL,
            now=me.house.clock.now(),
        )
    strange = replace(me, token=token)
    body: object = {} if method in ("PUT", "POST") else None
    assert (await strange.call(method, path, body)).status_code == 403
    assert me.row()["updated_at"] == me.house.clock.now()


async def test_the_profile_is_changed_whole_and_the_audit_tells_which_fields(me: Seeker) -> None:
    profile = (await me.call("GET")).json()["profile"]
    wanted = {
        **profile,
        "current": "440300",
        "wants": ["看大门", "保洁", "看大门"],
        "limits": ["no_heights"],
        "kinds": ["full_time"],
        "pay_min_yuan_month": 2600,
        "available_on": "2026-12-24",
        "education": "junior",
        "home_by": 18,
    }
    done = await me.call("PUT", "", wanted)
    assert (done.status_code, done.json()) == (200, {**wanted, "wants": ["看大门", "保洁"]})
    assert (await me.call("GET")).json()["profile"] == done.json()
    assert (await me.call("GET")).json()["current_name"] == "广东省 深圳市"
    with read_session(me.house.engine) as session:
        (act,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "change_profile"))
    assert (act.actor, act.subject) == (f"seeker/{me.worker}", f"workers/{me.worker}")
    assert act.detail == "current wants kinds limits pay_min_yuan_month home_by available_on education"


@pytest.mark.parametrize("field", FORBIDDEN)
async def test_a_field_that_is_not_theirs_to_change_changes_nothing_anywhere(me: Seeker, field: str) -> None:
    profile = (await me.call("GET")).json()["profile"]
    before = me.row()
    bodies = {
        "": {**profile, "max_km": 5},
        "/settings": {"personalised": False, "automated": False},
        "/consents": {"consents": [{"purpose": "job_pushes", "channel": "sms", "given": False}]},
        f"/pushes/{me.push}/answer": {"answer": "interested"},
    }
    for path, body in bodies.items():
        if field in body:
            continue
        refused = await me.call("POST" if "pushes" in path else "PUT", path, {**body, field: FORBIDDEN[field]})
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "extra_forbidden"), path
    assert me.row() == before
    with read_session(me.house.engine) as session:
        assert session.scalars(select(Consent.ended_at).where(Consent.worker_id == me.worker)).all() == [None]
        assert session.scalars(select(Push.state).where(Push.id == me.push)).one() is PushState.QUEUED


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("home", "999999"),
        ("home", "500237"[:5]),
        ("current", "000000"),
        ("max_km", 0),
        ("max_km", 30.5),
        ("wants", ["x" * 61]),
        ("limits", ["no_work"]),
        ("available_on", "tomorrow"),
        ("home_by", 25),
    ],
)
async def test_what_cannot_be_is_refused_and_a_field_left_out_too(me: Seeker, field: str, value: object) -> None:
    profile = (await me.call("GET")).json()["profile"]
    before = me.row()
    wrong = await me.call("PUT", "", {**profile, field: value})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"].split(".")[0]) == (422, field)
    del profile[field]
    assert (await me.call("PUT", "", profile)).status_code == 422
    assert me.row() == before


async def test_a_write_that_is_sent_twice_is_done_once_and_a_key_is_its_owners_alone(
    two: tuple[Seeker, Seeker],
) -> None:
    me, other = two
    off, key = {"personalised": False, "automated": True}, {"Idempotency-Key": "k1"}
    first = await me.call("PUT", "/settings", off, **key)
    again = await me.call("PUT", "/settings", off, **key)
    assert (first.json(), again.json(), again.headers["idempotency-replayed"]) == (off, off, "true")
    reused = await me.call("PUT", "/settings", {**off, "automated": False}, **key)
    assert (reused.status_code, reused.json()["code"]) == (409, "idempotency_key_reused")
    theirs = await other.call("PUT", "/settings", {**off, "automated": False}, **key)
    assert (theirs.status_code, "idempotency-replayed" in theirs.headers) == (200, False)


async def test_the_list_is_ranked_until_the_person_turns_that_off_and_then_plain_by_distance(me: Seeker) -> None:
    ranked = (await me.call("GET", "/matches?page_size=5")).json()
    assert (ranked["personalised"], len(ranked["matches"]), ranked["postings"]) == (True, 5, [])
    await me.call("PUT", "/settings", {"personalised": False, "automated": True})
    plain = (await me.call("GET", "/matches?page_size=5")).json()
    assert (plain["personalised"], plain["matches"], plain["refused"]) == (False, [], {})
    assert "只按离家远近排" in plain["told"]
    away = [each["distance_km"] for each in plain["postings"]]
    assert (away, len(away)) == (sorted(away), 5)
    further = (await me.call("GET", f"/matches?page_size=5&page_token={plain['next_page_token']}")).json()
    assert not {each["posting"]["id"] for each in plain["postings"]} & {
        each["posting"]["id"] for each in further["postings"]
    }
    assert further["postings"][0]["distance_km"] >= away[-1]


async def test_a_push_is_answered_by_its_person_and_by_nobody_else(two: tuple[Seeker, Seeker]) -> None:
    me, other = two
    (mine,) = (await me.call("GET", "/pushes")).json()["pushes"]
    assert (mine["id"], mine["posting"]["title"], mine["answer"]) == (me.push, "小区保洁员", None)
    for path in (f"/pushes/{other.push}/answer", "/pushes/999999/answer"):
        missing = await me.call("POST", path, {"answer": "interested"})
        assert (missing.status_code, missing.json()["code"]) == (404, "push_not_found")
    for body in ({"answer": "unsuitable"}, {"answer": "interested", "why": "pay"}, {"answer": "maybe"}):
        assert (await me.call("POST", f"/pushes/{me.push}/answer", body)).status_code == 422
    with read_session(me.house.engine) as session:
        assert {push.state for push in session.scalars(select(Push))} == {PushState.QUEUED}
    await me.call("POST", f"/pushes/{me.push}/answer", {"answer": "seen"})
    done = await me.call("POST", f"/pushes/{me.push}/answer", {"answer": "unsuitable", "why": "too_far"})
    assert (done.status_code, done.json()) == (200, {"answer": "unsuitable", "why": "too_far"})
    with read_session(me.house.engine) as session:
        kinds = [entry.kind for entry in list_entries(session, worker_ids=[me.worker])]
        assert kinds == [EntryKind.PUSH, EntryKind.ANSWER, EntryKind.ANSWER]
        assert list_entries(session, worker_ids=[other.worker]) == []
    (mine,) = (await me.call("GET", "/pushes")).json()["pushes"]
    assert (mine["state"], mine["why"], mine["is_seen"]) == ("answered", "too_far", True)


async def test_lists_go_on_where_they_ended(me: Seeker) -> None:
    with write_session(me.house.engine) as session:
        posting = session.scalars(select(Push.posting_id)).first()
        assert posting is not None
        for number in range(4):
            push_to(session, me.worker, posting, post_of(Teller()), keys=me.house.keys, made_for=f"day {number}")
    seen: list[int] = []
    token = ""
    while True:
        page = (await me.call("GET", f"/pushes?page_size=2&page_token={token}")).json()
        seen += [each["id"] for each in page["pushes"]]
        token = page["next_page_token"]
        if token is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == 5
    assert (await me.call("GET", "/accesses?page_token=x")).json()["code"] == "bad_page_token"


async def test_consents_are_given_and_withdrawn_by_purpose_and_channel(me: Seeker) -> None:
    def held(document: dict[str, Any]) -> set[tuple[str, str]]:
        return {(each["purpose"], each["channel"]) for each in document["consents"] if each["given"]}

    assert held((await me.call("GET", "/consents")).json()) == {("job_pushes", "sms")}
    changed = await me.call(
        "PUT",
        "/consents",
        {
            "consents": [
                {"purpose": "policy_news", "channel": "sms", "given": True},
                {"purpose": "job_pushes", "channel": "sms", "given": False},
                {"purpose": "job_pushes", "channel": "inbox", "given": True},
            ]
        },
    )
    assert held(changed.json()) == {("policy_news", "sms"), ("job_pushes", "inbox")}
    first, *_ = changed.json()["history"]
    assert (first["ended_how"], first["ended_at"] is not None) == ("page", True)
    unbound = await me.call(
        "PUT", "/consents", {"consents": [{"purpose": "job_pushes", "channel": "wechat", "given": True}]}
    )
    assert (unbound.status_code, unbound.json()["code"]) == (409, "channel_unbound")
    for channel in ("slip", "visit"):
        body = {"consents": [{"purpose": "job_pushes", "channel": channel, "given": True}]}
        assert (await me.call("PUT", "/consents", body)).status_code == 422


async def test_one_is_told_who_looked_and_why_but_never_a_name(two: tuple[Seeker, Seeker]) -> None:
    me, other = two
    now = me.house.clock.now()
    with write_session(me.house.engine) as session:
        for subject in (f"workers/{me.worker}", f"workers/{other.worker}"):
            session.add(
                AuditEntry(
                    happened_at=now,
                    actor="clerk/wang-01",
                    action="read_identity",
                    subject=subject,
                    detail="print a slip",
                )
            )
    await me.call("GET")
    await me.call("PUT", "/settings", {"personalised": False, "automated": True})
    answer = await me.call("GET", "/accesses")
    told = [(each["who"], each["deed"], each["reason"], each["is_own"]) for each in answer.json()["accesses"]]
    assert told == [
        ("您本人", "改了推荐的设置", "", True),
        ("驿站经办人", "看了您的姓名、证件号和电话", "给您打印岗位单子", False),
        ("系统", "记下您同意", "送合适的活，短信", False),
    ]
    assert "wang" not in answer.text


async def test_everything_is_taken_home_as_it_is_and_the_taking_is_told(two: tuple[Seeker, Seeker]) -> None:
    me, other = two
    now = me.house.clock.now()
    with write_session(me.house.engine) as session:
        for worker in (me.worker, other.worker):
            append_entry(
                session,
                kind=EntryKind.GUIDANCE,
                worker_id=worker,
                happened_at=now,
                now=now,
                actor="broker/3",
                facts={"minutes": 12, "said": True},
                note=f"想在家门口做，{worker}号",
                keys=me.house.keys,
            )
    answer = await me.call("GET", "/export")
    assert answer.headers["content-disposition"] == 'attachment; filename="jiujin-my-data.json"'
    found = answer.json()
    assert (found["identity"]["name"], found["identity"]["phone"]) == ("样例", PHONE)
    assert [entry["note"] for entry in found["ledger"]] == [f"想在家门口做，{me.worker}号"]
    assert [push["id"] for push in found["pushes"]] == [me.push]
    assert (len(found["consents"]), len(found["sessions"]), found["worker"]) == (1, 1, me.worker)
    assert "19900000008" not in answer.text
    deeds = [each["deed"] for each in (await me.call("GET", "/accesses")).json()["accesses"]]
    assert "看了谈话记录" in deeds


async def test_who_erases_themselves_is_gone_and_nobody_else_is(two: tuple[Seeker, Seeker]) -> None:
    me, other = two
    erased = await me.call("DELETE")
    assert (erased.status_code, erased.content) == (204, b"")
    assert (await me.call("GET")).status_code == 401
    assert (await other.call("GET")).json()["identity"]["name"] == "样*"
    with read_session(me.house.engine) as session:
        assert find_by_phone(session, PHONE, keys=me.house.keys) == []
        acts = session.scalars(select(AuditEntry.action).where(AuditEntry.subject == f"workers/{me.worker}")).all()
    assert "erase_worker" in acts


async def test_who_was_let_in_by_a_clerk_looks_and_changes_but_takes_and_erases_nothing(me: Seeker) -> None:
    with write_session(me.house.engine) as session:
        now = me.house.clock.now()
        add_kiosk(session, code="k-1", station="样例驿站", area_code=HOME_TOWNSHIP, actor="office", now=now)
        token = open_login(
            session,
            role=Role.SEEKER,
            worker_id=me.worker,
            let_in_by=LetInBy.CLERK,
            arrival=replace(ARRIVAL, kiosk="k-1"),
            now=me.house.clock.now(),
        )
    assisted = replace(me, token=token)
    for method, path in (("GET", "/export"), ("DELETE", "")):
        refused = await assisted.call(method, path)
        assert (refused.status_code, refused.json()["code"]) == (403, "own_hand_only")
    assert (await assisted.call("GET")).json()["identity"]["name"] == "样*"
    assert (await assisted.call("PUT", "/settings", {"personalised": True, "automated": False})).status_code == 200
