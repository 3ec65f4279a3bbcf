"""Receipts and replies: who they are from, and what they say; whatever is wrong is a fault with a code."""

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.channels.callbacks import (
    LONGEST_BODY_BYTES,
    ProviderCallbacks,
    Shape,
    authenticate,
    echo_of,
    facts_in,
)
from app.domain.callbacks import (
    Callback,
    CallbackBroken,
    CallbackFacts,
    CallbackForged,
    CallbackReader,
    CallbackReplayed,
    CallbackStale,
    ReceiptFact,
    ReplyFact,
)
from app.domain.ledger import Channel
from app.domain.pushes import Outcome
from app.kit.clock import FixedClock
from tests.channels.provider import SECRET, Telling, receipt_of, sign_callback, sign_wechat

NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
ALL = list(Shape)


def told(
    shape: Shape, status: str = "delivered", code: str = "DELIVRD", *, at: datetime = NOW, secret: str = SECRET
) -> Callback:
    """The receipt of message 7 with the key push-1, as its provider pushes it at a time."""
    telling = Telling(url="http://127.0.0.1/callbacks", secret=secret)
    headers, path, body = receipt_of(shape.value, 7, "push-1", status, code, now=at.timestamp(), telling=telling)
    path, _, query = path.partition("?")
    given = dict(pair.split("=") for pair in query.split("&")) if query else {}
    return Callback(headers=headers, body=body, query=given, path_secret=path.removeprefix("/callbacks").strip("/"))


def signed(content: object, *, at: datetime = NOW) -> Callback:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Callback(headers=sign_callback(body, now=at.timestamp()), body=body)


def by_path(content: object) -> Callback:
    return Callback(headers={}, body=json.dumps(content).encode(), path_secret=SECRET)


def by_query(xml: str, *, at: datetime = NOW) -> Callback:
    return Callback(headers={}, body=xml.encode(), query=sign_wechat(SECRET, now=at.timestamp()))


def never(_nonce: str) -> bool:
    return False


def facts(shape: Shape, callback: Callback, *, now: datetime = NOW) -> CallbackFacts:
    authenticate(shape, callback, secret=SECRET, now=now, is_spent=never)
    return facts_in(shape, callback.body)


def receipts(shape: Shape, callback: Callback, *, now: datetime = NOW) -> list[ReceiptFact]:
    return list(facts(shape, callback, now=now).receipts)


def replies(shape: Shape, callback: Callback, *, now: datetime = NOW) -> list[ReplyFact]:
    return list(facts(shape, callback, now=now).replies)


# --- what they say ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "key", "identity"),
    [
        (Shape.NEUTRAL, "push-1", "7"),
        (Shape.ALIYUN, "push-1", "biz7^0"),
        (Shape.TENCENT, None, "serial:7"),
        (Shape.WECHAT, None, "7"),
    ],
)
def test_a_receipt_tells_which_message_arrived_and_when(shape: Shape, key: str | None, identity: str) -> None:
    (fact,) = receipts(shape, told(shape))
    assert (fact.key, fact.provider_id, fact.outcome) == (key, identity, Outcome.DELIVERED)
    assert fact.happened_at == NOW
    assert not replies(shape, told(shape))


@pytest.mark.parametrize(
    ("shape", "status", "code", "outcome"),
    [
        (Shape.NEUTRAL, "refused", "EXPIRED", Outcome.REFUSED),
        (Shape.NEUTRAL, "broken", "NO_NUMBER", Outcome.BROKEN),
        (Shape.ALIYUN, "refused", "MOBILE_SEND_LIMIT", Outcome.REFUSED),
        (Shape.ALIYUN, "refused", "INVALID_NUMBER", Outcome.BROKEN),
        (Shape.TENCENT, "refused", "EXPIRED", Outcome.REFUSED),
        (Shape.WECHAT, "refused", "failed:user block", Outcome.BROKEN),
    ],
)
def test_a_receipt_tells_that_it_did_not_arrive(shape: Shape, status: str, code: str, outcome: Outcome) -> None:
    (fact,) = receipts(shape, told(shape, status, code))
    assert (fact.outcome, fact.code) == (outcome, code)


