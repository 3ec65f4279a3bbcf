"""Every operation × every role × every relation, asked live: what the table lets be done is done, and nothing else.

Five people stand in every relation to somebody: the seeker themselves, a broker's case, a neighbour of the same
district, somebody of another district, and one who was erased. Each bears marks that stand in no other row: a name, a
number, a phone, a skill. A cell leaks if the table does not allow it and the request is served about the person, or any
mark of theirs is in the answer.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import product
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from sqlalchemy import select
from starlette.routing import BaseRoute, Route

from app.background.sequencing import Sequencer
from app.domain.employers import EmployerKind
from app.domain.grants import GrantReason
from app.domain.ledger import EntryKind
from app.domain.permissions import TABLE, Action, Relation, Role, declared, may
from app.domain.sessions import LetInBy
from app.domain.spells import SpellSource
from app.kit.clock import FixedClock
from app.kit.database import write_session
from app.kit.encrypted import Place, seal
from app.kit.passwords import hash_password
from app.kit.second_factors import factor_code, new_factor_secret
from app.main import create_app
from app.settings import Settings
from app.store.accounts import Account
from app.store.brokers import Broker, Case
from app.store.employers import Employer
from app.store.grants import Grant
from app.store.pushes import Push
from app.store.sessions import LoginSession
from app.store.spells import add_spells
from app.usecases.erasures import erase_worker
from app.usecases.inboxes import inbox_code
from app.usecases.kiosks import add_kiosk
from app.usecases.ledger import append_entry
from app.usecases.ledger_exports import receipt_code
from app.usecases.pushes import link_token
from app.usecases.sessions import Arrival, open_login
from app.web.assets import asset_url
from app.web.origins import FORM_TOKEN, form_token
from app.wiring import House, build_callbacks
from tests.api.conftest import caller
from tests.api.test_matches import LEAST
from tests.channels.provider import sign_callback
from tests.deliveries import Teller, post_of, push_to
from tests.houses import (
    add_posting,
    furnished,
    house,
    postgresql_reference,
    sqlite_reference,
    with_matchmaker,
)
from tests.people import add_named, number_of

__all__ = ["furnished", "house", "postgresql_reference", "sqlite_reference"]

pytestmark = pytest.mark.anyio

HERE, ELSEWHERE = "500237", "500236101"
PASSWORD, NEW_PASSWORD = "乡下的桂花树开了第三次花", "另一句没有别人会先来试的话"
ARRIVAL = Arrival(network="10.0.0.1", agent="test")
SECRET = "a-secret-that-is-long-enough"
STAFF = (
    Role.BROKER,
    Role.CLERK,
    Role.OFFICER,
    Role.MUNICIPAL,
    Role.AUDITOR,
    Role.SYSTEM_ADMIN,
    Role.SECURITY_ADMIN,
    Role.AUDIT_ADMIN,
)
PEOPLE = ("own", "case", "neighbour", "foreigner", "erased")


@dataclass
class Person:
    """Somebody with marks that stand in no other row, and what leads to them."""

    id: int
    marks: tuple[str, ...]
    posting: int
    push: int
    link: str = ""
    inbox: str = ""
    receipt: str = ""
    session_id: int = 0


@dataclass
class World:
    """A house with five people, somebody of every role, and what each brings along."""

    house: House
    client: httpx.AsyncClient
    people: dict[str, Person]
    accounts: dict[Role, int]
    starting: dict[Role, int]
    secret: str
    hashed: str
    employer: int
    kiosk: str
    report: str

    def open(self, role: Role, **given: int) -> tuple[str, int]:
        """A fresh session of a role, with its number: what the last request did to the one before does not matter."""
        by = LetInBy.PASSWORD if role in STAFF else LetInBy.SMS_CODE
        whose = given or (
            {"worker_id": self.people["own"].id}
            if role is Role.SEEKER
            else {"employer_id": self.employer}
            if role is Role.EMPLOYER
            else {"account_id": self.accounts[role]}
        )
        now = self.house.clock.now()
        with write_session(self.house.engine) as session:
            token = open_login(
                session,
                role=role,
                let_in_by=by,
                arrival=ARRIVAL,
                now=now,
                account_id=whose.get("account_id"),
                worker_id=whose.get("worker_id"),
                employer_id=whose.get("employer_id"),
            )
            return token, session.scalars(select(LoginSession.id).order_by(LoginSession.id.desc()).limit(1)).one()

    def relation(self, role: Role, name: str) -> Relation:
        """How somebody of a role stands to one of the people."""
        if name == "erased":
            return Relation.ERASED
        if role is Role.SEEKER:
            return Relation.OWN if name == "own" else Relation.OTHER
        if role is Role.BROKER and name == "case":
            return Relation.CASELOAD
        return Relation.OTHER if name == "foreigner" else Relation.DISTRICT


@dataclass
class Ask:
    """One request: `about` says whether it names the person, so that being served is seeing them."""

    url: str
    json: Any = None
    data: dict[str, str] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    about: bool = False


Builder = Callable[[World, Role, Person, int], Ask]
"""From the world, the role, the person and the number of the session to the request."""

PROFILE = {
    "home": "500237102",
    "current": None,
    "skills": "",
    "wants": ["保洁"],
    "certificates": [],
    "kinds": [],
    "limits": [],
    "pay_min_yuan_month": None,
    "max_km": 30,
    "home_by": None,
    "available_on": None,
    "education": None,
    "experience_years": None,
}


def _plain(url: str, **given: Any) -> Builder:
    return lambda _world, _role, _person, _session: Ask(url, **given)


def _code(url: str, what: str) -> Builder:
    """Of an address with a code: who holds it brings the person's, everybody else one that they made up."""

    def build(_world: World, role: Role, person: Person, _session: int) -> Ask:
        code = getattr(person, what) if role is Role.BEARER else f"9{person.id}-AAAA-BBBB"
        return Ask(url.format(code), about=True)

    return build


