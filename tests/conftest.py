"""What every test can ask for: a migrated database of either kind, a clock that stands still, keys, a browser.

A test that takes `database` or `session` runs twice, on SQLite and on PostgreSQL. Under CI=true the run fails when the
PostgreSQL half did not run or when anything was skipped.
"""

import gc
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import URL, Engine
from sqlalchemy.orm import Session

from app.domain.viewers import EVERYBODY
from app.kit.clock import FixedClock
from app.kit.database import open_engine, write_session
from app.kit.keys import KeyRing, new_key_ring
from app.kit.migrations import upgrade
from app.kit.row_contexts import row_keys
from app.store.row_keys import grant_to, store_row_keys
from app.store.scoping import scoped
from tests import postgres

BACKENDS = ("sqlite", "postgresql")
USED = (*BACKENDS, "chromium")
IN_CI = os.environ.get("CI", "").lower() in ("1", "true")

# Tests ask more often than people do, from one address and at one time; those of the limits come from elsewhere.
os.environ.setdefault("JIUJIN_UNLIMITED_NETWORKS", "10.0.0.0/8,127.0.0.0/8")

# A run keeps maps and markets in memory; looking through them for garbage again and again takes a fifth of its time.
gc.set_threshold(100_000, 20, 100)

_PASSED = pytest.StashKey[Counter[str]]()
_SKIPPED = pytest.StashKey[list[str]]()


# --- databases --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    """A PostgreSQL server's maintenance database; nothing of ours is in it."""
    with postgres.running_server() as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "jiujin.db"
    engine = open_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgres_roles(postgres_server: URL) -> Iterator[postgres.Roles]:
    """Who owns the tables on that server, and as whom the service connects."""
    with postgres.roles_on(postgres_server) as roles:
        yield roles


@pytest.fixture(scope="session")
def postgresql_template(postgres_server: URL, postgres_roles: postgres.Roles, key_ring: KeyRing) -> Iterator[str]:
    """The name of a migrated PostgreSQL database, to be copied; it knows the keys of this run."""
    name = f"jiujin_template_{uuid4().hex[:12]}"
    postgres.create_database(postgres_server, name, owner=postgres_roles.owner.username)
    engine = scoped(open_engine(postgres_roles.owner.set(database=name)), EVERYBODY, keys=key_ring)
    upgrade(engine)
    with write_session(engine) as session:
        grant_to(session, str(postgres_roles.service.username))
        store_row_keys(session, row_keys(key_ring))
    # PostgreSQL copies only a database that nobody is connected to.
    engine.dispose()
    yield name
    postgres.drop_database(postgres_server, name)


def open_copy(request: pytest.FixtureRequest, name: str, *, template: str) -> Engine:
    """An engine over a copy of a PostgreSQL template, which sees everybody's rows.

    Connected as the service's role; tests marked `owner` do as the server's superuser, whom nothing stops.
    """
    server: URL = request.getfixturevalue("postgres_server")
    roles: postgres.Roles = request.getfixturevalue("postgres_roles")
    postgres.create_database(server, name, template=template, owner=roles.owner.username)
    whose = server if request.node.get_closest_marker("owner") else roles.service
    return scoped(open_engine(whose.set(database=name)), EVERYBODY, keys=request.getfixturevalue("key_ring"))


@pytest.fixture
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Engine]]:
    """Makes databases without a table: `empty_database("sqlite")`, `empty_database("postgresql")`."""
    engines: list[Engine] = []
    names: list[str] = []

    def make(backend: str) -> Engine:
        if backend == "sqlite":
            url: str | URL = f"sqlite:///{tmp_path / f'empty-{len(engines)}.db'}"
        else:
            names.append(f"jiujin_empty_{uuid4().hex[:12]}")
            url = postgres.create_database(request.getfixturevalue("postgres_server"), names[-1])
        engines.append(open_engine(url))
        return engines[-1]

    yield make
    for engine in engines:
        engine.dispose()
    for name in names:
        postgres.drop_database(request.getfixturevalue("postgres_server"), name)


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
    """A freshly migrated SQLite database in a file."""
    path = tmp_path / "jiujin.db"
    shutil.copyfile(sqlite_template, path)
    engine = open_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture
