"""Receipts and replies as providers push them: who they are from, and what they say.

Only our own shape and WeChat's carry a signature. Aliyun's and Tencent's callbacks carry none; what they are known by
is a secret in the path that was given to the provider (and, at the proxy, where they come from). Whoever learns that
path can forge their receipts: docs/channels.md tells what that means and how to change it.

Sources: Aliyun SmsReport and SmsUp (HTTP 批量推送), Tencent 短信下发状态通知 and 短信回复, WeChat 接入概述 (signature,
echostr) and 模板消息 (TEMPLATESENDJOBFINISH). Times without a zone are taken as China's, which none of them says.
"""

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from xml.parsers import expat

from app.channels.calls import read_json, told
from app.channels.instants import china_time, instant_of, unix_time
from app.channels.signatures import CALLBACK, NONCE, SIGNATURE, TIMESTAMP, signature_of
from app.domain.callbacks import (
    Callback,
    CallbackBroken,
    CallbackFacts,
    CallbackForged,
    CallbackReplayed,
    CallbackStale,
    ReceiptFact,
    ReplyFact,
)
from app.domain.ledger import Channel
from app.domain.pushes import Outcome
from app.kit.clock import Clock
from app.kit.tokens import same_token

FRESH = timedelta(minutes=5)
LONGEST_BODY_BYTES = 262_144
MOST_FACTS = 1_000
LONGEST_REPLY = 500
# WeChat promises "随机字符串"; what is seen are some twenty digits.
_ECHO = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)
_PHONE = re.compile(r"(?:\+?86)?(1[3-9]\d{9})", re.ASCII)


class Shape(StrEnum):
    """Whose callbacks they are."""

    NEUTRAL = "neutral"
    ALIYUN = "aliyun"
    TENCENT = "tencent"
    WECHAT = "wechat"


_ACKNOWLEDGEMENTS = {
    Shape.NEUTRAL: ("application/json", b"{}"),
    Shape.ALIYUN: ("application/json", b'{"code": 0, "msg": "OK"}'),
    Shape.TENCENT: ("application/json", b'{"result": 0, "errmsg": "OK"}'),
    Shape.WECHAT: ("text/plain", b"success"),
}


