"""A key service (KMS) that holds the master keys: people's own keys are wrapped and unwrapped over HTTP.

Three calls, JSON both ways, signed as `channels.signatures` tells and told in docs/keys.md for whoever runs one:
`POST {base}/current`, `{base}/wrap` and `{base}/unwrap`. A service that is away, slow or talks nonsense makes the deed
fail with `Busy`; beside each wrapped key stands a check of the key itself, so that a wrong key is nonsense too.
"""

import base64
import binascii
import json
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from app.channels.calls import Caller, Failure
from app.channels.signatures import signed_headers
from app.kit.clock import Clock
from app.kit.errors import Busy
from app.kit.keys import KEY_BYTES, KeyToWrap, WrappedKey, tag

MOST_AT_ONCE = 200  # an answer is read up to 64 kB
MOST_KEPT = 2_000
KEPT_FOR = timedelta(minutes=5)
_CURRENT_KEPT_FOR = timedelta(seconds=10)
_RETRY_S = 5
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
_WRAPPED = re.compile(r"[A-Za-z0-9_+/=:.-]{1,400}", re.ASCII)
_CHECK_CHARACTERS = 8


class KeyServiceAway(Busy):
    """The key service gave no answer that can be believed; nothing was changed."""

    code = "key_service_away"
    title = "密钥服务现在连不上，请稍后再试"


class KeyService:
    """The master keys behind a URL, as `kit.keys.MasterKeys`. Threads may share it.

    A wrapped key is `kms-<key id>.<check>.<what the service gave>`. Unwrapped ones are kept in memory, the last
    `MOST_KEPT` for `KEPT_FOR`, so that not every reading asks.
    """

    def __init__(self, *, base_url: str, secret: str, caller: Caller, clock: Clock) -> None:
        self._base = base_url.rstrip("/")
        self._secret = secret
        self._caller = caller
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[WrappedKey, tuple[bytes, datetime]] = OrderedDict()
        self._current: tuple[str, datetime] | None = None

    def current(self) -> str:
        now = self._clock.now()
        if self._current is None or self._current[1] <= now:
            answer = self._ask("/current", {})
            self._current = (_key_id(answer), now + _CURRENT_KEPT_FOR)
        return f"kms-{self._current[0]}."

    def wrap(self, keys: Sequence[KeyToWrap]) -> list[str]:
        found: list[str] = []
        for start in range(0, len(keys), MOST_AT_ONCE):
            part = keys[start : start + MOST_AT_ONCE]
            items = [{"context": _base64(each.context), "key": _base64(each.key)} for each in part]
            answer = self._ask("/wrap", {"items": items})
            key_id, wrapped = _key_id(answer), _list(answer, "wrapped", len(part))
            for each, told in zip(part, wrapped, strict=True):
                if not isinstance(told, str) or not _WRAPPED.fullmatch(told):
                    raise KeyServiceAway(retry_after_s=_RETRY_S)
                found.append(f"kms-{key_id}.{_check(each.key)}.{told}")
                self._keep(WrappedKey(each.context, found[-1]), each.key)
        return found

    def unwrap(self, wrapped: Sequence[WrappedKey]) -> list[bytes | None]:
        found = {each: key for each in wrapped if (key := self._find(each)) is not None}
        # What has not the shape of ours was written by nobody who asked us: no service needs to be asked.
        asked = [each for each in dict.fromkeys(wrapped) if each not in found and _is_ours(each.wrapped)]
        for start in range(0, len(asked), MOST_AT_ONCE):
            part = asked[start : start + MOST_AT_ONCE]
            items = [
                {"context": _base64(each.context), "key_id": key_id.removeprefix("kms-"), "wrapped": rest}
                for each, (key_id, _, rest) in ((each, each.wrapped.split(".", 2)) for each in part)
            ]
            keys = _list(self._ask("/unwrap", {"items": items}), "keys", len(part))
            for each, told in zip(part, keys, strict=True):
                # The service says itself that it does not open: altered, moved, or wrapped by somebody else.
                if told is not None:
                    found[each] = _key(told, check=each.wrapped.split(".", 2)[1])
                    self._keep(each, found[each])
        return [found.get(each) for each in wrapped]

    def _ask(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        url, content = self._base + path, json.dumps(body).encode()
        headers = signed_headers(
            self._secret,
            method="POST",
            path=urlsplit(url).path,
            timestamp=int(self._clock.now().timestamp()),
            nonce=secrets.token_hex(16),
            body=content,
        )
        answer = self._caller.call(
            "POST", url, content=content, headers={**headers, "Content-Type": "application/json"}
        )
        if isinstance(answer, Failure) or answer.status != 200:
            raise KeyServiceAway(retry_after_s=_RETRY_S)
        return answer.body

    def _find(self, wrapped: WrappedKey) -> bytes | None:
        with self._lock:
            key, until = self._kept.get(wrapped, (None, None))
            if until is not None and until <= self._clock.now():
                del self._kept[wrapped]
                return None
            if key is not None:
                self._kept.move_to_end(wrapped)
            return key

    def _keep(self, wrapped: WrappedKey, key: bytes) -> None:
        with self._lock:
            self._kept[wrapped] = (key, self._clock.now() + KEPT_FOR)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)


def _check(key: bytes) -> str:
    return tag(key, "wrapped_key_check")[:_CHECK_CHARACTERS]


def _is_ours(wrapped: str) -> bool:
    key_id, _, rest = wrapped.partition(".")
    return key_id.startswith("kms-") and _KEY_ID.fullmatch(key_id[4:]) is not None and "." in rest


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _key_id(answer: Mapping[str, Any]) -> str:
    told = answer.get("key_id")
    if not isinstance(told, str) or not _KEY_ID.fullmatch(told):
        raise KeyServiceAway(retry_after_s=_RETRY_S)
    return told


def _list(answer: Mapping[str, Any], name: str, length: int) -> list[Any]:
    told = answer.get(name)
    if not isinstance(told, list) or len(told) != length:
        raise KeyServiceAway(retry_after_s=_RETRY_S)
    return told


def _key(told: object, *, check: str) -> bytes:
    try:
        key = base64.b64decode(told, validate=True) if isinstance(told, str) else b""
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES or _check(key) != check:
        # Another key than the one that was wrapped: what it opens would be nothing, what it seals would be lost.
        raise KeyServiceAway(retry_after_s=_RETRY_S)
    return key
