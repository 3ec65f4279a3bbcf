"""Providers tell what became of messages, over HTTP: stored once, believed only when it is theirs."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import func, select

from app.background.dispatch import receipts_loop
from app.domain.callbacks import Callback
from app.domain.ledger import EntryKind, Grade
from app.domain.pushes import Answer, PushState
from app.kit.clock import FixedClock
from app.kit.database import read_session, write_session
from app.main import create_app
from app.settings import Settings
from app.store.pushes import Attempt, Push, Receipt
from app.usecases.dispatch import carry_out, claim_ready, settle
from app.usecases.ledger import list_entries
from app.usecases.receipts import LOOK_AGAIN
from app.wiring import House, build_callbacks
from tests.api.conftest import caller
from tests.channels.provider import SECRET, sign_callback, sign_wechat
from tests.deliveries import Teller, add_people, add_posting, post_of, push_to

pytestmark = pytest.mark.anyio

TOKEN = "the-token-of-wechat"
PHONE = "13800000000"  # the network's own message centre


@pytest.fixture
def served(house: House) -> House:
    """A house with a gateway of our own shape, with Aliyun and with WeChat, whose clock stands at the tests' now."""
    settings = Settings(
        data=house.settings.data,
        sms_url="http://127.0.0.1:1",
        sms_secret=SecretStr(SECRET),
        aliyun_callback_secret=SecretStr("behind-the-path"),
        wechat_callback_token=SecretStr(TOKEN),
    )
    return replace(house, settings=settings, callbacks=build_callbacks(settings, house.clock))


@pytest.fixture
async def provider(served: House) -> AsyncIterator[httpx.AsyncClient]:
    async with caller(create_app(served)) as client:
        yield client


def sent(house: House) -> str:
    """A push that the gateway has taken on; the key of its message."""
    post, now = post_of(Teller(provider="gateway")), house.clock.now()
    with write_session(house.engine) as session:
        (worker,) = add_people(session, 1, keys=house.keys, now=now, phone=PHONE)
        push_to(session, worker, add_posting(session, now=now), post, keys=house.keys, now=now)
        (claim,) = claim_ready(session, post, limit=1, now=now, keys=house.keys)[0]
        sender = post.find(claim.channel, claim.provider)
        assert sender is not None
        settle(session, post, claim, carry_out(claim, sender), now=now, keys=house.keys, chance=lambda: 0.5)
    return claim.key


def receipt(key: str, status: str = "delivered") -> bytes:
    return json.dumps({"receipts": [{"key": key, "id": "9", "status": status, "code": "DELIVRD"}]}).encode()


async def tell(
    provider: httpx.AsyncClient, house: House, body: bytes, *, path: str = "gateway", secret: str = SECRET
) -> httpx.Response:
    headers = sign_callback(body, now=house.clock.now().timestamp(), secret=secret)
    return await provider.post(f"/api/v1/callbacks/{path}", content=body, headers=headers)


def count(house: House) -> int:
    with read_session(house.engine) as session:
        return session.scalar(select(func.count()).select_from(Receipt)) or 0


async def test_a_receipt_is_stored_at_once_and_understood_by_the_loop(
    provider: httpx.AsyncClient, served: House
) -> None:
    key = sent(served)
    answer = await tell(provider, served, receipt(key))
    assert answer.status_code == 200
    with read_session(served.engine) as session:
        assert session.scalars(select(Push.state)).one() is PushState.SENT
    receipts_loop(served).step()
    with read_session(served.engine) as session:
        assert session.scalars(select(Push.state)).one() is PushState.DELIVERED
        (entry,) = list_entries(session)
        assert (entry.kind, entry.evidence, entry.actor) == (EntryKind.PUSH, Grade.B, "gateway")


async def test_the_same_receipt_twice_is_one(provider: httpx.AsyncClient, served: House) -> None:
    key = sent(served)
    for _ in range(3):
        assert (await tell(provider, served, receipt(key))).status_code == 200
        receipts_loop(served).step()
    assert count(served) == 1
    with read_session(served.engine) as session:
        assert len(list_entries(session)) == 1


async def test_what_somebody_texts_back_is_done(provider: httpx.AsyncClient, served: House) -> None:
    sent(served)
    at = served.clock.now().isoformat()
    body = json.dumps({"replies": [{"from": PHONE, "text": "3", "at": at}]}).encode()
    answer = await tell(provider, served, body)
    assert answer.status_code == 200
    receipts_loop(served).step()
    with read_session(served.engine) as session:
        assert session.scalars(select(Push.answer)).one() is Answer.CALL_ME


@pytest.mark.parametrize("path", ["gateway", "sms", "nobody", "aliyun", "aliyun/wrong"])
async def test_what_is_not_its_provider_s_is_not_believed(
    provider: httpx.AsyncClient, served: House, path: str
) -> None:
    answer = await tell(provider, served, receipt("any"), path=path, secret="not the secret")
    assert (answer.status_code, answer.json()["code"]) == (401, "callback_forged")
    assert count(served) == 0


