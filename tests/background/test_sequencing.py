"""Entries get their places within seconds, each one once, and nothing is signed that was tampered with."""

import logging
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Table, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.background.sequencing import EVERY_S, LOOK_AT_ALL_EVERY, Sequencer, sequencing_loop
from app.domain.checkpoints import Checkpoint, checkpoint_text, read_checkpoint
from app.domain.ledger import Channel, EntryKind, Grade
from app.exchange.checkpoints import CheckpointKept, keep_checkpoint, list_kept, read_largest
from app.kit.clock import FixedClock
from app.kit.database import Base, read_session, write_session
from app.kit.keys import KeyRing
from app.kit.signed_notes import NoteBroken, open_note
from app.settings import Settings
from app.usecases.ledger import EntryDraft, append_entries, erase_person
from app.usecases.sequencing import (
    LedgerDiffers,
    are_waiting,
    prove_consistency,
    prove_inclusion,
    root_at,
    sequence_entries,
    signer_of,
)
from app.wiring import House
from ledger_check.trees import proves_consistency, proves_inclusion
from tests.cli.conftest import url_of

# What the database's owner could do is done here: past its triggers.
pytestmark = pytest.mark.owner


def read_kept(folder: Path) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in list_kept(folder)]


@pytest.fixture
def house(database: Engine, clock: FixedClock, key_ring: KeyRing, tmp_path: Path) -> House:
    """A house without reference data, which a ledger does not need."""
    return House(settings=Settings(data=tmp_path), engine=database, keys=key_ring, clock=clock)


def draft(house: House, number: int, **given: Any) -> EntryDraft:
    values: dict[str, Any] = {
        "kind": EntryKind.GUIDANCE,
        "worker_id": 1 + number % 5,
        "spell_id": 1 + number % 5,
        "channel": Channel.CALL,
        "evidence": Grade.C,
        "happened_at": house.clock.now() - timedelta(hours=1),
        "now": house.clock.now(),
        "actor": "broker/3",
        "facts": {"minutes": number},
        **given,
    }
    return EntryDraft(**values)


def append(house: House, count: int, **given: Any) -> list[int]:
    with write_session(house.engine) as session:
        drafts = [draft(house, number, **given) for number in range(count)]
        return [entry.id for entry in append_entries(session, drafts, keys=house.keys)]


def places(house: House) -> list[tuple[int, int]]:
    with house.engine.connect() as connection:
        rows = connection.execute(text("SELECT position, entry_id FROM ledger_leaves ORDER BY position"))
        return [(position, entry_id) for position, entry_id in rows]


def newest(house: House) -> Checkpoint:
    note = read_largest(house.settings.checkpoints)
    assert note is not None
    return signer_of(house.keys).read(note)


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


def dump_of(house: House) -> list[tuple[Table, list[Any]]]:
    """All rows of the ledger."""
    tables = [table for table in Base.metadata.sorted_tables if table.name.startswith("ledger")]
    with house.engine.connect() as connection:
        return [(table, [dict(row._mapping) for row in connection.execute(select(table))]) for table in tables]


def put_back(house: House, dump: list[tuple[Table, list[Any]]]) -> None:
    """An old copy in place of what there is."""
    as_superuser(house, *(f"DELETE FROM {table.name}" for table, _ in dump))  # noqa: S608  our own tables
    with house.engine.begin() as connection:
        for table, rows in dump:
            if rows:
                connection.execute(table.insert(), rows)


def test_entries_get_their_places_in_order_of_id_and_once(house: House) -> None:
    first, sequencer = append(house, 3), Sequencer(house, at_once=2)
    assert sequencer.run() == 3
    assert sequencer.run() == 0
    second = append(house, 4)
    assert sequencer.run() == 4
    assert places(house) == list(enumerate([*first, *second]))


