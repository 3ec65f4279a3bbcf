"""What a receipt tells its holder: the entry, whether it was struck since, and whether its proof holds just now."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.domain.ledger import Channel, EntryKind, Grade
from app.kit.database import read_session, write_session
from app.kit.errors import Fault
from app.kit.keys import KeyRing
from app.usecases.ledger import EntryDraft, LedgerEntryUnknown, append_entries, erase_person, strike_entry
from app.usecases.ledger_exports import (
    LedgerEntryErased,
    LedgerEntryUnproven,
    LedgerEntryWaiting,
    ReceiptCodeWrong,
    find_by_code,
    make_receipt,
    receipt_code,
)
from app.usecases.ledger_receipts import ReceiptFact, tell_receipt
from app.usecases.sequencing import sequence_entries
from ledger_check.receipts import check_receipt

# What the database's owner could do is done here: past its triggers.
pytestmark = pytest.mark.owner

NOW = datetime(2026, 12, 1, 2, 5, tzinfo=UTC)
COUNT = 7


@pytest.fixture
def ledger(database: Engine, key_ring: KeyRing) -> Engine:
    """Seven entries of two people in the tree."""
    append(database, key_ring, COUNT)
    sequence(database, key_ring)
    return database


def append(database: Engine, keys: KeyRing, count: int) -> None:
    drafts = [
        EntryDraft(
            kind=EntryKind.GUIDANCE,
            worker_id=7 + number % 2,
            channel=Channel.CALL,
            evidence=Grade.C,
            happened_at=NOW - timedelta(days=2),
            now=NOW - timedelta(days=1),
            actor="broker/3",
            facts={"minutes": 12, "said": True},
            note="愿意去县城",
        )
        for number in range(count)
    ]
    with write_session(database) as session:
        append_entries(session, drafts, keys=keys)


def sequence(database: Engine, keys: KeyRing) -> None:
    with write_session(database) as session:
        sequence_entries(session, after=0, limit=1_000, outside=None, now=NOW, keys=keys)


def tell(database: Engine, keys: KeyRing, entry_id: int = 4) -> ReceiptFact:
    with read_session(database) as session:
        return tell_receipt(session, receipt_code(entry_id, keys=keys), keys=keys)


def tamper(database: Engine, statement: str) -> None:
    """What the owner of the database can do: past the triggers."""
    with database.begin() as connection:
        if database.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            for (name,) in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text(statement))


def test_a_receipt_tells_the_entry_and_where_it_stands(ledger: Engine, key_ring: KeyRing) -> None:
    assert tell(ledger, key_ring) == ReceiptFact(
        entry_id=4,
        code=receipt_code(4, keys=key_ring),
        kind=EntryKind.GUIDANCE,
        channel=Channel.CALL,
        evidence=Grade.C,
        happened_at=NOW - timedelta(days=2),
        written_at=NOW - timedelta(days=1),
        strikes=None,
        struck_by=None,
        struck_at=None,
        place=4,
        size=COUNT,
        signed_at=NOW,
        holds=True,
    )


def test_an_entry_that_was_struck_since_says_by_which_and_still_holds(ledger: Engine, key_ring: KeyRing) -> None:
    struck_at = NOW + timedelta(days=1)
    with write_session(ledger) as session:
        strike_entry(session, 4, why="登错了人", actor="clerk/1", now=struck_at, keys=key_ring)
    told = tell(ledger, key_ring)
    # The strike counts from when it is written, before it has a place.
    assert (told.struck_by, told.struck_at, told.holds) == (COUNT + 1, struck_at, True)
    assert tell(ledger, key_ring, 5).struck_by is None
    sequence(ledger, key_ring)
    strike = tell(ledger, key_ring, COUNT + 1)
    assert (strike.kind, strike.strikes, strike.struck_by, strike.holds) == (EntryKind.STRIKE, 4, None, True)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET evidence = 'A' WHERE id = 4",
        "UPDATE ledger SET happened_at = written_at WHERE id = 4",
        "UPDATE ledger SET worker_id = 7 WHERE id = 4",
        "UPDATE ledger SET note = NULL WHERE id = 4",
        "UPDATE ledger SET facts = '[]' WHERE id = 4",
        "UPDATE ledger SET commitment = (SELECT l.commitment FROM ledger l WHERE l.id = 5) WHERE id = 4",
        "UPDATE ledger_leaves SET hash = (SELECT l.hash FROM ledger_leaves l WHERE l.position = 5) WHERE position = 2",
        "UPDATE ledger_leaves SET signature = (SELECT l.signature FROM ledger_leaves l WHERE l.position = 5)",
    ],
)
def test_whatever_somebody_changed_the_proof_holds_no_more(ledger: Engine, key_ring: KeyRing, statement: str) -> None:
    tamper(ledger, statement)
    assert not tell(ledger, key_ring).holds


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("DELETE FROM ledger WHERE id = 4", LedgerEntryUnknown),
        ("DELETE FROM ledger_keys", LedgerEntryUnproven),
        ("DELETE FROM ledger_checkpoints", LedgerEntryUnproven),
        ("UPDATE ledger_checkpoints SET note = replace(note, 'jiujin', 'other')", LedgerEntryUnproven),
        ("UPDATE ledger_checkpoints SET note = ''", LedgerEntryUnproven),
        ("DELETE FROM ledger_nodes", LedgerEntryUnproven),
        ("DELETE FROM ledger_leaves WHERE position = 2", LedgerEntryUnproven),
        ("UPDATE ledger_leaves SET position = 99 - position WHERE position > 2", LedgerEntryUnproven),
    ],
)
def test_what_somebody_took_away_is_told_apart_from_what_waits(
    ledger: Engine, key_ring: KeyRing, statement: str, fault: type[Fault]
) -> None:
    tamper(ledger, statement)
    with pytest.raises(fault):
        tell(ledger, key_ring)


def test_what_waits_and_who_was_erased_is_told(ledger: Engine, key_ring: KeyRing) -> None:
    append(ledger, key_ring, 1)
    with pytest.raises(LedgerEntryWaiting):
        tell(ledger, key_ring, COUNT + 1)
    with write_session(ledger) as session:
        erase_person(session, 8, actor="clerk/1", now=NOW, keys=key_ring)
    with pytest.raises(LedgerEntryErased):
        tell(ledger, key_ring, 4)
    assert tell(ledger, key_ring, 5).holds


def test_the_sealed_note_is_in_the_document_because_nothing_opens_without_it(ledger: Engine, key_ring: KeyRing) -> None:
    with read_session(ledger) as session:
        document = make_receipt(session, 4, keys=key_ring)
    assert check_receipt(document) is None
    assert "愿意" not in str(document)
    entry: dict[str, Any] = document["entry"]
    assert check_receipt({**document, "entry": {**entry, "note": None}}) is not None
    assert check_receipt({**document, "entry": {each: entry[each] for each in entry if each != "note"}}) is not None


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "4",
        "ABCD-EFGH",
        "4-ABCD-EFGH",
        "9" * 5_000,
        "٤-ABCD-EFGH",
        "4-ABCD-EFG\udcff",
        "-4-ABCD-EFGH",
        "4-ABCD-EFG\0",
    ],
)
def test_a_code_that_belongs_to_nothing_is_wrong_however_odd(key_ring: KeyRing, typed: str) -> None:
    with pytest.raises(ReceiptCodeWrong) as wrong:
        find_by_code(typed, keys=key_ring)
    assert wrong.value.status == 404
