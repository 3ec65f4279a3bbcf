"""Slips: printed for whom no machine reaches, and a signature proves what stands on them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from app.domain.ledger import Channel, EntryKind, Grade
from app.domain.pushes import Answer, PushState, Unsuitable
from app.domain.slips import LINES, MOST_POSTS
from app.kit.database import read_session, write_session
from app.kit.errors import Invalid
from app.store.audit import AuditEntry
from app.store.brokers import Broker, Case
from app.store.postings import Posting
from app.store.pushes import Attempt, FollowUp, Push
from app.store.slips import Slip
from app.usecases.ledger import list_entries
from app.usecases.obligations import BrokerUnknown, DistrictUnknown
from app.usecases.pushes import intend_pushes
from app.usecases.slips import PrintedSlip, SlipUnknown, print_slips, take_signed_slip
from app.usecases.workers import WorkerUnknown
from app.wiring import House
from tests.deliveries import add_people, intent
from tests.houses import add_posting, area_book
from tests.usecases.test_obligations import TODAY, register

HOUR = timedelta(hours=1)


@pytest.fixture
def visited(house: House) -> int:
    """Somebody who is owed three pushes, lets no machine write to them, and is looked after by a broker."""
    person = register(house)
    push_each(house, person, 3)
    with write_session(house.engine) as session:
        broker = Broker(code="b-7", area_code="500237")
        session.add_all([broker, Broker(code="b-8", area_code="500237")])
        session.flush()
        session.add(Case(worker_id=person, broker_id=broker.id, valid_from=TODAY, valid_to=None))
    return person


def push_each(house: House, person: int, number: int, **given: Any) -> list[int]:
    """So many pushes to somebody, each of a posting of its own; the postings."""
    now, postings = house.clock.now(), [add_posting(house) for _ in range(number)]
    with write_session(house.engine) as session:
        intents = [intent(person, posting, now=now, **given) for posting in postings]
        intend_pushes(session, intents, served=frozenset({Channel.SMS}), now=now, keys=house.keys)
    return postings


def printed(house: House, **given: Any) -> list[PrintedSlip]:
    now = given.pop("now", house.clock.now())
    with write_session(house.engine) as session:
        return print_slips(session, areas=area_book(house), actor="clerk/k-1", now=now, keys=house.keys, **given)


def signed(house: House, code: str, marks: Any = None, **given: Any) -> Any:
    values: dict[str, Any] = {
        "calls": False,
        "actor": "clerk/k-1",
        "happened_at": house.clock.now() + HOUR,
        "now": house.clock.now() + 2 * HOUR,
        "keys": house.keys,
        **given,
    }
    with write_session(house.engine) as session:
        return take_signed_slip(session, code, marks or {}, **values)


def pushes_of(house: House) -> list[Push]:
    with read_session(house.engine) as session:
        found = list(session.scalars(select(Push).order_by(Push.id)))
        session.expunge_all()
        return found


def test_a_page_holds_the_jobs_where_one_asks_and_a_code_and_keeps_it_when_printed_again(
    house: House, visited: int
) -> None:
    (page,) = printed(house, broker="b-7")
    assert (page.worker_id, len(page.postings)) == (visited, MOST_POSTS)
    assert page.text.count("\n") < LINES
    with read_session(house.engine) as session:
        for posting in page.postings:
            row = session.get(Posting, posting)
            assert row is not None
            assert row.title in page.text
    for words in (page.code, "大昌镇便民服务中心，电话12333", "2026年12月1日", "离家2.3公里", "2800-3200元/月"):
        assert words in page.text
    assert printed(house, broker="b-7", now=house.clock.now() + HOUR) == [page]
    assert printed(house, district="500237") == [page]


def test_two_who_print_one_persons_page_at_once_print_one_slip(house: House, visited: int) -> None:
    barrier = Barrier(2)

    def print_it(_: int) -> str:
        barrier.wait()
        (page,) = printed(house, worker_id=visited)
        return page.code

    area_book(house)
    with ThreadPoolExecutor(2) as pool:
        codes = set(pool.map(print_it, range(2)))
    assert len(codes) == 1
    with read_session(house.engine) as session:
        assert len(session.scalars(select(Slip)).all()) == 1


def test_nobody_else_gets_a_page(house: House, visited: int) -> None:
    assert printed(house, broker="b-8") == []
    assert printed(house, district="500102") == []
    register(house)  # nothing waits for them
    assert [page.worker_id for page in printed(house)] == [visited]


def test_a_name_is_masked_on_paper_and_reading_it_is_audited(house: House) -> None:
    with write_session(house.engine) as session:
        (person,) = add_people(session, 1, keys=house.keys, channels=(), now=house.clock.now())
    push_each(house, person, 1)
    (page,) = printed(house, worker_id=person)
    assert page.text.startswith("样*，您好！")
    with read_session(house.engine) as session:
        row = session.scalars(select(AuditEntry).where(AuditEntry.action == "read_identity")).one()
    assert (row.actor, row.subject, row.why) == ("clerk/k-1", f"workers/{person}", "print a slip")


def test_what_was_texted_and_not_heard_of_is_printed_for_one_who_is_named_alone(house: House) -> None:
    with write_session(house.engine) as session:
        (person,) = add_people(session, 1, keys=house.keys, now=house.clock.now())
    push_each(house, person, 1)
    assert printed(house) == []
    assert [page.worker_id for page in printed(house, worker_id=person)] == [person]


@pytest.mark.usefixtures("visited")
def test_a_posting_that_is_over_is_not_printed(house: House) -> None:
    (page,) = printed(house)
    with write_session(house.engine) as session:
        for posting in page.postings:
            row = session.get(Posting, posting)
            assert row is not None
            row.valid_until = TODAY - timedelta(days=1)
    assert printed(house) == []


def test_a_signature_proves_that_all_arrived_and_marks_are_the_persons_answers(house: House, visited: int) -> None:
    (page,) = printed(house)
    taken = signed(house, page.code.lower(), {1: (Answer.INTERESTED, None), 2: (Answer.UNSUITABLE, None)})
    assert (taken.worker_id, list(taken.answers.values())) == (visited, [Answer.INTERESTED, Answer.UNSUITABLE, None])
    pushes = pushes_of(house)
    assert [push.state for push in pushes] == [PushState.ANSWERED, PushState.ANSWERED, PushState.DELIVERED]
    assert [push.why for push in pushes] == [None, Unsuitable.OTHER, None]
    with read_session(house.engine) as session:
        entries = [entry for entry in list_entries(session) if entry.kind in (EntryKind.PUSH, EntryKind.ANSWER)]
        assert [entry.kind for entry in entries] == [EntryKind.PUSH, EntryKind.ANSWER] * 3
        told = {(entry.evidence, entry.channel, entry.actor, entry.happened_at) for entry in entries}
        assert told == {(Grade.A, Channel.SLIP, "clerk/k-1", house.clock.now() + HOUR)}
        assert all(attempt.ready_at is None and attempt.done_at for attempt in session.scalars(select(Attempt)))
        assert [follow.answer for follow in session.scalars(select(FollowUp))] == [Answer.INTERESTED]
    assert printed(house) == []


@pytest.mark.usefixtures("visited")
def test_the_same_slip_again_changes_nothing(house: House) -> None:
    (page,) = printed(house)
    marks = {1: (Answer.CALL_ME, None)}
    first = signed(house, page.code, marks)
    with read_session(house.engine) as session:
        before = len(list_entries(session))
    assert signed(house, page.code, marks, now=house.clock.now() + 3 * HOUR) == first
    with read_session(house.engine) as session:
        assert len(list_entries(session)) == before


@pytest.mark.usefixtures("visited")
def test_who_asks_to_be_called_is_put_on_the_list(house: House) -> None:
    (page,) = printed(house)
    assert set(signed(house, page.code, calls=True).answers.values()) == {Answer.CALL_ME}
    with read_session(house.engine) as session:
        assert len(session.scalars(select(FollowUp)).all()) == MOST_POSTS


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"marks": {4: (Answer.INTERESTED, None)}}, "no_such_mark"),
        ({"happened_at": 3 * HOUR}, "in_future"),
        ({"happened_at": -HOUR}, "before_printing"),
        ({"actor": "somebody"}, "writer_wrong"),
    ],
)
@pytest.mark.usefixtures("visited")
def test_what_cannot_be_is_told_and_nothing_is_written(house: House, given: dict[str, Any], code: str) -> None:
    (page,) = printed(house)
    if "happened_at" in given:
        given = {"happened_at": house.clock.now() + given["happened_at"]}
    with pytest.raises(Invalid) as refused:
        signed(house, page.code, **given)
    assert [field.code for field in refused.value.fields] == [code]
    assert {push.state for push in pushes_of(house)} == {PushState.QUEUED}


@pytest.mark.usefixtures("visited")
def test_codes_that_are_none_and_people_who_are_not_there_are_told(house: House) -> None:
    (page,) = printed(house)
    wrong = page.code[:-1] + ("2" if page.code[-1] != "2" else "3")
    for code in (wrong, "", "1", "999999-ABCD-EFGH", "９" * 30):
        with pytest.raises(SlipUnknown):
            signed(house, code)
    with pytest.raises(BrokerUnknown):
        printed(house, broker="b-9")
    with pytest.raises(DistrictUnknown):
        printed(house, district="500999")
    with pytest.raises(WorkerUnknown):
        printed(house, worker_id=999_999)
