"""Sending what is ready: claim, send on a few threads with no transaction open, settle; and what providers tell."""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import date

from app.background.loops import Loop
from app.domain.ledger import Channel
from app.domain.pushes import Outcome, Report, Sender
from app.kit.database import read_session, write_session
from app.usecases.areas import AreaBook
from app.usecases.dispatch import Claim, Post, carry_out, claim_ready, settle
from app.usecases.letters import LetterWriter
from app.usecases.pushes import are_pushes_over, expire_pushes
from app.usecases.receipts import apply_receipts, are_receipts_waiting
from app.usecases.send_rules import load_send_rules
from app.wiring import House

EVERY_S = 1.0
RECEIPTS_EVERY_S = 2.0
BATCH = 40
THREADS = 8
_SLOW_S = 5.0
_REMEMBERED = 20
_SET_ASIDE_S = 60.0
_TROUBLE = frozenset({Outcome.BUSY, Outcome.UNCERTAIN})


@dataclass(slots=True)
class Switchboard:
    """Which provider new messages go to: one that is slow or in trouble goes behind the others for a minute.

    Messages that have left stay with theirs.
    """

    senders: Mapping[Channel, Sequence[Sender]]
    clock: Callable[[], float] = time.monotonic
    _recent: dict[str, list[bool]] = field(default_factory=dict)
    _aside: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def in_order(self) -> dict[Channel, Sequence[Sender]]:
        """The senders of each channel, those set aside last."""
        now = self.clock()
        with self._lock:
            aside = {provider for provider, until in self._aside.items() if until > now}
        return {
            channel: sorted(senders, key=lambda each: each.provider in aside)
            for channel, senders in self.senders.items()
        }

    def note(self, provider: str, report: Report, seconds: float) -> None:
        """Take in how a send went: half of the last twenty slow or in trouble, and the provider is set aside."""
        is_trouble = report.outcome in _TROUBLE or seconds > _SLOW_S
        with self._lock:
            recent = self._recent.setdefault(provider, [])
            recent.append(is_trouble)
            del recent[:-_REMEMBERED]
            if len(recent) == _REMEMBERED and 2 * sum(recent) >= _REMEMBERED:
                self._aside[provider] = self.clock() + _SET_ASIDE_S
                recent.clear()


class Dispatcher:
    """Sends what is ready. One instance may be used by one thread at a time; any number of processes may run one."""

    def __init__(self, house: House, post: Post, *, batch: int = BATCH, threads: int = THREADS) -> None:
        self._house, self._post, self._batch = house, post, batch
        self._switchboard = Switchboard(post.senders)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="dispatch")

    def run(self, on_progress: Callable[[int], None] = lambda _: None) -> int:
        """Send until nothing is ready; how many messages were sent or asked about, told also as they are settled.

        Results are taken as they come: a provider that keeps one message waiting does not keep the others.
        """
        number = 0
        under_way: dict[Future[Report], Claim] = {}
        try:
            while True:
                room = self._batch - len(under_way)
                claims = self._claim(room) if 2 * room >= self._batch else []
                number += len(claims)
                under_way |= {self._pool.submit(self._carry_out, claim): claim for claim in claims}
                if not under_way:
                    return number
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                self._settle([(under_way.pop(each), each.result()) for each in done])
                on_progress(number - len(under_way))
        finally:
            # What was claimed and not settled is asked about when its lease is over.
            for each in under_way:
                each.cancel()

    def _claim(self, room: int) -> list[Claim]:
        """What is ready, as much as there is room for; none only when nothing is."""
        while True:
            with write_session(self._house.engine) as session:
                claims, looked_at = claim_ready(
                    session, self._ordered(), limit=room, now=self._house.clock.now(), keys=self._house.keys
                )
            if claims or not looked_at:
                return claims

    def _settle(self, results: Sequence[tuple[Claim, Report]]) -> None:
        with write_session(self._house.engine) as session:
            for claim, report in results:
                settle(
                    session,
                    self._ordered(),
                    claim,
                    report,
                    now=self._house.clock.now(),
                    keys=self._house.keys,
                    chance=random.random,
                )

    def _ordered(self) -> Post:
        return replace(self._post, senders=self._switchboard.in_order())

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown()

    def _carry_out(self, claim: Claim) -> Report:
        sender = self._post.find(claim.channel, claim.provider)
        if sender is None:
            raise LookupError(f"nobody sends as {claim.provider}")
        begun = time.monotonic()
        report = carry_out(claim, sender)
        self._switchboard.note(claim.provider, report, time.monotonic() - begun)
        return report


def post_of(house: House) -> Post:
    """Sending as this house does it today, by the office's rules."""
    by_channel: dict[Channel, list[Sender]] = {}
    for each in house.senders:
        if each.channel.is_electronic:
            by_channel.setdefault(each.channel, []).append(each)
    today = house.clock.today()
    with read_session(house.engine) as session:
        areas, rules = AreaBook.load(session, on=today), load_send_rules(session, on=today)
    return Post(
        senders=by_channel,
        compose=LetterWriter(areas).compose,
        public_url=house.settings.effective_public_url,
        rules=rules,
    )


def send_ready(house: House, on_progress: Callable[[int], None] = lambda _: None) -> int:
    """Send until nothing is ready; how many messages were sent or asked about, told also as they are settled."""
    dispatcher = Dispatcher(house, post_of(house))
    try:
        return dispatcher.run(on_progress)
    finally:
        dispatcher.close()


def dispatch_loop(house: House) -> Loop:
    """The loop that sends what is ready, every second."""
    kept: list[tuple[date, Dispatcher]] = []

    def step() -> int:
        # Names of places and the office's rules are those of a day.
        if not kept or kept[0][0] != house.clock.today():
            for _, old in kept:
                old.close()
            kept[:] = [(house.clock.today(), Dispatcher(house, post_of(house)))]
        return kept[0][1].run()

    return Loop("dispatch", EVERY_S, step)


def receipts_loop(house: House) -> Loop:
    """The loop that makes of receipts and replies what follows from them, and ends pushes whose time is over."""

    def step() -> None:
        now = house.clock.now()
        # Asked by a reader, who waits for nobody: mostly there is nothing to write.
        with read_session(house.engine) as session:
            are_waiting, are_over = are_receipts_waiting(session), are_pushes_over(session, now=now)
        if are_waiting:
            post = post_of(house)
            with write_session(house.engine) as session:
                apply_receipts(session, post, readers=house.callbacks, now=now, keys=house.keys, chance=random.random)
        if are_over:
            with write_session(house.engine) as session:
                expire_pushes(session, now=now)

    return Loop("receipts", RECEIPTS_EVERY_S, step)
