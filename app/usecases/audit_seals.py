"""The audit as a book: acts get their places after they were written, and the ledger vouches for each stretch of them.

An act is one INSERT, without a key and without waiting for anybody. Minutes later the sealer gives committed acts their
places, each with a commitment under the key ring, and appends to the ledger an entry with the root of the tree over
this stretch. From then on an act that is changed, taken out or put in between is found, and the ledger's checkpoints,
which lie outside, show a tail that was cut off (decision 0028).
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.domain.entries import canonical_json, commitment_of, written
from app.domain.ledger import Entry, EntryKind
from app.domain.merkle_trees import fold, grow, leaf_hash
from app.kit.keys import KeyRing, is_keyed_digest, keyed_digest
from app.store.audit import (
    StoredAct,
    StoredPlace,
    add_places,
    count_places,
    last_placed,
    list_unplaced,
    read_places,
    take_sealing_turn,
)
from app.store.ledger import StoredEntry, list_audit_seals
from app.usecases.ledger import OFFICE, append_entry, open_keys

ACTS_AT_ONCE = 5_000
LOOK_BACK = 10_000
"""Ids before the newest placed act among which one may still turn up: transactions commit out of order."""
LATEST = timedelta(hours=1)
"""No transaction takes as long as this to commit after it was given an id: PostgreSQL ends it after minutes."""

_WORDS = {
    "changed": "内容和记下时不一样",
    "missing": "被删掉了",
    "put_in": "是后来插进去的",
    "unsealed": "台账封存的和审计里的对不上",
}


class AuditDiffers(Exception):
    """The places in the database are not those that the ledger has sealed, so nothing more is sealed."""


@dataclass(frozen=True, slots=True)
class Seal:
    """A stretch of places that an entry of the ledger vouches for: from `first` on `count` of them, with their root."""

    first: int
    count: int
    root: str
    written_at: datetime

    @property
    def end(self) -> int:
        """The place behind its last one."""
        return self.first + self.count


@dataclass(frozen=True, slots=True)
class WrongAct:
    """The first place of the audit where something is wrong, and what.

    `entry_id` is the act's, as its place or its row tells; None where neither does. `position` is None for an act that
    has no place.
    """

    position: int | None
    entry_id: int | None
    reason: str

    @property
    def words(self) -> str:
        what = "审计记录" if self.entry_id is None else f"审计第 {self.entry_id} 条"
        where = "" if self.position is None else f"（第 {self.position} 号位置）"
        return f"{what}{where}：{_WORDS[self.reason]}"

    def to_dict(self) -> dict[str, Any]:
        return {"position": self.position, "entry": self.entry_id, "reason": self.reason, "message": self.words}


def are_acts_waiting(session: Session) -> bool:
    """Whether acts have no place yet; asked by a reader, who waits for nobody."""
    return bool(list_unplaced(session, after=max(0, last_placed(session) - LOOK_BACK), limit=1))


def seal_acts(session: Session, *, now: datetime, keys: KeyRing, limit: int = ACTS_AT_ONCE) -> int:
    """Give acts that wait their places, and append to the ledger what vouches for them; how many.

    Args:
        session: a transaction with nothing else in it; two of these take turns.
        now: when.
        keys: the key ring.
        limit: how many acts at most.

    Raises:
        AuditDiffers: the places do not end where the newest seal in the ledger says. Nothing was changed.
    """
    take_sealing_turn(session)
    first = count_places(session)
    sealed = _seals(session, keys=keys, newest=1)
    if first != (sealed[-1].end if sealed else 0):
        raise AuditDiffers(f"the audit has {first} places, the ledger has sealed {sealed[-1].end if sealed else 0}")
    acts = list_unplaced(session, after=max(0, last_placed(session) - LOOK_BACK), limit=limit)
    if not acts:
        return 0
    commitments = [_commit(act, position, keys=keys) for position, act in enumerate(acts, start=first)]
    add_places(
        session,
        [
            (position, act.id, commitment)
            for position, (act, commitment) in enumerate(zip(acts, commitments, strict=True), start=first)
        ],
    )
    append_entry(
        session,
        kind=EntryKind.AUDIT,
        worker_id=None,
        happened_at=now,
        now=now,
        actor="system",
        facts={"first": first, "count": len(acts), "root": _root(commitments)},
        keys=keys,
    )
    return len(acts)


def first_wrong_act(session: Session, *, keys: KeyRing) -> WrongAct | None:
    """The first act that was changed, taken out or put in between since it was sealed; None where all is well.

    Reads the whole audit. The entries of the ledger that seal it are taken as they are if they open: whether the ledger
    itself is whole, and as long as a checkpoint outside says, is for its own check, which is run beside this one.

    Args:
        session: reads.
        keys: the key ring.
    """
    seals = _seals(session, keys=keys)
    places, at, highest_before = read_places(session), 0, _Highest()
    for seal in seals:
        if seal.first != at:
            return WrongAct(at, None, "unsealed")
        commitments: list[str] = []
        # When the seal before this one was written, an act whose id was given long before would have been there.
        highest, greatest = highest_before.late(), 0
        for position in range(seal.first, seal.end):
            place = next(places, None)
            wrong = _wrong_at(place, position, keys=keys)
            if wrong is not None:
                return wrong
            assert place is not None  # noqa: S101  told as missing above
            if place.entry_id < highest:
                return WrongAct(position, place.entry_id, "put_in")
            commitments.append(place.commitment)
            greatest = max(greatest, place.entry_id)
        highest_before.note(greatest, seal.written_at)
        if _root(commitments) != seal.root:
            return WrongAct(seal.first, None, "unsealed")
        at = seal.end
    if (surplus := next(places, None)) is not None:
        return WrongAct(_number(surplus.position), _number(surplus.entry_id), "unsealed")
    return _first_put_in(session, highest_before)


@dataclass(slots=True)
class _Highest:
    """The greatest id of an act that was sealed by a time: ids are given in order, so one far below comes too late."""

    times: list[datetime] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)

    def note(self, entry_id: int, sealed_at: datetime) -> None:
        """Take an act into account that was sealed then, after all before it."""
        self.ids.append(max(entry_id, self.ids[-1]) if self.ids else entry_id)
        # A clock that was set back in between does not make a later seal an earlier one.
        self.times.append(max(sealed_at, self.times[-1]) if self.times else sealed_at)

    def late(self) -> int:
        """The id below which nothing may turn up after the newest seal; 0 where nothing was sealed long before it."""
        known = bisect_right(self.times, self.times[-1] - LATEST) if self.times else 0
        return self.ids[known - 1] if known else 0


def _first_put_in(session: Session, highest: _Highest) -> WrongAct | None:
    """An act that waits for a place although acts behind it were sealed long before the newest ones."""
    waiting = list_unplaced(session, after=None, limit=1)
    return WrongAct(None, waiting[0].id, "put_in") if waiting and waiting[0].id < highest.late() else None


def _wrong_at(place: StoredPlace | None, position: int, *, keys: KeyRing) -> WrongAct | None:
    if place is None:
        return WrongAct(position, None, "missing")
    entry_id = _number(place.entry_id)
    if place.position != position:
        return WrongAct(position, None, "missing")
    if place.act is None:
        return WrongAct(position, entry_id, "missing")
    commitment = place.commitment
    if not (isinstance(commitment, str) and commitment.isascii()) or not is_keyed_digest(
        keys, commitment, _told(place.act), purpose=_bound(position)
    ):
        return WrongAct(position, entry_id, "changed")
    return None


def _commit(act: StoredAct, position: int, *, keys: KeyRing) -> str:
    return keyed_digest(keys, _told(act), purpose=_bound(position))


def _told(act: StoredAct) -> str:
    """An act as it is committed to: its columns as they are stored, which no type has made prettier."""
    return canonical_json(_plain(act.columns)).decode()


def _plain(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value if type(value) is int else _instant(value) if name == "happened_at" else ascii(value)
        for name, value in columns.items()
    }


def _instant(stored: Any) -> str:
    """An instant in one spelling, whichever database kept it; what is none, quoted."""
    try:
        instant = datetime.fromisoformat(stored)
    except (TypeError, ValueError):
        return ascii(stored)
    return written(instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant)


def _bound(position: int) -> str:
    return f"audit_leaves|{position}"


def _root(commitments: Sequence[str]) -> str:
    _, edge = grow(0, [], [leaf_hash(commitment.encode()) for commitment in commitments])
    return fold(edge).hex()


def _seals(session: Session, *, keys: KeyRing, newest: int | None = None) -> list[Seal]:
    """What the ledger says it has sealed, in order; entries that do not open are none."""
    office = open_keys(session, [OFFICE], keys=keys).get(OFFICE)
    found = []
    for stored in list_audit_seals(session, newest=newest):
        entry = _opened(stored, office)
        if entry is not None:
            first, count, root = (entry.facts.get(name) for name in ("first", "count", "root"))
            if isinstance(first, int) and isinstance(count, int) and isinstance(root, str):
                found.append(Seal(first, count, root, entry.written_at))
    return found


def _opened(stored: StoredEntry, office: bytes | None) -> Entry | None:
    entry = stored.entry
    if entry is None or office is None or commitment_of(entry, person_key=office) != stored.commitment:
        return None
    return entry


def _number(value: Any) -> int | None:
    return value if type(value) is int else None
