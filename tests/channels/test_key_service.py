"""A key service on loopback, and one that misbehaves: `Busy`, never a wrong answer."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from app.channels.calls import Caller, Timeouts
from app.channels.key_service import KEPT_FOR, MOST_AT_ONCE, KeyService
from app.channels.signatures import NONCE, SIGNATURE, TIMESTAMP, signature_of
from app.kit.clock import FixedClock
from app.kit.encrypted import Place, seal, unwrap_keys, wrap_keys, wrapped_today
from app.kit.errors import Busy
from app.kit.keys import KeyRing

SECRET = "a-secret-that-is-long-enough"
HERE, THERE = Place("person_keys", "wrapped", 7), Place("person_keys", "wrapped", 8)
KEY = bytes(range(32))


class Vault:
    """The service: it keeps what it wrapped under a number, and does what `fault` says."""

    def __init__(self) -> None:
        self.fault, self.key_id, self.asked = "", "k1", list[str]()
        self.kept: dict[str, tuple[str, str]] = {}
        self.let_go = threading.Event()

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(path)
        if path == "/kms/current":
            return {"key_id": self.key_id}
        if path == "/kms/wrap":
            wrapped = []
            for item in body["items"]:
                number = hashlib.sha256(json.dumps(item).encode()).hexdigest()
                self.kept[number] = (item["context"], item["key"])
                wrapped.append(number)
            return {"key_id": self.key_id, "wrapped": wrapped}
        found = [self.kept.get(item["wrapped"], (None, None)) for item in body["items"]]
        keys = [
            key if context == item["context"] else None
            for (context, key), item in zip(found, body["items"], strict=True)
        ]
        if self.fault == "wrong_key":
            keys = [base64.b64encode(bytes(32)).decode() for _ in keys]
        return {"keys": keys[:-1] if self.fault == "too_few" else keys}


@pytest.fixture
def vault() -> Iterator[tuple[Vault, str]]:
    kept = Vault()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            signed = signature_of(
                SECRET, method="POST", path=self.path, timestamp=self.headers[TIMESTAMP], nonce=self.headers[NONCE],
                body=body,
            )  # fmt: skip
            status = 200 if signed == self.headers[SIGNATURE] else 401
            told = json.dumps(kept.answer(self.path, json.loads(body)) if status == 200 else {}).encode()
            match kept.fault:
                case "slow":
                    kept.let_go.wait(20)
                case "error":
                    status = 500
                case "redirect":
                    status = 302
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if kept.fault == "page" else "application/json")
            self.send_header("Location", "http://127.0.0.1:9/")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told[: len(told) // 2] if kept.fault == "truncated" else told)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield kept, f"http://127.0.0.1:{server.server_address[1]}/kms"
    kept.let_go.set()
    server.shutdown()
    server.server_close()
    thread.join()


def service_at(url: str, clock: FixedClock, *, secret: str = SECRET, read_s: float = 60) -> KeyService:
    caller = Caller(clock, Timeouts(connect_s=60, read_s=read_s, overall_s=120))
    return KeyService(base_url=url, secret=secret, caller=caller, clock=clock)


@pytest.fixture
def ring(vault: tuple[Vault, str], key_ring: KeyRing, clock: FixedClock) -> KeyRing:
    return replace(key_ring, masters=service_at(vault[1], clock))


def test_a_key_comes_back_at_its_place_alone(vault: tuple[Vault, str], ring: KeyRing, clock: FixedClock) -> None:
    wrapped = wrap_keys(ring, {HERE: KEY})[HERE]
    assert wrapped.startswith(wrapped_today(ring))
    other = replace(ring, masters=service_at(vault[1], clock))
    assert unwrap_keys(other, {HERE: wrapped}) == {HERE: KEY}
    assert unwrap_keys(other, {THERE: wrapped}) == {}
    assert unwrap_keys(other, {HERE: "kms-k1.nonsense", THERE: "abc"}) == {}
    vault[0].key_id = "k2"
    assert not wrapped.startswith(wrapped_today(replace(ring, masters=service_at(vault[1], clock))))


def test_what_the_ring_wrapped_before_opens_without_asking(vault: tuple[Vault, str], ring: KeyRing) -> None:
    assert unwrap_keys(ring, {HERE: seal(ring, KEY.hex(), place=HERE)}) == {HERE: KEY}
    assert vault[0].asked == []


def test_many_are_asked_for_together_and_kept_for_a_while(
    vault: tuple[Vault, str], ring: KeyRing, clock: FixedClock
) -> None:
    places = {Place("person_keys", "wrapped", each): bytes([each % 256]) * 32 for each in range(MOST_AT_ONCE + 1)}
    wrapped = wrap_keys(ring, places)
    assert unwrap_keys(ring, wrapped) == places
    assert vault[0].asked == ["/kms/wrap"] * 2
    clock.instant += KEPT_FOR + timedelta(seconds=1)
    assert unwrap_keys(ring, wrapped) == places
    assert vault[0].asked == ["/kms/wrap"] * 2 + ["/kms/unwrap"] * 2


@pytest.mark.parametrize("fault", ["slow", "error", "redirect", "page", "truncated", "wrong_key", "too_few"])
def test_whatever_goes_wrong_is_busy_and_never_a_wrong_answer(
    vault: tuple[Vault, str], ring: KeyRing, clock: FixedClock, fault: str
) -> None:
    wrapped = wrap_keys(ring, {HERE: KEY})
    patient = 0.3 if fault == "slow" else 60
    fresh = replace(ring, masters=service_at(vault[1], clock, read_s=patient))
    vault[0].fault = fault
    with pytest.raises(Busy):
        unwrap_keys(fresh, wrapped)
    if fault not in ("wrong_key", "too_few"):
        with pytest.raises(Busy):
            wrap_keys(fresh, {THERE: KEY})
    vault[0].fault = ""
    vault[0].let_go.set()
    assert unwrap_keys(fresh, wrapped) == {HERE: KEY}


def test_who_is_not_there_or_does_not_know_us_is_busy(
    vault: tuple[Vault, str], ring: KeyRing, clock: FixedClock
) -> None:
    wrapped = wrap_keys(ring, {HERE: KEY})
    for masters in (service_at("http://127.0.0.1:9", clock), service_at(vault[1], clock, secret="another")):
        with pytest.raises(Busy):
            unwrap_keys(replace(ring, masters=masters), wrapped)