def _own_push(world: World, role: Role, person: Person, _session: int) -> Ask:
    del world, role
    return Ask(f"/api/v1/me/pushes/{person.push}/answer", json={"answer": "interested"}, about=True)


def _sessions(url: str, name: str) -> Builder:
    """End a session: one's own for who asks about themselves, else that of the person."""

    def build(world: World, role: Role, person: Person, session: int) -> Ask:
        is_own = person is world.people["own"] and role in (*STAFF, Role.SEEKER, Role.EMPLOYER)
        return Ask(url.format(**{name: session if is_own else person.session_id}), data={} if "/me/" in url else None)

    return build


def _callback(path: str) -> Builder:
    def build(world: World, role: Role, _person: Person, _session: int) -> Ask:
        body, secret = b'{"receipts": []}', SECRET if role is Role.PROVIDER else "a-guess-at-what-the-secret-is"
        signed = sign_callback(body, now=world.house.clock.now().timestamp(), secret=secret)
        return Ask(path, json=body, headers=signed)

    return build


def _account(url: str, **given: Any) -> Builder:
    """About an account that nobody of these uses, made anew each time."""

    def build(world: World, _role: Role, _person: Person, _session: int) -> Ask:
        code = f"x-{secrets.token_hex(4)}"
        if "{code}" in url:
            with write_session(world.house.engine) as session:
                session.add(
                    Account(
                        code=code,
                        role=Role.AUDITOR,
                        password="-",
                        is_start=True,
                        created_at=world.house.clock.now(),
                    )
                )
        json = {**given, "account": code} if "account" in given else given or None
        return Ask(url.format(code=code), json=json)

    return build


