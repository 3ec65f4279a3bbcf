"""Dispatchers beside each other: nothing is sent by two, nothing that is known is lost, and they end when told to."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select, text

from app.background import dispatch
from app.background.dispatch import Dispatcher, Switchboard, dispatch_loop, push_expiry_loop
from app.background.loops import started
from app.channels.calls import Timeouts
from app.domain.ledger import Channel
from app.domain.pushes import Message, Outcome, PushState, Report
from app.domain.sending import SendRules
from app.domain.viewers import EVERYBODY
from app.kit.clock import FixedClock
from app.kit.database import open_engine, read_session, write_session
from app.kit.errors import Busy
from app.kit.keys import KeyRing
from app.settings import Settings
from app.store.pushes import Attempt, Push, Receipt
from app.store.scoping import scoped
from app.usecases.dispatch import Post
from app.usecases.pushes import Letter
from app.wiring import House
from tests.deliveries import Teller, add_people, add_posting, compose, post_of, push_to

PATIENCE_S = 60


@pytest.fixture
def bare(database: Engine, clock: FixedClock, key_ring: KeyRing, tmp_path: Path) -> House:
    """A house of each kind in turn, without reference data."""
    return House(settings=Settings(data=tmp_path), engine=database, keys=key_ring, clock=clock)


def add_pushes(house: House, number: int, post: Post) -> list[int]:
    """So many people, a push each."""
    now = house.clock.now()
    with write_session(house.engine) as session:
        posting = add_posting(session, now=now)
        people = add_people(session, number, keys=house.keys, now=now)
        return [push_to(session, each, posting, post, keys=house.keys, now=now) for each in people]


def states_of(house: House) -> list[PushState]:
    with read_session(house.engine) as session:
        return list(session.scalars(select(Push.state).order_by(Push.id)))


class Door:
    """A send that waits at it until it is opened; `reached` once somebody stands there."""

    def __init__(self, *, those: Callable[[Message], bool] = lambda _: True) -> None:
        self.reached, self._open, self._those = threading.Event(), threading.Event(), those

    def __call__(self, message: Message) -> Report:
        if self._those(message):
            self.reached.set()
            assert self._open.wait(PATIENCE_S)
        return Report(outcome=Outcome.ACCEPTED, provider="gateway")

    def open(self) -> None:
        self._open.set()


@contextmanager
def running_beside(dispatcher: Dispatcher, **given: Any) -> Iterator[list[int]]:
    """A dispatcher that runs in a thread; at the end it is waited for, and has then said how much it sent."""
    said: list[int] = []
    thread = threading.Thread(target=lambda: said.append(dispatcher.run(**given)))
    thread.start()
    try:
        yield said
    finally:
        thread.join(PATIENCE_S)
        dispatcher.close()
    assert not thread.is_alive()


def test_what_waits_behind_a_slow_send_is_not_sent_by_two(bare: House, clock: FixedClock) -> None:
    door = Door()
    gateway = Teller(provider="gateway", says=door)
    other = Teller(provider="other")
    # Asked, the gateway tells the truth: what nobody has handed to it, it has never heard of.
    gateway.knows = lambda key: gateway.report(
        Outcome.ACCEPTED if key in {each.key for each in gateway.sent} else Outcome.UNKNOWN
    )
    post = post_of(gateway, other)
    add_pushes(bare, 3, post)
    beside = Dispatcher(bare, post_of(Teller(provider="gateway", knows=gateway.knows), other), threads=1)
    with running_beside(Dispatcher(bare, post, threads=1)):
        assert door.reached.wait(PATIENCE_S)
        clock.advance(timedelta(seconds=post.rules.lease_s + 1))
        beside.run()
        door.open()
    beside.close()
    gateways = [*gateway.sent, *beside._post.senders[Channel.SMS][0].sent]  # type: ignore[attr-defined]
    keys = [message.key for message in (*gateways, *other.sent)]
    assert len(keys) == len(set(keys)) == 3
    assert states_of(bare) == [PushState.SENT] * 3


def test_no_more_is_claimed_than_can_be_begun_at_once(bare: House) -> None:
    door = Door()
    post = post_of(Teller(provider="gateway", says=door))
    add_pushes(bare, 5, post)
    with running_beside(Dispatcher(bare, post, threads=2)) as said:
        assert door.reached.wait(PATIENCE_S)
        assert sorted(states_of(bare)) == [PushState.QUEUED] * 3 + [PushState.SENDING] * 2
        door.open()
    assert (said, states_of(bare)) == ([5], [PushState.SENT] * 5)


def test_what_would_be_begun_late_in_its_lease_goes_back_into_the_queue(bare: House) -> None:
    teller = Teller()
    post = post_of(teller)
    add_pushes(bare, 1, post)
    stop, now = threading.Event(), [0.0]

    def slow(*given: Any) -> Letter:
        # It takes half of the lease to write the letter.
        now[0] = post.rules.lease_s - post.rules.send_s
        return compose(*given)

    dispatcher = Dispatcher(bare, replace(post, compose=slow), threads=1, clock=lambda: now[0])
    dispatcher.run(lambda _: stop.set(), stop)
    with read_session(bare.engine) as session:
        attempt = session.scalars(select(Attempt)).one()
        assert (attempt.left_at, attempt.tries, attempt.ready_at) == (None, 0, bare.clock.now())
    assert (teller.sent, states_of(bare)) == ([], [PushState.QUEUED])
    dispatcher.close()
    again = Dispatcher(bare, post, threads=1)
    again.run()
    again.close()
    assert (len(teller.sent), states_of(bare)) == (1, [PushState.SENT])


def test_a_send_that_is_begun_in_time_ends_before_its_lease() -> None:
    # WeChat: a token, the message, a new token, the message again.
    assert 4 * Timeouts().overall_s < SendRules().send_s
    assert SendRules().lease_s >= 2 * SendRules().send_s


def test_told_to_stop_it_claims_nothing_more_and_settles_what_is_under_way(bare: House) -> None:
    door, stop = Door(), threading.Event()
    post = post_of(Teller(provider="gateway", says=door))
    add_pushes(bare, 5, post)
    with running_beside(Dispatcher(bare, post, threads=2), stop=stop) as said:
        assert door.reached.wait(PATIENCE_S)
        stop.set()
        door.open()
    assert said == [2]
    assert sorted(states_of(bare)) == [PushState.QUEUED] * 3 + [PushState.SENT] * 2


def test_the_loop_settles_what_is_under_way_before_the_process_ends(house: House) -> None:
    door = Door()
    house = replace(house, senders=(Teller(provider="gateway", says=door),))
    with write_session(house.engine) as session:
        posting = add_posting(session, now=house.clock.now())
        for each in add_people(session, 20, keys=house.keys, now=house.clock.now()):
            push_to(session, each, posting, post_of(Teller()), keys=house.keys, now=house.clock.now())
    loop = dispatch_loop(house)

    def on_stop() -> None:
        loop.on_stop()
        door.open()

    with started([replace(loop, on_stop=on_stop)], house):
        assert door.reached.wait(PATIENCE_S)
    assert PushState.SENDING not in states_of(house)
    assert states_of(house).count(PushState.SENT) == dispatch.THREADS


class Hold:
    """Somebody who keeps everybody else from the database, from `take` on until they let go."""

    def __init__(self, house: House) -> None:
        self._engine, self._lock = house.engine, threading.Lock()
        self._connection: Connection | None = None

    def take(self) -> None:
        with self._lock:
            if self._connection is None:
                self._connection = self._engine.connect()
                # On SQLite whoever has begun is the only one that writes.
                words = "LOCK TABLE pushes" if self._engine.dialect.name == "postgresql" else "SELECT 1"
                self._connection.execute(text(words))

    def let_go(self) -> None:
        assert self._connection is not None
        self._connection.close()


@pytest.fixture
def impatient(bare: House) -> Iterator[House]:
    """A house that waits for a lock only for a moment."""
    engine = scoped(open_engine(bare.engine.url, lock_timeout_ms=50), EVERYBODY, keys=bare.keys)
    yield replace(bare, engine=engine)
    engine.dispose()


def test_what_is_known_is_written_down_once_the_database_has_time(impatient: House) -> None:
    hold = Hold(impatient)

    def says(_: Message) -> Report:
        hold.take()
        return teller.report(Outcome.ACCEPTED)

    teller = Teller(says=says)
    post = post_of(teller)
    add_pushes(impatient, 4, post)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        hold.let_go()

    dispatcher = Dispatcher(impatient, post, threads=4, wait=wait)
    assert dispatcher.run() == 4
    dispatcher.close()
    assert (states_of(impatient), waited) == ([PushState.SENT] * 4, [1.0])


def test_when_nothing_can_be_claimed_what_is_under_way_is_settled(impatient: House) -> None:
    hold, door = Hold(impatient), Door(those=lambda message: message is not teller.sent[0])
    teller = Teller(provider="gateway", says=door)
    post = post_of(teller)
    add_pushes(impatient, 3, post)

    def told(settled: int) -> None:
        # Two were claimed; one is settled and the other on its way when the next is to be claimed.
        assert settled == 1
        hold.take()
        door.open()

    dispatcher = Dispatcher(impatient, post, threads=2, wait=lambda _: hold.let_go())
    with pytest.raises(Busy):
        dispatcher.run(told)
    dispatcher.close()
    assert sorted(states_of(impatient)) == [PushState.QUEUED, PushState.SENT, PushState.SENT]


def test_a_result_that_cannot_be_written_down_takes_no_other_with_it(
    bare: House, caplog: pytest.LogCaptureFixture
) -> None:
    def says(message: Message) -> Report:
        nonsense: Any = None if message is teller.sent[0] else ""
        return teller.report(Outcome.ACCEPTED, code=nonsense)

    teller = Teller(says=says)
    post = post_of(teller)
    add_pushes(bare, 4, post)
    dispatcher = Dispatcher(bare, post, threads=4)
    assert dispatcher.run() == 4
    dispatcher.close()
    assert sorted(states_of(bare)) == [PushState.SENDING] + [PushState.SENT] * 3
    assert "is not written down" in caplog.text


def test_a_sender_that_breaks_its_promise_leaves_its_message_uncertain(bare: House) -> None:
    def says(message: Message) -> Report:
        if message is teller.sent[0]:
            raise RuntimeError("13812345678")
        return teller.report(Outcome.ACCEPTED)

    teller = Teller(says=says)
    post = post_of(teller)
    add_pushes(bare, 3, post)
    dispatcher = Dispatcher(bare, post, threads=1)
    assert dispatcher.run() == 3
    dispatcher.close()
    assert states_of(bare) == [PushState.UNCERTAIN, PushState.SENT, PushState.SENT]


def test_a_provider_in_trouble_is_set_aside_for_a_minute() -> None:
    now = [0.0]
    board = Switchboard(lambda: now[0])
    for number in range(20):
        assert board.aside() == frozenset()
        outcome = Outcome.BUSY if number % 2 else Outcome.ACCEPTED
        board.note("slow", Report(outcome=outcome, provider="slow"), 0.1)
        board.note("good", Report(outcome=Outcome.ACCEPTED, provider="good"), 0.1)
    assert board.aside() == {"slow"}
    now[0] = 60.0
    assert board.aside() == frozenset()


def test_what_is_not_known_yet_of_messages_sets_nobody_aside(bare: House, clock: FixedClock) -> None:
    teller = Teller(knows=lambda _: Report(outcome=Outcome.UNCERTAIN, provider="teller", code="no_status_yet"))
    other = Teller(provider="other")
    post = post_of(teller, other)
    add_pushes(bare, 30, post)
    dispatcher = Dispatcher(bare, post, threads=1)
    assert dispatcher.run() == 30
    clock.advance(timedelta(minutes=30))
    assert dispatcher.run() == len(teller.asked) == 30
    add_pushes(bare, 1, post)
    assert dispatcher.run() == 1
    dispatcher.close()
    assert (len(teller.sent), other.sent) == (31, [])


def test_pushes_end_in_time_whatever_receipts_hold(bare: House, clock: FixedClock) -> None:
    add_pushes(bare, 2, post_of(Teller()))
    unreadable = {"provider": "teller", "digest": "0" * 64, "body": "nobody can open this"}
    with write_session(bare.engine) as session:
        session.add(Receipt(channel=Channel.SMS, received_at=clock.now(), **unreadable))
    clock.advance(timedelta(days=7, seconds=-1))
    push_expiry_loop(bare).step()
    assert states_of(bare) == [PushState.QUEUED] * 2
    clock.advance(timedelta(seconds=1))
    push_expiry_loop(bare).step()
    assert states_of(bare) == [PushState.EXPIRED] * 2
