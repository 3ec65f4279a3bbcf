"""Consents are for one purpose on one channel: one says nothing about another, and jobs are sent by theirs alone."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.consents import Purpose
from app.domain.ledger import Channel
from app.domain.pushes import PushCause, PushState
from app.kit.keys import KeyRing
from app.store.audit import AuditEntry
from app.store.consents import list_consents
from app.store.pushes import Push
from app.usecases.consents import (
    ChannelNotElectronic,
    ChannelUnbound,
    change_own_consent,
    end_consent,
    find_by_address,
    list_own_consents,
)
from tests.deliveries import NOW, Teller, add_people, add_posting, post_of, push_to


def change(session: Session, worker: int, keys: KeyRing, purpose: Purpose, channel: Channel, *, is_given: bool) -> None:
    change_own_consent(
        session,
        worker_id=worker,
        purpose=purpose,
        channel=channel,
        is_given=is_given,
        actor=f"seeker/{worker}",
        now=NOW,
        keys=keys,
    )


def test_who_agrees_to_news_has_not_agreed_to_be_sent_jobs(session: Session, key_ring: KeyRing) -> None:
    news, jobs = add_people(session, 1, keys=key_ring, channels=())[0], add_people(session, 1, keys=key_ring)[0]
    change(session, news, key_ring, Purpose.POLICY_NEWS, Channel.SMS, is_given=True)
    posting = add_posting(session)
    for worker in (news, jobs):
        push_to(session, worker, posting, post_of(Teller()), keys=key_ring, cause=PushCause.PLANNED)
    states = {push.worker_id: push.state for push in session.scalars(select(Push))}
    assert states == {news: PushState.SUPPRESSED, jobs: PushState.QUEUED}


def test_one_is_withdrawn_by_itself_and_all_of_a_channel_by_texting_back(session: Session, key_ring: KeyRing) -> None:
    (worker,) = add_people(session, 1, keys=key_ring, channels=(Channel.SMS, Channel.VOICE))
    for purpose in (Purpose.POLICY_NEWS, Purpose.COURSES):
        change(session, worker, key_ring, purpose, Channel.SMS, is_given=True)
    change(session, worker, key_ring, Purpose.COURSES, Channel.SMS, is_given=False)
    held = {(each.purpose, each.channel) for each in list_own_consents(session, worker) if each.ended_at is None}
    assert held == {
        (Purpose.JOB_PUSHES, Channel.SMS),
        (Purpose.JOB_PUSHES, Channel.VOICE),
        (Purpose.POLICY_NEWS, Channel.SMS),
    }
    end_consent(session, worker_id=worker, channel=Channel.SMS, how="reply", actor="worker", now=NOW)
    for purpose, left in ((Purpose.JOB_PUSHES, {Channel.VOICE}), (Purpose.POLICY_NEWS, set())):
        assert list_consents(session, [worker], purpose=purpose).get(worker, frozenset()) == left
    told = session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "end_consent")).all()
    assert sorted(told) == ["courses sms", "job_pushes sms", "policy_news sms"]


def test_wechat_is_agreed_to_where_it_is_bound_and_keeps_its_address(session: Session, key_ring: KeyRing) -> None:
    bound, unbound = (
        add_people(session, 1, keys=key_ring, channels=channels)[0] for channels in ((Channel.WECHAT,), ())
    )
    change(session, bound, key_ring, Purpose.COURSES, Channel.WECHAT, is_given=True)
    change(session, bound, key_ring, Purpose.JOB_PUSHES, Channel.WECHAT, is_given=False)
    assert find_by_address(session, channel=Channel.WECHAT, address=f"open-{bound}", keys=key_ring) == [bound]
    with pytest.raises(ChannelUnbound):
        change(session, unbound, key_ring, Purpose.COURSES, Channel.WECHAT, is_given=True)
    with pytest.raises(ChannelNotElectronic):
        change(session, bound, key_ring, Purpose.COURSES, Channel.VISIT, is_given=True)
