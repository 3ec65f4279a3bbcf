"""Sending pushes: claim what is ready, send with no transaction open, take the result.

Before a request leaves, the database knows that it is about to. So whatever a crash leaves behind is either not sent,
and queued, or perhaps sent, and then the provider is asked before anything is repeated. A claim is a lease with a
fence: a result that comes after somebody else has taken over is dropped.

Leases and fencing tokens: Gray and Cheriton 1989, "Leases" (SOSP); the store's row is the resource that is fenced.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.domain.consents import Purpose
from app.domain.ledger import Channel, Grade
from app.domain.pushes import Message, Outcome, PushCause, PushState, Report, Sender
from app.domain.sending import WEEK, SendRules, capped_until, pause, pause_asked_for, quiet_until
from app.kit.database import is_busy
from app.kit.keys import KeyRing
from app.store import consents, identities, postings, workers
from app.store import pushes as store
from app.store.postings import Posting
from app.store.pushes import Attempt, Push
from app.usecases.consents import read_address
from app.usecases.pushes import (
    Compose,
    Tried,
    bar_of,
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
    undo_sending,
)
from app.usecases.vacancies import places_left

ACTOR = "dispatch"
PUT_ASIDE = timedelta(hours=1)
"""For how long an attempt that cannot be made is left alone: somebody has to mend its data, and nobody waits for it."""
UNTAKEN_FOR = timedelta(days=1)
"""How long a message waits for a channel that nobody serves: a gateway that is out of order comes back."""
_LOG = logging.getLogger("jiujin.dispatch")
Chance = Callable[[], float]
"""A number in 0-1 that spreads pauses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One thing to do outside a transaction: send a message, or (`message` is None) ask what became of one.

    `before` is what stood there of the last try to send it.
    """

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
    before: Tried | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What sending needs besides the database: who sends on each channel, in order, and how a push is worded.

    `aside` names the providers that are slow or in trouble just now.
    """

    senders: Mapping[Channel, Sequence[Sender]]
    compose: Compose
    public_url: str
    rules: SendRules = field(default_factory=SendRules)
    aside: frozenset[str] = frozenset()

    @property
    def served(self) -> frozenset[Channel]:
        return frozenset(channel for channel, senders in self.senders.items() if senders)

    def find(self, channel: Channel, provider: str | None) -> Sender | None:
        """Who sends on a channel under that name."""
        return next((each for each in self.senders.get(channel, ()) if each.provider == provider), None)

    def choose(self, channel: Channel, *, after: str | None) -> Sender:
        """Who sends a new message on a channel that is served: the first, but for those aside.

        `after` has just not taken the message on: it is the turn of whoever comes next, and that one's last.
        """
        senders = self.senders[channel]
        turn = next((number for number, each in enumerate(senders, start=1) if each.provider == after), 0)
        in_turn = (*senders[turn:], *senders[:turn])
        return min(in_turn, key=lambda each: (each.provider == after, each.provider in self.aside))


def claim_ready(session: Session, post: Post, *, limit: int, now: datetime, keys: KeyRing) -> tuple[list[Claim], int]:
    """Take hold of what is ready, most urgent first; what must wait, or is not worth sending, is put aside.

    The claims are to be carried out after the transaction is committed, and then settled. Beside them it is told how
    many attempts were looked at: none means that nothing is ready. One that cannot be made, whatever is the matter with
    it, is left alone for an hour and holds up no other.

    Args:
        session: a transaction of its own.
        post: who sends.
        limit: how many attempts are looked at.
        now: decides what is ready.
        keys: open phone numbers; each reading is audited.
    """
    ready = store.lock_ready(session, served=post.served, untaken_since=now - UNTAKEN_FOR, now=now, limit=limit)
    # For one person one at a time decides: two would each find room below the cap. Whom somebody else decides for is
    # passed over, so that nobody waits.
    people = workers.lock_workers(session, {push.worker_id for _, push in ready})
    allowed = consents.list_consents(session, people, purpose=Purpose.JOB_PUSHES)
    departures = store.list_departures(session, people, since=now - WEEK)
    claims: list[Claim] = []
    looked_at = 0
    for attempt, push in ready:
        if push.worker_id not in people:
            continue
        looked_at += 1
        if attempt.left_at is not None:
            # Its sender has vanished.
            note_uncertain(session, push, why="lease_over", now=now)
        channels, known = allowed.get(push.worker_id, frozenset()), departures.get(push.worker_id, [])
        try:
            with session.begin_nested():
                claim = _claim(session, post, attempt, push, allowed=channels, departures=known, now=now, keys=keys)
        except Exception as error:
            if isinstance(error, DBAPIError) and is_busy(error):
                raise
            _put_aside(attempt, push, error, now=now)
            continue
        if claim is not None:
            claims.append(claim)
        if claim is not None and claim.message is not None and push.cause is not PushCause.ASKED:
            departures.setdefault(push.worker_id, []).append(now)
    session.flush()
    return claims, looked_at


