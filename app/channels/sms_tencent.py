"""Text messages by Tencent Cloud (腾讯云短信, 2021-01-11): SendSms and PullSmsSendStatusByPhoneNumber.

Source: cloud.tencent.com, 短信 › API 文档 (SendSms, PullSmsSendStatusByPhoneNumber, 错误码) and 签名方法 v3
(TC3-HMAC-SHA256 over content-type and host; tested against the example published there).

Our key goes out as `SessionContext`. It comes back with the answer to SendSms; with pulled statuses only where the
provider has opened that for the account, and with status callbacks never, so that those are known by their serial
number alone. A pulled list holds statuses, not messages: that something is missing from it proves nothing, so that this
provider never says UNKNOWN.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from app.channels.agreed import AgreedTemplate, Limit
from app.channels.calls import BUSY_RETRY_S, Answer, Caller, Failure, told
from app.channels.instants import unix_time
from app.domain.ledger import Channel
from app.domain.pushes import Message, Outcome, Report
from app.kit.clock import Clock

ENDPOINT = "https://sms.tencentcloudapi.com/"
LIMITS = {
    "list_rows": Limit("rows of a pulled list", 100, "PullSmsSendStatusByPhoneNumber, Limit"),
    "reach_days": Limit("days that a pulled list reaches back", 7, "PullSmsSendStatusByPhoneNumber, BeginTime"),
}
_TYPE = "application/json; charset=utf-8"
_SERVICE = "sms"
_REACHES_BACK = timedelta(days=LIMITS["reach_days"].figure)

_BROKEN = frozenset({"InvalidParameterValue.IncorrectPhoneNumber", "FailedOperation.PhoneNumberInBlacklist"})
# How many messages one phone is given in a time; the default settings of the account are meant.
_WAITS = {
    "LimitExceeded.PhoneNumberThirtySecondLimit": 30,
    "LimitExceeded.PhoneNumberOneHourLimit": 3_600,
    "LimitExceeded.PhoneNumberDailyLimit": 3_600 * 24,
    "LimitExceeded.DeliveryFrequencyLimit": BUSY_RETRY_S,
}
# Families of codes that say: not taken on. The rest (InternalError, …) says nothing of the message.
_REFUSALS = (
    "AuthFailure",
    "FailedOperation",
    "InvalidAction",
    "InvalidParameter",
    "LimitExceeded",
    "MissingParameter",
    "UnauthorizedOperation",
    "UnknownParameter",
    "UnsupportedOperation",
    "UnsupportedRegion",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TencentAccount:
    """What an office has with the provider. `sign_name` is the agreed signature, without brackets."""

    secret_id: str
    secret_key: str = field(repr=False)
    app_id: str
    sign_name: str
    templates: Mapping[str, AgreedTemplate]
    region: str = "ap-guangzhou"
    endpoint: str = ENDPOINT


class TencentSender:
    """Text messages by one account."""

    provider = "tencent"
    channel = Channel.SMS
    can_query = True

    def __init__(self, account: TencentAccount, *, caller: Caller, clock: Clock) -> None:
        self._account = account
        self._caller = caller
        self._clock = clock

    def send(self, message: Message) -> Report:
        agreed = self._account.templates.get(message.template)
        try:
            values = None if agreed is None else [value for _, value in agreed.filled(message.values)]
        except LookupError:
            values = None
        if agreed is None or values is None:
            return Report(outcome=Outcome.REFUSED, provider=self.provider, code="template_not_agreed")
        answer = self._call(
            "SendSms",
            {
                "PhoneNumberSet": [f"+86{message.to}"],
                "SmsSdkAppId": self._account.app_id,
                "SignName": self._account.sign_name,
                "TemplateId": agreed.code,
                "TemplateParamSet": values,
                "SessionContext": message.key,
            },
        )
        if isinstance(answer, Failure):
            return answer.report(self.provider)
        content = _response(answer)
        if isinstance(error := content.get("Error"), dict):
            return _refusal(told(error.get("Code")), answer)
        statuses = content.get("SendStatusSet")
        # One phone was asked for, so anything but one status is no answer to our question.
        if not isinstance(statuses, list) or len(statuses) != 1 or not isinstance(statuses[0], dict):
            return _refusal("", answer)
        status = statuses[0]
        identity, code = told(status.get("SerialNo")), told(status.get("Code"))
        if code == "Ok" and identity and answer.status == 200:
            fee = status.get("Fee")
            return Report(
                outcome=Outcome.ACCEPTED,
                provider=self.provider,
                provider_id=identity,
                code=code,
                segments=fee if isinstance(fee, int) and not isinstance(fee, bool) and 0 < fee < 100 else None,
            )
        return _refusal(code, answer)

    def query(self, message_key: str, *, to: str, provider_id: str | None, sent_at: datetime) -> Report:
        """What the pulled statuses of the phone say of the key or the serial number; UNCERTAIN if they say nothing."""
        begin = max(sent_at - timedelta(minutes=5), self._clock.now() - _REACHES_BACK)
        answer = self._call(
            "PullSmsSendStatusByPhoneNumber",
            {
                "BeginTime": int(begin.timestamp()),
                "Offset": 0,
                "Limit": LIMITS["list_rows"].figure,
                "PhoneNumber": f"+86{to}",
                "SmsSdkAppId": self._account.app_id,
            },
        )
        if isinstance(answer, Failure):
            return self._unclear(answer.code, answer.retry_after_s)
        content = _response(answer)
        if isinstance(error := content.get("Error"), dict):
            return self._unclear(told(error.get("Code")))
        for row in _rows(content):
            is_ours = row.get("SessionContext") == message_key or (
                provider_id is not None and row.get("SerialNo") == provider_id
            )
            if is_ours:
                outcome = {"SUCCESS": Outcome.DELIVERED, "FAIL": Outcome.REFUSED}.get(str(row.get("ReportStatus")))
                return Report(
                    outcome=outcome or Outcome.UNCERTAIN,
                    provider=self.provider,
                    provider_id=told(row.get("SerialNo")) or None,
                    code=told(row.get("Description", "")),
                    happened_at=unix_time(row.get("UserReceiveTime")),
                )
        return self._unclear("no_status_yet")

    def _call(self, action: str, parameters: Mapping[str, Any]) -> Answer | Failure:
        content = json.dumps(parameters).encode()
        instant = self._clock.now()
        endpoint = self._account.endpoint
        authorization = authorization_of(
            self._account.secret_id,
            self._account.secret_key,
            service=_SERVICE,
            host=urlsplit(endpoint).netloc,
            instant=instant,
            content=content,
        )
        headers = {
            "Authorization": authorization,
            "Content-Type": _TYPE,
            "X-TC-Action": action,
            "X-TC-Version": "2021-01-11",
            "X-TC-Region": self._account.region,
            "X-TC-Timestamp": str(int(instant.timestamp())),
        }
        return self._caller.call("POST", endpoint, content=content, headers=headers)

    def _unclear(self, code: str, retry_after_s: int | None = None) -> Report:
        return Report(outcome=Outcome.UNCERTAIN, provider=self.provider, code=code, retry_after_s=retry_after_s)


def authorization_of(
    secret_id: str, secret_key: str, *, service: str, host: str, instant: datetime, content: bytes
) -> str:
    """The Authorization header of a POST to `/` with JSON (签名方法 v3), over its type, its host and its content."""
    moment = instant.astimezone(UTC)
    asked = f"POST\n/\n\ncontent-type:{_TYPE}\nhost:{host}\n\ncontent-type;host\n{hashlib.sha256(content).hexdigest()}"
    scope = f"{moment:%Y-%m-%d}/{service}/tc3_request"
    digest = hashlib.sha256(asked.encode()).hexdigest()
    text = f"TC3-HMAC-SHA256\n{int(moment.timestamp())}\n{scope}\n{digest}"
    key = f"TC3{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return f"TC3-HMAC-SHA256 Credential={secret_id}/{scope}, SignedHeaders=content-type;host, Signature={signature}"


def _response(answer: Answer) -> Mapping[str, Any]:
    content = answer.body.get("Response")
    return content if isinstance(content, dict) else {}


def _rows(content: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    rows = content.get("PullSmsSendStatusSet")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _refusal(code: str, answer: Answer) -> Report:
    wait = _WAITS.get(code, BUSY_RETRY_S if code.startswith("RequestLimitExceeded") else None)
    if wait is not None:
        outcome = Outcome.BUSY
    elif code in _BROKEN:
        outcome = Outcome.BROKEN
    elif code.partition(".")[0] in _REFUSALS:
        outcome = Outcome.REFUSED
    else:
        outcome = Outcome.UNCERTAIN
    return Report(
        outcome=outcome, provider=TencentSender.provider, code=code or f"http_{answer.status}", retry_after_s=wait
    )
