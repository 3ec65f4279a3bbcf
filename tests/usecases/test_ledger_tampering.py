"""Whoever owns the database and has no key changes nothing in the ledger unnoticed, and the first bad entry is named.

Two thousand acts of such a superuser, a fifth of them on PostgreSQL: each one is tried on its own, in a transaction
that is rolled back, and held against the last checkpoint that was kept outside.
"""

import json
import os
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import ColumnElement, Engine, Table, delete, insert, literal_column, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from app.domain.entries import canonical_json, leaf_data
from app.domain.ledger import Channel, EntryKind, Grade
from app.domain.merkle_trees import grow, leaf_hash
from app.domain.spells import SpellEnd, SpellSource
from app.domain.workers import Evidence, Status, WorkerOrigin
from app.kit.database import Base, write_session
from app.kit.keys import KeyRing
from app.store.ledger import StoredEntry, list_places
from app.store.workers import Worker, add_workers
from app.usecases.ledger import EntryDraft, append_entries, erase_person, strike_entry
from app.usecases.ledger_exports import export_lines, first_wrong_node
from app.usecases.sequencing import newest_note, sequence_entries, signer_of
from app.usecases.spell_proofs import first_wrong_spell
from app.usecases.spells import close_spell, open_spells
from ledger_check.books import Report, check_book

# What the database's owner could do is done here: past its triggers.
pytestmark = pytest.mark.owner

NOW = datetime(2026, 12, 1, 2, 0, 0, 123456, tzinfo=UTC)
TABLES = tuple(
    Base.metadata.tables[name]
    for name in ("ledger", "ledger_leaves", "ledger_nodes", "ledger_checkpoints", "ledger_keys", "spells")
)
ENTRIES, LEAVES, NODES, CHECKPOINTS, KEYS, SPELLS = TABLES
TODAY = date(2026, 12, 1)
DAY = timedelta(days=1)
ERASED = 4
ERASURE = EntryKind.ERASURE

Row = dict[str, Any]
Dump = dict[str, list[Row]]


@dataclass(frozen=True)
class Wrong:
    """What a check must name first: a position, an entry without one, a stored subtree, a spell, or some checkpoint."""

    kind: str
    at: Any = None


@dataclass
class Scene:
    """A ledger with strikes, notes and an erased person, older dumps of it, and the last checkpoint kept outside."""

    keys: KeyRing
    dumps: list[Dump]
    kept: str
    waiting: list[int]

    @property
    def now(self) -> Dump:
        return self.dumps[-1]

    @property
    def size(self) -> int:
        return len(self.now["ledger_leaves"])

    def entry_at(self, position: int) -> Row:
        entry_id = self.now["ledger_leaves"][position]["entry_id"]
        return next(row for row in self.now["ledger"] if row["id"] == entry_id)

    def positions(self, wanted: Callable[[Row], bool]) -> list[int]:
        return [position for position in range(self.size) if wanted(self.entry_at(position))]


def draft(number: int, **given: Any) -> EntryDraft:
    values: dict[str, Any] = {
        "kind": [EntryKind.GUIDANCE, EntryKind.BRIEFING, EntryKind.PUSH, EntryKind.TRAINING][number % 4],
        "worker_id": 1 + number % 4,
        "spell_id": 11 + number % 4,
        "channel": [Channel.CALL, Channel.SMS, None][number % 3],
        "evidence": [Grade.C, Grade.B, None][number % 3],
        "happened_at": NOW - timedelta(hours=number),
        "now": NOW,
        "actor": f"broker/{number % 3}",
        "facts": {"minutes": number, "reasons": ["离家近"]},
        "note": "电话里说想去县城" if number % 2 else None,
        **given,
    }
    return EntryDraft(**values)


def dump(session: Session) -> Dump:
    return {
        table.name: [dict(row._mapping) for row in session.execute(select(table).order_by(*table.primary_key))]
        for table in TABLES
    }


