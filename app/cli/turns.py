"""Taking turns: two commands that fill the same database, or rotate its keys, do it one after the other, not both.

The lock is the database's own where it has one, and falls with the process that holds it.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from sqlalchemy import Engine, text

from app.kit.errors import Busy

# On PostgreSQL an advisory lock; a number only has to be one that nobody else in this database uses.
_FILLING_LOCK = 4_610_238
_ROTATING_LOCK = 4_610_241
_LONGEST_WAIT_S = 600
_PAUSE_S = 0.2


@contextmanager
def filling(engine: Engine, *, on_wait: Callable[[], None]) -> Iterator[None]:
    """Nobody else fills this database within the block.

    Args:
        engine: the database.
        on_wait: called if somebody else is at it, before waiting.

    Raises:
        Busy: somebody else was at it for ten minutes (PostgreSQL tells so by an error of its own).
    """
    with _taking(engine, on_wait, number=_FILLING_LOCK, ending="filling"):
        yield


@contextmanager
def rotating(engine: Engine, *, on_wait: Callable[[], None]) -> Iterator[None]:
    """Nobody else rotates this database's keys within the block. Arguments and errors as `filling`."""
    with _taking(engine, on_wait, number=_ROTATING_LOCK, ending="rotating"):
        yield


@contextmanager
def _taking(engine: Engine, on_wait: Callable[[], None], *, number: int, ending: str) -> Iterator[None]:
    is_postgresql = engine.dialect.name == "postgresql"
    with _on_postgresql(engine, on_wait, number) if is_postgresql else _on_sqlite(engine, on_wait, ending):
        yield


@contextmanager
def _on_postgresql(engine: Engine, on_wait: Callable[[], None], number: int) -> Iterator[None]:
    with engine.connect() as connection:
        # Closed at the end instead of returned to the pool: that frees the lock, also after an error.
        connection.detach()
        taken = connection.scalar(text("SELECT pg_try_advisory_lock(:number)"), {"number": number})
        if not taken:
            on_wait()
            connection.execute(text(f"SET lock_timeout = '{_LONGEST_WAIT_S}s'"))
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": number})
        # No transaction stays open meanwhile: the server would end it, and the lock is the connection's.
        connection.commit()
        yield


@contextmanager
def _on_sqlite(engine: Engine, on_wait: Callable[[], None], ending: str) -> Iterator[None]:
    # SQLite has no such lock, but a write transaction on an empty file beside the database is one on every system.
    path = f"{engine.url.database}.{ending}"
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as lock:
        if not _has_taken(lock):
            on_wait()
            # Asked again and again, because SQLite's own waiting does not hear Ctrl+C.
            for _ in range(int(_LONGEST_WAIT_S / _PAUSE_S)):
                time.sleep(_PAUSE_S)
                if _has_taken(lock):
                    break
            else:
                raise Busy(retry_after_s=_LONGEST_WAIT_S)
        yield


def _has_taken(lock: sqlite3.Connection) -> bool:
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True
