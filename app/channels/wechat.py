"""Messages of a WeChat service account (微信服务号模板消息).

Source: developers.weixin.qq.com, 服务号 › 模板消息 (message/template/send), 获取稳定版接口调用凭据 (stable_token),
全局返回码.
`client_msg_id` drops a repeat to the same person for ten minutes; the provider promises nothing beyond, and cannot be
asked what became of a message. Its address must carry the access token, which is therefore never logged.

The stable token is taken, so that several processes do not make each other's void. A token is asked for again when the
provider calls ours void (40001, 40014, 42001), and the message then tried once more: it was refused with the token.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote

from app.channels.agreed import AgreedTemplate, Limit
from app.channels.calls import BUSY_RETRY_S, Caller, Failure, told
from app.domain.ledger import Channel
from app.domain.pushes import Message, Outcome, Report
from app.kit.clock import Clock

ENDPOINT = "https://api.weixin.qq.com"
LIMITS = {
    "thing_signs": Limit("signs of a thing.DATA", 20, "模板消息 › 参数值内容限制"),
}
_TOKEN_VOID = frozenset({40001, 40014, 42001})
_LONGEST_THING = LIMITS["thing_signs"].figure
# Some of the provider's answers have been declared as plain text; what counts is that it is JSON.
_TYPES = frozenset({"application/json", "text/plain"})
_EARLY = timedelta(minutes=5)  # a token is not used in its last minutes
# 40003 no such open id, 43004 has not followed the account, 43101 has refused such messages.
_BROKEN = frozenset({40003, 43004, 43101})
# -1 the system is busy (try again later; client_msg_id drops a repeat), 45009 the day's quota, 45011 too often.
_WAITS = {-1: BUSY_RETRY_S, 45009: 3_600, 45011: BUSY_RETRY_S}


@dataclass(frozen=True, slots=True, kw_only=True)
class WechatAccount:
    """A service account. `link_value` is which of our values is the page that opens on a tap."""

    app_id: str
    app_secret: str = field(repr=False)
    templates: Mapping[str, AgreedTemplate]
    link_value: str = "link"
    endpoint: str = ENDPOINT


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    good_until: datetime


class WechatSender:
    """Template messages of one service account; threads may share it."""

    provider = "wechat"
    channel = Channel.WECHAT
    can_query = False

    def __init__(self, account: WechatAccount, *, caller: Caller, clock: Clock) -> None:
        self._account = account
        self._caller = caller
        self._clock = clock
        self._token: _Token | None = None
        self._lock = threading.Lock()

    def send(self, message: Message) -> Report:
        agreed = self._account.templates.get(message.template)
        try:
            values = None if agreed is None else agreed.filled(message.values)
        except LookupError:
            values = None
        if agreed is None or values is None:
            return Report(outcome=Outcome.REFUSED, provider=self.provider, code="template_not_agreed")
        body = {
            "touser": message.to,
            "template_id": agreed.code,
            "url": message.values.get(self._account.link_value, ""),
            "client_msg_id": message.key,
            "data": {name: {"value": _shortened(name, value)} for name, value in values},
        }
        content = json.dumps(body).encode()
        token = self._current_token()
        if isinstance(token, Report):
            return token
        report = self._send(content, token)
        if report.code in {str(code) for code in _TOKEN_VOID}:
            token = self._current_token(void=token)
            report = token if isinstance(token, Report) else self._send(content, token)
        return report

    def query(self, message_key: str, *, to: str, provider_id: str | None, sent_at: datetime) -> Report:
        del message_key, to, sent_at
        return Report(
            outcome=Outcome.UNCERTAIN, provider=self.provider, provider_id=provider_id, code="cannot_be_asked"
        )

    def _send(self, content: bytes, token: str) -> Report:
        answer = self._caller.call(
            "POST",
            f"{self._account.endpoint}/cgi-bin/message/template/send?access_token={quote(token, safe='')}",
            content=content,
            headers={"Content-Type": "application/json"},
            types=_TYPES,
        )
        if isinstance(answer, Failure):
            return answer.report(self.provider)
        code, identity = answer.body.get("errcode"), told(answer.body.get("msgid"))
        if not isinstance(code, int) or isinstance(code, bool):
            return self._report(Outcome.UNCERTAIN, f"http_{answer.status}")
        if code == 0:
            is_taken = answer.status == 200 and bool(identity)
            return self._report(Outcome.ACCEPTED if is_taken else Outcome.UNCERTAIN, "0", identity=identity or None)
        return self._refusal(code)

    def _current_token(self, void: str | None = None) -> str | Report:
        """A token that is good, asked for where there is none or where ours is the one called void.

        Nothing of a message has left while a token is asked for, so that whatever goes wrong is definite.
        """
        with self._lock:
            now = self._clock.now()
            if self._token is not None and self._token.text != void and now < self._token.good_until:
                return self._token.text
            self._token = None
            asked = {
                "grant_type": "client_credential",
                "appid": self._account.app_id,
                "secret": self._account.app_secret,
            }
            answer = self._caller.call(
                "POST",
                f"{self._account.endpoint}/cgi-bin/stable_token",
                content=json.dumps(asked).encode(),
                headers={"Content-Type": "application/json"},
                types=_TYPES,
            )
            if isinstance(answer, Failure):
                return self._report(Outcome.BUSY, f"token_{answer.code}", wait=answer.retry_after_s or BUSY_RETRY_S)
            text, lasts = answer.body.get("access_token"), answer.body.get("expires_in")
            if isinstance(text, str) and text and isinstance(lasts, int) and 0 < lasts <= 86_400:
                self._token = _Token(text, now + max(timedelta(seconds=lasts) - _EARLY, timedelta(seconds=1)))
                return text
            code = answer.body.get("errcode")
            if isinstance(code, int) and code not in (0, *_WAITS):
                return self._report(Outcome.REFUSED, f"token_{code}")
            return self._report(Outcome.BUSY, f"token_{told(code) or answer.status}", wait=BUSY_RETRY_S)

    def _refusal(self, code: int) -> Report:
        if code in _WAITS:
            return self._report(Outcome.BUSY, str(code), wait=_WAITS[code])
        return self._report(Outcome.BROKEN if code in _BROKEN else Outcome.REFUSED, str(code))

    def _report(self, outcome: Outcome, code: str, *, identity: str | None = None, wait: int | None = None) -> Report:
        return Report(outcome=outcome, provider=self.provider, provider_id=identity, code=code, retry_after_s=wait)


def _shortened(name: str, value: str) -> str:
    """A value as long as its kind may be: thing1, thing2, … twenty signs."""
    if not name.startswith("thing") or len(value) <= _LONGEST_THING:
        return value
    return value[: _LONGEST_THING - 1] + "…"
