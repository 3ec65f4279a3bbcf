"""Spells: who was registered as owed the package, from when to when. What was done in one stands in the ledger."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, Select, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.spells import Spell, SpellEnd, SpellSource
from app.kit.database import Base, as_stored, list_stored, reserve_ids
from app.store.brokers import Broker, Case
from app.store.workers import Worker

_NUMBERS_AT_ONCE = 10_000
_IS_OPEN = text("closed_on IS NULL")


class SpellRow(Base):
    """One registration of one person; `closed_on` is its last day. Of one person one is open at most."""

    __tablename__ = "spells"
    __table_args__ = (
        Index(
            "uq_spells_open",
            "worker_id",
            unique=True,
            sqlite_where=_IS_OPEN,
            postgresql_where=_IS_OPEN,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    worker_id: Mapped[int] = mapped_column(ForeignKey("workers.id", ondelete="CASCADE"), index=True)
    opened_on: Mapped[date]
    closed_on: Mapped[date | None]
    end: Mapped[SpellEnd | None]
    source: Mapped[SpellSource]


# Columns, not rows of the session: a spell that is closed by a statement would stay open in what the session remembers.
_SPELLS = select(SpellRow.id, SpellRow.worker_id, SpellRow.opened_on, SpellRow.closed_on, SpellRow.end)


def find_spell(session: Session, spell_id: int) -> Spell | None:
    """One spell, or None."""
    return _first(session.execute(_SPELLS.where(SpellRow.id == spell_id)).first())


def list_spells(session: Session, spell_ids: Collection[int]) -> list[Spell]:
    """The spells of these ids, in order of id."""
    numbers = sorted({*spell_ids})
    return [
        _spell(row)
        for start in range(0, len(numbers), _NUMBERS_AT_ONCE)
        for row in session.execute(
            _SPELLS.where(SpellRow.id.in_(numbers[start : start + _NUMBERS_AT_ONCE])).order_by(SpellRow.id)
        )
    ]


def find_open_spell(session: Session, worker_id: int) -> Spell | None:
    """The one spell of a person that is open, or None."""
    chosen = _SPELLS.where(SpellRow.worker_id == worker_id, SpellRow.closed_on.is_(None))
    return _first(session.execute(chosen).first())


def lock_open_spell(session: Session, worker_id: int) -> Spell | None:
    """The one spell of a person that is open; whoever else locks it waits until the transaction ends."""
    chosen = _SPELLS.where(SpellRow.worker_id == worker_id, SpellRow.closed_on.is_(None)).with_for_update()
    return _first(session.execute(chosen).first())


def find_spell_on(session: Session, worker_id: int, *, on: date) -> Spell | None:
    """The spell of a person that ran on a day, of two the later; or None."""
    chosen = _SPELLS.where(SpellRow.worker_id == worker_id, *_ran(on))
    return _first(session.execute(chosen.order_by(SpellRow.opened_on.desc(), SpellRow.id.desc()).limit(1)).first())


def list_spells_on(session: Session, *, on: date) -> list[Spell]:
    """Every spell that ran on a day, in order of id."""
    return [_spell(row) for row in session.execute(_SPELLS.where(*_ran(on)).order_by(SpellRow.id))]


def list_stored_spells(session: Session) -> dict[int, dict[str, Any]]:
    """The columns of every spell as they are stored, days in ISO 8601, whatever somebody else has put there; by id."""
    columns = [column for column in SpellRow.__table__.columns if column.name != "id"]
    names = [column.name for column in columns]
    rows = list_stored(session, select(SpellRow.id, *(as_stored(session, column) for column in columns)))
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}


def list_last_spells(session: Session, worker_ids: Collection[int]) -> dict[int, Spell]:
    """The latest spell of each person, which is the open one if one is; nobody who never had one."""
    numbers, found = sorted({*worker_ids}), dict[int, Spell]()
    for start in range(0, len(numbers), _NUMBERS_AT_ONCE):
        chosen = _SPELLS.where(SpellRow.worker_id.in_(numbers[start : start + _NUMBERS_AT_ONCE]))
        for spell in map(_spell, session.execute(chosen.order_by(SpellRow.id))):
            before = found.get(spell.worker_id)
            if before is None or (spell.closed_on or date.max) >= (before.closed_on or date.max):
                found[spell.worker_id] = spell
    return found


def list_spells_of(session: Session, worker_id: int) -> list[Spell]:
    """All spells of a person, oldest first."""
    return [
        _spell(row) for row in session.execute(_SPELLS.where(SpellRow.worker_id == worker_id).order_by(SpellRow.id))
    ]


def list_open_spells(session: Session, worker_ids: Collection[int]) -> list[Spell]:
    """The open spells of these people, in order of id."""
    return _list_of_people(session, worker_ids, SpellRow.closed_on.is_(None))


def list_closed_spells(session: Session, worker_ids: Collection[int]) -> list[Spell]:
    """The spells of these people that were closed, in order of id."""
    return _list_of_people(session, worker_ids, SpellRow.closed_on.is_not(None))


def _list_of_people(session: Session, worker_ids: Collection[int], condition: ColumnElement[bool]) -> list[Spell]:
    numbers, found = sorted({*worker_ids}), list[Spell]()
    for start in range(0, len(numbers), _NUMBERS_AT_ONCE):
        chosen = _SPELLS.where(condition, SpellRow.worker_id.in_(numbers[start : start + _NUMBERS_AT_ONCE]))
        found += map(_spell, session.execute(chosen))
    return sorted(found, key=lambda spell: spell.id)


def list_people_in_spells(
    session: Session, *, on: date, district: str | None, broker: str | None
) -> list[tuple[Spell, str, list[str], str | None]]:
    """Spells that ran on a day, each with the person's home, what they want, and the code of their broker on that day.

    Only people at home in the district of that code, and in the care of the broker with that code; None: all.
    """
    chosen = _of_people(on).where(*_ran(on)).order_by(SpellRow.id)
    if district is not None:
        chosen = chosen.where(Worker.home_area_code.startswith(district, autoescape=True))
    if broker is not None:
        chosen = chosen.where(Broker.code == broker)
    return [(_spell(row[:5]), *row[5:]) for row in session.execute(chosen)]


def list_people_of_spells(session: Session, *, on: date) -> list[tuple[Spell, str, str | None]]:
    """Every spell that was opened by a day, closed or not, with the person's home and the code of their broker then."""
    chosen = _of_people(on).where(SpellRow.opened_on <= on).order_by(SpellRow.id)
    return [(_spell(row[:5]), row[5], row[7]) for row in session.execute(chosen)]


