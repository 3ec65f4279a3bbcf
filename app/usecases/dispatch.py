"""Sending pushes: claim what is ready, send with no transaction open, take the result.

Before a request leaves, the database knows that it is about to. So whatever a crash leaves behind is either not sent,
and queued, or perhaps sent, and then the provider is asked before anything is repeated. A claim is a lease with a
fence: a result that comes after somebody else has taken over is dropped.

Leases and fencing tokens: Gray and Cheriton 1989, "Leases" (SOSP); the store's row is the resource that is fenced.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.domain.ledger import Channel, Grade
from app.domain.pushes import Message, Outcome, PushCause, PushState, Report, Sender
from app.domain.sending import WEEK, SendRules, capped_until, pause, quiet_until
from app.kit.keys import KeyRing
from app.store import consents, identities, postings
from app.store import pushes as store
from app.store.pushes import Attempt, Push
from app.usecases.consents import read_address
from app.usecases.pushes import (
    Compose,
    begin_sending,
    deliver_push,
    expire_push,
    is_open,
    link_token,
    move_on,
    note_sent,
    note_uncertain,
    queue_again,
    reroute,
)

ACTOR = "dispatch"
Chance = Callable[[], float]
"""A number in 0-1 that spreads pauses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One thing to do outside a transaction: send a message, or (`message` is None) ask what became of one."""

    attempt_id: int
    push_id: int
    fence: int
    channel: Channel
    provider: str
    key: str
    to: str = field(repr=False)
    left_at: datetime
    provider_id: str | None = None
    message: Message | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What sending needs besides the database: who sends on each channel, in order, and how a push is worded."""

    senders: Mapping[Channel, Sequence[Sender]]
    compose: Compose
    public_url: str
    rules: SendRules = field(default_factory=SendRules)

    @property
    def served(self) -> frozenset[Channel]:
        return frozenset(channel for channel, senders in self.senders.items() if senders)

    def find(self, channel: Channel, provider: str | None) -> Sender | None:
        """Who sends on a channel under that name."""
        return next((each for each in self.senders.get(channel, ()) if each.provider == provider), None)


def claim_ready(session: Session, post: Post, *, limit: int, now: datetime, keys: KeyRing) -> tuple[list[Claim], int]:
    """Take hold of what is ready, most urgent first; what must wait, or is not worth sending, is put aside.

    The claims are to be carried out after the transaction is committed, and then settled. Beside them it is told how
    many attempts were looked at: none means that nothing is ready.

    Args:
        session: a transaction of its own.
        post: who sends.
        limit: how many attempts are looked at.
        now: decides what is ready.
        keys: open phone numbers; each reading is audited.
    """
    ready = store.lock_ready(session, now=now, limit=limit)
    people = {push.worker_id for _, push in ready}
    allowed = consents.list_consents(session, people)
    departures = store.list_departures(session, people, since=now - WEEK)
    claims: list[Claim] = []
    for attempt, push in ready:
        if push.state in (PushState.DELIVERED, PushState.ANSWERED, PushState.EXPIRED, PushState.SUPPRESSED):
            attempt.ready_at = None
        elif attempt.left_at is not None:
            claims += _claim_question(session, post, attempt, push, now=now, keys=keys)
        elif attempt.channel not in allowed.get(push.worker_id, frozenset()) or attempt.channel not in post.served:
            reroute(session, push, attempt, served=post.served, now=now)
        elif (later := _when(push, departures.get(push.worker_id, []), post.rules, now=now)) is not None:
            attempt.ready_at = later
        else:
            claim = _claim_sending(session, post, attempt, push, now=now, keys=keys)
            if claim is not None:
                claims.append(claim)
            if claim is not None and push.cause is not PushCause.ASKED:
                departures.setdefault(push.worker_id, []).append(now)
    session.flush()
    return claims, len(ready)


def carry_out(claim: Claim, sender: Sender) -> Report:
    """Send or ask. No transaction may be open; nothing is raised."""
    if claim.message is not None:
        return sender.send(claim.message)
    return sender.query(claim.key, to=claim.to, provider_id=claim.provider_id, sent_at=claim.left_at)


def settle(session: Session, post: Post, claim: Claim, report: Report, *, now: datetime, keys: KeyRing,
           chance: Chance) -> bool:  # fmt: skip
    """Take the result of a claim; False when the claim has passed to somebody else in the meantime."""
    push = store.lock_push(session, claim.push_id)
    attempt = None if push is None else session.get(Attempt, claim.attempt_id, populate_existing=True)
    if push is None or attempt is None or attempt.fence != claim.fence:
        return False
    if report.provider_id is not None:
        attempt.provider_id = report.provider_id
    attempt.outcome, attempt.code = report.outcome, report.code[:80]
    if report.segments is not None:
        attempt.segments = report.segments
    take_outcome(session, post, push, attempt, report, asked=claim.message is None, now=now, keys=keys, chance=chance)
    session.flush()
    return True


