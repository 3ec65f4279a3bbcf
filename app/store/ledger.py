"""The ledger's tables. An entry can be appended, nothing else: the database itself refuses UPDATE and DELETE.

An entry that is committed becomes a leaf of one Merkle tree (RFC 6962) when the sequencer gets to it, later and in a
transaction of its own. Only this module touches these tables.

What is checked is read as it is stored, past the columns' types: they refuse a value that no entry has, and with it all
other entries of the statement.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Index,
    Select,
    String,
    Text,
    and_,
    delete,
    exists,
    false,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from app.domain.entries import check_facts, check_text, columns, unreadable_columns
from app.domain.ledger import Channel, Entry, EntryKind, Grade
from app.domain.merkle_trees import Subtree
from app.kit.database import HIGHEST_ID, Base, Json, as_stored, list_stored
from app.kit.errors import Conflict, Invalid

_NUMBERS_AT_ONCE = 10_000  # SQLite takes 32,766 parameters

# Whoever puts entries into the tree holds this advisory lock on PostgreSQL. The number only has to be one that nobody
# else in this database uses.
_SEQUENCING_LOCK = 4_610_239
# Whoever strikes an entry holds this one, with the entry's number beside it.
_STRIKING_LOCK = 4_610_240


class LedgerSpoilt(Conflict):
    """An entry holds what no entry can hold: somebody has changed it past the program."""

    code = "ledger_spoilt"
    title = "台账里有条目读不出来，像是被人改动过：请先运行 jiujin ledger verify，它会指出是哪一条"


class LedgerEntry(Base):
    """One entry; the columns are those of `domain.ledger.Entry`.

    `commitment` is a keyed digest of all of them. Neither person nor spell is a foreign key: entries outlive whoever
    is erased.
    """

    __tablename__ = "ledger"
    __table_args__ = (
        Index("ix_ledger_audit", "id", sqlite_where=text("kind = 'audit'"), postgresql_where=text("kind = 'audit'")),
    )

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


class TakenPlace(Base):
    """Which entries hold a place of which posting, so that they are found; that one is struck is seen on reading."""

    __tablename__ = "taken_places"

    posting_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """A row of `ledger` as it stands there, whoever put it there.

    Attributes:
        id: its number.
        entry: what the row tells; None if a column holds what no entry holds.
        columns: all columns but the commitment, as `domain.entries` writes them down; of a row that is no entry as it
            tells such a row.
        commitment: as it stands there; what is no text is quoted, and so no commitment.
    """

    id: int
    entry: Entry | None
    columns: dict[str, Any]
    commitment: str


class LedgerKey(Base):
    """The key of one person's commitments and notes, sealed; 0 is the office's own. Without it nothing opens."""

    __tablename__ = "ledger_keys"

    worker_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sealed: Mapped[str] = mapped_column(String(500))


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
    """Append entries whose ids are known, each with its commitment, and note the places that are taken by them."""
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
    taken = [(entry.takes_place_of, entry.id) for entry in entries if entry.takes_place_of is not None]
    if taken:
        rows = [{"posting_id": posting_id, "entry_id": entry_id} for posting_id, entry_id in taken]
        session.connection().execute(insert(TakenPlace), rows)


def list_takers(session: Session, posting_ids: Collection[int], *, at: datetime | None = None) -> dict[int, set[int]]:
    """Of each of these postings the people who hold a place by an entry that is not struck; nobody, no row.

    `at` leaves out whoever was given theirs only after an instant.
    """
    numbers, found = sorted({*posting_ids}), dict[int, set[int]]()
    strike = aliased(LedgerEntry)
    is_struck_now = exists().where(strike.refers_to == LedgerEntry.id, strike.kind == EntryKind.STRIKE)
    for start in range(0, len(numbers), _NUMBERS_AT_ONCE):
        chosen = (
            select(TakenPlace.posting_id, LedgerEntry.worker_id)
            .join(LedgerEntry, LedgerEntry.id == TakenPlace.entry_id)
            .where(TakenPlace.posting_id.in_(numbers[start : start + _NUMBERS_AT_ONCE]), ~is_struck_now)
        )
        if at is not None:
            chosen = chosen.where(LedgerEntry.happened_at <= at)
        for posting_id, worker_id in session.execute(chosen):
            if worker_id is not None:
                found.setdefault(posting_id, set()).add(worker_id)
    return found


def find_entry(session: Session, entry_id: int, *, to_strike: bool = False) -> Entry | None:
    """One entry, or None. With `to_strike` whoever else wants to strike it waits until the transaction ends."""
    if entry_id > HIGHEST_ID:
        return None
    # On SQLite whoever may write is alone anyway. Not the row itself: to lock it one must be allowed to change it.
    if to_strike and session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_STRIKING_LOCK, entry_id)))
    found = _read(session, _ENTRIES.where(LedgerEntry.id == entry_id))
    return found[0] if found else None


def list_entries_of(
    session: Session, *, worker_ids: Collection[int] | None, spell_ids: Collection[int] | None
) -> list[Entry]:
    """The entries that are of one of these people and of one of these spells, in order of id; None is no condition."""
    if worker_ids is None and spell_ids is None:
        return _read(session, _ENTRIES.order_by(LedgerEntry.id))
    by = LedgerEntry.spell_id if worker_ids is None else LedgerEntry.worker_id
    numbers = sorted({*(worker_ids if worker_ids is not None else spell_ids or ())})
    wanted = None if spell_ids is None else frozenset(spell_ids)
    found = [
        entry
        for start in range(0, len(numbers), _NUMBERS_AT_ONCE)
        for entry in _read(session, _ENTRIES.where(by.in_(numbers[start : start + _NUMBERS_AT_ONCE])))
        if wanted is None or entry.spell_id in wanted
    ]
    return sorted(found, key=lambda entry: entry.id)


def list_entries_written(session: Session, *, since: datetime, until: datetime) -> list[Entry]:
    """The entries written in a stretch of time, its end not included, and every later strike; in order of id."""
    chosen = _ENTRIES.where(LedgerEntry.written_at >= since).where(
        or_(LedgerEntry.written_at < until, LedgerEntry.kind == EntryKind.STRIKE)
    )
    return _read(session, chosen.order_by(LedgerEntry.id))


def find_stored(session: Session, entry_id: int) -> StoredEntry | None:
    """One entry as it is stored, or None."""
    if entry_id > HIGHEST_ID:
        return None
    found = _list_stored_entries(session, select(*_stored(session)).where(LedgerEntry.id == entry_id))
    return found[0] if found else None


def list_audit_seals(session: Session, *, newest: int | None = None) -> list[StoredEntry]:
    """The entries that seal the audit as they are stored, in order of id; with `newest` the last so many alone."""
    # In so many words, or SQLite does not see that the small index serves.
    chosen = select(*_stored(session)).where(text("kind = 'audit'"))
    if newest is None:
        return _list_stored_entries(session, chosen.order_by(LedgerEntry.id))
    return _list_stored_entries(session, chosen.order_by(LedgerEntry.id.desc()).limit(newest))[::-1]


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


def list_stored_of(
    session: Session, kinds: Collection[EntryKind], worker_ids: Collection[int] | None = None
) -> list[StoredEntry]:
    """The entries of these kinds as they are stored, of these people or of everybody, in order of id."""
    chosen = select(*_stored(session)).where(LedgerEntry.kind.in_(kinds)).order_by(LedgerEntry.id)
    if worker_ids is not None:
        chosen = chosen.where(LedgerEntry.worker_id.in_(worker_ids))
    return _list_stored_entries(session, chosen)


def find_strike(session: Session, entry_id: int) -> Entry | None:
    """The entry that strikes this one, or None."""
    chosen = _ENTRIES.where(LedgerEntry.refers_to == entry_id, LedgerEntry.kind == EntryKind.STRIKE)
    found = _read(session, chosen.order_by(LedgerEntry.id).limit(1))
    return found[0] if found else None


def _read(session: Session, chosen: Select[Any]) -> list[Entry]:
    """The entries that a statement chooses; raises LedgerSpoilt where one cannot be read."""
    try:
        return [entry_of(row) for row in session.execute(chosen)]
    except (LookupError, TypeError, ValueError):
        # The columns' types refuse what this program has never written.
        raise LedgerSpoilt from None


def entry_of(row: Sequence[Any]) -> Entry:
    """The entry in a row that begins with the columns of `Entry`."""
    return Entry(**dict(zip(_NAMES, row, strict=False)))


def _stored(session: Session) -> list[ColumnElement[Any]]:
    """The columns that `_stored_entry` reads, before all others."""
    table = LedgerEntry.__table__
    return [as_stored(session, table.c[name]).label(name) for name in (*_NAMES, "commitment")]


def _list_stored_entries(session: Session, chosen: Select[Any]) -> list[StoredEntry]:
    zone = _zone(session)
    return [_stored_entry(row, zone=zone) for row in list_stored(session, chosen)]


def _zone(session: Session) -> str:
    """How instants end as they are stored."""
    return "+00" if session.get_bind().dialect.name == "postgresql" else ""


def _stored_entry(row: Sequence[Any], *, zone: str) -> StoredEntry:
    values = dict(zip(_NAMES, row, strict=False))
    try:
        entry = _read_entry(values, zone=zone)
    except (TypeError, ValueError, RecursionError, Invalid):
        entry = None
    return StoredEntry(
        id=values["id"],
        entry=entry,
        columns=unreadable_columns(values) if entry is None else columns(entry),
        commitment=_text_or_quote(row[len(_NAMES)]),
    )


def _read_entry(values: Mapping[str, Any], *, zone: str) -> Entry:
    """The entry in a row as it is stored. Raises TypeError, ValueError or Invalid if it is none."""
    channel, evidence, note = values["channel"], values["evidence"], values["note"]
    return Entry(
        id=values["id"],
        kind=EntryKind(values["kind"]),
        worker_id=_read_number(values["worker_id"]),
        spell_id=_read_number(values["spell_id"]),
        channel=None if channel is None else Channel(channel),
        evidence=None if evidence is None else Grade(evidence),
        happened_at=_read_instant(values["happened_at"], zone=zone),
        written_at=_read_instant(values["written_at"], zone=zone),
        actor=check_text(values["actor"]),
        refers_to=_read_number(values["refers_to"]),
        facts=check_facts(json.loads(check_text(values["facts"]), object_pairs_hook=_each_once)),
        note=None if note is None else check_text(note),
    )


def _read_number(stored: object) -> int | None:
    if stored is None or type(stored) is int:
        return stored
    raise TypeError("no number")


def _read_instant(stored: object, *, zone: str) -> datetime:
    told = check_text(stored)
    instant = datetime.fromisoformat(told.removesuffix(zone))
    # PostgreSQL leaves zeros at the end out. SQLite keeps what it is given, and compares it letter by letter.
    is_ours = told.endswith(zone) if zone else instant.isoformat(sep=" ", timespec="microseconds") == told
    if instant.tzinfo is not None or not is_ours:
        raise ValueError("not the spelling of an instant")
    return instant.replace(tzinfo=UTC)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a name twice, of which readers take different ones")
    return document


def _text_or_quote(stored: object) -> str:
    try:
        return check_text(stored)
    except (TypeError, Invalid):
        return ascii(stored)


# --- keys -------------------------------------------------------------------------------------------------------------


def find_keys(session: Session, worker_ids: Iterable[int], *, to_write: bool = False) -> dict[int, str]:
    """The sealed keys of these people, of those who have one.

    With `to_write` they stay until the transaction ends: whoever destroys one waits and then sees what was written.
    """
    numbers = sorted({*worker_ids})
    found: dict[int, str] = {}
    for start in range(0, len(numbers), _NUMBERS_AT_ONCE):
        chosen = select(LedgerKey.worker_id, as_stored(session, LedgerKey.__table__.c.sealed)).where(
            LedgerKey.worker_id.in_(numbers[start : start + _NUMBERS_AT_ONCE])
        )
        if to_write:
            chosen = chosen.order_by(LedgerKey.worker_id).with_for_update(read=True, key_share=True)
        found.update((worker_id, _text_or_quote(sealed)) for worker_id, sealed in list_stored(session, chosen))
    return found


def add_keys(session: Session, sealed: Mapping[int, str]) -> None:
    """Store keys; where another process was first, its key stays, so whoever adds reads afterwards."""
    if not sealed:
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    # In one order, so that two who add at once do not wait for each other.
    rows = [{"worker_id": worker_id, "sealed": key} for worker_id, key in sorted(sealed.items())]
    session.connection().execute(dialect.insert(LedgerKey).on_conflict_do_nothing(), rows)


def count_keys_behind(session: Session, *, today: str) -> int:
    """How many keys are wrapped otherwise than what begins so."""
    chosen = select(func.count()).select_from(LedgerKey)
    return session.scalar(chosen.where(~LedgerKey.sealed.startswith(today, autoescape=True))) or 0


def list_keys_behind(session: Session, *, after: int, limit: int, today: str) -> dict[int, str]:
    """The next of these keys behind a person's id."""
    chosen = (
        select(LedgerKey.worker_id, LedgerKey.sealed)
        .where(LedgerKey.worker_id > after, ~LedgerKey.sealed.startswith(today, autoescape=True))
        .order_by(LedgerKey.worker_id)
        .limit(limit)
    )
    return {row.worker_id: row.sealed for row in session.execute(chosen)}


