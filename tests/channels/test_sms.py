"""Text messages by Aliyun and Tencent: signatures as published, what goes out, what codes mean, what questions tell."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.channels.calls import Answer, Caller, Failure
from app.channels.sms_aliyun import AliyunSender, signed_parameters
from app.channels.sms_tencent import TencentSender, authorization_of
from app.domain.pushes import Outcome
from app.kit.clock import FixedClock
from tests.channels.conftest import Make, a_message
from tests.channels.provider import Fault as Wrong
from tests.channels.provider import Misbehaviour, Provider

PHONE = "13800001111"


@pytest.fixture
def aliyun(make_sender: Make, provider: Provider) -> AliyunSender:
    sender = make_sender("aliyun", provider.url)
    assert isinstance(sender, AliyunSender)
    return sender


@pytest.fixture
def tencent(make_sender: Make, provider: Provider) -> TencentSender:
    sender = make_sender("tencent", provider.url)
    assert isinstance(sender, TencentSender)
    return sender


# --- as published -----------------------------------------------------------------------------------------------------


def test_aliyuns_signature_is_that_of_its_general_example() -> None:
    # help.aliyun.com, RPC 风格签名: DescribeRegions, testid and testsecret.
    example = {
        "Action": "DescribeRegions",
        "Version": "2014-05-26",
        "Format": "XML",
        "AccessKeyId": "testid",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf",
        "Timestamp": "2016-02-23T12:46:24Z",
    }
    signed = signed_parameters("testsecret", example, method="GET")
    assert signed["Signature"] == "OLeaidS1JvxuMvnyHOwuJ+uX5qY="


def test_aliyuns_signature_is_that_of_its_example_for_text_messages() -> None:
    # help.aliyun.com, 短信服务 HTTP 协议及签名: SendSms with Chinese and JSON in it.
    example = {
        "Action": "SendSms",
        "Version": "2017-05-25",
        "RegionId": "cn-hangzhou",
        "PhoneNumbers": "15300000001",
        "SignName": "阿里云短信测试专用",
        "TemplateParam": '{"customer":"test"}',
        "TemplateCode": "SMS_71390007",
        "OutId": "123",
        "Format": "XML",
        "AccessKeyId": "testId",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": "45e25e9b-0a6f-4070-8c85-2956eda1b466",
        "Timestamp": "2017-07-12T02:42:19Z",
    }
    signed = signed_parameters("testSecret", example, method="GET")
    assert signed["Signature"] == "zJDF+Lrzhj/ThnlvIToysFRq6t4="


def test_tencents_signature_is_that_of_its_example() -> None:
    # cloud.tencent.com, 签名方法 v3: DescribeInstances at 1551113065.
    authorization = authorization_of(
        "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE",
        "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE",
        service="cvm",
        host="cvm.tencentcloudapi.com",
        instant=datetime.fromtimestamp(1551113065, UTC),
        content=rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}',
    )
    assert authorization == (
        "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, "
        "SignedHeaders=content-type;host, "
        "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
    )


# --- what goes out ----------------------------------------------------------------------------------------------------


def test_aliyun_is_sent_the_key_and_each_value_by_its_name(aliyun: AliyunSender, provider: Provider) -> None:
    report = aliyun.send(a_message())
    assert (report.outcome, report.provider_id) == (Outcome.ACCEPTED, "biz1^0")
    (body,) = provider.bodies()
    assert (body["OutId"], body["PhoneNumbers"], body["SignName"]) == ("push-1", PHONE, "就近")
    assert body["TemplateParam"] == {"thing1": "小区保安 a~*+&=", "thing2": "3千"}


def test_tencent_is_sent_the_key_and_the_values_in_their_order(tencent: TencentSender, provider: Provider) -> None:
    report = tencent.send(a_message())
    assert (report.outcome, report.provider_id, report.segments) == (Outcome.ACCEPTED, "serial:1", 1)
    (body,) = provider.bodies()
    assert (body["SessionContext"], body["PhoneNumberSet"]) == ("push-1", [f"+86{PHONE}"])
    assert body["TemplateParamSet"] == ["小区保安 a~*+&=", "3千"]


@pytest.mark.parametrize("name", ["aliyun", "tencent", "wechat"])
def test_a_template_that_was_not_agreed_is_not_sent(make_sender: Make, provider: Provider, name: str) -> None:
    report = make_sender(name, provider.url).send(a_message(template="another"))
    assert (report.outcome, report.code) == (Outcome.REFUSED, "template_not_agreed")
    assert not provider.taken()


@pytest.mark.parametrize("name", ["gateway", "voice", "aliyun", "tencent", "wechat"])
def test_half_an_emoji_stops_nobody(make_sender: Make, provider: Provider, name: str) -> None:
    message = a_message()
    message.values["title"] = "保安\ud83d"
    report = make_sender(name, provider.url).send(message)
    assert report.outcome in (Outcome.ACCEPTED, Outcome.REFUSED, Outcome.UNCERTAIN)


def test_no_request_of_a_provider_carries_the_phone_in_its_address(
    make_sender: Make, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    call = Caller.call

    def listening(caller: Caller, method: str, url: str, **given: Any) -> Answer | Failure:
        seen.append(url)
        return call(caller, method, url, **given)

    monkeypatch.setattr(Caller, "call", listening)
    for name in ("gateway", "voice", "aliyun", "tencent", "wechat"):
        sender = make_sender(name, provider.url)
        sender.send(a_message())
        sender.query("push-1", to=PHONE, provider_id=None, sent_at=datetime(2026, 12, 1, tzinfo=UTC))
    assert len(seen) > 5
    assert not any(PHONE in url for url in seen)


# --- what codes mean --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "message", "outcome", "wait"),
    [
        (200, "isv.BUSINESS_LIMIT_CONTROL", "触发分钟级流控Permits:1", Outcome.BUSY, 60),
        (200, "isv.BUSINESS_LIMIT_CONTROL", "触发小时级流控Permits:5", Outcome.BUSY, 3_600),
        (200, "isv.BUSINESS_LIMIT_CONTROL", "触发天级流控Permits:10", Outcome.BUSY, 86_400),
        (200, "isv.BUSINESS_LIMIT_CONTROL", "", Outcome.BUSY, 60),
        (400, "Throttling.User", "", Outcome.BUSY, 60),
        (200, "isv.MOBILE_NUMBER_ILLEGAL", "", Outcome.BROKEN, None),
        (200, "isv.AMOUNT_NOT_ENOUGH", "", Outcome.REFUSED, None),
        (200, "isv.SMS_SIGNATURE_ILLEGAL", "", Outcome.REFUSED, None),
        (200, "isv.DAY_LIMIT_CONTROL", "", Outcome.REFUSED, None),
        (400, "isp.RAM_PERMISSION_DENY", "", Outcome.REFUSED, None),
        (404, "InvalidAccessKeyId.NotFound", "", Outcome.REFUSED, None),
        (400, "SignatureNonceUsed", "", Outcome.UNCERTAIN, None),
        (200, "isp.SYSTEM_ERROR", "", Outcome.UNCERTAIN, None),
        (503, "ServiceUnavailable", "", Outcome.UNCERTAIN, None),
        (500, "isv.AMOUNT_NOT_ENOUGH", "", Outcome.REFUSED, None),
        (200, "OK", "no BizId", Outcome.UNCERTAIN, None),
        (200, None, "", Outcome.UNCERTAIN, None),
        (400, {"a": 1}, "", Outcome.UNCERTAIN, None),
    ],
)
def test_what_a_code_of_aliyun_means(
    aliyun: AliyunSender,
    provider: Provider,
    status: int,
    code: object,
    message: str,
    outcome: Outcome,
    wait: int | None,
) -> None:
    provider.refuse("aliyun", status, {"Code": code, "Message": message, "RequestId": "r"})
    report = aliyun.send(a_message())
    assert (report.outcome, report.retry_after_s) == (outcome, wait)
    assert report.code == (code if isinstance(code, str) else f"http_{status}")


@pytest.mark.parametrize(
    ("code", "outcome", "wait"),
    [
        ("LimitExceeded.PhoneNumberThirtySecondLimit", Outcome.BUSY, 30),
        ("LimitExceeded.PhoneNumberOneHourLimit", Outcome.BUSY, 3_600),
        ("LimitExceeded.PhoneNumberDailyLimit", Outcome.BUSY, 86_400),
        ("RequestLimitExceeded", Outcome.BUSY, 60),
        ("InvalidParameterValue.IncorrectPhoneNumber", Outcome.BROKEN, None),
        ("FailedOperation.PhoneNumberInBlacklist", Outcome.BROKEN, None),
        ("FailedOperation.InsufficientBalanceInSmsPackage", Outcome.REFUSED, None),
        ("AuthFailure.SignatureFailure", Outcome.REFUSED, None),
        ("UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber", Outcome.REFUSED, None),
        ("InternalError.Timeout", Outcome.UNCERTAIN, None),
        ("SomethingNew", Outcome.UNCERTAIN, None),
    ],
)
@pytest.mark.parametrize("is_whole", [True, False])
def test_what_a_code_of_tencent_means(
    tencent: TencentSender, provider: Provider, code: str, outcome: Outcome, wait: int | None, is_whole: bool
) -> None:
    # A code stands for the whole request or beside the one phone.
    content = {"Error": {"Code": code}} if is_whole else {"SendStatusSet": [{"Code": code, "SerialNo": ""}]}
    provider.refuse("tencent", 200, {"Response": {**content, "RequestId": "r"}})
    report = tencent.send(a_message())
    assert (report.outcome, report.retry_after_s, report.code) == (outcome, wait, code)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"Response": None},
        {"Response": {"SendStatusSet": []}},
        {"Response": {"SendStatusSet": [{}, {}]}},
        {"Response": {"SendStatusSet": ["Ok"]}},
        {"Response": {"SendStatusSet": [{"Code": "Ok"}]}},
        {"Response": {"Error": "InternalError"}},
    ],
)
def test_an_answer_of_tencent_that_does_not_tell_is_unclear(
    tencent: TencentSender, provider: Provider, answer: object
) -> None:
    provider.refuse("tencent", 200, answer)
    assert tencent.send(a_message()).outcome is Outcome.UNCERTAIN


def test_a_wrong_secret_is_refused_by_either(make_sender: Make, provider: Provider) -> None:
    for name, code in (("aliyun", "SignatureDoesNotMatch"), ("tencent", "AuthFailure.SignatureFailure")):
        sender = make_sender(name, provider.url)
        secret = "access_key_secret" if name == "aliyun" else "secret_key"
        object.__setattr__(vars(sender)["_account"], secret, "another")
        report = sender.send(a_message())
        assert (report.outcome, report.code) == (Outcome.REFUSED, code)
    assert not provider.taken()


# --- what questions tell ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("accepted", Outcome.ACCEPTED), ("delivered", Outcome.DELIVERED), ("refused", Outcome.REFUSED)],
)
def test_aliyun_tells_of_a_key_whose_answer_was_lost(
    aliyun: AliyunSender, provider: Provider, sent_at: datetime, status: str, outcome: Outcome
) -> None:
    provider.misbehave(Misbehaviour(Wrong.RESET, takes=True))
    assert aliyun.send(a_message()).outcome is Outcome.UNCERTAIN
    provider.settle("push-1", status)
    assert aliyun.query("push-1", to=PHONE, provider_id=None, sent_at=sent_at).outcome is outcome


def test_aliyun_knows_nothing_of_a_key_only_after_ten_minutes(
    aliyun: AliyunSender, provider: Provider, clock: FixedClock, sent_at: datetime
) -> None:
    provider.misbehave(Misbehaviour(Wrong.RESET, takes=False))
    assert aliyun.send(a_message()).outcome is Outcome.UNCERTAIN
    assert aliyun.send(a_message("another")).outcome is Outcome.ACCEPTED
    early = aliyun.query("push-1", to=PHONE, provider_id=None, sent_at=sent_at)
    assert (early.outcome, early.code) == (Outcome.UNCERTAIN, "not_listed_yet")
    clock.advance(timedelta(minutes=10))
    assert aliyun.query("push-1", to=PHONE, provider_id=None, sent_at=sent_at).outcome is Outcome.UNKNOWN


def test_what_aliyun_no_longer_lists_is_not_unknown(aliyun: AliyunSender, clock: FixedClock, sent_at: datetime) -> None:
    clock.advance(timedelta(days=29, seconds=1))
    report = aliyun.query("push-1", to=PHONE, provider_id=None, sent_at=sent_at)
    assert (report.outcome, report.code) == (Outcome.UNCERTAIN, "too_long_ago")


def test_aliyun_is_asked_page_by_page(aliyun: AliyunSender, provider: Provider, sent_at: datetime) -> None:
    for number in range(51):
        provider.take("aliyun", f"push-{number}", PHONE, {})
    assert aliyun.query("push-50", to=PHONE, provider_id=None, sent_at=sent_at).outcome is Outcome.ACCEPTED


def test_a_list_of_aliyun_that_has_no_end_proves_nothing(
    aliyun: AliyunSender, provider: Provider, clock: FixedClock, sent_at: datetime
) -> None:
    for number in range(200):
        provider.take("aliyun", f"push-{number}", PHONE, {})
    clock.advance(timedelta(days=1))
    report = aliyun.query("push-none", to=PHONE, provider_id=None, sent_at=sent_at)
    assert (report.outcome, report.code) == (Outcome.UNCERTAIN, "too_many_rows")


def test_tencent_tells_of_a_key_once_there_is_a_status_and_never_that_it_knows_none(
    tencent: TencentSender, provider: Provider, clock: FixedClock, sent_at: datetime
) -> None:
    provider.misbehave(Misbehaviour(Wrong.RESET, takes=True))
    assert tencent.send(a_message()).outcome is Outcome.UNCERTAIN
    assert tencent.query("push-1", to=PHONE, provider_id=None, sent_at=sent_at).code == "no_status_yet"
    clock.advance(timedelta(days=8))
    assert tencent.query("push-1", to=PHONE, provider_id=None, sent_at=sent_at).outcome is Outcome.UNCERTAIN
    provider.settle("push-1", "delivered")
    report = tencent.query("push-1", to=PHONE, provider_id=None, sent_at=sent_at)
    assert (report.outcome, report.provider_id) == (Outcome.DELIVERED, "serial:1")


def test_tencent_knows_a_message_by_its_serial_number_alone(
    tencent: TencentSender, provider: Provider, sent_at: datetime
) -> None:
    provider.take("tencent", "not ours", f"+86{PHONE}", {})
    provider.settle("not ours", "refused", "EXPIRED")
    report = tencent.query("push-1", to=PHONE, provider_id="serial:1", sent_at=sent_at)
    assert (report.outcome, report.code) == (Outcome.REFUSED, "EXPIRED")
    assert tencent.query("push-1", to=PHONE, provider_id="serial:2", sent_at=sent_at).outcome is Outcome.UNCERTAIN
