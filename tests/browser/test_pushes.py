"""The link of a push on a small phone: one tap is an answer, with scripts and without."""

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from app.domain.pushes import PushState
from app.kit.database import read_session, write_session
from app.store.pushes import Push
from app.usecases.inboxes import inbox_code
from app.usecases.pushes import link_token
from app.wiring import House
from tests.browser.conftest import PHONE
from tests.browser.test_seeker import go_on, look
from tests.deliveries import Teller, add_people, post_of, push_to
from tests.web.streets import card_titled


@pytest.fixture
def link(street: House) -> str:
    """The link of a push that somebody was just made."""
    posting = card_titled(street, "小区保安（真）").id
    with write_session(street.engine) as session:
        (worker,) = add_people(session, 1, keys=street.keys)
        push_id = push_to(session, worker, posting, post_of(Teller()), keys=street.keys)
        return f"/r/{link_token(session.get_one(Push, push_id), street.keys)}"


def state_of(street: House, link: str) -> PushState:
    with read_session(street.engine) as session:
        pushes = session.scalars(select(Push)).all()
        return next(push.state for push in pushes if link.endswith(link_token(push, street.keys)))


def test_one_tap_is_an_answer(page: Page, street: House, link: str) -> None:
    page.goto(link)
    look(page)
    assert state_of(street, link) is PushState.QUEUED
    go_on(page, "打给我")
    look(page)
    expect(page.get_by_text("您说的是：打给我。我们会打给您。")).to_be_visible()
    assert state_of(street, link) is PushState.ANSWERED


def test_without_scripts_one_says_why_it_does_not_suit(browser: Browser, site: str, street: House, link: str) -> None:
    context = browser.new_context(base_url=site, viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.goto(link)
    page.get_by_label("太远了").check()
    page.get_by_role("button", name="不合适", exact=True).click()
    expect(page.get_by_text("您说的是：不合适（太远了）。记下了，下回照这个给您找。")).to_be_visible()
    context.close()
    assert state_of(street, link) is PushState.ANSWERED


def test_from_the_inbox_one_goes_to_the_job_and_answers(page: Page, street: House, link: str) -> None:
    with read_session(street.engine) as session:
        pushes = session.scalars(select(Push)).all()
        owner = next(push.worker_id for push in pushes if link.endswith(link_token(push, street.keys)))
    page.goto(f"/inbox/{inbox_code(owner, keys=street.keys)}")
    look(page)
    page.get_by_role("link", name="小区保安（真）", exact=True).click()
    go_on(page, "感兴趣")
    expect(page.get_by_text("您说的是：感兴趣。我们会帮您联系。")).to_be_visible()
    assert state_of(street, link) is PushState.ANSWERED
