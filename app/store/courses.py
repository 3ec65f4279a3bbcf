"""Courses (培训) and their sessions: what is taught where, when, and how many seats are left."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import ForeignKey, Row, SmallInteger, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kit.database import Base


class Course(Base):
    """What is taught; `occupation_code` is what it leads to, `certificate` what one holds afterwards."""

    __tablename__ = "courses"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    occupation_code: Mapped[str] = mapped_column(ForeignKey("occupations.code"), index=True)
    certificate: Mapped[str | None] = mapped_column(String(60))
    days: Mapped[int] = mapped_column(SmallInteger)


class CourseSession(Base):
    """A course held once, at a place, with seats."""

    __tablename__ = "course_sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"), index=True)
    area_code: Mapped[str] = mapped_column(String(12), index=True)
    starts_on: Mapped[date] = mapped_column(index=True)
    ends_on: Mapped[date]
    seats: Mapped[int] = mapped_column(SmallInteger)
    taken: Mapped[int] = mapped_column(SmallInteger, default=0)


def find_session(session: Session, session_id: int) -> CourseSession | None:
    """One session, or None."""
    return session.get(CourseSession, session_id)


def list_free_sessions(session: Session, *, after: date) -> Sequence[Row[CourseSession, Course]]:
    """Sessions with seats left that begin after a day, each with its course, soonest first."""
    return session.execute(
        select(CourseSession, Course)
        .join(Course, Course.id == CourseSession.course_id)
        .where(CourseSession.starts_on > after, CourseSession.taken < CourseSession.seats)
        .order_by(CourseSession.starts_on, CourseSession.id)
    ).all()
