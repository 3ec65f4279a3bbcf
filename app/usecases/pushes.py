"""Pushes: making them, what follows when one arrives, is answered, or cannot be sent.

The state of a push is changed in one place, `_change`, which knows what may follow what and writes each change down. A
push counts in the ledger once, when it has arrived; nothing here can write a count.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from app.domain.consents import Purpose
from app.domain.ledger import Channel, EntryKind, Fact, Grade
from app.domain.obligations import is_granted
from app.domain.postings import PostingKind, PostingState, plain_title
from app.domain.pushes import NEXT, Answer, Outcome, PushCause, PushState, Unsuitable
from app.domain.sending import ELECTRONIC, first_channel, next_channel
from app.kit.clock import china_date
from app.kit.database import reserve_ids
from app.kit.errors import Conflict, NotFound
from app.kit.keys import KeyRing, tag
from app.kit.tokens import new_token, same_token, token_digest
from app.store import consents, postings, spells, workers
from app.store import pushes as store
from app.store.ledger import find_entry, find_strike
from app.store.postings import Posting
from app.store.pushes import Attempt, Push, PushChange
from app.usecases.ledger import append_entry, list_entries
from app.usecases.vacancies import places_left

LINK_CHARACTERS = 10  # 60 bits: what a text message has room for, and too many to try over the network
# Not `sending`: somebody holds it, and when the lease is over it is uncertain.
_ENDED_IN_TIME = (PushState.QUEUED, PushState.SENT, PushState.UNCERTAIN, PushState.FAILED, PushState.SUPPRESSED)
THE_PERSON = "worker"  # who writes what somebody answers themselves
_FOLLOWED_UP = frozenset({Answer.INTERESTED, Answer.CALL_ME})


class PushNotFound(NotFound):
    """There is no such push."""

    code = "push_not_found"
    title = "没有这条推送，或者链接不对"


class PushCannotBecome(Conflict):
    """A push does not go from the state that it is in to another one."""

    code = "push_cannot_become"
    title = "这条推送现在不能这样改"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A posting that is to reach a person, and why.

    `made_for` names the occasion (a day's plan): a person is sent a posting once for one. `match` is what the matcher
    said then: score (0-1), skill_permille, metres, reach_metres, bar (None: nothing), reasons (codes).
    """

    worker_id: int
    posting_id: int
    cause: PushCause
    made_for: str
    match: Mapping[str, Any]
    expires_at: datetime
    spell_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentReport:
    """What became of intents: queued for a machine, left to a visit, suppressed for want of consent, there already."""

    queued: int
    visits: int
    suppressed: int
    known: int


def intend_pushes(
    session: Session, intents: Sequence[Intent], *, served: frozenset[Channel], now: datetime, keys: KeyRing
) -> IntentReport:
    """Make pushes with their reasons and their first attempts, all in the caller's transaction.

    Who is owed a push and lets no electronic channel be used is to be visited; anybody else is then sent nothing, and
    the push says so. What was made for the same occasion before is left as it is. Who was erased is passed over.

    Args:
        session: a transaction.
        intents: what is to be made.
        served: the channels that somebody sends on.
        now: when they are made.
        keys: make the links.
    """
    people = {each.worker_id for each in intents}
    erased = workers.hold_erased(session, people)
    intents = [each for each in intents if each.worker_id not in erased]
    made = {
        occasion: store.list_made(session, made_for=occasion, worker_ids=people)
        for occasion in {each.made_for for each in intents}
    }
    new: list[Intent] = []
    for each in intents:
        pair = (each.worker_id, each.posting_id)
        if pair not in made[each.made_for]:
            made[each.made_for].add(pair)
            new.append(each)
    allowed = consents.list_consents(session, {each.worker_id for each in new}, purpose=Purpose.JOB_PUSHES)
    jobs = _jobs_of(session, {each.posting_id for each in new})
    counts = dict.fromkeys(("queued", "visits", "suppressed"), 0)
    pushes: list[Push] = []
    beside: list[PushChange | Attempt] = []
    for push_id, each in zip(reserve_ids(session, Push, len(new)), new, strict=True):
        channel = first_channel(allowed.get(each.worker_id, frozenset()), served)
        is_visited = channel is None and each.cause is PushCause.OWED
        is_sent = channel is not None or is_visited
        push = Push(
            id=push_id,
            worker_id=each.worker_id,
            spell_id=each.spell_id,
            posting_id=each.posting_id,
            job=jobs[each.posting_id],
            cause=each.cause,
            made_for=each.made_for,
            match=dict(each.match),
            state=PushState.QUEUED if is_sent else PushState.SUPPRESSED,
            state_at=now,
            created_at=now,
            expires_at=each.expires_at,
            link=token_digest(_token(keys, keys.current("token"), push_id)),
        )
        pushes.append(push)
        beside.append(
            PushChange(push_id=push_id, happened_at=now, before=None, after=push.state, why=_why_made(channel, each))
        )
        if is_sent:
            beside.append(_attempt(push, channel or Channel.VISIT, number=1, now=now))
        counts["visits" if is_visited else "queued" if is_sent else "suppressed"] += 1
    session.add_all(pushes)
    session.flush()  # what points to them comes after them
    session.add_all(beside)
    session.flush()
    return IntentReport(known=len(intents) - len(new), **counts)