def _kiosk(url: str, **given: Any) -> Builder:
    def build(world: World, _role: Role, _person: Person, _session: int) -> Ask:
        code = f"K-{secrets.token_hex(4)}"
        if "{code}" in url:
            with write_session(world.house.engine) as session:
                now = world.house.clock.now()
                add_kiosk(session, code=code, station="样例驿站", area_code="500237102", actor="office", now=now)
        return Ask(url.format(code=code), json={**given, "kiosk": code} if given else None)

    return build


def _setup(world: World, role: Role, _person: Person, _session: int) -> Ask:
    del role
    code = factor_code(world.secret, at=world.house.clock.now())
    return Ask("/api/v1/auth/setup/finish", json={"password": NEW_PASSWORD, "factor": code})


def _factor(world: World, role: Role, _person: Person, _session: int) -> Ask:
    del role
    return Ask("/api/v1/auth/factor", json={"factor": factor_code(world.secret, at=world.house.clock.now())})


def _worker(url: str, **given: Any) -> Builder:
    return lambda _world, _role, person, _session: Ask(url.format(person.id), about=True, **given)


def _grant(_world: World, _role: Role, person: Person, _session: int) -> Ask:
    body = {"worker": person.id, "reason": "present", "words": "本人来窗口补办登记"}
    return Ask("/api/v1/staff/grants", json=body, about=True)


def _clerk_stay(world: World, _role: Role, person: Person, _session: int) -> Ask:
    del world
    card = {
        "name": person.marks[0],
        "sex": "female" if int(person.marks[1][16]) % 2 == 0 else "male",
        "birthday": "1970-01-01",
        "address": "重庆市巫山县",
        "number": person.marks[1],
        "valid_until": "2036-12-01",
    }
    return Ask("/api/v1/kiosk/sessions", json={"by": "card", "card": card})


TICKET = "A" * 43
PUBLIC: dict[tuple[str, str], Builder] = {
    ("GET", "/api/v1/areas"): _plain("/api/v1/areas"),
    ("GET", "/api/v1/areas/{code}"): _plain("/api/v1/areas/500237"),
    ("GET", "/api/v1/occupations"): _plain("/api/v1/occupations?q=保洁"),
    ("GET", "/api/v1/postings"): _plain("/api/v1/postings"),
    ("GET", "/api/v1/postings/{posting_id}"): lambda _w, _r, person, _s: Ask(f"/api/v1/postings/{person.posting}"),
    ("POST", "/api/v1/postings/{posting_id}/reports"): lambda _w, _r, person, _s: Ask(
        f"/api/v1/postings/{person.posting}/reports", json={"reason": "age"}
    ),
    ("POST", "/api/v1/match"): _plain("/api/v1/match", json=LEAST),
    ("GET", "/api/v1/feed/postings.jsonl"): _plain("/api/v1/feed/postings.jsonl"),
    # Who asks too often, or with a made-up code, is told so; that is not what is looked at here.
    ("POST", "/api/v1/auth/otp"): lambda _w, _r, _p, _s: Ask(
        "/api/v1/auth/otp", json={"phone": f"1{secrets.randbelow(10**9) + 38 * 10**8:010d}"}
    ),
    ("POST", "/api/v1/auth/otp/verify"): _plain("/api/v1/auth/otp/verify", json={"ticket": TICKET, "code": "123456"}),
    ("POST", "/api/v1/auth/otp/choose"): _plain("/api/v1/auth/otp/choose", json={"ticket": TICKET, "person": "x"}),
    ("POST", "/api/v1/auth/staff"): _plain("/api/v1/auth/staff", json={"account": "nobody", "password": "x"}),
    **{("GET", path): _plain(path) for path in ("/health/live", "/health/ready", "/metrics", "/openapi.json")},
    **{
        ("GET", path): _plain(path)
        for path in (
            *("/", "/find/home", "/find/township", "/find/age", "/find/work", "/find/limits"),
            *("/about", "/erased"),
        )
    },
    **{
        ("POST", path): _plain(path, data=data)
        for path, data in {
            "/find/home": {"place": "大昌镇"},
            "/find/age": {"age": "50"},
            "/find/work": {"words": "保洁"},
            "/find/limits": {},
            "/find/certificates": {"have": "健康证"},
            "/type": {"large": "1"},
            "/clear": {},
        }.items()
    },
    ("GET", "/jobs"): _plain("/jobs?near=500237102"),
    ("GET", "/jobs/{posting_id:id}"): lambda _w, _r, person, _s: Ask(f"/jobs/{person.posting}"),
    ("GET", "/jobs/{posting_id:id}/reports"): lambda _w, _r, person, _s: Ask(f"/jobs/{person.posting}/reports"),
    ("POST", "/jobs/{posting_id:id}/reports"): lambda _w, _r, person, _s: Ask(
        f"/jobs/{person.posting}/reports", data={"reason": "age"}
    ),
    **{("GET", path): _plain(path) for path in ("/login", "/login/code", "/login/help")},
    **{
        ("POST", path): _plain(path, data=data)
        for path, data in {
            "/login": {"phone": "12345"},
            "/login/code": {"code": "123456"},
            "/login/who": {"person": "x"},
            "/logout": {},
        }.items()
    },
    ("GET", "/static/{name}"): _plain(asset_url("pages.css")),
    ("GET", "/reports"): _plain("/reports"),
    ("GET", "/receipts"): _plain("/receipts"),
}
"""Done by anybody: served to every role, and nobody's marks in the answer."""
UNSERVED = {401, 409, 422, 429}
"""What a door or a question answers to what is wrong, whoever asks."""