def test_each_state_is_signed_and_proves_what_it_grew_out_of(house: House) -> None:
    sequencer, sizes = Sequencer(house), []
    for count in (1, 2, 5, 8):
        append(house, count)
        sequencer.run()
        sizes.append(newest(house).size)
    assert sizes == [1, 3, 8, 16]
    with read_session(house.engine) as session:
        roots = [root for size in range(1, 17) if (root := root_at(session, size)) is not None]
        leaves = [
            bytes.fromhex(row) for row in session.scalars(text("SELECT hash FROM ledger_leaves ORDER BY position"))
        ]
        assert newest(house).root == roots[15]
        for size in range(1, 17):
            assert proves_consistency(size, 16, roots[size - 1], roots[15], prove_consistency(session, size, 16))
            for position in range(size):
                proof = prove_inclusion(session, position, size)
                assert proves_inclusion(leaves[position], position, size, proof, roots[size - 1])


def test_of_an_empty_ledger_nothing_is_signed(house: House) -> None:
    assert Sequencer(house).run() == 0
    assert read_kept(house.settings.checkpoints) == []


def test_each_day_has_its_file_which_grows_with_the_tree(house: House, clock: FixedClock) -> None:
    sequencer = Sequencer(house)
    for step in (timedelta(), timedelta(hours=1), timedelta(days=1)):
        clock.advance(step)
        append(house, 1)
        sequencer.run()
    folder = house.settings.checkpoints
    assert [path.name for path in sorted(folder.iterdir())] == ["2026-12-01.txt", "2026-12-02.txt"]
    assert [read_checkpoint(note).size for note in read_kept(folder)] == [2, 3]
    clock.advance(timedelta(days=1))
    sequencer.run()
    assert [read_checkpoint(note).size for note in read_kept(folder)] == [2, 3, 3]


def test_what_is_written_later_under_a_lower_id_is_found(
    postgresql_database: Engine, clock: FixedClock, key_ring: KeyRing, tmp_path: Path
) -> None:
    house = House(settings=Settings(data=tmp_path), engine=postgresql_database, keys=key_ring, clock=clock)
    sequencer = Sequencer(house, look_back=10)
    with Session(postgresql_database) as slow, slow.begin():
        (late,) = [entry.id for entry in append_entries(slow, [draft(house, 0, worker_id=90)], keys=key_ring)]
        early = append(house, 3)
        assert late < min(early)
        assert sequencer.run() == 3
    assert sequencer.run() == 1
    assert [entry_id for _, entry_id in places(house)] == [*early, late]
    # Far behind the newest it is found when all are looked at.
    with Session(postgresql_database) as slow, slow.begin():
        (later,) = [entry.id for entry in append_entries(slow, [draft(house, 0, worker_id=91)], keys=key_ring)]
        append(house, 12)
        assert sequencer.run() == 12
    assert sequencer.run() == 0
    clock.advance(LOOK_AT_ALL_EVERY)
    assert sequencer.run() == 1
    assert places(house)[-1] == (16, later)


