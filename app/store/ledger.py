"""The ledger's tables. An entry can be appended, nothing else: the database itself refuses UPDATE and DELETE.

An entry that is committed becomes a leaf of one Merkle tree (RFC 6962) when the sequencer gets to it, later and in a
transaction of its own. Only this module touches these tables.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Select, String, Text, and_, delete, false, func, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.ledger import Channel, Entry, EntryKind, Grade
from app.domain.merkle_trees import Subtree
from app.kit.database import HIGHEST_ID, Base, Json

_NUMBERS_AT_ONCE = 10_000  # SQLite takes 32,766 parameters

# Whoever puts entries into the tree holds this advisory lock on PostgreSQL. The number only has to be one that nobody
# else in this database uses.
_SEQUENCING_LOCK = 4_610_239


class LedgerEntry(Base):
    """One entry; the columns are those of `domain.ledger.Entry`.

    `commitment` is a keyed digest of all of them. Neither person nor spell is a foreign key: entries outlive whoever
    is erased.
    """

    __tablename__ = "ledger"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[EntryKind]
    worker_id: Mapped[int | None] = mapped_column(index=True)
    spell_id: Mapped[int | None] = mapped_column(index=True)
    channel: Mapped[Channel | None]
    evidence: Mapped[Grade | None]
    happened_at: Mapped[datetime]
    written_at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(String(60))
    refers_to: Mapped[int | None] = mapped_column(index=True)
    facts: Mapped[dict[str, Any]] = mapped_column(Json)
    note: Mapped[str | None] = mapped_column(Text)
    commitment: Mapped[str] = mapped_column(String(64))


class LedgerKey(Base):
    """The key of one person's commitments and notes, sealed; 0 is the office's own. Without it nothing opens."""

    __tablename__ = "ledger_keys"

    worker_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sealed: Mapped[str] = mapped_column(String(200))


class LedgerLeaf(Base):
    """An entry's place in the tree, with its hash and the sequencer's signature over both, in hex."""

    __tablename__ = "ledger_leaves"

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(unique=True)
    hash: Mapped[str] = mapped_column(String(64))
    signature: Mapped[str] = mapped_column(String(128))


class LedgerNode(Base):
    """The hash of a whole subtree of 2^level leaves, kept so that a proof needs a few rows instead of all."""

    __tablename__ = "ledger_nodes"

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(64))


class LedgerCheckpoint(Base):
    """A signed statement of the tree's size and root, as it is published."""

    __tablename__ = "ledger_checkpoints"

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[str] = mapped_column(String(64))
    signed_at: Mapped[datetime]
    note: Mapped[str] = mapped_column(Text)


# --- entries ----------------------------------------------------------------------------------------------------------


def add_entries(session: Session, entries: Sequence[Entry], commitments: Sequence[str]) -> None:
    """Append entries whose ids are known, each with its commitment."""
    if entries:
        # On the connection: the session would look at each row by itself.
        session.connection().execute(
            insert(LedgerEntry),
            [
                {
                    "id": entry.id,
                    "kind": entry.kind,
                    "worker_id": entry.worker_id,
                    "spell_id": entry.spell_id,
                    "channel": entry.channel,
                    "evidence": entry.evidence,
                    "happened_at": entry.happened_at,
                    "written_at": entry.written_at,
                    "actor": entry.actor,
                    "refers_to": entry.refers_to,
                    "facts": dict(entry.facts),
                    "note": entry.note,
                    "commitment": commitment,
                }
                for entry, commitment in zip(entries, commitments, strict=True)
            ],
        )


def find_entry(session: Session, entry_id: int, *, to_strike: bool = False) -> Entry | None:
    """One entry, or None. With `to_strike` whoever else wants to strike it waits until the transaction ends."""
    if entry_id > HIGHEST_ID:
        return None
    chosen = _ENTRIES.where(LedgerEntry.id == entry_id)
    row = session.execute(chosen.with_for_update() if to_strike else chosen).first()
    return None if row is None else entry_of(row)


