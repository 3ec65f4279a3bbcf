"""What has served is forgotten in its time and not before: answers, receipts, codes, sessions."""

from datetime import timedelta

from sqlalchemy import select

from app.background.forgetting import forgetting_loop
from app.domain.ledger import Channel
from app.domain.permissions import Role
from app.domain.phone_codes import CodePurpose
from app.domain.retentions import DEFAULT_DAYS, Kept
from app.domain.sessions import STAYS
from app.kit.clock import FixedClock
from app.kit.database import read_session, write_session
from app.store.phone_codes import PhoneCode
from app.store.pushes import Receipt
from app.store.sessions import LoginSession
from app.store.tries import Tries
from app.usecases.idempotency_keys import do_once
from app.usecases.phone_codes import ask_code, let_in_by_code
from app.usecases.receipts import apply_receipts, store_receipt
from app.usecases.sessions import Arrival
from app.wiring import House
from tests.deliveries import Teller, add_people, post_of


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
    clock.advance(timedelta(days=DEFAULT_DAYS[Kept.RECEIPTS]))
    loop.step()
    assert kept() == 2
    clock.advance(timedelta(microseconds=1))
    loop.step()
    assert kept() == 1


def test_codes_are_forgotten_after_a_day_and_sessions_half_a_year_after_their_end(
    house: House, clock: FixedClock
) -> None:
    with write_session(house.engine) as session:
        add_people(session, 1, keys=house.keys, phone="19900000007")
    teller = Teller()
    ticket = ask_code(
        house.engine,
        "19900000007",
        purpose=CodePurpose.SEEKER,
        network="10.0.0.1",
        device=None,
        senders=[teller],
        keys=house.keys,
        now=clock.now(),
    )
    arrival = Arrival(network="10.0.0.1", agent="")
    let_in_by_code(
        house.engine, ticket, teller.sent[0].values["code"], arrival=arrival, keys=house.keys, now=clock.now()
    )

    def kept() -> tuple[int, int, bool]:
        with read_session(house.engine) as session:
            codes, sessions = session.scalars(select(PhoneCode)).all(), session.scalars(select(LoginSession)).all()
            return len(codes), len(sessions), session.scalars(select(Tries)).first() is not None

    loop = forgetting_loop(house)
    loop.step()
    assert kept() == (1, 1, True)
    clock.advance(timedelta(days=3))
    loop.step()
    assert kept() == (0, 1, False)
    clock.advance(STAYS[Role.SEEKER].total + timedelta(days=DEFAULT_DAYS[Kept.SESSIONS]))
    loop.step()
    assert kept() == (0, 0, False)
