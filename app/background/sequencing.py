"""Giving new entries of the ledger their places, seconds after they were written, and keeping the day's checkpoint.

Transactions of PostgreSQL commit out of order, so an id that was passed over may turn up later. Each run looks some
way back from the newest entry that has a place; once an hour it begins to look at all before that as well, a slice of
ids a run: at once would take longer than a statement may.
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.background.loops import Loop
from app.exchange.checkpoints import keep_checkpoint, read_largest
from app.kit.database import read_session, write_session
from app.usecases.sequencing import are_waiting, newest_note, newest_sequenced, require_outside, sequence_entries
from app.wiring import House

_LOG = logging.getLogger("jiujin.background")

EVERY_S = 5.0
ENTRIES_AT_ONCE = 5_000  # a transaction; on SQLite others who write wait for its end, here about half a second
LOOK_BACK = 100_000  # ids
SLICE = 500_000  # ids of those further back that one run looks at
LOOK_AT_ALL_EVERY = timedelta(hours=1)


@dataclass
class Sequencer:
    """Sequences whatever waits. Remembers how far it has looked and of which unfit entries it has told."""

    house: House
    at_once: int = ENTRIES_AT_ONCE
    look_back: int = LOOK_BACK
    slice: int = SLICE
    _began_to_look_at_all: datetime | None = field(default=None, init=False)
    _slice_after: int | None = field(default=None, init=False)
    _looked_up_to: int = field(default=0, init=False)
    _told: set[int] = field(default_factory=set, init=False)

    def run(self) -> int:
        """Give all waiting entries their places; how many. Writes the day's checkpoint into the data folder.

        New entries have theirs, and the checkpoint stands, before those further back are looked at: whatever becomes of
        that look.

        Raises:
            LedgerDiffers: the tree is not the one that was signed; nothing more is signed until somebody has looked.
            CheckpointKept: a file in the folder holds no checkpoint, or one that this tree's cannot follow.
        """
        house = self.house
        now, outside = house.clock.now(), read_largest(house.settings.checkpoints)
        with read_session(house.engine) as session:
            if outside is not None:
                # Also when nothing waits: the day's file of a tree that was put back would pass for the newest.
                require_outside(session, outside, keys=house.keys)
            self._looked_up_to = max(self._looked_up_to, newest_sequenced(session))
        start = max(0, self._looked_up_to - self.look_back)
        sequenced = self._sequence(after=start, up_to=None, outside=outside, now=now)
        self._keep_checkpoint()
        if late := self._look_further_back(start, outside=outside, now=now):
            self._keep_checkpoint()
        if sequenced + late:
            _LOG.info("gave %d ledger entries their places", sequenced + late)
        return sequenced + late

    def _sequence(self, *, after: int, up_to: int | None, outside: str | None, now: datetime) -> int:
        house, sequenced = self.house, 0
        with read_session(house.engine) as session:
            # Asked by a reader, who waits for nobody: mostly there is nothing to write.
            is_last = not are_waiting(session, after=after, up_to=up_to)
        while not is_last:
            with write_session(house.engine) as session:
                batch = sequence_entries(
                    session, after=after, up_to=up_to, limit=self.at_once, outside=outside, now=now, keys=house.keys
                )
            sequenced, after, is_last = sequenced + batch.sequenced, batch.last_id, batch.is_last
            self._tell(batch.unfit)
        return sequenced

    def _look_further_back(self, start: int, *, outside: str | None, now: datetime) -> int:
        """Sequence what has turned up in the next slice of ids before the usual look; how many."""
        if self._slice_after is None:
            began = self._began_to_look_at_all
            if began is not None and now - began < LOOK_AT_ALL_EVERY:
                return 0
            self._slice_after, self._began_to_look_at_all = 0, now
        up_to = min(self._slice_after + self.slice, start)
        found = self._sequence(after=self._slice_after, up_to=up_to, outside=outside, now=now)
        self._slice_after = up_to if up_to < start else None
        return found

    def _keep_checkpoint(self) -> None:
        with read_session(self.house.engine) as session:
            note = newest_note(session)
        if note is not None:
            keep_checkpoint(self.house.settings.checkpoints, note, today=self.house.clock.today())

    def _tell(self, unfit: tuple[int, ...]) -> None:
        for entry_id in unfit:
            if entry_id not in self._told:
                self._told.add(entry_id)
                _LOG.error("ledger entry %d does not fit its commitment and gets no place", entry_id)


def sequencing_loop(house: House) -> Loop:
    """The loop that sequences every few seconds."""
    return Loop("sequencing", EVERY_S, Sequencer(house).run)