def register(session: Session, keys: KeyRing) -> None:
    """Everybody has a spell, and one of these is closed."""
    people = range(1, ERASED + 1)
    add_workers(
        session,
        [
            {
                "id": number,
                "birth_on": date(1970, 1, number),
                "sex": None,
                "home_area_code": "500237102",
                "wants": [],
                "origin": WorkerOrigin.GENERATED,
                "created_at": NOW,
                "updated_at": NOW,
            }
            for number in people
        ],
        [
            {"worker_id": number, "status": status, "evidence": Evidence.CERTIFIED, "valid_from": date(2020, 1, 1)}
            for number in people
            for status in (Status.REGISTERED_UNEMPLOYED, Status.POVERTY_ALLEVIATED)
        ],
    )
    common: dict[str, Any] = {"actor": "clerk/1", "now": NOW, "keys": keys}
    opened = open_spells(session, people, source=SpellSource.CLERK, on=TODAY - 9 * DAY, **common)
    close_spell(session, opened[1], end=SpellEnd.EMPLOYED, on=TODAY, **common)


def build(engine: Engine, keys: KeyRing) -> Scene:
    dumps: list[Dump] = []
    kept: str | None = None
    with write_session(engine) as session:
        register(session, keys)
    for step, count in enumerate((3, 6, 1, 5, 6, 0)):
        with write_session(engine) as session:
            start = 10 * step
            # Of whom is erased nothing more is written.
            people = ERASED if step < 4 else ERASED - 1
            drafts = [draft(start + number, worker_id=1 + number % people) for number in range(count)]
            written = append_entries(session, drafts, keys=keys)
            if step == 1:
                strike_entry(session, written[2].id, why="登错了", actor="clerk/1", now=NOW, keys=keys)
            if step == 3:
                erase_person(session, ERASED, actor="clerk/1", now=NOW, keys=keys)
                session.execute(delete(Worker).where(Worker.id == ERASED))
            if step == 4:
                append_entries(session, [draft(7, worker_id=None, spell_id=None, note=None)], keys=keys)
        with write_session(engine) as session:
            sequence_entries(session, after=0, limit=99, outside=kept, now=NOW, keys=keys)
            dumps.append(dump(session))
            kept = newest_note(session)
    with write_session(engine) as session:
        drafts = [draft(number, worker_id=1 + number % 3) for number in range(3)]
        waiting = [entry.id for entry in append_entries(session, drafts, keys=keys)]
        dumps[-1] = dump(session)
    assert kept is not None
    return Scene(keys, dumps, kept, waiting)


def check(session: Session, scene: Scene) -> tuple[Report, Wrong | None]:
    """What the export tells, and what is wrong beside it."""
    lines = [orjson.dumps(line) for line in export_lines(session, keys=scene.keys)]
    report = check_book(lines, checkpoints=[scene.kept], keys=signer_of(scene.keys).told_keys, from_service=True)
    node, spell = first_wrong_node(session), first_wrong_spell(session, keys=scene.keys)
    if node is not None:
        return report, Wrong("node", node)
    return report, None if spell is None else Wrong("spell", spell.spell_id)


def found(report: Report, beside: Wrong | None) -> Wrong | None:
    """What the check names first."""
    if report.first is None:
        return beside
    if report.first.position is not None:
        return Wrong("position", report.first.position)
    return Wrong("checkpoint") if report.first.entry_id is None else Wrong("entry", report.first.entry_id)


# --- what a superuser can do ------------------------------------------------------------------------------------------


