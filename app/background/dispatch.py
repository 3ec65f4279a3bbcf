"""Sending what is ready: claim, send on a few threads with no transaction open, settle; and what providers tell."""

import logging
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import date

from sqlalchemy.exc import OperationalError

from app.background.loops import Loop
from app.domain.ledger import Channel
from app.domain.pushes import Outcome, Report, Sender
from app.kit.database import read_session, write_session
from app.kit.errors import Busy
from app.usecases.areas import AreaBook
from app.usecases.dispatch import Claim, Post, carry_out, claim_ready, give_back, settle
from app.usecases.letters import LetterWriter
from app.usecases.pushes import are_pushes_over, expire_pushes
from app.usecases.receipts import apply_receipts, are_receipts_waiting
from app.usecases.send_rules import load_send_rules
from app.wiring import House

EVERY_S = 1.0
RECEIPTS_EVERY_S = 2.0
PUSH_EXPIRY_EVERY_S = 2.0
THREADS = 8
LEAVE_S = 45.0
"""A provider's call takes at most 30 seconds; what came of it is to be written down before the process ends."""
_SLOW_S = 5.0
_REMEMBERED = 20
_SET_ASIDE_S = 60.0
_TROUBLE = frozenset({Outcome.BUSY, Outcome.UNCERTAIN})
# What is known is written down even if the database is away for a moment: a restart takes some seconds.
_SETTLE_TRIES = 15
_SETTLE_PAUSE_S = 1.0
_LOG = logging.getLogger("jiujin.background")


