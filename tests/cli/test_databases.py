"""`jiujin db`, `seed` and `doctor`: idempotent, clear about what to do, and nothing said that is secret."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from app.cli.turns import filling
from app.domain.identities import id_check
from app.kit.database import read_session
from app.kit.keys import new_key_ring, save_key_ring
from app.kit.migrations import head_revision
from app.store.key_checks import list_key_checks
from app.store.tables import METADATA
from app.usecases.postings import count_postings
from app.wiring import House, is_reference_loaded
from tests.cli.conftest import Jiujin, url_of
from tests.exchange.books import Cells, write_csv
from tests.houses import add_posting


@pytest.fixture
def at_empty(
    empty_database: Callable[[str], Engine], backend: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> list[str]:
    """Options for a command, and an empty database of each kind in turn behind DATABASE_URL."""
    monkeypatch.setenv("DATABASE_URL", url_of(empty_database(backend)))
    return ["--data", str(tmp_path / "var"), "--json"]


@pytest.fixture
def at_furnished(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The same for a database with the reference data."""
    monkeypatch.setenv("DATABASE_URL", url_of(house.engine))
    return ["--data", str(tmp_path / "var"), "--json"]


def test_an_empty_database_is_upgraded_once(jiujin: Jiujin, at_empty: list[str]) -> None:
    head = head_revision()
    checked = jiujin("db", "check", *at_empty)
    assert checked.code == 1
    assert checked.json()["error"]["code"] == "db_outdated"
    assert "jiujin db upgrade" in checked.json()["error"]["message"]
    assert jiujin("db", "upgrade", *at_empty).json() == {"from": None, "to": head}
    assert jiujin("db", "upgrade", *at_empty).json() == {"from": head, "to": head}
    assert jiujin("db", "check", *at_empty).json() == {"current": head, "head": head, "drift": [], "ok": True}


def test_a_table_that_is_not_the_code_s_is_told(jiujin: Jiujin, house: House, at_furnished: list[str]) -> None:
    with house.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE employers ADD COLUMN nickname VARCHAR(10)")
    checked = jiujin("db", "check", *at_furnished)
    assert (checked.code, checked.json()["error"]["code"]) == (1, "db_drifted")
    assert "nickname" in checked.json()["error"]["message"]


@pytest.mark.parametrize(
    "command",
    [
        ["seed", "reference"],
        ["seed", "demo"],
        ["serve"],
        ["work"],
        ["import", "postings", "x.csv"],
    ],
    ids=" ".join,
)
def test_before_the_upgrade_nothing_else_begins(jiujin: Jiujin, at_empty: list[str], command: list[str]) -> None:
    said = jiujin(*command, *at_empty)
    assert (said.code, said.json()["error"]["code"]) == (1, "db_outdated")
    assert "jiujin db upgrade" in said.json()["error"]["message"]


def test_reference_data_is_loaded_as_often_as_one_likes(jiujin: Jiujin, at_empty: list[str]) -> None:
    jiujin("db", "upgrade", *at_empty)
    first = jiujin("seed", "reference", *at_empty)
    assert first.code == 0
    assert first.json()["areas"] > 4_000
    assert jiujin("seed", "reference", *at_empty).json() == first.json()


def numbers(house: House) -> dict[tuple[str, str], int]:
    with read_session(house.engine) as session:
        return {(count.state, count.origin): count.number for count in count_postings(session)}


def test_the_demo_is_as_large_as_told_and_loaded_once(jiujin: Jiujin, house: House, at_furnished: list[str]) -> None:
    size = ["--workers", "5", "--postings", "40", "--rng-seed", "7"]
    first = jiujin("seed", "demo", *size, *at_furnished)
    assert first.code == 0, first
    assert (first.json()["workers"], first.json()["postings"]) == (5, 40)
    assert first.json()["samples"] > 1_000
    loaded = numbers(house)
    assert loaded["historical", "imported"] == first.json()["samples"]
    assert sum(number for (_, origin), number in loaded.items() if origin == "generated") == 40
    again = jiujin("seed", "demo", *size, *at_furnished)
    assert (again.code, set(again.json().values())) == (0, {0})
    assert numbers(house) == loaded