class Superuser:
    """Somebody with every right in the database, the source code, and no key."""

    def __init__(self, session: Session, scene: Scene, rng: random.Random) -> None:
        self.session, self.scene, self.rng = session, scene, rng
        self.leaves = [dict(row) for row in scene.now["ledger_leaves"]]
        self.position = rng.randrange(scene.size)
        self.entry = scene.entry_at(self.position)
        self.other_position = rng.choice([at for at in range(scene.size) if at != self.position])
        self.other = scene.entry_at(self.other_position)
        self.fresh_id = max(row["id"] for row in scene.now["ledger"]) + rng.randrange(1, 9)
        self.is_clever = rng.random() < 0.6

    def execute(self, statement: Any, rows: list[Row] | None = None) -> None:
        self.session.connection().execute(statement, rows)

    def change(self, table: Table, row: Row, **values: Any) -> None:
        key = [column == row[column.name] for column in table.primary_key]
        self.execute(update(table).where(*key).values(**values))

    def remove(self, table: Table, row: Row) -> None:
        self.execute(delete(table).where(*(column == row[column.name] for column in table.primary_key)))

    def replace_leaves(self, leaves: list[Row]) -> None:
        """Leaves in another order, each where it now stands."""
        self.leaves = [{**leaf, "position": position} for position, leaf in enumerate(leaves)]
        self.execute(delete(LEAVES))
        if self.leaves:
            self.execute(insert(LEAVES), self.leaves)

    def cover_up(self) -> None:
        """Make hashes, nodes and checkpoints fit what the tables say now, as far as that goes without a key."""
        hashes = []
        for leaf in list_places(self.session, after=None, limit=99):
            hash_ = bytes.fromhex(leaf.hash)
            if leaf.stored is not None:
                hash_ = told_leaf(leaf.stored)
                self.execute(update(LEAVES).where(LEAVES.c.position == leaf.position).values(hash=hash_.hex()))
            hashes.append(hash_)
        self.execute(delete(NODES))
        if nodes := grow(0, [], hashes)[0]:
            self.execute(
                insert(NODES), [{"level": level, "position": at, "hash": hash_.hex()} for level, at, hash_ in nodes]
            )
        if self.rng.random() < 0.5:
            self.execute(delete(CHECKPOINTS).where(CHECKPOINTS.c.size >= self.rng.randrange(self.scene.size + 1)))

    def named_first(self) -> Wrong:
        return Wrong("position", self.position)

    def edit_entry(self) -> Wrong:
        column = self.rng.choice([column.name for column in ENTRIES.columns])
        value = changed_value(self, column, self.entry)
        if column == "id":
            self.change(ENTRIES, self.entry, id=value)
            if self.is_clever:
                self.change(LEAVES, self.leaves[self.position], entry_id=value)
        else:
            self.change(ENTRIES, self.entry, **{column: value})
        if self.is_clever:
            self.cover_up()
        return self.named_first()

    def spoil_entry(self) -> Wrong:
        """Put something into a column that no entry has there, and that the service's own types refuse to read."""
        column, value = spoilt_value(self, self.entry)
        self.change(ENTRIES, self.entry, **{column: value})
        if self.is_clever:
            self.cover_up()
        return self.named_first()

    def spoil_waiting_entry(self) -> Wrong:
        entry_id = self.rng.choice(self.scene.waiting)
        row = next(row for row in self.scene.now["ledger"] if row["id"] == entry_id)
        column, value = spoilt_value(self, row)
        self.change(ENTRIES, row, **{column: value})
        return Wrong("entry", entry_id)

    def spoil_beside_entries(self) -> Wrong:
        """The same with a leaf, a checkpoint or a key."""
        leaf, rng = self.leaves[self.position], self.rng
        spoilt: ColumnElement[Any] = literal_column(
            rng.choice(["'no hash'", "''", *spoilt_texts(self.session, leaf["hash"])])
        )
        match rng.choice(["hash", "signature", "node", "note", "sealed"]):
            case "node":
                node = rng.choice(self.scene.now["ledger_nodes"])
                self.change(NODES, node, hash=spoilt)
                return Wrong("node", (node["level"], node["position"]))
            case "note":
                row = rng.choice(self.scene.now["ledger_checkpoints"])
                self.change(CHECKPOINTS, row, note=spoilt)
                return Wrong("checkpoint")
            case "sealed":
                row = rng.choice(self.scene.now["ledger_keys"])
                self.change(KEYS, row, sealed=spoilt)
                return self.named_without_keys({row["worker_id"]})
            case column:
                self.change(LEAVES, leaf, **{column: spoilt})
        return self.named_first()

    def replace_entry(self) -> Wrong:
        """Write over an entry, or over a leaf by the place or by the entry that it stands for."""
        if self.rng.random() < 0.5:
            column = self.rng.choice([column.name for column in ENTRIES.columns if column.name != "id"])
            self.replace(ENTRIES, "id", {**self.entry, column: changed_value(self, column, self.entry)})
        else:
            leaf = self.leaves[self.position]
            key = self.rng.choice(["position", "entry_id"])
            other = {"position": {"entry_id": self.fresh_id}, "entry_id": {"position": self.scene.size + 2}}[key]
            self.replace(LEAVES, key, {**leaf, **other})
        if self.is_clever:
            self.cover_up()
        return self.named_first()

    def replace(self, table: Table, key: str, row: Row) -> None:
        if self.session.get_bind().dialect.name == "sqlite":
            self.execute(insert(table).prefix_with("OR REPLACE"), [row])
            return
        writing = postgresql.insert(table).values(row)
        new = {name: writing.excluded[name] for name in row if name != key}
        self.execute(writing.on_conflict_do_update(index_elements=[key], set_=new))

    def change_spell(self) -> Wrong:
        """Move a deadline where nothing is signed."""
        rng, rows = self.rng, self.scene.now["spells"]
        row = rng.choice(rows)
        is_closed = row["closed_on"] is not None
        values: dict[str, list[Any]] = {
            "opened_on": [
                row["opened_on"] + rng.randrange(1, 40) * rng.choice([DAY, -DAY]),
                *spoilt_days(self.session),
            ],
            "closed_on": [TODAY - DAY, TODAY + DAY, *([None] if is_closed else [TODAY])],
            "end": [*SpellEnd, literal_column("'foo'"), *([None] if is_closed else [])],
            "worker_id": [number for number in (1, 2, 3, 99) if number != row["worker_id"]],
            "source": [*SpellSource, literal_column("'foo'")],
        }
        match rng.choice([*values, "delete", "insert", "swap"]):
            case "delete":
                self.remove(SPELLS, row)
            case "insert":
                number = rng.choice([0, 90])
                self.execute(insert(SPELLS), [{**row, "id": number, "closed_on": TODAY, "end": SpellEnd.DIED}])
                return Wrong("spell", number)
            case "swap":
                other = rng.choice([one for one in rows if one is not row])
                self.change(SPELLS, row, worker_id=other["worker_id"])
                self.change(SPELLS, other, worker_id=row["worker_id"])
                return Wrong("spell", min(row["id"], other["id"]))
            case column:
                value = rng.choice([value for value in values[column] if value is not row[column]])
                self.change(SPELLS, row, **{column: value})
        return Wrong("spell", row["id"])

    def edit_waiting_entry(self) -> Wrong:
        entry_id = self.rng.choice(self.scene.waiting)
        row = next(row for row in self.scene.now["ledger"] if row["id"] == entry_id)
        column = self.rng.choice([column.name for column in ENTRIES.columns if column.name != "id"])
        self.change(ENTRIES, row, **{column: changed_value(self, column, row)})
        return Wrong("entry", entry_id)

    def edit_leaf(self) -> Wrong:
        leaf = self.leaves[self.position]
        match self.rng.choice(["hash", "signature", "entry_id", "position"]):
            case "entry_id":
                self.change(LEAVES, leaf, entry_id=self.fresh_id)
            case "position":
                self.change(LEAVES, leaf, position=self.rng.choice([-1, self.scene.size + 2, 2**40]))
                if self.position == self.scene.size - 1 or self.is_clever:
                    self.execute(delete(NODES))
            case column:
                self.change(LEAVES, leaf, **{column: flipped(leaf[column], self.rng)})
        return self.named_first()

    def edit_node(self) -> Wrong:
        node = self.rng.choice(self.scene.now["ledger_nodes"])
        at = (node["level"], node["position"])
        match self.rng.choice(["hash", "delete", "insert"]):
            case "hash":
                self.change(NODES, node, hash=flipped(node["hash"], self.rng))
            case "delete":
                self.remove(NODES, node)
            case "insert":
                at = (node["level"], (self.scene.size >> node["level"]) + self.rng.randrange(5))
                self.execute(insert(NODES), [{"level": at[0], "position": at[1], "hash": "ab" * 32}])
        return Wrong("node", at)

    def edit_checkpoint(self) -> Wrong:
        row = self.rng.choice(self.scene.now["ledger_checkpoints"])
        lines = row["note"].split("\n")
        match self.rng.choice(["size", "root", "signature", "origin"]):
            case "size":
                lines[1] = str(int(lines[1]) + 1)
            case "root":
                lines[2] = lines[2][1:21] + lines[2][:1] + lines[2][21:]
            case "signature":
                lines[4] = lines[4][:-20] + lines[4][-20:].swapcase()
            case "origin":
                lines[0] += "x"
        if (note := "\n".join(lines)) == row["note"]:
            return self.edit_checkpoint()
        self.change(CHECKPOINTS, row, note=note)
        return Wrong("checkpoint")

    def delete_entry(self) -> Wrong:
        self.remove(ENTRIES, self.entry)
        match self.rng.choice(["leaf stays", "gap", "closed gap"]):
            case "gap":
                self.remove(LEAVES, self.leaves[self.position])
            case "closed gap":
                self.replace_leaves([leaf for leaf in self.leaves if leaf["position"] != self.position])
        if self.is_clever:
            self.cover_up()
        return self.named_first()

    def insert_entry(self) -> Wrong:
        row = {**self.entry, "id": self.fresh_id}
        if self.rng.random() < 0.5:
            row |= {"commitment": self.rng.randbytes(32).hex(), "evidence": Grade.A}
        self.execute(insert(ENTRIES), [row])
        leaf = {**self.leaves[self.position], "entry_id": self.fresh_id}
        match self.rng.choice(["no leaf", "at the end", "between"]):
            case "no leaf":
                return Wrong("entry", self.fresh_id)
            case "at the end":
                self.execute(insert(LEAVES), [{**leaf, "position": self.scene.size}])
                wrong = Wrong("position", self.scene.size)
            case _:
                self.replace_leaves([*self.leaves[: self.position], leaf, *self.leaves[self.position :]])
                wrong = self.named_first()
        if self.is_clever:
            self.cover_up()
        return wrong

    def swap_entries(self) -> Wrong:
        ours, theirs = ({name: row[name] for name in row if name != "id"} for row in (self.entry, self.other))
        self.change(ENTRIES, self.entry, **theirs)
        self.change(ENTRIES, self.other, **ours)
        if self.is_clever:
            self.cover_up()
        return Wrong("position", min(self.position, self.other_position))

    def swap_leaves(self) -> Wrong:
        """The entries change places, with or without their hashes and signatures."""
        order = [dict(leaf) for leaf in self.leaves]
        one, other = order[self.position], order[self.other_position]
        for name in self.rng.choice([["entry_id"], ["entry_id", "hash"], ["entry_id", "hash", "signature"]]):
            one[name], other[name] = other[name], one[name]
        self.replace_leaves(order)
        if self.is_clever:
            self.cover_up()
        return Wrong("position", min(self.position, self.other_position))

    def cut_tail(self) -> Wrong:
        self.replace_leaves(self.leaves[: self.position])
        if self.is_clever:
            gone = {leaf["entry_id"] for leaf in self.scene.now["ledger_leaves"][self.position :]}
            for row in self.scene.now["ledger"]:
                if row["id"] in gone or row["id"] in self.scene.waiting:
                    self.remove(ENTRIES, row)
            self.cover_up()
        return self.named_first()

    def put_old_dump_back(self) -> Wrong:
        old = self.rng.choice(self.scene.dumps[:-2])
        for table in TABLES:
            self.execute(delete(table))
            if old[table.name]:
                self.execute(insert(table), old[table.name])
        return Wrong("position", len(old["ledger_leaves"]))

    def take_key(self) -> Wrong:
        """Destroy a person's key, or put another's in its place, with no entry that tells of it."""
        one, other = self.rng.sample(self.scene.now["ledger_keys"], 2)
        lost = {one["worker_id"]}
        match self.rng.choice(["delete", "swap", "copy"]):
            case "delete":
                self.remove(KEYS, one)
            case "copy":
                self.change(KEYS, one, sealed=other["sealed"])
            case _:
                self.change(KEYS, one, sealed=other["sealed"])
                self.change(KEYS, other, sealed=one["sealed"])
                lost.add(other["worker_id"])
        return self.named_without_keys(lost)

    def named_without_keys(self, lost: set[int]) -> Wrong:
        # Without the office's key no erasure vouches for the entries that it names.
        gone = lost | {ERASED} if 0 in lost else lost
        return Wrong("position", min(self.scene.positions(lambda row: keeper(row) in gone)))