def test_the_receipts_that_the_providers_publish_as_examples_are_read() -> None:
    aliyun = {
        "phone_number": "13800001111",
        "send_time": "2017-01-01 00:00:00",
        "report_time": "2017-01-01 00:00:00",
        "success": True,
        "err_code": "DELIVERED",
        "err_msg": "用户接收成功",
        "sms_size": "1",
        "biz_id": "12345",
        "out_id": "67890",
    }
    tencent = {
        "user_receive_time": "2015-10-17 08:03:04",
        "nationcode": "86",
        "mobile": "13800001111",
        "report_status": "SUCCESS",
        "errmsg": "DELIVRD",
        "description": "用户短信送达成功",
        "sid": "xxxxxxx",
    }
    assert receipts(Shape.ALIYUN, by_path([aliyun, aliyun]))[1] == ReceiptFact(
        key="67890",
        provider_id="12345",
        outcome=Outcome.DELIVERED,
        happened_at=datetime(2016, 12, 31, 16, tzinfo=UTC),
        code="DELIVERED",
    )
    assert receipts(Shape.TENCENT, by_path([tencent])) == [
        ReceiptFact(
            key=None,
            provider_id="xxxxxxx",
            outcome=Outcome.DELIVERED,
            happened_at=datetime(2015, 10, 17, 0, 3, 4, tzinfo=UTC),
            code="DELIVRD",
        )
    ]


def wechat_text(content: str) -> str:
    return (
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[openid-1]]></FromUserName>"
        f"<CreateTime>{int(NOW.timestamp())}</CreateTime><MsgType><![CDATA[text]]></MsgType>"
        f"<Content><![CDATA[{content}]]></Content><MsgId>1</MsgId></xml>"
    )


@pytest.mark.parametrize(
    ("shape", "callback", "sender", "key"),
    [
        (
            Shape.NEUTRAL,
            signed({"replies": [{"from": "+8613800001111", "text": "1", "at": "2026-12-01T10:00:00+08:00"}]}),
            "13800001111",
            None,
        ),
        (
            Shape.NEUTRAL,
            signed(
                {"replies": [{"from": "13800001111", "text": "1", "key": "push-1", "at": "2026-12-01T02:00:00+00:00"}]}
            ),
            "13800001111",
            "push-1",
        ),
        (
            Shape.ALIYUN,
            by_path(
                [
                    {
                        "phone_number": "13800001111",
                        "send_time": "20261201100000",
                        "content": "1",
                        "sign_name": "就近",
                        "dest_code": "1234",
                        "sequence_id": 1234567890,
                    }
                ]
            ),
            "13800001111",
            None,
        ),
        (
            Shape.TENCENT,
            by_path(
                {
                    "extend": "",
                    "mobile": "13800001111",
                    "nationcode": "86",
                    "sign": "就近",
                    "text": "1",
                    "time": int(NOW.timestamp()),
                }
            ),
            "13800001111",
            None,
        ),
        (Shape.WECHAT, by_query(wechat_text("1")), "openid-1", None),
    ],
)
def test_a_reply_tells_who_said_what_and_when(shape: Shape, callback: Callback, sender: str, key: str | None) -> None:
    assert replies(shape, callback) == [ReplyFact(sender=sender, text="1", happened_at=NOW, key=key)]
    assert not receipts(shape, callback)


def test_nobodys_number_or_words_are_printed() -> None:
    (fact,) = replies(Shape.WECHAT, by_query(wechat_text("我叫张三")))
    assert "openid-1" not in repr(fact)
    assert "张三" not in repr(fact)
    assert SECRET not in repr(told(Shape.ALIYUN))


def test_other_events_of_wechat_are_neither_receipts_nor_replies() -> None:
    event = wechat_text("1").replace("[text]", "[event]").replace("</xml>", "<Event>subscribe</Event></xml>")
    assert not receipts(Shape.WECHAT, by_query(event))
    assert not replies(Shape.WECHAT, by_query(event))


