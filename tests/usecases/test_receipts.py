"""Receipts in any order, any number of times or not at all; and what people text back."""

import json
import os
import random
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.channels.callbacks import ProviderCallbacks, Shape
from app.domain.callbacks import ReceiptFact, ReplyFact
from app.domain.consents import Purpose
from app.domain.ledger import Channel, Entry, EntryKind, Grade
from app.domain.pushes import Answer, Outcome, PushCause, PushState, Report, Unsuitable
from app.kit.clock import FixedClock
from app.kit.database import write_session
from app.kit.keys import KeyRing
from app.store.consents import list_consents
from app.store.ledger import LedgerKey, lock_key
from app.store.pushes import Attempt, Push, Receipt
from app.usecases.consents import end_consent, give_consent
from app.usecases.dispatch import Claim, Post, carry_out, claim_ready, settle
from app.usecases.ledger import list_entries, strike_entry
from app.usecases.pushes import deliver_push, expire_pushes
from app.usecases.receipts import (
    LOOK_AGAIN,
    ReplyOutcome,
    apply_fact,
    apply_receipts,
    are_receipts_waiting,
    store_receipt,
    take_reply,
)
from tests.deliveries import NOW, Teller, add_people, add_posting, phone_of, post_of, push_to

ORDERS = int(os.environ.get("JIUJIN_ORDERS", "75"))
"""How many random orders are tried; what is shown once is shown with 20,000."""
OUTCOMES = (Outcome.ACCEPTED, Outcome.DELIVERED, Outcome.REFUSED, Outcome.BROKEN)
PHONE = "13800000000"  # the network's own message centre
READERS = {
    provider: ProviderCallbacks(provider=provider, channel=channel, shape=shape, secret="s", clock=FixedClock(NOW))
    for provider, channel, shape in (
        ("teller", Channel.SMS, Shape.NEUTRAL),
        ("voice", Channel.VOICE, Shape.NEUTRAL),
        ("aliyun", Channel.SMS, Shape.ALIYUN),
        ("wechat", Channel.WECHAT, Shape.WECHAT),
    )
}


def claimed(session: Session, post: Post, keys: KeyRing, *, now: datetime = NOW) -> list[Claim]:
    return claim_ready(session, post, limit=9, now=now, keys=keys)[0]


def step(session: Session, post: Post, keys: KeyRing, *, now: datetime = NOW) -> None:
    """Claim, carry out and settle once."""
    for claim in claimed(session, post, keys, now=now):
        sender = post.find(claim.channel, claim.provider)
        assert sender is not None
        settle(session, post, claim, carry_out(claim, sender), now=now, keys=keys, chance=lambda: 0.5)


def sent(
    session: Session,
    keys: KeyRing,
    post: Post,
    *,
    phone: str | None = None,
    channels: Sequence[Channel] = (Channel.SMS, Channel.VOICE),
    **given: Any,
) -> Push:
    """A push that a provider has taken on."""
    (worker,) = add_people(session, 1, keys=keys, channels=channels, phone=phone)
    push_id = push_to(session, worker, add_posting(session), post, keys=keys, **given)
    step(session, post, keys)
    return session.get_one(Push, push_id)


def suppressed(session: Session, keys: KeyRing, post: Post, **given: Any) -> Push:
    """A push that left as a text message and was refused, after which its person withdrew the call too."""
    push = sent(session, keys, post, cause=PushCause.PLANNED, **given)
    apply(session, post, Outcome.REFUSED, key_of(session, push), keys)
    end_consent(session, worker_id=push.worker_id, channel=Channel.VOICE, how="clerk", actor="test", now=NOW)
    step(session, post, keys)
    assert push.state is PushState.SUPPRESSED
    return push


