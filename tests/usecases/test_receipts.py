"""Receipts in any order, any number of times or not at all; and what people text back."""

import os
import random
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.callbacks import ReceiptFact
from app.domain.ledger import Channel, EntryKind, Grade
from app.domain.pushes import Answer, Outcome, PushCause, PushState, Unsuitable
from app.kit.keys import KeyRing
from app.store.consents import list_consents
from app.store.pushes import Attempt, Push, Receipt
from app.usecases.dispatch import Post, carry_out, claim_ready, settle
from app.usecases.ledger import list_entries
from app.usecases.pushes import expire_pushes
from app.usecases.receipts import ReplyOutcome, apply_fact, store_receipt, take_reply
from tests.deliveries import NOW, Teller, add_people, add_posting, phone_of, post_of, push_to

ORDERS = int(os.environ.get("JIUJIN_ORDERS", "300"))
"""How many random orders are tried; what is shown once is shown with 20,000."""
OUTCOMES = (Outcome.ACCEPTED, Outcome.DELIVERED, Outcome.REFUSED, Outcome.BROKEN)


def sent(session: Session, keys: KeyRing, post: Post, **given: Any) -> Push:
    """A push that a provider has taken on."""
    channels = (Channel.SMS, Channel.VOICE)
    (worker,) = add_people(session, 1, keys=keys, channels=channels)
    push_id = push_to(session, worker, add_posting(session), post, keys=keys, **given)
    for claim in claim_ready(session, post, limit=1, now=NOW, keys=keys)[0]:
        sender = post.find(claim.channel, claim.provider)
        assert sender is not None
        settle(session, post, claim, carry_out(claim, sender), now=NOW, keys=keys, chance=lambda: 0.5)
    return session.get_one(Push, push_id)


def apply(session: Session, post: Post, outcome: Outcome, key: str, keys: KeyRing) -> bool:
    fact = ReceiptFact(key=key, provider_id=None, outcome=outcome, happened_at=NOW)
    return apply_fact(session, post, fact, provider="teller", now=NOW, keys=keys, chance=lambda: 0.5)


def key_of(session: Session, push: Push) -> str:
    return session.scalars(select(Attempt.key).where(Attempt.push_id == push.id, Attempt.number == 1)).one()


def end_of(session: Session, push: Push) -> tuple[object, ...]:
    """All that is left of a push, but for the instants."""
    session.flush()
    attempts = session.scalars(select(Attempt).where(Attempt.push_id == push.id).order_by(Attempt.number)).all()
    entries = list_entries(session, worker_ids=[push.worker_id])
    return (
        push.state,
        # A channel that was begun before the receipt of delivery came is ended by it.
        tuple((each.channel, each.done_at is None) for each in attempts if each.done_at is None),
        tuple((entry.kind, entry.evidence) for entry in entries),
    )


def expected(outcomes: set[Outcome]) -> tuple[object, ...]:
    """What a set of receipts comes to, whatever their order: delivered, else refused, else on its way."""
    if Outcome.DELIVERED in outcomes:
        return PushState.DELIVERED, (), ((EntryKind.PUSH, Grade.B),)
    if outcomes & {Outcome.REFUSED, Outcome.BROKEN}:
        return PushState.QUEUED, ((Channel.VOICE, True),), ()
    return PushState.SENT, ((Channel.SMS, True),), ()


def test_a_set_of_receipts_comes_to_one_end_in_any_order(session: Session, key_ring: KeyRing) -> None:
    voice = Teller(provider="voice", channel=Channel.VOICE)
    post, dice = post_of(Teller(), voice), random.Random(7)  # noqa: S311  an order, no secret
    for _ in range(ORDERS):
        push = sent(session, key_ring, post)
        key = key_of(session, push)
        receipts = [dice.choice(OUTCOMES) for _ in range(dice.randrange(6))]
        receipts += [dice.choice(receipts) for _ in range(dice.randrange(3)) if receipts]
        dice.shuffle(receipts)
        for outcome in receipts:
            assert apply(session, post, outcome, key, key_ring)
        assert end_of(session, push) == expected(set(receipts)), receipts
        session.rollback()


@pytest.mark.parametrize("order", list(permutations((Outcome.ACCEPTED, Outcome.REFUSED, Outcome.DELIVERED))))
def test_delivered_holds_whatever_else_is_said(session: Session, key_ring: KeyRing, order: tuple[Outcome, ...]) -> None:
    post = post_of(Teller(), Teller(provider="voice", channel=Channel.VOICE))
    push = sent(session, key_ring, post)
    for outcome in order:
        apply(session, post, outcome, key_of(session, push), key_ring)
    assert end_of(session, push) == expected(set(order))


def test_a_receipt_may_overtake_the_answer_to_the_request(session: Session, key_ring: KeyRing) -> None:
    teller = Teller()
    post = post_of(teller)
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    (claim,) = claim_ready(session, post, limit=1, now=NOW, keys=key_ring)[0]
    assert apply(session, post, Outcome.DELIVERED, claim.key, key_ring)
    report = teller.report(Outcome.UNCERTAIN)
    assert not settle(session, post, claim, report, now=NOW, keys=key_ring, chance=lambda: 0.5)
    assert session.get_one(Push, claim.push_id).state is PushState.DELIVERED


