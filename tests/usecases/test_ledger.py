"""The ledger is written, struck and erased; nothing in it is changed or taken away."""

import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError

from app.domain.entries import GREATEST_NUMBER
from app.domain.ledger import Channel, Entry, EntryKind, Grade
from app.kit.clock import FixedClock
from app.kit.database import read_session, write_session
from app.kit.errors import Invalid
from app.kit.keys import KeyRing
from app.store.audit import AuditEntry
from app.store.ledger import LedgerEntry, LedgerKey
from app.usecases.ledger import (
    EntryDraft,
    LedgerEntryFinal,
    LedgerEntryStruck,
    LedgerEntryUnknown,
    SpellEntryFinal,
    append_entries,
    append_entry,
    digest_notes,
    erase_person,
    list_entries,
    read_note,
    strike_entry,
)

# What the database's owner could do is done here: past its triggers.
pytestmark = pytest.mark.owner

NOW = datetime(2026, 12, 1, 2, 0, 0, 123456, tzinfo=UTC)


def draft(worker_id: int | None = 7, **given: Any) -> EntryDraft:
    values: dict[str, Any] = {
        "kind": EntryKind.GUIDANCE,
        "worker_id": worker_id,
        "spell_id": 70,
        "channel": Channel.CALL,
        "evidence": Grade.C,
        "happened_at": NOW - timedelta(hours=1),
        "now": NOW,
        "actor": "broker/3",
        "facts": {"minutes": 12, "said": True},
        **given,
    }
    return EntryDraft(**values)


def append(database: Engine, keys: KeyRing, *drafts: EntryDraft) -> list[Entry]:
    with write_session(database) as session:
        return append_entries(session, drafts, keys=keys)


def test_what_is_appended_is_read_back_as_it_was_written(database: Engine, key_ring: KeyRing) -> None:
    with write_session(database) as session:
        written = append_entry(
            session,
            kind=EntryKind.PUSH,
            worker_id=7,
            spell_id=70,
            channel=Channel.SMS,
            evidence=Grade.B,
            happened_at=NOW - timedelta(hours=1),
            now=NOW,
            actor="system",
            refers_to=None,
            facts={"posting": 5, "is_open": True, "bar": None, "reasons": ["离家近", "工资合适"]},
            keys=key_ring,
        )
    with read_session(database) as session:
        assert list_entries(session) == [written]
    assert written.facts == {"posting": 5, "is_open": True, "bar": None, "reasons": ["离家近", "工资合适"]}


def test_entries_are_listed_by_person_and_by_spell_in_order_of_id(database: Engine, key_ring: KeyRing) -> None:
    written = append(
        database, key_ring, draft(7), draft(8, spell_id=80), draft(None, spell_id=None), draft(7, spell_id=71)
    )
    with read_session(database) as session:
        assert list_entries(session) == written
        assert [entry.id for entry in written] == sorted(entry.id for entry in written)
        assert list_entries(session, worker_ids=[7]) == [written[0], written[3]]
        assert list_entries(session, spell_ids=[80, 71]) == [written[1], written[3]]
        assert list_entries(session, worker_ids=[7], spell_ids=[71, 80]) == [written[3]]
        assert list_entries(session, worker_ids=[]) == []
        assert list_entries(session, worker_ids=range(1, 25_001)) == [written[0], written[1], written[3]]


def test_what_was_said_is_sealed_and_reading_it_is_audited(database: Engine, key_ring: KeyRing) -> None:
    (entry,) = append(database, key_ring, draft(note="愿意去县城的保洁岗位"))
    assert entry.note is not None
    assert "保洁" not in entry.note
    assert "保洁" not in repr(draft(note="愿意去县城的保洁岗位"))
    with write_session(database) as session:
        assert (
            read_note(session, entry.id, keys=key_ring, actor="broker/3", reason="回访", now=NOW)
            == "愿意去县城的保洁岗位"
        )
        (act,) = session.scalars(select(AuditEntry))
        assert (act.actor, act.action, act.subject, act.why) == ("broker/3", "read_note", f"ledger/{entry.id}", "回访")


