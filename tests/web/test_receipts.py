"""The page of a receipt's short code: what the entry is, in plain words, for whoever holds the code and nobody else."""

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, func, select, text

from app.background.sequencing import Sequencer
from app.domain.ledger import Channel, EntryKind, Grade
from app.kit.clock import FixedClock
from app.kit.database import read_session, write_session
from app.kit.keys import KeyRing
from app.main import create_app
from app.settings import Settings
from app.store.audit import AuditEntry
from app.store.ledger import LedgerEntry
from app.usecases.ledger import EntryDraft, append_entries, erase_person, list_entries, strike_entry
from app.usecases.ledger_exports import make_receipt, receipt_code
from app.web import wording
from app.wiring import House
from ledger_check.__main__ import main as ledger_check
from tests.web.documents import Document
from tests.web.streets import phone

# As owner: some do what the database's owner could do, past its triggers.
pytestmark = [pytest.mark.anyio, pytest.mark.owner]

WORKER, ACTOR, SAID = 4711, "broker/8642", "愿意去县城的保洁岗位"


@pytest.fixture
def house(database: Engine, clock: FixedClock, key_ring: KeyRing, tmp_path: Path) -> House:
    """A ledger of three entries in the tree, told of from the next day on."""
    house = House(settings=Settings(data=tmp_path), engine=database, keys=key_ring, clock=clock)
    append(house, EntryKind.SPELL_OPENED)
    append(house, EntryKind.GUIDANCE, channel=Channel.CALL, evidence=Grade.C, facts={"minutes": 12}, note=SAID)
    append(house, EntryKind.PUSH, channel=Channel.SMS, evidence=Grade.B, facts={"posting": 97_531})
    Sequencer(house).run()
    clock.advance(timedelta(days=1))
    return house


def append(house: House, kind: EntryKind, *, worker_id: int = WORKER, **given: object) -> None:
    now = house.clock.now()
    values: dict[str, object] = {"kind": kind, "worker_id": worker_id, "actor": ACTOR, "now": now, **given}
    draft = EntryDraft(happened_at=now - timedelta(days=3), **values)  # type: ignore[arg-type]  # whatever is given
    with write_session(house.engine) as session:
        append_entries(session, [draft], keys=house.keys)


@pytest.fixture
async def reader(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with phone(create_app(house)) as client:
        yield client


def page_of(house: House, entry_id: int) -> str:
    return f"/receipts/{receipt_code(entry_id, keys=house.keys)}"


def tamper(house: House, statement: str) -> None:
    """What the owner of the database can do: past the triggers."""
    with house.engine.begin() as connection:
        if house.engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            for (name,) in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text(statement))


async def test_the_form_leads_to_the_receipt_however_the_code_was_typed(
    reader: httpx.AsyncClient, house: House
) -> None:
    page = Document((await reader.get("/receipts")).text)
    assert (page.one("form", action="/receipts")["method"], page.heading) == ("post", "查凭条")
    code = receipt_code(2, keys=house.keys)
    for typed in (code, code.lower().replace("-", ""), f"　{code.replace('-', ' ')} ", code.replace("2", "２")):
        answer = await reader.post("/receipts", data={"code": typed})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/receipts/{code}")


@pytest.mark.parametrize("typed", ["", "2", "2-ABCD-EFGH", "9" * 5_000, "<b>", "2-ABCD-EFG\0"])
async def test_a_wrong_code_is_asked_for_again_with_what_was_typed(reader: httpx.AsyncClient, typed: str) -> None:
    answer = await reader.post("/receipts", data={"code": typed})
    page = Document(answer.text)
    assert answer.status_code == 422
    assert "凭条的短码不对，请再看一遍" in page.one("p", role="alert").text
    field = page.one("input", id="code")
    assert (field["value"], field["aria-describedby"]) == (typed.replace("\0", "")[:40], "problem")