def replace_key(session: Session, worker_id: int, *, before: str, sealed: str) -> None:
    """Store a key wrapped anew, if it still stands there as before: one that was destroyed must not come back."""
    standing = update(LedgerKey).where(LedgerKey.worker_id == worker_id, LedgerKey.sealed == before)
    session.execute(standing.values(sealed=sealed))


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


def list_waiting(session: Session, *, after: int | None, limit: int, up_to: int | None = None) -> list[StoredEntry]:
    """Entries without a leaf, of ids greater than `after` and `up_to` at most, in order of id, as they are stored."""
    is_its_leaf = [LedgerLeaf.entry_id == LedgerEntry.id]
    of = []
    # The leaves are bounded as well, else a few entries are compared with all leaves that there are.
    if after is not None:
        is_its_leaf.append(LedgerLeaf.entry_id > after)
        of.append(LedgerEntry.id > after)
    if up_to is not None:
        is_its_leaf.append(LedgerLeaf.entry_id <= up_to)
        of.append(LedgerEntry.id <= up_to)
    chosen = (
        select(*_stored(session))
        .outerjoin_from(LedgerEntry, LedgerLeaf, and_(*is_its_leaf))
        .where(LedgerLeaf.entry_id.is_(None), *of)
        .order_by(LedgerEntry.id)
        .limit(limit)
    )
    return _list_stored_entries(session, chosen)


