"""The link of a push: looking changes nothing, a button does, and the page tells nobody whose link it is."""

from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import select

from app.domain.ledger import EntryKind
from app.domain.postings import PostingState
from app.domain.pushes import Answer, PushState, Unsuitable
from app.kit.database import read_session, write_session
from app.main import create_app
from app.store.ledger import LedgerEntry
from app.store.postings import Posting
from app.store.pushes import FollowUp, Push, PushChange
from app.usecases.inboxes import inbox_code
from app.usecases.ledger import list_entries
from app.usecases.pushes import link_token
from app.wiring import House
from tests.deliveries import Teller, add_people, post_of, push_to
from tests.houses import add_posting, with_matchmaker
from tests.web.streets import phone

pytestmark = pytest.mark.anyio


@pytest.fixture
def sent(house: House) -> House:
    """A house in which one person was made a push."""
    posting = add_posting(house, title="小区保洁员")
    with write_session(house.engine) as session:
        (worker,) = add_people(session, 1, keys=house.keys)
        push_to(session, worker, posting, post_of(Teller()), keys=house.keys)
    return with_matchmaker(house)


@pytest.fixture
async def reader(sent: House) -> AsyncIterator[httpx.AsyncClient]:
    async with phone(create_app(sent)) as client:
        yield client


@pytest.fixture
def link(sent: House) -> str:
    with read_session(sent.engine) as session:
        return f"/r/{link_token(session.scalars(select(Push)).one(), sent.keys)}"


def push_of(house: House) -> Push:
    with read_session(house.engine) as session:
        return session.scalars(select(Push)).one()


async def test_the_link_opens_the_job_with_its_buttons(reader: httpx.AsyncClient, link: str) -> None:
    page = await reader.get(link)
    assert page.status_code == 200
    for words in ("小区保洁员", "离家 2.3 公里", "感兴趣", "打给我", "不合适", "太远了", "看到了"):
        assert words in page.text
    assert 'name="robots" content="noindex"' in page.text


async def test_looking_any_number_of_times_changes_nothing(reader: httpx.AsyncClient, sent: House, link: str) -> None:
    for _ in range(3):
        await reader.get(link)
        await reader.head(link)
    with read_session(sent.engine) as session:
        assert session.scalars(select(LedgerEntry)).all() == []
        assert len(session.scalars(select(PushChange)).all()) == 1
    assert push_of(sent).state is PushState.QUEUED


@pytest.mark.parametrize(
    ("form", "answer", "why"),
    [
        ({"answer": "interested"}, Answer.INTERESTED, None),
        ({"answer": "call_me"}, Answer.CALL_ME, None),
        ({"answer": "unsuitable", "why": "too_heavy"}, Answer.UNSUITABLE, Unsuitable.TOO_HEAVY),
        ({"answer": "interested", "why": "too_heavy"}, Answer.INTERESTED, None),
    ],
)
async def test_a_button_is_an_answer(
    reader: httpx.AsyncClient, sent: House, link: str, form: dict[str, str], answer: Answer, why: Unsuitable | None
) -> None:
    for _ in range(2):
        done = await reader.post(link, data=form)
        assert (done.status_code, done.headers["location"]) == (303, link)
    push = push_of(sent)
    assert (push.answer, push.why, push.state) == (answer, why, PushState.ANSWERED)
    with read_session(sent.engine) as session:
        assert [entry.kind for entry in list_entries(session)] == [EntryKind.PUSH, EntryKind.ANSWER]
        assert len(session.scalars(select(FollowUp)).all()) == (answer is not Answer.UNSUITABLE)
    assert f"您说的是：{answer.label}" in (await reader.get(link)).text


async def test_seen_is_proof_and_no_answer(reader: httpx.AsyncClient, sent: House, link: str) -> None:
    await reader.post(link, data={"answer": "seen"})
    assert (push_of(sent).state, push_of(sent).answer) == (PushState.DELIVERED, None)
    page = (await reader.get(link)).text
    assert "知道您看到了" in page
    assert 'value="seen"' not in page


@pytest.mark.parametrize(
    "form", [{}, {"answer": "maybe"}, {"answer": "unsuitable"}, {"answer": "unsuitable", "why": "x"}]
)
async def test_what_is_no_answer_is_asked_again_and_changes_nothing(
    reader: httpx.AsyncClient, sent: House, link: str, form: dict[str, str]
) -> None:
    page = await reader.post(link, data=form)
    assert page.status_code == 422
    assert 'role="alert"' in page.text
    assert push_of(sent).state is PushState.QUEUED


@pytest.mark.parametrize("token", ["x", "x" * 10, "x" * 5000, "%00"])
async def test_another_link_leads_nowhere(reader: httpx.AsyncClient, token: str) -> None:
    for answer in (await reader.get(f"/r/{token}"), await reader.post(f"/r/{token}", data={"answer": "interested"})):
        assert answer.status_code in (404, 405)


async def test_when_the_job_is_over_one_can_still_say_something(
    reader: httpx.AsyncClient, sent: House, link: str
) -> None:
    with write_session(sent.engine) as session:
        session.scalars(select(Posting)).one().state = PostingState.CLOSED
    page = await reader.get(link)
    assert (page.status_code, "这个活已经结束" in page.text) == (200, True)
    await reader.post(link, data={"answer": "call_me"})
    with read_session(sent.engine) as session:
        pushed, _ = list_entries(session)
        assert pushed.facts["is_open"] is False


async def test_a_form_from_another_site_is_refused(reader: httpx.AsyncClient, sent: House, link: str) -> None:
    answer = await reader.post(link, data={"answer": "interested"}, headers={"Origin": "http://elsewhere"})
    assert answer.status_code == 403
    assert push_of(sent).state is PushState.QUEUED


# --- the inbox --------------------------------------------------------------------------------------------------------


async def test_an_inbox_lists_what_its_owner_was_sent_and_looking_changes_nothing(
    reader: httpx.AsyncClient, sent: House, link: str
) -> None:
    push = push_of(sent)
    with write_session(sent.engine) as session:
        (other,) = add_people(session, 1, keys=sent.keys)
    page = await reader.get(f"/inbox/{inbox_code(push.worker_id, keys=sent.keys)}")
    assert page.status_code == 200
    assert (page.text.count(f'href="{link}"'), "离家 2.3 公里" in page.text, "noindex" in page.text) == (2, True, True)
    assert push_of(sent).state is PushState.QUEUED
    await reader.post(link, data={"answer": "interested"})
    assert "您说的是：感兴趣" in (await reader.get(f"/inbox/{inbox_code(push.worker_id, keys=sent.keys)}")).text
    empty = await reader.get(f"/inbox/{inbox_code(other, keys=sent.keys)}")
    assert (empty.status_code, "现在没有" in empty.text) == (200, True)


@pytest.mark.parametrize("code", ["1-AAAA-AAAA", "x", "1", "%20"])
async def test_an_address_that_is_nobodys_is_not_found(reader: httpx.AsyncClient, code: str) -> None:
    page = await reader.get(f"/inbox/{code}")
    assert (page.status_code, "没有这个收件箱" in page.text) == (404, True)
