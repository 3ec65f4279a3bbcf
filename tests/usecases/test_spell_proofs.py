"""The table of spells is held against the ledger: whoever moves a deadline there is found."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import delete, insert, select, text

from app.domain.spells import SpellEnd, SpellSource
from app.kit.database import read_session, write_session
from app.store.spells import SpellRow
from app.store.workers import Worker
from app.usecases.ledger import erase_person
from app.usecases.spell_proofs import first_wrong_spell
from app.usecases.spells import close_spell, open_spells
from app.wiring import House
from tests.people import ALLEVIATED, add_person, unemployed

TODAY = date(2026, 12, 1)
DAY = timedelta(days=1)


def open_(house: House, worker_id: int, *, on: date = TODAY) -> int:
    with write_session(house.engine) as session:
        (spell_id,) = open_spells(
            session,
            [worker_id],
            source=SpellSource.CLERK,
            actor="clerk/1",
            on=on,
            now=house.clock.now(),
            keys=house.keys,
        )
        return spell_id


def close(house: House, spell_id: int, *, on: date = TODAY, end: SpellEnd = SpellEnd.EMPLOYED) -> None:
    with write_session(house.engine) as session:
        now = house.clock.now()
        close_spell(session, spell_id, end=end, actor="clerk/1", on=on, now=now, keys=house.keys)


def erase(house: House, worker_id: int) -> None:
    """A person with all that is theirs, and their key."""
    with write_session(house.engine) as session:
        erase_person(session, worker_id, actor="clerk/1", now=house.clock.now(), keys=house.keys)
        session.execute(delete(Worker).where(Worker.id == worker_id))


def wrong(house: House) -> tuple[int, str] | None:
    with read_session(house.engine) as session:
        found = first_wrong_spell(session, keys=house.keys)
    if found is None:
        return None
    assert str(found.spell_id) in found.words
    return found.spell_id, found.reason


@pytest.fixture
def spells(house: House) -> list[int]:
    """An open spell, one of today, one that was closed, and one closed by mistake and followed by another."""
    people = [add_person(house, (ALLEVIATED, unemployed(date(2026, 9, 1)))) for _ in range(4)]
    ids = [open_(house, person, on=on) for person, on in zip(people, (TODAY - DAY, TODAY, TODAY, TODAY), strict=True)]
    close(house, ids[2])
    close(house, ids[3], end=SpellEnd.MISTAKE)
    ids.append(open_(house, people[3]))
    assert wrong(house) is None
    return ids


@pytest.mark.owner
@pytest.mark.parametrize(
    ("at", "change", "reason"),
    [
        (0, "opened_on = '2026-12-30'", "opened_on"),
        (0, "closed_on = '2026-12-01'", "closed_on"),
        (0, "source = 'kiosk'", "source"),
        (1, "worker_id = (SELECT worker_id FROM spells WHERE id = {first})", "worker_id"),
        (2, 'closed_on = NULL, "end" = NULL', "closed_on"),
        (2, "\"end\" = 'mistake'", "end"),
        (3, "closed_on = '2026-11-30'", "closed_on"),
        (3, "opened_on = 'someday'", "opened_on"),
        (4, "opened_on = '2026-12-02'", "opened_on"),
    ],
)
def test_a_changed_spell_is_named(house: House, spells: list[int], at: int, change: str, reason: str) -> None:
    if house.engine.dialect.name == "postgresql":
        change = change.replace("someday", "infinity")
    with house.engine.begin() as connection:
        if "worker_id" in change:  # of one person one spell is open at most
            connection.execute(text("DROP INDEX uq_spells_open"))
        connection.execute(text(f"UPDATE spells SET {change.format(first=spells[0])} WHERE id = {spells[at]}"))  # noqa: S608  ours
    assert wrong(house) == (spells[at], reason)


def test_a_spell_that_was_taken_out_or_put_in_is_named(house: House, spells: list[int]) -> None:
    with house.engine.begin() as connection:
        connection.execute(delete(SpellRow).where(SpellRow.id == spells[1]))
    assert wrong(house) == (spells[1], "missing")
    with house.engine.begin() as connection:
        (row,) = [dict(one) for one in connection.execute(select(SpellRow.__table__).limit(1)).mappings()]
        connection.execute(insert(SpellRow), [{**row, "id": 0, "closed_on": TODAY, "end": SpellEnd.DIED}])
    assert wrong(house) == (0, "unknown")


def test_the_lowest_of_several_is_named(house: House, spells: list[int]) -> None:
    with house.engine.begin() as connection:
        connection.execute(text("UPDATE spells SET opened_on = '2026-08-01'"))
    assert wrong(house) == (spells[0], "opened_on")


def test_who_is_erased_leaves_entries_and_no_false_alarm(house: House, spells: list[int]) -> None:
    with read_session(house.engine) as session:
        people = dict(session.execute(select(SpellRow.id, SpellRow.worker_id)).all())
    erase(house, people[spells[0]])
    erase(house, people[spells[4]])
    assert wrong(house) is None
    with house.engine.begin() as connection:
        connection.execute(delete(SpellRow).where(SpellRow.id == spells[2]))
    assert wrong(house) == (spells[2], "missing")


def test_whose_identity_alone_is_destroyed_still_has_spells_that_must_fit(house: House, spells: list[int]) -> None:
    with read_session(house.engine) as session:
        people = dict(session.execute(select(SpellRow.id, SpellRow.worker_id)).all())
    with write_session(house.engine) as session:
        erase_person(session, people[spells[0]], actor="clerk/1", now=house.clock.now(), keys=house.keys)
    assert wrong(house) is None
    with house.engine.begin() as connection:
        connection.execute(text(f"UPDATE spells SET opened_on = '2026-12-30' WHERE id = {spells[0]}"))  # noqa: S608  ours
    assert wrong(house) == (spells[0], "opened_on")


def test_a_number_that_sqlite_gives_again_after_an_erasure_is_the_new_persons(house: House) -> None:
    first = add_person(house)
    before = open_(house, first)
    erase(house, first)
    after = open_(house, add_person(house))
    assert after == before or house.engine.dialect.name == "postgresql"
    assert wrong(house) is None
    with house.engine.begin() as connection:
        connection.execute(delete(SpellRow).where(SpellRow.id == after))
    assert wrong(house) == (after, "missing")