def deliver_push(
    session: Session,
    push: Push,
    *,
    channel: Channel,
    evidence: Grade,
    happened_at: datetime,
    actor: str,
    now: datetime,
    keys: KeyRing,
    facts: Mapping[str, Fact] | None = None,
    note: str | None = None,
) -> None:
    """Note that a push, locked, has reached its person: its entry in the ledger, once, and nothing more to send.

    Where that entry was struck, or is but the word of staff, what proves more is an entry beside it. It belongs to the
    spell of its day, also one that began after the push was made.

    `facts` are those of a call or visit: minutes and whether a note tells what was said.
    """
    if not _is_proven(session, push, evidence):
        entry = append_entry(
            session,
            kind=EntryKind.PUSH,
            worker_id=push.worker_id,
            spell_id=_spell_of(session, push, happened_at),
            channel=channel,
            evidence=evidence,
            happened_at=happened_at,
            now=now,
            actor=actor,
            facts=_facts_of(session, push, happened_at=happened_at) | dict(facts or {}),
            note=note,
            keys=keys,
        )
        push.entry_id = entry.id
    if push.state not in (PushState.DELIVERED, PushState.ANSWERED):
        _change(session, push, PushState.DELIVERED, why=f"{channel.value}:{evidence.value}", now=now)
    for attempt in store.lock_attempts(session, push.id):
        if attempt.done_at is None:
            _finish(attempt, now=now)
    session.flush()


def answer_push(
    session: Session,
    push_id: int,
    answer: Answer,
    *,
    channel: Channel,
    now: datetime,
    keys: KeyRing,
    why: Unsuitable | None = None,
    happened_at: datetime | None = None,
    actor: str = THE_PERSON,
) -> Push:
    """Take a person's answer: it proves that the push arrived, and is an entry of its own. Again, it changes nothing.

    Who is interested or wants to be called is put on the list of those to get in touch with. Another answer later is
    another entry, and holds from then on.

    Args:
        session: a transaction that the caller commits.
        push_id: what was answered.
        answer: in the person's own hand: a button, a key, a mark on a slip that they signed.
        channel: how it came.
        now: when it is written.
        keys: the key ring.
        why: why it does not suit.
        happened_at: when they answered, if not now.
        actor: who writes it down, if not the person.

    Raises:
        PushNotFound: no such push.
    """
    push = lock_push(session, push_id)
    if push.answer is answer and push.why is why and _is_told(session, push, {answer.value}):
        return push
    at = happened_at or now
    _confirm(session, push, answer.value, why=why, channel=channel, happened_at=at, now=now, actor=actor, keys=keys)
    note_answer(session, push, answer, why=why, now=now)
    return push