def list_entries_of(
    session: Session, *, worker_ids: Collection[int] | None, spell_ids: Collection[int] | None
) -> list[Entry]:
    """The entries that are of one of these people and of one of these spells, in order of id; None is no condition."""
    if worker_ids is None and spell_ids is None:
        return [entry_of(row) for row in session.execute(_ENTRIES.order_by(LedgerEntry.id))]
    by = LedgerEntry.spell_id if worker_ids is None else LedgerEntry.worker_id
    numbers = sorted({*(worker_ids if worker_ids is not None else spell_ids or ())})
    wanted = None if spell_ids is None else frozenset(spell_ids)
    found = [
        entry_of(row)
        for start in range(0, len(numbers), _NUMBERS_AT_ONCE)
        for row in session.execute(_ENTRIES.where(by.in_(numbers[start : start + _NUMBERS_AT_ONCE])))
        if wanted is None or row.spell_id in wanted
    ]
    return sorted(found, key=lambda entry: entry.id)


def list_entries_written(session: Session, *, since: datetime, until: datetime) -> list[Entry]:
    """The entries written in a stretch of time, its end not included, and every later strike; in order of id."""
    chosen = _ENTRIES.where(LedgerEntry.written_at >= since).where(
        or_(LedgerEntry.written_at < until, LedgerEntry.kind == EntryKind.STRIKE)
    )
    return [entry_of(row) for row in session.execute(chosen.order_by(LedgerEntry.id))]


def find_committed(session: Session, entry_id: int) -> tuple[Entry, str] | None:
    """One entry and its commitment, or None."""
    if entry_id > HIGHEST_ID:
        return None
    row = session.execute(_COMMITTED.where(LedgerEntry.id == entry_id)).first()
    return None if row is None else (entry_of(row), row.commitment)


def list_commitments(session: Session, entry_ids: Collection[int]) -> dict[int, str]:
    """The commitments of entries by their ids."""
    numbers = sorted({*entry_ids})
    return {
        entry_id: commitment
        for start in range(0, len(numbers), _NUMBERS_AT_ONCE)
        for entry_id, commitment in session.execute(
            select(LedgerEntry.id, LedgerEntry.commitment).where(
                LedgerEntry.id.in_(numbers[start : start + _NUMBERS_AT_ONCE])
            )
        )
    }


def list_erasures(session: Session, worker_ids: Collection[int] | None = None) -> list[tuple[Entry, str]]:
    """The entries that tell of erasures, of these people or of everybody, each with its commitment."""
    chosen = _COMMITTED.where(LedgerEntry.kind == EntryKind.ERASURE).order_by(LedgerEntry.id)
    if worker_ids is not None:
        chosen = chosen.where(LedgerEntry.worker_id.in_(worker_ids))
    return [(entry_of(row), row.commitment) for row in session.execute(chosen)]


def find_strike(session: Session, entry_id: int) -> Entry | None:
    """The entry that strikes this one, or None."""
    chosen = _ENTRIES.where(LedgerEntry.refers_to == entry_id, LedgerEntry.kind == EntryKind.STRIKE)
    row = session.execute(chosen.order_by(LedgerEntry.id).limit(1)).first()
    return None if row is None else entry_of(row)


def entry_of(row: Sequence[Any]) -> Entry:
    """The entry in a row that begins with the columns of `Entry`."""
    return Entry(**dict(zip(_NAMES, row, strict=False)))


# --- keys -------------------------------------------------------------------------------------------------------------


