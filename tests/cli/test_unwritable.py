"""Where nothing can be written, one line says what and what to do, to people and to programs.

Nothing here leans on the modes of files, which do not bind root.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.kit.database import open_engine
from app.kit.keys import KeyRing
from app.kit.migrations import upgrade
from tests.cli.conftest import Jiujin

COMMANDS = ("up", "serve", "work", "doctor", "db upgrade", "match --near 500237102 --wants 保洁 --age 58")


def is_a_file(path: Path) -> Path:
    path.write_text("")
    return path


def below_a_file(path: Path) -> Path:
    path.write_text("")
    return path / "var"


def leads_nowhere(path: Path) -> Path:
    path.symlink_to(path.with_name("gone") / "further")
    return path


def takes_no_file(_: Path) -> Path:
    # Not even root makes a file there.
    return Path("/proc")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("make", [is_a_file, below_a_file, leads_nowhere, takes_no_file])
def test_a_folder_that_cannot_be_written_is_named(
    jiujin: Jiujin, tmp_path: Path, command: str, make: Callable[[Path], Path]
) -> None:
    folder = make(tmp_path / "var")
    said = jiujin(*command.split(), "--data", str(folder))
    assert (said.code, said.out) == (1, "")
    assert str(folder) in said.err
    assert "--data" in said.err
    assert said.err.count("\n") == 1
    told = jiujin(*command.split(), "--data", str(folder), "--json")
    assert (told.code, told.err) == (1, "")
    assert told.json()["error"] == {"code": "not_writable", "message": said.err.strip()}


@pytest.fixture
def keys_at_hand(monkeypatch: pytest.MonkeyPatch, key_ring: KeyRing, free_port: int) -> None:
    """A key ring that need not be written, and a port to listen at."""
    monkeypatch.setenv("JIUJIN_PORT", str(free_port))
    monkeypatch.setenv("JIUJIN_KEYS", key_ring.to_json())


@pytest.mark.usefixtures("keys_at_hand")
@pytest.mark.parametrize("command", ["up", "db upgrade", "seed reference", "serve"])
@pytest.mark.parametrize("folder", ["taken", "/proc"])
def test_a_database_that_cannot_be_made_is_named(jiujin: Jiujin, tmp_path: Path, command: str, folder: str) -> None:
    data = tmp_path / folder
    if folder == "taken":
        (data / "jiujin.db").mkdir(parents=True)
    said = jiujin(*command.split(), "--data", str(data))
    assert (said.code, said.out) == (1, "")
    assert f"数据库文件 {data / 'jiujin.db'} 写不了" in said.err
    assert said.err.count("\n") == 1
    told = jiujin(*command.split(), "--data", str(data), "--json")
    assert (told.code, told.err) == (1, "")
    assert told.json()["error"] == {"code": "not_writable", "message": said.err.strip()}


@pytest.mark.usefixtures("keys_at_hand")
def test_a_database_that_can_only_be_read_is_told_by_whoever_would_write(
    jiujin: Jiujin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "read.db"
    engine = open_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///file:{path}?mode=ro&uri=true")
    told = jiujin("seed", "reference", "--data", str(tmp_path), "--json")
    # The bar that shows progress is taken away again.
    assert (told.code, told.err.strip()) == (1, "")
    assert told.json()["error"]["code"] == "not_writable"
    seen = jiujin("doctor", "--data", str(tmp_path), "--json")
    assert (seen.code, seen.err) == (1, "")
    found = {finding["name"]: finding for finding in seen.json()["findings"]}
    assert not found["数据库"]["ok"]
    assert "写不了（只能读）" in found["数据库"]["told"]


def test_the_doctor_leaves_nothing_in_the_database(jiujin: Jiujin, tmp_path: Path) -> None:
    assert jiujin("db", "upgrade", "--data", str(tmp_path)).code == 0
    jiujin("doctor", "--data", str(tmp_path))
    jiujin("doctor", "--data", str(tmp_path))
    assert jiujin("db", "check", "--data", str(tmp_path), "--json").json()["ok"]


# A process whose files may not grow beyond a size fails as on a disk that is full.
_SMALL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
from app.cli import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize(("room", "what"), [(0, "密钥文件"), (8_192, "数据库文件")])
def test_a_disk_without_room_is_told(tmp_path: Path, free_port: int, room: int, what: str) -> None:
    command = ["up", "--data", str(tmp_path / "var"), "--port", str(free_port), "--json"]
    answer = subprocess.run(
        [sys.executable, "-c", _SMALL_DISK, str(room), *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert answer.returncode == 1, answer.stderr
    told = json.loads(answer.stdout)["error"]
    assert (told["code"], answer.stderr) == ("not_writable", "")
    assert told["message"].startswith(what)
