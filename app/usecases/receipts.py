"""What providers tell afterwards: receipts of delivery, and what people text back or key.

Everything is stored raw before anybody looks into it. Receipts come late, twice, in any order or not at all: what a
push comes to depends on which have come, not on their order. What goes wrong with one stops no other.
"""

import base64
import hashlib
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from app.domain.callbacks import CallbackBroken, CallbackFacts, CallbackReader, ReceiptFact, ReplyFact
from app.domain.ledger import Channel
from app.domain.pushes import OPT_OUTS, Outcome, PushState, Report, reply_in
from app.kit.database import is_busy
from app.kit.encrypted import Place, SealBroken, seal, unseal
from app.kit.errors import Busy
from app.kit.keys import KeyRing
from app.store import identities
from app.store import pushes as store
from app.store.pushes import Attempt, Push, Receipt
from app.usecases.consents import end_consent, find_by_address
from app.usecases.dispatch import Chance, Post, take_outcome
from app.usecases.pushes import answer_push, note_sent, prove_push

KEPT_WAITING = timedelta(hours=1)  # a receipt may come before we have written down the provider's number
LOOK_AGAIN = timedelta(seconds=5)
REPLY_WITHIN = timedelta(days=30)
_ON_ITS_WAY = (PushState.SENDING, PushState.SENT, PushState.UNCERTAIN)
_KEYED_OPT_OUT = "0"  # 请按零, as the call says; a text message says 退订
_NOTE_CHARACTERS = 80
_RECEIPTS_AT_ONCE = 500
_TO_EMPTY = "emptied"


class ReplyOutcome(StrEnum):
    """What was made of a text that somebody sent."""

    ANSWERED = "answered"
    OPTED_OUT = "opted_out"
    NOT_UNDERSTOOD = "not_understood"
    NOBODY = "nobody"


def store_receipt(
    session: Session, *, channel: Channel, provider: str, body: bytes, now: datetime, keys: KeyRing
) -> bool:
    """Keep what a provider has sent, sealed; False when the very same came before."""
    digest = hashlib.sha256(f"{channel.value}\x1f{provider}\x1f".encode() + body).hexdigest()
    if store.find_receipt(session, digest) is not None:
        return False
    # What comes is bytes, text or not.
    sealed = seal(keys, base64.b64encode(body).decode(), place=_place(digest))
    try:
        with session.begin_nested():
            session.add(Receipt(channel=channel, provider=provider, digest=digest, body=sealed, received_at=now))
    except IntegrityError:
        # The very same came at the same moment.
        return False
    return True


def count_receipts_behind(session: Session, *, today: str) -> int:
    """How many receipts are sealed otherwise than today."""
    return store.count_receipts_behind(session, today=today)


def reseal_receipts(session: Session, *, after: int, limit: int, today: str, keys: KeyRing) -> tuple[int, int] | None:
    """Seal the next receipts anew that are sealed otherwise than today; as `store.identities.bring_up`."""
    rows = store.lock_receipts_behind(session, after=after, limit=limit, today=today)
    changed = 0
    for row in rows:
        with suppress(SealBroken):
            place = _place(row.digest)
            row.body = seal(keys, unseal(keys, row.body, place=place), place=place)
            changed += 1
    session.flush()
    return (rows[-1].id, changed) if rows else None


def forget_in_receipts(session: Session, marks: Collection[str], *, keys: KeyRing) -> int:
    """Empty the receipts in which one of these marks of a person stands, once what they tell was taken; how many.

    A receipt may tell of several people: one that was not looked at yet is emptied when it has been. Opens every
    receipt there is, which is half a year's.
    """
    wanted, after, found = [mark.encode() for mark in marks], 0, 0
    while wanted and (rows := store.list_receipts(session, after=after, limit=_RECEIPTS_AT_ONCE)):
        for row in rows:
            after = row.id
            with suppress(SealBroken):
                body = base64.b64decode(unseal(keys, row.body, place=_place(row.digest)))
                if any(mark in body for mark in wanted) and (locked := store.lock_receipt(session, row.id)) is not None:
                    found += 1
                    if locked.applied_at is None:
                        locked.note = _TO_EMPTY
                    else:
                        _empty(locked, keys=keys)
        session.flush()
    return found


def are_receipts_waiting(session: Session, *, now: datetime) -> bool:
    """Whether `apply_receipts` would find any."""
    return store.has_unapplied_receipts(session, now=now)


