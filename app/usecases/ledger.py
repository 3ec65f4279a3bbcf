"""Writing into the ledger and reading it: append, strike, erase a person's key.

An entry is written in the transaction of what it tells about. Its place in the tree is given afterwards, by
`usecases.sequencing`; until then it is in force all the same.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from app.domain.entries import check_facts, check_text, commitment_of, digest_of, note_key
from app.domain.fictions import plain_note
from app.domain.ledger import Channel, Entry, EntryKind, Fact, Grade
from app.kit.database import reserve_ids
from app.kit.encrypted import Place, SealBroken, seal_under, unseal_under, unwrap_keys, wrap_keys
from app.kit.errors import Conflict, NotFound
from app.kit.keys import KEY_BYTES, KeyRing, tag
from app.store import ledger as store
from app.store.audit import record_act
from app.store.ledger import (
    LedgerEntry,
    add_entries,
    add_keys,
    delete_key,
    find_entry,
    find_keys,
    find_strike,
    list_commitments,
    list_entries_of,
    list_entries_written,
    lock_key,
)
from app.store.person_keys import require_kept

OFFICE = 0
"""Whose key commits to entries that concern nobody, and to erasures."""


class LedgerEntryUnknown(NotFound):
    """There is no such entry."""

    code = "ledger_entry_unknown"
    title = "台账里没有这一条"


class LedgerEntryStruck(Conflict):
    """The entry has been struck already."""

    code = "ledger_entry_struck"
    title = "台账里这一条已经作废了"


class LedgerEntryFinal(Conflict):
    """Strikes and erasures cannot be struck: what they struck or erased is to be written anew. Nor can seals be."""

    code = "ledger_entry_final"
    title = "作废、销毁、封存的记录不能再作废"


class SpellEntryFinal(Conflict):
    """The opening and the closing of a spell cannot be struck: the spell would stay as it is."""

    code = "spell_entry_final"
    title = "登记和结束的记录不能作废。登记错了的，请按“登记错了”结束这次登记；结束错了的，请重新登记"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDraft:
    """An entry before it is written: the columns of `domain.ledger.Entry`, with the note in plain text."""

    kind: EntryKind
    worker_id: int | None
    spell_id: int | None = None
    channel: Channel | None = None
    evidence: Grade | None = None
    happened_at: datetime
    now: datetime
    actor: str
    refers_to: int | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)
    note: str | None = field(default=None, repr=False)


def append_entry(
    session: Session,
    *,
    kind: EntryKind,
    worker_id: int | None,
    spell_id: int | None = None,
    channel: Channel | None = None,
    evidence: Grade | None = None,
    happened_at: datetime,
    now: datetime,
    actor: str,
    refers_to: int | None = None,
    facts: Mapping[str, Fact] | None = None,
    note: str | None = None,
    keys: KeyRing,
) -> Entry:
    """Append one entry in the caller's transaction.

    Args:
        session: a transaction that the caller commits.
        kind: what the entry tells.
        worker_id: whom it concerns, None for nobody.
        spell_id: the spell in which it counts.
        channel: how it reached the person.
        evidence: how sure that is.
        happened_at: when it happened.
        now: when it is written.
        actor: who writes it, as in the audit: a role and an id, no name.
        refers_to: the entry that it strikes, answers or follows.
        facts: see `domain.ledger.Entry`; no personal data.
        note: what was said, in plain text; sealed under the person's own key.
        keys: the key ring.

    Raises:
        TypeError: a fact is a floating-point number or another thing that reads differently elsewhere.
        Invalid: a text holds a character that cannot be stored.
        app.store.person_keys.PersonErased: the person was erased.
    """
    draft = EntryDraft(
        kind=kind,
        worker_id=worker_id,
        spell_id=spell_id,
        channel=channel,
        evidence=evidence,
        happened_at=happened_at,
        now=now,
        actor=actor,
        refers_to=refers_to,
        facts=facts or {},
        note=note,
    )
    return append_entries(session, [draft], keys=keys)[0]


def append_entries(session: Session, drafts: Sequence[EntryDraft], *, keys: KeyRing) -> list[Entry]:
    """Append many entries in the caller's transaction, in their order. Raises what `append_entry` raises."""
    for draft in drafts:
        check_facts(draft.facts)
        check_text(draft.actor)
        if draft.note is not None:
            check_text(draft.note)
    person_keys = _keys_to_write(session, {keeper_of(draft.kind, draft.worker_id) for draft in drafts}, keys=keys)
    entries, commitments = [], []
    for entry_id, draft in zip(reserve_ids(session, LedgerEntry, len(drafts)), drafts, strict=True):
        person_key = person_keys[keeper_of(draft.kind, draft.worker_id)]
        entry = Entry(
            id=entry_id,
            kind=draft.kind,
            worker_id=draft.worker_id,
            spell_id=draft.spell_id,
            channel=draft.channel,
            evidence=draft.evidence,
            happened_at=draft.happened_at,
            written_at=draft.now,
            actor=draft.actor,
            refers_to=draft.refers_to,
            facts=dict(draft.facts),
            note=None if draft.note is None else _seal_note(person_key, draft.note, entry_id, keys=keys),
        )
        entries.append(entry)
        commitments.append(commitment_of(entry, person_key=person_key))
    add_entries(session, entries, commitments)
    return entries


