"""Closing what has run out: a posting is off the lists within the minute after its last day ends in China."""

import logging

from app.background.loops import Loop
from app.kit.database import write_session
from app.usecases.postings import close_expired_postings
from app.wiring import House

_LOG = logging.getLogger("jiujin.background")

EVERY_S = 30.0


def close_expired(house: House) -> int:
    """Close what has run out by today; the number closed."""
    with write_session(house.engine) as session:
        closed = close_expired_postings(session, today=house.clock.today(), now=house.clock.now())
    if closed:
        _LOG.info("closed %d expired postings", closed)
    return closed


def expiry_loop(house: House) -> Loop:
    """The loop that closes expired postings every half minute."""
    return Loop("expiry", EVERY_S, lambda: close_expired(house))
