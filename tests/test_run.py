"""The rules of a run, as conftest.py keeps them: both databases, nothing skipped under CI, a browser that works."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page
from sqlalchemy import URL, Engine, text
from sqlalchemy.orm import Session

ROOT = Path(__file__).parents[1]
ON_BOTH = "def test_both(database): assert database.dialect.name"
ON_SQLITE = "def test_one(sqlite_database): assert sqlite_database"
SKIPPED = "import pytest\n@pytest.mark.skip(reason='some')\ndef test_skipped(): ..."
XFAIL = "import pytest\n@pytest.mark.xfail(reason='some')\ndef test_expected_to_fail(): assert False"


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path, postgres_server: URL) -> Run:
    """A run of its own under our conftest.py, on the PostgreSQL server of this one: `run(ON_BOTH, ci=True)`."""

    def start(*bodies: str, ci: bool, processes: int = 0) -> "subprocess.CompletedProcess[str]":
        (tmp_path / "test_it.py").write_text("\n\n".join(bodies), encoding="utf-8")
        options = ["-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest", "-q", "-n", str(processes)]
        server = postgres_server.render_as_string(hide_password=False)
        # What tells a worker of the outer run that it is one.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        return subprocess.run(
            [sys.executable, "-m", "pytest", *options, tmp_path / "test_it.py"],
            cwd=ROOT,
            env={**environment, "CI": "true" if ci else "", "TEST_DATABASE_URL": server},
            capture_output=True,
            text=True,
            check=False,
        )

    return start


@pytest.mark.parametrize("processes", [0, 2])
def test_a_whole_run_passes_and_counts_both_databases(run: Run, processes: int) -> None:
    result = run(ON_BOTH, ON_SQLITE, ci=True, processes=processes)
    assert result.returncode == 0, result.stdout
    assert "on SQLite 2 passed, on PostgreSQL 1 passed" in result.stdout


def test_under_ci_a_run_without_postgresql_has_failed(run: Run) -> None:
    result = run(ON_SQLITE, ci=True)
    assert result.returncode == 1
    assert "no test ran on PostgreSQL" in result.stdout
    assert run(ON_SQLITE, ci=False).returncode == 0


@pytest.mark.parametrize(("left_out", "processes"), [(SKIPPED, 2), (XFAIL, 0)])
def test_under_ci_a_run_that_left_something_out_has_failed(run: Run, left_out: str, processes: int) -> None:
    result = run(ON_BOTH, left_out, ci=True, processes=processes)
    assert result.returncode == 1
    assert "skipped: " in result.stdout


@pytest.mark.owner
def test_a_session_is_rolled_back(session: Session) -> None:
    session.execute(text("CREATE TABLE left_behind (id INTEGER)"))


@pytest.mark.owner
def test_each_test_has_a_database_of_its_own(database: Engine) -> None:
    with database.begin() as connection:
        assert not database.dialect.has_table(connection, "left_behind")
        # Fails if another test's table of this name were here.
        connection.execute(text("CREATE TABLE mine (id INTEGER)"))


@pytest.mark.owner
def test_each_test_has_a_database_of_its_own_again(database: Engine) -> None:
    test_each_test_has_a_database_of_its_own(database)


def test_the_browser_speaks_chinese_and_lives_in_china(page: Page) -> None:
    page.set_content("<title>就近</title><p id=out></p>")
    assert page.title() == "就近"
    assert page.evaluate("[navigator.language, Intl.DateTimeFormat().resolvedOptions().timeZone]") == [
        "zh-CN",
        "Asia/Shanghai",
    ]