# --- who they are from ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ALL)
def test_a_callback_with_another_secret_is_forged(shape: Shape) -> None:
    with pytest.raises(CallbackForged) as refused:
        authenticate(shape, told(shape, secret="another"), secret=SECRET, now=NOW, is_spent=never)
    assert refused.value.code == "callback_forged"


@pytest.mark.parametrize("shape", ALL)
def test_a_callback_without_any_sign_of_its_sender_is_forged(shape: Shape) -> None:
    with pytest.raises(CallbackForged):
        receipts(shape, Callback(headers={}, body=told(shape).body))


def test_a_body_that_was_changed_is_forged() -> None:
    callback = told(Shape.NEUTRAL, "refused")
    with pytest.raises(CallbackForged):
        receipts(Shape.NEUTRAL, Callback(headers=callback.headers, body=callback.body.replace(b"refus", b"deliver")))


@pytest.mark.parametrize("header", ["X-Jiujin-Timestamp", "X-Jiujin-Nonce"])
def test_a_time_or_nonce_that_was_changed_is_forged(header: str) -> None:
    callback = told(Shape.NEUTRAL)
    changed = {**callback.headers, header: str(int(NOW.timestamp()) + 1)}
    with pytest.raises(CallbackForged):
        receipts(Shape.NEUTRAL, Callback(headers=changed, body=callback.body))


@pytest.mark.parametrize("shape", [Shape.NEUTRAL, Shape.WECHAT])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_signature_is_good_for_five_minutes(shape: Shape, sign: int) -> None:
    callback = told(shape)
    assert receipts(shape, callback, now=NOW + sign * timedelta(minutes=5))
    with pytest.raises(CallbackStale) as refused:
        receipts(shape, callback, now=NOW + sign * timedelta(minutes=5, seconds=1))
    assert refused.value.code == "callback_stale"


@pytest.fixture
def reader(clock: FixedClock) -> Callable[[Shape], CallbackReader]:
    return lambda shape: ProviderCallbacks(provider="p", channel=Channel.SMS, shape=shape, secret=SECRET, clock=clock)


@pytest.mark.parametrize(
    ("shape", "answer"),
    [
        (Shape.NEUTRAL, {}),
        (Shape.ALIYUN, {"code": 0, "msg": "OK"}),
        (Shape.TENCENT, {"result": 0, "errmsg": "OK"}),
        (Shape.WECHAT, "success"),
    ],
)
def test_each_provider_hears_what_it_wants_to_hear(
    reader: Callable[[Shape], CallbackReader], shape: Shape, answer: object
) -> None:
    media_type, body = reader(shape).acknowledgement
    assert (json.loads(body) if media_type == "application/json" else body.decode()) == answer


def test_the_address_is_shown_to_be_ours_when_wechat_is_set_up(reader: Callable[[Shape], CallbackReader]) -> None:
    # A GET without a body, signed like the rest; whoever serves it answers with its echostr.
    query = {**sign_wechat(SECRET, now=NOW.timestamp()), "echostr": "42"}
    reader(Shape.WECHAT).authenticate(Callback(headers={}, body=b"", query=query))
    with pytest.raises(CallbackForged):
        reader(Shape.WECHAT).authenticate(Callback(headers={}, body=b"", query={**query, "nonce": "another"}))


def test_what_wechat_repeats_as_it_was_is_not_refused(reader: Callable[[Shape], CallbackReader]) -> None:
    callbacks, callback = reader(Shape.WECHAT), told(Shape.WECHAT)
    for _ in range(3):
        callbacks.spend(callbacks.authenticate(callback))