PERSONAL: dict[tuple[str, str], Builder] = {
    ("GET", "/api/v1/reports/{code}"): lambda world, role, person, _s: Ask(
        f"/api/v1/reports/{world.report if role is Role.BEARER and person is world.people['own'] else 'AAAA2222'}",
        about=True,
    ),
    ("GET", "/reports/{code}"): lambda world, role, person, _s: Ask(
        f"/reports/{world.report if role is Role.BEARER and person is world.people['own'] else 'AAAA2222'}", about=True
    ),
    ("GET", "/r/{token}"): _code("/r/{}", "link"),
    ("POST", "/r/{token}"): lambda world, role, person, session: replace(
        _code("/r/{}", "link")(world, role, person, session), data={"answer": "seen"}
    ),
    ("GET", "/inbox/{code}"): _code("/inbox/{}", "inbox"),
    ("POST", "/receipts"): lambda _w, role, person, _s: Ask(
        "/receipts", data={"code": person.receipt if role is Role.BEARER else "9-AAAA-BBBB"}, about=True
    ),
    ("GET", "/receipts/{code}"): _code("/receipts/{}", "receipt"),
    ("GET", "/receipts/{code}.json"): _code("/receipts/{}.json", "receipt"),
    ("GET", "/api/v1/auth/sessions"): _plain("/api/v1/auth/sessions"),
    ("DELETE", "/api/v1/auth/sessions"): _plain("/api/v1/auth/sessions"),
    ("DELETE", "/api/v1/auth/sessions/{session_id}"): _sessions("/api/v1/auth/sessions/{session_id}", "session_id"),
    ("POST", "/api/v1/auth/factor"): _factor,
    ("POST", "/api/v1/auth/setup/begin"): _plain("/api/v1/auth/setup/begin"),
    ("POST", "/api/v1/auth/setup/finish"): _setup,
    ("GET", "/api/v1/me"): _plain("/api/v1/me"),
    ("PUT", "/api/v1/me"): _plain("/api/v1/me", json=PROFILE),
    ("GET", "/api/v1/me/settings"): _plain("/api/v1/me/settings"),
    ("PUT", "/api/v1/me/settings"): _plain("/api/v1/me/settings", json={"personalised": True, "automated": True}),
    ("GET", "/api/v1/me/matches"): _plain("/api/v1/me/matches"),
    ("GET", "/api/v1/me/pushes"): _plain("/api/v1/me/pushes"),
    ("POST", "/api/v1/me/pushes/{push_id}/answer"): _own_push,
    ("GET", "/api/v1/me/consents"): _plain("/api/v1/me/consents"),
    ("PUT", "/api/v1/me/consents"): _plain(
        "/api/v1/me/consents", json={"consents": [{"purpose": "job_pushes", "channel": "sms", "given": True}]}
    ),
    ("GET", "/api/v1/me/accesses"): _plain("/api/v1/me/accesses"),
    ("GET", "/api/v1/me/export"): _plain("/api/v1/me/export"),
    **{
        ("GET", path): _plain(path)
        for path in (
            *("/me", "/me/jobs", "/me/settings", "/me/consents", "/me/data", "/me/accesses", "/me/export"),
            *("/me/sessions", "/me/erase", "/me/edit"),
        )
    },
    ("GET", "/me/edit/{field}"): _plain("/me/edit/wants"),
    ("POST", "/me/settings"): _plain("/me/settings", data={"personalised": "1"}),
    ("POST", "/me/consents"): _plain("/me/consents", data={"purpose": "job_pushes", "channel": "sms", "given": "1"}),
    ("POST", "/me/export"): _plain("/me/export", data={}),
    ("POST", "/me/sessions/{login_id:id}/end"): _sessions("/me/sessions/{login_id}/end", "login_id"),
    ("POST", "/me/sessions/end"): _plain("/me/sessions/end", data={}),
    ("POST", "/me/edit/{field}"): _plain("/me/edit/skills", data={"value": "会腌菜"}),
    ("GET", "/api/v1/staff/workers"): _plain("/api/v1/staff/workers?page_size=100"),
    ("GET", "/api/v1/staff/workers/{worker_id}"): _worker("/api/v1/staff/workers/{}"),
    ("POST", "/api/v1/staff/workers/{worker_id}/identity"): _worker(
        "/api/v1/staff/workers/{}/identity", json={"reason": "contact"}
    ),
    ("GET", "/api/v1/staff/grants"): _plain("/api/v1/staff/grants?page_size=100"),
    ("POST", "/api/v1/staff/grants"): _grant,
    ("GET", "/api/v1/staff/due"): _plain("/api/v1/staff/due?page_size=100"),
    # Last, for it ends what it is about.
    ("POST", "/me/erase"): _plain("/me/erase", data={"word": "注销"}),
    ("DELETE", "/api/v1/me"): _plain("/api/v1/me"),
}
"""About people: each role asks about each of them."""

