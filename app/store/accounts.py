"""Accounts of staff: a code, a role, and what proves that it is they. No name stands here; the office has its list."""

from datetime import datetime

from sqlalchemy import BigInteger, SmallInteger, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.permissions import Role
from app.kit.database import Base


class Account(Base):
    """Somebody of the staff. `district_code` is where a clerk or an officer works; a broker's `code` is the broker's.

    `password` is what Argon2id made of it; `factor` the secret of the second factor, sealed for this row, and
    `factor_step` the step of time of the code that was taken last. With `is_start` the password was given by somebody
    else and is good for choosing one's own.
    """

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    role: Mapped[Role]
    district_code: Mapped[str | None] = mapped_column(String(6))
    password: Mapped[str] = mapped_column(String(200))
    is_start: Mapped[bool]
    factor: Mapped[str | None] = mapped_column(String(200))
    factor_step: Mapped[int | None] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(SmallInteger, default=0)
    locked_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


def add_account(session: Session, account: Account) -> None:
    """Keep a new account.

    Raises:
        sqlalchemy.exc.IntegrityError: the code is taken.
    """
    session.add(account)
    session.flush()


def find_account(session: Session, code: str) -> Account | None:
    """An account by its code."""
    return session.scalars(select(Account).where(Account.code == code)).one_or_none()


def lock_account(session: Session, account_id: int) -> Account | None:
    """An account, as it is now and held until the transaction ends."""
    chosen = select(Account).where(Account.id == account_id).with_for_update()
    return session.scalars(chosen, execution_options={"populate_existing": True}).one_or_none()


def list_accounts(session: Session, *, after: str = "", limit: int) -> list[Account]:
    """Accounts in the order of their codes, those behind one."""
    return list(session.scalars(select(Account).where(Account.code > after).order_by(Account.code).limit(limit)))