def test_a_nonce_that_was_spent_is_a_replay(reader: Callable[[Shape], CallbackReader]) -> None:
    callbacks, callback = reader(Shape.NEUTRAL), told(Shape.NEUTRAL)
    nonce = callbacks.authenticate(callback)
    # Our own failure: it was not stored, and comes again as it was.
    assert callbacks.authenticate(callback) == nonce
    callbacks.spend(nonce)
    with pytest.raises(CallbackReplayed) as refused:
        callbacks.authenticate(callback)
    assert (refused.value.code, refused.value.status) == ("callback_replayed", 409)
    assert callbacks.authenticate(told(Shape.NEUTRAL)) != nonce


def test_a_nonce_is_remembered_as_long_as_its_signature_is_fresh(
    reader: Callable[[Shape], CallbackReader], clock: FixedClock
) -> None:
    callbacks = reader(Shape.NEUTRAL)
    ahead = told(Shape.NEUTRAL, at=clock.now() + timedelta(minutes=5))
    callbacks.spend(callbacks.authenticate(ahead))
    clock.advance(timedelta(minutes=10))
    callbacks.spend(callbacks.authenticate(told(Shape.NEUTRAL, at=clock.now())))
    with pytest.raises(CallbackReplayed):
        callbacks.authenticate(ahead)
    clock.advance(timedelta(seconds=1))
    callbacks.spend(callbacks.authenticate(told(Shape.NEUTRAL, at=clock.now())))
    with pytest.raises(CallbackStale):
        callbacks.authenticate(ahead)
    assert len(vars(callbacks)["_nonces"]._until) == 2


def test_without_a_secret_nothing_is_believed(clock: FixedClock) -> None:
    for shape in ALL:
        with pytest.raises(ValueError, match="secret"):
            authenticate(shape, told(shape, secret=""), secret="", now=NOW, is_spent=never)
        with pytest.raises(ValueError, match="secret"):
            ProviderCallbacks(provider="p", channel=Channel.SMS, shape=shape, secret="", clock=clock)
        with pytest.raises(ValueError, match="secret"):
            echo_of(shape, check(token=""), secret="", now=NOW)


# --- whether the address is ours --------------------------------------------------------------------------------------


def check(*, echo: str | None = "5510215474561", at: datetime = NOW, token: str = SECRET, **changed: str) -> Callback:
    """WeChat asks whether the address is ours, with this `echostr`."""
    asked = {} if echo is None else {"echostr": echo}
    return Callback(headers={}, body=b"", query={**sign_wechat(token, now=at.timestamp()), **asked, **changed})


def test_wechat_hears_its_own_text_back_as_often_as_it_asks(reader: Callable[[Shape], CallbackReader]) -> None:
    callbacks, asked = reader(Shape.WECHAT), check()
    for _ in range(2):
        assert callbacks.answer_check(asked) == ("text/plain", b"5510215474561")
    # A callback with the same time and nonce is taken as well, and then it may ask again.
    callbacks.spend(callbacks.authenticate(asked))
    assert callbacks.answer_check(asked) == ("text/plain", b"5510215474561")


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        (check(token="another token of the same length"), CallbackForged),
        (check(signature=""), CallbackForged),
        (check(nonce=""), CallbackForged),
        (check(nonce="other"), CallbackForged),
        (check(timestamp=str(int(NOW.timestamp()) + 1)), CallbackForged),
        (check(at=NOW - timedelta(minutes=5, seconds=1)), CallbackStale),
        (check(at=NOW + timedelta(minutes=5, seconds=1)), CallbackStale),
        (Callback(headers={}, body=b"", query={}), CallbackForged),
        (check(echo=None), CallbackBroken),
        (check(echo=""), CallbackBroken),
        (check(echo="1" * 129), CallbackBroken),
        (check(echo="a b"), CallbackBroken),
        (check(echo="1\n"), CallbackBroken),
        (check(echo="就近"), CallbackBroken),
    ],
)
def test_whoever_else_asks_hears_nothing(
    reader: Callable[[Shape], CallbackReader], asked: Callback, fault: type[Exception]
) -> None:
    with pytest.raises(fault):
        reader(Shape.WECHAT).answer_check(asked)


