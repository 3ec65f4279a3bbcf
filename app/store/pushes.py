"""Pushes, the attempts to send them (the outbox), and what providers told of those (receipts).

A push is the intent: this posting to this person, because. Each attempt on a channel is a row of the outbox, of which
one push has at most one that is not done. The state of a push is changed through `usecases.pushes` alone.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, SmallInteger, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.ledger import Channel
from app.domain.pushes import Answer, Outcome, PushCause, PushState, Unsuitable
from app.kit.database import Base, Json


class Push(Base):
    """A posting that is to reach a person.

    `job` is the same for all rows of one job. `match` holds score, parts and reasons as they were when it was chosen.
    `link` is the digest of the token in its short link; `entry_id` the ledger's entry of its delivery.
    """

    __tablename__ = "pushes"
    __table_args__ = (
        UniqueConstraint("worker_id", "posting_id", "made_for"),
        Index("ix_pushes_state_state_at", "state", "state_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    worker_id: Mapped[int] = mapped_column(ForeignKey("workers.id", ondelete="CASCADE"), index=True)
    spell_id: Mapped[int | None] = mapped_column(ForeignKey("spells.id", ondelete="CASCADE"), index=True)
    posting_id: Mapped[int] = mapped_column(ForeignKey("postings.id"), index=True)
    job: Mapped[str] = mapped_column(String(60))
    cause: Mapped[PushCause]
    made_for: Mapped[str] = mapped_column(String(40))
    match: Mapped[dict[str, Any]] = mapped_column(Json)
    state: Mapped[PushState]
    state_at: Mapped[datetime]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    link: Mapped[str] = mapped_column(String(64), unique=True)
    answer: Mapped[Answer | None]
    why: Mapped[Unsuitable | None]
    entry_id: Mapped[int | None] = mapped_column(unique=True)


class PushChange(Base):
    """One change of a push's state, and why."""

    __tablename__ = "push_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    push_id: Mapped[int] = mapped_column(ForeignKey("pushes.id", ondelete="CASCADE"), index=True)
    happened_at: Mapped[datetime]
    before: Mapped[PushState | None]
    after: Mapped[PushState]
    why: Mapped[str] = mapped_column(String(80))


class Attempt(Base):
    """One try on one channel.

    `ready_at` is the only thing that a claim looks at: when it is somebody's turn, None when nothing is left to do.
    Whoever claims sets it to the end of the lease and raises `fence`; a result is taken only with the fence of its
    claim. `left_at` is set before the request leaves: what is claimed again with it set may have been sent.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("push_id", "number"),
        Index("ix_outbox_provider_provider_id", "provider", "provider_id"),
        Index(
            "ix_outbox_ready",
            "urgency",
            "ready_at",
            sqlite_where=text("ready_at IS NOT NULL"),
            postgresql_where=text("ready_at IS NOT NULL"),
        ),
        Index(
            "uq_outbox_open",
            "push_id",
            unique=True,
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    push_id: Mapped[int] = mapped_column(ForeignKey("pushes.id", ondelete="CASCADE"), index=True)
    number: Mapped[int] = mapped_column(SmallInteger)
    channel: Mapped[Channel]
    urgency: Mapped[int] = mapped_column(SmallInteger)
    key: Mapped[str] = mapped_column(String(40), unique=True)
    ready_at: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(default=0)
    tries: Mapped[int] = mapped_column(SmallInteger, default=0)
    asked: Mapped[int] = mapped_column(SmallInteger, default=0)
    left_at: Mapped[datetime | None]
    provider: Mapped[str | None] = mapped_column(String(40))
    provider_id: Mapped[str | None] = mapped_column(String(80))
    outcome: Mapped[Outcome | None]
    code: Mapped[str] = mapped_column(String(80), default="")
    segments: Mapped[int | None] = mapped_column(SmallInteger)
    created_at: Mapped[datetime]
    done_at: Mapped[datetime | None]


class Receipt(Base):
    """What a provider told, stored raw before anybody looks into it; `digest` drops a repeat.

    `body` is sealed: gateways name the phone in it.
    """

    __tablename__ = "receipts"

    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[Channel]
    provider: Mapped[str] = mapped_column(String(40))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    body: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime]
    applied_at: Mapped[datetime | None] = mapped_column(index=True)
    note: Mapped[str] = mapped_column(String(80), default="")
