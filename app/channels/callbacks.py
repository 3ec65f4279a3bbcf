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
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from xml.parsers import expat

from app.channels.calls import read_json, told
from app.channels.signatures import CALLBACK, NONCE, SIGNATURE, TIMESTAMP, signature_of
from app.domain.callbacks import (
    Callback,
    CallbackBroken,
    CallbackForged,
    CallbackReplayed,
    CallbackStale,
    ReceiptFact,
    ReplyFact,
)
from app.domain.ledger import Channel
from app.domain.pushes import Outcome
from app.kit.clock import CHINA, Clock
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

    def receipts_in(self, body: bytes) -> list[ReceiptFact]:
        return receipts_in(self._shape, body)

    def replies_in(self, body: bytes) -> list[ReplyFact]:
        return replies_in(self._shape, body)


def read_receipts(
    shape: Shape, callback: Callback, *, secret: str, now: datetime, is_spent: Callable[[str], bool]
) -> list[ReceiptFact]:
    """The receipts in a callback, once it is known to be the provider's; replies in it are left out.

    Args:
        shape: whose it is.
        callback: what came in.
        secret: what we share with the provider: the key of the signature, or what stands in the path.
        now: this instant.
        is_spent: whether a nonce has been here before. Asked once the signature has held; remembers nothing.

    Raises:
        CallbackForged: the signature, or the secret in the path, is wrong.
        CallbackStale: the signature is older than five minutes, or from the future.
        CallbackReplayed: the nonce has been here before.
        CallbackBroken: it cannot be read.
    """
    authenticate(shape, callback, secret=secret, now=now, is_spent=is_spent)
    return receipts_in(shape, callback.body)


def read_replies(
    shape: Shape, callback: Callback, *, secret: str, now: datetime, is_spent: Callable[[str], bool]
) -> list[ReplyFact]:
    """The replies in a callback, once it is known to be the provider's; receipts in it are left out.

    Takes and raises what `read_receipts` does.
    """
    authenticate(shape, callback, secret=secret, now=now, is_spent=is_spent)
    return replies_in(shape, callback.body)


