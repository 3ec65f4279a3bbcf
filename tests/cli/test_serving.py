"""`jiujin up`, `serve` and `work` as processes: they serve, say where, and stop cleanly."""

import json
import queue
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from sqlalchemy import Engine

from app.cli.turns import filling
from app.domain.postings import PostingOrigin
from app.kit.database import open_engine, read_session
from app.usecases.postings import count_postings
from app.wiring import House
from tests.cli.conftest import Jiujin, Started, url_of
from tests.houses import add_posting

PATIENCE_S = 180  # for a process to say something: a bound for a hang, on a slow machine, and no expectation


class Listener:
    """Lines of a process's output, as they come."""

    def __init__(self, stream: IO[str]) -> None:
        self.lines: list[str] = []
        self._new: queue.Queue[str | None] = queue.Queue()
        self._thread = threading.Thread(target=self._follow, args=(stream,), daemon=True)
        self._thread.start()

    def _follow(self, stream: IO[str]) -> None:
        for line in stream:
            self._new.put(line.rstrip("\n"))
        self._new.put(None)

    def until(self, words: str) -> str:
        """The first further line that holds the words."""
        while (line := self._new.get(timeout=PATIENCE_S)) is not None:
            self.lines.append(line)
            if words in line:
                return line
        raise AssertionError(f"{words!r} was never said: {self.lines}")

    def rest(self) -> list[str]:
        """All lines, once the process has ended."""
        while (line := self._new.get(timeout=PATIENCE_S)) is not None:
            self.lines.append(line)
        return self.lines


