"""Whose rows a transaction sees, decided in this one place: an engine that is `scoped` shows those of its viewer.

The same rule stands as policies in PostgreSQL (migration 0011), where it holds for whatever reaches the database. Here
it makes the answers right on both databases, and the plans of narrowed statements good.

Mapped statements are narrowed by themselves, wherever in them a table stands. Statements on the connection that change
or remove rows are narrowed as well; such as read them go past the mapping and are refused (`RowsUnscoped`), unless the
viewer sees everybody. Rows of people whom a viewer does not see are not added (`RowsForeign`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Alias,
    ColumnElement,
    Connection,
    Delete,
    Engine,
    FromClause,
    Insert,
    Join,
    Select,
    Table,
    TextClause,
    Update,
    and_,
    event,
    false,
    func,
    or_,
    select,
)
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria
from sqlalchemy.sql.elements import ClauseElement, ColumnClause

from app.domain.viewers import Reach, Viewer
from app.kit.database import ROWS, Base
from app.kit.keys import KeyRing
from app.kit.row_contexts import RowContext
from app.store.brokers import Case
from app.store.consents import Consent
from app.store.grants import Grant
from app.store.identities import Identity
from app.store.ledger import LedgerEntry, LedgerKey
from app.store.person_keys import PersonKey
from app.store.pushes import Attempt, FollowUp, Push, PushChange, Receipt
from app.store.sessions import LoginSession
from app.store.slips import Slip
from app.store.spells import SpellRow
from app.store.tables import METADATA
from app.store.workers import Worker, WorkerStatus

_VIEWER = "jiujin_viewer"
_NARROWED = "jiujin_narrowed"
_TABLES = METADATA.tables


class RowsUnscoped(RuntimeError):
    """A statement reads rows about people past the mapping, which somebody who does not see everybody may not."""


class RowsForeign(RuntimeError):
    """A row would be added about somebody whom the viewer does not see."""


def scoped(engine: Engine, viewer: Viewer, *, keys: KeyRing) -> Engine:
    """The same engine, with the same connections, for transactions that see the rows of a viewer."""
    context = RowContext(viewer.written(), keys)
    return engine.execution_options(**{ROWS: context, _VIEWER: viewer})


def viewer_of(session: Session) -> Viewer | None:
    """Whose rows a session sees; None for one over an engine that is not scoped."""
    found: Viewer | None = session.get_bind().get_execution_options().get(_VIEWER)
    return found


# --- the rule ---------------------------------------------------------------------------------------------------------

_Rule = Callable[[Viewer, Any], ColumnElement[bool]]
"""Which rows a viewer sees, given the columns of the table by name."""


def _of_person(column: str) -> _Rule:
    def rule(viewer: Viewer, columns: Any) -> ColumnElement[bool]:
        return _sees_person(viewer, columns[column])

    return rule


def _of_push(viewer: Viewer, columns: Any) -> ColumnElement[bool]:
    push = _TABLES["pushes"].alias("seen_push")
    push_id: ColumnElement[int] = columns["push_id"]
    return push_id.in_(select(push.c.id).where(_sees_person(viewer, push.c.worker_id)))


def _of_home(viewer: Viewer, columns: Any) -> ColumnElement[bool]:
    at_home = func.substr(columns["home_area_code"], 1, 6).in_(sorted(viewer.districts))
    return or_(_sees_named(viewer, columns["id"]), at_home if viewer.districts else false())


def _of_case(viewer: Viewer, columns: Any) -> ColumnElement[bool]:
    """A broker sees their own cases; that somebody else looks after a person too is not theirs to know."""
    if viewer.reach is not Reach.CASELOAD:
        return _sees_person(viewer, columns["worker_id"])
    return or_(columns["worker_id"].in_(sorted(viewer.granted)), _is_own_case(viewer, columns))


def _of_nobody_known(_viewer: Viewer, _columns: Any) -> ColumnElement[bool]:
    return false()


# What a provider told names nobody whom we know before it has been looked into.
_RULES: Mapping[type[Base], _Rule] = {
    Worker: _of_home,
    WorkerStatus: _of_person("worker_id"),
    Identity: _of_person("worker_id"),
    Consent: _of_person("worker_id"),
    Case: _of_case,
    SpellRow: _of_person("worker_id"),
    Push: _of_person("worker_id"),
    PushChange: _of_push,
    Attempt: _of_push,
    Receipt: _of_nobody_known,
    FollowUp: _of_person("worker_id"),
    Slip: _of_person("worker_id"),
    LedgerEntry: _of_person("worker_id"),
    LedgerKey: _of_person("worker_id"),
    PersonKey: _of_person("worker_id"),
    Grant: _of_person("worker_id"),
    LoginSession: _of_person("worker_id"),
}
_MAPPED = {mapped.__tablename__: mapped for mapped in _RULES}

PERSONAL_TABLES = frozenset(_MAPPED)
"""The tables that hold rows about people, each with a policy in PostgreSQL."""

_WORDS = re.compile(r"\w+")


def _sees_person(viewer: Viewer, worker_id: ColumnElement[int]) -> ColumnElement[bool]:
    conditions = [_sees_named(viewer, worker_id)]
    if viewer.reach is Reach.DISTRICTS:
        person = _TABLES["workers"].alias("seen_person")
        at_home = func.substr(person.c.home_area_code, 1, 6).in_(sorted(viewer.districts))
        conditions.append(worker_id.in_(select(person.c.id).where(at_home)))
    return or_(*conditions)


def _sees_named(viewer: Viewer, worker_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Those who are known by number, and those of a caseload."""
    named = worker_id.in_(sorted(viewer.named)) if viewer.named else false()
    if viewer.reach is not Reach.CASELOAD:
        return named
    case = _TABLES["cases"].alias("seen_case")
    return or_(named, worker_id.in_(select(case.c.worker_id).where(_is_own_case(viewer, case.c))))