def test_what_is_said_back_is_plain_and_at_most_128_characters(reader: Callable[[Shape], CallbackReader]) -> None:
    for echo in ("1" * 128, "a+/=<>"):
        assert reader(Shape.WECHAT).answer_check(check(echo=echo)) == ("text/plain", echo.encode())


@pytest.mark.parametrize("shape", [shape for shape in ALL if shape is not Shape.WECHAT])
def test_no_other_provider_asks(reader: Callable[[Shape], CallbackReader], shape: Shape) -> None:
    with pytest.raises(CallbackForged):
        reader(shape).answer_check(check())
    # Not even one whose callbacks would be believed.
    with pytest.raises(CallbackForged):
        reader(shape).answer_check(told(shape))


# --- what cannot be read ----------------------------------------------------------------------------------------------

BROKEN_JSON: list[object] = [b"", b"{", b"\xff", b'{"receipts": {}}', b'{"receipts": [1]}', b'{"replies": [{}]}', b"7"]


@pytest.mark.parametrize("body", BROKEN_JSON)
def test_a_broken_body_of_our_own_shape_is_told(body: bytes) -> None:
    with pytest.raises(CallbackBroken) as refused:
        facts(Shape.NEUTRAL, signed(body))
    assert refused.value.code == "callback_broken"


GOOD_ROWS: dict[Shape, dict[str, Any]] = {
    Shape.NEUTRAL: {"key": "push-1", "id": "1", "status": "delivered", "at": "2026-12-01T02:00:00Z"},
    Shape.ALIYUN: {"success": True, "out_id": "push-1", "biz_id": "1", "report_time": "2026-12-01 10:00:00"},
    Shape.TENCENT: {"report_status": "SUCCESS", "sid": "1", "user_receive_time": "2026-12-01 10:00:00"},
}


@pytest.mark.parametrize(
    ("shape", "change"),
    [
        (Shape.NEUTRAL, {"status": "accepted"}),
        (Shape.NEUTRAL, {"status": None}),
        (Shape.NEUTRAL, {"key": None, "id": ""}),
        (Shape.NEUTRAL, {"key": ["push-1"], "id": True}),
        (Shape.ALIYUN, {"success": "maybe"}),
        (Shape.ALIYUN, {"success": None}),
        (Shape.TENCENT, {"report_status": "PERHAPS"}),
        (Shape.TENCENT, {"sid": None}),
    ],
)
def test_a_receipt_that_names_no_message_or_no_outcome_is_broken(shape: Shape, change: dict[str, Any]) -> None:
    def body(row: dict[str, Any]) -> bytes:
        return json.dumps({"receipts": [row]} if shape is Shape.NEUTRAL else [row]).encode()

    assert len(facts_in(shape, body(GOOD_ROWS[shape])).receipts) == 1
    with pytest.raises(CallbackBroken):
        facts_in(shape, body({**GOOD_ROWS[shape], **change}))


def test_a_receipt_without_a_time_that_can_be_read_is_one_all_the_same() -> None:
    for shape, name in ((Shape.ALIYUN, "report_time"), (Shape.TENCENT, "user_receive_time")):
        (fact,) = facts_in(shape, json.dumps([{**GOOD_ROWS[shape], name: "yesterday"}]).encode()).receipts
        assert fact.happened_at is None


def test_a_reply_without_a_time_that_can_be_read_is_one_all_the_same() -> None:
    row = {"phone_number": "13800001111", "content": "退订", "send_time": "yesterday"}
    assert replies(Shape.ALIYUN, by_path([row])) == [ReplyFact(sender="13800001111", text="退订", happened_at=None)]


ALIYUN_REPLY = {"phone_number": "13800001111", "content": "退订", "send_time": "2026-12-01 10:00:00"}
NEUTRAL_REPLY = {"from": "13800001111", "text": "退订", "at": "2026-12-01T10:00:00+08:00"}


