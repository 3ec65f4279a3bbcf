"""Pushes, the attempts to send them (the outbox), and what providers told of those (receipts).

A push is the intent: this posting to this person, because. Each attempt on a channel is a row of the outbox, of which
one push has at most one that is not done. The state of a push is changed through `usecases.pushes` alone.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    Row,
    Select,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    delete,
    exists,
    func,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.ledger import Channel
from app.domain.postings import PostingState
from app.domain.pushes import MAY_ARRIVE, Answer, Outcome, PushCause, PushState, Unsuitable, Urgency
from app.domain.sending import ELECTRONIC
from app.kit.database import Base, Json
from app.store.postings import Posting

_IDS_AT_ONCE = 10_000  # SQLite takes 32,766 parameters
_NOT_LEFT = (Outcome.BUSY, Outcome.UNKNOWN, Outcome.BROKEN)


class Push(Base):
    """A posting that is to reach a person.

    `job` is the same for all rows of one job. `match` holds score, parts and reasons as they were when it was chosen.
    `link` is the digest of the token in its short link; `entry_id` the ledger's entry of its delivery.
    """

    __tablename__ = "pushes"
    __table_args__ = (
        UniqueConstraint("worker_id", "posting_id", "made_for"),
        Index("ix_pushes_state_state_at", "state", "state_at"),
        Index("ix_pushes_state_expires_at", "state", "expires_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    worker_id: Mapped[int] = mapped_column(ForeignKey("workers.id", ondelete="CASCADE"), index=True)
    spell_id: Mapped[int | None] = mapped_column(ForeignKey("spells.id", ondelete="CASCADE"), index=True)
    posting_id: Mapped[int] = mapped_column(ForeignKey("postings.id"), index=True)
    job: Mapped[str] = mapped_column(String(64))
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
    confirmed_at: Mapped[datetime | None]
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
            "channel",
            "ready_at",
            "id",
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

    `body` is sealed: gateways name the phone in it. `look_again_at` is when one that was looked at, and spoke of a
    message that is not known yet, has its turn again.
    """

    __tablename__ = "receipts"

    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[Channel]
    provider: Mapped[str] = mapped_column(String(40))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    body: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime]
    applied_at: Mapped[datetime | None] = mapped_column(index=True)
    look_again_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(String(80), default="")


class FollowUp(Base):
    """Somebody is to get in touch with a person: they want to be called, or want the job."""

    __tablename__ = "follow_ups"

    id: Mapped[int] = mapped_column(primary_key=True)
    worker_id: Mapped[int] = mapped_column(ForeignKey("workers.id", ondelete="CASCADE"), index=True)
    push_id: Mapped[int] = mapped_column(ForeignKey("pushes.id", ondelete="CASCADE"), unique=True)
    answer: Mapped[Answer]
    asked_at: Mapped[datetime]
    done_at: Mapped[datetime | None] = mapped_column(index=True)


def find_push(session: Session, push_id: int) -> Push | None:
    """A push by its id."""
    return session.get(Push, push_id)


def find_push_by_link(session: Session, digest: str) -> Push | None:
    """A push by the digest of its link's token."""
    return session.scalars(select(Push).where(Push.link == digest)).first()


def lock_push(session: Session, push_id: int) -> Push | None:
    """A push, read anew and locked until the transaction ends. Whoever locks its attempts too locks it first."""
    return session.scalars(
        select(Push).where(Push.id == push_id).with_for_update().execution_options(populate_existing=True)
    ).first()


def lock_pushes(session: Session, push_ids: Iterable[int]) -> None:
    """Lock pushes until the transaction ends, in the order of their ids, as whoever locks several must."""
    numbers = sorted({*push_ids})
    for start in range(0, len(numbers), _IDS_AT_ONCE):
        chosen = select(Push.id).where(Push.id.in_(numbers[start : start + _IDS_AT_ONCE]))
        session.execute(chosen.order_by(Push.id).with_for_update()).all()


