"""The matchmaker follows the database, and is loaded as soon as there is something to load."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from app.background.refresh import EVERY_S, Follower, refresh_loop
from app.domain.areas import AreaLevel
from app.domain.postings import PostingState
from app.kit.clock import FixedClock
from app.kit.database import open_engine, write_session
from app.store.areas import Area
from app.store.postings import Posting
from app.usecases.matchmaking import Matchmaker
from app.wiring import House
from seed.reference import load_reference
from tests.houses import add_posting, with_matchmaker


def test_it_loads_once_and_then_follows(house: House) -> None:
    loaded: list[Matchmaker] = []
    first = add_posting(house)
    follower = Follower(house, loaded.append)
    follower.step()
    assert len(loaded) == 1
    matchmaker = loaded[0]
    assert matchmaker.card(first) is not None

    second = add_posting(house, changed_at=house.clock.now())
    with write_session(house.engine) as session:
        posting = session.get_one(Posting, first)
        posting.state, posting.changed_at = PostingState.REVIEW, house.clock.now()
    follower.step()
    assert matchmaker.card(first) is None
    assert matchmaker.card(second) is not None
    assert len(loaded) == 1


def test_until_there_is_reference_data_it_waits_and_says_so_once(
    house: House, database: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="jiujin.background")
    loaded: list[Matchmaker] = []
    follower = Follower(replace(house, engine=database), loaded.append)
    follower.step()
    follower.step()
    assert loaded == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    load_reference(database, now=house.clock.now(), report=lambda _name, _rows: None)
    follower.step()
    assert len(loaded) == 1


def test_a_matchmaker_that_is_there_is_not_loaded_again(house: House) -> None:
    ready = with_matchmaker(house)
    loaded: list[Matchmaker] = []
    follower = Follower(ready, loaded.append)
    new = add_posting(house, changed_at=house.clock.now())
    follower.step()
    assert loaded == []
    assert ready.matchmaker is not None
    assert ready.matchmaker.card(new) is not None


def test_each_day_it_is_read_anew(house: House, clock: FixedClock) -> None:
    """A code that begins to hold on a day is known on that day."""
    add_posting(house)
    with write_session(house.engine) as session:
        tomorrow = clock.today() + timedelta(days=1)
        session.add(
            Area(
                code="500237999",
                name="新街道",
                short_name="新",
                level=AreaLevel.TOWNSHIP,
                parent_code="500237",
                valid_from=tomorrow,
            )
        )
    ready = with_matchmaker(house)
    loaded: list[Matchmaker] = []
    follower = Follower(ready, loaded.append)
    follower.step()
    assert loaded == []
    clock.advance(timedelta(days=1))
    follower.step()
    follower.step()
    assert [matchmaker.areas.find("500237999") is not None for matchmaker in loaded] == [True]
    assert ready.matchmaker is not None
    assert ready.matchmaker.areas.find("500237999") is None


def test_what_expires_at_midnight_goes_even_without_the_database(house: House, clock: FixedClock) -> None:
    last_day = add_posting(house, valid_until=clock.today())
    stays = add_posting(house)
    ready = with_matchmaker(house)
    assert ready.matchmaker is not None
    follower = Follower(replace(ready, engine=open_engine("sqlite:////nowhere/at/all.db")), lambda _: None)
    clock.advance(timedelta(hours=14))
    with pytest.raises(Exception, match="unable to open"):
        follower.step()
    assert ready.matchmaker.card(last_day) is None
    assert ready.matchmaker.card(stays) is not None


def test_it_follows_within_seconds(house: House) -> None:
    loop = refresh_loop(house, lambda _: None)
    assert loop.every_s == EVERY_S <= 2
