"""The audit as a book: what is sealed cannot be changed, taken out or added to without being found."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError

from app.background.audit_seals import seal_waiting_acts
from app.background.sequencing import Sequencer
from app.domain.ledger import EntryKind
from app.exchange.checkpoints import read_largest
from app.kit.clock import FixedClock
from app.kit.database import read_session, write_session
from app.kit.keys import KeyRing
from app.settings import Settings
from app.store.audit import AuditEntry, record_act
from app.usecases.audit_seals import AuditDiffers, WrongAct, first_wrong_act, seal_acts
from app.usecases.ledger import LedgerEntryFinal, list_entries, strike_entry
from app.usecases.sequencing import LedgerDiffers, require_outside
from app.wiring import House

# What is tried here only who owns the tables could do.
pytestmark = pytest.mark.owner


@pytest.fixture
def house(database: Engine, clock: FixedClock, key_ring: KeyRing, tmp_path: Path) -> House:
    """A house without reference data, which the audit does not need."""
    return House(settings=Settings(data=tmp_path), engine=database, keys=key_ring, clock=clock)


def act(house: House, number: int) -> None:
    with write_session(house.engine) as each:
        record_act(
            each,
            actor="officer/wang-01",
            action="read_identity",
            subject=f"workers/{number}",
            now=house.clock.now(),
            why="look",
            origin="sessions/1",
        )


def book(house: House, clock: FixedClock) -> None:
    """Three stretches of three acts each, two hours apart, sealed; ids 1 to 9."""
    for stretch in range(3):
        for number in range(3):
            act(house, stretch * 3 + number + 1)
        assert seal_waiting_acts(house) == 3
        clock.advance(timedelta(hours=2))


def wrong(house: House) -> WrongAct | None:
    with read_session(house.engine) as session:
        return first_wrong_act(session, keys=house.keys)


def as_superuser(house: House, *statements: str) -> None:
    """What somebody can do who owns the database and has no key."""
    with house.engine.begin() as connection:
        if house.engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            triggers = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            for trigger in triggers:
                connection.execute(text(f"DROP TRIGGER {trigger}"))
        for statement in statements:
            connection.execute(text(statement))


def test_what_is_sealed_is_whole_and_the_ledger_vouches_for_it(house: House, clock: FixedClock) -> None:
    assert wrong(house) is None
    book(house, clock)
    assert seal_waiting_acts(house) == 0
    act(house, 10)
    assert wrong(house) is None
    with read_session(house.engine) as session:
        seals = [entry for entry in list_entries(session) if entry.kind is EntryKind.AUDIT]
    assert [(seal.facts["first"], seal.facts["count"]) for seal in seals] == [(0, 3), (3, 3), (6, 3)]
    assert len({seal.facts["root"] for seal in seals}) == 3
    with pytest.raises(LedgerEntryFinal), write_session(house.engine) as session:
        strike_entry(session, seals[0].id, why="x", actor="office", now=clock.now(), keys=house.keys)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET actor = 'officer/li-02' WHERE id = 4",
        "DELETE FROM audit_entries WHERE id = 4",
        "DELETE FROM audit_entries",
        "UPDATE audit_leaves SET entry_id = 40 WHERE position = 3",
        "DELETE FROM audit_leaves",
    ],
)
def test_the_database_itself_refuses_to_change_the_audit(house: House, clock: FixedClock, statement: str) -> None:
    book(house, clock)
    with pytest.raises(DBAPIError, match="append-only"), house.engine.begin() as connection:
        connection.execute(text(statement))
    assert wrong(house) is None


def test_nor_does_it_take_a_truncate_or_a_replace(house: House, clock: FixedClock) -> None:
    book(house, clock)
    for table in ("audit_entries", "audit_leaves"):
        statement = (
            f"TRUNCATE {table}"
            if house.engine.dialect.name == "postgresql"
            else f"REPLACE INTO {table} SELECT * FROM {table}"  # noqa: S608  our own tables
        )
        with pytest.raises(DBAPIError, match="append-only"), house.engine.begin() as connection:
            connection.execute(text(statement))


PUT_IN = (
    "INSERT INTO audit_entries (id, happened_at, actor, action, subject, detail, why, origin) "
    "SELECT 0, happened_at, actor, action, 'workers/99', detail, why, origin FROM audit_entries WHERE id = 1"
)
CASES: list[tuple[str, tuple[str, ...], tuple[int | None, int | None, str]]] = [
    ("actor", ("UPDATE audit_entries SET actor = 'officer/li-02' WHERE id = 4",), (3, 4, "changed")),
    ("subject", ("UPDATE audit_entries SET subject = 'workers/99' WHERE id = 5",), (4, 5, "changed")),
    ("why", ("UPDATE audit_entries SET why = 'contact' WHERE id = 5",), (4, 5, "changed")),
    ("origin", ("UPDATE audit_entries SET origin = 'command' WHERE id = 9",), (8, 9, "changed")),
    (
        "time",
        ("UPDATE audit_entries SET happened_at = (SELECT happened_at FROM audit_entries WHERE id = 1) WHERE id = 6",),
        (5, 6, "changed"),
    ),
    ("two", ("UPDATE audit_entries SET detail = 'x' WHERE id IN (8, 4)",), (3, 4, "changed")),
    ("taken out", ("DELETE FROM audit_entries WHERE id = 5",), (4, 5, "missing")),
    (
        "taken out with its place",
        ("DELETE FROM audit_entries WHERE id = 5", "DELETE FROM audit_leaves WHERE entry_id = 5"),
        (4, None, "missing"),
    ),
    (
        "taken out and closed up",
        (
            "DELETE FROM audit_entries WHERE id = 5",
            "DELETE FROM audit_leaves WHERE entry_id = 5",
            "UPDATE audit_leaves SET position = 4 WHERE position = 5",
        ),
        (4, 6, "changed"),
    ),
    (
        "exchanged",
        (
            "UPDATE audit_leaves SET entry_id = 100 WHERE position = 1",
            "UPDATE audit_leaves SET entry_id = 2 WHERE position = 2",
            "UPDATE audit_leaves SET entry_id = 3 WHERE position = 1",
        ),
        (1, 3, "changed"),
    ),
    (
        "tail",
        ("DELETE FROM audit_entries WHERE id > 6", "DELETE FROM audit_leaves WHERE entry_id > 6"),
        (6, None, "missing"),
    ),
    ("put in between", (PUT_IN,), (None, 0, "put_in")),
    ("seal taken out", ("DELETE FROM ledger WHERE id = 2",), (3, None, "unsealed")),
    ("last seal taken out", ("DELETE FROM ledger WHERE id = 3",), (6, 7, "unsealed")),
]


@pytest.mark.parametrize(("statements", "first"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_first_act_that_is_wrong_is_named(
    house: House, clock: FixedClock, statements: tuple[str, ...], first: tuple[int | None, int | None, str]
) -> None:
    book(house, clock)
    as_superuser(house, *statements)
    found = wrong(house)
    assert found is not None
    assert (found.position, found.entry_id, found.reason) == first
    assert found.words


def test_an_act_that_is_put_in_is_found_also_once_it_has_a_place(house: House, clock: FixedClock) -> None:
    book(house, clock)
    with write_session(house.engine) as session:
        session.add(_bare(house, entry_id=20))
    assert seal_waiting_acts(house) == 1
    clock.advance(timedelta(hours=2))
    with write_session(house.engine) as session:
        session.add(_bare(house, entry_id=30))
    assert seal_waiting_acts(house) == 1
    with write_session(house.engine) as session:
        session.add(_bare(house, entry_id=15))
    assert seal_waiting_acts(house) == 1
    assert wrong(house) == WrongAct(11, 15, "put_in")


def test_an_act_that_committed_late_before_the_sealer_was_away_is_no_false_one(house: House, clock: FixedClock) -> None:
    book(house, clock)
    with write_session(house.engine) as session:
        session.add(_bare(house, entry_id=20))
    assert seal_waiting_acts(house) == 1
    with write_session(house.engine) as session:
        session.add(_bare(house, entry_id=15))
    clock.advance(timedelta(days=1))
    assert wrong(house) is None
    assert seal_waiting_acts(house) == 1
    assert wrong(house) is None


def test_an_act_that_commits_a_little_late_is_taken_late(house: House, clock: FixedClock) -> None:
    act(house, 1)
    with write_session(house.engine) as session:
        # As PostgreSQL does: an id is given, and the transaction that has it commits after others.
        session.add(_bare(house, entry_id=7))
    assert seal_waiting_acts(house) == 2
    with write_session(house.engine) as session:
        session.add(_bare(house, entry_id=5))
    clock.advance(timedelta(minutes=5))
    assert seal_waiting_acts(house) == 1
    assert wrong(house) is None


def _bare(house: House, *, entry_id: int) -> AuditEntry:
    return AuditEntry(
        id=entry_id,
        happened_at=house.clock.now(),
        actor="system",
        action="x",
        subject="y",
        detail="",
        why="",
        origin="",
    )


def test_nothing_is_sealed_on_a_book_that_was_cut(house: House, clock: FixedClock) -> None:
    book(house, clock)
    as_superuser(house, "DELETE FROM audit_leaves WHERE position > 4")
    with pytest.raises(AuditDiffers), write_session(house.engine) as session:
        seal_acts(session, now=clock.now(), keys=house.keys)


def test_a_tail_that_is_cut_off_together_with_its_seal_shows_against_a_kept_checkpoint(
    house: House, clock: FixedClock
) -> None:
    book(house, clock)
    Sequencer(house).run()
    kept = read_largest(house.settings.checkpoints)
    assert kept is not None
    as_superuser(
        house,
        "DELETE FROM audit_entries WHERE id > 6",
        "DELETE FROM audit_leaves WHERE position > 5",
        "DELETE FROM ledger WHERE id = 3",
        "DELETE FROM ledger_leaves WHERE position = 2",
        "DELETE FROM ledger_checkpoints WHERE size = 3",
    )
    assert wrong(house) is None
    with pytest.raises(LedgerDiffers), read_session(house.engine) as session:
        require_outside(session, kept, keys=house.keys)


def test_many_write_while_two_seal_and_each_act_has_one_place(house: House) -> None:
    done: list[BaseException] = []

    def run(deed: Callable[[], object]) -> None:
        try:
            deed()
        except BaseException as error:  # noqa: BLE001  told by the assertion
            done.append(error)

    def write() -> None:
        for number in range(8):
            act(house, number)

    def seal() -> None:
        for _ in range(4):
            seal_waiting_acts(house)

    threads = [threading.Thread(target=run, args=(deed,)) for deed in (write, write, write, seal, seal)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == []
    seal_waiting_acts(house)
    with house.engine.connect() as connection:
        places = connection.execute(text("SELECT position, entry_id FROM audit_leaves ORDER BY position")).all()
    assert [position for position, _ in places] == list(range(24))
    assert len({entry_id for _, entry_id in places}) == 24
    assert wrong(house) is None


def test_what_was_sealed_before_a_rotation_of_keys_is_whole_after_it(house: House, clock: FixedClock) -> None:
    book(house, clock)
    with read_session(house.engine) as session:
        assert first_wrong_act(session, keys=house.keys.rotated("token")) is None


def test_from_where_an_act_came_is_what_the_house_was_told(house: House, clock: FixedClock) -> None:
    with write_session(house.worked_from("command").engine) as session:
        record_act(session, actor="office", action="x", subject="y", now=clock.now())
        record_act(session, actor="office", action="x", subject="y", now=clock.now(), origin="kiosk/K-1")
    with write_session(house.engine) as session:
        record_act(session, actor="office", action="x", subject="y", now=clock.now())
    with read_session(house.engine) as session:
        assert session.scalars(select(AuditEntry.origin).order_by(AuditEntry.id)).all() == ["command", "kiosk/K-1", ""]
