"""Sealing what reporters wrote before their words were sealed.

A migration has no key, so it leaves the words where they are; and a process of the version before writes plain text
until it is stopped. This loop finds both.
"""

import logging

from app.background.loops import Loop
from app.kit.database import write_session
from app.usecases.postings import seal_words
from app.wiring import House

_LOG = logging.getLogger("jiujin.background")

EVERY_S = 3_600.0
REPORTS_AT_ONCE = 500  # a transaction; others who write wait for its end


def seal_plain_words(house: House) -> int:
    """Seal all words that still stand in plain text; the number of reports."""
    sealed = 0
    while True:
        with write_session(house.engine) as session:
            done = seal_words(session, keys=house.keys, limit=REPORTS_AT_ONCE)
        sealed += done
        if done < REPORTS_AT_ONCE:
            break
    if sealed:
        _LOG.info("sealed the words of %d reports", sealed)
    return sealed


def sealing_loop(house: House) -> Loop:
    """The loop that seals at start and once an hour."""
    return Loop("sealing", EVERY_S, lambda: seal_plain_words(house))