def _is_own_case(viewer: Viewer, columns: Any) -> ColumnElement[bool]:
    broker = _TABLES["brokers"].alias("seen_broker")
    return and_(
        columns["broker_id"] == select(broker.c.id).where(broker.c.code == viewer.broker).scalar_subquery(),
        columns["valid_from"] <= viewer.today,
        or_(columns["valid_to"].is_(None), columns["valid_to"] >= viewer.today),
    )


def _attributes_of(mapped: type[Base]) -> Mapping[str, Any]:
    """The mapped attributes by column, which an alias of the class is put in place of."""
    return {column.name: getattr(mapped, column.name) for column in mapped.__table__.columns}


# --- where it is applied ----------------------------------------------------------------------------------------------


@event.listens_for(Session, "do_orm_execute")
def _narrow_mapped(state: ORMExecuteState) -> None:
    viewer = viewer_of(state.session)
    if viewer is None or viewer.sees_all or not (state.is_select or state.is_update or state.is_delete):
        return  # what adds rows, and what is written by hand, is looked at on the connection
    if bare := _named(state.statement, mapped=False):
        raise RowsUnscoped(f"not mapped: {', '.join(sorted(bare))}")
    criteria = (
        with_loader_criteria(mapped, rule(viewer, _attributes_of(mapped)), include_aliases=True)
        for mapped, rule in _RULES.items()
    )
    state.statement = state.statement.options(*criteria)
    state.update_execution_options(**{_NARROWED: True})


