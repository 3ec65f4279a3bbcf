"""Paper slips (纸条) that were printed, each for the pushes on it, until they come back signed."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kit.database import Base, Json


class Slip(Base):
    """One page for one person: its pushes in the order in which they stand on it, and when it came back signed."""

    __tablename__ = "slips"

    id: Mapped[int] = mapped_column(primary_key=True)
    worker_id: Mapped[int] = mapped_column(ForeignKey("workers.id", ondelete="CASCADE"), index=True)
    push_ids: Mapped[list[int]] = mapped_column(Json)
    printed_at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(60))
    signed_at: Mapped[datetime | None]


def add_slip(session: Session, slip: Slip) -> Slip:
    """Keep a slip that is being printed; it has its number afterwards."""
    session.add(slip)
    session.flush()
    return slip


def lock_slip(session: Session, slip_id: int) -> Slip | None:
    """A slip, locked until the transaction ends."""
    return session.scalars(
        select(Slip).where(Slip.id == slip_id).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()


def list_unsigned(session: Session, worker_ids: Collection[int]) -> Sequence[Slip]:
    """The slips of these people that have not come back; no more people than a query takes."""
    return session.scalars(
        select(Slip).where(Slip.worker_id.in_({*worker_ids}), Slip.signed_at.is_(None)).order_by(Slip.id)
    ).all()


def delete_slips(session: Session, worker_id: int) -> None:
    """Drop a person's slips: what comes back signed is not known any more."""
    session.execute(delete(Slip).where(Slip.worker_id == worker_id))


def list_slips_of(session: Session, worker_id: int) -> Sequence[Slip]:
    """Every slip that was printed for a person, oldest first."""
    return session.scalars(select(Slip).where(Slip.worker_id == worker_id).order_by(Slip.id)).all()