def keeper(row: Row) -> int:
    return 0 if row["worker_id"] is None or row["kind"] is ERASURE else int(row["worker_id"])


def told_leaf(stored: StoredEntry) -> bytes:
    """The hash of the leaf that fits a row, also of one that is no entry."""
    if stored.entry is not None:
        return leaf_hash(leaf_data(stored.entry, stored.commitment))
    names = ("id", "kind", "channel", "evidence", "happened_at", "written_at")
    told = {name: stored.columns[name] for name in names}
    return leaf_hash(canonical_json({**told, "commitment": stored.commitment}))


def spoilt_texts(session: Session, like: str) -> list[str]:
    """In SQL what stands in a column of texts and is none: bytes, also those of a text, and a text that is no UTF-8."""
    if session.get_bind().dialect.name == "postgresql":
        return []
    raw = like.encode().hex()
    return [f"x'{raw}'", f"CAST(x'{raw}ff' AS TEXT)", f"CAST(x'{raw}00' AS TEXT)", "x''"]


def spoilt_days(session: Session) -> list[ColumnElement[Any]]:
    if session.get_bind().dialect.name == "postgresql":
        return [literal_column(f"'{day}'") for day in ("infinity", "2026-12-01 BC", "20000-01-01")]
    return [literal_column(day) for day in ("'someday'", "7", "x'00'", "'2026-12-1'", "''")]


