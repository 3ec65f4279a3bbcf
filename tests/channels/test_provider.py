"""The provider of the tests as a process of its own: it counts what was sent twice, and tells receipts in any order."""

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest

from app.channels.callbacks import Shape, authenticate, facts_in
from app.channels.calls import Caller
from app.channels.neutral import NeutralSender
from app.domain.callbacks import Callback
from app.domain.ledger import Channel
from app.domain.pushes import Outcome
from app.kit.clock import SystemClock
from tests.channels.conftest import PATIENT, Make, a_message
from tests.channels.provider import SECRET, Fault, Misbehaviour, Provider, Telling, count_taken, running

ROOT = Path(__file__).parents[2]


@contextmanager
def process(file: Path, *options: str) -> Iterator[str]:
    """A provider in a process of its own; its address."""
    command = [sys.executable, "-m", "tests.channels.provider", "--file", str(file), *options]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield f"http://127.0.0.1:{json.loads(running.stdout.readline())['port']}"
        running.communicate(timeout=20)
        assert running.returncode == 0


class Listener:
    """Listens for receipts, says no to some of them first, and knows when it has heard so many."""

    def __init__(self, *, refusing: int = 0) -> None:
        self.heard: list[Callback] = []
        self.changed = threading.Condition()
        self.refusing = refusing
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with listener.changed:
                    is_refused = listener.refusing > 0
                    listener.refusing -= is_refused
                    if not is_refused:
                        listener.heard.append(Callback(headers=dict(self.headers), body=body))
                        listener.changed.notify_all()
                self.send_response(503 if is_refused else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/callbacks"

    def wait_for(self, number: int) -> list[str | None]:
        """The keys of that many receipts, in the order in which they came."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.heard) >= number, timeout=60)
        clock = SystemClock()
        for callback in self.heard:
            authenticate(Shape.NEUTRAL, callback, secret=SECRET, now=clock.now(), is_spent=lambda _nonce: False)
        return [fact.key for callback in self.heard for fact in facts_in(Shape.NEUTRAL, callback.body).receipts]


def gateway(url: str) -> NeutralSender:
    clock = SystemClock()
    caller = Caller(clock, PATIENT)
    return NeutralSender(
        provider="gateway", channel=Channel.SMS, base_url=url, secret=SECRET, caller=caller, clock=clock
    )


def test_a_process_of_its_own_counts_what_it_took_on(tmp_path: Path) -> None:
    file = tmp_path / "taken.db"
    with process(file, "--faults", "reset=1.0", "--seed", "3") as url:
        sender = gateway(url)
        outcomes = Counter(sender.send(a_message(f"push-{number}")).outcome for number in range(12))
        assert outcomes == {Outcome.UNCERTAIN: 12}
        # Half of what was reset was taken on.
        assert 0 < sum(count_taken(file).values()) < 12
    with process(file) as url:
        for number in range(12):
            assert gateway(url).send(a_message(f"push-{number}")).outcome is Outcome.ACCEPTED
    assert set(count_taken(file).values()) == {1}


def test_what_is_sent_twice_to_one_that_drops_no_repeat_is_counted_twice(make_sender: Make, provider: Provider) -> None:
    provider.drops_repeats = False
    sender = make_sender("gateway", provider.url)
    sender.send(a_message())
    sender.send(a_message())
    assert provider.taken() == {"push-1": 2}


def test_the_same_seed_goes_wrong_the_same(tmp_path: Path, make_sender: Make) -> None:
    chances = {Fault.RESET: 0.3, Fault.ERROR: 0.3, Fault.BUSY: 0.2}
    seen = []
    for run in range(2):
        with running(tmp_path / f"{run}.db", chances=chances, seed=11, clock=lambda: 1_796_090_400.0) as provider:
            sender = make_sender("gateway", provider.url)
            seen.append([sender.send(a_message(f"push-{number}")).code for number in range(12)])
            # Who says "not now" has never taken it on.
            busy = {f"push-{number}" for number, code in enumerate(seen[-1]) if code == "http_429"}
            assert not busy & provider.taken().keys()
    assert seen[0] == seen[1]
    assert len(set(seen[0])) > 2


def test_receipts_come_doubled_and_out_of_order_and_again_after_a_refusal(tmp_path: Path) -> None:
    with (
        Listener(refusing=3) as listener,
        process(tmp_path / "taken.db", "--callback", listener.url, "--twice", "1", "--late", "0.5") as url,
    ):
        sender = gateway(url)
        sent = [f"push-{number}" for number in range(10)]
        for key in sent:
            sender.send(a_message(key))
        heard = listener.wait_for(20)
    assert Counter(heard) == dict.fromkeys(sent, 2)
    assert list(dict.fromkeys(heard)) != sent


def test_receipts_may_never_come(tmp_path: Path) -> None:
    with Listener() as listener:
        telling = Telling(url=listener.url, never=0.5)
        with running(tmp_path / "taken.db", telling=telling, seed=5) as provider:
            sender = gateway(provider.url)
            for number in range(12):
                sender.send(a_message(f"push-{number}"))
            listener.wait_for(1)
        assert 0 < len(listener.heard) < 12


@pytest.mark.parametrize("takes", [True, False])
def test_another_process_can_say_what_goes_wrong_next(tmp_path: Path, takes: bool) -> None:
    file = tmp_path / "taken.db"
    with process(file) as url:
        control = Caller(SystemClock(), PATIENT)
        control.call("POST", f"{url}/control", content=json.dumps({"faults": ["reset"], "takes": takes}).encode())
        assert gateway(url).send(a_message()).outcome is Outcome.UNCERTAIN
        assert count_taken(file)["push-1"] == int(takes)


def test_a_misbehaviour_is_for_one_answer(provider: Provider, make_sender: Make) -> None:
    sender = make_sender("gateway", provider.url)
    provider.misbehave(Misbehaviour(Fault.ERROR), Misbehaviour(Fault.BUSY, takes=False))
    outcomes = [sender.send(a_message(f"push-{number}")).outcome for number in range(3)]
    assert outcomes == [Outcome.UNCERTAIN, Outcome.BUSY, Outcome.ACCEPTED]