def test_a_receipt_that_says_refused_before_the_answer_comes_leads_to_the_next_channel(
    session: Session, key_ring: KeyRing
) -> None:
    teller = Teller()
    post = post_of(teller, Teller(provider="voice", channel=Channel.VOICE))
    (worker,) = add_people(session, 1, keys=key_ring, channels=(Channel.SMS, Channel.VOICE))
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    (claim,) = claim_ready(session, post, limit=1, now=NOW, keys=key_ring)[0]
    apply(session, post, Outcome.REFUSED, claim.key, key_ring)
    assert not settle(session, post, claim, teller.report(Outcome.ACCEPTED), now=NOW, keys=key_ring, chance=lambda: 0.5)
    assert [attempt.channel for attempt in session.scalars(select(Attempt).where(Attempt.done_at.is_(None)))] == [
        Channel.VOICE
    ]


def test_a_receipt_after_it_was_given_up_still_counts(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    push = sent(session, key_ring, post)
    expire_pushes(session, now=NOW + timedelta(days=9))
    states = [push.state]
    apply(session, post, Outcome.DELIVERED, key_of(session, push), key_ring)
    states.append(push.state)
    assert states == [PushState.EXPIRED, PushState.DELIVERED]


def test_a_receipt_of_a_message_that_is_none_of_ours_says_so(session: Session, key_ring: KeyRing) -> None:
    assert not apply(session, post_of(Teller()), Outcome.DELIVERED, "nobody's", key_ring)


def test_what_came_before_is_not_stored_again_and_nothing_is_stored_in_plain_text(
    session: Session, key_ring: KeyRing
) -> None:
    def take(body: bytes, provider: str = "teller") -> bool:
        return store_receipt(session, channel=Channel.SMS, provider=provider, body=body, now=NOW, keys=key_ring)

    assert [
        take(b"13800000000 delivered"),
        take(b"13800000000 delivered"),
        take(b"13800000000 delivered", "other"),
    ] == [
        True,
        False,
        True,
    ]
    assert all("13800000000" not in body for body in session.scalars(select(Receipt.body)))


# --- replies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer", "why"),
    [
        ("1", Answer.INTERESTED, None),
        (" １ ", Answer.INTERESTED, None),
        ("3", Answer.CALL_ME, None),
        ("2", Answer.UNSUITABLE, Unsuitable.OTHER),
        ("2 太远了", Answer.UNSUITABLE, Unsuitable.TOO_FAR),
        ("2，工资低", Answer.UNSUITABLE, Unsuitable.PAY),
        ("2家里有娃要带", Answer.UNSUITABLE, Unsuitable.FAMILY),
    ],
)
def test_what_people_text_back_is_done(
    session: Session, key_ring: KeyRing, text: str, answer: Answer, why: Unsuitable | None
) -> None:
    push = sent(session, key_ring, post_of(Teller()))
    outcome = take_reply(
        session, phone=phone_of(push.worker_id), text=text, channel=Channel.SMS, now=NOW, keys=key_ring
    )
    assert (outcome, push.answer, push.why, push.state) == (ReplyOutcome.ANSWERED, answer, why, PushState.ANSWERED)


@pytest.mark.parametrize("text", ["", "12", "好的", "4", "1000元不去"])
def test_what_is_not_understood_changes_nothing(session: Session, key_ring: KeyRing, text: str) -> None:
    push = sent(session, key_ring, post_of(Teller()))
    outcome = take_reply(
        session, phone=phone_of(push.worker_id), text=text, channel=Channel.SMS, now=NOW, keys=key_ring
    )
    assert (outcome, push.state) == (ReplyOutcome.NOT_UNDERSTOOD, PushState.SENT)


@pytest.mark.parametrize("text", ["退订", "T", "td", "ＴＤ"])
def test_who_opts_out_is_sent_nothing_more_on_that_channel(session: Session, key_ring: KeyRing, text: str) -> None:
    push = sent(session, key_ring, post_of(Teller()))
    phone = phone_of(push.worker_id)
    outcome = take_reply(session, phone=phone, text=text, channel=Channel.SMS, now=NOW, keys=key_ring)
    assert outcome is ReplyOutcome.OPTED_OUT
    assert list_consents(session, [push.worker_id]) == {push.worker_id: frozenset({Channel.VOICE})}


def test_a_text_from_nobody_we_know_is_nobody_s(session: Session, key_ring: KeyRing) -> None:
    outcome = take_reply(session, phone="10000000000", text="1", channel=Channel.SMS, now=NOW, keys=key_ring)
    assert outcome is ReplyOutcome.NOBODY


def test_an_answer_is_to_what_was_sent_last(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    (worker,) = add_people(session, 1, keys=key_ring)
    for number in range(2):
        now = NOW + timedelta(hours=number)
        push_to(session, worker, add_posting(session, title=f"{number}号"), post, keys=key_ring, cause=PushCause.ASKED)
        claim_ready(session, post, limit=5, now=now, keys=key_ring)
    take_reply(session, phone=phone_of(worker), text="1", channel=Channel.SMS, now=NOW, keys=key_ring)
    answers = session.scalars(select(Push.answer).order_by(Push.id)).all()
    assert answers == [None, Answer.INTERESTED]