def find_keys(session: Session, worker_ids: Iterable[int], *, to_write: bool = False) -> dict[int, str]:
    """The sealed keys of these people, of those who have one.

    With `to_write` they stay until the transaction ends: whoever destroys one waits and then sees what was written.
    """
    numbers = sorted({*worker_ids})
    found: dict[int, str] = {}
    for start in range(0, len(numbers), _NUMBERS_AT_ONCE):
        chosen = select(LedgerKey.worker_id, LedgerKey.sealed).where(
            LedgerKey.worker_id.in_(numbers[start : start + _NUMBERS_AT_ONCE])
        )
        if to_write:
            chosen = chosen.order_by(LedgerKey.worker_id).with_for_update(read=True, key_share=True)
        found.update((worker_id, sealed) for worker_id, sealed in session.execute(chosen))
    return found


def add_keys(session: Session, sealed: Mapping[int, str]) -> None:
    """Store keys; where another process was first, its key stays, so whoever adds reads afterwards."""
    if not sealed:
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    # In one order, so that two who add at once do not wait for each other.
    rows = [{"worker_id": worker_id, "sealed": key} for worker_id, key in sorted(sealed.items())]
    session.connection().execute(dialect.insert(LedgerKey).on_conflict_do_nothing(), rows)


def lock_key(session: Session, worker_id: int) -> bool:
    """Whether a person has a key; nobody writes under it any more until the transaction ends."""
    chosen = select(LedgerKey.worker_id).where(LedgerKey.worker_id == worker_id).with_for_update()
    return session.execute(chosen).first() is not None


def delete_key(session: Session, worker_id: int) -> None:
    """Destroy a person's key. What was sealed under it cannot be read again."""
    session.execute(delete(LedgerKey).where(LedgerKey.worker_id == worker_id))


# --- the tree ---------------------------------------------------------------------------------------------------------


def take_turn(session: Session) -> None:
    """Nobody else puts entries into the tree until the transaction ends."""
    # On SQLite whoever may write is alone anyway.
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_SEQUENCING_LOCK)))


def list_waiting(session: Session, *, after: int | None, limit: int) -> list[tuple[Entry, str]]:
    """Entries without a leaf, of which the id is greater than `after`, in order of id, each with its commitment."""
    chosen = (
        _COMMITTED.outerjoin(LedgerLeaf, LedgerLeaf.entry_id == LedgerEntry.id)
        .where(LedgerLeaf.entry_id.is_(None))
        .order_by(LedgerEntry.id)
        .limit(limit)
    )
    if after is not None:
        chosen = chosen.where(LedgerEntry.id > after)
    # On the connection: the session would look at each row by itself.
    return [(entry_of(row), row.commitment) for row in session.connection().execute(chosen)]


def tree_size(session: Session) -> int:
    """How many leaves the tree has."""
    last = session.scalar(select(func.max(LedgerLeaf.position)))
    return 0 if last is None else last + 1


def find_hashes(session: Session, subtrees: Collection[Subtree]) -> dict[Subtree, bytes]:
    """The hashes of whole subtrees, of those that are stored; level 0 are leaves."""
    leaves = [position for level, position in subtrees if level == 0]
    nodes = [(level, position) for level, position in subtrees if level > 0]
    found: dict[Subtree, bytes] = {}
    if leaves:
        chosen = select(LedgerLeaf.position, LedgerLeaf.hash).where(LedgerLeaf.position.in_(leaves))
        found |= {(0, position): bytes.fromhex(hash_) for position, hash_ in session.execute(chosen)}
    if nodes:
        table = select(LedgerNode.level, LedgerNode.position, LedgerNode.hash)
        of = [and_(LedgerNode.level == level, LedgerNode.position == position) for level, position in nodes]
        found |= {(level, at): bytes.fromhex(hash_) for level, at, hash_ in session.execute(table.where(or_(*of)))}
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlace:
    """A leaf as it is stored, hash and signature in hex, and its entry, if that is there."""

    position: int
    hash: str
    signature: str
    entry: Entry | None
    commitment: str | None