def spoilt_value(user: Superuser, row: Row) -> tuple[str, ColumnElement[Any]]:
    """A column, and for it in SQL what no entry has there."""
    rng, session, at = user.rng, user.session, row["happened_at"]
    facts = row["facts"]
    pairs = json.dumps([[name, value] for name, value in facts.items()])
    documents = [pairs, "[]", "3", '"text"', "null", json.dumps({**facts, "minutes": 1.5})]
    spoilt: dict[str, list[str]] = {
        "kind": ["'foo'", "''"],
        "channel": ["'foo'", "''"],
        "evidence": ["'D'", "''"],
        "facts": [f"'{document}'" for document in documents],
    }
    if session.get_bind().dialect.name == "postgresql":
        spoilt |= {
            "happened_at": ["'infinity'", "'-infinity'", f"'{at:%Y-%m-%d %H:%M:%S.%f+00} BC'", "'20000-01-01'"],
            "written_at": ["'infinity'", "'2026-12-01 BC'"],
        }
        spoilt["facts"] += [f"'{{\"minutes\" : {number}}}'" for number in ("1e5000", "1.0", "99999999999999999999")]
        return (column := rng.choice([*spoilt])), literal_column(rng.choice(spoilt[column]))
    same = json.dumps(facts)
    spoilt |= {
        "happened_at": [
            "'yesterday'",
            "7",
            "1.5",
            f"x'{at.isoformat(sep=' ', timespec='microseconds').encode().hex()}'",
            # What reads as the same instant in one reader and as another one in the next.
            f"'{at:%Y-%m-%dT%H:%M:%S.%fZ}'",
            f"'{at + timedelta(hours=8):%Y-%m-%d %H:%M:%S.%f}+08:00'",
            f"'{at:%Y-%m-%d %H:%M:%S.%f}+00:00'",
        ],
        "written_at": ["''", "x'00'", "9e999"],
        "worker_id": ["'x'", "1.5", "x'31'", "9e999", "-9223372036854775808"],
        "spell_id": ["'x'", "x'31'"],
        "refers_to": ["'x'", "9e999"],
        "actor": [*spoilt_texts(session, row["actor"])],
        "note": [*spoilt_texts(session, row["note"] or "")],
        "commitment": [*spoilt_texts(session, row["commitment"])],
    }
    spoilt["facts"] += [
        *("'{'", "''", f"'{'[' * 9000}'", f"x'{same.encode().hex()}'", f"CAST(x'{b'{'.hex()}ff' AS TEXT)"),
        *(f"'{{\"minutes\" : {number}}}'" for number in ("NaN", "Infinity", "1e999", "9" * 5000)),
        # One name twice, the true value last.
        f"'{{\"minutes\" : 9, {same[1:]}'" if "minutes" in facts else "'{'",
    ]
    spoilt["kind"] += spoilt_texts(session, row["kind"].value)
    return (column := rng.choice([*spoilt])), literal_column(rng.choice(spoilt[column]))


