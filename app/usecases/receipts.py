"""What providers tell afterwards: receipts of delivery, and what people text back or key.

Everything is stored raw before anybody looks into it. Receipts come late, twice, in any order or not at all: what a
push comes to depends on which have come, not on their order.
"""

import base64
import hashlib
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from app.domain.callbacks import CallbackBroken, CallbackFacts, CallbackReader, ReceiptFact
from app.domain.ledger import Channel
from app.domain.pushes import (
    OPT_OUTS,
    REPLIES,
    Answer,
    Outcome,
    PushState,
    Report,
    Unsuitable,
    reason_in,
)
from app.kit.encrypted import Place, seal, unseal
from app.kit.keys import KeyRing
from app.store import identities
from app.store import pushes as store
from app.store.pushes import Receipt
from app.usecases.consents import end_consent
from app.usecases.dispatch import Chance, Post, take_outcome
from app.usecases.pushes import answer_push, note_sent

KEPT_WAITING = timedelta(hours=1)  # a receipt may come before we have written down the provider's number
REPLY_WITHIN = timedelta(days=30)
_ON_ITS_WAY = (PushState.SENDING, PushState.SENT, PushState.UNCERTAIN)


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
    session.add(Receipt(channel=channel, provider=provider, digest=digest, body=sealed, received_at=now))
    session.flush()
    return True


def are_receipts_waiting(session: Session) -> bool:
    """Whether `apply_receipts` would find any."""
    return store.has_unapplied_receipts(session)


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

    One that speaks of a message that we do not know (yet) is looked at again for an hour. What cannot be read is kept,
    and says so.
    """
    receipts = store.lock_unapplied_receipts(session, limit=limit)
    for receipt in receipts:
        reader = readers.get(receipt.provider)
        body = base64.b64decode(unseal(keys, receipt.body, place=_place(receipt.digest)))
        try:
            told = CallbackFacts() if reader is None else reader.read(body)
        except CallbackBroken:
            receipt.applied_at, receipt.note = now, "unreadable"
            continue
        are_known = [
            apply_fact(session, post, fact, provider=receipt.provider, now=now, keys=keys, chance=chance)
            for fact in told.receipts
        ]
        is_over = receipt.received_at <= now - KEPT_WAITING
        if not all(are_known) and not is_over:
            continue
        outcomes = {
            take_reply(session, phone=reply.sender, text=reply.text, channel=receipt.channel, now=now, keys=keys)
            for reply in told.replies
        }
        receipt.applied_at = now
        if reader is None:
            receipt.note = "no_reader"
        elif not all(are_known):
            receipt.note = "unknown_message"
        else:
            notes = {outcome.value for outcome in outcomes}
            if told.unreadable:
                notes.add(f"partly_unreadable:{told.unreadable}")
            receipt.note = ",".join(sorted(notes))
    session.flush()
    return len(receipts)


def apply_fact(
    session: Session, post: Post, fact: ReceiptFact, *, provider: str, now: datetime, keys: KeyRing, chance: Chance
) -> bool:
    """Let one receipt have its effect; False when it speaks of no message of ours.

    Delivered holds for ever, whatever else is said of the message. Refused counts as long as the message is on its way.
    """
    found = store.find_attempt(session, provider=provider, key=fact.key, provider_id=fact.provider_id)
    push = None if found is None else store.lock_push(session, found.push_id)
    if found is None or push is None:
        return False
    attempt = next(each for each in store.lock_attempts(session, push.id) if each.id == found.id)
    is_delivered = fact.outcome is Outcome.DELIVERED
    is_open = attempt.done_at is None and push.state in _ON_ITS_WAY
    if push.state in (PushState.DELIVERED, PushState.ANSWERED) or not (is_delivered or is_open):
        return True
    report = Report(outcome=fact.outcome, provider=provider, provider_id=fact.provider_id, code=fact.code)
    attempt.outcome, attempt.code = fact.outcome, fact.code[:80]
    attempt.provider_id = fact.provider_id or attempt.provider_id
    if not is_delivered:
        # Whoever still waits for the answer to the request has nothing more to say.
        attempt.fence += 1
        note_sent(session, push, why=f"{attempt.channel.value}:receipt", now=now)
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
        happened_at=fact.happened_at,
    )
    return True


def take_reply(
    session: Session, *, phone: str, text: str, channel: Channel, now: datetime, keys: KeyRing
) -> ReplyOutcome:
    """Do what somebody texted or keyed: 1 interested, 2 not suitable (and why), 3 call me, 退订.

    A phone may be several people's: the answer is to what was last sent to any of them, and opting out holds for all.
    """
    people = identities.find_by_phone(session, phone, keys=keys)
    if not people:
        return ReplyOutcome.NOBODY
    plain = unicodedata.normalize("NFKC", text).strip().upper()
    if plain in OPT_OUTS:
        for worker_id in people:
            end_consent(session, worker_id=worker_id, channel=channel, how="reply", actor="worker", now=now)
        return ReplyOutcome.OPTED_OUT
    answer = REPLIES.get(plain[:1])
    if answer is None or plain[1:2].isdecimal():
        return ReplyOutcome.NOT_UNDERSTOOD
    push = store.find_latest_push(session, worker_ids=people, channel=channel, since=now - REPLY_WITHIN)
    if push is None:
        return ReplyOutcome.NOT_UNDERSTOOD
    why: Unsuitable | None = reason_in(plain[1:]) if answer is Answer.UNSUITABLE else None
    answer_push(session, push.id, answer, why=why, channel=channel, now=now, keys=keys)
    return ReplyOutcome.ANSWERED


def _place(digest: str) -> Place:
    return Place("receipts", "body", digest)
