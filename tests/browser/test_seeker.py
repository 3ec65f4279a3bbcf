"""The seeker's journey on a small phone: with scripts and without, for eyes, ears, fingers and the keyboard."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.wiring import House
from tests.browser.conftest import NOTE_VIOLATIONS, PHONE
from tests.conftest import SWITCHES, chromium_path
from tests.houses import HOME_TOWNSHIP
from tests.web.streets import card_titled

LIST = f"/jobs?near={HOME_TOWNSHIP}&q=保安"
PAGES = (
    "/",
    "/find/age",
    "/find/work",
    "/find/limits",
    "/jobs",
    LIST,
    "/about",
    "/reports",
    "/jobs/999999",
    "/jobs?near=1",
)

# Everything that can be tapped and is seen: its own box, or the card that it stretches over.
_SMALL_TARGETS = """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), textarea, summary")]
  .filter((each) => each.offsetParent !== null && !each.classList.contains("skip"))
  .map((each) => [each, (each.closest("label.pick") || each.closest(".card") || each).getBoundingClientRect()])
  .filter(([, box]) => box.width < 60 || box.height < 60)
  .map(([each, box]) => `${each.textContent.trim() || each.name}: ${box.width}x${box.height}`)"""

# Text smaller than 18 px, or tighter than 1.3 lines.
_SMALL_TEXT = """() => {
  const found = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const style = getComputedStyle(walker.currentNode.parentElement);
    const size = parseFloat(style.fontSize);
    if (text && (size < 18 || parseFloat(style.lineHeight) / size < 1.295))
      found.add(`${text}: ${size}/${style.lineHeight}`);
  }
  return [...found];
}"""


def look(page: Page) -> None:
    """Whatever every page must hold up to, as it stands now."""
    results = Axe().run(page, options={"rules": {"target-size": {"enabled": True}}})
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("window.innerWidth"), page.url
    assert page.evaluate(_SMALL_TARGETS) == [], page.url
    assert page.evaluate(_SMALL_TEXT) == [], page.url
    assert page.evaluate("window.__stopped") == [], page.url


def read_kept(cookie: str) -> Any:
    """What the cookie holds."""
    return json.loads(base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4)))


def press(page: Page, words: str) -> None:
    """Press the button with these words."""
    page.get_by_role("button", name=words, exact=True).click()


def go_on(page: Page, words: str) -> None:
    """Press the button with these words and wait for the page that it leads to; until then the old one still stands."""
    with page.expect_navigation():
        press(page, words)


def find_work(page: Page, *, words: str = "保洁") -> None:
    """Answer the three questions."""
    page.goto("/")
    go_on(page, "巫山")
    go_on(page, "大昌镇")
    page.get_by_label("您今年几岁？").fill("58")
    go_on(page, "下一步")
    go_on(page, words)
    expect(page.get_by_role("heading", level=1)).to_have_text("大昌镇附近的活")


def test_from_three_questions_to_the_phone_call_and_a_report(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("您住在哪里？")
    look(page)
    page.get_by_label("写乡镇或者区县的名字").fill("官渡")
    go_on(page, "下一步")
    expect(page.get_by_role("heading", level=1)).to_have_text("“官渡”是哪一个？")
    look(page)
    with page.expect_navigation():
        page.get_by_role("link", name="都不是，重新写").click()
    go_on(page, "巫山")
    look(page)
    go_on(page, "大昌镇")
    look(page)
    page.get_by_label("您今年几岁？").fill("12")
    go_on(page, "下一步")
    expect(page.get_by_role("alert")).to_contain_text("不满16岁")
    look(page)
    page.get_by_label("您今年几岁？").fill("58")
    go_on(page, "下一步")
    look(page)
    go_on(page, "保洁")
    expect(page).to_have_url(re.compile(r"/jobs$"))
    look(page)
    for summary in page.locator("summary").all():
        summary.click()
    look(page)
    page.locator(".card").first.click(position={"x": 300, "y": 12})
    expect(page).to_have_url(re.compile(r"/jobs/\d+$"))
    look(page)
    call = page.get_by_role("link", name=re.compile("打电话问")).first
    expect(call).to_have_attribute("href", "tel:023-57680000")
    with page.expect_navigation():
        page.get_by_role("link", name="这个活有问题？举报").click()
    look(page)
    page.get_by_text("工资或内容不真实").click()
    go_on(page, "举报")
    expect(page).to_have_url(re.compile(r"/reports/[2-9A-Z]{10}$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("正在核实")
    look(page)
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("接着上次的找")
    look(page)


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("width", [320, 360, 1280])
def test_every_page_holds_up_on_every_screen(page: Page, street: House, width: int, large: bool) -> None:
    page.set_viewport_size({"width": width, "height": 740})
    if large:
        page.goto("/")
        go_on(page, "字大一点")
    titles = ("小区保安（真）", "以前的保安", "保安<", "日结装卸零工")
    for path in (*PAGES, *(f"/jobs/{card_titled(street, title).id}" for title in titles)):
        page.goto(path)
        assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == ("22px" if large else "18px")
        look(page)


def test_pay_and_titles_stand_out(page: Page) -> None:
    page.goto(LIST)
    size_of = "each => parseFloat(getComputedStyle(each).fontSize)"
    sizes = [page.locator(each).first.evaluate(size_of) for each in (".card .pay", ".card h2")]
    assert all(22 <= size <= 24 for size in sizes), sizes


@pytest.fixture
def plain(browser: Browser, site: str) -> Iterator[Page]:
    """The same phone with scripts off."""
    context = browser.new_context(base_url=site, viewport=PHONE, locale="zh-CN", java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_everything_works_with_scripts_off(plain: Page) -> None:
    find_work(plain)
    expect(plain.locator(".card")).to_have_count(20)
    for extra in ("读给我听", "用手机现在的位置", "转给别人"):
        expect(plain.get_by_role("button", name=extra)).to_have_count(0)
    plain.get_by_role("link", name="看更多").click()
    expect(plain.locator(".card")).to_have_count(25)
    plain.get_by_role("link", name="50+可做").click()
    expect(plain.get_by_role("link", name="50+可做")).to_have_attribute("aria-current", "true")
    plain.locator(".card a").first.click()
    expect(plain.get_by_role("link", name=re.compile("打电话问")).first).to_be_visible()
    expect(plain.get_by_label("把网址发给家里人、老乡")).to_have_value(re.compile(r"/jobs/\d+$"))
    plain.get_by_role("link", name="这个活有问题？举报").click()
    plain.get_by_text("早就招满或联系不上").click()
    go_on(plain, "举报")
    expect(plain.get_by_role("heading", level=1)).to_have_text("正在核实")
    go_on(plain, "换个人用，清掉")
    expect(plain.get_by_role("heading", level=1)).to_have_text("您住在哪里？")


@pytest.fixture
def forgetful(browser: Browser, site: str, tmp_path: Path) -> Iterator[Page]:
    """The same phone with cookies blocked in the browser's settings."""
    settings = tmp_path / "Default" / "Preferences"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"profile": {"default_content_setting_values": {"cookies": 2}}}))
    context = browser.browser_type.launch_persistent_context(
        tmp_path, executable_path=chromium_path(), args=list(SWITCHES), base_url=site, viewport=PHONE, locale="zh-CN"
    )
    context.add_init_script(NOTE_VIOLATIONS)
    yield context.new_page()
    context.close()