def authenticate(
    shape: Shape, callback: Callback, *, secret: str, now: datetime, is_spent: Callable[[str], bool]
) -> str:
    """Make sure who a callback is from; for those who store it raw first and read it afterwards, from what is stored.

    Takes what `read_receipts` does. Returns the nonce, to be spent once the callback is stored and not before: a
    provider that was told of our own failure comes again with the same. "" where the provider sends none.

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
    # WeChat promises nothing of its nonces; two bodies are two callbacks.
    spent = f"{timestamp}:{nonce}:{hashlib.sha256(callback.body).hexdigest()[:16]}"
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


def receipts_in(shape: Shape, body: bytes) -> list[ReceiptFact]:
    """The receipts in a body that is known to be the provider's.

    Raises:
        CallbackBroken: it cannot be read.
    """
    if shape is Shape.WECHAT:
        return _wechat_receipts(_read_xml(body))
    content = _read(body)
    if shape is Shape.NEUTRAL:
        return [_neutral_receipt(row) for row in _rows_in(content, "receipts")]
    if not isinstance(content, list):
        return []  # Tencent's replies are an object, its receipts a list
    read = _aliyun_receipt if shape is Shape.ALIYUN else _tencent_receipt
    return [read(row) for row in _checked(content) if "content" not in row]


def replies_in(shape: Shape, body: bytes) -> list[ReplyFact]:
    """The replies in a body that is known to be the provider's.

    Raises:
        CallbackBroken: it cannot be read.
    """
    if shape is Shape.WECHAT:
        return _wechat_replies(_read_xml(body))
    content = _read(body)
    if shape is Shape.NEUTRAL:
        return [_neutral_reply(row) for row in _rows_in(content, "replies")]
    if shape is Shape.TENCENT:
        return [_tencent_reply(content)] if isinstance(content, dict) else []
    rows = _checked(content) if isinstance(content, list) else []
    return [_aliyun_reply(row) for row in rows if "content" in row]


# --- our own shape ----------------------------------------------------------------------------------------------------


def _neutral_receipt(row: Mapping[str, Any]) -> ReceiptFact:
    outcomes = {outcome.value: outcome for outcome in (Outcome.DELIVERED, Outcome.REFUSED, Outcome.BROKEN)}
    return _receipt(
        key=row.get("key"),
        identity=row.get("id"),
        outcome=outcomes.get(str(row.get("status"))),
        happened_at=_instant(row.get("at")),
        code=row.get("code", ""),
    )


def _neutral_reply(row: Mapping[str, Any]) -> ReplyFact:
    return _reply(row.get("from"), row.get("text"), _instant(row.get("at")), key=told(row.get("key")) or None)


# --- Aliyun -----------------------------------------------------------------------------------------------------------

# 回执错误码: a number that is none, and one that the carriers have barred. The list is long and grows; what is not
# known to be final for the number is REFUSED, after which another channel is tried.
_ALIYUN_BROKEN = frozenset({"INVALID_NUMBER", "MOBILE_IN_BLACK"})


def _aliyun_receipt(row: Mapping[str, Any]) -> ReceiptFact:
    code, success = told(row.get("err_code", "")), _flag(row.get("success"))
    outcome = Outcome.DELIVERED if success else Outcome.BROKEN if code in _ALIYUN_BROKEN else Outcome.REFUSED
    return _receipt(
        key=row.get("out_id"),
        identity=row.get("biz_id"),
        outcome=None if success is None else outcome,
        happened_at=_china_time(row.get("report_time")),
        code=code,
    )


def _aliyun_reply(row: Mapping[str, Any]) -> ReplyFact:
    return _reply(row.get("phone_number"), row.get("content"), _china_time(row.get("send_time")))


# --- Tencent ----------------------------------------------------------------------------------------------------------


def _tencent_receipt(row: Mapping[str, Any]) -> ReceiptFact:
    return _receipt(
        key=None,
        identity=row.get("sid"),
        outcome={"SUCCESS": Outcome.DELIVERED, "FAIL": Outcome.REFUSED}.get(str(row.get("report_status"))),
        happened_at=_china_time(row.get("user_receive_time")),
        code=row.get("errmsg", ""),
    )


def _tencent_reply(row: Mapping[str, Any]) -> ReplyFact:
    return _reply(row.get("mobile"), row.get("text"), _unix_time(row.get("time")))


# --- WeChat -----------------------------------------------------------------------------------------------------------


def _wechat_receipts(fields: Mapping[str, str]) -> list[ReceiptFact]:
    if fields.get("MsgType") != "event" or fields.get("Event") != "TEMPLATESENDJOBFINISH":
        return []
    status = fields.get("Status", "")
    outcome = {"success": Outcome.DELIVERED, "failed:user block": Outcome.BROKEN}.get(
        status, Outcome.REFUSED if status.startswith("failed") else None
    )
    return [
        _receipt(
            key=None,
            # Zero is no number: some have seen it where client_msg_id was given.
            identity=fields.get("MsgID", "").strip("0") and fields["MsgID"],
            outcome=outcome,
            happened_at=_unix_time(fields.get("CreateTime")),
            code=status,
        )
    ]


def _wechat_replies(fields: Mapping[str, str]) -> list[ReplyFact]:
    if fields.get("MsgType") != "text":
        return []
    sender, happened_at = fields.get("FromUserName", ""), _unix_time(fields.get("CreateTime"))
    if not sender or happened_at is None:
        raise CallbackBroken
    return [ReplyFact(phone=sender[:64], text=fields.get("Content", "")[:LONGEST_REPLY], happened_at=happened_at)]


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
    except (expat.ExpatError, ValueError):
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
    if number is None or not isinstance(text, str) or happened_at is None:
        raise CallbackBroken
    return ReplyFact(phone=number[1], text=text[:LONGEST_REPLY], happened_at=happened_at, key=key)


def _read(body: bytes) -> object:
    try:
        return read_json(body)
    except ValueError:
        raise CallbackBroken from None


def _rows_in(content: object, name: str) -> Sequence[Mapping[str, Any]]:
    rows = content.get(name, []) if isinstance(content, dict) else None
    if not isinstance(rows, list):
        raise CallbackBroken
    return _checked(rows)


def _checked(rows: Sequence[object]) -> Sequence[Mapping[str, Any]]:
    found = [row for row in rows if isinstance(row, dict)]
    if len(found) != len(rows) or len(rows) > MOST_FACTS:
        raise CallbackBroken
    return found


def _flag(value: object) -> bool | None:
    """A flag, also one written as a word."""
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())


def _is_fresh(timestamp: str, now: datetime) -> bool:
    instant = _unix_time(timestamp)
    return instant is not None and abs(now - instant) <= FRESH


def _unix_time(value: object) -> datetime | None:
    text = told(value)
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    return datetime.fromtimestamp(int(text), UTC)


def _instant(value: object) -> datetime | None:
    """An ISO 8601 instant with its zone."""
    try:
        instant = datetime.fromisoformat(told(value))
        return instant.astimezone(UTC) if instant.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _china_time(value: object) -> datetime | None:
    """`2017-01-01 00:00:00`, or `20170901000000` as Aliyun's replies have it."""
    text = told(value)
    for pattern in ("%Y-%m-%d %H:%M:%S", "%Y%m%d%H%M%S"):
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=CHINA).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None
