"""Postings, the sources they came from, and reports against them.

`changed_at` moves with every change that a reader may see; the match index and the public feed follow it. Whoever
changes a posting sets it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    ForeignKey,
    Index,
    Numeric,
    Row,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    and_,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, load_only, mapped_column

from app.domain.areas import Precision
from app.domain.pay import PayUnit
from app.domain.postings import (
    LISTED_STATES,
    AgeReason,
    PostingKind,
    PostingOrigin,
    PostingState,
    ReportOutcome,
    ReportReason,
)
from app.domain.workers import Education, Sex
from app.kit.database import Base, Json
from app.store.employers import Employer

_IDS_A_QUERY = 500  # bound parameters: SQLite takes 32,766, a long list of them plans slowly everywhere


# A table that was filled a moment ago has no statistics yet, and PostgreSQL reads it whole for each list of keys: so
# there are few and long ones. SQLite takes 32,766 parameters, PostgreSQL 65,535.
_KEYS_AT_ONCE = 10_000


class Posting(Base):
    """A kind of work with places left.

    `pay_low`/`pay_high` are in `pay_unit`; `pay_min_yuan_month`/`pay_max_yuan_month` the same by the month. `lacks`
    names what job information must hold and this posting does not. `age_words` keeps an age cap's own words.
    """

    __tablename__ = "postings"
    __table_args__ = (
        Index("ix_postings_changed_at_id", "changed_at", "id"),
        Index("ix_postings_state_valid_until", "state", "valid_until"),
        Index("ix_postings_fold_key", "fold_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[PostingState]
    origin: Mapped[PostingOrigin]
    title: Mapped[str] = mapped_column(String(120))
    employer_id: Mapped[int | None] = mapped_column(ForeignKey("employers.id"), index=True)
    occupation_code: Mapped[str | None] = mapped_column(ForeignKey("occupations.code"), index=True)
    occupation_confidence: Mapped[float | None]
    kind: Mapped[PostingKind]
    area_code: Mapped[str | None] = mapped_column(String(12), index=True)
    workplace: Mapped[str] = mapped_column(String(200), default="")
    lon: Mapped[float | None]
    lat: Mapped[float | None]
    precision: Mapped[Precision] = mapped_column(default=Precision.DISTRICT)
    duties: Mapped[str] = mapped_column(Text, default="")
    conditions: Mapped[str] = mapped_column(Text, default="")
    pay_unit: Mapped[PayUnit | None]
    pay_low: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    pay_high: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    pay_months: Mapped[int] = mapped_column(SmallInteger, default=12)
    pay_min_yuan_month: Mapped[int | None]
    pay_max_yuan_month: Mapped[int | None]
    paid_by: Mapped[str] = mapped_column(String(120), default="")
    paid_when: Mapped[str] = mapped_column(String(60), default="")
    openings: Mapped[int] = mapped_column(default=1)
    sent: Mapped[int] = mapped_column(default=0)
    hours: Mapped[str] = mapped_column(String(80), default="")
    ends_at_hour: Mapped[int | None] = mapped_column(SmallInteger)
    starts_on: Mapped[date | None]
    valid_until: Mapped[date | None]
    physical_level: Mapped[int | None] = mapped_column(SmallInteger)
    demands: Mapped[list[str]] = mapped_column(default=list)
    certificates: Mapped[list[str]] = mapped_column(default=list)
    age_min: Mapped[int | None] = mapped_column(SmallInteger)
    age_max: Mapped[int | None] = mapped_column(SmallInteger)
    age_reason: Mapped[AgeReason | None]
    age_words: Mapped[str] = mapped_column(String(60), default="")
    sex_required: Mapped[Sex | None]
    education: Mapped[Education | None]
    experience_years_min: Mapped[int | None] = mapped_column(SmallInteger)
    programme: Mapped[str | None] = mapped_column(String(12))
    meals: Mapped[bool | None]
    lodging: Mapped[bool | None]
    insurance: Mapped[bool | None]
    phone: Mapped[str] = mapped_column(String(20), default="")
    observed: Mapped[str] = mapped_column(String(10), default="")
    lacks: Mapped[list[str]] = mapped_column(default=list)
    findings: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    closed_reason: Mapped[str] = mapped_column(String(40), default="")
    fold_key: Mapped[str] = mapped_column(String(64), default="")
    posted_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class PostingSource(Base):
    """Where a posting was found: one row for each source row that was taken or folded into it."""

    __tablename__ = "posting_sources"
    __table_args__ = (UniqueConstraint("source", "source_key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    posting_id: Mapped[int] = mapped_column(ForeignKey("postings.id", ondelete="CASCADE"), index=True)
    source: Mapped[str] = mapped_column(String(40))
    source_key: Mapped[str] = mapped_column(String(64))
    imported_at: Mapped[datetime]


class PostingReport(Base):
    """Somebody's complaint about a posting. `reporter_hash` tells reporters apart and names nobody.

    `sealed_words` is what they wrote, sealed for the report's code; None when they wrote nothing. `words` holds plain
    text of before there was a seal, until it is sealed, and is empty otherwise.
    """

    __tablename__ = "posting_reports"
    __table_args__ = (Index("ix_posting_reports_posting_id_reporter_hash", "posting_id", "reporter_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(16), unique=True)
    posting_id: Mapped[int] = mapped_column(ForeignKey("postings.id", ondelete="CASCADE"))
    reason: Mapped[ReportReason]
    words: Mapped[str] = mapped_column(String(500), default="")
    sealed_words: Mapped[str | None] = mapped_column(Text)
    reporter_hash: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[ReportOutcome] = mapped_column(default=ReportOutcome.WAITING)
    reported_at: Mapped[datetime]


def is_listed(today: date) -> ColumnElement[bool]:
    """Condition: job-seekers see the posting on a day."""
    return and_(
        Posting.state.in_(LISTED_STATES),
        or_(Posting.valid_until.is_(None), Posting.valid_until >= today),
    )


def find_posting(session: Session, posting_id: int) -> Posting | None:
    """One posting by its id, whatever its state."""
    return session.get(Posting, posting_id)


def hold_postings(session: Session, posting_ids: Iterable[int]) -> None:
    """Lock postings until the transaction ends, in the order of their ids, not against rows that point to them."""
    numbers = sorted({*posting_ids})
    for start in range(0, len(numbers), _KEYS_AT_ONCE):
        chosen = select(Posting.id).where(Posting.id.in_(numbers[start : start + _KEYS_AT_ONCE])).order_by(Posting.id)
        session.execute(chosen.with_for_update(key_share=True)).all()


def lock_posting(session: Session, posting_id: int) -> Posting | None:
    """One posting by its id, locked until the transaction ends, so that reporters are counted one after the other."""
    return session.scalars(select(Posting).where(Posting.id == posting_id).with_for_update()).first()


def list_listed_postings(session: Session, *, today: date) -> Sequence[Row[Posting, Employer | None]]:
    """All postings that job-seekers see on a day, with their employers, ordered by id."""
    return session.execute(
        select(Posting, Employer)
        .outerjoin(Employer, Employer.id == Posting.employer_id)
        .where(is_listed(today))
        .order_by(Posting.id)
    ).all()


def list_open_postings(session: Session, *, today: date) -> Sequence[Posting]:
    """All postings that somebody may take up on a day, with what tells one job from another alone; ordered by id."""
    return session.scalars(
        select(Posting)
        .options(
            load_only(
                *(Posting.employer_id, Posting.title, Posting.occupation_code, Posting.area_code),
                *(Posting.pay_low, Posting.pay_high, Posting.pay_unit),
            )
        )
        .where(Posting.state == PostingState.OPEN, Posting.valid_until.is_(None) | (Posting.valid_until >= today))
        .order_by(Posting.id)
    ).all()


def list_changed_postings(
    session: Session, *, after: tuple[datetime, int] | None, until: datetime, limit: int
) -> Sequence[Row[Posting, Employer | None]]:
    """Postings of any state changed behind a cursor (instant, id) and not after `until`, in that order."""
    condition = Posting.changed_at <= until
    if after is not None:
        condition &= or_(Posting.changed_at > after[0], and_(Posting.changed_at == after[0], Posting.id > after[1]))
    return session.execute(
        select(Posting, Employer)
        .outerjoin(Employer, Employer.id == Posting.employer_id)
        .where(condition)
        .order_by(Posting.changed_at, Posting.id)
        .limit(limit)
    ).all()


def list_changed_ids(session: Session, *, since: datetime) -> Sequence[Row[int, datetime]]:
    """(id, instant of the last change) of postings of any state changed at or after an instant."""
    return session.execute(
        select(Posting.id, Posting.changed_at).where(Posting.changed_at >= since).order_by(Posting.id)
    ).all()


def list_postings(session: Session, ids: Sequence[int]) -> list[Row[Posting, Employer | None]]:
    """Postings of any state by their ids, with their employers; ids without a posting are passed over."""
    found: list[Row[Posting, Employer | None]] = []
    for start in range(0, len(ids), _IDS_A_QUERY):
        found += session.execute(
            select(Posting, Employer)
            .outerjoin(Employer, Employer.id == Posting.employer_id)
            .where(Posting.id.in_(ids[start : start + _IDS_A_QUERY]))
        ).all()
    return found


def close_expired_postings(session: Session, *, today: date, now: datetime) -> int:
    """Close open and paused postings whose validity has passed; their number."""
    result = session.execute(
        update(Posting)
        .where(
            Posting.state.in_((PostingState.OPEN, PostingState.PAUSED)),
            Posting.valid_until < today,
        )
        .values(state=PostingState.CLOSED, closed_reason="expired", changed_at=now)
        .execution_options(synchronize_session=False)
    )
    return int(cast("CursorResult[Any]", result).rowcount)


def add_postings(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Store many postings, given as values by column, `id` among them (`kit.database.reserve_ids`).

    The rows name the same columns.
    """
    if rows:
        # On the connection: the session would look at each row by itself.
        session.connection().execute(insert(Posting), rows)


