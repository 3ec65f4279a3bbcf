"""A provider that misbehaves on loopback, and every sender that speaks to it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.channels.agreed import AgreedTemplate
from app.channels.calls import Caller, Timeouts
from app.channels.neutral import NeutralSender
from app.channels.sms_aliyun import AliyunAccount, AliyunSender
from app.channels.sms_tencent import TencentAccount, TencentSender
from app.channels.voice import VoiceSender
from app.channels.wechat import WechatAccount, WechatSender
from app.domain.ledger import Channel
from app.domain.pushes import Message, Sender
from app.kit.clock import FixedClock
from tests.channels.provider import ALIYUN_KEY, SECRET, TENCENT_KEY, WECHAT_APP, Fault, Provider, running

NETWORK = ("gateway", "voice", "aliyun", "tencent", "wechat")
TEMPLATES = {"push": AgreedTemplate("T1", (("title", "thing1"), ("pay", "thing2")))}

# So long that a busy machine fails nothing, and limits that a fault under test runs into.
PATIENT = Timeouts(connect_s=60, read_s=60, overall_s=120)
HASTY = {
    Fault.TIMEOUT: Timeouts(connect_s=60, read_s=0.2, overall_s=120),
    Fault.DRIP: Timeouts(connect_s=60, read_s=60, overall_s=0.3),
    Fault.DRIP_HEAD: Timeouts(connect_s=60, read_s=60, overall_s=0.3),
}

Make = Callable[..., Sender]


@pytest.fixture
def provider(tmp_path: Path, clock: FixedClock) -> Iterator[Provider]:
    with running(tmp_path / "taken.db", clock=lambda: clock.now().timestamp()) as provider:
        yield provider


@pytest.fixture
def make_sender(clock: FixedClock) -> Make:
    """Makes a sender by its name, for a provider at an address."""

    def make(name: str, url: str) -> Sender:
        caller = Caller(clock, PATIENT)
        match name:
            case "gateway":
                return NeutralSender(
                    provider=name, channel=Channel.SMS, base_url=url, secret=SECRET, caller=caller, clock=clock
                )
            case "voice":
                return VoiceSender(provider=name, base_url=url, secret=SECRET, caller=caller, clock=clock)
            case "aliyun":
                aliyun = AliyunAccount(
                    access_key_id=ALIYUN_KEY[0],
                    access_key_secret=ALIYUN_KEY[1],
                    sign_name="就近",
                    templates=TEMPLATES,
                    endpoint=f"{url}/",
                )
                return AliyunSender(aliyun, caller=caller, clock=clock)
            case "tencent":
                tencent = TencentAccount(
                    secret_id=TENCENT_KEY[0],
                    secret_key=TENCENT_KEY[1],
                    app_id="1400006666",
                    sign_name="就近",
                    templates=TEMPLATES,
                    endpoint=f"{url}/",
                )
                return TencentSender(tencent, caller=caller, clock=clock)
            case _:
                wechat = WechatAccount(
                    app_id=WECHAT_APP[0], app_secret=WECHAT_APP[1], templates=TEMPLATES, endpoint=url
                )
                return WechatSender(wechat, caller=caller, clock=clock)

    return make


@pytest.fixture(params=NETWORK)
def sender(request: pytest.FixtureRequest, provider: Provider, make_sender: Make) -> Sender:
    """Each sender that calls somebody, in turn."""
    return make_sender(request.param, provider.url)


@pytest.fixture
def sent_at(clock: FixedClock) -> datetime:
    return clock.now().astimezone(UTC)


def hurry(sender: Sender, fault: Fault, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a sender the limits that a fault runs into."""
    monkeypatch.setattr(sender, "_caller", Caller(clock, HASTY.get(fault, PATIENT)))


def a_message(key: str = "push-1", **changes: str) -> Message:
    given = {"to": "13800001111", "template": "push", "text": "【就近】小区保安，3千", **changes}
    return Message(key=key, values={"title": "小区保安 a~*+&=", "pay": "3千"}, **given)
