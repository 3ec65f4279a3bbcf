"""Text messages by Alibaba Cloud (阿里云短信服务, Dysmsapi 2017-05-25): SendSms and QuerySendDetails.

Source: help.aliyun.com, 短信服务 › API 参考 (SendSms, QuerySendDetails, API 错误码) and its signature of RPC requests
("V2 版本 RPC 风格签名"; tested against both of the examples published there). The newer signature ACS3-HMAC-SHA256 is
recommended there, but documents this API's parameters in the address alone; with this one they may go in the body of a
POST, as the provider's own SDK for PHP sends them, so that no phone stands in an address. That the gateway goes on to
take it is not promised anywhere.

Our key goes out as `OutId` and comes back with details and receipts. The provider does not refuse a repeated OutId.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from app.channels.agreed import AgreedTemplate, Limit
from app.channels.calls import BUSY_RETRY_S, Answer, Caller, Failure, told
from app.channels.instants import china_time
from app.domain.ledger import Channel
from app.domain.pushes import Message, Outcome, Report
from app.kit.clock import Clock, china_date

ENDPOINT = "https://dysmsapi.aliyuncs.com/"
LIMITS = {
    "page_rows": Limit("rows of QuerySendDetails a page", 50, "QuerySendDetails, PageSize"),
    "reach_days": Limit("days that QuerySendDetails reaches back", 30, "QuerySendDetails, SendDate"),
}
_PAGE = LIMITS["page_rows"].figure
_REACHES_BACK = timedelta(days=LIMITS["reach_days"].figure - 1)  # a day to spare: when its day ends is not said
_PAGES = 4  # judgement: 200 messages a day to one phone are no longer messages
# Judgement: how long a message that was taken on may be missing from the list. Until then its absence proves nothing.
_LISTED_AFTER = timedelta(minutes=10)

_BROKEN = frozenset({"isv.MOBILE_NUMBER_ILLEGAL"})
# What its own documents call a fault of the provider or of the way there, and a nonce that has been seen: this very
# request was delivered twice, by something between us, and the first may have been taken on.
_UNCLEAR = frozenset({"SignatureNonceUsed", "InternalError", "ServiceUnavailable"})
_LIMITED = "isv.BUSINESS_LIMIT_CONTROL"
# 触发分钟级流控Permits:1, 触发小时级流控Permits:5, 触发天级流控Permits:10 stand in the message.
_WAITS = (("天级", 3_600 * 24), ("小时级", 3_600), ("分钟级", 60))


@dataclass(frozen=True, slots=True, kw_only=True)
class AliyunAccount:
    """What an office has with the provider. `sign_name` is the agreed signature, without brackets."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    sign_name: str
    templates: Mapping[str, AgreedTemplate]
    endpoint: str = ENDPOINT