def _of_people(on: date) -> Select[Any]:
    """Spells with the person's home, what they want, and the code of their broker on a day."""
    # One case a person, the one that began last, should two overlap.
    case = (
        select(Case.id)
        .where(Case.worker_id == SpellRow.worker_id, Case.valid_from <= on)
        .where(Case.valid_to.is_(None) | (Case.valid_to >= on))
        .order_by(Case.valid_from.desc(), Case.id.desc())
        .limit(1)
        .correlate(SpellRow)
        .scalar_subquery()
    )
    return (
        _SPELLS.add_columns(Worker.home_area_code, Worker.wants, Broker.code)
        .join(Worker, Worker.id == SpellRow.worker_id)
        .outerjoin(Case, Case.id == case)
        .outerjoin(Broker, Broker.id == Case.broker_id)
    )


def add_spells(session: Session, first_days: Mapping[int, date], *, source: SpellSource) -> list[Spell]:
    """Open a spell for each of these people, from a day of their own on; the spells that were opened, in order of id.

    Who has one open already, also one that another process is just opening, gets no second one.
    """
    people = sorted(first_days)
    ids = reserve_ids(session, SpellRow, len(people))
    if not ids:
        return []
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    # In one order, so that two who open at once do not wait for each other.
    rows = [
        {"id": spell_id, "worker_id": worker_id, "opened_on": first_days[worker_id], "source": source}
        for spell_id, worker_id in zip(ids, people, strict=True)
    ]
    adding = dialect.insert(SpellRow).on_conflict_do_nothing(index_elements=["worker_id"], index_where=_IS_OPEN)
    session.connection().execute(adding, rows)
    return list_spells(session, ids)


def end_spell(session: Session, spell_id: int, *, closed_on: date, end: SpellEnd) -> bool:
    """Close a spell; False if it was not open any more."""
    closing = update(SpellRow).where(SpellRow.id == spell_id, SpellRow.closed_on.is_(None))
    closing = closing.values(closed_on=closed_on, end=end)
    return session.connection().execute(closing).rowcount > 0


def _ran(on: date) -> tuple[ColumnElement[bool], ...]:
    return SpellRow.opened_on <= on, SpellRow.closed_on.is_(None) | (SpellRow.closed_on >= on)


def _first(row: Sequence[Any] | None) -> Spell | None:
    return None if row is None else _spell(row)


def _spell(row: Sequence[Any]) -> Spell:
    spell_id, worker_id, opened_on, closed_on, end = row
    return Spell(id=spell_id, worker_id=worker_id, opened_on=opened_on, closed_on=closed_on, end=end)
