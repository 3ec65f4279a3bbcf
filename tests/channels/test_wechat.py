"""Messages of a WeChat service account: the token, what goes out, what codes mean."""

import threading
from datetime import timedelta

import pytest

from app.channels.wechat import WechatSender
from app.domain.pushes import Outcome
from app.kit.clock import FixedClock
from tests.channels.conftest import Make, a_message
from tests.channels.provider import Provider


@pytest.fixture
def wechat(make_sender: Make, provider: Provider) -> WechatSender:
    sender = make_sender("wechat", provider.url)
    assert isinstance(sender, WechatSender)
    return sender


def tokens_asked_for(provider: Provider) -> int:
    return len(provider._database.execute("SELECT id FROM asked WHERE what = 'token'").fetchall())


def test_a_message_carries_the_key_and_values_as_long_as_they_may_be(wechat: WechatSender, provider: Provider) -> None:
    message = a_message(to="openid-1")
    message.values["title"] = "保" * 30
    report = wechat.send(message)
    assert (report.outcome, report.provider_id) == (Outcome.ACCEPTED, "1")
    (body,) = provider.bodies()
    assert (body["touser"], body["template_id"], body["client_msg_id"]) == ("openid-1", "T1", "push-1")
    assert body["data"]["thing1"]["value"] == "保" * 19 + "…"


def test_one_token_serves_until_five_minutes_before_its_end(
    wechat: WechatSender, provider: Provider, clock: FixedClock
) -> None:
    for number in range(3):
        wechat.send(a_message(f"push-{number}"))
    assert tokens_asked_for(provider) == 1
    clock.advance(timedelta(seconds=7_200 - 301))
    wechat.send(a_message("push-4"))
    assert tokens_asked_for(provider) == 1
    clock.advance(timedelta(seconds=1))
    wechat.send(a_message("push-5"))
    assert tokens_asked_for(provider) == 2
    assert sum(provider.taken().values()) == 5


def test_a_void_token_is_asked_for_again_once(wechat: WechatSender, provider: Provider) -> None:
    wechat.send(a_message())
    provider.void_tokens = 1
    assert wechat.send(a_message("push-2")).outcome is Outcome.ACCEPTED
    assert tokens_asked_for(provider) == 2
    provider.void_tokens = 2
    report = wechat.send(a_message("push-3"))
    assert (report.outcome, report.code) == (Outcome.REFUSED, "42001")
    assert tokens_asked_for(provider) == 3
    assert provider.taken() == {"push-1": 1, "push-2": 1}


def test_threads_share_one_token(wechat: WechatSender, provider: Provider) -> None:
    reports = []
    threads = [
        threading.Thread(target=lambda number=number: reports.append(wechat.send(a_message(f"push-{number}"))))
        for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.outcome for report in reports] == [Outcome.ACCEPTED] * 6
    assert tokens_asked_for(provider) == 1


@pytest.mark.parametrize(
    ("code", "outcome", "wait"),
    [
        (40003, Outcome.BROKEN, None),
        (43004, Outcome.BROKEN, None),
        (43101, Outcome.BROKEN, None),
        (40037, Outcome.REFUSED, None),
        (45009, Outcome.BUSY, 3_600),
        (45011, Outcome.BUSY, 60),
        (-1, Outcome.BUSY, 60),
        (40001, Outcome.REFUSED, None),
        (True, Outcome.UNCERTAIN, None),
        ("0", Outcome.UNCERTAIN, None),
        (None, Outcome.UNCERTAIN, None),
        (0, Outcome.UNCERTAIN, None),  # without a number of the message
    ],
)
def test_what_a_code_means(
    wechat: WechatSender, provider: Provider, code: object, outcome: Outcome, wait: int | None
) -> None:
    provider.refuse("wechat", 200, {"errcode": code, "errmsg": ""})
    report = wechat.send(a_message())
    assert (report.outcome, report.retry_after_s) == (outcome, wait)


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        ({"errcode": 40125}, Outcome.REFUSED, "token_40125"),
        ({"errcode": 40164}, Outcome.REFUSED, "token_40164"),
        ({"errcode": -1}, Outcome.BUSY, "token_-1"),
        ({"access_token": "", "expires_in": 7200}, Outcome.BUSY, "token_200"),
        ({"access_token": "t", "expires_in": "7200"}, Outcome.BUSY, "token_200"),
        ({}, Outcome.BUSY, "token_200"),
    ],
)
def test_without_a_token_nothing_is_sent(
    wechat: WechatSender, provider: Provider, answer: object, outcome: Outcome, code: str
) -> None:
    provider.refuse("wechat_token", 200, answer)
    report = wechat.send(a_message())
    assert (report.outcome, report.code) == (outcome, code)
    assert not provider.taken()


def test_no_token_stands_in_what_is_printed(wechat: WechatSender) -> None:
    wechat.send(a_message())
    assert "token-1" not in f"{vars(wechat)!r}"
    assert "wxsecret" not in f"{vars(wechat)!r}"