async def test_who_signs_nothing_is_known_by_the_path(provider: httpx.AsyncClient, served: House) -> None:
    body = json.dumps([{"out_id": "any", "success": True, "err_code": "DELIVERED", "biz_id": "1"}]).encode()
    answer = await provider.post("/api/v1/callbacks/aliyun/behind-the-path", content=body)
    assert answer.status_code == 200
    assert count(served) == 1


async def test_wechat_hears_its_text_back_when_the_address_is_set_up(
    provider: httpx.AsyncClient, served: House
) -> None:
    question = {**sign_wechat(TOKEN, now=served.clock.now().timestamp()), "echostr": "<b>5510215474561"}
    for _ in range(2):
        answer = await provider.get("/api/v1/callbacks/wechat", params=question)
        assert (answer.status_code, answer.content) == (200, b"<b>5510215474561")
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert (answer.headers["X-Content-Type-Options"], answer.headers["Cache-Control"]) == ("nosniff", "no-store")
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert count(served) == 0
    answer = await provider.get("/api/v1/callbacks/wechat", params={**question, "echostr": "1" * 200})
    assert (answer.status_code, answer.json()["code"]) == (422, "callback_broken")
    served.clock.advance(timedelta(minutes=6))  # type: ignore[attr-defined]  # the clock of tests
    answer = await provider.get("/api/v1/callbacks/wechat", params=question)
    assert (answer.status_code, answer.json()["code"]) == (401, "callback_stale")


@pytest.mark.parametrize("path", ["wechat", "gateway", "sms", "nobody", "aliyun", "aliyun/behind-the-path", "nobody/x"])
async def test_whoever_asks_without_the_token_hears_what_a_forger_hears(
    provider: httpx.AsyncClient, served: House, path: str
) -> None:
    token = SECRET if path in ("wechat", "gateway") else TOKEN
    question = {**sign_wechat(token, now=served.clock.now().timestamp()), "echostr": "5510215474561"}
    answer = await provider.get(f"/api/v1/callbacks/{path}", params=question)
    forged = await tell(provider, served, receipt("any"), path="nobody")
    assert (answer.status_code, answer.json()) == (401, forged.json())
    assert "5510215474561" not in answer.text


async def test_a_nonce_serves_once(provider: httpx.AsyncClient, served: House) -> None:
    body = receipt("any")
    headers = sign_callback(body, now=served.clock.now().timestamp())
    codes = [
        (await provider.post("/api/v1/callbacks/gateway", content=body, headers=headers)).status_code for _ in range(2)
    ]
    assert codes == [200, 409]


async def test_what_wechat_repeats_is_stored_once_and_hears_success(served: House) -> None:
    settings = Settings(data=served.settings.data, wechat_callback_token=SecretStr(SECRET))
    house = replace(served, settings=settings, callbacks=build_callbacks(settings, served.clock))
    query = sign_wechat(SECRET, now=house.clock.now().timestamp())
    body = b"<xml><MsgType>event</MsgType><Event>TEMPLATESENDJOBFINISH</Event><MsgID>7</MsgID></xml>"
    async with caller(create_app(house)) as client:
        answers = [await client.post("/api/v1/callbacks/wechat", params=query, content=body) for _ in range(3)]
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "success")] * 3
    assert count(house) == 1


async def test_what_cannot_be_read_is_kept_and_says_so(provider: httpx.AsyncClient, served: House) -> None:
    assert (await tell(provider, served, b"\xff{")).status_code == 200
    receipts_loop(served).step()
    with read_session(served.engine) as session:
        kept = session.scalars(select(Receipt)).one()
        assert (kept.note, kept.applied_at) == ("unreadable", served.clock.now())


async def test_too_much_is_refused(provider: httpx.AsyncClient, served: House) -> None:
    assert (await tell(provider, served, b" " * 70_000)).status_code == 413
    assert count(served) == 0


async def test_a_receipt_before_the_message_is_known_waits(
    provider: httpx.AsyncClient, served: House, clock: FixedClock
) -> None:
    await tell(provider, served, receipt("not-yet"))
    receipts_loop(served).step()
    with read_session(served.engine) as session:
        assert session.scalars(select(Receipt.applied_at)).one() is None
    key = sent(served)
    with write_session(served.engine) as session:
        session.scalars(select(Attempt).where(Attempt.key == key)).one().key = "not-yet"
    clock.advance(LOOK_AGAIN)
    receipts_loop(served).step()
    with read_session(served.engine) as session:
        assert session.scalars(select(Push.state)).one() is PushState.DELIVERED


def test_a_secret_is_not_printed() -> None:
    assert "s3cret" not in repr(Callback(headers={"x": "s3cret"}, body=b"s3cret", path_secret="s3cret"))
