"""What has run out is closed within the minute after its last day ends in China."""

from datetime import timedelta

from app.background.expiry import EVERY_S, close_expired, expiry_loop
from app.domain.postings import PostingState
from app.kit.clock import FixedClock
from app.kit.database import read_session
from app.store.postings import Posting
from app.wiring import House
from tests.houses import add_posting


def state_of(house: House, posting_id: int) -> tuple[PostingState, str]:
    with read_session(house.engine) as session:
        posting = session.get_one(Posting, posting_id)
        return posting.state, posting.closed_reason


def test_the_last_day_belongs_to_the_posting(house: House, clock: FixedClock) -> None:
    posting_id = add_posting(house, valid_until=clock.today())
    clock.advance(timedelta(hours=13, minutes=59, seconds=59))
    assert close_expired(house) == 0
    assert state_of(house, posting_id) == (PostingState.OPEN, "")
    clock.advance(timedelta(seconds=1))
    assert close_expired(house) == 1
    assert state_of(house, posting_id) == (PostingState.CLOSED, "expired")
    assert close_expired(house) == 0


def test_readers_of_changes_see_it(house: House, clock: FixedClock) -> None:
    posting_id = add_posting(house, valid_until=clock.today() - timedelta(days=1))
    close_expired(house)
    with read_session(house.engine) as session:
        assert session.get_one(Posting, posting_id).changed_at == clock.now()


def test_what_is_paused_runs_out_too_and_nothing_else_is_touched(house: House, clock: FixedClock) -> None:
    yesterday = clock.today() - timedelta(days=1)
    paused = add_posting(house, state=PostingState.PAUSED, valid_until=yesterday)
    untouched = {
        state: add_posting(house, state=state, valid_until=yesterday)
        for state in (PostingState.DRAFT, PostingState.REVIEW, PostingState.HISTORICAL)
    }
    endless = add_posting(house, valid_until=None)
    assert close_expired(house) == 1
    assert state_of(house, paused)[0] is PostingState.CLOSED
    assert state_of(house, endless)[0] is PostingState.OPEN
    assert {state: state_of(house, posting_id)[0] for state, posting_id in untouched.items()} == {
        state: state for state in untouched
    }


def test_it_looks_twice_a_minute(house: House, clock: FixedClock) -> None:
    posting_id = add_posting(house, valid_until=clock.today() - timedelta(days=1))
    loop = expiry_loop(house)
    assert loop.every_s == EVERY_S <= 30
    loop.step()
    assert state_of(house, posting_id)[0] is PostingState.CLOSED