def lock_pushes_of(session: Session, worker_id: int) -> Sequence[Push]:
    """All pushes to a person, locked until the transaction ends, in order of id."""
    return session.scalars(
        select(Push)
        .where(Push.worker_id == worker_id)
        .order_by(Push.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def lock_undelivered(session: Session, *, worker_id: int, posting_id: int) -> Push | None:
    """The last push of a posting to a person, locked, if it may still arrive."""
    return session.scalars(
        select(Push)
        .where(Push.worker_id == worker_id, Push.posting_id == posting_id)
        .where(Push.entry_id.is_(None), Push.state.in_(MAY_ARRIVE))
        .order_by(Push.id.desc())
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()


def list_sent(session: Session, worker_id: int, *, since: datetime, limit: int) -> Sequence[Push]:
    """What a person was sent since an instant, newest first; not what nobody may send them."""
    return session.scalars(
        select(Push)
        .where(Push.worker_id == worker_id, Push.created_at > since, Push.state != PushState.SUPPRESSED)
        .order_by(Push.id.desc())
        .limit(limit)
    ).all()


def list_pushes_of(
    session: Session,
    worker_id: int,
    *,
    before_id: int | None = None,
    limit: int | None = None,
    all_states: bool = False,
) -> Sequence[Push]:
    """The pushes to a person, newest first, behind the one with that id; with `all_states` also what was not sent."""
    chosen = select(Push).where(Push.worker_id == worker_id)
    if not all_states:
        chosen = chosen.where(Push.state != PushState.SUPPRESSED)
    if before_id is not None:
        chosen = chosen.where(Push.id < before_id)
    return session.scalars(chosen.order_by(Push.id.desc()).limit(limit)).all()


def list_attempts_of(session: Session, worker_id: int) -> Sequence[Attempt]:
    """Every try to reach a person, oldest first."""
    chosen = select(Attempt).join(Push, Push.id == Attempt.push_id).where(Push.worker_id == worker_id)
    return session.scalars(chosen.order_by(Attempt.id)).all()


def list_to_hand(session: Session, worker_ids: Collection[int], *, now: datetime, by_hand: bool) -> list[Push]:
    """Pushes to these people that may still arrive, in order of id; no more people than a query takes.

    `by_hand`: only those that wait for somebody who brings them, since no machine may or can send them.
    """
    chosen = select(Push).where(Push.worker_id.in_({*worker_ids}), Push.state.in_(MAY_ARRIVE), Push.expires_at > now)
    if by_hand:
        waits = exists().where(
            Attempt.push_id == Push.id, Attempt.done_at.is_(None), Attempt.channel.in_((Channel.VISIT, Channel.SLIP))
        )
        chosen = chosen.where(waits)
    return list(session.scalars(chosen.order_by(Push.id)))


def lock_attempts(session: Session, push_id: int) -> Sequence[Attempt]:
    """The attempts of a push that is locked already, read anew, in the order of their numbers."""
    return session.scalars(
        select(Attempt)
        .where(Attempt.push_id == push_id)
        .order_by(Attempt.number)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def lock_ready(
    session: Session, *, served: Collection[Channel], untaken_since: datetime, now: datetime, limit: int
) -> Sequence[Row[Attempt, Push]]:
    """Attempts whose turn it is, most urgent first, with their pushes; what somebody else holds is passed over.

    Those of the channels that are served, and of others what has been waiting in vain since an instant.
    """
    found: list[Row[Attempt, Push]] = []
    channels = [*sorted(served), *sorted(ELECTRONIC - {*served})]
    # Each urgency and each channel by itself: the index is read from the first row that is ready and no further than it
    # must, however many are ready in the same instant, as after a night, are not ready yet, or are for others to send.
    for urgency in Urgency:
        filled = []
        for number, channel in enumerate(channels):
            # None takes all while another waits; what one leaves is the next one's.
            room = -(-(limit - len(found)) // max(1, len(served) - number))
            ready = _ready(urgency, channel, now if channel in served else untaken_since, room, found)
            rows = session.execute(ready).all()
            found += rows
            if room and len(rows) == room:
                filled.append(channel)
        # And what the last one leaves is theirs of whom there is more, before anything that is less urgent.
        for channel in filled:
            room = limit - len(found)
            ready = _ready(urgency, channel, now if channel in served else untaken_since, room, found)
            found += session.execute(ready).all() if room else ()
        if len(found) >= limit:
            break
    return found


def _ready(
    urgency: Urgency, channel: Channel, until: datetime, room: int, found: Sequence[Row[Attempt, Push]]
) -> Select[Attempt, Push]:
    return (
        select(Attempt, Push)
        .join(Push, Push.id == Attempt.push_id)
        .where(Attempt.urgency == int(urgency), Attempt.channel == channel, Attempt.ready_at <= until)
        .where(Attempt.id.not_in([attempt.id for attempt, _ in found]))
        .order_by(Attempt.ready_at, Attempt.id)
        .limit(room)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )


def list_made(session: Session, *, made_for: str, worker_ids: Iterable[int]) -> set[tuple[int, int]]:
    """(worker, posting) of the pushes that were made for one occasion for some people, no more than a query takes."""
    rows = session.execute(
        select(Push.worker_id, Push.posting_id).where(Push.made_for == made_for, Push.worker_id.in_(set(worker_ids)))
    )
    return {(worker_id, posting_id) for worker_id, posting_id in rows}


@dataclass(frozen=True, slots=True)
class MadePush:
    """What is to be known of a push that was made when others are planned.

    `has_left`: it expired after a message of it had gone out, so that it may have been seen.
    """

    worker_id: int
    spell_id: int | None
    posting_id: int
    job: str
    cause: PushCause
    state: PushState
    state_at: datetime
    created_at: datetime
    answer: Answer | None
    has_left: bool


def list_made_pushes(session: Session, *, worker_ids: Collection[int] | None = None) -> Iterator[MadePush]:
    """Every push, or every one to these people, no more of them than a query takes; read as they are taken."""
    has_left = exists().where(Attempt.push_id == Push.id, Attempt.left_at.is_not(None))
    made = (Push.worker_id, Push.spell_id, Push.posting_id, Push.job)
    stands = (Push.cause, Push.state, Push.state_at, Push.created_at, Push.answer)
    chosen = select(*made, *stands, (Push.state == PushState.EXPIRED) & has_left)
    if worker_ids is not None:
        chosen = chosen.where(Push.worker_id.in_({*worker_ids}))
    rows: Iterable[Any] = session.execute(chosen, execution_options={"yield_per": 1000})
    for row in rows:
        yield MadePush(*row)


def list_departures(session: Session, worker_ids: Iterable[int], *, since: datetime) -> dict[int, list[datetime]]:
    """When messages that they had not asked for left for each of these people, from an instant on."""
    found: dict[int, list[datetime]] = {}
    rows = session.execute(
        select(Push.worker_id, Attempt.left_at)
        .join(Push, Push.id == Attempt.push_id)
        .where(Push.worker_id.in_(set(worker_ids)), Attempt.left_at > since, Push.cause != PushCause.ASKED)
    )
    for worker_id, left_at in rows:
        if left_at is not None:
            found.setdefault(worker_id, []).append(left_at)
    return found


def find_first_try(session: Session, attempt: Attempt) -> datetime | None:
    """When an attempt was first about to leave, however often it has gone back into the queue since."""
    return session.scalar(
        select(func.min(PushChange.happened_at)).where(
            PushChange.push_id == attempt.push_id,
            PushChange.after == PushState.SENDING,
            PushChange.happened_at >= attempt.created_at,
        )
    )


def find_attempt_by_key(session: Session, key: str) -> Attempt | None:
    """The attempt that bears our key, whoever it was sent by."""
    return session.scalars(select(Attempt).where(Attempt.key == key)).first()


def find_attempt_by_number(session: Session, *, provider: str, provider_id: str) -> Attempt | None:
    """The attempt to which a provider has given its own number."""
    return session.scalars(
        select(Attempt).where(Attempt.provider == provider, Attempt.provider_id == provider_id)
    ).first()


def find_latest_push(
    session: Session, *, worker_ids: Sequence[int], channel: Channel, since: datetime, until: datetime
) -> Push | None:
    """The push that was last sent to one of these people on a channel between two instants, both included.

    Not one of which it is known that it has not left: nobody answers that. One that a carrier says it has refused comes
    after those that may well have arrived.
    """
    return session.scalars(
        select(Push)
        .join(Attempt, Attempt.push_id == Push.id)
        .where(Push.worker_id.in_(worker_ids), Attempt.channel == channel, Attempt.left_at.between(since, until))
        .where(Attempt.outcome.is_(None) | Attempt.outcome.not_in(_NOT_LEFT))
        .order_by((Attempt.outcome == Outcome.REFUSED).is_(True), Attempt.left_at.desc(), Push.id.desc())
    ).first()


def lock_expired(session: Session, *, now: datetime, states: Iterable[PushState], limit: int) -> Sequence[Push]:
    """Pushes in one of these states whose time is over."""
    return session.scalars(
        select(Push)
        .where(Push.state.in_(list(states)), Push.expires_at <= now)
        .order_by(Push.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()


def has_expired(session: Session, *, now: datetime, states: Iterable[PushState]) -> bool:
    """Whether a push in one of these states has its time behind it."""
    chosen = select(Push.id).where(Push.state.in_(list(states)), Push.expires_at <= now).limit(1)
    return session.scalar(chosen) is not None


def count_by_state(session: Session, *, made_for: str | None = None) -> dict[PushState, int]:
    """How many pushes stand in each state, every state that occurs."""
    chosen = select(Push.state, func.count()).group_by(Push.state)
    if made_for is not None:
        chosen = chosen.where(Push.made_for == made_for)
    return {row[0]: row[1] for row in session.execute(chosen)}


def count_people_by_posting(
    session: Session, *, over: Iterable[PushState], posting_ids: Collection[int] | None = None
) -> dict[int, int]:
    """To how many people each open posting, or each of these, was pushed who have not declined it.

    Pushes in the states `over` are left out. No more postings than a query takes.
    """
    chosen = (
        select(Push.posting_id, func.count(Push.worker_id.distinct()))
        .where(Push.state.not_in(list(over)), Push.answer.is_(None) | (Push.answer != Answer.UNSUITABLE))
        .group_by(Push.posting_id)
    )
    if posting_ids is not None:
        chosen = chosen.where(Push.posting_id.in_({*posting_ids}))
    else:
        # What was pushed in years gone by grows without end; what is open does not.
        chosen = chosen.where(Push.posting_id.in_(select(Posting.id).where(Posting.state == PostingState.OPEN)))
    return {row[0]: row[1] for row in session.execute(chosen)}


def follow_up(session: Session, push: Push, answer: Answer | None, *, now: datetime) -> None:
    """Let somebody get in touch with a person because of an answer; None: it is not asked for any more."""
    known = session.scalars(select(FollowUp).where(FollowUp.push_id == push.id)).first()
    if answer is None:
        if known is not None and known.done_at is None:
            session.delete(known)
    elif known is None:
        session.add(FollowUp(worker_id=push.worker_id, push_id=push.id, answer=answer, asked_at=now))
    else:
        known.answer, known.asked_at, known.done_at = answer, now, None


def list_follow_ups(session: Session, worker_ids: Collection[int] | None, *, limit: int) -> list[tuple[FollowUp, int]]:
    """Whom somebody is to get in touch with, longest waiting first, each with the posting; None: everybody's."""
    chosen = (
        select(FollowUp, Push.posting_id)
        .join(Push, Push.id == FollowUp.push_id)
        .where(FollowUp.done_at.is_(None))
        .order_by(FollowUp.asked_at, FollowUp.id)
        .limit(limit)
    )
    if worker_ids is not None:
        chosen = chosen.where(FollowUp.worker_id.in_({*worker_ids}))
    return [(follow, posting_id) for follow, posting_id in session.execute(chosen)]


def list_follow_ups_of(session: Session, worker_id: int) -> Sequence[FollowUp]:
    """All that a person asked for in answer to pushes, done or not, oldest first."""
    return session.scalars(select(FollowUp).where(FollowUp.worker_id == worker_id).order_by(FollowUp.id)).all()


def find_follow_up(session: Session, follow_up_id: int) -> FollowUp | None:
    """One of them by its id, done or not."""
    return session.get(FollowUp, follow_up_id)


def delete_follow_ups(session: Session, worker_id: int) -> None:
    """Let nobody get in touch with a person any more."""
    session.execute(delete(FollowUp).where(FollowUp.worker_id == worker_id))


def find_receipt(session: Session, digest: str) -> Receipt | None:
    """A receipt that came before, by its digest."""
    return session.scalars(select(Receipt).where(Receipt.digest == digest)).first()


def has_unapplied_receipts(session: Session, *, now: datetime) -> bool:
    """Whether there is a receipt that is to be looked at."""
    return session.scalar(select(Receipt.id).where(_is_to_be_looked_at(now)).limit(1)) is not None


def lock_unapplied_receipts(session: Session, *, now: datetime, limit: int) -> Sequence[Receipt]:
    """Receipts that are to be looked at, oldest first."""
    return session.scalars(
        select(Receipt)
        .where(_is_to_be_looked_at(now))
        .order_by(Receipt.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()


def list_receipts(session: Session, *, after: int, limit: int) -> Sequence[Receipt]:
    """The next receipts behind an id, in order of id."""
    return session.scalars(select(Receipt).where(Receipt.id > after).order_by(Receipt.id).limit(limit)).all()


def lock_receipt(session: Session, receipt_id: int) -> Receipt | None:
    """A receipt, read anew and locked until the transaction ends."""
    return session.scalars(
        select(Receipt).where(Receipt.id == receipt_id).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()


def forget_receipts(session: Session, *, applied_before: datetime) -> None:
    """Drop receipts that were done with before an instant."""
    session.execute(delete(Receipt).where(Receipt.applied_at < applied_before))


def count_receipts_behind(session: Session, *, today: str) -> int:
    """How many receipts are sealed otherwise than what begins so."""
    chosen = select(func.count()).select_from(Receipt)
    return session.scalar(chosen.where(~Receipt.body.startswith(today, autoescape=True))) or 0


def lock_receipts_behind(session: Session, *, after: int, limit: int, today: str) -> Sequence[Receipt]:
    """The next of these receipts behind an id, locked until the transaction ends."""
    return session.scalars(
        select(Receipt)
        .where(Receipt.id > after, ~Receipt.body.startswith(today, autoescape=True))
        .order_by(Receipt.id)
        .limit(limit)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def forget_pushes(session: Session, *, over_before: datetime) -> None:
    """Drop pushes on which nothing has happened or could have since an instant; the ledger's entries stay."""
    over = select(Push.id).where(Push.state_at < over_before, Push.expires_at < over_before, ~_is_open)
    for table in (FollowUp, Attempt, PushChange):
        session.execute(delete(table).where(table.push_id.in_(over)))
    session.execute(delete(Push).where(Push.state_at < over_before, Push.expires_at < over_before, ~_is_open))


# Somebody is still trying to reach the person, or has promised to call them.
_is_open = exists().where(Attempt.push_id == Push.id, Attempt.done_at.is_(None)) | exists().where(
    FollowUp.push_id == Push.id, FollowUp.done_at.is_(None)
)


def _is_to_be_looked_at(now: datetime) -> ColumnElement[bool]:
    is_due = Receipt.look_again_at.is_(None) | (Receipt.look_again_at <= now)
    return Receipt.applied_at.is_(None) & is_due
