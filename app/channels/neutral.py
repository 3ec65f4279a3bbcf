"""Our own provider-neutral HTTP shape: for a city's own gateway, and for whatever a small adapter stands before.

`POST {base}/messages` with an idempotency key sends, `GET {base}/messages/{key}` tells what became of a key. Text
messages, voice calls and WeChat go by the same shape; `channel` in the body tells which. Source: our own, told in
docs/channels.md.
"""

import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from app.channels.calls import BUSY_RETRY_S, LONGEST_RETRY_S, Answer, Caller, Failure, told
from app.channels.instants import instant_of
from app.channels.signatures import signed_headers
from app.domain.ledger import Channel
from app.domain.pushes import Message, Outcome, Report
from app.kit.clock import Clock

_SENT = {status.value: status for status in Outcome if status not in (Outcome.UNCERTAIN, Outcome.UNKNOWN)}


class NeutralSender:
    """One gateway that speaks our shape, on one channel."""

    can_query = True

    def __init__(
        self, *, provider: str, channel: Channel, base_url: str, secret: str, caller: Caller, clock: Clock
    ) -> None:
        self.provider = provider
        self.channel = channel
        self._base = base_url.rstrip("/")
        self._secret = secret
        self._caller = caller
        self._clock = clock

    def send(self, message: Message) -> Report:
        body = {
            "key": message.key,
            "channel": self.channel.value,
            "to": message.to,
            "template": message.template,
            "values": message.values,
            "text": message.text,
        }
        answer = self._call("POST", "/messages", json.dumps(body).encode(), key=message.key)
        if isinstance(answer, Failure):
            return answer.report(self.provider)
        outcome = _SENT.get(str(answer.body.get("status")))
        # A server that has broken down while it says "accepted" is not believed; its own refusal is.
        is_taken = outcome in (Outcome.ACCEPTED, Outcome.DELIVERED)
        if outcome is None or is_taken != (answer.status < 300):
            return self._unclear(answer)
        return self._report(outcome, answer.body)

    def query(self, message_key: str, *, to: str, provider_id: str | None, sent_at: datetime) -> Report:
        del to, provider_id, sent_at  # the key is enough here
        answer = self._call("GET", f"/messages/{quote(message_key, safe='')}", b"", key=message_key)
        if isinstance(answer, Failure):
            # The question may be asked again at any time, but what became of the message is as unclear as before.
            return Report(
                outcome=Outcome.UNCERTAIN,
                provider=self.provider,
                code=answer.code,
                retry_after_s=answer.retry_after_s,
            )
        status = str(answer.body.get("status"))
        if answer.status == 404 and status == Outcome.UNKNOWN.value:
            return self._report(Outcome.UNKNOWN, answer.body)
        outcome = _SENT.get(status)
        if answer.status != 200 or outcome is None or outcome is Outcome.BUSY:
            return self._unclear(answer)
        return self._report(outcome, answer.body)

    def _call(self, method: str, path: str, content: bytes, *, key: str) -> Answer | Failure:
        url = self._base + path
        headers = signed_headers(
            self._secret,
            method=method,
            path=urlsplit(url).path,
            timestamp=int(self._clock.now().timestamp()),
            nonce=secrets.token_hex(16),
            body=content,
        )
        headers = {**headers, "Content-Type": "application/json", "Idempotency-Key": key}
        return self._caller.call(method, url, content=content, headers=headers)

    def _report(self, outcome: Outcome, body: Mapping[str, Any]) -> Report:
        identity, segments, wait = body.get("id"), body.get("segments"), body.get("retry_after_s")
        return Report(
            outcome=outcome,
            provider=self.provider,
            provider_id=told(identity) or None,
            code=told(body.get("code", "")),
            retry_after_s=_bounded(wait) if outcome is Outcome.BUSY else None,
            segments=segments if _is_count(segments) else None,
            happened_at=instant_of(body.get("at")) if outcome is Outcome.DELIVERED else None,
        )

    def _unclear(self, answer: Answer) -> Report:
        return Report(outcome=Outcome.UNCERTAIN, provider=self.provider, code=f"http_{answer.status}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 100


def _bounded(wait: object) -> int:
    return min(max(wait, 1), LONGEST_RETRY_S) if isinstance(wait, int) else BUSY_RETRY_S