def prove_push(
    session: Session, push: Push, *, channel: Channel, happened_at: datetime, actor: str, now: datetime, keys: KeyRing
) -> None:
    """Take a channel's receipt for a push, locked, that has reached its person by the word of staff.

    What was struck though a receipt or the person had proven it stays struck: a machine that says the same again knows
    no more than before.
    """
    entry = None if push.entry_id is None else find_entry(session, push.entry_id)
    if entry is None or entry.evidence is Grade.C:
        deliver_push(
            session, push, channel=channel, evidence=Grade.B, happened_at=happened_at, actor=actor, now=now, keys=keys
        )


def note_answer(session: Session, push: Push, answer: Answer, *, why: Unsuitable | None, now: datetime) -> None:
    """Let a push, locked, follow an answer that stands in the ledger."""
    if push.state is not PushState.ANSWERED:
        _change(session, push, PushState.ANSWERED, why=answer.value, now=now)
    push.answer, push.why = answer, why
    store.follow_up(session, push, answer if answer in _FOLLOWED_UP else None, now=now)
    session.flush()


def confirm_push(
    session: Session,
    push_id: int,
    *,
    channel: Channel,
    now: datetime,
    keys: KeyRing,
    happened_at: datetime | None = None,
    actor: str = THE_PERSON,
) -> Push:
    """Take a person's word that they have seen a push (看到了), which is no answer to it. Again, it changes nothing.

    Arguments as in `answer_push`.

    Raises:
        PushNotFound: no such push.
    """
    push = lock_push(session, push_id)
    if not _is_told(session, push, {"seen", *(answer.value for answer in Answer)}):
        at = happened_at or now
        _confirm(session, push, "seen", why=None, channel=channel, happened_at=at, now=now, actor=actor, keys=keys)
        push.confirmed_at = now
        session.flush()
    return push


@dataclass(frozen=True, slots=True, kw_only=True)
class PushFact:
    """What the page behind a link shows of a push; it names nobody. `metres` are those from home."""

    id: int
    posting_id: int
    metres: int
    answer: Answer | None
    why: Unsuitable | None
    is_confirmed: bool


def load_by_link(session: Session, token: str) -> PushFact:
    """The push that a short link leads to.

    Raises:
        PushNotFound: the token is none of ours.
    """
    push = _find_by_link(session, token)
    return PushFact(
        id=push.id,
        posting_id=push.posting_id,
        metres=int(push.match.get("metres", 0)),
        answer=push.answer,
        why=push.why,
        is_confirmed=push.confirmed_at is not None,
    )


def find_holder(session: Session, token: str) -> int:
    """Whose push a short link leads to; for narrowing what is read next to that person's rows.

    Raises:
        PushNotFound: the token is none of ours.
    """
    return _find_by_link(session, token).worker_id


def _find_by_link(session: Session, token: str) -> Push:
    push = store.find_push_by_link(session, token_digest(token)) if len(token) == LINK_CHARACTERS else None
    if push is None:
        raise PushNotFound
    return push


def link_token(push: Push, keys: KeyRing) -> str:
    """The token of a push's short link: worked out again, since only its digest is stored.

    Raises:
        LookupError: it was made with a key that the ring does not hold.
    """
    for version in sorted(keys.token, reverse=True):
        token = _token(keys, version, push.id)
        if same_token(token_digest(token), push.link):
            return token
    raise LookupError(f"push {push.id}: its link was made with another key")


def count_pushes(session: Session, *, made_for: str) -> dict[PushState, int]:
    """How many pushes of an occasion stand in each state; together they are all that were made for it."""
    found = store.count_by_state(session, made_for=made_for)
    return {state: found.get(state, 0) for state in PushState}


def are_pushes_over(session: Session, *, now: datetime) -> bool:
    """Whether `expire_pushes` would find any."""
    return store.has_expired(session, now=now, states=_ENDED_IN_TIME)


def expire_pushes(session: Session, *, now: datetime, limit: int = 500) -> int:
    """End pushes whose time is over without their having arrived; how many.

    One that left and was not heard of is ended too: it is never sent again, and a receipt may still come.
    """
    expired = store.lock_expired(session, now=now, states=_ENDED_IN_TIME, limit=limit)
    for push in expired:
        _change(session, push, PushState.EXPIRED, why="time_over", now=now)
        for attempt in store.lock_attempts(session, push.id):
            if attempt.done_at is None:
                _finish(attempt, now=now)
    session.flush()
    return len(expired)


