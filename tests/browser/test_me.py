"""A job-seeker on a small phone: in by a code, what is stored, recommendations off, the plain list, and gone."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect

from app.kit.clock import FixedClock
from app.kit.database import open_engine, write_session
from app.kit.keys import KeyRing
from app.main import create_app
from app.settings import Settings
from app.wiring import House
from tests.browser.conftest import NOTE_VIOLATIONS, PHONE
from tests.browser.test_seeker import go_on, look
from tests.deliveries import NOW, Teller, add_people, post_of, push_to
from tests.houses import add_posting, with_matchmaker

NUMBER = "19900000007"


@pytest.fixture(scope="module")
def teller() -> Teller:
    """Who would send the code, and notes it."""
    return Teller()


@pytest.fixture(scope="module")
def site(
    sqlite_reference: Path, tmp_path_factory: pytest.TempPathFactory, key_ring: KeyRing, teller: Teller
) -> Iterator[str]:
    """A village in which two people share a phone, one of whom was sent a job."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copyfile(sqlite_reference, folder / "own.db")
    house = House(
        settings=Settings(data=folder),
        engine=open_engine(f"sqlite:///{folder / 'own.db'}"),
        keys=key_ring,
        clock=FixedClock(NOW),
        senders=(teller,),
    )
    posting, *_ = [add_posting(house, title=f"小区保洁员{number}") for number in range(8)]
    with write_session(house.engine) as session:
        worker, _ = add_people(session, 2, keys=house.keys, phone=NUMBER)
        push_to(session, worker, posting, post_of(Teller()), keys=house.keys)
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(with_matchmaker(house)), lifespan="off", ws="none", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()
    house.close()


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    """A phone without scripts would do; this one has them and notes what the policy stops."""
    context = browser.new_context(base_url=site, viewport=PHONE, locale="zh-CN", timezone_id="Asia/Shanghai")
    context.add_init_script(NOTE_VIOLATIONS)
    yield context.new_page()
    context.close()


def follow(page: Page, words: str) -> None:
    """Tap the link with these words."""
    with page.expect_navigation():
        page.get_by_role("link", name=words, exact=True).click()


def headed(page: Page, words: str) -> None:
    """The page bears these words and holds up to what every page must."""
    expect(page.get_by_role("heading", level=1)).to_have_text(words)
    look(page)


def test_from_the_code_on_the_phone_to_the_last_word(page: Page, teller: Teller) -> None:
    page.goto("/me/data")
    headed(page, "您的手机号是多少？")
    follow(page, "没有手机，或者收不到短信")
    headed(page, "没有手机怎么登录？")
    page.goto("/me/data")
    page.get_by_label("您的手机号是多少？").fill("123")
    go_on(page, "发短信")
    expect(page.get_by_role("alert")).to_contain_text("11 位手机号")
    page.get_by_label("您的手机号是多少？").fill(NUMBER)
    go_on(page, "发短信")
    headed(page, "短信里是哪 6 个数字？")
    page.get_by_label("短信里是哪 6 个数字？").fill(teller.sent[-1].values["code"])
    go_on(page, "登录")
    headed(page, "您是哪一位？")
    with page.expect_navigation():
        page.get_by_role("button", name="样*，1970年生").first.click()
    headed(page, "记了我什么")
    follow(page, "谁看过我的资料")
    headed(page, "谁看过我的资料")
    follow(page, "回到我的")
    headed(page, "给您送来的活")
    follow(page, "怎么跟我联系")
    headed(page, "怎么跟我联系")
    for path in ("/me/sessions", "/me/export", "/me/edit", "/me/edit/limits", "/me/edit/available_on"):
        page.goto(path)
        look(page)
    page.goto("/me/edit/wants")
    page.get_by_label("您想找什么活？").fill("保洁、看大门")
    go_on(page, "记下")
    follow(page, "好了，给我找活")
    headed(page, "给您找的活")
    follow(page, "换个排法")
    headed(page, "活怎么给我挑")
    go_on(page, "关掉推荐")
    follow(page, "去看活")
    headed(page, "离家近的活")
    go_on(page, "字大一点")
    page.goto("/me/erase")
    page.get_by_label("真的不用了").fill("不")
    go_on(page, "毁掉")
    headed(page, "注销，不用了")
    page.get_by_label("真的不用了").fill("注销")
    go_on(page, "毁掉")
    headed(page, "注销好了")
    page.goto("/me")
    expect(page.get_by_role("heading", level=1)).to_have_text("您的手机号是多少？")
