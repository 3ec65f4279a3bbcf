"""`jiujin ledger` and `jiujin export ledger`, and `python -m ledger_check` on what they wrote."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
import segno
from sqlalchemy import Engine, text

from app.background.sequencing import Sequencer
from app.domain.ledger import Channel, EntryKind, Grade
from app.domain.spells import SpellSource
from app.kit.clock import FixedClock
from app.kit.database import read_session, write_session
from app.kit.keys import KeyRing, save_key_ring
from app.settings import Settings
from app.usecases.ledger import EntryDraft, append_entries, erase_person
from app.usecases.ledger_exports import find_by_code, receipt_code
from app.usecases.sequencing import signer_of
from app.usecases.spells import open_spells
from app.wiring import House, bind_keys
from tests.cli.conftest import Jiujin, url_of
from tests.people import add_person

REPOSITORY = Path(__file__).parents[2]
COUNT = 9


@pytest.fixture
def house(
    database: Engine, clock: FixedClock, key_ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> House:
    """A ledger of nine entries in the tree and one that waits; the commands find it by their environment."""
    house = House(settings=Settings(data=tmp_path / "data"), engine=database, keys=key_ring, clock=clock)
    save_key_ring(key_ring, tmp_path / "keys.json")
    monkeypatch.setenv("DATABASE_URL", url_of(database))
    monkeypatch.setenv("JIUJIN_KEYS_FILE", str(tmp_path / "keys.json"))
    monkeypatch.setenv("JIUJIN_DATA", str(tmp_path / "data"))
    bind_keys(house)
    append(house, COUNT)
    Sequencer(house).run()
    append(house, 1)
    return house


def append(house: House, count: int) -> None:
    drafts = [
        EntryDraft(
            kind=EntryKind.GUIDANCE,
            worker_id=1 + number % 3,
            channel=Channel.CALL,
            evidence=Grade.C,
            happened_at=house.clock.now() - timedelta(hours=1),
            now=house.clock.now(),
            actor="broker/3",
            facts={"minutes": number, "said": True},
            note="本人说想在镇上找活",
        )
        for number in range(count)
    ]
    with write_session(house.engine) as session:
        append_entries(session, drafts, keys=house.keys)


def tamper(house: House, statement: str) -> None:
    with house.engine.begin() as connection:
        if house.engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            connection.execute(text("DROP TRIGGER IF EXISTS ledger_no_update"))
        connection.execute(text(statement))


def run_check(*arguments: object) -> tuple[int, str]:
    """`python -m ledger_check` as a process of its own."""
    command = [sys.executable, "-m", "ledger_check", *map(str, arguments)]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout or result.stderr


def test_a_good_ledger_is_good_in_the_database_and_as_a_file(house: House, jiujin: Jiujin, tmp_path: Path) -> None:
    said = jiujin("ledger", "verify", "--json")
    assert said.code == 0, said.out
    found = said.json()
    assert (found["ok"], found["places"], found["waiting"], found["wrong_node"]) == (True, COUNT, [COUNT + 1], None)
    assert (found["checkpoints"], found["checkpoints_outside"], found["keys_given"]) == (2, 1, True)
    out = tmp_path / "ledger.jsonl"
    said = jiujin("export", "ledger", "--out", str(out), "--json")
    assert said.code == 0, said.out
    (key,) = said.json()["keys"]
    assert said.json()["lines"] == COUNT + 3 == len(out.read_bytes().splitlines())
    assert out.stat().st_mode & 0o077 == 0
    (kept,) = house.settings.checkpoints.iterdir()
    said = jiujin("ledger", "verify", str(out), "--checkpoint", str(kept))
    assert (said.code, "核对无误" in said.out, "1 条还没有排进树里" in said.out) == (0, True, True), said.out
    code, told = run_check(out, "--checkpoint", kept, "--key", key)
    assert (code, "核对无误" in told, "公钥取自" in told) == (0, True, False), told
    code, told = run_check(out)
    assert (code, "公钥取自" in told, "没有和另外保存的检查点比过" in told) == (0, True, True), told


def test_an_export_names_nobody_and_says_nothing_of_what_was_said(house: House, jiujin: Jiujin, tmp_path: Path) -> None:
    out = tmp_path / "ledger.jsonl"
    assert jiujin("export", "ledger", "--out", str(out)).code == 0
    written = out.read_text(encoding="utf-8")
    assert "本人说" not in written
    for keys in (house.keys.data, house.keys.token, house.keys.index):
        assert keys[1].hex() not in written


def test_the_first_bad_entry_is_named_in_the_database_and_in_the_file(
    house: House, jiujin: Jiujin, tmp_path: Path
) -> None:
    tamper(house, "UPDATE ledger SET evidence = 'A' WHERE id IN (5, 7)")
    said = jiujin("ledger", "verify", "--json")
    assert said.code == 1
    assert said.json()["error"]["code"] == "ledger_bad"
    first = said.json()["error"]["first_bad"]
    assert (first["position"], first["entry"], first["reason"]) == (4, 5, "commitment_differs")
    said = jiujin("ledger", "verify")
    assert (said.code, "第 4 号位置，台账第 5 条" in said.err) == (1, True), said.err
    out = tmp_path / "ledger.jsonl"
    assert jiujin("export", "ledger", "--out", str(out)).code == 0
    code, told = run_check(out, "--json")
    assert (code, json.loads(told)["first_bad"]) == (1, first)
    assert jiujin("ledger", "verify", str(out)).code == 1


def test_a_deadline_that_somebody_moved_is_named(house: House, jiujin: Jiujin) -> None:
    person = add_person(house)
    with write_session(house.engine) as session:
        (spell_id,) = open_spells(
            session,
            [person],
            source=SpellSource.CLERK,
            actor="clerk/1",
            on=house.clock.today(),
            now=house.clock.now(),
            keys=house.keys,
        )
    assert jiujin("ledger", "verify", "--json").json()["wrong_spell"] is None
    with house.engine.begin() as connection:
        connection.execute(text("UPDATE spells SET opened_on = '2026-12-30'"))
    said = jiujin("ledger", "verify", "--json")
    found = said.json()["error"]
    assert (said.code, found["code"], found["first_bad"]) == (1, "ledger_bad", None)
    assert (found["wrong_spell"]["spell"], found["wrong_spell"]["reason"]) == (spell_id, "opened_on")
    said = jiujin("ledger", "verify")
    assert f"不对：失业登记（编号 {spell_id}）：登记的日子和台账不一样" in said.err
    assert "核对无误" not in said.err


def test_a_row_that_is_no_entry_is_named_and_does_not_stop_the_check(
    house: House, jiujin: Jiujin, tmp_path: Path
) -> None:
    tamper(house, "UPDATE ledger SET kind = 'foo' WHERE id = 3")
    tamper(house, """UPDATE ledger SET facts = '[["minutes", 1]]' WHERE id = 10""")
    said = jiujin("ledger", "verify", "--json")
    first = said.json()["error"]["first_bad"]
    assert (said.code, first["position"], first["entry"], said.json()["error"]["bad"]) == (1, 2, 3, 2)
    out = tmp_path / "ledger.jsonl"
    assert jiujin("export", "ledger", "--out", str(out)).code == 0
    assert '"kind":{"unreadable":"\'foo\'"}' in out.read_text(encoding="utf-8")
    code, told = run_check(out, "--json")
    assert (code, json.loads(told)["first_bad"]) == (1, first)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "请写要核对的文件"),
        (("x", "y"), "多写了 y"),
        (("x", "--foo"), "多写了 --foo"),
        (("x", "--ke", "z"), "多写了 --ke"),
        (("x", "--key"), "--key 填得不对"),
        (("x", "--json=5"), "--json 填得不对"),
        (("no-such-file",), "no-such-file 读不了"),
    ],
)
def test_the_checker_tells_wrong_use_in_chinese(arguments: tuple[str, ...], words: str) -> None:
    code, told = run_check(*arguments)
    assert (code, words in told, "用法：" in told) == (2, True, True), told
    assert not {"error", "usage", "argument", "expected"} & set(told.lower().replace(":", " ").split())
    code, told = run_check("--help")
    assert (code, told.startswith("用法："), "options" in told) == (0, True, False)


def test_stored_subtrees_are_checked_too(house: House, jiujin: Jiujin) -> None:
    with house.engine.begin() as connection:
        connection.execute(text("UPDATE ledger_nodes SET hash = 'ab' WHERE level = 2 AND position = 1"))
    said = jiujin("ledger", "verify", "--json")
    assert (said.code, said.json()["error"]["wrong_node"], said.json()["error"]["first_bad"]) == (1, [2, 1], None)


def test_a_checkpoint_is_written_for_keeping_and_proves_growth(
    house: House, jiujin: Jiujin, tmp_path: Path, clock: FixedClock
) -> None:
    before, after = tmp_path / "before.txt", tmp_path / "after.txt"
    said = jiujin("ledger", "root", "--out", str(before), "--json")
    assert (said.code, said.json()["size"], said.json()["growth"]) == (0, COUNT, None)
    append(house, 5)
    clock.advance(timedelta(days=1))
    Sequencer(house).run()
    said = jiujin("ledger", "root", "--out", str(after), "--since", str(before), "--json")
    assert (said.code, said.json()["size"]) == (0, COUNT + 6), said.out
    growth = tmp_path / "growth.json"
    growth.write_bytes(orjson.dumps(said.json()["growth"]))
    (key,) = said.json()["keys"]
    assert run_check(growth, "--key", key, "--checkpoint", before, "--checkpoint", after) == (0, "核对无误\n")
    document = said.json()["growth"]
    growth.write_bytes(orjson.dumps({**document, "proof": document["proof"][::-1]}))
    assert run_check(growth, "--key", key)[0] == 1
    # It takes the place of an older one and of nothing else.
    assert jiujin("ledger", "root", "--out", str(before)).code == 0
    assert before.read_text(encoding="utf-8") == after.read_text(encoding="utf-8")
    larger = before.read_text(encoding="utf-8").replace(f"\n{COUNT + 6}\n", f"\n{COUNT + 7}\n")
    after.write_text(larger, encoding="utf-8")
    for path, kept in ((after, larger), (growth, growth.read_text(encoding="utf-8"))):
        said = jiujin("ledger", "root", "--out", str(path))
        assert (said.code, path.read_text(encoding="utf-8")) == (1, kept)


def test_a_receipt_proves_its_entry_to_whoever_has_the_key(house: House, jiujin: Jiujin, tmp_path: Path) -> None:
    out, picture = tmp_path / "receipt.json", tmp_path / "code.svg"
    said = jiujin("ledger", "receipt", "4", "--out", str(out), "--qr", str(picture), "--json")
    assert said.code == 0, said.out
    receipt = said.json()
    assert receipt == json.loads(out.read_bytes())
    assert (receipt["entry"]["id"], receipt["position"], receipt["code"][:2]) == (4, 3, "4-")
    assert picture.read_text(encoding="utf-8").startswith("<?xml")
    (key,) = receipt["keys"]
    (kept,) = house.settings.checkpoints.iterdir()
    assert run_check(out, "--key", key, "--checkpoint", kept) == (0, "核对无误\n")
    # By its short code, however it was typed.
    typed = receipt["code"].replace("-", " ").lower()
    assert jiujin("ledger", "receipt", typed, "--json").json() == receipt
    said = jiujin("ledger", "receipt", "4")
    assert (said.code, receipt["code"] in said.out, "█" in said.out or "▄" in said.out) == (0, True, True)
    for changed in (
        {"entry": {**receipt["entry"], "evidence": "A"}},
        {"position": 2},
        {"position": -1},
        {"position": "3"},
        {"proof": receipt["proof"][1:]},
        {"proof": ["", *receipt["proof"]]},
        {"checkpoint": receipt["checkpoint"].replace("\n9\n", "\n8\n")},
        {"key": "00" * 32},
        {"signature": "00" * 64},
        {"commitment": "00" * 32},
        {"format": 2},
        {"entry": None},
    ):
        out.write_bytes(orjson.dumps({**receipt, **changed}))
        assert run_check(out, "--key", key)[0] == 1, changed
    # A receipt that somebody signed with keys of their own.
    other = signer_of(house.keys.rotated("token")).told_keys[0]
    out.write_bytes(orjson.dumps(receipt))
    assert run_check(out, "--key", other)[0] == 1


def test_a_code_belongs_to_one_entry_and_outlives_a_rotation(house: House) -> None:
    codes = {receipt_code(entry_id, keys=house.keys) for entry_id in range(1, 200)}
    assert len({code.partition("-")[2] for code in codes}) == 199
    before = receipt_code(12, keys=house.keys)
    rotated = house.keys.rotated("token")
    assert receipt_code(12, keys=rotated) != before
    assert find_by_code(before, keys=rotated) == 12


@pytest.mark.parametrize("public_url", [None, "https://job.example.gov.cn/", "https://example.gov.cn/jiujin"])
def test_the_qr_code_leads_to_the_page_where_a_public_address_is_set(
    house: House, jiujin: Jiujin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, public_url: str | None
) -> None:
    code = receipt_code(4, keys=house.keys)
    held = code
    if public_url is not None:
        monkeypatch.setenv("JIUJIN_PUBLIC_URL", public_url)
        held = f"{public_url.rstrip('/')}/receipts/{code}"
    picture, expected, shown = tmp_path / "code.svg", tmp_path / "expected.svg", io.StringIO()
    assert jiujin("ledger", "receipt", "4", "--qr", str(picture)).code == 0
    made = segno.make(held, micro=False, error="m")
    made.save(str(expected), scale=8)
    made.terminal(shown, compact=True)
    assert picture.read_bytes() == expected.read_bytes()
    said = jiujin("ledger", "receipt", "4")
    assert (said.code, shown.getvalue().strip() in said.out) == (0, True)
    assert (f"网页 {held}" in said.out) is (public_url is not None)


@pytest.mark.parametrize("statement", ["DELETE FROM ledger_checkpoints", "DELETE FROM ledger_keys"])
def test_what_cannot_be_proven_any_more_is_told(house: House, jiujin: Jiujin, statement: str) -> None:
    with house.engine.begin() as connection:
        if house.engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            connection.execute(text("DROP TRIGGER IF EXISTS ledger_checkpoints_no_delete"))
        connection.execute(text(statement))
    said = jiujin("ledger", "receipt", "4", "--json")
    assert (said.code, said.json()["error"]["code"]) == (1, "ledger_entry_unproven")


@pytest.mark.usefixtures("house")
def test_what_has_no_receipt_is_told(jiujin: Jiujin) -> None:
    for entry, code in (
        (str(COUNT + 1), "ledger_entry_waiting"),
        ("99", "ledger_entry_unknown"),
        ("99999999999999999999", "ledger_entry_unknown"),
        ("4-ABCD-EFGH", "receipt_code_wrong"),
        ("ABC", "receipt_code_wrong"),
        ("99999999999999-ABCD-EFGH", "receipt_code_wrong"),
    ):
        said = jiujin("ledger", "receipt", entry, "--json")
        assert (said.code, said.json()["error"]["code"]) == (1, code)
        said = jiujin("ledger", "receipt", entry)
        assert (said.code, said.out, len(said.err.splitlines())) == (1, "", 1)


def test_who_is_erased_leaves_every_proof_valid(
    house: House, jiujin: Jiujin, tmp_path: Path, clock: FixedClock
) -> None:
    receipts = {}
    for entry_id in range(1, COUNT + 1):
        receipts[entry_id] = tmp_path / f"receipt-{entry_id}.json"
        assert jiujin("ledger", "receipt", str(entry_id), "--out", str(receipts[entry_id]), "--json").code == 0
    with write_session(house.engine) as session:
        erase_person(session, 2, actor="clerk/1", now=clock.now(), keys=house.keys)
    # Between erasing and sequencing nothing vouches for what the erasure says, but nothing is wrong either.
    said = jiujin("ledger", "verify", "--json")
    assert (said.code, said.json()["waiting"]) == (0, [10, 11, 2, 5, 8])
    Sequencer(house).run()
    said = jiujin("ledger", "verify", "--json")
    assert (said.code, said.json()["erased"], said.json()["waiting"]) == (0, 3, [])
    (kept,) = house.settings.checkpoints.iterdir()
    for path in receipts.values():
        assert run_check(path)[0] == 0
    said = jiujin("ledger", "receipt", "2", "--json")
    assert (said.code, said.json()["error"]["code"]) == (1, "ledger_entry_erased")
    out = tmp_path / "ledger.jsonl"
    assert jiujin("export", "ledger", "--out", str(out)).code == 0
    lines = [json.loads(line) for line in out.read_bytes().splitlines()]
    keyless = [line["entry"]["id"] for line in lines if line["type"] == "entry" and line["key"] is None]
    assert keyless == [2, 5, 8]
    assert run_check(out, "--checkpoint", kept)[0] == 0


@pytest.mark.parametrize(
    ("put", "code"),
    [
        (lambda path: path.write_bytes(b"\xff\xfe"), "not_a_checkpoint"),
        (lambda path: path.mkdir(), "not_readable"),
        (lambda path: path.symlink_to("nowhere"), "not_readable"),
    ],
)
def test_a_file_beside_the_kept_checkpoints_that_is_none_is_named(
    house: House, jiujin: Jiujin, put: Callable[[Path], object], code: str
) -> None:
    append(house, 1)
    path = house.settings.checkpoints / "2026-01-01.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    put(path)
    said = jiujin("ledger", "verify", "--json")
    assert (said.code, said.json()["error"]["code"]) == (1, code)
    assert str(path) in said.json()["error"]["message"]


def test_a_file_of_something_else_is_not_written_over_with_a_checkpoint(
    house: House, jiujin: Jiujin, tmp_path: Path
) -> None:
    append(house, 1)
    out = tmp_path / "root.txt"
    out.write_bytes(b"\xff\xfe")
    said = jiujin("ledger", "root", "--out", str(out), "--json")
    assert (said.code, said.json()["error"]["code"]) == (1, "file_kept")
    assert str(out) in said.json()["error"]["message"]
    assert out.read_bytes() == b"\xff\xfe"


@pytest.mark.usefixtures("house")
def test_wrong_use_and_failures_are_told_apart(jiujin: Jiujin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments, code in (
        (["ledger", "verify", "no-such-file"], 2),
        (["ledger", "verify", "--checkpoint", "no-such-file"], 2),
        (["ledger", "verify", "keys.json"], 2),
        (["ledger", "root", "--out", "no/such/folder/x.txt"], 1),
        (["ledger", "root"], 2),
        (["ledger", "receipt"], 2),
        (["ledger", "receipt", "1", "--qr", "code.gif"], 2),
        (["ledger", "receipt", "1", "--qr", "no/such/folder/x.svg"], 1),
        (["ledger", "receipt", "1", "--out", "no/such/folder/x.json"], 1),
        (["export", "ledger", "--out", "no/such/folder/x.jsonl"], 1),
    ):
        said = jiujin(*arguments, "--json")
        assert (said.code, set(said.json()) >= {"error"}) == (code, True), said.out
        said = jiujin(*arguments)
        assert (said.code, bool(said.err)) == (code, True)


def test_an_empty_ledger_is_good_and_has_no_checkpoint(
    database: Engine, key_ring: KeyRing, jiujin: Jiujin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_key_ring(key_ring, tmp_path / "keys.json")
    for name, value in {
        "DATABASE_URL": url_of(database),
        "JIUJIN_KEYS_FILE": str(tmp_path / "keys.json"),
        "JIUJIN_DATA": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    assert jiujin("ledger", "verify", "--json").json()["places"] == 0
    said = jiujin("ledger", "root", "--out", str(tmp_path / "x.txt"), "--json")
    assert (said.code, said.json()["error"]["code"]) == (1, "ledger_empty")
    with read_session(database) as session:
        assert session.execute(text("SELECT count(*) FROM ledger")).scalar() == 0
