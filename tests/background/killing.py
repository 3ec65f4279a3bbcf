"""Sending while the senders are killed, again and again, at any moment: what is lost, sent twice or counted twice?

    python -m tests.background.killing --database URL --folder DIR --pushes 2000 --kills 20 --seed 1 [--naive]

One process takes the part of the machine: it makes the pushes, starts two providers that misbehave, forks two senders
and one that applies receipts, and sends SIGKILL to one of them whenever the providers have taken on so many more
messages. At the end nobody is killed until nothing is left to do. It prints what it found as JSON. With `--naive` the
senders do what one writes first: they mark a message as sent and then send it.
"""

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import time as clock_time
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from app.background.dispatch import Dispatcher
from app.background.loops import Loop, run
from app.channels.calls import Caller, Timeouts
from app.channels.neutral import NeutralSender
from app.domain.callbacks import Callback, CallbackFacts, ReceiptFact
from app.domain.ledger import Channel, EntryKind
from app.domain.pushes import Outcome, PushState
from app.domain.sending import SendRules
from app.kit.clock import SystemClock
from app.kit.database import open_engine, read_session, write_session
from app.kit.keys import KeyRing, load_key_ring
from app.settings import Settings
from app.store.ledger import LedgerEntry
from app.store.pushes import Attempt, Push, PushChange
from app.usecases.dispatch import Post, carry_out, claim_ready
from app.usecases.pushes import intend_pushes
from app.usecases.receipts import apply_receipts, store_receipt
from app.wiring import House
from tests.channels.provider import SECRET, count_taken
from tests.deliveries import add_people, add_posting, compose, intent

SEND_S = 1
FAULTS = "reset=0.03,error=0.03,busy=0.03,timeout=0.01,broken=0.02"
MOST_S, MOST_S_A_PUSH = 900.0, 0.12  # a bound for a run that hangs, not a measure of speed
RULES = SendRules(
    quiet_from=clock_time(0),
    quiet_until=clock_time(0),
    weekly_cap=1000,
    retry_steps=(1, 1, 1, 1, 1, 1, 1, 1),
    ask_steps=(1,) * 60,
    receipt_steps=(30, 30, 30),
    send_s=SEND_S,
)