@pytest.mark.parametrize("odd", [{"phone_number": "10086"}, {"phone_number": "85261234567"}, {"content": 7}, None])
def test_a_reply_that_cannot_be_read_costs_no_other_reply(odd: dict[str, Any] | None) -> None:
    told_by = facts(Shape.ALIYUN, by_path([ALIYUN_REPLY, None if odd is None else {**ALIYUN_REPLY, **odd}]))
    assert [(reply.sender, reply.text) for reply in told_by.replies] == [("13800001111", "退订")]
    assert told_by.unreadable == 1


@pytest.mark.parametrize("shape", list(GOOD_ROWS))
def test_a_receipt_that_cannot_be_read_costs_no_other_receipt(shape: Shape) -> None:
    odd = {"report_status": "PERHAPS", "success": "perhaps", "status": "perhaps"}
    rows = [{**GOOD_ROWS[shape], **odd}, GOOD_ROWS[shape], {**GOOD_ROWS[shape], **odd}, 7]
    content = {"receipts": rows, "replies": [NEUTRAL_REPLY]} if shape is Shape.NEUTRAL else rows
    told_by = facts_in(shape, json.dumps(content).encode())
    assert (len(told_by.receipts), told_by.unreadable) == (1, 3)
    assert len(told_by.replies) == (shape is Shape.NEUTRAL)


def test_receipts_that_are_no_list_cost_no_reply() -> None:
    told_by = facts(Shape.NEUTRAL, signed({"receipts": {}, "replies": [NEUTRAL_REPLY]}))
    assert (len(told_by.replies), told_by.unreadable) == (1, 1)


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "<xml>",
        "nonsense",
        '<!DOCTYPE xml [<!ENTITY a "aaaaaaaaaa">]><xml><MsgType>&a;</MsgType></xml>',
        "<xml><MsgType>text</MsgType><MsgType>event</MsgType></xml>",
        "<xml><a><b>c</b></a></xml>",
        "<xml><MsgType>text</MsgType></xml>",
        '<?xml version="1.0" encoding="foo"?><xml><MsgType>text</MsgType></xml>',
    ],
)
def test_a_broken_body_of_wechat_is_told(xml: str) -> None:
    with pytest.raises(CallbackBroken):
        replies(Shape.WECHAT, by_query(xml))


@pytest.mark.parametrize("number", ["0", "", None])
def test_a_receipt_of_wechat_without_a_number_is_broken(number: str | None) -> None:
    callback = told(Shape.WECHAT)
    element = "" if number is None else f"<MsgID>{number}</MsgID>"
    with pytest.raises(CallbackBroken):
        facts_in(Shape.WECHAT, callback.body.replace(b"<MsgID>7</MsgID>", element.encode()))


@pytest.mark.parametrize("shape", ALL)
def test_a_body_beyond_reason_is_not_even_looked_at(shape: Shape) -> None:
    callback = told(shape)
    long = Callback(
        headers=callback.headers, query=callback.query, path_secret=SECRET, body=b" " * (LONGEST_BODY_BYTES + 1)
    )
    with pytest.raises(CallbackBroken):
        receipts(shape, long)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
NAMES = sorted(
    {name for row in GOOD_ROWS.values() for name in row} | {"from", "text", "content", "phone_number", "mobile"}
)


@pytest.mark.parametrize("shape", ALL)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    body=st.binary(max_size=200)
    | st.dictionaries(st.sampled_from([*NAMES, "receipts", "replies"]), JSON_VALUES).map(
        lambda row: json.dumps(row).encode()
    )
    | st.lists(st.dictionaries(st.sampled_from(NAMES), JSON_VALUES)).map(
        lambda rows: json.dumps({"receipts": rows, "replies": rows}).encode()
    )
    | st.lists(st.dictionaries(st.sampled_from(NAMES), JSON_VALUES)).map(lambda rows: json.dumps(rows).encode())
)
def test_whatever_a_body_holds_it_is_facts_or_a_fault(shape: Shape, body: bytes) -> None:
    # Any other error goes through.
    with contextlib.suppress(CallbackBroken):
        assert isinstance(facts_in(shape, body), CallbackFacts)
