"""Whether the table of spells says what the ledger says: deadlines run from its days, and nobody signs that table.

Each spell must be as the entries of its opening and its closing tell. These entries cannot be struck, so a strike of
one, which was possible once, changes nothing here either.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.domain.entries import digest_of
from app.domain.ledger import Entry, EntryKind
from app.kit.clock import china_date
from app.kit.keys import KeyRing
from app.store.ledger import list_stored_of
from app.store.spells import list_stored_spells
from app.usecases.sequencing import erased_entries

_WORDS = {
    "missing": "台账里有登记，登记表里没有了",
    "unknown": "登记表里有，台账里没有登记",
    "doubled": "台账里登记了两次",
    "worker_id": "登记的人和台账不一样",
    "opened_on": "登记的日子和台账不一样",
    "closed_on": "结束的日子和台账不一样",
    "end": "结束的原因和台账不一样",
    "source": "登记的来源和台账不一样",
}


@dataclass(frozen=True, slots=True)
class WrongSpell:
    """A spell that is not as the ledger tells it.

    `reason` is the column that differs, or `missing` (the ledger tells of a spell that is not there), `unknown` (there
    is a spell of which the ledger tells nothing), `doubled` (two openings of one spell).
    """

    spell_id: int
    reason: str

    @property
    def words(self) -> str:
        return f"失业登记（编号 {self.spell_id}）：{_WORDS[self.reason]}"

    def to_dict(self) -> dict[str, Any]:
        return {"spell": self.spell_id, "reason": self.reason, "message": self.words}


@dataclass(slots=True)
class _Told:
    """What the ledger tells of one spell: its columns as the database spells them, and whether it may be gone."""

    columns: dict[str, Any]
    may_be_gone: bool
    is_doubled: bool = False


def first_wrong_spell(session: Session, *, keys: KeyRing) -> WrongSpell | None:
    """The spell with the lowest id that is not as the ledger tells it; None if all are.

    Spells of people who were erased may be gone: the erasure names the entries that told of them. Reads every spell and
    its entries.
    """
    erased = erased_entries(session, keys=keys)
    entries = [
        (one.entry, one.entry.id in erased and erased[one.entry.id] == digest_of(one.entry, one.commitment))
        for one in list_stored_of(session, [EntryKind.SPELL_OPENED, EntryKind.SPELL_CLOSED])
        if one.entry is not None
    ]
    told = _told_spells(entries)
    stored = list_stored_spells(session)
    for spell_id in sorted(told.keys() | stored.keys()):
        reason = _difference(told.get(spell_id), stored.get(spell_id))
        if reason is not None:
            return WrongSpell(spell_id, reason)
    return None


def _told_spells(entries: Iterable[tuple[Entry, bool]]) -> dict[int, _Told]:
    told: dict[int, _Told] = {}
    for entry, is_erased in entries:
        if entry.spell_id is None:
            continue
        day, before = china_date(entry.happened_at).isoformat(), told.get(entry.spell_id)
        if entry.kind is EntryKind.SPELL_OPENED:
            # Once a person and their spells are gone, SQLite may give the number of one to another person's.
            told[entry.spell_id] = _Told(
                {
                    "worker_id": entry.worker_id,
                    "opened_on": day,
                    "closed_on": None,
                    "end": None,
                    "source": entry.facts.get("source"),
                },
                may_be_gone=is_erased,
                is_doubled=before is not None and not before.may_be_gone,
            )
        elif before is not None:
            before.columns |= {"closed_on": day, "end": entry.facts.get("reason")}
    return told


def _difference(told: _Told | None, stored: dict[str, Any] | None) -> str | None:
    if told is None:
        return "unknown"
    if told.is_doubled:
        return "doubled"
    if stored is None:
        return None if told.may_be_gone else "missing"
    return next((name for name, value in told.columns.items() if stored[name] != value), None)
