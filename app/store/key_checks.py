"""Which key ring this database is written with: a check value for each key that has been put to use.

The values give no key away; they only tell another key from it.
"""

from collections.abc import Mapping

from sqlalchemy import String, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kit.database import Base, has_rows


class KeyCheck(Base):
    """One key, by family and version, and what `kit.keys.key_checks` makes of it."""

    __tablename__ = "key_checks"

    family: Mapped[str] = mapped_column(String(10), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(String(60))


def list_key_checks(session: Session) -> dict[tuple[str, int], str]:
    """All check values by family and version."""
    rows = session.execute(select(KeyCheck.family, KeyCheck.version, KeyCheck.value))
    return {(family, version): value for family, version, value in rows}


def add_key_checks(session: Session, checks: Mapping[tuple[str, int], str]) -> None:
    """Store check values; where another process was first, its value stays, so whoever adds reads afterwards."""
    # In one order, so that two who add at once do not wait for each other.
    for (family, version), value in sorted(checks.items()):
        try:
            with session.begin_nested():
                session.execute(insert(KeyCheck).values(family=family, version=version, value=value))
        except IntegrityError:
            continue


def has_key_checks(session: Session) -> bool:
    """Whether any key has been put to use; also asked of a database that has not been migrated."""
    return has_rows(session, KeyCheck)