def strike_entry(session: Session, entry_id: int, *, why: str, actor: str, now: datetime, keys: KeyRing) -> Entry:
    """Strike an entry: from now on it counts for nothing. It stays where it is.

    Why is free text, and so kept as a note: sealed under the person's key, gone with it.

    Raises:
        LedgerEntryUnknown: there is no such entry.
        LedgerEntryStruck: it is struck already.
        LedgerEntryFinal: it is itself a strike or an erasure.
        SpellEntryFinal: it opened or closed a spell.
        Invalid: `why` holds a character that cannot be stored.
    """
    entry = find_entry(session, entry_id, to_strike=True)
    if entry is None:
        raise LedgerEntryUnknown
    if entry.kind in {EntryKind.STRIKE, EntryKind.ERASURE, EntryKind.AUDIT}:
        raise LedgerEntryFinal
    if entry.kind in {EntryKind.SPELL_OPENED, EntryKind.SPELL_CLOSED}:
        raise SpellEntryFinal
    if find_strike(session, entry_id) is not None:
        raise LedgerEntryStruck
    return append_entry(
        session,
        kind=EntryKind.STRIKE,
        worker_id=entry.worker_id,
        spell_id=entry.spell_id,
        happened_at=now,
        now=now,
        actor=actor,
        refers_to=entry_id,
        note=why,
        keys=keys,
    )


def list_entries(
    session: Session, *, worker_ids: Collection[int] | None = None, spell_ids: Collection[int] | None = None
) -> list[Entry]:
    """Entries in order of id, also those that have no place in the tree yet; of these people and these spells alone.

    None is no condition; both together ask for both. Struck entries are among them, and so are the strikes.
    """
    return list_entries_of(session, worker_ids=worker_ids, spell_ids=spell_ids)


def list_written(session: Session, *, since: datetime, until: datetime) -> list[Entry]:
    """The entries written in a stretch of time, its end not included, and every later strike; in order of id."""
    return list_entries_written(session, since=since, until=until)


def read_note(session: Session, entry_id: int, *, keys: KeyRing, actor: str, reason: str, now: datetime) -> str | None:
    """What was said, in plain text; None where nothing is kept or the person was erased. The reading is audited.

    Raises:
        LedgerEntryUnknown: there is no such entry.
        app.kit.encrypted.SealBroken: the note was altered or moved here from another entry.
    """
    entry = find_entry(session, entry_id)
    if entry is None:
        raise LedgerEntryUnknown
    if entry.note is None:
        return None
    keeper = keeper_of(entry.kind, entry.worker_id)
    if (person_key := open_keys(session, [keeper], keys=keys).get(keeper)) is None:
        return None
    record_act(session, actor=actor, action="read_note", subject=f"ledger/{entry_id}", now=now, why=reason)
    return unseal_under(note_key(person_key), entry.note, place=_note(entry_id))


def digest_notes(session: Session, entries: Iterable[Entry], *, keys: KeyRing) -> dict[int, tuple[str, int]]:
    """Of each entry with a note a digest that is equal for equal words, and how many characters were compared.

    Notes are opened here and do not leave: the digests are made with a key that is forgotten afterwards, so that they
    fit no other call and nobody can try words on them. Passed over are notes of people who were erased, and such as
    were altered, of which `ledger verify` tells; and why an entry was struck, which nobody said to anybody. Whoever
    calls it tells the audit how many were compared, in a transaction of its own: comparing takes long.
    """
    noted = [(entry, entry.note) for entry in entries if entry.note is not None and entry.kind is not EntryKind.STRIKE]
    person_keys = open_keys(session, {keeper_of(entry.kind, entry.worker_id) for entry, _ in noted}, keys=keys)
    secret, found = secrets.token_bytes(KEY_BYTES), dict[int, tuple[str, int]]()
    for entry, sealed in noted:
        person_key = person_keys.get(keeper_of(entry.kind, entry.worker_id))
        if person_key is None:
            continue
        try:
            plain = plain_note(unseal_under(note_key(person_key), sealed, place=_note(entry.id)))
        except SealBroken:
            continue
        found[entry.id] = (tag(secret, "note", plain), len(plain))
    return found