def test_with_cookies_off_the_first_answer_leads_to_a_list(forgetful: Page) -> None:
    page = forgetful
    page.goto("/")
    press(page, "巫山")
    expect(page.get_by_role("heading", level=1)).to_have_text("巫山县附近的活")
    expect(page.get_by_text("手机没开 Cookie，答案记不住")).to_be_visible()
    expect(page.locator(".card")).to_have_count(20)
    assert page.context.cookies() == []
    look(page)
    page.locator("summary").first.click()
    page.get_by_label("想找什么活").fill("保安")
    press(page, "找活")
    expect(page.get_by_text("“保安”按“保安员”找的")).to_be_visible()
    expect(page.get_by_text("手机没开 Cookie，答案记不住")).to_be_visible()
    page.get_by_text("更多条件").click()
    page.get_by_role("link", name="换个地方").click()
    page.get_by_label("写乡镇或者区县的名字").fill("大昌镇")
    press(page, "下一步")
    expect(page.get_by_role("heading", level=1)).to_have_text("大昌镇附近的活")
    expect(page.locator(".card").first).to_be_visible()


def test_more_stands_where_the_reader_was(page: Page) -> None:
    find_work(page)
    page.get_by_role("link", name="看更多").click()
    expect(page.locator(".card").nth(20)).to_be_in_viewport()
    expect(page.locator(".card").first).not_to_be_in_viewport()


def test_the_way_back_stands_at_the_posting_that_was_opened(page: Page) -> None:
    find_work(page)
    tenth = page.locator(".card").nth(9)
    title = tenth.locator("h2").inner_text()
    tenth.locator("a").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    page.get_by_role("link", name="回到找活").click()
    expect(page.locator(".card", has_text=title)).to_be_in_viewport()


