"""Counting tries before the deed, in a transaction of its own: what is refused or fails afterwards has been tried.

If tries cannot be counted, nothing may be tried: whoever asks gets the database's own error (fails closed).
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Engine

from app.domain.tries import Limit
from app.kit.database import write_session
from app.kit.errors import TooManyRequests
from app.kit.keys import KeyRing, keyed_digests
from app.store.tries import forget_tries as forget
from app.store.tries import hold_tries

EVERYBODY = ""
"""The subject of a limit that holds for all together."""


def count_try(engine: Engine, tried: Mapping[Limit, str], *, keys: KeyRing, now: datetime) -> None:
    """Count one try under several limits, or refuse it under all: a refused one counts for nothing.

    Args:
        engine: the try is committed by itself, before whatever is tried.
        tried: by limit whose try it is, such as a phone or a network; it is kept as a keyed digest that no rotation
            changes.
        keys: makes the digests.
        now: when.

    Raises:
        TooManyRequests: a limit is reached; with the longest wait of all that are.
        app.kit.errors.Busy: too many at once count for the same subject.
    """
    pairs = {limit: (limit.name, _subject(keys, limit, who)) for limit, who in tried.items()}
    with write_session(engine) as session:
        held = hold_tries(session, list(pairs.values()), now=now)
        counts = {
            limit: {int(part): count for part, count in held[pair].counts.items()} for limit, pair in pairs.items()
        }
        waits = [limit.wait_s(counts[limit], now=now) for limit in pairs]
        refused = max((wait for wait in waits if wait is not None), default=None)
        if refused is None:
            for limit, pair in pairs.items():
                kept, here = limit.counted(counts[limit], now=now), limit.part(now)
                kept[here] = kept.get(here, 0) + 1
                held[pair].counts = {str(part): count for part, count in kept.items()}
                held[pair].forget_at = now + 2 * limit.within
    if refused is not None:
        raise TooManyRequests(retry_after_s=refused)


def take_back_try(engine: Engine, tried: Mapping[Limit, str], *, keys: KeyRing, now: datetime) -> None:
    """Let a try that was counted at this instant not have been one: it went well, and only the others count."""
    pairs = {limit: (limit.name, _subject(keys, limit, who)) for limit, who in tried.items()}
    with write_session(engine) as session:
        held = hold_tries(session, list(pairs.values()), now=now)
        for limit, pair in pairs.items():
            part = str(limit.part(now))
            held[pair].counts = {
                each: count - (each == part) for each, count in held[pair].counts.items() if count > (each == part)
            }


def forget_tries(engine: Engine, *, now: datetime) -> None:
    """Drop what counts no more."""
    with write_session(engine) as session:
        forget(session, now=now)


def _subject(keys: KeyRing, limit: Limit, who: str) -> str:
    return keyed_digests(keys, who, purpose=f"tries|{limit.name}")[-1]
