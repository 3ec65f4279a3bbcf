"""A person's own inbox (站内消息): what was sent to them, behind an address that they are given, or behind their login.

The address is the key, as a push's link is one: whoever holds it sees the jobs and may answer them. It names nobody.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from app.domain.ledger import Channel
from app.domain.pushes import Answer, PushCause, PushState, Unsuitable
from app.kit.errors import NotFound
from app.kit.keyed_codes import keyed_code, read_keyed_code
from app.kit.keys import KeyRing
from app.store import pushes as store
from app.store import workers
from app.usecases.areas import AreaBook
from app.usecases.postings import PostingCard, PostingNotFound, load_posting
from app.usecases.pushes import PushNotFound, answer_push, confirm_push, link_token

SEEN = "seen"
"""What one says who has read it and does not answer yet."""

KEPT = timedelta(days=30)
MOST_SHOWN = 30
_PURPOSE = "inbox"


class InboxNotFound(NotFound):
    """The address leads to nobody's inbox."""

    code = "inbox_not_found"
    title = "没有这个收件箱，请再看一遍地址"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxItem:
    """A push as the inbox lists it; `token` is that of its own page."""

    token: str
    card: PostingCard
    metres: int
    sent_at: datetime
    answer: Answer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPush:
    """A push as the one to whom it was made sees it; `card` is None when the job is over, `token` is of its page."""

    id: int
    posting_id: int
    created_at: datetime
    state: PushState
    cause: PushCause
    answer: Answer | None
    why: Unsuitable | None
    is_confirmed: bool
    metres: int
    card: PostingCard | None
    token: str | None


def list_own_pushes(
    session: Session,
    worker_id: int,
    *,
    areas: AreaBook,
    today: date,
    keys: KeyRing,
    limit: int,
    before_id: int | None = None,
) -> tuple[list[OwnPush], int | None]:
    """What somebody was sent, newest first, and the id behind which the list goes on; None at its end."""
    rows = store.list_pushes_of(session, worker_id, before_id=before_id, limit=limit + 1)
    found = []
    for push in rows[:limit]:
        try:
            card = load_posting(session, push.posting_id, areas=areas, today=today)
        except PostingNotFound:
            card = None
        try:
            token = link_token(push, keys)
        except LookupError:
            token = None  # its link was made with a key that is gone
        found.append(
            OwnPush(
                id=push.id,
                posting_id=push.posting_id,
                created_at=push.created_at,
                state=push.state,
                cause=push.cause,
                answer=push.answer,
                why=push.why,
                is_confirmed=push.confirmed_at is not None,
                metres=int(push.match.get("metres", 0)),
                card=card,
                token=token,
            )
        )
    return found, found[-1].id if len(rows) > limit else None


def answer_own_push(
    session: Session,
    worker_id: int,
    push_id: int,
    answer: Answer | None,
    *,
    why: Unsuitable | None = None,
    now: datetime,
    keys: KeyRing,
) -> None:
    """Take what somebody who is logged in says to a push of theirs; None: they have seen it. Again, it changes nothing.

    Raises:
        PushNotFound: there is no such push, or it is somebody else's.
    """
    push = store.find_push(session, push_id)
    if push is None or push.worker_id != worker_id or push.state is PushState.SUPPRESSED:
        raise PushNotFound
    if answer is None:
        confirm_push(session, push_id, channel=Channel.INBOX, now=now, keys=keys)
        return
    told = why if answer is Answer.UNSUITABLE else None
    answer_push(session, push_id, answer, why=told, channel=Channel.INBOX, now=now, keys=keys)


def inbox_code(worker_id: int, *, keys: KeyRing) -> str:
    """What stands behind `/inbox/` in somebody's address."""
    return keyed_code(keys, worker_id, purpose=_PURPOSE)


def read_inbox_code(code: str, *, keys: KeyRing) -> int:
    """Whose inbox an address leads to.

    Raises:
        InboxNotFound: it leads to nobody.
    """
    worker_id = read_keyed_code(keys, code, purpose=_PURPOSE)
    if worker_id is None:
        raise InboxNotFound
    return worker_id


def list_inbox(
    session: Session, worker_id: int, *, areas: AreaBook, today: date, now: datetime, keys: KeyRing
) -> list[InboxItem]:
    """What somebody was sent in the last thirty days and is still to be had, newest first.

    Raises:
        InboxNotFound: they were erased, and their address leads nowhere any more.
    """
    worker = workers.find_worker(session, worker_id)
    if worker is not None and worker.erased_at is not None:
        raise InboxNotFound
    items = []
    for push in store.list_sent(session, worker_id, since=now - KEPT, limit=MOST_SHOWN):
        try:
            card = load_posting(session, push.posting_id, areas=areas, today=today)
            token = link_token(push, keys)
        except (PostingNotFound, LookupError):
            continue  # over, or its link was made with a key that is gone
        metres = int(push.match.get("metres", 0))
        items.append(InboxItem(token=token, card=card, metres=metres, sent_at=push.created_at, answer=push.answer))
    return items