class AliyunSender:
    """Text messages by one account."""

    provider = "aliyun"
    channel = Channel.SMS
    can_query = True

    def __init__(self, account: AliyunAccount, *, caller: Caller, clock: Clock) -> None:
        self._account = account
        self._caller = caller
        self._clock = clock

    def send(self, message: Message) -> Report:
        agreed = self._account.templates.get(message.template)
        try:
            values = None if agreed is None else dict(agreed.filled(message.values))
        except LookupError:
            values = None
        if agreed is None or values is None:
            return Report(outcome=Outcome.REFUSED, provider=self.provider, code="template_not_agreed")
        answer = self._call(
            "SendSms",
            {
                "PhoneNumbers": message.to,
                "SignName": self._account.sign_name,
                "TemplateCode": agreed.code,
                "TemplateParam": json.dumps(values),
                "OutId": message.key,
            },
        )
        if isinstance(answer, Failure):
            return answer.report(self.provider)
        code, identity = answer.body.get("Code"), told(answer.body.get("BizId"))
        if code == "OK" and answer.status == 200 and identity:
            return Report(outcome=Outcome.ACCEPTED, provider=self.provider, provider_id=identity, code="OK")
        return _refusal(answer)

    def query(self, message_key: str, *, to: str, provider_id: str | None, sent_at: datetime) -> Report:
        """What the list of the phone's messages says of the key, on the day it was sent and the day after.

        UNKNOWN only when all pages were read and the message is older than ten minutes and younger than 29 days.
        """
        now = self._clock.now()
        if now - sent_at > _REACHES_BACK:
            return self._unclear("too_long_ago")
        for day in sorted({china_date(sent_at), china_date(min(sent_at + timedelta(hours=1), now))}):
            for page in range(1, _PAGES + 1):
                asked = {
                    "PhoneNumber": to,
                    "SendDate": f"{day:%Y%m%d}",
                    "PageSize": str(_PAGE),
                    "CurrentPage": str(page),
                    **({"BizId": provider_id} if provider_id else {}),
                }
                answer = self._call("QuerySendDetails", asked)
                if isinstance(answer, Failure):
                    return self._unclear(answer.code, answer.retry_after_s)
                rows = _rows(answer)
                if rows is None:
                    return self._unclear(told(answer.body.get("Code")) or f"http_{answer.status}")
                if found := next((row for row in rows if row.get("OutId") == message_key), None):
                    return _detail(found)
                if len(rows) < _PAGE:
                    break
            else:
                return self._unclear("too_many_rows")
        if now - sent_at < _LISTED_AFTER:
            return self._unclear("not_listed_yet")
        return Report(outcome=Outcome.UNKNOWN, provider=self.provider, code="not_listed")

    def _call(self, action: str, parameters: Mapping[str, str]) -> Answer | Failure:
        signed = signed_parameters(
            self._account.access_key_secret,
            {
                **parameters,
                "Action": action,
                "Version": "2017-05-25",
                "RegionId": "cn-hangzhou",
                "Format": "JSON",
                "AccessKeyId": self._account.access_key_id,
                "SignatureMethod": "HMAC-SHA1",
                "SignatureVersion": "1.0",
                "SignatureNonce": secrets.token_hex(16),
                "Timestamp": f"{self._clock.now().astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            },
        )
        return self._caller.call(
            "POST",
            self._account.endpoint,
            content=_as_query(signed).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )

    def _unclear(self, code: str, retry_after_s: int | None = None) -> Report:
        return Report(outcome=Outcome.UNCERTAIN, provider=self.provider, code=code, retry_after_s=retry_after_s)


def signed_parameters(secret: str, parameters: Mapping[str, str], *, method: str = "POST") -> dict[str, str]:
    """The parameters with their `Signature` (HMAC-SHA1 over the sorted and doubly encoded parameters)."""
    text = f"{method}&%2F&{_encoded(_as_query(parameters))}"
    digest = hmac.new(f"{secret}&".encode(), text.encode(), hashlib.sha1).digest()
    return {**parameters, "Signature": base64.b64encode(digest).decode()}


def _encoded(text: str) -> str:
    # Half an emoji, cut in two by somebody, must not stop the rest.
    return quote(text, safe="-_.~", errors="replace")


def _as_query(parameters: Mapping[str, str]) -> str:
    return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(parameters.items()))


def _refusal(answer: Answer) -> Report:
    code = told(answer.body.get("Code"))
    wait = None
    if code == _LIMITED or code.startswith("Throttling"):
        outcome = Outcome.BUSY
        message = str(answer.body.get("Message", ""))
        wait = next((seconds for word, seconds in _WAITS if word in message), BUSY_RETRY_S)
    elif code in _BROKEN:
        outcome = Outcome.BROKEN
    # isv: the caller's doing, refused before anything was sent; isp: the provider's, of which nothing is known.
    elif code.startswith("isv.") or code == "isp.RAM_PERMISSION_DENY" or _is_gateway_refusal(code, answer.status):
        outcome = Outcome.REFUSED
    else:
        outcome = Outcome.UNCERTAIN
    return Report(
        outcome=outcome, provider=AliyunSender.provider, code=code or f"http_{answer.status}", retry_after_s=wait
    )


def _is_gateway_refusal(code: str, status: int) -> bool:
    """Whether the gateway before the service has turned the request down: key, signature, time, parameters."""
    return 400 <= status < 500 and code not in _UNCLEAR | {"", "OK"} and not code.startswith("isp.")


def _rows(answer: Answer) -> Sequence[Mapping[str, Any]] | None:
    """The rows of an answer; None if it is not a good one."""
    if answer.status != 200 or answer.body.get("Code") != "OK":
        return None
    details = answer.body.get("SmsSendDetailDTOs")
    rows = details.get("SmsSendDetailDTO", []) if isinstance(details, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return None
    return rows


def _detail(row: Mapping[str, Any]) -> Report:
    # 1: waiting for the receipt, 2: failed, 3: arrived.
    outcome = {1: Outcome.ACCEPTED, 2: Outcome.REFUSED, 3: Outcome.DELIVERED}.get(row.get("SendStatus", 0))
    return Report(
        outcome=outcome or Outcome.UNCERTAIN,
        provider=AliyunSender.provider,
        code=told(row.get("ErrCode", "")),
        happened_at=china_time(row.get("ReceiveDate")),
    )