def expire_push(session: Session, push: Push, attempt: Attempt, *, why: str, now: datetime) -> None:
    """End a push, locked, that is not worth sending any more."""
    _change(session, push, PushState.EXPIRED, why=why, now=now)
    _finish(attempt, now=now)


def withdraw_push(session: Session, push: Push, attempts: Iterable[Attempt], *, why: str, now: datetime) -> bool:
    """End a push, locked with its attempts, that is not to arrive any more; False if it is over already.

    One that somebody is sending may arrive all the same: who holds it finds the fence raised and writes nothing down.
    """
    if push.state is PushState.SENDING:
        _change(session, push, PushState.UNCERTAIN, why=why, now=now)
    is_withdrawn = PushState.EXPIRED in NEXT[push.state]
    if is_withdrawn:
        _change(session, push, PushState.EXPIRED, why=why, now=now)
    for attempt in attempts:
        if attempt.done_at is None:
            _finish(attempt, now=now)
    return is_withdrawn


class Tried(NamedTuple):
    """What stands in an attempt of the try before: who made it, and what came of it."""

    provider: str | None
    outcome: Outcome | None
    code: str


def begin_sending(session: Session, push: Push, attempt: Attempt, *, provider: str, now: datetime) -> Tried:
    """Note, before a request leaves, that it is about to: found so later, it may have been sent. What stood there."""
    _change(session, push, PushState.SENDING, why=f"{attempt.channel.value}:{provider}", now=now)
    before = Tried(attempt.provider, attempt.outcome, attempt.code)
    # What came of the try before says nothing of this one.
    attempt.left_at, attempt.provider, attempt.outcome, attempt.code = now, provider, None, ""
    attempt.tries += 1
    return before


def undo_sending(session: Session, push: Push, attempt: Attempt, *, before: Tried, now: datetime) -> None:
    """Note that what was about to leave has not: it was not tried."""
    attempt.tries -= 1
    attempt.provider, attempt.outcome, attempt.code = before
    queue_again(session, push, attempt, why="not_begun", ready_at=now, now=now)


def note_sent(session: Session, push: Push, *, why: str, now: datetime) -> None:
    """Note that a provider has taken a message on."""
    if push.state is not PushState.SENT:
        _change(session, push, PushState.SENT, why=why, now=now)


def note_uncertain(session: Session, push: Push, *, why: str, now: datetime) -> None:
    """Note that nobody knows whether a message was sent: it is kept apart until that is known."""
    if push.state is PushState.SENDING:
        _change(session, push, PushState.UNCERTAIN, why=why, now=now)


def queue_again(session: Session, push: Push, attempt: Attempt, *, why: str, ready_at: datetime, now: datetime) -> None:
    """Put a message that certainly was not sent back into the queue."""
    if push.state is not PushState.QUEUED:
        _change(session, push, PushState.QUEUED, why=why, now=now)
    attempt.left_at, attempt.provider_id, attempt.asked = None, None, 0
    attempt.ready_at = ready_at


def move_on(
    session: Session, push: Push, attempt: Attempt, *, why: str, served: frozenset[Channel], now: datetime
) -> None:
    """Leave a channel that certainly failed for the next one that the person allows, in the end for a visit if owed."""
    if push.state is not PushState.FAILED:
        _change(session, push, PushState.FAILED, why=why, now=now)
    _finish(attempt, now=now)
    session.flush()
    attempts = store.lock_attempts(session, push.id)
    allowed = _allowed(session, push.worker_id)
    tried = frozenset(each.channel for each in attempts)
    channel = next_channel(allowed, tried, served)
    if channel is None and push.cause is PushCause.OWED and Channel.VISIT not in tried:
        channel = Channel.VISIT
    if channel is None:
        return
    session.add(_attempt(push, channel, number=attempts[-1].number + 1, now=now))
    _change(session, push, PushState.QUEUED, why=f"next:{channel.value}", now=now)


