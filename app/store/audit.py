"""Who saw or changed what, why and from where. Rows are only added: the database itself refuses everything else.

They hold no personal data themselves. An act is one INSERT in the transaction of what it tells about; its place in the
book is given afterwards, by `usecases.audit_seals`, and vouched for by the ledger.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String, and_, func, insert, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kit.database import Base, as_stored, list_stored

ORIGIN = "jiujin_origin"
"""The execution option of an engine that says from where it is worked with; see `wiring.House.worked_from`."""

_ROWS_AT_ONCE = 2_000

# Whoever gives acts their places holds this advisory lock on PostgreSQL. The number only has to be one that nobody else
# in this database uses.
_SEALING_LOCK = 4_610_240


class AuditEntry(Base):
    """One act: `actor` did `action` to `subject` (a noun and an id), with a count or a rule in `detail`.

    `why` is a reason, a code or words that name nobody. `origin` is from where: a session (`sessions/7`), a kiosk
    (`kiosk/K-1`), `command`, `background` or `web` (a door, before anybody was let in); never an address.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_actor_id", "actor", "id"),
        Index("ix_audit_entries_subject_id", "subject", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    happened_at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(String(60))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80))
    detail: Mapped[str] = mapped_column(String(200), default="")
    why: Mapped[str] = mapped_column(String(120), default="", server_default=text("''"))
    origin: Mapped[str] = mapped_column(String(60), default="", server_default=text("''"))


class AuditLeaf(Base):
    """The place of an act in the book. `commitment` is a keyed digest of all its columns and of the place."""

    __tablename__ = "audit_leaves"

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(unique=True)
    commitment: Mapped[str] = mapped_column(String(60))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAct:
    """An act as it stands in the database, whoever put it there: `columns` as they are stored, instants as text."""

    id: int
    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlace:
    """A leaf as it is stored, and its act, if that is there."""

    position: Any
    entry_id: Any
    commitment: Any
    act: StoredAct | None


def record_act(
    session: Session,
    *,
    actor: str,
    action: str,
    subject: str,
    now: datetime,
    detail: str = "",
    why: str = "",
    origin: str | None = None,
) -> None:
    """Add one act to the audit.

    Args:
        session: the transaction of what it tells about.
        actor: who, as they sign: a role and a code or number.
        action: what they did.
        subject: to what: a noun and an id.
        now: when.
        detail: a count or a rule.
        why: the reason that was given; a code, or words that name nobody.
        origin: from where; what the engine was told (`ORIGIN`) where it is not given.
    """
    where = str(session.get_bind().get_execution_options().get(ORIGIN, "")) if origin is None else origin
    session.add(
        AuditEntry(
            happened_at=now, actor=actor, action=action, subject=subject, detail=detail, why=why[:120], origin=where
        )
    )


# --- reading ----------------------------------------------------------------------------------------------------------


def list_acts(
    session: Session,
    *,
    before: int,
    limit: int,
    actor: str | None = None,
    subject: str | None = None,
    actions: Collection[str] | None = None,
    since: datetime | None = None,
) -> Sequence[AuditEntry]:
    """Acts, newest first, those before an id; of this actor, about this subject, of these kinds, since then."""
    chosen = select(AuditEntry).where(AuditEntry.id < before)
    if actor is not None:
        chosen = chosen.where(AuditEntry.actor == actor)
    if subject is not None:
        chosen = chosen.where(AuditEntry.subject == subject)
    if actions is not None:
        chosen = chosen.where(AuditEntry.action.in_(actions))
    if since is not None:
        chosen = chosen.where(AuditEntry.happened_at >= since)
    return session.scalars(chosen.order_by(AuditEntry.id.desc()).limit(limit)).all()


def list_acts_on(
    session: Session, subjects: Collection[str], *, before_id: int | None = None, limit: int | None = None
) -> Sequence[AuditEntry]:
    """Acts on these subjects, no more than a query takes; newest first, behind the one with that id."""
    chosen = select(AuditEntry).where(AuditEntry.subject.in_({*subjects}))
    if before_id is not None:
        chosen = chosen.where(AuditEntry.id < before_id)
    return session.scalars(chosen.order_by(AuditEntry.id.desc()).limit(limit)).all()


