"""Doing a deed once for a key, in the same transaction in which the deed is done.

The key is taken before the deed: a second request with it waits for the first one's end instead of doing the deed too.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.kit.errors import Busy, Conflict
from app.store import idempotency_keys as store

KEPT_FOR = timedelta(days=1)


class IdempotencyKeyReused(Conflict):
    """The key was used for another request."""

    code = "idempotency_key_reused"
    title = "这个 Idempotency-Key 已经用于另一个请求"


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """Status and content of an answer; `is_replay` when it was given before."""

    status: int
    content: bytes
    is_replay: bool


def do_once(
    session: Session,
    deed: Callable[[], tuple[int, bytes]],
    *,
    route: str,
    key: str,
    request: bytes,
    now: datetime,
) -> StoredAnswer:
    """Do a deed unless it was done under this key; the answer is stored with it.

    Args:
        session: a transaction; when the deed raises, it must be rolled back, and the key is free again.
        deed: does it and gives status and content of the answer.
        route: what the key was used on.
        key: the client and its key; stored as a digest.
        request: what was asked, in one spelling.
        now: for the age of the stored answer.

    Raises:
        IdempotencyKeyReused: the key came with another request before.
        Busy: the first request with the key is just ending; ask again.
    """
    key_hash, request_hash = hashlib.sha256(key.encode()).hexdigest(), hashlib.sha256(request).hexdigest()
    taken = store.IdempotencyKey(
        route=route, key=key_hash, request_hash=request_hash, status=0, answer=b"", created_at=now
    )
    try:
        with session.begin_nested():
            session.add(taken)
    except IntegrityError:
        earlier = store.find_answer(session, route=route, key=key_hash)
        if earlier is None:  # whoever held the key gave it back this very moment
            raise Busy(retry_after_s=1) from None
        if earlier.request_hash != request_hash:
            raise IdempotencyKeyReused from None
        return StoredAnswer(earlier.status, earlier.answer, is_replay=True)
    taken.status, taken.answer = deed()
    return StoredAnswer(taken.status, taken.answer, is_replay=False)


def forget_answers(session: Session, *, now: datetime) -> None:
    """Drop answers older than a day."""
    store.forget_answers(session, before=now - KEPT_FOR)