def last_sequenced(session: Session) -> int:
    """The greatest id of an entry that has a leaf; 0 where none has."""
    (last,) = list_stored(session, select(func.max(LedgerLeaf.entry_id)))[0]
    return last if isinstance(last, int) else 0


def tree_size(session: Session) -> int | None:
    """How many leaves the tree has; None if the last one is at no whole number, which SQLite allows."""
    (last,) = list_stored(session, select(func.max(LedgerLeaf.position)))[0]
    if last is None:
        return 0
    return last + 1 if isinstance(last, int) else None


def find_hashes(session: Session, subtrees: Collection[Subtree]) -> dict[Subtree, bytes]:
    """The hashes of whole subtrees, of those that are stored; level 0 are leaves."""
    leaves = [position for level, position in subtrees if level == 0]
    nodes = [(level, position) for level, position in subtrees if level > 0]
    found: dict[Subtree, bytes] = {}
    if leaves:
        chosen = select(LedgerLeaf.position, as_stored(session, LedgerLeaf.__table__.c.hash))
        rows = list_stored(session, chosen.where(LedgerLeaf.position.in_(leaves)))
        found |= {(0, position): hash_ for position, stored in rows if (hash_ := read_hash(stored)) is not None}
    if nodes:
        table = select(LedgerNode.level, LedgerNode.position, as_stored(session, LedgerNode.__table__.c.hash))
        of = [and_(LedgerNode.level == level, LedgerNode.position == position) for level, position in nodes]
        rows = list_stored(session, table.where(or_(*of)))
        found |= {(level, at): hash_ for level, at, stored in rows if (hash_ := read_hash(stored)) is not None}
    return found