def tried_twice(session: Session, keys: KeyRing, *others: Teller) -> tuple[Push, Post]:
    """A push that was tried twice on its first channel, and taken on the second time.

    The first to try is `teller`, with the number `a`: it did not answer and then did not know of it, and is told again;
    where there is another for text messages it refused, and the other is next. The second number is `b`.
    """
    other = next((each for each in others if each.channel is Channel.SMS), None)
    first = Outcome.UNCERTAIN if other is None else Outcome.REFUSED
    teller = Teller(says=lambda _: teller.report(first, provider_id="a"))
    teller.knows = lambda _: teller.report(Outcome.UNKNOWN)
    post = post_of(teller, *others)
    push = sent(session, keys, post)
    second = other or teller
    if other is None:
        step(session, post, keys, now=NOW + timedelta(minutes=1))
    second.says = lambda _: second.report(Outcome.ACCEPTED, provider_id="b")
    step(session, post, keys, now=NOW + timedelta(hours=1))
    attempt = attempt_of(session, push)
    assert (attempt.tries, attempt.provider, attempt.provider_id) == (2, second.provider, "b")
    return push, post


def apply(
    session: Session,
    post: Post,
    outcome: Outcome,
    key: str | None,
    keys: KeyRing,
    *,
    provider: str = "teller",
    number: str | None = None,
    at: datetime | None = NOW,
    now: datetime = NOW,
) -> bool:
    fact = ReceiptFact(key=key, provider_id=number, outcome=outcome, happened_at=at)
    return apply_fact(session, post, fact, provider=provider, now=now, keys=keys, chance=lambda: 0.5)


def attempt_of(session: Session, push: Push) -> Attempt:
    return session.scalars(select(Attempt).where(Attempt.push_id == push.id, Attempt.number == 1)).one()


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
    dice = random.Random(7)  # noqa: S311  an order, no secret
    for _ in range(ORDERS):
        post, kind = post_of(Teller(), voice), dice.choice(("sent", "sent", "suppressed", "again", "switched"))
        # Who tells, with which number, and whether what they tell is of the try under way.
        tellers: list[tuple[str, str | None, bool]] = [("teller", None, True)]
        if kind == "suppressed":
            push = suppressed(session, key_ring, post)
        elif kind == "sent":
            push = sent(session, key_ring, post)
        else:
            second = "other" if kind == "switched" else "teller"
            others = (Teller(provider="other"),) if kind == "switched" else ()
            push, post = tried_twice(session, key_ring, *others, voice)
            tellers = [("teller", "a", False), (second, "b", True)]
        key = key_of(session, push)
        receipts = [(dice.choice(OUTCOMES), *dice.choice(tellers)) for _ in range(dice.randrange(6))]
        receipts += [dice.choice(receipts) for _ in range(dice.randrange(3)) if receipts]
        dice.shuffle(receipts)
        for outcome, provider, number, _is_current in receipts:
            assert apply(session, post, outcome, key, key_ring, provider=provider, number=number)
        counted = {outcome for outcome, _, _, is_current in receipts if is_current or outcome is Outcome.DELIVERED}
        if kind == "suppressed" and Outcome.DELIVERED not in counted:
            assert end_of(session, push) == (PushState.SUPPRESSED, (), ()), receipts
        else:
            assert end_of(session, push) == expected(counted), (kind, receipts)
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


def test_a_suppressed_push_may_still_arrive(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller(), Teller(provider="voice", channel=Channel.VOICE))
    push = suppressed(session, key_ring, post)
    assert apply(session, post, Outcome.DELIVERED, key_of(session, push), key_ring)
    assert push.state is PushState.DELIVERED


# --- more than one try ------------------------------------------------------------------------------------------------


def test_a_provider_that_was_left_may_have_delivered(session: Session, key_ring: KeyRing) -> None:
    push, post = tried_twice(session, key_ring, Teller(provider="other"))
    assert apply(session, post, Outcome.DELIVERED, key_of(session, push), key_ring, number="a")
    attempt, (entry,) = attempt_of(session, push), list_entries(session)
    assert (push.state, attempt.provider, attempt.provider_id) == (PushState.DELIVERED, "teller", "a")
    assert (entry.evidence, entry.actor) == (Grade.B, "teller")


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.BROKEN])
@pytest.mark.parametrize("others", [(), ("other",)])
def test_a_late_refusal_is_of_the_try_that_it_names(
    session: Session, key_ring: KeyRing, outcome: Outcome, others: tuple[str, ...]
) -> None:
    tellers = [Teller(provider=each) for each in others]
    push, post = tried_twice(session, key_ring, *tellers, Teller(provider="voice", channel=Channel.VOICE))
    second, key = others[0] if others else "teller", key_of(session, push)
    for number in ("a", None):
        assert apply(session, post, outcome, key, key_ring, number=number)
        assert (push.state, attempt_of(session, push).done_at) == (PushState.SENT, None)
    assert apply(session, post, outcome, key, key_ring, provider=second, number="b")
    assert attempt_of(session, push).done_at is not None