def list_places(session: Session, *, after: int | None, limit: int) -> list[StoredPlace]:
    """Leaves behind a position, in order of position, with their entries."""
    chosen = (
        _PLACED.outerjoin_from(LedgerLeaf, LedgerEntry, LedgerEntry.id == LedgerLeaf.entry_id)
        .order_by(LedgerLeaf.position)
        .limit(limit)
    )
    if after is not None:
        chosen = chosen.where(LedgerLeaf.position > after)
    return [
        StoredPlace(
            position=row.position,
            hash=row.hash,
            signature=row.signature,
            entry=None if row.id is None else entry_of(row),
            commitment=row.commitment,
        )
        for row in session.connection().execute(chosen)
    ]


def find_leaf(session: Session, entry_id: int) -> LedgerLeaf | None:
    """The leaf of an entry; None if it has none yet."""
    return session.scalars(select(LedgerLeaf).where(LedgerLeaf.entry_id == entry_id)).first()


def list_nodes(session: Session, level: int, first: int, last: int) -> dict[int, str]:
    """The hashes, in hex, that are stored at one level from a position to another, both included."""
    chosen = select(LedgerNode.position, LedgerNode.hash).where(
        LedgerNode.level == level, LedgerNode.position.between(first, last)
    )
    return {row.position: row.hash for row in session.execute(chosen)}


def first_node_beyond(session: Session, size: int) -> Subtree | None:
    """Level and position of the first stored subtree that is no whole one of a tree of `size` leaves."""
    levels = range(1, size.bit_length() + 1)
    is_whole = or_(
        false(),
        *(and_(LedgerNode.level == level, LedgerNode.position.between(0, (size >> level) - 1)) for level in levels),
    )
    chosen = select(LedgerNode.level, LedgerNode.position).where(~is_whole)
    row = session.execute(chosen.order_by(LedgerNode.level, LedgerNode.position).limit(1)).first()
    return None if row is None else (row.level, row.position)


def add_leaves(session: Session, leaves: Sequence[tuple[int, int, bytes, bytes]]) -> None:
    """Store leaves: position, id of the entry, hash, signature."""
    session.connection().execute(
        insert(LedgerLeaf),
        [
            {"position": position, "entry_id": entry_id, "hash": hash_.hex(), "signature": signature.hex()}
            for position, entry_id, hash_, signature in leaves
        ],
    )


def add_nodes(session: Session, nodes: Sequence[tuple[int, int, bytes]]) -> None:
    """Store the hashes of subtrees that have become whole: level, position, hash."""
    if nodes:
        session.connection().execute(
            insert(LedgerNode),
            [{"level": level, "position": position, "hash": hash_.hex()} for level, position, hash_ in nodes],
        )


def add_checkpoint(session: Session, *, size: int, root: bytes, signed_at: datetime, note: str) -> None:
    """Store a checkpoint as it is published."""
    row = {"size": size, "root": root.hex(), "signed_at": signed_at, "note": note}
    session.execute(insert(LedgerCheckpoint).values(**row))


def newest_checkpoint(session: Session) -> LedgerCheckpoint | None:
    """The checkpoint of the largest tree."""
    return session.scalars(select(LedgerCheckpoint).order_by(LedgerCheckpoint.size.desc()).limit(1)).first()


def list_checkpoints(session: Session) -> list[LedgerCheckpoint]:
    """All checkpoints, the smallest tree first."""
    return list(session.scalars(select(LedgerCheckpoint).order_by(LedgerCheckpoint.size)))


_NAMES = tuple(each.name for each in fields(Entry))
_ENTRIES: Select[Any] = select(*(LedgerEntry.__table__.c[name] for name in _NAMES))
_COMMITTED: Select[Any] = select(*(LedgerEntry.__table__.c[name] for name in _NAMES), LedgerEntry.commitment)
_PLACED: Select[Any] = select(
    *(LedgerEntry.__table__.c[name] for name in _NAMES),
    *(LedgerEntry.commitment, LedgerLeaf.position, LedgerLeaf.hash, LedgerLeaf.signature),
)