def take_outcome(
    session: Session, post: Post, push: Push, attempt: Attempt, report: Report, *, asked: bool, now: datetime,
    keys: KeyRing, chance: Chance, happened_at: datetime | None = None,
) -> None:  # fmt: skip
    """What follows from an outcome, for a push that is locked and not yet delivered; `asked`: it answers a question."""
    rules, why = post.rules, f"{attempt.channel.value}:{report.outcome.value}:{report.code}"
    match report.outcome:
        case Outcome.DELIVERED:
            deliver_push(
                session,
                push,
                channel=attempt.channel,
                evidence=Grade.B,
                happened_at=min(happened_at or now, now),
                actor=attempt.provider or ACTOR,
                now=now,
                keys=keys,
            )
        case Outcome.ACCEPTED:
            if push.state is not PushState.SENT:
                attempt.asked = 0
            note_sent(session, push, why=why, now=now)
            _ask_later(post, attempt, rules.receipt_steps, now=now, chance=chance)
        case Outcome.REFUSED:
            step = rules.retry_steps[attempt.tries - 1] if attempt.tries <= len(rules.retry_steps) else None
            if step is None or push.state is PushState.SENT:
                # What was taken on and then not delivered is not tried again on the same channel.
                move_on(session, push, attempt, why=why, served=post.served, now=now)
            else:
                queue_again(session, push, attempt, why=why, ready_at=now + pause(step, chance(), rules), now=now)
        case Outcome.BROKEN:
            move_on(session, push, attempt, why=why, served=post.served, now=now)
        case Outcome.BUSY if not asked:
            step = report.retry_after_s or rules.retry_steps[min(attempt.tries, len(rules.retry_steps)) - 1]
            attempt.tries -= 1  # it was not tried
            queue_again(session, push, attempt, why=why, ready_at=now + pause(step, chance(), rules), now=now)
        case Outcome.UNKNOWN if push.state is not PushState.SENT:
            queue_again(session, push, attempt, why=why, ready_at=now, now=now)
        case _:
            note_uncertain(session, push, why=why, now=now)
            steps = rules.receipt_steps if push.state is PushState.SENT else rules.ask_steps
            _ask_later(post, attempt, steps, now=now, chance=chance)


def _claim_question(
    session: Session, post: Post, attempt: Attempt, push: Push, *, now: datetime, keys: KeyRing
) -> list[Claim]:
    """Ask what became of a message: of one whose sender vanished, or one that nothing was heard of."""
    note_uncertain(session, push, why="lease_over", now=now)
    sender = post.find(attempt.channel, attempt.provider)
    to = _address(session, attempt.channel, push.worker_id, now=now, keys=keys)
    if sender is None or not sender.can_query or to is None or attempt.left_at is None:
        # Nobody can tell: it stays as it is until a receipt comes or its time is over, and is not sent again.
        attempt.ready_at = None
        return []
    attempt.asked += 1
    _hold(attempt, post.rules, now=now)
    return [
        Claim(
            attempt_id=attempt.id,
            push_id=push.id,
            fence=attempt.fence,
            channel=attempt.channel,
            provider=sender.provider,
            key=attempt.key,
            to=to,
            left_at=attempt.left_at,
            provider_id=attempt.provider_id,
        )
    ]


def _claim_sending(
    session: Session, post: Post, attempt: Attempt, push: Push, *, now: datetime, keys: KeyRing
) -> Claim | None:
    posting = postings.find_posting(session, push.posting_id)
    if posting is None or push.expires_at <= now or not is_open(posting, at=now) or posting.openings <= 0:
        expire_push(session, push, attempt, why="time_over" if push.expires_at <= now else "posting_over", now=now)
        return None
    to = _address(session, attempt.channel, push.worker_id, now=now, keys=keys)
    if to is None:
        move_on(session, push, attempt, why=f"{attempt.channel.value}:no_address", served=post.served, now=now)
        return None
    senders = post.senders[attempt.channel]
    # After a refusal it is another provider's turn, where there is one.
    sender = senders[attempt.tries % len(senders)]
    letter = post.compose(push, posting, attempt.channel, f"{post.public_url}/r/{link_token(push, keys)}")
    begin_sending(session, push, attempt, provider=sender.provider, now=now)
    _hold(attempt, post.rules, now=now)
    return Claim(
        attempt_id=attempt.id,
        push_id=push.id,
        fence=attempt.fence,
        channel=attempt.channel,
        provider=sender.provider,
        key=attempt.key,
        to=to,
        left_at=now,
        message=Message(key=attempt.key, to=to, template=letter.template, values=letter.values, text=letter.text),
    )


def _when(push: Push, departures: Collection[datetime], rules: SendRules, *, now: datetime) -> datetime | None:
    """When a push may leave, None for now. Who asked for something is not made to wait for it."""
    if push.cause is PushCause.ASKED:
        return None
    later = capped_until(now, list(departures), rules) or now
    later = quiet_until(later, rules) or later
    return later if later > now else None


def _hold(attempt: Attempt, rules: SendRules, *, now: datetime) -> None:
    attempt.fence += 1
    attempt.ready_at = now + timedelta(seconds=rules.lease_s)


def _ask_later(post: Post, attempt: Attempt, steps: Sequence[int], *, now: datetime, chance: Chance) -> None:
    """When the provider is to be asked next, if it can be."""
    sender = post.find(attempt.channel, attempt.provider)
    if sender is None or not sender.can_query or attempt.asked >= len(steps):
        attempt.ready_at = None
    else:
        attempt.ready_at = now + pause(steps[attempt.asked], chance(), post.rules)


def _address(session: Session, channel: Channel, worker_id: int, *, now: datetime, keys: KeyRing) -> str | None:
    """Where a person is reached: the inbox by the worker's id, WeChat by the open id, all else by the phone number."""
    if channel is Channel.INBOX:
        return str(worker_id)
    if channel is Channel.WECHAT:
        consent = consents.find_consent(session, worker_id=worker_id, channel=channel)
        return None if consent is None else read_address(consent, keys=keys)
    identity = identities.read_identity(
        session, worker_id, keys=keys, actor=ACTOR, reason=f"push by {channel.value}", now=now
    )
    return None if identity is None else identity.phone