def flipped(text: str, rng: random.Random) -> str:
    raw = bytearray.fromhex(text)
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return raw.hex()


def changed_value(user: Superuser, column: str, row: Row) -> Any:
    """Another value for a column, such as somebody would like to see there."""
    rng, old = user.rng, row[column]
    values: dict[str, list[Any]] = {
        "id": [user.fresh_id],
        "kind": [*EntryKind],
        "worker_id": [None, 1, 2, 3, ERASED, 99],
        "spell_id": [None, 11, 12, 99],
        "channel": [None, *Channel],
        "evidence": [None, *Grade],
        "happened_at": [
            row["happened_at"] + step * rng.choice([1, -1]) for step in (timedelta.resolution, timedelta(1))
        ],
        "written_at": [row["written_at"] - timedelta(days=30), row["written_at"] + timedelta.resolution],
        "actor": ["broker/0", "broker/1", "broker/2", ""],
        "refers_to": [None, 1, user.fresh_id],
        "facts": [{}, {**row["facts"], "minutes": 99}, {**row["facts"], "minutes": "1"}, {"why": None}],
        "note": [None, "", user.other["note"]],
        "commitment": [flipped(row["commitment"], rng), user.other["commitment"], "", row["commitment"].upper()],
    }
    return rng.choice([value for value in values[column] if value != old])