def erase_person(session: Session, worker_id: int, *, actor: str, now: datetime, keys: KeyRing) -> Entry | None:
    """Destroy a person's key, so that no note and no commitment of theirs opens any more; what is countable stays.

    An entry under the office's own key tells of it first: it names each entry of the person with the digest of its
    columns, so that these can be told from entries that somebody else made unreadable. An entry that its commitment
    does not fit is not named: what was altered before must not pass for erased. None, and nothing done, if the person
    has no key.
    """
    if not lock_key(session, worker_id):
        return None
    key = open_keys(session, [worker_id], keys=keys).get(worker_id)
    theirs = [entry for entry in list_entries(session, worker_ids=[worker_id]) if entry.kind is not EntryKind.ERASURE]
    commitments = list_commitments(session, [entry.id for entry in theirs])
    erasure = append_entry(
        session,
        kind=EntryKind.ERASURE,
        worker_id=worker_id,
        happened_at=now,
        now=now,
        actor=actor,
        facts={
            "entries": [
                f"{entry.id}:{digest_of(entry, commitments[entry.id])}"
                for entry in theirs
                if key is not None and commitment_of(entry, person_key=key) == commitments[entry.id]
            ]
        },
        keys=keys,
    )
    delete_key(session, worker_id)
    return erasure


def open_keys(session: Session, worker_ids: Iterable[int], *, keys: KeyRing) -> dict[int, bytes]:
    """The keys of these people (0: the office), of those who have one that opens."""
    return _opened(find_keys(session, worker_ids), keys)


def count_keys_behind(session: Session, *, today: str) -> int:
    """How many keys of the ledger are wrapped otherwise than today."""
    return store.count_keys_behind(session, today=today)


def rewrap_keys(session: Session, *, after: int, limit: int, today: str, keys: KeyRing) -> tuple[int, int] | None:
    """Wrap the ledger's next keys anew that are wrapped otherwise than today; as `store.identities.bring_up`."""
    wrapped = store.list_keys_behind(session, after=after, limit=limit, today=today)
    if not wrapped:
        return None
    opened = _opened(wrapped, keys)
    anew = wrap_keys(keys, {_key(keeper): key for keeper, key in opened.items()})
    for keeper in sorted(opened):
        store.replace_key(session, keeper, before=wrapped[keeper], sealed=anew[_key(keeper)])
    return max(wrapped), len(opened)


def _keys_to_write(session: Session, keepers: Collection[int], *, keys: KeyRing) -> dict[int, bytes]:
    sealed = find_keys(session, keepers, to_write=True)
    if missing := set(keepers) - sealed.keys():
        # Nobody who was erased is given a key anew: what is written under one could be read again.
        require_kept(session, missing)
        new = {_key(keeper): secrets.token_bytes(KEY_BYTES) for keeper in missing}
        wrapped = wrap_keys(keys, new)
        add_keys(session, {keeper: wrapped[_key(keeper)] for keeper in missing})
        sealed |= find_keys(session, missing, to_write=True)
    opened = _opened(sealed, keys)
    if sealed.keys() - opened.keys():
        raise SealBroken("ledger_keys.sealed: a key does not open")
    return opened


def _opened(sealed: Mapping[int, str], keys: KeyRing) -> dict[int, bytes]:
    # Not there is somebody else's key, or an altered one: the entries under it are told as not opening.
    opened = unwrap_keys(keys, {_key(keeper): key for keeper, key in sealed.items()})
    return {keeper: opened[_key(keeper)] for keeper in sealed if _key(keeper) in opened}


def _seal_note(person_key: bytes, note: str, entry_id: int, *, keys: KeyRing) -> str:
    return seal_under(note_key(person_key), note, place=_note(entry_id), cipher=keys.cipher)


def keeper_of(kind: EntryKind, worker_id: int | None) -> int:
    """Whose key commits to an entry: the person's, or the office's where there is none or it is to be destroyed."""
    return OFFICE if worker_id is None or kind is EntryKind.ERASURE else worker_id


def _key(keeper: int) -> Place:
    return Place("ledger_keys", "sealed", keeper)


def _note(entry_id: int) -> Place:
    return Place("ledger", "note", entry_id)
