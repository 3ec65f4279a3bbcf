"""Senders are killed at any moment: nothing is lost, nothing is sent twice, nothing is counted twice."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from app.kit.keys import new_key_ring

# Those who are killed bring keys of their own, which only the database's owner could tell it.
pytestmark = pytest.mark.owner

SIZE = int(os.environ.get("JIUJIN_KILLS", "8"))
"""How many kills; a hundred pushes for each. What is shown once is shown with 200."""


def run(database: Engine, folder: Path, *more: str, kills: int) -> dict[str, Any]:
    keys = folder / "keys.json"
    keys.touch(mode=0o600)
    keys.write_text(new_key_ring().to_json(), encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.background.killing", "--folder", str(folder), "--kills", str(kills),
            "--database", database.url.render_as_string(hide_password=False), "--pushes", str(100 * kills), *more,
        ],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_killed_at_any_moment_everybody_gets_it_once_and_it_counts_once(database: Engine, tmp_path: Path) -> None:
    found = run(database, tmp_path, kills=SIZE)
    assert found["kills"] == SIZE
    assert found["were_uncertain"] > 0
    assert found["providers"] == ["first", "second"]
    nothing = {"lost": 0, "sent_twice": 0, "counted_twice": 0, "stuck": 0}
    assert {name: found[name] for name in nothing} == nothing
    assert found["counted"] == found["pushes"]
    assert found["states"] == {"delivered": found["pushes"]}


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_who_marks_before_sending_loses_some(database: Engine, tmp_path: Path) -> None:
    found = run(database, tmp_path, "--naive", kills=10)
    assert found["lost"] > 0
