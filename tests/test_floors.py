"""The floors and gates in pyproject.toml hold: each forbidden import is told, in a small house of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
FLOORS = ["web", "api", "background", "exchange", "usecases", "store", "channels", "domain", "kit"]
ROOMS = [
    "app.main",
    "app.cli",
    "app.__main__",
    "app.wiring",
    "app.settings",
    "app.usecases.matchmaking",
    "app.usecases.workers",
    "app.store.tables",
    "app.store.workers",
    "app.store.identities",
    "app.store.ledger",
    "app.domain.workers",
    "app.kit.clock",
    "app.kit.database",
    "ledger_check.books",
    "matching.index",
    "matching.scores",
    "migrations.env",
    "seed.reference",
    "seed.demo",
    *(f"app.{floor}.areas" for floor in FLOORS),
]
ALLOWED = [
    ("app.__main__", "app.cli"),
    ("app.main", "fastapi"),
    ("app.api.areas", "fastapi"),
    ("app.web.areas", "starlette"),
    ("app.web.areas", "app.usecases.areas"),
    ("app.wiring", "app.settings"),
    ("app.wiring", "app.channels.areas"),
    ("app.usecases.workers", "app.store.identities"),
    ("app.usecases.workers", "app.store.ledger"),
    ("app.usecases.matchmaking", "matching.index"),
    ("app.store.tables", "app.store.identities"),
    ("app.store.areas", "app.domain.areas"),
    ("app.domain.areas", "app.kit.clock"),
    ("app.kit.database", "sqlalchemy"),
    ("app.cli", "ledger_check.books"),
    ("ledger_check.books", "cryptography"),
    ("matching.index", "matching.scores"),
    ("matching.index", "numpy"),
    ("migrations.env", "app.store.tables"),
    ("seed.reference", "app.store.areas"),
    ("seed.demo", "app.store.identities"),
]
FORBIDDEN = [
    ("app.kit.clock", "app.domain.areas"),
    ("app.domain.areas", "app.store.areas"),
    ("app.store.areas", "app.usecases.areas"),
    ("app.store.areas", "app.channels.areas"),
    ("app.usecases.areas", "app.exchange.areas"),
    ("app.usecases.areas", "app.wiring"),
    ("app.web.areas", "app.api.areas"),
    ("app.api.areas", "app.background.areas"),
    ("app.cli", "seed.reference"),
    ("app.usecases.areas", "matching.index"),
    ("app.wiring", "matching.index"),
    ("seed.reference", "matching.index"),
    ("ledger_check.books", "app.domain.areas"),
    ("ledger_check.books", "matching.index"),
    ("ledger_check.books", "orjson"),
    ("ledger_check.books", "seed.reference"),
    ("matching.index", "app.domain.areas"),
    ("matching.index", "pickle"),
    ("matching.index", "sqlalchemy"),
    ("matching.index", "urllib.request"),
    ("app.domain.areas", "sqlalchemy"),
    ("app.domain.areas", "app.kit.database"),
    ("app.main", "app.settings"),
    ("app.cli", "app.settings"),
    ("app.kit.clock", "app.settings"),
    ("app.usecases.areas", "app.channels.areas"),
    ("app.background.areas", "app.channels"),
    ("app.web.areas", "app.store.areas"),
    ("app.api.areas", "app.store.areas"),
    ("app.exchange.areas", "app.store.areas"),
    ("app.cli", "app.store.areas"),
    ("app.store.workers", "app.store.identities"),
    ("app.store.workers", "app.store.ledger"),
    ("seed.reference", "app.store.identities"),
    ("app.usecases.areas", "fastapi"),
    ("app.wiring", "fastapi"),
    ("app.background.areas", "starlette"),
    ("app.domain.workers", "app.domain.areas"),  # which imports it in turn, see the house
]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Every floor with a few rooms, all imports of ALLOWED, and the contracts of the repository."""
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    for room in ROOMS:
        path = tmp_path.joinpath(*room.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.touch()
    for importer, imported in [*ALLOWED, ("app.domain.areas", "app.domain.workers")]:
        add_import(tmp_path, importer, imported)
    return tmp_path


def add_import(house: Path, importer: str, imported: str) -> None:
    with house.joinpath(*importer.split(".")).with_suffix(".py").open("a", encoding="utf-8") as module:
        module.write(f"import {imported}\n")


def lint(house: Path) -> "subprocess.CompletedProcess[str]":
    command = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([command, "--no-cache"], cwd=house, capture_output=True, text=True, check=False)


def test_what_the_floors_allow_passes(house: Path) -> None:
    result = lint(house)
    assert result.returncode == 0, result.stdout
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(("importer", "imported"), FORBIDDEN)
def test_a_forbidden_import_is_told(house: Path, importer: str, imported: str) -> None:
    add_import(house, importer, imported)
    result = lint(house)
    assert result.returncode == 1, result.stdout
    assert "BROKEN" in result.stdout, result.stdout


def test_a_folder_without_a_floor_is_told(house: Path) -> None:
    (house / "app" / "services").mkdir()
    (house / "app" / "services" / "__init__.py").touch()
    result = lint(house)
    assert result.returncode == 1
    assert "services" in result.stdout