OFFICE: dict[tuple[str, str], Builder] = {
    ("GET", "/api/v1/staff/accounts"): _plain("/api/v1/staff/accounts?page_size=100"),
    ("POST", "/api/v1/staff/accounts"): _account("/api/v1/staff/accounts", account="", role="auditor"),
    ("PUT", "/api/v1/staff/accounts/{code}/post"): _account("/api/v1/staff/accounts/{code}/post", role="audit_admin"),
    ("POST", "/api/v1/staff/accounts/{code}/reset"): _account("/api/v1/staff/accounts/{code}/reset"),
    ("POST", "/api/v1/staff/accounts/{code}/disable"): _account("/api/v1/staff/accounts/{code}/disable"),
    ("GET", "/api/v1/staff/kiosks"): _plain("/api/v1/staff/kiosks?page_size=100"),
    ("POST", "/api/v1/staff/kiosks"): _kiosk("/api/v1/staff/kiosks", station="样例驿站", area="500237102"),
    ("POST", "/api/v1/staff/kiosks/{code}/key"): _kiosk("/api/v1/staff/kiosks/{code}/key"),
    ("POST", "/api/v1/staff/kiosks/{code}/revoke"): _kiosk("/api/v1/staff/kiosks/{code}/revoke"),
    ("POST", "/api/v1/kiosk/heartbeat"): _plain("/api/v1/kiosk/heartbeat", json={"now": "2026-12-01T10:00:00+08:00"}),
    ("POST", "/api/v1/kiosk/sessions"): _clerk_stay,
    ("DELETE", "/api/v1/kiosk/sessions"): _plain("/api/v1/kiosk/sessions"),
    ("GET", "/api/v1/staff/audit"): _plain("/api/v1/staff/audit?page_size=100"),
    ("GET", "/api/v1/staff/audit/anomalies"): _plain("/api/v1/staff/audit/anomalies"),
    ("POST", "/api/v1/callbacks/{channel}"): _callback("/api/v1/callbacks/gateway"),
    ("POST", "/api/v1/callbacks/{channel}/{secret}"): lambda _w, role, _p, _s: Ask(
        f"/api/v1/callbacks/aliyun/{SECRET + 'aliyun' if role is Role.PROVIDER else 'guess'}", json=[]
    ),
    ("GET", "/api/v1/callbacks/{channel}"): _callback("/api/v1/callbacks/gateway"),
    ("GET", "/api/v1/callbacks/{channel}/{secret}"): _callback("/api/v1/callbacks/aliyun/guess"),
}
"""Of the office and its machines, about nobody: allowed to a role as such."""

