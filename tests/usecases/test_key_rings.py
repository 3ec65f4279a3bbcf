"""One database is written with one key ring. Place code 99 was never given to anybody: these numbers have no bearer."""

import threading
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.domain.identities import id_check
from app.domain.workers import Sex, WorkerOrigin
from app.kit.database import read_session, write_session
from app.kit.keys import FAMILIES, Family, KeyRing, key_checks, new_key_ring
from app.store.identities import NewIdentity, add_identity
from app.store.key_checks import list_key_checks
from app.store.workers import Worker
from app.usecases.key_rings import KeyRingForeign, bind_key_ring, check_key_ring, is_ring_needed

NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)


def bind(engine: Engine, ring: KeyRing) -> None:
    with write_session(engine) as session:
        bind_key_ring(session, ring)


def check(engine: Engine, ring: KeyRing) -> bool:
    with read_session(engine) as session:
        return check_key_ring(session, ring)


def bound_to(engine: Engine) -> dict[tuple[str, int], str]:
    with read_session(engine) as session:
        return list_key_checks(session)


def add_person(session: Session, sequence: int, *, keys: KeyRing) -> None:
    body = f"99000019700101{sequence:03d}"
    worker = Worker(
        birth_on=date(1970, 1, 1),
        sex=Sex.FEMALE,
        home_area_code="500237102",
        origin=WorkerOrigin.GENERATED,
        created_at=NOW,
        updated_at=NOW,
    )
    session.add(worker)
    session.flush()
    add_identity(session, NewIdentity(worker_id=worker.id, name="样例甲", id_number=body + id_check(body)), keys=keys)


def test_an_empty_database_takes_the_first_ring_and_keeps_it(database: Engine) -> None:
    ring = new_key_ring()
    assert not check(database, ring)
    with read_session(database) as session:
        assert not is_ring_needed(session)
    bind(database, ring)
    assert bound_to(database) == key_checks(ring)
    assert check(database, ring)
    with read_session(database) as session:
        assert is_ring_needed(session)
    bind(database, ring)
    assert bound_to(database) == key_checks(ring)


def test_another_ring_is_refused_and_changes_nothing(database: Engine) -> None:
    ring = new_key_ring()
    bind(database, ring)
    for other in (new_key_ring(), new_key_ring().rotated("data", "index", "token")):
        with pytest.raises(KeyRingForeign, match="data 密钥第 1 版不是原来那一把"):
            bind(database, other)
        with pytest.raises(KeyRingForeign):
            check(database, other)
    assert bound_to(database) == key_checks(ring)


@pytest.mark.parametrize("family", ["data", "index", "token"])
def test_one_key_that_differs_is_named(database: Engine, family: Family) -> None:
    ring = new_key_ring()
    bind(database, ring)
    with pytest.raises(KeyRingForeign) as refused:
        other = {**{each: ring.family(each) for each in FAMILIES}, family: new_key_ring().family("data")}
        bind(database, KeyRing(data=other["data"], index=other["index"], token=other["token"]))
    assert str(refused.value) == f"{family} 密钥第 1 版不是原来那一把"


def test_a_rotated_ring_is_taken_and_the_one_of_before_refused(database: Engine) -> None:
    ring = new_key_ring()
    bind(database, ring)
    rotated = ring.rotated("data")
    assert not check(database, rotated)
    bind(database, rotated)
    assert bound_to(database) == key_checks(rotated)
    with pytest.raises(KeyRingForeign, match="data 密钥缺第 2 版"):
        bind(database, ring)


def test_identities_of_before_there_were_check_values_are_tried(database: Engine) -> None:
    first = new_key_ring()
    ring = first.rotated("data", "index")
    with write_session(database) as session:
        for sequence, keys in enumerate((first, first, ring), start=1):
            add_person(session, sequence, keys=keys)
    with read_session(database) as session:
        assert is_ring_needed(session)
    strangers = new_key_ring().rotated("data", "index")
    for other in (
        strangers,
        first,
        replace(ring, data={**ring.data, 2: strangers.data[2]}),
        replace(ring, data={**ring.data, 1: strangers.data[1]}),
        replace(ring, index={**ring.index, 2: strangers.index[2]}),
        replace(ring, index={**ring.index, 1: strangers.index[1]}),
    ):
        for judge in (check, bind):
            with pytest.raises(KeyRingForeign, match="打不开库里已有的姓名和证件号"):
                judge(database, other)
    assert bound_to(database) == {}
    bind(database, ring)
    assert bound_to(database) == key_checks(ring)


@pytest.mark.parametrize("is_shared", [True, False])
def test_of_two_who_bind_at_once_one_ring_wins(database: Engine, is_shared: bool) -> None:
    first = new_key_ring()
    rings = [first, first if is_shared else new_key_ring()]
    start = threading.Barrier(2)
    refused: list[KeyRing] = []

    def begin(ring: KeyRing) -> None:
        assert not check(database, ring)
        start.wait()
        try:
            bind(database, ring)
        except KeyRingForeign:
            refused.append(ring)

    threads = [threading.Thread(target=begin, args=(ring,)) for ring in rings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == (0 if is_shared else 1)
    (winner, *_) = [ring for ring in rings if not any(ring is other for other in refused)]
    assert bound_to(database) == key_checks(winner)


def test_who_comes_second_waits_for_the_first_and_sees_its_ring(postgresql_database: Engine) -> None:
    first, second = new_key_ring(), new_key_ring()
    outcome: list[str] = []
    with write_session(postgresql_database) as session:
        bind_key_ring(session, first)

        def come_second() -> None:
            try:
                bind(postgresql_database, second)
            except KeyRingForeign:
                outcome.append("refused")

        thread = threading.Thread(target=come_second)
        thread.start()
        with postgresql_database.connect() as watching:
            waiting = "SELECT 1 FROM pg_locks WHERE NOT granted"
            while thread.is_alive() and not watching.exec_driver_sql(waiting).first():
                watching.rollback()
    thread.join()
    assert outcome == ["refused"]
    assert bound_to(postgresql_database) == key_checks(first)
