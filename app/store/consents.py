"""Consents (授权同意): for what and on which channels a person lets themselves be written to or called, since when.

A row is never changed but for its end: who withdraws ends one, who agrees again begins another.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, ForeignKey, Index, String, delete, exists, func, select, update
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from app.domain.consents import Purpose
from app.domain.ledger import Channel
from app.kit.database import Base


class Consent(Base):
    """Leave to use one electronic channel for one purpose.

    `how` says by what it was given, `ended_how` by what it was withdrawn.
    `address` is where the channel reaches them if that is not their phone (WeChat's open id), sealed for the worker;
    `address_index` is its keyed digest, by which whoever writes from there is found.
    """

    __tablename__ = "consents"
    __table_args__ = (Index("ix_consents_worker_id_purpose_channel", "worker_id", "purpose", "channel"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    worker_id: Mapped[int] = mapped_column(ForeignKey("workers.id", ondelete="CASCADE"))
    purpose: Mapped[Purpose]
    channel: Mapped[Channel]
    given_at: Mapped[datetime]
    how: Mapped[str] = mapped_column(String(60))
    address: Mapped[str | None] = mapped_column(String(200))
    address_index: Mapped[str | None] = mapped_column(String(60), index=True)
    ended_at: Mapped[datetime | None]
    ended_how: Mapped[str | None] = mapped_column(String(60))


def list_consents(session: Session, worker_ids: Iterable[int], *, purpose: Purpose) -> dict[int, frozenset[Channel]]:
    """The channels that each of these people lets be used for a purpose; nobody who lets none."""
    found: dict[int, set[Channel]] = {}
    rows = session.execute(
        select(Consent.worker_id, Consent.channel).where(
            Consent.worker_id.in_(set(worker_ids)), Consent.purpose == purpose, Consent.ended_at.is_(None)
        )
    )
    for worker_id, channel in rows:
        found.setdefault(worker_id, set()).add(channel)
    return {worker_id: frozenset(channels) for worker_id, channels in found.items()}


def list_consents_of(session: Session, worker_id: int) -> Sequence[Consent]:
    """Every consent of a person, also those that were withdrawn, oldest first."""
    return session.scalars(select(Consent).where(Consent.worker_id == worker_id).order_by(Consent.id)).all()


def find_consent(session: Session, *, worker_id: int, purpose: Purpose, channel: Channel) -> Consent | None:
    """A person's leave to use a channel for a purpose, while it holds."""
    return session.scalars(
        select(Consent).where(
            Consent.worker_id == worker_id,
            Consent.purpose == purpose,
            Consent.channel == channel,
            Consent.ended_at.is_(None),
        )
    ).first()


def list_with_address(session: Session, worker_id: int) -> Sequence[Consent]:
    """A person's consents that name an address, those that ended too; in order of id."""
    chosen = select(Consent).where(Consent.worker_id == worker_id, Consent.address.is_not(None))
    return session.scalars(chosen.order_by(Consent.id)).all()


def list_by_address(session: Session, *, channel: Channel, address_indexes: Collection[str]) -> list[int]:
    """The workers whose last consent to a channel names an address, whether it still holds or not; by id."""
    later = aliased(Consent)
    has_later = exists().where(
        later.worker_id == Consent.worker_id, later.channel == Consent.channel, later.id > Consent.id
    )
    return list(
        session.scalars(
            select(Consent.worker_id)
            .where(Consent.channel == channel, Consent.address_index.in_(address_indexes), ~has_later)
            .order_by(Consent.worker_id)
        )
    )


def add_consent(
    session: Session,
    *,
    worker_id: int,
    purpose: Purpose,
    channel: Channel,
    how: str,
    now: datetime,
    address: str | None = None,
    address_index: str | None = None,
) -> None:
    """Note that a person lets a channel be used; `address` is sealed already, `address_index` its keyed digest."""
    session.add(
        Consent(
            worker_id=worker_id,
            purpose=purpose,
            channel=channel,
            given_at=now,
            how=how,
            address=address,
            address_index=address_index,
        )
    )
    session.flush()


def end_consent(
    session: Session, *, worker_id: int, purpose: Purpose | None, channel: Channel, how: str, now: datetime
) -> list[Purpose]:
    """Note that a person does not let a channel be used any more, for a purpose or (None) for any; for which it was."""
    theirs = select(Consent).where(
        Consent.worker_id == worker_id, Consent.channel == channel, Consent.ended_at.is_(None)
    )
    if purpose is not None:
        theirs = theirs.where(Consent.purpose == purpose)
    ended = session.scalars(theirs.order_by(Consent.id)).all()
    for consent in ended:
        consent.ended_at, consent.ended_how = now, how
    session.flush()
    return [consent.purpose for consent in ended]


def forget_consents(session: Session, *, ended_before: datetime) -> None:
    """Drop consents that were withdrawn before an instant."""
    session.execute(delete(Consent).where(Consent.ended_at < ended_before))


def erase_addresses(session: Session, worker_id: int, *, how: str, now: datetime) -> None:
    """Drop where channels reach a person, also of consents that ended long ago, and end those that hold."""
    of = update(Consent).where(Consent.worker_id == worker_id)
    session.execute(of.values(address=None, address_index=None))
    session.execute(of.where(Consent.ended_at.is_(None)).values(ended_at=now, ended_how=how))


def count_behind(session: Session, *, index_today: str) -> int:
    """How many addresses are indexed otherwise than today, or not sealed under the person's own key."""
    return session.scalar(select(func.count()).select_from(Consent).where(_is_behind(index_today))) or 0


def lock_behind(session: Session, *, after: int, limit: int, index_today: str) -> Sequence[Consent]:
    """The next of these consents behind an id, locked until the transaction ends."""
    return session.scalars(
        select(Consent)
        .where(Consent.id > after, _is_behind(index_today))
        .order_by(Consent.id)
        .limit(limit)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def _is_behind(index_today: str) -> ColumnElement[bool]:
    is_today = Consent.address.startswith("p") & Consent.address_index.startswith(index_today, autoescape=True)
    return Consent.address.is_not(None) & ~is_today