NEVER_SERVED = {
    # What providers ask by GET is an echo to their own check, which only one of them makes; tested where it is read.
    ("GET", "/api/v1/callbacks/{channel}"),
    ("GET", "/api/v1/callbacks/{channel}/{secret}"),
}


def routes_of(routes: Iterable[BaseRoute]) -> Iterable[tuple[str, str, Action]]:
    for route in routes:
        inner = getattr(route, "original_router", route)
        if isinstance(inner, APIRouter):
            yield from routes_of(inner.routes)
        elif isinstance(route, Route):
            action = declared(route.endpoint)
            assert action is not None
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield method, route.path, action


@pytest.fixture
async def world(house: House, clock: FixedClock) -> AsyncIterator[World]:
    """Everything that is asked about, and somebody of every role."""
    settings = Settings(
        data=house.settings.data,
        sms_url="http://127.0.0.1:9",
        sms_secret=SECRET,
        aliyun_key_id="x",
        aliyun_key_secret="x",
        aliyun_templates="{}",
        aliyun_callback_secret=f"{SECRET}aliyun",
    )
    now = clock.now()
    house = replace(house, senders=(Teller(),), callbacks=build_callbacks(settings, clock))
    people = {name: _person(house, name, number) for number, name in enumerate(PEOPLE, 1)}
    secret, hashed = new_factor_secret(), hash_password(PASSWORD)
    accounts: dict[Role, int] = {}
    starting: dict[Role, int] = {}
    with write_session(house.engine) as session:
        broker = Broker(code="b-7", area_code="500237102")
        employer = Employer(name="样例家政", kind=EmployerKind.FIRM, generated=True, verified_on=date(2026, 11, 2))
        session.add_all([broker, employer])
        session.flush()
        session.add(Case(worker_id=people["case"].id, broker_id=broker.id, valid_from=date(2026, 1, 1), valid_to=None))
        for role, is_start in product(STAFF, (False, True)):
            code = "b-7" if role is Role.BROKER and not is_start else f"{role.value.replace('_', '-')}-{int(is_start)}"
            district = HERE if role in (Role.CLERK, Role.OFFICER) else None
            account = Account(
                code=code, role=role, district_code=district, password=hashed, is_start=is_start, created_at=now
            )
            session.add(account)
            session.flush()
            account.factor = seal(house.keys, secret, place=Place("accounts", "factor", account.id))
            (starting if is_start else accounts)[role] = account.id
        for person in people.values():
            grant_id = 1_000 + person.id % 1_000
            session.add(
                Grant(
                    id=grant_id,
                    account_id=starting[Role.CLERK],
                    actor="clerk/clerk-1",
                    worker_id=person.id,
                    district_code=ELSEWHERE[:6] if person is people["foreigner"] else HERE,
                    reason=GrantReason.PRESENT,
                    words=seal(house.keys, f"应急{person.marks[0]}", place=Place("grants", "words", grant_id)),
                    granted_at=now,
                    ends_at=now,
                )
            )
        kiosk = add_kiosk(session, code="K-1", station="样例驿站", area_code="500237102", actor="office", now=now)
    Sequencer(house).run()
    with write_session(house.engine) as session:
        erase_worker(session, people["erased"].id, actor="office", now=now, keys=house.keys)
    app = create_app(with_matchmaker(house))
    async with caller(app) as client:
        made = await client.post(f"/api/v1/postings/{people['own'].posting}/reports", json={"reason": "age"})
        yield World(
            house=house,
            client=client,
            people=people,
            accounts=accounts,
            starting=starting,
            secret=secret,
            hashed=hashed,
            employer=employer.id,
            kiosk=kiosk,
            report=str(made.json()["code"]),
        )