@pytest.mark.parametrize("value", [1.5, {"minutes": 3}, [1, 2], b"x", float("nan")])
def test_facts_that_read_differently_elsewhere_are_refused(session: Any, key_ring: KeyRing, value: Any) -> None:
    with pytest.raises(TypeError):
        append_entries(session, [draft(facts={"minutes": value})], keys=key_ring)
    with pytest.raises(TypeError):
        append_entries(session, [draft(facts=[["minutes", 3]])], keys=key_ring)
    assert list_entries(session) == []


@pytest.mark.parametrize("value", ["a\x00b", "\ud800", ["good", "\x00"], GREATEST_NUMBER + 1, -GREATEST_NUMBER - 1])
def test_what_cannot_be_stored_is_refused_in_words(session: Any, key_ring: KeyRing, value: Any) -> None:
    with pytest.raises(Invalid):
        append_entries(session, [draft(facts={"minutes": value})], keys=key_ring)
    if isinstance(value, str):
        for given in ({"actor": value}, {"note": value}, {"facts": {value: 1}}):
            with pytest.raises(Invalid):
                append_entries(session, [draft(**given)], keys=key_ring)
    assert list_entries(session) == []


def test_the_greatest_numbers_are_kept_exactly(session: Any, key_ring: KeyRing) -> None:
    facts: dict[str, Any] = {"most": GREATEST_NUMBER, "least": -GREATEST_NUMBER}
    append_entries(session, [draft(facts=facts)], keys=key_ring)
    assert list_entries(session)[0].facts == facts


def test_an_entry_is_struck_once_and_by_an_entry_that_names_it(database: Engine, key_ring: KeyRing) -> None:
    (entry,) = append(database, key_ring, draft())
    with write_session(database) as session:
        strike = strike_entry(session, entry.id, why="登错了人", actor="clerk/1", now=NOW, keys=key_ring)
    assert (strike.kind, strike.refers_to, strike.worker_id, strike.spell_id) == (EntryKind.STRIKE, entry.id, 7, 70)
    assert strike.facts == {}
    assert "登错了" not in repr(strike) + str(strike.note)
    with write_session(database) as session:
        with pytest.raises(LedgerEntryStruck):
            strike_entry(session, entry.id, why="again", actor="clerk/1", now=NOW, keys=key_ring)
        with pytest.raises(LedgerEntryFinal):
            strike_entry(session, strike.id, why="again", actor="clerk/1", now=NOW, keys=key_ring)
        with pytest.raises(LedgerEntryUnknown):
            strike_entry(session, strike.id + 1, why="again", actor="clerk/1", now=NOW, keys=key_ring)
    with read_session(database) as session:
        assert list_entries(session) == [entry, strike]
    with write_session(database) as session:
        told: dict[str, Any] = {"keys": key_ring, "actor": "clerk/1", "reason": "核对", "now": NOW}
        assert read_note(session, strike.id, **told) == "登错了人"
        # Why is no note of a talk, which could have been copied.
        assert digest_notes(session, [strike], keys=key_ring) == {}
        erase_person(session, 7, actor="clerk/1", now=NOW, keys=key_ring)
        assert read_note(session, strike.id, **told) is None


def test_the_opening_and_the_closing_of_a_spell_cannot_be_struck(database: Engine, key_ring: KeyRing) -> None:
    kinds = (EntryKind.SPELL_OPENED, EntryKind.SPELL_CLOSED)
    written = append(database, key_ring, *(draft(kind=kind, channel=None, evidence=None) for kind in kinds))
    for entry in written:
        with write_session(database) as session, pytest.raises(SpellEntryFinal) as refused:
            strike_entry(session, entry.id, why="登错了", actor="clerk/1", now=NOW, keys=key_ring)
        assert "登记错了" in refused.value.title
    with read_session(database) as session:
        assert list_entries(session) == written


