"""Who has been let in, until when: a session each, of whose token only the digest is kept."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, ForeignKey, String, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.permissions import Role
from app.domain.sessions import LetInBy, SessionEnd
from app.kit.database import Base


class LoginSession(Base):
    """One stay of somebody. Exactly one of `account_id`, `worker_id` and `employer_id` says who.

    `let_in_by` is what they showed; `actor` who let them in where that was not themselves (a kiosk, a clerk). `idle_s`
    is how long it lasts without a request, `ends_at` when it ends at the latest, `factor_at` when a second factor was
    last shown. `network` and `agent` are told to the person alone, the first cut short.
    """

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[Role]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    worker_id: Mapped[int | None] = mapped_column(ForeignKey("workers.id", ondelete="CASCADE"), index=True)
    employer_id: Mapped[int | None] = mapped_column(ForeignKey("employers.id", ondelete="CASCADE"), index=True)
    let_in_by: Mapped[LetInBy]
    actor: Mapped[str | None] = mapped_column(String(60), index=True)
    opened_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    idle_s: Mapped[int]
    ends_at: Mapped[datetime] = mapped_column(index=True)
    factor_at: Mapped[datetime | None]
    network: Mapped[str] = mapped_column(String(40))
    agent: Mapped[str] = mapped_column(String(60))
    ended_at: Mapped[datetime | None]
    ended_how: Mapped[SessionEnd | None]


def add_login(session: Session, login: LoginSession) -> None:
    """Keep a new session."""
    session.add(login)
    session.flush()


def find_login(session: Session, digest: str) -> LoginSession | None:
    """A session by the digest of its token, whether it still holds or not."""
    return session.scalars(select(LoginSession).where(LoginSession.digest == digest)).one_or_none()


def touch_login(session: Session, login_id: int, *, now: datetime) -> None:
    """Note that somebody is still there."""
    session.execute(update(LoginSession).where(LoginSession.id == login_id).values(seen_at=now))


def note_factor(session: Session, login_id: int, *, now: datetime) -> None:
    """Note that a second factor was shown."""
    session.execute(update(LoginSession).where(LoginSession.id == login_id).values(factor_at=now))


def list_logins(session: Session, *, now: datetime, limit: int, **whose: int | None) -> Sequence[LoginSession]:
    """The sessions of somebody that have not ended, newest first. `whose` is one of the three columns that say who."""
    chosen = select(LoginSession).where(*_whose(whose), LoginSession.ended_at.is_(None), LoginSession.ends_at > now)
    return session.scalars(chosen.order_by(LoginSession.id.desc()).limit(limit)).all()


def list_logins_ever(session: Session, *, worker_id: int) -> Sequence[LoginSession]:
    """Every session of a worker that is still on record, oldest first."""
    return session.scalars(
        select(LoginSession).where(LoginSession.worker_id == worker_id).order_by(LoginSession.id)
    ).all()


def end_logins(
    session: Session,
    *,
    how: SessionEnd,
    now: datetime,
    login_id: int | None = None,
    but: int | None = None,
    **whose: int | None,
) -> int:
    """End the sessions of somebody, or one of them, or all but one; how many had not ended."""
    ending = update(LoginSession).where(*_whose(whose), LoginSession.ended_at.is_(None), LoginSession.ends_at > now)
    if login_id is not None:
        ending = ending.where(LoginSession.id == login_id)
    if but is not None:
        ending = ending.where(LoginSession.id != but)
    return session.connection().execute(ending.values(ended_at=now, ended_how=how)).rowcount


def end_logins_by(session: Session, actor: str, *, how: SessionEnd, now: datetime) -> int:
    """End all sessions into which somebody else let people, such as a kiosk; how many had not ended."""
    ending = update(LoginSession).where(
        LoginSession.actor == actor, LoginSession.ended_at.is_(None), LoginSession.ends_at > now
    )
    return session.connection().execute(ending.values(ended_at=now, ended_how=how)).rowcount


def forget_logins(session: Session, *, before: datetime) -> None:
    """Drop sessions whose time was over before an instant."""
    session.execute(delete(LoginSession).where(LoginSession.ends_at < before))


def _whose(whose: dict[str, int | None]) -> list[ColumnElement[bool]]:
    named = {name: number for name, number in whose.items() if number is not None}
    if len(named) != 1 or not named.keys() <= {"account_id", "worker_id", "employer_id"}:
        raise ValueError("exactly one of account, worker and employer")
    return [LoginSession.__table__.c[name] == number for name, number in named.items()]