def read_hash(stored: object) -> bytes | None:
    """The hash in a column; None if none stands there."""
    try:
        return bytes.fromhex(check_text(stored))
    except (TypeError, ValueError, Invalid):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlace:
    """A leaf as it is stored, hash and signature in hex, and its entry, if that is there.

    What is no text is quoted, and `position` may be what SQLite stores in place of a whole number.
    """

    position: Any
    hash: str
    signature: str
    stored: StoredEntry | None


def list_places(session: Session, *, after: int | None, limit: int) -> list[StoredPlace]:
    """Leaves behind a position, in order of position, with their entries."""
    leaf = LedgerLeaf.__table__.c
    chosen = (
        select(
            *_stored(session),
            leaf.position,
            as_stored(session, leaf.hash).label("hash"),
            as_stored(session, leaf.signature).label("signature"),
        )
        .outerjoin_from(LedgerLeaf, LedgerEntry, LedgerEntry.id == LedgerLeaf.entry_id)
        .order_by(LedgerLeaf.position)
        .limit(limit)
    )
    if after is not None:
        chosen = chosen.where(LedgerLeaf.position > after)
    zone = _zone(session)
    return [
        StoredPlace(
            position=row.position,
            hash=_text_or_quote(row.hash),
            signature=_text_or_quote(row.signature),
            stored=None if row.id is None else _stored_entry(row, zone=zone),
        )
        for row in list_stored(session, chosen)
    ]