@pytest.mark.parametrize("code", ["2-ABCD-EFGH", "x", "9" * 5_000, "%00", "%ff", "2-ABCD-EFG%E4%B8%80", "a.json"])
async def test_a_wrong_address_asks_for_the_code(reader: httpx.AsyncClient, code: str) -> None:
    for path in (f"/receipts/{code}", f"/receipts/{code}.json"):
        answer = await reader.get(path)
        assert (answer.status_code, Document(answer.text).heading) == (404, "查凭条")
        assert "凭条的短码不对" in answer.text
        assert answer.headers["Cache-Control"] == "no-store"


async def test_the_page_tells_the_entry_its_place_and_that_the_proof_holds(
    reader: httpx.AsyncClient, house: House
) -> None:
    answer = await reader.get(page_of(house, 2))
    page = Document(answer.text)
    assert (answer.status_code, page.heading) == (200, "职业指导")
    for words in (
        "给本人讲了怎么找活。",
        "怎么办的打电话",
        "工作人员这样记的，本人没有另外确认",
        "哪天的事11月28日",
        "哪天记的12月1日",
        "没有作废",
        "台账第 2 条，排在第 2 位",
        "到12月1日10点00分盖电子章时，一共 3 位",
        "刚才重新算了一遍，对得上",
        "后来没有人改过",
    ):
        assert words in page.main.replace("怎么办的 ", "怎么办的").replace("的事 ", "的事").replace("记的 ", "记的"), (
            words
        )
    assert page.all("p", role="alert") == []
    assert page.links()["下载凭条"] == f"{page_of(house, 2)}.json"
    assert "短信那边回报说送到了" in (await reader.get(page_of(house, 3))).text
    assert "办事时记下的" in (await reader.get(page_of(house, 1))).text


async def test_the_page_names_nobody(reader: httpx.AsyncClient, house: House) -> None:
    with read_session(house.engine) as session:
        sealed = [entry.note for entry in list_entries(session) if entry.note]
    for entry_id in (1, 2, 3):
        html = (await reader.get(page_of(house, entry_id))).text
        for secret in (str(WORKER), ACTOR, "8642", "97531", SAID, *sealed):
            assert secret not in html
    assert len(sealed) == 1


async def test_a_struck_entry_says_that_it_counts_no_more(reader: httpx.AsyncClient, house: House) -> None:
    now = house.clock.now()
    with write_session(house.engine) as session:
        strike_entry(session, 2, why="登错了人", actor=ACTOR, now=now, keys=house.keys)
    page = Document((await reader.get(page_of(house, 2))).text)
    assert "这一条已经作废，不算数了：12月2日写的第 4 条把它作废的" in page.main
    assert "作废了，不算数" in page.main
    assert "没有作废" not in page.main
    assert "对得上" in page.main
    # Why is in somebody's own words.
    assert "登错了人" not in page.main
    Sequencer(house).run()
    page = Document((await reader.get(page_of(house, 4))).text)
    assert (page.heading, "台账第 2 条" in page.main) == ("作废", True)


async def test_an_entry_that_somebody_changed_is_not_believed(reader: httpx.AsyncClient, house: House) -> None:
    tamper(house, "UPDATE ledger SET evidence = 'A' WHERE id = 2")
    answer = await reader.get(page_of(house, 2))
    page = Document(answer.text)
    assert answer.status_code == 200
    assert "核对不上" in page.one("p", role="alert").text
    assert "现在不能信" in page.main
    assert "对得上" not in page.main


async def test_what_has_no_receipt_says_why(reader: httpx.AsyncClient, house: House) -> None:
    append(house, EntryKind.BRIEFING, worker_id=5)
    answer = await reader.get(page_of(house, 4))
    assert (answer.status_code, "请过几秒再试" in answer.text) == (409, True)
    assert Document(answer.text).links()["再看一次"] == page_of(house, 4)
    Sequencer(house).run()
    assert (await reader.get(page_of(house, 4))).status_code == 200
    with write_session(house.engine) as session:
        erase_person(session, 5, actor=ACTOR, now=house.clock.now(), keys=house.keys)
    answer = await reader.get(page_of(house, 4))
    assert (answer.status_code, "照样可以核对" in answer.text) == (410, True)
    assert (await reader.get(page_of(house, 99))).status_code == 404
    assert "台账里却找不到这一条" in (await reader.get(page_of(house, 99))).text
    tamper(house, "DELETE FROM ledger_checkpoints")
    for path in (page_of(house, 2), f"{page_of(house, 2)}.json"):
        answer = await reader.get(path)
        page = Document(answer.text)
        assert (answer.status_code, "12333 反映" in page.main) == (409, True)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "招满" not in page.main


