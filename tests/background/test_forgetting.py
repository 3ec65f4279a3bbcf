"""Answers kept for Idempotency-Key are forgotten after a day, not before."""

from datetime import timedelta

from app.background.forgetting import forgetting_loop
from app.kit.clock import FixedClock
from app.kit.database import write_session
from app.usecases.idempotency_keys import do_once
from app.wiring import House


def ask(house: House, key: str) -> bool:
    """Do a deed under a key; whether it was answered from memory."""
    with write_session(house.engine) as session:
        return do_once(
            session, lambda: (201, b"{}"), route="/deeds", key=key, request=b"{}", now=house.clock.now()
        ).is_replay


def test_an_answer_is_kept_for_a_day(house: House, clock: FixedClock) -> None:
    loop = forgetting_loop(house)
    assert not ask(house, "one")
    clock.advance(timedelta(hours=24))
    loop.step()
    assert ask(house, "one")
    clock.advance(timedelta(microseconds=1))
    loop.step()
    assert not ask(house, "one")