ACTS: list[Callable[[Superuser], Wrong]] = [
    *([Superuser.edit_entry] * 5),
    *([Superuser.spoil_entry] * 4),
    Superuser.edit_waiting_entry,
    Superuser.spoil_waiting_entry,
    Superuser.spoil_beside_entries,
    *([Superuser.replace_entry] * 2),
    *([Superuser.change_spell] * 3),
    Superuser.edit_leaf,
    Superuser.edit_node,
    Superuser.edit_checkpoint,
    *([Superuser.delete_entry] * 2),
    *([Superuser.insert_entry] * 2),
    Superuser.swap_entries,
    Superuser.swap_leaves,
    Superuser.cut_tail,
    Superuser.put_old_dump_back,
    Superuser.take_key,
]


@pytest.fixture
def scene(database: Engine, key_ring: KeyRing) -> Iterator[tuple[Scene, Session]]:
    """The ledger, and a session in which no trigger and no foreign key stands in the way."""
    built = build(database, key_ring)
    with database.connect() as connection, Session(connection) as session:
        if database.dialect.name == "postgresql":
            session.execute(text("SET session_replication_role = replica"))
        else:
            # Before a transaction begins: within one it would change nothing.
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA foreign_keys=OFF")
            for trigger in (
                session.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            ):
                session.execute(text(f"DROP TRIGGER {trigger}"))
        # Of one person one spell is open at most, which would stand in somebody's way too.
        session.execute(text("DROP INDEX uq_spells_open"))
        session.commit()
        yield built, session


def test_the_ledger_as_it_was_written_is_good(scene: tuple[Scene, Session]) -> None:
    built, session = scene
    report, beside = check(session, built)
    assert (report.first, beside) == (None, None)
    assert report.waiting == built.waiting
    assert report.places == built.size == 29
    assert len(built.now["spells"]) == ERASED - 1
    assert report.erased == len(built.positions(lambda row: keeper(row) == ERASED)) > 1
    assert (report.fitting, report.outside) == (len(built.now["ledger_checkpoints"]) + 1, 1)


