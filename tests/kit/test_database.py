"""Sessions, transactions and column types, on SQLite and on PostgreSQL."""

import enum
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, ForeignKey, MetaData, inspect, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidRequestError, StatementError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.kit.clock import CHINA
from app.kit.database import NAMING_CONVENTION, Base, is_busy, open_engine, read_session, write_session
from app.kit.errors import Busy

NOON = datetime(2026, 12, 1, 12, 0, 0, 123456, tzinfo=UTC)


class Shelf(enum.StrEnum):
    UPPER = "upper-shelf"
    LOWER = "lower-shelf"


class Tables(DeclarativeBase):
    # The types of `Base` on a metadata of their own: `Base.metadata` is compared with the migrations.
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = Base.type_annotation_map


class Box(Tables):
    __tablename__ = "boxes"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(unique=True)
    shelf: Mapped[Shelf | None]
    packed_at: Mapped[datetime | None]
    contents: Mapped[dict[str, Any] | None]
    tags: Mapped[list[str] | None]


class Lid(Tables):
    __tablename__ = "lids"

    id: Mapped[int] = mapped_column(primary_key=True)
    box_id: Mapped[int] = mapped_column(ForeignKey("boxes.id"))


@pytest.fixture
def engine(empty_database: Callable[[str], Engine], backend: str) -> Engine:
    engine = empty_database(backend)
    with engine.begin() as connection:
        Tables.metadata.create_all(connection)
    return engine


def labels(engine: Engine) -> list[str]:
    with read_session(engine) as session:
        return list(session.scalars(select(Box.label).order_by(Box.id)))


def test_a_write_session_commits_once_at_its_end(engine: Engine) -> None:
    with write_session(engine) as session:
        box = Box(label="tools")
        session.add(box)
        session.flush()
        assert labels(engine) == []
    assert labels(engine) == ["tools"]
    assert box.label == "tools"  # readable after the commit, with no session


def test_a_write_session_that_raises_leaves_nothing(engine: Engine) -> None:
    with pytest.raises(KeyError), write_session(engine) as session:
        session.add(Box(label="tools"))
        session.flush()
        raise KeyError
    assert labels(engine) == []


def test_a_use_case_cannot_commit_by_itself(engine: Engine) -> None:
    with pytest.raises(InvalidRequestError), write_session(engine) as session:
        session.add(Box(label="tools"))
        session.commit()
        session.scalars(select(Box)).all()


def test_a_savepoint_rolls_back_alone(engine: Engine) -> None:
    with write_session(engine) as session:
        session.add(Box(label="tools"))
        session.flush()
        with pytest.raises(IntegrityError), session.begin_nested():
            session.add(Box(label="tools"))
            session.flush()
        session.add(Box(label="paint"))
    assert labels(engine) == ["tools", "paint"]


def test_a_read_session_refuses_to_write_and_the_connection_writes_again_later(engine: Engine) -> None:
    with pytest.raises(DBAPIError), read_session(engine) as session:
        session.add(Box(label="tools"))
        session.flush()
    with write_session(engine) as session:
        session.add(Box(label="tools"))
    assert labels(engine) == ["tools"]


def test_a_reader_neither_waits_for_a_writer_nor_sees_half_of_its_work(engine: Engine) -> None:
    with write_session(engine) as session:
        session.add(Box(label="tools"))
        session.flush()
        assert labels(engine) == []


def test_a_read_session_sees_one_state_of_the_data(engine: Engine) -> None:
    with read_session(engine) as reader:
        assert reader.scalars(select(Box.label)).all() == []
        with write_session(engine) as writer:
            writer.add(Box(label="tools"))
        assert reader.scalars(select(Box.label)).all() == []
    assert labels(engine) == ["tools"]