class Machine:
    """The parts that a run is made of, and what it saw."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.random = random.Random(given.seed)  # noqa: S311  a moment, no secret
        self.children: dict[int, Callable[[], None]] = {}
        self._looks_again = 0.0
        self.keys: KeyRing = load_key_ring(given.folder / "keys.json")
        # Each knows only what it has taken on itself: a message that both have taken on was sent twice.
        self.files = {name: given.folder / f"{name}.db" for name in ("first", "second")}
        started = {name: self._start_provider(file) for name, file in self.files.items()}
        self.providers = [process for process, _ in started.values()]
        self.ports = {name: port for name, (_, port) in started.items()}

    def _start_provider(self, file: Path) -> tuple["subprocess.Popen[bytes]", int]:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "tests.channels.provider", "--file", str(file), "--keep-repeats",
                "--faults", FAULTS, "--seed", str(self.given.seed),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())["port"]

    def house(self) -> House:
        """A house of this very process."""
        settings = Settings(data=self.given.folder)
        return House(settings=settings, engine=open_engine(self.given.database), keys=self.keys, clock=SystemClock())

    def post(self) -> Post:
        """Two gateways, which are asked over HTTP."""
        timeouts = Timeouts(connect_s=0.3, read_s=0.3, overall_s=0.5)
        senders = [
            NeutralSender(
                provider=name,
                channel=Channel.SMS,
                base_url=f"http://127.0.0.1:{port}",
                secret=SECRET,
                caller=Caller(SystemClock(), timeouts),
                clock=SystemClock(),
            )
            for name, port in self.ports.items()
        ]
        return Post(senders={Channel.SMS: senders}, compose=compose, public_url="https://job.example", rules=RULES)

    # --- what is sent ---

    def make_pushes(self) -> None:
        """So many people, a push each."""
        house, now = self.house(), SystemClock().now()
        with write_session(house.engine) as session:
            posting = add_posting(session, now=now, openings=100_000)
            people = add_people(session, self.given.pushes, keys=self.keys, now=now)
            intents = [intent(each, posting, now=now, expires_at=now + timedelta(days=1)) for each in people]
            intend_pushes(session, intents, served=frozenset({Channel.SMS}), now=now, keys=self.keys)
        house.close()

    # --- those who are killed ---

    def send(self) -> None:
        """Send until killed."""
        house = self.house()
        self._again(house, "dispatch", Dispatcher(house, self.post(), threads=4).run)

    def send_naively(self) -> None:
        """Mark, then send, until killed."""
        house, post = self.house(), self.post()

        def step() -> None:
            with write_session(house.engine) as session:
                claims, _ = claim_ready(session, post, limit=20, now=house.clock.now(), keys=house.keys)
                for claim in claims:
                    attempt, push = session.get_one(Attempt, claim.attempt_id), session.get_one(Push, claim.push_id)
                    push.state, attempt.ready_at = PushState.SENT, None
            for claim in claims:
                sender = post.find(claim.channel, claim.provider)
                assert sender is not None
                carry_out(claim, sender)

        self._again(house, "naive", step)

    def receive(self) -> None:
        """Apply receipts of what the providers have taken on, twice and in any order, until killed."""
        house, post, chance = self.house(), self.post(), random.Random()  # noqa: S311  an order, no secret

        told: set[tuple[str, int]] = set()

        def step() -> None:
            taken = self._taken()
            chance.shuffle(taken)
            with read_session(house.engine) as session:
                # Or whoever comes after one that was killed would tell everything from the start.
                undelivered = set(
                    session.scalars(
                        select(Attempt.key)
                        .join(Push, Push.id == Attempt.push_id)
                        .where(Push.state != PushState.DELIVERED)
                    )
                )
            new = [each for each in taken if each[:2] not in told and each[2] in undelivered][:80]
            with write_session(house.engine) as session:
                for name, number, key in new + taken[:20]:
                    told.add((name, number))
                    body = json.dumps({"key": key, "id": str(number), "copy": chance.randrange(2)}).encode()
                    store_receipt(
                        session,
                        channel=Channel.SMS,
                        provider=name,
                        body=body,
                        now=house.clock.now(),
                        keys=house.keys,
                    )
            with write_session(house.engine) as session:
                apply_receipts(
                    session,
                    post,
                    readers={name: _Reader(name) for name in self.files},
                    now=house.clock.now(),
                    keys=house.keys,
                    chance=chance.random,
                )

        self._again(house, "receipts", step, every_s=0.05)

    def _again(self, house: House, name: str, step: Callable[[], object], *, every_s: float = 0.01) -> None:
        run(Loop(name, every_s, step), threading.Event(), pulse=house.pulses.of(name), now=house.clock.now)

    def _taken(self) -> list[tuple[str, int, str]]:
        return [
            (name, number, key)
            for name, file in self.files.items()
            for number, key in _ask(file, "SELECT id, key FROM taken")
        ]

    # --- the run ---

    def run(self) -> dict[str, Any]:
        """Everything; what was found."""
        self.make_pushes()
        begun = time.monotonic()
        parts = [self.send_naively, self.send_naively] if self.given.naive else [self.send, self.send, self.receive]
        self.children = {self._fork(part): part for part in parts}
        try:
            kills = self._kill(begun)
            while not self._is_over():
                self._watch(begun)
        finally:
            for child in self.children:
                _kill(child)
        seconds = time.monotonic() - begun
        found = self._find()
        for provider in self.providers:
            provider.terminate()
            provider.wait()
        return {"pushes": self.given.pushes, "kills": kills, "seconds": round(seconds, 1), **found}

    def _kill(self, begun: float) -> int:
        step, kills = self.given.pushes / (self.given.kills + 1), 0
        while kills < self.given.kills:
            if self._count() >= step * (kills + 1):
                time.sleep(self.random.random() * 0.02)  # any moment
                child = self.random.choice(sorted(self.children))
                part = self.children.pop(child)
                _kill(child)
                self.children[self._fork(part)] = part
                kills += 1
            elif self._is_over():
                break  # what was lost is never taken on
            self._watch(begun)
        return kills

    def _fork(self, part: Any) -> int:
        child = os.fork()
        if child:
            return child
        try:
            # The line at the end of the run is the only thing on the standard output.
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
            part()
        finally:
            os._exit(1)

    def _count(self) -> int:
        return sum(int(_ask(file, "SELECT count(*) FROM taken")[0][0]) for file in self.files.values())

    def _is_over(self) -> bool:
        """Whether nothing is left to do; when marks are made before sending, whether all bear one.

        Looks once a second: those who send are to have the machine.
        """
        if time.monotonic() < self._looks_again:
            return False
        self._looks_again = time.monotonic() + 1.0
        house = self.house()
        try:
            with read_session(house.engine) as session:
                if self.given.naive:
                    left = select(func.count()).where(Push.state.in_([PushState.QUEUED, PushState.SENDING]))
                else:
                    left = select(func.count()).where(Push.state != PushState.DELIVERED)
                return session.scalar(left) == 0
        finally:
            house.close()

    def _watch(self, begun: float) -> None:
        most_s = max(MOST_S, MOST_S_A_PUSH * self.given.pushes)
        if time.monotonic() - begun > most_s:
            raise AssertionError(f"still not over after {most_s:.0f} s: {self._find()}")
        time.sleep(0.02)

    def _find(self) -> dict[str, Any]:
        house, taken = self.house(), sum((count_taken(file) for file in self.files.values()), Counter[str]())
        with read_session(house.engine) as session:
            keys = set(session.scalars(select(Attempt.key)))
            counted = Counter(
                facts["push"]
                for facts in session.scalars(select(LedgerEntry.facts).where(LedgerEntry.kind == EntryKind.PUSH))
            )
            states = Counter(state.value for state in session.scalars(select(Push.state)))
            waiting = session.scalar(select(func.count()).where(Attempt.ready_at.is_not(None)))
            used = session.scalars(select(Attempt.provider).distinct()).all()
            changes = session.scalar(select(func.count()).where(PushChange.after == PushState.UNCERTAIN))
        house.close()
        return {
            "lost": len(keys - set(taken)),
            "sent_twice": sum(number > 1 for number in taken.values()),
            "counted_twice": sum(number > 1 for number in counted.values()),
            "counted": len(counted),
            "stuck": waiting,
            "states": dict(states),
            "were_uncertain": changes,
            "providers": sorted(filter(None, used)),
        }


def _ask(file: Path, query: str) -> list[Any]:
    database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def _kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


class _Reader:
    """Reads the receipts that this run writes."""

    channel, acknowledgement = Channel.SMS, ("text/plain", b"")

    def __init__(self, provider: str) -> None:
        self.provider = provider

    def authenticate(self, callback: Callback) -> str:
        raise NotImplementedError(callback)

    def answer_check(self, callback: Callback) -> tuple[str, bytes]:
        raise NotImplementedError(callback)

    def spend(self, nonce: str) -> None:
        raise NotImplementedError(nonce)

    def read(self, body: bytes) -> CallbackFacts:
        told = json.loads(body)
        fact = ReceiptFact(key=told["key"], provider_id=told["id"], outcome=Outcome.DELIVERED, happened_at=None)
        return CallbackFacts(receipts=[fact])


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--pushes", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--naive", action="store_true")
    print(json.dumps(Machine(parser.parse_args()).run()))  # noqa: T201  what its starter reads


if __name__ == "__main__":
    main()