class Nonces:
    """Nonces that have been here, for as long as a signature is fresh. Threads may share it; processes do not.

    That a callback is replayed to another process does no harm: what was stored once is dropped by its digest there.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: OrderedDict[str, datetime] = OrderedDict()
        self._lock = threading.Lock()

    def is_spent(self, nonce: str) -> bool:
        with self._lock:
            return nonce in self._until

    def spend(self, nonce: str) -> None:
        """Remember a nonce, once what came with it is stored, and forget those that are too old to be fresh."""
        now = self._clock.now()
        with self._lock:
            self._until.setdefault(nonce, now + 2 * FRESH)
            while self._until and next(iter(self._until.values())) < now:
                self._until.popitem(last=False)


class ProviderCallbacks:
    """The callbacks of one provider: a `domain.callbacks.CallbackReader`."""

    def __init__(self, *, provider: str, channel: Channel, shape: Shape, secret: str, clock: Clock) -> None:
        if not secret:
            raise ValueError("a callback needs a secret")
        self.provider = provider
        self.channel = channel
        self._shape = shape
        self._secret = secret
        self._clock = clock
        self._nonces = Nonces(clock)

    @property
    def acknowledgement(self) -> tuple[str, bytes]:
        return _ACKNOWLEDGEMENTS[self._shape]

    def authenticate(self, callback: Callback) -> str:
        return authenticate(
            self._shape, callback, secret=self._secret, now=self._clock.now(), is_spent=self._nonces.is_spent
        )

    def answer_check(self, callback: Callback) -> tuple[str, bytes]:
        return "text/plain", echo_of(self._shape, callback, secret=self._secret, now=self._clock.now())

    def spend(self, nonce: str) -> None:
        if nonce:
            self._nonces.spend(nonce)

    def read(self, body: bytes) -> CallbackFacts:
        return facts_in(self._shape, body)


def authenticate(
    shape: Shape, callback: Callback, *, secret: str, now: datetime, is_spent: Callable[[str], bool]
) -> str:
    """Make sure who a callback is from; for those who store it raw first and read it afterwards, from what is stored.

    Args:
        shape: whose it is.
        callback: what came in.
        secret: what we share with the provider: the key of the signature, or what stands in the path.
        now: this instant.
        is_spent: whether a nonce has been here before. Asked once the signature has held; remembers nothing.

    Returns:
        The nonce, to be spent once the callback is stored and not before: a provider that was told of our own failure
        comes again with the same. "" where none serves once: the provider sends none, or repeats itself with the same
        (WeChat, which then waits for its `success`). What was stored is dropped by its digest.

    Raises:
        CallbackForged: the signature, or the secret in the path, is wrong.
        CallbackStale: the signature is older than five minutes, or from the future.
        CallbackReplayed: the nonce has been here before.
        CallbackBroken: it is too large.
        ValueError: there is no secret, with which everything would be believed.
    """
    if not secret:
        raise ValueError("a callback needs a secret")
    if len(callback.body) > LONGEST_BODY_BYTES:
        raise CallbackBroken("回执太长")
    if shape in (Shape.ALIYUN, Shape.TENCENT):
        if not same_token(callback.path_secret or "", secret):
            raise CallbackForged
        return ""
    timestamp, nonce = _signed(shape, callback, secret=secret, now=now)
    if shape is Shape.WECHAT:
        return ""
    spent = f"{timestamp}:{nonce}"
    if is_spent(spent):
        raise CallbackReplayed
    return spent


def echo_of(shape: Shape, callback: Callback, *, secret: str, now: datetime) -> bytes:
    """What WeChat wants to hear when it asks, by a signed GET, whether the address is ours: its own `echostr`.

    Takes what `authenticate` does, but remembers no nonce: nothing is stored, and WeChat may ask twice. The signature
    does not cover `echostr`, so only what is short and plain is said back.

    Raises:
        CallbackForged: the signature is wrong, or the provider is none that asks.
        CallbackStale: the signature is older than five minutes, or from the future.
        CallbackBroken: `echostr` is missing, longer than 128 characters, or not of plain ASCII without spaces.
        ValueError: there is no secret, with which everything would be believed.
    """
    if not secret:
        raise ValueError("a callback needs a secret")
    if shape is not Shape.WECHAT:
        raise CallbackForged
    _signed(shape, callback, secret=secret, now=now)
    echo = callback.query.get("echostr", "")
    if not _ECHO.fullmatch(echo):
        raise CallbackBroken
    return echo.encode()


def _signed(shape: Shape, callback: Callback, *, secret: str, now: datetime) -> tuple[str, str]:
    """Time and nonce of a signature that is right and fresh. Raises CallbackForged, CallbackStale."""
    headers = {name.lower(): value for name, value in callback.headers.items()}
    if shape is Shape.NEUTRAL:
        timestamp, nonce = headers.get(TIMESTAMP.lower(), ""), headers.get(NONCE.lower(), "")
        given = headers.get(SIGNATURE.lower(), "")
        expected = signature_of(secret, method=CALLBACK, path="", timestamp=timestamp, nonce=nonce, body=callback.body)
    else:
        timestamp, nonce = callback.query.get("timestamp", ""), callback.query.get("nonce", "")
        given = callback.query.get("signature", "")
        # As published: the token, the time and the nonce, sorted as texts. It does not cover the body.
        joined = "".join(sorted((secret, timestamp, nonce)))
        expected = hashlib.sha1(joined.encode(errors="replace")).hexdigest()  # noqa: S324  the provider's choice
    if not nonce or not same_token(given, expected):
        raise CallbackForged
    if not _is_fresh(timestamp, now):
        raise CallbackStale
    return timestamp, nonce


def facts_in(shape: Shape, body: bytes) -> CallbackFacts:
    """What a body tells that is known to be the provider's, row by row: one that cannot be read costs no other.

    Raises:
        CallbackBroken: nothing of it can be read.
    """
    receipts: list[ReceiptFact] = []
    replies: list[ReplyFact] = []
    unreadable = 0
    for read, row in _rows_in(shape, body):
        try:
            fact = read(row) if isinstance(row, dict) else None
        except CallbackBroken:
            fact = None
        if isinstance(fact, ReceiptFact):
            receipts.append(fact)
        elif isinstance(fact, ReplyFact):
            replies.append(fact)
        else:
            unreadable += 1
    if unreadable and not receipts and not replies:
        raise CallbackBroken
    return CallbackFacts(receipts=receipts, replies=replies, unreadable=unreadable)


_ReadRow = Callable[[Mapping[str, Any]], ReceiptFact | ReplyFact]


def _rows_in(shape: Shape, body: bytes) -> Sequence[tuple[_ReadRow, object]]:
    """Each row of a body with what reads it."""
    if shape is Shape.WECHAT:
        return _wechat_rows(_read_xml(body))
    content = _read(body)
    rows: list[tuple[_ReadRow, object]]
    match shape, content:
        case Shape.NEUTRAL, dict():
            rows = [(_neutral_receipt, row) for row in _listed(content.get("receipts", []))]
            rows += [(_neutral_reply, row) for row in _listed(content.get("replies", []))]
        case Shape.ALIYUN, list():
            rows = [(_aliyun_reply if _is_aliyun_reply(row) else _aliyun_receipt, row) for row in content]
        case Shape.TENCENT, list():
            rows = [(_tencent_receipt, row) for row in content]
        case Shape.TENCENT, dict():
            rows = [(_tencent_reply, content)]
        case _:
            raise CallbackBroken
    if len(rows) > MOST_FACTS:
        raise CallbackBroken
    return rows


def _listed(rows: object) -> Sequence[object]:
    # What is no list is one row that cannot be read.
    return rows if isinstance(rows, list) else [None]


# --- our own shape ----------------------------------------------------------------------------------------------------


def _neutral_receipt(row: Mapping[str, Any]) -> ReceiptFact:
    outcomes = {outcome.value: outcome for outcome in (Outcome.DELIVERED, Outcome.REFUSED, Outcome.BROKEN)}
    return _receipt(
        key=row.get("key"),
        identity=row.get("id"),
        outcome=outcomes.get(str(row.get("status"))),
        happened_at=instant_of(row.get("at")),
        code=row.get("code", ""),
    )


def _neutral_reply(row: Mapping[str, Any]) -> ReplyFact:
    at = instant_of(row.get("at"))
    if at is None:
        # Without a time a second 退订, months later, could not be told from the first one sent again.
        raise CallbackBroken
    return _reply(row.get("from"), row.get("text"), at, key=told(row.get("key")) or None)


# --- Aliyun -----------------------------------------------------------------------------------------------------------

# 回执错误码: a number that is none, and one that the carriers have barred. The list is long and grows; what is not
# known to be final for the number is REFUSED, after which another channel is tried.
_ALIYUN_BROKEN = frozenset({"INVALID_NUMBER", "MOBILE_IN_BLACK"})


def _is_aliyun_reply(row: object) -> bool:
    return isinstance(row, dict) and "content" in row


def _aliyun_receipt(row: Mapping[str, Any]) -> ReceiptFact:
    code, success = told(row.get("err_code", "")), _flag(row.get("success"))
    outcome = Outcome.DELIVERED if success else Outcome.BROKEN if code in _ALIYUN_BROKEN else Outcome.REFUSED
    return _receipt(
        key=row.get("out_id"),
        identity=row.get("biz_id"),
        outcome=None if success is None else outcome,
        happened_at=china_time(row.get("report_time")),
        code=code,
    )


def _aliyun_reply(row: Mapping[str, Any]) -> ReplyFact:
    return _reply(row.get("phone_number"), row.get("content"), china_time(row.get("send_time")))


# --- Tencent ----------------------------------------------------------------------------------------------------------


def _tencent_receipt(row: Mapping[str, Any]) -> ReceiptFact:
    return _receipt(
        key=None,
        identity=row.get("sid"),
        outcome={"SUCCESS": Outcome.DELIVERED, "FAIL": Outcome.REFUSED}.get(str(row.get("report_status"))),
        happened_at=china_time(row.get("user_receive_time")),
        code=row.get("errmsg", ""),
    )


def _tencent_reply(row: Mapping[str, Any]) -> ReplyFact:
    return _reply(row.get("mobile"), row.get("text"), unix_time(row.get("time")))


# --- WeChat -----------------------------------------------------------------------------------------------------------


def _wechat_rows(fields: Mapping[str, str]) -> Sequence[tuple[_ReadRow, object]]:
    """A document is one message or one event; most events concern nobody here."""
    if fields.get("MsgType") == "text":
        return [(_wechat_reply, fields)]
    is_receipt = fields.get("MsgType") == "event" and fields.get("Event") == "TEMPLATESENDJOBFINISH"
    return [(_wechat_receipt, fields)] if is_receipt else []


def _wechat_receipt(fields: Mapping[str, str]) -> ReceiptFact:
    status = fields.get("Status", "")
    outcome = {"success": Outcome.DELIVERED, "failed:user block": Outcome.BROKEN}.get(
        status, Outcome.REFUSED if status.startswith("failed") else None
    )
    return _receipt(
        key=None,
        # Zero is no number: some have seen it where client_msg_id was given.
        identity=fields.get("MsgID", "").strip("0") and fields["MsgID"],
        outcome=outcome,
        happened_at=unix_time(fields.get("CreateTime")),
        code=status,
    )


def _wechat_reply(fields: Mapping[str, str]) -> ReplyFact:
    sender = fields.get("FromUserName", "")
    if not sender:
        raise CallbackBroken
    happened_at = unix_time(fields.get("CreateTime"))
    return ReplyFact(sender=sender[:64], text=fields.get("Content", "")[:LONGEST_REPLY], happened_at=happened_at)


class _Fields:
    """The elements of a flat XML document by name. One that declares a type or nests deeper is not read."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self._path: list[str] = []

    def start(self, name: str, _attributes: Mapping[str, str]) -> None:
        self._path.append(name)
        if len(self._path) > 2 or (len(self._path) == 2 and name in self.found):
            raise CallbackBroken
        if len(self._path) == 2:
            self.found[name] = ""

    def end(self, _name: str) -> None:
        self._path.pop()

    def text(self, part: str) -> None:
        if len(self._path) == 2:
            self.found[self._path[1]] += part


