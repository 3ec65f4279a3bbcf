"""People's own keys: what names a person is sealed under theirs, and cannot be read again when it is destroyed.

A key stands here wrapped by a master key (`kit.encrypted.wrap_keys`), so rotating that one touches a row a person and
none of what their keys have sealed.
"""

import secrets
from collections.abc import Collection, Mapping

from sqlalchemy import ForeignKey, String, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kit.database import Base
from app.kit.encrypted import Place, SealBroken, unwrap_keys, wrap_keys
from app.kit.errors import Gone
from app.kit.keys import KEY_BYTES, KeyRing
from app.store.workers import hold_erased

_NUMBERS_AT_ONCE = 10_000  # SQLite takes 32,766 parameters


class PersonErased(Gone):
    """The person was erased: nothing that names them is kept any more, and so nothing new either."""

    code = "person_erased"
    title = "本人的身份信息已经销毁，不能再登记"


class PersonKey(Base):
    """One person's key, wrapped. Who is deleted takes it along: no key may outlive its person."""

    __tablename__ = "person_keys"

    worker_id: Mapped[int] = mapped_column(
        ForeignKey("workers.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    wrapped: Mapped[str] = mapped_column(String(500))


def open_person_keys(session: Session, worker_ids: Collection[int], *, keys: KeyRing) -> dict[int, bytes]:
    """The keys of these people, of those who have one that opens.

    Raises:
        Busy: the key service cannot be asked.
    """
    return _opened(_find(session, worker_ids, to_write=False), keys)


def person_keys_to_write(session: Session, worker_ids: Collection[int], *, keys: KeyRing) -> dict[int, bytes]:
    """The keys of all these people, made for those who have none. They stay until the transaction ends.

    Whoever erases one of these people waits for that, or was first: then nobody is given a key anew.

    Raises:
        PersonErased: one of them was erased.
        SealBroken: somebody's key was altered, or its master key is gone.
        Busy: the key service cannot be asked.
    """
    wrapped = _find(session, worker_ids, to_write=True)
    new: dict[int, bytes] = {}
    if missing := sorted({*worker_ids} - wrapped.keys()):
        require_kept(session, missing)
        new = {worker_id: secrets.token_bytes(KEY_BYTES) for worker_id in missing}
        made = wrap_keys(keys, {_place(worker_id): key for worker_id, key in new.items()})
        rows = [{"worker_id": worker_id, "wrapped": made[_place(worker_id)]} for worker_id in missing]
        dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        # Where another process was first, its key stays.
        inserting = dialect.insert(PersonKey).on_conflict_do_nothing()
        if session.connection().execute(inserting, rows).rowcount < len(rows):
            stored = _find(session, missing, to_write=True)
            new = {one: key for one, key in new.items() if stored.get(one) == made[_place(one)]}
            wrapped |= {one: each for one, each in stored.items() if one not in new}
    opened = _opened(wrapped, keys)
    if wrapped.keys() - opened.keys():
        raise SealBroken("person_keys.wrapped: a person's key does not open")
    return opened | new


def require_kept(session: Session, worker_ids: Collection[int]) -> None:
    """Let nobody erase one of these people until the transaction ends.

    Raises:
        PersonErased: one of them was erased.
    """
    if hold_erased(session, worker_ids):
        raise PersonErased


def delete_person_key(session: Session, worker_id: int) -> bool:
    """Destroy a person's key, once nobody writes under it any more; whether there was one."""
    gone = delete(PersonKey).where(PersonKey.worker_id == worker_id)
    return session.connection().execute(gone).rowcount > 0


def count_person_keys(session: Session, *, not_beginning: str | None = None) -> int:
    """How many keys there are, or how many do not begin as those do that are wrapped today."""
    chosen = select(func.count()).select_from(PersonKey)
    if not_beginning is not None:
        chosen = chosen.where(~PersonKey.wrapped.startswith(not_beginning, autoescape=True))
    return session.scalar(chosen) or 0


def rewrap_person_keys(
    session: Session, *, after: int, limit: int, today: str, keys: KeyRing
) -> tuple[int, int] | None:
    """Wrap the next keys anew that are not wrapped as today; the last id that was looked at, and how many were wrapped.

    None when none is left behind `after`. A key that does not open is left as it is.
    """
    chosen = (
        select(PersonKey.worker_id, PersonKey.wrapped)
        .where(PersonKey.worker_id > after, ~PersonKey.wrapped.startswith(today, autoescape=True))
        .order_by(PersonKey.worker_id)
        .limit(limit)
    )
    found = {row.worker_id: row.wrapped for row in session.execute(chosen)}
    if not found:
        return None
    opened = _opened(found, keys)
    anew = wrap_keys(keys, {_place(worker_id): key for worker_id, key in opened.items()})
    # Only what still stands there: a key that was destroyed meanwhile must not come back.
    standing = update(PersonKey).where(PersonKey.worker_id == bindparam("of"), PersonKey.wrapped == bindparam("before"))
    rows = [
        {"of": worker_id, "before": found[worker_id], "anew": anew[_place(worker_id)]} for worker_id in sorted(opened)
    ]
    if rows:
        session.connection().execute(standing.values(wrapped=bindparam("anew")), rows)
    return max(found), len(opened)


def _find(session: Session, worker_ids: Collection[int], *, to_write: bool) -> dict[int, str]:
    numbers = sorted({*worker_ids})
    found: dict[int, str] = {}
    for start in range(0, len(numbers), _NUMBERS_AT_ONCE):
        chosen = select(PersonKey.worker_id, PersonKey.wrapped).where(
            PersonKey.worker_id.in_(numbers[start : start + _NUMBERS_AT_ONCE])
        )
        if to_write:
            # Against whoever deletes it; who wraps it anew changes nothing that matters here.
            chosen = chosen.order_by(PersonKey.worker_id).with_for_update(read=True, key_share=True)
        found.update((worker_id, wrapped) for worker_id, wrapped in session.execute(chosen))
    return found


def _opened(wrapped: Mapping[int, str], keys: KeyRing) -> dict[int, bytes]:
    opened = unwrap_keys(keys, {_place(worker_id): each for worker_id, each in wrapped.items()})
    return {worker_id: opened[_place(worker_id)] for worker_id in wrapped if _place(worker_id) in opened}


def _place(worker_id: int) -> Place:
    return Place("person_keys", "wrapped", worker_id)
