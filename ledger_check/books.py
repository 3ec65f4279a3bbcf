"""A whole ledger, read line by line: which entry is the first that is not as it was written, if any."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger_check.entries import COLUMNS, digest, from_hex, is_placed, is_position, leaf_data, opens, read_json
from ledger_check.notes import LogKey, Unreadable, read_checkpoint, read_key
from ledger_check.trees import GrowingTree, hash_leaf

FORMAT = 1
_LONGEST_ID = 19  # digits, as of any number that a database counts up to

WORDS = {
    "unreadable": "这一行读不懂",
    "missing": "这个位置的记录不见了",
    "doubled": "同一条记录或同一个位置出现了两次，或者次序乱了",
    "entry_missing": "位置还在，记录的内容不见了",
    "commitment_differs": "内容和写下时的承诺对不上：被改过，或者不是系统写的",
    "no_opening": "没有核对用的钥匙，也没有销毁记录说明原因",
    "leaf_differs": "内容和树叶的哈希对不上",
    "misplaced": "树叶的签名不对：换过位置，或者不是系统放的",
    "root_differs": "从这里到检查点之间有记录和检查点对不上",
    "checkpoint_broken": "检查点不对",
}


@dataclass(frozen=True, slots=True)
class Bad:
    """Something that is not as it was written.

    `position` is the place in the tree, None for an entry that has none. With `until` it lies somewhere from
    `position` to there, both included.
    """

    reason: str
    position: int | None = None
    entry_id: int | None = None
    until: int | None = None

    @property
    def words(self) -> str:
        where = [] if self.position is None else [f"第 {self.position} 号位置"]
        if self.until is not None and self.until != self.position:
            where = [f"第 {self.position} 到 {self.until} 号位置"]
        if self.entry_id is not None:
            where.append(f"台账第 {self.entry_id} 条")
        return f"{'，'.join(where)}{'：' if where else ''}{WORDS[self.reason]}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "reason": self.reason,
            "position": self.position,
            "until": self.until,
            "entry": self.entry_id,
            "message": self.words,
        }


@dataclass(slots=True)
class Report:
    """What came of a check.

    Attributes:
        places: how many leaves were read.
        erased: how many entries open no more because their person was erased, and are named by the erasure.
        waiting: ids of entries that no signature vouches for yet.
        fitting: how many checkpoints the tree agrees with.
        outside: how many of those were not in the export.
        keys_given: whether the public keys came from outside; else the export vouches for itself.
        bad: how many things are not as they were written.
        first: the first of them: the lowest place where something is wrong; if there is none, the lowest that nothing
            opens; then entries without a place, by id; then checkpoints. An entry that nothing opens comes second,
            because an erasure that was altered or cut off leaves the entries that it named unexplained.
    """

    places: int = 0
    erased: int = 0
    waiting: list[int] = field(default_factory=list)
    fitting: int = 0
    outside: int = 0
    keys_given: bool = False
    bad: int = 0
    first: Bad | None = None

    @property
    def is_good(self) -> bool:
        return self.bad == 0

    def blame(self, bad: Bad) -> None:
        """Count something bad, and keep it if it is the first."""
        self.bad += 1
        if self.first is None or _rank(bad) < _rank(self.first):
            self.first = bad

    def to_dict(self) -> dict[str, Any]:
        return {
            "ok": self.is_good,
            "places": self.places,
            "erased": self.erased,
            "waiting": self.waiting,
            "checkpoints": self.fitting,
            "checkpoints_outside": self.outside,
            "keys_given": self.keys_given,
            "bad": self.bad,
            "first_bad": None if self.first is None else self.first.to_dict(),
        }


def _rank(bad: Bad) -> tuple[int, int]:
    if bad.position is not None:
        return (1 if bad.reason == "no_opening" else 0), bad.position
    return (3, 0) if bad.entry_id is None else (2, bad.entry_id)


def check_book(
    lines: Iterable[str | bytes],
    *,
    checkpoints: Sequence[str] = (),
    keys: Sequence[str] = (),
    from_service: bool = False,
) -> Report:
    """Check an export of a ledger.

    Args:
        lines: the export, a line an item (`docs/ledger.md`).
        checkpoints: signed checkpoints that were kept outside; they show a cut tail and an old copy put back.
        keys: the log's public keys; without them those in the export are believed.
        from_service: the lines come straight from the service that holds the people's keys, so an erasure that has no
            place yet is its own. In a file anybody could have written one.

    Raises:
        Unreadable: it is no export of a ledger, or a given key is none.
    """
    return _Check(iter(lines), checkpoints, keys, from_service=from_service).run()


class _Check:
    def __init__(
        self, lines: Iterator[str | bytes], checkpoints: Sequence[str], keys: Sequence[str], *, from_service: bool
    ) -> None:
        header = read_json(next(lines, b""))
        if header.get("type") != "ledger" or header.get("format") != FORMAT:
            raise Unreadable("不是台账的导出文件，或者版本太新")
        told = keys or header.get("keys")
        if not isinstance(told, (list, tuple)):
            raise Unreadable("导出文件里没有公钥")
        self._keys: list[LogKey] = [read_key(key) for key in told]
        self._lines = lines
        self._from_service = from_service
        self._report = Report(keys_given=bool(keys))
        self._tree = GrowingTree()
        self._roots: dict[int, list[tuple[bytes, bool]]] = {}
        for note in checkpoints:
            self._keep(note, is_outside=True)
        self._agreed = 0
        self._differs_at: int | None = None
        self._seen: set[int] = set()
        self._named: dict[int, str] = {}
        self._named_waiting: dict[int, str] = {}
        self._unopened: dict[int, tuple[int | None, str]] = {}

    def run(self) -> Report:
        readers: dict[object, Callable[[dict[str, Any]], None]] = {"checkpoint": self._checkpoint, "entry": self._entry}
        for line in self._lines:
            try:
                document = read_json(line)
                readers.get(document.get("type"), _strange)(document)
            except (Unreadable, KeyError, TypeError, UnicodeEncodeError, RecursionError):
                self._report.blame(Bad("unreadable", position=self._tree.size))
        self._judge_unopened()
        self._judge_roots()
        self._report.places = self._tree.size
        return self._report

    def _keep(self, note: object, *, is_outside: bool) -> None:
        try:
            checkpoint = read_checkpoint(note, self._keys)
        except Unreadable:
            self._report.blame(Bad("checkpoint_broken"))
            return
        self._roots.setdefault(checkpoint.size, []).append((checkpoint.root, is_outside))

    def _checkpoint(self, document: dict[str, Any]) -> None:
        if self._tree.size:
            raise Unreadable("checkpoints stand before entries")
        self._keep(document["note"], is_outside=False)

    def _entry(self, document: dict[str, Any]) -> None:
        position, entry, commitment = document["position"], document["entry"], document["commitment"]
        entry_id = None if entry is None else _id_of(entry)
        if position is None:
            if entry_id is None:
                raise Unreadable("neither a place nor an entry")
            self._judge_waiting(entry_id, entry, commitment, document["key"])
            return
        if type(position) is not int:
            raise Unreadable("no position")
        if not is_position(position):
            # No tree has such a place; where the entry belongs its leaf is missing.
            self._report.blame(Bad("misplaced", entry_id=entry_id))
            return
        if position > self._tree.size:
            self._report.blame(Bad("missing", position=self._tree.size))
            self._skip_to(position)
        is_doubled = position < self._tree.size or entry_id in self._seen
        reason = "doubled" if is_doubled else self._fault(position, document)
        if reason is not None:
            self._report.blame(Bad(reason, position=position, entry_id=entry_id))
        if position == self._tree.size:
            self._grow(from_hex(document["hash"]) if entry is None else hash_leaf(leaf_data(entry, commitment)))
        if entry_id is not None:
            self._seen.add(entry_id)
            # Without its key nothing tells that an erasure names what it named when it was written.
            if reason is None and document["key"] is not None:
                self._named |= _named_in(entry)

    def _fault(self, position: int, document: dict[str, Any]) -> str | None:
        """What is wrong with a leaf and its entry; None if nothing is, or if an erasure has to be looked for."""
        entry, commitment, key = document["entry"], document["commitment"], document["key"]
        leaf = from_hex(document["hash"])
        if entry is None:
            return "entry_missing"
        if key is None:
            self._unopened[entry["id"]] = (position, digest(entry, commitment))
        elif not opens(entry, commitment, key):
            return "commitment_differs"
        if hash_leaf(leaf_data(entry, commitment)) != leaf:
            return "leaf_differs"
        return None if is_placed(position, leaf, from_hex(document["signature"]), self._keys) else "misplaced"

    def _judge_waiting(self, entry_id: int, entry: dict[str, Any], commitment: object, key: object) -> None:
        if entry_id in self._seen:
            self._report.blame(Bad("doubled", entry_id=entry_id))
            return
        self._seen.add(entry_id)
        if key is None:
            self._unopened[entry_id] = (None, digest(entry, commitment))
        elif not opens(entry, commitment, key):
            self._report.blame(Bad("commitment_differs", entry_id=entry_id))
        else:
            self._report.waiting.append(entry_id)
            self._named_waiting |= _named_in(entry)

    def _judge_unopened(self) -> None:
        for entry_id, (position, digested) in self._unopened.items():
            named = self._named.get(entry_id)
            # Nobody has signed such an erasure yet, so it vouches for nothing that others could have altered.
            waits = self._named_waiting.get(entry_id) if position is None or self._from_service else None
            if named == digested:
                self._report.erased += 1
                if position is None:
                    self._report.waiting.append(entry_id)
            elif waits == digested:
                self._report.waiting.append(entry_id)
            else:
                reason = "no_opening" if named is None and waits is None else "commitment_differs"
                self._report.blame(Bad(reason, position=position, entry_id=entry_id))

    def _grow(self, leaf: bytes) -> None:
        self._tree.append_hash(leaf)
        for root, is_outside in self._roots.get(self._tree.size, ()):
            if root == self._tree.root():
                self._report.fitting += 1
                self._report.outside += is_outside
                if self._differs_at is None:
                    self._agreed = self._tree.size
            elif self._differs_at is None:
                self._differs_at = self._tree.size

    def _skip_to(self, position: int) -> None:
        """Go on behind a gap. No checkpoint behind it can fit, and none needs to be told: the gap is."""
        self._roots.clear()
        self._tree.size = position

    def _judge_roots(self) -> None:
        largest = max(self._roots, default=0)
        if largest > self._tree.size:
            self._report.blame(Bad("missing", position=self._tree.size, until=largest - 1))
        first = self._report.first
        lowest = None if first is None or _rank(first)[0] > 0 else first.position
        if self._differs_at is not None and (lowest is None or lowest >= self._differs_at):
            # Every leaf is signed where it stands, and yet this is not the tree that was signed: there are two.
            self._report.blame(Bad("root_differs", position=self._agreed, until=self._differs_at - 1))


def _id_of(entry: object) -> int:
    if not isinstance(entry, dict) or entry.keys() != COLUMNS or type(entry["id"]) is not int:
        raise Unreadable("no entry")
    entry_id: int = entry["id"]
    return entry_id


def _named_in(entry: dict[str, Any]) -> dict[int, str]:
    """Digests by id of the entries that an erasure names; none if it is another entry."""
    if entry["kind"] != "erasure" or not isinstance(entry["facts"], dict):
        return {}
    named, told = {}, entry["facts"].get("entries")
    for name in told if isinstance(told, list) else ():
        entry_id, _, digested = str(name).partition(":")
        if entry_id.isascii() and entry_id.isdecimal() and len(entry_id) <= _LONGEST_ID:
            named[int(entry_id)] = digested
    return named


def _strange(_: dict[str, Any]) -> None:
    raise Unreadable("a line of no known type")
