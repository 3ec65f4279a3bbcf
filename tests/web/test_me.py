"""The pages behind the door: coming in, seeing and changing what is one's own, and going for good."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app.domain.consents import Purpose
from app.domain.ledger import Channel
from app.domain.permissions import Role
from app.domain.sessions import STAYS, LetInBy, SessionEnd
from app.kit.database import read_session, write_session
from app.main import create_app
from app.store.audit import AuditEntry
from app.store.consents import list_consents
from app.store.identities import find_by_phone
from app.store.sessions import LoginSession
from app.store.workers import Worker
from app.usecases.sessions import Arrival, open_login
from app.wiring import House
from tests.deliveries import Teller, add_people, post_of, push_to
from tests.houses import add_posting
from tests.web.documents import Document
from tests.web.streets import phone

pytestmark = pytest.mark.anyio

PHONE = "19900000007"
OWN = (
    *("/me", "/me/jobs", "/me/data", "/me/accesses", "/me/consents", "/me/sessions", "/me/settings"),
    *("/me/edit", "/me/edit/home", "/me/export", "/me/erase"),
)
COOKIE = "jiujin_session"


@dataclass
class Village:
    """A house with two people, one of whom was sent a job, and the phone of the first."""

    house: House
    teller: Teller
    reader: httpx.AsyncClient
    worker: int
    other: int

    async def log_in(self, back: str = "") -> httpx.Response:
        await self.reader.post("/login", data={"phone": PHONE, "back": back})
        entered = await self.reader.post("/login/code", data={"code": self.code(), "back": back})
        # Where they are led, from which they go on.
        await self.reader.get("/me")
        return entered

    def code(self) -> str:
        return self.teller.sent[-1].values["code"]

    async def read(self, path: str) -> Document:
        page = await self.reader.get(path)
        assert page.status_code == 200, (path, page.status_code, page.headers.get("location"))
        assert page.headers["cache-control"] == "no-store", path
        return Document(page.text)

    def row(self) -> dict[str, Any]:
        with read_session(self.house.engine) as session:
            worker = session.scalars(select(Worker).where(Worker.id == self.worker)).one()
            return {column.name: getattr(worker, column.name) for column in Worker.__table__.columns}


@pytest.fixture
async def village(house: House, street: House) -> AsyncIterator[Village]:
    # The street's index, and postings of the same numbers in this database: building an index takes half a second.
    teller = Teller()
    house = replace(house, senders=(teller,), matchmaker=street.matchmaker)
    posting = add_posting(house, title="小区保洁员")
    with write_session(house.engine) as session:
        (worker,) = add_people(session, 1, keys=house.keys, phone=PHONE)
        (other,) = add_people(session, 1, keys=house.keys)
        push_to(session, worker, posting, post_of(Teller()), keys=house.keys)
    async with phone(create_app(house)) as client:
        yield Village(house, teller, client, worker, other)


# --- the door ---------------------------------------------------------------------------------------------------------


async def test_who_is_not_logged_in_is_led_to_the_door_and_back(village: Village) -> None:
    for path in OWN:
        led = await village.reader.get(path)
        assert (led.status_code, led.headers["location"]) == (303, f"/login?back={path.replace('/', '%2F')}"), path
    asked = Document((await village.reader.get("/login?back=%2Fme%2Fdata")).text)
    assert (asked.heading, asked.all("input", name="back")[1]["value"]) == ("您的手机号是多少？", "/me/data")
    sent = await village.reader.post("/login", data={"phone": "199 0000 0007", "back": "/me/data"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/login/code?back=%2Fme%2Fdata")
    assert Document((await village.reader.get(sent.headers["location"])).text).heading == "短信里是哪 6 个数字？"
    inside = await village.reader.post("/login/code", data={"code": village.code(), "back": "/me/data"})
    assert (inside.status_code, inside.headers["location"]) == (303, "/me/data")
    assert (await village.read("/me/data")).heading == "记了我什么"
    assert (await village.reader.get("/login?back=%2Fme%2Fedit")).headers["location"] == "/me/edit"


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:x", "/login", ""]
)
async def test_the_way_back_leads_nowhere_but_here(village: Village, back: str) -> None:
    assert (await village.log_in(back)).headers["location"] == "/me"


async def test_a_form_without_a_session_is_led_to_the_door_and_changes_nothing(village: Village) -> None:
    before = village.row()
    for path in ("/me/settings", "/me/consents", "/me/erase", "/me/export", "/me/edit/max_km", "/me/sessions/1/end"):
        led = await village.reader.post(path, data={"word": "注销", "personalised": "0", "value": "5"})
        assert (led.status_code, led.headers["location"]) == (303, "/login?back=%2Fme"), path
    assert village.row() == before


async def test_the_cookies_are_out_of_reach_of_scripts_and_other_sites(village: Village) -> None:
    asked = await village.reader.post("/login", data={"phone": PHONE})
    assert re.fullmatch(
        r"jiujin_ticket=[\w-]{40,}; HttpOnly; Max-Age=300; Path=/; SameSite=lax", asked.headers["set-cookie"]
    )
    entered = await village.reader.post("/login/code", data={"code": village.code()})
    session, ticket = entered.headers.get_list("set-cookie")
    stay = int(STAYS[Role.SEEKER].total.total_seconds())
    assert re.fullmatch(rf"jiujin_session=[\w-]{{40,}}; HttpOnly; Max-Age={stay}; Path=/; SameSite=lax", session)
    assert ticket.startswith('jiujin_ticket=""; ')
    async with phone(create_app(village.house), scheme="https") as safe:
        village.house.clock.advance(timedelta(minutes=2))  # type: ignore[attr-defined]
        kept = (await safe.post("/login", data={"phone": PHONE})).headers["set-cookie"]
        assert kept.startswith("__Host-jiujin_ticket=")
        assert kept.endswith("; Path=/; SameSite=lax; Secure")
        entered = await safe.post("/login/code", data={"code": village.code()})
        assert entered.headers["set-cookie"].startswith("__Host-jiujin_session=")
        assert (await safe.get("/me")).status_code == 200


async def test_known_and_unknown_numbers_look_alike_until_the_code_is_typed(village: Village) -> None:
    pages = []
    for number in (PHONE, "19911112222"):
        village.reader.cookies.clear()
        sent = await village.reader.post("/login", data={"phone": number})
        asked = await village.reader.get("/login/code")
        text = re.sub(r'nonce="[^"]+"', "", asked.text)
        pages.append((sent.status_code, sent.headers["location"], text))
    assert pages[0] == pages[1]
    unknown = await village.reader.post("/login/code", data={"code": village.code()})
    assert (unknown.status_code, Document(unknown.text).heading) == (409, "这个手机号还没有登记")


@pytest.mark.parametrize("number", ["12345", "", "1" * 3000, "<b>"])
async def test_what_is_no_number_is_asked_again(village: Village, number: str) -> None:
    page = await village.reader.post("/login", data={"phone": number})
    assert (page.status_code, 'role="alert"' in page.text, village.teller.sent) == (422, True, [])


async def test_a_wrong_code_and_an_impatient_hand_are_told_so(village: Village) -> None:
    await village.reader.post("/login", data={"phone": PHONE})
    wrong = await village.reader.post("/login/code", data={"code": f"{(int(village.code()) + 1) % 1_000_000:06d}"})
    assert (wrong.status_code, Document(wrong.text).one("p", role="alert").text.strip()) == (
        401,
        "验证码不对或者过期了，请重新获取",
    )
    again = await village.reader.post("/login", data={"phone": PHONE})
    assert (again.status_code, "等" in Document(again.text).one("p", role="alert").text) == (429, True)
    village.reader.cookies.clear()
    lost = await village.reader.post("/login/code", data={"code": village.code()})
    assert (lost.status_code, Document(lost.text).heading) == (401, "您的手机号是多少？")


async def test_those_who_share_a_phone_say_who_they_are(village: Village) -> None:
    with write_session(village.house.engine) as session:
        (third,) = add_people(session, 1, keys=village.house.keys, phone=PHONE)
    asked = Document((await village.log_in("/me/data")).text)
    assert (asked.heading, [each.text for each in asked.all("button", name="person")]) == (
        "您是哪一位？",
        ["样*，1970年生"] * 2,
    )
    person = asked.all("button", name="person")[1]["value"]
    nobody = await village.reader.post("/login/who", data={"person": "x", "back": "/me/data"})
    assert nobody.status_code == 422
    entered = await village.reader.post("/login/who", data={"person": person, "back": "/me/data"})
    assert entered.headers["location"] == "/me/data"
    with read_session(village.house.engine) as session:
        assert session.scalars(select(LoginSession.worker_id)).all() == [third]


async def test_a_page_says_how_to_get_in_without_a_phone(village: Village) -> None:
    page = Document((await village.reader.get("/login/help")).text)
    for words in ("驿站", "身份证", "经办人", "12333"):
        assert words in page.main


async def test_out_is_out_here_and_cleaning_the_phone_for_another_logs_out_too(village: Village) -> None:
    for way in ("/logout", "/clear"):
        village.house.clock.advance(timedelta(minutes=2))  # type: ignore[attr-defined]
        await village.log_in()
        token = village.reader.cookies[COOKIE]
        gone = await village.reader.post(way)
        assert (gone.status_code, gone.headers["location"]) == (303, "/")
        assert gone.headers["clear-site-data"] == '"cache"'
        assert COOKIE not in village.reader.cookies
        village.reader.cookies.set(COOKIE, token)
        assert (await village.reader.get("/me")).status_code == 303
        village.reader.cookies.clear()
    with read_session(village.house.engine) as session:
        assert set(session.scalars(select(LoginSession.ended_how))) == {SessionEnd.LOGGED_OUT}


async def test_sessions_are_seen_and_ended_but_only_ones_own(village: Village) -> None:
    now = village.house.clock.now()
    with write_session(village.house.engine) as session:
        for worker in (village.worker, village.other):
            arrival = Arrival(network="113.250.1.1", agent="x")
            open_login(
                session, role=Role.SEEKER, worker_id=worker, let_in_by=LetInBy.SMS_CODE, arrival=arrival, now=now
            )
        mine, theirs = session.scalars(select(LoginSession.id).order_by(LoginSession.id)).all()
    await village.log_in()
    page = await village.read("/me/sessions")
    assert [each.text.strip() for each in page.all("h2")] == ["就是这个手机", "另一个手机"]
    assert (await village.reader.post(f"/me/sessions/{theirs}/end")).status_code == 404
    assert (await village.reader.post(f"/me/sessions/{mine}/end")).headers["location"] == "/me/sessions"
    with read_session(village.house.engine) as session:
        ended = session.execute(select(LoginSession.id, LoginSession.ended_how).order_by(LoginSession.id)).all()
    assert [tuple(row) for row in ended[:2]] == [(mine, SessionEnd.KICKED_OUT), (theirs, None)]
    assert len((await village.read("/me/sessions")).all("h2")) == 1
    await village.reader.post("/me/sessions/end")
    assert (await village.reader.get("/me")).status_code == 200


async def test_a_form_from_another_site_is_refused_although_the_phone_is_logged_in(village: Village) -> None:
    await village.log_in()
    before = village.row()
    for path in ("/me/settings", "/me/erase", "/logout"):
        refused = await village.reader.post(
            path, data={"personalised": "0", "word": "注销"}, headers={"Origin": "http://elsewhere"}
        )
        assert refused.status_code == 403, path
    assert village.row() == before
    assert (await village.reader.get("/me")).status_code == 200


# --- one's own --------------------------------------------------------------------------------------------------------


async def test_every_page_says_its_thing_and_keeps_the_rules(village: Village) -> None:
    await village.log_in()
    for path in OWN:
        page = await village.read(path)
        assert len(page.all("h1")) == 1, path
        assert page.one("meta", name="robots")["content"] == "noindex", path
        assert PHONE not in page.html, path
        labelled = {each.get("for") for each in page.all("label")}
        wrapped = {id(inner) for each in page.all("label") for inner in each.inside}
        for each in page.all("input"):
            assert each.get("type") == "hidden" or each.get("id") in labelled or id(each) in wrapped, path
        for form in page.all("form"):
            assert (form["method"], form["action"].startswith("/")) == ("post", True), path


async def test_me_shows_what_one_was_sent_and_nothing_of_anybody_else(village: Village) -> None:
    await village.log_in()
    (card,) = (await village.read("/me")).cards
    assert "小区保洁员" in card.text
    token = village.reader.cookies[COOKIE]
    with write_session(village.house.engine) as session:
        arrival = Arrival(network="", agent="", old_token=token)
        theirs = open_login(
            session,
            role=Role.SEEKER,
            worker_id=village.other,
            let_in_by=LetInBy.SMS_CODE,
            arrival=arrival,
            now=village.house.clock.now(),
        )
    village.reader.cookies.clear()
    village.reader.cookies.set(COOKIE, theirs)
    assert (await village.read("/me")).cards == []


@pytest.mark.parametrize(
    ("field", "value", "column", "stored"),
    [
        ("wants", ["保洁、看大门"], "wants", ["保洁", "看大门"]),
        ("skills", ["开过叉车"], "skills_text", "开过叉车"),
        ("certificates", ["电工证 健康证"], "certificates", ["电工证", "健康证"]),
        ("limits", ["no_nights", "no_heat"], "limits", ["no_nights", "no_heat"]),
        ("limits", [], "limits", []),
        ("kinds", ["day_labour"], "kinds", ["day_labour"]),
        ("pay_min_yuan_month", ["2600元"], "pay_min_yuan_month", 2600),
        ("max_km", ["50"], "max_km", 50),
        ("home_by", ["17"], "home_by", 17),
        ("experience_years", [""], "experience_years", None),
        ("home", ["500237102"], "home_area_code", "500237102"),
        ("home", ["大昌镇"], "home_area_code", "500237"),
        ("current", ["广东深圳"], "current_area_code", "4403"),
    ],
)
async def test_an_answer_changes_what_it_is_about_and_nothing_else(
    village: Village, field: str, value: list[str], column: str, stored: object
) -> None:
    await village.log_in()
    before = village.row()
    form = {"value": value, "id": "1", "origin": "imported", "birth_on": "1990-01-01", "sex": "male", "statuses": "x"}
    done = await village.reader.post(f"/me/edit/{field}", data=form)
    assert (done.status_code, done.headers.get("location")) == (303, f"/me/edit#{field}")
    after = village.row()
    kept = after.pop(column)
    assert str(kept).startswith(str(stored)) if field in ("home", "current") else kept == stored
    before.pop(column)
    after.pop("updated_at"), before.pop("updated_at")
    assert after == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("home", "月亮"),
        ("current", "月亮"),
        ("max_km", "7"),
        ("pay_min_yuan_month", "很多"),
        ("home_by", "25"),
        ("available_on", "2026-02-30"),
        ("education", "x"),
        ("skills", "长" * 201),
        ("wants", "一 二 三 四 五 六 七 八 九 十 百"),
    ],
)
async def test_what_is_no_answer_is_asked_again_and_changes_nothing(village: Village, field: str, value: str) -> None:
    await village.log_in()
    before = village.row()
    page = await village.reader.post(f"/me/edit/{field}", data={"value": value})
    assert (page.status_code, 'role="alert"' in page.text) == (422, True)
    assert village.row() == before


@pytest.mark.parametrize("field", ["birth_on", "sex", "origin", "id", "statuses", "personalised", "name"])
async def test_what_is_not_theirs_to_change_has_no_page(village: Village, field: str) -> None:
    await village.log_in()
    before = village.row()
    assert (await village.reader.get(f"/me/edit/{field}")).status_code == 404
    assert (await village.reader.post(f"/me/edit/{field}", data={"value": "1"})).status_code == 404
    assert village.row() == before


async def test_with_recommendations_off_the_list_is_plain_and_says_so(village: Village) -> None:
    await village.log_in()
    assert (await village.read("/me/jobs")).heading == "给您找的活"
    assert (await village.reader.post("/me/settings", data={"personalised": "0"})).headers["location"] == "/me/settings"
    assert (village.row()["personalised"], village.row()["automated"]) == (False, True)
    page = await village.read("/me/jobs")
    assert (page.heading, "只按离家远近排" in page.main, "为什么给您" in page.main) == ("离家近的活", True, False)
    assert "现在：关着" in (await village.read("/me/settings")).main
    await village.reader.post("/me/settings", data={"automated": "0"})
    assert (village.row()["personalised"], village.row()["automated"]) == (False, False)


async def test_a_form_with_more_in_it_than_the_page_asks_changes_nothing_more(village: Village) -> None:
    await village.log_in()
    before = village.row()
    more = {"id": "1", "worker_id": str(village.other), "origin": "imported", "birth_on": "1990-01-01", "sex": "male"}
    for path in ("/me/settings", "/me/sessions/end", "/me/export"):
        assert (await village.reader.post(path, data={**more, "max_km": "5"})).status_code in (200, 303), path
    given = {"purpose": "courses", "channel": "sms", "given": "1"}
    assert (await village.reader.post("/me/consents", data={**more, **given})).status_code == 303
    assert village.row() == before
    with read_session(village.house.engine) as session:
        assert set(list_consents(session, [village.worker, village.other], purpose=Purpose.COURSES)) == {village.worker}


async def test_a_consent_is_given_and_withdrawn_with_its_day(village: Village) -> None:
    await village.log_in()
    assert "12月1日起" in (await village.read("/me/consents")).main
    done = await village.reader.post("/me/consents", data={"purpose": "courses", "channel": "sms", "given": "1"})
    assert done.headers["location"] == "/me/consents#courses"
    await village.reader.post("/me/consents", data={"purpose": "job_pushes", "channel": "sms", "given": "0"})
    with read_session(village.house.engine) as session:
        jobs, courses = (
            list_consents(session, [village.worker], purpose=purpose)
            for purpose in (Purpose.JOB_PUSHES, Purpose.COURSES)
        )
    assert (jobs, courses) == ({}, {village.worker: frozenset({Channel.SMS})})
    for form in (
        {},
        {"purpose": "x", "channel": "sms", "given": "1"},
        {"purpose": "courses", "channel": "slip", "given": "1"},
    ):
        assert (await village.reader.post("/me/consents", data=form)).status_code == 422
    unbound = await village.reader.post("/me/consents", data={"purpose": "courses", "channel": "wechat", "given": "1"})
    assert (unbound.status_code, "还没有绑定" in unbound.text) == (409, True)


async def test_who_looked_is_told_with_role_and_reason(village: Village) -> None:
    await village.log_in()
    with write_session(village.house.engine) as session:
        session.add(
            AuditEntry(
                happened_at=village.house.clock.now(),
                actor="clerk/wang-01",
                action="read_identity",
                subject=f"workers/{village.worker}",
                detail="print a slip",
            )
        )
    page = await village.read("/me/accesses")
    assert (page.cards[0].text.split()[0], "给您打印岗位单子" in page.cards[0].text) == ("驿站经办人", True)
    assert "wang" not in page.html


async def test_the_copy_is_a_file_and_only_a_form_makes_it(village: Village) -> None:
    await village.log_in()
    answer = await village.reader.post("/me/export")
    assert answer.headers["content-disposition"] == 'attachment; filename="jiujin-my-data.json"'
    assert answer.json()["identity"]["phone"] == PHONE


async def test_who_writes_the_word_is_erased_and_who_does_not_stays(village: Village) -> None:
    await village.log_in()
    assert "公家的账要对得上" in (await village.read("/me/erase")).main
    for word in ("", "注", "不注销", "erase"):
        page = await village.reader.post("/me/erase", data={"word": word})
        assert (page.status_code, "现在什么也没有动" in page.text) == (422, True)
    done = await village.reader.post("/me/erase", data={"word": " 注销 "})
    assert (done.status_code, done.headers["location"]) == (303, "/erased")
    assert COOKIE not in village.reader.cookies
    assert Document((await village.reader.get("/erased")).text).heading == "注销好了"
    assert (await village.reader.get("/me")).status_code == 303
    with read_session(village.house.engine) as session:
        assert find_by_phone(session, PHONE, keys=village.house.keys) == []


async def test_of_several_places_of_one_name_one_is_chosen(village: Village) -> None:
    await village.log_in()
    page = Document((await village.reader.post("/me/edit/home", data={"value": "官渡镇"})).text)
    offers = page.all("button", name="value")
    assert len(offers) > 1
    done = await village.reader.post("/me/edit/home", data={"value": offers[0]["value"]})
    assert (done.status_code, village.row()["home_area_code"]) == (303, offers[0]["value"])
    assert (await village.reader.post("/me/edit/home", data={"value": "999999999"})).status_code == 422


async def test_a_form_of_another_session_or_of_none_is_refused_and_changes_nothing(village: Village) -> None:
    await village.log_in()
    form = {"personalised": "0"}
    bare = village.reader.build_request("POST", "/me/settings", data=form)
    forged = village.reader.build_request("POST", "/me/settings", data={**form, "form_token": "1.AAAA"})
    for request in (bare, forged):
        refused = await village.reader.send(request, auth=None)
        assert refused.status_code == 403
        assert "刷新" in refused.text
    assert village.row()["personalised"] is True
    taken = await village.reader.post("/me/settings", data=form)
    assert taken.status_code == 303
    assert village.row()["personalised"] is False