def add_posting_sources(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Store where postings were found, given as values by column.

    Raises:
        sqlalchemy.exc.IntegrityError: a source has brought one of these keys before.
    """
    if rows:
        session.connection().execute(insert(PostingSource), rows)


def lock_renewable_postings(session: Session, ids: Iterable[int]) -> dict[int, tuple[PostingKind, date]]:
    """Kind and validity, by id, of those of these postings that are open, paused or in review and have a validity.

    They are locked until the transaction ends.
    """
    wanted = sorted(set(ids))  # two writers who take their locks in one order never wait for each other
    found: dict[int, tuple[PostingKind, date]] = {}
    for start in range(0, len(wanted), _KEYS_AT_ONCE):
        rows = session.execute(
            select(Posting.id, Posting.kind, Posting.valid_until)
            .where(
                Posting.id.in_(wanted[start : start + _KEYS_AT_ONCE]),
                Posting.state.in_((PostingState.OPEN, PostingState.PAUSED, PostingState.REVIEW)),
            )
            .order_by(Posting.id)
            .with_for_update()
        )
        found.update((posting_id, (kind, day)) for posting_id, kind, day in rows if day is not None)
    return found


def extend_postings(session: Session, valid_until: Mapping[int, date], *, changed_at: datetime) -> None:
    """Let postings, by id, be valid until a later day each."""
    ids: dict[date, list[int]] = {}
    for posting_id, day in valid_until.items():
        ids.setdefault(day, []).append(posting_id)
    for day, wanted in ids.items():
        for start in range(0, len(wanted), _KEYS_AT_ONCE):
            session.execute(
                update(Posting)
                .where(Posting.id.in_(wanted[start : start + _KEYS_AT_ONCE]))
                .values(valid_until=day, changed_at=changed_at)
                .execution_options(synchronize_session=False)
            )


def restamp_postings(session: Session, *, stamped_at: datetime, changed_at: datetime) -> None:
    """Move the stamp of all that one transaction stamped at an instant to a later one: the last thing it does.

    Readers who follow `changed_at` may have passed the first instant long before a long transaction commits.
    """
    session.flush()
    session.execute(
        update(Posting)
        .where(Posting.changed_at == stamped_at)
        .values(changed_at=changed_at)
        .execution_options(synchronize_session=False)
    )


def known_source_keys(session: Session, source: str, keys: Iterable[str]) -> dict[str, int]:
    """Posting ids by source key, of those keys that a source has already brought."""
    wanted: list[str] = list(keys)
    found: dict[str, int] = {}
    for start in range(0, len(wanted), _KEYS_AT_ONCE):
        part = wanted[start : start + _KEYS_AT_ONCE]
        rows = session.execute(
            select(PostingSource.source_key, PostingSource.posting_id).where(
                PostingSource.source == source, PostingSource.source_key.in_(part)
            )
        )
        found.update((key, posting_id) for key, posting_id in rows)
    return found


def list_foldable_postings(session: Session, keys: Iterable[str]) -> list[tuple[int, str, str]]:
    """(id, fold key, title) of postings that are not closed, by fold key, ordered by id."""
    wanted = list(keys)
    found: list[tuple[int, str, str]] = []
    for start in range(0, len(wanted), _KEYS_AT_ONCE):
        part = wanted[start : start + _KEYS_AT_ONCE]
        rows = session.execute(
            select(Posting.id, Posting.fold_key, Posting.title)
            .where(Posting.fold_key.in_(part), Posting.state != PostingState.CLOSED)
            .order_by(Posting.id)
        )
        found.extend((posting_id, key, title) for posting_id, key, title in rows)
    return found


def list_reports(session: Session, *, posting_id: int, reporter_hashes: Sequence[str]) -> Sequence[PostingReport]:
    """The reports that one reporter made of one posting under any of their digests, oldest first."""
    return session.scalars(
        select(PostingReport)
        .where(PostingReport.posting_id == posting_id, PostingReport.reporter_hash.in_(reporter_hashes))
        .order_by(PostingReport.id)
    ).all()


def find_report_by_code(session: Session, code: str) -> PostingReport | None:
    """A report by the code that its reporter was given."""
    return session.scalars(select(PostingReport).where(PostingReport.code == code)).first()


def lock_reports_in_plain_text(session: Session, *, limit: int) -> Sequence[PostingReport]:
    """Reports whose words are not sealed yet, locked until the transaction ends, ordered by id."""
    return session.scalars(
        select(PostingReport).where(PostingReport.words != "").order_by(PostingReport.id).limit(limit).with_for_update()
    ).all()


def count_words_behind(session: Session, *, today: str) -> int:
    """How many reports have words that are sealed otherwise than what begins so."""
    chosen = select(func.count()).select_from(PostingReport)
    return session.scalar(chosen.where(~PostingReport.sealed_words.startswith(today, autoescape=True))) or 0


def lock_words_behind(session: Session, *, after: int, limit: int, today: str) -> Sequence[PostingReport]:
    """The next of these reports behind an id, locked until the transaction ends."""
    return session.scalars(
        select(PostingReport)
        .where(PostingReport.id > after, ~PostingReport.sealed_words.startswith(today, autoescape=True))
        .order_by(PostingReport.id)
        .limit(limit)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def count_waiting_reporters(session: Session, posting_id: int) -> int:
    """How many different reporters have reports of a posting that wait for a check."""
    return (
        session.scalar(
            select(func.count(PostingReport.reporter_hash.distinct())).where(
                PostingReport.posting_id == posting_id, PostingReport.outcome == ReportOutcome.WAITING
            )
        )
        or 0
    )


def count_by_state_and_origin(session: Session) -> Sequence[Row[PostingState, PostingOrigin, int]]:
    """(state, origin, number) of all postings, for figures that tell real rows from generated ones."""
    return session.execute(
        select(Posting.state, Posting.origin, func.count())
        .group_by(Posting.state, Posting.origin)
        .order_by(Posting.state, Posting.origin)
    ).all()