class Process:
    """A started command with both its outputs."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.out, self.err = Listener(process.stdout), Listener(process.stderr)

    def event(self, name: str) -> dict[str, Any]:
        """The line of JSON that tells an event."""
        told: dict[str, Any] = json.loads(self.out.until(f'"event":"{name}"'))
        return told

    def stop(self, number: signal.Signals) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_S)


Begin = Callable[..., Process]


@pytest.fixture
def begin(start: Started) -> Begin:
    return lambda *arguments, **environment: Process(start(*arguments, **environment))


def numbers(url: str) -> dict[tuple[str, str], int]:
    engine = open_engine(url)
    with read_session(engine) as session:
        found = {(str(count.state), str(count.origin)): count.number for count in count_postings(session)}
    engine.dispose()
    return found


# Each database and each signal once: a process takes ten seconds to come up.
IN_TURN = pytest.mark.parametrize(
    ("backend", "number"), [("sqlite", signal.SIGTERM), ("postgresql", signal.SIGINT)], indirect=["backend"]
)
SMALL = ("--workers", "300", "--postings", "1500")


@IN_TURN
def test_serve_says_where_it_is_and_stops_cleanly(
    begin: Begin, house: House, free_port: int, tmp_path: Path, number: signal.Signals
) -> None:
    posting_id = add_posting(house)
    process = begin(
        "serve", "--port", str(free_port), "--data", str(tmp_path / "var"), "--json", DATABASE_URL=url_of(house.engine)
    )
    told = process.event("serving")
    assert told["url"] == f"http://127.0.0.1:{free_port}"
    with httpx.Client(base_url=told["url"]) as client:
        assert client.get("/health/ready").json()["status"] == "ready"
        assert client.get(f"/api/v1/postings/{posting_id}").status_code == 200
        assert client.get("/api/v1/occupations?q=geheim").status_code == 200
        head = client.head("/api/v1/areas")
        assert (head.status_code, head.content) == (200, b"")
        assert "server" not in head.headers
    assert process.stop(number) == 0
    lines = process.err.rest()
    assert any("已停止" in line for line in lines)
    assert any("GET /api/v1/occupations 200" in line for line in lines)
    assert not any("geheim" in line for line in lines)


def test_a_server_takes_in_what_others_write(begin: Begin, house: House, free_port: int, tmp_path: Path) -> None:
    process = begin(
        "serve", "--port", str(free_port), "--data", str(tmp_path / "var"), "--json", DATABASE_URL=url_of(house.engine)
    )
    url = process.event("serving")["url"]
    with httpx.Client(base_url=url) as client:
        assert client.get("/api/v1/postings").json()["total"] == 0
        add_posting(house, changed_at=datetime.now(UTC), valid_until=None)
        assert until(lambda: client.get("/api/v1/postings").json()["total"] == 1)


def until(is_so: Callable[[], bool]) -> bool:
    """Ask again until it is so; False when patience is over."""
    pause = threading.Event()
    for _ in range(PATIENCE_S * 5):
        if is_so():
            return True
        pause.wait(0.2)
    return False


def test_a_server_without_reference_data_waits_for_it(
    begin: Begin, jiujin: Jiujin, free_port: int, tmp_path: Path
) -> None:
    data = ["--data", str(tmp_path)]
    assert jiujin("db", "upgrade", *data).code == 0
    process = begin("serve", "--port", str(free_port), *data, "--json")
    assert "jiujin seed reference" in process.err.until("参考数据")
    url = process.event("serving")["url"]
    with httpx.Client(base_url=url) as client:
        assert client.get("/health/live").status_code == 200
        assert client.get("/health/ready").json()["loaded"] is False
        assert client.get("/api/v1/occupations?q=x").json()["code"] == "not_ready"
        assert jiujin("seed", "reference", *data).code == 0
        assert until(lambda: client.get("/health/ready").status_code == 200)
    assert process.stop(signal.SIGTERM) == 0


def test_work_runs_the_loops_and_nothing_else(begin: Begin, house: House, tmp_path: Path) -> None:
    posting_id = add_posting(house, valid_until=house.clock.today().replace(year=2020))
    process = begin("work", "--data", str(tmp_path / "var"), "--json", DATABASE_URL=url_of(house.engine))
    loops = ["expiry", "forgetting", "sealing", "sequencing", "audit_sealing", "dispatch", "receipts"]
    loops += ["push_expiry", "plan"]
    assert process.event("working")["loops"] == loops
    assert until(lambda: numbers(url_of(house.engine)) == {("closed", "generated"): 1}), posting_id
    assert process.stop(signal.SIGTERM) == 0


def test_two_who_start_at_once_load_once_and_a_third_adds_nothing(begin: Begin, tmp_path: Path) -> None:
    # What a newcomer gets, 20,000 postings, comes up in `.ci/smoke`.
    both = [begin("up", "--port", str(free()), *SMALL, "--data", str(tmp_path), "--json") for _ in range(2)]
    for process in both:
        told = process.event("serving")
        assert told["data"] == str(tmp_path.resolve())
        with httpx.Client(base_url=told["url"]) as client:
            assert client.get("/health/ready").status_code == 200
            wish = {"age": 58, "home": {"township": "500237102"}, "wants": ["保洁", "看大门"]}
            assert len(client.post("/api/v1/match", json=wish).json()["matches"]) == 10
            assert "就近" in client.get("/").text
            metrics = client.get("/metrics").text
        loops = ("refresh", "expiry", "forgetting", "sealing", "sequencing")
        assert all(f'jiujin_loop_runs_total{{loop="{name}"}}' in metrics for name in loops)
    assert [process.stop(signal.SIGTERM) for process in both] == [0, 0]
    assert sum("等它完成" in line for process in both for line in process.err.rest()) == 1
    loaded = numbers(f"sqlite:///{tmp_path / 'jiujin.db'}")
    assert loaded["historical", "imported"] > 1_000
    assert loaded["open", "generated"] > 1_000

    third = begin("up", "--port", str(free()), "--data", str(tmp_path), "--json")
    third.event("serving")
    assert third.stop(signal.SIGTERM) == 0
    assert sum(numbers(f"sqlite:///{tmp_path / 'jiujin.db'}").values()) == sum(loaded.values())
    engine = open_engine(f"sqlite:///{tmp_path / 'jiujin.db'}")
    with engine.connect() as connection:
        acts = connection.exec_driver_sql("SELECT action FROM audit_entries").scalars().all()
    engine.dispose()
    assert sorted(acts) == ["import_postings", "load_demo", "load_reference"]


@IN_TURN
def test_who_waits_for_another_s_loading_can_be_stopped(
    begin: Begin, database: Engine, free_port: int, tmp_path: Path, number: signal.Signals
) -> None:
    with filling(database, on_wait=lambda: None):
        process = begin(
            "up", "--port", str(free_port), "--data", str(tmp_path / "var"), "--json", DATABASE_URL=url_of(database)
        )
        process.err.until("等它完成")
        assert process.stop(number) == 1
    assert json.loads(process.out.rest()[-1])["error"]["code"] == "interrupted"
    with read_session(database) as session:
        assert count_postings(session) == []


def free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_what_the_office_has_entered_gets_no_demo_beside_it(
    begin: Begin, house: House, free_port: int, tmp_path: Path
) -> None:
    add_posting(house, origin=PostingOrigin.ENTERED)
    process = begin(
        "up", "--port", str(free_port), "--data", str(tmp_path / "var"), "--json", DATABASE_URL=url_of(house.engine)
    )
    process.event("serving")
    assert process.stop(signal.SIGTERM) == 0
    assert sum(numbers(url_of(house.engine)).values()) == 1


@pytest.mark.parametrize("command", ["up", "serve"])
def test_a_port_in_use_is_told_before_anything_is_loaded(jiujin: Jiujin, tmp_path: Path, command: str) -> None:
    jiujin("db", "upgrade", "--data", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = jiujin(command, "--port", str(port), "--data", str(tmp_path), "--json")
    assert (said.code, said.json()["error"]["code"]) == (1, "port_in_use")
    assert str(port) in said.json()["error"]["message"]
    assert numbers(f"sqlite:///{tmp_path / 'jiujin.db'}") == {}


@pytest.mark.parametrize("host", ["203.0.113.1", "no.such.host.invalid", "500.0.0.1"])
def test_a_host_that_is_not_ours_is_told(jiujin: Jiujin, tmp_path: Path, host: str) -> None:
    jiujin("db", "upgrade", "--data", str(tmp_path))
    said = jiujin("serve", "--host", host, "--data", str(tmp_path), "--json")
    assert (said.code, said.json()["error"]["code"]) == (1, "bad_host")
