"""The way to the database: engine, sessions, the declarative base and the column types that both databases share.

A transaction is opened and committed once, at the edge, by `write_session`; use cases only flush. A `read_session`
cannot write, on SQLite and on PostgreSQL alike: whoever reads identities writes an audit row and therefore needs a
`write_session`.
"""

import enum
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    URL,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Enum,
    Integer,
    MetaData,
    Select,
    String,
    Text,
    cast,
    create_engine,
    event,
    func,
    inspect,
    literal,
    make_url,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

from app.kit.errors import Busy
from app.kit.row_contexts import SETTING, RowContext

# Without fixed names for constraints and indexes a migration could not drop them on every database.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

HIGHEST_ID = 2**31 - 1
"""Ids are 32-bit integers in PostgreSQL, which fails on a higher number instead of finding nothing."""

ROWS = "jiujin_rows"
"""The execution option of an engine that says, as a `RowContext`, whose rows its transactions see."""

_READ_ONLY = "jiujin_read_only"

# https://www.postgresql.org/docs/current/errcodes-appendix.html: serialization failure, deadlock, too many connections,
# lock not available, query cancelled (that is, by the statement timeout), cannot connect now.
_BUSY_SQLSTATES = frozenset({"40001", "40P01", "53300", "55P03", "57014", "57P03"})


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware in, aware UTC out, on every database.

    SQLite keeps no time zone, so it stores UTC without one; as text of fixed length that still sorts by time.

    Raises:
        ValueError: a value without time zone (SQLAlchemy wraps it in a StatementError).
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


# JSON on SQLite, JSONB on PostgreSQL. None is SQL NULL, never the JSON word null.
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def _values(members: type[enum.Enum]) -> list[str]:
    return [str(member.value) for member in members]


# A closed list from `domain`: the value is stored as text, and a stranger is refused on the way in and out. No native
# type and no CHECK: a new member must not need a migration.
_CLOSED_LIST = Enum(
    enum.Enum,
    values_callable=_values,
    native_enum=False,
    create_constraint=False,
    validate_strings=True,
    length=40,
)


class Base(DeclarativeBase):
    """The base of every table; `Base.metadata` is what the migrations must arrive at."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        enum.Enum: _CLOSED_LIST,
        dict[str, Any]: Json,
        list[str]: Json,
        list[int]: Json,
    }


def open_engine(
    url: str | URL,
    *,
    pool_size: int = 4,
    statement_timeout_ms: int = 15_000,
    lock_timeout_ms: int = 5_000,
    application_name: str = "jiujin",
) -> Engine:
    """The engine for a database URL; connects lazily.

    Args:
        url: `sqlite:///file.db` or `postgresql://…` (psycopg 3).
        pool_size: connections kept; twice as many may be open for a moment.
        statement_timeout_ms: PostgreSQL cancels a longer statement; 0 for no limit.
        lock_timeout_ms: how long to wait for somebody else's lock (SQLite: for the one writer).
        application_name: how PostgreSQL lists the connections.

    Raises:
        ValueError: neither SQLite nor PostgreSQL.
    """
    url = make_url(url)
    backend = url.get_backend_name()
    if backend == "sqlite":
        return _open_sqlite(url, pool_size=pool_size, lock_timeout_ms=lock_timeout_ms)
    if backend == "postgresql":
        server_settings = {
            "statement_timeout": statement_timeout_ms,
            "lock_timeout": lock_timeout_ms,
            # A process that hangs in mid-transaction must not hold its locks for ever. Imports look up the places of a
            # file of two hundred thousand rows within one that only reads, on a busy machine for a minute or two.
            "idle_in_transaction_session_timeout": 300_000,
            "timezone": "UTC",
            # The policies make any statement look dear, also where their costly part is never reached; compiling one
            # takes longer than all of ours do.
            "jit": "off",
        }
        engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=10,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={
                "application_name": application_name,
                "connect_timeout": 10,
                "options": " ".join(f"-c {name}={value}" for name, value in server_settings.items()),
            },
        )
        event.listen(engine, "begin", _tell_rows)
        return engine
    raise ValueError(f"{backend} is not supported; use sqlite or postgresql")


def _tell_rows(connection: Connection) -> None:
    """Tell PostgreSQL whose rows the transaction that begins sees; told nothing, it shows nobody's."""
    context = connection.get_execution_options().get(ROWS)
    if not isinstance(context, RowContext):
        return
    # Not `driver_connection`, which a connection that was detached from its pool does not tell.
    driver: Any = connection.connection.dbapi_connection
    # For this transaction alone, so that a connection takes nothing along into the next one; set before any savepoint,
    # it also stands when that is rolled back. By the clock on the wall: the database knows no other.
    signed = context.signed(pid=driver.info.backend_pid, issued_at=int(time.time()))
    connection.exec_driver_sql("SELECT set_config(%s, %s, true)", (SETTING, signed))


