"""Keeping the matchmaker at what the database holds: in every process that answers from memory.

The first step loads it if nobody has; until the reference data is there it tries again and the process is not ready.
"""

import logging
from collections.abc import Callable

from app.background.loops import Loop
from app.kit.database import read_session
from app.usecases.matchmaking import Matchmaker
from app.wiring import House, load_matchmaker

_LOG = logging.getLogger("jiujin.background")

EVERY_S = 2.0


class Follower:
    """Loads the matchmaker once and then follows the database; `take_in` gets it when it is loaded."""

    def __init__(self, house: House, take_in: Callable[[Matchmaker], None]) -> None:
        self._house = house
        self._take_in = take_in
        self._matchmaker = house.matchmaker
        self._has_told = False

    def step(self) -> None:
        """Load or refresh once."""
        clock = self._house.clock
        if self._matchmaker is None:
            self._load()
            return
        today = clock.today()
        # First without the database: what expired at midnight goes, even if the database is away.
        self._matchmaker.age_out(today)
        with read_session(self._house.engine) as session:
            self._matchmaker.refresh(session, today=today, now=clock.now())

    def _load(self) -> None:
        try:
            self._matchmaker = load_matchmaker(self._house)
        except LookupError as missing:
            if not self._has_told:
                _LOG.warning("waiting for the reference data: %s", missing)
                self._has_told = True
            return
        self._take_in(self._matchmaker)
        _LOG.info("index built")


def refresh_loop(house: House, take_in: Callable[[Matchmaker], None]) -> Loop:
    """The loop that follows the database every two seconds."""
    return Loop("refresh", EVERY_S, Follower(house, take_in).step)
