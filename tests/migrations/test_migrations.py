"""The real revisions: one line, there and back with data in the tables, and the same tables as the code."""

import datetime as dt
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, Engine, MetaData, Table, select, text, types
from sqlalchemy.exc import IntegrityError

from app.kit import migrations
from app.store.tables import METADATA

# Values for columns whose CHECK refuses the made-up ones below: {"table.column": value}.
ALLOWED: dict[str, Any] = {}


def revisions() -> list[str]:
    """Every revision, oldest first."""
    script = ScriptDirectory.from_config(migrations.config())
    return [revision.revision for revision in reversed(list(script.walk_revisions()))]


@pytest.fixture
def engine(empty_database: Callable[[str], Engine], backend: str) -> Engine:
    return empty_database(backend)


def tables_of(connection: Connection) -> list[Table]:
    """The tables as they are in the database, those pointed to before those that point."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != "alembic_version"]


def made_up(column: Column[Any]) -> Any:
    """Some value that the column's type takes; the same one each time, so that keys find each other."""
    if (name := f"{column.table.name}.{column.name}") in ALLOWED:
        return ALLOWED[name]
    match column.type:
        case types.Boolean():
            return True
        case types.Integer() | types.Numeric() | types.Float():
            return 1
        case types.DateTime():
            return dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
        case types.Date():
            return dt.date(2026, 12, 1)
        case types.Time():
            return dt.time(8)
        case types.LargeBinary():
            return b"1"
        case types.JSON():
            return {"one": 1}
        case types.String():
            return "1"
        case other:
            raise AssertionError(f"{name}: no value for {other!r}; add one")


def fill(connection: Connection) -> None:
    """One row in every table that has none."""
    for table in tables_of(connection):
        if connection.execute(select(table)).first() is None:
            connection.execute(table.insert().values({column.name: made_up(column) for column in table.columns}))


def rows(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Everything in the database, by table."""
    return {
        table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
        for table in tables_of(connection)
    }


def test_there_is_one_head() -> None:
    assert migrations.head_revision() == revisions()[-1]


def test_each_revision_goes_up_down_and_up_again_and_keeps_the_rows(engine: Engine) -> None:
    for before, revision in pairwise(["base", *revisions()]):
        with engine.begin() as connection:
            fill(connection)
            rows_before = rows(connection)
        migrations.upgrade(engine, to=revision)
        with engine.begin() as connection:
            fill(connection)
        migrations.downgrade(engine, to=before)
        with engine.connect() as connection:
            assert rows(connection) == rows_before, f"{revision} loses rows on its way down"
        migrations.upgrade(engine, to=revision)
        with engine.connect() as connection:
            kept = rows(connection)
        assert all(kept[name] for name, before_it in rows_before.items() if before_it), f"{revision} loses rows"
    assert migrations.check(engine).current == revisions()[-1]


def test_who_had_begun_to_work_before_places_were_counted_holds_one(engine: Engine) -> None:
    migrations.upgrade(engine, to="0005")
    with engine.begin() as connection:
        ledger = next(table for table in tables_of(connection) if table.name == "ledger")
        told = {column.name: made_up(column) for column in ledger.columns}
        rows_of = [("start", {"posting": 7}), ("start", {"posting": None}), ("priority", {"posting": 7})]
        for number, (kind, facts) in enumerate(rows_of, 1):
            connection.execute(ledger.insert().values({**told, "id": number, "kind": kind, "facts": facts}))
    migrations.upgrade(engine)
    with engine.connect() as connection:
        assert rows(connection)["taken_places"] == [{"posting_id": 7, "entry_id": 1}]


def test_who_had_agreed_before_consents_told_their_purpose_had_agreed_to_be_sent_jobs(engine: Engine) -> None:
    migrations.upgrade(engine, to="0010")
    with engine.begin() as connection:
        fill(connection)
    migrations.upgrade(engine)
    with engine.connect() as connection:
        kept = rows(connection)
    assert [row["purpose"] for row in kept["consents"]] == ["job_pushes"]
    assert [(row["personalised"], row["automated"]) for row in kept["workers"]] == [(True, True)]


def test_the_head_has_the_tables_of_the_code(database: Engine) -> None:
    state = migrations.check(database, METADATA)
    assert state.drift == ()
    assert state.is_current
    assert METADATA.tables


@pytest.mark.parametrize("revision", ["0004", "0005"])
def test_a_ledger_that_was_filled_before_refuses_replace_afterwards(
    empty_database: Callable[[str], Engine], revision: str
) -> None:
    engine = empty_database("sqlite")
    migrations.upgrade(engine, to=revision)
    with engine.begin() as connection:
        fill(connection)
        before = rows(connection)
        names = connection.execute(text("SELECT name FROM pragma_table_info('ledger')")).scalars().all()
    migrations.upgrade(engine)
    with engine.connect() as connection:
        kept = rows(connection)
    for table in ("ledger", "ledger_leaves", "ledger_checkpoints"):
        assert kept[table] == before[table]
        with pytest.raises(IntegrityError, match="append-only"), engine.begin() as connection:
            connection.execute(text(f"REPLACE INTO {table} SELECT * FROM {table}"))  # noqa: S608  our own tables
    with engine.begin() as connection:
        new = ", ".join("2" if name == "id" else f'"{name}"' for name in names)
        connection.execute(text(f"INSERT INTO ledger SELECT {new} FROM ledger"))  # noqa: S608  as above
