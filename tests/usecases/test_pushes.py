"""Pushes: made with their reasons, sent once, asked about when nobody knows, counted when they arrive."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.domain.ledger import Channel, EntryKind, Grade
from app.domain.postings import PostingState
from app.domain.pushes import NEXT, Answer, Outcome, PushCause, PushState, Report, Unsuitable
from app.domain.sending import SendRules, capped_until, quiet_until
from app.kit.database import write_session
from app.kit.keys import KeyRing
from app.store.audit import AuditEntry
from app.store.consents import Consent
from app.store.identities import Identity
from app.store.postings import Posting
from app.store.pushes import Attempt, FollowUp, Push, PushChange
from app.usecases.consents import end_consent, give_consent
from app.usecases.dispatch import Claim, Post, carry_out, claim_ready, give_back, settle
from app.usecases.ledger import append_entry, list_entries, strike_entry
from app.usecases.pushes import (
    PushCannotBecome,
    PushNotFound,
    _change,
    answer_push,
    confirm_push,
    deliver_push,
    expire_pushes,
    intend_pushes,
    is_open,
    link_token,
    load_by_link,
)
from tests.deliveries import NOW, Teller, add_people, add_posting, intent, phone_of, post_of, push_to

LATER = NOW + timedelta(minutes=5)


def claims_of(session: Session, post: Post, keys: KeyRing, *, now: datetime = NOW) -> list[Claim]:
    return claim_ready(session, post, limit=50, now=now, keys=keys)[0]


def settled(session: Session, post: Post, claim: Claim, report: Report, keys: KeyRing, *, now: datetime = NOW) -> bool:
    return settle(session, post, claim, report, now=now, keys=keys, chance=lambda: 0.5)


def step(session: Session, post: Post, keys: KeyRing, *, now: datetime = NOW) -> int:
    """Claim, carry out and settle once; how much there was to do."""
    claims = claims_of(session, post, keys, now=now)
    for claim in claims:
        sender = post.find(claim.channel, claim.provider)
        assert sender is not None
        settled(session, post, claim, carry_out(claim, sender), keys, now=now)
    return len(claims)


def only(session: Session) -> Push:
    return session.scalars(select(Push)).one()


def attempts_of(session: Session) -> list[Attempt]:
    return list(session.scalars(select(Attempt).order_by(Attempt.number)))


# --- making them ------------------------------------------------------------------------------------------------------


def test_a_push_is_made_with_its_reason_its_match_and_its_first_attempt(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    (worker,) = add_people(session, 1, keys=key_ring)
    posting = add_posting(session)
    report = intend_pushes(session, [intent(worker, posting)], served=post.served, now=NOW, keys=key_ring)
    assert (report.queued, report.visits, report.suppressed, report.known) == (1, 0, 0, 0)
    push, (attempt,) = only(session), attempts_of(session)
    assert (push.state, push.cause, push.match["reasons"]) == (PushState.QUEUED, PushCause.OWED, ["near_home"])
    assert (attempt.channel, attempt.ready_at, attempt.left_at) == (Channel.SMS, NOW, None)
    change = session.scalars(select(PushChange)).one()
    assert (change.before, change.after, change.why) == (None, PushState.QUEUED, "owed:sms")


def test_what_was_made_for_an_occasion_is_not_made_again(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    (worker,) = add_people(session, 1, keys=key_ring)
    posting = add_posting(session)
    wanted = [intent(worker, posting), intent(worker, posting)]
    assert intend_pushes(session, wanted, served=post.served, now=NOW, keys=key_ring).known == 1
    assert intend_pushes(session, wanted, served=post.served, now=LATER, keys=key_ring).known == 2
    assert only(session).created_at == NOW


def test_without_consent_who_is_owed_a_push_is_visited_and_nobody_else_is_bothered(
    session: Session, key_ring: KeyRing
) -> None:
    post = post_of(Teller())
    owed, other = add_people(session, 2, keys=key_ring, channels=())
    posting = add_posting(session)
    wanted = [intent(owed, posting), intent(other, posting, cause=PushCause.PLANNED)]
    report = intend_pushes(session, wanted, served=post.served, now=NOW, keys=key_ring)
    assert (report.visits, report.suppressed) == (1, 1)
    states = {push.worker_id: push.state for push in session.scalars(select(Push))}
    assert states == {owed: PushState.QUEUED, other: PushState.SUPPRESSED}
    (attempt,) = attempts_of(session)
    assert (attempt.channel, attempt.ready_at) == (Channel.VISIT, None)
    assert [change.why for change in session.scalars(select(PushChange).order_by(PushChange.id))] == [
        "owed:visit",
        "no_consent",
    ]


def test_a_link_leads_to_its_push_and_no_other_token_does(session: Session, key_ring: KeyRing) -> None:
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post_of(Teller()), keys=key_ring)
    push = only(session)
    token = link_token(push, key_ring)
    assert len(token) == 10
    assert load_by_link(session, token).id == push.id
    for wrong in ("", "x" * 10, token[:-1], token + "x", token.swapcase()):
        with pytest.raises(PushNotFound):
            load_by_link(session, wrong)


@pytest.mark.parametrize(("before", "after"), list(product(PushState, PushState)))
def test_a_push_goes_only_where_the_rules_let_it(
    sqlite_database: Engine, key_ring: KeyRing, before: PushState, after: PushState
) -> None:
    with Session(sqlite_database) as session:
        (worker,) = add_people(session, 1, keys=key_ring)
        push_to(session, worker, add_posting(session), post_of(Teller()), keys=key_ring)
        push = only(session)
        push.state = before
        if after in NEXT[before]:
            _change(session, push, after, why="test", now=LATER)
            assert (push.state, push.state_at) == (after, LATER)
        else:
            with pytest.raises(PushCannotBecome):
                _change(session, push, after, why="test", now=LATER)
            assert push.state is before


# --- sending ----------------------------------------------------------------------------------------------------------


def test_a_message_is_sent_once_and_waits_for_its_receipt(session: Session, key_ring: KeyRing) -> None:
    teller = Teller()
    post = post_of(teller)
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    assert step(session, post, key_ring) == 1
    assert step(session, post, key_ring) == 0
    (message,) = teller.sent
    assert message.to == f"100{worker:08d}"
    assert message.text.endswith(f"https://job.example/r/{link_token(only(session), key_ring)}")
    assert only(session).state is PushState.SENT
    assert list_entries(session) == []


def test_before_a_message_leaves_the_database_knows_that_it_is_about_to(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    (claim,) = claims_of(session, post, key_ring)
    (attempt,) = attempts_of(session)
    assert only(session).state is PushState.SENDING
    lease = timedelta(seconds=post.rules.lease_s)
    assert (attempt.left_at, attempt.ready_at, attempt.fence) == (NOW, NOW + lease, claim.fence)
    assert claims_of(session, post, key_ring) == []


def test_the_phone_is_read_through_its_door(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    claims_of(session, post, key_ring)
    read = session.scalars(select(AuditEntry).where(AuditEntry.action == "read_identity")).one()
    assert (read.actor, read.subject, read.why) == ("dispatch", f"workers/{worker}", "push by sms")


def test_what_a_vanished_sender_held_is_asked_about_and_not_sent_again(session: Session, key_ring: KeyRing) -> None:
    teller = Teller()
    post = post_of(teller)
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    (lost,) = claims_of(session, post, key_ring)
    after_lease = NOW + timedelta(seconds=post.rules.lease_s + 1)
    (question,) = claims_of(session, post, key_ring, now=after_lease)
    assert (question.message, question.key) == (None, lost.key)
    assert only(session).state is PushState.UNCERTAIN
    assert settled(session, post, question, teller.report(Outcome.ACCEPTED), key_ring, now=after_lease)
    assert only(session).state is PushState.SENT
    # The one who was thought lost comes back: the lease has passed to somebody else.
    assert not settled(session, post, lost, teller.report(Outcome.REFUSED), key_ring, now=after_lease)
    assert only(session).state is PushState.SENT
    assert teller.sent == []


def test_what_a_provider_never_heard_of_is_sent_under_the_same_key(session: Session, key_ring: KeyRing) -> None:
    teller = Teller(knows=lambda _: Report(outcome=Outcome.UNKNOWN, provider="teller"))
    post = post_of(teller)
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    (lost,) = claims_of(session, post, key_ring)
    after_lease = NOW + timedelta(seconds=post.rules.lease_s + 1)
    step(session, post, key_ring, now=after_lease)
    assert only(session).state is PushState.QUEUED
    step(session, post, key_ring, now=after_lease)
    assert [message.key for message in teller.sent] == [lost.key]
    assert only(session).state is PushState.SENT


def test_an_uncertain_message_goes_nowhere_else_meanwhile(session: Session, key_ring: KeyRing) -> None:
    silent = Teller(
        says=lambda _: Report(outcome=Outcome.UNCERTAIN, provider="teller", code="timeout"),
        knows=lambda _: Report(outcome=Outcome.BUSY, provider="teller"),
    )
    other = Teller(provider="other")
    voice = Teller(provider="voice", channel=Channel.VOICE)
    post = post_of(silent, other, voice)
    (worker,) = add_people(session, 1, keys=key_ring, channels=(Channel.SMS, Channel.VOICE))
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    now = NOW
    for _ in range(20):
        step(session, post, key_ring, now=now)
        now += timedelta(hours=3)
    assert (len(silent.sent), other.sent, voice.sent) == (1, [], [])
    assert len(silent.asked) == len(SendRules().ask_steps)
    assert only(session).state is PushState.UNCERTAIN


def test_an_uncertain_message_of_a_provider_that_cannot_be_asked_stays_so_until_its_time_is_over(
    session: Session, key_ring: KeyRing
) -> None:
    mute = Teller(can_query=False, says=lambda _: Report(outcome=Outcome.UNCERTAIN, provider="teller"))
    post = post_of(mute)
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    step(session, post, key_ring)
    (attempt,) = attempts_of(session)
    assert (only(session).state, attempt.ready_at) == (PushState.UNCERTAIN, None)
    assert expire_pushes(session, now=NOW + timedelta(days=6)) == 0
    assert expire_pushes(session, now=NOW + timedelta(days=8)) == 1
    assert (only(session).state, len(mute.sent)) == (PushState.EXPIRED, 1)


def test_a_refusal_is_retried_on_the_schedule_by_the_other_provider_and_then_on_the_next_channel(
    session: Session, key_ring: KeyRing
) -> None:
    first = Teller(says=lambda _: Report(outcome=Outcome.REFUSED, provider="teller"))
    second = Teller(provider="second", says=lambda _: Report(outcome=Outcome.REFUSED, provider="second"))
    voice = Teller(provider="voice", channel=Channel.VOICE)
    rules = SendRules(retry_steps=(60, 600, 600))
    post = post_of(first, second, voice, rules=rules)
    (worker,) = add_people(session, 1, keys=key_ring, channels=(Channel.SMS, Channel.VOICE))
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    step(session, post, key_ring)
    assert attempts_of(session)[0].ready_at == NOW + timedelta(seconds=60)
    assert step(session, post, key_ring, now=NOW + timedelta(seconds=59)) == 0
    for minutes in (2, 20, 40):
        step(session, post, key_ring, now=NOW + timedelta(minutes=minutes))
    assert (len(first.sent), len(second.sent)) == (2, 2)
    assert step(session, post, key_ring, now=NOW + timedelta(minutes=41)) == 1
    assert [attempt.channel for attempt in attempts_of(session)] == [Channel.SMS, Channel.VOICE]
    assert (only(session).state, len(voice.sent)) == (PushState.SENT, 1)


def test_a_busy_provider_is_left_alone_for_as_long_as_it_asks(session: Session, key_ring: KeyRing) -> None:
    busy = Teller(says=lambda _: Report(outcome=Outcome.BUSY, provider="teller", retry_after_s=700))
    post = post_of(busy)
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    step(session, post, key_ring)
    (attempt,) = attempts_of(session)
    # Spread by chance, but never before its time.
    assert (attempt.ready_at, attempt.left_at, attempt.tries) == (NOW + timedelta(seconds=700 * 1.15), None, 0)
    assert only(session).state is PushState.QUEUED


def test_no_busy_provider_is_asked_before_its_time(session: Session, key_ring: KeyRing) -> None:
    busy = Teller(says=lambda _: Report(outcome=Outcome.BUSY, provider="teller", retry_after_s=700))
    post = post_of(busy)
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    (claim,) = claims_of(session, post, key_ring)
    settle(session, post, claim, carry_out(claim, busy), now=NOW, keys=key_ring, chance=lambda: 0.0)
    assert attempts_of(session)[0].ready_at == NOW + timedelta(seconds=700)


def test_a_provider_that_is_busy_for_hours_has_refused(session: Session, key_ring: KeyRing) -> None:
    busy = Teller(says=lambda _: Report(outcome=Outcome.BUSY, provider="teller", retry_after_s=60))
    voice = Teller(provider="voice", channel=Channel.VOICE)
    post = post_of(busy, voice)
    (worker,) = add_people(session, 1, keys=key_ring, channels=(Channel.SMS, Channel.VOICE))
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    # It waited for an hour before it was first tried: in that nobody was busy.
    begun = NOW + timedelta(hours=1)
    tries = {}
    for minutes in range(0, 9 * 60, 10):
        step(session, post, key_ring, now=begun + timedelta(minutes=minutes))
        tries[minutes] = attempts_of(session)[0].tries
    assert (tries[0], tries[230], tries[240]) == (0, 0, 1)
    assert [attempt.channel for attempt in attempts_of(session)] == [Channel.SMS, Channel.VOICE]
    assert (only(session).state, len(voice.sent)) == (PushState.SENT, 1)


def test_who_has_just_refused_is_not_chosen_again_while_there_is_another(session: Session, key_ring: KeyRing) -> None:
    first, second = (
        Teller(provider=name, says=lambda _, name=name: Report(outcome=Outcome.REFUSED, provider=name))  # type: ignore[misc]
        for name in ("first", "second")
    )
    third = Teller(provider="third")
    post = replace(post_of(first, second, third), aside=frozenset({"first"}))
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    step(session, post, key_ring)
    assert (len(first.sent), len(second.sent)) == (0, 1)
    # Meanwhile it is set aside itself, and the order would bring it round again.
    both = replace(post, aside=frozenset({"first", "second"}))
    step(session, both, key_ring, now=NOW + timedelta(minutes=2))
    assert (len(first.sent), len(second.sent), len(third.sent)) == (0, 1, 1)


@pytest.mark.parametrize(
    ("after", "aside", "chosen"),
    [
        (None, set(), "a"),
        ("a", set(), "b"),
        ("c", set(), "a"),
        (None, {"a"}, "b"),
        ("a", {"b"}, "c"),
        ("a", {"b", "c"}, "b"),
        ("gone", set(), "a"),
    ],
)
def test_new_messages_go_to_who_comes_next_and_is_not_aside(after: str | None, aside: set[str], chosen: str) -> None:
    post = replace(post_of(*(Teller(provider=name) for name in "abc")), aside=frozenset(aside))
    assert post.choose(Channel.SMS, after=after).provider == chosen
    alone = post_of(Teller(provider="a"))
    assert replace(alone, aside=frozenset({"a"})).choose(Channel.SMS, after="a").provider == "a"


def test_who_never_heard_of_it_is_told_again_itself(session: Session, key_ring: KeyRing) -> None:
    first = Teller(provider="first", knows=lambda _: Report(outcome=Outcome.UNKNOWN, provider="first"))
    second = Teller(provider="second")
    post = post_of(first, second)
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    claims_of(session, post, key_ring)
    later = NOW + timedelta(seconds=post.rules.lease_s)
    for _ in range(2):
        step(session, replace(post, aside=frozenset({"first"})), key_ring, now=later)
    assert (len(first.sent), second.sent) == (1, [])


def test_who_has_no_address_on_a_channel_is_reached_on_the_next_and_holds_up_nobody(
    session: Session, key_ring: KeyRing
) -> None:
    wechat = Teller(provider="wechat", channel=Channel.WECHAT, can_query=False)
    teller = Teller()
    post = post_of(wechat, teller)
    nowhere, none_left = add_people(session, 2, keys=key_ring, channels=(Channel.WECHAT,))
    (known,) = add_people(session, 1, keys=key_ring, channels=(Channel.WECHAT,))
    give_consent(session, worker_id=nowhere, channel=Channel.SMS, how="clerk", actor="test", now=NOW, keys=key_ring)
    for consent in session.scalars(select(Consent).where(Consent.worker_id.in_([nowhere, none_left]))):
        consent.address = None
    posting = add_posting(session)
    push_to(session, nowhere, posting, post, keys=key_ring)
    push_to(session, none_left, posting, post, keys=key_ring, cause=PushCause.OLDER)
    push_to(session, known, posting, post, keys=key_ring)
    for _ in range(2):
        step(session, post, key_ring)
    states = {push.worker_id: push.state for push in session.scalars(select(Push))}
    assert states == {nowhere: PushState.SENT, none_left: PushState.FAILED, known: PushState.SENT}
    assert ([message.to for message in wechat.sent], len(teller.sent)) == ([f"open-{known}"], 1)


def test_what_cannot_be_made_is_left_alone_and_holds_up_nobody(
    session: Session, key_ring: KeyRing, caplog: pytest.LogCaptureFixture
) -> None:
    teller = Teller()
    post = post_of(teller)
    broken, lost, good = add_people(session, 3, keys=key_ring)
    posting = add_posting(session)
    pushes = [push_to(session, each, posting, post, keys=key_ring) for each in (broken, lost, good)]
    # A link of a key that was retired; a phone that was sealed for somebody else.
    session.get_one(Push, pushes[0]).link = "0" * 64
    phones = {each.worker_id: each for each in session.scalars(select(Identity))}
    phones[lost].phone = phones[good].phone
    session.flush()
    assert step(session, post, key_ring) == 1
    assert [message.to for message in teller.sent] == [phone_of(good)]
    first, second, _ = attempts_of(session)
    assert [(each.left_at, each.tries, each.ready_at) for each in (first, second)] == [
        (None, 0, NOW + timedelta(hours=1))
    ] * 2
    assert (first.code, second.code) == ("failed:LookupError", "failed:SealBroken")
    assert {session.get_one(Push, each).state for each in pushes[:2]} == {PushState.QUEUED}
    assert "cannot be sent by sms: LookupError" in caplog.text
    # Nobody was shown what could not be opened.
    readings = session.scalars(select(AuditEntry.subject).where(AuditEntry.action == "read_identity"))
    assert set(readings) == {f"workers/{good}"}
    assert step(session, post, key_ring) == 0


def test_a_question_that_cannot_be_asked_is_left_alone(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    claims_of(session, post, key_ring)
    session.scalars(select(Identity)).one().phone = "1.nonsense"
    session.flush()
    later = NOW + timedelta(seconds=post.rules.lease_s)
    assert claims_of(session, post, key_ring, now=later) == []
    assert (only(session).state, attempts_of(session)[0].ready_at) == (
        PushState.UNCERTAIN,
        later + timedelta(hours=1),
    )


def test_what_was_not_begun_is_as_if_it_had_never_been_claimed(session: Session, key_ring: KeyRing) -> None:
    teller = Teller(knows=lambda _: Report(outcome=Outcome.UNCERTAIN, provider="teller"))
    post = post_of(teller)
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    (claim,) = claims_of(session, post, key_ring)
    assert give_back(session, claim, now=NOW)
    (attempt,) = attempts_of(session)
    assert (only(session).state, attempt.left_at, attempt.tries, attempt.ready_at) == (PushState.QUEUED, None, 0, NOW)
    assert not give_back(session, claim, now=NOW)
    assert not settled(session, post, claim, teller.report(Outcome.REFUSED), key_ring)
    claims_of(session, post, key_ring)
    later = NOW + timedelta(seconds=post.rules.lease_s)
    (question,) = claims_of(session, post, key_ring, now=later)
    assert give_back(session, question, now=later)
    assert (only(session).state, attempt.left_at, attempt.asked, attempt.ready_at) == (
        PushState.UNCERTAIN,
        NOW,
        0,
        later,
    )


def test_who_cannot_be_reached_by_any_machine_is_visited_if_it_is_owed(session: Session, key_ring: KeyRing) -> None:
    broken = Teller(says=lambda _: Report(outcome=Outcome.BROKEN, provider="teller", code="no_such_number"))
    post = post_of(broken)
    owed, other = add_people(session, 2, keys=key_ring)
    posting = add_posting(session)
    push_to(session, owed, posting, post, keys=key_ring)
    push_to(session, other, posting, post, keys=key_ring, cause=PushCause.PLANNED)
    step(session, post, key_ring)
    states = {push.worker_id: push.state for push in session.scalars(select(Push))}
    assert states == {owed: PushState.QUEUED, other: PushState.FAILED}
    assert [each.channel for each in session.scalars(select(Attempt).where(Attempt.done_at.is_(None)))] == [
        Channel.VISIT
    ]


def test_a_posting_that_is_over_is_not_sent(session: Session, key_ring: KeyRing) -> None:
    teller = Teller()
    post = post_of(teller)
    people = add_people(session, 3, keys=key_ring)
    closed, full, gone = (add_posting(session) for _ in range(3))
    for worker, posting in zip(people, (closed, full, gone), strict=True):
        push_to(session, worker, posting, post, keys=key_ring)
    session.get_one(Posting, closed).state = PostingState.CLOSED
    session.get_one(Posting, full).openings = 0
    session.get_one(Posting, gone).valid_until = NOW.date() - timedelta(days=1)
    session.flush()
    assert step(session, post, key_ring) == 0
    assert {push.state for push in session.scalars(select(Push))} == {PushState.EXPIRED}
    assert teller.sent == []


def test_what_is_more_urgent_leaves_first(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    people = add_people(session, 3, keys=key_ring)
    posting = add_posting(session)
    causes = (PushCause.PLANNED, PushCause.OWED, PushCause.ASKED)
    for worker, cause in zip(people, causes, strict=True):
        push_to(session, worker, posting, post, keys=key_ring, cause=cause)
    order = [
        session.get_one(Push, claim_ready(session, post, limit=1, now=NOW, keys=key_ring)[0][0].push_id).cause
        for _ in causes
    ]
    assert order == [PushCause.ASKED, PushCause.OWED, PushCause.PLANNED]


# --- consent and time -------------------------------------------------------------------------------------------------


def test_who_opts_out_before_it_is_sent_is_reached_otherwise_or_not_at_all(session: Session, key_ring: KeyRing) -> None:
    teller, voice = Teller(), Teller(provider="voice", channel=Channel.VOICE)
    post = post_of(teller, voice)
    owed, other = add_people(session, 2, keys=key_ring)
    (both,) = add_people(session, 1, keys=key_ring, channels=(Channel.SMS, Channel.VOICE))
    posting = add_posting(session)
    push_to(session, owed, posting, post, keys=key_ring)
    push_to(session, other, posting, post, keys=key_ring, cause=PushCause.PLANNED)
    push_to(session, both, posting, post, keys=key_ring)
    for worker in (owed, other, both):
        end_consent(session, worker_id=worker, channel=Channel.SMS, how="reply", actor="worker", now=NOW)
    step(session, post, key_ring)
    step(session, post, key_ring)
    states = {push.worker_id: push.state for push in session.scalars(select(Push))}
    assert states == {owed: PushState.QUEUED, other: PushState.SUPPRESSED, both: PushState.SENT}
    assert (teller.sent, len(voice.sent)) == ([], 1)


def test_at_night_nothing_leaves_and_nothing_is_lost(session: Session, key_ring: KeyRing) -> None:
    teller = Teller()
    post = post_of(teller)
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    night = datetime(2026, 12, 1, 13, 0, tzinfo=UTC)  # nine in the evening in Chongqing
    assert step(session, post, key_ring, now=night) == 0
    (attempt,) = attempts_of(session)
    assert (only(session).state, attempt.ready_at) == (PushState.QUEUED, datetime(2026, 12, 2, 0, 0, tzinfo=UTC))
    assert step(session, post, key_ring, now=datetime(2026, 12, 2, 0, 0, tzinfo=UTC)) == 1


def test_a_fourth_push_waits_until_the_first_is_a_week_old(session: Session, key_ring: KeyRing) -> None:
    teller = Teller()
    post = post_of(teller)
    (worker,) = add_people(session, 1, keys=key_ring)
    for number in range(5):
        push_to(
            session,
            worker,
            add_posting(session, title=f"{number}号岗位"),
            post,
            keys=key_ring,
            expires_at=NOW + timedelta(days=30),
        )
    sent = []
    for days in (0, 6, 7):
        step(session, post, key_ring, now=NOW + timedelta(days=days))
        sent.append(len(teller.sent))
    assert sent == [3, 3, 5]


def test_who_asked_for_it_is_sent_it_at_once(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    (worker,) = add_people(session, 1, keys=key_ring)
    for number in range(4):
        cause = PushCause.ASKED if number == 3 else PushCause.OWED
        push_to(session, worker, add_posting(session, title=f"{number}号岗位"), post, keys=key_ring, cause=cause)
    assert step(session, post, key_ring) == 4


@pytest.mark.parametrize(
    ("local", "until"),
    [
        ((1, 20, 59), None),
        ((1, 21, 0), (2, 8, 0)),
        ((1, 23, 59), (2, 8, 0)),
        ((2, 0, 0), (2, 8, 0)),
        ((2, 7, 59), (2, 8, 0)),
        ((2, 8, 0), None),
    ],
)
def test_quiet_hours_end_at_eight_in_china(local: tuple[int, int, int], until: tuple[int, int, int] | None) -> None:
    def instant(day: int, hour: int, minute: int) -> datetime:
        return datetime(2026, 12, day, hour, minute, tzinfo=UTC) - timedelta(hours=8)

    assert quiet_until(instant(*local), SendRules()) == (None if until is None else instant(*until))


def test_quiet_hours_within_a_day_and_none_at_all() -> None:
    noon = datetime(2026, 12, 1, 4, 30, tzinfo=UTC)
    assert quiet_until(noon, SendRules(quiet_from=time(12), quiet_until=time(14))) == noon + timedelta(minutes=90)
    assert quiet_until(noon, SendRules(quiet_from=time(0), quiet_until=time(0))) is None


def test_the_cap_looks_back_over_seven_days() -> None:
    rules = SendRules(weekly_cap=2)
    days = [NOW - timedelta(days=each) for each in (8, 6, 1)]
    assert capped_until(NOW, days[:2], rules) is None
    assert capped_until(NOW, days, rules) == NOW + timedelta(days=1)


def test_where_nothing_may_be_sent_it_is_looked_at_again_a_day_later(session: Session, key_ring: KeyRing) -> None:
    none = SendRules(weekly_cap=0)
    assert capped_until(NOW, [], none) == capped_until(NOW, [NOW], none) == NOW + timedelta(days=1)
    teller = Teller()
    post = post_of(teller, rules=none)
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    push_to(session, worker, add_posting(session), post, keys=key_ring, cause=PushCause.ASKED)
    assert step(session, post, key_ring) == 1
    waiting = session.scalars(select(Attempt.ready_at).where(Attempt.left_at.is_(None))).all()
    assert waiting == [NOW + timedelta(days=1)]


def test_two_dispatchers_at_once_send_no_more_than_the_cap(database: Engine, key_ring: KeyRing) -> None:
    post = post_of(Teller(), rules=SendRules(weekly_cap=1))
    with write_session(database) as session:
        capped, other = add_people(session, 2, keys=key_ring)
        for worker in (capped, capped, other):
            push_to(session, worker, add_posting(session), post, keys=key_ring)
    with write_session(database) as one:
        first, _ = claim_ready(one, post, limit=1, now=NOW, keys=key_ring)
        if database.dialect.name == "postgresql":  # nobody else writes to SQLite meanwhile
            with write_session(database) as two:
                second, looked_at = claim_ready(two, post, limit=9, now=NOW, keys=key_ring)
            assert ([each.to for each in second], looked_at) == ([phone_of(other)], 1)
    assert [each.to for each in first] == [phone_of(capped)]
    with write_session(database) as three:
        claim_ready(three, post, limit=9, now=NOW, keys=key_ring)
    with write_session(database) as session:
        left = session.execute(select(Push.worker_id).join(Attempt).where(Attempt.left_at.is_not(None))).scalars()
        assert sorted(left) == [capped, other]


# --- arriving ---------------------------------------------------------------------------------------------------------


def test_a_push_that_arrives_is_one_entry_with_all_that_it_must_be_judged_by(
    session: Session, key_ring: KeyRing
) -> None:
    teller = Teller(says=lambda _: Report(outcome=Outcome.DELIVERED, provider="teller"))
    post = post_of(teller)
    (worker,) = add_people(session, 1, keys=key_ring)
    posting = add_posting(session)
    push_to(session, worker, posting, post, keys=key_ring)
    step(session, post, key_ring)
    push = only(session)
    (entry,) = list_entries(session)
    assert (push.state, push.entry_id) == (PushState.DELIVERED, entry.id)
    assert (entry.kind, entry.channel, entry.evidence, entry.worker_id) == (
        EntryKind.PUSH,
        Channel.SMS,
        Grade.B,
        worker,
    )
    assert entry.facts == {
        "push": push.id,
        "posting": posting,
        "job": push.job,
        "is_open": True,
        "places": 5,
        "bar": None,
        "skill_permille": 800,
        "metres": 2300,
        "reach_metres": 20_000,
        "reasons": ["near_home"],
    }


def test_what_arrives_when_others_have_taken_the_places_says_so(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    worker, other, third, late = add_people(session, 4, keys=key_ring)
    posting = add_posting(session, openings=2)
    for person in (worker, third):
        push_to(session, person, posting, post, keys=key_ring)
    claims = claims_of(session, post, key_ring)
    for person in (worker, other):
        append_entry(
            session,
            kind=EntryKind.START,
            worker_id=person,
            happened_at=NOW,
            now=NOW,
            actor="clerk/1",
            facts={"posting": posting},
            keys=key_ring,
        )
    for claim in claims:
        settled(session, post, claim, Report(outcome=Outcome.DELIVERED, provider="teller"), key_ring)
    places = {entry.worker_id: entry.facts["places"] for entry in list_entries(session) if entry.kind is EntryKind.PUSH}
    assert places == {worker: 1, third: 0}
    # And nobody is sent it any more.
    push_to(session, late, posting, post, keys=key_ring)
    assert claims_of(session, post, key_ring) == []


def test_what_arrives_when_the_posting_is_over_says_so(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    (worker,) = add_people(session, 1, keys=key_ring)
    posting = add_posting(session)
    push_to(session, worker, posting, post, keys=key_ring)
    (claim,) = claims_of(session, post, key_ring)
    session.get_one(Posting, posting).state = PostingState.CLOSED
    session.get_one(Posting, posting).openings = 0
    session.flush()
    settled(session, post, claim, Report(outcome=Outcome.DELIVERED, provider="teller"), key_ring)
    (entry,) = list_entries(session)
    assert (entry.facts["is_open"], entry.facts["places"]) == (False, 0)


def test_what_was_suppressed_after_it_had_left_may_still_arrive_and_be_answered(
    session: Session, key_ring: KeyRing
) -> None:
    broken = Teller(says=lambda _: Report(outcome=Outcome.REFUSED, provider="teller"))
    post = post_of(broken, Teller(provider="voice", channel=Channel.VOICE), rules=SendRules(retry_steps=()))
    (worker,) = add_people(session, 1, keys=key_ring, channels=(Channel.SMS, Channel.VOICE))
    push_id = push_to(session, worker, add_posting(session), post, keys=key_ring, cause=PushCause.OLDER)
    step(session, post, key_ring)
    end_consent(session, worker_id=worker, channel=Channel.VOICE, how="reply", actor="worker", now=NOW)
    step(session, post, key_ring)
    assert only(session).state is PushState.SUPPRESSED
    answer_push(session, push_id, Answer.INTERESTED, channel=Channel.SMS, now=LATER, keys=key_ring)
    assert only(session).state is PushState.ANSWERED
    assert [entry.kind for entry in list_entries(session)] == [EntryKind.PUSH, EntryKind.ANSWER]


def test_an_answer_proves_the_push_and_is_an_entry_of_its_own(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    (worker,) = add_people(session, 1, keys=key_ring)
    push_id = push_to(session, worker, add_posting(session), post, keys=key_ring)
    step(session, post, key_ring)
    for _ in range(2):
        answer_push(
            session, push_id, Answer.UNSUITABLE, why=Unsuitable.TOO_FAR, channel=Channel.SMS, now=LATER, keys=key_ring
        )
    pushed, answered = list_entries(session)
    assert (pushed.kind, pushed.evidence) == (EntryKind.PUSH, Grade.A)
    assert (answered.kind, answered.refers_to) == (EntryKind.ANSWER, pushed.id)
    assert answered.facts == {"push": push_id, "answer": "unsuitable", "why": "too_far"}
    assert only(session).state is PushState.ANSWERED
    assert session.scalars(select(FollowUp)).all() == []


def test_who_wants_to_be_called_is_put_on_the_list_until_they_change_their_mind(
    session: Session, key_ring: KeyRing
) -> None:
    post = post_of(Teller())
    (worker,) = add_people(session, 1, keys=key_ring)
    push_id = push_to(session, worker, add_posting(session), post, keys=key_ring)
    answer_push(session, push_id, Answer.CALL_ME, channel=Channel.INBOX, now=NOW, keys=key_ring)
    assert session.scalars(select(FollowUp)).one().answer is Answer.CALL_ME
    answer_push(session, push_id, Answer.INTERESTED, channel=Channel.INBOX, now=LATER, keys=key_ring)
    assert session.scalars(select(FollowUp)).one().answer is Answer.INTERESTED
    answer_push(session, push_id, Answer.UNSUITABLE, channel=Channel.INBOX, now=LATER, keys=key_ring)
    assert session.scalars(select(FollowUp)).all() == []
    assert [entry.kind for entry in list_entries(session)] == [EntryKind.PUSH, *[EntryKind.ANSWER] * 3]


def test_who_has_only_seen_it_has_not_answered(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    (worker,) = add_people(session, 1, keys=key_ring)
    push_id = push_to(session, worker, add_posting(session), post, keys=key_ring)
    step(session, post, key_ring)
    for _ in range(2):
        confirm_push(session, push_id, channel=Channel.SMS, now=LATER, keys=key_ring)
    assert only(session).state is PushState.DELIVERED
    assert [entry.facts.get("answer") for entry in list_entries(session)] == [None, "seen"]


def test_a_message_whose_person_has_answered_is_not_sent_any_more(session: Session, key_ring: KeyRing) -> None:
    teller = Teller()
    post = post_of(teller)
    (worker,) = add_people(session, 1, keys=key_ring)
    push_id = push_to(session, worker, add_posting(session), post, keys=key_ring)
    (claim,) = claims_of(session, post, key_ring)
    answer_push(session, push_id, Answer.INTERESTED, channel=Channel.KIOSK, now=NOW, keys=key_ring)
    assert not settled(session, post, claim, teller.report(Outcome.ACCEPTED), key_ring)
    assert step(session, post, key_ring, now=NOW + timedelta(hours=1)) == 0
    assert only(session).state is PushState.ANSWERED


def test_a_visit_is_an_entry_with_its_minutes(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    (worker,) = add_people(session, 1, keys=key_ring, channels=())
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    push = only(session)
    deliver_push(
        session,
        push,
        channel=Channel.VISIT,
        evidence=Grade.C,
        happened_at=NOW,
        actor="broker/7",
        now=LATER,
        keys=key_ring,
        facts={"minutes": 12, "said": True},
        note="说明天去看看",
    )
    (entry,) = list_entries(session)
    assert (entry.channel, entry.evidence, entry.facts["minutes"], entry.happened_at, entry.written_at) == (
        Channel.VISIT,
        Grade.C,
        12,
        NOW,
        LATER,
    )
    assert attempts_of(session)[0].done_at == LATER


def test_two_dispatchers_never_hold_one_message(database: Engine, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    with write_session(database) as session:
        posting = add_posting(session)
        for worker in add_people(session, 10, keys=key_ring):
            push_to(session, worker, posting, post, keys=key_ring)
    if database.dialect.name == "sqlite":  # one writer at a time: the second finds what the first left
        held = []
        for _ in range(2):
            with write_session(database) as session:
                held.append(claim_ready(session, post, limit=6, now=NOW, keys=key_ring)[0])
    else:
        with write_session(database) as one, write_session(database) as other:
            held = [claim_ready(each, post, limit=6, now=NOW, keys=key_ring)[0] for each in (one, other)]
    ids = [claim.push_id for claims in held for claim in claims]
    assert len(ids) == len(set(ids)) == 10


# --- channels that nobody serves, providers that know of nothing ------------------------------------------------------


def test_a_channel_that_nobody_serves_just_now_is_waited_for_a_day_and_then_left(
    session: Session, key_ring: KeyRing
) -> None:
    post, elsewhere = post_of(Teller()), post_of(Teller(provider="voice", channel=Channel.VOICE))
    owed, other = add_people(session, 2, keys=key_ring)
    posting = add_posting(session)
    # Whoever makes them serves no text messages; somebody else may.
    push_to(session, owed, posting, elsewhere, keys=key_ring)
    push_to(session, other, posting, elsewhere, keys=key_ring, cause=PushCause.PLANNED)
    assert [attempt.channel for attempt in attempts_of(session)] == [Channel.SMS] * 2
    for hours in (0, 23):
        assert claim_ready(session, elsewhere, limit=9, now=NOW + timedelta(hours=hours), keys=key_ring) == ([], 0)
    session.flush()
    with session.begin_nested() as undone:
        assert len(claims_of(session, post, key_ring, now=NOW + timedelta(hours=23))) == 2
        undone.rollback()
    step(session, elsewhere, key_ring, now=NOW + timedelta(hours=25))
    states = {push.worker_id: push.state for push in session.scalars(select(Push))}
    assert states == {owed: PushState.QUEUED, other: PushState.FAILED}
    assert [attempt.channel for attempt in attempts_of(session) if attempt.done_at is None] == [Channel.VISIT]
    whys = list(session.scalars(select(PushChange.why).where(PushChange.after == PushState.FAILED)))
    assert whys == ["sms:no_sender"] * 2


def test_a_provider_that_takes_on_and_knows_of_nothing_is_told_more_seldom_and_left_after_hours(
    session: Session, key_ring: KeyRing
) -> None:
    hollow = Teller(
        says=lambda _: Report(outcome=Outcome.UNCERTAIN, provider="teller"),
        knows=lambda _: Report(outcome=Outcome.UNKNOWN, provider="teller"),
    )
    voice = Teller(provider="voice", channel=Channel.VOICE)
    post = post_of(hollow, voice)
    (worker,) = add_people(session, 1, keys=key_ring, channels=(Channel.SMS, Channel.VOICE))
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    for minutes in range(5 * 60):
        step(session, post, key_ring, now=NOW + timedelta(minutes=minutes))
    assert len(hollow.sent) < 10
    assert (only(session).state, len(voice.sent)) == (PushState.SENT, 1)


def test_what_is_more_urgent_is_looked_at_first_however_much_is_ready(session: Session, key_ring: KeyRing) -> None:
    post = post_of(Teller())
    posting = add_posting(session)
    planned, asked = add_people(session, 4, keys=key_ring), add_people(session, 2, keys=key_ring)
    for number, worker in enumerate(planned):
        push_to(
            session, worker, posting, post, keys=key_ring, cause=PushCause.PLANNED, now=NOW - timedelta(hours=number)
        )
    for worker in asked:
        push_to(session, worker, posting, post, keys=key_ring, cause=PushCause.ASKED)
    some = claim_ready(session, post, limit=3, now=NOW, keys=key_ring)[0]
    people = [session.get_one(Push, claim.push_id).worker_id for claim in some]
    assert people == [*asked, planned[3]]


def test_nothing_less_urgent_leaves_while_more_urgent_waits_on_whatever_channel(
    session: Session, key_ring: KeyRing
) -> None:
    others = [
        Teller(provider=channel.value, channel=channel) for channel in (Channel.WECHAT, Channel.VOICE, Channel.INBOX)
    ]
    post = post_of(Teller(), *others)
    posting = add_posting(session)
    by_text = add_people(session, 12, keys=key_ring)
    for worker in by_text[:9]:
        push_to(session, worker, posting, post, keys=key_ring)
    for worker in by_text[9:]:
        push_to(session, worker, posting, post, keys=key_ring, cause=PushCause.PLANNED)
    called = add_people(session, 9, keys=key_ring, channels=(Channel.VOICE,))
    for worker in called:
        push_to(session, worker, posting, post, keys=key_ring)
    shares = []
    for _ in range(3):
        claims = claim_ready(session, post, limit=8, now=NOW, keys=key_ring)[0]
        people = [session.get_one(Push, claim.push_id).worker_id for claim in claims]
        shares.append([sum(one in part for one in people) for part in (by_text[:9], called, by_text[9:])])
    # Each channel has its share, the limit is used, and what is only useful comes last.
    assert [sum(share) for share in shares] == [8, 8, 5]
    assert [share[2] for share in shares] == [0, 0, 3]
    assert all(share[0] and share[1] for share in shares[:1])


# --- what proves more, and when ---------------------------------------------------------------------------------------


def delivered(session: Session, keys: KeyRing, **given: Any) -> Push:
    """The only push, told again or for the first time."""
    values: dict[str, Any] = {"channel": Channel.VISIT, "evidence": Grade.C, "happened_at": LATER, "now": LATER}
    push = only(session)
    deliver_push(session, push, actor="test", keys=keys, **{**values, **given})
    return push


def grades(session: Session) -> list[Grade | None]:
    return [entry.evidence for entry in list_entries(session) if entry.kind is EntryKind.PUSH]


def test_a_receipt_stands_beside_the_word_of_staff_and_not_beside_a_receipt(
    session: Session, key_ring: KeyRing
) -> None:
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post_of(Teller()), keys=key_ring)
    first = delivered(session, key_ring).entry_id
    assert delivered(session, key_ring).entry_id == first
    second = delivered(session, key_ring, channel=Channel.SMS, evidence=Grade.B).entry_id
    assert second != first
    assert delivered(session, key_ring, channel=Channel.SLIP, evidence=Grade.A).entry_id == second
    assert grades(session) == [Grade.C, Grade.B]


def test_what_was_struck_is_proven_anew_by_the_persons_answer(session: Session, key_ring: KeyRing) -> None:
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post_of(Teller()), keys=key_ring)
    push = delivered(session, key_ring, channel=Channel.SMS, evidence=Grade.B)
    assert push.entry_id is not None
    strike_entry(session, push.entry_id, why="回执弄错了", actor="test", now=LATER, keys=key_ring)
    answer_push(session, push.id, Answer.INTERESTED, channel=Channel.INBOX, now=LATER, keys=key_ring)
    *_, entry, answer = list_entries(session)
    assert (entry.kind, entry.evidence, entry.id) == (EntryKind.PUSH, Grade.A, only(session).entry_id)
    assert answer.refers_to == entry.id


@pytest.mark.parametrize("says", [Answer.INTERESTED, None])
def test_what_was_struck_is_told_anew_though_the_person_says_the_same(
    session: Session, key_ring: KeyRing, says: Answer | None
) -> None:
    def tell(now: datetime) -> None:
        if says is None:
            confirm_push(session, push.id, channel=Channel.INBOX, now=now, keys=key_ring)
        else:
            answer_push(session, push.id, says, channel=Channel.INBOX, now=now, keys=key_ring)

    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post_of(Teller()), keys=key_ring)
    push = only(session)
    tell(NOW)
    tell(LATER)
    first = list_entries(session)
    assert [entry.kind for entry in first] == [EntryKind.PUSH, EntryKind.ANSWER]
    for entry in first:
        strike_entry(session, entry.id, why="不是本人", actor="test", now=LATER, keys=key_ring)
    tell(LATER)
    tell(LATER)
    *_, again, answer = list_entries(session)
    assert (again.kind, again.id, answer.refers_to) == (EntryKind.PUSH, push.entry_id, again.id)
    assert len(list_entries(session)) == 6


def test_a_place_that_was_given_after_a_push_arrived_takes_nothing_from_it(session: Session, key_ring: KeyRing) -> None:
    worker, other = add_people(session, 2, keys=key_ring)
    push_to(session, worker, add_posting(session, openings=1), post_of(Teller()), keys=key_ring)
    push = only(session)
    append_entry(
        session,
        kind=EntryKind.START,
        worker_id=other,
        happened_at=LATER,
        now=LATER,
        actor="clerk/1",
        facts={"posting": push.posting_id},
        keys=key_ring,
    )
    session.get_one(Posting, push.posting_id).state = PostingState.REVIEW
    session.get_one(Posting, push.posting_id).changed_at = LATER
    session.flush()
    delivered(session, key_ring, channel=Channel.SMS, evidence=Grade.B, happened_at=NOW, now=LATER)
    (entry,) = (entry for entry in list_entries(session) if entry.kind is EntryKind.PUSH)
    assert (entry.facts["places"], entry.facts["is_open"]) == (1, True)


def test_what_a_provider_is_asked_about_arrived_when_it_says_so(session: Session, key_ring: KeyRing) -> None:
    at = NOW + timedelta(minutes=2)
    teller = Teller(knows=lambda _: teller.report(Outcome.DELIVERED, happened_at=at))
    post = post_of(teller)
    (worker,) = add_people(session, 1, keys=key_ring)
    push_to(session, worker, add_posting(session), post, keys=key_ring)
    step(session, post, key_ring)
    step(session, post, key_ring, now=NOW + timedelta(hours=1))
    (entry,) = list_entries(session)
    assert (entry.happened_at, entry.written_at) == (at, NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    ("given", "at", "is_so"),
    [
        ({}, NOW, True),
        ({}, NOW - timedelta(seconds=1), False),
        ({"state": PostingState.CLOSED, "changed_at": LATER}, NOW, True),
        ({"state": PostingState.CLOSED, "changed_at": LATER}, LATER, False),
        ({"state": PostingState.PAUSED, "changed_at": LATER}, NOW, False),
        ({"valid_until": NOW.date() - timedelta(days=1)}, NOW, False),
    ],
)
def test_whether_a_posting_was_open_is_told_as_of_then(
    session: Session, given: dict[str, Any], at: datetime, is_so: bool
) -> None:
    posting = session.get_one(Posting, add_posting(session, **given))
    assert is_open(posting, at=at) is is_so