async def test_the_file_is_checked_without_the_service(
    reader: httpx.AsyncClient, house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await reader.get(f"{page_of(house, 2)}.json")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="jiujin-receipt-2.json"'
    assert (answer.headers["Cache-Control"], answer.headers["X-Robots-Tag"]) == ("no-store", "noindex")
    with read_session(house.engine) as session:
        assert answer.json() == make_receipt(session, 2, keys=house.keys)
    file = tmp_path / "receipt.json"
    file.write_bytes(answer.content)
    assert ledger_check([str(file), "--key", answer.json()["keys"][0]]) == 0
    assert capsys.readouterr().out == "核对无误\n"
    file.write_text(json.dumps({**answer.json(), "position": 0}))
    assert ledger_check([str(file)]) == 1


async def test_looking_and_asking_change_nothing(reader: httpx.AsyncClient, house: House) -> None:
    code = receipt_code(2, keys=house.keys)
    for _ in range(2):
        for path in ("/receipts", page_of(house, 2), f"{page_of(house, 2)}.json"):
            assert (await reader.get(path)).status_code == (await reader.head(path)).status_code == 200
        await reader.post("/receipts", data={"code": code})
    with read_session(house.engine) as session:
        assert len(list_entries(session)) == 3
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == 0
        assert session.scalar(select(func.count()).select_from(LedgerEntry)) == 3


async def test_no_copy_stays_and_no_log_holds_the_code(
    reader: httpx.AsyncClient, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    code, wrong = receipt_code(2, keys=house.keys), "2-ABCD-EFGH"
    answers = [await reader.get(path) for path in ("/receipts", page_of(house, 2), f"{page_of(house, 2)}.json")]
    answers += [await reader.head(page_of(house, 2)), await reader.get(f"/receipts/{wrong}")]
    answers += [await reader.post("/receipts", data={"code": each}) for each in (code, wrong)]
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert "ETag" not in answer.headers
        if "html" in answer.headers.get("Content-Type", "") and answer.text:
            assert 'name="robots" content="noindex"' in answer.text
            assert code not in Document(answer.text).one("title").text
    logged = [record.getMessage() for record in caplog.records if record.name != "httpx"]
    assert "GET /receipts/{code} 200" in logged
    assert "GET /receipts/{code}.json 200" in logged
    for part in (code, code[2:6], wrong):
        assert part not in "\n".join(logged)


async def test_programs_get_a_problem_document_for_a_wrong_code(reader: httpx.AsyncClient) -> None:
    for path in ("/receipts/2-ABCD-EFGH", "/receipts/2-ABCD-EFGH.json"):
        answer = await reader.get(path, headers={"Accept": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (404, "receipt_code_wrong")


async def test_the_code_of_before_a_rotation_still_leads_there(house: House) -> None:
    before = page_of(house, 2)
    rotated = replace(house, keys=house.keys.rotated("token"))
    async with phone(create_app(rotated)) as reader:
        page = Document((await reader.get(before)).text)
    assert "对得上" in page.main
    assert receipt_code(2, keys=rotated.keys) in page.main


def test_every_kind_of_entry_and_every_grade_has_its_words() -> None:
    told = {wording.entry(kind) for kind in EntryKind}
    assert len(told) == len(EntryKind)
    assert len({wording.evidence(grade, Channel.SMS) for grade in (*Grade, None)}) == len(Grade) + 1