def _person(house: House, name: str, number: int) -> Person:
    now, surname = house.clock.now(), "䶮龘靐齉爩"[number - 1]
    phone, skill = f"1990000{number:04d}", f"会做第{surname}样活"
    home = ELSEWHERE if name == "foreigner" else "500237102"
    worker = add_named(
        house, name=f"{surname}小样", phone=phone, home_area_code=home, id=9_000_100 + number, skills_text=skill
    )
    posting = add_posting(house)
    with write_session(house.engine) as session:
        add_spells(session, {worker: date(2026, 9, 1)}, source=SpellSource.IMPORT)
        push = push_to(session, worker, posting, post_of(Teller()), keys=house.keys)
        entry = append_entry(
            session,
            kind=EntryKind.GUIDANCE,
            worker_id=worker,
            happened_at=now,
            now=now,
            actor="office",
            keys=house.keys,
        )
        open_login(session, role=Role.SEEKER, worker_id=worker, let_in_by=LetInBy.CARD, arrival=ARRIVAL, now=now)
        login = session.scalars(select(LoginSession.id).where(LoginSession.worker_id == worker)).one()
        link = link_token(session.get_one(Push, push), house.keys)
    return Person(
        id=worker,
        marks=(f"{surname}小样", number_of(worker), phone, skill, surname, str(worker)),
        posting=posting,
        push=push,
        link=link,
        inbox=inbox_code(worker, keys=house.keys),
        receipt=receipt_code(entry.id, keys=house.keys),
        session_id=login,
    )


def _begin_again(world: World, account_id: int) -> None:
    """Give an account the state in which its owner has still to set it up."""
    sealed = seal(world.house.keys, world.secret, place=Place("accounts", "factor", account_id))
    with write_session(world.house.engine) as session:
        account = session.get_one(Account, account_id)
        account.password, account.is_start = world.hashed, True
        account.factor, account.factor_step, account.failures, account.locked_until = sealed, None, 0, None


async def ask(world: World, method: str, path: str, build: Builder, role: Role, person: Person) -> tuple[Ask, Any]:
    """Ask as a role about a person, with a session of its own."""
    token, session_id = "", 0
    if role in (*STAFF, Role.SEEKER, Role.EMPLOYER):
        if "/auth/setup/" in path and role in STAFF:
            _begin_again(world, world.starting[role])
        whose = {"account_id": world.starting[role]} if "/auth/setup/" in path and role in STAFF else {}
        token, session_id = world.open(role, **whose)
    asked = build(world, role, person, session_id)
    headers, cookies = dict(asked.headers), ""
    is_page = not path.startswith(("/api/", "/health/", "/metrics", "/openapi"))
    if token and is_page:
        cookies = f"jiujin_session={token}"
        if asked.data is not None:
            asked.data = {**asked.data, FORM_TOKEN: form_token(world.house, token)}
    elif token or role is Role.KIOSK:
        headers["Authorization"] = f"Bearer {token or world.kiosk}"
    if is_page:
        headers |= {"Accept": "text/html", **({"Cookie": cookies} if cookies else {})}
    given: dict[str, Any] = {"content": asked.json} if isinstance(asked.json, bytes) else {"json": asked.json}
    world.client.cookies.clear()
    answer = await world.client.request(
        method, asked.url, data=asked.data, headers=headers, **(given if asked.json is not None else {})
    )
    return asked, answer


