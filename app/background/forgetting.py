"""Forgetting answers kept for Idempotency-Key once no client will ask for them again."""

from app.background.loops import Loop
from app.kit.database import write_session
from app.usecases.idempotency_keys import forget_answers
from app.wiring import House

EVERY_S = 3_600.0


def forget_old_answers(house: House) -> None:
    """Drop answers older than a day."""
    with write_session(house.engine) as session:
        forget_answers(session, now=house.clock.now())


def forgetting_loop(house: House) -> Loop:
    """The loop that forgets once an hour."""
    return Loop("forgetting", EVERY_S, lambda: forget_old_answers(house))