def carry_out(claim: Claim, sender: Sender) -> Report:
    """Send or ask. No transaction may be open; nothing is raised."""
    if claim.message is not None:
        return sender.send(claim.message)
    return sender.query(claim.key, to=claim.to, provider_id=claim.provider_id, sent_at=claim.left_at)


def settle(session: Session, post: Post, claim: Claim, report: Report, *, now: datetime, keys: KeyRing,
           chance: Chance) -> bool:  # fmt: skip
    """Take the result of a claim; False when the claim has passed to somebody else in the meantime."""
    held = _held(session, claim)
    if held is None:
        return False
    push, attempt = held
    if report.provider_id is not None:
        attempt.provider_id = report.provider_id
    attempt.outcome, attempt.code = report.outcome, report.code[:80]
    if report.segments is not None:
        attempt.segments = report.segments
    take_outcome(session, post, push, attempt, report, asked=claim.message is None, now=now, keys=keys, chance=chance)
    session.flush()
    return True


def give_back(session: Session, claim: Claim, *, now: datetime) -> bool:
    """Give a claim back that was not begun; False when it has passed to somebody else in the meantime."""
    held = _held(session, claim)
    if held is None:
        return False
    push, attempt = held
    attempt.fence += 1
    if claim.before is not None:
        undo_sending(session, push, attempt, before=claim.before, now=now)
    else:
        attempt.asked -= 1
        attempt.ready_at = now
    session.flush()
    return True


def take_outcome(
    session: Session, post: Post, push: Push, attempt: Attempt, report: Report, *, asked: bool, now: datetime,
    keys: KeyRing, chance: Chance, happened_at: datetime | None = None,
) -> None:  # fmt: skip
    """What follows from an outcome, for a push that is locked and not yet delivered; `asked`: it answers a question."""
    rules, why = post.rules, f"{attempt.channel.value}:{report.outcome.value}:{report.code}"
    is_refused = report.outcome is Outcome.REFUSED
    is_unheard = report.outcome is Outcome.UNKNOWN and push.state is not PushState.SENT
    if is_unheard or (report.outcome is Outcome.BUSY and not asked):
        is_refused = (store.find_first_try(session, attempt) or now) <= now - timedelta(seconds=rules.busy_s)
    match report.outcome:
        case Outcome.DELIVERED:
            deliver_push(
                session,
                push,
                channel=attempt.channel,
                evidence=Grade.B,
                happened_at=min(max(happened_at or report.happened_at or now, push.created_at), now),
                actor=attempt.provider or ACTOR,
                now=now,
                keys=keys,
            )
        case Outcome.ACCEPTED:
            if push.state is not PushState.SENT:
                attempt.asked = 0
            note_sent(session, push, why=why, now=now)
            _ask_later(post, attempt, rules.receipt_steps, now=now, chance=chance)
        case Outcome.REFUSED | Outcome.BUSY | Outcome.UNKNOWN if is_refused:
            step = rules.retry_steps[attempt.tries - 1] if attempt.tries <= len(rules.retry_steps) else None
            if step is None or push.state is PushState.SENT:
                # What was taken on and then not delivered is not tried again on the same channel.
                move_on(session, push, attempt, why=why, served=post.served, now=now)
            else:
                wait = max(pause(step, chance(), rules), timedelta(seconds=report.retry_after_s or 0))
                queue_again(session, push, attempt, why=why, ready_at=now + wait, now=now)
        case Outcome.BROKEN:
            move_on(session, push, attempt, why=why, served=post.served, now=now)
        case Outcome.BUSY if not asked:
            if report.retry_after_s is not None:
                wait = pause_asked_for(report.retry_after_s, chance(), rules)
            else:
                wait = pause(rules.retry_steps[min(attempt.tries, len(rules.retry_steps)) - 1], chance(), rules)
            attempt.tries -= 1  # it was not tried
            queue_again(session, push, attempt, why=why, ready_at=now + wait, now=now)
        case Outcome.UNKNOWN if is_unheard:
            # At once, for it was not tried on; but whoever takes requests in and knows of none is given time.
            steps = (0, *rules.retry_steps)
            wait = pause(steps[min(attempt.tries, len(steps)) - 1], chance(), rules)
            queue_again(session, push, attempt, why=why, ready_at=now + wait, now=now)
        case _:
            note_uncertain(session, push, why=why, now=now)
            steps = rules.receipt_steps if push.state is PushState.SENT else rules.ask_steps
            _ask_later(post, attempt, steps, now=now, chance=chance)


