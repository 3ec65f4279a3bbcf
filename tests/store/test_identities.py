"""Identities behind their one door. Place code 99 was never given to anybody: these numbers have no bearer."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.domain.identities import id_check
from app.domain.workers import Sex, WorkerOrigin
from app.kit.encrypted import SealBroken
from app.kit.keys import KeyRing, new_key_ring
from app.store.audit import AuditEntry
from app.store.identities import (
    Identity,
    IdentityFacts,
    IdNumberKnown,
    NewIdentity,
    add_identities,
    add_identity,
    bring_up,
    change_phone,
    count_behind,
    find_by_id_number,
    find_by_id_numbers,
    find_by_phone,
    read_identity,
)
from app.store.key_checks import KeysBehind, let_write
from app.store.person_keys import PersonKey, delete_person_key
from app.store.workers import Worker
from app.usecases.key_rings import bind_key_ring

NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)


def number(sequence: int) -> str:
    body = f"99000019700101{sequence:03d}"
    return body + id_check(body)


def add_worker(session: Session) -> int:
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
    return worker.id


def identity(worker_id: int, sequence: int = 1, **given: str | None) -> NewIdentity:
    values: dict[str, str | None] = {"name": "样例甲", "id_number": number(sequence), "phone": "13800000000", **given}
    return NewIdentity(
        worker_id=worker_id, name=str(values["name"]), id_number=str(values["id_number"]), phone=values["phone"]
    )


def read(session: Session, worker_id: int, keys: KeyRing) -> IdentityFacts | None:
    return read_identity(session, worker_id, keys=keys, actor="office-7", reason="送岗上门", now=NOW)


def test_what_was_stored_is_read_and_the_reading_is_audited(session: Session, key_ring: KeyRing) -> None:
    worker_id = add_worker(session)
    add_identity(session, identity(worker_id), keys=key_ring)
    facts = read(session, worker_id, key_ring)
    assert facts == IdentityFacts(worker_id=worker_id, name="样例甲", id_number=number(1), phone="13800000000")
    entry = session.scalars(select(AuditEntry)).one()
    assert (entry.actor, entry.action, entry.subject, entry.why, entry.happened_at) == (
        "office-7",
        "read_identity",
        f"workers/{worker_id}",
        "送岗上门",
        NOW,
    )


def test_nobody_s_identity_is_none_and_leaves_no_trace(session: Session, key_ring: KeyRing) -> None:
    assert read(session, 4711, key_ring) is None
    assert session.scalars(select(AuditEntry)).all() == []


def test_the_table_holds_no_plain_text(session: Session, key_ring: KeyRing) -> None:
    worker_id = add_worker(session)
    add_identity(session, identity(worker_id), keys=key_ring)
    row = session.execute(text("SELECT * FROM identities")).one()
    for secret in ("样例甲", number(1), "13800000000", number(1)[6:14]):
        assert secret not in repr(tuple(row))


def test_nothing_in_plain_text_is_printed(session: Session, key_ring: KeyRing) -> None:
    worker_id = add_worker(session)
    new = identity(worker_id)
    add_identity(session, new, keys=key_ring)
    facts = read(session, worker_id, key_ring)
    for printed in (repr(new), repr(facts), str(facts)):
        assert printed.endswith(f"(worker_id={worker_id})")


def test_people_are_found_by_number_among_many(session: Session, key_ring: KeyRing) -> None:
    ids = [add_worker(session) for _ in range(3)]
    people = [identity(worker_id, sequence) for sequence, worker_id in enumerate(ids, start=1)]
    add_identities(session, people, keys=key_ring)
    wanted = [number(sequence) for sequence in range(1, 900)]  # more than one round trip
    assert find_by_id_numbers(session, wanted, keys=key_ring) == {
        number(sequence): worker_id for sequence, worker_id in enumerate(ids, start=1)
    }
    assert find_by_id_number(session, number(2), keys=key_ring) == ids[1]
    assert find_by_id_number(session, number(4), keys=key_ring) is None
    assert find_by_id_number(session, number(2), keys=new_key_ring()) is None
    assert find_by_id_numbers(session, [], keys=key_ring) == {}


def test_nobody_is_added_for_nobody(session: Session, key_ring: KeyRing) -> None:
    add_identities(session, [], keys=key_ring)
    assert session.scalars(select(Identity)).all() == []


def test_one_number_belongs_to_one_worker(session: Session, key_ring: KeyRing) -> None:
    first, second = add_worker(session), add_worker(session)
    add_identity(session, identity(first), keys=key_ring)
    with pytest.raises(IntegrityError) as caught:
        add_identity(session, identity(second), keys=key_ring)
    assert number(1) not in str(caught.value)


def test_two_people_may_share_a_phone_and_one_may_have_none(session: Session, key_ring: KeyRing) -> None:
    first, second, third = (add_worker(session) for _ in range(3))
    add_identities(session, [identity(first, 1), identity(second, 2), identity(third, 3, phone=None)], keys=key_ring)
    indexes = session.scalars(select(Identity.phone_index).order_by(Identity.worker_id)).all()
    assert indexes[0] == indexes[1]
    assert indexes[2] is None
    facts = read(session, third, key_ring)
    assert facts is not None
    assert facts.phone is None


def test_a_value_copied_into_another_row_does_not_open(session: Session, key_ring: KeyRing) -> None:
    first, second = add_worker(session), add_worker(session)
    add_identities(session, [identity(first, 1), identity(second, 2)], keys=key_ring)
    stolen = session.scalar(select(Identity.name).where(Identity.worker_id == first))
    session.execute(update(Identity).where(Identity.worker_id == second).values(name=stolen))
    session.expire_all()
    with pytest.raises(SealBroken):
        read(session, second, key_ring)


def test_a_value_does_not_open_in_another_column_or_under_another_person_s_key(
    session: Session, key_ring: KeyRing
) -> None:
    first, second = add_worker(session), add_worker(session)
    add_identities(session, [identity(first, 1), identity(second, 2)], keys=key_ring)
    row = session.get_one(Identity, first)
    kept = row.name
    row.name = row.id_number
    session.flush()
    with pytest.raises(SealBroken):
        read(session, first, key_ring)
    row.name = kept
    taken = session.scalar(select(PersonKey.wrapped).where(PersonKey.worker_id == second))
    session.execute(update(PersonKey).where(PersonKey.worker_id == first).values(wrapped=taken))
    with pytest.raises(SealBroken):
        read(session, first, key_ring)


def test_without_the_person_s_key_nothing_opens(session: Session, key_ring: KeyRing) -> None:
    worker_id = add_worker(session)
    add_identity(session, identity(worker_id), keys=key_ring)
    assert delete_person_key(session, worker_id)
    assert not delete_person_key(session, worker_id)
    with pytest.raises(SealBroken):
        read(session, worker_id, key_ring)


def test_a_number_under_another_version_of_the_key_is_no_second_person(session: Session, key_ring: KeyRing) -> None:
    first, second = add_worker(session), add_worker(session)
    add_identity(session, identity(first), keys=key_ring)
    with pytest.raises(IdNumberKnown):
        add_identity(session, identity(second), keys=key_ring.rotated("index"))


def test_all_who_add_write_the_version_that_the_database_says(session: Session, key_ring: KeyRing) -> None:
    bind_key_ring(session, key_ring)
    rotated = key_ring.rotated("data", "index")
    bind_key_ring(session, rotated)
    workers = [add_worker(session) for _ in range(3)]
    add_identity(session, identity(workers[0], 1), keys=rotated)
    assert change_phone(session, workers[0], "13800000009", keys=rotated)
    let_write(session, "index", 2)
    add_identity(session, identity(workers[1], 2), keys=rotated)
    indexes = session.execute(select(Identity.id_number_index, Identity.phone_index).order_by(Identity.worker_id)).all()
    assert [[index[:2] for index in row] for row in indexes] == [["1.", "1."], ["2.", "2."]]
    assert find_by_phone(session, "13800000009", keys=rotated) == [workers[0]]
    assert not change_phone(session, workers[2], None, keys=rotated)
    for deed in (
        lambda: add_identity(session, identity(workers[2], 3), keys=key_ring),
        lambda: find_by_id_number(session, number(2), keys=key_ring),
        lambda: find_by_phone(session, "13800000000", keys=key_ring),
    ):
        with pytest.raises(KeysBehind):
            deed()


def test_what_is_behind_is_brought_up_and_what_does_not_open_is_left(session: Session, key_ring: KeyRing) -> None:
    workers = [add_worker(session) for _ in range(3)]
    add_identities(session, [identity(each, place) for place, each in enumerate(workers)], keys=key_ring)
    session.execute(update(Identity).where(Identity.worker_id == workers[1]).values(name="1.AAAA"))
    rotated = key_ring.rotated("index")
    assert count_behind(session, index_today="2.") == 3
    assert bring_up(session, after=0, limit=2, keys=rotated) == (workers[1], 1)
    assert bring_up(session, after=workers[1], limit=2, keys=rotated) == (workers[2], 1)
    assert bring_up(session, after=workers[2], limit=2, keys=rotated) is None
    assert count_behind(session, index_today="2.") == 1
    for place, each in enumerate(workers):
        assert find_by_id_number(session, number(place), keys=rotated) == each


def test_rows_of_before_a_rotation_are_read_and_found(session: Session, key_ring: KeyRing) -> None:
    first, second = add_worker(session), add_worker(session)
    add_identity(session, identity(first, 1), keys=key_ring)
    rotated = key_ring.rotated("data", "index")
    add_identity(session, identity(second, 2), keys=rotated)
    assert find_by_id_numbers(session, [number(1), number(2)], keys=rotated) == {number(1): first, number(2): second}
    facts = read(session, first, rotated)
    assert facts is not None
    assert facts.name == "样例甲"


def test_an_identity_goes_with_its_worker(session: Session, key_ring: KeyRing) -> None:
    worker_id = add_worker(session)
    add_identity(session, identity(worker_id), keys=key_ring)
    session.execute(text("DELETE FROM workers"))
    session.expire_all()
    assert session.scalars(select(Identity)).all() == []