def test_a_refusal_waits_until_it_is_known_which_try_it_is_of(session: Session, key_ring: KeyRing) -> None:
    push, post = tried_twice(session, key_ring, Teller(provider="voice", channel=Channel.VOICE))
    attempt = attempt_of(session, push)
    attempt.provider_id = None
    assert not apply(session, post, Outcome.REFUSED, attempt.key, key_ring, number="a")
    attempt.provider_id = "b"
    assert apply(session, post, Outcome.REFUSED, attempt.key, key_ring, number="a")
    assert push.state is PushState.SENT


@pytest.mark.parametrize(
    ("told", "written"),
    [
        (NOW - timedelta(days=300), NOW),
        (NOW + timedelta(minutes=5), NOW + timedelta(minutes=5)),
        (NOW + timedelta(days=300), NOW + timedelta(hours=1)),
        (None, NOW + timedelta(hours=1)),
    ],
)
def test_nothing_arrives_before_it_was_made_or_after_it_is_told(
    session: Session, key_ring: KeyRing, told: datetime | None, written: datetime
) -> None:
    post = post_of(Teller())
    push = sent(session, key_ring, post)
    now = NOW + timedelta(hours=1)
    apply(session, post, Outcome.DELIVERED, key_of(session, push), key_ring, at=told, now=now)
    assert [entry.happened_at for entry in list_entries(session)] == [written]


# --- as they are stored -----------------------------------------------------------------------------------------------


def stored(session: Session, content: object, keys: KeyRing, *, provider: str = "teller", now: datetime = NOW) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    channel = READERS[provider].channel
    assert store_receipt(session, channel=channel, provider=provider, body=body, now=now, keys=keys)


def look(session: Session, post: Post, keys: KeyRing, *, now: datetime = NOW, limit: int = 200) -> int:
    return apply_receipts(session, post, readers=READERS, now=now, keys=keys, chance=lambda: 0.5, limit=limit)


def delivered(*keys: str) -> dict[str, Any]:
    return {"receipts": [{"key": key, "id": "9", "status": "delivered"} for key in keys]}


def said(words: str, *, at: datetime = NOW, **given: str) -> dict[str, str]:
    return {"from": PHONE, "text": words, "at": at.isoformat(), **given}


def allowed(session: Session, worker_ids: Iterable[int]) -> dict[int, frozenset[Channel]]:
    return list_consents(session, worker_ids, purpose=Purpose.JOB_PUSHES)


def notes(session: Session) -> list[str]:
    return list(session.scalars(select(Receipt.note).order_by(Receipt.id)))


def states(session: Session) -> list[PushState]:
    return list(session.scalars(select(Push.state).order_by(Push.id)))


