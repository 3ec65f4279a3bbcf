"""The command, called in this process or as a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url

from app.cli import main
from app.wiring import House
from tests import houses
from tests.houses import furnished, house, postgresql_reference, sqlite_reference

__all__ = ["furnished", "house", "postgresql_reference", "sqlite_reference"]


LONG_AGO = datetime(2026, 1, 5, tzinfo=UTC)


def add_posting(house: House, **given: Any) -> int:
    """An open posting of long ago: the commands ask the real clock, which may be behind that of the other tests."""
    return houses.add_posting(house, **{"posted_at": LONG_AGO, **given})


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


Jiujin = Callable[..., Said]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Commands bring key rings of their own, and tell the database of them; only an owner can."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.owner)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of whoever runs the tests."""
    for variable in [name for name in os.environ if name.startswith("JIUJIN_") or name == "DATABASE_URL"]:
        monkeypatch.delenv(variable)


@pytest.fixture
def jiujin(capsys: pytest.CaptureFixture[str]) -> Jiujin:
    """Call the command in this process: `jiujin("db", "check", "--json")`."""

    def call(*arguments: str) -> Said:
        capsys.readouterr()
        code = main(list(arguments))
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return call


def url_of(engine: Engine) -> str:
    """An engine's address, with its password."""
    return make_url(engine.url).render_as_string(hide_password=False)


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> Iterator[None]:
    """Processes that are started here hear Ctrl+C, also when the tests run in the background of a script."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


Started = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Started]:
    """Start the command as a process; what still runs at the end is killed."""
    processes: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "app", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
            cwd=Path(__file__).parents[2],
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()