def _read_xml(body: bytes) -> Mapping[str, str]:
    fields = _Fields()
    parser = expat.ParserCreate()
    parser.StartElementHandler = fields.start
    parser.EndElementHandler = fields.end
    parser.CharacterDataHandler = fields.text
    # Entities are declared in a document type; without one there is nothing to blow up.
    parser.StartDoctypeDeclHandler = _refuse_type
    try:
        parser.Parse(body, True)  # noqa: FBT003  expat takes it by its place
    except (expat.ExpatError, ValueError, LookupError):  # the last of an encoding that Python does not know
        raise CallbackBroken from None
    return fields.found


def _refuse_type(*_declared: object) -> None:
    raise CallbackBroken


# --- what all have in common ------------------------------------------------------------------------------------------


def _receipt(
    *, key: object, identity: object, outcome: Outcome | None, happened_at: datetime | None, code: object
) -> ReceiptFact:
    ours, theirs = told(key) or None, told(identity) or None
    if outcome is None or (ours is None and theirs is None):
        raise CallbackBroken
    return ReceiptFact(key=ours, provider_id=theirs, outcome=outcome, happened_at=happened_at, code=told(code))


def _reply(phone: object, text: object, happened_at: datetime | None, key: str | None = None) -> ReplyFact:
    number = _PHONE.fullmatch(told(phone))
    if number is None or not isinstance(text, str):
        raise CallbackBroken
    return ReplyFact(sender=number[1], text=text[:LONGEST_REPLY], happened_at=happened_at, key=key)


def _read(body: bytes) -> object:
    try:
        return read_json(body)
    except ValueError:
        raise CallbackBroken from None


def _flag(value: object) -> bool | None:
    """A flag, also one written as a word."""
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())


def _is_fresh(timestamp: str, now: datetime) -> bool:
    instant = unix_time(timestamp)
    return instant is not None and abs(now - instant) <= FRESH