async def test_every_operation_does_for_each_role_what_the_table_says_and_nothing_else(
    world: World, clock: FixedClock
) -> None:
    app: FastAPI = world.client._transport.app  # type: ignore[attr-defined]
    actions = {(method, path): action for method, path, action in routes_of(app.routes)}
    everything = {**PUBLIC, **OFFICE, **PERSONAL}
    assert actions.keys() == everything.keys()
    cells, wrong = 0, list[str]()
    served: Counter[tuple[str, str]] = Counter()
    for operation, build in everything.items():
        method, path = operation
        action = actions[operation]
        people = PEOPLE if operation in PERSONAL else PEOPLE[:1]
        for role, name in product(Role, people):
            person = world.people[name]
            if action in (Action.SHOW_FACTOR, Action.SET_UP_ACCOUNT):
                clock.advance(timedelta(seconds=61))  # a code of the second factor is taken once
            asked, answer = await ask(world, method, path, build, role, person)
            cells += 1
            status, is_served = answer.status_code, answer.status_code < 400
            is_led_away = answer.headers.get("location", "").startswith("/login")
            marks = [mark for mark in person.marks if mark in answer.text]
            where = f"{method} {path} as {role.value} about {name}: {status}"
            if status >= 500:
                wrong.append(f"{where} {answer.text[:200]}")
            elif operation in PUBLIC:
                if not is_served and status not in UNSERVED and status != 404:
                    wrong.append(f"{where} refused")
                if marks:
                    wrong.append(f"{where} shows {marks}")
                served[operation] += is_served or status in UNSERVED
            elif operation in OFFICE:
                is_allowed = bool(TABLE[action].get(role))
                if is_served and not is_led_away and not is_allowed:
                    wrong.append(f"{where} served")
                served[operation] += is_served and is_allowed
                shown = [mark for mark in marks if mark != str(person.id)]  # the audit's people are numbers
                if shown:
                    wrong.append(f"{where} shows {shown}")
            else:
                is_allowed = _is_allowed(world, role, action, name, path)
                told = is_served and not is_led_away and (asked.about or _is_about_oneself(path) or bool(marks))
                if told and not is_allowed:
                    wrong.append(f"{where} served {marks}")
                served[operation] += told and is_allowed
    assert wrong == []
    assert {operation for operation in everything if not served[operation]} == NEVER_SERVED
    assert cells >= 3_000
    print(cells, "cells")  # noqa: T201  what is shown with it


def _is_allowed(world: World, role: Role, action: Action, name: str, path: str) -> bool:
    relations = TABLE[action].get(role, frozenset())
    if role is Role.BEARER:
        # Whoever brings the code of somebody is let in to that; who was erased has receipts alone.
        return bool(relations) and (name != "erased" or Relation.ERASED in relations)
    if _is_about_oneself(path):
        # They are asked about themselves, whoever the person is; a session of somebody else's is not theirs.
        return Relation.OWN in relations and ("{" not in path or name == "own" or "field" in path)
    return may(role, action, world.relation(role, name))


def _is_about_oneself(path: str) -> bool:
    return path.startswith(("/me", "/api/v1/me", "/api/v1/auth/"))


async def test_a_mark_is_where_it_may_be_and_so_it_can_be_found(world: World) -> None:
    """The marks that the cells are searched for do stand in what the rightful reader sees."""
    own = world.people["own"]
    _, answer = await ask(world, "GET", "/api/v1/me/export", _plain("/api/v1/me/export"), Role.SEEKER, own)
    assert all(mark in answer.text for mark in own.marks[:4])