def test_a_shared_phone_keeps_nothing_not_even_behind_the_back_button(page: Page) -> None:
    find_work(page)
    go_on(page, "换个人用，清掉")
    expect(page.get_by_role("heading", level=1)).to_have_text("您住在哪里？")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("看哪里附近的活？")
    assert [read_kept(cookie["value"]) for cookie in page.context.cookies()] == [{}]


def test_structured_data_is_data_under_the_policy_and_breaks_out_of_nothing(page: Page, street: House) -> None:
    card = card_titled(street, "保安<")
    page.goto(f"/jobs/{card.id}")
    data = json.loads(page.locator("script[type='application/ld+json']").evaluate("each => each.textContent"))
    assert data["title"] == card.title
    assert page.evaluate("document.scripts.length") == 2
    expect(page.get_by_role("heading", level=1)).to_have_text(card.title)
    look(page)


def test_the_keyboard_reaches_the_text_first_and_is_seen(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="跳到正文")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("写乡镇或者区县的名字")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    page.goto(LIST)
    page.locator(".card a").first.focus()
    stretched = "getComputedStyle(document.activeElement, '::after').outlineWidth"
    assert page.evaluate(stretched) == "3px"


def test_a_phone_with_a_voice_reads_aloud_and_stops(page: Page) -> None:
    # The voice is the phone's, not ours.
    page.add_init_script(
        """
        window.said = []; window.stops = 0;
        Object.defineProperty(window, "speechSynthesis", { value: {
          speak: (each) => window.said.push(each), cancel: () => { window.stops += 1; } } });
        """
    )
    page.goto(LIST)
    button = page.get_by_role("button", name="读给我听")
    button.click()
    said = page.evaluate("said.map((each) => [each.text, each.lang])")
    texts = [text for text, _ in said]
    assert {lang for _, lang in said} == {"zh-CN"}
    assert "大昌镇附近的活" in texts[0]
    assert any("2800-3200元/月" in text for text in texts)
    stop = page.get_by_role("button", name="停下不读")
    expect(stop).to_have_attribute("aria-pressed", "true")
    stops = page.evaluate("stops")
    stop.click()
    assert page.evaluate("stops") == stops + 1
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    page.evaluate("said[said.length - 1].onend()")
    expect(button).to_be_visible()


def test_a_phone_without_a_voice_offers_none(page: Page) -> None:
    page.add_init_script('Object.defineProperty(window, "speechSynthesis", { value: undefined });')
    page.goto(LIST)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("button", name="读给我听")).to_have_count(0)


def test_passing_on_uses_the_phones_own_sheet_or_the_clipboard(page: Page, street: House) -> None:
    card = card_titled(street, "小区保安（真）")
    url = f"http://127.0.0.1:8000/jobs/{card.id}"
    page.add_init_script("navigator.share = (what) => { window.shared = what; return Promise.resolve(); };")
    page.goto(f"/jobs/{card.id}")
    press(page, "转给别人")
    assert page.evaluate("shared.url") == url

    page.add_init_script("navigator.share = undefined;")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/jobs/{card.id}")
    press(page, "转给别人")
    expect(page.get_by_role("status")).to_have_text("网址已复制，去微信里粘贴")
    assert page.evaluate("navigator.clipboard.readText()") == url


def allow_position(context: BrowserContext, lon: float, lat: float) -> None:
    """The phone's owner lets pages ask for this position."""
    context.grant_permissions(["geolocation"])
    context.set_geolocation({"longitude": lon, "latitude": lat})


def test_the_phones_position_answers_the_first_question(page: Page) -> None:
    allow_position(page.context, 109.79, 31.27)
    page.goto("/")
    press(page, "用手机现在的位置")
    expect(page.get_by_role("heading", level=1)).to_have_text("您今年几岁？")


def test_without_leave_for_the_position_the_page_says_what_to_do(page: Page) -> None:
    page.goto("/")
    press(page, "用手机现在的位置")
    expect(page.get_by_role("status")).to_have_text("没拿到位置，请写乡镇的名字")


def test_a_printed_posting_has_what_paper_needs_and_no_buttons(page: Page, street: House) -> None:
    card = card_titled(street, "小区保安（真）")
    page.goto(f"/jobs/{card.id}")
    page.emulate_media(media="print")
    expect(page.get_by_text(f"岗位编号 {card.id}")).to_be_visible()
    expect(page.get_by_text("023-57689999").first).to_be_visible()
    expect(page.get_by_text("每月15日")).to_be_visible()
    for left_out in ("字大一点", "转给别人", "读给我听"):
        expect(page.get_by_role("button", name=left_out)).to_have_count(0)
    expect(page.get_by_role("contentinfo")).to_be_hidden()