def test_a_receipt_that_fails_stops_no_other_one(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    first, second, third = (sent(session, key_ring, post) for _ in range(3))
    # Nobody can write into the ledger of the first one: their key does not open.
    session.add(LedgerKey(worker_id=first.worker_id, sealed="1.bm9uc2Vuc2U="))
    stored(session, delivered(key_of(session, first), key_of(session, second)), key_ring)
    stored(session, b"moved from somewhere else", key_ring)
    session.scalars(select(Receipt).order_by(Receipt.id.desc())).first().body = "1.bm9uc2Vuc2U="  # type: ignore[union-attr]
    stored(session, delivered(key_of(session, third)), key_ring)
    assert look(session, post, key_ring) == 3
    assert states(session) == [PushState.SENT, PushState.DELIVERED, PushState.DELIVERED]
    assert notes(session) == ["failed:SealBroken", "failed:SealBroken", ""]
    assert not are_receipts_waiting(session, now=NOW)


def test_who_was_sent_nothing_more_may_still_answer_what_had_left(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller(), Teller(provider="voice", channel=Channel.VOICE))
    push = suppressed(session, key_ring, post, phone=PHONE)
    stored(session, {"replies": [said("1")]}, key_ring)
    look(session, post, key_ring)
    assert (push.state, push.answer, notes(session)) == (PushState.ANSWERED, Answer.INTERESTED, ["answered"])


def test_an_encoding_that_nobody_knows_stops_nobody(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    push = sent(session, key_ring, post)
    stored(
        session, b'<?xml version="1.0" encoding="foo"?><xml><MsgType>text</MsgType></xml>', key_ring, provider="wechat"
    )
    stored(session, delivered(key_of(session, push)), key_ring)
    look(session, post, key_ring)
    assert (states(session), notes(session)) == ([PushState.DELIVERED], ["unreadable", ""])


def test_what_passes_by_itself_is_not_noted_and_given_up(postgresql_database: Engine, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    with write_session(postgresql_database) as session:
        push = sent(session, key_ring, post)
        session.add(LedgerKey(worker_id=push.worker_id, sealed="1.bm9uc2Vuc2U="))
        stored(session, delivered(key_of(session, push)), key_ring)
    with Session(postgresql_database) as other, Session(postgresql_database) as session:
        lock_key(other, push.worker_id)
        session.execute(text("SET LOCAL lock_timeout = '100ms'"))
        with pytest.raises(OperationalError):
            look(session, post, key_ring)


def test_pushes_are_locked_in_the_order_of_their_ids(postgresql_database: Engine, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    with write_session(postgresql_database) as session:
        first, second = (sent(session, key_ring, post) for _ in range(2))
        for push in (second, first):
            stored(session, delivered(key_of(session, push)), key_ring)

    def look_alone() -> int:
        with write_session(postgresql_database) as session:
            return look(session, post, key_ring)

    with Session(postgresql_database) as other, ThreadPoolExecutor(1) as pool:
        other.execute(select(Push.id).where(Push.id == first.id).with_for_update())
        looking = pool.submit(look_alone)
        waiting = text("SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
        while not other.scalar(waiting):
            assert not looking.done()
        # Whoever waits for the first does not hold the second meanwhile.
        other.execute(select(Push.id).where(Push.id == second.id).with_for_update(nowait=True))
        other.rollback()
        assert looking.result() == 2


def test_an_odd_reply_costs_nobody_their_opting_out(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    push = sent(session, key_ring, post, phone=PHONE)
    rows = [
        {"phone_number": phone, "content": "退订", "send_time": "2026-12-01 10:00:00"}
        for phone in ("10086", PHONE, "85261234567")
    ]
    stored(session, rows, key_ring, provider="aliyun")
    look(session, post, key_ring)
    assert allowed(session, [push.worker_id]) == {push.worker_id: frozenset({Channel.VOICE})}
    assert notes(session) == ["opted_out,partly_unreadable:2"]


def test_receipts_of_strangers_hold_up_nobody(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    push = sent(session, key_ring, post)
    stored(session, delivered("stranger"), key_ring)
    stored(session, delivered(key_of(session, push)), key_ring)
    assert [look(session, post, key_ring, limit=1) for _ in range(3)] == [1, 1, 0]
    assert (push.state, notes(session)) == (PushState.DELIVERED, ["", ""])


def test_a_stranger_s_receipt_is_looked_at_ever_more_seldom_and_given_up_after_an_hour(
    session: Session, key_ring: KeyRing
) -> None:
    post = post_of(Teller())
    stored(session, delivered("stranger"), key_ring)
    looks = 0
    for second in range(3601):
        now = NOW + timedelta(seconds=second)
        if are_receipts_waiting(session, now=now):
            looks += look(session, post, key_ring, now=now)
            given_up = session.scalars(select(Receipt.applied_at)).one()
            assert given_up == (now if second == 3600 else None)
    assert (looks, notes(session)) == (12, ["unknown_message"])


def test_replies_beside_a_stranger_s_receipt_are_taken_at_once_and_once(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    push = sent(session, key_ring, post, phone=PHONE)
    stored(session, {**delivered("stranger"), "replies": [said("1")]}, key_ring)
    look(session, post, key_ring)
    assert push.answer is Answer.INTERESTED
    stored(session, {"replies": [said("2 太远", at=NOW + LOOK_AGAIN)]}, key_ring)
    for later in (LOOK_AGAIN, timedelta(hours=1)):
        look(session, post, key_ring, now=NOW + later)
    assert (push.answer, notes(session)) == (Answer.UNSUITABLE, ["answered,unknown_message", "answered"])


# --- replies ----------------------------------------------------------------------------------------------------------


def say(
    session: Session,
    text: str,
    sender: str,
    keys: KeyRing,
    *,
    channel: Channel = Channel.SMS,
    at: datetime = NOW,
    now: datetime = NOW,
    key: str | None = None,
) -> ReplyOutcome:
    """Somebody texts back or keys."""
    reply = ReplyFact(sender=sender, text=text, happened_at=at, key=key)
    return take_reply(session, reply, channel=channel, now=now, keys=keys)


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
        ("2太远了。", Answer.UNSUITABLE, Unsuitable.TOO_FAR),
        ("1。", Answer.INTERESTED, None),
        ("1 感兴趣", Answer.INTERESTED, None),
        ("3、打给我", Answer.CALL_ME, None),
    ],
)
def test_what_people_text_back_is_done(
    session: Session, key_ring: KeyRing, text: str, answer: Answer, why: Unsuitable | None
) -> None:
    push = sent(session, key_ring, post_of(Teller()))
    outcome = say(session, text, phone_of(push.worker_id), key_ring)
    assert (outcome, push.answer, push.why, push.state) == (ReplyOutcome.ANSWERED, answer, why, PushState.ANSWERED)


@pytest.mark.parametrize(
    "text",
    [
        *("", "12", "好的", "4", "1000元不去", "1公里太远了，不去", "3千以下不干"),
        *("2号可以去上班", "2点能来", "2路公交能到", "2家我都愿意", "2份都行"),
        *("2:30能到", "2.5公里可以去", "2 点能来", "2、3都可以", "2没问题", "2时间可以"),
    ],
)
def test_what_is_not_understood_changes_nothing(session: Session, key_ring: KeyRing, text: str) -> None:
    push = sent(session, key_ring, post_of(Teller()))
    outcome = say(session, text, phone_of(push.worker_id), key_ring)
    assert (outcome, push.state) == (ReplyOutcome.NOT_UNDERSTOOD, PushState.SENT)


@pytest.mark.parametrize("text", ["退订", "T", "td", "ＴＤ"])
def test_who_opts_out_is_sent_nothing_more_on_that_channel(session: Session, key_ring: KeyRing, text: str) -> None:
    push = sent(session, key_ring, post_of(Teller()))
    outcome = say(session, text, phone_of(push.worker_id), key_ring)
    assert outcome is ReplyOutcome.OPTED_OUT
    assert allowed(session, [push.worker_id]) == {push.worker_id: frozenset({Channel.VOICE})}


def test_a_text_from_nobody_we_know_is_nobody_s(session: Session, key_ring: KeyRing) -> None:
    outcome = say(session, "1", "10000000000", key_ring)
    assert outcome is ReplyOutcome.NOBODY


def test_an_answer_is_to_what_was_sent_last(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    (worker,) = add_people(session, 1, keys=key_ring)
    for number in range(2):
        now = NOW + timedelta(hours=number)
        push_to(session, worker, add_posting(session, title=f"{number}号"), post, keys=key_ring, cause=PushCause.ASKED)
        claim_ready(session, post, limit=5, now=now, keys=key_ring)
    say(session, "1", phone_of(worker), key_ring, at=NOW + timedelta(hours=1), now=NOW + timedelta(hours=1))
    answers = session.scalars(select(Push.answer).order_by(Push.id)).all()
    assert answers == [None, Answer.INTERESTED]


def test_an_answer_is_to_what_had_been_sent_when_it_was_written(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    (worker,) = add_people(session, 1, keys=key_ring)
    for number in range(2):
        now = NOW + timedelta(hours=number)
        posting = add_posting(session, title=f"{number}号")
        push_to(session, worker, posting, post, keys=key_ring, cause=PushCause.ASKED, now=now)
        claimed(session, post, key_ring, now=now)
    at, now = NOW + timedelta(minutes=10), NOW + timedelta(hours=2)
    assert say(session, "1", phone_of(worker), key_ring, at=at, now=now) is ReplyOutcome.ANSWERED
    assert session.scalars(select(Push.answer).order_by(Push.id)).all() == [Answer.INTERESTED, None]
    assert {entry.happened_at for entry in answers(session)} == {at}


def test_an_answer_is_to_what_may_have_arrived_rather_than_to_what_was_refused(
    session: Session, key_ring: KeyRing
) -> None:
    post = post_of(Teller())
    first = sent(session, key_ring, post, phone=PHONE)
    apply(session, post, Outcome.DELIVERED, key_of(session, first), key_ring)
    push_to(session, first.worker_id, add_posting(session, title="另一个"), post, keys=key_ring)
    step(session, post, key_ring)
    second = session.scalars(select(Push).where(Push.id != first.id)).one()
    apply(session, post, Outcome.REFUSED, key_of(session, second), key_ring)
    assert say(session, "1", PHONE, key_ring) is ReplyOutcome.ANSWERED
    assert (first.answer, second.answer) == (Answer.INTERESTED, None)


def test_what_left_again_may_be_answered_though_the_try_before_was_turned_away(
    session: Session, key_ring: KeyRing
) -> None:
    busy = Teller(says=lambda _: Report(outcome=Outcome.BUSY, provider="teller", retry_after_s=60))
    post = post_of(busy)
    (worker,) = add_people(session, 1, keys=key_ring, phone=PHONE)
    push = session.get_one(Push, push_to(session, worker, add_posting(session), post, keys=key_ring))
    step(session, post, key_ring)
    assert attempt_of(session, push).outcome is Outcome.BUSY
    assert say(session, "1", PHONE, key_ring) is ReplyOutcome.NOT_UNDERSTOOD
    # Its sender is killed after the request has left.
    now = NOW + timedelta(minutes=5)
    assert len(claimed(session, post, key_ring, now=now)) == 1
    assert say(session, "1", PHONE, key_ring, at=now, now=now) is ReplyOutcome.ANSWERED


def test_a_receipt_proves_what_staff_has_told_and_nothing_that_was_struck(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    told, struck = (sent(session, key_ring, post) for _ in range(2))
    for push, grade in ((told, Grade.C), (struck, Grade.B)):
        deliver_push(
            session,
            push,
            channel=Channel.CALL if grade is Grade.C else Channel.SMS,
            evidence=grade,
            happened_at=NOW,
            actor="broker/1",
            now=NOW,
            keys=key_ring,
        )
        assert push.entry_id is not None
        strike_entry(session, push.entry_id, why="弄错了", actor="officer/1", now=NOW, keys=key_ring)
        for _ in range(2):
            assert apply(session, post, Outcome.DELIVERED, key_of(session, push), key_ring)
    grades = {
        push.worker_id: [entry.evidence for entry in list_entries(session, worker_ids=[push.worker_id])][::2]
        for push in (told, struck)
    }
    assert grades == {told.worker_id: [Grade.C, Grade.B], struck.worker_id: [Grade.B]}


def test_the_same_receipt_twice_at_the_same_moment_is_kept_once(
    session: Session, key_ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {"channel": Channel.SMS, "provider": "teller", "body": b"{}", "now": NOW, "keys": key_ring}
    assert store_receipt(session, **given)
    # The other has looked before this one was there.
    monkeypatch.setattr("app.store.pushes.find_receipt", lambda *_: None)
    assert not store_receipt(session, **given)
    assert len(session.scalars(select(Receipt)).all()) == 1


def test_a_reply_without_its_time_cannot_be_told_from_an_earlier_one(session: Session, key_ring: KeyRing) -> None:
    push = sent(session, key_ring, post_of(Teller()))
    stored(session, {"replies": [{"from": phone_of(push.worker_id), "text": "1"}]}, key_ring)
    look(session, post_of(Teller()), key_ring)
    assert (notes(session), push.answer) == (["unreadable"], None)


def answers(session: Session) -> list[Entry]:
    return [entry for entry in list_entries(session) if entry.kind is EntryKind.ANSWER]


@pytest.mark.parametrize("at", [NOW - timedelta(days=300), NOW + timedelta(days=300)])
def test_nobody_answers_before_they_were_asked_or_after_it_is_told(
    session: Session, key_ring: KeyRing, at: datetime
) -> None:
    push = sent(session, key_ring, post_of(Teller()))
    now = NOW + timedelta(hours=1)
    say(session, "1", phone_of(push.worker_id), key_ring, at=at, now=now, key=key_of(session, push))
    assert [entry.happened_at for entry in answers(session)] == [NOW if at < NOW else now]


def test_a_key_pressed_during_a_call_answers_that_call(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller(provider="voice", channel=Channel.VOICE))
    called, latest = (sent(session, key_ring, post, phone=PHONE, channels=(Channel.VOICE,)) for _ in range(2))
    assert called.worker_id != latest.worker_id
    stored(session, {"replies": [said("3", key=key_of(session, called))]}, key_ring, provider="voice")
    stored(session, {"replies": [said("3", key="nobody's")]}, key_ring, provider="voice")
    look(session, post, key_ring)
    assert (called.answer, latest.answer) == (Answer.CALL_ME, None)
    assert notes(session) == ["answered", "not_understood"]


@pytest.mark.parametrize("text", ["0", "０", "退订"])
def test_who_presses_nought_is_not_called_again(session: Session, key_ring: KeyRing, text: str) -> None:
    push = sent(session, key_ring, post_of(Teller()))
    outcome = say(session, text, phone_of(push.worker_id), key_ring, channel=Channel.VOICE)
    assert outcome is ReplyOutcome.OPTED_OUT
    assert allowed(session, [push.worker_id]) == {push.worker_id: frozenset({Channel.SMS})}


def test_a_nought_in_a_text_message_is_no_opting_out(session: Session, key_ring: KeyRing) -> None:
    push = sent(session, key_ring, post_of(Teller()))
    assert say(session, "0", phone_of(push.worker_id), key_ring) is ReplyOutcome.NOT_UNDERSTOOD
    assert Channel.SMS in allowed(session, [push.worker_id])[push.worker_id]


def by_wechat(words: str, sender: str) -> bytes:
    return (
        f"<xml><FromUserName>{sender}</FromUserName><CreateTime>{int(NOW.timestamp())}</CreateTime>"
        f"<MsgType>text</MsgType><Content>{words}</Content></xml>"
    ).encode()


@pytest.fixture
def followed(session: Session, key_ring: KeyRing) -> Push:
    """A push to somebody who follows the service account, beside others who do."""
    post = post_of(Teller(provider="wechat", channel=Channel.WECHAT))
    pushes = [sent(session, key_ring, post, channels=(Channel.WECHAT, Channel.SMS)) for _ in range(3)]
    return pushes[1]


def test_what_somebody_writes_by_wechat_is_theirs(session: Session, key_ring: KeyRing, followed: Push) -> None:
    stored(session, by_wechat("2 太累", f"open-{followed.worker_id}"), key_ring, provider="wechat")
    look(session, post_of(Teller()), key_ring)
    given = {push.id: push.why for push in session.scalars(select(Push)) if push.answer is not None}
    assert given == {followed.id: Unsuitable.TOO_HEAVY}
    assert notes(session) == ["answered"]


def test_who_opts_out_by_wechat_is_sent_nothing_more_there_and_may_still_answer(
    session: Session, key_ring: KeyRing, followed: Push
) -> None:
    worker = followed.worker_id
    stored(session, by_wechat("退订", f"open-{worker}"), key_ring, provider="wechat")
    look(session, post_of(Teller()), key_ring)
    assert [each for each, channels in allowed(session, range(9)).items() if Channel.WECHAT not in channels] == [worker]
    assert say(session, "1", f"open-{worker}", key_ring, channel=Channel.WECHAT) is ReplyOutcome.ANSWERED
    assert followed.answer is Answer.INTERESTED


def test_an_address_that_was_given_up_is_nobody_s(session: Session, key_ring: KeyRing, followed: Push) -> None:
    worker = followed.worker_id
    give_consent(
        session,
        worker_id=worker,
        channel=Channel.WECHAT,
        how="clerk",
        actor="test",
        now=NOW,
        keys=key_ring,
        address="open-new",
    )
    outcomes = [
        say(session, "1", sender, key_ring, channel=Channel.WECHAT) for sender in (f"open-{worker}", "open-new")
    ]
    assert outcomes == [ReplyOutcome.NOBODY, ReplyOutcome.ANSWERED]