def read_acts(session: Session, *, actions: Collection[str], since: datetime, until: datetime) -> Iterator[AuditEntry]:
    """Acts of these kinds in a stretch of time, its end not included, in order of id; read as they are taken."""
    chosen = select(AuditEntry).where(
        AuditEntry.happened_at >= since, AuditEntry.happened_at < until, AuditEntry.action.in_(actions)
    )
    yield from session.scalars(chosen.order_by(AuditEntry.id), execution_options={"yield_per": _ROWS_AT_ONCE})


def count_subjects(
    session: Session, *, action: str, but_why: Collection[str], since: datetime, until: datetime
) -> dict[str, int]:
    """By actor to how many different subjects they did something in a stretch of time, for other reasons than these."""
    chosen = (
        select(AuditEntry.actor, func.count(AuditEntry.subject.distinct()))
        .where(AuditEntry.happened_at >= since, AuditEntry.happened_at < until, AuditEntry.action == action)
        .where(AuditEntry.why.not_in(but_why))
        .group_by(AuditEntry.actor)
    )
    return {row[0]: row[1] for row in session.execute(chosen)}


# --- places -----------------------------------------------------------------------------------------------------------


def take_sealing_turn(session: Session) -> None:
    """Nobody else gives acts their places until the transaction ends."""
    # On SQLite whoever may write is alone anyway.
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_SEALING_LOCK)))


def count_places(session: Session) -> int:
    """How many places are given, as the last of them tells."""
    last = session.scalar(select(func.max(AuditLeaf.position)))
    return 0 if last is None else int(last) + 1


def last_placed(session: Session) -> int:
    """The greatest id of an act that has a place; 0 where none has."""
    return session.scalar(select(func.max(AuditLeaf.entry_id))) or 0


def list_unplaced(session: Session, *, after: int | None, limit: int) -> list[StoredAct]:
    """Acts without a place, of ids greater than `after` (None: of any, as somebody may number them), in order of id."""
    is_its_leaf = [AuditLeaf.entry_id == AuditEntry.id]
    of = []
    # The leaves are bounded as well, else a few acts are compared with all leaves that there are.
    if after is not None:
        is_its_leaf.append(AuditLeaf.entry_id > after)
        of.append(AuditEntry.id > after)
    chosen = (
        select(*_stored(session))
        .outerjoin_from(AuditEntry, AuditLeaf, and_(*is_its_leaf))
        .where(AuditLeaf.entry_id.is_(None), *of)
        .order_by(AuditEntry.id)
        .limit(limit)
    )
    return [_act(row) for row in list_stored(session, chosen)]


def add_places(session: Session, places: Sequence[tuple[int, int, str]]) -> None:
    """Store places: position, id of the act, commitment."""
    session.connection().execute(
        insert(AuditLeaf),
        [
            {"position": position, "entry_id": entry_id, "commitment": commitment}
            for position, entry_id, commitment in places
        ],
    )


def read_places(session: Session) -> Iterator[StoredPlace]:
    """All places in order, with their acts."""
    leaf, after = AuditLeaf.__table__.c, -1
    while True:
        chosen = (
            select(
                *_stored(session),
                leaf.position,
                as_stored(session, leaf.entry_id).label("leaf_entry_id"),
                as_stored(session, leaf.commitment).label("commitment"),
            )
            .outerjoin_from(AuditLeaf, AuditEntry, AuditEntry.id == AuditLeaf.entry_id)
            .where(AuditLeaf.position > after)
            .order_by(AuditLeaf.position)
            .limit(_ROWS_AT_ONCE)
        )
        rows = list_stored(session, chosen)
        for row in rows:
            after = row.position
            yield StoredPlace(
                position=row.position,
                entry_id=row.leaf_entry_id,
                commitment=row.commitment,
                act=None if row.id is None else _act(row),
            )
        if len(rows) < _ROWS_AT_ONCE:
            return


def _stored(session: Session) -> list[Any]:
    return [as_stored(session, column).label(column.name) for column in AuditEntry.__table__.c]


def _act(row: Any) -> StoredAct:
    return StoredAct(id=row.id, columns={name: getattr(row, name) for name in _NAMES})


_NAMES = tuple(column.name for column in AuditEntry.__table__.c)