PARTS = 5
NUMBER = int(os.environ.get("JIUJIN_ACTS", "500"))
"""How many acts, four in five of them on SQLite; what is shown once is shown with 2,000."""


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_a_superuser_does_is_found_and_the_first_bad_entry_is_named(
    scene: tuple[Scene, Session], part: int, backend: str
) -> None:
    built, session = scene
    rng = random.Random(f"{backend} {part}")  # noqa: S311  a table of acts, the same every time
    missed = []
    size = NUMBER * (4 if backend == "sqlite" else 1) // 5 // PARTS
    for number in range(part * size, (part + 1) * size):
        act = ACTS[number % len(ACTS)]
        with session.begin_nested() as act_alone:
            user = Superuser(session, built, rng)
            expected = act(user)
            session.expire_all()
            report, beside = check(session, built)
            act_alone.rollback()
        if found(report, beside) != expected:
            missed.append((act.__name__, user.position, user.is_clever, expected, report.to_dict(), beside))
    assert not missed, f"{len(missed)} missed\n" + "\n".join(map(str, missed))


def test_an_old_copy_that_went_on_is_told_from_where_it_parted(scene: tuple[Scene, Session]) -> None:
    built, session = scene
    old = built.dumps[1]
    for table in TABLES:
        session.connection().execute(delete(table))
        if old[table.name]:
            session.connection().execute(insert(table), old[table.name])
    append_entries(session, [draft(number, worker_id=1) for number in range(30)], keys=built.keys)
    # By a service that does not know the checkpoint outside: every signature of the new history is good.
    sequence_entries(session, after=0, limit=99, outside=None, now=NOW, keys=built.keys)
    report, _ = check(session, built)
    assert report.first is not None
    parted = len(old["ledger_leaves"])
    assert (report.first.reason, report.first.position, report.first.until) == ("root_differs", parted, built.size - 1)


def test_who_is_registered_again_under_the_number_of_an_erased_person_has_a_key_of_their_own(
    database: Engine, key_ring: KeyRing
) -> None:
    built = build(database, key_ring)
    with write_session(database) as session:
        before = [row for row in dump(session)["ledger_keys"] if row["worker_id"] == ERASED]
        append_entries(session, [draft(1, worker_id=ERASED)], keys=key_ring)
    with write_session(database) as session:
        sequence_entries(session, after=0, limit=99, outside=built.kept, now=NOW, keys=key_ring)
        report, beside = check(session, built)
        assert (before, report.first, beside, report.places) == ([], None, None, built.size + 4)
        assert erase_person(session, ERASED, actor="clerk/1", now=NOW, keys=key_ring) is not None
        assert check(session, built)[0].first is None


def test_what_was_altered_before_its_person_was_erased_does_not_pass_for_erased(scene: tuple[Scene, Session]) -> None:
    built, session = scene
    person = next(row["worker_id"] for row in built.now["ledger"] if row["worker_id"] not in (None, ERASED))
    position = built.positions(lambda row: row["worker_id"] == person)[0]
    altered = built.entry_at(position)["id"]
    session.connection().execute(update(ENTRIES).where(ENTRIES.c.id == altered).values(actor="clerk/9"))
    assert erase_person(session, person, actor="clerk/1", now=NOW, keys=built.keys) is not None
    sequence_entries(session, after=0, limit=99, outside=built.kept, now=NOW, keys=built.keys)
    assert found(*check(session, built)) == Wrong("position", position)


def test_an_entry_written_while_its_person_is_erased_is_named_or_comes_after(
    database: Engine, key_ring: KeyRing
) -> None:
    with write_session(database) as session:
        append_entries(session, [draft(1, worker_id=8)], keys=key_ring)
    gate, failures = threading.Barrier(2), list[BaseException]()

    def run(act: Callable[[Session], object]) -> None:
        try:
            gate.wait()
            for _ in range(10):
                with write_session(database) as session:
                    act(session)
        except BaseException as failure:  # noqa: BLE001  a thread's failure must reach the test
            failures.append(failure)

    threads = [
        threading.Thread(target=run, args=(act,))
        for act in (
            lambda session: append_entries(session, [draft(2, worker_id=8)], keys=key_ring),
            lambda session: erase_person(session, 8, actor="clerk/1", now=NOW, keys=key_ring),
        )
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with write_session(database) as session:
        batch = sequence_entries(session, after=0, limit=99, outside=None, now=NOW, keys=key_ring)
        assert (batch.unfit, batch.sequenced > 11) == ((), True)
        lines = [orjson.dumps(line) for line in export_lines(session, keys=key_ring)]
        assert check_book(lines, keys=signer_of(key_ring).told_keys).first is None