def _open_sqlite(url: URL, *, pool_size: int, lock_timeout_ms: int) -> Engine:
    in_memory = url.database in (None, "", ":memory:")
    pool_options: dict[str, Any] = {} if in_memory else {"pool_size": pool_size, "max_overflow": pool_size}
    engine = create_engine(url, hide_parameters=True, **pool_options)

    def prepare_connection(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        # The driver would begin transactions late and never for reads; `begin_transaction` does it instead, as
        # SQLAlchemy's SQLite page advises for Python before 3.12.
        connection.isolation_level = None
        cursor = connection.cursor()
        # First, so that the switch to WAL already waits for its lock.
        cursor.execute(f"PRAGMA busy_timeout={lock_timeout_ms}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        # What is erased at a person's wish must not stay readable in free pages.
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.close()

    def begin_transaction(connection: Connection) -> None:
        read_only = connection.get_execution_options().get(_READ_ONLY, False)
        connection.exec_driver_sql(f"PRAGMA query_only={'ON' if read_only else 'OFF'}")
        # A writer takes the lock at once: a transaction that first reads and then writes would otherwise fail at the
        # write, without waiting, when somebody else wrote in between.
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    event.listen(engine, "connect", prepare_connection)
    event.listen(engine, "begin", begin_transaction)
    return engine


@contextmanager
def write_session(engine: Engine) -> Iterator[Session]:
    """One transaction: committed when the block ends, rolled back when it raises.

    Objects stay readable after the commit. Use cases must not commit; doing so makes the next statement raise.

    Raises:
        Busy: a lock, a connection or an answer did not come in time; nothing was changed.
    """
    with _busy_as_fault(), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def read_session(engine: Engine) -> Iterator[Session]:
    """One consistent view of the data that never waits for a writer; a statement that writes is refused.

    Raises:
        Busy: a connection or an answer did not come in time.
    """
    options: dict[str, Any] = {_READ_ONLY: True}
    if engine.dialect.name == "postgresql":
        options = {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
    with _busy_as_fault(), Session(engine, expire_on_commit=False) as session, session.begin():
        session.connection(execution_options=options)
        yield session


def has_rows(session: Session, table: type[Base]) -> bool:
    """Whether a table holds a row; a database that has not been migrated so far lacks the table and holds none."""
    if not inspect(session.connection()).has_table(table.__tablename__):
        return False
    return session.execute(select(literal(1)).select_from(table).limit(1)).first() is not None


def as_stored(session: Session, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column past its type, for reading what somebody else may have put there and the type would refuse.

    Whole numbers stay what they are. PostgreSQL gives everything else as text, instants in UTC and ISO 8601; SQLite,
    which takes any value in any column, gives what stands there.
    """
    if isinstance(column.type, Integer):
        return column
    if session.get_bind().dialect.name == "postgresql":
        return cast(column, Text)
    return type_coerce(column, String())


def list_stored(session: Session, chosen: Select[Any]) -> Sequence[Any]:
    """The rows of a statement over columns `as_stored`, all of them.

    A text that is no UTF-8, which SQLite stores and its driver refuses, is read with halves of surrogate pairs.
    """
    # On the connection: the session would look at each row by itself.
    connection = session.connection()
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        return connection.execute(chosen).all()
    driver.text_factory = _read_any_text
    try:
        return connection.execute(chosen).all()
    finally:
        driver.text_factory = str


def _read_any_text(raw: bytes) -> str:
    return raw.decode(errors="surrogateescape")


def reserve_ids(session: Session, table: type[Base], count: int) -> list[int]:
    """Ids for rows that are about to be stored, ascending; nobody else is given them.

    Many rows whose ids are known go in with one statement. Asked for the ids that it gave, SQLite is sent each row as
    a statement of its own.

    Args:
        session: a write session: on SQLite nobody else writes until it ends.
        table: its primary key is `id`, which the database counts up.
        count: how many.
    """
    if session.get_bind().dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence(table.__tablename__, "id")
        numbers = select(func.nextval(sequence)).select_from(func.generate_series(1, count))
        return list(session.scalars(numbers))
    last = session.scalar(select(func.max(table.__table__.c["id"]))) or 0
    return list(range(last + 1, last + count + 1))


@contextmanager
def _busy_as_fault() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeoutError) as error:
        if is_busy(error):
            raise Busy(retry_after_s=2) from error
        raise


def is_busy(error: DBAPIError | PoolTimeoutError) -> bool:
    """Whether a database error passes by itself: a lock, a deadlock, a timeout, no free connection."""
    if isinstance(error, PoolTimeoutError):
        return True
    if isinstance(error.orig, sqlite3.Error):
        # The low byte is the primary code; the rest tells which kind of busy it was.
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return getattr(error.orig, "sqlstate", None) in _BUSY_SQLSTATES


def why_unwritable(error: BaseException) -> str | None:
    """Why a database takes nothing, in Chinese: its file or disk does not allow it; None for any other error."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return _UNWRITABLE_SQLITE.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF)
    return "磁盘满了" if getattr(cause, "sqlstate", None) == _DISK_FULL_SQLSTATE else None


_DISK_FULL_SQLSTATE = "53100"
_UNWRITABLE_SQLITE = {
    sqlite3.SQLITE_READONLY: "只能读",
    sqlite3.SQLITE_CANTOPEN: "打不开，也建不了",
    sqlite3.SQLITE_FULL: "磁盘满了",
    sqlite3.SQLITE_IOERR: "磁盘读写出错，可能是满了",
}
