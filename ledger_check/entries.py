"""Entries as they are committed to, and leaves as they are hashed and signed."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any, TypeGuard

from ledger_check.notes import LogKey, Unreadable

COLUMNS = frozenset(
    (
        *("id", "kind", "worker_id", "spell_id", "channel", "evidence", "happened_at", "written_at"),
        *("actor", "refers_to", "facts", "note"),
    )
)
_COUNTABLE = ("id", "kind", "channel", "evidence", "happened_at", "written_at")
_KEY_BYTES = 32
_GREATEST_POSITION = 2**63 - 1
_LEAF = b"jiujin ledger leaf\n"


def read_json(line: str | bytes) -> dict[str, Any]:
    """The object in a line of JSON.

    Raises:
        Unreadable: it is none, or holds a name twice, which readers understand differently.
    """
    try:
        document = json.loads(line, object_pairs_hook=_each_once, parse_constant=_refused)
    except (ValueError, RecursionError):
        raise Unreadable("不是有效的 JSON") from None
    if not isinstance(document, dict):
        raise Unreadable("不是有效的 JSON")
    return document


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a name twice")
    return document


def _refused(constant: str) -> None:
    raise ValueError(constant)


def canonical(document: dict[str, Any]) -> bytes:
    """The one spelling of a document: keys in order, UTF-8, no spaces."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def leaf_data(entry: dict[str, Any], commitment: object) -> bytes:
    """What a leaf stands for."""
    return canonical({**{name: entry[name] for name in _COUNTABLE}, "commitment": commitment})


def opens(entry: dict[str, Any], commitment: object, key: object) -> bool:
    """Whether an entry and its key give the commitment."""
    raw = from_hex(key)
    if len(raw) != _KEY_BYTES:
        return False
    # Nothing here is secret, so the comparison need not take the same time always.
    return hmac.digest(raw, canonical(entry), hashlib.sha256).hex() == commitment


def digest(entry: dict[str, Any], commitment: object) -> str:
    """What an erasure names an entry by, beside its id."""
    return hashlib.sha256(canonical({**entry, "commitment": commitment})).hexdigest()


def from_hex(text: object) -> bytes:
    """The bytes that lower-case hex stands for; none if it is not that."""
    if not isinstance(text, str):
        return b""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return b""
    return raw if raw.hex() == text else b""


def is_position(told: object) -> TypeGuard[int]:
    """Whether a tree can have such a place: a whole number, not negative, of at most 63 bits."""
    return type(told) is int and 0 <= told <= _GREATEST_POSITION


def is_placed(position: object, leaf: bytes, signature: bytes, keys: Sequence[LogKey]) -> bool:
    """Whether the log signed this leaf at this position; False for what is no position."""
    if not is_position(position):
        return False
    message = _LEAF + position.to_bytes(8, "big") + leaf
    return any(key.signed(message, signature) for key in keys)