def apply_receipts(
    session: Session,
    post: Post,
    *,
    readers: Mapping[str, CallbackReader],
    now: datetime,
    keys: KeyRing,
    chance: Chance,
    limit: int = 200,
) -> int:
    """Make of stored receipts and replies what follows from them; how many were looked at.

    One that speaks of a message that we do not know (yet) is looked at again for an hour, ever more seldom; replies
    beside it are taken at once. What cannot be read, or fails, is kept and says so.
    """
    receipts = store.lock_unapplied_receipts(session, now=now, limit=limit)
    told: list[tuple[Receipt, CallbackFacts, set[str]]] = []
    push_ids: set[int] = set()
    for receipt in receipts:
        facts, notes = _read(receipt, readers, keys=keys)
        push_ids |= _pushes_in(session, receipt, facts, now=now, keys=keys)
        told.append((receipt, facts, notes))
    # All at once and in one order: two who lock one push after the other may wait for each other.
    store.lock_pushes(session, push_ids)
    for receipt, facts, notes in told:
        are_known = True
        for fact in facts.receipts:
            with _set_apart(session, notes):
                are_known &= apply_fact(
                    session, post, fact, provider=receipt.provider, now=now, keys=keys, chance=chance
                )
        # Once: who has changed their mind in the meantime is not to be taken at their old word.
        for reply in facts.replies if receipt.look_again_at is None else ():
            with _set_apart(session, notes):
                notes.add(take_reply(session, reply, channel=receipt.channel, now=now, keys=keys).value)
        waited = now - receipt.received_at
        if are_known or waited >= KEPT_WAITING:
            receipt.applied_at, receipt.look_again_at = now, None
            notes.update(() if are_known else ("unknown_message",))
        else:
            receipt.look_again_at = min(now + max(waited, LOOK_AGAIN), receipt.received_at + KEPT_WAITING)
        if receipt.applied_at is not None and _TO_EMPTY in notes:
            _empty(receipt, keys=keys)
        receipt.note = ",".join(sorted(notes))[:_NOTE_CHARACTERS]
    session.flush()
    return len(receipts)


def apply_fact(
    session: Session, post: Post, fact: ReceiptFact, *, provider: str, now: datetime, keys: KeyRing, chance: Chance
) -> bool:
    """Let one receipt have its effect; False when it speaks of no message of ours, or of one not known yet.

    Delivered holds for ever, whatever else is said of the message and whichever provider says so: one that was left for
    another may have sent it all the same. Anything else counts as long as the message is on its way, and only if it is
    the try under way that it speaks of.
    """
    found = _attempt_of(session, fact, provider)
    push = None if found is None else store.lock_push(session, found.push_id)
    if found is None or push is None:
        return False
    attempt = next(each for each in store.lock_attempts(session, push.id) if each.id == found.id)
    is_delivered = fact.outcome is Outcome.DELIVERED
    is_open = attempt.done_at is None and push.state in _ON_ITS_WAY
    if is_delivered and push.state in (PushState.DELIVERED, PushState.ANSWERED):
        at = _clamped(fact.happened_at, push, now=now)
        prove_push(session, push, channel=attempt.channel, happened_at=at, actor=provider, now=now, keys=keys)
    if push.state in (PushState.DELIVERED, PushState.ANSWERED) or not (is_delivered or is_open):
        return True
    if not is_delivered:
        is_current = _is_current(attempt, fact, provider)
        if not is_current:
            return is_current is False
        # Whoever still waits for the answer to the request has nothing more to say.
        attempt.fence += 1
        note_sent(session, push, why=f"{attempt.channel.value}:receipt", now=now)
    report = Report(outcome=fact.outcome, provider=provider, provider_id=fact.provider_id, code=fact.code)
    attempt.outcome, attempt.code = fact.outcome, fact.code[:80]
    attempt.provider_id = fact.provider_id or (attempt.provider_id if attempt.provider == provider else None)
    attempt.provider = provider
    take_outcome(
        session,
        post,
        push,
        attempt,
        report,
        asked=True,
        now=now,
        keys=keys,
        chance=chance,
        happened_at=_clamped(fact.happened_at, push, now=now),
    )
    return True


def take_reply(session: Session, reply: ReplyFact, *, channel: Channel, now: datetime, keys: KeyRing) -> ReplyOutcome:
    """Do what somebody texted or keyed: 1 interested, 2 not suitable (and why), 3 call me, 退订 (by voice 0).

    A phone may be several people's: opting out holds for all of them. The answer is to the message that the reply
    names, else to what had last been sent to any of them when they wrote.
    """
    push = _push_answered(session, reply, channel=channel, now=now, keys=keys)
    people = _people_of(session, reply.sender, channel=channel, keys=keys)
    if push is not None and push.worker_id not in people:
        people.append(push.worker_id)
    if not people:
        return ReplyOutcome.NOBODY
    plain = unicodedata.normalize("NFKC", reply.text).strip().upper()
    if plain in OPT_OUTS or (channel is Channel.VOICE and plain == _KEYED_OPT_OUT):
        for worker_id in people:
            end_consent(session, worker_id=worker_id, channel=channel, how="reply", actor="worker", now=now)
        return ReplyOutcome.OPTED_OUT
    told = reply_in(plain)
    if push is None or told is None:
        return ReplyOutcome.NOT_UNDERSTOOD
    answer, why = told
    at = _clamped(reply.happened_at, push, now=now)
    answer_push(session, push.id, answer, why=why, channel=channel, happened_at=at, now=now, keys=keys)
    return ReplyOutcome.ANSWERED