def find_leaf(session: Session, entry_id: int) -> LedgerLeaf | None:
    """The leaf of an entry; None if it has none yet."""
    return session.scalars(select(LedgerLeaf).where(LedgerLeaf.entry_id == entry_id)).first()


def list_nodes(session: Session, level: int, first: int, last: int) -> dict[int, bytes | None]:
    """What is stored at one level from a position to another, both included; None for what is no hash."""
    chosen = select(LedgerNode.position, as_stored(session, LedgerNode.__table__.c.hash)).where(
        LedgerNode.level == level, LedgerNode.position.between(first, last)
    )
    return {position: read_hash(stored) for position, stored in list_stored(session, chosen)}


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


def newest_checkpoint(session: Session) -> str | None:
    """The checkpoint of the largest tree as it is published; None while nothing is signed."""
    rows = list_stored(session, _notes(session).order_by(LedgerCheckpoint.size.desc()).limit(1))
    return _text_or_quote(rows[0].note) if rows else None


def find_newest_signing(session: Session) -> datetime | None:
    """When the checkpoint of the largest tree was signed, as the database says, which vouches for no time.

    Raises:
        ValueError: what stands there is no time.
    """
    return session.scalar(select(LedgerCheckpoint.signed_at).order_by(LedgerCheckpoint.size.desc()).limit(1))


def list_checkpoints(session: Session) -> list[str]:
    """All checkpoints as they are published, the smallest tree first. What is no text is quoted, and so none."""
    return [_text_or_quote(row.note) for row in list_stored(session, _notes(session).order_by(LedgerCheckpoint.size))]


def _notes(session: Session) -> Select[Any]:
    return select(as_stored(session, LedgerCheckpoint.__table__.c.note).label("note"))


_NAMES = tuple(each.name for each in fields(Entry))
_ENTRIES: Select[Any] = select(*(getattr(LedgerEntry, name) for name in _NAMES))