def postgresql_database(
    request: pytest.FixtureRequest, postgres_server: URL, postgresql_template: str
) -> Iterator[Engine]:
    """A freshly migrated PostgreSQL database; as `open_copy` says."""
    name = f"jiujin_test_{uuid4().hex[:12]}"
    engine = open_copy(request, name, template=postgresql_template)
    yield engine
    engine.dispose()
    postgres.drop_database(postgres_server, name)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The name of each database in turn."""
    return str(request.param)


@pytest.fixture
def database(request: pytest.FixtureRequest, backend: str) -> Engine:
    """A freshly migrated database of each kind in turn."""
    engine: Engine = request.getfixturevalue(f"{backend}_database")
    return engine


@pytest.fixture
def session(database: Engine) -> Iterator[Session]:
    """A session that is rolled back when the test is over."""
    with Session(database, expire_on_commit=False) as session:
        yield session


# --- time and keys ----------------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> FixedClock:
    """Stands at ten in the morning of 1 December 2026 in Chongqing."""
    return FixedClock(datetime(2026, 12, 1, 2, 0, tzinfo=UTC))


@pytest.fixture(scope="session")
def key_ring() -> KeyRing:
    """Keys of this run."""
    return new_key_ring()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests (`pytest.mark.anyio`) run on asyncio, as the server does."""
    return "asyncio"


# --- browser ----------------------------------------------------------------------------------------------------------


SWITCHES = (
    "--no-sandbox",  # tests may run as root in a container, where the sandbox cannot
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers give /dev/shm 64 MB
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def chromium_path() -> str | None:
    """Where the machine's Chromium is."""
    return next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, without a window.

    For one module at a time: Playwright keeps an event loop running in this thread, in which no async test could start
    its own.
    """
    path = chromium_path()
    if path is None:
        reason = "no Chromium on this machine: install the package chromium"
        pytest.fail(reason) if IN_CI else pytest.skip(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(SWITCHES))
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a fresh, Chinese-speaking profile."""
    context = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai")
    yield context.new_page()
    context.close()


# --- the run ----------------------------------------------------------------------------------------------------------
#
# The tests run in several processes. Each marks its tests, and only the one that started the others counts.


def pytest_configure(config: pytest.Config) -> None:
    """Declare what the collection hook below marks, and count from nothing."""
    for marker in USED:
        config.addinivalue_line("markers", f"{marker}: set by itself on tests that use {marker}")
    config.addinivalue_line("markers", "owner: on PostgreSQL as superuser, for what the service's role must not do")
    config.stash[_PASSED] = Counter()
    config.stash[_SKIPPED] = []
    config.pluginmanager.register(_Counting(config))
    if not hasattr(config, "workerinput"):
        # Once, rather than in each worker at the same time.
        subprocess.run([sys.executable, "-m", "matching"], cwd=config.rootpath, check=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with what it uses."""
    for item in items:
        names: list[str] = getattr(item, "fixturenames", [])
        callspec = getattr(item, "callspec", None)
        used = {callspec.params["backend"]} if callspec and "backend" in callspec.params else set()
        used |= {backend for backend in BACKENDS if f"{backend}_database" in names}
        used |= {"chromium"} if "browser" in names else set()
        for marker in sorted(used):
            item.add_marker(marker)
            item.user_properties.append(("uses", marker))


class _Counting:
    """Counts what passed on which database, and what did not run, from the reports that arrive."""

    def __init__(self, config: pytest.Config) -> None:
        self._passed = config.stash[_PASSED]
        self._skipped = config.stash[_SKIPPED]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self._passed.update(str(value) for name, value in report.user_properties if name == "uses")
        if report.skipped:
            self._skipped.append(report.nodeid)


def shortcomings(config: pytest.Config) -> list[str]:
    """Why a run under CI does not count, although no test failed."""
    found = []
    if not config.stash[_PASSED]["postgresql"]:
        found.append("no test ran on PostgreSQL")
    if skipped := config.stash[_SKIPPED]:
        found.append(f"skipped: {', '.join(skipped)}")
    return found


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under CI a run that left something out has failed."""
    if IN_CI and session.exitstatus == pytest.ExitCode.OK and shortcomings(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many tests ran on which database."""
    passed = config.stash[_PASSED]
    terminalreporter.section("what ran")
    terminalreporter.line(
        f"on SQLite {passed['sqlite']} passed, on PostgreSQL {passed['postgresql']} passed, "
        f"in Chromium {passed['chromium']} passed (SQLite {sqlite3.sqlite_version})"
    )
    if IN_CI:
        for shortcoming in shortcomings(config):
            terminalreporter.line(f"FAILED: {shortcoming}", red=True)
