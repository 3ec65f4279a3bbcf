"""Forgetting what has served: answers kept for Idempotency-Key, codes and tries; and what was kept for its period."""

from app.background.loops import Loop
from app.kit.database import write_session
from app.usecases.idempotency_keys import forget_answers
from app.usecases.phone_codes import forget_codes
from app.usecases.retentions import forget_kept
from app.usecases.tries import forget_tries
from app.wiring import House

EVERY_S = 3_600.0


def forget_old(house: House) -> None:
    """Drop answers older than a day, what let people in and is over, and all that has been kept for its period."""
    with write_session(house.engine) as session:
        forget_answers(session, now=house.clock.now())
    with write_session(house.engine) as session:
        forget_codes(session, now=house.clock.now())
    with write_session(house.engine) as session:
        forget_kept(session, now=house.clock.now())
    forget_tries(house.engine, now=house.clock.now())


def forgetting_loop(house: House) -> Loop:
    """The loop that forgets once an hour."""
    return Loop("forgetting", EVERY_S, lambda: forget_old(house))
