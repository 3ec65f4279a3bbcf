"""The machinery of migrations, tried on revisions made for the purpose; `tests/migrations` tries the real ones."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
from alembic.util import CommandError
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, inspect, text
from sqlalchemy.exc import DBAPIError

from app.kit import migrations
from app.kit.database import NAMING_CONVENTION, Json, UtcDateTime

REVISION = '''"""{name}."""

import sqlalchemy as sa
from alembic import op

revision = {name!r}
down_revision = {down!r}


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
'''

SHELVES = """op.create_table("shelves", sa.Column("id", sa.Integer, primary_key=True))
    op.create_table(
        "boxes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("shelf_id", sa.Integer, sa.ForeignKey("shelves.id", ondelete="CASCADE"), nullable=False),
    )"""
NO_SHELVES = """op.drop_table("boxes")
    op.drop_table("shelves")"""
LABEL = """with op.batch_alter_table("shelves") as batch:
        batch.add_column(sa.Column("label", sa.String(20), nullable=False, server_default="?"))
        batch.create_unique_constraint("uq_shelves_id_label", ["id", "label"])"""
NO_LABEL = """with op.batch_alter_table("shelves") as batch:
        batch.drop_constraint("uq_shelves_id_label", type_="unique")
        batch.drop_column("label")"""


Write = Callable[[str, str | None, str, str], None]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the real env.py and no revisions, in place of the real one."""
    folder = tmp_path / "100% scratch"
    (folder / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako"):
        shutil.copy(str(files("migrations") / name), folder)
    monkeypatch.setattr(migrations, "files", lambda _: folder)
    return folder


@pytest.fixture
def write_revision(folder: Path) -> Write:
    """Puts a revision into the folder."""

    def write(name: str, down: str | None, upgrade: str, downgrade: str) -> None:
        body = REVISION.format(name=name, down=down, upgrade=upgrade, downgrade=downgrade)
        (folder / "versions" / f"{name}.py").write_text(body, encoding="utf-8")

    return write


@pytest.fixture
def engine(empty_database: Callable[[str], Engine], backend: str) -> Engine:
    return empty_database(backend)


def test_an_empty_database_is_brought_to_the_head_and_calling_again_changes_nothing(
    engine: Engine, write_revision: Write
) -> None:
    write_revision("0001", None, SHELVES, NO_SHELVES)
    write_revision("0002", "0001", LABEL, NO_LABEL)
    assert migrations.check(engine) == migrations.SchemaState(head="0002", current=None)
    assert not migrations.check(engine).is_current
    migrations.upgrade(engine)
    migrations.upgrade(engine)
    assert migrations.check(engine) == migrations.SchemaState(head="0002", current="0002")
    assert migrations.check(engine).is_current


def test_each_revision_is_logged(engine: Engine, write_revision: Write, caplog: pytest.LogCaptureFixture) -> None:
    write_revision("0001", None, SHELVES, NO_SHELVES)
    write_revision("0002", "0001", LABEL, NO_LABEL)
    caplog.set_level("INFO", "jiujin")
    migrations.upgrade(engine)
    migrations.downgrade(engine, to="0001")
    assert caplog.messages == ["applied revision 0001", "applied revision 0002", "took back revision 0002"]


def test_changing_a_table_keeps_its_rows_and_those_that_point_to_it(engine: Engine, write_revision: Write) -> None:
    write_revision("0001", None, SHELVES, NO_SHELVES)
    write_revision("0002", "0001", LABEL, NO_LABEL)
    migrations.upgrade(engine, to="0001")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO shelves (id) VALUES (1), (2)"))
        connection.execute(text("INSERT INTO boxes (id, shelf_id) VALUES (7, 1), (8, 2)"))
    migrations.upgrade(engine)
    migrations.downgrade(engine, to="0001")
    migrations.upgrade(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id, label FROM shelves ORDER BY id")).all() == [(1, "?"), (2, "?")]
        assert connection.execute(text("SELECT id, shelf_id FROM boxes ORDER BY id")).all() == [(7, 1), (8, 2)]


def test_foreign_keys_are_enforced_again_afterwards(engine: Engine, write_revision: Write) -> None:
    write_revision("0001", None, SHELVES, NO_SHELVES)
    migrations.upgrade(engine)
    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.execute(text("INSERT INTO boxes (id, shelf_id) VALUES (7, 1)"))


def test_a_revision_that_fails_leaves_the_one_before_it(engine: Engine, write_revision: Write) -> None:
    write_revision("0001", None, SHELVES, NO_SHELVES)
    migrations.upgrade(engine)
    write_revision(
        "0002", "0001", 'op.create_table("half", sa.Column("id", sa.Integer))\n    raise ArithmeticError', "pass"
    )
    with pytest.raises(ArithmeticError):
        migrations.upgrade(engine)
    assert migrations.check(engine).current == "0001"
    assert not inspect(engine).has_table("half")


def test_sqlite_refuses_a_revision_that_leaves_rows_pointing_nowhere(
    empty_database: Callable[[str], Engine], write_revision: Write
) -> None:
    engine = empty_database("sqlite")
    write_revision("0001", None, SHELVES, NO_SHELVES)
    write_revision("0002", "0001", 'op.execute("INSERT INTO boxes VALUES (7, 1)")', "pass")
    with pytest.raises(RuntimeError, match="boxes"):
        migrations.upgrade(engine)
    assert not inspect(engine).has_table("boxes")


def begin_upgrade(engine: Engine, folder: Path) -> "subprocess.Popen[str]":
    program = (
        "import sys; from pathlib import Path; from app.kit import database, migrations;"
        "migrations.files = lambda _: Path(sys.argv[2]); migrations.upgrade(database.open_engine(sys.argv[1]))"
    )
    url = engine.url.render_as_string(hide_password=False)
    return subprocess.Popen([sys.executable, "-c", program, url, str(folder)], stderr=subprocess.PIPE, text=True)


def test_processes_that_start_together_take_turns(engine: Engine, folder: Path, write_revision: Write) -> None:
    write_revision("0001", None, SHELVES, NO_SHELVES)
    write_revision("0002", "0001", LABEL, NO_LABEL)
    processes = [begin_upgrade(engine, folder) for _ in range(3)]
    assert [process.communicate()[1] for process in processes] == ["", "", ""]
    assert migrations.check(engine).is_current


def test_on_postgresql_processes_wait_for_the_one_that_migrates(
    empty_database: Callable[[str], Engine], folder: Path, write_revision: Write
) -> None:
    engine = empty_database("postgresql")
    write_revision("0001", None, SHELVES, NO_SHELVES)
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with migrations.migrating(engine), engine.connect() as observer:
        process = begin_upgrade(engine, folder)
        while observer.scalar(text(waiting)) == 0:
            assert process.poll() is None, "did not wait"
        assert migrations.check(engine).current is None
    assert process.communicate()[1] == ""
    assert migrations.check(engine).is_current


def test_drift_is_told(engine: Engine, write_revision: Write) -> None:
    write_revision("0001", None, SHELVES, NO_SHELVES)
    migrations.upgrade(engine)
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    Table("shelves", metadata, Column("id", Integer, primary_key=True), Column("label", String(20)))
    state = migrations.check(engine, metadata)
    assert state.current == state.head
    assert not state.is_current
    assert any("label" in difference for difference in state.drift)
    assert any("boxes" in difference for difference in state.drift)


def test_our_column_types_are_no_drift(engine: Engine, write_revision: Write) -> None:
    write_revision(
        "0001",
        None,
        'op.create_table("t", sa.Column("at", sa.DateTime(timezone=True)), sa.Column("doc", sa.JSON().with_variant('
        'sa.dialects.postgresql.JSONB(), "postgresql")))',
        'op.drop_table("t")',
    )
    migrations.upgrade(engine)
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    Table("t", metadata, Column("at", UtcDateTime()), Column("doc", Json))
    assert migrations.check(engine, metadata).drift == ()


def test_two_heads_are_refused(engine: Engine, write_revision: Write) -> None:
    write_revision("0001", None, SHELVES, NO_SHELVES)
    write_revision("0002", "0001", LABEL, NO_LABEL)
    write_revision("0002b", "0001", LABEL, NO_LABEL)
    with pytest.raises(CommandError, match="multiple heads"):
        migrations.head_revision()
    with pytest.raises(CommandError):
        migrations.upgrade(engine)


def test_a_migration_gives_up_soon_on_a_lock_and_the_pool_does_not_inherit_it(
    empty_database: Callable[[str], Engine], write_revision: Write
) -> None:
    engine = empty_database("postgresql")
    limits = "current_setting('lock_timeout') AS lock, current_setting('statement_timeout') AS statement"
    write_revision("0001", None, f'op.execute("CREATE TABLE limits AS SELECT {limits}")', 'op.drop_table("limits")')
    migrations.upgrade(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT * FROM limits")).all() == [("5s", "30min")]
        assert connection.execute(text(f"SELECT {limits}")).all() == [("5s", "15s")]
        assert connection.scalar(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")) == 0


def test_postgresql_can_build_an_index_concurrently(
    empty_database: Callable[[str], Engine], write_revision: Write
) -> None:
    engine = empty_database("postgresql")
    write_revision("0001", None, SHELVES, NO_SHELVES)
    concurrently = """with op.get_context().autocommit_block():
        op.create_index("ix_boxes_shelf_id", "boxes", ["shelf_id"], postgresql_concurrently=True)"""
    write_revision("0002", "0001", concurrently, 'op.drop_index("ix_boxes_shelf_id")')
    migrations.upgrade(engine)
    assert [index["name"] for index in inspect(engine).get_indexes("boxes")] == ["ix_boxes_shelf_id"]
