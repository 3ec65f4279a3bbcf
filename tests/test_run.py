"""The rules of a run, as conftest.py keeps them: both databases, nothing skipped under CI, a browser that works."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

ROOT = Path(__file__).parents[1]
ON_BOTH = "def test_both(database): assert database.dialect.name"
ON_SQLITE = "def test_one(sqlite_database): assert sqlite_database"
SKIPPED = "import pytest\n@pytest.mark.skip(reason='some')\ndef test_skipped(): ..."
XFAIL = "import pytest\n@pytest.mark.xfail(reason='some')\ndef test_expected_to_fail(): assert False"


def run(tmp_path: Path, *bodies: str, ci: bool) -> "subprocess.CompletedProcess[str]":
    """A run of its own under our conftest.py."""
    (tmp_path / "test_it.py").write_text("\n\n".join(bodies), encoding="utf-8")
    options = ["-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest", "-q"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, tmp_path / "test_it.py"],
        cwd=ROOT,
        env={**os.environ, "CI": "true" if ci else ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_whole_run_passes_and_counts_both_databases(tmp_path: Path) -> None:
    result = run(tmp_path, ON_BOTH, ON_SQLITE, ci=True)
    assert result.returncode == 0, result.stdout
    assert "on SQLite 2 passed, on PostgreSQL 1 passed" in result.stdout


def test_under_ci_a_run_without_postgresql_has_failed(tmp_path: Path) -> None:
    result = run(tmp_path, ON_SQLITE, ci=True)
    assert result.returncode == 1
    assert "no test ran on PostgreSQL" in result.stdout
    assert run(tmp_path, ON_SQLITE, ci=False).returncode == 0


@pytest.mark.parametrize("left_out", [SKIPPED, XFAIL])
def test_under_ci_a_run_that_left_something_out_has_failed(tmp_path: Path, left_out: str) -> None:
    result = run(tmp_path, ON_BOTH, left_out, ci=True)
    assert result.returncode == 1
    assert "skipped: " in result.stdout


def test_a_session_is_rolled_back(session: Session) -> None:
    session.execute(text("CREATE TABLE left_behind (id INTEGER)"))


def test_each_test_has_a_database_of_its_own(database: Engine) -> None:
    with database.begin() as connection:
        assert not database.dialect.has_table(connection, "left_behind")
        # Fails if another test's table of this name were here.
        connection.execute(text("CREATE TABLE mine (id INTEGER)"))


def test_each_test_has_a_database_of_its_own_again(database: Engine) -> None:
    test_each_test_has_a_database_of_its_own(database)


def test_the_browser_speaks_chinese_and_lives_in_china(page: Page) -> None:
    page.set_content("<title>就近</title><p id=out></p>")
    assert page.title() == "就近"
    assert page.evaluate("[navigator.language, Intl.DateTimeFormat().resolvedOptions().timeZone]") == [
        "zh-CN",
        "Asia/Shanghai",
    ]
