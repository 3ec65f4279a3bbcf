"""What is installed is what was tested: one set of pins, hashes for all, nothing that names where they come from."""

import re
import subprocess
import tomllib
import zipfile
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-bench.lock", "requirements-build.lock")
PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;\\]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def locked(lock: str) -> dict[str, str]:
    """Version by package."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    pins = {match["name"]: match["version"] for match in PIN.finditer(text)}
    assert len(pins) == len(PIN.findall(text)), f"{lock} holds a package twice"
    return pins


def names(requirements: list[str]) -> set[str]:
    """The packages that requirements ask for, in the spelling of the locks."""
    found = [re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in requirements]
    return {re.sub(r"[-_.]+", "-", match[0]).lower() for match in found if match}


def test_the_pins_are_those_of_the_locks(project: dict[str, Any]) -> None:
    pins = {f"{name}=={version}" for lock in LOCKS for name, version in locked(lock).items()}
    assert project["tool"]["uv"]["constraint-dependencies"] == sorted(pins)


@pytest.mark.parametrize(("one", "other"), list(combinations(LOCKS, 2)))
def test_two_locks_agree(one: str, other: str) -> None:
    shared = locked(one).keys() & locked(other).keys()
    assert {name: locked(one)[name] for name in shared} == {name: locked(other)[name] for name in shared}


def test_the_locks_hold_what_is_asked_for(project: dict[str, Any]) -> None:
    assert names(project["project"]["dependencies"]) <= set(locked("requirements.lock"))
    assert names(project["dependency-groups"]["dev"]) <= set(locked("requirements-dev.lock"))
    assert names(project["dependency-groups"]["bench"]) <= set(locked("requirements-bench.lock"))
    (extra,) = project["project"]["optional-dependencies"].values()
    assert names(extra) <= set(locked("requirements-dev.lock"))
    assert names(project["build-system"]["requires"]) <= set(locked("requirements-build.lock"))


def test_the_image_takes_nothing_that_is_not_locked() -> None:
    steps = re.findall(r"/bin/pip\" (install|wheel) (.+)", (ROOT / ".ci/image-steps").read_text(encoding="utf-8"))
    assert {verb for verb, _ in steps} == {"install", "wheel"}
    for verb, options in steps:
        if verb == "wheel":
            # In isolation pip fetches the newest build backend, unchecked.
            assert {"--no-deps", "--no-build-isolation"} <= set(options.split())
        elif options.endswith(".whl"):
            assert "--no-deps" in options
        else:
            assert re.fullmatch(r'--require-hashes -r "\$source/requirements(-build)?\.lock"', options)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_a_hash(lock: str) -> None:
    blocks = re.split(r"^(?=[a-z0-9])", (ROOT / lock).read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert [block for block in blocks if block.strip() and "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_address_no_folder_and_no_command(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    for trace in ("http:", "https:", "file:", "index-url", "find-links", "trusted-host", "#"):
        assert trace not in text


def test_the_wheel_carries_templates_static_files_data_and_migrations(tmp_path: Path) -> None:
    subprocess.run(["uv", "build", "--quiet", "--wheel", "--out-dir", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    carried = set(zipfile.ZipFile(wheel).namelist())
    present = {
        path.relative_to(ROOT).as_posix()
        for package in ("app", "ledger_check", "matching", "migrations", "seed")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"migrations/env.py", "migrations/script.py.mako", "app/kit/clock.py"} <= present
    assert present - carried == set()
    assert not [name for name in carried if name.startswith(("tests/", "bench/"))]