def test_writers_that_read_first_take_turns_and_lose_no_update(engine: Engine) -> None:
    with write_session(engine) as session:
        session.add(Box(id=1, label="tools", contents={"screws": 0}))
    failures: list[BaseException] = []

    def add_screws() -> None:
        try:
            for _ in range(5):
                with write_session(engine) as session:
                    box = session.get_one(Box, 1, with_for_update=True)
                    assert box.contents is not None
                    box.contents = {"screws": box.contents["screws"] + 1}
        except BaseException as failure:  # noqa: BLE001  a thread's failure must reach the test
            failures.append(failure)

    threads = [threading.Thread(target=add_screws) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with read_session(engine) as session:
        assert session.get_one(Box, 1).contents == {"screws": 20}


def test_somebody_elses_lock_is_a_busy_fault_that_changes_nothing(engine: Engine) -> None:
    impatient = open_engine(engine.url, lock_timeout_ms=50)
    with write_session(engine) as session:
        session.add(Box(id=1, label="tools"))
    with write_session(engine) as holder:
        holder.get_one(Box, 1, with_for_update=True)
        with pytest.raises(Busy) as refusal, write_session(impatient) as session:
            session.get_one(Box, 1, with_for_update=True).label = "paint"
    impatient.dispose()
    assert refusal.value.status == 503
    assert labels(engine) == ["tools"]


def test_a_pool_that_is_used_up_is_a_busy_fault(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    small = open_engine(engine.url, pool_size=1)
    monkeypatch.setattr(small.pool, "_timeout", 0)
    with small.connect(), small.connect(), pytest.raises(Busy), read_session(small) as session:
        session.execute(text("SELECT 1"))
    small.dispose()


def test_a_constraint_is_no_busy_fault(engine: Engine) -> None:
    with pytest.raises(IntegrityError) as refusal, write_session(engine) as session:
        session.add_all([Box(label="tools"), Box(label="tools")])
    assert not is_busy(refusal.value)


def test_foreign_keys_are_enforced(engine: Engine) -> None:
    with pytest.raises(IntegrityError), write_session(engine) as session:
        session.add(Lid(box_id=99))


def test_errors_do_not_quote_the_parameters(engine: Engine) -> None:
    with pytest.raises(IntegrityError) as refusal, write_session(engine) as session:
        session.add(Lid(id=7_654_321, box_id=99))
    assert "7654321" not in str(refusal.value)


@pytest.mark.parametrize("zone", [UTC, CHINA, timezone(timedelta(hours=-7))])
def test_an_instant_comes_back_as_the_same_instant_in_utc(engine: Engine, zone: timezone) -> None:
    with write_session(engine) as session:
        session.add(Box(id=1, label="tools", packed_at=NOON.astimezone(zone)))
    with read_session(engine) as session:
        packed_at = session.get_one(Box, 1).packed_at
    assert packed_at == NOON
    assert packed_at is not None
    assert packed_at.tzinfo is UTC


def test_an_instant_is_utc_whatever_zone_the_connection_is_set_to(
    empty_database: Callable[[str], Engine],
) -> None:
    engine = empty_database("postgresql")
    Tables.metadata.create_all(engine)
    with write_session(engine) as session:
        session.execute(text("SET LOCAL TIME ZONE 'Asia/Shanghai'"))
        session.add(Box(id=1, label="tools", packed_at=NOON))
        session.flush()
        session.expire_all()
        packed_at = session.get_one(Box, 1).packed_at
    assert packed_at == NOON
    assert packed_at is not None
    assert packed_at.tzinfo is UTC


def test_an_instant_without_time_zone_is_refused(engine: Engine) -> None:
    with pytest.raises(StatementError, match="time zone"), write_session(engine) as session:
        session.add(Box(label="tools", packed_at=NOON.replace(tzinfo=None)))
    assert labels(engine) == []


def test_instants_of_several_zones_sort_and_compare_by_time(engine: Engine) -> None:
    east, west = NOON.astimezone(CHINA), (NOON + timedelta(microseconds=1)).astimezone(timezone(timedelta(hours=-7)))
    with write_session(engine) as session:
        session.add_all([Box(label="later", packed_at=west), Box(label="earlier", packed_at=east)])
        session.add(Box(label="whole second", packed_at=NOON.replace(microsecond=0)))
    with read_session(engine) as session:
        assert session.scalars(select(Box.label).order_by(Box.packed_at)).all() == ["whole second", "earlier", "later"]
        assert session.scalars(select(Box.label).where(Box.packed_at > east)).all() == ["later"]


def test_a_closed_list_is_stored_by_value(engine: Engine) -> None:
    with write_session(engine) as session:
        session.add(Box(id=1, label="tools", shelf=Shelf.LOWER))
    with read_session(engine) as session:
        assert session.scalar(text("SELECT shelf FROM boxes")) == "lower-shelf"
        assert session.get_one(Box, 1).shelf is Shelf.LOWER


def test_a_value_outside_the_closed_list_is_refused_both_ways(engine: Engine) -> None:
    with pytest.raises(StatementError, match="LookupError"), write_session(engine) as session:
        session.add(Box(label="tools", shelf="cellar"))
    with write_session(engine) as session:
        session.execute(text("INSERT INTO boxes (id, label, shelf) VALUES (1, 'tools', 'cellar')"))
    with pytest.raises(LookupError), read_session(engine) as session:
        session.get_one(Box, 1)


def test_json_keeps_chinese_and_none_is_null(engine: Engine) -> None:
    with write_session(engine) as session:
        session.add(Box(id=1, label="tools", contents={"工具": ["扳手", 3, None]}, tags=["零工"]))
        session.add(Box(id=2, label="paint", contents=None))
    with read_session(engine) as session:
        box = session.get_one(Box, 1)
        assert (box.contents, box.tags) == ({"工具": ["扳手", 3, None]}, ["零工"])
        assert session.scalars(select(Box.id).where(Box.contents.is_(None))).all() == [2]


def test_constraints_have_names_that_migrations_can_use(engine: Engine) -> None:
    inspector = inspect(engine)
    assert inspector.get_pk_constraint("boxes")["name"] == "pk_boxes"
    assert [key["name"] for key in inspector.get_unique_constraints("boxes")] == ["uq_boxes_label"]
    assert [key["name"] for key in inspector.get_foreign_keys("lids")] == ["fk_lids_box_id_boxes"]


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'jiujin.db'}")
    yield engine
    engine.dispose()


def test_sqlite_is_set_up_for_many_readers_and_erases_what_it_deletes(sqlite_engine: Engine) -> None:
    with sqlite_engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "secure_delete")
        }
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 5000, "secure_delete": 1}


