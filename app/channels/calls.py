"""The one HTTP call that all providers share, and what may be said of it when it goes wrong.

What matters is whether the request may have left. A failure before that (name, connection, TLS) is *definite*: nothing
was sent, the same may be sent again, here or elsewhere. After that, whatever is not a readable answer is *uncertain*.

Each call has a connection of its own: on a kept one the provider may hang up while the request is on its way, which
cannot be told from a message that was taken on.
"""

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

import httpx

from app.domain.pushes import Outcome, Report
from app.kit.clock import Clock

LONGEST_ANSWER_BYTES = 65_536
LONGEST_RETRY_S = 3_600  # what a provider may ask for; beyond it our own schedule knows better
BUSY_RETRY_S = 60
_CODE_LENGTH = 80  # as long as the column that keeps it

# Failures before the first byte of the request was written.
_NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
    httpx.LocalProtocolError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds: to connect, between two reads, and for the whole call with everything in it."""

    connect_s: float = 5.0
    read_s: float = 15.0
    overall_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that could be read: its status and its JSON object."""

    status: int
    body: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer that could be read. `outcome` is BUSY where nothing can have been taken on, else UNCERTAIN."""

    outcome: Outcome
    code: str
    retry_after_s: int | None = None

    def report(self, provider: str) -> Report:
        return Report(outcome=self.outcome, provider=provider, code=self.code, retry_after_s=self.retry_after_s)


class _Unreadable(Exception):
    """The answer is no JSON object that we would believe; the message is our code for why."""


class Caller:
    """Calls providers. Threads may share it; a thread in which an event loop runs may not use it.

    Neither proxies nor certificates are taken from the environment: the certificates are those that come with httpx.
    The time for looking up a name is the system resolver's: `overall_s` bounds all that comes after.
    """

    def __init__(self, clock: Clock, timeouts: Timeouts | None = None) -> None:
        self._clock = clock
        self._timeouts = timeouts or Timeouts()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # Reading the certificates takes a tenth of a second, and most commands send nothing.
        return httpx.create_ssl_context(trust_env=False)

    def call(
        self,
        method: str,
        url: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        types: frozenset[str] = frozenset({"application/json"}),
    ) -> Answer | Failure:
        """Send one request and read its answer. Never raises.

        Args:
            method: GET or POST.
            url: where to; redirects are not followed.
            content: the body.
            headers: further headers.
            types: media types that an answer may have.
        """
        try:
            return asyncio.run(self._call(method, url, content, dict(headers or {}), types))
        except TimeoutError:
            return Failure(Outcome.UNCERTAIN, "deadline")
        except _NEVER_LEFT as error:
            return Failure(Outcome.BUSY, _named(error), BUSY_RETRY_S)
        except _Unreadable as error:
            return Failure(Outcome.UNCERTAIN, str(error))
        except Exception as error:  # noqa: BLE001  a channel never raises, and what is not known to be definite is not
            return Failure(Outcome.UNCERTAIN, _named(error))

    async def _call(
        self, method: str, url: str, content: bytes, headers: dict[str, str], types: frozenset[str]
    ) -> Answer | Failure:
        limits = self._timeouts
        timeout = httpx.Timeout(limits.read_s, connect=limits.connect_s)
        # An unpacked answer may be a thousand times what came over the wire.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        async with asyncio.timeout(limits.overall_s):
            client = httpx.AsyncClient(verify=self._tls, timeout=timeout, trust_env=False, follow_redirects=False)
            async with client, client.stream(method, url, content=content, headers=headers) as response:
                if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
                    wait = retry_after_s(response.headers.get("Retry-After"), now=self._clock.now())
                    return Failure(Outcome.BUSY, "http_429", wait)
                if response.has_redirect_location or response.is_redirect:
                    return Failure(Outcome.UNCERTAIN, f"redirect_{response.status_code}")
                return Answer(response.status_code, await _read(response, types))


async def _read(response: httpx.Response, types: frozenset[str]) -> Mapping[str, Any]:
    declared = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    # A page of a proxy or a firewall says nothing of what the provider did.
    if declared not in types or response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _Unreadable(f"wrong_type_{response.status_code}")
    taken = bytearray()
    async for chunk in response.aiter_raw():
        taken += chunk
        if len(taken) > LONGEST_ANSWER_BYTES:
            raise _Unreadable("answer_too_large")
    try:
        return read_json_object(bytes(taken))
    except ValueError:
        raise _Unreadable(f"broken_answer_{response.status_code}") from None


def read_json_object(text: bytes) -> Mapping[str, Any]:
    """A JSON object in UTF-8, read to the letter.

    Raises:
        ValueError: it is none, or `read_json` does not take it.
    """
    value = read_json(text)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004  broken input of strangers, as the rest here
    return value


def read_json(text: bytes) -> Any:
    """A JSON value in UTF-8, read to the letter.

    Raises:
        ValueError: it is none, names something twice, holds NaN or Infinity, or is nested beyond reason.
    """
    try:
        return json.loads(text.decode(), object_pairs_hook=_without_doubles, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def retry_after_s(header: str | None, *, now: datetime) -> int:
    """Seconds that `Retry-After` (RFC 9110 section 10.2.3: seconds or a date) asks for, from 1 to an hour.

    Without one, or with one that cannot be read, a minute.
    """
    if header is None:
        return BUSY_RETRY_S
    text = header.strip()
    if text.isascii() and text.isdigit():
        # A number of a thousand digits is no number of seconds.
        asked = int(text) if len(text) < 10 else LONGEST_RETRY_S
    else:
        try:
            asked = round((parsedate_to_datetime(text) - now).total_seconds())
        except (TypeError, ValueError, OverflowError):
            return BUSY_RETRY_S
    return min(max(asked, 1), LONGEST_RETRY_S)


def told(value: object) -> str:
    """A provider's own code as it is kept: short, one line. What is no string or number tells nothing."""
    return "".join(sign for sign in str(value) if sign.isprintable())[:_CODE_LENGTH] if _is_plain(value) else ""


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _named(error: BaseException) -> str:
    """`ReadTimeout` as `read_timeout`. Its message stays here: it may hold an address with a token in it."""
    name = type(error).__name__
    return "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in name).lstrip("_")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
