"""Keeping the matchmaker at what the database holds: in every process that answers from memory.

The first step loads it if nobody has; until the reference data is there it tries again and the process is not ready.
Changes of postings are followed; what else it was made from (areas in force, words, going rates) is read anew each day.
"""

import logging
from collections.abc import Callable
from datetime import date

from app.background.loops import Loop
from app.kit.database import read_session
from app.usecases.matchmaking import Matchmaker
from app.wiring import House, load_matchmaker

_LOG = logging.getLogger("jiujin.background")

EVERY_S = 2.0


class Follower:
    """Loads the matchmaker and follows the database; `take_in` gets each one that was loaded, one a day."""

    def __init__(self, house: House, take_in: Callable[[Matchmaker], None]) -> None:
        self._house = house
        self._take_in = take_in
        self._matchmaker = house.matchmaker
        self._loaded_on = house.clock.today()
        self._has_told = False

    def step(self) -> None:
        """Load or refresh once."""
        today = self._house.clock.today()
        if self._matchmaker is not None:
            # First without the database: what expired at midnight goes, even if the database is away.
            self._matchmaker.age_out(today)
        if self._matchmaker is None or today != self._loaded_on:
            self._load(today)
            return
        with read_session(self._house.engine) as session:
            self._matchmaker.refresh(session, today=today, now=self._house.clock.now())

    def _load(self, today: date) -> None:
        try:
            self._matchmaker = load_matchmaker(self._house)
        except LookupError as missing:
            if not self._has_told:
                _LOG.warning("waiting for the reference data: %s", missing)
                self._has_told = True
            return
        self._loaded_on = today
        self._take_in(self._matchmaker)
        _LOG.info("index built")


def refresh_loop(house: House, take_in: Callable[[Matchmaker], None]) -> Loop:
    """The loop that follows the database every two seconds."""
    return Loop("refresh", EVERY_S, Follower(house, take_in).step)
