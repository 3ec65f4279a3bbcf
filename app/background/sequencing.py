"""Giving new entries of the ledger their places, seconds after they were written, and keeping the day's checkpoint.

Transactions of PostgreSQL commit out of order, so an id that was passed over may turn up later. Each run looks some
way back from where the last one ended; once an hour it looks at all.
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.background.loops import Loop
from app.exchange.checkpoints import keep_checkpoint, read_largest
from app.kit.database import read_session, write_session
from app.usecases.sequencing import are_waiting, newest_note, require_outside, sequence_entries
from app.wiring import House

_LOG = logging.getLogger("jiujin.background")

EVERY_S = 5.0
ENTRIES_AT_ONCE = 5_000  # a transaction; on SQLite others who write wait for its end, here about half a second
LOOK_BACK = 100_000  # ids
LOOK_AT_ALL_EVERY = timedelta(hours=1)


@dataclass
class Sequencer:
    """Sequences whatever waits. Remembers how far it has looked and of which unfit entries it has told."""

    house: House
    at_once: int = ENTRIES_AT_ONCE
    look_back: int = LOOK_BACK
    _looked_at_all: datetime | None = field(default=None, init=False)
    _looked_up_to: int = field(default=0, init=False)
    _told: set[int] = field(default_factory=set, init=False)

    def run(self) -> int:
        """Give all waiting entries their places; how many. Writes the day's checkpoint into the data folder.

        Raises:
            LedgerDiffers: the tree is not the one that was signed; nothing more is signed until somebody has looked.
            CheckpointKept: a file in the folder holds no checkpoint, or one that this tree's cannot follow.
        """
        house, folder = self.house, self.house.settings.checkpoints
        now = house.clock.now()
        is_full = self._looked_at_all is None or now - self._looked_at_all >= LOOK_AT_ALL_EVERY
        outside = read_largest(folder)
        with read_session(house.engine) as session:
            if outside is not None:
                # Also when nothing waits: the day's file of a tree that was put back would pass for the newest.
                require_outside(session, outside, keys=house.keys)
            after = 0 if is_full else max(0, self._looked_up_to - self.look_back)
            # Asked by a reader, who waits for nobody: mostly there is nothing to write.
            is_last = not are_waiting(session, after=after)
        sequenced = 0
        while not is_last:
            with write_session(house.engine) as session:
                batch = sequence_entries(
                    session, after=after, limit=self.at_once, outside=outside, now=now, keys=house.keys
                )
            sequenced, after, is_last = sequenced + batch.sequenced, batch.last_id, batch.is_last
            self._looked_up_to = max(self._looked_up_to, after)
            self._tell(batch.unfit)
        if is_full:
            self._looked_at_all = now
        with read_session(house.engine) as session:
            note = newest_note(session)
        if note is not None:
            keep_checkpoint(folder, note, today=house.clock.today())
        if sequenced:
            _LOG.info("gave %d ledger entries their places", sequenced)
        return sequenced

    def _tell(self, unfit: tuple[int, ...]) -> None:
        for entry_id in unfit:
            if entry_id not in self._told:
                self._told.add(entry_id)
                _LOG.error("ledger entry %d does not fit its commitment and gets no place", entry_id)


def sequencing_loop(house: House) -> Loop:
    """The loop that sequences every few seconds."""
    return Loop("sequencing", EVERY_S, Sequencer(house).run)
