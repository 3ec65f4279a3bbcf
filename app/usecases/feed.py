"""The public feed of postings: what changed behind a cursor, without missing what is committed late.

A row's `changed_at` is told before its transaction commits. A reader who takes everything up to this moment and comes
back for what lies behind it would never see a row that was stamped earlier and committed later. So the feed ends a
little in the past, at an instant before which nothing can appear any more. That holds only if a writer asks the clock
shortly before it commits: whoever works for long stamps its rows anew at the end (`store.postings.restamp_postings`).
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.store import occupations as occupations_store
from app.store import postings as store
from app.usecases.areas import AreaBook
from app.usecases.postings import PostingCard, card_of, is_listed_on

MARGIN = timedelta(seconds=5)
"""What a transaction may take between asking the clock for its stamp and committing, beyond waiting for a lock."""

# https://www.postgresql.org/docs/current/monitoring-stats.html: a role sees the transactions of its own sessions.
_OLDEST_TRANSACTION = text(
    "SELECT min(xact_start) FROM pg_stat_activity"
    " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """A posting that changed; `card` is None when job-seekers no longer see it."""

    id: int
    changed_at: datetime
    card: PostingCard | None

    @property
    def position(self) -> tuple[datetime, int]:
        """Where the feed goes on behind this entry."""
        return self.changed_at, self.id


def settled_until(session: Session, *, now: datetime, lock_timeout: timedelta) -> datetime:
    """The latest instant up to which the feed is whole: nothing stamped at or before it can still be committed.

    A writer waits for a lock at most `lock_timeout` after asking the clock and is then given `MARGIN`. An import takes
    longer and begins before its transaction does: it asks the clock again for the stamp of its rows as the last thing
    before it commits. PostgreSQL also tells when the oldest transaction under way began, so that a slow commit holds
    the feed back; on SQLite nothing does, and the last stamp and the commit have to fit into `MARGIN`.
    """
    until = now
    if session.get_bind().dialect.name == "postgresql":
        oldest = session.scalar(_OLDEST_TRANSACTION)
        until = min(now, oldest) if oldest is not None else now
    return until - lock_timeout - MARGIN


def list_changes(
    session: Session,
    *,
    after: tuple[datetime, int] | None,
    until: datetime,
    limit: int,
    areas: AreaBook,
    occupations: dict[str, occupations_store.Occupation],
    today: date,
) -> list[FeedEntry]:
    """Postings changed behind a position (instant, id) and not after `until`, in that order, at most `limit`."""
    return [
        FeedEntry(
            id=posting.id,
            changed_at=posting.changed_at,
            card=(
                card_of(posting, employer, areas=areas, occupations=occupations)
                if is_listed_on(posting, today)
                else None
            ),
        )
        for posting, employer in store.list_changed_postings(session, after=after, until=until, limit=limit)
    ]


def load_occupations(session: Session) -> dict[str, occupations_store.Occupation]:
    """All occupations by code, for the cards of a feed."""
    return {occupation.code: occupation for occupation in occupations_store.list_occupations(session)}
