"""Answers kept for Idempotency-Key are forgotten after a day, receipts after half a year, none before."""

from datetime import timedelta

from sqlalchemy import select

from app.background.forgetting import forgetting_loop
from app.domain.ledger import Channel
from app.kit.clock import FixedClock
from app.kit.database import read_session, write_session
from app.store.pushes import Receipt
from app.usecases.idempotency_keys import do_once
from app.usecases.receipts import KEPT_FOR, apply_receipts, store_receipt
from app.wiring import House
from tests.deliveries import Teller, post_of


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


def test_what_a_provider_told_is_kept_for_half_a_year_after_it_was_done_with(house: House, clock: FixedClock) -> None:
    def tell(body: bytes) -> None:
        with write_session(house.engine) as session:
            store_receipt(session, channel=Channel.SMS, provider="gone", body=body, now=clock.now(), keys=house.keys)

    def kept() -> int:
        with read_session(house.engine) as session:
            return len(session.scalars(select(Receipt.id)).all())

    tell(b"done with")
    clock.advance(timedelta(days=1))
    with write_session(house.engine) as session:
        apply_receipts(session, post_of(Teller()), readers={}, now=clock.now(), keys=house.keys, chance=lambda: 0.5)
    tell(b"not looked at yet")
    loop = forgetting_loop(house)
    clock.advance(KEPT_FOR)
    loop.step()
    assert kept() == 2
    clock.advance(timedelta(microseconds=1))
    loop.step()
    assert kept() == 1