def _empty(receipt: Receipt, *, keys: KeyRing) -> None:
    receipt.body = seal(keys, "", place=_place(receipt.digest))


@contextmanager
def _set_apart(session: Session, notes: set[str]) -> Iterator[None]:
    """What goes wrong in the block is undone and noted; only what passes by itself goes through, to be done again."""
    try:
        with session.begin_nested():
            yield
    except Busy:
        raise
    except Exception as error:
        # Whatever it is, the others must not wait for it.
        if isinstance(error, DBAPIError) and (is_busy(error) or error.connection_invalidated):
            raise
        notes.add(f"failed:{type(error).__name__}")


def _read(receipt: Receipt, readers: Mapping[str, CallbackReader], *, keys: KeyRing) -> tuple[CallbackFacts, set[str]]:
    """What a receipt tells, and what is to be noted of it; where the provider names no time, it came at once."""
    notes = {note for note in receipt.note.split(",") if note}
    reader = readers.get(receipt.provider)
    if reader is None:
        return CallbackFacts(), notes | {"no_reader"}
    try:
        facts = reader.read(base64.b64decode(unseal(keys, receipt.body, place=_place(receipt.digest))))
    except CallbackBroken:
        return CallbackFacts(), notes | {"unreadable"}
    except Exception as error:  # noqa: BLE001  as in `_set_apart`
        return CallbackFacts(), notes | {f"failed:{type(error).__name__}"}
    if facts.unreadable:
        notes.add(f"partly_unreadable:{facts.unreadable}")
    at = receipt.received_at
    receipts = [replace(fact, happened_at=fact.happened_at or at) for fact in facts.receipts]
    replies = [replace(reply, happened_at=reply.happened_at or at) for reply in facts.replies]
    return replace(facts, receipts=receipts, replies=replies), notes


def _pushes_in(session: Session, receipt: Receipt, facts: CallbackFacts, *, now: datetime, keys: KeyRing) -> set[int]:
    """The pushes that a receipt speaks of. What cannot be looked up now fails again, and is noted, when its turn is."""
    found: set[int] = set()
    with _set_apart(session, set()):
        for fact in facts.receipts:
            attempt = _attempt_of(session, fact, receipt.provider)
            found |= set() if attempt is None else {attempt.push_id}
        for reply in facts.replies:
            push = _push_answered(session, reply, channel=receipt.channel, now=now, keys=keys)
            found |= set() if push is None else {push.id}
    return found


def _attempt_of(session: Session, fact: ReceiptFact, provider: str) -> Attempt | None:
    """What a receipt speaks of: by our key, which is the same at every provider, else by the provider's own number."""
    if fact.key is not None:
        return store.find_attempt_by_key(session, fact.key)
    if fact.provider_id is not None:
        return store.find_attempt_by_number(session, provider=provider, provider_id=fact.provider_id)
    return None


def _is_current(attempt: Attempt, fact: ReceiptFact, provider: str) -> bool | None:
    """Whether it is the try under way that a receipt speaks of; None: not to be told yet.

    All tries have one key. The provider's number tells one from another, and we know it when the request is answered.
    """
    if attempt.provider != provider:
        return False
    if attempt.provider_id is not None and fact.provider_id is not None:
        return attempt.provider_id == fact.provider_id
    if attempt.tries <= 1:
        return True
    return None if attempt.provider_id is None and fact.provider_id is not None else False


def _push_answered(
    session: Session, reply: ReplyFact, *, channel: Channel, now: datetime, keys: KeyRing
) -> Push | None:
    if reply.key is not None:
        attempt = store.find_attempt_by_key(session, reply.key)
        return None if attempt is None else store.find_push(session, attempt.push_id)
    people = _people_of(session, reply.sender, channel=channel, keys=keys)
    at = min(reply.happened_at or now, now)
    return store.find_latest_push(session, worker_ids=people, channel=channel, since=at - REPLY_WITHIN, until=at)


def _people_of(session: Session, sender: str, *, channel: Channel, keys: KeyRing) -> list[int]:
    """Whose number it is, or whose open id."""
    if channel is Channel.WECHAT:
        return find_by_address(session, channel=channel, address=sender, keys=keys)
    return identities.find_by_phone(session, sender, keys=keys)


def _clamped(happened_at: datetime | None, push: Push, *, now: datetime) -> datetime:
    """When something happened by the provider's clock, which may be wrong: after the push was made, before now."""
    return min(max(happened_at or now, push.created_at), now)


def _place(digest: str) -> Place:
    return Place("receipts", "body", digest)