def test_of_two_who_strike_at_once_one_is_told_that_it_is_struck(database: Engine, key_ring: KeyRing) -> None:
    (entry,) = append(database, key_ring, draft())
    outcomes: list[str] = []
    gate = threading.Barrier(2)

    def strike(actor: str) -> None:
        gate.wait()
        try:
            with write_session(database) as session:
                strike_entry(session, entry.id, why="重复", actor=actor, now=NOW, keys=key_ring)
            outcomes.append("struck")
        except LedgerEntryStruck:
            outcomes.append("too late")

    threads = [threading.Thread(target=strike, args=(f"clerk/{number}",)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["struck", "too late"]


def test_who_strikes_waits_for_whoever_has_struck_and_not_committed(
    postgresql_database: Engine, key_ring: KeyRing
) -> None:
    (entry,) = append(postgresql_database, key_ring, draft())
    outcomes: list[str] = []

    def strike() -> None:
        try:
            with write_session(postgresql_database) as session:
                strike_entry(session, entry.id, why="重复", actor="clerk/2", now=NOW, keys=key_ring)
            outcomes.append("struck")
        except LedgerEntryStruck:
            outcomes.append("too late")

    def is_waiting() -> bool:
        with postgresql_database.connect() as connection:
            return bool(connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar())

    second = threading.Thread(target=strike)
    with write_session(postgresql_database) as session:
        strike_entry(session, entry.id, why="登错了", actor="clerk/1", now=NOW, keys=key_ring)
        second.start()
        while second.is_alive() and not is_waiting():
            second.join(0.01)
    second.join()
    assert outcomes == ["too late"]


def test_two_who_write_first_about_one_person_write_under_one_key(database: Engine, key_ring: KeyRing) -> None:
    gate = threading.Barrier(2)

    def write() -> None:
        gate.wait()
        append(database, key_ring, draft(7), draft(8), draft(9))

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with read_session(database) as session:
        assert sorted(session.scalars(select(LedgerKey.worker_id))) == [7, 8, 9]
        assert len(list_entries(session)) == 6


@pytest.mark.parametrize(
    ("table", "column"),
    [("ledger", "actor"), ("ledger_leaves", "hash"), ("ledger_checkpoints", "root")],
)
def test_the_database_itself_refuses_to_change_or_take_away(
    database: Engine, key_ring: KeyRing, table: str, column: str
) -> None:
    append(database, key_ring, draft())
    with database.begin() as connection:
        connection.execute(text("INSERT INTO ledger_leaves VALUES (0, 1, 'aa', 'bb')"))
        connection.execute(text("INSERT INTO ledger_checkpoints VALUES (1, 'aa', '2026-12-01 02:00:00', 'bb')"))
    acts = [f"UPDATE {table} SET {column} = 'x'", f"DELETE FROM {table}"]  # noqa: S608  our own words
    if database.dialect.name == "postgresql":
        acts.append(f"TRUNCATE {table}")
    for act in acts:
        with pytest.raises(DBAPIError, match="append-only") as raised, database.begin() as connection:
            connection.execute(text(act))
        assert isinstance(raised.value.orig, sqlite3.IntegrityError) or raised.value.orig.sqlstate == "23001"  # type: ignore[union-attr]
    with database.connect() as connection:
        assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 1  # noqa: S608  as above


@pytest.mark.parametrize(
    "act",
    [
        "REPLACE INTO ledger SELECT {entry} FROM ledger",
        "INSERT OR REPLACE INTO ledger SELECT {entry} FROM ledger",
        "INSERT INTO ledger SELECT {entry} FROM ledger WHERE true ON CONFLICT (id) DO UPDATE SET actor = 'x'",
        "REPLACE INTO ledger_leaves VALUES (0, 99, 'x', 'x')",
        "REPLACE INTO ledger_leaves VALUES ('0', 99, 'x', 'x')",
        "REPLACE INTO ledger_leaves VALUES (99, 1, 'x', 'x')",
        "REPLACE INTO ledger_leaves (rowid, position, entry_id, hash, signature) VALUES (1, 99, 99, 'x', 'x')",
        "REPLACE INTO ledger_checkpoints VALUES (1, 'x', '2026-12-01 02:00:00', 'x')",
        "REPLACE INTO ledger_checkpoints (rowid, size, root, signed_at, note) VALUES (1, 99, 'x', '2026-12-01', 'x')",
        "UPDATE OR REPLACE ledger SET id = 1",
    ],
)
def test_nothing_is_replaced_either(sqlite_database: Engine, key_ring: KeyRing, act: str) -> None:
    append(sqlite_database, key_ring, draft())
    tables = ("ledger", "ledger_leaves", "ledger_checkpoints")
    with sqlite_database.begin() as connection:
        connection.execute(text("INSERT INTO ledger_leaves VALUES (0, 1, 'aa', 'bb')"))
        connection.execute(text("INSERT INTO ledger_checkpoints VALUES (1, 'aa', '2026-12-01 02:00:00', 'bb')"))
        before = [connection.execute(text(f"SELECT * FROM {table}")).all() for table in tables]  # noqa: S608  ours
        names = connection.execute(text("SELECT name FROM pragma_table_info('ledger')")).scalars().all()
    act = act.format(entry=", ".join("'x'" if name == "actor" else name for name in names))
    with pytest.raises(DBAPIError, match="append-only"), sqlite_database.begin() as connection:
        connection.execute(text(act))
    with sqlite_database.begin() as connection:
        assert [connection.execute(text(f"SELECT * FROM {table}")).all() for table in tables] == before  # noqa: S608  ours
        # What is new still goes in.
        connection.execute(text("INSERT INTO ledger_leaves VALUES (1, 2, 'aa', 'bb')"))
        connection.execute(text("INSERT INTO ledger_checkpoints VALUES (2, 'aa', '2026-12-01 02:00:00', 'bb')"))
    append(sqlite_database, key_ring, draft())


@pytest.mark.parametrize("table", ["ledger", "ledger_leaves", "ledger_checkpoints"])
def test_on_postgresql_nothing_is_written_over_by_an_insert_or_a_merge(
    postgresql_database: Engine, key_ring: KeyRing, table: str
) -> None:
    append(postgresql_database, key_ring, draft())
    key, column = {
        "ledger": ("id", "actor"),
        "ledger_leaves": ("position", "hash"),
        "ledger_checkpoints": ("size", "root"),
    }[table]
    with postgresql_database.begin() as connection:
        connection.execute(text("INSERT INTO ledger_leaves VALUES (0, 1, 'aa', 'bb')"))
        connection.execute(text("INSERT INTO ledger_checkpoints VALUES (1, 'aa', '2026-12-01 02:00:00', 'bb')"))
    for act in (
        f"INSERT INTO {table} SELECT * FROM {table} ON CONFLICT ({key}) DO UPDATE SET {column} = 'x'",  # noqa: S608  ours
        f"MERGE INTO {table} AS old USING {table} AS new ON old.{key} = new.{key} WHEN MATCHED THEN DELETE",
    ):
        with pytest.raises(DBAPIError, match="append-only"), postgresql_database.begin() as connection:
            connection.execute(text(act))


def test_who_is_erased_is_named_by_an_entry_and_has_no_key(database: Engine, key_ring: KeyRing) -> None:
    kept, gone = append(database, key_ring, draft(7, note="说了什么"), draft(8, note="说了别的"))
    with write_session(database) as session:
        erasure = erase_person(session, 8, actor="clerk/1", now=NOW, keys=key_ring)
    assert erasure is not None
    assert (erasure.kind, erasure.worker_id) == (EntryKind.ERASURE, 8)
    assert [name.partition(":")[0] for name in erasure.facts["entries"]] == [str(gone.id)]  # type: ignore[union-attr]
    with write_session(database) as session:
        assert sorted(session.scalars(select(LedgerKey.worker_id))) == [0, 7]
        assert read_note(session, gone.id, keys=key_ring, actor="broker/3", reason="回访", now=NOW) is None
        assert read_note(session, kept.id, keys=key_ring, actor="broker/3", reason="回访", now=NOW) == "说了什么"
        assert list_entries(session) == [kept, gone, erasure]
        assert erase_person(session, 8, actor="clerk/1", now=NOW, keys=key_ring) is None
        assert len(list_entries(session)) == 3


def test_keys_and_notes_of_before_a_rotation_still_open(database: Engine, key_ring: KeyRing) -> None:
    (before,) = append(database, key_ring, draft(note="以前说的"))
    rotated = key_ring.rotated("data", "index", "token")
    (after,) = append(database, rotated, draft(note="后来说的"))
    with write_session(database) as session:
        told = [
            read_note(session, entry.id, keys=rotated, actor="broker/3", reason="回访", now=NOW)
            for entry in (before, after)
        ]
    assert told == ["以前说的", "后来说的"]


def test_the_clock_is_the_callers(database: Engine, key_ring: KeyRing, clock: FixedClock) -> None:
    (entry,) = append(database, key_ring, draft(now=clock.now(), happened_at=clock.now() - timedelta(days=2)))
    assert (entry.written_at, entry.happened_at) == (clock.now(), clock.now() - timedelta(days=2))
    with read_session(database) as session:
        assert session.scalars(select(LedgerEntry)).one().written_at == clock.now()