@event.listens_for(Engine, "before_execute", retval=True)
def _narrow_plain(
    connection: Connection,
    statement: Any,
    multiparams: Sequence[Mapping[str, Any]],
    params: Mapping[str, Any],
    execution_options: Mapping[str, Any],
) -> tuple[Any, Any, Any]:
    viewer = execution_options.get(_VIEWER)
    if viewer is None or viewer.sees_all or not isinstance(statement, ClauseElement):
        return statement, multiparams, params
    table = statement.table if isinstance(statement, Insert | Update | Delete) else None
    if not execution_options.get(_NARROWED, False) and (bare := _named(statement) - {getattr(table, "name", None)}):
        raise RowsUnscoped(f"past the mapping: {', '.join(sorted(bare))}")
    if isinstance(table, Table) and table.name in PERSONAL_TABLES:
        if isinstance(statement, Insert):
            _require_seen(connection, viewer, table, list(multiparams) or ([params] if params else []))
        elif isinstance(statement, Update | Delete):
            is_seen = _RULES[_MAPPED[table.name]](viewer, table.c) if _may_write(viewer, table) else false()
            statement = statement.where(is_seen)
    return statement, multiparams, params


def _require_seen(connection: Connection, viewer: Viewer, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Refuse to add rows about anybody whom the viewer does not see."""
    column = next((name for name in ("worker_id", "push_id") if name in table.columns), None)
    if table.name == Worker.__tablename__:
        homes = {str(row.get("home_area_code", ""))[:6] for row in rows}
        is_seen = viewer.reach is Reach.DISTRICTS and bool(rows) and homes <= viewer.districts
    elif column is None or not rows or not _may_write(viewer, table):
        is_seen = False
    else:
        whose = {row.get(column) for row in rows}
        of = Push if column == "push_id" else Worker
        found = select(func.count()).select_from(of.__table__).where(of.__table__.c.id.in_(whose - {None}))
        found = found.where(_RULES[of](viewer, of.__table__.c))
        is_seen = connection.scalar(found, execution_options={_NARROWED: True}) == len(whose)
    if not is_seen:
        raise RowsForeign(f"a row of {table.name}")


def _may_write(viewer: Viewer, table: Table) -> bool:
    """Whether a viewer may write rows of a table at all: with a case of their own a broker would see whom they like."""
    return table.name != Case.__tablename__ or viewer.reach is Reach.DISTRICTS


def _named(statement: Any, *, mapped: bool = True) -> frozenset[str]:
    """The tables about people that a statement names, however deep; with `mapped=False` those past their mapping."""
    if isinstance(statement, TextClause):
        # Nobody can tell what a text written by hand asks; whose name stands in it counts as read.
        return PERSONAL_TABLES.intersection(_WORDS.findall(statement.text))
    classes, mapped_names, bare, bare_columns = (set[str]() for _ in range(4))
    waiting, seen = [statement], set[int]()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        # The tables that a select reads stand among its children as if they had no mapping, whether they have or not.
        waiting += [child for child in part.get_children() if not isinstance(child, Table | Alias)]
        for source in _sources_of(part):
            table = source.element if isinstance(source, Alias) else source
            if not isinstance(table, Table):
                waiting.append(source)
            elif _is_mapped(part) or _is_mapped(source):
                mapped_names.add(table.name)
                classes |= {table.name} if table is source else set()
            else:
                (bare_columns if isinstance(part, ColumnClause) and table is source else bare).add(table.name)
    # A plain column of a table that the statement reads through its class is that one's.
    found = bare | (bare_columns - classes)
    return PERSONAL_TABLES & (found | bare_columns | mapped_names if mapped else found)


def _sources_of(part: Any) -> list[Any]:
    """The tables and sub-queries that a part of a statement names itself."""
    if isinstance(part, ColumnClause):
        # Neither is a child of its column.
        found: list[Any] = [part.table]
    elif isinstance(part, Join):
        found = [part.left, part.right]
    elif isinstance(part, Select):
        # `get_final_froms` gives them without their mapping.
        joined = [side for target, _, start, _ in part._setup_joins for side in (target, start)]  # noqa: SLF001
        found = [*part._raw_columns, *part._from_obj, *joined]  # noqa: SLF001
    else:
        found = []
    return [source for source in found if isinstance(source, FromClause)]


def _is_mapped(part: ClauseElement) -> bool:
    """Whether a column or table stands in a statement as one of a class, by which the mapping finds it."""
    return "parententity" in part._annotations  # noqa: SLF001  nothing public tells
