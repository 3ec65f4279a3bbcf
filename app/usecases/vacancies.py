"""Places of a posting that are still to be had: what the employer asked for, less whoever holds one by the ledger."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from app.store.ledger import list_takers
from app.store.postings import Posting


def places_left(
    session: Session, postings: Iterable[Posting], *, worker_id: int | None = None, at: datetime | None = None
) -> dict[int, int]:
    """How many places each of these postings has left, by its id; one question to the database for all of them.

    A place is held by everybody who has begun to work there and by everybody who was placed there by priority (plan
    8.9), each once, until the entry that says so is struck.

    Args:
        session: only read.
        postings: what is asked about.
        worker_id: for whom; a place that they hold themselves is left for them.
        at: as of when, None for now.
    """
    asked = list(postings)
    takers = list_takers(session, [posting.id for posting in asked], at=at)
    return {
        posting.id: max(0, posting.openings - len(takers.get(posting.id, set()) - {worker_id})) for posting in asked
    }
