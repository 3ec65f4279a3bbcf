"""Running steps again and again until told to stop.

A loop runs in a thread of its own, because its step talks to the database and would hold up the server's event loop.
It waits on the stop event, so stopping never waits for a rhythm.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.kit.errors import Busy
from app.wiring import House, Pulse

_LOG = logging.getLogger("jiujin.background")

LONGEST_PAUSE_S = 60.0
_LEAVE_S = 10.0


class Stop(Protocol):
    """What a loop waits on; `threading.Event` is one."""

    def wait(self, timeout: float) -> bool:
        """Wait so many seconds, or less if told to stop; whether it was told."""
        ...


@dataclass(frozen=True, slots=True)
class Loop:
    """A step and its rhythm: `every_s` seconds between the end of one run and the beginning of the next.

    `on_stop` tells a step that takes long to come to its end, for which it is given `leave_s` seconds.
    """

    name: str
    every_s: float
    step: Callable[[], object]
    on_stop: Callable[[], object] = lambda: None
    leave_s: float = _LEAVE_S


def run(loop: Loop, stop: Stop, *, pulse: Pulse, now: Callable[[], datetime]) -> None:
    """Run a loop's step until told to stop, the first time at once.

    After a failure it waits twice as long each time, up to a minute, and returns to its rhythm with the first success.
    """
    failures = 0
    while True:
        pulse.runs += 1
        try:
            loop.step()
        except Exception as error:  # noqa: BLE001  whatever it is, the loop must go on
            failures += 1
            pulse.failures += 1
            _tell(loop, error, failures)
        else:
            failures = 0
            pulse.succeeded_at = now()
        if stop.wait(min(loop.every_s * 2**failures, max(LONGEST_PAUSE_S, loop.every_s))):
            return


def _tell(loop: Loop, error: Exception, failures: int) -> None:
    # The traceback once, then a line each time: a database that is away for an hour must not fill the disk.
    if failures == 1 and not isinstance(error, Busy):
        _LOG.error("%s failed", loop.name, exc_info=error)
    else:
        _LOG.warning("%s failed %d times in a row: %s", loop.name, failures, type(error).__name__)


@contextmanager
def started(loops: Sequence[Loop], house: House) -> Iterator[None]:
    """Each loop in its thread; at the end all are told to stop and waited for."""
    stop = threading.Event()
    threads = [
        threading.Thread(
            target=run,
            args=(loop, stop),
            kwargs={"pulse": house.pulses.of(loop.name), "now": house.clock.now},
            name=f"loop-{loop.name}",
            # A step that hangs must not keep the process from ending; its transaction is then rolled back.
            daemon=True,
        )
        for loop in loops
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for loop in loops:
            loop.on_stop()
        for loop, thread in zip(loops, threads, strict=True):
            thread.join(loop.leave_s)


@asynccontextmanager
async def running(loops: Sequence[Loop], house: House) -> AsyncIterator[None]:
    """As `started`, for an event loop: waiting for the end does not hold it up."""
    beside = started(loops, house)
    beside.__enter__()
    try:
        yield
    finally:
        await asyncio.to_thread(beside.__exit__, None, None, None)
