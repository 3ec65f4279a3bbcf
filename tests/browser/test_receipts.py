"""The page of a receipt on a small phone: the code is typed, the entry is read, the file is taken home."""

import json

import pytest
from playwright.sync_api import Browser, Page, expect

from app.background.sequencing import Sequencer
from app.domain.ledger import Channel, EntryKind, Grade
from app.kit.database import write_session
from app.usecases.ledger import EntryDraft, append_entries, erase_person, strike_entry
from app.usecases.ledger_exports import receipt_code
from app.wiring import House
from ledger_check.receipts import check_receipt
from tests.browser.test_seeker import go_on, look


@pytest.fixture
def entries(street: House) -> list[int]:
    """The numbers of four entries: one in force, one struck, one of a person who was erased, and one that waits."""
    now = street.clock.now()

    def append(worker_id: int) -> int:
        draft = EntryDraft(
            kind=EntryKind.GUIDANCE,
            worker_id=worker_id,
            channel=Channel.VISIT,
            evidence=Grade.C,
            happened_at=now,
            now=now,
            actor="broker/3",
            facts={"minutes": 12},
        )
        with write_session(street.engine) as session:
            return append_entries(session, [draft], keys=street.keys)[0].id

    in_force, struck, erased = append(8_001), append(8_001), append(8_002)
    with write_session(street.engine) as session:
        strike_entry(session, struck, why="登错了", actor="clerk/1", now=now, keys=street.keys)
        erase_person(session, 8_002, actor="clerk/1", now=now, keys=street.keys)
    Sequencer(street).run()
    return [in_force, struck, erased, append(8_001)]


@pytest.fixture
def narrow(page: Page) -> Page:
    """The narrowest phone that is in use."""
    page.set_viewport_size({"width": 320, "height": 640})
    return page


def test_a_typed_code_leads_to_a_receipt_that_can_be_taken_home(page: Page, street: House, entries: list[int]) -> None:
    page.goto("/receipts")
    look(page)
    page.get_by_label("查凭条").fill("1-ABCD-EFGH")
    go_on(page, "查")
    look(page)
    expect(page.get_by_role("alert")).to_contain_text("凭条的短码不对")
    page.get_by_label("查凭条").fill(receipt_code(entries[0], keys=street.keys).lower())
    go_on(page, "查")
    look(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("职业指导")
    expect(page.get_by_text("对得上")).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("link", name="下载凭条").click()
    assert started.value.suggested_filename == f"jiujin-receipt-{entries[0]}.json"
    assert check_receipt(json.loads(started.value.path().read_bytes())) is None


def test_every_answer_fits_the_narrowest_phone(narrow: Page, street: House, entries: list[int]) -> None:
    told = ("没有作废", "不算数了", "已经销毁身份", "再看一次")
    for entry_id, words in zip(entries, told, strict=True):
        narrow.goto(f"/receipts/{receipt_code(entry_id, keys=street.keys)}")
        expect(narrow.get_by_text(words).first).to_be_visible()
        look(narrow)
    press_larger = narrow.get_by_role("button", name="字大一点")
    with narrow.expect_navigation():
        press_larger.click()
    look(narrow)


def test_without_scripts_a_code_is_looked_up_too(
    browser: Browser, site: str, street: House, entries: list[int]
) -> None:
    context = browser.new_context(base_url=site, viewport={"width": 360, "height": 740}, java_script_enabled=False)
    page = context.new_page()
    page.goto("/receipts")
    page.get_by_label("查凭条").fill(receipt_code(entries[1], keys=street.keys))
    page.get_by_role("button", name="查", exact=True).click()
    expect(page.get_by_text("这一条已经作废，不算数了")).to_be_visible()
    context.close()