def test_those_far_back_are_looked_at_in_slices_behind_the_usual_run(
    postgresql_database: Engine, clock: FixedClock, key_ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(settings=Settings(data=tmp_path), engine=postgresql_database, keys=key_ring, clock=clock)
    with Session(postgresql_database) as slow, slow.begin():
        late = [entry.id for entry in append_entries(slow, [draft(house, 0, worker_id=90)], keys=key_ring)]
        append(house, 24)
        assert Sequencer(house).run() == 24
    # Another process begins, and its look at all is cancelled as one that takes too long.
    new, sequencer = append(house, 2), Sequencer(house, look_back=4, slice=5)

    def cancel(session: Session, **given: Any) -> Any:
        if given["up_to"] is not None:
            raise OperationalError("SELECT", {}, Exception("canceling statement due to statement timeout"))
        return sequence_entries(session, **given)

    with monkeypatch.context() as patched:
        patched.setattr("app.background.sequencing.sequence_entries", cancel)
        with pytest.raises(OperationalError):
            sequencer.run()
    assert [entry_id for _, entry_id in places(house)][-2:] == new
    assert sequencer.run() == 1
    assert [entry_id for _, entry_id in places(house)][-1:] == late
    # The look goes on run by run, until it meets the usual one.
    asked: list[tuple[int, int | None]] = []

    def note(session: Session, *, after: int, up_to: int | None) -> bool:
        asked.append((after, up_to))
        return are_waiting(session, after=after, up_to=up_to)

    monkeypatch.setattr("app.background.sequencing.are_waiting", note)
    assert [sequencer.run() for _ in range(6)] == [0] * 6
    start = max(new) - 4
    assert [bounds for bounds in asked if bounds[1] is not None] == [
        (first, min(first + 5, start)) for first in range(5, start, 5)
    ]
    assert {bounds for bounds in asked if bounds[1] is None} == {(start, None)}


def test_two_sequencers_at_once_give_each_entry_one_place(house: House) -> None:
    ids, gate, failures = append(house, 300), threading.Barrier(2), list[BaseException]()

    def run() -> None:
        try:
            gate.wait()
            Sequencer(house, at_once=20).run()
        except BaseException as failure:  # noqa: BLE001  a thread's failure must reach the test
            failures.append(failure)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert places(house) == list(enumerate(ids))


KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from app.background.sequencing import Sequencer
from app.kit.clock import SystemClock
from app.kit.database import open_engine
from app.kit.keys import read_key_ring
from app.settings import Settings
from app.wiring import House

engine = open_engine(os.environ["DATABASE_URL"])

@event.listens_for(engine, "before_cursor_execute")
def die(connection, cursor, statement, *rest):
    if statement.startswith("INSERT INTO ledger_checkpoints"):
        os.kill(os.getpid(), signal.SIGKILL)

house = House(settings=Settings(data=Path(sys.argv[1])), engine=engine, keys=read_key_ring(os.environ["JIUJIN_KEYS"]),
              clock=SystemClock())
Sequencer(house).run()
"""


def test_a_sequencer_that_is_killed_leaves_nothing_half_done(house: House, tmp_path: Path) -> None:
    ids = append(house, 40)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        env={**os.environ, "DATABASE_URL": url_of(house.engine), "JIUJIN_KEYS": house.keys.to_json()},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert places(house) == []
    assert Sequencer(house).run() == 40
    assert places(house) == list(enumerate(ids))
    assert newest(house).size == 40


SMUGGLED = """
    INSERT INTO ledger (id, kind, worker_id, spell_id, happened_at, written_at, actor, facts, commitment)
    VALUES (900, 'guidance', 1, 1, '2026-12-01 02:00:00', '2026-12-01 02:00:00', 'broker/3', '{}', 'abababab')
"""


def test_an_entry_that_was_smuggled_in_gets_no_place_and_is_told_once(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    before = append(house, 2)
    as_superuser(house, SMUGGLED)
    sequencer = Sequencer(house, at_once=1)
    with caplog.at_level(logging.ERROR, "jiujin.background"):
        assert sequencer.run() == 2
        after = append(house, 2)
        assert sequencer.run() == 2
    assert [record.getMessage() for record in caplog.records] == [
        "ledger entry 900 does not fit its commitment and gets no place"
    ]
    assert [entry_id for _, entry_id in places(house)] == [*before, *after]


# SQLite counts on from the highest id there is, so that nothing comes below it.
@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_an_entry_that_was_smuggled_in_far_ahead_keeps_no_other_from_its_place(house: House) -> None:
    before = append(house, 2)
    as_superuser(house, SMUGGLED.replace("900", "2000000000"))
    sequencer = Sequencer(house, look_back=10, slice=10)
    assert sequencer.run() == 2
    after = append(house, 2)
    assert sequencer.run() == 2
    assert [entry_id for _, entry_id in places(house)] == [*before, *after]


UNREADABLE = {
    "sqlite": [
        "kind = 'foo'",
        "kind = CAST(x'ff' AS TEXT)",
        "happened_at = 'yesterday'",
        "written_at = 7",
        "facts = '{'",
        "facts = '{\"minutes\": NaN}'",
        "facts = '[[\"minutes\",1]]'",
        "channel = x'00'",
        "commitment = x'ff'",
    ],
    "postgresql": ["kind = 'foo'", "happened_at = 'infinity'", "written_at = '2026-12-01 BC'", "facts = '[[\"a\",1]]'"],
}


def test_a_waiting_row_that_is_no_entry_is_passed_over_and_told(
    house: House, backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = UNREADABLE[backend]
    ids = append(house, len(wrong) + 2)
    as_superuser(
        house,
        *(f"UPDATE ledger SET {act} WHERE id = {one}" for act, one in zip(wrong, ids, strict=False)),  # noqa: S608  ours
    )
    with caplog.at_level(logging.ERROR, "jiujin.background"):
        assert Sequencer(house, at_once=2).run() == 2
    assert [entry_id for _, entry_id in places(house)] == ids[-2:]
    assert [record.getMessage() for record in caplog.records] == [
        f"ledger entry {one} does not fit its commitment and gets no place" for one in ids[:-2]
    ]


def test_who_is_erased_before_their_entries_have_places_keeps_them(house: House) -> None:
    ids = append(house, 2, worker_id=8)
    with write_session(house.engine) as session:
        erasure = erase_person(session, 8, actor="clerk/1", now=house.clock.now(), keys=house.keys)
    assert erasure is not None
    # An altered one is not excused by the erasure.
    as_superuser(house, f"UPDATE ledger SET actor = 'broker/4' WHERE id = {ids[0]}")  # noqa: S608  as above
    assert Sequencer(house).run() == 2
    assert places(house) == [(0, ids[1]), (1, erasure.id)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_nodes SET hash = (SELECT hash FROM ledger_leaves WHERE position = 0) WHERE level = 2",
        "DELETE FROM ledger_nodes WHERE level = 2",
        "DELETE FROM ledger_leaves WHERE position = 4",
        "UPDATE ledger_leaves SET hash = (SELECT hash FROM ledger_nodes WHERE level = 2) WHERE position = 4",
        "DELETE FROM ledger_checkpoints",
        "UPDATE ledger_checkpoints SET note = 'nothing'",
        "UPDATE ledger_leaves SET hash = 'no hash' WHERE position = 4",
        "UPDATE ledger_nodes SET hash = 'no hash' WHERE level = 2",
    ],
)
def test_nothing_is_signed_on_a_tree_that_is_not_the_signed_one(house: House, statement: str) -> None:
    append(house, 5)
    sequencer = Sequencer(house)
    sequencer.run()
    as_superuser(house, statement)
    before = places(house)
    append(house, 1)
    # The last checkpoint in the database is enough to see it.
    for path in house.settings.checkpoints.iterdir():
        path.unlink()
    with pytest.raises(LedgerDiffers):
        sequencer.run()
    assert places(house) == before


@pytest.mark.parametrize("grown", [0, 2, 9])
def test_nothing_is_signed_once_an_old_copy_was_put_back(house: House, grown: int) -> None:
    append(house, 5)
    sequencer = Sequencer(house)
    sequencer.run()
    kept = read_largest(house.settings.checkpoints)
    as_superuser(
        house,
        "DELETE FROM ledger WHERE id > 3",
        "DELETE FROM ledger_leaves",
        "DELETE FROM ledger_nodes",
        "DELETE FROM ledger_checkpoints",
    )
    append(house, 1 + grown)
    # As another machine would, which does not know what lies here: its tree is signed, but not ours.
    with write_session(house.engine) as session:
        sequence_entries(session, after=0, limit=99, outside=None, now=house.clock.now(), keys=house.keys)
    append(house, 1)
    with pytest.raises(LedgerDiffers, match="outside the database"):
        sequencer.run()
    assert read_largest(house.settings.checkpoints) == kept


def test_an_old_copy_put_back_is_noticed_on_the_next_day_although_nothing_waits(
    house: House, clock: FixedClock
) -> None:
    append(house, 2)
    old = dump_of(house)
    append(house, 3)
    Sequencer(house).run()
    put_back(house, old)
    folder, before = house.settings.checkpoints, read_kept(house.settings.checkpoints)
    # The old copy was sequenced once more, by somebody who knew nothing of the folder; now nothing waits in it.
    with write_session(house.engine) as session:
        sequence_entries(session, after=0, limit=99, outside=None, now=clock.now(), keys=house.keys)
    clock.advance(timedelta(days=1))
    for _ in range(2):
        with pytest.raises(LedgerDiffers, match="outside the database"):
            Sequencer(house).run()
    append(house, 5)
    with pytest.raises(LedgerDiffers, match="outside the database"):
        Sequencer(house).run()
    assert read_kept(folder) == before
    assert len(places(house)) == 2


def test_the_largest_tree_is_compared_and_not_the_file_of_the_latest_day(house: House) -> None:
    signer, folder = signer_of(house.keys), house.settings.checkpoints
    append(house, 5)
    Sequencer(house).run()
    large = newest(house)
    smaller = signer.sign(Checkpoint(signer.origin, 3, b"\x00" * 32))
    (folder / "2027-01-01.txt").write_text(smaller, encoding="utf-8")
    assert newest(house) == large
    with pytest.raises(CheckpointKept):
        keep_checkpoint(folder, smaller, today=date(2027, 2, 1))
    with pytest.raises(CheckpointKept):
        other = signer.sign(Checkpoint(signer.origin, 5, b"\x00" * 32))
        keep_checkpoint(folder, other, today=date(2027, 2, 1))
    assert len(read_kept(folder)) == 2


def test_a_file_of_a_larger_tree_is_never_written_over(house: House) -> None:
    append(house, 2)
    sequencer = Sequencer(house)
    sequencer.run()
    (path,) = house.settings.checkpoints.iterdir()
    signer, ours = signer_of(house.keys), newest(house)
    larger = signer.sign(Checkpoint(signer.origin, 3, b"\x00" * 32))
    for kept in (larger, signer.sign(Checkpoint(signer.origin, 2, b"\x00" * 32)), "nothing\n"):
        path.write_text(kept, encoding="utf-8")
        with pytest.raises((CheckpointKept, LedgerDiffers)):
            sequencer.run()
        with pytest.raises(CheckpointKept):
            keep_checkpoint(house.settings.checkpoints, signer.sign(ours), today=house.clock.today())
        assert [each.read_text(encoding="utf-8") for each in house.settings.checkpoints.iterdir()] == [kept]


def test_what_was_signed_before_a_rotation_is_still_vouched_for(house: House, clock: FixedClock) -> None:
    append(house, 3)
    Sequencer(house).run()
    before = read_largest(house.settings.checkpoints)
    assert before is not None
    rotated = House(
        settings=house.settings, engine=house.engine, keys=house.keys.rotated("token", "data"), clock=house.clock
    )
    append(rotated, 2)
    clock.advance(timedelta(days=1))
    Sequencer(rotated).run()
    old, new = signer_of(house.keys), signer_of(rotated.keys)
    assert new.origin == old.origin
    assert new.read(before).size == 3
    after = read_largest(house.settings.checkpoints)
    assert after is not None
    assert new.read(after).size == 5
    with pytest.raises(LedgerDiffers):
        old.read(after)


def test_a_checkpoint_has_the_form_that_logs_publish(house: House) -> None:
    signer = signer_of(house.keys)
    checkpoint = Checkpoint(signer.origin, 7, bytes(range(32)))
    note = signer.sign(checkpoint)
    origin, size, root, gap, signature, end = note.split("\n")
    assert (origin, size, root) == (signer.origin, "7", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    assert (gap, end) == ("", "")
    assert signature.startswith(f"— {signer.origin} ")
    assert read_checkpoint(note) == checkpoint
    for broken in (note.replace("\n7\n", "\n8\n"), note.replace("—", "-"), checkpoint_text(checkpoint), "", "\n\n"):
        with pytest.raises(NoteBroken):
            open_note(broken, name=signer.origin, keys=signer.public_keys)


def test_it_looks_every_few_seconds(house: House) -> None:
    (entry_id,) = append(house, 1)
    loop = sequencing_loop(house)
    assert loop.every_s == EVERY_S <= 5
    loop.step()
    assert places(house) == [(0, entry_id)]
    assert newest(house).size == 1
    assert datetime(2026, 12, 1, tzinfo=UTC) < house.clock.now()