def test_sqlite_rolls_back_tables_too(sqlite_engine: Engine) -> None:
    with pytest.raises(KeyError), sqlite_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x INTEGER)")
        raise KeyError
    assert inspect(sqlite_engine).get_table_names() == []


def test_sqlite_in_memory_serves_a_notebook() -> None:
    engine = open_engine("sqlite://")
    Tables.metadata.create_all(engine)
    with write_session(engine) as session:
        session.add(Box(label="tools"))
    assert labels(engine) == ["tools"]
    engine.dispose()


def test_postgresql_is_told_our_limits_and_name(postgres_server: URL) -> None:
    engine = open_engine(
        postgres_server, statement_timeout_ms=1234, lock_timeout_ms=567, application_name="jiujin work"
    )
    with engine.connect() as connection:
        told = {
            name: connection.scalar(text("SELECT current_setting(:name)"), {"name": name})
            for name in ("statement_timeout", "lock_timeout", "application_name", "TimeZone")
        }
    engine.dispose()
    assert told == {
        "statement_timeout": "1234ms",
        "lock_timeout": "567ms",
        "application_name": "jiujin work",
        "TimeZone": "UTC",
    }


def test_a_statement_that_takes_too_long_is_a_busy_fault(postgres_server: URL) -> None:
    engine = open_engine(postgres_server, statement_timeout_ms=20)
    with pytest.raises(Busy), read_session(engine) as session:
        session.execute(text("SELECT pg_sleep(60)"))
    engine.dispose()


def test_other_databases_are_refused() -> None:
    with pytest.raises(ValueError, match="mysql"):
        open_engine("mysql://localhost/jiujin")
