"""People, postings and pushes for the tests of sending, and a sender that does what a test tells it.

Place code 99 was never given to anybody: these numbers have no bearer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.domain.identities import id_check
from app.domain.ledger import Channel
from app.domain.postings import PostingKind, PostingOrigin, PostingState
from app.domain.pushes import Message, Outcome, PushCause, Report
from app.domain.sending import SendRules
from app.domain.workers import Sex, WorkerOrigin
from app.kit.database import reserve_ids
from app.kit.keys import KeyRing
from app.store.identities import NewIdentity, add_identities
from app.store.postings import Posting
from app.store.pushes import Push
from app.store.workers import Worker, add_workers
from app.usecases.consents import give_consent
from app.usecases.dispatch import Post
from app.usecases.pushes import Intent, Letter, intend_pushes

NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)  # ten in the morning in Chongqing
MATCH = {
    "score": 0.62,
    "skill_permille": 800,
    "metres": 2300,
    "reach_metres": 20_000,
    "bar": None,
    "reasons": ["near_home"],
}


@dataclass
class Teller:
    """A sender that answers what it is told to: `says` to a send, `knows` to a question; it notes what it was given."""

    provider: str = "teller"
    channel: Channel = Channel.SMS
    can_query: bool = True
    says: Callable[[Message], Report] | None = None
    knows: Callable[[str], Report] | None = None
    sent: list[Message] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def send(self, message: Message) -> Report:
        self.sent.append(message)
        return self.says(message) if self.says else self.report(Outcome.ACCEPTED)

    def query(self, message_key: str, *, to: str, provider_id: str | None, sent_at: datetime) -> Report:
        del to, provider_id, sent_at
        self.asked.append(message_key)
        return self.knows(message_key) if self.knows else self.report(Outcome.ACCEPTED)

    def report(self, outcome: Outcome, **given: Any) -> Report:
        """A report of this sender."""
        return Report(outcome=outcome, provider=self.provider, **given)


def compose(push: Push, posting: Posting, channel: Channel, link: str) -> Letter:
    """The plainest wording, on every channel."""
    del channel
    return Letter(template="job", values={"title": posting.title}, text=f"{posting.title} {push.id} {link}")


def post_of(*senders: Teller, rules: SendRules | None = None) -> Post:
    """Sending by these senders, in this order."""
    by_channel: dict[Channel, list[Teller]] = {}
    for each in senders:
        by_channel.setdefault(each.channel, []).append(each)
    return Post(senders=by_channel, compose=compose, public_url="https://job.example", rules=rules or SendRules())


def add_people(
    session: Session,
    number: int,
    *,
    keys: KeyRing,
    channels: Sequence[Channel] = (Channel.SMS,),
    now: datetime = NOW,
    phone: str | None = None,
) -> list[int]:
    """So many people with a phone each, or with one for all, who let these channels be used."""
    ids = reserve_ids(session, Worker, number)
    values = {
        "birth_on": date(1970, 1, 1),
        "sex": Sex.FEMALE,
        "home_area_code": "500237102",
        "origin": WorkerOrigin.GENERATED,
        "created_at": now,
        "updated_at": now,
        "skills_text": "",
        "wants": [],
        "certificates": [],
        "kinds": [],
        "limits": [],
        "max_km": 30,
    }
    add_workers(session, [{"id": each, **values} for each in ids], [])
    add_identities(
        session,
        [
            NewIdentity(worker_id=each, name="样例", id_number=_number(each), phone=phone or phone_of(each))
            for each in ids
        ],
        keys=keys,
    )
    for each in ids:
        for channel in channels:
            address = f"open-{each}" if channel is Channel.WECHAT else None
            give_consent(
                session,
                worker_id=each,
                channel=channel,
                how="clerk",
                actor="test",
                now=now,
                keys=keys,
                address=address,
            )
    return ids


def phone_of(worker_id: int) -> str:
    """A number of a block that was never given out."""
    return f"100{worker_id:08d}"


def add_posting(session: Session, *, title: str = "小区保洁员", now: datetime = NOW, **given: Any) -> int:
    """An open posting with five places."""
    values: dict[str, Any] = {
        "state": PostingState.OPEN,
        "origin": PostingOrigin.GENERATED,
        "title": title,
        "kind": PostingKind.FULL_TIME,
        "area_code": "500237102",
        "openings": 5,
        "valid_until": now.date() + timedelta(days=30),
        "posted_at": now,
        "changed_at": now,
        **given,
    }
    posting = Posting(**values)
    session.add(posting)
    session.flush()
    return posting.id


def intent(worker_id: int, posting_id: int, *, now: datetime = NOW, **given: Any) -> Intent:
    """That a posting is to reach somebody who is owed it."""
    values: dict[str, Any] = {
        "worker_id": worker_id,
        "posting_id": posting_id,
        "cause": PushCause.OWED,
        "made_for": "2026-12-01",
        "match": MATCH,
        "expires_at": now + timedelta(days=7),
        **given,
    }
    return Intent(**values)


def push_to(
    session: Session, worker_id: int, posting_id: int, post: Post, *, keys: KeyRing, now: datetime = NOW, **given: Any
) -> int:
    """One push to one person; its id."""
    intend_pushes(session, [intent(worker_id, posting_id, now=now, **given)], served=post.served, now=now, keys=keys)
    return max(push.id for push in session.query(Push).filter_by(worker_id=worker_id, posting_id=posting_id))


def _number(sequence: int) -> str:
    body = f"99000019{1900 + sequence // 100_000:04d}{sequence % 100_000:05d}"
    return body + id_check(body)
