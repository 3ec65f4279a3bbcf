"""Which key ring this database is written with: a check value for each key that has been put to use.

The values give no key away; they only tell another key from it. Besides, they say which version of the index key
writes: a number must not be stored under two versions at once, where no unique index would see it twice.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from sqlalchemy import String, false, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kit.database import Base, has_rows
from app.kit.errors import Busy
from app.kit.keys import KeyRing

_Found = TypeVar("_Found")


class KeysBehind(Busy):
    """The database is written with a version of a key that this process has not been given yet."""

    code = "keys_behind"
    title = "密钥正在更换，请稍后再试"


class KeyCheck(Base):
    """One key, by family and version, and what `kit.keys.key_checks` makes of it.

    `writing` is true for one version of each family, and heeded for the index.
    """

    __tablename__ = "key_checks"

    family: Mapped[str] = mapped_column(String(10), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(String(60))
    writing: Mapped[bool] = mapped_column(default=False, server_default=false())


def list_key_checks(session: Session) -> dict[tuple[str, int], str]:
    """All check values by family and version."""
    rows = session.execute(select(KeyCheck.family, KeyCheck.version, KeyCheck.value))
    return {(family, version): value for family, version, value in rows}


def add_key_checks(session: Session, checks: Mapping[tuple[str, int], str], *, writing: Mapping[str, int]) -> None:
    """Store check values; where another process was first, its value stays, so whoever adds reads afterwards.

    `writing` names by family the version that writes, where none does so far.
    """
    known = {family for family, _ in list_key_checks(session)}
    # In one order, so that two who add at once do not wait for each other.
    for (family, version), value in sorted(checks.items()):
        is_writing = family not in known and writing[family] == version
        try:
            with session.begin_nested():
                row = {"family": family, "version": version, "value": value, "writing": is_writing}
                session.execute(insert(KeyCheck).values(**row))
        except IntegrityError:
            continue


def look_up(session: Session, look: Callable[[], _Found], *, keys: KeyRing) -> _Found:
    """What `look` finds by blind indexes under every version of the ring's key.

    A ring that lacks the newest version may miss a row. That is seen afterwards, for whoever stores rows under a
    version has bound the database to it before.

    Raises:
        KeysBehind: the ring lacks it, also after its file was read anew.
    """
    while True:
        known = keys.index  # as it is before: one that is read anew meanwhile may know more than was looked for
        found = look()
        newest = _newest_version(session, "index")
        if newest is None or newest in known:
            return found
        if newest not in keys.index:
            raise KeysBehind(retry_after_s=5)


def index_version_to_write(session: Session, *, keys: KeyRing) -> int:
    """The version of the index key that everybody writes with until this transaction ends.

    Raises:
        KeysBehind: this process has not been given it.
    """
    version = _hold_writing_version(session, "index") or keys.current("index")
    if version not in keys.index:
        raise KeysBehind(retry_after_s=5)
    return version


def index_version_writing(session: Session, *, keys: KeyRing) -> int:
    """The version of the index key that writes at the moment; for reading, nobody is held up."""
    chosen = select(KeyCheck.version).where(KeyCheck.family == "index", KeyCheck.writing)
    return session.scalar(chosen) or keys.current("index")


def _newest_version(session: Session, family: str) -> int | None:
    return session.scalar(select(func.max(KeyCheck.version)).where(KeyCheck.family == family))


def _hold_writing_version(session: Session, family: str) -> int | None:
    """The version of a family that writes, and stays the one until the transaction ends; None if none is bound."""
    # Shared: those who write do not wait for each other, only for whoever lets another version write.
    chosen = select(KeyCheck.version).where(KeyCheck.family == family, KeyCheck.writing).with_for_update(read=True)
    version = session.scalar(chosen)
    if version is None and _newest_version(session, family) is not None:
        # Who was waited for has changed it: the row that was waited for says no more that it writes.
        version = session.scalar(chosen)
    return version


def let_write(session: Session, family: str, version: int) -> None:
    """Let another version of a family write from the next transaction on; waits for those who write with the last."""
    rows = select(KeyCheck.version).where(KeyCheck.family == family).order_by(KeyCheck.version).with_for_update()
    session.execute(rows).all()
    changing = update(KeyCheck).where(KeyCheck.family == family, KeyCheck.writing != (KeyCheck.version == version))
    session.execute(changing.values(writing=KeyCheck.version == version))


def has_key_checks(session: Session) -> bool:
    """Whether any key has been put to use; also asked of a database that has not been migrated."""
    return has_rows(session, KeyCheck)