def reroute(session: Session, push: Push, attempt: Attempt, *, served: frozenset[Channel], now: datetime) -> None:
    """Take a queued push off a channel that the person no longer allows."""
    allowed = _allowed(session, push.worker_id)
    _finish(attempt, now=now)
    session.flush()
    attempts = store.lock_attempts(session, push.id)
    tried = frozenset(each.channel for each in attempts)
    channel = next_channel(allowed, tried, served) or next_channel(allowed, tried, ELECTRONIC)
    if channel is None and push.cause is PushCause.OWED:
        channel = Channel.VISIT
    if channel is None:
        _change(session, push, PushState.SUPPRESSED, why="no_consent", now=now)
        return
    session.add(_attempt(push, channel, number=attempts[-1].number + 1, now=now))
    session.flush()


def _allowed(session: Session, worker_id: int) -> frozenset[Channel]:
    """The channels on which somebody lets jobs be sent to them."""
    found = consents.list_consents(session, [worker_id], purpose=Purpose.JOB_PUSHES)
    return found.get(worker_id, frozenset())


def job_of(posting: Posting) -> str:
    """What all rows of one job have in common: employer, occupation, place and pay; the title where nobody is named."""
    whose = str(posting.employer_id) if posting.employer_id is not None else plain_title(posting.title)
    parts = (whose, posting.occupation_code, posting.area_code, posting.pay_low, posting.pay_high, posting.pay_unit)
    return hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()[:32]


def is_open(posting: Posting | None, *, at: datetime, was_listed: bool = False) -> bool:
    """Whether somebody could have taken the posting up at an instant, now or earlier.

    `was_listed`: it is known otherwise that it was open some time before, so that it was if it is looked into since.
    """
    if posting is None or posting.posted_at > at:
        return False
    # What is closed is changed no more, so that the last change was its closing.
    since = (PostingState.CLOSED, PostingState.REVIEW) if was_listed else (PostingState.CLOSED,)
    was_open = posting.state is PostingState.OPEN or (posting.state in since and posting.changed_at > at)
    return was_open and (posting.valid_until is None or posting.valid_until >= china_date(at))


NOT_GRANTED = "not_granted"
"""Why a public-welfare post does not count for somebody to whom none was granted."""


def bar_of(session: Session, posting: Posting | None, *, worker_id: int, at: datetime) -> str | None:
    """What keeps somebody from a posting besides what the matcher says.

    Nobody is offered a public-welfare post whom the office had not granted one by an instant (plan 8.10).
    """
    if posting is None or posting.kind is not PostingKind.PUBLIC_WELFARE:
        return None
    spell = spells.find_spell_on(session, worker_id, on=china_date(at))
    # A decision that was struck has never held, whenever that came out.
    entries = [
        entry
        for entry in list_entries(session, worker_ids=[worker_id])
        if entry.kind is EntryKind.STRIKE or entry.happened_at <= at
    ]
    return None if spell is not None and is_granted(spell, entries) else NOT_GRANTED


def lock_push(session: Session, push_id: int) -> Push:
    """A push, locked until the transaction ends.

    Raises:
        PushNotFound: no such push.
    """
    push = store.lock_push(session, push_id)
    if push is None:
        raise PushNotFound
    return push


def _change(session: Session, push: Push, after: PushState, *, why: str, now: datetime) -> None:
    """The only place where a push changes its state."""
    if after not in NEXT[push.state]:
        raise PushCannotBecome(f"“{push.state.label}”之后不能是“{after.label}”")
    session.add(PushChange(push_id=push.id, happened_at=now, before=push.state, after=after, why=why[:80]))
    push.state, push.state_at = after, now


def _confirm(
    session: Session,
    push: Push,
    answer: str,
    *,
    why: Unsuitable | None,
    channel: Channel,
    happened_at: datetime,
    now: datetime,
    actor: str,
    keys: KeyRing,
) -> None:
    """The entry of what a person said to a push; that it arrived is proven by it, if nothing else has proven it."""
    deliver_push(
        session, push, channel=channel, evidence=Grade.A, happened_at=happened_at, actor=actor, now=now, keys=keys
    )
    append_entry(
        session,
        kind=EntryKind.ANSWER,
        worker_id=push.worker_id,
        spell_id=_spell_of(session, push, happened_at),
        channel=channel,
        evidence=Grade.A,
        happened_at=happened_at,
        now=now,
        actor=actor,
        refers_to=push.entry_id,
        facts={"push": push.id, "answer": answer, "why": None if why is None else why.value},
        keys=keys,
    )