@dataclass(slots=True)
class Switchboard:
    """Which providers new messages rather do not go to: one that is slow or in trouble is set aside for a minute.

    Messages that have left stay with theirs.
    """

    clock: Callable[[], float] = time.monotonic
    _recent: dict[str, list[bool]] = field(default_factory=dict)
    _aside: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def aside(self) -> frozenset[str]:
        """Who is set aside just now."""
        now = self.clock()
        with self._lock:
            return frozenset(provider for provider, until in self._aside.items() if until > now)

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
    """Sends what is ready. One instance may be used by one thread at a time; any number of processes may run one.

    `clock` counts seconds and never goes back; `wait` lets so many pass.
    """

    def __init__(
        self,
        house: House,
        post: Post,
        *,
        threads: int = THREADS,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._house, self._post, self._threads, self._clock, self._wait = house, post, threads, clock, wait
        self._switchboard = Switchboard(clock)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="dispatch")

    def run(self, on_progress: Callable[[int], None] = lambda _: None, stop: threading.Event | None = None) -> int:
        """Send until nothing is ready; how many messages were sent or asked about, told also as they are settled.

        Results are taken as they come: a provider that keeps one message waiting does not keep the others. No more is
        claimed than can be begun at once.

        Args:
            on_progress: is told how many are settled.
            stop: once it is set nothing more is claimed, and it ends as soon as all that is under way is settled.

        Raises:
            Busy: the database did not let anything be claimed. What was under way is settled.
        """
        number = 0
        under_way: dict[Future[Report | None], Claim] = {}
        try:
            while stop is None or not stop.is_set():
                claimed_at = self._clock()
                room = self._threads - len(under_way)
                # Some at once: a transaction for each would cost more than the sending.
                claims, looked_at = self._claim(room) if 2 * room >= self._threads else ([], 0)
                number += len(claims)
                begin_by = claimed_at + self._post.rules.lease_s - self._post.rules.send_s
                under_way |= {self._pool.submit(self._carry_out, claim, begin_by): claim for claim in claims}
                if looked_at and not claims:
                    continue  # what was put aside makes room for what comes after it
                if not under_way:
                    break
                self._take_in(under_way)
                on_progress(number - len(under_way))
        finally:
            # Whatever ends it: what has left is soon known, and must not be forgotten.
            while under_way:
                self._take_in(under_way)
        return number

    def _claim(self, room: int) -> tuple[list[Claim], int]:
        with write_session(self._house.engine) as session:
            return claim_ready(
                session, self._with_aside(), limit=room, now=self._house.clock.now(), keys=self._house.keys
            )

    def _carry_out(self, claim: Claim, begin_by: float) -> Report | None:
        """The result of a claim; None if it was not begun, because somebody might soon take it over."""
        sender, begun = self._post.find(claim.channel, claim.provider), self._clock()
        if sender is None or begun >= begin_by:
            return None
        try:
            report = carry_out(claim, sender)
        except Exception as error:  # noqa: BLE001  it may have left, whatever a sender's promise is worth
            report = Report(outcome=Outcome.UNCERTAIN, provider=claim.provider, code=f"failed:{type(error).__name__}")
        if claim.message is not None:
            # That an answer to a question is not there yet says nothing of how messages are taken on.
            self._switchboard.note(claim.provider, report, self._clock() - begun)
        return report

    def _take_in(self, under_way: dict[Future[Report | None], Claim]) -> None:
        """Wait for a result, and settle whatever there is."""
        done, _ = wait(under_way, return_when=FIRST_COMPLETED)
        for each in done:
            self._settle(under_way.pop(each), each.result())

    def _settle(self, claim: Claim, report: Report | None) -> None:
        """Write one result down; whatever goes wrong with it, the others are not lost with it."""
        for left in reversed(range(_SETTLE_TRIES)):
            try:
                self._write_down(claim, report)
            except (Busy, OperationalError) as error:
                if left:
                    self._wait(_SETTLE_PAUSE_S)
                    continue
                self._tell_lost(claim, error)
            except Exception as error:  # noqa: BLE001  whatever it is, the loop must go on
                self._tell_lost(claim, error)
            return

    @staticmethod
    def _tell_lost(claim: Claim, error: Exception) -> None:
        # It is asked about when its lease is over.
        _LOG.error("what came of push %d is not written down", claim.push_id, exc_info=error)

    def _write_down(self, claim: Claim, report: Report | None) -> None:
        now, keys = self._house.clock.now(), self._house.keys
        with write_session(self._house.engine) as session:
            if report is None:
                give_back(session, claim, now=now)
            else:
                settle(session, self._post, claim, report, now=now, keys=keys, chance=random.random)

    def _with_aside(self) -> Post:
        return replace(self._post, aside=self._switchboard.aside())

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown()


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
    """The loop that sends what is ready, every second; told to stop, it settles what is under way."""
    kept: list[tuple[date, Dispatcher]] = []
    stop = threading.Event()

    def step() -> int:
        # Names of places and the office's rules are those of a day.
        if not kept or kept[0][0] != house.clock.today():
            for _, old in kept:
                old.close()
            kept[:] = [(house.clock.today(), Dispatcher(house, post_of(house)))]
        return kept[0][1].run(stop=stop)

    return Loop("dispatch", EVERY_S, step, on_stop=stop.set, leave_s=LEAVE_S)


def receipts_loop(house: House) -> Loop:
    """The loop that makes of receipts and replies what follows from them."""

    def step() -> None:
        # Asked by a reader, who waits for nobody: mostly there is nothing to write.
        with read_session(house.engine) as session:
            are_waiting = are_receipts_waiting(session, now=house.clock.now())
        if are_waiting:
            now, post = house.clock.now(), post_of(house)
            with write_session(house.engine) as session:
                apply_receipts(session, post, readers=house.callbacks, now=now, keys=house.keys, chance=random.random)

    return Loop("receipts", RECEIPTS_EVERY_S, step)


def push_expiry_loop(house: House) -> Loop:
    """The loop that ends pushes whose time is over, whatever receipts hold."""

    def step() -> None:
        now = house.clock.now()
        with read_session(house.engine) as session:
            are_over = are_pushes_over(session, now=now)
        if are_over:
            with write_session(house.engine) as session:
                expire_pushes(session, now=now)

    return Loop("push_expiry", PUSH_EXPIRY_EVERY_S, step)
