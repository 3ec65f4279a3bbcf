"""Loops keep their rhythm, survive their steps, and end when told to."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.background.loops import LONGEST_PAUSE_S, Loop, run, running, started
from app.kit.clock import FixedClock
from app.kit.database import open_engine
from app.kit.errors import Busy
from app.kit.keys import KeyRing
from app.settings import Settings
from app.wiring import House, Pulse


class Script:
    """A stop event that counts pauses instead of waiting, and says stop after so many."""

    def __init__(self, pauses: int) -> None:
        self.left = pauses
        self.waited: list[float] = []

    def wait(self, timeout: float) -> bool:
        self.waited.append(timeout)
        self.left -= 1
        return self.left <= 0


def failing(outcomes: str) -> Loop:
    """A loop whose step does well at `.` and fails at `x`."""
    left: Iterator[str] = iter(outcomes)

    def step() -> None:
        if next(left) == "x":
            raise RuntimeError("13812345678")

    return Loop("tried", 2.0, step)


@pytest.fixture
def house(tmp_path: Path, clock: FixedClock, key_ring: KeyRing) -> House:
    return House(settings=Settings(data=tmp_path), engine=open_engine("sqlite://"), keys=key_ring, clock=clock)


def test_a_loop_runs_at_once_and_then_in_its_rhythm(clock: FixedClock) -> None:
    stop, pulse = Script(3), Pulse()
    run(failing("..."), stop, pulse=pulse, now=clock.now)
    assert stop.waited == [2.0, 2.0, 2.0]
    assert (pulse.runs, pulse.failures, pulse.succeeded_at) == (3, 0, clock.now())


def test_after_failures_it_waits_longer_and_returns_to_its_rhythm(clock: FixedClock) -> None:
    stop, pulse = Script(9), Pulse()
    run(failing("xxxxxxx.x"), stop, pulse=pulse, now=clock.now)
    assert stop.waited == [4, 8, 16, 32, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S, 2, 4]
    assert (pulse.runs, pulse.failures) == (9, 8)


def test_a_slow_rhythm_is_never_hurried_by_failures(clock: FixedClock) -> None:
    stop = Script(2)
    loop = Loop("slow", 3_600.0, failing("xx").step)
    run(loop, stop, pulse=Pulse(), now=clock.now)
    assert stop.waited == [3_600, 3_600]


def test_the_first_failure_is_told_whole_the_next_in_a_line(
    clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    run(failing("xx.x"), Script(4), pulse=Pulse(), now=clock.now)
    assert [bool(record.exc_info) for record in caplog.records] == [True, False, True]
    assert all("13812345678" not in record.getMessage() for record in caplog.records)


def test_being_busy_is_no_traceback(clock: FixedClock, caplog: pytest.LogCaptureFixture) -> None:
    def step() -> None:
        raise Busy(retry_after_s=1)

    run(Loop("busy", 2.0, step), Script(1), pulse=Pulse(), now=clock.now)
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("WARNING", None)]


def test_loops_run_side_by_side_and_end_together(house: House) -> None:
    meeting = threading.Barrier(3)
    loops = [Loop(name, 3_600.0, lambda: meeting.wait(timeout=10)) for name in ("one", "two")]
    before = threading.active_count()
    with started(loops, house):
        meeting.wait(timeout=10)
    assert threading.active_count() == before
    assert {name: pulse.failures for name, pulse in house.pulses.snapshot().items()} == {"one": 0, "two": 0}


def test_a_step_that_takes_long_is_told_to_come_to_its_end(house: House) -> None:
    begun, told = threading.Event(), threading.Event()

    def step() -> None:
        begun.set()
        assert told.wait(timeout=60)

    with started([Loop("long", 3_600.0, step, on_stop=told.set, leave_s=60)], house):
        assert begun.wait(timeout=10)
    assert (house.pulses.of("long").runs, house.pulses.of("long").failures) == (1, 0)
    assert house.pulses.of("long").succeeded_at is not None


def test_loops_end_also_when_the_block_raises(house: House) -> None:
    before = threading.active_count()
    with pytest.raises(ValueError, match="broken"), started([Loop("one", 3_600.0, lambda: None)], house):
        raise ValueError("broken")
    assert threading.active_count() == before


@pytest.mark.anyio
async def test_beside_a_server_they_begin_and_end_with_it(house: House) -> None:
    begun = threading.Event()
    before = threading.active_count()
    async with running([Loop("one", 3_600.0, begun.set)], house):
        assert begun.wait(timeout=10)
    # asyncio keeps the thread in which it waited for the end.
    assert [thread for thread in threading.enumerate() if thread.name.startswith("loop-")] == []
    assert threading.active_count() <= before + 1
