"""How an entry of the ledger is written down, byte for byte, and what is committed to.

Anybody can rebuild these bytes with a JSON library and SHA-256; `docs/ledger.md` says how, and `ledger_check` does so
without this module. What is changed here makes every ledger unreadable that was written before.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from app.domain.ledger import Entry, Fact
from app.kit.errors import Invalid

GREATEST_NUMBER = 2**53 - 1
"""Beyond it a program that reads JSON numbers as floating-point ones reads another number (RFC 8259 section 6)."""

# PostgreSQL stores no NUL, and halves of a surrogate pair have no UTF-8.
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


def check_facts(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    """The facts, if they read the same in every program.

    Raises:
        TypeError: they are no mapping, or a name or value is none of those that `Fact` allows, such as a floating-point
            number.
        Invalid: a text holds a character that cannot be stored, or a number has more than 53 bits.
    """
    if not isinstance(facts, Mapping):
        raise TypeError("facts have names")
    for name, value in facts.items():
        check_text(name)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str):
                check_text(each)
            elif isinstance(value, list) or not (each is None or type(each) in (int, bool)):
                raise TypeError(f"facts hold texts, whole numbers, yes and no, and lists of texts; not {name}")
            elif each is not None and abs(each) > GREATEST_NUMBER:
                raise Invalid("数太大，台账记不下")
    return dict(facts)


def check_text(text: object) -> str:
    """The text, if every database can store it.

    Raises:
        TypeError: not a text.
        Invalid: it holds NUL or half a surrogate pair.
    """
    if not isinstance(text, str):
        raise TypeError("a text is expected")
    if _UNWRITABLE.search(text):
        raise Invalid("文字里有存不了的字符")
    return text


def written(instant: datetime) -> str:
    """An instant as RFC 3339 in UTC with microseconds: `2026-12-01T02:00:00.000000Z`."""
    # By itself isoformat leaves microseconds out where there are none, and writes Z as +00:00.
    return f"{instant.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"


def columns(entry: Entry) -> dict[str, Any]:
    """All that is committed to: the entry's columns, the note as it is stored, that is sealed."""
    return {
        "id": entry.id,
        "kind": entry.kind.value,
        "worker_id": entry.worker_id,
        "spell_id": entry.spell_id,
        "channel": None if entry.channel is None else entry.channel.value,
        "evidence": None if entry.evidence is None else entry.evidence.value,
        "happened_at": written(entry.happened_at),
        "written_at": written(entry.written_at),
        "actor": entry.actor,
        "refers_to": entry.refers_to,
        # As they are: `dict` would make the same of a list of pairs, which nobody could read as facts any more.
        "facts": entry.facts,
        "note": entry.note,
    }


def unreadable_columns(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a row that is no entry, told so that no commitment can be one to them.

    Each but the id is an object that quotes what stands there: no entry has an object in any column but `facts`, and
    none of this name in that.
    """
    return {name: value if name == "id" else {"unreadable": ascii(value)} for name, value in stored.items()}


def canonical_json(document: Mapping[str, Any]) -> bytes:
    """The one spelling of a document: keys in order, UTF-8, no spaces."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def entry_key(person_key: bytes, entry_id: int) -> bytes:
    """The key of one entry's commitment. Given away with the entry, it opens this one and no other of the person."""
    return hmac.digest(person_key, b"entry%d" % entry_id, hashlib.sha256)


def note_key(person_key: bytes) -> bytes:
    """The key that seals what was said to one person."""
    return hmac.digest(person_key, b"note", hashlib.sha256)


def commitment_of(entry: Entry, *, person_key: bytes) -> str:
    """The keyed digest of an entry, in hex: nobody without the key can tell what it stands for, or make another."""
    return hmac.digest(entry_key(person_key, entry.id), canonical_json(columns(entry)), hashlib.sha256).hex()


def digest_of(entry: Entry, commitment: str) -> str:
    """The plain SHA-256 of an entry and its commitment, in hex: how an erasure names what opens no more."""
    return hashlib.sha256(canonical_json({**columns(entry), "commitment": commitment})).hexdigest()


def leaf_data(entry: Entry, commitment: str) -> bytes:
    """What a leaf of the tree stands for: number, countable facts and commitment, nothing that leads to a person."""
    return canonical_json(
        {
            "id": entry.id,
            "kind": entry.kind.value,
            "channel": None if entry.channel is None else entry.channel.value,
            "evidence": None if entry.evidence is None else entry.evidence.value,
            "happened_at": written(entry.happened_at),
            "written_at": written(entry.written_at),
            "commitment": commitment,
        }
    )