def _spell_of(session: Session, push: Push, at: datetime) -> int | None:
    """The spell that something belongs to which happened to a push at an instant."""
    spell = spells.find_spell_on(session, push.worker_id, on=china_date(at))
    return push.spell_id if spell is None else spell.id


def _is_proven(session: Session, push: Push, evidence: Grade) -> bool:
    """Whether the ledger holds as much of a push's arrival as this evidence would prove."""
    entry = None if push.entry_id is None else find_entry(session, push.entry_id)
    if entry is None or find_strike(session, entry.id) is not None:
        return False
    return entry.evidence is not Grade.C or evidence is Grade.C


def _is_told(session: Session, push: Push, said: Collection[str]) -> bool:
    """Whether the ledger holds that the person has said one of these to a push, and that it arrived."""
    entries = list_entries(session, worker_ids=[push.worker_id])
    struck = {entry.refers_to for entry in entries if entry.kind is EntryKind.STRIKE}
    return push.entry_id not in struck and any(
        entry.kind is EntryKind.ANSWER
        and entry.id not in struck
        and entry.refers_to == push.entry_id
        and entry.facts.get("answer") in said
        for entry in entries
    )


def _facts_of(session: Session, push: Push, *, happened_at: datetime) -> dict[str, Fact]:
    """What the ledger keeps of a push: how the posting stood when it arrived, and how it fitted."""
    posting, match = postings.find_posting(session, push.posting_id), push.match
    return {
        "push": push.id,
        "posting": push.posting_id,
        "job": push.job,
        "is_open": is_open(posting, at=happened_at, was_listed=True),
        "places": 0 if posting is None else _places_at(session, posting, push, at=happened_at),
        "bar": match.get("bar") or bar_of(session, posting, worker_id=push.worker_id, at=happened_at),
        "skill_permille": int(match.get("skill_permille", 0)),
        "metres": int(match.get("metres", 0)),
        "reach_metres": int(match.get("reach_metres", 0)),
        "reasons": [str(each) for each in match.get("reasons", ())],
    }


def _places_at(session: Session, posting: Posting, push: Push, *, at: datetime) -> int:
    return places_left(session, [posting], worker_id=push.worker_id, at=at)[posting.id]


def _jobs_of(session: Session, posting_ids: Iterable[int]) -> dict[int, str]:
    return {posting.id: job_of(posting) for posting, _ in postings.list_postings(session, sorted(posting_ids))}


def _attempt(push: Push, channel: Channel, *, number: int, now: datetime) -> Attempt:
    return Attempt(
        push_id=push.id,
        number=number,
        channel=channel,
        urgency=int(push.cause.urgency),
        key=new_token(16),
        # Nobody but a person can make a visit.
        ready_at=now if channel.is_electronic else None,
        created_at=now,
    )


def _finish(attempt: Attempt, *, now: datetime) -> None:
    """Nothing is left to do for an attempt; whoever still holds it finds the fence raised."""
    attempt.done_at, attempt.ready_at = now, None
    attempt.fence += 1


def _why_made(channel: Channel | None, intent: Intent) -> str:
    if channel is not None:
        return f"{intent.cause.value}:{channel.value}"
    return f"{intent.cause.value}:visit" if intent.cause is PushCause.OWED else "no_consent"


def _token(keys: KeyRing, version: int, push_id: int) -> str:
    return tag(keys.token[version], "push_link", str(push_id))[:LINK_CHARACTERS]


Compose = Callable[[Push, Posting, Channel, str], "Letter"]
"""Words a push for a channel, given its link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A push as it is read on a channel: the agreed template, what fills it, and the whole text."""

    template: str
    values: dict[str, str]
    text: str
