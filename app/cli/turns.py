"""Taking turns: two commands that fill the same database do it one after the other, not both.

The lock is the database's own where it has one, and falls with the process that holds it.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from sqlalchemy import Engine, text

# On PostgreSQL an advisory lock; the number only has to be one that nobody else in this database uses.
_FILLING_LOCK = 4_610_238
_LONGEST_WAIT_S = 600


@contextmanager
def filling(engine: Engine, *, on_wait: Callable[[], None]) -> Iterator[None]:
    """Nobody else fills this database within the block.

    Args:
        engine: the database.
        on_wait: called if somebody else is at it, before waiting.
    """
    with _on_postgresql(engine, on_wait) if engine.dialect.name == "postgresql" else _on_sqlite(engine, on_wait):
        yield


@contextmanager
def _on_postgresql(engine: Engine, on_wait: Callable[[], None]) -> Iterator[None]:
    with engine.connect() as connection:
        # Closed at the end instead of returned to the pool: that frees the lock, also after an error.
        connection.detach()
        taken = connection.scalar(text("SELECT pg_try_advisory_lock(:number)"), {"number": _FILLING_LOCK})
        if not taken:
            on_wait()
            connection.execute(text(f"SET lock_timeout = '{_LONGEST_WAIT_S}s'"))
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": _FILLING_LOCK})
        # No transaction stays open meanwhile: the server would end it, and the lock is the connection's.
        connection.commit()
        yield


@contextmanager
def _on_sqlite(engine: Engine, on_wait: Callable[[], None]) -> Iterator[None]:
    # SQLite has no such lock, but a write transaction on an empty file beside the database is one on every system.
    path = f"{engine.url.database}.filling"
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            on_wait()
            lock.execute(f"PRAGMA busy_timeout = {_LONGEST_WAIT_S * 1000}")
            lock.execute("BEGIN EXCLUSIVE")
        yield