def test_the_demo_wants_reference_data_first(
    jiujin: Jiujin, database: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", url_of(database))
    said = jiujin("seed", "demo", "--json", "--data", str(tmp_path))
    assert (said.code, said.json()["error"]["code"]) == (1, "reference_missing")


def test_production_gets_no_demo(jiujin: Jiujin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from app.kit.keys import new_key_ring

    monkeypatch.setenv("JIUJIN_KEYS", new_key_ring().to_json())
    monkeypatch.setenv("JIUJIN_ENV", "production")
    monkeypatch.setenv("JIUJIN_PUBLIC_URL", "https://job.example.gov.cn")
    monkeypatch.setenv("DATABASE_URL", "postgresql://jiujin:not-a-default@127.0.0.1:1/jiujin")
    said = jiujin("seed", "demo", "--json", "--data", str(tmp_path))
    assert (said.code, said.json()["error"]["code"]) == (1, "demo_in_production")


def test_a_database_that_is_away_is_told_without_its_password(
    jiujin: Jiujin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://jiujin:s3cret@127.0.0.1:1/jiujin")
    for command in (["db", "check"], ["doctor"]):
        said = jiujin(*command, "--data", str(tmp_path))
        assert said.code == 1
        assert "DATABASE_URL" in said.out + said.err
        assert "s3cret" not in said.out + said.err


def test_settings_that_do_not_hold_are_told(jiujin: Jiujin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JIUJIN_ENV", "production")
    said = jiujin("db", "check", "--data", str(tmp_path))
    assert (said.code, said.out) == (1, "")
    assert "DATABASE_URL" in said.err


def test_the_doctor_finds_the_first_thing_to_mend(jiujin: Jiujin, at_empty: list[str]) -> None:
    sick = jiujin("doctor", *at_empty)
    assert (sick.code, sick.json()["ok"]) == (1, False)
    assert "jiujin db upgrade" in sick.json()["findings"][-1]["told"]
    jiujin("db", "upgrade", *at_empty)
    sick = jiujin("doctor", *at_empty)
    assert "jiujin seed reference" in sick.json()["findings"][-1]["told"]
    jiujin("seed", "reference", *at_empty)
    assert jiujin("doctor", *at_empty).json()["ok"]


def test_the_doctor_counts_by_origin(jiujin: Jiujin, house: House, at_furnished: list[str]) -> None:
    add_posting(house)
    told = jiujin("doctor", *at_furnished).json()["findings"][-1]["told"]
    assert told == "招聘中（generated）1"


# --- keys -------------------------------------------------------------------------------------------------------------

WITH_KEYS = [["up"], ["serve"], ["work"], ["import", "workers", "名册.csv"], ["seed", "demo"]]


def everything(house: House) -> list[list[tuple[Any, ...]]]:
    with read_session(house.engine) as session:
        return [
            [tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))]
            for table in METADATA.sorted_tables
        ]


@pytest.fixture
def roster(tmp_path: Path) -> str:
    """A roster of one. Place code 99 was never given to anybody: nobody bears the number."""
    body = "99000019700101001"
    rows: Cells = [["姓名", "身份证号", "户籍地"], ["样例甲", body + id_check(body), "重庆市巫山县大昌镇"]]
    return str(write_csv(tmp_path / "名册.csv", rows))


@pytest.fixture
def at_people(
    jiujin: Jiujin, at_furnished: list[str], roster: str, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Options for a command, and a database that holds an identity."""
    monkeypatch.setenv("JIUJIN_PORT", str(free_port))
    assert jiujin("import", "workers", roster, *at_furnished).code == 0
    return at_furnished


@pytest.mark.parametrize("command", WITH_KEYS, ids=" ".join)
def test_a_foreign_ring_keeps_everything_from_starting(
    jiujin: Jiujin, house: House, at_people: list[str], roster: str, tmp_path: Path, command: list[str]
) -> None:
    before = everything(house)
    save_key_ring(new_key_ring(), tmp_path / "var" / "keys.json")
    said = jiujin(*(roster if word == "名册.csv" else word for word in command), *at_people)
    assert (said.code, said.json()["error"]["code"]) == (1, "keys_foreign")
    assert "请把备份的密钥放回" in said.json()["error"]["message"]
    assert everything(house) == before


@pytest.mark.parametrize("command", [*WITH_KEYS, ["doctor"], ["db", "upgrade"]], ids=" ".join)
def test_a_lost_ring_keeps_everything_from_starting_and_is_not_made_anew(
    jiujin: Jiujin, house: House, at_people: list[str], roster: str, tmp_path: Path, command: list[str]
) -> None:
    before = everything(house)
    (tmp_path / "var" / "keys.json").unlink()
    said = jiujin(*(roster if word == "名册.csv" else word for word in command), *at_people)
    assert (said.code, said.json()["error"]["code"]) == (1, "keys_lost")
    assert "请把备份放回原处" in said.json()["error"]["message"]
    assert everything(house) == before
    assert not (tmp_path / "var" / "keys.json").exists()


def test_the_doctor_finds_a_foreign_ring(jiujin: Jiujin, house: House, at_people: list[str], tmp_path: Path) -> None:
    well = jiujin("doctor", *at_people)
    assert (well.code, [each["ok"] for each in well.json()["findings"] if each["name"] == "密钥"]) == (0, [True])
    before = everything(house)
    path = tmp_path / "var" / "keys.json"
    kept = path.read_bytes()
    save_key_ring(new_key_ring(), path)
    sick = jiujin("doctor", *at_people)
    assert sick.code == 1
    assert (sick.json()["findings"][-1]["name"], sick.json()["findings"][-1]["ok"]) == ("密钥", False)
    assert f"请把备份的密钥放回 {path}" in sick.json()["findings"][-1]["told"]
    assert f"✗ 密钥：{sick.json()['findings'][-1]['told']}" in jiujin("doctor", *at_people[:-1]).out
    assert everything(house) == before
    path.write_bytes(kept)
    assert jiujin("doctor", *at_people).json()["ok"]


def test_a_dry_run_binds_no_keys(jiujin: Jiujin, house: House, at_furnished: list[str], roster: str) -> None:
    before = everything(house)
    assert jiujin("import", "workers", roster, "--dry-run", *at_furnished).code == 0
    assert everything(house) == before
    jiujin("import", "workers", roster, *at_furnished)
    with read_session(house.engine) as session:
        assert [family for family, _ in list_key_checks(session)] == ["data", "index", "token"]


# --- turns ------------------------------------------------------------------------------------------------------------


def test_two_who_fill_one_database_take_turns(database: Engine) -> None:
    inside, waiting, done = threading.Event(), threading.Event(), threading.Event()
    order: list[str] = []

    def second() -> None:
        assert inside.wait(10)
        with filling(database, on_wait=waiting.set):
            order.append("second")
        done.set()

    thread = threading.Thread(target=second)
    thread.start()
    with filling(database, on_wait=lambda: order.append("first waited")):
        inside.set()
        assert waiting.wait(10)
        order.append("first")
    assert done.wait(10)
    thread.join()
    assert order == ["first", "second"]


def test_a_turn_that_failed_is_given_back(database: Engine) -> None:
    waited: list[bool] = []
    with pytest.raises(ValueError, match="broken"), filling(database, on_wait=lambda: waited.append(True)):
        raise ValueError("broken")
    with filling(database, on_wait=lambda: waited.append(True)):
        pass
    assert waited == []


def test_while_one_fills_others_read_and_write(house: House) -> None:
    with filling(house.engine, on_wait=lambda: None):
        add_posting(house)
        assert is_reference_loaded(house)
