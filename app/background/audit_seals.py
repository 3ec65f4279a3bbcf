"""Giving acts of the audit their places, minutes after they were written, and having the ledger vouch for them."""

import logging

from app.background.loops import Loop
from app.kit.database import read_session, write_session
from app.usecases.audit_seals import ACTS_AT_ONCE, are_acts_waiting, seal_acts
from app.wiring import House

_LOG = logging.getLogger("jiujin.background")

EVERY_S = 300.0


def seal_waiting_acts(house: House) -> int:
    """Seal all acts that wait; how many.

    Raises:
        AuditDiffers: the places are not those that the ledger has sealed; nothing more is until somebody has looked.
    """
    sealed = 0
    with read_session(house.engine) as session:
        # Asked by a reader, who waits for nobody: at night there is nothing to write.
        is_last = not are_acts_waiting(session)
    while not is_last:
        with write_session(house.engine) as session:
            done = seal_acts(session, now=house.clock.now(), keys=house.keys)
        sealed, is_last = sealed + done, done < ACTS_AT_ONCE
    if sealed:
        _LOG.info("sealed %d acts of the audit", sealed)
    return sealed


def audit_sealing_loop(house: House) -> Loop:
    """The loop that seals every few minutes."""
    return Loop("audit_sealing", EVERY_S, lambda: seal_waiting_acts(house))