def _claim(
    session: Session, post: Post, attempt: Attempt, push: Push, *, allowed: Collection[Channel],
    departures: Collection[datetime], now: datetime, keys: KeyRing,
) -> Claim | None:  # fmt: skip
    """What is to be done for an attempt whose turn it is; None if nothing is, or not now."""
    if push.state in (PushState.DELIVERED, PushState.ANSWERED, PushState.EXPIRED, PushState.SUPPRESSED):
        attempt.ready_at = None
    elif attempt.left_at is not None:
        return _claim_question(session, post, attempt, push, now=now, keys=keys)
    elif attempt.channel not in allowed:
        reroute(session, push, attempt, served=post.served, now=now)
    elif attempt.channel not in post.served:
        move_on(session, push, attempt, why=f"{attempt.channel.value}:no_sender", served=post.served, now=now)
    elif (later := _when(push, departures, post.rules, now=now)) is not None:
        attempt.ready_at = later
    else:
        return _claim_sending(session, post, attempt, push, now=now, keys=keys)
    return None


def _claim_question(
    session: Session, post: Post, attempt: Attempt, push: Push, *, now: datetime, keys: KeyRing
) -> Claim | None:
    """Ask what became of a message: of one whose sender vanished, or one that nothing was heard of."""
    sender = post.find(attempt.channel, attempt.provider)
    to = _address(session, attempt.channel, push.worker_id, now=now, keys=keys)
    if sender is None or not sender.can_query or to is None or attempt.left_at is None:
        # Nobody can tell: it stays as it is until a receipt comes or its time is over, and is not sent again.
        attempt.ready_at = None
        return None
    attempt.asked += 1
    _hold(attempt, post.rules, now=now)
    return Claim(
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


def _claim_sending(
    session: Session, post: Post, attempt: Attempt, push: Push, *, now: datetime, keys: KeyRing
) -> Claim | None:
    posting = postings.find_posting(session, push.posting_id)
    if posting is None or push.expires_at <= now or not _is_to_be_had(session, posting, push, now=now):
        expire_push(session, push, attempt, why="time_over" if push.expires_at <= now else "posting_over", now=now)
        return None
    to = _address(session, attempt.channel, push.worker_id, now=now, keys=keys)
    if to is None:
        move_on(session, push, attempt, why=f"{attempt.channel.value}:no_address", served=post.served, now=now)
        return None
    # Who never heard of it is told again under the same key, and drops a repeat should it have been on its way.
    again = post.find(attempt.channel, attempt.provider) if attempt.outcome is Outcome.UNKNOWN else None
    after = attempt.provider if attempt.outcome in (Outcome.REFUSED, Outcome.BUSY) else None
    sender = again or post.choose(attempt.channel, after=after)
    letter = post.compose(push, posting, attempt.channel, f"{post.public_url}/r/{link_token(push, keys)}")
    before = begin_sending(session, push, attempt, provider=sender.provider, now=now)
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
        before=before,
    )


def _is_to_be_had(session: Session, posting: Posting, push: Push, *, now: datetime) -> bool:
    """Whether a posting is open and has a place that somebody could still be given, and may be offered them."""
    left = places_left(session, [posting], worker_id=push.worker_id)[posting.id]
    bar = bar_of(session, posting, worker_id=push.worker_id, at=now)
    return is_open(posting, at=now) and left > 0 and bar is None


def _when(push: Push, departures: Collection[datetime], rules: SendRules, *, now: datetime) -> datetime | None:
    """When a push may leave, None for now. Who asked for something is not made to wait for it."""
    if push.cause is PushCause.ASKED:
        return None
    later = capped_until(now, list(departures), rules) or now
    later = quiet_until(later, rules) or later
    return later if later > now else None


def _held(session: Session, claim: Claim) -> tuple[Push, Attempt] | None:
    """A claim's push and attempt, locked; None if somebody else has taken over."""
    push = store.lock_push(session, claim.push_id)
    attempt = None if push is None else session.get(Attempt, claim.attempt_id, populate_existing=True)
    return None if push is None or attempt is None or attempt.fence != claim.fence else (push, attempt)


def _put_aside(attempt: Attempt, push: Push, error: Exception, *, now: datetime) -> None:
    """Leave an attempt alone that cannot be made. The error's message stays here: it may quote what it was about."""
    attempt.ready_at = now + PUT_ASIDE
    attempt.code = f"failed:{type(error).__name__}"[:80]
    _LOG.error("push %d cannot be sent by %s: %s", push.id, attempt.channel.value, type(error).__name__)


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
        consent = consents.find_consent(session, worker_id=worker_id, purpose=Purpose.JOB_PUSHES, channel=channel)
        return None if consent is None else read_address(session, consent, keys=keys)
    identity = identities.read_identity(
        session, worker_id, keys=keys, actor=ACTOR, reason=f"push by {channel.value}", now=now
    )
    return None if identity is None else identity.phone
